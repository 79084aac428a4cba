// Backward attention on tensor cores (FlashAttention-2, Dao 2023), bf16 storage and fp32 sums, for heads of 64 or 128 channels: five products
// a step in one pass. A block of 8 warps owns 128 keys of one key/value head and one chunk of the sequence's queries; a step is 64 of these
// queries for one query head of the group. Q and dO of the next step come in while one is computed. With p and ds rounded to bf16:
//   s = q k^T, dp = dout v^T   (64 x 128; a warp 32 x 32)        p = 2^(scale log2e s - log2e lse), ds = p (dp - delta)
//   dv += p^T dout, dk += ds^T q   (128 x D; a warp 32 x D/2, in registers over all steps)        dq = ds k   (64 x D; a warp 32 x D/4)
//
// dq of a tile of queries is a sum over tiles of keys, so over blocks. They add by turns, without atomics, the tile at the diagonal first and
// then falling: the first one stores, the last one (keys 0..127) writes the rounded sum, those between add to fp32 memory. A counter for each
// tile and head says whose turn it is. Likewise dk and dv over the chunks of the queries, in rising order. Every order is a function of the
// place in the sequence alone, so the bits are too.
// Nobody waits for a block that has not begun: blocks take their number from a ticket, and level (number of tiles of keys of the chunk that
// have their turn before) rises with it. Waiting should be rare: blocks that begin together stay 2 steps apart at the diagonal, where the block
// before began 2 tiles later, and elsewhere keep the distance that a first wait gave them. Chunks keep blocks of long sequences equal, and the
// last of them short.
#pragma once
#include "llmc/cuda/attention_mma_tile.cuh"

enum { BACKWARD_KEYS = 128,
       BACKWARD_QUERIES = 64,
       BACKWARD_THREADS = 256,
       BACKWARD_CHUNK = 8 }; // tiles of keys whose rows make a chunk of queries: 1024 of them
// Chunk c of a sequence of n tiles meets the tiles of keys 0 .. min(8 (c + 1), n) - 1, and the last of these has level 0. At level t there are
// chunks t / 8 and later, so the chunk of a unit is t / 8 + its number in the chain.
struct AttentionKeyUnits {
    __host__ __device__ int operator()(int n, int t) const {
        int first = t / BACKWARD_CHUNK, full = max(0, CEIL_DIV(n, (int)BACKWARD_CHUNK) - 1 - first); // whole chunks from the first with this level
        return full * (BACKWARD_CHUNK * (first + 1) - t) + BACKWARD_CHUNK * (full * (full - 1) / 2) + max(0, n - t);
    }
};
// Scratch. A slot is a tile of 64 queries: sequence s has the slots from starts[s] / 64 + s on.
struct AttentionBackward {
    float *dq, *dkv;                  // (N, H, D), (N, 2 KV, D): sums that are not complete
    float2 *rows;                     // (H, slots, 64): log2e * lse, delta; behind the end of a sequence inf, 0
    int *ticket, *dq_turn, *dkv_turn; // (H, slots), (KV, slots)
    int slots;
};
static AttentionBackward attention_backward_scratch(float *scratch, int N, int S, int H, int KV, int D) { // as attention.h counts it
    AttentionBackward b = {scratch, scratch + (size_t)N * H * D, NULL, NULL, NULL, NULL, N / BACKWARD_QUERIES + S + 1};
    float *rows = b.dkv + (size_t)N * 2 * KV * D;
    b.rows = (float2 *)(void *)rows;
    b.ticket = (int *)(void *)(rows + (size_t)H * b.slots * 2 * BACKWARD_QUERIES);
    b.dq_turn = b.ticket + 1, b.dkv_turn = b.dq_turn + (size_t)H * b.slots;
    return b;
}

// lse and delta of one slot, all heads: D / 8 lanes to a row and head. Padding rows of dqkv become zero.
template <int D>
__global__ void __launch_bounds__(256) attention_rows_mma_kernel(floatX *dqkv, AttentionBackward b, const floatX *dout, const floatX *out, const float *lse, const int *starts, int S, int N, int H, int KV) {
    constexpr int lanes = D / 8;
    int s = 0, slot = blockIdx.x, lane = threadIdx.x % lanes, width = (H + 2 * KV) * D;
    for (int high = S; high - s > 1;) { // the last sequence whose slots begin at or before this one
        int middle = (s + high) / 2;
        (starts[middle] / BACKWARD_QUERIES + middle <= slot ? s : high) = middle;
    }
    int end = S > 0 ? starts[s + 1] : 0, row0 = starts[s] + (slot - starts[s] / BACKWARD_QUERIES - s) * BACKWARD_QUERIES;
    for (int i = threadIdx.x / lanes; i < BACKWARD_QUERIES * H && row0 < end; i += 256 / lanes) { // whole warps: 64 H is a multiple of 256 / lanes
        int h = i % H, r = i / H;
        size_t row = (size_t)min(row0 + r, end - 1) * H + h;
        Floats<8> x = load<8>(dout + row * D + lane * 8), y = load<8>(out + row * D + lane * 8);
        float sum = 0;
        for (int j = 0; j < 8; j++) { sum += x.v[j] * y.v[j]; }
        for (int step = lanes / 2; step > 0; step /= 2) { sum += __shfl_xor_sync(ALL_LANES, sum, step); }
        if (lane == 0) { b.rows[((size_t)h * b.slots + slot) * BACKWARD_QUERIES + r] = row0 + r < end ? make_float2(LOG2_E * lse[(size_t)h * N + row0 + r], sum) : make_float2(INFINITY, 0); }
    }
    for (int row = starts[S] + blockIdx.x; row < N; row += gridDim.x) {
        for (int i = threadIdx.x; i < width / 8; i += 256) { *(uint4 *)(void *)(dqkv + (size_t)row * width + i * 8) = make_uint4(0, 0, 0, 0); }
    }
}

// A warp's sums of 32 rows (those < present) in fp32 memory; there a thread's 4 values of two neighbouring tiles lie together.
template <int tiles>
__device__ static inline void partial_load(float d[2][tiles][4], const float *from, int stride, int present, int lane) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
        int row = i * 8 + lane / 4;
        if (row < present) {
#pragma unroll
            for (int n = 0; n < tiles; n += 2) {
                float4 v = __ldcg((const float4 *)(const void *)(from + (size_t)row * stride + n * 8 + lane % 4 * 4));
                float *low = d[i / 2][n] + i % 2 * 2, *high = d[i / 2][n + 1] + i % 2 * 2;
                low[0] = v.x, low[1] = v.y, high[0] = v.z, high[1] = v.w;
            }
        }
    }
}
template <int tiles>
__device__ static inline void partial_store(float *to, const float d[2][tiles][4], int stride, int present, int lane) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
        int row = i * 8 + lane / 4;
        if (row < present) {
#pragma unroll
            for (int n = 0; n < tiles; n += 2) {
                const float *low = d[i / 2][n] + i % 2 * 2, *high = d[i / 2][n + 1] + i % 2 * 2;
                __stcg((float4 *)(void *)(to + (size_t)row * stride + n * 8 + lane % 4 * 4), make_float4(low[0], low[1], high[0], high[1]));
            }
        }
    }
}
// Complete: 32 rows of bf16.
template <int tiles>
__device__ static inline void gradient_write(floatX *to, const float d[2][tiles][4], float factor, int stride, int present, int lane) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
        int row = i * 8 + lane / 4;
        if (row < present) {
#pragma unroll
            for (int n = 0; n < tiles; n++) {
                const float *pair = d[i / 2][n] + i % 2 * 2;
                *(uint32_t *)(void *)(to + (size_t)row * stride + n * 8 + lane % 4 * 2) = pack_bf16(factor * pair[0], factor * pair[1]);
            }
        }
    }
}
// By one thread: until it is `turn`'s turn, and what those before it wrote can be read after the next barrier.
__device__ static inline void turn_wait(const int *counter, int seen, int turn) {
    if (seen >= turn) { return; }
    while (load_relaxed(counter) < turn) {}
    gpu_fence();
}

// p and ds of this step into their tiles. diagonal: row minus key at the tiles' corners; rows see keys up to their own.
template <int D>
__device__ static inline void attention_probabilities_mma(floatX *p_tile, floatX *ds_tile, const floatX *q_tile, const floatX *dout_tile, const floatX *k_tile, const floatX *v_tile, const float2 *rows, float scale, int diagonal, int thread) {
    int lane = thread % 32, row0 = thread / 32 / 4 * 32, key0 = thread / 32 % 4 * 32;
    float p[2][4][4] = {}, ds[2][4][4];
    tile_products<D, 4>(p, q_tile, row0, k_tile, key0, lane);
    if (diagonal < BACKWARD_KEYS) {
        int ahead = key0 + lane % 4 * 2 - (row0 + lane / 4 + diagonal); // key minus row of this lane's first score
#pragma unroll
        for (int i = 0; i < 32; i++) { p[i / 16][i / 4 % 4][i % 4] = ahead + i / 4 % 4 * 8 + i % 2 > i / 16 * 16 + i / 2 % 2 * 8 ? -INFINITY : p[i / 16][i / 4 % 4][i % 4]; }
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
        float2 row = rows[row0 + i * 8 + lane / 4];
#pragma unroll
        for (int n = 0; n < 4; n++) {
#pragma unroll
            for (int e = 0; e < 2; e++) {
                float *score = &p[i / 2][n][i % 2 * 2 + e];
                *score = exp2_approximate(fmaf(*score, scale, -row.x));
                ds[i / 2][n][i % 2 * 2 + e] = -row.y;
            }
        }
    }
    tile_store<BACKWARD_KEYS, 4>(p_tile, p, row0, key0 / 8, lane);
    tile_products<D, 4>(ds, dout_tile, row0, v_tile, key0, lane);
#pragma unroll
    for (int i = 0; i < 32; i++) { ds[i / 16][i / 4 % 4][i % 4] *= p[i / 16][i / 4 % 4][i % 4]; }
    tile_store<BACKWARD_KEYS, 4>(ds_tile, ds, row0, key0 / 8, lane);
}
// d[32 keys, D / 2] += left[64 queries, these keys]^T right[64 queries, these channels]
template <int D>
__device__ static inline void attention_keys_mma(float d[2][D / 16][4], const floatX *left, const floatX *right, int thread) {
    int lane = thread % 32, key0 = thread / 32 / 2 * 32, chunk0 = thread / 32 % 2 * (D / 16);
#pragma unroll
    for (int k = 0; k < BACKWARD_QUERIES / 16; k++) {
        uint32_t a[2][4];
#pragma unroll
        for (int m = 0; m < 2; m++) { fragment_left_transposed<BACKWARD_KEYS>(a[m], left, k * 16, key0 / 8 + m * 2, lane); }
#pragma unroll
        for (int n = 0; n < D / 16; n += 2) {
            uint32_t b[4];
            fragment_right_transposed<D>(b, right, k * 16, chunk0 + n, lane);
#pragma unroll
            for (int m = 0; m < 2; m++) { fragment_product(d[m] + n, a[m], b); }
        }
    }
}
// dq[32 queries, D / 4] += ds[these queries, 128 keys] k[128 keys, these channels]
template <int D>
__device__ static inline void attention_queries_mma(float dq[2][D / 32][4], const floatX *ds_tile, const floatX *k_tile, int thread) {
    int lane = thread % 32, row0 = thread / 32 / 4 * 32, chunk0 = thread / 32 % 4 * (D / 32);
#pragma unroll
    for (int k = 0; k < BACKWARD_KEYS / 16; k++) {
        uint32_t a[2][4];
#pragma unroll
        for (int m = 0; m < 2; m++) { fragment_left<BACKWARD_KEYS>(a[m], ds_tile, row0 + m * 16, 2 * k, lane); }
#pragma unroll
        for (int n = 0; n < D / 32; n += 2) {
            uint32_t b[4];
            fragment_right_transposed<D>(b, k_tile, k * 16, chunk0 + n, lane);
#pragma unroll
            for (int m = 0; m < 2; m++) { fragment_product(dq[m] + n, a[m], b); }
        }
    }
}
// What a block works on.
struct AttentionKeys {
    AttentionUnit unit;
    int kv, tile, first, last; // its key/value head; its tile of keys; its tiles of queries first .. last - 1
    int head, heads_end;       // its group of query heads
    int slot, length;          // of its sequence: first slot, rows
    int turn;                  // of its chunk among those that add to its dk and dv
    bool complete;             // no chunk comes after it
};
__device__ static inline AttentionKeys attention_keys(int *ticket, const int *starts, int S, int N, int H, int KV) { // by one warp
    int number = 0;
    if (threadIdx.x == 0) { number = atomicAdd(ticket, 1); }
    number = __shfl_sync(ALL_LANES, number, 0);
    AttentionUnit u = attention_find(number / KV, true, starts, S, N, BACKWARD_KEYS, AttentionKeyUnits());
    int length = u.end - u.begin, tiles = CEIL_DIV(length, (int)BACKWARD_KEYS), chunk = u.level / BACKWARD_CHUNK + u.chain, key_tiles = min(BACKWARD_CHUNK * (chunk + 1), tiles);
    int tile = key_tiles - 1 - u.level, kv = number % KV, group = H / KV;
    return {u, kv, tile, 2 * max(tile, BACKWARD_CHUNK * chunk), min(2 * BACKWARD_CHUNK * (chunk + 1), CEIL_DIV(length, (int)BACKWARD_QUERIES)),
            kv * group, (kv + 1) * group, u.begin / BACKWARD_QUERIES + u.sequence, length, chunk - tile / BACKWARD_CHUNK, chunk == (tiles - 1) / BACKWARD_CHUNK};
}
// By one thread: the step before that of tile i and head h is done, the next block's turn has come.
__device__ static inline void attention_pass(const AttentionBackward &b, const AttentionKeys &own, int i, int h) {
    int before = i > own.first ? i - 1 : own.last - 1 - b.slots; // the same tile of the head before lies `slots` back
    atomicAdd(b.dq_turn + h * b.slots + own.slot + before, 1);
}
// The block's dk and dv: added to those of the chunks before, then left for the next chunk or, when complete, written in whole rows.
template <int D>
__device__ static inline void attention_keys_write(floatX *dqkv, float *partial, float dk[2][D / 16][4], float dv[2][D / 16][4], floatX *dk_tile, floatX *dv_tile, const AttentionKeys &own, float scale, int H, int KV) {
    int thread = thread_again() % BACKWARD_THREADS, warp = thread / 32, lane = thread % 32, first = own.tile * BACKWARD_KEYS, row0 = warp / 2 * 32, present = own.unit.end - own.unit.begin - first;
    size_t row = (size_t)own.unit.begin + first;
    float *sums = partial + ((row + row0) * 2 * KV + own.kv) * D + warp % 2 * (D / 2);
    for (int which = 0; own.turn > 0 && which < 2; which++) {
        float before[2][D / 16][4] = {};
        partial_load<D / 16>(before, sums + which * KV * D, 2 * KV * D, present - row0, lane);
#pragma unroll
        for (int i = 0; i < D / 2; i++) {
            float sum = before[i / (D / 4)][i / 4 % (D / 16)][i % 4];
            dk[i / (D / 4)][i / 4 % (D / 16)][i % 4] += which == 0 ? sum : 0.0f;
            dv[i / (D / 4)][i / 4 % (D / 16)][i % 4] += which == 1 ? sum : 0.0f;
        }
    }
    if (!own.complete) {
        partial_store<D / 16>(sums, dk, 2 * KV * D, present - row0, lane);
        partial_store<D / 16>(sums + KV * D, dv, 2 * KV * D, present - row0, lane);
        return;
    }
#pragma unroll
    for (int i = 0; i < D / 2; i++) { dk[i / (D / 4)][i / 4 % (D / 16)][i % 4] *= scale; }
    tile_store<D, D / 16>(dk_tile, dk, row0, warp % 2 * (D / 16), lane);
    tile_store<D, D / 16>(dv_tile, dv, row0, warp % 2 * (D / 16), lane);
    __syncthreads();
    int stride = (H + 2 * KV) * D;
    floatX *to = dqkv + row * stride + (H + own.kv) * D;
    tile_write<BACKWARD_KEYS, D, BACKWARD_THREADS>(to, stride, dk_tile, 0, present, thread);
    tile_write<BACKWARD_KEYS, D, BACKWARD_THREADS>(to + KV * D, stride, dv_tile, 0, present, thread);
}
template <int D>
__global__ void __launch_bounds__(BACKWARD_THREADS, 1) attention_backward_mma_kernel(floatX *dqkv, AttentionBackward b, const floatX *dout, const floatX *qkv, const int *starts, int S, float scale, int N, int H, int KV) {
    constexpr int key_values = BACKWARD_KEYS * D, query_values = BACKWARD_QUERIES * D;
    floatX *k_tile = (floatX *)(void *)dynamic_shared, *v_tile = k_tile + key_values, *q_tiles = v_tile + key_values, *dout_tiles = q_tiles + 2 * query_values;
    floatX *p_tile = dout_tiles + 2 * query_values, *ds_tile = p_tile + BACKWARD_QUERIES * BACKWARD_KEYS;
    float2 *row_tiles = (float2 *)(void *)(ds_tile + BACKWARD_QUERIES * BACKWARD_KEYS);
    __shared__ AttentionKeys own;
    int lane = threadIdx.x % 32, stride = (H + 2 * KV) * D;
    if (threadIdx.x < 32) {
        AttentionKeys found = attention_keys(b.ticket, starts, S, N, H, KV);
        if (lane == 0) { own = found; }
    }
    __syncthreads();
    if (own.unit.beyond >= 0) { return; }
    auto load_queries = [&](int i, int h, int buffer) { // tile i of head h
        int row = i * BACKWARD_QUERIES, thread = thread_again() % BACKWARD_THREADS;
        size_t at = (size_t)(own.unit.begin + row);
        tile_load<BACKWARD_QUERIES, D, BACKWARD_THREADS>(q_tiles + buffer * query_values, qkv + at * stride + h * D, stride, own.length - row, thread);
        tile_load<BACKWARD_QUERIES, D, BACKWARD_THREADS>(dout_tiles + buffer * query_values, dout + (at * H + h) * D, H * D, own.length - row, thread);
        if (thread < BACKWARD_QUERIES / 2) { cp_async_16(row_tiles + buffer * BACKWARD_QUERIES + thread * 2, b.rows + ((size_t)h * b.slots + own.slot + i) * BACKWARD_QUERIES + thread * 2, 16); }
    };
    auto own_queries = [&](int i, int h, int width) { // where this warp's part of dq begins in rows of `width` values
        int thread = thread_again() % BACKWARD_THREADS;
        return ((size_t)own.unit.begin + i * BACKWARD_QUERIES + thread / 128 * 32) * width + h * D + thread / 32 % 4 * (D / 4);
    };
    auto own_present = [&](int i) { return own.length - i * BACKWARD_QUERIES - (int)(thread_again() % BACKWARD_THREADS / 128 * 32); };
    {
        const floatX *key = qkv + ((size_t)own.unit.begin + own.tile * BACKWARD_KEYS) * stride + (H + own.kv) * D;
        tile_load<BACKWARD_KEYS, D, BACKWARD_THREADS>(k_tile, key, stride, own.length - own.tile * BACKWARD_KEYS, threadIdx.x);
        tile_load<BACKWARD_KEYS, D, BACKWARD_THREADS>(v_tile, key + KV * D, stride, own.length - own.tile * BACKWARD_KEYS, threadIdx.x);
        load_queries(own.first, own.head, 0);
        cp_async_commit();
    }
    float dk[2][D / 16][4] = {}, dv[2][D / 16][4] = {};
    int i = own.first, h = own.head; // this step's tile of queries and head
    while (h < own.heads_end) {
        int seen = 0, buffer = (i - own.first + (h - own.head) * (own.last - own.first)) % 2; // number of the step, modulo 2
        cp_async_wait<0>();
        __syncthreads(); // this step's queries are there; everyone is done with the step before
        if (i + 1 < own.last) {
            load_queries(i + 1, h, buffer ^ 1);
        } else if (h + 1 < own.heads_end) {
            load_queries(own.first, h + 1, buffer ^ 1);
        }
        cp_async_commit();
        if (threadIdx.x == 0) { seen = load_relaxed(b.dq_turn + h * b.slots + own.slot + i); } // early: it is needed when the probabilities are done
        const floatX *q_tile = q_tiles + buffer * query_values, *dout_tile = dout_tiles + buffer * query_values;
        attention_probabilities_mma<D>(p_tile, ds_tile, q_tile, dout_tile, k_tile, v_tile, row_tiles + buffer * BACKWARD_QUERIES, scale,
                                       i * BACKWARD_QUERIES - own.tile * BACKWARD_KEYS, thread_again() % BACKWARD_THREADS);
        if (threadIdx.x == 0) {
            gpu_fence(); // the sums of the step before, stored by all before the barrier above, and what `seen` tells of
            if (h > own.head || i > own.first) { attention_pass(b, own, i, h); }
            turn_wait(b.dq_turn + h * b.slots + own.slot + i, seen, i / 2 - own.tile);
        }
        __syncthreads(); // p and ds are there; it is this block's turn
        float dq[2][D / 32][4] = {};
        if (i / 2 > own.tile) { partial_load<D / 32>(dq, b.dq + own_queries(i, h, H * D), H * D, own_present(i), thread_again() % 32); } // needed after two products
        attention_keys_mma<D>(dv, p_tile, dout_tile, thread_again() % BACKWARD_THREADS);
        attention_keys_mma<D>(dk, ds_tile, q_tile, thread_again() % BACKWARD_THREADS);
        attention_queries_mma<D>(dq, ds_tile, k_tile, thread_again() % BACKWARD_THREADS);
        if (own.tile > 0) {
            partial_store<D / 32>(b.dq + own_queries(i, h, H * D), dq, H * D, own_present(i), thread_again() % 32);
        } else {
            gradient_write<D / 32>(dqkv + own_queries(i, h, stride), dq, scale * LN_2, stride, own_present(i), thread_again() % 32);
        }
        h += i + 1 == own.last, i = i + 1 == own.last ? own.first : i + 1;
    }
    __syncthreads(); // everyone's sums are stored, everyone is done with the tiles
    const int *turns = b.dkv_turn + (size_t)own.kv * b.slots + own.slot + 2 * own.tile;
    if (threadIdx.x == 0) {
        gpu_fence();
        attention_pass(b, own, i, h);
        turn_wait(turns, 0, own.turn);
    }
    __syncthreads();
    attention_keys_write<D>(dqkv, b.dkv, dk, dv, k_tile, v_tile, own, scale * LN_2, H, KV);
    if (own.complete) { return; }
    __syncthreads(); // everyone's sums are stored
    if (threadIdx.x == 0) {
        gpu_fence();
        atomicAdd(b.dkv_turn + (size_t)own.kv * b.slots + own.slot + 2 * own.tile, 1);
    }
}
template <int D>
static void attention_backward_mma(floatX *dqkv, float *scratch, const floatX *dout, const floatX *qkv, const floatX *out, const float *lse, const int *starts, int S, float scale, int N, int H, int KV) {
    AttentionBackward b = attention_backward_scratch(scratch, N, S, H, KV, D);
    int bytes = (2 * BACKWARD_KEYS * D + 4 * BACKWARD_QUERIES * D + 2 * BACKWARD_QUERIES * BACKWARD_KEYS) * (int)sizeof(floatX) + 2 * BACKWARD_QUERIES * (int)sizeof(float2);
    int units = AttentionKeyUnits()(N / BACKWARD_KEYS + S, 0); // one long sequence has more than many short ones of as many tiles
    cudaCheck(cudaFuncSetAttribute(attention_backward_mma_kernel<D>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
    device_zero(b.ticket, (1 + (size_t)(H + KV) * b.slots) * sizeof(int));
    RUN(attention_rows_mma_kernel<D>, b.slots, 256, 0, dqkv, b, dout, out, lse, starts, S, N, H, KV);
    if (units > 0) { RUN(attention_backward_mma_kernel<D>, units * KV, BACKWARD_THREADS, bytes, dqkv, b, dout, qkv, starts, S, scale * LOG2_E, N, H, KV); }
}
