// replay: one update from the answers of a recorded step, which take the place of sampling: to look into it, and to see that it comes to the
// recorded fingerprint again. --replay RUN/rollouts/step_000042.jsonl; the options are RUN's (config_take_recorded).
#pragma once
#include "data/records.h"
#include "llmc/trainer.h"

// RUN/metrics.jsonl's line of the step; false where there is none, as of a step that ended the run.
static inline bool replay_find_line(const Trainer *t, MetricSet *metrics, uint32_t *fingerprint) {
    char path[1100];
    Error error = {""};
    int step = 0;
    snprintf(path, sizeof(path), "%s/metrics.jsonl", t->config->recorded_run);
    RecordFile *file = record_file_open(path, &error);
    for (json_t *line; file && step != t->total_steps && (line = record_file_next(file, &error)); json_decref(line)) {
        const char *text = json_string_value(json_object_get(line, "fingerprint"));
        if (!text || !metrics_from_json(metrics, &step, line)) { fatal("%s line %lld: is not what a step measured", path, (long long)file->position); }
        *fingerprint = (uint32_t)strtoul(text, NULL, 16);
    }
    if (error.text[0]) { fatal("%s", error.text); }
    record_file_close(file);
    return step == t->total_steps;
}
// The training prompt that a record is an answer to, -1 if it is of other data.
static inline int replay_find_prompt(const PromptSet *prompts, const json_t *record) {
    const json_t *index = json_object_get(record, "index"), *ids = json_object_get(record, "prompt_ids");
    for (int i = 0; i < prompt_set_count(prompts); i++) {
        const Prompt prompt = prompt_set_get(prompts, i);
        if (!json_is_integer(index) || json_integer_value(index) != prompt.index || json_array_size(ids) != (size_t)prompt.count) { continue; }
        int same = 0;
        while (same < prompt.count && json_integer_value(json_array_get(ids, (size_t)same)) == prompt.ids[same]) { same++; }
        if (same == prompt.count) { return i; }
    }
    return -1;
}
static inline bool replay_read_answer(Trainer *t, const json_t *record, Error *error) {
    Samples *samples = &t->g.samples;
    const int group_size = t->config->group_size, number = samples->count % group_size, group = samples->count / group_size;
    const json_t *ids = json_object_get(record, "ids"), *logprobs = json_object_get(record, "logprobs"), *reward = json_object_get(record, "reward"), *finished = json_object_get(record, "finished");
    const char *reason = json_string_value(json_object_get(record, "reason")), *text = json_string_value(json_object_get(record, "response"));
    const size_t count = json_array_size(ids), longest = (size_t)t->config->stages[t->state.stage].context;
    const int prompt = replay_find_prompt(t->dataset.prompts, record);
    if (prompt < 0) { return error_set(error, "is no answer to a prompt of %.200s", t->config->train_data); }
    if (json_integer_value(json_object_get(record, "sample")) != number || (number > 0 && prompt != t->g.prompt_index[group])) { return error_set(error, "answer %d of a group of --group_size %d was expected here", number, group_size); }
    if (count < 1 || count > longest || json_array_size(logprobs) != count) { return error_set(error, "has %zu ids and %zu logprobs; as many of both are wanted, 1 to %zu", count, json_array_size(logprobs), longest); }
    if (!json_is_number(reward) || !json_is_boolean(finished) || !reason || !text) { return error_set(error, "has no \"reward\", \"finished\", \"reason\" or \"response\""); }
    if (number == 0) {
        if (group == t->config->prompts_per_step) { return error_set(error, "is of one group more than --prompts_per_step %d", group); }
        const Prompt asked = prompt_set_get(t->dataset.prompts, prompt);
        samples_add_group(samples, group, asked.ids, asked.count, group_size, 0);
        t->g.prompt_index[group] = prompt;
        samples->count -= group_size; // and back one by one
    }
    Sample *s = &samples->list[samples->count++];
    for (size_t i = 0; i < count; i++) {
        const json_t *id = json_array_get(ids, i), *logprob = json_array_get(logprobs, i);
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) >= t->g.policy.vocab_used) { return error_set(error, "id %zu is not one of the tokenizer's %d", i, t->g.policy.vocab_used); }
        if (!json_is_number(logprob)) { return error_set(error, "log-probability %zu is no number", i); }
        s->tokens[i] = (int)json_integer_value(id);
        s->logprob[i] = (float)json_number_value(logprob);
    }
    s->count = (int)count, s->finished = json_is_true(finished), s->reward = (float)json_number_value(reward);
    s->verdict = (Verdict){s->reward > 0, exchange_reason(reason, strlen(reason)), json_is_true(json_object_get(record, "gave_up"))};
    buffer_append_text(&s->text, text);
    t->sampling.score += (double)s->reward;
    return true;
}
// All answers of the step, by every rank; the place in the data as it was after it.
static inline void replay_read_answers(Trainer *t) {
    const char *path = t->config->replay;
    MetricSet metrics;
    uint32_t unused;
    Error error;
    RecordFile *file = record_file_open(path, &error);
    if (!file) { fatal("%s", error.text); }
    for (json_t *record; (record = record_file_next(file, &error)); json_decref(record)) {
        if (!replay_read_answer(t, record, &error)) { fatal("%s line %lld: %s", path, (long long)file->position, error.text); }
    }
    if (error.text[0]) { fatal("%s", error.text); }
    record_file_close(file);
    if (t->g.samples.count == 0 || t->g.samples.count % t->config->group_size) { fatal("%s: has %d answers, which are no whole groups of --group_size %d", path, t->g.samples.count, t->config->group_size); }
    t->sampling.groups = t->g.samples.count / t->config->group_size;
    dataset_draw(&t->dataset, &t->state.data_position, t->config->prompts_per_step);
    if (replay_find_line(t, &metrics, &unused) && metric_get(&metrics, METRIC_DATA_POSITION) >= 0) { t->state.data_position = (int64_t)metric_get(&metrics, METRIC_DATA_POSITION); } // rounds of dynamic sampling and all
    generator_note_lengths(t->dataset.answer_lengths, t->g.prompt_index, &t->g.samples, t->config->group_size);                                                                      // groups that were dropped are not on record
    t->g.grading.prompts = t->dataset.prompts;
    t->g.grading.prompt_index = t->g.prompt_index;
}
// Whether the update came to what the run recorded.
static inline bool replay_agrees(const Trainer *t) {
    MetricSet metrics;
    uint32_t recorded;
    if (!replay_find_line(t, &metrics, &recorded)) {
        printf("replay of step %d: fingerprint #%08x; %s/metrics.jsonl has none to compare it with\n", t->total_steps, t->fingerprint, t->config->recorded_run);
    } else if (recorded == t->fingerprint) {
        printf("replay of step %d: fingerprint #%08x, as recorded\n", t->total_steps, t->fingerprint);
    } else {
        fprintf(stderr, "error: replay of step %d: fingerprint #%08x, recorded is #%08x: only the same program on the same kind of machine, with as many ranks, gives the same bits\n", t->total_steps, t->fingerprint, recorded);
        return false;
    }
    return true;
}
