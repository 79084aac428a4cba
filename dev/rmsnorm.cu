// rmsnorm ladder: one row of x in, one row of out; nothing to reuse but the row itself, so the limit is the copy bandwidth.
#include "dev/ladder.cuh"
#include "llmc/cuda/rmsnorm.cuh" // the last rung
namespace cpu {
#include "llmc/cpu/rmsnorm.h" // the reference
}

static const float eps = 1e-6f;
static int N, C;
static LadderArray<floatX> x, weight, out;
static LadderArray<float> rstd;
static const int shapes[][2] = {{7, 40}, {33, 1536}, {5, 37}, {16384, 1536}}; // the last is timed

static void make(int shape) {
    N = shapes[shape][0], C = shapes[shape][1];
    x = ladder_input<floatX>((size_t)N * C, 0.5, 1), weight = ladder_input<floatX>(C, 1, 0.5);
    out = ladder_output<floatX>("out", (size_t)N * C, sizeof(floatX) == 2 ? 3e-3 : 1e-6); // bf16: one rounding, 2^-9; fp32: a sum of C squares
    rstd = ladder_output<float>("rstd", N, 1e-6);
}
static void reference(void) { cpu::rmsnorm_forward(out.host, rstd.host, x.host, weight.host, eps, N, C); }
static double work(void) { return 2.0 * N * C * sizeof(floatX) + 4.0 * N; }

// Rung 1, start: one thread per row, the CPU's loop as it stands. Neighbouring threads read addresses a row apart, so every load of a warp
// touches 32 lines for 2 bytes each. In Nsight: Memory Workload, sectors per request near 32.
__global__ void row_per_thread(floatX *to, float *to_rstd, const floatX *from, const floatX *scale, int rows, int columns) {
    int n = blockIdx.x * blockDim.x + threadIdx.x;
    if (n >= rows) { return; }
    float sum = 0;
    for (int c = 0; c < columns; c++) { sum += to_float(from[(size_t)n * columns + c]) * to_float(from[(size_t)n * columns + c]); }
    float r = rsqrtf(sum / columns + eps);
    for (int c = 0; c < columns; c++) { to[(size_t)n * columns + c] = to_floatX(to_float(from[(size_t)n * columns + c]) * r * to_float(scale[c])); }
    to_rstd[n] = r;
}
static void rung1(void) { RUN(row_per_thread, CEIL_DIV(N, 128), 128, 0, out.device, rstd.device, x.device, weight.device, N, C); }

// Rung 2, neighbours together: a warp per row, lane l takes channels l, l+32, ..: a load of the warp is 64 neighbouring bytes. The sum goes over
// the warp by shuffles. In Nsight: sectors per request fall to 2, and DRAM throughput rises.
// Rung 3, wide loads: the same with 16 bytes to a lane and load; an eighth of the load instructions, so more bytes are under way at any
// moment. In Nsight: LSU instructions fall, long-scoreboard stalls per byte fall. What is left: the row is read twice, the second time from cache.
template <int width>
__global__ void warp_per_row(floatX *to, float *to_rstd, const floatX *from, const floatX *scale, int rows, int columns) {
    int n = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (n >= rows) { return; }
    from += (size_t)n * columns, to += (size_t)n * columns;
    float sum = 0;
    for (int c = lane * width; c < columns; c += 32 * width) {
        Floats<width> value = load<width>(from + c);
        for (int k = 0; k < width; k++) { sum += value.v[k] * value.v[k]; }
    }
    float r = rsqrtf(warp_sum(sum) / columns + eps);
    for (int c = lane * width; c < columns; c += 32 * width) {
        Floats<width> value = load<width>(from + c), factor = load<width>(scale + c);
        for (int k = 0; k < width; k++) { value.v[k] *= r * factor.v[k]; }
        store<width>(to + c, value);
    }
    if (lane == 0) { to_rstd[n] = r; }
}
static void rung2(void) { RUN(warp_per_row<1>, CEIL_DIV(N, 8), 256, 0, out.device, rstd.device, x.device, weight.device, N, C); }
static void rung3(void) {
    if (!packs_fit(C, out.device, x.device, weight.device)) { return rung2(); }
    RUN(warp_per_row<PACK>, CEIL_DIV(N, 8), 256, 0, out.device, rstd.device, x.device, weight.device, N, C);
}

// Rung 4, shipped: between its two uses the row waits in registers, all its loads under way at once. In Nsight: L1 hit rate falls to that of the
// weights, registers per thread rise, DRAM throughput should be that of a copy.
static void shipped(void) { rmsnorm_forward(out.device, rstd.device, x.device, weight.device, eps, N, C); }

static const Rung rungs[] = {
    {"one thread per row", rung1},
    {"one warp per row: neighbouring lanes read neighbouring channels", rung2},
    {"16 bytes to a load", rung3},
    {"shipped: the row waits in registers, memory is read once", shipped},
};
int main(int argc, char **argv) {
    const Ladder ladder = {"rmsnorm", "16384 x 1536", rungs, sizeof(rungs) / sizeof(rungs[0]), sizeof(shapes) / sizeof(shapes[0]) - 1, make, reference, work, LADDER_BANDWIDTH};
    return ladder_main(&ladder, argc, argv);
}
