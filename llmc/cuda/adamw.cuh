// CUDA body of ../adamw.h: one thread per 16 bytes of weights; limited by memory. Multiply-adds are asked for by name, so that a
// parameter's bits do not depend on the width it was updated with.
#pragma once
#include <math.h>
#include "llmc/adamw.h"
#include "llmc/cuda/vector.cuh"

struct AdamW {
    float grad_scale, learning_rate, beta1, beta2, eps, weight_decay, correction1, correction2;
};
// weight may be master itself, so it is written last.
template <int width>
__global__ void adamw_kernel(floatX *weight, float *master, float *m, float *v, const float *grad, size_t count, AdamW a) {
    size_t i = ((size_t)blockIdx.x * blockDim.x + threadIdx.x) * width;
    if (i >= count) { return; }
    Floats<width> g = load<width>(grad + i), mean = load<width>(m + i), square = load<width>(v + i), theta = load<width>(master + i);
    for (int k = 0; k < width; k++) {
        float gradient = g.v[k] * a.grad_scale;
        mean.v[k] = fmaf(a.beta1, mean.v[k], (1.0f - a.beta1) * gradient);
        square.v[k] = fmaf(a.beta2, square.v[k], (1.0f - a.beta2) * (gradient * gradient));
        float step = mean.v[k] * a.correction1 / (sqrtf(square.v[k] * a.correction2) + a.eps);
        theta.v[k] = fmaf(-a.learning_rate, fmaf(a.weight_decay, theta.v[k], step), theta.v[k]);
    }
    store<width>(m + i, mean);
    store<width>(v + i, square);
    store<width>(master + i, theta);
    store<width>(weight + i, theta);
}
LLMC_C void adamw_update(floatX *weight, float *master, float *m, float *v, const float *grad, size_t count, float grad_scale,
                         float learning_rate, float beta1, float beta2, float eps, float weight_decay, int step) {
    AdamW a = {grad_scale, learning_rate, beta1, beta2, eps, weight_decay, (float)(1 / (1 - pow(beta1, step))), (float)(1 / (1 - pow(beta2, step)))};
    size_t whole = packs_fit(0, weight, master, m, v, grad) ? count / PACK * PACK : 0, rest = count - whole;
    if (whole) { RUN(adamw_kernel<PACK>, CEIL_DIV(whole / PACK, 256), 256, 0, weight, master, m, v, grad, whole, a); }
    if (rest) { RUN(adamw_kernel<1>, CEIL_DIV(rest, 256), 256, 0, weight + whole, master + whole, m + whole, v + whole, grad + whole, rest, a); }
}
