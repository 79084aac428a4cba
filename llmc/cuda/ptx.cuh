// ptx: everything a kernel cannot say in CUDA C. test/emulator/ptx.cuh is its double for the host; -I picks one of the two.
// Fragments of mma_bf16 (PTX ISA, "Matrix fragments for mma.m16n8k16"), with group = lane / 4 and pair = lane % 4 * 2:
//   a[0] row group,   columns pair, pair+1     a[1] row group+8, the same columns
//   a[2] row group,   columns pair+8, pair+9   a[3] row group+8, the same columns
//   b[0] rows pair, pair+1, column group       b[1] rows pair+8, pair+9, column group
//   d[0], d[1] row group, columns pair, pair+1 d[2], d[3] row group+8, the same columns
#pragma once
#include <stdint.h>
#include <cuda_runtime.h>
#define LAUNCH(kernel, grid, block, shared_bytes, stream, ...) kernel<<<(grid), (block), (shared_bytes), (stream)>>>(__VA_ARGS__)
extern __shared__ __align__(1024) unsigned char dynamic_shared[]; // the one dynamic array; kernels carve their tiles from it

__device__ static inline uint32_t shared_address(const void *shared) { return (uint32_t)__cvta_generic_to_shared(shared); }
// 16 bytes, global to shared, in the background; `bytes` (0..16) come from global, the rest is zero.
__device__ static inline void cp_async_16(void *shared, const void *global, int bytes) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(__cvta_generic_to_global(global)), "r"(bytes)
                 : "memory");
}
__device__ static inline void cp_async_commit(void) { asm volatile("cp.async.commit_group;" ::
                                                                       : "memory"); }
template <int newest>
__device__ static inline void cp_async_wait(void) { // all but the `newest` groups of this thread have landed
    asm volatile("cp.async.wait_group %0;" ::"n"(newest)
                 : "memory");
}
// Four 8x8 bf16 matrices: lane 8*i+j points at the 16 bytes of row j of matrix i; r[i] gets row lane/4, columns lane%4*2 and +1.
__device__ static inline void ldmatrix_x4(uint32_t r[4], const void *row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
}
// The same, transposed: r[i] gets rows lane%4*2 and +1 of column lane/4.
__device__ static inline void ldmatrix_x4_transposed(uint32_t r[4], const void *row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
}
// d[16,8] += a[16,16] b[16,8] for one warp.
__device__ static inline void mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2]) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ static inline uint32_t pack_bf16(float low, float high) { // rounds to nearest even; low goes to the low half
    uint32_t r;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;"
        : "=r"(r)
        : "f"(high), "f"(low));
    return r;
}
__device__ static inline float exp2_approximate(float x) { // 2^x to 2 units in the last place; 2^0 = 1 exactly, 2^-inf = 0
    float r;
    asm("ex2.approx.ftz.f32 %0, %1;"
        : "=f"(r)
        : "f"(x));
    return r;
}
// Between blocks: what a block's threads wrote before a barrier, then gpu_fence and an atomicAdd to a counter by one of them, another block
// sees after load_relaxed brought the counter's new value, then gpu_fence and a barrier. It must read by __ldcg, past the first-level cache.
__device__ static inline void gpu_fence(void) { asm volatile("fence.acq_rel.gpu;" ::
                                                                 : "memory"); }
__device__ static inline int load_relaxed(const int *address) {
    int value;
    asm volatile("ld.relaxed.gpu.global.b32 %0, [%1];"
                 : "=r"(value)
                 : "l"(__cvta_generic_to_global(address))
                 : "memory");
    return value;
}
// x, in a way that the compiler cannot know: what follows from it is computed where it is used and not kept in registers over a whole loop.
__device__ static inline unsigned opaque(unsigned x) {
    asm volatile(""
                 : "+r"(x));
    return x;
}
// threadIdx.x read anew, for the same reason.
__device__ static inline unsigned thread_again(void) {
    unsigned x;
    asm volatile("mov.u32 %0, %%tid.x;"
                 : "=r"(x));
    return x;
}
