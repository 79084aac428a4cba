// reward_mathd: the answer normalisation of the MATH data set's evaluation (Hendrycks et al., "Measuring Mathematical
// Problem Solving With the MATH Dataset", 2021), step by step in its own order, quirks included: where the original
// raises an exception half-way, the answer stays as it was.
#pragma once
#include "llmc/reward_text.h"

// Puts braces around single-character arguments: \frac12 -> \frac{1}{2}, \frac1{72} -> \frac{1}{72}.
// False where the original fails: nothing behind a \frac.
static inline bool mathd_brace_fractions(Buffer *text) {
    const char *macro = "\\frac";
    const char *found = (const char *)memmem(text->data, text->size, macro, 5);
    if (!found) { return true; }
    Buffer out = {0};
    const char *at = text->data, *end = text->data + text->size;
    bool ok = true, keep = false;
    buffer_append(&out, at, (size_t)(found - at));
    while (found && ok && !keep) {
        at = found + 5;
        found = (const char *)memmem(at, (size_t)(end - at), macro, 5);
        const char *piece_end = found ? found : end;
        buffer_append(&out, macro, 5);
        ok = at < piece_end;
        if (!ok || *at == '{') {
            buffer_append(&out, at, (size_t)(piece_end - at));
            continue;
        }
        int32_t code;
        size_t first = text_decode(&code, at, piece_end);
        const char *second = at + first;
        keep = second == piece_end; // a single character: the whole text is left alone
        if (keep) { break; }
        size_t second_bytes = text_decode(&code, second, piece_end);
        buffer_printf(&out, "{%.*s}", (int)first, at);
        if (*second == '{') {
            buffer_append(&out, second, (size_t)(piece_end - second));
        } else {
            buffer_printf(&out, "{%.*s}", (int)second_bytes, second);
            buffer_append(&out, second + second_bytes, (size_t)(piece_end - second - (ptrdiff_t)second_bytes));
        }
    }
    if (ok && !keep) {
        buffer_free(text);
        *text = out;
    } else {
        buffer_free(&out);
    }
    return ok;
}

static inline bool mathd_brace_roots(Buffer *text) { // \sqrt3 -> \sqrt{3}; false where the original fails: nothing behind a \sqrt
    const char *macro = "\\sqrt", *at = text->data, *end = text->data + text->size, *found;
    Buffer out = {0};
    bool ok = true;
    while (ok && (found = (const char *)memmem(at, (size_t)(end - at), macro, 5))) {
        const char *argument = found + 5;
        buffer_append(&out, at, (size_t)(argument - at));
        at = argument;
        ok = at < end && strncmp(at, macro, 5) != 0;
        if (ok && *at != '{') {
            int32_t code;
            size_t bytes = text_decode(&code, at, end);
            buffer_printf(&out, "{%.*s}", (int)bytes, at);
            at += bytes;
        }
    }
    buffer_append(&out, at, (size_t)(end - at));
    buffer_free(text);
    *text = out;
    return ok;
}

static inline bool mathd_plain_integer(const char *data, size_t size) { // an integer spelled as Python would print it
    size_t sign = size && *data == '-';
    if (size == sign || (data[sign] == '0' && size > 1)) { return false; }
    for (size_t i = sign; i < size; i++) {
        if (!text_ascii_digit(data[i])) { return false; }
    }
    return size - sign <= 4300; // Python refuses to read more digits than that
}
static inline void mathd_fraction_from_slash(Buffer *text) { // 3/4 -> \frac{3}{4}
    const char *slash = (const char *)memchr(text->data, '/', text->size);
    if (!slash) { return; }
    size_t left = (size_t)(slash - text->data), right = text->size - left - 1;
    if (!mathd_plain_integer(text->data, left) || !mathd_plain_integer(slash + 1, right)) { return; }
    Buffer out = {0};
    buffer_printf(&out, "\\frac{%.*s}{%s}", (int)left, text->data, slash + 1);
    buffer_free(text);
    *text = out;
}

static inline size_t mathd_count(const Buffer *text, const char *part, size_t *first) { // first: byte offset of the first one
    size_t count = 0, bytes = strlen(part);
    const char *at = text->data, *end = text->data + text->size;
    for (; (at = (const char *)memmem(at, (size_t)(end - at), part, bytes)); at += bytes) {
        if (count++ == 0) { *first = (size_t)(at - text->data); }
    }
    return count;
}

static inline bool mathd_strip_string(Buffer *text) { // false: the original would have raised
    static const char *const replaced[][2] = {{"\n", ""}, {"\\!", ""}, {"\\\\", "\\"}, {"tfrac", "frac"}, {"dfrac", "frac"}, {"\\left", ""}, {"\\right", ""}, {"^{\\circ}", ""}, {"^\\circ", ""}, {"\\$", ""}};
    for (size_t i = 0; i < sizeof(replaced) / sizeof(replaced[0]); i++) { text_replace(text, replaced[i][0], replaced[i][1]); }
    size_t unit = 0, units = mathd_count(text, "\\text{ ", &unit);
    if (units > 1) { return false; }
    if (units == 1) { text_remove(text, unit, text->size - unit); }
    text_replace(text, "\\%", "");
    text_replace(text, " .", " 0.");
    text_replace(text, "{.", "{0.");
    if (text->size == 0) { return true; }
    if (text->data[0] == '.') {
        buffer_append(text, "0", 1);
        memmove(text->data + 1, text->data, text->size - 1);
        text->data[0] = '0';
    }
    size_t equals = 0;
    if (mathd_count(text, "=", &equals) == 1) { // "k = 5": a left side of at most two characters goes
        size_t characters = 0;
        for (size_t i = 0; i < equals; i++) { characters += ((unsigned char)text->data[i] & 0xC0) != 0x80; }
        if (characters <= 2) { text_remove(text, 0, equals + 1); }
    }
    if (!mathd_brace_roots(text)) { return false; }
    text_replace(text, " ", "");
    if (!mathd_brace_fractions(text)) { return false; }
    if (text->size == 3 && !memcmp(text->data, "0.5", 3)) { text_assign(text, "\\frac{1}{2}", 11); }
    mathd_fraction_from_slash(text);
    return true;
}

static inline void mathd_normalize(Buffer *out, const char *answer, size_t bytes) {
    text_assign(out, answer, bytes);
    text_strip(out);
    if (text_unwrap_text_macro(out)) { text_strip(out); }
    Buffer stripped = text_copy(out->data, out->size);
    bool ok = mathd_strip_string(&stripped);
    Buffer *dropped = ok ? out : &stripped;
    buffer_free(dropped);
    if (ok) { *out = stripped; }
}
