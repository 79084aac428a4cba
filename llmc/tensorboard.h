// tensorboard: the event file that `tensorboard --logdir run_dir/tensorboard` shows, scalars only.
// Record: u64 length, u32 masked CRC-32C of those 8 bytes, data, u32 masked CRC-32C of the data. Data is an Event message:
// 1 wall time (double), 2 step, 3 file version (the first event), 5 Summary { 1 Value { 1 tag, 2 simple_value } .. }.
// Source: tensorflow/tensorboard, compat/proto/{event,summary}.proto and summary/writer/record_writer.py.
#pragma once
#include <dirent.h>
#include "llmc/metrics.h"
#include "llmc/protobuf.h"

typedef struct {
    FILE *file;
    char path[1536];
} TensorBoard;

static inline uint32_t crc32c(const void *data, size_t bytes) { // Castagnoli's polynomial, reflected; some KB a step, so bit by bit
    uint32_t crc = ~0u;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= ((const unsigned char *)data)[i];
        for (int bit = 0; bit < 8; bit++) { crc = (crc >> 1) ^ (0x82F63B78u & -(crc & 1)); }
    }
    return ~crc;
}
static inline uint32_t tensorboard_crc(const void *data, size_t bytes) { // masked, because a CRC of data that holds CRCs is weak
    uint32_t crc = crc32c(data, bytes);
    return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}
static inline void tensorboard_record(TensorBoard *board, const Buffer *event) {
    uint64_t length = event->size;
    uint32_t length_crc = tensorboard_crc(&length, sizeof(length)), data_crc = tensorboard_crc(event->data, event->size);
    fwrite(&length, sizeof(length), 1, board->file);
    fwrite(&length_crc, sizeof(length_crc), 1, board->file);
    fwrite(event->data, 1, event->size, board->file);
    fwrite(&data_crc, sizeof(data_crc), 1, board->file);
    fflush(board->file);
}
// A new event file in `folder`. Older ones go: what they held is written again from metrics.jsonl.
static inline bool tensorboard_open(TensorBoard *board, const char *folder, Error *error) {
    *board = (TensorBoard){0};
    if (!directory_create(folder, error)) { return false; }
    static const char start[] = "events.out.tfevents.";
    DIR *directory = opendir(folder);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        char old[1400];
        snprintf(old, sizeof(old), "%s/%s", folder, entry->d_name);
        if (!strncmp(entry->d_name, start, strlen(start))) { unlink(old); }
    }
    if (directory) { closedir(directory); }
    char host[256] = "localhost";
    gethostname(host, sizeof(host) - 1);
    snprintf(board->path, sizeof(board->path), "%s/%s%010lld.%s.%d.0", folder, start, (long long)time(NULL), host, (int)getpid());
    board->file = fopen(board->path, "wb");
    if (!board->file) { return error_set(error, "%s: cannot be written: %s", board->path, strerror(errno)); }
    Buffer event = {0};
    proto_double(&event, 1, (double)time(NULL));
    proto_text(&event, 3, "brain.Event:2");
    tensorboard_record(board, &event);
    buffer_free(&event);
    return true;
}
// Every metric of the set but W&B's own (their names begin with _) becomes a scalar; `timestamp` in seconds since 1970.
static inline void tensorboard_write(TensorBoard *board, int step, const MetricSet *set, double timestamp) {
    Buffer value = {0}, summary = {0}, event = {0};
    for (int i = 0; i < set->count; i++) {
        if (set->metric[i].name[0] == '_') { continue; }
        proto_text(&value, 1, set->metric[i].name);
        proto_float(&value, 2, (float)set->metric[i].value);
        proto_message(&summary, 1, &value);
    }
    proto_double(&event, 1, timestamp);
    proto_int(&event, 2, step);
    proto_message(&event, 5, &summary);
    tensorboard_record(board, &event);
    buffer_free(&value);
    buffer_free(&summary);
    buffer_free(&event);
}
static inline bool tensorboard_close(TensorBoard *board, Error *error) {
    if (!board->file) { return true; }
    bool ok = !ferror(board->file);
    ok = fclose(board->file) == 0 && ok;
    board->file = NULL;
    return ok || error_set(error, "%s: writing failed", board->path);
}
