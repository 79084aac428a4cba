// Metrics: the set, the console line, metrics.jsonl and its truncation, the history, fingerprints, progress lines, text in JSON and HTML.
#include "check.h"
#include "llmc/fingerprint.h"
#include "llmc/metrics.h"
#include "llmc/progress.h"

static const char *const path = "build/test_metrics.jsonl";

static void test_set_and_console(void) {
    MetricSet set = {.count = 0};
    Buffer line = {0};
    metric_set(&set, METRIC_REWARD, 0.4117);
    metric_set(&set, METRIC_LENGTH, 38.24);
    metric_set(&set, METRIC_KL, 0.00031);
    metric_set(&set, METRIC_ENTROPY, 0.114);
    metric_set(&set, METRIC_CLIP, 0.0021);
    metric_set(&set, METRIC_GRAD_NORM, 1);
    metric_set(&set, METRIC_GRAD_NORM, 0.834); // again: the value changes, the place does not
    metric_set(&set, METRIC_LEARNING_RATE, 2e-4);
    metric_set(&set, METRIC_STEP_SECONDS, 1.234);
    metric_set(&set, METRIC_THROUGHPUT, 20123);
    check(set.count == 9 && metric_get(&set, METRIC_GRAD_NORM) == 0.834 && isnan(metric_get(&set, "none")), "set and get");
    metrics_console_line(&line, 12, 160, &set, 0xa1b2c3d4);
    check_text(line.data,
               "step   12/160 | reward 0.412 | len 38.2 | kl 0.0003 | ent 0.11 | clip 0.2% | gnorm 0.83 | lr 2.0e-04 | 1234 ms | 20.1K tok/s | #a1b2c3d4\n",
               "console line");
    buffer_clear(&line);
    set.count = 1;
    metrics_console_line(&line, 7, 100000, &set, 0);
    check_text(line.data, "step      7/100000 | reward 0.412 | #00000000\n", "what was not measured is left out");
    buffer_free(&line);
}

static void test_json_line(void) {
    MetricSet set = {.count = 0}, back = {.count = 0};
    Buffer line = {0};
    Error error;
    static const double values[] = {0, -1, 0.1, 1e-6, 1.0 / 3, 123456789.125, 1e300, 5e-324, -0.0, 1790000000.123};
    for (int i = 0; i < 10; i++) {
        char name[32];
        snprintf(name, sizeof(name), "value/%d \"q\"", i);
        metric_set(&set, name, values[i]);
    }
    metric_set(&set, "nan", NAN);
    metric_set(&set, "infinity", INFINITY);
    metrics_json_line(&line, 3, &set, 0xff);
    json_t *json = json_parse(line.data, line.size, "line", &error);
    int step = 0;
    if (check(json != NULL && metrics_from_json(&back, &step, json), "reads back: %s", line.data)) {
        bool same = step == 3 && back.count == 12;
        for (int i = 0; i < 10; i++) { same = same && back.metric[i].value == values[i] && !strcmp(back.metric[i].name, set.metric[i].name); }
        check(same && isnan(back.metric[10].value) && isnan(back.metric[11].value), "every value reads back exactly");
        check_text(json_string_value(json_object_get(json, "fingerprint")), "000000ff", "fingerprint");
    }
    json_decref(json);
    buffer_clear(&line);
    set.count = 1;
    snprintf(set.metric[0].name, METRIC_NAME_SIZE, "a/b");
    set.metric[0].value = 1e-6;
    metrics_json_line(&line, 12, &set, 0xa1b2c3d4);
    check_text(line.data, "{\"step\":12,\"data\":{\"a/b\":1e-06},\"fingerprint\":\"a1b2c3d4\"}\n", "the line as documented");
    buffer_free(&line);
}

static bool count_lines(void *context, const json_t *line) {
    (void)line;
    ++*(int *)context;
    return true;
}
static void check_jsonl(const char *before, int64_t last_step, const char *want, int lines) {
    Error error = {""};
    Buffer after = {0};
    int seen = 0;
    file_write_atomic(path, before, strlen(before), &error);
    FILE *file = jsonl_open(path, last_step, count_lines, &seen, &error);
    if (check(file != NULL, "kept up to step %lld: %s", (long long)last_step, error.text)) {
        fputs("{\"step\":9}\n", file);
        fclose(file);
        file_read(path, &after, &error);
        Buffer wanted = {0};
        buffer_printf(&wanted, "%s{\"step\":9}\n", want);
        check_text(after.data, wanted.data, before);
        check(seen == lines, "%s: %d lines seen, want %d", before, seen, lines);
        buffer_free(&wanted);
    }
    buffer_free(&after);
}
static void test_jsonl(void) {
    const char *three = "{\"step\":0,\"x\":1}\n{\"step\":1}\n{\"step\":2}\n";
    check_jsonl(three, 1, "{\"step\":0,\"x\":1}\n{\"step\":1}\n", 2);
    check_jsonl(three, 2, three, 3);
    check_jsonl(three, 100, three, 3);
    check_jsonl(three, 0, "{\"step\":0,\"x\":1}\n", 1);
    check_jsonl(three, -1, "", 0);
    check_jsonl("", 5, "", 0);
    check_jsonl("{\"step\":1}\n{\"step\":2,\"da", 5, "{\"step\":1}\n", 1); // cut off by a crash
    check_jsonl("{\"step\":1}\n{\"step\":2}", 5, "{\"step\":1}\n", 1);
    check_jsonl("{\"step\":3}\n{\"step\":1}\n", 2, "{\"step\":1}\n", 1);
    static const char *const broken[] = {"{\"step\":1}\nnot json\n", "{\"stop\":1}\n", "{\"step\":\"1\"}\n", "[]\n", "\n", "{\"step\":1,\"step\":2}\n", "\xff\n"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        Error error = {""};
        Buffer after = {0};
        file_write_atomic(path, broken[i], strlen(broken[i]), &error);
        check(!jsonl_open(path, 5, NULL, NULL, &error) && strstr(error.text, path) && strstr(error.text, "line "), "%s: refused with file and line: %s", broken[i],
              error.text);
        file_read(path, &after, &error);
        check_text(after.data, broken[i], "a refused file is left alone");
        buffer_free(&after);
    }
    unlink(path);
    Error error = {""};
    FILE *file = jsonl_open(path, 5, NULL, NULL, &error);
    check(file != NULL, "an absent file is begun: %s", error.text);
    if (file) { fclose(file); }
    check(!jsonl_open("build/no/such/folder.jsonl", 5, NULL, NULL, &error), "a folder that is not there");
    unlink(path);
    static const char *const wrong[] = {"{\"step\":1}", "{\"step\":1,\"data\":3}", "{\"step\":1.5,\"data\":{}}", "{\"step\":1,\"data\":{\"a\":\"b\"}}"};
    for (size_t i = 0; i < 4; i++) {
        MetricSet set;
        int step;
        json_t *json = json_parse(wrong[i], strlen(wrong[i]), "line", &error);
        check(!metrics_from_json(&set, &step, json), "not a metrics line: %s", wrong[i]);
        json_decref(json);
    }
}

static void test_history(void) {
    MetricHistory history = {0};
    for (int step = 0; step < 1000; step++) {
        MetricSet set = {.count = 0};
        if (step % 10 == 0) { metric_set(&set, "evaluated", step * 0.5); }
        metric_set(&set, "always", step);
        history_add(&history, step, &set);
    }
    int evaluated = history_column(&history, "evaluated"), always = history_column(&history, "always");
    check(history.rows == 1000 && history.columns == 2 && history_column(&history, "never") == -1, "rows and columns");
    check(history_value(&history, 990, evaluated) == 495 && isnan(history_value(&history, 991, evaluated)) && history_value(&history, 999, always) == 999, "values");
    check(isnan(history_value(&history, 0, -1)), "a column that is not there");
    history_free(&history);
}

static void test_fingerprint(void) {
    size_t bytes = 3 * FINGERPRINT_BLOCK + 12345;
    unsigned char *data = (unsigned char *)host_alloc(bytes);
    for (size_t i = 0; i < bytes; i++) { data[i] = (unsigned char)(i * 2654435761u >> 24); }
    uint64_t whole = fingerprint_bytes(FINGERPRINT_START, data, bytes);
    check(whole == fingerprint_bytes(FINGERPRINT_START, data, bytes), "the same twice");
    check(whole != fingerprint_bytes(FINGERPRINT_START + 1, data, bytes), "goes on from what came before");
    check(whole != fingerprint_bytes(FINGERPRINT_START, data, bytes - 1), "one byte less");
    int unseen = 0, printed = 0;
    for (int i = 0; i < 64; i++) { // any single bit, and any two sign bits, change what is printed
        size_t at = (size_t)i * (bytes / 64);
        data[at] ^= (unsigned char)(1 << i % 8);
        uint64_t changed = fingerprint_bytes(FINGERPRINT_START, data, bytes);
        data[at] ^= (unsigned char)(1 << i % 8);
        unseen += changed == whole;
        printed += fingerprint_fold(changed) == fingerprint_fold(whole);
    }
    check(unseen == 0 && printed == 0, "%d of 64 flipped bits unseen, %d unprinted", unseen, printed);
    float weights[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    uint64_t before = fingerprint_bytes(FINGERPRINT_START, weights, sizeof(weights));
    weights[1] = -weights[1], weights[9] = -weights[9]; // both the top bit of their word, in the same lane
    uint32_t after = fingerprint_fold(fingerprint_bytes(FINGERPRINT_START, weights, sizeof(weights)));
    check(after != fingerprint_fold(before), "two flipped signs do not cancel");
    int zero[2] = {0, 0};
    check(fingerprint_bytes(FINGERPRINT_START, zero, 4) != fingerprint_bytes(FINGERPRINT_START, zero, 8), "a zero more");
    check(fingerprint_bytes(FINGERPRINT_START, zero, 0) != FINGERPRINT_START, "nothing at all still counts");
    double start = seconds_now();
    for (int i = 0; i < 16; i++) { whole = fingerprint_bytes(whole, data, bytes); }
    printf("ok   fingerprint %.1f GB/s\n", 16e-9 * (double)bytes / (seconds_now() - start));
    free(data);
}

static void test_progress(void) {
    Buffer line = {0};
    Progress progress = {.unit = "answers", .total = 1024};
    snprintf(progress.phase, sizeof(progress.phase), "rollout");
    progress_line(&line, &progress, 256, 10, 100);
    check_text(line.data, "rollout  ##########------------------------------  256/1024 answers  26/s  0:30 left", "a quarter after 10 s");
    check((int)strlen(line.data) < 100, "fits the terminal");
    static const int widths[] = {1, 10, 20, 40, 60, 79, 80, 200};
    static const double parts[] = {-1, 0, 0.5, 1, 2};
    for (int w = 0; w < 8; w++) {
        for (int i = 0; i < 5; i++) {
            buffer_clear(&line);
            progress_line(&line, &progress, parts[i] * 1024, 3, widths[w]);
            check((int)strlen(line.data) <= (widths[w] > 8 ? widths[w] : 8), "width %d, part %g: %s", widths[w], parts[i], line.data);
        }
    }
    buffer_clear(&line);
    progress.total = 0;
    progress_line(&line, &progress, 0, 0, 80);
    check(strstr(line.data, "0/0") != NULL, "nothing to do: %s", line.data);
    char text[32];
    progress_duration(text, 3723.4);
    check_text(text, "1:02:03", "duration");
    progress_duration(text, INFINITY);
    check_text(text, "999:59:59", "no duration too long");
    FILE *file = tmpfile(); // not a terminal: silent at first, then a line per quarter
    progress = progress_start(file, "update", 100, "steps");
    for (int i = 0; i <= 100; i++) { progress_update(&progress, i); }
    check(ftell(file) == 0, "a short phase writes nothing into a file");
    progress.started -= PROGRESS_QUIET_SECONDS + 1;
    for (int i = 0; i <= 100; i++) { progress_update(&progress, i); }
    progress_finish(&progress);
    rewind(file);
    int lines = 0, escapes = 0;
    for (int c; (c = getc(file)) != EOF;) { lines += c == '\n', escapes += c == '\r' || c == '\x1b'; }
    check(lines == PROGRESS_PLAIN_LINES && escapes == 0, "a long one %d plain lines, %d escapes", lines, escapes);
    fclose(file);
    buffer_free(&line);
}

static void test_text(void) {
    Buffer out = {0};
    const char bytes[] = "a\"\\\n<&>\x01\xC3\xA4\xE4\xBD\xFF";
    text_append_json(&out, bytes, sizeof(bytes) - 1);
    check_text(out.data, "\"a\\\"\\\\\\u000a<&>\\u0001\xC3\xA4\\ufffd\\ufffd\"", "JSON");
    buffer_clear(&out);
    text_append_html(&out, bytes, sizeof(bytes) - 1);
    check_text(out.data, "a&quot;\\\n&lt;&amp;&gt;\xEF\xBF\xBD\xC3\xA4\xEF\xBF\xBD\xEF\xBF\xBD", "HTML");
    buffer_clear(&out);
    text_append_shortened(&out, "0123456789", 10, 10);
    check_text(out.data, "0123456789", "short enough");
    const char *umlauts = "0\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4.";
    buffer_clear(&out);
    text_append_shortened(&out, umlauts, 12, 6);
    check_text(out.data, "0\xC3\xA4 [.. 6 bytes ..] \xC3\xA4.", "between characters");
    buffer_clear(&out);
    text_append_shortened(&out, umlauts, 12, 4);
    check_text(out.data, "0 [.. 10 bytes ..] .", "no character is cut");
    buffer_free(&out);
}

int main(void) {
    test_set_and_console();
    test_json_line();
    test_jsonl();
    test_history();
    test_fingerprint();
    test_progress();
    test_text();
    return check_report("test_metrics");
}
