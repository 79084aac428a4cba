// CPU body of ../attention.h. A tile is some positions of one sequence times the query heads of one key/value head: its rows
// share every block of keys and values they load. Threads take whole tiles and nobody else writes what a tile owns:
//   forward    a tile of queries owns out and lse          backward, first pass    a tile of queries owns delta and dq
//                                                          backward, second pass   a run of keys owns dk and dv
// The second pass computes the probabilities again: 7 products a block instead of 5, for sums in fp32 in one fixed order and
// work for any number of threads. Tiles start at their sequence's first row, so nothing else in the pack touches their bits.
#pragma once
#include "llmc/attention.h"
#include "llmc/cpu/attention_block.h"

enum {
    QUERY_ROWS = 192, // rows of a tile of queries: what a block of keys and values, once transposed, serves
    KEY_BLOCKS = 4,   // blocks of a run of keys in the backward pass
    TILE_ROOM = QUERY_ROWS + ROW_TILE
};
typedef struct {
    const int *starts;
    int S, N, H, KV, D, group, stride;
    float scale;
    size_t width; // of a row of qkv
} AttentionShape;
typedef struct { // positions begin .. end-1 of the sequence whose first row is `start`, for key/value head kv
    int start, length, begin, end, kv;
} AttentionTile;

static inline AttentionShape attention_shape(const int *starts, int S, float scale, int N, int H, int KV, int D) {
    assert(D <= HEAD_MAX && H % KV == 0 && H / KV <= QUERY_ROWS);
    return (AttentionShape){starts, S, N, H, KV, D, H / KV, attention_stride(D), scale, (size_t)(H + 2 * KV) * D};
}
// Hands out the tiles of all sequences one by one, to whichever thread asks, those with most work first within a sequence.
typedef struct {
    int s, before; // the sequence this thread has come to, and the number of tiles of those before it
} AttentionWalk;
static inline bool attention_next_tile(AttentionTile *tile, AttentionWalk *walk, int *taken, const AttentionShape *a, int most, bool from_the_end) {
    int index;
#pragma omp atomic capture
    index = (*taken)++;
    for (; walk->s < a->S; walk->s++) {
        int start = a->starts[walk->s], length = a->starts[walk->s + 1] - start, tiles = (length + most - 1) / most;
        if (index < walk->before + tiles * a->KV) {
            int nth = (index - walk->before) / a->KV;
            nth = from_the_end ? tiles - 1 - nth : nth;
            *tile = (AttentionTile){start, length, nth * most, min_int(length, (nth + 1) * most), (index - walk->before) % a->KV};
            return true;
        }
        walk->before += tiles * a->KV;
    }
    return false;
}

// ---- forward
static inline void attention_forward_tile(floatX *out, float *lse, const floatX *qkv, const AttentionShape *a, const AttentionTile *t) {
    float q[TILE_ROOM * HEAD_MAX], o[TILE_ROOM * HEAD_MAX], p[TILE_ROOM * KV_PAGE], m[TILE_ROOM], rescale[TILE_ROOM + SIMD_WIDTH];
    floatX keys[KV_PAGE * HEAD_MAX], values[KV_PAGE * HEAD_MAX];
    Vector l[TILE_ROOM];
    int seen[TILE_ROOM], D = a->D, stride = a->stride, group = a->group, rows = (t->end - t->begin) * group;
    const floatX *from = qkv + (size_t)t->start * a->width;
    const floatX *key = from + (size_t)(a->H + t->kv) * D, *value = key + (size_t)a->KV * D;
    attention_load_rows(q, from + (size_t)t->kv * group * D, t->begin, t->end, a->width, group, a->scale, D, stride);
    memset(q + rows * stride, 0, sizeof(float) * (size_t)(ROW_TILE * stride));
    memset(o, 0, sizeof(float) * (size_t)(rows * stride));
    for (int r = 0; r < rows; r++) { m[r] = -FLT_MAX, l[r] = vector_splat(0); }
    for (int k = 0; k < t->end; k += KV_PAGE) {
        attention_load_transposed(keys, key, k, min_int(t->end, k + KV_PAGE), a->width, D);
        attention_load_block(values, value, k, min_int(t->end, k + KV_PAGE), a->width, D, stride);
        int first = max_int(0, k - t->begin) * group;                             // rows before it see none of these keys
        int full = min_int(rows, max_int(0, k + KV_PAGE - 1 - t->begin) * group); // rows from it on see all of them
        for (int r = first; r < rows; r++) { seen[r] = min_int(KV_PAGE, t->begin + r / group - k + 1); }
        attention_scores(p + first * KV_PAGE, q + first * stride, stride, keys, rows - first, D);
        attention_softmax(p + first * KV_PAGE, m + first, l + first, rescale + first, seen + first, rows - first);
        for (int r = first; r < full; r += group) {
            attention_accumulate(o + r * stride, rescale + r, p + r * KV_PAGE, values, seen[r], group, stride);
        }
        attention_accumulate(o + full * stride, rescale + full, p + full * KV_PAGE, values, KV_PAGE, rows - full, stride);
    }
    for (int r = 0; r < rows; r++) {
        size_t n = (size_t)(t->start + t->begin + r / group), head = (size_t)(t->kv * group + r % group);
        float sum = vector_sum(l[r]);
        lse[head * a->N + n] = m[r] + logf(sum);
        attention_store_row(out + (n * a->H + head) * D, o + r * stride, sum, D);
    }
}
void attention_forward(floatX *out, float *lse, const floatX *qkv, const int *starts, int S, float scale, int N, int H, int KV, int D) {
    AttentionShape a = attention_shape(starts, S, scale, N, H, KV, D);
    int taken = 0;
#pragma omp parallel if ((long)N * H * D > PARALLEL_ELEMENTS)
    {
        AttentionWalk walk = {0};
        AttentionTile tile;
        while (attention_next_tile(&tile, &walk, &taken, &a, QUERY_ROWS / a.group, true)) {
            attention_forward_tile(out, lse, qkv, &a, &tile);
        }
    }
    for (int n = starts[S]; n < N; n++) { // padding
        memset(out + (size_t)n * H * D, 0, (size_t)H * D * sizeof(floatX));
        for (int h = 0; h < H; h++) { lse[(size_t)h * N + n] = 0; }
    }
}

// ---- backward
// p and dp, scores of the same rows, become p = exp(s - lse) and ds / scale = p * (dp - delta); zero where the row does not see the key.
static inline void attention_score_gradient(float *p, float *dp, const float *lse, const float *delta, const int *seen, int count) {
    for (int r = 0; r < count; r++) {
        for (int v = 0; v < KV_PAGE / SIMD_WIDTH; v++) {
            int at = r * KV_PAGE + v * SIMD_WIDTH;
            Vector weight = vector_select(attention_mask(v, seen[r]), vector_exp(vector_load(p + at) - lse[r]), vector_splat(0));
            vector_store(p + at, weight);
            vector_store(dp + at, weight * (vector_load(dp + at) - delta[r]));
        }
    }
}
typedef struct { // what the backward pass reads of a tile of queries
    float q[TILE_ROOM * HEAD_MAX], dout[TILE_ROOM * HEAD_MAX], p[TILE_ROOM * KV_PAGE], dp[TILE_ROOM * KV_PAGE];
    float lse[TILE_ROOM], delta[TILE_ROOM];
    int seen[TILE_ROOM];
} AttentionRows;
static inline void attention_load_queries(AttentionRows *rows, const float *delta, const floatX *dout, const floatX *qkv, const float *lse,
                                          const AttentionShape *a, const AttentionTile *t) {
    int D = a->D, group = a->group, stride = a->stride, count = (t->end - t->begin) * group;
    const floatX *q = qkv + (size_t)t->start * a->width + (size_t)t->kv * group * D;
    attention_load_rows(rows->q, q, t->begin, t->end, a->width, group, a->scale, D, stride);
    const floatX *d = dout + ((size_t)t->start * a->H + (size_t)t->kv * group) * D;
    attention_load_rows(rows->dout, d, t->begin, t->end, (size_t)a->H * D, group, 1.0f, D, stride);
    memset(rows->q + count * stride, 0, sizeof(float) * (size_t)(ROW_TILE * stride));
    memset(rows->dout + count * stride, 0, sizeof(float) * (size_t)(ROW_TILE * stride));
    for (int r = 0; r < count; r++) {
        size_t at = (size_t)(t->kv * group + r % group) * a->N + (size_t)(t->start + t->begin + r / group);
        rows->lse[r] = lse[at], rows->delta[r] = delta[at];
    }
}
// Probabilities and score gradients of rows first .. count-1 for the block of keys from position k on.
static inline void attention_block_backward(AttentionRows *rows, const floatX *keys, const floatX *values, const AttentionShape *a,
                                            const AttentionTile *t, int k, int first, int count) {
    for (int r = first; r < count; r++) { rows->seen[r] = min_int(KV_PAGE, t->begin + r / a->group - k + 1); }
    attention_scores(rows->p + first * KV_PAGE, rows->q + first * a->stride, a->stride, keys, count - first, a->D);
    attention_scores(rows->dp + first * KV_PAGE, rows->dout + first * a->stride, a->stride, values, count - first, a->D);
    attention_score_gradient(rows->p + first * KV_PAGE, rows->dp + first * KV_PAGE, rows->lse + first, rows->delta + first, rows->seen + first,
                             count - first);
}
static inline void attention_write_row(floatX *to, const float *row, float factor, int D) {
    for (int d = 0; d < D; d += SIMD_WIDTH) { vector_store_x_part(to + d, vector_load(row + d) * factor, D - d); }
}
static inline void attention_backward_queries(floatX *dqkv, float *delta, const floatX *dout, const floatX *qkv, const floatX *out,
                                              const float *lse, const AttentionShape *a, const AttentionTile *t) {
    AttentionRows rows;
    float dq[TILE_ROOM * HEAD_MAX], ones[TILE_ROOM];
    floatX keys[KV_PAGE * HEAD_MAX], values[KV_PAGE * HEAD_MAX], key_rows[KV_PAGE * HEAD_MAX];
    int D = a->D, stride = a->stride, group = a->group, count = (t->end - t->begin) * group;
    for (int r = 0; r < count; r++) {
        size_t n = (size_t)(t->start + t->begin + r / group), head = (size_t)(t->kv * group + r % group), at = (n * a->H + head) * D;
        Vector sum = {0};
        for (int d = 0; d < D; d += SIMD_WIDTH) { sum += vector_load_x_part(dout + at + d, D - d) * vector_load_x_part(out + at + d, D - d); }
        delta[head * a->N + n] = vector_sum(sum);
        ones[r] = 1.0f;
    }
    attention_load_queries(&rows, delta, dout, qkv, lse, a, t);
    memset(dq, 0, sizeof(float) * (size_t)(count * stride));
    const floatX *key = qkv + (size_t)t->start * a->width + (size_t)(a->H + t->kv) * D, *value = key + (size_t)a->KV * D;
    for (int k = 0; k < t->end; k += KV_PAGE) {
        int end = min_int(t->end, k + KV_PAGE), first = max_int(0, k - t->begin) * group;
        attention_load_transposed(keys, key, k, end, a->width, D);
        attention_load_transposed(values, value, k, end, a->width, D);
        attention_load_block(key_rows, key, k, end, a->width, D, stride);
        attention_block_backward(&rows, keys, values, a, t, k, first, count);
        attention_accumulate(dq + first * stride, ones, rows.dp + first * KV_PAGE, key_rows, KV_PAGE, count - first, stride);
    }
    for (int r = 0; r < count; r++) {
        size_t n = (size_t)(t->start + t->begin + r / group), head = (size_t)(t->kv * group + r % group);
        attention_write_row(dqkv + n * a->width + head * D, dq + r * stride, a->scale, D);
    }
}
static inline void attention_backward_keys(floatX *dqkv, const float *delta, const floatX *dout, const floatX *qkv, const float *lse,
                                           const AttentionShape *a, const AttentionTile *t) {
    AttentionRows rows;
    float dkeys[KEY_BLOCKS][KV_PAGE * HEAD_MAX], dvalues[KEY_BLOCKS][KV_PAGE * HEAD_MAX];
    floatX keys[KEY_BLOCKS][KV_PAGE * HEAD_MAX], values[KEY_BLOCKS][KV_PAGE * HEAD_MAX];
    int D = a->D, stride = a->stride, group = a->group, positions = QUERY_ROWS / group;
    const floatX *key = qkv + (size_t)t->start * a->width + (size_t)(a->H + t->kv) * D, *value = key + (size_t)a->KV * D;
    for (int b = 0, k = t->begin; k < t->end; b++, k += KV_PAGE) {
        attention_load_transposed(keys[b], key, k, min_int(t->end, k + KV_PAGE), a->width, D);
        attention_load_transposed(values[b], value, k, min_int(t->end, k + KV_PAGE), a->width, D);
        memset(dkeys[b], 0, sizeof(float) * (size_t)(KV_PAGE * stride));
        memset(dvalues[b], 0, sizeof(float) * (size_t)(KV_PAGE * stride));
    }
    for (int begin = t->begin; begin < t->length; begin += positions) {
        AttentionTile queries = {t->start, t->length, begin, min_int(t->length, begin + positions), t->kv};
        int count = (queries.end - begin) * group;
        attention_load_queries(&rows, delta, dout, qkv, lse, a, &queries);
        for (int b = 0, k = t->begin; k < t->end; b++, k += KV_PAGE) {
            int first = max_int(0, k - begin) * group;
            if (first >= count) { break; }
            attention_block_backward(&rows, keys[b], values[b], a, &queries, k, first, count);
            attention_accumulate_transposed(dvalues[b], rows.p + first * KV_PAGE, rows.dout + first * stride, count - first, stride);
            attention_accumulate_transposed(dkeys[b], rows.dp + first * KV_PAGE, rows.q + first * stride, count - first, stride);
        }
    }
    for (int j = t->begin; j < t->end; j++) {
        int b = (j - t->begin) / KV_PAGE, row = (j - t->begin) % KV_PAGE * stride;
        floatX *dkey = dqkv + (size_t)(t->start + j) * a->width + (size_t)(a->H + t->kv) * D;
        attention_write_row(dkey, dkeys[b] + row, 1.0f, D); // the scale is in q
        attention_write_row(dkey + (size_t)a->KV * D, dvalues[b] + row, 1.0f, D);
    }
}
void attention_backward(floatX *dqkv, float *scratch, const floatX *dout, const floatX *qkv, const floatX *out, const float *lse,
                        const int *starts, int S, float scale, int N, int H, int KV, int D) {
    AttentionShape a = attention_shape(starts, S, scale, N, H, KV, D);
    float *delta = scratch;
    int taken_queries = 0, taken_keys = 0;
#pragma omp parallel if ((long)N * H * D > PARALLEL_ELEMENTS)
    {
        AttentionWalk walk = {0};
        AttentionTile tile;
        while (attention_next_tile(&tile, &walk, &taken_queries, &a, QUERY_ROWS / a.group, true)) {
            attention_backward_queries(dqkv, delta, dout, qkv, out, lse, &a, &tile);
        }
#pragma omp barrier // the second pass reads every row's delta
        walk = (AttentionWalk){0};
        while (attention_next_tile(&tile, &walk, &taken_keys, &a, KEY_BLOCKS * KV_PAGE, false)) {
            attention_backward_keys(dqkv, delta, dout, qkv, lse, &a, &tile);
        }
    }
    memset(dqkv + (size_t)starts[S] * a.width, 0, (size_t)(N - starts[S]) * a.width * sizeof(floatX)); // padding
}
