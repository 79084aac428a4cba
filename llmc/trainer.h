// trainer: what the loop of train_grpo.cu works with, opened once. Everything is read and checked, the memory plan is printed and
// accepted, and only then is anything allocated or written.
#pragma once
#include "data/leakage.h"
#include "llmc/advantage.h"
#include "llmc/batch.h"
#include "llmc/checkpoint.h"
#include "llmc/cost.h"
#include "llmc/dataset.h"
#include "llmc/dynamic_sampling.h"
#include "llmc/generator.h"
#include "llmc/loggers.h"
#include "llmc/loss_options.h"
#include "llmc/shaping.h"

enum { MAX_EVAL_SETS = 16 };
typedef struct {
    char name[64]; // the file's name without its ending
    PromptSet *prompts;
} EvalSet;

typedef struct {
    const Config *config;
    Generator g; // the model, and what samples and grades its answers
    Dataset dataset;
    EvalSet eval_sets[MAX_EVAL_SETS];
    int eval_set_count, eval_chunk; // questions evaluated at a time
    BatchPlan plan;
    Microbatch microbatch;
    float *dlogprob, *dentropy; // (tokens_per_microbatch) on the host
    AdamW adamw;
    AdvantageEstimator *advantage;
    GrpoOptions loss;
    TrainState state;
    SamplingStats sampling; // of the running step
    int total_steps;
    Loggers loggers;
    int skipped_in_row;   // updates, because their gradient was not finite
    uint32_t fingerprint; // of the step done last
    bool replay_differs;  // from what was recorded
    double step_started, phase_started, old_logprob_seconds, reference_seconds;
    ModelCost cost;
    DeviceLimits limits;
    double learnt_operations; // that this rank's updates of the step need (cost.h)
} Trainer;

// What a run leaves behind, rank 0 writes. The other ranks compute the same and say nothing.
static inline bool trainer_writes(void) { return ranks_mine() == 0; }

// ---- opening

static inline void trainer_open_data(Trainer *t) {
    const Config *c = t->config;
    char item[1024], prepared[1024];
    Error error;
    snprintf(prepared, sizeof(prepared), "%.1000s/data", c->run_dir);
    if (!*c->train_data) { fatal("no training data: give --train_data FILE (.parquet, .jsonl or .bin)"); }
    PromptSet *prompts = prompts_open(c->train_data, c->model, prepared, trainer_writes(), c->max_prompt_tokens, t->g.policy.vocab_used, item);
    if (!dataset_open(&t->dataset, prompts, c->train_data, c->prompts_per_step, random_key((uint64_t)c->seed, 1), &error)) { fatal("%s", error.text); }
    TextTable training = leakage_table(prompts);
    for (const char *list = c->eval_data; *list;) {
        size_t length = strcspn(list, ",");
        snprintf(item, sizeof(item), "%.*s", (int)length, list);
        list += length + (list[length] == ',');
        if (t->eval_set_count == MAX_EVAL_SETS) { fatal("--eval_data: more than %d files", MAX_EVAL_SETS); }
        EvalSet *set = &t->eval_sets[t->eval_set_count++];
        set->prompts = prompts_open(item, c->model, prepared, trainer_writes(), c->max_prompt_tokens, t->g.policy.vocab_used, set->name);
        for (const EvalSet *other = t->eval_sets; other < set; other++) {
            if (!strcmp(other->name, set->name)) { fatal("--eval_data: two files are called %s, and so would their metrics: rename one", set->name); }
        }
        leakage_warn(stdout, &training, set->prompts, item);
    }
    text_table_free(&training);
}

// One pass over the memory plan: counts it, or, after memory_commit, hands it out.
static inline void trainer_layout(Trainer *t, size_t cache_bytes, int recompute) {
    const Config *c = t->config;
    const int longest = config_longest_context(c), answer = longest > c->eval_max_tokens ? longest : c->eval_max_tokens;
    const int batch = c->prompts_per_step * c->group_size, sequences = c->max_sequences ? c->max_sequences : batch < 256 ? batch
                                                                                                                         : 256;
    PolicySizes sizes = {.rows = c->tokens_per_microbatch, .max_positions = c->max_prompt_tokens + answer, .recompute = recompute, .optimizer = true, .reference = c->kl_coef != 0, .logits_bytes = POLICY_LOGITS_BYTES};
    RolloutSizes rollout = {sequences, c->max_prompt_tokens + answer, c->max_prompt_tokens, cache_bytes, POLICY_LOGITS_BYTES};
    policy_layout(&t->g.policy, &t->g.memory, &sizes);
    rollout_layout(&t->g.engine, &t->g.policy, &t->g.memory, &rollout);
}
// Counts the plan for `available` bytes into t->g.memory and prints it (where NULL: does not). Without --kv_cache_mib the KV cache takes what the rest leaves;
// without --recompute the level is 1, or 2 where 1 does not fit (the level changes no bit). False, with an error, when it does not fit.
static inline bool trainer_count_memory(Trainer *t, const char *where, size_t available, size_t float_bytes, int ranks, size_t *cache_bytes, Error *error) {
    const Config *c = t->config;
    const int least = c->recompute < 0 ? 1 : c->recompute, most = c->recompute < 0 ? 2 : c->recompute;
    for (int level = least; level <= most; level++) {
        *cache_bytes = (size_t)c->kv_cache_mib << 20;
        for (int pass = *cache_bytes ? 1 : 0; pass < 2; pass++) {
            t->g.memory = (Memory){.float_bytes = float_bytes, .ranks = ranks};
            trainer_layout(t, *cache_bytes, level);
            const size_t other = t->g.memory.used[MEMORY_RESIDENT] + t->g.memory.used[MEMORY_GENERATE];
            if (pass == 0) { *cache_bytes = available > other ? available - other : 0; }
        }
        if (memory_total(&t->g.memory) <= available) { break; }
    }
    if (!where) { return memory_fits(&t->g.memory, available, error); }
    const double gib = 1.0 / (1 << 30);
    printf("memory plan for %s: %.1f of %.1f GiB, recompute level %d, micro-batches of %d tokens, KV cache of %zu tokens\n", where, (double)memory_total(&t->g.memory) * gib,
           (double)available * gib, t->g.policy.recompute, c->tokens_per_microbatch, (size_t)t->g.engine.pages * KV_PAGE);
    memory_print(&t->g.memory, stdout);
    return memory_fits(&t->g.memory, available, error);
}
// What this rank may take. All ranks plan with the least that any has, so that their plans agree.
static inline size_t trainer_memory_bytes(void) {
    double bytes = -(double)device_memory_bytes();
    ranks_largest(&bytes, 1);
    return (size_t)-bytes;
}
// How long the stages would take on H100s: at their limits, and at the shares of these that good kernels reach. Not measured.
static inline void trainer_print_prediction(const Trainer *t, int gpus) {
    static const double operations = 989e12, bytes = 3.35e12, operations_reached = 0.5, bytes_reached = 0.7;
    const Config *c = t->config;
    const ModelCost cost = model_cost(&t->g.policy.config, 2);
    StepShape step = {.answers = (double)c->prompts_per_step * c->group_size, .prompt = c->max_prompt_tokens < 150 ? c->max_prompt_tokens : 150, .at_once = t->g.engine.sizes.max_sequences, .gpus = gpus};
    step.scorings = (c->kl_coef != 0) + !strcmp(c->old_logprobs, "trainer");
    double hours = 0, least_hours = 0;
    printf("prediction for %d H100%s, not measured (%.0f%% of their memory's bandwidth in sampling, %.0f%% of their operations in learning; answers as long as DeepScaleR's):", gpus, gpus > 1 ? "s" : "", 100 * bytes_reached, 100 * operations_reached);
    for (int i = 0; i < c->stage_count; i++) {
        const int steps = c->stage_count == 1 && c->steps ? c->steps : c->stages[i].steps;
        step.context = c->stages[i].context;
        step.operations = operations, step.bytes = bytes;
        const double least = cost_step_seconds(&cost, &step);
        step.operations *= operations_reached, step.bytes *= bytes_reached;
        const double seconds = cost_step_seconds(&cost, &step);
        printf("%s %.0f s a step of context %d", i ? "," : "", seconds, c->stages[i].context);
        hours += seconds * steps / 3600, least_hours += least * steps / 3600;
    }
    printf(hours > 0 ? "; %.1f hours in all, evaluations apart (%.1f at the limits of the hardware)\n" : "\n", hours, least_hours);
}
// --plan: what the options take of the GPUs they are meant for, in bf16: one of 80 GB, and each of 8, among which the optimizer's state is
// divided (ZeRO-1); then of this machine's device, which need not be there for the first two. The exit code says whether it fits this one.
static inline void trainer_print_plans(Trainer *t) {
    const size_t gpu = ((size_t)81559 << 20) - ((size_t)1 << 29) - DEVICE_GPU_RESERVE; // as nvidia-smi counts it, less the CUDA context
    size_t cache_bytes;
    Error error;
    if (!trainer_count_memory(t, "one 80 GB GPU, bf16", gpu, 2, 1, &cache_bytes, &error)) { printf("does not fit one 80 GB GPU: %s\n", error.text); }
    trainer_print_prediction(t, 1);
    if (!trainer_count_memory(t, "each of 8 such GPUs, bf16, optimizer divided by 8", gpu, 2, 8, &cache_bytes, &error)) { printf("does not fit 8 GPUs of 80 GB: %s\n", error.text); }
    trainer_print_prediction(t, 8);
    fflush(stdout);
    device_init();
    if (!trainer_count_memory(t, device_name(), trainer_memory_bytes(), 0, ranks_count(), &cache_bytes, &error)) { fatal("%s", error.text); }
    ranks_close();
    exit(EXIT_SUCCESS);
}
static inline void trainer_plan_memory(Trainer *t) {
    const Config *c = t->config;
    size_t cache_bytes;
    Error error;
    if (c->plan) { trainer_print_plans(t); }
    if (!trainer_count_memory(t, device_name(), trainer_memory_bytes(), 0, ranks_count(), &cache_bytes, &error)) { fatal("%s", error.text); }
    int prompts = c->prompts_per_step;
    for (int i = 0; i < t->eval_set_count; i++) { prompts = prompts > prompt_set_count(t->eval_sets[i].prompts) ? prompts : prompt_set_count(t->eval_sets[i].prompts); }
    // as many questions are evaluated at a time as the samples of a training step have room for
    const int batch = c->prompts_per_step * c->group_size, answers = batch > c->eval_samples ? batch : c->eval_samples;
    t->eval_chunk = answers / c->eval_samples < prompts ? answers / c->eval_samples : prompts;
    const int longest = config_longest_context(c);
    memory_commit(&t->g.memory);
    trainer_layout(t, cache_bytes, t->g.policy.recompute);
    generator_open_samples(&t->g, answers, t->eval_chunk > c->prompts_per_step ? t->eval_chunk : c->prompts_per_step, longest > c->eval_max_tokens ? longest : c->eval_max_tokens, c->grader);
    t->plan = batch_plan_create(batch);
    t->microbatch = microbatch_create(c->tokens_per_microbatch, batch);
    t->dlogprob = (float *)host_alloc(sizeof(float) * 2 * (size_t)c->tokens_per_microbatch);
    t->dentropy = t->dlogprob + c->tokens_per_microbatch;
}

// The reference of a later stage's KL term: a resumed run must find the same one. The first stage's is the model that training starts from.
static inline void trainer_save_reference(const Trainer *t) {
    char path[1024];
    PolicyArray reference = {"", weight_dtype, t->g.policy.reference, false};
    Error error;
    if (!trainer_writes()) { return; }
    snprintf(path, sizeof(path), "%.900s/reference", t->config->run_dir);
    if (!directory_create(path, &error)) { fatal("%s", error.text); }
    snprintf(path, sizeof(path), "%.900s/reference/stage_%d.safetensors", t->config->run_dir, t->state.stage);
    if (!policy_write_arrays(path, 0, &t->g.policy, &reference, 1, &error)) { fatal("%s", error.text); }
}
static inline void trainer_read_reference(Trainer *t, const char *checkpoint) { // it lies in the run_dir that the checkpoint is of
    char path[1024];
    PolicyArray reference = {"", weight_dtype, t->g.policy.reference, false};
    Error error;
    snprintf(path, sizeof(path), "%.900s/../../reference/stage_%d.safetensors", checkpoint, t->state.stage);
    if (!file_exists(path)) { fatal("%s: is missing, and without it the KL term cannot go on: resume a checkpoint where it was written, or start from it with --model", path); }
    if (!policy_read_arrays(path, &t->g.policy, &reference, 1, &error)) { fatal("%s", error.text); }
}

// The newest checkpoint of run_dir, the one --resume names, or the model that training starts from. Returns the step to go on from, -1 for a new run.
static inline int trainer_resume(Trainer *t) {
    const Config *c = t->config;
    char path[1024];
    Error error = {""};
    const bool named = strcmp(c->resume, "auto") != 0 && strcmp(c->resume, "never") != 0;
    int latest = named || *c->replay ? -1 : checkpoint_latest(c->run_dir);
    ranks_broadcast(&latest, sizeof(latest), 0);
    if (latest >= 0 && !strcmp(c->resume, "never")) { fatal("%s: holds a run up to step %d already: choose another --run_dir, remove it, or --resume auto", c->run_dir, latest); }
    if (!policy_start_weights(&t->g.policy, c->model, c->random_weights, (uint64_t)c->seed, &error)) { fatal("%s", error.text); }
    if (t->g.policy.reference) { device_copy(t->g.policy.reference, t->g.policy.weights, t->g.policy.parameters.total * sizeof(floatX)); }
    if (latest < 0 && !named) { return -1; }
    if (named) {
        snprintf(path, sizeof(path), "%.1000s", c->resume);
    } else {
        checkpoint_path(path, c->run_dir, latest, "");
    }
    if (!checkpoint_read(path, &t->g.policy, &t->state, &error)) { fatal("%s", error.text); }
    printf("resuming from %s: step %d\n", path, t->state.step);
    if (t->state.stage >= c->stage_count) { fatal("%s/trainer_state.json: is of stage %d, --context %s has %d", path, t->state.stage + 1, c->context, c->stage_count); }
    if (t->g.policy.reference && t->state.stage > 0) {
        trainer_read_reference(t, path);
        if (named) { trainer_save_reference(t); }
    }
    return t->state.step;
}
// run_dir must be there and hold no other configuration.
static inline void trainer_check_run_dir(const Config *c, const char *config_path) {
    Error error;
    if (!directory_create(c->run_dir, &error)) { fatal("%s", error.text); }
    if (!file_exists(config_path)) { return; }
    const int latest = checkpoint_latest(c->run_dir);
    json_t *saved = json_read(config_path, &error);
    Buffer difference = {0};
    if (!saved) { fatal("%s", error.text); }
    if (config_difference(&difference, saved, c, latest > 0 ? latest : 0)) {
        fatal("%s: this run_dir holds another configuration: %s: choose another --run_dir, or give the same options", config_path, difference.data);
    }
    buffer_free(&difference);
    json_decref(saved);
}

// How many steps the run has: from here on, as many as the stages have left. --steps and an open last stage fix the number.
static inline int trainer_total_steps(const Trainer *t) {
    const Config *c = t->config;
    int64_t total = t->state.stage_start;
    if (c->steps || !c->stages[c->stage_count - 1].steps) { return config_total_steps(c, t->dataset.count); }
    for (int i = t->state.stage; i < c->stage_count; i++) { total += c->stages[i].steps; }
    return total < INT32_MAX ? (int)total : INT32_MAX;
}
static inline void trainer_open(Trainer *t, const Config *config) {
    Error error;
    char config_path[1024], ranks_path[1024];
    snprintf(config_path, sizeof(config_path), "%.1000s/config.json", config->run_dir);
    snprintf(ranks_path, sizeof(ranks_path), "%.1000s/ranks.txt", config->run_dir);
    *t = (Trainer){.config = config, .advantage = advantage_estimators[NAME_INDEX(advantage_names, config->advantage)], .loss = loss_options(config)};
    t->adamw = (AdamW){.beta1 = config->adam_beta1, .beta2 = config->adam_beta2, .eps = config->adam_eps, .weight_decay = config->weight_decay, .grad_clip = config->grad_clip > 0 ? config->grad_clip : INFINITY};
    if (config->threads) { omp_set_num_threads(config->threads); }
    if (!config->plan) {
        device_init();
        collectives_open();
    }
    options_table(stdout, config, &grpo_option_set);
    generator_open_model(&t->g, config->model, config->plan, stdout);
    t->g.policy.bf16_logits = config->bf16_logits;
    t->g.fixed_queue = !strcmp(config->rollout_queue, "fixed");
    if (!config->plan) {
        trainer_check_run_dir(config, config_path);
        watch_open(ranks_path, config->rank_timeout);
        trainer_open_data(t);
    }
    trainer_plan_memory(t);
    t->cost = model_cost(&t->g.policy.config, sizeof(floatX));
    t->limits = device_limits((size_t)t->cost.product_bytes);
    t->state.answer_lengths = t->dataset.answer_lengths, t->state.prompts = t->dataset.count;
    int resumed = trainer_resume(t);
    t->adamw.step = t->state.updates;
    t->total_steps = trainer_total_steps(t);
    // everything has been read and found good: from here on the folder is this run's
    ranks_wait();
    if (trainer_writes() && !config_write_json(config_path, config, &grpo_option_set, &error)) { fatal("%s", error.text); }
    if (trainer_writes() && !loggers_open(&t->loggers, config, resumed, &error)) { fatal("%s", error.text); }
    if (*config->replay && t->state.step + 1 != t->total_steps) { fatal("--replay %.200s: is what step %d began with, and %.200s is of step %d", config->replay, t->total_steps, config->resume, t->state.step); }
    stop_on_signals();
}
static inline int trainer_close(Trainer *t) { // the exit code: a run that was asked to stop says so
    Error error;
    int code = stop_requested == SIGTERM ? 143 : stop_requested == SIGINT ? 130
                                                                          : t->replay_differs;
    if (trainer_writes() && !loggers_close(&t->loggers, code, &error)) { fatal("%s", error.text); }
    watch_close();
    dataset_close(&t->dataset);
    for (int i = 0; i < t->eval_set_count; i++) { prompt_set_close(t->eval_sets[i].prompts); }
    generator_close(&t->g);
    batch_plan_free(&t->plan);
    microbatch_free(&t->microbatch);
    free(t->dlogprob);
    device_shutdown();
    ranks_close();
    return code;
}
