// CPU body of ../gradient_norm.h.
#pragma once
#include "llmc/cpu/vector.h"
#include "llmc/gradient_norm.h"

enum { GRADIENT_NORM_BLOCK = 16384, // elements whose squares make one partial sum
       GRADIENT_NORM_WAVE = 2048 }; // partial sums in flight: they live on the stack, so that nothing is allocated

typedef double VectorDouble __attribute__((vector_size(SIMD_WIDTH * 8)));

// In double, so that a gradient of 1e20 is a large number and not infinity.
static double gradient_block_square_sum(const float *grad, size_t count) {
    VectorDouble sums[2] = {{0}};
    double lane[SIMD_WIDTH], total = 0;
    size_t i = 0;
    for (; i + 2 * SIMD_WIDTH <= count; i += 2 * SIMD_WIDTH) {
        VectorDouble a = __builtin_convertvector(vector_load(grad + i), VectorDouble);
        VectorDouble b = __builtin_convertvector(vector_load(grad + i + SIMD_WIDTH), VectorDouble);
        sums[0] += a * a;
        sums[1] += b * b;
    }
    sums[0] += sums[1];
    memcpy(lane, &sums[0], sizeof(lane));
    for (int l = 0; l < SIMD_WIDTH; l++) { total += lane[l]; }
    for (; i < count; i++) { total += (double)grad[i] * (double)grad[i]; }
    return total;
}
double gradient_square_sum(const float *grad, size_t count) {
    double partial[GRADIENT_NORM_WAVE], total = 0;
    size_t blocks = (count + GRADIENT_NORM_BLOCK - 1) / GRADIENT_NORM_BLOCK;
    for (size_t first = 0; first < blocks; first += GRADIENT_NORM_WAVE) {
        size_t wave = blocks - first < GRADIENT_NORM_WAVE ? blocks - first : GRADIENT_NORM_WAVE;
#pragma omp parallel for schedule(static) if (wave > 4)
        for (size_t b = 0; b < wave; b++) {
            size_t start = (first + b) * GRADIENT_NORM_BLOCK;
            partial[b] = gradient_block_square_sum(grad + start, count - start < GRADIENT_NORM_BLOCK ? count - start : GRADIENT_NORM_BLOCK);
        }
        for (size_t b = 0; b < wave; b++) { total += partial[b]; }
    }
    return total;
}
