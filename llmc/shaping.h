// shaping: what is taken off the grader's reward before advantages are made of it.
//   overlong   max(0, n - (L - buffer)) / buffer * penalty      n tokens of at most L      DAPO (Yu et al. 2025, eq. 13)
//   kl         kl_coef * sum over the answer's tokens of kl(old, ref)                      Ouyang et al. 2022, eq. 2; RLOO; verl, apply_kl_penalty
// reinforce++ takes it off token by token: a token answers for the KL of those from it on (Hu 2025, eq. 8; verl, compute_reinforce_plus_plus).
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
static inline void shaping_kl_by_token(Sample *s, KlEstimator *estimate, double kl_coef) { // s->kl and what each token answers for
    s->by_token = true;
    s->kl = 0;
    for (int t = s->count - 1; t >= 0; t--) {
        s->kl += estimate((double)s->old_logprob[t], (double)s->reference_logprob[t]).value;
        s->token_advantage[t] = (float)(kl_coef * s->kl);
    }
}
