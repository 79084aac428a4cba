# 500 steps take no more than the first ones: nothing more from the device, the heap and what is resident flat, no thread or file left open; a
# tiny model, or with a word the miniature:    sh test/test_memory.sh miniature
. test/check.sh
run=$scratch/run steps=500
if [ "${1:-}" = miniature ]; then
    unset OMP_NUM_THREADS
    ./train_grpo -o "$run" -s $steps --print_rollouts_every 0 --eval_every 100 --checkpoint_every 100 >"$run.log" 2>&1 &
else
    tiny_start "$scratch" || exit 1
    ASAN_OPTIONS=${ASAN_OPTIONS:-}${ASAN_OPTIONS:+:}quarantine_size_mb=0 ./train_grpo -m "$scratch/model" -d "$scratch/prompts.jsonl" -v "$scratch/prompts.jsonl" -o "$run" -b 4 -g 4 -c 12:150,16:150,20:200 \
        --max_prompt_tokens 16 -t 1 -l 1e-3 --kl_coef 0.01 --tokens_per_microbatch 128 --max_sequences 16 --kv_cache_mib 2 --eval_every 100 --eval_samples 2 --checkpoint_every 100 \
        --print_rollouts_every 0 --rollouts_every 10 >"$run.log" 2>&1 &
fi
trainer=$!
lines() { [ -f "$run/metrics.jsonl" ] && grep -c '"actor/lr"' "$run/metrics.jsonl" || echo 0; }
# The least of several looks: a file may be open for a moment.
while kill -0 $trainer 2>/dev/null; do
    echo "$(lines) $(ls /proc/$trainer/fd 2>/dev/null | wc -l) $(ls /proc/$trainer/task 2>/dev/null | wc -l)" >>"$scratch/looks"
    sleep 0.05
done
wait $trainer
check_equal "the run ends well" $? 0
least() { awk -v from="$1" -v to="$2" -v column="$3" '$1 >= from && $1 < to && $2 > 0 { if (least == "" || $column < least) { least = $column } } END { print least }' "$scratch/looks"; }
value() { sed -n "s|^{\"step\":$1,.*\"perf/$2\":\([^,}]*\).*|\1|p" "$run/metrics.jsonl"; } # step, name
growth() { awk "BEGIN { printf \"%d\", ($(value $steps "$1") - $(value "$2" "$1")) * 1048576 }"; } # KiB from a step to the last
check_equal "every step is recorded" "$(lines)" $steps
for column in 2 3; do check_equal "as many $([ $column = 2 ] && echo open files || echo threads) near the end as near the start" "$(least $((steps - 60)) $((steps - 1)) $column)" "$(least 1 60 $column)"; done
check_equal "what was taken from the device before step 1 is all" "$(sed -n 's|.*"perf/device_allocations":\([0-9]*\).*|\1|p' "$run/metrics.jsonl" | sort -u | wc -l)" 1
heap=$(growth cpu_heap_used_gb 2) resident=$(growth cpu_memory_used_gb 2)
# the texts of ever longer answers are kept from step to step, and the history of the metrics fills memory reserved for it
check "the heap is flat: $heap KiB more than after step 2" [ "$heap" -le 256 ]
most=2048
if ldd ./train_grpo | grep -q libasan; then most=16384; fi # whose allocator keeps what was freed, each size apart, and a shadow of it
check "resident memory is flat: $resident KiB more than after step 2" [ "$resident" -le $most ]
echo "show from step 2 to step $steps: heap $heap KiB, resident memory $resident KiB more of $(awk "BEGIN { printf \"%.0f\", $(value $steps cpu_memory_used_gb) * 1024 }") MiB; $(least 1 $steps 2) files, $(least 1 $steps 3) threads"
check_nothing_half_written "afterwards" "$run"
check_report test_memory
