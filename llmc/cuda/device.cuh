// CUDA body of ../device.h, and what every kernel file needs: error checks, the stream, the scratch memory, LAUNCH (ptx.cuh).
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cuda_runtime.h>
#include <ptx.cuh>
#include "llmc/device.h"

// Ends the program naming the call, the file and the line: a CUDA error is never something to go on from.
#define cudaCheck(call) device_check((call), #call, __FILE__, __LINE__)
static inline void device_check(cudaError_t error, const char *call, const char *file, int line) {
    if (error == cudaSuccess) { return; }
    fflush(stdout);
    fprintf(stderr, "error: %s:%d: %s: %s\n", file, line, call, cudaGetErrorString(error));
    exit(EXIT_FAILURE);
}
#define CEIL_DIV(a, b) (((a) + (b)-1) / (b))
// One launch, in order behind everything before it; an error of an earlier kernel also shows here or at the next download.
#define RUN(kernel, grid, block, shared_bytes, ...)                          \
    do {                                                                     \
        LAUNCH(kernel, grid, block, shared_bytes, main_stream, __VA_ARGS__); \
        cudaCheck(cudaGetLastError());                                       \
    } while (0)

static cudaStream_t main_stream; // the default stream: everything is in one order

[[noreturn]] static inline void device_refuse(const char *why) {
    fprintf(stderr, "error: %s\n", why);
    exit(EXIT_FAILURE);
}
static const cudaDeviceProp *device_properties(void) {
    static cudaDeviceProp properties;
    static bool known;
    if (!known) { cudaCheck(cudaGetDeviceProperties(&properties, 0)); }
    known = true;
    return &properties;
}
void device_init(void) {
    int count = 0;
    cudaError_t error = cudaGetDeviceCount(&count);
    char text[512];
    if (error == cudaErrorInsufficientDriver) {
        device_refuse("the NVIDIA driver is missing or older than this program's CUDA; install a newer driver, or build with make BACKEND=cpu");
    }
    if (error != cudaSuccess || count == 0) {
        snprintf(text, sizeof(text), "no CUDA GPU can be used (%s); look at nvidia-smi and CUDA_VISIBLE_DEVICES, or build with make BACKEND=cpu",
                 error == cudaSuccess ? "none is visible" : cudaGetErrorString(error));
        device_refuse(text);
    }
    const cudaDeviceProp *gpu = device_properties();
    if (gpu->major < 8) {
        snprintf(text, sizeof(text), "%s has compute capability %d.%d, but 8.0 (Ampere) is the least that is supported; build with make BACKEND=cpu",
                 gpu->name, gpu->major, gpu->minor);
        device_refuse(text);
    }
    cudaCheck(cudaSetDevice(0));
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
    return available;
}

typedef struct Allocation {
    struct Allocation *next;
    void *memory;
} Allocation;
static Allocation *allocations;

void *device_alloc(const char *what, size_t bytes) {
    void *memory = NULL;
    Allocation *allocation = (Allocation *)malloc(sizeof(Allocation));
    if (!allocation || cudaMalloc(&memory, bytes ? bytes : 1) != cudaSuccess) {
        fprintf(stderr, "error: out of GPU memory: %zu bytes for %s, and %zu bytes are free\n", bytes, what, device_memory_bytes());
        exit(EXIT_FAILURE);
    }
    cudaCheck(cudaMemsetAsync(memory, 0, bytes, main_stream));
    *allocation = {allocations, memory};
    allocations = allocation;
    return memory;
}
void device_shutdown(void) {
    cudaCheck(cudaStreamSynchronize(main_stream));
    while (allocations) {
        Allocation *next = allocations->next;
        cudaCheck(cudaFree(allocations->memory));
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

// Memory for what lives within one op: partial sums, the workspace of a matrix product. One stream, so one user at a time.
enum { SCRATCH_BYTES = 32 << 20 };
static void *device_scratch(void) {
    static void *scratch; // made at the first use, kept for the life of the program
    if (!scratch) { cudaCheck(cudaMalloc(&scratch, SCRATCH_BYTES)); }
    return scratch;
}
