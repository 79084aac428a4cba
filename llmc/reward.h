// reward: 1 for a right answer to a mathematics problem, 0 for any other, and a word on why.
//
// Two graders with their own oracles, never mixed. GRADER_DEEPSCALER gives the verdict of DeepScaleR's training reward
// (agentica-project/deepscaler, rewards/math_reward.py): the two answers are the same text in the MATH data set's normal
// form (reward_mathd.h), or the same text in PRM800K's (reward_normalize.h), or, element by element, expressions whose
// difference is zero (reward_expression.h, reward_zero.h). GRADER_MATH_VERIFY gives the verdict of Hugging Face's
// Math-Verify, used for evaluation: sets, intervals, matrices, relations, percents, rounded decimals (reward_verify_*.h).
//
// Any number of threads may grade at once; a thread that is done with grading calls reward_thread_cleanup(). The text is
// untrusted: time and memory are bounded by counts of steps, digits, terms and depth, never by a clock, so the verdict on
// a text is the same on every machine.
#pragma once
#include "llmc/json.h"
#include "llmc/reward_extract.h"
#include "llmc/reward_float.h"
#include "llmc/reward_mathd.h"
#include "llmc/reward_normalize.h"
#include "llmc/reward_plain.h"
#include "llmc/reward_verify_compare.h"
#include "llmc/reward_verify_extract.h"
#include "llmc/reward_zero.h"

typedef struct {
    int reward;         // 1 or 0
    const char *reason; // static text
    bool gave_up;       // a limit was met: count it apart from a wrong answer
} Verdict;
typedef enum { GRADER_DEEPSCALER,
               GRADER_MATH_VERIFY,
               GRADER_COUNT } GraderMode;
static const char *const grader_names[GRADER_COUNT] = {"deepscaler", "math_verify"};

static inline bool grader_from_name(GraderMode *mode, const char *name) {
    for (int i = 0; i < GRADER_COUNT; i++) {
        *mode = (GraderMode)i;
        if (!strcmp(name, grader_names[i])) { return true; }
    }
    return false;
}
// Every reason there is. Those that begin with "gave up" are limits met, and say nothing of the answer.
static const char *const reward_reasons[] = {"no truth", "no think tag", "no box", "no answer", "text equal", "equal as expressions", "different", "gave up: too deep", "gave up: too long", "gave up: too many symbols", "gave up: a sum, product, integral or limit", "gave up: too much arithmetic", "gave up: not decided at 1024 bits"};
static inline void reward_thread_cleanup(void) { flint_cleanup(); } // what FLINT caches per thread

static inline Verdict verdict_right(const char *reason) { return (Verdict){1, reason, false}; }
static inline Verdict verdict_wrong(const char *reason) { return (Verdict){0, reason, !strncmp(reason, "gave up", 7)}; }
static inline Verdict verdict_undecided(long cost) { return verdict_wrong(cost < 0 ? "gave up: too much arithmetic" : "gave up: not decided at 1024 bits"); }

// ---- DeepScaleR's comparison
static inline Verdict deepscaler_compare_expressions(const char *truth, const char *answer, long *cost) {
    Buffer text = {0};
    buffer_printf(&text, "(%s)-(%s)", truth, answer);
    Verdict verdict = verdict_wrong("different");
    if (normalize_may_evaluate(text.data)) {
        static _Thread_local Expression tree;
        int root = expression_parse_plain(&tree, text.data, text.size);
        ZeroResult zero = tree.error ? ZERO_NO : sympy_float_test(&tree, root);
        if (zero == ZERO_GAVE_UP) { zero = zero_test(&tree, root, cost); }
        if (zero == ZERO_YES) { verdict = verdict_right("equal as expressions"); }
        if (zero == ZERO_GAVE_UP) { verdict = verdict_undecided(*cost); }
        if (tree.gave_up) { verdict = verdict_wrong(tree.gave_up); }
    }
    buffer_free(&text);
    return verdict;
}
static inline Verdict deepscaler_compare_elements(const char *truth, const char *answer, long *cost) {
    double unused;
    if (normalize_is_fraction(truth) && normalize_is_fraction(answer)) {
        return !strcmp(truth, answer) ? verdict_right("equal as expressions") : verdict_wrong("different");
    }
    if (normalize_is_integer(&unused, truth, strlen(truth)) != normalize_is_integer(&unused, answer, strlen(answer))) { return verdict_wrong("different"); }
    return deepscaler_compare_expressions(truth, answer, cost);
}
static inline Verdict deepscaler_compare_normalized(const Buffer *truth, const Buffer *answer) {
    if (truth->size == answer->size && !memcmp(truth->data, answer->data, truth->size)) { return verdict_right("text equal"); }
    if (truth->size == 0 || answer->size == 0 || memchr(truth->data, 0, truth->size) || memchr(answer->data, 0, answer->size)) { return verdict_wrong("different"); }
    Buffer truths = {0}, answers = {0};
    int count = normalize_split_tuple(&truths, truth);
    Verdict verdict = verdict_wrong("different");
    long cost = ZERO_MAX_COST;
    bool brackets = truth->data[0] == answer->data[0] && truth->data[truth->size - 1] == answer->data[answer->size - 1];
    if (count == normalize_split_tuple(&answers, answer) && (count == 1 || brackets)) {
        const char *left = truths.data, *right = answers.data;
        for (int i = 0; i < count; i++, left += strlen(left) + 1, right += strlen(right) + 1) {
            verdict = deepscaler_compare_elements(left, right, &cost);
            if (!verdict.reward) { break; }
        }
    }
    buffer_free(&truths);
    buffer_free(&answers);
    return verdict;
}
static inline Verdict deepscaler_compare(const char *answer, size_t answer_bytes, const char *truth, size_t truth_bytes) {
    Buffer left = {0}, right = {0};
    mathd_normalize(&left, truth, truth_bytes);
    mathd_normalize(&right, answer, answer_bytes);
    Verdict verdict = verdict_right("text equal");
    if (left.size != right.size || memcmp(left.data, right.data, left.size)) {
        reward_normalize(&left, truth, truth_bytes);
        reward_normalize(&right, answer, answer_bytes);
        verdict = deepscaler_compare_normalized(&left, &right);
    }
    buffer_free(&left);
    buffer_free(&right);
    return verdict;
}

// ---- Math-Verify's comparison
// `first`: what stood first in the text that the answer was taken from; NULL where the answer comes alone.
static inline Verdict verify_compare(const char *answer, size_t answer_bytes, const Buffer *first, const char *truth, size_t truth_bytes) {
    Buffer truth_first = {0}, answer_first = {0}, truth_text = {0}, answer_text = {0};
    verify_read(&truth_text, &truth_first, truth, truth_bytes, "$", "$");
    verify_read(&answer_text, &answer_first, answer, answer_bytes, first ? NULL : "\\boxed{", "}");
    if (first) { verify_normalize(&answer_first, first->data, first->size); }
    Verdict verdict = verdict_wrong("different");
    if (truth_first.size && truth_first.size == answer_first.size && !memcmp(truth_first.data, answer_first.data, truth_first.size)) {
        verdict = verdict_right("text equal");
    } else {
        static _Thread_local Expression tree;
        expression_clear(&tree);
        VerifyContext context = {.tree = &tree, .cost = ZERO_MAX_COST};
        int truth_root, answer_root;
        bool equal = verify_parse(&truth_root, &tree, &truth_text) && verify_parse(&answer_root, &tree, &answer_text) && verify_equal(&context, truth_root, answer_root);
        if (equal) { verdict = verdict_right("equal as expressions"); }
        if (!equal && context.gave_up) { verdict = verdict_undecided(context.cost); }
        if (!equal && tree.gave_up) { verdict = verdict_wrong(tree.gave_up); }
    }
    Buffer *buffers[] = {&truth_first, &answer_first, &truth_text, &answer_text};
    for (int i = 0; i < 4; i++) { buffer_free(buffers[i]); }
    return verdict;
}

// ---- either grader
static inline Verdict reward_compare(GraderMode mode, const char *answer, size_t answer_bytes, const Buffer *first, const char *truth, size_t truth_bytes) {
    return mode == GRADER_DEEPSCALER ? deepscaler_compare(answer, answer_bytes, truth, truth_bytes) : verify_compare(answer, answer_bytes, first, truth, truth_bytes);
}
// NULL, or what is missing. `first`, which may be NULL, is for reward_grade().
static inline const char *reward_extract(Buffer *answer, Buffer *first, const char *text, size_t bytes, GraderMode mode) {
    return mode == GRADER_DEEPSCALER ? reward_extract_deepscaler(answer, text, bytes) : verify_extract(answer, first, text, bytes);
}

// ---- truths
// str() of a JSON number: a real as Python prints it, shortest digits that read back, "142.0", "1e-05".
static inline void reward_number_text(Buffer *out, const json_t *number) {
    if (json_is_integer(number)) {
        buffer_printf(out, "%lld", (long long)json_integer_value(number));
        return;
    }
    double value = json_real_value(number);
    char digits[40];
    int precision = 0;
    do { snprintf(digits, sizeof(digits), "%.*e", precision, value); } while (strtod(digits, NULL) != value && ++precision < 17);
    int exponent = atoi(strchr(digits, 'e') + 1);
    if (exponent < -4 || exponent >= 16) {
        buffer_printf(out, "%.*se%+03d", (int)(strchr(digits, 'e') - digits), digits, exponent);
    } else {
        int decimals = precision - exponent;
        buffer_printf(out, "%.*f", decimals > 0 ? decimals : 1, value);
    }
}
// The verdict on one truth; false when the truth cannot be used (null, an object, a box that does not close).
static inline bool reward_grade_one(Verdict *verdict, GraderMode mode, const char *answer, size_t answer_bytes, const Buffer *first, const json_t *truth) {
    Buffer text = {0}, inside = {0};
    if (json_is_string(truth)) { buffer_append(&text, json_string_value(truth), json_string_length(truth)); }
    if (json_is_number(truth)) { reward_number_text(&text, truth); }
    bool usable = json_is_string(truth) || json_is_number(truth);
    if (usable && mode == GRADER_DEEPSCALER && text_contains(&text, "\\boxed")) {
        usable = reward_extract_boxed(&inside, text.data, text.size);
        buffer_free(&text);
        text = inside;
    }
    if (usable) { *verdict = reward_compare(mode, answer, answer_bytes, first, text.data ? text.data : "", text.size); }
    buffer_free(&text);
    return usable;
}
static inline Verdict reward_grade(GraderMode mode, const char *answer, size_t answer_bytes, const Buffer *first, const json_t *truth) {
    Verdict best = verdict_wrong("no truth");
    size_t count = json_is_array(truth) ? json_array_size(truth) : 1;
    bool any = false;
    for (size_t i = 0; i < count && !best.reward; i++) {
        Verdict verdict;
        if (!reward_grade_one(&verdict, mode, answer, answer_bytes, first, json_is_array(truth) ? json_array_get(truth, i) : truth)) { continue; }
        if (!any || verdict.reward || verdict.gave_up) { best = verdict; }
        any = true;
    }
    return best;
}

// ---- the entry points
// The answer that would be graded, appended to `answer`; false when the text holds none. For maj@k, which counts votes.
static inline bool reward_extract_answer(Buffer *answer, const char *text, size_t bytes, GraderMode mode) {
    return reward_extract(answer, NULL, text, bytes, mode) == NULL;
}
// Whether two answers are the same answer (the first counts as the truth).
static inline bool reward_answers_equal(GraderMode mode, const char *truth, const char *answer) {
    return reward_compare(mode, answer, strlen(answer), NULL, truth, strlen(truth)).reward == 1;
}
// An answer already extracted against `truth_json`: JSON text of a string, a number or a list of these, any of which counts.
static inline Verdict reward_grade_answer(GraderMode mode, const char *answer, const char *truth_json) {
    Error error;
    json_t *truth = json_parse(truth_json, strlen(truth_json), "truth", &error);
    Verdict verdict = truth ? reward_grade(mode, answer, strlen(answer), NULL, truth) : verdict_wrong("no truth");
    json_decref(truth);
    return verdict;
}
// A whole text: decode(prompt + response) together, think tags and all.
static inline Verdict reward_grade_text(GraderMode mode, const char *text, size_t bytes, const json_t *truth) {
    Buffer answer = {0}, first = {0};
    const char *missing = reward_extract(&answer, &first, text, bytes, mode);
    Verdict verdict = missing ? verdict_wrong(missing) : reward_grade(mode, answer.data, answer.size, &first, truth);
    buffer_free(&answer);
    buffer_free(&first);
    return verdict;
}
static inline Verdict reward_grade_response(GraderMode mode, const char *text, size_t bytes, const char *truth_json) {
    Error error;
    json_t *truth = json_parse(truth_json, strlen(truth_json), "truth", &error);
    Verdict verdict = reward_grade_text(mode, text, bytes, truth); // without a truth nothing is right
    json_decref(truth);
    return verdict;
}
