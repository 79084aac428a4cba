// pretokenizer: cuts text into the pieces that byte-pair encoding never merges across.
//
// A tokenizer.json gives the cut as a regular expression. The families in use share a handful of them, so each is known here
// by its text and matched by hand: the alternatives below are tried in the order of the expression, at the first character.
#pragma once
#include <limits.h>
#include "unicode.h"

typedef struct {
    const char *name, *regex;
    bool fold_case;    // contractions in any case: (?i:'s|'t|..)
    bool any_prefix;   // one character that is no letter, number or line end joins the word behind it; else only a space does
    bool number_space; // a space joins the number behind it
    bool line_ends;    // line ends close a run of other characters, and a run of white space is cut behind its last one
    int max_digits;
} Pretokenizer;

static const Pretokenizer PRETOKENIZERS[] = {
    {"Qwen2", "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     .fold_case = true, .any_prefix = true, .line_ends = true, .max_digits = 1},
    {"Llama 3", "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     .fold_case = true, .any_prefix = true, .line_ends = true, .max_digits = 3},
    {"GPT-2", "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", .number_space = true, .max_digits = INT_MAX},
};
enum { PRETOKENIZER_COUNT = sizeof(PRETOKENIZERS) / sizeof(PRETOKENIZERS[0]),
       PRETOKENIZER_GPT2 = PRETOKENIZER_COUNT - 1 };

static inline const Pretokenizer *pretokenizer_find(const char *regex) { // or NULL
    for (int i = 0; i < PRETOKENIZER_COUNT; i++) {
        if (!strcmp(PRETOKENIZERS[i].regex, regex)) { return &PRETOKENIZERS[i]; }
    }
    return NULL;
}

typedef struct { // well-formed UTF-8 and the class of each code point
    const char *data;
    size_t bytes;
    const unsigned char *classes;
} ClassedText;
typedef struct {
    int code;       // -1 behind the end
    unsigned class; // 0 behind the end
    size_t next;
} ClassedCharacter;

static inline ClassedCharacter character_at(const ClassedText *text, size_t at) {
    if (at >= text->bytes) { return (ClassedCharacter){-1, 0, at}; }
    int code = utf8_next(text->data, text->bytes, &at);
    return (ClassedCharacter){code, text->classes[code], at};
}
static inline size_t character_skip(const ClassedText *text, size_t at, unsigned classes) { // behind the run of these classes
    for (;;) {
        ClassedCharacter c = character_at(text, at);
        if (!(c.class & classes)) { return at; }
        at = c.next;
    }
}

static inline int pretokenizer_fold(const Pretokenizer *pattern, int code) {
    if (!pattern->fold_case) { return code; }
    return code >= 'A' && code <= 'Z' ? code + 32 : code == 0x17F ? 's'
                                                                  : code; // U+017F, the long s, folds to s
}
// 's 't 're 've 'm 'll 'd: the end of the one that begins at the apostrophe at `at`, or 0.
static inline size_t pretokenizer_contraction(const Pretokenizer *pattern, const ClassedText *text, size_t at) {
    ClassedCharacter first = character_at(text, at + 1), second = character_at(text, first.next);
    int a = pretokenizer_fold(pattern, first.code), b = pretokenizer_fold(pattern, second.code);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') { return first.next; }
    return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l') ? second.next : 0;
}
// White space from `at`. \s*[\r\n]+ ends behind its last line end; \s+(?!\S) leaves the last character to the word behind it.
static inline size_t pretokenizer_space(const Pretokenizer *pattern, const ClassedText *text, size_t at) {
    size_t end = at, last = at, line_end = 0;
    for (ClassedCharacter c; (c = character_at(text, end)).class & UNICODE_SPACE; end = c.next) {
        last = end;
        if (c.code == '\r' || c.code == '\n') { line_end = c.next; }
    }
    if (pattern->line_ends && line_end) { return line_end; }
    return end == text->bytes || last == at ? end : last;
}
// The end of the piece that begins at `at`, which must be inside the text.
static inline size_t pretokenizer_next(const Pretokenizer *pattern, const ClassedText *text, size_t at) {
    ClassedCharacter first = character_at(text, at);
    if (first.class & UNICODE_LETTER) { return character_skip(text, first.next, UNICODE_LETTER); }
    if (first.code == '\'') {
        size_t end = pretokenizer_contraction(pattern, text, at);
        if (end) { return end; }
    }
    ClassedCharacter second = character_at(text, first.next);
    bool prefix = pattern->any_prefix ? !(first.class & UNICODE_NUMBER) && first.code != '\r' && first.code != '\n' : first.code == ' ';
    if (prefix && second.class & UNICODE_LETTER) { return character_skip(text, second.next, UNICODE_LETTER); }
    if (pattern->number_space && first.code == ' ' && second.class & UNICODE_NUMBER) { return character_skip(text, second.next, UNICODE_NUMBER); }
    if (first.class & UNICODE_NUMBER) {
        size_t end = first.next;
        for (int digits = 1; digits < pattern->max_digits && second.class & UNICODE_NUMBER; digits++) {
            end = second.next;
            second = character_at(text, end);
        }
        return end;
    }
    if (first.class & UNICODE_OTHER || (first.code == ' ' && second.class & UNICODE_OTHER)) {
        size_t end = character_skip(text, first.next, UNICODE_OTHER);
        while (pattern->line_ends && end < text->bytes && (text->data[end] == '\r' || text->data[end] == '\n')) { end++; }
        return end;
    }
    return pretokenizer_space(pattern, text, at);
}
