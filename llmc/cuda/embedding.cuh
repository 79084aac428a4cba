// CUDA body of ../embedding.h. Forward: one thread per 16 bytes. Backward: the block at the first place of a token's run in `order` owns
// that row of the table; its threads own columns and walk the run in rising n.
#pragma once
#include "llmc/embedding.h"
#include "llmc/cuda/vector.cuh"

template <int width>
__global__ void embedding_forward_kernel(floatX *out, const int *tokens, const floatX *table, int N, int C) {
    size_t i = ((size_t)blockIdx.x * blockDim.x + threadIdx.x) * width;
    if (i >= (size_t)N * C) { return; }
    store<width>(out + i, load<width>(table + (size_t)tokens[i / C] * C + i % C));
}
__global__ void embedding_backward_kernel(float *dtable, const floatX *dout, const int *tokens, const int *order, int N, int C) {
    int first = blockIdx.x, token = tokens[order[first]], c = blockIdx.y * blockDim.x + threadIdx.x;
    if (c >= C || (first > 0 && tokens[order[first - 1]] == token)) { return; }
    float sum = 0;
    for (int i = first; i < N && tokens[order[i]] == token; i++) { sum += to_float(dout[(size_t)order[i] * C + c]); }
    dtable[(size_t)token * C + c] += sum;
}
LLMC_C void embedding_forward(floatX *out, const int *tokens, const floatX *table, int N, int C) {
    if (N == 0) { return; }
    if (packs_fit(C, out, table)) {
        RUN(embedding_forward_kernel<PACK>, CEIL_DIV((size_t)N * C / PACK, 256), 256, 0, out, tokens, table, N, C);
    } else {
        RUN(embedding_forward_kernel<1>, CEIL_DIV((size_t)N * C, 256), 256, 0, out, tokens, table, N, C);
    }
}
LLMC_C void embedding_backward(float *dtable, const floatX *dout, const int *tokens, const int *order, int N, int C) {
    if (N == 0) { return; }
    RUN(embedding_backward_kernel, dim3(N, CEIL_DIV(C, 256)), 256, 0, dtable, dout, tokens, order, N, C);
}
