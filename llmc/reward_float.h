// reward_float: decimals as sympy computes with them, for the deepscaler grader: a literal with a point or an exponent is a
// binary number of 53 bits (more where it has more than 15 digits), and every operation rounds. So 1.04*10^-3 is not 0.00104,
// which a model is not to be rewarded for where DeepScaleR's does not. Only trees of numbers are computed; a decimal beside
// a symbol stays the fraction it is written as (reward_zero.h).
#pragma once
#include <arb.h>
#include "llmc/reward_zero.h"

typedef enum { SYMPY_RATIONAL,
               SYMPY_FLOAT,
               SYMPY_OTHER } SympyKind; // roots, symbols, what is not computed here
typedef struct {
    SympyKind kind;
    slong precision; // of a float
    fmpq_t rational;
    arf_t value;
} SympyNumber;

static inline void sympy_init(SympyNumber *number) {
    number->kind = SYMPY_OTHER;
    number->precision = 0;
    fmpq_init(number->rational);
    arf_init(number->value);
}
static inline void sympy_clear(SympyNumber *number) {
    fmpq_clear(number->rational);
    arf_clear(number->value);
}
static inline void sympy_literal(SympyNumber *out, const ExpressionNode *node) {
    if (!zero_read_number(out->rational, node->text, node->text_bytes)) { return; }
    out->kind = SYMPY_RATIONAL;
    slong digits = 0; // leading zeros do not count
    bool decimal = false, mantissa = true;
    for (int i = 0; i < node->text_bytes; i++) {
        char c = node->text[i];
        decimal |= c == '.' || c == 'e' || c == 'E';
        mantissa &= c != 'e' && c != 'E';
        digits += mantissa && text_ascii_digit(c) && (digits || c != '0');
    }
    if (!decimal) { return; }
    out->kind = SYMPY_FLOAT;
    out->precision = digits > 15 ? (slong)nearbyint((double)(digits + 1) * 3.3219280948873626) : 53; // mpmath's dps_to_prec
    arf_fmpz_div_fmpz(out->value, fmpq_numref(out->rational), fmpq_denref(out->rational), out->precision, ARF_RND_NEAR);
}
static inline void sympy_to_float(SympyNumber *number, slong precision) {
    if (number->kind == SYMPY_RATIONAL) { arf_fmpz_div_fmpz(number->value, fmpq_numref(number->rational), fmpq_denref(number->rational), precision, ARF_RND_NEAR); }
    number->kind = SYMPY_FLOAT;
}
// The power of a float, rounded from a ball of twice the bits.
static inline void sympy_power(SympyNumber *out, const SympyNumber *base, slong exponent) {
    arb_t ball;
    arb_init(ball);
    arb_set_arf(ball, base->value);
    arb_pow_ui(ball, ball, (ulong)labs(exponent), 2 * out->precision + 64);
    if (exponent < 0) { arb_inv(ball, ball, 2 * out->precision + 64); }
    if (arb_is_finite(ball)) {
        arf_set_round(out->value, arb_midref(ball), out->precision, ARF_RND_NEAR);
    } else {
        out->kind = SYMPY_OTHER;
    }
    arb_clear(ball);
}
static inline void sympy_operate(SympyNumber *out, NodeKind kind, SympyNumber *a, SympyNumber *b) {
    bool float_left = a->kind == SYMPY_FLOAT, floats = float_left || b->kind == SYMPY_FLOAT;
    if (a->kind == SYMPY_OTHER || b->kind == SYMPY_OTHER) { return; }
    if (kind == NODE_POWER) { // a float to an integer, or integers to a small one
        bool integer = b->kind == SYMPY_RATIONAL && fmpz_is_one(fmpq_denref(b->rational)) && fmpz_bits(fmpq_numref(b->rational)) <= 10;
        if (!integer || (!float_left && fmpq_is_zero(a->rational)) || (!float_left && fmpq_height_bits(a->rational) > 64)) { return; }
        out->kind = a->kind;
        out->precision = a->precision;
        slong exponent = fmpz_get_si(fmpq_numref(b->rational));
        if (float_left) {
            sympy_power(out, a, exponent);
        } else {
            fmpq_pow_si(out->rational, a->rational, exponent);
        }
        return;
    }
    bool divides = kind == NODE_DIVIDE;
    if (!floats && !(divides && fmpq_is_zero(b->rational))) {
        out->kind = SYMPY_RATIONAL;
        if (kind == NODE_ADD) { fmpq_add(out->rational, a->rational, b->rational); }
        if (kind == NODE_SUBTRACT) { fmpq_sub(out->rational, a->rational, b->rational); }
        if (kind == NODE_MULTIPLY) { fmpq_mul(out->rational, a->rational, b->rational); }
        if (divides) { fmpq_div(out->rational, a->rational, b->rational); }
    }
    if (!floats) {
        if (fmpq_height_bits(out->rational) > ZERO_MAX_BITS) { out->kind = SYMPY_OTHER; }
        return;
    }
    slong precision = a->precision > b->precision ? a->precision : b->precision;
    sympy_to_float(a, precision);
    sympy_to_float(b, precision);
    if (divides && arf_is_zero(b->value)) { return; }
    out->kind = SYMPY_FLOAT;
    out->precision = precision;
    if (divides && !float_left) { // a fraction by a float: times its rounded inverse
        arf_ui_div(b->value, 1, b->value, precision, ARF_RND_NEAR);
        kind = NODE_MULTIPLY;
    }
    if (kind == NODE_ADD) { arf_add(out->value, a->value, b->value, precision, ARF_RND_NEAR); }
    if (kind == NODE_SUBTRACT) { arf_sub(out->value, a->value, b->value, precision, ARF_RND_NEAR); }
    if (kind == NODE_MULTIPLY) { arf_mul(out->value, a->value, b->value, precision, ARF_RND_NEAR); }
    if (kind == NODE_DIVIDE) { arf_div(out->value, a->value, b->value, precision, ARF_RND_NEAR); }
}
static inline void sympy_evaluate(SympyNumber *out, const Expression *tree, int index) {
    const ExpressionNode *node = &tree->nodes[index];
    if (node->kind == NODE_NUMBER) {
        sympy_literal(out, node);
    } else if (node->kind == NODE_NEGATE) {
        sympy_evaluate(out, tree, node->left);
        fmpq_neg(out->rational, out->rational);
        arf_neg(out->value, out->value);
    } else if (node->kind >= NODE_ADD && node->kind <= NODE_POWER) {
        SympyNumber left, right;
        sympy_init(&left);
        sympy_init(&right);
        sympy_evaluate(&left, tree, node->left);
        sympy_evaluate(&right, tree, node->right);
        sympy_operate(out, node->kind, &left, &right);
        sympy_clear(&left);
        sympy_clear(&right);
    }
}
// What floats make of the tree: ZERO_GAVE_UP where they have no say.
static inline ZeroResult sympy_float_test(const Expression *tree, int root) {
    bool decimal = false;
    for (int i = 0; i < tree->count && !decimal; i++) {
        decimal = tree->nodes[i].kind == NODE_NUMBER && (memchr(tree->nodes[i].text, '.', (size_t)tree->nodes[i].text_bytes) || memchr(tree->nodes[i].text, 'e', (size_t)tree->nodes[i].text_bytes));
    }
    if (!decimal) { return ZERO_GAVE_UP; }
    SympyNumber difference;
    sympy_init(&difference);
    sympy_evaluate(&difference, tree, root);
    ZeroResult result = difference.kind != SYMPY_FLOAT ? ZERO_GAVE_UP : arf_is_zero(difference.value) ? ZERO_YES
                                                                                                      : ZERO_NO;
    sympy_clear(&difference);
    return result;
}
