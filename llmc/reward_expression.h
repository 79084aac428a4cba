// reward_expression: answers as trees. One kind of tree for both graders, whatever notation it was read from
// (reward_plain.h, reward_verify_parse.h), with the limits that keep untrusted text from growing it.
#pragma once
#include "llmc/reward_text.h"

enum { EXPRESSION_MAX_NODES = 1024,
       EXPRESSION_MAX_DEPTH = 100,
       EXPRESSION_MAX_SYMBOLS = 16 };

typedef enum {
    NODE_NONE,   // in tables: nothing is built
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
    FUNCTION_asinh,
    FUNCTION_acosh,
    FUNCTION_atanh,
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
    char names[1024];          // texts made while parsing
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
// The same node once more: a list needs nodes of its own.
static inline int expression_copy(Expression *tree, int index) {
    int node = expression_node(tree, NODE_NONE, 0, 0);
    if (tree->error) { return 0; }
    tree->nodes[node] = tree->nodes[index];
    tree->nodes[node].next = -1;
    return node;
}
// A copy of `text` that lives as long as the tree, or NULL.
static inline const char *expression_keep_text(Expression *tree, const char *text, size_t bytes) {
    if (bytes > sizeof(tree->names) - (size_t)tree->name_bytes) {
        tree->gave_up = "gave up: too many symbols";
        tree->error = true;
        return NULL;
    }
    char *kept = tree->names + tree->name_bytes;
    memcpy(kept, text, bytes);
    tree->name_bytes += (int)bytes;
    return kept;
}
static inline int expression_number(Expression *tree, const char *text, size_t bytes) {
    int node = expression_node(tree, NODE_NUMBER, 0, 0);
    tree->nodes[node].text = text;
    tree->nodes[node].text_bytes = (int)bytes;
    return node;
}
// The index of the symbol of that name, or symbol_count.
static inline int expression_find_symbol(const Expression *tree, const char *text, size_t bytes) {
    int index = 0;
    while (index < tree->symbol_count && (tree->symbols[index].bytes != (int)bytes || tree->symbols[index].complex != tree->complex || memcmp(tree->symbols[index].text, text, bytes))) { index++; }
    return index;
}
static inline int expression_symbol(Expression *tree, const char *text, size_t bytes) {
    int index = expression_find_symbol(tree, text, bytes);
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
