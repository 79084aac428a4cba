// logprob ladder: log-probability and entropy of a token out of a row of 151,936 logits. The row is 608 KB and must be read; reading it once is the art.
#include "dev/ladder.cuh"
#include "llmc/cuda/logprob.cuh" // the last rung
namespace cpu {
#include "llmc/cpu/logprob.h" // the reference
}

static const float temperature = 0.6f;
static int N, V;
static LadderArray<float> logits, logprob, entropy, lse;
static LadderArray<int> targets;
static const int shapes[][2] = {{7, 45}, {5, 2052}, {2, 40000}, {2048, 151936}}; // the last is timed

static void make(int shape) {
    N = shapes[shape][0], V = shapes[shape][1];
    logits = ladder_input<float>((size_t)N * V, 0, 8);
    targets = ladder_array<int>(
        N, [](size_t n) { return n % 4 == 3 ? -1 : (double)((n * 7919) % (size_t)V); }, true);
    // z of up to 13 is rounded by 2^-21 of itself, and so are the weights that are summed
    logprob = ladder_output<float>("logprob", N, 3e-6), entropy = ladder_output<float>("entropy", N, 1e-5), lse = ladder_output<float>("lse", N, 3e-6);
}
static void reference(void) { cpu::logprob_forward(logprob.host, entropy.host, lse.host, logits.host, targets.host, temperature, N, V, V); }
static double work(void) { return 4.0 * N * V; }

__device__ static inline void put(float *to, float *to_entropy, float *to_lse, const float *row, const int *which, int n, float scale, float largest, float sum, float moment) {
    float l = largest + logf(sum);
    to[n] = which[n] < 0 ? 0.0f : row[which[n]] * scale - l;
    to_entropy[n] = logf(sum) - moment / sum, to_lse[n] = l;
}
// Rung 1, one thread per row: largest, then the sums, as on paper. 2048 threads are far too few for a GPU, and the lanes of a warp read 608 KB
// apart. In Nsight: occupancy, sectors per request.
__global__ void row_per_thread(float *to, float *to_entropy, float *to_lse, const float *from, const int *which, float scale, int rows, int width) {
    int n = blockIdx.x * blockDim.x + threadIdx.x;
    if (n >= rows) { return; }
    const float *row = from + (size_t)n * width;
    float largest = -FLT_MAX, sum = 0, moment = 0;
    for (int i = 0; i < width; i++) { largest = fmaxf(largest, row[i] * scale); }
    for (int i = 0; i < width; i++) {
        float below = row[i] * scale - largest, weight = expf(below);
        sum += weight, moment += weight * below;
    }
    put(to, to_entropy, to_lse, row, which, n, scale, largest, sum, moment);
}
static void rung1(void) { RUN(row_per_thread, CEIL_DIV(N, 64), 64, 0, logprob.device, entropy.device, lse.device, logits.device, targets.device, 1 / temperature, N, V); }

// Rung 2, a block per row: neighbours read neighbours, all multiprocessors are busy. But the row is read twice, and the rows under way together are
// more than the second-level cache holds. In Nsight: DRAM bytes are twice the logits.
__device__ static inline float block_max(float x) {
    __shared__ float of_warp[32];
    x = warp_max(x);
    if (threadIdx.x % 32 == 0) { of_warp[threadIdx.x / 32] = x; }
    __syncthreads();
    for (int w = 0; w < (int)blockDim.x / 32; w++) { x = fmaxf(x, of_warp[w]); }
    return x;
}
__global__ void block_per_row(float *to, float *to_entropy, float *to_lse, const float *from, const int *which, float scale, int width) {
    const float *row = from + (size_t)blockIdx.x * width;
    float largest = -FLT_MAX, sum = 0, moment = 0;
    for (int i = threadIdx.x; i < width; i += blockDim.x) { largest = fmaxf(largest, row[i] * scale); }
    largest = block_max(largest);
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
        float below = row[i] * scale - largest, weight = expf(below);
        sum += weight, moment += weight * below;
    }
    sum = block_sum(sum), moment = block_sum(moment);
    if (threadIdx.x == 0) { put(to, to_entropy, to_lse, row, which, blockIdx.x, scale, largest, sum, moment); }
}
static void rung2(void) { RUN(block_per_row, N, 1024, 0, logprob.device, entropy.device, lse.device, logits.device, targets.device, 1 / temperature, V); }

// Rung 3, one pass: sums relative to the largest so far, corrected when a larger comes (Milakov and Gimelshein 2018). In Nsight: DRAM bytes
// halve; now instructions count, a comparison and 4 bytes at a time.
__global__ void one_pass(float *to, float *to_entropy, float *to_lse, const float *from, const int *which, float scale, int width) {
    const float *row = from + (size_t)blockIdx.x * width;
    LogprobSums mine = {-FLT_MAX, 0, 0};
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
        float z = row[i] * scale, below;
        if (z > mine.largest) { logprob_rebase(&mine, z); }
        float weight = logprob_weight(&below, z, mine.largest);
        mine.sum += weight, mine.moment += weight * below;
    }
    float largest = block_max(mine.largest);
    logprob_rebase(&mine, largest);
    float sum = block_sum(mine.sum), moment = block_sum(mine.moment);
    if (threadIdx.x == 0) { put(to, to_entropy, to_lse, row, which, blockIdx.x, scale, largest, sum, moment); }
}
static void rung3(void) { RUN(one_pass, N, 1024, 0, logprob.device, entropy.device, lse.device, logits.device, targets.device, 1 / temperature, V); }

// Rung 4, shipped: 16 values to a step in four loads of 16 bytes, one comparison with the largest for all of them, a segment of the row to a
// warp. In Nsight: DRAM throughput near a copy's; issue slots no longer full.
static void shipped(void) { logprob_forward(logprob.device, entropy.device, lse.device, logits.device, targets.device, temperature, N, V, V); }

static const Rung rungs[] = {
    {"one thread per row", rung1},
    {"one block per row, two passes", rung2},
    {"one pass, the sums corrected when a larger logit comes", rung3},
    {"shipped: 16 logits to a step in loads of 16 bytes", shipped},
};
int main(int argc, char **argv) {
    const Ladder ladder = {"logprob", "2048 x 151936", rungs, sizeof(rungs) / sizeof(rungs[0]), sizeof(shapes) / sizeof(shapes[0]) - 1, make, reference, work, LADDER_BANDWIDTH};
    return ladder_main(&ladder, argc, argv);
}
