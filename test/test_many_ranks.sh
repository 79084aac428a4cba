# Several ranks under mpirun: what test_ranks finds on 2 and 4 of them, and whole runs: the same bits for the same number of ranks, also after a
# rank was killed in any phase; the job's end within its deadline and by name; checkpoints that another number of ranks goes on from.
. test/check.sh
. test/ranks.sh
if ! command -v mpirun >/dev/null 2>&1 || ! ldd ./train_grpo | grep -q libmpi; then
    check_skip "no MPI on this machine: many ranks are not tested"
    check_report test_many_ranks
    exit
fi
OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
# MPI itself leaves memory behind when a job ends
ASAN_OPTIONS=${ASAN_OPTIONS:-}${ASAN_OPTIONS:+:}detect_leaks=0
TERM=dumb
export TERM OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM OMPI_MCA_rmaps_base_oversubscribe OMPI_MCA_hwloc_base_binding_policy ASAN_OPTIONS
for ranks in 2 4; do
    output=$(timeout 120 mpirun -np $ranks "${TESTS:-build/cpu-FP32-cc/test}/test_ranks" "$scratch/folder" 2>&1)
    check_contains "test_ranks on $ranks ranks" "$output" '^test_ranks: [0-9]+ passed, 0 failed'
    printf '%s\n' "$output" | grep '^ok '
done

tiny_start "$scratch" || exit 1
last=step_000012
train() { # ranks, run_dir, further options
    ranks=$1 run=$2
    shift 2
    # shellcheck disable=SC2046 # a list of words is meant
    timeout 120 mpirun -np "$ranks" ./train_grpo $(options "$run") "$@" >>"$run.log" 2>&1
}
check_same_run() { # what, run_dir: as the unbroken run of as many ranks
    for file in model.safetensors optimizer.safetensors trainer_state.json; do
        check "$1: $file" cmp "$2/checkpoints/$last/$file" "$scratch/two/checkpoints/$last/$file"
    done
    check_equal "$1: fingerprints" "$(numbers "$2" fingerprint)" "$(numbers "$scratch/two" fingerprint)"
    check_nothing_half_written "$1" "$2"
}

# ---- 1, 2 and 4 ranks, unbroken
check "one rank" train 1 "$scratch/one"
check "two ranks" train 2 "$scratch/two"
check "two ranks again" train 2 "$scratch/again"
check "each its groups in turn" train 2 "$scratch/fixed" --rollout_queue fixed
check_same_run "each its groups in turn" "$scratch/fixed"
check "four ranks" train 4 "$scratch/four"
check_same_run "two ranks again" "$scratch/again"
check_equal "what the first step samples is the same" "$(numbers "$scratch/one" critic/score/mean | cut -d' ' -f 1-2)" "$(numbers "$scratch/four" critic/score/mean | cut -d' ' -f 1-2)"
off_from_one() { # run_dir, steps: the largest relative difference of the gradient norms of the first so many steps from one rank's
    printf '%s\n' "$(numbers "$scratch/one" actor/grad_norm)" "$(numbers "$1" actor/grad_norm)" >"$scratch/norms"
    awk -v steps="$2" 'NR == 1 { for (i = 1; i <= steps; i++) { one[i] = $i } } NR == 2 { for (i = 1; i <= steps; i++) { off = ($i - one[i]) / one[i]; off = off < 0 ? -off : off; most = off > most ? off : most } print most + 0 }' "$scratch/norms"
}
for run in two four; do # the first step's gradient is of the same answers; only the order of its sums differs
    off=$(off_from_one "$scratch/$run" 1)
    check_equal "$run ranks: gradient norm of the first step off by $off" "$(awk "BEGIN { print $off < 1e-5 }")" 1
    echo "ok   $run ranks: gradient norm of the first step off by $off of one rank's"
    # the rest of the run, a new stage with it: weights that differ in their last bits may draw another token now and then, and no more
    off=$(off_from_one "$scratch/$run" 12)
    check_equal "$run ranks: gradient norms of both stages off by $off" "$(awk "BEGIN { print $off < 0.5 }")" 1
    echo "ok   $run ranks: gradient norms of all steps off by $off of one rank's at most"
done
check "the ranks say where they are" grep -q 'rank    1  step      12  phase ended' "$scratch/two/ranks.txt"

# ---- kill -9 of rank 1 in each phase: the job ends at once, names it, and goes on to the same bits
kill_in() { # phase, run_dir, signal, options: a run whose rank 1 is struck when its line in ranks.txt says so; $took: seconds until the job was over
    run=$2
    strike_in "$1" "$run/ranks.txt" "$3"
    shift 3
    train 2 "$run" "$@"
    strike_over
}
for phase in generate grade learn checkpoint evaluate; do
    run=$scratch/killed_$phase
    tries=0
    while # a phase of milliseconds may be over when the signal arrives: then once more
        tries=$((tries + 1))
        rm -rf "$run" "$run.log"
        # for grading: many answers that all end at once, at their limit
        case $phase in
        grade) kill_in $phase "$run" KILL -b 32 --minibatch_prompts 32 -g 16 -c 4 -s 12 --max_sequences 512 ;;
        *) kill_in $phase "$run" KILL ;;
        esac
        [ $tries -lt 12 ] && ! grep -q "^error: rank 1 (host .*, process [0-9]*) is gone, in phase $phase of step [0-9]*; the job ends" "$run.log"
    do :; done
    check_contains "kill in $phase: the job says who, where and when" "$(cat "$run.log")" "^error: rank 1 \(host .*, process [0-9]*\) is gone, in phase $phase of step [0-9]*; the job ends"
    check_equal "kill in $phase: the job ended within its deadline ($took s)" "$([ "${took:-99}" -le 8 ] && echo yes)" yes
    [ $phase != grade ] || continue # another recipe
    check "kill in $phase: the same command goes on" train 2 "$run"
    check_same_run "kill in $phase" "$run"
done

# ---- a rank that stands still; a polite stop; another number of ranks
run=$scratch/stopped
kill_in generate "$run" STOP
check_contains "a stopped rank is missed" "$(cat "$run.log")" 'error: rank 1 \(.*\) has given no sign of life for [0-9]+ s, in phase [a-z]+ of step'
check_equal "a stopped rank ends the job within its deadline ($took s)" "$([ "${took:-99}" -le 20 ] && echo yes)" yes
run=$scratch/polite
kill_in learn "$run" USR1
check_contains "a signal to one rank stops all" "$(cat "$run.log")" 'stopped by signal|done: 12 steps'
check "and the run goes on" train 2 "$run"
check_same_run "stopped politely" "$run"
check "two ranks begin" train 2 "$scratch/fewer" -s 6
check "one rank goes on" train 1 "$scratch/fewer"
check_contains "one rank goes on" "$(cat "$scratch/fewer.log")" 'resuming from .*step 6'
check_equal "one rank goes on from the same answers" "$(numbers "$scratch/fewer" fingerprint | cut -d' ' -f 1-7)" "$(numbers "$scratch/two" fingerprint | cut -d' ' -f 1-7)"
check "one rank begins" train 1 "$scratch/more" -s 6
check "four ranks go on" train 4 "$scratch/more"
check_equal "four ranks have learnt as many steps" "$(numbers "$scratch/more" fingerprint | wc -w)" 13

# ---- a set is evaluated by all ranks
single=$(./rollout -m "$scratch/model" -e "$scratch/prompts.jsonl" -n 4 -c 16 -t 1 -o "$scratch/single.jsonl" | grep 'pass@1' | head -n 1)
double=$(mpirun -np 3 ./rollout -m "$scratch/model" -e "$scratch/prompts.jsonl" -n 4 -c 16 -t 1 -o "$scratch/double.jsonl" 2>&1 | grep 'pass@1' | head -n 1)
check_equal "rollout on three ranks finds what one finds" "$double" "$single"
check "rollout on three ranks writes what one writes" cmp "$scratch/single.jsonl" "$scratch/double.jsonl"
strike_in evaluate "$scratch/struck.jsonl.ranks.txt" KILL 0
output=$(timeout 60 mpirun -np 3 ./rollout -m "$scratch/model" -e "$scratch/prompts.jsonl" -n 512 -c 64 -t 1 -o "$scratch/struck.jsonl" --rank_timeout 5 2>&1)
strike_over
check_contains "a rank of rollout is killed: the job says which" "$output" '^error: rank 1 \(host .*, process [0-9]*\) is gone, in phase (evaluate|grade) of step 0; the job ends'
check_equal "a rank of rollout is killed: the job ended at once ($took s)" "$([ "${took:-99}" -le 8 ] && echo yes)" yes
check_equal "a rank of rollout is killed: no half of the answers" "$(ls "$scratch" | grep 'struck.jsonl$')" ""
check_report test_many_ranks
