// reward_verify_text: the spelling in which the math_verify grader reads an answer: latex2sympy2_extended 1.11 (its
// math_normalization.py) with the settings of Hugging Face Math-Verify 0.9, one pass over the text for each of its own.
#pragma once
#include "llmc/reward_parse.h"

// A rule looks at the text from `at` on (`start` is where the text begins), appends what it puts there and returns how many
// bytes that stands for; 0 when it does not apply.
typedef size_t (*VerifyRule)(Buffer *out, const char *start, const char *at);
static inline void verify_pass(Buffer *text, VerifyRule rule) {
    Buffer out = {0};
    buffer_reserve(&out, text->size);
    out.data[0] = 0;
    for (size_t at = 0, taken; at < text->size; at += taken) {
        taken = rule(&out, text->data, text->data + at);
        if (taken) { continue; }
        buffer_append(&out, text->data + at, 1);
        taken = 1;
    }
    buffer_free(text);
    *text = out;
}
static inline bool verify_begins(const char *at, const char *word) { return !*word || (*at == *word && !strncmp(at, word, strlen(word))); }
static inline size_t verify_spaces(const char *at) { return strspn(at, " \t\n\r\f\v"); }
static inline bool verify_letter_before(const char *start, const char *at) { return at > start && parse_is_letter((unsigned char)at[-1]); }
static inline bool verify_word_boundary(const char *start, const char *at) { return (at > start && text_is_word((unsigned char)at[-1])) != text_is_word((unsigned char)*at); }
// The bytes of `head`, spaces, `middle`, spaces and `tail`, or 0.
static inline size_t verify_spaced(const char *at, const char *head, const char *middle, const char *tail) {
    if (!verify_begins(at, head)) { return 0; }
    const char *p = at + strlen(head);
    p += verify_spaces(p);
    if (!verify_begins(p, middle)) { return 0; }
    p += strlen(middle);
    p += verify_spaces(p);
    return verify_begins(p, tail) ? (size_t)(p - at) + strlen(tail) : 0;
}

// ---- the passes
static inline size_t verify_drop_sizes(Buffer *out, const char *start, const char *at) { // \left( -> (
    (void)out, (void)start;
    static const char *const left[] = {"\\{", "{", "\\|", "|", "[", "(", "\\lgroup", "\\lbrace", "\\lbrack", "\\vert", "\\lvert", "\\lceil", "\\lfloor", "\\langle", "\\llcorner", "\\ulcorner", NULL};
    static const char *const right[] = {"\\}", "}", "\\|", "|", "]", ")", "\\rgroup", "\\rbrace", "\\rbrack", "\\vert", "\\rvert", "\\rceil", "\\rfloor", "\\rangle", "\\lrcorner", "\\urcorner", NULL};
    if (*at != '\\') { return 0; }
    const char *word = at + 1 + (at[1] == 'm');
    bool opens = verify_begins(word, "left");
    if (!opens && !verify_begins(word, "right")) { return 0; }
    word += opens ? 4 : 5;
    for (const char *const *delimiter = opens ? left : right; *delimiter; delimiter++) {
        if (verify_begins(word, *delimiter)) { return (size_t)(word - at); }
    }
    return 0;
}
static inline size_t verify_drop_decoration(Buffer *out, const char *start, const char *at) {
    (void)out;
    if (*at == '$') { return 1; }
    if (*at == '"' || *at == '\'') { return at == start || at[-1] != '\\'; }
    if (*at != '\\') { return 0; }
    if (at[1] == '!') { return 2 + verify_spaces(at + 2); }
    size_t empty = verify_spaced(at, "\\text", "{", "}");
    return empty ? empty : verify_begins(at, "\\$")          ? 2
                       : verify_begins(at, "\\mathrm{th}")   ? 11
                       : verify_begins(at, "\\displaystyle") ? 13
                                                             : 0;
}
static inline size_t verify_replace(Buffer *out, const char *to, size_t bytes) {
    buffer_append_text(out, to);
    return bytes;
}
static inline size_t verify_respell(Buffer *out, const char *start, const char *at) {
    // Longest first where one begins another. {word, what it becomes}
    static const char *const words[][2] = {{"\\textnormal", "\\text"}, {"\\textbf", "\\text"}, {"\\textit", "\\text"}, {"\\textrm", "\\text"}, {"\\mathrm", "\\text"}, {"\\mathit", "\\text"}, {"\\mathbf", "\\text"}, {"\\dfrac", "\\frac"}, {"\\tfrac", "\\frac"}, {"\\cfrac", "\\frac"}, {"{.", "{0."}, {"~=", "\\approx"}, {"infinity", "\\infty"}, {",\\ldots", " "}, {"\\ldots", " "}, {"\\text{percentage}", "%"}, {"\\text{percent}", "%"}, {"\\text{pct}", "%"}};
    static const char *const percents[] = {"percentage", "percent", "pct"};
    static const char *const joins[] = {"and", "or"};
    if (!strchr(" \t\n\r\f\v\\{,~aoip", *at)) { return 0; } // no rule begins with it
    size_t bytes;
    bool space = text_is_space((unsigned char)*at);
    if (space && at[1] == '.') { return verify_replace(out, " 0.", 2); }
    if (verify_begins(at, " sqrt")) { return verify_replace(out, "\\sqrt", 5); }
    // A pattern that begins with spaces takes all of them, so that only their first is looked at; behind a letter their second.
    bool first = !(space && at > start && text_is_space((unsigned char)at[-1])), second = space && !first && at - start > 1 && !text_is_space((unsigned char)at[-2]);
    if (!first && !second) { return *at == '\n' || *at == '\t' ? verify_replace(out, " ", 1) : 0; }
    const char *comma = at + (*at == ','), *word = comma + verify_spaces(comma);
    for (int i = 0; i < 2; i++) {
        bytes = strlen(joins[i]);
        bool alone = verify_begins(word, joins[i]) && !parse_is_letter((unsigned char)word[bytes]) && !verify_letter_before(start, at);
        if (alone && (first || (second && parse_is_letter((unsigned char)at[-2])))) { return verify_replace(out, ",", (size_t)(word - at) + bytes); }
        bytes = first ? verify_spaced(word, "\\text{", joins[i], "}") : 0;
        if (bytes) { return verify_replace(out, ",", (size_t)(word - at) + bytes); }
    }
    if (!first) { return 0; }
    size_t spaces = verify_spaces(at);
    word = at + spaces;
    bytes = verify_spaced(word, "{", ",", "}");
    if (bytes) { return verify_replace(out, ",", spaces + bytes); }
    for (int i = 0; i < 3; i++) {
        bytes = strlen(percents[i]);
        if (verify_begins(word, percents[i]) && verify_word_boundary(start, word) && verify_word_boundary(start, word + bytes)) { return verify_replace(out, "\\%", spaces + bytes); }
    }
    if (*at == '\\' && at[1] && verify_spaces(at + 1) && !(at > start && at[-1] == '\\')) { return verify_replace(out, " ", 2); }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (verify_begins(at, words[i][0])) { return verify_replace(out, words[i][1], strlen(words[i][0])); }
    }
    if (verify_begins(at, "inf") && !(at > start && at[-1] == '\\')) { return verify_replace(out, "\\infty", 3); }
    return *at == '\n' || *at == '\t' ? verify_replace(out, " ", 1) : 0;
}
static inline size_t verify_drop_backslash(Buffer *out, const char *start, const char *at) { // \\frac -> \frac
    (void)out, (void)start;
    return *at == '\\' && at[1] == '\\' && parse_is_letter((unsigned char)at[2]);
}

// ---- units
// The words that count as units behind a digit, a brace or a space at the end of an answer; single letters among them, so
// that "3 m" is 3 (and so is "3t": the original's rule). A point is any character: there they are part of a pattern.
static const char *const verify_units[] = {"integerpoint", "feet", "sue", "digit", "pound", "meal", "edge", "student", "children ticket", "multiple", "east", "degree", "mph", "kmph", "ft", "m square", " m east", "sq m", "deg", "mile", "q .", "monkey", "prime", "ratio", "profit of rs", "rd", "o", "gm", "p . m", "lb", "tile", "per", "dm", "lt", "gain", "ab", "way", "west", "a .", "b .", "c .", "d .", "e .", "f .", "g .", "h .", "t", "h", "no change", "men", "soldier", "pie", "bc", "excess", "st", "inches", "noon", "cent", "by", "gal", "kmh", "c", "acre", "rise", "a . m", "th", "sq", "mark", "l", "toy", "coin", "sq . m", "gallon", "° f", "profit", "minw", "yr", "women", "am", "pm", "hr", "cu cm", "square", "are", "rupee", "rounds", "cubic", "cc", "mtr", "s", "ohm", "number", "day", "hour", "minute", "min", "second", "man", "woman", "sec", "cube", "mt", "sq inch", "mp", "hectare", "more", "unit", "cu . m", "cm 2", "rs .", "rs", "kg", "g", "month", "km", "m", "cm", "mm", "apple", "liter", "loss", "yard", "pure", "year", "increase", "decrease", "d", "less", "Surface", "litre", "pi sq m", "s .", "metre", "meter", "inch"};
enum { VERIFY_LONGEST_UNIT = 20 };
static inline bool verify_is_unit(const char *text, size_t bytes, const char *unit) {
    size_t i = 0;
    for (; unit[i]; i++) {
        if (i >= bytes || (unit[i] != text[i] && unit[i] != '.')) { return false; }
    }
    size_t rest = bytes - i;
    return rest == 0 || (rest == 1 && text[i] == 's') || (rest == 2 && !memcmp(text + i, "es", 2));
}
static inline void verify_drop_unit(Buffer *text) {
    size_t end = text->size;
    while (end > 0 && text->data[end - 1] == ' ') { end--; }
    for (size_t i = end > 64 ? end - 64 : 0; i + 1 < end; i++) {
        char c = text->data[i];
        if (!text_ascii_digit(c) && c != '}' && c != ' ') { continue; }
        for (size_t start = i + 1; start < end; start++) { // spaces may belong to the unit
            for (size_t u = 0; end - start <= VERIFY_LONGEST_UNIT && u < sizeof(verify_units) / sizeof(verify_units[0]); u++) {
                if (!verify_is_unit(text->data + start, end - start, verify_units[u])) { continue; }
                text->size = i + 1;
                text->data[text->size] = 0;
                return;
            }
            if (text->data[start] != ' ') { break; }
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

// ---- braces where they are missing
static inline size_t verify_brace_parenthesis(Buffer *out, const char *at, const char *head, const char *replaced) { // ^(x) -> ^{x}
    if (!verify_begins(at, head)) { return 0; }
    const char *open = at + strlen(head);
    open += verify_spaces(open) == 1 || (*open == ' ' && open[1] == '(') ? 1 : 0;
    const char *close = *open == '(' ? strchr(open, ')') : NULL;
    if (!close) { return 0; }
    buffer_printf(out, "%s{%.*s}", replaced, (int)(close - open - 1), open + 1);
    return (size_t)(close + 1 - at);
}
static inline size_t verify_brace_powers(Buffer *out, const char *start, const char *at) {
    (void)start;
    return verify_brace_parenthesis(out, at, "^", "^");
}
static inline size_t verify_brace_roots(Buffer *out, const char *start, const char *at) {
    (void)start;
    return verify_brace_parenthesis(out, at, "sqrt", "\\sqrt");
}
static inline size_t verify_brace_digits(Buffer *out, const char *start, const char *at) { // \frac12 -> \frac{1}{2}, \frac123 -> \frac{1}{23}, \log_28, \sqrt2
    (void)start;
    static const char *const heads[] = {"\\frac", "\\log_", "\\sqrt"};
    for (int i = 0; i < 3; i++) {
        if (!verify_begins(at, heads[i])) { continue; }
        const char *first = at + strlen(heads[i]);
        first += *first == ' ';
        if (!text_ascii_digit(*first)) { return 0; }
        const char *second = first + 1 + (first[1] == ' ');
        size_t digits = strspn(second, "0123456789");
        if (i == 2) {
            buffer_printf(out, "\\sqrt{%c}", *first);
            return (size_t)(first + 1 - at);
        }
        if (digits == 0) { return 0; }
        buffer_printf(out, "%s{%c}{%.*s}", heads[i], *first, (int)digits, second);
        return (size_t)(second + digits - at);
    }
    return 0;
}
// \frac{1}2 -> \frac{1}{2}: around the first digit that stands behind a brace, however far that is.
static inline void verify_brace_denominators(Buffer *text) {
    Buffer out = {0};
    buffer_reserve(&out, text->size);
    out.data[0] = 0;
    const char *at = text->data, *end = text->data + text->size, *digit = at;
    for (const char *found; (found = strstr(at, "\\frac")) != NULL;) {
        const char *open = found + 5 + (found[5] == ' ');
        for (digit = digit > open ? digit : open; *digit; digit++) {
            if (text_ascii_digit(*digit) && (digit[-1] == '}' || (digit[-1] == ' ' && digit[-2] == '}'))) { break; }
        }
        if (!*digit) { break; }
        const char *next = *open == '{' ? digit : open;
        buffer_append(&out, at, (size_t)(next - at));
        at = next;
        if (next == digit) {
            buffer_printf(&out, "{%c}", *digit);
            at++;
        }
    }
    buffer_append(&out, at, (size_t)(end - at));
    buffer_free(text);
    *text = out;
}
// Braces around the one character behind \sqrt, and around the two (or the one before a brace) behind \frac, which may
// stand apart. A \frac with less behind it leaves all of them alone.
static inline void verify_brace_characters(Buffer *text, const char *macro, int wanted) {
    Buffer out = {0};
    const char *at = text->data, *end = text->data + text->size, *found;
    size_t macro_bytes = strlen(macro);
    bool ok = true;
    while (ok && (found = (const char *)memmem(at, (size_t)(end - at), macro, macro_bytes))) {
        buffer_append(&out, at, (size_t)(found - at) + macro_bytes);
        at = found + macro_bytes;
        at += verify_spaces(at);
        for (int i = 0; i < wanted && ok; i++) {
            bool bare = at < end && strncmp(at, macro, macro_bytes) != 0;
            if (bare && (*at == '{' || (*at == '[' && wanted == 1))) { break; }
            ok = bare || wanted == 1;
            if (!bare) { break; }
            int32_t code;
            size_t bytes = text_decode(&code, at, end);
            buffer_printf(&out, "{%.*s}", (int)bytes, at);
            at += bytes;
        }
    }
    buffer_append(&out, at, (size_t)(end - at));
    if (ok) {
        buffer_free(text);
        *text = out;
    } else {
        buffer_free(&out);
    }
}

enum { VERIFY_MAX_ANSWER = 16384 }; // bytes: longer ones are only compared as text
static inline void verify_normalize(Buffer *text, const char *answer, size_t bytes) {
    text_assign(text, answer, bytes);
    if (bytes > VERIFY_MAX_ANSWER) { return; }
    text_replace(text, "\\mathrm{T}", "T");
    text_replace(text, "\\mathrm{d}", "d");
    verify_pass(text, verify_drop_sizes);
    verify_pass(text, verify_drop_decoration);
    verify_pass(text, verify_respell);
    if (!strstr(text->data, "matrix")) { verify_pass(text, verify_drop_backslash); }
    verify_drop_text_unit(text);
    text_strip(text);
    verify_drop_unit(text);
    verify_drop_unit(text);
    if (text->size && text->data[0] == '.') {
        buffer_append(text, "0", 1);
        memmove(text->data + 1, text->data, text->size - 1);
        text->data[0] = '0';
    }
    if (!strcmp(text->data, "0.5")) { text_assign(text, "\\frac{1}{2}", 11); }
    verify_pass(text, verify_brace_powers);
    verify_pass(text, verify_brace_roots);
    verify_pass(text, verify_brace_digits);
    verify_brace_denominators(text);
    text_replace(text, " sqrt", "\\sqrt");
    verify_brace_characters(text, "\\sqrt", 1);
    verify_brace_characters(text, "\\frac", 2);
    text_strip(text);
}
