// batch: which rank learns from which samples, and which of those share a micro-batch. Longest first, each sample to the rank with the least
// work so far, there into the first micro-batch that still has room for it.
#pragma once
#include "llmc/microbatch.h"
#include "llmc/ranks.h"
#include "llmc/samples.h"

typedef struct {
    int *sample;     // (capacity) sample indices, micro-batch after micro-batch
    int *starts;     // (capacity + 1) micro-batch m holds sample[starts[m]] .. sample[starts[m+1] - 1]
    int *room;       // (capacity) scratch
    int *bin, *size; // (capacity) scratch
    int count, capacity;
} BatchPlan;

static inline BatchPlan batch_plan_create(int capacity) {
    BatchPlan plan = {.capacity = capacity, .sample = (int *)host_alloc(sizeof(int) * ((size_t)capacity * 5 + 1))};
    plan.room = plan.sample + capacity;
    plan.bin = plan.room + capacity;
    plan.size = plan.bin + capacity;
    plan.starts = plan.size + capacity;
    return plan;
}
static inline void batch_plan_free(BatchPlan *plan) { free(plan->sample); }

static inline int sample_rows(const Sample *s) { return s->prompt_count + s->count - 1; }

static inline int batch_longer_first(const void *a, const void *b, void *samples) {
    int i = *(const int *)a, j = *(const int *)b;
    int difference = sample_rows(&((const Sample *)samples)[j]) - sample_rows(&((const Sample *)samples)[i]);
    return difference ? difference : i - j;
}
// What a sample's forward and backward passes cost, in rows: attention's part grows with the square, and in a model of DeepSeek-R1-Distill-
// Qwen-1.5B's shape it is as much as all else at 36K tokens (2 per parameter; 2 layers heads head_dim per token before it).
static inline double batch_cost(int rows) { return rows * (1 + rows / 36e3); }
// Keeps of `sample[0 .. count-1]`, longest first, those of this rank. All ranks share alike.
static inline int batch_share(int *sample, int count, const Samples *samples) {
    double work[MAX_RANKS] = {0};
    int kept = 0;
    for (int k = 0; k < count; k++) {
        int least = 0;
        for (int r = 1; r < ranks_count(); r++) { least = work[r] < work[least] ? r : least; }
        work[least] += batch_cost(sample_rows(&samples->list[sample[k]]));
        if (least == ranks_mine()) { sample[kept++] = sample[k]; }
    }
    return kept;
}
// Plans this rank's share of samples first .. first+count-1, as far as there are so many, without those that carry no gradient: the masked ones, and with
// `skip_silent`, when neither KL nor entropy is trained, those whose advantage is zero (exact: their every derivative is zero). Each
// sample's rows are at most `rows`.
static inline void batch_plan(BatchPlan *plan, const Samples *samples, int first, int count, int rows, bool skip_silent) {
    int kept = 0;
    plan->count = 0;
    for (int i = first; i < first + count && i < samples->count; i++) {
        const Sample *s = &samples->list[i];
        if (s->count > 0 && !s->masked && !(skip_silent && s->advantage == 0 && !s->by_token)) { plan->size[kept++] = i; }
    }
    qsort_r(plan->size, (size_t)kept, sizeof(int), batch_longer_first, samples->list);
    kept = batch_share(plan->size, kept, samples);
    for (int k = 0; k < kept; k++) {
        int need = sample_rows(&samples->list[plan->size[k]]), m = 0;
        assert(need <= rows);
        while (m < plan->count && plan->room[m] < need) { m++; }
        if (m == plan->count) { plan->room[plan->count++] = rows; }
        plan->room[m] -= need;
        plan->bin[k] = m;
    }
    int filled = 0;
    for (int m = 0; m < plan->count; m++) {
        plan->starts[m] = filled;
        for (int k = 0; k < kept; k++) {
            if (plan->bin[k] == m) { plan->sample[filled++] = plan->size[k]; }
        }
    }
    plan->starts[plan->count] = filled;
}
static inline void batch_fill(Microbatch *batch, const BatchPlan *plan, int m, const Samples *samples) {
    microbatch_clear(batch);
    for (int i = plan->starts[m]; i < plan->starts[m + 1]; i++) {
        const Sample *s = &samples->list[plan->sample[i]];
        microbatch_add(batch, plan->sample[i], s->prompt_ids, s->prompt_count, s->tokens, s->count);
    }
}
