// rope: the rotation in double with Hugging Face's pairing, values untouched, the gradient as the opposite rotation, lengths kept.
#include "check.h"
#include "llmc/rope.h"

enum { P = 50 }; // positions in the table

static void test_shape(int N, int H, int KV, int D) {
    const double rounding = sizeof(floatX) == 2 ? 3e-3 : 3e-7; // one rounding, and the table's cos and sin in fp32
    int width = (H + 2 * KV) * D, half = D / 2;
    float *table = (float *)host_alloc((size_t)(P * D) * sizeof(float));
    int *positions = (int *)host_alloc((size_t)N * sizeof(int));
    for (int p = 0; p < P; p++) {
        for (int i = 0; i < half; i++) {
            double angle = p * pow(10000.0, -2.0 * i / D);
            table[p * D + 2 * i] = (float)cos(angle), table[p * D + 2 * i + 1] = (float)sin(angle);
        }
    }
    for (int n = 0; n < N; n++) { positions[n] = (n * 37 + 1) % P; } // neither rising nor equal to the row number
    float *device_table = (float *)device_alloc("table", (size_t)(P * D) * sizeof(float));
    int *device_positions = (int *)device_alloc("positions", (size_t)N * sizeof(int));
    device_upload(device_table, table, (size_t)(P * D) * sizeof(float));
    device_upload(device_positions, positions, (size_t)N * sizeof(int));

    for (int backward = 0; backward < 2; backward++) {
        Tensor qkv = tensor_random(backward ? "rope dqkv" : "rope qkv", N * width, 0, sizeof(floatX));
        double *want = (double *)host_alloc((size_t)(N * width) * sizeof(double));
        memcpy(want, qkv.exact, (size_t)(N * width) * sizeof(double));
        for (int n = 0; n < N; n++) {
            for (int h = 0; h < H + KV; h++) {
                for (int i = 0; i < half; i++) {
                    double angle = (backward ? -1 : 1) * positions[n] * pow(10000.0, -2.0 * i / D);
                    int a = n * width + h * D + i, b = a + half;
                    want[a] = qkv.exact[a] * cos(angle) - qkv.exact[b] * sin(angle);
                    want[b] = qkv.exact[b] * cos(angle) + qkv.exact[a] * sin(angle);
                }
            }
        }
        (backward ? rope_backward : rope_forward)((floatX *)qkv.device, device_table, device_positions, N, H, KV, D);
        check_values(&qkv, want, rounding);
        double *got = (double *)host_alloc((size_t)(N * width) * sizeof(double));
        tensor_download(&qkv, got);
        bool untouched = true;
        for (int n = 0; n < N; n++) {
            for (int c = (H + KV) * D; c < width; c++) { untouched = untouched && got[n * width + c] == qkv.exact[n * width + c]; }
        }
        check(untouched, "D %d: a value head was changed", D);
        free(want);
        free(got);
        tensor_free(&qkv);
    }
    free(table);
    free(positions);
}
int main(void) {
    device_init();
    test_shape(5, 2, 1, 12);
    test_shape(70, 4, 2, 16);
    test_shape(3, 12, 2, 128);
    test_shape(33, 1, 1, 2);
    test_shape(9, 3, 3, 40);
    return check_report("test_rope");
}
