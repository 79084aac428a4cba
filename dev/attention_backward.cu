// attention ladder, backward: five products where the forward pass has two, for probabilities are computed again rather than kept; and three sums, of
// which dk and dv run over queries and dq over keys: whichever way the work is cut, some block adds into what another one also adds into.
#include "dev/ladder.cuh"
#include "llmc/cuda/attention.cuh"
#include "llmc/cuda/attention_backward.cuh" // the last rung
// this ladder ends at mma.sync, on every GPU; dev/attention_hopper.cu goes on
LLMC_C bool attention_forward_hopper(cudaStream_t, floatX *, float *, const floatX *, const int *, int, float, int, int, int, int) { return false; }
namespace cpu {
#include "llmc/cpu/attention.h" // the reference
}

enum { SEQUENCES_MOST = 3 };
static const struct {
    int lengths[SEQUENCES_MOST], S, H, KV, D;
} shapes[] = {{{41, 1, 70}, 3, 2, 1, 64}, {{140}, 1, 3, 1, 128}, {{8192, 8192, 8192}, 3, 12, 2, 128}}; // the last is timed
static int N, S, H, KV, D, ends[SEQUENCES_MOST + 1], longest;
static float scale;
static double operations;
static LadderArray<floatX> qkv, out, dout, dqkv;
static LadderArray<float> lse, scratch, p, ds; // p, ds: (T, T) of the longest sequence, one head's at a time
static LadderArray<int> starts;

static void make(int shape) {
    S = shapes[shape].S, H = shapes[shape].H, KV = shapes[shape].KV, D = shapes[shape].D, scale = 1 / sqrtf((float)D), operations = 0, longest = 0;
    for (int s = 0; s < S; s++) {
        int T = shapes[shape].lengths[s];
        ends[s + 1] = ends[s] + T, longest = max(longest, T);
        operations += 10.0 * H * D * T * T / 2; // five products; what the causal mask hides is not counted
    }
    N = ends[S];
    starts = ladder_array<int>((size_t)S + 1, [&](size_t i) { return (double)ends[i]; });
    qkv = ladder_input<floatX>((size_t)N * (H + 2 * KV) * D, 0, 1), dout = ladder_input<floatX>((size_t)N * H * D, 0, 1);
    out = ladder_input<floatX>((size_t)N * H * D, 0, 1), lse = ladder_input<float>((size_t)H * N, 0, 1);
    attention_forward(out.device, lse.device, qkv.device, starts.device, S, scale, N, H, KV, D);
    if (out.host) {
        device_download(out.host, out.device, out.count * sizeof(floatX));
        device_download(lse.host, lse.device, lse.count * sizeof(float));
    }
    p = ladder_input<float>((size_t)longest * longest, 0, 1), ds = ladder_input<float>((size_t)longest * longest, 0, 1);
    scratch = ladder_input<float>(attention_backward_scratch_floats((size_t)N, (size_t)S, (size_t)H, (size_t)KV, (size_t)D), 0, 1);
    dqkv = ladder_output<floatX>("dqkv", qkv.count, sizeof(floatX) == 2 ? 8e-3 : 3e-6); // bf16: roundings of dqkv, and of p and ds on tensor cores
}
static void reference(void) { cpu::attention_backward(dqkv.host, scratch.host, dout.host, qkv.host, out.host, lse.host, starts.host, S, scale, N, H, KV, D); }
static double work(void) { return operations; }

// Rung 1, the formula with p and ds of a head in memory: a thread per score, then a thread per gradient that runs down a row or a column. In Nsight: DRAM
// throughput, and the columns: neighbouring rows of p lie T floats apart.
__global__ void scores_kernel(float *to_p, float *to_ds, const floatX *q, const floatX *k, const floatX *v, const floatX *gradient, const float *row_lse, const float *delta, int stride, int gradient_stride, float factor, int T, int channels) {
    int j = blockIdx.x * blockDim.x + threadIdx.x, i = blockIdx.y;
    if (j > i || j >= T) { return; }
    float score = 0, dp = 0;
    for (int d = 0; d < channels; d++) {
        score += to_float(q[(size_t)i * stride + d]) * to_float(k[(size_t)j * stride + d]);
        dp += to_float(gradient[(size_t)i * gradient_stride + d]) * to_float(v[(size_t)j * stride + d]);
    }
    float weight = expf(factor * score - row_lse[i]);
    to_p[(size_t)i * T + j] = weight, to_ds[(size_t)i * T + j] = factor * weight * (dp - delta[i]);
}
__global__ void queries_kernel(floatX *dq, const float *from_ds, const floatX *k, int stride, int T) { // a thread per channel of a row of dq
    int i = blockIdx.x, d = threadIdx.x;
    float sum = 0;
    for (int j = 0; j <= i; j++) { sum += from_ds[(size_t)i * T + j] * to_float(k[(size_t)j * stride + d]); }
    dq[(size_t)i * stride + d] = to_floatX(sum);
}
// One head's share of a key/value head's gradient, which begins with the group's first head. weights and rows: ds and q for dk, p and dout for dv.
__global__ void keys_kernel(float *sums, const float *weights, const floatX *rows, int row_stride, int T, bool first) {
    int j = blockIdx.x, d = threadIdx.x;
    float sum = first ? 0.0f : sums[(size_t)j * blockDim.x + d];
    for (int i = j; i < T; i++) { sum += weights[(size_t)i * T + j] * to_float(rows[(size_t)i * row_stride + d]); }
    sums[(size_t)j * blockDim.x + d] = sum;
}
__global__ void round_kernel(floatX *to, const float *sums, int stride) { to[(size_t)blockIdx.x * stride + threadIdx.x] = to_floatX(sums[(size_t)blockIdx.x * blockDim.x + threadIdx.x]); }
static void rung1(void) {
    int stride = (H + 2 * KV) * D, group = H / KV;
    float *delta = scratch.device, *dk = delta + (size_t)H * N, *dv = dk + (size_t)longest * D;
    RUN(attention_delta_kernel, CEIL_DIV(N * H, 8), 256, 0, delta, dout.device, out.device, N, H, D);
    for (int s = 0; s < S; s++) {
        int T = ends[s + 1] - ends[s];
        for (int h = 0; h < H; h++) {
            size_t row = (size_t)ends[s] * stride, key = row + (size_t)(H + h / group) * D, at = (size_t)h * N + ends[s];
            const floatX *q = qkv.device + row + (size_t)h * D, *gradient = dout.device + ((size_t)ends[s] * H + h) * D;
            RUN(scores_kernel, dim3(CEIL_DIV(T, 64), T), 64, 0, p.device, ds.device, q, qkv.device + key, qkv.device + key + KV * D, gradient, lse.device + at, delta + at, stride, H * D, scale, T, D);
            RUN(queries_kernel, T, D, 0, dqkv.device + row + (size_t)h * D, ds.device, qkv.device + key, stride, T);
            RUN(keys_kernel, T, D, 0, dk, ds.device, q, stride, T, h % group == 0);
            RUN(keys_kernel, T, D, 0, dv, p.device, gradient, H * D, T, h % group == 0);
            if (h % group == group - 1) {
                RUN(round_kernel, T, D, 0, dqkv.device + key, dk, stride);
                RUN(round_kernel, T, D, 0, dqkv.device + key + KV * D, dv, stride);
            }
        }
    }
}

// Rung 2, nothing in memory (llmc/cuda/attention_backward.cuh): dq by tiles of queries with keys going by, dk and dv by tiles of keys with queries going by. Nobody
// adds into what another block owns, but p and ds are computed twice: seven products. In Nsight: the fp32 pipe and shared memory.
static void rung2(void) {
    int floats = 4 * TILE * (D | 1);
    float *delta = scratch.device;
    RUN(attention_delta_kernel, CEIL_DIV(N * H, 8), 256, 0, delta, dout.device, out.device, N, H, D);
    ATTENTION_RUN(attention_dq_kernel, dim3(attention_tiles(N, S), H), floats + TILE * TILE, D, dqkv.device, dout.device, qkv.device, lse.device, delta, starts.device, S, scale, N, H, KV, D);
    ATTENTION_RUN(attention_dkv_kernel, dim3(attention_tiles(N, S), KV), floats + 2 * TILE * TILE, D, dqkv.device, dout.device, qkv.device, lse.device, delta, starts.device, S, scale, N, H, KV, D);
}

// Rung 3, shipped (llmc/cuda/attention_backward_mma.cuh): tensor cores, and one pass of five products. A block owns keys and adds its share of dq to fp32 memory
// when its turn comes, in an order that depends on the place in the sequence alone: the bits are always the same, and without waiting in
// practice. In Nsight: tensor pipe utilisation; shared memory, which feeds every product; how busy the multiprocessors are at the end.
static void shipped(void) { attention_backward(dqkv.device, scratch.device, dout.device, qkv.device, out.device, lse.device, starts.device, S, scale, N, H, KV, D); }

static const Rung rungs[] = {
    {"the formula, p and ds in memory", rung1},
    {"p and ds computed twice, nothing in memory", rung2},
    {"shipped: tensor cores, one pass, dq added by turns", shipped},
};
int main(int argc, char **argv) {
    const Ladder ladder = {"attention_backward", "3 x 8192, 12/2 heads of 128", rungs, sizeof(rungs) / sizeof(rungs[0]), sizeof(shapes) / sizeof(shapes[0]) - 1, make, reference, work, LADDER_PRODUCT};
    return ladder_main(&ladder, argc, argv);
}
