// advantage: how much better an answer is than others. R is the grader's reward less what was taken off it (sample_return), n the group's
// size, mean and std (with n - 1 in the denominator) are of the group, mean_B and std_B of the batch, where an answer counts once a token:
//   grpo                   (R - mean) / (std + 1e-6)                               DeepSeekMath (Shao et al. 2024, eq. 3), as verl computes it
//   dr_grpo                R - mean                                                Dr. GRPO (Liu et al. 2025): hard and easy groups weigh the same
//   rloo                   R - mean of the other n - 1                             RLOO (Kool et al. 2019; Ahmadian et al. 2024, eq. 8)
//   reinforce++            (R - mean_B) / std_B                                    REINFORCE++ (Hu 2025): no groups at all; with KL in the
//                                                                                  reward R is the token's own, less the KL from it on
//   reinforce++_baseline   the same of R - mean                                    its variant for several answers to a prompt
// A group whose rewards are all equal gets zeros from all but reinforce++: it teaches nothing through the surrogate. A group of one has mean 0
// and std 1. std_B is sqrt(variance + 1e-8), as verl whitens; masked answers are not part of B.
#pragma once
#include "llmc/samples.h"

typedef struct {
    double mean, std;
} GroupMoments;
static inline double sample_return(const Sample *s) { return (double)s->reward - (double)s->penalty; }

static inline GroupMoments group_moments(const Sample *group, int size) {
    double sum = 0, square = 0;
    for (int i = 0; i < size; i++) { sum += sample_return(&group[i]); }
    const double mean = size > 1 ? sum / size : 0;
    for (int i = 0; i < size; i++) { square += (sample_return(&group[i]) - mean) * (sample_return(&group[i]) - mean); }
    return (GroupMoments){mean, size > 1 ? sqrt(square / (size - 1)) : 1};
}
static inline void advantage_grpo(Samples *samples, int group_size) {
    for (int i = 0; i < samples->count; i++) {
        Sample *s = &samples->list[i];
        const GroupMoments group = group_moments(s - i % group_size, group_size);
        s->advantage = (float)((sample_return(s) - group.mean) / (group.std + 1e-6));
    }
}
static inline void advantage_dr_grpo(Samples *samples, int group_size) {
    for (int i = 0; i < samples->count; i++) {
        Sample *s = &samples->list[i];
        s->advantage = (float)(sample_return(s) - group_moments(s - i % group_size, group_size).mean);
    }
}
static inline void advantage_rloo(Samples *samples, int group_size) {
    const double n = group_size;
    for (int i = 0; i < samples->count; i++) { // the mean of the others is (n mean - R) / (n - 1), and R less it n / (n - 1) times R - mean
        Sample *s = &samples->list[i];
        const double centred = sample_return(s) - group_moments(s - i % group_size, group_size).mean;
        s->advantage = (float)(group_size > 1 ? centred * n / (n - 1) : centred);
    }
}
static inline double advantage_of(const Sample *s, int t) { return (double)(s->by_token ? s->token_advantage[t] : s->advantage); }
// (x - mean_B) / std_B of what the advantages hold.
static inline void advantage_whiten(Samples *samples) {
    double tokens = 0, sum = 0, square = 0;
    for (int i = 0; i < samples->count; i++) {
        const Sample *s = &samples->list[i];
        for (int t = 0; t < s->count && !s->masked; t++) { tokens += 1, sum += advantage_of(s, t); }
    }
    const double mean = tokens > 0 ? sum / tokens : 0;
    for (int i = 0; i < samples->count; i++) {
        const Sample *s = &samples->list[i];
        for (int t = 0; t < s->count && !s->masked; t++) { square += (advantage_of(s, t) - mean) * (advantage_of(s, t) - mean); }
    }
    const double std = sqrt(square / (tokens > 1 ? tokens - 1 : 1) + 1e-8);
    for (int i = 0; i < samples->count; i++) {
        Sample *s = &samples->list[i];
        s->advantage = (float)(((double)s->advantage - mean) / std);
        for (int t = 0; t < s->count && s->by_token; t++) { s->token_advantage[t] = (float)(((double)s->token_advantage[t] - mean) / std); }
    }
}
static inline void advantage_reinforce(Samples *samples, int group_size) {
    (void)group_size;
    for (int i = 0; i < samples->count; i++) {
        Sample *s = &samples->list[i];
        const double whole = s->by_token && s->count ? (double)s->token_advantage[0] : 0; // the answer's KL, which its return is less already
        s->advantage = (float)sample_return(s);
        for (int t = 0; t < s->count && s->by_token; t++) { s->token_advantage[t] = (float)(sample_return(s) + whole - (double)s->token_advantage[t]); }
    }
    advantage_whiten(samples);
}
static inline void advantage_reinforce_baseline(Samples *samples, int group_size) {
    advantage_dr_grpo(samples, group_size);
    advantage_whiten(samples);
}

// By the names of --advantage.
typedef void AdvantageEstimator(Samples *samples, int group_size);
static AdvantageEstimator *const advantage_estimators[] = {advantage_grpo, advantage_dr_grpo, advantage_rloo, advantage_reinforce, advantage_reinforce_baseline};
static const char *const advantage_names[] = {"grpo", "dr_grpo", "rloo", "reinforce++", "reinforce++_baseline"};
