// bench_attention: attention, its decoding from the paged cache and the row-wise ops of a layer, beside this machine's limits.
//   bench_attention [train|decode|rows]...     without an argument: all of them
// The peer of `train` is the textbook way on the same GEMM: for each head the T x T scores are computed, kept and multiplied, backward
// from the kept probabilities. Causal work is counted once for both: forward 4 D T^2/2 per head, backward 2.5 times that.
#include <math.h>
#include "dev/bench.h"
#include "llmc/attention.h"
#include "llmc/attention_decode.h"
#include "llmc/linear.h"
#include "llmc/qk_norm.h"
#include "llmc/random.h"
#include "llmc/rmsnorm.h"
#include "llmc/rope.h"
#include "llmc/swiglu.h"

static floatX *random_x(const char *what, size_t count) {
    floatX *x = (floatX *)device_alloc(what, count * sizeof(floatX));
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i++) { x[i] = to_floatX(random_uniform(1, i) - 0.5f); }
    return x;
}

typedef struct {
    int S, T, N, H, KV, D, *starts;
    float scale, *lse, *scratch;
    floatX *qkv, *out, *dout, *dqkv;
    // the peer's: one head's operands, and all heads' probabilities
    floatX *q, *k, *v, *k_t, *v_t, *d, *head_out, *p, *dp, *peer_out, *peer_dqkv;
    float *dk;
} Train;
static void forward_run(void *context) {
    Train *a = (Train *)context;
    attention_forward(a->out, a->lse, a->qkv, a->starts, a->S, a->scale, a->N, a->H, a->KV, a->D);
}
static void backward_run(void *context) {
    Train *a = (Train *)context;
    attention_backward(a->dqkv, a->scratch, a->dout, a->qkv, a->out, a->lse, a->starts, a->S, a->scale, a->N, a->H, a->KV, a->D);
}

// ---- the peer
static void gather(floatX *to, floatX *transposed, const floatX *from, int T, int width, int D) { // one head of one sequence
    for (int t = 0; t < T; t++) {
        for (int d = 0; d < D; d++) {
            if (to) { to[t * D + d] = from[(size_t)t * width + d]; }
            if (transposed) { transposed[d * T + t] = from[(size_t)t * width + d]; }
        }
    }
}
static void scatter(floatX *to, const floatX *from, const float *from_float, float factor, int T, int width, int D) {
    for (int t = 0; t < T; t++) {
        for (int d = 0; d < D; d++) {
            floatX *at = to + (size_t)t * width + d;
            *at = to_floatX(to_float(*at) + factor * (from ? to_float(from[t * D + d]) : from_float[t * D + d]));
        }
    }
}
static void softmax_causal(floatX *p, float scale, int T) { // in place, T rows of T
#pragma omp parallel for schedule(dynamic, 16)
    for (int i = 0; i < T; i++) {
        floatX *row = p + (size_t)i * T;
        Vector largest = vector_splat(-1e30f), sum = {0};
        for (int j = 0; j <= i; j += SIMD_WIDTH) {
            Vector score = vector_load_x_part(row + j, i + 1 - j) * scale;
            for (int lane = i + 1 - j; lane < SIMD_WIDTH; lane++) { score[lane] = -1e30f; }
            vector_store_x_part(row + j, score, i + 1 - j);
            largest = vector_max(largest, score);
        }
        float m = vector_max_lane(largest);
        for (int j = 0; j <= i; j += SIMD_WIDTH) {
            Vector weight = vector_exp(vector_load_x_part(row + j, i + 1 - j) - m);
            for (int lane = i + 1 - j; lane < SIMD_WIDTH; lane++) { weight[lane] = 0; }
            vector_store_x_part(row + j, weight, i + 1 - j);
            sum += weight;
        }
        float inverse = 1 / vector_sum(sum);
        for (int j = 0; j <= i; j += SIMD_WIDTH) { vector_store_x_part(row + j, vector_load_x_part(row + j, i + 1 - j) * inverse, i + 1 - j); }
        memset(row + i + 1, 0, (size_t)(T - 1 - i) * sizeof(floatX));
    }
}
static void peer_forward_run(void *context) {
    Train *a = (Train *)context;
    int T = a->T, D = a->D, width = (a->H + 2 * a->KV) * D, group = a->H / a->KV;
    for (int task = 0; task < a->S * a->H; task++) {
        int h = task % a->H, kv = h / group;
        const floatX *rows = a->qkv + (size_t)(task / a->H) * T * width;
        floatX *p = a->p + (size_t)task * T * T;
        gather(a->q, NULL, rows + h * D, T, width, D);
        gather(a->k, NULL, rows + (a->H + kv) * D, T, width, D);
        gather(NULL, a->v_t, rows + (a->H + a->KV + kv) * D, T, width, D);
        linear_forward(p, a->q, a->k, NULL, T, D, T);
        softmax_causal(p, a->scale, T);
        linear_forward(a->head_out, p, a->v_t, NULL, T, T, D);
        floatX *to = a->peer_out + (size_t)(task / a->H) * T * a->H * D + h * D;
        for (int t = 0; t < T; t++) { memcpy(to + (size_t)t * a->H * D, a->head_out + t * D, (size_t)D * sizeof(floatX)); }
    }
}
static void peer_backward_run(void *context) { // from the probabilities kept by the forward pass
    Train *a = (Train *)context;
    int T = a->T, D = a->D, width = (a->H + 2 * a->KV) * D, group = a->H / a->KV;
    for (int task = 0; task < a->S * a->H; task++) {
        int s = task / a->H, h = task % a->H, kv = h / group;
        const floatX *rows = a->qkv + (size_t)s * T * width, *p = a->p + (size_t)task * T * T;
        floatX *drows = a->peer_dqkv + (size_t)s * T * width;
        gather(a->q, NULL, rows + h * D, T, width, D);
        gather(NULL, a->k_t, rows + (a->H + kv) * D, T, width, D);
        gather(a->v, NULL, rows + (a->H + a->KV + kv) * D, T, width, D);
        gather(a->d, NULL, a->dout + (size_t)s * T * a->H * D + h * D, T, a->H * D, D);
        linear_forward(a->dp, a->d, a->v, NULL, T, D, T);
#pragma omp parallel for schedule(dynamic, 16)
        for (int i = 0; i < T; i++) {
            const floatX *weight = p + (size_t)i * T;
            floatX *row = a->dp + (size_t)i * T;
            Vector sum = {0};
            for (int j = 0; j <= i; j += SIMD_WIDTH) { sum += vector_load_x_part(weight + j, T - j) * vector_load_x_part(row + j, T - j); }
            float delta = vector_sum(sum);
            for (int j = 0; j < T; j += SIMD_WIDTH) {
                vector_store_x_part(row + j, vector_load_x_part(weight + j, T - j) * (vector_load_x_part(row + j, T - j) - delta) * a->scale, T - j);
            }
        }
        linear_forward(a->head_out, a->dp, a->k_t, NULL, T, T, D);
        scatter(drows + h * D, a->head_out, NULL, 1, T, width, D);
        device_zero(a->dk, (size_t)T * D * sizeof(float));
        linear_backward(NULL, a->dk, NULL, a->dp, a->q, NULL, T, D, T);
        scatter(drows + (a->H + kv) * D, NULL, a->dk, 1, T, width, D);
        device_zero(a->dk, (size_t)T * D * sizeof(float));
        linear_backward(NULL, a->dk, NULL, p, a->d, NULL, T, D, T);
        scatter(drows + (a->H + a->KV + kv) * D, NULL, a->dk, 1, T, width, D);
    }
}
static void check_same(const char *what, const floatX *a, const floatX *b, size_t count) {
    double error = 0, norm = 0;
    for (size_t i = 0; i < count; i++) {
        error += pow(to_float(a[i]) - to_float(b[i]), 2);
        norm += pow(to_float(b[i]), 2);
    }
    if (!(sqrt(error / norm) < 2e-2)) { fatal("%s: the op and its peer differ by %.1e", what, sqrt(error / norm)); }
}
static void bench_train(const char *title, int S, int T, int H, int KV, int D, double peak) {
    Train a = {.S = S, .T = T, .N = S * T, .H = H, .KV = KV, .D = D, .scale = 1 / sqrtf((float)D)};
    size_t N = (size_t)a.N, width = (size_t)(H + 2 * KV) * D, head = (size_t)T * D, square = (size_t)T * T;
    a.starts = (int *)device_alloc("starts", (size_t)(S + 1) * sizeof(int));
    for (int s = 0; s <= S; s++) { a.starts[s] = s * T; }
    a.qkv = random_x("qkv", N * width), a.dqkv = random_x("dqkv", N * width), a.peer_dqkv = random_x("peer dqkv", N * width);
    a.out = random_x("out", N * H * D), a.dout = random_x("dout", N * H * D), a.peer_out = random_x("peer out", N * H * D);
    a.lse = (float *)device_alloc("lse", N * H * sizeof(float)), a.scratch = (float *)device_alloc("scratch", attention_backward_scratch_floats(N, (size_t)S, (size_t)H, (size_t)KV, (size_t)D) * sizeof(float));
    floatX **operands[] = {&a.q, &a.k, &a.v, &a.k_t, &a.v_t, &a.d, &a.head_out};
    for (int i = 0; i < 7; i++) { *operands[i] = random_x("head", head); }
    a.dk = (float *)device_alloc("dk", head * sizeof(float));
    a.dp = random_x("dp", square), a.p = random_x("p", square * S * H);

    forward_run(&a);
    backward_run(&a);
    peer_forward_run(&a);
    peer_backward_run(&a);
    check_same("out", a.out, a.peer_out, N * H * D);
    check_same("dqkv", a.dqkv, a.peer_dqkv, N * width);
    double work = 4.0 * D * T * T / 2 * H * S;
    char name[96];
    for (int backward = 0; backward < 2; backward++) {
        double seconds = bench_seconds(backward ? backward_run : forward_run, &a), factor = backward ? 2.5 : 1;
        double peer = bench_seconds(backward ? peer_backward_run : peer_forward_run, &a);
        snprintf(name, sizeof(name), "%s " FLOATX_NAME " attention %s %dx%d, %d/%d heads of %d", title, backward ? "backward" : "forward", S, T, H, KV, D);
        bench_row(name, factor * work / seconds, factor * work / peer, peak, 1e9, "GFLOP/s");
    }
    device_shutdown();
}

// ---- decoding
typedef struct {
    int B, H, KV, D, max_pages, *tables, *lengths, *slots, *positions, *plan;
    floatX *out, *qkv, *cache;
    float *scratch, *table;
} Decode;
static void decode_run(void *context) {
    Decode *a = (Decode *)context;
    attention_decode(a->out, a->plan, a->scratch, a->qkv, a->cache, a->tables, a->lengths, a->max_pages, 0.1f, a->B, a->H, a->KV, a->D);
}
static void cache_write_run(void *context) {
    Decode *a = (Decode *)context;
    rope_cache_forward(a->qkv, a->cache, a->table, a->positions, a->slots, a->B, a->H, a->KV, a->D);
}
static void bench_decode(const char *title, int B, int length, int H, int KV, int D, double read) {
    Decode a = {.B = B, .H = H, .KV = KV, .D = D, .max_pages = (length + KV_PAGE - 1) / KV_PAGE};
    int pages = B * a.max_pages;
    a.cache = random_x("cache", (size_t)pages * kv_page_bytes(KV, D) / sizeof(floatX));
    a.qkv = random_x("qkv", (size_t)B * (H + 2 * KV) * D), a.out = random_x("out", (size_t)B * H * D);
    a.tables = (int *)device_alloc("tables", (size_t)pages * sizeof(int));
    a.lengths = (int *)device_alloc("lengths", (size_t)B * sizeof(int)), a.slots = (int *)device_alloc("slots", (size_t)B * sizeof(int));
    a.positions = (int *)device_alloc("positions", (size_t)B * sizeof(int)), a.table = (float *)device_alloc("table", (size_t)D * sizeof(float));
    for (int d = 0; d < D; d++) { a.table[d] = (float)(1 - d % 2); } // no rotation
    const int chunks = attention_decode_chunks(B, length, 0, pages);
    a.plan = (int *)device_alloc("plan", attention_decode_plan_bytes(chunks, H, KV)), a.scratch = (float *)device_alloc("scratch", attention_decode_scratch_bytes(chunks, H, D));
    for (int i = 0; i < pages; i++) { a.tables[i] = i % B * a.max_pages + i / B; } // sequences' pages interleave, as they do after a while
    for (int b = 0; b < B; b++) { a.lengths[b] = length, a.slots[b] = a.tables[b * a.max_pages + a.max_pages - 1] * KV_PAGE + (length - 1) % KV_PAGE; }
    attention_decode_plan(a.plan, a.tables, a.lengths, a.max_pages, B, H, KV);
    double bytes = (double)B * length * 2 * KV * D * sizeof(floatX);
    char name[96];
    snprintf(name, sizeof(name), "%s " FLOATX_NAME " decode attention B=%d, length %d, %d/%d heads of %d", title, B, length, H, KV, D);
    bench_row(name, bytes / bench_seconds(decode_run, &a), 0, read, 1e9, "GB/s");
    printf("  %.1f us a call, and %.1f us to rotate and write the new keys and values\n", 1e6 * bench_seconds(decode_run, &a), 1e6 * bench_seconds(cache_write_run, &a));
    device_shutdown();
}

// ---- ops that stream rows
typedef struct {
    int N, C, F, H, KV, D, *positions;
    floatX *a, *b, *c, *d, *weight;
    float *rstd, *table, *dweight, *dweight2;
} Rows;
static void residual_run(void *context) {
    Rows *r = (Rows *)context;
    rmsnorm_residual_forward(r->a, r->b, r->rstd, r->a, r->c, r->weight, 1e-6f, r->N, r->C);
}
static void rmsnorm_backward_run(void *context) {
    Rows *r = (Rows *)context;
    rmsnorm_backward(r->a, r->dweight, r->b, r->c, r->weight, r->rstd, r->N, r->C);
}
static void rope_run(void *context) {
    Rows *r = (Rows *)context;
    rope_forward(r->a, r->table, r->positions, r->N, r->H, r->KV, r->D);
}
static void qk_norm_run(void *context) {
    Rows *r = (Rows *)context;
    qk_norm_forward(r->b, r->rstd, r->a, r->weight, r->weight, 1e-6f, r->N, r->H, r->KV, r->D);
}
static void qk_norm_backward_run(void *context) {
    Rows *r = (Rows *)context;
    qk_norm_backward(r->c, r->dweight, r->dweight2, r->b, r->a, r->weight, r->weight, r->rstd, r->N, r->H, r->KV, r->D);
}
static void swiglu_run(void *context) {
    Rows *r = (Rows *)context;
    swiglu_forward(r->b, r->a, r->N, r->F);
}
static void swiglu_backward_run(void *context) {
    Rows *r = (Rows *)context;
    swiglu_backward(r->c, r->b, r->a, r->N, r->F);
}
static void bench_rows(const char *title, int N, int C, int F, int H, int KV, int D, double copy) {
    Rows r = {.N = N, .C = C, .F = F, .H = H, .KV = KV, .D = D};
    size_t rows = (size_t)N, qkv = (size_t)(H + 2 * KV) * D, normed = (size_t)(H + KV) * D, widest = rows * (size_t)(2 * F > C ? 2 * F : C);
    floatX **arrays[] = {&r.a, &r.b, &r.c, &r.d, &r.weight};
    for (int i = 0; i < 5; i++) { *arrays[i] = random_x("rows", widest); }
    r.rstd = (float *)device_alloc("rstd", rows * (size_t)(H + KV) * sizeof(float)), r.table = (float *)device_alloc("table", rows * (size_t)D * sizeof(float));
    r.dweight = (float *)device_alloc("dweight", (size_t)C * sizeof(float)), r.dweight2 = (float *)device_alloc("dweight", (size_t)C * sizeof(float));
    r.positions = (int *)device_alloc("positions", rows * sizeof(int));
    for (int n = 0; n < N; n++) { r.positions[n] = n; }
    struct {
        const char *name;
        void (*run)(void *);
        double elements; // read and written, of floatX
    } ops[] = {{"residual + rmsnorm", residual_run, 4.0 * C}, {"rmsnorm backward", rmsnorm_backward_run, 4.0 * C}, {"rope", rope_run, 2.0 * (double)normed}, {"qk_norm", qk_norm_run, 2.0 * (double)qkv}, {"qk_norm backward", qk_norm_backward_run, (double)(2 * qkv + normed)}, {"swiglu", swiglu_run, 3.0 * F}, {"swiglu backward", swiglu_backward_run, 5.0 * F}};
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        char name[96];
        snprintf(name, sizeof(name), "%s " FLOATX_NAME " %s, %d rows", title, ops[i].name, N);
        bench_row(name, ops[i].elements * N * sizeof(floatX) / bench_seconds(ops[i].run, &r), 0, copy, 1e9, "GB/s");
    }
    device_shutdown();
}

static bool wanted(int count, char **names, const char *name) {
    for (int i = 1; i < count; i++) {
        if (!strcmp(names[i], name)) { return true; }
    }
    return count == 1;
}
int main(int count, char **names) {
    device_init();
    double peak = bench_fma_peak(), read = bench_read_bandwidth(), copy = bench_copy_bandwidth();
    device_shutdown();
    printf("%s: fp32 FMA peak %.1f GFLOP/s, read %.1f GB/s, copy %.1f GB/s\n", device_name(), peak / 1e9, read / 1e9, copy / 1e9);
    bench_head();
    if (wanted(count, names, "train")) {
        bench_train("C3", 1, 2048, 12, 2, 128, peak);
        bench_train("tiny", 64, 100, 4, 2, 16, peak);
    }
    if (wanted(count, names, "decode")) {
        bench_decode("C4", 8, 4096, 12, 2, 128, read);
        bench_decode("tiny", 500, 120, 4, 2, 16, read);
    }
    if (wanted(count, names, "rows")) {
        bench_rows("C10", 2048, 1536, 8960, 12, 2, 128, copy);
        bench_rows("tiny", 512, 64, 192, 4, 2, 16, copy);
    }
    return 0;
}
