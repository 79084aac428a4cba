// grpo: the loss, on log-probabilities alone; the vocabulary is never seen here. Per response token, with lp the current
// log-probability, old the sampler's, ref the frozen reference's, A the advantage of its answer, H the entropy:
//   ratio     = exp(clamp(lp - old, -20, 20))
//   surrogate = max( -A ratio, -A clip(ratio, 1 - clip_low, 1 + clip_high) )           PPO (Schulman et al. 2017, eq. 7)
//   kl        = exp(d) - d - 1   with d = clamp(ref - lp, -20, 20), kept in [-10, 10]   k3 (Schulman, "Approximating KL divergence", 2020)
//   loss      = sum over response tokens of ( surrogate + kl_coef kl - entropy_coef H ) / token_count
// token_count is the number of response tokens of the whole minibatch, known before the first backward pass: so it does not matter
// how the minibatch is split into micro-batches. Derivatives are with respect to lp and H; where a clamp or the clip holds, it is zero.
#pragma once
#include <stddef.h>
#include "llmc/microbatch.h"
#include "llmc/ranks.h"
#include "llmc/samples.h"

typedef enum { KL_K1,
               KL_K2,
               KL_K3 } KlType;
typedef struct {
    double clip_low, clip_high, kl_coef, entropy_coef;
    KlType kl_type;
} GrpoOptions;

// Sums over response tokens, added up over micro-batches; metrics divide them.
typedef struct {
    double tokens, surrogate, kl, entropy, clipped, old_minus_new; // old_minus_new: sum of old - lp, an estimate of KL(old || new)
    double difference, largest_difference;                         // |p - p_old| of probabilities: sampler against trainer when nothing was updated between
} GrpoStats;

static inline void grpo_stats_join(GrpoStats *stats) { // of this rank's micro-batches: becomes that of all ranks'
    ranks_sum(&stats->tokens, (int)(offsetof(GrpoStats, largest_difference) / sizeof(double)));
    ranks_largest(&stats->largest_difference, 1);
}

static inline double grpo_clamp(double x, double low, double high) { return x < low ? low : x > high ? high
                                                                                                     : x; }

// The clipped surrogate of one token; *dlogprob its derivative by lp; *clipped whether the clip decided.
static inline double grpo_surrogate(double *dlogprob, bool *clipped, double logprob, double old, double advantage, const GrpoOptions *o) {
    const double ratio = exp(grpo_clamp(logprob - old, -20, 20));
    const double as_is = -advantage * ratio, held = -advantage * grpo_clamp(ratio, 1 - o->clip_low, 1 + o->clip_high);
    *clipped = held > as_is;
    *dlogprob = *clipped || fabs(logprob - old) > 20 ? 0 : as_is;
    return *clipped ? held : as_is;
}
// The KL estimate of one token and its derivative by lp.
static inline double grpo_kl(double *dlogprob, double logprob, double reference, KlType type) {
    const double difference = logprob - reference;
    if (type == KL_K1) {
        *dlogprob = 1;
        return difference;
    }
    if (type == KL_K2) {
        *dlogprob = difference;
        return difference * difference / 2;
    }
    const double d = grpo_clamp(-difference, -20, 20), value = exp(d) - d - 1;
    *dlogprob = value > 10 ? 0 : 1 - exp(d); // beyond the inner clamp the value is beyond 10 too
    return value > 10 ? 10 : value;
}

// The loss of `count` rows of a micro-batch from `begin` on (at most as many as there are): derivatives per row (zero on prompt rows) into
// dlogprob and dentropy, sums into stats. All arrays are of the whole micro-batch.
static inline void grpo_loss(float *dlogprob, float *dentropy, GrpoStats *stats, const Microbatch *batch, int begin, int count, const Samples *samples,
                             const float *logprob, const float *entropy, double token_count, const GrpoOptions *o) {
    const int end = batch->rows - begin < count ? batch->rows : begin + count;
    memset(dlogprob + begin, 0, sizeof(float) * (size_t)(end - begin));
    memset(dentropy + begin, 0, sizeof(float) * (size_t)(end - begin));
    for (int s = 0; s < batch->sequences; s++) {
        const Sample *sample = &samples->list[batch->samples[s]];
        const int first = batch->starts[s] + sample->prompt_count - 1; // the row that predicts response token 0
        for (int t = first < begin ? begin - first : 0; t < sample->count && first + t < end; t++) {
            const int row = first + t;
            const double old = (double)sample->logprob[t];
            double by_surrogate, by_kl = 0, kl = 0, difference;
            bool clipped;
            stats->surrogate += grpo_surrogate(&by_surrogate, &clipped, (double)logprob[row], old, (double)sample->advantage, o);
            if (o->kl_coef != 0) { kl = grpo_kl(&by_kl, (double)logprob[row], (double)sample->reference_logprob[t], o->kl_type); }
            dlogprob[row] = (float)((by_surrogate + o->kl_coef * by_kl) / token_count);
            dentropy[row] = (float)(-o->entropy_coef / token_count);
            difference = fabs(exp((double)logprob[row]) - exp(old));
            stats->tokens += 1, stats->kl += kl, stats->entropy += (double)entropy[row], stats->clipped += clipped;
            stats->old_minus_new += old - (double)logprob[row], stats->difference += difference;
            stats->largest_difference = difference > stats->largest_difference ? difference : stats->largest_difference;
        }
    }
}
