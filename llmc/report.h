// report: run_dir/report.html, the run on one page that needs nothing else: six curves with the stage boundaries, sample answers with
// their verdicts, the configuration. Written anew, whole or not at all, at every evaluation.
#pragma once
#include "llmc/config.h"
#include "llmc/metrics.h"
#include "llmc/svg_chart.h"

enum { REPORT_FIRST_SAMPLES = 4,
       REPORT_LAST_SAMPLES = 12,
       REPORT_SAMPLES = REPORT_FIRST_SAMPLES + REPORT_LAST_SAMPLES,
       REPORT_TEXT = 3000 };
typedef struct {
    int step;
    double reward;
    char *prompt, *response, *truth, *reason; // owned
} ReportSample;
typedef struct {
    ReportSample samples[REPORT_SAMPLES]; // the first few of the run, then the latest
    int sample_count;
} Report;

// ---- sample answers
static inline void report_sample_free(ReportSample *sample) {
    free(sample->prompt);
    free(sample->response);
    free(sample->truth);
    free(sample->reason);
}
static inline void report_free(Report *report) {
    for (int i = 0; i < report->sample_count; i++) { report_sample_free(&report->samples[i]); }
    report->sample_count = 0;
}
static inline void report_add_sample(Report *report, int step, double reward, const char *prompt, const char *response, const char *truth, const char *reason) {
    if (report->sample_count == REPORT_SAMPLES) { // the oldest of the latest makes room
        report_sample_free(&report->samples[REPORT_FIRST_SAMPLES]);
        memmove(&report->samples[REPORT_FIRST_SAMPLES], &report->samples[REPORT_FIRST_SAMPLES + 1], sizeof(ReportSample) * (REPORT_LAST_SAMPLES - 1));
        report->sample_count--;
    }
    report->samples[report->sample_count++] = (ReportSample){step, reward, string_copy(prompt), string_copy(response), string_copy(truth), string_copy(reason)};
}
static inline void report_samples_append(Buffer *out, const Report *report) {
    buffer_append_text(out, "<h2>Sample answers</h2>\n<table><tr><th>step</th><th>reward</th><th>question</th><th>answer</th><th>truth</th></tr>\n");
    for (int i = 0; i < report->sample_count; i++) {
        const ReportSample *sample = &report->samples[i];
        buffer_printf(out, "<tr><td>%d</td><td class=\"%s\">%.3g</td><td><pre>", sample->step, sample->reward > 0 ? "right" : "wrong", sample->reward);
        text_append_html(out, sample->prompt, strlen(sample->prompt));
        buffer_append_text(out, "</pre></td><td><pre>");
        text_append_html(out, sample->response, strlen(sample->response));
        buffer_append_text(out, "</pre></td><td><pre>");
        text_append_html(out, sample->truth, strlen(sample->truth));
        buffer_append_text(out, "</pre><small>");
        text_append_html(out, sample->reason, strlen(sample->reason));
        buffer_append_text(out, "</small></td></tr>\n");
    }
    buffer_append_text(out, report->sample_count ? "</table>\n" : "</table>\n<p>none yet</p>\n");
}

// ---- curves
static inline ChartLine report_line(const MetricHistory *history, int column, const char *name, const char *style) {
    ChartLine line = {.style = style};
    snprintf(line.name, sizeof(line.name), "%s", name);
    line.x = (double *)host_alloc((size_t)history->rows * sizeof(double));
    line.y = (double *)host_alloc((size_t)history->rows * sizeof(double));
    for (int row = 0; row < history->rows; row++) {
        double value = history_value(history, row, column);
        if (!isfinite(value)) { continue; }
        line.x[line.count] = history->steps[row];
        line.y[line.count++] = value;
    }
    return line;
}
// Mean over the neighbours, about a 25th of the run wide; narrower near an end and near a stage boundary, which it must not blur.
static inline void report_smooth(ChartLine *line, const double *marks, int mark_count) {
    double *sums = (double *)host_alloc((size_t)(line->count + 1) * sizeof(double));
    for (int i = 0; i < line->count; i++) { sums[i + 1] = sums[i] + line->y[i]; }
    int reach = line->count / 50, stage = 0;
    for (int i = 0, first = 0, end = 0; i < line->count; i++) { // the stage is points first .. end-1
        while (stage < mark_count && line->x[i] > marks[stage]) { stage++, first = i; }
        if (end <= i) {
            for (end = i; end < line->count && (stage == mark_count || line->x[end] < marks[stage]);) { end++; }
        }
        int around = i - first < end - 1 - i ? i - first : end - 1 - i;
        if (around > reach) { around = reach; }
        line->y[i] = (sums[i + around + 1] - sums[i - around]) / (2 * around + 1);
    }
    free(sums);
}
static inline Chart report_chart(const MetricHistory *history, const char *title, const char *metric, const double *marks, int mark_count) {
    Chart chart = {.title = title, .from_zero = true};
    int column = history_column(history, metric);
    chart.lines[chart.line_count++] = report_line(history, column, "", "c0 faint");
    chart.lines[chart.line_count] = report_line(history, column, "", "c0");
    report_smooth(&chart.lines[chart.line_count++], marks, mark_count);
    return chart;
}
static inline Chart report_accuracy(const MetricHistory *history) { // one line per evaluation set
    static const char *const styles[] = {"c0", "c1", "c2", "c3", "c4"};
    Chart chart = {.title = "accuracy at the running limit", .from_zero = true};
    for (int column = 0; column < history->columns && chart.line_count < 5; column++) {
        const char *name = history->names[column];
        if (strncmp(name, METRIC_ACCURACY_PREFIX, strlen(METRIC_ACCURACY_PREFIX)) != 0 || !strstr(name, METRIC_ACCURACY_PART)) { continue; }
        const char *set = name + strlen(METRIC_ACCURACY_PREFIX);
        char short_name[32];
        snprintf(short_name, sizeof(short_name), "%.*s", (int)strcspn(set, "/"), set);
        chart.lines[chart.line_count] = report_line(history, column, short_name, styles[chart.line_count]);
        chart.line_count++;
    }
    return chart;
}
static inline void report_charts_append(Buffer *out, const MetricHistory *history) {
    double marks[MAX_STAGES] = {0};
    int mark_count = 0;
    const int limit = history_column(history, METRIC_LIMIT);
    for (int row = 1; row < history->rows && mark_count < MAX_STAGES; row++) { // where the limit grows, a stage has begun
        if (history_value(history, row, limit) > history_value(history, row - 1, limit)) { marks[mark_count++] = history->steps[row] - 0.5; }
    }
    Chart charts[] = {
        report_accuracy(history),
        report_chart(history, "reward", METRIC_REWARD, marks, mark_count),
        report_chart(history, "response length (tokens)", METRIC_LENGTH, marks, mark_count),
        report_chart(history, "KL from the start model", METRIC_KL, marks, mark_count),
        report_chart(history, "entropy (nats per token)", METRIC_ENTROPY, marks, mark_count),
        report_chart(history, "gradient norm", METRIC_GRAD_NORM, marks, mark_count),
    };
    Chart *length = &charts[2];
    length->lines[length->line_count] = report_line(history, history_column(history, METRIC_LIMIT), "limit", "c1 dashed");
    length->line_count++;
    buffer_append_text(out, "<div class=\"charts\">\n");
    for (size_t i = 0; i < sizeof(charts) / sizeof(charts[0]); i++) {
        charts[i].marks = marks;
        charts[i].mark_count = mark_count;
        charts[i].x_from = history->rows ? history->steps[0] : 0;
        charts[i].x_to = history->rows ? history->steps[history->rows - 1] : 0;
        chart_append(out, &charts[i]);
        chart_free(&charts[i]);
    }
    buffer_append_text(out, "</div>\n");
}

// ---- the page
static const char report_style[] =
    ":root{--ink:#1d2330;--soft:#6b7385;--line:#e3e6ec;--paper:#fff;--c0:#2563c9;--c1:#c4501b;--c2:#1d8a5f;--c3:#8a4fc0;--c4:#a67c00}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e4e8f0;--soft:#949db0;--line:#2e3442;--paper:#171a21;--c0:#6ea3f5;--c1:#f08a55;--c2:#5cc99a;--c3:#c193ee;"
    "--c4:#e0bb4a}}\n"
    "body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:1180px;margin:2em auto;padding:0 1em}\n"
    "h1{font-size:1.5em;margin:0}h2{font-size:1.1em;margin:2em 0 .6em}p{color:var(--soft);margin:.2em 0 1.4em}small{color:var(--soft)}\n"
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(420px,100%),1fr));gap:1.4em}svg{width:100%;height:auto}\n"
    "svg text{font-size:12px;fill:var(--soft)}svg .name{font-size:14px;font-weight:600;fill:var(--ink)}.grid{stroke:var(--line)}.mark{stroke:var(--soft);"
    "stroke-dasharray:3 4}\n"
    "polyline,circle{fill:none;stroke-width:2;stroke-linejoin:round}.faint{opacity:.3;stroke-width:1}.dashed{stroke-dasharray:6 4}\n"
    ".c0{stroke:var(--c0)}.c1{stroke:var(--c1)}.c2{stroke:var(--c2)}.c3{stroke:var(--c3)}.c4{stroke:var(--c4)}\n"
    "svg .label{stroke:none;opacity:1}.label.c0{fill:var(--c0)}.label.c1{fill:var(--c1)}.label.c2{fill:var(--c2)}.label.c3{fill:var(--c3)}.label.c4{fill:var(--c4)}\n"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.45em .7em .45em 0;border-bottom:1px solid var(--line)}\n"
    "th{color:var(--soft);font-weight:500}pre{white-space:pre-wrap;overflow-wrap:anywhere;font:13px/1.45 ui-monospace,monospace;margin:0;max-height:16em;overflow:auto}\n"
    ".right{color:var(--c2)}.wrong{color:var(--c1)}\n";

static inline bool report_write(const char *path, const Report *report, const MetricHistory *history, const Config *config, Error *error) {
    Buffer page = {0}, value = {0};
    buffer_printf(&page, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\n<title>");
    text_append_html(&page, config->experiment, strlen(config->experiment));
    buffer_printf(&page, "</title>\n<style>\n%s</style></head><body>\n<h1>", report_style);
    text_append_html(&page, config->experiment, strlen(config->experiment));
    char moment[32] = "";
    time_t now = time(NULL);
    struct tm local;
    strftime(moment, sizeof(moment), "%Y-%m-%d %H:%M", localtime_r(&now, &local));
    buffer_printf(&page, "</h1>\n<p>step %d, %s; dashed verticals: the context grows</p>\n", history->rows ? history->steps[history->rows - 1] : 0, moment);
    report_charts_append(&page, history);
    report_samples_append(&page, report);
    buffer_append_text(&page, "<h2>Configuration</h2>\n<details><summary>all options</summary><table>\n");
    for (int i = 0; i < grpo_option_set.option_count; i++) {
        buffer_clear(&value);
        option_text(&value, config, &grpo_option_set.options[i]);
        buffer_printf(&page, "<tr><td>%s</td><td>", grpo_option_set.options[i].name);
        text_append_html(&page, value.data ? value.data : "", value.size);
        buffer_append_text(&page, "</td></tr>\n");
    }
    buffer_append_text(&page, "</table></details>\n</body></html>\n");
    bool ok = file_write_atomic(path, page.data, page.size, error);
    buffer_free(&page);
    buffer_free(&value);
    return ok;
}
