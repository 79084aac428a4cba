// golden: the whole policy against PyTorch, for one tiny model of each family: logits, log-probabilities, entropies, the loss,
// every parameter's gradient and the weights after AdamW. What the files hold and how they were made: test/golden/README.md.
// Also: recompute levels give the same bits, and one micro-batch gives the gradient of three.
#include "tiny_model.h"
#include "llmc/batch.h"
#include "llmc/grpo.h"

static SafetensorsFolder *golden;
static Error error;
// fp32: rounding of a few hundred operations deep. bf16: one rounding is 2^-9 relative and the stream is rounded at every op.
static const double close_values = sizeof(floatX) == 4 ? 1e-5 : 6e-2, close_gradients = 1e-5;
// The loss hardly depends on the bias of the keys (it moves all scores of a query almost alike), so its gradient is what is left of
// terms that cancel: PyTorch's own float32 gradient is 1.05e-5 away from its float64 one there, and at most 3.7e-6 elsewhere. The terms have a
// norm of about 1 and their sum one of 0.028, so one rounding of the terms (2^-24) is 2e-6 of the sum; 20 of them are allowed, for the order of
// the sums is the compiler's and the processor's: 8.5e-6, 1.3e-5 and 2.8e-5 have been seen (AVX2, AVX-512, AVX2 at -O1).
static const double close_key_bias = 4e-5;
// bf16 log-probabilities err by 1e-2 and take tokens over the edge of the clip, whose gradients then come or go as a whole. So there the
// loss is taken at PyTorch's log-probabilities, and the backward pass alone is compared, as one vector: 2^-9 a rounding, 30 ops deep.
static const double close_whole_gradient_bf16 = 5e-2;

static float *read_floats(const char *name, int *count) {
    const SafetensorsTensor *tensor = safetensors_find(golden, name);
    if (!tensor) { fatal("golden tensor %s is missing", name); }
    float *values = (float *)host_alloc(sizeof(float) * (tensor->elements + 1));
    if (!safetensors_read_floats(values, golden, name, 0, tensor->elements, &error)) { fatal("%s", error.text); }
    *count = (int)tensor->elements;
    return values;
}
static float read_one(const char *name) {
    int count;
    float *values = read_floats(name, &count), value = values[0];
    free(values);
    return value;
}
static int *read_ints(const char *name, int count) {
    int *values = (int *)host_alloc(sizeof(int) * (size_t)count);
    if (!safetensors_read_bytes(values, golden, name, SAFETENSORS_I32, 0, sizeof(int) * (size_t)count, &error)) { fatal("%s", error.text); }
    return values;
}
static double relative_error(const float *got, const float *want, size_t count) { // relative RMS
    double difference = 0, norm = 0;
    for (size_t i = 0; i < count; i++) { difference += pow((double)got[i] - (double)want[i], 2), norm += pow((double)want[i], 2); }
    return norm > 0 ? sqrt(difference / norm) : sqrt(difference);
}
static double worst; // over the tensors of one kind
static const char *worst_name;
static void note(const char *name, double relative) {
    if (!(relative <= worst)) { worst = relative, worst_name = name; }
}
static void settle(const char *family, const char *what, double allowed) {
    if (check(worst <= allowed, "%s %s: %s off by %.1e, allowed %.0e", family, what, worst_name, worst, allowed)) {
        printf("ok   %-6s %-24s off by %.1e at worst (%s), allowed %.0e\n", family, what, worst, worst_name, allowed);
    }
    worst = 0, worst_name = "";
}
static float *download(const void *device, size_t count, bool as_floatX) {
    float *values = (float *)host_alloc(sizeof(float) * count);
    if (!as_floatX) {
        device_download(values, device, sizeof(float) * count);
        return values;
    }
    floatX *raw = (floatX *)host_alloc(sizeof(floatX) * count);
    device_download(raw, device, sizeof(floatX) * count);
    for (size_t i = 0; i < count; i++) { values[i] = to_float(raw[i]); }
    free(raw);
    return values;
}
// Every parameter's tensor of `flat` against the golden's, or (as_one) all of them as one vector.
static void compare_parameters(const TinyModel *tiny, const float *flat, const char *prefix, bool key_bias, bool as_one) {
    char name[160];
    double difference = 0, norm = 0;
    for (int p = 0; p < tiny->policy.parameters.count; p++) {
        const Parameter *parameter = &tiny->policy.parameters.list[p];
        if (!as_one && key_bias != (strstr(parameter->name, "k_proj.bias") != NULL)) { continue; }
        int count;
        snprintf(name, sizeof(name), "%s%s", prefix, parameter->name);
        float *want = read_floats(name, &count);
        if ((size_t)count != parameter->count) { fatal("golden tensor %s has %d elements", name, count); }
        if (!as_one) { note(parameter->name, relative_error(flat + parameter->offset, want, parameter->count)); }
        for (int i = 0; i < count; i++) { difference += pow((double)flat[parameter->offset + (size_t)i] - (double)want[i], 2), norm += pow((double)want[i], 2); }
        free(want);
    }
    if (as_one) { note("all parameters", sqrt(difference / norm)); }
}

typedef struct {
    Samples samples;
    Microbatch whole, part;
    float *dlogprob, *dentropy;
    GrpoOptions loss;
    AdamW adamw;
    float temperature;
    LossCounts counts;
    float *golden_logprob_storage, *golden_logprob[3]; // PyTorch's, of each sample's response
} Inputs;

static Inputs read_inputs(const int *tokens, const int *starts) {
    int *prompts = read_ints("input.prompt_length", 3), count;
    float *advantage = read_floats("input.advantage", &count), *old = read_floats("input.old_logprob", &count), *reference = read_floats("input.reference_logprob", &count);
    Inputs in = {.samples = samples_create(3, 64), .whole = microbatch_create(64, 4), .part = microbatch_create(64, 4), .dlogprob = (float *)host_alloc(512), .dentropy = (float *)host_alloc(512), .temperature = read_one("input.temperature")};
    in.loss = (GrpoOptions){.clip = {(double)read_one("input.clip_low"), (double)read_one("input.clip_high"), 0}, .kl_coef = (double)read_one("input.kl_coef"), .entropy_coef = (double)read_one("input.entropy_coef"), .kl_type = KL_K3};
    in.adamw = (AdamW){read_one("input.learning_rate"), read_one("input.beta1"), read_one("input.beta2"), read_one("input.epsilon"), read_one("input.weight_decay"),
                       read_one("input.gradient_clip"), 0};
    in.golden_logprob_storage = read_floats("output.logprob", &count);
    for (int s = 0; s < 3; s++) {
        in.golden_logprob[s] = in.golden_logprob_storage + starts[s] + prompts[s];
        const int first = starts[s], answer = first + prompts[s], length = starts[s + 1] - answer;
        samples_add_group(&in.samples, s, tokens + first, prompts[s], 1, 0);
        Sample *sample = &in.samples.list[s];
        sample->count = length, sample->advantage = advantage[s];
        memcpy(sample->tokens, tokens + answer, sizeof(int) * (size_t)length);
        memcpy(sample->logprob, old + answer, sizeof(float) * (size_t)length);
        memcpy(sample->reference_logprob, reference + answer, sizeof(float) * (size_t)length);
        microbatch_add(&in.whole, s, sample->prompt_ids, sample->prompt_count, sample->tokens, length);
        loss_count(&in.counts, sample);
    }
    free(prompts), free(advantage), free(old), free(reference);
    return in;
}
static void free_inputs(Inputs *in) {
    samples_free(&in->samples);
    microbatch_free(&in->whole), microbatch_free(&in->part);
    free(in->dlogprob), free(in->dentropy), free(in->golden_logprob_storage);
}
static void forward_backward(TinyModel *tiny, Inputs *in, Microbatch *batch, GrpoStats *stats) {
    Policy *p = &tiny->policy;
    policy_forward_layers(p, p->weights, batch);
    for (int row = 0; row < batch->rows; row += p->train.logit_rows) {
        policy_head_forward(p, p->weights, batch->rows, row, in->temperature);
        for (int s = 0; sizeof(floatX) == 2 && s < batch->sequences; s++) {
            const Sample *sample = &in->samples.list[batch->samples[s]];
            memcpy(p->host_logprob + batch->starts[s] + sample->prompt_count - 1, in->golden_logprob[batch->samples[s]], sizeof(float) * (size_t)sample->count);
        }
        grpo_loss(in->dlogprob, in->dentropy, stats, batch, row, p->train.logit_rows, &in->samples, p->host_logprob, p->host_entropy, &in->counts, &in->loss);
        policy_head_backward(p, batch->rows, row, in->dlogprob, in->dentropy, in->temperature);
    }
    policy_backward_layers(p, batch, true);
}
static TinyModel open_model(const char *dir, int recompute, size_t logits_bytes) {
    TinyModel tiny = {0};
    if (!policy_open(&tiny.policy, dir, 56, &error)) { fatal("%s", error.text); }
    for (int pass = 0; pass < 2; pass++) {
        policy_layout(&tiny.policy, &tiny.memory, &(PolicySizes){.rows = 64, .max_positions = 64, .recompute = recompute, .optimizer = true, .logits_bytes = logits_bytes});
        if (pass == 0) { memory_commit(&tiny.memory); }
    }
    policy_make_rope_table(&tiny.policy);
    if (!policy_load_weights(&tiny.policy, dir, &error)) { fatal("%s", error.text); }
    return tiny;
}

static void check_forward(const char *family, TinyModel *tiny, const Inputs *in, const int *starts) {
    int count;
    const Policy *p = &tiny->policy;
    float *logprob = read_floats("output.logprob", &count), *entropy = read_floats("output.entropy", &count), *logits = read_floats("output.logits", &count);
    for (int s = 0; s < 3; s++) { // response token t of the golden is the target of the row before it; our rows leave each sequence's last token out
        const Sample *sample = &in->samples.list[s];
        const int row = in->whole.starts[s] + sample->prompt_count - 1, token = starts[s] + sample->prompt_count;
        note("logprob", relative_error(p->host_logprob + row, logprob + token, (size_t)sample->count));
        note("entropy", relative_error(p->host_entropy + row, entropy + token, (size_t)sample->count));
    }
    settle(family, "log-probability, entropy", close_values);
    // the logits of the last chunk of the head are still there: it covers all rows when it is large enough
    if (p->train.logit_rows >= in->whole.rows) {
        float *got = download(p->train.logits, (size_t)in->whole.rows * 56, false);
        for (int s = 0; s < 3; s++) {
            note("logits", relative_error(got + (size_t)in->whole.starts[s] * 56, logits + (size_t)starts[s] * 56, (size_t)(in->whole.starts[s + 1] - in->whole.starts[s]) * 56));
        }
        settle(family, "logits", close_values);
        free(got);
    }
    free(logprob), free(entropy), free(logits);
}

static void check_loss(const char *family, const Inputs *in, const GrpoStats *stats) {
    const float got[] = {(float)((stats->surrogate + in->loss.kl_coef * stats->kl - in->loss.entropy_coef * stats->entropy) / in->counts.tokens), (float)(stats->surrogate / in->counts.tokens),
                         (float)(stats->kl / in->counts.tokens), (float)(stats->entropy / in->counts.tokens), (float)((stats->clipped[CLIPPED_LOW] + stats->clipped[CLIPPED_HIGH]) / in->counts.tokens)};
    const char *names[] = {"output.loss", "output.policy_loss", "output.kl", "output.entropy_mean", "output.clip_fraction"};
    for (int i = 0; i < 5; i++) {
        const float want = read_one(names[i]);
        note(names[i], relative_error(&got[i], &want, 1));
    }
    settle(family, "loss and its parts", sizeof(floatX) == 4 ? 1e-5 : 2e-2);
}
static void check_family(const char *family) {
    char dir[256], path[300];
    snprintf(dir, sizeof(dir), "test/golden/%s", family);
    snprintf(path, sizeof(path), "%s/golden.safetensors", dir);
    golden = safetensors_open(path, &error);
    if (!check(golden, "%s", error.text)) { return; }
    int *tokens = read_ints("input.tokens", 45), *starts = read_ints("input.sequence_start", 4);
    Inputs in = read_inputs(tokens, starts);
    float *first_gradients = NULL;
    for (int level = 0; level < 4; level++) { // 0, 1, 2: the recompute levels; 3: again level 0, but three micro-batches and a head in small chunks
        TinyModel tiny = open_model(dir, level % 3, level == 3 ? 1 : 1 << 20);
        const size_t total = tiny.policy.parameters.total;
        GrpoStats stats = {0};
        policy_zero_gradients(&tiny.policy);
        if (level < 3) {
            if (level == 0) {
                policy_forward(&tiny.policy, tiny.policy.weights, &in.whole, in.temperature);
                check_forward(family, &tiny, &in, starts);
            }
            forward_backward(&tiny, &in, &in.whole, &stats);
        } else {
            for (int s = 0; s < 3; s++) {
                const Sample *sample = &in.samples.list[s];
                microbatch_clear(&in.part);
                microbatch_add(&in.part, s, sample->prompt_ids, sample->prompt_count, sample->tokens, sample->count);
                forward_backward(&tiny, &in, &in.part, &stats);
            }
        }
        float *gradients = download(tiny.policy.gradients, total, false);
        if (level == 0) {
            check_loss(family, &in, &stats);
            compare_parameters(&tiny, gradients, "gradient.", false, true);
            settle(family, "gradient as one vector", sizeof(floatX) == 4 ? close_gradients : close_whole_gradient_bf16);
            if (sizeof(floatX) == 4) {
                compare_parameters(&tiny, gradients, "gradient.", false, false);
                settle(family, "gradients", close_gradients);
                compare_parameters(&tiny, gradients, "gradient.", true, false);
                settle(family, "gradients of key biases", close_key_bias);
            }
            UpdateStats updates = {0};
            AdamW adamw = in.adamw;
            policy_update(&tiny.policy, &adamw, &updates);
            const float norm = (float)updates.norm_sum, want = read_one("output.gradient_norm");
            note("gradient norm", relative_error(&norm, &want, 1));
            settle(family, "gradient norm", sizeof(floatX) == 4 ? close_gradients : close_whole_gradient_bf16);
            float *weights = tiny.policy.master ? download(tiny.policy.master, total, false) : download(tiny.policy.weights, total, true);
            compare_parameters(&tiny, weights, "updated.", false, false);
            compare_parameters(&tiny, weights, "updated.", true, false);
            // bf16: a gradient that rounding took to the other side of zero moves the weight by 2e-3, once
            settle(family, "weights after AdamW", sizeof(floatX) == 4 ? 1e-5 : 1e-2);
            first_gradients = gradients;
            free(weights);
        } else if (level < 3) {
            check(!memcmp(gradients, first_gradients, sizeof(float) * total), "%s: recompute level %d changes the gradient's bits", family, level);
            free(gradients);
        } else {
            note("all gradients", relative_error(gradients, first_gradients, total));
            settle(family, "3 micro-batches against 1", sizeof(floatX) == 4 ? 1e-6 : 1e-2); // the order of summation differs
            free(gradients);
        }
        policy_free(&tiny.policy);
    }
    free(first_gradients), free(tokens), free(starts);
    free_inputs(&in);
    safetensors_close(golden);
}

int main(void) {
    device_init();
    check_family("qwen2");
    check_family("llama");
    check_family("qwen3");
    return check_report("test_golden");
}
