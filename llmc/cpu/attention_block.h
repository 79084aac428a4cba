// attention_block: the steps of attention on one block of KV_PAGE keys, shared by attention.h and attention_decode.h, which is
// why a token decoded from the cache gets the bits of the whole sequence's forward pass.
//   scores      s[row,key]  = one chain of fused multiply-adds over d = 0, 1, 2, ...     (keys side by side in a vector)
//   softmax     m, l, p     = online softmax (Milakov and Gimelshein 2018), l as one partial sum per vector lane
//   accumulate  o[row,d]    = o[row,d] * rescale[row] + chain over the block's keys      (channels side by side in a vector)
// Rows are (position, query head of the group) pairs in fp32, `stride` floats apart. A block is a page of the cache in small:
// keys transposed to (D, KV_PAGE), so that a vector holds one channel of many keys; values (KV_PAGE, stride) as they are.
// How many rows a register tile takes never changes a row's chain, hence never its bits.
#pragma once
#include <assert.h>
#include <float.h>
#include <omp.h>
#include <stdbool.h>
#include <string.h>
#include "llmc/attention_decode.h"
#include "llmc/cpu/vector.h"

enum {
    ROW_TILE = SIMD_REGISTERS == 32 ? 12 : 6, // times 2 vectors of sums: what the register file holds beside the operands
    KEY_TILE = SIMD_REGISTERS == 32 ? 8 : 4,
    HEAD_MAX = 256
};
#define ALWAYS_INLINE static inline __attribute__((always_inline))

static inline int attention_stride(int D) { return (D + SIMD_WIDTH - 1) / SIMD_WIDTH * SIMD_WIDTH; }
static inline int min_int(int a, int b) { return a < b ? a : b; }
static inline int max_int(int a, int b) { return a > b ? a : b; }

// ---- rows in and out
// Heads first .. first+G-1 of positions begin .. end-1, times `factor`; columns from D to stride become zero.
static inline void attention_load_rows(float *rows, const floatX *from, int begin, int end, size_t width, int G, float factor, int D, int stride) {
    for (int i = begin; i < end; i++) {
        for (int g = 0; g < G; g++, rows += stride) {
            const floatX *row = from + (size_t)i * width + (size_t)g * D;
            for (int d = 0; d < D; d += SIMD_WIDTH) { vector_store(rows + d, vector_load_x_part(row + d, D - d) * factor); }
        }
    }
}
// Keys (or values) begin .. end-1 side by side: transposed (D, KV_PAGE), SIMD_WIDTH x SIMD_WIDTH at a time. Absent ones become zero.
static inline void attention_load_transposed(floatX *block, const floatX *from, int begin, int end, size_t width, int D) {
    for (int j = 0; j < KV_PAGE; j += SIMD_WIDTH) {
        for (int d = 0; d < D; d += SIMD_WIDTH) {
            Vector part[SIMD_WIDTH];
            for (int i = 0; i < SIMD_WIDTH; i++) {
                int at = begin + j + i;
                part[i] = at < end ? vector_load_x_part(from + (size_t)at * width + d, D - d) : vector_splat(0);
            }
            vector_transpose(part);
            for (int i = 0; i < SIMD_WIDTH && d + i < D; i++) { vector_store_x(block + (d + i) * KV_PAGE + j, part[i]); }
        }
    }
}
static inline void attention_load_block(floatX *block, const floatX *from, int begin, int end, size_t width, int D, int stride) {
    memset(block, 0, (size_t)stride * KV_PAGE * sizeof(floatX));
    for (int j = begin; j < end; j++) { memcpy(block + (j - begin) * stride, from + (size_t)j * width, (size_t)D * sizeof(floatX)); }
}

// ---- scores
ALWAYS_INLINE void attention_scores_tile(int tile, float *scores, const float *rows, int stride, const floatX *keys, int D) {
    for (int begin = 0; begin < KV_PAGE; begin += 2 * SIMD_WIDTH) {
        Vector sum[ROW_TILE][2] = {{{0}}};
        for (int d = 0; d < D; d++) {
            Vector key0 = vector_load_x(keys + d * KV_PAGE + begin), key1 = vector_load_x(keys + d * KV_PAGE + begin + SIMD_WIDTH);
            for (int r = 0; r < tile; r++) {
                Vector value = vector_splat(rows[r * stride + d]);
                sum[r][0] += value * key0;
                sum[r][1] += value * key1;
            }
        }
        for (int r = 0; r < tile; r++) {
            vector_store(scores + r * KV_PAGE + begin, sum[r][0]);
            vector_store(scores + r * KV_PAGE + begin + SIMD_WIDTH, sum[r][1]);
        }
    }
}
// rows and scores have room for ROW_TILE more than `count` rows: a tile may run over the end.
static inline void attention_scores(float *scores, const float *rows, int stride, const floatX *keys, int count, int D) {
    for (int r = 0; r < count;) {
        int left = count - r;
        if (left > ROW_TILE / 2) {
            attention_scores_tile(ROW_TILE, scores + r * KV_PAGE, rows + r * stride, stride, keys, D);
            r += ROW_TILE;
        } else if (left > 2) {
            attention_scores_tile(ROW_TILE / 2, scores + r * KV_PAGE, rows + r * stride, stride, keys, D);
            r += ROW_TILE / 2;
        } else {
            attention_scores_tile(2, scores + r * KV_PAGE, rows + r * stride, stride, keys, D);
            r += 2;
        }
    }
}

// ---- softmax
// True in the lanes of vector `v` of a block whose key is among the first `keys`.
static inline VectorInt attention_mask(int v, int keys) {
    VectorInt lane = {0};
    for (int i = 0; i < SIMD_WIDTH; i++) { lane[i] = i; }
    return lane < keys - v * SIMD_WIDTH;
}
// scores -> p in place for row r, of which the first keys[r] count; m, l and rescale follow. m and rescale have room for whole vectors.
static inline void attention_softmax(float *scores, float *m, Vector *l, float *rescale, const int *keys, int count) {
    for (int r = 0; r < count; r++) {
        const float *row = scores + r * KV_PAGE;
        Vector largest = vector_splat(m[r]);
        for (int v = 0; v < KV_PAGE / SIMD_WIDTH; v++) {
            Vector score = vector_load(row + v * SIMD_WIDTH);
            largest = vector_max(keys[r] == KV_PAGE ? score : vector_select(attention_mask(v, keys[r]), score, largest), largest);
        }
        float before = m[r];
        m[r] = vector_max_lane(largest);
        rescale[r] = before - m[r];
    }
    for (int r = 0; r < count; r += SIMD_WIDTH) { vector_store(rescale + r, vector_exp(vector_load(rescale + r))); }
    for (int r = 0; r < count; r++) {
        Vector sum = {0};
        for (int v = 0; v < KV_PAGE / SIMD_WIDTH; v++) {
            float *at = scores + r * KV_PAGE + v * SIMD_WIDTH;
            Vector p = vector_exp(vector_load(at) - m[r]);
            if (keys[r] < KV_PAGE) { p = vector_select(attention_mask(v, keys[r]), p, vector_splat(0)); }
            vector_store(at, p);
            sum += p;
        }
        l[r] = l[r] * rescale[r] + sum;
    }
}

// ---- accumulate
// Columns of `vectors` vectors: o = o * rescale + sum over keys of p * values. The sum starts from zero, so that which of two
// products a compiler fuses into the addition is never in doubt.
ALWAYS_INLINE void attention_accumulate_tile(int tile, int vectors, float *o, const float *rescale, const float *p, const floatX *values,
                                             int keys, int stride) {
    Vector sum[ROW_TILE][4] = {{{0}}};
    for (int j = 0; j < keys; j++) {
        Vector value[4];
        for (int v = 0; v < vectors; v++) { value[v] = vector_load_x(values + j * stride + v * SIMD_WIDTH); }
        for (int r = 0; r < tile; r++) {
            for (int v = 0; v < vectors; v++) { sum[r][v] += p[r * KV_PAGE + j] * value[v]; }
        }
    }
    for (int r = 0; r < tile; r++) {
        for (int v = 0; v < vectors; v++) {
            float *at = o + r * stride + v * SIMD_WIDTH;
            vector_store(at, vector_load(at) * rescale[r] + sum[r][v]);
        }
    }
}
ALWAYS_INLINE void attention_accumulate_rows(int tile, float *o, const float *rescale, const float *p, const floatX *values, int keys, int stride) {
    int d = 0;
    while (tile * 4 <= SIMD_REGISTERS - 8 && d + 4 * SIMD_WIDTH <= stride) {
        attention_accumulate_tile(tile, 4, o + d, rescale, p, values + d, keys, stride);
        d += 4 * SIMD_WIDTH;
    }
    for (; d + 2 * SIMD_WIDTH <= stride; d += 2 * SIMD_WIDTH) {
        attention_accumulate_tile(tile, 2, o + d, rescale, p, values + d, keys, stride);
    }
    if (d < stride) { attention_accumulate_tile(tile, 1, o + d, rescale, p, values + d, keys, stride); }
}
static inline void attention_accumulate(float *o, const float *rescale, const float *p, const floatX *values, int keys, int count, int stride) {
    int r = 0;
    for (; r + ROW_TILE <= count; r += ROW_TILE) {
        attention_accumulate_rows(ROW_TILE, o + r * stride, rescale + r, p + r * KV_PAGE, values, keys, stride);
    }
    for (; r + ROW_TILE / 2 <= count; r += ROW_TILE / 2) {
        attention_accumulate_rows(ROW_TILE / 2, o + r * stride, rescale + r, p + r * KV_PAGE, values, keys, stride);
    }
    for (; r + 2 <= count; r += 2) { attention_accumulate_rows(2, o + r * stride, rescale + r, p + r * KV_PAGE, values, keys, stride); }
    if (r < count) { attention_accumulate_rows(1, o + r * stride, rescale + r, p + r * KV_PAGE, values, keys, stride); }
}
// sum[key,d] += sum over rows of p[row,key] * x[row,d], in rising row order.
ALWAYS_INLINE void attention_transposed_tile(int vectors, float *sums, const float *p, const float *x, int count, int stride) {
    Vector sum[KEY_TILE][2];
    for (int j = 0; j < KEY_TILE; j++) {
        for (int v = 0; v < vectors; v++) { sum[j][v] = vector_load(sums + j * stride + v * SIMD_WIDTH); }
    }
    for (int r = 0; r < count; r++) {
        Vector value[2];
        for (int v = 0; v < vectors; v++) { value[v] = vector_load(x + r * stride + v * SIMD_WIDTH); }
        for (int j = 0; j < KEY_TILE; j++) {
            for (int v = 0; v < vectors; v++) { sum[j][v] += p[r * KV_PAGE + j] * value[v]; }
        }
    }
    for (int j = 0; j < KEY_TILE; j++) {
        for (int v = 0; v < vectors; v++) { vector_store(sums + j * stride + v * SIMD_WIDTH, sum[j][v]); }
    }
}
static inline void attention_accumulate_transposed(float *sums, const float *p, const float *x, int count, int stride) {
    for (int d = 0; d < stride; d += 2 * SIMD_WIDTH) {
        for (int j = 0; j < KV_PAGE; j += KEY_TILE) {
            if (d + 2 * SIMD_WIDTH <= stride) {
                attention_transposed_tile(2, sums + j * stride + d, p + j, x + d, count, stride);
            } else {
                attention_transposed_tile(1, sums + j * stride + d, p + j, x + d, count, stride);
            }
        }
    }
}
static inline void attention_store_row(floatX *out, const float *o, float l, int D) {
    for (int d = 0; d < D; d += SIMD_WIDTH) { vector_store_x_part(out + d, vector_load(o + d) * (1.0f / l), D - d); }
}
