// Command lines of train_grpo, verl's keys among them, and of rollout: the words of the input, each ended by a NUL or a line end. What is
// accepted is written as config.json and must be the same configuration when it is read back. Words are cut after 48 bytes: the nearest
// option is looked for among all of them, and the time that takes grows with the word.
#include "fuzz.h"
#include "llmc/config.h"

enum { MOST_WORDS = 40 };

static void read_config(Config *config) {
    Error error;
    if (!config_check(config, &error)) { return; }
    json_t *json = options_json(config, &grpo_option_set);
    Buffer difference = {0};
    bool differs = config_difference(&difference, json, config, 3);
    assert(!differs);
    (void)differs;
    assert(config_context(config, 1) >= 1 && config_total_steps(config, 40000) >= 0);
    buffer_free(&difference);
    json_decref(json);
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *words[MOST_WORDS + 1] = {(char *)(uintptr_t) "program"};
    bool rollout = fuzz_take_byte(&data, &size) & 1;
    char *text = (char *)host_alloc(size + 1);
    memcpy(text, data, size);
    char *cut[MOST_WORDS];
    int count = 1, cuts = 0;
    for (size_t at = 0; at < size && count < MOST_WORDS; at += strlen(text + at) + 1) {
        char *end = strchr(text + at, '\n');
        if (end) { *end = 0; }
        words[count] = text + at;
        if (strlen(words[count]) > 48) { words[count] = strndup(text + at, 48), cut[cuts++] = words[count]; }
        count++;
    }
    Error error = {""};
    Buffer ignored = {0};
    Config config = {0};
    RolloutConfig other = {0};
    void *into = rollout ? (void *)&other : (void *)&config;
    OptionsOutcome outcome = options_parse(into, rollout ? &rollout_option_set : &grpo_option_set, count, words, &ignored, &error);
    assert(outcome != OPTIONS_WRONG || error.text[0]);
    if (outcome == OPTIONS_RUN && !rollout) { read_config(&config); }
    buffer_free(&ignored);
    for (int i = 0; i < cuts; i++) { free(cut[i]); }
    free(text);
    return 0;
}
