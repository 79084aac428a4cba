// CUDA body of ../qk_norm.h: one warp per head of a token; the weight gradients by columns over all tokens and heads.
#pragma once
#include "llmc/qk_norm.h"
#include "llmc/cuda/rmsnorm.cuh"

template <int width>
__global__ void __launch_bounds__(RMSNORM_THREADS) qk_norm_forward_kernel(floatX *out, float *rstd, const floatX *qkv, const floatX *q_weight, const floatX *k_weight, float eps, int N, int H, int KV, int D) {
    int row = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32, n = row / (H + 2 * KV), h = row % (H + 2 * KV);
    if (n >= N) { return; }
    size_t at = (size_t)row * D;
    if (h >= H + KV) { // a value head
        for (int d = lane * width; d < D; d += 32 * width) { store<width>(out + at + d, load<width>(qkv + at + d)); }
        return;
    }
    float r = rmsnorm_row<width, 0, false>(out + at, NULL, qkv + at, NULL, h < H ? q_weight : k_weight, eps, D, lane);
    if (lane == 0) { rstd[(size_t)n * (H + KV) + h] = r; }
}
template <int width>
__global__ void __launch_bounds__(RMSNORM_THREADS) qk_norm_backward_kernel(floatX *dqkv, const floatX *dout, const floatX *qkv, const floatX *q_weight, const floatX *k_weight, const float *rstd, int N, int H, int KV, int D) {
    int row = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32, n = row / (H + 2 * KV), h = row % (H + 2 * KV);
    if (n >= N) { return; }
    size_t at = (size_t)row * D;
    if (h < H + KV) {
        rmsnorm_row_backward<width, false>(dqkv + at, dout + at, qkv + at, h < H ? q_weight : k_weight, rstd[(size_t)n * (H + KV) + h], D, lane);
        return;
    }
    for (int d = lane * width; d < D; d += 32 * width) { store<width>(dqkv + at + d, load<width>(dout + at + d)); }
}
struct QkNormWeightTerm { // row i is head first + i % heads of token i / heads
    const floatX *dout, *qkv;
    const float *rstd;
    int first, heads, H, KV, D;
    template <int width>
    __device__ Floats<width> at(int i, int d) const {
        int n = i / heads, h = first + i % heads;
        size_t from = ((size_t)n * (H + 2 * KV) + h) * D + d;
        return rmsnorm_weight_term(load<width>(dout + from), load<width>(qkv + from), rstd[(size_t)n * (H + KV) + h]);
    }
};

LLMC_C void qk_norm_forward(floatX *out, float *rstd, const floatX *qkv, const floatX *q_weight, const floatX *k_weight, float eps, int N, int H, int KV, int D) {
    if (N == 0) { return; }
    int blocks = CEIL_DIV(N * (H + 2 * KV), RMSNORM_THREADS / 32);
    if (packs_fit(D, out, qkv, q_weight, k_weight)) {
        RUN(qk_norm_forward_kernel<PACK>, blocks, RMSNORM_THREADS, 0, out, rstd, qkv, q_weight, k_weight, eps, N, H, KV, D);
    } else {
        RUN(qk_norm_forward_kernel<1>, blocks, RMSNORM_THREADS, 0, out, rstd, qkv, q_weight, k_weight, eps, N, H, KV, D);
    }
}
LLMC_C void qk_norm_backward(floatX *dqkv, float *dq_weight, float *dk_weight, const floatX *dout, const floatX *qkv, const floatX *q_weight, const floatX *k_weight, const float *rstd, int N, int H, int KV, int D) {
    if (N == 0) { return; }
    int blocks = CEIL_DIV(N * (H + 2 * KV), RMSNORM_THREADS / 32);
    if (packs_fit(D, dqkv, dout, qkv, q_weight, k_weight)) {
        RUN(qk_norm_backward_kernel<PACK>, blocks, RMSNORM_THREADS, 0, dqkv, dout, qkv, q_weight, k_weight, rstd, N, H, KV, D);
    } else {
        RUN(qk_norm_backward_kernel<1>, blocks, RMSNORM_THREADS, 0, dqkv, dout, qkv, q_weight, k_weight, rstd, N, H, KV, D);
    }
    column_sums(dq_weight, QkNormWeightTerm{dout, qkv, rstd, 0, H, H, KV, D}, N * H, D, packs_fit(D, dout, qkv));
    column_sums(dk_weight, QkNormWeightTerm{dout, qkv, rstd, H, KV, H, KV, D}, N * KV, D, packs_fit(D, dout, qkv));
}
