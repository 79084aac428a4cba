// importance: the tokens were drawn by the sampler, whose arithmetic may differ from the trainer's. Truncated importance sampling (Yao et
// al. 2025, "Your efficient RL framework secretly brings you off-policy RL training") weighs each token's surrogate by
//   w = min( p_old / p_sampled, cap )
// with p_old the trainer's own probability before the step's first update (--old_logprobs trainer); w is held constant. cap 0: no weights.
#pragma once
#include "llmc/common.h"

static inline double importance_weight(double old, double sampled, double cap) { return cap > 0 ? fmin(exp(clamp(old - sampled, -20, 20)), cap) : 1; }
