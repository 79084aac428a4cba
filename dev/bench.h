// bench: what the micro-benchmarks of dev/ share: the best of several timings, this machine's own ceilings measured in the same run, and
// one table whose ratio column says how near a kernel comes to its limit:
//   | name | measured | peer | limit | ratio |
#pragma once
#include <omp.h>
#include <stdio.h>
#include "llmc/common.h"
#include "llmc/cpu/limits.h"
#include "llmc/device.h"

enum { BENCH_REPEATS = 5 };

// Seconds of one run: the best of BENCH_REPEATS after one to warm up; a short run is repeated until 20 ms have passed. The best, and not
// the mean, because whatever else runs on the machine only ever adds time.
static inline double bench_seconds(void (*run)(void *), void *context) {
    double start = seconds_now();
    run(context);
    double once = seconds_now() - start, best = 1e30;
    int inner = once < 0.02 ? (int)(0.02 / (once + 1e-7)) + 1 : 1;
    for (int repeat = 0; repeat < BENCH_REPEATS; repeat++) {
        start = seconds_now();
        for (int i = 0; i < inner; i++) { run(context); }
        double seconds = (seconds_now() - start) / inner;
        best = seconds < best ? seconds : best;
    }
    return best;
}

// ---- ceilings
enum { BENCH_FMA_ROUNDS = 10000000 };
static inline void bench_fma_run(void *unused) {
    (void)unused;
    limits_multiply(BENCH_FMA_ROUNDS);
}
// fp32 operations a second of all threads together, fused multiply-adds between registers alone.
static inline double bench_fma_peak(void) {
    double operations = limits_multiply(1) * BENCH_FMA_ROUNDS;
    return operations / bench_seconds(bench_fma_run, NULL);
}

typedef struct {
    float *from, *to;
    size_t count;
} BenchStream;
static inline void bench_read_run(void *context) {
    BenchStream *stream = (BenchStream *)context;
    limits_read(stream->from, stream->count);
}
static inline void bench_copy_run(void *context) {
    BenchStream *stream = (BenchStream *)context;
#pragma omp parallel
    {
        size_t threads = (size_t)omp_get_num_threads(), thread = (size_t)omp_get_thread_num(), share = stream->count / threads;
        memcpy(stream->to + thread * share, stream->from + thread * share, share * sizeof(float));
    }
}
// Bytes a second out of memory, far more of them than any cache holds.
static inline double bench_read_bandwidth(void) {
    BenchStream stream = {.count = (size_t)64 << 20};
    stream.from = (float *)device_alloc("read bandwidth", stream.count * sizeof(float));
    double seconds = bench_seconds(bench_read_run, &stream);
    return (double)stream.count * sizeof(float) / seconds;
}
// Bytes read and bytes written a second.
static inline double bench_copy_bandwidth(void) {
    BenchStream stream = {.count = (size_t)64 << 20};
    stream.from = (float *)device_alloc("copy bandwidth", stream.count * sizeof(float));
    stream.to = (float *)device_alloc("copy bandwidth", stream.count * sizeof(float));
    double seconds = bench_seconds(bench_copy_run, &stream);
    return 2.0 * (double)stream.count * sizeof(float) / seconds;
}

// ---- the table
static inline void bench_head(void) { puts("| name | measured | peer | limit | ratio |\n|---|---|---|---|---|"); }
// measured and limit in units of `unit` (1e9 and "GFLOP/s"); peer 0 is printed as a dash.
static inline void bench_row(const char *name, double measured, double peer, double limit, double unit, const char *unit_name) {
    char peer_text[64] = "-";
    if (peer > 0) { snprintf(peer_text, sizeof(peer_text), "%.1f %s", peer / unit, unit_name); }
    printf("| %s | %.1f %s | %s | %.1f %s | %.2f |\n", name, measured / unit, unit_name, peer_text, limit / unit, unit_name, measured / limit);
    fflush(stdout);
}
