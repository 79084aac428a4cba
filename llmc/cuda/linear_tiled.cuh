// linear_tiled: a matrix product for any shape, of our own: what the emulator runs, and what cuBLASLt is measured against.
//   out[m,n] = (accumulate ? out[m,n] : bias[n] or 0) + sum_k a(m,k) b(n,k)
//   a(m,k) = a[m*K + k], or a[k*M + m] when a_transposed; b(n,k) likewise with N.
// A block owns a 64x64 tile of out and takes both factors through shared memory in slices of 16; a thread owns 4x4 outputs, 16 apart.
// Every output is one chain of fused multiply-adds over k = 0, 1, 2, ...: its bits depend on no other row.
#pragma once
#include "llmc/cuda/vector.cuh"

struct Product {
    void *out;
    const floatX *a, *b, *bias;
    int M, N, K;
    bool out_is_float, accumulate, a_transposed, b_transposed;
};
enum { TILED_EDGE = 64,
       TILED_SLICE = 16,
       TILED_SIDE = 16 }; // 16x16 threads
typedef float TiledFactor[TILED_SLICE][TILED_EDGE + 4];
__device__ static inline void tiled_load(TiledFactor tile, const floatX *from, bool transposed, int line0, int lines, int k0, int K) {
    int thread = threadIdx.y * TILED_SIDE + threadIdx.x;
    for (int i = thread; i < TILED_EDGE * TILED_SLICE; i += TILED_SIDE * TILED_SIDE) { // neighbours in memory go to neighbouring threads
        int line = transposed ? i % TILED_EDGE : i / TILED_SLICE, k = transposed ? i / TILED_EDGE : i % TILED_SLICE;
        size_t at = transposed ? (size_t)(k0 + k) * lines + line0 + line : (size_t)(line0 + line) * K + k0 + k;
        tile[k][line] = line0 + line < lines && k0 + k < K ? to_float(from[at]) : 0.0f;
    }
}
template <typename T>
__global__ void __launch_bounds__(TILED_SIDE *TILED_SIDE) linear_tiled_kernel(T *out, Product p) {
    __shared__ TiledFactor a_tile, b_tile;
    int row0 = blockIdx.y * TILED_EDGE, column0 = blockIdx.x * TILED_EDGE;
    float sum[4][4] = {};
    for (int k0 = 0; k0 < p.K; k0 += TILED_SLICE) {
        __syncthreads(); // everyone is done with the last slice
        tiled_load(a_tile, p.a, p.a_transposed, row0, p.M, k0, p.K);
        tiled_load(b_tile, p.b, p.b_transposed, column0, p.N, k0, p.K);
        __syncthreads();
        for (int k = 0; k < TILED_SLICE; k++) {
            float a[4], b[4];
            for (int i = 0; i < 4; i++) { a[i] = a_tile[k][threadIdx.y + TILED_SIDE * i], b[i] = b_tile[k][threadIdx.x + TILED_SIDE * i]; }
            for (int i = 0; i < 4; i++) {
                for (int j = 0; j < 4; j++) { sum[i][j] = fmaf(a[i], b[j], sum[i][j]); }
            }
        }
    }
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 4; j++) {
            int row = row0 + threadIdx.y + TILED_SIDE * i, column = column0 + threadIdx.x + TILED_SIDE * j;
            if (row >= p.M || column >= p.N) { continue; }
            T *to = out + (size_t)row * p.N + column;
            float before = p.accumulate ? value_float(*to) : p.bias ? to_float(p.bias[column])
                                                                    : 0.0f;
            *to = value_from_float<T>(sum[i][j] + before);
        }
    }
}
static void linear_tiled(Product p) {
    dim3 grid(CEIL_DIV(p.N, TILED_EDGE), CEIL_DIV(p.M, TILED_EDGE)), block(TILED_SIDE, TILED_SIDE);
    if (p.out_is_float) {
        RUN(linear_tiled_kernel<float>, grid, block, 0, (float *)p.out, p);
    } else {
        RUN(linear_tiled_kernel<floatX>, grid, block, 0, (floatX *)p.out, p);
    }
}
