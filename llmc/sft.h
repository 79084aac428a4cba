// sft: supervised fine-tuning on prompt/response pairs, the stage before reinforcement learning: a model learns the form of an answer.
//   loss = - sum over response tokens of log p(token) / number of response tokens in the step
// Rows are {"prompt": TEXT or [messages], "response": TEXT}; the prompt goes through the chat template, the response gets the
// end-of-sequence token. Pairs are shuffled anew each epoch and packed end to end.
#pragma once
#include <omp.h>
#include "data/prepare.h"
#include "llmc/config.h"
#include "llmc/loggers.h"
#include "llmc/policy_io.h"
#include "llmc/progress.h"
#include "llmc/transformer.h"

typedef struct {
    size_t prompt;
    int prompt_count, response_count; // ids[prompt ..] the prompt, right behind it the response
} Pair;
typedef struct {
    Ints ids;
    Pair *list;
    int count, capacity, too_long;
} Pairs;

static inline bool pairs_add(Pairs *pairs, const PromptEncoder *encoder, const json_t *row, int eos, int context, Error *error) {
    const json_t *prompt = json_object_get(row, "prompt"), *response = json_object_get(row, "response");
    if ((!json_is_string(prompt) && !json_is_array(prompt)) || !json_is_string(response)) {
        return error_set(error, "a row has no \"prompt\" (text or messages) and \"response\" (text)");
    }
    json_t *messages = json_is_array(prompt) ? json_deep_copy(prompt) : json_pack("[{s:s, s:O}]", "role", "user", "content", prompt);
    Buffer text = {0};
    Ints ids = {0};
    bool ok = prompt_encoder_render(encoder, messages, &text, &ids, error);
    int prompt_count = (int)ids.size;
    tokenizer_encode(encoder->tokenizer, json_string_value(response), json_string_length(response), &ids);
    ints_push(&ids, eos);
    if (ok && (int)ids.size > context) {
        pairs->too_long++;
    } else if (ok) {
        if (pairs->count == pairs->capacity) {
            pairs->capacity = pairs->capacity ? 2 * pairs->capacity : 1024;
            pairs->list = (Pair *)host_realloc(pairs->list, sizeof(Pair) * (size_t)pairs->capacity);
        }
        pairs->list[pairs->count++] = (Pair){pairs->ids.size, prompt_count, (int)ids.size - prompt_count};
        for (size_t i = 0; i < ids.size; i++) { ints_push(&pairs->ids, ids.data[i]); }
    }
    ints_free(&ids);
    buffer_free(&text);
    json_decref(messages);
    return ok;
}
static inline bool pairs_read(Pairs *pairs, const char *path, const PromptEncoder *encoder, int eos, int context, Error *error) {
    RecordFile *rows = record_file_open(path, error);
    if (!rows) { return false; }
    json_t *row;
    bool ok = true;
    Error why = {""};
    *pairs = (Pairs){0};
    error->text[0] = 0;
    while (ok && (row = record_file_next(rows, error))) {
        ok = pairs_add(pairs, encoder, row, eos, context, &why) || error_set(error, "%s row %lld: %.900s", path, (long long)rows->position, why.text);
        json_decref(row);
    }
    record_file_close(rows);
    if (!ok || error->text[0]) { return false; }
    return pairs->count > 0 || error_set(error, "%s: no pair fits %d tokens (%d are longer)", path, context, pairs->too_long);
}
static inline void pairs_free(Pairs *pairs) {
    ints_free(&pairs->ids);
    free(pairs->list);
}

typedef struct {
    Policy policy;
    Memory memory;
    Microbatch batch;
    float *dlogprob, *dentropy;
    double loss, tokens; // of the running step
} SftTrainer;

static inline void sft_microbatch(SftTrainer *t, double response_tokens) { // forward, loss, backward of what is packed
    Microbatch *batch = &t->batch;
    if (batch->rows == 0) { return; }
    policy_forward_layers(&t->policy, t->policy.weights, batch);
    for (int first = 0; first < batch->rows; first += t->policy.train.logit_rows) {
        policy_head_forward(&t->policy, t->policy.weights, batch->rows, first, 1);
        for (int row = first; row < batch->rows && row < first + t->policy.train.logit_rows; row++) {
            const bool counts = batch->targets[row] >= 0;
            t->dlogprob[row] = counts ? (float)(-1 / response_tokens) : 0;
            t->loss -= counts ? (double)t->policy.host_logprob[row] / response_tokens : 0;
        }
        policy_head_backward(&t->policy, batch->rows, first, t->dlogprob, t->dentropy, 1);
    }
    policy_backward_layers(&t->policy, batch, true);
    microbatch_clear(batch);
}
// Pairs order[first ..] in one update.
static inline void sft_step(SftTrainer *t, const Pairs *pairs, const int *order, int count, AdamW *adamw, UpdateStats *updates) {
    t->loss = t->tokens = 0;
    for (int i = 0; i < count; i++) { t->tokens += pairs->list[order[i]].response_count; }
    policy_zero_gradients(&t->policy);
    for (int i = 0; i < count; i++) {
        const Pair *pair = &pairs->list[order[i]];
        const int *prompt = pairs->ids.data + pair->prompt;
        if (t->batch.rows + pair->prompt_count + pair->response_count - 1 > t->batch.row_capacity) { sft_microbatch(t, t->tokens); }
        microbatch_add(&t->batch, order[i], prompt, pair->prompt_count, prompt + pair->prompt_count, pair->response_count);
    }
    sft_microbatch(t, t->tokens);
    policy_update(&t->policy, adamw, updates);
}
static inline float sft_learning_rate(const SftConfig *c, int step) { // linear warm-up, then half a cosine down to min_lr_fraction
    if (step < c->warmup_steps) { return c->learning_rate * (float)(step + 1) / (float)c->warmup_steps; }
    float part = (float)(step - c->warmup_steps) / fmaxf(1, (float)(c->steps - c->warmup_steps));
    return c->learning_rate * (c->min_lr_fraction + (1 - c->min_lr_fraction) * 0.5f * (1 + cosf(3.14159265f * part)));
}

// Trains config->model on config->train_data and writes the model folder run_dir/model. `quiet`: a progress bar instead of lines.
static inline void sft_run(const SftConfig *c, bool quiet) {
    Error error;
    SftTrainer t = {0};
    PromptEncoder encoder;
    GenerationConfig generation;
    Pairs pairs = {0};
    if (c->threads) { omp_set_num_threads(c->threads); }
    device_init();
    if (!prompt_encoder_open(&encoder, c->model, &error)) { fatal("%s", error.text); }
    if (!policy_open(&t.policy, c->model, tokenizer_vocab_size(encoder.tokenizer), &error)) { fatal("%s", error.text); }
    if (!generation_config_read(&generation, c->model, t.policy.config.vocab, &error)) { fatal("%s", error.text); }
    if (generation.eos_count == 0) { fatal("%s: names no eos_token_id: a response could not be ended", c->model); }
    if (c->steps > 0 && !pairs_read(&pairs, c->train_data, &encoder, generation.eos[0], c->context, &error)) { fatal("%s", error.text); }
    const int rows = c->tokens_per_microbatch > c->context ? c->tokens_per_microbatch : c->context;
    for (int pass = 0; pass < 2; pass++) {
        policy_layout(&t.policy, &t.memory, &(PolicySizes){.rows = rows, .max_positions = c->context, .recompute = c->recompute, .optimizer = true, .logits_bytes = POLICY_LOGITS_BYTES});
        if (pass == 0) {
            if (!quiet) { memory_print(&t.memory, stdout); }
            if (!memory_fits(&t.memory, device_memory_bytes(), &error)) { fatal("%s", error.text); }
            memory_commit(&t.memory);
        }
    }
    policy_make_rope_table(&t.policy);
    if (!policy_start_weights(&t.policy, c->model, c->random_weights, (uint64_t)c->seed, &error)) { fatal("%s", error.text); }
    t.batch = microbatch_create(rows, rows);
    t.dlogprob = (float *)host_alloc(sizeof(float) * 2 * (size_t)rows);
    t.dentropy = t.dlogprob + rows;
    char path[1100];
    if (!directory_create(c->run_dir, &error)) { fatal("%s", error.text); }
    snprintf(path, sizeof(path), "%.1000s/metrics.jsonl", c->run_dir);
    FILE *metrics = jsonl_open(path, -1, NULL, NULL, &error);
    if (!metrics) { fatal("%s", error.text); }
    if (!quiet) { printf("%d pairs, %zu tokens; %d longer than %d tokens left out\n", pairs.count, pairs.ids.size, pairs.too_long, c->context); }

    AdamW adamw = {.beta1 = c->adam_beta1, .beta2 = c->adam_beta2, .eps = c->adam_eps, .weight_decay = c->weight_decay, .grad_clip = c->grad_clip > 0 ? c->grad_clip : INFINITY};
    Progress progress = progress_start(stdout, "supervised start", c->steps, "steps");
    int *order = (int *)host_alloc(sizeof(int) * (size_t)(pairs.count + 1)), taken = pairs.count, epoch = 0;
    const int per_step = c->pairs_per_step < pairs.count ? c->pairs_per_step : pairs.count;
    for (int step = 0; step < c->steps; step++) {
        if (taken + per_step > pairs.count) { random_permutation(order, pairs.count, random_key(random_key((uint64_t)c->seed, 5), (uint64_t)epoch++)), taken = 0; }
        UpdateStats updates = {0};
        const double started = seconds_now();
        adamw.learning_rate = sft_learning_rate(c, step);
        sft_step(&t, &pairs, order + taken, per_step, &adamw, &updates);
        taken += per_step;
        fprintf(metrics, "{\"step\":%d,\"data\":{\"train/loss\":%.6g,\"train/lr\":%.6g,\"train/grad_norm\":%.6g}}\n", step + 1, t.loss, (double)adamw.learning_rate, updates.norm_sum);
        if (quiet) { progress_update(&progress, step + 1); }
        if (!quiet && (step % 10 == 0 || step + 1 == c->steps)) {
            printf("step %4d/%d | loss %.4f | norm %.2f | lr %.1e | %.0f ms | %.1fK tok/s\n", step + 1, c->steps, t.loss, updates.norm_sum, (double)adamw.learning_rate,
                   1e3 * (seconds_now() - started), t.tokens * 1e-3 / (seconds_now() - started));
        }
    }
    progress_finish(&progress);
    if (fclose(metrics) != 0) { fatal("%s: writing failed: %s", path, strerror(errno)); }
    snprintf(path, sizeof(path), "%.1000s/model", c->run_dir);
    if (!policy_write_folder(path, &t.policy, c->model, &error)) { fatal("%s", error.text); }
    if (!quiet) { printf("model written to %s\n", path); }
    free(order);
    free(t.dlogprob);
    pairs_free(&pairs);
    microbatch_free(&t.batch);
    policy_free(&t.policy);
    prompt_encoder_close(&encoder);
    device_shutdown();
}
