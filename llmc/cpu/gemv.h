// gemv: the linear layer of a few rows, as in decoding: the weights pass once, at the speed of memory, and every output is the same
// chain of fused multiply-adds over c = 0, 1, 2, ... as in gemm.h.
//
// A vector holds one channel of SIMD_WIDTH outputs, so chains of different outputs run side by side. The weights of those outputs are
// rows of memory; blocks of them are transposed in registers as 32-bit words: a channel each in fp32, two neighbouring ones in bf16.
#pragma once
#include "llmc/cpu/gemm.h"

enum { GEMV_ROWS = SIMD_REGISTERS / 2, // of x in one pass: their sums take half of the registers
       GEMV_WORD = 4 / sizeof(floatX),
       GEMV_STEP = SIMD_WIDTH * GEMV_WORD };

#define GEMV_EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)
// Adds channels c .. c+count-1 of SIMD_WIDTH outputs, whose weights are words[i] at channel c + i GEMV_WORD, to sum[row].
static inline __attribute__((always_inline)) void gemv_add(Vector *sum, const float *const *x, const Vector *words, int c, int count, const int rows) {
#define GEMV_ADD(r) \
    if (r < rows) { sum[r] += vector_splat(x[r][c + i]) * weight; }
    for (int i = 0; i < count; i += GEMV_WORD) {
        Vector word = words[i / GEMV_WORD], weight = GEMV_WORD == 1 ? word : (Vector)((VectorWord)word << 16);
        GEMV_EACH_ROW(GEMV_ADD)
        if (GEMV_WORD == 2 && i + 1 < count) {
            weight = (Vector)((VectorWord)word & 0xFFFF0000u);
            c++;
            GEMV_EACH_ROW(GEMV_ADD)
            c--;
        }
    }
#undef GEMV_ADD
}
// SIMD_WIDTH outputs whose weights begin at `weight`; those at `weight + ahead` will be wanted after them.
static inline __attribute__((always_inline)) void gemv_outputs(Vector *out, const float *const *x, const floatX *weight, size_t ahead, int C, const int rows) {
    Vector sum[GEMV_ROWS], words[SIMD_WIDTH];
    for (int r = 0; r < rows; r++) { sum[r] = vector_splat(0.0f); }
    int c = 0;
    for (; c + GEMV_STEP <= C; c += GEMV_STEP) {
        for (int i = 0; i < SIMD_WIDTH; i++) {
            const floatX *p = weight + (size_t)i * C + c;
            memcpy(&words[i], p, sizeof(Vector));
            __builtin_prefetch(p + ahead, 0, 2);
        }
        vector_transpose(words);
        gemv_add(sum, x, words, c, GEMV_STEP, rows);
    }
    if (c < C) {
        for (int i = 0; i < SIMD_WIDTH; i++) {
            words[i] = vector_splat(0.0f);
            memcpy(&words[i], weight + (size_t)i * C + c, (size_t)(C - c) * sizeof(floatX));
        }
        vector_transpose(words);
        gemv_add(sum, x, words, c, C - c, rows);
    }
    for (int r = 0; r < rows; r++) { out[r] = sum[r]; }
}
static void gemv_panel(Vector *out, const float *const *x, const floatX *weight, size_t ahead, int C, int rows) {
    switch (rows) {
#define GEMV_CASE(r)                                                               \
    case r + 1:                                                                    \
        gemv_outputs(out, x, weight, ahead, C, r < GEMV_ROWS ? r + 1 : GEMV_ROWS); \
        break;
        GEMV_EACH_ROW(GEMV_CASE)
#undef GEMV_CASE
    }
}

// Whether the rows, as fp32, fit where gemm would pack its own.
static inline bool gemv_fits(int N, int C) { return N <= GEMV_ROWS && (long)N * C <= GEMM_BLOCK_ROWS * GEMM_BLOCK_DEPTH; }

// The outputs that fill whole vectors: OC / SIMD_WIDTH * SIMD_WIDTH of them.
static void gemv(GemmResult out, const floatX *x, const floatX *weight, int N, int C, int OC) {
    int panels = OC / SIMD_WIDTH;
#pragma omp parallel if ((double)OC * C > 3e5)
    {
        float *copy = gemm_workspace()->rows;
        const float *rows[GEMV_ROWS];
        for (int n = 0; n < N; n++, copy += C) {
            rows[n] = copy;
            for (int c = 0; c < C; c += SIMD_WIDTH) { vector_store_part(copy + c, vector_load_x_part(x + (size_t)n * C + c, C - c), C - c); }
        }
#pragma omp for schedule(static)
        for (int panel = 0; panel < panels; panel++) {
            int o = panel * SIMD_WIDTH;
            Vector sums[GEMV_ROWS];
            float tile[GEMV_ROWS * GEMM_TILE_COLUMNS];
            gemv_panel(sums, rows, weight + (size_t)o * C, panel + 1 < panels ? (size_t)SIMD_WIDTH * C : 0, C, N);
            for (int n = 0; n < N; n++) { vector_store(tile + n * GEMM_TILE_COLUMNS, sums[n]); }
            gemm_tile_end(out, tile, 0, o, N, SIMD_WIDTH);
        }
    }
}
