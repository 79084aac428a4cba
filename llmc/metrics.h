// metrics: what a step measured, under verl's names, so that curves can be laid over published runs. Three forms: a line on the
// console, a line of metrics.jsonl ({"step":12,"data":{"actor/lr":1e-06,..},"fingerprint":"a1b2c3d4"}), and a history for the report.
// metrics.jsonl is the run's record: TensorBoard's and W&B's files are written again from it when a run is resumed.
#pragma once
#include <math.h>
#include "llmc/json.h"
#include "llmc/text.h"

// The names that the console line and the report look for. Lengths in tokens, times in seconds, fractions in 0 .. 1.
#define METRIC_REWARD          "critic/score/mean"          // mean reward of the step's answers
#define METRIC_LENGTH          "response_length/mean"       // tokens, end token included
#define METRIC_LIMIT           "response_length/limit"      // the running stage's context
#define METRIC_CUT             "response_length/clip_ratio" // answers that ran into the limit
#define METRIC_KL              "actor/kl_loss"              // mean of the KL estimator per token, without its coefficient
#define METRIC_ENTROPY         "actor/entropy"              // mean over tokens, nats
#define METRIC_CLIP            "actor/pg_clipfrac"          // tokens where the clipped branch was taken
#define METRIC_GRAD_NORM       "actor/grad_norm"            // before clipping, mean over the step's updates
#define METRIC_LEARNING_RATE   "actor/lr"
#define METRIC_STEP_SECONDS    "timing_s/step"
#define METRIC_THROUGHPUT      "perf/throughput"        // tokens trained on per second of the whole step, per device
#define METRIC_DATA_POSITION   "training/data_position" // prompts passed since the order of the data last began anew
#define METRIC_TIMESTAMP       "_timestamp"             // seconds since 1970, as W&B has it
#define METRIC_RUNTIME         "_runtime"               // seconds since the run began
#define METRIC_ACCURACY_PREFIX "val-core/"              // val-core/<set>/acc/mean@16
#define METRIC_ACCURACY_PART   "/mean@"

enum { METRIC_NAME_SIZE = 96,
       MAX_METRICS = 160 };
typedef struct {
    struct {
        char name[METRIC_NAME_SIZE];
        double value;
    } metric[MAX_METRICS];
    int count;
} MetricSet; // in the order of their first setting

static inline void metric_set(MetricSet *set, const char *name, double value) {
    int at = 0;
    while (at < set->count && strcmp(set->metric[at].name, name) != 0) { at++; }
    if (at == MAX_METRICS) { fatal("metrics: more than %d names; the next would be %s", MAX_METRICS, name); }
    snprintf(set->metric[at].name, METRIC_NAME_SIZE, "%s", name);
    set->metric[at].value = value;
    set->count += at == set->count;
}
static inline double metric_get(const MetricSet *set, const char *name) { // NAN if it was not set
    for (int i = 0; i < set->count; i++) {
        if (!strcmp(set->metric[i].name, name)) { return set->metric[i].value; }
    }
    return NAN;
}

// ---- the console line
//     step   12/160 | reward 0.412 | len 38.2 | kl 0.0003 | ent 0.11 | clip 0.2% | gnorm 0.83 | lr 2.0e-04 | 1234 ms | 20.1K tok/s | #a1b2c3d4
static inline void metric_part(Buffer *out, const MetricSet *set, const char *name, const char *format, double scale) {
    double value = metric_get(set, name) * scale;
    if (isnan(value)) { return; } // not measured (no KL term, say), or a NaN that metrics.jsonl shows as null
    char part[64];
    const char *unit = "";
    if (!strcmp(name, METRIC_THROUGHPUT)) {
        unit = value >= 1e6 ? "M" : value >= 1e3 ? "K"
                                                 : "";
        value /= value >= 1e6 ? 1e6 : value >= 1e3 ? 1e3
                                                   : 1;
    }
    snprintf(part, sizeof(part), format, value, unit);
    buffer_printf(out, " | %s", part);
}
static inline void metrics_console_line(Buffer *out, int step, int steps, const MetricSet *set, uint32_t fingerprint) {
    static const struct {
        const char *name, *format;
        double scale;
    } parts[] = {
        {METRIC_REWARD, "reward %.3f", 1},
        {METRIC_LENGTH, "len %.1f", 1},
        {METRIC_KL, "kl %.4f", 1},
        {METRIC_ENTROPY, "ent %.2f", 1},
        {METRIC_CLIP, "clip %.1f%%", 100},
        {METRIC_GRAD_NORM, "gnorm %.2f", 1},
        {METRIC_LEARNING_RATE, "lr %.1e", 1},
        {METRIC_STEP_SECONDS, "%.0f ms", 1000},
        {METRIC_THROUGHPUT, "%.1f%s tok/s", 1},
    };
    int width = snprintf(NULL, 0, "%d", steps);
    buffer_printf(out, "step %*d/%d", width > 4 ? width : 4, step, steps);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) { metric_part(out, set, parts[i].name, parts[i].format, parts[i].scale); }
    buffer_printf(out, " | #%08x\n", fingerprint);
}

// ---- metrics.jsonl
static inline void buffer_append_json_number(Buffer *out, double value) { // the shortest that reads back; JSON has no NaN and no infinity
    char number[40] = "null";
    for (int digits = 6; digits <= 17 && isfinite(value); digits++) {
        snprintf(number, sizeof(number), "%.*g", digits, value);
        if (strtod(number, NULL) == value) { break; }
    }
    buffer_append_text(out, number);
}
static inline void metrics_json_line(Buffer *out, int step, const MetricSet *set, uint32_t fingerprint) {
    buffer_printf(out, "{\"step\":%d,\"data\":{", step);
    for (int i = 0; i < set->count; i++) {
        if (i) { buffer_append_text(out, ","); }
        text_append_json(out, set->metric[i].name, strlen(set->metric[i].name));
        buffer_append_text(out, ":");
        buffer_append_json_number(out, set->metric[i].value);
    }
    buffer_printf(out, "},\"fingerprint\":\"%08x\"}\n", fingerprint);
}
static inline bool metrics_from_json(MetricSet *set, int *step, const json_t *line) {
    const json_t *number = json_object_get(line, "step");
    json_t *data = json_object_get(line, "data"), *value;
    const char *name;
    if (!json_is_integer(number) || !json_is_object(data) || json_object_size(data) > MAX_METRICS) { return false; }
    *step = (int)json_integer_value(number);
    set->count = 0;
    json_object_foreach(data, name, value) {
        if (!json_is_number(value) && !json_is_null(value)) { return false; }
        metric_set(set, name, json_is_null(value) ? NAN : json_number_value(value));
    }
    return true;
}

// A JSON line file that grows with a run: every line has a "step". Opens it for appending after throwing away, atomically, the lines past
// `last_step` (those of work that is about to be done again) and a last line that was cut off by a crash; last_step -1 empties it.
// `each` sees every line that stays. NULL with an error if a line is not what a run writes.
static inline FILE *jsonl_open(const char *path, int64_t last_step, bool (*each)(void *context, const json_t *line), void *context, Error *error) {
    Buffer whole = {0};
    if (last_step >= 0 && file_exists(path) && !file_read(path, &whole, error)) { return NULL; }
    size_t kept = 0;
    bool ok = true;
    int number = 1;
    for (size_t at = 0; at < whole.size && ok; number++) {
        const char *line = whole.data + at, *end = memchr(line, '\n', whole.size - at);
        if (!end) { break; }
        char what[1100];
        snprintf(what, sizeof(what), "%s line %d", path, number);
        json_t *json = json_parse(line, (size_t)(end - line), what, error);
        const json_t *step = json_object_get(json, "step");
        ok = json && (json_is_integer(step) || error_set(error, "%s: has no \"step\"", what));
        at = (size_t)(end + 1 - whole.data);
        if (ok && json_integer_value(step) <= last_step) {
            ok = !each || each(context, json) || error_set(error, "%s: is not a line of a run's record", what);
            memmove(whole.data + kept, line, (size_t)(end + 1 - line));
            kept += (size_t)(end + 1 - line);
        }
        json_decref(json);
    }
    ok = ok && file_write_atomic(path, kept ? whole.data : "", kept, error);
    buffer_free(&whole);
    FILE *file = ok ? fopen(path, "ab") : NULL;
    if (ok && !file) { error_set(error, "%s: cannot be written: %s", path, strerror(errno)); }
    return file;
}

// ---- history: every step's metrics in memory, one column per name
typedef struct {
    char names[MAX_METRICS][METRIC_NAME_SIZE];
    int *steps;
    double *values; // (rows, MAX_METRICS), NAN where a step did not measure it
    int columns, rows, capacity;
} MetricHistory;
static inline int history_column(const MetricHistory *history, const char *name) { // -1 if no step had it
    for (int i = 0; i < history->columns; i++) {
        if (!strcmp(history->names[i], name)) { return i; }
    }
    return -1;
}
static inline double history_value(const MetricHistory *history, int row, int column) {
    return column < 0 ? (double)NAN : history->values[(size_t)row * MAX_METRICS + (size_t)column];
}
static inline void history_add(MetricHistory *history, int step, const MetricSet *set) {
    if (history->rows == history->capacity) {
        history->capacity = history->capacity ? history->capacity * 2 : 1024;
        history->steps = (int *)host_realloc(history->steps, (size_t)history->capacity * sizeof(int));
        history->values = (double *)host_realloc(history->values, (size_t)history->capacity * MAX_METRICS * sizeof(double));
    }
    double *row = &history->values[(size_t)history->rows * MAX_METRICS];
    for (int i = 0; i < MAX_METRICS; i++) { row[i] = NAN; }
    for (int i = 0; i < set->count; i++) {
        int column = history_column(history, set->metric[i].name);
        if (column < 0 && history->columns == MAX_METRICS) { continue; }
        if (column < 0) { snprintf(history->names[column = history->columns++], METRIC_NAME_SIZE, "%s", set->metric[i].name); }
        row[column] = set->metric[i].value;
    }
    history->steps[history->rows++] = step;
}
static inline void history_free(MetricHistory *history) {
    free(history->steps);
    free(history->values);
    *history = (MetricHistory){0};
}
