// microbatch: sequences laid end to end, without padding, as one forward and backward pass sees them.
// A sequence of P prompt and R response tokens takes P + R - 1 rows: row i holds token i and is asked for token i + 1, the target.
// Prompt rows have no target (-1) but the last one, which predicts the first response token.
#pragma once
#include "llmc/common.h"

typedef struct {
    int rows, sequences; // N and S in use
    int row_capacity, sequence_capacity;
    int *tokens, *targets, *positions; // (N)
    int *order;                        // (N) rows sorted by token, for embedding_backward
    int *starts;                       // (S + 1)
    int *samples;                      // (S) whose sequence this is: an index of the caller's
} Microbatch;

static inline Microbatch microbatch_create(int row_capacity, int sequence_capacity) {
    Microbatch batch = {.row_capacity = row_capacity, .sequence_capacity = sequence_capacity};
    batch.tokens = (int *)host_alloc(sizeof(int) * (size_t)row_capacity * 4);
    batch.targets = batch.tokens + row_capacity;
    batch.positions = batch.targets + row_capacity;
    batch.order = batch.positions + row_capacity;
    batch.starts = (int *)host_alloc(sizeof(int) * ((size_t)sequence_capacity * 2 + 1));
    batch.samples = batch.starts + sequence_capacity + 1;
    return batch;
}
static inline void microbatch_free(Microbatch *batch) {
    free(batch->tokens);
    free(batch->starts);
    *batch = (Microbatch){0};
}
static inline void microbatch_clear(Microbatch *batch) { batch->rows = batch->sequences = 0; }

// Appends one sequence; the caller has seen to it that it fits. A response of 0 tokens gives rows without targets: a prompt to cache.
static inline void microbatch_add(Microbatch *batch, int sample, const int *prompt, int prompt_count, const int *response, int response_count) {
    int rows = prompt_count + (response_count ? response_count - 1 : 0), first = batch->rows;
    assert(first + rows <= batch->row_capacity && batch->sequences < batch->sequence_capacity);
    for (int i = 0; i < rows; i++) {
        int target = i + 1 - prompt_count;
        batch->tokens[first + i] = i < prompt_count ? prompt[i] : response[i - prompt_count];
        batch->targets[first + i] = target >= 0 && target < response_count ? response[target] : -1;
        batch->positions[first + i] = i;
    }
    batch->samples[batch->sequences] = sample;
    batch->starts[batch->sequences++] = first;
    batch->starts[batch->sequences] = batch->rows = first + rows;
}

static inline int microbatch_compare_tokens(const void *a, const void *b, void *tokens) {
    int i = *(const int *)a, j = *(const int *)b, difference = ((int *)tokens)[i] - ((int *)tokens)[j];
    return difference ? difference : i - j; // equal tokens in rising row: a total order, so any sort gives the same result
}
static inline void microbatch_sort(Microbatch *batch) { // fills `order`; needed before a backward pass only
    for (int i = 0; i < batch->rows; i++) { batch->order[i] = i; }
    qsort_r(batch->order, (size_t)batch->rows, sizeof(int), microbatch_compare_tokens, batch->tokens);
}
