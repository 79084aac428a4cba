// reward_verify_matrix: arithmetic of written-out matrices while they are read: A + B, 2A, AB, A^T, det A become matrices
// (or numbers) of element expressions, so that all later stages compare elements only.
#pragma once
#include "llmc/reward_parse.h"

enum { MATRIX_MAX_ELEMENTS = 256, // on the stack
       MATRIX_MAX_DETERMINANT = 5 };
typedef struct {
    int rows, columns;
    int elements[MATRIX_MAX_ELEMENTS]; // nodes, row by row
} Matrix;

static inline bool matrix_is(const Expression *tree, int node) { return tree->nodes[node].kind == NODE_MATRIX; }
// False when there are too many elements, which also makes the tree give up.
static inline bool matrix_read(Matrix *matrix, Expression *tree, int node) {
    int count = 0;
    for (int i = tree->nodes[node].left; i >= 0; i = tree->nodes[i].next) {
        if (count == MATRIX_MAX_ELEMENTS) {
            tree->gave_up = "gave up: too long";
            tree->error = true;
            return false;
        }
        matrix->elements[count++] = i;
    }
    matrix->columns = tree->nodes[node].value;
    matrix->rows = matrix->columns ? count / matrix->columns : 0;
    return matrix->rows > 0;
}
// Its elements were built for it, or are copied.
static inline int matrix_write(Expression *tree, const Matrix *matrix, bool copy) {
    int node = expression_node(tree, NODE_MATRIX, -1, 0), last = -1;
    tree->nodes[node].value = matrix->columns;
    for (int i = 0; i < matrix->rows * matrix->columns && !tree->error; i++) {
        int element = copy ? expression_copy(tree, matrix->elements[i]) : matrix->elements[i];
        if (last < 0) {
            tree->nodes[node].left = element;
        } else {
            tree->nodes[last].next = element;
        }
        last = element;
    }
    return node;
}
// Each element with the one at its place, or with the one number: kind is an operation of numbers.
static inline int matrix_combine(Parser *parser, NodeKind kind, int left, int right) {
    Expression *tree = parser->tree;
    Matrix a, b;
    bool left_matrix = matrix_is(tree, left), right_matrix = matrix_is(tree, right);
    if ((left_matrix && !matrix_read(&a, tree, left)) || (right_matrix && !matrix_read(&b, tree, right))) { return parse_fail(parser); }
    if (left_matrix && right_matrix && (a.rows != b.rows || a.columns != b.columns)) { return parse_fail(parser); }
    Matrix out = left_matrix ? a : b;
    for (int i = 0; i < out.rows * out.columns; i++) { out.elements[i] = expression_node(tree, kind, left_matrix ? a.elements[i] : left, right_matrix ? b.elements[i] : right); }
    return matrix_write(tree, &out, false);
}
static inline int matrix_multiply(Parser *parser, int left, int right) {
    Expression *tree = parser->tree;
    Matrix a, b, out;
    if (!matrix_read(&a, tree, left) || !matrix_read(&b, tree, right) || a.columns != b.rows || a.rows * b.columns > MATRIX_MAX_ELEMENTS) { return parse_fail(parser); }
    out.rows = a.rows;
    out.columns = b.columns;
    for (int i = 0; i < out.rows * out.columns && !tree->error; i++) {
        int sum = -1;
        for (int k = 0; k < a.columns && !tree->error; k++) {
            int product = expression_node(tree, NODE_MULTIPLY, a.elements[i / out.columns * a.columns + k], b.elements[k * b.columns + i % out.columns]);
            sum = sum < 0 ? product : expression_node(tree, NODE_ADD, sum, product);
        }
        out.elements[i] = sum;
    }
    return tree->error ? 0 : matrix_write(tree, &out, false);
}
static inline int matrix_transpose(Parser *parser, int node) {
    Matrix a, out;
    if (!matrix_read(&a, parser->tree, node)) { return parse_fail(parser); }
    out.rows = a.columns;
    out.columns = a.rows;
    for (int i = 0; i < a.rows * a.columns; i++) { out.elements[i] = a.elements[i % a.rows * a.columns + i / a.rows]; }
    return matrix_write(parser->tree, &out, true);
}
static inline int matrix_minor(Parser *parser, const Matrix *a, int row, unsigned columns) { // Laplace, along the rows from `row` on; columns: a bit for each left
    Expression *tree = parser->tree;
    int sum = -1, sign = 1;
    for (int k = 0; k < a->columns && !tree->error; k++) {
        if (!(columns >> k & 1)) { continue; }
        int term = a->elements[row * a->columns + k];
        if (row + 1 < a->rows) { term = expression_node(tree, NODE_MULTIPLY, term, matrix_minor(parser, a, row + 1, columns & ~(1u << k))); }
        sum = sum < 0 ? term : expression_node(tree, sign > 0 ? NODE_ADD : NODE_SUBTRACT, sum, term);
        sign = -sign;
    }
    return sum;
}
static inline int matrix_determinant(Parser *parser, int node) {
    Matrix a;
    if (!matrix_read(&a, parser->tree, node) || a.rows != a.columns) { return parse_fail(parser); }
    if (a.rows > MATRIX_MAX_DETERMINANT) {
        parser->tree->gave_up = "gave up: too long";
        return parse_fail(parser);
    }
    return matrix_minor(parser, &a, 0, (1u << a.columns) - 1);
}
