// attention_forward at the head sizes of real models (64 and 128 channels) over sequences longer than any kernel's tile: the equations in
// double, more sequences than lanes in a warp, padding longer than a tile, and broken tokens that may not reach the rows before them.
#include "check.h"
#include "llmc/attention.h"

typedef struct {
    int *starts, *device_starts, S, N, H, KV, D;
    float scale;
    Tensor qkv, out, lse;
} Case;
static Case case_make(const int *lengths, int S, int padding, int H, int KV, int D, float scale) {
    Case c = {.S = S, .H = H, .KV = KV, .D = D, .scale = scale};
    c.starts = (int *)host_alloc((size_t)(S + 1) * sizeof(int));
    c.starts[0] = 0;
    for (int s = 0; s < S; s++) { c.starts[s + 1] = c.starts[s] + lengths[s]; }
    c.N = c.starts[S] + padding;
    c.device_starts = (int *)device_array("starts", c.starts, (size_t)(S + 1) * sizeof(int));
    c.qkv = tensor_random("qkv", c.N * (H + 2 * KV) * D, 0, sizeof(floatX));
    c.out = tensor_random("out", c.N * H * D, 0, sizeof(floatX)); // random, so that unwritten rows show
    c.lse = tensor_random("lse", H * c.N, 0, sizeof(float));
    return c;
}
static void case_free(Case *c) {
    Tensor *all[] = {&c->qkv, &c->out, &c->lse};
    for (int i = 0; i < 3; i++) { tensor_free(all[i]); }
    free(c->starts);
}
static void case_forward(Case *c) {
    attention_forward(c->out.device, c->lse.device, c->qkv.device, c->device_starts, c->S, c->scale, c->N, c->H, c->KV, c->D);
}
// The equations of attention.h in double; padding is 0.
static void case_exact(const Case *c, double *out, double *lse) {
    int width = (c->H + 2 * c->KV) * c->D;
    double *p = (double *)host_alloc((size_t)c->N * sizeof(double));
    memset(out, 0, (size_t)c->out.count * sizeof(double));
    memset(lse, 0, (size_t)c->lse.count * sizeof(double));
    for (int s = 0; s < c->S; s++) {
        for (int i = c->starts[s]; i < c->starts[s + 1]; i++) {
            for (int h = 0; h < c->H; h++) {
                const double *q = c->qkv.exact + (size_t)i * width + h * c->D;
                double *row = out + ((size_t)i * c->H + h) * c->D, largest = -INFINITY, sum = 0;
                int key = (c->H + h / (c->H / c->KV)) * c->D;
                for (int j = c->starts[s]; j <= i; j++) {
                    const double *k = c->qkv.exact + (size_t)j * width + key;
                    p[j] = 0;
                    for (int d = 0; d < c->D; d++) { p[j] += (double)c->scale * q[d] * k[d]; }
                    largest = fmax(largest, p[j]);
                }
                for (int j = c->starts[s]; j <= i; j++) { sum += p[j] = exp(p[j] - largest); }
                for (int j = c->starts[s]; j <= i; j++) {
                    const double *v = c->qkv.exact + (size_t)j * width + key + c->KV * c->D;
                    for (int d = 0; d < c->D; d++) { row[d] += p[j] / sum * v[d]; }
                }
                lse[(size_t)h * c->N + i] = largest + log(sum);
            }
        }
    }
    free(p);
}
static void test_equations(const int *lengths, int S, int padding, int H, int KV, int D, float scale, double size) {
    Case c = case_make(lengths, S, padding, H, KV, D, scale);
    double *out = (double *)host_alloc((size_t)c.out.count * sizeof(double)), *lse = (double *)host_alloc((size_t)c.lse.count * sizeof(double));
    for (int i = 0; i < c.qkv.count; i++) { c.qkv.exact[i] *= size; }
    tensor_upload(&c.qkv);
    case_forward(&c);
    case_exact(&c, out, lse);
    // fp32: sums over D and over the keys; a score of 10^3 is known to 10^-4. bf16: out is rounded once (2^-9) and, on a GPU, so is each weight
    check_values(&c.out, out, sizeof(floatX) == 2 ? 3e-3 : size > 1 ? 1e-4
                                                                    : 1e-6);
    check_values(&c.lse, lse, 1e-6);
    free(out);
    free(lse);
    case_free(&c);
}
// NaN as one token's key or value leaves every row before it and every other sequence as it was, to the bit; its own row and the later ones show it.
static void test_broken(int D, int channel, int late) {
    const int lengths[] = {40, 200, 20}, H = 2, KV = 1, width = (H + 2 * KV) * D;
    Case c = case_make(lengths, 3, 3, H, KV, D, 0.2f), broken = case_make(lengths, 3, 3, H, KV, D, 0.2f);
    floatX nan = to_floatX(NAN);
    device_copy(broken.qkv.device, c.qkv.device, (size_t)c.qkv.count * sizeof(floatX));
    for (int row = c.starts[3]; row < c.N; row++) { // padding may hold anything
        for (int i = 0; i < width; i++) { device_upload((floatX *)broken.qkv.device + row * width + i, &nan, sizeof(nan)); }
    }
    device_upload((floatX *)broken.qkv.device + (c.starts[1] + late) * width + channel, &nan, sizeof(nan));
    case_forward(&c);
    case_forward(&broken);
    double *good = (double *)host_alloc((size_t)c.out.count * sizeof(double)), *bad = (double *)host_alloc((size_t)c.out.count * sizeof(double));
    tensor_download(&c.out, good);
    tensor_download(&broken.out, bad);
    int changed = 0, hidden = 0;
    // the CPU, fp32 kernels and the kernel for Hopper leave masked values out; other tensor-core kernels multiply them by 0, so they must be finite
    bool spared = check_on_cpu() || sizeof(floatX) == 4 || strstr(device_name(), "sm_90");
    for (int i = 0; i < c.N; i++) {
        bool reached = i >= c.starts[1] + late && i < c.starts[2], shown = false;
        if (!spared && i >= c.starts[1] && i < c.starts[1] + late) { continue; }
        for (int j = i * H * D; j < (i + 1) * H * D; j++) {
            changed += !reached && good[j] != bad[j];
            shown = shown || isnan(bad[j]);
        }
        hidden += reached && !shown;
    }
    check(changed == 0, "D %d, channel %d, row %d: %d values outside its reach changed", D, channel, late, changed);
    check(hidden == 0, "D %d, channel %d, row %d: %d rows hide the broken token", D, channel, late, hidden);
    free(good);
    free(bad);
    case_free(&c);
    case_free(&broken);
}

int main(void) {
    device_init();
    int many[70];
    for (int s = 0; s < 70; s++) { many[s] = 1 + s * 7 % 13 + (s == 40) * 200; }
    test_equations(many, 70, 0, 1, 1, 64, 0.3f, 1);
    test_broken(64, 3 * 64 + 5, 127);                                                               // a value in the last row of a tile
    if (check_on_emulator() && sizeof(floatX) == 4) { return check_report("test_attention_long"); } // no kernel with long tiles
    test_equations((int[]){300, 17, 128, 129}, 4, 5, 2, 1, 128, 0.088f, 1);
    test_equations((int[]){400, 1}, 2, 150, 4, 2, 64, 0.125f, 1);
    test_equations((int[]){256}, 1, 0, 1, 1, 128, 1.0f, 8); // scores in the hundreds
    test_broken(64, 2 * 64 + 5, 100);                       // a key
    test_broken(64, 3 * 64 + 63, 128);                      // values: in the first row of a tile, inside
    test_broken(128, 3 * 128 + 127, 191);
    return check_report("test_attention_long");
}
