// train_grpo: reinforcement learning of a language model with verifiable rewards (GRPO, Shao et al. 2024), whole, on one screen.
// ./train_grpo -m MODEL_FOLDER -d PROMPTS.parquet -c 8192:1040,16384:480,24576:230      ./train_grpo --help      README.md
#include "llmc/config.h"        // Config: every option, one line each
#include "llmc/doctor.h"        // doctor: ./train_grpo doctor OPTIONS says what would keep a run from going
#include "llmc/miniature.h"     // miniature_prepare: data and start of the built-in model, when no other is given
#include "llmc/trainer_steps.h" // trainer_*; below it policy_*, rollout_*, grpo_loss, advantage_*, batch_*

int main(int argc, char **argv) {
    generator_join_ranks(&argc, &argv);
    if (doctor_wanted(argc, argv)) { return doctor(argc, argv); }
    Config config = config_from_args(argc, argv);
    const bool miniature = miniature_prepare(&config);
    Trainer t;
    trainer_open(&t, &config);
    Policy *policy = &t.g.policy;
    Samples *samples = &t.g.samples;
    trainer_begin(&t);
    while (t.state.step < t.total_steps && !trainer_stopped()) {
        // 1. Sample: group_size answers to each of the step's prompts, with the log-probability of every token. Each answer is
        //    graded on CPU threads as it ends.
        trainer_begin_stage(&t);
        if (!trainer_sample(&t)) { break; }

        // 2. Judge: how much better each answer is than its siblings.
        trainer_shape_rewards(&t); // penalties, masks and log-probabilities that the options ask for; by default nothing
        t.advantage(samples, config.group_size);

        // 3. Learn: one AdamW update per minibatch, on the loss of all its response tokens (by default their mean). Sequences are packed end to end
        //    into micro-batches; answers without any gradient are left out.
        GrpoStats stats = {0}, fresh = {0};
        UpdateStats updates = {0};
        const int minibatch = config.minibatch_prompts * config.group_size;
        t.adamw.learning_rate = trainer_learning_rate(&t);
        for (int first = 0; first < samples->count; first += minibatch) {
            const LossCounts counts = loss_counts(samples, first, minibatch);
            batch_plan(&t.plan, samples, first, minibatch, config.tokens_per_microbatch, grpo_is_silent_without_advantage(&t.loss));
            policy_zero_gradients(policy);
            for (int m = 0; m < t.plan.count; m++) {
                batch_fill(&t.microbatch, &t.plan, m, samples);
                trainer_reference_logprobs(&t);
                policy_forward_layers(policy, policy->weights, &t.microbatch);
                trainer_sequence_ratios(&t);                                          // nothing, but for surrogates that look at whole answers
                const int rows = t.microbatch.rows, chunk = policy->train.logit_rows; // logits exist for a chunk of rows at a time
                for (int row = 0; row < rows; row += chunk) {
                    policy_head_forward(policy, policy->weights, rows, row, config.temperature);
                    grpo_loss(t.dlogprob, t.dentropy, &stats, &t.microbatch, row, chunk, samples, policy->host_logprob, policy->host_entropy, &counts, &t.loss);
                    policy_head_backward(policy, rows, row, t.dlogprob, t.dentropy, config.temperature);
                }
                policy_backward_layers(policy, &t.microbatch, m + 1 == t.plan.count);
            }
            if (first == 0) { fresh = stats; }
            trainer_update(&t, &updates, first);
        }

        // 4. Report, evaluate, save.
        trainer_end_step(&t, &stats, &fresh, &updates);
    }
    trainer_end(&t);
    if (miniature && t.state.step >= t.total_steps) { miniature_explain(); }
    return trainer_close(&t);
}
