// trainer_steps: what train_grpo.cu's loop calls by name: begin a stage, sample, the reference's log-probabilities, evaluate, report, save.
#pragma once
#include <malloc.h>
#include "llmc/replay.h"
#include "llmc/trainer_losses.h"
#include "llmc/trainer_stages.h"
#include "llmc/trainer_summary.h"

static inline bool trainer_stopped(void) { return ranks_any(stop_requested != 0); } // a signal to one rank is one to all

// ---- 1. sample

// Answers to the step's prompts; with --dynamic_sampling in rounds, until prompts_per_step groups have a signal or the rounds are used up.
static inline bool trainer_sample(Trainer *t) {
    const Config *c = t->config;
    const RolloutOptions how = {.temperature = c->temperature, .top_p = 1, .max_new_tokens = c->stages[t->state.stage].context};
    const uint64_t step_key = random_key(random_key((uint64_t)c->seed, 3), (uint64_t)t->state.step);
    int64_t position = t->state.data_position; // of a step that is cut short nothing counts
    int kept = 0;
    t->step_started = seconds_now();
    t->learnt_operations = t->old_logprob_seconds = t->reference_seconds = 0;
    watch_phase("generate", t->state.step + 1);
    t->sampling = (SamplingStats){.rounds = 0};
    samples_clear(&t->g.samples);
    if (*c->replay) {
        replay_read_answers(t);
        return true;
    }
    do {
        const uint64_t key = t->sampling.rounds ? random_key(step_key, ~(uint64_t)t->sampling.rounds) : step_key; // a prompt that comes twice is not answered alike
        const int *prompts = dataset_draw(&t->dataset, &position, c->prompts_per_step - kept);
        if (!generator_generate(&t->g, "rollout", t->dataset.prompts, prompts, c->prompts_per_step - kept, c->group_size, key, &how, t->dataset.answer_lengths)) { return false; }
        kept = sampling_keep_groups(&t->g.samples, t->g.prompt_index, kept, c->group_size, c->dynamic_sampling > 0, &t->sampling);
        t->sampling.rounds++;
        t->sampling.decoded_tokens += (double)t->g.engine.decoded_tokens;
        t->sampling.preemptions += t->g.engine.preemptions;
        t->sampling.idle_seconds += t->g.idle_seconds;
        t->sampling.least_seconds += cost_decode_seconds(&t->cost, (double)t->g.engine.decode_steps, (double)t->g.engine.decoded_tokens, t->g.engine.attended, t->limits.operations, t->limits.bytes);
    } while (kept < c->prompts_per_step && t->sampling.rounds < c->dynamic_sampling);
    t->state.data_position = position;
    t->phase_started = seconds_now();
    watch_phase("learn", t->state.step + 1);
    return true;
}

// ---- 3. learn

static inline float trainer_learning_rate(const Trainer *t) { // constant, after a linear warm-up
    const float into = (float)(t->state.step - t->state.warmup_start + 1), warmup = (float)t->config->warmup_steps;
    return t->config->learning_rate * (into < warmup ? into / warmup : 1);
}

// The update of the minibatch whose first answer is `first`. A gradient that is not finite updates nothing: the step's answers are kept in
// run_dir/skipped for a closer look, and so many such updates in a row end the run, whose checkpoints are all from before or as good.
static inline void trainer_update(Trainer *t, UpdateStats *updates, int first) {
    const int skipped = updates->skipped, in_minibatch = t->config->minibatch_prompts * t->config->group_size;
    char path[1100];
    Error error;
    if (t->plan.count == 0) { policy_backward_nothing(&t->g.policy); }
    for (int i = 0; i < t->plan.starts[t->plan.count]; i++) { t->learnt_operations += 3 * cost_forward(&t->cost, sample_rows(&t->g.samples.list[t->plan.sample[i]])); }
    watch_phase("update", t->state.step + 1);
    policy_update(&t->g.policy, &t->adamw, updates);
    watch_phase("learn", t->state.step + 1);
    t->skipped_in_row = updates->skipped > skipped ? t->skipped_in_row + 1 : 0;
    if (t->skipped_in_row == 0 || !trainer_writes()) { return; }
    snprintf(path, sizeof(path), "%.1000s/skipped", t->config->run_dir);
    if (!directory_create(path, &error)) { fatal("%s", error.text); }
    snprintf(path, sizeof(path), "%.1000s/skipped/step_%06d.jsonl", t->config->run_dir, t->state.step + 1);
    if (!records_write(path, &t->g.samples, &t->g.grading, &error)) { fatal("%s", error.text); }
    printf("warning: step %d: the gradient of answers %d to %d is not finite: no update from them; the step's answers are in %s\n", t->state.step + 1, first + 1,
           first + in_minibatch, path);
    if (t->skipped_in_row == t->config->max_skipped_updates) {
        const int latest = checkpoint_latest(t->config->run_dir);
        fatal("step %d: %d updates in a row had no finite gradient: look for the first number that is not finite in %s, lower --learning_rate, or go on from %s%.0d; "
              "--max_skipped_updates 0 never stops",
              t->state.step + 1, t->skipped_in_row, path, latest < 0 ? "another model: there is no checkpoint yet" : "an earlier checkpoint than that of step ", latest < 0 ? 0 : latest);
    }
}

// ---- 4. report, evaluate, save

static inline void metric_three(MetricSet *set, const char *name, const double *values, int count) { // name/mean, /max, /min
    char full[METRIC_NAME_SIZE];
    double sum = 0, most = -INFINITY, least = INFINITY;
    for (int i = 0; i < count; i++) { sum += values[i], most = fmax(most, values[i]), least = fmin(least, values[i]); }
    const struct {
        const char *part;
        double value;
    } parts[] = {{"mean", sum / count}, {"max", most}, {"min", least}};
    for (int i = 0; i < 3; i++) {
        snprintf(full, sizeof(full), "%s/%s", name, parts[i].part);
        metric_set(set, full, parts[i].value);
    }
}
// What the step's answers were like.
static inline void trainer_measure_samples(const Trainer *t, MetricSet *set, int group_size) {
    const Samples *samples = &t->g.samples;
    const int count = samples->count;
    double *values = (double *)host_alloc(sizeof(double) * ((size_t)count * 5 + 1)), cut = 0, gave_up = 0, none = 0, all = 0;
    double *reward = values, *advantage = values + count, *length = values + 2 * count, *prompt = values + 3 * count, *rewards = values + 4 * count;
    for (int i = 0; i < count; i++) {
        const Sample *s = &samples->list[i];
        reward[i] = (double)s->reward, rewards[i] = sample_return(s), advantage[i] = (double)s->advantage, length[i] = s->count, prompt[i] = s->prompt_count;
        cut += !s->finished, gave_up += s->verdict.gave_up;
    }
    for (int first = 0; first < count; first += group_size) {
        int right = 0;
        for (int i = first; i < first + group_size; i++) { right += reward[i] > 0; }
        none += right == 0, all += right == group_size;
    }
    metric_three(set, "critic/score", reward, count);
    metric_three(set, "critic/rewards", rewards, count);
    metric_three(set, "critic/advantages", advantage, count);
    metric_three(set, "response_length", length, count);
    metric_three(set, "prompt_length", prompt, count);
    metric_set(set, METRIC_CUT, cut / count);
    metric_set(set, METRIC_LIMIT, t->config->stages[t->state.stage].context);
    metric_set(set, "batch/solve_none", none + t->sampling.none);
    metric_set(set, "batch/solve_all", all + t->sampling.all);
    metric_set(set, "reward/gave_up", gave_up / count);
    free(values);
}
// How the update went. `fresh`: the sums after the first minibatch, whose weights are still the sampler's.
static inline void trainer_measure_update(const Trainer *t, MetricSet *set, const GrpoStats *stats, const GrpoStats *fresh, const UpdateStats *updates) {
    const double tokens = stats->tokens > 0 ? stats->tokens : 1, fresh_tokens = fresh->tokens > 0 ? fresh->tokens : 1;
    metric_set(set, "actor/pg_loss", stats->surrogate / tokens);
    metric_set(set, METRIC_ENTROPY, stats->entropy / tokens);
    trainer_measure_losses(t, set, stats, updates);
    metric_set(set, "actor/ppo_kl", stats->old_minus_new / tokens);
    metric_set(set, METRIC_GRAD_NORM, updates->count ? updates->norm_sum / updates->count : 0);
    metric_set(set, METRIC_LEARNING_RATE, (double)t->adamw.learning_rate);
    metric_set(set, "actor/skipped_updates", updates->skipped);
    metric_set(set, "training/rollout_probs_diff_mean", fresh->difference / fresh_tokens);
    metric_set(set, "training/rollout_probs_diff_max", fresh->largest_difference);
    metric_set(set, "training/rollout_actor_probs_pearson_corr", grpo_correlation(fresh));
    metric_set(set, "rollout_corr/logprob_diff_mean", fresh->log_difference / fresh_tokens);
    metric_set(set, "rollout_corr/logprob_diff_max", fresh->largest_log_difference);
    metric_set(set, "rollout_corr/kl", fresh->sampler_k1 / fresh_tokens);
    metric_set(set, "rollout_corr/k3_kl", fresh->sampler_k3 / fresh_tokens);
}
static inline void trainer_measure_time(const Trainer *t, MetricSet *set) {
    const double now = seconds_now(), step = now - t->step_started, sampling = t->phase_started - t->step_started;
    const double learning = now - t->phase_started - t->old_logprob_seconds - t->reference_seconds;
    double tokens = 0, of_ranks[] = {t->sampling.decoded_tokens, (double)t->sampling.preemptions, t->sampling.idle_seconds, t->sampling.least_seconds, t->learnt_operations, t->limits.operations};
    ranks_sum(of_ranks, 6);
    for (int i = 0; i < t->g.samples.count; i++) { tokens += t->g.samples.list[i].prompt_count + t->g.samples.list[i].count; }
    metric_set(set, "timing_s/gen", sampling);
    if (!strcmp(t->config->old_logprobs, "trainer")) { metric_set(set, "timing_s/old_log_prob", t->old_logprob_seconds); }
    if (t->config->kl_coef != 0) { metric_set(set, "timing_s/ref", t->reference_seconds); }
    metric_set(set, "timing_s/update_actor", learning);
    metric_set(set, METRIC_STEP_SECONDS, step);
    metric_set(set, "perf/time_per_step", step);
    metric_set(set, "perf/total_num_tokens", tokens);
    metric_set(set, METRIC_THROUGHPUT, tokens / step);
    metric_set(set, "rollout/decode_tokens_per_second", of_ranks[0] / sampling);
    metric_set(set, "perf/mfu/actor", of_ranks[4] / learning / of_ranks[5]);
    metric_set(set, "rollout/decode_limit_tokens_per_second", of_ranks[3] > 0 ? of_ranks[0] * ranks_count() / of_ranks[3] : 0);
    metric_set(set, "rollout/preemptions", of_ranks[1]);
    metric_set(set, "rollout/idle_share", of_ranks[2] / ranks_count() / sampling);
}
// What the process holds. After the first steps none of it grows, but for the metrics' history and the texts of ever longer answers.
static inline void trainer_measure_memory(const Trainer *t, MetricSet *set) {
    const double gib = 1.0 / (1 << 30);
    const struct mallinfo2 heap = mallinfo2();
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%ld %ld", &pages, &resident) != 2) { resident = 0; }
    if (file) { fclose(file); }
    metric_set(set, "perf/max_memory_allocated_gb", (double)memory_total(&t->g.memory) * gib);
    metric_set(set, "perf/device_allocations", (double)device_allocations());
    metric_set(set, "perf/cpu_memory_used_gb", (double)resident * (double)sysconf(_SC_PAGESIZE) * gib);
    metric_set(set, "perf/cpu_heap_used_gb", (double)(heap.uordblks + heap.hblkhd) * gib);
}
static inline uint64_t trainer_fingerprint(const Trainer *t) { // of every sampled token and every weight
    uint64_t hash = FINGERPRINT_START;
    for (int i = 0; i < t->g.samples.count; i++) { hash = fingerprint_bytes(hash, t->g.samples.list[i].tokens, sizeof(int) * (size_t)t->g.samples.list[i].count); }
    return policy_fingerprint(&t->g.policy, hash);
}
static inline void trainer_print_sample(Trainer *t, int index) { // one answer, on the console and in the report
    const Sample *s = &t->g.samples.list[index];
    const Prompt prompt = prompt_set_get(t->g.grading.prompts, t->g.prompt_index[s->prompt]);
    Buffer shown = {0};
    Error error;
    text_append_shortened(&shown, prompt.problem, strlen(prompt.problem), 300);
    buffer_append_text(&shown, "\n    > ");
    text_append_shortened(&shown, s->text.data, s->text.size, 600);
    printf("  %s\n    = %s: %s (truth %s)\n", shown.data, s->reward > 0 ? "right" : "wrong", s->verdict.reason, prompt.truth_json);
    if (!loggers_sample(&t->loggers, t->state.step, (double)s->reward, prompt.problem, s->text.data, prompt.truth_json, s->verdict.reason, &error)) { fatal("%s", error.text); }
    buffer_free(&shown);
}
static inline void trainer_print_samples(Trainer *t) { // a right and a wrong answer, where there are both
    if (!trainer_writes()) { return; }
    for (int wanted = 1; wanted >= 0; wanted--) {
        for (int i = 0; i < t->g.samples.count; i++) {
            if ((t->g.samples.list[i].reward > 0) == wanted) {
                trainer_print_sample(t, i);
                break;
            }
        }
    }
}

// One evaluation set, sampled eval_samples times a question (greedy: once). The random keys are those of every other evaluation of
// this run, so that two evaluations differ by the weights alone.
static inline bool trainer_evaluate_set(Trainer *t, const EvalSet *set, bool greedy, MetricSet *metrics) {
    const Config *c = t->config;
    const int context = c->stages[t->state.stage].context, n = greedy ? 1 : c->eval_samples;
    const RolloutOptions how = {.temperature = greedy ? 0 : c->eval_temperature, .top_p = greedy ? 1 : c->eval_top_p, .max_new_tokens = c->eval_max_tokens ? c->eval_max_tokens : context};
    Evaluation e;
    char records[1200], name[METRIC_NAME_SIZE];
    snprintf(records, sizeof(records), "%.900s/eval/step_%06d.%.64s%s.jsonl", c->run_dir, t->state.step, set->name, greedy ? ".greedy" : "");
    if (!generator_evaluate(&t->g, &e, set->name, set->prompts, n, random_key((uint64_t)c->seed, 4), &how, context, records)) { return false; }
    evaluation_print(&e, set->name, greedy, context);
    if (greedy) {
        snprintf(name, sizeof(name), "val-core/%.50s/greedy", set->name);
        metric_set(metrics, name, e.mean);
        return true;
    }
    const struct {
        const char *format;
        double value;
    } values[] = {{"val-core/%.40s/acc/mean@%d", e.mean}, {"val-core/%.40s/acc/maj@%d", e.majority}, {"val-core/%.40s/within_context@%d", e.within}, {"val-aux/%.40s/standard_error@%d", e.standard_error}, {"val-aux/%.40s/response_length@%d", e.mean_length}, {"val-aux/%.40s/truncated@%d", e.truncated}};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        snprintf(name, sizeof(name), values[i].format, set->name, n);
        metric_set(metrics, name, values[i].value);
    }
    for (int k = 1; k < e.k_count; k++) {
        snprintf(name, sizeof(name), "val-core/%.40s/acc/pass@%d", set->name, e.k[k]);
        metric_set(metrics, name, e.pass_at[k]);
    }
    return true;
}
static inline bool trainer_evaluate(Trainer *t, MetricSet *metrics) { // false when the run was asked to stop
    const double started = seconds_now();
    char path[1100];
    Error error;
    snprintf(path, sizeof(path), "%.1000s/eval", t->config->run_dir);
    if (!directory_create(path, &error)) { fatal("%s", error.text); }
    printf("evaluation after step %d\n", t->state.step);
    watch_phase("evaluate", t->state.step);
    for (int i = 0; i < t->eval_set_count; i++) {
        if (!trainer_evaluate_set(t, &t->eval_sets[i], false, metrics)) { return false; }
        if (t->config->print_rollouts_every && i == 0) { trainer_print_samples(t); }
        if (t->config->eval_greedy && !trainer_evaluate_set(t, &t->eval_sets[i], true, metrics)) { return false; }
    }
    metric_set(metrics, "timing_s/testing", seconds_now() - started);
    fflush(stdout);
    return true;
}
static inline void trainer_save(Trainer *t) {
    Error error;
    t->state.updates = t->adamw.step;
    watch_phase("checkpoint", t->state.step);
    if (!checkpoint_write(t->config->run_dir, &t->g.policy, &t->state, t->config->model, t->config->keep_checkpoints, &error)) { fatal("%s", error.text); }
}
static inline bool trainer_due(const Trainer *t, int every) { return every > 0 && (t->state.step % every == 0 || t->state.step == t->total_steps); }

// A step whose evaluation was cut short by a signal has a checkpoint but no line in metrics.jsonl yet: a step has one line. What it
// measured waits in unfinished_step.json until the resumed run has evaluated it.
static inline bool trainer_is_recorded(const Trainer *t) { // the last step has its line: rank 0 knows
    const MetricHistory *history = &t->loggers.history;
    bool recorded = history->rows > 0 && history->steps[history->rows - 1] >= t->state.step;
    ranks_broadcast(&recorded, sizeof(recorded), 0);
    return recorded;
}
static inline void trainer_unfinished_path(char path[1100], const Config *c) { snprintf(path, 1100, "%.1000s/unfinished_step.json", c->run_dir); }
static inline void trainer_keep_unfinished(const Trainer *t, const MetricSet *measured, uint32_t fingerprint) {
    char path[1100];
    Buffer line = {0};
    Error error;
    if (!trainer_writes()) { return; }
    trainer_unfinished_path(path, t->config);
    metrics_json_line(&line, t->state.step, measured, fingerprint);
    if (!file_write_atomic(path, line.data, line.size, &error)) { fatal("%s", error.text); }
    buffer_free(&line);
    printf("the evaluation after step %d was not finished: the resumed run begins with it\n", t->state.step);
}
static inline bool trainer_read_unfinished(const Trainer *t, MetricSet *measured, uint32_t *fingerprint) { // false: none of this step
    char path[1100];
    Error error;
    int step = -1;
    trainer_unfinished_path(path, t->config);
    if (!file_exists(path)) { return false; }
    json_t *line = json_read(path, &error);
    if (!line) { fatal("%s", error.text); }
    const char *text = json_string_value(json_object_get(line, "fingerprint"));
    bool ok = metrics_from_json(measured, &step, line) && text;
    *fingerprint = ok ? (uint32_t)strtoul(text, NULL, 16) : 0;
    json_decref(line);
    if (!ok) { fatal("%s: is not what a step measured: remove it to go on without that step's evaluation", path); }
    return step == t->state.step;
}
// Before the first step: how good is the model that training starts from? A resumed run first finishes the evaluation that it still owes.
static inline void trainer_begin(Trainer *t) {
    MetricSet metrics = {.count = 0};
    Error error;
    char path[1100];
    uint32_t fingerprint = fingerprint_fold(policy_fingerprint(&t->g.policy, FINGERPRINT_START));
    if (t->eval_set_count == 0 || trainer_is_recorded(t)) { return; }
    if (t->state.step == 0 ? !t->config->eval_before_train : !trainer_read_unfinished(t, &metrics, &fingerprint)) { return; }
    MetricSet measured = metrics;
    if (!trainer_evaluate(t, &metrics)) {
        if (t->state.step > 0) { trainer_keep_unfinished(t, &measured, fingerprint); }
        return;
    }
    if (!trainer_writes()) { return; }
    if (t->state.step == 0) { metric_set(&metrics, METRIC_LIMIT, t->config->stages[0].context); }
    if (!loggers_step(&t->loggers, t->state.step, &metrics, fingerprint, &error)) { fatal("%s", error.text); }
    trainer_unfinished_path(path, t->config);
    unlink(path);
}
// Ends a step: answers and metrics on disk and screen, an evaluation and a checkpoint when they are due.
static inline void trainer_end_step(Trainer *t, GrpoStats *stats, GrpoStats *fresh, const UpdateStats *updates) {
    const Config *c = t->config;
    MetricSet metrics = {.count = 0};
    Buffer line = {0};
    char path[1100];
    Error error;
    t->state.step++;
    grpo_stats_join(stats);
    grpo_stats_join(fresh);
    trainer_measure_samples(t, &metrics, c->group_size);
    trainer_watch_cut_answers(t, metric_get(&metrics, METRIC_CUT));
    trainer_measure_update(t, &metrics, stats, fresh, updates);
    metric_set(&metrics, "training/global_step", t->state.step);
    metric_set(&metrics, "training/epoch", dataset_epoch(&t->dataset, t->state.data_position));
    metric_set(&metrics, METRIC_DATA_POSITION, (double)t->state.data_position);
    const uint32_t fingerprint = t->fingerprint = fingerprint_fold(trainer_fingerprint(t));
    if (c->rollouts_every && t->state.step % c->rollouts_every == 0 && trainer_writes()) {
        snprintf(path, sizeof(path), "%.1000s/rollouts", c->run_dir);
        if (!directory_create(path, &error)) { fatal("%s", error.text); }
        snprintf(path, sizeof(path), "%.1000s/rollouts/step_%06d.jsonl", c->run_dir, t->state.step);
        if (!records_write(path, &t->g.samples, &t->g.grading, &error)) { fatal("%s", error.text); }
    }
    trainer_measure_time(t, &metrics);
    trainer_measure_memory(t, &metrics);
    metrics_console_line(&line, t->state.step, t->total_steps, &metrics, fingerprint);
    fputs(line.data, stdout);
    buffer_free(&line);
    if (trainer_due(t, c->print_rollouts_every)) { trainer_print_samples(t); }
    fflush(stdout);
    MetricSet measured = metrics;
    if (trainer_due(t, c->eval_every) && t->eval_set_count && !trainer_evaluate(t, &metrics)) {
        trainer_keep_unfinished(t, &measured, fingerprint);
        return;
    }
    if (trainer_writes() && !loggers_step(&t->loggers, t->state.step, &metrics, fingerprint, &error)) { fatal("%s", error.text); }
    if (trainer_writes() && trainer_due(t, c->eval_every) && !loggers_report(&t->loggers, &error)) { fatal("%s", error.text); }
    if (trainer_due(t, c->checkpoint_every)) { trainer_save(t); }
}
// After the last step, or when the run was asked to stop: a checkpoint of where it is.
static inline void trainer_end(Trainer *t) {
    const bool stopped = trainer_stopped();
    const bool done = t->state.step >= t->total_steps && (trainer_is_recorded(t) || !stopped);
    int latest = checkpoint_latest(t->config->run_dir);
    ranks_broadcast(&latest, sizeof(latest), 0);
    if ((latest != t->state.step || *t->config->replay) && (t->state.step > 0 || !done)) { trainer_save(t); }
    if (!done) {
        printf("stopped by signal %d after step %d; run the same command again to go on\n", (int)stop_requested, t->state.step);
        return;
    }
    if (!trainer_writes()) { return; }
    if (*t->config->replay) { t->replay_differs = !replay_agrees(t); }
    summary_print(t);
    printf("\ndone: %d steps; checkpoint %s/checkpoints/step_%06d, metrics in %s/metrics.jsonl", t->state.step, t->config->run_dir, t->state.step, t->config->run_dir);
    printf(t->loggers.to_report ? ", curves in %s/report.html\n" : "\n", t->config->run_dir);
}
