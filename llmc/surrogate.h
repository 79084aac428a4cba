// surrogate: what a token contributes to the policy's loss, and its derivative by the token's log-probability lp. A is the advantage of its
// answer, r its importance ratio, clip(r) = min(max(r, 1 - clip_low), 1 + clip_high):
//   ppo        max( -A r, -A clip(r) )       r = exp(lp - old), of the token              Schulman et al. 2017, eq. 7; GRPO, DAPO
//   gspo       the same                      r = exp(mean of lp - old over the answer)    Zheng et al. 2025, eq. 5-7 and 14
//   cispo      -sg(clip(r)) A lp             r = exp(lp - old), held constant             MiniMax-M1 2025, eq. 4-5
//   reinforce  -A lp                         no ratio                                     Williams 1992; RLOO (Ahmadian et al. 2024)
// dual_clip C > 0 (Ye et al. 2020, eq. 5): where A < 0, no more than -A C, so that a ratio beyond C has no slope. ppo and gspo alone have it.
// Log-ratios are kept in [-20, 20], an answer's mean below 10, as verl does. The clip and these bounds leave no slope behind.
// dlogprob of gspo is verl's: every token moves the answer's ratio as if it alone were the answer. All tokens of an answer have one
// weight (aggregate.h), so this is the derivative of the whole loss: n tokens, of which each moves the mean by 1/n.
#pragma once
#include "llmc/common.h"

typedef enum { SURROGATE_PPO,
               SURROGATE_GSPO,
               SURROGATE_CISPO,
               SURROGATE_REINFORCE } SurrogateType;
typedef struct {
    double low, high, dual; // clip_low, clip_high, dual_clip
} Clip;
typedef enum { CLIPPED_NOT,
               CLIPPED_LOW,  // below 1 - low
               CLIPPED_HIGH, // above 1 + high
               CLIPPED_DUAL  // above the dual clip
} Clipped;
typedef struct {
    double value, dlogprob, ratio;
    Clipped clipped;
} TokenSurrogate;

// moves: whether lp still moves the ratio.
static inline TokenSurrogate surrogate_clip(double ratio, bool moves, double advantage, const Clip *clip) {
    const double as_is = -advantage * ratio, held = -advantage * clamp(ratio, 1 - clip->low, 1 + clip->high), most = -advantage * clip->dual;
    if (clip->dual > 0 && advantage < 0 && as_is > most && held < as_is) { return (TokenSurrogate){most, 0, ratio, CLIPPED_DUAL}; }
    if (held > as_is) { return (TokenSurrogate){held, 0, ratio, advantage < 0 ? CLIPPED_LOW : CLIPPED_HIGH}; }
    return (TokenSurrogate){as_is, moves ? as_is : 0, ratio, CLIPPED_NOT};
}
static inline TokenSurrogate surrogate_ppo(double logprob, double log_ratio, double advantage, const Clip *clip) {
    (void)logprob;
    return surrogate_clip(exp(clamp(log_ratio, -20, 20)), fabs(log_ratio) <= 20, advantage, clip);
}
static inline TokenSurrogate surrogate_gspo(double logprob, double log_ratio, double advantage, const Clip *clip) {
    (void)logprob;
    return surrogate_clip(exp(clamp(log_ratio, -INFINITY, 10)), log_ratio <= 10, advantage, clip);
}
static inline TokenSurrogate surrogate_cispo(double logprob, double log_ratio, double advantage, const Clip *clip) {
    const double ratio = exp(clamp(log_ratio, -20, 20)), weight = clamp(ratio, 1 - clip->low, 1 + clip->high);
    return (TokenSurrogate){-weight * advantage * logprob, -weight * advantage, ratio, weight > ratio ? CLIPPED_LOW : weight < ratio ? CLIPPED_HIGH
                                                                                                                                     : CLIPPED_NOT};
}
static inline TokenSurrogate surrogate_reinforce(double logprob, double log_ratio, double advantage, const Clip *clip) {
    (void)clip;
    return (TokenSurrogate){-advantage * logprob, -advantage, exp(clamp(log_ratio, -20, 20)), CLIPPED_NOT};
}

// By SurrogateType. log_ratio is the token's own lp - old, or its mean over the answer where surrogate_is_of_sequence.
typedef TokenSurrogate Surrogate(double logprob, double log_ratio, double advantage, const Clip *clip);
static Surrogate *const surrogates[] = {surrogate_ppo, surrogate_gspo, surrogate_cispo, surrogate_reinforce};
static const char *const surrogate_names[] = {"ppo", "gspo", "cispo", "reinforce"};
static inline bool surrogate_is_of_sequence(SurrogateType type) { return type == SURROGATE_GSPO; }
