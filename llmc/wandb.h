// wandb: an offline run that `wandb sync` uploads to Weights & Biases: offline-run-DATE_TIME-ID/run-ID.wandb and files/ beside it.
// The file: ":W&B", u16 0xBEE1, a version byte, then LevelDB's log framing: blocks of 32 KiB counted from the start of the file,
// chunks of u32 CRC-32 (zlib's, of type and payload), u16 length, u8 type (1 whole, 2 first, 3 middle, 4 last) and payload.
// A block's last 6 bytes or fewer hold no chunk and are zero. Each payload is a Record message of wandb_internal.proto.
// Source: wandb/wandb, core/pkg/leveldb and wandb/proto/wandb_internal.proto (0.28); the order of records is what `wandb sync` wants.
#pragma once
#include <dirent.h>
#include <zlib.h>
#include "llmc/metrics.h"
#include "llmc/protobuf.h"

enum { WANDB_BLOCK = 32768,
       WANDB_CHUNK_HEAD = 7 };
typedef struct {
    FILE *file;
    size_t size;     // bytes written
    int64_t records; // each carries its number
    char folder[1024], id[64];
    MetricSet last; // becomes the run's summary
    double runtime;
} Wandb;

// ---- framing
static inline void wandb_bytes(Wandb *wandb, const void *data, size_t bytes) { wandb->size += fwrite(data, 1, bytes, wandb->file); }
static inline void wandb_chunk(Wandb *wandb, unsigned char type, const char *data, size_t bytes) {
    uLong crc = crc32(crc32(0, &type, 1), (const Bytef *)data, (uInt)bytes);
    uint32_t crc_stored = (uint32_t)crc;
    uint16_t length = (uint16_t)bytes;
    wandb_bytes(wandb, &crc_stored, sizeof(crc_stored));
    wandb_bytes(wandb, &length, sizeof(length));
    wandb_bytes(wandb, &type, 1);
    wandb_bytes(wandb, data, bytes);
}
static inline void wandb_payload(Wandb *wandb, const char *data, size_t bytes) {
    for (bool first = true, last = false; !last; first = false) {
        size_t room = WANDB_BLOCK - wandb->size % WANDB_BLOCK;
        if (room < WANDB_CHUNK_HEAD) {
            wandb_bytes(wandb, "\0\0\0\0\0\0", room);
            room = WANDB_BLOCK;
        }
        size_t part = bytes < room - WANDB_CHUNK_HEAD ? bytes : room - WANDB_CHUNK_HEAD;
        last = part == bytes;
        wandb_chunk(wandb, first ? (last ? 1 : 2) : (last ? 4 : 3), data, part);
        data += part;
        bytes -= part;
    }
}
// Record: 1 number, then the one field that says what it is. Empties `message`.
static inline void wandb_record(Wandb *wandb, int field, Buffer *message) {
    Buffer record = {0};
    proto_int(&record, 1, wandb->records++);
    proto_message(&record, field, message);
    wandb_payload(wandb, record.data, record.size);
    fflush(wandb->file);
    buffer_free(&record);
}

// ---- records
enum { WANDB_HISTORY = 2,
       WANDB_SUMMARY = 3,
       WANDB_FILES = 6,
       WANDB_RUN = 17,
       WANDB_EXIT = 18,
       WANDB_FINAL = 20,
       WANDB_HEADER = 21,
       WANDB_FOOTER = 22 };
static inline void wandb_item(Buffer *out, const char *name, const char *json) { // field 1 of history, summary and config: a key and JSON text
    Buffer item = {0};
    proto_text(&item, 1, name);
    proto_text(&item, 16, json);
    proto_message(out, 1, &item);
    buffer_free(&item);
}
static inline void wandb_item_number(Buffer *out, const char *name, double value) { // W&B's JSON knows NaN and Infinity
    Buffer json = {0};
    if (isfinite(value)) {
        buffer_append_json_number(&json, value);
    } else {
        buffer_append_text(&json, isnan(value) ? "NaN" : value > 0 ? "Infinity"
                                                                   : "-Infinity");
    }
    wandb_item(out, name, json.data);
    buffer_free(&json);
}
static inline const char *wandb_setting(const char *variable, const char *otherwise) {
    const char *value = getenv(variable);
    return value && *value ? value : otherwise;
}
static inline void wandb_run_record(Wandb *wandb, const char *project, const char *name, const json_t *config) {
    Buffer run = {0}, part = {0};
    proto_text(&run, 1, wandb->id);
    if (*wandb_setting("WANDB_ENTITY", "")) { proto_text(&run, 2, wandb_setting("WANDB_ENTITY", "")); }
    proto_text(&run, 3, wandb_setting("WANDB_PROJECT", project));
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)config, key, value) {
        char *json = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
        wandb_item(&part, key, json);
        free(json);
    }
    if (part.size) { proto_message(&run, 4, &part); }
    if (*wandb_setting("WANDB_RUN_GROUP", "")) { proto_text(&run, 6, wandb_setting("WANDB_RUN_GROUP", "")); }
    proto_text(&run, 8, wandb_setting("WANDB_NAME", name));
    for (const char *tag = wandb_setting("WANDB_TAGS", ""); *tag;) {
        size_t length = strcspn(tag, ",");
        proto_bytes(&run, 10, tag, length);
        tag += length + (tag[length] == ',');
    }
    char host[256] = "localhost";
    gethostname(host, sizeof(host) - 1);
    proto_text(&run, 13, host);
    proto_int(&part, 1, (int64_t)time(NULL));
    proto_message(&run, 17, &part);
    wandb_record(wandb, WANDB_RUN, &run);
    buffer_free(&run);
    buffer_free(&part);
}

// ---- a run
// The folder of an earlier part of this run, if `again`; else a new one named by the time, the id WANDB_RUN_ID or 8 letters and digits.
static inline bool wandb_folder(Wandb *wandb, const char *parent, bool again) {
    static const char start[] = "offline-run-";
    DIR *directory = again ? opendir(parent) : NULL;
    char newest[256] = "";
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        if (!strncmp(entry->d_name, start, strlen(start)) && strcmp(entry->d_name, newest) > 0) { snprintf(newest, sizeof(newest), "%s", entry->d_name); }
    }
    if (directory) { closedir(directory); }
    const char *dash = strrchr(newest, '-');
    if (*newest && dash > newest + strlen(start) && dash[1]) {
        snprintf(wandb->id, sizeof(wandb->id), "%s", dash + 1);
        return snprintf(wandb->folder, sizeof(wandb->folder), "%s/%s", parent, newest) < (int)sizeof(wandb->folder);
    }
    uint64_t number = (uint64_t)time(NULL) * 1000003u + (uint64_t)getpid() + (uint64_t)(seconds_now() * 1e9);
    char id[9] = "", moment[32];
    for (int i = 0; i < 8; i++, number /= 36) { id[i] = "0123456789abcdefghijklmnopqrstuvwxyz"[number % 36]; }
    snprintf(wandb->id, sizeof(wandb->id), "%s", wandb_setting("WANDB_RUN_ID", id));
    time_t now = time(NULL);
    struct tm local;
    strftime(moment, sizeof(moment), "%Y%m%d_%H%M%S", localtime_r(&now, &local));
    return snprintf(wandb->folder, sizeof(wandb->folder), "%s/%s%s-%s", parent, start, moment, wandb->id) < (int)sizeof(wandb->folder);
}
// Starts the run's file in run_dir/wandb (or $WANDB_DIR/wandb). A resumed run (`again`) keeps its id; its history is then written again.
static inline bool wandb_open(Wandb *wandb, const char *run_dir, bool again, const char *project, const char *name, const json_t *config, Error *error) {
    *wandb = (Wandb){0};
    char parent[900], path[1200];
    snprintf(parent, sizeof(parent), "%s/wandb", wandb_setting("WANDB_DIR", run_dir));
    if (!wandb_folder(wandb, parent, again)) { return error_set(error, "%s: the path is too long", parent); }
    snprintf(path, sizeof(path), "%s/files", wandb->folder);
    if (!directory_create(path, error)) { return false; }
    snprintf(path, sizeof(path), "%s/run-%s.wandb", wandb->folder, wandb->id);
    wandb->file = fopen(path, "wb");
    if (!wandb->file) { return error_set(error, "%s: cannot be written: %s", path, strerror(errno)); }
    wandb_bytes(wandb, ":W&B\xE1\xBE\0", 7);
    Buffer header = {0}, version = {0};
    proto_text(&version, 1, "0.28.3");
    proto_message(&header, 1, &version);
    wandb_record(wandb, WANDB_HEADER, &header);
    buffer_free(&header);
    buffer_free(&version);
    wandb_run_record(wandb, project, name, config);
    return true;
}
static inline void wandb_write(Wandb *wandb, int step, const MetricSet *set) {
    Buffer history = {0}, number = {0};
    for (int i = 0; i < set->count; i++) {
        wandb_item_number(&history, set->metric[i].name, set->metric[i].value);
        metric_set(&wandb->last, set->metric[i].name, set->metric[i].value);
    }
    wandb_item_number(&history, "_step", step);
    metric_set(&wandb->last, "_step", step);
    proto_int(&number, 1, step);
    proto_message(&history, 2, &number);
    wandb_record(wandb, WANDB_HISTORY, &history);
    wandb->runtime = metric_get(set, METRIC_RUNTIME);
    buffer_free(&history);
    buffer_free(&number);
}
// Ends the run: summary, files, exit, final, footer. Without these a run counts as crashed.
static inline bool wandb_close(Wandb *wandb, int exit_code, Error *error) {
    if (!wandb->file) { return true; }
    Buffer record = {0}, part = {0}, summary = {0};
    buffer_append_text(&summary, "{");
    for (int i = 0; i < wandb->last.count; i++) {
        const char *name = wandb->last.metric[i].name;
        wandb_item_number(&record, name, wandb->last.metric[i].value);
        buffer_append_text(&summary, i ? ", " : "");
        text_append_json(&summary, name, strlen(name));
        buffer_append_text(&summary, ": ");
        buffer_append_json_number(&summary, wandb->last.metric[i].value);
    }
    buffer_append_text(&summary, "}\n");
    wandb_record(wandb, WANDB_SUMMARY, &record);
    char path[1200];
    snprintf(path, sizeof(path), "%s/files/wandb-summary.json", wandb->folder);
    bool ok = file_write_atomic(path, summary.data, summary.size, error);
    proto_text(&part, 1, "wandb-summary.json");
    proto_message(&record, 1, &part);
    wandb_record(wandb, WANDB_FILES, &record);
    proto_int(&record, 1, exit_code);
    proto_int(&record, 2, isnan(wandb->runtime) ? 0 : (int64_t)wandb->runtime);
    wandb_record(wandb, WANDB_EXIT, &record);
    wandb_record(wandb, WANDB_FINAL, &record);
    wandb_record(wandb, WANDB_FOOTER, &record);
    if (ferror(wandb->file)) { ok = error_set(error, "%s: writing failed", wandb->folder); }
    if (fclose(wandb->file) != 0) { ok = error_set(error, "%s: writing failed: %s", wandb->folder, strerror(errno)); }
    wandb->file = NULL;
    buffer_free(&record);
    buffer_free(&part);
    buffer_free(&summary);
    return ok;
}
