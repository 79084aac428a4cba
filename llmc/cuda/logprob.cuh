// CUDA body of ../logprob.h. Forward: one block per row reads it once; every thread keeps the largest z so far and, relative to it, the sums of
// e^z and z e^z; they are joined in a fixed order. sample.cuh reads its rows with the same function, so both report the same bits.
#pragma once
#include <float.h>
#include "llmc/logprob.h"
#include "llmc/cuda/vector.cuh"

struct LogprobSums {
    float largest, sum, moment; // sum of e^(z - largest), sum of (z - largest) e^(z - largest)
};
// e^(z - largest), exactly zero where it would be below 1.2e-38 (so also for a logit of -infinity); NaN stays NaN.
__device__ static inline float logprob_weight(float *below, float z, float largest) {
    *below = z - largest;
    if (*below < -87.3f) {
        *below = 0;
        return 0;
    }
    return expf(*below);
}
__device__ static inline void logprob_rebase(LogprobSums *a, float largest) { // largest >= a->largest
    float difference = a->largest - largest, scale = expf(difference);
    a->moment = scale > 0 ? (a->moment + difference * a->sum) * scale : 0.0f * a->sum;
    a->sum *= scale;
    a->largest = largest;
}
__device__ static inline LogprobSums logprob_join(LogprobSums a, LogprobSums b) {
    float largest = fmaxf(a.largest, b.largest);
    logprob_rebase(&a, largest);
    logprob_rebase(&b, largest);
    return {largest, a.sum + b.sum, a.moment + b.moment};
}
static inline int logprob_threads(int V) { // whole warps, 16 ids or more to a thread; part of what fixes the bits of a row
    int threads = CEIL_DIV(V, 16 * 32) * 32;
    return threads < 1024 ? threads : 1024;
}
// The sums of a row, in every thread of the block; once in a kernel, for of_warp is not guarded against a second call.
__device__ static inline LogprobSums logprob_row(const float *logits, float scale, int V) {
    __shared__ LogprobSums of_warp[32];
    LogprobSums mine = {-FLT_MAX, 0, 0};
    for (int v = threadIdx.x; v < V; v += blockDim.x) {
        float z = logits[v] * scale, below;
        if (z > mine.largest) { logprob_rebase(&mine, z); }
        float weight = logprob_weight(&below, z, mine.largest);
        mine.sum += weight;
        mine.moment += weight * below;
    }
    for (int lane = 16; lane > 0; lane /= 2) { // lane 0 ends with all of them, joined in a fixed order
        LogprobSums other = {__shfl_down_sync(ALL_LANES, mine.largest, lane), __shfl_down_sync(ALL_LANES, mine.sum, lane), __shfl_down_sync(ALL_LANES, mine.moment, lane)};
        mine = logprob_join(mine, other);
    }
    if (threadIdx.x % 32 == 0) { of_warp[threadIdx.x / 32] = mine; }
    __syncthreads();
    LogprobSums all = of_warp[0];
    for (int w = 1; w < (int)blockDim.x / 32; w++) { all = logprob_join(all, of_warp[w]); }
    return all;
}
__device__ static inline float logprob_of(LogprobSums row, float logit, float scale) {
    return (float)((double)(logit * scale) - (double)row.largest - log((double)row.sum));
}

__global__ void __launch_bounds__(1024) logprob_forward_kernel(float *logprob, float *entropy, float *lse, const float *logits, const int *targets, float scale, int V, int stride) {
    int n = blockIdx.x;
    const float *row = logits + (size_t)n * stride;
    LogprobSums sums = logprob_row(row, scale, V);
    if (threadIdx.x > 0) { return; }
    logprob[n] = targets[n] < 0 ? 0.0f : logprob_of(sums, row[targets[n]], scale);
    entropy[n] = (float)(log((double)sums.sum) - (double)sums.moment / (double)sums.sum);
    lse[n] = (float)((double)sums.largest + log((double)sums.sum));
}
template <int width>
__global__ void logprob_backward_kernel(floatX *dlogits, const float *logits, const float *lse, const float *entropy, const int *targets, const float *dlogprob, const float *dentropy, float scale, int V, int stride) {
    int n = blockIdx.y, v = (blockIdx.x * blockDim.x + threadIdx.x) * width, target = targets[n];
    if (v >= stride) { return; }
    float likely = target < 0 ? 0.0f : dlogprob[n], spread = dentropy[n];
    size_t at = (size_t)n * stride + v;
    Floats<width> z = load<width>(logits + at), gradient;
    for (int k = 0; k < width; k++) {
        float log_p, p = logprob_weight(&log_p, z.v[k] * scale, lse[n]);
        float value = (likely * ((v + k == target ? 1.0f : 0.0f) - p) - spread * p * (log_p + entropy[n])) * scale;
        gradient.v[k] = v + k < V ? value : 0.0f;
    }
    store<width>(dlogits + at, gradient);
}
LLMC_C void logprob_forward(float *logprob, float *entropy, float *lse, const float *logits, const int *targets, float temperature, int N, int V, int stride) {
    if (N == 0) { return; }
    RUN(logprob_forward_kernel, N, logprob_threads(V), 0, logprob, entropy, lse, logits, targets, 1.0f / temperature, V, stride);
}
LLMC_C void logprob_backward(floatX *dlogits, const float *logits, const float *lse, const float *entropy, const int *targets, const float *dlogprob,
                             const float *dentropy, float temperature, int N, int V, int stride) {
    if (N == 0) { return; }
    if (packs_fit(stride, dlogits, logits)) {
        RUN(logprob_backward_kernel<PACK>, dim3(CEIL_DIV(stride / PACK, 256), N), 256, 0, dlogits, logits, lse, entropy, targets, dlogprob, dentropy, 1.0f / temperature, V, stride);
    } else {
        RUN(logprob_backward_kernel<1>, dim3(CEIL_DIV(stride, 256), N), 256, 0, dlogits, logits, lse, entropy, targets, dlogprob, dentropy, 1.0f / temperature, V, stride);
    }
}
