// CPU body of ../linear.h: the three products are one gemm with other factors; few rows take a kernel that reads the weights once.
#pragma once
#include "llmc/cpu/gemv.h"
#include "llmc/linear.h"

static void linear_product(GemmResult out, const floatX *x, const floatX *weight, int N, int C, int OC) {
    int done = 0; // outputs
    if (gemv_fits(N, C)) {
        gemv(out, x, weight, N, C, OC);
        done = OC / SIMD_WIDTH * SIMD_WIDTH;
    }
    GemmResult rest = out;
    rest.data = (char *)out.data + (size_t)done * (out.is_float ? sizeof(float) : sizeof(floatX));
    rest.bias = out.bias ? out.bias + done : NULL;
    gemm(rest, (GemmFactor){.data = x, .stride = (size_t)C}, (GemmFactor){.data = weight + (size_t)done * C, .stride = (size_t)C}, N, OC - done, C);
}
void linear_forward(floatX *out, const floatX *x, const floatX *weight, const floatX *bias, int N, int C, int OC) {
    linear_product((GemmResult){.data = out, .stride = (size_t)OC, .bias = bias}, x, weight, N, C, OC);
}
void linear_forward_float(float *out, const floatX *x, const floatX *weight, int N, int C, int OC) {
    linear_product((GemmResult){.data = out, .stride = (size_t)OC, .is_float = true}, x, weight, N, C, OC);
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
        gemm((GemmResult){.data = dx, .stride = (size_t)C}, (GemmFactor){.data = dout, .stride = (size_t)OC},
             (GemmFactor){.data = weight, .stride = (size_t)C, .lines_contiguous = true}, N, C, OC);
    }
    if (dweight) {
        gemm((GemmResult){.data = dweight, .stride = (size_t)C, .is_float = true, .accumulate = true},
             (GemmFactor){.data = dout, .stride = (size_t)OC, .lines_contiguous = true},
             (GemmFactor){.data = x, .stride = (size_t)C, .lines_contiguous = true}, OC, C, N);
    }
    if (dbias) { linear_backward_bias(dbias, dout, N, OC); }
}
