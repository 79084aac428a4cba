// CPU body of ../rmsnorm.h: rows in parallel; dweight by columns, each column's sum in rising row order.
#pragma once
#include "llmc/rmsnorm.h"
#include "llmc/cpu/vector.h"

// One row, shared with qk_norm. Returns rstd.
static inline float rmsnorm_row(floatX *out, const floatX *x, const floatX *weight, float eps, int C) {
    Vector square = {0};
    for (int c = 0; c < C; c += SIMD_WIDTH) {
        Vector value = vector_load_x_part(x + c, C - c);
        square += value * value;
    }
    float rstd = 1.0f / sqrtf(vector_sum(square) / (float)C + eps);
    for (int c = 0; c < C; c += SIMD_WIDTH) {
        Vector value = vector_load_x_part(x + c, C - c) * rstd * vector_load_x_part(weight + c, C - c);
        vector_store_x_part(out + c, value, C - c);
    }
    return rstd;
}
static inline void rmsnorm_row_backward(floatX *dx, const floatX *dout, const floatX *x, const floatX *weight, float rstd, int C) {
    Vector sum = {0};
    for (int c = 0; c < C; c += SIMD_WIDTH) {
        sum += vector_load_x_part(dout + c, C - c) * vector_load_x_part(weight + c, C - c) * vector_load_x_part(x + c, C - c);
    }
    float shared = vector_sum(sum) / (float)C * rstd * rstd * rstd;
    for (int c = 0; c < C; c += SIMD_WIDTH) {
        Vector direct = vector_load_x_part(dout + c, C - c) * vector_load_x_part(weight + c, C - c) * rstd;
        Vector gradient = direct - vector_load_x_part(x + c, C - c) * shared;
        vector_store_x_part(dx + c, vector_load_x_part(dx + c, C - c) + gradient, C - c);
    }
}

void rmsnorm_forward(floatX *out, float *rstd, const floatX *x, const floatX *weight, float eps, int N, int C) {
#pragma omp parallel for if ((long)N * C > PARALLEL_ELEMENTS)
    for (int n = 0; n < N; n++) { rstd[n] = rmsnorm_row(out + (size_t)n * C, x + (size_t)n * C, weight, eps, C); }
}
void rmsnorm_residual_forward(floatX *sum, floatX *out, float *rstd, const floatX *residual, const floatX *delta,
                              const floatX *weight, float eps, int N, int C) {
#pragma omp parallel for if ((long)N * C > PARALLEL_ELEMENTS)
    for (int n = 0; n < N; n++) {
        size_t row = (size_t)n * C;
        for (int c = 0; c < C; c += SIMD_WIDTH) {
            Vector total = vector_load_x_part(residual + row + c, C - c) + vector_load_x_part(delta + row + c, C - c);
            vector_store_x_part(sum + row + c, total, C - c);
        }
        rstd[n] = rmsnorm_row(out + row, sum + row, weight, eps, C); // reads back the rounded sum, as rmsnorm_forward would
    }
}
void rmsnorm_backward(floatX *dx, float *dweight, const floatX *dout, const floatX *x, const floatX *weight,
                      const float *rstd, int N, int C) {
    int block = 65536 / C + 1; // rows whose x and dout stay in cache between the two passes over them
#pragma omp parallel if ((long)N * C > PARALLEL_ELEMENTS)
    for (int begin = 0; begin < N; begin += block) {
        int end = begin + block < N ? begin + block : N;
#pragma omp for nowait
        for (int n = begin; n < end; n++) {
            size_t row = (size_t)n * C;
            rmsnorm_row_backward(dx + row, dout + row, x + row, weight, rstd[n], C);
        }
#pragma omp for nowait
        for (int c = 0; c < C; c += SIMD_WIDTH) {
            Vector sum = {0};
            for (int n = begin; n < end; n++) {
                size_t at = (size_t)n * C + c;
                sum += vector_load_x_part(dout + at, C - c) * vector_load_x_part(x + at, C - c) * rstd[n];
            }
            for (int i = 0; i < SIMD_WIDTH && c + i < C; i++) { dweight[c + i] += sum[i]; }
        }
    }
}
