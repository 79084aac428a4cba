// rollout: continuous batching over a paged KV cache. Sequences join the batch when there is room and leave when they end, so every
// decoding step is as wide as it can be. A group's samples share the pages of their prompt, which is computed once.
//
// State of a sequence with n known tokens (prompt and response): the cache holds positions 0 .. n-2; a step feeds token n-1 and
// draws token n. A step's inputs lie in fixed buffers of the device, and the step itself makes the next one's of what it drew; so a run of
// steps needs nothing from the host, which reads each step's tokens while the next one is being computed (a device that works ahead), and
// a step can be recorded and replayed. A run ends when an answer has ended or a page is full; then sequences leave, join and get pages.
//
// When pages run out the sequence that joined last gives its pages back and is computed again later: its tokens stay,
// and because random numbers are counted by (sample, position), what it will draw stays too.
#pragma once
#include <signal.h>
#include "llmc/decode_advance.h"
#include "llmc/page_pool.h"
#include "llmc/sample.h"
#include "llmc/samples.h"
#include "llmc/transformer.h"

typedef struct {
    int max_sequences;   // rows of a decoding step
    int max_positions;   // longest prompt + response
    int max_prompt;      // longest prompt
    size_t cache_bytes;  // of the KV cache; rounded down to whole pages, at least enough for one longest sequence
    size_t logits_bytes; // room for the logits of a decoding step
} RolloutSizes;

typedef struct {
    int sample;     // index into Samples, -1: none
    int known;      // tokens of prompt and response so far
    bool ended;     // its answer is whole; it leaves before the next run of steps
    int page_count; // pages held
    int *pages;     // (max_pages)
} Sequence;

typedef struct {
    RolloutSizes sizes;
    int pages, max_pages, prefill_rows; // pages in all; pages of one sequence; packed rows of one prefill pass
    size_t page_elements;
    Activations act;
    floatX *cache;
    int *slots, *page_table, *lengths, *counters, *drawn; // device (rows), page_table (max_sequences, max_pages)
    int *decode_plan;                                     // device: attention_decode's, as decode_scratch
    float *decode_scratch;
    uint64_t *keys;       // device (max_sequences)
    float *drawn_logprob; // device (max_sequences)
    struct {
        int *tokens, *positions, *slots, *page_table, *lengths, *counters;
        uint64_t *keys;
        int *drawn[DEVICE_MARKS]; // two steps' results: the host reads one while the device writes the other
        float *drawn_logprob[DEVICE_MARKS];
    } host;                     // the same on the host, in memory the device copies from and to by itself
    int width, recording;       // rows of the coming steps, idle ones included, and the recording of so many
    int runway;                 // steps until a page is full
    float recorded_temperature; // what the recorded steps were recorded with
    float recorded_top_p;
    int recorded_top_k;
    PagePool pool;
    Sequence *running; // (max_sequences), in order of joining
    int running_count;
    int *waiting, waiting_count; // stack of samples to admit, the next one on top
    int waiting_capacity;
    int *prefix_pages, *prefix_left; // per prompt: pages of its prefix (max_prompt_pages), samples that still need it; -1: not made
    int max_prompt_pages, prefix_capacity;
    Microbatch prefill;
    int *copies, copy_count; // pairs (to, from) of pages to copy once a prefill is done
    // counted over the last generation
    long decode_steps, decoded_tokens, prefilled_tokens, preemptions;
    double attended; // tokens that the decoded ones looked at
} RolloutEngine;

typedef struct {
    float temperature, top_p;
    int top_k, max_new_tokens;
    const int *eos;
    int eos_count;
    // The answers to begin with next, when there is `room` for some: how many (0: none for now, or none at all), and which. NULL: all, in order.
    int (*draw)(void *context, int **samples, int room, int group_size);
    int group_size;                                     // as draw wants it
    void (*on_finished)(void *context, Sample *sample); // called as each answer ends, while others go on; may be NULL
    void (*on_progress)(void *context, long tokens, int finished);
    void *context;
    const volatile sig_atomic_t *stop; // set from outside to give up; may be NULL
} RolloutOptions;

// The engine's part of the memory plan: call once to count, once after memory_commit.
static inline void rollout_layout(RolloutEngine *e, const Policy *p, Memory *memory, const RolloutSizes *sizes) {
    const ModelConfig *c = &p->config;
    const int B = sizes->max_sequences;
    e->sizes = *sizes;
    e->max_pages = (sizes->max_positions + KV_PAGE - 1) / KV_PAGE;
    e->max_prompt_pages = (sizes->max_prompt + KV_PAGE - 1) / KV_PAGE;
    e->page_elements = kv_page_bytes(c->kv_heads, c->head_dim) / sizeof(floatX);
    const size_t page_bytes = e->page_elements * memory_float_bytes(memory);
    size_t pages = sizes->cache_bytes / (page_bytes * (size_t)c->layers), least = (size_t)e->max_pages + 2 * (size_t)e->max_prompt_pages + 2;
    size_t most = (size_t)B * (size_t)e->max_pages + least; // more could never be used
    e->pages = (int)(pages < least ? least : pages > most ? most
                                                          : pages);
    e->prefill_rows = sizes->max_positions > 2048 ? sizes->max_positions : 2048;
    int rows = B > e->prefill_rows ? B : e->prefill_rows;
    const size_t step_logits = (size_t)B * (size_t)p->logit_stride * sizeof(float); // prefill has no use for any
    activations_layout(&e->act, p, memory, MEMORY_GENERATE, rows, rows, false, step_logits < sizes->logits_bytes ? step_logits : sizes->logits_bytes);
    e->cache = (floatX *)memory_take(memory, MEMORY_GENERATE, "KV cache", (size_t)e->pages * page_bytes * (size_t)c->layers);
    e->slots = (int *)memory_take(memory, MEMORY_GENERATE, "row inputs", sizeof(int) * (size_t)rows);
    e->page_table = (int *)memory_take(memory, MEMORY_GENERATE, "page tables", sizeof(int) * (size_t)B * (size_t)e->max_pages);
    const int chunks = attention_decode_chunks(B, sizes->max_positions, sizes->max_prompt, e->pages);
    e->decode_plan = (int *)memory_take(memory, MEMORY_GENERATE, "decode attention", attention_decode_plan_bytes(chunks, c->heads, c->kv_heads));
    e->decode_scratch = (float *)memory_take(memory, MEMORY_GENERATE, "decode attention", attention_decode_scratch_bytes(chunks, c->heads, c->head_dim));
    int **integers[] = {&e->lengths, &e->counters, &e->drawn};
    for (int i = 0; i < 3; i++) { *integers[i] = (int *)memory_take(memory, MEMORY_GENERATE, "row inputs", sizeof(int) * (size_t)B); }
    e->keys = (uint64_t *)memory_take(memory, MEMORY_GENERATE, "row inputs", sizeof(uint64_t) * (size_t)B);
    e->drawn_logprob = (float *)memory_take(memory, MEMORY_GENERATE, "row inputs", sizeof(float) * (size_t)B);
}
// Host side, after memory_commit and the second layout. Up to `samples` answers to `prompts` prompts at a time.
static inline void rollout_open(RolloutEngine *e, int samples, int prompts) {
    const size_t B = (size_t)e->sizes.max_sequences, rows = (size_t)e->act.rows;
    int **by_batch[] = {&e->host.tokens, &e->host.positions, &e->host.lengths, &e->host.counters, &e->host.drawn[0], &e->host.drawn[1]};
    for (int i = 0; i < 6; i++) { *by_batch[i] = (int *)device_host_alloc("a step's inputs and results", sizeof(int) * B); }
    e->host.slots = (int *)device_host_alloc("a step's inputs", sizeof(int) * rows);
    e->host.page_table = (int *)device_host_alloc("page tables", sizeof(int) * B * (size_t)e->max_pages);
    e->host.keys = (uint64_t *)device_host_alloc("a step's inputs", sizeof(uint64_t) * B);
    for (int i = 0; i < DEVICE_MARKS; i++) { e->host.drawn_logprob[i] = (float *)device_host_alloc("a step's results", sizeof(float) * B); }
    e->pool = page_pool_create(e->pages);
    e->running = (Sequence *)host_alloc(sizeof(Sequence) * B);
    for (size_t b = 0; b < B; b++) { e->running[b].pages = (int *)host_alloc(sizeof(int) * (size_t)e->max_pages); }
    e->waiting = (int *)host_alloc(sizeof(int) * (size_t)samples);
    e->waiting_capacity = samples;
    e->prefix_pages = (int *)host_alloc(sizeof(int) * (size_t)prompts * (size_t)e->max_prompt_pages);
    e->prefix_left = (int *)host_alloc(sizeof(int) * (size_t)prompts);
    e->prefix_capacity = prompts;
    e->prefill = microbatch_create(e->prefill_rows, e->prefill_rows);
    e->copies = (int *)host_alloc(sizeof(int) * 2 * B);
}
static inline void rollout_close(RolloutEngine *e) {
    int *integers[] = {e->waiting, e->prefix_pages, e->prefix_left, e->copies};
    for (size_t i = 0; i < sizeof(integers) / sizeof(integers[0]); i++) { free(integers[i]); }
    for (int b = 0; e->running && b < e->sizes.max_sequences; b++) { free(e->running[b].pages); }
    free(e->running);
    free(e->act.layers);
    page_pool_free(&e->pool);
    microbatch_free(&e->prefill);
}

// ---- joining the batch

static inline int rollout_pages_for(int positions) { return (positions + KV_PAGE - 1) / KV_PAGE; }
static inline int sample_token(const Sample *s, int i) { return i < s->prompt_count ? s->prompt_ids[i] : s->tokens[i - s->prompt_count]; }

// Adds `cached` tokens of a sample as rows of the coming prefill pass, whose keys and values go to `pages`.
static inline void rollout_prefill_rows(RolloutEngine *e, const Sample *s, int cached, const int *pages) {
    int first = e->prefill.rows, response = cached - s->prompt_count + 1;
    // microbatch_add lays out P + R - 1 rows: with R = cached - P + 1 that is `cached`; a prefix of the prompt has no response
    if (response > 0) {
        microbatch_add(&e->prefill, -1, s->prompt_ids, s->prompt_count, s->tokens, response);
    } else {
        microbatch_add(&e->prefill, -1, s->prompt_ids, cached, NULL, 0);
    }
    for (int i = 0; i < cached; i++) { e->host.slots[first + i] = pages[i / KV_PAGE] * KV_PAGE + i % KV_PAGE; }
}
// The next waiting sample joins if there is a row, pages and prefill room for it. A fresh sample takes its prompt's prefix (all but
// the last prompt token) from its group's pages: whole ones shared, the last, part-filled one copied. A preempted one is computed anew.
static inline bool rollout_admit(RolloutEngine *e, const Samples *samples) {
    if (e->waiting_count == 0 || e->running_count == e->sizes.max_sequences) { return false; }
    const int index = e->waiting[e->waiting_count - 1];
    const Sample *s = &samples->list[index];
    const int cached = s->prompt_count + s->count - 1, needed = rollout_pages_for(cached + 1);
    const bool fresh = s->count == 0;
    const int whole = cached / KV_PAGE, prefix = rollout_pages_for(cached);
    int *group_pages = e->prefix_pages + (size_t)s->prompt * (size_t)e->max_prompt_pages;
    const bool compute = !fresh || e->prefix_left[s->prompt] < 0;
    int take = fresh ? needed - whole + (compute ? prefix : 0) : needed;
    bool idle = e->running_count == 0 && e->prefill.rows == 0;
    if (e->pool.free_count < take + (idle ? 0 : e->running_count / 4 + 1)) { return false; } // leave some of the running sequences room to grow
    if (compute && e->prefill.rows + cached > e->prefill_rows) { return false; }

    Sequence *sequence = &e->running[e->running_count++];
    e->waiting_count--;
    sequence->sample = index;
    sequence->known = cached + 1;
    sequence->ended = false;
    sequence->page_count = 0;
    if (!fresh) {
        while (sequence->page_count < needed) { sequence->pages[sequence->page_count++] = page_take(&e->pool); }
        rollout_prefill_rows(e, s, cached, sequence->pages);
        return true;
    }
    if (compute) {
        for (int i = 0; i < prefix; i++) { group_pages[i] = page_take(&e->pool); }
        if (cached > 0) { rollout_prefill_rows(e, s, cached, group_pages); }
        int group = 0; // this sample and those of its group that wait behind it
        while (group <= e->waiting_count && samples->list[e->waiting[e->waiting_count - group]].prompt == s->prompt) { group++; }
        e->prefix_left[s->prompt] = group;
    }
    if (e->prefix_left[s->prompt] == 0) { e->prefix_left[s->prompt]++; } // drawn after the others of its group, who have only just joined
    while (sequence->page_count < whole) { sequence->pages[sequence->page_count] = page_share(&e->pool, group_pages[sequence->page_count]), sequence->page_count++; }
    sequence->pages[sequence->page_count++] = page_take(&e->pool);
    if (prefix > whole) {
        e->copies[2 * e->copy_count] = sequence->pages[whole];
        e->copies[2 * e->copy_count++ + 1] = group_pages[whole];
    }
    e->prefix_left[s->prompt]--;
    return true;
}
static inline void rollout_prefill(RolloutEngine *e, const Policy *p, const Samples *samples, int first_new) {
    if (e->prefill.rows > 0) {
        RowContext rows = {.N = e->prefill.rows, .sequences = e->prefill.sequences, .cache = e->cache, .cache_layer_elements = (size_t)e->pages * e->page_elements, .slots = e->slots};
        const size_t bytes = sizeof(int) * (size_t)rows.N;
        device_upload(e->act.tokens, e->prefill.tokens, bytes);
        device_upload(e->act.positions, e->prefill.positions, bytes);
        device_upload(e->slots, e->host.slots, bytes);
        device_upload(e->act.starts, e->prefill.starts, sizeof(int) * (size_t)(rows.sequences + 1));
        transformer_forward(p, p->weights, &e->act, &rows);
        e->prefilled_tokens += rows.N;
        microbatch_clear(&e->prefill);
    }
    for (int l = 0; l < p->config.layers; l++) {
        floatX *layer = e->cache + (size_t)l * (size_t)e->pages * e->page_elements;
        for (int i = 0; i < e->copy_count; i++) {
            device_copy(layer + (size_t)e->copies[2 * i] * e->page_elements, layer + (size_t)e->copies[2 * i + 1] * e->page_elements, e->page_elements * sizeof(floatX));
        }
    }
    e->copy_count = 0;
    for (int b = first_new; b < e->running_count; b++) { // groups whose last sample has joined let go of their prefix
        const Sample *s = &samples->list[e->running[b].sample];
        if (e->prefix_left[s->prompt] != 0) { continue; }
        e->prefix_left[s->prompt] = -1;
        int pages = rollout_pages_for(s->prompt_count - 1);
        for (int i = 0; i < pages; i++) { page_drop(&e->pool, e->prefix_pages[(size_t)s->prompt * (size_t)e->max_prompt_pages + (size_t)i]); }
    }
}

// ---- leaving it

static inline void rollout_leave(RolloutEngine *e, int b) { // gives the pages back; the rows above move down, in order
    Sequence gone = e->running[b];
    for (int i = 0; i < gone.page_count; i++) { page_drop(&e->pool, gone.pages[i]); }
    for (int i = b; i + 1 < e->running_count; i++) { e->running[i] = e->running[i + 1]; }
    e->running[--e->running_count] = gone; // its page array is used again
}
// Each running sequence owns the page its next token goes to; the last to join makes room for the others when there is none.
static inline void rollout_grow(RolloutEngine *e, const Samples *samples) {
    for (int b = 0; b < e->running_count; b++) {
        Sequence *sequence = &e->running[b];
        if (rollout_pages_for(sequence->known) <= sequence->page_count) { continue; }
        while (e->pool.free_count == 0 && e->running_count > b) {
            const int index = e->running[e->running_count - 1].sample;
            const Sample *s = &samples->list[index];
            if (s->count == 0 && e->prefix_left[s->prompt] > 0) { e->prefix_left[s->prompt]++; } // it will want its prefix again
            e->waiting[e->waiting_count++] = index;
            rollout_leave(e, e->running_count - 1);
            e->preemptions++;
        }
        if (b < e->running_count) { sequence->pages[sequence->page_count++] = page_take(&e->pool); }
    }
}
// A longer run of steps, where there are pages to spare: at most one page more for each sequence.
static inline void rollout_grow_ahead(RolloutEngine *e) {
    enum { STEPS_AHEAD = 16 };
    for (int b = 0; b < e->running_count && e->pool.free_count > e->running_count; b++) {
        Sequence *sequence = &e->running[b];
        const int wanted = rollout_pages_for(sequence->known + STEPS_AHEAD - 1);
        if (wanted > sequence->page_count && wanted <= e->max_pages) { sequence->pages[sequence->page_count++] = page_take(&e->pool); }
    }
}

// ---- runs of decoding steps for all running sequences

// Rows of a step: on a device that records, one of few numbers (1, 2, 4, .. 64, 128, 192, .. max_sequences), each with a recording of its own.
static inline int rollout_width(int running, int max_sequences, int *recording) {
    int width = 1;
    for (*recording = 0; width < running; (*recording)++) { width += width < 64 ? width : 64; }
    if (!device_works_ahead()) { return running; }
    return width < max_sequences ? width : max_sequences;
}
// The inputs of the coming run's first step; rows without a sequence are idle.
static inline void rollout_send_inputs(RolloutEngine *e, const Samples *samples) {
    e->width = rollout_width(e->running_count, e->sizes.max_sequences, &e->recording);
    e->runway = INT_MAX;
    for (int b = 0; b < e->width; b++) {
        int *page_table = e->host.page_table + (size_t)b * (size_t)e->max_pages;
        e->host.tokens[b] = e->host.positions[b] = e->host.lengths[b] = e->host.counters[b] = 0;
        e->host.keys[b] = 0;
        e->host.slots[b] = -1;
        if (b >= e->running_count) { continue; }
        const Sequence *sequence = &e->running[b];
        const Sample *s = &samples->list[sequence->sample];
        const int position = sequence->known - 1, runway = sequence->page_count * KV_PAGE - position;
        e->host.tokens[b] = sample_token(s, position);
        e->host.positions[b] = position;
        e->host.slots[b] = sequence->pages[position / KV_PAGE] * KV_PAGE + position % KV_PAGE;
        e->host.lengths[b] = sequence->known;
        e->host.counters[b] = s->count;
        e->host.keys[b] = s->key;
        e->runway = runway < e->runway ? runway : e->runway;
        memcpy(page_table, sequence->pages, sizeof(int) * (size_t)sequence->page_count);
        memset(page_table + sequence->page_count, 0, sizeof(int) * (size_t)(e->max_pages - sequence->page_count));
    }
    const size_t bytes = sizeof(int) * (size_t)e->width;
    device_send(e->act.tokens, e->host.tokens, bytes);
    device_send(e->act.positions, e->host.positions, bytes);
    device_send(e->slots, e->host.slots, bytes);
    device_send(e->lengths, e->host.lengths, bytes);
    device_send(e->counters, e->host.counters, bytes);
    device_send(e->keys, e->host.keys, sizeof(uint64_t) * (size_t)e->width);
    device_send(e->page_table, e->host.page_table, bytes * (size_t)e->max_pages);
}
// One step: a token for every row, and the inputs of the next step.
static inline void rollout_decode_ops(RolloutEngine *e, const Policy *p, const RolloutOptions *options) {
    const int B = e->width, C = p->config.hidden, V = p->logit_stride;
    RowContext rows = {.N = B, .cache = e->cache, .cache_layer_elements = (size_t)e->pages * e->page_elements, .slots = e->slots, .page_table = e->page_table, .lengths = e->lengths, .max_pages = e->max_pages, .decode_plan = e->decode_plan, .decode_scratch = e->decode_scratch};
    attention_decode_plan(e->decode_plan, e->page_table, e->lengths, e->max_pages, B, p->config.heads, p->config.kv_heads);
    transformer_forward(p, p->weights, &e->act, &rows);
    for (int r = 0; r < B; r += e->act.logit_rows) {
        int chunk = B - r < e->act.logit_rows ? B - r : e->act.logit_rows;
        linear_forward_float(e->act.logits, e->act.layers[p->config.layers].input_normed + (size_t)r * (size_t)C, p->weights + p->parameters.head, chunk, C, V);
        sample_tokens(e->drawn + r, e->drawn_logprob + r, e->act.logits, e->keys + r, e->counters + r, options->temperature, options->top_p,
                      options->top_k, chunk, p->vocab_used, V);
    }
    decode_advance(e->act.tokens, e->act.positions, e->slots, e->lengths, e->counters, e->drawn, e->page_table, e->max_pages, B);
}
static inline void rollout_decode(RolloutEngine *e, const Policy *p, const RolloutOptions *options, int mark) {
    const size_t rows = (size_t)e->width;
    if (!device_replay(e->recording)) {
        device_record(e->recording);
        rollout_decode_ops(e, p, options);
        device_recorded(e->recording);
    }
    device_fetch(e->host.drawn[mark], e->drawn, sizeof(int) * rows);
    device_fetch(e->host.drawn_logprob[mark], e->drawn_logprob, sizeof(float) * rows);
    device_mark(mark);
    e->decode_steps++;
}
// The tokens that a step drew join their answers. Returns how many answers have ended with it.
static inline int rollout_collect(RolloutEngine *e, Samples *samples, const RolloutOptions *options, int mark) {
    int finished = 0;
    device_reach(mark);
    for (int b = e->running_count - 1; b >= 0; b--) {
        Sequence *sequence = &e->running[b];
        if (sequence->ended) { continue; } // the step had begun when the answer ended; what it drew is nobody's
        Sample *s = &samples->list[sequence->sample];
        const int token = e->host.drawn[mark][b];
        s->logprob[s->count] = e->host.drawn_logprob[mark][b];
        s->tokens[s->count++] = token;
        e->attended += sequence->known++;
        e->decoded_tokens++;
        for (int i = 0; i < options->eos_count; i++) { s->finished |= token == options->eos[i]; }
        sequence->ended = s->finished || s->count == (s->limit ? s->limit : options->max_new_tokens);
        if (!sequence->ended) { continue; }
        finished++;
        if (options->on_finished) { options->on_finished(options->context, s); }
    }
    return finished;
}
// Steps until an answer ends or a page is full. A device that works ahead is one step ahead of what the host has read.
static inline int rollout_run(RolloutEngine *e, const Policy *p, Samples *samples, const RolloutOptions *options) {
    const int ahead = device_works_ahead() ? 1 : 0;
    int finished = 0, begun = 0, read = 0;
    while (true) {
        const bool more = finished == 0 && begun < e->runway;
        if (more) {
            rollout_decode(e, p, options, begun % DEVICE_MARKS);
            begun++;
        }
        if (!more && read == begun) { return finished; }
        if (read < begun - (more ? ahead : 0)) {
            finished += rollout_collect(e, samples, options, read % DEVICE_MARKS);
            read++;
        }
    }
}

// When nobody waits, those who come next join the queue: as long as there are rows for them.
static inline void rollout_draw(RolloutEngine *e, const RolloutOptions *options) {
    int *samples, count;
    if (!options->draw || e->waiting_count > 0) { return; }
    count = options->draw(options->context, &samples, e->sizes.max_sequences - e->running_count, options->group_size);
    for (int i = count - 1; i >= 0; i--) { e->waiting[e->waiting_count++] = samples[i]; }
}
// Answers every sample of the set (whose groups lie side by side). What a sample draws depends on the weights, its prompt, its key and
// the options, and on nothing else: not on the batch it is in, nor on the size of the cache. False: stopped from outside before the end.
static inline bool rollout_generate(RolloutEngine *e, const Policy *p, Samples *samples, const RolloutOptions *options) {
    assert(samples->count <= e->waiting_capacity && options->max_new_tokens <= samples->max_new_tokens);
    e->decode_steps = e->decoded_tokens = e->prefilled_tokens = e->preemptions = 0;
    e->attended = 0;
    e->waiting_count = 0;
    for (int i = samples->count - 1; i >= 0 && !options->draw; i--) { e->waiting[e->waiting_count++] = i; }
    for (int i = 0; i < e->prefix_capacity; i++) { e->prefix_left[i] = -1; }
    if (e->recorded_temperature != options->temperature || e->recorded_top_p != options->top_p || e->recorded_top_k != options->top_k) {
        device_forget_recordings();
        e->recorded_temperature = options->temperature, e->recorded_top_p = options->top_p, e->recorded_top_k = options->top_k;
    }
    int finished = 0;
    while (true) {
        rollout_draw(e, options);
        if (e->waiting_count == 0 && e->running_count == 0) { break; }
        if (options->stop && *options->stop) { // every page comes home, so that the engine can be used again
            while (e->running_count > 0) { rollout_leave(e, e->running_count - 1); }
            page_pool_reset(&e->pool);
            return false;
        }
        for (int before = -1; before != e->running_count;) { // until nobody else fits: a prefill pass has room for so many prompts
            before = e->running_count;
            while (rollout_admit(e, samples)) { rollout_draw(e, options); }
            if (e->running_count > before) { rollout_prefill(e, p, samples, before); }
        }
        rollout_grow(e, samples);
        rollout_grow_ahead(e);
        assert(e->running_count > 0);
        rollout_send_inputs(e, samples);
        finished += rollout_run(e, p, samples, options);
        for (int b = e->running_count - 1; b >= 0; b--) {
            if (e->running[b].ended) { rollout_leave(e, b); }
        }
        if (options->on_progress) { options->on_progress(options->context, e->decoded_tokens, finished); }
    }
    assert(e->pool.free_count == e->pool.count);
    return true;
}
