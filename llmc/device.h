// device: memory and ordering on whichever backend is linked. Host code never follows a device pointer: it uploads and downloads.
#pragma once
#include <stddef.h>
#include "dtype.h"
LLMC_C void device_init(void);                             // ends the program with a clear message when there is no usable device
LLMC_C const char *device_name(void);                      // "cpu (2 threads, 512-bit vectors)"
LLMC_C size_t device_memory_bytes(void);                   // what can be allocated now
LLMC_C void *device_alloc(const char *what, size_t bytes); // zeroed, 64-byte aligned; ends the program naming `what` when it does not fit
LLMC_C void device_shutdown(void);                         // frees everything device_alloc handed out
LLMC_C void device_zero(void *memory, size_t bytes);
LLMC_C void device_upload(void *to_device, const void *from_host, size_t bytes);
LLMC_C void device_download(void *to_host, const void *from_device, size_t bytes); // waits for pending work
LLMC_C void device_copy(void *to_device, const void *from_device, size_t bytes);
