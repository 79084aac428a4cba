// ranks: the processes of one job, one per GPU (or per share of a CPU), started by mpirun, srun or torchrun. Each calls the same functions in the
// same order; a call returns when all have made it. Two bodies, the linker picks: ranks_mpi.c, and ranks_tcp.c where there is no MPI.
// Everything here is on the host. Sums are taken in rising rank, so that every rank gets the same bits, whatever arrives first.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAX_RANKS = 1024 };
// Before anything else; ends the program when the job's other processes cannot be reached. What ranks above 0 print goes nowhere; their errors do not.
void ranks_open(int *argc, char ***argv);
void ranks_close(void); // at the end, by every rank
int ranks_count(void);
int ranks_mine(void);            // 0 .. count-1; rank 0 writes what a run leaves behind
int ranks_local(void);           // among the ranks of this machine
int ranks_local_count(void);     // how many they are
const char *ranks_host(void);    // this machine's name
const char *ranks_library(void); // "Open MPI v4.1.4", "TCP": what the processes of a job speak through
bool ranks_waiting(void);        // whether a call of this process waits for other ranks: for another thread to ask

void ranks_wait(void);                                        // until all have come here
void ranks_broadcast(void *data, size_t bytes, int from);     // everyone gets what rank `from` has
void ranks_sum(double *values, int count);                    // each value becomes the sum of all ranks'
void ranks_largest(double *values, int count);                // .. the largest of all ranks'
bool ranks_any(bool mine);                                    // whether any rank says so
void ranks_gather(void *data, const size_t *starts, int to);  // rank r has bytes starts[r] .. starts[r+1]-1 of data; rank `to` (-1: every one) gets them all
void ranks_reduce_scatter(float *data, const size_t *starts); // rank r's elements starts[r] .. starts[r+1]-1 become the sums of all ranks' there; the others are left as they are
// A counter that all ranks draw from while they go on: adds `amount` and returns what it was. ranks_counter_reset is a call that all make.
int64_t ranks_counter_add(int64_t amount);
void ranks_counter_reset(void);
