# A run that is killed at any moment and started again by the same command learns the same as one that never stopped, to the bit.
# The moments are random: RESUME_SEED=N repeats a run of this test (as far as the machine's speed allows).
. test/check.sh
seed=${RESUME_SEED:-$(date +%s)}
echo "seed $seed"
random=$seed
random_below() { # a number below $1 into $random_number
    random=$(((random * 1103515245 + 12345) % 2147483648))
    random_number=$((random / 65536 % $1))
}
tiny_start "$scratch" || exit 1
last=step_000024

train() { # run_dir, further options: everything that a run can have, in small
    run=$1
    shift
    ./train_grpo -m "$scratch/model" -d "$scratch/prompts.jsonl" -v "$scratch/prompts.jsonl" -o "$run" -b 8 -g 4 --minibatch_prompts 4 -c 16:10,24:14 \
        --max_prompt_tokens 16 -t 1 -l 1e-3 --warmup_steps 3 --kl_coef 0.05 --entropy_coef 0.01 --tokens_per_microbatch 128 --max_sequences 16 --kv_cache_mib 2 \
        --eval_every 5 --eval_samples 48 --checkpoint_every 2 --print_rollouts_every 7 "$@" >>"$run.log" 2>&1
}
# What a run measured, without its times and what the size of the KV cache decides.
metrics() { # run_dir
    sed -E 's/"(timing_s\/[a-z_]*|perf\/time_per_step|perf\/throughput|perf\/mfu\/actor|perf\/[a-z_]*memory[a-z_]*|perf\/cpu_heap_used_gb|rollout\/[a-z_]*|_timestamp|_runtime)":[^,}]*,?//g; s/,}/}/' "$1/metrics.jsonl"
}
check_same_run() { # what, run_dir: as $scratch/whole in everything that is learnt and recorded
    metrics "$2" >"$scratch/metrics"
    check "$1: metrics.jsonl" cmp "$scratch/metrics" "$scratch/metrics.whole"
    for file in model.safetensors optimizer.safetensors trainer_state.json config.json; do
        check "$1: $file" cmp "$2/checkpoints/$last/$file" "$scratch/whole/checkpoints/$last/$file"
    done
    for folder in rollouts eval reference; do check "$1: $folder" diff -rq "$2/$folder" "$scratch/whole/$folder"; done
    check "$1: samples.jsonl" cmp "$2/samples.jsonl" "$scratch/whole/samples.jsonl"
    check_nothing_half_written "$1" "$2"
}
milliseconds() { echo $(($(date +%s%N) / 1000000)); }

# ---- unbroken
started=$(milliseconds)
check "an unbroken run" train "$scratch/whole"
duration=$(($(milliseconds) - started))
metrics "$scratch/whole" >"$scratch/metrics.whole"
check_equal "every step has a line, and the start" "$(grep -c fingerprint "$scratch/metrics.whole")" 25
check_equal "every step has its own fingerprint" "$(grep -o '"fingerprint":"[0-9a-f]*"' "$scratch/metrics.whole" | sort -u | wc -l)" 25
check_contains "KL to the reference is measured" "$(tail -n 1 "$scratch/metrics.whole")" '"actor/kl_loss":0\.0*[1-9]'
check_contains "something is learnt" "$(cat "$scratch/metrics.whole")" '"critic/score/mean":0\.[1-9]'

# ---- the machine's options and threads change no bit of what is learnt
check "other machine options" train "$scratch/machine" --max_sequences 5 --kv_cache_mib 1 --recompute 2
check_same_run "--max_sequences 5 --recompute 2" "$scratch/machine"
OMP_NUM_THREADS=2
check "two threads" train "$scratch/threads" --recompute 0
check_same_run "two threads, --recompute 0" "$scratch/threads"
OMP_NUM_THREADS=1

# ---- kill -9
kills=0
train_and_kill() { # run_dir, after milliseconds, or "writing": while a checkpoint is being written
    train "$1" &
    shell=$!
    if [ "$2" = writing ]; then
        while kill -0 $shell 2>/dev/null; do
            set -- "$1" writing "$1"/checkpoints/step_*.tmp
            [ ! -e "$3" ] || break
        done
    else
        sleep "$(printf '%d.%03d' $(($2 / 1000)) $(($2 % 1000)))"
    fi
    child=$(ps -o pid= --ppid $shell 2>/dev/null) # the program itself: `train &` is a shell around it
    if [ -n "$child" ] && kill -9 $child 2>/dev/null; then kills=$((kills + 1)); fi
    wait $shell 2>/dev/null
}
for round in 1 2; do
    run=$scratch/killed$round
    random_below 30 && train_and_kill "$run" $random_number
    for moment in random writing random writing random; do
        random_below $((duration / 4 + 1))
        [ $moment = writing ] || moment=$random_number
        train_and_kill "$run" $moment
        for left in "$run"/checkpoints/step_*.tmp; do [ ! -e "$left" ] || echo "killed with a half-written checkpoint: ${left##*/}"; done
    done
    check "round $round goes on to the end" train "$run"
    check_same_run "killed, round $round (seed $seed)" "$run"
done
echo "$kills kills"
check "at least 5 of the kills met a running program" [ $kills -ge 5 ]

# ---- what a kill may leave behind, made by hand: a checkpoint half-written, one without its last file, half a line of metrics
cp -r "$scratch/whole" "$scratch/byhand"
rm -rf "$scratch/byhand/checkpoints/$last"
mkdir "$scratch/byhand/checkpoints/$last.tmp" "$scratch/byhand/checkpoints/$last"
head -c 1000 "$scratch/whole/checkpoints/$last/model.safetensors" >"$scratch/byhand/checkpoints/$last.tmp/model.safetensors"
cp "$scratch/whole/checkpoints/$last/model.safetensors" "$scratch/byhand/checkpoints/$last"
printf '{"step":24,"data":{"critic/sc' >>"$scratch/byhand/metrics.jsonl"
check "half-written things are passed over" train "$scratch/byhand"
check_contains "it went on from the last whole checkpoint" "$(cat "$scratch/byhand.log")" 'resuming from .*step_000022: step 22'
check_same_run "half-written things" "$scratch/byhand"

# ---- SIGTERM: ends in good order with a checkpoint, exit code 143; an evaluation that was cut short is made up for
for moment in first-step evaluation random random; do
    run=$scratch/stopped.$moment
    random_below $((duration * 3 / 4 + 1))
    rm -rf "$run" "$run.log"
    train "$run" &
    shell=$!
    case $moment in
    random) sleep "$(printf '%d.%03d' $((random_number / 1000)) $((random_number % 1000)))" ;;
    first-step) while kill -0 $shell 2>/dev/null && ! [ -s "$run/metrics.jsonl" ]; do :; done ;; # the start is evaluated: step 1 runs
    evaluation) while kill -0 $shell 2>/dev/null && ! [ -e "$run/eval/step_000005.prompts.jsonl.tmp" ]; do :; done ;;
    esac
    while [ ! -e "$run/metrics.jsonl" ] && kill -0 $shell 2>/dev/null; do :; done # from here on signals are caught
    child=$(ps -o pid= --ppid $shell 2>/dev/null)
    [ -z "$child" ] || kill -TERM $child 2>/dev/null
    wait $shell
    status=$?
    if grep -q '^done' "$run.log"; then
        check_skip "SIGTERM ($moment, seed $seed): came after the last step"
        continue
    fi
    check_equal "SIGTERM ($moment): exit code" $status 143
    check_contains "SIGTERM ($moment): says how to go on" "$(cat "$run.log")" 'stopped by signal 15 after step [0-9]+; run the same command again'
    grep -h 'was not finished' "$run.log"
    check_nothing_half_written "SIGTERM ($moment)" "$run"
    check "SIGTERM ($moment): goes on" train "$run"
    check_same_run "SIGTERM ($moment, seed $seed)" "$run"
done
check_report test_resume
