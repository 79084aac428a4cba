// miniature: what train_grpo trains when no model is given: DeepScaleR's figure 1 in minutes on two CPU cores.
//
// The task is a sum of k one-digit numbers, k = 2 .. 10: prompt `4+9+3=`, answer `\boxed{16}`. A model that thinks writes the running
// sum, `4+9=13,13+3=16</think>\boxed{16}`, 8k - 4 tokens; so a context of 32 fits k <= 4, one of 56 k <= 7, one of 96 all.
// The supervised start has seen a teacher who with probability 0.7 GUESSES, `</think>\boxed{21}`, and else thinks: so it knows how to
// add, but mostly does not. Reward alone teaches it to think; each lengthening of the context unlocks longer sums.
// Everything goes the way of a real model: a tokenizer.json, a chat template, a Parquet file of prompts, the same loop and grader.
#pragma once
#include "data/parquet_write.h"
#include "llmc/sft.h"

enum { MINIATURE_SHORTEST = 2,
       MINIATURE_LONGEST = 10,
       MINIATURE_EVAL_EACH = 20,
       MINIATURE_PAIRS = 64000,
       MINIATURE_PROMPTS = 10240,
       MINIATURE_ANSWER = 96 };
#define MINIATURE_EVAL_COUNT ((MINIATURE_LONGEST - MINIATURE_SHORTEST + 1) * MINIATURE_EVAL_EACH)
static const double miniature_guess_share = 0.7;
static const struct {
    int context, steps;
} miniature_stages[] = {{32, 40}, {56, 40}, {96, 60}};

// ---- the model: 24 tokens, its vocabulary padded to 32; 150,336 parameters
static const char *const miniature_tokens[] = {"<pad>", "<bos>", "<eos>", "<think>", "</think>", "\\boxed{", "}", "+", "=", ",", "0", "1",
                                               "2", "3", "4", "5", "6", "7", "8", "9", "-", "*", "?", ";"};
enum { MINIATURE_TOKENS = 24,
       MINIATURE_ADDED = 6,
       MINIATURE_BOS = 1,
       MINIATURE_EOS = 2 }; // the first six are added tokens

static inline json_t *miniature_tokenizer(void) {
    json_t *vocab = json_object(), *added = json_array();
    for (int id = 0; id < MINIATURE_TOKENS; id++) {
        if (id < MINIATURE_ADDED) {
            json_array_append_new(added, json_pack("{s:i, s:s, s:b, s:b, s:b, s:b, s:b}", "id", id, "content", miniature_tokens[id], "single_word", 0, "lstrip", 0,
                                                   "rstrip", 0, "normalized", 0, "special", id < 3));
        } else {
            json_object_set_new(vocab, miniature_tokens[id], json_integer(id));
        }
    }
    const char *pattern = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"; // Qwen2's
    return json_pack("{s:s, s:n, s:n, s:o, s:{s:s}, s:{s:s, s:[{s:s, s:{s:s}, s:s, s:b}, {s:s, s:b, s:b, s:b}]}, s:n, s:{s:s, s:b, s:b, s:b},"
                     " s:{s:s, s:n, s:n, s:n, s:n, s:b, s:b, s:o, s:[]}}",
                     "version", "1.0", "truncation", "padding", "added_tokens", added, "normalizer", "type", "NFC", "pre_tokenizer", "type", "Sequence", "pretokenizers",
                     "type", "Split", "pattern", "Regex", pattern, "behavior", "Isolated", "invert", 0, "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 0,
                     "use_regex", 0, "post_processor", "decoder", "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 0, "use_regex", 0, "model", "type", "BPE",
                     "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 0, "byte_fallback", 0, "vocab", vocab, "merges");
}
static inline void miniature_write_model(const char *dir) { // everything but the weights
    const ModelConfig model = {.architecture = "qwen2", .dtype = "float32", .hidden = 64, .intermediate = 192, .layers = 3, .heads = 4, .kv_heads = 2, .head_dim = 16, .vocab = 32, .max_position = 128, .rms_eps = 1e-6f, .rope_theta = 10000, .tied_head = true, .qkv_bias = true, .bos = MINIATURE_BOS, .eos = MINIATURE_EOS, .pad = 0};
    const GenerationConfig generation = {.eos = {MINIATURE_EOS}, .eos_count = 1, .bos = MINIATURE_BOS, .pad = 0, .temperature = 1, .top_p = 1};
    const char *chat_template = "{{ bos_token }}{% for message in messages %}{{ message['content'] }}{% endfor %}{% if add_generation_prompt %}<think>{% endif %}";
    json_t *tokenizer = miniature_tokenizer();
    json_t *settings = json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:i}", "tokenizer_class", "PreTrainedTokenizerFast", "bos_token", "<bos>", "eos_token", "<eos>", "pad_token",
                                 "<pad>", "clean_up_tokenization_spaces", 0, "chat_template", chat_template, "model_max_length", 128);
    char path[1100];
    Error error;
    bool ok = directory_create(dir, &error) && model_config_write(dir, &model, &error) && generation_config_write(dir, &generation, &error);
    snprintf(path, sizeof(path), "%.1000s/tokenizer.json", dir);
    ok = ok && json_write(path, tokenizer, &error);
    snprintf(path, sizeof(path), "%.1000s/tokenizer_config.json", dir);
    ok = ok && json_write(path, settings, &error);
    json_decref(tokenizer);
    json_decref(settings);
    if (!ok) { fatal("%s", error.text); }
}

// ---- the problems
typedef struct {
    int k, operand[MINIATURE_LONGEST], sum;
} MiniatureProblem;

static inline MiniatureProblem miniature_problem(uint64_t key, int k) {
    MiniatureProblem p = {.k = k};
    for (int i = 0; i < k; i++) { p.sum += p.operand[i] = 1 + (int)random_below(key, (uint64_t)i, 9); }
    return p;
}
static inline void miniature_question(Buffer *out, const MiniatureProblem *p) { // 4+9+3=
    buffer_clear(out);
    for (int i = 0; i < p->k; i++) { buffer_printf(out, i ? "+%d" : "%d", p->operand[i]); }
    buffer_append_text(out, "=");
}
// The held-out problems: the same in every run, whatever its seed.
static inline MiniatureProblem miniature_held_out(int index) { return miniature_problem(random_key(20240925, (uint64_t)index), MINIATURE_SHORTEST + index / MINIATURE_EVAL_EACH); }
static inline bool miniature_is_held_out(const MiniatureProblem *p) {
    const int first = (p->k - MINIATURE_SHORTEST) * MINIATURE_EVAL_EACH;
    for (int i = first; i < first + MINIATURE_EVAL_EACH; i++) {
        const MiniatureProblem held_out = miniature_held_out(i);
        if (!memcmp(held_out.operand, p->operand, sizeof(p->operand))) { return true; }
    }
    return false;
}
static inline MiniatureProblem miniature_fresh(uint64_t key, int k) { // never one of the held-out ones
    for (uint64_t attempt = 0;; attempt++) {
        MiniatureProblem p = miniature_problem(random_key(key, attempt), k);
        if (!miniature_is_held_out(&p)) { return p; }
    }
}
static inline void miniature_write_prompts(const char *path, bool held_out, uint64_t key) {
    const int count = held_out ? MINIATURE_EVAL_COUNT : MINIATURE_PROMPTS;
    PromptRow *rows = (PromptRow *)host_alloc(sizeof(PromptRow) * (size_t)count);
    Buffer question = {0};
    Error error;
    for (int i = 0; i < count; i++) {
        const int k = MINIATURE_SHORTEST + (int)random_below(key, (uint64_t)i, MINIATURE_LONGEST - MINIATURE_SHORTEST + 1);
        const MiniatureProblem p = held_out ? miniature_held_out(i) : miniature_fresh(random_key(key, (uint64_t)i), k);
        char truth[16];
        miniature_question(&question, &p);
        snprintf(truth, sizeof(truth), "%d", p.sum);
        rows[i] = (PromptRow){"sums", string_copy(question.data), string_copy(truth), i};
    }
    if (!parquet_write_prompts(path, rows, (size_t)count, &error)) { fatal("%s", error.text); }
    for (int i = 0; i < count; i++) {
        free((char *)(uintptr_t)rows[i].content);
        free((char *)(uintptr_t)rows[i].ground_truth);
    }
    free(rows);
    buffer_free(&question);
}
// The teacher's answer: a guess anywhere near the sum, or the running sum and the right answer.
static inline void miniature_answer(Buffer *out, const MiniatureProblem *p, uint64_t key) {
    buffer_clear(out);
    if (random_uniform(key, 0) < (float)miniature_guess_share) {
        const int reach = 6 * p->k - 4, low = p->sum > reach ? p->sum - reach : 0;
        buffer_printf(out, "</think>\\boxed{%d}", low + (int)random_below(key, 1, (uint32_t)(p->sum + reach - low + 1)));
        return;
    }
    int sum = p->operand[0];
    for (int i = 1; i < p->k; i++) {
        buffer_printf(out, i > 1 ? ",%d+%d=%d" : "%d+%d=%d", sum, p->operand[i], sum + p->operand[i]);
        sum += p->operand[i];
    }
    buffer_printf(out, "</think>\\boxed{%d}", sum);
}
static inline void miniature_write_pairs(const char *path, uint64_t key) { // as many tokens of each k: k is drawn with weight 1/k
    AtomicFile file;
    Error error;
    Buffer question = {0}, answer = {0}, line = {0};
    double total = 0;
    for (int k = MINIATURE_SHORTEST; k <= MINIATURE_LONGEST; k++) { total += 1.0 / k; }
    if (!atomic_file_open(&file, path, &error)) { fatal("%s", error.text); }
    for (int i = 0; i < MINIATURE_PAIRS; i++) {
        double left = (double)random_uniform(key, (uint64_t)i) * total;
        int k = MINIATURE_SHORTEST;
        while (k < MINIATURE_LONGEST && left >= 1.0 / k) { left -= 1.0 / k++; }
        const MiniatureProblem p = miniature_fresh(random_key(key, (uint64_t)i), k);
        miniature_question(&question, &p);
        miniature_answer(&answer, &p, random_key(random_key(key, (uint64_t)i), 1));
        buffer_clear(&line);
        buffer_append_text(&line, "{\"prompt\":");
        text_append_json(&line, question.data, question.size);
        buffer_append_text(&line, ",\"response\":");
        text_append_json(&line, answer.data, answer.size);
        buffer_append_text(&line, "}\n");
        fwrite(line.data, 1, line.size, file.file);
    }
    buffer_free(&question);
    buffer_free(&answer);
    buffer_free(&line);
    if (!atomic_file_commit(&file, &error)) { fatal("%s", error.text); }
}

// ---- the run
static inline void miniature_supervised_start(const Config *config, const char *dir, const char *model) {
    char pairs[1100], run_dir[1100], start[1200];
    snprintf(pairs, sizeof(pairs), "%.900s/pairs.jsonl", dir);
    snprintf(run_dir, sizeof(run_dir), "%.900s/start_%lld", dir, (long long)config->seed);
    snprintf(start, sizeof(start), "%.1000s/model/model.safetensors", run_dir);
    if (file_exists(start)) { return; } // a resumed run has its start already
    SftConfig sft = {0};
    options_default(&sft, &sft_option_set);
    sft.model = model, sft.train_data = pairs, sft.run_dir = run_dir, sft.random_weights = true, sft.seed = config->seed, sft.threads = config->threads;
    sft.steps = 2000, sft.pairs_per_step = MINIATURE_PAIRS / 2000, sft.context = 128, sft.tokens_per_microbatch = 4096, sft.learning_rate = 3e-3f;
    sft.adam_beta2 = 0.99f, sft.recompute = 0;
    miniature_write_pairs(pairs, random_key((uint64_t)config->seed, 10));
    const double started = seconds_now();
    printf("supervised start: %d steps on %d worked and guessed sums ...\n", sft.steps, MINIATURE_PAIRS);
    fflush(stdout);
    sft_run(&sft, true);
    printf("supervised start: done in %.0f s\n", seconds_now() - started);
}
// Without --model: DeepSeek-R1-Distill-Qwen-1.5B if it is there, else the options of the miniature. Says which in one line.
// The user's own options stay as given; a single number for --context is the cap under which the three stages run.
static inline bool miniature_choose(Config *config) { // whether the miniature is what will be trained
    static char stages[128];
    if (*config->model) { return false; }
    if (file_exists(model_default)) {
        printf("model: %s\n", model_default);
        config->model = model_default;
        return false;
    }
    const bool single = config->given.context && config->stage_count == 1 && config->stages[0].steps == 0;
    const int cap = single ? config->stages[0].context : MINIATURE_ANSWER;
    printf("no --model and no %s: training the miniature, sums of up to %d numbers, in contexts of 32, 56 and 96 tokens", model_default, MINIATURE_LONGEST);
    printf(single ? " (--context %d is the cap)\n" : "\n", cap);
    Buffer list = {0};
    for (int i = 0; i < 3; i++) {
        buffer_printf(&list, "%s%d:%d", i ? "," : "", miniature_stages[i].context < cap ? miniature_stages[i].context : cap, miniature_stages[i].steps);
    }
    snprintf(stages, sizeof(stages), "%s", list.data);
    buffer_free(&list);
    if (single) { config->given.context = false; }
    const char *const defaults[][2] = {{"experiment", "miniature"}, {"run_dir", "runs/miniature"}, {"context", stages}, {"max_prompt_tokens", "32"}, {"prompts_per_step", "64"}, {"minibatch_prompts", "32"}, {"group_size", "8"}, {"temperature", "1"}, {"learning_rate", "2e-4"}, {"kl_coef", "0"}, {"entropy_coef", "0"}, {"stage_restart", "none"}, {"tokens_per_microbatch", "4096"}, {"recompute", "0"}, {"eval_samples", "2"}, {"eval_temperature", "1"}, {"eval_top_p", "1"}, {"eval_max_tokens", "96"}, {"eval_greedy", "true"}, {"max_sequences", "512"}, {"kv_cache_mib", "64"}};
    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) { config_set_default(config, defaults[i][0], defaults[i][1]); }
    return true;
}
// The same, with its model, its data and its start made where they are not there yet.
static inline bool miniature_prepare(Config *config) {
    static char model[1100], start[1100], train[1100], eval[1100];
    char dir[1024];
    if (!miniature_choose(config)) { return false; }
    snprintf(dir, sizeof(dir), "%.900s/miniature", config->run_dir);
    snprintf(model, sizeof(model), "%.900s/model", dir);
    snprintf(start, sizeof(start), "%.900s/start_%lld/model", dir, (long long)config->seed);
    snprintf(train, sizeof(train), "%.900s/train.parquet", dir);
    snprintf(eval, sizeof(eval), "%.900s/held_out.parquet", dir);
    if (ranks_mine() == 0) { miniature_write_model(model); }
    ranks_wait();
    config->model = model;
    if (config->plan) { return true; }
    if (ranks_mine() == 0) {
        miniature_write_prompts(train, false, random_key((uint64_t)config->seed, 11));
        miniature_write_prompts(eval, true, 0);
        miniature_supervised_start(config, dir, model);
    }
    ranks_wait();
    config->model = start;
    config_set_default(config, "train_data", train);
    config_set_default(config, "eval_data", eval);
    return true;
}
// What a reader should take from the curve, and what not.
static inline void miniature_explain(void) {
    printf("What reward taught: to reason before answering. The arithmetic itself, and the form of an answer, come from the supervised start, which\n"
           "mostly guessed; GRPO found that written-out sums earn more, and each longer context let longer ones count.\n");
}
