// CUDA body of ../rope.h: one thread per `width` neighbouring pairs of a head. Backward is the rotation with the sine negated.
#pragma once
#include "llmc/rope.h"
#include "llmc/cuda/vector.cuh"

template <int width>
__global__ void rope_kernel(floatX *qkv, const float *table, const int *positions, float direction, int N, int H, int KV, int D) {
    int half = D / 2, pieces = half / width, heads = H + KV;
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= (size_t)N * heads * pieces) { return; }
    int d = (int)(i % pieces) * width, h = (int)(i / pieces % heads), n = (int)(i / pieces / heads);
    floatX *x = qkv + ((size_t)n * (heads + KV) + h) * D + d;
    const float *angle = table + ((size_t)positions[n] * half + d) * 2;
    Floats<width> low = load<width>(x), high = load<width>(x + half), new_low, new_high;
    for (int k = 0; k < width; k++) {
        float cosine = angle[2 * k], sine = direction * angle[2 * k + 1];
        new_low.v[k] = low.v[k] * cosine - high.v[k] * sine;
        new_high.v[k] = high.v[k] * cosine + low.v[k] * sine;
    }
    store<width>(x, new_low);
    store<width>(x + half, new_high);
}
static void rope_rotate(floatX *qkv, const float *table, const int *positions, float direction, int N, int H, int KV, int D) {
    size_t pairs = (size_t)N * (H + KV) * (D / 2);
    if (pairs == 0) { return; }
    if (packs_fit(D / 2, qkv)) {
        RUN(rope_kernel<PACK>, CEIL_DIV(pairs / PACK, 256), 256, 0, qkv, table, positions, direction, N, H, KV, D);
    } else {
        RUN(rope_kernel<1>, CEIL_DIV(pairs, 256), 256, 0, qkv, table, positions, direction, N, H, KV, D);
    }
}
LLMC_C void rope_forward(floatX *qkv, const float *table, const int *positions, int N, int H, int KV, int D) {
    rope_rotate(qkv, table, positions, 1, N, H, KV, D);
}
LLMC_C void rope_backward(floatX *dqkv, const float *table, const int *positions, int N, int H, int KV, int D) {
    rope_rotate(dqkv, table, positions, -1, N, H, KV, D);
}
