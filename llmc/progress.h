// progress: one bar per phase of a step with the time it will still take; on a terminal it is drawn over itself and vanishes when the
// phase ends. Into a file or pipe go at most four plain lines per phase, and none for a phase that ends within some seconds.
// NO_COLOR (no-color.org) is honoured; TERM=dumb counts as no terminal. The caller says from time to time how far it is.
#pragma once
#include <sys/ioctl.h>
#include "llmc/common.h"

typedef struct {
    FILE *out;
    char phase[48];   // "rollout", "update", "evaluate aime"
    const char *unit; // "answers", "tokens"
    double total, started, drawn;
    bool terminal, color;
    int lines; // plain lines so far
} Progress;
enum { PROGRESS_QUIET_SECONDS = 10,
       PROGRESS_PLAIN_LINES = 4 };

static inline void progress_duration(char out[32], double seconds) { // 1:02:03, 4:05
    long long whole = !(seconds > 0) ? 0 : seconds > 3599999 ? 3599999
                                                             : (long long)(seconds + 0.5);
    if (whole >= 3600) {
        snprintf(out, 32, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
    } else {
        snprintf(out, 32, "%lld:%02lld", whole / 60, whole % 60);
    }
}
static inline void progress_count(char out[32], double count) { // 950, 12.3K, 4.5M
    const char *unit = count >= 1e9 ? "G" : count >= 1e6 ? "M"
                                        : count >= 1e4   ? "K"
                                                         : "";
    double scale = count >= 1e9 ? 1e9 : count >= 1e6 ? 1e6
                                    : count >= 1e4   ? 1e3
                                                     : 1;
    snprintf(out, 32, *unit ? "%.1f%s" : "%.0f%s", count / scale, unit);
}
static inline Progress progress_start(FILE *out, const char *phase, double total, const char *unit) {
    Progress progress = {.out = out, .unit = unit, .total = total, .started = seconds_now()};
    const char *terminal = getenv("TERM"), *no_color = getenv("NO_COLOR");
    snprintf(progress.phase, sizeof(progress.phase), "%s", phase);
    progress.terminal = isatty(fileno(out)) && !(terminal && !strcmp(terminal, "dumb"));
    progress.color = progress.terminal && !(no_color && *no_color);
    return progress;
}
// "rollout  ########--------  412/1024 answers  12.3K/s  0:31 left", no wider than `width` columns.
static inline void progress_line(Buffer *line, const Progress *progress, double done, double now, int width) {
    double part = progress->total > 0 ? done / progress->total : 0, elapsed = now - progress->started;
    part = part < 0 ? 0 : part > 1 ? 1
                                   : part;
    char have[32], total[32], rate[32], left[32], end[192];
    progress_count(have, done);
    progress_count(total, progress->total);
    progress_count(rate, elapsed > 0 ? done / elapsed : 0);
    progress_duration(left, part > 0 ? elapsed * (1 - part) / part : 0);
    snprintf(end, sizeof(end), "  %s/%s %s  %s/s  %s left", have, total, progress->unit, rate, part > 0 ? left : "?:??");
    int room = width - 1 - (int)strlen(progress->phase) - 2 - (int)strlen(end), bar = room > 40 ? 40 : room;
    buffer_printf(line, "%s", progress->phase);
    if (bar >= 8) {
        int full = (int)(part * bar + 0.5);
        buffer_append_text(line, progress->color ? "  \x1b[32m" : "  ");
        for (int i = 0; i < bar; i++) {
            if (i == full && progress->color) { buffer_append_text(line, "\x1b[90m"); }
            buffer_append_text(line, i < full ? "#" : "-");
        }
        if (progress->color) { buffer_append_text(line, "\x1b[0m"); }
        buffer_append_text(line, end);
    } else {
        int space = width - 1 - (int)strlen(progress->phase);
        buffer_printf(line, "%.*s", space > 0 ? space : 0, end);
    }
}
static inline void progress_update(Progress *progress, double done) {
    double now = seconds_now();
    if (progress->terminal) {
        if (now - progress->drawn < 0.1) { return; }
    } else { // plain: first after some seconds, then at each further quarter of the way
        bool due = progress->lines < PROGRESS_PLAIN_LINES && done >= progress->total * progress->lines / PROGRESS_PLAIN_LINES;
        if (now - progress->started < PROGRESS_QUIET_SECONDS || !due) { return; }
        while (progress->lines < PROGRESS_PLAIN_LINES && done >= progress->total * progress->lines / PROGRESS_PLAIN_LINES) { progress->lines++; }
    }
    progress->drawn = now;
    struct winsize size = {0};
    int width = ioctl(fileno(progress->out), TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 100;
    Buffer line = {0};
    progress_line(&line, progress, done, now, width);
    fprintf(progress->out, progress->terminal ? "\r\x1b[K%s" : "%s\n", line.data);
    fflush(progress->out);
    buffer_free(&line);
}
static inline void progress_finish(Progress *progress) { // the terminal's line is free again
    if (progress->terminal && progress->drawn > 0) {
        fputs("\r\x1b[K", progress->out);
        fflush(progress->out);
    }
}
