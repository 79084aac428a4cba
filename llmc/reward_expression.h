// reward_expression: answers as trees, and the parser for the plain notation that DeepScaleR's grader hands to sympy.
//
// The notation is Python with implicit multiplication (sympy's parse_expr with implicit_multiplication_application):
// "3xy(x+1)" is 3*x*y*(x+1), "1/2x" is (1/2)*x, "-2^2" is -(2^2), a name is split into letters and digit runs unless it
// is a function, a constant, a Greek letter's name or has an underscore. What Python would refuse is an error, and an
// error means "not equal". A Pratt parser: one loop over operators, their binding power decides who takes what.
#pragma once
#include "llmc/reward_text.h"

enum { EXPRESSION_MAX_NODES = 1024,
       EXPRESSION_MAX_DEPTH = 100,
       EXPRESSION_MAX_SYMBOLS = 16 };

typedef enum {
    NODE_NUMBER, // text: digits, point, exponent
    NODE_SYMBOL, // value: index into symbols
    NODE_PI,
    NODE_E,
    NODE_I,
    NODE_ADD, // left, right
    NODE_SUBTRACT,
    NODE_MULTIPLY,
    NODE_DIVIDE,
    NODE_POWER,
    NODE_NEGATE, // left
    NODE_CALL,   // left: the argument; value: an ExpressionFunction
    // What only the math_verify grader reads; lists go from `left` along `next`.
    NODE_INFINITY,
    NODE_RELATION,     // left, right; value: an ExpressionRelation
    NODE_CHAIN,        // list of relations: 1 < x < 2
    NODE_TUPLE,        // list
    NODE_SET,          // list; value 1: from \pm, to be spread over the list around it
    NODE_INTERVAL,     // left, right; value: INTERVAL_LEFT_OPEN | INTERVAL_RIGHT_OPEN
    NODE_UNION,        // left, right
    NODE_INTERSECTION, // left, right
    NODE_DIFFERENCE,   // left, right
    NODE_NUMBER_SET,   // value: one of "NZQRC"
    NODE_MATRIX,       // list, row by row; value: columns
} NodeKind;
enum { INTERVAL_LEFT_OPEN = 1,
       INTERVAL_RIGHT_OPEN = 2 };
typedef enum { RELATION_EQUAL,
               RELATION_UNEQUAL,
               RELATION_LESS,
               RELATION_GREATER,
               RELATION_LESS_EQUAL,
               RELATION_GREATER_EQUAL } ExpressionRelation;

typedef enum {
    FUNCTION_sqrt,
    FUNCTION_ln,
    FUNCTION_exp,
    FUNCTION_sin,
    FUNCTION_cos,
    FUNCTION_tan,
    FUNCTION_cot,
    FUNCTION_sec,
    FUNCTION_csc,
    FUNCTION_asin,
    FUNCTION_acos,
    FUNCTION_atan,
    FUNCTION_sinh,
    FUNCTION_cosh,
    FUNCTION_tanh,
    FUNCTION_re,
    FUNCTION_im,
    FUNCTION_abs,
    FUNCTION_factorial,
    FUNCTION_factorial2,
    FUNCTION_floor,
    FUNCTION_ceil,
} ExpressionFunction;

typedef struct {
    NodeKind kind;
    int left, right, value;
    int next;         // the next of a list, -1 for the last
    const char *text; // into the parsed text, which must outlive the tree
    int text_bytes;
} ExpressionNode;

typedef struct {
    ExpressionNode nodes[EXPRESSION_MAX_NODES];
    int count, symbol_count;
    struct {
        const char *text; // like a number's, or in `names`
        int bytes;
        bool complex; // two symbols of one name differ where one may be complex and the other is real
    } symbols[EXPRESSION_MAX_SYMBOLS];
    bool complex, real_points; // of the symbols read now; whether a zero test may stay on the real line
    char names[1024];
    int name_bytes;
    const char *gave_up; // "gave up: ...": a limit was met, nothing is known of the text
    bool error;          // not an expression
} Expression;

static inline void expression_clear(Expression *tree) { // the arrays may hold anything
    tree->count = tree->symbol_count = tree->name_bytes = 0;
    tree->gave_up = NULL;
    tree->error = tree->complex = tree->real_points = false;
}
static inline int expression_node(Expression *tree, NodeKind kind, int left, int right) {
    if (tree->count == EXPRESSION_MAX_NODES) {
        tree->gave_up = "gave up: too long";
        tree->error = true;
        return 0;
    }
    tree->nodes[tree->count] = (ExpressionNode){.kind = kind, .left = left, .right = right, .next = -1};
    return tree->count++;
}
static inline int expression_number(Expression *tree, const char *text, size_t bytes) {
    int node = expression_node(tree, NODE_NUMBER, 0, 0);
    tree->nodes[node].text = text;
    tree->nodes[node].text_bytes = (int)bytes;
    return node;
}
static inline int expression_symbol(Expression *tree, const char *text, size_t bytes) {
    int index = 0;
    while (index < tree->symbol_count && (tree->symbols[index].bytes != (int)bytes || tree->symbols[index].complex != tree->complex || memcmp(tree->symbols[index].text, text, bytes))) { index++; }
    if (index == EXPRESSION_MAX_SYMBOLS) {
        tree->gave_up = "gave up: too many symbols";
        tree->error = true;
        return 0;
    }
    if (index == tree->symbol_count) {
        tree->symbols[tree->symbol_count].text = text;
        tree->symbols[tree->symbol_count].complex = tree->complex;
        tree->symbols[tree->symbol_count++].bytes = (int)bytes;
    }
    int node = expression_node(tree, NODE_SYMBOL, 0, 0);
    tree->nodes[node].value = index;
    return node;
}
static inline int expression_call(Expression *tree, ExpressionFunction function, int argument) {
    int node = expression_node(tree, NODE_CALL, argument, 0);
    tree->nodes[node].value = function;
    return node;
}

// ---- the parser
typedef struct {
    Expression *tree;
    const char *at, *end;
    const char *name_end; // while at < name_end, a name is being split into letters and digits
    int depth;
    const char *newline; // equal to `at` when a line break lies just before it: nothing is multiplied across one
} PlainParser;

enum { POWER_SUM = 10,
       POWER_PRODUCT = 20,
       POWER_SIGN = 30,
       POWER_POWER = 40 };

static inline int plain_fail(PlainParser *parser) {
    parser->tree->error = true;
    return 0;
}
static inline void plain_skip_spaces(PlainParser *parser) {
    const char *start = parser->at;
    while (parser->at < parser->end && strchr(" \t\f\n\r", *parser->at)) { parser->at++; }
    if (memchr(start, '\n', (size_t)(parser->at - start)) || memchr(start, '\r', (size_t)(parser->at - start))) { parser->newline = parser->at; }
}

// The bytes of a number as Python's tokenizer cuts it: "12", "1_000", "0x1f", "2.", ".5", "2e3"; 0 when there is none.
// A leading zero stands alone unless a point or an exponent follows: "007" is "00" and "7".
static inline size_t plain_digits(const char *at) {
    const char *p = at;
    while (text_ascii_digit(*p) || (*p == '_' && p > at && text_ascii_digit(p[1]))) { p++; }
    return (size_t)(p - at);
}
static inline size_t plain_number_bytes(const char *at) {
    const char *p = at + plain_digits(at);
    bool whole = p > at, fraction = *p == '.' && (whole || text_ascii_digit(p[1]));
    if (!whole && !fraction) { return 0; }
    if (fraction) { p += 1 + plain_digits(p + 1); }
    if (*p == 'e' || *p == 'E') {
        const char *exponent = p + 1 + (p[1] == '+' || p[1] == '-');
        size_t digits = plain_digits(exponent);
        if (digits) { return (size_t)(exponent - at) + digits; }
    }
    if (fraction || *at != '0') { return (size_t)(p - at); }
    for (p = at; *p == '0' || (*p == '_' && p[1] == '0'); p++) {}
    return (size_t)(p - at);
}

static inline bool plain_name_is(const char *name, size_t bytes, const char *list) { // list: names with a space on both sides
    char padded[16];
    if (bytes + 3 > sizeof(padded)) { return false; }
    snprintf(padded, sizeof(padded), " %.*s ", (int)bytes, name);
    return strstr(list, padded) != NULL;
}
static inline int plain_expression(PlainParser *parser, int power);

static inline int plain_parenthesis(PlainParser *parser) { // at the '('
    parser->at++;
    parser->name_end = parser->at;
    int inside = plain_expression(parser, 0);
    plain_skip_spaces(parser);
    if (parser->tree->error || parser->at == parser->end || *parser->at != ')') { return plain_fail(parser); }
    parser->at++;
    return inside;
}
static inline int plain_name(PlainParser *parser) { // at the first character of a name
    const char *name = parser->at, *p = name;
    int32_t code;
    while (p < parser->end) {
        size_t step = text_decode(&code, p, parser->end);
        if (!text_is_word(code)) { break; }
        if (code >= 128 && !text_is_alpha(code)) { return plain_fail(parser); } // digits and numerals of other scripts
        p += step;
    }
    size_t bytes = (size_t)(p - name);
    if (plain_name_is(name, bytes, " sqrt ln re im csc ")) { // functions of at most two letters, and sqrt
        parser->at = p;
        plain_skip_spaces(parser);
        if (parser->at == parser->end || *parser->at != '(') { return plain_fail(parser); }
        int argument = plain_parenthesis(parser);
        return expression_call(parser->tree, *name == 's' ? FUNCTION_sqrt : *name == 'l' ? FUNCTION_ln
                                                                        : *name == 'r'   ? FUNCTION_re
                                                                        : *name == 'i'   ? FUNCTION_im
                                                                                         : FUNCTION_csc,
                               argument);
    }
    // Other names that sympy or Python know, none of which can make two answers equal.
    if (plain_name_is(name, bytes, " oo zoo nan gff rf ff frac li jn yn hn1 hn2 fft ntt fu eye all id if is in or as ")) { return plain_fail(parser); }
    if (plain_name_is(name, bytes, " pi ")) {
        parser->at = p;
        return expression_node(parser->tree, NODE_PI, 0, 0);
    }
    if (memchr(name, '_', bytes) || plain_name_is(name, bytes, " mu nu xi ")) {
        parser->at = p;
        return expression_symbol(parser->tree, name, bytes);
    }
    parser->name_end = p;
    size_t first = text_decode(&code, name, parser->end);
    parser->at += first;
    return expression_symbol(parser->tree, name, first);
}
static inline int plain_primary(PlainParser *parser) {
    const char *at = parser->at;
    int32_t code;
    size_t bytes = text_decode(&code, at, parser->end);
    if (at < parser->name_end) { // inside a split name
        if (text_ascii_digit(code)) {
            while (parser->at < parser->name_end && text_ascii_digit(*parser->at)) { parser->at++; }
            return expression_number(parser->tree, at, (size_t)(parser->at - at));
        }
        parser->at += bytes;
        return expression_symbol(parser->tree, at, bytes);
    }
    if (code == '(') { return plain_parenthesis(parser); }
    if (text_is_alpha(code) || code == '_') { return plain_name(parser); }
    bytes = plain_number_bytes(at);
    if (bytes == 0) { return plain_fail(parser); }
    int32_t suffix = at + bytes < parser->end ? at[bytes] : 0;
    if (suffix == 'j' || (bytes == 1 && *at == '0' && suffix && strchr("xob", suffix))) { return plain_fail(parser); } // 3j, 0x1f
    parser->at += bytes;
    return expression_number(parser->tree, at, bytes);
}
static inline bool plain_at_factorial(const PlainParser *parser, const char *at) {
    return at < parser->end && *at == '!' && !(at + 1 < parser->end && at[1] == '=');
}
// An operand with the signs before it: a sign binds tighter than a product and looser than a power.
static inline int plain_operand(PlainParser *parser) {
    bool negative = false, sign = false;
    for (plain_skip_spaces(parser); parser->at < parser->end && (*parser->at == '-' || *parser->at == '+'); plain_skip_spaces(parser)) {
        negative ^= *parser->at++ == '-';
        sign = true;
    }
    if (sign) {
        int operand = plain_expression(parser, POWER_SIGN);
        return negative ? expression_node(parser->tree, NODE_NEGATE, operand, 0) : operand;
    }
    if (parser->at == parser->end) { return plain_fail(parser); }
    int left = plain_primary(parser);
    plain_skip_spaces(parser);
    if (plain_at_factorial(parser, parser->at)) {
        int marks = 0;
        for (; plain_at_factorial(parser, parser->at); parser->at++) { marks++; }
        if (marks > 2) { return plain_fail(parser); }
        left = expression_call(parser->tree, marks == 1 ? FUNCTION_factorial : FUNCTION_factorial2, left);
    }
    return left;
}
static inline int plain_expression(PlainParser *parser, int power) {
    Expression *tree = parser->tree;
    if (++parser->depth > EXPRESSION_MAX_DEPTH) {
        tree->gave_up = "gave up: too deep";
        return plain_fail(parser);
    }
    int left = plain_operand(parser);
    while (!tree->error) {
        plain_skip_spaces(parser);
        const char *at = parser->at;
        char c = at < parser->end ? *at : ')';
        char next = at + 1 < parser->end ? at[1] : 0;
        if (c == ')') { break; }
        bool raise = c == '^' || (c == '*' && next == '*');
        NodeKind kind = raise ? NODE_POWER : c == '*' ? NODE_MULTIPLY
                                         : c == '/'   ? NODE_DIVIDE
                                         : c == '+'   ? NODE_ADD
                                         : c == '-'   ? NODE_SUBTRACT
                                                      : NODE_MULTIPLY;
        bool written = strchr("^*/+-", c) != NULL;
        int binds = raise ? POWER_POWER : kind == NODE_ADD || kind == NODE_SUBTRACT ? POWER_SUM
                                                                                    : POWER_PRODUCT;
        if (binds <= power) { break; }
        if (!written && (parser->newline == at || strchr(",=<>!|&%@:;[]{}\"'`?#\\~", c))) { return plain_fail(parser); }
        if (written) { parser->at += raise && c == '*' ? 2 : 1; }
        if (c == '/' && next == '/') { return plain_fail(parser); }
        int right = plain_expression(parser, raise ? POWER_SIGN : binds); // a power takes a signed operand and powers to its right
        left = expression_node(tree, kind, left, right);
    }
    parser->depth--;
    return left;
}

// Parses `text`, which must stay where it is; returns the root. See `error` and `gave_up` of the tree.
static inline int expression_parse_plain(Expression *tree, const char *text, size_t bytes) {
    expression_clear(tree);
    PlainParser parser = {.tree = tree, .at = text, .end = text + bytes, .name_end = text};
    int root = plain_expression(&parser, 0);
    plain_skip_spaces(&parser);
    if (parser.at != parser.end) { return plain_fail(&parser); }
    return root;
}
