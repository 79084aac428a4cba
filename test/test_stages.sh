# --stage_trigger: a stage ends when the share of cut answers has been low and is high again, to the step that its definition says; a run that
# is interrupted and one of another number of threads end it there too.
. test/check.sh
tiny_start "$scratch" || exit 1
train() { # run_dir, contexts, further options
    run=$1 contexts=$2
    shift 2
    ./train_grpo -m "$scratch/model" -d "$scratch/prompts.jsonl" -o "$run" -b 4 -g 4 -c "$contexts" --max_prompt_tokens 16 -t 1 -l 1e-3 --kl_coef 0.01 --tokens_per_microbatch 128 \
        --max_sequences 16 --kv_cache_mib 2 --checkpoint_every 0 --print_rollouts_every 0 --rollouts_every 0 --logger report "$@" >>"$run.log" 2>&1
}
metric() { sed -n "s|.*\"$2\":\([^,}]*\).*|\1|p" "$1/metrics.jsonl"; } # run_dir, name: at each step
fingerprints() { grep -o '"fingerprint":"[0-9a-f]*"' "$1/metrics.jsonl"; }

check "a stage that nothing ends early" train "$scratch/long" 10:70
# the running mean as it is defined: of up to 20 steps, then exponential; a trigger between its least value and the largest that follows
metric "$scratch/long" response_length/clip_ratio | awk '
    { n = NR < 20 ? NR : 20; mean += ($1 - mean) / n; means[NR] = mean }
    END {
        least = 2
        for (k = 20; k <= 60; k++) { if (means[k] < least) { least = means[k]; at = k } }
        for (k = at; k <= 60; k++) { if (means[k] > most) { most = means[k] } }
        trigger = sprintf("%.6f", (least + most) / 2)
        for (k = 20; k <= 60 && !end; k++) { if (means[k] < trigger) { below = 1 } else if (below) { end = k } }
        printf "%s %d %.1f\n", trigger, end, 100 * means[end]
    }' >"$scratch/trigger"
read -r trigger end share <"$scratch/trigger"
check "the shares go down and up" [ "$end" -gt 20 ]
check "with a trigger" train "$scratch/triggered" 10:70,14:6 --stage_trigger "$trigger"
check_contains "it says when and why" "$(cat "$scratch/triggered.log")" "stage 1 of 2: ends after $end of 70 steps: $share% of its answers are cut"
check_equal "the limit grows there" "$(metric "$scratch/triggered" response_length/limit | grep -c '^10$')" "$end"
check_equal "and the run is shorter" "$(metric "$scratch/triggered" response_length/limit | wc -l)" $((end + 6))
check_equal "up to there it is the same run" "$(fingerprints "$scratch/triggered" | head -n "$end")" "$(fingerprints "$scratch/long" | head -n "$end")"
check_equal "the report marks the boundary" "$(grep -o 'class="mark"' "$scratch/triggered/report.html" | wc -l)" 6
check "never below the trigger" train "$scratch/never" 10:22,14:2 --stage_trigger 0.000001
check_equal "it does not end early" "$(metric "$scratch/never" response_length/limit | grep -c '^10$')" 22
# interrupted again and again
for part in 1 2 3 4 5 6 7 8; do
    train "$scratch/parts" 10:70,14:6 --stage_trigger "$trigger" --checkpoint_every 7 &
    child=$!
    sleep "0.$((part + 1))"
    pkill -9 -P $child 2>/dev/null
    wait $child 2>/dev/null
done
check "the interrupted run comes to its end" train "$scratch/parts" 10:70,14:6 --stage_trigger "$trigger" --checkpoint_every 7
check_equal "with the same bits" "$(fingerprints "$scratch/parts")" "$(fingerprints "$scratch/triggered")"
check_refused "no share" 'stage_trigger: "2" is not a number in \[0,1\]' ./train_grpo --stage_trigger 2
check_report test_stages
