// dataset: which prompts a step takes. The set is shuffled anew for each epoch by (seed, epoch). A run's position in that endless order is
// the number of prompts passed so far, and nothing else. Prompts are drawn so many at a time; the last of an epoch that are fewer are left out.
#pragma once
#include "data/prompts.h"
#include "llmc/random.h"

typedef struct {
    PromptSet *prompts;
    int count, per_step, steps_per_epoch;
    uint64_t key;
    int64_t epoch;       // whose order is in `order`, -1: none yet
    int *order;          // (count)
    int *answer_lengths; // (count) by prompt: mean tokens of the answers given last, 0: not asked yet
} Dataset;

// Takes the prompt set over; `name` is for errors.
static inline bool dataset_open(Dataset *dataset, PromptSet *prompts, const char *name, int prompts_per_step, uint64_t key, Error *error) {
    *dataset = (Dataset){.prompts = prompts, .count = prompt_set_count(prompts), .per_step = prompts_per_step, .key = key, .epoch = -1};
    dataset->steps_per_epoch = dataset->count / prompts_per_step;
    if (dataset->steps_per_epoch == 0) {
        return error_set(error, "%s: has %d prompts, fewer than one step takes: lower --prompts_per_step (now %d)", name, dataset->count, prompts_per_step);
    }
    dataset->order = (int *)host_alloc(sizeof(int) * 2 * (size_t)dataset->count);
    dataset->answer_lengths = dataset->order + dataset->count;
    return true;
}
static inline void dataset_close(Dataset *dataset) {
    prompt_set_close(dataset->prompts);
    free(dataset->order);
}
// The next `count` prompts from *position on, which moves past them: indices into the set, valid until the next call.
static inline const int *dataset_draw(Dataset *dataset, int64_t *position, int count) {
    assert(count <= dataset->count);
    if (*position % dataset->count + count > dataset->count) { *position += dataset->count - *position % dataset->count; }
    const int64_t epoch = *position / dataset->count;
    const int *drawn = dataset->order + *position % dataset->count;
    if (epoch != dataset->epoch) { // an epoch's order follows from its number alone
        random_permutation(dataset->order, dataset->count, random_key(dataset->key, (uint64_t)epoch));
        dataset->epoch = epoch;
    }
    *position += count;
    return drawn;
}
static inline int dataset_epoch(const Dataset *dataset, int64_t position) { // that the next step's prompts are of
    return (int)(position / dataset->count + (position % dataset->count + dataset->per_step > dataset->count));
}
