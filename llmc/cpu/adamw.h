// CPU body of ../adamw.h: elementwise, so limited by memory: 28 bytes move per parameter with fp32 weights.
#pragma once
#include "llmc/adamw.h"
#include "llmc/cpu/vector.h"

typedef struct {
    float grad_scale, learning_rate, beta1, beta2, eps, weight_decay, correction1, correction2;
} AdamW;

// SIMD_WIDTH parameters. weight may be master itself, so it is written last.
static inline void adamw_lanes(floatX *weight, float *master, float *m, float *v, const float *grad, AdamW a) {
    Vector g = vector_load(grad) * a.grad_scale;
    Vector mean = vector_load(m) * a.beta1 + g * (1.0f - a.beta1);
    Vector square = vector_load(v) * a.beta2 + g * g * (1.0f - a.beta2);
    Vector theta = vector_load(master);
    Vector step = mean * a.correction1 / (vector_sqrt(square * a.correction2) + a.eps) + theta * a.weight_decay;
    theta -= step * a.learning_rate;
    vector_store(m, mean);
    vector_store(v, square);
    vector_store(master, theta);
    vector_store_x(weight, theta);
}
void adamw_update(floatX *weight, float *master, float *m, float *v, const float *grad, size_t count, float grad_scale,
                  float learning_rate, float beta1, float beta2, float eps, float weight_decay, int step) {
    AdamW a = {grad_scale, learning_rate, beta1, beta2, eps, weight_decay, (float)(1 / (1 - pow(beta1, step))), (float)(1 / (1 - pow(beta2, step)))};
    size_t whole = count / SIMD_WIDTH * SIMD_WIDTH, rest = count - whole;
#pragma omp parallel for schedule(static) if (count > 65536)
    for (size_t i = 0; i < whole; i += SIMD_WIDTH) { adamw_lanes(weight + i, master + i, m + i, v + i, grad + i, a); }
    if (rest) { // the last few, through padded copies
        floatX last_weight[SIMD_WIDTH];
        float last[4][SIMD_WIDTH] = {{0}}, *from[4] = {master + whole, m + whole, v + whole};
        for (int k = 0; k < 3; k++) { memcpy(last[k], from[k], rest * sizeof(float)); }
        memcpy(last[3], grad + whole, rest * sizeof(float));
        adamw_lanes(last_weight, last[0], last[1], last[2], last[3], a);
        for (int k = 0; k < 3; k++) { memcpy(from[k], last[k], rest * sizeof(float)); }
        memcpy(weight + whole, last_weight, rest * sizeof(floatX));
    }
}
