// The body of ranks.h over MPI. Messages are cut into pieces of at most 1 MiB of floats or 1 GiB of bytes: counts are ints, and no
// call needs memory that grows with the model.
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "llmc/ranks_sums.h"

enum { RANKS_BYTES = 1 << 30 }; // of one message
static int count = 1, mine, local, local_count = 1;
static volatile bool waiting; // for others
static char host[MPI_MAX_PROCESSOR_NAME];
static MPI_Win counter_window;
static int64_t *counter, alone; // rank 0's; and where there is but one
static float *received;         // (count, RANKS_FLOATS)
static double *gathered;        // (count, RANKS_DOUBLES)

static void *allocate(size_t bytes) {
    void *memory = calloc(1, bytes);
    if (!memory) {
        fprintf(stderr, "error: out of host memory: %zu bytes\n", bytes);
        exit(EXIT_FAILURE);
    }
    return memory;
}
// Whether a launcher started this process as one of several; else MPI is left alone, and there is one rank.
static bool launched(void) {
    static const char *const sizes[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"};
    const char *world = getenv("WORLD_SIZE");
    const bool torchrun = getenv("TORCHELASTIC_RUN_ID") != NULL; // which may itself be a task of srun
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && !torchrun; i++) {
        const char *size = getenv(sizes[i]);
        if (size && atoi(size) > 1) { return true; }
    }
    if (world && atoi(world) > 1) {
        fprintf(stderr, "error: WORLD_SIZE=%s is torchrun's way of starting processes, and this program was built for mpirun and srun: use these, or build it with make MPI=\n", world);
        exit(EXIT_FAILURE);
    }
    return false;
}
void ranks_open(int *argc, char ***argv) {
    int given, length;
    MPI_Comm machine;
    gethostname(host, sizeof(host) - 1);
    if (!launched()) { return; }
    if (MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &given) != MPI_SUCCESS || given < MPI_THREAD_FUNNELED) {
        fprintf(stderr, "error: MPI cannot be started\n");
        exit(EXIT_FAILURE);
    }
    MPI_Comm_size(MPI_COMM_WORLD, &count);
    MPI_Comm_rank(MPI_COMM_WORLD, &mine);
    MPI_Get_processor_name(host, &length);
    const char *tasks = getenv("SLURM_STEP_NUM_TASKS");
    if (count == 1 && tasks && atoi(tasks) > 1) {
        fprintf(stderr, "error: srun started %s processes that do not see each other: try srun --mpi=pmix or --mpi=pmi2\n", tasks);
        exit(EXIT_FAILURE);
    }
    if (count > MAX_RANKS) {
        fprintf(stderr, "error: %d ranks, %d are the most\n", count, MAX_RANKS);
        exit(EXIT_FAILURE);
    }
    if (mine > 0 && !freopen("/dev/null", "w", stdout)) { exit(EXIT_FAILURE); }
    if (count == 1) { return; }
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, mine, MPI_INFO_NULL, &machine);
    MPI_Comm_size(machine, &local_count);
    MPI_Comm_rank(machine, &local);
    MPI_Comm_free(&machine);
    received = (float *)allocate(sizeof(float) * (size_t)count * RANKS_FLOATS);
    gathered = (double *)allocate(sizeof(double) * (size_t)count * RANKS_DOUBLES);
    MPI_Win_allocate(mine == 0 ? sizeof(int64_t) : 0, sizeof(int64_t), MPI_INFO_NULL, MPI_COMM_WORLD, &counter, &counter_window);
    MPI_Win_lock_all(0, counter_window);
    ranks_counter_reset();
}
void ranks_close(void) {
    int open = 0;
    if (counter_window != MPI_WIN_NULL && count > 1) {
        MPI_Win_unlock_all(counter_window);
        MPI_Win_free(&counter_window);
    }
    MPI_Initialized(&open);
    if (open) { MPI_Finalize(); }
    free(received);
    free(gathered);
}
int ranks_count(void) { return count; }
int ranks_mine(void) { return mine; }
int ranks_local(void) { return local; }
int ranks_local_count(void) { return local_count; }
const char *ranks_host(void) { return host; }
const char *ranks_library(void) { // needs no job
    static char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    MPI_Get_library_version(text, &length);
    text[strcspn(text, ",\n")] = 0; // where it was built and by whom follows
    return text;
}
bool ranks_waiting(void) { return waiting; }
void ranks_wait(void) {
    if (count == 1) { return; }
    waiting = true;
    MPI_Barrier(MPI_COMM_WORLD);
    waiting = false;
}
void ranks_broadcast(void *data, size_t bytes, int from) {
    if (count == 1) { return; }
    waiting = true;
    for (size_t done = 0; done < bytes; done += RANKS_BYTES) {
        const size_t part = bytes - done < RANKS_BYTES ? bytes - done : RANKS_BYTES;
        MPI_Bcast((char *)data + done, (int)part, MPI_BYTE, from, MPI_COMM_WORLD);
    }
    waiting = false;
}
static void combine(double *values, int number, bool largest) {
    if (count == 1) { return; }
    waiting = true;
    for (int done = 0; done < number; done += RANKS_DOUBLES) {
        const int part = number - done < RANKS_DOUBLES ? number - done : RANKS_DOUBLES;
        MPI_Allgather(values + done, part, MPI_DOUBLE, gathered, part, MPI_DOUBLE, MPI_COMM_WORLD);
        for (int i = 0; i < part; i++) {
            double result = gathered[i];
            for (int r = 1; r < count; r++) {
                const double other = gathered[r * part + i];
                result = !largest ? result + other : other > result ? other
                                                                    : result;
            }
            values[done + i] = result;
        }
    }
    waiting = false;
}
void ranks_sum(double *values, int number) { combine(values, number, false); }
void ranks_largest(double *values, int number) { combine(values, number, true); }
bool ranks_any(bool of_mine) {
    double any = of_mine;
    combine(&any, 1, true);
    return any > 0;
}
void ranks_gather(void *data, const size_t *starts, int to) {
    const size_t longest = ranks_longest_piece(starts);
    if (count == 1) { return; }
    waiting = true;
    for (size_t done = 0; done < longest; done += RANKS_BYTES) {
        for (int r = 0; r < count; r++) {
            const size_t whole = starts[r + 1] - starts[r], left = whole > done ? whole - done : 0;
            char *piece = (char *)data + starts[r] + done;
            const int bytes = (int)(left < RANKS_BYTES ? left : RANKS_BYTES);
            if (bytes == 0) { continue; }
            if (to < 0) {
                MPI_Bcast(piece, bytes, MPI_BYTE, r, MPI_COMM_WORLD);
            } else if (r != to && mine == r) {
                MPI_Send(piece, bytes, MPI_BYTE, to, 0, MPI_COMM_WORLD);
            } else if (r != to && mine == to) {
                MPI_Recv(piece, bytes, MPI_BYTE, r, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            }
        }
    }
    waiting = false;
}
// Each rank sends every other rank its part of that one's piece, a stretch at a time, and adds up what it gets in rising rank.
void ranks_reduce_scatter(float *data, const size_t *starts) {
    const size_t longest = ranks_longest_piece(starts);
    const size_t own = starts[mine + 1] - starts[mine];
    if (count == 1) { return; }
    waiting = true;
    for (size_t done = 0; done < longest; done += RANKS_FLOATS) {
        const size_t left = own > done ? own - done : 0, part = left < RANKS_FLOATS ? left : RANKS_FLOATS;
        MPI_Request requests[2];
        for (int step = 1; step < count; step++) {
            const int to = (mine + step) % count, from = (mine + count - step) % count;
            const size_t whole = starts[to + 1] - starts[to], rest = whole > done ? whole - done : 0;
            MPI_Irecv(received + (size_t)from * RANKS_FLOATS, (int)part, MPI_FLOAT, from, 0, MPI_COMM_WORLD, &requests[0]);
            MPI_Isend(data + starts[to] + done, (int)(rest < RANKS_FLOATS ? rest : RANKS_FLOATS), MPI_FLOAT, to, 0, MPI_COMM_WORLD, &requests[1]);
            MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
        }
        ranks_add_up(data + starts[mine] + done, received, part);
    }
    waiting = false;
}
int64_t ranks_counter_add(int64_t amount) {
    int64_t before = 0;
    if (count == 1) {
        before = alone;
        alone += amount;
        return before;
    }
    MPI_Fetch_and_op(&amount, &before, MPI_INT64_T, 0, 0, MPI_SUM, counter_window);
    MPI_Win_flush(0, counter_window);
    return before;
}
void ranks_counter_reset(void) {
    alone = 0;
    if (count == 1) { return; }
    ranks_wait();
    if (mine == 0) {
        const int64_t zero = 0;
        int64_t before;
        MPI_Fetch_and_op(&zero, &before, MPI_INT64_T, 0, 0, MPI_REPLACE, counter_window);
        MPI_Win_flush(0, counter_window);
    }
    ranks_wait();
}
