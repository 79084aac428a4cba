// qk_norm: the equations and their finite differences in double, values passed through, weight gradients for 1 and 2 threads.
#include <omp.h>
#include "check.h"
#include "llmc/qk_norm.h"

static const float eps = 1e-2f; // large on purpose: forgetting it must show
static int N, H, KV, D;
static Tensor qkv, q_weight, k_weight, dout;

static double qk_norm(double *out) {
    double loss = 0;
    for (int n = 0; n < N; n++) {
        for (int h = 0; h < H + 2 * KV; h++) {
            size_t at = ((size_t)n * (H + 2 * KV) + h) * D;
            double mean_square = 0;
            for (int d = 0; d < D; d++) { mean_square += qkv.exact[at + d] * qkv.exact[at + d] / D; }
            for (int d = 0; d < D; d++) {
                double factor = h < H + KV ? (h < H ? q_weight : k_weight).exact[d] / sqrt(mean_square + eps) : 1;
                loss += dout.exact[at + d] * qkv.exact[at + d] * factor;
                if (out) { out[at + d] = qkv.exact[at + d] * factor; }
            }
        }
    }
    return loss;
}
static double loss(void) { return qk_norm(NULL); }

static void test_shape(int rows, int heads, int kv_heads, int head_size) {
    const double rounding = sizeof(floatX) == 2 ? 3e-3 : 1e-6;
    N = rows, H = heads, KV = kv_heads, D = head_size;
    int count = N * (H + 2 * KV) * D;
    qkv = tensor_random("qkv", count, 0.3, sizeof(floatX)), dout = tensor_random("dout", count, 0, sizeof(floatX));
    q_weight = tensor_random("q_weight", D, 1, sizeof(floatX)), k_weight = tensor_random("k_weight", D, 1, sizeof(floatX));
    Tensor out = tensor_random("out", count, 0, sizeof(floatX)), rstd = tensor_zero("rstd", N * (H + KV), sizeof(float));
    qk_norm_forward((floatX *)out.device, (float *)rstd.device, (floatX *)qkv.device, (floatX *)q_weight.device, (floatX *)k_weight.device, eps, N, H, KV, D);
    qk_norm(out.exact);
    check_values(&out, out.exact, rounding);
    Tensor dqkv = tensor_random("dqkv", count, 0, sizeof(floatX));
    Tensor dq_weight = tensor_random("dq_weight", D, 0, sizeof(float)), dk_weight = tensor_random("dk_weight", D, 0, sizeof(float));
    float start[2 * 256], bits[2][2 * 256];
    size_t bytes = (size_t)D * sizeof(float);
    device_download(start, dq_weight.device, bytes);
    device_download(start + D, dk_weight.device, bytes);
    for (int threads = 1; threads <= 2; threads++) {
        omp_set_num_threads(threads);
        tensor_upload(&dqkv);
        device_upload(dq_weight.device, start, bytes);
        device_upload(dk_weight.device, start + D, bytes);
        qk_norm_backward((floatX *)dqkv.device, (float *)dq_weight.device, (float *)dk_weight.device, (floatX *)dout.device, (floatX *)qkv.device,
                         (floatX *)q_weight.device, (floatX *)k_weight.device, (float *)rstd.device, N, H, KV, D);
        device_download(bits[threads - 1], dq_weight.device, bytes);
        device_download(bits[threads - 1] + D, dk_weight.device, bytes);
    }
    check(!memcmp(bits[0], bits[1], 2 * bytes), "N %d, D %d: weight gradients depend on the number of threads", N, D);
    check_gradient_written(&dqkv, &qkv, loss, rounding);
    check_gradient(&dq_weight, &q_weight, loss, 2e-6); // chains of N * H products in fp32
    check_gradient(&dk_weight, &k_weight, loss, 2e-6);
    Tensor *all[] = {&qkv, &q_weight, &k_weight, &dout, &out, &rstd, &dqkv, &dq_weight, &dk_weight};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) { tensor_free(all[i]); }
}
int main(void) {
    device_init();
    test_shape(3, 2, 1, 12);
    test_shape(5, 4, 2, 16);
    test_shape(2, 6, 1, 40);
    test_shape(15, 3, 3, 128); // enough elements to be shared among threads
    return check_report("test_qk_norm");
}
