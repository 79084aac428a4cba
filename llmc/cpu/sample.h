// CPU body of ../sample.h: inverse transform sampling. The sums that logprob_forward makes of every block of a row say in which block the
// drawn number falls, and only that block is looked at again. Nothing is sorted: the border of top-k and top-p is found by quickselect
// (Hoare 1961) among the few ids that can be kept at all.
#pragma once
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include "llmc/cpu/logprob.h"
#include "llmc/random.h"
#include "llmc/sample.h"

typedef struct {
    float logit;
    int id;
    double weight; // e^(z - largest z of the row)
} SampleCandidate;

// ---- all ids
static int sample_all(const float *logits, const LogprobRow *row, float scale, double u, int V) {
    double running = 0, target = u * row->all.sum;
    int last = 0; // the last id with any weight, if rounding leaves the running sum just below the target
    for (int b = 0; b < row->blocks; b++) {
        double share = exp(row->block[b].largest - row->all.largest), next = running + row->block[b].sum * share;
        bool inside = next > target, rest = b + 1 == row->blocks;
        const float *at = logits + (size_t)b * row->block_size;
        int count = logprob_block_count(row, b, V);
        for (int i = 0; (inside || rest) && i < count; i += LOGPROB_GROUP) {
            float copy[LOGPROB_GROUP], weight[LOGPROB_GROUP];
            const float *p = logprob_group(copy, at, i, count);
            for (int l = 0; l < LOGPROB_GROUP; l += SIMD_WIDTH) {
                Vector below;
                vector_store(weight + l, logprob_weight(&below, vector_load(p + l) * scale, (float)row->block[b].largest));
            }
            for (int l = 0; l < LOGPROB_GROUP && i + l < count; l++) {
                running += (double)weight[l] * share;
                if (weight[l] > 0) { last = b * row->block_size + i + l; }
                if (running > target) { return last; }
            }
        }
        if (inside) { return last; }
        running = next;
    }
    return last;
}
static int sample_greedy(const float *logits, const LogprobRow *row, int V) { // at scale 1 a block's largest z is its largest logit
    for (int b = 0; b < row->blocks; b++) {
        for (int v = b * row->block_size; row->block[b].largest == row->all.largest && v < V; v++) {
            if ((double)logits[v] == row->all.largest) { return v; }
        }
    }
    return 0;
}

// ---- top-k and top-p
// Larger logits first; among equals the lower id.
static inline bool sample_before(SampleCandidate a, SampleCandidate b) { return a.logit != b.logit ? a.logit > b.logit : a.id < b.id; }

// Keeps, in their order, the fewest first ones by sample_before whose amounts (1 each, or their weights) reach `amount`. `order` is room for n.
static int sample_keep(SampleCandidate *candidate, int *order, int n, double amount, bool by_count) {
    int low = 0, high = n, border = 0; // order[low .. high-1] holds the border
    for (int i = 0; i < n; i++) { order[i] = i; }
    while (low < high) {
        int pick = low + (int)random_below((uint64_t)low, (uint64_t)high, (uint32_t)(high - low)), middle = low;
        double before = 0;
        border = order[pick], order[pick] = order[high - 1], order[high - 1] = border;
        for (int i = low; i < high - 1; i++) {
            if (!sample_before(candidate[order[i]], candidate[border])) { continue; }
            before += by_count ? 1 : candidate[order[i]].weight;
            int swap = order[middle];
            order[middle++] = order[i], order[i] = swap;
        }
        if (before >= amount && middle > low) {
            high = middle;
            continue;
        }
        before += by_count ? 1 : candidate[border].weight;
        if (before >= amount) { break; }
        order[high - 1] = order[middle], order[middle] = border;
        amount -= before, low = middle + 1;
    }
    int kept = 0;
    SampleCandidate last = candidate[border];
    for (int i = 0; i < n; i++) {
        if (!sample_before(last, candidate[i])) { candidate[kept++] = candidate[i]; }
    }
    return kept;
}
// A z that no kept id lies below. What is less likely than (1 - top_p) / V weighs less than 1 - top_p together; and k blocks hold k ids
// that are at least as large as the k-th largest of the blocks' largest.
static double sample_lowest(const LogprobRow *row, float top_p, int top_k, int V) {
    if (top_k == 0) { return row->all.largest + log((1 - (double)top_p) * row->all.sum / V) - 1e-3; }
    if (top_k > row->blocks) { return -INFINITY; }
    double largest[LOGPROB_BLOCKS];
    for (int b = 0; b < row->blocks; b++) { largest[b] = row->block[b].largest; }
    for (int k = 0; k < top_k; k++) { // the k largest to the front
        for (int b = k + 1; b < row->blocks; b++) {
            if (largest[b] > largest[k]) {
                double swap = largest[k];
                largest[k] = largest[b], largest[b] = swap;
            }
        }
    }
    return largest[top_k - 1];
}
static int sample_filtered(const float *logits, const LogprobRow *row, float scale, float top_p, int top_k, double u, int V) {
    static _Thread_local SampleCandidate *candidate; // made at a thread's first filtered draw, kept for its life
    static _Thread_local int *order, room;
    if (room < V) {
        candidate = (SampleCandidate *)realloc(candidate, (size_t)V * sizeof(SampleCandidate));
        order = (int *)realloc(order, (size_t)V * sizeof(int));
        room = V;
        if (!candidate || !order) {
            fprintf(stderr, "error: out of memory: %zu bytes for the candidates of a sample\n", (size_t)V * sizeof(SampleCandidate));
            exit(EXIT_FAILURE);
        }
    }
    double lowest = sample_lowest(row, top_p, top_k, V);
    int n = 0;
    for (int b = 0; b < row->blocks; b++) {
        int begin = b * row->block_size, end = begin + logprob_block_count(row, b, V);
        for (int v = begin; row->block[b].largest >= lowest && v < end; v++) {
            double z = (double)(logits[v] * scale);
            if (z >= lowest) { candidate[n++] = (SampleCandidate){logits[v], v, 0}; }
        }
    }
    if (n == 0) { return 0; } // a row of NaN or -infinity
    if (top_k > 0) { n = sample_keep(candidate, order, n, top_k, true); }
    double total = 0;
    for (int i = 0; i < n; i++) { total += candidate[i].weight = exp((double)(candidate[i].logit * scale) - row->all.largest); }
    if (top_p < 1) {
        n = sample_keep(candidate, order, n, (double)top_p * (top_k > 0 ? total : row->all.sum), false);
        total = 0;
        for (int i = 0; i < n; i++) { total += candidate[i].weight; }
    }
    double running = 0;
    for (int i = 0; i < n; i++) {
        running += candidate[i].weight;
        if (running > u * total) { return candidate[i].id; }
    }
    return candidate[n - 1].id;
}

void sample_tokens(int *token, float *logprob, const float *logits, const uint64_t *keys, const int *counters,
                   float temperature, float top_p, int top_k, int B, int V, int stride) {
    float scale = temperature > 0 ? 1.0f / temperature : 1.0f;
    if (top_k >= V) { top_k = 0; }
#pragma omp parallel for schedule(static) if ((double)B * V > 16384)
    for (int b = 0; b < B; b++) {
        const float *at = logits + (size_t)b * stride;
        LogprobRow row;
        logprob_row(&row, at, scale, V);
        double u = random_uniform(keys[b], (uint64_t)counters[b]);
        token[b] = temperature <= 0         ? sample_greedy(at, &row, V)
                   : top_k > 0 || top_p < 1 ? sample_filtered(at, &row, scale, top_p, top_k, u, V)
                                            : sample_all(at, &row, scale, u, V);
        logprob[b] = logprob_of(&row, at[token[b]], scale);
    }
}
