// safetensors_writer: writing tensors to a `.safetensors` file, or to a folder in shards with an index, as Transformers does.
// The list of tensors is given first, so the header is known and written before any data; then each tensor's data is appended
// in pieces of any size. Pieces of one tensor come in order, tensors in any order: every tensor has its place in the file.
// Nothing appears under its final name before safetensors_writer_commit, which refuses if any tensor is not complete.
#pragma once
#include "llmc/safetensors.h"

typedef struct {
    const char *name;
    SafetensorsDtype dtype;
    int rank;
    int64_t shape[SAFETENSORS_MAX_RANK];
} SafetensorsEntry;

typedef struct {
    SafetensorsTensor *tensors; // sorted by name; `begin` and `file` say where each goes
    size_t *written;            // bytes so far, of each
    size_t count, total_bytes;
    AtomicFile *files;
    int file_count;
    char directory[960]; // empty for a single file
} SafetensorsWriter;

// The 5 GB that Transformers starts a new shard at.
#define SAFETENSORS_SHARD_BYTES ((size_t)5000000000)

static inline void safetensors_writer_free(SafetensorsWriter *writer) {
    for (size_t i = 0; i < writer->count; i++) { free(writer->tensors[i].name); }
    free(writer->tensors);
    free(writer->written);
    free(writer->files);
    *writer = (SafetensorsWriter){0};
}
// Gives up: nothing is left behind. Also right after a failed open, append or commit (these have done it already).
static inline void safetensors_writer_abort(SafetensorsWriter *writer) {
    for (int i = 0; i < writer->file_count; i++) {
        if (writer->files[i].file) { atomic_file_abort(&writer->files[i]); }
    }
    safetensors_writer_free(writer);
}

// The order inside a file: wide elements first, so that every tensor is aligned to its element; then by name.
static inline int safetensors_by_file_place(const void *a, const void *b) {
    const SafetensorsTensor *x = (const SafetensorsTensor *)a, *y = (const SafetensorsTensor *)b;
    if (x->file != y->file) { return x->file < y->file ? -1 : 1; }
    int bits = safetensors_dtypes[y->dtype].bits - safetensors_dtypes[x->dtype].bits;
    return bits ? bits : strcmp(x->name, y->name);
}
static inline bool safetensors_writer_pwrite(AtomicFile *file, const void *data, size_t offset, size_t bytes, Error *error) {
    for (size_t done = 0; done < bytes;) {
        size_t piece = bytes - done < (1u << 30) ? bytes - done : (1u << 30);
        ssize_t put = pwrite(fileno(file->file), (const char *)data + done, piece, (off_t)(offset + done));
        if (put < 0 && errno == EINTR) { continue; }
        if (put <= 0) { return error_set(error, "%s: writing failed: %s; nothing was left behind", file->path, strerror(put < 0 ? errno : ENOSPC)); }
        done += (size_t)put;
        watch_worked();
    }
    return true;
}
// Lays out the `count` tensors of one file (already in place order) behind their header, and writes the header.
static inline bool safetensors_writer_header(SafetensorsWriter *writer, SafetensorsTensor *tensors, size_t count, int file, Error *error) {
    json_t *header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    size_t end = 0;
    for (size_t i = 0; i < count; i++) {
        json_t *shape = json_array();
        for (int d = 0; d < tensors[i].rank; d++) { json_array_append_new(shape, json_integer(tensors[i].shape[d])); }
        tensors[i].begin = end;
        end += tensors[i].bytes;
        json_object_set_new(header, tensors[i].name, json_pack("{s:s, s:o, s:[I,I]}", "dtype", safetensors_dtypes[tensors[i].dtype].name, "shape", shape, "data_offsets", (json_int_t)tensors[i].begin, (json_int_t)end));
    }
    char *text = json_dumps(header, JSON_COMPACT);
    assert(text); // a tensor's name that is no UTF-8
    json_decref(header);
    Buffer bytes = {0};
    size_t length = (strlen(text) + 7) / 8 * 8;
    for (int i = 0; i < 8; i++) { buffer_append(&bytes, &(char){(char)(length >> (8 * i))}, 1); }
    buffer_append_text(&bytes, text);
    while (bytes.size < 8 + length) { buffer_append_text(&bytes, " "); }
    free(text);
    for (size_t i = 0; i < count; i++) { tensors[i].begin += bytes.size; }
    bool ok = safetensors_writer_pwrite(&writer->files[file], bytes.data, 0, bytes.size, error);
    buffer_free(&bytes);
    return ok;
}
// The tensors of `entries` in the caller's order, each in the file that it falls into; a file is closed before it would pass
// shard_bytes. Returns the number of files.
static inline int safetensors_writer_assign(SafetensorsWriter *writer, const SafetensorsEntry *entries, size_t count, size_t shard_bytes) {
    writer->tensors = (SafetensorsTensor *)host_alloc(count * sizeof(SafetensorsTensor));
    writer->written = (size_t *)host_alloc(count * sizeof(size_t));
    writer->count = count;
    int file = 0;
    size_t in_file = 0;
    for (size_t i = 0; i < count; i++) {
        SafetensorsTensor *tensor = &writer->tensors[i];
        int bits = safetensors_dtypes[entries[i].dtype].bits;
        assert(bits % 8 == 0 && entries[i].rank <= SAFETENSORS_MAX_RANK);
        *tensor = (SafetensorsTensor){.name = string_copy(entries[i].name), .dtype = entries[i].dtype, .rank = entries[i].rank, .elements = 1};
        for (int d = 0; d < tensor->rank; d++) {
            tensor->shape[d] = entries[i].shape[d];
            tensor->elements *= (size_t)tensor->shape[d];
        }
        tensor->bytes = tensor->elements * (size_t)(bits / 8);
        if (in_file > 0 && in_file + tensor->bytes > shard_bytes) {
            file++;
            in_file = 0;
        }
        tensor->file = file;
        in_file += tensor->bytes;
        writer->total_bytes += tensor->bytes;
    }
    return file + 1;
}
// Opens the files under their temporary names and writes the headers. `single_path` is the name when one file is enough.
static inline bool safetensors_writer_start(SafetensorsWriter *writer, int files, const char *single_path, Error *error) {
    bool ok = true;
    writer->files = (AtomicFile *)host_alloc((size_t)files * sizeof(AtomicFile));
    if (writer->count) { qsort(writer->tensors, writer->count, sizeof(*writer->tensors), safetensors_by_file_place); }
    size_t first = 0;
    for (int file = 0; file < files && ok; file++) {
        char path[1024];
        snprintf(path, sizeof(path), "%s", single_path);
        if (files > 1) { snprintf(path, sizeof(path), "%s/model-%05d-of-%05d.safetensors", writer->directory, file + 1, files); }
        size_t last = first;
        while (last < writer->count && writer->tensors[last].file == file) { last++; }
        ok = atomic_file_open(&writer->files[file], path, error);
        writer->file_count += ok;
        ok = ok && safetensors_writer_header(writer, writer->tensors + first, last - first, file, error);
        first = last;
    }
    if (!ok) {
        safetensors_writer_abort(writer);
        return false;
    }
    if (writer->count) { qsort(writer->tensors, writer->count, sizeof(*writer->tensors), safetensors_by_name); }
    for (size_t i = 1; i < writer->count; i++) { assert(strcmp(writer->tensors[i - 1].name, writer->tensors[i].name) != 0); }
    return true;
}
// One file of any name (optimizer state, test data). After false nothing is left open or behind.
static inline bool safetensors_writer_open_file(SafetensorsWriter *writer, const char *path, const SafetensorsEntry *entries, size_t count, Error *error) {
    *writer = (SafetensorsWriter){0};
    return safetensors_writer_start(writer, safetensors_writer_assign(writer, entries, count, SIZE_MAX), path, error);
}
// A model's weights in an existing folder: model.safetensors, or shards of at most shard_bytes of data each (a larger tensor
// has a shard of its own) with model.safetensors.index.json.
static inline bool safetensors_writer_open_folder(SafetensorsWriter *writer, const char *dir, const SafetensorsEntry *entries, size_t count, size_t shard_bytes, Error *error) {
    *writer = (SafetensorsWriter){0};
    if (strlen(dir) >= sizeof(writer->directory)) { return error_set(error, "%s: this path is too long", dir); }
    strcpy(writer->directory, dir);
    char single[1000];
    snprintf(single, sizeof(single), "%s/model.safetensors", writer->directory);
    return safetensors_writer_start(writer, safetensors_writer_assign(writer, entries, count, shard_bytes), single, error);
}

// ---- data
// The next `bytes` bytes of a tensor, in its own dtype. After false everything is given up.
static inline bool safetensors_writer_append_bytes(SafetensorsWriter *writer, const char *name, const void *data, size_t bytes, Error *error) {
    SafetensorsTensor key = {.name = (char *)(uintptr_t)name};
    SafetensorsTensor *tensor = (SafetensorsTensor *)bsearch(&key, writer->tensors, writer->count, sizeof(key), safetensors_by_name);
    assert(tensor); // it was not on the list
    size_t *written = &writer->written[tensor - writer->tensors];
    assert(bytes <= tensor->bytes - *written);
    bool ok = safetensors_writer_pwrite(&writer->files[tensor->file], data, tensor->begin + *written, bytes, error);
    *written += bytes;
    if (!ok) { safetensors_writer_abort(writer); }
    return ok;
}
// The next `count` elements of an F32 or BF16 tensor, given as floats; BF16 is rounded to nearest even.
static inline bool safetensors_writer_append_floats(SafetensorsWriter *writer, const char *name, const float *data, size_t count, Error *error) {
    SafetensorsTensor key = {.name = (char *)(uintptr_t)name};
    const SafetensorsTensor *tensor = (const SafetensorsTensor *)bsearch(&key, writer->tensors, writer->count, sizeof(key), safetensors_by_name);
    assert(tensor && (tensor->dtype == SAFETENSORS_F32 || tensor->dtype == SAFETENSORS_BF16));
    if (tensor->dtype == SAFETENSORS_F32) { return safetensors_writer_append_bytes(writer, name, data, count * 4, error); }
    uint16_t piece[8192];
    for (size_t done = 0; done < count;) {
        size_t now = count - done < 8192 ? count - done : 8192;
        for (size_t i = 0; i < now; i++) { piece[i] = bf16_from_float(data[done + i]); }
        if (!safetensors_writer_append_bytes(writer, name, piece, now * 2, error)) { return false; }
        done += now;
    }
    return true;
}

// ---- the end
static inline bool safetensors_writer_index(const SafetensorsWriter *writer, Error *error) {
    json_t *map = json_object();
    for (size_t i = 0; i < writer->count; i++) {
        json_object_set_new(map, writer->tensors[i].name, json_string(strrchr(writer->files[writer->tensors[i].file].path, '/') + 1));
    }
    json_t *index = json_pack("{s:{s:I}, s:o}", "metadata", "total_size", (json_int_t)writer->total_bytes, "weight_map", map);
    char path[1000];
    snprintf(path, sizeof(path), "%s/model.safetensors.index.json", writer->directory);
    bool ok = json_write(path, index, error);
    json_decref(index);
    return ok;
}
// Syncs the files and gives them their names; a sharded model's index comes last. What an older save in another number of
// files left in the folder is removed where a reader would prefer it. Frees the writer either way.
static inline bool safetensors_writer_commit(SafetensorsWriter *writer, Error *error) {
    bool ok = true;
    for (size_t i = 0; i < writer->count && ok; i++) {
        const SafetensorsTensor *tensor = &writer->tensors[i];
        if (writer->written[i] != tensor->bytes) {
            ok = error_set(error, "%s: tensor %s got %zu of its %zu bytes; nothing was written", writer->files[tensor->file].path, tensor->name, writer->written[i], tensor->bytes);
        }
    }
    for (int i = 0; i < writer->file_count && ok; i++) { ok = atomic_file_commit(&writer->files[i], error); }
    if (ok && writer->file_count > 1) {
        char single[1000];
        snprintf(single, sizeof(single), "%s/model.safetensors", writer->directory);
        ok = safetensors_writer_index(writer, error);
        if (ok) { unlink(single); }
    }
    safetensors_writer_abort(writer); // after success there is nothing to give up but memory
    return ok;
}
