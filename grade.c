// grade: the grader on JSON lines, for people who debug rewards.
//     echo '{"response":"<think>2+2</think> \\boxed{4}","truth":"4"}' | ./grade
//     {"reward":1,"reason":"text equal"}
// In: {"response":TEXT,"truth":T} or {"answer":TEXT,"truth":T}, where T is a string, a number or a list of these.
// Out: one line per line, at once, so that it can stand at the end of a pipe. Blank lines are skipped.
#include "llmc/options.h"
#include "llmc/reward.h"

#define GRADE_OPTIONS(OPTION) \
    OPTION(text, grader, "", "deepscaler", "deepscaler|math_verify", "whose verdict: DeepScaleR's training reward, or Hugging Face's Math-Verify for evaluation")

typedef struct {
    GRADE_OPTIONS(OPTION_FIELD)
    struct {
        GRADE_OPTIONS(OPTION_GIVEN)
    } given;
} GradeConfig;
#define GRADE_ROW(type, name, letter, value, allowed, help) OPTION_ROW(GradeConfig, "grading", type, name, letter, value, allowed, help)
static const Option grade_options[] = {GRADE_OPTIONS(GRADE_ROW)};

static Verdict grade_line(GraderMode mode, const char *line, size_t bytes, long number) {
    Error error;
    char what[64];
    snprintf(what, sizeof(what), "standard input, line %ld", number);
    json_t *json = json_parse(line, bytes, what, &error);
    if (!json) { fatal("%s", error.text); }
    const json_t *response = json_object_get(json, "response"), *answer = json_object_get(json, "answer"), *truth = json_object_get(json, "truth");
    const json_t *text = response ? response : answer;
    if (!json_is_string(text) || (response && answer)) { fatal("%s: needs one of \"response\" and \"answer\", a string", what); }
    if (!truth) { fatal("%s: needs a \"truth\", a string, a number or a list of these", what); }
    Verdict verdict = response ? reward_grade_text(mode, json_string_value(text), json_string_length(text), truth)
                               : reward_grade(mode, json_string_value(text), json_string_length(text), NULL, truth);
    json_decref(json);
    return verdict;
}

int main(int argc, char **argv) {
    OptionSet set = {.program = "grade", .summary = "grades JSON lines: {\"response\":TEXT,\"truth\":T} (a whole text) or {\"answer\":TEXT,\"truth\":T} in, {\"reward\":0|1,\"reason\":TEXT} out; T is a string, a number or a list of these", .options = grade_options, .option_count = sizeof(grade_options) / sizeof(grade_options[0])};
    GradeConfig config;
    options_from_args(&config, &set, argc, argv);
    GraderMode mode;
    if (!grader_from_name(&mode, config.grader)) { fatal("--grader %s is not available", config.grader); }
    char *line = NULL;
    size_t capacity = 0;
    ssize_t bytes;
    for (long number = 1; (bytes = getline(&line, &capacity, stdin)) >= 0; number++) {
        if (strspn(line, " \t\r\n") == (size_t)bytes) { continue; }
        Verdict verdict = grade_line(mode, line, (size_t)bytes, number);
        printf("{\"reward\":%d,\"reason\":\"%s\"}\n", verdict.reward, verdict.reason);
        if (fflush(stdout) != 0) { fatal("standard output: cannot be written: %s", strerror(errno)); }
    }
    free(line);
    reward_thread_cleanup();
    return EXIT_SUCCESS;
}
