// chat_template: what each construct of the Jinja subset gives (the expected texts are Jinja2's, see
// dev/reference/check_chat_template.py), what is refused and where, the bounds, model folders, and the real models' templates.
#include "check.h"
#include "llmc/chat_template.h"

static json_t *conversation; // two turns and a system message

static bool render(Buffer *out, const char *template_text, Error *error) {
    buffer_clear(out);
    buffer_reserve(out, 1);
    return chat_template_render(out, template_text, conversation, true, "<s>", NULL, NULL, error);
}

static void check_constructs(void) {
    static const char *const CASES[][2] = {
        {"{{ 1 + 2 * 3 - 4 }}|{{ -7 // 2 }}|{{ -7 % 3 }}|{{ 7 % -3 }}|{{ 7 / 2 }}", "3|-4|2|-2|3.5"},
        {"{{ 0.1 + 0.2 }} {{ 1e16 * 1.0 }} {{ 100000.0 }} {{ 0.00001 }} {{ -0.0 }}", "0.30000000000000004 1e+16 100000.0 1e-05 -0.0"},
        {"{{ 1 ~ 'a' ~ none ~ true }}{{ 'a' + ' b ' | trim + 'c' }}{{ 'd' \"e\" }}", "1aNoneTrueabcde"},
        {"{{ '\\x41\\u00e9\\n\\q\\101' }}", "A\xC3\xA9\n\\qA"},
        {"{{ '\xC3\xA9\xF0\x9F\x98\x80x'|length }}{{ '\xC3\xA9\xF0\x9F\x98\x80x'[::-1] }}", "3x\xF0\x9F\x98\x80\xC3\xA9"},
        {"{{ 'abcdef'[1:4] }}{{ 'abcdef'[4:1:-1] }}{{ 'abcdef'[-2:] }}{{ 'abc'[9::-1] }}{{ 'abc'[:-9:-1] }}", "bcdedcefcbacba"},
        {"{{ messages|length }}{{ messages[0].role }}{{ messages[-1]['content'] }}{{ messages[::-1][1].role }}", "3systemhi <b>user"},
        {"{% for m in messages %}{{ loop.index0 }}{{ loop.index }}{{ loop.first }}{{ loop.last }}{{ loop.revindex }};{% endfor %}", "01TrueFalse3;12FalseFalse2;23FalseTrue1;"},
        {"{% for m in messages[:0] %}x{% else %}none{% endfor %}{% for m in missing %}x{% else %}none{% endfor %}", "nonenone"},
        {"{% set ns = namespace(a=1) %}{% for m in messages %}{% set ns.a = ns.a + 1 %}{% set q = 5 %}{% endfor %}{{ ns.a }}{{ q is defined }}", "4False"},
        {"{% set x=1 %}{% for i in [1,2] %}{{x}}{% set x = 2 %}{{x}}{% endfor %}{{x}}", "12121"},
        {"{% if x is defined %}a{% elif y %}b{% else %}c{% endif %}", "c"},
        {"{{ none is none }}{{ 'a' is string }}{{ 1 is true }}{{ false is false }}{{ 'a' is not string }}{{ {} is mapping }}", "TrueTrueFalseTrueFalseTrue"},
        {"{{ 'a' in 'abc' }}{{ 1 not in [1] }}{{ 'role' in messages[0] }}{{ not 'a' in 'abc' }}{{ 1 < 2 < 3 }}{{ 1 < 3 < 2 }}", "TrueFalseTrueFalseTrueFalse"},
        {"{{ none == x }}{{ 'a' == 1 }}{{ [1] == 'a' }}{{ true == 1 }}{{ 1 == 1.0 }}{{ [1, 'b'] == [1, 'b'] }}{{ {'a': 1} == {'a': 2} }}", "FalseFalseFalseTrueTrueTrueFalse"},
        {"{{ '' or 'a' }}{{ 0 and 'b' }}{{ 'a' if false }}{{ 1 if 0 else 2 if 0 else 3 }}", "a03"},
        {"{{ messages[2] | tojson }}", "{\"role\": \"user\", \"content\": \"hi <b>\"}"},
        {"{{ [1, {'a': []}, 'q\"\\n\\u0001\xC3\xA9'] | tojson(indent=2) }}", "[\n  1,\n  {\n    \"a\": []\n  },\n  \"q\\\"\\n\\u0001\xC3\xA9\"\n]"},
        {"{{ 'a</think>b</think>c'.split('</think>')[-1] }}{{ ' a  b '.split(none, 1)|join('|') }}{{ 'a,b'.split(',')|length }}", "ca|b 2"},
        {"{{ '  a '.strip() }}{{ 'xxaxx'.lstrip('x') }}{{ '\\na\\n\\n'.rstrip('\\n') }}{{ 'abc'.startswith('ab') }}{{ 'abc'.endswith('x') }}", "aaxx\naTrueFalse"},
        {"{% for k, v in {'a':1,'b':2}.items() %}{{k}}{{v}}{% endfor %}{% for k in {'a':1}|items %}{{ k[0] }}{% endfor %}", "a1b2a"},
        {"{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{i}}{% endfor %}", "0134"},
        {"{{ bos_token }}{{ eos_token is defined }}{{ tools is none }}{{ add_generation_prompt }}{{ x | default('d') }}", "<s>FalseTrueTrued"},
        {"{{ '%}' }}{{ '}}' }}{{ {'a': {'b': 1}}['a']['b']}}{# gone #}{ {", "%}}}1{ {"},
        // white space: trim_blocks, lstrip_blocks, signs, the last line end
        {"a\n  {% if true %}\n  b\n  {% endif %}\n  c\n", "a\n  b\n  c"},
        {"a  {%- if true -%} \n b {% endif %} \n", "ab  "},
        {"  {%+ if true %}x{% endif +%}\n y", "  x\n y"},
        {"  {{ 1 }}\n  {# c #}\n  d {# e #} \nf", "  1\n  d  \nf"},
        {"\r\n{% if true %}\r\nx\r{% endif %}\r\n", "\nx\n"},
        {"{{ 1 }}  {% if true %}x{% endif %}", "1  x"},
        {"{{- 'a' -}} \n {{ 'b' }}\n\n", "ab\n"},
    };
    Error error;
    Buffer out = {0};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        bool ok = render(&out, CASES[i][0], &error);
        check_text(ok ? out.data : error.text, CASES[i][1], CASES[i][0]);
    }
    buffer_free(&out);
}
static void check_refusals(void) {
    static const char *const CASES[][2] = {
        {"{{ messages[0].content.x.y }}", "line 1, column 23: an attribute of a value that is string"},
        {"a\n\xC3\xA9 {{ x.y }}", "line 2, column 7: \"x\" is undefined"},
        {"{{ raise_exception('roles ' + 'alternate') }}", "refuses these messages: roles alternate"},
        {"{{ 'a' | upper }}", "line 1, column 8: the filter \"upper\""},
        {"{{ 'a'.upper() }}", "the method \"upper\""},
        {"{{ 1 is even }}", "the test \"even\""},
        {"{{ strftime_now('%d') }}", "the function \"strftime_now\""},
        {"\n{% macro f() %}{% endmacro %}", "line 2, column 1: the statement \"macro\""},
        {"{% set x %}a{% endset %}", "a set block is not supported"},
        {"{% for m in messages if m %}{% endfor %}", "a for with \"if\""},
        {"{% set messages.x = 1 %}", "only a namespace's attributes"},
        {"{% if true %}", "line 1, column 1: this if is not closed"},
        {"a{% for x in [] %}{% else %}", "line 1, column 2: this for is not closed"},
        {"{% endif %}", "the statement \"endif\""},
        {"{{ 'abc", "a string is not closed"},
        {"{{ 'abc\\", "a string is not closed"},
        {"{{", "ends inside a tag"},
        {"{% if", "ends inside a tag"},
        {"{# x", "a comment is not closed"},
        {"{{ }}", "the tag ends where an expression is expected"},
        {"{{ a b }}", "\"b\" stands where the end of the tag"},
        {"{{ (1, 2) }}", "tuples are not supported"},
        {"{{ 1 ** 2 }}", "is not supported"},
        {"{{ 1 + 'a' }}", "line 1, column 6: integer + string"},
        {"{{ 1 / 0 }}", "division by zero"},
        {"{{ 9223372036854775807 + 1 }}", "out of range"},
        {"{{ (-9223372036854775807 - 1) // -1 }}", "out of range"},
        {"{{ 99999999999999999999 }}", "out of range"},
        {"{{ '\\ud800' }}", "surrogate"},
        {"{{ '\\U99999999' }}", "no character"},
        {"{{ '\\xg' }}", "2 hexadecimal digits"},
        {"{{ messages }}", "a list as text"},
        {"{% break %}", "outside a loop"},
        {"{% for a, b in [[1]] %}{% endfor %}", "1 values for 2 names"},
        {"{{ 'a'[::0] }}", "step 0"},
        {"{{ messages[0].items }}", "without a call"},
        {"\xFF", "not UTF-8 at byte 0"},
    };
    Buffer out = {0};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        Error error = {""};
        buffer_clear(&out);
        buffer_append_text(&out, "before");
        bool ok = chat_template_render(&out, CASES[i][0], conversation, true, "<s>", NULL, NULL, &error);
        check(!ok && strstr(error.text, CASES[i][1]) && strstr(error.text, "chat template"), "%s: got \"%s\", want \"%s\"", CASES[i][0], ok ? out.data : error.text, CASES[i][1]);
        check(out.size == strlen("before"), "a refusal leaves the size of the output as it was: %s", CASES[i][0]);
        check_text(out.data, "before", "a refusal leaves the output as it was");
    }
    buffer_free(&out);
}
// Templates that would take for ever, or all memory, or the whole stack.
static void check_bounds(void) {
    static const struct {
        const char *before, *repeated, *after, *says;
        int count;
    } CASES[] = {
        {"{{ ", "(", "1", "nested deeper", 100000},
        {"{{ ", "[", "1", "nested deeper", 100000},
        {"{{ 1", "+1", "}}", "nested deeper", 100000},
        {"{{ x", ".y", "}}", "nested deeper", 100000},
        {"{{ ", "not ", "1 }}", "nested deeper", 100000},
        {"{{ ", "-", "1 }}", "nested deeper", 100000},
        {"{{ ", "1 if 1 else ", "1 }}", "nested deeper", 100000},
        {"", "{% if 1 %}", "", "nested deeper", 100000},
        {"", "{% for a in [1] %}", "", "nested deeper", 100000},
        {"{{ a", "[0", "", "nested deeper", 100000},
        {"{% set n = namespace(s='ab') %}", "{% set n.s = n.s + n.s %}", "{{ n.s }}", "MiB of memory", 100},
        {"", "{% for a in range(1000) %}", "", "not closed", 6},
        {"{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}{% endfor %}{% endfor %}{% endfor %}", "", "", "steps", 1},
        {"{% set n = namespace(l=[]) %}{% for a in range(100000) %}{% set n.l = [n.l] %}{% endfor %}{{ n.l | tojson }}", "", "", "nested deeper", 1},
        {"{% set n = namespace(l=[], m=[]) %}{% for a in range(9999) %}{% set n.l = [n.l] %}{% set n.m = [n.m] %}{% endfor %}{{ n.l == n.m }}", "", "", "nested deeper", 1},
        {"{% set s = 'x' * 3 %}", "", "", "string * integer", 1},
        {"{% for a in range(30000000) %}{% endfor %}", "", "", "not supported", 1},
        {"{% set n = namespace(s='0123456789') %}{% for a in range(19) %}{% set n.s = n.s + n.s %}{% endfor %}{% for a in range(100) %}{{ n.s }}{% endfor %}", "", "", "output is longer", 1},
    };
    double start = seconds_now();
    Buffer text = {0}, out = {0};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        Error error = {""};
        buffer_clear(&text);
        buffer_append_text(&text, CASES[i].before);
        for (int k = 0; k < CASES[i].count; k++) { buffer_append_text(&text, CASES[i].repeated); }
        buffer_append_text(&text, CASES[i].after);
        bool ok = render(&out, text.data, &error);
        check(!ok && strstr(error.text, CASES[i].says), "bound %zu: got \"%s\", want \"%s\"", i, ok ? "no refusal" : error.text, CASES[i].says);
    }
    printf("ok   %zu endless templates end in %.2f s\n", sizeof(CASES) / sizeof(CASES[0]), seconds_now() - start);
    buffer_free(&text);
    buffer_free(&out);
}
// Every start of a template, and templates with changed characters: an error or a text, never a crash.
static void check_damage(const char *template_text) {
    Error error;
    Buffer damaged = {0}, out = {0};
    size_t size = strlen(template_text);
    int rendered = 0;
    for (int round = 0; round < 3000; round++) {
        buffer_clear(&damaged);
        buffer_append(&damaged, template_text, round % 3 ? size : size * (size_t)round / 3000);
        for (int i = 0; i < round % 4 && damaged.size; i++) {
            damaged.data[(size_t)((check_random() + 1) / 2 * (double)damaged.size)] = "{}%#-+'\"()[].|,:= 019aeinz\\~<\n"[(int)((check_random() + 1) * 15)];
        }
        rendered += render(&out, damaged.data, &error);
    }
    check(rendered > 10 && rendered < 2990, "of 3000 damaged templates some render: %d", rendered);
    buffer_free(&damaged);
    buffer_free(&out);
}

// ---- model folders
static char folder[64] = "/tmp/test_chat_template_XXXXXX";
static void put(const char *name, const char *text) {
    Error error;
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (!text) {
        unlink(path);
    } else if (!file_write_atomic(path, text, strlen(text), &error)) {
        fatal("%s", error.text);
    }
}
static void check_folder(const char *config, const char *jinja, const char *want_template, const char *want_bos, const char *want_eos) {
    Error error = {""};
    Buffer text = {0}, bos = {0}, eos = {0};
    put("tokenizer_config.json", config);
    put("chat_template.jinja", jinja);
    bool ok = chat_template_load(&text, &bos, &eos, folder, &error);
    if (want_bos) {
        check_text(ok ? text.data : error.text, want_template, "template of a folder");
        check_text(bos.data ? bos.data : "", want_bos, "bos of a folder");
        check_text(eos.data ? eos.data : "", want_eos, "eos of a folder");
    } else {
        check(!ok && strstr(error.text, want_template) && strstr(error.text, folder), "a folder refused: got \"%s\", want \"%s\"", ok ? text.data : error.text, want_template);
    }
    buffer_free(&text);
    buffer_free(&bos);
    buffer_free(&eos);
}
static void check_folders(void) {
    if (!mkdtemp(folder)) { fatal("%s cannot be made", folder); }
    check_folder("{\"chat_template\":\"T\",\"bos_token\":\"<b>\",\"eos_token\":{\"content\":\"<e>\"}}", NULL, "T", "<b>", "<e>");
    check_folder("{\"chat_template\":[{\"name\":\"tool_use\",\"template\":\"U\"},{\"name\":\"default\",\"template\":\"D\"}],\"bos_token\":null}", NULL, "D", "", "");
    check_folder("{\"chat_template\":\"T\",\"eos_token\":\"<e>\"}", "J", "J", "", "<e>");
    check_folder("{}", NULL, "no chat_template", NULL, NULL);
    check_folder("[]", NULL, "no chat_template", NULL, NULL);
    check_folder("{\"chat_template\":[{\"name\":\"tool_use\",\"template\":\"U\"}]}", NULL, "no chat_template", NULL, NULL);
    check_folder("{\"chat_template\":\"T\",\"bos_token\":7}", NULL, "bos_token is neither", NULL, NULL);
    check_folder("{\"chat_template\":\"a\\u0000b\"}", NULL, "holds a NUL", NULL, NULL);
    check_folder("{", "J", "not valid JSON", NULL, NULL);
    check_folder(NULL, NULL, "cannot be opened", NULL, NULL);
    rmdir(folder);
}

// ---- the real models
static void check_real(const char *data, const char *name, const json_t *messages, bool generation, const char *want) {
    Error error;
    char path[1024];
    Buffer template_text = {0}, out = {0}, bos = {0}, eos = {0};
    snprintf(path, sizeof(path), "%s/tokenizers/%s", data, name);
    json_t *config = json_read(path, &error);
    if (!config || !chat_template_read_config(&template_text, config, path, &error) || !chat_template_read_token(&bos, config, "bos_token", path, &error)) { fatal("%s", error.text); }
    bool ok = chat_template_render(&out, template_text.data, messages, generation, bos.data, NULL, NULL, &error);
    check_text(ok ? out.data : error.text, want, name);
    json_decref(config);
    buffer_free(&template_text);
    buffer_free(&out);
    buffer_free(&bos);
    buffer_free(&eos);
}
#define R1_BEGIN "<\xEF\xBD\x9C" \
                 "begin\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>"
#define R1_END "<\xEF\xBD\x9C" \
               "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>"
#define R1_USER      "<\xEF\xBD\x9CUser\xEF\xBD\x9C>"
#define R1_ASSISTANT "<\xEF\xBD\x9C" \
                     "Assistant\xEF\xBD\x9C>"
static void check_real_templates(const char *data) {
    json_t *question = json_pack("[{s:s,s:s}]", "role", "user", "content", "1+1?");
    json_t *turns = json_pack("[{s:s,s:s},{s:s,s:s},{s:s,s:s},{s:s,s:s}]", "role", "system", "content", "Be brief.", "role", "user", "content", "1+1?", "role", "assistant", "content",
                              "<think>\nhm\n</think>\n2", "role", "user", "content", "2+2?");
    check_real(data, "r1-distill-qwen/tokenizer_config.json", question, true, R1_BEGIN R1_USER "1+1?" R1_ASSISTANT "<think>\n");
    check_real(data, "r1-distill-qwen/tokenizer_config.2025-01.json", question, true, R1_BEGIN R1_USER "1+1?" R1_ASSISTANT);
    check_real(data, "r1-distill-qwen/tokenizer_config.json", turns, false, R1_BEGIN "Be brief." R1_USER "1+1?" R1_ASSISTANT "\n2" R1_END R1_USER "2+2?");
    check_real(data, "qwen2_5/tokenizer_config.json", question, true,
               "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n");
    json_decref(question);
    json_decref(turns);
}

int main(void) {
    device_init();
    conversation = json_pack("[{s:s,s:s},{s:s,s:s},{s:s,s:s}]", "role", "system", "content", " Sys\n", "role", "user", "content", "<think>\na\n</think>\n\nb", "role", "user", "content", "hi <b>");
    check_constructs();
    check_refusals();
    check_bounds();
    check_damage("{%- set ns = namespace(a=true, b=messages|length - 1) %}\n{%- for m in messages[::-1] %}\n  {%- if ns.a and m.role == \"user\" and not(m.content.startswith('<t>')) %}\n"
                 "  {%- set ns.a = false %}{%- set ns.b = loop.index0 %}{%- endif %}\n{%- endfor %}{% for m in messages %}{{ '<' + m['role'] + '>\\n' + m.content | trim }}\n"
                 "{%- if '</think>' in m.content %}{{ m.content.split('</think>')[-1].lstrip('\\n') }}{% elif loop.last %}{{ m | tojson }}{% endif %}{# c #}{% endfor %}{{ ns.b }}");
    check_folders();
    Error error;
    Buffer out = {0};
    json_t *none = json_object(), *extra = json_pack("{s:b,s:[i]}", "enable_thinking", 0, "tools", 1);
    check(!chat_template_render(&out, "x", none, true, NULL, NULL, NULL, &error) && strstr(error.text, "not a list"), "messages that are no list");
    check(chat_template_render(&out, "{{ enable_thinking }}{{ tools[0] }}", conversation, true, NULL, NULL, extra, &error), "further variables");
    check_text(out.data, "False1", "further variables");
    buffer_free(&out);
    json_decref(none);
    json_decref(extra);
    if (check_data_folder()) {
        check_real_templates(check_data_folder());
    } else {
        check_skip("R1 distill's and Qwen2.5's templates: no real data");
    }
    json_decref(conversation);
    return check_report("test_chat_template");
}
