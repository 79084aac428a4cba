// CPU body of ../attention_decode.h: a task is one sequence and the query heads of one key/value head, up to a register tile of them.
// A page holds, for each key/value head in turn, a block as attention_block.h reads it: keys (D, KV_PAGE), then values (KV_PAGE, D).
#pragma once
#include "llmc/cpu/attention_block.h"
#include "llmc/cpu/rope.h"

void rope_cache_forward(floatX *qkv, floatX *cache, const float *table, const int *positions, const int *slots, int N, int H, int KV, int D) {
    rope_rotate(qkv, table, positions, 1.0f, N, H, KV, D);
#pragma omp parallel for if (N > 64)
    for (int n = 0; n < N; n++) {
        if (slots[n] < 0) { continue; }
        int offset = slots[n] % KV_PAGE;
        const floatX *key = qkv + ((size_t)n * (H + 2 * KV) + H) * D, *value = key + (size_t)KV * D;
        floatX *block = cache + (size_t)(slots[n] / KV_PAGE) * 2 * KV * KV_PAGE * D;
        for (int kv = 0; kv < KV; kv++, key += D, value += D, block += 2 * KV_PAGE * D) {
            for (int d = 0; d < D; d++) { block[d * KV_PAGE + offset] = key[d]; }
            memcpy(block + KV_PAGE * D + offset * D, value, (size_t)D * sizeof(floatX));
        }
    }
}

// Asks for the first lines of half a block while another is computed: pages lie anywhere, so the processor cannot guess the next
// one; once a long half is being read, it can.
static inline void attention_prefetch(const floatX *half, int D) {
    const int line = 64 / (int)sizeof(floatX), lines = min_int(32, KV_PAGE * D / line);
    for (int i = 0; i < lines; i++) { __builtin_prefetch(half + i * line, 0, 2); }
}
// heads <= ROW_TILE query heads, all of key/value head kv.
static inline void attention_decode_heads(floatX *out, const floatX *query, int heads, const floatX *cache, const int *pages, int kv, int KV,
                                          int length, float scale, int D) {
    float q[ROW_TILE * HEAD_MAX], o[ROW_TILE * HEAD_MAX], p[ROW_TILE * KV_PAGE], m[ROW_TILE], rescale[ROW_TILE + SIMD_WIDTH];
    floatX padded[KV_PAGE * HEAD_MAX];
    Vector l[ROW_TILE];
    int keys[ROW_TILE], stride = attention_stride(D);
    memset(q, 0, sizeof(float) * ROW_TILE * (size_t)stride);
    attention_load_rows(q, query, 0, 1, 0, heads, scale, D, stride);
    memset(o, 0, sizeof(float) * (size_t)(heads * stride));
    for (int r = 0; r < heads; r++) { m[r] = -FLT_MAX, l[r] = vector_splat(0); }
    for (int begin = 0; begin < length; begin += KV_PAGE) {
        const floatX *block = cache + ((size_t)pages[begin / KV_PAGE] * KV + kv) * 2 * KV_PAGE * D, *values = block + KV_PAGE * D;
        int present = min_int(KV_PAGE, length - begin), next = begin + KV_PAGE;
        const floatX *ahead = next < length ? cache + ((size_t)pages[next / KV_PAGE] * KV + kv) * 2 * KV_PAGE * D : block;
        if (stride != D) {
            attention_load_block(padded, values, 0, present, (size_t)D, D, stride);
            values = padded;
        }
        for (int r = 0; r < heads; r++) { keys[r] = present; }
        attention_prefetch(ahead, D);
        attention_scores(p, q, stride, block, heads, D);
        attention_softmax(p, m, l, rescale, keys, heads);
        attention_prefetch(ahead + KV_PAGE * D, D);
        attention_accumulate(o, rescale, p, values, present, heads, stride);
    }
    for (int r = 0; r < heads; r++) { attention_store_row(out + (size_t)r * D, o + r * stride, vector_sum(l[r]), D); }
}
// The sequences are tasks enough for the cores of a processor: nothing is split, so nothing is planned.
void attention_decode_plan(int *plan, const int *page_table, const int *lengths, int max_pages, int B, int H, int KV) {
    (void)plan, (void)page_table, (void)lengths, (void)max_pages, (void)B, (void)H, (void)KV;
}
void attention_decode(floatX *out, int *plan, float *scratch, const floatX *qkv, const floatX *cache, const int *page_table, const int *lengths,
                      int max_pages, float scale, int B, int H, int KV, int D) {
    (void)plan, (void)scratch;
    assert(D <= HEAD_MAX);
    int group = H / KV, parts = (group + ROW_TILE - 1) / ROW_TILE, tasks = B * KV * parts;
    int chunk = tasks / (16 * omp_get_max_threads()) + 1;
    long positions = 0;
    for (int b = 0; b < B; b++) { positions += lengths[b]; }
#pragma omp parallel for schedule(dynamic, chunk) if (positions * KV * D > PARALLEL_ELEMENTS)
    for (int task = 0; task < tasks; task++) {
        int b = task / (KV * parts), kv = task / parts % KV, first = task % parts * ROW_TILE;
        int head = kv * group + first, heads = min_int(ROW_TILE, group - first);
        floatX *to = out + ((size_t)b * H + head) * D;
        if (lengths[b] == 0) {
            memset(to, 0, (size_t)heads * D * sizeof(floatX));
            continue;
        }
        attention_decode_heads(to, qkv + ((size_t)b * (H + 2 * KV) + head) * D, heads, cache, page_table + (size_t)b * max_pages, kv, KV,
                               lengths[b], scale, D);
    }
}
