// CPU body of ../rope.h: rows in parallel; the angles of a row turn all its heads.
#pragma once
#include <assert.h>
#include "llmc/rope.h"
#include "llmc/cpu/vector.h"

enum { ROPE_HALF_MAX = 128 };

static inline void rope_rotate_head(floatX *first, floatX *second, const float *cosine, const float *sine, int half) {
    int i = 0;
    for (; i + SIMD_WIDTH <= half; i += SIMD_WIDTH) {
        Vector a = vector_load_x(first + i), b = vector_load_x(second + i), c = vector_load(cosine + i), s = vector_load(sine + i);
        vector_store_x(first + i, a * c - b * s);
        vector_store_x(second + i, b * c + a * s);
    }
#pragma omp simd simdlen(8)
    for (int k = i; k < half; k++) { // half a vector in heads of 16
        float a = to_float(first[k]), b = to_float(second[k]);
        first[k] = to_floatX(a * cosine[k] - b * sine[k]);
        second[k] = to_floatX(b * cosine[k] + a * sine[k]);
    }
}
static inline void rope_rotate(floatX *qkv, const float *table, const int *positions, float direction, int N, int H, int KV, int D) {
    int half = D / 2;
    assert(half <= ROPE_HALF_MAX);
#pragma omp parallel for if ((long)N * (H + KV) * D > PARALLEL_ELEMENTS)
    for (int n = 0; n < N; n++) {
        const float *angles = table + (size_t)positions[n] * D;
        float cosine[ROPE_HALF_MAX], sine[ROPE_HALF_MAX];
        for (int i = 0; i < half; i++) {
            cosine[i] = angles[2 * i];
            sine[i] = direction * angles[2 * i + 1];
        }
        floatX *head = qkv + (size_t)n * (H + 2 * KV) * D;
        for (int h = 0; h < H + KV; h++, head += D) { rope_rotate_head(head, head + half, cosine, sine, half); }
    }
}
void rope_forward(floatX *qkv, const float *table, const int *positions, int N, int H, int KV, int D) {
    rope_rotate(qkv, table, positions, 1.0f, N, H, KV, D);
}
void rope_backward(floatX *dqkv, const float *table, const int *positions, int N, int H, int KV, int D) {
    rope_rotate(dqkv, table, positions, -1.0f, N, H, KV, D);
}
