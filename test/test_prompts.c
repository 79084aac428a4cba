// prompts: rows of every shape to questions, numbers as Python spells them, prompts.bin out and in, damage, and the real sets.
#include "check.h"
#include "data/parquet_write.h"
#include "data/prepare.h"

static char folder[] = "/tmp/test_prompts.XXXXXX";
static char model[64], in_path[64], out_path[64];

static void write_text(const char *path, const char *text) {
    Error error;
    if (!file_write_atomic(path, text, strlen(text), &error)) { fatal("%s", error.text); }
}
// A tokenizer of single letters and spaces, and a template that shows every role.
static void make_model(void) {
    char path[128];
    Buffer tokenizer = {0};
    buffer_append_text(&tokenizer, "{\"version\":\"1.0\",\"added_tokens\":[{\"id\":300,\"content\":\"<bos>\",\"special\":true,\"single_word\":false,\"lstrip\":false,"
                                   "\"rstrip\":false,\"normalized\":false}],\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
                                   "\"trim_offsets\":false,\"use_regex\":false},\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":{");
    for (int byte = 33, id = 0; byte < 127; byte++, id++) {
        buffer_printf(&tokenizer, "\"%s%c\":%d,", byte == '"' || byte == '\\' ? "\\" : "", byte, id);
    }
    buffer_append_text(&tokenizer, "\"\\u0120\":94,\"\\u010a\":95},\"merges\":[]}}"); // space and newline in the byte alphabet
    snprintf(path, sizeof(path), "%s/tokenizer.json", model);
    write_text(path, tokenizer.data);
    buffer_free(&tokenizer);
    snprintf(path, sizeof(path), "%s/tokenizer_config.json", model);
    write_text(path, "{\"bos_token\":\"<bos>\",\"eos_token\":null,\"chat_template\":\"{{ bos_token }}{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}[a]\"}");
}

static void check_numbers(void) { // Python's repr
    static const struct {
        double number;
        const char *text;
    } numbers[] = {{142.0, "142.0"}, {0.1, "0.1"}, {-2.5, "-2.5"}, {0.0, "0.0"}, {1e15, "1000000000000000.0"}, {1e16, "1e+16"}, {123456789012345678.0, "1.2345678901234568e+17"}, {1e-4, "0.0001"}, {1.5e-5, "1.5e-05"}, {1.0 / 3, "0.3333333333333333"}, {5e-324, "5e-324"}, {1.7976931348623157e308, "1.7976931348623157e+308"}, {9007199254740993.0, "9007199254740992.0"}, {100, "100.0"}, {12345.678, "12345.678"}, {-0.0, "-0.0"}, {2.2250738585072014e-308, "2.2250738585072014e-308"}, {1e22, "1e+22"}, {1e23, "1e+23"}, {120, "120.0"}, {4.35, "4.35"}};
    char text[40];
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        number_text(text, numbers[i].number);
        check_text(text, numbers[i].text, "a number as Python spells it");
    }
}

static void check_json_text(void) { // what is printed reads back as the same value
    const char *text = "{\"k\\n\":[1,-2.5,0.1,true,false,null,{},[]],\"é\":\"\\\"\\\\/\\u0001\\u001f\\u007f\\ud83d\\ude00\\b\\f\\r\\t\"}";
    Error error = {""};
    Buffer out = {0};
    json_t *json = json_parse(text, strlen(text), "text", &error);
    if (!check(json != NULL, "%s", error.text)) { return; }
    json_append(&out, json);
    json_t *back = json_parse(out.data, out.size, "back", &error);
    check(json_equal(json, back), "%s", out.data);
    check_text(out.data, "{\"k\\n\":[1,-2.5,0.1,true,false,null,{},[]],\"é\":\"\\\"\\\\/\\u0001\\u001f\x7f😀\\b\\f\\r\\t\"}", "compact and in order");
    json_decref(json);
    json_decref(back);
    buffer_free(&out);
}

static void check_question(const char *row_text, QuestionStatus status, const char *content, const char *truths, int64_t index) {
    Error error;
    json_t *row = json_parse(row_text, strlen(row_text), row_text, &error);
    if (!row) { fatal("%s", error.text); }
    Question question;
    QuestionStatus got = question_read(&question, row);
    check(got == status, "%s: status %d, want %d", row_text, (int)got, (int)status);
    if (status == QUESTION_OK && got == QUESTION_OK) {
        char *found = json_dumps(question.truths, JSON_COMPACT);
        check_text(found, truths, row_text);
        json_t *last = json_array_get(question.messages, json_array_size(question.messages) - 1);
        check_text(json_string_value(json_object_get(last, "content")), content, row_text);
        check(question.index == index, "%s: index %lld", row_text, (long long)question.index);
        free(found);
    }
    check((got == QUESTION_MALFORMED) == (question.fault != NULL), "%s: a malformed row has a reason", row_text);
    question_free(&question);
    json_decref(row);
}
static void check_questions(void) {
    const char *asked = "1+1? Let's think step by step and output the final answer within \\boxed{}.";
    check_question("{\"problem\":\"1+1?\",\"answer\":\"2\"}", QUESTION_OK, asked, "[\"2\"]", -1);
    check_question("{\"problem\":\"1+1?\",\"answer\":142.0}", QUESTION_OK, asked, "[\"142.0\"]", -1);
    check_question("{\"problem\":\"1+1?\",\"answer\":142}", QUESTION_OK, asked, "[\"142\"]", -1);
    check_question("{\"problem\":\"1+1?\",\"answer\":[\"2\",2.5,null,3]}", QUESTION_OK, asked, "[\"2\",\"2.5\",\"3\"]", -1);
    check_question("{\"problem\":\"1+1?\",\"answer\":null}", QUESTION_NULL_ANSWER, "", "", 0);
    check_question("{\"problem\":\"1+1?\",\"answer\":[]}", QUESTION_NULL_ANSWER, "", "", 0);
    check_question("{\"problem\":\"1+1?\"}", QUESTION_NULL_ANSWER, "", "", 0);
    check_question("{\"problem\":\"1+1?\",\"answer\":\"\"}", QUESTION_EMPTY, "", "", 0);
    check_question("{\"problem\":\" \\n\",\"answer\":\"2\"}", QUESTION_EMPTY, "", "", 0);
    check_question("{\"problem\":null,\"answer\":\"2\"}", QUESTION_EMPTY, "", "", 0);
    check_question("{\"problem\":7,\"answer\":\"2\"}", QUESTION_MALFORMED, "", "", 0);
    check_question("{\"problem\":\"a\\u0000b\",\"answer\":\"2\"}", QUESTION_MALFORMED, "", "", 0);
    check_question("{\"problem\":\"1+1?\",\"answer\":{\"x\":1}}", QUESTION_MALFORMED, "", "", 0);
    check_question("{\"problem\":\"1+1?\",\"answer\":[true]}", QUESTION_MALFORMED, "", "", 0);
    check_question("{\"question\":\"1+1?\",\"answer\":\"It is #### 3\\nno, <<1+1=2>>2\\n#### -1,002 \\n\"}", QUESTION_OK, asked, "[\"-1002\"]", -1);
    check_question("{\"question\":\"1+1?\",\"answer\":\"2,5\"}", QUESTION_OK, asked, "[\"2,5\"]", -1);
    const char *verl = "{\"prompt\":[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":\"Q\"}],\"reward_model\":{\"ground_truth\":%s},\"extra_info\":{\"index\":41}}";
    char row[300];
    snprintf(row, sizeof(row), verl, "[\"a\\n\"]");
    check_question(row, QUESTION_OK, "Q", "[\"a\\n\"]", 41);
    snprintf(row, sizeof(row), verl, "7.0");
    check_question(row, QUESTION_OK, "Q", "[\"7.0\"]", 41);
    snprintf(row, sizeof(row), verl, "null");
    check_question(row, QUESTION_NULL_ANSWER, "", "", 0);
    check_question("{\"prompt\":null,\"reward_model\":{\"ground_truth\":\"1\"}}", QUESTION_EMPTY, "", "", 0);
    check_question("{\"prompt\":[],\"reward_model\":{\"ground_truth\":\"1\"}}", QUESTION_EMPTY, "", "", 0);
    check_question("{\"prompt\":\"text\",\"reward_model\":{\"ground_truth\":\"1\"}}", QUESTION_MALFORMED, "", "", 0);
    check_question("{\"prompt\":[null],\"reward_model\":{\"ground_truth\":\"1\"}}", QUESTION_MALFORMED, "", "", 0);
    check_question("{\"prompt\":[{\"role\":\"user\",\"content\":null}],\"reward_model\":{\"ground_truth\":\"1\"}}", QUESTION_MALFORMED, "", "", 0);
}

// ---- prepare
static bool prepare(const char *ending, const char *text, int max_prompt_tokens, PrepareCounts *counts, Error *error) {
    snprintf(in_path, sizeof(in_path), "%s/rows%s", folder, ending);
    if (text) { write_text(in_path, text); }
    bool ok = prompt_set_prepare(out_path, in_path, model, max_prompt_tokens, NULL, counts, error);
    unlink(in_path);
    return ok;
}
static void check_prepare(void) {
    Error error;
    PrepareCounts counts;
    const char *lines = "{\"prompt\":[{\"role\":\"u\",\"content\":\"hi \\\\x\"}],\"reward_model\":{\"ground_truth\":\"1\"},\"data_source\":\"here\",\"extra_info\":{\"index\":9}}\n\n"
                        "{\"prompt\":[{\"role\":\"u\",\"content\":\"no answer\"}],\"reward_model\":{\"ground_truth\":null}}\n"
                        "{\"prompt\":[{\"role\":\"u\",\"content\":\"this one is far too long\"}],\"reward_model\":{\"ground_truth\":\"1\"}}\r\n"
                        "{\"prompt\":[],\"reward_model\":{\"ground_truth\":\"1\"}}\n"
                        "{\"prompt\":5,\"reward_model\":{\"ground_truth\":\"1\"}}\n"
                        "{\"prompt\":[{\"role\":\"u\",\"content\":\"b\"}],\"reward_model\":{\"ground_truth\":[\"1\",2.0]}}";
    check(prepare(".jsonl", lines, 12, &counts, &error), "prepared: %s", error.text);
    check(counts.read == 6 && counts.kept == 2 && counts.null_answer == 1 && counts.too_long == 1 && counts.empty == 1 && counts.malformed == 1, "every row is counted once");
    Buffer text = {0};
    prepare_counts_text(&text, &counts, 12);
    check_text(text.data, "6 rows read, 2 kept; left out: 1 without an answer, 1 longer than 12 tokens, 1 empty, 1 malformed "
                          "(the first is row 5: the prompt is not a list of messages {role, content})",
               "the counts as text");
    buffer_free(&text);
    PromptSet *set = prompt_set_open(out_path, &error);
    if (!check(set && prompt_set_count(set) == 2, "two prompts: %s", error.text)) { return; }
    Prompt prompt = prompt_set_get(set, 0);
    check_text(prompt.text, "<bos>[u]hi \\x[a]", "text");
    check_text(prompt.problem, "hi \\x", "problem");
    check_text(prompt.truth_json, "[\"1\"]", "truths");
    check_text(prompt.data_source, "here", "data_source");
    const int ids[] = {300, '[' - 33, 'u' - 33, ']' - 33, 'h' - 33, 'i' - 33, 94, '\\' - 33, 'x' - 33, '[' - 33, 'a' - 33, ']' - 33};
    check(prompt.index == 9 && prompt.count == 12 && !memcmp(prompt.ids, ids, sizeof(ids)), "index and ids");
    prompt = prompt_set_get(set, 1);
    check_text(prompt.truth_json, "[\"1\",\"2.0\"]", "a list of truths");
    check_text(prompt.data_source, "rows", "without a data_source the file's name");
    check(prompt.index == 5, "without an index the row's number");
    check(prompt_set_longest(set) == 12 && prompt_set_largest_id(set) == 300, "longest prompt and largest id");
    check(prompt_set_check_model(set, out_path, model, &error), "made for this model: %s", error.text);
    char config[128];
    snprintf(config, sizeof(config), "%s/chat_template.jinja", model);
    write_text(config, "{{ messages }}");
    check(!prompt_set_check_model(set, out_path, model, &error) && strstr(error.text, "chat template"), "another template is noticed: %s", error.text);
    unlink(config);
    prompt_set_close(set);
}
static void check_prepare_failure(const char *ending, const char *rows, const char *expected) {
    Error error = {""};
    PrepareCounts counts;
    unlink(out_path);
    check(!prepare(ending, rows, 1000, &counts, &error) && strstr(error.text, expected), "%.60s: \"%s\" says \"%s\"", rows ? rows : "(no file)", error.text, expected);
    char temporary[80];
    snprintf(temporary, sizeof(temporary), "%s.tmp", out_path);
    check(!file_exists(out_path) && !file_exists(temporary), "%.60s: nothing is left behind", rows ? rows : "(no file)");
}
static void check_prepare_failures(void) {
    check_prepare_failure(".jsonl", "{\"a\":1,\"answer\":2}\n", "found: a, answer");
    check_prepare_failure(".jsonl", "{\"problem\":\"p\",\"answer\":\"1\"}\n{\"problem\":", "rows.jsonl, line 2: not valid JSON");
    check_prepare_failure(".jsonl", "[1]\n", "is not a JSON object");
    check_prepare_failure(".jsonl", "", "0 rows read");
    check_prepare_failure(".json", "[{\"problem\":\"p\",\"answer\":null}]", "no prompt is left to train on: 1 rows read, 0 kept; left out: 1 without an answer");
    check_prepare_failure(".json", "[{\"problem\":\"p\",\"answer\":null},3]", "row 2 is not a JSON object");
    check_prepare_failure(".json", "[{\"problem\":\"p\"", "not valid JSON");
    check_prepare_failure(".csv", "a,b\n", "ends in none of .parquet, .jsonl, .json");
    check_prepare_failure(".parquet", "PAR1 not really", "PAR1");
    check_prepare_failure(".parquet", NULL, "cannot be opened");
}
static void check_prepare_formats(void) { // the same rows as Parquet, array and lines give the same prompts
    const PromptRow rows[] = {{"s", "ab", "1", 0}, {"s", "c d", "2", 1}};
    Error error;
    PrepareCounts counts;
    snprintf(in_path, sizeof(in_path), "%s/rows.parquet", folder);
    check(parquet_write_prompts(in_path, rows, 2, &error), "Parquet written");
    check(prepare(".parquet", NULL, 1000, &counts, &error) && counts.kept == 2, "from Parquet: %s", error.text);
    Buffer parquet = {0}, other = {0};
    check(file_read(out_path, &parquet, &error), "read");
    const char *one = "{\"data_source\":\"s\",\"prompt\":[{\"role\":\"user\",\"content\":\"ab\"}],\"reward_model\":{\"ground_truth\":\"1\"},\"extra_info\":{\"index\":0}}";
    const char *two = "{\"data_source\":\"s\",\"prompt\":[{\"role\":\"user\",\"content\":\"c d\"}],\"reward_model\":{\"ground_truth\":\"2\"},\"extra_info\":{\"index\":1}}";
    const char *const formats[][2] = {{" [%s,\n%s]", ".json"}, {"%s\n%s\n", ".jsonl"}, {"%s\n%s", ".json"}};
    for (int i = 0; i < 3; i++) {
        Buffer text = {0};
        buffer_append_text(&text, i ? "" : " [");
        buffer_append_text(&text, one);
        buffer_append_text(&text, i ? "\n" : ",\n");
        buffer_append_text(&text, two);
        buffer_append_text(&text, i ? "" : "]");
        check(prepare(formats[i][1], text.data, 1000, &counts, &error) && counts.kept == 2, "format %d: %s", i, error.text);
        buffer_clear(&other);
        check(file_read(out_path, &other, &error) && other.size == parquet.size && !memcmp(other.data, parquet.data, other.size), "format %d gives the same bytes", i);
        buffer_free(&text);
    }
    buffer_free(&parquet);
    buffer_free(&other);
}

// ---- damage
// Puts right both checksums, so that the checks behind them are reached.
static void seal(unsigned char *data, size_t size) {
    uint32_t checksum = (uint32_t)crc32(0, data + PROMPTS_HEADER_BYTES, (uInt)(size - PROMPTS_HEADER_BYTES));
    memcpy(data + 56, &checksum, 4);
    checksum = (uint32_t)crc32(0, data, 60);
    memcpy(data + 60, &checksum, 4);
}
static bool opens(const unsigned char *data, size_t size) { // reads everything, too
    Error error;
    int descriptor = open(out_path, O_WRONLY | O_CREAT, 0666); // in place: a thousand new files would take long
    if (descriptor < 0 || ftruncate(descriptor, (off_t)size) != 0 || pwrite(descriptor, data, size, 0) != (ssize_t)size || close(descriptor) != 0) {
        fatal("%s: cannot be written", out_path);
    }
    PromptSet *set = prompt_set_open(out_path, &error);
    size_t characters = 0;
    for (int i = 0; set && i < prompt_set_count(set); i++) {
        Prompt prompt = prompt_set_get(set, i);
        characters += strlen(prompt.text) + strlen(prompt.problem) + strlen(prompt.truth_json) + strlen(prompt.data_source) + (size_t)prompt.ids[prompt.count - 1];
    }
    check(set ? characters > 0 : !strncmp(error.text, out_path, strlen(out_path)), "the error names the file: %s", error.text);
    prompt_set_close(set);
    return set != NULL;
}
static void check_damage(void) {
    Error error;
    Buffer file = {0};
    check(file_read(out_path, &file, &error), "read");
    unsigned char *copy = (unsigned char *)host_alloc(file.size);
    int refused = 0, sealed_refused = 0, tried = 0;
    for (size_t size = 0; size < file.size; size += 7) { check(!opens((const unsigned char *)file.data, size), "cut to %zu bytes", size); }
    for (size_t at = 0; at < file.size; at++, tried++) {
        memcpy(copy, file.data, file.size);
        copy[at] ^= (unsigned char)(1u << at % 8);
        refused += !opens(copy, file.size);
        seal(copy, file.size);
        if (at >= 56 && at < 64) { continue; } // sealed again they are as they were
        sealed_refused += !opens(copy, file.size);
        memcpy(copy, file.data, file.size);
        copy[at] = 0xFF;
        seal(copy, file.size);
        opens(copy, file.size);
    }
    check(refused == tried, "every changed bit is found: %d of %d", refused, tried);
    check(sealed_refused > 0 && sealed_refused < tried, "with sealed checksums the checks behind them work: %d of %d", sealed_refused, tried);
    printf("ok   damage: %d of %d changed bits found, %d behind right checksums\n", refused, tried, sealed_refused);
    for (uint64_t beyond = 0; beyond <= 64; beyond += 8) { // records that begin too near to the table, or behind it
        uint64_t table, place;
        memcpy(copy, file.data, file.size);
        memcpy(&table, copy + 40, 8);
        place = table - 24 + beyond;
        memcpy(copy + table, &place, 8);
        seal(copy, file.size);
        check(!opens(copy, file.size), "a record %llu bytes behind the table's beginning less 24", (unsigned long long)beyond);
    }
    uint64_t two[2], table; // two prompts with one record: a long one would be checked as often as the table names it
    memcpy(copy, file.data, file.size);
    memcpy(&table, copy + 40, 8);
    memcpy(two, copy + table, 16);
    memcpy(copy + table + 8, two, 8);
    seal(copy, file.size);
    check(file.size - table >= 16 && !opens(copy, file.size), "two prompts that share a record");
    // an id beyond the vocabulary, which right checksums do not rule out: the file opens, and no model of that size is asked it
    uint64_t place;
    uint32_t id = 1000000;
    memcpy(copy, file.data, file.size);
    memcpy(&place, copy + file.size - 8, 8);
    memcpy(copy + place + PROMPT_RECORD_BYTES, &id, 4);
    seal(copy, file.size);
    check(opens(copy, file.size), "an id of a larger model");
    PromptSet *set = prompt_set_open(out_path, &error);
    error.text[0] = 0;
    check(set && !prompt_set_check_limits(set, out_path, 1024, 1000000, &error) && strstr(error.text, "holds id 1000000, the tokenizer has 1000000"), "an id beyond the vocabulary: %s", error.text);
    check(set && prompt_set_check_limits(set, out_path, 1024, 1000001, &error), "the vocabulary's last id: %s", error.text);
    check(set && !prompt_set_check_limits(set, out_path, prompt_set_longest(set) - 1, 1000001, &error) && strstr(error.text, "1 of 2 prompts have more tokens than --max_prompt_tokens"), "a prompt too long: %s", error.text);
    prompt_set_close(set);
    free(copy);
    buffer_free(&file);
}

// ---- real sets
static void check_real_sets(void) {
    const char *data = check_data_folder();
    if (!data) {
        check_skip("test_prompts: no test data: the real sets are not prepared");
        return;
    }
    static const struct {
        const char *name;
        int64_t read, kept_of_any_length, kept; // kept with DeepScaleR's limit of 1,024 tokens
    } sets[] = {{"deepscaler/test/aime.json", 30, 30, 30}, {"deepscaler/test/amc.json", 83, 83, 83}, {"deepscaler/test/math.json", 500, 500, 500}, {"deepscaler/test/minerva.json", 272, 272, 272}, {"deepscaler/test/olympiad_bench.json", 675, 675, 673}, {"deepscaler/train/aime.json", 975, 975, 973}, {"verl-parquet/dsr_sub.parquet", 1209, 1208, 1208}, {"verl-parquet/math500.parquet", 500, 500, 500}, {"gsm8k/test.jsonl", 1319, 1319, 1319}};
    char path[1024];
    Error error;
    PromptEncoder encoder;
    PrepareCounts counts;
    snprintf(path, sizeof(path), "%s/tokenizers/r1-distill-qwen", data);
    if (!check(prompt_encoder_open(&encoder, path, &error), "%s", error.text)) { return; }
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", data, sets[i].name);
        for (int limit = 0; limit < 2; limit++) {
            int64_t want = limit ? sets[i].kept : sets[i].kept_of_any_length;
            bool ok = prepare_with_encoder(&encoder, out_path, path, limit ? 1024 : 1 << 20, NULL, &counts, &error);
            check(ok && counts.read == sets[i].read && counts.kept == want, "%s: read %lld, kept %lld, want %lld and %lld %s", path, (long long)counts.read, (long long)counts.kept,
                  (long long)sets[i].read, (long long)want, ok ? "" : error.text);
            check(counts.read == counts.kept + counts.null_answer + counts.too_long + counts.empty + counts.malformed, "%s: every row is accounted for", path);
        }
    }
    PromptSet *set = prompt_set_open(out_path, &error); // gsm8k/test
    check(set && !strcmp(prompt_set_get(set, 0).truth_json, "[\"18\"]"), "GSM8K's first answer is 18");
    prompt_set_close(set);
    prompt_encoder_close(&encoder);
}

int main(void) {
    device_init();
    if (!mkdtemp(folder)) { fatal("%s: cannot be made", folder); }
    snprintf(model, sizeof(model), "%s/model", folder);
    snprintf(out_path, sizeof(out_path), "%s/prompts.bin", folder);
    mkdir(model, 0777);
    make_model();
    check_numbers();
    check_json_text();
    check_questions();
    check_prepare();
    check_prepare_failures();
    check_prepare_formats();
    check_damage();
    check_real_sets();
    static const char *const left[] = {"/prompts.bin", "/model/tokenizer.json", "/model/tokenizer_config.json", "/model", ""};
    for (int i = 0; i < 5; i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s%s", folder, left[i]);
        check(remove(path) == 0, "%s is removed", path);
    }
    return check_report("test_prompts");
}
