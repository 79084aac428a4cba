// svg_chart: a line chart as inline SVG, drawn small and legible: few ticks at round numbers, a light grid, dashed lines where a stage
// ends, the name of each line beside the title. Colours come from the page's style sheet (classes c0 .. c4), so dark mode works.
#pragma once
#include <math.h>
#include "llmc/text.h"

enum { CHART_WIDTH = 560,
       CHART_HEIGHT = 260,
       CHART_LEFT = 54,
       CHART_RIGHT = 14,
       CHART_TOP = 34,
       CHART_BOTTOM = 30,
       CHART_POINTS = 400,
       CHART_LINES = 6 };
typedef struct {
    char name[64];
    double *x, *y; // owned
    int count;
    const char *style; // classes: "c0", "c0 faint", "c1 dashed"
} ChartLine;
typedef struct {
    const char *title;
    ChartLine lines[CHART_LINES];
    int line_count;
    const double *marks; // x of vertical lines
    int mark_count;
    double x_from, x_to;
    bool from_zero;
} Chart;

static inline void chart_free(Chart *chart) {
    for (int i = 0; i < chart->line_count; i++) {
        free(chart->lines[i].x);
        free(chart->lines[i].y);
    }
    chart->line_count = 0;
}
// The step between ticks: 1, 2 or 5 times a power of ten, so that there are 4 to 8 of them.
static inline double chart_tick(double span) {
    double rough = span / 5, power = pow(10, floor(log10(rough))), part = rough / power;
    return power * (part < 1.5 ? 1 : part < 3.5 ? 2
                                 : part < 7.5   ? 5
                                                : 10);
}
// x from, x to, y from, y to; the y ends are round numbers
static inline void chart_range(double range[4], const Chart *chart) {
    double low = INFINITY, high = -INFINITY;
    for (int l = 0; l < chart->line_count; l++) {
        for (int i = 0; i < chart->lines[l].count; i++) { low = fmin(low, chart->lines[l].y[i]), high = fmax(high, chart->lines[l].y[i]); }
    }
    if (!isfinite(low)) { low = 0, high = 1; }
    if (chart->from_zero) { low = fmin(low, 0), high = fmax(high, 0); }
    if (high - low < 1e-12 * fmax(1e-290, fabs(high))) { low -= fabs(low) * 0.1 + 1e-6, high += fabs(high) * 0.1 + 1e-6; }
    double tick = chart_tick(high - low);
    range[0] = chart->x_from;
    range[1] = fmax(chart->x_to, chart->x_from + 1);
    range[2] = floor(low / tick + 1e-9) * tick;
    range[3] = ceil(high / tick - 1e-9) * tick;
}
// At most CHART_POINTS of them: each the mean of as many neighbours as it takes.
static inline void chart_polyline(Buffer *out, const ChartLine *line, const double range[4]) {
    double x_scale = (CHART_WIDTH - CHART_LEFT - CHART_RIGHT) / (range[1] - range[0]), y_scale = (CHART_HEIGHT - CHART_TOP - CHART_BOTTOM) / (range[3] - range[2]);
    int run = (line->count + CHART_POINTS - 1) / CHART_POINTS;
    if (line->count == 1) {
        buffer_printf(out, "<circle class=\"%s\" r=\"3\" cx=\"%.1f\" cy=\"%.1f\"/>\n", line->style, CHART_LEFT + (line->x[0] - range[0]) * x_scale,
                      CHART_HEIGHT - CHART_BOTTOM - (line->y[0] - range[2]) * y_scale);
        return;
    }
    buffer_printf(out, "<polyline class=\"%s\" points=\"", line->style);
    for (int first = 0; first < line->count; first += run) {
        double x = 0, y = 0;
        int n = line->count - first < run ? line->count - first : run;
        for (int i = first; i < first + n; i++) { x += line->x[i] / n, y += line->y[i] / n; }
        buffer_printf(out, "%.1f,%.1f ", CHART_LEFT + (x - range[0]) * x_scale, CHART_HEIGHT - CHART_BOTTOM - (y - range[2]) * y_scale);
    }
    buffer_append_text(out, "\"/>\n");
}
static inline void chart_axes(Buffer *out, const Chart *chart, const double range[4]) {
    double right = CHART_WIDTH - CHART_RIGHT, bottom = CHART_HEIGHT - CHART_BOTTOM, x_scale = (right - CHART_LEFT) / (range[1] - range[0]);
    double tick = chart_tick(range[3] - range[2]);
    for (int i = 0; i <= (int)lround((range[3] - range[2]) / tick); i++) {
        double value = range[2] + i * tick, y = bottom - (bottom - CHART_TOP) * i * tick / (range[3] - range[2]);
        buffer_printf(out, "<line class=\"grid\" x1=\"%d\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>", CHART_LEFT, right, y, y);
        buffer_printf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>\n", CHART_LEFT - 6, y + 4, fabs(value) < tick * 1e-6 ? 0.0 : value);
    }
    tick = fmax(1, chart_tick(range[1] - range[0]));
    for (double value = ceil(range[0] / tick) * tick; value <= range[1]; value += tick) {
        double x = CHART_LEFT + (value - range[0]) * x_scale;
        buffer_printf(out, "<text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\">%.0f</text>\n", x, bottom + 18, value);
    }
    for (int i = 0; i < chart->mark_count; i++) {
        double x = CHART_LEFT + (chart->marks[i] - range[0]) * x_scale;
        if (x > CHART_LEFT && x < right) {
            buffer_printf(out, "<line class=\"mark\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%.0f\"/>\n", x, x, CHART_TOP, bottom);
        }
    }
}
static inline void chart_append(Buffer *out, const Chart *chart) {
    double range[4];
    chart_range(range, chart);
    buffer_printf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\"><title>", CHART_WIDTH, CHART_HEIGHT);
    text_append_html(out, chart->title, strlen(chart->title));
    buffer_append_text(out, "</title>\n");
    chart_axes(out, chart, range);
    int x = CHART_LEFT;
    buffer_printf(out, "<text class=\"name\" x=\"%d\" y=\"18\">", x);
    text_append_html(out, chart->title, strlen(chart->title));
    buffer_append_text(out, "</text>\n");
    x = CHART_WIDTH - CHART_RIGHT; // names from the right, beside the title
    for (int l = chart->line_count - 1; l >= 0; l--) {
        const ChartLine *line = &chart->lines[l];
        if (!*line->name) { continue; }
        buffer_printf(out, "<text class=\"label %s\" x=\"%d\" y=\"18\" text-anchor=\"end\">", line->style, x);
        text_append_html(out, line->name, strlen(line->name));
        buffer_append_text(out, "</text>\n");
        x -= 14 + 7 * (int)strlen(line->name);
    }
    bool empty = true;
    for (int l = 0; l < chart->line_count; l++) {
        if (!chart->lines[l].count) { continue; }
        chart_polyline(out, &chart->lines[l], range);
        empty = false;
    }
    if (empty) { buffer_printf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">nothing measured yet</text>\n", CHART_WIDTH / 2, CHART_HEIGHT / 2); }
    buffer_append_text(out, "</svg>\n");
}
