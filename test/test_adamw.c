// adamw: steps against the equations in double, the last odd elements, weights in place, and no neighbour touched.
#include "llmc/adamw.h"
#include "test/check.h"

// m, v and master are a few fp32 roundings from the exact values; a bf16 weight is the fp32 one rounded once.
static const double tolerance_float = 1e-6, tolerance = sizeof(floatX) == 4 ? 1e-6 : 4e-3;

static void test_steps(int count, int steps) {
    Tensor weight = tensor_random("weight", count + 1, 0, sizeof(floatX)), master = tensor_random("master", count + 1, 0, sizeof(float));
    Tensor m = tensor_zero("m", count + 1, sizeof(float)), v = tensor_zero("v", count + 1, sizeof(float));
    double *theta = (double *)host_alloc((size_t)(count + 1) * sizeof(double)), *mean = (double *)host_alloc((size_t)(count + 1) * sizeof(double));
    double *square = (double *)host_alloc((size_t)(count + 1) * sizeof(double)), last_weight = weight.exact[count];
    memcpy(theta, master.exact, (size_t)(count + 1) * sizeof(double));
    float beta1 = 0.9f, beta2 = 0.99f, eps = 1e-3f, rate = 0.1f, decay = 0.05f, scale = 0.7f; // large, so that every term shows
    for (int step = 1; step <= steps; step++) {
        Tensor grad = tensor_random("grad", count, 0, sizeof(float));
        for (int i = 0; i < count; i++) {
            double g = (double)scale * grad.exact[i];
            mean[i] = (double)beta1 * mean[i] + (1 - (double)beta1) * g;
            square[i] = (double)beta2 * square[i] + (1 - (double)beta2) * g * g;
            double mean_hat = mean[i] / (1 - pow((double)beta1, step)), square_hat = square[i] / (1 - pow((double)beta2, step));
            theta[i] -= (double)rate * (mean_hat / (sqrt(square_hat) + (double)eps) + (double)decay * theta[i]);
        }
        adamw_update((floatX *)weight.device, (float *)master.device, (float *)m.device, (float *)v.device, (float *)grad.device, (size_t)count, scale, rate,
                     beta1, beta2, eps, decay, step);
        tensor_free(&grad);
    }
    check_values(&master, theta, tolerance_float); // with the element behind the last, which must keep its value
    check_values(&m, mean, tolerance_float);
    check_values(&v, square, tolerance_float);
    theta[count] = last_weight;
    check_values(&weight, theta, tolerance);
    double *weights = (double *)host_alloc((size_t)(count + 1) * sizeof(double)), *masters = (double *)host_alloc((size_t)(count + 1) * sizeof(double));
    int differing = 0;
    tensor_download(&weight, weights);
    tensor_download(&master, masters);
    for (int i = 0; i < count; i++) { differing += weights[i] != (double)to_float(to_floatX((float)masters[i])); }
    check(differing == 0, "%d weights are not their master rounded", differing);
    free(weights);
    free(masters);
    free(theta);
    free(mean);
    free(square);
    Tensor *all[4] = {&weight, &master, &m, &v};
    for (int i = 0; i < 4; i++) { tensor_free(all[i]); }
    device_shutdown();
}
static bool same_floats(const float *device_a, const float *device_b, int count) {
    float *a = (float *)host_alloc((size_t)count * 4), *b = (float *)host_alloc((size_t)count * 4);
    device_download(a, device_a, (size_t)count * 4);
    device_download(b, device_b, (size_t)count * 4);
    bool same = memcmp(a, b, (size_t)count * 4) == 0;
    free(a);
    free(b);
    return same;
}
// A parameter's bits do not depend on where it stands: a shard of another length, beginning elsewhere, gives the same.
static void test_place(void) {
    enum { COUNT = 1000 };
    Tensor master = tensor_random("master", COUNT, 0, sizeof(float)), grad = tensor_random("grad", COUNT, 0, sizeof(float));
    float *whole = (float *)master.device, *m = (float *)device_alloc("m", COUNT * 4), *v = (float *)device_alloc("v", COUNT * 4);
    float *part = (float *)device_alloc("part", COUNT * 4), *part_m = (float *)device_alloc("m", COUNT * 4), *part_v = (float *)device_alloc("v", COUNT * 4);
    floatX *weight = (floatX *)device_alloc("weight", COUNT * sizeof(floatX));
    device_copy(part, whole, COUNT * 4);
    adamw_update(weight, whole, m, v, (float *)grad.device, COUNT, 1, 0.1f, 0.9f, 0.999f, 1e-8f, 0.01f, 1);
    for (int begin = 0; begin < COUNT; begin += 333) {
        int count = COUNT - begin < 333 ? COUNT - begin : 333;
        adamw_update(weight, part + begin, part_m + begin, part_v + begin, (float *)grad.device + begin, (size_t)count, 1, 0.1f, 0.9f, 0.999f, 1e-8f, 0.01f, 1);
    }
    check(same_floats(whole, part, COUNT) && same_floats(m, part_m, COUNT) && same_floats(v, part_v, COUNT), "shards give other bits than the whole");
    tensor_free(&master);
    tensor_free(&grad);
    device_shutdown();
}
static void test_in_place(void) { // an fp32 build may keep no second copy
    if (sizeof(floatX) != sizeof(float)) { return; }
    Tensor apart = tensor_random("apart", 37, 0, sizeof(float)), grad = tensor_random("grad", 37, 0, sizeof(float));
    float *together = (float *)device_alloc("together", 37 * 4), *state = (float *)device_alloc("state", 4 * 37 * 4);
    floatX *weight = (floatX *)device_alloc("weight", 37 * sizeof(floatX));
    device_copy(together, apart.device, 37 * 4);
    adamw_update(weight, (float *)apart.device, state, state + 37, (float *)grad.device, 37, 1, 0.1f, 0.9f, 0.999f, 1e-8f, 0.01f, 1);
    adamw_update((floatX *)(void *)together, together, state + 74, state + 111, (float *)grad.device, 37, 1, 0.1f, 0.9f, 0.999f, 1e-8f, 0.01f, 1);
    check(same_floats(together, (float *)apart.device, 37), "master that is the weight itself is updated differently");
    tensor_free(&apart);
    tensor_free(&grad);
    device_shutdown();
}

int main(void) {
    device_init();
    int counts[] = {0, 1, 15, 16, 45, 100003};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) { test_steps(counts[i], 4); }
    test_place();
    test_in_place();
    return check_report("test_adamw");
}
