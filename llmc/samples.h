// samples: the answers of one step: what was asked, what was sampled with which log-probability, and what it earned.
#pragma once
#include "llmc/common.h"
#include "llmc/random.h"
#include "llmc/reward.h"

typedef struct {
    int prompt;            // which prompt of the step (0 .. prompts-1)
    int number;            // which sample of its group (0 .. group_size-1)
    const int *prompt_ids; // borrowed from the prompt set
    int prompt_count;
    uint64_t key; // random key of this sample: its tokens depend on it and on the weights, on nothing else
    int *tokens;  // response, with the end-of-sequence token if it came to one
    int count;
    int limit;                // its longest answer, where that is less than RolloutOptions allow; 0: as they say
    float *logprob;           // by the sampler, at the sampling temperature
    float *reference_logprob; // by the frozen reference, filled by the trainer
    bool finished;            // ended by itself; false: cut at the limit
    Buffer text, answer;      // the response as text, and what the grader took for its answer ("" for none); their memory is kept from step to step
    Verdict verdict;
    float reward, advantage;
} Sample;
typedef struct {
    Sample *list;
    int count, capacity, max_new_tokens;
    int *token_storage;
    float *float_storage;
} Samples;

// Room for the longest answers is reserved at once; the operating system backs only what is touched.
static inline Samples samples_create(int capacity, int max_new_tokens) {
    size_t tokens = (size_t)capacity * (size_t)max_new_tokens;
    return (Samples){.list = (Sample *)host_alloc(sizeof(Sample) * (size_t)capacity), .capacity = capacity, .max_new_tokens = max_new_tokens, .token_storage = (int *)host_alloc(sizeof(int) * tokens), .float_storage = (float *)host_alloc(2 * sizeof(float) * tokens)};
}
static inline void samples_free(Samples *samples) {
    for (int i = 0; i < samples->capacity; i++) {
        buffer_free(&samples->list[i].text);
        buffer_free(&samples->list[i].answer);
    }
    free(samples->list);
    free(samples->token_storage);
    free(samples->float_storage);
    *samples = (Samples){0};
}
static inline void samples_clear(Samples *samples) { samples->count = 0; }

// A group: group_size empty answers to one prompt. prompt_key: random_key of (seed, step, prompt).
static inline void samples_add_group(Samples *samples, int prompt, const int *prompt_ids, int prompt_count, int group_size, uint64_t prompt_key) {
    assert(samples->count + group_size <= samples->capacity);
    for (int number = 0; number < group_size; number++) {
        size_t place = (size_t)samples->count * (size_t)samples->max_new_tokens;
        Buffer text = samples->list[samples->count].text, answer = samples->list[samples->count].answer;
        buffer_clear(&text);
        buffer_clear(&answer);
        samples->list[samples->count++] = (Sample){
            .text = text, .answer = answer, .prompt = prompt, .number = number, .prompt_ids = prompt_ids, .prompt_count = prompt_count, .key = random_key(prompt_key, (uint64_t)number), .tokens = samples->token_storage + place, .logprob = samples->float_storage + 2 * place, .reference_logprob = samples->float_storage + 2 * place + samples->max_new_tokens};
    }
}
