// reward_plain: the plain notation that DeepScaleR's grader hands to sympy: Python with implicit multiplication (sympy's
// parse_expr with implicit_multiplication_application). "3xy(x+1)" is 3*x*y*(x+1), "1/2x" is (1/2)*x, "-2^2" is -(2^2), a
// name is split into letters and digit runs unless it is a function, a constant, a Greek letter's name or has an
// underscore. What Python would refuse is an error, and an error means "not equal".
#pragma once
#include "llmc/reward_parse.h"

enum { PLAIN_SUM = 10,
       PLAIN_PRODUCT = 20,
       PLAIN_SIGN = 30,
       PLAIN_POWER = 40,
       PLAIN_POSTFIX = 50 };

static inline void plain_skip_spaces(Parser *parser) {
    const char *start = parser->at;
    while (parser->at < parser->end && strchr(" \t\f\n\r", *parser->at)) { parser->at++; }
    if (memchr(start, '\n', (size_t)(parser->at - start)) || memchr(start, '\r', (size_t)(parser->at - start))) { parser->newline = parser->at; }
}

// ---- numbers
static inline size_t plain_digits(const char *at, const char *digits) { // an underscore may stand before each but the first
    const char *p = at;
    while (*p && (strchr(digits, *p) || (*p == '_' && p > at && p[1] && strchr(digits, p[1])))) { p++; }
    return (size_t)(p - at);
}
// The bytes of a number as Python's tokenizer cuts it: "12", "1_000", "2.", ".5", "2e3"; 0 when there is none. A leading
// zero stands alone unless a point or an exponent follows: "007" is "00" and "7".
static inline size_t plain_number_bytes(const char *at) {
    const char *decimal = "0123456789", *p = at + plain_digits(at, decimal);
    bool whole = p > at, fraction = *p == '.' && (whole || text_ascii_digit(p[1]));
    if (!whole && !fraction) { return 0; }
    if (fraction) { p += 1 + plain_digits(p + 1, decimal); }
    if (*p == 'e' || *p == 'E') {
        const char *exponent = p + 1 + (p[1] == '+' || p[1] == '-');
        size_t digits = plain_digits(exponent, decimal);
        if (digits) { return (size_t)(exponent - at) + digits; }
    }
    return fraction || *at != '0' ? (size_t)(p - at) : plain_digits(at, "0");
}
static inline int plain_based_number(Parser *parser) { // "0x1f", "0o17", "0b11"; -1 when there is none
    static const struct {
        const char *prefix, *digits;
        int base;
    } bases[] = {{"0x", "0123456789abcdefABCDEF", 16}, {"0o", "01234567", 8}, {"0b", "01", 2}};
    for (int i = 0; i < 3; i++) {
        if (strncmp(parser->at, bases[i].prefix, 2)) { continue; }
        const char *first = parser->at + 2 + (parser->at[2] == '_');
        size_t bytes = plain_digits(first, bases[i].digits);
        if (bytes == 0) { return -1; } // "0" and a name
        unsigned long long value = 0;
        for (size_t k = 0; k < bytes; k++) {
            const char *digit = strchr(bases[i].digits, first[k] | (first[k] >= 'A' && first[k] <= 'F' ? 32 : 0));
            if (digit) { value = value * (unsigned long long)bases[i].base + (unsigned long long)(digit - bases[i].digits); }
            if (value >> 56) { return parse_fail(parser); }
        }
        parser->at = first + bytes;
        char decimal[24];
        size_t length = (size_t)snprintf(decimal, sizeof(decimal), "%llu", value);
        const char *kept = expression_keep_text(parser->tree, decimal, length);
        return kept ? expression_number(parser->tree, kept, length) : parse_fail(parser);
    }
    return -1;
}
static inline int plain_number(Parser *parser) {
    int based = plain_based_number(parser);
    if (based >= 0) { return based; }
    const char *at = parser->at;
    size_t bytes = plain_number_bytes(at);
    if (bytes == 0) { return parse_fail(parser); }
    parser->at += bytes;
    if (*parser->at == 'j' || *parser->at == 'J') { parser->name = parser->at; } // 3j is 3 times the imaginary unit
    return expression_number(parser->tree, at, bytes);
}

// ---- names
static inline bool plain_name_is(const char *name, size_t bytes, const char *list) { // list: names with a space on both sides
    char padded[16];
    if (bytes + 3 > sizeof(padded)) { return false; }
    snprintf(padded, sizeof(padded), " %.*s ", (int)bytes, name);
    return strstr(list, padded) != NULL;
}
static inline int plain_parenthesis(Parser *parser) { // at the '('
    bool applied = parser->at == parser->name_end;    // x(3)! would call x, and fail
    parser->at++;
    int inside = parse_expression(parser, 0);
    if (!parse_take(parser, ")")) { return parse_fail(parser); }
    return applied && *parser->at == '!' ? parse_fail(parser) : inside;
}
static inline int plain_split(Parser *parser) { // the next letter or digit run of the name
    const char *at = parser->at;
    if (text_ascii_digit(*at)) {
        while (parser->at < parser->name_end && text_ascii_digit(*parser->at)) { parser->at++; }
        return expression_number(parser->tree, at, (size_t)(parser->at - at));
    }
    int32_t code;
    size_t bytes = text_decode(&code, at, parser->end);
    parser->at += bytes;
    return expression_symbol(parser->tree, at, bytes);
}
static inline int plain_name(Parser *parser) { // at the first character of a name
    static const struct {
        const char *name;
        ExpressionFunction function;
    } functions[] = {{" sqrt ", FUNCTION_sqrt}, {" ln ", FUNCTION_ln}, {" re ", FUNCTION_re}, {" im ", FUNCTION_im}, {" csc ", FUNCTION_csc}}; // those that pass the guard against words
    Expression *tree = parser->tree;
    const char *name = parser->at, *p = name;
    int32_t code;
    while (p < parser->end) {
        size_t step = text_decode(&code, p, parser->end);
        if (!text_is_word(code)) { break; }
        if (code >= 128 && !text_is_alpha(code)) { return parse_fail(parser); } // digits and numerals of other scripts
        p += step;
    }
    size_t bytes = (size_t)(p - name);
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        if (!plain_name_is(name, bytes, functions[i].name)) { continue; }
        parser->at = p;
        plain_skip_spaces(parser);
        return *parser->at == '(' ? expression_call(tree, functions[i].function, plain_parenthesis(parser)) : parse_fail(parser);
    }
    // Other names that sympy or Python know, none of which can make two answers equal.
    if (plain_name_is(name, bytes, " oo zoo nan gff rf ff frac li jn yn hn1 hn2 fft ntt fu eye all id if is in or as ")) { return parse_fail(parser); }
    bool constant = plain_name_is(name, bytes, " pi "), whole = constant || memchr(name, '_', bytes) || plain_name_is(name, bytes, " mu nu xi ");
    if (whole) {
        parser->at = p;
        return constant ? expression_node(tree, NODE_PI, 0, 0) : expression_symbol(tree, name, bytes);
    }
    parser->name_end = p;
    int node = plain_split(parser);
    while (*p == '!' && parser->at < p && !tree->error) { node = expression_node(tree, NODE_MULTIPLY, node, plain_split(parser)); } // nx! is (nx)!
    return node;
}
static inline int plain_operand(Parser *parser) {
    if (parser->at < parser->name_end) { return plain_split(parser); }
    if (parser->at == parser->end) { return parse_fail(parser); }
    if (parser->at == parser->name) { // the j of 3j
        parser->at++;
        return expression_node(parser->tree, NODE_I, 0, 0);
    }
    int32_t code;
    text_decode(&code, parser->at, parser->end);
    return code == '(' ? plain_parenthesis(parser) : text_is_alpha(code) || code == '_' ? plain_name(parser)
                                                                                        : plain_number(parser);
}
static inline bool plain_at_factor(Parser *parser) { // what is no factor fails when it is read
    bool more = parser->at < parser->end && *parser->at != ')';
    if (more && parser->newline == parser->at) { parse_fail(parser); } // nothing is multiplied across a line break
    return more;
}
static inline bool plain_has_symbol(const Expression *tree, int index) {
    const ExpressionNode *node = &tree->nodes[index];
    if (node->kind < NODE_ADD) { return node->kind == NODE_SYMBOL; }
    return plain_has_symbol(tree, node->left) || (node->kind <= NODE_POWER && plain_has_symbol(tree, node->right));
}
static inline bool plain_is_decimal(const Expression *tree, int index) {
    const ExpressionNode *node = &tree->nodes[index];
    while (node->kind == NODE_NEGATE) { node = &tree->nodes[node->left]; }
    return node->kind == NODE_NUMBER && (memchr(node->text, '.', (size_t)node->text_bytes) || memchr(node->text, 'e', (size_t)node->text_bytes));
}
static inline int plain_build(Parser *parser, const Operator *found, int left, int right) {
    if (found->fix == FIX_POSTFIX && *parser->at == '!') { return parse_fail(parser); } // three marks
    if (found->kind == NODE_POWER && plain_is_decimal(parser->tree, right) && plain_has_symbol(parser->tree, left)) {
        // x^2.0 is never x^2 to sympy: such an exponent is kept apart by less than an answer has digits.
        const char *apart = "1.000000000000000000000000000001";
        right = expression_node(parser->tree, NODE_MULTIPLY, right, expression_number(parser->tree, apart, strlen(apart)));
    }
    int node = parse_build(parser, found, left, right);
    return found->value == FUNCTION_floor && found->kind == NODE_DIVIDE ? expression_call(parser->tree, FUNCTION_floor, node) : node;
}

// A power takes a signed operand and the powers behind it.
static const Operator plain_operators[] = {
    {"-", FIX_PREFIX, 0, PLAIN_SIGN, NODE_NEGATE, 0, NULL},
    {"+", FIX_PREFIX, 0, PLAIN_SIGN, NODE_NONE, 0, NULL},
    {"+", FIX_INFIX, PLAIN_SUM, PLAIN_SUM, NODE_ADD, 0, NULL},
    {"-", FIX_INFIX, PLAIN_SUM, PLAIN_SUM, NODE_SUBTRACT, 0, NULL},
    {"**", FIX_INFIX, PLAIN_POWER, PLAIN_SIGN, NODE_POWER, 0, NULL},
    {"^", FIX_INFIX, PLAIN_POWER, PLAIN_SIGN, NODE_POWER, 0, NULL},
    {"*", FIX_INFIX, PLAIN_PRODUCT, PLAIN_PRODUCT, NODE_MULTIPLY, 0, NULL},
    {"//", FIX_INFIX, PLAIN_PRODUCT, PLAIN_PRODUCT, NODE_DIVIDE, FUNCTION_floor, NULL},
    {"/", FIX_INFIX, PLAIN_PRODUCT, PLAIN_PRODUCT, NODE_DIVIDE, 0, NULL},
    {"!!", FIX_POSTFIX, PLAIN_POSTFIX, 0, NODE_CALL, FUNCTION_factorial2, NULL},
    {"!", FIX_POSTFIX, PLAIN_POSTFIX, 0, NODE_CALL, FUNCTION_factorial, NULL},
};
static const Dialect plain_dialect = {
    .operators = plain_operators,
    .count = sizeof(plain_operators) / sizeof(plain_operators[0]),
    .juxtaposed = {"", FIX_INFIX, PLAIN_PRODUCT, PLAIN_PRODUCT, NODE_MULTIPLY, 0, NULL},
    .skip_spaces = plain_skip_spaces,
    .at_factor = plain_at_factor,
    .operand = plain_operand,
    .build = plain_build,
};

// Parses `text`, which must stay where it is and end in a NUL; returns the root. See `error` and `gave_up` of the tree.
static inline int expression_parse_plain(Expression *tree, const char *text, size_t bytes) {
    expression_clear(tree);
    Parser parser = {.dialect = &plain_dialect, .tree = tree, .at = text, .end = text + bytes};
    int root = parse_expression(&parser, 0);
    return parser.at == parser.end ? root : parse_fail(&parser);
}
