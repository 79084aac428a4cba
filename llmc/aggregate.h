// aggregate: how the losses of tokens become one loss. Each mode divides a token's loss by a number that depends on counts alone, known
// before the first backward pass; so it does not matter how a minibatch is split into micro-batches or among ranks. With T the response
// tokens and S the answers of the minibatch, n the tokens of the token's own answer, L a constant (the running context):
//   token-mean               T     every token weighs the same                                             DAPO (Yu et al. 2025, eq. 8), verl
//   token-sum                1
//   seq-mean-token-sum       S     every answer's sum weighs the same                                      RLOO (Ahmadian et al. 2024)
//   seq-mean-token-mean      S n   every answer weighs the same: a long one's tokens weigh less            GRPO (Shao et al. 2024, eq. 3), GSPO
//   seq-mean-token-sum-norm  S L   as sums, in the scale of means                                          Dr. GRPO (Liu et al. 2025, section 3.2)
// Answers that are masked (--mask_truncated) count nowhere.
#pragma once
#include "llmc/microbatch.h"
#include "llmc/samples.h"

typedef enum { AGGREGATE_TOKEN_MEAN,
               AGGREGATE_TOKEN_SUM,
               AGGREGATE_SEQ_MEAN_TOKEN_SUM,
               AGGREGATE_SEQ_MEAN_TOKEN_MEAN,
               AGGREGATE_SEQ_MEAN_TOKEN_SUM_NORM } Aggregate;
static const char *const aggregate_names[] = {"token-mean", "token-sum", "seq-mean-token-sum", "seq-mean-token-mean", "seq-mean-token-sum-norm"};

typedef struct {
    double tokens, sequences; // T and S
} LossCounts;

static inline void loss_count(LossCounts *counts, const Sample *s) { counts->tokens += s->masked ? 0 : s->count, counts->sequences += !s->masked && s->count > 0; }
// Of the answers first .. first+count-1 of a step, as far as there are so many.
static inline LossCounts loss_counts(const Samples *samples, int first, int count) {
    LossCounts counts = {0, 0};
    for (int i = first; i < first + count && i < samples->count; i++) { loss_count(&counts, &samples->list[i]); }
    return counts;
}
static inline LossCounts loss_counts_of_microbatch(const Microbatch *batch, const Samples *samples) {
    LossCounts counts = {0, 0};
    for (int s = 0; s < batch->sequences; s++) { loss_count(&counts, &samples->list[batch->samples[s]]); }
    return counts;
}
static inline double aggregate_denominator(Aggregate mode, const LossCounts *counts, double answer_tokens, double constant) {
    switch (mode) {
    case AGGREGATE_TOKEN_SUM:
        return 1;
    case AGGREGATE_SEQ_MEAN_TOKEN_SUM:
        return counts->sequences;
    case AGGREGATE_SEQ_MEAN_TOKEN_MEAN:
        return counts->sequences * answer_tokens;
    case AGGREGATE_SEQ_MEAN_TOKEN_SUM_NORM:
        return counts->sequences * constant;
    case AGGREGATE_TOKEN_MEAN:
        break;
    }
    return counts->tokens;
}
