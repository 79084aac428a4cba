// reward_parse: the Pratt parser that reads answers (V. Pratt, "Top down operator precedence", 1973). One loop over one
// table of operators: an operator takes the operand before it when it binds tighter than whatever waits for that operand,
// and everything behind it that binds tighter than itself.
//
// A notation is a Dialect: its table, its operands and what it builds of them. There are two, because DeepScaleR's grader
// reads Python and Math-Verify reads LaTeX, and they disagree on the same characters: 1/2x is (1/2)x for one and 1/(2x)
// for the other, 2^3^2 is 2^9 and (2^3)^2, x^12 and x^{12}, 2(3) a product and a mixed number.
#pragma once
#include "llmc/reward_expression.h"

typedef struct Parser Parser;
typedef enum { FIX_PREFIX,
               FIX_INFIX,
               FIX_POSTFIX } OperatorFix;
typedef struct {
    const char *token;
    OperatorFix fix;
    int left, right; // how tightly it holds the operand before it, and the one behind it
    NodeKind kind;
    int value;                // of the node, where its kind has one
    int (*operand)(Parser *); // reads what stands behind it, where that is no whole expression
} Operator;
typedef struct {
    const Operator *operators; // of tokens that begin alike the longest first
    int count;
    Operator juxtaposed; // the product without a sign
    void (*skip_spaces)(Parser *);
    bool (*at_factor)(Parser *); // whether what follows may begin a factor of such a product
    int (*operand)(Parser *);
    int (*build)(Parser *, const Operator *, int left, int right); // left and right: -1 where the operator has none
} Dialect;
struct Parser {
    const Dialect *dialect;
    Expression *tree;
    const char *at, *end; // *end is NUL
    int depth;
    // of the plain notation
    const char *name, *name_end; // the last name; while at < name_end, it is being split into letters and digits
    const char *newline;         // equal to `at` when a line break lies just before it
    // of LaTeX
    const char *command, *command_end; // the command at `command` ends there
    int bars;                          // open |...|: a bar closes one before it opens another
    bool no_function;                  // inside the bare argument of a function: the next function ends it
};

static inline int parse_fail(Parser *parser) {
    parser->tree->error = true;
    return 0;
}
static inline bool parse_is_letter(int32_t c) { return c < 128 && text_is_alpha(c); }
// Whether the token at parser->at is `token`; if so it is taken.
static inline bool parse_match(Parser *parser, const char *token) {
    if (*parser->at != *token) { return false; }
    size_t bytes = strlen(token);
    if (strncmp(parser->at, token, bytes)) { return false; }
    if (*token == '\\' && parse_is_letter((unsigned char)token[1]) && parser->at + bytes != parser->command_end) { return false; }
    parser->at += bytes;
    return true;
}
static inline bool parse_take(Parser *parser, const char *token) { // the same behind spaces
    parser->dialect->skip_spaces(parser);
    return parse_match(parser, token);
}
static inline const Operator *parse_operator(Parser *parser, bool prefix) {
    parser->dialect->skip_spaces(parser);
    for (int i = 0; i < parser->dialect->count; i++) {
        const Operator *found = &parser->dialect->operators[i];
        if ((found->fix == FIX_PREFIX) == prefix && parse_match(parser, found->token)) { return found; }
    }
    return NULL;
}
// What an operator makes of its operands where a dialect has nothing else in mind.
static inline int parse_build(Parser *parser, const Operator *found, int left, int right) {
    Expression *tree = parser->tree;
    if (found->kind == NODE_NONE) { return left < 0 ? right : left; }
    if (found->kind == NODE_NEGATE) { return expression_node(tree, NODE_NEGATE, right, 0); }
    if (found->kind == NODE_CALL) { return expression_call(tree, (ExpressionFunction)found->value, left); }
    return expression_node(tree, found->kind, left, right);
}
// Reads as far as operators bind tighter than `power`; returns the root, which means nothing once the tree has an error.
static inline int parse_expression(Parser *parser, int power) {
    Expression *tree = parser->tree;
    const Dialect *dialect = parser->dialect;
    if (++parser->depth > EXPRESSION_MAX_DEPTH) {
        tree->gave_up = "gave up: too deep";
        return parse_fail(parser);
    }
    const Operator *found = parse_operator(parser, true);
    int left = -1, right;
    if (found) {
        right = parse_expression(parser, found->right);
        left = tree->error ? 0 : dialect->build(parser, found, -1, right);
    } else {
        left = dialect->operand(parser);
    }
    while (!tree->error) {
        dialect->skip_spaces(parser);
        const char *before = parser->at;
        found = parse_operator(parser, false);
        if (!found && !dialect->at_factor(parser)) { break; }
        if (!found) { found = &dialect->juxtaposed; }
        if (found->left <= power) {
            parser->at = before;
            break;
        }
        right = found->fix == FIX_POSTFIX ? -1 : found->operand ? found->operand(parser)
                                                                : parse_expression(parser, found->right);
        if (!tree->error) { left = dialect->build(parser, found, left, right); }
    }
    parser->depth--;
    return left;
}
