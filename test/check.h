// check: the whole test framework. A test is a main() that calls checks and ends in `return check_report("name");`.
// Host logic: check(condition, "what %d", ...), check_text(got, want, what). Ops: a Tensor is one array in two places,
// `exact` on the host in double and `device` where the op reads and writes it; inputs come from a fixed seed, errors are
// relative RMS, gradients are compared with central finite differences of the op's equations in double.
#pragma once
#include <math.h>
#include <stdarg.h>
#include "llmc/common.h"
#include "llmc/device.h"

static int checks_passed, checks_failed, checks_skipped;

// Prints a line for a failure; passes are only counted, so that a thousand vectors stay readable.
__attribute__((format(printf, 2, 3))) static inline bool check(bool passed, const char *format, ...) {
    checks_passed += passed;
    checks_failed += !passed;
    if (!passed && checks_failed <= 50) {
        va_list args;
        va_start(args, format);
        printf("FAIL ");
        vprintf(format, args);
        puts("");
        va_end(args);
    }
    return passed;
}
static inline bool check_text(const char *got, const char *want, const char *what) {
    return check(got && !strcmp(got, want), "%s: got \"%s\", want \"%s\"", what, got ? got : "(null)", want);
}
static inline void check_skip(const char *why) {
    printf("skip %s\n", why);
    checks_skipped++;
}
static inline int check_report(const char *name) {
    device_shutdown();
    printf("%s: %d passed, %d failed, %d skipped\n", name, checks_passed, checks_failed, checks_skipped);
    return checks_failed != 0;
}
// The folder of real test data (too large for the repository), or NULL: then say check_skip(...).
static inline const char *check_data_folder(void) {
    const char *folder = getenv("GRPO_TEST_DATA");
    folder = folder ? folder : "../shared/data";
    return file_exists(folder) ? folder : NULL;
}

// ---- ops
// Some contracts promise on the CPU what a GPU library does not (the order of every sum); some tests draw more than an emulator can.
static inline bool check_on_cpu(void) { return strncmp(device_name(), "cpu", 3) == 0; }
static inline bool check_on_emulator(void) { return strncmp(device_name(), "CUDA emulator", 13) == 0; }
static inline void *device_array(const char *what, const void *host, size_t bytes) { // a copy of host on the device
    void *device = device_alloc(what, bytes);
    device_upload(device, host, bytes);
    return device;
}

typedef struct {
    const char *name;
    int count;
    size_t element_bytes; // sizeof(floatX) or sizeof(float)
    double *exact;
    void *device;
} Tensor;

static uint64_t check_random_state = 0x9E3779B97F4A7C15u;
static inline double check_random(void) { // xorshift: uniform in [-1, 1), the same on every machine
    check_random_state ^= check_random_state << 13;
    check_random_state ^= check_random_state >> 7;
    check_random_state ^= check_random_state << 17;
    return (double)(check_random_state >> 11) / 4503599627370496.0 - 1.0;
}
static inline Tensor tensor_zero(const char *name, int count, size_t element_bytes) {
    return (Tensor){name, count, element_bytes, (double *)host_alloc((size_t)count * sizeof(double)),
                    device_alloc(name, (size_t)count * element_bytes)};
}
static inline void tensor_upload(Tensor *t) { // exact -> device, and exact becomes what the device can hold
    void *raw = host_alloc((size_t)t->count * t->element_bytes);
    for (int i = 0; i < t->count; i++) {
        if (t->element_bytes == sizeof(float)) {
            ((float *)raw)[i] = (float)t->exact[i];
            t->exact[i] = ((float *)raw)[i];
        } else {
            ((floatX *)raw)[i] = to_floatX((float)t->exact[i]);
            t->exact[i] = (double)to_float(((floatX *)raw)[i]);
        }
    }
    device_upload(t->device, raw, (size_t)t->count * t->element_bytes);
    free(raw);
}
static inline Tensor tensor_random(const char *name, int count, double center, size_t element_bytes) {
    Tensor t = tensor_zero(name, count, element_bytes);
    for (int i = 0; i < count; i++) { t.exact[i] = center + check_random(); }
    tensor_upload(&t);
    return t;
}
static inline void tensor_free(Tensor *t) { free(t->exact); } // the device part goes with device_shutdown
static inline void tensor_download(const Tensor *t, double *out) {
    void *raw = host_alloc((size_t)t->count * t->element_bytes);
    device_download(raw, t->device, (size_t)t->count * t->element_bytes);
    for (int i = 0; i < t->count; i++) {
        out[i] = t->element_bytes == sizeof(float) ? (double)((float *)raw)[i] : (double)to_float(((floatX *)raw)[i]);
    }
    free(raw);
}
static inline void check_values(const Tensor *t, const double *want, double tolerance) {
    double *got = (double *)host_alloc((size_t)t->count * sizeof(double));
    tensor_download(t, got);
    double error = 0, norm = 0;
    for (int i = 0; i < t->count; i++) {
        error += (got[i] - want[i]) * (got[i] - want[i]);
        norm += want[i] * want[i];
    }
    double relative = norm > 0 ? sqrt(error / norm) : sqrt(error);
    if (check(relative <= tolerance, "%-12s off by %.1e, allowed %.0e", t->name, relative, tolerance)) { // also false for NaN
        printf("ok   %-12s off by %.1e, allowed %.0e\n", t->name, relative, tolerance);
    }
    free(got);
}
// `gradient` must hold its old value plus d loss / d input, found by central differences of `loss` in double. check_gradient_written: no old value.
static inline void check_gradient(const Tensor *gradient, Tensor *input, double (*loss)(void), double tolerance) {
    double *want = (double *)host_alloc((size_t)gradient->count * sizeof(double));
    for (int i = 0; i < input->count; i++) {
        double value = input->exact[i], step = 1e-5;
        input->exact[i] = value + step;
        double above = loss();
        input->exact[i] = value - step;
        double below = loss();
        input->exact[i] = value;
        want[i] = gradient->exact[i] + (above - below) / (2 * step);
    }
    check_values(gradient, want, tolerance);
    free(want);
}
static inline void check_gradient_written(const Tensor *gradient, Tensor *input, double (*loss)(void), double tolerance) {
    memset(gradient->exact, 0, (size_t)gradient->count * sizeof(double));
    check_gradient(gradient, input, loss, tolerance);
}
