// CPU body of ../sample.h: inverse transform sampling. The sums that logprob_forward makes of every block of a row say in which block the
// drawn number falls; only that block is looked at again.
#pragma once
#include "llmc/cpu/logprob.h"
#include "llmc/random.h"
#include "llmc/sample.h"

typedef struct {
    float logit;
    int id;
    double weight; // e^(z - largest z of the row)
} Candidate;

static int candidate_order(const void *a, const void *b) { // falling logit, then rising id
    const Candidate *x = (const Candidate *)a, *y = (const Candidate *)b;
    return x->logit != y->logit ? (x->logit < y->logit) - (x->logit > y->logit) : (x->id > y->id) - (x->id < y->id);
}
static int candidate_id_order(const void *a, const void *b) {
    return ((const Candidate *)a)->id - ((const Candidate *)b)->id;
}
static int sample_filtered(const float *logits, LogprobSums sums, float scale, float top_p, int top_k, double u, int V) {
    Candidate *candidates = (Candidate *)malloc((size_t)V * sizeof(Candidate));
    for (int v = 0; v < V; v++) { candidates[v] = (Candidate){logits[v], v, exp((double)(logits[v] * scale) - sums.largest)}; }
    qsort(candidates, (size_t)V, sizeof(Candidate), candidate_order);
    int kept = top_k > 0 && top_k < V ? top_k : V;
    double total = 0, running = 0;
    for (int i = 0; i < kept; i++) { total += candidates[i].weight; }
    int nucleus = 0;
    do { running += candidates[nucleus++].weight; } while (nucleus < kept && running < (double)top_p * total);
    if (top_p < 1) { kept = nucleus, total = running; }
    qsort(candidates, (size_t)kept, sizeof(Candidate), candidate_id_order);
    running = 0;
    int token = candidates[kept - 1].id;
    for (int i = 0; i < kept; i++) {
        running += candidates[i].weight;
        if (running > u * total) {
            token = candidates[i].id;
            break;
        }
    }
    free(candidates);
    return token;
}
static int sample_plain(const float *logits, LogprobSums sums, float scale, double u, int V) {
    double running = 0;
    int last = 0;
    for (int v = 0; v < V; v++) {
        double weight = exp((double)(logits[v] * scale) - sums.largest);
        running += weight;
        if (weight > 0) { last = v; }
        if (running > u * sums.sum) { return v; }
    }
    return last;
}
static int sample_greedy(const float *logits, int V) {
    int best = 0;
    for (int v = 1; v < V; v++) { best = logits[v] > logits[best] ? v : best; }
    return best;
}

void sample_tokens(int *token, float *logprob, const float *logits, const uint64_t *keys, const int *counters,
                   float temperature, float top_p, int top_k, int B, int V, int stride) {
    float scale = temperature > 0 ? 1.0f / temperature : 1.0f;
#pragma omp parallel for schedule(static) if ((long)B * V > 16384)
    for (int b = 0; b < B; b++) {
        const float *row = logits + (size_t)b * stride;
        LogprobSums sums = logprob_sums(row, scale, V);
        double u = random_uniform(keys[b], (uint64_t)counters[b]);
        token[b] = temperature <= 0                        ? sample_greedy(row, V)
                   : (top_k > 0 && top_k < V) || top_p < 1 ? sample_filtered(row, sums, scale, top_p, top_k, u, V)
                                                           : sample_plain(row, sums, scale, u, V);
        logprob[b] = logprob_of(sums, row[token[b]], scale);
    }
}
