// Answers that a data set is filtered by: difficulty_open(), then every question it counted asked for again, and one that it did not.
#include "data/difficulty.h"
#include "data/leakage.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Error error = {""};
    Difficulty difficulty;
    if (!difficulty_open(&difficulty, fuzz_write("answers.jsonl", data, size), 0.25f, 0.75f, &error)) {
        assert(strstr(error.text, "answers.jsonl"));
        return 0;
    }
    bool met = difficulty_check_all_met(&difficulty, "data.jsonl", &error);
    assert(!met && strstr(error.text, "line "));
    for (int i = 0; i < difficulty.questions.count; i++) {
        size_t bytes;
        const char *held = text_table_get(&difficulty.questions, i, &bytes), *prompt = (const char *)memchr(held, ' ', bytes) + 1;
        Buffer copy = {0}, key = {0}, instruction = {0};
        buffer_append(&copy, prompt, bytes - (size_t)(prompt - held));
        const DifficultyVerdict verdict = difficulty_judge(&difficulty, strtoll(held, NULL, 10), copy.data, copy.size);
        const float share = (float)difficulty.counts[i].right / (float)difficulty.counts[i].answers;
        assert(verdict == (share < 0.25f ? DIFFICULTY_TOO_HARD : share > 0.75f ? DIFFICULTY_TOO_EASY
                                                                               : DIFFICULTY_FITS));
        (void)verdict, (void)share;
        leakage_key(&key, &instruction, copy.data);
        assert(key.size <= 3 * copy.size); // a small letter takes at most one byte more than its capital
        buffer_free(&copy);
        buffer_free(&key);
        buffer_free(&instruction);
    }
    met = difficulty_check_all_met(&difficulty, "data.jsonl", &error);
    assert(met);
    (void)met;
    difficulty_close(&difficulty);
    return 0;
}
