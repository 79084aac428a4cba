// CUDA body of ../decode_advance.h: one thread per row.
#pragma once
#include "llmc/cuda/device.cuh"
#include "llmc/decode_advance.h"

__global__ void decode_advance_kernel(int *tokens, int *positions, int *slots, int *lengths, int *counters, const int *drawn, const int *page_table, int max_pages, int B) {
    int b = blockIdx.x * blockDim.x + threadIdx.x;
    if (b >= B || lengths[b] == 0) { return; }
    int position = lengths[b], page = position / KV_PAGE;
    tokens[b] = drawn[b];
    positions[b] = position;
    slots[b] = page < max_pages ? page_table[(size_t)b * max_pages + page] * KV_PAGE + position % KV_PAGE : -1;
    lengths[b] = position + 1;
    counters[b]++;
}
LLMC_C void decode_advance(int *tokens, int *positions, int *slots, int *lengths, int *counters, const int *drawn, const int *page_table, int max_pages, int B) {
    if (B == 0) { return; }
    RUN(decode_advance_kernel, CEIL_DIV(B, 256), 256, 0, tokens, positions, slots, lengths, counters, drawn, page_table, max_pages, B);
}
