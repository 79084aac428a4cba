// bench_device: what the benchmark programs of any backend share: a timer with a barrier, random data made fast, and one JSON line for each
// figure, which dev/bench_join.py puts beside its peer's and its limit. The lines are numbered as in dev/gpu_check.sh.
// A row carries its work, and what a limit is made of, as parts whose times add up; within a part the slowest resource decides:
//   seconds >= sum over parts of max( flops / matrix product ceiling, bytes / copy ceiling, attention flops / attention ceiling )
#pragma once
#include <ctype.h>
#include <math.h>
#include "llmc/common.h"
#include "llmc/device.h"
#include "llmc/random.h"

typedef struct {
    double flops, bytes, attention_forward, attention_backward; // attention counts its causal work once
} BenchPart;
enum { BENCH_PARTS = 8,
       BENCH_SAMPLES = 11,
       BENCH_PATTERN = 1 << 22 };
typedef struct {
    int line;
    const char *unit;            // TFLOP/s GB/s tok/s, of `work`; or ms us s, then the time itself is the figure
    double seconds, work;        // of one run
    double model_flops;          // > 0: the figure is followed by the share of the GPU's peak that these are
    const char *of, *good_of;    // what the targets are shares of: limit, peer (the fastest) or a peer by name; good_of NULL: as `of`; of NULL: no target
    double first, good;          // where this line should come first, and where it is good
    double times_peer;           // > 0: and how many times as fast as the peer of which ..
    const char *times_of;        // .. the name has this in it; NULL: as every peer
    BenchPart part[BENCH_PARTS]; // of the limit; all zero: no limit
} BenchRow;

static bool bench_smoke; // tiny shapes, one run: does the program work?

// ---- time

static inline int bench_compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
static inline double bench_median(double *values, int count) {
    qsort(values, (size_t)count, sizeof(double), bench_compare);
    return values[count / 2];
}
static inline double bench_once(void (*run)(void *), void *context, int times) {
    device_wait();
    const double start = seconds_now();
    for (int i = 0; i < times; i++) { run(context); }
    device_wait();
    return (seconds_now() - start) / times;
}
// Seconds of one run: the median of BENCH_SAMPLES, each of as many runs as make 20 ms, so that the barrier weighs nothing.
static inline double bench_time(void (*run)(void *), void *context) {
    double samples[BENCH_SAMPLES];
    bench_once(run, context, 1); // finds kernels, fills caches
    if (bench_smoke) { return bench_once(run, context, 1); }
    const double once = bench_once(run, context, 2);
    const int times = once < 0.02 ? (int)(0.02 / (once + 1e-7)) + 1 : 1;
    for (int i = 0; i < BENCH_SAMPLES; i++) { samples[i] = bench_once(run, context, times); }
    return bench_median(samples, BENCH_SAMPLES);
}

// ---- data: normal deviates, a pattern of 4 M of them repeated; made once on the host

static inline void bench_fill(void *array, const void *pattern, size_t pattern_bytes, size_t bytes) {
    size_t done = bytes < pattern_bytes ? bytes : pattern_bytes;
    device_upload(array, pattern, done);
    while (done < bytes) { // what is there, once more behind it
        const size_t more = bytes - done < done ? bytes - done : done;
        device_copy((char *)array + done, array, more);
        done += more;
    }
}
static inline const float *bench_pattern(void) {
    static float *pattern;
    if (pattern) { return pattern; }
    pattern = (float *)host_alloc(sizeof(float) * BENCH_PATTERN);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < BENCH_PATTERN; i++) { pattern[i] = random_normal(17, (uint64_t)i); }
    return pattern;
}
static inline size_t bench_pattern_count(size_t count) { return count < BENCH_PATTERN ? count : BENCH_PATTERN; }
static inline floatX *bench_random_x(const char *what, size_t count, float deviation) {
    const size_t distinct = bench_pattern_count(count);
    const float *pattern = bench_pattern();
    floatX *values = (floatX *)host_alloc(sizeof(floatX) * distinct), *array = (floatX *)device_alloc(what, sizeof(floatX) * count);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < distinct; i++) { values[i] = to_floatX(deviation * pattern[i]); }
    bench_fill(array, values, sizeof(floatX) * distinct, sizeof(floatX) * count);
    free(values);
    return array;
}
static inline float *bench_random_f(const char *what, size_t count, float deviation, bool positive) {
    const size_t distinct = bench_pattern_count(count);
    const float *pattern = bench_pattern();
    float *values = (float *)host_alloc(sizeof(float) * distinct), *array = (float *)device_alloc(what, sizeof(float) * count);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < distinct; i++) { values[i] = deviation * (positive ? fabsf(pattern[i]) : pattern[i]); }
    bench_fill(array, values, sizeof(float) * distinct, sizeof(float) * count);
    free(values);
    return array;
}
static inline int *bench_upload_ints(const char *what, const int *values, size_t count) {
    int *array = (int *)device_alloc(what, sizeof(int) * count);
    device_upload(array, values, sizeof(int) * count);
    return array;
}

// ---- rows

__attribute__((format(printf, 2, 3))) static inline void bench_row(const BenchRow *row, const char *format, ...) {
    char name[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof(name), format, arguments);
    va_end(arguments);
    printf("{\"line\": %d, \"row\": \"%s\", \"unit\": \"%s\", \"seconds\": %.9g, \"work\": %.9g, \"model_flops\": %.9g, ", row->line, name, row->unit, row->seconds, row->work, row->model_flops);
    if (row->of) { printf("\"of\": \"%s\", \"good_of\": \"%s\", \"first\": %g, \"good\": %g, \"times_peer\": %g, \"times_of\": \"%s\", ", row->of, row->good_of ? row->good_of : row->of, row->first, row->good, row->times_peer, row->times_of ? row->times_of : ""); }
    printf("\"parts\": [");
    for (int i = 0, printed = 0; i < BENCH_PARTS; i++) {
        const BenchPart *part = &row->part[i];
        if (part->flops + part->bytes + part->attention_forward + part->attention_backward == 0) { continue; }
        printf("%s{\"flops\": %.9g, \"bytes\": %.9g, \"attention_forward\": %.9g, \"attention_backward\": %.9g}", printed++ ? ", " : "", part->flops, part->bytes, part->attention_forward, part->attention_backward);
    }
    puts("]}");
    fflush(stdout);
}
// A figure that is neither a rate nor a time: it stands in the table as it is.
__attribute__((format(printf, 4, 5))) static inline void bench_note(int line, const char *name, const char *target, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("{\"line\": %d, \"row\": \"%s\", \"target\": \"%s\", \"text\": \"", line, name, target);
    vprintf(format, arguments);
    puts("\"}");
    va_end(arguments);
    fflush(stdout);
}

// ---- which lines

typedef struct {
    int number;
    const char *name;
    void (*run)(void);
} BenchLine;
// The lines named by number or by name on the command line, one after another, each with all of the device's memory; without names: all.
static inline int bench_main(int count, char **names, const BenchLine *lines, int line_count) {
    bool any = false;
    for (int i = 1; i < count; i++) {
        bool known = !strcmp(names[i], "--smoke");
        bench_smoke |= known, any |= !known;
        for (int l = 0; l < line_count; l++) { known |= !strcmp(names[i], lines[l].name) || (isdigit((unsigned char)*names[i]) && atoi(names[i]) == lines[l].number); }
        if (!known) { fatal("%s: no such line: a number or name of dev/gpu_check.sh's table, or --smoke", names[i]); }
    }
    device_init();
    fprintf(stderr, "%s, storage " FLOATX_NAME "%s\n", device_name(), bench_smoke ? ", smoke shapes: its figures mean nothing" : "");
    for (int l = 0; l < line_count; l++) {
        bool wanted = !any;
        for (int i = 1; i < count; i++) { wanted |= !strcmp(names[i], lines[l].name) || (isdigit((unsigned char)*names[i]) && atoi(names[i]) == lines[l].number); }
        if (!wanted) { continue; }
        lines[l].run();
        device_shutdown();
    }
    return 0;
}
