// CUDA body of ../attention.h, backward: on tensor cores (attention_backward_mma.cuh) where they take the numbers, bf16 heads of 64 or 128
// channels. Here is the body for all else, plain fp32: delta by rows; dq by tiles of queries, keys going by; dk and dv by tiles of keys, the query heads of
// their group and their queries going by in rising order. Nobody adds into what another owns, so the bits are always the same.
#pragma once
#include "llmc/attention.h"
#include "llmc/cuda/attention_backward_mma.cuh"
#include "llmc/cuda/attention_tile.cuh"

__global__ void attention_delta_kernel(float *delta, const floatX *dout, const floatX *out, int N, int H, int D) { // a warp per row and head
    int i = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (i >= N * H) { return; }
    float sum = 0;
    for (int d = lane; d < D; d += 32) { sum += to_float(dout[(size_t)i * D + d]) * to_float(out[(size_t)i * D + d]); }
    sum = warp_sum(sum);
    if (lane == 0) { delta[(size_t)(i % H) * N + i / H] = sum; }
}
template <int chunks>
__device__ static inline void attention_store_gradient(floatX *to, const float sum[chunks], int D) {
    for (int j = 0; j < chunks; j++) {
        int d = threadIdx.x % 32 + 32 * j;
        if (d < D) { to[d] = to_floatX(sum[j]); }
    }
}
__device__ static inline void attention_zero_gradient(floatX *to, size_t stride, int row, int N, int D) { // a tile of padding, one head
    for (int i = threadIdx.x; i < TILE * D; i += TILE_THREADS) {
        if (row + i / D < N) { to[(row + i / D) * stride + i % D] = to_floatX(0); }
    }
}
template <int chunks>
__global__ void __launch_bounds__(TILE_THREADS) attention_dq_kernel(floatX *dqkv, const floatX *dout, const floatX *qkv, const float *lse, const float *delta, const int *starts, int S, float scale, int N, int H, int KV, int D) {
    int pitch = D | 1, h = blockIdx.y, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    float *q_tile = (float *)(void *)dynamic_shared, *dout_tile = q_tile + TILE * pitch, *k_tile = dout_tile + TILE * pitch, *v_tile = k_tile + TILE * pitch;
    float *ds = v_tile + TILE * pitch + warp * WARP_ROWS * TILE;
    AttentionTile tile = attention_tile(blockIdx.x, starts, S, N);
    size_t stride = (size_t)(H + 2 * KV) * D;
    if (tile.begin == tile.end) { return attention_zero_gradient(dqkv + (size_t)h * D, stride, tile.row, N, D); }
    const floatX *k = qkv + (size_t)(H + h / (H / KV)) * D, *v = k + (size_t)KV * D;
    float sum[WARP_ROWS][chunks] = {};
    int zero[WARP_ROWS] = {}, limit[WARP_ROWS], row0 = tile.row + warp * WARP_ROWS, last = min(tile.row + TILE, tile.end);
    attention_load(q_tile, qkv + (size_t)h * D, stride, tile.row, tile.end, D, pitch);
    attention_load(dout_tile, dout + (size_t)h * D, (size_t)H * D, tile.row, tile.end, D, pitch);
    for (int key0 = tile.begin; key0 < last; key0 += TILE) {
        __syncthreads(); // everyone is done with the previous tile
        attention_load(k_tile, k, stride, key0, tile.end, D, pitch);
        attention_load(v_tile, v, stride, key0, tile.end, D, pitch);
        __syncthreads();
        float score[WARP_ROWS], dp[WARP_ROWS];
        attention_dots(score, q_tile, k_tile, D, pitch);
        attention_dots(dp, dout_tile, v_tile, D, pitch);
        for (int r = 0; r < WARP_ROWS; r++) {
            int row = min(row0 + r, tile.end - 1);
            size_t at = (size_t)h * N + row;
            limit[r] = min((int)TILE, row - key0 + 1);
            ds[r * TILE + lane] = lane < limit[r] ? scale * expf(score[r] * scale - lse[at]) * (dp[r] - delta[at]) : 0.0f;
        }
        __syncwarp();
        attention_add<chunks>(sum, ds, k_tile, zero, limit, D, pitch);
    }
    for (int r = 0; r < WARP_ROWS && row0 + r < tile.end; r++) { attention_store_gradient<chunks>(dqkv + (row0 + r) * stride + (size_t)h * D, sum[r], D); }
}
template <int chunks>
__global__ void __launch_bounds__(TILE_THREADS) attention_dkv_kernel(floatX *dqkv, const floatX *dout, const floatX *qkv, const float *lse, const float *delta, const int *starts, int S, float scale, int N, int H, int KV, int D) {
    int pitch = D | 1, kv = blockIdx.y, lane = threadIdx.x % 32, warp = threadIdx.x / 32, group = H / KV;
    float *k_tile = (float *)(void *)dynamic_shared, *v_tile = k_tile + TILE * pitch, *q_tile = v_tile + TILE * pitch, *dout_tile = q_tile + TILE * pitch;
    float *p = dout_tile + TILE * pitch + warp * WARP_ROWS * TILE, *ds = p + TILE * TILE;
    AttentionTile tile = attention_tile(blockIdx.x, starts, S, N);
    size_t stride = (size_t)(H + 2 * KV) * D, key_head = (size_t)(H + kv) * D, value_head = key_head + (size_t)KV * D;
    if (tile.begin == tile.end) {
        attention_zero_gradient(dqkv + key_head, stride, tile.row, N, D);
        return attention_zero_gradient(dqkv + value_head, stride, tile.row, N, D);
    }
    float dk[WARP_ROWS][chunks] = {}, dv[WARP_ROWS][chunks] = {};
    int key0 = tile.row + warp * WARP_ROWS;
    attention_load(k_tile, qkv + key_head, stride, tile.row, tile.end, D, pitch);
    attention_load(v_tile, qkv + value_head, stride, tile.row, tile.end, D, pitch);
    for (int h = kv * group; h < (kv + 1) * group; h++) {
        for (int row0 = tile.row; row0 < tile.end; row0 += TILE) { // queries see keys up to their own row
            __syncthreads();                                       // everyone is done with the previous tile
            attention_load(q_tile, qkv + (size_t)h * D, stride, row0, tile.end, D, pitch);
            attention_load(dout_tile, dout + (size_t)h * D, (size_t)H * D, row0, tile.end, D, pitch);
            __syncthreads();
            float score[WARP_ROWS], dp[WARP_ROWS];
            attention_dots(score, k_tile, q_tile, D, pitch);
            attention_dots(dp, v_tile, dout_tile, D, pitch);
            int row = row0 + lane, from[WARP_ROWS], limit[WARP_ROWS];
            size_t at = (size_t)h * N + min(row, tile.end - 1);
            for (int r = 0; r < WARP_ROWS; r++) {
                bool sees = row < tile.end && row >= key0 + r;
                from[r] = max(0, key0 + r - row0), limit[r] = min((int)TILE, tile.end - row0);
                p[r * TILE + lane] = sees ? expf(score[r] * scale - lse[at]) : 0.0f;
                ds[r * TILE + lane] = sees ? scale * p[r * TILE + lane] * (dp[r] - delta[at]) : 0.0f;
            }
            __syncwarp();
            attention_add<chunks>(dv, p, dout_tile, from, limit, D, pitch);
            attention_add<chunks>(dk, ds, q_tile, from, limit, D, pitch);
        }
    }
    for (int r = 0; r < WARP_ROWS && key0 + r < tile.end; r++) {
        attention_store_gradient<chunks>(dqkv + (key0 + r) * stride + key_head, dk[r], D);
        attention_store_gradient<chunks>(dqkv + (key0 + r) * stride + value_head, dv[r], D);
    }
}
LLMC_C void attention_backward(floatX *dqkv, float *scratch, const floatX *dout, const floatX *qkv, const floatX *out, const float *lse,
                               const int *starts, int S, float scale, int N, int H, int KV, int D) {
    if (N == 0) { return; }
    if constexpr (sizeof(floatX) == 2) {
        bool fits = packs_fit((size_t)D, dqkv, scratch, dout, qkv, out);
        if (D == 128 && fits) { return attention_backward_mma<128>(dqkv, scratch, dout, qkv, out, lse, starts, S, scale, N, H, KV); }
        if (D == 64 && fits) { return attention_backward_mma<64>(dqkv, scratch, dout, qkv, out, lse, starts, S, scale, N, H, KV); }
    }
    int floats = 4 * TILE * (D | 1);
    float *delta = scratch;
    RUN(attention_delta_kernel, CEIL_DIV(N * H, 8), 256, 0, delta, dout, out, N, H, D);
    ATTENTION_RUN(attention_dq_kernel, dim3(attention_tiles(N, S), H), floats + TILE * TILE, D, dqkv, dout, qkv, lse, delta, starts, S, scale, N, H, KV, D);
    ATTENTION_RUN(attention_dkv_kernel, dim3(attention_tiles(N, S), KV), floats + 2 * TILE * TILE, D, dqkv, dout, qkv, lse, delta, starts, S, scale, N, H, KV, D);
}
