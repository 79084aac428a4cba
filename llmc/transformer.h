// transformer: the model's forward and backward passes as two readable lists of ops.
// One forward serves training, prefill and decoding: what differs is where attention finds its keys and values.
#pragma once
#include "llmc/adamw.h"
#include "llmc/attention.h"
#include "llmc/attention_decode.h"
#include "llmc/collectives.h"
#include "llmc/embedding.h"
#include "llmc/gradient_norm.h"
#include "llmc/linear.h"
#include "llmc/logprob.h"
#include "llmc/policy.h"
#include "llmc/qk_norm.h"
#include "llmc/rmsnorm.h"
#include "llmc/rope.h"
#include "llmc/swiglu.h"

// The rows of one pass. Either sequences packed end to end (starts, sequences), whose keys and values also go to the cache when
// there is one (prefill); or one row per running sequence, which attends to its pages (page_table not NULL: decoding).
typedef struct {
    int N, sequences;
    floatX *cache; // all layers' pages, or NULL
    size_t cache_layer_elements;
    const int *slots;      // (N) where each row's key and value go
    const int *page_table; // (N, max_pages)
    const int *lengths;    // (N)
    int max_pages;
    int *decode_plan;      // attention_decode_plan of these page tables and lengths
    float *decode_scratch; // attention_decode_scratch_bytes
} RowContext;

// First half of a block: a->mid = a->input + attention(a->input_normed), and its norm.
static inline void block_attention(const Policy *p, const floatX *w, int l, const Activations *act, const RowContext *rows) {
    const ModelConfig *c = &p->config;
    const LayerOffsets *o = &p->parameters.layers[l];
    const LayerActivations *a = &act->layers[l];
    const int N = rows->N, C = c->hidden, H = c->heads, KV = c->kv_heads, D = c->head_dim;
    const float scale = 1.0f / sqrtf((float)D);
    linear_forward(a->qkv_raw, a->input_normed, w + o->qkv, c->qkv_bias ? w + o->qkv_bias : NULL, N, C, policy_qkv_width(c));
    if (c->qk_norm) { qk_norm_forward(a->qkv, a->qk_rstd, a->qkv_raw, w + o->q_norm, w + o->k_norm, c->rms_eps, N, H, KV, D); }
    floatX *cache = rows->cache ? rows->cache + (size_t)l * rows->cache_layer_elements : NULL;
    if (cache) {
        rope_cache_forward(a->qkv, cache, p->rope_table, act->positions, rows->slots, N, H, KV, D);
    } else {
        rope_forward(a->qkv, p->rope_table, act->positions, N, H, KV, D);
    }
    if (rows->page_table) {
        attention_decode(a->attended, rows->decode_plan, rows->decode_scratch, a->qkv, cache, rows->page_table, rows->lengths, rows->max_pages, scale, N, H, KV, D);
    } else {
        attention_forward(a->attended, a->lse, a->qkv, act->starts, rows->sequences, scale, N, H, KV, D);
    }
    linear_forward(act->delta, a->attended, w + o->output, NULL, N, H * D, C);
    rmsnorm_residual_forward(a->mid, a->mid_normed, a->mid_rstd, a->input, act->delta, w + o->post_norm, c->rms_eps, N, C);
}
// Second half: the next block's input = a->mid + feed-forward(a->mid_normed), and its norm.
static inline void block_feed_forward(const Policy *p, const floatX *w, int l, const Activations *act, int N) {
    const ModelConfig *c = &p->config;
    const LayerOffsets *o = &p->parameters.layers[l];
    const LayerActivations *a = &act->layers[l], *next = &act->layers[l + 1];
    const int C = c->hidden, F = c->intermediate;
    const size_t next_norm = l + 1 < c->layers ? p->parameters.layers[l + 1].input_norm : p->parameters.final_norm;
    linear_forward(a->gate_up, a->mid_normed, w + o->gate_up, NULL, N, C, 2 * F);
    swiglu_forward(a->gated, a->gate_up, N, F);
    linear_forward(act->delta, a->gated, w + o->down, NULL, N, F, C);
    rmsnorm_residual_forward(next->input, next->input_normed, next->input_rstd, a->mid, act->delta, w + next_norm, c->rms_eps, N, C);
}
// Embedding, every block, the final norm: act->layers[L].input_normed is what the head reads. Row inputs are on the device already.
static inline void transformer_forward(const Policy *p, const floatX *w, const Activations *act, const RowContext *rows) {
    const int N = rows->N, C = p->config.hidden;
    LayerActivations *first = &act->layers[0];
    embedding_forward(first->input, act->tokens, w + p->parameters.embedding, N, C);
    rmsnorm_forward(first->input_normed, first->input_rstd, first->input, w + p->parameters.layers[0].input_norm, p->config.rms_eps, N, C);
    for (int l = 0; l < p->config.layers; l++) {
        block_attention(p, w, l, act, rows);
        block_feed_forward(p, w, l, act, N);
    }
}

// What the recompute level did not keep is made again from what it kept, by the same ops: the same bits.
static inline void block_recompute(const Policy *p, const floatX *w, int l, const Activations *act, const RowContext *rows) {
    const ModelConfig *c = &p->config;
    const LayerOffsets *o = &p->parameters.layers[l];
    const LayerActivations *a = &act->layers[l];
    const int N = rows->N, C = c->hidden, F = c->intermediate;
    if (p->recompute == 0) { return; }
    rmsnorm_forward(a->input_normed, a->input_rstd, a->input, w + o->input_norm, c->rms_eps, N, C);
    if (p->recompute == 2) {
        block_attention(p, w, l, act, rows);
        linear_forward(a->gate_up, a->mid_normed, w + o->gate_up, NULL, N, C, 2 * F);
    } else {
        rmsnorm_forward(a->mid_normed, a->mid_rstd, a->mid, w + o->post_norm, c->rms_eps, N, C);
    }
    swiglu_forward(a->gated, a->gate_up, N, F);
}
// act->dstream holds d loss / d (stream after block l) and becomes d loss / d (stream before it); parameter gradients accumulate in g.
static inline void block_backward(const Policy *p, const floatX *w, float *g, int l, const Activations *act, const RowContext *rows) {
    const ModelConfig *c = &p->config;
    const LayerOffsets *o = &p->parameters.layers[l];
    const LayerActivations *a = &act->layers[l];
    const int N = rows->N, C = c->hidden, F = c->intermediate, H = c->heads, KV = c->kv_heads, D = c->head_dim, QKV = policy_qkv_width(c);
    const size_t row = (size_t)N * sizeof(floatX);
    block_recompute(p, w, l, act, rows);
    // feed-forward
    linear_backward(act->dgated, g + o->down, NULL, act->dstream, a->gated, w + o->down, N, F, C);
    swiglu_backward(act->dgate_up, act->dgated, a->gate_up, N, F);
    linear_backward(act->dnormed, g + o->gate_up, NULL, act->dgate_up, a->mid_normed, w + o->gate_up, N, C, 2 * F);
    rmsnorm_backward(act->dstream, g + o->post_norm, act->dnormed, a->mid, w + o->post_norm, a->mid_rstd, N, C);
    // attention
    linear_backward(act->dattended, g + o->output, NULL, act->dstream, a->attended, w + o->output, N, H * D, C);
    device_zero(act->dqkv, row * (size_t)QKV);
    attention_backward(act->dqkv, act->attention_scratch, act->dattended, a->qkv, a->attended, a->lse, act->starts, rows->sequences,
                       1.0f / sqrtf((float)D), N, H, KV, D);
    rope_backward(act->dqkv, p->rope_table, act->positions, N, H, KV, D);
    if (c->qk_norm) {
        qk_norm_backward(act->dqkv_raw, g + o->q_norm, g + o->k_norm, act->dqkv, a->qkv_raw, w + o->q_norm, w + o->k_norm, a->qk_rstd, N, H, KV, D);
    }
    linear_backward(act->dnormed, g + o->qkv, c->qkv_bias ? g + o->qkv_bias : NULL, act->dqkv_raw, a->input_normed, w + o->qkv, N, C, QKV);
    rmsnorm_backward(act->dstream, g + o->input_norm, act->dnormed, a->input, w + o->input_norm, a->input_rstd, N, C);
}

// ---- a training micro-batch

static inline RowContext policy_upload_rows(Policy *p, const Microbatch *batch) {
    const size_t bytes = sizeof(int) * (size_t)batch->rows;
    assert(batch->rows <= p->train.rows);
    device_upload(p->train.tokens, batch->tokens, bytes);
    device_upload(p->train.targets, batch->targets, bytes);
    device_upload(p->train.positions, batch->positions, bytes);
    device_upload(p->train.starts, batch->starts, sizeof(int) * (size_t)(batch->sequences + 1));
    return (RowContext){.N = batch->rows, .sequences = batch->sequences};
}
// The hidden states of every row, for the head.
static inline void policy_forward_layers(Policy *p, const floatX *weights, const Microbatch *batch) {
    RowContext rows = policy_upload_rows(p, batch);
    transformer_forward(p, weights, &p->train, &rows);
}
// The head works in chunks of train.logit_rows rows, so that logits of all rows never exist: log-probability and entropy of the targets of the
// chunk that begins at `row`, under `weights` (the policy's or the reference's) at a temperature, left in host_logprob and host_entropy.
static inline void policy_head_forward(Policy *p, const floatX *weights, int N, int row, float temperature) {
    const Activations *a = &p->train;
    const int C = p->config.hidden, chunk = N - row < a->logit_rows ? N - row : a->logit_rows;
    linear_forward_float(a->logits, a->layers[p->config.layers].input_normed + (size_t)row * (size_t)C, weights + p->parameters.head, chunk, C, p->logit_stride);
    if (p->bf16_logits) { logits_round(a->logits, temperature, (size_t)chunk * (size_t)p->logit_stride); }
    logprob_forward(a->logprob + row, a->entropy + row, a->logits_lse, a->logits, a->targets + row, temperature, chunk, p->vocab_used, p->logit_stride);
    device_download(p->host_logprob + row, a->logprob + row, sizeof(float) * (size_t)chunk);
    device_download(p->host_entropy + row, a->entropy + row, sizeof(float) * (size_t)chunk);
}
// Directly after policy_head_forward of the same chunk, whose logits are still there: the gradients of the head and of the chunk's hidden
// states, given the loss's derivatives by each row's log-probability and entropy (host arrays of N).
static inline void policy_head_backward(Policy *p, int N, int row, const float *dlogprob, const float *dentropy, float temperature) {
    const Activations *a = &p->train;
    const int C = p->config.hidden, V = p->logit_stride, chunk = N - row < a->logit_rows ? N - row : a->logit_rows;
    const size_t head = p->parameters.head, first = (size_t)row * (size_t)C;
    device_upload(a->dlogprob, dlogprob + row, sizeof(float) * (size_t)chunk);
    device_upload(a->dentropy, dentropy + row, sizeof(float) * (size_t)chunk);
    logprob_backward(a->dlogits, a->logits, a->logits_lse, a->entropy + row, a->targets + row, a->dlogprob, a->dentropy, temperature, chunk, p->vocab_used, V);
    linear_backward(a->dnormed + first, p->gradients + head, NULL, a->dlogits, a->layers[p->config.layers].input_normed + first, p->weights + head, chunk, C, V);
}
// The gradients of shard i are final on this rank: each rank gets the sums of its own piece, while the backward pass goes on.
static inline void policy_reduce_gradients(Policy *p, int i) {
    const Shard *shard = &p->shards.list[i];
    size_t starts[MAX_RANKS + 1];
    shard_starts(starts, shard, p->shards.ranks);
    collective_reduce_scatter(p->gradients + shard->begin, starts);
}
// After every chunk of the head: adds to the gradients of all other parameters. last: of this rank's micro-batches of a minibatch.
static inline void policy_backward_layers(Policy *p, Microbatch *batch, bool last) {
    const bool reduce = last && p->shards.ranks > 1;
    const Activations *a = &p->train;
    const LayerActivations *final = &a->layers[p->config.layers];
    const int C = p->config.hidden, N = batch->rows;
    const floatX *w = p->weights;
    RowContext rows = {.N = N, .sequences = batch->sequences};
    microbatch_sort(batch);
    device_upload(a->order, batch->order, sizeof(int) * (size_t)N);
    device_zero(a->dstream, (size_t)N * (size_t)C * sizeof(floatX));
    rmsnorm_backward(a->dstream, p->gradients + p->parameters.final_norm, a->dnormed, final->input, w + p->parameters.final_norm, final->input_rstd, N, C);
    if (reduce) { policy_reduce_gradients(p, p->config.layers + 1); }
    for (int l = p->config.layers - 1; l >= 0; l--) {
        block_backward(p, w, p->gradients, l, a, &rows);
        if (reduce) { policy_reduce_gradients(p, l + 1); }
    }
    embedding_backward(p->gradients + p->parameters.embedding, a->dstream, a->tokens, a->order, N, C);
    if (reduce) { policy_reduce_gradients(p, 0); }
}
// In its place on a rank that has no micro-batch of this minibatch: its gradients are zeros, and the others need them.
static inline void policy_backward_nothing(Policy *p) {
    for (int i = p->shards.count - 1; i >= 0 && p->shards.ranks > 1; i--) { policy_reduce_gradients(p, i); }
}
// Without a backward pass: log-probability and entropy of every row's target, in host_logprob and host_entropy.
static inline void policy_forward(Policy *p, const floatX *weights, const Microbatch *batch, float temperature) {
    policy_forward_layers(p, weights, batch);
    for (int row = 0; row < batch->rows; row += p->train.logit_rows) { policy_head_forward(p, weights, batch->rows, row, temperature); }
}

static inline void policy_zero_gradients(Policy *p) { device_zero(p->gradients, p->parameters.total * sizeof(float)); }

typedef struct {
    float learning_rate, beta1, beta2, eps, weight_decay, grad_clip;
    int step; // updates done before this one
} AdamW;
typedef struct {
    int count, skipped; // updates made, and not made because the gradient was not finite
    double norm_sum;    // of the gradient norms before clipping
} UpdateStats;
// One update of every parameter, the gradient scaled so that its global norm is at most grad_clip: each rank of its own pieces, which
// all others then get. A gradient that is not finite updates nothing.
static inline void policy_update(Policy *p, AdamW *adamw, UpdateStats *stats) {
    const bool shared = p->shards.ranks > 1;
    const int mine = p->shards.mine;
    double square = 0;
    if (shared) { collective_finish(); }
    for (int i = 0; i < p->shards.count; i++) {
        const Shard *shard = &p->shards.list[i];
        square += gradient_square_sum(p->gradients + shard->begin + shard_start(shard, mine), shard_size(shard, mine));
    }
    if (shared) { ranks_sum(&square, 1); }
    const double norm = sqrt(square);
    if (!isfinite(norm)) {
        stats->skipped++;
        return;
    }
    const double shrink = (double)adamw->grad_clip / (norm + 1e-6), scale = shrink < 1 ? shrink : 1; // as torch.nn.utils.clip_grad_norm_
    adamw->step++;
    for (int i = 0; i < p->shards.count; i++) {
        const Shard *shard = &p->shards.list[i];
        const size_t own = shard->begin + shard_start(shard, mine), at = shard->at;
        floatX *weights = p->weights + own;
        adamw_update(weights, p->master ? p->master + at : (float *)(void *)weights, p->adam_m + at, p->adam_v + at, p->gradients + own, shard_size(shard, mine), (float)scale,
                     adamw->learning_rate, adamw->beta1, adamw->beta2, adamw->eps, adamw->weight_decay, adamw->step);
        if (!shared) { continue; }
        size_t starts[MAX_RANKS + 1];
        shard_starts(starts, shard, p->shards.ranks);
        collective_gather(p->weights + shard->begin, starts);
    }
    stats->count++;
    stats->norm_sum += norm;
}
