// attention ladder, forward: two products with a softmax between them. The T x T scores are the trouble: written to memory they cost more than
// both products; kept on the multiprocessor the limit is arithmetic, and then it is about feeding tensor cores.
#include "dev/ladder.cuh"
#include "llmc/cuda/attention.cuh" // the last rung
// this ladder ends at mma.sync, on every GPU; dev/attention_hopper.cu goes on
LLMC_C bool attention_forward_hopper(cudaStream_t, floatX *, float *, const floatX *, const int *, int, float, int, int, int, int) { return false; }
namespace cpu {
#include "llmc/cpu/attention.h" // the reference
}

enum { SEQUENCES_MOST = 3 };
static const struct {
    int lengths[SEQUENCES_MOST], S, H, KV, D;
} shapes[] = {{{41, 1, 70}, 3, 2, 1, 64}, {{130}, 1, 3, 1, 128}, {{8192, 8192, 8192}, 3, 12, 2, 128}}; // the last is timed
static int N, S, H, KV, D;
static float scale;
static double operations;
static int ends[SEQUENCES_MOST + 1], longest;
static LadderArray<floatX> qkv, out;
static LadderArray<float> lse, scores; // scores: (T, T) of the longest sequence
static LadderArray<int> starts;

static void make(int shape) {
    S = shapes[shape].S, H = shapes[shape].H, KV = shapes[shape].KV, D = shapes[shape].D, scale = 1 / sqrtf((float)D), operations = 0, longest = 0;
    for (int s = 0; s < S; s++) {
        int T = shapes[shape].lengths[s];
        ends[s + 1] = ends[s] + T, longest = max(longest, T);
        operations += 4.0 * H * D * T * T / 2; // what the causal mask hides is not counted
    }
    N = ends[S];
    starts = ladder_array<int>((size_t)S + 1, [&](size_t i) { return (double)ends[i]; });
    qkv = ladder_input<floatX>((size_t)N * (H + 2 * KV) * D, 0, 1);
    scores = ladder_input<float>((size_t)longest * longest, 0, 1);
    out = ladder_output<floatX>("out", (size_t)N * H * D, sizeof(floatX) == 2 ? 4e-3 : 1e-6); // bf16: roundings of out, and of p on tensor cores
    lse = ladder_output<float>("lse", (size_t)H * N, 1e-6);
}
static void reference(void) { cpu::attention_forward(out.host, lse.host, qkv.host, starts.host, S, scale, N, H, KV, D); }
static double work(void) { return operations; }

// Rung 1, three kernels as the formula reads: all scores to memory, a softmax over each row there, then the second product. For each head T x T floats go
// out and come back three times. In Nsight: DRAM throughput at its limit, the fp32 pipe idle.
__global__ void scores_kernel(float *p, const floatX *q, const floatX *k, int stride, float factor, int T, int channels) { // a thread per score
    int j = blockIdx.x * blockDim.x + threadIdx.x, i = blockIdx.y;
    if (j >= T) { return; }
    float sum = 0;
    for (int d = 0; d < channels && j <= i; d++) { sum += to_float(q[(size_t)i * stride + d]) * to_float(k[(size_t)j * stride + d]); }
    p[(size_t)i * T + j] = j <= i ? factor * sum : -INFINITY;
}
__global__ void softmax_kernel(float *p, float *to_lse, int T) { // a warp per row
    int i = blockIdx.x, lane = threadIdx.x;
    float highest = -INFINITY, sum = 0;
    for (int j = lane; j <= i; j += 32) { highest = fmaxf(highest, p[(size_t)i * T + j]); }
    highest = warp_max(highest);
    for (int j = lane; j <= i; j += 32) { sum += expf(p[(size_t)i * T + j] - highest); }
    sum = warp_sum(sum);
    for (int j = lane; j < T; j += 32) { p[(size_t)i * T + j] = j <= i ? expf(p[(size_t)i * T + j] - highest) / sum : 0.0f; }
    if (lane == 0) { to_lse[i] = highest + logf(sum); }
}
__global__ void values_kernel(floatX *to, const float *p, const floatX *v, int stride, int to_stride, int T) { // a thread per output
    int d = threadIdx.x, i = blockIdx.x;
    float sum = 0;
    for (int j = 0; j <= i; j++) { sum += p[(size_t)i * T + j] * to_float(v[(size_t)j * stride + d]); }
    to[(size_t)i * to_stride + d] = to_floatX(sum);
}
static void rung1(void) {
    int stride = (H + 2 * KV) * D;
    for (int s = 0; s < S; s++) {
        int T = ends[s + 1] - ends[s];
        for (int h = 0; h < H; h++) {
            const floatX *rows = qkv.device + (size_t)ends[s] * stride, *k = rows + (size_t)(H + h / (H / KV)) * D;
            RUN(scores_kernel, dim3(CEIL_DIV(T, 64), T), 64, 0, scores.device, rows + h * D, k, stride, scale, T, D);
            RUN(softmax_kernel, T, 32, 0, scores.device, lse.device + (size_t)h * N + ends[s], T);
            RUN(values_kernel, T, D, 0, out.device + ((size_t)ends[s] * H + h) * D, scores.device, k + KV * D, stride, H * D, T);
        }
    }
}

// Rung 2, one kernel (llmc/cuda/attention.cuh): scores never leave the multiprocessor. A running maximum and sum per row (online softmax) let keys and values go
// by in tiles, and rescale what was added up when a higher score comes. In Nsight: the fp32 pipe and shared memory take turns; DRAM is idle.
static void rung2(void) {
    ATTENTION_RUN(attention_forward_kernel, dim3(attention_tiles(N, S), H), 3 * TILE * (D | 1) + TILE * TILE, D, out.device, lse.device, qkv.device, starts.device, S, scale, N, H, KV, D);
}

// Rung 3, tensor cores: a block of 4 warps takes 128 queries, a warp 32 of them; p stays in registers, for the accumulators of the first product are the
// left factors of the second. But keys and values are waited for as soon as they are asked for. In Nsight: tensor pipe utilisation, stalls on
// long scoreboard at the barrier. bf16 only; an fp32 build shows rung 2 again.
template <int channels>
__global__ void __launch_bounds__(MMA_THREADS) tensor_cores(floatX *to, float *to_lse, const floatX *from, const int *first_rows, float factor, int rows, int heads, int kv_heads) {
    floatX *q_tile = (floatX *)(void *)dynamic_shared, *k_tile = q_tile + MMA_QUERIES * channels, *v_tile = k_tile + MMA_KEYS * channels;
    int h = blockIdx.y, lane = threadIdx.x % 32, warp_row = threadIdx.x / 32 * 32, stride = (heads + 2 * kv_heads) * channels;
    int begin = first_rows[blockIdx.z], row0 = blockIdx.x * MMA_QUERIES, keys = min(first_rows[blockIdx.z + 1] - begin, row0 + MMA_QUERIES);
    if (row0 >= keys) { return; }
    const floatX *sequence = from + (size_t)begin * stride, *k = sequence + (heads + h / (heads / kv_heads)) * channels;
    float o[2][channels / 8][4] = {}, best[2][2] = {{-INFINITY, -INFINITY}, {-INFINITY, -INFINITY}}, total[2][2] = {};
    tile_load<MMA_QUERIES, channels, MMA_THREADS>(q_tile, sequence + (size_t)row0 * stride + h * channels, stride, keys - row0, threadIdx.x);
    for (int key0 = 0; key0 < keys; key0 += MMA_KEYS) {
        __syncthreads(); // everyone is done with the tiles before
        tile_load<MMA_KEYS, channels, MMA_THREADS>(k_tile, k + (size_t)key0 * stride, stride, keys - key0, threadIdx.x);
        tile_load<MMA_KEYS, channels, MMA_THREADS>(v_tile, k + (size_t)key0 * stride + kv_heads * channels, stride, keys - key0, threadIdx.x);
        cp_async_commit();
        cp_async_wait<0>();
        __syncthreads();
        float s[2][MMA_KEYS / 8][4] = {};
        uint32_t p[2][MMA_KEYS / 16][4];
        tile_products<channels, MMA_KEYS / 8>(s, q_tile, warp_row, k_tile, 0, lane);
        attention_mask_mma(s, row0 + warp_row, key0);
        attention_softmax_mma<channels / 8>(p, s, o, best, total, factor);
        attention_add_mma<channels>(o, p, v_tile, lane);
    }
#pragma unroll
    for (int i = 0; i < 4; i++) { // rows of this lane
        float sum = total[i / 2][i % 2];
        sum += __shfl_xor_sync(ALL_LANES, sum, 1);
        sum += __shfl_xor_sync(ALL_LANES, sum, 2);
        int row = row0 + warp_row + i * 8 + lane / 4;
        if (row >= keys) { continue; }
        if (lane % 4 == 0) { to_lse[(size_t)h * rows + begin + row] = LN_2 * (best[i / 2][i % 2] + log2f(sum)); }
#pragma unroll
        for (int n = 0; n < channels / 8; n++) {
            for (int e = 0; e < 2; e++) { to[((size_t)(begin + row) * heads + h) * channels + n * 8 + lane % 4 * 2 + e] = to_floatX(o[i / 2][n][i % 2 * 2 + e] / sum); }
        }
    }
}
static void rung3(void) {
    if constexpr (sizeof(floatX) == 2) {
        auto run = [](auto kernel) {
            int bytes = (MMA_QUERIES + 2 * MMA_KEYS) * D * (int)sizeof(floatX);
            cudaCheck(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
            RUN(kernel, dim3(CEIL_DIV(longest, (int)MMA_QUERIES), H, S), MMA_THREADS, bytes, out.device, lse.device, qkv.device, starts.device, scale * LOG2_E, N, H, KV);
        };
        D == 64 ? run(tensor_cores<64>) : run(tensor_cores<128>);
    } else {
        rung2();
    }
}

// Rung 4, shipped (llmc/cuda/attention_mma.cuh): values come in while scores are computed, the next keys while values are added up; only tiles at the diagonal
// are masked, sums are rescaled only when a maximum grew; the tiles with most keys begin first, so that none of them is left for the end. In
// Nsight: tensor pipe utilisation again, and how many multiprocessors are busy at the end of the launch.
static void shipped(void) { attention_forward(out.device, lse.device, qkv.device, starts.device, S, scale, N, H, KV, D); }

static const Rung rungs[] = {
    {"three kernels, all scores in memory", rung1},
    {"one kernel, online softmax", rung2},
    {"tensor cores (mma.sync), p in registers", rung3},
    {"shipped: keys and values fetched in the background, longest tiles first", shipped},
};
int main(int argc, char **argv) {
    const Ladder ladder = {"attention", "3 x 8192, 12/2 heads of 128", rungs, sizeof(rungs) / sizeof(rungs[0]), sizeof(shapes) / sizeof(shapes[0]) - 1, make, reference, work, LADDER_PRODUCT};
    return ladder_main(&ladder, argc, argv);
}
