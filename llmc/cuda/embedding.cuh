// CUDA body of ../embedding.h. Forward: one thread per 16 bytes of a row. Backward: the block at the first place of a token's run in `order` owns
// that row of the table; its threads own 16 bytes of columns each and walk the run in rising n.
#pragma once
#include "llmc/embedding.h"
#include "llmc/cuda/vector.cuh"

template <int width>
__global__ void embedding_forward_kernel(floatX *out, const int *tokens, const floatX *table, int N, int C) {
    int c = (blockIdx.x * blockDim.x + threadIdx.x) * width;
    for (int n = blockIdx.y; n < N && c < C; n += gridDim.y) { store<width>(out + (size_t)n * C + c, load<width>(table + (size_t)tokens[n] * C + c)); }
}
// Eight places of `order` at a time, so that the loads of a long run do not wait for each other.
template <int width>
__global__ void embedding_backward_kernel(float *dtable, const floatX *dout, const int *tokens, const int *order, int N, int C) {
    int first = blockIdx.x, token = tokens[order[first]], c = (blockIdx.y * blockDim.x + threadIdx.x) * width;
    if (c >= C || (first > 0 && tokens[order[first - 1]] == token)) { return; }
    Floats<width> sum = {};
    bool more = true;
    for (int begin = first; more; begin += 8) {
        int row[8];
#pragma unroll
        for (int i = 0; i < 8; i++) { row[i] = begin + i < N ? order[begin + i] : -1; }
#pragma unroll
        for (int i = 0; i < 8; i++) { row[i] = row[i] >= 0 && tokens[row[i]] == token ? row[i] : -1; }
        Floats<width> grad[8] = {};
#pragma unroll
        for (int i = 0; i < 8; i++) {
            if (row[i] >= 0) { grad[i] = load<width>(dout + (size_t)row[i] * C + c); }
        }
#pragma unroll
        for (int i = 0; i < 8; i++) {
            for (int k = 0; k < width && row[i] >= 0; k++) { sum.v[k] += grad[i].v[k]; }
        }
        more = row[7] >= 0;
    }
    float *to = dtable + (size_t)token * C + c;
    Floats<width> before = load<width>(to);
    for (int k = 0; k < width; k++) { before.v[k] += sum.v[k]; }
    store<width>(to, before);
}
static int embedding_threads(int C, int width) { return min(256, CEIL_DIV(C, 32 * width) * 32); } // a row of 1536 bf16 channels: 192
LLMC_C void embedding_forward(floatX *out, const int *tokens, const floatX *table, int N, int C) {
    if (N == 0) { return; }
    if (packs_fit(C, out, table)) {
        int threads = embedding_threads(C, PACK);
        RUN(embedding_forward_kernel<PACK>, dim3(CEIL_DIV(C / PACK, threads), min(N, (int)GRID_ROWS)), threads, 0, out, tokens, table, N, C);
    } else {
        int threads = embedding_threads(C, 1);
        RUN(embedding_forward_kernel<1>, dim3(CEIL_DIV(C, threads), min(N, (int)GRID_ROWS)), threads, 0, out, tokens, table, N, C);
    }
}
LLMC_C void embedding_backward(float *dtable, const floatX *dout, const int *tokens, const int *order, int N, int C) {
    if (N == 0) { return; }
    if (packs_fit(C, dtable, dout)) {
        int threads = embedding_threads(C, PACK);
        RUN(embedding_backward_kernel<PACK>, dim3(N, CEIL_DIV(C / PACK, threads)), threads, 0, dtable, dout, tokens, order, N, C);
    } else {
        int threads = embedding_threads(C, 1);
        RUN(embedding_backward_kernel<1>, dim3(N, CEIL_DIV(C, threads)), threads, 0, dtable, dout, tokens, order, N, C);
    }
}
