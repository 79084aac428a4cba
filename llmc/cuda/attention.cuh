// CUDA body of ../attention.h, forward: on tensor cores (attention_mma.cuh) where they take the numbers, bf16 heads of 64 or 128 channels. Here
// is the body for all else, plain fp32: a block owns one tile of queries of one head; keys and values go by in tiles, with one
// online-softmax update a tile.
#pragma once
#include "llmc/attention.h"
#include "llmc/cuda/attention_mma.cuh"
#include "llmc/cuda/attention_tile.cuh"
// attention_hopper.cuh, a unit of its own: false where it does not apply.
LLMC_C bool attention_forward_hopper(cudaStream_t stream, floatX *out, float *lse, const floatX *qkv, const int *starts, int S, float scale, int N, int H, int KV, int D);

template <int chunks>
__global__ void __launch_bounds__(TILE_THREADS) attention_forward_kernel(floatX *out, float *lse, const floatX *qkv, const int *starts, int S, float scale, int N, int H, int KV, int D) {
    int pitch = D | 1, h = blockIdx.y, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    float *shared = (float *)(void *)dynamic_shared, *q_tile = shared, *k_tile = q_tile + TILE * pitch, *v_tile = k_tile + TILE * pitch;
    float *p = v_tile + TILE * pitch + warp * WARP_ROWS * TILE; // this warp's own
    AttentionTile tile = attention_tile(blockIdx.x, starts, S, N);
    if (tile.outside) { return; }
    size_t stride = (size_t)(H + 2 * KV) * D;
    const floatX *k = qkv + (size_t)(H + h / (H / KV)) * D, *v = k + (size_t)KV * D;
    float best[WARP_ROWS], total[WARP_ROWS], sum[WARP_ROWS][chunks] = {};
    int zero[WARP_ROWS] = {}, limit[WARP_ROWS], row0 = tile.row + warp * WARP_ROWS, last = min(tile.row + TILE, tile.end);
    for (int r = 0; r < WARP_ROWS; r++) { best[r] = -INFINITY, total[r] = 0; }
    attention_load(q_tile, qkv + (size_t)h * D, stride, tile.row, tile.end, D, pitch);
    for (int key0 = tile.begin; key0 < last; key0 += TILE) {
        __syncthreads(); // everyone is done with the previous tile
        attention_load(k_tile, k, stride, key0, tile.end, D, pitch);
        attention_load(v_tile, v, stride, key0, tile.end, D, pitch);
        __syncthreads();
        float score[WARP_ROWS];
        attention_dots(score, q_tile, k_tile, D, pitch);
        for (int r = 0; r < WARP_ROWS; r++) {
            int row = min(row0 + r, tile.end - 1); // rows behind the end repeat the last and are not stored
            limit[r] = min((int)TILE, row - key0 + 1);
            float s = lane < limit[r] ? score[r] * scale : -INFINITY, highest = fmaxf(best[r], warp_max(s));
            float keep = expf(best[r] - highest), weight = lane < limit[r] ? expf(s - highest) : 0.0f;
            total[r] = total[r] * keep + warp_sum(weight);
            best[r] = highest;
            for (int j = 0; j < chunks; j++) { sum[r][j] *= keep; }
            p[r * TILE + lane] = weight;
        }
        __syncwarp();
        attention_add<chunks>(sum, p, v_tile, zero, limit, D, pitch);
    }
    int end = tile.begin == tile.end ? N : tile.end;
    for (int r = 0; r < WARP_ROWS && row0 + r < end; r++) {
        float inverse = total[r] != 0 ? 1.0f / total[r] : 0.0f; // padding: no keys, out = 0
        for (int j = 0; j < chunks; j++) {
            int d = lane + 32 * j;
            if (d < D) { out[((size_t)(row0 + r) * H + h) * D + d] = to_floatX(sum[r][j] * inverse); }
        }
        if (lane == 0) { lse[(size_t)h * N + row0 + r] = total[r] != 0 ? best[r] + logf(total[r]) : 0.0f; }
    }
}
LLMC_C void attention_forward(floatX *out, float *lse, const floatX *qkv, const int *starts, int S, float scale, int N, int H, int KV, int D) {
    if (N == 0 || attention_forward_hopper(main_stream, out, lse, qkv, starts, S, scale, N, H, KV, D)) { return; }
    if constexpr (sizeof(floatX) == 2) {
        bool fits = packs_fit((size_t)D, out, qkv);
        if (D == 128 && fits) { return attention_forward_mma<128>(out, lse, qkv, starts, S, scale, N, H, KV); }
        if (D == 64 && fits) { return attention_forward_mma<64>(out, lse, qkv, starts, S, scale, N, H, KV); }
    }
    ATTENTION_RUN(attention_forward_kernel, dim3(attention_tiles(N, S), H), 3 * TILE * (D | 1) + TILE * TILE, D, out, lse, qkv, starts, S, scale, N, H, KV, D);
}
