// ranks_join: how the processes of ranks_tcp.c find each other, in torchrun's environment (RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT, and
// LOCAL_RANK and LOCAL_WORLD_SIZE where they are set), which Kubeflow's PyTorchJob and others set too. Rank 0 listens on MASTER_PORT or, where
// torchrun's own agent holds that one (TORCHELASTIC_USE_AGENT_STORE=True), on the next. The others come to it, say who and of which job they
// are, and once all have come learn where each listens and a ticket, with which they visit each other. After that nobody listens any more.
// Whoever has not yet said the right words is a stranger, and what it says is not believed.
#pragma once
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include "llmc/common.h"
#include "llmc/dtype.h"
#include "llmc/ranks.h"

enum { JOIN_SECONDS = 300,          // until all must have come
       JOIN_STRANGER_SECONDS = 5 }; // that a connection has to say who it is
typedef enum { FOR_JOINING,
               FOR_COUNTING,
               FOR_CALLS } Purpose;
typedef struct {
    char magic[8], job[104], host[64];
    uint64_t ticket;             // of those who have joined: what rank 0 drew for this job
    int32_t purpose, rank, port; // where it listens
} Greeting;
typedef struct {
    char magic[8], refusal[320]; // "": welcome
} Answer;
typedef struct {
    char address[64], host[64];
    int32_t port;
} Place; // of a rank
static const char join_magic[8] = "GRPORNK1";

static int count = 1, mine;
static Place places[MAX_RANKS];
static char host[64], job[104];
static uint64_t ticket;
static double join_deadline; // 0: all have joined, and watch.h sees to it that no call lasts for ever

static inline void join_printable(char *text, size_t size) { // what came from elsewhere and is to be shown
    text[size - 1] = 0;
    for (; *text; text++) { *text = *text < ' ' || *text > '~' ? '?' : *text; }
}
static inline bool join_hear(double deadline, int from, void *data, size_t bytes) {
    for (size_t done = 0; done < bytes;) {
        struct pollfd one = {.fd = from, .events = POLLIN};
        const double left = deadline - seconds_now();
        if (left <= 0 || (poll(&one, 1, (int)(1000 * left) + 1) < 0 && errno != EINTR)) { return false; }
        const ssize_t got = recv(from, (char *)data + done, bytes - done, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) { return false; }
        done += got > 0 ? (size_t)got : 0;
    }
    return true;
}
static inline int join_number(const char *name, int least, int most) {
    const char *text = getenv(name);
    char *end;
    if (!text || !*text) { fatal("WORLD_SIZE=%s asks for many processes, and %s is not set: torchrun sets it", getenv("WORLD_SIZE"), name); }
    const long number = strtol(text, &end, 10);
    if (*end || number < least || number > most) { fatal("%s=%s: a number from %d to %d is wanted", name, text, least, most); }
    return (int)number;
}
static inline int join_socket(const char *address, int port, bool listens) { // -1 with errno where there is none
    struct addrinfo *found = NULL, hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    const struct timeval limit = {.tv_sec = JOIN_STRANGER_SECONDS};
    const int on = 1, off = 0;
    char service[16];
    int s = -1;
    snprintf(service, sizeof(service), "%d", port);
    if (getaddrinfo(address, service, &hints, &found) != 0) { return -1; }
    for (const struct addrinfo *a = found; a && s < 0; a = a->ai_next) {
        s = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, 0);
        setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)); // connect() keeps to it too
        setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));      // so do those that a listener accepts
        setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
        if (listens ? bind(s, a->ai_addr, a->ai_addrlen) != 0 || listen(s, MAX_RANKS) != 0 : connect(s, a->ai_addr, a->ai_addrlen) != 0) { close(s), s = -1; }
    }
    freeaddrinfo(found);
    return s;
}
static inline int join_listen(int *port, bool one_machine) { // 0: any, and it becomes the one that was found
    struct sockaddr_storage at;
    socklen_t length = sizeof(at);
    char service[16] = "";
    int listener = join_socket(one_machine ? "127.0.0.1" : "::", *port, true);
    if (listener < 0 && !one_machine) { listener = join_socket("0.0.0.0", *port, true); } // a machine without IPv6
    if (listener < 0) { fatal("rank %d on host %s cannot listen on port %d: %s%s", mine, host, *port, strerror(errno), *port ? ": choose another MASTER_PORT (torchrun --master-port)" : ""); }
    getsockname(listener, (struct sockaddr *)&at, &length);
    getnameinfo((struct sockaddr *)&at, length, NULL, 0, service, sizeof(service), NI_NUMERICSERV);
    *port = atoi(service);
    return listener;
}
// Goes to a rank and is let in; asks again until the deadline, since it may not be there yet.
static inline int join_visit(int rank, Purpose purpose, int port) {
    Greeting greeting = {.purpose = (int32_t)purpose, .rank = mine, .port = port, .ticket = ticket};
    memcpy(greeting.magic, join_magic, sizeof(join_magic)), memcpy(greeting.job, job, sizeof(job)), memcpy(greeting.host, host, sizeof(host));
    for (; seconds_now() < join_deadline; usleep(100000)) {
        Answer answer;
        const int to = join_socket(places[rank].address, places[rank].port, false);
        if (to < 0) { continue; }
        if (send(to, &greeting, sizeof(greeting), MSG_NOSIGNAL) == sizeof(greeting) && join_hear(join_deadline, to, &answer, sizeof(answer))) {
            join_printable(answer.refusal, sizeof(answer.refusal));
            if (memcmp(answer.magic, join_magic, sizeof(join_magic)) != 0) { fatal("what listens at %s, port %d, is not rank %d of this job: choose another MASTER_PORT", places[rank].address, places[rank].port, rank); }
            if (*answer.refusal) { fatal("rank %d on host %s: %s", mine, host, answer.refusal); }
            return to;
        }
        close(to);
    }
    fatal("rank %d on host %s cannot reach rank %d at %s, port %d, within %d s", mine, host, rank, places[rank].address, places[rank].port, JOIN_SECONDS);
}
// Whether the connection is one that is waited for; answers it, and says on stderr what else it was.
static inline bool join_admit(int from, const char *address, Purpose purpose, int first, const int *sockets, Greeting *greeting) {
    Answer answer = {.refusal = ""};
    memcpy(answer.magic, join_magic, sizeof(join_magic));
    if (!join_hear(seconds_now() + JOIN_STRANGER_SECONDS, from, greeting, sizeof(*greeting)) || memcmp(greeting->magic, join_magic, sizeof(join_magic)) != 0) {
        fprintf(stderr, "warning: %s connected to rank %d and is no rank of a job: ignored\n", address, mine);
        return false;
    }
    join_printable(greeting->job, sizeof(greeting->job)), join_printable(greeting->host, sizeof(greeting->host));
    if (strcmp(greeting->job, job) != 0) {
        snprintf(answer.refusal, sizeof(answer.refusal), "is of another job (%.100s) than rank %d (%.100s)", greeting->job, mine, job);
    } else if (greeting->rank < first || greeting->rank >= count || greeting->port < 1 || greeting->port > UINT16_MAX) {
        snprintf(answer.refusal, sizeof(answer.refusal), "RANK=%d is not waited for by rank %d", greeting->rank, mine);
    } else if (greeting->purpose != (int32_t)purpose || greeting->ticket != ticket || sockets[greeting->rank] >= 0) {
        snprintf(answer.refusal, sizeof(answer.refusal), "another process came to rank %d as rank %d before", mine, greeting->rank);
    }
    if (*answer.refusal) { fprintf(stderr, "warning: a process on host %s (%s) is turned away: %s\n", greeting->host, address, answer.refusal); }
    return send(from, &answer, sizeof(answer), MSG_NOSIGNAL) == sizeof(answer) && !*answer.refusal;
}
// Waits for ranks first .. count-1 to come.
static inline void join_receive(int listener, int *sockets, int first, Purpose purpose) {
    for (int missing = count - first; missing > 0;) {
        struct pollfd one = {.fd = listener, .events = POLLIN};
        struct sockaddr_storage other;
        socklen_t length = sizeof(other);
        char address[64] = "?";
        Greeting greeting;
        if (seconds_now() > join_deadline) {
            int absent = first;
            while (sockets[absent] >= 0) { absent++; }
            fatal("%d of %d ranks have not come to rank %d (host %s) within %d s, the first of them rank %d", missing, count, mine, host, JOIN_SECONDS, absent);
        }
        const int from = poll(&one, 1, 1000) > 0 ? accept4(listener, (struct sockaddr *)&other, &length, SOCK_CLOEXEC) : -1;
        if (from < 0) { continue; }
        getnameinfo((struct sockaddr *)&other, length, address, sizeof(address), NULL, 0, NI_NUMERICHOST);
        const char *plain = !strncmp(address, "::ffff:", 7) ? address + 7 : address; // IPv4, seen through a socket for both
        if (!join_admit(from, plain, purpose, first, sockets, &greeting)) {
            close(from);
            continue;
        }
        sockets[greeting.rank] = from, missing--;
        if (purpose != FOR_JOINING) { continue; }
        Place *place = &places[greeting.rank];
        place->port = greeting.port;
        snprintf(place->address, sizeof(place->address), "%s", plain);
        memcpy(place->host, greeting.host, sizeof(place->host));
    }
}
