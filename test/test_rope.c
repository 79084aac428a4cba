// rope: the rotation in double with Hugging Face's pairing, values untouched, the gradient as the opposite rotation, lengths kept; and with a
// cache the same bits, and in the cache just the pages that were asked for.
#include "check.h"
#include "llmc/attention_decode.h"
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
// rope_cache_forward leaves qkv as rope_forward does. Which value lies where in a page is the backend's own, and test_attention_decode's part;
// here: as many values change as were written, in the pages they were written to, and rows without a place write nowhere.
static void test_cache(int N, int H, int KV, int D) {
    enum { PAGES = 4 };
    int width = (H + 2 * KV) * D, count = N * width;
    int *positions = (int *)host_alloc((size_t)N * sizeof(int)), *slots = (int *)host_alloc((size_t)N * sizeof(int));
    float *table = (float *)host_alloc((size_t)(P * D) * sizeof(float));
    for (int i = 0; i < P * D; i += 2) {
        double angle = i / D * pow(10000.0, -1.0 * (i % D) / D);
        table[i] = (float)cos(angle), table[i + 1] = (float)sin(angle);
    }
    for (int n = 0; n < N; n++) { positions[n] = (n * 37 + 1) % P, slots[n] = n % 3 == 2 ? -1 : (n * 29 + 5) % (PAGES * KV_PAGE); } // 29: each place once
    const size_t page = kv_page_bytes(KV, D), elements = PAGES * page / sizeof(floatX), bytes = (size_t)count * sizeof(floatX);
    Tensor qkv = tensor_random("rope qkv", count, 0, sizeof(floatX)), cache = tensor_random("cache", (int)elements, 0, sizeof(floatX));
    Tensor want = tensor_random("want", count, 0, sizeof(floatX));
    const float *device_table = (const float *)device_array("table", table, (size_t)(P * D) * sizeof(float));
    const int *device_positions = (const int *)device_array("positions", positions, (size_t)N * sizeof(int));
    const int *device_slots = (const int *)device_array("slots", slots, (size_t)N * sizeof(int));
    device_copy(want.device, qkv.device, bytes);
    rope_forward((floatX *)want.device, device_table, device_positions, N, H, KV, D);
    rope_cache_forward((floatX *)qkv.device, (floatX *)cache.device, device_table, device_positions, device_slots, N, H, KV, D);
    double *rotated = (double *)host_alloc((size_t)count * sizeof(double)), *got = (double *)host_alloc((size_t)count * sizeof(double));
    double *cached = (double *)host_alloc(elements * sizeof(double)), found[PAGES] = {0}, squares[PAGES] = {0};
    tensor_download(&want, rotated);
    tensor_download(&qkv, got);
    tensor_download(&cache, cached);
    check(!memcmp(rotated, got, (size_t)count * sizeof(double)), "D %d: with a cache the rotation has other bits", D);
    size_t changed = 0, written = 0;
    for (size_t i = 0; i < elements; i++) {
        if (cached[i] == cache.exact[i]) { continue; }
        changed++, found[i * sizeof(floatX) / page] += cached[i] * cached[i];
    }
    for (int n = 0; n < N; n++) {
        for (int c = H * D; c < width && slots[n] >= 0; c++) { written++, squares[slots[n] / KV_PAGE] += rotated[n * width + c] * rotated[n * width + c]; }
    }
    // in bf16 a value may by chance be what lay there before
    check(changed <= written && changed + written / 50 >= written, "D %d: %zu values of the cache changed, %zu were written", D, changed, written);
    for (int i = 0; i < PAGES; i++) { check(fabs(found[i] - squares[i]) <= 0.02 * squares[i], "D %d: page %d holds other values", D, i); }
    double *arrays[] = {rotated, got, cached};
    for (int i = 0; i < 3; i++) { free(arrays[i]); }
    free(table);
    free(positions);
    free(slots);
    tensor_free(&qkv);
    tensor_free(&cache);
    tensor_free(&want);
}
int main(void) {
    device_init();
    test_shape(5, 2, 1, 12);
    test_shape(70, 4, 2, 16);
    test_shape(3, 12, 2, 128);
    test_shape(33, 1, 1, 2);
    test_shape(9, 3, 3, 40);
    test_cache(70, 4, 2, 64);
    test_cache(33, 12, 2, 128);
    test_cache(20, 3, 3, 12);
    test_cache(1, 1, 1, 2);
    return check_report("test_rope");
}
