// prepare: makes prompts.bin from a data set and a model folder: rows to questions, questions through the model's chat template
// to text, text to ids. Rows that cannot be trained on are left out and counted by reason.
#pragma once
#include "llmc/chat_template.h"
#include "llmc/tokenizer_file.h"
#include "difficulty.h"
#include "questions.h"

// ---- messages or text to ids, as one model wants them
typedef struct {
    Tokenizer *tokenizer;
    Buffer chat_template, bos, eos;
    uint64_t tokenizer_fingerprint, template_fingerprint;
} PromptEncoder;

static inline void prompt_encoder_close(PromptEncoder *encoder) {
    if (encoder->tokenizer) { tokenizer_free(encoder->tokenizer); }
    buffer_free(&encoder->chat_template);
    buffer_free(&encoder->bos);
    buffer_free(&encoder->eos);
    *encoder = (PromptEncoder){0};
}
// Fingerprints of the folder's tokenizer.json and chat template; loads the template on the way.
static inline bool prompt_encoder_read_fingerprints(PromptEncoder *encoder, const char *model_dir, char tokenizer_path[1024], Error *error) {
    Buffer file = {0};
    snprintf(tokenizer_path, 1024, "%s/tokenizer.json", model_dir);
    bool ok = file_read(tokenizer_path, &file, error) && chat_template_load(&encoder->chat_template, &encoder->bos, &encoder->eos, model_dir, error);
    if (ok) {
        encoder->tokenizer_fingerprint = prompts_fingerprint(file.data, file.size);
        encoder->template_fingerprint = prompts_fingerprint(encoder->chat_template.data, encoder->chat_template.size);
    }
    buffer_free(&file);
    return ok;
}
static inline bool prompt_encoder_open(PromptEncoder *encoder, const char *model_dir, Error *error) {
    char path[1024];
    *encoder = (PromptEncoder){0};
    if (prompt_encoder_read_fingerprints(encoder, model_dir, path, error)) { encoder->tokenizer = tokenizer_open(path, error); }
    if (encoder->tokenizer) { return true; }
    prompt_encoder_close(encoder);
    return false;
}
// text = what the template makes of the messages, up to where the model goes on; ids = its tokens. Both are overwritten.
static inline bool prompt_encoder_render(const PromptEncoder *encoder, const json_t *messages, Buffer *text, Ints *ids, Error *error) {
    buffer_clear(text);
    ids->size = 0;
    const char *bos = encoder->bos.size ? encoder->bos.data : NULL, *eos = encoder->eos.size ? encoder->eos.data : NULL;
    if (!chat_template_render(text, encoder->chat_template.data, messages, true, bos, eos, NULL, error)) { return false; }
    tokenizer_encode(encoder->tokenizer, text->data ? text->data : "", text->size, ids);
    return true;
}

// Whether the set was made with this folder's tokenizer and template: ids mean nothing to another tokenizer.
static inline bool prompt_set_check_model(const PromptSet *set, const char *path, const char *model_dir, Error *error) {
    PromptEncoder encoder = {0};
    char tokenizer_path[1024];
    bool ok = prompt_encoder_read_fingerprints(&encoder, model_dir, tokenizer_path, error);
    bool same_tokenizer = encoder.tokenizer_fingerprint == set->header.tokenizer_fingerprint;
    if (ok && (!same_tokenizer || encoder.template_fingerprint != set->header.template_fingerprint)) {
        ok = error_set(error, "%s: was made with another %s than %s has; make it anew with ./prepare -m %s", path,
                       same_tokenizer ? "chat template" : "tokenizer", model_dir, model_dir);
    }
    prompt_encoder_close(&encoder);
    return ok;
}

// ---- a data set to prompts.bin
typedef struct {
    int64_t read, kept, null_answer, too_long, empty, malformed, too_hard, too_easy, unanswered;
    char first_malformed[300]; // which row, and why
} PrepareCounts;

// "1209 rows read, 1200 kept; left out: 9 longer than 1024 tokens"
static inline void prepare_counts_text(Buffer *out, const PrepareCounts *counts, int max_prompt_tokens) {
    const char *separator = "; left out: ";
    char too_long[64];
    snprintf(too_long, sizeof(too_long), "longer than %d tokens", max_prompt_tokens);
    const int64_t numbers[] = {counts->null_answer, counts->too_long, counts->empty, counts->too_hard, counts->too_easy, counts->unanswered, counts->malformed};
    const char *const reasons[] = {"without an answer", too_long, "empty", "too hard", "too easy", "never answered", "malformed"};
    buffer_printf(out, "%lld rows read, %lld kept", (long long)counts->read, (long long)counts->kept);
    for (int i = 0; i < 7; i++) {
        if (numbers[i] == 0) { continue; }
        buffer_printf(out, "%s%lld %s", separator, (long long)numbers[i], reasons[i]);
        separator = ", ";
    }
    if (counts->malformed) { buffer_printf(out, " (%s)", counts->first_malformed); }
}
static inline void prepare_count_malformed(PrepareCounts *counts, const char *why) {
    if (counts->malformed++ == 0) { snprintf(counts->first_malformed, sizeof(counts->first_malformed), "the first is row %lld: %.250s", (long long)counts->read, why); }
}

typedef struct {
    const PromptEncoder *encoder;
    PromptWriter writer;
    PrepareCounts *counts;
    Difficulty *difficulty; // NULL: every question is kept, however hard
    int max_prompt_tokens;
    char source[256]; // data_source of rows that have none: the file's name without its ending
    Buffer text, truths;
    Ints ids;
} Preparation;

// Adds one question whose text and ids are in the preparation, or counts why not.
static inline void prepare_prompt(Preparation *preparation, const Question *question) {
    PrepareCounts *counts = preparation->counts;
    const Buffer *text = &preparation->text;
    const Ints *ids = &preparation->ids;
    const int64_t index = question->index >= 0 ? question->index : counts->read - 1;
    // those that are too long are looked up too: an answer whose question is not met is an error
    const DifficultyVerdict verdict = preparation->difficulty ? difficulty_judge(preparation->difficulty, index, text->data, text->size) : DIFFICULTY_FITS;
    if (ids->size > (size_t)preparation->max_prompt_tokens) {
        counts->too_long++;
    } else if (verdict != DIFFICULTY_FITS) {
        counts->too_hard += verdict == DIFFICULTY_TOO_HARD;
        counts->too_easy += verdict == DIFFICULTY_TOO_EASY;
        counts->unanswered += verdict == DIFFICULTY_UNKNOWN;
    } else {
        buffer_clear(&preparation->truths);
        json_append(&preparation->truths, question->truths);
        Prompt prompt = {.ids = ids->data, .count = (int)ids->size, .text = text->data, .problem = question->problem, .truth_json = preparation->truths.data, .index = index};
        prompt.data_source = *question->data_source ? question->data_source : preparation->source;
        prompt_writer_add(&preparation->writer, &prompt);
        counts->kept++;
    }
}
// The same for a question as it was read. counts->read already includes it.
static inline void prepare_question(Preparation *preparation, const Question *question) {
    PrepareCounts *counts = preparation->counts;
    Error error;
    Buffer *text = &preparation->text;
    Ints *ids = &preparation->ids;
    if (!prompt_encoder_render(preparation->encoder, question->messages, text, ids, &error)) {
        prepare_count_malformed(counts, error.text);
    } else if (ids->size == 0) {
        counts->empty++;
    } else if (strlen(text->data) != text->size) {
        prepare_count_malformed(counts, "the prompt holds a NUL character");
    } else {
        prepare_prompt(preparation, question);
    }
}
static inline bool prepare_rows(Preparation *preparation, RecordFile *rows, const char *path, Error *error) {
    PrepareCounts *counts = preparation->counts;
    for (json_t *row; (row = record_file_next(rows, error)); json_decref(row)) {
        Question question = {0};
        watch_worked();
        if (counts->read++ == 0 && !question_check_columns(row, path, error)) {
            json_decref(row);
            return false;
        }
        switch (question_read(&question, row)) {
        case QUESTION_OK:
            prepare_question(preparation, &question);
            break;
        case QUESTION_NULL_ANSWER:
            counts->null_answer++;
            break;
        case QUESTION_EMPTY:
            counts->empty++;
            break;
        case QUESTION_MALFORMED:
            prepare_count_malformed(counts, question.fault);
            break;
        }
        question_free(&question);
    }
    if (error->text[0] || (preparation->difficulty && !difficulty_check_all_met(preparation->difficulty, path, error))) { return false; }
    if (counts->kept > 0) { return true; }
    Buffer why = {0};
    prepare_counts_text(&why, counts, preparation->max_prompt_tokens);
    error_set(error, "%s: no prompt is left to train on: %.700s", path, why.data);
    buffer_free(&why);
    return false;
}
static inline bool prepare_with_encoder(const PromptEncoder *encoder, const char *out_path, const char *in_path, int max_prompt_tokens, Difficulty *difficulty, PrepareCounts *counts, Error *error) {
    Preparation preparation = {.encoder = encoder, .counts = counts, .difficulty = difficulty, .max_prompt_tokens = max_prompt_tokens};
    const char *name = strrchr(in_path, '/') ? strrchr(in_path, '/') + 1 : in_path, *ending = strrchr(name, '.');
    snprintf(preparation.source, sizeof(preparation.source), "%.*s", (int)(ending ? ending - name : (ptrdiff_t)strlen(name)), name);
    *counts = (PrepareCounts){0};
    RecordFile *rows = record_file_open(in_path, error);
    if (!rows) { return false; }
    question_select_columns(rows);
    bool ok = prompt_writer_open(&preparation.writer, out_path, encoder->tokenizer_fingerprint, encoder->template_fingerprint, error) &&
              prepare_rows(&preparation, rows, in_path, error) && prompt_writer_close(&preparation.writer, error);
    prompt_writer_free(&preparation.writer);
    record_file_close(rows);
    buffer_free(&preparation.text);
    buffer_free(&preparation.truths);
    ints_free(&preparation.ids);
    return ok;
}
// Reads in_path (.parquet, .jsonl, .json), writes out_path. difficulty NULL: every question is kept. False: error says why, and out_path is as it was.
static inline bool prompt_set_prepare(const char *out_path, const char *in_path, const char *model_dir, int max_prompt_tokens, Difficulty *difficulty, PrepareCounts *counts, Error *error) {
    PromptEncoder encoder;
    if (!prompt_encoder_open(&encoder, model_dir, error)) { return false; }
    bool ok = prepare_with_encoder(&encoder, out_path, in_path, max_prompt_tokens, difficulty, counts, error);
    prompt_encoder_close(&encoder);
    return ok;
}
