// Chat templates. An input is the template and, behind a NUL, the messages and further variables: {"messages": [..], ..} as JSON; without
// it a conversation of three turns.
#include "fuzz.h"
#include "llmc/chat_template.h"

static const char conversation[] = "{\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":\" hi <b> \"},"
                                   "{\"role\":\"assistant\",\"content\":\"<think>\\n2+2\\n</think>\\n\\n4\"},{\"role\":\"user\",\"content\":\"why\"}]}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *template_text = fuzz_take_text(&data, &size);
    Error error;
    Buffer out = {0};
    json_t *variables = size ? json_parse((const char *)data, size, "variables", &error) : json_loads(conversation, 0, NULL);
    if (json_is_object(variables)) {
        error.text[0] = 0;
        bool ok = chat_template_render(&out, template_text, json_object_get(variables, "messages"), true, "<s>", NULL, variables, &error);
        assert(ok || error.text[0]);
        (void)ok;
    }
    buffer_free(&out);
    json_decref(variables);
    free(template_text);
    return 0;
}
