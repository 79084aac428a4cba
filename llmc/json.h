// json: jansson behind our error rule. Objects keep the order of their keys; a duplicate key is an error.
#pragma once
#include <jansson.h>
#include "common.h"

// `what` names the text in errors: a path, or "line 12 of data.jsonl".
static inline json_t *json_parse(const char *text, size_t bytes, const char *what, Error *error) {
    json_error_t found;
    json_t *json = json_loadb(text, bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &found);
    if (!json) { error_set(error, "%s: not valid JSON at line %d, column %d: %s", what, found.line, found.column, found.text); }
    return json;
}
static inline json_t *json_read(const char *path, Error *error) {
    Buffer buffer = {0};
    json_t *json = file_read(path, &buffer, error) ? json_parse(buffer.data, buffer.size, path, error) : NULL;
    buffer_free(&buffer);
    return json;
}
static inline bool json_write(const char *path, const json_t *json, Error *error) { // atomic, indented, ends in a newline
    char *text = json_dumps(json, JSON_INDENT(2) | JSON_ENCODE_ANY);
    if (!text) { return error_set(error, "%s: the value cannot be written as JSON", path); }
    Buffer buffer = {0};
    buffer_append_text(&buffer, text);
    buffer_append_text(&buffer, "\n");
    free(text);
    bool ok = file_write_atomic(path, buffer.data, buffer.size, error);
    buffer_free(&buffer);
    return ok;
}
