// questions: what a row of a data set asks and what answers it accepts, for the three shapes that data sets for
// reinforcement learning with verifiable rewards have.
//
//     verl       prompt: [{role, content}, ...], reward_model: {ground_truth}, data_source, extra_info: {index}
//     problem    problem, answer                                               (DeepScaleR, MATH, AIME)
//     question   question, answer; of "reasoning #### 42" the answer is 42     (GSM8K)
// A truth is a string, a number or a list of these, any of which is accepted. Numbers are spelt as Python's str() spells
// them, since that is what the reference grader compares with: 142.0, not 142.
#pragma once
#include "json_text.h"
#include "records.h"

// DeepScaleR asks every bare problem in these words.
static const char question_instruction[] = " Let's think step by step and output the final answer within \\boxed{}.";

typedef enum { QUESTION_OK,
               QUESTION_NULL_ANSWER,
               QUESTION_EMPTY,
               QUESTION_MALFORMED } QuestionStatus;
typedef struct {
    json_t *messages;        // for the chat template; owned
    json_t *truths;          // array of strings; owned
    const char *problem;     // points into the row
    const char *data_source; // points into the row, or ""
    int64_t index;           // the row's own, or -1
    const char *fault;       // why it is malformed
} Question;

static inline void question_free(Question *question) {
    json_decref(question->messages);
    json_decref(question->truths);
    *question = (Question){0};
}

// ---- the answer
static inline bool question_add_truth(json_t *truths, const json_t *truth) {
    char text[40];
    if (json_is_string(truth)) { return json_array_append(truths, (json_t *)(uintptr_t)truth) == 0; }
    if (json_is_integer(truth)) {
        snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(truth));
    } else if (json_is_real(truth)) {
        number_text(text, json_real_value(truth));
    } else {
        return false;
    }
    return json_array_append_new(truths, json_string(text)) == 0;
}
static inline QuestionStatus question_read_truth(Question *question, const json_t *truth) {
    size_t i;
    json_t *one;
    question->truths = json_array();
    if (!truth || json_is_null(truth)) { return QUESTION_NULL_ANSWER; }
    if (!json_is_array(truth) && !question_add_truth(question->truths, truth)) {
        question->fault = "the answer is neither text, number nor list";
        return QUESTION_MALFORMED;
    }
    json_array_foreach(truth, i, one) {
        if (!json_is_null(one) && !question_add_truth(question->truths, one)) {
            question->fault = "the list of answers holds something that is neither text nor number";
            return QUESTION_MALFORMED;
        }
    }
    if (json_array_size(question->truths) == 0) { return QUESTION_NULL_ANSWER; }
    json_array_foreach(question->truths, i, one) {
        if (json_string_length(one) > 0) { return QUESTION_OK; }
    }
    return QUESTION_EMPTY;
}
// GSM8K: what follows the last ####, without the commas of 1,000.
static inline json_t *question_final_answer(const json_t *answer) {
    const char *text = json_string_value(answer), *mark = NULL;
    if (!text) { return NULL; }
    for (const char *next = text; (next = strstr(next, "####")); next += 4) { mark = next + 4; }
    if (!mark) { return json_string(text); }
    Buffer final = {0};
    for (mark += strspn(mark, " \t\r\n"); *mark; mark++) {
        if (*mark != ',') { buffer_append(&final, mark, 1); }
    }
    while (final.size > 0 && strchr(" \t\r\n", final.data[final.size - 1])) { final.data[--final.size] = 0; }
    json_t *json = json_stringn(final.data ? final.data : "", final.size);
    buffer_free(&final);
    return json;
}

// ---- the prompt
static inline QuestionStatus question_read_messages(Question *question, json_t *messages) {
    size_t i;
    json_t *message;
    bool has_text = false;
    if (!messages || json_is_null(messages)) { return QUESTION_EMPTY; }
    question->fault = "the prompt is not a list of messages {role, content}";
    if (!json_is_array(messages)) { return QUESTION_MALFORMED; }
    json_array_foreach(messages, i, message) {
        const char *role = json_string_value(json_object_get(message, "role")), *content = json_string_value(json_object_get(message, "content"));
        if (!role || !content) { return QUESTION_MALFORMED; }
        has_text = has_text || *content;
        if (!strcmp(role, "user") || !question->problem) { question->problem = content; }
    }
    question->fault = NULL;
    question->messages = json_incref(messages);
    return has_text ? QUESTION_OK : QUESTION_EMPTY;
}
static inline QuestionStatus question_read_problem(Question *question, const json_t *problem) {
    question->problem = json_string_value(problem);
    if (!problem || json_is_null(problem)) { return QUESTION_EMPTY; }
    if (!question->problem) {
        question->fault = "the problem is not a text";
        return QUESTION_MALFORMED;
    }
    if (strlen(question->problem) != json_string_length(problem)) {
        question->fault = "the problem holds a NUL character";
        return QUESTION_MALFORMED;
    }
    if (question->problem[strspn(question->problem, " \t\r\n")] == 0) { return QUESTION_EMPTY; }
    question->messages = json_pack("[{s:s, s:s+}]", "role", "user", "content", question->problem, question_instruction);
    return QUESTION_OK;
}

// ---- the row
// Names the columns of a row: "data_source, prompt, ability".
static inline void record_list_columns(Buffer *out, json_t *row) {
    const char *name;
    json_t *value;
    json_object_foreach(row, name, value) { buffer_printf(out, "%s%s", out->size ? ", " : "", name); }
}
// Whether the row has the columns of one of the three shapes.
static inline bool question_check_columns(json_t *row, const char *path, Error *error) {
    bool is_verl = json_object_get(row, "prompt") && json_object_get(row, "reward_model");
    bool is_pair = (json_object_get(row, "problem") || json_object_get(row, "question")) && json_object_get(row, "answer");
    if (is_verl || is_pair) { return true; }
    Buffer found = {0};
    record_list_columns(&found, row);
    error_set(error, "%s: needs the columns prompt and reward_model, or problem and answer, or question and answer; found: %.600s", path,
              found.size ? found.data : "none");
    buffer_free(&found);
    return false;
}
// Spares the decoding of Parquet columns that no question needs (worked solutions are long). Does nothing to a file of none
// of the three shapes, so that the error can list all its columns.
static inline void question_select_columns(RecordFile *rows) {
    static const char *const needed[] = {"data_source", "prompt", "reward_model", "extra_info", "problem", "question", "answer"};
    ParquetFile *file = rows->parquet;
    if (!file) { return; }
    bool is_verl = parquet_has_column(file, "prompt") && parquet_has_column(file, "reward_model");
    bool is_pair = (parquet_has_column(file, "problem") || parquet_has_column(file, "question")) && parquet_has_column(file, "answer");
    if (is_verl || is_pair) { parquet_select(file, needed, sizeof(needed) / sizeof(needed[0])); }
}
// Fills the question from a row; it stays valid as long as the row. Free it whatever the status.
static inline QuestionStatus question_read(Question *question, json_t *row) {
    json_t *extra = json_object_get(row, "extra_info"), *index = json_object_get(extra, "index"), *truth, *final = NULL;
    const char *source = json_string_value(json_object_get(row, "data_source"));
    QuestionStatus prompt_status;
    *question = (Question){.data_source = source ? source : "", .index = json_is_integer(index) ? json_integer_value(index) : -1};
    if (json_object_get(row, "prompt") && json_object_get(row, "reward_model")) {
        prompt_status = question_read_messages(question, json_object_get(row, "prompt"));
        truth = json_object_get(json_object_get(row, "reward_model"), "ground_truth");
    } else if (json_object_get(row, "problem")) {
        prompt_status = question_read_problem(question, json_object_get(row, "problem"));
        truth = json_object_get(row, "answer");
    } else {
        prompt_status = question_read_problem(question, json_object_get(row, "question"));
        truth = json_object_get(row, "answer");
        final = question_final_answer(truth);
        truth = final ? final : truth;
    }
    QuestionStatus status = prompt_status == QUESTION_OK ? question_read_truth(question, truth) : prompt_status;
    json_decref(final);
    return status;
}
