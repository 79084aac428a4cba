// reward_verify_parse: LaTeX answers as trees, a Pratt parser over the operands of reward_verify_atoms.h. The powers differ
// from school's: a product without a sign binds tighter than * and / ("1/2x" is 1/(2x)), a power takes one atom or one
// group and is read from the left.
#pragma once
#include "llmc/reward_verify_atoms.h"

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
