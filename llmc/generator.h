// generator: a model that answers: its weights, the engine that samples from it, and the threads that grade what it says. The trainer
// holds one, and rollout.cu is one. Several ranks draw answers to begin from one queue, until it is empty; then they tell each other.
#pragma once
#include <omp.h>
#include "data/prepare.h"
#include "llmc/evaluate.h"
#include "llmc/exchange.h"
#include "llmc/progress.h"
#include "llmc/records.h"
#include "llmc/rollout.h"
#include "llmc/watch.h"

typedef struct {
    Tokenizer *tokenizer;
    GenerationConfig generation;
    Policy policy;
    RolloutEngine engine;
    Memory memory;
    Samples samples;
    Grading grading;
    int *prompt_index, prompt_capacity; // which prompts of the open set the samples answer
    Progress progress;
    bool *owned;      // (samples) by this rank
    int *queue, fair; // (samples) the order they are begun in; how many this rank may have begun and not ended
    int begun, ended;
    bool fixed_queue;            // each rank's answers are known beforehand: groups in turn
    int64_t queue_at, queue_end; // of all ranks, when this one last drew; and all there are
    Buffer exchanged;
    double idle_seconds; // that this rank waited for the others' last answers
} Generator;

static volatile sig_atomic_t stop_requested; // the signal that asked for it
static inline void stop_on_signal(int number) { stop_requested = number; }
static inline void stop_on_signals(void) { // the running phase ends early, and the program in good order
    struct sigaction action = {.sa_handler = stop_on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
}

// ---- opening

// First of all: finds the job's other processes, if there are any, and shares this machine with those that are on it.
static inline void generator_join_ranks(int *argc, char ***argv) {
    ranks_open(argc, argv);
    device_choose(ranks_local(), ranks_local_count());
    fatal_rank = ranks_mine();
    const bool bound = omp_get_num_procs() < (int)sysconf(_SC_NPROCESSORS_ONLN); // by the launcher, to cores of its own
    if (ranks_local_count() > 1 && !bound && !getenv("OMP_NUM_THREADS")) {
        const int share = omp_get_num_procs() / ranks_local_count();
        omp_set_num_threads(share > 1 ? share : 1);
    }
}

static inline void prompts_name(char name[64], const char *path) { // the file's name without its ending
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path, *ending = strrchr(base, '.');
    snprintf(name, 64, "%.*s", (int)(ending ? ending - base : (long)strlen(base)), base);
}
// `path` as prompts.bin: itself, or prepared from Parquet or JSONL into prepared_dir, by this rank if it is the one that `prepares`. `name`: the
// file's, without its ending.
static inline PromptSet *prompts_open(const char *path, const char *model_dir, const char *prepared_dir, bool prepares, int max_prompt_tokens, int vocab, char name[64]) {
    Error error;
    char prepared[1024];
    prompts_name(name, path);
    const char *given = path;
    Buffer text = {0};
    if (!path_ends_with(path, ".bin")) {
        if (!directory_create(prepared_dir, &error)) { fatal("%s", error.text); }
        snprintf(prepared, sizeof(prepared), "%.900s/%s.bin", prepared_dir, name);
        if (prepares) {
            PrepareCounts counts = {0};
            if (!prompt_set_prepare(prepared, path, model_dir, max_prompt_tokens, NULL, &counts, &error)) { fatal("%s", error.text); }
            prepare_counts_text(&text, &counts, max_prompt_tokens);
        }
        ranks_wait();
        path = prepared;
    }
    PromptSet *prompts = prompt_set_open(path, &error);
    if (!prompts || !prompt_set_check_model(prompts, path, model_dir, &error) || !prompt_set_check_limits(prompts, path, max_prompt_tokens, vocab, &error)) { fatal("%s", error.text); }
    if (!text.size) { buffer_printf(&text, "%d prompts", prompt_set_count(prompts)); }
    printf("%s: %s; the longest has %d tokens\n", given, text.data, prompt_set_longest(prompts));
    buffer_free(&text);
    return prompts;
}
// Tokenizer, configuration and parameter table; no weights yet. For a plan config.json is enough.
static inline void generator_open_model(Generator *g, const char *model_dir, bool for_plan, FILE *out) {
    char path[1100];
    Error error;
    snprintf(path, sizeof(path), "%.1000s/tokenizer.json", model_dir);
    if (!for_plan || file_exists(path)) {
        g->tokenizer = tokenizer_open(path, &error);
        if (!g->tokenizer) { fatal("%s", error.text); }
    }
    if (!policy_open(&g->policy, model_dir, g->tokenizer ? tokenizer_vocab_size(g->tokenizer) : 0, &error)) { fatal("%s", error.text); }
    if (!generation_config_read(&g->generation, model_dir, g->policy.config.vocab, &error)) { fatal("%s", error.text); }
    const ModelConfig *m = &g->policy.config;
    fprintf(out, "%s | %s | %d layers, hidden %d, heads %d/%d x %d, vocabulary %d of %d | %.1f M parameters in " FLOATX_NAME "\n", for_plan ? "plan" : device_name(), m->architecture, m->layers,
            m->hidden, m->heads, m->kv_heads, m->head_dim, g->policy.vocab_used, m->vocab, (double)g->policy.parameters.actual * 1e-6);
    if (g->generation.eos_count == 0) { fprintf(out, "warning: %s names no eos_token_id: every answer will run to its limit\n", model_dir); }
}
// Host side, when the memory plan has been handed out: room for `answers` at a time, to at most `prompts` prompts.
static inline void generator_open_samples(Generator *g, int answers, int prompts, int max_new_tokens, const char *grader) {
    GraderMode mode = GRADER_DEEPSCALER;
    grader_from_name(&mode, grader); // the options accept no other names
    g->samples = samples_create(answers, max_new_tokens);
    g->prompt_index = (int *)host_alloc(sizeof(int) * (size_t)prompts);
    g->prompt_capacity = prompts;
    g->owned = (bool *)host_alloc(sizeof(bool) * (size_t)answers);
    g->queue = (int *)host_alloc(sizeof(int) * (size_t)answers);
    rollout_open(&g->engine, answers, prompts);
    policy_make_rope_table(&g->policy);
    grading_open(&g->grading, g->tokenizer, mode, omp_get_max_threads(), answers);
}
static inline void generator_close(Generator *g) {
    grading_close(&g->grading);
    rollout_close(&g->engine);
    policy_free(&g->policy);
    samples_free(&g->samples);
    tokenizer_free(g->tokenizer);
    free(g->prompt_index);
    free(g->owned);
    free(g->queue);
    buffer_free(&g->exchanged);
}

// ---- answering

static inline void generator_on_progress(void *generator, long tokens, int finished) {
    (void)tokens;
    progress_update(&((Generator *)generator)->progress, (double)finished * ranks_count());
    watch_worked();
}
static inline void generator_on_finished(void *context, Sample *sample) {
    Generator *g = (Generator *)context;
    g->ended++;
    grading_submit(&g->grading, sample);
}
// The order in which `groups` groups are begun: longest expected first, so that what is begun last is soon over. lengths: by prompt, as
// generator_generate has them; prompts that have not been asked yet count as the mean of the others. prompt_index: of the groups.
typedef struct {
    int expected, number;
} ExpectedGroup;
static inline int generator_longer_first(const void *a, const void *b) {
    const ExpectedGroup *i = (const ExpectedGroup *)a, *j = (const ExpectedGroup *)b;
    return i->expected != j->expected ? j->expected - i->expected : i->number - j->number;
}
static inline void generator_order(int *queue, const int *prompt_index, int groups, int group_size, const int *lengths) {
    ExpectedGroup *order = (ExpectedGroup *)host_alloc(sizeof(ExpectedGroup) * (size_t)groups);
    int64_t sum = 0, known = 0;
    for (int g = 0; g < groups; g++) {
        order[g] = (ExpectedGroup){lengths ? lengths[prompt_index[g]] : 0, g};
        known += order[g].expected > 0, sum += order[g].expected;
    }
    for (int g = 0; g < groups && known; g++) { order[g].expected = order[g].expected ? order[g].expected : (int)(sum / known); }
    qsort(order, (size_t)groups, sizeof(ExpectedGroup), generator_longer_first);
    for (int i = 0; i < groups * group_size; i++) { queue[i] = order[i / group_size].number * group_size + i % group_size; }
    free(order);
}
static inline void generator_note_lengths(int *lengths, const int *prompt_index, const Samples *samples, int group_size) {
    for (int first = 0; first < samples->count; first += group_size) {
        int64_t tokens = 0;
        for (int i = first; i < first + group_size; i++) { tokens += samples->list[i].count; }
        lengths[prompt_index[first / group_size]] = (int)(tokens / group_size);
    }
}
// The next answers for this rank, when it has `room` for one: whole groups while there are many, so that a prompt is computed once; single
// answers near the end, so that the last ones are spread over all ranks. Nobody has more of them open than a fair share.
static inline int generator_draw(void *context, int **samples, int room, int group_size) {
    Generator *g = (Generator *)context;
    const int64_t total = g->queue_end, left = total - g->queue_at;
    int wanted = group_size;
    int64_t first;
    if (room < 1) { return 0; }
    if (g->fixed_queue) { // of the queue's groups, every ranks_count()'th
        first = (g->begun / group_size * (int64_t)ranks_count() + ranks_mine()) * group_size;
    } else {
        if (left <= 0 || g->begun - g->ended >= g->fair) { return 0; }
        if (ranks_count() > 1 && left <= 2 * (int64_t)ranks_count() * group_size) { wanted = 1; }
        first = ranks_counter_add(wanted);
        g->queue_at = first + wanted;
    }
    const int64_t end = first + wanted < total ? first + wanted : total;
    const int count = end > first ? (int)(end - first) : 0; // none, if others have emptied it meanwhile
    *samples = g->queue + first;
    for (int i = 0; i < count; i++) { g->owned[(*samples)[i]] = true; }
    g->begun += count;
    return count;
}

// Answers to `count` prompts of a set, beside those that the samples hold already: sampled on the devices, graded on CPU threads meanwhile.
// lengths: by prompt of the set, the mean number of tokens of the answers given last, 0 for none; read and brought up to date; may be NULL.
// False when the program was asked to stop.
static inline bool generator_generate(Generator *g, const char *phase, const PromptSet *prompts, const int *indices, int count, int group_size, uint64_t key, const RolloutOptions *how, int *lengths) {
    const int held = g->samples.count / group_size;
    assert(held + count <= g->prompt_capacity);
    memcpy(g->prompt_index + held, indices, sizeof(int) * (size_t)count);
    g->grading.prompts = prompts;
    g->grading.prompt_index = g->prompt_index;
    for (int p = 0; p < count; p++) {
        Prompt prompt = prompt_set_get(prompts, indices[p]);
        samples_add_group(&g->samples, held + p, prompt.ids, prompt.count, group_size, random_key(key, (uint64_t)indices[p]));
    }
    RolloutOptions options = *how;
    options.eos = g->generation.eos, options.eos_count = g->generation.eos_count;
    options.on_finished = generator_on_finished, options.on_progress = generator_on_progress, options.context = g, options.stop = &stop_requested;
    options.draw = generator_draw, options.group_size = group_size;
    Samples fresh = samples_from(&g->samples, held * group_size);
    g->begun = g->ended = 0;
    g->queue_at = 0;
    g->queue_end = fresh.count;
    g->fair = (fresh.count + ranks_count() - 1) / ranks_count();
    generator_order(g->queue, indices, count, group_size, lengths);
    memset(g->owned, 0, sizeof(bool) * (size_t)fresh.count);
    ranks_counter_reset();
    g->progress = progress_start(stdout, phase, count * group_size, "answers");
    bool whole = rollout_generate(&g->engine, &g->policy, &fresh, &options);
    if (!whole) { ranks_counter_add(fresh.count); } // the others find the queue empty
    watch_phase("grade", watch.mine.step);
    grading_wait(&g->grading);
    const double ended = seconds_now();
    whole = !ranks_any(!whole);
    g->idle_seconds = seconds_now() - ended;
    progress_finish(&g->progress);
    if (!whole) { return false; }
    samples_exchange(&fresh, g->owned, &g->exchanged);
    if (lengths) { generator_note_lengths(lengths, indices, &fresh, group_size); }
    return true;
}
// A whole set, n answers to each question, as many questions at a time as there is room for. Every answer goes to the file
// `records` (NULL: nowhere). False when the program was asked to stop; then nothing of it counts.
static inline bool generator_evaluate(Generator *g, Evaluation *e, const char *name, const PromptSet *prompts, int n, uint64_t key, const RolloutOptions *how, int context, const char *records) {
    const int count = prompt_set_count(prompts), room = g->samples.capacity / n < g->prompt_capacity ? g->samples.capacity / n : g->prompt_capacity;
    int *indices = (int *)host_alloc(sizeof(int) * (size_t)room);
    char phase[96];
    AtomicFile file;
    Error error;
    bool whole = true;
    if (ranks_mine() > 0) { records = NULL; } // rank 0 writes what all have answered
    *e = evaluation_start(n);
    snprintf(phase, sizeof(phase), "evaluate %.60s", name);
    if (records && !atomic_file_open(&file, records, &error)) { fatal("%s", error.text); }
    for (int first = 0; first < count && whole; first += room) {
        int chunk = count - first < room ? count - first : room;
        for (int i = 0; i < chunk; i++) { indices[i] = first + i; }
        samples_clear(&g->samples);
        watch_phase("evaluate", watch.mine.step);
        whole = generator_generate(g, phase, prompts, indices, chunk, n, key, how, NULL);
        if (whole) {
            evaluation_add(e, &g->samples, context);
            if (records) { records_append(file.file, &g->samples, &g->grading); }
        }
    }
    free(indices);
    if (!whole) {
        if (records) { atomic_file_abort(&file); }
        return false;
    }
    if (records && !atomic_file_commit(&file, &error)) { fatal("%s", error.text); }
    evaluation_finish(e);
    return true;
}
