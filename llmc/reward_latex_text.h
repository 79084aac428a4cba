// reward_latex_text: LaTeX to plain text the way pylatexenc 2.10's latex2text does it with default settings, because that
// is what DeepScaleR's grader compares: \frac{a}{b} becomes a/b, \sqrt[3]{x} becomes √(x), \pi becomes π, an unknown
// macro becomes nothing. Read in one pass that writes straight to the output; a malformed part is skipped, as there.
// Comments are not handled: the caller has removed every percent sign.
#pragma once
#include "llmc/reward_latex_symbols.h"
#include "llmc/reward_text.h"

enum { LATEX_MAX_DEPTH = 250 }; // about where Python's own recursion limit ends the original

typedef struct {
    const char *at, *end; // what is left to read
    Buffer *out;
    int depth;
    long steps;    // tokens that may still be read: a missing argument makes the original read its text twice
    bool equation; // inside \( \), \[ \] or an equation environment: spaces after macros are kept, lone ones are not
    bool failed;   // the original would have raised: the caller keeps its text
} LatexText;

typedef struct { // a matrix being written as "[ a b; c d ]"
    size_t cell_start;
    bool cell_has_node, row_has_cell, has_cell;
} LatexMatrix;

typedef struct { // what ends a list of nodes
    char brace;  // '}' or ']'
    char math;   // the ')' of \) or the ']' of \]
    const char *environment;
    size_t environment_bytes;
    LatexMatrix *matrix;
} LatexStop;

static inline void latex_nodes(LatexText *latex, LatexStop stop);

static inline const char *latex_skip_spaces(const char *at, const char *end) {
    while (at < end) {
        int32_t code;
        size_t bytes = text_decode(&code, at, end);
        if (!text_is_space(code)) { break; }
        at += bytes;
    }
    return at;
}
// The spaces that a macro's name swallows: all, but not an empty line.
static inline const char *latex_skip_name_spaces(const char *at, const char *end) {
    const char *behind = latex_skip_spaces(at, end), *paragraph = (const char *)memmem(at, (size_t)(behind - at), "\n\n", 2);
    return paragraph ? paragraph : behind;
}
// The macro name behind a backslash: letters, or one character of any kind.
static inline size_t latex_name_bytes(const char *at, const char *end, bool *letters) {
    size_t bytes = 0, step;
    int32_t code;
    *letters = false;
    for (const char *p = at; p < end; p += step) {
        step = text_decode(&code, p, end);
        if (!text_is_alpha(code)) { break; }
        *letters = true;
        bytes += step;
    }
    return bytes ? bytes : text_decode(&code, at, end);
}
// The text that a run of punctuation stands for (a dash, a quotation mark, a column separator), or NULL.
static inline const char *latex_special(const char *at, const char *end, size_t *bytes) {
    static const char *const specials[][2] = {{"---", "—"}, {"--", "–"}, {"``", "“"}, {"''", "”"}, {"!`", "¡"}, {"?`", "¿"}, {"&", "   "}, {"~", "\302\240"}};
    if (!strchr("-`'!?&~", *at)) { return NULL; }
    for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++) {
        *bytes = strlen(specials[i][0]);
        if ((size_t)(end - at) >= *bytes && !memcmp(at, specials[i][0], *bytes)) { return specials[i][1]; }
    }
    return NULL;
}

// ---- macros
static inline int latex_find_macro(const char *name) { // index into latex_macros, or -1
    int low = 0, high = (int)(sizeof(latex_macros) / sizeof(latex_macros[0])) - 1;
    while (low <= high) {
        int middle = (low + high) / 2, order = strcmp(name, latex_macros[middle].name);
        if (order == 0) { return middle; }
        if (order < 0) {
            high = middle - 1;
        } else {
            low = middle + 1;
        }
    }
    return -1;
}
static inline const char *latex_find_symbol(const char *name) {
    int low = 0, high = (int)(sizeof(latex_symbols) / sizeof(latex_symbols[0])) - 1;
    while (low <= high) {
        int middle = (low + high) / 2, order = strcmp(name, latex_symbols[middle][0]);
        if (order == 0) { return latex_symbols[middle][1]; }
        if (order < 0) {
            high = middle - 1;
        } else {
            low = middle + 1;
        }
    }
    return "";
}

static inline int32_t latex_styled_letter(int32_t c, const char *style) { // a mathematical alphabet and its holes
    static const struct {
        const char *style;
        int32_t upper, lower;
        const char *holes;
        int32_t filled[12];
    } alphabets[] = {{"bold", 0x1D400, 0x1D41A, "", {0}},
                     {"italic", 0x1D434, 0x1D44E, "h", {0x210E}},
                     {"script", 0x1D49C, 0x1D4B6, "BEFHILMRego", {0x212C, 0x2130, 0x2131, 0x210B, 0x2110, 0x2112, 0x2133, 0x211B, 0x212F, 0x210A, 0x2134}},
                     {"fraktur", 0x1D504, 0x1D51E, "CHIRZ", {0x212D, 0x210C, 0x2111, 0x211C, 0x2128}},
                     {"doublestruck", 0x1D538, 0x1D552, "CHNPQRZ", {0x2102, 0x210D, 0x2115, 0x2119, 0x211A, 0x211D, 0x2124}},
                     {"sans", 0x1D5A0, 0x1D5BA, "", {0}},
                     {"monospace", 0x1D670, 0x1D68A, "", {0}}};
    size_t i = 0;
    while (strcmp(alphabets[i].style, style)) { i++; }
    const char *hole = c > 0 && c < 128 ? strchr(alphabets[i].holes, c) : NULL;
    if (hole) { return alphabets[i].filled[hole - alphabets[i].holes]; }
    if (c >= 'A' && c <= 'Z') { return alphabets[i].upper + c - 'A'; }
    return c >= 'a' && c <= 'z' ? alphabets[i].lower + c - 'a' : c;
}
static inline void latex_accented(Buffer *out, int32_t code, const char *mark) {
    char pair[16];
    utf8proc_ssize_t bytes = utf8proc_encode_char(code == 0x131 ? 'i' : code == 0x237 ? 'j'
                                                                                      : code,
                                                  (utf8proc_uint8_t *)pair);
    snprintf(pair + bytes, sizeof(pair) - (size_t)bytes, "%s", mark);
    char *composed = (char *)utf8proc_NFC((const utf8proc_uint8_t *)pair);
    buffer_append_text(out, composed ? composed : pair);
    free(composed);
}

typedef struct {
    int count; // -1: an argument was missing and none is kept
    size_t start[6], end[6];
} LatexArguments;
static inline void latex_append_argument(Buffer *out, const char *arguments, const LatexArguments *range, int i) {
    if (i >= 0 && i < range->count && range->end[i] > range->start[i]) { buffer_append(out, arguments + range->start[i], range->end[i] - range->start[i]); }
}

// Writes the macro's text; its arguments lie in `arguments` at the ranges of `range`.
static inline void latex_write_macro(LatexText *latex, int macro, const char *arguments, const LatexArguments *range) {
    Buffer *out = latex->out;
    const char *text = latex_macros[macro].text;
    switch (latex_macros[macro].rule) {
    case LATEX_JOIN:
        for (int i = 0; i < range->count; i++) { latex_append_argument(out, arguments, range, i); }
        break;
    case LATEX_FORMAT:
        for (int i = 0; *text; text++) {
            if (range->count > 0 && text[0] == '%' && text[1] == 's') {
                latex_append_argument(out, arguments, range, i++);
                text++;
            } else {
                buffer_append(out, text, 1);
            }
        }
        break;
    case LATEX_PICK:
        latex->failed |= range->count < 0;
        for (; *text && range->count > 0; text++) {
            if (text_ascii_digit(*text)) {
                latex_append_argument(out, arguments, range, *text - '1');
            } else {
                buffer_append(out, text, 1);
            }
        }
        break;
    case LATEX_STYLE:
    case LATEX_ACCENT: {
        bool accent = latex_macros[macro].rule == LATEX_ACCENT;
        if (range->count < 0 && accent) { latex_accented(out, ' ', text); }
        bool given = range->count > 0;
        Buffer inner = given ? text_copy(arguments + range->start[0], range->end[0] - range->start[0]) : text_copy("", 0);
        if (accent) { text_strip(&inner); }
        for (size_t at = 0; at < inner.size;) {
            int32_t code;
            at += text_decode(&code, inner.data + at, inner.data + inner.size);
            if (accent) {
                latex_accented(out, code, text);
            } else {
                text_append_code(out, latex_styled_letter(code, text));
            }
        }
        buffer_free(&inner);
        break;
    }
    }
}

// The macro whose name is the `bytes` at `name`, given no argument: as another macro's unbraced argument.
static inline void latex_bare_macro(LatexText *latex, const char *name, size_t bytes) {
    char copy[40];
    if (bytes >= sizeof(copy)) { return; } // longer than any name we know: nothing
    snprintf(copy, sizeof(copy), "%.*s", (int)bytes, name);
    int macro = latex_find_macro(copy);
    if (macro >= 0) {
        latex_write_macro(latex, macro, NULL, &(LatexArguments){.count = -1});
    } else {
        buffer_append_text(latex->out, latex_find_symbol(copy));
    }
}

// Writes one mandatory argument: a group, a macro or a character. False at the end of the text.
static inline bool latex_expression(LatexText *latex) {
    const char *at = latex_skip_spaces(latex->at, latex->end);
    latex->steps--;
    if (at == latex->end || (*at == '\\' && at + 1 == latex->end)) { return false; }
    const char *paragraph = (const char *)memmem(latex->at, (size_t)(at - latex->at), "\n\n", 2);
    if (paragraph) { // an empty line is a token of its own
        buffer_append_text(latex->out, "\n\n");
        latex->at = paragraph + 2;
        return true;
    }
    latex->at = at;
    size_t bytes;
    bool letters;
    const char *special;
    if (*at == '\\') {
        bytes = latex_name_bytes(at + 1, latex->end, &letters);
        if (bytes == 3 && !memcmp(at + 1, "end", 3)) { return true; } // stays where it is
        latex_bare_macro(latex, at + 1, bytes);
        latex->at = letters ? latex_skip_name_spaces(at + 1 + bytes, latex->end) : at + 1 + bytes;
    } else if (*at == '{') {
        latex->at++;
        latex_nodes(latex, (LatexStop){.brace = '}'});
    } else if (*at == '}') { // an empty argument; the brace stays
    } else if ((special = latex_special(at, latex->end, &bytes))) {
        buffer_append_text(latex->out, special);
        latex->at += bytes;
    } else {
        int32_t code;
        bytes = text_decode(&code, at, latex->end);
        buffer_append(latex->out, at, bytes);
        latex->at += bytes;
    }
    return true;
}
// Reads the arguments that `kinds` names, one after the other, into the output. False when the text ends before the last.
static inline bool latex_arguments(LatexText *latex, const char *kinds, LatexArguments *range, bool bracket_needs_no_space) {
    range->count = 0;
    for (const char *kind = kinds; *kind; kind++) {
        range->start[range->count] = latex->out->size;
        const char *at = latex_skip_spaces(latex->at, latex->end);
        if (*kind == '{') {
            if (!latex_expression(latex)) { return false; }
        } else if (*kind == '*') {
            if (at == latex->end) { return false; }
            if (*at == '*') { latex->at = at + 1; }
        } else if (at < latex->end && *at == '[' && !(bracket_needs_no_space && at != latex->at)) {
            latex->at = at + 1;
            latex_nodes(latex, (LatexStop){.brace = ']'});
        }
        range->end[range->count++] = latex->out->size;
    }
    return true;
}
static inline void latex_macro(LatexText *latex, const char *name, size_t bytes) { // latex->at is behind it and its spaces
    char copy[40];
    int macro = -1;
    if (bytes < sizeof(copy)) {
        snprintf(copy, sizeof(copy), "%.*s", (int)bytes, name);
        macro = latex_find_macro(copy);
    }
    if (macro < 0) {
        latex_bare_macro(latex, name, bytes);
        return;
    }
    const char *behind = latex->at;
    size_t start = latex->out->size;
    LatexArguments range;
    if (!latex_arguments(latex, latex_macros[macro].arguments, &range, *name == '\\')) {
        latex->at = behind; // what it did find is read again as plain text
        range.count = -1;
    }
    if (latex->failed) { return; }
    Buffer arguments = text_copy(latex->out->data + start, latex->out->size - start);
    latex->out->size = start;
    for (int i = 0; i < range.count; i++) { range.start[i] -= start, range.end[i] -= start; }
    latex_write_macro(latex, macro, arguments.data, &range);
    buffer_free(&arguments);
}

// ---- environments and equations
static inline void latex_equation(LatexText *latex, LatexStop stop, bool display) {
    bool outer = latex->equation;
    latex->equation = true;
    if (display) { buffer_append_text(latex->out, "\n"); }
    size_t start = latex->out->size;
    latex_nodes(latex, stop);
    text_strip_from(latex->out, start);
    if (display) { buffer_append_text(latex->out, "\n"); }
    latex->equation = outer;
}
static inline void latex_matrix_end_cell(LatexText *latex, LatexMatrix *matrix) {
    Buffer *out = latex->out;
    if (matrix->cell_has_node) {
        text_strip_from(out, matrix->cell_start);
        if (matrix->row_has_cell) {
            buffer_append(out, " ", 1);
            memmove(out->data + matrix->cell_start + 1, out->data + matrix->cell_start, out->size - 1 - matrix->cell_start);
            out->data[matrix->cell_start] = ' ';
        }
        matrix->row_has_cell = matrix->has_cell = true;
    } else {
        out->size = matrix->cell_start; // the line break that a row separator wrote
    }
    matrix->cell_start = out->size;
    matrix->cell_has_node = false;
}
static inline void latex_matrix_end_row(LatexText *latex, LatexMatrix *matrix) {
    latex_matrix_end_cell(latex, matrix);
    buffer_append_text(latex->out, "; ");
    matrix->cell_start = latex->out->size;
    matrix->row_has_cell = false;
}
static inline bool latex_name_in(const char *name, size_t bytes, const char *list) { // list: names with a space on both sides
    char padded[40];
    int length = snprintf(padded, sizeof(padded), " %.*s ", (int)(bytes < 30 ? bytes : 30), name);
    return bytes < 30 && length > 2 && strstr(list, padded);
}
static inline void latex_environment(LatexText *latex, const char *name, size_t bytes) { // latex->at is behind \begin{name}
    LatexStop stop = {.environment = name, .environment_bytes = bytes};
    const char *arguments = latex_name_in(name, bytes, " array ") ? "[{" : latex_name_in(name, bytes, " tabular alignat alignat* ") ? "{"
                                                                                                                                    : "";
    const char *behind = latex->at;
    size_t start = latex->out->size;
    LatexArguments range;
    if (!latex_arguments(latex, arguments, &range, false)) { latex->at = behind; }
    latex->out->size = start;
    if (latex_name_in(name, bytes, " array pmatrix bmatrix smallmatrix psmallmatrix bsmallmatrix ")) {
        buffer_append_text(latex->out, "[ ");
        LatexMatrix matrix = {.cell_start = latex->out->size};
        stop.matrix = &matrix;
        latex_nodes(latex, stop);
        latex_matrix_end_cell(latex, &matrix);
        buffer_append_text(latex->out, " ]");
        latex->failed |= !matrix.has_cell; // the original takes the widest of no cells
    } else if (latex_name_in(name, bytes, " equation equation* eqnarray eqnarray* align align* multline multline* gather gather* dmath dmath* ")) {
        latex_equation(latex, stop, true);
    } else {
        latex_nodes(latex, stop);
    }
}
// `at` is behind \begin or \end: the bytes of " {name}", with the name's place in them, or 0.
static inline size_t latex_environment_name(const char *at, const char *end, const char **name, size_t *bytes) {
    const char *open = latex_skip_spaces(at, end);
    if (open == end || *open != '{') { return 0; }
    const char *p = open + 1;
    while (p < end) {
        int32_t code;
        size_t step = text_decode(&code, p, end);
        if (!text_is_word(code) && !(code > 0 && code < 128 && strchr("* ._-", code))) { break; }
        p += step;
    }
    *name = open + 1;
    *bytes = (size_t)(p - *name);
    return *bytes && p < end && *p == '}' ? (size_t)(p + 1 - at) : 0;
}

// ---- the list of nodes
typedef struct {
    size_t start;      // where the current run of plain characters begins in the output, or SIZE_MAX
    const char *space; // the spaces behind the macro just before, if it took no argument
    size_t space_bytes;
} LatexRun;
static inline void latex_run_begin(LatexText *latex, LatexRun *run, LatexMatrix *matrix) {
    if (run->start != SIZE_MAX) { return; }
    if (latex->equation && run->space_bytes) { buffer_append(latex->out, run->space, run->space_bytes); }
    run->space_bytes = 0;
    run->start = latex->out->size;
    if (matrix) { matrix->cell_has_node = true; }
}
static inline void latex_run_end(LatexText *latex, LatexRun *run) {
    if (run->start == SIZE_MAX) { return; }
    const char *start = latex->out->data + run->start, *end = latex->out->data + latex->out->size;
    if (latex->equation && latex_skip_spaces(start, end) == end) { latex->out->size = run->start; }
    run->start = SIZE_MAX;
}

// What a backslash begins. Returns true when it ends this list of nodes.
static inline bool latex_backslash(LatexText *latex, const LatexStop *stop, LatexRun *run) {
    const char *name = latex->at + 1, *environment;
    bool letters;
    size_t bytes = latex_name_bytes(name, latex->end, &letters), environment_bytes, skipped;
    latex->at = name + bytes;
    if (bytes == 1 && strchr("()[]", *name)) {
        bool opens = *name == '(' || *name == '[';
        if (opens && stop->matrix) { stop->matrix->cell_has_node = true; }
        if (opens) { latex_equation(latex, (LatexStop){.math = *name == '(' ? ')' : ']'}, *name == '['); }
        return !opens && stop->math == *name; // a closer that closes nothing is skipped
    }
    bool begin = bytes == 5 && !memcmp(name, "begin", 5), end = bytes == 3 && !memcmp(name, "end", 3);
    if (begin || end) {
        skipped = latex_environment_name(latex->at, latex->end, &environment, &environment_bytes);
        latex->at += skipped;
        if (!skipped) {
            latex_run_begin(latex, run, stop->matrix);
            buffer_append(latex->out, name - 1, bytes + 1);
        } else if (begin) {
            if (stop->matrix) { stop->matrix->cell_has_node = true; }
            latex_environment(latex, environment, environment_bytes);
        }
        return end && skipped && stop->environment && environment_bytes == stop->environment_bytes && !memcmp(environment, stop->environment, environment_bytes);
    }
    if (letters) {
        const char *behind = latex_skip_name_spaces(latex->at, latex->end);
        run->space = latex->at;
        run->space_bytes = (size_t)(behind - latex->at);
        latex->at = behind;
    }
    const char *before = latex->at;
    bool row = stop->matrix && bytes == 1 && *name == '\\';
    if (stop->matrix && !row) { stop->matrix->cell_has_node = true; }
    latex_macro(latex, name, bytes);
    if (latex->at != before) { run->space_bytes = 0; } // it took an argument
    if (row) { latex_matrix_end_row(latex, stop->matrix); }
    return false;
}

static inline void latex_nodes(LatexText *latex, LatexStop stop) {
    latex->failed |= ++latex->depth > LATEX_MAX_DEPTH;
    LatexRun run = {.start = SIZE_MAX};
    while (!latex->failed) {
        latex->failed |= --latex->steps < 0;
        const char *at = latex_skip_spaces(latex->at, latex->end);
        if (at < latex->end && *at == '\\' && at + 1 == latex->end) { break; } // a lone backslash at the end loses its spaces too
        if (at > latex->at) {
            latex_run_begin(latex, &run, stop.matrix);
            buffer_append(latex->out, latex->at, (size_t)(at - latex->at));
            latex->at = at;
        }
        if (at == latex->end) { break; }
        size_t bytes = 0;
        const char *special = latex_special(at, latex->end, &bytes);
        bool bracket = stop.brace == ']' && (*at == '[' || *at == ']');
        if (!special && !bracket && !strchr("\\{}", *at)) {
            int32_t code;
            latex_run_begin(latex, &run, stop.matrix);
            bytes = text_decode(&code, at, latex->end);
            buffer_append(latex->out, at, bytes);
            latex->at += bytes;
            continue;
        }
        latex_run_end(latex, &run);
        run.space_bytes = 0;
        if (*at == '\\') {
            if (latex_backslash(latex, &stop, &run)) { break; }
            continue;
        }
        latex->at += special ? bytes : 1;
        if (stop.matrix && *at == '&') {
            latex_matrix_end_cell(latex, stop.matrix);
            continue;
        }
        if (stop.matrix && *at != '}') { stop.matrix->cell_has_node = true; }
        if (special) {
            buffer_append_text(latex->out, special);
        } else if (*at == '{' || *at == '[') {
            latex_nodes(latex, (LatexStop){.brace = *at == '{' ? '}' : ']'});
        } else if (*at == stop.brace) {
            break;
        } // a closing brace that closes nothing is skipped
    }
    latex_run_end(latex, &run);
    latex->depth--;
}

// Replaces `text` by its plain form. False (and `text` as it was) where the original fails.
static inline bool latex_to_text(Buffer *text) {
    Buffer out = {0};
    buffer_reserve(&out, text->size);
    out.data[0] = 0;
    LatexText latex = {.at = text->data, .end = text->data + text->size, .out = &out, .steps = 4 * (long)text->size + 1000};
    latex_nodes(&latex, (LatexStop){0});
    Buffer *dropped = latex.failed ? &out : text;
    buffer_free(dropped);
    if (latex.failed) { return false; }
    *text = out;
    text->data[text->size] = 0;
    return true;
}
