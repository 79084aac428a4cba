// attention_decode: a token decoded from the paged cache has the bits of attention_forward's last row (on the CPU; elsewhere its value), for
// every length, head layout and batch; pages hold NaN until they are written; pages shared within a group; idle rows; 1 and 2 threads.
#include <omp.h>
#include "check.h"
#include "llmc/attention.h"
#include "llmc/attention_decode.h"

enum { LENGTH = 100,
       PAGES = (LENGTH + KV_PAGE - 1) / KV_PAGE };

static floatX *device_random(const char *what, int count, float amplitude) {
    floatX *host = (floatX *)host_alloc((size_t)count * sizeof(floatX)), *device = (floatX *)device_alloc(what, (size_t)count * sizeof(floatX));
    for (int i = 0; i < count; i++) { host[i] = to_floatX(amplitude * (float)check_random()); }
    device_upload(device, host, (size_t)count * sizeof(floatX));
    free(host);
    return device;
}
static floatX *device_nan(const char *what, size_t bytes) {
    floatX *host = (floatX *)host_alloc(bytes), *device = (floatX *)device_alloc(what, bytes);
    for (size_t i = 0; i < bytes / sizeof(floatX); i++) { host[i] = to_floatX(NAN); }
    device_upload(device, host, bytes);
    free(host);
    return device;
}
static int *device_ints(const int *host, int count) { return (int *)device_array("ints", host, (size_t)count * sizeof(int)); }
// On the CPU the very bits. Elsewhere the two sum in other orders: scores are a few fp32 roundings of themselves apart, bf16 results one more (2^-8).
static double largest_score = 1;
static bool same_rows(const floatX *device_a, const floatX *device_b, int count) {
    size_t bytes = (size_t)count * sizeof(floatX);
    floatX *a = (floatX *)host_alloc(bytes), *b = (floatX *)host_alloc(bytes);
    device_download(a, device_a, bytes);
    device_download(b, device_b, bytes);
    bool same = memcmp(a, b, bytes) == 0;
    if (!same && !check_on_cpu()) {
        double difference = 0, norm = 0;
        for (int i = 0; i < count; i++) {
            difference += pow((double)(to_float(a[i]) - to_float(b[i])), 2);
            norm += pow((double)to_float(b[i]), 2);
        }
        same = sqrt(difference) <= (1e-5 + 1e-6 * largest_score + (sizeof(floatX) == 4 ? 0 : 4e-3)) * sqrt(norm);
    }
    free(a);
    free(b);
    return same;
}

// One sequence, decoded token by token alone, then all its lengths as one batch over the same pages.
static void test_every_length(int H, int KV, int D, float amplitude) {
    const int every = check_on_emulator() ? 33 : 7; // lengths for which the forward pass is run over just them
    largest_score = (double)(amplitude * amplitude);
    int width = (H + 2 * KV) * D, order[PAGES] = {3, 0, 2, 1}, slots[LENGTH], starts[2] = {0, LENGTH};
    int lengths[LENGTH + 1], tables[(LENGTH + 1) * PAGES];
    floatX *qkv = device_random("qkv", (LENGTH + 1) * width, amplitude), *cache = device_nan("cache", PAGES * kv_page_bytes(KV, D));
    floatX *want = device_random("want", LENGTH * H * D, 1), *got = device_random("got", (LENGTH + 1) * H * D, 1);
    float *lse = (float *)device_alloc("lse", (size_t)H * LENGTH * sizeof(float)), scale = 1 / sqrtf((float)D);
    for (int i = 0; i <= LENGTH; i++) {
        lengths[i] = i < LENGTH ? i + 1 : 0; // the last row is idle
        for (int p = 0; p < PAGES; p++) { tables[i * PAGES + p] = i < LENGTH ? order[p] : -1; }
        if (i < LENGTH) { slots[i] = order[i / KV_PAGE] * KV_PAGE + i % KV_PAGE; }
    }
    int *device_slots = device_ints(slots, LENGTH), *device_lengths = device_ints(lengths, LENGTH + 1);
    int *device_tables = device_ints(tables, (LENGTH + 1) * PAGES);
    for (int i = 0; i < LENGTH; i++) {
        int prefix[2] = {0, i + 1};
        int *device_prefix = i % every == 0 || i == LENGTH - 1 ? device_ints(prefix, 2) : NULL;
        if (device_prefix) { // the forward pass over just the first i+1 rows
            attention_forward(want, lse, qkv, device_prefix, 1, scale, i + 1, H, KV, D);
        } else if (i % every == 1) {
            attention_forward(want, lse, qkv, device_ints(starts, 2), 1, scale, LENGTH, H, KV, D);
        }
        kv_cache_write(cache, qkv + i * width, device_slots + i, 1, H, KV, D);
        if (check_on_emulator() && i % 9 && (i + 1) % KV_PAGE > 1) { continue; }
        attention_decode(got, qkv + i * width, cache, device_tables, device_lengths + i, PAGES, scale, 1, H, KV, D);
        check(same_rows(got, want + i * H * D, H * D), "H %d, KV %d, D %d: length %d alone differs from the forward pass", H, KV, D, i + 1);
    }
    attention_decode(got, qkv, cache, device_tables, device_lengths, PAGES, scale, LENGTH + 1, H, KV, D);
    check(same_rows(got, want, LENGTH * H * D), "H %d, KV %d, D %d: the batch of all lengths differs from the forward pass", H, KV, D);
    floatX *zero = (floatX *)device_alloc("zero", (size_t)(H * D) * sizeof(floatX));
    check(same_rows(got + LENGTH * H * D, zero, H * D), "H %d, KV %d, D %d: an idle row is not zero", H, KV, D);
}

// A group of 3 shares its prompt's first page; the page in which they part is copied, as the rollout does.
static void test_shared_pages(void) {
    enum { H = 4,
           KV = 2,
           D = 16,
           PROMPT = 40,
           G = 3,
           WIDTH = (H + 2 * KV) * D };
    const float scale = 0.25f;
    const int totals[G] = {41, 64, 70};
    floatX *prompt = device_random("prompt", PROMPT * WIDTH, 1), *packed = device_random("packed", (41 + 64 + 70) * WIDTH, 1);
    size_t page = kv_page_bytes(KV, D), row_bytes = WIDTH * sizeof(floatX);
    floatX *cache = device_nan("cache", 8 * page), *got = device_random("got", G * H * D, 1), *want = device_random("want", 175 * H * D, 1);
    floatX *last = device_random("last", G * WIDTH, 1);
    float *lse = (float *)device_alloc("lse", 175 * H * sizeof(float));
    int slots[175], starts[G + 1] = {0, 41, 105, 175}, tables[G * 3] = {0, 1, -1, 0, 2, -1, 0, 3, 4};
    for (int i = 0; i < PROMPT; i++) { slots[i] = i; }
    kv_cache_write(cache, prompt, device_ints(slots, PROMPT), PROMPT, H, KV, D);
    for (int g = 0; g < G; g++) {
        device_copy(packed + starts[g] * WIDTH, prompt, PROMPT * row_bytes);
        if (g > 0) { device_copy((char *)cache + (size_t)tables[g * 3 + 1] * page, (char *)cache + page, page); }
        for (int i = 0; i < totals[g]; i++) {
            slots[starts[g] + i] = i < PROMPT ? -1 : tables[g * 3 + i / KV_PAGE] * KV_PAGE + i % KV_PAGE;
        }
        device_copy(last + g * WIDTH, packed + (starts[g + 1] - 1) * WIDTH, row_bytes);
    }
    kv_cache_write(cache, packed, device_ints(slots, 175), 175, H, KV, D);
    attention_forward(want, lse, packed, device_ints(starts, G + 1), G, scale, 175, H, KV, D);
    for (int threads = 1; threads <= 2; threads++) {
        omp_set_num_threads(threads);
        attention_decode(got, last, cache, device_ints(tables, G * 3), device_ints(totals, G), 3, scale, G, H, KV, D);
        for (int g = 0; g < G; g++) {
            check(same_rows(got + g * H * D, want + (starts[g + 1] - 1) * H * D, H * D), "shared pages, sequence %d, %d threads", g, threads);
        }
    }
}

int main(void) {
    device_init();
    const int heads[][2] = {{1, 1}, {2, 1}, {4, 2}, {6, 1}, {12, 2}, {13, 1}}, sizes[] = {12, 16, 64, 128};
    for (int i = 0; i < 6; i++) {
        for (int j = 0; j < 4; j++) {
            if (j == i % 4 || !check_on_emulator()) { test_every_length(heads[i][0], heads[i][1], sizes[j], 1.5f); }
        }
    }
    test_every_length(2, 1, 24, 60.0f); // scores in the thousands: only the largest survives
    test_shared_pages();
    return check_report("test_attention_decode");
}
