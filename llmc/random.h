// random: counter-based random numbers. A number depends on its key and its counter alone, never on how many were drawn
// before or who else draws, so that a sample is the same whatever batch, thread or order it comes in.
// The mixer is splitmix64's finaliser (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
#pragma once
#include <math.h>
#include "dtype.h"

LLMC_INLINE uint64_t random_mix(uint64_t x) {
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}
// A key below a key: random_key(random_key(seed, step), prompt).
LLMC_INLINE uint64_t random_key(uint64_t key, uint64_t part) { return random_mix(key ^ random_mix(part)); }
// Uniform in [0, 1), 24 bits: every value is exact in fp32.
LLMC_INLINE float random_uniform(uint64_t key, uint64_t counter) { return (float)(random_key(key, counter) >> 40) * 0x1p-24f; }
// Uniform in 0 .. n-1; the bias is below n / 2^32.
LLMC_INLINE uint32_t random_below(uint64_t key, uint64_t counter, uint32_t n) {
    return (uint32_t)(((random_key(key, counter) >> 32) * n) >> 32);
}
// Standard normal (Box-Muller on the two halves of one draw).
LLMC_INLINE float random_normal(uint64_t key, uint64_t counter) {
    uint64_t bits = random_key(key, counter);
    double u = ((double)(bits >> 32) + 1.0) * 0x1p-32, v = (double)(bits & 0xFFFFFFFFu) * 0x1p-32;
    return (float)(sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v));
}
// A permutation of 0 .. count-1 that follows from the key (Fisher and Yates).
LLMC_INLINE void random_permutation(int *order, int count, uint64_t key) {
    for (int i = 0; i < count; i++) { order[i] = i; }
    for (int i = count - 1; i > 0; i--) {
        int j = (int)random_below(key, (uint64_t)i, (uint32_t)i + 1), kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}
