// fuzz: what every target shares. A target is one function that hands bytes to a reader as if they had come from outside. Refusing them
// with a sentence in an Error is well done; a crash, undefined behaviour, a leak, ten seconds or a gibibyte is a find, and so is a failed
// assert about what was accepted. libFuzzer calls the target with bytes of its own making (rules.mk), replay.c with those kept in corpus/.
#pragma once
#include <ftw.h>
#include <limits.h>
#include "llmc/common.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// The path of a file in memory that holds these bytes, until the next call.
static inline const char *fuzz_file(const void *data, size_t bytes) {
    static int descriptor = -1;
    static char path[64];
    if (descriptor < 0) {
        descriptor = memfd_create("fuzz", MFD_CLOEXEC);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor);
    }
    bool written = ftruncate(descriptor, 0) == 0 && pwrite(descriptor, data, bytes, 0) == (ssize_t)bytes;
    assert(written);
    (void)written;
    return path;
}
// A folder of the target's own: below TMPDIR, which run.sh puts into memory and removes; a replay removes what is in it itself.
static char fuzz_folder_path[256];
static inline int fuzz_remove_one(const char *path, const struct stat *status, int type, struct FTW *where) {
    (void)status, (void)type, (void)where;
    return remove(path);
}
static inline void fuzz_folder_remove(void) { nftw(fuzz_folder_path, fuzz_remove_one, 16, FTW_DEPTH | FTW_PHYS); }
static inline const char *fuzz_folder(void) {
    if (!fuzz_folder_path[0]) {
        const char *parent = getenv("TMPDIR");
        snprintf(fuzz_folder_path, sizeof(fuzz_folder_path), "%.200s/fuzz.XXXXXX", parent ? parent : "/tmp");
        if (!mkdtemp(fuzz_folder_path)) { fatal("%s: cannot be created: %s", fuzz_folder_path, strerror(errno)); }
        atexit(fuzz_folder_remove);
    }
    return fuzz_folder_path;
}
static inline const char *fuzz_write(const char *name, const void *data, size_t bytes) { // into the folder; returns its path
    static char path[512];
    snprintf(path, sizeof(path), "%s/%s", fuzz_folder(), name);
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool written = descriptor >= 0 && write(descriptor, data, bytes) == (ssize_t)bytes && close(descriptor) == 0;
    assert(written);
    (void)written;
    return path;
}
// An input of several parts: cuts the first one off, up to the NUL that ends it or to the end.
static inline char *fuzz_take_text(const uint8_t **data, size_t *size) { // for free()
    size_t length = strnlen((const char *)*data, *size);
    char *text = (char *)host_alloc(length + 1);
    memcpy(text, *data, length);
    length += length < *size;
    *data += length, *size -= length;
    return text;
}
static inline uint8_t fuzz_take_byte(const uint8_t **data, size_t *size) { // 0 when there is none
    if (*size == 0) { return 0; }
    (*size)--;
    return *(*data)++;
}
