// reward_verify_parse: LaTeX answers as trees, in the grammar of latex2sympy2_extended 1.11 (PS.g4): numbers, percents,
// mixed numbers, relations and their chains, sets, tuples, intervals, unions, matrices, functions. A Pratt parser over
// LaTeX tokens. Its powers differ from school's: a product without a sign binds tighter than * and / ("1/2x" is 1/(2x)),
// a power takes one atom or one group and is read from the left.
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

// ---- operators
typedef struct {
    const char *token;
    int power;
    NodeKind kind;
    int value;
} LatexOperator;
static const LatexOperator verify_operators[] = {
    {"+", VERIFY_SUM, NODE_ADD, 0}, {"-", VERIFY_SUM, NODE_SUBTRACT, 0}, {"−", VERIFY_SUM, NODE_SUBTRACT, 0}, {"*", VERIFY_PRODUCT, NODE_MULTIPLY, 0}, {"\\cdot", VERIFY_PRODUCT, NODE_MULTIPLY, 0}, {"\\times", VERIFY_PRODUCT, NODE_MULTIPLY, 0}, {"×", VERIFY_PRODUCT, NODE_MULTIPLY, 0}, {"⋅", VERIFY_PRODUCT, NODE_MULTIPLY, 0}, {"/", VERIFY_PRODUCT, NODE_DIVIDE, 0}, {"\\div", VERIFY_PRODUCT, NODE_DIVIDE, 0}, {"÷", VERIFY_PRODUCT, NODE_DIVIDE, 0}, {":", VERIFY_PRODUCT, NODE_DIVIDE, 0}, {"\\cup", VERIFY_UNION, NODE_UNION, 0}, {"∪", VERIFY_UNION, NODE_UNION, 0}, {"\\cap", VERIFY_INTERSECTION, NODE_INTERSECTION, 0}, {"∩", VERIFY_INTERSECTION, NODE_INTERSECTION, 0}, {"\\setminus", VERIFY_DIFFERENCE, NODE_DIFFERENCE, 0}, {"\\pm", VERIFY_PLUS_MINUS, NODE_SET, 0}, {"±", VERIFY_PLUS_MINUS, NODE_SET, 0}, {"!=", VERIFY_RELATION, NODE_RELATION, RELATION_UNEQUAL}, {"\\neq", VERIFY_RELATION, NODE_RELATION, RELATION_UNEQUAL}, {"\\ne", VERIFY_RELATION, NODE_RELATION, RELATION_UNEQUAL}, {"≠", VERIFY_RELATION, NODE_RELATION, RELATION_UNEQUAL}, {"<=", VERIFY_RELATION, NODE_RELATION, RELATION_LESS_EQUAL}, {"\\leqslant", VERIFY_RELATION, NODE_RELATION, RELATION_LESS_EQUAL}, {"\\leq", VERIFY_RELATION, NODE_RELATION, RELATION_LESS_EQUAL}, {"\\le", VERIFY_RELATION, NODE_RELATION, RELATION_LESS_EQUAL}, {"≤", VERIFY_RELATION, NODE_RELATION, RELATION_LESS_EQUAL}, {">=", VERIFY_RELATION, NODE_RELATION, RELATION_GREATER_EQUAL}, {"\\geqslant", VERIFY_RELATION, NODE_RELATION, RELATION_GREATER_EQUAL}, {"\\geq", VERIFY_RELATION, NODE_RELATION, RELATION_GREATER_EQUAL}, {"\\ge", VERIFY_RELATION, NODE_RELATION, RELATION_GREATER_EQUAL}, {"≥", VERIFY_RELATION, NODE_RELATION, RELATION_GREATER_EQUAL}, {"<", VERIFY_RELATION, NODE_RELATION, RELATION_LESS}, {"\\lt", VERIFY_RELATION, NODE_RELATION, RELATION_LESS}, {">", VERIFY_RELATION, NODE_RELATION, RELATION_GREATER}, {"\\gt", VERIFY_RELATION, NODE_RELATION, RELATION_GREATER}, {"==", VERIFY_RELATION, NODE_RELATION, RELATION_EQUAL}, {"=", VERIFY_RELATION, NODE_RELATION, RELATION_EQUAL}, {"\\in", VERIFY_RELATION, NODE_RELATION, RELATION_EQUAL}, {"∈", VERIFY_RELATION, NODE_RELATION, RELATION_EQUAL}, {"\\approx", VERIFY_RELATION, NODE_RELATION, -1}, {"≈", VERIFY_RELATION, NODE_RELATION, -1}};

static inline int verify_pair(LatexParser *parser, int left, int right) { // the two values of left \pm right; left may be -1
    Expression *tree = parser->tree;
    int plus = left < 0 ? right : expression_node(tree, NODE_ADD, left, right);
    int minus = left < 0 ? expression_node(tree, NODE_NEGATE, right, 0) : expression_node(tree, NODE_SUBTRACT, left, right);
    int set = expression_node(tree, NODE_SET, minus, 0);
    if (left >= 0) {
        tree->nodes[set].left = plus;
        tree->nodes[plus].next = minus;
    } else { // a list needs nodes of its own
        plus = expression_node(tree, NODE_NEGATE, minus, 0);
        tree->nodes[minus].next = plus;
    }
    tree->nodes[set].value = 1;
    return set;
}
static inline int verify_relate(LatexParser *parser, int left, int right, int relation) { // a < b < c: (a < b) and (b < c)
    Expression *tree = parser->tree;
    if (relation < 0) { return tree->nodes[left].kind == NODE_SYMBOL ? right : left; } // x \approx 3 says 3, \pi \approx 3 says \pi
    int chain = tree->nodes[left].kind == NODE_CHAIN ? left : -1, last = chain < 0 ? left : tree->nodes[chain].left;
    while (chain >= 0 && tree->nodes[last].next >= 0) { last = tree->nodes[last].next; }
    bool extends = tree->nodes[last].kind == NODE_RELATION;
    int node = expression_node(tree, NODE_RELATION, extends ? tree->nodes[last].right : left, right);
    tree->nodes[node].value = relation;
    if (!extends) { return node; }
    if (chain < 0) { chain = expression_node(tree, NODE_CHAIN, last, 0); }
    tree->nodes[last].next = node;
    return chain;
}
static inline int verify_juxtapose(LatexParser *parser, int left, int right) { // a product; 2\frac{1}{2} is a mixed number
    Expression *tree = parser->tree;
    bool mixed = tree->nodes[left].kind == NODE_NUMBER && verify_node_is_integer(tree, left) && verify_node_is_rational(tree, right) && tree->nodes[right].kind != NODE_NEGATE;
    int node = expression_node(tree, mixed ? NODE_ADD : NODE_MULTIPLY, left, right);
    if (mixed) { tree->nodes[node].value = LITERAL_RATIONAL; }
    return node;
}
// Whether what follows may begin a factor.
static inline bool verify_at_factor(LatexParser *parser) {
    const char *at = parser->at;
    if (at >= parser->end || strchr(",;)]}&=<>!%", *at) || (*at == '|' && parser->bars > 0)) { return false; }
    if (*at != '\\') { return true; }
    static const char *const closers = " \\} \\rbrace \\rfloor \\rceil \\rvert \\\\ \\end \\rangle ";
    char padded[24];
    size_t bytes = verify_command_bytes(at);
    snprintf(padded, sizeof(padded), " %.*s ", (int)(bytes < 20 ? bytes : 20), at);
    if (strstr(closers, padded)) { return false; }
    for (size_t i = 0; parser->no_function && i < sizeof(verify_functions) / sizeof(verify_functions[0]); i++) {
        if (strlen(verify_functions[i].name) == bytes && !memcmp(at, verify_functions[i].name, bytes)) { return false; }
    }
    return !(parser->no_function && !strncmp(at, "\\sqrt", 5));
}
static inline int verify_expression(LatexParser *parser, int power) {
    Expression *tree = parser->tree;
    if (++parser->depth > EXPRESSION_MAX_DEPTH) {
        tree->gave_up = "gave up: too deep";
        return verify_fail(parser);
    }
    int left;
    if (verify_take(parser, "-") || verify_take(parser, "−")) {
        left = expression_node(tree, NODE_NEGATE, verify_expression(parser, VERIFY_SIGN), 0);
    } else if (verify_take(parser, "+")) {
        left = verify_expression(parser, VERIFY_SIGN);
    } else if (verify_take(parser, "\\pm") || verify_take(parser, "±")) {
        left = verify_pair(parser, -1, verify_expression(parser, VERIFY_PLUS_MINUS));
    } else {
        left = verify_postfix(parser);
    }
    while (!tree->error) {
        verify_skip_spaces(parser);
        const LatexOperator *found = NULL;
        const char *before = parser->at;
        for (size_t i = 0; i < sizeof(verify_operators) / sizeof(verify_operators[0]) && !found; i++) {
            if (verify_take(parser, verify_operators[i].token)) { found = &verify_operators[i]; }
        }
        if (!found && !verify_at_factor(parser)) { break; }
        int binds = found ? found->power : VERIFY_JUXTAPOSED;
        if (binds <= power) {
            parser->at = before;
            break;
        }
        int right = verify_expression(parser, found ? binds : binds - 1); // 2\frac{1}{2}x is 2 times the rest
        if (tree->error) { break; }
        if (!found) {
            left = verify_juxtapose(parser, left, right);
        } else if (found->kind == NODE_RELATION) {
            left = verify_relate(parser, left, right, found->value);
        } else if (found->kind == NODE_SET) {
            left = verify_pair(parser, left, right);
        } else {
            left = found->kind == NODE_DIVIDE ? verify_divide(parser, left, right) : expression_node(tree, found->kind, left, right);
        }
    }
    parser->depth--;
    return left;
}
// Elements with commas or semicolons between, as a list of the given kind; an empty list when a closer follows at once.
static inline int verify_elements(LatexParser *parser, NodeKind kind) {
    Expression *tree = parser->tree;
    int list = expression_node(tree, kind, -1, 0), last = -1;
    verify_skip_spaces(parser);
    if (!verify_at_factor(parser)) { return list; }
    do {
        int element = verify_expression(parser, 0);
        if (tree->error) { break; }
        bool spread = tree->nodes[element].kind == NODE_SET && tree->nodes[element].value == 1;
        int first = spread ? tree->nodes[element].left : element;
        if (last < 0) {
            tree->nodes[list].left = first;
        } else {
            tree->nodes[last].next = first;
        }
        for (last = first; tree->nodes[last].next >= 0; last = tree->nodes[last].next) {}
    } while (verify_take(parser, ",") || verify_take(parser, ";"));
    return list;
}

// The root of `text` (which must stay where it is and end in a NUL), added to the tree; tree->error when it is no answer.
// `complex` says whether the symbols may be: a lone i stands in the text.
static inline int expression_parse_latex(Expression *tree, const char *text, size_t bytes, bool complex) {
    tree->error = false;
    tree->complex = complex;
    LatexParser parser = {.tree = tree, .at = text, .end = text + bytes};
    bool thousands = text_ascii_digit(*text) || *text == '-'; // 1,234,567 as a whole is one number
    size_t head = strspn(text + (*text == '-'), "0123456789"), at = head + (*text == '-');
    thousands = thousands && head >= 1 && head <= 3 && text[at] == ',';
    while (thousands && text[at] == ',') {
        thousands = strspn(text + at + 1, "0123456789") == 3;
        at += 4;
    }
    if (thousands && text[at] == '.') { at += 1 + strspn(text + at + 1, "0123456789"); }
    if (thousands && text[at] == 0) {
        int number = expression_number(tree, text + (*text == '-'), bytes - (*text == '-')); // its commas are skipped when it is read
        return *text == '-' ? expression_node(tree, NODE_NEGATE, number, 0) : number;
    }
    int list = verify_elements(&parser, NODE_SET);
    verify_skip_spaces(&parser);
    if (tree->error || parser.at != parser.end || tree->nodes[list].left < 0) { return verify_fail(&parser); }
    return tree->nodes[tree->nodes[list].left].next < 0 ? tree->nodes[list].left : list;
}
