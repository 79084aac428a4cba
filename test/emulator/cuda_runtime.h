// emulator: the part of CUDA that our kernels use, on the host. The .cuh files include <cuda_runtime.h> and <ptx.cuh>; nvcc
// finds the real ones, g++ -Itest/emulator finds these. Blocks run one after another, the threads of a block are fibers that
// run until they must wait. emulator.cc decides who runs next and stops at the first fault with block and thread.
#pragma once
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// ---- language
#define __global__ __attribute__((unused)) static
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __shared__       static __attribute__((noinit))         // one block at a time, so one copy; the Makefile renames the section to emu_shared
#define EMU_RAW          __attribute__((no_sanitize("thread"))) // not seen by the race detector
#define EMU_HERE         const char *file = __builtin_FILE(), int line = __builtin_LINE()

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(8) int2 {
    int x, y;
};
struct alignas(16) int4 {
    int x, y, z, w;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
static inline float2 make_float2(float x, float y) { return {x, y}; }
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
static inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
static inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }

extern uint3 emu_thread_index, emu_block_index;
extern dim3 emu_block_size, emu_grid_size;
#define threadIdx emu_thread_index
#define blockIdx  emu_block_index
#define blockDim  emu_block_size
#define gridDim   emu_grid_size
#define warpSize  32

// ---- what emulator.cc offers to this header and to ptx.cuh
enum { EMU_READ,
       EMU_WRITE,
       EMU_ATOMIC,
       EMU_PENDING, // an asynchronous copy that may land at any moment
       EMU_TMA,     // the same, by TMA
       EMU_WGMMA }; // read by a product until its warpgroup has waited for it
void emu_access(const void *address, size_t bytes, int kind, const void *code);
[[noreturn]] void emu_fault(const char *format, ...) __attribute__((format(printf, 1, 2)));
// All lanes of `mask` meet here; the last to come does the work of all: argument[lane] is 0 where a lane does not take part.
typedef void (*EmuWork)(void *const argument[32], unsigned mask);
void emu_warp(const char *name, unsigned mask, EmuWork work, void *argument, const char *file, int line);
void emu_sync_block(const char *file, int line);
void emu_sync_warp(unsigned mask, const char *file, int line);
void emu_thread_fence(void);
void emu_launch(const char *name, const void *kernel, dim3 grid, dim3 block, size_t shared_bytes, void (*body)(void *), void *arguments);

// ---- barriers, shuffles, votes
static inline void __syncthreads(EMU_HERE) { emu_sync_block(file, line); }
static inline void __syncwarp(unsigned mask = ~0u, EMU_HERE) { emu_sync_warp(mask, file, line); }
static inline void __threadfence(void) { emu_thread_fence(); }
static inline void __threadfence_block(void) {}
struct EmuShuffle {
    uint64_t value, result;
    int source;
};
void emu_shuffle_work(void *const argument[32], unsigned mask);
template <typename T>
EMU_RAW T emu_shuffle(const char *name, unsigned mask, T value, int source, const char *file, int line) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "shuffles move 4 or 8 bytes");
    EmuShuffle shuffle = {0, 0, source};
    memcpy(&shuffle.value, &value, sizeof(T));
    emu_warp(name, mask, emu_shuffle_work, &shuffle, file, line);
    memcpy(&value, &shuffle.result, sizeof(T));
    return value;
}
static inline int emu_lane(void) {
    return (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % 32;
}
static inline int emu_segment(int source, int width) { return source >= 0 && source / width == emu_lane() / width ? source : emu_lane(); }
template <typename T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, EMU_HERE) {
    return emu_shuffle("__shfl_sync", mask, value, emu_lane() / width * width + (source & (width - 1)), file, line);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, EMU_HERE) {
    return emu_shuffle("__shfl_xor_sync", mask, value, emu_segment(emu_lane() ^ bits, width), file, line);
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, int delta, int width = 32, EMU_HERE) {
    return emu_shuffle("__shfl_up_sync", mask, value, emu_segment(emu_lane() - delta, width), file, line);
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, int delta, int width = 32, EMU_HERE) {
    return emu_shuffle("__shfl_down_sync", mask, value, emu_segment(emu_lane() + delta, width), file, line);
}
unsigned emu_ballot(const char *name, unsigned mask, int predicate, const char *file, int line);
static inline unsigned __ballot_sync(unsigned mask, int p, EMU_HERE) { return emu_ballot("__ballot_sync", mask, p, file, line); }
static inline int __any_sync(unsigned mask, int p, EMU_HERE) { return emu_ballot("__any_sync", mask, p, file, line) != 0; }
static inline int __all_sync(unsigned mask, int p, EMU_HERE) { return emu_ballot("__all_sync", mask, !p, file, line) == 0; }

// ---- atomics: fibers never interrupt each other, so plain code is atomic
#define EMU_ATOMIC_OP(name, expression)                                          \
    template <typename T>                                                        \
    EMU_RAW T name(T *address, decltype(T() + T()) value) {                      \
        emu_access(address, sizeof(T), EMU_ATOMIC, __builtin_return_address(0)); \
        T old = *address;                                                        \
        *address = (T)(expression);                                              \
        return old;                                                              \
    }
EMU_ATOMIC_OP(atomicAdd, old + value)
EMU_ATOMIC_OP(atomicSub, old - value)
EMU_ATOMIC_OP(atomicMax, old > value ? old : value)
EMU_ATOMIC_OP(atomicMin, old < value ? old : value)
EMU_ATOMIC_OP(atomicOr, old | value)
EMU_ATOMIC_OP(atomicAnd, old &value)
EMU_ATOMIC_OP(atomicExch, value)
EMU_ATOMIC_OP(atomicInc, old >= value ? 0 : old + 1)
template <typename T>
EMU_RAW T atomicCAS(T *address, T compare, T value) {
    emu_access(address, sizeof(T), EMU_ATOMIC, __builtin_return_address(0));
    T old = *address;
    if (old == compare) { *address = value; }
    return old;
}

// ---- arithmetic
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
#define __expf expf
#define __logf logf
static inline float __fdividef(float a, float b) { return a / b; }
static inline float __frcp_rn(float x) { return 1.0f / x; }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
static inline float __uint_as_float(unsigned u) {
    float f;
    memcpy(&f, &u, 4);
    return f;
}
static inline unsigned __float_as_uint(float f) {
    unsigned u;
    memcpy(&u, &f, 4);
    return u;
}
template <typename T>
T __ldg(const T *address) { return *address; }
template <typename T>
T __ldcg(const T *address) { return *address; }
template <typename T>
void __stcg(T *address, T value) { *address = value; }
template <typename T>
T min(T a, T b) { return b < a ? b : a; }
template <typename T>
T max(T a, T b) { return a < b ? b : a; }

// ---- runtime API: memory is host memory filled with NaN patterns; streams are in order because nothing is asynchronous
typedef enum { cudaSuccess,
               cudaErrorMemoryAllocation = 2,
               cudaErrorInsufficientDriver = 35 } cudaError_t;
typedef struct EmuStream *cudaStream_t;
enum cudaMemcpyKind { cudaMemcpyHostToHost,
                      cudaMemcpyHostToDevice,
                      cudaMemcpyDeviceToHost,
                      cudaMemcpyDeviceToDevice,
                      cudaMemcpyDefault };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
cudaError_t emu_malloc(void **memory, size_t bytes);
cudaError_t cudaFree(void *memory);
cudaError_t cudaDeviceReset(void);
cudaError_t emu_allow_shared(const void *kernel, size_t bytes);
template <typename T>
cudaError_t cudaMalloc(T **memory, size_t bytes) { return emu_malloc((void **)memory, bytes); }
template <typename T>
cudaError_t cudaMallocHost(T **memory, size_t bytes) { return (*memory = (T *)malloc(bytes)) ? cudaSuccess : cudaErrorMemoryAllocation; }
static inline cudaError_t cudaFreeHost(void *memory) {
    free(memory);
    return cudaSuccess;
}
template <typename T>
cudaError_t cudaFuncSetAttribute(T *kernel, cudaFuncAttribute, int bytes) { return emu_allow_shared((void *)kernel, bytes); }
cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t = 0);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind, cudaStream_t = 0);
enum { cudaStreamNonBlocking = 1,
       cudaEventDisableTiming = 2 };
static inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned) {
    *stream = 0;
    return cudaSuccess;
}
// Copies to the host land as late as they may: when the host waits for the stream, or for an event recorded behind them.
cudaError_t cudaStreamSynchronize(cudaStream_t);
typedef struct EmuEvent *cudaEvent_t;
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
static inline cudaError_t cudaEventCreate(cudaEvent_t *event) { return cudaEventCreateWithFlags(event, 0); }
static inline cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t, cudaEvent_t) { // nothing takes time here
    *milliseconds = 1;
    return cudaSuccess;
}
// A recording holds the launches and copies made while it was open; replaying makes them again.
typedef struct EmuGraph *cudaGraph_t, *cudaGraphExec_t;
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode);
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t *graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);
static inline cudaError_t cudaGraphDestroy(cudaGraph_t) { return cudaSuccess; } // the instance made of it is the same object
struct cudaDeviceProp {
    char name[256];
    int major, minor, multiProcessorCount;
    size_t totalGlobalMem;
};
// EMU_CAPABILITY=90: the emulated GPU is a Hopper; otherwise it has compute capability 8.0.
static inline int emu_capability(void) { return getenv("EMU_CAPABILITY") ? atoi(getenv("EMU_CAPABILITY")) : 80; }
static inline cudaError_t cudaGetDeviceCount(int *count) {
    *count = 1;
    return cudaSuccess;
}
static inline cudaError_t cudaDriverGetVersion(int *version) { return *version = 0, cudaSuccess; }
static inline cudaError_t cudaRuntimeGetVersion(int *version) { return *version = 0, cudaSuccess; }
static inline cudaError_t cudaSetDevice(int) { return cudaSuccess; }
static inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int) {
    *properties = {"CUDA emulator", emu_capability() / 10, emu_capability() % 10, 1, (size_t)1 << 30};
    return cudaSuccess;
}
enum cudaDeviceAttr { cudaDevAttrClockRate = 13,
                      cudaDevAttrMemoryClockRate = 36,
                      cudaDevAttrGlobalMemoryBusWidth = 37,
                      cudaDevAttrComputeCapabilityMajor = 75,
                      cudaDevAttrComputeCapabilityMinor = 76 };
static inline cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int) {
    *value = attribute == cudaDevAttrComputeCapabilityMajor   ? emu_capability() / 10
             : attribute == cudaDevAttrComputeCapabilityMinor ? emu_capability() % 10
                                                              : 1000; // of all that has a rate or a width
    return cudaSuccess;
}
static inline cudaError_t cudaMemGetInfo(size_t *available, size_t *total) {
    *available = *total = (size_t)1 << 30;
    return cudaSuccess;
}
static inline cudaError_t cudaGetLastError(void) { return cudaSuccess; }
static inline const char *cudaGetErrorString(cudaError_t) { return "emulator"; }
