// bench_device_ops: ops alone, in the shapes of DeepSeek-R1-Distill-Qwen-1.5B, on whichever backend is linked.
//   bench_device_ops [--smoke] [ceilings|gemm|attn_fwd|attn_bwd|decode_attn|logprob_head|stream|sample]...
// JSON lines on stdout, see bench_device.h. The peers are in dev/peers; dev/gpu_check.sh runs both and joins them.
#include <math.h>
#include "dev/bench_device.h"
#include "llmc/adamw.h"
#include "llmc/attention.h"
#include "llmc/attention_decode.h"
#include "llmc/linear.h"
#include "llmc/logprob.h"
#include "llmc/rmsnorm.h"
#include "llmc/rope.h"
#include "llmc/sample.h"
#include "llmc/swiglu.h"

enum { HIDDEN = 1536,
       INTERMEDIATE = 8960,
       HEADS = 12,
       KV_HEADS = 2,
       HEAD_DIM = 128,
       QKV_WIDTH = (HEADS + 2 * KV_HEADS) * HEAD_DIM,
       VOCABULARY = 151936,
       ROWS = 16384 };
static int smoke_or(int tiny, int full) { return bench_smoke ? tiny : full; }

// ---- 0: the machine's two ceilings, through our own calls

typedef struct {
    char *to, *from;
    size_t bytes;
} Copy;
static void copy_run(void *context) {
    const Copy *copy = (const Copy *)context;
    device_copy(copy->to, copy->from, copy->bytes);
}
typedef struct {
    int N, C, OC, kind;
    floatX *out, *x, *weight;
    float *out_float, *dweight;
} Gemm;
enum { FORWARD,
       FORWARD_FLOAT, // as the head's logits are
       BACKWARD_INPUT,
       BACKWARD_WEIGHT };
static void gemm_run(void *context) {
    const Gemm *g = (const Gemm *)context;
    switch (g->kind) {
    case FORWARD:
        linear_forward(g->out, g->x, g->weight, NULL, g->N, g->C, g->OC);
        break;
    case FORWARD_FLOAT:
        linear_forward_float(g->out_float, g->x, g->weight, g->N, g->C, g->OC);
        break;
    case BACKWARD_INPUT:
        linear_backward(g->x, NULL, NULL, g->out, NULL, g->weight, g->N, g->C, g->OC);
        break;
    default:
        linear_backward(NULL, g->dweight, NULL, g->out, g->x, NULL, g->N, g->C, g->OC);
        break;
    }
}
static void bench_ceilings(void) {
    Copy copy = {.bytes = (size_t)smoke_or(1 << 20, 1 << 30)};
    copy.from = (char *)bench_random_f("copy", copy.bytes / sizeof(float), 1, false), copy.to = (char *)device_alloc("copy", copy.bytes);
    bench_row(&(BenchRow){.line = 0, .unit = "GB/s", .seconds = bench_time(copy_run, &copy), .work = 2.0 * (double)copy.bytes}, "copy");
    const int side = smoke_or(64, 8192);
    const size_t square = (size_t)side * (size_t)side;
    Gemm gemm = {.N = side, .C = side, .OC = side, .x = bench_random_x("x", square, 1), .weight = bench_random_x("weight", square, 0.02f), .out = bench_random_x("out", square, 1)};
    bench_row(&(BenchRow){.line = 0, .unit = "TFLOP/s", .seconds = bench_time(gemm_run, &gemm), .work = 2.0 * side * (double)square}, "gemm");
}

// ---- 1: the trainer's matrix products

static void bench_gemm(void) {
    static const struct {
        const char *name;
        int OC, C, rows;
    } shapes[] = {{"qkv", QKV_WIDTH, HIDDEN, ROWS}, {"o", HIDDEN, HIDDEN, ROWS}, {"gate+up", 2 * INTERMEDIATE, HIDDEN, ROWS}, {"down", HIDDEN, INTERMEDIATE, ROWS}, {"head chunk", VOCABULARY, HIDDEN, 2048}};
    static const char *const kinds[] = {"forward", "forward", "dx", "dweight"};
    BenchRow total = {.line = 1, .unit = "TFLOP/s", .of = "peer", .first = 0.97, .good = 1.0};
    for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++) {
        const int N = smoke_or(24, shapes[s].rows), C = smoke_or(shapes[s].C / 64, shapes[s].C), OC = smoke_or(shapes[s].OC / 64, shapes[s].OC);
        const bool head = s == 4;
        Gemm g = {.N = N, .C = C, .OC = OC};
        g.x = bench_random_x("x", (size_t)N * (size_t)C, 1), g.weight = bench_random_x("weight", (size_t)OC * (size_t)C, 0.02f);
        g.out = bench_random_x("out", (size_t)N * (size_t)OC, 0.02f), g.dweight = bench_random_f("dweight", (size_t)OC * (size_t)C, 1, false);
        if (head) { g.out_float = bench_random_f("logits", (size_t)N * (size_t)OC, 1, false); }
        for (g.kind = head ? FORWARD_FLOAT : FORWARD; g.kind <= BACKWARD_WEIGHT; g.kind += g.kind == FORWARD ? 2 : 1) {
            BenchRow row = {.line = 1, .unit = "TFLOP/s", .work = 2.0 * N * C * OC, .seconds = bench_time(gemm_run, &g)};
            row.part[0].flops = row.work;
            bench_row(&row, "%s %s, %dx%d, %d rows", shapes[s].name, kinds[g.kind], shapes[s].OC, shapes[s].C, shapes[s].rows);
            total.seconds += row.seconds, total.work += row.work, total.part[0].flops += row.work;
        }
        device_shutdown();
    }
    bench_row(&total, "all, by time");
}

// ---- 2 and 3: attention over packed sequences

typedef struct {
    int S, N, *starts;
    floatX *qkv, *out, *dout, *dqkv;
    float *lse, *scratch;
} Attention;
static void attention_forward_run(void *context) {
    const Attention *a = (const Attention *)context;
    attention_forward(a->out, a->lse, a->qkv, a->starts, a->S, 1 / sqrtf(HEAD_DIM), a->N, HEADS, KV_HEADS, HEAD_DIM);
}
static void attention_backward_run(void *context) {
    const Attention *a = (const Attention *)context;
    attention_backward(a->dqkv, a->scratch, a->dout, a->qkv, a->out, a->lse, a->starts, a->S, 1 / sqrtf(HEAD_DIM), a->N, HEADS, KV_HEADS, HEAD_DIM);
}
static Attention attention_create(int S, const int *starts, bool backward) {
    Attention a = {.S = S, .N = starts[S], .starts = bench_upload_ints("starts", starts, (size_t)S + 1)};
    const size_t N = (size_t)a.N;
    a.qkv = bench_random_x("qkv", N * QKV_WIDTH, 1), a.out = bench_random_x("out", N * HEADS * HEAD_DIM, 1);
    a.lse = bench_random_f("lse", N * HEADS, 1, false);
    if (backward) {
        a.dout = bench_random_x("dout", N * HEADS * HEAD_DIM, 1), a.dqkv = bench_random_x("dqkv", N * QKV_WIDTH, 0);
        a.scratch = (float *)device_alloc("scratch", sizeof(float) * attention_backward_scratch_floats(N, (size_t)S, HEADS, KV_HEADS, HEAD_DIM));
    }
    return a;
}
static double attention_work(int S, double T) { return S * 4.0 * HEADS * HEAD_DIM * T * T / 2; }
static void bench_attention(bool backward) {
    static const int shapes[][2] = {{3, 8192}, {1, 24576}};
    for (int i = 0; i < 2; i++) {
        const int S = shapes[i][0], T = smoke_or(40, shapes[i][1]);
        int starts[4];
        for (int s = 0; s <= S; s++) { starts[s] = s * T; }
        Attention a = attention_create(S, starts, backward);
        attention_forward_run(&a); // lse and out for the backward pass
        BenchRow row = {.line = backward ? 3 : 2, .unit = "TFLOP/s", .of = "FLASH", .good_of = "cuDNN", .first = 1, .good = backward ? 0.85 : 0.9, .work = attention_work(S, T) * (backward ? 2.5 : 1), .seconds = bench_time(backward ? attention_backward_run : attention_forward_run, &a)};
        if (backward) {
            row.part[0].attention_backward = row.work;
        } else {
            row.part[0].attention_forward = row.work;
        }
        bench_row(&row, "%d x %d", S, shapes[i][1]);
        device_shutdown();
    }
}
static void bench_attention_forward(void) { bench_attention(false); }
static void bench_attention_backward(void) { bench_attention(true); }

// ---- 4: decode attention

enum { MAX_CACHES = 8 };
typedef struct {
    int B, max_pages, caches, turn, *tables, *lengths, *plan;
    float *scratch;
    floatX *out, *qkv, *cache[MAX_CACHES];
} Decode;
static void decode_run(void *context) {
    Decode *a = (Decode *)context;
    a->turn = (a->turn + 1) % a->caches; // another layer's keys and values each time: none are left in the L2 cache
    attention_decode(a->out, a->plan, a->scratch, a->qkv, a->cache[a->turn], a->tables, a->lengths, a->max_pages, 1 / sqrtf(HEAD_DIM), a->B, HEADS, KV_HEADS, HEAD_DIM);
}
// Ragged lengths spread evenly over mean/5 .. 9 mean/5, in no order; the pages of all sequences interleave, as they do after a while.
static void bench_decode_shape(const char *name, int B, int mean, bool ragged) {
    Decode a = {.B = smoke_or(B < 4 ? B : 4, B)};
    const int length_mean = smoke_or(mean / 64, mean), most = ragged ? length_mean * 9 / 5 : length_mean;
    int *lengths = (int *)host_alloc(sizeof(int) * (size_t)a.B), pages = 0;
    double tokens = 0;
    random_permutation(lengths, a.B, 5);
    for (int b = 0; b < a.B; b++) {
        lengths[b] = ragged && a.B > 1 ? (int)(length_mean * (0.2 + 1.6 * lengths[b] / (a.B - 1))) : length_mean;
        lengths[b] = lengths[b] > 0 ? lengths[b] : 1;
        tokens += lengths[b];
    }
    a.max_pages = (most + KV_PAGE - 1) / KV_PAGE;
    int *tables = (int *)host_alloc(sizeof(int) * (size_t)a.B * (size_t)a.max_pages);
    for (int i = 0; i < a.max_pages; i++) {
        for (int b = 0; b < a.B; b++) { tables[b * a.max_pages + i] = i * KV_PAGE < lengths[b] ? pages++ : 0; }
    }
    const size_t cache_bytes = (size_t)pages * kv_page_bytes(KV_HEADS, HEAD_DIM);
    a.caches = smoke_or(1, (int)(((size_t)1 << 30) / cache_bytes) + 1); // far more than 50 MB between two uses
    a.caches = a.caches < MAX_CACHES ? a.caches : MAX_CACHES;
    for (int i = 0; i < a.caches; i++) { a.cache[i] = bench_random_x("cache", cache_bytes / sizeof(floatX), 1); }
    a.qkv = bench_random_x("qkv", (size_t)a.B * QKV_WIDTH, 1), a.out = bench_random_x("out", (size_t)a.B * HEADS * HEAD_DIM, 1);
    a.tables = bench_upload_ints("tables", tables, (size_t)a.B * (size_t)a.max_pages), a.lengths = bench_upload_ints("lengths", lengths, (size_t)a.B);
    const int chunks = attention_decode_chunks(a.B, most, 0, pages);
    a.plan = (int *)device_alloc("plan", attention_decode_plan_bytes(chunks, HEADS, KV_HEADS)), a.scratch = (float *)device_alloc("scratch", attention_decode_scratch_bytes(chunks, HEADS, HEAD_DIM));
    attention_decode_plan(a.plan, a.tables, a.lengths, a.max_pages, a.B, HEADS, KV_HEADS); // once for all layers of a step
    BenchRow row = {.line = 4, .unit = "GB/s", .of = "limit", .first = 0.7, .good = 0.85, .times_peer = 1.5, .times_of = "SDPA", .work = tokens * 2 * KV_HEADS * HEAD_DIM * sizeof(floatX), .seconds = bench_time(decode_run, &a)};
    row.part[0].bytes = row.work;
    bench_row(&row, "%s", name);
    device_shutdown();
    free(lengths);
    free(tables);
}
static void bench_decode(void) {
    bench_decode_shape("B=256, 2560 tokens in the mean, ragged", 256, 2560, true);
    bench_decode_shape("B=64, 16384 tokens", 64, 16384, false);
    bench_decode_shape("B=8, 24576 tokens", 8, 24576, false);
}

// ---- 7: the head, in chunks of rows as policy_head_forward and policy_head_backward go through it

typedef struct {
    int N, C, V, chunk, *targets;
    floatX *hidden, *weight, *dhidden, *dlogits;
    float *logits, *logprob, *entropy, *lse, *dlogprob, *dentropy, *dweight;
    size_t logits_bytes;
    bool backward;
} Head;
static void head_run(void *context) {
    const Head *h = (const Head *)context;
    for (int r = 0; r < h->N; r += h->chunk) {
        const int rows = h->N - r < h->chunk ? h->N - r : h->chunk;
        const size_t at = (size_t)r * (size_t)h->C;
        linear_forward_float(h->logits, h->hidden + at, h->weight, rows, h->C, h->V);
        logprob_forward(h->logprob + r, h->entropy + r, h->lse + r, h->logits, h->targets + r, 0.6f, rows, h->V, h->V);
        if (!h->backward) { continue; }
        logprob_backward(h->dlogits, h->logits, h->lse + r, h->entropy + r, h->targets + r, h->dlogprob + r, h->dentropy + r, 0.6f, rows, h->V, h->V);
        linear_backward(h->dhidden + at, h->dweight, NULL, h->dlogits, h->hidden + at, h->weight, rows, h->C, h->V);
    }
}
static void bench_head(void) {
    Head h = {.N = smoke_or(40, ROWS), .C = smoke_or(24, HIDDEN), .V = smoke_or(512, VOCABULARY), .logits_bytes = (size_t)smoke_or(1 << 16, 1 << 30)};
    const size_t N = (size_t)h.N, C = (size_t)h.C, V = (size_t)h.V, row_bytes = V * (sizeof(float) + sizeof(floatX));
    h.chunk = (int)(h.logits_bytes / row_bytes < N ? h.logits_bytes / row_bytes : N);
    if (h.chunk > 128) { h.chunk = h.chunk / 128 * 128; }
    h.hidden = bench_random_x("hidden", N * C, 1), h.weight = bench_random_x("head", V * C, 0.02f), h.dhidden = bench_random_x("dhidden", N * C, 0), h.dweight = bench_random_f("dhead", V * C, 0, false);
    h.logits = bench_random_f("logits", (size_t)h.chunk * V, 1, false), h.dlogits = bench_random_x("dlogits", (size_t)h.chunk * V, 1);
    float **results[] = {&h.logprob, &h.entropy, &h.lse, &h.dlogprob, &h.dentropy};
    for (int i = 0; i < 5; i++) { *results[i] = bench_random_f("row results", N, 1e-4f, false); }
    int *targets = (int *)host_alloc(sizeof(int) * N);
    for (int n = 0; n < h.N; n++) { targets[n] = (int)random_below(3, (uint64_t)n, (uint32_t)h.V); }
    h.targets = bench_upload_ints("targets", targets, N);
    const double product = 2.0 * h.N * h.C * (double)h.V;
    bench_row(&(BenchRow){.line = 7, .unit = "ms", .seconds = bench_time(head_run, &h), .of = "limit", .first = 0.75, .good = 0.88, .times_peer = 2, .part[0].flops = product}, "logprob and entropy, forward, %d rows", ROWS);
    h.backward = true; // the logits are made once: three products
    bench_row(&(BenchRow){.line = 7, .unit = "ms", .seconds = bench_time(head_run, &h), .of = "limit", .first = 0.75, .good = 0.88, .times_peer = 2, .part[0].flops = 3 * product}, "forward + backward, %d rows", ROWS);
    bench_note(7, "memory beside inputs and gradients", "at most 1024 MiB", "%.0f MiB", (double)h.chunk * (double)row_bytes / (1 << 20));
    free(targets);
}

// ---- 10: everything that streams

typedef struct {
    int N, C, F, *positions, *slots;
    floatX *a, *b, *c, *weight, *cache;
    float *rstd, *table, *dweight;
} Rows;
static void residual_run(void *context) {
    const Rows *r = (const Rows *)context;
    rmsnorm_residual_forward(r->a, r->b, r->rstd, r->a, r->c, r->weight, 1e-6f, r->N, r->C);
}
static void rmsnorm_backward_run(void *context) {
    const Rows *r = (const Rows *)context;
    rmsnorm_backward(r->a, r->dweight, r->b, r->c, r->weight, r->rstd, r->N, r->C);
}
static void rope_write_run(void *context) {
    const Rows *r = (const Rows *)context;
    rope_cache_forward(r->a, r->cache, r->table, r->positions, r->slots, r->N, HEADS, KV_HEADS, HEAD_DIM);
}
static void swiglu_run(void *context) {
    const Rows *r = (const Rows *)context;
    swiglu_forward(r->b, r->a, r->N, r->F);
}
static void swiglu_backward_run(void *context) {
    const Rows *r = (const Rows *)context;
    swiglu_backward(r->c, r->b, r->a, r->N, r->F);
}
typedef struct {
    size_t count;
    floatX *weight;
    float *master, *m, *v, *gradient;
} Parameters;
static void adamw_run(void *context) {
    const Parameters *p = (const Parameters *)context;
    adamw_update(p->weight, p->master, p->m, p->v, p->gradient, p->count, 1, 1e-6f, 0.9f, 0.999f, 1e-8f, 0.01f, 3);
}
static void stream_row(const char *name, void (*run)(void *), void *context, double bytes) {
    BenchRow row = {.line = 10, .unit = "GB/s", .of = "limit", .first = 0.85, .good = 0.92, .times_peer = 1, .work = bytes, .seconds = bench_time(run, context)};
    row.part[0].bytes = bytes;
    bench_row(&row, "%s", name);
}
static void bench_stream(void) {
    const int N = smoke_or(64, ROWS), F = smoke_or(64, INTERMEDIATE);
    Rows r = {.N = N, .C = HIDDEN, .F = F};
    const size_t rows = (size_t)N, widest = rows * (size_t)(2 * F > QKV_WIDTH ? 2 * F : QKV_WIDTH);
    floatX **arrays[] = {&r.a, &r.b, &r.c};
    for (int i = 0; i < 3; i++) { *arrays[i] = bench_random_x("rows", widest, 1); }
    r.weight = bench_random_x("weight", HIDDEN, 1), r.dweight = bench_random_f("dweight", HIDDEN, 1, false), r.rstd = bench_random_f("rstd", rows, 1, true);
    float *angles = (float *)host_alloc(sizeof(float) * rows * HEAD_DIM);
    for (size_t i = 0; i < rows * HEAD_DIM; i += 2) { angles[i] = cosf((float)i), angles[i + 1] = sinf((float)i); } // lengths stay as they are
    r.table = (float *)device_alloc("table", sizeof(float) * rows * HEAD_DIM);
    device_upload(r.table, angles, sizeof(float) * rows * HEAD_DIM);
    free(angles);
    int *numbers = (int *)host_alloc(sizeof(int) * rows);
    for (int n = 0; n < N; n++) { numbers[n] = n; }
    r.positions = bench_upload_ints("positions", numbers, rows), r.slots = bench_upload_ints("slots", numbers, rows);
    free(numbers);
    r.cache = bench_random_x("cache", rows * 2 * KV_HEADS * HEAD_DIM, 1);
    const double X = sizeof(floatX), tokens = N;
    stream_row("residual + rmsnorm forward", residual_run, &r, tokens * 4 * HIDDEN * X); // read two, write two
    stream_row("rmsnorm backward", rmsnorm_backward_run, &r, tokens * 4 * HIDDEN * X);   // read dout, x and dx, write dx
    stream_row("rope + KV write", rope_write_run, &r, tokens * (2 * (HEADS + KV_HEADS) + 3 * KV_HEADS) * HEAD_DIM * X);
    stream_row("swiglu forward", swiglu_run, &r, tokens * 3 * F * X);
    stream_row("swiglu backward", swiglu_backward_run, &r, tokens * 5 * F * X); // read gate, up, dout, write two
    device_shutdown();
    Parameters p = {.count = (size_t)smoke_or(4096, 1777088000)};
    p.weight = bench_random_x("weights", p.count, 0.02f), p.master = bench_random_f("master", p.count, 0.02f, false), p.m = bench_random_f("m", p.count, 1e-4f, false);
    p.v = bench_random_f("v", p.count, 1e-8f, true), p.gradient = bench_random_f("gradients", p.count, 1e-4f, false);
    stream_row("AdamW, 1777 M parameters", adamw_run, &p, (double)p.count * (28 + X));
}

// ---- 11: sampling

typedef struct {
    int B, V, *tokens, *counters;
    float *logits, *logprob, top_p;
    uint64_t *keys;
} Sampling;
static void sample_run(void *context) {
    const Sampling *s = (const Sampling *)context;
    sample_tokens(s->tokens, s->logprob, s->logits, s->keys, s->counters, 0.6f, s->top_p, 0, s->B, s->V, s->V);
}
static void bench_sample(void) {
    Sampling s = {.B = smoke_or(4, 256), .V = smoke_or(2048, VOCABULARY), .top_p = 1};
    const size_t B = (size_t)s.B;
    uint64_t *keys = (uint64_t *)host_alloc(sizeof(uint64_t) * B);
    for (size_t b = 0; b < B; b++) { keys[b] = random_key(7, b); }
    s.tokens = (int *)device_alloc("tokens", sizeof(int) * B), s.counters = (int *)device_alloc("counters", sizeof(int) * B);
    s.keys = (uint64_t *)device_alloc("keys", sizeof(uint64_t) * B), s.logprob = (float *)device_alloc("logprob", sizeof(float) * B);
    device_upload(s.keys, keys, sizeof(uint64_t) * B);
    free(keys);
    s.logits = bench_random_f("logits", B * (size_t)s.V, 3, false);
    const BenchRow row = {.line = 11, .unit = "us", .of = "limit", .first = 0.25, .good = 0.5, .times_peer = 10, .times_of = "sort", .part[0].bytes = 2.0 * s.B * s.V}; // as if the logits were bf16 and read once
    for (int way = 0; way < 2; way++) {
        BenchRow timed = row;
        s.top_p = way ? 0.95f : 1;
        timed.seconds = bench_time(sample_run, &s);
        bench_row(&timed, way ? "top_p 0.95" : "plain");
    }
}

// ---- a small attention problem and its results, in files for dev/peers/check.py

static void write_array(const char *folder, const char *name, const void *array, size_t bytes) {
    char path[1024];
    void *host = host_alloc(bytes);
    snprintf(path, sizeof(path), "%.900s/%s", folder, name);
    device_download(host, array, bytes);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(host, 1, bytes, file) != bytes || fclose(file)) { fatal("%s: %s", path, strerror(errno)); }
    free(host);
}
static void bench_check(void) {
    const char *folder = getenv("BENCH_CHECK");
    static const int starts[] = {0, 130, 131, 387};
    if (!folder) { return; }
    Attention a = attention_create(3, starts, true);
    attention_forward_run(&a);
    attention_backward_run(&a);
    const size_t N = (size_t)a.N, out = N * HEADS * HEAD_DIM * sizeof(floatX), qkv = N * QKV_WIDTH * sizeof(floatX);
    write_array(folder, "qkv", a.qkv, qkv);
    write_array(folder, "dout", a.dout, out);
    write_array(folder, "out", a.out, out);
    write_array(folder, "dqkv", a.dqkv, qkv);
}

int main(int argc, char **argv) {
    static const BenchLine lines[] = {{0, "ceilings", bench_ceilings}, {1, "gemm", bench_gemm}, {2, "attn_fwd", bench_attention_forward}, {3, "attn_bwd", bench_attention_backward}, {4, "decode_attn", bench_decode}, {7, "logprob_head", bench_head}, {10, "stream", bench_stream}, {11, "sample", bench_sample}, {99, "check", bench_check}};
    return bench_main(argc, argv, lines, sizeof(lines) / sizeof(lines[0]));
}
