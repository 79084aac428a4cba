// The command line: every form an option may take, every way it can be wrong, stages, verl's keys, DeepScaleR's scripts, config.json.
#include "check.h"
#include "llmc/advantage.h"
#include "llmc/loss_options.h"

enum { MAX_WORDS = 80 };
static char line_copy[8192];
// Splits a line at its spaces as a shell does (quotes around words are dropped) and parses it as train_grpo's command line.
static OptionsOutcome parse_words(void *config, const OptionSet *set, const char *line, Buffer *ignored, Error *error) {
    char *words[MAX_WORDS] = {(char *)"program"};
    int count = 1;
    snprintf(line_copy, sizeof(line_copy), "%s", line);
    for (char *word = strtok(line_copy, " "); word && count < MAX_WORDS; word = strtok(NULL, " ")) { words[count++] = word; }
    return options_parse(config, set, count, words, ignored, error);
}
static bool grpo_parse(Config *config, const char *line, Buffer *ignored, Error *error) {
    *error = (Error){""};
    return parse_words(config, &grpo_option_set, line, ignored, error) == OPTIONS_RUN && (config_apply_names(config), config_check(config, error));
}
static void check_accepted(const char *line, const char *name, const char *want) {
    Config config = {0};
    Buffer ignored = {0}, got = {0};
    Error error;
    if (check(grpo_parse(&config, line, &ignored, &error), "%s: refused: %s", line, error.text)) {
        const Option *option = option_find(&grpo_option_set, name, strlen(name));
        option_text(&got, &config, option);
        check_text(got.data, want, line);
    }
    buffer_free(&got);
    buffer_free(&ignored);
}
static void check_refused(const char *line, const char *part) {
    Config config = {0};
    Buffer ignored = {0};
    Error error;
    check(!grpo_parse(&config, line, &ignored, &error) && strstr(error.text, part), "%s: should name \"%s\", says \"%s\"", line, part, error.text);
    buffer_free(&ignored);
}

static void test_forms(void) {
    static const char *const accepted[][3] = {
        {"", "learning_rate", "1e-06"},
        {"", "prompts_per_step", "128"},
        {"", "context", "8192:1040,16384:480,24576:230"},
        {"", "run_dir", "runs/grpo"},
        {"--steps 5", "steps", "5"},
        {"--steps=5", "steps", "5"},
        {"-s 5", "steps", "5"},
        {"-s 5 --steps 7", "steps", "7"},
        {"--kl_coef 1e-3", "kl_coef", "0.001"},
        {"--entropy_coef -0.001", "entropy_coef", "-0.001"},
        {"--seed 9007199254740993", "seed", "9007199254740993"},
        {"--seed -1", "seed", "-1"},
        {"--plan", "plan", "true"},
        {"--plan --steps 3", "plan", "true"},
        {"--plan --steps 3", "steps", "3"},
        {"--plan true", "plan", "true"},
        {"--plan=true", "plan", "true"},
        {"--eval_before_train false", "eval_before_train", "false"},
        {"--eval_before_train=False -s 2", "eval_before_train", "false"},
        {"-m a=b", "model", "a=b"},
        {"-m -dash", "model", "-dash"},
        {"--resume some/dir", "resume", "some/dir"},
        {"--resume never", "resume", "never"},
        {"--kl_type k1", "kl_type", "k1"},
        {"--experiment first", "run_dir", "runs/first"},
        {"--experiment first -o here", "run_dir", "here"},
        {"-b 16", "minibatch_prompts", "16"},
        {"-b 100", "minibatch_prompts", "50"},
        {"-b 128 --minibatch_prompts 32", "minibatch_prompts", "32"},
        {"-c 65536", "tokens_per_microbatch", "66560"},
        {"-c 8192", "tokens_per_microbatch", "16384"},
    };
    for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) { check_accepted(accepted[i][0], accepted[i][1], accepted[i][2]); }
    static const char *const refused[][2] = {
        {"--leraning_rate 1e-6", "--learning_rate"},
        {"--prompt_per_step 4", "--prompts_per_step"},
        {"--GROUP_SIZE 4", "--group_size"},
        {"-groupsize 4", "--group_size"},
        {"-M dir", "nearest one is -m"},
        {"--", "nearest one is -"},
        {"-", "nearest one is -"},
        {"word", "word is not an option"},
        {"steps=5", "--steps"},
        {"--steps", "--steps needs a value"},
        {"-s", "-s needs a value"},
        {"--steps=", "--steps needs a value"},
        {"--model --steps 5", "--model needs a value"},
        {"--steps five", "\"five\" is not a whole number in [0,100000000]"},
        {"--steps 5x", "\"5x\""},
        {"--steps 1e3", "\"1e3\""},
        {"--steps 3.0", "\"3.0\""},
        {"--steps -1", "\"-1\""},
        {"--steps 99999999999999999999", "whole number"},
        {"--seed 99999999999999999999", "whole number"},
        {"--group_size 1", "[2,4096]"},
        {"--learning_rate fast", "\"fast\" is not a number"},
        {"--learning_rate nan", "\"nan\""},
        {"--learning_rate inf", "\"inf\""},
        {"--temperature 0", "(0,100]"},
        {"--adam_beta1 1", "[0,1)"},
        {"--plan=maybe", "true or false"},
        {"--eval_before_train no", "no is not an option"},
        {"--loss ppo", "only grpo|dr_grpo"},
        {"--advantage gae", "only grpo|dr_grpo"},
        {"--surrogate gmpo", "only ppo|gspo"},
        {"-d caf\xE9.parquet", "is not UTF-8"},
        {"--aggregate seq-mean", "only token-mean"},
        {"--kl_type abs", "only k1|k2|k3"},
        {"--kl_type k", "only k1|k2|k3"},
        {"--kl_in both", "only loss|reward"},
        {"--dual_clip 1", "above 1"},
        {"--dual_clip 3 --surrogate cispo", "cispo has none"},
        {"--dual_clip 3 --loss rloo", "reinforce has none"},
        {"--tis_cap 2 --old_logprobs sampler", "needs --old_logprobs trainer"},
        {"-c 64:5,32:5 --overlong_buffer 40", "stage 2"},
        {"--overlong_buffer -2", "[-1,1048576]"},
        {"--grader strict", "only deepscaler"},
        {"--logger wandb,mlflow", "mlflow"},
        {"-b 128 --minibatch_prompts 48", "does not divide"},
        {"-b 8 --minibatch_prompts 64", "does not divide"},
        {"-c 8192 --tokens_per_microbatch 9000", "9216"},
        {"-c 16776193", "16777217 tokens, more than 16777216"},
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) { check_refused(refused[i][0], refused[i][1]); }
    char longer[4000];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = 0;
    memcpy(longer, "--", 2);
    check_refused(longer, "is not an option");
    memcpy(longer, "-c ", 3);
    check_refused(longer, "stage 1");
}

// --loss names combinations: each row takes effect, and what the user gives stays; the tables of functions have the options' names.
static void check_names(const char *option_name, const char *const *names, size_t count) {
    Buffer joined = {0};
    for (size_t i = 0; i < count; i++) { buffer_printf(&joined, "%s%s", i ? "|" : "", names[i]); }
    check_text(option_find(&grpo_option_set, option_name, strlen(option_name))->allowed, joined.data, option_name);
    buffer_free(&joined);
}
static void test_losses(void) {
#define NAMES(array) array, sizeof(array) / sizeof(array[0])
    check_names("advantage", NAMES(advantage_names));
    check_names("surrogate", NAMES(surrogate_names));
    check_names("aggregate", NAMES(aggregate_names));
    check_names("kl_type", NAMES(kl_names));
    check(sizeof(advantage_estimators) / sizeof(advantage_estimators[0]) == 5 && sizeof(surrogates) / sizeof(surrogates[0]) == 4 && sizeof(kl_estimators) / sizeof(kl_estimators[0]) == 5, "a function for each name");
    const Option *loss = option_find(&grpo_option_set, "loss", 4);
    for (size_t i = 0; i < sizeof(named_losses) / sizeof(named_losses[0]); i++) {
        char line[200];
        check(option_choice_allowed(loss->allowed, named_losses[i][0]), "--loss %s can be given", named_losses[i][0]);
        snprintf(line, sizeof(line), "--loss %s", named_losses[i][0]);
        if (strcmp(named_losses[i][1], "minibatch_prompts") != 0) { check_accepted(line, named_losses[i][1], named_losses[i][2]); }
    }
    static const char *const accepted[][3] = {
        {"", "advantage", "grpo"},
        {"", "surrogate", "ppo"},
        {"", "aggregate", "token-mean"},
        {"--loss grpo", "kl_coef", "0.001"},
        {"--loss dapo", "advantage", "grpo"},
        {"--loss dapo --clip_high 0.3", "clip_high", "0.3"},
        {"--clip_high 0.3 --loss dapo", "clip_high", "0.3"},
        {"--loss dapo --dynamic_sampling 0", "dynamic_sampling", "0"},
        {"--loss dr_grpo --kl_coef 0.01", "kl_coef", "0.01"},
        {"--loss rloo", "minibatch_prompts", "128"},
        {"", "microbatch_sum", "false"},
        {"", "bf16_logits", "false"},
        {"--compat deepscaler", "microbatch_sum", "true"},
        {"--compat deepscaler", "kl_coef", "-0.001"},
        {"--compat deepscaler", "old_logprobs", "trainer"},
        {"--compat deepscaler", "bf16_logits", "true"},
        {"--kl_coef 0.001 --compat deepscaler", "kl_coef", "0.001"},
        {"--compat deepscaler --bf16_logits false", "bf16_logits", "false"},
        {"--loss rloo --minibatch_prompts 32", "minibatch_prompts", "32"},
        {"--loss reinforce++", "aggregate", "token-mean"},
        {"--surrogate gspo", "aggregate", "seq-mean-token-mean"},
        {"--surrogate gspo --aggregate token-mean", "aggregate", "token-mean"},
        {"--kl_coef -0.001", "kl_coef", "-0.001"},
        {"--tis_cap 2", "old_logprobs", "trainer"},
    };
    for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) { check_accepted(accepted[i][0], accepted[i][1], accepted[i][2]); }
    Config config = {0};
    Buffer ignored = {0};
    Error error;
    check(grpo_parse(&config, "--surrogate cispo --aggregate seq-mean-token-sum-norm --kl_type k3+ --kl_coef 0.5 --entropy_coef 0.25 --clip_low 0.125 --clip_high 0.75 --microbatch_sum --tis_cap 4", &ignored, &error), "%s", error.text);
    GrpoOptions o = loss_options(&config);
    check(o.surrogate == SURROGATE_CISPO && o.aggregate == AGGREGATE_SEQ_MEAN_TOKEN_SUM_NORM && o.kl_type == KL_K3_PLUS && o.kl_coef == 0.5 && o.entropy_coef == 0.25, "options become the loss's");
    check(o.clip.low == 0.125 && o.clip.high == 0.75 && o.clip.dual == 0 && o.microbatch_sum && o.tis_cap == 4, "with their clip");
    check(grpo_parse(&config, "--kl_in reward --kl_coef 0.5 --dual_clip 3", &ignored, &error), "%s", error.text);
    o = loss_options(&config);
    check(o.kl_coef == 0 && o.clip.dual == 3 && o.surrogate == SURROGATE_PPO && o.kl_type == KL_K3 && !o.microbatch_sum, "a KL term in the reward is none in the loss");
    buffer_free(&ignored);
}

static void test_stages(void) {
    static const struct {
        const char *list;
        int count;
        Stage last;
    } good[] = {{"8192", 1, {8192, 0}}, {"8192:10", 1, {8192, 10}}, {"8192:1040,16384:480,24576:230", 3, {24576, 230}}, {"16:1,8", 2, {8, 0}}};
    Stage stages[MAX_STAGES];
    Error error;
    for (size_t i = 0; i < 4; i++) {
        int count = stages_parse(stages, good[i].list, &error);
        check(count == good[i].count && stages[count - 1].context == good[i].last.context && stages[count - 1].steps == good[i].last.steps, "stages %s",
              good[i].list);
    }
    static const char *const bad[] = {"", ",", "8192,", "8192:", "8192:0", "0", "-5", "8192:1040,", "8192,16384:5", "8k", "8192:5:6", " 8192", "8192 ",
                                      "99999999999999999999", "8192:1;16384:2",
                                      "1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) { check(stages_parse(stages, bad[i], &error) == 0, "stages \"%s\" should be refused", bad[i]); }

    Config config = {0};
    Buffer ignored = {0};
    grpo_parse(&config, "-c 32:40,56:40,96:80", &ignored, &error);
    static const int steps[][2] = {{1, 32}, {40, 32}, {41, 56}, {80, 56}, {81, 96}, {160, 96}, {161, 96}, {100000000, 96}};
    for (size_t i = 0; i < 8; i++) {
        int got = config_context(&config, steps[i][0]);
        check(got == steps[i][1], "context of step %d: got %d, want %d", steps[i][0], got, steps[i][1]);
    }
    check(config_longest_context(&config) == 96, "longest context");
    check(config_total_steps(&config, 1000) == 160, "total of the stages: %d", config_total_steps(&config, 1000));
    grpo_parse(&config, "-c 32:40,56 -b 10 --epochs 3", &ignored, &error);
    check(config_total_steps(&config, 105) == 30, "3 epochs of 105 prompts, 10 a step: %d", config_total_steps(&config, 105));
    grpo_parse(&config, "-c 32:40,56:1 -s 7", &ignored, &error);
    check(config_total_steps(&config, 105) == 7, "--steps wins: %d", config_total_steps(&config, 105));
    config_set_default(&config, "context", "64:9");
    check_text(config.context, "32:40,56:1", "a given value stays");
    config_set_default(&config, "group_size", "4");
    check(config.group_size == 4, "another default takes effect");
    buffer_free(&ignored);
}

// The words of agentica-project/deepscaler 95ef74f scripts/train/run_deepscaler_1.5b_16k.sh as a shell passes them on
static const char deepscaler_16k[] =
    "algorithm.adv_estimator=grpo data.train_files=/data/train.parquet data.val_files=/data/aime.parquet data.train_batch_size=128 "
    "data.val_batch_size=512 data.max_prompt_length=1024 data.max_response_length=16384 actor_rollout_ref.model.path=/models/8k "
    "actor_rollout_ref.actor.optim.lr=1e-6 actor_rollout_ref.model.use_remove_padding=True actor_rollout_ref.actor.ppo_mini_batch_size=64 "
    "actor_rollout_ref.actor.ppo_epochs=1 actor_rollout_ref.actor.use_dynamic_bsz=True actor_rollout_ref.actor.ppo_max_token_len_per_gpu=32768 "
    "actor_rollout_ref.actor.use_kl_loss=True actor_rollout_ref.actor.kl_loss_coef=0.001 actor_rollout_ref.actor.kl_loss_type=low_var_kl "
    "actor_rollout_ref.actor.ulysses_sequence_parallel_size=1 actor_rollout_ref.model.enable_gradient_checkpointing=True "
    "actor_rollout_ref.actor.fsdp_config.param_offload=False actor_rollout_ref.actor.fsdp_config.grad_offload=False "
    "actor_rollout_ref.actor.fsdp_config.optimizer_offload=False actor_rollout_ref.rollout.tensor_model_parallel_size=1 "
    "actor_rollout_ref.rollout.name=vllm actor_rollout_ref.rollout.temperature=0.6 actor_rollout_ref.rollout.val_temperature=0.6 "
    "actor_rollout_ref.rollout.gpu_memory_utilization=0.85 actor_rollout_ref.rollout.n=16 actor_rollout_ref.rollout.n_val=16 "
    "actor_rollout_ref.ref.fsdp_config.param_offload=True algorithm.kl_ctrl.kl_coef=0.001 trainer.critic_warmup=0 "
    "trainer.logger=['console','wandb'] trainer.project_name=deepscaler trainer.experiment_name=1.5b-16k-grpo +trainer.val_before_train=True "
    "trainer.n_gpus_per_node=8 trainer.nnodes=4 trainer.save_freq=10 trainer.test_freq=10 trainer.default_hdfs_dir=null trainer.total_epochs=30";

static void test_verl_keys(void) {
    Config config = {0};
    Buffer ignored = {0};
    Error error;
    if (check(grpo_parse(&config, deepscaler_16k, &ignored, &error), "DeepScaleR's 16K script: %s", error.text)) {
        check_text(config.train_data, "/data/train.parquet", "train_data");
        check_text(config.eval_data, "/data/aime.parquet", "eval_data");
        check_text(config.model, "/models/8k", "model");
        check_text(config.kl_type, "k3", "kl_type");
        check_text(config.logger, "console,wandb", "logger");
        check_text(config.run_dir, "runs/1.5b-16k-grpo", "run_dir");
        check(config.group_size == 16 && config.eval_samples == 16 && config.prompts_per_step == 128 && config.minibatch_prompts == 64, "sizes");
        check(config.stage_count == 1 && config.stages[0].context == 16384 && config.tokens_per_microbatch == 32768, "lengths");
        check(config.learning_rate == 1e-6f && config.temperature == 0.6f && config.kl_coef == 0.001f && config.eval_before_train, "rates");
        check(config_total_steps(&config, 40315) == 9420, "30 epochs of 314 steps: %d", config_total_steps(&config, 40315));
        check(strstr(ignored.data, "trainer.nnodes, trainer.default_hdfs_dir") && !strstr(ignored.data, "adv_estimator"), "ignored: %s", ignored.data);
    }
    buffer_free(&ignored);
    static const char *const accepted[][3] = {
        {"data.train_batch_size=8", "prompts_per_step", "8"},
        {"+data.train_batch_size=8", "prompts_per_step", "8"},
        {"++data.train_batch_size=8", "prompts_per_step", "8"},
        {"data.train_batch_size=8 -b 4", "prompts_per_step", "4"},
        {"-b 4 data.train_batch_size=8", "prompts_per_step", "8"},
        {"data.max_response_length=8192:5,16384:6", "context", "8192:5,16384:6"},
        {"data.train_files=[\"a\"]", "train_data", "a"},
        {"data.val_files=['a','b']", "eval_data", "a,b"},
        {"actor_rollout_ref.actor.clip_ratio=0.3", "clip_low", "0.3"},
        {"actor_rollout_ref.actor.clip_ratio=0.3", "clip_high", "0.3"},
        {"actor_rollout_ref.actor.kl_loss_type=kl", "kl_type", "k1"},
        {"actor_rollout_ref.actor.kl_loss_type=k2", "kl_type", "k2"},
        {"actor_rollout_ref.model.enable_gradient_checkpointing=False", "recompute", "0"},
        {"trainer.save_freq=-1", "checkpoint_every", "0"},
        {"trainer.total_training_steps=null", "steps", "0"},
        {"trainer.total_training_steps=12", "steps", "12"},
        {"trainer.resume_mode=disable", "resume", "never"},
        {"+trainer.val_before_train=False", "eval_before_train", "false"},
        {"trainer.default_local_dir=x/y", "run_dir", "x/y"},
        {"algorithm.adv_estimator=rloo", "advantage", "rloo"},
        {"algorithm.adv_estimator=reinforce_plus_plus", "advantage", "reinforce++"},
        {"algorithm.adv_estimator=reinforce_plus_plus_baseline", "advantage", "reinforce++_baseline"},
        {"algorithm.norm_adv_by_std_in_grpo=False", "advantage", "dr_grpo"},
        {"algorithm.norm_adv_by_std_in_grpo=False algorithm.adv_estimator=grpo", "advantage", "dr_grpo"},
        {"algorithm.norm_adv_by_std_in_grpo=True", "advantage", "grpo"},
        {"algorithm.norm_adv_by_std_in_grpo=False algorithm.adv_estimator=rloo", "advantage", "rloo"},
        {"actor_rollout_ref.actor.policy_loss.loss_mode=vanilla", "surrogate", "ppo"},
        {"actor_rollout_ref.actor.policy_loss.loss_mode=gspo", "surrogate", "gspo"},
        {"actor_rollout_ref.actor.policy_loss.loss_mode=gspo", "aggregate", "seq-mean-token-mean"},
        {"actor_rollout_ref.actor.policy_loss.loss_mode=gspo", "clip_high", "0.2"},
        {"actor_rollout_ref.actor.policy_loss.loss_mode=gspo actor_rollout_ref.actor.loss_agg_mode=token-mean", "aggregate", "token-mean"},
        {"actor_rollout_ref.actor.loss_agg_mode=seq-mean-token-sum-norm", "aggregate", "seq-mean-token-sum-norm"},
        {"actor_rollout_ref.actor.clip_ratio_c=3.0", "dual_clip", "3"},
        {"actor_rollout_ref.actor.use_kl_loss=False", "kl_coef", "0"},
        {"actor_rollout_ref.actor.use_kl_loss=False actor_rollout_ref.actor.kl_loss_coef=0.01", "kl_coef", "0"},
        {"actor_rollout_ref.actor.kl_loss_coef=0.01 actor_rollout_ref.actor.use_kl_loss=False", "kl_coef", "0"},
        {"actor_rollout_ref.actor.use_kl_loss=True actor_rollout_ref.actor.kl_loss_coef=0.01", "kl_coef", "0.01"},
        {"actor_rollout_ref.actor.use_kl_loss=True", "kl_coef", "0.001"},
        {"algorithm.filter_groups.enable=True", "dynamic_sampling", "10"},
        {"algorithm.filter_groups.enable=True algorithm.filter_groups.max_num_gen_batches=4", "dynamic_sampling", "4"},
        {"algorithm.filter_groups.max_num_gen_batches=0 algorithm.filter_groups.enable=True", "dynamic_sampling", "10"},
        {"algorithm.filter_groups.enable=False algorithm.filter_groups.max_num_gen_batches=4", "dynamic_sampling", "0"},
        {"+reward_model.reward_kwargs.overlong_buffer_cfg.enable=True +reward_model.reward_kwargs.overlong_buffer_cfg.len=4096", "overlong_buffer", "4096"},
        {"+reward_model.reward_kwargs.overlong_buffer_cfg.enable=False +reward_model.reward_kwargs.overlong_buffer_cfg.len=4096", "overlong_buffer", "0"},
        {"reward_model.overlong_buffer.enable=True reward_model.overlong_buffer.penalty_factor=0.5", "overlong_penalty", "0.5"},
        {"reward_model.overlong_buffer.enable=True", "overlong_buffer", "-1"},
        {"algorithm.rollout_correction.rollout_is=token", "tis_cap", "2"},
        {"algorithm.rollout_correction.rollout_is=token algorithm.rollout_correction.rollout_is_threshold=5", "tis_cap", "5"},
        {"algorithm.rollout_correction.rollout_is=null algorithm.rollout_correction.rollout_is_threshold=5", "tis_cap", "0"},
        {"algorithm.rollout_correction.rollout_is=token", "old_logprobs", "trainer"},
        {"actor_rollout_ref.actor.tis_imp_ratio_cap=-1", "tis_cap", "0"},
    };
    for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) { check_accepted(accepted[i][0], accepted[i][1], accepted[i][2]); }
    static const char *const refused[][2] = {
        {"data.train_batchsize=8", "data.train_batch_size"},
        {"+++data.train_batch_size=8", "data.train_batch_size"},
        {"actor_rollout_ref.actor.optm.lr=1", "actor_rollout_ref.actor.optim.lr"},
        {"trainer.total_step=1", "trainer.total_"},
        {"data.train_batch_size=", "has no value"},
        {"data.train_batch_size=many", "\"many\" is not a whole number"},
        {"algorithm.adv_estimator=gae", "only grpo"},
        {"algorithm.use_kl_in_reward=True", "--kl_in reward --kl_coef"},
        {"actor_rollout_ref.actor.use_kl_loss=maybe", "only True, False"},
        {"actor_rollout_ref.actor.loss_agg_mode=seq-mean", "only token-mean"},
        {"actor_rollout_ref.actor.policy_loss.loss_mode=gpg", "only ppo|gspo"},
        {"algorithm.filter_groups.metric=seq_reward", "only acc score"},
        {"algorithm.rollout_correction.rollout_is=sequence", "--tis_cap"},
        {"actor_rollout_ref.actor.ppo_epochs=2", "only 1"},
        {"=5", "is not an option"},
        {"+=", "is not an option"},
        {"~trainer.nnodes=1", "trainer.nnodes"},
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) { check_refused(refused[i][0], refused[i][1]); }
    for (int i = 0; i < OPTION_COUNT(verl_keys); i++) { // every option an alias names exists, and every translation fits where it came from
        const OptionAlias *alias = &verl_keys[i];
        for (const char *name = alias->option ? alias->option : ""; *name;) {
            size_t length = strcspn(name, " ");
            check(option_find(&grpo_option_set, name, length) != NULL, "%s: no option %s", alias->key, name);
            name += length + (name[length] == ' ');
        }
        const bool is_switch = alias->values && *alias->values == '?';
        if (is_switch) { check(strchr(alias->values, ':') && strchr(strchr(alias->values, ':') + 1, ':'), "%s: %s is no switch", alias->key, alias->values); }
        for (const char *pair = alias->option && alias->values && !is_switch ? alias->values : ""; *pair;) {
            size_t length = strcspn(pair, " "), left = strcspn(pair, "=");
            check(length - left - 1 <= left, "%s: %s does not fit in place", alias->key, pair);
            pair += length + (pair[length] == ' ');
        }
    }
}

static void test_other_programs(void) {
    RolloutConfig rollout = {0};
    SftConfig sft = {0};
    Buffer ignored = {0};
    Error error = {""};
    bool ok = parse_words(&rollout, &rollout_option_set,
                          "trainer.nnodes=1 data.path=aime.parquet data.output_path=out.jsonl data.n_samples=16 data.batch_size=2048 model.path=dir "
                          "rollout.temperature=0.6 rollout.response_length=32768 rollout.top_k=-1 rollout.top_p=0.95",
                          &ignored, &error) == OPTIONS_RUN;
    check(ok && rollout.samples == 16 && rollout.context == 32768 && rollout.top_p == 0.95f && rollout.top_k == 0 && rollout.given.context &&
              !rollout.given.seed,
          "DeepScaleR's evaluation script: %s", error.text);
    check_text(ignored.data, "trainer.nnodes, data.batch_size", "ignored");
    check(parse_words(&rollout, &rollout_option_set, "-m d -p What -n 4 --greedy -o x.jsonl --score s", &ignored, &error) == OPTIONS_RUN && rollout.greedy,
          "rollout: %s", error.text);
    check(parse_words(&sft, &sft_option_set, "-m d -d p.jsonl -o r -s 10 -b 8 -l 3e-3 -c 96 --min_lr_fraction 0.1", &ignored, &error) == OPTIONS_RUN &&
              sft.pairs_per_step == 8 && sft.learning_rate == 3e-3f,
          "train_sft: %s", error.text);
    check(parse_words(&sft, &sft_option_set, "data.train_batch_size=1", &ignored, &error) == OPTIONS_WRONG, "train_sft has no verl keys");
    check(parse_words(&sft, &sft_option_set, "--help", &ignored, &error) == OPTIONS_HELP, "--help");
    check(parse_words(&sft, &sft_option_set, "-s 3 --version", &ignored, &error) == OPTIONS_VERSION, "--version");
    buffer_free(&ignored);
    const OptionSet *sets[] = {&grpo_option_set, &rollout_option_set, &sft_option_set};
    for (int s = 0; s < 3; s++) { // no name and no letter twice; one line of help for each
        Buffer help = {0};
        FILE *file = tmpfile();
        options_help(file, sets[s]);
        rewind(file);
        for (int c; (c = getc(file)) != EOF;) { buffer_append(&help, &(char){(char)c}, 1); }
        fclose(file);
        for (int i = 0; i < sets[s]->option_count; i++) {
            const Option *option = &sets[s]->options[i];
            int twins = 0;
            for (int j = 0; j < i; j++) {
                twins += !strcmp(option->name, sets[s]->options[j].name) || (*option->letter && !strcmp(option->letter, sets[s]->options[j].letter));
            }
            check(twins == 0, "%s: --%s or -%s stands for two options", sets[s]->program, option->name, option->letter);
            char name[64];
            snprintf(name, sizeof(name), "--%s ", option->name);
            const char *at = strstr(help.data, name);
            size_t length = at ? strcspn(at, "\n") : 0;
            check(at && (!*option->value || memmem(at, length, option->value, strlen(option->value))), "%s: help of %s with its default", sets[s]->program,
                  name);
        }
        buffer_free(&help);
    }
}

static void test_config_json(void) {
    const char *path = "build/test_options_config.json";
    Config config = {0};
    Buffer ignored = {0}, difference = {0};
    Error error = {""};
    grpo_parse(&config, "-m dir -g 4 -c 32:40,56:40 -l 3e-7 --seed 9007199254740993", &ignored, &error);
    check(config_write_json(path, &config, &grpo_option_set, &error), "%s", error.text);
    Buffer written = {0};
    check(file_read(path, &written, &error) && strstr(written.data, "\"learning_rate\": 3e-7,"), "numbers are written as they were typed");
    buffer_free(&written);
    json_t *saved = json_read(path, &error);
    check(saved && json_integer_value(json_object_get(saved, "seed")) == 9007199254740993, "seed in config.json");
    check(saved && json_number_value(json_object_get(saved, "learning_rate")) == 3e-7, "learning_rate in config.json: %.17g",
          json_number_value(json_object_get(saved, "learning_rate")));
    check(saved && json_object_size(saved) == (size_t)grpo_option_set.option_count, "every option in config.json");
    static const struct {
        const char *line, *want;
        int step;
    } cases[] = {
        {"-m dir -g 4 -c 32:40,56:40 -l 3e-7 --seed 9007199254740993", "", 60},
        {"-m dir -g 4 -c 32:40,56:40 -l 3e-7 --seed 9007199254740993 -s 9 -o else --threads 3 --eval_every 1 --plan --logger wandb", "", 60},
        {"-m dir -g 4 -c 32:40,56:20,96:5 -l 3e-7 --seed 9007199254740993", "", 60}, // a later stage may be added
        {"-m dir -g 4 -c 32:40,56:19,96:5 -l 3e-7 --seed 9007199254740993", "context 32:40,56:40 -> 32:40,56:19,96:5", 60},
        {"-m dir -g 8 -c 32:40,56:40 -l 3e-7", "group_size 4 -> 8, seed 9007199254740993 -> 1337", 60},
        {"-m other -g 4 -c 32:40,56:40 -l 3e-6 --seed 9007199254740993", "model dir -> other, learning_rate 3e-7 -> 3e-06", 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        grpo_parse(&config, cases[i].line, &ignored, &error);
        bool differs = config_difference(&difference, saved, &config, cases[i].step);
        check_text(difference.data ? difference.data : "", cases[i].want, cases[i].line);
        check(differs == (*cases[i].want != 0), "%s: differs", cases[i].line);
    }
    json_object_set_new(saved, "group_size", json_string("many")); // config.json is anybody's
    json_object_set_new(saved, "context", json_array());
    json_object_del(saved, "model");
    grpo_parse(&config, cases[0].line, &ignored, &error);
    config_difference(&difference, saved, &config, 3);
    check_text(difference.data, "context [] -> 32:40,56:40, group_size many -> 4", "a damaged config.json");
    json_decref(saved);
    buffer_free(&ignored);
    buffer_free(&difference);
    unlink(path);
}

int main(void) {
    test_forms();
    test_losses();
    test_stages();
    test_verl_keys();
    test_other_programs();
    test_config_json();
    return check_report("test_options");
}
