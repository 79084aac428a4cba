// Forward attention on tensor cores (FlashAttention-2, Dao 2023), bf16 storage and fp32 sums, for heads of 64 or 128 channels.
// A block of 4 warps owns 128 queries of one head; a warp owns 32 of them, so that every fragment of keys or values it loads serves two
// products. Keys and values go by in tiles of 64: values come in while scores are computed, the next keys while values are added up, and
// two blocks a multiprocessor fill each other's pauses. Probabilities go from accumulators to left factors without leaving their thread.
//   best = scale * log2 e * highest score so far      p = 2^(scale * log2 e * s - best)      lse = ln 2 * (best + log2 sum p)
// A score above the diagonal becomes -inf, but tensor cores still multiply its weight 0 by the value: an infinity or NaN in v reaches the
// earlier rows of its own tile (finite values never do). Other sequences and padding are never read.
#pragma once
#include "llmc/cuda/attention_mma_tile.cuh"

enum { MMA_QUERIES = 128,
       MMA_KEYS = 64,
       MMA_THREADS = 128 };
struct AttentionQueryTiles { // a tile of queries is a unit, its level the number of tiles before it
    __device__ int operator()(int n, int t) const { return max(0, n - t); }
};
// One online-softmax update: scores become weights, not divided by their sum, as left factors: two neighbouring accumulators are one of 16
// keys. The sums of earlier tiles are rescaled.
template <int tiles>
__device__ static inline void attention_softmax_mma(uint32_t p[2][MMA_KEYS / 16][4], const float s[2][MMA_KEYS / 8][4], float o[2][tiles][4], float best[2][2], float total[2][2], float scale) {
    float keep[2][2];
    bool grew = false;
#pragma unroll
    for (int m = 0; m < 2; m++) {
#pragma unroll
        for (int half = 0; half < 2; half++) { // row m * 16 + half * 8 + lane / 4; its columns lie in 4 lanes
            float highest = s[m][0][2 * half], sum = 0;
#pragma unroll
            for (int n = 0; n < MMA_KEYS / 8; n++) { highest = fmaxf(highest, fmaxf(s[m][n][2 * half], s[m][n][2 * half + 1])); }
            highest = fmaxf(highest, __shfl_xor_sync(ALL_LANES, highest, 1));
            highest = fmaxf(best[m][half], fmaxf(highest, __shfl_xor_sync(ALL_LANES, highest, 2)) * scale);
            keep[m][half] = exp2_approximate(best[m][half] - highest);
            grew = grew || best[m][half] != highest;
            best[m][half] = highest;
#pragma unroll
            for (int n = 0; n < MMA_KEYS / 8; n++) {
                float low = exp2_approximate(fmaf(s[m][n][2 * half], scale, -highest)), high = exp2_approximate(fmaf(s[m][n][2 * half + 1], scale, -highest));
                sum += low + high;
                p[m][n / 2][n % 2 * 2 + half] = pack_bf16(low, high);
            }
            total[m][half] = total[m][half] * keep[m][half] + sum; // of this lane's columns
        }
    }
    if (!__any_sync(ALL_LANES, grew)) { return; } // every factor is 1
#pragma unroll
    for (int m = 0; m < 2; m++) {
#pragma unroll
        for (int n = 0; n < tiles; n++) {
#pragma unroll
            for (int i = 0; i < 4; i++) { o[m][n][i] *= keep[m][i / 2]; }
        }
    }
}
// Scores of keys behind a row become -inf; row0 and key0 count from the start of the sequence.
__device__ static inline void attention_mask_mma(float s[2][MMA_KEYS / 8][4], int row0, int key0) {
    int row = row0 + threadIdx.x % 32 / 4, key = key0 + threadIdx.x % 4 * 2;
#pragma unroll
    for (int m = 0; m < 2; m++) {
#pragma unroll
        for (int n = 0; n < MMA_KEYS / 8; n++) {
#pragma unroll
            for (int i = 0; i < 4; i++) { s[m][n][i] = key + n * 8 + i % 2 > row + m * 16 + i / 2 * 8 ? -INFINITY : s[m][n][i]; }
        }
    }
}
template <int D>
__device__ static inline void attention_add_mma(float o[2][D / 8][4], const uint32_t p[2][MMA_KEYS / 16][4], const floatX *v_tile, int lane) {
#pragma unroll
    for (int k = 0; k < MMA_KEYS / 16; k++) {
#pragma unroll
        for (int n = 0; n < D / 8; n += 2) {
            uint32_t b[4];
            fragment_right_transposed<D>(b, v_tile, k * 16, n, lane);
#pragma unroll
            for (int m = 0; m < 2; m++) { fragment_product(o[m] + n, p[m][k], b); }
        }
    }
}
__device__ static inline void attention_padding(floatX *out, float *lse, int row, int N, int H, int D, int h) { // 128 rows from `row` on
    for (int i = threadIdx.x; i < MMA_QUERIES * D / 8; i += MMA_THREADS) {
        int r = row + i / (D / 8);
        if (r < N) { *(uint4 *)(void *)(out + ((size_t)r * H + h) * D + i % (D / 8) * 8) = make_uint4(0, 0, 0, 0); }
    }
    if (row + (int)threadIdx.x < N) { lse[(size_t)h * N + row + threadIdx.x] = 0; }
}
template <int D>
__global__ void __launch_bounds__(MMA_THREADS, 2) attention_forward_mma_kernel(floatX *out, float *lse, const floatX *qkv, const int *starts, int S, float scale, int N, int H, int KV) {
    floatX *q_tile = (floatX *)(void *)dynamic_shared, *k_tile = q_tile + MMA_QUERIES * D, *v_tile = k_tile + MMA_KEYS * D;
    __shared__ AttentionUnit unit; // registers are short: what only the end needs waits here
    int h = blockIdx.x % H, lane = threadIdx.x % 32, warp_row = threadIdx.x / 32 * 32;
    if (threadIdx.x < 32) {
        AttentionUnit found = attention_find(blockIdx.x / H, false, starts, S, N, MMA_QUERIES, AttentionQueryTiles());
        if (lane == 0) { unit = found; }
    }
    __syncthreads();
    if (unit.beyond >= 0) { return attention_padding(out, lse, starts[S] + unit.beyond * MMA_QUERIES, N, H, D, h); }
    int stride = (H + 2 * KV) * D, row0 = unit.level * MMA_QUERIES, keys = min(unit.end - unit.begin, row0 + MMA_QUERIES), first = warp_row + row0;
    const floatX *rows = qkv + (size_t)unit.begin * stride, *k = rows + (H + h / (H / KV)) * D;
    float o[2][D / 8][4] = {}, best[2][2], total[2][2] = {};
#pragma unroll
    for (int i = 0; i < 4; i++) { best[i / 2][i % 2] = -INFINITY; }
    tile_load<MMA_QUERIES, D, MMA_THREADS>(q_tile, rows + (size_t)row0 * stride + h * D, stride, keys - row0, threadIdx.x);
    tile_load<MMA_KEYS, D, MMA_THREADS>(k_tile, k, stride, keys, threadIdx.x);
    cp_async_commit();
    for (int behind = keys; behind > 0; behind -= MMA_KEYS) { // keys from this tile on
        cp_async_wait<0>();
        __syncthreads(); // these keys are there; everyone is done with the values before
        tile_load<MMA_KEYS, D, MMA_THREADS>(v_tile, k + KV * D, stride, behind, (int)opaque(threadIdx.x));
        cp_async_commit();
        float s[2][MMA_KEYS / 8][4] = {};
        tile_products<D, MMA_KEYS / 8>(s, q_tile, warp_row, k_tile, 0, (int)opaque(lane));
        cp_async_wait<0>();
        __syncthreads(); // these values are there; everyone is done with the keys
        k += (size_t)MMA_KEYS * stride;
        if (behind > MMA_KEYS) { tile_load<MMA_KEYS, D, MMA_THREADS>(k_tile, k, stride, behind - MMA_KEYS, (int)opaque(threadIdx.x)); }
        cp_async_commit();
        uint32_t p[2][MMA_KEYS / 16][4];
        int key0 = keys - behind;
        if (key0 + MMA_KEYS > first + 1) { attention_mask_mma(s, first, key0); }
        attention_softmax_mma<D / 8>(p, s, o, best, total, scale);
        attention_add_mma<D>(o, p, v_tile, (int)opaque(lane));
    }
    h = opaque(blockIdx.x) % H;
    int end = unit.end - unit.begin, begin = unit.level * MMA_QUERIES;
#pragma unroll
    for (int m = 0; m < 2; m++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float sum = total[m][half];
            sum += __shfl_xor_sync(ALL_LANES, sum, 1);
            sum += __shfl_xor_sync(ALL_LANES, sum, 2);
            int row = begin + warp_row + m * 16 + half * 8 + lane / 4;
            if (lane % 4 == 0 && row < end) { lse[(size_t)h * N + unit.begin + row] = LN_2 * (best[m][half] + log2f(sum)); }
            sum = __fdividef(1.0f, sum);
#pragma unroll
            for (int n = 0; n < D / 8; n++) { o[m][n][2 * half] *= sum, o[m][n][2 * half + 1] *= sum; }
        }
    }
    tile_store<D, D / 8>(q_tile, o, warp_row, 0, lane); // over this warp's own queries, to be written in whole rows
    __syncwarp();
    tile_write<32, D, 32>(out + ((size_t)(unit.begin + begin) * H + h) * D, (size_t)H * D, q_tile, warp_row, end - begin, lane);
}
template <int D>
static void attention_forward_mma(floatX *out, float *lse, const floatX *qkv, const int *starts, int S, float scale, int N, int H, int KV) {
    int bytes = (MMA_QUERIES + 2 * MMA_KEYS) * D * (int)sizeof(floatX), tiles = N / MMA_QUERIES + S + 1; // at least as many as there are
    cudaCheck(cudaFuncSetAttribute(attention_forward_mma_kernel<D>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
    RUN(attention_forward_mma_kernel<D>, tiles * H, MMA_THREADS, bytes, out, lse, qkv, starts, S, scale * LOG2_E, N, H, KV);
}
