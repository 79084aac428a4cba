// miniature: its tokenizer, template, problems, teacher and model folder, each through the code a real model goes through; and the
// supervised start on a few of its pairs.
#include <ftw.h>
#include "llmc/grading.h"
#include "llmc/miniature.h"
#include "llmc/records.h"
#include "test/check.h"

enum { K_COUNT = MINIATURE_LONGEST + 1 };
static char root[64], model[80], train[80], held_out[80], pairs_path[80];

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where) {
    (void)status, (void)type, (void)where;
    return remove(path);
}
static int operand_count(const char *question) {
    int k = 1;
    for (; *question; question++) { k += *question == '+'; }
    return k;
}
static int sum_of(const char *question) {
    int sum = 0;
    for (; *question; question++) { sum += *question >= '0' && *question <= '9' ? *question - '0' : 0; }
    return sum;
}
static bool is_question(const char *text) { // 4+9+3= with digits from 1 to 9
    const size_t bytes = strlen(text);
    bool ok = bytes >= 4 && bytes % 2 == 0 && text[bytes - 1] == '=';
    for (size_t i = 0; ok && i + 1 < bytes; i++) { ok = i % 2 ? text[i] == '+' : text[i] >= '1' && text[i] <= '9'; }
    return ok;
}
// ---- tokenizer
static void test_tokenizer(void) {
    char path[100];
    Error error;
    snprintf(path, sizeof(path), "%s/tokenizer.json", model);
    Tokenizer *t = tokenizer_open(path, &error);
    if (!check(t, "%s", error.text)) { return; }
    check(tokenizer_vocab_size(t) == MINIATURE_TOKENS, "%d tokens", tokenizer_vocab_size(t));
    Buffer text = {0};
    Ints ids = {0};
    for (int id = 0; id < MINIATURE_TOKENS; id++) {
        buffer_clear(&text), ids.size = 0;
        tokenizer_decode(t, &id, 1, false, &text);
        check_text(text.data, miniature_tokens[id], "a token decodes to its text");
        tokenizer_encode(t, text.data, text.size, &ids);
        check(ids.size == 1 && ids.data[0] == id, "%s encodes to %zu ids, the first %d, want %d", miniature_tokens[id], ids.size, ids.size ? ids.data[0] : -1, id);
        buffer_clear(&text);
        tokenizer_decode(t, &id, 1, true, &text);
        check((text.size == 0) == (id < 3), "%s is special: %d", miniature_tokens[id], text.size == 0);
    }
    int two[2]; // every pair side by side: nothing merges
    for (int i = 0; i < MINIATURE_TOKENS * MINIATURE_TOKENS; i++) {
        two[0] = i / MINIATURE_TOKENS, two[1] = i % MINIATURE_TOKENS;
        buffer_clear(&text), ids.size = 0;
        tokenizer_decode(t, two, 2, false, &text);
        tokenizer_encode(t, text.data, text.size, &ids);
        check(ids.size == 2 && !memcmp(ids.data, two, sizeof(two)), "%s%s is not two tokens", miniature_tokens[two[0]], miniature_tokens[two[1]]);
    }
    buffer_free(&text);
    ints_free(&ids);
    tokenizer_free(t);
}
// ---- problems
// Counts the questions of each k; every one must be well-formed, with its truth.
static void count_prompts(int counts[K_COUNT], json_t *seen, const char *parquet, int want) {
    char path[100];
    Error error;
    PrepareCounts prepared = {0};
    snprintf(path, sizeof(path), "%s.bin", parquet);
    check(prompt_set_prepare(path, parquet, model, 32, NULL, &prepared, &error), "%s", error.text);
    check(prepared.kept == want && prepared.read == want, "%s: %d of %d questions are kept, want %d", parquet, (int)prepared.kept, (int)prepared.read, want);
    PromptSet *set = prompt_set_open(path, &error);
    if (!check(set, "%s", error.text)) { return; }
    int wrong = 0;
    for (int i = 0; i < prompt_set_count(set); i++) {
        const Prompt prompt = prompt_set_get(set, i);
        const int k = operand_count(prompt.problem);
        char truth[32], text[64];
        snprintf(truth, sizeof(truth), "[\"%d\"]", sum_of(prompt.problem));
        snprintf(text, sizeof(text), "<bos>%s<think>", prompt.problem);
        wrong += !is_question(prompt.problem) || strcmp(prompt.truth_json, truth) != 0 || strcmp(prompt.text, text) != 0 || prompt.count != 2 * k + 2 || prompt.index != i ||
                 prompt.ids[0] != MINIATURE_BOS || k < MINIATURE_SHORTEST || k > MINIATURE_LONGEST;
        counts[k < K_COUNT ? k : 0]++;
        json_object_set_new(seen, prompt.problem, json_true());
    }
    check(wrong == 0, "%s: %d questions are malformed", parquet, wrong);
    prompt_set_close(set);
}
static bool any_in(const json_t *texts, json_t *others) {
    const char *key;
    json_t *value;
    json_object_foreach(others, key, value) {
        if (json_object_get(texts, key)) { return true; }
    }
    return false;
}
static void test_problems(json_t *evaluated) {
    int counts[K_COUNT] = {0}, evaluated_counts[K_COUNT] = {0};
    json_t *trained = json_object(), *other = json_object();
    count_prompts(counts, trained, train, MINIATURE_PROMPTS);
    count_prompts(evaluated_counts, evaluated, held_out, MINIATURE_EVAL_COUNT);
    const double expected = (double)MINIATURE_PROMPTS / (MINIATURE_LONGEST - MINIATURE_SHORTEST + 1);
    for (int k = MINIATURE_SHORTEST; k <= MINIATURE_LONGEST; k++) {
        check(evaluated_counts[k] == MINIATURE_EVAL_EACH, "%d held-out sums of %d numbers", evaluated_counts[k], k);
        check(fabs(counts[k] - expected) < 5 * sqrt(expected), "%d training sums of %d numbers, %.0f expected", counts[k], k, expected);
    }
    check(!any_in(evaluated, trained), "a held-out sum is a training prompt");
    check(json_object_size(evaluated) > 160 && json_object_size(trained) > 8000, "%zu and %zu different sums", json_object_size(evaluated), json_object_size(trained)); // sums of two and three repeat
    for (int seed = 1; seed <= 2; seed++) {                                                                                                                             // another seed: other training prompts, the same held-out ones
        miniature_write_prompts(train, false, (uint64_t)seed), miniature_write_prompts(held_out, true, (uint64_t)seed);
    }
    memset(evaluated_counts, 0, sizeof(evaluated_counts));
    count_prompts(evaluated_counts, other, held_out, MINIATURE_EVAL_COUNT);
    check(json_equal(other, evaluated), "the held-out sums follow the seed");
    json_object_clear(other);
    count_prompts(counts, other, train, MINIATURE_PROMPTS);
    check(!any_in(evaluated, other) && !json_equal(other, trained), "another seed's training sums");
    json_decref(trained), json_decref(other);
}
// ---- the teacher
// The running sum, written out once more.
static void worked_answer(Buffer *out, const char *question) {
    int sum = question[0] - '0', next;
    buffer_clear(out);
    for (const char *p = question + 2; p[-1] == '+'; p += 2, sum = next) {
        next = sum + *p - '0';
        buffer_printf(out, "%s%d+%c=%d", out->size ? "," : "", sum, *p, next);
    }
    buffer_printf(out, "</think>\\boxed{%d}", sum);
}
static void test_teacher(const json_t *evaluated) {
    Error error = {""};
    PromptEncoder encoder;
    if (!check(prompt_encoder_open(&encoder, model, &error), "%s", error.text)) { return; }
    RecordFile *rows = record_file_open(pairs_path, &error);
    if (!check(rows, "%s", error.text)) { return; }
    Buffer text = {0}, worked = {0};
    Ints ids = {0};
    json_t *row;
    int pairs = 0, counts[K_COUNT] = {0}, longest[K_COUNT] = {0}, guesses = 0, right_guesses = 0, right_worked = 0, graded_guesses = 0, graded_worked = 0, wrong = 0, shown = 0;
    while ((row = record_file_next(rows, &error))) {
        const char *question = json_string_value(json_object_get(row, "prompt")), *answer = json_string_value(json_object_get(row, "response"));
        const int k = question && is_question(question) ? operand_count(question) : 0;
        if (k < MINIATURE_SHORTEST || k > MINIATURE_LONGEST || !answer) {
            wrong++;
            json_decref(row);
            continue;
        }
        pairs++, counts[k]++;
        shown += json_object_get(evaluated, question) != NULL;
        worked_answer(&worked, question);
        const bool guess = !strncmp(answer, "</think>", 8);
        guesses += guess;
        if (!guess) {
            wrong += strcmp(answer, worked.data) != 0;
            ids.size = 0;
            tokenizer_encode(encoder.tokenizer, answer, strlen(answer), &ids);
            longest[k] = (int)ids.size + 1 > longest[k] ? (int)ids.size + 1 : longest[k]; // with the end-of-sequence token
        }
        if (pairs <= 6000) { // what the grader is given: prompt and answer as the template and the tokenizer spell them
            json_t *messages = json_pack("[{s:s, s:s}]", "role", "user", "content", question);
            char truth[32];
            check(prompt_encoder_render(&encoder, messages, &text, &ids, &error), "%s", error.text);
            json_decref(messages);
            tokenizer_encode(encoder.tokenizer, answer, strlen(answer), &ids);
            ints_push(&ids, MINIATURE_EOS);
            buffer_clear(&text);
            tokenizer_decode(encoder.tokenizer, ids.data, ids.size, false, &text);
            snprintf(truth, sizeof(truth), "[\"%d\"]", sum_of(question));
            const Verdict verdict = reward_grade_response(GRADER_DEEPSCALER, text.data, text.size, truth);
            *(guess ? &right_guesses : &right_worked) += verdict.reward > 0;
            *(guess ? &graded_guesses : &graded_worked) += 1;
        }
        json_decref(row);
    }
    record_file_close(rows);
    check(pairs == MINIATURE_PAIRS && wrong == 0, "%d pairs, %d malformed", pairs, wrong);
    check(shown == 0, "%d pairs show a held-out sum", shown);
    check(graded_worked > 1000 && right_worked == graded_worked, "%d of %d worked answers are graded right", right_worked, graded_worked);
    check(right_guesses > 0 && right_guesses < graded_guesses / 20, "%d of %d guesses are graded right", right_guesses, graded_guesses);
    const double share = (double)guesses / pairs, sigma = sqrt(miniature_guess_share * (1 - miniature_guess_share) / pairs);
    check(fabs(share - miniature_guess_share) < 5 * sigma, "the teacher guesses %.3f of the time, %.2f wanted", share, miniature_guess_share);
    double total = 0;
    for (int k = MINIATURE_SHORTEST; k <= MINIATURE_LONGEST; k++) { total += 1.0 / k; }
    for (int k = MINIATURE_SHORTEST; k <= MINIATURE_LONGEST; k++) {
        const double expected = pairs / (k * total);
        check(fabs(counts[k] - expected) < 5 * sqrt(expected), "%d pairs of %d numbers, %.0f expected", counts[k], k, expected);
        check(longest[k] == 8 * k - 4, "the longest worked answer to %d numbers has %d tokens, want %d", k, longest[k], 8 * k - 4);
    }
    check(longest[4] <= miniature_stages[0].context && longest[5] > miniature_stages[0].context && longest[7] <= miniature_stages[1].context &&
              longest[8] > miniature_stages[1].context && longest[10] <= miniature_stages[2].context && longest[10] <= MINIATURE_ANSWER,
          "each stage's context fits longer sums than the one before");
    printf("ok   teacher: %d of %d worked answers and %d of %d guesses are graded right\n", right_worked, graded_worked, right_guesses, graded_guesses);
    buffer_free(&text), buffer_free(&worked);
    ints_free(&ids);
    prompt_encoder_close(&encoder);
    reward_thread_cleanup();
}
// ---- the model, and its supervised start
static double supervised_step(SftTrainer *t, const Pairs *pairs, int rows, uint64_t seed, int steps, double *first_loss, double *norm) {
    int order[64];
    AdamW adamw = {.learning_rate = 3e-3f, .beta1 = 0.9f, .beta2 = 0.99f, .eps = 1e-8f, .grad_clip = 1};
    t->batch = microbatch_create(rows, rows);
    policy_random_weights(&t->policy, seed);
    device_zero(t->policy.adam_m, t->policy.parameters.total * sizeof(float));
    device_zero(t->policy.adam_v, t->policy.parameters.total * sizeof(float));
    for (int step = 0; step < steps; step++) {
        UpdateStats updates = {0};
        for (int i = 0; i < 64; i++) { order[i] = 64 * step + i; }
        sft_step(t, pairs, order, 64, &adamw, &updates);
        if (step == 0) { *first_loss = t->loss, *norm = updates.norm_sum; }
    }
    microbatch_free(&t->batch);
    return t->loss;
}
static void test_model(void) {
    enum { ROWS = 2048,
           STEPS = 12 };
    Error error = {""};
    SftTrainer t = {.loss = 0};
    PromptEncoder encoder;
    Pairs pairs = {0}, few = {0};
    if (!check(policy_open(&t.policy, model, MINIATURE_TOKENS, &error), "%s", error.text)) { return; }
    check(t.policy.parameters.actual == 150336, "%zu parameters", t.policy.parameters.actual);
    check(t.policy.vocab_used == MINIATURE_TOKENS && t.policy.logit_stride == 32, "ids beyond the tokenizer's %d are never sampled", t.policy.vocab_used);
    GenerationConfig generation;
    check(generation_config_read(&generation, model, t.policy.config.vocab, &error), "%s", error.text);
    check(generation.eos_count == 1 && generation.eos[0] == MINIATURE_EOS, "the end of a sequence is <eos>");
    check(prompt_encoder_open(&encoder, model, &error), "%s", error.text);
    check(pairs_read(&pairs, pairs_path, &encoder, MINIATURE_EOS, 128, &error), "%s", error.text);
    check(pairs.count == MINIATURE_PAIRS && pairs.too_long == 0, "%d pairs fit 128 tokens", pairs.count);
    check(pairs_read(&few, pairs_path, &encoder, MINIATURE_EOS, 20, &error) && few.count + few.too_long == MINIATURE_PAIRS && few.count < pairs.count && few.count > 1000,
          "of pairs longer than 20 tokens %d are left out", few.too_long);
    int too_long = 0, wrong = 0;
    for (int i = 0; i < few.count; i++) { too_long += few.list[i].prompt_count + few.list[i].response_count > 20; }
    for (int i = 0; i < pairs.count; i++) {
        const Pair *p = &pairs.list[i];
        const int *ids = pairs.ids.data + p->prompt;
        wrong += ids[0] != MINIATURE_BOS || ids[p->prompt_count - 1] != 3 || ids[p->prompt_count + p->response_count - 1] != MINIATURE_EOS;
    }
    check(too_long == 0 && wrong == 0, "%d of the short pairs are too long, %d pairs do not run from <bos> over <think> to <eos>", too_long, wrong);

    for (int pass = 0; pass < 2; pass++) {
        policy_layout(&t.policy, &t.memory, &(PolicySizes){.rows = ROWS, .max_positions = 128, .optimizer = true, .logits_bytes = 1 << 20});
        if (pass == 0) { memory_commit(&t.memory); }
    }
    policy_make_rope_table(&t.policy);
    t.dlogprob = (float *)host_alloc(2 * ROWS * sizeof(float)), t.dentropy = t.dlogprob + ROWS;
    double first, norm, parts, parts_norm, again, again_norm;
    const double last = supervised_step(&t, &pairs, ROWS, 1, STEPS, &first, &norm);
    supervised_step(&t, &pairs, 200, 1, 1, &parts, &parts_norm); // several micro-batches: the same loss
    check(fabs(first - parts) < 1e-6 && fabs(norm - parts_norm) < 1e-4 * norm, "loss %.7f and norm %.5f in one, %.7f and %.5f in several micro-batches", first, norm, parts, parts_norm);
    check(supervised_step(&t, &pairs, ROWS, 1, STEPS, &again, &again_norm) == last && again == first && again_norm == norm, "the same seed gives the same bits");
    // a random model spreads its bets over 24 tokens; the form of an answer is learnt within a few updates
    check(fabs(first - log(MINIATURE_TOKENS)) < 0.5 && last < 0.75 * first, "the loss goes from %.3f to %.3f in %d updates", first, last, STEPS);
    printf("ok   supervised start: loss %.3f to %.3f in %d updates\n", first, last, STEPS);

    SftConfig schedule = {.learning_rate = 2, .min_lr_fraction = 0.1f, .warmup_steps = 4, .steps = 20};
    check(sft_learning_rate(&schedule, 0) == 0.5f && sft_learning_rate(&schedule, 3) == 2 && sft_learning_rate(&schedule, 4) == 2, "linear warm-up");
    check(fabsf(sft_learning_rate(&schedule, 12) - 1.1f) < 1e-6f && fabsf(sft_learning_rate(&schedule, 20) - 0.2f) < 1e-6f, "half a cosine");
    int order[100], seen[100] = {0}, moved = 0;
    random_permutation(order, 100, 5);
    for (int i = 0; i < 100; i++) { seen[order[i]]++, moved += order[i] != i; }
    for (int i = 0; i < 100; i++) { check(seen[i] == 1, "pair %d comes %d times an epoch", i, seen[i]); }
    check(moved > 90, "%d of 100 pairs move", moved);
    free(t.dlogprob);
    pairs_free(&pairs), pairs_free(&few);
    prompt_encoder_close(&encoder);
    policy_free(&t.policy);
}
// ---- grading, and the record of it, as the trainer does it
// Every answer is one line of JSON from which the step could be done again: ids and log-probabilities to the bit.
static void check_records(Samples *samples, const Grading *grading) {
    char path[100];
    Error error = {""};
    snprintf(path, sizeof(path), "%s/step.jsonl", root);
    for (int i = 0; i < samples->count; i++) {
        Sample *s = &samples->list[i];
        s->finished = i % 5 > 0, s->advantage = 0.1f * (float)i - 3, s->number = i % 4;
        for (int t = 0; t < s->count; t++) { s->logprob[t] = -10 * random_uniform(6, (uint64_t)(40 * i + t)); }
    }
    check(records_write(path, samples, grading, &error), "%s", error.text);
    RecordFile *rows = record_file_open(path, &error);
    if (!check(rows, "%s", error.text)) { return; }
    json_t *row;
    int count = 0, wrong = 0;
    while ((row = record_file_next(rows, &error)) && count < samples->count) {
        const Sample *s = &samples->list[count];
        const Prompt prompt = prompt_set_get(grading->prompts, grading->prompt_index[s->prompt]);
        const json_t *ids = json_object_get(row, "ids"), *logprobs = json_object_get(row, "logprobs"), *prompt_ids = json_object_get(row, "prompt_ids");
        json_t *truth = json_loads(prompt.truth_json, 0, NULL);
        bool ok = !strcmp(json_string_value(json_object_get(row, "prompt")), prompt.text) && !strcmp(json_string_value(json_object_get(row, "response")), s->text.data) &&
                  !strcmp(json_string_value(json_object_get(row, "reason")), s->verdict.reason) && json_equal(json_object_get(row, "truth"), truth) &&
                  json_integer_value(json_object_get(row, "index")) == prompt.index && json_integer_value(json_object_get(row, "sample")) == s->number &&
                  json_number_value(json_object_get(row, "reward")) == (double)s->reward && (float)json_number_value(json_object_get(row, "advantage")) == s->advantage &&
                  json_is_true(json_object_get(row, "finished")) == s->finished && (int)json_array_size(ids) == s->count && (int)json_array_size(logprobs) == s->count &&
                  (int)json_array_size(prompt_ids) == s->prompt_count;
        for (int t = 0; t < s->count; t++) {
            ok = ok && json_integer_value(json_array_get(ids, (size_t)t)) == s->tokens[t] && (float)json_number_value(json_array_get(logprobs, (size_t)t)) == s->logprob[t];
        }
        for (int t = 0; t < s->prompt_count; t++) { ok = ok && json_integer_value(json_array_get(prompt_ids, (size_t)t)) == s->prompt_ids[t]; }
        wrong += !ok, count++;
        json_decref(truth), json_decref(row);
    }
    record_file_close(rows);
    check(count == samples->count && wrong == 0, "%d of %d records differ from their answers", wrong, count);
}
static void test_grading(void) {
    enum { N = 300 };
    char path[100];
    Error error = {""};
    snprintf(path, sizeof(path), "%s/tokenizer.json", model);
    Tokenizer *tokenizer = tokenizer_open(path, &error);
    snprintf(path, sizeof(path), "%s.bin", train);
    PromptSet *set = prompt_set_open(path, &error);
    if (!check(tokenizer && set, "%s", error.text)) { return; }
    static int prompt_index[N];
    Samples samples = samples_create(N, 40);
    Grading grading;
    Ints ids = {0};
    grading_open(&grading, tokenizer, GRADER_DEEPSCALER, 3, N);
    grading.prompts = set, grading.prompt_index = prompt_index;
    for (int round = 0; round < 2; round++) { // the second time the texts' memory is used again
        samples_clear(&samples);
        for (int i = 0; i < N; i++) {
            prompt_index[i] = (i * 37 + round) % prompt_set_count(set);
            const Prompt prompt = prompt_set_get(set, prompt_index[i]);
            char text[64];
            samples_add_group(&samples, i, prompt.ids, prompt.count, 1, 0);
            snprintf(text, sizeof(text), i % 3 == 2 ? "1+1=2" : "</think>\\boxed{%d}", sum_of(prompt.problem) + i % 3);
            ids.size = 0;
            tokenizer_encode(tokenizer, text, strlen(text), &ids);
            memcpy(samples.list[i].tokens, ids.data, ids.size * sizeof(int));
            samples.list[i].count = (int)ids.size;
            grading_submit(&grading, &samples.list[i]);
        }
        grading_wait(&grading);
        int wrong = 0;
        for (int i = 0; i < N; i++) {
            const Sample *s = &samples.list[i];
            char answer[16];
            snprintf(answer, sizeof(answer), "%d", sum_of(prompt_set_get(set, prompt_index[i]).problem) + i % 3);
            if (i % 3 == 2) { *answer = 0; }
            wrong += s->reward != (i % 3 == 0) || s->verdict.reward != (i % 3 == 0) || strcmp(s->answer.data ? s->answer.data : "", answer) != 0 ||
                     strncmp(s->text.data, i % 3 == 2 ? "1+1=2" : "</think>", i % 3 == 2 ? 6 : 8) != 0;
        }
        check(wrong == 0, "round %d: %d of %d answers are graded wrong", round, wrong, N);
    }
    grading_close(&grading);
    check_records(&samples, &grading);
    samples_free(&samples);
    ints_free(&ids);
    prompt_set_close(set);
    tokenizer_free(tokenizer);
}
// ---- what it makes of a command line
static void test_prepare(void) {
    char run[80], *short_run[] = {"train_grpo", "--plan", "-o", run, "-c", "40"}, *own[] = {"train_grpo", "--plan", "-o", run, "-c", "20:5,30:6", "-g", "4"};
    snprintf(run, sizeof(run), "%s/run", root);
    if (file_exists("models/DeepSeek-R1-Distill-Qwen-1.5B")) {
        check_skip("a real model is here: the miniature would not be taken");
        return;
    }
    Config config = config_from_args(6, short_run);
    miniature_prepare(&config);
    check(config.stage_count == 3 && config.stages[0].context == 32 && config.stages[1].context == 40 && config.stages[2].context == 40, "a cap of 40: %d, %d, %d tokens",
          config.stages[0].context, config.stages[1].context, config.stages[2].context);
    check(config.group_size == 8 && config.kl_coef == 0 && config.temperature == 1 && strstr(config.model, "/run/miniature/model"), "the miniature's own options");
    config = config_from_args(8, own);
    miniature_prepare(&config);
    check(config.stage_count == 2 && config.stages[1].context == 30 && config.stages[1].steps == 6 && config.group_size == 4 && !strcmp(config.run_dir, run), "what the user gave stays");
}

int main(void) {
    omp_set_num_threads(1); // the model is too small for more
    device_init();
    snprintf(root, sizeof(root), "%s/test_miniature_XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"); // in memory every fsync is free
    if (!mkdtemp(root)) { fatal("%s: %s", root, strerror(errno)); }
    snprintf(model, sizeof(model), "%s/model", root), snprintf(pairs_path, sizeof(pairs_path), "%s/pairs.jsonl", root);
    snprintf(train, sizeof(train), "%s/train.parquet", root), snprintf(held_out, sizeof(held_out), "%s/held_out.parquet", root);
    miniature_write_model(model);
    miniature_write_prompts(train, false, 11), miniature_write_prompts(held_out, true, 0), miniature_write_pairs(pairs_path, 10);
    json_t *evaluated = json_object();
    test_tokenizer();
    test_problems(evaluated);
    test_teacher(evaluated);
    test_model();
    test_grading();
    test_prepare();
    json_decref(evaluated);
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return check_report("test_miniature");
}
