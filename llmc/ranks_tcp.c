// The body of ranks.h over TCP, for builds without MPI: one process, or many where torchrun's environment says so (ranks_join.h). Every pair of
// ranks has a socket of its own, and each rank a second one to rank 0, where a thread serves the counter.
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/random.h>
#include <sys/resource.h>
#include "llmc/ranks_join.h"
#include "llmc/ranks_sums.h"

enum { RANKS_LOST_SECONDS = 1 }; // that watch.h has to say more of a rank that is gone

static int local, local_count = 1, calls[MAX_RANKS], counters[MAX_RANKS]; // calls, counters: sockets to other ranks, -1 for none
static struct pollfd looked_at[MAX_RANKS];
static volatile bool waiting, closing;
static _Atomic int64_t counter; // rank 0's, or where there is but one
static pthread_t counter_thread;
static float *received;  // (count, RANKS_FLOATS)
static double *gathered; // (RANKS_DOUBLES)

// ---- talking
static void lost(int rank) {
    sleep(RANKS_LOST_SECONDS);
    fatal("rank %d (host %s) is gone: it closed its connection to rank %d (host %s); the job ends", rank, places[rank].host, mine, host);
}
// Sends to one rank while it receives from another, so that neither waits for the other, and sees meanwhile whether any rank is gone: all
// that wait notice it at once, and none blames another that has already noticed.
static void exchange(int to, const void *out, size_t out_bytes, int from, void *in, size_t in_bytes) {
    for (size_t sent = 0, got = 0; sent < out_bytes || got < in_bytes;) {
        for (int r = 0; r < count; r++) { looked_at[r] = (struct pollfd){.fd = calls[r], .events = closing ? 0 : POLLRDHUP}; }
        if (sent < out_bytes) { looked_at[to].events |= POLLOUT; }
        if (got < in_bytes) { looked_at[from].events |= POLLIN; }
        if (poll(looked_at, (nfds_t)count, 1000) < 0 && errno != EINTR) { fatal("poll: %s", strerror(errno)); }
        if (join_deadline && seconds_now() > join_deadline) { fatal("rank %d waits for rank %d or %d for more than %d s", mine, to, from, JOIN_SECONDS); }
        for (int r = 0; r < count && !closing; r++) {
            if (looked_at[r].revents & (POLLRDHUP | POLLHUP | POLLERR)) { lost(r); }
        }
        if (sent < out_bytes && looked_at[to].revents) {
            const ssize_t bytes = send(calls[to], (const char *)out + sent, out_bytes - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (bytes < 0 && errno != EAGAIN && errno != EINTR) { lost(to); }
            sent += bytes > 0 ? (size_t)bytes : 0;
        }
        if (got < in_bytes && looked_at[from].revents) {
            const ssize_t bytes = recv(calls[from], (char *)in + got, in_bytes - got, MSG_DONTWAIT);
            if (bytes == 0 || (bytes < 0 && errno != EAGAIN && errno != EINTR)) { lost(from); }
            got += bytes > 0 ? (size_t)bytes : 0;
        }
    }
}
static void send_to(int to, const void *data, size_t bytes) { exchange(to, data, bytes, to, NULL, 0); }
static void receive_from(int from, void *data, size_t bytes) { exchange(from, NULL, 0, from, data, bytes); }

// ---- finding each other
static void *counter_serve(void *unused) {
    struct pollfd asked[MAX_RANKS];
    for (int r = 0; r < count; r++) { asked[r] = (struct pollfd){.fd = counters[r], .events = POLLIN}; }
    for (int open = count - 1; open > 0;) {
        poll(asked, (nfds_t)count, -1);
        for (int r = 1; r < count; r++) {
            int64_t number;
            if (asked[r].fd < 0 || !asked[r].revents) { continue; }
            if (recv(asked[r].fd, &number, sizeof(number), MSG_WAITALL) == sizeof(number)) {
                number = atomic_fetch_add(&counter, number);
                if (send(asked[r].fd, &number, sizeof(number), MSG_NOSIGNAL) == sizeof(number)) { continue; }
            }
            asked[r].fd = -1, open--; // it has ended; the calls between ranks tell whether it should
        }
    }
    return unused;
}
static void find_each_other(void) {
    const bool one_machine = getenv("LOCAL_WORLD_SIZE") && atoi(getenv("LOCAL_WORLD_SIZE")) == count;
    const char *store = getenv("TORCHELASTIC_USE_AGENT_STORE"), *run = getenv("TORCHELASTIC_RUN_ID"), *address = getenv("MASTER_ADDR");
    const int master_port = join_number("MASTER_PORT", 1, UINT16_MAX - 1) + (store && !strcmp(store, "True"));
    int port = mine == 0 ? master_port : 0;
    if (!one_machine && (!address || !*address)) { fatal("WORLD_SIZE=%d asks for many processes, and MASTER_ADDR is not set: torchrun sets it", count); }
    snprintf(job, sizeof(job), "%d ranks, grpo.c %s %s, run %.40s", count, GRPO_VERSION, FLOATX_NAME, run ? run : "-");
    join_printable(job, sizeof(job)), join_printable(host, sizeof(host));
    join_deadline = seconds_now() + JOIN_SECONDS;
    for (int r = 0; r < count; r++) { calls[r] = counters[r] = -1; }
    const int listener = join_listen(&port, one_machine);
    Place reached = {.port = master_port}; // rank 0, as this one gets there
    snprintf(reached.address, sizeof(reached.address), "%.60s", one_machine ? "127.0.0.1" : address);
    snprintf(reached.host, sizeof(reached.host), "%.60s", mine == 0 ? host : reached.address);
    places[0] = reached;
    if (mine == 0) {
        join_receive(listener, calls, 1, FOR_JOINING);
        if (getrandom(&ticket, sizeof(ticket), 0) != sizeof(ticket)) { fatal("getrandom: %s", strerror(errno)); }
    } else {
        calls[0] = join_visit(0, FOR_JOINING, port);
    }
    ranks_broadcast(places, sizeof(Place) * (size_t)count, 0);
    ranks_broadcast(&ticket, sizeof(ticket), 0);
    for (int r = 0; r < count && mine > 0; r++) {
        join_printable(places[r].address, sizeof(places[r].address)), join_printable(places[r].host, sizeof(places[r].host));
        // rank 0 sees those of its own machine at an address that only they can use
        const bool of_first = !strncmp(places[r].address, "127.", 4) || !strcmp(places[r].address, "::1");
        if (r == 0 || of_first) { memcpy(places[r].address, reached.address, sizeof(reached.address)); }
    }
    if (mine == 0) {
        join_receive(listener, counters, 1, FOR_COUNTING);
    } else {
        counters[0] = join_visit(0, FOR_COUNTING, port);
        for (int r = 1; r < mine; r++) { calls[r] = join_visit(r, FOR_CALLS, port); }
        join_receive(listener, calls, mine + 1, FOR_CALLS);
    }
    close(listener);
}

void ranks_open(int *argc, char ***argv) {
    static const char *const sizes[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"};
    const char *world = getenv("WORLD_SIZE");
    const bool many = world && atoi(world) > 1;
    (void)argc, (void)argv;
    gethostname(host, sizeof(host) - 1);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && !(many && getenv("RANK")); i++) { // torchrun may itself be a task of srun
        const char *size = getenv(sizes[i]);
        if (size && atoi(size) > 1) { fatal("%s=%s asks for many processes, and this program was built without MPI: install it (scripts/setup.sh) and run make again, or start it by torchrun", sizes[i], size); }
    }
    if (!many) { return; }
    count = join_number("WORLD_SIZE", 1, MAX_RANKS);
    mine = fatal_rank = join_number("RANK", 0, count - 1);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) { // every rank takes two
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    received = (float *)host_alloc(sizeof(float) * (size_t)count * RANKS_FLOATS);
    gathered = (double *)host_alloc(sizeof(double) * RANKS_DOUBLES);
    find_each_other();
    join_deadline = 0;
    const bool told = getenv("LOCAL_RANK") && getenv("LOCAL_WORLD_SIZE");
    if (told) { local_count = join_number("LOCAL_WORLD_SIZE", 1, count), local = join_number("LOCAL_RANK", 0, local_count - 1); }
    if (!told) { local_count = 0; }
    for (int r = 0; r < count && !told; r++) {
        const bool same = !strcmp(places[r].host, places[mine].host);
        local += same && r < mine, local_count += same;
    }
    if (mine > 0 && !freopen("/dev/null", "w", stdout)) { exit(EXIT_FAILURE); }
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); // signals are for the program's own thread
    if (mine == 0 && pthread_create(&counter_thread, NULL, counter_serve, NULL) != 0) { fatal("a thread cannot be started: %s", strerror(errno)); }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}
void ranks_close(void) {
    closing = true; // every rank, before any of them hangs up
    ranks_wait();
    for (int r = 0; r < count && count > 1; r++) {
        if (calls[r] >= 0) { close(calls[r]); }
        if (counters[r] >= 0 && mine > 0) { close(counters[r]); }
    }
    if (mine == 0 && count > 1) { pthread_join(counter_thread, NULL); }
    free(received), free(gathered);
}

// ---- the calls
int ranks_count(void) { return count; }
int ranks_mine(void) { return mine; }
int ranks_local(void) { return local; }
int ranks_local_count(void) { return local_count; }
const char *ranks_host(void) { return host; }
const char *ranks_library(void) { return "TCP"; }
bool ranks_waiting(void) { return waiting; }
void ranks_broadcast(void *data, size_t bytes, int from) {
    waiting = count > 1;
    for (int r = 0; r < count && mine == from; r++) {
        if (r != mine) { send_to(r, data, bytes); }
    }
    if (mine != from) { receive_from(from, data, bytes); }
    waiting = false;
}
// To rank 0, which adds them up in rising rank, and back.
static void combine(double *values, int number, bool largest) {
    const size_t bytes = sizeof(double) * (size_t)number;
    waiting = count > 1;
    for (int done = 0; done < number && mine == 0; done += RANKS_DOUBLES) {
        const int part = number - done < RANKS_DOUBLES ? number - done : RANKS_DOUBLES;
        for (int r = 1; r < count; r++) {
            receive_from(r, gathered, sizeof(double) * (size_t)part);
            for (int i = 0; i < part; i++) {
                double *value = &values[done + i];
                *value = !largest ? *value + gathered[i] : gathered[i] > *value ? gathered[i]
                                                                                : *value;
            }
        }
    }
    if (mine > 0) { send_to(0, values, bytes); }
    waiting = false;
    ranks_broadcast(values, bytes, 0);
}
void ranks_sum(double *values, int number) { combine(values, number, false); }
void ranks_largest(double *values, int number) { combine(values, number, true); }
bool ranks_any(bool of_mine) {
    double any = of_mine;
    combine(&any, 1, true);
    return any > 0;
}
void ranks_wait(void) { ranks_any(false); }
void ranks_gather(void *data, const size_t *starts, int to) {
    char *bytes = (char *)data;
    waiting = count > 1;
    for (int step = 1; step < count; step++) { // each time to another rank, and from another one
        const int next = (mine + step) % count, last = (mine + count - step) % count;
        const bool sends = to < 0 || to == next, receives = to < 0 || to == mine;
        exchange(next, bytes + starts[mine], sends ? starts[mine + 1] - starts[mine] : 0, last, bytes + starts[last], receives ? starts[last + 1] - starts[last] : 0);
    }
    waiting = false;
}
// Each rank sends every other rank its part of that one's piece, a stretch at a time, and adds up what it gets in rising rank.
void ranks_reduce_scatter(float *data, const size_t *starts) {
    const size_t longest = ranks_longest_piece(starts);
    if (count == 1) { return; }
    waiting = true;
    for (size_t done = 0; done < longest; done += RANKS_FLOATS) {
        const size_t own = starts[mine + 1] - starts[mine], left = own > done ? own - done : 0, part = left < RANKS_FLOATS ? left : RANKS_FLOATS;
        for (int step = 1; step < count; step++) {
            const int to = (mine + step) % count, from = (mine + count - step) % count;
            const size_t whole = starts[to + 1] - starts[to], rest = whole > done ? whole - done : 0;
            exchange(to, data + starts[to] + done, sizeof(float) * (rest < RANKS_FLOATS ? rest : RANKS_FLOATS), from, received + (size_t)from * RANKS_FLOATS, sizeof(float) * part);
        }
        ranks_add_up(data + starts[mine] + done, received, part);
    }
    waiting = false;
}
int64_t ranks_counter_add(int64_t amount) {
    int64_t before;
    if (mine == 0) { return atomic_fetch_add(&counter, amount); }
    waiting = true;
    if (send(counters[0], &amount, sizeof(amount), MSG_NOSIGNAL) != sizeof(amount)) { lost(0); }
    for (size_t done = 0; done < sizeof(before);) {
        const ssize_t got = recv(counters[0], (char *)&before + done, sizeof(before) - done, 0);
        if (got == 0 || (got < 0 && errno != EINTR)) { lost(0); }
        done += got > 0 ? (size_t)got : 0;
    }
    waiting = false;
    return before;
}
void ranks_counter_reset(void) {
    ranks_wait();
    if (mine == 0) { counter = 0; }
    ranks_wait();
}
