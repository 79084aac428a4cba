// CUDA body of ../attention_decode.h. A page holds for each key/value head its keys and then its values, as rows of D. bf16 with heads of 64
// or 128 channels goes to the tensor cores (attention_decode_mma.cuh); everything else to the plain kernel here: a block owns one sequence
// and up to 8 query heads of one key/value head; its 8 warps take every 8th page each, and their results are joined in rising order.
#pragma once
#include "llmc/cuda/attention_decode_mma.cuh"
#include "llmc/cuda/attention_tile.cuh"
#include "llmc/cuda/rope.cuh"

enum { PLAIN_WARPS = 8,
       PLAIN_HEADS = 8 };
static_assert(KV_PAGE == 32, "a lane stands for one position of a page");

// One warp's share of the pages: m the largest score, l the sum of weights (of this lane's positions), o the weighted values.
template <int width, int chunks>
__device__ static inline void decode_pages(float m[PLAIN_HEADS], float l[PLAIN_HEADS], float o[PLAIN_HEADS][chunks], float (*p)[KV_PAGE], const float (*q)[32 * chunks], const floatX *cache, const int *pages, int length, int kv, int KV, int D) {
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    for (int begin = warp * KV_PAGE; begin < length; begin += PLAIN_WARPS * KV_PAGE) {
        const floatX *page = cache + ((size_t)pages[begin / KV_PAGE] * KV + kv) * 2 * KV_PAGE * D, *values = page + KV_PAGE * D;
        int present = min((int)KV_PAGE, length - begin);
        float score[PLAIN_HEADS] = {};
        for (int d = 0; d < D && lane < present; d += width) {
            Floats<width> key = load<width>(page + lane * D + d);
            for (int g = 0; g < PLAIN_HEADS; g++) {
                for (int k = 0; k < width; k++) { score[g] += q[g][d + k] * key.v[k]; }
            }
        }
        for (int g = 0; g < PLAIN_HEADS; g++) {
            float s = lane < present ? score[g] : -INFINITY, highest = fmaxf(m[g], warp_max(s)), keep = expf(m[g] - highest);
            float weight = lane < present ? expf(s - highest) : 0.0f;
            l[g] = l[g] * keep + weight;
            m[g] = highest;
            for (int j = 0; j < chunks; j++) { o[g][j] *= keep; }
            p[g][lane] = weight;
        }
        __syncwarp();
        for (int i = 0; i < present; i++) {
            for (int j = 0; j < chunks; j++) {
                float value = lane + 32 * j < D ? to_float(values[i * D + lane + 32 * j]) : 0.0f;
                for (int g = 0; g < PLAIN_HEADS; g++) { o[g][j] += p[g][i] * value; }
            }
        }
        __syncwarp(); // before p is written again
    }
}
template <int width, int chunks>
__global__ void __launch_bounds__(32 * PLAIN_WARPS) attention_decode_kernel(floatX *out, const floatX *qkv, const floatX *cache, const int *page_table, const int *lengths, int max_pages, float scale, int H, int KV, int D) {
    struct Shared {
        float q[PLAIN_HEADS][32 * chunks], p[PLAIN_WARPS][PLAIN_HEADS][KV_PAGE], o[PLAIN_WARPS][PLAIN_HEADS][32 * chunks];
        float m[PLAIN_WARPS][PLAIN_HEADS], l[PLAIN_WARPS][PLAIN_HEADS];
    };
    __shared__ Shared shared;
    int b = blockIdx.y, group = H / KV, parts = CEIL_DIV(group, (int)PLAIN_HEADS), kv = blockIdx.x / parts, first = blockIdx.x % parts * PLAIN_HEADS;
    int heads = min((int)PLAIN_HEADS, group - first), lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const floatX *query = qkv + ((size_t)b * (H + 2 * KV) + kv * group + first) * D;
    for (int i = threadIdx.x; i < PLAIN_HEADS * 32 * chunks; i += blockDim.x) { // missing heads and channels are zero
        int g = i / (32 * chunks), d = i % (32 * chunks);
        shared.q[g][d] = g < heads && d < D ? scale * to_float(query[(size_t)g * D + d]) : 0.0f;
    }
    __syncthreads();
    float m[PLAIN_HEADS], l[PLAIN_HEADS] = {}, o[PLAIN_HEADS][chunks] = {};
    for (int g = 0; g < PLAIN_HEADS; g++) { m[g] = -3e38f; } // finite, so that a warp without pages joins with weight 0
    decode_pages<width, chunks>(m, l, o, shared.p[warp], shared.q, cache, page_table + (size_t)b * max_pages, lengths[b], kv, KV, D);
    for (int g = 0; g < PLAIN_HEADS; g++) {
        float sum = warp_sum(l[g]);
        if (lane == 0) { shared.m[warp][g] = m[g], shared.l[warp][g] = sum; }
        for (int j = 0; j < chunks; j++) { shared.o[warp][g][lane + 32 * j] = o[g][j]; }
    }
    __syncthreads();
    for (int i = threadIdx.x; i < heads * D; i += blockDim.x) {
        int g = i / D, d = i % D;
        float highest = shared.m[0][g], total = 0, sum = 0;
        for (int w = 1; w < PLAIN_WARPS; w++) { highest = fmaxf(highest, shared.m[w][g]); }
        for (int w = 0; w < PLAIN_WARPS; w++) {
            float part = expf(shared.m[w][g] - highest);
            total += part * shared.l[w][g];
            sum += part * shared.o[w][g][d];
        }
        out[((size_t)b * H + kv * group + first + g) * D + d] = to_floatX(lengths[b] > 0 ? sum / total : 0.0f);
    }
}
LLMC_C void rope_cache_forward(floatX *qkv, floatX *cache, const float *table, const int *positions, const int *slots, int N, int H, int KV, int D) {
    rope_rotate<true>(qkv, table, positions, 1, {cache, slots}, N, H, KV, D);
}
LLMC_C void attention_decode_plan(int *plan, const int *page_table, const int *lengths, int max_pages, int B, int H, int KV) {
    if (B > 0) { RUN(attention_decode_plan_kernel, B, 128, 0, plan, page_table, lengths, max_pages, attention_decode_record(H, KV), B); }
}
LLMC_C void attention_decode(floatX *out, int *plan, float *scratch, const floatX *qkv, const floatX *cache, const int *page_table,
                             const int *lengths, int max_pages, float scale, int B, int H, int KV, int D) {
    if (D > ATTENTION_MOST) { device_refuse("attention_decode: heads of more than 128 channels are not supported on CUDA"); }
    if (B == 0) { return; }
    if (attention_decode_mma<sizeof(floatX)>(out, plan, scratch, qkv, cache, scale, H, KV, D)) { return; }
    dim3 grid(KV * CEIL_DIV(H / KV, (int)PLAIN_HEADS), B);
    int threads = 32 * PLAIN_WARPS;
    if (!packs_fit(D, qkv, cache)) {
        RUN((attention_decode_kernel<1, 4>), grid, threads, 0, out, qkv, cache, page_table, lengths, max_pages, scale, H, KV, D);
    } else if (D <= 64) {
        RUN((attention_decode_kernel<PACK, 2>), grid, threads, 0, out, qkv, cache, page_table, lengths, max_pages, scale, H, KV, D);
    } else {
        RUN((attention_decode_kernel<PACK, 4>), grid, threads, 0, out, qkv, cache, page_table, lengths, max_pages, scale, H, KV, D);
    }
}
