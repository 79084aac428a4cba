// grpo: the loss, on log-probabilities alone; the vocabulary is never seen here. Per response token, with lp the current log-probability,
// old the one at the start of the step, ref the frozen reference's, A the advantage of its answer, H the entropy:
//   loss = sum over response tokens of ( w surrogate(lp, old, A) + kl_coef kl(lp, ref) - entropy_coef H ) / denominator
// surrogate: surrogate.h; kl: kl.h; denominator: aggregate.h; w: importance.h, 1 unless --tis_cap. As published (Shao et al. 2024) and by
// default these are the clipped ratio of PPO and k3; the denominator is the number of response tokens of the whole minibatch.
// Derivatives are with respect to lp and H.
#pragma once
#include <stddef.h>
#include "llmc/advantage.h"
#include "llmc/aggregate.h"
#include "llmc/importance.h"
#include "llmc/kl.h"
#include "llmc/surrogate.h"
#include "llmc/ranks.h"

typedef struct {
    Clip clip;
    double kl_coef, entropy_coef, tis_cap;
    KlType kl_type;
    SurrogateType surrogate;
    Aggregate aggregate;
    double context;      // the constant of seq-mean-token-sum-norm
    bool microbatch_sum; // each micro-batch is a minibatch of its own, and their losses are summed: what verl did in DeepScaleR's time
} GrpoOptions;

// Sums over response tokens, added up over micro-batches; metrics divide them.
typedef struct {
    double loss;                           // the objective: each token's part divided by its denominator
    double tokens, surrogate, kl, entropy; // without coefficients; the surrogate weighted
    double clipped[CLIPPED_DUAL + 1];      // tokens by Clipped
    double ratio, weight;                  // the surrogate's importance ratio; of importance.h
    double old_minus_new;                  // of old - lp, an estimate of KL(old || new)
    // sampler against trainer, when nothing was updated between: |p - p_sampled|, |lp - lp_sampled|, and of KL(sampled || p) the estimates k1 and k3
    double difference, log_difference, sampler_k1, sampler_k3;
    double p, p_sampled, p_squared, p_sampled_squared, product;                       // sums of probabilities and of their products, for Pearson's correlation
    double largest_ratio, largest_weight, largest_difference, largest_log_difference; // the largest side by side, and the least: grpo_stats_join
    double least_ratio, least_weight;
} GrpoStats;

// Of this rank's micro-batches: becomes that of all ranks'.
static inline void grpo_stats_join(GrpoStats *s) {
    double least[] = {-s->least_ratio, -s->least_weight};
    if (s->tokens == 0) { s->largest_ratio = s->largest_weight = least[0] = least[1] = -INFINITY; } // nothing of ours is an extreme
    ranks_sum(&s->loss, (int)(offsetof(GrpoStats, largest_ratio) / sizeof(double)));
    ranks_largest(&s->largest_ratio, 4);
    ranks_largest(least, 2);
    s->least_ratio = -least[0], s->least_weight = -least[1];
    if (s->tokens == 0) { s->largest_ratio = s->least_ratio = s->largest_weight = s->least_weight = 0; }
}
// Whether an answer with no advantage has no gradient either.
static inline bool grpo_is_silent_without_advantage(const GrpoOptions *o) { return o->kl_coef == 0 && o->entropy_coef == 0 && !o->microbatch_sum; }

static inline int grpo_first_row(const Microbatch *batch, int s, const Sample *sample) { return batch->starts[s] + sample->prompt_count - 1; } // predicts response token 0

// The mean of lp - old over each whole answer of a micro-batch, for surrogates of sequences: needed before any token's derivative.
static inline void grpo_sequence_ratios(Samples *samples, const Microbatch *batch, const float *logprob) {
    for (int s = 0; s < batch->sequences; s++) {
        Sample *sample = &samples->list[batch->samples[s]];
        const float *now = logprob + grpo_first_row(batch, s, sample);
        double sum = 0;
        for (int t = 0; t < sample->count; t++) { sum += (double)now[t] - (double)sample->old_logprob[t]; }
        sample->mean_log_ratio = sum / sample->count;
    }
}

static inline void grpo_note(double *sum, double *largest, double *least, double value, bool first) {
    *sum += value;
    *largest = first || value > *largest ? value : *largest;
    *least = first || value < *least ? value : *least;
}
static inline void grpo_compare(GrpoStats *s, double lp, double sampled) { // one token's log-probability by the trainer and by the sampler
    const double p = exp(lp), p_sampled = exp(sampled), difference = fabs(p - p_sampled), log_ratio = lp - sampled;
    s->difference += difference, s->log_difference += fabs(log_ratio);
    s->largest_difference = fmax(s->largest_difference, difference), s->largest_log_difference = fmax(s->largest_log_difference, fabs(log_ratio));
    s->sampler_k1 -= log_ratio, s->sampler_k3 += exp(log_ratio) - log_ratio - 1;
    s->p += p, s->p_sampled += p_sampled, s->p_squared += p * p, s->p_sampled_squared += p_sampled * p_sampled, s->product += p * p_sampled;
}
// Pearson's correlation of the two probabilities over all tokens; NAN where either is the same for all.
static inline double grpo_correlation(const GrpoStats *s) {
    const double n = s->tokens, covariance = n * s->product - s->p * s->p_sampled;
    return covariance / sqrt((n * s->p_squared - s->p * s->p) * (n * s->p_sampled_squared - s->p_sampled * s->p_sampled));
}
// The loss of `count` rows of a micro-batch from `begin` on (at most as many as there are): derivatives per row (zero on prompt rows) into
// dlogprob and dentropy, sums into stats. All arrays are of the whole micro-batch; minibatch counts what it is part of.
static inline void grpo_loss(float *dlogprob, float *dentropy, GrpoStats *stats, const Microbatch *batch, int begin, int count, const Samples *samples,
                             const float *logprob, const float *entropy, const LossCounts *minibatch, const GrpoOptions *o) {
    const int end = batch->rows - begin < count ? batch->rows : begin + count;
    Surrogate *surrogate = surrogates[o->surrogate];
    KlEstimator *estimate = kl_estimators[o->kl_type];
    const bool of_sequence = surrogate_is_of_sequence(o->surrogate);
    const LossCounts counts = o->microbatch_sum ? loss_counts_of_microbatch(batch, samples) : *minibatch;
    memset(dlogprob + begin, 0, sizeof(float) * (size_t)(end - begin));
    memset(dentropy + begin, 0, sizeof(float) * (size_t)(end - begin));
    for (int s = 0; s < batch->sequences; s++) {
        const Sample *sample = &samples->list[batch->samples[s]];
        const double denominator = aggregate_denominator(o->aggregate, &counts, sample->count, o->context);
        const int first = grpo_first_row(batch, s, sample);
        for (int t = first < begin ? begin - first : 0; t < sample->count && first + t < end; t++) {
            const int row = first + t;
            const double lp = (double)logprob[row], old = (double)sample->old_logprob[t], sampled = (double)sample->logprob[t], H = (double)entropy[row];
            const double weight = importance_weight(old, sampled, o->tis_cap);
            TokenSurrogate part = surrogate(lp, of_sequence ? sample->mean_log_ratio : lp - old, advantage_of(sample, t), &o->clip);
            TokenKl kl = {0, 0};
            if (o->tis_cap > 0) { part.value *= weight, part.dlogprob *= weight; }
            if (o->kl_coef != 0) { kl = estimate(lp, (double)sample->reference_logprob[t]); }
            dlogprob[row] = (float)((part.dlogprob + o->kl_coef * kl.dlogprob) / denominator);
            dentropy[row] = (float)(-o->entropy_coef / denominator);

            stats->loss += (part.value + o->kl_coef * kl.value - o->entropy_coef * H) / denominator;
            grpo_note(&stats->ratio, &stats->largest_ratio, &stats->least_ratio, part.ratio, stats->tokens == 0);
            grpo_note(&stats->weight, &stats->largest_weight, &stats->least_weight, weight, stats->tokens == 0);
            stats->tokens += 1, stats->surrogate += part.value, stats->kl += kl.value, stats->entropy += H, stats->clipped[part.clipped] += 1;
            stats->old_minus_new += old - lp;
            grpo_compare(stats, lp, sampled);
        }
    }
}
