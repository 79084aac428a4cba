// checkpoint: what is written reads back to the bit and trains on to the same bits; what is damaged, mixed, unfinished or does not
// fit on the disk ends in one sentence and leaves the checkpoint before it whole.
#include <ftw.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include "llmc/checkpoint.h"
#include "test/tiny_model.h"

static char root[64], source[80]; // everything lies below root; source is the model folder that training began with
static const AdamW adamw_start = {.learning_rate = 1e-3f, .beta1 = 0.9f, .beta2 = 0.99f, .eps = 1e-8f, .weight_decay = 0.1f, .grad_clip = 1};

// ---- helpers
static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where) {
    (void)status, (void)type, (void)where;
    return remove(path);
}
static void remove_tree(const char *path) { nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS); }
static char *path_of(const char *format, ...) { // one of a few buffers that take turns
    static char buffers[8][1100];
    static int next;
    char *path = buffers[next++ % 8];
    va_list args;
    va_start(args, format);
    vsnprintf(path, sizeof(buffers[0]), format, args);
    va_end(args);
    return path;
}
static void write_text(const char *path, const char *text) {
    Error error;
    check(file_write_atomic(path, text, strlen(text), &error), "%s", error.text);
}
static Buffer read_file(const char *path) {
    Buffer bytes = {0};
    Error error;
    check(file_read(path, &bytes, &error), "%s", error.text);
    return bytes;
}
static void write_file(const char *path, const char *data, size_t bytes) {
    Error error;
    check(file_write_atomic(path, data, bytes, &error), "%s", error.text);
}
static int by_name(const void *a, const void *b) { return strcmp((const char *)a, (const char *)b); }
static char *listing(const char *folder) { // "a b c", sorted
    static char text[4096];
    char names[64][256];
    int count = 0;
    DIR *directory = opendir(folder);
    struct dirent *entry;
    while (directory && (entry = readdir(directory))) {
        if (entry->d_name[0] != '.') { snprintf(names[count++], sizeof(names[0]), "%s", entry->d_name); }
    }
    if (directory) { closedir(directory); }
    qsort(names, (size_t)count, sizeof(names[0]), by_name);
    *text = 0;
    for (int i = 0; i < count; i++) { snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "", names[i]); }
    return text;
}
static void copy_folder(const char *to, const char *from) {
    char names[4096], *rest = names;
    Error error;
    check(directory_create(to, &error), "%s", error.text);
    snprintf(names, sizeof(names), "%s", listing(from));
    for (char *name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
        Buffer bytes = read_file(path_of("%s/%s", from, name));
        write_file(path_of("%s/%s", to, name), bytes.data, bytes.size);
        buffer_free(&bytes);
    }
}

static TinyModel model_create(int vocab, uint64_t seed) {
    ModelConfig config = tiny_config("qwen2");
    config.vocab = vocab;
    TinyModel tiny = tiny_model_create(&config, vocab, (PolicySizes){.rows = 8, .max_positions = 8, .optimizer = true, .logits_bytes = 1000}, (RolloutSizes){0}, 0, 0);
    policy_random_weights(&tiny.policy, seed);
    return tiny;
}
static void update(Policy *p, AdamW *adamw, uint64_t key) { // one AdamW step on made-up gradients
    float *gradient = (float *)host_alloc(sizeof(float) * p->parameters.total);
    for (int i = 0; i < p->parameters.count; i++) {
        const Parameter *parameter = &p->parameters.list[i];
        for (size_t k = 0; k < parameter->count; k++) { gradient[parameter->offset + k] = random_normal(random_key(key, (uint64_t)i), k); }
    }
    device_upload(p->gradients, gradient, sizeof(float) * p->parameters.total);
    free(gradient);
    UpdateStats stats = {0};
    policy_update(p, adamw, &stats);
    check(stats.count == 1, "the update is made");
}
static Buffer everything(const Policy *p) { // weights, moments and master as bytes
    const size_t P = p->parameters.total;
    Buffer bytes = {0};
    buffer_reserve(&bytes, P * 16);
    device_download(bytes.data, p->weights, P * sizeof(floatX));
    bytes.size = P * sizeof(floatX);
    const float *arrays[] = {p->adam_m, p->adam_v, p->master};
    for (int i = 0; i < 3 && arrays[i]; i++) { // an fp32 build has no master copy
        device_download(bytes.data + bytes.size, arrays[i], P * sizeof(float));
        bytes.size += P * sizeof(float);
    }
    return bytes;
}
static bool same_state(const Policy *a, const Policy *b) {
    Buffer x = everything(a), y = everything(b);
    bool same = x.size == y.size && !memcmp(x.data, y.data, x.size);
    buffer_free(&x), buffer_free(&y);
    return same;
}
static void save(const char *run, const Policy *p, int step, int keep) {
    Error error = {""};
    const TrainState state = {.step = step, .stage = 1, .stage_start = step - 1, .warmup_start = step, .updates = 2 * step, .was_below_trigger = step % 2, .data_position = (int64_t)step << 40, .cut_share = 1.0 / (step + 3)};
    check(checkpoint_write(run, p, &state, source, keep, &error), "%s", error.text);
}
static bool one_sentence(const Error *error) { return strlen(error->text) > 20 && !strchr(error->text, '\n'); }

// ---- there and back
static void test_round_trip(void) {
    // 8,000 ids make the embedding larger than the piece that travels at a time
    TinyModel first = model_create(8000, 1), second = model_create(8000, 2);
    check(first.policy.parameters.list[0].count > POLICY_CHUNK, "the embedding is one piece");
    char run[100];
    snprintf(run, sizeof(run), "%s/run", root);
    AdamW adamw = adamw_start, other = adamw_start;
    for (uint64_t k = 0; k < 3; k++) { update(&first.policy, &adamw, k); }
    update(&second.policy, &other, 99); // what it holds before must all go
    int lengths[4] = {3975, 0, 412, INT_MAX}, others[4] = {1, 2, 3, 4};
    const TrainState state = {.answer_lengths = lengths, .prompts = 4, .step = 7, .stage = 2, .stage_start = 5, .warmup_start = 6, .updates = 3, .was_below_trigger = 1, .data_position = 123456789012, .cut_share = 1.0 / 3};
    TrainState found = {.answer_lengths = others, .prompts = 4};
    Error error = {""};
    check(checkpoint_latest(run) == -1, "a run without checkpoints has none");
    check(checkpoint_write(run, &first.policy, &state, source, 3, &error), "%s", error.text);
    check_text(listing(path_of("%s/checkpoints", run)), "step_000007", "the folder of checkpoints");
    char *folder = path_of("%s/checkpoints/step_000007", run);
    check_text(listing(folder), "config.json generation_config.json model.safetensors optimizer.safetensors tokenizer_config.json trainer_state.json", "the files of a checkpoint");
    check(checkpoint_latest(run) == 7, "the latest is step %d", checkpoint_latest(run));
    char expected[1024];
    checkpoint_path(expected, run, 7, "");
    check_text(expected, folder, "its path");
    check(checkpoint_read(folder, &second.policy, &found, &error), "%s", error.text);
    check(!memcmp(lengths, others, sizeof(lengths)), "lengths of answers: %d %d %d %d", others[0], others[1], others[2], others[3]);
    found.answer_lengths = lengths;
    check(!memcmp(&state, &found, sizeof(state)), "state: step %d stage %d from %d, data %lld, warm-up %d, updates %d", found.step, found.stage, found.stage_start, (long long)found.data_position,
          found.warmup_start, found.updates);
    check(same_state(&first.policy, &second.policy), "every array reads back to the bit");
    TrainState of_other_data = {.answer_lengths = others, .prompts = 3};
    check(checkpoint_read(folder, &second.policy, &of_other_data, &error) && !others[0] && !others[1] && !others[2], "lengths of other prompts are not taken over");
    other = adamw_start, other.step = found.updates;
    for (uint64_t k = 10; k < 13; k++) {
        update(&first.policy, &adamw, k), update(&second.policy, &other, k);
        check(same_state(&first.policy, &second.policy), "update %d after resuming gives the same bits", (int)k - 9);
    }
    Policy opened; // as a model: ours opens it, with the weights that were trained
    check(policy_open(&opened, folder, 83, &error), "%s", error.text);
    check(opened.config.hidden == first.policy.config.hidden && opened.config.kv_heads == first.policy.config.kv_heads && !strcmp(opened.config.dtype, weight_dtype_name), "config.json says the shape and the dtype %s", opened.config.dtype);
    policy_free(&opened);
    check(checkpoint_read(folder, &first.policy, &found, &error), "%s", error.text);
    policy_random_weights(&second.policy, 5);
    check(policy_load_weights(&second.policy, folder, &error), "%s", error.text);
    check(policy_fingerprint(&first.policy, 0) == policy_fingerprint(&second.policy, 0), "as a model it has the same weights");
    Buffer left = read_file(path_of("%s/generation_config.json", folder)), right = read_file(path_of("%s/generation_config.json", source));
    check_text(left.data, right.data, "files beside the weights are copied as they are");
    buffer_free(&left), buffer_free(&right);
    save(run, &second.policy, 7, 3); // once more at the same step
    check(checkpoint_read(folder, &first.policy, &found, &error) && found.updates == 14, "a step saved twice is the one saved last");
    check_text(listing(path_of("%s/checkpoints", run)), "step_000007", "and nothing beside it");
    // a flip of any weight's lowest bit shows
    const uint64_t before = policy_fingerprint(&first.policy, 0);
    unsigned char byte;
    unsigned char *place = (unsigned char *)(first.policy.weights + first.policy.parameters.list[0].count - 1);
    device_download(&byte, place, 1);
    byte ^= 1;
    device_upload(place, &byte, 1);
    check(policy_fingerprint(&first.policy, 0) != before, "the fingerprint sees one bit of the last id's embedding");
    tiny_model_free(&first), tiny_model_free(&second);
}

// ---- damage
static void refuse(const char *folder, Policy *p, const char *what, const char *mention) {
    TrainState state = {0};
    Error error = {""};
    check(!checkpoint_read(folder, p, &state, &error), "%s: is read as if nothing were wrong", what);
    check(one_sentence(&error) && strstr(error.text, root), "%s: the error is no sentence with a path: \"%s\"", what, error.text);
    check(strstr(error.text, mention) != NULL, "%s: \"%s\" does not say \"%s\"", what, error.text, mention);
}
static void test_state_file(const char *folder, Policy *p) {
    char state_path[1100], copy[1100];
    snprintf(copy, sizeof(copy), "%s/edited", root);
    snprintf(state_path, sizeof(state_path), "%s/trainer_state.json", copy);
    copy_folder(copy, folder);
    Error error;
    json_t *good = json_read(path_of("%s/trainer_state.json", folder), &error);
    const char *keys[] = {"step", "stage", "stage_start", "warmup_start", "updates", "data_position", "cut_share", "was_below_trigger", "fingerprint"};
    for (size_t k = 0; k < sizeof(keys) / sizeof(*keys); k++) {
        json_t *json = json_deep_copy(good);
        json_object_del(json, keys[k]);
        check(json_write(state_path, json, &error), "%s", error.text);
        refuse(copy, p, path_of("no %s", keys[k]), "not the state of a trainer");
        json_object_set_new(json, keys[k], json_null());
        check(json_write(state_path, json, &error), "%s", error.text);
        refuse(copy, p, path_of("%s null", keys[k]), "not the state of a trainer");
        if (k < 7) {
            json_object_set_new(json, keys[k], json_integer(-1));
            check(json_write(state_path, json, &error), "%s", error.text);
            refuse(copy, p, path_of("%s -1", keys[k]), "cannot be");
            json_object_set_new(json, keys[k], json_string("3"));
            check(json_write(state_path, json, &error), "%s", error.text);
            refuse(copy, p, path_of("%s \"3\"", keys[k]), "not the state of a trainer");
        }
        if (k >= 2 && k < 4) { // nothing began after the last step
            json_object_set_new(json, keys[k], json_integer(json_integer_value(json_object_get(good, "step")) + 1));
            check(json_write(state_path, json, &error), "%s", error.text);
            refuse(copy, p, path_of("%s after the step", keys[k]), "cannot be");
        }
        json_decref(json);
    }
    static const char *const wrong[] = {"3 x", "-1", "3,4", "99999999999", "3  4", "+3", "3\t4"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        json_t *json = json_deep_copy(good);
        json_object_set_new(json, "answer_lengths", json_string(wrong[i]));
        check(json_write(state_path, json, &error), "%s", error.text);
        refuse(copy, p, wrong[i], "is no number of tokens");
        json_decref(json);
    }
    json_object_set_new(good, "fingerprint", json_string("0123456789abcdef"));
    check(json_write(state_path, good, &error), "%s", error.text);
    refuse(copy, p, "another fingerprint", "fingerprint");
    json_decref(good);
    const char *texts[] = {"", "{", "[]", "3", "{\"step\": 1, \"step\": 2}", "\xff\xfe"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        write_text(state_path, texts[i]);
        refuse(copy, p, path_of("trainer_state.json is `%s`", texts[i]), "trainer_state.json");
    }
    unlink(state_path);
    refuse(copy, p, "no trainer_state.json", "trainer_state.json");
    remove_tree(copy);
}
static void test_damage(void) {
    TinyModel tiny = model_create(83, 3), taller = model_create(84, 3);
    AdamW adamw = adamw_start;
    char run[100], folder[200], copy[100];
    snprintf(run, sizeof(run), "%s/damage", root);
    snprintf(folder, sizeof(folder), "%s/checkpoints/step_000005", run);
    snprintf(copy, sizeof(copy), "%s/copy", root);
    update(&tiny.policy, &adamw, 1);
    save(run, &tiny.policy, 5, 0);
    update(&tiny.policy, &adamw, 2);
    save(run, &tiny.policy, 6, 0);
    TrainState state = {0};
    Error error = {""};
    check(checkpoint_read(folder, &tiny.policy, &state, &error), "%s", error.text);
    refuse(path_of("%s/nowhere", root), &tiny.policy, "a folder that is not there", "trainer_state.json");
    refuse(folder, &taller.policy, "a checkpoint of another model", "shape");
    test_state_file(folder, &tiny.policy);

    const char *files[] = {"optimizer.safetensors", "model.safetensors"};
    for (int f = 0; f < 2; f++) {
        copy_folder(copy, folder);
        char *path = path_of("%s/%s", copy, files[f]);
        Buffer bytes = read_file(path);
        const size_t lengths[] = {0, 4, 8, 9, 300, bytes.size / 2, bytes.size - 1};
        for (size_t i = 0; i < sizeof(lengths) / sizeof(size_t); i++) {
            write_file(path, bytes.data, lengths[i]);
            refuse(copy, &tiny.policy, path_of("%s cut to %zu bytes", files[f], lengths[i]), files[f]);
        }
        buffer_append_text(&bytes, "!");
        write_file(path, bytes.data, bytes.size);
        refuse(copy, &tiny.policy, path_of("%s with a byte too many", files[f]), files[f]);
        unlink(path);
        refuse(copy, &tiny.policy, path_of("no %s", files[f]), f ? "safetensors" : files[f]);
        buffer_free(&bytes);
        remove_tree(copy);
    }
    copy_folder(copy, folder); // the weights of step 6 beside the state of step 5
    Buffer newer = read_file(path_of("%s/checkpoints/step_000006/model.safetensors", run));
    write_file(path_of("%s/model.safetensors", copy), newer.data, newer.size);
    refuse(copy, &tiny.policy, "weights of another checkpoint", "two checkpoints are mixed");
    buffer_free(&newer);
    remove_tree(copy);
    copy_folder(copy, folder); // and the moments of step 6 beside weights and state of step 5
    newer = read_file(path_of("%s/checkpoints/step_000006/optimizer.safetensors", run));
    write_file(path_of("%s/optimizer.safetensors", copy), newer.data, newer.size);
    refuse(copy, &tiny.policy, "the optimizer of another checkpoint", "two checkpoints are mixed");
    buffer_free(&newer);
    remove_tree(copy);
    copy_folder(copy, folder);
    Buffer weights = read_file(path_of("%s/model.safetensors", folder));
    weights.data[weights.size - 1] ^= 1;
    write_file(path_of("%s/model.safetensors", copy), weights.data, weights.size);
    refuse(copy, &tiny.policy, "one flipped bit in the weights", "fingerprint");
    buffer_free(&weights);
    remove_tree(copy);
    check(checkpoint_read(folder, &tiny.policy, &state, &error), "after all that the checkpoint itself reads: %s", error.text);
    tiny_model_free(&tiny), tiny_model_free(&taller);
}

// ---- which checkpoint is the latest, and which ones stay
static void make_folder(const char *run, const char *name, bool finished) {
    Error error;
    char *folder = path_of("%s/checkpoints/%s", run, name);
    check(directory_create(folder, &error), "%s", error.text);
    write_text(path_of("%s/model.safetensors", folder), "x");
    if (finished) { write_text(path_of("%s/trainer_state.json", folder), "{}"); }
}
static void test_latest_and_pruning(void) {
    char run[100], folder[200];
    snprintf(run, sizeof(run), "%s/prune", root);
    snprintf(folder, sizeof(folder), "%s/checkpoints", run);
    make_folder(run, "step_000010", true);
    make_folder(run, "step_000009", true);
    make_folder(run, "step_000030.tmp", true);
    make_folder(run, "step_000040", false);
    check(checkpoint_latest(run) == 10, "latest %d: an unfinished folder and one under its temporary name are passed over", checkpoint_latest(run));
    make_folder(run, "step_999999", true);
    make_folder(run, "step_1000000", true);
    check(checkpoint_latest(run) == 1000000, "latest %d: by number, not by name", checkpoint_latest(run));
    remove_tree(run);
    TinyModel tiny = model_create(83, 4);
    make_folder(run, "step_000003.tmp", false);
    const char *want[] = {"step_000001", "step_000001 step_000002", "step_000002 step_000003", "step_000003 step_000004"};
    for (int step = 1; step <= 4; step++) {
        save(run, &tiny.policy, step, 2);
        check_text(listing(folder), want[step - 1], "two are kept, and nothing half-written");
    }
    save(run, &tiny.policy, 5, 0);
    save(run, &tiny.policy, 6, 0);
    check_text(listing(folder), "step_000003 step_000004 step_000005 step_000006", "0 keeps all");
    save(run, &tiny.policy, 7, 1);
    check_text(listing(folder), "step_000007", "one is kept");
    TrainState state = {0};
    Error error = {""};
    check(checkpoint_read(path_of("%s/step_000007", folder), &tiny.policy, &state, &error), "%s", error.text);
    // what somebody keeps there stays: a copy under a name of its own, another name, a folder inside a checkpoint that goes
    make_folder(run, "step_000007_best", true), make_folder(run, "step_1", true), make_folder(run, "notes", true);
    make_folder(run, "step_000007/eval", true);
    make_folder(run, "step_000008", false);
    alarm(20); // a folder that cannot go must not be tried forever
    save(run, &tiny.policy, 9, 1);
    alarm(0);
    check_text(listing(folder), "notes step_000007 step_000007_best step_000009 step_1", "others' folders stay");
    check_text(listing(path_of("%s/step_000007", folder)), "eval", "of a checkpoint that goes, only what is not its own stays");
    check_text(listing(path_of("%s/step_000007_best", folder)), "model.safetensors trainer_state.json", "a copy under another name is whole");
    check(checkpoint_latest(run) == 9, "what is left of a checkpoint is none");
    tiny_model_free(&tiny);
}
// A run_dir that came from elsewhere may hold names that no run gives, and symbolic links: nothing they lead to is written or removed.
static void test_names_and_links(void) {
    static const char *const foreign[] = {"step_5", "step_00000a", "step_ 00005", "step_+00005", "step_-00005", "step_0000005", "step_4294967297", "step_99999999999999999999", "step_1073741825", "step_000005x"};
    char run[100], folder[200], elsewhere[100], link_path[300];
    snprintf(run, sizeof(run), "%s/foreign", root);
    snprintf(folder, sizeof(folder), "%s/checkpoints", run);
    snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", root);
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) { make_folder(run, foreign[i], true); }
    check(checkpoint_latest(run) == -1, "latest %d among names that no run gives", checkpoint_latest(run));
    checkpoint_prune(run, 1);
    int left = 0;
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) { left += file_exists(path_of("%s/%s/model.safetensors", folder, foreign[i])); }
    check(left == sizeof(foreign) / sizeof(foreign[0]), "%d of those folders stay", left);
    remove_tree(run);

    TinyModel tiny = model_create(83, 4);
    Error error = {""};
    check(directory_create(elsewhere, &error) && directory_create(folder, &error), "%s", error.text);
    const char *mine[] = {"precious", "trainer_state.json"};
    for (int i = 0; i < 2; i++) { write_text(path_of("%s/%s", elsewhere, mine[i]), "mine"); }
    // an old checkpoint, a half-written one, and the one about to be written, all of them links
    const char *links[] = {"step_000001", "step_000002.tmp", "step_000003.tmp", "step_000003"};
    for (int i = 0; i < 4; i++) {
        snprintf(link_path, sizeof(link_path), "%s/%s", folder, links[i]);
        check(symlink(elsewhere, link_path) == 0, "%s: %s", link_path, strerror(errno));
    }
    save(run, &tiny.policy, 3, 1);
    check_text(listing(folder), "step_000003", "a save in the midst of links");
    check_text(listing(elsewhere), "precious trainer_state.json", "what they led to is whole");
    // a file of the checkpoint under its temporary name, and a run's own config.json under it
    const char *const path = path_of("%s/linked.json", root);
    check(symlink(path_of("%s/precious", elsewhere), path_of("%s.tmp", path)) == 0, "%s", strerror(errno));
    write_text(path, "new");
    for (int i = 0; i < 2; i++) {
        Buffer bytes = read_file(i ? path_of("%s/precious", elsewhere) : path);
        check_text(bytes.data, i ? "mine" : "new", "a temporary name that was a link");
        buffer_free(&bytes);
    }
    check(!file_exists(path_of("%s.tmp", path)), "and is gone");
    tiny_model_free(&tiny);
}

// ---- a disk that is full
// Whether a save of step 2 into `run`, where step 1 is, fails with a sentence that mentions `why` and leaves step 1 as it was.
static void check_failed_save(const char *run, Policy *p, Policy *scratch, const Policy *kept, const char *what, const char *why) {
    const TrainState state = {.step = 2, .updates = 4};
    TrainState found = {0};
    Error error = {""};
    check(!checkpoint_write(run, p, &state, source, 1, &error), "%s: the save goes through", what);
    check(one_sentence(&error) && strstr(error.text, why), "%s: \"%s\"", what, error.text);
    check_text(listing(path_of("%s/checkpoints", run)), "step_000001", what);
    check(checkpoint_latest(run) == 1 && checkpoint_read(path_of("%s/checkpoints/step_000001", run), scratch, &found, &error) && same_state(scratch, kept),
          "%s: the checkpoint before is not as it was: %s", what, error.text);
}
static void test_full_disk(void) {
    TinyModel first = model_create(83, 6), later = model_create(83, 7), scratch = model_create(83, 8);
    AdamW adamw = adamw_start;
    char run[100], small[100];
    snprintf(run, sizeof(run), "%s/full", root);
    snprintf(small, sizeof(small), "%s/small", root);
    save(run, &first.policy, 1, 1);
    update(&later.policy, &adamw, 1);
    signal(SIGXFSZ, SIG_IGN); // a write past the limit then fails as one on a full disk does
    struct rlimit before, limit;
    getrlimit(RLIMIT_FSIZE, &before);
    const rlim_t limits[] = {0, 30, 1000, 40000, 200000}; // in the copied files, in the weights' header, in them, in the optimizer's
    for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
        limit = (struct rlimit){limits[i], before.rlim_max};
        setrlimit(RLIMIT_FSIZE, &limit);
        check_failed_save(run, &later.policy, &scratch.policy, &first.policy, path_of("no file longer than %d bytes", (int)limits[i]), "File too large");
        setrlimit(RLIMIT_FSIZE, &before);
    }
    signal(SIGXFSZ, SIG_DFL);
    save(run, &later.policy, 2, 1);
    check_text(listing(path_of("%s/checkpoints", run)), "step_000002", "with room again the save goes through");

    const size_t bytes = later.policy.parameters.actual * (sizeof(floatX) + (sizeof(floatX) == sizeof(float) ? 8 : 12)); // of a checkpoint
    const size_t rooms[] = {bytes * 3 / 2, bytes * 5 / 4, bytes * 3};
    Error error;
    check(directory_create(small, &error), "%s", error.text);
    for (int i = 0; i < 3; i++) { // too few bytes for the optimizer, for the weights; too few files
        char *options = path_of("size=%zu,nr_inodes=%d", rooms[i], i < 2 ? 100 : 14);
        if (geteuid() != 0 || mount("none", small, "tmpfs", 0, options) != 0) {
            check_skip("a small tmpfs cannot be mounted here: full disks are only played by a limit on file sizes");
            break;
        }
        save(small, &first.policy, 1, 1);
        check_failed_save(small, &later.policy, &scratch.policy, &first.policy, options, "No space left");
        umount(small);
    }
    tiny_model_free(&first), tiny_model_free(&later), tiny_model_free(&scratch);
}

int main(void) {
    device_init();
    snprintf(root, sizeof(root), "%s/test_checkpoint_XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"); // in memory every fsync is free
    if (!mkdtemp(root)) { fatal("%s: %s", root, strerror(errno)); }
    snprintf(source, sizeof(source), "%s/source", root);
    Error error = {""};
    const ModelConfig config = tiny_config("qwen2");
    const GenerationConfig generation = {.eos = {2}, .eos_count = 1, .bos = 1, .pad = -1, .temperature = 1, .top_p = 1};
    check(directory_create(source, &error) && model_config_write(source, &config, &error) && generation_config_write(source, &generation, &error), "%s", error.text);
    write_text(path_of("%s/tokenizer_config.json", source), "{\"chat_template\": \"x\"}\n");
    test_round_trip();
    test_damage();
    test_latest_and_pruning();
    test_names_and_links();
    test_full_disk();
    remove_tree(root);
    return check_report("test_checkpoint");
}
