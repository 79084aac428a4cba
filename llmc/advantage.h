// advantage: how much better an answer is than its siblings (DeepSeekMath, Shao et al. 2024, eq. 3; as verl computes it).
//   advantage[i] = ( reward[i] - mean of the group ) / ( std of the group + 1e-6 )          std with n - 1 in the denominator
// A group whose rewards are all equal gets zeros: it teaches nothing through the surrogate. A group of one has mean 0 and std 1.
#pragma once
#include "llmc/samples.h"

static inline void advantage_within_groups(Samples *samples, int group_size) {
    for (int first = 0; first < samples->count; first += group_size) {
        Sample *group = &samples->list[first];
        double sum = 0, square = 0;
        for (int i = 0; i < group_size; i++) { sum += group[i].reward; }
        const double mean = group_size > 1 ? sum / group_size : 0;
        for (int i = 0; i < group_size; i++) { square += (group[i].reward - mean) * (group[i].reward - mean); }
        const double std = group_size > 1 ? sqrt(square / (group_size - 1)) : 1;
        for (int i = 0; i < group_size; i++) { group[i].advantage = (float)((group[i].reward - mean) / (std + 1e-6)); }
    }
}
