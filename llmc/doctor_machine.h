// doctor_machine: whether this machine can do what the options ask: device, ranks, memory, disk, limits.
#pragma once
#include <sys/resource.h>
#include <sys/statvfs.h>
#include "llmc/doctor_report.h"

typedef struct {
    char text[24];
} DoctorSize;
static inline DoctorSize doctor_size(double bytes) { // "19.86 GiB", "1.8 MiB", "310.2 KiB"
    DoctorSize size;
    const double kib = bytes / 1024, mib = kib / 1024;
    snprintf(size.text, sizeof(size.text), mib < 1 ? "%.1f KiB" : mib < 1024 ? "%.1f MiB"
                                                                             : "%.2f GiB",
             mib < 1 ? kib : mib < 1024 ? mib
                                        : mib / 1024);
    return size;
}

static inline void doctor_check_device(Doctor *d) {
    char text[512];
    d->has_device = device_probe(text);
    const bool unused_gpu = d->has_device && !strncmp(device_name(), "cpu", 3) && file_exists("/dev/nvidia0");
    if (!d->has_device) {
        doctor_say(d, DOCTOR_PROBLEM, "device", "%s", text);
    } else if (unused_gpu) {
        doctor_say(d, DOCTOR_WARNING, "device", "%s; there is an NVIDIA GPU beside it: make BACKEND=cuda builds for that", text);
    } else {
        doctor_say(d, DOCTOR_OK, "device", "%s", text);
    }
    if (d->has_device) { device_init(); }
}
static inline void doctor_check_ranks(Doctor *d) {
    const char *library = ranks_library();
    if (ranks_count() == 1) {
        doctor_say(d, DOCTOR_OK, "ranks", "one: not started as several; built with %s, for %s; sums between devices %s", library, strcmp(library, "TCP") ? "mpirun and srun" : "torchrun's environment", collectives_library());
    } else {
        doctor_say(d, DOCTOR_OK, "ranks", "%d, %d of them on this machine, %s; %s; sums between devices %s", ranks_count(), ranks_local_count(), ranks_host(), library, collectives_library());
    }
}

// ---- memory
static inline size_t doctor_read_number(const char *path, const char *format) { // of the first line that has one, SIZE_MAX if there is none
    char line[256];
    size_t number = SIZE_MAX;
    FILE *file = fopen(path, "r");
    while (file && number == SIZE_MAX && fgets(line, sizeof(line), file)) {
        if (sscanf(line, format, &number) != 1) { number = SIZE_MAX; }
    }
    if (file) { fclose(file); }
    return number;
}
// What the operating system would give now, and what the job's control group (a container's, Slurm's) may hold at all.
static inline size_t doctor_host_memory(void) {
    const size_t kib = doctor_read_number("/proc/meminfo", "MemAvailable: %zu kB"), group = doctor_read_number("/sys/fs/cgroup/memory.max", "%zu");
    const size_t available = kib == SIZE_MAX ? SIZE_MAX : kib * 1024;
    return available < group ? available : group;
}
static inline void doctor_check_memory(Doctor *d) {
    Trainer *t = &d->t;
    const Config *c = t->config;
    size_t cache_bytes, plan = 0;
    Error error;
    if (!d->has_device || !d->has_config) {
        doctor_say(d, DOCTOR_UNCHECKED, "memory", "not planned without %s", d->has_device ? "the model's config.json" : "a device");
    } else {
        const size_t available = device_memory_bytes();
        if (trainer_count_memory(t, NULL, available, 0, ranks_count(), &cache_bytes, &error)) {
            doctor_say(d, DOCTOR_OK, "memory", "the plan takes %s of %s, recompute level %d, KV cache of %zu tokens (--plan has the table)", doctor_size((double)memory_total(&t->g.memory)).text,
                       doctor_size((double)available).text, t->g.policy.recompute, (size_t)t->g.engine.pages * KV_PAGE);
            plan = memory_total(&t->g.memory);
        } else {
            doctor_say(d, DOCTOR_PROBLEM, "memory", "%s", error.text);
        }
    }
    // a token of an answer on the host: id, three log-probabilities, four bytes of text
    const int longest = config_longest_context(c) > c->eval_max_tokens ? config_longest_context(c) : c->eval_max_tokens;
    const double answers = (double)c->prompts_per_step * c->group_size > c->eval_samples ? (double)c->prompts_per_step * c->group_size : c->eval_samples;
    const double need = answers * longest * (sizeof(int) + SAMPLE_FLOATS * sizeof(float) + 4) * ranks_local_count();
    const bool shared = d->has_device && !strncmp(device_name(), "cpu", 3);
    const double have = (double)doctor_host_memory() - (shared ? (double)plan * ranks_local_count() : 0);
    doctor_say(d, need > have ? DOCTOR_PROBLEM : DOCTOR_OK, "host memory", "a step's answers take up to %s of the %s free%s%s", doctor_size(need).text, doctor_size(have).text, shared ? " beside the plan" : "",
               need <= have ? "" : shared ? ": lower --kv_cache_mib, --prompts_per_step, --group_size or the context"
                                          : ": lower --prompts_per_step, --group_size or the context");
}

// ---- disk
// The folder that is there of a path, itself or the nearest above it.
static inline void doctor_existing_folder(char out[1024], const char *path) {
    struct stat status;
    snprintf(out, 1024, "%.1000s", path);
    while (stat(out, &status) != 0) {
        char *slash = strrchr(out, '/');
        if (slash == out) { slash++; }
        if (!slash || !*slash) {
            strcpy(out, slash ? "/" : ".");
            return;
        }
        *slash = 0;
    }
}
// Writes, syncs and renames a small file in run_dir, or where run_dir will be made; nothing stays.
static inline bool doctor_check_run_dir(Doctor *d) {
    const Config *c = d->t.config;
    char folder[1024], path[1100], config_path[1024];
    Error error;
    struct stat status;
    doctor_existing_folder(folder, c->run_dir);
    snprintf(path, sizeof(path), "%s/doctor.%d.%d", folder, ranks_mine(), (int)getpid());
    snprintf(config_path, sizeof(config_path), "%.1000s/config.json", c->run_dir);
    if (stat(folder, &status) == 0 && !S_ISDIR(status.st_mode)) {
        doctor_say(d, DOCTOR_PROBLEM, "run_dir", "%s: is a file, not a folder: choose another --run_dir", folder);
        return false;
    }
    if (!file_write_atomic(path, "doctor\n", 7, &error) || unlink(path) != 0 || !directory_sync(folder, &error)) {
        doctor_say(d, DOCTOR_PROBLEM, "run_dir", "%s: choose another --run_dir", error.text);
        return false;
    }
    if (!file_exists(config_path)) {
        doctor_say(d, DOCTOR_OK, "run_dir", "%s: can be written, synced and renamed in", c->run_dir);
        return true;
    }
    const int latest = checkpoint_latest(c->run_dir);
    json_t *saved = json_read(config_path, &error);
    Buffer difference = {0};
    if (!saved) {
        doctor_say(d, DOCTOR_PROBLEM, "run_dir", "%s", error.text);
    } else if (config_difference(&difference, saved, c, latest > 0 ? latest : 0)) {
        doctor_say(d, DOCTOR_PROBLEM, "run_dir", "%s: this run_dir holds another configuration: %s: choose another --run_dir, or give the same options", config_path, difference.data);
    } else {
        doctor_say(d, DOCTOR_OK, "run_dir", "%s: holds a run of the same options%s", c->run_dir, latest >= 0 ? ", which will go on from its last checkpoint" : "");
    }
    buffer_free(&difference);
    json_decref(saved);
    return true;
}
// Bytes of one checkpoint: weights, both moments, with bf16 weights the fp32 ones, and the model folder's other files.
static inline double doctor_checkpoint_bytes(const Doctor *d) {
    const double actual = (double)d->t.g.policy.parameters.actual;
    double bytes = actual * (sizeof(floatX) + 2 * sizeof(float) + (sizeof(floatX) == sizeof(float) ? 0 : sizeof(float)));
    for (size_t i = 0; i < sizeof(hf_folder_files) / sizeof(*hf_folder_files); i++) {
        char path[1100];
        struct stat status;
        snprintf(path, sizeof(path), "%.1000s/%s", d->t.config->model, hf_folder_files[i]);
        if (stat(path, &status) == 0) { bytes += (double)status.st_size; }
    }
    return bytes;
}
static inline int doctor_count_checkpoints(const char *run_dir) { // what is there already takes no further room
    char folder[1024];
    snprintf(folder, sizeof(folder), "%.900s/checkpoints", run_dir);
    DIR *directory = opendir(folder);
    struct dirent *entry;
    int count = 0;
    while (directory && (entry = readdir(directory))) { count += checkpoint_step_of(entry->d_name, "") >= 0; }
    if (directory) { closedir(directory); }
    return count;
}
// What a token takes in rollouts/: its id with a comma (7), its log-probability with one (16), its text (5); of a prompt the first and the last.
enum { DOCTOR_TOKEN_BYTES = 28,
       DOCTOR_PROMPT_TOKEN_BYTES = 12,
       DOCTOR_ANSWER_BYTES = 256 }; // reward, reason, truth and the names of the fields
static inline void doctor_check_disk(Doctor *d, int64_t prompts) {
    const Config *c = d->t.config;
    char folder[1024];
    struct statvfs disk;
    doctor_existing_folder(folder, c->run_dir);
    if (!d->has_config || statvfs(folder, &disk) != 0) {
        doctor_say(d, DOCTOR_UNCHECKED, "disk", "not counted without %s", d->has_config ? "run_dir" : "the model's config.json");
        return;
    }
    const double free_bytes = (double)disk.f_bavail * (double)disk.f_frsize, one = doctor_checkpoint_bytes(d);
    const int steps = config_total_steps(c, prompts), every = c->checkpoint_every ? c->checkpoint_every : steps > 0 ? steps
                                                                                                                    : 1;
    const int written = steps / every + (steps % every != 0), kept = c->keep_checkpoints && c->keep_checkpoints + 1 < written ? c->keep_checkpoints + 1 : written; // the oldest goes when the newest is there
    const int references = c->kl_coef != 0 && list_contains(c->stage_restart, "reference") ? c->stage_count - 1 : 0, there = doctor_count_checkpoints(c->run_dir);
    const double checkpoints = one * (kept > there ? kept - there : 0) + (double)d->t.g.policy.parameters.actual * sizeof(floatX) * references;
    double rollouts = 0;
    for (int step = 1; step <= steps && c->rollouts_every; step += c->rollouts_every) { rollouts += (double)c->prompts_per_step * c->group_size * ((double)config_context(c, step) * DOCTOR_TOKEN_BYTES + c->max_prompt_tokens * DOCTOR_PROMPT_TOKEN_BYTES + DOCTOR_ANSWER_BYTES); }
    if (checkpoints > free_bytes) {
        doctor_say(d, DOCTOR_PROBLEM, "disk", "%s: %d more checkpoints of %s take %s, %s are free: lower --keep_checkpoints (now %d) or choose another --run_dir", folder, kept > there ? kept - there : 0,
                   doctor_size(one).text, doctor_size(checkpoints).text, doctor_size(free_bytes).text, c->keep_checkpoints);
    } else if (checkpoints + rollouts > free_bytes) {
        doctor_say(d, DOCTOR_WARNING, "disk", "%s: checkpoints take %s, but the answers in rollouts/ up to %s, if all ran to their limit, and %s are free: raise --rollouts_every (now %d)", folder,
                   doctor_size(checkpoints).text, doctor_size(rollouts).text, doctor_size(free_bytes).text, c->rollouts_every);
    } else {
        doctor_say(d, DOCTOR_OK, "disk", "%s: %s free; %d checkpoint%s of %s, answers in rollouts/ of up to %s, if all ran to their limit", folder, doctor_size(free_bytes).text, kept, kept == 1 ? "" : "s", doctor_size(one).text, doctor_size(rollouts).text);
    }
}

// ---- limits of the operating system
static inline void doctor_check_limits(Doctor *d) {
    struct rlimit files, locked;
    const rlim_t need = 64 + 2 * (rlim_t)ranks_count(); // a model's shards, logs and, for many ranks, their connections
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || getrlimit(RLIMIT_MEMLOCK, &locked) != 0) { return; }
    const bool several_gpus = ranks_count() > 1 && device_works_ahead();
    if (files.rlim_cur != RLIM_INFINITY && files.rlim_cur < need) {
        doctor_say(d, DOCTOR_PROBLEM, "limits", "%llu files may be open at a time, %llu are needed: ulimit -n %llu", (unsigned long long)files.rlim_cur, (unsigned long long)need, (unsigned long long)need);
    } else if (several_gpus && locked.rlim_cur != RLIM_INFINITY) { // what NCCL registers with a network card counts
        doctor_say(d, DOCTOR_WARNING, "limits", "%.1f MiB of memory may be locked: NCCL over InfiniBand wants ulimit -l unlimited", (double)locked.rlim_cur / (1 << 20));
    } else {
        char open_files[32] = "any number of", locks[32] = "all";
        if (files.rlim_cur != RLIM_INFINITY) { snprintf(open_files, sizeof(open_files), "%llu", (unsigned long long)files.rlim_cur); }
        if (locked.rlim_cur != RLIM_INFINITY) { snprintf(locks, sizeof(locks), "%.1f MiB of", (double)locked.rlim_cur / (1 << 20)); }
        doctor_say(d, DOCTOR_OK, "limits", "%s files may be open, %s memory may be locked", open_files, locks);
    }
}
