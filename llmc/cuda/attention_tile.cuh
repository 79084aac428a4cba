// attention_tile: what the attention kernels share. Sequences are cut into tiles of 32 rows from their own start, so that a sequence's bits
// do not depend on what it is packed with. Tiles lie in shared memory in fp32. A block is 8 warps; a warp owns 4 rows of its tile. For
// scores a lane stands for a row of the other tile; for sums it stands for the channels lane, lane + 32, ...
#pragma once
#include "llmc/cuda/vector.cuh"

enum { TILE = 32,
       TILE_WARPS = 8,
       TILE_THREADS = 32 * TILE_WARPS,
       WARP_ROWS = TILE / TILE_WARPS,
       ATTENTION_MOST = 128 }; // channels of a head
struct AttentionTile {
    int begin, end, row; // the rows of its sequence; its own first row. begin == end: padding, nobody's keys
    bool outside;
};
// Tile number i of the pack, counting every sequence's tiles, then those of the padding behind the last sequence.
__device__ static inline AttentionTile attention_tile(int i, const int *starts, int S, int N) {
    for (int s = 0; s < S; s++) {
        int tiles = CEIL_DIV(starts[s + 1] - starts[s], TILE);
        if (i < tiles) { return {starts[s], starts[s + 1], starts[s] + i * TILE, false}; }
        i -= tiles;
    }
    return {N, N, starts[S] + i * TILE, starts[S] + i * TILE >= N};
}
static inline int attention_tiles(int N, int S) { return CEIL_DIV(N, TILE) + S + 1; } // at least as many as there are

// Rows row .. end-1 of one head, at most a tile of them, missing rows zero. pitch is odd, so that 32 rows lie in 32 banks.
__device__ static inline void attention_load(float *tile, const floatX *from, size_t stride, int row, int end, int D, int pitch) {
    for (int i = threadIdx.x; i < TILE * D; i += TILE_THREADS) {
        int r = i / D, d = i % D;
        tile[r * pitch + d] = row + r < end ? to_float(from[(size_t)(row + r) * stride + d]) : 0.0f;
    }
}
// dot[r] = own[warp's row r] . other[lane]
__device__ static inline void attention_dots(float dot[WARP_ROWS], const float *own, const float *other, int D, int pitch) {
    int lane = threadIdx.x % 32, first = threadIdx.x / 32 * WARP_ROWS;
    for (int r = 0; r < WARP_ROWS; r++) { dot[r] = 0; }
    for (int d = 0; d < D; d++) {
        float value = other[lane * pitch + d];
        for (int r = 0; r < WARP_ROWS; r++) { dot[r] += own[(first + r) * pitch + d] * value; }
    }
}
// sum[r][j] += sum over the rows i < limit[r] and >= from[r] of other: weight[r][i] * other[i][lane + 32 j]
template <int chunks>
__device__ static inline void attention_add(float sum[WARP_ROWS][chunks], const float *weight, const float *other, const int from[WARP_ROWS], const int limit[WARP_ROWS], int D, int pitch) {
    int lane = threadIdx.x % 32;
    for (int i = 0; i < TILE; i++) {
        for (int j = 0; j < chunks; j++) {
            float value = lane + 32 * j < D ? other[i * pitch + lane + 32 * j] : 0.0f;
            for (int r = 0; r < WARP_ROWS; r++) {
                if (i >= from[r] && i < limit[r]) { sum[r][j] += weight[r * TILE + i] * value; } // a masked row may hold NaN
            }
        }
    }
}
// Instantiates for the least number of 32-channel chunks that hold D, with the shared memory it asks for.
#define ATTENTION_RUN(kernel, grid, shared_floats, D, ...)                                                                   \
    do {                                                                                                                     \
        size_t shared_bytes_ = sizeof(float) * (size_t)(shared_floats);                                                      \
        if ((D) > ATTENTION_MOST) { device_refuse("attention: heads of more than 128 channels are not supported on CUDA"); } \
        if ((D) <= 32) {                                                                                                     \
            cudaCheck(cudaFuncSetAttribute(kernel<1>, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared_bytes_));     \
            RUN(kernel<1>, grid, TILE_THREADS, shared_bytes_, __VA_ARGS__);                                                  \
        } else if ((D) <= 64) {                                                                                              \
            cudaCheck(cudaFuncSetAttribute(kernel<2>, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared_bytes_));     \
            RUN(kernel<2>, grid, TILE_THREADS, shared_bytes_, __VA_ARGS__);                                                  \
        } else {                                                                                                             \
            cudaCheck(cudaFuncSetAttribute(kernel<4>, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared_bytes_));     \
            RUN(kernel<4>, grid, TILE_THREADS, shared_bytes_, __VA_ARGS__);                                                  \
        }                                                                                                                    \
    } while (0)
