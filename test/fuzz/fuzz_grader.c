// The grader on what a model may write. An input is a byte of choices, the text, NUL, the truth:
//   bit 0: math_verify and not deepscaler   bit 1: a whole response and not an answer   bit 2: the truth is JSON and not a plain text
#include "fuzz.h"
#include "llmc/reward.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t choice = fuzz_take_byte(&data, &size);
    GraderMode mode = choice & 1 ? GRADER_MATH_VERIFY : GRADER_DEEPSCALER;
    char *text = fuzz_take_text(&data, &size);
    Error error;
    json_t *truth = choice & 4 ? json_parse((const char *)data, size, "truth", &error) : json_stringn((const char *)data, size);
    Buffer answer = {0};
    if (truth) {
        Verdict verdict = choice & 2 ? reward_grade_text(mode, text, strlen(text), truth) : reward_grade(mode, text, strlen(text), NULL, truth);
        assert((verdict.reward == 0 || verdict.reward == 1) && verdict.reason && !(verdict.reward && verdict.gave_up));
        if (choice & 2) { reward_extract_answer(&answer, text, strlen(text), mode); }
    }
    buffer_free(&answer);
    json_decref(truth);
    free(text);
    return 0;
}
