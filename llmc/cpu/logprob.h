// CPU body of ../logprob.h. A row is read once, in blocks that stay in the first-level cache: every block leaves its largest z and the
// sums of e^(z - largest) and of (z - largest) e^(z - largest); the blocks are then joined in rising order, in double.
// sample_tokens reads its rows with the same functions, so sampler and trainer agree to the bit.
#pragma once
#include <float.h>
#include "llmc/cpu/vector.h"
#include "llmc/logprob.h"

enum { LOGPROB_BLOCK = 2048 };

typedef struct {
    double largest, sum, moment; // sum of e^(z - largest), sum of (z - largest) e^(z - largest)
} LogprobSums;

// The lanes of logits[i ..] as z; lanes from `count` on are -infinity.
static inline Vector logprob_load(const float *logits, int i, int count, float scale) {
    if (i + SIMD_WIDTH <= count) { return vector_load(logits + i) * scale; }
    float lane[SIMD_WIDTH];
    for (int l = 0; l < SIMD_WIDTH; l++) { lane[l] = i + l < count ? logits[i + l] * scale : -INFINITY; }
    return vector_load(lane);
}
// e^(z - largest), exactly zero where it would be below 1.2e-38 (so also for a logit of -infinity); NaN stays NaN.
static inline Vector logprob_weight(Vector *below, Vector z, float largest) {
    Vector difference = z - largest;
    VectorInt zero = difference < -87.3f;
    *below = vector_select(zero, vector_splat(0.0f), difference);
    return vector_select(zero, vector_splat(0.0f), vector_exp(difference));
}
static inline LogprobSums logprob_block(const float *logits, int count, float scale) {
    Vector largest = vector_splat(-FLT_MAX);
    for (int i = 0; i < count; i += SIMD_WIDTH) { largest = vector_max(logprob_load(logits, i, count, scale), largest); }
    float top = vector_max_lane(largest);
    Vector sum = vector_splat(0.0f), moment = sum;
    for (int i = 0; i < count; i += SIMD_WIDTH) {
        Vector below, weight = logprob_weight(&below, logprob_load(logits, i, count, scale), top);
        sum += weight;
        moment += weight * below;
    }
    return (LogprobSums){top, vector_sum(sum), vector_sum(moment)};
}
// Two neighbours as one.
static inline LogprobSums logprob_join(LogprobSums a, LogprobSums b) {
    double largest = a.largest > b.largest ? a.largest : b.largest;
    double scale_a = exp(a.largest - largest), scale_b = exp(b.largest - largest);
    return (LogprobSums){largest, a.sum * scale_a + b.sum * scale_b,
                         (a.moment + (a.largest - largest) * a.sum) * scale_a + (b.moment + (b.largest - largest) * b.sum) * scale_b};
}
static inline LogprobSums logprob_sums(const float *logits, float scale, int V) {
    LogprobSums sums = {-FLT_MAX, 0, 0};
    for (int first = 0; first < V; first += LOGPROB_BLOCK) {
        int count = V - first < LOGPROB_BLOCK ? V - first : LOGPROB_BLOCK;
        sums = logprob_join(sums, logprob_block(logits + first, count, scale));
    }
    return sums;
}
static inline float logprob_of(LogprobSums sums, float logit, float scale) {
    return (float)((double)(logit * scale) - sums.largest - log(sums.sum));
}

void logprob_forward(float *logprob, float *entropy, float *lse, const float *logits, const int *targets,
                     float temperature, int N, int V, int stride) {
    float scale = 1.0f / temperature;
#pragma omp parallel for schedule(static) if ((long)N * V > 16384)
    for (int n = 0; n < N; n++) {
        const float *row = logits + (size_t)n * stride;
        LogprobSums sums = logprob_sums(row, scale, V);
        logprob[n] = targets[n] < 0 ? 0.0f : logprob_of(sums, row[targets[n]], scale);
        entropy[n] = (float)(log(sums.sum) - sums.moment / sums.sum);
        lse[n] = (float)(sums.largest + log(sums.sum));
    }
}

void logprob_backward(floatX *dlogits, const float *logits, const float *lse, const float *entropy, const int *targets,
                      const float *dlogprob, const float *dentropy, float temperature, int N, int V, int stride) {
    float scale = 1.0f / temperature;
#pragma omp parallel for schedule(static) if ((long)N * V > 16384)
    for (int n = 0; n < N; n++) {
        const float *row = logits + (size_t)n * stride;
        floatX *out = dlogits + (size_t)n * stride;
        float dlp = targets[n] < 0 ? 0.0f : dlogprob[n], dent = dentropy[n];
        for (int v = 0; v < stride; v += SIMD_WIDTH) {
            Vector below, p = logprob_weight(&below, logprob_load(row, v, V, scale), lse[n]); // below = log p
            Vector gradient = p * -(dlp + dent * (below + entropy[n])) * scale;
            if (v + SIMD_WIDTH <= stride) {
                vector_store_x(out + v, gradient);
            } else {
                for (int l = 0; v + l < stride; l++) { out[v + l] = to_floatX(gradient[l]); }
            }
        }
        if (targets[n] >= 0) { // p - 1 of the target, from its own fp32 value and not from a rounded one
            int t = targets[n];
            float z = row[t] * scale - lse[n], p = expf(z);
            out[t] = to_floatX((dlp * (1.0f - p) - dent * p * (z + entropy[n])) * scale);
        }
    }
}
