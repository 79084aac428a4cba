# The fingerprints of a fixed run of the tiny model, compared with those on record: make fingerprints. Programs are built for any x86-64 processor
# with AVX2, since another width of vectors is another order of sums; another compiler or C library may round differently and says so.
#     sh test/fingerprints.sh record      after a change that is meant to change what is computed
. test/check.sh
recorded=test/golden/fingerprints.txt
built_with="gcc $(gcc -dumpfullversion 2>/dev/null), $(getconf GNU_LIBC_VERSION 2>/dev/null)"
tiny_start "$scratch" || exit 1
train() { # run_dir, further options: two stages, several micro-batches, KL, entropy bonus, rounds of dynamic sampling, an evaluation
    run=$1
    shift
    ./train_grpo -m "$scratch/model" -d "$scratch/prompts.jsonl" -v "$scratch/prompts.jsonl" --eval_samples 2 --eval_every 4 -o "$run" -b 8 -g 4 --minibatch_prompts 4 -c 16:4,20:4 \
        --max_prompt_tokens 16 -t 1 -l 1e-3 --kl_coef 0.01 --entropy_coef 0.001 --tokens_per_microbatch 128 --max_sequences 16 --kv_cache_mib 2 --print_rollouts_every 0 --logger report "$@" >"$run.log" 2>&1
}
fingerprints() { sed -n 's|^{"step":\([0-9]*\),.*"fingerprint":"\([0-9a-f]*\)"}$|step \1 \2|p' "$1/metrics.jsonl"; }
check "a run of GRPO" train "$scratch/grpo"
check "one of DAPO" train "$scratch/dapo" --loss dapo
check "one of GSPO, in two threads," train "$scratch/gspo" --loss gspo --threads 2
now=$(for loss in grpo dapo gspo; do fingerprints "$scratch/$loss" | sed "s/^/$loss /"; done)
if [ "${1:-}" = record ]; then
    printf 'built with %s\n%s\n' "$built_with" "$now" >"$recorded"
    exit
fi
if [ "$(head -n 1 "$recorded")" = "built with $built_with" ]; then
    check_equal "the fingerprints on record" "$now" "$(sed 1d "$recorded")"
else
    check_skip "the fingerprints on record were $(head -n 1 "$recorded"), these with $built_with"
fi
check_report fingerprints
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
