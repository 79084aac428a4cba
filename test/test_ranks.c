// Ranks: alone as one of `make test`, and as several from test_many_ranks.sh (mpirun -np 4 .../test_ranks): what they tell each other, how they share
// gradients and optimizer, and that they learn what one rank learns.
#include "llmc/batch.h"
#include "llmc/checkpoint.h"
#include "llmc/exchange.h"
#include "llmc/grpo.h"
#include "test/tiny_model.h"

enum { SAMPLES = 40,
       LONGEST = 24,
       ROWS = 160 };
static int count, mine;

// ---- the calls of ranks.h
static void test_calls(void) {
    double values[3000];
    int wrong = 0;
    for (int i = 0; i < 3000; i++) { values[i] = 1.0 / (3 + i + 7 * mine); }
    check(ranks_local() == mine && ranks_local_count() == count, "%d of %d ranks of this machine", ranks_local(), ranks_local_count());
    ranks_sum(values, 3000);
    for (int i = 0; i < 3000; i++) {
        double want = 0;
        for (int r = 0; r < count; r++) { want += 1.0 / (3 + i + 7 * r); } // in rising rank
        wrong += values[i] != want;
    }
    check(wrong == 0, "%d of 3000 sums are not those in rising rank", wrong);
    double largest[] = {-1 - mine, mine};
    ranks_largest(largest, 2);
    check(largest[0] == -1 && largest[1] == count - 1, "largest are %g and %g", largest[0], largest[1]);
    check(ranks_any(mine == count - 1) && !ranks_any(false), "any");
    char text[100];
    memset(text, mine == count - 1 ? 'x' : 'y', sizeof(text));
    ranks_broadcast(text, sizeof(text), count - 1);
    check(text[0] == 'x' && text[99] == 'x', "broadcast from the last");
    for (int to = -1; to < count; to++) { // rank r has 1000 r bytes, rank 0 none
        size_t starts[MAX_RANKS + 1] = {0};
        for (int r = 0; r < count; r++) { starts[r + 1] = starts[r] + 1000 * (size_t)r; }
        char *data = (char *)host_alloc(starts[count] + 1);
        memset(data + starts[mine], 'a' + mine, starts[mine + 1] - starts[mine]);
        ranks_gather(data, starts, to);
        for (int r = 0; r < count && (to < 0 || to == mine); r++) {
            for (size_t i = starts[r]; i < starts[r + 1]; i++) {
                if (data[i] != 'a' + r && !check(false, "gathered byte %zu is %c, want %c", i, data[i], 'a' + r)) { break; }
            }
        }
        free(data);
    }
    ranks_counter_reset();
    int64_t drawn = 0, last = -1;
    for (int64_t got; (got = ranks_counter_add(3)) < 3000; last = got, drawn++) { check(got > last && got % 3 == 0, "drew %lld after %lld", (long long)got, (long long)last); }
    double all = (double)drawn;
    ranks_sum(&all, 1);
    check(all == 1000, "%g of 1000 were drawn", all);
}
static void test_collectives(void) { // pieces of awkward lengths, one longer than a stretch of the exchange, one empty
    collectives_open();
    size_t starts[MAX_RANKS + 1] = {0};
    for (int r = 0; r < count; r++) { starts[r + 1] = starts[r] + (r == 1 ? 0 : r == 0 ? 1300003
                                                                                       : 777u * (unsigned)r); }
    const size_t total = starts[count];
    float *host = (float *)host_alloc(sizeof(float) * total), *data;
    for (size_t i = 0; i < total; i++) { host[i] = 1.0f / (float)(1 + i % 1000 + 13 * (size_t)mine); }
    data = (float *)device_array("data", host, sizeof(float) * total);
    collective_reduce_scatter(data, starts);
    collective_finish();
    device_download(host, data, sizeof(float) * total);
    size_t wrong = 0;
    for (size_t i = starts[mine]; i < starts[mine + 1]; i++) {
        float want = 1.0f / (float)(1 + i % 1000);
        for (int r = 1; r < count; r++) { want += 1.0f / (float)(1 + i % 1000 + 13 * (size_t)r); }
        wrong += check_on_cpu() || check_on_emulator() ? host[i] != want : fabsf(host[i] - want) > 1e-6f * want; // NCCL's order is its own
    }
    check(wrong == 0, "%zu of %zu sums are wrong", wrong, starts[mine + 1] - starts[mine]);
    floatX *values = (floatX *)host_alloc(sizeof(floatX) * total);
    for (size_t i = starts[mine]; i < starts[mine + 1]; i++) { values[i] = to_floatX((float)(mine + 1)); }
    floatX *weights = (floatX *)device_array("weights", values, sizeof(floatX) * total);
    collective_gather(weights, starts);
    device_download(values, weights, sizeof(floatX) * total);
    wrong = 0;
    for (int r = 0; r < count; r++) {
        for (size_t i = starts[r]; i < starts[r + 1]; i++) { wrong += to_float(values[i]) != (float)(r + 1); }
    }
    check(wrong == 0, "%zu of %zu gathered elements are wrong", wrong, total);
    free(host), free(values);
}

// ---- shards: for any number of ranks the pieces cover everything once
static void test_shards(void) {
    ModelConfig config = tiny_config("qwen3");
    ParameterTable table = parameter_table_create(&config);
    for (int ranks = 1; ranks <= 33; ranks += ranks < 9 ? 1 : 8) {
        Shards s = shards_create(&table, config.layers, ranks);
        size_t next = 0, at = 0, longest = 0;
        for (int i = 0; i < s.count; i++) {
            const Shard *shard = &s.list[i];
            check(shard->begin == next && shard->at == at && shard->piece % PARAMETER_ALIGNMENT == 0, "%d ranks: shard %d begins at %zu, want %zu", ranks, i, shard->begin, next);
            check(shard_start(shard, 0) == 0 && shard_start(shard, ranks) == shard->count, "%d ranks: shard %d is not covered", ranks, i);
            for (int r = 0; r < ranks; r++) { longest = shard_size(shard, r) > shard->piece ? 1 : longest; }
            next += shard->count, at += shard->piece;
        }
        check(next == table.total && at == s.share && longest == 0, "%d ranks: %zu of %zu elements", ranks, next, table.total);
        check(s.share * (size_t)ranks <= table.total + (size_t)s.count * (size_t)ranks * PARAMETER_ALIGNMENT, "%d ranks: a share of %zu", ranks, s.share);
        shards_free(&s);
    }
    parameter_table_free(&table);
}

// ---- one minibatch, by all ranks together and by each alone
static Samples make_samples(const ModelConfig *config) {
    static int prompt[4] = {5, 6, 7, 8};
    Samples samples = samples_create(SAMPLES, LONGEST);
    for (int g = 0; g < SAMPLES / 4; g++) { samples_add_group(&samples, g, prompt, 1 + g % 4, 4, random_key(9, (uint64_t)g)); }
    for (int i = 0; i < SAMPLES; i++) {
        Sample *s = &samples.list[i];
        s->count = 1 + (i * 7 + 3) % LONGEST;
        s->advantage = (float)(i % 5) - 2;
        for (int t = 0; t < s->count; t++) {
            s->tokens[t] = 3 + (int)random_below(s->key, (uint64_t)t, (uint32_t)config->vocab - 3);
            s->logprob[t] = s->reference_logprob[t] = -4.4f + 0.1f * random_normal(s->key, (uint64_t)t);
        }
    }
    return samples;
}
static void add_gradient(TinyModel *tiny, Microbatch *batch, const Samples *samples, const LossCounts *counts, bool last) {
    static float dlogprob[ROWS], dentropy[ROWS];
    const GrpoOptions o = {.clip = {.low = 0.2, .high = 0.2}, .kl_coef = 0.1, .entropy_coef = 0.01, .kl_type = KL_K3};
    Policy *p = &tiny->policy;
    GrpoStats stats = {0};
    policy_forward_layers(p, p->weights, batch);
    for (int row = 0; row < batch->rows; row += p->train.logit_rows) {
        policy_head_forward(p, p->weights, batch->rows, row, 0.7f);
        grpo_loss(dlogprob, dentropy, &stats, batch, row, p->train.logit_rows, samples, p->host_logprob, p->host_entropy, counts, &o);
        policy_head_backward(p, batch->rows, row, dlogprob, dentropy, 0.7f);
    }
    policy_backward_layers(p, batch, last);
}
static double relative_distance(const float *a, const float *b, size_t n) { // RMS
    double error = 0, norm = 0;
    for (size_t i = 0; i < n; i++) { error += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]), norm += (double)b[i] * (double)b[i]; }
    return norm > 0 ? sqrt(error / norm) : error;
}
static TinyModel make_model(const ModelConfig *config, int ranks) {
    TinyModel tiny = {.memory = {.ranks = ranks}, .policy = {.config = *config, .vocab_used = config->vocab, .logit_stride = config->vocab}};
    tiny.policy.parameters = parameter_table_create(config);
    for (int pass = 0; pass < 2; pass++) {
        policy_layout(&tiny.policy, &tiny.memory, &(PolicySizes){.rows = ROWS, .max_positions = 40, .optimizer = true, .logits_bytes = 20000});
        if (pass == 0) { memory_commit(&tiny.memory); }
    }
    policy_make_rope_table(&tiny.policy);
    policy_random_weights(&tiny.policy, 3);
    return tiny;
}
static void test_learning(const char *family, const char *folder) {
    ModelConfig config = tiny_config(family);
    TinyModel together = make_model(&config, count), alone = make_model(&config, 1);
    Policy *p = &together.policy, *q = &alone.policy;
    const size_t P = p->parameters.total;
    Samples samples = make_samples(&config);
    const LossCounts counts = loss_counts(&samples, 0, SAMPLES);
    BatchPlan plan = batch_plan_create(SAMPLES);
    Microbatch batch = microbatch_create(ROWS, SAMPLES);
    AdamW by_all = {.learning_rate = 1e-2f, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .weight_decay = 0.01f, .grad_clip = 0.5f}, by_one = by_all;
    UpdateStats updates = {0}, updates_alone = {0};
    float *got = (float *)host_alloc(sizeof(float) * P), *want = (float *)host_alloc(sizeof(float) * P);
    double worst = 0;
    for (int update = 0; update < 3; update++) {
        const int first = update == 2 ? SAMPLES - 1 : 0; // at last a minibatch of one answer: the other ranks have nothing to add
        policy_zero_gradients(p), policy_zero_gradients(q);
        batch_plan(&plan, &samples, first, SAMPLES - first, ROWS, false);
        double planned = plan.starts[plan.count];
        for (int m = 0; m < plan.count; m++) {
            batch_fill(&batch, &plan, m, &samples);
            add_gradient(&together, &batch, &samples, &counts, m + 1 == plan.count);
        }
        if (plan.count == 0) { policy_backward_nothing(p); }
        ranks_sum(&planned, 1);
        check(planned == SAMPLES - first, "%g of %d samples are somebody's", planned, SAMPLES - first);
        double work[2] = {0}; // of the busiest and, negative, of the idlest: no further apart than one sample's, since each went to the idlest of its time
        for (int k = 0; k < plan.starts[plan.count]; k++) { work[0] += batch_cost(sample_rows(&samples.list[plan.sample[k]])); }
        work[1] = -work[0];
        ranks_largest(work, 2);
        check(work[0] + work[1] <= batch_cost(4 + LONGEST), "one rank has %g more work than another", work[0] + work[1]);
        microbatch_clear(&batch);
        for (int i = first; i < SAMPLES; i++) { // every sample, one after the other
            const Sample *s = &samples.list[i];
            if (batch.rows + sample_rows(s) > ROWS) {
                add_gradient(&alone, &batch, &samples, &counts, false);
                microbatch_clear(&batch);
            }
            microbatch_add(&batch, i, s->prompt_ids, s->prompt_count, s->tokens, s->count);
        }
        add_gradient(&alone, &batch, &samples, &counts, false);
        collective_finish();
        device_download(want, q->gradients, sizeof(float) * P);
        device_download(got, p->gradients, sizeof(float) * P);
        for (int i = 0; i < p->shards.count; i++) {
            const Shard *shard = &p->shards.list[i];
            const size_t start = shard->begin + shard_start(shard, mine), size = shard_size(shard, mine);
            if (size) { worst = fmax(worst, relative_distance(got + start, want + start, size)); }
        }
        policy_update(p, &by_all, &updates);
        policy_update(q, &by_one, &updates_alone);
    }
    ranks_largest(&worst, 1);
    // on the CPU only the order of sums differs, over some hundred terms of either sign; a GPU's products also round by their shape
    check(worst < (check_on_cpu() ? 2e-5 : 5e-2), "%s: a piece of the gradient is off by %.1e", family, worst);
    check(fabs(updates.norm_sum / updates_alone.norm_sum - 1) < (check_on_cpu() ? 1e-6 : 1e-2), "%s: gradient norms %.9g, alone %.9g", family, updates.norm_sum, updates_alone.norm_sum);
    uint64_t print = FINGERPRINT_START;
    floatX *weights = (floatX *)host_alloc(sizeof(floatX) * P);
    device_download(weights, p->weights, sizeof(floatX) * P);
    for (size_t i = 0; i < P; i++) { got[i] = to_float(weights[i]); }
    print = fingerprint_bytes(print, weights, sizeof(floatX) * P);
    device_download(weights, q->weights, sizeof(floatX) * P);
    for (size_t i = 0; i < P; i++) { want[i] = to_float(weights[i]); }
    const double off = relative_distance(got, want, P);
    check(off < (check_on_cpu() ? 1e-4 : 2e-2), "%s: weights after three updates are off by %.1e", family, off); // Adam makes steps of one size even of noise near zero
    double halves[] = {(double)(print >> 32), (double)(uint32_t)print, -(double)(print >> 32), -(double)(uint32_t)print};
    ranks_largest(halves, 4);
    check(halves[0] == -halves[2] && halves[1] == -halves[3], "%s: the ranks' weights differ", family);
    if (mine == 0) { printf("ok   %s on %d ranks: gradient within %.1e of one rank's, weights after three updates within %.1e\n", family, count, worst, off); }

    // a checkpoint of all ranks is the same file as one rank's, and reads back into each rank's pieces
    Error error = {""};
    char path[1100];
    if (mine == 0) { check(directory_create(folder, &error), "%s", error.text); }
    ranks_wait();
    PolicyArray arrays[3];
    const int array_count = checkpoint_arrays(p, arrays);
    snprintf(path, sizeof(path), "%s/optimizer.safetensors", folder);
    if (mine == 0) {
        PolicyArray model = {"", weight_dtype, p->weights, false};
        snprintf(path, sizeof(path), "%s/model.safetensors", folder);
        check(policy_write_arrays(path, 0, p, &model, 1, &error), "%s", error.text);
        snprintf(path, sizeof(path), "%s/optimizer.safetensors", folder);
        check(policy_write_arrays(path, 0, p, arrays, array_count, &error), "%s", error.text);
    } else {
        policy_append_arrays(NULL, p, arrays, array_count, &error);
    }
    char before[20] = "", after[20] = "";
    checkpoint_fingerprint(before, p);
    ranks_wait();
    device_zero(p->adam_m, p->shards.share * sizeof(float)), device_zero(p->adam_v, p->shards.share * sizeof(float)), device_zero(p->weights, P * sizeof(floatX));
    PolicyArray model = {"", weight_dtype, p->weights, false};
    check(policy_read_arrays(path, p, arrays, array_count, &error) && policy_read_arrays(folder, p, &model, 1, &error), "%s", error.text);
    checkpoint_fingerprint(after, p);
    if (mine == 0) { check_text(after, before, "fingerprint of what was written and read again"); }
    ranks_wait();
    // read by one rank alone
    PolicyArray whole[3];
    checkpoint_arrays(q, whole);
    model.array = q->weights;
    check(policy_read_arrays(path, q, whole, array_count, &error) && policy_read_arrays(folder, q, &model, 1, &error), "%s", error.text);
    free(weights), free(got), free(want);
    microbatch_free(&batch), batch_plan_free(&plan), samples_free(&samples);
    policy_free(p), policy_free(q);
}

// ---- everyone gets everyone's answers
static void test_exchange(void) {
    ModelConfig config = tiny_config("llama");
    Samples want = make_samples(&config), got = make_samples(&config);
    bool owned[SAMPLES];
    Buffer memory = {0};
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < SAMPLES; i++) {
            Sample *s = &want.list[i], *g = &got.list[i];
            char reason[40];
            snprintf(reason, sizeof(reason), "reason %d", i % 7);
            buffer_clear(&s->text), buffer_clear(&s->answer);
            for (int k = 0; k < i * 11; k++) { buffer_append(&s->text, "text", 4); }
            if (i % 3) { buffer_printf(&s->answer, "answer %d of round %d", i, round); }
            s->reward = (float)(i % 2), s->finished = i % 4 != 0;
            s->verdict = (Verdict){i % 2, exchange_reason(reason, strlen(reason)), i % 5 == 0};
            owned[i] = (i * 5 + round) % count == mine;
            g->count = owned[i] ? s->count : 0;
            if (!owned[i]) {
                memset(g->tokens, 0, sizeof(int) * LONGEST);
                continue;
            }
            buffer_clear(&g->text), buffer_clear(&g->answer);
            buffer_append(&g->text, s->text.data, s->text.size), buffer_append(&g->answer, s->answer.data, s->answer.size);
            g->reward = s->reward, g->finished = s->finished, g->verdict = s->verdict;
        }
        samples_exchange(&got, owned, &memory);
        for (int i = 0; i < SAMPLES; i++) {
            const Sample *s = &want.list[i], *g = &got.list[i];
            check(g->count == s->count && g->finished == s->finished && g->reward == s->reward && g->verdict.reward == s->verdict.reward && g->verdict.gave_up == s->verdict.gave_up, "sample %d", i);
            check(!memcmp(g->tokens, s->tokens, sizeof(int) * (size_t)s->count) && !memcmp(g->logprob, s->logprob, sizeof(float) * (size_t)s->count), "tokens of sample %d", i);
            check(g->text.size == s->text.size && (!s->text.size || !memcmp(g->text.data, s->text.data, s->text.size)) && g->answer.size == s->answer.size && (!s->answer.size || !memcmp(g->answer.data, s->answer.data, s->answer.size)), "texts of sample %d", i);
            check_text(g->verdict.reason, s->verdict.reason, "reason");
        }
        int scored[SAMPLES], scored_count = 0;
        for (int i = 0; i < SAMPLES; i++) {
            if ((i * 7 + round) % count == mine) {
                scored[scored_count++] = i;
            } else {
                memset(got.list[i].reference_logprob, 0, sizeof(float) * LONGEST);
            }
        }
        samples_exchange_logprobs(&got, offsetof(Sample, reference_logprob), scored, scored_count, &memory);
        for (int i = 0; i < SAMPLES; i++) { check(!memcmp(got.list[i].reference_logprob, want.list[i].reference_logprob, sizeof(float) * (size_t)want.list[i].count), "reference of sample %d", i); }
    }
    buffer_free(&memory);
    samples_free(&want), samples_free(&got);
}

int main(int argc, char **argv) {
    ranks_open(&argc, &argv);
    count = ranks_count(), mine = ranks_mine();
    if (mine > 0 && !freopen("/proc/self/fd/2", "a", stdout)) { return 1; } // a failure here is to be seen, and no file emptied
    char folder[1024];
    snprintf(folder, sizeof(folder), "%s", argc > 1 ? argv[1] : "/tmp/test_ranks.XXXXXX");
    if (argc <= 1 && !mkdtemp(folder)) { fatal("%s: cannot be created", folder); }
    device_choose(ranks_local(), ranks_local_count());
    device_init();
    test_calls();
    test_collectives();
    test_shards();
    test_learning("qwen2", folder);
    test_learning("qwen3", folder);
    test_exchange();
    double failed = checks_failed;
    ranks_sum(&failed, 1);
    if (mine == 0) { directory_remove(folder); }
    checks_failed = (int)failed;
    int code = failed > 0;
    if (mine == 0) { code = check_report("test_ranks"); }
    ranks_close();
    return code;
}
