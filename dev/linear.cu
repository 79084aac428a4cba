// linear ladder: out = x W^T, the product that takes most of a training step. Here data are reused, K times each: the limit is arithmetic, and every
// rung is about how often a value is fetched, and from how near, for the multiplications it is used in.
#include "dev/ladder.cuh" // with it linear_cublas.cuh and linear.cuh, the last rung
namespace cpu {
#include "llmc/cpu/linear.h" // the reference
}

static int N, C, OC;
static LadderArray<floatX> x, weight, out;
static const int shapes[][3] = {{70, 136, 45}, {5, 8, 200}, {129, 96, 130}, {4096, 1536, 17920}}; // the last is timed: gate and up

static void make(int shape) {
    N = shapes[shape][0], C = shapes[shape][1], OC = shapes[shape][2];
    x = ladder_input<floatX>((size_t)N * C, 0, 1), weight = ladder_input<floatX>((size_t)OC * C, 0, 1);
    out = ladder_output<floatX>("out", (size_t)N * OC, sizeof(floatX) == 2 ? 3e-3 : 1e-6); // bf16: one rounding, 2^-9; fp32: a sum of up to 136 products
}
static void reference(void) { cpu::linear_forward(out.host, x.host, weight.host, NULL, N, C, OC); }
static double work(void) { return 2.0 * N * C * OC; }

// Rung 1, one thread per output, a row of x times a row of W from global memory: two loads for two operations, and the rows of W that
// neighbouring threads read lie C apart. In Nsight: L1 throughput at its limit, sectors per request.
__global__ void output_per_thread(floatX *to, const floatX *a, const floatX *b, int rows, int columns, int depth) {
    int o = blockIdx.x * blockDim.x + threadIdx.x, n = blockIdx.y * blockDim.y + threadIdx.y;
    if (n >= rows || o >= columns) { return; }
    float sum = 0;
    for (int k = 0; k < depth; k++) { sum = fmaf(to_float(a[(size_t)n * depth + k]), to_float(b[(size_t)o * depth + k]), sum); }
    to[(size_t)n * columns + o] = to_floatX(sum);
}
static void rung1(void) { RUN(output_per_thread, dim3(CEIL_DIV(OC, 16), CEIL_DIV(N, 16)), dim3(16, 16), 0, out.device, x.device, weight.device, N, OC, C); }

// Rung 2, tiles (llmc/cuda/linear_tiled.cuh): a block fetches 64x16 of both factors into shared memory once for 64x64 outputs, a thread takes from there
// into registers 4 + 4 values for 16 multiply-adds. In Nsight: the fp32 pipe becomes busy; its limit is far below that of the tensor cores.
static void rung2(void) { linear_tiled({out.device, x.device, weight.device, NULL, N, OC, C, false, false, false, false}); }

// Rung 3, tensor cores: a block of 8 warps owns 128x128 outputs, a warp 64x32 of them in registers: 4x4 products of 16x16 by 16x8 to a step of 16.
// Slices of 32 along K come by cp.async while the slice before is multiplied: two stages. Rows of a tile are 80 bytes apart, so that the
// 8 rows which ldmatrix takes at once lie in different banks. In Nsight: tensor pipe utilisation; stalls on barriers, which a third stage would shorten.
// bf16 only; an fp32 build shows the tiles again.
enum { TILE = 128,
       SLICE = 32,
       SLICE_STRIDE = SLICE + 8 };
typedef uint16_t Factor[TILE][SLICE_STRIDE]; // bits of bf16
__device__ static inline void fetch(Factor tile, const uint16_t *from, int row0, int rows, int k0, int depth) {
    for (int i = threadIdx.x; i < TILE * SLICE / 8; i += 256) {
        int row = i / (SLICE / 8), k = i % (SLICE / 8) * 8;
        bool inside = row0 + row < rows && k0 + k < depth; // depth is a multiple of 8
        cp_async_16(&tile[row][k], inside ? from + (size_t)(row0 + row) * depth + k0 + k : from, inside ? 16 : 0);
    }
}
__global__ void __launch_bounds__(256) tensor_cores(floatX *to, const uint16_t *a, const uint16_t *b, int rows, int columns, int depth) {
    Factor *a_tile = (Factor *)dynamic_shared, *b_tile = a_tile + 2;
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, row0 = blockIdx.y * TILE, column0 = blockIdx.x * TILE;
    const int warp_row = warp / 4 * 64, warp_column = warp % 4 * 32, slices = CEIL_DIV(depth, (int)SLICE);
    float sum[4][4][4] = {};
    fetch(a_tile[0], a, row0, rows, 0, depth), fetch(b_tile[0], b, column0, columns, 0, depth);
    cp_async_commit();
    for (int s = 0; s < slices; s++) {
        int now = s % 2;
        if (s + 1 < slices) { fetch(a_tile[1 - now], a, row0, rows, (s + 1) * SLICE, depth), fetch(b_tile[1 - now], b, column0, columns, (s + 1) * SLICE, depth); }
        cp_async_commit();
        cp_async_wait<1>(); // slice s has landed, for this thread;
        __syncthreads();    // and for all
#pragma unroll
        for (int k = 0; k < SLICE; k += 16) {
            uint32_t left[4][4], right[4][2];
#pragma unroll
            for (int i = 0; i < 4; i++) { ldmatrix_x4(left[i], &a_tile[now][warp_row + 16 * i + lane % 16][k + lane / 16 * 8]); }
#pragma unroll
            for (int j = 0; j < 4; j += 2) { // two tiles of 8 columns
                uint32_t r[4];
                ldmatrix_x4(r, &b_tile[now][warp_column + 8 * j + lane / 16 * 8 + lane % 8][k + lane / 8 % 2 * 8]);
                right[j][0] = r[0], right[j][1] = r[1], right[j + 1][0] = r[2], right[j + 1][1] = r[3];
            }
#pragma unroll
            for (int i = 0; i < 4; i++) {
#pragma unroll
                for (int j = 0; j < 4; j++) { mma_bf16(sum[i][j], left[i], right[j]); }
            }
        }
        __syncthreads(); // before the next slice but one overwrites this one
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
#pragma unroll
        for (int j = 0; j < 4; j++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                int n = row0 + warp_row + 16 * i + lane / 4 + e / 2 * 8, o = column0 + warp_column + 8 * j + lane % 4 * 2 + e % 2;
                if (n < rows && o < columns) { to[(size_t)n * columns + o] = to_floatX(sum[i][j][e]); }
            }
        }
    }
}
static void rung3(void) {
    if (sizeof(floatX) != 2) { return rung2(); }
    RUN(tensor_cores, dim3(CEIL_DIV(OC, (int)TILE), CEIL_DIV(N, (int)TILE)), 256, 4 * sizeof(Factor), out.device, (const uint16_t *)(const void *)x.device, (const uint16_t *)(const void *)weight.device, N, OC, C);
}

// Rung 4, shipped: cuBLASLt, which on Hopper feeds the tensor cores from shared memory by whole warpgroups (wgmma) and fetches by TMA. A well-kept
// library beats our own code here. On the emulator it is the tiled kernel again.
static void shipped(void) { linear_forward(out.device, x.device, weight.device, NULL, N, C, OC); }

static const Rung rungs[] = {
    {"one thread per output", rung1},
    {"64x64 tiles through shared memory, 4x4 outputs to a thread", rung2},
    {"tensor cores (mma.sync), slices fetched in the background (cp.async)", rung3},
    {"shipped: cuBLASLt", shipped},
};
int main(int argc, char **argv) {
    const Ladder ladder = {"linear", "4096 x 1536 x 17920", rungs, sizeof(rungs) / sizeof(rungs[0]), sizeof(shapes) / sizeof(shapes[0]) - 1, make, reference, work, LADDER_PRODUCT};
    return ladder_main(&ladder, argc, argv);
}
