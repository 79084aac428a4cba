// CPU body of ../linear.h: the three products are one gemm with other factors; few rows take a kernel that reads the weights once.
#pragma once
#include "llmc/cpu/gemm.h"
#include "llmc/linear.h"

void linear_forward(floatX *out, const floatX *x, const floatX *weight, const floatX *bias, int N, int C, int OC) {
    gemm((GemmResult){.data = out, .stride = (size_t)OC, .is_float = false, .bias = bias},
         (GemmFactor){.data = x, .stride = (size_t)C}, (GemmFactor){.data = weight, .stride = (size_t)C}, N, OC, C);
}
void linear_forward_float(float *out, const floatX *x, const floatX *weight, int N, int C, int OC) {
    gemm((GemmResult){.data = out, .stride = (size_t)OC, .is_float = true},
         (GemmFactor){.data = x, .stride = (size_t)C}, (GemmFactor){.data = weight, .stride = (size_t)C}, N, OC, C);
}

// Column sums, each one chain over n from the old value.
static void linear_backward_bias(float *dbias, const floatX *dout, int N, int OC) {
#pragma omp parallel for schedule(static) if ((double)N * OC > 1e5)
    for (int o = 0; o < OC; o += SIMD_WIDTH) {
        int count = gemm_least(OC - o, SIMD_WIDTH);
        Vector sum = vector_load_part(dbias + o, count);
        for (int n = 0; n < N; n++) {
            const floatX *p = dout + (size_t)n * OC + o;
            sum += count == SIMD_WIDTH ? vector_load_x(p) : vector_load_x_part(p, count);
        }
        vector_store_part(dbias + o, sum, count);
    }
}
void linear_backward(floatX *dx, float *dweight, float *dbias, const floatX *dout, const floatX *x, const floatX *weight, int N, int C, int OC) {
    if (dx) {
        gemm((GemmResult){.data = dx, .stride = (size_t)C, .accumulate = true}, (GemmFactor){.data = dout, .stride = (size_t)OC},
             (GemmFactor){.data = weight, .stride = (size_t)C, .lines_contiguous = true}, N, C, OC);
    }
    if (dweight) {
        gemm((GemmResult){.data = dweight, .stride = (size_t)C, .is_float = true, .accumulate = true},
             (GemmFactor){.data = dout, .stride = (size_t)OC, .lines_contiguous = true},
             (GemmFactor){.data = x, .stride = (size_t)C, .lines_contiguous = true}, OC, C, N);
    }
    if (dbias) { linear_backward_bias(dbias, dout, N, OC); }
}
