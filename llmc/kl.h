// kl: how far a token's log-probability has gone from the frozen reference's: estimators of KL(policy || reference) from tokens that the
// policy sampled (Schulman, "Approximating KL Divergence", 2020), with d = ref - lp:
//   k1   lp - ref            unbiased, of either sign; its own gradient is that of a constant: 1 for every token
//   k2   (lp - ref)^2 / 2    biased value, but its gradient is the gradient of the KL
//   k3   exp(d) - d - 1      unbiased, never negative; d kept in [-20, 20], the value in [-10, 10]        GRPO (Shao et al. 2024, eq. 4)
//   k1+, k3+                 the value of k1 or k3, the gradient of k2                                    verl, kl_penalty
// Derivatives are with respect to lp; where a clamp holds they are zero.
#pragma once
#include "llmc/common.h"

typedef enum { KL_K1,
               KL_K2,
               KL_K3,
               KL_K1_PLUS,
               KL_K3_PLUS } KlType;
typedef struct {
    double value, dlogprob;
} TokenKl;

static inline TokenKl kl_k1(double logprob, double reference) { return (TokenKl){logprob - reference, 1}; }
static inline TokenKl kl_k2(double logprob, double reference) {
    const double difference = logprob - reference;
    return (TokenKl){difference * difference / 2, difference};
}
static inline TokenKl kl_k3(double logprob, double reference) {
    const double d = clamp(reference - logprob, -20, 20), value = exp(d) - d - 1;
    return value > 10 ? (TokenKl){10, 0} : (TokenKl){value, 1 - exp(d)}; // beyond the inner clamp the value is beyond 10 too
}
static inline TokenKl kl_k1_plus(double logprob, double reference) { return (TokenKl){kl_k1(logprob, reference).value, kl_k2(logprob, reference).dlogprob}; }
static inline TokenKl kl_k3_plus(double logprob, double reference) { return (TokenKl){kl_k3(logprob, reference).value, kl_k2(logprob, reference).dlogprob}; }

// By KlType.
typedef TokenKl KlEstimator(double logprob, double reference);
static KlEstimator *const kl_estimators[] = {kl_k1, kl_k2, kl_k3, kl_k1_plus, kl_k3_plus};
static const char *const kl_names[] = {"k1", "k2", "k3", "k1+", "k3+"};
