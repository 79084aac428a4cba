// CPU body of ../qk_norm.h: rows in parallel; weight gradients by columns, each column's sum in rising row and head order.
#pragma once
#include <string.h>
#include "llmc/qk_norm.h"
#include "llmc/cpu/rmsnorm.h"

void qk_norm_forward(floatX *out, float *rstd, const floatX *qkv, const floatX *q_weight, const floatX *k_weight,
                     float eps, int N, int H, int KV, int D) {
    size_t width = (size_t)(H + 2 * KV) * D, normed = (size_t)(H + KV) * D;
#pragma omp parallel for if (N * width > PARALLEL_ELEMENTS)
    for (int n = 0; n < N; n++) {
        for (int h = 0; h < H + KV; h++) {
            size_t at = n * width + (size_t)h * D;
            rstd[(size_t)n * (H + KV) + h] = rmsnorm_row(out + at, qkv + at, h < H ? q_weight : k_weight, eps, D);
        }
        memcpy(out + n * width + normed, qkv + n * width + normed, (width - normed) * sizeof(floatX));
    }
}
// One column vector of dweight for heads first .. last-1.
static inline void qk_norm_weight_backward(float *dweight, const floatX *dout, const floatX *qkv, const float *rstd,
                                           int first, int last, int d, int N, int H, int KV, int D) {
    Vector sum = {0};
    for (int n = 0; n < N; n++) {
        for (int h = first; h < last; h++) {
            size_t at = ((size_t)n * (H + 2 * KV) + h) * D + d;
            sum += vector_load_x_part(dout + at, D - d) * vector_load_x_part(qkv + at, D - d) * rstd[(size_t)n * (H + KV) + h];
        }
    }
    for (int i = 0; i < SIMD_WIDTH && d + i < D; i++) { dweight[d + i] += sum[i]; }
}
void qk_norm_backward(floatX *dqkv, float *dq_weight, float *dk_weight, const floatX *dout, const floatX *qkv,
                      const floatX *q_weight, const floatX *k_weight, const float *rstd, int N, int H, int KV, int D) {
#pragma omp parallel if ((long)N * (H + 2 * KV) * D > PARALLEL_ELEMENTS)
    {
#pragma omp for nowait
        for (int n = 0; n < N; n++) {
            size_t at = (size_t)n * (H + 2 * KV) * D;
            memset(dqkv + at, 0, (size_t)(H + KV) * D * sizeof(floatX)); // the rows below add to it
            for (int h = 0; h < H + KV; h++, at += D) {
                rmsnorm_row_backward(dqkv + at, dout + at, qkv + at, h < H ? q_weight : k_weight, rstd[(size_t)n * (H + KV) + h], D);
            }
            memcpy(dqkv + at, dout + at, (size_t)KV * D * sizeof(floatX));
        }
#pragma omp for nowait
        for (int d = 0; d < D; d += SIMD_WIDTH) {
            qk_norm_weight_backward(dq_weight, dout, qkv, rstd, 0, H, d, N, H, KV, D);
            qk_norm_weight_backward(dk_weight, dout, qkv, rstd, H, H + KV, d, N, H, KV, D);
        }
    }
}
