// render_template: chat templates from outside, for comparisons with Jinja2 (dev/reference/check_chat_template.py).
// JSONL on stdin, {"template": .., "messages": [..], "add_generation_prompt": .., "bos_token": .., "eos_token": .., "extra": {..}};
// out comes {"text": ..} or {"error": ..} for each line.
#include "llmc/chat_template.h"

int main(void) {
    Error error;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    while ((length = getline(&line, &capacity, stdin)) >= 0) {
        json_t *json = json_parse(line, (size_t)length, "stdin", &error), *result = json_object();
        const char *template = json_string_value(json_object_get(json, "template"));
        if (!template) { fatal("%s", json ? "stdin: a line without a template" : error.text); }
        Buffer text = {0};
        bool ok = chat_template_render(&text, template, json_object_get(json, "messages"), json_is_true(json_object_get(json, "add_generation_prompt")),
                                       json_string_value(json_object_get(json, "bos_token")), json_string_value(json_object_get(json, "eos_token")),
                                       json_object_get(json, "extra"), &error);
        json_object_set_new(result, ok ? "text" : "error", ok ? json_stringn(text.data ? text.data : "", text.size) : json_string(error.text));
        json_dumpf(result, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(result);
        json_decref(json);
        buffer_free(&text);
    }
    free(line);
    return EXIT_SUCCESS;
}
