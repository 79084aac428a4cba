// CPU body of ../rope.h: rows in parallel; a vector of angles turns all heads of its row.
#pragma once
#include "llmc/rope.h"
#include "llmc/cpu/vector.h"

static inline void rope_rotate(floatX *qkv, const float *table, const int *positions, float direction, int N, int H, int KV, int D) {
    int half = D / 2;
#pragma omp parallel for if (N > 16)
    for (int n = 0; n < N; n++) {
        const float *angles = table + (size_t)positions[n] * D;
        for (int i = 0; i < half; i += SIMD_WIDTH) {
            Vector cosine = {0}, sine = {0};
            for (int lane = 0; lane < SIMD_WIDTH && i + lane < half; lane++) {
                cosine[lane] = angles[2 * (i + lane)];
                sine[lane] = direction * angles[2 * (i + lane) + 1];
            }
            floatX *first = qkv + (size_t)n * (H + 2 * KV) * D + i, *second = first + half;
            for (int h = 0; h < H + KV; h++, first += D, second += D) {
                Vector a = vector_load_x_part(first, half - i), b = vector_load_x_part(second, half - i);
                vector_store_x_part(first, a * cosine - b * sine, half - i);
                vector_store_x_part(second, b * cosine + a * sine, half - i);
            }
        }
    }
}
void rope_forward(floatX *qkv, const float *table, const int *positions, int N, int H, int KV, int D) {
    rope_rotate(qkv, table, positions, 1.0f, N, H, KV, D);
}
void rope_backward(floatX *dqkv, const float *table, const int *positions, int N, int H, int KV, int D) {
    rope_rotate(dqkv, table, positions, -1.0f, N, H, KV, D);
}
