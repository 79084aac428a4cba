// watch: no rank waits for ever. Every rank keeps one line in a file that all share, run_dir/ranks.txt (`cat` it to see what a job is doing): where it
// runs, its step and phase, a beat that a thread of its own moves every second, and a count of work done that the program moves. The same thread
// reads the others' lines. It ends this process, and so the job, naming rank, host, phase and step, when
//   - a rank of this machine is gone (at once), or a rank's beat has not moved for the limit: it is dead, stopped or cut off;
//   - a rank has done no work for the limit while it was not waiting for others: it hangs.
// Clocks of different machines are never compared: a beat is a number, and what counts is when it was last seen to move.
#pragma once
#include <pthread.h>
#include <signal.h>
#include "llmc/common.h"
#include "llmc/ranks.h"

enum { WATCH_LINE = 192,
       WATCH_TICK_MS = 100 };
typedef struct {
    int rank, pid, step, waiting;
    long beat, work;
    char phase[24], host[64];
} WatchState;
typedef struct {
    int file; // -1: one rank alone, nothing to watch
    double limit;
    pthread_t thread;
    pthread_mutex_t writing;
    volatile bool stop;
    WatchState mine;
    WatchState *seen;          // (ranks) what was read last
    double *beat_at, *work_at; // (ranks) when they were last seen to move
} Watch;
static Watch watch = {.file = -1};

static inline void watch_write(void) {
    char line[WATCH_LINE + 1];
    const WatchState *s = &watch.mine;
    pthread_mutex_lock(&watch.writing);
    const int bytes = snprintf(line, sizeof(line), "rank %4d  step %7d  phase %-12.20s waiting %d  work %10ld  beat %8ld  pid %8d  host %.60s", s->rank, s->step, s->phase, ranks_waiting(), work_done, s->beat, s->pid, s->host);
    memset(line + bytes, ' ', (size_t)(WATCH_LINE - bytes));
    line[WATCH_LINE - 1] = '\n';
    ssize_t written = pwrite(watch.file, line, WATCH_LINE, (off_t)s->rank * WATCH_LINE);
    pthread_mutex_unlock(&watch.writing);
    (void)written; // a full disk shows elsewhere; here it only makes us look dead to others
}
static inline bool watch_read(WatchState *s, int rank) {
    char line[WATCH_LINE + 1] = "";
    if (pread(watch.file, line, WATCH_LINE, (off_t)rank * WATCH_LINE) != WATCH_LINE) { return false; }
    return sscanf(line, "rank %d step %d phase %23s waiting %d work %ld beat %ld pid %d host %63s", &s->rank, &s->step, s->phase, &s->waiting, &s->work, &s->beat, &s->pid, s->host) == 8 && s->rank == rank;
}
static inline bool watch_same_host(const WatchState *s) { return !strcmp(s->host, watch.mine.host); }
static inline bool watch_gone(const WatchState *s) { return watch_same_host(s) && kill(s->pid, 0) != 0 && errno == ESRCH; }

// The lowest rank that is still there speaks; the others give it time to.
static inline void watch_end(int rank, const char *what) {
    WatchState s = watch.seen[rank];
    int speaker = 0;
    watch_read(&s, rank);
    while (speaker == rank || (speaker < ranks_count() && watch_gone(&watch.seen[speaker]))) { speaker++; }
    if (speaker != watch.mine.rank) { usleep(1500000); }
    fprintf(stderr, "error: rank %d (host %s, process %d) %s, in phase %s of step %d; the job ends. Its checkpoints are whole: run the same command again to go on\n", rank, s.host, s.pid, what, s.phase, s.step);
    fflush(stderr);
    _exit(EXIT_FAILURE);
}
static inline void watch_look(double now, bool read) {
    char what[128];
    for (int r = 0; r < ranks_count(); r++) {
        WatchState *seen = &watch.seen[r], s = *seen;
        if (r == watch.mine.rank || !strcmp(seen->phase, "ended")) { continue; }
        if (seen->pid && watch_gone(seen)) {
            if (watch_read(&s, r) && !strcmp(s.phase, "ended")) {
                *seen = s;
                continue;
            }
            watch_end(r, "is gone");
        }
        if (!read) { continue; }
        if (watch_read(&s, r)) {
            if (s.beat != seen->beat) { watch.beat_at[r] = now; }
            if (s.work != seen->work || s.waiting || s.step != seen->step) { watch.work_at[r] = now; }
            *seen = s;
        }
        if (now - watch.beat_at[r] > watch.limit) {
            snprintf(what, sizeof(what), seen->pid ? "has given no sign of life for %.0f s" : "has not begun after %.0f s", now - watch.beat_at[r]);
            watch_end(r, what);
        }
        if (now - watch.work_at[r] > watch.limit) {
            snprintf(what, sizeof(what), "has got no further for %.0f s", now - watch.work_at[r]);
            watch_end(r, what);
        }
    }
}
static inline void *watch_thread(void *unused) {
    for (int tick = 0; !watch.stop; tick++) {
        const bool second = tick % (1000 / WATCH_TICK_MS) == 0;
        if (second) {
            watch.mine.beat++;
            watch_write();
        }
        watch_look(seconds_now(), second);
        usleep(WATCH_TICK_MS * 1000);
    }
    return unused;
}

// What this rank is about to do, and that it got somewhere. Cheap enough for every micro-batch and every run of decoding steps.
static inline void watch_phase(const char *phase, int step) {
    if (watch.file < 0) { return; }
    snprintf(watch.mine.phase, sizeof(watch.mine.phase), "%s", phase);
    watch.mine.step = step;
    watch_worked();
    watch_write();
}

// All ranks call it, once the file's folder is there; limit in seconds.
static inline void watch_open(const char *path, double limit) {
    if (ranks_count() == 1) { return; }
    if (ranks_mine() == 0) { unlink(path); }
    ranks_wait();
    watch.file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (watch.file < 0) { fatal("%s: cannot be opened: %s: it must lie in a folder that every rank's machine shares", path, strerror(errno)); }
    watch.limit = limit;
    watch.mine = (WatchState){.rank = ranks_mine(), .pid = (int)getpid(), .phase = "start"};
    snprintf(watch.mine.host, sizeof(watch.mine.host), "%s", ranks_host());
    watch.seen = (WatchState *)host_alloc(sizeof(WatchState) * (size_t)ranks_count());
    watch.beat_at = (double *)host_alloc(sizeof(double) * 2 * (size_t)ranks_count());
    watch.work_at = watch.beat_at + ranks_count();
    for (int r = 0; r < 2 * ranks_count(); r++) { watch.beat_at[r] = seconds_now(); }
    pthread_mutex_init(&watch.writing, NULL);
    if (pthread_create(&watch.thread, NULL, watch_thread, NULL) != 0) { fatal("a thread cannot be started: %s", strerror(errno)); }
}
static inline void watch_close(void) { // this rank is done, and nobody need miss it
    if (watch.file < 0) { return; }
    watch_phase("ended", watch.mine.step);
    watch.stop = true;
    pthread_join(watch.thread, NULL);
    close(watch.file);
    watch.file = -1;
    free(watch.seen);
    free(watch.beat_at);
}
