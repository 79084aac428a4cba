// safetensors: hostile files (every truncation, holes, overlaps, overflow, wrong shapes, ways out of the folder), round trips in
// one file and in shards, conversions, and the real stories260K weights.
#include <signal.h>
#include <sys/resource.h>
#include "llmc/safetensors_writer.h"
#include "test/check.h"

static Error error;
static char folder[64] = "/tmp/test_safetensors.XXXXXX";
static const char *in_folder(const char *name) {
    static char paths[4][160];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, 160, "%s/%s", folder, name);
    return path;
}
static void put(const char *name, const void *data, size_t bytes) {
    if (!file_write_atomic(in_folder(name), data, bytes, &error)) { fatal("%s", error.text); }
}
static void put_text(const char *name, const char *text) { put(name, text, strlen(text)); }
// A file of this header and so many bytes of data (0, 1, 2, ...); `length` is written as the header's length.
static void put_file(const char *name, const char *header, uint64_t length, size_t data_bytes) {
    Buffer file = {0};
    for (int i = 0; i < 8; i++) { buffer_append(&file, &(char){(char)(length >> (8 * i))}, 1); }
    buffer_append_text(&file, header);
    for (size_t i = 0; i < data_bytes; i++) { buffer_append(&file, &(char){(char)i}, 1); }
    put(name, file.data, file.size);
    buffer_free(&file);
}
static bool opens(const char *path) {
    SafetensorsFolder *f = safetensors_open(path, &error);
    safetensors_close(f);
    return f != NULL;
}
static void refuse(const char *header, size_t data_bytes, const char *word) {
    put_file("bad.safetensors", header, strlen(header), data_bytes);
    bool ok = opens(in_folder("bad.safetensors"));
    check(!ok && strstr(error.text, word), "%.150s was not refused by \"%s\": %s", header, word, ok ? "accepted" : error.text);
    check(ok || strstr(error.text, "bad.safetensors"), "no file name in: %s", error.text);
}
static void accept(const char *header, size_t data_bytes, size_t tensors) {
    put_file("good.safetensors", header, strlen(header), data_bytes);
    SafetensorsFolder *f = safetensors_open(in_folder("good.safetensors"), &error);
    check(f && f->count == tensors, "%s: %s", header, f ? "another number of tensors" : error.text);
    safetensors_close(f);
}

static void test_headers(void) {
    accept("{}", 0, 0);
    accept(" \n{ }\t ", 0, 0);
    accept("{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, 1);
    accept("{\"b\":{\"dtype\":\"BF16\",\"shape\":[1,2],\"data_offsets\":[8,12]},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 12, 2); // any order
    accept("{\"scalar\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},\"none\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[0,0]},\"end\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[8,8]}}", 8, 3);
    accept("{\"four\":{\"dtype\":\"F4\",\"shape\":[2,3],\"data_offsets\":[0,3]},\"six\":{\"dtype\":\"F6_E2M3\",\"shape\":[4],\"data_offsets\":[3,6]}}", 6, 2);
    refuse("", 0, "JSON");
    refuse("[]", 0, "object");
    refuse("{} x", 0, "JSON");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},}", 8, "JSON");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}", 16, "duplicate");
    refuse("{\"\xff\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "JSON");
    refuse("{\"\xc0\xaf\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "JSON");
    refuse("{\"a\\u0000\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "JSON");
    refuse("{\"__metadata__\":{\"format\":1}}", 0, "__metadata__.format");
    refuse("{\"__metadata__\":[]}", 0, "__metadata__");
    refuse("{\"a\":3}", 0, "tensor a");
    refuse("{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "tensor a");
    refuse("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, "tensor a");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "tensor a");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}}", 8, "tensor a");
    refuse("{\"a\":{\"dtype\":\"F31\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "F31");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "dimension 0");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", 8, "dimension 0");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, "dimensions");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0, "overflow");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1152921504606846976],\"data_offsets\":[0,0]}}", 0, "overflow"); // 2^60 x 32 bits
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,8]}}", 8, "JSON");
    refuse("{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1, "whole number of bytes");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "begin <= end");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", 8, "begin <= end");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8.0]}}", 8, "begin <= end");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, "takes 12 bytes");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[9223372036854775799,9223372036854775807]}}", 8, "a hole");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12, "a hole");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[12,16]}}", 16, "a hole");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12, "an overlap");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "an overlap");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7, "cut short");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 9, "belong to no tensor");
    refuse("{}", 1, "belong to no tensor");
}
static void test_lengths(void) {
    static const uint64_t lengths[] = {3, 100000001, 0x7fffffffffffffffu, 0xffffffffffffffffu, 0xfffffffffffffff8u};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        put_file("bad.safetensors", "{}", lengths[i], 0);
        check(!opens(in_folder("bad.safetensors")) && strstr(error.text, "header"), "header length %llu: %s", (unsigned long long)lengths[i], error.text);
    }
    Buffer deep = {0};
    for (int i = 0; i < 100000; i++) { buffer_append_text(&deep, "["); }
    refuse(deep.data, 0, "JSON");
    buffer_free(&deep);
    check(!opens(in_folder("missing.safetensors")) && strstr(error.text, "missing.safetensors"), "a file that is not there");
    check(!opens(folder) && strstr(error.text, "model.safetensors.index.json"), "a folder without weights");
    check(!opens("/dev/null") && strstr(error.text, "regular"), "a device");
}
// Cut anywhere, a file is refused; with any one byte changed it is refused or read, never more than that.
static void test_damage(void) {
    const char *header = "{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]},\"b\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[16,20]}}";
    put_file("whole.safetensors", header, strlen(header), 20);
    Buffer whole = {0};
    if (!file_read(in_folder("whole.safetensors"), &whole, &error)) { fatal("%s", error.text); }
    check(opens(in_folder("whole.safetensors")), "%s", error.text);
    int accepted = 0;
    for (size_t size = 0; size < whole.size; size++) {
        put("cut.safetensors", whole.data, size);
        accepted += opens(in_folder("cut.safetensors"));
    }
    check(accepted == 0, "%d of %zu truncations were accepted", accepted, whole.size);
    for (size_t i = 0; i < 8 + strlen(header); i++) {
        char kept = whole.data[i];
        for (int bit = 0; bit < 8; bit++) {
            whole.data[i] = (char)(kept ^ (1 << bit));
            put("cut.safetensors", whole.data, whole.size);
            SafetensorsFolder *f = safetensors_open(in_folder("cut.safetensors"), &error);
            for (size_t t = 0; f && t < f->count; t++) {
                float values[16];
                if (safetensors_dtype_has_floats(f->tensors[t].dtype) && f->tensors[t].elements <= 16) {
                    check(safetensors_read_floats(values, f, f->tensors[t].name, 0, f->tensors[t].elements, &error), "%s", error.text);
                }
            }
            safetensors_close(f);
        }
        whole.data[i] = kept;
    }
    buffer_free(&whole);
}

static void test_lookup(void) {
    const char *header = "{\"w\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},\"v\":{\"dtype\":\"I32\",\"shape\":[3],\"data_offsets\":[24,36]},\"u\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[36,48]}}";
    put_file("good.safetensors", header, strlen(header), 48);
    SafetensorsFolder *f = safetensors_open(in_folder("good.safetensors"), &error);
    if (!check(f != NULL, "%s", error.text)) { return; }
    check(safetensors_check_shape(f, "w", 2, 3, &error) && safetensors_check_shape(f, "u", 3, 0, &error), "%s", error.text);
    static const struct {
        const char *name;
        int rows, columns;
        const char *words[3];
    } cases[] = {
        {"w", 3, 2, {"tensor w", "[2, 3]", "[3, 2]"}},
        {"w", 2, 0, {"tensor w", "[2, 3]", "[2]"}},
        {"u", 3, 1, {"tensor u", "[3]", "[3, 1]"}},
        {"v", 3, 0, {"tensor v", "I32", "F32, BF16 or F16"}},
        {"x", 3, 4, {"tensor x", "missing", "[3, 4]"}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        bool ok = safetensors_check_shape(f, cases[i].name, cases[i].rows, cases[i].columns, &error);
        check(!ok && strstr(error.text, "good.safetensors"), "%s: %s", cases[i].name, ok ? "accepted" : error.text);
        for (int w = 0; w < 3; w++) { check(strstr(error.text, cases[i].words[w]) != NULL, "\"%s\" is not in: %s", cases[i].words[w], error.text); }
    }
    float values[6];
    uint32_t raw[3];
    check(!safetensors_read_floats(values, f, "w", 0, 7, &error) && strstr(error.text, "6 elements"), "past the end: %s", error.text);
    check(!safetensors_read_floats(values, f, "w", 7, 0, &error) && !safetensors_read_floats(values, f, "w", 1, SIZE_MAX, &error), "past the end");
    check(!safetensors_read_floats(values, f, "v", 0, 3, &error) && strstr(error.text, "I32"), "integers as floats: %s", error.text);
    check(!safetensors_read_floats(values, f, "x", 0, 3, &error) && strstr(error.text, "missing"), "a missing tensor: %s", error.text);
    check(safetensors_read_bytes(raw, f, "v", SAFETENSORS_I32, 0, 12, &error) && raw[0] == 0x1b1a1918u, "raw bytes");
    check(safetensors_read_bytes(raw, f, "v", SAFETENSORS_I32, 4, 8, &error) && raw[0] == 0x1f1e1d1cu, "raw bytes from byte 4 on");
    check(!safetensors_read_bytes(raw, f, "v", SAFETENSORS_I32, 4, 12, &error) && strstr(error.text, "12 bytes"), "raw bytes past the end: %s", error.text);
    check(!safetensors_read_bytes(raw, f, "v", SAFETENSORS_F32, 0, 12, &error) && strstr(error.text, "F32"), "another dtype: %s", error.text);
    if (truncate(in_folder("good.safetensors"), 100) == 0) { // under our feet
        check(!safetensors_read_floats(values, f, "w", 0, 6, &error) && strstr(error.text, "shorter"), "a file cut while open: %s", error.text);
    }
    safetensors_close(f);
}

// ---- conversions
static void test_f16(void) {
    static const struct {
        uint16_t bits;
        float value;
    } cases[] = {{0x0000, 0}, {0x0001, 0x1p-24f}, {0x03ff, 0x1.ff8p-15f}, {0x0400, 0x1p-14f}, {0x3c00, 1}, {0x3555, 0.333251953125f}, {0xc000, -2}, {0x7bff, 65504}, {0x7c00, INFINITY}, {0xfc00, -INFINITY}, {0x8001, -0x1p-24f}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        check(f16_to_float(cases[i].bits) == cases[i].value, "f16 %04x gives %g", cases[i].bits, (double)f16_to_float(cases[i].bits));
    }
    check(isnan(f16_to_float(0x7e00)) && signbit(f16_to_float(0x8000)) && isnan(f16_to_float(0xfc01)), "f16 NaN and -0");
}
// Values of every dtype in pieces that straddle the reader's and writer's own chunks.
static void test_floats(void) {
    enum { COUNT = 20011 };
    float *values = (float *)host_alloc(COUNT * sizeof(float)), *back = (float *)host_alloc(COUNT * sizeof(float));
    for (int i = 0; i < COUNT; i++) { values[i] = (float)(check_random() * exp(20 * check_random())); }
    const SafetensorsEntry entries[] = {{"half", SAFETENSORS_BF16, 1, {COUNT}}, {"full", SAFETENSORS_F32, 1, {COUNT}}};
    SafetensorsWriter w;
    bool ok = safetensors_writer_open_file(&w, in_folder("floats.safetensors"), entries, 2, &error);
    for (int first = 0, piece = 1; ok && first < COUNT; first += piece, piece = piece * 3 < COUNT - first ? piece * 3 : COUNT - first) {
        ok = safetensors_writer_append_floats(&w, "half", values + first, (size_t)piece, &error) &&
             safetensors_writer_append_floats(&w, "full", values + first, (size_t)piece, &error);
    }
    ok = ok && safetensors_writer_commit(&w, &error);
    SafetensorsFolder *f = ok ? safetensors_open(in_folder("floats.safetensors"), &error) : NULL;
    if (check(f != NULL, "%s", error.text)) {
        check(safetensors_read_floats(back, f, "full", 0, COUNT, &error) && !memcmp(back, values, COUNT * sizeof(float)), "F32 comes back to the bit");
        int wrong = 0;
        ok = safetensors_read_floats(back, f, "half", 0, 9000, &error) && safetensors_read_floats(back + 9000, f, "half", 9000, COUNT - 9000, &error);
        for (int i = 0; i < COUNT; i++) { wrong += back[i] != bf16_to_float(bf16_from_float(values[i])); }
        check(ok && wrong == 0, "BF16: %d values differ", wrong);
    }
    safetensors_close(f);
    free(values);
    free(back);
}

// ---- the writer
static const SafetensorsEntry model[] = {
    {"z.bias", SAFETENSORS_BF16, 1, {3}},
    {"a.weight", SAFETENSORS_BF16, 2, {2, 3}},
    {"step", SAFETENSORS_U64, 0, {0}},
    {"b.weight", SAFETENSORS_F32, 2, {1, 2}},
    {"empty", SAFETENSORS_F32, 1, {0}},
};
enum { MODEL_COUNT = sizeof(model) / sizeof(*model) };
static bool fill(SafetensorsWriter *w) { // in an order that is neither the list's nor the file's
    const float b[2] = {1.5f, -2}, a[6] = {1, 2, 3, 4, 5, 6}, z[3] = {7, 8, 9};
    const uint64_t step = 0x123456789abcdef0u;
    return safetensors_writer_append_floats(w, "a.weight", a, 4, &error) && safetensors_writer_append_floats(w, "b.weight", b, 2, &error) &&
           safetensors_writer_append_bytes(w, "step", &step, 8, &error) && safetensors_writer_append_floats(w, "z.bias", z, 3, &error) &&
           safetensors_writer_append_floats(w, "a.weight", a + 4, 2, &error);
}
static void check_model(const char *path) {
    SafetensorsFolder *f = safetensors_open(path, &error);
    if (!check(f && f->count == MODEL_COUNT, "%s: %s", path, f ? "another number of tensors" : error.text)) { return; }
    float a[6], b[2], z[3];
    uint64_t step = 0;
    bool ok = safetensors_check_shape(f, "a.weight", 2, 3, &error) && safetensors_read_floats(a, f, "a.weight", 0, 6, &error) && safetensors_read_floats(b, f, "b.weight", 0, 2, &error) &&
              safetensors_read_floats(z, f, "z.bias", 0, 3, &error) && safetensors_read_bytes(&step, f, "step", SAFETENSORS_U64, 0, 8, &error);
    check(ok, "%s: %s", path, error.text);
    check(ok && a[0] == 1 && a[5] == 6 && b[0] == 1.5f && b[1] == -2 && z[0] == 7 && z[2] == 9 && step == 0x123456789abcdef0u, "%s: values", path);
    safetensors_close(f);
}
static bool none_left(const char *what) { // no temporary file
    char command[160];
    snprintf(command, sizeof(command), "ls %s | grep -q '[.]tmp$'", folder);
    return check(system(command) != 0, "%s leaves a temporary file", what);
}
static void test_writer(void) {
    SafetensorsWriter w;
    check(safetensors_writer_open_file(&w, in_folder("one.safetensors"), model, MODEL_COUNT, &error) && fill(&w), "%s", error.text);
    check(!file_exists(in_folder("one.safetensors")), "nothing under the final name before the end");
    check(safetensors_writer_commit(&w, &error), "%s", error.text);
    check_model(in_folder("one.safetensors"));
    // The layout that the reference writer gives: wide dtypes first, then by name, header padded to 8 bytes.
    Buffer bytes = {0};
    const char *want = "{\"__metadata__\":{\"format\":\"pt\"},\"step\":{\"dtype\":\"U64\",\"shape\":[],\"data_offsets\":[0,8]},\"b.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[8,16]},"
                       "\"empty\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[16,16]},\"a.weight\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[16,28]},\"z.bias\":{\"dtype\":\"BF16\",\"shape\":[3],\"data_offsets\":[28,34]}}";
    size_t padded = (strlen(want) + 7) / 8 * 8;
    check(file_read(in_folder("one.safetensors"), &bytes, &error) && bytes.size == 8 + padded + 34 && (unsigned char)bytes.data[0] == padded % 256, "header length");
    check(!memcmp(bytes.data + 8, want, strlen(want)) && bytes.data[8 + padded - 1] == (padded > strlen(want) ? ' ' : '}'), "header: %.500s", bytes.data + 8);
    buffer_free(&bytes);

    // What was given up or not finished leaves neither the file nor its temporary, and an older file stays as it was.
    check(safetensors_writer_open_file(&w, in_folder("one.safetensors"), model, 1, &error), "%s", error.text);
    safetensors_writer_abort(&w);
    check_model(in_folder("one.safetensors"));
    const float z[3] = {0};
    check(safetensors_writer_open_file(&w, in_folder("one.safetensors"), model, 1, &error) && safetensors_writer_append_floats(&w, "z.bias", z, 2, &error), "%s", error.text);
    check(!safetensors_writer_commit(&w, &error) && strstr(error.text, "4 of its 6 bytes"), "an unfinished tensor: %s", error.text);
    check_model(in_folder("one.safetensors"));
    none_left("an unfinished file");
    check(!safetensors_writer_open_file(&w, in_folder("no/such/folder.safetensors"), model, 1, &error), "a folder that is not there");
    check(safetensors_writer_open_file(&w, in_folder("nothing.safetensors"), NULL, 0, &error) && safetensors_writer_commit(&w, &error) && opens(in_folder("nothing.safetensors")), "no tensors: %s", error.text);
    signal(SIGXFSZ, SIG_IGN); // a write past the limit then fails as one on a full disk does
    struct rlimit before, limit;
    getrlimit(RLIMIT_FSIZE, &before);
    limit = (struct rlimit){100, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    bool ok = safetensors_writer_open_file(&w, in_folder("full.safetensors"), model, MODEL_COUNT, &error);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_DFL);
    check(!ok && strstr(error.text, "File too large"), "a full disk: %s", error.text);
    none_left("a full disk");
}
static void test_shards(void) {
    SafetensorsWriter w;
    check(safetensors_writer_open_folder(&w, folder, model, MODEL_COUNT, SAFETENSORS_SHARD_BYTES, &error) && fill(&w) && safetensors_writer_commit(&w, &error), "%s", error.text);
    check(file_exists(in_folder("model.safetensors")) && !file_exists(in_folder("model.safetensors.index.json")), "one file is enough");
    check_model(folder);
    // z.bias 6 + a.weight 12 | step 8 + b.weight 8 + empty 0
    check(safetensors_writer_open_folder(&w, folder, model, MODEL_COUNT, 18, &error) && fill(&w) && safetensors_writer_commit(&w, &error), "%s", error.text);
    check(!file_exists(in_folder("model.safetensors")) && file_exists(in_folder("model-00001-of-00002.safetensors")) && file_exists(in_folder("model-00002-of-00002.safetensors")), "two shards");
    check_model(folder);
    none_left("a sharded save");
    json_t *index = json_read(in_folder("model.safetensors.index.json"), &error);
    check(index && json_integer_value(json_object_get(json_object_get(index, "metadata"), "total_size")) == 34, "total_size");
    check(index && !strcmp(json_string_value(json_object_get(json_object_get(index, "weight_map"), "step")), "model-00002-of-00002.safetensors"), "weight_map");
    json_decref(index);
    // A shard limit below every tensor: each in its own file.
    check(safetensors_writer_open_folder(&w, folder, model, 4, 1, &error) && fill(&w) && safetensors_writer_commit(&w, &error) && file_exists(in_folder("model-00004-of-00004.safetensors")), "four shards");

    static const struct {
        const char *index, *word;
    } cases[] = {
        {"{\"weight_map\":{\"z.bias\":\"../model-00001-of-00002.safetensors\"}}", "plain file name"},
        {"{\"weight_map\":{\"z.bias\":\"sub/model.safetensors\"}}", "plain file name"},
        {"{\"weight_map\":{\"z.bias\":\"/etc/passwd\"}}", "plain file name"},
        {"{\"weight_map\":{\"z.bias\":\"..\"}}", "plain file name"},
        {"{\"weight_map\":{\"z.bias\":\"\"}}", "plain file name"},
        {"{\"weight_map\":{\"z.bias\":\"model-00001-of-00002.safetensors\\u0000\"}}", "plain file name"},
        {"{\"weight_map\":{\"z.bias\":7}}", "plain file name"},
        {"{\"weight_map\":{\"z.bias\":\"gone.safetensors\"}}", "gone.safetensors"},
        {"{\"weight_map\":{\"z.bias\":\"model-00002-of-00002.safetensors\"}}", "does not hold it"},
        {"{\"weight_map\":{\"z.bias\":\"model-00001-of-00002.safetensors\",\"y\":\"model-00001-of-00002.safetensors\"}}", "puts y"},
        {"{\"weight_map\":[]}", "weight_map"},
        {"{}", "weight_map"},
        {"[]", "weight_map"},
        {"{\"weight_map\":", "JSON"},
        {"{\"weight_map\":{\"z.bias\":\"a.safetensors\",\"z.bias\":\"b.safetensors\"}}", "duplicate"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        put_text("model.safetensors.index.json", cases[i].index);
        bool ok = opens(folder);
        check(!ok && strstr(error.text, cases[i].word), "%s was not refused by \"%s\": %s", cases[i].index, cases[i].word, ok ? "accepted" : error.text);
    }
    // Two shards that both hold a tensor: the map decides, here by the same file having both names.
    put_text("model.safetensors.index.json", "{\"weight_map\":{\"z.bias\":\"model-00001-of-00002.safetensors\",\"step\":\"one.safetensors\"}}");
    SafetensorsFolder *f = safetensors_open(folder, &error);
    check(f && f->count == 2 && strstr(f->files[safetensors_find(f, "step")->file].path, "one.safetensors"), "%s", f ? "the wrong file" : error.text);
    safetensors_close(f);
    // A link is followed, as Hugging Face's cache wants it; one to something else than a file of the format is refused.
    put_text("model.safetensors.index.json", "{\"weight_map\":{\"z.bias\":\"linked.safetensors\"}}");
    const char *const targets[] = {"model-00001-of-00002.safetensors", "/etc/passwd", "/dev/zero", ".", "linked.safetensors"};
    for (int i = 0; i < 5; i++) {
        unlink(in_folder("linked.safetensors"));
        check(symlink(targets[i], in_folder("linked.safetensors")) == 0, "%s", strerror(errno));
        error.text[0] = 0;
        check(opens(folder) == (i == 0) && (i == 0 || strstr(error.text, "linked.safetensors")), "a link to %s: %s", targets[i], error.text);
    }
    unlink(in_folder("linked.safetensors"));
}

// The trained model: every tensor has the shape that the architecture asks for, and one value is known.
static void test_real(void) {
    const char *data = check_data_folder();
    if (!data) {
        check_skip("no GRPO_TEST_DATA: stories260K was not read");
        return;
    }
    char dir[1000], name[96];
    snprintf(dir, sizeof(dir), "%s/stories260K/hf", data);
    SafetensorsFolder *f = safetensors_open(dir, &error);
    if (!check(f && f->count == 47, "stories260K: %s", f ? "47 tensors are wanted" : error.text)) { return; }
    check(safetensors_check_shape(f, "model.embed_tokens.weight", 512, 64, &error) && safetensors_check_shape(f, "model.norm.weight", 64, 0, &error), "%s", error.text);
    float *values = (float *)host_alloc(512 * 64 * sizeof(float));
    double sum = 0;
    for (int layer = 0; layer < 5; layer++) {
        snprintf(name, sizeof(name), "model.layers.%d.self_attn.k_proj.weight", layer);
        check(safetensors_check_shape(f, name, 32, 64, &error) && safetensors_read_floats(values, f, name, 0, 32 * 64, &error), "%s", error.text);
        for (int i = 0; i < 32 * 64; i++) { sum += fabs((double)values[i]); }
    }
    check(isfinite(sum) && sum > 100 && sum < 100000, "the keys' weights are trained numbers: %g", sum);
    // Written again by our writer (BF16 in shards), it is the same model up to rounding.
    SafetensorsEntry entries[64];
    for (size_t i = 0; i < f->count; i++) {
        entries[i] = (SafetensorsEntry){.name = f->tensors[i].name, .dtype = SAFETENSORS_F32, .rank = f->tensors[i].rank};
        memcpy(entries[i].shape, f->tensors[i].shape, sizeof(entries[i].shape));
    }
    SafetensorsWriter w;
    bool ok = safetensors_writer_open_folder(&w, folder, entries, f->count, 200000, &error);
    for (size_t i = 0; ok && i < f->count; i++) {
        ok = safetensors_read_floats(values, f, f->tensors[i].name, 0, f->tensors[i].elements, &error) &&
             safetensors_writer_append_floats(&w, f->tensors[i].name, values, f->tensors[i].elements, &error);
    }
    ok = ok && safetensors_writer_commit(&w, &error);
    SafetensorsFolder *again = ok ? safetensors_open(folder, &error) : NULL;
    float *other = (float *)host_alloc(512 * 64 * sizeof(float));
    if (check(again && again->count == f->count && again->file_count > 1, "stories260K in shards: %s", error.text)) {
        for (size_t i = 0; i < f->count; i++) {
            size_t count = f->tensors[i].elements;
            ok = ok && safetensors_read_floats(values, f, f->tensors[i].name, 0, count, &error) && safetensors_read_floats(other, again, f->tensors[i].name, 0, count, &error) && !memcmp(values, other, count * sizeof(float));
        }
        check(ok, "stories260K comes back to the bit");
    }
    safetensors_close(again);
    safetensors_close(f);
    free(values);
    free(other);
}

int main(void) {
    if (!mkdtemp(folder)) { fatal("%s: cannot be created", folder); }
    test_headers();
    test_lengths();
    test_damage();
    test_lookup();
    test_f16();
    test_floats();
    test_writer();
    test_shards();
    test_real();
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", folder);
    check(system(command) == 0, "%s", command);
    return check_report("test_safetensors");
}
