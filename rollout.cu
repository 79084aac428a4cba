// rollout: what a model answers. One question (-p), a whole set with its score (-e), or how likely given ids are (--score).
//   ./rollout -m MODEL_FOLDER -p "What is 2+2?"      -e aime.parquet -n 16 -t 0.6 --top_p 0.95 -o answers.jsonl      --score ids.jsonl
#include "llmc/checkpoint.h"
#include "llmc/config.h"
#include "llmc/generator.h"

// Lays out memory and loads the weights: `answers` at a time to `prompts` prompts of up to max_prompt tokens. For scoring: packed rows alone.
static void open_weights(Generator *g, const RolloutConfig *c, int answers, int prompts, int max_prompt, int rows) {
    const size_t available = device_memory_bytes();
    const int longest = max_prompt + c->context;
    size_t cache_bytes = (size_t)c->kv_cache_mib << 20;
    Error error;
    for (int pass = 0; pass < 2; pass++) { // the second time with what is left for the KV cache
        g->memory = (Memory){0};
        policy_layout(&g->policy, &g->memory, &(PolicySizes){.rows = rows, .max_positions = longest > rows ? longest : rows, .logits_bytes = POLICY_LOGITS_BYTES});
        const RolloutSizes sizes = {c->max_sequences ? c->max_sequences : answers < 256 ? answers
                                                                                        : 256,
                                    longest, max_prompt, cache_bytes, POLICY_LOGITS_BYTES};
        if (answers) { rollout_layout(&g->engine, &g->policy, &g->memory, &sizes); }
        size_t other = memory_total(&g->memory);
        if (pass == 0 && !c->kv_cache_mib) { cache_bytes = available > other ? available - other : 0; }
    }
    if (!memory_fits(&g->memory, available, &error)) {
        memory_print(&g->memory, stderr);
        fatal("%s", error.text);
    }
    memory_commit(&g->memory);
    policy_layout(&g->policy, &g->memory, &(PolicySizes){.rows = rows, .max_positions = longest > rows ? longest : rows, .logits_bytes = POLICY_LOGITS_BYTES});
    if (answers) {
        const RolloutSizes sizes = g->engine.sizes;
        rollout_layout(&g->engine, &g->policy, &g->memory, &sizes);
        generator_open_samples(g, answers, prompts, c->context, c->grader);
    } else {
        policy_make_rope_table(&g->policy);
    }
    if (!policy_start_weights(&g->policy, c->model, c->random_weights, (uint64_t)c->seed, &error)) { fatal("%s", error.text); }
}
static RolloutOptions options_of(const RolloutConfig *c) { return (RolloutOptions){.temperature = c->temperature, .top_p = c->top_p, .top_k = c->top_k, .max_new_tokens = c->context}; }

static void answer_prompt(Generator *g, const RolloutConfig *c) {
    PromptEncoder encoder;
    Buffer text = {0};
    Ints ids = {0};
    Error error;
    if (!prompt_encoder_open(&encoder, c->model, &error)) { fatal("%s", error.text); }
    json_t *messages = json_pack("[{s:s, s:s}]", "role", "user", "content", c->prompt);
    if (!messages) { fatal("--prompt: is not UTF-8"); }
    if (!prompt_encoder_render(&encoder, messages, &text, &ids, &error)) { fatal("%s", error.text); }
    open_weights(g, c, c->samples, 1, (int)ids.size, 0);
    samples_add_group(&g->samples, 0, ids.data, (int)ids.size, c->samples, random_key((uint64_t)c->seed, 4));
    RolloutOptions options = options_of(c);
    options.eos = g->generation.eos, options.eos_count = g->generation.eos_count, options.stop = &stop_requested;
    const double started = seconds_now();
    rollout_generate(&g->engine, &g->policy, &g->samples, &options);
    printf("%s\n", text.data);
    for (int i = 0; i < g->samples.count; i++) {
        Sample *s = &g->samples.list[i];
        tokenizer_decode(g->tokenizer, s->tokens, (size_t)s->count, true, &s->text);
        printf("---- answer %d, %d tokens%s\n%s\n", i + 1, s->count, s->finished ? "" : ", cut at the limit", s->text.data ? s->text.data : "");
    }
    printf("---- %.1f tokens/s\n", (double)g->engine.decoded_tokens / (seconds_now() - started));
    json_decref(messages);
    buffer_free(&text);
    ints_free(&ids);
    prompt_encoder_close(&encoder);
    generator_close(g);
}
static char prepared[] = "/tmp/rollout.XXXXXX"; // a set that is not yet prompts.bin is prepared here
static void remove_prepared(void) { directory_remove(prepared); }
// Several ranks watch each other through a file beside the answers or, on one machine, in rank 0's temporary folder.
static bool watch_ranks(const RolloutConfig *c, char path[1100]) {
    snprintf(path, 1100, *c->output ? "%.1000s.ranks.txt" : "%.1000s/ranks.txt", *c->output ? c->output : prepared);
    ranks_broadcast(path, 1100, 0);
    if (!*c->output && ranks_local_count() < ranks_count()) {
        printf("warning: without --output in a folder that all machines share nobody notices when a rank stands still\n");
        return false;
    }
    watch_open(path, c->rank_timeout);
    ranks_wait();
    return ranks_count() > 1 && ranks_mine() == 0;
}
static void evaluate_set(Generator *g, const RolloutConfig *c) {
    char name[64], ranks_path[1100];
    Evaluation e;
    if (!mkdtemp(prepared)) { fatal("%s: cannot be created: %s", prepared, strerror(errno)); }
    atexit(remove_prepared); // on errors too
    const bool watched = watch_ranks(c, ranks_path);
    PromptSet *prompts = prompts_open(c->eval_data, c->model, prepared, true, c->max_prompt_tokens, g->policy.vocab_used, name);
    remove_prepared(); // it is mapped; whoever is killed leaves nothing behind
    const int count = prompt_set_count(prompts), room = count * c->samples < 4096 ? count * c->samples : 4096 / c->samples * c->samples;
    const int answers = room > c->samples ? room : c->samples;
    open_weights(g, c, answers, answers / c->samples, prompt_set_longest(prompts), 0);
    RolloutOptions options = options_of(c);
    const double started = seconds_now();
    if (generator_evaluate(g, &e, name, prompts, c->samples, random_key((uint64_t)c->seed, 4), &options, 0, *c->output ? c->output : NULL)) {
        evaluation_print(&e, name, c->temperature == 0, 0);
        printf("  %d questions, %d answers each, %.1f s\n", e.questions, e.samples, seconds_now() - started);
    }
    watch_close();
    if (watched) { unlink(ranks_path); }
    prompt_set_close(prompts);
    generator_close(g);
}
static void score_ids(Generator *g, const RolloutConfig *c) {
    Error error = {""};
    RecordFile *file = record_file_open(c->score, &error);
    const int rows = c->context + c->max_prompt_tokens;
    const float temperature = c->given.temperature ? c->temperature : 1;
    if (!file) { fatal("%s", error.text); }
    open_weights(g, c, 0, 0, c->max_prompt_tokens, rows);
    Microbatch batch = microbatch_create(rows, 1);
    Ints ids = {0};
    Buffer line = {0};
    for (json_t *row; (row = record_file_next(file, &error)); json_decref(row)) {
        const json_t *list = json_object_get(row, "ids");
        if (!json_is_array(list)) { fatal("%s line %lld: has no list \"ids\"", c->score, (long long)file->position); }
        ids.size = 0;
        for (size_t i = 0; i < json_array_size(list); i++) {
            const json_t *id = json_array_get(list, i);
            const json_int_t value = json_is_integer(id) ? json_integer_value(id) : -1;
            if (value < 0 || value >= g->policy.vocab_used) { fatal("%s line %lld: id %s is not one of the tokenizer's %d", c->score, (long long)file->position, json_excerpt(id).text, g->policy.vocab_used); }
            ints_push(&ids, (int)value);
        }
        if (ids.size < 1 || ids.size > (size_t)rows) { fatal("%s line %lld: %zu ids; 1 to %d are wanted (--context)", c->score, (long long)file->position, ids.size, rows); }
        microbatch_clear(&batch);
        microbatch_add(&batch, 0, ids.data, 1, ids.data + 1, (int)ids.size - 1);
        policy_forward(&g->policy, g->policy.weights, &batch, temperature);
        buffer_clear(&line);
        for (size_t i = 0; i + 1 < ids.size; i++) { buffer_printf(&line, i ? ",%.9g" : "%.9g", (double)g->policy.host_logprob[i]); }
        printf("{\"logprobs\":[%s]}\n", line.data ? line.data : "");
    }
    if (error.text[0]) { fatal("%s", error.text); }
    record_file_close(file);
    ints_free(&ids);
    buffer_free(&line);
    microbatch_free(&batch);
    policy_free(&g->policy);
    tokenizer_free(g->tokenizer);
}

int main(int argc, char **argv) {
    generator_join_ranks(&argc, &argv);
    RolloutConfig config = rollout_config_from_args(argc, argv);
    const bool one = *config.prompt, set = *config.eval_data, score = *config.score;
    Generator g = {0};
    if (one + set + score != 1) { fatal("give one of --prompt TEXT, --eval_data FILE and --score FILE (--help lists all)"); }
    if (ranks_count() > 1 && !set) { fatal("many ranks answer sets of questions (--eval_data); --prompt and --score are for one"); }
    char newest[1024];
    checkpoint_path(newest, "runs/miniature", checkpoint_latest("runs/miniature"), "");
    if (!*config.model) { config.model = file_exists(model_default) ? model_default : newest; }
    if (!file_exists(config.model)) { fatal("%s: there is no such model: give --model DIR, a Hugging Face folder (a checkpoint of ./train_grpo is one)", config.model); }
    if (config.threads) { omp_set_num_threads(config.threads); }
    device_init();
    stop_on_signals();
    generator_open_model(&g, config.model, false, score ? stderr : stdout); // the scores are a JSONL of their own
    if (one) { answer_prompt(&g, &config); }
    if (set) { evaluate_set(&g, &config); }
    if (score) { score_ids(&g, &config); }
    device_shutdown();
    if (fflush(stdout) != 0 || ferror(stdout)) { fatal("standard output: cannot be written: %s", strerror(errno)); }
    ranks_close();
    return stop_requested ? 128 + stop_requested : 0;
}
