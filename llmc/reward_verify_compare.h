// reward_verify_compare: whether two answers are equal in the sense of Math-Verify 0.9 (its grader.py). Not symmetric: the
// truth decides how an equation is read. Numbers with a decimal point are compared to 6 decimals, others exactly; sets
// as sets, tuples in order, an open interval also as a pair, inequalities also turned round, "x = 1" also as 1.
#pragma once
#include "llmc/reward_verify_parse.h"
#include "llmc/reward_float.h"

typedef struct {
    Expression *tree;
    bool gave_up;
    long cost; // what may still be spent on arithmetic
} VerifyContext;
static inline bool verify_equal(VerifyContext *context, int truth, int answer);

static inline const ExpressionNode *verify_node(const VerifyContext *context, int index) { return &context->tree->nodes[index]; }
static inline int verify_first(const VerifyContext *context, int index) { return verify_node(context, index)->kind == NODE_CHAIN ? verify_node(context, index)->left : index; }
static inline int verify_last(const VerifyContext *context, int index) {
    if (verify_node(context, index)->kind != NODE_CHAIN) { return index; } // its `next` belongs to the list it stands in
    for (index = verify_node(context, index)->left; verify_node(context, index)->next >= 0;) { index = verify_node(context, index)->next; }
    return index;
}
static inline bool verify_is_equation(const VerifyContext *context, int index) {
    if (!verify_is_relation(context->tree, index)) { return false; }
    bool chain = verify_node(context, index)->kind == NODE_CHAIN;
    for (int i = verify_first(context, index); i >= 0; i = chain ? verify_node(context, i)->next : -1) {
        if (verify_node(context, i)->value != RELATION_EQUAL) { return false; }
    }
    return true;
}
static inline bool verify_is_assignment(const VerifyContext *context, int index) { return verify_is_equation(context, index) && verify_only_symbols(context->tree, verify_node(context, verify_first(context, index))->left); }

// ---- numbers
static inline int verify_new(VerifyContext *context, NodeKind kind, int left, int right) {
    int node = expression_node(context->tree, kind, left, right);
    context->gave_up |= context->tree->gave_up != NULL;
    return node;
}
static inline bool verify_is_zero(VerifyContext *context, int index) {
    if (context->gave_up) { return false; }
    context->tree->real_points = true;
    for (int i = 0; i < context->tree->symbol_count; i++) { context->tree->real_points &= !context->tree->symbols[i].complex; }
    ZeroResult result = zero_test(context->tree, index, &context->cost);
    context->gave_up |= result == ZERO_GAVE_UP;
    return result == ZERO_YES;
}
static inline bool verify_has_symbols(const VerifyContext *context, int index) {
    const ExpressionNode *node = verify_node(context, index);
    if (node->kind == NODE_SYMBOL || node->kind > NODE_CALL) { return true; }
    bool binary = node->kind >= NODE_ADD && node->kind <= NODE_POWER;
    return (binary || node->kind == NODE_NEGATE || node->kind == NODE_CALL) && (verify_has_symbols(context, node->left) || (binary && verify_has_symbols(context, node->right)));
}
static inline int verify_float_digits(const VerifyContext *context, int index) { // of the longest number with a point in it
    const ExpressionNode *node = verify_node(context, index);
    if (node->kind == NODE_NUMBER) { return memchr(node->text, '.', (size_t)node->text_bytes) ? node->text_bytes - 1 : 0; }
    if (node->kind < NODE_ADD || node->kind > NODE_CALL) { return 0; }
    int left = verify_float_digits(context, node->left), right = node->kind <= NODE_POWER ? verify_float_digits(context, node->right) : 0;
    return left > right ? left : right;
}
// The quotient by a power of ten, rounded to even (a negative power multiplies).
static inline void verify_scale_down(fmpz_t out, const fmpz_t value, long digits) {
    fmpz_t scale, half;
    fmpz_init(scale);
    fmpz_init(half);
    fmpz_ui_pow_ui(scale, 10, (ulong)labs(digits));
    if (digits <= 0) {
        fmpz_mul(out, value, scale);
    } else {
        fmpz_fdiv_qr(out, half, value, scale);
        fmpz_mul_2exp(half, half, 1);
        int order = fmpz_cmp(half, scale);
        if (order > 0 || (order == 0 && fmpz_is_odd(out))) { fmpz_add_ui(out, out, 1); }
    }
    fmpz_clear(scale);
    fmpz_clear(half);
}
// The value of a real number as a multiple of 1e-6, as text, so that sizes do not matter. False for others. As sympy rounds:
// first to the digits that are known, 15 or those of the longest decimal written, then to even.
static inline bool verify_round(char out[400], VerifyContext *context, int index) {
    if (verify_has_symbols(context, index)) { return false; }
    ZeroBalls balls = {.tree = context->tree, .precision = 512, .cost = &context->cost};
    acb_t value;
    acb_init(value);
    zero_evaluate_balls(value, index, &balls);
    bool ok = acb_is_finite(value) && arb_contains_zero(acb_imagref(value)) && arf_cmpabs_2exp_si(arb_midref(acb_realref(value)), 1000) < 0;
    if (ok && arf_cmpabs_2exp_si(arb_midref(acb_realref(value)), -40) < 0) {
        strcpy(out, "0");
    } else if (ok) {
        long digits = verify_float_digits(context, index);
        digits = digits > 15 ? digits : 15;
        long magnitude = (long)floor(log10(fabs(arf_get_d(arb_midref(acb_realref(value)), ARF_RND_NEAR)))) + 1, shift = digits - magnitude;
        fmpz_t rounded;
        fmpz_init(rounded);
        acb_t scaled;
        acb_init(scaled);
        arb_set_ui(acb_realref(scaled), 10);
        arb_pow_ui(acb_realref(scaled), acb_realref(scaled), (ulong)labs(shift), 2000);
        if (shift < 0) { arb_inv(acb_realref(scaled), acb_realref(scaled), 2000); }
        arb_mul(acb_realref(scaled), acb_realref(scaled), acb_realref(value), 2000);
        arf_get_fmpz(rounded, arb_midref(acb_realref(scaled)), ARF_RND_NEAR);
        verify_scale_down(rounded, rounded, shift - 6);
        ok = fmpz_sizeinbase(rounded, 10) < 390;
        if (ok) { fmpz_get_str(out, 10, rounded); }
        if (ok && digits > 15 && fmpz_divisible_si(rounded, 1000000)) { snprintf(out + strlen(out), 8, "/%ld", digits % 10000); } // an integer keeps its precision, and equals no other
        fmpz_clear(rounded);
        acb_clear(scaled);
    }
    acb_clear(value);
    return ok;
}
typedef enum { NUMBER_NONE,
               NUMBER_INTEGER,
               NUMBER_RATIONAL,
               NUMBER_FLOAT } VerifyNumber;
// What kind of number is written there; a percent is the kind of its number.
static inline VerifyNumber verify_number_kind(const VerifyContext *context, int index, bool *percent) {
    const ExpressionNode *node = verify_node(context, index);
    if (node->kind == NODE_DIVIDE && node->value == LITERAL_PERCENT) {
        *percent = true;
        index = node->left;
    }
    while (verify_node(context, index)->kind == NODE_NEGATE && !*percent) { index = verify_node(context, index)->left; }
    node = verify_node(context, index);
    if (node->kind == NODE_NUMBER) { return verify_node_is_integer(context->tree, index) ? NUMBER_INTEGER : NUMBER_FLOAT; }
    return verify_node_is_rational(context->tree, index) ? NUMBER_RATIONAL : NUMBER_NONE;
}
static inline bool verify_numbers_equal(VerifyContext *context, int truth, int answer) {
    bool truth_percent = false, answer_percent = false;
    VerifyNumber a = verify_number_kind(context, truth, &truth_percent), b = verify_number_kind(context, answer, &answer_percent);
    if (a == NUMBER_INTEGER && b == NUMBER_INTEGER) { // 9% is 9
        if (truth_percent) { truth = verify_node(context, truth)->left; }
        if (answer_percent) { answer = verify_node(context, answer)->left; }
    }
    int difference = verify_new(context, NODE_SUBTRACT, truth, answer);
    ZeroResult floats = a == NUMBER_NONE || b == NUMBER_NONE ? sympy_float_test(context->tree, difference) : ZERO_GAVE_UP;
    if (floats == ZERO_YES || (floats == ZERO_GAVE_UP && verify_is_zero(context, difference))) { return true; }
    bool rounds = (a == NUMBER_FLOAT) != (b == NUMBER_FLOAT) || (a == NUMBER_FLOAT && b == NUMBER_FLOAT);
    // An integer beside a float is never rounded to one: only the exact value will do.
    if (!rounds || (a == NUMBER_INTEGER && !truth_percent) || (b == NUMBER_INTEGER && !answer_percent)) { return false; }
    char left[400], right[400];
    return verify_round(left, context, truth) && verify_round(right, context, answer) && !strcmp(left, right);
}

// ---- symbols: \text{abc} is abc, letters in any case
static inline void verify_append_factors(Buffer *out, const VerifyContext *context, int index, bool *symbols) {
    const ExpressionNode *node = verify_node(context, index);
    if (node->kind == NODE_MULTIPLY) {
        verify_append_factors(out, context, node->left, symbols);
        verify_append_factors(out, context, node->right, symbols);
    } else if (node->kind == NODE_SYMBOL) {
        buffer_append(out, context->tree->symbols[node->value].text, (size_t)context->tree->symbols[node->value].bytes);
    } else if (node->kind == NODE_E) {
        buffer_append(out, "e", 1);
    } else {
        *symbols = false;
    }
}
static inline void verify_append_name(Buffer *out, const VerifyContext *context, int index, bool *symbols) {
    const ExpressionNode *node = verify_node(context, index);
    if (verify_node_is_integer(context->tree, index)) { // \text{90} is 90
        if (node->kind == NODE_NEGATE) { buffer_append(out, "-", 1); }
        while (node->kind == NODE_NEGATE) { node = verify_node(context, node->left); }
        for (int i = 0; i < node->text_bytes; i++) { // 1,000 is 1000
            if (node->text[i] != ',') { buffer_append(out, node->text + i, 1); }
        }
    } else {
        verify_append_factors(out, context, index, symbols);
    }
}
static inline bool verify_symbols_equal(const VerifyContext *context, int truth, int answer) {
    Buffer left = {0}, right = {0};
    bool symbols = true;
    verify_append_name(&left, context, truth, &symbols);
    verify_append_name(&right, context, answer, &symbols);
    bool equal = symbols && left.size == right.size && !memcmp(left.data, right.data, left.size);
    buffer_free(&left);
    buffer_free(&right);
    return equal;
}

// ---- sets
static inline int verify_compare_numbers(VerifyContext *context, int left, int right) { // -1, 0, 1; 2: not known
    char sign[400];
    int count = context->tree->count;
    bool known = verify_round(sign, context, verify_new(context, NODE_SUBTRACT, left, right));
    context->tree->count = count;
    if (!known) { return 2; }
    return *sign == '-' ? -1 : strcmp(sign, "0") ? 1
                                                 : 0;
}
static inline int verify_end(const VerifyContext *context, int index) { // -1 for an infinite end
    const ExpressionNode *node = verify_node(context, index);
    if (node->kind == NODE_NEGATE) { node = verify_node(context, node->left); }
    return node->kind == NODE_INFINITY ? -1 : index;
}
static inline bool verify_is_minus_infinity(const VerifyContext *context, int index) { return verify_node(context, index)->kind == NODE_NEGATE && verify_end(context, index) < 0; }
static inline int verify_openness(const VerifyContext *context, int index) { // an infinite end is always open
    const ExpressionNode *node = verify_node(context, index);
    return node->value | (verify_end(context, node->left) < 0 ? INTERVAL_LEFT_OPEN : 0) | (verify_end(context, node->right) < 0 ? INTERVAL_RIGHT_OPEN : 0);
}
// An interval that no number lies in is read as a tuple, [a, a] as a set.
static inline NodeKind verify_set_kind(VerifyContext *context, int index) {
    const ExpressionNode *node = verify_node(context, index);
    if (node->kind != NODE_INTERVAL) { return node->kind; }
    int order = verify_compare_numbers(context, node->left, verify_node(context, index)->right);
    int open = verify_node(context, index)->value;
    if (order == 2 || order == -1) { return NODE_INTERVAL; }
    if (open == 0 && order == 0) { return NODE_SET; }
    return open == 0 || open == (INTERVAL_LEFT_OPEN | INTERVAL_RIGHT_OPEN) ? NODE_TUPLE : NODE_INTERVAL;
}
enum { VERIFY_MAX_ELEMENTS = 64 };
// The elements of a set, each once; of a tuple, or of an interval read as a pair, in order. -1: too many.
static inline int verify_list(int out[VERIFY_MAX_ELEMENTS], VerifyContext *context, int index, bool distinct) {
    int count = 0;
    if (!verify_is_set(context->tree, index)) {
        out[0] = index;
        return 1;
    }
    for (int i = verify_node(context, index)->left; i >= 0; i = verify_node(context, i)->next) {
        bool seen = false;
        for (int k = 0; distinct && k < count && !seen; k++) { seen = !verify_is_set(context->tree, i) && verify_equal(context, out[k], i); }
        if (seen) { continue; }
        if (count == VERIFY_MAX_ELEMENTS) {
            context->gave_up = true;
            return -1;
        }
        out[count++] = i;
    }
    return count;
}
static inline bool verify_match(VerifyContext *context, const int *truths, const int *answers, int count) { // in any order
    bool used[VERIFY_MAX_ELEMENTS] = {false};
    for (int i = 0; i < count; i++) {
        int found = 0;
        while (found < count && (used[found] || !verify_equal(context, truths[i], answers[found]))) { found++; }
        if (found == count) { return false; }
        used[found] = true;
    }
    return true;
}
static inline bool verify_unions_equal(VerifyContext *context, int truth, int answer);

static inline bool verify_sets_equal(VerifyContext *context, int truth, int answer) {
    NodeKind a = verify_set_kind(context, truth), b = verify_set_kind(context, answer);
    if (!verify_is_set(context->tree, truth)) { a = NODE_SET; }
    if (!verify_is_set(context->tree, answer)) { b = NODE_SET; }
    const ExpressionNode *left = verify_node(context, truth), *right = verify_node(context, answer);
    if (a == NODE_INTERVAL && b == NODE_INTERVAL) {
        int ends[] = {left->left, right->left, left->right, right->right};
        return verify_openness(context, truth) == verify_openness(context, answer) && verify_equal(context, ends[0], ends[1]) && verify_equal(context, ends[2], ends[3]);
    }
    if (a == NODE_NUMBER_SET && b == NODE_NUMBER_SET) { return left->value == right->value; }
    if (a == NODE_UNION || b == NODE_UNION || a == NODE_NUMBER_SET || b == NODE_NUMBER_SET) { return verify_unions_equal(context, truth, answer); }
    if (a >= NODE_INTERSECTION || b >= NODE_INTERSECTION) { // not computed: the same operation on the same sets
        int parts[] = {left->left, right->left, left->right, right->right};
        return a == b && verify_equal(context, parts[0], parts[1]) && verify_equal(context, parts[2], parts[3]);
    }
    int open = INTERVAL_LEFT_OPEN | INTERVAL_RIGHT_OPEN;
    if ((a == NODE_INTERVAL && verify_openness(context, truth) != open) || (b == NODE_INTERVAL && verify_openness(context, answer) != open)) { return false; }
    int truths[VERIFY_MAX_ELEMENTS], answers[VERIFY_MAX_ELEMENTS];
    int count = verify_list(truths, context, truth, a == NODE_SET);
    // A tuple, or an interval read as one, meets a set's elements as they were written.
    bool ordered = a != NODE_SET;
    if (count < 0 || verify_list(answers, context, answer, b == NODE_SET) != count) { return false; }
    if (!ordered) { return verify_match(context, truths, answers, count); }
    for (int i = 0; i < count; i++) {
        if (!verify_equal(context, truths[i], answers[i])) { return false; }
    }
    return true;
}

// ---- unions: as sorted, merged pieces of the line
typedef struct {
    int left, right; // nodes; -1: infinite
    bool left_open, right_open;
} VerifyPiece;
// False when a part is not an interval, a point or the whole line with numbers for ends.
static inline bool verify_pieces(VerifyPiece *out, int *count, VerifyContext *context, int index) {
    const ExpressionNode *node = verify_node(context, index);
    if (node->kind == NODE_UNION) {
        int right = node->right;
        return verify_pieces(out, count, context, node->left) && verify_pieces(out, count, context, right);
    }
    if (*count == VERIFY_MAX_ELEMENTS) { return false; }
    if (node->kind == NODE_INTERVAL) {
        int open = verify_openness(context, index);
        // From plus infinity, or to minus infinity: empty.
        if (verify_node(context, node->left)->kind == NODE_INFINITY || verify_is_minus_infinity(context, node->right)) { return true; }
        out[(*count)++] = (VerifyPiece){verify_end(context, node->left), verify_end(context, node->right), open & INTERVAL_LEFT_OPEN, open & INTERVAL_RIGHT_OPEN};
        return true;
    }
    if (node->kind == NODE_NUMBER_SET && node->value == 'R') {
        out[(*count)++] = (VerifyPiece){-1, -1, true, true};
        return true;
    }
    for (int i = node->kind == NODE_SET ? node->left : -1; i >= 0 && *count < VERIFY_MAX_ELEMENTS; i = verify_node(context, i)->next) { out[(*count)++] = (VerifyPiece){i, i, false, false}; }
    return node->kind == NODE_SET;
}
static inline int verify_compare_left(VerifyContext *context, const VerifyPiece *a, const VerifyPiece *b) {
    if (a->left < 0 || b->left < 0) { return (b->left < 0) - (a->left < 0); }
    int order = verify_compare_numbers(context, a->left, b->left);
    return order ? order : a->left_open - b->left_open;
}
// Sorts the pieces by their left ends and joins those that touch or overlap. False when ends cannot be compared.
static inline bool verify_merge(VerifyPiece *pieces, int *count, VerifyContext *context) {
    for (int i = 1; i < *count; i++) {
        for (int k = i; k > 0; k--) {
            int order = verify_compare_left(context, &pieces[k - 1], &pieces[k]);
            if (order == 2) { return false; }
            if (order <= 0) { break; }
            VerifyPiece swap = pieces[k];
            pieces[k] = pieces[k - 1];
            pieces[k - 1] = swap;
        }
    }
    int kept = 0;
    for (int i = 1; i < *count; i++) {
        VerifyPiece *last = &pieces[kept], *next = &pieces[i];
        int gap = last->right < 0 || next->left < 0 ? 1 : verify_compare_numbers(context, last->right, next->left);
        if (gap == 2) { return false; }
        if (gap < 0 || (gap == 0 && last->right_open && next->left_open)) {
            pieces[++kept] = *next;
            continue;
        }
        int reach = last->right < 0 ? 1 : next->right < 0 ? -1
                                                          : verify_compare_numbers(context, last->right, next->right);
        if (reach == 2) { return false; }
        if (reach == 0) { last->right_open &= next->right_open; }
        if (reach < 0) {
            last->right = next->right;
            last->right_open = next->right_open;
        }
    }
    *count = *count ? kept + 1 : 0;
    return true;
}
static inline bool verify_ends_equal(VerifyContext *context, int a, int b) { return a < 0 || b < 0 ? a == b : verify_equal(context, a, b); }
static inline bool verify_unions_equal(VerifyContext *context, int truth, int answer) {
    VerifyPiece a[VERIFY_MAX_ELEMENTS], b[VERIFY_MAX_ELEMENTS];
    int count = 0, others = 0;
    if (!verify_pieces(a, &count, context, truth) || !verify_pieces(b, &others, context, answer)) { return false; }
    if (!verify_merge(a, &count, context) || !verify_merge(b, &others, context) || count != others) { return false; }
    for (int i = 0; i < count; i++) {
        if (a[i].left_open != b[i].left_open || a[i].right_open != b[i].right_open) { return false; }
        if (!verify_ends_equal(context, a[i].left, b[i].left) || !verify_ends_equal(context, a[i].right, b[i].right)) { return false; }
    }
    return true;
}

// ---- relations
static inline int verify_flipped(int relation) {
    static const int flipped[] = {RELATION_EQUAL, -1, RELATION_GREATER, RELATION_LESS, RELATION_GREATER_EQUAL, RELATION_LESS_EQUAL};
    return flipped[relation];
}
// left - right of a relation, or -1 when a side is no expression.
static inline int verify_difference(VerifyContext *context, int index, bool flip) {
    int left = verify_node(context, index)->left, right = verify_node(context, index)->right;
    if (verify_is_set(context->tree, left) || verify_is_set(context->tree, right)) { return -1; }
    return flip ? verify_new(context, NODE_SUBTRACT, right, left) : verify_new(context, NODE_SUBTRACT, left, right);
}
// Two equations in several unknowns are the same when their differences are in a constant ratio.
static inline bool verify_proportional(VerifyContext *context, int a, int b) {
    if (context->tree->symbol_count < 2 || context->gave_up) { return false; }
    for (int i = 0; i < 2; i++) { // cross ratio at two points: a(p) b(q) = a(q) b(p)
        acb_t values[4];
        for (int k = 0; k < 4; k++) {
            ZeroBalls balls = {.tree = context->tree, .precision = 256, .cost = &context->cost};
            for (int s = 0; s < context->tree->symbol_count; s++) {
                acb_init(&balls.points[s]);
                zero_point(&balls.points[s], 2 * i + k / 2, s, true);
            }
            acb_init(values[k]);
            zero_evaluate_balls(values[k], k % 2 ? b : a, &balls);
            for (int s = 0; s < context->tree->symbol_count; s++) { acb_clear(&balls.points[s]); }
        }
        acb_mul(values[0], values[0], values[3], 256);
        acb_mul(values[1], values[1], values[2], 256);
        bool same = acb_is_finite(values[0]) && acb_overlaps(values[0], values[1]) && !acb_contains_zero(values[0]);
        for (int k = 0; k < 4; k++) { acb_clear(values[k]); }
        if (!same) { return false; }
    }
    return true;
}
// What x is said to be in: unions as they are written, but for the order of two.
static inline bool verify_written_equal(VerifyContext *context, int truth, int answer) {
    const ExpressionNode left = *verify_node(context, truth), right = *verify_node(context, answer);
    if (left.kind != NODE_UNION || right.kind != NODE_UNION) { return verify_equal(context, truth, answer); }
    return (verify_written_equal(context, left.left, right.left) && verify_written_equal(context, left.right, right.right)) ||
           (verify_written_equal(context, left.left, right.right) && verify_written_equal(context, left.right, right.left));
}
static inline bool verify_relations_equal(VerifyContext *context, int truth, int answer) {
    const ExpressionNode *left = verify_node(context, truth), *right = verify_node(context, answer);
    if (left->kind != right->kind) { return false; }
    if (left->kind == NODE_CHAIN) { // link by link, in the order written
        int a = left->left, b = right->left;
        for (; a >= 0 && b >= 0; a = verify_node(context, a)->next, b = verify_node(context, b)->next) {
            if (!verify_relations_equal(context, a, b)) { return false; }
        }
        return a < 0 && b < 0;
    }
    int relation = left->value, other = right->value;
    int difference = verify_difference(context, truth, false), same = verify_difference(context, answer, false), flipped = verify_difference(context, answer, true);
    if ((difference < 0) != (same < 0)) { return false; }
    if (difference < 0) { // x = {1, 2}: side by side
        int sides[] = {verify_node(context, truth)->left, verify_node(context, answer)->left, verify_node(context, truth)->right, verify_node(context, answer)->right};
        return relation == other && verify_equal(context, sides[0], sides[1]) && verify_written_equal(context, sides[2], sides[3]);
    }
    if (relation == other && verify_equal(context, difference, same)) { return true; }
    if (verify_flipped(relation) == other && verify_equal(context, difference, flipped)) { return true; }
    return relation == RELATION_EQUAL && other == RELATION_EQUAL && verify_has_symbols(context, difference) && verify_proportional(context, difference, same);
}
// 1 < x < 2 as the interval (1, 2); -1 when it is no such relation. The symbol may stand on either side.
static inline int verify_relation_to_set(VerifyContext *context, int index) {
    int ends[2] = {-1, -1}, open = 0;
    bool chain = verify_node(context, index)->kind == NODE_CHAIN;
    for (int i = verify_first(context, index); i >= 0; i = chain ? verify_node(context, i)->next : -1) {
        ExpressionNode node = *verify_node(context, i);
        bool symbol_left = verify_node(context, node.left)->kind == NODE_SYMBOL;
        if (!symbol_left && verify_node(context, node.right)->kind != NODE_SYMBOL) { return -1; }
        int number = symbol_left ? node.right : node.left;
        if (verify_has_symbols(context, number) || node.value < RELATION_LESS) { return -1; }
        bool less = node.value == RELATION_LESS || node.value == RELATION_LESS_EQUAL, strict = node.value <= RELATION_GREATER;
        int side = less == symbol_left; // 1: the number is an upper end
        if (ends[side] >= 0) { return -1; }
        ends[side] = number;
        open |= strict ? (side ? INTERVAL_RIGHT_OPEN : INTERVAL_LEFT_OPEN) : 0;
    }
    for (int side = 0; side < 2; side++) {
        if (ends[side] >= 0) { continue; }
        ends[side] = verify_new(context, NODE_INFINITY, 0, 0);
        if (!side) { ends[0] = verify_new(context, NODE_NEGATE, ends[0], 0); }
        open |= side ? INTERVAL_RIGHT_OPEN : INTERVAL_LEFT_OPEN;
    }
    int interval = verify_new(context, NODE_INTERVAL, ends[0], ends[1]);
    context->tree->nodes[interval].value = open;
    return interval;
}

// ---- everything
static inline bool verify_matrices_equal(VerifyContext *context, int truth, int answer) {
    const ExpressionNode *left = verify_node(context, truth), *right = verify_node(context, answer);
    if (left->kind != right->kind || left->value != right->value) { return false; }
    int a = left->left, b = right->left;
    for (; a >= 0 && b >= 0; a = verify_node(context, a)->next, b = verify_node(context, b)->next) {
        if (!verify_equal(context, a, b)) { return false; }
    }
    return a < 0 && b < 0;
}
static inline bool verify_decide(VerifyContext *context, int truth, int answer) {
    bool truth_equation = verify_is_equation(context, truth), answer_equation = verify_is_equation(context, answer);
    bool truth_assignment = verify_is_assignment(context, truth), answer_assignment = verify_is_assignment(context, answer);
    if (answer_equation && !truth_equation) {
        answer = verify_node(context, verify_last(context, answer))->right;
    } else if (truth_assignment && !answer_equation) {
        truth = verify_node(context, verify_last(context, truth))->right;
    } else if (truth_assignment && answer_assignment) { // a = b = c says a = c
        truth = verify_new(context, NODE_RELATION, verify_node(context, verify_first(context, truth))->left, verify_node(context, verify_last(context, truth))->right);
        answer = verify_new(context, NODE_RELATION, verify_node(context, verify_first(context, answer))->left, verify_node(context, verify_last(context, answer))->right);
    }
    if (verify_is_relation(context->tree, truth) && verify_is_set(context->tree, answer)) {
        int set = verify_relation_to_set(context, truth);
        truth = set >= 0 ? set : truth;
    }
    if (verify_is_relation(context->tree, truth) || verify_is_relation(context->tree, answer)) { return verify_is_relation(context->tree, truth) && verify_is_relation(context->tree, answer) && verify_relations_equal(context, truth, answer); }
    if (verify_is_set(context->tree, truth) || verify_is_set(context->tree, answer)) { return verify_sets_equal(context, truth, answer); }
    if (verify_node(context, truth)->kind == NODE_MATRIX || verify_node(context, answer)->kind == NODE_MATRIX) { return verify_matrices_equal(context, truth, answer); }
    int truth_end = verify_end(context, truth), answer_end = verify_end(context, answer);
    if (truth_end < 0 || answer_end < 0) { return truth_end == answer_end && verify_node(context, truth)->kind == verify_node(context, answer)->kind; }
    if (verify_node(context, truth)->kind == NODE_SYMBOL || verify_node(context, answer)->kind == NODE_SYMBOL) { return verify_symbols_equal(context, truth, answer); }
    return verify_numbers_equal(context, truth, answer);
}
static inline bool verify_equal(VerifyContext *context, int truth, int answer) {
    context->gave_up |= --context->cost < 0;
    if (context->gave_up) { return false; }
    int count = context->tree->count; // what is built to compare the two goes again
    bool equal = verify_decide(context, truth, answer);
    context->tree->count = count;
    return equal;
}
