// hopper: the instructions of compute capability 9.0 that CUDA C does not say: TMA copies, mbarriers, warpgroup products (wgmma), named barriers,
// registers moved between warpgroups. Only for units compiled for sm_90a. test/emulator/hopper.cuh is the double for the host; -I picks one of the two.
//
// Tiles of bf16 with 128-byte swizzle: rows of 64 values (128 bytes), the tile on a 1024-byte boundary. The 16-byte piece at byte b of the plain
// layout lies at b ^ (b >> 7 & 7) << 4 (PTX ISA, "Tensor swizzling modes"; CuTe: Swizzle<3,4,3>). TMA writes tiles in this way, and wgmma reads
// them through a 64-bit descriptor (PTX ISA, "Asynchronous warpgroup level matrix shared memory layout", tables of strides and "Matrix descriptor
// format"; CuTe: make_gmma_desc):
//   bits 0-13 address / 16;  16-29 leading offset / 16;  32-45 stride offset / 16;  49-51 base offset, 0 on 1024-byte boundaries;  62-63: 1, 128-byte swizzle
// An operand whose 16 values of the summed dimension are neighbours (q, k): a stride offset is from 8 rows to the next 8; the leading offset is unused.
// Along the row the address goes on by 32 bytes for each product of depth 16: the swizzle works on the bits of the final address.
// An operand whose other dimension is contiguous ("transposed", v): the leading offset is from 64 columns to the next 64, the stride offset from 8
// rows of the summed dimension to the next 8.
// Fragments of a thread (PTX ISA, "Register fragments" of m64nNk16; CuTe: ALayout_64x16, CLayout_64xN): warp w of the warpgroup owns rows 16w ..
// 16w+15. Within them the four registers of a are those of mma_bf16 (ptx.cuh), and d[4i .. 4i+3] are its four values d of columns 8i .. 8i+7.
#pragma once
#include <cuda.h>
#include <ptx.cuh>
typedef CUtensorMap TensorMap;

// ---- mbarrier: counts arrivals and bytes; a phase ends when both have come. Phases are numbered from 0; a wait names the parity of the one it waits for.
__device__ static inline void mbarrier_init(uint64_t *barrier, int arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals)
                 : "memory");
}
// After the inits, before anything asynchronous may arrive; a __syncthreads must follow for the other threads.
__device__ static inline void mbarrier_init_fence(void) { asm volatile("fence.mbarrier_init.release.cluster;" ::
                                                                           : "memory"); }
__device__ static inline void mbarrier_arrive(uint64_t *barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier))
                 : "memory");
}
// One arrival, and `bytes` more that TMA has to bring in this phase.
__device__ static inline void mbarrier_arrive_expect(uint64_t *barrier, int bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes)
                 : "memory");
}
__device__ static inline void mbarrier_wait(uint64_t *barrier, int parity) {
    uint32_t done;
    do {
        asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.b32 %0, 1, 0, p; }"
                     : "=r"(done)
                     : "r"(shared_address(barrier)), "r"(parity)
                     : "memory");
    } while (!done);
}

// ---- TMA: a box of a row-major bf16 array, copied by one thread into shared memory with 128-byte swizzle; what lies outside the array becomes zero.
// A box is box_columns (64: 128 bytes) by box_rows (at most 256) and arrives with all its bytes, those outside the array included.
static inline bool tensor_map_make(TensorMap *map, const void *array, size_t rows, size_t columns, int box_rows, int box_columns) {
    typedef CUresult (*Encode)(CUtensorMap *, CUtensorMapDataType, cuuint32_t, void *, const cuuint64_t *, const cuuint64_t *, const cuuint32_t *,
                               const cuuint32_t *, CUtensorMapInterleave, CUtensorMapSwizzle, CUtensorMapL2promotion, CUtensorMapFloatOOBfill);
    static void *encode; // of the driver, found through the runtime: programs do not link libcuda
    cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSuccess;
    if (!encode && (cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &encode, 12000, cudaEnableDefault, &found) != cudaSuccess || found != cudaDriverEntryPointSuccess)) { return false; }
    cuuint64_t sizes[2] = {columns, rows}, strides[1] = {columns * 2};
    cuuint32_t box[2] = {(cuuint32_t)box_columns, (cuuint32_t)box_rows}, steps[2] = {1, 1};
    return ((Encode)encode)(map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, (void *)array, sizes, strides, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
                            CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}
__device__ static inline void tma_load(void *shared, const TensorMap *map, int row, int column, uint64_t *barrier) {
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(shared_address(shared)),
                 "l"(map), "r"(column), "r"(row), "r"(shared_address(barrier))
                 : "memory");
}
// Between what this thread did to shared memory by itself and what TMA or wgmma does to it afterwards, on whichever thread's order.
__device__ static inline void proxy_fence(void) { asm volatile("fence.proxy.async.shared::cta;" ::
                                                                   : "memory"); }

// ---- named barriers 1 .. 15: a phase ends when `threads` threads have come, by sync (which waits for the others) or by arrive (which goes on).
template <int threads>
__device__ static inline void barrier_sync(int id) { asm volatile("bar.sync %0, %1;" ::"r"(id), "n"(threads)
                                                                  : "memory"); }
template <int threads>
__device__ static inline void barrier_arrive(int id) { asm volatile("bar.arrive %0, %1;" ::"r"(id), "n"(threads)
                                                                    : "memory"); }
// ---- registers: a warpgroup gives down to `count` a thread, or takes up to it once others have given.
template <int count>
__device__ static inline void registers_give(void) { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(count)); }
template <int count>
__device__ static inline void registers_take(void) { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(count)); }

// ---- wgmma: asynchronous products of a warpgroup. fence before the first after any other use of the registers; commit closes a group; until a wait
// has covered its group, its registers d and a may not be touched and the shared memory it reads may not be written.
__device__ static inline uint64_t wgmma_descriptor(const void *shared, int leading, int stride) {
    return (uint64_t)((shared_address(shared) & 0x3FFFF) >> 4) | (uint64_t)(leading >> 4) << 16 | (uint64_t)(stride >> 4) << 32 | (uint64_t)1 << 62;
}
__device__ static inline void wgmma_fence(void) { asm volatile("wgmma.fence.sync.aligned;" ::
                                                                   : "memory"); }
__device__ static inline void wgmma_commit(void) { asm volatile("wgmma.commit_group.sync.aligned;" ::
                                                                    : "memory"); }
template <int newest>
__device__ static inline void wgmma_wait(void) { // all but the `newest` groups of this warp are done
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(newest)
                 : "memory");
}
#define WGMMA_FIRST_32 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define WGMMA_NEXT_32  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define WGMMA_D8(i)    "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), "+f"(d[i + 7])
// d[64,128] = a[64,16] b[128,16]^T, added to d if `add`; a and b in shared memory, the summed dimension contiguous in both.
__device__ static inline void wgmma_m64n128(float (&d)[64], uint64_t a, uint64_t b, int add) {
    asm volatile("{ .reg .pred p; setp.ne.b32 p, %66, 0; wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" WGMMA_FIRST_32 ", " WGMMA_NEXT_32
                 "}, %64, %65, p, 1, 1, 0, 0; }"
                 : WGMMA_D8(0), WGMMA_D8(8), WGMMA_D8(16), WGMMA_D8(24), WGMMA_D8(32), WGMMA_D8(40), WGMMA_D8(48), WGMMA_D8(56)
                 : "l"(a), "l"(b), "r"(add));
}
// d[64,128] += a[64,16] b[16,128]; a in registers, b in shared memory with its columns contiguous. `add` as above.
__device__ static inline void wgmma_registers(float (&d)[64], const uint32_t *a, uint64_t b, int add) {
    asm volatile("{ .reg .pred p; setp.ne.b32 p, %69, 0; wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" WGMMA_FIRST_32 ", " WGMMA_NEXT_32
                 "}, {%64, %65, %66, %67}, %68, p, 1, 1, 1; }"
                 : WGMMA_D8(0), WGMMA_D8(8), WGMMA_D8(16), WGMMA_D8(24), WGMMA_D8(32), WGMMA_D8(40), WGMMA_D8(48), WGMMA_D8(56)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
}
// The same for 64 columns.
__device__ static inline void wgmma_registers(float (&d)[32], const uint32_t *a, uint64_t b, int add) {
    asm volatile("{ .reg .pred p; setp.ne.b32 p, %37, 0; wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {" WGMMA_FIRST_32
                 "}, {%32, %33, %34, %35}, %36, p, 1, 1, 1; }"
                 : WGMMA_D8(0), WGMMA_D8(8), WGMMA_D8(16), WGMMA_D8(24)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
}
