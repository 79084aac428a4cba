// CUDA body of ../rmsnorm.h: one warp per row, lanes stride over C; the weight gradient by columns.
#pragma once
#include "llmc/rmsnorm.h"
#include "llmc/cuda/vector.cuh"

enum { RMSNORM_THREADS = 256 };
// One row by one warp; returns rstd. Rounds only what it stores, so every width and every caller gives a row the same mathematics.
template <int width>
__device__ inline float rmsnorm_row(floatX *out, const floatX *x, const floatX *weight, float eps, int C, int lane) {
    float sum = 0;
    for (int c = lane * width; c < C; c += 32 * width) {
        Floats<width> value = load<width>(x + c);
        for (int i = 0; i < width; i++) { sum += value.v[i] * value.v[i]; }
    }
    float rstd = 1.0f / sqrtf(warp_sum(sum) / C + eps);
    for (int c = lane * width; c < C; c += 32 * width) {
        Floats<width> value = load<width>(x + c), scale = load<width>(weight + c);
        for (int i = 0; i < width; i++) { value.v[i] *= rstd * scale.v[i]; }
        store<width>(out + c, value);
    }
    return rstd;
}
template <int width>
__device__ inline void rmsnorm_row_backward(floatX *dx, const floatX *dout, const floatX *x, const floatX *weight, float rstd, int C, int lane) {
    float dot = 0;
    for (int c = lane * width; c < C; c += 32 * width) {
        Floats<width> grad = load<width>(dout + c), value = load<width>(x + c), scale = load<width>(weight + c);
        for (int i = 0; i < width; i++) { dot += grad.v[i] * scale.v[i] * value.v[i]; }
    }
    float mean = warp_sum(dot) / C * rstd * rstd;
    for (int c = lane * width; c < C; c += 32 * width) {
        Floats<width> grad = load<width>(dout + c), value = load<width>(x + c), scale = load<width>(weight + c), sum = load<width>(dx + c);
        for (int i = 0; i < width; i++) { sum.v[i] += rstd * (grad.v[i] * scale.v[i] - value.v[i] * mean); }
        store<width>(dx + c, sum);
    }
}

template <int width>
__global__ void __launch_bounds__(RMSNORM_THREADS) rmsnorm_forward_kernel(floatX *out, float *rstd, const floatX *x, const floatX *weight, float eps, int N, int C) {
    int n = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (n >= N) { return; }
    float r = rmsnorm_row<width>(out + (size_t)n * C, x + (size_t)n * C, weight, eps, C, lane);
    if (lane == 0) { rstd[n] = r; }
}
// sum may be residual: each lane reads back only what it stored itself.
template <int width>
__global__ void __launch_bounds__(RMSNORM_THREADS) rmsnorm_residual_kernel(floatX *sum, floatX *out, float *rstd, const floatX *residual, const floatX *delta, const floatX *weight, float eps, int N, int C) {
    int n = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (n >= N) { return; }
    size_t row = (size_t)n * C;
    for (int c = lane * width; c < C; c += 32 * width) {
        Floats<width> value = load<width>(residual + row + c), more = load<width>(delta + row + c);
        for (int i = 0; i < width; i++) { value.v[i] += more.v[i]; }
        store<width>(sum + row + c, value);
    }
    float r = rmsnorm_row<width>(out + row, sum + row, weight, eps, C, lane);
    if (lane == 0) { rstd[n] = r; }
}
template <int width>
__global__ void __launch_bounds__(RMSNORM_THREADS) rmsnorm_backward_kernel(floatX *dx, const floatX *dout, const floatX *x, const floatX *weight, const float *rstd, int N, int C) {
    int n = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (n >= N) { return; }
    size_t row = (size_t)n * C;
    rmsnorm_row_backward<width>(dx + row, dout + row, x + row, weight, rstd[n], C, lane);
}
struct RmsnormWeightTerm {
    const floatX *dout, *x;
    const float *rstd;
    int C;
    __device__ float operator()(int n, int c) const { return to_float(dout[(size_t)n * C + c]) * to_float(x[(size_t)n * C + c]) * rstd[n]; }
};

LLMC_C void rmsnorm_forward(floatX *out, float *rstd, const floatX *x, const floatX *weight, float eps, int N, int C) {
    if (N == 0) { return; }
    int blocks = CEIL_DIV(N, RMSNORM_THREADS / 32);
    if (packs_fit(C, out, x, weight)) {
        RUN(rmsnorm_forward_kernel<PACK>, blocks, RMSNORM_THREADS, 0, out, rstd, x, weight, eps, N, C);
    } else {
        RUN(rmsnorm_forward_kernel<1>, blocks, RMSNORM_THREADS, 0, out, rstd, x, weight, eps, N, C);
    }
}
LLMC_C void rmsnorm_residual_forward(floatX *sum, floatX *out, float *rstd, const floatX *residual, const floatX *delta, const floatX *weight, float eps, int N, int C) {
    if (N == 0) { return; }
    int blocks = CEIL_DIV(N, RMSNORM_THREADS / 32);
    if (packs_fit(C, sum, out, residual, delta, weight)) {
        RUN(rmsnorm_residual_kernel<PACK>, blocks, RMSNORM_THREADS, 0, sum, out, rstd, residual, delta, weight, eps, N, C);
    } else {
        RUN(rmsnorm_residual_kernel<1>, blocks, RMSNORM_THREADS, 0, sum, out, rstd, residual, delta, weight, eps, N, C);
    }
}
LLMC_C void rmsnorm_backward(floatX *dx, float *dweight, const floatX *dout, const floatX *x, const floatX *weight, const float *rstd, int N, int C) {
    if (N == 0) { return; }
    int blocks = CEIL_DIV(N, RMSNORM_THREADS / 32);
    if (packs_fit(C, dx, dout, x, weight)) {
        RUN(rmsnorm_backward_kernel<PACK>, blocks, RMSNORM_THREADS, 0, dx, dout, x, weight, rstd, N, C);
    } else {
        RUN(rmsnorm_backward_kernel<1>, blocks, RMSNORM_THREADS, 0, dx, dout, x, weight, rstd, N, C);
    }
    column_sums(dweight, RmsnormWeightTerm{dout, x, rstd, C}, N, C);
}
