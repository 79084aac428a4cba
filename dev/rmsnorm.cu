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

// Last rung, shipped: llmc/cuda/rmsnorm.cuh.
static void shipped(void) { rmsnorm_forward(out.device, rstd.device, x.device, weight.device, eps, N, C); }

static const Rung rungs[] = {
    {"one thread per row", rung1},
    {"shipped: one warp per row, 16-byte loads, the row kept in registers", shipped},
};
int main(int argc, char **argv) {
    const Ladder ladder = {"rmsnorm", "16384 x 1536", rungs, sizeof(rungs) / sizeof(rungs[0]), sizeof(shapes) / sizeof(shapes[0]) - 1, make, reference, work, LADDER_BANDWIDTH};
    return ladder_main(&ladder, argc, argv);
}
