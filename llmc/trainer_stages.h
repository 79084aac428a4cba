// trainer_stages: when a stage of --context ends, and what begins anew with the next one.
#pragma once
#include "llmc/trainer.h"

enum { STAGE_MEAN_STEPS = 20 }; // over which the share of cut answers is smoothed

// --stage_trigger: the share of answers that the step had to cut at the context joins a running mean: of up to so many steps all alike, then
// exponential. A policy whose answers grow again after they have become short is held back by its context; DeepScaleR went to 16K when the
// share had fallen to 4.2 % and risen to 6.5 %. So the mean must have been below the trigger before it counts.
static inline void trainer_watch_cut_answers(Trainer *t, double share) {
    const int into = t->state.step - t->state.stage_start, steps = into < STAGE_MEAN_STEPS ? into : STAGE_MEAN_STEPS;
    if (isnan(share)) { return; } // dynamic sampling left nothing
    t->state.cut_share += (share - t->state.cut_share) / steps;
    if (into >= STAGE_MEAN_STEPS && t->state.cut_share < (double)t->config->stage_trigger) { t->state.was_below_trigger = 1; }
}
static inline bool trainer_stage_has_ended(const Trainer *t) {
    const Config *c = t->config;
    const Stage *stage = &c->stages[t->state.stage];
    const bool triggered = c->stage_trigger > 0 && t->state.was_below_trigger && t->state.cut_share >= (double)c->stage_trigger;
    return t->state.stage + 1 < c->stage_count && (triggered || t->state.step - t->state.stage_start >= stage->steps);
}
// Called before every step: a new stage, when one has ended. What starts anew with it follows --stage_restart (DeepScaleR: everything, since
// each of its stages was a run of its own): Adam and warm-up, the reference of the KL term, the order of the data.
static inline void trainer_begin_stage(Trainer *t) {
    const Config *c = t->config;
    if (!trainer_stage_has_ended(t)) { return; }
    const bool early = t->state.step - t->state.stage_start < c->stages[t->state.stage].steps;
    if (early) { printf("stage %d of %d: ends after %d of %d steps: %.1f%% of its answers are cut, --stage_trigger is %.1f%%\n", t->state.stage + 1, c->stage_count, t->state.step - t->state.stage_start, c->stages[t->state.stage].steps, 100 * t->state.cut_share, 100 * (double)c->stage_trigger); }
    t->state.stage++;
    t->state.stage_start = t->state.step;
    t->state.was_below_trigger = 0;
    t->total_steps = trainer_total_steps(t);
    if (list_contains(c->stage_restart, "adam")) {
        policy_forget_moments(&t->g.policy);
        t->adamw.step = 0;
        t->state.warmup_start = t->state.step;
    }
    if (list_contains(c->stage_restart, "data")) { t->state.data_position = 0; }
    if (t->g.policy.reference) {
        if (list_contains(c->stage_restart, "reference")) { device_copy(t->g.policy.reference, t->g.policy.weights, t->g.policy.parameters.total * sizeof(floatX)); }
        trainer_save_reference(t);
    }
    printf("stage %d of %d: answers of up to %d tokens from here\n", t->state.stage + 1, c->stage_count, c->stages[t->state.stage].context);
}
