// CUDA body of ../device.h, and what every kernel file needs: error checks, the stream, the scratch memory, LAUNCH (ptx.cuh).
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cuda_runtime.h>
#include <ptx.cuh>
#include "llmc/cuda/check.cuh"
#include "llmc/device.h"

// One launch, in order behind everything before it; an error of an earlier kernel also shows here or at the next download.
#define RUN(kernel, grid, block, shared_bytes, ...)                                                  \
    do {                                                                                             \
        LAUNCH(kernel, grid, block, shared_bytes, main_stream, __VA_ARGS__);                         \
        device_launched = #kernel, device_launched_file = __FILE__, device_launched_line = __LINE__; \
        cudaCheck(cudaGetLastError());                                                               \
    } while (0)

static cudaStream_t main_stream; // the one queue: everything is in one order

[[noreturn]] static inline void device_refuse(const char *why) {
    fprintf(stderr, "error: %s\n", why);
    exit(EXIT_FAILURE);
}
// Memory for what lives within one op: partial sums, the workspace of a matrix product. One queue, so one user at a time.
enum { SCRATCH_BYTES = 32 << 20 };
static void *device_scratch(void) {
    static void *scratch; // made by device_init, kept for the life of the program
    if (!scratch) { cudaCheck(cudaMalloc(&scratch, SCRATCH_BYTES)); }
    return scratch;
}
static cudaEvent_t device_marks[DEVICE_MARKS];
static struct {
    int uses; // since the last device_forget_recordings
    cudaGraphExec_t graph;
} device_recordings[DEVICE_RECORDINGS];

static int device_number, device_ranks = 1, device_sharers = 1; // ranks of this machine, and how many of them share this GPU
void device_choose(int rank, int ranks) { device_number = rank, device_ranks = ranks; }
extern "C" cudaStream_t device_stream(void) { return main_stream; } // for collectives, which are another unit
static const cudaDeviceProp *device_properties(void) {
    static cudaDeviceProp properties;
    static bool known;
    if (!known) { cudaCheck(cudaGetDeviceProperties(&properties, device_number)); }
    known = true;
    return &properties;
}
bool device_probe(char text[512]) {
    int count = 0, driver = 0, runtime = 0;
    cudaError_t error = cudaGetDeviceCount(&count);
    if (error == cudaErrorInsufficientDriver) {
        snprintf(text, 512, "the NVIDIA driver is missing or older than this program's CUDA; install a newer driver, or build with make BACKEND=cpu");
        return false;
    }
    if (error != cudaSuccess || count == 0) {
        snprintf(text, 512, "no CUDA GPU can be used (%s); look at nvidia-smi and CUDA_VISIBLE_DEVICES, or build with make BACKEND=cpu",
                 error == cudaSuccess ? "none is visible" : cudaGetErrorString(error));
        return false;
    }
    device_number %= count;
    device_sharers = CEIL_DIV(device_ranks, count);
    const cudaDeviceProp *gpu = device_properties();
    if (gpu->major < 8) {
        snprintf(text, 512, "%s has compute capability %d.%d, but 8.0 (Ampere) is the least that is supported; build with make BACKEND=cpu", gpu->name, gpu->major, gpu->minor);
        return false;
    }
    cudaCheck(cudaDriverGetVersion(&driver)); // 12040: 12.4
    cudaCheck(cudaRuntimeGetVersion(&runtime));
    snprintf(text, 512, "%s, %d of %d visible, driver for CUDA %d.%d, built with CUDA %d.%d", device_name(), device_number + 1, count, driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
    return true;
}
void device_init(void) {
    char text[512];
    if (!device_probe(text)) { device_refuse(text); }
    cudaCheck(cudaSetDevice(device_number));
    cudaCheck(cudaStreamCreateWithFlags(&main_stream, cudaStreamNonBlocking)); // the default stream cannot be recorded
    for (int i = 0; i < DEVICE_MARKS; i++) { cudaCheck(cudaEventCreateWithFlags(&device_marks[i], cudaEventDisableTiming)); }
    device_scratch(); // before anything is recorded
}
const char *device_name(void) { // "NVIDIA H100 80GB HBM3 (sm_90, 132 multiprocessors, 79 GiB)"
    static char name[384];
    const cudaDeviceProp *gpu = device_properties();
    snprintf(name, sizeof(name), "%s (sm_%d%d, %d multiprocessors, %zu GiB)", gpu->name, gpu->major, gpu->minor, gpu->multiProcessorCount,
             gpu->totalGlobalMem >> 30);
    return name;
}
size_t device_memory_bytes(void) {
    size_t available = 0, total = 0;
    cudaCheck(cudaMemGetInfo(&available, &total));
    available /= (size_t)device_sharers;
    return available > DEVICE_GPU_RESERVE ? available - DEVICE_GPU_RESERVE : 0;
}
// Dense bf16 products as the data sheets have them; of other GPUs what their multiprocessors can do at the highest clock.
DeviceLimits device_limits(size_t) {
    static const struct {
        const char *name;
        double operations;
    } sheets[] = {{"H100 PCIe", 756e12}, {"H100 NVL", 835e12}, {"H100", 989e12}, {"H200", 989e12}, {"H800", 989e12}, {"A100", 312e12}, {"A800", 312e12}, {"L40S", 362e12}, {"B200", 2250e12}};
    const cudaDeviceProp *gpu = device_properties();
    int clock = 0, memory_clock = 0, bus = 0; // kHz, kHz, bits
    cudaCheck(cudaDeviceGetAttribute(&clock, cudaDevAttrClockRate, device_number));
    cudaCheck(cudaDeviceGetAttribute(&memory_clock, cudaDevAttrMemoryClockRate, device_number));
    cudaCheck(cudaDeviceGetAttribute(&bus, cudaDevAttrGlobalMemoryBusWidth, device_number));
    const bool big = gpu->minor == 0; // 8.0, 9.0, 10.0: of data centres
    const double tensor = !big ? 1024 : gpu->major == 8 ? 2048
                                    : gpu->major == 9   ? 4096
                                                        : 8192,
                 plain = big && gpu->major == 8 ? 128 : 256; // operations a clock and multiprocessor
    DeviceLimits limits = {(sizeof(floatX) == sizeof(float) ? plain : tensor) * gpu->multiProcessorCount * clock * 1e3, 2.0 * memory_clock * 1e3 * bus / 8};
    for (size_t i = sizeof(sheets) / sizeof(sheets[0]); i-- > 0 && sizeof(floatX) < sizeof(float);) {
        if (strstr(gpu->name, sheets[i].name)) { limits.operations = sheets[i].operations; }
    }
    return limits;
}

typedef struct Allocation {
    struct Allocation *next;
    void *memory;
    bool on_host;
} Allocation;
static Allocation *allocations;

void *device_alloc(const char *what, size_t bytes) {
    void *memory = NULL;
    Allocation *allocation = (Allocation *)malloc(sizeof(Allocation));
    if (!allocation || cudaMalloc(&memory, bytes ? bytes : 1) != cudaSuccess) {
        fprintf(stderr, "error: out of GPU memory: %zu bytes for %s, and about %zu bytes are free\n", bytes, what, device_memory_bytes());
        exit(EXIT_FAILURE);
    }
    cudaCheck(cudaMemsetAsync(memory, 0, bytes, main_stream));
    *allocation = {allocations, memory, false};
    allocations = allocation;
    return memory;
}
size_t device_allocations(void) {
    size_t count = 0;
    for (const Allocation *a = allocations; a; a = a->next) { count++; }
    return count;
}
void device_shutdown(void) {
    cudaCheck(cudaStreamSynchronize(main_stream));
    device_forget_recordings();
    while (allocations) {
        Allocation *next = allocations->next;
        cudaCheck(allocations->on_host ? cudaFreeHost(allocations->memory) : cudaFree(allocations->memory));
        free(allocations);
        allocations = next;
    }
}
void device_zero(void *memory, size_t bytes) { cudaCheck(cudaMemsetAsync(memory, 0, bytes, main_stream)); }
void device_upload(void *to_device, const void *from_host, size_t bytes) {
    cudaCheck(cudaMemcpyAsync(to_device, from_host, bytes, cudaMemcpyHostToDevice, main_stream));
    cudaCheck(cudaStreamSynchronize(main_stream)); // the caller may change its memory at once
}
void device_download(void *to_host, const void *from_device, size_t bytes) {
    cudaCheck(cudaMemcpyAsync(to_host, from_device, bytes, cudaMemcpyDeviceToHost, main_stream));
    cudaCheck(cudaStreamSynchronize(main_stream));
}
void device_copy(void *to_device, const void *from_device, size_t bytes) {
    cudaCheck(cudaMemcpyAsync(to_device, from_device, bytes, cudaMemcpyDeviceToDevice, main_stream));
}

void device_wait(void) { cudaCheck(cudaStreamSynchronize(main_stream)); }
bool device_works_ahead(void) { return true; }
void *device_host_alloc(const char *what, size_t bytes) {
    void *memory = NULL;
    Allocation *allocation = (Allocation *)malloc(sizeof(Allocation));
    if (!allocation || cudaMallocHost(&memory, bytes ? bytes : 1) != cudaSuccess) {
        fprintf(stderr, "error: out of page-locked memory: %zu bytes for %s\n", bytes, what);
        exit(EXIT_FAILURE);
    }
    memset(memory, 0, bytes);
    *allocation = {allocations, memory, true};
    allocations = allocation;
    return memory;
}
void device_send(void *to_device, const void *from_host, size_t bytes) {
    cudaCheck(cudaMemcpyAsync(to_device, from_host, bytes, cudaMemcpyHostToDevice, main_stream));
}
void device_fetch(void *to_host, const void *from_device, size_t bytes) {
    cudaCheck(cudaMemcpyAsync(to_host, from_device, bytes, cudaMemcpyDeviceToHost, main_stream));
}
void device_mark(int mark) { cudaCheck(cudaEventRecord(device_marks[mark], main_stream)); }
void device_reach(int mark) { cudaCheck(cudaEventSynchronize(device_marks[mark])); }

// The first time ops run plainly: what a library or the driver loads at the first use of a kernel may not happen while recording.
bool device_replay(int recording) {
    if (recording >= DEVICE_RECORDINGS || !device_recordings[recording].graph) { return false; }
    cudaCheck(cudaGraphLaunch(device_recordings[recording].graph, main_stream));
    return true;
}
void device_record(int recording) {
    if (recording >= DEVICE_RECORDINGS || device_recordings[recording].uses++ == 0) { return; }
    cudaCheck(cudaStreamBeginCapture(main_stream, cudaStreamCaptureModeThreadLocal));
}
void device_recorded(int recording) {
    if (recording >= DEVICE_RECORDINGS || device_recordings[recording].uses == 1) { return; }
    cudaGraph_t graph;
    cudaCheck(cudaStreamEndCapture(main_stream, &graph));
    cudaCheck(cudaGraphInstantiate(&device_recordings[recording].graph, graph, 0));
    cudaCheck(cudaGraphDestroy(graph));
    device_replay(recording);
}
void device_forget_recordings(void) {
    for (int i = 0; i < DEVICE_RECORDINGS; i++) {
        if (device_recordings[i].graph) { cudaCheck(cudaGraphExecDestroy(device_recordings[i].graph)); }
        device_recordings[i] = {0, NULL};
    }
}
