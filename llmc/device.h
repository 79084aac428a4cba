// device: memory and ordering on whichever backend is linked. Host code never follows a device pointer: it uploads and downloads.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "dtype.h"
LLMC_C void device_choose(int rank, int ranks); // before device_init: which process this is of how many on this machine; each takes the next device, counted round
LLMC_C bool device_probe(char text[512]);       // before device_init: what the device is, with its driver's and libraries' versions; or false, and what to do so that there is one
LLMC_C void device_init(void);                  // ends the program with a clear message when there is no usable device
LLMC_C const char *device_name(void);           // "cpu (2 threads, 512-bit vectors)"
LLMC_C size_t device_memory_bytes(void);        // what a program may take: what is free now, less a reserve for driver, libraries and system
typedef struct {
    double operations, bytes; // a second: of matrix products in floatX, a multiplication and an addition being two; read from memory
} DeviceLimits;
LLMC_C DeviceLimits device_limits(size_t working_set);     // what this device can do at best: as its maker says; a CPU is measured, reading so many bytes again and again
LLMC_C void *device_alloc(const char *what, size_t bytes); // zeroed, 64-byte aligned; ends the program naming `what` when it does not fit
LLMC_C size_t device_allocations(void);                    // how many calls of device_alloc and device_host_alloc there have been
LLMC_C void device_shutdown(void);                         // frees everything device_alloc handed out
LLMC_C void device_zero(void *memory, size_t bytes);
LLMC_C void device_upload(void *to_device, const void *from_host, size_t bytes);
LLMC_C void device_download(void *to_host, const void *from_device, size_t bytes); // waits for pending work
LLMC_C void device_copy(void *to_device, const void *from_device, size_t bytes);
LLMC_C void device_wait(void); // until all work given to the device is done

// ---- working ahead. A GPU works through a queue while the host goes on; the CPU backend has done everything when a call returns.
// device_send and device_fetch copy when their turn in the queue comes: the host's side is memory of device_host_alloc, left alone until
// device_reach says that the queue has come past a mark set behind the copy.
#define DEVICE_GPU_RESERVE ((size_t)3 << 30) // of a GPU's free memory: kernels, recordings, the libraries' own
enum { DEVICE_MARKS = 2,
       DEVICE_RECORDINGS = 64 };
LLMC_C bool device_works_ahead(void);
LLMC_C void *device_host_alloc(const char *what, size_t bytes); // page-locked, zeroed; lives until device_shutdown
LLMC_C void device_send(void *to_device, const void *from_host, size_t bytes);
LLMC_C void device_fetch(void *to_host, const void *from_device, size_t bytes);
LLMC_C void device_mark(int mark);  // 0 .. DEVICE_MARKS-1: this place in the queue
LLMC_C void device_reach(int mark); // waits until the queue has come to where the mark was set last
// A recording is a list of ops that is launched as one (a CUDA graph), for hundreds of small ops cost more to launch than to run:
//     if (!device_replay(i)) { device_record(i); ...ops...; device_recorded(i); }
// device_replay is false while there is nothing recorded under i; then the ops between the two calls run (the first time plainly, the
// second time they are recorded first). Pointers and numbers given to them are those of every later replay. On the CPU they always run.
LLMC_C bool device_replay(int recording);
LLMC_C void device_record(int recording);
LLMC_C void device_recorded(int recording);
LLMC_C void device_forget_recordings(void);
