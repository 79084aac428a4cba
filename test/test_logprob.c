// logprob: values against the equations in double, gradients against central differences, rows of every awkward width, extreme logits.
#include "llmc/logprob.h"
#include "test/check.h"

// fp32 results: the error of a fp32 z = logit / temperature of up to 40 and of a sum of e^z; dlogits in bf16 are rounded once, by 2^-8 at most.
static const double tolerance_float = 3e-6, tolerance = sizeof(floatX) == 4 ? 3e-6 : 4e-3;

static int N, V, stride, *targets, *device_targets; // targets: on the host
static double temperature;
static Tensor logits, dlogprob, dentropy;

static void row_exact(int n, double *logprob, double *entropy, double *lse) {
    const double *row = logits.exact + (size_t)n * stride;
    double largest = -1e300, sum = 0, mean = 0;
    for (int v = 0; v < V; v++) { largest = fmax(largest, row[v] / temperature); }
    for (int v = 0; v < V; v++) { sum += exp(row[v] / temperature - largest); }
    *lse = largest + log(sum);
    for (int v = 0; v < V; v++) {
        double p = exp(row[v] / temperature - *lse);
        if (p > 0) { mean += p * (row[v] / temperature); }
    }
    *logprob = targets[n] < 0 ? 0 : row[targets[n]] / temperature - *lse;
    *entropy = *lse - mean;
}
static double loss(void) {
    double total = 0;
    for (int n = 0; n < N; n++) {
        double logprob, entropy, lse;
        row_exact(n, &logprob, &entropy, &lse);
        total += dlogprob.exact[n] * logprob + dentropy.exact[n] * entropy;
    }
    return total;
}
static void make_rows(int rows, int width, int row_stride, double t, double spread) {
    N = rows, V = width, stride = row_stride, temperature = t;
    logits = tensor_random("logits", N * stride, 0, sizeof(float));
    for (int i = 0; i < N * stride; i++) { logits.exact[i] *= spread; }
    for (int n = 0; n < N; n++) {
        for (int v = V; v < stride; v++) { logits.exact[(size_t)n * stride + v] = 1e6; } // ids that do not exist must not count
    }
    tensor_upload(&logits);
    dlogprob = tensor_random("dlogprob", N, 0, sizeof(float));
    dentropy = tensor_random("dentropy", N, 0, sizeof(float));
    targets = (int *)host_alloc((size_t)N * sizeof(int));
    for (int n = 0; n < N; n++) { targets[n] = n % 5 == 3 ? -1 : n == 0 ? V - 1
                                                                        : (int)((check_random() + 1) / 2 * V); }
    device_targets = (int *)device_array("targets", targets, (size_t)N * sizeof(int));
}
static void free_rows(void) {
    tensor_free(&logits);
    tensor_free(&dlogprob);
    tensor_free(&dentropy);
    free(targets);
    device_shutdown();
}
static void test_rows(int rows, int width, int row_stride, double t, double spread, bool differences) {
    make_rows(rows, width, row_stride, t, spread);
    Tensor logprob = tensor_random("logprob", N, 0, sizeof(float)), entropy = tensor_random("entropy", N, 0, sizeof(float));
    Tensor lse = tensor_random("lse", N, 0, sizeof(float)), dlogits = tensor_random("dlogits", N * stride, 0, sizeof(floatX));
    double *want[3];
    for (int i = 0; i < 3; i++) { want[i] = (double *)host_alloc((size_t)N * sizeof(double)); }
    for (int n = 0; n < N; n++) { row_exact(n, want[0] + n, want[1] + n, want[2] + n); }
    logprob_forward((float *)logprob.device, (float *)entropy.device, (float *)lse.device, (float *)logits.device, device_targets, (float)t, N, V, stride);
    check_values(&logprob, want[0], tolerance_float);
    check_values(&entropy, want[1], tolerance_float * 3); // what is left of lse and a mean that nearly cancel
    check_values(&lse, want[2], tolerance_float);
    logprob_backward((floatX *)dlogits.device, (float *)logits.device, (float *)lse.device, (float *)entropy.device, device_targets,
                     (float *)dlogprob.device, (float *)dentropy.device, (float)t, N, V, stride);
    double *got = (double *)host_alloc((size_t)N * stride * sizeof(double)), *gradient = (double *)host_alloc((size_t)N * stride * sizeof(double));
    tensor_download(&dlogits, got);
    for (int n = 0; n < N; n++) {
        double sum = 0, size = 1e-30;
        for (int v = 0; v < stride; v++) {
            double z = logits.exact[(size_t)n * stride + v] / t, p = v < V ? exp(z - want[2][n]) : 0;
            gradient[(size_t)n * stride + v] = v >= V ? 0
                                                      : ((targets[n] < 0 ? 0 : dlogprob.exact[n] * ((v == targets[n]) - p)) -
                                                         (p > 0 ? dentropy.exact[n] * p * (z - want[2][n] + want[1][n]) : 0)) /
                                                            t;
            sum += got[(size_t)n * stride + v], size += fabs(got[(size_t)n * stride + v]);
            if (v >= V && got[(size_t)n * stride + v] != 0) { check(false, "row %d: id %d of %d has the gradient %g", n, v, V, got[(size_t)n * stride + v]); }
        }
        check(fabs(sum) <= tolerance * 3 * size + 1e-6, "row %d: dlogits sum to %g of %g; a softmax does not change with a common shift", n, sum, size);
    }
    check_values(&dlogits, gradient, tolerance * (spread > 10 ? 3 : 1)); // fp32 z of 100 is off by 4e-6, and p by as much of itself
    if (differences) {
        memset(dlogits.exact, 0, (size_t)N * stride * sizeof(double)); // written, not added to
        check_gradient(&dlogits, &logits, loss, tolerance);
    }
    // each row alone has the same bits
    float many[3], one[3], *alone = (float *)device_alloc("alone", sizeof(one));
    for (int n = 0; n < N; n += 3) {
        logprob_forward(alone, alone + 1, alone + 2, (float *)logits.device + (size_t)n * stride, device_targets + n, (float)t, 1, V, stride);
        device_download(one, alone, sizeof(one));
        device_download(many, (float *)logprob.device + n, sizeof(float));
        device_download(many + 1, (float *)entropy.device + n, sizeof(float));
        device_download(many + 2, (float *)lse.device + n, sizeof(float));
        check(!memcmp(many, one, sizeof(one)), "row %d alone has other bits than among %d", n, N);
    }
    for (int i = 0; i < 3; i++) { free(want[i]); }
    free(got);
    free(gradient);
    Tensor *made[4] = {&logprob, &entropy, &lse, &dlogits};
    for (int i = 0; i < 4; i++) { tensor_free(made[i]); }
    free_rows();
}
static void test_extremes(void) {
    make_rows(4, 40, 48, 1, 1);
    double *row = logits.exact;
    row[7] = -INFINITY, row[20] = -INFINITY;                 // forbidden ids: probability zero
    row[stride + 3] = 1e4;                                   // certainty
    for (int v = 0; v < V; v++) { row[2 * stride + v] = 5; } // no preference
    row[3 * stride + 11] = NAN;
    tensor_upload(&logits);
    device_upload(device_targets, (int[]){5, 3, 0, 0}, 4 * sizeof(int));
    float result[3][4], *device = (float *)device_alloc("results", sizeof(result));
    const float *logprob = result[0], *entropy = result[1], *lse = result[2];
    floatX dlogits[48], *device_dlogits = (floatX *)device_alloc("dlogits", 4 * 48 * sizeof(floatX));
    logprob_forward(device, device + 4, device + 8, (float *)logits.device, device_targets, 1, 4, V, stride);
    logprob_backward(device_dlogits, (float *)logits.device, device + 8, device + 4, device_targets, (float *)dlogprob.device, (float *)dentropy.device, 1, 4, V, stride);
    device_download(result, device, sizeof(result));
    device_download(dlogits, device_dlogits, sizeof(dlogits));
    check(isfinite(logprob[0]) && isfinite(entropy[0]), "logits of -infinity leave %g, %g", logprob[0], entropy[0]);
    check(to_float(dlogits[7]) == 0 && to_float(dlogits[20]) == 0, "a logit of -infinity has a gradient");
    check(logprob[1] == 0 && entropy[1] == 0 && lse[1] == 1e4f, "a certain id: %g, %g, %g", logprob[1], entropy[1], lse[1]);
    check(fabs(logprob[2] + log(40)) < 1e-6 && fabs(entropy[2] - log(40)) < 1e-6, "equal logits: %g, %g, not log 40", logprob[2], entropy[2]);
    check(isnan(logprob[3]) && isnan(entropy[3]) && isnan(lse[3]), "a NaN among the logits does not show");
    free_rows();
}
// bf16 has 8 bits of precision and fp32's exponents; ties go to the even neighbour.
static double round_to_bits(double x, int bits) {
    int exponent;
    const double fraction = frexp(x, &exponent);
    return isfinite(x) ? ldexp(nearbyint(ldexp(fraction, bits)), exponent - bits) : x;
}
static void test_rounding(void) {
    enum { COUNT = 70001 };
    static float values[COUNT], rounded[COUNT];
    const float T = 0.6f, scale = 1.0f / T;
    for (int i = 0; i < COUNT; i++) { values[i] = (float)check_random() * powf(2, (float)(i % 13 - 6)); }
    values[0] = INFINITY, values[1] = -INFINITY, values[2] = NAN, values[3] = 0, values[4] = 1.00390625f, values[5] = 1.01171875f; // the last two: ties
    float *device = (float *)device_array("logits", values, sizeof(values));
    logits_round(device, T, COUNT);
    device_download(rounded, device, sizeof(rounded));
    int different = 0;
    for (int i = 0; i < COUNT; i++) {
        const double divided = round_to_bits(round_to_bits(round_to_bits((double)values[i], 8) * (double)scale, 24), 8); // the product is a float before it is a bf16
        different += !((double)rounded[i] == round_to_bits((double)T * divided, 24) || (isnan(values[i]) && isnan(rounded[i])));
    }
    check(different == 0, "%d of %d logits are not rounded as bf16", different, COUNT);
    check(fabsf(rounded[4] - 1.0f) < 0.01f && rounded[0] == INFINITY && rounded[1] == -INFINITY && rounded[3] == 0, "ties, infinities, zero");
    device_shutdown();
}

int main(void) {
    device_init();
    test_rounding();
    test_rows(7, 24, 32, 0.6, 3, true);
    test_rows(9, 37, 37, 1.0, 3, true);
    test_rows(5, 1, 4, 0.7, 3, true);
    test_rows(6, 2048 + 65, 2200, 0.6, 12, false);
    test_rows(3, 151665, 151936, 0.6, 20, false);
    test_rows(2, 700001, 700001, 1.0, 5, false); // more ids than blocks of the usual size
    test_extremes();
    return check_report("test_logprob");
}
