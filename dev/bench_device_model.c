// bench_device_model: the model at work in its real shape, DeepSeek-R1-Distill-Qwen-1.5B with random weights, on whichever backend is linked:
// the trainer's own policy, rollout engine, loss and optimizer.
//   bench_device_model [--smoke] [decode_step|rollout|train_8k|train_24k|grpo_step]...
// JSON lines on stdout, see bench_device.h. No file is read.
#include "dev/bench_device.h"
#include "llmc/batch.h"
#include "llmc/grpo.h"
#include "llmc/rollout.h"

// What elementwise ops move through memory for each token in each layer when every one reads its inputs and writes its outputs once:
// recompute level 1, and 2.
static const double elementwise_bytes[3] = {247e3, 247e3, 332e3};
enum { PROMPT = 150 };

typedef struct {
    Policy policy;
    RolloutEngine engine;
    Memory memory;
    Samples samples;
    Microbatch batch;
    BatchPlan plan;
    float *dlogprob, *dentropy;
    size_t memory_before;
} Model;

static ModelConfig model_shape(void) {
    ModelConfig c = {.architecture = "qwen2", .dtype = "bfloat16", .hidden = 1536, .intermediate = 8960, .layers = 28, .heads = 12, .kv_heads = 2, .head_dim = 128, .vocab = 151936, .max_position = 131072, .rms_eps = 1e-6f, .rope_theta = 10000, .rope_type = ROPE_DEFAULT, .qkv_bias = true};
    if (bench_smoke) { c.hidden = 64, c.intermediate = 96, c.layers = 2, c.heads = 6, c.head_dim = 16, c.vocab = 512; }
    return c;
}
static Model model_create(PolicySizes sizes, RolloutSizes rollout, int samples, int prompts, int max_new_tokens) {
    Model m = {.policy = {.config = model_shape()}, .memory_before = device_memory_bytes()};
    Policy *p = &m.policy;
    Error error;
    p->vocab_used = bench_smoke ? 500 : 151665; // as its tokenizer has
    p->logit_stride = (p->vocab_used + 63) / 64 * 64;
    p->parameters = parameter_table_create(&p->config);
    sizes.logits_bytes = rollout.logits_bytes = bench_smoke ? 1 << 20 : POLICY_LOGITS_BYTES;
    for (int pass = 0; pass < 2; pass++) {
        policy_layout(p, &m.memory, &sizes);
        if (rollout.max_sequences) { rollout_layout(&m.engine, p, &m.memory, &rollout); }
        if (pass == 1) { break; }
        if (!memory_fits(&m.memory, device_memory_bytes(), &error)) {
            memory_print(&m.memory, stderr);
            fatal("%s", error.text);
        }
        memory_commit(&m.memory);
    }
    if (rollout.max_sequences) { rollout_open(&m.engine, samples, prompts); }
    policy_make_rope_table(p);
    policy_random_weights(p, 1);
    if (p->reference) { device_copy(p->reference, p->weights, p->parameters.total * sizeof(floatX)); }
    m.samples = samples_create(samples, max_new_tokens);
    if (sizes.rows) {
        m.batch = microbatch_create(sizes.rows, samples);
        m.plan = batch_plan_create(samples);
        m.dlogprob = (float *)host_alloc(sizeof(float) * 2 * (size_t)sizes.rows);
        m.dentropy = m.dlogprob + sizes.rows;
    }
    return m;
}
static void model_free(Model *m) {
    if (m->engine.running) { rollout_close(&m->engine); }
    policy_free(&m->policy);
    samples_free(&m->samples);
    if (m->dlogprob) {
        microbatch_free(&m->batch);
        batch_plan_free(&m->plan);
        free(m->dlogprob);
    }
    device_shutdown();
}
static int *random_ids(const Model *m, int count, uint64_t key) {
    int *ids = (int *)host_alloc(sizeof(int) * (size_t)count);
    for (int i = 0; i < count; i++) { ids[i] = (int)random_below(key, (uint64_t)i, (uint32_t)m->policy.vocab_used); }
    return ids;
}

// ---- what the work costs at least

static double layer_weights(const ModelConfig *c) {
    return (double)c->hidden * (policy_qkv_width(c) + c->heads * c->head_dim + 3.0 * c->intermediate);
}
static double layers_weights(const Policy *p) { return p->config.layers * layer_weights(&p->config); }
static double head_weights(const Policy *p) { return (double)p->config.hidden * p->logit_stride; }
static double kv_bytes(const Policy *p) { return 2.0 * p->config.layers * p->config.kv_heads * p->config.head_dim * sizeof(floatX); } // of one token
static double attention_flops(const Policy *p, double length) { return p->config.layers * 4.0 * p->config.heads * p->config.head_dim * length * length / 2; }

// The parts that a limit is made of: what reads the weights in generation, the cache, and in training what keeps the matrix units busy and what does not.
enum { DECODE_LAYERS,
       DECODE_HEAD,
       DECODE_CACHE,
       PRODUCTS,
       ATTENTION_FORWARD,
       ATTENTION_BACKWARD,
       ELEMENTWISE };
// Adds one decoding step of B rows over `tokens` cached tokens in all.
static void add_decode_step(const Policy *p, BenchRow *row, int B, double tokens) {
    row->part[DECODE_LAYERS].bytes += layers_weights(p) * sizeof(floatX), row->part[DECODE_LAYERS].flops += 2.0 * B * layers_weights(p);
    row->part[DECODE_HEAD].bytes += head_weights(p) * sizeof(floatX), row->part[DECODE_HEAD].flops += 2.0 * B * head_weights(p);
    row->part[DECODE_CACHE].bytes += tokens * kv_bytes(p);
}
// Adds forward passes (a reference's too) and one backward pass over a sequence, with what a recompute level repeats of the blocks.
static void add_training(const Policy *p, BenchRow *row, double length, int forwards, int recompute) {
    const double blocks = forwards + (recompute == 2);
    row->part[PRODUCTS].flops += 2 * length * ((blocks + 2) * layers_weights(p) + (forwards + 2) * head_weights(p));
    row->part[ATTENTION_FORWARD].attention_forward += blocks * attention_flops(p, length);
    row->part[ATTENTION_BACKWARD].attention_backward += 2.5 * attention_flops(p, length);
    row->part[ELEMENTWISE].bytes += length * p->config.layers * elementwise_bytes[recompute];
}

// ---- answers of forced length

typedef struct {
    const RolloutEngine *engine;
    const Samples *samples;
    int *limit; // of each sample; NULL: none
    int full;   // rows of a step that is timed, 0: none are
    long steps;
    double last, *seconds, cached; // of the runs of steps timed: how long a step took, and the sum of all rows' cached tokens
    int count, skipped;
} Watch;
enum { WATCH_RUNS = 12,
       WATCH_SKIPPED = 1, // the first run of steps also records them
       WATCH_STEPS = 512 };

static void watch_progress(void *context, long tokens, int finished, int total) {
    Watch *w = (Watch *)context;
    const double now = seconds_now();
    (void)tokens, (void)finished, (void)total;
    const long steps = w->engine->decode_steps - w->steps;
    if (w->full && w->engine->running_count == w->full && w->skipped++ >= WATCH_SKIPPED && w->count < WATCH_RUNS) {
        w->seconds[w->count++] = (now - w->last) / (double)steps;
        for (int i = 0; i < w->samples->count; i++) { w->cached += w->samples->list[i].prompt_count + w->samples->list[i].count - (double)steps / 2; }
    }
    w->steps = w->engine->decode_steps;
    w->last = seconds_now();
}
static void generate(Model *m, Watch *watch, int max_new_tokens) {
    const RolloutOptions options = {.temperature = 0.6f, .top_p = 1, .max_new_tokens = max_new_tokens, .on_progress = watch_progress, .context = watch};
    *watch = (Watch){.engine = &m->engine, .samples = &m->samples, .limit = watch->limit, .full = watch->full, .seconds = watch->seconds};
    for (int i = 0; watch->limit && i < m->samples.count; i++) { m->samples.list[i].limit = watch->limit[i]; }
    if (!rollout_generate(&m->engine, &m->policy, &m->samples, &options)) { fatal("generation was stopped"); }
}
// Log-normal lengths around a mean, at most `most`: many short answers and a long tail, as reasoning has.
static void forced_lengths(int *limit, int count, double mean, int most, uint64_t key) {
    const double deviation = 0.75;
    for (int i = 0; i < count; i++) {
        const double length = mean * exp(deviation * (double)random_normal(key, (uint64_t)i) - deviation * deviation / 2);
        limit[i] = length < 1 ? 1 : length > most ? most
                                                  : (int)length;
    }
}
// The steps that a scheduler without any loss would take: `width` rows, the next answer begins where one ends.
static void add_generation(const Model *m, BenchRow *row, const int *limit, int count, int width, int prompt) {
    int *running = (int *)host_alloc(sizeof(int) * (size_t)width), next = 0, rows = 0;
    int *left = (int *)host_alloc(sizeof(int) * (size_t)width);
    while (rows > 0 || next < count) {
        while (rows < width && next < count) { running[rows] = prompt, left[rows++] = limit[next++]; }
        double cached = 0;
        for (int b = 0; b < rows; b++) { cached += running[b]; }
        add_decode_step(&m->policy, row, rows, cached);
        for (int b = rows - 1; b >= 0; b--) {
            running[b]++;
            if (--left[b] == 0) { rows--, running[b] = running[rows], left[b] = left[rows]; }
        }
    }
    free(running);
    free(left);
}

// ---- 5: one step of the whole model with its sampling

static void decode_step(int B, int context) {
    const int width = bench_smoke ? (B < 4 ? B : 4) : B, length = bench_smoke ? 160 : context, answer = bench_smoke ? 160 : WATCH_STEPS;
    const int prompt = length - answer / 2; // `length` is the mean of a row's cached tokens
    const size_t cache = (size_t)width * (size_t)(prompt + answer + 2 * KV_PAGE) * 2 * 28 * 2 * 128 * sizeof(floatX);
    Model m = model_create((PolicySizes){.max_positions = prompt + answer}, (RolloutSizes){.max_sequences = width, .max_positions = prompt + answer, .max_prompt = prompt, .cache_bytes = cache + cache / 8}, width, width, answer);
    double seconds[WATCH_RUNS];
    Watch watch = {.full = width, .seconds = seconds};
    int *ids = random_ids(&m, width * prompt, 4);
    for (int b = 0; b < width; b++) { samples_add_group(&m.samples, b, ids + b * prompt, prompt, 1, random_key(5, (uint64_t)b)); }
    generate(&m, &watch, answer);
    BenchRow row = {.line = 5, .unit = "ms", .of = "limit", .first = 0.55, .good = 0.7, .times_peer = 2, .seconds = bench_median(seconds, watch.count)};
    add_decode_step(&m.policy, &row, width, watch.cached / watch.count);
    bench_row(&row, "B=%d, %d tokens", B, context);
    free(ids);
    model_free(&m);
}
static void bench_decode_step(void) {
    decode_step(1, 1024);
    decode_step(64, 4096);
    decode_step(256, 2560);
}

// ---- 6: continuous batching

static void bench_rollout(void) {
    const int prompts = bench_smoke ? 3 : 32, group = bench_smoke ? 2 : 16, most = bench_smoke ? 40 : 6144, width = bench_smoke ? 4 : 256, count = prompts * group;
    const double mean = bench_smoke ? 12 : 1536;
    Model m = model_create((PolicySizes){.max_positions = PROMPT + most}, (RolloutSizes){.max_sequences = width, .max_positions = PROMPT + most, .max_prompt = PROMPT, .cache_bytes = bench_smoke ? 1 << 20 : (size_t)40 << 30}, count, prompts, most);
    int *ids = random_ids(&m, prompts * PROMPT, 6);
    Watch watch = {.limit = (int *)host_alloc(sizeof(int) * (size_t)count)};
    double seconds = 0;
    for (int pass = 0; pass < 2; pass++) { // a short one to warm up
        forced_lengths(watch.limit, count, pass ? mean : mean / 64 + 2, most, 8);
        samples_clear(&m.samples);
        for (int p = 0; p < prompts; p++) { samples_add_group(&m.samples, p, ids + p * PROMPT, PROMPT, group, random_key(7, (uint64_t)p)); }
        const double start = seconds_now();
        generate(&m, &watch, most);
        seconds = seconds_now() - start;
    }
    double tokens = 0;
    for (int i = 0; i < count; i++) {
        tokens += m.samples.list[i].count;
        if (m.samples.list[i].count != watch.limit[i]) { fatal("answer %d has %d tokens, not %d", i, m.samples.list[i].count, watch.limit[i]); }
    }
    BenchRow row = {.line = 6, .unit = "tok/s", .of = "limit", .first = 0.55, .good = 0.65, .seconds = seconds, .work = tokens};
    add_generation(&m, &row, watch.limit, count, width, PROMPT);
    bench_row(&row, "32 prompts x 16, mean 1536, at most 6144, 256 at a time");
    bench_note(6, "steps, tokens, prefilled, preempted", "", "%ld, %.0f, %ld, %ld", m.engine.decode_steps, tokens, m.engine.prefilled_tokens, m.engine.preemptions);
    free(ids);
    free(watch.limit);
    model_free(&m);
}

// ---- 8 and 9: forward and backward

static void train_run(void *context) {
    Model *m = (Model *)context;
    Policy *p = &m->policy;
    policy_forward_layers(p, p->weights, &m->batch);
    for (int row = 0; row < m->batch.rows; row += p->train.logit_rows) {
        policy_head_forward(p, p->weights, m->batch.rows, row, 0.6f);
        policy_head_backward(p, m->batch.rows, row, m->dlogprob, m->dentropy, 0.6f);
    }
    policy_backward_layers(p, &m->batch, true);
}
static void train(int line, int sequences, int length_full, int recompute, double first, double good, double times_peer) {
    const int length = bench_smoke ? 96 : length_full, N = sequences * length, prompt = bench_smoke ? 8 : PROMPT;
    Model m = model_create((PolicySizes){.rows = N, .max_positions = length, .recompute = recompute, .optimizer = true}, (RolloutSizes){0}, sequences, 0, length);
    int *ids = random_ids(&m, N + sequences, 9);
    for (int s = 0; s < sequences; s++) {
        const int *at = ids + s * (length + 1);
        microbatch_add(&m.batch, s, at, prompt, at + prompt, length + 1 - prompt);
    }
    for (int n = 0; n < N; n++) { m.dlogprob[n] = m.batch.targets[n] < 0 ? 0 : (n % 2 ? 1.0f : -1.0f) / (float)N; }
    BenchRow row = {.line = line, .unit = "tok/s", .of = "limit", .first = first, .good = good, .times_peer = times_peer, .seconds = bench_time(train_run, &m), .work = N};
    for (int s = 0; s < sequences; s++) { add_training(&m.policy, &row, length, 1, recompute); }
    row.model_flops = 3 * (2.0 * N * (layers_weights(&m.policy) + head_weights(&m.policy)) + sequences * attention_flops(&m.policy, length));
    bench_row(&row, "%d x %d, recompute %d", sequences, length_full, recompute);
    if (line == 9) {
        char name[64];
        snprintf(name, sizeof(name), "GPU memory taken, recompute %d", recompute);
        bench_note(9, name, "at most 76 GiB", "%.1f GiB, of it the plan %.1f", (double)(m.memory_before - device_memory_bytes()) / (1 << 30), (double)memory_total(&m.memory) / (1 << 30));
    }
    free(ids);
    model_free(&m);
}
static void bench_train_8k(void) {
    train(8, 2, 8192, 1, 35.0 / 54.6, 43.5 / 54.6, 1.2);
    train(8, 4, 4096, 1, 35.0 / 54.6, 43.5 / 54.6, 1.2);
}
static void bench_train_24k(void) {
    train(9, 1, 24576, 1, 20.0 / 37.2, 28.0 / 37.2, 1);
    train(9, 1, 24576, 2, 20.0 / 37.2, 28.0 / 37.2, 1);
}

// ---- 12: a whole step

typedef struct {
    double total, generate, reference, forward, head, backward, update;
} StepSeconds;
static double lap(double *since) { // seconds since the last lap, the device idle at both ends
    device_wait();
    const double now = seconds_now(), seconds = now - *since;
    *since = now;
    return seconds;
}
static StepSeconds grpo_step(Model *m, Watch *watch, int *ids, int prompts, int group, int most, int rows) {
    StepSeconds t = {0};
    GrpoOptions loss = {.clip = {0.2, 0.2, 0}, .kl_coef = 0.001, .kl_type = KL_K3};
    AdamW adamw = {1e-6f, 0.9f, 0.999f, 1e-8f, 0.01f, 1, 0};
    GrpoStats stats = {0};
    UpdateStats updates = {0};
    Policy *p = &m->policy;
    samples_clear(&m->samples);
    for (int i = 0; i < prompts; i++) { samples_add_group(&m->samples, i, ids + i * PROMPT, PROMPT, group, random_key(11, (uint64_t)i)); }
    double since = seconds_now();
    lap(&since);
    const double start = since;
    generate(m, watch, most);
    t.generate = lap(&since);
    for (int i = 0; i < m->samples.count; i++) { m->samples.list[i].advantage = i % 2 ? 1 : -1; }
    const int minibatch = m->samples.count / 2;
    for (int first = 0; first < m->samples.count; first += minibatch) {
        const LossCounts counts = loss_counts(&m->samples, first, minibatch);
        batch_plan(&m->plan, &m->samples, first, minibatch, rows, false);
        policy_zero_gradients(p);
        for (int b = 0; b < m->plan.count; b++) {
            batch_fill(&m->batch, &m->plan, b, &m->samples);
            lap(&since);
            policy_forward(p, p->reference, &m->batch, 0.6f);
            for (int s = 0; s < m->batch.sequences; s++) {
                Sample *sample = &m->samples.list[m->batch.samples[s]];
                memcpy(sample->reference_logprob, p->host_logprob + m->batch.starts[s] + sample->prompt_count - 1, sizeof(float) * (size_t)sample->count);
            }
            t.reference += lap(&since);
            policy_forward_layers(p, p->weights, &m->batch);
            t.forward += lap(&since);
            for (int row = 0; row < m->batch.rows; row += p->train.logit_rows) {
                policy_head_forward(p, p->weights, m->batch.rows, row, 0.6f);
                grpo_loss(m->dlogprob, m->dentropy, &stats, &m->batch, row, p->train.logit_rows, &m->samples, p->host_logprob, p->host_entropy, &counts, &loss);
                policy_head_backward(p, m->batch.rows, row, m->dlogprob, m->dentropy, 0.6f);
            }
            t.head += lap(&since);
            policy_backward_layers(p, &m->batch, true);
            t.backward += lap(&since);
        }
        policy_update(p, &adamw, &updates);
        t.update += lap(&since);
    }
    t.total = seconds_now() - start;
    if (updates.count != 2) { fatal("%d updates were made, not 2", updates.count); }
    return t;
}
static void bench_grpo_step(void) {
    const int prompts = bench_smoke ? 2 : 16, group = bench_smoke ? 2 : 16, most = bench_smoke ? 40 : 4096, rows = bench_smoke ? 400 : 16384, count = prompts * group;
    const double mean = bench_smoke ? 12 : 1024;
    Model m = model_create((PolicySizes){.rows = rows, .max_positions = rows, .recompute = 1, .optimizer = true, .reference = true}, (RolloutSizes){.max_sequences = count, .max_positions = PROMPT + most, .max_prompt = PROMPT, .cache_bytes = bench_smoke ? 1 << 20 : (size_t)24 << 30}, count, prompts, most);
    int *ids = random_ids(&m, prompts * PROMPT, 10);
    Watch watch = {.limit = (int *)host_alloc(sizeof(int) * (size_t)count)};
    StepSeconds t = {0};
    for (int pass = 0; pass < 2; pass++) { // short answers to warm up
        forced_lengths(watch.limit, count, pass ? mean : mean / 64 + 2, most, 12);
        t = grpo_step(&m, &watch, ids, prompts, group, most, rows);
    }
    BenchRow row = {.line = 12, .unit = "s", .of = "limit", .first = 0.55, .good = 0.65, .seconds = t.total};
    add_generation(&m, &row, watch.limit, count, count, PROMPT);
    double tokens = 0;
    for (int i = 0; i < count; i++) {
        add_training(&m.policy, &row, PROMPT + watch.limit[i] - 1, 2, 1);
        tokens += watch.limit[i];
    }
    row.part[ELEMENTWISE].bytes += 2 * (28.0 + sizeof(floatX)) * (double)m.policy.parameters.total; // two updates
    bench_row(&row, "16 prompts x 16, mean 1024, reference, 2 updates");
    row.unit = "tok/s", row.work = tokens;
    bench_row(&row, "the same, response tokens");
    bench_note(12, "generate, reference, forward, head and loss, backward, update", "", "%.2f, %.2f, %.2f, %.2f, %.2f, %.2f s", t.generate, t.reference, t.forward, t.head, t.backward, t.update);
    bench_note(12, "share of the step outside these", "at most 3 %", "%.1f %%", 100 * (1 - (t.generate + t.reference + t.forward + t.head + t.backward + t.update) / t.total));
    free(ids);
    free(watch.limit);
    model_free(&m);
}

int main(int argc, char **argv) {
    static const BenchLine lines[] = {{5, "decode_step", bench_decode_step}, {6, "rollout", bench_rollout}, {8, "train_8k", bench_train_8k}, {9, "train_24k", bench_train_24k}, {12, "grpo_step", bench_grpo_step}};
    return bench_main(argc, argv, lines, sizeof(lines) / sizeof(lines[0]));
}
