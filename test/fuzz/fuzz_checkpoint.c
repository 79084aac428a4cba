// What a run goes on from. The first byte chooses what the rest is:
//   0  trainer_state.json of a good checkpoint; sixteen zeros in it become the right fingerprint
//   1  the header of its optimizer.safetensors, the data behind it as it was   2  of its model.safetensors
//   3  metrics.jsonl   4  samples.jsonl, read again when a run is resumed   5  config.json of the run_dir
//   6  names, each ended by a NUL or a line end, of folders in checkpoints/: the newest is looked up, the oldest are removed
#include "fuzz.h"
#include "llmc/checkpoint.h"
#include "llmc/loggers.h"
#include "test/tiny_model.h"

static TinyModel tiny;
static Config config;
static char run[300], checkpoint[400], fingerprint[20];
static Buffer files[2]; // optimizer.safetensors and model.safetensors as they were written
static const char *const file_names[] = {"optimizer.safetensors", "model.safetensors"};

static void write_file(const char *folder, const char *name, const void *data, size_t bytes) {
    char path[600];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool written = descriptor >= 0 && write(descriptor, data, bytes) == (ssize_t)bytes && close(descriptor) == 0;
    assert(written);
    (void)written;
}
static void begin(void) { // a run_dir with a good checkpoint of step 3
    Error error;
    char path[600];
    ModelConfig c = tiny_config("llama");
    c.hidden = 8, c.intermediate = 8, c.layers = 1, c.heads = 2, c.kv_heads = 1, c.head_dim = 4, c.vocab = 16;
    tiny = tiny_model_create(&c, c.vocab, (PolicySizes){.rows = 8, .max_positions = 8, .optimizer = true, .logits_bytes = 1000}, (RolloutSizes){0}, 0, 0);
    policy_random_weights(&tiny.policy, 5);
    bool ok = model_config_write(fuzz_folder(), &c, &error);
    snprintf(run, sizeof(run), "%s/run", fuzz_folder());
    snprintf(checkpoint, sizeof(checkpoint), "%s/checkpoints/step_000003", run);
    ok = ok && checkpoint_write(run, &tiny.policy, &(TrainState){.step = 3, .updates = 6}, fuzz_folder(), 0, &error);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", checkpoint, file_names[i]);
        ok = ok && file_read(path, &files[i], &error);
    }
    checkpoint_fingerprint(fingerprint, &tiny.policy);
    options_default(&config, &grpo_option_set);
    config.run_dir = run;
    config.logger = "report";
    ok = ok && config_check(&config, &error);
    if (!ok) { fatal("%s", error.text); }
}
static void read_checkpoint(void) {
    Error error = {""};
    TrainState state = {0};
    if (checkpoint_read(checkpoint, &tiny.policy, &state, &error)) {
        assert(state.step >= 0 && state.stage >= 0 && state.stage <= state.step && state.stage_start <= state.step && state.data_position >= 0 && state.updates >= 0);
    } else {
        assert(error.text[0]);
    }
}
static void read_state(const uint8_t *data, size_t size) {
    static const char zeros[] = "0000000000000000";
    Buffer text = {0};
    buffer_append(&text, data, size);
    char *place = size ? (char *)memmem(text.data, size, zeros, 16) : NULL;
    if (place) { memcpy(place, fingerprint, 16); }
    write_file(checkpoint, "trainer_state.json", text.data ? text.data : "", size);
    buffer_free(&text);
    read_checkpoint();
    // as it was, for the next input
    buffer_printf(&text, "{\"step\":3,\"stage\":0,\"stage_start\":0,\"warmup_start\":0,\"updates\":6,\"data_position\":0,\"fingerprint\":\"%s\"}", fingerprint);
    write_file(checkpoint, "trainer_state.json", text.data, text.size);
    buffer_free(&text);
}
static void read_tensors(int which, const uint8_t *data, size_t size) {
    uint64_t length = size, old_length;
    Buffer file = {0};
    memcpy(&old_length, files[which].data, sizeof(old_length));
    buffer_append(&file, &length, sizeof(length));
    buffer_append(&file, data, size);
    buffer_append(&file, files[which].data + 8 + old_length, files[which].size - 8 - old_length);
    write_file(checkpoint, file_names[which], file.data, file.size);
    buffer_free(&file);
    read_checkpoint();
    write_file(checkpoint, file_names[which], files[which].data, files[which].size);
}
static void read_record(const char *name, const uint8_t *data, size_t size) {
    static Loggers loggers;
    Error error = {""};
    write_file(run, "metrics.jsonl", "", 0);
    write_file(run, "samples.jsonl", "", 0);
    write_file(run, name, data, size);
    bool ok = loggers_open(&loggers, &config, 5, &error);
    assert(ok || error.text[0]);
    ok = loggers_close(&loggers, 0, &error);
    assert(ok);
    (void)ok;
}
static void read_config(const uint8_t *data, size_t size) {
    Error error;
    Buffer difference = {0};
    json_t *saved = json_parse((const char *)data, size, "config.json", &error);
    if (saved) { config_difference(&difference, saved, &config, 3); }
    buffer_free(&difference);
    json_decref(saved);
}
static void read_names(const uint8_t *data, size_t size) {
    char other[400], folder[500], path[1024];
    Error error;
    snprintf(other, sizeof(other), "%s/other", fuzz_folder());
    for (int count = 0; size && count < 8; count++) {
        char *name = fuzz_take_text(&data, &size);
        name[strcspn(name, "/\n")] = 0;
        snprintf(folder, sizeof(folder), "%s/checkpoints/%.60s", other, name);
        if (*name && *name != '.' && directory_create(folder, &error) && count % 4 != 3) { write_file(folder, "trainer_state.json", "{}", 2); }
        free(name);
    }
    int latest = checkpoint_latest(other);
    checkpoint_path(path, other, latest, "/trainer_state.json");
    assert(latest == -1 || file_exists(path));
    checkpoint_prune(other, 2);
    assert(checkpoint_latest(other) == latest);
    nftw(other, fuzz_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!run[0]) { begin(); }
    uint8_t choice = fuzz_take_byte(&data, &size) % 7;
    if (choice == 0) { read_state(data, size); }
    if (choice == 1 || choice == 2) { read_tensors(choice - 1, data, size); }
    if (choice == 3 || choice == 4) { read_record(choice == 3 ? "metrics.jsonl" : "samples.jsonl", data, size); }
    if (choice == 5) { read_config(data, size); }
    if (choice == 6) { read_names(data, size); }
    return 0;
}
