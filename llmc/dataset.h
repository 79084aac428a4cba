// dataset: which prompts a step takes. The set is shuffled anew for each epoch by (seed, epoch); a step is a place in that order, so
// the position of a run is its step number and nothing else. The last prompts of an epoch that do not fill a step are left out.
#pragma once
#include "data/prompts.h"
#include "llmc/random.h"

typedef struct {
    PromptSet *prompts;
    int count, per_step, steps_per_epoch;
    uint64_t key;
    int epoch;  // whose order is in `order`, -1: none yet
    int *order; // (count)
} Dataset;

// Takes the prompt set over; `name` is for errors.
static inline bool dataset_open(Dataset *dataset, PromptSet *prompts, const char *name, int prompts_per_step, uint64_t key, Error *error) {
    *dataset = (Dataset){.prompts = prompts, .count = prompt_set_count(prompts), .per_step = prompts_per_step, .key = key, .epoch = -1};
    dataset->steps_per_epoch = dataset->count / prompts_per_step;
    if (dataset->steps_per_epoch == 0) {
        return error_set(error, "%s: has %d prompts, fewer than one step takes: lower --prompts_per_step (now %d)", name, dataset->count, prompts_per_step);
    }
    dataset->order = (int *)host_alloc(sizeof(int) * (size_t)dataset->count);
    return true;
}
static inline void dataset_close(Dataset *dataset) {
    prompt_set_close(dataset->prompts);
    free(dataset->order);
}
// The prompts of a step, counted from 0: per_step indices into the set, valid until the next call.
static inline const int *dataset_step(Dataset *dataset, int step) {
    const int epoch = step / dataset->steps_per_epoch;
    if (epoch != dataset->epoch) { // an epoch's order follows from its number alone
        random_permutation(dataset->order, dataset->count, random_key(dataset->key, (uint64_t)epoch));
        dataset->epoch = epoch;
    }
    return dataset->order + (size_t)(step % dataset->steps_per_epoch) * (size_t)dataset->per_step;
}
