// difficulty and leakage: texts by hash, shares of right answers at the bounds, answers to another set, hostile answers; problems that two
// sets have in common, on small sets of every shape and on the real ones.
#include "check.h"
#include "data/leakage.h"
#include "data/prepare.h"

static char folder[] = "/tmp/test_difficulty.XXXXXX";
static char model[64], rows_path[64], answers_path[64], out_path[64];

static void write_text(const char *path, const char *text) {
    Error error;
    if (!file_write_atomic(path, text, strlen(text), &error)) { fatal("%s", error.text); }
}
static void make_model(void) { // a token for each printable character, and a template that shows every role
    char path[128];
    Buffer tokenizer = {0};
    buffer_append_text(&tokenizer, "{\"version\":\"1.0\",\"added_tokens\":[],\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
                                   "\"trim_offsets\":false,\"use_regex\":false},\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":{");
    for (int byte = 33, id = 0; byte < 127; byte++, id++) { buffer_printf(&tokenizer, "\"%s%c\":%d,", byte == '"' || byte == '\\' ? "\\" : "", byte, id); }
    buffer_append_text(&tokenizer, "\"\\u0120\":94,\"\\u010a\":95},\"merges\":[]}}");
    snprintf(path, sizeof(path), "%s/tokenizer.json", model);
    write_text(path, tokenizer.data);
    buffer_free(&tokenizer);
    snprintf(path, sizeof(path), "%s/tokenizer_config.json", model);
    write_text(path, "{\"chat_template\":\"{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}[a]\"}");
}

static void check_table(void) {
    TextTable table = {0};
    char text[32];
    enum { COUNT = 5000 };
    check(text_table_find(&table, "x", 1) == -1, "an empty table holds nothing");
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < COUNT; i++) {
            const int bytes = snprintf(text, sizeof(text), "text %d", i * i % 7919 + i);
            const int found = text_table_find(&table, text, (size_t)bytes), before = table.count, number = text_table_add(&table, text, (size_t)bytes);
            size_t length;
            const char *held = text_table_get(&table, number, &length);
            check((found == -1 ? number == before && table.count == before + 1 : number == found && table.count == before) && length == (size_t)bytes && !memcmp(held, text, length), "%s in round %d", text, round);
            check(round == 0 || found >= 0, "%s is found again", text);
        }
    }
    check(text_table_add(&table, "a\0b", 3) != text_table_add(&table, "a\0c", 3), "a NUL does not end a text");
    text_table_free(&table);
    // two texts of one hash: the one that is held is given the other's hash and place
    text_table_add(&table, "having", 6);
    table.hashes[0] = prompts_fingerprint("sought", 6);
    memset(table.slots, 0, sizeof(int) * table.slot_count);
    table.slots[text_table_home(&table, table.hashes[0])] = 1;
    check(text_table_find(&table, "sought", 6) == -1, "another text of the same hash is not the same text");
    check(text_table_add(&table, "sought", 6) == 1 && text_table_find(&table, "sought", 6) == 1, "and is held beside it");
    text_table_free(&table);
}

// ---- difficulty
static void add_answers(Buffer *out, const char *problem, int index, int right, int answers) {
    for (int i = 0; i < answers; i++) {
        buffer_printf(out, "{\"prompt\":\"[user]%s%s[a]\",\"response\":\"\",\"truth\":[\"1\"],\"reward\":%d,\"index\":%d,\"sample\":%d,\"ids\":[1]}\n", problem,
                      " Let's think step by step and output the final answer within \\\\boxed{}.", i < right, index, i);
    }
}
static bool prepare(const char *rows, const char *answers, float min_pass, float max_pass, PrepareCounts *counts, Error *error) {
    Difficulty difficulty;
    unlink(out_path);
    write_text(rows_path, rows);
    write_text(answers_path, answers);
    error->text[0] = 0;
    if (!difficulty_open(&difficulty, answers_path, min_pass, max_pass, error)) { return false; }
    const bool ok = prompt_set_prepare(out_path, rows_path, model, 100, &difficulty, counts, error);
    difficulty_close(&difficulty);
    return ok;
}
static const char six_rows[] = "{\"problem\":\"hard\",\"answer\":\"1\"}\n{\"problem\":\"fits\",\"answer\":\"1\"}\n{\"problem\":\"easy\",\"answer\":\"1\"}\n{\"problem\":\"unasked\",\"answer\":\"1\"}\n"
                               "{\"problem\":\"fits\",\"answer\":\"1\"}\n{\"problem\":\"a problem whose text is very much longer than it should be\",\"answer\":\"1\"}\n";

static void check_filter(void) {
    Error error;
    PrepareCounts counts;
    Buffer answers = {0}, text = {0};
    add_answers(&answers, "fits", 1, 4, 8);
    add_answers(&answers, "hard", 0, 0, 8);
    add_answers(&answers, "easy", 2, 8, 8);
    add_answers(&answers, "fits", 4, 7, 8);                                                       // the same question in another place: its own share
    add_answers(&answers, "a problem whose text is very much longer than it should be", 5, 0, 8); // counted as too long
    if (!check(prepare(six_rows, answers.data, 0.125f, 0.75f, &counts, &error), "prepared: %s", error.text)) { return; }
    prepare_counts_text(&text, &counts, 100);
    check_text(text.data, "6 rows read, 1 kept; left out: 1 longer than 100 tokens, 1 too hard, 2 too easy, 1 never answered", "what became of each");
    PromptSet *set = prompt_set_open(out_path, &error);
    if (check(set && prompt_set_count(set) == 1, "%s", error.text)) { check(!strcmp(prompt_set_get(set, 0).problem, "fits") && prompt_set_get(set, 0).index == 1, "the one that fits is kept"); }
    prompt_set_close(set);
    add_answers(&answers, "hard", 0, 1, 0); // nothing
    check(prepare(six_rows, answers.data, 0, 1, &counts, &error) && counts.kept == 4 && counts.unanswered == 1, "with the widest bounds only what was never answered is left out: %s", error.text);
    add_answers(&answers, "hard", 0, 2, 2); // a second file's answers behind the first's: 2 of 10
    check(prepare(six_rows, answers.data, 0.2f, 0.2f, &counts, &error) && counts.kept == 1, "answers to one question may stand anywhere: %s", error.text);
    check(!prepare(six_rows, answers.data, 0.3f, 0.4f, &counts, &error) && strstr(error.text, "no prompt is left to train on: 6 rows read, 0 kept") && !file_exists(out_path), "nothing fits: %s", error.text);
    buffer_free(&answers);
    buffer_free(&text);
}
// A share of k/100 meets the option that is written so: both bounds are inclusive.
static void check_bounds(void) {
    Error error;
    int inside = 0, below = 0, above = 0;
    for (int k = 0; k <= 100; k++) {
        char text[8];
        snprintf(text, sizeof(text), "%d.%02d", k / 100, k % 100);
        const float share = strtof(text, NULL);
        const float bounds[3][2] = {{share, share}, {nextafterf(share, 2), 2}, {-1, nextafterf(share, -2)}};
        for (int b = 0; b < 3; b++) {
            Difficulty difficulty = {.path = "answers", .min_pass = bounds[b][0], .max_pass = bounds[b][1]};
            for (int i = 0; i < 100; i++) {
                json_t *answer = json_pack("{s:s, s:i, s:f}", "prompt", "p", "index", 7, "reward", i < k ? 1.0 : 0.0);
                check(difficulty_add_answer(&difficulty, answer, i + 1, &error), "added");
                json_decref(answer);
            }
            const DifficultyVerdict verdict = difficulty_judge(&difficulty, 7, "p", 1);
            inside += b == 0 && verdict == DIFFICULTY_FITS, below += b == 1 && verdict == DIFFICULTY_TOO_HARD, above += b == 2 && verdict == DIFFICULTY_TOO_EASY;
            check(difficulty_judge(&difficulty, 8, "p", 1) == DIFFICULTY_UNKNOWN && difficulty_judge(&difficulty, 7, "q", 1) == DIFFICULTY_UNKNOWN, "index and prompt both count");
            difficulty_close(&difficulty);
        }
    }
    check(inside == 101 && below == 101 && above == 101, "bounds: %d, %d and %d of 101", inside, below, above);
}
static void check_refused(const char *answers, const char *expected) {
    Error error;
    PrepareCounts counts;
    check(!prepare(six_rows, answers, 0, 1, &counts, &error) && strstr(error.text, answers_path) && strstr(error.text, expected), "%.80s: \"%s\" says \"%s\"", answers, error.text, expected);
    check(!file_exists(out_path), "%.80s: nothing is written", answers);
}
static void check_failures(void) {
    Buffer answers = {0};
    add_answers(&answers, "hard", 0, 1, 1);
    const char *right = answers.data;
    Buffer text = {0};
    const char *const hostile[][2] = {
        {"{\"prompt\":", "line 2: not valid JSON"},
        {"[]", "is not a JSON object"},
        {"{}", "line 2: has no \"prompt\", a text"},
        {"{\"prompt\":7,\"index\":0,\"reward\":1}", "line 2: has no \"prompt\", a text"},
        {"{\"prompt\":\"p\",\"reward\":1}", "line 2: has no \"index\", a whole number"},
        {"{\"prompt\":\"p\",\"index\":0.5,\"reward\":1}", "line 2: has no \"index\", a whole number"},
        {"{\"prompt\":\"p\",\"index\":99999999999999999999,\"reward\":1}", "line 2: not valid JSON"},
        {"{\"prompt\":\"p\",\"index\":0}", "line 2: has no \"reward\", a number"},
        {"{\"prompt\":\"p\",\"index\":0,\"reward\":\"1\"}", "line 2: has no \"reward\", a number"},
        {"{\"prompt\":\"p\",\"index\":0,\"reward\":0.25}", "line 2: a reward of 0.25: 0 or 1"},
        {"{\"prompt\":\"p\",\"index\":0,\"reward\":1e300}", "line 2: a reward of 1e+300"},
        {"{\"prompt\":\"p\",\"prompt\":\"p\",\"index\":0,\"reward\":1}", "line 2: not valid JSON"},
        {"{\"prompt\":\"[user]hard\\u0000[a]\",\"index\":0,\"reward\":1}", "line 2: "}, // no prompt of the set
        {"{\"prompt\":\"\",\"index\":0,\"reward\":1}", "line 2: "},
        {"{\"prompt\":\"1 p\",\"index\":-9223372036854775808,\"reward\":1}", "has no question of index -9223372036854775808"},
        {"{\"prompt\":\"p\xff\",\"index\":0,\"reward\":1}", "line 2: not valid JSON"},
    };
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        buffer_clear(&text);
        buffer_printf(&text, "%s%s\n", right, hostile[i][0]);
        check_refused(text.data, hostile[i][1]);
    }
    check_refused("", "holds no answer");
    check_refused("\n\n", "holds no answer");
    buffer_clear(&text);
    buffer_append_text(&text, right);
    buffer_append_text(&text, "\n");
    add_answers(&text, "elsewhere", 1, 1, 1);
    check_refused(text.data, "line 3: ");
    check_refused(text.data, "has no question of index 1 with this prompt: the answers are to another set or through another chat template; make them anew with ./rollout -m MODEL -e ");
    buffer_clear(&text);
    add_answers(&text, "hard", 1, 1, 1); // a question of the set, but not there
    check_refused(text.data, "line 1: ");
    Error error;
    Difficulty difficulty;
    check(!difficulty_open(&difficulty, folder, 0, 1, &error) && strstr(error.text, folder), "a folder: %s", error.text);
    check(!difficulty_open(&difficulty, "nowhere.jsonl", 0, 1, &error) && strstr(error.text, "nowhere.jsonl"), "no file: %s", error.text);
    buffer_free(&answers);
    buffer_free(&text);
}

// ---- leakage
static PromptSet *open_rows(const char *path, const char *model_dir, const char *rows) {
    Error error;
    PrepareCounts counts;
    if (rows) { write_text(path, rows); }
    if (!prompt_set_prepare(out_path, path, model_dir, INT_MAX, NULL, &counts, &error)) { fatal("%s", error.text); }
    PromptSet *set = prompt_set_open(out_path, &error);
    if (!set) { fatal("%s", error.text); }
    return set;
}
static void check_leakage(void) {
    PromptSet *train = open_rows(rows_path, model, "{\"problem\":\"Find $x$\\nif  $x+1=2$.\",\"answer\":\"1\"}\n{\"problem\":\"What is 2?\",\"answer\":\"2\"}\n{\"problem\":\"\xC3\x89t\xC3\xA9\",\"answer\":\"2\"}\n");
    // the same by white space, by case, in verl's shape with the instruction in it; then not the same
    PromptSet *eval = open_rows(rows_path, model, "{\"prompt\":[{\"role\":\"system\",\"content\":\"What is 2?\"},{\"role\":\"user\",\"content\":\"What is 3?\"}],\"reward_model\":{\"ground_truth\":\"1\"}}\n"
                                                  "{\"prompt\":[{\"role\":\"user\",\"content\":\" FIND $x$ if\\u00a0$x+1=2$. Let's think step by step and output the final answer within \\\\boxed{}.\"}],\"reward_model\":{\"ground_truth\":\"1\"}}\n"
                                                  "{\"prompt\":[{\"role\":\"user\",\"content\":\"what is 2?\"}],\"reward_model\":{\"ground_truth\":\"1\"}}\n"
                                                  "{\"prompt\":[{\"role\":\"user\",\"content\":\"\xC3\xA9T\xC3\x89\"}],\"reward_model\":{\"ground_truth\":\"1\"}}\n"
                                                  "{\"prompt\":[{\"role\":\"user\",\"content\":\"Let's think step by step and output the final answer within \\\\boxed{}.\"}],\"reward_model\":{\"ground_truth\":\"1\"}}\n"
                                                  "{\"prompt\":[{\"role\":\"user\",\"content\":\"What is 2\"}],\"reward_model\":{\"ground_truth\":\"1\"}}\n");
    TextTable table = leakage_table(train);
    int first = -1;
    check(leakage_count(&table, eval, &first) == 3 && first == 1, "three of six, the second first: %d", first);
    check(leakage_count(&table, train, &first) == 3 && first == 0, "a set is all in itself");
    Buffer text = {0};
    check(leakage_describe(&text, &table, eval), "there is something to say");
    check_text(text.data, "3 of 6 problems are in the training set too, the first: \" FIND $x$ if\xC2\xA0$x+1=2$. Let's think step by step and output the final answer within \\boxed{}.\"", "and it is said");
    buffer_free(&text);
    text_table_free(&table);
    table = (TextTable){0};
    check(!leakage_describe(&text, &table, eval) && !text.size, "nothing in common with an empty set");
    prompt_set_close(train);
    prompt_set_close(eval);
}
static void check_real_sets(void) {
    const char *data = check_data_folder();
    if (!data) {
        check_skip("test_difficulty: no test data: the real sets are not compared");
        return;
    }
    static const struct {
        const char *train, *eval;
        int shared;
    } pairs[] = {{"verl-parquet/dsr_sub.parquet", "aime", 0}, {"verl-parquet/dsr_sub.parquet", "amc", 0}, {"verl-parquet/dsr_sub.parquet", "math", 0}, {"verl-parquet/dsr_sub.parquet", "minerva", 0}, {"verl-parquet/dsr_sub.parquet", "olympiad_bench", 0}, {"deepscaler/train/aime.json", "aime", 0}, {"deepscaler/train/aime.json", "math", 4}, {"verl-parquet/math500.parquet", "math", 500}, {"verl-parquet/math500.parquet", "amc", 0}};
    char path[1024], r1[1024], opened[1024] = "";
    PromptSet *train = NULL;
    TextTable table = {0};
    snprintf(r1, sizeof(r1), "%s/tokenizers/r1-distill-qwen", data);
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", data, pairs[i].train);
        if (strcmp(path, opened) != 0) {
            prompt_set_close(train);
            text_table_free(&table);
            train = open_rows(path, r1, NULL);
            table = leakage_table(train);
            snprintf(opened, sizeof(opened), "%s", path);
        }
        snprintf(path, sizeof(path), "%s/deepscaler/test/%s.json", data, pairs[i].eval);
        PromptSet *eval = open_rows(path, r1, NULL);
        int first = 0;
        const int found = leakage_count(&table, eval, &first);
        check(found == pairs[i].shared, "%s and %s share %d problems, want %d", pairs[i].train, pairs[i].eval, found, pairs[i].shared);
        if (found) { printf("show leakage: %d of %d problems of %s are in %s\n", found, prompt_set_count(eval), pairs[i].eval, pairs[i].train); }
        prompt_set_close(eval);
    }
    prompt_set_close(train);
    text_table_free(&table);
}
// The 1,208 questions of DeepScaleR's subset with 8 answers each, right by a rule: counted here and by the filter.
static void check_real_filter(void) {
    const char *data = check_data_folder();
    if (!data) { return; }
    char path[1024], r1[1024];
    int want[3] = {0}; // too hard, kept, too easy
    Error error;
    PrepareCounts counts;
    Difficulty difficulty;
    Buffer answers = {0};
    snprintf(r1, sizeof(r1), "%s/tokenizers/r1-distill-qwen", data);
    snprintf(path, sizeof(path), "%s/verl-parquet/dsr_sub.parquet", data);
    PromptSet *set = open_rows(path, r1, NULL);
    for (int sample = 0; sample < 8; sample++) {
        for (int i = 0; i < prompt_set_count(set); i++) {
            const Prompt prompt = prompt_set_get(set, i);
            const int right = i * 7 % 9;
            if (sample == 0) { want[right == 0 ? 0 : right == 8 ? 2
                                                                : 1]++; }
            buffer_append_text(&answers, "{\"prompt\":");
            text_append_json(&answers, prompt.text, strlen(prompt.text));
            buffer_printf(&answers, ",\"reward\":%d,\"index\":%lld}\n", sample < right, (long long)prompt.index);
        }
    }
    prompt_set_close(set);
    write_text(answers_path, answers.data);
    check(difficulty_open(&difficulty, answers_path, 0.1f, 0.9f, &error), "%s", error.text);
    check(prompt_set_prepare(out_path, path, r1, 1024, &difficulty, &counts, &error), "%s", error.text);
    check(counts.too_hard == want[0] && counts.kept == want[1] && counts.too_easy == want[2] && counts.unanswered == 0, "dsr_sub: %lld too hard, %lld kept, %lld too easy; want %d, %d, %d", (long long)counts.too_hard,
          (long long)counts.kept, (long long)counts.too_easy, want[0], want[1], want[2]);
    difficulty_close(&difficulty);
    check(difficulty_open(&difficulty, answers_path, 0.1f, 0.9f, &error), "%s", error.text);
    snprintf(path, sizeof(path), "%s/verl-parquet/math500.parquet", data);
    check(!prompt_set_prepare(out_path, path, r1, 1024, &difficulty, &counts, &error) && strstr(error.text, "line 1: ") && strstr(error.text, "the answers are to another set"), "another real set: %s", error.text);
    difficulty_close(&difficulty);
    buffer_free(&answers);
}

int main(void) {
    device_init();
    if (!mkdtemp(folder)) { fatal("%s: cannot be made", folder); }
    snprintf(model, sizeof(model), "%s/model", folder);
    snprintf(rows_path, sizeof(rows_path), "%s/rows.jsonl", folder);
    snprintf(answers_path, sizeof(answers_path), "%s/answers.jsonl", folder);
    snprintf(out_path, sizeof(out_path), "%s/out.bin", folder);
    mkdir(model, 0777);
    make_model();
    check_table();
    check_filter();
    check_bounds();
    check_failures();
    check_leakage();
    check_real_sets();
    check_real_filter();
    directory_remove(model);
    directory_remove(folder);
    return check_report("test_difficulty");
}
