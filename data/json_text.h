// json_text: a JSON value as one line of text, several times faster than jansson's own printer, and with numbers as short as they can be.
#pragma once
#include <float.h>
#include <math.h>
#include "llmc/json.h"

// Python's repr(float): the fewest digits that read back as the same number; exponents from 1e16 and below 1e-4. For finite numbers.
static inline void number_text(char out[40], double number) {
    char digits[40];
    int precision = fabs(number) < DBL_MIN ? 0 : 14; // up to 15 digits come back as they were, save in the denormal numbers
    do { snprintf(digits, sizeof(digits), "%.*e", precision, number); } while (strtod(digits, NULL) != number && ++precision < 17);
    const char *mark = strchr(digits, 'e');
    int exponent = atoi(mark + 1);
    while (precision > 0 && *--mark == '0') { precision--; }
    if (exponent >= -4 && exponent < 16) {
        snprintf(out, 40, "%.*f", precision > exponent ? precision - exponent : 1, number);
    } else {
        snprintf(out, 40, "%.*e", precision, number);
    }
}
// In quotes; UTF-8 as it is, what JSON forbids escaped.
static inline void json_append_string(Buffer *out, const char *text, size_t bytes) {
    static const char names[] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't', ['"'] = '"', ['\\'] = '\\'};
    size_t plain = 0; // bytes of text[plain .. i) stand for themselves
    buffer_append(out, "\"", 1);
    for (size_t i = 0; i < bytes; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte >= 32 && byte != '"' && byte != '\\') { continue; }
        buffer_append(out, text + plain, i - plain);
        if (names[byte]) {
            const char escape[2] = {'\\', names[byte]};
            buffer_append(out, escape, 2);
        } else {
            buffer_printf(out, "\\u%04x", byte);
        }
        plain = i + 1;
    }
    buffer_append(out, text + plain, bytes - plain);
    buffer_append(out, "\"", 1);
}
// Compact, in the order of the keys. The value must not hold itself.
static inline void json_append(Buffer *out, const json_t *json) {
    char number[40];
    const char *key, *separator = "";
    json_t *value;
    size_t i, key_bytes;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        buffer_append(out, "{", 1);
        json_object_keylen_foreach((json_t *)(uintptr_t)json, key, key_bytes, value) {
            buffer_append_text(out, separator);
            json_append_string(out, key, key_bytes);
            buffer_append(out, ":", 1);
            json_append(out, value);
            separator = ",";
        }
        buffer_append(out, "}", 1);
        break;
    case JSON_ARRAY:
        buffer_append(out, "[", 1);
        json_array_foreach(json, i, value) {
            buffer_append_text(out, separator);
            json_append(out, value);
            separator = ",";
        }
        buffer_append(out, "]", 1);
        break;
    case JSON_STRING:
        json_append_string(out, json_string_value(json), json_string_length(json));
        break;
    case JSON_INTEGER:
        buffer_printf(out, "%lld", (long long)json_integer_value(json));
        break;
    case JSON_REAL:
        number_text(number, json_real_value(json));
        buffer_append_text(out, number);
        break;
    case JSON_TRUE:
        buffer_append(out, "true", 4);
        break;
    case JSON_FALSE:
        buffer_append(out, "false", 5);
        break;
    case JSON_NULL:
        buffer_append(out, "null", 4);
        break;
    }
}
