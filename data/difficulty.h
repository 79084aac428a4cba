// difficulty: which questions teach something: those of whose answers a share between min_pass and max_pass was right. The answers are
// those that `./rollout -e DATA -n 8 -o answers.jsonl` writes (llmc/records.h), of which "prompt", "index" and "reward" are read here. A
// question is known by its index and by its whole prompt, so that the answers to another set, or through another template, are noticed.
#pragma once
#include "records.h"
#include "text_table.h"

typedef enum { DIFFICULTY_FITS,
               DIFFICULTY_TOO_HARD,
               DIFFICULTY_TOO_EASY,
               DIFFICULTY_UNKNOWN } DifficultyVerdict; // UNKNOWN: never answered
typedef struct {
    int64_t right, answers, line; // line: the first of its answers
    bool met;                     // whether the data set has asked it
} DifficultyCount;
typedef struct {
    const char *path;
    float min_pass, max_pass;
    TextTable questions;     // "INDEX PROMPT"
    DifficultyCount *counts; // (questions.count)
    int capacity;
    Buffer key;
} Difficulty;

static inline void difficulty_close(Difficulty *difficulty) {
    text_table_free(&difficulty->questions);
    buffer_free(&difficulty->key);
    free(difficulty->counts);
    *difficulty = (Difficulty){0};
}
static inline void difficulty_make_key(Difficulty *difficulty, int64_t index, const char *prompt, size_t bytes) {
    buffer_clear(&difficulty->key);
    buffer_printf(&difficulty->key, "%lld ", (long long)index);
    buffer_append(&difficulty->key, prompt, bytes);
}
static inline bool difficulty_add_answer(Difficulty *difficulty, const json_t *answer, int64_t line, Error *error) {
    const json_t *prompt = json_object_get(answer, "prompt"), *index = json_object_get(answer, "index"), *reward = json_object_get(answer, "reward");
    const char *missing = !json_is_string(prompt) ? "\"prompt\", a text" : !json_is_integer(index) ? "\"index\", a whole number"
                                                                       : !json_is_number(reward)   ? "\"reward\", a number"
                                                                                                   : NULL;
    if (missing) { return error_set(error, "%s, line %lld: has no %s: answers of ./rollout -e DATA -o ANSWERS.jsonl are wanted", difficulty->path, (long long)line, missing); }
    const double value = json_number_value(reward);
    if (value != 0 && value != 1) { return error_set(error, "%s, line %lld: a reward of %g: 0 or 1 is wanted, as ./rollout writes it", difficulty->path, (long long)line, value); }
    difficulty_make_key(difficulty, json_integer_value(index), json_string_value(prompt), json_string_length(prompt));
    const int before = difficulty->questions.count, question = text_table_add(&difficulty->questions, difficulty->key.data, difficulty->key.size);
    if (question == difficulty->capacity) {
        difficulty->capacity = difficulty->capacity ? 2 * difficulty->capacity : 1024;
        difficulty->counts = (DifficultyCount *)host_realloc(difficulty->counts, sizeof(DifficultyCount) * (size_t)difficulty->capacity);
    }
    DifficultyCount *count = &difficulty->counts[question];
    if (question == before) { *count = (DifficultyCount){.line = line}; }
    count->answers++;
    count->right += value == 1;
    return true;
}
// Reads all answers. `path` is kept. False with an error that names file and line; nothing is left open.
static inline bool difficulty_open(Difficulty *difficulty, const char *path, float min_pass, float max_pass, Error *error) {
    *difficulty = (Difficulty){.path = path, .min_pass = min_pass, .max_pass = max_pass};
    RecordFile *file = record_file_open(path, error);
    bool ok = file != NULL;
    for (json_t *answer; ok && (answer = record_file_next(file, error)); json_decref(answer)) { ok = difficulty_add_answer(difficulty, answer, file->position, error); }
    ok = ok && !error->text[0];
    record_file_close(file);
    if (ok && difficulty->questions.count == 0) { ok = error_set(error, "%s: holds no answer", path); }
    if (!ok) { difficulty_close(difficulty); }
    return ok;
}
// What becomes of a question. Shares are compared as floats, as the options are: 1 of 10 is a --min_pass of 0.1.
static inline DifficultyVerdict difficulty_judge(Difficulty *difficulty, int64_t index, const char *prompt, size_t bytes) {
    difficulty_make_key(difficulty, index, prompt, bytes);
    const int question = text_table_find(&difficulty->questions, difficulty->key.data, difficulty->key.size);
    if (question < 0) { return DIFFICULTY_UNKNOWN; }
    DifficultyCount *count = &difficulty->counts[question];
    const float share = (float)((double)count->right / (double)count->answers);
    count->met = true;
    return share < difficulty->min_pass ? DIFFICULTY_TOO_HARD : share > difficulty->max_pass ? DIFFICULTY_TOO_EASY
                                                                                             : DIFFICULTY_FITS;
}
// When the whole set has been judged: every answer must have been to a question of it.
static inline bool difficulty_check_all_met(const Difficulty *difficulty, const char *data_path, Error *error) {
    for (int i = 0; i < difficulty->questions.count; i++) { // in the order of their first lines
        if (difficulty->counts[i].met) { continue; }
        size_t bytes;
        const char *key = text_table_get(&difficulty->questions, i, &bytes), *space = (const char *)memchr(key, ' ', bytes);
        return error_set(error, "%s, line %lld: %s has no question of index %.*s with this prompt: the answers are to another set or through another chat template; make them anew with ./rollout -m MODEL -e %s -n 8 -o %s",
                         difficulty->path, (long long)difficulty->counts[i].line, data_path, (int)(space - key), key, data_path, difficulty->path);
    }
    return true;
}
