// checkpoint: everything a run needs to go on as if it had never stopped, in run_dir/checkpoints/step_000100/:
//   config.json, tokenizer files, model.safetensors   the policy as a Hugging Face folder
//   optimizer.safetensors                             Adam's moments, and the fp32 master weights of a bf16 build
//   trainer_state.json                                step, updates done, where the stage began, place in the data, fingerprint
// Random numbers are functions of the step, so they need no file. The folder is written under another
// name, synced and renamed: a checkpoint is there whole or not at all.
#pragma once
#include <ctype.h>
#include "llmc/fingerprint.h"
#include "llmc/policy_io.h"
#include "llmc/transformer.h"

enum { CHECKPOINT_MAX_STEP = 1 << 30 };
typedef struct {
    int step;              // steps done
    int stage;             // index of the running stage
    int stage_start;       // step at which it began
    int warmup_start;      // step at which the optimizer last began anew
    int updates;           // AdamW updates since then
    int was_below_trigger; // whether cut_share has been below --stage_trigger in this stage
    int64_t data_position; // prompts passed since the order of the data last began anew
    double cut_share;      // of the stage's answers, a running mean (trainer_watch_cut_answers)
    int *answer_lengths;   // (prompts) borrowed from the data set: the tokens its prompts were answered with last; NULL: not kept
    int prompts;
} TrainState;

// A number that follows from every element of a flat array, going on from `hash`: known to rank 0, for all ranks to call if it is sharded.
static inline uint64_t fingerprint_array(uint64_t hash, const Policy *p, const PolicyArray *array) {
    const size_t element = array->dtype == SAFETENSORS_F32 ? sizeof(float) : sizeof(uint16_t), most = POLICY_CHUNK * sizeof(float) / element;
    char *piece = (char *)host_alloc(most * element);
    for (size_t done = 0; done < p->parameters.total; done += most) {
        const size_t count = p->parameters.total - done < most ? p->parameters.total - done : most;
        policy_array_download(piece, p, array, done, count);
        if (ranks_mine() == 0) { hash = fingerprint_bytes(hash, piece, count * element); }
    }
    free(piece);
    return hash;
}
static inline uint64_t policy_fingerprint(const Policy *p, uint64_t start) {
    const PolicyArray weights = {"", weight_dtype, p->weights, false};
    return fingerprint_array(start, p, &weights);
}

static inline int checkpoint_arrays(const Policy *p, PolicyArray arrays[3]) {
    arrays[0] = (PolicyArray){"adam_m.", SAFETENSORS_F32, p->adam_m, true};
    arrays[1] = (PolicyArray){"adam_v.", SAFETENSORS_F32, p->adam_v, true};
    arrays[2] = (PolicyArray){"master.", SAFETENSORS_F32, p->master, true};
    return sizeof(floatX) == sizeof(float) ? 2 : 3;
}
// Of the weights and of all that the optimizer remembers, as 16 hex digits.
static inline void checkpoint_fingerprint(char text[20], const Policy *p) {
    PolicyArray arrays[3];
    uint64_t hash = policy_fingerprint(p, FINGERPRINT_START);
    for (int i = 0, count = checkpoint_arrays(p, arrays); i < count; i++) { hash = fingerprint_array(hash, p, &arrays[i]); }
    snprintf(text, 20, "%016llx", (unsigned long long)hash);
}
static inline void checkpoint_path(char path[1024], const char *run_dir, int step, const char *suffix) {
    snprintf(path, 1024, "%.900s/checkpoints/step_%06d%s", run_dir, step, suffix);
}
// The step of the folder that checkpoint_path calls step_000100 (with a suffix: step_000100.tmp); -1 for every other name. Whoever
// brought the folder chose its name: step_100 or step_4294967297 would be taken for a folder that is not there.
static inline int checkpoint_step_of(const char *name, const char *suffix) {
    char again[64];
    long step = strncmp(name, "step_", 5) != 0 ? -1 : strtol(name + 5, NULL, 10);
    if (step < 0 || step > CHECKPOINT_MAX_STEP) { return -1; }
    snprintf(again, sizeof(again), "step_%06ld%s", step, suffix);
    return strcmp(name, again) != 0 ? -1 : (int)step;
}
// The step of the newest complete checkpoint, -1 when there is none. Unfinished ones are passed over.
static inline int checkpoint_latest(const char *run_dir) {
    char folder[1024], path[1100];
    snprintf(folder, sizeof(folder), "%.900s/checkpoints", run_dir);
    DIR *directory = opendir(folder);
    struct dirent *entry;
    int latest = -1;
    while (directory && (entry = readdir(directory))) {
        int step = checkpoint_step_of(entry->d_name, "");
        snprintf(path, sizeof(path), "%.900s/%.100s/trainer_state.json", folder, entry->d_name);
        if (step > latest && file_exists(path)) { latest = step; }
    }
    if (directory) { closedir(directory); }
    return latest;
}
static inline void checkpoint_prune(const char *run_dir, int keep) { // removes the oldest, and what a killed run left half-written
    char folder[1024], path[2048];
    snprintf(folder, sizeof(folder), "%.900s/checkpoints", run_dir);
    int newest = checkpoint_latest(run_dir);
    for (;;) {
        DIR *directory = opendir(folder);
        struct dirent *entry;
        int count = 0, oldest = newest;
        while (directory && (entry = readdir(directory))) {
            const int step = checkpoint_step_of(entry->d_name, "");
            const bool temporary = checkpoint_step_of(entry->d_name, ".tmp") >= 0;
            if (step < 0 && !temporary) { continue; } // step_000100_best: somebody's own
            snprintf(path, sizeof(path), "%.1000s/%.255s/trainer_state.json", folder, entry->d_name);
            if (temporary || !file_exists(path)) {
                *strrchr(path, '/') = 0;
                directory_remove(path);
                continue;
            }
            count++;
            oldest = step < oldest ? step : oldest;
        }
        if (directory) { closedir(directory); }
        if (keep == 0 || count <= keep || oldest == newest) { return; }
        struct stat status;
        checkpoint_path(path, run_dir, oldest, "");
        const bool is_link = lstat(path, &status) == 0 && S_ISLNK(status.st_mode); // what a link leads to is not ours to remove
        checkpoint_path(path, run_dir, oldest, is_link ? "" : "/trainer_state.json");
        if (unlink(path) != 0) { return; } // first, so that a kill in between leaves no half of it that looks whole
        checkpoint_path(path, run_dir, oldest, "");
        directory_remove(path);
    }
}

// For all ranks to call; rank 0 writes, and answers for it.
static inline bool checkpoint_write(const char *run_dir, const Policy *p, const TrainState *state, const char *source_dir, int keep, Error *error) {
    char folder[1024], temporary[1024], path[1100];
    snprintf(folder, sizeof(folder), "%.900s/checkpoints", run_dir);
    checkpoint_path(temporary, run_dir, state->step, ".tmp");
    PolicyArray arrays[3];
    int array_count = checkpoint_arrays(p, arrays);
    if (ranks_mine() > 0) {
        char unused[20];
        policy_append_arrays(NULL, p, arrays, array_count, error);
        checkpoint_fingerprint(unused, p);
        return true;
    }
    directory_remove(temporary);
    snprintf(path, sizeof(path), "%s/optimizer.safetensors", temporary);
    bool ok = directory_create(folder, error) && policy_write_folder(temporary, p, source_dir, error) && policy_write_arrays(path, 0, p, arrays, array_count, error);
    if (ok) {
        char fingerprint[20];
        checkpoint_fingerprint(fingerprint, p);
        json_t *json = json_pack("{s:i, s:i, s:i, s:i, s:i, s:I, s:f, s:b, s:s}", "step", state->step, "stage", state->stage, "stage_start", state->stage_start, "warmup_start",
                                 state->warmup_start, "updates", state->updates, "data_position", (json_int_t)state->data_position, "cut_share", state->cut_share, "was_below_trigger", state->was_below_trigger, "fingerprint", fingerprint);
        Buffer lengths = {0};
        for (int i = 0; i < state->prompts; i++) { buffer_printf(&lengths, i ? " %d" : "%d", state->answer_lengths[i]); }
        if (state->prompts) { json_object_set_new(json, "answer_lengths", json_string(lengths.data)); }
        buffer_free(&lengths);
        snprintf(path, sizeof(path), "%s/trainer_state.json", temporary);
        ok = json_write(path, json, error) && directory_sync(temporary, error);
        json_decref(json);
    }
    if (!ok) {
        directory_remove(temporary);
        return false;
    }
    char final[1024];
    checkpoint_path(final, run_dir, state->step, "");
    // an older save of the same step changes places with this one, so that at no moment there is none
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, final, file_exists(final) ? RENAME_EXCHANGE : 0) != 0) {
        return error_set(error, "%s: cannot be renamed: %s", temporary, strerror(errno));
    }
    directory_remove(temporary);
    if (!directory_sync(folder, error)) { return false; }
    checkpoint_prune(run_dir, keep);
    return true;
}

// "3975 0 412": as many as there are prompts. A checkpoint of other data has none that could be used.
static inline bool checkpoint_read_lengths(TrainState *state, const json_t *json, const char *path, Error *error) {
    const char *at = json_string_value(json_object_get(json, "answer_lengths"));
    int count = 0;
    for (char *end; at && *at; at = end, count++) {
        const long length = isdigit((unsigned char)*at) ? strtol(at, &end, 10) : -1;
        if (length < 0 || length > INT_MAX || !strchr(" ", *end)) { return error_set(error, "%s: answer_lengths: \"%.20s\" is no number of tokens", path, at); }
        if (count < state->prompts) { state->answer_lengths[count] = (int)length; }
        end += *end == ' ';
    }
    if (count != state->prompts && state->prompts) { memset(state->answer_lengths, 0, sizeof(int) * (size_t)state->prompts); }
    return true;
}
// Reads a checkpoint folder; every file of it is checked before it is believed.
static inline bool checkpoint_read(const char *folder, Policy *p, TrainState *state, Error *error) {
    char path[1100];
    snprintf(path, sizeof(path), "%.1000s/trainer_state.json", folder);
    json_t *json = json_read(path, error);
    if (!json) { return false; }
    const char *fingerprint = "";
    json_error_t found;
    json_int_t numbers[6] = {0};
    double cut_share = 0;
    int was_below_trigger = 0; // true or false in the file
    bool ok = json_unpack_ex(json, &found, 0, "{s:I, s:I, s:I, s:I, s:I, s:I, s:F, s:b, s:s}", "step", &numbers[0], "stage", &numbers[1], "stage_start", &numbers[2], "warmup_start", &numbers[3],
                             "updates", &numbers[4], "data_position", &numbers[5], "cut_share", &cut_share, "was_below_trigger", &was_below_trigger, "fingerprint", &fingerprint) == 0;
    if (!ok) { error_set(error, "%s: %s: this is not the state of a trainer", path, found.text); }
    const json_int_t most[6] = {CHECKPOINT_MAX_STEP, numbers[0], numbers[0], numbers[0], INT_MAX, (json_int_t)1 << 50};
    for (int i = 0; ok && i < 6; i++) { // starts lie before the step; there are fewer stages than steps
        if (numbers[i] < 0 || numbers[i] > most[i]) { ok = error_set(error, "%s: number %lld cannot be in step %lld", path, (long long)numbers[i], (long long)numbers[0]); }
    }
    if (ok && !(cut_share >= 0 && cut_share <= 1)) { ok = error_set(error, "%s: cut_share %g cannot be a share", path, cut_share); }
    *state = (TrainState){(int)numbers[0], (int)numbers[1], (int)numbers[2], (int)numbers[3], (int)numbers[4], was_below_trigger, (int64_t)numbers[5], cut_share, state->answer_lengths, state->prompts};
    ok = ok && checkpoint_read_lengths(state, json, path, error);
    PolicyArray arrays[3], weights = {"", weight_dtype, p->weights, false};
    int array_count = checkpoint_arrays(p, arrays);
    snprintf(path, sizeof(path), "%.1000s/optimizer.safetensors", folder);
    ok = ok && policy_read_arrays(folder, p, &weights, 1, error) && policy_read_arrays(path, p, arrays, array_count, error);
    char now[20] = "";
    if (ok) { checkpoint_fingerprint(now, p); }
    if (ok && ranks_mine() == 0 && strcmp(now, fingerprint) != 0) {
        ok = error_set(error, "%s: weights and optimizer have fingerprint %s, the state says %s: files of two checkpoints are mixed, or one has changed", folder, now, fingerprint);
    }
    json_decref(json);
    return ok;
}
