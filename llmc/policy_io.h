// policy_io: a policy's flat arrays to and from safetensors, tensor by tensor under their Hugging Face names.
// The weights make a model folder that Transformers and vLLM load; the optimizer's arrays go beside them as
// "adam_m.NAME", "adam_v.NAME" and, where weights are bf16, "master.NAME".
#pragma once
#include "llmc/hf_folder.h"
#include "llmc/policy.h"
#include "llmc/safetensors_writer.h"

static const SafetensorsDtype weight_dtype = sizeof(floatX) == sizeof(float) ? SAFETENSORS_F32 : SAFETENSORS_BF16;
static const char *const weight_dtype_name = sizeof(floatX) == sizeof(float) ? "float32" : "bfloat16";

// One of the flat arrays on the device, and how its tensors are called. Of a sharded one each rank has its pieces; then writing is for all
// ranks to call, and what rank 0 writes holds everything, however many they are.
typedef struct {
    const char *prefix;
    SafetensorsDtype dtype;
    void *array;
    bool sharded; // float
} PolicyArray;

static inline char *policy_tensor_name(const PolicyArray *array, const Parameter *parameter, char name[128]) {
    snprintf(name, 128, "%s%s", array->prefix, parameter->name);
    return name;
}
static inline void policy_array_download(void *out, const Policy *p, const PolicyArray *array, size_t offset, size_t count) { // to rank 0
    const size_t element = array->dtype == SAFETENSORS_F32 ? sizeof(float) : sizeof(uint16_t);
    if (array->sharded) {
        policy_collect((float *)out, p, (const float *)array->array, offset, count);
    } else if (ranks_mine() == 0) {
        device_download(out, (const char *)array->array + offset * element, count * element);
    }
}
// Opens nothing and commits nothing: appends every tensor of `arrays`, downloaded piece by piece. writer NULL: not rank 0, which needs our pieces.
static inline bool policy_append_arrays(SafetensorsWriter *writer, const Policy *p, const PolicyArray *arrays, int array_count, Error *error) {
    char name[128], *piece = (char *)host_alloc(POLICY_CHUNK * sizeof(float));
    bool ok = true;
    for (int a = 0; a < array_count; a++) {
        const size_t element = arrays[a].dtype == SAFETENSORS_F32 ? sizeof(float) : sizeof(uint16_t);
        for (int i = 0; ok && i < p->parameters.count; i++) {
            const Parameter *parameter = &p->parameters.list[i];
            for (size_t done = 0; ok && done < parameter->count; done += POLICY_CHUNK) {
                size_t count = parameter->count - done < POLICY_CHUNK ? parameter->count - done : POLICY_CHUNK;
                policy_array_download(piece, p, &arrays[a], parameter->offset + done, count);
                ok = !writer || safetensors_writer_append_bytes(writer, policy_tensor_name(&arrays[a], parameter, name), piece, count * element, error);
            }
        }
    }
    free(piece);
    return ok;
}
static inline SafetensorsEntry *policy_entries(const Policy *p, const PolicyArray *arrays, int array_count) { // freed by policy_entries_free
    SafetensorsEntry *entries = (SafetensorsEntry *)host_alloc(sizeof(SafetensorsEntry) * (size_t)(array_count * p->parameters.count));
    char name[128];
    for (int a = 0; a < array_count; a++) {
        for (int i = 0; i < p->parameters.count; i++) {
            const Parameter *parameter = &p->parameters.list[i];
            entries[a * p->parameters.count + i] = (SafetensorsEntry){string_copy(policy_tensor_name(&arrays[a], parameter, name)), arrays[a].dtype, parameter->columns ? 2 : 1, {parameter->rows, parameter->columns}};
        }
    }
    return entries;
}
static inline void policy_entries_free(SafetensorsEntry *entries, int count) {
    for (int i = 0; i < count; i++) { free((char *)(uintptr_t)entries[i].name); }
    free(entries);
}
// shard_bytes 0: one file at `path`; else a model folder at `path`.
static inline bool policy_write_arrays(const char *path, size_t shard_bytes, const Policy *p, const PolicyArray *arrays, int array_count, Error *error) {
    SafetensorsWriter writer;
    const int count = array_count * p->parameters.count;
    SafetensorsEntry *entries = policy_entries(p, arrays, array_count);
    bool ok = shard_bytes ? safetensors_writer_open_folder(&writer, path, entries, (size_t)count, shard_bytes, error)
                          : safetensors_writer_open_file(&writer, path, entries, (size_t)count, error);
    ok = ok && policy_append_arrays(&writer, p, arrays, array_count, error) && safetensors_writer_commit(&writer, error);
    policy_entries_free(entries, count);
    return ok;
}
// A folder that loads as is elsewhere and in our own --model. source_dir: the model that training began with.
static inline bool policy_write_folder(const char *dir, const Policy *p, const char *source_dir, Error *error) {
    PolicyArray weights = {"", weight_dtype, p->weights, false};
    return directory_create(dir, error) && hf_folder_copy_files(dir, source_dir, error) && hf_folder_copy_config(dir, source_dir, weight_dtype_name, error) &&
           policy_write_arrays(dir, SAFETENSORS_SHARD_BYTES, p, &weights, 1, error);
}

// Reads arrays back with exactly the dtype and shapes they were written with.
static inline bool policy_read_arrays(const char *path, Policy *p, const PolicyArray *arrays, int array_count, Error *error) {
    SafetensorsFolder *folder = safetensors_open(path, error);
    if (!folder) { return false; }
    char name[128], *piece = (char *)host_alloc(POLICY_CHUNK * sizeof(float));
    bool ok = true;
    for (int a = 0; a < array_count; a++) {
        const size_t element = arrays[a].dtype == SAFETENSORS_F32 ? sizeof(float) : sizeof(uint16_t);
        for (int i = 0; ok && i < p->parameters.count; i++) {
            const Parameter *parameter = &p->parameters.list[i];
            policy_tensor_name(&arrays[a], parameter, name);
            ok = safetensors_check_shape(folder, name, parameter->rows, parameter->columns, error);
            for (size_t done = 0; ok && done < parameter->count; done += POLICY_CHUNK) {
                size_t count = parameter->count - done < POLICY_CHUNK ? parameter->count - done : POLICY_CHUNK;
                ok = safetensors_read_bytes(piece, folder, name, arrays[a].dtype, done * element, count * element, error);
                if (ok && arrays[a].sharded) { policy_scatter(p, (float *)arrays[a].array, parameter->offset + done, (const float *)(const void *)piece, count); }
                if (ok && !arrays[a].sharded) { device_upload((char *)arrays[a].array + (parameter->offset + done) * element, piece, count * element); }
            }
        }
    }
    free(piece);
    safetensors_close(folder);
    return ok;
}
