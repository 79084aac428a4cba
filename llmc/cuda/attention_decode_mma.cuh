// attention_decode_mma: decode attention on tensor cores, for bf16 and heads of 64 or 128 channels. Its work is one stream from memory, so
// everything serves to keep loads in flight.
// An item is one chunk of one sequence and one unit: a key/value head and its query heads, as the rows of an MMA tile (8, or 16 if there
// are more). Blocks stay: block i takes items i, i + gridDim, .. Each of its 4 warps owns 16 positions of every 64, which go by in slots
// through a ring of its own in shared memory; the ring runs on into the next item while this one's results are joined.
#pragma once
#include "llmc/attention_decode.h"
#include "llmc/cuda/vector.cuh"

enum { DECODE_WARPS = 4,
       DECODE_SLOT = 16,                          // positions of a slot: the depth of one MMA
       DECODE_STEP = DECODE_WARPS * DECODE_SLOT,  // positions that the warps take side by side
       DECODE_SLOTS = DECODE_CHUNK / DECODE_STEP, // slots of a warp in an item
       DECODE_FAN = 16 };                         // results joined at a time
static_assert(KV_PAGE % DECODE_SLOT == 0 && DECODE_CHUNK % DECODE_STEP == 0 && DECODE_COUNTERS <= 32, "a slot lies in one page, a lane holds an entry of a record");

// One block for each sequence lists its chunks; where they go follows from the lengths of the sequences before it.
__global__ void __launch_bounds__(128) attention_decode_plan_kernel(int *plan, const int *page_table, const int *lengths, int max_pages, int record, int B) {
    int b = blockIdx.x, before = 0, own = max(1, CEIL_DIV(lengths[b], (int)DECODE_CHUNK)); // an idle row has an empty chunk
    for (int i = threadIdx.x; i < b; i += blockDim.x) { before += max(1, CEIL_DIV(lengths[i], (int)DECODE_CHUNK)); }
    int first = block_sum(before);
    if (b == B - 1 && threadIdx.x == 0) { plan[0] = first + own; }
    for (int i = threadIdx.x; i < own * record; i += blockDim.x) {
        int chunk = i / record, entry = i % record, page = chunk * DECODE_CHUNK_PAGES + entry - DECODE_PAGES, value = 0; // counters start at 0
        if (entry == DECODE_SEQUENCE) { value = b; }
        if (entry == DECODE_FIRST) { value = first; }
        if (entry == DECODE_CHUNKS) { value = own; }
        if (entry == DECODE_POSITIONS) { value = min((int)DECODE_CHUNK, lengths[b] - chunk * DECODE_CHUNK); }
        if (entry >= DECODE_PAGES && entry < DECODE_COUNTERS && page * KV_PAGE < lengths[b]) { value = page_table[(size_t)b * max_pages + page]; }
        plan[1 + (size_t)first * record + i] = value;
    }
}

struct DecodeSizes { // the same for every item
    int H, KV, D, units, record, items;
    float scale; // times log2(e): weights are powers of two
};
template <int D, int rows>
struct DecodeShared {
    enum { HALF = DECODE_SLOT * D * 2, // bytes of a slot's keys, or values
           AHEAD = 256 / D,            // slots in flight: 16 KB a warp
           STAGES = AHEAD + 1 };       // and the one being read
    unsigned char stage[DECODE_WARPS][STAGES][2 * HALF];
    float o[DECODE_WARPS][rows][D], m[DECODE_WARPS][rows], l[DECODE_WARPS][rows];
    int last;
};
static_assert(sizeof(DecodeShared<128, 8>) + 1024 <= 228 * 1024 / 2, "two blocks share a multiprocessor of Hopper");
// A warp's running result: row lane/4 (and lane/4 + 8); m the largest score, l this lane's part of the sum of weights, o as MMA fragments.
template <int D, int rows>
struct DecodeRows {
    uint32_t q[D / 16][4];
    float m[rows / 8], l[rows / 8], o[D / 8][4];
};

// 16-byte pieces of a row are permuted by the row, so that ldmatrix and cp.async touch all banks.
template <int D>
__device__ static inline int decode_piece(int row, int piece) { return (row * (D / 8) + (piece ^ (row % 8))) * 16; }
// Rows of results that lie 8 banks apart without padding.
__device__ static inline int decode_column(int row, int d) { return d ^ row % 4 * 8; }
// Starts the loads of slot j of an item into `stage`; rows behind the end become zero, for 0 * NaN is not 0.
template <int D>
__device__ static inline void decode_issue(unsigned char *stage, const floatX *cache, int record, int j, int kv, int KV) {
    int lane = threadIdx.x % 32, position = j * DECODE_STEP + threadIdx.x / 32 * DECODE_SLOT, half = DECODE_SLOT * D * 2;
    int present = __shfl_sync(ALL_LANES, record, DECODE_POSITIONS) - position, page = __shfl_sync(ALL_LANES, record, DECODE_PAGES + position / KV_PAGE);
    if (present > 0) {
        const floatX *keys = cache + ((size_t)page * KV + kv) * 2 * KV_PAGE * D + position % KV_PAGE * D, *values = keys + KV_PAGE * D;
#pragma unroll
        for (int k = 0; k < DECODE_SLOT * D / 256; k++) {
            int i = k * 32 + lane, row = i / (D / 8), to = decode_piece<D>(row, i % (D / 8)), bytes = row < present ? 16 : 0, from = bytes ? i * 8 : 0;
            cp_async_16(stage + to, keys + from, bytes);
            cp_async_16(stage + half + to, values + from, bytes);
        }
    }
    cp_async_commit(); // also when empty: groups count slots
}
template <int D, int rows>
__device__ static inline void decode_begin(DecodeRows<D, rows> &r, const floatX *query, int heads) {
    int row = threadIdx.x % 32 / 4, pair = threadIdx.x % 4 * 2;
#pragma unroll
    for (int k = 0; k < D / 16; k++) {
#pragma unroll
        for (int i = 0; i < 4; i++) { // missing heads are zero
            int head = row + i % 2 * 8, d = k * 16 + i / 2 * 8 + pair;
            r.q[k][i] = (rows > 8 || i % 2 == 0) && head < heads ? *(const uint32_t *)(const void *)(query + head * D + d) : 0;
        }
    }
#pragma unroll
    for (int u = 0; u < rows / 8; u++) { r.m[u] = -1e30f, r.l[u] = 0; } // finite, so that a warp without positions joins with weight 0
#pragma unroll
    for (int t = 0; t < D / 8; t++) {
#pragma unroll
        for (int i = 0; i < 4; i++) { r.o[t][i] = 0; }
    }
}
// One online-softmax update with the 16 positions of a slot, of which `present` exist.
template <int D, int rows>
__device__ static inline void decode_slot(DecodeRows<D, rows> &r, const unsigned char *stage, int present, float scale) {
    int lane = threadIdx.x % 32, pair = lane % 4 * 2;
    float s[2][4] = {};
#pragma unroll
    for (int k = 0; k < D / 16; k++) { // matrices: positions 0-7 and 8-15, each with two times 8 channels
        uint32_t keys[4];
        ldmatrix_x4(keys, stage + decode_piece<D>(lane / 16 * 8 + lane % 8, k * 2 + lane / 8 % 2));
        mma_bf16(s[0], r.q[k], keys);
        mma_bf16(s[1], r.q[k], keys + 2);
    }
    uint32_t p[4] = {}; // the weights are the next product's left side as they lie
#pragma unroll
    for (int u = 0; u < rows / 8; u++) {
        float score[4], highest = r.m[u];
#pragma unroll
        for (int i = 0; i < 4; i++) { // positions pair, pair + 1, pair + 8, pair + 9
            score[i] = i / 2 * 8 + i % 2 + pair < present ? s[i / 2][2 * u + i % 2] * scale : -INFINITY;
            highest = fmaxf(highest, score[i]);
        }
        highest = fmaxf(highest, __shfl_xor_sync(ALL_LANES, highest, 1));
        highest = fmaxf(highest, __shfl_xor_sync(ALL_LANES, highest, 2));
        float keep = exp2f(r.m[u] - highest);
#pragma unroll
        for (int i = 0; i < 4; i++) { score[i] = exp2f(score[i] - highest); }
        r.m[u] = highest;
        r.l[u] = r.l[u] * keep + ((score[0] + score[1]) + (score[2] + score[3]));
        p[u] = pack_bf16(score[0], score[1]);
        p[u + 2] = pack_bf16(score[2], score[3]);
#pragma unroll
        for (int t = 0; t < D / 8; t++) { r.o[t][2 * u] *= keep, r.o[t][2 * u + 1] *= keep; }
    }
#pragma unroll
    for (int t = 0; t < D / 16; t++) { // matrices: positions 0-7 and 8-15 of 8 channels, then of the next 8
        uint32_t values[4];
        ldmatrix_x4_transposed(values, stage + DECODE_SLOT * D * 2 + decode_piece<D>(lane % 16, t * 2 + lane / 16));
        mma_bf16(r.o[2 * t], p, values);
        mma_bf16(r.o[2 * t + 1], p, values + 2);
    }
}

// The result of one chunk, or of a subtree of them, for one query head: D weighted values, then m and l for either parity of the level.
__device__ static inline float *decode_partial(float *scratch, int chunk, int head, const DecodeSizes &a) { return scratch + ((size_t)chunk * a.H + head) * (a.D + 4); }
// Weighted values d .. d+3 of a head: divided they are its output (root), else they wait in scratch to be joined.
__device__ static inline void decode_put(floatX *out, float *partial, bool root, int level, int d, float4 o, float m, float l, int D) {
    if (root) {
        float inverse = l != 0 ? 1.0f / l : 0.0f; // an idle row has no weights: out = 0
        *(uint2 *)(void *)(out + d) = make_uint2(pack_bf16(o.x * inverse, o.y * inverse), pack_bf16(o.z * inverse, o.w * inverse));
    } else {
        *(float4 *)(void *)(partial + d) = o;
        if (d == 0) { *(float2 *)(void *)(partial + D + level % 2 * 2) = make_float2(m, l); }
    }
}
__device__ static inline void decode_add(float4 &o, float weight, float4 x) {
    o.x += weight * x.x, o.y += weight * x.y, o.z += weight * x.z, o.w += weight * x.w;
}
// The warps' results of an item, joined in the order of the warps.
template <int D, int rows>
__device__ static inline void decode_join(floatX *out, float *scratch, DecodeShared<D, rows> &shared, const DecodeRows<D, rows> &r, int chunk, int head, int heads, bool root, const DecodeSizes &a) {
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
#pragma unroll
    for (int u = 0; u < rows / 8; u++) {
        int row = lane / 4 + 8 * u;
        float l = r.l[u];
        l += __shfl_xor_sync(ALL_LANES, l, 1);
        l += __shfl_xor_sync(ALL_LANES, l, 2);
        if (lane % 4 == 0) { shared.m[warp][row] = r.m[u], shared.l[warp][row] = l; }
#pragma unroll
        for (int t = 0; t < D / 8; t++) { *(float2 *)(void *)&shared.o[warp][row][decode_column(row, t * 8 + lane % 4 * 2)] = make_float2(r.o[t][2 * u], r.o[t][2 * u + 1]); }
    }
    __syncthreads();
    for (int i = threadIdx.x; i < heads * (D / 4); i += blockDim.x) {
        int row = i / (D / 4), d = i % (D / 4) * 4;
        float m = shared.m[0][row], l = 0;
        float4 o = make_float4(0, 0, 0, 0);
        for (int w = 1; w < DECODE_WARPS; w++) { m = fmaxf(m, shared.m[w][row]); }
        for (int w = 0; w < DECODE_WARPS; w++) {
            float weight = exp2f(shared.m[w][row] - m);
            l += weight * shared.l[w][row];
            decode_add(o, weight, *(const float4 *)(const void *)&shared.o[w][row][decode_column(row, d)]);
        }
        decode_put(out + (size_t)row * D, decode_partial(scratch, chunk, head + row, a), root, 0, d, o, m, l, D);
    }
}
// The chunks of a sequence are the leaves of a tree of DECODE_FAN children to a node. A node's result takes the place of its first child's.
// Whoever finishes a node's last child joins its children, in rising order, and goes on upwards: the bits do not depend on who that is.
__device__ static inline void decode_climb(floatX *out, float *scratch, int *counters, int *last, int first, int chunks, int chunk, int head, int heads, const DecodeSizes &a) {
    for (int level = 0, span = 1; chunks > span; level++, span *= DECODE_FAN) { // a node of this level covers `span` chunks
        int nodes = CEIL_DIV(chunks, span), parent = chunk / (span * DECODE_FAN) * (span * DECODE_FAN), children = min((int)DECODE_FAN, nodes - parent / span);
        bool root = nodes <= DECODE_FAN;
        __syncthreads();
        if (threadIdx.x == 0) { // chunk `parent + level` exists if the node has two children, and counts for no other node
            int *counter = counters + (size_t)(first + parent + level) * a.record;
            __threadfence(); // what the block wrote before the barrier is seen before it is counted
            *last = children == 1 || atomicAdd(counter, 1) == children - 1;
            if (*last && children > 1) { atomicExch(counter, 0); } // for the next layer
            __threadfence();                                       // and what the others counted is seen behind the next barrier
        }
        __syncthreads();
        if (!*last) { return; }
        for (int i = threadIdx.x; i < heads * (a.D / 4); i += blockDim.x) {
            int row = i / (a.D / 4), d = i % (a.D / 4) * 4;
            const float *child = decode_partial(scratch, first + parent, head + row, a), *weights = child + a.D + level % 2 * 2;
            size_t next = (size_t)span * a.H * (a.D + 4);
            float m = __ldcg(weights), l = 0;
            float4 o = make_float4(0, 0, 0, 0);
#pragma unroll 8
            for (int c = 1; c < children; c++) { m = fmaxf(m, __ldcg(weights + c * next)); }
#pragma unroll 4
            for (int c = 0; c < children; c++) {
                float2 part = __ldcg((const float2 *)(const void *)(weights + c * next));
                float weight = exp2f(part.x - m);
                l += weight * part.y;
                decode_add(o, weight, __ldcg((const float4 *)(const void *)(child + c * next + d)));
            }
            decode_put(out + (size_t)row * a.D, decode_partial(scratch, first + parent, head + row, a), root, level + 1, d, o, m, l, a.D);
        }
    }
}

template <int D, int rows>
__global__ void __launch_bounds__(32 * DECODE_WARPS, 2) attention_decode_mma_kernel(floatX *out, int *plan, float *scratch, const floatX *qkv, const floatX *cache, float scale, int H, int KV) {
    typedef DecodeShared<D, rows> Shared;
    Shared &shared = *(Shared *)(void *)dynamic_shared;
    DecodeSizes a = {H, KV, D, attention_decode_units(H, KV), attention_decode_record(H, KV), 0, scale};
    a.items = plan[0] * a.units;
    int *records = plan + 1, lane = threadIdx.x % 32, warp = threadIdx.x / 32, group = H / KV, parts = a.units / KV, grid = gridDim.x;
    auto fetch = [&](int i) { return i < a.items && lane < DECODE_COUNTERS ? records[(size_t)(i / a.units) * a.record + lane] : 0; };
    int item = blockIdx.x, record = fetch(item), next = fetch(item + grid), stage = 0;
    for (int j = 0; j < Shared::AHEAD; j++) { decode_issue<D>(shared.stage[warp][j], cache, record, j, item % a.units / parts, KV); }
    for (; item < a.items; item += grid) {
        int unit = item % a.units, next_kv = (item + grid) % a.units / parts, after = fetch(item + 2 * grid), kv = unit / parts;
        int head = kv * group + unit % parts * DECODE_ROWS, heads = min((int)DECODE_ROWS, group - unit % parts * DECODE_ROWS);
        int b = __shfl_sync(ALL_LANES, record, DECODE_SEQUENCE), first = __shfl_sync(ALL_LANES, record, DECODE_FIRST);
        int chunks = __shfl_sync(ALL_LANES, record, DECODE_CHUNKS), positions = __shfl_sync(ALL_LANES, record, DECODE_POSITIONS);
        DecodeRows<D, rows> r;
        decode_begin(r, qkv + ((size_t)b * (H + 2 * KV) + head) * D, heads);
#pragma unroll
        for (int j = 0; j < DECODE_SLOTS; j++) {
            cp_async_wait<Shared::AHEAD - 1>();
            __syncwarp(); // the slot has landed for all lanes, and all are done with the one before it, whose place is free
            int ahead = j + Shared::AHEAD, of_next = ahead >= DECODE_SLOTS;
            decode_issue<D>(shared.stage[warp][(stage + Shared::AHEAD) % Shared::STAGES], cache, of_next ? next : record, ahead % DECODE_SLOTS, of_next ? next_kv : kv, KV);
            int present = positions - j * DECODE_STEP - warp * DECODE_SLOT;
            if (present > 0) { decode_slot(r, shared.stage[warp][stage], present, scale); }
            stage = (stage + 1) % Shared::STAGES;
        }
        floatX *to = out + ((size_t)b * H + head) * D;
        int chunk = item / a.units;
        decode_join(to, scratch, shared, r, chunk, head, heads, chunks == 1, a);
        decode_climb(to, scratch, records + DECODE_COUNTERS + unit, &shared.last, first, chunks, chunk - first, head, heads, a);
        __syncthreads(); // the joined results are read before the next item's are written
        record = next, next = after;
    }
    cp_async_wait<0>();
}

template <int D, int rows, typename... Arguments>
static void attention_decode_mma_run(Arguments... arguments) {
    const size_t shared_bytes = sizeof(DecodeShared<D, rows>);
    cudaCheck(cudaFuncSetAttribute(attention_decode_mma_kernel<D, rows>, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared_bytes));
    RUN((attention_decode_mma_kernel<D, rows>), 2 * device_properties()->multiProcessorCount, 32 * DECODE_WARPS, shared_bytes, arguments...);
}
// False: not for tensor cores. A template, so that an fp32 build has none of these kernels.
template <int element_bytes>
static bool attention_decode_mma(floatX *out, int *plan, float *scratch, const floatX *qkv, const floatX *cache, float scale, int H, int KV, int D) {
    if constexpr (element_bytes == 2) {
        float scale_log2 = scale * 1.44269504f; // log2(e)
        bool few = H / KV <= 8;
        if ((D != 64 && D != 128) || !packs_fit(D, out, scratch, qkv, cache)) { return false; }
        if (D == 64 && few) { attention_decode_mma_run<64, 8>(out, plan, scratch, qkv, cache, scale_log2, H, KV); }
        if (D == 64 && !few) { attention_decode_mma_run<64, 16>(out, plan, scratch, qkv, cache, scale_log2, H, KV); }
        if (D == 128 && few) { attention_decode_mma_run<128, 8>(out, plan, scratch, qkv, cache, scale_log2, H, KV); }
        if (D == 128 && !few) { attention_decode_mma_run<128, 16>(out, plan, scratch, qkv, cache, scale_log2, H, KV); }
        return true;
    }
    return false;
}
