// attention: the equations in double on ragged packs with padding, their gradient confirmed by finite differences where that is quick; every
// sequence's bits independent of what it is packed with; the same bits again, for 1 and 2 threads and any order of a GPU's; large scores.
#include <omp.h>
#include "check.h"
#include "llmc/attention.h"

enum { MAX_SEQUENCES = 8 };
typedef struct {
    int starts[MAX_SEQUENCES + 1], *device_starts, S, N, H, KV, D;
    float scale;
    Tensor qkv, out, lse, dout, dqkv, scratch;
} Case;
static Case *current;

// The equations of attention.h in double; returns sum(dout * out). Rows before `from` of the pack do not change.
static double attention_exact(Case *c, double *out, double *lse) {
    int width = (c->H + 2 * c->KV) * c->D;
    double loss = 0, *p = (double *)host_alloc((size_t)c->N * sizeof(double)), *row = (double *)host_alloc((size_t)c->D * sizeof(double));
    for (int s = 0; s < c->S; s++) {
        for (int i = c->starts[s]; i < c->starts[s + 1]; i++) {
            for (int h = 0; h < c->H; h++) {
                const double *q = c->qkv.exact + (size_t)i * width + h * c->D;
                int key = (c->H + h / (c->H / c->KV)) * c->D;
                double largest = -INFINITY, sum = 0;
                for (int j = c->starts[s]; j <= i; j++) {
                    const double *k = c->qkv.exact + (size_t)j * width + key;
                    p[j] = 0;
                    for (int d = 0; d < c->D; d++) { p[j] += (double)c->scale * q[d] * k[d]; }
                    largest = fmax(largest, p[j]);
                }
                memset(row, 0, (size_t)c->D * sizeof(double));
                for (int j = c->starts[s]; j <= i; j++) {
                    const double *v = c->qkv.exact + (size_t)j * width + key + c->KV * c->D;
                    double weight = exp(p[j] - largest);
                    sum += weight;
                    for (int d = 0; d < c->D; d++) { row[d] += weight * v[d]; }
                }
                for (int d = 0; d < c->D; d++) {
                    size_t at = ((size_t)i * c->H + h) * c->D + d;
                    if (out) { out[at] = row[d] / sum; }
                    loss += c->dout.exact[at] * row[d] / sum;
                }
                if (lse) { lse[(size_t)h * c->N + i] = largest + log(sum); }
            }
        }
    }
    free(p);
    free(row);
    return loss;
}
// The backward equations of attention.h in double.
static void attention_gradient(const Case *c, const double *out, const double *lse, double *dqkv) {
    int width = (c->H + 2 * c->KV) * c->D;
    for (int s = 0; s < c->S; s++) {
        for (int h = 0; h < c->H; h++) {
            int key = (c->H + h / (c->H / c->KV)) * c->D, value = key + c->KV * c->D;
            for (int i = c->starts[s]; i < c->starts[s + 1]; i++) {
                const double *q = c->qkv.exact + (size_t)i * width + h * c->D, *dout = c->dout.exact + ((size_t)i * c->H + h) * c->D;
                double *dq = dqkv + (size_t)i * width + h * c->D, delta = 0;
                for (int d = 0; d < c->D; d++) { delta += dout[d] * out[((size_t)i * c->H + h) * c->D + d]; }
                for (int j = c->starts[s]; j <= i; j++) {
                    const double *k = c->qkv.exact + (size_t)j * width + key, *v = c->qkv.exact + (size_t)j * width + value;
                    double *dk = dqkv + (size_t)j * width + key, *dv = dqkv + (size_t)j * width + value, score = 0, dp = 0;
                    for (int d = 0; d < c->D; d++) { score += (double)c->scale * q[d] * k[d], dp += dout[d] * v[d]; }
                    double p = exp(score - lse[(size_t)h * c->N + i]), ds = (double)c->scale * p * (dp - delta);
                    for (int d = 0; d < c->D; d++) { dq[d] += ds * k[d], dk[d] += ds * q[d], dv[d] += p * dout[d]; }
                }
            }
        }
    }
}
static double loss(void) { return attention_exact(current, NULL, NULL); }

static Case case_make(const int *lengths, int S, int padding, int H, int KV, int D, float scale) {
    Case c = {.S = S, .H = H, .KV = KV, .D = D, .scale = scale};
    for (int s = 0; s < S; s++) { c.starts[s + 1] = c.starts[s] + lengths[s]; }
    c.N = c.starts[S] + padding;
    c.device_starts = (int *)device_array("starts", c.starts, sizeof(c.starts));
    c.qkv = tensor_random("qkv", c.N * (H + 2 * KV) * D, 0, sizeof(floatX));
    c.dout = tensor_random("dout", c.N * H * D, 0, sizeof(floatX));
    c.out = tensor_random("out", c.N * H * D, 0, sizeof(floatX)); // random, so that unwritten rows show
    c.lse = tensor_zero("lse", H * c.N, sizeof(float));
    c.scratch = tensor_zero("scratch", (int)attention_backward_scratch_floats((size_t)c.N, (size_t)S, (size_t)H, (size_t)KV, (size_t)D), sizeof(float));
    c.dqkv = tensor_zero("dqkv", c.qkv.count, sizeof(floatX));
    return c;
}
static void case_free(Case *c) {
    Tensor *all[] = {&c->qkv, &c->out, &c->lse, &c->dout, &c->dqkv, &c->scratch};
    for (int i = 0; i < 6; i++) { tensor_free(all[i]); }
}
static void case_forward(Case *c) {
    attention_forward(c->out.device, c->lse.device, c->qkv.device, c->device_starts, c->S, c->scale, c->N, c->H, c->KV, c->D);
}
// What the op must write, and its scratch, hold NaN before.
static void case_backward(Case *c) {
    size_t floats = (size_t)(c->scratch.count > c->dqkv.count ? c->scratch.count : c->dqkv.count);
    float *poison = (float *)host_alloc(floats * sizeof(float));
    memset(poison, 0xFF, floats * sizeof(float));
    device_upload(c->dqkv.device, poison, (size_t)c->dqkv.count * sizeof(floatX));
    device_upload(c->scratch.device, poison, (size_t)c->scratch.count * sizeof(float));
    free(poison);
    attention_backward(c->dqkv.device, c->scratch.device, c->dout.device, c->qkv.device, c->out.device, c->lse.device, c->device_starts, c->S,
                       c->scale, c->N, c->H, c->KV, c->D);
}

static void test_equations(const int *lengths, int S, int padding, int H, int KV, int D, float scale) {
    // fp32: chains of up to D and T products; bf16: one rounding of out (2^-9) and, backward, of out inside delta. On tensor cores p and ds are
    // rounded too before they are multiplied
    double forward = sizeof(floatX) == 2 ? 3e-3 : 1e-6, backward = sizeof(floatX) == 2 ? 6e-3 : 3e-6;
    Case c = case_make(lengths, S, padding, H, KV, D, scale);
    current = &c;
    double *lse = (double *)host_alloc((size_t)c.lse.count * sizeof(double));
    case_forward(&c);
    memset(c.out.exact, 0, (size_t)c.out.count * sizeof(double));
    attention_exact(&c, c.out.exact, lse);
    check_values(&c.out, c.out.exact, forward);
    check_values(&c.lse, lse, 1e-6);
    case_backward(&c);
    attention_gradient(&c, c.out.exact, lse, c.dqkv.exact);
    check_values(&c.dqkv, c.dqkv.exact, backward);
    if (c.qkv.count < 4000) { // the equations themselves
        memset(c.dqkv.exact, 0, (size_t)c.dqkv.count * sizeof(double));
        check_gradient(&c.dqkv, &c.qkv, loss, backward);
    }
    free(lse);
    case_free(&c);
}

// Everything a run writes, as raw bits.
static unsigned char *case_bits(Case *c, size_t *bytes) {
    const Tensor *all[] = {&c->out, &c->dqkv, &c->lse};
    *bytes = 0;
    for (int i = 0; i < 3; i++) { *bytes += (size_t)all[i]->count * all[i]->element_bytes; }
    unsigned char *bits = (unsigned char *)host_alloc(*bytes), *at = bits;
    for (int i = 0; i < 3; i++) {
        device_download(at, all[i]->device, (size_t)all[i]->count * all[i]->element_bytes);
        at += (size_t)all[i]->count * all[i]->element_bytes;
    }
    return bits;
}
static void case_run(Case *c, int threads) {
    omp_set_num_threads(threads);
    if (check_on_emulator() && threads == 1) { setenv("EMU_ORDER", "7", 1); } // of threads and of blocks: some other
    case_forward(c);
    case_backward(c);
}
static bool same_rows(const Tensor *a, int a_row, const Tensor *b, int b_row, int rows, int width) {
    size_t bytes = (size_t)(rows * width) * sizeof(floatX);
    void *x = host_alloc(bytes), *y = host_alloc(bytes);
    device_download(x, (floatX *)a->device + a_row * width, bytes);
    device_download(y, (floatX *)b->device + b_row * width, bytes);
    bool same = memcmp(x, y, bytes) == 0;
    free(x);
    free(y);
    return same;
}
// A sequence packed among others has the bits it has alone, forward and backward; NaN outside it does not reach it; padding is zero.
static void test_packing(const int *lengths, int S, int H, int KV, int D) {
    const int padding = 3;
    int width = (H + 2 * KV) * D;
    Case c = case_make(lengths, S, padding, H, KV, D, 0.2f);
    floatX *poison = (floatX *)host_alloc((size_t)width * sizeof(floatX));
    for (int i = 0; i < width; i++) { poison[i] = to_floatX(NAN); }
    for (int row = c.starts[S]; row < c.N; row++) {
        device_upload((floatX *)c.qkv.device + row * width, poison, (size_t)width * sizeof(floatX));
        device_upload((floatX *)c.dout.device + row * H * D, poison, (size_t)(H * D) * sizeof(floatX));
    }
    case_run(&c, 2);
    size_t bytes, again_bytes;
    unsigned char *two = case_bits(&c, &bytes);
    case_run(&c, 1);
    unsigned char *one = case_bits(&c, &again_bytes);
    check(bytes == again_bytes && !memcmp(one, two, bytes), "D %d: results depend on the number of threads", D);
    for (int s = 0; s < S; s++) {
        Case alone = case_make(lengths + s, 1, 0, H, KV, D, 0.2f);
        device_copy(alone.qkv.device, (floatX *)c.qkv.device + c.starts[s] * width, (size_t)(lengths[s] * width) * sizeof(floatX));
        device_copy(alone.dout.device, (floatX *)c.dout.device + c.starts[s] * H * D, (size_t)(lengths[s] * H * D) * sizeof(floatX));
        case_run(&alone, 2);
        check(same_rows(&c.out, c.starts[s], &alone.out, 0, lengths[s], H * D), "H %d, D %d: sequence %d of %d rows: out depends on the pack", H, D, s, lengths[s]);
        check(same_rows(&c.dqkv, c.starts[s], &alone.dqkv, 0, lengths[s], width), "H %d, D %d: sequence %d of %d rows: dqkv depends on the pack", H, D, s, lengths[s]);
        case_free(&alone);
    }
    double *out = (double *)host_alloc((size_t)c.qkv.count * sizeof(double)), sum = 0;
    tensor_download(&c.out, out);
    for (int i = c.starts[S] * H * D; i < c.N * H * D; i++) { sum += fabs(out[i]); }
    check(sum == 0, "D %d: out of the padding rows is not zero", D);
    tensor_download(&c.dqkv, out);
    for (int i = c.starts[S] * width; i < c.N * width; i++) { sum += fabs(out[i]); }
    check(sum == 0, "D %d: dqkv of the padding rows is not zero", D);
    // a broken token late in the last sequence leaves the rows before it as they were; tensor cores multiply it by 0, so it must be finite there
    bool tensor_cores = !check_on_cpu() && sizeof(floatX) == 2 && (D == 64 || D == 128);
    for (int i = 0; i < width; i++) { poison[i] = to_floatX(tensor_cores ? 1e30f : NAN); }
    int late = c.N - padding - lengths[S - 1] / 2 - 1;
    Case broken = case_make(lengths, S, padding, H, KV, D, 0.2f);
    device_copy(broken.qkv.device, c.qkv.device, (size_t)c.qkv.count * sizeof(floatX));
    device_upload((floatX *)broken.qkv.device + late * width, poison, (size_t)width * sizeof(floatX));
    case_forward(&broken);
    check(same_rows(&c.out, 0, &broken.out, 0, late, H * D), "H %d, D %d: a later token changes an earlier row", H, D);
    case_free(&broken);
    case_free(&c);
    free(out);
    free(poison);
    free(one);
    free(two);
}
// Scores in the thousands: one key takes all the weight; nothing overflows, forward or backward.
static void test_large_scores(void) {
    Case c = case_make((int[]){70}, 1, 0, 2, 1, 16, 1.0f);
    current = &c;
    for (int i = 0; i < c.qkv.count; i++) { c.qkv.exact[i] *= 40; }
    tensor_upload(&c.qkv);
    case_forward(&c);
    double *lse = (double *)host_alloc((size_t)c.lse.count * sizeof(double));
    attention_exact(&c, c.out.exact, lse);
    check_values(&c.out, c.out.exact, sizeof(floatX) == 2 ? 3e-3 : 1e-4); // a score of 10^4 is known to 10^-3 in fp32
    check_values(&c.lse, lse, 1e-6);
    case_backward(&c);
    double *got = (double *)host_alloc((size_t)c.dqkv.count * sizeof(double));
    tensor_download(&c.dqkv, got);
    bool finite = true;
    for (int i = 0; i < c.dqkv.count; i++) { finite = finite && isfinite(got[i]); }
    check(finite, "large scores: a gradient is not finite");
    free(got);
    free(lse);
    case_free(&c);
}

int main(void) {
    device_init();
    test_equations((int[]){1, 5, 33}, 3, 3, 2, 1, 12, 0.3f);
    test_equations((int[]){64, 7}, 2, 0, 2, 1, 16, 0.25f);
    test_equations((int[]){33, 2}, 2, 0, 6, 1, 8, 0.3f);
    test_equations((int[]){3, 37}, 2, 5, 4, 4, 20, 0.2f);
    test_equations((int[]){9, 34}, 2, 1, 4, 2, 6, 0.4f);
    test_equations((int[]){34}, 1, 1, 13, 1, 4, 0.2f);      // more query heads than a register tile holds
    bool slow = check_on_emulator() && sizeof(floatX) == 4; // there the kernels for tensor cores are left out
    test_equations((int[]){1, 200, 65}, 3, 3, 2, 1, 64, 0.3f);
    if (!slow) {
        test_equations((int[]){270, 5}, 2, 130, 6, 1, 128, 0.2f);
        test_equations((int[]){1100}, 1, 0, 1, 1, 64, 0.3f); // two chunks of queries
    }
    test_packing((int[]){1, 5, 33, 64, 100, 31, 32}, 7, 6, 1, 16);
    test_packing((int[]){150, 2, 97}, 3, check_on_emulator() ? 2 : 4, check_on_emulator() ? 1 : 2, 64); // more than one tile of queries and one run of keys
    test_packing((int[]){45, 1, 66}, 3, check_on_emulator() ? 2 : 12, 2, 128);
    test_packing((int[]){250, 40}, 2, 1, 1, 12);
    test_large_scores();
    return check_report("test_attention");
}
