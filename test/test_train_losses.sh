# Every --loss trains, says what it consists of, and measures its parts; a run with dynamic sampling resumes to the same bits.
. test/check.sh
tiny_start "$scratch" || exit 1

train() { # run_dir, further options: 8 prompts of 4 answers a step, in two updates of several micro-batches
    run=$1
    shift
    ./train_grpo -m "$scratch/model" -d "$scratch/prompts.jsonl" -o "$run" -b 8 -g 4 --minibatch_prompts 4 -c 20 -s 4 --max_prompt_tokens 16 -t 1 -l 1e-3 \
        --tokens_per_microbatch 128 --max_sequences 16 --kv_cache_mib 2 --checkpoint_every 1 --print_rollouts_every 0 --logger report "$@" >>"$run.log" 2>&1
}
fingerprints() { grep -o '"fingerprint":"[0-9a-f]*"' "$1/metrics.jsonl"; }
metric() { sed -n "s|.*\"$2\":\([^,}]*\).*|\1|p" "$1/metrics.jsonl" | tail -n 1; } # run_dir, name: of the last step

# ---- each objective, and which parts config.json says it has
for parts in \
    'grpo advantage:grpo surrogate:ppo aggregate:token-mean kl_in:loss kl_type:k3 kl_coef:0.001' \
    'dr_grpo advantage:dr_grpo surrogate:ppo aggregate:seq-mean-token-sum-norm kl_coef:0.0' \
    'dapo advantage:grpo surrogate:ppo aggregate:token-mean clip_high:0.28 dynamic_sampling:10 overlong_buffer:-1 kl_coef:0.0' \
    'gspo advantage:grpo surrogate:gspo aggregate:seq-mean-token-mean clip_low:0.0003 clip_high:0.0004' \
    'cispo advantage:grpo surrogate:cispo aggregate:token-mean clip_high:4.0' \
    'rloo advantage:rloo surrogate:reinforce aggregate:seq-mean-token-sum kl_in:reward kl_type:k1 minibatch_prompts:4' \
    'reinforce++ advantage:reinforce++ surrogate:ppo aggregate:token-mean kl_in:reward kl_type:k1' \
    'reinforce++_baseline advantage:reinforce++_baseline surrogate:ppo aggregate:token-mean kl_in:loss kl_type:k2'; do
    loss=${parts%% *}
    check "--loss $loss" train "$scratch/$loss" --loss "$loss"
    check_equal "--loss $loss: every step is recorded" "$(grep -c fingerprint "$scratch/$loss/metrics.jsonl")" 4
    check "--loss $loss: it learns something" awk "BEGIN { exit !($(metric "$scratch/$loss" actor/grad_norm) > 0) }"
    check_equal "--loss $loss: sampler and trainer agree to the bit" "$(grep -c '"training/rollout_probs_diff_max":0,' "$scratch/$loss/metrics.jsonl")" 4
    for part in ${parts#* }; do
        check_equal "--loss $loss: ${part%:*}" "$(sed -n "s/^  \"${part%:*}\": \"\{0,1\}\([^\",]*\).*/\1/p" "$scratch/$loss/config.json")" "${part#*:}"
    done
done
check_equal "eight losses, eight results" "$(for loss in grpo dr_grpo dapo gspo cispo rloo reinforce++ reinforce++_baseline; do fingerprints "$scratch/$loss" | tail -n 1; done | sort -u | wc -l)" 8
check_contains "gspo clips" "$(metric "$scratch/gspo" actor/pg_clipfrac)" '^0\.[0-9]*[1-9]'
check_contains "rloo has its KL in the reward" "$(metric "$scratch/rloo" actor/reward_kl_penalty)" '^-?[0-9].*[1-9]'
check_equal "and not in the loss" "$(metric "$scratch/rloo" actor/kl_loss)" ""
check "its rewards are not its scores" [ "$(metric "$scratch/rloo" critic/rewards/mean)" != "$(metric "$scratch/rloo" critic/score/mean)" ]

# ---- parts by themselves
check "--old_logprobs trainer" train "$scratch/trainer" --old_logprobs trainer
check_equal "on this backend the trainer's own log-probabilities are the sampler's" "$(fingerprints "$scratch/trainer")" "$(fingerprints "$scratch/grpo")"
check "--tis_cap" train "$scratch/tis" --tis_cap 2
check_equal "so its weights are 1" "$(metric "$scratch/tis" rollout_corr/rollout_is_max)" 1
check_equal "and change nothing" "$(fingerprints "$scratch/tis")" "$(fingerprints "$scratch/grpo")"
check "one micro-batch" train "$scratch/one" --tokens_per_microbatch 1024 --microbatch_sum
check "its sum" train "$scratch/other" --tokens_per_microbatch 1024
check_equal "of one micro-batch the sum is the loss" "$(fingerprints "$scratch/one")" "$(fingerprints "$scratch/other")"
check "--microbatch_sum" train "$scratch/sum" --microbatch_sum
check "the gradient is larger by the number of micro-batches" awk "BEGIN { exit !($(metric "$scratch/sum" actor/grad_norm) > 1.5 * $(metric "$scratch/grpo" actor/grad_norm)) }"
check "a negative KL coefficient, k3+, dual clip" train "$scratch/parts" --kl_coef -0.001 --kl_type k3+ --dual_clip 3
check_equal "the dual clip is measured" "$(metric "$scratch/parts" actor/pg_clipfrac_lower)" 0
check "--bf16_logits" train "$scratch/rounded" --bf16_logits
check "the trainer's log-probabilities are no longer the sampler's" awk "BEGIN { exit !($(metric "$scratch/rounded" rollout_corr/logprob_diff_max) > 1e-3) }"
check "but near them" awk "BEGIN { exit !($(metric "$scratch/rounded" training/rollout_actor_probs_pearson_corr) > 0.999 && $(metric "$scratch/rounded" rollout_corr/k3_kl) < 1e-3) }"
check "--compat deepscaler" train "$scratch/compat" --compat deepscaler
check "is its quirks together" train "$scratch/quirks" --microbatch_sum --kl_coef -0.001 --old_logprobs trainer --bf16_logits
check_equal "to the bit" "$(fingerprints "$scratch/compat")" "$(fingerprints "$scratch/quirks")"
check "cut answers" train "$scratch/cut" -c 9 --mask_truncated --overlong_buffer 4 --overlong_penalty 0.5
check_equal "cut answers are masked" "$(metric "$scratch/cut" response_length/masked_ratio)" "$(metric "$scratch/cut" response_length/clip_ratio)"
check "and long ones punished" awk "BEGIN { exit !($(metric "$scratch/cut" critic/rewards/min) < 0 && $(metric "$scratch/cut" critic/rewards/min) >= -0.5) }"

# ---- dynamic sampling: full batches whose every group has a signal; after the last round a short batch, or none at all
check_equal "dapo: full batches" "$(grep -c '"batch/groups":8,' "$scratch/dapo/metrics.jsonl")" 4
check "dapo: in more than one round" awk "BEGIN { exit !($(sed -n 's|.*"batch/sampling_rounds":\([0-9]*\).*|\1|p' "$scratch/dapo/metrics.jsonl" | sort -n | tail -n 1) > 1) }"
silent_groups() { # of a file of rollouts: how many groups of 4 have equal rewards
    sed -E 's/.*"reward":([0-9.]*),.*/\1/' "$1" | awk 'NR % 4 == 1 { first = $1; equal = 1 } { equal = equal && $1 == first } NR % 4 == 0 { silent += equal } END { print silent + 0 }'
}
for step in 1 2 3 4; do check_equal "dapo, step $step: no group without a signal" "$(silent_groups "$scratch/dapo/rollouts/step_00000$step.jsonl")" 0; done
check "one round" train "$scratch/short" --dynamic_sampling 1
check "short batches after it" [ "$(wc -l <"$scratch/short/rollouts/step_000001.jsonl")" -lt 32 ]
check "an untrained model" ./train_grpo -m "$scratch/empty" --random_weights true -d "$scratch/prompts.jsonl" -o "$scratch/nothing" -b 4 -g 2 -c 4 -s 2 --max_prompt_tokens 16 -t 1 \
    --loss dapo --dynamic_sampling 2 --tokens_per_microbatch 64 --max_sequences 8 --kv_cache_mib 1 --checkpoint_every 0
check_equal "none of its groups has a signal, and the run goes on" "$(metric "$scratch/nothing" batch/dropped_groups)" 8
check_equal "what it did not measure is null" "$(metric "$scratch/nothing" critic/score/mean)" null
check_equal "what it sampled is counted" "$(metric "$scratch/nothing" batch/sampled_score)" 0

# ---- killed at random moments and started again: the same bits, dynamic sampling, KL in the reward, own old log-probabilities and all
seed=${RESUME_SEED:-$(date +%s)}
echo "seed $seed"
long() { train "$1" --loss dapo --kl_in reward --kl_coef 0.01 --old_logprobs trainer -s 24 -c 12:9,20:15 --stage_restart reference,adam --dynamic_sampling 3; }
rm -rf "$scratch/whole"
check "an unbroken run" long "$scratch/whole"
kills=0
for moment in 5 9 14 20 3 11 8; do
    long "$scratch/killed" &
    shell=$!
    seed=$(((seed * 1103515245 + 12345) % 2147483648))
    sleep "0.$(printf '%02d' $((moment + seed / 65536 % 10)))"
    child=$(ps -o pid= --ppid $shell 2>/dev/null)
    if [ -n "$child" ] && kill -9 $child 2>/dev/null; then kills=$((kills + 1)); fi
    wait $shell 2>/dev/null
done
check "killed runs go on to the end" long "$scratch/killed"
echo "$kills kills"
check_equal "the same fingerprints" "$(fingerprints "$scratch/killed")" "$(fingerprints "$scratch/whole")"
for file in model.safetensors optimizer.safetensors trainer_state.json; do
    check "the same $file" cmp "$scratch/killed/checkpoints/step_000024/$file" "$scratch/whole/checkpoints/step_000024/$file"
done
check "the same answers" diff -rq "$scratch/killed/rollouts" "$scratch/whole/rollouts"
check "the place in the data is not that of the step" [ "$(sed -n 's/.*"data_position": \([0-9]*\).*/\1/p' "$scratch/whole/checkpoints/step_000024/trainer_state.json")" -gt 200 ]
check_report test_train_losses
