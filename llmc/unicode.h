// unicode: UTF-8, the character classes that tokenizers split on, and the normal form NFC, over utf8proc.
#pragma once
#include <utf8proc.h>
#include "common.h"

enum {
    UTF8_MALFORMED = -1, // bytes that no continuation can make a character
    UTF8_CUT = -2,       // the text ends inside a character
    UNICODE_COUNT = 0x110000,
    UNICODE_REPLACEMENT = 0xFFFD,
};

// The code point at text[*at]; *at moves behind it. A malformed sequence is skipped up to the first byte that cannot belong
// to it (the "maximal subpart" of Unicode 3.9), so that one replacement character stands for it as in Python and Rust.
static inline int utf8_next(const char *text, size_t bytes, size_t *at) {
    unsigned first = (unsigned char)text[(*at)++];
    if (first < 0x80) { return (int)first; }
    if (first < 0xC2 || first > 0xF4) { return UTF8_MALFORMED; }
    int more = first < 0xE0 ? 1 : first < 0xF0 ? 2
                                               : 3,
        code = (int)(first & (0x3Fu >> more));
    // The byte after E0 and F0 must not spell an overlong form, after ED no surrogate, after F4 nothing above U+10FFFF.
    unsigned low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90
                                                        : 0x80,
             high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F
                                                         : 0xBF;
    for (; more > 0; more--, low = 0x80, high = 0xBF) {
        if (*at == bytes) { return UTF8_CUT; }
        unsigned byte = (unsigned char)text[*at];
        if (byte < low || byte > high) { return UTF8_MALFORMED; }
        code = code << 6 | (int)(byte & 0x3F);
        ++*at;
    }
    return code;
}
static inline void utf8_append(Buffer *out, int code) {
    unsigned char bytes[4];
    buffer_append(out, bytes, (size_t)utf8proc_encode_char(code, bytes));
}
// Length of the longest well-formed start of the text.
static inline size_t utf8_valid_length(const char *text, size_t bytes) {
    for (size_t at = 0; at < bytes;) {
        uint64_t eight;
        if (bytes - at >= 8 && (memcpy(&eight, text + at, 8), !(eight & 0x8080808080808080u))) { // ASCII, the common case
            at += 8;
            continue;
        }
        size_t start = at;
        if (utf8_next(text, bytes, &at) < 0) { return start; }
    }
    return bytes;
}
// Appends the text with each malformed sequence replaced by U+FFFD. Returns how many bytes at the end belong to a character
// that is cut off; they are left out.
static inline size_t utf8_append_repaired(Buffer *out, const char *text, size_t bytes) {
    for (size_t at = 0; at < bytes;) {
        size_t valid = utf8_valid_length(text + at, bytes - at);
        buffer_append(out, text + at, valid);
        at += valid;
        if (at == bytes) { break; }
        size_t start = at;
        if (utf8_next(text, bytes, &at) == UTF8_CUT) { return bytes - start; }
        utf8_append(out, UNICODE_REPLACEMENT);
    }
    return 0;
}

// ---- normal form NFC: decompose, order the marks, compose
enum { UNICODE_NFC = UTF8PROC_STABLE | UTF8PROC_COMPOSE,
       UNICODE_MAX_DECOMPOSITION = 4 };

static inline int unicode_combining_class(int code) { return utf8proc_get_property(code)->combining_class; }

// Puts each run of combining marks into the order of their classes. A stable counting sort: utf8proc's own exchange sort takes
// quadratic time on a long run, which a text from outside may hold.
static inline void unicode_order_marks(int *codes, size_t count) {
    for (size_t start = 0, end; start < count; start = end) {
        end = start + 1;
        int class = unicode_combining_class(codes[start]);
        if (class == 0) { continue; }
        size_t begins[257] = {0}; // begins[c + 1] counts class c, then becomes where the class after c begins
        bool ordered = true;
        begins[class + 1]++;
        for (int next; end < count && (next = unicode_combining_class(codes[end])) != 0; end++, class = next) {
            begins[next + 1]++;
            ordered = ordered && class <= next;
        }
        if (ordered) { continue; }
        for (int c = 1; c <= 256; c++) { begins[c] += begins[c - 1]; }
        int *sorted = (int *)host_alloc((end - start) * sizeof(int));
        for (size_t i = start; i < end; i++) { sorted[begins[unicode_combining_class(codes[i])]++] = codes[i]; }
        memcpy(codes + start, sorted, (end - start) * sizeof(int));
        free(sorted);
    }
}
// Appends the NFC form of well-formed UTF-8.
static inline void unicode_append_nfc(Buffer *out, const char *text, size_t bytes) {
    size_t characters = 0, count = 0;
    for (size_t at = 0; at < bytes; at++) { characters += ((unsigned char)text[at] & 0xC0) != 0x80; }
    int *codes = (int *)host_alloc(characters * UNICODE_MAX_DECOMPOSITION * sizeof(int));
    for (size_t at = 0; at < bytes;) {
        int boundary = 0, code = utf8_next(text, bytes, &at);
        count += (size_t)utf8proc_decompose_char(code, codes + count, UNICODE_MAX_DECOMPOSITION, (utf8proc_option_t)UNICODE_NFC, &boundary);
    }
    unicode_order_marks(codes, count);
    count = (size_t)utf8proc_normalize_utf32(codes, (utf8proc_ssize_t)count, (utf8proc_option_t)UNICODE_NFC);
    buffer_reserve(out, count * 4);
    for (size_t i = 0; i < count; i++) { utf8_append(out, codes[i]); }
    free(codes);
}

// ---- classes: exactly one of the first four, and whether NFC may change a text that holds the character
enum { UNICODE_LETTER = 1, // \p{L}
       UNICODE_NUMBER = 2, // \p{N}
       UNICODE_SPACE = 4,  // \s, the White_Space property
       UNICODE_OTHER = 8,
       UNICODE_UNSTABLE = 16 };

// Letters and numbers that Unicode 15.1 and 16 brought, which Debian's utf8proc (Unicode 15) does not know yet; tokenizers does.
static const struct {
    int first, last;
    unsigned class;
} UNICODE_NEWER[] = {
    {0x1C89, 0x1C8A, UNICODE_LETTER},
    {0xA7CB, 0xA7CD, UNICODE_LETTER},
    {0xA7DA, 0xA7DC, UNICODE_LETTER},
    {0x105C0, 0x105F3, UNICODE_LETTER},
    {0x10D40, 0x10D49, UNICODE_NUMBER},
    {0x10D4A, 0x10D65, UNICODE_LETTER},
    {0x10D6F, 0x10D85, UNICODE_LETTER},
    {0x10EC2, 0x10EC4, UNICODE_LETTER},
    {0x11380, 0x11389, UNICODE_LETTER},
    {0x1138B, 0x1138B, UNICODE_LETTER},
    {0x1138E, 0x1138E, UNICODE_LETTER},
    {0x11390, 0x113B5, UNICODE_LETTER},
    {0x113B7, 0x113B7, UNICODE_LETTER},
    {0x113D1, 0x113D1, UNICODE_LETTER},
    {0x113D3, 0x113D3, UNICODE_LETTER},
    {0x116D0, 0x116E3, UNICODE_NUMBER},
    {0x11BC0, 0x11BE0, UNICODE_LETTER},
    {0x11BF0, 0x11BF9, UNICODE_NUMBER},
    {0x13460, 0x143FA, UNICODE_LETTER},
    {0x16100, 0x1611D, UNICODE_LETTER},
    {0x16130, 0x16139, UNICODE_NUMBER},
    {0x16D40, 0x16D6C, UNICODE_LETTER},
    {0x16D70, 0x16D79, UNICODE_NUMBER},
    {0x18CFF, 0x18CFF, UNICODE_LETTER},
    {0x1CCF0, 0x1CCF9, UNICODE_NUMBER},
    {0x1E5D0, 0x1E5ED, UNICODE_LETTER},
    {0x1E5F0, 0x1E5F0, UNICODE_LETTER},
    {0x1E5F1, 0x1E5FA, UNICODE_NUMBER},
    {0x2EBF0, 0x2EE5D, UNICODE_LETTER},
};
static inline unsigned unicode_class(int code) {
    switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return UNICODE_LETTER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return UNICODE_NUMBER;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return UNICODE_SPACE;
    default:
        return (code >= 9 && code <= 13) || code == 0x85 ? UNICODE_SPACE : UNICODE_OTHER;
    }
}
// True unless the character is the same in NFC wherever it stands: it changes alone, or it can join what stands before it
// (marks, and the vowels and finals of Hangul).
static inline bool unicode_is_unstable(int code) {
    const utf8proc_property_t *property = utf8proc_get_property(code);
    if (property->combining_class != 0 || property->category == UTF8PROC_CATEGORY_MN || property->category == UTF8PROC_CATEGORY_MC) { return true; }
    if (code >= 0x1160 && code <= 0x11FF) { return true; }
    if (property->decomp_seqindex == UINT16_MAX || property->decomp_type != 0) { return false; }
    int codes[UNICODE_MAX_DECOMPOSITION], boundary = 0;
    utf8proc_ssize_t count = utf8proc_decompose_char(code, codes, UNICODE_MAX_DECOMPOSITION, (utf8proc_option_t)UNICODE_NFC, &boundary);
    return utf8proc_normalize_utf32(codes, count, (utf8proc_option_t)UNICODE_NFC) != 1 || codes[0] != code;
}
// One byte for each code point, to be freed by the caller.
static inline unsigned char *unicode_classes_create(void) {
    unsigned char *classes = (unsigned char *)host_alloc(UNICODE_COUNT);
    for (int code = 0; code < UNICODE_COUNT; code++) { classes[code] = (unsigned char)(unicode_class(code) | (unicode_is_unstable(code) ? UNICODE_UNSTABLE : 0u)); }
    for (size_t i = 0; i < sizeof(UNICODE_NEWER) / sizeof(UNICODE_NEWER[0]); i++) {
        for (int code = UNICODE_NEWER[i].first; code <= UNICODE_NEWER[i].last; code++) { classes[code] = (unsigned char)((classes[code] & UNICODE_UNSTABLE) | UNICODE_NEWER[i].class); }
    }
    return classes;
}
