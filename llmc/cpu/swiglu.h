// CPU body of ../swiglu.h: rows and pieces of a row in parallel.
#pragma once
#include "llmc/swiglu.h"
#include "llmc/cpu/vector.h"

enum { SWIGLU_PIECE = 1024 }; // a single long row is still shared among threads

void swiglu_forward(floatX *out, const floatX *gate_up, int N, int F) {
#pragma omp parallel for collapse(2) if ((long)N * F > 4096)
    for (int n = 0; n < N; n++) {
        for (int begin = 0; begin < F; begin += SWIGLU_PIECE) {
            int end = begin + SWIGLU_PIECE < F ? begin + SWIGLU_PIECE : F;
            const floatX *row = gate_up + (size_t)n * 2 * F;
            for (int f = begin; f < end; f += SIMD_WIDTH) {
                Vector gate = vector_load_x_part(row + f, F - f), up = vector_load_x_part(row + F + f, F - f);
                vector_store_x_part(out + (size_t)n * F + f, gate * up / (1.0f + vector_exp(-gate)), F - f);
            }
        }
    }
}
void swiglu_backward(floatX *dgate_up, const floatX *dout, const floatX *gate_up, int N, int F) {
#pragma omp parallel for collapse(2) if ((long)N * F > 4096)
    for (int n = 0; n < N; n++) {
        for (int begin = 0; begin < F; begin += SWIGLU_PIECE) {
            int end = begin + SWIGLU_PIECE < F ? begin + SWIGLU_PIECE : F;
            const floatX *row = gate_up + (size_t)n * 2 * F;
            floatX *drow = dgate_up + (size_t)n * 2 * F;
            for (int f = begin; f < end; f += SIMD_WIDTH) {
                Vector gate = vector_load_x_part(row + f, F - f), up = vector_load_x_part(row + F + f, F - f);
                Vector sigma = 1.0f / (1.0f + vector_exp(-gate)), d = vector_load_x_part(dout + (size_t)n * F + f, F - f);
                Vector dgate = d * up * sigma * (1.0f + gate * (1.0f - sigma)), dup = d * gate * sigma;
                vector_store_x_part(drow + f, dgate, F - f);
                vector_store_x_part(drow + F + f, dup, F - f);
            }
        }
    }
}
