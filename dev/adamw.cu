// adamw ladder: five streams in, four out, a few operations each: nothing but bytes, 28 or more a parameter.
#include "dev/ladder.cuh"
#include "llmc/cuda/adamw.cuh" // the last rung
namespace cpu {
#include "llmc/cpu/adamw.h" // the reference
}

enum { STEP = 3 };
static const float grad_scale = 0.7f, rate = 1e-2f, beta1 = 0.9f, beta2 = 0.95f, eps = 1e-8f, decay = 0.1f;
static size_t count;
static LadderArray<floatX> weight;
static LadderArray<float> master, m, v, grad;

static void make(int shape) {
    const size_t counts[] = {1003, 8, 4096, (size_t)256 << 20};
    count = counts[shape];
    weight = ladder_output<floatX>("weight", count, sizeof(floatX) == 2 ? 3e-3 : 1e-6); // bf16: one rounding, 2^-9
    master = ladder_output<float>("master", count, 1e-6), m = ladder_output<float>("m", count, 1e-6);
    v = ladder_output<float>("v", count, 1e-6, 0.5, 0.5); // a mean of squares is not below zero
    grad = ladder_input<float>(count, 0, 1);
}
static void reference(void) { cpu::adamw_update(weight.host, master.host, m.host, v.host, grad.host, count, grad_scale, rate, beta1, beta2, eps, decay, STEP); }
static double work(void) { return (double)count * (4 + 3 * 8 + sizeof(floatX)); } // grad read; master, m, v read and written; weight written

// Rung 1, a kernel for every line of the algorithm, as a framework without fusion runs it: m, then v, then the step. m and v are written and
// read again: 12 bytes a parameter more than needed. In Nsight: every kernel near the bandwidth, and the sum of their bytes too large.
__global__ void mean_kernel(float *mean, const float *gradient, size_t n, float beta, bool square) {
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) { return; }
    float g = gradient[i] * grad_scale;
    mean[i] = beta * mean[i] + (1 - beta) * (square ? g * g : g);
}
__global__ void step_kernel(floatX *to, float *theta, const float *mean, const float *square, size_t n, float correction1, float correction2) {
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) { return; }
    theta[i] -= rate * (mean[i] * correction1 / (sqrtf(square[i] * correction2) + eps) + decay * theta[i]);
    to[i] = to_floatX(theta[i]);
}
static float correction(float beta) { return (float)(1 / (1 - pow(beta, STEP))); }
static void rung1(void) {
    const unsigned blocks = (unsigned)CEIL_DIV(count, (size_t)256);
    RUN(mean_kernel, blocks, 256, 0, m.device, grad.device, count, beta1, false);
    RUN(mean_kernel, blocks, 256, 0, v.device, grad.device, count, beta2, true);
    RUN(step_kernel, blocks, 256, 0, weight.device, master.device, m.device, v.device, count, correction(beta1), correction(beta2));
}

// Rung 2, one kernel: what a parameter needs is loaded once. One thread per parameter. In Nsight: bytes as they should be; many small loads.
// Rung 3, shipped: 16 bytes to an access; a quarter of the instructions for the same bytes, and more of them under way.
static void rung2(void) {
    AdamW a = {grad_scale, rate, beta1, beta2, eps, decay, correction(beta1), correction(beta2)};
    RUN(adamw_kernel<1>, (unsigned)CEIL_DIV(count, (size_t)256), 256, 0, weight.device, master.device, m.device, v.device, grad.device, count, a);
}
static void shipped(void) { adamw_update(weight.device, master.device, m.device, v.device, grad.device, count, grad_scale, rate, beta1, beta2, eps, decay, STEP); }

static const Rung rungs[] = {
    {"a kernel for every line of the algorithm", rung1},
    {"one kernel: every array is read and written once", rung2},
    {"shipped: 16 bytes to an access", shipped},
};
int main(int argc, char **argv) {
    const Ladder ladder = {"adamw", "268 M parameters", rungs, sizeof(rungs) / sizeof(rungs[0]), 3, make, reference, work, LADDER_BANDWIDTH};
    return ladder_main(&ladder, argc, argv);
}
