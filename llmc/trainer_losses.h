// trainer_losses: what some losses need of a step beside the loss of its tokens: log-probabilities of whole answers, and rewards that
// hold more than the grader's verdict.
#pragma once
#include "llmc/trainer.h"

// Log-probabilities of a micro-batch's responses under `weights`, into the array `field` of each sample: offsetof(Sample, reference_logprob).
static inline void trainer_score_microbatch(Trainer *t, const floatX *weights, size_t field) {
    watch_worked();
    policy_forward(&t->g.policy, weights, &t->microbatch, t->config->temperature);
    for (int s = 0; s < t->microbatch.sequences; s++) {
        Sample *sample = &t->g.samples.list[t->microbatch.samples[s]];
        memcpy(sample_logprobs(sample, field), t->g.policy.host_logprob + grpo_first_row(&t->microbatch, s, sample), sizeof(float) * (size_t)sample->count);
    }
}
static inline double trainer_score_step(Trainer *t, const floatX *weights, size_t field) { // of all answers of the step; returns the seconds it took
    const double started = seconds_now();
    batch_plan(&t->plan, &t->g.samples, 0, t->g.samples.count, t->config->tokens_per_microbatch, false);
    for (int m = 0; m < t->plan.count; m++) {
        batch_fill(&t->microbatch, &t->plan, m, &t->g.samples);
        trainer_score_microbatch(t, weights, field);
    }
    samples_exchange_logprobs(&t->g.samples, field, t->plan.sample, t->plan.starts[t->plan.count], &t->g.exchanged);
    return seconds_now() - started;
}
static inline void trainer_reference_logprobs(Trainer *t) { // of the micro-batch, into its samples
    watch_worked();
    if (t->loss.kl_coef == 0) { return; }
    const double started = seconds_now();
    trainer_score_microbatch(t, t->g.policy.reference, offsetof(Sample, reference_logprob));
    t->reference_seconds += seconds_now() - started;
}
// Surrogates of sequences need each answer's importance ratio before the derivative of its first token, and the head has logits for some
// rows at a time: so its forward pass goes over all rows of the micro-batch once more. Nothing for surrogates of tokens.
static inline void trainer_sequence_ratios(Trainer *t) {
    Policy *p = &t->g.policy;
    if (!surrogate_is_of_sequence(t->loss.surrogate)) { return; }
    for (int row = 0; row < t->microbatch.rows; row += p->train.logit_rows) { policy_head_forward(p, p->weights, t->microbatch.rows, row, t->config->temperature); }
    grpo_sequence_ratios(&t->g.samples, &t->microbatch, p->host_logprob);
}

static inline bool trainer_has_kl_in_reward(const Trainer *t) { return t->config->kl_coef != 0 && !strcmp(t->config->kl_in, "reward"); }
// Before advantages are taken: what is added to the grader's rewards, which answers are left out, and the trainer's own old
// log-probabilities, where the options ask for them.
static inline void trainer_shape_rewards(Trainer *t) {
    const Config *c = t->config;
    Samples *samples = &t->g.samples;
    const int context = c->stages[t->state.stage].context;
    const bool kl_in_reward = trainer_has_kl_in_reward(t);
    t->loss.context = context;
    if (!strcmp(c->old_logprobs, "trainer")) {
        t->old_logprob_seconds = trainer_score_step(t, t->g.policy.weights, offsetof(Sample, trainer_logprob));
        for (int i = 0; i < samples->count; i++) { samples->list[i].old_logprob = samples->list[i].trainer_logprob; }
    }
    if (kl_in_reward) { t->reference_seconds = trainer_score_step(t, t->g.policy.reference, offsetof(Sample, reference_logprob)); }
    for (int i = 0; i < samples->count; i++) {
        Sample *s = &samples->list[i];
        if (kl_in_reward && t->advantage == advantage_reinforce) {
            shaping_kl_by_token(s, kl_estimators[t->loss.kl_type], (double)c->kl_coef);
        } else if (kl_in_reward) {
            s->kl = shaping_kl(s, kl_estimators[t->loss.kl_type]);
        }
        s->penalty = (float)((double)c->kl_coef * s->kl + shaping_overlong(s->count, context, c->overlong_buffer, (double)c->overlong_penalty));
        s->masked = c->mask_truncated && !s->finished;
    }
}

// What the parts of the loss did; metrics of parts that the options leave out are not there.
static inline void trainer_measure_losses(const Trainer *t, MetricSet *set, const GrpoStats *stats, const UpdateStats *updates) {
    const Samples *samples = &t->g.samples;
    const double tokens = stats->tokens > 0 ? stats->tokens : 1, minibatches = updates->count + updates->skipped, answers = samples->count;
    double kl = 0, masked = 0;
    for (int i = 0; i < samples->count; i++) {
        const Sample *s = &samples->list[i];
        kl += s->count > 0 ? s->kl / s->count : 0, masked += s->masked;
    }
    metric_set(set, "actor/loss", stats->loss / (minibatches > 0 ? minibatches : 1));
    if (t->loss.kl_coef != 0) { metric_set(set, METRIC_KL, stats->kl / tokens); }
    if (trainer_has_kl_in_reward(t)) { metric_set(set, "actor/reward_kl_penalty", kl / answers); }
    metric_set(set, trainer_has_kl_in_reward(t) ? "actor/reward_kl_penalty_coeff" : "actor/kl_coef", (double)t->config->kl_coef);
    metric_set(set, METRIC_CLIP, (stats->clipped[CLIPPED_LOW] + stats->clipped[CLIPPED_HIGH]) / tokens);
    metric_set(set, "clip_ratio/low_mean", stats->clipped[CLIPPED_LOW] / tokens);
    metric_set(set, "clip_ratio/high_mean", stats->clipped[CLIPPED_HIGH] / tokens);
    if (t->loss.clip.dual > 0) { metric_set(set, "actor/pg_clipfrac_lower", stats->clipped[CLIPPED_DUAL] / tokens); }
    metric_set(set, "actor/ratio/mean", stats->ratio / tokens);
    metric_set(set, "actor/ratio/max", stats->largest_ratio);
    metric_set(set, "actor/ratio/min", stats->least_ratio);
    if (t->loss.tis_cap > 0) {
        metric_set(set, "rollout_corr/rollout_is_mean", stats->weight / tokens);
        metric_set(set, "rollout_corr/rollout_is_max", stats->largest_weight);
        metric_set(set, "rollout_corr/rollout_is_min", stats->least_weight);
    }
    if (t->config->dynamic_sampling > 0) {
        metric_set(set, "batch/sampling_rounds", t->sampling.rounds);
        metric_set(set, "batch/dropped_groups", t->sampling.none + t->sampling.all);
        metric_set(set, "batch/groups", answers / t->config->group_size);
        metric_set(set, "batch/sampled_score", t->sampling.score / ((double)t->sampling.groups * t->config->group_size));
    }
    if (t->config->mask_truncated) { metric_set(set, "response_length/masked_ratio", masked / answers); }
}
