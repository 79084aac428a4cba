// sample ladder: one token of 151,936 by inverse transform, temperature 0.6, nothing filtered. The logits must be read once; a running sum over them
// looks serial, and the art is to look at almost none of them again.
#include "dev/ladder.cuh"
#include "llmc/cuda/sample.cuh" // the last rung
namespace cpu {
#include "llmc/cpu/sample.h" // the reference
}

static const float temperature = 0.6f;
static int B, V;
static LadderArray<float> logits, logprob;
static LadderArray<uint64_t> keys;
static LadderArray<int> counters, token;
static const int shapes[][2] = {{16, 45}, {9, 2052}, {3, 40000}, {256, 151936}}; // the last is timed

static void make(int shape) {
    B = shapes[shape][0], V = shapes[shape][1];
    logits = ladder_input<float>((size_t)B * V, 0, 8);
    keys = ladder_array<uint64_t>(
        B, [](size_t b) { return (double)(b * 12345); }, true);
    counters = ladder_array<int>(
        B, [](size_t b) { return (double)(b % 5); }, true);
    token = ladder_output<int>("token", B, 0); // the same u in the same running sum; no draw of these lies so near a border that rounding decides
    logprob = ladder_output<float>("logprob", B, 3e-6);
}
static void reference(void) { cpu::sample_tokens(token.host, logprob.host, logits.host, keys.host, counters.host, temperature, 1, 0, B, V, V); }
static double work(void) { return 4.0 * B * V; }

// Rung 1, one thread per row: largest, sum, then walk until the running sum exceeds u times the sum. 256 threads on the whole GPU.
// In Nsight: occupancy; nearly all multiprocessors idle.
__global__ void row_per_thread(int *to, float *to_logprob, const float *from, const uint64_t *key, const int *counter, float scale, int rows, int width) {
    int b = blockIdx.x * blockDim.x + threadIdx.x, drawn = 0;
    if (b >= rows) { return; }
    const float *row = from + (size_t)b * width;
    float largest = -FLT_MAX;
    double sum = 0, running = 0;
    for (int v = 0; v < width; v++) { largest = fmaxf(largest, row[v] * scale); }
    for (int v = 0; v < width; v++) { sum += (double)expf(row[v] * scale - largest); }
    double mark = (double)random_uniform(key[b], (uint64_t)counter[b]) * sum;
    for (int v = 0; v < width; v++) {
        drawn = v, running += (double)expf(row[v] * scale - largest);
        if (running > mark) { break; }
    }
    to[b] = drawn, to_logprob[b] = (float)((double)(row[drawn] * scale) - (double)largest - log(sum));
}
static void rung1(void) { RUN(row_per_thread, CEIL_DIV(B, 32), 32, 0, token.device, logprob.device, logits.device, keys.device, counters.device, 1 / temperature, B, V); }

// Rung 2, a block per row, a segment of the ids to each warp: the segments' sums say in which one the draw falls, and its warp alone walks it,
// 32 ids at a time. Largest, sums and walk read the row twice and a bit. In Nsight: DRAM bytes; warps waiting at the last barrier for the walk.
// Rung 3, one pass: sums relative to the largest so far give every segment's sum in the first read (logprob_row does, for the log-probability
// is wanted anyway). In Nsight: DRAM bytes halve; the walk of 9,600 ids by one warp is now the larger part of what is left.
__global__ void __launch_bounds__(LOGPROB_THREADS, 2) segment_per_warp(int *to, float *to_logprob, const float *from, const uint64_t *key, const int *counter, float scale, int width, bool one_pass) {
    __shared__ LogprobSums of_warp[LOGPROB_TOTAL + 1];
    __shared__ SampleSegments segments;
    const int b = blockIdx.x, warps = blockDim.x / 32, length = logprob_segment(width, warps);
    LogprobSums sums = logprob_row<false>(of_warp, from + (size_t)b * width, scale, width);
    SampleRow row = {from + (size_t)b * width, scale, sums.largest, width};
    SampleKept all = {0, 0};
    if (threadIdx.x == 0) { segments.range = {0, width, 0, 0, -1}; }
    if (!one_pass) { sample_weigh<false>(&segments, row, all, {0, width, 0, 0, -1}, length); }
    if (one_pass && (int)threadIdx.x < warps) {
        segments.mass[threadIdx.x] = (double)of_warp[threadIdx.x].sum * exp((double)of_warp[threadIdx.x].largest - (double)sums.largest);
        segments.tied[threadIdx.x] = 0;
    }
    __syncthreads();
    if (threadIdx.x / 32 == 0) { sample_choose(&segments, row, all, length, (double)random_uniform(key[b], (uint64_t)counter[b])); }
    __syncthreads();
    if (threadIdx.x / 32 > 0) { return; }
    int drawn = sample_walk(row, all, segments.range);
    if (threadIdx.x == 0) { to[b] = drawn, to_logprob[b] = logprob_of(sums, row.logits[drawn], scale); }
}
static void segments(bool one_pass) {
    RUN(segment_per_warp, B, logprob_threads(V), 0, token.device, logprob.device, logits.device, keys.device, counters.device, 1 / temperature, V, one_pass);
}
static void rung2(void) { segments(false); }
static void rung3(void) { segments(true); }

// Rung 4, shipped: all warps share the segment that was hit, and again, until one walks 64 ids; 16 bytes to a load.
static void shipped(void) { sample_tokens(token.device, logprob.device, logits.device, keys.device, counters.device, temperature, 1, 0, B, V, V); }

static const Rung rungs[] = {
    {"one thread per row", rung1},
    {"one block per row: a sum for every segment, one warp walks the segment that is hit", rung2},
    {"the segments' sums out of the pass that finds the largest", rung3},
    {"shipped: the segment is shared among all warps, 16 bytes to a load", shipped},
};
int main(int argc, char **argv) {
    const Ladder ladder = {"sample", "256 x 151936", rungs, sizeof(rungs) / sizeof(rungs[0]), sizeof(shapes) / sizeof(shapes[0]) - 1, make, reference, work, LADDER_BANDWIDTH};
    return ladder_main(&ladder, argc, argv);
}
