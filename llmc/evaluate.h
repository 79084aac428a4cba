// evaluate: what a set of graded answers says about the model. Q questions, n answers each, c[q] of them right.
//   mean@n      = (1/Q) sum_q c[q]/n                                        pass@1, from n samples
//   its standard error = std over questions of c[q]/n / sqrt(Q)             (Miller 2024, "Adding error bars to evals", eq. 1)
//   pass@k      = (1/Q) sum_q 1 - C(n - c[q], k) / C(n, k)                  unbiased (Chen et al. 2021, eq. 1)
//   maj@n       = (1/Q) sum_q whether the answer given most often is right  (Wang et al. 2022); ties go to the one given first
//   within L    = pass@1 when an answer of more than L tokens counts as wrong: what a context of L would have reached
#pragma once
#include "llmc/grading.h"

enum { EVALUATION_MAX_K = 17 }; // k = 1, 2, 4, ... , 65536
typedef struct {
    int questions, samples; // Q, n
    double mean, standard_error, majority, within;
    int k_count, k[EVALUATION_MAX_K];
    double pass_at[EVALUATION_MAX_K];
    double mean_length, truncated, gave_up; // tokens; shares of all answers
    // running sums while questions are added
    double sum_square;
} Evaluation;

static inline double evaluation_pass_at_k(int n, int c, int k) {
    double all_wrong = 1; // C(n-c, k) / C(n, k) as a product, so that nothing overflows
    for (int i = 0; i < k; i++) { all_wrong *= n - c - i > 0 ? (double)(n - c - i) / (n - i) : 0; }
    return 1 - all_wrong;
}
static inline Evaluation evaluation_start(int samples) {
    Evaluation e = {.samples = samples};
    for (int k = 1; k <= samples && e.k_count < EVALUATION_MAX_K; k *= 2) { e.k[e.k_count++] = k; }
    return e;
}
// Whether the answer that most of a group's responses give is right. Two answers are one when they are the same text.
static inline bool evaluation_majority(const Sample *group, int n) {
    int best = -1, best_votes = 0;
    for (int i = 0; i < n; i++) {
        int votes = 0;
        for (int j = 0; group[i].answer.size && j < n; j++) {
            votes += group[i].answer.size == group[j].answer.size && !memcmp(group[i].answer.data, group[j].answer.data, group[i].answer.size);
        }
        if (votes > best_votes) { best = i, best_votes = votes; }
    }
    return best >= 0 && group[best].verdict.reward > 0;
}
// Adds the graded answers of some questions, n = e->samples side by side for each. context: L above, 0 for no limit.
static inline void evaluation_add(Evaluation *e, const Samples *samples, int context) {
    const int n = e->samples;
    for (int first = 0; first < samples->count; first += n) {
        const Sample *group = &samples->list[first];
        int right = 0, within = 0;
        for (int i = 0; i < n; i++) {
            const bool ok = group[i].verdict.reward > 0;
            right += ok;
            within += ok && (context == 0 || group[i].count <= context);
            e->mean_length += group[i].count, e->truncated += !group[i].finished, e->gave_up += group[i].verdict.gave_up;
        }
        const double share = (double)right / n;
        e->questions++;
        e->mean += share, e->sum_square += share * share, e->within += (double)within / n;
        e->majority += evaluation_majority(group, n);
        for (int k = 0; k < e->k_count; k++) { e->pass_at[k] += evaluation_pass_at_k(n, right, e->k[k]); }
    }
}
static inline void evaluation_finish(Evaluation *e) { // sums become means
    const double Q = e->questions, answers = Q * e->samples;
    e->mean /= Q, e->within /= Q, e->majority /= Q;
    e->mean_length /= answers, e->truncated /= answers, e->gave_up /= answers;
    for (int k = 0; k < e->k_count; k++) { e->pass_at[k] /= Q; }
    const double variance = Q > 1 ? (e->sum_square - Q * e->mean * e->mean) / (Q - 1) : 0;
    e->standard_error = variance > 0 ? sqrt(variance / Q) : 0;
}
static inline void evaluation_print(const Evaluation *e, const char *name, bool greedy, int context) { // context: the limit that `within` was counted with, 0 for none
    if (greedy) {
        printf("  %-16s greedy %.3f +- %.3f\n", name, e->mean, e->standard_error);
        return;
    }
    printf("  %-16s pass@1 %.3f +- %.3f", name, e->mean, e->standard_error);
    for (int k = 1; k < e->k_count; k++) { printf(" | pass@%d %.3f", e->k[k], e->pass_at[k]); }
    if (e->samples > 1) { printf(" | maj@%d %.3f", e->samples, e->majority); }
    if (context) { printf(" | within %d tokens %.3f", context, e->within); }
    printf(" | length %.1f | cut %.1f%%", e->mean_length, 100 * e->truncated);
    printf(e->gave_up > 0 ? " | grader gave up on %.1f%%\n" : "\n", 100 * e->gave_up);
}
