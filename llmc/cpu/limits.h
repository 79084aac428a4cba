// CPU body of device_limits: measured when asked, in a few milliseconds. The micro-benchmarks of dev/ take the same loops for their ceilings.
#pragma once
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include "llmc/cpu/vector.h"
#include "llmc/device.h"

enum { LIMITS_CHAINS = 12,
       LIMITS_REPEATS = 5,
       LIMITS_ROUNDS = 200000 };
static volatile float limits_sink;

#define LIMITS_EACH_CHAIN(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
// Fused multiply-adds between registers alone, in all threads. Returns how many operations they were, two to each element.
static inline double limits_multiply(long rounds) {
#pragma omp parallel
    {
        Vector factor = vector_splat(0.999f + limits_sink * 0.0f), sum[LIMITS_CHAINS];
#define LIMITS_START(i) sum[i] = vector_splat((float)i);
#define LIMITS_FMA(i)   sum[i] = sum[i] * factor + factor;
        LIMITS_EACH_CHAIN(LIMITS_START)
        for (long round = 0; round < rounds; round++) { LIMITS_EACH_CHAIN(LIMITS_FMA) }
#undef LIMITS_START
#undef LIMITS_FMA
        for (int i = 1; i < LIMITS_CHAINS; i++) { sum[0] += sum[i]; }
        if (vector_sum(sum[0]) < 0) { limits_sink = 0; } // never: keeps the loop alive
    }
    return 2.0 * SIMD_WIDTH * LIMITS_CHAINS * (double)rounds * omp_get_max_threads();
}
static inline void limits_read(const float *from, size_t count) { // by all threads, each its share
#pragma omp parallel
    {
        size_t threads = (size_t)omp_get_num_threads(), thread = (size_t)omp_get_thread_num(), share = count / threads;
        const float *p = from + thread * share;
        Vector sum[4] = {{0}, {0}, {0}, {0}};
        for (size_t i = 0; i + 4 * SIMD_WIDTH <= share; i += 4 * SIMD_WIDTH) {
            sum[0] += vector_load(p + i);
            sum[1] += vector_load(p + i + SIMD_WIDTH);
            sum[2] += vector_load(p + i + 2 * SIMD_WIDTH);
            sum[3] += vector_load(p + i + 3 * SIMD_WIDTH);
        }
        if (vector_sum(sum[0] + sum[1] + sum[2] + sum[3]) < 0) { limits_sink = 0; } // never
    }
}
DeviceLimits device_limits(size_t working_set) {
    const size_t least = (size_t)1 << 18, most = (size_t)256 << 20, bytes = working_set < least ? least : working_set > most ? most
                                                                                                                             : working_set;
    const int again = (int)(((size_t)16 << 20) / bytes) + 1; // long enough for the clock
    DeviceLimits best = {0, 0};
    float *memory = (float *)malloc(bytes);
    if (!memory) { return best; }
    memset(memory, 0, bytes);
    for (int repeat = 0; repeat < LIMITS_REPEATS; repeat++) { // the best, since whatever else runs only ever takes time
        double started = omp_get_wtime();
        const double operations = limits_multiply(LIMITS_ROUNDS), multiplied = omp_get_wtime() - started;
        started = omp_get_wtime();
        for (int i = 0; i < again; i++) { limits_read(memory, bytes / sizeof(float)); }
        const double read = (omp_get_wtime() - started) / again;
        best.operations = operations / multiplied > best.operations ? operations / multiplied : best.operations;
        best.bytes = (double)bytes / read > best.bytes ? (double)bytes / read : best.bytes;
    }
    free(memory);
    return best;
}
