// check: a CUDA error ends the program. For every unit that calls the CUDA runtime.
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <cuda_runtime.h>

// Ends the program naming the call, the file and the line, and the kernel launched last: a CUDA error is never something to go on from.
static const char *device_launched, *device_launched_file;
static int device_launched_line;
#define cudaCheck(call) device_check((call), #call, __FILE__, __LINE__)
static inline void device_check(cudaError_t error, const char *call, const char *file, int line) {
    if (error == cudaSuccess) { return; }
    fflush(stdout);
    fprintf(stderr, "error: %s:%d: %s: %s\n", file, line, call, cudaGetErrorString(error));
    if (device_launched) {
        fprintf(stderr, "the kernel launched last is %s (%s:%d); CUDA_LAUNCH_BLOCKING=1 stops at the one that failed\n", device_launched, device_launched_file, device_launched_line);
    }
    exit(EXIT_FAILURE);
}
#define CEIL_DIV(a, b) (((a) + (b)-1) / (b))
