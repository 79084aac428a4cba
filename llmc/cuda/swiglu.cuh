// CUDA body of ../swiglu.h: one thread per `width` features of a row; blocks.x walks along a row, blocks.y over the rows, so that nothing is divided.
#pragma once
#include "llmc/swiglu.h"
#include "llmc/cuda/vector.cuh"

enum { SWIGLU_THREADS = 256 };
// 1 / (1 + e^-gate). The short division is good to 2 units in the last place, and 0 where e^-gate is beyond 2^126.
__device__ static inline float swiglu_sigma(float gate) { return __fdividef(1.0f, 1.0f + expf(-gate)); }
template <int width>
__global__ void __launch_bounds__(SWIGLU_THREADS) swiglu_forward_kernel(floatX *out, const floatX *gate_up, int N, int F) {
    int f = (blockIdx.x * SWIGLU_THREADS + threadIdx.x) * width;
    for (int n = blockIdx.y; n < N && f < F; n += gridDim.y) {
        const floatX *row = gate_up + (size_t)n * 2 * F + f;
        Floats<width> gate = load<width>(row), up = load<width>(row + F);
        for (int k = 0; k < width; k++) { up.v[k] *= gate.v[k] * swiglu_sigma(gate.v[k]); }
        store<width>(out + (size_t)n * F + f, up);
    }
}
template <int width>
__global__ void __launch_bounds__(SWIGLU_THREADS) swiglu_backward_kernel(floatX *dgate_up, const floatX *dout, const floatX *gate_up, int N, int F) {
    int f = (blockIdx.x * SWIGLU_THREADS + threadIdx.x) * width;
    for (int n = blockIdx.y; n < N && f < F; n += gridDim.y) {
        size_t row = (size_t)n * 2 * F + f;
        Floats<width> gate = load<width>(gate_up + row), up = load<width>(gate_up + row + F), grad = load<width>(dout + (size_t)n * F + f), dgate, dup;
        for (int k = 0; k < width; k++) {
            float sigma = swiglu_sigma(gate.v[k]);
            dgate.v[k] = grad.v[k] * up.v[k] * sigma * (1.0f + gate.v[k] * (1.0f - sigma));
            dup.v[k] = grad.v[k] * gate.v[k] * sigma;
        }
        store<width>(dgate_up + row, dgate);
        store<width>(dgate_up + row + F, dup);
    }
}
static dim3 swiglu_grid(int N, int F, int width) { return dim3(CEIL_DIV(F, SWIGLU_THREADS * width), min(N, (int)GRID_ROWS)); }
LLMC_C void swiglu_forward(floatX *out, const floatX *gate_up, int N, int F) {
    if (N == 0) { return; }
    if (packs_fit(F, out, gate_up)) {
        RUN(swiglu_forward_kernel<PACK>, swiglu_grid(N, F, PACK), SWIGLU_THREADS, 0, out, gate_up, N, F);
    } else {
        RUN(swiglu_forward_kernel<1>, swiglu_grid(N, F, 1), SWIGLU_THREADS, 0, out, gate_up, N, F);
    }
}
LLMC_C void swiglu_backward(floatX *dgate_up, const floatX *dout, const floatX *gate_up, int N, int F) {
    if (N == 0) { return; }
    if (packs_fit(F, dgate_up, dout, gate_up)) {
        RUN(swiglu_backward_kernel<PACK>, swiglu_grid(N, F, PACK), SWIGLU_THREADS, 0, dgate_up, dout, gate_up, N, F);
    } else {
        RUN(swiglu_backward_kernel<1>, swiglu_grid(N, F, 1), SWIGLU_THREADS, 0, dgate_up, dout, gate_up, N, F);
    }
}
