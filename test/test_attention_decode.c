// attention_decode: a token decoded from the paged cache has the bits of attention_forward's last row (on the CPU; elsewhere its value), for
// every length, head layout and batch; pages hold NaN until they are written; pages shared within a group; idle rows; 1 and 2 threads.
// Ragged batches beside the equations in double; a sequence's bits alone and in another order, a second time, and at its place in the batch.
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
static void fill_nan(floatX *device, size_t bytes) {
    floatX *host = (floatX *)host_alloc(bytes);
    for (size_t i = 0; i < bytes / sizeof(floatX); i++) { host[i] = to_floatX(NAN); }
    device_upload(device, host, bytes);
    free(host);
}
static floatX *device_nan(const char *what, size_t bytes) {
    floatX *device = (floatX *)device_alloc(what, bytes);
    fill_nan(device, bytes);
    return device;
}
static int *device_ints(const int *host, int count) { return (int *)device_array("ints", host, (size_t)count * sizeof(int)); }
// Keys and values into the cache, left as they are: the rotation is by angle 0.
enum { MOST_ROWS = 16384,
       MOST_CHANNELS = 128 };
static float *unrotated;   // device: one position's cosines and sines
static int *position_zero; // device (MOST_ROWS)
static void cache_write(floatX *cache, floatX *qkv, const int *device_slots, int N, int H, int KV, int D) {
    assert(N <= MOST_ROWS && D <= MOST_CHANNELS);
    rope_cache_forward(qkv, cache, unrotated, position_zero, device_slots, N, H, KV, D);
}
// Every case starts with empty memory: the race detector keeps much beside every byte.
static void memory_begin(void) {
    float table[MOST_CHANNELS];
    for (int d = 0; d < MOST_CHANNELS; d++) { table[d] = (float)(1 - d % 2); }
    device_shutdown();
    unrotated = (float *)device_array("table", table, sizeof(table));
    position_zero = (int *)device_alloc("positions", MOST_ROWS * sizeof(int));
}
// Exactly the memory that the header asks for.
typedef struct {
    int *plan;
    float *scratch;
} Room;
static Room room_for(int chunks, int H, int KV, int D) {
    return (Room){(int *)device_alloc("plan", attention_decode_plan_bytes(chunks, H, KV)), (float *)device_nan("scratch", attention_decode_scratch_bytes(chunks, H, D))};
}
static void decode(floatX *out, Room room, const floatX *qkv, const floatX *cache, const int *tables, const int *lengths, int max_pages,
                   float scale, int B, int H, int KV, int D) {
    const int layers = max_pages > DECODE_CHUNK_PAGES ? 2 : 1; // a plan serves every layer; what a layer counts in it comes from several chunks
    attention_decode_plan(room.plan, tables, lengths, max_pages, B, H, KV);
    for (int layer = 0; layer < layers; layer++) {
        fill_nan(out, (size_t)(B * H * D) * sizeof(floatX)); // each must write its own, zeros of idle rows too
        attention_decode(out, room.plan, room.scratch, qkv, cache, tables, lengths, max_pages, scale, B, H, KV, D);
    }
}
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
    const int length = check_on_emulator() ? 2 * KV_PAGE + 2 : LENGTH, rows = length + 1;
    const int every = check_on_emulator() ? length - 1 : 7; // lengths for which the forward pass is run over just them
    memory_begin();
    largest_score = (double)(amplitude * amplitude);
    int width = (H + 2 * KV) * D, order[PAGES] = {3, 0, 2, 1}, slots[LENGTH], starts[2] = {0, length};
    int lengths[LENGTH + 1], tables[(LENGTH + 1) * PAGES];
    floatX *qkv = device_random("qkv", rows * width, amplitude), *cache = device_nan("cache", PAGES * kv_page_bytes(KV, D));
    floatX *want = device_random("want", length * H * D, 1), *got = device_random("got", rows * H * D, 1);
    float *lse = (float *)device_alloc("lse", (size_t)H * length * sizeof(float)), scale = 1 / sqrtf((float)D);
    for (int i = 0; i <= length; i++) {
        lengths[i] = i < length ? i + 1 : 0; // the last row is idle
        for (int p = 0; p < PAGES; p++) { tables[i * PAGES + p] = i < length ? order[p] : -1; }
        if (i < length) { slots[i] = order[i / KV_PAGE] * KV_PAGE + i % KV_PAGE; }
    }
    int *device_slots = device_ints(slots, length), *device_lengths = device_ints(lengths, rows);
    int *device_tables = device_ints(tables, rows * PAGES);
    Room room = room_for(attention_decode_chunks(rows, length, length, PAGES), H, KV, D);
    for (int i = 0; i < length; i++) {
        int prefix[2] = {0, i + 1};
        int *device_prefix = i % every == 0 || i == length - 1 ? device_ints(prefix, 2) : NULL;
        if (device_prefix) { // the forward pass over just the first i+1 rows
            attention_forward(want, lse, qkv, device_prefix, 1, scale, i + 1, H, KV, D);
        } else if (i % every == 1) {
            attention_forward(want, lse, qkv, device_ints(starts, 2), 1, scale, length, H, KV, D);
        }
        cache_write(cache, qkv + i * width, device_slots + i, 1, H, KV, D);
        if (check_on_emulator() && i % 9 && (i + 1) % KV_PAGE > 1) { continue; }
        decode(got, room, qkv + i * width, cache, device_tables, device_lengths + i, PAGES, scale, 1, H, KV, D);
        check(same_rows(got, want + i * H * D, H * D), "H %d, KV %d, D %d: length %d alone differs from the forward pass", H, KV, D, i + 1);
    }
    decode(got, room, qkv, cache, device_tables, device_lengths, PAGES, scale, rows, H, KV, D);
    check(same_rows(got, want, length * H * D), "H %d, KV %d, D %d: the batch of all lengths differs from the forward pass", H, KV, D);
    floatX *zero = (floatX *)device_alloc("zero", (size_t)(H * D) * sizeof(floatX));
    check(same_rows(got + length * H * D, zero, H * D), "H %d, KV %d, D %d: an idle row is not zero", H, KV, D);
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
    memory_begin();
    floatX *prompt = device_random("prompt", PROMPT * WIDTH, 1), *packed = device_random("packed", (41 + 64 + 70) * WIDTH, 1);
    size_t page = kv_page_bytes(KV, D), row_bytes = WIDTH * sizeof(floatX);
    floatX *cache = device_nan("cache", 8 * page), *got = device_random("got", G * H * D, 1), *want = device_random("want", 175 * H * D, 1);
    floatX *last = device_random("last", G * WIDTH, 1);
    float *lse = (float *)device_alloc("lse", 175 * H * sizeof(float));
    int slots[175], starts[G + 1] = {0, 41, 105, 175}, tables[G * 3] = {0, 1, -1, 0, 2, -1, 0, 3, 4};
    for (int i = 0; i < PROMPT; i++) { slots[i] = i; }
    cache_write(cache, prompt, device_ints(slots, PROMPT), PROMPT, H, KV, D);
    for (int g = 0; g < G; g++) {
        device_copy(packed + starts[g] * WIDTH, prompt, PROMPT * row_bytes);
        if (g > 0) { device_copy((char *)cache + (size_t)tables[g * 3 + 1] * page, (char *)cache + page, page); }
        for (int i = 0; i < totals[g]; i++) {
            slots[starts[g] + i] = i < PROMPT ? -1 : tables[g * 3 + i / KV_PAGE] * KV_PAGE + i % KV_PAGE;
        }
        device_copy(last + g * WIDTH, packed + (starts[g + 1] - 1) * WIDTH, row_bytes);
    }
    cache_write(cache, packed, device_ints(slots, 175), 175, H, KV, D);
    attention_forward(want, lse, packed, device_ints(starts, G + 1), G, scale, 175, H, KV, D);
    for (int threads = 1; threads <= 2; threads++) {
        omp_set_num_threads(threads);
        decode(got, room_for(attention_decode_chunks(G, 70, PROMPT, 8), H, KV, D), last, cache, device_ints(tables, G * 3), device_ints(totals, G), 3, scale, G, H, KV, D);
        for (int g = 0; g < G; g++) {
            check(same_rows(got + g * H * D, want + (starts[g + 1] - 1) * H * D, H * D), "shared pages, sequence %d, %d threads", g, threads);
        }
    }
}

// Sequences of awkward lengths that share their first pages, those behind scattered over the cache; whatever nobody wrote is NaN.
enum { RAGGED = 11,
       RAGGED_PITCH = 160,
       SHARED_PAGES = 2 };
typedef struct {
    int H, KV, D, max_pages, lengths[RAGGED], tables[RAGGED * RAGGED_PITCH], pages, chunks;
    float scale;
    floatX *cache, *qkv; // device; qkv holds the new token of each sequence
    double *want;        // (RAGGED, H, D)
} Ragged;

static void ragged_reference(double *want, const double *query, const double *rows, const int *row_of, int length, const Ragged *r) {
    const int width = (r->H + 2 * r->KV) * r->D, D = r->D;
    double *weight = (double *)host_alloc((size_t)length * sizeof(double));
    for (int h = 0; h < r->H; h++) {
        const int kv = h / (r->H / r->KV);
        double highest = -1e300, sum = 0;
        for (int j = 0; j < length; j++) {
            const double *key = rows + (size_t)row_of[j] * (size_t)width + (r->H + kv) * D;
            weight[j] = 0;
            for (int d = 0; d < D; d++) { weight[j] += (double)r->scale * query[h * D + d] * key[d]; }
            highest = fmax(highest, weight[j]);
        }
        for (int j = 0; j < length; j++) { sum += weight[j] = exp(weight[j] - highest); }
        for (int d = 0; d < D; d++) {
            double value = 0;
            for (int j = 0; j < length; j++) { value += weight[j] * rows[(size_t)row_of[j] * (size_t)width + (r->H + r->KV + kv) * D + d]; }
            want[h * D + d] = length > 0 ? value / sum : 0;
        }
    }
    free(weight);
}
static Ragged ragged_make(const int *lengths, int H, int KV, int D) {
    Ragged r = {.H = H, .KV = KV, .D = D, .scale = 1 / sqrtf((float)D)};
    const int width = (H + 2 * KV) * D, shared = SHARED_PAGES * KV_PAGE;
    int total = shared, page = 0, longest = 0;
    for (int b = 0; b < RAGGED; b++) {
        total += lengths[b], longest = lengths[b] > longest ? lengths[b] : longest;
        r.pages += lengths[b] > shared ? (lengths[b] - shared + KV_PAGE - 1) / KV_PAGE : 0;
    }
    r.pages += SHARED_PAGES + 2 + (r.pages % 37 == 35); // two or three that nobody uses
    int *slots = (int *)host_alloc((size_t)total * sizeof(int)), *row_of = (int *)host_alloc((size_t)longest * sizeof(int));
    r.max_pages = (longest + KV_PAGE - 1) / KV_PAGE + 1; // a fixed pitch: more than any needs
    r.chunks = attention_decode_chunks(RAGGED, longest, shared, r.pages);
    memcpy(r.lengths, lengths, sizeof(r.lengths));
    r.cache = device_nan("cache", (size_t)r.pages * kv_page_bytes(KV, D));
    r.qkv = device_random("qkv", RAGGED * width, 1), r.want = (double *)host_alloc((size_t)(RAGGED * H * D) * sizeof(double));
    Tensor rows = tensor_random("rows", total * width, 0, sizeof(floatX));
    for (int i = 0; i < total; i++) { slots[i] = -1; }
    int first = shared;
    for (int b = 0; b < RAGGED; first += lengths[b++]) { // the rows 0 .. shared-1 are everyone's first positions
        for (int p = 0; p < r.max_pages; p++) {          // 37 has no factor in common with the number of pages: each once, in no order
            bool own = p >= SHARED_PAGES && p * KV_PAGE < lengths[b];
            int mine = own ? SHARED_PAGES + page * 37 % (r.pages - SHARED_PAGES) : -1;
            r.tables[b * r.max_pages + p] = p < SHARED_PAGES ? p : mine;
            page += own;
        }
        for (int i = 0; i < lengths[b]; i++) {
            row_of[i] = i < shared ? i : first + i;
            slots[row_of[i]] = r.tables[b * r.max_pages + i / KV_PAGE] * KV_PAGE + i % KV_PAGE;
        }
        if (lengths[b] > 0) { // the new token is the last row
            const size_t bytes = (size_t)width * sizeof(floatX);
            device_copy(r.qkv + b * width, (floatX *)rows.device + (size_t)row_of[lengths[b] - 1] * (size_t)width, bytes);
            ragged_reference(r.want + b * H * D, rows.exact + (size_t)row_of[lengths[b] - 1] * (size_t)width, rows.exact, row_of, lengths[b], &r);
        } else {
            memset(r.want + b * H * D, 0, (size_t)(H * D) * sizeof(double));
        }
    }
    cache_write(r.cache, (floatX *)rows.device, device_ints(slots, total), total, H, KV, D);
    free(slots);
    free(row_of);
    tensor_free(&rows);
    return r;
}
static void test_ragged(const int *lengths, int H, int KV, int D) {
    memory_begin();
    Ragged r = ragged_make(lengths, H, KV, D);
    const int row = H * D, width = (H + 2 * KV) * D;
    const size_t bytes = (size_t)row * sizeof(floatX);
    floatX *batch = (floatX *)host_alloc(RAGGED * bytes), *again = (floatX *)host_alloc(RAGGED * bytes), *alone = (floatX *)host_alloc(bytes), *other = device_random("other", RAGGED * width, 0);
    Tensor got = tensor_random("got", RAGGED * row, 0, sizeof(floatX));
    int *device_tables = device_ints(r.tables, RAGGED * r.max_pages), *device_lengths = device_ints(r.lengths, RAGGED);
    decode((floatX *)got.device, room_for(r.chunks, H, KV, D), r.qkv, r.cache, device_tables, device_lengths, r.max_pages, r.scale, RAGGED, H, KV, D);
    // fp32: sums of a thousand terms. bf16: the result is rounded once (2^-9 at most), and so are the weights
    check_values(&got, r.want, sizeof(floatX) == 4 ? 2e-6 : 5e-3);
    device_download(batch, got.device, RAGGED * bytes);
    int tables[RAGGED * RAGGED_PITCH], backwards[RAGGED];
    for (int b = 0; b < RAGGED; b++) { // the same sequences in the opposite order
        backwards[RAGGED - 1 - b] = lengths[b];
        memcpy(tables + (RAGGED - 1 - b) * r.max_pages, r.tables + b * r.max_pages, sizeof(int) * (size_t)r.max_pages);
        device_copy(other + (RAGGED - 1 - b) * width, r.qkv + b * width, (size_t)width * sizeof(floatX));
    }
    decode((floatX *)got.device, room_for(r.chunks, H, KV, D), other, r.cache, device_ints(tables, RAGGED * r.max_pages), device_ints(backwards, RAGGED), r.max_pages, r.scale, RAGGED, H, KV, D);
    device_download(again, got.device, RAGGED * bytes);
    for (int b = 0; b < RAGGED; b++) {
        check(!memcmp(batch + b * row, again + (RAGGED - 1 - b) * row, bytes), "H %d, KV %d, D %d: length %d depends on its batch", H, KV, D, lengths[b]);
        const int most = attention_decode_chunks(1, lengths[b], 0, r.pages); // alone
        decode((floatX *)got.device, room_for(most, H, KV, D), r.qkv + b * width, r.cache, device_tables + b * r.max_pages, device_lengths + b, r.max_pages, r.scale, 1, H, KV, D);
        device_download(alone, got.device, bytes);
        check(!memcmp(batch + b * row, alone, bytes), "H %d, KV %d, D %d: length %d differs alone", H, KV, D, lengths[b]);
    }
    free(batch);
    free(again);
    free(alone);
    free(r.want);
    tensor_free(&got);
}
static void test_chunk_bound(void) { // no set of sequences has more chunks than attention_decode_chunks says
    for (int round = 0; round < 2000; round++) {
        int B = 1 + (int)(fabs(check_random()) * 40), shared_pages = (int)(fabs(check_random()) * 20), pages = 0, chunks = 0, longest = 1;
        for (int b = 0; b < B; b++) {
            int length = round % 3 ? (int)(fabs(check_random()) * 3000) : (int)(fabs(check_random()) * 12) * DECODE_CHUNK + 1, held = (length + KV_PAGE - 1) / KV_PAGE;
            pages += held > shared_pages ? held - shared_pages : 0;
            longest = length > longest ? length : longest;
            chunks += length > 0 ? (length + DECODE_CHUNK - 1) / DECODE_CHUNK : 1;
        }
        int most = attention_decode_chunks(B, longest, shared_pages * KV_PAGE, pages + shared_pages);
        if (chunks > most) { check(false, "%d sequences have %d chunks, and room for %d", B, chunks, most); }
    }
    check(attention_decode_chunks(256, 25000, 0, 0) == 256 && attention_decode_chunks(3, 1000, 0, 1 << 20) == 12, "the bound is looser than it says");
}

int main(void) {
    device_init();
    const int ragged[RAGGED] = {0, 257, 31, 1000, 1, 256, 33, 255, 0, 32, 65}, longer[RAGGED] = {64, 17, 900, 48, 769, 15, 512, 0, 16, 513, 300};
    test_chunk_bound();
    test_ragged(ragged, 12, 2, 128);
    test_ragged(longer, 6, 1, 64);
    test_ragged(ragged, 2, 2, 64);
    test_ragged(longer, 16, 1, 128);
    test_ragged(ragged, 18, 1, 64);                                      // two units to a key/value head
    const int longest[RAGGED] = {4500, 0, 0, 0, 0, 3, 0, 0, 0, 4096, 0}; // 18 and 16 chunks: a tree of two levels, and of one
    test_ragged(longest, 2, 1, 64);
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
