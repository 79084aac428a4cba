// config: the options of the three programs that run a model, one line each. Defaults of train_grpo are DeepScaleR's recipe.
#pragma once
#include "llmc/named_losses.h"
#include "llmc/options.h"
#include "llmc/verl_keys.h"

static const char model_default[] = "models/DeepSeek-R1-Distill-Qwen-1.5B"; // taken when --model is not given and this is there

// ---- train_grpo. What is learnt follows from the first two groups: a run can only be resumed with the same ones.
// clang-format off
#define GRPO_RECIPE_DATA(OPTION) \
    OPTION(text,  model,                 "m", "",      "",            "Hugging Face folder to start from; without it the miniature")                  \
    OPTION(flag,  random_weights,        "",  "false", "",            "draw the weights at random where the model folder holds none")                  \
    OPTION(text,  train_data,            "d", "",      "",            "prompts to train on: .bin, .parquet or .jsonl")                                 \
    OPTION(text,  context,               "c", "8192:1040,16384:480,24576:230", "", "response tokens[:steps] of each stage")                              \
    OPTION(int,   max_prompt_tokens,     "",  "1024",  "[1,1048576]", "longer prompts are left out")                                                   \
    OPTION(int,   prompts_per_step,      "b", "128",   "[1,1048576]", "questions per step")                                                            \
    OPTION(int,   group_size,            "g", "8",     "[2,4096]",    "answers sampled per question")                                                  \
    OPTION(int,   minibatch_prompts,     "",  "64",    "[1,1048576]", "questions per optimizer update; must divide prompts_per_step")                  \
    OPTION(float, temperature,           "t", "0.6",   "(0,100]",     "of sampling, and of the log-probabilities trained on")                          \
    OPTION(text,  grader,                "",  "deepscaler", "deepscaler|math_verify", "what decides the reward")                                                   \
    OPTION(int64, seed,                  "",  "1337",  "",            "every random choice follows from it")
#define GRPO_RECIPE_LOSS(OPTION) \
    OPTION(text,  loss,                  "",  "grpo",  "grpo|dr_grpo|dapo|gspo|cispo|rloo|reinforce++|reinforce++_baseline", "a published objective: gives the options below its defaults (docs/losses.md)") \
    OPTION(text,  compat,                "",  "none",  "none|deepscaler", "what the published run did by accident: microbatch_sum, kl_coef -0.001, old_logprobs trainer, bf16_logits (docs/losses.md)") \
    OPTION(text,  advantage,             "",  "grpo",  "grpo|dr_grpo|rloo|reinforce++|reinforce++_baseline", "how much better an answer is: than its group (over its std, or not), the others of it, the batch") \
    OPTION(text,  surrogate,             "",  "ppo",   "ppo|gspo|cispo|reinforce", "what a token contributes: ratio clipped per token, per answer, as a weight; no ratio") \
    OPTION(text,  aggregate,             "",  "token-mean", "token-mean|token-sum|seq-mean-token-sum|seq-mean-token-mean|seq-mean-token-sum-norm", "how token losses become one") \
    OPTION(float, clip_low,              "",  "0.2",   "[0,1]",       "ratios below 1 - clip_low are clipped")                                         \
    OPTION(float, clip_high,             "",  "0.2",   "[0,1000]",    "ratios above 1 + clip_high are clipped")                                        \
    OPTION(float, dual_clip,             "",  "0",     "[0,1000]",    "where the advantage is negative ratios above it are clipped too, 0 = never (verl: 3)") \
    OPTION(float, kl_coef,               "",  "0.001", "[-1000,1000]", "weight of the KL divergence from the start model, 0 = none")                   \
    OPTION(text,  kl_type,               "",  "k3",    "k1|k2|k3|k1+|k3+", "its estimator per token; + = with the gradient of k2")                     \
    OPTION(text,  kl_in,                 "",  "loss",  "loss|reward", "where it is subtracted: per token from the objective, or per answer from the reward") \
    OPTION(float, entropy_coef,          "",  "0.001", "[-1000,1000]", "weight of the entropy bonus")                                                  \
    OPTION(text,  old_logprobs,          "",  "sampler", "sampler|trainer", "what ratios are taken to: as sampled, or computed anew at the start of the step") \
    OPTION(float, tis_cap,               "",  "0",     "[0,1000]",    "weigh tokens by p_old / p_sampled, at most so much, 0 = no weights (verl: 2)")  \
    OPTION(int,   dynamic_sampling,      "",  "0",     "[0,1000000]", "replace groups without a signal by answers to further prompts, in at most so many rounds, 0 = keep them") \
    OPTION(int,   overlong_buffer,       "",  "0",     "[-1,1048576]", "tokens before the limit over which reward is taken off, 0 = none, -1 = a fifth of the context") \
    OPTION(float, overlong_penalty,      "",  "1",     "[0,1000]",    "reward taken off an answer as long as the limit")                               \
    OPTION(flag,  mask_truncated,        "",  "false", "",            "do not train on answers that were cut at the limit")                            \
    OPTION(flag,  microbatch_sum,        "",  "false", "",            "each micro-batch's own loss, summed, as verl did in DeepScaleR's time")         \
    OPTION(flag,  bf16_logits,           "",  "false", "",            "the trainer's logits are rounded to bf16, divided by the temperature and rounded again, as there") \
    OPTION(float, learning_rate,         "l", "1e-6",  "[0,1]",       "AdamW's, constant after the warm-up")                                           \
    OPTION(int,   warmup_steps,          "",  "0",     "[0,1048576]", "steps of linear warm-up")                                                       \
    OPTION(text,  stage_restart,         "",  "adam,reference,data", "", "what begins anew with each stage after the first; none = nothing")              \
    OPTION(float, stage_trigger,         "",  "0",     "[0,1]",       "a stage but the last ends early once the share of answers cut at its context, over 20 steps, has been lower and reaches this; 0 = never") \
    OPTION(float, weight_decay,          "",  "0.01",  "[0,10]",      "AdamW's, on every weight")                                                      \
    OPTION(float, adam_beta1,            "",  "0.9",   "[0,1)",       "decay of the first moment")                                                     \
    OPTION(float, adam_beta2,            "",  "0.999", "[0,1)",       "decay of the second moment")                                                    \
    OPTION(float, adam_eps,              "",  "1e-8",  "(0,1]",       "added to the root of the second moment")                                        \
    OPTION(int,   tokens_per_microbatch, "",  "0",     "[0,16777216]", "packed tokens per forward and backward, 0 = the longest sequence, at least 16384") \
    OPTION(float, grad_clip,             "",  "1.0",   "[0,inf)",     "largest gradient norm, 0 = never clipped")
#define GRPO_RUN(OPTION) \
    OPTION(text,  run_dir,               "o", "",      "",            "everything the run writes; runs/EXPERIMENT without it")                         \
    OPTION(int,   steps,                 "s", "0",     "[0,100000000]", "steps in all, 0 = as the stages say")                                         \
    OPTION(int,   epochs,                "",  "1",     "[1,1000000]", "passes over the prompts, where neither steps nor the stages say")               \
    OPTION(text,  resume,                "",  "auto",  "auto|never|DIR", "go on from run_dir's last checkpoint, start anew, or from a checkpoint")     \
    OPTION(text,  replay,                "",  "",      "",            "repeat one update from the answers in RUN/rollouts/step_000042.jsonl, with RUN's options, and compare fingerprints") \
    OPTION(int,   checkpoint_every,      "",  "20",    "[0,100000000]", "steps between checkpoints, 0 = only at the end")                              \
    OPTION(int,   max_skipped_updates,   "",  "5",     "[0,1000000]", "updates in a row without a finite gradient that end the run, 0 = never")        \
    OPTION(int,   keep_checkpoints,      "",  "3",     "[0,1000000]", "how many stay on disk, 0 = all")                                                \
    OPTION(text,  project,               "",  "grpo.c", "",           "the run's project in W&B")                                                      \
    OPTION(text,  experiment,            "",  "grpo",  "",            "the run's name")                                                                \
    OPTION(text,  logger,                "",  "tensorboard,wandb,report", "", "what is written beside the console and metrics.jsonl")                  \
    OPTION(int,   rollouts_every,        "",  "1",     "[0,100000000]", "steps between files in rollouts/, 0 = none")                                  \
    OPTION(int,   print_rollouts_every,  "",  "10",    "[0,100000000]", "steps between sample answers on the console, 0 = never")
#define GRPO_EVALUATION(OPTION) \
    OPTION(text,  eval_data,             "v", "",      "",            "held-out prompts: FILE[,FILE]")                                                 \
    OPTION(int,   eval_every,            "",  "20",    "[0,100000000]", "steps between evaluations, 0 = never")                                        \
    OPTION(int,   eval_samples,          "",  "16",    "[1,65536]",   "answers per question")                                                          \
    OPTION(float, eval_temperature,      "",  "0.6",   "[0,100]",     "0 = greedy")                                                                    \
    OPTION(float, eval_top_p,            "",  "0.95",  "(0,1]",       "nucleus")                                                                       \
    OPTION(int,   eval_max_tokens,       "",  "0",     "[0,1048576]", "longest answer, 0 = the running context")                                       \
    OPTION(flag,  eval_greedy,           "",  "false", "",            "also answer each question once with the likeliest tokens")                      \
    OPTION(flag,  eval_before_train,     "",  "true",  "",            "evaluate the start model first")
#define GRPO_MACHINE(OPTION) \
    OPTION(int,   recompute,             "",  "-1",    "[-1,2]",      "activations kept: 0 = all, 1 = all but norms and SwiGLU, 2 = layer inputs, -1 = 1, or 2 if that does not fit") \
    OPTION(int,   kv_cache_mib,          "",  "0",     "[0,16777216]", "memory for keys and values while sampling, 0 = what is left")                  \
    OPTION(int,   max_sequences,         "",  "0",     "[0,1048576]", "answers sampled at the same time, 0 = as many as fit")                          \
    OPTION(int,   threads,               "",  "0",     "[0,4096]",    "CPU threads, 0 = one per core")                                                 \
    OPTION(text,  rollout_queue,         "",  "shared", "shared|fixed", "which rank answers what: whoever is free, or each its groups in turn, so that GPUs whose products round by their shape give the same bits again") \
    OPTION(int,   rank_timeout,          "",  "600",   "[1,86400]",   "seconds after which a rank that gives no sign or gets no further ends the job") \
    OPTION(flag,  plan,                  "",  "false", "",            "print the memory plan and end; exit code 1 if it does not fit")

// ---- rollout
#define ROLLOUT_OPTIONS(OPTION) \
    OPTION(text,  model,                 "m", "",      "",            "Hugging Face folder; without it the miniature")                                 \
    OPTION(flag,  random_weights,        "",  "false", "",            "draw the weights at random where the model folder holds none")                  \
    OPTION(text,  prompt,                "p", "",      "",            "one question")                                                                  \
    OPTION(text,  eval_data,             "e", "",      "",            "a set of questions: .bin, .parquet or .jsonl")                                  \
    OPTION(text,  score,                 "",  "",      "",            "JSONL {\"ids\":[..]} to print {\"logprobs\":[..]} of, one for each id after the first") \
    OPTION(text,  output,                "o", "",      "",            "JSONL of the answers")                                                          \
    OPTION(int,   samples,               "n", "1",     "[1,65536]",   "answers per question")                                                          \
    OPTION(int,   context,               "c", "8192",  "[1,1048576]", "longest answer in tokens")                                                      \
    OPTION(int,   max_prompt_tokens,     "",  "4096",  "[1,1048576]", "longer prompts are left out")                                                   \
    OPTION(float, temperature,           "t", "0.6",   "[0,100]",     "0 = greedy")                                                                    \
    OPTION(float, top_p,                 "",  "1",     "(0,1]",       "sample from the smallest set of tokens with this much probability")             \
    OPTION(int,   top_k,                 "",  "0",     "[0,1048576]", "sample from the k likeliest tokens, 0 = all")                                   \
    OPTION(flag,  greedy,                "",  "false", "",            "always the likeliest token")                                                    \
    OPTION(text,  grader,                "",  "deepscaler", "deepscaler|math_verify", "what decides whether an answer is right")                                   \
    OPTION(int64, seed,                  "",  "1337",  "",            "every random choice follows from it")                                           \
    OPTION(int,   kv_cache_mib,          "",  "0",     "[0,16777216]", "memory for keys and values, 0 = what is left")                                 \
    OPTION(int,   max_sequences,         "",  "0",     "[0,1048576]", "answers sampled at the same time, 0 = as many as fit")                          \
    OPTION(int,   threads,               "",  "0",     "[0,4096]",    "CPU threads, 0 = one per core")                                                  \
    OPTION(int,   rank_timeout,          "",  "600",   "[1,86400]",   "seconds after which a rank that gives no sign or gets no further ends the job")

// ---- train_sft
#define SFT_OPTIONS(OPTION) \
    OPTION(text,  model,                 "m", "",      "",            "Hugging Face folder to start from")                                             \
    OPTION(flag,  random_weights,        "",  "false", "",            "draw the weights at random where the model folder holds none")                  \
    OPTION(text,  train_data,            "d", "",      "",            "prompt/response pairs: .parquet or .jsonl")                                     \
    OPTION(text,  run_dir,               "o", "runs/sft", "",         "everything the run writes")                                                     \
    OPTION(int,   steps,                 "s", "1000",  "[0,100000000]", "optimizer steps")                                                             \
    OPTION(int,   pairs_per_step,        "b", "64",    "[1,1048576]", "pairs per step")                                                                \
    OPTION(int,   context,               "c", "8192",  "[2,1048576]", "longest prompt + response in tokens; longer pairs are left out")                \
    OPTION(float, learning_rate,         "l", "1e-5",  "[0,1]",       "AdamW's peak, then along a cosine")                                             \
    OPTION(int,   warmup_steps,          "",  "50",    "[0,1048576]", "steps of linear warm-up")                                                       \
    OPTION(float, min_lr_fraction,       "",  "0.1",   "[0,1]",       "where the cosine ends, as part of the peak")                                    \
    OPTION(float, weight_decay,          "",  "0.01",  "[0,10]",      "AdamW's, on every weight")                                                      \
    OPTION(float, adam_beta1,            "",  "0.9",   "[0,1)",       "decay of the first moment")                                                     \
    OPTION(float, adam_beta2,            "",  "0.999", "[0,1)",       "decay of the second moment")                                                    \
    OPTION(float, adam_eps,              "",  "1e-8",  "(0,1]",       "added to the root of the second moment")                                        \
    OPTION(float, grad_clip,             "",  "1.0",   "[0,inf)",     "largest gradient norm, 0 = never clipped")                                      \
    OPTION(int64, seed,                  "",  "1337",  "",            "every random choice follows from it")                                           \
    OPTION(int,   tokens_per_microbatch, "",  "32768", "[1,16777216]", "packed tokens per forward and backward; sets the memory")        \
    OPTION(int,   recompute,             "",  "1",     "[0,2]",       "activations kept: 0 = all, 1 = one layer's inner ones again, 2 = layer inputs only") \
    OPTION(int,   threads,               "",  "0",     "[0,4096]",    "CPU threads, 0 = one per core")
// clang-format on
#define GRPO_OPTIONS(OPTION) \
    GRPO_RECIPE_DATA(OPTION) \
    GRPO_RECIPE_LOSS(OPTION) \
    GRPO_RUN(OPTION)         \
    GRPO_EVALUATION(OPTION)  \
    GRPO_MACHINE(OPTION)

typedef struct {
    int context, steps; // response tokens, and steps before the next stage; 0 steps in the last stage: until the run ends
} Stage;
enum { MAX_STAGES = 32 };

typedef struct {
    GRPO_OPTIONS(OPTION_FIELD)
    struct {
        GRPO_OPTIONS(OPTION_GIVEN)
    } given;
    Stage stages[MAX_STAGES]; // from `context`
    int stage_count;
    char recorded_run[900]; // whose step `replay` is
} Config;
typedef struct {
    ROLLOUT_OPTIONS(OPTION_FIELD)
    struct {
        ROLLOUT_OPTIONS(OPTION_GIVEN)
    } given;
} RolloutConfig;
typedef struct {
    SFT_OPTIONS(OPTION_FIELD)
    struct {
        SFT_OPTIONS(OPTION_GIVEN)
    } given;
} SftConfig;

#define OPTION_ROW_DATA(...)       OPTION_ROW(Config, "questions and answers", __VA_ARGS__)
#define OPTION_ROW_LOSS(...)       OPTION_ROW(Config, "what is learnt from them", __VA_ARGS__)
#define OPTION_ROW_RUN(...)        OPTION_ROW(Config, "the run", __VA_ARGS__)
#define OPTION_ROW_EVALUATION(...) OPTION_ROW(Config, "evaluation", __VA_ARGS__)
#define OPTION_ROW_MACHINE(...)    OPTION_ROW(Config, "the machine; nothing here changes what is learnt", __VA_ARGS__)
#define OPTION_ROW_ROLLOUT(...)    OPTION_ROW(RolloutConfig, "options", __VA_ARGS__)
#define OPTION_ROW_SFT(...)        OPTION_ROW(SftConfig, "options", __VA_ARGS__)
#define OPTION_COUNT_ONE(...)      +1
enum { GRPO_RECIPE_COUNT = 0 GRPO_RECIPE_DATA(OPTION_COUNT_ONE) GRPO_RECIPE_LOSS(OPTION_COUNT_ONE) };

static const Option grpo_options[] = {GRPO_RECIPE_DATA(OPTION_ROW_DATA) GRPO_RECIPE_LOSS(OPTION_ROW_LOSS) GRPO_RUN(OPTION_ROW_RUN)
                                          GRPO_EVALUATION(OPTION_ROW_EVALUATION) GRPO_MACHINE(OPTION_ROW_MACHINE)};
static const Option rollout_options[] = {ROLLOUT_OPTIONS(OPTION_ROW_ROLLOUT)};
static const Option sft_options[] = {SFT_OPTIONS(OPTION_ROW_SFT)};

#define OPTION_COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))
static const OptionSet grpo_option_set = {
    "train_grpo", "reinforcement learning of a language model with verifiable rewards; ./train_grpo doctor OPTIONS checks what they need", grpo_options, OPTION_COUNT(grpo_options), verl_keys, OPTION_COUNT(verl_keys)};
static const OptionSet rollout_option_set = {"rollout", "generates, evaluates and scores", rollout_options, OPTION_COUNT(rollout_options),
                                             verl_generation_keys, OPTION_COUNT(verl_generation_keys)};
static const OptionSet sft_option_set = {"train_sft", "supervised start from prompt/response pairs", sft_options, OPTION_COUNT(sft_options), NULL, 0};

// ---- stages
// "8192" or "8192:1040,16384:480,24576": the number of stages, 0 with an error. Only the last may leave its steps open.
static inline int stages_parse(Stage stages[MAX_STAGES], const char *list, Error *error) {
    int count = 0;
    for (const char *p = list;; p++) {
        if (count == MAX_STAGES) { return error_set(error, "--context %.200s: more than %d stages", list, MAX_STAGES); }
        long numbers[2] = {0, 0};
        for (int i = 0; i < 2; i++) {
            char *end = (char *)p;
            numbers[i] = isdigit((unsigned char)*p) ? strtol(p, &end, 10) : 0;
            if (end == p || numbers[i] < 1 || numbers[i] > 100000000) {
                return error_set(error, "--context %.200s: stage %d: \"%.20s\" is no %s; write TOKENS[:STEPS],.. like 8192:1040,16384:480", list,
                                 count + 1, p, i ? "number of steps" : "number of response tokens");
            }
            p = end;
            if (i == 0 && *p != ':') { break; }
            p += i == 0;
        }
        stages[count++] = (Stage){(int)numbers[0], (int)numbers[1]};
        if (!*p) { return count; }
        if (*p != ',') { return error_set(error, "--context %.200s: stage %d is followed by \"%.20s\", not by a comma", list, count, p); }
        if (!numbers[1]) { return error_set(error, "--context %.200s: stage %d has no :STEPS, and is not the last", list, count); }
    }
}
// The stage that step (from 1) belongs to; past the end the last one goes on.
static inline int config_stage(const Config *config, int step) {
    int stage = 0;
    for (int64_t end = config->stages[0].steps; stage + 1 < config->stage_count && step > end; end += config->stages[stage].steps) { stage++; }
    return stage;
}
static inline int config_context(const Config *config, int step) { return config->stages[config_stage(config, step)].context; }
static inline int config_longest_context(const Config *config) {
    int longest = 0;
    for (int i = 0; i < config->stage_count; i++) { longest = config->stages[i].context > longest ? config->stages[i].context : longest; }
    return longest;
}
// How many steps the run has: --steps, else what the stages add up to, else --epochs over this many prompts (the rest of an epoch is dropped).
static inline int config_total_steps(const Config *config, int64_t prompts) {
    if (config->steps) { return config->steps; }
    int64_t total = 0;
    for (int i = 0; i < config->stage_count; i++) { total += config->stages[i].steps; }
    if (!config->stages[config->stage_count - 1].steps) { total = prompts / config->prompts_per_step * config->epochs; }
    return total < INT32_MAX ? (int)total : INT32_MAX;
}

// ---- lists in a text: "tensorboard,wandb"
static inline bool list_next(const char **cursor, char item[64]) {
    if (!**cursor) { return false; }
    size_t length = strcspn(*cursor, ",");
    snprintf(item, 64, "%.*s", (int)length, *cursor);
    *cursor += length + ((*cursor)[length] == ',');
    return true;
}
static inline bool list_contains(const char *list, const char *word) {
    char item[64];
    while (list_next(&list, item)) {
        if (!strcmp(item, word)) { return true; }
    }
    return false;
}

// ---- what one line cannot say: values that depend on each other
static inline bool config_check(Config *config, Error *error) {
    static char run_dir[1024]; // a program has one Config, and it is copied by value
    if (!*config->run_dir) {
        snprintf(run_dir, sizeof(run_dir), "runs/%s", config->experiment);
        config->run_dir = run_dir;
    }
    if (strlen(config->run_dir) > 800) { return error_set(error, "--run_dir %.40s..: a path of more than 800 bytes", config->run_dir); }
    config->stage_count = stages_parse(config->stages, config->context, error);
    if (!config->stage_count) { return false; }
    if (!config->given.minibatch_prompts) { // the largest that is no larger than the default and divides
        while (config->minibatch_prompts > config->prompts_per_step || config->prompts_per_step % config->minibatch_prompts) {
            config->minibatch_prompts--;
        }
    }
    if (config->prompts_per_step % config->minibatch_prompts) {
        return error_set(error, "--minibatch_prompts %d does not divide --prompts_per_step %d", config->minibatch_prompts, config->prompts_per_step);
    }
    if ((int64_t)config->prompts_per_step * config->group_size > 1 << 24) {
        return error_set(error, "--prompts_per_step %d times --group_size %d are more than %d answers a step", config->prompts_per_step, config->group_size, 1 << 24);
    }
    int64_t longest = (int64_t)config_longest_context(config) + config->max_prompt_tokens;
    if (longest > 1 << 24) { // what --tokens_per_microbatch, which follows from it, may be
        return error_set(error, "--context %.200s: with --max_prompt_tokens %d a sequence has %lld tokens, more than %d", config->context, config->max_prompt_tokens, (long long)longest, 1 << 24);
    }
    if (config->tokens_per_microbatch == 0) { config->tokens_per_microbatch = longest > 16384 ? (int)longest : 16384; }
    if (config->tokens_per_microbatch < longest) {
        return error_set(error, "--tokens_per_microbatch %d cannot hold one sequence of %lld tokens: max_prompt_tokens %d + the longest context %d",
                         config->tokens_per_microbatch, (long long)longest, config->max_prompt_tokens, config_longest_context(config));
    }
    if (config->dual_clip != 0 && config->dual_clip <= 1) { return error_set(error, "--dual_clip %g: must be above 1, as a bound on ratios that have grown, or 0", (double)config->dual_clip); }
    if (config->dual_clip != 0 && strcmp(config->surrogate, "ppo") != 0 && strcmp(config->surrogate, "gspo") != 0) {
        return error_set(error, "--dual_clip %g: bounds the ratio of --surrogate ppo and gspo; %s has none to bound", (double)config->dual_clip, config->surrogate);
    }
    if (config->tis_cap > 0 && !config->given.old_logprobs) { config->old_logprobs = "trainer"; }
    if (config->tis_cap > 0 && strcmp(config->old_logprobs, "trainer") != 0) {
        return error_set(error, "--tis_cap %g: compares the trainer's log-probabilities with the sampler's: needs --old_logprobs trainer", (double)config->tis_cap);
    }
    for (int i = 0; i < config->stage_count; i++) {
        if (config->overlong_buffer > config->stages[i].context) {
            return error_set(error, "--overlong_buffer %d: is longer than the context of stage %d, %d", config->overlong_buffer, i + 1, config->stages[i].context);
        }
    }
    char logger[64];
    for (const char *cursor = config->logger; list_next(&cursor, logger);) {
        if (!list_contains("console,file,jsonl,tensorboard,wandb,report", logger)) {
            return error_set(error, "--logger %.200s: \"%s\" is none of tensorboard, wandb, report (console and jsonl are always written)", config->logger,
                             logger);
        }
    }
    return true;
}
// --loss and --compat: the defaults of what they name. The mean of a surrogate of sequences is one of sequences, whoever asks for it.
static inline void config_apply_names(Config *config) {
    for (size_t i = 0; i < sizeof(named_losses) / sizeof(named_losses[0]); i++) {
        if (!strcmp(named_losses[i][0], config->loss)) { options_set_default(config, &grpo_option_set, named_losses[i][1], named_losses[i][2]); }
    }
    for (size_t i = 0; i < sizeof(deepscaler_quirks) / sizeof(deepscaler_quirks[0]) && !strcmp(config->compat, "deepscaler"); i++) {
        options_set_default(config, &grpo_option_set, deepscaler_quirks[i][0], deepscaler_quirks[i][1]);
    }
    if (!strcmp(config->surrogate, "gspo")) { options_set_default(config, &grpo_option_set, "aggregate", "seq-mean-token-mean"); }
}
static inline void config_json_text(Buffer *out, const json_t *value) {                                      // of config.json, as it would stand on a command line
    char *dump = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)); // 9 digits tell floats apart
    buffer_clear(out);
    buffer_append_text(out, dump ? dump : json_is_string(value) ? json_string_value(value)
                                                                : "nothing");
    free(dump);
}
// --replay RUN/rollouts/step_000042.jsonl: options that the user did not give are RUN's; what is written goes to RUN/replay/step_000042, and the
// checkpoint that the step began from is RUN's or, where RUN kept none, that of the replay of step 41.
static inline void config_take_recorded(Config *config) {
    static char run_dir[1024], from[1100];
    static json_t *recorded; // what the options point into
    char path[1024], *run = config->recorded_run;
    int step = 0, length = 0;
    Error error;
    Buffer text = {0};
    const char *slash = strrchr(config->replay, '/'), *name = slash ? slash + 1 : config->replay;
    if (sscanf(name, "step_%d.jsonl%n", &step, &length) != 1 || name[length] || step < 1 || strlen(config->replay) > 700) { fatal("--replay %.200s: is not a run's rollouts/step_000042.jsonl", config->replay); }
    snprintf(run, sizeof(config->recorded_run), "%s", config->replay);
    for (int up = 0; up < 2; up++) { // the folder above that of the file
        char *end = strrchr(run, '/');
        if (end) { *end = 0; }
        if (!end) { strcpy(run, strcmp(run, ".") ? "." : ".."); }
    }
    snprintf(path, sizeof(path), "%.900s/config.json", run);
    recorded = json_read(path, &error);
    if (!recorded) { fatal("--replay needs its run's options: %s", error.text); }
    for (int i = 0; i < grpo_option_set.option_count; i++) {
        const Option *option = &grpo_options[i];
        const json_t *value = json_object_get(recorded, option->name);
        if (!value || ((const bool *)config)[option->given]) { continue; }
        config_json_text(&text, value);
        if (!option_set(config, option, json_is_string(value) ? json_string_value(value) : text.data, option->name, &error)) { fatal("%s: %s", path, error.text); }
    }
    buffer_free(&text);
    config->steps = step;
    config->eval_data = config->logger = "";
    config->checkpoint_every = config->rollouts_every = config->print_rollouts_every = 0;
    snprintf(run_dir, sizeof(run_dir), "%.900s/replay/step_%06d", run, step);
    if (!config->given.run_dir) { config->run_dir = run_dir; }
    if (config->given.resume) { return; }
    config->resume = "auto";
    if (step == 1) { return; } // from the model that the run began with
    snprintf(from, sizeof(from), "%.900s/checkpoints/step_%06d", run, step - 1);
    if (!file_exists(from)) { snprintf(from, sizeof(from), "%.900s/replay/step_%06d/checkpoints/step_%06d", run, step - 1, step - 1); }
    if (!file_exists(from)) { fatal("--replay: step %d began from step %d, of which %.200s has no checkpoint: replay that step first, or keep all of a run's (--checkpoint_every 1 --keep_checkpoints 0)", step, step - 1, run); }
    config->resume = from;
}
static inline Config config_from_args(int argc, char **argv) {
    Config config = {0};
    Error error;
    options_from_args(&config, &grpo_option_set, argc, argv);
    *config.replay ? config_take_recorded(&config) : config_apply_names(&config);
    if (!config_check(&config, &error)) { fatal("%s", error.text); }
    return config;
}
// Another default, unless the user gave a value: config_set_default(&config, "context", "32:40,56:40,96:80").
static inline void config_set_default(Config *config, const char *name, const char *value) {
    Error error;
    options_set_default(config, &grpo_option_set, name, value);
    if (!config_check(config, &error)) { fatal("%s", error.text); }
}
static inline RolloutConfig rollout_config_from_args(int argc, char **argv) {
    RolloutConfig config = {0};
    options_from_args(&config, &rollout_option_set, argc, argv);
    if (config.greedy) { config.temperature = 0; }
    return config;
}
static inline SftConfig sft_config_from_args(int argc, char **argv) {
    SftConfig config = {0};
    options_from_args(&config, &sft_option_set, argc, argv);
    return config;
}

// ---- the resolved configuration on disk, and what a resumed run may not change
static inline bool config_write_json(const char *path, const void *config, const OptionSet *set, Error *error) {
    json_t *json = options_json(config, set);
    char *dump = json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(9)); // 9 digits tell floats apart
    Buffer buffer = {0};
    buffer_printf(&buffer, "%s\n", dump);
    bool ok = file_write_atomic(path, buffer.data, buffer.size, error);
    free(dump);
    buffer_free(&buffer);
    json_decref(json);
    return ok;
}
static inline bool config_same_stages(const Config *a, const Config *b, int step) { // up to `step`, which is what has been done
    for (int i = 1; i <= step; i++) {
        if (config_context(a, i) != config_context(b, i)) { return false; }
    }
    return true;
}
// Names what would teach something else than the run in `saved` (its config.json) did up to `step`: "group_size 8 -> 16, seed 1 -> 2".
// Where things are written, how often, on what machine, how long it goes on and with which later stages may change. True if anything differs.
static inline bool config_difference(Buffer *out, const json_t *saved, const Config *current, int step) {
    buffer_clear(out);
    Config before = *current;
    for (int i = 0; i < GRPO_RECIPE_COUNT; i++) {
        const Option *option = &grpo_options[i];
        const json_t *value = json_object_get(saved, option->name);
        if (!value) { continue; }
        Error unused;
        Buffer then = {0}, now = {0};
        config_json_text(&then, value);
        option_text(&now, current, option);
        bool same = option_set(&before, option, then.data, option->name, &unused);
        if (same) { // compared as this program writes it
            Buffer again = {0};
            option_text(&again, &before, option);
            same = again.size == now.size && (!now.size || !memcmp(again.data, now.data, now.size));
            buffer_free(&again);
            if (!same && !strcmp(option->name, "context")) {
                before.stage_count = stages_parse(before.stages, before.context, &unused);
                same = before.stage_count && config_same_stages(&before, current, step);
            }
        }
        if (!same) { buffer_printf(out, "%s%s %s -> %s", out->size ? ", " : "", option->name, then.data, now.size ? now.data : "nothing"); }
        buffer_free(&then);
        buffer_free(&now);
        before = *current; // no text of `before` outlives `then`
    }
    return out->size > 0;
}
