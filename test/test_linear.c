// linear: values and gradients against the equations in double and central differences, awkward shapes and blocks of every kind of edge,
// and the contract that the sampler's equality with the trainer rests on: a row's bits depend neither on N nor on the other rows.
#include "llmc/cpu/vector.h"
#include "llmc/linear.h"
#include "test/check.h"

// A result in fp32 is off by the rounding of a chain of at most 1100 terms. One stored in bf16 is rounded once more, by 2^-8 = 3.9e-3 of it
// at most (1.7e-3 in the mean of many, but the smallest shape has one element alone); so is a bf16 gradient, when it is added to its old value.
static const double tolerance_float = 2e-6, tolerance = sizeof(floatX) == 4 ? 2e-6 : 4e-3;

static int N, C, OC;
static Tensor x, weight, bias, dout, dx, dweight, dbias;

static double output(int n, int o) {
    double sum = bias.exact ? bias.exact[o] : 0;
    for (int c = 0; c < C; c++) { sum += x.exact[(size_t)n * C + c] * weight.exact[(size_t)o * C + c]; }
    return sum;
}
static double loss(void) {
    double total = 0;
    for (int n = 0; n < N; n++) {
        for (int o = 0; o < OC; o++) { total += dout.exact[n * OC + o] * output(n, o); }
    }
    return total;
}
static void make_tensors(int rows, int channels, int outputs) {
    N = rows, C = channels, OC = outputs;
    x = tensor_random("x", N * C, 0, sizeof(floatX));
    weight = tensor_random("weight", OC * C, 0, sizeof(floatX));
    bias = tensor_random("bias", OC, 0, sizeof(floatX));
    dout = tensor_random("dout", N * OC, 0, sizeof(floatX));
    dx = tensor_random("dx", N * C, 0, sizeof(floatX));
    dweight = tensor_random("dweight", OC * C, 0, sizeof(float));
    dbias = tensor_random("dbias", OC, 0, sizeof(float));
}
static void free_tensors(void) {
    Tensor *all[7] = {&x, &weight, &bias, &dout, &dx, &dweight, &dbias};
    for (int i = 0; i < 7; i++) { tensor_free(all[i]); }
    device_shutdown();
}

static void test_forward(void) {
    double *want = (double *)host_alloc((size_t)N * OC * sizeof(double));
    Tensor out = tensor_random("out", N * OC, 0, sizeof(floatX)), logits = tensor_random("out float", N * OC, 0, sizeof(float));
    for (int i = 0; i < N * OC; i++) { want[i] = output(i / OC, i % OC); }
    linear_forward((floatX *)out.device, (floatX *)x.device, (floatX *)weight.device, (floatX *)bias.device, N, C, OC);
    check_values(&out, want, tolerance);
    for (int i = 0; i < N * OC; i++) { want[i] -= bias.exact[i % OC]; }
    linear_forward((floatX *)out.device, (floatX *)x.device, (floatX *)weight.device, NULL, N, C, OC);
    check_values(&out, want, tolerance);
    linear_forward_float((float *)logits.device, (floatX *)x.device, (floatX *)weight.device, N, C, OC);
    check_values(&logits, want, tolerance_float);
    tensor_free(&out);
    tensor_free(&logits);
    free(want);
}
static void backward(void) {
    linear_backward((floatX *)dx.device, (float *)dweight.device, (float *)dbias.device, (floatX *)dout.device, (floatX *)x.device,
                    (floatX *)weight.device, N, C, OC);
}
static void test_backward_exact(void) { // the three sums written out; those of parameters onto the old values
    backward();
    double *want = (double *)host_alloc((size_t)(N * C > OC * C ? N * C : OC * C) * sizeof(double));
    memset(want, 0, (size_t)N * C * sizeof(double));
    for (int n = 0; n < N; n++) {
        for (int o = 0; o < OC; o++) {
            for (int c = 0; c < C; c++) { want[n * C + c] += dout.exact[n * OC + o] * weight.exact[o * C + c]; }
        }
    }
    check_values(&dx, want, tolerance);
    memcpy(want, dweight.exact, (size_t)OC * C * sizeof(double));
    for (int n = 0; n < N; n++) {
        for (int o = 0; o < OC; o++) {
            for (int c = 0; c < C; c++) { want[o * C + c] += dout.exact[n * OC + o] * x.exact[n * C + c]; }
        }
    }
    check_values(&dweight, want, tolerance_float);
    memcpy(want, dbias.exact, (size_t)OC * sizeof(double));
    for (int n = 0; n < N; n++) {
        for (int o = 0; o < OC; o++) { want[o] += dout.exact[n * OC + o]; }
    }
    check_values(&dbias, want, tolerance_float);
    free(want);
}
static void test_backward_differences(void) { // the equations' own derivative; 1e-7 of it is the difference quotient's error
    make_tensors(7, 45, 37);
    backward();
    check_gradient_written(&dx, &x, loss, tolerance);
    check_gradient(&dweight, &weight, loss, tolerance_float);
    check_gradient(&dbias, &bias, loss, tolerance_float);
    free_tensors();
}
static void test_unwanted(void) { // gradients that are not wanted are NULL, and the others are the same bits
    make_tensors(9, 33, 50);
    backward();
    float *together = (float *)host_alloc((size_t)OC * C * sizeof(float)), *alone = (float *)host_alloc((size_t)OC * C * sizeof(float));
    device_download(together, dweight.device, (size_t)OC * C * sizeof(float));
    tensor_upload(&dweight);
    linear_backward(NULL, (float *)dweight.device, NULL, (floatX *)dout.device, (floatX *)x.device, NULL, N, C, OC);
    device_download(alone, dweight.device, (size_t)OC * C * sizeof(float));
    check(!memcmp(together, alone, (size_t)OC * C * sizeof(float)), "dweight alone differs from dweight beside dx and dbias");
    tensor_upload(&dx);
    linear_backward((floatX *)dx.device, NULL, NULL, (floatX *)dout.device, NULL, (floatX *)weight.device, N, C, OC);
    linear_backward(NULL, NULL, NULL, (floatX *)dout.device, NULL, NULL, N, C, OC);
    free(together);
    free(alone);
    free_tensors();
}

// The chain of the contract, with the backend's own multiply-add. One lane is used, but the compiler must not know that: it would multiply
// and add apart.
static float chain(int n, int o) {
    const floatX *row = (const floatX *)x.device + (size_t)n * C, *w = (const floatX *)weight.device + (size_t)o * C;
    static volatile float unused = 1;
    Vector sum = vector_splat(0.0f), lanes = vector_splat(unused);
    for (int c = 0; c < C; c++) {
        lanes[0] = to_float(w[c]);
        sum += vector_splat(to_float(row[c])) * lanes;
    }
    return sum[0];
}
static void test_bits(int channels, int outputs) {
    enum { ROWS = 40 };
    make_tensors(ROWS, channels, outputs);
    size_t bytes = (size_t)ROWS * OC * sizeof(float), differing = 0;
    float *many = (float *)device_alloc("many", bytes), *few = (float *)device_alloc("few", bytes);
    floatX *many_x = (floatX *)device_alloc("many", bytes), *few_x = (floatX *)device_alloc("few", bytes);
    linear_forward_float(many, (floatX *)x.device, (floatX *)weight.device, ROWS, C, OC);
    for (int i = 0; i < ROWS * OC; i++) { differing += many[i] != chain(i / OC, i % OC); }
    check(differing == 0, "C=%d OC=%d: %zu of %d outputs are not the chain over c", C, OC, differing, ROWS * OC);
    linear_forward(many_x, (floatX *)x.device, (floatX *)weight.device, (floatX *)bias.device, ROWS, C, OC);
    for (int rows = 1; rows <= ROWS; rows++) {
        const floatX *from = (floatX *)x.device + (size_t)(ROWS - rows) * C; // the last rows, so that each stands at another place
        linear_forward_float(few, from, (floatX *)weight.device, rows, C, OC);
        check(!memcmp(few, many + (size_t)(ROWS - rows) * OC, (size_t)rows * OC * sizeof(float)), "C=%d OC=%d: %d rows differ from the same of %d", C,
              OC, rows, ROWS);
        linear_forward(few_x, from, (floatX *)weight.device, (floatX *)bias.device, rows, C, OC);
        check(!memcmp(few_x, many_x + (size_t)(ROWS - rows) * OC, (size_t)rows * OC * sizeof(floatX)), "C=%d OC=%d: %d rows with bias differ", C, OC, rows);
    }
    free_tensors();
}
// Two micro-batches one after the other leave the bits of both at once, because a sum goes on from its old value.
static void test_microbatches(void) {
    make_tensors(70, 40, 50);
    float *once = (float *)host_alloc((size_t)OC * C * sizeof(float)), *twice = (float *)host_alloc((size_t)OC * C * sizeof(float));
    float sums[2][50];
    backward();
    device_download(once, dweight.device, (size_t)OC * C * sizeof(float));
    device_download(sums[0], dbias.device, sizeof(sums[0]));
    tensor_upload(&dweight);
    tensor_upload(&dbias);
    for (int begin = 0; begin < 70; begin += 40) {
        linear_backward(NULL, (float *)dweight.device, (float *)dbias.device, (floatX *)dout.device + (size_t)begin * OC,
                        (floatX *)x.device + (size_t)begin * C, NULL, begin ? 30 : 40, C, OC);
    }
    device_download(twice, dweight.device, (size_t)OC * C * sizeof(float));
    device_download(sums[1], dbias.device, sizeof(sums[1]));
    check(!memcmp(once, twice, (size_t)OC * C * sizeof(float)), "dweight of two micro-batches differs from that of one");
    check(!memcmp(sums[0], sums[1], sizeof(sums[0])), "dbias of two micro-batches differs from that of one");
    free(once);
    free(twice);
    free_tensors();
}
static void test_no_rows(void) {
    make_tensors(0, 8, 8);
    Tensor out = tensor_zero("out", 0, sizeof(floatX));
    linear_forward((floatX *)out.device, (floatX *)x.device, (floatX *)weight.device, (floatX *)bias.device, 0, C, OC);
    backward();
    check_values(&dweight, dweight.exact, 0);
    check_values(&dbias, dbias.exact, 0);
    tensor_free(&out);
    free_tensors();
}

int main(void) {
    device_init();
    // one of everything; a tile's edges; deeper, taller and wider than one block of the product, with a rest on each side
    int shapes[][3] = {{1, 1, 1}, {7, 45, 37}, {1, 64, 384}, {13, 17, 33}, {3, 700, 20}, {200, 64, 32}, {24, 256, 64}, {530, 261, 40}, {26, 300, 1100}, {9, 1100, 530}};
    for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++) {
        make_tensors(shapes[s][0], shapes[s][1], shapes[s][2]);
        test_forward();
        test_backward_exact();
        free_tensors();
    }
    test_backward_differences();
    test_unwanted();
    if (check_on_cpu()) { // a library's products promise no order of summation
        test_bits(45, 37);
        test_bits(64, 64);
        test_bits(300, 83);
        test_microbatches();
    }
    test_no_rows();
    return check_report("test_linear");
}
