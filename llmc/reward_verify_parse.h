// reward_verify_parse: LaTeX answers as trees: the operators over the operands of reward_verify_atoms.h. They differ from
// school's: a product without a sign binds tighter than * and / ("1/2x" is 1/(2x)), a power takes one atom or one group
// and is read from the left.
#pragma once
#include "llmc/reward_verify_atoms.h"

// ---- operators
// clang-format off
// A table: {token, fix, left power, right power, kind, value, operand}.
#define INFIX(token, power, kind) {token, FIX_INFIX, power, power, kind, 0, NULL}
#define RELATE(token, relation) {token, FIX_INFIX, VERIFY_RELATION, VERIFY_RELATION, NODE_RELATION, relation, NULL}
#define POSTFIX(token, kind, value) {token, FIX_POSTFIX, VERIFY_POSTFIX, 0, kind, value, NULL}
enum { RELATION_APPROXIMATE = -1 };
static const Operator verify_operators[] = {
    {"-", FIX_PREFIX, 0, VERIFY_SIGN, NODE_NEGATE, 0, NULL}, {"−", FIX_PREFIX, 0, VERIFY_SIGN, NODE_NEGATE, 0, NULL}, {"+", FIX_PREFIX, 0, VERIFY_SIGN, NODE_NONE, 0, NULL},
    {"\\pm", FIX_PREFIX, 0, VERIFY_PLUS_MINUS, NODE_SET, 0, NULL}, {"±", FIX_PREFIX, 0, VERIFY_PLUS_MINUS, NODE_SET, 0, NULL}, {"\\mp", FIX_PREFIX, 0, VERIFY_PLUS_MINUS, NODE_SET, 0, NULL},
    POSTFIX("^{\\circ}", NODE_NONE, 0), POSTFIX("^\\circ", NODE_NONE, 0), POSTFIX("^{°}", NODE_NONE, 0), POSTFIX("^°", NODE_NONE, 0), POSTFIX("^{\\degree}", NODE_NONE, 0), POSTFIX("^\\degree", NODE_NONE, 0),
    POSTFIX("^{T}", NODE_MATRIX, 0), POSTFIX("^T", NODE_MATRIX, 0),
    {"^", FIX_INFIX, VERIFY_POWER, 0, NODE_POWER, 0, verify_exponent},
    RELATE("!=", RELATION_UNEQUAL), POSTFIX("!", NODE_CALL, FUNCTION_factorial),
    INFIX("+", VERIFY_SUM, NODE_ADD), INFIX("-", VERIFY_SUM, NODE_SUBTRACT), INFIX("−", VERIFY_SUM, NODE_SUBTRACT),
    INFIX("*", VERIFY_PRODUCT, NODE_MULTIPLY), INFIX("\\cdot", VERIFY_PRODUCT, NODE_MULTIPLY), INFIX("\\times", VERIFY_PRODUCT, NODE_MULTIPLY), INFIX("×", VERIFY_PRODUCT, NODE_MULTIPLY),
    INFIX("⋅", VERIFY_PRODUCT, NODE_MULTIPLY), INFIX("∗", VERIFY_PRODUCT, NODE_MULTIPLY), INFIX("∙", VERIFY_PRODUCT, NODE_MULTIPLY),
    INFIX("/", VERIFY_PRODUCT, NODE_DIVIDE), INFIX("\\div", VERIFY_PRODUCT, NODE_DIVIDE), INFIX("÷", VERIFY_PRODUCT, NODE_DIVIDE), INFIX("∕", VERIFY_PRODUCT, NODE_DIVIDE), INFIX("\\over", VERIFY_PRODUCT, NODE_DIVIDE), INFIX(":", VERIFY_PRODUCT, NODE_DIVIDE),
    {"\\mod", FIX_INFIX, VERIFY_PRODUCT, VERIFY_PRODUCT, NODE_DIVIDE, FUNCTION_floor, NULL},
    INFIX("\\cup", VERIFY_UNION, NODE_UNION), INFIX("∪", VERIFY_UNION, NODE_UNION), INFIX("\\cap", VERIFY_INTERSECTION, NODE_INTERSECTION), INFIX("∩", VERIFY_INTERSECTION, NODE_INTERSECTION),
    INFIX("\\setminus", VERIFY_DIFFERENCE, NODE_DIFFERENCE), INFIX("∖", VERIFY_DIFFERENCE, NODE_DIFFERENCE),
    INFIX("\\pm", VERIFY_PLUS_MINUS, NODE_SET), INFIX("±", VERIFY_PLUS_MINUS, NODE_SET), INFIX("\\mp", VERIFY_PLUS_MINUS, NODE_SET), INFIX("∓", VERIFY_PLUS_MINUS, NODE_SET),
    RELATE("\\neq", RELATION_UNEQUAL), RELATE("\\ne", RELATION_UNEQUAL), RELATE("≠", RELATION_UNEQUAL),
    RELATE("<=", RELATION_LESS_EQUAL), RELATE("\\leqslant", RELATION_LESS_EQUAL), RELATE("\\leq", RELATION_LESS_EQUAL), RELATE("\\le", RELATION_LESS_EQUAL), RELATE("≤", RELATION_LESS_EQUAL), RELATE("≦", RELATION_LESS_EQUAL),
    RELATE(">=", RELATION_GREATER_EQUAL), RELATE("\\geqslant", RELATION_GREATER_EQUAL), RELATE("\\geq", RELATION_GREATER_EQUAL), RELATE("\\ge", RELATION_GREATER_EQUAL), RELATE("≥", RELATION_GREATER_EQUAL), RELATE("≧", RELATION_GREATER_EQUAL),
    RELATE("<", RELATION_LESS), RELATE("\\lt", RELATION_LESS), RELATE(">", RELATION_GREATER), RELATE("\\gt", RELATION_GREATER),
    RELATE("==", RELATION_EQUAL), RELATE("=", RELATION_EQUAL), RELATE("\\equiv", RELATION_EQUAL), RELATE("≡", RELATION_EQUAL), RELATE("\\in", RELATION_EQUAL),
    RELATE("\\approx", RELATION_APPROXIMATE), RELATE("≈", RELATION_APPROXIMATE), RELATE("≅", RELATION_APPROXIMATE), RELATE("≃", RELATION_APPROXIMATE),
};
#undef INFIX
#undef RELATE
#undef POSTFIX
// clang-format on

static inline int verify_pair(Parser *parser, int left, int right) { // the two values of left \pm right; left may be -1
    Expression *tree = parser->tree;
    int plus = left < 0 ? right : expression_node(tree, NODE_ADD, left, right);
    int minus = left < 0 ? expression_node(tree, NODE_NEGATE, right, 0) : expression_node(tree, NODE_SUBTRACT, left, right);
    int set = expression_node(tree, NODE_SET, minus, 0);
    if (left >= 0) {
        tree->nodes[set].left = plus;
        tree->nodes[plus].next = minus;
    } else {
        tree->nodes[minus].next = expression_copy(tree, plus);
    }
    tree->nodes[set].value = 1;
    return set;
}
static inline int verify_relate(Parser *parser, int left, int right, int relation) { // a < b < c: (a < b) and (b < c)
    Expression *tree = parser->tree;
    // A set, or what has a set's brackets, can only be what a name stands for.
    if (verify_is_set(tree, right) && !(relation == RELATION_EQUAL && verify_is_name(tree, left))) { return parse_fail(parser); }
    if (verify_is_set(tree, left) && !verify_is_name(tree, left)) { return parse_fail(parser); }
    if (relation == RELATION_APPROXIMATE) { return verify_only_symbols(tree, left) ? right : left; } // x \approx 3 says 3, \pi \approx 3 says \pi
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
static inline int verify_juxtapose(Parser *parser, int left, int right) { // a product; 2\frac{1}{2} is a mixed number
    Expression *tree = parser->tree;
    bool mixed = tree->nodes[left].kind == NODE_NUMBER && verify_node_is_integer(tree, left) && verify_node_is_rational(tree, right) && tree->nodes[right].kind != NODE_NEGATE;
    int node = expression_node(tree, mixed ? NODE_ADD : NODE_MULTIPLY, left, right);
    if (mixed) { tree->nodes[node].value = LITERAL_RATIONAL; }
    return node;
}
static inline int verify_build_matrix(Parser *parser, const Operator *found, int left, int right) { // one of them is a matrix
    Expression *tree = parser->tree;
    bool both = left >= 0 && right >= 0 && matrix_is(tree, left) && matrix_is(tree, right), sum = found->kind == NODE_ADD || found->kind == NODE_SUBTRACT;
    if (found->kind == NODE_NONE) { return parse_build(parser, found, left, right); }
    if (found->kind == NODE_MATRIX) { return matrix_transpose(parser, left); }
    if (found->kind == NODE_POWER) { return parse_build(parser, found, left, right); } // equal to nothing but its own text
    if (found->kind == NODE_NEGATE) { return matrix_combine(parser, NODE_MULTIPLY, expression_node(tree, NODE_NEGATE, verify_literal(parser, "1"), 0), right); }
    if (found->kind == NODE_MULTIPLY && both) { return matrix_multiply(parser, left, right); }
    bool scales = found->kind == NODE_MULTIPLY || (found->kind == NODE_DIVIDE && found->value == 0 && matrix_is(tree, left));
    return (both && sum) || (!both && scales) ? matrix_combine(parser, found->kind, left, right) : parse_fail(parser);
}
static inline int verify_build(Parser *parser, const Operator *found, int left, int right) {
    Expression *tree = parser->tree;
    if (found->kind == NODE_RELATION) { return verify_relate(parser, left, right, found->value); }
    bool sets = (left < 0 || verify_is_set(tree, left)) && (right < 0 || verify_is_set(tree, right));
    if (found->kind >= NODE_UNION && found->kind <= NODE_DIFFERENCE) { return sets ? parse_build(parser, found, left, right) : parse_fail(parser); }
    // From here on, operations of numbers.
    if ((left >= 0 && !verify_is_number(tree, left)) || (right >= 0 && !verify_is_number(tree, right))) { return parse_fail(parser); }
    if (found->kind == NODE_SET) { return verify_pair(parser, left, right); }
    if ((left >= 0 && matrix_is(tree, left)) || (right >= 0 && matrix_is(tree, right))) { return verify_build_matrix(parser, found, left, right); }
    if (found->kind == NODE_MATRIX) { return left; } // a number transposed
    if (found == &parser->dialect->juxtaposed) { return verify_juxtapose(parser, left, right); }
    if (found->kind != NODE_DIVIDE) { return parse_build(parser, found, left, right); }
    int quotient = verify_divide(parser, left, right);
    if (found->value != FUNCTION_floor) { return quotient; }
    quotient = expression_call(tree, FUNCTION_floor, quotient); // a mod b is a - b floor(a/b)
    return expression_node(tree, NODE_SUBTRACT, left, expression_node(tree, NODE_MULTIPLY, right, quotient));
}
// Whether what follows may begin a factor.
static inline bool verify_at_factor(Parser *parser) {
    const char *at = parser->at;
    if (at >= parser->end || strchr(",;)]}&", *at) || (*at == '|' && parser->bars > 0) || (*at == 'e' && parser->no_function)) { return false; }
    if (*at != '\\') { return true; }
    if (verify_command_in(parser, " \\} \\) \\rbrace \\rfloor \\rceil \\rvert \\lrcorner \\urcorner \\\\ \\end \\choose ")) { return false; }
    size_t bytes = (size_t)(parser->command_end - at);
    for (size_t i = 0; parser->no_function && i < sizeof(verify_functions) / sizeof(verify_functions[0]); i++) {
        if (strlen(verify_functions[i].name) == bytes && !memcmp(at, verify_functions[i].name, bytes)) { return false; }
    }
    return !(parser->no_function && verify_in_list(at, bytes, " \\sqrt "));
}
static const Dialect verify_dialect = {
    .operators = verify_operators,
    .count = sizeof(verify_operators) / sizeof(verify_operators[0]),
    .juxtaposed = {"", FIX_INFIX, VERIFY_JUXTAPOSED, VERIFY_JUXTAPOSED - 1, NODE_MULTIPLY, 0, NULL}, // 2\frac{1}{2}x is 2 times the rest
    .skip_spaces = verify_skip_spaces,
    .at_factor = verify_at_factor,
    .operand = verify_operand,
    .build = verify_build,
};

// ---- lists
static inline void verify_append(Expression *tree, int list, int *last, int first) { // `first` may be a list already
    if (*last < 0) {
        tree->nodes[list].left = first;
    } else {
        tree->nodes[*last].next = first;
    }
    for (*last = first; tree->nodes[*last].next >= 0; *last = tree->nodes[*last].next) {}
}
// The elements behind `before` (all, if it is -1) as one tuple of the list, if there are several: 1,2;3,4 is (1,2),(3,4).
static inline int verify_close_row(Expression *tree, int list, int before, int last) {
    int first = before < 0 ? tree->nodes[list].left : tree->nodes[before].next;
    if (first == last) { return last; }
    int tuple = expression_node(tree, NODE_TUPLE, first, 0);
    if (before < 0) {
        tree->nodes[list].left = tuple;
    } else {
        tree->nodes[before].next = tuple;
    }
    return tuple;
}
// Elements with commas or semicolons between, as a list of the given kind; an empty list when a closer follows at once.
// `groups` is how many parts the semicolons make; where it is NULL, each of several parts is an element.
static inline int verify_elements(Parser *parser, NodeKind kind, int *groups) {
    Expression *tree = parser->tree;
    int list = expression_node(tree, kind, -1, 0), last = -1, before = -1, count = 1;
    verify_skip_spaces(parser);
    while (verify_at_factor(parser) || last >= 0) {
        int element = parse_expression(parser, 0);
        if (tree->error) { break; }
        bool spread = tree->nodes[element].kind == NODE_SET && tree->nodes[element].value == 1;
        verify_append(tree, list, &last, spread ? tree->nodes[element].left : element);
        if (parse_take(parser, ",")) { continue; }
        bool more = parse_take(parser, ";");
        if (!groups && (more || count > 1)) { before = last = verify_close_row(tree, list, before, last); }
        if (!more) { break; }
        count++;
    }
    if (groups) { *groups = count; }
    bool several = tree->nodes[list].left >= 0 && tree->nodes[tree->nodes[list].left].next >= 0;
    for (int i = several ? tree->nodes[list].left : -1; i >= 0 && !tree->error; i = tree->nodes[i].next) { tree->error = tree->nodes[i].kind >= NODE_UNION && tree->nodes[i].kind <= NODE_DIFFERENCE; } // no element
    return list;
}
// x = 1, 2: where nothing else is a relation, the name stands for the whole set.
static inline int verify_name_set(Expression *tree, int list) {
    int first = tree->nodes[list].left, second = tree->nodes[first].next;
    bool named = tree->nodes[first].kind == NODE_RELATION && tree->nodes[first].value == RELATION_EQUAL && verify_is_name(tree, tree->nodes[first].left) && verify_is_number(tree, tree->nodes[first].right);
    for (int i = second; i >= 0 && named; i = tree->nodes[i].next) { named = !verify_is_relation(tree, i); }
    if (!named) { return list; }
    int value = expression_copy(tree, tree->nodes[first].right);
    tree->nodes[value].next = second;
    tree->nodes[list].left = value;
    tree->nodes[first].right = list;
    tree->nodes[first].next = -1;
    return first;
}

// The root of `text` (which must stay where it is and end in a NUL), added to the tree; tree->error when it is no answer.
// `complex` says whether the symbols may be: a lone i stands in the text.
static inline int expression_parse_latex(Expression *tree, const char *text, size_t bytes, bool complex) {
    tree->error = false;
    tree->complex = complex;
    Parser parser = {.dialect = &verify_dialect, .tree = tree, .at = text, .end = text + bytes};
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
    int list = verify_elements(&parser, NODE_SET, NULL);
    verify_skip_spaces(&parser);
    if (tree->error || parser.at != parser.end || tree->nodes[list].left < 0) { return parse_fail(&parser); }
    return tree->nodes[tree->nodes[list].left].next < 0 ? tree->nodes[list].left : verify_name_set(tree, list);
}
