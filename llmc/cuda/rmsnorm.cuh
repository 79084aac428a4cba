// CUDA body of ../rmsnorm.h: one warp per row, lanes stride over C in packs of `width`. Rows of up to 2048 channels stay in registers between
// their two uses, so that memory is read once: `held` packs to a lane, beyond C nothing. Longer rows (held 0) are read again, from the cache.
#pragma once
#include "llmc/rmsnorm.h"
#include "llmc/cuda/vector.cuh"

enum { RMSNORM_THREADS = 256,    // at most
       RMSNORM_LONGEST = 2048 }; // channels of a row in registers: 64 values to a lane
// One row of x, or of the sum of x and delta, by one warp; returns rstd. Rounds only what it stores, so every width and every caller gives a row
// the same mathematics; the norm is that of the sum as it was stored. sum may be x: each lane reads back only what it stored itself.
template <int width, int held, bool residual>
__device__ inline float rmsnorm_row(floatX *out, floatX *sum, const floatX *x, const floatX *delta, const floatX *weight, float eps, int C, int lane) {
    const int steps = held > 0 ? held : CEIL_DIV(C, 32 * width);
    Floats<width> row[held > 0 ? held : 1];
    float square = 0;
#pragma unroll(held > 0 ? held : 1)
    for (int i = 0; i < steps; i++) {
        int c = (i * 32 + lane) * width;
        if (c >= C) { continue; }
        Floats<width> value = load<width>(x + c);
        if constexpr (residual) {
            Floats<width> more = load<width>(delta + c);
            for (int k = 0; k < width; k++) { value.v[k] += more.v[k]; }
            value = store<width>(sum + c, value);
        }
        for (int k = 0; k < width; k++) { square += value.v[k] * value.v[k]; }
        row[held > 0 ? i : 0] = value;
    }
    float rstd = 1.0f / sqrtf(warp_sum(square) / C + eps);
#pragma unroll(held > 0 ? held : 1)
    for (int i = 0; i < steps; i++) {
        int c = (i * 32 + lane) * width;
        if (c >= C) { continue; }
        Floats<width> value = held > 0 ? row[held > 0 ? i : 0] : load<width>((residual ? sum : x) + c), scale = load<width>(weight + c);
        for (int k = 0; k < width; k++) { value.v[k] *= rstd * scale.v[k]; }
        store<width>(out + c, value);
    }
    return rstd;
}
// Few rows are spread over many small blocks: while decoding, a row to a multiprocessor is sooner done than eight.
static int rmsnorm_threads(int N) { return N < 4096 ? 64 : (int)RMSNORM_THREADS; }
// Calls launch(held) with the packs of `width` that a lane must hold for C channels, or 0.
template <int width, typename Launch>
static void rmsnorm_held(int C, Launch launch) {
    if (C <= RMSNORM_LONGEST / 4) { return launch(std::integral_constant<int, 16 / width>()); }
    if (C <= RMSNORM_LONGEST / 2) { return launch(std::integral_constant<int, 32 / width>()); }
    if (C <= RMSNORM_LONGEST / 4 * 3) { return launch(std::integral_constant<int, 48 / width>()); }
    if (C <= RMSNORM_LONGEST) { return launch(std::integral_constant<int, 64 / width>()); }
    launch(std::integral_constant<int, 0>());
}
template <int width, int held, bool residual>
__global__ void __launch_bounds__(RMSNORM_THREADS) rmsnorm_forward_kernel(floatX *sum, floatX *out, float *rstd, const floatX *x, const floatX *delta, const floatX *weight, float eps, int N, int C) {
    int n = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (n >= N) { return; }
    size_t row = (size_t)n * C;
    float r = rmsnorm_row<width, held, residual>(out + row, residual ? sum + row : NULL, x + row, residual ? delta + row : NULL, weight, eps, C, lane);
    if (lane == 0) { rstd[n] = r; }
}
template <int width, bool residual>
static void rmsnorm_forward_launch(floatX *sum, floatX *out, float *rstd, const floatX *x, const floatX *delta, const floatX *weight, float eps, int N, int C) {
    const int threads = rmsnorm_threads(N);
    rmsnorm_held<width>(C, [=](auto held) {
        RUN((rmsnorm_forward_kernel<width, decltype(held)::value, residual>), CEIL_DIV(N, threads / 32), threads, 0, sum, out, rstd, x, delta, weight, eps, N, C);
    });
}
LLMC_C void rmsnorm_forward(floatX *out, float *rstd, const floatX *x, const floatX *weight, float eps, int N, int C) {
    if (N == 0) { return; }
    if (packs_fit(C, out, x, weight)) {
        rmsnorm_forward_launch<PACK, false>(NULL, out, rstd, x, NULL, weight, eps, N, C);
    } else {
        rmsnorm_forward_launch<1, false>(NULL, out, rstd, x, NULL, weight, eps, N, C);
    }
}
LLMC_C void rmsnorm_residual_forward(floatX *sum, floatX *out, float *rstd, const floatX *residual, const floatX *delta, const floatX *weight, float eps, int N, int C) {
    if (N == 0) { return; }
    if (packs_fit(C, sum, out, residual, delta, weight)) {
        rmsnorm_forward_launch<PACK, true>(sum, out, rstd, residual, delta, weight, eps, N, C);
    } else {
        rmsnorm_forward_launch<1, true>(sum, out, rstd, residual, delta, weight, eps, N, C);
    }
}

template <int width>
__device__ inline Floats<width> rmsnorm_weight_term(Floats<width> grad, Floats<width> value, float rstd) { // what a row adds to dweight
    for (int k = 0; k < width; k++) { grad.v[k] = grad.v[k] * value.v[k] * rstd; }
    return grad;
}
// One row by one warp, any C; adds to dx, or writes it.
template <int width, bool add>
__device__ inline void rmsnorm_row_backward(floatX *dx, const floatX *dout, const floatX *x, const floatX *weight, float rstd, int C, int lane) {
    float dot = 0;
    for (int c = lane * width; c < C; c += 32 * width) {
        Floats<width> grad = load<width>(dout + c), value = load<width>(x + c), scale = load<width>(weight + c);
        for (int k = 0; k < width; k++) { dot += grad.v[k] * scale.v[k] * value.v[k]; }
    }
    float mean = warp_sum(dot) / C * rstd * rstd;
    for (int c = lane * width; c < C; c += 32 * width) {
        Floats<width> grad = load<width>(dout + c), value = load<width>(x + c), scale = load<width>(weight + c), sum = {};
        if constexpr (add) { sum = load<width>(dx + c); }
        for (int k = 0; k < width; k++) { sum.v[k] += rstd * (grad.v[k] * scale.v[k] - value.v[k] * mean); }
        store<width>(dx + c, sum);
    }
}
template <int width>
__global__ void __launch_bounds__(RMSNORM_THREADS) rmsnorm_backward_long_kernel(floatX *dx, const floatX *dout, const floatX *x, const floatX *weight, const float *rstd, int N, int C) {
    int n = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (n >= N) { return; }
    size_t row = (size_t)n * C;
    rmsnorm_row_backward<width, true>(dx + row, dout + row, x + row, weight, rstd[n], C, lane);
}
struct RmsnormWeightTerm {
    const floatX *dout, *x;
    const float *rstd;
    int C;
    template <int width>
    __device__ Floats<width> at(int n, int c) const { return rmsnorm_weight_term(load<width>(dout + (size_t)n * C + c), load<width>(x + (size_t)n * C + c), rstd[n]); }
};
// x and dout are read once for both gradients: the warps of all blocks stride over the rows; a lane keeps its columns of the row, and of dweight,
// in registers; the warps of a block add theirs in rising order, and the block leaves a row of `partial`.
template <int width, int held>
__global__ void __launch_bounds__(RMSNORM_THREADS, sizeof(floatX) == 2 && width > 1 && width * held <= 48 ? 2 : 1) rmsnorm_backward_kernel(floatX *dx, float *partial, const floatX *dout, const floatX *x, const floatX *weight, const float *rstd, int N, int C) {
    __shared__ float sums[RMSNORM_LONGEST];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    Floats<width> dweight[held] = {};
    for (int n = blockIdx.x * warps + warp; n < N; n += gridDim.x * warps) {
        size_t row = (size_t)n * C;
        Bits<width> grad_bits[held], value_bits[held]; // as stored: half the registers of their floats
        float r = rstd[n], dot = 0;
#pragma unroll
        for (int i = 0; i < held; i++) {
            int c = (i * 32 + lane) * width;
            if (c >= C) { continue; }
            grad_bits[i] = load_bits<width>(dout + row + c), value_bits[i] = load_bits<width>(x + row + c);
            Floats<width> grad = unpack(grad_bits[i]), value = unpack(value_bits[i]), scale = load<width>(weight + c), term = rmsnorm_weight_term(grad, value, r);
            for (int k = 0; k < width; k++) { dot += grad.v[k] * scale.v[k] * value.v[k], dweight[i].v[k] += term.v[k]; }
        }
        float mean = warp_sum(dot) / C * r * r;
#pragma unroll
        for (int i = 0; i < held; i++) {
            int c = (i * 32 + lane) * width;
            if (c >= C) { continue; }
            Floats<width> grad = unpack(grad_bits[i]), value = unpack(value_bits[i]), scale = load<width>(weight + c), sum = load<width>(dx + row + c);
            for (int k = 0; k < width; k++) { sum.v[k] += r * (grad.v[k] * scale.v[k] - value.v[k] * mean); }
            store<width>(dx + row + c, sum);
        }
    }
    for (int w = 0; w < warps; w++) {
#pragma unroll
        for (int i = 0; i < held; i++) {
            int c = (i * 32 + lane) * width;
            for (int k = 0; k < width && w == warp && c < C; k++) { sums[c + k] = w == 0 ? dweight[i].v[k] : sums[c + k] + dweight[i].v[k]; }
        }
        __syncthreads();
    }
    for (int c = threadIdx.x; c < C; c += blockDim.x) { partial[(size_t)blockIdx.x * C + c] = sums[c]; }
}
template <int width>
static void rmsnorm_backward_launch(floatX *dx, float *dweight, const floatX *dout, const floatX *x, const floatX *weight, const float *rstd, int N, int C) {
    rmsnorm_held<width>(C, [=](auto held) {
        if constexpr (decltype(held)::value > 0) {
            int blocks = min(CEIL_DIV(N, RMSNORM_THREADS / 32), 2 * device_properties()->multiProcessorCount);
            float *partial = (float *)device_scratch(); // up to 4096 rows of RMSNORM_LONGEST
            RUN((rmsnorm_backward_kernel<width, decltype(held)::value>), blocks, RMSNORM_THREADS, 0, dx, partial, dout, x, weight, rstd, N, C);
            RUN(column_join_kernel, CEIL_DIV(C, 32), 32 * COLUMN_WARPS, 0, dweight, partial, blocks, C);
        } else {
            RUN(rmsnorm_backward_long_kernel<width>, CEIL_DIV(N, RMSNORM_THREADS / 32), RMSNORM_THREADS, 0, dx, dout, x, weight, rstd, N, C);
            column_sums(dweight, RmsnormWeightTerm{dout, x, rstd, C}, N, C, width > 1);
        }
    });
}
LLMC_C void rmsnorm_backward(floatX *dx, float *dweight, const floatX *dout, const floatX *x, const floatX *weight, const float *rstd, int N, int C) {
    if (N == 0) { return; }
    if (packs_fit(C, dx, dout, x, weight)) {
        rmsnorm_backward_launch<PACK>(dx, dweight, dout, x, weight, rstd, N, C);
    } else {
        rmsnorm_backward_launch<1>(dx, dweight, dout, x, weight, rstd, N, C);
    }
}
