// cost: what a training step must take of a machine, counted from the model's shape and the lengths of the answers alone. Two uses: the
// shares of the machine's limits that a step reports (model FLOPs utilisation as in PaLM, Chowdhery et al. 2022, appendix B: recomputation
// and masked-out work count for nothing), and the hours that --plan predicts.
// With P the weights of the matrix products, L layers of H heads of size D, a sequence of T tokens takes forward
//   2 P T  +  2 L H D T (T + 1)      operations: each token attends to itself and those before it, 2 products of 2 D operations a head
// and twice as many backward. A decoding step reads all P once, and for each of its rows the keys and values of all tokens before it.
#pragma once
#include "llmc/model_config.h"

typedef struct {
    double products;       // P
    double attention;      // 2 L H D
    double product_bytes;  // of the P weights
    double position_bytes; // keys and values of one token, all layers
} ModelCost;

static inline ModelCost model_cost(const ModelConfig *c, size_t float_bytes) {
    const double hidden = c->hidden, heads = (double)c->heads * c->head_dim, qkv = heads + 2.0 * c->kv_heads * c->head_dim;
    const double products = c->layers * (hidden * qkv + heads * hidden + 3.0 * hidden * c->intermediate) + hidden * c->vocab;
    return (ModelCost){.products = products, .attention = 2.0 * c->layers * heads, .product_bytes = products * (double)float_bytes, .position_bytes = 2.0 * c->layers * c->kv_heads * c->head_dim * (double)float_bytes};
}
static inline double cost_forward(const ModelCost *m, double tokens) { return 2 * m->products * tokens + m->attention * tokens * (tokens + 1); } // operations
// Least seconds of `steps` decoding steps that draw `tokens` in all, and for them look at `attended` earlier tokens.
static inline double cost_decode_seconds(const ModelCost *m, double steps, double tokens, double attended, double operations, double bytes) {
    const double read = (steps * m->product_bytes + attended * m->position_bytes) / bytes, multiplied = (2 * m->products * tokens + 2 * m->attention * attended) / operations;
    return read > multiplied ? read : multiplied;
}

// ---- predictions
// Lengths of a reasoning model's answers by context: DeepScaleR's means (its report of February 2025; the 8K stage's falls from 5,500 to
// 3,500), and the mean square over the squared mean of a log-normal cut at the context with such a mean and its shares of cut answers,
// 6, 2 and 1.5 %. Shorter contexts: the same share of them; in between and beyond: along a line, and as at 24K.
static const struct {
    double context, mean, square;
} cost_lengths[] = {{8192, 3975, 1.26}, {16384, 4847, 1.58}, {24576, 5778, 1.74}};

static inline void cost_expect_length(double context, double *mean, double *square) {
    const int last = (int)(sizeof(cost_lengths) / sizeof(cost_lengths[0])) - 1;
    if (context <= cost_lengths[0].context) {
        *mean = cost_lengths[0].mean * context / cost_lengths[0].context, *square = cost_lengths[0].square * *mean * *mean;
        return;
    }
    int i = 0;
    while (i < last - 1 && context > cost_lengths[i + 1].context) { i++; }
    const double part = (context - cost_lengths[i].context) / (cost_lengths[i + 1].context - cost_lengths[i].context), within = part < 1 ? part : 1;
    *mean = cost_lengths[i].mean + part * (cost_lengths[i + 1].mean - cost_lengths[i].mean);
    *square = (cost_lengths[i].square + within * (cost_lengths[i + 1].square - cost_lengths[i].square)) * *mean * *mean;
}
typedef struct {
    double answers, prompt, context; // of a step; mean tokens; longest answer
    double at_once;                  // answers that each GPU decodes at a time, at most
    int gpus, scorings;              // forward passes beside that of the update: reference, old log-probabilities
    double operations, bytes;        // a second and GPU, as far as they are reached
} StepShape;
// Seconds of one step on each of s->gpus GPUs, which share its answers. A GPU decodes as many at a time as it can; the last of them runs to
// the limit on its own. Sums of gradients, AdamW and grading are left out: they take milliseconds, or hide behind decoding.
static inline double cost_step_seconds(const ModelCost *m, const StepShape *s) {
    double mean, square;
    cost_expect_length(s->context, &mean, &square);
    const double answers = s->answers / s->gpus, at_once = answers < s->at_once ? answers : s->at_once;
    const double steps = answers * mean / at_once + s->context - mean, attended = answers * (s->prompt * mean + square / 2);
    const double length = s->prompt + mean, lengths_squared = s->prompt * s->prompt + 2 * s->prompt * mean + square;
    const double forward = answers * (2 * m->products * length + m->attention * lengths_squared);
    return cost_decode_seconds(m, steps, answers * mean, attended, s->operations, s->bytes) + (3 + s->scorings) * forward / s->operations;
}
