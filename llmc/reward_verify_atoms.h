// reward_verify_atoms: the operands of LaTeX answers in the grammar of latex2sympy2_extended 1.11 (PS.g4): numbers, percents,
// symbols with their index, functions, fractions, roots, sets, tuples, intervals, matrices. The operators between them are
// in reward_verify_parse.h, and the two call each other.
#pragma once
#include "llmc/reward_expression.h"
#include "llmc/reward_verify_text.h"

typedef struct {
    Expression *tree;
    const char *at, *end;
    int depth;
    int bars;         // open |...|: a bar closes one before it opens another
    bool no_function; // inside the bare argument of a function: the next function ends it
} LatexParser;
enum { VERIFY_RELATION = 4,
       VERIFY_DIFFERENCE = 5,
       VERIFY_UNION = 6,
       VERIFY_INTERSECTION = 7,
       VERIFY_PLUS_MINUS = 8,
       VERIFY_SUM = 10,
       VERIFY_PRODUCT = 20,
       VERIFY_SIGN = 22,
       VERIFY_JUXTAPOSED = 25 };
enum { LITERAL_RATIONAL = 1, // value of a node: a number as written, such as \frac{1}{2} or 2\frac{1}{2}
       LITERAL_PERCENT = 2 };

static inline int verify_fail(LatexParser *parser) {
    parser->tree->error = true;
    return 0;
}
static inline int verify_expression(LatexParser *parser, int power);
static inline int verify_elements(LatexParser *parser, NodeKind kind);

static inline void verify_skip_spaces(LatexParser *parser) {
    static const char *const spaces[] = {" ", "\t", "\n", "\r", "\\,", "\\;", "\\:", "\\!", "\\ ", "~", "\\quad", "\\qquad", "\\thinspace"};
    for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]);) {
        size_t bytes = strlen(spaces[i]);
        bool here = !strncmp(parser->at, spaces[i], bytes) && !(bytes > 2 && verify_is_letter((unsigned char)parser->at[bytes]));
        parser->at += here ? bytes : 0;
        i = here ? 0 : i + 1;
    }
}
static inline size_t verify_command_bytes(const char *at) { // \name, or \ and one character
    size_t bytes = 1;
    while (verify_is_letter((unsigned char)at[bytes])) { bytes++; }
    return bytes > 1 ? bytes : at[1] ? 2
                                     : 1;
}
// Whether the next token is `token`; if so it is taken.
static inline bool verify_take(LatexParser *parser, const char *token) {
    verify_skip_spaces(parser);
    size_t bytes = strlen(token);
    if (strncmp(parser->at, token, bytes)) { return false; }
    if (*token == '\\' && verify_is_letter((unsigned char)token[1]) && verify_is_letter((unsigned char)parser->at[bytes])) { return false; }
    parser->at += bytes;
    return true;
}
static inline int verify_literal(LatexParser *parser, const char *digits) { return expression_number(parser->tree, digits, strlen(digits)); }

static inline bool verify_node_is_integer(const Expression *tree, int index) {
    const ExpressionNode *node = &tree->nodes[index];
    if (node->kind == NODE_NEGATE) { return verify_node_is_integer(tree, node->left); }
    return node->kind == NODE_NUMBER && !memchr(node->text, '.', (size_t)node->text_bytes) && !memchr(node->text, 'E', (size_t)node->text_bytes);
}
static inline bool verify_node_is_rational(const Expression *tree, int index) {
    const ExpressionNode *node = &tree->nodes[index];
    if (node->kind == NODE_NEGATE) { return verify_node_is_rational(tree, node->left); }
    return verify_node_is_integer(tree, index) || ((node->kind == NODE_DIVIDE || node->kind == NODE_ADD) && node->value == LITERAL_RATIONAL);
}
static inline int verify_divide(LatexParser *parser, int top, int bottom) {
    Expression *tree = parser->tree;
    int node = expression_node(tree, NODE_DIVIDE, top, bottom);
    if (verify_node_is_integer(tree, top) && verify_node_is_integer(tree, bottom)) { tree->nodes[node].value = LITERAL_RATIONAL; }
    return node;
}

// ---- symbols
// A symbol whose name is the `bytes` at `text` without spaces, braces' outer pair and capitals.
static inline int verify_symbol(LatexParser *parser, const char *head, const char *text, size_t bytes) {
    Expression *tree = parser->tree;
    int start = tree->name_bytes;
    for (const char *p = head; *p && tree->name_bytes < (int)sizeof(tree->names); p++) { tree->names[tree->name_bytes++] = *p; }
    for (size_t i = 0; i < bytes; i++) {
        char c = text[i];
        if (c == ' ' || (!*head && (c == '(' || c == ')'))) { continue; }
        if (tree->name_bytes == (int)sizeof(tree->names)) {
            tree->gave_up = "gave up: too many symbols";
            return verify_fail(parser);
        }
        tree->names[tree->name_bytes++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    return expression_symbol(tree, tree->names + start, (size_t)(tree->name_bytes - start));
}
// The end of the group that opens at `at`, behind its closing bracket, or NULL.
static inline const char *verify_group_end(const char *at, const char *end, char open, char close) {
    int depth = 0;
    for (; at < end; at++) {
        depth += (*at == open) - (*at == close);
        if (depth == 0) { return at + 1; }
    }
    return NULL;
}
// A letter, Greek letter or \text{...} that begins at `start` and ends at parser->at, with its index and, where it reads
// f(x), its argument: then the whole is one opaque symbol.
static inline int verify_symbol_tail(LatexParser *parser, const char *head, const char *name, size_t bytes, bool may_apply) {
    Buffer full = text_copy(name, bytes);
    if (*parser->at == '_') {
        const char *index = parser->at + 1, *index_end = *index == '{' ? verify_group_end(index, parser->end, '{', '}') : index + (*index == '\\' ? verify_command_bytes(index) : *index != 0);
        if (!index_end) {
            buffer_free(&full);
            return verify_fail(parser);
        }
        while (text_ascii_digit(*index) && text_ascii_digit(*index_end)) { index_end++; } // x_12 takes the whole number
        size_t inner = (size_t)(index_end - index) - (*index == '{' ? 2 : 0);
        buffer_printf(&full, inner > 1 ? "_{%.*s}" : "_%.*s", (int)inner, index + (*index == '{'));
        parser->at = index_end;
    }
    size_t argument = may_apply && *parser->at == '(' ? strcspn(parser->at, ")+-*/^,;={<> ") : 0;
    if (argument > 1 && parser->at[argument] == ')') {
        bool one = argument == 2 || parser->at[1] == '\\' || strspn(parser->at + 1, "0123456789.") == argument - 1;
        if (one) {
            buffer_append_text(&full, "\1"); // keeps f(x) apart from a symbol named fx
            buffer_append(&full, parser->at + 1, argument - 1);
            parser->at += argument + 1;
        }
    }
    int node = verify_symbol(parser, head, full.data, full.size);
    buffer_free(&full);
    return node;
}

// ---- functions
static const struct {
    const char *name;
    int function;
} verify_functions[] = {{"\\sin", FUNCTION_sin}, {"\\cos", FUNCTION_cos}, {"\\tan", FUNCTION_tan}, {"\\cot", FUNCTION_cot}, {"\\sec", FUNCTION_sec}, {"\\csc", FUNCTION_csc}, {"\\arcsin", FUNCTION_asin}, {"\\arccos", FUNCTION_acos}, {"\\arctan", FUNCTION_atan}, {"\\sinh", FUNCTION_sinh}, {"\\cosh", FUNCTION_cosh}, {"\\tanh", FUNCTION_tanh}, {"\\exp", FUNCTION_exp}, {"\\ln", FUNCTION_ln}, {"\\log", FUNCTION_ln}, {"\\floor", FUNCTION_floor}, {"\\ceil", FUNCTION_ceil}};

static inline int verify_group(LatexParser *parser) { // {...}: a group, or a set where it holds several or a set
    if (!verify_take(parser, "{")) { return verify_fail(parser); }
    Expression *tree = parser->tree;
    bool outer = parser->no_function;
    parser->no_function = false;
    int list = verify_elements(parser, NODE_SET), first = tree->nodes[list].left;
    parser->no_function = outer;
    if (first < 0 || !verify_take(parser, "}")) { return verify_fail(parser); }
    bool group = tree->nodes[first].next < 0 && (tree->nodes[first].kind < NODE_TUPLE || tree->nodes[first].kind > NODE_NUMBER_SET);
    return group ? first : list;
}
static inline int verify_argument(LatexParser *parser) { // {...}, or one digit, letter or command, as TeX reads it
    verify_skip_spaces(parser);
    if (*parser->at == '{') { return verify_group(parser); }
    if (text_ascii_digit(*parser->at)) { return expression_number(parser->tree, parser->at++, 1); }
    if (verify_is_letter((unsigned char)*parser->at)) { return verify_symbol(parser, "", parser->at++, 1); }
    if (verify_take(parser, "\\pi")) { return expression_node(parser->tree, NODE_PI, 0, 0); }
    return verify_fail(parser);
}
static inline int verify_function(LatexParser *parser, int which) {
    Expression *tree = parser->tree;
    bool logarithm = !strcmp(verify_functions[which].name, "\\log");
    int base = -1, exponent = -1, function = verify_functions[which].function;
    for (int i = 0; i < 2; i++) {
        if (verify_take(parser, "_")) { base = verify_argument(parser); }
        if (verify_take(parser, "^")) { exponent = verify_argument(parser); }
    }
    verify_skip_spaces(parser);
    int argument;
    bool outer = parser->no_function;
    if (*parser->at == '(') {
        parser->at++;
        parser->no_function = false;
        argument = verify_expression(parser, 0);
        if (!verify_take(parser, ")")) { return verify_fail(parser); }
    } else {
        parser->no_function = true;
        argument = verify_expression(parser, VERIFY_SUM);
    }
    parser->no_function = outer;
    bool inverse = exponent >= 0 && tree->nodes[exponent].kind == NODE_NEGATE && tree->nodes[tree->nodes[exponent].left].text_bytes == 1 && *tree->nodes[tree->nodes[exponent].left].text == '1';
    if (inverse && function <= FUNCTION_tan && function >= FUNCTION_sin) {
        function += FUNCTION_asin - FUNCTION_sin;
        exponent = -1;
    }
    int node = expression_call(tree, (ExpressionFunction)function, argument);
    if (logarithm && base < 0) { base = verify_literal(parser, "10"); }
    if (function == FUNCTION_ln && base >= 0) { node = expression_node(tree, NODE_DIVIDE, node, expression_call(tree, FUNCTION_ln, base)); }
    return exponent >= 0 ? expression_node(tree, NODE_POWER, node, exponent) : node;
}
static inline int verify_binomial(LatexParser *parser) { // n! / (k! (n-k)!)
    Expression *tree = parser->tree;
    int n = verify_argument(parser), k = verify_argument(parser);
    int below = expression_call(tree, FUNCTION_factorial, expression_node(tree, NODE_SUBTRACT, n, k));
    below = expression_node(tree, NODE_MULTIPLY, expression_call(tree, FUNCTION_factorial, k), below);
    return expression_node(tree, NODE_DIVIDE, expression_call(tree, FUNCTION_factorial, n), below);
}
static inline int verify_matrix(LatexParser *parser) { // behind \begin
    static const char *const kinds[] = {"{matrix}", "{pmatrix}", "{bmatrix}", "{array}"};
    int kind = 0;
    while (kind < 4 && !verify_take(parser, kinds[kind])) { kind++; }
    if (kind == 4) { return verify_fail(parser); }
    if (kind == 3) {
        const char *columns_end = *parser->at == '{' ? verify_group_end(parser->at, parser->end, '{', '}') : NULL;
        if (!columns_end) { return verify_fail(parser); }
        parser->at = columns_end;
    }
    Expression *tree = parser->tree;
    int matrix = expression_node(tree, NODE_MATRIX, -1, 0), last = -1, columns = 0, column = 0;
    while (!tree->error) {
        int element = verify_expression(parser, 0);
        if (last < 0) {
            tree->nodes[matrix].left = element;
        } else {
            tree->nodes[last].next = element;
        }
        last = element;
        column++;
        if (verify_take(parser, "&")) { continue; }
        if (columns && columns != column) { return verify_fail(parser); }
        columns = column;
        column = 0;
        bool row_end = verify_take(parser, "\\\\");
        if (verify_take(parser, "\\end")) { break; }
        if (!row_end) { return verify_fail(parser); }
    }
    tree->nodes[matrix].value = columns;
    return verify_take(parser, kinds[kind]) ? matrix : verify_fail(parser);
}

// ---- brackets: a group, an interval or a tuple
static inline int verify_bracket(LatexParser *parser) { // at ( or [
    Expression *tree = parser->tree;
    bool left_open = *parser->at++ == '(', outer = parser->no_function;
    parser->no_function = false;
    int list = verify_elements(parser, NODE_TUPLE);
    parser->no_function = outer;
    verify_skip_spaces(parser);
    if (tree->error || (*parser->at != ')' && *parser->at != ']')) { return verify_fail(parser); }
    bool right_open = *parser->at++ == ')';
    int first = tree->nodes[list].left, second = first < 0 ? -1 : tree->nodes[first].next;
    if (first < 0) { return verify_fail(parser); }
    if (second < 0) { return left_open == right_open ? first : verify_fail(parser); }
    if (tree->nodes[second].next >= 0) { return left_open == right_open ? list : verify_fail(parser); }
    tree->nodes[list].kind = NODE_INTERVAL;
    tree->nodes[list].right = second;
    tree->nodes[list].value = (left_open ? INTERVAL_LEFT_OPEN : 0) | (right_open ? INTERVAL_RIGHT_OPEN : 0);
    return list; // `left` and `next` still make it the list that a tuple would be
}
static inline int verify_enclosed(LatexParser *parser, const char *close, int function) { // \lfloor x \rfloor
    int inside = verify_expression(parser, 0);
    return verify_take(parser, close) ? expression_call(parser->tree, (ExpressionFunction)function, inside) : verify_fail(parser);
}

static inline int verify_command(LatexParser *parser) { // at a backslash
    Expression *tree = parser->tree;
    const char *at = parser->at;
    for (size_t i = 0; i < sizeof(verify_functions) / sizeof(verify_functions[0]); i++) {
        if (verify_take(parser, verify_functions[i].name)) { return verify_function(parser, (int)i); }
    }
    if (verify_take(parser, "\\frac")) {
        int top = verify_argument(parser), bottom = verify_argument(parser);
        return tree->error ? 0 : verify_divide(parser, top, bottom);
    }
    if (verify_take(parser, "\\sqrt")) {
        int root = -1;
        if (verify_take(parser, "[")) {
            root = verify_expression(parser, 0);
            if (!verify_take(parser, "]")) { return verify_fail(parser); }
        }
        int base = verify_argument(parser); // not \sqrt(2): the original fails on it
        if (root < 0) { return expression_call(tree, FUNCTION_sqrt, base); }
        return expression_node(tree, NODE_POWER, base, expression_node(tree, NODE_DIVIDE, verify_literal(parser, "1"), root));
    }
    if (verify_take(parser, "\\binom")) { return verify_binomial(parser); }
    if (verify_take(parser, "\\pi")) { return expression_node(tree, NODE_PI, 0, 0); }
    if (verify_take(parser, "\\infty")) { return expression_node(tree, NODE_INFINITY, 0, 0); }
    if (verify_take(parser, "\\emptyset") || verify_take(parser, "\\varnothing")) { return expression_node(tree, NODE_SET, -1, 0); }
    if (verify_take(parser, "\\lfloor")) { return verify_enclosed(parser, "\\rfloor", FUNCTION_floor); }
    if (verify_take(parser, "\\lceil")) { return verify_enclosed(parser, "\\rceil", FUNCTION_ceil); }
    if (verify_take(parser, "\\lvert")) { return verify_enclosed(parser, "\\rvert", FUNCTION_abs); }
    if (verify_take(parser, "\\boxed")) { return verify_group(parser); }
    if (verify_take(parser, "\\begin")) { return verify_matrix(parser); }
    if (verify_take(parser, "\\{") || verify_take(parser, "\\lbrace")) {
        int list = verify_elements(parser, NODE_SET);
        return verify_take(parser, "\\}") || verify_take(parser, "\\rbrace") ? list : verify_fail(parser);
    }
    if (!strncmp(at, "\\mathbb{", 8) && strchr("NZQRC", at[8]) && at[9] == '}') {
        parser->at += 10;
        int node = expression_node(tree, NODE_NUMBER_SET, 0, 0);
        tree->nodes[node].value = at[8];
        return node;
    }
    size_t bytes = verify_command_bytes(at);
    static const char *const letters = " \\alpha \\beta \\gamma \\delta \\epsilon \\varepsilon \\zeta \\eta \\theta \\vartheta \\iota \\kappa \\lambda \\mu \\nu \\xi \\rho \\sigma \\tau \\upsilon \\phi \\varphi \\chi \\psi \\omega \\Gamma \\Delta \\Theta \\Lambda \\Xi \\Pi \\Sigma \\Phi \\Psi \\Omega \\ell \\hbar \\angle \\triangle ";
    static const char *const accents = " \\text \\mbox \\vec \\bar \\overline \\hat \\tilde \\dot \\mathcal \\mathbb \\mathfrak \\boldsymbol \\overrightarrow ";
    char padded[24];
    snprintf(padded, sizeof(padded), " %.*s ", (int)(bytes < 20 ? bytes : 20), at);
    if (strstr(letters, padded)) {
        parser->at += bytes;
        return verify_symbol_tail(parser, "", at + 1, bytes - 1, true);
    }
    if (!strstr(accents, padded)) { return verify_fail(parser); }
    parser->at += bytes;
    verify_skip_spaces(parser);
    const char *group = parser->at, *close = *group == '{' ? (const char *)memchr(group, '}', (size_t)(parser->end - group)) : NULL;
    if (!close) { return verify_fail(parser); }
    parser->at = close + 1;
    bool plain = bytes == 5 && (!memcmp(at, "\\text", 5) || !memcmp(at, "\\mbox", 5));
    return verify_symbol_tail(parser, plain ? "" : padded, group + 1, (size_t)(close - group - 1), true);
}

static inline int verify_number(LatexParser *parser) {
    Expression *tree = parser->tree;
    const char *start = parser->at;
    while (text_ascii_digit(*parser->at)) { parser->at++; }
    if (*parser->at == '.' && text_ascii_digit(parser->at[1])) {
        for (parser->at++; text_ascii_digit(*parser->at); parser->at++) {}
    }
    size_t exponent = *parser->at == 'E' ? 1 + (parser->at[1] == '-' || parser->at[1] == '+') : 0;
    if (exponent && text_ascii_digit(parser->at[exponent])) {
        for (parser->at += exponent; text_ascii_digit(*parser->at); parser->at++) {}
    }
    int number = expression_number(tree, start, (size_t)(parser->at - start));
    if (*parser->at == '_') { // the base of a numeral is read and ignored
        parser->at++;
        verify_argument(parser);
    }
    const char *sign = parser->at + (*parser->at == ' ');
    size_t bytes = *sign == '%' ? 1 : !strncmp(sign, "\\%", 2) ? 2
                                                               : 0;
    if (!bytes) { return number; }
    parser->at = sign + bytes;
    int node = expression_node(tree, NODE_DIVIDE, number, verify_literal(parser, "100"));
    tree->nodes[node].value = LITERAL_PERCENT;
    return node;
}
static inline int verify_primary(LatexParser *parser) {
    Expression *tree = parser->tree;
    verify_skip_spaces(parser);
    const char *at = parser->at;
    if (at >= parser->end) { return verify_fail(parser); }
    if (text_ascii_digit(*at) || (*at == '.' && text_ascii_digit(at[1]))) { return verify_number(parser); }
    if (*at == '(' || *at == '[') { return verify_bracket(parser); }
    if (*at == '{') { return verify_group(parser); }
    if (*at == '\\') { return verify_command(parser); }
    if (*at == '|') {
        parser->at++;
        parser->bars++;
        int inside = verify_expression(parser, 0);
        parser->bars--;
        return verify_take(parser, "|") ? expression_call(tree, FUNCTION_abs, inside) : verify_fail(parser);
    }
    static const char *const spelled[][2] = {{"π", "\\pi"}, {"∞", "\\infty"}, {"∅", "\\emptyset"}};
    for (int i = 0; i < 3; i++) {
        if (!verify_take(parser, spelled[i][0])) { continue; }
        if (i == 2) { return expression_node(tree, NODE_SET, -1, 0); }
        return expression_node(tree, i ? NODE_INFINITY : NODE_PI, 0, 0);
    }
    if (!strncmp(at, "sqrt(", 5) || !strncmp(at, "sqrt{", 5)) {
        parser->at += 4;
        return expression_call(tree, FUNCTION_sqrt, verify_primary(parser));
    }
    if (!verify_is_letter((unsigned char)*at)) { return verify_fail(parser); }
    parser->at++;
    if (*at == 'e') { return expression_node(tree, NODE_E, 0, 0); }
    if (*at == 'I') { return expression_node(tree, NODE_I, 0, 0); }
    if (*at == 'd' && verify_is_letter((unsigned char)at[1])) { return verify_symbol(parser, "d", parser->at++, 1); } // dx
    return verify_symbol_tail(parser, "", at, 1, *at != 'E');
}
static inline int verify_postfix(LatexParser *parser) { // powers from the left, factorials, degrees
    Expression *tree = parser->tree;
    int left = verify_primary(parser);
    while (!tree->error) {
        if (verify_take(parser, "^{\\circ}") || verify_take(parser, "^\\circ") || verify_take(parser, "^°") || verify_take(parser, "°") || verify_take(parser, "^{°}")) { continue; }
        verify_skip_spaces(parser);
        if (*parser->at == '!' && parser->at[1] != '=') {
            parser->at++;
            left = expression_call(tree, FUNCTION_factorial, left);
            continue;
        }
        if (!verify_take(parser, "^")) { break; }
        verify_skip_spaces(parser);
        int exponent = text_ascii_digit(*parser->at) ? verify_number(parser) : *parser->at == '(' ? verify_bracket(parser)
                                                                                                  : verify_argument(parser);
        left = expression_node(tree, NODE_POWER, left, exponent);
    }
    return left;
}
