// The host double of llmc/cuda/hopper.cuh: same names, same layouts, same failures. The work is in hopper_emulator.h, a part of emulator.cc.
#pragma once
#include <ptx.cuh>
#define __grid_constant__
struct TensorMap {
    const char *array;
    size_t rows, columns;
    int box_rows, box_columns;
};
bool tensor_map_make(TensorMap *map, const void *array, size_t rows, size_t columns, int box_rows, int box_columns);
void tma_load(void *shared, const TensorMap *map, int row, int column, uint64_t *barrier);
void mbarrier_init(uint64_t *barrier, int arrivals);
void mbarrier_init_fence(void);
void mbarrier_arrive(uint64_t *barrier);
void mbarrier_arrive_expect(uint64_t *barrier, int bytes);
void mbarrier_wait(uint64_t *barrier, int parity, EMU_HERE);
void proxy_fence(void);
void emu_named_barrier(int id, int threads, bool waits, const char *file, int line);
template <int threads>
void barrier_sync(int id, EMU_HERE) { emu_named_barrier(id, threads, true, file, line); }
template <int threads>
void barrier_arrive(int id, EMU_HERE) { emu_named_barrier(id, threads, false, file, line); }
void emu_registers(int count, bool give, const char *file, int line);
template <int count>
void registers_give(EMU_HERE) { emu_registers(count, true, file, line); }
template <int count>
void registers_take(EMU_HERE) { emu_registers(count, false, file, line); }

static inline uint32_t shared_address(const void *shared) { return (uint32_t)((const unsigned char *)shared - dynamic_shared); }
static inline uint64_t wgmma_descriptor(const void *shared, int leading, int stride) {
    return (uint64_t)((shared_address(shared) & 0x3FFFF) >> 4) | (uint64_t)(leading >> 4) << 16 | (uint64_t)(stride >> 4) << 32 | (uint64_t)1 << 62;
}
void wgmma_fence(EMU_HERE);
void wgmma_commit(EMU_HERE);
void emu_wgmma_wait(int newest, const char *file, int line);
template <int newest>
void wgmma_wait(EMU_HERE) { emu_wgmma_wait(newest, file, line); }
void emu_wgmma(float *d, int columns, uint64_t a, const uint32_t *a_registers, uint64_t b, int add, const char *file, int line);
static inline void wgmma_m64n128(float (&d)[64], uint64_t a, uint64_t b, int add, EMU_HERE) { emu_wgmma(d, 128, a, 0, b, add, file, line); }
static inline void wgmma_registers(float (&d)[64], const uint32_t *a, uint64_t b, int add, EMU_HERE) { emu_wgmma(d, 128, 0, a, b, add, file, line); }
static inline void wgmma_registers(float (&d)[32], const uint32_t *a, uint64_t b, int add, EMU_HERE) { emu_wgmma(d, 64, 0, a, b, add, file, line); }
