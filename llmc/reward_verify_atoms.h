// reward_verify_atoms: the operands of LaTeX answers in the grammar of latex2sympy2_extended 1.11 (its PS.g4): numbers,
// percents, symbols with their index, functions, fractions, roots, brackets, matrices. The operators between them are in
// reward_verify_parse.h. What the grammar has no rule for is an error, since Math-Verify then looks elsewhere in the text.
#pragma once
#include "llmc/reward_verify_matrix.h"

enum { VERIFY_RELATION = 4,
       VERIFY_DIFFERENCE = 5,
       VERIFY_UNION = 6,
       VERIFY_INTERSECTION = 7,
       VERIFY_PLUS_MINUS = 8,
       VERIFY_SUM = 10,
       VERIFY_PRODUCT = 20,
       VERIFY_SIGN = 22,
       VERIFY_JUXTAPOSED = 25,
       VERIFY_POSTFIX = 40,
       VERIFY_POWER = 45 };
enum { LITERAL_RATIONAL = 1, // value of a node: a number as written, such as \frac{1}{2} or 2\frac{1}{2}
       LITERAL_PERCENT = 2 };

static inline int verify_elements(Parser *parser, NodeKind kind, int *groups);

// ---- what a node is
static inline bool verify_is_set(const Expression *tree, int index) { return tree->nodes[index].kind >= NODE_TUPLE && tree->nodes[index].kind <= NODE_NUMBER_SET; }
static inline bool verify_is_relation(const Expression *tree, int index) { return tree->nodes[index].kind == NODE_RELATION || tree->nodes[index].kind == NODE_CHAIN; }
static inline bool verify_is_number(const Expression *tree, int index) { return !verify_is_set(tree, index) && !verify_is_relation(tree, index); } // or a formula, or a matrix
static inline bool verify_node_is_integer(const Expression *tree, int index) {
    const ExpressionNode *node = &tree->nodes[index];
    while (node->kind == NODE_NEGATE) { node = &tree->nodes[node->left]; }
    return node->kind == NODE_NUMBER && !memchr(node->text, '.', (size_t)node->text_bytes) && !memchr(node->text, 'E', (size_t)node->text_bytes);
}
static inline bool verify_node_is_rational(const Expression *tree, int index) {
    const ExpressionNode *node = &tree->nodes[index];
    while (node->kind == NODE_NEGATE) { node = &tree->nodes[index = node->left]; }
    return verify_node_is_integer(tree, index) || ((node->kind == NODE_DIVIDE || node->kind == NODE_ADD) && node->value == LITERAL_RATIONAL);
}
// x, or A/S, xy, f(x), (x, y): what may stand left of an equals sign as a name for the right.
static inline bool verify_only_symbols(const Expression *tree, int index) {
    const ExpressionNode *node = &tree->nodes[index];
    if (node->kind == NODE_SYMBOL) {
        const char *argument = (const char *)memchr(tree->symbols[node->value].text, '\1', (size_t)tree->symbols[node->value].bytes);
        return !argument || !(text_ascii_digit(argument[1]) || argument[1] == '.'); // f(2) is a value
    }
    bool pair = node->kind == NODE_INTERVAL || node->kind == NODE_MULTIPLY || node->kind == NODE_DIVIDE || node->kind == NODE_ADD;
    if (pair) { return verify_only_symbols(tree, node->left) && verify_only_symbols(tree, node->right); }
    bool all = node->kind == NODE_TUPLE;
    for (int i = all ? node->left : -1; i >= 0 && all; i = tree->nodes[i].next) { all = verify_only_symbols(tree, i); }
    return all;
}

// x, f(x) or (x, y): what may stand for a set.
static inline bool verify_is_name(const Expression *tree, int index) { return (tree->nodes[index].kind == NODE_SYMBOL || verify_is_set(tree, index)) && verify_only_symbols(tree, index); }

// ---- tokens
static const struct {
    const char *name;
    int function;
    bool reciprocal; // of its argument: arcsec x is arccos 1/x
} verify_functions[] = {{"\\sin", FUNCTION_sin, false}, {"\\cos", FUNCTION_cos, false}, {"\\tan", FUNCTION_tan, false}, {"\\cot", FUNCTION_cot, false}, {"\\sec", FUNCTION_sec, false}, {"\\csc", FUNCTION_csc, false}, {"\\arcsin", FUNCTION_asin, false}, {"\\arccos", FUNCTION_acos, false}, {"\\arctan", FUNCTION_atan, false}, {"\\arccsc", FUNCTION_asin, true}, {"\\arcsec", FUNCTION_acos, true}, {"\\arccot", FUNCTION_atan, true}, {"\\sinh", FUNCTION_sinh, false}, {"\\cosh", FUNCTION_cosh, false}, {"\\tanh", FUNCTION_tanh, false}, {"\\arsinh", FUNCTION_asinh, false}, {"\\arcosh", FUNCTION_acosh, false}, {"\\artanh", FUNCTION_atanh, false}, {"\\arcsinh", FUNCTION_asinh, false}, {"\\arccosh", FUNCTION_acosh, false}, {"\\arctanh", FUNCTION_atanh, false}, {"\\exp", FUNCTION_exp, false}, {"\\ln", FUNCTION_ln, false}, {"\\log", FUNCTION_ln, false}, {"\\floor", FUNCTION_floor, false}, {"\\ceil", FUNCTION_ceil, false}};

// Lists of commands with a space on both sides. The letters and accents make symbols.
static const char *const verify_letters = " \\alpha \\beta \\gamma \\delta \\epsilon \\varepsilon \\zeta \\eta \\theta \\vartheta \\iota \\kappa \\lambda \\mu \\nu \\xi \\omicron \\varpi \\rho \\varrho \\sigma \\varsigma \\tau \\upsilon \\phi \\varphi \\chi \\psi \\omega \\Gamma \\Delta \\Theta \\Lambda \\Xi \\Pi \\Sigma \\Upsilon \\Phi \\Psi \\Omega \\varnothing \\ell \\hbar \\angle \\measuredangle \\triangle \\imath \\jmath \\nabla \\wp \\Re \\Im \\prime \\square \\complement \\nexists \\spadesuit \\heartsuit \\clubsuit \\surd ";
static const char *const verify_accents = " \\text \\mbox \\acute \\bar \\overline \\breve \\check \\dot \\ddot \\grave \\hat \\tilde \\widetilde \\vec \\overrightarrow \\bm \\boldsymbol \\mathbb \\mathbin \\mathcal \\mathfrak \\mathnormal \\mathop \\mathord \\mathrel \\mathscr \\mathsf \\mathtt ";
static const char *const verify_commands = " \\frac \\sqrt \\binom \\dbinom \\tbinom \\pi \\infty \\emptyset \\lfloor \\rfloor \\llcorner \\lrcorner \\lceil \\rceil \\ulcorner \\urcorner \\lvert \\rvert \\max \\min \\gcd \\lcm \\det \\boxed \\begin \\end \\lbrace \\rbrace \\choose \\sum \\prod \\int \\lim "
                                           "\\pm \\mp \\cdot \\times \\div \\over \\mod \\cup \\cap \\setminus \\neq \\ne \\leqslant \\leq \\le \\geqslant \\geq \\ge \\lt \\gt \\equiv \\in \\approx ";
static const char *const verify_blanks = " \\quad \\qquad \\thinspace \\medspace \\thickspace \\negthinspace \\negmedspace \\negthickspace ";

static inline bool verify_in_list(const char *command, size_t bytes, const char *list) {
    char padded[24];
    snprintf(padded, sizeof(padded), " %.*s ", (int)(bytes < 20 ? bytes : 20), command);
    return strstr(list, padded) != NULL;
}
static inline bool verify_is_command(const char *command, size_t bytes) {
    const char *const lists[] = {verify_commands, verify_blanks, verify_letters, verify_accents};
    for (int i = 0; i < 4; i++) {
        if (verify_in_list(command, bytes, lists[i])) { return true; }
    }
    for (size_t i = 0; i < sizeof(verify_functions) / sizeof(verify_functions[0]); i++) {
        if (strlen(verify_functions[i].name) == bytes && !memcmp(command, verify_functions[i].name, bytes)) { return true; }
    }
    return false;
}
// Sets where the command at `at` ends: behind its letters, or, where these are no command, behind the longest that they
// begin with: \pix is \pi and x. Spaces are skipped first.
static inline void verify_skip_spaces(Parser *parser) {
    for (;;) {
        while (*parser->at == ' ' || *parser->at == '\t' || *parser->at == '\n' || *parser->at == '\r') { parser->at++; }
        const char *at = parser->at;
        if (*at != '\\' || at == parser->command) { return; }
        size_t letters = 1;
        while (parse_is_letter((unsigned char)at[letters])) { letters++; }
        size_t bytes = letters > 20 ? 20 : letters;
        while (bytes > 2 && !verify_is_command(at, bytes)) { bytes--; }
        parser->command = at;
        parser->command_end = at + (bytes > 2 ? bytes : letters > 1 ? letters
                                                    : at[1]         ? 2
                                                                    : 1);
        bool blank = letters == 1 && at[1] && strchr(",;:!", at[1]);
        if (!blank && !verify_in_list(at, bytes, verify_blanks)) { return; }
        parser->at = parser->command_end;
    }
}
static inline bool verify_command_in(const Parser *parser, const char *list) { // the command at parser->at
    return *parser->at == '\\' && verify_in_list(parser->at, (size_t)(parser->command_end - parser->at), list);
}
static inline size_t verify_command_bytes(const char *at) { // \name, or \ and one character
    size_t bytes = 1;
    while (parse_is_letter((unsigned char)at[bytes])) { bytes++; }
    return bytes > 1 ? bytes : at[1] ? 2
                                     : 1;
}
static inline int verify_literal(Parser *parser, const char *digits) { return expression_number(parser->tree, digits, strlen(digits)); }
// The end of the group that opens at `at`, behind its closing bracket, or NULL.
static inline const char *verify_group_end(const char *at, const char *end, char open, char close) {
    int depth = 0;
    for (; at < end; at++) {
        depth += (*at == open) - (*at == close);
        if (depth == 0) { return at + 1; }
    }
    return NULL;
}

// ---- numbers
static inline int verify_divide(Parser *parser, int top, int bottom) {
    Expression *tree = parser->tree;
    int node = expression_node(tree, NODE_DIVIDE, top, bottom);
    if (verify_node_is_integer(tree, top) && verify_node_is_integer(tree, bottom)) { tree->nodes[node].value = LITERAL_RATIONAL; }
    return node;
}
static inline int verify_number(Parser *parser) {
    Expression *tree = parser->tree;
    const char *start = parser->at;
    parser->at += strspn(parser->at, "0123456789");
    if (*parser->at == '.' && text_ascii_digit(parser->at[1])) { parser->at += 1 + strspn(parser->at + 1, "0123456789"); }
    if (parser->at == start) { return parse_fail(parser); }
    size_t exponent = *parser->at == 'E' ? 1 + (parser->at[1] == '-' || parser->at[1] == '+') : 0;
    if (exponent && text_ascii_digit(parser->at[exponent])) { parser->at += exponent + strspn(parser->at + exponent, "0123456789"); }
    int number = expression_number(tree, start, (size_t)(parser->at - start));
    if (*parser->at == '_') { // the base of a numeral is read and ignored
        const char *index = parser->at + 1, *index_end = *index == '{' ? verify_group_end(index, parser->end, '{', '}') : index + strspn(index, "0123456789");
        if (!index_end || index_end == index) { return parse_fail(parser); }
        parser->at = index_end;
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

// ---- symbols
// A symbol whose name is `head` and the `bytes` at `text` without spaces and capitals; behind no head without parentheses.
static inline int verify_symbol(Parser *parser, const char *head, const char *text, size_t bytes) {
    Expression *tree = parser->tree;
    Buffer name = {0};
    buffer_append_text(&name, head);
    for (size_t i = 0; i < bytes; i++) {
        char c = text[i];
        if (c == ' ' || (!*head && (c == '(' || c == ')'))) { continue; }
        c = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        buffer_append(&name, &c, 1);
    }
    int known = expression_find_symbol(tree, name.data, name.size);
    const char *kept = known < tree->symbol_count ? tree->symbols[known].text : expression_keep_text(tree, name.data, name.size);
    int node = kept ? expression_symbol(tree, kept, name.size) : 0;
    buffer_free(&name);
    return node;
}
// A letter, Greek letter or \text{...} that ends at parser->at, with its index and, where it reads f(x), its argument: then
// the whole is one opaque symbol. The argument is one number, letter or command, or several things with commas between.
static inline int verify_symbol_tail(Parser *parser, const char *head, const char *name, size_t bytes, bool may_apply) {
    Buffer full = text_copy(name, bytes);
    if (*parser->at == '_') {
        const char *index = parser->at + 1, *index_end = *index == '{' ? verify_group_end(index, parser->end, '{', '}') : index + (*index == '\\' ? verify_command_bytes(index) : *index != 0);
        if (!index_end) {
            buffer_free(&full);
            return parse_fail(parser);
        }
        while (text_ascii_digit(*index) && text_ascii_digit(*index_end)) { index_end++; } // x_12 takes the whole number
        size_t inner = (size_t)(index_end - index) - (*index == '{' ? 2 : 0);
        buffer_printf(&full, inner > 1 ? "_{%.*s}" : "_%.*s", (int)inner, index + (*index == '{'));
        parser->at = index_end;
    }
    size_t argument = may_apply && *parser->at == '(' ? strcspn(parser->at, ")+-*/;={<> ") : 0;
    if (argument > 1 && parser->at[argument] == ')') {
        const char *first = parser->at + 1;
        size_t power = strcspn(first, "^)");
        bool one = *first == '\\' || strspn(first, "0123456789.") == argument - 1 || (power == 1 && parse_is_letter((unsigned char)*first)) || memchr(first, ',', argument - 1);
        if (one) {
            buffer_append_text(&full, "\1"); // keeps f(x) apart from a symbol named fx
            buffer_append(&full, first, argument - 1);
            parser->at += argument + 1;
        }
    }
    int node = verify_symbol(parser, head, full.data, full.size);
    buffer_free(&full);
    return node;
}

// ---- groups and functions
static inline int verify_formula(Parser *parser) { // a formula: no set, no relation
    int node = parse_expression(parser, VERIFY_PLUS_MINUS);
    return parser->tree->error || !verify_is_number(parser->tree, node) ? parse_fail(parser) : node;
}
static inline int verify_enclosed(Parser *parser, const char *close) { // up to the closing bracket
    bool outer = parser->no_function;
    parser->no_function = false;
    int inside = verify_formula(parser);
    parser->no_function = outer;
    return parse_take(parser, close) ? inside : parse_fail(parser);
}
static inline int verify_group(Parser *parser) { return parse_take(parser, "{") ? verify_enclosed(parser, "}") : parse_fail(parser); }
// What a power or an index takes without braces: one number, letter, command. A letter takes its own power first.
static inline int verify_exponent(Parser *parser) {
    Expression *tree = parser->tree;
    verify_skip_spaces(parser);
    const char *at = parser->at;
    if (*at == '{') { return verify_group(parser); }
    if (text_ascii_digit(*at) || *at == '.') { return verify_number(parser); }
    if (!parse_is_letter((unsigned char)*at) && !verify_command_in(parser, " \\pi \\infty \\theta \\alpha \\beta \\lambda \\mu \\phi \\omega \\gamma \\text ")) { return parse_fail(parser); }
    if (*at == 'e' || ++parser->depth > EXPRESSION_MAX_DEPTH) { return parse_fail(parser); }
    int base = parser->dialect->operand(parser);
    if (!tree->error && parse_take(parser, "^")) { base = expression_node(tree, NODE_POWER, base, verify_exponent(parser)); }
    parser->depth--;
    return base;
}
static inline bool verify_is_minus_one(const Expression *tree, int index) {
    const ExpressionNode *node = &tree->nodes[index];
    return node->kind == NODE_NEGATE && tree->nodes[node->left].text_bytes == 1 && *tree->nodes[node->left].text == '1';
}
static inline int verify_bare_argument(Parser *parser) { // of \sin x: a product, up to the next function
    verify_skip_spaces(parser);
    if (parse_take(parser, "(")) { return verify_enclosed(parser, ")"); }
    bool outer = parser->no_function;
    parser->no_function = true;
    int argument = parse_expression(parser, VERIFY_SUM);
    parser->no_function = outer;
    return parser->tree->error || !verify_is_number(parser->tree, argument) ? parse_fail(parser) : argument;
}
static inline int verify_function(Parser *parser, int which) {
    Expression *tree = parser->tree;
    bool logarithm = !strcmp(verify_functions[which].name, "\\log");
    int base = -1, exponent = -1, function = verify_functions[which].function;
    for (int i = 0; i < 2; i++) {
        if (parse_take(parser, "_")) { base = verify_exponent(parser); }
        if (parse_take(parser, "^")) { exponent = verify_exponent(parser); }
    }
    int argument = verify_bare_argument(parser);
    if (tree->error || matrix_is(tree, argument)) { return parse_fail(parser); }
    if (exponent >= 0 && function <= FUNCTION_tan && function >= FUNCTION_sin && verify_is_minus_one(tree, exponent)) {
        function += FUNCTION_asin - FUNCTION_sin;
        exponent = -1;
    }
    if (verify_functions[which].reciprocal) { argument = expression_node(tree, NODE_DIVIDE, verify_literal(parser, "1"), argument); }
    int node = expression_call(tree, (ExpressionFunction)function, argument);
    if (logarithm && base < 0) { base = verify_literal(parser, "10"); }
    if (function == FUNCTION_ln && base >= 0) { node = expression_node(tree, NODE_DIVIDE, node, expression_call(tree, FUNCTION_ln, base)); }
    return exponent >= 0 ? expression_node(tree, NODE_POWER, node, exponent) : node;
}
static inline int verify_extremum(Parser *parser, bool largest) { // max(a, b) = (a + b + |a - b|) / 2
    Expression *tree = parser->tree;
    if (!parse_take(parser, "(")) { return parse_fail(parser); }
    int best = verify_formula(parser);
    while (!tree->error && parse_take(parser, ",")) {
        int other = verify_formula(parser), sum = expression_node(tree, NODE_ADD, best, other), distance = expression_call(tree, FUNCTION_abs, expression_node(tree, NODE_SUBTRACT, best, other));
        best = expression_node(tree, NODE_DIVIDE, expression_node(tree, largest ? NODE_ADD : NODE_SUBTRACT, sum, distance), verify_literal(parser, "2"));
    }
    return parse_take(parser, ")") ? best : parse_fail(parser);
}
static inline int verify_divisor(Parser *parser, bool greatest) { // \gcd and \lcm of written integers
    Expression *tree = parser->tree;
    unsigned long long result = 0;
    if (!parse_take(parser, "(")) { return parse_fail(parser); }
    do {
        verify_skip_spaces(parser);
        size_t digits = strspn(parser->at, "0123456789");
        if (digits == 0 || digits > 9) { return parse_fail(parser); }
        unsigned long long next = strtoull(parser->at, NULL, 10), a = result, b = next;
        parser->at += digits;
        while (b) {
            unsigned long long rest = a % b;
            a = b;
            b = rest;
        }
        result = greatest || result == 0 ? (greatest ? a : next) : a ? result / a * next
                                                                     : 0;
        if (result >> 33) { return parse_fail(parser); }
    } while (parse_take(parser, ","));
    char text[24];
    size_t bytes = (size_t)snprintf(text, sizeof(text), "%llu", result);
    const char *kept = parse_take(parser, ")") ? expression_keep_text(tree, text, bytes) : NULL;
    return kept ? expression_number(tree, kept, bytes) : parse_fail(parser);
}
static inline int verify_binomial(Parser *parser, int n, int k) { // n! / (k! (n-k)!)
    Expression *tree = parser->tree;
    int below = expression_call(tree, FUNCTION_factorial, expression_node(tree, NODE_SUBTRACT, n, k));
    below = expression_node(tree, NODE_MULTIPLY, expression_call(tree, FUNCTION_factorial, k), below);
    return expression_node(tree, NODE_DIVIDE, expression_call(tree, FUNCTION_factorial, n), below);
}
static inline int verify_matrix(Parser *parser) { // behind \begin
    static const char *const kinds[] = {"{matrix}", "{pmatrix}", "{bmatrix}", "{vmatrix}", "{array}"};
    int kind = 0;
    while (kind < 5 && !parse_take(parser, kinds[kind])) { kind++; }
    if (kind == 5) { return parse_fail(parser); }
    if (kind == 4) {
        verify_skip_spaces(parser);
        size_t columns = *parser->at == '{' ? strspn(parser->at + 1, "clr") : 0;
        if (*parser->at != '{' || parser->at[1 + columns] != '}') { return parse_fail(parser); }
        parser->at += columns + 2;
    }
    Expression *tree = parser->tree;
    int matrix = expression_node(tree, NODE_MATRIX, -1, 0), last = -1, columns = 0, column = 0;
    while (!tree->error) {
        int element = verify_formula(parser);
        if (tree->error) { return 0; }
        if (last < 0) {
            tree->nodes[matrix].left = element;
        } else {
            tree->nodes[last].next = element;
        }
        last = element;
        column++;
        if (parse_take(parser, "&")) { continue; }
        if (columns && columns != column) { return parse_fail(parser); }
        columns = column;
        column = 0;
        bool row_end = parse_take(parser, "\\\\");
        if (parse_take(parser, "\\end")) { break; }
        if (!row_end) { return parse_fail(parser); }
    }
    tree->nodes[matrix].value = columns;
    bool determinant = kind == 3;
    // The environments of a matrix may close one another.
    bool closed = kind >= 3 ? parse_take(parser, kinds[kind]) : parse_take(parser, kinds[0]) || parse_take(parser, kinds[1]) || parse_take(parser, kinds[2]);
    return !closed ? parse_fail(parser) : determinant ? matrix_determinant(parser, matrix)
                                                      : matrix;
}

// ---- brackets: a group, an interval, a tuple or a set
static inline int verify_bracket(Parser *parser) { // behind a ( or [, which stands just before
    Expression *tree = parser->tree;
    bool left_open = parser->at[-1] == '(', outer = parser->no_function;
    int groups = 0;
    parser->no_function = false;
    int list = verify_elements(parser, NODE_TUPLE, &groups);
    parser->no_function = outer;
    bool right_open = !tree->error && (parse_take(parser, ")") || parse_take(parser, "\\)"));
    if (!right_open && (tree->error || !parse_take(parser, "]"))) { return parse_fail(parser); }
    int first = tree->nodes[list].left, second = first < 0 ? -1 : tree->nodes[first].next;
    bool interval = second >= 0 && tree->nodes[second].next < 0 && groups == 1 && verify_is_number(tree, first) && verify_is_number(tree, second);
    if (first < 0 || (!interval && left_open != right_open)) { return parse_fail(parser); }
    if (second < 0) { return first; }
    if (!interval) { return list; }
    tree->nodes[list].kind = NODE_INTERVAL;
    tree->nodes[list].right = second;
    tree->nodes[list].value = (left_open ? INTERVAL_LEFT_OPEN : 0) | (right_open ? INTERVAL_RIGHT_OPEN : 0);
    return list; // `left` and `next` still make it the list that a tuple would be
}
static inline int verify_braces(Parser *parser, const char *close) { // {...}: a group, a set where it holds several or a set
    Expression *tree = parser->tree;
    bool outer = parser->no_function;
    int groups = 0;
    parser->no_function = false;
    int list = verify_elements(parser, NODE_SET, &groups), first = tree->nodes[list].left;
    parser->no_function = outer;
    if (!tree->error && first >= 0 && tree->nodes[first].next < 0 && verify_is_number(tree, first) && parse_take(parser, "\\choose")) {
        first = verify_binomial(parser, first, verify_formula(parser));
        return parse_take(parser, close) ? first : parse_fail(parser);
    }
    if (tree->error || !parse_take(parser, close)) { return parse_fail(parser); }
    bool group = first >= 0 && tree->nodes[first].next < 0 && verify_is_number(tree, first) && *close != '\\';
    return group ? first : list;
}
static inline int verify_root(Parser *parser) { // behind \sqrt
    Expression *tree = parser->tree;
    int root = parse_take(parser, "[") ? verify_enclosed(parser, "]") : -1, base = tree->error ? 0 : verify_group(parser);
    if (root < 0) { return expression_call(tree, FUNCTION_sqrt, base); }
    return expression_node(tree, NODE_POWER, base, expression_node(tree, NODE_DIVIDE, verify_literal(parser, "1"), root));
}
static inline int verify_accent(Parser *parser) { // \text{...} and its like: a symbol, up to the first closing brace
    const char *at = parser->at;
    size_t bytes = (size_t)(parser->command_end - at);
    char head[24];
    snprintf(head, sizeof(head), "%.*s ", (int)(bytes < 20 ? bytes : 20), at);
    const char *group = at + bytes + (at[bytes] == ' '), *close = group;
    while (close < parser->end && !(*close == '}' && close[-1] != '\\')) { close++; }
    if (*group != '{' || close == parser->end) { return parse_fail(parser); }
    parser->at = close + 1;
    static const char *const same[][2] = {{"\\text ", ""}, {"\\mbox ", ""}, {"\\overline ", "\\bar "}, {"\\overrightarrow ", "\\vec "}, {"\\widetilde ", "\\tilde "}};
    const char *name = strncmp(head, "\\math", 5) ? head : "\\math ";
    for (int i = 0; i < 5; i++) { name = strcmp(head, same[i][0]) ? name : same[i][1]; }
    return verify_symbol_tail(parser, name, group + 1, (size_t)(close - group - 1), true);
}
static const char *const verify_greek[][2] = {{"α", "alpha"}, {"β", "beta"}, {"γ", "gamma"}, {"δ", "delta"}, {"ε", "epsilon"}, {"ζ", "zeta"}, {"η", "eta"}, {"θ", "theta"}, {"κ", "kappa"}, {"λ", "lambda"}, {"μ", "mu"}, {"ν", "nu"}, {"ξ", "xi"}, {"ρ", "rho"}, {"σ", "sigma"}, {"τ", "tau"}, {"φ", "phi"}, {"χ", "chi"}, {"ψ", "psi"}, {"ω", "omega"}, {"Γ", "gamma"}, {"Δ", "delta"}, {"Θ", "theta"}, {"Λ", "lambda"}, {"Σ", "sigma"}, {"Φ", "phi"}, {"Ψ", "psi"}, {"Ω", "omega"}};

static inline int verify_command(Parser *parser) { // at a backslash
    Expression *tree = parser->tree;
    const char *at = parser->at;
    for (size_t i = 0; i < sizeof(verify_functions) / sizeof(verify_functions[0]); i++) {
        if (parse_take(parser, verify_functions[i].name)) { return verify_function(parser, (int)i); }
    }
    if (parse_take(parser, "\\frac")) {
        int top = verify_group(parser), bottom = tree->error ? 0 : verify_group(parser);
        return tree->error ? 0 : verify_divide(parser, top, bottom);
    }
    if (parse_take(parser, "\\sqrt")) { return verify_root(parser); }
    if (parse_take(parser, "\\binom") || parse_take(parser, "\\dbinom") || parse_take(parser, "\\tbinom")) {
        int n = verify_group(parser);
        return tree->error ? 0 : verify_binomial(parser, n, verify_group(parser));
    }
    if (parse_take(parser, "\\pi")) { return expression_node(tree, NODE_PI, 0, 0); }
    if (parse_take(parser, "\\infty")) { return expression_node(tree, NODE_INFINITY, 0, 0); }
    if (parse_take(parser, "\\emptyset")) { return expression_node(tree, NODE_SET, -1, 0); }
    static const struct {
        const char *open, *close;
        ExpressionFunction function;
    } enclosed[] = {{"\\lfloor", "\\rfloor", FUNCTION_floor}, {"\\llcorner", "\\lrcorner", FUNCTION_floor}, {"\\lceil", "\\rceil", FUNCTION_ceil}, {"\\ulcorner", "\\urcorner", FUNCTION_ceil}, {"\\lvert", "\\rvert", FUNCTION_abs}};
    for (int i = 0; i < 5; i++) {
        if (parse_take(parser, enclosed[i].open)) { return expression_call(tree, enclosed[i].function, verify_enclosed(parser, enclosed[i].close)); }
    }
    if (parse_take(parser, "\\max")) { return verify_extremum(parser, true); }
    if (parse_take(parser, "\\min")) { return verify_extremum(parser, false); }
    if (parse_take(parser, "\\gcd")) { return verify_divisor(parser, true); }
    if (parse_take(parser, "\\lcm")) { return verify_divisor(parser, false); }
    if (parse_take(parser, "\\det")) {
        int matrix = verify_bare_argument(parser);
        return !tree->error && matrix_is(tree, matrix) ? matrix_determinant(parser, matrix) : parse_fail(parser);
    }
    if (parse_take(parser, "\\boxed")) { return parse_take(parser, "{") ? verify_braces(parser, "}") : parse_fail(parser); }
    if (parse_take(parser, "\\begin")) { return verify_matrix(parser); }
    if (parse_take(parser, "\\{")) { return verify_braces(parser, "\\}"); }
    if (parse_take(parser, "\\(")) { return verify_bracket(parser); }
    if (parse_take(parser, "\\lbrace")) { // the empty set, or a group
        if (!parse_take(parser, "\\rbrace")) { return verify_enclosed(parser, "\\rbrace"); }
        return expression_node(tree, NODE_SET, -1, 0);
    }
    if (!strncmp(at, "\\mathbb{", 8) && at[8] && strchr("NZQRC", at[8]) && at[9] == '}') {
        parser->at += 10;
        int node = expression_node(tree, NODE_NUMBER_SET, 0, 0);
        tree->nodes[node].value = at[8];
        return node;
    }
    if (verify_command_in(parser, " \\sum \\prod \\int \\lim ")) {
        tree->gave_up = "gave up: a sum, product, integral or limit";
        return parse_fail(parser);
    }
    if (verify_command_in(parser, verify_accents)) { return verify_accent(parser); }
    if (!verify_command_in(parser, verify_letters)) { return parse_fail(parser); }
    parser->at = parser->command_end;
    return verify_symbol_tail(parser, "", at + 1, (size_t)(parser->at - at - 1), true);
}
static inline int verify_operand(Parser *parser) {
    Expression *tree = parser->tree;
    const char *at = parser->at;
    if (text_ascii_digit(*at) || *at == '.') { return verify_number(parser); }
    if (*at == '\\') { return verify_command(parser); }
    if (parse_take(parser, "(") || parse_take(parser, "[")) { return verify_bracket(parser); }
    if (parse_take(parser, "{")) { return verify_braces(parser, "}"); }
    if (parse_take(parser, "|")) {
        parser->bars++;
        int inside = verify_formula(parser);
        parser->bars--;
        return parse_take(parser, "|") ? expression_call(tree, FUNCTION_abs, inside) : parse_fail(parser);
    }
    if (parse_take(parser, "π")) { return expression_node(tree, NODE_PI, 0, 0); }
    if (parse_take(parser, "∅")) { return expression_node(tree, NODE_SET, -1, 0); }
    for (size_t i = 0; i < sizeof(verify_greek) / sizeof(verify_greek[0]); i++) {
        if (parse_take(parser, verify_greek[i][0])) { return verify_symbol_tail(parser, "", verify_greek[i][1], strlen(verify_greek[i][1]), true); }
    }
    // Names that the grammar keeps for \\operatorname: "true" has the trace in it.
    static const char *const reserved[] = {"tr", "gcd", "lcm", "floor", "ceil", "eye", "zeros", "ones", "cols", "rows", "diag", "norm", "rank", "rref", "hstack", "vstack", "orth", "nullspace", "eig", "svd", "SVD", "matrix", "pmatrix", "bmatrix", "vmatrix", "arsinh", "arcsinh", "arcosh", "arccosh", "artanh", "arctanh"};
    bool kept = !parse_is_letter((unsigned char)*at);
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]) && !kept; i++) { kept = *at == *reserved[i] && !strncmp(at, reserved[i], strlen(reserved[i])); }
    if (kept) { return parse_fail(parser); }
    parser->at++;
    if (*at == 'e') { return expression_node(tree, NODE_E, 0, 0); }
    if (*at == 'I') { return expression_node(tree, NODE_I, 0, 0); }
    const char *variable = at + 1 + strspn(at + 1, " ");
    if (*at == 'd' && (parse_is_letter((unsigned char)*variable) || (*variable == '\\' && parse_is_letter((unsigned char)variable[1])))) { // dx
        size_t bytes = *variable == '\\' ? verify_command_bytes(variable) : 1;
        parser->at = variable + bytes;
        return verify_symbol(parser, "d", variable, bytes);
    }
    return verify_symbol_tail(parser, "", at, 1, *at != 'E');
}
