// shaping: what is taken off the grader's reward before advantages are made of it.
//   overlong   max(0, n - (L - buffer)) / buffer * penalty      n tokens of at most L      DAPO (Yu et al. 2025, eq. 13)
//   kl         kl_coef * sum over the answer's tokens of kl(old, ref)                      Ouyang et al. 2022, eq. 2; RLOO; verl, apply_kl_penalty
// The KL's estimator is that of kl.h, at the log-probabilities the step began with; nothing of it has a gradient.
#pragma once
#include "llmc/kl.h"
#include "llmc/samples.h"

// buffer 0: none; -1: a fifth of the limit, as DAPO's 4,096 of 20,480.
static inline double shaping_overlong(int tokens, int limit, int buffer, double penalty) {
    const double length = buffer < 0 ? limit / 5.0 : buffer, over = tokens - (limit - length);
    return length > 0 && over > 0 ? over / length * penalty : 0;
}
static inline double shaping_kl(const Sample *s, KlEstimator *estimate) {
    double sum = 0;
    for (int t = 0; t < s->count; t++) { sum += estimate((double)s->old_logprob[t], (double)s->reference_logprob[t]).value; }
    return sum;
}
