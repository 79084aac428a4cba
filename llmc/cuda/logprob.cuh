// CUDA body of ../logprob.h. Forward: one block per row reads it once. Every warp owns a segment of the ids, a lane 4 neighbours of every 128; a
// thread keeps the largest z so far and, relative to it, the sums of e^z and z e^z; they are joined in a fixed order, which does not depend on
// how the row is aligned. sample.cuh reads its rows with the same function: both report the same bits, and it goes on from the segments' sums.
#pragma once
#include <float.h>
#include "llmc/logprob.h"
#include "llmc/cuda/vector.cuh"

struct LogprobSums {
    float largest, sum, moment; // sum of e^(z - largest), sum of (z - largest) e^(z - largest)
};
// z, rounded by itself: fused into the subtraction that follows in one place and not in another, it would give an id two probabilities.
__device__ static inline float logprob_z(float logit, float scale) { return __fmul_rn(logit, scale); }
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
// Value by value, for the emulator's race detector does not see a copy of the whole.
__device__ static inline LogprobSums logprob_read(const LogprobSums *sums) { return {sums->largest, sums->sum, sums->moment}; }
__device__ static inline LogprobSums logprob_join_lanes(LogprobSums mine) { // lane 0 gets all of them, joined in a fixed order
    for (int lane = 16; lane > 0; lane /= 2) {
        LogprobSums other = {__shfl_down_sync(ALL_LANES, mine.largest, lane), __shfl_down_sync(ALL_LANES, mine.sum, lane), __shfl_down_sync(ALL_LANES, mine.moment, lane)};
        mine = logprob_join(mine, other);
    }
    return mine;
}
enum { LOGPROB_THREADS = 512,
       LOGPROB_TOTAL = 32 };               // where the sums of the whole row stand, behind those of up to 32 warps
static inline int logprob_threads(int V) { // whole warps, 16 ids or more to a thread; part of what fixes the bits of a row
    int threads = CEIL_DIV(V, 16 * 32) * 32;
    return threads < LOGPROB_THREADS ? threads : LOGPROB_THREADS;
}
static bool logprob_quads(const float *logits, int stride) { return stride % 4 == 0 && (uintptr_t)logits % 16 == 0; } // rows can be read 16 bytes at a time
__device__ static inline int logprob_segment(int V, int warps) { return CEIL_DIV(V, 128 * warps) * 128; }             // ids of a warp
// Logits v .. v+3, those from `end` on -infinity. A row may be read up to its stride.
template <bool quads>
__device__ inline Floats<4> logprob_load(const float *logits, int v, int end) {
    Floats<4> z = {{-INFINITY, -INFINITY, -INFINITY, -INFINITY}};
    if constexpr (quads) {
        if (v < end) { z = load<4>(logits + v); }
        for (int k = 1; k < 4; k++) { z.v[k] = v + k < end ? z.v[k] : -INFINITY; }
    } else {
        for (int k = 0; k < 4; k++) { z.v[k] = v + k < end ? logits[v + k] : -INFINITY; }
    }
    return z;
}
enum { LOGPROB_AHEAD = 4 }; // loads of 16 bytes that a thread has under way
// The sums of a row, in every thread of the block; of_warp in shared memory keeps those of the segments.
template <bool quads>
__device__ inline LogprobSums logprob_row(LogprobSums *of_warp, const float *logits, float scale, int V) {
    int warp = threadIdx.x / 32, warps = blockDim.x / 32, segment = logprob_segment(V, warps), end = min((warp + 1) * segment, V);
    LogprobSums mine = {-FLT_MAX, 0, 0};
    for (int v = warp * segment + threadIdx.x % 32 * 4; v < end; v += 128 * LOGPROB_AHEAD) {
        Floats<4> z[LOGPROB_AHEAD];
        float top = -FLT_MAX;
#pragma unroll
        for (int i = 0; i < LOGPROB_AHEAD; i++) { z[i] = logprob_load<quads>(logits, v + 128 * i, end); }
#pragma unroll
        for (int i = 0; i < LOGPROB_AHEAD; i++) {
            for (int k = 0; k < 4; k++) { z[i].v[k] = logprob_z(z[i].v[k], scale), top = fmaxf(top, z[i].v[k]); }
        }
        if (top > mine.largest) { logprob_rebase(&mine, top); }
#pragma unroll
        for (int i = 0; i < LOGPROB_AHEAD; i++) {
            for (int k = 0; k < 4; k++) {
                float below, weight = logprob_weight(&below, z[i].v[k], mine.largest);
                mine.sum += weight;
                mine.moment += weight * below;
            }
        }
    }
    mine = logprob_join_lanes(mine);
    if (threadIdx.x % 32 == 0) { of_warp[warp] = mine; }
    __syncthreads();
    if (warp == 0) {
        LogprobSums none = {-FLT_MAX, 0, 0}, all = logprob_join_lanes((int)threadIdx.x < warps ? logprob_read(&of_warp[threadIdx.x]) : none);
        if (threadIdx.x == 0) { of_warp[LOGPROB_TOTAL] = all; }
    }
    __syncthreads();
    return logprob_read(&of_warp[LOGPROB_TOTAL]);
}
__device__ static inline float logprob_of(LogprobSums row, float logit, float scale) {
    return (float)((double)logprob_z(logit, scale) - (double)row.largest - log((double)row.sum));
}

template <bool quads>
__global__ void __launch_bounds__(LOGPROB_THREADS, 2) logprob_forward_kernel(float *logprob, float *entropy, float *lse, const float *logits, const int *targets, float scale, int V, int stride) {
    __shared__ LogprobSums of_warp[LOGPROB_TOTAL + 1];
    int n = blockIdx.x;
    const float *row = logits + (size_t)n * stride;
    LogprobSums sums = logprob_row<quads>(of_warp, row, scale, V);
    if (threadIdx.x > 0) { return; }
    logprob[n] = targets[n] < 0 ? 0.0f : logprob_of(sums, row[targets[n]], scale);
    entropy[n] = (float)(log((double)sums.sum) - (double)sums.moment / (double)sums.sum);
    lse[n] = (float)((double)sums.largest + log((double)sums.sum));
}
// blocks.x walks along a row, blocks.y over the rows.
template <int width>
__global__ void __launch_bounds__(256) logprob_backward_kernel(floatX *dlogits, const float *logits, const float *lse, const float *entropy, const int *targets, const float *dlogprob, const float *dentropy, float scale, int N, int V, int stride) {
    int v = (blockIdx.x * blockDim.x + threadIdx.x) * width;
    for (int n = blockIdx.y; n < N && v < stride; n += gridDim.y) {
        int target = targets[n];
        float likely = target < 0 ? 0.0f : dlogprob[n], spread = dentropy[n], row_lse = lse[n], row_entropy = entropy[n];
        size_t at = (size_t)n * stride + v;
        Floats<width> z = load<width>(logits + at), gradient;
        for (int k = 0; k < width; k++) {
            float log_p, p = logprob_weight(&log_p, logprob_z(z.v[k], scale), row_lse);
            float value = (likely * ((v + k == target ? 1.0f : 0.0f) - p) - spread * p * (log_p + row_entropy)) * scale;
            gradient.v[k] = v + k < V ? value : 0.0f;
        }
        store<width>(dlogits + at, gradient);
    }
}
LLMC_C void logprob_forward(float *logprob, float *entropy, float *lse, const float *logits, const int *targets, float temperature, int N, int V, int stride) {
    if (N == 0) { return; }
    if (logprob_quads(logits, stride)) {
        RUN(logprob_forward_kernel<true>, N, logprob_threads(V), 0, logprob, entropy, lse, logits, targets, 1.0f / temperature, V, stride);
    } else {
        RUN(logprob_forward_kernel<false>, N, logprob_threads(V), 0, logprob, entropy, lse, logits, targets, 1.0f / temperature, V, stride);
    }
}
LLMC_C void logprob_backward(floatX *dlogits, const float *logits, const float *lse, const float *entropy, const int *targets, const float *dlogprob,
                             const float *dentropy, float temperature, int N, int V, int stride) {
    if (N == 0) { return; }
    if (packs_fit(stride, dlogits, logits)) {
        RUN(logprob_backward_kernel<PACK>, dim3(CEIL_DIV(stride / PACK, 256), min(N, (int)GRID_ROWS)), 256, 0, dlogits, logits, lse, entropy, targets, dlogprob, dentropy, 1.0f / temperature, N, V, stride);
    } else {
        RUN(logprob_backward_kernel<1>, dim3(CEIL_DIV(stride, 256), min(N, (int)GRID_ROWS)), 256, 0, dlogits, logits, lse, entropy, targets, dlogprob, dentropy, 1.0f / temperature, N, V, stride);
    }
}
__global__ void __launch_bounds__(256) logits_round_kernel(float *logits, float temperature, float scale, size_t count) { // a thread strides over the logits by the whole grid
    for (size_t i = blockIdx.x * (size_t)256 + threadIdx.x; i < count; i += (size_t)gridDim.x * 256) {
        logits[i] = __fmul_rn(temperature, bf16_to_float(bf16_from_float(__fmul_rn(bf16_to_float(bf16_from_float(logits[i])), scale))));
    }
}
LLMC_C void logits_round(float *logits, float temperature, size_t count) {
    if (count == 0) { return; }
    RUN(logits_round_kernel, (unsigned)min(CEIL_DIV(count, (size_t)256), (size_t)4096), 256, 0, logits, temperature, 1.0f / temperature, count);
}
