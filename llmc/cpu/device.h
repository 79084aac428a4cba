// CPU body of ../device.h: the device is this process's own memory.
#pragma once
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "llmc/device.h"

// Threads of a parallel region wait for each other by spinning, by libgomp's default for milliseconds: a whole time slice whenever
// another program holds the other core, and a step of many small regions takes twenty times as long. The length is read from the
// environment when the library loads, so a program that was started without one starts itself again with a short one, once.
__attribute__((constructor)) static void device_spin_shortly(int argc, char **argv) {
    (void)argc;
    if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY")) { return; }
    setenv("GOMP_SPINCOUNT", "2000", 1);
    execv("/proc/self/exe", argv); // on failure we go on as we are
}
static int device_ranks = 1; // that share this machine
void device_choose(int rank, int ranks) {
    (void)rank;
    device_ranks = ranks;
}
// "AMD EPYC 9B14, 2 cores, avx2 avx512f avx512_bf16": what a processor calls itself and can do; ARM's name neither model nor flags but Features.
bool device_probe(char text[512]) {
    static const char *const sets[] = {"avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve", "bf16"};
    char line[8192], model[128] = "unnamed processor", found[128] = "";
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof(line), file) && *line != '\n') { // the first core's
        sscanf(line, "model name : %127[^\n]", model);
        if (strncmp(line, "flags", 5) != 0 && strncmp(line, "Features", 8) != 0) { continue; }
        line[strcspn(line, "\n")] = ' ';
        for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
            char word[32];
            snprintf(word, sizeof(word), " %s ", sets[i]);
            if (strstr(line, word)) { strcat(found, word + (*found != 0)); }
        }
    }
    if (file) { fclose(file); }
    snprintf(text, 512, "%s, %ld cores online,%s%s", model, sysconf(_SC_NPROCESSORS_ONLN), found, device_name());
    return true;
}
void device_init(void) {}
const char *device_name(void) {
    static char name[64];
    snprintf(name, sizeof(name), "cpu (%d threads, %d-bit vectors)", omp_get_max_threads(), SIMD_WIDTH * 32);
    return name;
}
size_t device_memory_bytes(void) {
    FILE *file = fopen("/proc/meminfo", "r");
    size_t kib = 0;
    char line[256];
    while (file && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "MemAvailable: %zu kB", &kib) == 1) { break; }
    }
    if (file) { fclose(file); }
    size_t available = kib ? kib * 1024 : (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    return available / 10 * 9 / (size_t)device_ranks;
}

typedef struct Allocation {
    struct Allocation *next;
    void *memory;
} Allocation;
static Allocation *allocations;

void *device_alloc(const char *what, size_t bytes) {
    size_t huge = (size_t)2 << 20, align = bytes >= huge ? huge : 64; // big blocks on huge pages: fewer TLB misses in gemv
    size_t rounded = (bytes + align - 1) / align * align;
    Allocation *allocation = (Allocation *)malloc(sizeof(Allocation));
    void *memory = aligned_alloc(align, rounded ? rounded : align);
    if (!memory || !allocation) {
        fprintf(stderr, "error: out of memory: %zu bytes for %s\n", bytes, what);
        exit(EXIT_FAILURE);
    }
    if (align == huge) { madvise(memory, rounded, MADV_HUGEPAGE); }
    memset(memory, 0, rounded ? rounded : align);
    *allocation = (Allocation){allocations, memory};
    allocations = allocation;
    return memory;
}
size_t device_allocations(void) {
    size_t count = 0;
    for (const Allocation *a = allocations; a; a = a->next) { count++; }
    return count;
}
void device_shutdown(void) {
    while (allocations) {
        Allocation *next = allocations->next;
        free(allocations->memory);
        free(allocations);
        allocations = next;
    }
}
void device_zero(void *memory, size_t bytes) { memset(memory, 0, bytes); }
void device_upload(void *to_device, const void *from_host, size_t bytes) { memcpy(to_device, from_host, bytes); }
void device_download(void *to_host, const void *from_device, size_t bytes) { memcpy(to_host, from_device, bytes); }
void device_copy(void *to_device, const void *from_device, size_t bytes) { memcpy(to_device, from_device, bytes); }
void device_wait(void) {}
bool device_works_ahead(void) { return false; }
void *device_host_alloc(const char *what, size_t bytes) { return device_alloc(what, bytes); }
void device_send(void *to_device, const void *from_host, size_t bytes) { memcpy(to_device, from_host, bytes); }
void device_fetch(void *to_host, const void *from_device, size_t bytes) { memcpy(to_host, from_device, bytes); }
void device_mark(int mark) { (void)mark; }
void device_reach(int mark) { (void)mark; }
bool device_replay(int recording) { return (void)recording, false; }
void device_record(int recording) { (void)recording; }
void device_recorded(int recording) { (void)recording; }
void device_forget_recordings(void) {}
