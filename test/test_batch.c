// batch: what holds the training core together between the ops: packing, the layout of a micro-batch, the order of the data, the
// owners of cache pages, the grading threads, the arithmetic of the memory plan.
#include <stdatomic.h>
#include "llmc/aggregate.h"
#include "llmc/batch.h"
#include "llmc/dataset.h"
#include "llmc/memory.h"
#include "llmc/page_pool.h"
#include "llmc/parameters.h"
#include "llmc/worker_pool.h"
#include "test/check.h"

// ---- packing
enum { MOST = 60,
       LONGEST = 30 };

static Samples random_samples(int count, uint64_t key) {
    static int prompt[20];
    Samples samples = samples_create(count, LONGEST);
    for (int i = 0; i < count; i++) {
        samples_add_group(&samples, i, prompt, 1 + (int)random_below(key, (uint64_t)i, 20), 1, key);
        samples.list[i].count = (int)random_below(key, (uint64_t)(i + 1000), LONGEST + 1); // some are empty
        samples.list[i].advantage = random_below(key, (uint64_t)(i + 2000), 3) ? 0.5f : 0;
    }
    return samples;
}
static void check_plan(const BatchPlan *plan, const Samples *samples, int first, int count, int rows, bool skip_silent, const char *what) {
    int seen[MOST] = {0}, smallest_pair = 2 * rows, previous_rows = 0;
    for (int m = 0; m < plan->count; m++) {
        int used = 0;
        check(plan->starts[m + 1] > plan->starts[m], "%s: micro-batch %d is empty", what, m);
        for (int k = plan->starts[m]; k < plan->starts[m + 1]; k++) {
            const int i = plan->sample[k];
            if (!check(i >= first && i < first + count, "%s: sample %d is not of this minibatch", what, i)) { return; }
            seen[i]++;
            used += sample_rows(&samples->list[i]);
        }
        check(used <= rows, "%s: micro-batch %d has %d rows, more than %d", what, m, used, rows);
        if (m > 0 && used + previous_rows < smallest_pair) { smallest_pair = used + previous_rows; }
        previous_rows = used;
    }
    check(plan->count == 0 || plan->starts[0] == 0, "%s: the first micro-batch starts at %d", what, plan->starts[0]);
    check(plan->count < 2 || smallest_pair > rows, "%s: two neighbours would have fitted into one", what); // first fit never leaves such a pair
    for (int i = first; i < first + count; i++) {
        const Sample *s = &samples->list[i];
        const int want = s->count > 0 && !(skip_silent && s->advantage == 0);
        check(seen[i] == want, "%s: sample %d of %d tokens and advantage %g is there %d times", what, i, s->count, (double)s->advantage, seen[i]);
    }
}
static void test_packing(void) {
    BatchPlan plan = batch_plan_create(MOST), again = batch_plan_create(MOST);
    for (uint64_t key = 0; key < 200; key++) {
        const int count = 1 + (int)random_below(key, 5000, MOST), first = (int)random_below(key, 5001, (uint32_t)count), rows = 49 + (int)random_below(key, 5002, 200);
        Samples samples = random_samples(count, key);
        for (int skip = 0; skip < 2; skip++) {
            char what[64];
            snprintf(what, sizeof(what), "set %d, %s", (int)key, skip ? "silent ones left out" : "all");
            batch_plan(&plan, &samples, first, count - first, rows, skip);
            check_plan(&plan, &samples, first, count - first, rows, skip, what);
            memset(again.sample, 0x7F, sizeof(int) * 5 * MOST); // whatever an older plan left there
            batch_plan(&again, &samples, first, count - first, rows, skip);
            check(plan.count == again.count && !memcmp(plan.starts, again.starts, sizeof(int) * (size_t)(plan.count + 1)) &&
                      !memcmp(plan.sample, again.sample, sizeof(int) * (size_t)plan.starts[plan.count]),
                  "%s: planned twice, two plans", what);
        }
        double tokens = 0;
        for (int i = first; i < count; i++) { tokens += samples.list[i].count; }
        check(loss_counts(&samples, first, count - first).tokens == tokens, "response tokens of the minibatch, the silent ones too");
        samples_free(&samples);
    }
    // longest first: 8, 7, 3, 2 rows in bins of 10
    int prompt = 1;
    Samples samples = samples_create(4, 10);
    samples_add_group(&samples, 0, &prompt, 1, 4, 0);
    const int counts[] = {3, 8, 2, 7}, want[] = {1, 2, 3, 0};
    for (int i = 0; i < 4; i++) { samples.list[i].count = counts[i]; }
    batch_plan(&plan, &samples, 0, 4, 10, false);
    check(plan.count == 2 && plan.starts[1] == 2 && !memcmp(plan.sample, want, sizeof(want)), "8 + 2 and 7 + 3 fill two micro-batches of 10");
    for (int i = 0; i < 4; i++) { samples.list[i].count = 5; }
    batch_plan(&plan, &samples, 0, 4, 5, false);
    check(plan.count == 4 && plan.sample[0] == 0 && plan.sample[3] == 3, "equal lengths keep their order");
    batch_plan(&plan, &samples, 0, 4, 10, true);
    check(plan.count == 0, "a minibatch in which nobody learned anything has no micro-batch");
    samples_free(&samples);
    batch_plan_free(&plan);
    batch_plan_free(&again);
}

// ---- the rows of a micro-batch
static void check_ints(const int *got, const int *want, int count, const char *what) {
    for (int i = 0; i < count; i++) {
        if (!check(got[i] == want[i], "%s: %d at %d, want %d", what, got[i], i, want[i])) { return; }
    }
}
static void test_microbatch(void) {
    Microbatch batch = microbatch_create(16, 4);
    const int prompts[][3] = {{5, 6, 7}, {3}, {9, 8}}, responses[][3] = {{6, 5}, {3, 3, 1}};
    for (int round = 0; round < 2; round++) { // cleared, it starts anew
        microbatch_clear(&batch);
        microbatch_add(&batch, 40, prompts[0], 3, responses[0], 2);
        microbatch_add(&batch, 41, prompts[1], 1, responses[1], 3);
        microbatch_add(&batch, 42, prompts[2], 2, NULL, 0);
        microbatch_add(&batch, 43, prompts[1], 1, responses[0], 1);
    }
    check(batch.rows == 10 && batch.sequences == 4, "%d rows of %d sequences", batch.rows, batch.sequences);
    check_ints(batch.tokens, (int[]){5, 6, 7, 6, 3, 3, 3, 9, 8, 3}, 10, "tokens");
    check_ints(batch.targets, (int[]){-1, -1, 6, 5, 3, 3, 1, -1, -1, 6}, 10, "targets");
    check_ints(batch.positions, (int[]){0, 1, 2, 3, 0, 1, 2, 0, 1, 0}, 10, "positions");
    check_ints(batch.starts, (int[]){0, 4, 7, 9, 10}, 5, "starts");
    check_ints(batch.samples, (int[]){40, 41, 42, 43}, 4, "samples");
    microbatch_sort(&batch);
    check_ints(batch.order, (int[]){4, 5, 6, 9, 0, 1, 3, 2, 8, 7}, 10, "rows by token, equal tokens in rising row");
    microbatch_free(&batch);

    Microbatch full = microbatch_create(500, 40); // each row's target is the token of the next, and the last one's is the last sampled
    Samples samples = random_samples(20, 3);
    static int prompt[20];
    for (int i = 0; i < 20; i++) { prompt[i] = 900 + i; }
    for (int i = 0; i < 20; i++) {
        for (int t = 0; t < samples.list[i].count; t++) { samples.list[i].tokens[t] = 100 * i + t; }
        samples.list[i].prompt_ids = prompt;
    }
    BatchPlan plan = batch_plan_create(20);
    batch_plan(&plan, &samples, 0, 20, 150, false);
    int covered = 0, wrong = 0;
    for (int m = 0; m < plan.count; m++) {
        batch_fill(&full, &plan, m, &samples);
        check(full.sequences == plan.starts[m + 1] - plan.starts[m], "micro-batch %d has every sample of its plan", m);
        for (int s = 0; s < full.sequences; s++) {
            const Sample *sample = &samples.list[full.samples[s]];
            wrong += full.starts[s + 1] - full.starts[s] != sample_rows(sample);
            for (int t = 0; t < sample->count; t++, covered++) {
                const int row = full.starts[s] + sample->prompt_count - 1 + t;
                wrong += full.targets[row] != sample->tokens[t] || full.tokens[row] != (t ? sample->tokens[t - 1] : prompt[sample->prompt_count - 1]) ||
                         full.positions[row] != row - full.starts[s];
            }
        }
    }
    check(wrong == 0 && covered == (int)loss_counts(&samples, 0, 20).tokens, "%d rows are wrong; %d response tokens are covered", wrong, covered);
    samples_free(&samples);
    batch_plan_free(&plan);
    microbatch_free(&full);
}

// ---- the order of the data
static const int *dataset_step(Dataset *dataset, int step) { // the prompts of a step, when every step takes as many and nothing else does
    int64_t position = (int64_t)(step / dataset->steps_per_epoch) * dataset->count + step % dataset->steps_per_epoch * dataset->per_step;
    return dataset_draw(dataset, &position, dataset->per_step);
}
static Dataset make_dataset(int count, int per_step, uint64_t key) {
    PromptSet *prompts = (PromptSet *)host_alloc(sizeof(PromptSet));
    prompts->header.count = (uint32_t)count;
    Dataset dataset;
    Error error;
    check(dataset_open(&dataset, prompts, "set", per_step, key, &error), "%s", error.text);
    return dataset;
}
static void test_dataset(void) {
    enum { COUNT = 103,
           PER_STEP = 8,
           STEPS = 3 * (COUNT / PER_STEP) };
    static int order[STEPS * PER_STEP]; // step after step
    const size_t bytes = PER_STEP * sizeof(int);
    Dataset dataset = make_dataset(COUNT, PER_STEP, 77), same = make_dataset(COUNT, PER_STEP, 77), other = make_dataset(COUNT, PER_STEP, 78);
    check(dataset.steps_per_epoch == 12, "103 prompts make %d steps of 8", dataset.steps_per_epoch);
    for (int step = 0; step < STEPS; step++) { memcpy(order + step * PER_STEP, dataset_step(&dataset, step), bytes); }
    int left_out[3], at_place = 0, equal_to_other = 0, equal_epochs = 0;
    for (int epoch = 0; epoch < 3; epoch++) {
        int seen[COUNT] = {0}, twice = 0, missing = -1;
        for (int i = 0; i < 12 * PER_STEP; i++) {
            const int prompt = order[12 * PER_STEP * epoch + i];
            if (!check(prompt >= 0 && prompt < COUNT, "prompt %d", prompt)) { return; }
            twice += seen[prompt]++ > 0;
            at_place += prompt == i, equal_epochs += epoch > 0 && prompt == order[i];
        }
        for (int i = 0; i < COUNT; i++) { missing = seen[i] ? missing : i; }
        check(twice == 0, "epoch %d asks %d prompts twice", epoch, twice);
        check(missing >= 0, "epoch %d leaves out the 7 that do not fill a step", epoch);
        left_out[epoch] = missing;
    }
    check(left_out[0] != left_out[1] || left_out[1] != left_out[2], "each epoch leaves out others");
    // 288 places, 1/103 of them equal by chance: 2.8 expected, 13 or more once in 20,000 shuffles
    check(at_place < 13 && equal_epochs < 13, "%d prompts stay in place, %d are where the first epoch had them", at_place, equal_epochs);
    for (int step = 0; step < STEPS; step++) {
        check(!memcmp(order + step * PER_STEP, dataset_step(&same, step), bytes), "the same seed gives the same step %d", step);
        for (int i = 0; i < PER_STEP; i++) { equal_to_other += dataset_step(&other, step)[i] == order[step * PER_STEP + i]; }
    }
    check(equal_to_other < 13, "another seed has %d of 288 prompts at the same place", equal_to_other);
    const int jumps[] = {35, 0, 12, 11, 24, 23, 1, 30, 7};
    for (size_t i = 0; i < sizeof(jumps) / sizeof(int); i++) { // a run that goes on from any step
        Dataset fresh = make_dataset(COUNT, PER_STEP, 77);
        check(!memcmp(order + jumps[i] * PER_STEP, dataset_step(&fresh, jumps[i]), bytes), "resumed at step %d", jumps[i]);
        check(!memcmp(order + jumps[i] * PER_STEP, dataset_step(&dataset, jumps[i]), bytes), "back at step %d", jumps[i]);
        dataset_close(&fresh);
    }
    // steps that draw more than once: 8, then what is missing; 103 prompts an epoch, of which the last are left out where they do not fill a draw
    int64_t position = 0, again = 0;
    const int draws[] = {8, 3, 2, 8, 40, 40, 8, 1, 95}, end[] = {8, 11, 13, 21, 61, 101, 111, 112, 301}; // the 2 after 101 do not make 8, nor the 94 after 112 make 95
    for (size_t i = 0; i < sizeof(draws) / sizeof(int); i++) {
        Dataset fresh = make_dataset(COUNT, PER_STEP, 77);
        const int *drawn = dataset_draw(&dataset, &position, draws[i]), *resumed = dataset_draw(&fresh, &again, draws[i]);
        check(position == end[i] && again == end[i], "draw %zu ends at %lld, not %d", i, (long long)position, end[i]);
        check(!memcmp(drawn, resumed, sizeof(int) * (size_t)draws[i]), "draw %zu is the same from its position alone", i);
        dataset_close(&fresh);
    }
    check(dataset_epoch(&dataset, 0) == 0 && dataset_epoch(&dataset, 95) == 0 && dataset_epoch(&dataset, 96) == 1 && dataset_epoch(&dataset, 103) == 1 && dataset_epoch(&dataset, 199) == 2, "the epoch of the next step");
    dataset_close(&dataset), dataset_close(&same), dataset_close(&other);

    int place[5][5] = {{0}}; // a fair shuffle: every prompt comes to every place about 1/5 of the time
    for (int k = 0; k < 2000; k++) {
        Dataset five = make_dataset(5, 5, (uint64_t)k);
        for (int i = 0; i < 5; i++) { place[i][dataset_step(&five, 0)[i]]++; }
        dataset_close(&five);
    }
    for (int i = 0; i < 25; i++) { check(abs(place[i / 5][i % 5] - 400) < 90, "prompt %d is at place %d in %d of 2000 orders", i % 5, i / 5, place[i / 5][i % 5]); } // 400 +- 5 sigma
    PromptSet few = {.header = {.count = 7}};
    Error error;
    Dataset none;
    check(!dataset_open(&none, &few, "few.bin", 8, 1, &error), "7 prompts do not fill a step of 8");
    check_text(error.text, "few.bin: has 7 prompts, fewer than one step takes: lower --prompts_per_step (now 8)", "too few prompts");
}

// ---- pages
static void test_page_pool(void) {
    enum { PAGES = 40,
           HOLDERS = 15 };
    PagePool pool = page_pool_create(PAGES);
    check(pool.free_count == PAGES && page_take(&pool) == 0 && page_take(&pool) == 1, "pages are taken from the first on");
    page_share(&pool, 1), page_drop(&pool, 1);
    check(pool.owners[1] == 1 && pool.free_count == PAGES - 2, "a page with an owner left is not free");
    page_drop(&pool, 1);
    check(pool.owners[1] == 0 && pool.free_count == PAGES - 1 && page_take(&pool) == 1, "the page freed last is taken first");
    page_pool_reset(&pool);
    check(pool.free_count == PAGES && pool.owners[0] == 0 && pool.owners[1] == 0 && page_take(&pool) == 0, "reset: nobody owns anything");
    page_pool_reset(&pool);
    int held[HOLDERS][8], holding[HOLDERS] = {0}, owners[PAGES] = {0}, wrong = 0; // against a count of our own
    for (int i = 0; i < 20000; i++) {
        const int h = (int)random_below(9, (uint64_t)(2 * i), HOLDERS), what = (int)random_below(9, (uint64_t)(2 * i + 1), 3), from = (h + 1) % HOLDERS;
        if (what == 0 && pool.free_count > 0 && holding[h] < 8) {
            const int page = page_take(&pool);
            wrong += page < 0 || page >= PAGES || owners[page]++ != 0;
            held[h][holding[h]++] = page;
        } else if (what == 1 && holding[from] > 0 && holding[h] < 8) {
            const int page = held[from][holding[from] - 1];
            wrong += page_share(&pool, page) != page;
            owners[page]++;
            held[h][holding[h]++] = page;
        } else if (what == 2 && holding[h] > 0) {
            const int page = held[h][--holding[h]];
            owners[page]--;
            page_drop(&pool, page);
        }
        int free_pages = 0;
        for (int p = 0; p < PAGES; p++) { free_pages += owners[p] == 0, wrong += owners[p] != pool.owners[p]; }
        wrong += free_pages != pool.free_count;
    }
    check(wrong == 0, "pages: %d times not as counted", wrong);
    page_pool_free(&pool);
}

// ---- worker threads
enum { ITEMS = 10000 };
static atomic_int item_done[ITEMS], all_done, threads_left, context_seen;
static void work_on(void *context, void *item) {
    const int i = (int)((atomic_int *)item - item_done);
    if (i % 1000 == 999) { usleep(3000); } // the last of a round ends late
    atomic_fetch_add(&item_done[i], 1);
    atomic_fetch_add(&all_done, 1);
    if (context == &context_seen) { atomic_store(&context_seen, 1); }
}
static void work_leave(void) { atomic_fetch_add(&threads_left, 1); }
static void test_worker_pool(void) {
    WorkerPool pool;
    worker_pool_open(&pool, 3, 1000, work_on, work_leave, &context_seen);
    worker_pool_wait(&pool); // nothing submitted: at once
    int early = 0, wrong = 0;
    for (int first = 0; first < ITEMS; first += 1000) { // ten times around the ring
        for (int i = 0; i < 1000; i++) { worker_pool_submit(&pool, &item_done[first + i]); }
        worker_pool_wait(&pool);
        early += atomic_load(&all_done) != first + 1000;
    }
    check(early == 0, "wait came back before everything was done, %d of 10 times", early);
    for (int i = 0; i < ITEMS; i++) { wrong += atomic_load(&item_done[i]) != 1; }
    check(wrong == 0, "%d of %d items were not done exactly once", wrong, ITEMS);
    for (int round = 0; round < 50; round++) { // one item that sleeps: the queue is empty long before it is done
        const int before = atomic_load(&all_done);
        worker_pool_submit(&pool, &item_done[999]);
        if (round % 2) { usleep(500); }
        worker_pool_wait(&pool);
        early += atomic_load(&all_done) != before + 1;
    }
    check(early == 0, "wait came back while an item was worked on, %d times", early);
    check(atomic_load(&context_seen) == 1, "the worker gets its context");
    worker_pool_close(&pool);
    check(atomic_load(&threads_left) == 3, "%d of 3 threads took their leave", atomic_load(&threads_left));
    WorkerPool last; // what was submitted before the pool is closed is done
    worker_pool_open(&last, 2, 100, work_on, NULL, NULL);
    const int before = atomic_load(&all_done);
    for (int i = 0; i < 100; i++) { worker_pool_submit(&last, &item_done[i]); }
    worker_pool_close(&last);
    check(atomic_load(&all_done) == before + 100, "closing a pool ends its work first");
}

// ---- memory
typedef struct {
    char *weights, *moments, *cache, *logits, *activations;
} Arrays;
static Arrays lay_out(Memory *memory) {
    Arrays a;
    a.weights = (char *)memory_take(memory, MEMORY_RESIDENT, "weights", 1000);
    a.cache = (char *)memory_take(memory, MEMORY_GENERATE, "cache", 3 << 20);
    a.activations = (char *)memory_take(memory, MEMORY_TRAIN, "activations", 100);
    a.logits = (char *)memory_take(memory, MEMORY_TRAIN, "activations", 2 << 20);
    a.moments = (char *)memory_take(memory, MEMORY_RESIDENT, "moments", 256);
    return a;
}
static void test_memory(void) {
    Memory memory = {.count = 0};
    Arrays counted = lay_out(&memory);
    check(!counted.weights && !counted.cache && !counted.activations, "counting hands out nothing");
    const size_t resident = 1024 + 256, total = resident + (3 << 20);
    check(memory_total(&memory) == total, "total %zu, want %zu: resident and the larger phase, each array in steps of 256", memory_total(&memory), total);
    check(memory.count == 4 && memory.items[2].bytes == 256 + (2 << 20), "items of one name are one line");
    Error error = {""};
    check(memory_fits(&memory, total, &error) && !*error.text, "a plan that fills the memory fits");
    check(!memory_fits(&memory, total - (1 << 20), &error), "one of a MiB more does not");
    check_text(error.text, "the memory plan needs 3.0 MiB but 2.0 MiB are available; 1.0 MiB too many, in the generate part: lower --kv_cache_mib or --max_sequences", "refusal");
    check(!memory_fits(&memory, total - 1, &error), "nor does one of a byte more");
    Memory training = {.count = 0};
    memory_take(&training, MEMORY_TRAIN, "activations", 5 << 20);
    memory_take(&training, MEMORY_GENERATE, "cache", 4 << 20);
    check(!memory_fits(&training, 1 << 20, &error), "a training phase too large");
    check_text(error.text, "the memory plan needs 5.0 MiB but 1.0 MiB are available; 4.0 MiB too many, in the train part: lower --tokens_per_microbatch or the context, or raise --recompute to 2", "refusal");

    Memory model = {.count = 0};
    memory_take(&model, MEMORY_RESIDENT, "weights", 2 << 20);
    check(!memory_fits(&model, 1 << 20, &error) && strstr(error.text, "in the resident part: the model itself does not fit"), "a model too large: %s", error.text);

    char *printed = NULL;
    size_t bytes;
    FILE *out = open_memstream(&printed, &bytes);
    memory_print(&memory, out);
    fclose(out);
    check(strstr(printed, "| generate | cache                          |          3.0 |") && strstr(printed, "| train    | activations                    |          2.0 |") &&
              strstr(printed, "| resident | weights                        |          0.0 |") && strstr(printed, "| total    | resident + the larger phase    |          3.0 |"),
          "the table:\n%s", printed);
    free(printed);

    memory_commit(&memory);
    Arrays a = lay_out(&memory);
    check(a.weights == memory.base && a.moments == a.weights + 1024, "resident arrays lie first");
    check(a.cache == memory.base + resident && a.activations == a.cache, "both phases start where the resident part ends");
    check(a.logits == a.activations + 256, "arrays of one phase do not overlap");
    check(a.cache + (3 << 20) <= memory.base + total && memory_total(&memory) == total && memory.count == 4, "what is handed out is what was counted");
}

// ---- parameters
static void test_parameters(void) {
    for (int family = 0; family < 3; family++) {
        const ModelConfig c = {.hidden = 20, .intermediate = 28, .layers = 2, .heads = 4, .kv_heads = 2, .head_dim = 6, .vocab = 33, .tied_head = family == 0, .qkv_bias = family == 0, .qk_norm = family == 2};
        ParameterTable t = parameter_table_create(&c);
        const int per_layer = 9 + (c.qkv_bias ? 3 : 0) + (c.qk_norm ? 2 : 0);
        check(t.count == 2 + 2 * per_layer + !c.tied_head, "family %d: %d tensors", family, t.count);
        const size_t layer = 2 * 20 + 20 * (24 + 12 + 12) + 24 * 20 + 3 * 20 * 28 + (c.qkv_bias ? 48 : 0) + (c.qk_norm ? 12 : 0);
        const size_t want = 33 * 20 + 20 + 2 * layer + (c.tied_head ? 0 : 33 * 20);
        check(t.actual == want, "family %d: %zu parameters, want %zu", family, t.actual, want);
        size_t end = 0;
        for (int i = 0; i < t.count; i++) {
            check(t.list[i].offset >= end && t.list[i].offset - end < PARAMETER_ALIGNMENT, "family %d: %s lies behind its neighbour", family, t.list[i].name);
            end = t.list[i].offset + t.list[i].count;
        }
        check(t.total >= end && t.total % PARAMETER_ALIGNMENT == 0, "family %d: total %zu, end %zu", family, t.total, end);
        const LayerOffsets *o = &t.layers[1];
        const struct {
            const char *name;
            size_t offset;
        } places[] = {{"model.layers.1.input_layernorm.weight", o->input_norm}, {"model.layers.1.self_attn.q_proj.weight", o->qkv}, {"model.layers.1.self_attn.k_proj.weight", o->qkv + 24 * 20}, {"model.layers.1.self_attn.v_proj.weight", o->qkv + 36 * 20}, {"model.layers.1.self_attn.o_proj.weight", o->output}, {"model.layers.1.post_attention_layernorm.weight", o->post_norm}, {"model.layers.1.mlp.gate_proj.weight", o->gate_up}, {"model.layers.1.mlp.up_proj.weight", o->gate_up + 28 * 20}, {"model.layers.1.mlp.down_proj.weight", o->down}, {"model.norm.weight", t.final_norm}, {"model.embed_tokens.weight", t.embedding}, {c.tied_head ? "model.embed_tokens.weight" : "lm_head.weight", t.head}, {c.qkv_bias ? "model.layers.1.self_attn.v_proj.bias" : "model.norm.weight", c.qkv_bias ? o->qkv_bias + 36 : t.final_norm}, {c.qk_norm ? "model.layers.1.self_attn.k_norm.weight" : "model.norm.weight", c.qk_norm ? o->k_norm : t.final_norm}};
        for (size_t k = 0; k < sizeof(places) / sizeof(places[0]); k++) {
            int found = 0;
            for (int i = 0; i < t.count; i++) { found += !strcmp(t.list[i].name, places[k].name) && t.list[i].offset == places[k].offset; }
            check(found == 1, "family %d: %s is not at %zu", family, places[k].name, places[k].offset);
        }
        parameter_table_free(&t);
    }
}

int main(void) {
    device_init();
    test_packing();
    test_microbatch();
    test_dataset();
    test_page_pool();
    test_worker_pool();
    test_memory();
    test_parameters();
    return check_report("test_batch");
}
