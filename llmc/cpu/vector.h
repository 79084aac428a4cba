// vector: the widest registers of the processor as one type, written with the compilers' vector extension so that the same
// kernel compiles for AVX-512, AVX and NEON. Reductions have one fixed order; exp is a polynomial that every op shares.
#pragma once
#include <math.h>
#include "llmc/dtype.h"

enum { PARALLEL_ELEMENTS = 1 << 14 }; // below this many elements, waking the other threads costs more than they save

typedef float Vector __attribute__((vector_size(SIMD_WIDTH * 4)));
typedef float VectorUnaligned __attribute__((vector_size(SIMD_WIDTH * 4), aligned(4), may_alias));
typedef int32_t VectorInt __attribute__((vector_size(SIMD_WIDTH * 4)));
typedef uint16_t VectorHalf __attribute__((vector_size(SIMD_WIDTH * 2), aligned(2), may_alias));
typedef uint32_t VectorWord __attribute__((vector_size(SIMD_WIDTH * 4)));

static inline Vector vector_splat(float x) { return x - (Vector){0}; } // x - 0 is x to the bit, and no instruction; 0 + x is neither
static inline Vector vector_load(const float *p) { return *(const VectorUnaligned *)p; }
static inline void vector_store(float *p, Vector x) { *(VectorUnaligned *)p = x; }
static inline Vector vector_select(VectorInt mask, Vector a, Vector b) { return (Vector)((mask & (VectorInt)a) | (~mask & (VectorInt)b)); }
static inline Vector vector_max(Vector a, Vector b) { return vector_select(a > b, a, b); }

// SIMD_WIDTH elements of floatX as fp32, and back with one rounding (to nearest even; a NaN stays a NaN).
static inline Vector vector_load_x(const floatX *p) {
    if (sizeof(floatX) == sizeof(float)) { return *(const VectorUnaligned *)p; }
    return (Vector)(__builtin_convertvector(*(const VectorHalf *)p, VectorWord) << 16);
}
static inline void vector_store_x(floatX *p, Vector x) {
    if (sizeof(floatX) == sizeof(float)) {
        *(VectorUnaligned *)p = x;
        return;
    }
    VectorWord bits = (VectorWord)x, rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
    VectorInt number = x == x;
    rounded = (rounded & (VectorWord)number) | (((bits >> 16) | 0x40u) & ~(VectorWord)number);
    *(VectorHalf *)p = __builtin_convertvector(rounded, VectorHalf);
}

static inline Vector vector_sqrt(Vector x) {
    for (int i = 0; i < SIMD_WIDTH; i++) { x[i] = sqrtf(x[i]); } // becomes one instruction
    return x;
}

// The same for the last, shorter piece of a row: lanes from `count` on are zero, and not written.
static inline Vector vector_load_x_part(const floatX *p, int count) {
    if (count >= SIMD_WIDTH) { return vector_load_x(p); }
    floatX lane[SIMD_WIDTH] = {0};
    memcpy(lane, p, (size_t)count * sizeof(floatX));
    return vector_load_x(lane);
}
static inline void vector_store_x_part(floatX *p, Vector x, int count) {
    if (count >= SIMD_WIDTH) {
        vector_store_x(p, x);
        return;
    }
    floatX lane[SIMD_WIDTH];
    vector_store_x(lane, x);
    memcpy(p, lane, (size_t)count * sizeof(floatX));
}
static inline Vector vector_load_part(const float *p, int count) {
    if (count >= SIMD_WIDTH) { return vector_load(p); }
    float lane[SIMD_WIDTH] = {0};
    memcpy(lane, p, (size_t)count * sizeof(float));
    return vector_load(lane);
}
static inline void vector_store_part(float *p, Vector x, int count) {
    if (count >= SIMD_WIDTH) {
        vector_store(p, x);
        return;
    }
    memcpy(p, &x, (size_t)count * sizeof(float));
}

// Rows become columns: first 4 x 4 inside every group of four lanes, then whole groups change places.
static inline __attribute__((always_inline)) void vector_transpose(Vector row[SIMD_WIDTH]) {
#define VECTOR_SINGLES(l)       l, l + SIMD_WIDTH, l + 1, l + SIMD_WIDTH + 1
#define VECTOR_PAIRS(l)         l, l + 1, l + SIMD_WIDTH, l + SIMD_WIDTH + 1
#define VECTOR_UPPER_SINGLES(l) VECTOR_SINGLES(l + 2)
#define VECTOR_UPPER_PAIRS(l)   VECTOR_PAIRS(l + 2)
#define VECTOR_EVEN_GROUPS(l)   2 * l, 2 * l + 1, 2 * l + 2, 2 * l + 3
#define VECTOR_ODD_GROUPS(l)    2 * l + 4, 2 * l + 5, 2 * l + 6, 2 * l + 7
    for (int i = 0; i < SIMD_WIDTH; i += 4) {
        Vector low01 = __builtin_shufflevector(row[i], row[i + 1], SIMD_QUADS(VECTOR_SINGLES));
        Vector high01 = __builtin_shufflevector(row[i], row[i + 1], SIMD_QUADS(VECTOR_UPPER_SINGLES));
        Vector low23 = __builtin_shufflevector(row[i + 2], row[i + 3], SIMD_QUADS(VECTOR_SINGLES));
        Vector high23 = __builtin_shufflevector(row[i + 2], row[i + 3], SIMD_QUADS(VECTOR_UPPER_SINGLES));
        row[i] = __builtin_shufflevector(low01, low23, SIMD_QUADS(VECTOR_PAIRS));
        row[i + 1] = __builtin_shufflevector(low01, low23, SIMD_QUADS(VECTOR_UPPER_PAIRS));
        row[i + 2] = __builtin_shufflevector(high01, high23, SIMD_QUADS(VECTOR_PAIRS));
        row[i + 3] = __builtin_shufflevector(high01, high23, SIMD_QUADS(VECTOR_UPPER_PAIRS));
    }
    for (int apart = 4; apart < SIMD_WIDTH; apart *= 2) {
        for (int i = 0; i < SIMD_WIDTH; i++) {
            if (i & apart) { continue; }
            Vector a = row[i], b = row[i | apart];
            row[i] = __builtin_shufflevector(a, b, SIMD_QUADS(VECTOR_EVEN_GROUPS));
            row[i | apart] = __builtin_shufflevector(a, b, SIMD_QUADS(VECTOR_ODD_GROUPS));
        }
    }
#undef VECTOR_SINGLES
#undef VECTOR_PAIRS
#undef VECTOR_UPPER_SINGLES
#undef VECTOR_UPPER_PAIRS
#undef VECTOR_EVEN_GROUPS
#undef VECTOR_ODD_GROUPS
}

// The upper half onto the lower half until one lane is left: a fixed tree. Zipping a vector with itself doubles every lane of a half.
static inline float vector_sum(Vector x) {
    for (int width = SIMD_WIDTH; width > 1; width /= 2) {
        x = __builtin_shufflevector(x, x, SIMD_ZIP_LOW) + __builtin_shufflevector(x, x, SIMD_ZIP_HIGH);
    }
    return x[0];
}
static inline float vector_max_lane(Vector x) {
    for (int width = SIMD_WIDTH; width > 1; width /= 2) {
        x = vector_max(__builtin_shufflevector(x, x, SIMD_ZIP_LOW), __builtin_shufflevector(x, x, SIMD_ZIP_HIGH));
    }
    return x[0];
}

// e^x to within 2 units in the last place, for x in [-87.3, 88] or NaN: x = n ln2 + r with |r| <= ln2 / 2, a degree-6 polynomial for e^r,
// n into the exponent.
static inline Vector vector_exp_inside(Vector x) {
    Vector shifted = x * 1.44269504f + 12582912.0f; // adding 1.5 * 2^23 rounds to the nearest integer
    Vector n = shifted - 12582912.0f;
    Vector r = x - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    Vector p = vector_splat(1.3888889e-3f);
    p = p * r + 8.3333333e-3f;
    p = p * r + 4.1666667e-2f;
    p = p * r + 1.6666667e-1f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    VectorInt exponent = ((VectorInt)shifted - 0x4B400000 + 127) << 23;
    return p * (Vector)exponent;
}
// The same for any x, clamped to [-87.3, 88]: the smallest result is 1.2e-38, so exp(-infinity) must be masked by the caller where zero matters.
static inline Vector vector_exp(Vector x) {
    x = vector_select(x < -87.3f, vector_splat(-87.3f), x);
    x = vector_select(x > 88.0f, vector_splat(88.0f), x);
    return vector_exp_inside(x);
}
