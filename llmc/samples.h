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
    float *trainer_logprob;   // by the trainer before the step's first update, filled where --old_logprobs asks for it
    const float *old_logprob; // what importance ratios are taken to: logprob or trainer_logprob
    double mean_log_ratio;    // of the current log-probability to the old one, over the answer; for surrogates of sequences
    bool finished;            // ended by itself; false: cut at the limit
    bool masked;              // not trained on
    Buffer text, answer;      // the response as text, and what the grader took for its answer ("" for none); their memory is kept from step to step
    Verdict verdict;
    double kl;             // of the whole answer from the reference, where the KL term is part of the reward
    float reward, penalty; // the grader's, and what is taken off it: together what advantages are made of
    float advantage;       // of the answer; where each token has its own (by_token), of its first
    bool by_token;
    float *token_advantage; // before advantages are made: what KL takes off the reward from the token on
} Sample;
typedef struct {
    Sample *list;
    int count, capacity, max_new_tokens;
    int *token_storage;
    float *float_storage;
} Samples;

// One of the arrays of log-probabilities by its place: offsetof(Sample, reference_logprob).
static inline float *sample_logprobs(Sample *sample, size_t field) { return *(float **)(void *)((char *)sample + field); }

enum { SAMPLE_FLOATS = 4 }; // per token: the three log-probabilities, the advantage

// Room for the longest answers is reserved at once; the operating system backs only what is touched.
static inline Samples samples_create(int capacity, int max_new_tokens) {
    size_t tokens = (size_t)capacity * (size_t)max_new_tokens;
    return (Samples){.list = (Sample *)host_alloc(sizeof(Sample) * (size_t)capacity), .capacity = capacity, .max_new_tokens = max_new_tokens, .token_storage = (int *)host_alloc(sizeof(int) * tokens), .float_storage = (float *)host_alloc(SAMPLE_FLOATS * sizeof(float) * tokens)};
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
// Those from `first` on, as a set of their own that shares their memory.
static inline Samples samples_from(const Samples *samples, int first) {
    const size_t place = (size_t)first * (size_t)samples->max_new_tokens;
    return (Samples){.list = samples->list + first, .count = samples->count - first, .capacity = samples->capacity - first, .max_new_tokens = samples->max_new_tokens, .token_storage = samples->token_storage + place, .float_storage = samples->float_storage + SAMPLE_FLOATS * place};
}
// An answer takes the place of another, with what is known of it before training begins; the other is gone.
static inline void samples_move(Samples *samples, int to, int from) {
    Sample *place = &samples->list[to], *moved = &samples->list[from];
    const Sample old = *place;
    if (to == from) { return; }
    memcpy(old.tokens, moved->tokens, sizeof(int) * (size_t)moved->count);
    memcpy(old.logprob, moved->logprob, sizeof(float) * (size_t)moved->count);
    *place = *moved;
    place->tokens = old.tokens, place->logprob = old.logprob, place->reference_logprob = old.reference_logprob, place->trainer_logprob = old.trainer_logprob, place->old_logprob = old.logprob, place->token_advantage = old.token_advantage;
    moved->text = old.text, moved->answer = old.answer; // buffers change places, so that each is freed once
}

// A group: group_size empty answers to one prompt. prompt_key: random_key of (seed, step, prompt).
static inline void samples_add_group(Samples *samples, int prompt, const int *prompt_ids, int prompt_count, int group_size, uint64_t prompt_key) {
    assert(samples->count + group_size <= samples->capacity);
    for (int number = 0; number < group_size; number++) {
        const size_t longest = (size_t)samples->max_new_tokens, place = (size_t)samples->count * longest;
        float *floats = samples->float_storage + SAMPLE_FLOATS * place;
        Buffer text = samples->list[samples->count].text, answer = samples->list[samples->count].answer;
        buffer_clear(&text);
        buffer_clear(&answer);
        samples->list[samples->count++] = (Sample){
            .text = text, .answer = answer, .prompt = prompt, .number = number, .prompt_ids = prompt_ids, .prompt_count = prompt_count, .key = random_key(prompt_key, (uint64_t)number), .tokens = samples->token_storage + place, .logprob = floats, .reference_logprob = floats + longest, .trainer_logprob = floats + 2 * longest, .token_advantage = floats + 3 * longest, .old_logprob = floats};
    }
}
