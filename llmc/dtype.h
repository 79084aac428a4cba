// dtype: floatX, the storage type of weights and activations (bf16, or fp32 with -DFP32). All arithmetic is fp32.
// The only file of the project with conditionals: what the compiler or the processor decides is decided here.
#pragma once
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
    #define LLMC_C extern "C" // every op has C linkage, so one trainer object links to any backend
#else
    #define LLMC_C
#endif
#ifdef __CUDACC__
    #define LLMC_INLINE __host__ __device__ static inline
#else
    #define LLMC_INLINE static inline
#endif

// How many floats the widest vector register of the target holds, the lanes that interleave the lower and the upper halves of two of them,
// and where its groups of four lanes begin; kernels of the CPU backend are written over it.
#if defined(__AVX512F__)
enum { SIMD_WIDTH = 16,
       SIMD_REGISTERS = 32 };
    #define SIMD_ZIP_LOW  0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
    #define SIMD_ZIP_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
    #define SIMD_QUADS(Q) Q(0), Q(4), Q(8), Q(12)
#elif defined(__AVX__)
enum { SIMD_WIDTH = 8,
       SIMD_REGISTERS = 16 };
    #define SIMD_ZIP_LOW  0, 8, 1, 9, 2, 10, 3, 11
    #define SIMD_ZIP_HIGH 4, 12, 5, 13, 6, 14, 7, 15
    #define SIMD_QUADS(Q) Q(0), Q(4)
#elif defined(__aarch64__)
enum { SIMD_WIDTH = 4,
       SIMD_REGISTERS = 32 };
    #define SIMD_ZIP_LOW  0, 4, 1, 5
    #define SIMD_ZIP_HIGH 2, 6, 3, 7
    #define SIMD_QUADS(Q) Q(0)
#else
enum { SIMD_WIDTH = 4,
       SIMD_REGISTERS = 16 };
    #define SIMD_ZIP_LOW  0, 4, 1, 5
    #define SIMD_ZIP_HIGH 2, 6, 3, 7
    #define SIMD_QUADS(Q) Q(0)
#endif

LLMC_INLINE float bf16_to_float(uint16_t bits) {
    uint32_t u = (uint32_t)bits << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}
LLMC_INLINE uint16_t bf16_from_float(float f) { // round to nearest even; a NaN stays a NaN
    uint32_t u;
    memcpy(&u, &f, 4);
    if ((u & 0x7FFFFFFFu) > 0x7F800000u) { return (uint16_t)((u >> 16) | 0x40u); }
    return (uint16_t)((u + 0x7FFFu + ((u >> 16) & 1u)) >> 16);
}

#ifdef FP32
typedef float floatX;
LLMC_INLINE float to_float(floatX x) { return x; }
LLMC_INLINE floatX to_floatX(float x) { return x; }
    #define FLOATX_NAME        "fp32"
    #define FLOATX_SAFETENSORS "F32"
#else
typedef struct {
    uint16_t bits;
} floatX;
LLMC_INLINE float to_float(floatX x) { return bf16_to_float(x.bits); }
LLMC_INLINE floatX to_floatX(float f) {
    floatX x;
    x.bits = bf16_from_float(f);
    return x;
}
    #define FLOATX_NAME        "bf16"
    #define FLOATX_SAFETENSORS "BF16"
#endif
