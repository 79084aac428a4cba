// gemm: the matrix product under every linear layer of the CPU backend, forward and backward: out[m,n] = sum_k rows[m,k] * columns[n,k].
//
// A tile of GEMM_TILE_ROWS x 2 vectors of sums stays in registers while it runs along the depth k. Both operands are first packed, converted to
// fp32, in the order in which the tile reads them, k by k (Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008):
// a panel of columns as deep as GEMM_BLOCK_DEPTH stays in the first-level cache while all row panels, kept in the second level, pass over it.
// Between two blocks of depth the sums wait in fp32, so every out[m,n] is one chain of fused multiply-adds over rising k whatever
// the blocking, the threads and the other rows and columns are.
#pragma once
#include <omp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include "llmc/cpu/vector.h"

enum { GEMM_TILE_ROWS = SIMD_REGISTERS >= 32 ? 12 : 6, // 24 (12) registers of sums, 2 of columns, 1 of rows
       GEMM_TILE_COLUMNS = 2 * SIMD_WIDTH,
       GEMM_TILE_SIZE = GEMM_TILE_ROWS * GEMM_TILE_COLUMNS,
       GEMM_BLOCK_DEPTH = 256,
       GEMM_BLOCK_ROWS = 44 * GEMM_TILE_ROWS,
       GEMM_BLOCK_COLUMNS = 32 * GEMM_TILE_COLUMNS };

// One factor of the product: element (line, k) lies at data[line * stride + k], or at data[k * stride + line] when lines are contiguous.
typedef struct {
    const floatX *data;
    size_t stride;
    bool lines_contiguous;
} GemmFactor;
// Where the product goes. The chain of an element starts at zero and bias is added at its end, or it starts at the element's old value.
typedef struct {
    void *data; // float or floatX
    size_t stride;
    bool is_float, accumulate;
    const floatX *bias; // of each column, or NULL
} GemmResult;

typedef struct { // of one thread
    float rows[GEMM_BLOCK_ROWS * GEMM_BLOCK_DEPTH + SIMD_WIDTH];
    float columns[GEMM_BLOCK_DEPTH * GEMM_TILE_COLUMNS];
    float tiles[GEMM_BLOCK_ROWS * GEMM_BLOCK_COLUMNS];
} GemmWorkspace;

static inline GemmWorkspace *gemm_workspace(void) { // made at a thread's first product, kept for its life
    static _Thread_local GemmWorkspace *workspace;
    if (!workspace) { workspace = (GemmWorkspace *)aligned_alloc(64, (sizeof(GemmWorkspace) + 63) / 64 * 64); }
    if (!workspace) {
        fprintf(stderr, "error: out of memory: %zu bytes for the workspace of the matrix product\n", sizeof(GemmWorkspace));
        exit(EXIT_FAILURE);
    }
    return workspace;
}
static inline int gemm_least(int a, int b) { return a < b ? a : b; }

// Lines line .. line+lines-1 at depths k .. k+depth-1 as panels of `width` lines, each to[depth][width]. Only `available` lines exist from
// `line` on: what the last panel holds behind them is never used. A group of lanes may write past its panel's width, into the next
// depth or the next panel, where that is written afterwards; the last panel has room behind it.
static inline void gemm_pack_lines(float *to, int width, const floatX *from, size_t stride, int lines, int available, int depth) {
    enum { TOGETHER = 8 }; // depths whose cache lines stay near while all panels take their share of them
    for (int begin = 0; begin < depth; begin += TOGETHER) {
        int end = gemm_least(begin + TOGETHER, depth);
        for (int line = 0; line < lines; line += width) {
            float *panel = to + (size_t)line * depth;
            for (int d = begin; d < end; d++) {
                const floatX *p = from + (size_t)d * stride + line;
                for (int group = 0; group < width; group += SIMD_WIDTH) {
                    int left = available - line - group, room = d + 1 < depth ? SIMD_WIDTH : width - group;
                    if (left > 0) { vector_store_part(panel + d * width + group, vector_load_x_part(p + group, left), room); }
                }
            }
        }
    }
}
static inline void gemm_pack_transposed(float *to, int width, const floatX *from, size_t stride, int lines, int available, int depth) {
    for (int line = 0; line < lines; line += width) {
        float *panel = to + (size_t)line * depth;
        for (int group = (width - 1) / SIMD_WIDTH * SIMD_WIDTH; group >= 0; group -= SIMD_WIDTH) {
            const floatX *p[SIMD_WIDTH];
            for (int i = 0; i < SIMD_WIDTH; i++) { p[i] = from + (size_t)gemm_least(line + group + i, available - 1) * stride; }
            for (int d = 0; d < depth; d += SIMD_WIDTH) {
                Vector block[SIMD_WIDTH];
                int count = gemm_least(depth - d, SIMD_WIDTH);
                if (count == SIMD_WIDTH) {
                    for (int i = 0; i < SIMD_WIDTH; i++) { block[i] = vector_load_x(p[i] + d); }
                    vector_transpose(block);
                    for (int i = 0; i < SIMD_WIDTH; i++) { vector_store(panel + (d + i) * width + group, block[i]); }
                } else {
                    for (int i = 0; i < SIMD_WIDTH; i++) { block[i] = vector_load_x_part(p[i] + d, count); }
                    vector_transpose(block);
                    for (int i = 0; i < count; i++) { vector_store(panel + (d + i) * width + group, block[i]); }
                }
            }
        }
    }
}
static void gemm_pack(float *to, int width, GemmFactor from, int line, int lines, int available, int k, int depth) {
    if (from.lines_contiguous) {
        gemm_pack_lines(to, width, from.data + (size_t)k * from.stride + line, from.stride, lines, available, depth);
    } else {
        gemm_pack_transposed(to, width, from.data + (size_t)line * from.stride + k, from.stride, lines, available, depth);
    }
}
// Asks for part `part` of `parts` of what the next panel will be packed from, so that it comes while the tiles of this one are computed.
static inline void gemm_prefetch_panel(GemmFactor from, int line, int lines, int k, int depth, int part, int parts) {
    int runs = from.lines_contiguous ? depth : lines, length = from.lines_contiguous ? lines : depth, step = 64 / (int)sizeof(floatX);
    const floatX *start = from.data + (from.lines_contiguous ? (size_t)k * from.stride + line : (size_t)line * from.stride + k);
    for (int run = runs * part / parts; run < runs * (part + 1) / parts; run++) {
        for (int i = 0; i < length; i += step) { __builtin_prefetch(start + (size_t)run * from.stride + i, 0, 2); }
    }
}

// Written out row by row, and not as a loop, because only so do both compilers keep every sum in a register.
#define GEMM_EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
static inline __attribute__((always_inline)) void gemm_tile_rows(float *sums, const float *rows, const float *columns, int depth, const int count) {
    Vector left[12], right[12];
#define GEMM_LOAD(r) \
    if (r < count) { left[r] = vector_load(sums + r * GEMM_TILE_COLUMNS), right[r] = vector_load(sums + r * GEMM_TILE_COLUMNS + SIMD_WIDTH); }
#define GEMM_ADD(r)                         \
    if (r < count) {                        \
        Vector row = vector_splat(rows[r]); \
        left[r] += row * column_left;       \
        right[r] += row * column_right;     \
    }
#define GEMM_STORE(r) \
    if (r < count) { vector_store(sums + r * GEMM_TILE_COLUMNS, left[r]), vector_store(sums + r * GEMM_TILE_COLUMNS + SIMD_WIDTH, right[r]); }
    GEMM_EACH_ROW(GEMM_LOAD)
    for (int k = 0; k < depth; k++, rows += GEMM_TILE_ROWS, columns += GEMM_TILE_COLUMNS) {
        Vector column_left = vector_load(columns), column_right = vector_load(columns + SIMD_WIDTH);
        GEMM_EACH_ROW(GEMM_ADD)
    }
    GEMM_EACH_ROW(GEMM_STORE)
#undef GEMM_LOAD
#undef GEMM_ADD
#undef GEMM_STORE
}
static void gemm_tile(float *sums, const float *rows, const float *columns, int depth, int count) {
    switch (count) {
#define GEMM_CASE(r)                                       \
    case r + 1:                                            \
        gemm_tile_rows(sums, rows, columns, depth, r + 1); \
        break;
        GEMM_EACH_ROW(GEMM_CASE)
#undef GEMM_CASE
    }
}

// The tile of sums at row m, column n of the result: rows x columns of it exist.
static inline void gemm_tile_begin(float *sums, GemmResult out, int m, int n, int rows, int columns) {
    for (int r = 0; r < rows; r++) {
        for (int half = 0; half < GEMM_TILE_COLUMNS; half += SIMD_WIDTH) {
            size_t at = (size_t)(m + r) * out.stride + (size_t)(n + half);
            int count = out.accumulate ? gemm_least(columns - half, SIMD_WIDTH) : 0;
            Vector old = vector_splat(0.0f);
            if (count == SIMD_WIDTH) {
                old = out.is_float ? vector_load((const float *)out.data + at) : vector_load_x((const floatX *)out.data + at);
            } else if (count > 0) {
                old = out.is_float ? vector_load_part((const float *)out.data + at, count) : vector_load_x_part((const floatX *)out.data + at, count);
            }
            vector_store(sums + r * GEMM_TILE_COLUMNS + half, old);
        }
    }
}
static inline void gemm_tile_end(GemmResult out, const float *sums, int m, int n, int rows, int columns) {
    for (int half = 0; half < columns; half += SIMD_WIDTH) {
        int count = gemm_least(columns - half, SIMD_WIDTH);
        Vector bias = out.bias ? vector_load_x_part(out.bias + n + half, count) : vector_splat(0.0f);
        for (int r = 0; r < rows; r++) {
            size_t at = (size_t)(m + r) * out.stride + (size_t)(n + half);
            Vector sum = vector_load(sums + r * GEMM_TILE_COLUMNS + half);
            if (out.bias) { sum += bias; }
            if (count == SIMD_WIDTH) {
                if (out.is_float) {
                    vector_store((float *)out.data + at, sum);
                } else {
                    vector_store_x((floatX *)out.data + at, sum);
                }
            } else {
                if (out.is_float) {
                    vector_store_part((float *)out.data + at, sum, count);
                } else {
                    vector_store_x_part((floatX *)out.data + at, sum, count);
                }
            }
        }
    }
}

static inline void gemm_prefetch_result(GemmResult out, int m, int n, int rows) {
    size_t bytes = out.is_float ? sizeof(float) : sizeof(floatX);
    for (int r = 0; r < rows; r++) {
        const char *p = (const char *)out.data + ((size_t)(m + r) * out.stride + (size_t)n) * bytes;
        for (size_t i = 0; i < GEMM_TILE_COLUMNS * bytes; i += 64) { __builtin_prefetch(p + i, 1, 3); }
    }
}

// One block of the result: rows m .. m+block_rows-1, columns n .. n+block_columns-1, all of the depth K.
static void gemm_block(GemmResult out, GemmFactor rows, GemmFactor columns, int m, int block_rows, int n, int block_columns, int M, int N, int K) {
    GemmWorkspace *workspace = gemm_workspace();
    int row_tiles = (block_rows + GEMM_TILE_ROWS - 1) / GEMM_TILE_ROWS;
    for (int k = 0; k < K; k += GEMM_BLOCK_DEPTH) {
        int depth = gemm_least(K - k, GEMM_BLOCK_DEPTH);
        bool first = k == 0, last = k + depth == K;
        gemm_pack(workspace->rows, GEMM_TILE_ROWS, rows, m, block_rows, M - m, k, depth);
        for (int j = 0; j < block_columns; j += GEMM_TILE_COLUMNS) {
            int tile_columns = gemm_least(block_columns - j, GEMM_TILE_COLUMNS);
            int next_columns = gemm_least(block_columns - j - tile_columns, GEMM_TILE_COLUMNS);
            gemm_pack(workspace->columns, GEMM_TILE_COLUMNS, columns, n + j, tile_columns, N - n - j, k, depth);
            for (int t = 0; t < row_tiles; t++) {
                int i = t * GEMM_TILE_ROWS, tile_rows = gemm_least(block_rows - i, GEMM_TILE_ROWS);
                float *sums = workspace->tiles + (K <= GEMM_BLOCK_DEPTH ? 0 : (j / GEMM_TILE_COLUMNS * row_tiles + t) * GEMM_TILE_SIZE);
                if (first) { gemm_tile_begin(sums, out, m + i, n + j, tile_rows, tile_columns); }
                if (next_columns > 0) { gemm_prefetch_panel(columns, n + j + tile_columns, next_columns, k, depth, t, row_tiles); }
                if (last || (first && out.accumulate)) {
                    gemm_prefetch_result(out, m + i + tile_rows, n + j, gemm_least(block_rows - i - tile_rows, GEMM_TILE_ROWS));
                }
                gemm_tile(sums, workspace->rows + i * depth, workspace->columns, depth, tile_rows);
                if (last) { gemm_tile_end(out, sums, m + i, n + j, tile_rows, tile_columns); }
            }
        }
    }
}

// rows (M lines), columns (N lines), both K deep; out (M, N). Threads share the longer side, in whole tiles.
static void gemm(GemmResult out, GemmFactor rows, GemmFactor columns, int M, int N, int K) {
    if (M == 0 || N == 0) { return; }
    int row_tiles = (M + GEMM_TILE_ROWS - 1) / GEMM_TILE_ROWS, column_tiles = (N + GEMM_TILE_COLUMNS - 1) / GEMM_TILE_COLUMNS;
    bool share_rows = row_tiles > column_tiles;
#pragma omp parallel if ((double)M * N * K > 1e6)
    {
        long thread = omp_get_thread_num(), threads = omp_get_num_threads(), tiles = share_rows ? row_tiles : column_tiles;
        int first = (int)(tiles * thread / threads), last = (int)(tiles * (thread + 1) / threads);
        int m_begin = share_rows ? first * GEMM_TILE_ROWS : 0, m_end = share_rows ? gemm_least(last * GEMM_TILE_ROWS, M) : M;
        int n_begin = share_rows ? 0 : first * GEMM_TILE_COLUMNS, n_end = share_rows ? N : gemm_least(last * GEMM_TILE_COLUMNS, N);
        int width = K <= GEMM_BLOCK_DEPTH ? N : GEMM_BLOCK_COLUMNS; // a product of one depth block keeps no sums
        for (int m = m_begin; m < m_end; m += GEMM_BLOCK_ROWS) {
            for (int n = n_begin; n < n_end; n += width) {
                gemm_block(out, rows, columns, m, gemm_least(m_end - m, GEMM_BLOCK_ROWS), n, gemm_least(n_end - n, width), M, N, K);
            }
        }
    }
}
