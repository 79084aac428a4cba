// reward_text: what the graders share: code points over untrusted bytes, Python's idea of a space, a digit and a float,
// and search-and-replace. The oracles are Python programs, so "same verdict" starts with "same string functions".
#pragma once
#include <math.h>
#include <utf8proc.h>
#include "llmc/common.h"

// One code point at `at`; a byte that is not UTF-8 counts as one U+FFFD. Returns the bytes read, at least 1 (at < end).
static inline size_t text_decode(int32_t *code, const char *at, const char *end) {
    if (!((unsigned char)*at & 0x80)) {
        *code = (unsigned char)*at;
        return 1;
    }
    utf8proc_ssize_t bytes = utf8proc_iterate((const utf8proc_uint8_t *)at, end - at, code);
    if (bytes <= 0) { *code = 0xFFFD; }
    return bytes <= 0 ? 1 : (size_t)bytes;
}
static inline void text_append_code(Buffer *out, int32_t code) {
    utf8proc_uint8_t bytes[4];
    buffer_append(out, bytes, (size_t)utf8proc_encode_char(code, bytes));
}

static inline bool text_ascii_digit(int32_t c) { return c >= '0' && c <= '9'; }
static inline bool text_is_space(int32_t c) { // str.isspace
    return (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
           c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}
static inline bool text_is_alpha(int32_t c) { // str.isalpha: categories L*
    if (c < 128) { return (c | 32) >= 'a' && (c | 32) <= 'z'; }
    utf8proc_category_t category = utf8proc_category(c);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}
static inline bool text_is_decimal(int32_t c) { // str.isdecimal, and \d in a pattern: category Nd
    return c < 128 ? text_ascii_digit(c) : utf8proc_category(c) == UTF8PROC_CATEGORY_ND;
}
static inline bool text_is_word(int32_t c) { // \w: letters, numbers of any kind, underscore
    if (c < 128) { return text_is_alpha(c) || text_ascii_digit(c) || c == '_'; }
    utf8proc_category_t category = utf8proc_category(c);
    return text_is_alpha(c) || (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
}
static inline int text_decimal_value(int32_t c) { // digits come in runs of ten, their zero first
    if (c < 128) { return c - '0'; }
    if (c >= 0x1D7CE && c <= 0x1D7FF) { return (c - 0x1D7CE) % 10; } // five runs without a gap
    int value = 0;
    while (value < 9 && text_is_decimal(c - value - 1)) { value++; }
    return value;
}

// ---- edits in place
static inline void text_remove(Buffer *text, size_t at, size_t bytes) {
    memmove(text->data + at, text->data + at + bytes, text->size - at - bytes);
    text->size -= bytes;
    text->data[text->size] = 0;
}
// Not inlined: gcc 12 follows impossible sizes into the copy and warns of them.
__attribute__((noinline, unused)) static Buffer text_copy(const char *data, size_t bytes) {
    Buffer copy = {0};
    buffer_append(&copy, data, bytes);
    return copy;
}
__attribute__((noinline, unused)) static void text_assign(Buffer *text, const char *data, size_t bytes) {
    buffer_clear(text);
    buffer_append(text, data, bytes);
}
static inline bool text_contains(const Buffer *text, const char *part) { return memmem(text->data, text->size, part, strlen(part)) != NULL; }

static inline void text_replace(Buffer *text, const char *from, const char *to) { // str.replace
    size_t from_bytes = strlen(from), to_bytes = strlen(to);
    const char *found = (const char *)memmem(text->data, text->size, from, from_bytes);
    if (!found) { return; }
    Buffer out = {0};
    const char *at = text->data, *end = text->data + text->size;
    for (; found; found = (const char *)memmem(at, (size_t)(end - at), from, from_bytes)) {
        buffer_append(&out, at, (size_t)(found - at));
        buffer_append(&out, to, to_bytes);
        at = found + from_bytes;
    }
    buffer_append(&out, at, (size_t)(end - at));
    buffer_free(text);
    *text = out;
}
// Strips spaces off both ends of the part of `text` that begins at `start` (str.strip).
static inline void text_strip_from(Buffer *text, size_t start) {
    const char *end = text->data + text->size, *first = text->data + start, *last = first;
    bool leading = true;
    for (const char *at = first; at < end;) {
        int32_t code;
        size_t bytes = text_decode(&code, at, end);
        at += bytes;
        if (text_is_space(code)) {
            if (leading) { first = last = at; }
        } else {
            leading = false;
            last = at;
        }
    }
    text->size = (size_t)(last - text->data);
    text_remove(text, start, (size_t)(first - (text->data + start)));
}
static inline void text_strip(Buffer *text) {
    if (text->size) { text_strip_from(text, 0); }
}
static inline void text_lower(Buffer *text) { // str.lower, one code point to one
    Buffer out = {0};
    buffer_reserve(&out, text->size);
    out.data[0] = 0;
    const char *end = text->data + text->size;
    for (const char *at = text->data; at < end;) {
        int32_t code;
        size_t bytes = text_decode(&code, at, end);
        int32_t lower = code < 128 ? (code >= 'A' && code <= 'Z' ? code + 32 : code) : utf8proc_tolower(code);
        if (lower == code) {
            buffer_append(&out, at, bytes);
        } else {
            text_append_code(&out, lower);
        }
        at += bytes;
    }
    buffer_free(text);
    *text = out;
}
// If the whole text reads \text{...}, keeps what is inside. A closing newline is allowed and lost, one inside is not.
static inline bool text_unwrap_text_macro(Buffer *text) {
    const char *head = "\\text{";
    size_t start = strlen(head), end = text->size;
    if (end <= start || memcmp(text->data, head, start)) { return false; }
    if (text->data[end - 1] == '\n') { end--; }
    if (text->data[end - 1] != '}' || end - 1 <= start || memchr(text->data + start, '\n', end - 1 - start)) { return false; }
    text->size = end - 1;
    text_remove(text, 0, start);
    return true;
}

// float(text) as Python reads it: spaces around, underscores between digits, digits of any script, inf and nan.
static inline bool text_to_double(double *value, const char *data, size_t size) {
    Buffer plain = text_copy(data, size);
    text_strip(&plain);
    Buffer ascii = {0};
    const char *end = plain.data + plain.size;
    bool ok = plain.size > 0;
    for (const char *at = plain.data; ok && at < end;) {
        int32_t code, next = 0;
        at += text_decode(&code, at, end);
        if (code == '_') {
            if (at < end) { text_decode(&next, at, end); }
            ok = ascii.size && text_ascii_digit(ascii.data[ascii.size - 1]) && at < end && text_is_decimal(next);
            continue;
        }
        char digit = (char)(text_is_decimal(code) ? '0' + text_decimal_value(code) : code);
        ok = text_is_decimal(code) || (code > 0 && code < 128);
        buffer_append(&ascii, &digit, 1);
    }
    const char *s = ok ? ascii.data : "";
    const char *unsigned_part = s + (*s == '+' || *s == '-');
    bool named = !strcasecmp(unsigned_part, "inf") || !strcasecmp(unsigned_part, "infinity") || !strcasecmp(unsigned_part, "nan");
    bool plain_number = (text_ascii_digit(*unsigned_part) || *unsigned_part == '.') && (unsigned_part[1] | 32) != 'x';
    ok = ok && (named || plain_number);
    if (ok) {
        char *stop;
        *value = strtod(s, &stop);
        ok = *stop == 0 && stop != s;
    }
    buffer_free(&plain);
    buffer_free(&ascii);
    return ok;
}
// The integer that a float is within 1e-7 of, if any. Rounds half to even, as Python does; never for inf and nan.
static inline bool text_near_integer(double value) { return isfinite(value) && fabs(value - nearbyint(value)) <= 1e-7; }
static inline void text_assign_integer(Buffer *text, double integral) { // str(int(x)): every digit, no "-0"
    buffer_clear(text);
    buffer_printf(text, "%.0f", integral == 0 ? 0.0 : integral);
}
