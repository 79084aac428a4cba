// tiny_model: a random model of a few thousand weights, with its memory laid out for training and generation.
#pragma once
#include "llmc/policy_io.h"
#include "llmc/rollout.h"
#include "test/check.h"

typedef struct {
    Policy policy;
    RolloutEngine engine;
    Memory memory;
} TinyModel;

// family: qwen2 | llama | qwen3, in the shapes that trip kernels up: nothing is a power of two but the head sizes that must be even.
static inline ModelConfig tiny_config(const char *family) {
    ModelConfig c = {.dtype = "float32", .hidden = 36, .intermediate = 52, .layers = 3, .heads = 6, .kv_heads = 2, .head_dim = 6, .vocab = 83, .max_position = 512, .rms_eps = 1e-6f, .rope_theta = 10000, .rope_type = ROPE_DEFAULT, .tied_head = !strcmp(family, "qwen2"), .qkv_bias = !strcmp(family, "qwen2"), .qk_norm = !strcmp(family, "qwen3"), .bos = 1, .eos = 2, .pad = -1};
    snprintf(c.architecture, sizeof(c.architecture), "%s", family);
    if (c.qk_norm) { c.head_dim = 10; }
    return c;
}
static inline TinyModel tiny_model_create(const ModelConfig *config, int vocab_used, PolicySizes sizes, RolloutSizes rollout_sizes, int samples, int prompts) {
    TinyModel tiny = {.policy = {.config = *config, .vocab_used = vocab_used}};
    int rounded = (vocab_used + 63) / 64 * 64;
    tiny.policy.logit_stride = rounded < config->vocab ? rounded : config->vocab;
    tiny.policy.parameters = parameter_table_create(config);
    for (int pass = 0; pass < 2; pass++) {
        policy_layout(&tiny.policy, &tiny.memory, &sizes);
        if (rollout_sizes.max_sequences) { rollout_layout(&tiny.engine, &tiny.policy, &tiny.memory, &rollout_sizes); }
        if (pass == 0) { memory_commit(&tiny.memory); }
    }
    if (rollout_sizes.max_sequences) { rollout_open(&tiny.engine, samples, prompts); }
    policy_make_rope_table(&tiny.policy);
    return tiny;
}
static inline void tiny_model_free(TinyModel *tiny) {
    rollout_close(&tiny->engine);
    policy_free(&tiny->policy);
}
