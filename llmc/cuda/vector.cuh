// vector: `width` neighbouring values at a time, 16 bytes to an access, computed with in fp32; sums over a warp and over a block in a fixed order.
#pragma once
#include <type_traits>
#include "llmc/cuda/device.cuh"
#include "llmc/dtype.h"

enum { PACK = 16 / sizeof(floatX), // values of floatX in 16 bytes
       GRID_ROWS = 65535 };        // blocks.y of a grid at most
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
__device__ inline void vector_unpack(float *to, uint32_t pair) { // two bf16 values: widening is a shift
    to[0] = __uint_as_float(pair << 16), to[1] = __uint_as_float(pair & 0xFFFF0000u);
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
    } else if constexpr (sizeof(T) == 4) {
        for (int i = 0; i < width; i += 4) {
            float4 part = *(const float4 *)(const void *)(from + i);
            r.v[i] = part.x, r.v[i + 1] = part.y, r.v[i + 2] = part.z, r.v[i + 3] = part.w;
        }
    } else {
        for (int i = 0; i < width; i += 8) {
            uint4 part = *(const uint4 *)(const void *)(from + i);
            vector_unpack(r.v + i, part.x), vector_unpack(r.v + i + 2, part.y), vector_unpack(r.v + i + 4, part.z), vector_unpack(r.v + i + 6, part.w);
        }
    }
    return r;
}
// The same in two steps, for values that wait in registers: as they are stored, then widened.
template <int width>
struct Bits {
    uint4 part[width * sizeof(floatX) / 16];
};
template <>
struct Bits<1> {
    floatX x;
};
template <int width>
__device__ inline Bits<width> load_bits(const floatX *from) {
    Bits<width> bits;
    if constexpr (width == 1) {
        bits.x = from[0];
    } else {
        for (int i = 0; i * PACK < width; i++) { bits.part[i] = *(const uint4 *)(const void *)(from + i * PACK); }
    }
    return bits;
}
__device__ inline void vector_widen(float *to, uint4 part) { // 16 bytes of floatX
    if constexpr (sizeof(floatX) == 4) {
        to[0] = __uint_as_float(part.x), to[1] = __uint_as_float(part.y), to[2] = __uint_as_float(part.z), to[3] = __uint_as_float(part.w);
    } else {
        vector_unpack(to, part.x), vector_unpack(to + 2, part.y), vector_unpack(to + 4, part.z), vector_unpack(to + 6, part.w);
    }
}
template <int width>
__device__ inline Floats<width> unpack(Bits<width> bits) {
    Floats<width> r;
    if constexpr (width == 1) {
        r.v[0] = to_float(bits.x);
    } else {
        for (int i = 0; i * PACK < width; i++) { vector_widen(r.v + i * PACK, bits.part[i]); }
    }
    return r;
}
// Returns what was stored: x after its rounding to T.
template <int width, typename T>
__device__ inline Floats<width> store(T *to, Floats<width> x) {
    if constexpr (width == 1) {
        to[0] = value_from_float<T>(x.v[0]);
        x.v[0] = value_float(to[0]);
    } else if constexpr (sizeof(T) == 4) {
        for (int i = 0; i < width; i += 4) { *(float4 *)(void *)(to + i) = make_float4(x.v[i], x.v[i + 1], x.v[i + 2], x.v[i + 3]); }
    } else {
        for (int i = 0; i < width; i += 8) {
            uint4 part = make_uint4(pack_bf16(x.v[i], x.v[i + 1]), pack_bf16(x.v[i + 2], x.v[i + 3]), pack_bf16(x.v[i + 4], x.v[i + 5]), pack_bf16(x.v[i + 6], x.v[i + 7]));
            *(uint4 *)(void *)(to + i) = part;
            vector_unpack(x.v + i, part.x), vector_unpack(x.v + i + 2, part.y), vector_unpack(x.v + i + 4, part.z), vector_unpack(x.v + i + 6, part.w);
        }
    }
    return x;
}

enum : unsigned { ALL_LANES = 0xFFFFFFFFu };
template <typename T>
__device__ inline T warp_sum(T v) { // the same bits in every lane
    for (int lane = 16; lane > 0; lane /= 2) { v += __shfl_xor_sync(ALL_LANES, v, lane); }
    return v;
}
template <typename T>
__device__ inline T warp_scan(T v) { // the sum of this lane and all before it
    for (int step = 1; step < 32; step *= 2) {
        T other = __shfl_up_sync(ALL_LANES, v, step);
        if ((int)threadIdx.x % 32 >= step) { v += other; }
    }
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

// out[c] += sum over n of term(n, c), in a fixed order: a lane owns `width` columns; the 8 warps of a block take every 8th row of the block's
// share of the rows; the shares are then added by the 8 warps of another block, every 8th share each.
// Term: a struct of pointers with template <int width> Floats<width> at(n, c) const.
enum { COLUMN_WARPS = 8,
       COLUMN_SHARES = 64 };
template <int width, typename Term>
__global__ void __launch_bounds__(32 * COLUMN_WARPS) column_partial_kernel(float *partial, Term term, int N, int C) {
    __shared__ float sums[COLUMN_WARPS][width][32];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, c = (blockIdx.x * 32 + lane) * width, share = CEIL_DIV(N, (int)gridDim.y);
    int begin = blockIdx.y * share, end = min(begin + share, N);
    Floats<width> sum = {};
    for (int n = begin + warp; n < end && c < C; n += COLUMN_WARPS) {
        Floats<width> more = term.template at<width>(n, c);
        for (int i = 0; i < width; i++) { sum.v[i] += more.v[i]; }
    }
    for (int i = 0; i < width; i++) { sums[warp][i][lane] = sum.v[i]; }
    __syncthreads();
    if (warp > 0 || c >= C) { return; }
    for (int w = 1; w < COLUMN_WARPS; w++) {
        for (int i = 0; i < width; i++) { sum.v[i] += sums[w][i][lane]; }
    }
    for (int i = 0; i < width; i++) { partial[(size_t)blockIdx.y * C + c + i] = sum.v[i]; }
}
__global__ void __launch_bounds__(32 * COLUMN_WARPS) column_join_kernel(float *out, const float *partial, int shares, int C) {
    __shared__ float sums[COLUMN_WARPS][32];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, c = blockIdx.x * 32 + lane;
    float sum = 0;
    for (int i = warp; i < shares && c < C; i += COLUMN_WARPS) { sum += partial[(size_t)i * C + c]; }
    sums[warp][lane] = sum;
    __syncthreads();
    if (warp > 0 || c >= C) { return; }
    for (int w = 1; w < COLUMN_WARPS; w++) { sum += sums[w][lane]; }
    out[c] += sum;
}
template <typename Term>
static void column_sums(float *out, Term term, int N, int C, bool packs) {
    if (N == 0) { return; }
    int shares = min((int)COLUMN_SHARES, CEIL_DIV(N, 4 * COLUMN_WARPS));
    float *partial = (float *)device_scratch(); // 64 shares of up to 131072 columns
    if (packs) {
        RUN((column_partial_kernel<PACK, Term>), dim3(CEIL_DIV(C, 32 * PACK), shares), 32 * COLUMN_WARPS, 0, partial, term, N, C);
    } else {
        RUN((column_partial_kernel<1, Term>), dim3(CEIL_DIV(C, 32), shares), 32 * COLUMN_WARPS, 0, partial, term, N, C);
    }
    RUN(column_join_kernel, CEIL_DIV(C, 32), 32 * COLUMN_WARPS, 0, out, partial, shares, C);
}
