// rmsnorm: the equations and their finite differences in double, residual and in-place forms, rows that do not see each other,
// weight gradients that do not see the number of threads.
#include <omp.h>
#include "check.h"
#include "llmc/rmsnorm.h"

static const float eps = 1e-2f; // large on purpose: forgetting it must show
static int N, C;
static Tensor x, weight, dout;

static double rmsnorm(double *out, double *rstd) { // the equations of rmsnorm.h; returns sum(dout * out)
    double loss = 0;
    for (int n = 0; n < N; n++) {
        double mean_square = 0;
        for (int c = 0; c < C; c++) { mean_square += x.exact[n * C + c] * x.exact[n * C + c] / C; }
        if (rstd) { rstd[n] = 1 / sqrt(mean_square + eps); }
        for (int c = 0; c < C; c++) {
            double y = x.exact[n * C + c] / sqrt(mean_square + eps) * weight.exact[c];
            loss += dout.exact[n * C + c] * y;
            if (out) { out[n * C + c] = y; }
        }
    }
    return loss;
}
static double loss(void) { return rmsnorm(NULL, NULL); }

static void test_shape(int rows, int channels) {
    // fp32: a sum of C squares; bf16: one rounding of the result, 2^-9
    const double rounding = sizeof(floatX) == 2 ? 3e-3 : 1e-6;
    N = rows, C = channels;
    x = tensor_random("x", N * C, 0.5, sizeof(floatX)), weight = tensor_random("weight", C, 1, sizeof(floatX));
    dout = tensor_random("dout", N * C, 0, sizeof(floatX));
    Tensor out = tensor_random("out", N * C, 0, sizeof(floatX)), rstd = tensor_zero("rstd", N, sizeof(float));
    Tensor dx = tensor_random("dx", N * C, 0, sizeof(floatX)), dweight = tensor_random("dweight", C, 0, sizeof(float));

    rmsnorm_forward((floatX *)out.device, (float *)rstd.device, (floatX *)x.device, (floatX *)weight.device, eps, N, C);
    rmsnorm(out.exact, rstd.exact);
    check_values(&out, out.exact, rounding);
    check_values(&rstd, rstd.exact, 1e-6);
    // dx and dweight start random, so that `=` instead of `+=` shows
    rmsnorm_backward((floatX *)dx.device, (float *)dweight.device, (floatX *)dout.device, (floatX *)x.device, (floatX *)weight.device,
                     (float *)rstd.device, N, C);
    check_gradient(&dx, &x, loss, rounding);
    check_gradient(&dweight, &weight, loss, 1e-6);

    // residual + delta = x exactly would hide a missing addition: split x into halves that both count
    Tensor residual = tensor_random("residual", N * C, 0, sizeof(floatX)), delta = tensor_random("delta", N * C, 0.5, sizeof(floatX));
    for (int i = 0; i < N * C; i++) { x.exact[i] = residual.exact[i] + delta.exact[i]; }
    tensor_upload(&x); // rounded as the op rounds it
    Tensor sum = tensor_zero("sum", N * C, sizeof(floatX));
    rmsnorm_residual_forward((floatX *)sum.device, (floatX *)out.device, (float *)rstd.device, (floatX *)residual.device,
                             (floatX *)delta.device, (floatX *)weight.device, eps, N, C);
    rmsnorm(out.exact, rstd.exact);
    check_values(&sum, x.exact, 0);
    check_values(&out, out.exact, rounding);
    check_values(&rstd, rstd.exact, 1e-6);
    rmsnorm_residual_forward((floatX *)residual.device, (floatX *)out.device, (float *)rstd.device, (floatX *)residual.device,
                             (floatX *)delta.device, (floatX *)weight.device, eps, N, C);
    check_values(&residual, x.exact, 0); // in place
    check_values(&out, out.exact, rounding);
    Tensor *all[] = {&x, &weight, &dout, &out, &rstd, &dx, &dweight, &residual, &delta, &sum};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) { tensor_free(all[i]); }
}

// The residual form equals the plain one on its sum, a row alone equals the row in a batch, 1 thread equals 2.
static void test_bits(int rows, int channels) {
    size_t elements = (size_t)(rows * channels), bytes = elements * sizeof(floatX);
    Tensor a = tensor_random("a", (int)elements, 0, sizeof(floatX)), w = tensor_random("w", channels, 1, sizeof(floatX));
    Tensor zero = tensor_zero("zero", (int)elements, sizeof(floatX)), d = tensor_random("d", (int)elements, 0, sizeof(floatX));
    floatX *out = (floatX *)device_alloc("out", bytes), *other = (floatX *)device_alloc("other", bytes), *sum = (floatX *)device_alloc("sum", bytes);
    float *rstd = (float *)device_alloc("rstd", (size_t)rows * 4);
    unsigned char *first = (unsigned char *)host_alloc(bytes), *second = (unsigned char *)host_alloc(bytes);
    rmsnorm_forward(out, rstd, (floatX *)a.device, (floatX *)w.device, eps, rows, channels);
    rmsnorm_residual_forward(sum, other, rstd, (floatX *)a.device, (floatX *)zero.device, (floatX *)w.device, eps, rows, channels);
    device_download(first, out, bytes);
    device_download(second, other, bytes);
    check(!memcmp(first, second, bytes), "C %d: the residual form differs from the plain one", channels);
    int row = rows - 2;
    rmsnorm_forward(other, rstd, (floatX *)a.device + row * channels, (floatX *)w.device, eps, 1, channels);
    device_download(second, other, (size_t)channels * sizeof(floatX));
    check(!memcmp(first + (size_t)(row * channels) * sizeof(floatX), second, (size_t)channels * sizeof(floatX)), "C %d: a row depends on its batch", channels);
    float *gradient[2];
    for (int threads = 1; threads <= 2; threads++) {
        omp_set_num_threads(threads);
        float *dweight = (float *)device_alloc("dweight", (size_t)channels * 4);
        device_zero(other, bytes);
        rmsnorm_forward(out, rstd, (floatX *)a.device, (floatX *)w.device, eps, rows, channels);
        rmsnorm_backward(other, dweight, (floatX *)d.device, (floatX *)a.device, (floatX *)w.device, rstd, rows, channels);
        gradient[threads - 1] = (float *)host_alloc((size_t)channels * 4);
        device_download(gradient[threads - 1], dweight, (size_t)channels * 4);
        device_download(threads == 1 ? first : second, other, bytes);
    }
    check(!memcmp(first, second, bytes), "C %d: dx depends on the number of threads", channels);
    check(!memcmp(gradient[0], gradient[1], (size_t)channels * 4), "C %d: dweight depends on the number of threads", channels);
    double error = 0, norm = 0;
    for (int c = 0; c < channels; c++) {
        double want = 0;
        for (int n = 0; n < rows; n++) {
            double mean_square = 0;
            for (int k = 0; k < channels && c == 0; k++) { mean_square += a.exact[n * channels + k] * a.exact[n * channels + k] / channels; }
            if (c == 0) { zero.exact[n] = 1 / sqrt(mean_square + eps); }
            want += d.exact[n * channels + c] * a.exact[n * channels + c] * zero.exact[n];
        }
        error += (gradient[0][c] - want) * (gradient[0][c] - want), norm += want * want;
    }
    check(sqrt(error / norm) < 1e-6, "C %d: dweight over many rows off by %.1e", channels, sqrt(error / norm));
    Tensor *all[] = {&a, &w, &zero, &d};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) { tensor_free(all[i]); }
    free(gradient[0]);
    free(gradient[1]);
    free(first);
    free(second);
}

int main(void) {
    device_init();
    test_shape(7, 96);
    test_shape(1, 5);
    test_shape(67, 33);
    test_bits(301, 96);
    test_bits(130, 1536); // more rows than one pass of the backward kernel takes
    test_bits(35, 712);   // GPU: other numbers of values in a lane's registers, rows that do not begin on 16 bytes,
    test_bits(35, 1801);
    test_bits(40, 2056); // and rows too long for registers
    test_bits(35, 2049);
    return check_report("test_rmsnorm");
}
