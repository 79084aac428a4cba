// CUDA body of ../rope.h, and with a cache of rope_cache_forward in ../attention_decode.h: one thread per `width` neighbouring pairs of a
// head, which reads and writes 16 bytes at a time. Backward is the rotation with the sine negated.
#pragma once
#include "llmc/attention_decode.h"
#include "llmc/rope.h"
#include "llmc/cuda/vector.cuh"

// Where keys and values go, as rows of D in the halves of a head's part of a page. Without a cache nothing is written and value heads are not read.
struct RopeCache {
    floatX *cache;
    const int *slots;
};
template <int width, bool cached>
__global__ void __launch_bounds__(256) rope_kernel(floatX *qkv, const float *table, const int *positions, float direction, RopeCache to, int N, int H, int KV, int D) {
    int half = D / 2, pieces = half / width, heads = H + KV + (cached ? KV : 0);
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= (size_t)N * heads * pieces) { return; }
    int d = (int)(i % pieces) * width, h = (int)(i / pieces % heads), n = (int)(i / pieces / heads);
    floatX *x = qkv + ((size_t)n * (H + 2 * KV) + h) * D + d;
    Floats<width> low = load<width>(x), high = load<width>(x + half);
    if (h < H + KV) {
        const float *angles = table + ((size_t)positions[n] * half + d) * 2;
        Floats<2 * width> angle;
        if constexpr (width == 1) {
            angle.v[0] = angles[0], angle.v[1] = angles[1];
        } else {
            angle = load<2 * width>(angles);
        }
#pragma unroll
        for (int k = 0; k < width; k++) {
            float cosine = angle.v[2 * k], sine = direction * angle.v[2 * k + 1], a = low.v[k], b = high.v[k];
            low.v[k] = a * cosine - b * sine;
            high.v[k] = b * cosine + a * sine;
        }
        store<width>(x, low);
        store<width>(x + half, high);
    }
    if (cached && h >= H && to.slots[n] >= 0) {
        int slot = to.slots[n], value = h >= H + KV, kv = h - H - value * KV;
        floatX *row = to.cache + (((size_t)(slot / KV_PAGE) * KV + kv) * 2 + value) * KV_PAGE * D + (size_t)(slot % KV_PAGE) * D + d;
        store<width>(row, low);
        store<width>(row + half, high);
    }
}
template <bool cached>
static void rope_rotate(floatX *qkv, const float *table, const int *positions, float direction, RopeCache to, int N, int H, int KV, int D) {
    size_t pairs = (size_t)N * (H + KV + (cached ? KV : 0)) * (D / 2);
    if (pairs == 0) { return; }
    if (packs_fit(D / 2, qkv, table, to.cache)) {
        RUN((rope_kernel<PACK, cached>), CEIL_DIV(pairs / PACK, 256), 256, 0, qkv, table, positions, direction, to, N, H, KV, D);
    } else {
        RUN((rope_kernel<1, cached>), CEIL_DIV(pairs, 256), 256, 0, qkv, table, positions, direction, to, N, H, KV, D);
    }
}
LLMC_C void rope_forward(floatX *qkv, const float *table, const int *positions, int N, int H, int KV, int D) {
    rope_rotate<false>(qkv, table, positions, 1, {}, N, H, KV, D);
}
LLMC_C void rope_backward(floatX *dqkv, const float *table, const int *positions, int N, int H, int KV, int D) {
    rope_rotate<false>(dqkv, table, positions, -1, {}, N, H, KV, D);
}
