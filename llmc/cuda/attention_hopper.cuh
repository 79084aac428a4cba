// Forward attention (../attention.h) for compute capability 9.0, after FlashAttention-3 (Shah et al. 2024): bf16, heads of 64 or 128 channels.
// Proven on the emulator (test/emulator) and compiled for sm_90a; no GPU has run it until SPEED.md says so.
//
// A block owns 128 queries of one head. Its first warpgroup is the producer: one thread lets TMA bring q once and keys and values tile by tile, from
// the diagonal tile back to the first of the sequence, into two stages each. The two others are consumers, 64 queries each:
//   s = q k^T (wgmma, both operands in shared memory) -> p = 2^(s - max) in registers -> o += p v (wgmma, p from registers)
// The scores of the next tile are multiplied while p v of the last runs, and one consumer's softmax runs under the other's products: they take
// turns to issue (ping-pong). Tiles are cut from their sequence's own start, so only the diagonal tile needs a mask, and it comes first.
// A stage passes between producer and consumers by two mbarriers: `full` counts TMA's bytes, `empty` the 8 warps that are done with it.
//
// 0 * NaN: a masked key has weight 0, but its value row is multiplied all the same. Only the diagonal tile has masked keys; before its values are
// handed on, the producer's four warps zero the rows behind the sequence's end (another sequence, or padding with anything in it) and what is not
// finite in the others; a query at or behind such a broken row gets NaN at the end, the queries before it what they had.
#pragma once
#include <limits.h>
#include <math.h>
#include <hopper.cuh>
#include "llmc/cuda/check.cuh"
#include "llmc/dtype.h"

enum { HOPPER_TILE = 128, // queries of a block, keys of a tile
       HOPPER_STAGES = 2,
       HOPPER_GROUP = 128, // threads of a warpgroup
       HOPPER_THREADS = 3 * HOPPER_GROUP,
       HOPPER_CONSUMER_WARPS = 8,
       HOPPER_HALF = HOPPER_TILE * 128, // bytes of 64 channels of a tile
       BARRIER_PRODUCER = 1,
       BARRIER_TURN = 2 }; // and 3: the turn of each consumer
struct HopperTile {
    int begin, end, first; // the rows of its sequence; its own first row. begin == end: padding, nobody's keys
    bool outside;
};
struct HopperState { // in shared memory behind the tiles
    uint64_t q_full, v_landed, k_full[HOPPER_STAGES], k_empty[HOPPER_STAGES], v_full[HOPPER_STAGES], v_empty[HOPPER_STAGES];
    int broken; // first row of the diagonal tile whose values are not finite
    HopperTile tile;
};

// The tile of this rank when all tiles of the pack are ordered by their number of keys, most first, then by sequence; padding comes last. Blocks
// start in this order, so the longest do not come at the end. One warp; lanes stride over the sequences.
// Tiles of more than n key tiles: sum over sequences of max(0, tiles - n). The level of a rank is the least n for which that is <= rank.
__device__ static inline int hopper_tiles(const int *starts, int s) { return CEIL_DIV(starts[s + 1] - starts[s], HOPPER_TILE); }
__device__ static inline int hopper_longer(const int *starts, int S, int n) {
    int count = 0;
    for (int s = threadIdx.x % 32; s < S; s += 32) { count += max(0, hopper_tiles(starts, s) - n); }
    for (int lane = 16; lane > 0; lane /= 2) { count += __shfl_xor_sync(0xFFFFFFFFu, count, lane); }
    return count;
}
__device__ static inline HopperTile hopper_tile(int rank, const int *starts, int S, int N) {
    int low = 0, high = CEIL_DIV(N, HOPPER_TILE) + 1, longer = hopper_longer(starts, S, 0), lane = threadIdx.x % 32;
    if (rank >= longer) {
        int first = starts[S] + (rank - longer) * HOPPER_TILE;
        return {N, N, first, first >= N};
    }
    longer = 0;              // of `high`
    while (high - low > 1) { // longer(low) > rank >= longer(high)
        int middle = (low + high) / 2, count = hopper_longer(starts, S, middle);
        if (count > rank) {
            low = middle;
        } else {
            high = middle, longer = count;
        }
    }
    int wanted = rank - longer;
    for (int s0 = 0; s0 < S; s0 += 32) { // the wanted-th sequence that has a tile of this level
        int s = s0 + lane;
        unsigned have = __ballot_sync(0xFFFFFFFFu, s < S && hopper_tiles(starts, min(s, S - 1)) >= high);
        if (wanted < __popc(have)) {
            for (int i = 0; i < wanted; i++) { have &= have - 1; }
            int found = s0 + __ffs(have) - 1;
            return {starts[found], starts[found + 1], starts[found] + (high - 1) * HOPPER_TILE, false};
        }
        wanted -= __popc(have);
    }
    return {N, N, N, true};
}

// ---- producer
template <int D>
__device__ static inline void hopper_load(unsigned char *tile, const TensorMap *map, int row, int column, uint64_t *full) {
    for (int half = 0; half < D / 64; half++) { tma_load(tile + half * HOPPER_HALF, map, row, column + 64 * half, full); }
}
// The values of the diagonal tile, `rows` of which belong to the sequence, made fit to be multiplied by zero. 16 bytes a thread at a time.
template <int D>
__device__ static inline void hopper_mend(unsigned char *v, int rows, int *broken) {
    for (int i = threadIdx.x; i < HOPPER_TILE * D / 8; i += HOPPER_GROUP) {
        int row = i / 8 % HOPPER_TILE; // the swizzle moves pieces within their row only
        uint4 *piece = (uint4 *)(void *)(v + i * 16), x = *piece;
        uint32_t word[4] = {x.x, x.y, x.z, x.w};
        bool finite = true;
#pragma unroll
        for (int j = 0; j < 4; j++) { finite = finite && (word[j] & 0x7F80u) != 0x7F80u && (word[j] & 0x7F800000u) != 0x7F800000u; }
        if (row >= rows || !finite) { *piece = make_uint4(0, 0, 0, 0); }
        if (row < rows && !finite) { atomicMin(broken, row); }
    }
}
template <int D>
__device__ static inline void hopper_produce(HopperState *state, unsigned char *q, const TensorMap *map, HopperTile tile, int h, int H, int KV) {
    enum { BYTES = HOPPER_TILE * D * 2 };
    unsigned char *k = q + BYTES, *v = k + HOPPER_STAGES * BYTES;
    int tiles = (tile.first - tile.begin) / HOPPER_TILE + 1, key = (H + h / (H / KV)) * D, value = key + KV * D;
    bool issues = threadIdx.x == 0;
    if (issues) {
        mbarrier_arrive_expect(&state->q_full, BYTES);
        hopper_load<D>(q, map, tile.first, h * D, &state->q_full);
        mbarrier_arrive_expect(&state->k_full[0], BYTES);
        hopper_load<D>(k, map, tile.first, key, &state->k_full[0]);
        mbarrier_arrive_expect(&state->v_landed, BYTES);
        hopper_load<D>(v, map, tile.first, value, &state->v_landed);
    }
    __syncwarp();
    mbarrier_wait(&state->v_landed, 0);
    hopper_mend<D>(v, tile.end - tile.first, &state->broken);
    proxy_fence();
    barrier_sync<HOPPER_GROUP>(BARRIER_PRODUCER);
    if (!issues) { return; }
    mbarrier_arrive(&state->v_full[0]);
    for (int j = 1; j < tiles; j++) {
        int stage = j % HOPPER_STAGES, row = tile.first - j * HOPPER_TILE, parity = (j / HOPPER_STAGES + 1) % 2; // a new barrier lets the wait for parity 1 pass
        mbarrier_wait(&state->k_empty[stage], parity);
        mbarrier_arrive_expect(&state->k_full[stage], BYTES);
        hopper_load<D>(k + stage * BYTES, map, row, key, &state->k_full[stage]);
        mbarrier_wait(&state->v_empty[stage], parity);
        mbarrier_arrive_expect(&state->v_full[stage], BYTES);
        hopper_load<D>(v + stage * BYTES, map, row, value, &state->v_full[stage]);
    }
}

// ---- consumers. Of a warpgroup's 64 rows a thread owns two, lane / 4 and lane / 4 + 8 of its warp's 16, each shared with the 3 other lanes of its quad.
template <int D>
__device__ static inline void hopper_scores(float (&s)[64], uint64_t q, uint64_t k) { // s[64 queries, 128 keys] = q k^T
    wgmma_fence();
#pragma unroll
    for (int i = 0; i < D / 16; i++) {
        int step = (i / 4 * HOPPER_HALF + i % 4 * 32) / 16; // 16 channels on
        wgmma_m64n128(s, q + step, k + step, i > 0);
    }
    wgmma_commit();
}
template <int registers>
__device__ static inline void hopper_values(float (&o)[registers], const uint32_t (&p)[32], uint64_t v) { // o[64 queries, D] += p v
    wgmma_fence();
#pragma unroll
    for (int i = 0; i < HOPPER_TILE / 16; i++) { wgmma_registers(o, p + 4 * i, v + i * 16 * 128 / 16, 1); } // 16 keys on
    wgmma_commit();
}
// s becomes exp(scale * s - best); best and total go on to include this tile; keep: what earlier sums are worth under the new best.
__device__ static inline void hopper_softmax(float (&s)[64], float (&best)[2], float (&total)[2], float (&keep)[2], float scale_log2) {
#pragma unroll
    for (int r = 0; r < 2; r++) {
        float highest = best[r], sum = 0;
#pragma unroll
        for (int i = 2 * r; i < 64; i += 4) { highest = fmaxf(highest, fmaxf(s[i], s[i + 1])); }
        highest = fmaxf(highest, __shfl_xor_sync(0xFFFFFFFFu, highest, 1));
        highest = fmaxf(highest, __shfl_xor_sync(0xFFFFFFFFu, highest, 2));
        float shift = highest * scale_log2;
        keep[r] = exp2_approximate(best[r] * scale_log2 - shift);
#pragma unroll
        for (int i = 2 * r; i < 64; i += 4) {
            s[i] = exp2_approximate(fmaf(s[i], scale_log2, -shift)), s[i + 1] = exp2_approximate(fmaf(s[i + 1], scale_log2, -shift));
            sum += s[i] + s[i + 1];
        }
        total[r] = total[r] * keep[r] + sum;
        best[r] = highest;
    }
}
__device__ static inline void hopper_pack(uint32_t (&p)[32], const float (&s)[64]) { // the accumulator's fragments are those of operand a
#pragma unroll
    for (int i = 0; i < 32; i++) { p[i] = pack_bf16(s[2 * i], s[2 * i + 1]); }
}
// One row of a quad: lane l of the quad holds columns 8 i + 2 l and + 1 in x[i]; afterwards x[i] is part i of the 16 bytes of columns 8 l .. 8 l + 7.
__device__ static inline void hopper_turn(uint32_t (&x)[4]) {
    int lane = threadIdx.x % 4;
#pragma unroll
    for (int step = 1; step < 4; step *= 2) {
        bool upper = lane & step;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            if (i & step) { continue; }
            uint32_t other = __shfl_xor_sync(0xFFFFFFFFu, upper ? x[i] : x[i | step], step);
            x[i] = upper ? other : x[i], x[i | step] = upper ? x[i | step] : other;
        }
    }
}
template <int D>
__device__ static inline void hopper_store(unsigned char *out, float *lse, const float (&o)[D / 2], const float (&total)[2], const float (&best)[2], float scale, HopperTile tile, int in_tile, int broken, int h, int N, int H) {
    int lane = threadIdx.x % 32;
#pragma unroll
    for (int r = 0; r < 2; r++) {
        float sum = total[r] + __shfl_xor_sync(0xFFFFFFFFu, total[r], 1);
        sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 2);
        int row = tile.first + in_tile + 8 * r;
        float inverse = in_tile + 8 * r < broken ? 1.0f / sum : NAN;
#pragma unroll
        for (int i = 0; i < D / 8; i += 4) { // 32 columns: 16 bytes a lane
            uint32_t x[4];
#pragma unroll
            for (int j = 0; j < 4; j++) { x[j] = pack_bf16(o[4 * (i + j) + 2 * r] * inverse, o[4 * (i + j) + 2 * r + 1] * inverse); }
            hopper_turn(x);
            size_t at = ((size_t)row * H + h) * D + 8 * i + 8 * (lane % 4);
            if (row < tile.end) { *(uint4 *)(void *)(out + 2 * at) = make_uint4(x[0], x[1], x[2], x[3]); }
        }
        if (row < tile.end && lane % 4 == 0) { lse[(size_t)h * N + row] = best[r] * scale + logf(sum); }
    }
}
template <int D>
__device__ static inline void hopper_consume(HopperState *state, const unsigned char *q, unsigned char *out, float *lse, HopperTile tile, float scale, int h, int N, int H) {
    enum { BYTES = HOPPER_TILE * D * 2 };
    int group = threadIdx.x / HOPPER_GROUP - 1, lane = threadIdx.x % 32, in_tile = 64 * group + threadIdx.x / 32 % 4 * 16 + lane / 4;
    int tiles = (tile.first - tile.begin) / HOPPER_TILE + 1, stage = 0;
    uint64_t q_at = wgmma_descriptor(q + group * 64 * 128, 0, 1024), k_at = wgmma_descriptor(q + BYTES, 0, 1024);
    uint64_t v_at = wgmma_descriptor(q + BYTES + HOPPER_STAGES * BYTES, HOPPER_HALF, 1024);
    float s[64], o[D / 2], best[2] = {-INFINITY, -INFINITY}, total[2] = {0, 0}, keep[2], scale_log2 = scale * 1.4426950408889634f;
    uint32_t p[32];
#pragma unroll
    for (int i = 0; i < D / 2; i++) { o[i] = 0; }
    if (group == 0 && tiles > 1) { barrier_arrive<2 * HOPPER_GROUP>(BARRIER_TURN); } // the first turn
    mbarrier_wait(&state->q_full, 0);
    mbarrier_wait(&state->k_full[0], 0);
    hopper_scores<D>(s, q_at, k_at);
    wgmma_wait<0>();
    if (lane == 0) { mbarrier_arrive(&state->k_empty[0]); }
#pragma unroll
    for (int i = 0; i < 64; i++) {
        int key = i / 4 * 8 + lane % 4 * 2 + i % 2, query = in_tile + i / 2 % 2 * 8;
        s[i] = key <= query ? s[i] : -INFINITY;
    }
    hopper_softmax(s, best, total, keep, scale_log2);
    hopper_pack(p, s);
    if (tiles > 1) { mbarrier_wait(&state->k_full[1 % HOPPER_STAGES], 1 / HOPPER_STAGES % 2); }
#pragma unroll 1
    for (int j = 1; j < tiles; j++) {
        int last = stage, last_parity = (j - 1) / HOPPER_STAGES % 2;
        stage = j % HOPPER_STAGES;
        barrier_sync<2 * HOPPER_GROUP>(BARRIER_TURN + group);
        hopper_scores<D>(s, q_at, k_at + stage * (BYTES / 16));
        mbarrier_wait(&state->v_full[last], last_parity);
        hopper_values(o, p, v_at + last * (BYTES / 16));
        if (group == 0 || j + 1 < tiles) { barrier_arrive<2 * HOPPER_GROUP>(BARRIER_TURN + 1 - group); }
        wgmma_wait<1>(); // the scores
        if (lane == 0) { mbarrier_arrive(&state->k_empty[stage]); }
        hopper_softmax(s, best, total, keep, scale_log2);
        // The next keys are awaited here because ptxas moves a wgmma_wait up over arithmetic, but not over a loop: the softmax has to stay above it.
        if (j + 1 < tiles) { mbarrier_wait(&state->k_full[(j + 1) % HOPPER_STAGES], (j + 1) / HOPPER_STAGES % 2); }
        wgmma_wait<0>(); // the sums
        if (lane == 0) { mbarrier_arrive(&state->v_empty[last]); }
#pragma unroll
        for (int i = 0; i < D / 2; i++) { o[i] *= keep[i / 2 % 2]; }
        hopper_pack(p, s);
    }
    mbarrier_wait(&state->v_full[stage], (tiles - 1) / HOPPER_STAGES % 2);
    hopper_values(o, p, v_at + stage * (BYTES / 16));
    wgmma_wait<0>();
    hopper_store<D>(out, lse, o, total, best, scale, tile, in_tile, state->broken, h, N, H);
}

template <int D>
__global__ void __launch_bounds__(HOPPER_THREADS) attention_hopper_kernel(unsigned char *out, float *lse, const __grid_constant__ TensorMap map, const int *starts, int S, float scale, int N, int H, int KV) {
    HopperState *state = (HopperState *)(void *)(dynamic_shared + (1 + 2 * HOPPER_STAGES) * HOPPER_TILE * D * 2);
    int h = blockIdx.x % H; // the heads that share keys run at the same time
    if (threadIdx.x < 32) {
        HopperTile found = hopper_tile(blockIdx.x / H, starts, S, N);
        if (threadIdx.x == 0) {
            state->tile = found, state->broken = INT_MAX;
            mbarrier_init(&state->q_full, 1);
            mbarrier_init(&state->v_landed, 1);
            for (int i = 0; i < HOPPER_STAGES; i++) {
                mbarrier_init(&state->k_full[i], 1);
                mbarrier_init(&state->v_full[i], 1);
                mbarrier_init(&state->k_empty[i], HOPPER_CONSUMER_WARPS);
                mbarrier_init(&state->v_empty[i], HOPPER_CONSUMER_WARPS);
            }
            mbarrier_init_fence();
        }
    }
    __syncthreads();
    HopperTile tile = state->tile;
    if (tile.outside) { return; }
    if (tile.begin == tile.end) { // padding: no keys, zero
        for (int i = threadIdx.x; i < HOPPER_TILE * D / 8; i += HOPPER_THREADS) {
            int row = tile.first + i / (D / 8);
            if (row < N) { *(uint4 *)(void *)(out + ((size_t)row * H + h) * D * 2 + i % (D / 8) * 16) = make_uint4(0, 0, 0, 0); }
        }
        if (threadIdx.x < HOPPER_TILE && tile.first + (int)threadIdx.x < N) { lse[(size_t)h * N + tile.first + threadIdx.x] = 0; }
        return;
    }
    if (threadIdx.x < HOPPER_GROUP) {
        registers_give<40>();
        hopper_produce<D>(state, dynamic_shared, &map, tile, h, H, KV);
    } else {
        registers_take<232>();
        hopper_consume<D>(state, dynamic_shared, out, lse, tile, scale, h, N, H);
    }
}
template <int D>
static void attention_hopper_run(cudaStream_t stream, floatX *out, float *lse, const TensorMap *map, const int *starts, int S, float scale, int N, int H, int KV) {
    size_t shared_bytes = (1 + 2 * HOPPER_STAGES) * HOPPER_TILE * D * 2 + sizeof(HopperState);
    cudaCheck(cudaFuncSetAttribute(attention_hopper_kernel<D>, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared_bytes));
    int tiles = CEIL_DIV(N, HOPPER_TILE) + S + 1; // at least as many as there are
    LAUNCH(attention_hopper_kernel<D>, tiles * H, HOPPER_THREADS, shared_bytes, stream, (unsigned char *)out, lse, *map, starts, S, scale, N, H, KV);
    cudaCheck(cudaGetLastError());
}
// False, with nothing done, where this kernel does not apply.
LLMC_C bool attention_forward_hopper(cudaStream_t stream, floatX *out, float *lse, const floatX *qkv, const int *starts, int S, float scale, int N, int H, int KV, int D) {
    int major = 0, minor = 0;
    TensorMap map;
    cudaCheck(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0));
    cudaCheck(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0));
    if (major != 9 || minor != 0 || sizeof(floatX) != 2 || (D != 64 && D != 128) || !(scale > 0) || ((uintptr_t)qkv | (uintptr_t)out) % 16) { return false; }
    if (!tensor_map_make(&map, qkv, (size_t)N, (size_t)(H + 2 * KV) * D, HOPPER_TILE, 64)) { return false; }
    if (D == 64) {
        attention_hopper_run<64>(stream, out, lse, &map, starts, S, scale, N, H, KV);
    } else {
        attention_hopper_run<128>(stream, out, lse, &map, starts, S, scale, N, H, KV);
    }
    return true;
}
