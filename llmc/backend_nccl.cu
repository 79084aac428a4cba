// The body of collectives.h from GPU to GPU. Reduce-scatters run on a queue of their own, beside the backward pass that goes on; the pieces
// are of different lengths, so one is a group of reductions, each to its owner, which NCCL runs at the same time.
#include <nccl.h>
#include "llmc/cuda/check.cuh"
#include "llmc/collectives.h"
extern "C" {
#include "llmc/ranks.h"
cudaStream_t device_stream(void);
}

static ncclComm_t comm;
static cudaStream_t side;
static cudaEvent_t ready, done;

#define ncclCheck(call)                                                                                                   \
    do {                                                                                                                  \
        ncclResult_t result_ = (call);                                                                                    \
        if (result_ != ncclSuccess) {                                                                                     \
            fprintf(stderr, "error: rank %d on %s: %s: %s\n", ranks_mine(), ranks_host(), #call, ncclGetLastError(comm)); \
            exit(EXIT_FAILURE);                                                                                           \
        }                                                                                                                 \
    } while (0)

const char *collectives_library(void) {
    static char text[64];
    int version = 0; // 21805: 2.18.5
    ncclCheck(ncclGetVersion(&version));
    snprintf(text, sizeof(text), "NCCL %d.%d.%d", version / 10000, version % 10000 / 100, version % 100);
    return text;
}
void collectives_open(void) {
    ncclUniqueId id;
    if (ranks_count() == 1) { return; }
    if (ranks_mine() == 0) { ncclCheck(ncclGetUniqueId(&id)); }
    ranks_broadcast(&id, sizeof(id), 0);
    ncclCheck(ncclCommInitRank(&comm, ranks_count(), id, ranks_mine()));
    cudaCheck(cudaStreamCreateWithFlags(&side, cudaStreamNonBlocking));
    cudaCheck(cudaEventCreateWithFlags(&ready, cudaEventDisableTiming));
    cudaCheck(cudaEventCreateWithFlags(&done, cudaEventDisableTiming));
}
void collective_reduce_scatter(float *data, const size_t *starts) {
    if (ranks_count() == 1) { return; }
    cudaCheck(cudaEventRecord(ready, device_stream())); // what the main queue has been given so far makes the data
    cudaCheck(cudaStreamWaitEvent(side, ready, 0));
    ncclCheck(ncclGroupStart());
    for (int r = 0; r < ranks_count(); r++) { // into the owner's own data; the others' is only read
        if (starts[r + 1] > starts[r]) { ncclCheck(ncclReduce(data + starts[r], data + starts[r], starts[r + 1] - starts[r], ncclFloat, ncclSum, r, comm, side)); }
    }
    ncclCheck(ncclGroupEnd());
}
void collective_finish(void) {
    if (ranks_count() == 1) { return; }
    cudaCheck(cudaEventRecord(done, side));
    cudaCheck(cudaStreamWaitEvent(device_stream(), done, 0));
}
void collective_gather(floatX *data, const size_t *starts) {
    if (ranks_count() == 1) { return; }
    ncclCheck(ncclGroupStart());
    for (int r = 0; r < ranks_count(); r++) {
        const size_t bytes = (starts[r + 1] - starts[r]) * sizeof(floatX);
        if (bytes) { ncclCheck(ncclBroadcast(data + starts[r], data + starts[r], bytes, ncclUint8, r, comm, device_stream())); }
    }
    ncclCheck(ncclGroupEnd());
}
