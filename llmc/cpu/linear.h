// CPU body of ../linear.h.
#pragma once
#include "llmc/cpu/vector.h"
#include "llmc/linear.h"

enum { LINEAR_ROWS = 8 }; // rows of x that share one pass over the weights

// SIMD_WIDTH outputs o.. for LINEAR_ROWS rows: lanes are outputs, so that every lane is one chain over c.
static inline void linear_block(float sums[LINEAR_ROWS][SIMD_WIDTH], const floatX *x, const floatX *weight, int rows, int outputs, int C) {
    Vector sum[LINEAR_ROWS];
    for (int r = 0; r < LINEAR_ROWS; r++) { sum[r] = vector_splat(0.0f); }
    for (int c = 0; c < C; c++) {
        float lane[SIMD_WIDTH] = {0};
        for (int o = 0; o < outputs; o++) { lane[o] = to_float(weight[(size_t)o * C + c]); }
        Vector w = vector_load(lane);
        for (int r = 0; r < rows; r++) { sum[r] += vector_splat(to_float(x[(size_t)r * C + c])) * w; }
    }
    for (int r = 0; r < rows; r++) { vector_store(sums[r], sum[r]); }
}
static inline int linear_least(int a, int b) { return a < b ? a : b; }

void linear_forward(floatX *out, const floatX *x, const floatX *weight, const floatX *bias, int N, int C, int OC) {
#pragma omp parallel for schedule(static)
    for (int o = 0; o < OC; o += SIMD_WIDTH) {
        int outputs = linear_least(OC - o, SIMD_WIDTH);
        for (int n = 0; n < N; n += LINEAR_ROWS) {
            float sums[LINEAR_ROWS][SIMD_WIDTH];
            int rows = linear_least(N - n, LINEAR_ROWS);
            linear_block(sums, x + (size_t)n * C, weight + (size_t)o * C, rows, outputs, C);
            for (int r = 0; r < rows; r++) {
                for (int i = 0; i < outputs; i++) {
                    out[(size_t)(n + r) * OC + o + i] = to_floatX(sums[r][i] + (bias ? to_float(bias[o + i]) : 0.0f));
                }
            }
        }
    }
}
void linear_forward_float(float *out, const floatX *x, const floatX *weight, int N, int C, int OC) {
#pragma omp parallel for schedule(static)
    for (int o = 0; o < OC; o += SIMD_WIDTH) {
        int outputs = linear_least(OC - o, SIMD_WIDTH);
        for (int n = 0; n < N; n += LINEAR_ROWS) {
            float sums[LINEAR_ROWS][SIMD_WIDTH];
            int rows = linear_least(N - n, LINEAR_ROWS);
            linear_block(sums, x + (size_t)n * C, weight + (size_t)o * C, rows, outputs, C);
            for (int r = 0; r < rows; r++) {
                for (int i = 0; i < outputs; i++) { out[(size_t)(n + r) * OC + o + i] = sums[r][i]; }
            }
        }
    }
}
void linear_backward(floatX *dx, float *dweight, float *dbias, const floatX *dout, const floatX *x, const floatX *weight, int N, int C, int OC) {
    enum { BLOCK = 64 };
#pragma omp parallel for schedule(static)
    for (int n = 0; n < N; n++) {
        for (int c = 0; dx && c < C; c += BLOCK) {
            float sum[BLOCK] = {0};
            int count = linear_least(C - c, BLOCK);
            for (int o = 0; o < OC; o++) {
                float d = to_float(dout[(size_t)n * OC + o]);
                for (int i = 0; i < count; i++) { sum[i] += d * to_float(weight[(size_t)o * C + c + i]); }
            }
            for (int i = 0; i < count; i++) { dx[(size_t)n * C + c + i] = to_floatX(to_float(dx[(size_t)n * C + c + i]) + sum[i]); }
        }
    }
#pragma omp parallel for schedule(static)
    for (int o = 0; o < OC; o++) {
        for (int n = 0; n < N; n++) {
            float d = to_float(dout[(size_t)n * OC + o]);
            for (int c = 0; dweight && c < C; c++) { dweight[(size_t)o * C + c] += d * to_float(x[(size_t)n * C + c]); }
            if (dbias) { dbias[o] += d; }
        }
    }
}
