// jinja_builtins: values as text and JSON, and the filters, tests and methods that chat templates use, as Jinja and Python do them.
#pragma once
#include "jinja_parse.h"

// ---- text
static inline void jinja_write(Jinja *j, Buffer *out, size_t start, const char *text, size_t bytes) {
    if (out->size - start + bytes > JINJA_MAX_OUTPUT) { jinja_fail(j, j->position, "the output is longer than %d MiB", JINJA_MAX_OUTPUT >> 20); }
    buffer_append(out, text, bytes);
}
// A double as Python's repr writes it: the fewest digits that read back as the same number, an exponent below 1e-4 and from 1e16 on.
static inline int jinja_format_float(char text[40], double number) {
    char digits[40];
    int precision = 0, exponent, written = 0;
    if (!isfinite(number)) { return sprintf(text, "%s", isnan(number) ? "nan" : number > 0 ? "inf"
                                                                                           : "-inf"); }
    do { sprintf(digits, "%.*e", precision, number); } while (strtod(digits, NULL) != number && ++precision < 17);
    exponent = atoi(strchr(digits, 'e') + 1);
    if (exponent >= -4 && exponent < 16) { return sprintf(text, "%.*f", precision - exponent > 1 ? precision - exponent : 1, number); }
    written = (int)(strchr(digits, 'e') - digits);
    return sprintf(text, "%.*se%c%02d", written, digits, exponent < 0 ? '-' : '+', abs(exponent));
}
// What {{ value }} shows.
static inline JinjaValue jinja_show(Jinja *j, JinjaValue v) {
    char text[40];
    switch (v.type) {
    case JINJA_STRING:
        return v;
    case JINJA_UNDEFINED:
        return jinja_text("");
    case JINJA_NONE:
        return jinja_text("None");
    case JINJA_BOOL:
        return jinja_text(v.integer ? "True" : "False");
    case JINJA_INTEGER:
        return jinja_copy(j, text, (size_t)sprintf(text, "%lld", v.integer));
    case JINJA_FLOAT:
        return jinja_copy(j, text, (size_t)jinja_format_float(text, v.number));
    default:
        jinja_fail(j, j->position, "a %s as text is not supported: use tojson", JINJA_TYPE_NAMES[v.type]);
    }
}

// ---- tojson: json.dumps(value, ensure_ascii=False, indent=indent), which Transformers puts in place of Jinja's own
typedef struct {
    Jinja *j;
    Buffer *out; // j->out, whose size is put back when the value is done
    size_t start;
    long long indent; // -1: one line
} JinjaJson;
static inline void jinja_json_text(JinjaJson *json, JinjaValue text) {
    static const char FROM[] = "\"\\\b\f\n\r\t", TO[] = "\"\\bfnrt";
    jinja_write(json->j, json->out, json->start, "\"", 1);
    for (size_t i = 0, run = 0; i <= text.count; i++) {
        unsigned char c = i < text.count ? (unsigned char)text.text[i] : 0;
        if (i < text.count && c >= 0x20 && c != '"' && c != '\\') { continue; }
        jinja_write(json->j, json->out, json->start, text.text + run, i - run);
        run = i + 1;
        char escape[8];
        const char *found = c ? strchr(FROM, c) : NULL;
        if (i < text.count) { jinja_write(json->j, json->out, json->start, escape, (size_t)(found ? sprintf(escape, "\\%c", TO[found - FROM]) : sprintf(escape, "\\u%04x", c))); }
    }
    jinja_write(json->j, json->out, json->start, "\"", 1);
}
static inline void jinja_json_break(JinjaJson *json, bool first, bool last, int nesting) { // what stands before an item, or before the closing bracket
    if (!first && !last) { jinja_write(json->j, json->out, json->start, ",", 1); }
    if (json->indent < 0) {
        if (!first && !last) { jinja_write(json->j, json->out, json->start, " ", 1); }
        return;
    }
    jinja_write(json->j, json->out, json->start, "\n", 1);
    for (long long i = 0; i < json->indent * nesting; i++) { jinja_write(json->j, json->out, json->start, " ", 1); }
}
static inline void jinja_json_value(JinjaJson *json, JinjaValue v, int nesting) {
    Jinja *j = json->j;
    if (nesting > JINJA_MAX_NESTING) { jinja_fail(j, j->position, "a value nested deeper than %d cannot be written as JSON", JINJA_MAX_NESTING); }
    jinja_charge(j, 1);
    size_t count = v.type == JINJA_DICT ? v.dict->count : v.count;
    JinjaValue text;
    switch (v.type) {
    case JINJA_STRING:
        jinja_json_text(json, v);
        return;
    case JINJA_NONE:
        text = jinja_text("null");
        break;
    case JINJA_BOOL:
        text = jinja_text(v.integer ? "true" : "false");
        break;
    case JINJA_INTEGER:
    case JINJA_FLOAT:
        text = jinja_show(j, v);
        break;
    case JINJA_LIST:
    case JINJA_DICT:
        jinja_write(j, json->out, json->start, v.type == JINJA_LIST ? "[" : "{", 1);
        for (size_t i = 0; i < count; i++) {
            jinja_json_break(json, i == 0, false, nesting + 1);
            if (v.type == JINJA_DICT) {
                jinja_json_text(json, v.dict->pairs[i].key);
                jinja_write(j, json->out, json->start, ": ", 2);
            }
            jinja_json_value(json, v.type == JINJA_LIST ? v.items[i] : v.dict->pairs[i].value, nesting + 1);
        }
        if (count) { jinja_json_break(json, true, true, nesting); }
        text = jinja_text(v.type == JINJA_LIST ? "]" : "}");
        break;
    default:
        jinja_fail(j, j->position, "a value that is %s cannot be written as JSON", JINJA_TYPE_NAMES[v.type]);
    }
    jinja_write(j, json->out, json->start, text.text, text.count);
}
static inline JinjaValue jinja_to_json(Jinja *j, JinjaValue v, long long indent) {
    size_t start = j->out->size; // written behind the output, then taken back: the output is the one buffer that a failure leaves in order
    JinjaJson json = {j, j->out, start, indent > 64 ? 64 : indent};
    jinja_json_value(&json, v, 0);
    JinjaValue text = jinja_copy(j, j->out->data + start, j->out->size - start);
    j->out->size = start;
    j->out->data[start] = 0;
    return text;
}

// ---- strings
static inline size_t jinja_characters(Jinja *j, JinjaValue text) {
    size_t count = 0;
    jinja_charge(j, text.count / 16);
    for (size_t i = 0; i < text.count; i++) { count += ((unsigned char)text.text[i] & 0xC0) != 0x80; }
    return count;
}
// The characters of a string as a list: to index, slice and walk it.
static inline JinjaValue jinja_split_characters(Jinja *j, JinjaValue text) {
    size_t count = jinja_characters(j, text), at = 0;
    JinjaValue *items = jinja_items(j, count);
    for (size_t i = 0; i < count; i++) {
        size_t start = at;
        utf8_next(text.text, text.count, &at);
        items[i] = jinja_string(text.text + start, at - start);
    }
    return jinja_list(items, count);
}
static inline const char *jinja_search(Jinja *j, JinjaValue text, size_t from, JinjaValue part) { // or NULL
    jinja_charge(j, 1 + (text.count - from) / 16);
    return part.count ? (const char *)memmem(text.text + from, text.count - from, part.text, part.count) : text.text + from;
}
static inline bool jinja_holds_character(Jinja *j, JinjaValue set, const char *character, size_t bytes) {
    return jinja_search(j, set, 0, jinja_string(character, bytes)) != NULL; // UTF-8 cannot match in mid-character
}
// strip(), lstrip(), rstrip(): without `set`, white space.
static inline JinjaValue jinja_strip(Jinja *j, JinjaValue text, const JinjaValue *set, bool left, bool right) {
    size_t start = 0, end = text.count;
    while (left && start < end) {
        size_t next = start;
        int code = utf8_next(text.text, end, &next);
        if (!(set ? jinja_holds_character(j, *set, text.text + start, next - start) : jinja_is_space(code))) { break; }
        start = next;
    }
    while (right && !set && start < end) { return jinja_string(text.text + start, jinja_skip_space_back(text.text, start, end) - start); }
    while (right && start < end) {
        size_t last = end - 1;
        while (last > start && ((unsigned char)text.text[last] & 0xC0) == 0x80) { last--; }
        if (!jinja_holds_character(j, *set, text.text + last, end - last)) { break; }
        end = last;
    }
    return jinja_string(text.text + start, end - start);
}
// split(separator), or split() at runs of white space; at most `limit` cuts, all if negative.
static inline JinjaValue jinja_split(Jinja *j, JinjaValue text, const JinjaValue *separator, long long limit) {
    if (separator && separator->count == 0) { jinja_fail(j, j->position, "split by an empty string"); }
    JinjaValue *items = NULL;
    size_t count = 0, capacity = 0;
    for (size_t at = 0; at <= text.count;) {
        size_t end = text.count, next = text.count + 1;
        if (!separator) {
            at = jinja_skip_space(text.text, text.count, at);
            if (at == text.count) { break; }
        }
        if (limit >= 0 && count == (size_t)limit) {
            end = text.count; // the rest as it is
        } else if (separator) {
            const char *found = jinja_search(j, text, at, *separator);
            end = found ? (size_t)(found - text.text) : end;
            next = found ? end + separator->count : next;
        } else {
            for (size_t code_at = at; code_at < text.count;) {
                end = code_at;
                if (jinja_is_space(utf8_next(text.text, text.count, &code_at))) { break; }
                end = code_at;
            }
            next = end;
        }
        if (count == capacity) {
            capacity = 2 * capacity + 8;
            JinjaValue *grown = jinja_items(j, capacity);
            if (count) { memcpy(grown, items, count * sizeof(JinjaValue)); }
            items = grown;
        }
        items[count++] = jinja_string(text.text + at, end - at);
        at = next;
    }
    return jinja_list(items, count);
}
static inline JinjaValue jinja_replace(Jinja *j, JinjaValue text, JinjaValue old, JinjaValue new) {
    if (old.count == 0) { jinja_fail(j, j->position, "replace of an empty string is not supported"); }
    JinjaValue parts = jinja_split(j, text, &old, -1);
    size_t bytes = new.count *(parts.count - 1), at = 0;
    for (size_t i = 0; i < parts.count; i++) { bytes += parts.items[i].count; }
    char *out = (char *)jinja_alloc(j, bytes);
    for (size_t i = 0; i < parts.count; i++) {
        memcpy(out + at, parts.items[i].text, parts.items[i].count);
        at += parts.items[i].count;
        if (i + 1 < parts.count && new.count) { memcpy(out + at, new.text, new.count), at += new.count; }
    }
    return jinja_string(out, bytes);
}

// ---- arguments of a call
enum { JINJA_MAX_ARGUMENTS = 16 };
typedef struct {
    JinjaValue name; // of what is called, for messages
    int count;
    JinjaValue keywords[JINJA_MAX_ARGUMENTS], values[JINJA_MAX_ARGUMENTS]; // a keyword is empty for an argument by position
} JinjaArguments;
__attribute__((noreturn)) static inline void jinja_fail_arguments(Jinja *j, const JinjaArguments *arguments) {
    jinja_fail(j, j->position, "%.*s with these arguments is not supported", (int)(arguments->name.count < 60 ? arguments->name.count : 60), arguments->name.text);
}
static inline bool jinja_called(const JinjaArguments *arguments, const char *name) { return jinja_same_text(arguments->name, jinja_text(name)); }
// The argument at this position or with this keyword, or NULL.
static inline const JinjaValue *jinja_argument(const JinjaArguments *arguments, int position, const char *keyword) {
    for (int i = 0; i < arguments->count; i++) {
        JinjaValue given = arguments->keywords[i];
        if (given.count ? jinja_same_text(given, jinja_text(keyword)) : i == position) { return &arguments->values[i]; }
    }
    return NULL;
}
// Refuses all but this many arguments by position.
static inline void jinja_want_arguments(Jinja *j, const JinjaArguments *arguments, int least, int most, JinjaType type) {
    bool good = arguments->count >= least && arguments->count <= most;
    for (int i = 0; i < arguments->count; i++) { good = good && arguments->keywords[i].count == 0 && (i > 0 || type == JINJA_UNDEFINED || arguments->values[i].type == type); }
    if (!good) { jinja_fail_arguments(j, arguments); }
}

// ---- filters
static inline JinjaValue jinja_dict_items(Jinja *j, const JinjaDict *dict) { // [[key, value], ..]
    JinjaValue *items = jinja_items(j, dict->count);
    for (size_t i = 0; i < dict->count; i++) {
        JinjaValue *pair = jinja_items(j, 2);
        pair[0] = dict->pairs[i].key, pair[1] = dict->pairs[i].value;
        items[i] = jinja_list(pair, 2);
    }
    return jinja_list(items, dict->count);
}
static inline JinjaValue jinja_dict_keys(Jinja *j, const JinjaDict *dict) {
    JinjaValue *items = jinja_items(j, dict->count);
    for (size_t i = 0; i < dict->count; i++) { items[i] = dict->pairs[i].key; }
    return jinja_list(items, dict->count);
}
// What a for loop, `join`, `first` and `last` walk over.
static inline JinjaValue jinja_iterate(Jinja *j, JinjaValue v) {
    switch (v.type) {
    case JINJA_LIST:
        return v;
    case JINJA_UNDEFINED:
        return jinja_list(NULL, 0);
    case JINJA_DICT:
        return jinja_dict_keys(j, v.dict);
    case JINJA_STRING:
        return jinja_split_characters(j, v);
    default:
        jinja_fail(j, j->position, "a value that is %s cannot be walked over", JINJA_TYPE_NAMES[v.type]);
    }
}
static inline JinjaValue jinja_length(Jinja *j, JinjaValue v) {
    switch (v.type) {
    case JINJA_LIST:
        return jinja_integer((long long)v.count);
    case JINJA_STRING:
        return jinja_integer((long long)jinja_characters(j, v));
    case JINJA_DICT:
        return jinja_integer((long long)v.dict->count);
    case JINJA_UNDEFINED:
        return jinja_integer(0);
    default:
        jinja_fail(j, j->position, "a value that is %s has no length", JINJA_TYPE_NAMES[v.type]);
    }
}
static inline JinjaValue jinja_join_all(Jinja *j, JinjaValue list, JinjaValue separator) {
    JinjaValue joined = jinja_text("");
    list = jinja_iterate(j, list);
    for (size_t i = 0; i < list.count; i++) {
        if (i) { joined = jinja_join(j, joined, separator); }
        joined = jinja_join(j, joined, jinja_show(j, list.items[i]));
    }
    return joined;
}
static inline JinjaValue jinja_filter(Jinja *j, JinjaValue v, const JinjaArguments *arguments) {
    if (jinja_called(arguments, "tojson")) {
        const JinjaValue *indent = jinja_argument(arguments, 0, "indent"), *ascii = jinja_argument(arguments, 1, "ensure_ascii");
        if (arguments->count != !!indent + !!ascii || (indent && indent->type != JINJA_INTEGER && indent->type != JINJA_NONE) || (ascii && jinja_truth(*ascii))) { jinja_fail_arguments(j, arguments); }
        return jinja_to_json(j, v, indent && indent->type == JINJA_INTEGER && indent->integer >= 0 ? indent->integer : -1);
    }
    if (jinja_called(arguments, "default") || jinja_called(arguments, "d")) {
        const JinjaValue *instead = jinja_argument(arguments, 0, "default_value"), *falsy = jinja_argument(arguments, 1, "boolean");
        if (arguments->count != !!instead + !!falsy) { jinja_fail_arguments(j, arguments); }
        bool missing = v.type == JINJA_UNDEFINED || (falsy && jinja_truth(*falsy) && !jinja_truth(v));
        return !missing ? v : instead ? *instead
                                      : jinja_text("");
    }
    if (jinja_called(arguments, "trim")) {
        jinja_want_arguments(j, arguments, 0, 1, JINJA_STRING);
        return jinja_strip(j, jinja_show(j, v), jinja_argument(arguments, 0, "chars"), true, true);
    }
    if (jinja_called(arguments, "join")) {
        jinja_want_arguments(j, arguments, 0, 1, JINJA_STRING);
        return jinja_join_all(j, v, arguments->count ? arguments->values[0] : jinja_text(""));
    }
    if (jinja_called(arguments, "length") || jinja_called(arguments, "count")) {
        jinja_want_arguments(j, arguments, 0, 0, JINJA_UNDEFINED);
        return jinja_length(j, v);
    }
    if (jinja_called(arguments, "string") || jinja_called(arguments, "safe")) {
        jinja_want_arguments(j, arguments, 0, 0, JINJA_UNDEFINED);
        return jinja_show(j, v);
    }
    if (jinja_called(arguments, "items") && (v.type == JINJA_DICT || v.type == JINJA_UNDEFINED)) {
        jinja_want_arguments(j, arguments, 0, 0, JINJA_UNDEFINED);
        return v.type == JINJA_DICT ? jinja_dict_items(j, v.dict) : jinja_list(NULL, 0);
    }
    if (jinja_called(arguments, "list") || jinja_called(arguments, "first") || jinja_called(arguments, "last")) {
        jinja_want_arguments(j, arguments, 0, 0, JINJA_UNDEFINED);
        JinjaValue list = jinja_iterate(j, v);
        if (jinja_called(arguments, "list")) { return list; }
        return list.count ? list.items[jinja_called(arguments, "first") ? 0 : list.count - 1] : jinja_undefined("first or last of nothing", 24);
    }
    jinja_fail(j, j->position, "the filter \"%.*s\" is not supported on a value that is %s", (int)(arguments->name.count < 60 ? arguments->name.count : 60),
               arguments->name.text, JINJA_TYPE_NAMES[v.type]);
}

// ---- tests: value is NAME
static inline bool jinja_test(Jinja *j, JinjaValue v, JinjaValue name) {
#define JINJA_TEST_IS(text) jinja_same_text(name, jinja_text(text))
    if (JINJA_TEST_IS("defined")) { return v.type != JINJA_UNDEFINED; }
    if (JINJA_TEST_IS("undefined")) { return v.type == JINJA_UNDEFINED; }
    if (JINJA_TEST_IS("none")) { return v.type == JINJA_NONE; }
    if (JINJA_TEST_IS("string")) { return v.type == JINJA_STRING; }
    if (JINJA_TEST_IS("true")) { return v.type == JINJA_BOOL && v.integer; }
    if (JINJA_TEST_IS("false")) { return v.type == JINJA_BOOL && !v.integer; }
    if (JINJA_TEST_IS("boolean")) { return v.type == JINJA_BOOL; }
    if (JINJA_TEST_IS("integer")) { return v.type == JINJA_INTEGER; }
    if (JINJA_TEST_IS("float")) { return v.type == JINJA_FLOAT; }
    if (JINJA_TEST_IS("number")) { return jinja_is_number(v); }
    if (JINJA_TEST_IS("mapping")) { return v.type == JINJA_DICT; }
    if (JINJA_TEST_IS("iterable") || JINJA_TEST_IS("sequence")) { return v.type == JINJA_LIST || v.type == JINJA_STRING || v.type == JINJA_DICT || v.type == JINJA_UNDEFINED; }
#undef JINJA_TEST_IS
    jinja_fail(j, j->position, "the test \"%.*s\" is not supported", (int)(name.count < 60 ? name.count : 60), name.text);
}

// ---- methods: value.NAME(arguments)
static inline JinjaValue jinja_string_method(Jinja *j, JinjaValue text, const JinjaArguments *arguments) {
    const JinjaValue *first = arguments->count && arguments->values[0].type != JINJA_NONE ? &arguments->values[0] : NULL;
    bool left = jinja_called(arguments, "lstrip"), right = jinja_called(arguments, "rstrip"), both = jinja_called(arguments, "strip");
    if (left || right || both) {
        jinja_want_arguments(j, arguments, 0, 1, first ? JINJA_STRING : JINJA_UNDEFINED);
        return jinja_strip(j, text, first, left || both, right || both);
    }
    if (jinja_called(arguments, "split")) {
        jinja_want_arguments(j, arguments, 0, 2, first ? JINJA_STRING : JINJA_UNDEFINED);
        if (arguments->count == 2 && arguments->values[1].type != JINJA_INTEGER) { jinja_fail_arguments(j, arguments); }
        return jinja_split(j, text, first, arguments->count == 2 ? arguments->values[1].integer : -1);
    }
    if (jinja_called(arguments, "startswith") || jinja_called(arguments, "endswith")) {
        jinja_want_arguments(j, arguments, 1, 1, JINJA_STRING);
        JinjaValue part = arguments->values[0];
        size_t at = jinja_called(arguments, "endswith") && part.count <= text.count ? text.count - part.count : 0;
        jinja_charge(j, part.count / 16);
        return jinja_bool(part.count <= text.count && !memcmp(text.text + at, part.text, part.count));
    }
    if (jinja_called(arguments, "replace")) {
        jinja_want_arguments(j, arguments, 2, 2, JINJA_STRING);
        if (arguments->values[1].type != JINJA_STRING) { jinja_fail_arguments(j, arguments); }
        return jinja_replace(j, text, arguments->values[0], arguments->values[1]);
    }
    jinja_fail(j, j->position, "the method \"%.*s\" of a string is not supported", (int)(arguments->name.count < 60 ? arguments->name.count : 60), arguments->name.text);
}
static inline JinjaValue jinja_dict_method(Jinja *j, const JinjaDict *dict, const JinjaArguments *arguments) {
    if (jinja_called(arguments, "get")) {
        jinja_want_arguments(j, arguments, 1, 2, JINJA_STRING);
        const JinjaValue *found = jinja_find(j, dict, arguments->values[0]);
        return found ? *found : arguments->count == 2 ? arguments->values[1]
                                                      : jinja_none();
    }
    bool items = jinja_called(arguments, "items"), keys = jinja_called(arguments, "keys");
    if (!items && !keys) {
        jinja_fail(j, j->position, "the method \"%.*s\" of a dict is not supported", (int)(arguments->name.count < 60 ? arguments->name.count : 60), arguments->name.text);
    }
    jinja_want_arguments(j, arguments, 0, 0, JINJA_UNDEFINED);
    return items ? jinja_dict_items(j, dict) : jinja_dict_keys(j, dict);
}
