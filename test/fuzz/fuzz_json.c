// JSON files: any value there and back, then the same bytes as config.json, generation_config.json and tokenizer_config.json of a model
// folder and as a data set of JSON lines.
#include "data/json_text.h"
#include "data/questions.h"
#include "fuzz.h"
#include "llmc/chat_template.h"
#include "llmc/hf_folder.h"

static void read_value(const json_t *value) { // what json_append writes reads back as the same value
    Error error;
    Buffer text = {0};
    json_append(&text, value);
    json_t *again = json_parse(text.data, text.size, "again", &error);
    assert(json_equal(value, again));
    json_decref(again);
    buffer_free(&text);
}
static void read_model_folder(const json_t *json, const char *folder) {
    Error error = {""};
    ModelConfig config;
    GenerationConfig generation;
    if (model_config_from_json(&config, json, "config.json", &error)) {
        float frequencies[128];
        model_config_rope_frequencies(frequencies, &config);
        for (int i = 0; i < config.head_dim / 2; i++) { assert(frequencies[i] >= 0 && frequencies[i] <= 1); }
        bool written = model_config_write(folder, &config, &error);
        assert(written);
        ModelConfig again;
        bool same = model_config_read(&again, folder, &error) && again.hidden == config.hidden && again.rope_theta == config.rope_theta && again.eos == config.eos;
        assert(same);
        (void)written, (void)same;
    } else {
        assert(error.text[0]);
    }
    if (!generation_config_read(&generation, folder, 151936, &error)) { assert(error.text[0]); }
    Buffer texts[3] = {{0}};
    chat_template_load(&texts[0], &texts[1], &texts[2], folder, &error);
    for (int i = 0; i < 3; i++) { buffer_free(&texts[i]); }
}
static void read_lines(const char *path) {
    Error error;
    RecordFile *file = record_file_open(path, &error);
    json_t *row;
    while (file && (row = record_file_next(file, &error))) {
        Question question;
        if (question_check_columns(row, path, &error)) {
            question_read(&question, row);
            question_free(&question);
        }
        json_decref(row);
    }
    record_file_close(file);
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Error error = {""};
    json_t *json = json_parse((const char *)data, size, "input", &error);
    assert(json || error.text[0]);
    if (json) {
        read_value(json);
        fuzz_write("config.json", data, size);
        fuzz_write("tokenizer_config.json", data, size);
        read_model_folder(json, fuzz_folder());
        fuzz_write("generation_config.json", data, size);
        read_model_folder(json, fuzz_folder());
        unlink(fuzz_write("generation_config.json", data, size));
        read_lines(fuzz_write("rows.json", data, size));
    } else if (memchr(data, '\n', size)) {
        read_lines(fuzz_write("rows.jsonl", data, size));
    }
    json_decref(json);
    return 0;
}
