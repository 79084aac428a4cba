// doctor: `./train_grpo doctor [options]` looks at everything a run with these options needs, one line each, and trains nothing: the device, the
// job's ranks, memory, disk, the model folder, the data, the grader. Exit code 1 when something would keep the run from going.
#pragma once
#include "llmc/doctor_machine.h"
#include "llmc/doctor_model.h"
#include "llmc/miniature.h"

// ---- data
// A data set as the trainer would have it; NULL when it would not. Prepared in the scratch folder if it is not a .bin.
static inline PromptSet *doctor_open_data(Doctor *d, const char *what, const char *path) {
    const Config *c = d->t.config;
    char prepared[300];
    PrepareCounts counts = {0};
    PromptSet *prompts = NULL;
    Buffer text = {0};
    Error error;
    const bool is_bin = path_ends_with(path, ".bin");
    snprintf(prepared, sizeof(prepared), "%s/data.bin", d->scratch);
    if (!d->has_tokenizer || !d->has_template) {
        doctor_say(d, DOCTOR_UNCHECKED, what, "%s: not read without %s", path, d->has_tokenizer ? "a chat template" : "the model's tokenizer");
        return NULL;
    }
    if (!is_bin && !*d->scratch) {
        doctor_say(d, DOCTOR_UNCHECKED, what, "%s: not read without a folder to prepare it in", path);
        return NULL;
    }
    bool ok = is_bin || prompt_set_prepare(prepared, path, c->model, c->max_prompt_tokens, NULL, &counts, &error);
    const char *opened = is_bin ? path : prepared;
    ok = ok && (prompts = prompt_set_open(opened, &error)) && prompt_set_check_model(prompts, opened, c->model, &error) &&
         prompt_set_check_limits(prompts, opened, c->max_prompt_tokens, tokenizer_vocab_size(d->t.g.tokenizer), &error);
    if (!ok) {
        doctor_say(d, DOCTOR_PROBLEM, what, "%s", error.text);
        prompt_set_close(prompts);
        return NULL;
    }
    if (is_bin) { buffer_printf(&text, "%d prompts", prompt_set_count(prompts)); }
    if (!is_bin) { prepare_counts_text(&text, &counts, c->max_prompt_tokens); }
    const bool odd = counts.malformed > 0 || counts.kept < counts.read / 10 * 9;
    doctor_say(d, odd ? DOCTOR_WARNING : DOCTOR_OK, what, "%s: %s; the longest has %d tokens", path, text.data, prompt_set_longest(prompts));
    buffer_free(&text);
    return prompts;
}
// Returns how many prompts there are to train on, 0: none that could be read.
static inline int doctor_check_data(Doctor *d) {
    const Config *c = d->t.config;
    Dataset dataset = {0};
    TextTable training = {0};
    char item[1024], name[64], names[MAX_EVAL_SETS][64];
    int sets = 0, leaking = 0, read = 0;
    Error error;
    if (!*c->train_data) { doctor_say(d, DOCTOR_PROBLEM, "training data", "none: give --train_data FILE (.parquet, .jsonl or .bin)"); }
    PromptSet *prompts = *c->train_data ? doctor_open_data(d, "training data", c->train_data) : NULL;
    const int count = prompts ? prompt_set_count(prompts) : 0;
    if (prompts) {
        training = leakage_table(prompts);
        if (!dataset_open(&dataset, prompts, c->train_data, c->prompts_per_step, 0, &error)) { doctor_say(d, DOCTOR_PROBLEM, "training data", "%s", error.text); }
        dataset_close(&dataset);
    }
    for (const char *list = c->eval_data; *list; sets++) {
        const size_t length = strcspn(list, ",");
        snprintf(item, sizeof(item), "%.*s", (int)length, list);
        list += length + (list[length] == ',');
        prompts_name(name, item);
        for (int i = 0; i < sets && i < MAX_EVAL_SETS; i++) {
            if (!strcmp(names[i], name)) { doctor_say(d, DOCTOR_PROBLEM, "evaluation", "two files are called %s, and so would their metrics: rename one", name); }
        }
        if (sets < MAX_EVAL_SETS) { snprintf(names[sets], sizeof(names[sets]), "%s", name); }
        PromptSet *set = doctor_open_data(d, "evaluation", item);
        Buffer text = {0};
        read += set != NULL;
        if (set && leakage_describe(&text, &training, set)) { leaking++, doctor_say(d, DOCTOR_WARNING, "leakage", "%s: %s", item, text.data); }
        buffer_free(&text);
        prompt_set_close(set);
    }
    if (sets > MAX_EVAL_SETS) { doctor_say(d, DOCTOR_PROBLEM, "evaluation", "--eval_data: more than %d files", MAX_EVAL_SETS); }
    if (count && read && !leaking) { doctor_say(d, DOCTOR_OK, "leakage", "no evaluation problem is in the training set"); }
    text_table_free(&training);
    return count;
}

// ---- grader: verdicts that both graders are known to give, from the tests of each
static inline void doctor_check_grader(Doctor *d) {
    static const struct {
        const char *response, *truth;
        int reward;
    } known[] = {
        {"<think>2+2</think> \\boxed{4}", "\"4\"", 1},
        {"<think>2+2</think> \\boxed{5}", "\"4\"", 0},
        {"<think>half</think> \\boxed{\\frac{1}{2}}", "\"\\\\frac{1}{2}\"", 1},
        {"<think>root</think> \\boxed{2\\sqrt{2}}", "\"\\\\sqrt{8}\"", 1},
        {"<think>a</think> \\boxed{142}", "142.0", 1},
        {"<think>several</think> \\boxed{7}", "[\"3\",\"7\"]", 1},
        {"<think>no end", "\"4\"", 0},
    };
    const int count = (int)(sizeof(known) / sizeof(known[0]));
    GraderMode mode = GRADER_DEEPSCALER;
    grader_from_name(&mode, d->t.config->grader);
    for (int i = 0; i < count; i++) {
        const Verdict verdict = reward_grade_response(mode, known[i].response, strlen(known[i].response), known[i].truth);
        if (verdict.reward == known[i].reward) { continue; }
        doctor_say(d, DOCTOR_PROBLEM, "grader", "%s gives %s, truth %s, the reward %d (%s), %d is right: FLINT or this build is broken; make clean && make test", d->t.config->grader, known[i].response, known[i].truth, verdict.reward,
                   verdict.reason, known[i].reward);
        return;
    }
    doctor_say(d, DOCTOR_OK, "grader", "%s: %d verdicts as they should be", d->t.config->grader, count);
}

// ---- the whole
// A folder for what is prepared to be looked at.
static inline void doctor_make_scratch(Doctor *d) {
    const char *folder = getenv("TMPDIR");
    snprintf(d->scratch, sizeof(d->scratch), "%.200s/doctor.XXXXXX", folder && *folder ? folder : "/tmp");
    if (mkdtemp(d->scratch)) { return; }
    doctor_say(d, DOCTOR_PROBLEM, "scratch", "%s: cannot be created: %s: data is prepared there to be looked at; set TMPDIR", d->scratch, strerror(errno));
    *d->scratch = 0;
}
// What the bare default would train: its model and data are made in the scratch folder, unless an earlier run has left its start.
static inline void doctor_make_miniature(Doctor *d, Config *config) {
    static char model[300], start[1100], train[300], eval[300];
    snprintf(start, sizeof(start), "%.900s/miniature/start_%lld/model", config->run_dir, (long long)config->seed);
    snprintf(model, sizeof(model), "%s/model", d->scratch);
    snprintf(train, sizeof(train), "%s/train.parquet", d->scratch);
    snprintf(eval, sizeof(eval), "%s/held_out.parquet", d->scratch);
    miniature_write_model(model);
    miniature_write_prompts(train, false, random_key((uint64_t)config->seed, 11));
    miniature_write_prompts(eval, true, 0);
    config->model = file_exists(start) ? start : model;
    config_set_default(config, "train_data", train);
    config_set_default(config, "eval_data", eval);
}
static inline void doctor_remove_scratch(const Doctor *d) {
    char path[300];
    snprintf(path, sizeof(path), "%s/model", d->scratch);
    if (!*d->scratch) { return; }
    directory_remove(path);
    directory_remove(d->scratch);
}
static inline bool doctor_wanted(int argc, char **argv) { return argc > 1 && !strcmp(argv[1], "doctor"); }

// argv as main has it, with the word doctor. Returns the exit code.
static inline int doctor(int argc, char **argv) {
    Config config = config_from_args(argc - 1, argv + 1);
    Doctor *d = (Doctor *)host_alloc(sizeof(Doctor));
    Buffer bos = {0}, eos = {0};
    d->t.config = &config;
    if (config.threads) { omp_set_num_threads(config.threads); }
    d->miniature = miniature_choose(&config);
    doctor_make_scratch(d);
    if (d->miniature && *d->scratch) { doctor_make_miniature(d, &config); }
    doctor_check_device(d);
    doctor_check_ranks(d);
    doctor_check_limits(d);
    const bool writable = doctor_check_run_dir(d);
    doctor_check_config(d);
    doctor_check_weights(d);
    doctor_check_tokenizer(d);
    doctor_check_template(d, &bos, &eos);
    doctor_check_eos(d, &eos);
    doctor_check_memory(d);
    const int prompts = doctor_check_data(d);
    if (writable) { doctor_check_disk(d, prompts); }
    doctor_check_grader(d);
    doctor_remove_scratch(d);
    printf("doctor: %d ok, %d warning%s, %d problem%s\n", d->said[DOCTOR_OK], d->said[DOCTOR_WARNING], d->said[DOCTOR_WARNING] == 1 ? "" : "s", d->said[DOCTOR_PROBLEM], d->said[DOCTOR_PROBLEM] == 1 ? "" : "s");
    const int code = d->said[DOCTOR_PROBLEM] ? EXIT_FAILURE : EXIT_SUCCESS;
    buffer_free(&bos);
    buffer_free(&eos);
    if (d->t.g.tokenizer) { tokenizer_free(d->t.g.tokenizer); }
    rollout_close(&d->t.g.engine);
    policy_free(&d->t.g.policy);
    free(d);
    reward_thread_cleanup();
    if (fflush(stdout) != 0 || ferror(stdout)) { fatal("standard output: cannot be written: %s", strerror(errno)); }
    ranks_close();
    return code;
}
