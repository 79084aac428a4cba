// ladder: what the ladders of dev/ share. A ladder climbs from a kernel that anyone would write to the one that is shipped, one idea a rung.
// Its reference is the CPU body, included in a namespace of its own; its last rung includes llmc/cuda/<op>.cuh: neither can drift.
//   build/.../dev/rmsnorm [rung]     checks every rung (or one) against the reference; on a GPU also times it and prints rows of a table
// A ladder declares its arrays in make(shape), fills the outputs' host side in reference(), and lists its rungs; ladder_main does the rest.
#pragma once
#include <ctype.h> // system headers stand here and not below, because CPU bodies are included inside a namespace
#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "llmc/cuda/device.cuh"
#include "llmc/cuda/linear_cublas.cuh" // on the emulator: test/emulator/llmc/cuda/linear_cublas.cuh, the tiled kernel under that name
#include "llmc/cuda/linear.cuh"
#include "llmc/random.h"
#define _Thread_local thread_local // C11's word in the CPU bodies

enum LadderLimit { LADDER_BANDWIDTH, // bytes, beside a copy within device memory
                   LADDER_PRODUCT }; // floating-point operations, beside an 8192^3 product by cuBLASLt
struct Rung {
    const char *what; // the idea, as the table says it
    void (*run)(void);
};
struct Ladder {
    const char *name, *shape; // shape: of the timed arrays, in words
    const Rung *rungs;
    int rung_count, checked_shapes;
    void (*make)(int shape); // 0 .. checked_shapes-1 are small and awkward; checked_shapes is the 1.5B model's, and only timed
    void (*reference)(void); // the CPU body on the arrays' host side
    double (*work)(void);    // bytes that any kernel must move, or operations it must do, on the arrays made last
    LadderLimit limit;
};

// ---- arrays: both sides hold the same at first; then the reference changes the host's side and a rung the device's
template <typename T>
struct LadderArray {
    T *host, *device; // host is NULL when a rung is timed
    size_t count;
};
struct LadderOutput { // what a rung may write: put back before each rung, compared after it
    const char *name;
    void *host, *start, *device;
    size_t count, bytes;
    double (*value)(const void *array, size_t i);
    double bound;
};
enum { LADDER_OUTPUTS = 8,
       LADDER_ARRAYS = 32,
       LADDER_BLOCK = 1 << 20, // random numbers repeat after this many
       LADDER_REPEATS = 15 };
static struct {
    LadderOutput output[LADDER_OUTPUTS];
    void *host[LADDER_ARRAYS];
    int outputs, hosts;
    bool timed;
    uint64_t key; // of the next array's numbers
} ladder_state;

static inline void *ladder_host(size_t bytes) { // freed with the shape
    void *memory = malloc(bytes ? bytes : 1);
    if (!memory || ladder_state.hosts == LADDER_ARRAYS) { device_refuse("out of host memory, or of places for a ladder's arrays"); }
    return ladder_state.host[ladder_state.hosts++] = memory;
}
static inline float ladder_float(float x) { return x; }
static inline float ladder_float(int x) { return (float)x; }
static inline float ladder_float(uint64_t x) { return (float)x; }
template <typename T>
static float ladder_float(T x) { return value_float(x); }
static inline void ladder_set(int *to, double x) { *to = (int)x; }
static inline void ladder_set(uint64_t *to, double x) { *to = (uint64_t)x; }
template <typename T>
static void ladder_set(T *to, double x) { *to = value_from_float<T>((float)x); }
template <typename T>
static double ladder_value(const void *array, size_t i) { return (double)ladder_float(((const T *)array)[i]); }

// value(i) for every i; a timed array takes the first LADDER_BLOCK values over and over, unless all of them are asked for.
template <typename T, typename Value>
static LadderArray<T> ladder_array(size_t count, Value value, bool all = false) {
    LadderArray<T> array = {NULL, (T *)device_alloc("a ladder's array", count * sizeof(T)), count};
    size_t block = !ladder_state.timed || all || count < LADDER_BLOCK ? count : (size_t)LADDER_BLOCK;
    T *host = (T *)ladder_host(block * sizeof(T));
    for (size_t i = 0; i < block; i++) { ladder_set(host + i, value(i)); }
    for (size_t i = 0; i < count; i += block) { device_upload(array.device + i, host, (count - i < block ? count - i : block) * sizeof(T)); }
    array.host = ladder_state.timed ? NULL : host;
    return array;
}
struct LadderRandom { // center - spread .. center + spread
    uint64_t key;
    double center, spread;
    double operator()(size_t i) const { return center + spread * (2 * (double)random_uniform(key, i) - 1); }
};
template <typename T>
static LadderArray<T> ladder_input(size_t count, double center, double spread) {
    return ladder_array<T>(count, LadderRandom{ladder_state.key++, center, spread});
}
// An output starts random, so that what is not written, or not added to, shows. bound: relative RMS error against the reference.
template <typename T>
static LadderArray<T> ladder_output(const char *name, size_t count, double bound, double center = 0, double spread = 1) {
    LadderArray<T> array = ladder_input<T>(count, center, spread);
    if (ladder_state.timed) { return array; }
    if (ladder_state.outputs == LADDER_OUTPUTS) { device_refuse("a ladder has too many outputs"); }
    void *start = ladder_host(count * sizeof(T));
    memcpy(start, array.host, count * sizeof(T));
    ladder_state.output[ladder_state.outputs++] = {name, array.host, start, array.device, count, count * sizeof(T), ladder_value<T>, bound};
    return array;
}
static inline void ladder_free(void) {
    device_shutdown();
    for (int i = 0; i < ladder_state.hosts; i++) { free(ladder_state.host[i]); }
    ladder_state.hosts = ladder_state.outputs = 0;
}

// ---- checks
static inline bool ladder_compare(const LadderOutput *output, const char *name, int rung, int shape) {
    void *got = malloc(output->bytes);
    if (!got) { device_refuse("out of host memory"); }
    device_download(got, output->device, output->bytes);
    double error = 0, norm = 0;
    for (size_t i = 0; i < output->count; i++) {
        double want = output->value(output->host, i), difference = output->value(got, i) - want;
        error += difference * difference, norm += want * want;
    }
    free(got);
    double relative = norm > 0 ? sqrt(error / norm) : sqrt(error);
    bool ok = relative <= output->bound; // also false for NaN
    if (!ok) { printf("FAIL %s %d: %s off by %.1e, allowed %.0e (shape %d)\n", name, rung, output->name, relative, output->bound, shape); }
    return ok;
}
static inline int ladder_check(const Ladder *ladder, int only) { // how many comparisons failed
    int failed = 0, compared = 0;
    for (int shape = 0; shape < ladder->checked_shapes; shape++) {
        ladder->make(shape);
        ladder->reference();
        for (int rung = 1; rung <= ladder->rung_count; rung++) {
            if (only && rung != only) { continue; }
            for (int i = 0; i < ladder_state.outputs; i++) {
                const LadderOutput *output = &ladder_state.output[i];
                device_upload(output->device, output->start, output->bytes);
            }
            ladder->rungs[rung - 1].run();
            for (int i = 0; i < ladder_state.outputs; i++, compared++) { failed += !ladder_compare(&ladder_state.output[i], ladder->name, rung, shape); }
        }
        ladder_free();
    }
    printf("%s: %d passed, %d failed\n", ladder->name, compared - failed, failed);
    return failed;
}

// ---- times
struct LadderClock {
    cudaEvent_t start, stop;
    void *flush;
    size_t flush_bytes; // more than any second-level cache
};
static inline LadderClock ladder_clock(void) {
    LadderClock clock = {};
    clock.flush_bytes = (size_t)256 << 20;
    cudaCheck(cudaEventCreate(&clock.start));
    cudaCheck(cudaEventCreate(&clock.stop));
    cudaCheck(cudaMalloc(&clock.flush, clock.flush_bytes));
    return clock;
}
static inline int ladder_order(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}
// The median of LADDER_REPEATS runs after two to warm up, the cache filled with something else before each. The fill also keeps the GPU
// busy until the launch is queued, so that launch latency is not measured.
template <typename Run>
static double ladder_seconds(LadderClock *clock, Run run) {
    float milliseconds[LADDER_REPEATS];
    for (int i = -2; i < LADDER_REPEATS; i++) {
        cudaCheck(cudaMemsetAsync(clock->flush, i + 2, clock->flush_bytes, main_stream));
        cudaCheck(cudaEventRecord(clock->start, main_stream));
        run();
        cudaCheck(cudaEventRecord(clock->stop, main_stream));
        cudaCheck(cudaEventSynchronize(clock->stop));
        cudaCheck(cudaEventElapsedTime(&milliseconds[i < 0 ? 0 : i], clock->start, clock->stop));
    }
    qsort(milliseconds, LADDER_REPEATS, sizeof(float), ladder_order);
    return milliseconds[LADDER_REPEATS / 2] * 1e-3;
}
static inline double ladder_measure_limit(LadderClock *clock, LadderLimit limit) { // bytes or operations a second
    if (limit == LADDER_BANDWIDTH) {
        const size_t bytes = (size_t)1 << 30;
        char *memory = (char *)device_alloc("copy bandwidth", 2 * bytes);
        double seconds = ladder_seconds(clock, [=]() { device_copy(memory, memory + bytes, bytes); });
        ladder_free();
        return 2 * (double)bytes / seconds;
    }
    const int edge = 8192;
    LadderArray<floatX> a = ladder_input<floatX>((size_t)edge * edge, 0, 1), b = ladder_input<floatX>((size_t)edge * edge, 0, 1);
    floatX *out = (floatX *)device_alloc("product", (size_t)edge * edge * sizeof(floatX));
    double seconds = ladder_seconds(clock, [=]() { linear_forward(out, a.device, b.device, NULL, edge, edge, edge); });
    ladder_free();
    return 2.0 * edge * edge * edge / seconds;
}
static inline void ladder_time(const Ladder *ladder, int only, bool gpu) {
    const bool bytes = ladder->limit == LADDER_BANDWIDTH;
    const double unit = bytes ? 1e9 : 1e12;
    LadderClock clock = {};
    double limit = 0;
    ladder_state.timed = true;
    if (gpu) {
        clock = ladder_clock();
        limit = ladder_measure_limit(&clock, ladder->limit);
        printf("on: %s, %s\n", device_name(), FLOATX_NAME);
        ladder->make(ladder->checked_shapes);
    }
    for (int rung = 1; rung <= ladder->rung_count; rung++) {
        const Rung *at = &ladder->rungs[rung - 1];
        if (only && rung != only) { continue; }
        printf("| %s %d | %s | %s | ", ladder->name, rung, at->what, ladder->shape);
        if (gpu) {
            double rate = ladder->work() / ladder_seconds(&clock, at->run);
            printf("%.*f %s | %.1f%% of %.0f |\n", rate < 100 * unit ? 1 : 0, rate / unit, bytes ? "GB/s" : "TFLOP/s", 100 * rate / limit, limit / unit);
        } else {
            puts("not yet run on a GPU | |");
        }
        fflush(stdout);
    }
    ladder_free();
    if (gpu) { cudaCheck(cudaFree(clock.flush)); }
}
static inline int ladder_main(const Ladder *ladder, int argc, char **argv) {
    int only = 0;
    if (argc > 2 || (argc == 2 && ((only = atoi(argv[1])) < 1 || only > ladder->rung_count))) {
        fprintf(stderr, "usage: %s [rung]\n", argv[0]);
        for (int rung = 1; rung <= ladder->rung_count; rung++) { fprintf(stderr, "  %d  %s\n", rung, ladder->rungs[rung - 1].what); }
        return EXIT_FAILURE;
    }
    device_init();
    int failed = ladder_check(ladder, only);
    ladder_time(ladder, only, strncmp(device_name(), "CUDA emulator", 13) != 0);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
