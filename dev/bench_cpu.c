// bench_cpu: the CPU bodies of linear, logprob, sample, adamw and gradient_norm beside this machine's limits, measured in the same run.
//   bench_cpu [gemm|decode|tiny|stream]...     without an argument: all of them
// The shapes are DeepSeek-R1-Distill-Qwen-1.5B's (hidden 1536, vocabulary 151,936) and, under `tiny`, the embedded miniature's.
#include <dlfcn.h>
#include "dev/bench.h"
#include "llmc/adamw.h"
#include "llmc/gradient_norm.h"
#include "llmc/linear.h"
#include "llmc/logprob.h"
#include "llmc/random.h"
#include "llmc/sample.h"

enum { FORWARD,
       BACKWARD_INPUT,
       BACKWARD_WEIGHT };

static floatX *random_x(const char *what, size_t count) {
    floatX *x = (floatX *)device_alloc(what, count * sizeof(floatX));
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i++) { x[i] = to_floatX(random_uniform(1, i) - 0.5f); }
    return x;
}
static float *random_f(const char *what, size_t count) {
    float *x = (float *)device_alloc(what, count * sizeof(float));
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i++) { x[i] = 4 * random_uniform(2, i) - 2; }
    return x;
}

// ---- the peer: OpenBLAS, loaded at run time so that nothing depends on it. Its choice of kernels is made when it loads, and some
// releases take a processor they do not know for one of 2004, so the core type is set before.
typedef void (*Sgemm)(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a, int lda, const float *b,
                      int ldb, float beta, float *c, int ldc);
static Sgemm openblas_load(void) {
    if (SIMD_WIDTH == 16) { setenv("OPENBLAS_CORETYPE", "SkylakeX", 0); }
    void *library = dlopen("libopenblas.so.0", RTLD_NOW);
    Sgemm sgemm = NULL;
    char *(*core)(void) = NULL;
    if (library) {
        *(void **)&sgemm = dlsym(library, "cblas_sgemm");
        *(void **)&core = dlsym(library, "openblas_get_corename");
    }
    printf("peer: %s%s\n", sgemm ? "OpenBLAS, core " : "no libopenblas.so.0 here", sgemm && core ? core() : "");
    return sgemm;
}

typedef struct {
    int kind, N, C, OC;
    floatX *out, *x, *weight;
    float *out_float, *dweight;
    Sgemm sgemm;
} Gemm;
static void gemm_run(void *context) {
    Gemm *g = (Gemm *)context;
    switch (g->kind) {
    case FORWARD:
        linear_forward(g->out, g->x, g->weight, NULL, g->N, g->C, g->OC);
        break;
    case BACKWARD_INPUT:
        linear_backward(g->x, NULL, NULL, g->out, NULL, g->weight, g->N, g->C, g->OC);
        break;
    case BACKWARD_WEIGHT:
        linear_backward(NULL, g->dweight, NULL, g->out, g->x, NULL, g->N, g->C, g->OC);
        break;
    }
}
static void sgemm_run(void *context) { // row-major 101, plain 111, transposed 112
    Gemm *g = (Gemm *)context;
    const float *x = (const float *)g->x, *weight = (const float *)g->weight;
    int N = g->N, C = g->C, OC = g->OC;
    switch (g->kind) {
    case FORWARD:
        g->sgemm(101, 111, 112, N, OC, C, 1, x, C, weight, C, 0, g->out_float, OC);
        break;
    case BACKWARD_INPUT:
        g->sgemm(101, 111, 111, N, C, OC, 1, g->out_float, OC, weight, C, 1, (float *)g->x, C);
        break;
    case BACKWARD_WEIGHT:
        g->sgemm(101, 112, 111, OC, C, N, 1, g->out_float, OC, x, C, 1, g->dweight, C);
        break;
    }
}
typedef struct {
    const char *name;
    int OC, C;
} Shape;
static const char *const kind_name[3] = {"forward", "dx", "dweight"};

static void bench_gemm(const char *title, const Shape *shapes, int count, int N, double peak, Sgemm sgemm) {
    double total_time = 0, total_work = 0, total_peer = 0;
    for (int s = 0; s < count; s++) {
        int OC = shapes[s].OC, C = shapes[s].C;
        Gemm g = {FORWARD, N, C, OC, random_x("out", (size_t)N * OC), random_x("x", (size_t)N * C), random_x("weight", (size_t)OC * C),
                  random_f("out", (size_t)N * OC), random_f("dweight", (size_t)OC * C), sgemm};
        for (g.kind = FORWARD; g.kind <= BACKWARD_WEIGHT; g.kind++) {
            char name[96];
            double work = 2.0 * N * C * OC, seconds = bench_seconds(gemm_run, &g);
            double peer = sgemm && sizeof(floatX) == 4 ? bench_seconds(sgemm_run, &g) : 0;
            snprintf(name, sizeof(name), "%s %s %s %dx%d, %d rows", title, shapes[s].name, kind_name[g.kind], OC, C, N);
            bench_row(name, work / seconds, peer > 0 ? work / peer : 0, peak, 1e9, "GFLOP/s");
            total_time += seconds, total_work += work, total_peer += peer;
        }
        device_shutdown();
    }
    char name[96];
    snprintf(name, sizeof(name), "%s, all by time", title);
    bench_row(name, total_work / total_time, total_peer > 0 ? total_work / total_peer : 0, peak, 1e9, "GFLOP/s");
}

// ---- few rows: the weights are read once
static void decode_run(void *context) {
    Gemm *g = (Gemm *)context;
    linear_forward_float(g->out_float, g->x, g->weight, g->N, g->C, g->OC);
}
static void bench_decode(double read) {
    enum { C = 1536,
           OC = 151936 };
    Gemm g = {.C = C, .OC = OC, .x = random_x("x", 16 * C), .weight = random_x("weight", (size_t)OC * C), .out_float = random_f("out", (size_t)16 * OC)};
    for (g.N = 1; g.N <= 16; g.N *= 2) {
        char name[96];
        snprintf(name, sizeof(name), "C2 decode " FLOATX_NAME " head %dx%d, %d rows", OC, C, g.N);
        bench_row(name, (double)OC * C * sizeof(floatX) / bench_seconds(decode_run, &g), 0, read, 1e9, "GB/s");
    }
    device_shutdown();
}

// ---- everything that streams
typedef struct {
    int N, V, stride, *tokens, *counters;
    uint64_t *keys;
    float *logits, *logprob, *entropy, *lse, top_p, temperature;
    floatX *dlogits;
    int top_k;
} Head;
static void sample_run(void *context) {
    Head *h = (Head *)context;
    sample_tokens(h->tokens, h->logprob, h->logits, h->keys, h->counters, h->temperature, h->top_p, h->top_k, h->N, h->V, h->stride);
}
static void logprob_forward_run(void *context) {
    Head *h = (Head *)context;
    logprob_forward(h->logprob, h->entropy, h->lse, h->logits, h->tokens, 0.6f, h->N, h->V, h->stride);
}
static void logprob_backward_run(void *context) {
    Head *h = (Head *)context;
    logprob_backward(h->dlogits, h->logits, h->lse, h->entropy, h->tokens, h->logprob, h->entropy, 0.6f, h->N, h->V, h->stride);
}
typedef struct {
    size_t count;
    floatX *weight;
    float *master, *m, *v, *grad;
} Parameters;
static void adamw_run(void *context) {
    Parameters *p = (Parameters *)context;
    adamw_update(p->weight, p->master, p->m, p->v, p->grad, p->count, 1, 1e-6f, 0.9f, 0.999f, 1e-8f, 0.01f, 3);
}
static void norm_run(void *context) {
    Parameters *p = (Parameters *)context;
    bench_sink = (float)gradient_square_sum(p->grad, p->count);
}
static void bench_head_ops(double read, double copy) {
    enum { V = 151665,
           STRIDE = 151936,
           MOST = 256 };
    for (int N = 8; N <= MOST; N *= MOST / 8) { // 8 rows lie in the last cache, 256 do not
        size_t count = (size_t)N * STRIDE;
        Head h = {.N = N, .V = V, .stride = STRIDE, .temperature = 0.6f, .logits = random_f("logits", count), .dlogits = random_x("dlogits", count)};
        h.tokens = (int *)device_alloc("tokens", MOST * sizeof(int));
        h.counters = (int *)device_alloc("counters", MOST * sizeof(int));
        h.keys = (uint64_t *)device_alloc("keys", MOST * sizeof(uint64_t));
        h.logprob = random_f("logprob", MOST), h.entropy = random_f("entropy", MOST), h.lse = random_f("lse", MOST);
        for (int n = 0; n < N; n++) { h.keys[n] = random_key(7, (uint64_t)n); }
        for (size_t i = 0; i < count; i++) { h.logits[i] *= 3 * h.logits[i] * h.logits[i]; } // -24 .. 24: a few likely ids, as a model gives
        double bytes = (double)count * sizeof(float);
        struct {
            const char *name;
            float temperature, top_p;
            int top_k;
        } ways[4] = {{"plain", 0.6f, 1, 0}, {"top_p 0.95", 0.6f, 0.95f, 0}, {"top_k 50", 0.6f, 1, 50}, {"greedy", 0, 1, 0}};
        char name[96];
        for (int w = 0; w < 4; w++) {
            h.temperature = ways[w].temperature, h.top_p = ways[w].top_p, h.top_k = ways[w].top_k;
            snprintf(name, sizeof(name), "C11 sample %s %dx%d", ways[w].name, N, STRIDE);
            bench_row(name, bytes / bench_seconds(sample_run, &h), 0, read, 1e9, "GB/s");
        }
        snprintf(name, sizeof(name), "logprob forward %dx%d", N, STRIDE);
        bench_row(name, bytes / bench_seconds(logprob_forward_run, &h), 0, read, 1e9, "GB/s");
        snprintf(name, sizeof(name), "logprob backward %dx%d", N, STRIDE);
        bench_row(name, (double)count * (sizeof(float) + sizeof(floatX)) / bench_seconds(logprob_backward_run, &h), 0, copy, 1e9, "GB/s");
        device_shutdown();
    }
}
static void bench_optimizer(double read, double copy) {
    size_t count = (size_t)1 << 26;
    Parameters p = {count, random_x("weight", count), random_f("master", count), random_f("m", count), random_f("v", count), random_f("grad", count)};
    for (size_t i = 0; i < count; i++) { p.v[i] *= p.v[i]; }
    bench_row("adamw 67M parameters", (double)count * (28 + sizeof(floatX)) / bench_seconds(adamw_run, &p), 0, copy, 1e9, "GB/s");
    bench_row("gradient norm 67M parameters", (double)count * 4 / bench_seconds(norm_run, &p), 0, read, 1e9, "GB/s");
    device_shutdown();
}

int main(int argc, char **argv) {
    static const Shape big[] = {{"qkv", 2048, 1536}, {"o", 1536, 1536}, {"gate+up", 17920, 1536}, {"down", 1536, 8960}, {"head chunk", 16384, 1536}};
    static const Shape tiny[] = {{"qkv", 128, 64}, {"o", 64, 64}, {"gate+up", 384, 64}, {"down", 64, 192}, {"head", 32, 64}};
    bool asked[4] = {argc < 2, argc < 2, argc < 2, argc < 2};
    static const char *const parts[4] = {"gemm", "decode", "tiny", "stream"};
    for (int a = 1; a < argc; a++) {
        bool known = false;
        for (int p = 0; p < 4; p++) { known |= !strcmp(argv[a], parts[p]) && (asked[p] = true); }
        if (!known) { fatal("bench_cpu: %s is none of gemm, decode, tiny, stream", argv[a]); }
    }
    device_init();
    double peak = bench_fma_peak(), read = bench_read_bandwidth(), copy = bench_copy_bandwidth();
    device_shutdown();
    printf("%s, storage " FLOATX_NAME "\nceilings: %.1f GFLOP/s between registers, %.1f GB/s read, %.1f GB/s copy (read + write)\n", device_name(),
           peak / 1e9, read / 1e9, copy / 1e9);
    Sgemm sgemm = asked[0] || asked[2] ? openblas_load() : NULL;
    bench_head();
    if (asked[0]) { bench_gemm("C1 gemm", big, 5, 512, peak, sgemm); }
    if (asked[1]) { bench_decode(read); }
    if (asked[2]) {
        bench_gemm("tiny gemm", tiny, 5, 200, peak, sgemm);
        bench_gemm("tiny gemm", tiny, 5, 2000, peak, sgemm);
    }
    if (asked[3]) {
        bench_head_ops(read, copy);
        bench_optimizer(read, copy);
    }
    return 0;
}
