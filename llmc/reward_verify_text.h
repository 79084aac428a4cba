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
enum { VERIFY_MAX_SPAN = 2000 }; // bytes of a LaTeX span: longer ones are no answers
// A part of the text; `end` is where what marks it ends, 0 when there is none.
typedef struct {
    size_t start, bytes, end;
} VerifyPart;

// The LaTeX span that opens at `at`: $...$, $$...$$, \(...\), \[...\].
static inline VerifyPart verify_span_at(const char *text, size_t bytes, size_t at) {
    static const char *const spans[][2] = {{"$$", "$$"}, {"$", "$"}, {"\\[", "\\]"}, {"\\(", "\\)"}};
    for (int i = 0; i < 4; i++) {
        size_t mark = strlen(spans[i][0]), start = at + mark;
        if (start > bytes || memcmp(text + at, spans[i][0], mark)) { continue; }
        size_t limit = bytes - start > VERIFY_MAX_SPAN ? start + VERIFY_MAX_SPAN : bytes;
        for (size_t end = start; end + mark <= limit; end++) {
            bool escaped = end > start && text[end - 1] == '\\' && mark == 1;
            if (!escaped && !memcmp(text + end, spans[i][1], mark)) { return end > start ? (VerifyPart){start, end - start, end + mark} : (VerifyPart){0}; }
        }
        return (VerifyPart){0};
    }
    return (VerifyPart){0};
}
// The number that begins at `at`: digits with commas and points, or 3/4, with its sign and percent sign. It must stand at
// the start, behind a space, an equals sign, an asterisk or a currency sign.
static inline VerifyPart verify_number_at(const char *text, size_t bytes, size_t at) {
    size_t start = at, end = at + (text[at] == '-');
    if (at > 0 && !(text[at - 1] && strchr(" \n\t=*$(", text[at - 1]))) { return (VerifyPart){0}; }
    if (end >= bytes || !(text_ascii_digit(text[end]) || (text[end] == '.' && end + 1 < bytes && text_ascii_digit(text[end + 1])))) { return (VerifyPart){0}; }
    while (end < bytes && (text_ascii_digit(text[end]) || (text[end] && strchr(".,/", text[end])))) { end++; }
    while (!text_ascii_digit(text[end - 1])) { end--; }
    if (end < bytes && text[end] == '%') { end++; }
    return (VerifyPart){start, end - start, end};
}
static inline void verify_append_part(Buffer *answer, const char *text, VerifyPart part) { buffer_append(answer, text + part.start, part.bytes); }

// The first span and the first number that begin in the `within` bytes from `from` on; of the two, the one that ends last.
static inline VerifyPart verify_first_part(const char *text, size_t bytes, size_t from, size_t within) {
    VerifyPart span = {0}, number = {0};
    for (size_t at = from; at < bytes && at <= from + within && !(span.end && number.end); at++) {
        if (!span.end && (text[at] == '$' || text[at] == '\\')) { span = verify_span_at(text, bytes, at); }
        if (!number.end && (text_ascii_digit(text[at]) || text[at] == '-' || text[at] == '.')) { number = verify_number_at(text, bytes, at); }
    }
    return span.end >= number.end ? span : number;
}
// The part that ends last in the text: a span, a number, or a \frac of two numbers.
static inline VerifyPart verify_last_part(const char *text, size_t bytes) {
    VerifyPart last = {0};
    for (size_t at = 0; at < bytes;) {
        VerifyPart part = {0};
        if (text[at] == '$' || text[at] == '\\') { part = verify_span_at(text, bytes, at); }
        if (!part.end && bytes - at > 6 && !memcmp(text + at, "\\frac{", 6)) {
            size_t end = at + 6;
            int braces = 0;
            for (; end < bytes && braces < 3 && (text_ascii_digit(text[end]) || (text[end] && strchr("-.{}", text[end]))); end++) { braces += text[end] == '{' || text[end] == '}'; }
            size_t start = at - (at > 0 && text[at - 1] == '-');
            if (braces == 3) { part = (VerifyPart){start, end - start, end}; }
        }
        if (!part.end && (text_ascii_digit(text[at]) || text[at] == '-' || text[at] == '.')) { part = verify_number_at(text, bytes, at); }
        if (part.end) { last = part; }
        at = part.end ? part.end : at + 1;
    }
    return last;
}
// Behind the last `phrase`, in any case; SIZE_MAX when it is not there.
static inline size_t verify_behind(const char *text, size_t bytes, const char *phrase) {
    size_t phrase_bytes = strlen(phrase);
    for (size_t at = bytes; at-- > 0;) {
        if (at + phrase_bytes <= bytes && !strncasecmp(text + at, phrase, phrase_bytes)) { return at + phrase_bytes; }
    }
    return SIZE_MAX;
}
// By priority: what follows "final answer is", the last box, what follows "answer", the last LaTeX span or number.
// What lies before </think> is not looked at.
static inline const char *verify_extract(Buffer *answer, const char *text, size_t bytes) {
    size_t thought = verify_behind(text, bytes, "</think>");
    if (thought != SIZE_MAX) { text += thought, bytes -= thought; }
    size_t final = verify_behind(text, bytes, "final answer is");
    while (final < bytes && strchr(": \n", text[final])) { final++; }
    VerifyPart part = final < bytes ? verify_first_part(text, bytes, final, 0) : (VerifyPart){0};
    if (!part.end && verify_extract_boxes(answer, text, bytes)) { return NULL; }
    buffer_clear(answer);
    size_t phrase = part.end ? SIZE_MAX : verify_behind(text, bytes, "answer");
    if (phrase != SIZE_MAX) { part = verify_first_part(text, bytes, phrase, 50); }
    if (!part.end) { part = verify_last_part(text, bytes); }
    verify_append_part(answer, text, part);
    return part.end ? NULL : "no answer";
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
        // Spaces are looked at from their first, so that a long run of them costs no more than a short one.
        size_t comma = here[0] == ',', spaces = *here == ' ' && at > 0 && here[-1] == ' ' ? 0 : strspn(here, " ");
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
    for (size_t i = end > 64 ? end - 64 : 0; i + 1 < end; i++) {
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

static inline void verify_brace_digits(Buffer *text) { // \frac12 -> \frac{1}{2}, \frac123 -> \frac{1}{23}
    Buffer out = {0};
    buffer_append(&out, "", 0);
    for (size_t at = 0; at < text->size;) {
        const char *here = text->data + at, *top = here + 5 + (here[0] && !strncmp(here, "\\frac ", 6));
        if (strncmp(here, "\\frac", 5) || !text_ascii_digit(*top) || !text_ascii_digit(top[1])) {
            buffer_append(&out, here, 1);
            at++;
            continue;
        }
        size_t digits = strspn(top + 1, "0123456789");
        buffer_printf(&out, "\\frac{%c}{%.*s}", *top, (int)digits, top + 1);
        at = (size_t)(top + 1 + digits - text->data);
    }
    buffer_free(text);
    *text = out;
}

static inline void verify_normalize(Buffer *text, const char *answer, size_t bytes) {
    text_assign(text, answer, bytes);
    verify_replace_words(text);
    text_replace(text, "\\(", "(");
    text_replace(text, "\\)", ")");
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
    verify_brace_digits(text);
    if (!strcmp(text->data, "0.5")) { text_assign(text, "\\frac{1}{2}", 11); }
}
