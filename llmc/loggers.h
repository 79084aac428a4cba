// loggers: everything a run writes about itself, behind four calls: open, step, sample, close.
// metrics.jsonl and samples.jsonl are the record. TensorBoard's and W&B's files and the report are written again from them when a run
// is resumed, so that after a crash none of them shows a step twice or a step that did not count.
#pragma once
#include "llmc/report.h"
#include "llmc/tensorboard.h"
#include "llmc/wandb.h"

enum { LOGGERS_SAMPLE_TEXT = 3000 }; // bytes
typedef struct {
    const Config *config;
    FILE *metrics, *samples;
    bool to_tensorboard, to_wandb, to_report;
    TensorBoard tensorboard;
    Wandb wandb;
    Report report;
    MetricHistory history;
    double started;     // on the monotonic clock
    double runtime_ago; // seconds that earlier parts of this run took
} Loggers;

static inline void loggers_pass_on(Loggers *loggers, int step, const MetricSet *set) {
    history_add(&loggers->history, step, set);
    if (loggers->to_tensorboard) { tensorboard_write(&loggers->tensorboard, step, set, metric_get(set, METRIC_TIMESTAMP)); }
    if (loggers->to_wandb) { wandb_write(&loggers->wandb, step, set); }
}
static inline bool loggers_replay_metrics(void *context, const json_t *line) {
    Loggers *loggers = (Loggers *)context;
    static MetricSet set; // 17 KB
    int step;
    if (!metrics_from_json(&set, &step, line)) { return false; }
    double runtime = metric_get(&set, METRIC_RUNTIME);
    if (isfinite(runtime)) { loggers->runtime_ago = runtime; }
    loggers_pass_on(loggers, step, &set);
    return true;
}
static inline bool loggers_replay_sample(void *context, const json_t *line) {
    Loggers *loggers = (Loggers *)context;
    static const char *const names[] = {"prompt", "response", "truth", "reason"};
    const char *texts[4];
    for (int i = 0; i < 4; i++) {
        texts[i] = json_string_value(json_object_get(line, names[i]));
        if (!texts[i]) { return false; }
    }
    report_add_sample(&loggers->report, (int)json_integer_value(json_object_get(line, "step")), json_number_value(json_object_get(line, "reward")), texts[0], texts[1],
                      texts[2], texts[3]);
    return true;
}
// `resumed_step`: the last step that counts, -1 for a new run. `config` must outlive the loggers.
static inline bool loggers_open(Loggers *loggers, const Config *config, int resumed_step, Error *error) {
    *loggers = (Loggers){.config = config, .started = seconds_now()};
    loggers->to_report = list_contains(config->logger, "report");
    char path[1100];
    if (!directory_create(config->run_dir, error)) { return false; }
    if (list_contains(config->logger, "tensorboard")) {
        snprintf(path, sizeof(path), "%s/tensorboard", config->run_dir);
        if (!tensorboard_open(&loggers->tensorboard, path, error)) { return false; }
        loggers->to_tensorboard = true;
    }
    if (list_contains(config->logger, "wandb") && strcmp(wandb_setting("WANDB_MODE", "offline"), "disabled") != 0) {
        json_t *json = options_json(config, &grpo_option_set);
        bool ok = wandb_open(&loggers->wandb, config->run_dir, resumed_step >= 0, config->project, config->experiment, json, error);
        json_decref(json);
        if (!ok) { return false; }
        loggers->to_wandb = true;
    }
    snprintf(path, sizeof(path), "%s/metrics.jsonl", config->run_dir);
    loggers->metrics = jsonl_open(path, resumed_step, loggers_replay_metrics, loggers, error);
    if (!loggers->metrics) { return false; }
    snprintf(path, sizeof(path), "%s/samples.jsonl", config->run_dir);
    loggers->samples = jsonl_open(path, resumed_step, loggers_replay_sample, loggers, error);
    return loggers->samples != NULL;
}
// One call per step, with everything that the step measured (its evaluation too): W&B takes a step once. Step 0 is the start model's.
// The line is on disk when this returns: called before the step's checkpoint, no checkpoint is ever ahead of the record.
static inline bool loggers_step(Loggers *loggers, int step, MetricSet *set, uint32_t fingerprint, Error *error) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    metric_set(set, METRIC_TIMESTAMP, (double)now.tv_sec + 1e-3 * (double)(now.tv_nsec / 1000000));
    metric_set(set, METRIC_RUNTIME, loggers->runtime_ago + floor((seconds_now() - loggers->started) * 1e3) * 1e-3);
    Buffer line = {0};
    metrics_json_line(&line, step, set, fingerprint);
    bool ok = fwrite(line.data, 1, line.size, loggers->metrics) == line.size && fflush(loggers->metrics) == 0 && fsync(fileno(loggers->metrics)) == 0;
    buffer_free(&line);
    if (!ok) { return error_set(error, "%s/metrics.jsonl: writing failed: %s", loggers->config->run_dir, strerror(errno)); }
    loggers_pass_on(loggers, step, set);
    return true;
}
// An answer to show in the report, its middle left out if it is long; NULL is the empty answer.
static inline bool loggers_sample(Loggers *loggers, int step, double reward, const char *prompt, const char *response, const char *truth, const char *reason,
                                  Error *error) {
    Buffer line = {0}, shown = {0};
    if (response) { text_append_shortened(&shown, response, strlen(response), LOGGERS_SAMPLE_TEXT); }
    const char *const texts[] = {prompt, shown.data ? shown.data : "", truth, reason}, *const names[] = {"prompt", "response", "truth", "reason"};
    buffer_printf(&line, "{\"step\":%d,\"reward\":", step);
    buffer_append_json_number(&line, reward);
    for (int i = 0; i < 4; i++) {
        buffer_printf(&line, ",\"%s\":", names[i]);
        text_append_json(&line, texts[i], strlen(texts[i]));
    }
    buffer_append_text(&line, "}\n");
    report_add_sample(&loggers->report, step, reward, prompt, texts[1], truth, reason);
    bool ok = fwrite(line.data, 1, line.size, loggers->samples) == line.size && fflush(loggers->samples) == 0;
    buffer_free(&line);
    buffer_free(&shown);
    return ok || error_set(error, "%s/samples.jsonl: writing failed: %s", loggers->config->run_dir, strerror(errno));
}
// report.html as things stand: at evaluations and at the end.
static inline bool loggers_report(const Loggers *loggers, Error *error) {
    char path[1100];
    snprintf(path, sizeof(path), "%s/report.html", loggers->config->run_dir);
    return !loggers->to_report || report_write(path, &loggers->report, &loggers->history, loggers->config, error);
}
static inline bool loggers_close(Loggers *loggers, int exit_code, Error *error) {
    bool ok = !loggers->metrics || loggers_report(loggers, error);
    if (loggers->metrics && fclose(loggers->metrics) != 0) { ok = error_set(error, "%s/metrics.jsonl: writing failed", loggers->config->run_dir); }
    if (loggers->samples && fclose(loggers->samples) != 0) { ok = error_set(error, "%s/samples.jsonl: writing failed", loggers->config->run_dir); }
    ok = tensorboard_close(&loggers->tensorboard, error) && ok;
    ok = wandb_close(&loggers->wandb, exit_code, error) && ok;
    report_free(&loggers->report);
    history_free(&loggers->history);
    loggers->metrics = loggers->samples = NULL;
    return ok;
}
