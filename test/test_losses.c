// losses: every surrogate, aggregation, kind of KL, dual clip, importance weight and mask: the loss and its derivatives against PyTorch's
// autograd on a transcription of the papers' formulas (dev/reference/make_losses.py), against the equations written out here in long double and
// their finite differences, in one micro-batch and in four, packed and alone, in a head of few rows at a time; the advantages of every
// estimator, and what is taken off rewards.
#include "llmc/advantage.h"
#include "llmc/batch.h"
#include "llmc/dynamic_sampling.h"
#include "llmc/grpo.h"
#include "llmc/safetensors.h"
#include "llmc/shaping.h"
#include "test/check.h"

enum { ANSWERS = 6,
       GROUP = 3,
       TOKENS = 29,
       LONGEST = 9,
       ROWS = 80,
       CONTEXT = 12 };
static const int lengths[ANSWERS] = {5, 1, 9, 4, 7, 3}, prompt_lengths[ANSWERS] = {3, 1, 4, 2, 6, 5};
static const double close_to_torch = 1e-6;
static int prompt[8] = {1, 2, 3, 4, 5, 6, 7, 8};
static SafetensorsFolder *golden;
static Error error;

static float *read_floats(const char *name, size_t *count) {
    const SafetensorsTensor *tensor = safetensors_find(golden, name);
    if (!tensor) { fatal("golden tensor %s is missing", name); }
    float *values = (float *)host_alloc(sizeof(float) * tensor->elements);
    if (!safetensors_read_floats(values, golden, name, 0, tensor->elements, &error)) { fatal("%s", error.text); }
    *count = tensor->elements;
    return values;
}
static double relative(double got, double want) { return fabs(got - want) / (1 + fabs(want)); }
static double larger(double a, double b) { return b <= a ? a : b; } // a NaN stays

// ---- a minibatch of six answers
typedef struct {
    Samples samples;
    float *logprob, *entropy; // what the trainer finds, token after token
} Data;
typedef struct {
    float by_logprob[TOKENS], by_entropy[TOKENS];
    GrpoStats stats;
    int microbatches;
} Result;

static Data read_data(const char *which) {
    Data data = {.samples = samples_create(ANSWERS, LONGEST)};
    const char *const names[] = {"lp", "entropy", "old", "ref", "sampled", "advantage"};
    float *values[6];
    size_t count;
    for (int i = 0; i < 6; i++) {
        char name[64];
        snprintf(name, sizeof(name), "input.%s.%s", which, names[i]);
        values[i] = read_floats(name, &count);
    }
    data.logprob = values[0], data.entropy = values[1];
    for (int i = 0, token = 0; i < ANSWERS; token += lengths[i++]) {
        samples_add_group(&data.samples, i, prompt, prompt_lengths[i], 1, 0);
        Sample *s = &data.samples.list[i];
        s->count = lengths[i], s->advantage = values[5][i], s->old_logprob = s->trainer_logprob;
        memcpy(s->trainer_logprob, values[2] + token, sizeof(float) * (size_t)s->count);
        memcpy(s->reference_logprob, values[3] + token, sizeof(float) * (size_t)s->count);
        memcpy(s->logprob, values[4] + token, sizeof(float) * (size_t)s->count);
    }
    for (int i = 2; i < 6; i++) { free(values[i]); }
    return data;
}
static void free_data(Data *data) {
    samples_free(&data->samples);
    free(data->logprob), free(data->entropy);
}
// In as many micro-batches as `rows` makes of it (0: each answer alone), each in chunks of `chunk` rows, as the head gives them.
static Result run(const Data *data, const GrpoOptions *o, int rows, int chunk) {
    static float logprob[ROWS], entropy[ROWS], dlogprob[ROWS], dentropy[ROWS];
    Samples samples = data->samples;
    BatchPlan plan = batch_plan_create(ANSWERS);
    Microbatch batch = microbatch_create(ROWS, ANSWERS);
    const LossCounts counts = loss_counts(&samples, 0, 2 * ANSWERS); // as far as there are so many
    Result result = {.microbatches = 0};
    for (int m = 0; m < ANSWERS; m++) {
        const bool alone = rows == 0;
        batch_plan(&plan, &samples, alone ? m : 0, alone ? 1 : 2 * ANSWERS, alone ? ROWS : rows, false);
        if (!alone && m == plan.count) { break; }
        result.microbatches++;
        batch_fill(&batch, &plan, alone ? 0 : m, &samples);
        for (int r = 0; r < ROWS; r++) { logprob[r] = entropy[r] = 1e30f, dlogprob[r] = dentropy[r] = NAN; }
        for (int pass = 0; pass < 3; pass++) { // inputs in, the loss, derivatives out
            for (int s = 0; s < batch.sequences && pass != 1; s++) {
                const int i = batch.samples[s], first = batch.starts[s] + prompt_lengths[i] - 1;
                int token = 0;
                for (int k = 0; k < i; k++) { token += lengths[k]; }
                const size_t bytes = sizeof(float) * (size_t)lengths[i];
                memcpy(pass ? result.by_logprob + token : logprob + first, pass ? dlogprob + first : data->logprob + token, bytes);
                memcpy(pass ? result.by_entropy + token : entropy + first, pass ? dentropy + first : data->entropy + token, bytes);
            }
            if (pass != 1) { continue; }
            if (surrogate_is_of_sequence(o->surrogate)) { grpo_sequence_ratios(&samples, &batch, logprob); }
            for (int row = 0; row < batch.rows; row += chunk) { grpo_loss(dlogprob, dentropy, &result.stats, &batch, row, chunk, &samples, logprob, entropy, &counts, o); }
        }
    }
    microbatch_free(&batch);
    batch_plan_free(&plan);
    return result;
}
static const GrpoOptions plain = {.clip = {0.2f, 0.28f, 0}, .kl_coef = 0.3f, .entropy_coef = 0.05f, .context = CONTEXT, .kl_type = KL_K3};
static void name_options(char out[160], const GrpoOptions *o, bool masked) {
    snprintf(out, 160, "%s %s %s%s%s%s", surrogate_names[o->surrogate], aggregate_names[o->aggregate], kl_names[o->kl_type], o->clip.dual > 0 ? " dual" : "", o->tis_cap > 0 ? " tis" : "", masked ? " masked" : "");
}

// ---- PyTorch
static void test_torch(void) {
    size_t count, elements;
    float *loss = read_floats("variant.loss", &count), *by_logprob = read_floats("variant.by_logprob", &elements), *by_entropy = read_floats("variant.by_first_entropy", &elements);
    int *options = (int *)host_alloc(sizeof(int) * count * 7);
    if (!safetensors_read_bytes(options, golden, "variant.options", SAFETENSORS_I32, 0, sizeof(int) * count * 7, &error)) { fatal("%s", error.text); }
    Data sets[2] = {read_data("near"), read_data("far")};
    double worst[sizeof(surrogate_names) / sizeof(surrogate_names[0])][2] = {{0}};
    for (size_t v = 0; v < count; v++) {
        const int *is = options + 7 * v;
        Data *data = &sets[is[0]];
        GrpoOptions o = plain;
        o.surrogate = (SurrogateType)is[1], o.aggregate = (Aggregate)is[2], o.kl_type = (KlType)is[3];
        o.clip = (Clip){0.2, 0.28, is[4] ? 3 : 0};
        o.tis_cap = is[5] ? 2 : 0, o.kl_coef = 0.3, o.entropy_coef = 0.05;
        data->samples.list[3].masked = is[6];
        const Result got = run(data, &o, ROWS, 7);
        double off = 0;
        for (int t = 0; t < TOKENS; t++) { off = larger(off, relative((double)got.by_logprob[t], (double)by_logprob[v * TOKENS + (size_t)t])); }
        off = larger(off, relative((double)got.by_entropy[0], (double)by_entropy[v]));
        const double loss_off = relative(got.stats.loss, (double)loss[v]);
        char name[160];
        name_options(name, &o, is[6]);
        check(off <= close_to_torch && loss_off <= close_to_torch, "%s, %s: derivatives %.1e and loss %.1e away from PyTorch's", name, is[0] ? "far" : "near", off, loss_off);
        worst[is[1]][0] = larger(worst[is[1]][0], off), worst[is[1]][1] = larger(worst[is[1]][1], loss_off);
        data->samples.list[3].masked = false;
    }
    for (size_t s = 0; s < sizeof(worst) / sizeof(worst[0]); s++) {
        printf("show %-9s with every aggregation, KL, dual clip, weight and mask: derivatives within %.1e of PyTorch's, losses within %.1e, allowed %.0e\n", surrogate_names[s], worst[s][0], worst[s][1], close_to_torch);
    }
    check(count == 240, "%zu variants", count);
    free(loss), free(by_logprob), free(by_entropy), free(options);
    free_data(&sets[0]), free_data(&sets[1]);
}

// ---- the equations once more, in long double, as functions of all log-probabilities; `at` is where what is held constant was taken
static long double bound(long double x, long double low, long double high) { return fminl(fmaxl(x, low), high); }
static long double equation_kl(KlType type, long double lp, long double at, long double ref) {
    const long double d = bound(ref - lp, -20, 20), d_at = bound(ref - at, -20, 20), k2 = (lp - ref) * (lp - ref) / 2, k2_at = (at - ref) * (at - ref) / 2;
    switch (type) {
    case KL_K1:
        return lp - ref;
    case KL_K2:
        return k2;
    case KL_K3:
        return fminl(expm1l(d) - d, 10);
    case KL_K1_PLUS:
        return k2 - k2_at + at - ref;
    default:
        return k2 - k2_at + fminl(expm1l(d_at) - d_at, 10);
    }
}
static long double equation_clip(long double ratio, long double A, const Clip *clip) {
    const long double gain = A > 0 ? fminl(ratio, 1 + (long double)clip->high) : fmaxl(ratio, 1 - (long double)clip->low); // bounded above a gain, below a loss
    return A < 0 && clip->dual > 0 ? fminl(-A * gain, -A * (long double)clip->dual) : -A * gain;
}
static long double equation(const Data *data, const long double *lp, const GrpoOptions *o) {
    const float *at = data->logprob;
    long double total = 0, T = 0, S = 0;
    for (int i = 0; i < ANSWERS; i++) { T += data->samples.list[i].masked ? 0 : lengths[i], S += !data->samples.list[i].masked; }
    for (int i = 0, token = 0; i < ANSWERS; token += lengths[i++]) {
        const Sample *s = &data->samples.list[i];
        const long double A = (long double)s->advantage, n = lengths[i];
        const long double divided[] = {T, 1, S, S * n, S * CONTEXT};
        if (s->masked) { continue; }
        long double mean = 0, mean_at = 0;
        for (int t = 0; t < lengths[i]; t++) {
            mean += (lp[token + t] - (long double)s->old_logprob[t]) / n;
            mean_at += ((long double)at[token + t] - (long double)s->old_logprob[t]) / n;
        }
        for (int t = 0; t < lengths[i]; t++) {
            const long double now = lp[token + t], then = (long double)at[token + t], old = (long double)s->old_logprob[t];
            const long double weight = o->tis_cap > 0 ? fminl(expl(bound(old - (long double)s->logprob[t], -20, 20)), (long double)o->tis_cap) : 1;
            long double part = -A * now;
            if (o->surrogate == SURROGATE_PPO) { part = equation_clip(expl(bound(now - old, -20, 20)), A, &o->clip); }
            // with weights of tokens the paper's ratio of the answer is not enough: as verl, each token moves a ratio of its own (GSPO eq. 14)
            if (o->surrogate == SURROGATE_GSPO) { part = equation_clip(expl(fminl(o->tis_cap > 0 ? mean_at + now - then : mean, 10)), A, &o->clip); }
            if (o->surrogate == SURROGATE_CISPO) { part *= bound(expl(bound(then - old, -20, 20)), 1 - (long double)o->clip.low, 1 + (long double)o->clip.high); }
            const long double kl = equation_kl(o->kl_type, now, then, (long double)s->reference_logprob[t]);
            total += (weight * part + (long double)o->kl_coef * kl - (long double)o->entropy_coef * (long double)data->entropy[token + t]) / divided[o->aggregate];
        }
    }
    return total;
}
static void test_equations(void) {
    Data data = read_data("near");
    const long double step = 1e-5L; // its square is the error of a central difference, 1e-10
    for (int s = 0; s < 4; s++) {
        double worst = 0, worst_loss = 0;
        int variants = 0, without_slope = 0;
        for (int a = 0; a < 5; a++) {
            for (int k = 0; k < 5; k++) {
                for (int flags = 0; flags < 8; flags++, variants++) {
                    const bool dual = flags & 1, masked = flags & 4;
                    GrpoOptions o = plain;
                    o.surrogate = (SurrogateType)s, o.aggregate = (Aggregate)a, o.kl_type = (KlType)k, o.clip.dual = dual ? 1.75 : 0, o.tis_cap = flags & 2 ? 1.5 : 0;
                    if (flags == 0) { o.kl_coef = -o.kl_coef; } // DeepScaleR's published 8K run
                    data.samples.list[3].masked = masked;
                    const Result got = run(&data, &o, ROWS, 7);
                    long double lp[TOKENS];
                    char name[160];
                    name_options(name, &o, masked);
                    for (int t = 0; t < TOKENS; t++) { lp[t] = (long double)data.logprob[t]; }
                    const double loss_off = relative(got.stats.loss, (double)equation(&data, lp, &o));
                    check(loss_off < 1e-12, "%s: the loss is %.1e away from its equation", name, loss_off); // doubles here and there
                    worst_loss = larger(worst_loss, loss_off);
                    for (int t = 0; t < TOKENS; t++) {
                        const long double here = lp[t];
                        lp[t] = here + step;
                        const long double above = equation(&data, lp, &o);
                        lp[t] = here - step;
                        const long double below = equation(&data, lp, &o), slope = (above - below) / (2 * step);
                        lp[t] = here;
                        const double off = relative((double)got.by_logprob[t], (double)slope);
                        check(off < 1e-7 * 2, "%s: token %d has derivative %.9g, the difference says %.9g", name, t, (double)got.by_logprob[t], (double)slope); // a float's rounding and the step's error
                        worst = larger(worst, off);
                        if (masked && t >= 15 && t < 19) { check(got.by_logprob[t] == 0 && got.by_entropy[t] == 0, "%s: a masked token has a derivative", name); }
                    }
                    o.kl_coef = 0, o.entropy_coef = 0;
                    const Result alone = run(&data, &o, ROWS, 7);
                    double zeros = 0;
                    for (int t = 0; t < TOKENS; t++) { zeros += alone.by_logprob[t] == 0; }
                    const double held = s == SURROGATE_CISPO ? 0 : alone.stats.tokens - alone.stats.clipped[CLIPPED_NOT];
                    check(zeros == held + (masked ? 4 : 0), "%s: %g tokens are clipped, %g have no slope", name, held, zeros);
                    without_slope += (int)held;
                }
            }
        }
        check(s == SURROGATE_CISPO || s == SURROGATE_REINFORCE || without_slope > 0, "%s: some tokens are clipped", surrogate_names[s]);
        printf("show %-9s in %d variants: losses within %.1e of the equation in long double, derivatives within %.1e of its finite differences, none where clipped (%d)\n", surrogate_names[s], variants, worst_loss, worst, without_slope);
    }
    free_data(&data);
}

// ---- how a minibatch is split
static void test_splits(void) {
    Data data = read_data("near");
    for (int s = 0; s < 4; s++) {
        for (int a = 0; a < 5; a++) {
            GrpoOptions o = plain;
            o.surrogate = (SurrogateType)s, o.aggregate = (Aggregate)a, o.tis_cap = 2;
            const Result whole = run(&data, &o, ROWS, ROWS);
            const struct {
                int rows, chunk, microbatches;
            } ways[] = {{ROWS, 1, 1}, {25, 7, 2}, {14, 5, 4}, {12, ROWS, 4}, {0, ROWS, 6}, {0, 3, 6}};
            for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
                const Result part = run(&data, &o, ways[w].rows, ways[w].chunk);
                check(part.microbatches == ways[w].microbatches, "%d rows make %d micro-batches, not %d", ways[w].rows, part.microbatches, ways[w].microbatches);
                check(!memcmp(whole.by_logprob, part.by_logprob, sizeof(whole.by_logprob)) && !memcmp(whole.by_entropy, part.by_entropy, sizeof(whole.by_entropy)),
                      "%s %s: derivatives of 1 and %d micro-batches differ", surrogate_names[s], aggregate_names[a], part.microbatches);
                check(fabs(whole.stats.loss - part.stats.loss) < 1e-13 * (1 + fabs(whole.stats.loss)) && whole.stats.largest_ratio == part.stats.largest_ratio && whole.stats.least_ratio == part.stats.least_ratio,
                      "%s %s: sums of 1 and %d micro-batches differ", surrogate_names[s], aggregate_names[a], part.microbatches);
            }
        }
    }
    printf("show 20 losses: the same bits in 1, 2 and 4 micro-batches and alone, in chunks of 1, 3, 5, 7 rows and whole\n");
    free_data(&data);
}
// --microbatch_sum: each micro-batch divides by its own counts. One is then as good as a minibatch of its own.
static void test_microbatch_sum(void) {
    Data data = read_data("near");
    for (int a = 0; a < 5; a++) {
        GrpoOptions summed = plain, own = plain;
        summed.aggregate = own.aggregate = (Aggregate)a, summed.microbatch_sum = true;
        const Result whole = run(&data, &own, ROWS, 7), one = run(&data, &summed, ROWS, 7), parts = run(&data, &summed, 14, 7);
        check(!memcmp(whole.by_logprob, one.by_logprob, sizeof(whole.by_logprob)), "%s: of one micro-batch the sum is the loss", aggregate_names[a]);
        double total = 0;
        int token = 0;
        for (int i = 0; i < ANSWERS; token += lengths[i++]) { total += (double)parts.by_entropy[token] * lengths[i]; } // each token's is -coef over its denominator
        // of 4 micro-batches: token-mean and seq-mean-token-mean have a total of 4 times the coefficient; the sums have as many answers or tokens as before
        const double want[] = {4, TOKENS, NAN, 4, NAN};
        check(parts.microbatches == 4 && (isnan(want[a]) || relative(total, -0.05 * want[a]) < 1e-6), "%s: the weights of 4 micro-batches add up to %g", aggregate_names[a], total / -0.05);
        check(a == AGGREGATE_TOKEN_SUM || memcmp(whole.by_logprob, parts.by_logprob, sizeof(whole.by_logprob)) != 0, "%s: the split shows", aggregate_names[a]);
    }
    GrpoOptions o = {.microbatch_sum = false};
    check(grpo_is_silent_without_advantage(&o), "without KL, entropy and sum, answers without advantage may be left out");
    o.microbatch_sum = true;
    check(!grpo_is_silent_without_advantage(&o), "with the sum they count in their micro-batch");
    o = (GrpoOptions){.kl_coef = -0.1};
    check(!grpo_is_silent_without_advantage(&o), "a negative KL coefficient is one");
    free_data(&data);
}
// The trainer's log-probabilities beside the sampler's: what an estimate of KL and a correlation are by their definitions, means first.
static void check_against_sampler(const GrpoStats *stats, double (*pairs)[2], int count) {
    double mean[2] = {0, 0}, covariance = 0, variance[2] = {0, 0}, k1 = 0, k3 = 0, absolute = 0, most = 0;
    for (int i = 0; i < count; i++) {
        const double log_ratio = pairs[i][0] - pairs[i][1];
        mean[0] += exp(pairs[i][0]) / count, mean[1] += exp(pairs[i][1]) / count;
        k1 += -log_ratio, k3 += exp(log_ratio) - 1 - log_ratio, absolute += fabs(log_ratio), most = fmax(most, fabs(log_ratio));
    }
    for (int i = 0; i < count; i++) {
        const double a = exp(pairs[i][0]) - mean[0], b = exp(pairs[i][1]) - mean[1];
        covariance += a * b, variance[0] += a * a, variance[1] += b * b;
    }
    check(stats->tokens == count && relative(stats->log_difference, absolute) < 1e-12 && stats->largest_log_difference == most, "log-probabilities differ by %g in all, %g at most", stats->log_difference, stats->largest_log_difference);
    check(relative(stats->sampler_k1, k1) < 1e-11 && relative(stats->sampler_k3, k3) < 1e-11, "KL from the sampler: k1 %g, k3 %g", stats->sampler_k1, stats->sampler_k3);
    const double correlation = grpo_correlation(stats);
    check(fabs(correlation - covariance / sqrt(variance[0] * variance[1])) < 1e-10, "correlation %.12f", correlation); // sums of squares cancel to some 1e-12
}
static void test_stats(void) {
    Data data = read_data("near");
    GrpoOptions o = plain;
    o.tis_cap = 1.5, o.clip.dual = 1.75;
    const Result got = run(&data, &o, 14, 3);
    double ratio = 0, most = -INFINITY, least = INFINITY, weight = 0, difference = 0, low = 0, high = 0, dual = 0, pairs[ROWS][2];
    int count = 0;
    for (int i = 0, token = 0; i < ANSWERS; token += lengths[i++]) {
        const Sample *s = &data.samples.list[i];
        for (int t = 0; t < lengths[i]; t++) {
            const double r = exp((double)data.logprob[token + t] - (double)s->trainer_logprob[t]);
            ratio += r, most = fmax(most, r), least = fmin(least, r);
            weight += fmin(exp((double)s->trainer_logprob[t] - (double)s->logprob[t]), 1.5);
            difference += fabs(exp((double)data.logprob[token + t]) - exp((double)s->logprob[t]));
            pairs[count][0] = (double)data.logprob[token + t], pairs[count++][1] = (double)s->logprob[t];
            low += s->advantage < 0 && r<0.8, high += s->advantage> 0 && r > 1.28, dual += s->advantage < 0 && r > 1.75;
        }
    }
    const GrpoStats *stats = &got.stats;
    check(relative(stats->ratio, ratio) < 1e-12 && relative(stats->largest_ratio, most) < 1e-12 && relative(stats->least_ratio, least) < 1e-12, "ratios: sum %g, %g to %g", stats->ratio, stats->least_ratio, stats->largest_ratio);
    check(relative(stats->weight, weight) < 1e-12 && stats->largest_weight == 1.5 && stats->least_weight > 0 && stats->least_weight < 1, "weights: sum %g, %g to %g", stats->weight, stats->least_weight, stats->largest_weight);
    check(relative(stats->difference, difference) < 1e-12, "the difference of probabilities is that to the sampler's");
    check_against_sampler(stats, pairs, count);
    check(low > 0 && high > 0 && dual > 0 && stats->clipped[CLIPPED_LOW] == low && stats->clipped[CLIPPED_HIGH] == high && stats->clipped[CLIPPED_DUAL] == dual, "clipped: %g low, %g high, %g dual", stats->clipped[CLIPPED_LOW],
          stats->clipped[CLIPPED_HIGH], stats->clipped[CLIPPED_DUAL]);
    o = plain;
    o.surrogate = SURROGATE_CISPO;
    const Result weights = run(&data, &o, ROWS, 7);
    double below = 0, above = 0;
    for (int i = 0, token = 0; i < ANSWERS; token += lengths[i++]) {
        for (int t = 0; t < lengths[i]; t++) {
            const double r = exp((double)data.logprob[token + t] - (double)data.samples.list[i].trainer_logprob[t]);
            below += r<0.8, above += r> 1.28;
        }
    }
    check(weights.stats.clipped[CLIPPED_LOW] == below && weights.stats.clipped[CLIPPED_HIGH] == above, "cispo clips weights whatever the advantage");
    free_data(&data);
}

// ---- rewards and advantages
static void test_advantages(void) {
    const float rewards[ANSWERS] = {1, 0, 0, 1, 1, 0};
    const char *const names[] = {"advantage.plain", "advantage.shaped"};
    size_t count;
    float *over = read_floats("shaping.overlong", &count), *kl = read_floats("shaping.kl", &count);
    Data data = read_data("near");
    double worst = 0;
    for (int i = 0; i < ANSWERS; i++) {
        worst = larger(worst, relative(shaping_overlong(lengths[i], CONTEXT, 8, 0.5), (double)over[i]));
        for (int k = 0; k < 5; k++) { worst = larger(worst, relative(shaping_kl(&data.samples.list[i], kl_estimators[k]), (double)kl[k * ANSWERS + i])); }
    }
    check(worst < close_to_torch, "what is taken off rewards is %.1e away from PyTorch's", worst);
    printf("show overlong punishment and the KL of whole answers: within %.1e of PyTorch's, allowed %.0e\n", worst, close_to_torch);
    for (int shaped = 0; shaped < 2; shaped++) {
        float *want = read_floats(names[shaped], &count);
        for (int e = 0; e < 5; e++) {
            double off = 0;
            for (int i = 0; i < ANSWERS; i++) { data.samples.list[i].reward = rewards[i], data.samples.list[i].penalty = shaped ? over[i] + 0.3f * kl[i] : 0, data.samples.list[i].advantage = NAN; }
            advantage_estimators[e](&data.samples, GROUP);
            for (int i = 0; i < ANSWERS; i++) { off = larger(off, relative((double)data.samples.list[i].advantage, (double)want[e * ANSWERS + i])); }
            check(off < close_to_torch, "%s of %s: %.1e away from PyTorch's", advantage_names[e], names[shaped], off);
            if (shaped) { printf("show advantage %-20s within %.1e of PyTorch's, allowed %.0e\n", advantage_names[e], off, close_to_torch); }
        }
        free(want);
    }
    // REINFORCE++ with its KL in the reward, token by token
    float *by_token = read_floats("advantage.reinforce_tokens", &count);
    double off = 0;
    for (int i = 0; i < ANSWERS; i++) {
        Sample *s = &data.samples.list[i];
        shaping_kl_by_token(s, kl_estimators[KL_K1], 0.3);
        s->penalty = (float)(0.3 * s->kl + (double)over[i]);
    }
    advantage_reinforce(&data.samples, GROUP);
    for (int i = 0, token = 0; i < ANSWERS; token += lengths[i++]) {
        for (int t = 0; t < lengths[i]; t++) { off = larger(off, relative(advantage_of(&data.samples.list[i], t), (double)by_token[token + t])); }
        check(data.samples.list[i].advantage == data.samples.list[i].token_advantage[0], "answer %d has the advantage of its first token", i);
        data.samples.list[i].by_token = false;
    }
    check(off < close_to_torch, "reinforce++ by token: %.1e away from PyTorch's", off);
    printf("show advantage reinforce++, KL by token: within %.1e of PyTorch's, allowed %.0e\n", off, close_to_torch);
    free(by_token);
    // by hand: two groups of three, one of them all right; lengths 5, 1, 9, 4, 7, 3
    const double third = 1.0 / 3;
    const float mixed[ANSWERS] = {1, 0, 0, 1, 1, 1};
    const double want[3][ANSWERS] = {{(2 * third) / (sqrt(third) + 1e-6), -third / (sqrt(third) + 1e-6), -third / (sqrt(third) + 1e-6), 0, 0, 0}, {2 * third, -third, -third, 0, 0, 0}, {1, -0.5, -0.5, 0, 0, 0}};
    for (int e = 0; e < 5; e++) {
        for (int i = 0; i < ANSWERS; i++) { data.samples.list[i].reward = mixed[i], data.samples.list[i].penalty = 0, data.samples.list[i].masked = i == 5; }
        advantage_estimators[e](&data.samples, GROUP);
        double tokens = 0, sum = 0, square = 0;
        for (int i = 0; i < ANSWERS; i++) {
            const double A = (double)data.samples.list[i].advantage;
            check(e >= 3 || fabs(A - want[e][i]) < 1e-7, "%s by hand: answer %d has %.9g", advantage_names[e], i, A);
            tokens += i < 5 ? lengths[i] : 0, sum += i < 5 ? lengths[i] * A : 0, square += i < 5 ? lengths[i] * A * A : 0;
        }
        check(e < 3 || (fabs(sum / tokens) < 1e-6 && fabs(square / (tokens - 1) - 1) < 1e-6), "%s: over the tokens that are trained on the mean is %.2e, the variance %.7f", advantage_names[e], sum / tokens, square / (tokens - 1));
    }
    for (int i = 0; i < ANSWERS; i++) { data.samples.list[i].reward = 1, data.samples.list[i].masked = false; }
    for (int e = 0; e < 5; e++) { // nothing to tell answers apart by: no signal, and no division by zero
        advantage_estimators[e](&data.samples, GROUP);
        for (int i = 0; i < ANSWERS; i++) { check(data.samples.list[i].advantage == 0, "%s: all rewards equal: answer %d has %g", advantage_names[e], i, (double)data.samples.list[i].advantage); }
    }
    data.samples.count = 0;
    for (int e = 0; e < 5; e++) { advantage_estimators[e](&data.samples, GROUP); } // a step may be empty
    check(shaping_overlong(5, 10, 4, 1) == 0 && shaping_overlong(6, 10, 4, 1) == 0 && shaping_overlong(8, 10, 4, 1) == 0.5 && shaping_overlong(10, 10, 4, 3) == 3, "from nothing to the whole penalty over the buffer");
    check(shaping_overlong(10, 10, 0, 1) == 0 && shaping_overlong(8, 10, -1, 1) == 0 && shaping_overlong(9, 10, -1, 1) == 0.5 && shaping_overlong(5, 10, 10, 1) == 0.5, "no buffer, a fifth of the context, all of it");
    free(over), free(kl);
    free_data(&data);
}

// ---- dynamic sampling
static void add_group(Samples *samples, int number, const char *right) { // "101": which of the answers are right
    samples_add_group(samples, samples->count / GROUP, prompt, 2, GROUP, (uint64_t)number);
    for (int i = 0; i < GROUP; i++) {
        Sample *s = &samples->list[samples->count - GROUP + i];
        s->reward = right[i] == '1', s->finished = true, s->count = 1 + (number + i) % 3;
        for (int t = 0; t < s->count; t++) { s->tokens[t] = 100 * number + 10 * i + t, s->logprob[t] = -(float)s->tokens[t]; }
        buffer_printf(&s->text, "group %d answer %d", number, i);
        buffer_printf(&s->answer, "%d", number);
    }
}
static bool is_group(const Samples *samples, int place, int number) { // the group `number` lies whole at a place
    bool same = true;
    for (int i = 0; i < GROUP; i++) {
        const Sample *s = &samples->list[place * GROUP + i];
        char text[40];
        snprintf(text, sizeof(text), "group %d answer %d", number, i);
        same = same && s->prompt == place && s->number == i && s->key == random_key((uint64_t)number, (uint64_t)i) && !strcmp(s->text.data, text) && s->count == 1 + (number + i) % 3;
        same = same && s->tokens == samples->token_storage + (place * GROUP + i) * samples->max_new_tokens && s->old_logprob == s->logprob;
        for (int t = 0; t < s->count; t++) { same = same && s->tokens[t] == 100 * number + 10 * i + t && s->logprob[t] == -(float)s->tokens[t]; }
    }
    return same;
}
static void test_dynamic_sampling(void) {
    Samples samples = samples_create(4 * GROUP, LONGEST);
    int prompt_index[4] = {70, 71, 72, 73};
    SamplingStats stats = {0};
    const char *const first[] = {"000", "101", "111", "001"};
    for (int g = 0; g < 4; g++) { add_group(&samples, g, first[g]); }
    int kept = sampling_keep_groups(&samples, prompt_index, 0, GROUP, true, &stats);
    check(kept == 2 && samples.count == 2 * GROUP && is_group(&samples, 0, 1) && is_group(&samples, 1, 3), "groups with a signal move up");
    check(prompt_index[0] == 71 && prompt_index[1] == 73, "and with them their prompts");
    check(stats.groups == 4 && stats.none == 1 && stats.all == 1 && stats.score == 6, "%d groups, %d and %d dropped, score %g", stats.groups, stats.none, stats.all, stats.score);
    prompt_index[2] = 74, prompt_index[3] = 75;
    add_group(&samples, 4, "000"), add_group(&samples, 5, "100");
    const Samples fresh = samples_from(&samples, 2 * GROUP);
    check(fresh.count == 2 * GROUP && fresh.capacity == 2 * GROUP && fresh.list == &samples.list[6] && fresh.list[0].tokens == fresh.token_storage && fresh.list[0].logprob == fresh.float_storage, "the second round is a set of its own");
    kept = sampling_keep_groups(&samples, prompt_index, 2, GROUP, true, &stats);
    check(kept == 3 && is_group(&samples, 0, 1) && is_group(&samples, 1, 3) && is_group(&samples, 2, 5) && prompt_index[2] == 75, "the second round's join the first's");
    check(stats.groups == 6 && stats.none == 2 && stats.all == 1 && stats.score == 7, "both rounds are counted");
    add_group(&samples, 6, "111");
    check(sampling_keep_groups(&samples, prompt_index, 3, GROUP, false, &stats) == 4 && is_group(&samples, 3, 6), "without dynamic sampling every group stays");
    samples_clear(&samples);
    add_group(&samples, 7, "111");
    check(sampling_keep_groups(&samples, prompt_index, 0, GROUP, true, &stats) == 0 && samples.count == 0, "a batch may be empty");
    const LossCounts counts = loss_counts(&samples, 0, 4 * GROUP);
    check(counts.tokens == 0 && counts.sequences == 0, "and counts nothing then");
    samples_free(&samples);
    printf("show dynamic sampling: groups without a signal are dropped, the others keep their prompts, tokens and log-probabilities\n");
}

int main(void) {
    golden = safetensors_open("test/golden/losses/losses.safetensors", &error);
    if (!golden) { fatal("%s", error.text); }
    test_torch();
    test_equations();
    test_splits();
    test_microbatch_sum();
    test_stats();
    test_advantages();
    test_dynamic_sampling();
    safetensors_close(golden);
    return check_report("test_losses");
}
