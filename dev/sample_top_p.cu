// sample_top_p ladder: the same draw among the most likely ids that reach 0.95 together. Which ids those are is a question about order, and sorting
// 151,936 logits to answer it moves every one of them several times; both rungs only look for the border.
#include "dev/ladder.cuh"
#include "llmc/cuda/sample.cuh" // the last rung
namespace cpu {
#include "llmc/cpu/sample.h" // the reference
}

static const float temperature = 0.6f, top_p = 0.95f;
static int B, V;
static LadderArray<float> logits, logprob;
static LadderArray<uint64_t> keys;
static LadderArray<int> counters, token;
static const int shapes[][2] = {{16, 45}, {9, 2052}, {3, 20000}, {256, 151936}}; // the last is timed

static void make(int shape) {
    B = shapes[shape][0], V = shapes[shape][1];
    logits = ladder_input<float>((size_t)B * V, 0, 8);
    keys = ladder_array<uint64_t>(
        B, [](size_t b) { return (double)(b * 12345); }, true);
    counters = ladder_array<int>(
        B, [](size_t b) { return (double)(b % 5); }, true);
    token = ladder_output<int>("token", B, 0); // no draw of these lies so near a border that rounding decides
    logprob = ladder_output<float>("logprob", B, 3e-6);
}
static void reference(void) { cpu::sample_tokens(token.host, logprob.host, logits.host, keys.host, counters.host, temperature, top_p, 0, B, V, V); }
static double work(void) { return 4.0 * B * V; }

// Rung 1, bisection: a logit's bits, put into an order that rises with it, are an integer of 32 bits; the border is found bit by bit from the top,
// and every bit adds up what is above it: the row is read 35 times. In Nsight: DRAM bytes.
__global__ void __launch_bounds__(LOGPROB_THREADS, 2) bisection(int *to, float *to_logprob, const float *from, const uint64_t *key, const int *counter, float scale, float share, int width) {
    __shared__ LogprobSums of_warp[LOGPROB_TOTAL + 1];
    const int b = blockIdx.x;
    LogprobSums sums = logprob_row<false>(of_warp, from + (size_t)b * width, scale, width);
    SampleRow row = {from + (size_t)b * width, scale, sums.largest, width};
    auto mass_from = [&](unsigned least) {
        SampleMass mass = 0;
        for (int v = threadIdx.x; v < width; v += blockDim.x) { mass += sample_key(row.logits[v]) >= least ? sample_measure<false>(row, row.logits[v]) : 0; }
        return block_sum(mass);
    };
    SampleMass amount = (SampleMass)ceil((double)share * (double)mass_from(0));
    unsigned threshold = 0; // becomes the largest from which on there is enough
    for (unsigned bit = 0x80000000u; bit > 0; bit /= 2) { threshold |= mass_from(threshold | bit) >= amount ? bit : 0; }
    SampleMass one = sample_measure<false>(row, sample_logit(threshold)), above = mass_from(threshold + 1);
    SampleKept kept = {threshold, (int)((amount - above + one - 1) / one)};
    int drawn = sample_draw<false>(of_warp, row, kept, false, (double)random_uniform(key[b], (uint64_t)counter[b]));
    if (threadIdx.x == 0) { to[b] = drawn, to_logprob[b] = logprob_of(sums, row.logits[drawn], scale); }
}
static void rung1(void) { RUN(bisection, B, logprob_threads(V), 0, token.device, logprob.device, logits.device, keys.device, counters.device, 1 / temperature, top_p, V); }

// Rung 2, shipped: one read puts the weights into 2048 buckets of z in shared memory, a second lists the few ids of the bucket in which the border
// lies: four reads in all. Integers are added, so that atomics may do it in any order. In Nsight: DRAM bytes; shared-memory atomics.
static void shipped(void) { sample_tokens(token.device, logprob.device, logits.device, keys.device, counters.device, temperature, top_p, 0, B, V, V); }

static const Rung rungs[] = {
    {"bisection over the bits of a logit: 35 reads", rung1},
    {"shipped: buckets, then the border's bucket alone: 4 reads", shipped},
};
int main(int argc, char **argv) {
    const Ladder ladder = {"sample_top_p", "256 x 151936, top-p 0.95", rungs, sizeof(rungs) / sizeof(rungs[0]), sizeof(shapes) / sizeof(shapes[0]) - 1, make, reference, work, LADDER_BANDWIDTH};
    return ladder_main(&ladder, argc, argv);
}
