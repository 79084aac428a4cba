// One process: the body of ranks.h for machines without MPI.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "llmc/ranks.h"

static int64_t counter;

void ranks_open(int *argc, char ***argv) {
    static const char *const sizes[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS", "WORLD_SIZE"};
    (void)argc, (void)argv;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        const char *size = getenv(sizes[i]);
        if (!size || atoi(size) <= 1) { continue; }
        fprintf(stderr, "error: %s=%s asks for many processes, and this program was built without MPI: install it (scripts/setup.sh) and run make again\n", sizes[i], size);
        exit(EXIT_FAILURE);
    }
}
void ranks_close(void) {}
int ranks_count(void) { return 1; }
int ranks_mine(void) { return 0; }
int ranks_local(void) { return 0; }
int ranks_local_count(void) { return 1; }
const char *ranks_host(void) {
    static char name[256];
    if (!*name) { gethostname(name, sizeof(name) - 1); }
    return name;
}
bool ranks_waiting(void) { return false; }
void ranks_wait(void) {}
void ranks_broadcast(void *data, size_t bytes, int from) { (void)data, (void)bytes, (void)from; }
void ranks_sum(double *values, int count) { (void)values, (void)count; }
void ranks_largest(double *values, int count) { (void)values, (void)count; }
bool ranks_any(bool mine) { return mine; }
void ranks_gather(void *data, const size_t *starts, int to) { (void)data, (void)starts, (void)to; }
void ranks_reduce_scatter(float *data, const size_t *starts) { (void)data, (void)starts; }
int64_t ranks_counter_add(int64_t amount) {
    const int64_t before = counter;
    counter += amount;
    return before;
}
void ranks_counter_reset(void) { counter = 0; }
