// policy: a model as a trainer holds it: its weights once, what training and generation need beside them, and where all of it lies.
#pragma once
#include "llmc/attention.h"
#include "llmc/memory.h"
#include "llmc/microbatch.h"
#include "llmc/parameters.h"
#include "llmc/random.h"
#include "llmc/safetensors.h"
#include "llmc/shards.h"

// What one transformer block leaves behind. In training each block has its own arrays, but for those the recompute level shares;
// in generation all blocks share one set, and `input` and `mid` are the same memory.
typedef struct {
    floatX *input, *mid;               // (N, C) residual stream before the block, and between attention and feed-forward
    floatX *input_normed, *mid_normed; // (N, C) what the block's two halves read
    float *input_rstd, *mid_rstd;      // (N)
    floatX *qkv_raw, *qkv;             // (N, H + 2 KV, D) before q/k norm (qwen3 only), and after it and the rotation
    float *qk_rstd;                    // (N, H + KV) qwen3 only
    floatX *attended;                  // (N, H, D)
    float *lse;                        // (H, N)
    floatX *gate_up, *gated;           // (N, 2F), (N, F)
} LayerActivations;

// The arrays of one phase for up to `rows` packed tokens.
typedef struct {
    int rows, logit_rows;                                    // capacity; rows of the head handled at once
    LayerActivations *layers;                                // one per block, then one whose input, input_normed are the final stream
    floatX *delta;                                           // (N, C) what half a block adds to the stream
    int *tokens, *targets, *positions, *order, *starts;      // (N), starts (sequences + 1)
    float *logits;                                           // (logit_rows, V)
    float *logprob, *entropy;                                // (N)
    float *logits_lse, *dlogprob, *dentropy;                 // (logit_rows)
    floatX *dlogits;                                         // (logit_rows, V); the gradients below exist in training only
    floatX *dstream, *dnormed, *dqkv, *dqkv_raw, *dattended; // (N, C), (N, C), (N, QKV), (N, QKV), (N, H D)
    floatX *dgate_up, *dgated;                               // (N, 2F), (N, F)
    float *attention_scratch;                                // attention_backward_scratch_floats
} Activations;

typedef struct {
    ModelConfig config;
    ParameterTable parameters;
    Shards shards;
    int vocab_used;   // ids below it exist in the tokenizer; the others have probability zero in sampler and trainer alike
    int logit_stride; // columns of the head that are computed: vocab_used rounded up to 64, at most vocab
    int recompute;    // 0 keep everything, 1 recompute norms and SwiGLU, 2 recompute whole blocks
    int max_positions;
    bool bf16_logits;                // the trainer's are rounded: logits_round
    floatX *weights, *reference;     // reference: the frozen model of the KL term, or NULL
    float *adam_m, *adam_v, *master; // (shards.share) this rank's pieces; master: of a bf16 build, NULL in fp32, where weights are their own
    float *gradients;
    float *rope_table; // (max_positions, D/2, 2)
    Activations train;
    float *host_logprob, *host_entropy; // (rows) what the head found, on the host
} Policy;

typedef struct {
    int rows;          // packed tokens per micro-batch; 0: no training
    int max_positions; // longest sequence
    int recompute;
    bool optimizer, reference;
    size_t logits_bytes; // room for the head's chunk of logits
} PolicySizes;

#define POLICY_LOGITS_BYTES ((size_t)1 << 30) // of one chunk of the head, in every program: the chunk sets the order of sums

static inline int policy_qkv_width(const ModelConfig *c) { return (c->heads + 2 * c->kv_heads) * c->head_dim; }

static inline void activations_layout(Activations *a, const Policy *policy, Memory *memory, MemoryPhase phase, int rows, int sequences, bool backward, size_t logits_bytes) {
    const ModelConfig *c = &policy->config;
    const size_t N = (size_t)rows, C = (size_t)c->hidden, F = (size_t)c->intermediate, H = (size_t)c->heads, KV = (size_t)c->kv_heads, X = memory_float_bytes(memory);
    const size_t QKV = (size_t)policy_qkv_width(c), HD = H * (size_t)c->head_dim, V = (size_t)policy->logit_stride;
    if (!a->layers) { a->layers = (LayerActivations *)host_alloc(sizeof(LayerActivations) * (size_t)(c->layers + 1)); }
    a->rows = rows;
    size_t fit = logits_bytes / (V * (sizeof(float) + (backward ? X : 0)));
    if (fit > 128) { fit = fit / 128 * 128; } // whole tiles of a matrix product
    a->logit_rows = (int)(fit < 16 ? 16 : fit > N ? N
                                                  : fit);
    const bool keep_all = backward && policy->recompute == 0, keep_most = backward && policy->recompute <= 1;
    for (int l = 0; l <= c->layers; l++) {
        LayerActivations *layer = &a->layers[l], *first = &a->layers[0];
        const bool own_all = l == 0 || (keep_all && l < c->layers), own_most = l == 0 || (keep_most && l < c->layers);
#define TAKE(field, own, bytes, name, count) layer->field = (own) ? (__typeof__(layer->field))memory_take(memory, phase, name, (count) * (bytes)) : first->field
        TAKE(input, l == 0 || backward, X, "residual stream", N * C);
        TAKE(input_normed, own_all || l == c->layers, X, "normed stream", N * C);
        TAKE(input_rstd, l == 0 || backward, sizeof(float), "rstd", N);
        TAKE(mid_normed, own_all, X, "normed stream", N * C);
        TAKE(mid_rstd, own_most, sizeof(float), "rstd", N);
        TAKE(qkv, own_most, X, "queries, keys, values", N * QKV);
        TAKE(attended, own_most, X, "attention output", N * HD);
        TAKE(lse, own_most, sizeof(float), "attention lse", N * H);
        TAKE(gate_up, own_most, X, "gate and up", N * 2 * F);
        TAKE(gated, own_all, X, "SwiGLU output", N * F);
        if (!backward) {
            layer->mid = layer->input; // generation keeps one stream and adds to it in place
        } else {
            TAKE(mid, own_most, X, "residual stream", N * C);
        }
        if (c->qk_norm) {
            TAKE(qkv_raw, own_most, X, "queries, keys, values", N * QKV);
            TAKE(qk_rstd, own_most, sizeof(float), "rstd", N * (H + KV));
        } else {
            layer->qkv_raw = layer->qkv;
        }
#undef TAKE
    }
    a->delta = (floatX *)memory_take(memory, phase, "scratch", N * C * X);
    int **integers[] = {&a->tokens, &a->targets, &a->positions, &a->order};
    for (int i = 0; i < 4; i++) { *integers[i] = (int *)memory_take(memory, phase, "row inputs", N * sizeof(int)); }
    a->starts = (int *)memory_take(memory, phase, "row inputs", (size_t)(sequences + 1) * sizeof(int));
    a->logits = (float *)memory_take(memory, phase, "logits chunk", (size_t)a->logit_rows * V * sizeof(float));
    float **floats[] = {&a->logprob, &a->entropy, &a->logits_lse, &a->dlogprob, &a->dentropy};
    for (int i = 0; i < 5; i++) { *floats[i] = (float *)memory_take(memory, phase, "row results", (i < 2 ? N : (size_t)a->logit_rows) * sizeof(float)); }
    if (!backward) { return; }
    a->dlogits = (floatX *)memory_take(memory, phase, "logits chunk", (size_t)a->logit_rows * V * X);
    a->dstream = (floatX *)memory_take(memory, phase, "activation gradients", N * C * X);
    a->dnormed = (floatX *)memory_take(memory, phase, "activation gradients", N * C * X);
    a->dqkv = (floatX *)memory_take(memory, phase, "activation gradients", N * QKV * X);
    a->dqkv_raw = c->qk_norm ? (floatX *)memory_take(memory, phase, "activation gradients", N * QKV * X) : a->dqkv;
    a->dattended = (floatX *)memory_take(memory, phase, "activation gradients", N * HD * X);
    // the feed-forward half has gone backward when attention does, so its gradients make room for attention's scratch
    const size_t scratch = attention_backward_scratch_floats(N, (size_t)sequences, H, KV, (size_t)c->head_dim) * sizeof(float);
    a->dgate_up = (floatX *)memory_take(memory, phase, "activation gradients", scratch > N * 2 * F * X ? scratch : N * 2 * F * X);
    a->attention_scratch = (float *)(void *)a->dgate_up;
    a->dgated = (floatX *)memory_take(memory, phase, "activation gradients", N * F * X);
}

// The policy's own part of the memory plan: call once to count, once after memory_commit.
static inline void policy_layout(Policy *policy, Memory *memory, const PolicySizes *sizes) {
    const size_t P = policy->parameters.total;
    const size_t table_bytes = (size_t)sizes->max_positions * (size_t)policy->config.head_dim * sizeof(float);
    policy->max_positions = sizes->max_positions;
    policy->recompute = sizes->recompute;
    const int ranks = memory->ranks > 1 ? memory->ranks : 1;
    if (policy->shards.ranks != ranks) {
        shards_free(&policy->shards);
        policy->shards = shards_create(&policy->parameters, policy->config.layers, ranks);
    }
    const size_t X = memory_float_bytes(memory), share = policy->shards.share;
    const bool separate = X != sizeof(float); // else the weights are their own master copy
    policy->weights = (floatX *)memory_take(memory, MEMORY_RESIDENT, separate ? "weights (bf16)" : "weights (fp32)", P * X);
    policy->reference = sizes->reference ? (floatX *)memory_take(memory, MEMORY_RESIDENT, separate ? "reference weights (bf16)" : "reference weights (fp32)", P * X) : NULL;
    if (sizes->optimizer) {
        policy->master = separate ? (float *)memory_take(memory, MEMORY_RESIDENT, "master weights (fp32)", share * sizeof(float)) : NULL;
        policy->adam_m = (float *)memory_take(memory, MEMORY_RESIDENT, "Adam moments (fp32)", share * sizeof(float));
        policy->adam_v = (float *)memory_take(memory, MEMORY_RESIDENT, "Adam moments (fp32)", share * sizeof(float));
        policy->gradients = (float *)memory_take(memory, MEMORY_TRAIN, "gradients (fp32)", P * sizeof(float));
    }
    policy->rope_table = (float *)memory_take(memory, MEMORY_RESIDENT, "rotary table", table_bytes);
    if (sizes->rows) {
        activations_layout(&policy->train, policy, memory, MEMORY_TRAIN, sizes->rows, sizes->rows, sizes->optimizer, sizes->logits_bytes);
        if (memory->base) {
            policy->host_logprob = (float *)host_alloc(sizeof(float) * (size_t)sizes->rows * 2);
            policy->host_entropy = policy->host_logprob + sizes->rows;
        }
    }
}

static inline void policy_forget_moments(Policy *policy) { // AdamW begins anew
    device_zero(policy->adam_m, policy->shards.share * sizeof(float));
    device_zero(policy->adam_v, policy->shards.share * sizeof(float));
}

// Reads config.json and lays out the parameters; weights come later, when the memory plan has been accepted.
// vocab_used: tokenizer_vocab_size(), so that ids without a token are never sampled; 0: every id of config.json.
static inline bool policy_open(Policy *policy, const char *model_dir, int vocab_used, Error *error) {
    *policy = (Policy){0};
    if (!model_config_read(&policy->config, model_dir, error)) { return false; }
    if (vocab_used == 0) { vocab_used = policy->config.vocab; }
    if (vocab_used < 2 || vocab_used > policy->config.vocab) {
        return error_set(error, "%s: tokenizer.json has %d tokens, config.json a vocab_size of %d: they are not of one model", model_dir, vocab_used, policy->config.vocab);
    }
    policy->parameters = parameter_table_create(&policy->config);
    policy->vocab_used = vocab_used;
    int rounded = (policy->vocab_used + 63) / 64 * 64;
    policy->logit_stride = rounded < policy->config.vocab ? rounded : policy->config.vocab;
    return true;
}
static inline void policy_free(Policy *policy) {
    free(policy->train.layers);
    free(policy->host_logprob);
    parameter_table_free(&policy->parameters);
    shards_free(&policy->shards);
}

static inline void policy_make_rope_table(Policy *policy) { // angles rounded to fp32 as Transformers and vLLM do, then cos and sin in double
    int half = policy->config.head_dim / 2;
    float *frequency = (float *)host_alloc(sizeof(float) * (size_t)half);
    float *row = (float *)host_alloc(sizeof(float) * 2 * (size_t)half);
    model_config_rope_frequencies(frequency, &policy->config);
    for (int position = 0; position < policy->max_positions; position++) {
        for (int i = 0; i < half; i++) {
            float angle = (float)position * frequency[i];
            row[2 * i] = (float)cos((double)angle);
            row[2 * i + 1] = (float)sin((double)angle);
        }
        device_upload(policy->rope_table + (size_t)position * 2 * (size_t)half, row, sizeof(float) * 2 * (size_t)half);
    }
    free(frequency);
    free(row);
}

enum { POLICY_CHUNK = 1 << 18 }; // elements moved between host and device at a time

// Elements offset .. offset+count-1 of the flat array, floats on the host, into a sharded array: of those that are this rank's.
static inline void policy_scatter(const Policy *policy, float *sharded, size_t offset, const float *values, size_t count) {
    for (int i = 0; i < policy->shards.count; i++) {
        const Shard *shard = &policy->shards.list[i];
        const size_t start = shard->begin + shard_start(shard, policy->shards.mine), end = start + shard_size(shard, policy->shards.mine);
        const size_t from = start > offset ? start : offset, to = end < offset + count ? end : offset + count;
        if (from < to) { device_upload(sharded + shard->at + (from - start), values + (from - offset), sizeof(float) * (to - from)); }
    }
}
// The way back: rank 0 gets these elements of every rank's piece. All ranks call it alike.
static inline void policy_collect(float *values, const Policy *policy, const float *sharded, size_t offset, size_t count) {
    size_t *starts = (size_t *)host_alloc(sizeof(size_t) * (size_t)(policy->shards.ranks + 1));
    for (int i = 0; i < policy->shards.count; i++) {
        const Shard *shard = &policy->shards.list[i];
        if (shard->begin >= offset + count || shard->begin + shard->count <= offset) { continue; }
        for (int r = 0; r <= policy->shards.ranks; r++) { // where rank r's part begins among the values, kept within them
            const size_t place = shard->begin + shard_start(shard, r), within = place < offset ? offset : place < offset + count ? place
                                                                                                                                 : offset + count;
            starts[r] = (within - offset) * sizeof(float);
        }
        const int r = policy->shards.mine;
        const size_t mine = starts[r] / sizeof(float), own = starts[r + 1] / sizeof(float) - mine;
        const size_t piece = shard->begin + shard_start(shard, r), into = offset + mine > piece ? offset + mine - piece : 0;
        if (own) { device_download(values + mine, sharded + shard->at + into, sizeof(float) * own); }
        if (policy->shards.ranks > 1) { ranks_gather(values, starts, 0); }
    }
    free(starts);
}
// Floats on the host become `count` elements of a weight array, and of the fp32 master when there is one.
static inline void policy_set_weights(Policy *policy, size_t offset, const float *values, size_t count) {
    floatX *converted = (floatX *)host_alloc(count * sizeof(floatX));
    for (size_t i = 0; i < count; i++) { converted[i] = to_floatX(values[i]); }
    device_upload(policy->weights + offset, converted, count * sizeof(floatX));
    if (policy->master) { policy_scatter(policy, policy->master, offset, values, count); }
    free(converted);
}
static inline bool policy_load_weights(Policy *policy, const char *model_dir, Error *error) {
    SafetensorsFolder *folder = safetensors_open(model_dir, error);
    if (!folder) { return false; }
    float *chunk = (float *)host_alloc(sizeof(float) * POLICY_CHUNK);
    bool ok = true;
    for (int p = 0; ok && p < policy->parameters.count; p++) {
        const Parameter *parameter = &policy->parameters.list[p];
        ok = safetensors_check_shape(folder, parameter->name, parameter->rows, parameter->columns, error);
        for (size_t done = 0; ok && done < parameter->count; done += POLICY_CHUNK) {
            size_t count = parameter->count - done < POLICY_CHUNK ? parameter->count - done : POLICY_CHUNK;
            ok = safetensors_read_floats(chunk, folder, parameter->name, done, count, error);
            if (ok) { policy_set_weights(policy, parameter->offset + done, chunk, count); }
        }
    }
    free(chunk);
    safetensors_close(folder);
    return ok;
}
// Random weights: N(0, 0.02) for the embedding and head, N(0, 1/fan_in) for matrices, those that write into the residual stream
// divided by sqrt(2 layers) (GPT-2's rule); norms 1, biases 0.
static inline void policy_random_weights(Policy *policy, uint64_t seed) {
    float *chunk = (float *)host_alloc(sizeof(float) * POLICY_CHUNK);
    for (int p = 0; p < policy->parameters.count; p++) {
        const Parameter *parameter = &policy->parameters.list[p];
        const uint64_t key = random_key(seed, (uint64_t)p);
        const float constant = strstr(parameter->name, "norm") ? 1.0f : 0.0f;
        const bool table = strstr(parameter->name, "embed_tokens") || strstr(parameter->name, "lm_head");
        const bool into_stream = strstr(parameter->name, "o_proj") || strstr(parameter->name, "down_proj");
        float deviation = table ? 0.02f : 1.0f / sqrtf((float)parameter->columns);
        if (into_stream) { deviation /= sqrtf(2.0f * (float)policy->config.layers); }
        for (size_t done = 0; done < parameter->count; done += POLICY_CHUNK) {
            size_t count = parameter->count - done < POLICY_CHUNK ? parameter->count - done : POLICY_CHUNK;
#pragma omp parallel for schedule(static) if (count > 4096) // numbers depend on their counter alone, so any thread may draw any of them
            for (size_t i = 0; i < count; i++) { chunk[i] = parameter->columns ? deviation * random_normal(key, done + i) : constant; }
            policy_set_weights(policy, parameter->offset + done, chunk, count);
        }
    }
    free(chunk);
}
// The folder's weights; with `random_allowed`, random ones where it holds none.
static inline bool policy_start_weights(Policy *policy, const char *model_dir, bool random_allowed, uint64_t seed, Error *error) {
    char single[1100], index[1100];
    snprintf(single, sizeof(single), "%.1000s/model.safetensors", model_dir);
    snprintf(index, sizeof(index), "%.1000s/model.safetensors.index.json", model_dir);
    if (!random_allowed || file_exists(single) || file_exists(index)) { return policy_load_weights(policy, model_dir, error); }
    policy_random_weights(policy, random_key(seed, 2));
    return true;
}
