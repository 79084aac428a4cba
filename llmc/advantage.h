// advantage: how much better an answer is than others. R is the grader's reward less what was taken off it (sample_return), n the group's
// size, mean and std (with n - 1 in the denominator) are of the group, mean_B and std_B of the batch, where an answer counts once a token:
//   grpo                   (R - mean) / (std + 1e-6)                               DeepSeekMath (Shao et al. 2024, eq. 3), as verl computes it
//   dr_grpo                R - mean                                                Dr. GRPO (Liu et al. 2025): hard and easy groups weigh the same
//   rloo                   R - mean of the other n - 1                             RLOO (Kool et al. 2019; Ahmadian et al. 2024, eq. 8)
//   reinforce++            (R - mean_B) / std_B                                    REINFORCE++ (Hu 2025): no groups at all
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
// (x - mean_B) / std_B of what the advantages hold.
static inline void advantage_whiten(Samples *samples) {
    double tokens = 0, sum = 0, square = 0;
    for (int i = 0; i < samples->count; i++) {
        const Sample *s = &samples->list[i];
        const double weight = s->masked ? 0 : s->count;
        tokens += weight, sum += weight * (double)s->advantage;
    }
    const double mean = tokens > 0 ? sum / tokens : 0;
    for (int i = 0; i < samples->count; i++) {
        const Sample *s = &samples->list[i];
        square += (s->masked ? 0 : s->count) * ((double)s->advantage - mean) * ((double)s->advantage - mean);
    }
    const double std = sqrt(square / (tokens > 1 ? tokens - 1 : 1) + 1e-8);
    for (int i = 0; i < samples->count; i++) { samples->list[i].advantage = (float)(((double)samples->list[i].advantage - mean) / std); }
}
static inline void advantage_reinforce(Samples *samples, int group_size) {
    (void)group_size;
    for (int i = 0; i < samples->count; i++) { samples->list[i].advantage = (float)sample_return(&samples->list[i]); }
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
