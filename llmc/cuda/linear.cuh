// CUDA body of ../linear.h: four products over linear_product, which the backend chose before (cuBLASLt, or the tiled kernel on the emulator).
#pragma once
#include "llmc/linear.h"
#include "llmc/cuda/linear_tiled.cuh"

static void linear_product(Product p);

LLMC_C void linear_forward(floatX *out, const floatX *x, const floatX *weight, const floatX *bias, int N, int C, int OC) {
    linear_product({out, x, weight, bias, N, OC, C, false, false, false, false});
}
LLMC_C void linear_forward_float(float *out, const floatX *x, const floatX *weight, int N, int C, int OC) {
    linear_product({out, x, weight, NULL, N, OC, C, true, false, false, false});
}
struct LinearBiasTerm {
    const floatX *dout;
    int OC;
    template <int width>
    __device__ Floats<width> at(int n, int o) const { return load<width>(dout + (size_t)n * OC + o); }
};
LLMC_C void linear_backward(floatX *dx, float *dweight, float *dbias, const floatX *dout, const floatX *x, const floatX *weight, int N, int C, int OC) {
    if (N == 0) { return; }
    if (dx) { linear_product({dx, dout, weight, NULL, N, C, OC, false, false, false, true}); }
    if (dweight) { linear_product({dweight, dout, x, NULL, OC, C, N, true, true, true, true}); }
    if (dbias) { column_sums(dbias, LinearBiasTerm{dout, OC}, N, OC, packs_fit(OC, dout)); }
}
