// common: what every host-side file needs: errors that carry their text, growable arrays, whole files, atomic writes.
//
// Two kinds of failure. Whatever reads bytes that we did not write returns false (or NULL) and leaves one sentence in an
// Error: what was found, where, what to do. Programs end on it with fatal(). A broken invariant of our own is an assert.
#pragma once
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define GRPO_VERSION "0.1.0"

typedef struct {
    char text[1024];
} Error;

// Always returns false, so that a reader can end with `return error_set(error, "%s: ...", path)`.
__attribute__((format(printf, 2, 3))) static inline bool error_set(Error *error, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    return false;
}
static int fatal_rank; // > 0: this process is not the first of several, which mostly has the same to say and is let go first

// Ends the program with one line on stderr and exit code 1.
__attribute__((format(printf, 1, 2), noreturn)) static inline void fatal(const char *format, ...) {
    fflush(stdout);
    if (fatal_rank > 0) {
        sleep(2);
        fprintf(stderr, "rank %d: ", fatal_rank);
    }
    fputs("error: ", stderr);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

// Rows read, tensors read or written, micro-batches, decoding steps: llmc/watch.h tells by it a rank that works from one that hangs. It stands
// here because what reads files knows nothing of ranks.
static volatile long work_done;
static inline void watch_worked(void) { work_done = work_done + 1; }

// ---- host memory: never NULL
static inline void *host_realloc(void *old, size_t bytes) {
    void *memory = realloc(old, bytes ? bytes : 1);
    if (!memory) { fatal("out of host memory: %zu bytes", bytes); }
    return memory;
}
static inline void *host_alloc(size_t bytes) { // zeroed
    void *memory = calloc(1, bytes ? bytes : 1);
    if (!memory) { fatal("out of host memory: %zu bytes", bytes); }
    return memory;
}
static inline char *string_copy(const char *text) { return strcpy((char *)host_alloc(strlen(text) + 1), text); }

// ---- growable arrays
typedef struct {
    char *data; // kept NUL-terminated behind `size`, so that it can be printed
    size_t size, capacity;
} Buffer;
static inline void buffer_reserve(Buffer *buffer, size_t more) {
    if (buffer->size + more + 1 <= buffer->capacity) { return; }
    size_t capacity = buffer->capacity * 2 > buffer->size + more + 1 ? buffer->capacity * 2 : buffer->size + more + 1;
    buffer->data = (char *)host_realloc(buffer->data, capacity);
    buffer->capacity = capacity;
}
static inline void buffer_append(Buffer *buffer, const void *data, size_t bytes) {
    buffer_reserve(buffer, bytes);
    if (bytes) { memcpy(buffer->data + buffer->size, data, bytes); }
    buffer->size += bytes;
    buffer->data[buffer->size] = 0;
}
static inline void buffer_append_text(Buffer *buffer, const char *text) { buffer_append(buffer, text, strlen(text)); }
__attribute__((format(printf, 2, 3))) static inline void buffer_printf(Buffer *buffer, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int bytes = vsnprintf(NULL, 0, format, args);
    buffer_reserve(buffer, (size_t)bytes);
    vsnprintf(buffer->data + buffer->size, (size_t)bytes + 1, format, again);
    buffer->size += (size_t)bytes;
    va_end(again);
    va_end(args);
}
static inline void buffer_clear(Buffer *buffer) {
    buffer->size = 0;
    if (buffer->data) { buffer->data[0] = 0; }
}
static inline void buffer_free(Buffer *buffer) {
    free(buffer->data);
    *buffer = (Buffer){0};
}

typedef struct {
    int *data;
    size_t size, capacity;
} Ints;
static inline void ints_push(Ints *ints, int value) {
    if (ints->size == ints->capacity) {
        ints->capacity = ints->capacity ? ints->capacity * 2 : 64;
        ints->data = (int *)host_realloc(ints->data, ints->capacity * sizeof(int));
    }
    ints->data[ints->size++] = value;
}
static inline void ints_free(Ints *ints) {
    free(ints->data);
    *ints = (Ints){0};
}

// ---- files
static inline bool file_read(const char *path, Buffer *out, Error *error) { // appends the whole file
    FILE *file = fopen(path, "rb");
    if (!file) { return error_set(error, "%s: cannot be opened: %s", path, strerror(errno)); }
    for (;;) {
        buffer_reserve(out, 1 << 16);
        size_t got = fread(out->data + out->size, 1, out->capacity - out->size - 1, file);
        if (got == 0) { break; }
        out->size += got;
    }
    out->data[out->size] = 0;
    bool ok = !ferror(file) || error_set(error, "%s: cannot be read: %s", path, strerror(errno));
    fclose(file);
    return ok;
}

typedef struct { // a file mapped read-only
    const unsigned char *data;
    size_t size;
} Mapping;
static inline bool mapping_open(Mapping *mapping, const char *path, Error *error) {
    *mapping = (Mapping){0};
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) { return error_set(error, "%s: cannot be opened: %s", path, strerror(errno)); }
    struct stat status;
    bool ok = fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
    if (!ok) {
        error_set(error, "%s: is not a regular file", path);
    } else if (status.st_size > 0) {
        void *data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        ok = data != MAP_FAILED;
        if (!ok) { error_set(error, "%s: cannot be mapped: %s", path, strerror(errno)); }
        *mapping = (Mapping){ok ? (const unsigned char *)data : NULL, ok ? (size_t)status.st_size : 0};
    }
    close(descriptor);
    return ok;
}
static inline void mapping_close(Mapping *mapping) {
    if (mapping->data) { munmap((void *)(uintptr_t)mapping->data, mapping->size); }
    *mapping = (Mapping){0};
}

// A file that appears under its name whole or not at all: written beside it, synced, renamed.
typedef struct {
    FILE *file;
    char path[1024], temporary[1040];
} AtomicFile;
static inline bool atomic_file_open(AtomicFile *atomic, const char *path, Error *error) {
    snprintf(atomic->path, sizeof(atomic->path), "%s", path);
    snprintf(atomic->temporary, sizeof(atomic->temporary), "%s.tmp", path);
    struct stat status;
    atomic->file = NULL;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) { return error_set(error, "%s: is there and is not a file: it would be replaced", path); } // /dev/null
    // What a killed run left goes; O_EXCL: no symbolic link that somebody put there leads the bytes elsewhere.
    unlink(atomic->temporary);
    int descriptor = open(atomic->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    atomic->file = descriptor < 0 ? NULL : fdopen(descriptor, "wb");
    return atomic->file || error_set(error, "%s: cannot be written: %s", path, strerror(errno));
}
static inline void atomic_file_abort(AtomicFile *atomic) {
    if (atomic->file) { fclose(atomic->file); }
    unlink(atomic->temporary);
    atomic->file = NULL;
}
static inline bool atomic_file_commit(AtomicFile *atomic, Error *error) { // a write error of any moment shows here
    bool ok = fflush(atomic->file) == 0 && !ferror(atomic->file) && fsync(fileno(atomic->file)) == 0;
    int why = errno;
    ok = fclose(atomic->file) == 0 && ok;
    atomic->file = NULL;
    ok = ok && rename(atomic->temporary, atomic->path) == 0;
    if (ok) { return true; }
    unlink(atomic->temporary);
    return error_set(error, "%s: writing failed: %s; nothing was left behind", atomic->path, strerror(why ? why : errno));
}
static inline bool file_write_atomic(const char *path, const void *data, size_t bytes, Error *error) {
    AtomicFile atomic;
    if (!atomic_file_open(&atomic, path, error)) { return false; }
    if (bytes) { fwrite(data, 1, bytes, atomic.file); }
    return atomic_file_commit(&atomic, error);
}
static inline bool directory_create(const char *path, Error *error) { // with its parents
    char part[1024];
    snprintf(part, sizeof(part), "%s", path);
    for (char *p = part + 1;; p++) {
        if (*p != '/' && *p != 0) { continue; }
        char kept = *p;
        *p = 0;
        if (mkdir(part, 0777) != 0 && errno != EEXIST) { return error_set(error, "%s: cannot be created: %s", part, strerror(errno)); }
        *p = kept;
        if (!kept) { return true; }
    }
}
static inline bool directory_sync(const char *path, Error *error) {
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = descriptor >= 0 && fsync(descriptor) == 0;
    if (!ok) { error_set(error, "%s: cannot be synced: %s", path, strerror(errno)); }
    if (descriptor >= 0) { close(descriptor); }
    return ok;
}
// Removes a folder one level deep, as checkpoints are. Of a symbolic link only the link goes: what it leads to is not ours.
static inline void directory_remove(const char *path) {
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *directory = descriptor < 0 ? NULL : fdopendir(descriptor);
    struct dirent *entry;
    while (directory && (entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) { unlinkat(descriptor, entry->d_name, 0); }
    }
    if (directory) { closedir(directory); }
    if (rmdir(path) != 0 && !directory) { unlink(path); }
}
static inline bool file_exists(const char *path) { return access(path, F_OK) == 0; }

static inline double clamp(double x, double low, double high) {
    const double above = x < low ? low : x;
    return above > high ? high : above;
}

static inline double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
