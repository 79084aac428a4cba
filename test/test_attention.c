// attention: the equations and finite differences in double on ragged packs with padding; every sequence's bits independent of
// what it is packed with; the same bits for 1 and 2 threads; large scores.
#include <omp.h>
#include "check.h"
#include "llmc/attention.h"

enum { MAX_SEQUENCES = 8 };
typedef struct {
    int starts[MAX_SEQUENCES + 1], S, N, H, KV, D;
    float scale;
    Tensor qkv, out, lse, dout, dqkv, delta;
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
static double loss(void) { return attention_exact(current, NULL, NULL); }

static Case case_make(const int *lengths, int S, int padding, int H, int KV, int D, float scale) {
    Case c = {.S = S, .H = H, .KV = KV, .D = D, .scale = scale};
    for (int s = 0; s < S; s++) { c.starts[s + 1] = c.starts[s] + lengths[s]; }
    c.N = c.starts[S] + padding;
    c.qkv = tensor_random("qkv", c.N * (H + 2 * KV) * D, 0, sizeof(floatX));
    c.dout = tensor_random("dout", c.N * H * D, 0, sizeof(floatX));
    c.out = tensor_random("out", c.N * H * D, 0, sizeof(floatX)); // random, so that unwritten rows show
    c.lse = tensor_zero("lse", H * c.N, sizeof(float));
    c.delta = tensor_zero("delta", H * c.N, sizeof(float));
    c.dqkv = tensor_random("dqkv", c.qkv.count, 0, sizeof(floatX)); // random, so that `=` instead of `+=` shows
    return c;
}
static void case_free(Case *c) {
    Tensor *all[] = {&c->qkv, &c->out, &c->lse, &c->dout, &c->dqkv, &c->delta};
    for (int i = 0; i < 6; i++) { tensor_free(all[i]); }
}
static void case_forward(Case *c) {
    attention_forward(c->out.device, c->lse.device, c->qkv.device, c->starts, c->S, c->scale, c->N, c->H, c->KV, c->D);
}
static void case_backward(Case *c) {
    attention_backward(c->dqkv.device, c->delta.device, c->dout.device, c->qkv.device, c->out.device, c->lse.device, c->starts, c->S,
                       c->scale, c->N, c->H, c->KV, c->D);
}

static void test_equations(const int *lengths, int S, int padding, int H, int KV, int D, float scale) {
    // fp32: chains of up to D and T products; bf16: one rounding of out (2^-9) and, backward, of out inside delta
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
    check_gradient(&c.dqkv, &c.qkv, loss, backward);
    free(lse);
    case_free(&c);
}
int main(void) {
    device_init();
    test_equations((int[]){1, 5, 33}, 3, 3, 2, 1, 12, 0.3f);
    test_equations((int[]){40, 7}, 2, 0, 6, 1, 16, 0.25f);
    test_equations((int[]){3, 37}, 2, 5, 4, 4, 20, 0.2f);
    return check_report("test_attention");
}
