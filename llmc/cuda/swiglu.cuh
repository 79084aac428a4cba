// CUDA body of ../swiglu.h: one thread per `width` features of a row.
#pragma once
#include "llmc/swiglu.h"
#include "llmc/cuda/vector.cuh"

template <int width>
__global__ void swiglu_forward_kernel(floatX *out, const floatX *gate_up, int N, int F) {
    size_t i = ((size_t)blockIdx.x * blockDim.x + threadIdx.x) * width;
    if (i >= (size_t)N * F) { return; }
    const floatX *row = gate_up + i / F * 2 * F + i % F;
    Floats<width> gate = load<width>(row), up = load<width>(row + F);
    for (int k = 0; k < width; k++) { up.v[k] *= gate.v[k] / (1.0f + expf(-gate.v[k])); }
    store<width>(out + i, up);
}
template <int width>
__global__ void swiglu_backward_kernel(floatX *dgate_up, const floatX *dout, const floatX *gate_up, int N, int F) {
    size_t i = ((size_t)blockIdx.x * blockDim.x + threadIdx.x) * width;
    if (i >= (size_t)N * F) { return; }
    size_t row = i / F * 2 * F + i % F;
    Floats<width> gate = load<width>(gate_up + row), up = load<width>(gate_up + row + F), grad = load<width>(dout + i);
    Floats<width> dgate, dup;
    for (int k = 0; k < width; k++) {
        float sigma = 1.0f / (1.0f + expf(-gate.v[k]));
        dgate.v[k] = grad.v[k] * up.v[k] * sigma * (1.0f + gate.v[k] * (1.0f - sigma));
        dup.v[k] = grad.v[k] * gate.v[k] * sigma;
    }
    store<width>(dgate_up + row, dgate);
    store<width>(dgate_up + row + F, dup);
}
LLMC_C void swiglu_forward(floatX *out, const floatX *gate_up, int N, int F) {
    size_t count = (size_t)N * F;
    if (count == 0) { return; }
    if (packs_fit(F, out, gate_up)) {
        RUN(swiglu_forward_kernel<PACK>, CEIL_DIV(count / PACK, 256), 256, 0, out, gate_up, N, F);
    } else {
        RUN(swiglu_forward_kernel<1>, CEIL_DIV(count, 256), 256, 0, out, gate_up, N, F);
    }
}
LLMC_C void swiglu_backward(floatX *dgate_up, const floatX *dout, const floatX *gate_up, int N, int F) {
    size_t count = (size_t)N * F;
    if (count == 0) { return; }
    if (packs_fit(F, dgate_up, dout, gate_up)) {
        RUN(swiglu_backward_kernel<PACK>, CEIL_DIV(count / PACK, 256), 256, 0, dgate_up, dout, gate_up, N, F);
    } else {
        RUN(swiglu_backward_kernel<1>, CEIL_DIV(count, 256), 256, 0, dgate_up, dout, gate_up, N, F);
    }
}
