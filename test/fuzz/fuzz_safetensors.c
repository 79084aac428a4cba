// safetensors. The first byte chooses what the rest is:
//   0  a file   1  a header: the length in front of it is made here, and as many bytes of data behind it as the next two bytes say
//   2  the index of a folder with two good shards, a.safetensors {w, b} and b.safetensors {w2, b2}
#include "fuzz.h"
#include "llmc/safetensors.h"

static void append_file(Buffer *file, const void *header, size_t header_bytes, size_t data_bytes) {
    uint64_t length = header_bytes;
    buffer_append(file, &length, sizeof(length));
    buffer_append(file, header, header_bytes);
    buffer_reserve(file, data_bytes);
    for (size_t i = 0; i < data_bytes; i++) { file->data[file->size++] = (char)(i * 37); }
}
static void write_shards(void) {
    static const char *const shards[2][2] = {
        {"a.safetensors", "{\"w\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]},\"b\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[16,20]}}"},
        {"b.safetensors", "{\"w2\":{\"dtype\":\"BF16\",\"shape\":[2,2],\"data_offsets\":[0,8]},\"b2\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[8,16]}}"}};
    for (int i = 0; i < 2; i++) {
        Buffer file = {0};
        append_file(&file, shards[i][1], strlen(shards[i][1]), i ? 16 : 20);
        fuzz_write(shards[i][0], file.data, file.size);
        buffer_free(&file);
    }
}
static void read_tensors(const char *path) {
    Error error = {""};
    SafetensorsFolder *folder = safetensors_open(path, &error);
    assert(folder || error.text[0]);
    for (size_t i = 0; folder && i < folder->count; i++) {
        const SafetensorsTensor *tensor = &folder->tensors[i];
        assert(safetensors_find(folder, tensor->name) && tensor->bytes < 1 << 20);
        char *bytes = (char *)host_alloc(tensor->bytes);
        float *floats = (float *)host_alloc(tensor->bytes * 2);
        bool read = safetensors_read_bytes(bytes, folder, tensor->name, tensor->dtype, 0, tensor->bytes, &error);
        assert(read);
        read = safetensors_read_floats(floats, folder, tensor->name, 0, tensor->elements, &error);
        assert(read == safetensors_dtype_has_floats(tensor->dtype));
        assert(!safetensors_read_bytes(bytes, folder, tensor->name, tensor->dtype, 1, tensor->bytes, &error));
        safetensors_check_shape(folder, tensor->name, 2, 2, &error);
        free(bytes);
        free(floats);
    }
    safetensors_close(folder);
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool shards_written;
    uint8_t choice = fuzz_take_byte(&data, &size) % 3;
    if (choice == 0) { read_tensors(fuzz_file(data, size)); }
    if (choice == 1) {
        Buffer file = {0};
        size_t data_bytes = fuzz_take_byte(&data, &size);
        data_bytes = data_bytes << 8 | fuzz_take_byte(&data, &size);
        append_file(&file, data, size, data_bytes);
        read_tensors(fuzz_file(file.data, file.size));
        buffer_free(&file);
    }
    if (choice == 2) {
        if (!shards_written) { write_shards(); }
        shards_written = true;
        fuzz_write("model.safetensors.index.json", data, size);
        read_tensors(fuzz_folder());
    }
    return 0;
}
