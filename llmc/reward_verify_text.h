// reward_verify_text: which part of a text the math_verify grader reads, and the spelling it reads it in: Hugging Face
// Math-Verify 0.9 (its parser.py) with latex2sympy2_extended 1.11 (its math_normalization.py).
#pragma once
#include "llmc/reward_extract.h"

// ---- which part
// The last \boxed{...} or \fbox{...}; boxes just before it (less than 10 characters between) join it with commas.
static inline bool verify_extract_boxes(Buffer *answer, const char *text, size_t bytes) {
    struct {
        size_t start, end;
    } boxes[8];
    int count = 0;
    size_t limit = bytes, last_start = bytes;
    for (size_t at = bytes; at-- > 0 && count < 8;) {
        bool boxed = at + 6 <= limit && !memcmp(text + at, "\\boxed", 6), framed = at + 5 <= limit && !memcmp(text + at, "\\fbox", 5);
        if (!boxed && !framed) { continue; }
        size_t open = at + (boxed ? 6 : 5);
        while (open < limit && text[open] == ' ') { open++; }
        if (open == limit || text[open] != '{') { break; }
        int depth = 0;
        size_t close = open;
        for (; close < limit; close++) {
            depth += (text[close] == '{') - (text[close] == '}');
            if (depth == 0) { break; }
        }
        if (close == limit || (count > 0 && last_start - close - 1 >= 10)) { break; }
        boxes[count].start = open + 1;
        boxes[count++].end = close;
        last_start = limit = at;
    }
    for (int i = count - 1; i >= 0; i--) {
        if (i < count - 1) { buffer_append(answer, ",", 1); }
        buffer_append(answer, text + boxes[i].start, boxes[i].end - boxes[i].start);
    }
    return count > 0;
}
// The last span between `open` and `close` in the text.
static inline bool verify_extract_span(Buffer *answer, const char *text, size_t bytes, const char *open, const char *close) {
    size_t open_bytes = strlen(open), close_bytes = strlen(close);
    for (size_t end = bytes; end-- > 0;) {
        if (end + close_bytes > bytes || memcmp(text + end, close, close_bytes) || (end > 0 && text[end - 1] == '\\')) { continue; }
        for (size_t start = end; start-- > 0;) {
            if (start + open_bytes > end || memcmp(text + start, open, open_bytes)) { continue; }
            buffer_append(answer, text + start + open_bytes, end - start - open_bytes);
            return end > start + open_bytes;
        }
        return false;
    }
    return false;
}
// The last number or slash fraction of the text, thousands' commas dropped.
static inline bool verify_extract_number(Buffer *answer, const char *text, size_t bytes) {
    size_t end = bytes;
    while (end > 0 && !text_ascii_digit(text[end - 1])) { end--; }
    size_t start = end;
    while (start > 0 && (text_ascii_digit(text[start - 1]) || (strchr(".,/", text[start - 1]) && text[start - 1] && start > 1 && text_ascii_digit(text[start - 2])))) { start--; }
    if (start > 0 && text[start - 1] == '.' && start < end) { start--; }
    if (start > 0 && text[start - 1] == '-' && (start == 1 || strchr(" \n(=$", text[start - 2]))) { start--; }
    for (size_t i = start; i < end; i++) {
        if (text[i] != ',') { buffer_append(answer, text + i, 1); }
    }
    if (end < bytes && text[end] == '%') { buffer_append(answer, "%", 1); }
    return start < end;
}
// By priority: the last box, the last LaTeX environment, the last number. What lies before </think> is not looked at.
static inline const char *verify_extract(Buffer *answer, const char *text, size_t bytes) {
    const char *close = "</think>", *end = text + bytes;
    for (const char *at = text; (at = (const char *)memmem(at, (size_t)(end - at), close, strlen(close)));) {
        at += strlen(close);
        text = at;
    }
    bytes = (size_t)(end - text);
    static const char *const spans[][2] = {{"$$", "$$"}, {"\\[", "\\]"}, {"$", "$"}, {"\\(", "\\)"}};
    bool found = verify_extract_boxes(answer, text, bytes);
    for (int i = 0; i < 4 && !found; i++) {
        buffer_clear(answer);
        found = verify_extract_span(answer, text, bytes, spans[i][0], spans[i][1]);
    }
    if (found) { return NULL; }
    buffer_clear(answer);
    return verify_extract_number(answer, text, bytes) ? NULL : "no answer";
}

// ---- in which spelling
static inline bool verify_is_letter(int32_t c) { return c < 128 && text_is_alpha(c); }
static const char *const verify_delimiters[] = {"(", ")", "[", "]", "{", "}", "\\{", "\\}", "|", "\\|", "\\lbrace", "\\rbrace", "\\lbrack", "\\rbrack", "\\vert", "\\lvert", "\\rvert", "\\lceil", "\\rceil", "\\lfloor", "\\rfloor", "\\langle", "\\rangle", "\\lgroup", "\\rgroup"};
// At `at` (which begins with \left or \right, `bytes` long): whether a delimiter follows, so that the word may go.
static inline bool verify_sizes_delimiter(const char *at, size_t bytes) {
    for (size_t i = 0; i < sizeof(verify_delimiters) / sizeof(verify_delimiters[0]); i++) {
        if (!strncmp(at + bytes, verify_delimiters[i], strlen(verify_delimiters[i]))) { return true; }
    }
    return false;
}
// Words replaced where they stand, longest first where one begins another.
static const char *const verify_words[][2] = {{"\\mathrm{th}", ""}, {"\\displaystyle", ""}, {"\\text{percentage}", "%"}, {"\\text{percent}", "%"}, {"\\text{pct}", "%"}, {"\\text{ and }", ","}, {"\\text{and}", ","}, {"\\text{ or }", ","}, {"\\text{or}", ","}, {"\\textnormal", "\\text"}, {"\\textbf", "\\text"}, {"\\textit", "\\text"}, {"\\textrm", "\\text"}, {"\\mathrm", "\\text"}, {"\\mathit", "\\text"}, {"\\mathbf", "\\text"}, {"\\dfrac", "\\frac"}, {"\\tfrac", "\\frac"}, {"\\cfrac", "\\frac"}, {",\\ldots", " "}, {"\\ldots", " "}, {"\\text{}", ""}, {"\\text{ }", ""}, {"\\$", ""}, {"$", ""}, {"{,}", ","}, {"~=", "\\approx"}, {"{.", "{0."}, {" .", " 0."}, {"infinity", "\\infty"}, {" percentage", "\\%"}, {"percentage", "\\%"}, {" percent", "\\%"}, {"percent", "\\%"}, {" pct", "\\%"}, {" sqrt", "\\sqrt"}, {"\n", " "}, {"\t", " "}};

static inline void verify_replace_words(Buffer *text) {
    Buffer out = {0};
    buffer_append(&out, "", 0);
    for (size_t at = 0; at < text->size;) {
        const char *here = text->data + at;
        bool boundary = at == 0 || !verify_is_letter((unsigned char)here[-1]);
        size_t sizing = !strncmp(here, "\\left", 5) ? 5 : !strncmp(here, "\\right", 6) ? 6
                                                                                       : 0;
        if (sizing && verify_sizes_delimiter(here, sizing)) {
            at += sizing;
            continue;
        }
        if (!strncmp(here, "\\!", 2)) {
            for (at += 2; text->data[at] == ' '; at++) {}
            continue;
        }
        if ((*here == '"' || *here == '\'') && (at == 0 || here[-1] != '\\')) {
            at++;
            continue;
        }
        size_t spaces = strspn(here, " "), comma = here[0] == ',';
        const char *word = here + comma + (comma ? strspn(here + 1, " ") : spaces);
        size_t word_bytes = !strncmp(word, "and", 3) ? 3 : !strncmp(word, "or", 2) ? 2
                                                                                   : 0;
        if (word_bytes && (word > here || boundary) && !verify_is_letter((unsigned char)word[word_bytes]) && !(word == here && at > 0 && here[-1] == '\\')) {
            buffer_append(&out, ",", 1);
            at = (size_t)(word + word_bytes - text->data);
            continue;
        }
        bool replaced = false;
        for (size_t i = 0; i < sizeof(verify_words) / sizeof(verify_words[0]) && !replaced; i++) {
            size_t bytes = strlen(verify_words[i][0]);
            replaced = !strncmp(here, verify_words[i][0], bytes);
            if (!replaced) { continue; }
            buffer_append_text(&out, verify_words[i][1]);
            at += bytes;
        }
        if (replaced) { continue; }
        if (!strncmp(here, "inf", 3) && strncmp(here, "infinity", 8) && (at == 0 || here[-1] != '\\')) {
            buffer_append_text(&out, "\\infty");
            at += 3;
            continue;
        }
        buffer_append(&out, here, 1);
        at++;
    }
    buffer_free(text);
    *text = out;
}

// The words that count as units behind a digit, a brace or a space at the end of an answer; single letters among them, so
// that "3 m" is 3 (and so is "3t": the original's rule).
static const char *const verify_units[] = {"feet", "sue", "digit", "pound", "meal", "edge", "student", "multiple", "east", "degree", "mph", "kmph", "ft", "m square", "sq m", "deg", "mile", "monkey", "prime", "ratio", "rd", "o", "gm", "lb", "tile", "per", "dm", "lt", "gain", "ab", "way", "west", "t", "h", "no change", "men", "soldier", "pie", "bc", "excess", "st", "inches", "noon", "cent", "by", "gal", "kmh", "c", "acre", "rise", "th", "sq", "mark", "l", "toy", "coin", "gallon", "profit", "minw", "yr", "women", "am", "pm", "hr", "cu cm", "square", "are", "rupee", "rounds", "cubic", "cc", "mtr", "s", "ohm", "number", "day", "hour", "minute", "min", "second", "man", "woman", "sec", "cube", "mt", "sq inch", "mp", "hectare", "more", "unit", "cm 2", "rs", "kg", "g", "month", "km", "m", "cm", "mm", "apple", "liter", "loss", "yard", "pure", "year", "increase", "decrease", "d", "less", "Surface", "litre", "pi sq m", "metre", "meter", "inch"};
static inline void verify_drop_unit(Buffer *text) {
    size_t end = text->size;
    while (end > 0 && text->data[end - 1] == ' ') { end--; }
    for (size_t i = 0; i + 1 < end; i++) {
        char c = text->data[i];
        if (!text_ascii_digit(c) && c != '}' && c != ' ') { continue; }
        size_t start = i + 1;
        while (start < end && text->data[start] == ' ') { start++; }
        size_t left = end - start;
        if (left == 0 || left > 20) { continue; } // longer than any unit
        for (size_t u = 0; u < sizeof(verify_units) / sizeof(verify_units[0]); u++) {
            size_t bytes = strlen(verify_units[u]);
            if (bytes > left || memcmp(text->data + start, verify_units[u], bytes)) { continue; }
            const char *plural = text->data + start + bytes;
            size_t rest = left - bytes;
            if (rest == 0 || (rest == 1 && *plural == 's') || (rest == 2 && !memcmp(plural, "es", 2))) {
                text->size = i + 1;
                text->data[text->size] = 0;
                return;
            }
        }
    }
}
// "3\text{ cm}^2" -> "3": from the first \text{ or \mbox{ when the answer ends in its brace or a power of it.
static inline void verify_drop_text_unit(Buffer *text) {
    const char *first = strstr(text->data, "\\text{"), *box = strstr(text->data, "\\mbox{");
    if (!first || (box && box < first)) { first = box; }
    size_t end = text->size;
    if (!first || end == 0) { return; }
    if (end > 2 && text->data[end - 2] == '^' && text_ascii_digit(text->data[end - 1])) { end -= 2; }
    if (end > 4 && !memcmp(text->data + end - 4, "{^", 2) && text_ascii_digit(text->data[end - 2])) { end -= 4; }
    const char *kept = first;
    while (kept > text->data && kept[-1] == ' ') { kept--; }
    if (text->data[end - 1] != '}' || kept == text->data) { return; }
    text->size = (size_t)(kept - text->data);
    text->data[text->size] = 0;
}

static inline void verify_normalize(Buffer *text, const char *answer, size_t bytes) {
    text_assign(text, answer, bytes);
    verify_replace_words(text);
    if (!strstr(text->data, "matrix")) {
        Buffer out = {0};
        buffer_append(&out, "", 0);
        for (size_t i = 0; i < text->size; i++) { // "\\frac" -> "\frac"
            if (text->data[i] == '\\' && text->data[i + 1] == '\\' && verify_is_letter((unsigned char)text->data[i + 2])) { i++; }
            buffer_append(&out, text->data + i, 1);
        }
        buffer_free(text);
        *text = out;
    }
    text_strip(text);
    verify_drop_text_unit(text);
    verify_drop_unit(text);
    verify_drop_unit(text);
    text_strip(text);
    if (text->size && text->data[0] == '.') {
        buffer_append(text, "0", 1);
        memmove(text->data + 1, text->data, text->size - 1);
        text->data[0] = '0';
    }
    if (!strcmp(text->data, "0.5")) { text_assign(text, "\\frac{1}{2}", 11); }
}
