# --replay: recorded steps give their fingerprints again, over a stage's boundary, with a KL reference and after rounds of dynamic sampling;
# what was recorded otherwise is noticed, and what is no record of the run is refused.
. test/check.sh
tiny_start "$scratch" || exit 1
run=$scratch/run
train() { # run_dir, further options
    ./train_grpo -m "$scratch/model" -d "$scratch/prompts.jsonl" -v "$scratch/prompts.jsonl" --eval_samples 2 --eval_before_train false -b 8 -g 4 --minibatch_prompts 4 -c 16:3,20:2 \
        --max_prompt_tokens 16 -t 1 -l 1e-3 --kl_coef 0.01 --tokens_per_microbatch 128 --max_sequences 16 --kv_cache_mib 2 --dynamic_sampling 4 --print_rollouts_every 0 -o "$@"
}
fingerprint() { sed -n "s|{\"step\":$2,.*\"fingerprint\":\"\([0-9a-f]*\)\"}|\1|p" "$1/metrics.jsonl"; } # run_dir, step
record() { echo "$run/rollouts/step_00000$1.jsonl"; }
check "a run of five steps in two stages" train "$run" --checkpoint_every 2 --keep_checkpoints 0
check "dynamic sampling took several rounds" grep -q '"batch/sampling_rounds":[2-9]' "$run/metrics.jsonl"

for step in 1 2 3 4 5; do # from the start, from the replay before, from the run's checkpoint
    output=$(./train_grpo --replay "$(record $step)" 2>&1)
    check_equal "step $step: exit code" $? 0
    check_contains "step $step" "$output" "replay of step $step: fingerprint #$(fingerprint "$run" $step), as recorded"
done
for file in model.safetensors optimizer.safetensors; do
    check "the checkpoint after it is the run's: $file" cmp "$run/replay/step_000004/checkpoints/step_000004/$file" "$run/checkpoints/step_000004/$file"
done
state() { grep -v '"answer_lengths"' "$1/checkpoints/step_000004/trainer_state.json"; } # of dropped groups nothing is on record
check_equal "the checkpoint after it is the run's: trainer_state.json" "$(state "$run/replay/step_000004")" "$(state "$run")"
for name in critic/score/mean critic/advantages/max response_length/mean actor/grad_norm actor/loss actor/kl_loss reward/gave_up; do
    line() { sed -n "s|{\"step\":4,.*\"$name\":\([^,]*\),.*|\1|p" "$1/metrics.jsonl"; }
    check_equal "it measures what the run measured: $name" "$(line "$run/replay/step_000004")" "$(line "$run")"
done
check "from inside the run's folder" sh -c "cd '$run/rollouts' && '$PWD/train_grpo' --replay step_000001.jsonl -o ../again"
check_equal "other micro-batches: a replay with other options of the machine" "$(./train_grpo --replay "$(record 2)" --recompute 2 --max_sequences 4 -o "$scratch/other" 2>&1 | grep -c 'as recorded')" 1
check_equal "another learning rate: it goes on, and says so" "$(./train_grpo --replay "$(record 2)" -l 2e-3 -o "$scratch/faster" 2>&1 | tail -n 4 | grep -c '^error: replay of step 2: fingerprint #.*, recorded is #')" 1
check_equal "its checkpoint is there" "$(ls "$scratch/faster/checkpoints")" step_000002

# ---- what is not as it was recorded
damaged() { # what, regex, sed's command: to a copy of step 1's record in its place
    cp "$(record 1)" "$scratch/record"
    sed "$3" "$scratch/record" >"$(record 1)"
    check_refused "$1" "$2" ./train_grpo --replay "$(record 1)" -o "$scratch/damaged"
    cp "$scratch/record" "$(record 1)"
    rm -rf "$scratch/damaged"
}
damaged "another token" 'replay of step 1: fingerprint .*, recorded is' '3s/"ids":\[[0-9]*/"ids":[7/'
damaged "another reward" 'replay of step 1: fingerprint .*, recorded is' '5s/"reward":[01]/"reward":0.5/'
damaged "another log-probability" 'replay of step 1: fingerprint .*, recorded is' '2s/"logprobs":\[/"logprobs":[-9,/;2s/,-[0-9.e-]*\]}$/]}/'
damaged "an answer is missing" 'line 3: answer 2 of a group' 3d
damaged "the last answer is missing" 'has [0-9]* answers, which are no whole groups' '$d'
damaged "a line is cut off" 'step_000001.jsonl, line 4' '4s/.....$//'
damaged "an id too many" 'line 2: has [0-9]* ids and [0-9]* logprobs' '2s/"ids":\[/"ids":[7,/'
damaged "an id out of the vocabulary" "line 2: id 0 is not one of the tokenizer's 24" '2s/"ids":\[[0-9]*/"ids":[24/'
damaged "a log-probability that is none" 'line 2: log-probability 0 is no number' '2s/"logprobs":\[[^,]*/"logprobs":[null/'
damaged "another prompt" 'line 1: is no answer to a prompt of' '1s/"prompt_ids":\[1/"prompt_ids":[2/'
damaged "another index" 'line 1: is no answer to a prompt of' '1s/"index":[0-9]*/"index":99/'
damaged "an answer from another group" 'line 2: answer 1 of a group' 2,5d
damaged "no reward" 'line 1: has no "reward"' '1s/"reward"/"rewarded"/'
damaged "more groups than a step has" 'line 33: is of one group more' '1,4{H;};${p;g;s/^\n//;}'
mv "$(record 5)" "$scratch/record"
check_refused "no file" 'step_000005.jsonl: cannot be opened' ./train_grpo --replay "$(record 5)" -o "$scratch/damaged"
check_refused "no record's name" "is not a run's rollouts" ./train_grpo --replay "$run/metrics.jsonl"
check_refused "no run around it" "needs its run's options: .*config.json" ./train_grpo --replay "$scratch/prompts/step_000001.jsonl"
rm -rf "$run/replay"
check_refused "no checkpoint before it" 'step 4 began from step 3, of which .* has no checkpoint' ./train_grpo --replay "$(record 4)"
check_refused "another checkpoint" 'is what step 3 began with, and .* is of step 4' ./train_grpo --replay "$(record 3)" --resume "$run/checkpoints/step_000004" -o "$scratch/damaged"
sed -i '/^{"step":3,/d' "$run/metrics.jsonl"
position() { sed -n 's/.*"data_position": \([0-9]*\).*/\1/p' "$1/checkpoints/step_00000$2/trainer_state.json"; }
check_contains "nothing to compare with" "$(./train_grpo --replay "$(record 3)" 2>&1)" 'replay of step 3: fingerprint #.*has none to compare it with'
check "without a line of the step the place in the data moves on by its prompts" [ "$(position "$run/replay/step_000003" 3)" -gt "$(position "$run" 2)" ]
check_report test_replay
