// embedding: rows looked up to the bit; the table's gradient summed in rising order, the same bits for 1 and 2 threads.
#include <omp.h>
#include "check.h"
#include "llmc/embedding.h"

static void test_shape(int N, int C, int V) {
    Tensor table = tensor_random("table", V * C, 0, sizeof(floatX)), out = tensor_random("embedding", N * C, 0, sizeof(floatX));
    Tensor dout = tensor_random("dout", N * C, 0, sizeof(floatX));
    int *tokens = (int *)host_alloc((size_t)N * sizeof(int)), *order = (int *)host_alloc((size_t)N * sizeof(int)), sorted = 0;
    for (int n = 0; n < N; n++) { tokens[n] = n % 3 ? (int)((check_random() + 1) / 2 * V) : V - 1; } // one token a third of the time
    for (int v = 0; v < V; v++) {
        for (int n = 0; n < N; n++) {
            if (tokens[n] == v) { order[sorted++] = n; }
        }
    }
    int *device_tokens = (int *)device_alloc("tokens", (size_t)N * sizeof(int)), *device_order = (int *)device_alloc("order", (size_t)N * sizeof(int));
    device_upload(device_tokens, tokens, (size_t)N * sizeof(int));
    device_upload(device_order, order, (size_t)N * sizeof(int));
    embedding_forward((floatX *)out.device, device_tokens, (floatX *)table.device, N, C);
    for (int n = 0; n < N; n++) { memcpy(out.exact + n * C, table.exact + tokens[n] * C, (size_t)C * sizeof(double)); }
    check_values(&out, out.exact, 0);

    // The sum in fp32 in the contract's order, started from zero and added to what was there: exactly.
    float *bits[2];
    Tensor dtable = tensor_random("dtable", V * C, 0, sizeof(float));
    for (int v = 0; v < V; v++) {
        for (int c = 0; c < C; c++) {
            float sum = 0;
            for (int n = 0; n < N; n++) { sum += tokens[n] == v ? (float)dout.exact[n * C + c] : 0.0f; }
            dtable.exact[v * C + c] = (double)((float)dtable.exact[v * C + c] + sum);
        }
    }
    float *start = (float *)host_alloc((size_t)(V * C) * sizeof(float));
    device_download(start, dtable.device, (size_t)(V * C) * sizeof(float));
    for (int threads = 1; threads <= 2; threads++) {
        omp_set_num_threads(threads);
        device_upload(dtable.device, start, (size_t)(V * C) * sizeof(float));
        embedding_backward((float *)dtable.device, (floatX *)dout.device, device_tokens, device_order, N, C);
        bits[threads - 1] = (float *)host_alloc((size_t)(V * C) * sizeof(float));
        device_download(bits[threads - 1], dtable.device, (size_t)(V * C) * sizeof(float));
        check_values(&dtable, dtable.exact, 1e-6); // another order of the same sum is allowed on other backends
    }
    check(!memcmp(bits[0], bits[1], (size_t)(V * C) * sizeof(float)), "N %d, C %d: dtable depends on the number of threads", N, C);
    Tensor *all[] = {&table, &out, &dout, &dtable};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) { tensor_free(all[i]); }
    free(bits[0]);
    free(bits[1]);
    free(start);
    free(tokens);
    free(order);
}
int main(void) {
    device_init();
    test_shape(1, 3, 2);
    test_shape(67, 33, 11);
    test_shape(700, 64, 24);
    test_shape(30, 1536, 500);
    return check_report("test_embedding");
}
