// dynamic_sampling: a group whose answers are all right or all wrong has no advantage and teaches nothing. DAPO (Yu et al. 2025, section 3.2)
// drops such groups and samples further prompts until the batch is full. Here each round asks as many prompts as are missing, in
// the order of the data, and after --dynamic_sampling rounds the step goes on with what it has: losses divide by the answers that are there.
#pragma once
#include "llmc/samples.h"

typedef struct {
    int rounds, groups, none, all; // of the step: rounds of generation, groups asked for, groups dropped because no or every answer was right
    double score;                  // sum of all answers' rewards, of dropped ones too
    double decoded_tokens;         // by all rounds
    int64_t preemptions;
    double idle_seconds;  // waiting for other ranks' last answers
    double least_seconds; // that this rank's decoding steps must take at the device's limits
} SamplingStats;

// Counts the groups from `first` on (of groups of group_size answers) and, when `drop` says so, drops those whose rewards are all equal: the
// others move up, and with them their entries of prompt_index. Returns how many groups there are then.
static inline int sampling_keep_groups(Samples *samples, int *prompt_index, int first, int group_size, bool drop, SamplingStats *stats) {
    int kept = first;
    for (int g = first; g < samples->count / group_size; g++) {
        const Sample *group = &samples->list[g * group_size];
        bool equal = true;
        for (int i = 0; i < group_size; i++) {
            stats->score += (double)group[i].reward;
            equal = equal && group[i].reward == group[0].reward;
        }
        stats->groups++;
        if (equal && drop) {
            *(group[0].reward > 0 ? &stats->all : &stats->none) += 1;
            continue;
        }
        for (int i = 0; i < group_size; i++) {
            samples_move(samples, kept * group_size + i, g * group_size + i);
            samples->list[kept * group_size + i].prompt = kept;
        }
        prompt_index[kept++] = prompt_index[g];
    }
    samples->count = kept * group_size;
    return kept;
}
