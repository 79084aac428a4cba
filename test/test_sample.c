// sample: draws follow the exact distribution, kept sets are exact with their ties, a key always draws the same id, and the reported
// log-probability is logprob_forward's to the bit.
#include "llmc/logprob.h"
#include "llmc/random.h"
#include "llmc/sample.h"
#include "test/check.h"

enum { DRAWS = 20000,
       ROWS = 100, // drawn at once
       WIDEST = 220000 };
static int draws, tokens[DRAWS], counters[DRAWS]; // as many draws as the backend does in seconds
static uint64_t keys[DRAWS];
static float logprobs[DRAWS];

// sample_tokens and logprob_forward on arrays of the host.
static void sample_rows(int *token, float *logprob, const float *logits, const uint64_t *key, const int *counter, float temperature, float top_p,
                        int top_k, int B, int V, int stride) {
    static float *device_logits, *device_logprob; // made once, freed by device_shutdown
    static int *device_token, *device_counter;
    static uint64_t *device_key;
    if (!device_logits) {
        device_logits = (float *)device_alloc("logits", WIDEST * sizeof(float)), device_logprob = (float *)device_alloc("logprob", ROWS * sizeof(float));
        device_token = (int *)device_alloc("token", ROWS * sizeof(int)), device_counter = (int *)device_alloc("counter", ROWS * sizeof(int));
        device_key = (uint64_t *)device_alloc("key", ROWS * sizeof(uint64_t));
    }
    device_upload(device_logits, logits, (size_t)B * stride * sizeof(float));
    device_upload(device_key, key, (size_t)B * sizeof(uint64_t));
    device_upload(device_counter, counter, (size_t)B * sizeof(int));
    sample_tokens(device_token, device_logprob, device_logits, device_key, device_counter, temperature, top_p, top_k, B, V, stride);
    device_download(token, device_token, (size_t)B * sizeof(int));
    device_download(logprob, device_logprob, (size_t)B * sizeof(float));
}
static float logprob_row_of(const float *logits, int target, float temperature, int V, int stride) {
    static float *device_logits, *device_results;
    static int *device_target;
    if (!device_logits) {
        device_logits = (float *)device_alloc("logits", WIDEST * sizeof(float)), device_results = (float *)device_alloc("results", 3 * sizeof(float));
        device_target = (int *)device_alloc("target", sizeof(int));
    }
    float logprob;
    device_upload(device_logits, logits, (size_t)stride * sizeof(float));
    device_upload(device_target, &target, sizeof(int));
    logprob_forward(device_results, device_results + 1, device_results + 2, device_logits, device_target, temperature, 1, V, stride);
    device_download(&logprob, device_results, sizeof(float));
    return logprob;
}

// `draws` draws from one row, a key each.
static void draw(const float *row, float temperature, float top_p, int top_k, int V, int stride, uint64_t seed) {
    float *rows = (float *)host_alloc((size_t)ROWS * stride * sizeof(float));
    for (int i = 0; i < ROWS; i++) { memcpy(rows + (size_t)i * stride, row, (size_t)stride * sizeof(float)); }
    for (int d = 0; d < draws; d++) { keys[d] = random_key(seed, (uint64_t)d), counters[d] = d % 7; }
    for (int d = 0; d < draws; d += ROWS) {
        sample_rows(tokens + d, logprobs + d, rows, keys + d, counters + d, temperature, top_p, top_k, ROWS, V, stride);
    }
    free(rows);
}
// The definition, slowly: p[v] of every id, those not kept 0.
typedef struct {
    double p;
    float logit;
    int id;
} Ranked;
static int ranked_order(const void *a, const void *b) {
    const Ranked *x = (const Ranked *)a, *y = (const Ranked *)b;
    return x->logit != y->logit ? (x->logit < y->logit) - (x->logit > y->logit) : x->id - y->id;
}
static int distribution(double *p, const float *row, double temperature, double top_p, int top_k, int V) {
    Ranked *ranked = (Ranked *)host_alloc((size_t)V * sizeof(Ranked));
    double sum = 0, running = 0;
    for (int v = 0; v < V; v++) { ranked[v] = (Ranked){exp((double)row[v] / temperature), row[v], v}; }
    qsort(ranked, (size_t)V, sizeof(Ranked), ranked_order);
    int most = top_k > 0 && top_k < V ? top_k : V, kept = 0;
    for (int i = 0; i < most; i++) { sum += ranked[i].p; }
    while (kept < most && (kept == 0 || top_p >= 1 || running < top_p * sum)) { running += ranked[kept++].p; }
    memset(p, 0, (size_t)V * sizeof(double));
    for (int i = 0; i < kept; i++) { p[ranked[i].id] = ranked[i].p / running; }
    free(ranked);
    return kept;
}
// Pearson's chi-square of the draws; cells expecting fewer than 10 are joined. A right sampler fails this once in 10^5 seeds, and the seed is fixed.
static void check_distribution(const char *what, const float *row, float temperature, float top_p, int top_k, int V, int stride) {
    double *p = (double *)host_alloc((size_t)V * sizeof(double)), chi = 0, rest_expected = 0, rest_seen = 0;
    int *seen = (int *)host_alloc((size_t)V * sizeof(int)), cells = 0, strangers = 0, missing = 0;
    int kept = distribution(p, row, (double)temperature, (double)top_p, top_k, V);
    draw(row, temperature, top_p, top_k, V, stride, 11);
    for (int d = 0; d < draws; d++) {
        if (tokens[d] < 0 || tokens[d] >= V || p[tokens[d]] == 0) {
            strangers++;
        } else {
            seen[tokens[d]]++;
        }
    }
    for (int v = 0; v < V; v++) {
        double expected = p[v] * draws;
        missing += expected > 30 && !seen[v];
        if (expected >= 10) {
            chi += (seen[v] - expected) * (seen[v] - expected) / expected;
            cells++;
        } else {
            rest_expected += expected, rest_seen += seen[v];
        }
    }
    if (rest_expected >= 10) {
        chi += (rest_seen - rest_expected) * (rest_seen - rest_expected) / rest_expected;
        cells++;
    }
    double freedom = cells > 1 ? cells - 1 : 1; // Wilson and Hilferty: (chi / k)^(1/3) is nearly normal
    double normal = cells > 1 ? (cbrt(chi / freedom) - (1 - 2 / (9 * freedom))) / sqrt(2 / (9 * freedom)) : 0;
    check(strangers == 0, "%s: %d of %d draws are ids that are not kept", what, strangers, draws);
    check(missing == 0, "%s: %d of %d kept ids are never drawn", what, missing, kept);
    check(normal < 4.3 && (cells > 1 || chi < 1e-9), "%s: chi-square %.1f with %d cells (%.1f standard deviations)", what, chi, cells, normal);
    free(p);
    free(seen);
}
static void fill(float *row, int V, int stride, double spread, uint64_t seed) {
    for (int v = 0; v < stride; v++) { row[v] = v < V ? (float)spread * random_normal(seed, (uint64_t)v) : 1e5f; }
}

static void test_distributions(float *row) {
    fill(row, 24, 32, 1.5, 1);
    check_distribution("V=24 T=1", row, 1, 1, 0, 24, 32);
    check_distribution("V=24 T=0.6", row, 0.6f, 1, 0, 24, 32);
    check_distribution("V=24 top_p 0.8", row, 1, 0.8f, 0, 24, 32);
    check_distribution("V=24 top_k 5", row, 0.6f, 1, 5, 24, 32);
    check_distribution("V=24 top_k 9, top_p 0.7", row, 1, 0.7f, 9, 24, 32);
    check_distribution("V=24 top_k 24", row, 1, 1, 24, 24, 32);
    check_distribution("V=24 top_p 0", row, 1, 0, 0, 24, 32);
    fill(row, 2100, 2100, 3, 2);
    check_distribution("V=2100 T=0.6", row, 0.6f, 1, 0, 2100, 2100);
    check_distribution("V=2100 top_p 0.95", row, 1, 0.95f, 0, 2100, 2100);
    check_distribution("V=2100 top_k 2", row, 1, 1, 2, 2100, 2100);
    check_distribution("V=2100 top_k 300, top_p 0.9", row, 1.3f, 0.9f, 300, 2100, 2100);
    fill(row, 700, 700, 0, 3);
    check_distribution("equal logits", row, 1, 1, 0, 700, 700);
    for (int v = 100; v < 300; v++) { row[v] = 1; } // 200 equal ids: the border runs through them, and the lower ids are kept
    check_distribution("ties, top_k 150", row, 1, 1, 150, 700, 700);
    check_distribution("ties, top_k 230", row, 1, 1, 230, 700, 700);
    check_distribution("ties, top_p 0.25", row, 1, 0.25f, 0, 700, 700);
    row[5] = -INFINITY, row[0] = -INFINITY;
    check_distribution("forbidden ids", row, 1, 1, 0, 700, 700);
    for (int v = 0; v < 2100; v++) { row[v] = v % 4 ? 1 : 0; } // more ids at the border than the GPU lists
    check_distribution("1575 ties, top_k 1300", row, 1, 1, 1300, 2100, 2100);
    check_distribution("1575 ties, top_p 0.6", row, 1, 0.6f, 0, 2100, 2100);
    for (int v = 0; v < 2100; v++) { row[v] = 1 + 1e-6f * (float)(v * 1009 % 2100); } // and all of them different
    check_distribution("crowded, top_k 1300", row, 1, 1, 1300, 2100, 2100);
    check_distribution("crowded, top_k 1500, top_p 0.4", row, 1, 0.4f, 1500, 2100, 2100);
}
// Whichever u is drawn, at the real width too: the first id whose running sum exceeds u times the sum.
static void test_definition(float *row) {
    int widths[3] = {151665, 4096, 70}, strides[3] = {151936, 4100, 70};
    for (int w = 0; w < 3; w++) {
        int V = widths[w], stride = strides[w], far = 0;
        for (int way = 0; way < 3; way++) {
            float top_p = way == 1 ? 0.9f : 1;
            int top_k = way == 2 ? 40 : 0;
            double *p = (double *)host_alloc((size_t)V * sizeof(double));
            fill(row, V, stride, 2.5, (uint64_t)(4 + w));
            distribution(p, row, 0.6, (double)top_p, top_k, V);
            for (int v = 1; v < V; v++) { p[v] += p[v - 1]; }
            for (int d = 0; d < (check_on_emulator() ? 4 : 60); d++) {
                uint64_t key = random_key(77, (uint64_t)d);
                int counter = d, token;
                float logprob;
                sample_rows(&token, &logprob, row, &key, &counter, 0.6f, top_p, top_k, 1, V, stride);
                double u = (double)random_uniform(key, (uint64_t)counter); // a running sum in fp32 is off by less than 1e-5
                far += token < 0 || token >= V || p[token] < u - 1e-5 || (token > 0 && p[token - 1] > u + 1e-5);
            }
            free(p);
        }
        check(far == 0, "V=%d: %d draws are not the id in which u falls", V, far);
    }
}
static void test_greedy(float *row) {
    int widths[3] = {24, 3000, 151665};
    for (int w = 0; w < 3; w++) {
        int V = widths[w], token, counter = 0, best = V / 2;
        uint64_t key = 3;
        float logprob, want;
        fill(row, V, V + 3, 2, 9);
        row[best] = row[V - 1] = 50; // equal: the lower id
        row[1] = 49.999f;
        sample_rows(&token, &logprob, row, &key, &counter, 0, 0.5f, 7, 1, V, V + 3);
        want = logprob_row_of(row, token, 1, V, V + 3);
        check(token == best, "greedy draws %d, not %d", token, best);
        check(!memcmp(&logprob, &want, sizeof(want)), "greedy reports %a, logprob_forward at temperature 1 says %a", logprob, want);
    }
}
static void test_agreement(float *row) { // with logprob_forward, and with itself drawn again alone
    int V = 2100, stride = 2112;
    fill(row, V, stride, 3, 5);
    for (int way = 0; way < 2; way++) {
        draw(row, 0.6f, way ? 0.9f : 1, way ? 50 : 0, V, stride, 21);
        int differing = 0, redrawn = 0;
        for (int d = 0; d < draws; d += 97) {
            float want = logprob_row_of(row, tokens[d], 0.6f, V, stride), logprob;
            int token;
            sample_rows(&token, &logprob, row, keys + d, counters + d, 0.6f, way ? 0.9f : 1, way ? 50 : 0, 1, V, stride);
            differing += memcmp(&want, logprobs + d, sizeof(want)) != 0;
            redrawn += token != tokens[d] || memcmp(&logprob, logprobs + d, sizeof(logprob)) != 0;
        }
        check(differing == 0, "%d reported log-probabilities are not logprob_forward's bits", differing);
        check(redrawn == 0, "%d ids differ when their row is drawn alone", redrawn);
    }
}
static void test_broken(float *row) { // whatever the logits are, an id of the vocabulary comes out
    int token, counter = 0;
    uint64_t key = 8;
    float logprob;
    for (int kind = 0; kind < 4; kind++) {
        for (int v = 0; v < 100; v++) { row[v] = kind == 0 ? NAN : kind == 1 ? -INFINITY
                                                               : kind == 2   ? INFINITY
                                                               : v == 50     ? NAN
                                                                             : (float)v; }
        for (int way = 0; way < 4; way++) {
            sample_rows(&token, &logprob, row, &key, &counter, way == 3 ? 0 : 1, way == 1 ? 0.9f : 1, way == 2 ? 5 : 0, 1, 100, 100);
            check(token >= 0 && token < 100, "broken logits of kind %d draw %d", kind, token);
        }
    }
}

int main(void) {
    device_init();
    draws = check_on_emulator() ? 2 * ROWS : DRAWS;
    float *row = (float *)host_alloc(WIDEST * sizeof(float));
    test_distributions(row);
    test_definition(row);
    test_greedy(row);
    test_agreement(row);
    test_broken(row);
    free(row);
    return check_report("test_sample");
}
