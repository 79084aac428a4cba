// CUDA body of ../sample.h: one block per row. What is kept is a threshold and how many of the ids equal to it: both are found without a sort,
// by bisection over the 32 bits of a logit's rank (counting for top-k, adding probabilities for top-p). Then every warp adds up a segment of
// the ids, and the warp in whose segment the draw falls walks it.
#pragma once
#include "llmc/random.h"
#include "llmc/sample.h"
#include "llmc/cuda/logprob.cuh"

struct SampleRow {
    const float *logits;
    float scale, largest;
    int V;
};
struct SampleKept { // ids whose key is above the threshold, and the first `ties` of those at it
    unsigned threshold;
    int ties;
};
__device__ static inline unsigned sample_key(float logit) { // rises as the logit does; both zeros are one
    unsigned bits = __float_as_uint(logit + 0.0f);
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}
__device__ static inline float sample_logit(unsigned key) { return __uint_as_float(key >> 31 ? key & 0x7FFFFFFFu : ~key); }
__device__ static inline double sample_weight(SampleRow row, float logit) {
    float below;
    return (double)logprob_weight(&below, logit * row.scale, row.largest);
}

__device__ static inline int sample_greedy(SampleRow row) { // the largest logit, the lowest id among equals
    __shared__ float best_logit[32];
    __shared__ int best_id[32];
    float best = -INFINITY;
    int id = 0x7FFFFFFF;
    for (int v = threadIdx.x; v < row.V; v += blockDim.x) {
        if (row.logits[v] > best || id == 0x7FFFFFFF) { best = row.logits[v], id = v; }
    }
    for (int lane = 16; lane > 0; lane /= 2) {
        float other = __shfl_xor_sync(ALL_LANES, best, lane);
        int other_id = __shfl_xor_sync(ALL_LANES, id, lane);
        if (other > best || (other == best && other_id < id)) { best = other, id = other_id; }
    }
    if (threadIdx.x % 32 == 0) { best_logit[threadIdx.x / 32] = best, best_id[threadIdx.x / 32] = id; }
    __syncthreads();
    for (int w = 0; w < (int)blockDim.x / 32; w++) {
        if (best_logit[w] > best || (best_logit[w] == best && best_id[w] < id)) { best = best_logit[w], id = best_id[w]; }
    }
    return id < row.V ? id : 0;
}

__device__ static inline int sample_count_from(SampleRow row, unsigned key) { // ids whose key is at least this
    int count = 0;
    for (int v = threadIdx.x; v < row.V; v += blockDim.x) { count += sample_key(row.logits[v]) >= key; }
    return block_sum(count);
}
__device__ static inline SampleKept sample_top_k(SampleRow row, int top_k) {
    unsigned key = 0; // becomes the largest that top_k ids reach
    for (unsigned bit = 0x80000000u; bit > 0; bit /= 2) {
        if (sample_count_from(row, key | bit) >= top_k) { key |= bit; }
    }
    return {key, top_k - (key == 0xFFFFFFFFu ? 0 : sample_count_from(row, key + 1))};
}
// The weight of the kept ids whose key is at least this.
__device__ static inline double sample_mass_from(SampleRow row, SampleKept kept, unsigned key) {
    double mass = 0;
    for (int v = threadIdx.x; v < row.V; v += blockDim.x) {
        unsigned k = sample_key(row.logits[v]);
        if (k >= key && k > kept.threshold) { mass += sample_weight(row, row.logits[v]); }
    }
    mass = block_sum(mass);
    return kept.ties > 0 && key <= kept.threshold ? mass + kept.ties * sample_weight(row, sample_logit(kept.threshold)) : mass;
}
__device__ static inline SampleKept sample_top_p(SampleRow row, SampleKept kept, float top_p) {
    double amount = fmax((double)top_p * sample_mass_from(row, kept, 0), 1e-300); // above zero, so that one is kept
    unsigned key = 0;                                                             // becomes the largest from which on there is enough
    for (unsigned bit = 0x80000000u; bit > 0; bit /= 2) {
        if (sample_mass_from(row, kept, key | bit) >= amount) { key |= bit; }
    }
    if (key == 0 || key == 0xFFFFFFFFu) { return kept; } // a row without finite weights
    double each = sample_weight(row, sample_logit(key)), wanted = ceil((amount - sample_mass_from(row, kept, key + 1)) / each);
    int most = key == kept.threshold ? kept.ties : row.V;
    return {key, wanted < 1 ? 1 : wanted < most ? (int)wanted
                                                : most};
}

// The weight of the id in this lane, 0 if it is not kept; *ties counts the ids at the threshold so far, in rising order.
__device__ static inline double sample_kept_weight(SampleRow row, SampleKept kept, int v, int end, int *ties) {
    float logit = v < end ? row.logits[v] : -INFINITY;
    unsigned key = sample_key(logit), tied = __ballot_sync(ALL_LANES, v < end && key == kept.threshold);
    int rank = *ties + __popc(tied & ((1u << threadIdx.x % 32) - 1u));
    bool keep = v < end && (key > kept.threshold || (key == kept.threshold && rank < kept.ties));
    *ties += __popc(tied);
    return keep ? sample_weight(row, logit) : 0.0;
}
// The first id of begin .. end-1 at which the sum that runs on from `running` exceeds the mark, or the last with any weight; by one warp.
__device__ static inline int sample_walk(SampleRow row, SampleKept kept, int begin, int end, int ties, double running, double mark) {
    int lane = threadIdx.x % 32, last = begin;
    for (int v0 = begin; v0 < end; v0 += 32) {
        double weight = sample_kept_weight(row, kept, v0 + lane, end, &ties), scan = weight;
        for (int step = 1; step < 32; step *= 2) {
            double other = __shfl_up_sync(ALL_LANES, scan, step);
            if (lane >= step) { scan += other; }
        }
        unsigned over = __ballot_sync(ALL_LANES, weight > 0 && running + scan > mark), some = __ballot_sync(ALL_LANES, weight > 0);
        if (some) { last = v0 + (over ? __ffs((int)over) - 1 : 31 - __clz((int)some)); }
        if (over) { break; }
        running += __shfl_sync(ALL_LANES, scan, 31);
    }
    return last;
}
__device__ static inline int sample_draw(SampleRow row, SampleKept kept, double u) {
    __shared__ int tied[32], token;
    __shared__ double mass[32];
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warps = blockDim.x / 32;
    int length = CEIL_DIV(row.V, 32 * warps) * 32, begin = warp * length, end = min(begin + length, row.V), ties = 0;
    for (int v = begin + lane; kept.ties > 0 && v < end; v += 32) { ties += sample_key(row.logits[v]) == kept.threshold; }
    ties = warp_sum(ties);
    if (lane == 0) { tied[warp] = ties; }
    if (threadIdx.x == 0) { token = 0; }
    __syncthreads();
    int before = 0;
    for (int w = 0; w < warp; w++) { before += tied[w]; }
    double sum = 0;
    ties = before;
    for (int v0 = begin; v0 < end; v0 += 32) { sum += sample_kept_weight(row, kept, v0 + lane, end, &ties); }
    sum = warp_sum(sum);
    if (lane == 0) { mass[warp] = sum; }
    __syncthreads();
    double total = 0, running = 0;
    for (int w = 0; w < warps; w++) { total += mass[w]; }
    int chosen = -1; // the first segment in which the running sum exceeds u total; else the last with any weight
    double start = 0;
    for (int w = 0; w < warps; w++) {
        if (mass[w] > 0) { chosen = w, start = running; }
        if (running + mass[w] > u * total) { break; }
        running += mass[w];
    }
    if (warp == chosen) {
        int last = sample_walk(row, kept, begin, end, before, start, u * total);
        if (lane == 0) { token = last; }
    }
    __syncthreads();
    return token;
}

__global__ void __launch_bounds__(1024) sample_kernel(int *token, float *logprob, const float *logits, const uint64_t *keys, const int *counters, float temperature, float top_p, int top_k, int V, int stride) {
    int b = blockIdx.x;
    float scale = temperature > 0 ? 1.0f / temperature : 1.0f;
    const float *at = logits + (size_t)b * stride;
    LogprobSums sums = logprob_row(at, scale, V);
    SampleRow row = {at, scale, sums.largest, V};
    int drawn;
    if (temperature <= 0) {
        drawn = sample_greedy(row);
    } else {
        SampleKept kept = {0, 0};
        if (top_k > 0 && top_k < V) { kept = sample_top_k(row, top_k); }
        if (top_p < 1) { kept = sample_top_p(row, kept, top_p); }
        drawn = sample_draw(row, kept, (double)random_uniform(keys[b], (uint64_t)counters[b]));
    }
    if (threadIdx.x == 0) { token[b] = drawn, logprob[b] = logprob_of(sums, at[drawn], scale); }
}
LLMC_C void sample_tokens(int *token, float *logprob, const float *logits, const uint64_t *keys, const int *counters, float temperature, float top_p,
                          int top_k, int B, int V, int stride) {
    if (B == 0) { return; }
    RUN(sample_kernel, B, logprob_threads(V), 0, token, logprob, logits, keys, counters, temperature, top_p, top_k, V, stride);
}
