// gradient_norm: the sum of squares against double, with odd lengths, large and broken elements, and the same bits from any number of threads.
#include <omp.h>
#include "llmc/gradient_norm.h"
#include "test/check.h"

static void test_count(size_t count) {
    Tensor grad = tensor_random("grad", (int)count, 0, sizeof(float));
    double want = 0;
    for (size_t i = 0; i < count; i++) { want += grad.exact[i] * grad.exact[i]; }
    double got = gradient_square_sum((float *)grad.device, count);
    check(fabs(got - want) <= 1e-12 * want, "%zu elements: %.17g, not %.17g", count, got, want); // both in double: only the order differs
    int threads = omp_get_max_threads();
    for (int t = 1; t <= 3; t++) {
        omp_set_num_threads(t);
        check(gradient_square_sum((float *)grad.device, count) == got, "%zu elements: %d threads give other bits", count, t);
    }
    omp_set_num_threads(threads);
    tensor_free(&grad);
    device_shutdown();
}
static void test_extremes(void) {
    enum { COUNT = 50000 };
    float *grad = (float *)device_alloc("grad", COUNT * sizeof(float)), *host = (float *)host_alloc(COUNT * sizeof(float));
    for (int i = 0; i < COUNT; i++) { host[i] = 1e20f; } // a square above fp32
    device_upload(grad, host, COUNT * sizeof(float));
    double large = (double)1e20f * (double)1e20f * COUNT;
    check(fabs(gradient_square_sum(grad, COUNT) / large - 1) < 1e-12, "elements of 1e20 overflow");
    for (int i = 0; i < COUNT; i++) { host[i] = 1e-25f; } // a square below fp32
    device_upload(grad, host, COUNT * sizeof(float));
    double small = (double)1e-25f * (double)1e-25f * COUNT;
    check(fabs(gradient_square_sum(grad, COUNT) / small - 1) < 1e-12, "elements of 1e-25 underflow");
    int places[3] = {0, 31234, COUNT - 1};
    for (int p = 0; p < 3; p++) {
        float broken = NAN;
        device_upload(grad + places[p], &broken, sizeof(float));
        check(isnan(gradient_square_sum(grad, COUNT)), "a NaN at %d does not show", places[p]);
        broken = -INFINITY;
        device_upload(grad + places[p], &broken, sizeof(float));
        check(isinf(gradient_square_sum(grad, COUNT)), "an infinity at %d does not show", places[p]);
        broken = 1;
        device_upload(grad + places[p], &broken, sizeof(float));
    }
    free(host);
    device_shutdown();
}

int main(void) {
    device_init();
    size_t counts[] = {0, 1, 33, 16383, 16384, 16385, 1000003};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) { test_count(counts[i]); }
    test_extremes();
    return check_report("test_gradient_norm");
}
