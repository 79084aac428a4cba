// vector: `width` neighbouring values at a time, 16 bytes to an access, computed with in fp32; sums over a warp and over a block in a fixed order.
#pragma once
#include <type_traits>
#include "llmc/cuda/device.cuh"
#include "llmc/dtype.h"

enum { PACK = 16 / sizeof(floatX) }; // values of floatX in 16 bytes
template <int width>
struct Floats {
    float v[width];
};
template <typename T>
__device__ inline float value_float(T x) {
    if constexpr (std::is_same<T, float>::value) {
        return x;
    } else {
        return to_float(x);
    }
}
template <typename T>
__device__ inline T value_from_float(float x) {
    if constexpr (std::is_same<T, float>::value) {
        return x;
    } else {
        return to_floatX(x);
    }
}
// Packs may be used when rows of C values all begin on 16 bytes; otherwise kernels go value by value (width 1).
template <typename... Pointers>
static bool packs_fit(size_t C, Pointers... pointers) {
    return C % PACK == 0 && (0 | ... | (uintptr_t)pointers) % 16 == 0;
}
template <int width, typename T>
__device__ inline Floats<width> load(const T *from) {
    Floats<width> r;
    if constexpr (width == 1) {
        r.v[0] = value_float(from[0]);
    } else {
        enum { PART = 16 / sizeof(T) };
        for (int i = 0; i < width; i += PART) {
            uint4 bits = *(const uint4 *)(const void *)(from + i);
            T part[PART];
            memcpy(part, &bits, 16);
            for (int j = 0; j < PART; j++) { r.v[i + j] = value_float(part[j]); }
        }
    }
    return r;
}
template <int width, typename T>
__device__ inline void store(T *to, Floats<width> x) {
    if constexpr (width == 1) {
        to[0] = value_from_float<T>(x.v[0]);
    } else {
        enum { PART = 16 / sizeof(T) };
        for (int i = 0; i < width; i += PART) {
            T part[PART];
            for (int j = 0; j < PART; j++) { part[j] = value_from_float<T>(x.v[i + j]); }
            uint4 bits;
            memcpy(&bits, part, 16);
            *(uint4 *)(void *)(to + i) = bits;
        }
    }
}

enum : unsigned { ALL_LANES = 0xFFFFFFFFu };
template <typename T>
__device__ inline T warp_sum(T v) { // the same bits in every lane
    for (int lane = 16; lane > 0; lane /= 2) { v += __shfl_xor_sync(ALL_LANES, v, lane); }
    return v;
}
__device__ inline float warp_max(float v) {
    for (int lane = 16; lane > 0; lane /= 2) { v = fmaxf(v, __shfl_xor_sync(ALL_LANES, v, lane)); }
    return v;
}
// The sum over all threads of a block of whole warps, in every thread.
template <typename T>
__device__ static inline T block_sum(T v) {
    __shared__ T partial[32];
    v = warp_sum(v);
    __syncthreads(); // the last use may still be read
    if (threadIdx.x % 32 == 0) { partial[threadIdx.x / 32] = v; }
    __syncthreads();
    T sum = 0;
    for (int i = 0; i < (int)blockDim.x / 32; i++) { sum += partial[i]; }
    return sum;
}

// out[c] += sum over n of term(n, c), in a fixed order: 32 columns to a block; its 8 warps take every 8th row of the block's share of the rows;
// then the shares are added in rising order. Term: a struct of pointers with float operator()(n, c) const.
enum { COLUMN_WARPS = 8,
       COLUMN_SHARES = 64 };
template <typename Term>
__global__ void __launch_bounds__(32 * COLUMN_WARPS) column_partial_kernel(float *partial, Term term, int N, int C) {
    __shared__ float sums[COLUMN_WARPS][32];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, c = blockIdx.x * 32 + lane, share = CEIL_DIV(N, (int)gridDim.y);
    int begin = blockIdx.y * share, end = min(begin + share, N);
    float sum = 0;
    for (int n = begin + warp; n < end && c < C; n += COLUMN_WARPS) { sum += term(n, c); }
    sums[warp][lane] = sum;
    __syncthreads();
    if (warp > 0 || c >= C) { return; }
    for (int w = 1; w < COLUMN_WARPS; w++) { sum += sums[w][lane]; }
    partial[(size_t)blockIdx.y * C + c] = sum;
}
__global__ void column_join_kernel(float *out, const float *partial, int shares, int C) {
    int c = blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= C) { return; }
    float sum = 0;
    for (int i = 0; i < shares; i++) { sum += partial[(size_t)i * C + c]; }
    out[c] += sum;
}
template <typename Term>
static void column_sums(float *out, Term term, int N, int C) {
    if (N == 0) { return; }
    int shares = min((int)COLUMN_SHARES, CEIL_DIV(N, 4 * COLUMN_WARPS));
    float *partial = (float *)device_scratch(); // 64 shares of up to 131072 columns
    RUN((column_partial_kernel<Term>), dim3(CEIL_DIV(C, 32), shares), 32 * COLUMN_WARPS, 0, partial, term, N, C);
    RUN(column_join_kernel, CEIL_DIV(C, 256), 256, 0, out, partial, shares, C);
}
