// reward_normalize: the normal form in which DeepScaleR's grader compares two answers before it asks a computer algebra
// system (its math_utils/utils.py, which descends from the grader of PRM800K: Lightman et al., "Let's Verify Step by
// Step", 2023), and the rules that decide which pairs may be compared as expressions at all.
#pragma once
#include "llmc/reward_latex_text.h"

// Drops every `head` with what belongs to it: `match` says where that ends, given the place behind the head, or NULL when this
// head stays. The text is NUL-terminated, so that looking ahead is safe.
static inline void normalize_drop(Buffer *text, const char *head, const char *(*match)(const char *behind)) {
    size_t head_bytes = strlen(head), kept = 0;
    const char *at = text->data, *end = at + text->size, *found;
    if (!memmem(at, text->size, head, head_bytes)) { return; }
    while ((found = (const char *)memmem(at, (size_t)(end - at), head, head_bytes))) {
        const char *next = match(found + head_bytes);
        size_t piece = (size_t)(found - at) + (next ? 0 : head_bytes);
        memmove(text->data + kept, at, piece);
        kept += piece;
        at = next ? next : found + head_bytes;
    }
    memmove(text->data + kept, at, (size_t)(end - at));
    text->size = kept + (size_t)(end - at);
    text->data[text->size] = 0;
}
static inline const char *normalize_match_spaces(const char *at) { return at + strspn(at, " "); } // ",\! "
static inline const char *normalize_match_circle(const char *at) {                                // "^ \circ"
    at = normalize_match_spaces(at);
    return strncmp(at, "\\circ", 5) ? NULL : at + 5;
}
static inline const char *normalize_match_unit(const char *at) { // "unit", "units", "unites", with a power behind it: "3 cm^2" -> "3 "
    if (at[0] == 'e' && at[1] == 's') { at += 2; }
    at += *at == 's';
    at = normalize_match_spaces(at);
    return *at == '^' && text_ascii_digit(at[1]) ? at + 1 + strspn(at + 1, "0123456789") : at;
}
static inline void normalize_join_minus(Buffer *text) { // "- 3" -> "-3"
    size_t kept = 0;
    for (size_t i = 0; i < text->size; i++) {
        text->data[kept++] = text->data[i];
        if (text->data[i] == '-') {
            while (i + 1 < text->size && text->data[i + 1] == ' ') { i++; }
        }
    }
    text->size = kept;
    text->data[kept] = 0;
}
// A mixed number becomes a sum: "7 3/4" -> "7+3/4". A digit takes part in one replacement at most, as in a regex.
static inline void normalize_mixed_numbers(Buffer *text) {
    size_t kept = 0;
    for (size_t i = 0; i < text->size; i++) {
        text->data[kept++] = text->data[i];
        if (!text_ascii_digit(text->data[i]) || i + 1 >= text->size || text->data[i + 1] != ' ') { continue; }
        size_t next = i + 1;
        while (next < text->size && text->data[next] == ' ') { next++; }
        if (next == text->size || !text_ascii_digit(text->data[next])) { continue; }
        text->data[kept++] = '+';
        text->data[kept++] = text->data[next];
        i = next;
    }
    text->size = kept;
    text->data[kept] = 0;
}
static inline void normalize_drop_characters(Buffer *text, const char *unwanted) {
    size_t kept = 0;
    for (size_t i = 0; i < text->size; i++) {
        if (text->data[i] == 0 || !strchr(unwanted, text->data[i])) { text->data[kept++] = text->data[i]; }
    }
    text->size = kept;
    text->data[kept] = 0;
}

// One pass of "digit, comma, three digits, then no digit": drops the comma. True when something changed.
static inline bool normalize_thousands_pass(Buffer *text) {
    Buffer out = {0};
    bool changed = false;
    const char *end = text->data + text->size;
    for (const char *at = text->data; at < end;) {
        int32_t code;
        const char *p = at + text_decode(&code, at, end);
        const char *first_end = p;
        bool match = text_is_decimal(code) && p < end && *p == ',';
        const char *digits = ++p;
        for (int i = 0; match && i < 3; i++) {
            match = p < end;
            if (match) { p += text_decode(&code, p, end); }
            match = match && text_is_decimal(code);
        }
        const char *behind = p;
        if (match && p < end) {
            p += text_decode(&code, p, end);
            match = !text_is_decimal(code);
        }
        buffer_append(&out, at, (size_t)(first_end - at));
        at = first_end;
        if (!match) { continue; }
        buffer_append(&out, digits, (size_t)(p - digits)); // the character behind is used up: the next comma waits for the next pass
        at = p;
        changed = true;
        if (behind == end) { break; }
    }
    buffer_free(text);
    *text = out;
    return changed;
}
static inline void normalize_thousands(Buffer *text) {
    while (memchr(text->data, ',', text->size) && normalize_thousands_pass(text)) {}
}

// Whether the text is a number within 1e-7 of an integer, commas between thousands allowed; `value` is the number.
static inline bool normalize_is_integer(double *value, const char *data, size_t size) {
    if (size == 0 || (!text_ascii_digit(*data) && !strchr("+-._ \t\n\r\f\v", *data) && !((unsigned char)*data & 0x80))) { return false; } // cannot be a finite number
    Buffer text = text_copy(data, size);
    normalize_thousands(&text);
    bool integer = text_to_double(value, text.data, text.size) && text_near_integer(*value);
    buffer_free(&text);
    return integer;
}

static inline void normalize_latex(Buffer *text) {
    Buffer plain = text_copy(text->data, text->size);
    text_replace(&plain, "\\tfrac", "\\frac");
    text_replace(&plain, "\\dfrac", "\\frac");
    text_replace(&plain, "\\frac", " \\frac"); // keeps the whole part of a mixed number apart
    bool ok = latex_to_text(&plain);
    Buffer *dropped = ok ? text : &plain;
    buffer_free(dropped);
    if (!ok) { return; }
    static const char *const words[][2] = {{"√", "sqrt"}, {"π", "pi"}, {"∞", "inf"}, {"∪", "U"}, {"·", "*"}, {"×", "*"}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) { text_replace(&plain, words[i][0], words[i][1]); }
    text_strip(&plain);
    *text = plain;
}

static inline void reward_normalize(Buffer *text, const char *answer, size_t bytes) {
    text_assign(text, answer, bytes);
    text_unwrap_text_macro(text);
    static const char *const words[][2] = {{"\\%", "%"}, {"\\$", "$"}, {"$", ""}, {"%", ""}, {" or ", " , "}, {" and ", " , "}, {"million", "*10^6"}, {"billion", "*10^9"}, {"trillion", "*10^12"}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) { text_replace(text, words[i][0], words[i][1]); }
    static const char *const units[] = {"degree", "cm", "centimeter", "meter", "mile", "second", "minute", "hour", "day", "week", "month", "year", "foot", "feet", "inch", "yard"};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) { normalize_drop(text, units[i], normalize_match_unit); }
    normalize_drop(text, "^", normalize_match_circle);
    if (text->size > 0 && text->data[0] == '{' && text->data[text->size - 1] == '}') {
        if (text->size > 1) { text_remove(text, text->size - 1, 1); }
        text_remove(text, 0, 1);
    }
    normalize_drop(text, ",\\!", normalize_match_spaces);
    double value;
    if (text_to_double(&value, text->data, text->size) && text_near_integer(value)) { text_assign_integer(text, nearbyint(value)); }
    if (memchr(text->data, '\\', text->size)) { normalize_latex(text); }
    normalize_join_minus(text);
    normalize_mixed_numbers(text);
    normalize_drop_characters(text, " {}");
    text_lower(text);
    if (normalize_is_integer(&value, text->data, text->size)) {
        Buffer plain = text_copy(text->data, text->size); // here every comma goes, and the fraction is cut off
        normalize_drop_characters(&plain, ",");
        if (text_to_double(&value, plain.data, plain.size)) { text_assign_integer(text, trunc(value)); }
        buffer_free(&plain);
    }
}

// ---- tuples
// Splits "(a,b)" at its commas when the brackets are the outermost and only ones. `out` holds the elements, each with a
// NUL behind it; returns how many. An empty text has none.
static inline int normalize_split_tuple(Buffer *out, const Buffer *normalized) {
    text_assign(out, normalized->data, normalized->size);
    normalize_thousands(out);
    if (out->size == 0) { return 0; }
    const char *brackets = "()[]";
    bool tuple = out->size > 2 && strchr(brackets, out->data[0]) && strchr(brackets, out->data[out->size - 1]) && out->data[0] && out->data[out->size - 1];
    for (size_t i = 1; tuple && i + 1 < out->size; i++) { tuple = !out->data[i] || !strchr(brackets, out->data[i]); }
    if (!tuple) { return 1; }
    Buffer elements = {0};
    int count = 0;
    for (size_t at = 1; at < out->size; count++) {
        const char *comma = (const char *)memchr(out->data + at, ',', out->size - 1 - at);
        size_t end = comma ? (size_t)(comma - out->data) : out->size - 1;
        size_t start = elements.size;
        buffer_append(&elements, out->data + at, end - at);
        text_strip_from(&elements, start);
        buffer_append(&elements, "", 1);
        at = end + 1;
    }
    buffer_free(out);
    *out = elements;
    return count;
}

// "3/4", "-3/4": two of these must agree to the letter, so that an unreduced fraction is wrong. One stray character is
// allowed before the slash and at the end, as in the original's pattern.
static inline bool normalize_is_fraction(const char *element) {
    const char *end = element + strlen(element), *p = element + (*element == '-');
    if (!text_ascii_digit(*p)) { return false; }
    while (text_ascii_digit(*p)) { p++; }
    int32_t code;
    for (int stray = 0; stray < 2; stray++) {
        const char *q = p;
        if (stray) {
            if (q == end || *q == '\n') { return false; }
            q += text_decode(&code, q, end);
        }
        if (*q != '/') { continue; }
        for (q++; *q == '0'; q++) {}
        if (!text_ascii_digit(*q)) { continue; }
        while (text_ascii_digit(*q)) { q++; }
        if (q < end && *q != '\n') { q += text_decode(&code, q, end); }
        if (q == end || (*q == '\n' && q + 1 == end)) { return true; }
    }
    return false;
}

// Whether an expression may be evaluated: at most two different letters besides sqrt and frac, no ^{ or ^( and no power
// of more than one digit or of a power. Words and long powers never reach the algebra.
static inline bool normalize_may_evaluate(const char *expression) {
    for (const char *p = expression; (p = strchr(p, '^')); p++) {
        if (p[1] == '{' || p[1] == '(') { return false; }
        const char *q = p + 1;
        while (text_ascii_digit(*q)) { q++; }
        if (q - p > 2 || (q - p == 2 && *q == '^')) { return false; }
    }
    Buffer letters = text_copy(expression, strlen(expression));
    text_replace(&letters, "sqrt", "");
    text_replace(&letters, "frac", "");
    int32_t seen[2];
    int count = 0;
    const char *end = letters.data + letters.size;
    for (const char *at = letters.data; at < end && count <= 2;) {
        int32_t code;
        at += text_decode(&code, at, end);
        if (!text_is_alpha(code) || (count > 0 && seen[0] == code) || (count > 1 && seen[1] == code)) { continue; }
        if (count < 2) { seen[count] = code; }
        count++;
    }
    buffer_free(&letters);
    return count <= 2;
}
