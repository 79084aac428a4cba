// attention_mma_tile: what the tensor-core attention kernels share: which block works on what, tiles in shared memory, fragments.
//
// Tiles are counted from a sequence's own first row, so that its bits do not depend on what it is packed with. A tile lies in shared
// memory as rows of `width` bf16, in chunks of 8 (16 bytes). Chunk c of row r is stored at chunk c ^ (r % 8): ldmatrix takes one logical
// chunk of 8 rows that follow each other, and these then lie in 8 different groups of 4 banks; so do the 8 chunks that 8 threads copy, and
// the 8 rows of 4 bytes that a warp stores of its accumulators.
#pragma once
#include "llmc/cuda/vector.cuh"

#define LOG2_E 1.44269504088896341f
#define LN_2   0.69314718055994531f

// ---- who works on what
// A sequence of n tiles is cut into units; `level` orders the units of all sequences, and above(n, t) counts a sequence's units of level >= t.
struct AttentionUnit {
    int sequence, begin, end; // its rows of the pack
    int level, chain;         // chain: number among the units of this level in this sequence
    int beyond;               // -1, or there is no such unit: how far behind the last one it would be
};
template <typename Above>
__device__ static inline int attention_count(int t, const int *starts, int S, int rows, Above above) { // units of level >= t, by one warp
    int sum = 0;
    for (int s = threadIdx.x % 32; s < S; s += 32) { sum += above(CEIL_DIV(starts[s + 1] - starts[s], rows), t); }
    return warp_sum(sum);
}
// The rank-th unit in falling order of levels (work, so that the longest are not left for the end), or with `rising` in rising order.
template <typename Above>
__device__ static inline AttentionUnit attention_find(int rank, bool rising, const int *starts, int S, int N, int rows, Above above) {
    int all = attention_count(0, starts, S, rows, above), low = 0, high = CEIL_DIV(N, rows), lane = threadIdx.x % 32;
    AttentionUnit unit = {0, 0, 0, 0, 0, rank - all};
    if (rank >= all) { return unit; }
    rank = rising ? all - 1 - rank : rank;
    int above_high = 0; // of units of level >= high; there are more than rank of level >= low
    while (high - low > 1) {
        int middle = (low + high) / 2, count = attention_count(middle, starts, S, rows, above);
        if (count > rank) {
            low = middle;
        } else {
            high = middle, above_high = count;
        }
    }
    rank -= above_high; // now among the units of level low
    for (int first = 0; first < S; first += 32) {
        int s = first + lane, n = s < S ? CEIL_DIV(starts[s + 1] - starts[s], rows) : 0;
        int own = above(n, low) - above(n, low + 1), sum = own; // becomes the sum over the lanes up to this one
        for (int step = 1; step < 32; step *= 2) {
            int left = __shfl_up_sync(ALL_LANES, sum, step);
            sum += lane >= step ? left : 0;
        }
        unsigned behind = __ballot_sync(ALL_LANES, sum > rank);
        if (behind) {
            int owner = __ffs((int)behind) - 1;
            s = first + owner;
            return {s, starts[s], starts[s + 1], low, rank - __shfl_sync(ALL_LANES, sum - own, owner), -1};
        }
        rank -= __shfl_sync(ALL_LANES, sum, 31);
    }
    return unit; // never: the counts say that it lies in some sequence
}

// ---- tiles
template <int width>
__device__ static inline int tile_at(int row, int chunk) { return row * width + (chunk ^ (row % 8)) * 8; }
// Starts copying `rows` rows of `width` values, `stride` apart; of them `present` exist and the others become zero. `thread` of `threads`.
template <int rows, int width, int threads>
__device__ static inline void tile_load(floatX *tile, const floatX *from, int stride, int present, int thread) {
    constexpr int chunks = width / 8, step = threads / chunks;
    static_assert(threads % chunks == 0 && rows % step == 0 && step % 8 == 0, "every thread copies the same chunk of some rows, 8 apart");
    int row = thread / chunks, chunk = thread % chunks;
    stride = (int)opaque((unsigned)stride); // its multiples would fill the registers
    tile += tile_at<width>(row, chunk), from += (size_t)row * stride + chunk * 8;
#pragma unroll
    for (int i = 0; i < rows / step; i++) { cp_async_16(tile + i * step * width, from + (size_t)i * step * stride, row + i * step < present ? 16 : 0); }
}

// ---- fragments (ptx.cuh) of a tile; chunk0 is even, row0 a multiple of 8
// A 16 x 16 factor on the left, rows of the tile being rows of the factor.
template <int width>
__device__ static inline void fragment_left(uint32_t a[4], const floatX *tile, int row0, int chunk0, int lane) {
    ldmatrix_x4(a, tile + (row0 + lane % 16) * width + (chunk0 * 8 ^ (lane / 16 ^ lane % 8) * 8));
}
// The same from a tile whose rows are the columns of the factor: row0 counts these, chunk0 its rows.
template <int width>
__device__ static inline void fragment_left_transposed(uint32_t a[4], const floatX *tile, int row0, int chunk0, int lane) {
    ldmatrix_x4_transposed(a, tile + (row0 + lane / 16 * 8 + lane % 8) * width + (chunk0 * 8 ^ (lane / 8 % 2 ^ lane % 8) * 8));
}
// Two 16 x 8 factors on the right, b[0..1] and b[2..3], rows of the tile being columns of the factors.
template <int width>
__device__ static inline void fragment_right(uint32_t b[4], const floatX *tile, int row0, int chunk0, int lane) {
    ldmatrix_x4(b, tile + (row0 + lane / 16 * 8 + lane % 8) * width + (chunk0 * 8 ^ (lane / 8 % 2 ^ lane % 8) * 8));
}
// The same from a tile whose rows are the rows of the factors.
template <int width>
__device__ static inline void fragment_right_transposed(uint32_t b[4], const floatX *tile, int row0, int chunk0, int lane) {
    ldmatrix_x4_transposed(b, tile + (row0 + lane % 16) * width + (chunk0 * 8 ^ (lane / 16 ^ lane % 8) * 8));
}
// d[16, 16] += a[16, 16] b[16, 16]
__device__ static inline void fragment_product(float d[2][4], const uint32_t a[4], const uint32_t b[4]) {
    mma_bf16(d[0], a, b);
    mma_bf16(d[1], a, b + 2);
}
// d[32, 8 tiles] += left[rows from row0 on, :] right[rows from column0 on, :]^T, both of D channels, by one warp.
template <int D, int tiles>
__device__ static inline void tile_products(float d[2][tiles][4], const floatX *left, int row0, const floatX *right, int column0, int lane) {
#pragma unroll
    for (int k = 0; k < D / 16; k++) {
        uint32_t a[2][4];
#pragma unroll
        for (int m = 0; m < 2; m++) { fragment_left<D>(a[m], left, row0 + m * 16, 2 * k, lane); }
#pragma unroll
        for (int n = 0; n < tiles; n += 2) {
            uint32_t b[4];
            fragment_right<D>(b, right, column0 + n * 8, 2 * k, lane);
#pragma unroll
            for (int m = 0; m < 2; m++) { fragment_product(d[m] + n, a[m], b); }
        }
    }
}
// A warp's sums of 32 rows by 8 tiles columns, rounded, into a tile in shared memory.
template <int width, int tiles>
__device__ static inline void tile_store(floatX *tile, const float d[2][tiles][4], int row0, int chunk0, int lane) {
    int group = lane / 4, pair = lane % 4 * 2;
#pragma unroll
    for (int m = 0; m < 2; m++) {
#pragma unroll
        for (int n = 0; n < tiles; n++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                int row = row0 + m * 16 + half * 8 + group;
                *(uint32_t *)(void *)(tile + tile_at<width>(row, chunk0 + n) + pair) = pack_bf16(d[m][n][2 * half], d[m][n][2 * half + 1]);
            }
        }
    }
}
// Rows first .. first + rows - 1 of a tile to global memory, those that exist, by `threads` threads of which this is number `thread`.
template <int rows, int width, int threads>
__device__ static inline void tile_write(floatX *to, size_t stride, const floatX *tile, int first, int present, int thread) {
    constexpr int chunks = width / 8;
#pragma unroll
    for (int i = 0; i < rows * chunks / threads; i++) {
        int row = first + (thread + i * threads) / chunks, chunk = thread % chunks;
        if (row < present) { *(uint4 *)(void *)(to + row * stride + chunk * 8) = *(const uint4 *)(const void *)(tile + tile_at<width>(row, chunk)); }
    }
}
