// trainer_summary: what is printed when a run is done: the curve of its evaluations, and some questions answered before and after.
// Everything is read from the run's own files, so a run that was interrupted shows its whole course.
#pragma once
#include "llmc/trainer.h"

// step  limit  pass@1  greedy  within limit  length, a row per evaluation of the first set
static inline void summary_print_curve(const Trainer *t) {
    const MetricHistory *history = &t->loggers.history;
    const char *set = t->eval_sets[0].name;
    char names[5][METRIC_NAME_SIZE];
    snprintf(names[0], METRIC_NAME_SIZE, "val-core/%.40s/acc/mean@%d", set, t->config->eval_samples);
    snprintf(names[1], METRIC_NAME_SIZE, "val-core/%.50s/greedy", set);
    snprintf(names[2], METRIC_NAME_SIZE, "val-core/%.40s/within_context@%d", set, t->config->eval_samples);
    snprintf(names[3], METRIC_NAME_SIZE, "val-aux/%.40s/response_length@%d", set, t->config->eval_samples);
    snprintf(names[4], METRIC_NAME_SIZE, "%s", METRIC_LIMIT);
    printf("\n%s, pass@1 of %d samples a question\n", set, t->config->eval_samples);
    printf("  step  context  pass@1  greedy  within context  tokens per answer\n");
    for (int row = 0; row < history->rows; row++) {
        double value[5];
        for (int i = 0; i < 5; i++) { value[i] = history_value(history, row, history_column(history, names[i])); }
        if (isnan(value[0])) { continue; }
        printf("  %4d  %7.0f  %6.3f  ", history->steps[row], value[4], value[0]);
        printf(isnan(value[1]) ? "     -  " : "%6.3f  ", value[1]);
        printf("%14.3f  %17.1f  ", value[2], value[3]);
        for (int i = 0; i < 40; i++) { putchar(i < (int)(40 * value[2] + 0.5) ? '#' : i < (int)(40 * value[0] + 0.5) ? '-'
                                                                                                                     : ' '); } // # within the context, - beyond it
        putchar('\n');
    }
}
// The response in line `number` (from 0) of an evaluation's answers, with its question and verdict; NULL when it is not there.
static inline json_t *summary_read_answer(const Trainer *t, int step, int number) {
    char path[1200], *line = NULL;
    size_t capacity = 0;
    ssize_t bytes = -1;
    Error error;
    snprintf(path, sizeof(path), "%.900s/eval/step_%06d.%.64s.jsonl", t->config->run_dir, step, t->eval_sets[0].name);
    FILE *file = fopen(path, "rb");
    for (int i = 0; file && i <= number; i++) { bytes = getline(&line, &capacity, file); }
    json_t *answer = bytes > 0 ? json_parse(line, (size_t)bytes, path, &error) : NULL;
    if (file) { fclose(file); }
    free(line);
    return answer;
}
static inline void summary_print_answers(const Trainer *t) { // three questions from the set's first part to its end
    const int count = prompt_set_count(t->eval_sets[0].prompts), last = t->state.step;
    printf("\nbefore and after\n");
    for (int part = 1; part <= 3; part++) {
        const int question = (count - 1) * part / 3;
        for (int after = 0; after <= 1; after++) {
            json_t *answer = summary_read_answer(t, after ? last : 0, question * t->config->eval_samples);
            const char *response = json_string_value(json_object_get(answer, "response"));
            Buffer shown = {0};
            if (response) { text_append_shortened(&shown, response, strlen(response), 400); }
            if (!after) { printf("  %.300s\n", prompt_set_get(t->eval_sets[0].prompts, question).problem); }
            if (response) {
                printf("    %s > %s   (%s)\n", after ? "after " : "before", shown.data ? shown.data : "", json_number_value(json_object_get(answer, "reward")) > 0 ? "right" : "wrong");
            }
            buffer_free(&shown);
            json_decref(answer);
        }
    }
}
static inline void summary_print(const Trainer *t) {
    if (t->eval_set_count == 0 || !t->config->eval_every) { return; }
    summary_print_curve(t);
    summary_print_answers(t);
}
