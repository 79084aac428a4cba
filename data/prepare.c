// prepare: a data set (Parquet, JSON lines, JSON) to a prompt set for one model; or, with --encode, texts and conversations to ids.
#include "data/prepare.h"
#include "llmc/options.h"

// clang-format off
#define PREPARE_OPTIONS(OPTION) \
    OPTION(text, model,             "m", "",      "",            "Hugging Face folder whose tokenizer and chat template are used")      \
    OPTION(text, input,             "i", "",      "",            "data set: .parquet, .jsonl or .json")                                 \
    OPTION(text, output,            "o", "",      "",            "prompt set to write, usually .bin")                                   \
    OPTION(int,  max_prompt_tokens, "",  "0",     "[0,1048576]", "longer prompts are left out, 0 = none")                               \
    OPTION(text, difficulty,        "",  "",      "",            "answers of ./rollout -e DATA -n 8 -o ANSWERS.jsonl: keep questions by their share of right ones") \
    OPTION(float, min_pass,         "",  "0.1",   "[0,1]",       "questions with a smaller share are too hard")                         \
    OPTION(float, max_pass,         "",  "0.9",   "[0,1]",       "questions with a larger share are too easy")                          \
    OPTION(int,  show,              "",  "0",     "[0,1000000000]", "print the first N prompts that were kept")                         \
    OPTION(flag, encode,            "",  "false", "",            "JSONL {\"text\":..} or {\"messages\":[..]} from stdin to {\"ids\":[..]}")
// clang-format on

typedef struct {
    PREPARE_OPTIONS(OPTION_FIELD)
    struct {
        PREPARE_OPTIONS(OPTION_GIVEN)
    } given;
} PrepareConfig;
#define OPTION_ROW_PREPARE(...) OPTION_ROW(PrepareConfig, "options", __VA_ARGS__)
static const Option prepare_options[] = {PREPARE_OPTIONS(OPTION_ROW_PREPARE)};
static const OptionSet prepare_option_set = {
    .program = "prepare",
    .summary = "makes a prompt set for one model: prepare -m DIR -i IN -o OUT.bin",
    .options = prepare_options,
    .option_count = sizeof(prepare_options) / sizeof(prepare_options[0]),
};

static void show_prompts(const char *path, int count) {
    Error error;
    PromptSet *set = prompt_set_open(path, &error);
    if (!set) { fatal("%s", error.text); }
    for (int i = 0; i < count && i < prompt_set_count(set); i++) {
        Prompt prompt = prompt_set_get(set, i);
        printf("--- prompt %d: row %lld of %s, %d tokens, answers %s\n%s\nids:", i, (long long)prompt.index, prompt.data_source, prompt.count, prompt.truth_json, prompt.text);
        for (int k = 0; k < prompt.count; k++) { printf(" %d", prompt.ids[k]); }
        puts("");
    }
    prompt_set_close(set);
}

// {"text": ..} is encoded as it is; {"messages": [..]} goes through the chat template, ready for the answer.
static bool encode_line(const PromptEncoder *encoder, const json_t *line, Buffer *text, Ints *ids, const char *what, Error *error) {
    const json_t *plain = json_object_get(line, "text"), *messages = json_object_get(line, "messages");
    ids->size = 0;
    if (json_is_string(plain)) {
        tokenizer_encode(encoder->tokenizer, json_string_value(plain), json_string_length(plain), ids);
        return true;
    }
    if (!json_is_array(messages)) { return error_set(error, "%s: has neither a string \"text\" nor a list \"messages\"", what); }
    Error why;
    return prompt_encoder_render(encoder, messages, text, ids, &why) || error_set(error, "%s: %.900s", what, why.text);
}
static void encode_stdin(const char *model_dir) {
    Error error;
    PromptEncoder encoder;
    if (!prompt_encoder_open(&encoder, model_dir, &error)) { fatal("%s", error.text); }
    Buffer text = {0};
    Ints ids = {0};
    char *line = NULL, what[64];
    size_t capacity = 0;
    ssize_t length;
    for (long long number = 1; (length = getline(&line, &capacity, stdin)) >= 0; number++) {
        if (length == 0 || line[strspn(line, " \t\r\n")] == 0) { continue; }
        snprintf(what, sizeof(what), "stdin, line %lld", number);
        json_t *json = json_parse(line, (size_t)length, what, &error);
        if (!json || !encode_line(&encoder, json, &text, &ids, what, &error)) { fatal("%s", error.text); }
        fputs("{\"ids\":[", stdout);
        for (size_t i = 0; i < ids.size; i++) { printf(i ? ",%d" : "%d", ids.data[i]); }
        puts("]}");
        json_decref(json);
    }
    free(line);
    buffer_free(&text);
    ints_free(&ids);
    prompt_encoder_close(&encoder);
}

static void make_prompt_set(const PrepareConfig *config) {
    const int longest = config->max_prompt_tokens ? config->max_prompt_tokens : INT_MAX;
    Difficulty difficulty;
    PrepareCounts counts;
    Buffer text = {0};
    Error error;
    const bool by_difficulty = *config->difficulty;
    if (!by_difficulty && (config->given.min_pass || config->given.max_pass)) { fatal("--%s needs --difficulty ANSWERS.jsonl (--help lists all options)", config->given.min_pass ? "min_pass" : "max_pass"); }
    if (config->min_pass > config->max_pass) { fatal("--min_pass %g is more than --max_pass %g", (double)config->min_pass, (double)config->max_pass); }
    if (by_difficulty && !difficulty_open(&difficulty, config->difficulty, config->min_pass, config->max_pass, &error)) { fatal("%s", error.text); }
    if (!prompt_set_prepare(config->output, config->input, config->model, longest, by_difficulty ? &difficulty : NULL, &counts, &error)) { fatal("%s", error.text); }
    if (by_difficulty) { difficulty_close(&difficulty); }
    prepare_counts_text(&text, &counts, longest);
    printf("%s -> %s: %s\n", config->input, config->output, text.data);
    buffer_free(&text);
}

int main(int argc, char **argv) {
    PrepareConfig config = {0};
    options_from_args(&config, &prepare_option_set, argc, argv);
    if (!*config.model) { fatal("-m DIR is missing: the Hugging Face folder whose tokenizer is used (--help lists all options)"); }
    if (config.encode) {
        encode_stdin(config.model);
        if (fflush(stdout) != 0 || ferror(stdout)) { fatal("standard output: cannot be written: %s", strerror(errno)); }
        return EXIT_SUCCESS;
    }
    if (!*config.input || !*config.output) { fatal("%s is missing (--help lists all options)", *config.input ? "-o OUT.bin" : "-i DATA"); }
    make_prompt_set(&config);
    show_prompts(config.output, config.show);
    if (fflush(stdout) != 0 || ferror(stdout)) { fatal("standard output: cannot be written: %s", strerror(errno)); }
    return EXIT_SUCCESS;
}
