// collectives: what ranks do with arrays on their devices. All ranks call them in the same order with the same numbers. Two bodies, the
// linker picks: collectives_host.c goes through the host and MPI, llmc/cuda/collectives_nccl.cu from GPU to GPU.
// starts (ranks + 1): rank r's piece is elements starts[r] .. starts[r+1]-1. Sums have the same bits in every run with as many ranks.
#pragma once
#include <stddef.h>
#include "llmc/dtype.h"
LLMC_C const char *collectives_library(void); // "NCCL 2.18.5": what carries them between devices, and its version
LLMC_C void collectives_open(void);           // after ranks_open and device_init; takes what memory it needs
// Sums everyone's data: rank r gets the sums in its piece, the rest is left as anything. May still be under way when it returns.
LLMC_C void collective_reduce_scatter(float *data, const size_t *starts);
LLMC_C void collective_finish(void);                               // what ops do from here on comes behind all reduce-scatters
LLMC_C void collective_gather(floatX *data, const size_t *starts); // everyone gets everyone's piece
