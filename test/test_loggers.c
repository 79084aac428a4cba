// Loggers: our TensorBoard and W&B files read back by a decoder of their own (every length, CRC and field), the same decoder on real
// files, a resumed run against an unbroken one, the report.
#include "check.h"
#include "llmc/loggers.h"

// ---- an independent reader: tables instead of the writer's loops, offsets instead of buffers
typedef struct {
    const unsigned char *data;
    size_t size;
} Bytes;
static uint32_t crc_table(uint32_t polynomial, Bytes bytes) {
    uint32_t table[256], crc = 0xFFFFFFFFu;
    for (uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++) { table[i] = table[i] & 1 ? polynomial ^ (table[i] >> 1) : table[i] >> 1; }
    }
    for (size_t i = 0; i < bytes.size; i++) { crc = table[(crc ^ bytes.data[i]) & 255] ^ (crc >> 8); }
    return crc ^ 0xFFFFFFFFu;
}
static uint64_t little_endian(const unsigned char *data, int bytes) {
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--) { value = value << 8 | data[i]; }
    return value;
}
static bool read_varint(Bytes *in, uint64_t *value) {
    *value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (!in->size) { return false; }
        unsigned char byte = *in->data;
        in->data++, in->size--;
        *value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) { return true; }
    }
    return false;
}
typedef struct {
    int field, type;
    uint64_t number; // types 0, 1, 5: the bits
    Bytes bytes;     // type 2
} Field;
static bool read_field(Bytes *in, Field *out) {
    uint64_t key, length;
    if (!read_varint(in, &key)) { return false; }
    *out = (Field){.field = (int)(key >> 3), .type = (int)(key & 7)};
    if (out->type == 0) { return read_varint(in, &out->number); }
    if (out->type == 2) {
        if (!read_varint(in, &length) || length > in->size) { return false; }
        out->bytes = (Bytes){in->data, (size_t)length};
    } else if (out->type == 1 || out->type == 5) {
        length = out->type == 1 ? 8 : 4;
        if (length > in->size) { return false; }
        out->number = little_endian(in->data, (int)length);
    } else {
        return false;
    }
    in->data += length, in->size -= (size_t)length;
    return true;
}
static bool find_field(Bytes message, int number, Field *out) { // the first of that number
    while (message.size && read_field(&message, out)) {
        if (out->field == number) { return true; }
    }
    return false;
}
static double bits_double(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}
static float bits_float(uint64_t bits) {
    uint32_t half = (uint32_t)bits;
    float value;
    memcpy(&value, &half, sizeof(value));
    return value;
}

// ---- TensorBoard
typedef void (*EventVisitor)(void *context, Bytes event);
static int events_read(const char *path, EventVisitor visit, void *context) { // -1: damaged
    Mapping mapping;
    Error error;
    if (!mapping_open(&mapping, path, &error)) { return -1; }
    int count = 0;
    size_t at = 0;
    while (at < mapping.size && count >= 0) {
        const unsigned char *p = mapping.data + at;
        uint64_t length = mapping.size - at >= 12 ? little_endian(p, 8) : UINT64_MAX;
        if (length > mapping.size - at - 16) { break; }
        uint32_t crcs[2] = {crc_table(0x82F63B78u, (Bytes){p, 8}), crc_table(0x82F63B78u, (Bytes){p + 12, (size_t)length})};
        for (int i = 0; i < 2; i++) { crcs[i] = (crcs[i] >> 15 | crcs[i] << 17) + 0xa282ead8u; }
        if (crcs[0] != little_endian(p + 8, 4) || crcs[1] != little_endian(p + 12 + length, 4)) { break; }
        if (visit) { visit(context, (Bytes){p + 12, (size_t)length}); }
        count++;
        at += 16 + (size_t)length;
    }
    count = at == mapping.size ? count : -1;
    mapping_close(&mapping);
    return count;
}
typedef struct {
    int steps, values, bad_tags;
    double sum, last_step, wall;
    bool version;
} Scalars;
static void visit_scalars(void *context, Bytes event) {
    Scalars *seen = (Scalars *)context;
    Field field, value, part;
    if (find_field(event, 3, &field)) { seen->version = field.bytes.size == 13 && !memcmp(field.bytes.data, "brain.Event:2", 13); }
    if (find_field(event, 1, &field)) { seen->wall = bits_double(field.number); }
    if (find_field(event, 2, &field)) { seen->last_step = (double)field.number; }
    if (!find_field(event, 5, &field)) { return; }
    seen->steps++;
    for (Bytes summary = field.bytes; summary.size && read_field(&summary, &value);) {
        if (value.field != 1 || !find_field(value.bytes, 2, &part) || part.type != 5) { continue; }
        seen->values++;
        seen->sum += (double)bits_float(part.number);
        seen->bad_tags += !find_field(value.bytes, 1, &part) || !part.bytes.size || part.bytes.data[0] == '_'; // W&B's own names begin so
    }
}

// ---- W&B
typedef struct {
    int kinds[128], records;
    double last_step, reward;
    char run_id[64], last_summary[64];
    int exit_code, longest;
    bool order; // header, run first; record numbers 0, 1, 2, ..; steps rise
} WandbSeen;
static void visit_record(WandbSeen *seen, Bytes record) {
    Field field, part, item, key;
    uint64_t number = find_field(record, 1, &field) ? field.number : 0;
    seen->order = seen->order && number == (uint64_t)seen->records;
    seen->records++;
    seen->longest = (int)record.size > seen->longest ? (int)record.size : seen->longest;
    for (Bytes rest = record; rest.size && read_field(&rest, &field);) {
        if (field.type != 2 || field.field < 2 || field.field > 127) { continue; }
        seen->kinds[field.field]++;
        if (field.field == WANDB_RUN && find_field(field.bytes, 1, &part)) { snprintf(seen->run_id, 64, "%.*s", (int)part.bytes.size, (const char *)part.bytes.data); }
        if (field.field == WANDB_EXIT && find_field(field.bytes, 1, &part)) { seen->exit_code = (int)part.number; }
        if (field.field != WANDB_HISTORY) { continue; }
        if (find_field(field.bytes, 2, &part) && find_field(part.bytes, 1, &item)) {
            seen->order = seen->order && (double)item.number > seen->last_step;
            seen->last_step = (double)item.number;
        }
        for (Bytes items = field.bytes; items.size && read_field(&items, &item);) {
            if (item.field != 1 || !find_field(item.bytes, 1, &key) || !find_field(item.bytes, 16, &part)) { continue; }
            if (key.bytes.size == strlen(METRIC_REWARD) && !memcmp(key.bytes.data, METRIC_REWARD, key.bytes.size)) {
                char json[64];
                snprintf(json, sizeof(json), "%.*s", (int)part.bytes.size, (const char *)part.bytes.data);
                seen->reward += strtod(json, NULL);
            }
        }
    }
}
static bool wandb_read(const char *path, WandbSeen *seen) { // false: damaged
    Mapping mapping;
    Error error;
    *seen = (WandbSeen){.last_step = -1, .exit_code = -1, .order = true};
    if (!mapping_open(&mapping, path, &error)) { return false; }
    bool ok = mapping.size >= 7 && !memcmp(mapping.data, ":W&B\xE1\xBE\0", 7);
    Buffer record = {0};
    int expect = 0; // 0: a record begins (types 1, 2); 1: it goes on (3, 4)
    for (size_t at = 7; ok && at < mapping.size;) {
        size_t room = 32768 - at % 32768;
        if (room < 7) { // padding
            for (size_t i = 0; i < room && at + i < mapping.size; i++) { ok = ok && mapping.data[at + i] == 0; }
            at += room;
            continue;
        }
        const unsigned char *p = mapping.data + at;
        size_t length = mapping.size - at >= 7 ? (size_t)little_endian(p + 4, 2) : SIZE_MAX;
        int type = mapping.size - at >= 7 ? p[6] : 0;
        ok = length <= room - 7 && length <= mapping.size - at - 7 && (expect ? type == 3 || type == 4 : type == 1 || type == 2) &&
             crc_table(0xEDB88320u, (Bytes){p + 6, length + 1}) == little_endian(p, 4);
        if (!ok) { break; }
        buffer_append(&record, p + 7, length);
        expect = type == 2 || type == 3;
        if (!expect) {
            visit_record(seen, (Bytes){(const unsigned char *)record.data, record.size});
            buffer_clear(&record);
        }
        at += 7 + length;
    }
    buffer_free(&record);
    mapping_close(&mapping);
    return ok && !expect;
}

static void test_crc(void) { // the check values of both polynomials (RFC 3720 B.4 has CRC-32C's)
    check(crc32c("123456789", 9) == 0xE3069283u && crc_table(0x82F63B78u, (Bytes){(const unsigned char *)"123456789", 9}) == 0xE3069283u, "CRC-32C");
    check(crc_table(0xEDB88320u, (Bytes){(const unsigned char *)"123456789", 9}) == 0xCBF43926u, "CRC-32");
    unsigned char zeros[32] = {0};
    check(crc32c(zeros, 32) == 0x8A9136AAu, "CRC-32C of 32 zeros");
}
static void test_varint(void) {
    static const struct {
        uint64_t value;
        const char *bytes;
        size_t size;
    } cases[] = {{0, "\0", 1}, {1, "\1", 1}, {127, "\x7F", 1}, {128, "\x80\x01", 2}, {300, "\xAC\x02", 2}, {16384, "\x80\x80\x01", 3}, {UINT64_MAX, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 10}};
    Buffer out = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        buffer_clear(&out);
        proto_varint(&out, cases[i].value);
        check(out.size == cases[i].size && !memcmp(out.data, cases[i].bytes, out.size), "varint of %llu", (unsigned long long)cases[i].value);
    }
    buffer_free(&out);
}
static void test_real_files(void) {
    const char *folder = check_data_folder();
    if (!folder) {
        check_skip("real TensorBoard and W&B files: no data folder");
        return;
    }
    char path[600];
    Scalars scalars = {0};
    snprintf(path, sizeof(path), "%s/tensorboard/events.out.tfevents.1585769947.cvp", folder);
    check(events_read(path, visit_scalars, &scalars) == 105, "a real event file has 105 events");
    check(scalars.version && scalars.values > 0, "its version and %d scalars", scalars.values);
    WandbSeen seen;
    snprintf(path, sizeof(path), "%s/wandb/run-g9dvvkua.wandb", folder);
    if (check(wandb_read(path, &seen), "a real offline run is read to its end")) {
        check_text(seen.run_id, "g9dvvkua", "its run id");
        check(seen.kinds[WANDB_HEADER] == 1 && seen.kinds[WANDB_EXIT] == 1 && seen.kinds[WANDB_FINAL] == 1 && seen.kinds[WANDB_FOOTER] == 1, "its records");
    }
}

// ---- a small run
static void remove_tree(void) {
    int status = system("rm -rf build/test_loggers");
    check(status == 0, "old files are gone");
}
static MetricSet made_up(int step, int extra) {
    MetricSet set = {.count = 0};
    metric_set(&set, METRIC_REWARD, step / 64.0);
    metric_set(&set, METRIC_LENGTH, 20 + step % 7);
    metric_set(&set, METRIC_LIMIT, step <= 30 ? 32 : 56);
    if (step % 10 == 0) { metric_set(&set, "val-core/sums/acc/mean@4", step / 80.0); }
    for (int i = 0; i < extra; i++) {
        char name[32];
        snprintf(name, sizeof(name), "extra/%d", i);
        metric_set(&set, name, 1.0 / (i + 1));
    }
    return set;
}
static Config made_up_config(const char *run_dir) {
    Config config = {0};
    Error error;
    options_default(&config, &grpo_option_set);
    config.run_dir = run_dir;
    config.context = "32:30,56:30";
    check(config_check(&config, &error), "%s", error.text);
    return config;
}
// Runs steps first .. last; `stop` ends without closing, as a killed process does: what was flushed is what there is.
static void run_steps(const Config *config, int resumed, int first, int last, int extra, bool stop) {
    static Loggers loggers;
    Error error = {""};
    if (!check(loggers_open(&loggers, config, resumed, &error), "open: %s", error.text)) { return; }
    for (int step = first; step <= last; step++) {
        MetricSet set = made_up(step, extra);
        check(loggers_step(&loggers, step, &set, (uint32_t)step * 2654435761u, &error), "step %d: %s", step, error.text);
        if (step % 10 == 0) {
            check(loggers_sample(&loggers, step, step % 20 == 0, "1+2=<think>", "1+2=3</think>\\boxed{3} & <b>\xE4\xBD", "3", "equal text", &error), "%s", error.text);
            check(loggers_sample(&loggers, step, 0, "1+2=<think>", NULL, "3", "no answer", &error), "an empty answer: %s", error.text);
            check(loggers_report(&loggers, &error), "report: %s", error.text);
        }
    }
    if (!stop) {
        check(loggers_close(&loggers, 0, &error), "close: %s", error.text);
        return;
    }
    fclose(loggers.metrics), fclose(loggers.samples), fclose(loggers.tensorboard.file), fclose(loggers.wandb.file);
    report_free(&loggers.report);
    history_free(&loggers.history);
}
// Finds the only file under run_dir/sub whose name begins so; counts them.
static int find_file(char out[700], const char *run_dir, const char *sub, const char *start) {
    char folder[300];
    int count = 0;
    snprintf(folder, sizeof(folder), "%s/%s", run_dir, sub);
    DIR *directory = opendir(folder);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        if (!strncmp(entry->d_name, start, strlen(start))) {
            snprintf(out, 700, "%s/%s", folder, entry->d_name);
            count++;
        }
    }
    if (directory) { closedir(directory); }
    return count;
}
static void check_run(const char *run_dir, int steps, int exit_code, char run_id[64]) {
    char path[700], file[900];
    Scalars scalars = {0};
    check(find_file(path, run_dir, "tensorboard", "events.out.tfevents.") == 1, "%s: one event file", run_dir);
    check(events_read(path, visit_scalars, &scalars) == steps + 2 && scalars.version, "%s: an event per step after the version", run_dir);
    double sum = 0;
    for (int step = 0; step <= steps; step++) {
        MetricSet set = made_up(step, 2);
        for (int i = 0; i < set.count; i++) { sum += (double)(float)set.metric[i].value; }
    }
    check(scalars.steps == steps + 1 && scalars.last_step == steps && fabs(scalars.sum - sum) < 1e-9 * sum, "%s: scalars add up to %.9g, want %.9g", run_dir,
          scalars.sum, sum);
    check(scalars.bad_tags == 0, "%s: every scalar has a tag, and none is W&B's own", run_dir);
    check(fabs(scalars.wall - (double)time(NULL)) < 600, "%s: wall time", run_dir);
    WandbSeen seen;
    check(find_file(path, run_dir, "wandb", "offline-run-") == 1, "%s: one offline run", run_dir);
    const char *id = strrchr(path, '-') + 1;
    snprintf(file, sizeof(file), "%s/run-%s.wandb", path, id);
    if (check(wandb_read(file, &seen), "%s: is read to its end", file)) {
        check(seen.order && seen.last_step == steps && seen.kinds[WANDB_HISTORY] == steps + 1, "%s: %d steps in order", file, seen.kinds[WANDB_HISTORY]);
        check(seen.kinds[WANDB_HEADER] == 1 && seen.kinds[WANDB_RUN] == 1, "%s: header and run", file);
        check(fabs(seen.reward - steps * (steps + 1) / 128.0) < 1e-9, "%s: rewards add up to %g", file, seen.reward);
        check(seen.exit_code == exit_code && seen.kinds[WANDB_SUMMARY] == (exit_code == 0) && seen.kinds[WANDB_FINAL] == (exit_code == 0), "%s: its end", file);
        check_text(seen.run_id, id, "run id");
        snprintf(run_id, 64, "%s", id);
    }
}
// metrics.jsonl without its two times
static void timeless(Buffer *out, const char *run_dir) {
    char path[300];
    Error error;
    Buffer whole = {0};
    snprintf(path, sizeof(path), "%s/metrics.jsonl", run_dir);
    check(file_read(path, &whole, &error), "%s", error.text);
    for (const char *p = whole.data; p && *p;) {
        bool skipped = !strncmp(p, "\"_timestamp\":", 13) || !strncmp(p, "\"_runtime\":", 11);
        size_t length = skipped ? strcspn(p, ",}") : 1;
        if (!skipped) { buffer_append(out, p, 1); }
        p += length;
    }
    buffer_free(&whole);
}
static void test_run_and_resume(void) {
    remove_tree();
    Config config = made_up_config("build/test_loggers/unbroken");
    char id[64] = "", again[64] = "";
    run_steps(&config, -1, 0, 60, 2, false);
    check_run(config.run_dir, 60, 0, id);
    Config broken = made_up_config("build/test_loggers/broken");
    run_steps(&broken, -1, 0, 37, 2, true); // killed in step 38; the last checkpoint is of step 20
    check_run(broken.run_dir, 37, -1, id);
    Error error = {""};
    file_write_atomic("build/test_loggers/broken/tensorboard/events.out.tfevents.1000000000.host.1.0", "of an earlier part", 18, &error);
    run_steps(&broken, 20, 21, 60, 2, false);
    check_run(broken.run_dir, 60, 0, again);
    check_text(again, id, "a resumed run keeps its W&B id");
    Buffer a = {0}, b = {0};
    timeless(&a, config.run_dir);
    timeless(&b, broken.run_dir);
    check(a.size > 1000 && a.size == b.size && !memcmp(a.data, b.data, a.size), "metrics.jsonl of a resumed run equals an unbroken one's, times apart");
    buffer_clear(&a), buffer_clear(&b);
    file_read("build/test_loggers/unbroken/samples.jsonl", &a, &error);
    file_read("build/test_loggers/broken/samples.jsonl", &b, &error);
    check(a.size > 100 && a.size == b.size && !memcmp(a.data, b.data, a.size), "so does samples.jsonl");
    buffer_clear(&a), buffer_clear(&b);
    file_read("build/test_loggers/unbroken/report.html", &a, &error);
    file_read("build/test_loggers/broken/report.html", &b, &error);
    check(strstr(a.data, "\\boxed{3} &amp; &lt;b&gt;\xEF\xBF\xBD") && !strstr(a.data, "<b>"), "the report escapes what the model wrote");
    check(strstr(a.data, "class=\"mark\"") && strstr(a.data, ">sums</text>") && !strstr(a.data, "nan"), "stage boundary, name of the set, no NaN in the report");
    check(a.size == b.size + strlen("un"), "the reports show the same but for run_dir: %zu and %zu bytes", a.size, b.size);
    for (const char *src = strstr(a.data, "src="), *link = strstr(a.data, "http"); src || link; src = link = NULL) { check(false, "the report needs nothing else"); }
    run_steps(&broken, -1, 0, 3, 0, false); // --resume never into the same folder: a new W&B run, the rest anew
    check(find_file((char[700]){""}, broken.run_dir, "wandb", "offline-run-") == 2, "a new run has a new id");
    buffer_free(&a), buffer_free(&b);
}
// Records of every length around the 32 KiB blocks: each must come back whole.
static void test_wandb_blocks(void) {
    Wandb wandb = {0};
    const char *path = "build/test_loggers/blocks.wandb";
    for (int length = 32700; length <= 32800; length++) {
        wandb = (Wandb){.file = fopen(path, "wb")};
        Buffer record = {0}, filler = {0};
        wandb_bytes(&wandb, ":W&B\xE1\xBE\0", 7);
        for (int i = 0; i < 3; i++) {
            for (int j = 0; j < (i == 1 ? 3 * length : length - 40); j++) { buffer_append(&filler, &(char){(char)(j * 7)}, 1); }
            proto_message(&record, 5, &filler);
            wandb_record(&wandb, WANDB_FILES, &record);
        }
        fclose(wandb.file);
        WandbSeen seen;
        bool ok = wandb_read(path, &seen);
        check(ok && seen.records == 3 && seen.order && seen.longest > 3 * length, "records of %d bytes: %d come back", length, seen.records);
        buffer_free(&record), buffer_free(&filler);
    }
}
static void test_report_smooth(void) {
    enum { N = 400 };
    double x[N], y[N], mark = 200.5, step = 0, noise = 0;
    for (int i = 0; i < N; i++) { x[i] = i + 1, y[i] = (i + 1 > 200) + 0.1 * check_random(); }
    ChartLine line = {.x = x, .y = y, .count = N};
    report_smooth(&line, &mark, 1);
    for (int i = 0; i < N; i++) {
        step = fmax(step, fabs(y[i] - (x[i] > 200)));
        if (i % 200 > 20 && i % 200 < 180) { noise = fmax(noise, fabs(y[i] - (x[i] > 200))); } // in either stage
    }
    check(step <= 0.1, "smoothing does not reach over a stage boundary: off by %g", step); // the noise's own size
    check(noise < 0.06, "smoothing over 17 steps leaves %g of noise of 0.1", noise);       // its deviation is 0.058 / sqrt(17) = 0.014
}
static void test_report_edges(void) {
    Config config = made_up_config("build/test_loggers/edges");
    config.experiment = "<script>alert(1)</script>";
    MetricHistory history = {0};
    Report report = {.sample_count = 0};
    Error error = {""};
    Buffer page = {0};
    const char *path = "build/test_loggers/edges.html";
    check(report_write(path, &report, &history, &config, &error), "a report of nothing: %s", error.text);
    static const double values[] = {0, NAN, INFINITY, -1e300, 1e300, 1e-300, 5, 5, 5};
    for (int i = 0; i < 9; i++) {
        MetricSet set = {.count = 0};
        metric_set(&set, METRIC_REWARD, values[i]);
        metric_set(&set, METRIC_ENTROPY, 3);
        history_add(&history, i, &set);
        report_add_sample(&report, i, 1, "q", "a", "t", "r");
        check(report_write(path, &report, &history, &config, &error), "a report of %g: %s", values[i], error.text);
    }
    for (int i = 9; i < 40; i++) { report_add_sample(&report, i, 0, "q", "a", "t", "r"); }
    check(report.sample_count == REPORT_SAMPLES && report.samples[0].step == 0 && report.samples[REPORT_SAMPLES - 1].step == 39, "the first and the latest samples stay");
    check(report_write(path, &report, &history, &config, &error) && file_read(path, &page, &error), "%s", error.text);
    check(!strstr(page.data, "<script>") && !strstr(page.data, "nan") && !strstr(page.data, "inf,"), "no script, no NaN, no infinity");
    check(!report_write("build/no/folder/report.html", &report, &history, &config, &error), "a folder that is not there");
    report_free(&report);
    history_free(&history);
    buffer_free(&page);
}

int main(void) {
    unsetenv("WANDB_MODE"), unsetenv("WANDB_DIR"), unsetenv("WANDB_RUN_ID");
    test_crc();
    test_varint();
    test_real_files();
    test_run_and_resume();
    test_wandb_blocks();
    test_report_smooth();
    test_report_edges();
    return check_report("test_loggers");
}
