// grpo: the loss and its derivatives against the equations, written out once more in double, and against finite differences of a
// whole minibatch; the same minibatch in 1, 2 and 4 micro-batches; advantages against groups worked out by hand.
#include "llmc/advantage.h"
#include "llmc/batch.h"
#include "llmc/grpo.h"
#include "test/tiny_model.h"

enum { GROUPS = 4,
       GROUP = 3,
       SAMPLES = GROUPS * GROUP,
       LONGEST = 9,
       ROWS = 200 };

// ---- one token
// The equations of features section 2 in another form: the clip bounds a gain from above and a loss from below.
static double equation(double lp, double old, double reference, double A, double H, const GrpoOptions *o) {
    const double ratio = exp(fmin(fmax(lp - old, -20), 20)), d = fmin(fmax(reference - lp, -20), 20);
    const double surrogate = A > 0 ? -A * fmin(ratio, 1 + o->clip.high) : -A * fmax(ratio, 1 - o->clip.low);
    const double kl = o->kl_type == KL_K1 ? lp - reference : o->kl_type == KL_K2 ? 0.5 * (lp - reference) * (lp - reference)
                                                                                 : fmin(expm1(d) - d, 10);
    return surrogate + o->kl_coef * kl - o->entropy_coef * H;
}
typedef struct {
    double loss, dlogprob, dentropy;
    GrpoStats stats;
} TokenLoss;

static TokenLoss token_loss(float lp, float old, float reference, float A, float H, const GrpoOptions *o) {
    int prompt = 3, token = 5;
    Sample sample = {.prompt_ids = &prompt, .prompt_count = 1, .tokens = &token, .count = 1, .logprob = &old, .old_logprob = &old, .reference_logprob = &reference, .advantage = A};
    Samples samples = {.list = &sample, .count = 1, .capacity = 1};
    Microbatch batch = microbatch_create(1, 1);
    microbatch_add(&batch, 0, &prompt, 1, &token, 1);
    const LossCounts counts = loss_counts(&samples, 0, 1);
    float dlogprob = 7, dentropy = 7;
    TokenLoss result = {.loss = 0};
    grpo_loss(&dlogprob, &dentropy, &result.stats, &batch, 0, 1, &samples, &lp, &H, &counts, o);
    microbatch_free(&batch);
    result.loss = result.stats.loss;
    result.dlogprob = (double)dlogprob, result.dentropy = (double)dentropy;
    return result;
}
static bool close_to(double got, double want) { return fabs(got - want) <= 2e-6 * (1 + fabs(want)); } // a float's rounding and that of the differences

// Every combination of the sign of the advantage, the ratio (inside, outside each clip, past its clamp), the distance from the
// reference (inside, past the clamp of the value and that of the exponent, on both sides) and the kind of KL.
static void test_token(void) {
    const float advantages[] = {1.25f, -0.75f, 0}, moves[] = {0, 0.125f, -0.125f, 0.236f, -0.212f, 0.26f, -0.24f, 1, -1, 4, -4, 19, -19, 21, -21, 30, -30};
    const float distances[] = {0, 0.5f, -0.5f, 2, 2.5f, 2.75f, 19, 21, -2, -9, -10.5f, -12, -19.5f, -21};
    int wrong = 0, count = 0;
    for (int type = KL_K1; type <= KL_K3; type++) {
        const GrpoOptions o = {.clip = {0.2, 0.28, 0}, .kl_coef = 0.3, .entropy_coef = 0.05, .kl_type = (KlType)type};
        for (size_t a = 0; a < sizeof(advantages) / sizeof(float); a++) {
            for (size_t m = 0; m < sizeof(moves) / sizeof(float); m++) {
                for (size_t d = 0; d < sizeof(distances) / sizeof(float); d++, count++) {
                    const float lp = -1.5f, old = lp - moves[m], reference = lp + distances[d], H = 0.8f;
                    const double step = 1e-6, A = (double)advantages[a];
                    const TokenLoss got = token_loss(lp, old, reference, advantages[a], H, &o);
                    const double want = equation((double)lp, (double)old, (double)reference, A, (double)H, &o);
                    const double slope = (equation((double)lp + step, (double)old, (double)reference, A, 0, &o) - equation((double)lp - step, (double)old, (double)reference, A, 0, &o)) / (2 * step);
                    // at e^19 the difference quotient has lost six digits
                    const bool ok = close_to(got.loss, want) && fabs(got.dlogprob - slope) <= 2e-6 * (1 + fabs(want)) && close_to(got.dentropy, -o.entropy_coef);
                    if (!ok && wrong++ < 5) {
                        check(false, "k%d A %g, lp - old %g, ref - lp %g: loss %.9g and derivative %.9g, want %.9g and %.9g", type + 1, A, (double)moves[m], (double)distances[d],
                              got.loss, got.dlogprob, want, slope);
                    }
                }
            }
        }
    }
    check(wrong == 0, "%d of %d tokens are off", wrong, count);
    printf("show %d tokens: loss and derivative as the equations\n", count);
}
// What the clamps hold is worth a number each: e^20 with no slope past the ratio's, 10 with no slope past the KL's.
static void test_clamps(void) {
    const GrpoOptions plain = {.clip = {0.2, 0.2, 0}}, k3 = {.clip = {0.2, 0.2, 0}, .kl_coef = 1, .kl_type = KL_K3};
    const TokenLoss inside = token_loss(-1, -20, 0, -1, 0, &plain), past = token_loss(-1, -22, 0, -1, 0, &plain), far = token_loss(-1, -90, 0, -1, 0, &plain);
    check(close_to(inside.loss / exp(19), 1) && close_to(inside.dlogprob / exp(19), 1), "a ratio of e^19 counts whole: %g", inside.loss);
    check(past.loss == exp(20) && past.dlogprob == 0 && far.loss == exp(20) && far.dlogprob == 0, "past 20 the ratio is e^20, without slope: %g, %g", past.loss, past.dlogprob);
    const TokenLoss low = token_loss(-22, -1, 0, 1, 0, &plain);
    check(low.loss == -exp(-20) && low.dlogprob == 0, "below -20 it is e^-20, without slope: %g, %g", low.loss, low.dlogprob);
    const TokenLoss below = token_loss(-3.5f, 0, -1, 0, 0, &k3), above = token_loss(-3.75f, 0, -1, 0, 0, &k3), other = token_loss(-1, 0, -13, 0, 0, &k3);
    check(close_to(below.loss, exp(2.5) - 3.5) && close_to(below.dlogprob, 1 - exp(2.5)), "k3 of 8.7 counts whole");
    check(above.loss == 10 && above.dlogprob == 0, "k3 of 11.9 is 10, without slope: %g, %g", above.loss, above.dlogprob);
    check(other.loss == 10 && other.dlogprob == 0, "so is it on the other side: %g, %g", other.loss, other.dlogprob);
    const TokenLoss on_policy = token_loss(-2, -2, 0, 0.5f, 0, &plain);
    check(on_policy.loss == -0.5 && on_policy.dlogprob == -0.5 && on_policy.stats.clipped[CLIPPED_NOT] == 1, "at ratio 1 the derivative is -A");
    const TokenLoss without = token_loss(-2, -2, NAN, 0.5f, 0, &plain);
    check(without.dlogprob == -0.5 && without.stats.kl == 0, "without a KL term the reference is not looked at");
}
static double clipped_tokens(const GrpoStats *stats) { return stats->tokens - stats->clipped[CLIPPED_NOT]; }
// Metrics: sums over tokens of both signs.
static void test_stats(void) {
    const GrpoOptions o = {.clip = {0.2, 0.2, 0}, .kl_coef = 0.1, .kl_type = KL_K2};
    const struct {
        float lp, old, A;
        bool clipped;
    } tokens[] = {{-1, -1.5f, 1, true}, {-1, -1.5f, -1, false}, {-1.5f, -1, 1, false}, {-1.5f, -1, -1, true}, {-1, -1.125f, 1, false}};
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        const TokenLoss got = token_loss(tokens[i].lp, tokens[i].old, -2, tokens[i].A, 0.5f, &o);
        const double lp = (double)tokens[i].lp, old = (double)tokens[i].old, difference = fabs(exp(lp) - exp(old));
        check(clipped_tokens(&got.stats) == tokens[i].clipped && (got.dlogprob == 0.1 * (lp + 2)) <= tokens[i].clipped, "token %zu: clipped %g", i, clipped_tokens(&got.stats));
        check(got.stats.clipped[tokens[i].A < 0 ? CLIPPED_LOW : CLIPPED_HIGH] == tokens[i].clipped, "token %zu: clipped on its side", i);
        check(got.stats.tokens == 1 && got.stats.entropy == 0.5 && got.stats.old_minus_new == old - lp && got.stats.kl == (lp + 2) * (lp + 2) / 2, "token %zu: sums", i);
        check(close_to(got.stats.difference, difference) && got.stats.largest_difference == got.stats.difference, "token %zu: difference of probabilities", i);
    }
}

// ---- a minibatch
static int prompts[GROUPS][5] = {{1}, {4, 5, 6}, {7, 8}, {9, 1, 2, 3, 4}};
static const int prompt_counts[GROUPS] = {1, 3, 2, 5};

static Samples make_samples(void) {
    Samples samples = samples_create(SAMPLES, LONGEST);
    for (int g = 0; g < GROUPS; g++) { samples_add_group(&samples, g, prompts[g], prompt_counts[g], GROUP, 1); }
    for (int i = 0; i < SAMPLES; i++) {
        Sample *s = &samples.list[i];
        s->count = 1 + (5 * i) % LONGEST;
        s->advantage = i % 4 == 3 ? 0 : (float)check_random();
        for (int t = 0; t < s->count; t++) {
            s->tokens[t] = 10 + i + t;
            s->logprob[t] = -1.5f + (float)check_random();
            s->reference_logprob[t] = s->logprob[t] + 0.5f * (float)check_random();
        }
    }
    return samples;
}
static float now_logprob(const Samples *samples, int i, int t) { // what the trainer finds for token t of sample i: up to 0.5 away, on a grid of 2^-12
    return roundf(4096 * (samples->list[i].logprob[t] + 0.5f * sinf((float)(17 * i + 5 * t)))) / 4096;
}
typedef struct {
    float dlogprob[SAMPLES][LONGEST], dentropy[SAMPLES][LONGEST];
    GrpoStats stats;
    int microbatches;
} MinibatchLoss;

// The loss of the whole minibatch, in as many micro-batches as `rows` makes of it. (bumped, bump): a token whose log-probability is moved.
static double minibatch_loss(MinibatchLoss *result, const Samples *samples, int rows, const GrpoOptions *o, int bumped, float bump, float entropy_bump) {
    static float logprob[ROWS], entropy[ROWS], dlogprob[ROWS], dentropy[ROWS];
    BatchPlan plan = batch_plan_create(SAMPLES);
    Microbatch batch = microbatch_create(ROWS, SAMPLES);
    const LossCounts counts = loss_counts(samples, 0, SAMPLES);
    *result = (MinibatchLoss){.microbatches = 0};
    batch_plan(&plan, samples, 0, SAMPLES, rows, false);
    for (int m = 0; m < plan.count; m++, result->microbatches++) {
        batch_fill(&batch, &plan, m, samples);
        for (int r = 0; r < batch.rows; r++) { logprob[r] = 1e30f, entropy[r] = 1e30f, dlogprob[r] = NAN, dentropy[r] = NAN; }
        for (int s = 0; s < batch.sequences; s++) {
            const int i = batch.samples[s], first = batch.starts[s] + samples->list[i].prompt_count - 1;
            for (int t = 0; t < samples->list[i].count; t++) {
                logprob[first + t] = now_logprob(samples, i, t) + (bumped == i * LONGEST + t ? bump : 0);
                entropy[first + t] = 1 + 0.0625f * (float)t + (bumped == i * LONGEST + t ? entropy_bump : 0);
            }
        }
        for (int row = 0; row < batch.rows; row += 7) { grpo_loss(dlogprob, dentropy, &result->stats, &batch, row, 7, samples, logprob, entropy, &counts, o); } // 7 divides nothing here
        for (int r = 0; r < batch.rows; r++) {
            if (batch.targets[r] < 0 && (dlogprob[r] != 0 || dentropy[r] != 0)) { check(false, "prompt row %d of micro-batch %d has a derivative", r, m); }
        }
        for (int s = 0; s < batch.sequences; s++) {
            const int i = batch.samples[s], first = batch.starts[s] + samples->list[i].prompt_count - 1, count = samples->list[i].count;
            memcpy(result->dlogprob[i], dlogprob + first, sizeof(float) * (size_t)count);
            memcpy(result->dentropy[i], dentropy + first, sizeof(float) * (size_t)count);
        }
    }
    microbatch_free(&batch);
    batch_plan_free(&plan);
    return result->stats.loss;
}
static void test_minibatch(void) {
    static MinibatchLoss whole, part, bumped;
    Samples samples = make_samples();
    for (int type = KL_K1; type <= KL_K3; type++) {
        const GrpoOptions o = {.clip = {0.2, 0.28, 0}, .kl_coef = 0.2, .entropy_coef = 0.01, .kl_type = (KlType)type};
        const double loss = minibatch_loss(&whole, &samples, ROWS, &o, -1, 0, 0);
        const int rows[] = {50, 20}, want[] = {2, 4};
        for (int k = 0; k < 2; k++) {
            const double again = minibatch_loss(&part, &samples, rows[k], &o, -1, 0, 0);
            check(whole.microbatches == 1 && part.microbatches == want[k], "%d rows make %d micro-batches, want %d", rows[k], part.microbatches, want[k]);
            check(!memcmp(whole.dlogprob, part.dlogprob, sizeof(whole.dlogprob)) && !memcmp(whole.dentropy, part.dentropy, sizeof(whole.dentropy)),
                  "k%d: derivatives of 1 and %d micro-batches differ", type + 1, want[k]);
            check(fabs(loss - again) < 1e-13 && whole.stats.tokens == part.stats.tokens && clipped_tokens(&whole.stats) == clipped_tokens(&part.stats) &&
                      whole.stats.largest_difference == part.stats.largest_difference,
                  "k%d: sums of 1 and %d micro-batches differ", type + 1, want[k]);
        }
        check(clipped_tokens(&whole.stats) > 5 && clipped_tokens(&whole.stats) < whole.stats.tokens / 2, "%g of %g tokens are clipped", clipped_tokens(&whole.stats), whole.stats.tokens);
        const float step = 0x1p-10f; // exact on the grid; its square is the error of a central difference
        double worst = 0;
        for (int i = 0; i < SAMPLES; i++) {
            for (int t = 0; t < samples.list[i].count; t++) {
                const double A = (double)samples.list[i].advantage, ratio = exp((double)now_logprob(&samples, i, t) - (double)samples.list[i].logprob[t]);
                const double border = fmin(fabs(ratio - 1.28), fabs(ratio - 0.8));
                if (A != 0 && border < 2e-3) { continue; } // the step would cross the clip
                const double above = minibatch_loss(&bumped, &samples, ROWS, &o, i * LONGEST + t, step, 0), below = minibatch_loss(&bumped, &samples, ROWS, &o, i * LONGEST + t, -step, 0);
                const double slope = (above - below) / (2 * (double)step) * whole.stats.tokens, got = (double)whole.dlogprob[i][t] * whole.stats.tokens;
                worst = fmax(worst, fabs(got - slope));
                const double higher = minibatch_loss(&bumped, &samples, ROWS, &o, i * LONGEST + t, 0, step);
                check(fabs((higher - loss) / (double)step - (double)whole.dentropy[i][t]) < 1e-9, "k%d sample %d token %d: derivative by the entropy", type + 1, i, t);
            }
        }
        check(worst < 2e-6, "k%d: a derivative is %.1e away from the difference of the whole minibatch's loss", type + 1, worst);
        printf("show k%d: derivatives within %.1e of finite differences, the same to the bit in 1, 2 and 4 micro-batches\n", type + 1, worst);
    }
    samples_free(&samples);
}

// ---- through a model: the gradient of every weight
static float *minibatch_gradient(TinyModel *tiny, Samples *samples, int rows, bool skip_silent, const GrpoOptions *o, int *microbatches) {
    static float dlogprob[ROWS], dentropy[ROWS];
    Policy *p = &tiny->policy;
    BatchPlan plan = batch_plan_create(SAMPLES);
    Microbatch batch = microbatch_create(ROWS, SAMPLES);
    const LossCounts counts = loss_counts(samples, 0, SAMPLES);
    GrpoStats stats = {0};
    batch_plan(&plan, samples, 0, SAMPLES, rows, skip_silent);
    policy_zero_gradients(p);
    for (int m = 0; m < plan.count; m++) {
        batch_fill(&batch, &plan, m, samples);
        policy_forward_layers(p, p->weights, &batch);
        for (int row = 0; row < batch.rows && surrogate_is_of_sequence(o->surrogate); row += p->train.logit_rows) { policy_head_forward(p, p->weights, batch.rows, row, 0.7f); }
        if (surrogate_is_of_sequence(o->surrogate)) { grpo_sequence_ratios(samples, &batch, p->host_logprob); }
        for (int row = 0; row < batch.rows; row += p->train.logit_rows) {
            policy_head_forward(p, p->weights, batch.rows, row, 0.7f);
            grpo_loss(dlogprob, dentropy, &stats, &batch, row, p->train.logit_rows, samples, p->host_logprob, p->host_entropy, &counts, o);
            policy_head_backward(p, batch.rows, row, dlogprob, dentropy, 0.7f);
        }
        policy_backward_layers(p, &batch, true);
    }
    float *gradient = (float *)host_alloc(sizeof(float) * p->parameters.total);
    device_download(gradient, p->gradients, sizeof(float) * p->parameters.total);
    *microbatches = plan.count;
    microbatch_free(&batch);
    batch_plan_free(&plan);
    return gradient;
}
static double distance(const float *a, const float *b, size_t count) { // relative RMS
    double error = 0, norm = 0;
    for (size_t i = 0; i < count; i++) { error += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]), norm += (double)b[i] * (double)b[i]; }
    return sqrt(error / norm);
}
static void test_gradient(void) {
    ModelConfig config = tiny_config("qwen2");
    TinyModel tiny = tiny_model_create(&config, config.vocab, (PolicySizes){.rows = ROWS, .max_positions = 32, .optimizer = true, .logits_bytes = 20000}, (RolloutSizes){0}, 0, 0);
    policy_random_weights(&tiny.policy, 3);
    Samples samples = make_samples();
    for (int i = 0; i < SAMPLES; i++) {
        for (int t = 0; t < samples.list[i].count; t++) { samples.list[i].logprob[t] -= 3; } // near the log-probabilities of a random model
    }
    const GrpoOptions trained = {.clip = {0.2, 0.2, 0}, .kl_coef = 0.1, .entropy_coef = 0.01, .kl_type = KL_K3}, plain = {.clip = {0.2, 0.2, 0}};
    int count;
    float *whole = minibatch_gradient(&tiny, &samples, ROWS, false, &trained, &count);
    for (int k = 0; k < 2; k++) {
        float *parts = minibatch_gradient(&tiny, &samples, k ? 20 : 50, false, &trained, &count);
        const double off = distance(parts, whole, tiny.policy.parameters.total);
        check(count == (k ? 4 : 2) && off < 2e-6, "the gradient of %d micro-batches is off by %.1e", count, off); // only the order of fp32 sums differs
        printf("show gradient of %d micro-batches: off by %.1e\n", count, off);
        free(parts);
    }
    float *all = minibatch_gradient(&tiny, &samples, ROWS, false, &plain, &count), *loud = minibatch_gradient(&tiny, &samples, ROWS, true, &plain, &count);
    check(distance(loud, all, tiny.policy.parameters.total) < 2e-6, "samples without advantage may be left out when only the surrogate is trained");
    free(whole), free(all), free(loud);
    double worst = 0, nearest = INFINITY;
    for (int s = 0; s < 4; s++) {
        for (int a = 0; a < 5; a++) {
            GrpoOptions o = trained;
            o.surrogate = (SurrogateType)s, o.aggregate = (Aggregate)a, o.context = LONGEST, o.tis_cap = 2;
            float *one = minibatch_gradient(&tiny, &samples, ROWS, false, &o, &count), *four = minibatch_gradient(&tiny, &samples, 20, false, &o, &count);
            const double off = distance(four, one, tiny.policy.parameters.total);
            check(count == 4 && off < 2e-6, "%s %s: the gradient of %d micro-batches is off by %.1e", surrogate_names[s], aggregate_names[a], count, off);
            worst = off > worst ? off : worst;
            o.microbatch_sum = true; // what it must not be
            float *sum = minibatch_gradient(&tiny, &samples, 20, false, &o, &count);
            const double away = distance(sum, one, tiny.policy.parameters.total);
            nearest = a != AGGREGATE_TOKEN_SUM && away < nearest ? away : nearest;
            free(one), free(four), free(sum);
        }
    }
    check(nearest > 0.5, "with --microbatch_sum the split shows: the gradients are only %.2f apart", nearest);
    printf("show 20 losses: the gradient of 4 micro-batches is off by %.1e at most; summed per micro-batch it would be by %.1f\n", worst, nearest);
    samples_free(&samples);
    tiny_model_free(&tiny);
}

// ---- advantages
static void check_group(const float *rewards, int n, const double *want, const char *what) {
    Samples samples = samples_create(2 * n, 1); // twice the same group: neither sees the other
    int prompt = 1;
    for (int g = 0; g < 2; g++) { samples_add_group(&samples, g, &prompt, 1, n, 0); }
    for (int i = 0; i < 2 * n; i++) { samples.list[i].reward = rewards[i % n] + (i < n ? 0 : 3), samples.list[i].advantage = NAN; }
    if (n == 1) { samples.list[1].reward = rewards[0]; } // alone, a reward stands for itself
    advantage_grpo(&samples, n);
    for (int i = 0; i < 2 * n; i++) {
        const double got = (double)samples.list[i].advantage;
        check(fabs(got - want[i % n]) <= 1e-7 * fabs(want[i % n]), "%s: advantage %d is %.9g, want %.9g", what, i, got, want[i % n]);
    }
    samples_free(&samples);
}
static void test_advantages(void) {
    const double half = 0.5 / (sqrt(1.0 / 3) + 1e-6); // two of four: variance 4 (1/4) / 3
    check_group((float[]){1, 0, 0, 0}, 4, (double[]){0.75 / (0.5 + 1e-6), -0.25 / (0.5 + 1e-6), -0.25 / (0.5 + 1e-6), -0.25 / (0.5 + 1e-6)}, "one of four right");
    check_group((float[]){1, 0, 1, 0}, 4, (double[]){half, -half, half, -half}, "two of four right");
    check_group((float[]){1, 0}, 2, (double[]){0.5 / (sqrt(0.5) + 1e-6), -0.5 / (sqrt(0.5) + 1e-6)}, "a group of two has the unbiased std 0.7071");
    check_group((float[]){-1, 2, 5}, 3, (double[]){-3 / (3 + 1e-6), 0, 3 / (3 + 1e-6)}, "rewards other than 0 and 1");
    check_group((float[]){1}, 1, (double[]){1 / (1 + 1e-6)}, "a group of one has mean 0 and std 1");
    check_group((float[]){0, 0, 0, 0, 0, 0, 0, 0}, 8, (double[8]){0}, "all wrong");
    check_group((float[]){0.1f, 0.1f, 0.1f}, 3, (double[3]){0}, "all equal, not a whole number");
    float rewards[64];
    for (int i = 0; i < 64; i++) { rewards[i] = 0.7f; }
    for (int n = 2; n <= 64; n++) { check_group(rewards, n, (double[64]){0}, "all equal"); }
}

int main(void) {
    device_init();
    test_token();
    test_clamps();
    test_stats();
    test_minibatch();
    test_gradient();
    test_advantages();
    return check_report("test_grpo");
}
