// jinja_value: what the template interpreter of jinja.h computes with, and where it keeps it.
//
// All memory of a rendering lies in one arena, and every failure jumps back to jinja_render, which frees the arena: so the
// stages between need no error paths, and nothing leaks. Values never change once made, except namespaces and `loop`.
#pragma once
#include <setjmp.h>
#include "json.h"
#include "unicode.h"

enum { JINJA_MAX_DEPTH = 200,        // nesting of the template
       JINJA_MAX_NESTING = 2500,     // nesting of a value: above what jansson accepts in a file
       JINJA_MAX_STEPS = 20000000,   // nodes evaluated, names looked up, list items and 16s of bytes passed over
       JINJA_MAX_OUTPUT = 64 << 20,  // bytes
       JINJA_MAX_MEMORY = 256 << 20, // bytes
       JINJA_BLOCK_BYTES = 1 << 16 };

typedef enum { JINJA_UNDEFINED,
               JINJA_NONE,
               JINJA_BOOL,
               JINJA_INTEGER,
               JINJA_FLOAT,
               JINJA_STRING,
               JINJA_LIST,
               JINJA_DICT,
               JINJA_NAMESPACE,
               JINJA_FUNCTION } JinjaType;
static const char *const JINJA_TYPE_NAMES[] = {"undefined", "none", "boolean", "integer", "float", "string", "list", "dict", "namespace", "function"};

typedef struct JinjaValue {
    JinjaType type;
    size_t count; // string: bytes; list: items
    union {
        long long integer;              // also boolean
        double number;                  // float
        const char *text;               // string; undefined, function: its name; not NUL-terminated
        const struct JinjaValue *items; // list
        struct JinjaDict *dict;         // dict, namespace
    };
} JinjaValue;
typedef struct {
    JinjaValue key, value;
} JinjaPair;
typedef struct JinjaDict { // in order of insertion; walked to find a key: messages have few
    JinjaPair *pairs;
    size_t count, capacity;
} JinjaDict;

typedef struct JinjaBlock {
    struct JinjaBlock *older;
    size_t used, size;
    _Alignas(16) char data[];
} JinjaBlock;
typedef struct JinjaVariable {
    JinjaValue name, value;
    struct JinjaVariable *older;
} JinjaVariable;

typedef struct {
    const char *name, *source; // of the template; the source with line ends as \n and without its last one
    size_t size;
    Error *error;
    jmp_buf failed;
    JinjaBlock *blocks;
    size_t memory, steps;
    // parsing
    size_t at;
    int depth, brackets;
    struct JinjaToken {
        int kind;
        size_t start, end;
    } token;
    // evaluating
    size_t position;                  // of the node at work, for messages
    JinjaVariable *variables, *frame; // newest first; the frame's own are those before `frame`
    Buffer *out;
    size_t out_start;
} Jinja;

// Ends the rendering with "NAME line 3, column 7: ...". Columns count characters.
__attribute__((format(printf, 3, 4), noreturn)) static inline void jinja_fail(Jinja *j, size_t position, const char *format, ...) {
    char what[800];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    what[utf8_valid_length(what, strlen(what))] = 0; // the cut may have gone through a character
    int line = 1, column = 1;
    for (size_t i = 0; i < position && i < j->size; i++) {
        line += j->source[i] == '\n';
        column = j->source[i] == '\n' ? 1 : column + (((unsigned char)j->source[i] & 0xC0) != 0x80);
    }
    error_set(j->error, "%.150s line %d, column %d: %s", j->name, line, column, what);
    longjmp(j->failed, 1);
}
static inline void jinja_charge(Jinja *j, size_t steps) {
    j->steps += steps;
    if (j->steps > JINJA_MAX_STEPS) { jinja_fail(j, j->position, "the template takes more than %d steps", JINJA_MAX_STEPS); }
}
static inline void *jinja_alloc(Jinja *j, size_t bytes) { // zeroed
    bytes = (bytes + 15) / 16 * 16;
    if (!j->blocks || j->blocks->size - j->blocks->used < bytes) {
        size_t size = bytes > JINJA_BLOCK_BYTES ? bytes : JINJA_BLOCK_BYTES;
        j->memory += size;
        if (bytes > JINJA_MAX_MEMORY || j->memory > JINJA_MAX_MEMORY) { jinja_fail(j, j->position, "the template takes more than %d MiB of memory", JINJA_MAX_MEMORY >> 20); }
        JinjaBlock *block = (JinjaBlock *)host_alloc(sizeof(JinjaBlock) + size);
        block->older = j->blocks;
        block->size = size;
        j->blocks = block;
    }
    void *memory = j->blocks->data + j->blocks->used;
    j->blocks->used += bytes;
    return memory;
}
static inline void jinja_free(Jinja *j) {
    for (JinjaBlock *block = j->blocks, *older; block; block = older) {
        older = block->older;
        free(block);
    }
    j->blocks = NULL;
}

// ---- making values
static inline JinjaValue jinja_none(void) { return (JinjaValue){.type = JINJA_NONE}; }
static inline JinjaValue jinja_undefined(const char *name, size_t bytes) { return (JinjaValue){.type = JINJA_UNDEFINED, .text = name, .count = bytes}; }
static inline JinjaValue jinja_bool(bool value) { return (JinjaValue){.type = JINJA_BOOL, .integer = value}; }
static inline JinjaValue jinja_integer(long long value) { return (JinjaValue){.type = JINJA_INTEGER, .integer = value}; }
static inline JinjaValue jinja_string(const char *text, size_t bytes) { return (JinjaValue){.type = JINJA_STRING, .text = text, .count = bytes}; }
static inline JinjaValue jinja_text(const char *text) { return jinja_string(text, strlen(text)); }
static inline JinjaValue jinja_list(const JinjaValue *items, size_t count) { return (JinjaValue){.type = JINJA_LIST, .items = items, .count = count}; }
static inline JinjaValue *jinja_items(Jinja *j, size_t count) { // room for a list
    if (count > JINJA_MAX_MEMORY / sizeof(JinjaValue)) { jinja_fail(j, j->position, "a list of %zu items is too long", count); }
    jinja_charge(j, count);
    return (JinjaValue *)jinja_alloc(j, count * sizeof(JinjaValue));
}
static inline JinjaValue jinja_copy(Jinja *j, const char *text, size_t bytes) {
    char *copy = (char *)jinja_alloc(j, bytes);
    if (bytes) { memcpy(copy, text, bytes); }
    return jinja_string(copy, bytes);
}
static inline JinjaValue jinja_join(Jinja *j, JinjaValue a, JinjaValue b) {
    char *text = (char *)jinja_alloc(j, a.count + b.count);
    if (a.count) { memcpy(text, a.text, a.count); }
    if (b.count) { memcpy(text + a.count, b.text, b.count); }
    return jinja_string(text, a.count + b.count);
}

// ---- dicts
static inline bool jinja_same_text(JinjaValue a, JinjaValue b) { return a.count == b.count && !memcmp(a.text, b.text, a.count); }
static inline JinjaValue *jinja_find(Jinja *j, const JinjaDict *dict, JinjaValue key) { // or NULL
    jinja_charge(j, 1 + dict->count / 4);
    for (size_t i = 0; i < dict->count; i++) {
        if (jinja_same_text(dict->pairs[i].key, key)) { return &dict->pairs[i].value; }
    }
    return NULL;
}
static inline void jinja_append_pair(Jinja *j, JinjaDict *dict, JinjaValue key, JinjaValue value) { // the key is new
    if (dict->count == dict->capacity) {
        dict->capacity = dict->capacity ? 2 * dict->capacity : 8;
        JinjaPair *pairs = (JinjaPair *)jinja_alloc(j, dict->capacity * sizeof(JinjaPair));
        if (dict->count) { memcpy(pairs, dict->pairs, dict->count * sizeof(JinjaPair)); }
        dict->pairs = pairs;
    }
    dict->pairs[dict->count++] = (JinjaPair){key, value};
}
static inline void jinja_put(Jinja *j, JinjaDict *dict, JinjaValue key, JinjaValue value) {
    JinjaValue *found = jinja_find(j, dict, key);
    if (found) {
        *found = value;
    } else {
        jinja_append_pair(j, dict, key, value);
    }
}
static inline JinjaValue jinja_dict_new(Jinja *j, JinjaType type) {
    return (JinjaValue){.type = type, .dict = (JinjaDict *)jinja_alloc(j, sizeof(JinjaDict))};
}

// The value of a piece of JSON, whose strings it points into: the JSON must outlive the rendering.
static inline JinjaValue jinja_from_json(Jinja *j, const json_t *json, int nesting) {
    if (nesting > JINJA_MAX_NESTING) { jinja_fail(j, 0, "a variable is nested deeper than %d", JINJA_MAX_NESTING); }
    switch (json_typeof(json)) {
    case JSON_NULL:
        return jinja_none();
    case JSON_TRUE:
    case JSON_FALSE:
        return jinja_bool(json_is_true(json));
    case JSON_INTEGER:
        return jinja_integer(json_integer_value(json));
    case JSON_REAL:
        return (JinjaValue){.type = JINJA_FLOAT, .number = json_real_value(json)};
    case JSON_STRING:
        return jinja_string(json_string_value(json), json_string_length(json));
    case JSON_ARRAY: {
        size_t count = json_array_size(json);
        JinjaValue *items = jinja_items(j, count);
        for (size_t i = 0; i < count; i++) { items[i] = jinja_from_json(j, json_array_get(json, i), nesting + 1); }
        return jinja_list(items, count);
    }
    default:
        break;
    }
    JinjaValue dict = jinja_dict_new(j, JINJA_DICT);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)json, key, value) { jinja_append_pair(j, dict.dict, jinja_text(key), jinja_from_json(j, value, nesting + 1)); }
    return dict;
}

// ---- asking values, by Python's rules
static inline bool jinja_truth(JinjaValue v) {
    switch (v.type) {
    case JINJA_UNDEFINED:
    case JINJA_NONE:
        return false;
    case JINJA_BOOL:
    case JINJA_INTEGER:
        return v.integer != 0;
    case JINJA_FLOAT:
        return v.number != 0;
    case JINJA_STRING:
    case JINJA_LIST:
        return v.count != 0;
    case JINJA_DICT:
        return v.dict->count != 0;
    default:
        return true;
    }
}
static inline bool jinja_is_number(JinjaValue v) { return v.type == JINJA_BOOL || v.type == JINJA_INTEGER || v.type == JINJA_FLOAT; }
static inline double jinja_number(JinjaValue v) { return v.type == JINJA_FLOAT ? v.number : (double)v.integer; }

static inline bool jinja_equal(Jinja *j, JinjaValue a, JinjaValue b, int nesting) {
    if (nesting > JINJA_MAX_NESTING) { jinja_fail(j, j->position, "values nested deeper than %d cannot be compared", JINJA_MAX_NESTING); }
    jinja_charge(j, 1);
    if (jinja_is_number(a) && jinja_is_number(b)) {
        return a.type == JINJA_FLOAT || b.type == JINJA_FLOAT ? jinja_number(a) == jinja_number(b) : a.integer == b.integer;
    }
    if (a.type != b.type) { return false; }
    switch (a.type) {
    case JINJA_STRING:
        jinja_charge(j, a.count / 16);
        return jinja_same_text(a, b);
    case JINJA_LIST:
        for (size_t i = 0; i < a.count && a.count == b.count; i++) {
            if (!jinja_equal(j, a.items[i], b.items[i], nesting + 1)) { return false; }
        }
        return a.count == b.count;
    case JINJA_DICT:
        for (size_t i = 0; i < a.dict->count && a.dict->count == b.dict->count; i++) {
            const JinjaValue *other = jinja_find(j, b.dict, a.dict->pairs[i].key);
            if (!other || !jinja_equal(j, a.dict->pairs[i].value, *other, nesting + 1)) { return false; }
        }
        return a.dict->count == b.dict->count;
    case JINJA_NAMESPACE:
        return a.dict == b.dict;
    case JINJA_FUNCTION:
        return jinja_same_text(a, b);
    default:
        return true; // undefined and none equal their like
    }
}
// Less, equal, greater as -1, 0, 1 for numbers and for strings (whose bytes order as their code points do).
static inline int jinja_order(Jinja *j, JinjaValue a, JinjaValue b) {
    if (jinja_is_number(a) && jinja_is_number(b)) {
        double x = jinja_number(a), y = jinja_number(b);
        if (a.type != JINJA_FLOAT && b.type != JINJA_FLOAT) { return (a.integer > b.integer) - (a.integer < b.integer); }
        return (x > y) - (x < y);
    }
    if (a.type != JINJA_STRING || b.type != JINJA_STRING) {
        jinja_fail(j, j->position, "%s and %s cannot be ordered", JINJA_TYPE_NAMES[a.type], JINJA_TYPE_NAMES[b.type]);
    }
    size_t common = a.count < b.count ? a.count : b.count;
    jinja_charge(j, common / 16);
    int order = common ? memcmp(a.text, b.text, common) : 0;
    return order ? (order > 0) - (order < 0) : (a.count > b.count) - (a.count < b.count);
}
