// cost: DeepSeek-R1-Distill-Qwen-1.5B's counts worked out by hand, sums over tokens against the closed forms, and the predicted time of a
// step against a simulation of every decoding step.
#include <stdlib.h>
#include "llmc/cost.h"
#include "llmc/device.h"
#include "llmc/random.h"
#include "test/check.h"

static const ModelConfig qwen = {.hidden = 1536, .intermediate = 8960, .layers = 28, .heads = 12, .kv_heads = 2, .head_dim = 128, .vocab = 151936};

static void check_near(const char *what, double got, double want, double allowed) { check(fabs(got - want) <= allowed, "%s: %.17g, not %.17g", what, got, want); }

static void test_counts(void) {
    const ModelCost m = model_cost(&qwen, 2);
    // a layer: q 1536 x 1536, k and v 1536 x 256 each, o 1536 x 1536, three of 1536 x 8960; the head 1536 x 151936
    const double layer = 1536.0 * 1536 * 2 + 2 * 1536.0 * 256 + 3 * 1536.0 * 8960;
    check_near("weights of the products", m.products, 28 * layer + 1536.0 * 151936, 0);
    check_near("bytes of a token's keys and values", m.position_bytes, 28672, 0);
    check_near("bytes of the products", m.product_bytes, 2 * m.products, 0);
    double sum = 0; // token by token: 2 P, and to each of the t tokens up to itself a product with a key and one with a value
    for (int t = 1; t <= 1000; t++) { sum += 2 * m.products + 28 * 12 * 128 * 4.0 * t; }
    check_near("forward", cost_forward(&m, 1000), sum, 1e-12 * sum);
    // decoding the last of 1000 tokens: once all weights, 1000 keys and values
    check_near("a decoding step that memory limits", cost_decode_seconds(&m, 1, 1, 1000, 1e30, 1e12), (m.product_bytes + 1000 * 28672.0) / 1e12, 1e-15);
    check_near("a decoding step that operations limit", cost_decode_seconds(&m, 1, 1, 1000, 1e12, 1e30), (2 * m.products + 28 * 12 * 128 * 4.0 * 1000) / 1e12, 1e-15);
    check_near("what takes longer hides the other", cost_decode_seconds(&m, 1, 1, 1000, 1e12, 1e12), (2 * m.products + 28 * 12 * 128 * 4.0 * 1000) / 1e12, 1e-15);
    // each further forward pass, by itself: 64 answers of 4K stage's lengths after prompts of 100 tokens
    double mean, square;
    cost_expect_length(4096, &mean, &square);
    StepShape step = {.answers = 64, .prompt = 100, .context = 4096, .at_once = 64, .gpus = 1, .operations = 1e14, .bytes = 1e12};
    const double without = cost_step_seconds(&m, &step);
    step.scorings = 2;
    const double forward = 64 * (2 * m.products * (100 + mean) + m.attention * (100 * 100 + 200 * mean + square));
    check_near("two scorings", cost_step_seconds(&m, &step) - without, 2 * forward / 1e14, 1e-9 * without);
}
static void test_lengths(void) {
    double mean, square;
    cost_expect_length(8192, &mean, &square);
    check_near("mean at 8K", mean, 3975, 0);
    check_near("mean square at 8K", square, 1.26 * 3975 * 3975, 1e-6);
    cost_expect_length(20480, &mean, &square);
    check_near("between two contexts", mean, (4847 + 5778) / 2.0, 1e-9);
    check_near("its square", square, (1.58 + 1.74) / 2 * mean * mean, 1e-6);
    cost_expect_length(2048, &mean, &square);
    check_near("a shorter context", mean, 3975.0 / 4, 1e-9);
    cost_expect_length(32768, &mean, &square);
    check_near("a longer one goes on along the line", mean, 5778 + (5778 - 4847), 1e-9);
    check_near("with the same spread", square, 1.74 * mean * mean, 1e-6);
}

// Every decoding step of one GPU's answers: whoever ends makes room for the next.
static double simulate(const ModelCost *m, const int *lengths, int answers, int at_once, int prompt, double operations, double bytes) {
    int *known = (int *)calloc((size_t)at_once, sizeof(int)), *left = (int *)calloc((size_t)at_once, sizeof(int)), next = 0;
    double seconds = 0;
    while (true) {
        int running = 0;
        double attended = 0;
        for (int b = 0; b < at_once; b++) {
            if (left[b] == 0 && next < answers) { left[b] = lengths[next++], known[b] = prompt; }
            if (left[b] == 0) { continue; }
            running++, left[b]--, attended += known[b]++;
        }
        if (running == 0) { break; }
        seconds += cost_decode_seconds(m, 1, running, attended, operations, bytes);
    }
    free(known);
    free(left);
    return seconds;
}
static void test_step(void) {
    const ModelCost m = model_cost(&qwen, 2);
    const int contexts[] = {8192, 24576}, all = 1024;
    for (int i = 0; i < 2; i++) {
        for (int gpus = 1; gpus <= 8; gpus *= 8) {
            double mean, square, sum = 0, forward = 0;
            int *lengths = (int *)calloc((size_t)all, sizeof(int)), answers = all / gpus;
            cost_expect_length(contexts[i], &mean, &square);
            // log-normal with the expected mean and square, cut at the context as answers are
            const double sigma = sqrt(log(square / mean / mean)), mu = log(mean) - sigma * sigma / 2;
            for (int k = 0; k < answers; k++) {
                const double length = exp(mu + sigma * (double)random_normal(5, (uint64_t)k));
                lengths[k] = length < 1 ? 1 : length > contexts[i] ? contexts[i]
                                                                   : (int)length;
            }
            lengths[answers / 2] = contexts[i]; // one of so many runs to the limit
            for (int k = 0; k < answers; k++) { sum += lengths[k], forward += cost_forward(&m, 150 + lengths[k]); }
            const StepShape step = {.answers = all, .prompt = 150, .context = contexts[i], .at_once = 256, .gpus = gpus, .scorings = 1, .operations = 495e12, .bytes = 2.3e12};
            const double predicted = cost_step_seconds(&m, &step), simulated = simulate(&m, lengths, answers, 256, 150, step.operations, step.bytes) + 4 * forward / step.operations;
            // the drawn lengths stray from the expected ones by a few percent, and the tail is only roughly allowed for
            check_near("seconds of a step", predicted / simulated, 1, 0.15);
            printf("ok context %d on %d: %.1f s predicted, %.1f s simulated, mean length %.0f\n", contexts[i], gpus, predicted, simulated, sum / answers);
            free(lengths);
        }
    }
}
static void test_limits(void) {
    device_init();
    const DeviceLimits limits = device_limits((size_t)64 << 20);
    check(limits.operations > 1e7 && limits.operations < 1e17 && limits.bytes > 1e7 && limits.bytes < 1e15, "%g operations and %g bytes a second", limits.operations, limits.bytes);
    device_shutdown();
}
int main(void) {
    test_counts();
    test_lengths();
    test_step();
    test_limits();
    return check_report("test_cost");
}
