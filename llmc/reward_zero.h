// reward_zero: is this expression zero? First exactly, as a quotient of polynomials with rational coefficients in its
// symbols and pi (pi is transcendental, so it behaves as a symbol); where that does not apply, by ball arithmetic: at
// three fixed complex points the value lies in a ball with a proven radius. A ball without 0 proves "different"; three
// balls around 0 with radius below 2^-60 count as "equal". Numbers are never rounded before this: 0.1 is 1/10.
// FLINT (polynomials, rationals) and Arb (balls; F. Johansson, "Arb: efficient arbitrary-precision midpoint-radius
// interval arithmetic", 2017) do the arithmetic. Everything is bounded in operations, digits and terms, never by a clock.
#pragma once
#include <acb.h>
#include <flint.h>
#include <fmpq.h>
#include <fmpq_mpoly.h>
#include "llmc/random.h"
#include "llmc/reward_expression.h"

enum { ZERO_MAX_DIGITS = 2000,  // of a number as written, and of a decimal exponent's effect
       ZERO_MAX_BITS = 60000,   // of an exact coefficient
       ZERO_MAX_TERMS = 2000,   // of a polynomial, and of the product of two lengths / 4
       ZERO_MAX_COST = 60000 }; // of a verdict's arithmetic, a ball multiplication at 128 bits being 1

typedef enum { ZERO_YES,
               ZERO_NO,
               ZERO_GAVE_UP } ZeroResult;

// "1_000", "2.50", ".5", "1e-3" as an exact rational. False when it is too long.
static inline bool zero_read_number(fmpq_t out, const char *text, int bytes) {
    char digits[ZERO_MAX_DIGITS + 2];
    int count = 0, i = 0;
    long exponent = 0;
    bool fraction = false;
    for (; i < bytes && text[i] != 'e' && text[i] != 'E'; i++) {
        if (text[i] == '.') { fraction = true; }
        if (!text_ascii_digit(text[i])) { continue; }
        if (count == ZERO_MAX_DIGITS) { return false; }
        digits[count++] = text[i];
        exponent -= fraction;
    }
    digits[count] = 0;
    if (i < bytes) { // at the e
        bool negative = text[++i] == '-';
        i += text[i] == '-' || text[i] == '+';
        long written = 0;
        for (; i < bytes && written <= ZERO_MAX_DIGITS; i++) { written = text[i] == '_' ? written : written * 10 + (text[i] - '0'); }
        exponent += negative ? -written : written;
    }
    if (labs(exponent) > ZERO_MAX_DIGITS) { return false; }
    fmpz_set_str(fmpq_numref(out), count ? digits : "0", 10);
    fmpz_ui_pow_ui(fmpq_denref(out), 10, (ulong)(exponent < 0 ? -exponent : 0));
    fmpz_t scale;
    fmpz_init(scale);
    fmpz_ui_pow_ui(scale, 10, (ulong)(exponent > 0 ? exponent : 0));
    fmpz_mul(fmpq_numref(out), fmpq_numref(out), scale);
    fmpz_clear(scale);
    fmpq_canonicalise(out);
    return true;
}

// ---- exact: quotients of polynomials
typedef struct {
    fmpq_mpoly_t top, bottom;
} ZeroQuotient;
typedef struct {
    const Expression *tree;
    fmpq_mpoly_ctx_t ring; // the symbols, then pi
    bool undefined;        // a division by zero: equal to nothing
    long *cost;            // what may still be spent
} ZeroExact;

static inline void zero_quotient_init(ZeroQuotient *q, ZeroExact *exact) {
    fmpq_mpoly_init(q->top, exact->ring);
    fmpq_mpoly_init(q->bottom, exact->ring);
    fmpq_mpoly_one(q->bottom, exact->ring);
}
static inline void zero_quotient_clear(ZeroQuotient *q, ZeroExact *exact) {
    fmpq_mpoly_clear(q->top, exact->ring);
    fmpq_mpoly_clear(q->bottom, exact->ring);
}
static inline slong zero_polynomial_bits(const fmpq_mpoly_struct *p) {
    slong bits = fmpz_mpoly_max_bits(p->zpoly), content = (slong)fmpq_height_bits(p->content);
    return (bits < 0 ? -bits : bits) + content;
}
static inline bool zero_polynomial_is_small(const fmpq_mpoly_struct *p, ZeroExact *exact) {
    return fmpq_mpoly_length(p, exact->ring) <= ZERO_MAX_TERMS && zero_polynomial_bits(p) <= ZERO_MAX_BITS;
}
// Not inlined, and by pointer: gcc 12 takes the first member of a polynomial for the whole of it and warns.
__attribute__((noinline, unused)) static bool zero_multiply(fmpq_mpoly_struct *out, const fmpq_mpoly_struct *a, const fmpq_mpoly_struct *b, ZeroExact *exact) {
    slong products = fmpq_mpoly_length(a, exact->ring) * fmpq_mpoly_length(b, exact->ring);
    *exact->cost -= 1 + products * (1 + (zero_polynomial_bits(a) + zero_polynomial_bits(b)) / 512) / 8;
    if (products > 4 * ZERO_MAX_TERMS || *exact->cost < 0) { return false; }
    fmpq_mpoly_mul(out, a, b, exact->ring);
    return zero_polynomial_is_small(out, exact);
}
static inline bool zero_quotient_multiply(ZeroQuotient *out, const ZeroQuotient *a, const ZeroQuotient *b, ZeroExact *exact) {
    return zero_multiply(out->top, a->top, b->top, exact) && zero_multiply(out->bottom, a->bottom, b->bottom, exact);
}
static inline bool zero_quotient_divide(ZeroQuotient *out, const ZeroQuotient *a, const ZeroQuotient *b, ZeroExact *exact) {
    exact->undefined |= fmpq_mpoly_is_zero(b->top, exact->ring);
    return !exact->undefined && zero_multiply(out->top, a->top, b->bottom, exact) && zero_multiply(out->bottom, a->bottom, b->top, exact);
}
static inline bool zero_quotient_add(ZeroQuotient *out, const ZeroQuotient *a, const ZeroQuotient *b, bool subtract, ZeroExact *exact) {
    fmpq_mpoly_t cross;
    fmpq_mpoly_init(cross, exact->ring);
    bool ok = zero_multiply(out->top, a->top, b->bottom, exact) && zero_multiply(cross, b->top, a->bottom, exact) &&
              zero_multiply(out->bottom, a->bottom, b->bottom, exact);
    if (ok && subtract) { fmpq_mpoly_sub(out->top, out->top, cross, exact->ring); }
    if (ok && !subtract) { fmpq_mpoly_add(out->top, out->top, cross, exact->ring); }
    fmpq_mpoly_clear(cross, exact->ring);
    return ok && zero_polynomial_is_small(out->top, exact);
}
static inline bool zero_quotient_power(ZeroQuotient *out, const ZeroQuotient *base, const ZeroQuotient *exponent, ZeroExact *exact) {
    if (!fmpq_mpoly_is_fmpq(exponent->top, exact->ring) || !fmpq_mpoly_is_fmpq(exponent->bottom, exact->ring)) { return false; }
    fmpq_t n, d;
    fmpq_init(n);
    fmpq_init(d);
    fmpq_mpoly_get_fmpq(n, exponent->top, exact->ring);
    fmpq_mpoly_get_fmpq(d, exponent->bottom, exact->ring);
    fmpq_div(n, n, d);
    bool small = fmpz_is_one(fmpq_denref(n)) && fmpz_cmpabs(fmpq_numref(n), fmpq_numref(n)) == 0 && fmpz_bits(fmpq_numref(n)) <= 15;
    slong power = small ? fmpz_get_si(fmpq_numref(n)) : 0;
    fmpq_clear(n);
    fmpq_clear(d);
    if (!small) { return false; }
    ZeroQuotient square, product, one;
    zero_quotient_init(&square, exact);
    zero_quotient_init(&product, exact);
    zero_quotient_init(&one, exact);
    fmpq_mpoly_one(one.top, exact->ring);
    fmpq_mpoly_one(out->top, exact->ring);
    fmpq_mpoly_one(out->bottom, exact->ring);
    bool ok = power >= 0 ? zero_quotient_multiply(&square, base, &one, exact) : zero_quotient_divide(&square, &one, base, exact);
    for (ulong left = (ulong)(power < 0 ? -power : power); ok && left; left >>= 1) {
        if (left & 1) {
            ok = zero_quotient_multiply(&product, out, &square, exact);
            ZeroQuotient swap = *out;
            *out = product;
            product = swap;
        }
        if (ok && left > 1) {
            ok = zero_quotient_multiply(&product, &square, &square, exact);
            ZeroQuotient swap = square;
            square = product;
            product = swap;
        }
    }
    zero_quotient_clear(&square, exact);
    zero_quotient_clear(&product, exact);
    zero_quotient_clear(&one, exact);
    return ok;
}
// False when the expression is not such a quotient, or too large for one, or undefined.
static inline bool zero_evaluate_exact(ZeroQuotient *out, int index, ZeroExact *exact) {
    const ExpressionNode *node = &exact->tree->nodes[index];
    if (node->kind == NODE_NUMBER) {
        fmpq_t value;
        fmpq_init(value);
        bool ok = zero_read_number(value, node->text, node->text_bytes);
        fmpq_mpoly_set_fmpq(out->top, value, exact->ring);
        fmpq_clear(value);
        return ok;
    }
    if (node->kind == NODE_SYMBOL || node->kind == NODE_PI) {
        fmpq_mpoly_gen(out->top, node->kind == NODE_PI ? exact->tree->symbol_count : node->value, exact->ring);
        return true;
    }
    if (node->kind == NODE_NEGATE) {
        bool ok = zero_evaluate_exact(out, node->left, exact);
        if (ok) { fmpq_mpoly_neg(out->top, out->top, exact->ring); }
        return ok;
    }
    if (node->kind < NODE_ADD || node->kind > NODE_POWER) { return false; }
    ZeroQuotient left, right;
    zero_quotient_init(&left, exact);
    zero_quotient_init(&right, exact);
    bool ok = zero_evaluate_exact(&left, node->left, exact) && zero_evaluate_exact(&right, node->right, exact);
    if (ok) {
        ok = node->kind == NODE_MULTIPLY ? zero_quotient_multiply(out, &left, &right, exact) : node->kind == NODE_DIVIDE ? zero_quotient_divide(out, &left, &right, exact)
                                                                                           : node->kind == NODE_POWER    ? zero_quotient_power(out, &left, &right, exact)
                                                                                                                         : zero_quotient_add(out, &left, &right, node->kind == NODE_SUBTRACT, exact);
    }
    zero_quotient_clear(&left, exact);
    zero_quotient_clear(&right, exact);
    return ok;
}

// ---- balls
typedef struct {
    const Expression *tree;
    acb_struct points[EXPRESSION_MAX_SYMBOLS];
    slong precision;
    long *cost; // what may still be spent
} ZeroBalls;

// x!! = 2^(x/2) gamma(x/2 + 1) (pi/2)^((cos(pi x) - 1)/4)
static inline void zero_double_factorial(acb_t out, const acb_t x, slong precision) {
    acb_t part, half_pi;
    acb_init(part);
    acb_init(half_pi);
    acb_cos_pi(part, x, precision);
    acb_sub_ui(part, part, 1, precision);
    acb_mul_2exp_si(part, part, -2);
    acb_const_pi(half_pi, precision);
    acb_mul_2exp_si(half_pi, half_pi, -1);
    acb_pow(out, half_pi, part, precision);
    acb_mul_2exp_si(part, x, -1);
    acb_set_ui(half_pi, 2);
    acb_pow(half_pi, half_pi, part, precision);
    acb_mul(out, out, half_pi, precision);
    acb_add_ui(part, part, 1, precision);
    acb_gamma(part, part, precision);
    acb_mul(out, out, part, precision);
    acb_clear(part);
    acb_clear(half_pi);
}
static inline void zero_call(acb_t out, ExpressionFunction function, const acb_t x, slong precision) {
    static void (*const analytic[])(acb_t, const acb_t, slong) = {[FUNCTION_sqrt] = acb_sqrt, [FUNCTION_ln] = acb_log, [FUNCTION_exp] = acb_exp, [FUNCTION_sin] = acb_sin, [FUNCTION_cos] = acb_cos, [FUNCTION_tan] = acb_tan, [FUNCTION_cot] = acb_cot, [FUNCTION_sec] = acb_sec, [FUNCTION_csc] = acb_csc, [FUNCTION_asin] = acb_asin, [FUNCTION_acos] = acb_acos, [FUNCTION_atan] = acb_atan, [FUNCTION_sinh] = acb_sinh, [FUNCTION_cosh] = acb_cosh, [FUNCTION_tanh] = acb_tanh, [FUNCTION_asinh] = acb_asinh, [FUNCTION_acosh] = acb_acosh, [FUNCTION_atanh] = acb_atanh, [FUNCTION_factorial2] = zero_double_factorial};
    switch (function) {
    case FUNCTION_re:
        acb_set_arb(out, acb_realref(x));
        break;
    case FUNCTION_im:
        acb_set_arb(out, acb_imagref(x));
        break;
    case FUNCTION_abs:
        acb_abs(acb_realref(out), x, precision);
        arb_zero(acb_imagref(out));
        break;
    case FUNCTION_floor:
    case FUNCTION_ceil:
        if (function == FUNCTION_floor) {
            arb_floor(acb_realref(out), acb_realref(x), precision);
        } else {
            arb_ceil(acb_realref(out), acb_realref(x), precision);
        }
        if (!arb_is_zero(acb_imagref(x))) { acb_indeterminate(out); }
        arb_zero(acb_imagref(out));
        break;
    case FUNCTION_factorial:
        acb_add_ui(out, x, 1, precision);
        acb_gamma(out, out, precision);
        break;
    default:
        analytic[function](out, x, precision);
        break;
    }
}
static inline void zero_evaluate_balls(acb_t out, int index, ZeroBalls *balls) {
    const ExpressionNode *node = &balls->tree->nodes[index];
    slong precision = balls->precision;
    bool cheap = node->kind != NODE_POWER && node->kind != NODE_CALL;
    *balls->cost -= (cheap ? 1 : 20) * (precision / 128);
    if (*balls->cost < 0 || node->kind > NODE_CALL) {
        acb_indeterminate(out);
        return;
    }
    acb_t right;
    switch (node->kind) {
    case NODE_NUMBER: {
        fmpq_t value;
        fmpq_init(value);
        if (zero_read_number(value, node->text, node->text_bytes)) {
            acb_set_fmpq(out, value, precision);
        } else {
            acb_indeterminate(out);
        }
        fmpq_clear(value);
        return;
    }
    case NODE_SYMBOL:
        acb_set(out, &balls->points[node->value]);
        return;
    case NODE_PI:
        acb_const_pi(out, precision);
        return;
    case NODE_I:
        acb_onei(out);
        return;
    case NODE_E:
        acb_one(out);
        acb_exp(out, out, precision);
        return;
    case NODE_NEGATE:
        zero_evaluate_balls(out, node->left, balls);
        acb_neg(out, out);
        return;
    case NODE_CALL: {
        zero_evaluate_balls(out, node->left, balls);
        acb_t argument;
        acb_init(argument);
        acb_swap(argument, out);
        bool factorial = node->value == FUNCTION_factorial || node->value == FUNCTION_factorial2, huge = arf_cmpabs_2exp_si(arb_midref(acb_realref(argument)), 40) > 0 || arf_cmpabs_2exp_si(arb_midref(acb_imagref(argument)), 40) > 0;
        if (acb_is_finite(argument) && !(huge && factorial)) {
            zero_call(out, (ExpressionFunction)node->value, argument, precision);
        } else {
            acb_indeterminate(out);
        }
        acb_clear(argument);
        return;
    }
    default:
        break;
    }
    acb_init(right);
    zero_evaluate_balls(out, node->left, balls);
    zero_evaluate_balls(right, node->right, balls);
    switch (node->kind) {
    case NODE_ADD:
        acb_add(out, out, right, precision);
        break;
    case NODE_SUBTRACT:
        acb_sub(out, out, right, precision);
        break;
    case NODE_MULTIPLY:
        acb_mul(out, out, right, precision);
        break;
    case NODE_DIVIDE:
        acb_div(out, out, right, precision);
        break;
    default:
        acb_pow(out, out, right, precision);
        break;
    }
    acb_clear(right);
}

// A dyadic complex number away from the axes (or a real one away from 0), the same on every machine.
static inline void zero_point(acb_t out, int attempt, int symbol, bool real_line) {
    uint64_t key = random_key(random_key(20250210, (uint64_t)attempt), (uint64_t)symbol);
    slong real = 400 + (slong)random_below(key, 0, 2000), imaginary = 300 + (slong)random_below(key, 1, 1500);
    if (real_line) { // both signs of every symbol, and of every two of them
        acb_set_si(out, (attempt >> symbol % 2) & 1 ? -real : real);
    } else {
        acb_set_si_si(out, random_below(key, 2, 2) ? real : -real, random_below(key, 3, 2) ? imaginary : -imaginary);
    }
    acb_mul_2exp_si(out, out, -10);
}
// What the value at one point says: ZERO_GAVE_UP where 1024 bits do not decide it or the function has a pole.
static inline ZeroResult zero_at_point(const Expression *tree, int root, int attempt, long *cost) {
    ZeroBalls balls = {.tree = tree, .cost = cost};
    for (int i = 0; i < tree->symbol_count; i++) {
        acb_init(&balls.points[i]);
        zero_point(&balls.points[i], attempt, i, tree->real_points);
    }
    acb_t value;
    acb_init(value);
    ZeroResult result = ZERO_GAVE_UP;
    for (balls.precision = 128; result == ZERO_GAVE_UP && balls.precision <= 1024 && *cost > 0; balls.precision *= 2) {
        zero_evaluate_balls(value, root, &balls);
        if (!acb_is_finite(value)) { continue; }
        bool narrow = mag_cmp_2exp_si(arb_radref(acb_realref(value)), -60) < 0 && mag_cmp_2exp_si(arb_radref(acb_imagref(value)), -60) < 0;
        result = !acb_contains_zero(value) ? ZERO_NO : narrow ? ZERO_YES
                                                              : ZERO_GAVE_UP;
    }
    acb_clear(value);
    for (int i = 0; i < tree->symbol_count; i++) { acb_clear(&balls.points[i]); }
    return result;
}

// `cost` is the budget of a whole verdict, ZERO_MAX_COST at its start; each test takes what it needs.
static inline ZeroResult zero_test(const Expression *tree, int root, long *cost) {
    ZeroExact exact = {.tree = tree, .cost = cost};
    fmpq_mpoly_ctx_init(exact.ring, tree->symbol_count + 1, ORD_LEX);
    ZeroQuotient quotient;
    zero_quotient_init(&quotient, &exact);
    bool known = zero_evaluate_exact(&quotient, root, &exact);
    ZeroResult result = known && fmpq_mpoly_is_zero(quotient.top, exact.ring) ? ZERO_YES : ZERO_NO;
    zero_quotient_clear(&quotient, &exact);
    fmpq_mpoly_ctx_clear(exact.ring);
    if (known || exact.undefined) { return result; }
    int wanted = tree->symbol_count ? tree->real_points ? 4 : 3 : 1;
    for (int attempt = 0, agreed = 0; attempt < 8 && *cost > 0; attempt++) {
        result = zero_at_point(tree, root, attempt, cost);
        agreed += result == ZERO_YES;
        if (result == ZERO_NO || agreed == wanted) { return result; }
        if (!tree->symbol_count) { break; } // without symbols another point is the same one
    }
    return ZERO_GAVE_UP;
}
