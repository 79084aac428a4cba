// grading: an answer's text and its reward, found on worker threads as each answer ends.
#pragma once
#include "data/prompts.h"
#include "llmc/samples.h"
#include "llmc/tokenizer.h"
#include "llmc/worker_pool.h"

typedef struct {
    const Tokenizer *tokenizer;
    const PromptSet *prompts;
    const int *prompt_index; // (prompts of the step) which prompt of the set each is
    GraderMode mode;
    WorkerPool pool;
} Grading;

// Decodes prompt and response together, as the grader wants to see both think tags, and keeps the response's text.
static inline void grading_grade(void *context, void *item) {
    const Grading *grading = (const Grading *)context;
    Sample *s = (Sample *)item;
    Buffer whole = {0};
    tokenizer_decode(grading->tokenizer, s->prompt_ids, (size_t)s->prompt_count, false, &whole);
    tokenizer_decode(grading->tokenizer, s->tokens, (size_t)s->count, false, &s->text);
    buffer_append(&whole, s->text.data, s->text.size);
    Prompt prompt = prompt_set_get(grading->prompts, grading->prompt_index[s->prompt]);
    s->verdict = reward_grade_response(grading->mode, whole.data, whole.size, prompt.truth_json);
    s->reward = (float)s->verdict.reward;
    reward_extract_answer(&s->answer, whole.data, whole.size, grading->mode);
    buffer_free(&whole);
}
static inline void grading_open(Grading *grading, const Tokenizer *tokenizer, GraderMode mode, int threads, int capacity) {
    *grading = (Grading){.tokenizer = tokenizer, .mode = mode};
    worker_pool_open(&grading->pool, threads, capacity, grading_grade, reward_thread_cleanup, grading);
}
static inline void grading_submit(void *grading, Sample *s) { worker_pool_submit(&((Grading *)grading)->pool, s); }
static inline void grading_wait(Grading *grading) { worker_pool_wait(&grading->pool); }
static inline void grading_close(Grading *grading) { worker_pool_close(&grading->pool); }
