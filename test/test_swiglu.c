// swiglu: the equations and their finite differences in double, gates far out where exp over- or underflows.
#include "check.h"
#include "llmc/swiglu.h"

static int N, F;
static Tensor gate_up, dout;

static double swiglu(double *out) {
    double loss = 0;
    for (int n = 0; n < N; n++) {
        for (int f = 0; f < F; f++) {
            double gate = gate_up.exact[n * 2 * F + f], up = gate_up.exact[n * 2 * F + F + f], y = gate / (1 + exp(-gate)) * up;
            loss += dout.exact[n * F + f] * y;
            if (out) { out[n * F + f] = y; }
        }
    }
    return loss;
}
static double loss(void) { return swiglu(NULL); }

static void test_shape(int rows, int features, double spread) {
    const double rounding = sizeof(floatX) == 2 ? 3e-3 : 1e-6; // bf16: one rounding; fp32: exp is good to 2 units in the last place
    N = rows, F = features;
    gate_up = tensor_random("gate_up", N * 2 * F, 0, sizeof(floatX)), dout = tensor_random("dout", N * F, 0, sizeof(floatX));
    for (int i = 0; i < gate_up.count; i++) { gate_up.exact[i] *= spread; }
    tensor_upload(&gate_up);
    Tensor out = tensor_random("out", N * F, 0, sizeof(floatX)), dgate_up = tensor_random("dgate_up", N * 2 * F, 0, sizeof(floatX));
    swiglu_forward((floatX *)out.device, (floatX *)gate_up.device, N, F);
    swiglu(out.exact);
    check_values(&out, out.exact, rounding);
    swiglu_backward((floatX *)dgate_up.device, (floatX *)dout.device, (floatX *)gate_up.device, N, F);
    check_gradient_written(&dgate_up, &gate_up, loss, rounding);
    Tensor *all[] = {&gate_up, &dout, &out, &dgate_up};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) { tensor_free(all[i]); }
}
static void test_far_gates(void) {
    N = 1, F = 6;
    const double gates[6] = {-1e4, -200, -88, 88, 200, 1e4};
    gate_up = tensor_zero("far gates", 12, sizeof(floatX)), dout = tensor_zero("dout", 6, sizeof(floatX));
    for (int i = 0; i < 6; i++) { gate_up.exact[i] = gates[i], gate_up.exact[6 + i] = 1, dout.exact[i] = 1; }
    tensor_upload(&gate_up);
    tensor_upload(&dout);
    Tensor out = tensor_zero("far gates", 6, sizeof(floatX)), dgate_up = tensor_zero("far gradients", 12, sizeof(floatX));
    swiglu_forward((floatX *)out.device, (floatX *)gate_up.device, N, F);
    swiglu_backward((floatX *)dgate_up.device, (floatX *)dout.device, (floatX *)gate_up.device, N, F);
    double got[12];
    tensor_download(&out, got);
    for (int i = 0; i < 6; i++) {
        double want = i < 3 ? 0 : gate_up.exact[i];
        check(fabs(got[i] - want) <= 1e-5 * fabs(gate_up.exact[i]), "gate %g gives %g, want %g", gate_up.exact[i], got[i], want);
    }
    tensor_download(&dgate_up, got);
    for (int i = 0; i < 6; i++) { check(fabs(got[i] - (i >= 3)) < 1e-5, "gate %g has slope %g", gate_up.exact[i], got[i]); }
    Tensor *all[] = {&gate_up, &dout, &out, &dgate_up};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) { tensor_free(all[i]); }
}
int main(void) {
    device_init();
    test_shape(3, 37, 2);
    test_shape(1, 5, 1);
    test_shape(2, 1040, 20); // longer than a piece
    test_far_gates();
    return check_report("test_swiglu");
}
