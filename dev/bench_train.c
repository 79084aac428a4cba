// bench_train: a whole training step of a small Qwen2 beside the time its matrix products take alone (line C8): forward, GRPO loss,
// backward and AdamW over 8 packed sequences of 256 tokens. What is above 1 / ratio is attention, norms, the loss, the optimizer and
// everything that is not a matrix product.
#include "dev/bench.h"
#include "llmc/grpo.h"
#include "llmc/transformer.h"

enum { SEQUENCES = 8,
       LENGTH = 256,
       PROMPT = 16,
       ROWS = SEQUENCES * (LENGTH - 1) };

typedef struct {
    Policy policy;
    Memory memory;
    Samples samples;
    Microbatch batch;
    GrpoOptions loss;
    AdamW adamw;
    float *dlogprob, *dentropy;
} Step;

static void run_step(void *context) {
    Step *step = (Step *)context;
    Policy *p = &step->policy;
    const LossCounts counts = loss_counts(&step->samples, 0, SEQUENCES);
    GrpoStats stats = {0};
    UpdateStats updates = {0};
    policy_zero_gradients(p);
    policy_forward_layers(p, p->weights, &step->batch);
    for (int row = 0; row < ROWS; row += p->train.logit_rows) {
        policy_head_forward(p, p->weights, ROWS, row, 1);
        grpo_loss(step->dlogprob, step->dentropy, &stats, &step->batch, row, p->train.logit_rows, &step->samples, p->host_logprob, p->host_entropy, &counts, &step->loss);
        policy_head_backward(p, ROWS, row, step->dlogprob, step->dentropy, 1);
    }
    policy_backward_layers(p, &step->batch, true);
    policy_update(p, &step->adamw, &updates);
}
// The same matrix products on the same arrays, and nothing else.
static void run_products(void *context) {
    Step *step = (Step *)context;
    const Policy *p = &step->policy;
    const ModelConfig *c = &p->config;
    const Activations *a = &p->train;
    const int C = c->hidden, F = c->intermediate, HD = c->heads * c->head_dim, QKV = policy_qkv_width(c), V = p->logit_stride;
    for (int l = 0; l < c->layers; l++) {
        const LayerOffsets *o = &p->parameters.layers[l];
        const LayerActivations *layer = &a->layers[l];
        const floatX *w = p->weights;
        float *g = p->gradients;
        linear_forward(layer->qkv, layer->input_normed, w + o->qkv, NULL, ROWS, C, QKV);
        linear_forward(a->delta, layer->attended, w + o->output, NULL, ROWS, HD, C);
        linear_forward(layer->gate_up, layer->mid_normed, w + o->gate_up, NULL, ROWS, C, 2 * F);
        linear_forward(a->delta, layer->gated, w + o->down, NULL, ROWS, F, C);
        linear_backward(a->dnormed, g + o->qkv, NULL, a->dqkv, layer->input_normed, w + o->qkv, ROWS, C, QKV);
        linear_backward(a->dattended, g + o->output, NULL, a->dstream, layer->attended, w + o->output, ROWS, HD, C);
        linear_backward(a->dnormed, g + o->gate_up, NULL, a->dgate_up, layer->mid_normed, w + o->gate_up, ROWS, C, 2 * F);
        linear_backward(a->dgated, g + o->down, NULL, a->dstream, layer->gated, w + o->down, ROWS, F, C);
    }
    const floatX *hidden = a->layers[c->layers].input_normed, *head = p->weights + p->parameters.head;
    linear_forward_float(a->logits, hidden, head, ROWS, C, V);
    linear_backward(a->dnormed, p->gradients + p->parameters.head, NULL, a->dlogits, hidden, head, ROWS, C, V);
}

int main(void) {
    Step step = {.policy = {.config = {.architecture = "qwen2", .hidden = 256, .intermediate = 896, .layers = 4, .heads = 4, .kv_heads = 2, .head_dim = 64, .vocab = 4096, .max_position = 512, .rms_eps = 1e-6f, .rope_theta = 10000, .tied_head = true, .qkv_bias = true}, .vocab_used = 4096, .logit_stride = 4096},
                 .loss = {.clip = {0.2, 0.2, 0}, .entropy_coef = 0.001, .kl_type = KL_K3},
                 .adamw = {1e-6f, 0.9f, 0.999f, 1e-8f, 0.01f, 1, 0}};
    Policy *p = &step.policy;
    device_init();
    p->parameters = parameter_table_create(&p->config);
    for (int pass = 0; pass < 2; pass++) {
        policy_layout(p, &step.memory, &(PolicySizes){.rows = ROWS, .max_positions = LENGTH, .recompute = 0, .optimizer = true, .logits_bytes = POLICY_LOGITS_BYTES});
        if (pass == 0) { memory_commit(&step.memory); }
    }
    policy_make_rope_table(p);
    policy_random_weights(p, 1);
    step.samples = samples_create(SEQUENCES, LENGTH);
    step.batch = microbatch_create(ROWS, SEQUENCES);
    step.dlogprob = (float *)host_alloc(sizeof(float) * ROWS * 2);
    step.dentropy = step.dlogprob + ROWS;
    static int prompt[SEQUENCES][PROMPT];
    for (int s = 0; s < SEQUENCES; s++) {
        for (int i = 0; i < PROMPT; i++) { prompt[s][i] = (int)random_below(2, (uint64_t)(s * PROMPT + i), 4096); }
        samples_add_group(&step.samples, s, prompt[s], PROMPT, 1, 0);
        Sample *sample = &step.samples.list[s];
        sample->count = LENGTH - PROMPT, sample->advantage = s % 2 ? 1 : -1;
        for (int i = 0; i < sample->count; i++) { sample->tokens[i] = (int)random_below(3, (uint64_t)(s * LENGTH + i), 4096), sample->logprob[i] = -8; }
        microbatch_add(&step.batch, s, sample->prompt_ids, PROMPT, sample->tokens, sample->count);
    }
    const double whole = bench_seconds(run_step, &step), products = bench_seconds(run_products, &step);
    printf("| C8 %s train_tiny, %.1f M parameters, %d rows: forward, loss, backward, AdamW | %.0f tokens/s | - | %.0f (its matrix products alone) | %.2f |\n", FLOATX_NAME,
           (double)p->parameters.actual * 1e-6, ROWS, ROWS / whole, ROWS / products, products / whole);
    samples_free(&step.samples);
    microbatch_free(&step.batch);
    policy_free(p);
    free(step.dlogprob);
    device_shutdown();
    return 0;
}
