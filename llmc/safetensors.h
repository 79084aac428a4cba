// safetensors: reading tensors from a `.safetensors` file or a folder of them (model.safetensors, or shards with an index).
// A file is: u64 little-endian header length, a JSON header {name: {dtype, shape, data_offsets}}, then the data. Every check of
// the reference reader (github.com/huggingface/safetensors) is made when the file is opened, so that no offset is doubted later.
// Opening reads headers only; the data is read with pread when asked for, so a failing disk is an error and not a signal.
#pragma once
#include <math.h>
#include "llmc/dtype.h"
#include "llmc/json.h"

#define SAFETENSORS_DTYPES(X) /* name, bits of one element */ \
    X(F32, 32)                                                \
    X(BF16, 16)                                               \
    X(F16, 16)                                                \
    X(F64, 64)                                                \
    X(C64, 64)                                                \
    X(I64, 64)                                                \
    X(U64, 64)                                                \
    X(I32, 32)                                                \
    X(U32, 32)                                                \
    X(I16, 16)                                                \
    X(U16, 16)                                                \
    X(I8, 8)                                                  \
    X(U8, 8)                                                  \
    X(BOOL, 8)                                                \
    X(F8_E5M2, 8)                                             \
    X(F8_E4M3, 8)                                             \
    X(F8_E8M0, 8)                                             \
    X(F8_E5M2FNUZ, 8)                                         \
    X(F8_E4M3FNUZ, 8)                                         \
    X(F6_E2M3, 6)                                             \
    X(F6_E3M2, 6)                                             \
    X(F4, 4)
typedef enum {
#define SAFETENSORS_ENUM(name, bits) SAFETENSORS_##name,
    SAFETENSORS_DTYPES(SAFETENSORS_ENUM) SAFETENSORS_DTYPE_COUNT
#undef SAFETENSORS_ENUM
} SafetensorsDtype;
static const struct {
    const char *name;
    int bits;
} safetensors_dtypes[] = {
#define SAFETENSORS_ROW(name, bits) {#name, bits},
    SAFETENSORS_DTYPES(SAFETENSORS_ROW)
#undef SAFETENSORS_ROW
};

enum { SAFETENSORS_MAX_RANK = 8,
       SAFETENSORS_MAX_HEADER = 100000000 };

typedef struct {
    char *name;
    SafetensorsDtype dtype;
    int rank;
    int64_t shape[SAFETENSORS_MAX_RANK];
    size_t elements, bytes;
    size_t begin; // first byte, counted from the start of the file
    int file;     // index into SafetensorsFolder.files
} SafetensorsTensor;
typedef struct {
    char path[1200];
    int descriptor;
} SafetensorsFile;
typedef struct {
    char path[1100];            // the file or the folder, for errors
    SafetensorsTensor *tensors; // sorted by name
    size_t count;
    SafetensorsFile *files;
    int file_count;
} SafetensorsFolder;

static inline void safetensors_close(SafetensorsFolder *folder) {
    if (!folder) { return; }
    for (size_t i = 0; i < folder->count; i++) { free(folder->tensors[i].name); }
    for (int i = 0; i < folder->file_count; i++) { close(folder->files[i].descriptor); }
    free(folder->tensors);
    free(folder->files);
    free(folder);
}

// "[896, 64]", for errors
typedef struct {
    char text[192];
} SafetensorsShapeText;
static inline SafetensorsShapeText safetensors_shape_text(int rank, const int64_t *shape) {
    SafetensorsShapeText out = {"["};
    for (int i = 0, used = 1; i < rank; i++) {
        used += snprintf(out.text + used, sizeof(out.text) - (size_t)used, "%s%lld", i ? ", " : "", (long long)shape[i]);
    }
    strcat(out.text, "]");
    return out;
}

// All of `bytes` from `offset`, or an error that names the file.
static inline bool safetensors_pread(void *out, const SafetensorsFile *file, size_t offset, size_t bytes, Error *error) {
    for (size_t done = 0; done < bytes;) {
        size_t piece = bytes - done < (1u << 30) ? bytes - done : (1u << 30);
        ssize_t got = pread(file->descriptor, (char *)out + done, piece, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) { continue; }
        if (got <= 0) {
            return error_set(error, "%s: reading %zu bytes at byte %zu failed: %s", file->path, bytes, offset, got < 0 ? strerror(errno) : "the file has become shorter");
        }
        done += (size_t)got;
        watch_worked();
    }
    return true;
}

// ---- one header entry
static inline bool safetensors_entry(SafetensorsTensor *tensor, const char *path, const char *name, const json_t *entry, Error *error) {
    const json_t *dtype = json_object_get(entry, "dtype"), *shape = json_object_get(entry, "shape"), *offsets = json_object_get(entry, "data_offsets");
    if (!json_is_string(dtype) || !json_is_array(shape) || !json_is_array(offsets) || json_array_size(offsets) != 2) {
        return error_set(error, "%s: tensor %.200s: an entry {dtype, shape, data_offsets: [begin, end]} is wanted", path, name);
    }
    int kind = 0;
    while (kind < SAFETENSORS_DTYPE_COUNT && strcmp(json_string_value(dtype), safetensors_dtypes[kind].name) != 0) { kind++; }
    if (kind == SAFETENSORS_DTYPE_COUNT) { return error_set(error, "%s: tensor %.200s: unknown dtype \"%.40s\"", path, name, json_string_value(dtype)); }
    if (json_array_size(shape) > SAFETENSORS_MAX_RANK) {
        return error_set(error, "%s: tensor %.200s: %zu dimensions, at most %d are supported", path, name, json_array_size(shape), SAFETENSORS_MAX_RANK);
    }
    *tensor = (SafetensorsTensor){.dtype = (SafetensorsDtype)kind, .rank = (int)json_array_size(shape), .elements = 1};
    for (int i = 0; i < tensor->rank; i++) {
        const json_t *size = json_array_get(shape, (size_t)i);
        if (!json_is_integer(size) || json_integer_value(size) < 0) {
            return error_set(error, "%s: tensor %.200s: dimension %d of its shape is no non-negative integer", path, name, i);
        }
        tensor->shape[i] = json_integer_value(size);
        if (__builtin_mul_overflow(tensor->elements, (size_t)tensor->shape[i], &tensor->elements)) {
            return error_set(error, "%s: tensor %.200s: the product of its shape overflows", path, name);
        }
    }
    size_t bits;
    if (__builtin_mul_overflow(tensor->elements, (size_t)safetensors_dtypes[kind].bits, &bits) || bits % 8) {
        return error_set(error, "%s: tensor %.200s: its size in bits overflows or is no whole number of bytes", path, name);
    }
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (!json_is_integer(begin) || !json_is_integer(end) || json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin)) {
        return error_set(error, "%s: tensor %.200s: data_offsets must be two integers, 0 <= begin <= end", path, name);
    }
    tensor->begin = (size_t)json_integer_value(begin);
    tensor->bytes = bits / 8;
    size_t found = (size_t)json_integer_value(end) - tensor->begin;
    if (found != tensor->bytes) {
        return error_set(error, "%s: tensor %.200s: %s of shape %s takes %zu bytes but data_offsets span %zu", path, name, safetensors_dtypes[kind].name,
                         safetensors_shape_text(tensor->rank, tensor->shape).text, tensor->bytes, found);
    }
    tensor->name = string_copy(name);
    return true;
}
static inline bool safetensors_check_metadata(const json_t *metadata, const char *path, Error *error) {
    if (!metadata) { return true; }
    if (!json_is_object(metadata)) { return error_set(error, "%s: __metadata__ is no object", path); }
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)metadata, key, value) {
        if (!json_is_string(value)) { return error_set(error, "%s: __metadata__.%.200s is no string", path, key); }
    }
    return true;
}
static inline int safetensors_by_offset(const void *a, const void *b) {
    const SafetensorsTensor *x = (const SafetensorsTensor *)a, *y = (const SafetensorsTensor *)b;
    if (x->begin != y->begin) { return x->begin < y->begin ? -1 : 1; }
    return (x->bytes > y->bytes) - (x->bytes < y->bytes); // an empty tensor lies before the one that starts at the same byte
}
static inline int safetensors_by_name(const void *a, const void *b) {
    return strcmp(((const SafetensorsTensor *)a)->name, ((const SafetensorsTensor *)b)->name);
}
// Adds the tensors that `header` lists to the folder; `data_start` and `data_bytes` are where the file's data lies.
static inline bool safetensors_add_entries(SafetensorsFolder *folder, const json_t *header, size_t data_start, size_t data_bytes, Error *error) {
    const char *path = folder->files[folder->file_count - 1].path, *name;
    json_t *entry;
    if (!json_is_object(header)) { return error_set(error, "%s: the header is no JSON object", path); }
    if (!safetensors_check_metadata(json_object_get(header, "__metadata__"), path, error)) { return false; }
    size_t old_count = folder->count;
    folder->tensors = (SafetensorsTensor *)host_realloc(folder->tensors, (old_count + json_object_size(header)) * sizeof(SafetensorsTensor));
    json_object_foreach((json_t *)(uintptr_t)header, name, entry) {
        if (!strcmp(name, "__metadata__")) { continue; }
        if (!safetensors_entry(&folder->tensors[folder->count], path, name, entry, error)) { return false; }
        folder->tensors[folder->count++].file = folder->file_count - 1;
    }
    SafetensorsTensor *added = folder->tensors + old_count;
    size_t added_count = folder->count - old_count, end = 0;
    if (added_count) { qsort(added, added_count, sizeof(*added), safetensors_by_offset); }
    for (size_t i = 0; i < added_count; i++) {
        if (added[i].begin != end) {
            return error_set(error, "%s: tensor %.200s: its data begins at %zu, where the data before it ends at %zu: %s", path, added[i].name, added[i].begin, end,
                             added[i].begin > end ? "a hole" : "an overlap");
        }
        end += added[i].bytes; // cannot overflow: begin + bytes was one of the file's own integers
        added[i].begin += data_start;
    }
    if (end != data_bytes) {
        return error_set(error, "%s: the header describes %zu bytes of data but the file holds %zu; it is %s", path, end, data_bytes,
                         end > data_bytes ? "cut short: fetch it again" : "followed by bytes that belong to no tensor");
    }
    return true;
}
// Opens one file and adds its tensors.
static inline bool safetensors_add_file(SafetensorsFolder *folder, const char *path, Error *error) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a fifo must not make us wait
    if (descriptor < 0) { return error_set(error, "%s: cannot be opened: %s", path, strerror(errno)); }
    folder->files = (SafetensorsFile *)host_realloc(folder->files, (size_t)(folder->file_count + 1) * sizeof(SafetensorsFile));
    SafetensorsFile *file = &folder->files[folder->file_count++];
    *file = (SafetensorsFile){.descriptor = descriptor};
    snprintf(file->path, sizeof(file->path), "%s", path);
    struct stat status;
    if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) { return error_set(error, "%s: is not a regular file", path); }
    size_t size = (size_t)status.st_size;
    unsigned char length_bytes[8];
    if (size < 8) { return error_set(error, "%s: %zu bytes are too few for a safetensors file", path, size); }
    if (!safetensors_pread(length_bytes, file, 0, 8, error)) { return false; }
    uint64_t length = 0;
    for (int i = 0; i < 8; i++) { length |= (uint64_t)length_bytes[i] << (8 * i); }
    if (length > SAFETENSORS_MAX_HEADER || length > size - 8) {
        return error_set(error, "%s: a header of %llu bytes does not fit a file of %zu (at most %d are allowed); the file is cut short or no safetensors file",
                         path, (unsigned long long)length, size, SAFETENSORS_MAX_HEADER);
    }
    char *text = (char *)host_alloc(length);
    char what[1300];
    snprintf(what, sizeof(what), "%s: header", path);
    json_t *header = safetensors_pread(text, file, 8, length, error) ? json_parse(text, length, what, error) : NULL;
    free(text);
    bool ok = header && safetensors_add_entries(folder, header, 8 + length, size - 8 - length, error);
    json_decref(header);
    return ok;
}

// ---- shards
// File names of an index come from outside: no way out of the folder. Symbolic links in it are followed, since Hugging Face's cache
// is made of them; what they lead to is only read, and refused unless it is a regular file of the format.
static inline bool safetensors_is_plain_name(const json_t *name) {
    const char *text = json_string_value(name);
    return text && *text && strlen(text) == json_string_length(name) && strlen(text) < 256 && !strchr(text, '/') && !strstr(text, "..") && strcmp(text, ".") != 0;
}
static inline int safetensors_find_file(const SafetensorsFolder *folder, const char *path) {
    for (int i = folder->file_count - 1; i >= 0; i--) {
        if (!strcmp(folder->files[i].path, path)) { return i; }
    }
    return -1;
}
// Opens the files of weight_map {tensor: file} and keeps of each the tensors that the map puts there.
static inline bool safetensors_open_shards(SafetensorsFolder *folder, const char *dir, const char *index_path, const json_t *index, Error *error) {
    const json_t *map = json_object_get(index, "weight_map");
    if (!json_is_object(map)) { return error_set(error, "%s: weight_map, an object, is missing", index_path); }
    const char *name;
    json_t *value;
    char path[1200];
    json_object_foreach((json_t *)(uintptr_t)map, name, value) {
        if (!safetensors_is_plain_name(value)) {
            return error_set(error, "%s: weight_map puts %.200s in no plain file name: a name without / and .. is wanted", index_path, name);
        }
        snprintf(path, sizeof(path), "%s/%s", dir, json_string_value(value));
        if (safetensors_find_file(folder, path) < 0 && !safetensors_add_file(folder, path, error)) { return false; }
    }
    size_t kept = 0;
    for (size_t i = 0; i < folder->count; i++) {
        SafetensorsTensor *tensor = &folder->tensors[i];
        const json_t *file = json_object_get(map, tensor->name);
        snprintf(path, sizeof(path), "%s/%s", dir, file ? json_string_value(file) : "");
        if (file && !strcmp(path, folder->files[tensor->file].path)) {
            folder->tensors[kept++] = *tensor;
        } else {
            free(tensor->name);
        }
    }
    folder->count = kept;
    if (kept == json_object_size(map)) { return true; }
    qsort(folder->tensors, kept, sizeof(*folder->tensors), safetensors_by_name);
    json_object_foreach((json_t *)(uintptr_t)map, name, value) { // some tensor is not where the map says: name it
        SafetensorsTensor key = {.name = (char *)(uintptr_t)name};
        if (!kept || !bsearch(&key, folder->tensors, kept, sizeof(key), safetensors_by_name)) {
            return error_set(error, "%s: weight_map puts %.200s in %s, which does not hold it", index_path, name, json_string_value(value));
        }
    }
    return error_set(error, "%s: weight_map and its files disagree", index_path);
}

// ---- opening
static inline bool safetensors_add_folder(SafetensorsFolder *folder, const char *dir, Error *error) {
    char single[1200], index_path[1200];
    snprintf(single, sizeof(single), "%s/model.safetensors", dir);
    snprintf(index_path, sizeof(index_path), "%s/model.safetensors.index.json", dir);
    if (file_exists(single)) { return safetensors_add_file(folder, single, error); } // preferred by Transformers too
    if (!file_exists(index_path)) {
        return error_set(error, "%s: holds neither model.safetensors nor model.safetensors.index.json (weights in other formats are not read)", dir);
    }
    json_t *index = json_read(index_path, error);
    bool ok = index && safetensors_open_shards(folder, dir, index_path, index, error);
    json_decref(index);
    return ok;
}
// `path` is a model's folder (model.safetensors, or the shards of model.safetensors.index.json) or one file of any name.
// NULL with an error, and nothing left open, when anything about it is wrong; otherwise for safetensors_close.
static inline SafetensorsFolder *safetensors_open(const char *path, Error *error) {
    SafetensorsFolder *folder = (SafetensorsFolder *)host_alloc(sizeof(*folder));
    snprintf(folder->path, sizeof(folder->path), "%s", path);
    struct stat status;
    bool is_folder = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
    if (is_folder ? safetensors_add_folder(folder, path, error) : safetensors_add_file(folder, path, error)) {
        if (folder->count) { qsort(folder->tensors, folder->count, sizeof(*folder->tensors), safetensors_by_name); }
        return folder;
    }
    safetensors_close(folder);
    return NULL;
}

// ---- looking up and reading
// NULL when there is none of this name.
static inline const SafetensorsTensor *safetensors_find(const SafetensorsFolder *folder, const char *name) {
    SafetensorsTensor key = {.name = (char *)(uintptr_t)name};
    return folder->count ? (const SafetensorsTensor *)bsearch(&key, folder->tensors, folder->count, sizeof(key), safetensors_by_name) : NULL;
}
static inline bool safetensors_dtype_has_floats(SafetensorsDtype dtype) {
    return dtype == SAFETENSORS_F32 || dtype == SAFETENSORS_BF16 || dtype == SAFETENSORS_F16;
}
// Whether there is a tensor of this name and shape, (rows, columns) or with columns = 0 (rows), that can be read as floats; if
// not, the error says what was found.
static inline bool safetensors_check_shape(const SafetensorsFolder *folder, const char *name, int rows, int columns, Error *error) {
    const SafetensorsTensor *tensor = safetensors_find(folder, name);
    const int64_t shape[2] = {rows, columns};
    const int rank = columns ? 2 : 1;
    SafetensorsShapeText wanted = safetensors_shape_text(rank, shape);
    if (!tensor) { return error_set(error, "%s: tensor %s is missing: shape %s is wanted", folder->path, name, wanted.text); }
    const char *path = folder->files[tensor->file].path;
    if (tensor->rank != rank || memcmp(tensor->shape, shape, (size_t)rank * sizeof(*shape)) != 0) {
        return error_set(error, "%s: tensor %s has shape %s: %s is wanted", path, name, safetensors_shape_text(tensor->rank, tensor->shape).text, wanted.text);
    }
    if (!safetensors_dtype_has_floats(tensor->dtype)) {
        return error_set(error, "%s: tensor %s has dtype %s: F32, BF16 or F16 is wanted", path, name, safetensors_dtypes[tensor->dtype].name);
    }
    return true;
}
// `bytes` raw bytes of a tensor from its byte `first` on (little-endian, as every supported machine is).
static inline bool safetensors_read_bytes(void *out, const SafetensorsFolder *folder, const char *name, SafetensorsDtype dtype, size_t first, size_t bytes, Error *error) {
    const SafetensorsTensor *tensor = safetensors_find(folder, name);
    if (!tensor) { return error_set(error, "%s: tensor %s is missing", folder->path, name); }
    const SafetensorsFile *file = &folder->files[tensor->file];
    if (tensor->dtype != dtype) {
        return error_set(error, "%s: tensor %s has dtype %s: %s is wanted", file->path, name, safetensors_dtypes[tensor->dtype].name, safetensors_dtypes[dtype].name);
    }
    if (first > tensor->bytes || bytes > tensor->bytes - first) {
        return error_set(error, "%s: tensor %s has %zu bytes: %zu from byte %zu on are wanted", file->path, name, tensor->bytes, bytes, first);
    }
    return safetensors_pread(out, file, tensor->begin + first, bytes, error);
}
static inline float f16_to_float(uint16_t bits) {
    int exponent = (bits >> 10) & 31, fraction = bits & 1023;
    float sign = bits >> 15 ? -1.0f : 1.0f;
    if (exponent == 31) { return fraction ? (float)NAN : sign * (float)INFINITY; }
    return sign * (exponent ? ldexpf((float)(fraction + 1024), exponent - 25) : ldexpf((float)fraction, -24));
}
// out[count]: elements first .. first + count - 1 of a tensor of F32, BF16 or F16, as floats.
static inline bool safetensors_read_floats(float *out, const SafetensorsFolder *folder, const char *name, size_t first, size_t count, Error *error) {
    const SafetensorsTensor *tensor = safetensors_find(folder, name);
    if (!tensor) { return error_set(error, "%s: tensor %s is missing", folder->path, name); }
    const SafetensorsFile *file = &folder->files[tensor->file];
    if (!safetensors_dtype_has_floats(tensor->dtype)) {
        return error_set(error, "%s: tensor %s has dtype %s: F32, BF16 or F16 is wanted", file->path, name, safetensors_dtypes[tensor->dtype].name);
    }
    if (first > tensor->elements || count > tensor->elements - first) {
        return error_set(error, "%s: tensor %s has %zu elements: %zu from element %zu on are wanted", file->path, name, tensor->elements, count, first);
    }
    if (tensor->dtype == SAFETENSORS_F32) { return safetensors_pread(out, file, tensor->begin + first * 4, count * 4, error); }
    uint16_t piece[8192];
    for (size_t done = 0; done < count;) {
        size_t now = count - done < 8192 ? count - done : 8192;
        if (!safetensors_pread(piece, file, tensor->begin + (first + done) * 2, now * 2, error)) { return false; }
        for (size_t i = 0; i < now; i++) { out[done + i] = tensor->dtype == SAFETENSORS_BF16 ? bf16_to_float(piece[i]) : f16_to_float(piece[i]); }
        done += now;
    }
    return true;
}
