// named_losses: published objectives as combinations of options. --loss NAME gives these options these defaults; what the user gives stays.
// An option that is not named keeps its own default: grpo is what the options say without a name, DeepScaleR's (GRPO with a mean over tokens).
#pragma once

static const char *const named_losses[][3] = {
    // "Understanding R1-Zero-Like Training" (Liu et al. 2025): no std, no length in the loss, no KL
    {"dr_grpo", "advantage", "dr_grpo"},
    {"dr_grpo", "aggregate", "seq-mean-token-sum-norm"},
    {"dr_grpo", "kl_coef", "0"},
    {"dr_grpo", "entropy_coef", "0"},
    // "DAPO" (Yu et al. 2025): clip-higher, token mean, soft overlong punishment, dynamic sampling, no KL
    {"dapo", "clip_high", "0.28"},
    {"dapo", "overlong_buffer", "-1"},
    {"dapo", "dynamic_sampling", "10"},
    {"dapo", "kl_coef", "0"},
    {"dapo", "entropy_coef", "0"},
    // "Group Sequence Policy Optimization" (Zheng et al. 2025, section 5.1 for the clip)
    {"gspo", "surrogate", "gspo"},
    {"gspo", "aggregate", "seq-mean-token-mean"},
    {"gspo", "clip_low", "0.0003"},
    {"gspo", "clip_high", "0.0004"},
    {"gspo", "kl_coef", "0"},
    {"gspo", "entropy_coef", "0"},
    // "MiniMax-M1" (2025): no lower bound on the weight; the upper one is not published, 5 is what TRL recommends
    {"cispo", "surrogate", "cispo"},
    {"cispo", "clip_low", "1"},
    {"cispo", "clip_high", "4"},
    {"cispo", "kl_coef", "0"},
    {"cispo", "entropy_coef", "0"},
    // "Back to Basics" (Ahmadian et al. 2024): the gradient of whole answers, on-policy (one update a step), KL in the reward
    {"rloo", "advantage", "rloo"},
    {"rloo", "surrogate", "reinforce"},
    {"rloo", "aggregate", "seq-mean-token-sum"},
    {"rloo", "minibatch_prompts", "1048576"},
    {"rloo", "kl_in", "reward"},
    {"rloo", "kl_type", "k1"},
    {"rloo", "entropy_coef", "0"},
    // "REINFORCE++" (Hu 2025): the batch as baseline, KL in the reward; with several answers to a prompt their mean, and k2 in the loss
    {"reinforce++", "advantage", "reinforce++"},
    {"reinforce++", "kl_in", "reward"},
    {"reinforce++", "kl_type", "k1"},
    {"reinforce++", "entropy_coef", "0"},
    {"reinforce++_baseline", "advantage", "reinforce++_baseline"},
    {"reinforce++_baseline", "kl_type", "k2"},
    {"reinforce++_baseline", "entropy_coef", "0"},
};
// --compat deepscaler: what its published 8K run did beside its recipe (agentica-project/deepscaler 95ef74f, its fork of verl); docs/losses.md
// has where. Its later stages had the right sign: give them --kl_coef 0.001.
static const char *const deepscaler_quirks[][2] = {{"microbatch_sum", "true"}, {"kl_coef", "-0.001"}, {"old_logprobs", "trainer"}, {"bf16_logits", "true"}};
