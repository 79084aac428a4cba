// attention_decode ladder: one new token per sequence against its cache. Every key and value is used once for each query head of its group,
// so the limit is the bandwidth of memory, and the lesson is how to keep it busy.
#include "dev/ladder.cuh"
#include "llmc/cuda/attention_decode.cuh" // the last rung, and the layout of pages
namespace cpu {
#include "llmc/cpu/attention_decode.h" // the reference
}

static int B, H, KV, D, max_pages, chunks, rows;
static float scale;
static LadderArray<int> lengths, page_table, slots, positions, plan;
static LadderArray<float> table, scratch;
static LadderArray<floatX> cache, filled, qkv, out;
static const int shapes[][4] = {{3, 12, 2, 128}, {4, 4, 4, 64}, {2, 16, 1, 64}, {256, 12, 2, 128}}; // B, H, KV, D; the last is timed
static const int checked_lengths[] = {300, 33, 1, 256};

static int length_of(size_t b) { return ladder_state.timed ? 320 + (int)(b * 37 % 256) * 18 : checked_lengths[b]; } // timed: 320 .. 4910, 2,615 on average
static void make(int shape) {
    B = shapes[shape][0], H = shapes[shape][1], KV = shapes[shape][2], D = shapes[shape][3], max_pages = 160, rows = 0, scale = 1 / sqrtf((float)D);
    int pages = 1;
    for (int b = 0; b < B; b++) { pages += CEIL_DIV(length_of((size_t)b), (int)KV_PAGE), rows += length_of((size_t)b); }
    pages += pages % 37 == 0; // pages lie anywhere, as they do after a while: page 37 i
    chunks = attention_decode_chunks(B, max_pages * KV_PAGE, 0, pages);
    lengths = ladder_array<int>(B, length_of, true);
    int *tables = (int *)ladder_host(sizeof(int) * (size_t)B * max_pages), *places = (int *)ladder_host(sizeof(int) * (size_t)rows), taken = 0, row = 0;
    for (int b = 0; b < B; b++) {
        for (int i = 0; i < max_pages; i++) { tables[b * max_pages + i] = i * KV_PAGE < length_of((size_t)b) ? (int)((long)++taken * 37 % pages) : -1; }
        for (int i = 0; i < length_of((size_t)b); i++) { places[row++] = tables[b * max_pages + i / KV_PAGE] * KV_PAGE + i % KV_PAGE; }
    }
    page_table = ladder_array<int>((size_t)B * max_pages, [=](size_t i) { return tables[i]; }, true);
    slots = ladder_array<int>(
        rows, [=](size_t i) { return places[i]; }, true);
    positions = ladder_array<int>(rows, [](size_t) { return 0; });
    table = ladder_array<float>(D, [](size_t d) { return 1.0 - (double)(d % 2); }); // no rotation
    cache = ladder_input<floatX>(pages * kv_page_bytes(KV, D) / sizeof(floatX), 0, 1), qkv = ladder_input<floatX>((size_t)B * (H + 2 * KV) * D, 0, 2);
    if (!ladder_state.timed) { // each backend lays its pages out in its own way
        filled = ladder_input<floatX>((size_t)rows * (H + 2 * KV) * D, 0, 1);
        rope_cache_forward(filled.device, cache.device, table.device, positions.device, slots.device, rows, H, KV, D);
    }
    plan.device = (int *)device_alloc("plan", attention_decode_plan_bytes(chunks, H, KV)), scratch.device = (float *)device_alloc("scratch", attention_decode_scratch_bytes(chunks, H, D));
    out = ladder_output<floatX>("out", (size_t)B * H * D, sizeof(floatX) == 2 ? 6e-3 : 1e-5); // bf16: the result and the weights are rounded once, 2^-9
}
static void reference(void) {
    cpu::rope_cache_forward(filled.host, cache.host, table.host, positions.host, slots.host, rows, H, KV, D);
    cpu::attention_decode(out.host, NULL, NULL, qkv.host, cache.host, page_table.host, lengths.host, max_pages, scale, B, H, KV, D);
}
static double work(void) { return 2.0 * rows * KV * D * sizeof(floatX); }

// Rung 1, start: a block for each sequence and query head. Threads stride over positions for the scores, which wait in shared memory, then over
// channels for the output. Each head of a group reads the group's keys and values anew, mostly from the second-level cache; neighbouring
// threads read keys a row apart. In Nsight: L2 throughput near its top while DRAM idles; sectors per request near 32.
__global__ void __launch_bounds__(128) block_per_head(floatX *to, const floatX *from, const floatX *pool, const int *tables, const int *known, int pitch, float factor, int heads, int kv_heads, int channels) {
    float *score = (float *)(void *)dynamic_shared;
    int b = blockIdx.y, h = blockIdx.x, kv = h / (heads / kv_heads), length = known[b];
    const floatX *query = from + ((size_t)b * (heads + 2 * kv_heads) + h) * channels;
    float highest = -INFINITY, sum = 0;
    for (int j = threadIdx.x; j < length; j += blockDim.x) {
        const floatX *key = pool + (((size_t)tables[b * pitch + j / KV_PAGE] * kv_heads + kv) * 2 * KV_PAGE + j % KV_PAGE) * channels;
        float dot = 0;
        for (int d = 0; d < channels; d++) { dot += to_float(query[d]) * to_float(key[d]); }
        score[j] = dot * factor;
    }
    __syncthreads();
    for (int j = 0; j < length; j++) { highest = fmaxf(highest, score[j]); }
    for (int j = 0; j < length; j++) { sum += expf(score[j] - highest); }
    for (int d = threadIdx.x; d < channels; d += blockDim.x) {
        float value = 0;
        for (int j = 0; j < length; j++) {
            const floatX *values = pool + (((size_t)tables[b * pitch + j / KV_PAGE] * kv_heads + kv) * 2 * KV_PAGE + KV_PAGE + j % KV_PAGE) * channels;
            value += expf(score[j] - highest) * to_float(values[d]);
        }
        to[((size_t)b * heads + h) * channels + d] = to_floatX(value / sum);
    }
}
static void rung1(void) { RUN(block_per_head, dim3(H, B), 128, max_pages * KV_PAGE * sizeof(float), out.device, qkv.device, cache.device, page_table.device, lengths.device, max_pages, scale, H, KV, D); }

// Rung 2, the group together: a block for each sequence and key/value head (the shipped kernel for what tensor cores do not take). A key is
// loaded once, 16 bytes at a time, for up to 8 query heads, with an online softmax, so that nothing waits in shared memory but weights; 8 warps
// take every 8th page. In Nsight: DRAM reads fall to the size of the cache; but B * KV blocks of unequal length leave the GPU half empty
// towards the end, and fp32 multiplies (6 to a byte) and conversions fill the issue slots.
static void rung2(void) {
    dim3 grid(KV * CEIL_DIV(H / KV, (int)PLAIN_HEADS), B);
    if (D <= 64) { RUN((attention_decode_kernel<PACK, 2>), grid, 32 * PLAIN_WARPS, 0, out.device, qkv.device, cache.device, page_table.device, lengths.device, max_pages, scale, H, KV, D); }
    if (D > 64) { RUN((attention_decode_kernel<PACK, 4>), grid, 32 * PLAIN_WARPS, 0, out.device, qkv.device, cache.device, page_table.device, lengths.device, max_pages, scale, H, KV, D); }
}

// Rung 3, split sequences: a block for each chunk of 256 positions and each 8 query heads, by the plan; a second kernel joins the chunks by their
// largest score and sum of weights. Work is even now, whatever the lengths. In Nsight: achieved occupancy stays up to the end; what is left is
// the issue rate, and that loads stop while a block computes.
template <int width, int pieces>
__global__ void __launch_bounds__(32 * PLAIN_WARPS) split(float *partial, const int *planned, const floatX *from, const floatX *pool, float factor, int heads, int kv_heads, int channels) {
    __shared__ float q[PLAIN_HEADS][32 * pieces], p[PLAIN_WARPS][PLAIN_HEADS][KV_PAGE], o_of[PLAIN_WARPS][PLAIN_HEADS][32 * pieces];
    __shared__ float m_of[PLAIN_WARPS][PLAIN_HEADS], l_of[PLAIN_WARPS][PLAIN_HEADS];
    int group = heads / kv_heads, parts = CEIL_DIV(group, (int)PLAIN_HEADS), kv = blockIdx.y / parts, first = kv * group + blockIdx.y % parts * PLAIN_HEADS;
    int own = min((int)PLAIN_HEADS, (kv + 1) * group - first), lane = threadIdx.x % 32, warp = threadIdx.x / 32, chunk = blockIdx.x;
    if (chunk >= planned[0]) { return; }
    const int *record = planned + 1 + (size_t)chunk * attention_decode_record(heads, kv_heads);
    for (int i = threadIdx.x; i < PLAIN_HEADS * 32 * pieces; i += blockDim.x) {
        int g = i / (32 * pieces), d = i % (32 * pieces);
        q[g][d] = g < own && d < channels ? factor * to_float(from[((size_t)record[DECODE_SEQUENCE] * (heads + 2 * kv_heads) + first + g) * channels + d]) : 0.0f;
    }
    __syncthreads();
    float m[PLAIN_HEADS], l[PLAIN_HEADS] = {}, o[PLAIN_HEADS][pieces] = {};
    for (int g = 0; g < PLAIN_HEADS; g++) { m[g] = -3e38f; }
    decode_pages<width, pieces>(m, l, o, p[warp], q, pool, record + DECODE_PAGES, record[DECODE_POSITIONS], kv, kv_heads, channels);
    for (int g = 0; g < PLAIN_HEADS; g++) {
        float sum = warp_sum(l[g]);
        if (lane == 0) { m_of[warp][g] = m[g], l_of[warp][g] = sum; }
        for (int j = 0; j < pieces; j++) { o_of[warp][g][lane + 32 * j] = o[g][j]; }
    }
    __syncthreads();
    for (int i = threadIdx.x; i < own * channels; i += blockDim.x) {
        int g = i / channels, d = i % channels;
        float *to = partial + ((size_t)chunk * heads + first + g) * (channels + 4), highest = m_of[0][g], total = 0, sum = 0;
        for (int w = 1; w < PLAIN_WARPS; w++) { highest = fmaxf(highest, m_of[w][g]); }
        for (int w = 0; w < PLAIN_WARPS; w++) {
            total += expf(m_of[w][g] - highest) * l_of[w][g];
            sum += expf(m_of[w][g] - highest) * o_of[w][g][d];
        }
        to[d] = sum;
        if (d == 0) { to[channels] = highest, to[channels + 1] = total; }
    }
}
__global__ void join(floatX *to, const float *partial, const int *planned, int heads, int kv_heads, int channels) { // a block a chunk and head: only first chunks do it
    const int *record = planned + 1 + (size_t)blockIdx.x * attention_decode_record(heads, kv_heads);
    if ((int)blockIdx.x >= planned[0] || record[DECODE_FIRST] != (int)blockIdx.x) { return; }
    const float *from = partial + ((size_t)blockIdx.x * heads + blockIdx.y) * (channels + 4);
    size_t next = (size_t)heads * (channels + 4);
    float highest = from[channels], total = 0, sum = 0;
    for (int c = 1; c < record[DECODE_CHUNKS]; c++) { highest = fmaxf(highest, from[c * next + channels]); }
    for (int c = 0; c < record[DECODE_CHUNKS]; c++) {
        float weight = expf(from[c * next + channels] - highest);
        total += weight * from[c * next + channels + 1];
        sum += weight * from[c * next + threadIdx.x];
    }
    to[((size_t)record[DECODE_SEQUENCE] * heads + blockIdx.y) * channels + threadIdx.x] = to_floatX(sum / total);
}
static void rung3(void) {
    attention_decode_plan(plan.device, page_table.device, lengths.device, max_pages, B, H, KV);
    dim3 grid(chunks, KV * CEIL_DIV(H / KV, (int)PLAIN_HEADS));
    if (D <= 64) { RUN((split<PACK, 2>), grid, 32 * PLAIN_WARPS, 0, scratch.device, plan.device, qkv.device, cache.device, scale, H, KV, D); }
    if (D > 64) { RUN((split<PACK, 4>), grid, 32 * PLAIN_WARPS, 0, scratch.device, plan.device, qkv.device, cache.device, scale, H, KV, D); }
    RUN(join, dim3(chunks, H), D, 0, out.device, scratch.device, plan.device, H, KV, D);
}

// Rung 4, shipped: the group's heads are the rows of an MMA tile, so that a byte costs almost no instructions; each warp has a ring of slots in
// shared memory that cp.async fills while it computes, on into the next item; blocks stay, and the last to finish joins. In Nsight: DRAM
// throughput should be that of a copy, tensor pipe and issue slots far from busy. (The plan is made once a step and serves 28 layers; here it
// is timed with each call, as in rung 3.)
static void shipped(void) {
    attention_decode_plan(plan.device, page_table.device, lengths.device, max_pages, B, H, KV);
    attention_decode(out.device, plan.device, scratch.device, qkv.device, cache.device, page_table.device, lengths.device, max_pages, scale, B, H, KV, D);
}

static const Rung rungs[] = {
    {"one block per sequence and query head", rung1},
    {"the query heads of a key/value head together, online softmax", rung2},
    {"sequences split into chunks, joined by a second kernel", rung3},
    {"shipped: heads as rows of an MMA tile, asynchronous copies that never stop", shipped},
};
int main(int argc, char **argv) {
    const Ladder ladder = {"attention_decode", "B=256, 2,615 of 320..4,910 positions, 12/2 heads of 128", rungs, sizeof(rungs) / sizeof(rungs[0]), sizeof(shapes) / sizeof(shapes[0]) - 1, make, reference, work, LADDER_BANDWIDTH};
    return ladder_main(&ladder, argc, argv);
}
