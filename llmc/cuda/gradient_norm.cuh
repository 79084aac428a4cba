// CUDA body of ../gradient_norm.h: blocks stride over the gradient in pieces of fixed size and leave a partial sum each; one block adds them.
#pragma once
#include "llmc/gradient_norm.h"
#include "llmc/cuda/vector.cuh"

enum { GRADIENT_NORM_THREADS = 256,
       GRADIENT_NORM_PIECE = 16384, // elements
       GRADIENT_NORM_BLOCKS = 2048 };
template <int width>
__global__ void __launch_bounds__(GRADIENT_NORM_THREADS) gradient_norm_kernel(double *partial, const float *grad, size_t count) {
    double sum = 0; // so that a gradient of 1e20 is a large number and not infinity
    for (size_t piece = (size_t)blockIdx.x * GRADIENT_NORM_PIECE; piece < count; piece += (size_t)gridDim.x * GRADIENT_NORM_PIECE) {
        size_t end = min(piece + GRADIENT_NORM_PIECE, count), whole = end - end % width;
        for (size_t i = piece + threadIdx.x * width; i < whole; i += GRADIENT_NORM_THREADS * width) {
            Floats<width> value = load<width>(grad + i);
            for (int k = 0; k < width; k++) { sum += (double)value.v[k] * (double)value.v[k]; }
        }
        if (whole + threadIdx.x < end) { sum += (double)grad[whole + threadIdx.x] * (double)grad[whole + threadIdx.x]; } // the last 1 to 3 of all
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) { partial[blockIdx.x] = sum; }
}
__global__ void __launch_bounds__(GRADIENT_NORM_THREADS) gradient_norm_join_kernel(double *partial, int count) { // the result goes behind the partial sums
    double sum = 0;
    for (int i = threadIdx.x; i < count; i += GRADIENT_NORM_THREADS) { sum += partial[i]; }
    sum = block_sum(sum);
    if (threadIdx.x == 0) { partial[count] = sum; }
}
LLMC_C double gradient_square_sum(const float *grad, size_t count) {
    if (count == 0) { return 0; }
    int blocks = (int)min((size_t)GRADIENT_NORM_BLOCKS, CEIL_DIV(count, (size_t)GRADIENT_NORM_PIECE));
    double *partial = (double *)device_scratch(), result;
    if ((uintptr_t)grad % 16 == 0) {
        RUN(gradient_norm_kernel<4>, blocks, GRADIENT_NORM_THREADS, 0, partial, grad, count);
    } else {
        RUN(gradient_norm_kernel<1>, blocks, GRADIENT_NORM_THREADS, 0, partial, grad, count);
    }
    RUN(gradient_norm_join_kernel, 1, GRADIENT_NORM_THREADS, 0, partial, blocks);
    device_download(&result, partial + blocks, sizeof(result));
    return result;
}
