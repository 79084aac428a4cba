// leakage: evaluation problems that are in the training set too, so that what is measured on them is memory. Two problems are the same if they
// are after white space is left out, letters are made small and DeepScaleR's appended instruction is cut off: this finds copies that were
// broken into lines elsewhere or come in another shape of data set, and takes nothing for the same that asks something else.
#pragma once
#include "llmc/text.h"
#include "questions.h"
#include "text_table.h"

static inline void leakage_fold(Buffer *out, const char *problem) {
    const size_t bytes = strlen(problem);
    buffer_clear(out);
    for (size_t at = 0; at < bytes;) {
        const int code = utf8_next(problem, bytes, &at);
        if (code >= 0 && unicode_class(code) != UNICODE_SPACE) { utf8_append(out, utf8proc_tolower(code)); }
    }
}
// key = the problem as it is compared. Both are overwritten.
static inline void leakage_key(Buffer *key, Buffer *instruction, const char *problem) {
    leakage_fold(instruction, question_instruction);
    leakage_fold(key, problem);
    const size_t rest = key->size > instruction->size ? key->size - instruction->size : 0;
    if (rest && !memcmp(key->data + rest, instruction->data, instruction->size)) { key->data[key->size = rest] = 0; }
}
static inline TextTable leakage_table(const PromptSet *training) { // every problem of the set
    TextTable table = {0};
    Buffer key = {0}, instruction = {0};
    for (int i = 0; i < prompt_set_count(training); i++) {
        leakage_key(&key, &instruction, prompt_set_get(training, i).problem);
        text_table_add(&table, key.data ? key.data : "", key.size);
    }
    buffer_free(&key);
    buffer_free(&instruction);
    return table;
}
// How many problems of the set are in the table; *first is the first of them.
static inline int leakage_count(const TextTable *training, const PromptSet *set, int *first) {
    int found = 0;
    Buffer key = {0}, instruction = {0};
    for (int i = 0; i < prompt_set_count(set); i++) {
        leakage_key(&key, &instruction, prompt_set_get(set, i).problem);
        if (text_table_find(training, key.data ? key.data : "", key.size) < 0) { continue; }
        if (found++ == 0) { *first = i; }
    }
    buffer_free(&key);
    buffer_free(&instruction);
    return found;
}
// "3 of 30 problems are in the training set too, the first: "Find ..."": whether there is anything to say.
static inline bool leakage_describe(Buffer *out, const TextTable *training, const PromptSet *set) {
    int first = 0;
    const int found = leakage_count(training, set, &first);
    if (!found) { return false; }
    const char *problem = prompt_set_get(set, first).problem;
    Buffer excerpt = {0};
    text_append_shortened(&excerpt, problem, strlen(problem), 120);
    buffer_printf(out, "%d of %d problems are in the training set too, the first: ", found, prompt_set_count(set));
    buffer_append_text(out, "\"");
    for (size_t at = 0, from = 0; at < excerpt.size; from = at) { // one line, whatever it holds, and nothing that a terminal would obey
        const int code = utf8_next(excerpt.data, excerpt.size, &at);
        buffer_append(out, code < 0x20 || (code >= 0x7F && code < 0xA0) ? " " : excerpt.data + from, code < 0x20 || (code >= 0x7F && code < 0xA0) ? 1 : at - from);
    }
    buffer_append_text(out, "\"");
    buffer_free(&excerpt);
    return true;
}
static inline void leakage_warn(FILE *out, const TextTable *training, const PromptSet *set, const char *path) {
    Buffer text = {0};
    if (leakage_describe(&text, training, set)) { fprintf(out, "warning: %s: %s\n", path, text.data); }
    buffer_free(&text);
}
