// text: other people's bytes inside our JSON and HTML. Model output may break off inside a character: what is not UTF-8 becomes U+FFFD.
#pragma once
#include "llmc/unicode.h"

// As a JSON string with its quotes.
static inline void text_append_json(Buffer *out, const char *text, size_t bytes) {
    buffer_append_text(out, "\"");
    for (size_t at = 0, start = 0; at < bytes; start = at) {
        int character = utf8_next(text, bytes, &at);
        if (character < 0) {
            buffer_append_text(out, "\\ufffd");
        } else if (character < 0x20) {
            buffer_printf(out, "\\u%04x", (unsigned)character);
        } else {
            if (character == '"' || character == '\\') { buffer_append_text(out, "\\"); }
            buffer_append(out, text + start, at - start);
        }
    }
    buffer_append_text(out, "\"");
}
// As the text of an HTML element or attribute.
static inline void text_append_html(Buffer *out, const char *text, size_t bytes) {
    for (size_t at = 0, start = 0; at < bytes; start = at) {
        int character = utf8_next(text, bytes, &at);
        const char *entity = character == '&' ? "&amp;" : character == '<' ? "&lt;"
                                                      : character == '>'   ? "&gt;"
                                                      : character == '"'   ? "&quot;"
                                                                           : NULL;
        if (character < 0 || (character < 0x20 && character != '\n' && character != '\t')) { entity = "\xEF\xBF\xBD"; }
        if (entity) {
            buffer_append_text(out, entity);
        } else {
            buffer_append(out, text + start, at - start);
        }
    }
}
// The middle left out where the text is longer than `most` bytes; never inside a character of valid UTF-8.
static inline void text_append_shortened(Buffer *out, const char *text, size_t bytes, size_t most) {
    if (bytes <= most) {
        buffer_append(out, text, bytes);
        return;
    }
    size_t head = most / 2, tail = bytes - most / 2;
    while (head > 0 && ((unsigned char)text[head] & 0xC0) == 0x80) { head--; }
    while (tail < bytes && ((unsigned char)text[tail] & 0xC0) == 0x80) { tail++; }
    buffer_append(out, text, head);
    buffer_printf(out, " [.. %zu bytes ..] ", tail - head);
    buffer_append(out, text + tail, bytes - tail);
}
