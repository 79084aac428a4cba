// CPU body of ../logprob.h. A row is read from memory once, in blocks that stay in the first-level cache: every block leaves its largest z and
// the sums of e^(z - largest) and of (z - largest) e^(z - largest); the blocks are then joined in rising order, in double.
// sample_tokens reads its rows with the same functions, so sampler and trainer agree to the bit.
#pragma once
#include <float.h>
#include "llmc/cpu/vector.h"
#include "llmc/logprob.h"

enum { LOGPROB_GROUP = 4 * SIMD_WIDTH, // 4 chains of sums beside each other
       LOGPROB_BLOCK = 2048,           // at least, so that there are
       LOGPROB_BLOCKS = 256 };         // at most

typedef struct {
    double largest, sum, moment; // sum of e^(z - largest), sum of (z - largest) e^(z - largest)
} LogprobSums;
typedef struct { // of one row
    LogprobSums all, block[LOGPROB_BLOCKS];
    int blocks, block_size; // in ids
} LogprobRow;

// Where the group of logits at i can be read whole: in place, or in a copy whose missing ids have the logit -infinity.
static inline const float *logprob_group(float copy[LOGPROB_GROUP], const float *logits, int i, int count) {
    if (i + LOGPROB_GROUP <= count) { return logits + i; }
    for (int l = 0; l < LOGPROB_GROUP; l++) { copy[l] = i + l < count ? logits[i + l] : -INFINITY; }
    return copy;
}
// e^(z - largest), exactly zero where it would be below 1.2e-38 (so also for a logit of -infinity); NaN stays NaN.
static inline Vector logprob_weight(Vector *below, Vector z, float largest) {
    Vector difference = z - largest;
    VectorInt zero = difference < -87.3f;
    *below = vector_select(zero, vector_splat(0.0f), difference);
    return vector_select(zero, vector_splat(0.0f), vector_exp_inside(*below));
}
static inline LogprobSums logprob_block(const float *logits, int count, float scale) {
    float copy[LOGPROB_GROUP];
    Vector largest[4], sum[4], moment[4];
    for (int c = 0; c < 4; c++) { largest[c] = vector_splat(-FLT_MAX), sum[c] = moment[c] = vector_splat(0.0f); }
    for (int i = 0; i < count; i += LOGPROB_GROUP) {
        const float *p = logprob_group(copy, logits, i, count);
        for (int c = 0; c < 4; c++) { largest[c] = vector_max(vector_load(p + c * SIMD_WIDTH) * scale, largest[c]); }
    }
    float top = vector_max_lane(vector_max(vector_max(largest[0], largest[1]), vector_max(largest[2], largest[3])));
    for (int i = 0; i < count; i += LOGPROB_GROUP) {
        const float *p = logprob_group(copy, logits, i, count);
        for (int c = 0; c < 4; c++) {
            Vector below, weight = logprob_weight(&below, vector_load(p + c * SIMD_WIDTH) * scale, top);
            sum[c] += weight;
            moment[c] += weight * below;
        }
    }
    return (LogprobSums){top, vector_sum((sum[0] + sum[1]) + (sum[2] + sum[3])), vector_sum((moment[0] + moment[1]) + (moment[2] + moment[3]))};
}
static inline LogprobSums logprob_join(LogprobSums a, LogprobSums b) { // two neighbours as one
    double largest = a.largest > b.largest ? a.largest : b.largest;
    double scale_a = exp(a.largest - largest), scale_b = exp(b.largest - largest);
    return (LogprobSums){largest, a.sum * scale_a + b.sum * scale_b,
                         (a.moment + (a.largest - largest) * a.sum) * scale_a + (b.moment + (b.largest - largest) * b.sum) * scale_b};
}
static inline int logprob_block_count(const LogprobRow *row, int b, int V) { // ids of block b
    int left = V - b * row->block_size;
    return left < row->block_size ? left : row->block_size;
}
// Compiled once, so that forward and sampling run the same instructions.
static __attribute__((noinline)) void logprob_row(LogprobRow *row, const float *logits, float scale, int V) {
    int even = (V / LOGPROB_BLOCKS + LOGPROB_GROUP) / LOGPROB_GROUP * LOGPROB_GROUP;
    row->block_size = even > LOGPROB_BLOCK ? even : LOGPROB_BLOCK;
    row->blocks = (V + row->block_size - 1) / row->block_size;
    row->all = (LogprobSums){-FLT_MAX, 0, 0};
    for (int b = 0; b < row->blocks; b++) {
        row->block[b] = logprob_block(logits + (size_t)b * row->block_size, logprob_block_count(row, b, V), scale);
        row->all = logprob_join(row->all, row->block[b]);
    }
}
static inline float logprob_of(const LogprobRow *row, float logit, float scale) {
    return (float)((double)(logit * scale) - row->all.largest - log(row->all.sum));
}

void logprob_forward(float *logprob, float *entropy, float *lse, const float *logits, const int *targets,
                     float temperature, int N, int V, int stride) {
    float scale = 1.0f / temperature;
#pragma omp parallel for schedule(static) if ((double)N * V > 16384)
    for (int n = 0; n < N; n++) {
        const float *at = logits + (size_t)n * stride;
        LogprobRow row;
        logprob_row(&row, at, scale, V);
        logprob[n] = targets[n] < 0 ? 0.0f : logprob_of(&row, at[targets[n]], scale);
        entropy[n] = (float)(log(row.all.sum) - row.all.moment / row.all.sum);
        lse[n] = (float)(row.all.largest + log(row.all.sum));
    }
}

void logprob_backward(floatX *dlogits, const float *logits, const float *lse, const float *entropy, const int *targets,
                      const float *dlogprob, const float *dentropy, float temperature, int N, int V, int stride) {
    float scale = 1.0f / temperature;
#pragma omp parallel for schedule(static) if ((double)N * V > 16384)
    for (int n = 0; n < N; n++) {
        const float *at = logits + (size_t)n * stride;
        floatX *out = dlogits + (size_t)n * stride;
        float likely = targets[n] < 0 ? 0.0f : dlogprob[n], spread = dentropy[n];
        for (int v = 0; v < V; v += SIMD_WIDTH) {
            Vector z = vector_load_part(at + v, V - v) * scale, below, p = logprob_weight(&below, z, lse[n]); // below: log p
            vector_store_x_part(out + v, -(likely + spread * (below + entropy[n])) * p * scale, V - v);
        }
        memset(out + V, 0, (size_t)(stride - V) * sizeof(floatX));
        if (targets[n] >= 0) { // written anew, because the 1 must be added before the rounding to floatX
            float z = at[targets[n]] * scale - lse[n], p = expf(z);
            out[targets[n]] = to_floatX((likely * (1.0f - p) - spread * p * (z + entropy[n])) * scale);
        }
    }
}
void logits_round(float *logits, float temperature, size_t count) {
    const float scale = 1.0f / temperature;
#pragma omp parallel for schedule(static) if (count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < count; i++) { logits[i] = temperature * bf16_to_float(bf16_from_float(bf16_to_float(bf16_from_float(logits[i])) * scale)); }
}
