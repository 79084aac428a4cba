# Several ranks without MPI, started by a plain loop that sets what torchrun sets: what test_ranks finds on 2 and 4 of them; the same bits as under
# mpirun; ranks that die, strangers at the door, wrong environments; and that a rank which reads slowly is not taken for one that hangs.
. test/check.sh
. test/ranks.sh
tests=${TESTS:-build/cpu-FP32-cc/test} port=$((20000 + $$ % 10000))
tcp=${tests%/test}/tcp
TERM=dumb MASTER_ADDR=127.0.0.1
export TERM MASTER_ADDR
one_of() { # ranks, rank, command..
    ranks=$1 rank=$2
    shift 2
    WORLD_SIZE=$ranks RANK=$rank MASTER_PORT=$port timeout 60 "$@"
}
all_of() { # ranks, command..: the last exit code that is not 0
    ranks=$1 started='' status=0
    shift
    port=$((port + 2))
    for rank in $(seq 0 $((ranks - 1))); do
        one_of "$ranks" "$rank" "$@" &
        started="$started $!"
    done
    for one in $started; do wait "$one" || status=$?; done
    return $status
}
for ranks in 2 4; do
    output=$(all_of $ranks "$tcp/test/test_ranks" "$scratch/folder" 2>&1)
    check_contains "test_ranks on $ranks ranks" "$output" '^test_ranks: [0-9]+ passed, 0 failed'
    printf '%s\n' "$output" | grep '^ok '
done

# ---- at the door: strangers, a rank of another job, one that is there already
stranger() { # bytes in printf's words, and how many bytes 255 follow; waits until it is shown out
    timeout 20 bash -c "until exec 3<>/dev/tcp/127.0.0.1/$port; do sleep 0.1; done 2>/dev/null; printf '$1' >&3; head -c $2 /dev/zero | tr '\\0' '\\377' >&3; cat <&3" >/dev/null 2>&1
}
port=$((port + 2))
one_of 2 0 "$tcp/test/test_ranks" "$scratch/folder" >"$scratch/zero" 2>&1 &
zero=$!
stranger '' 0 # says nothing
stranger 'GET / HTTP/1.1\r\n' 1000
stranger 'GRPORNK1' 1000
output=$(one_of 3 1 "$tcp/test/test_ranks" 2>&1)
check_contains "a rank of a job of three is not one of two" "$output" 'error: rank 1 on host .*: is of another job \(3 ranks, .*\) than rank 0 \(2 ranks, '
check "the one that is waited for" one_of 2 1 "$tcp/test/test_ranks" "$scratch/folder"
wait $zero
check_equal "strangers do no harm" $? 0
check_contains "strangers do no harm" "$(cat "$scratch/zero")" '^test_ranks: [0-9]+ passed, 0 failed'
check_equal "strangers are named" "$(grep -c '^warning: 127.0.0.1 connected to rank 0 and is no rank of a job: ignored' "$scratch/zero")" 2
check_contains "what was turned away is named" "$(cat "$scratch/zero")" 'warning: a process on host \?+ \(127.0.0.1\) is turned away'
port=$((port + 2))
for rank in 0 1 1; do one_of 3 $rank "$tcp/test/test_ranks" "$scratch/folder" & done >>"$scratch/twice" 2>&1
sleep 2
one_of 3 2 "$tcp/test/test_ranks" "$scratch/folder" >>"$scratch/twice" 2>&1
wait
check_equal "of two processes with one rank the second is turned away" "$(grep -c 'error: .* another process came to rank 0 as rank 1 before' "$scratch/twice")" 1
check_contains "of two processes with one rank the first goes on" "$(cat "$scratch/twice")" '^test_ranks: [0-9]+ passed, 0 failed'
port=$((port + 2))
one_of 3 0 "$tcp/test/test_ranks" "$scratch/folder" >>"$scratch/gone" 2>&1 &
WORLD_SIZE=3 RANK=1 MASTER_PORT=$port "$tcp/test/test_ranks" "$scratch/folder" 2>/dev/null &
victim=$!
sleep 1
kill -KILL $victim
one_of 3 2 "$tcp/test/test_ranks" "$scratch/folder" >>"$scratch/gone" 2>&1
wait
check_contains "a rank that dies before all have come" "$(cat "$scratch/gone")" '^error: rank 1 \(host .*\) is gone'
port=$((port + 2))
LOCAL_RANK=0 LOCAL_WORLD_SIZE=2 TORCHELASTIC_USE_AGENT_STORE=True one_of 2 0 "$tcp/test/test_ranks" "$scratch/folder" >"$scratch/zero" 2>&1 &
port=$((port + 1)) # where torchrun's agent holds MASTER_PORT, the next one is taken
LOCAL_RANK=1 LOCAL_WORLD_SIZE=2 one_of 2 1 "$tcp/test/test_ranks" "$scratch/folder"
wait
check_contains "beside torchrun's store" "$(cat "$scratch/zero")" '^test_ranks: [0-9]+ passed, 0 failed'

# ---- environments that cannot be meant
check_refused "no RANK" 'WORLD_SIZE=2 asks for many processes, and RANK is not set' env WORLD_SIZE=2 MASTER_PORT=1 "$tcp/rollout" --help
check_refused "a RANK that is too large" 'RANK=2: a number from 0 to 1 is wanted' env WORLD_SIZE=2 RANK=2 "$tcp/rollout" --help
check_refused "a RANK that is no number" 'RANK=0x: a number' env WORLD_SIZE=2 RANK=0x "$tcp/rollout" --help
check_refused "too many ranks" 'WORLD_SIZE=5000: a number from 1 to 1024' env WORLD_SIZE=5000 RANK=0 "$tcp/rollout" --help
check_refused "no MASTER_PORT" 'MASTER_PORT is not set' env WORLD_SIZE=2 RANK=0 "$tcp/rollout" --help
check_refused "no MASTER_ADDR" 'MASTER_ADDR is not set' env MASTER_ADDR= WORLD_SIZE=2 RANK=0 MASTER_PORT=$port "$tcp/rollout" --help
check_refused "mpirun without MPI" 'OMPI_COMM_WORLD_SIZE=2 .*built without MPI' env OMPI_COMM_WORLD_SIZE=2 "$tcp/rollout" --help
check "one process needs nobody" env WORLD_SIZE=1 RANK=0 "$tcp/rollout" --help
port=$((port + 2))
one_of 2 0 "$tcp/rollout" --help >/dev/null &
sleep 1
check_refused "a port that is taken" "cannot listen on port $port: .*choose another MASTER_PORT" one_of 2 0 "$tcp/rollout" --help
check "its ranks end well" one_of 2 1 "$tcp/rollout" --help
wait
if ldd ./rollout | grep -q libmpi; then
    check_refused "torchrun with MPI" 'WORLD_SIZE=2 is .*build it with make MPI=$' env WORLD_SIZE=2 RANK=0 ./rollout --help
    check_refused "torchrun with MPI, as a task of srun" 'WORLD_SIZE=2 is .*build it with make MPI=$' env SLURM_STEP_NUM_TASKS=2 TORCHELASTIC_RUN_ID=x WORLD_SIZE=2 RANK=0 ./rollout --help
fi

# ---- whole runs
tiny_start "$scratch" || exit 1
train() { # run_dir, further options
    run=$1
    shift
    # shellcheck disable=SC2046 # a list of words is meant
    all_of 2 "$tcp/train_grpo" $(options "$run") "$@" >>"$run.log" 2>&1
}
check_same_run() { # what, run_dir
    check_equal "$1: fingerprints" "$(numbers "$2" fingerprint)" "$(numbers "$scratch/two" fingerprint)"
    check "$1: weights" cmp "$2/checkpoints/step_000012/model.safetensors" "$scratch/two/checkpoints/step_000012/model.safetensors"
}
check "two ranks" train "$scratch/two"
if command -v mpirun >/dev/null 2>&1 && ldd ./train_grpo | grep -q libmpi; then
    # shellcheck disable=SC2046
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none \
        ASAN_OPTIONS=${ASAN_OPTIONS:-}${ASAN_OPTIONS:+:}detect_leaks=0 timeout 120 mpirun -np 2 ./train_grpo $(options "$scratch/mpi") >"$scratch/mpi.log" 2>&1
    check_same_run "two ranks under mpirun" "$scratch/mpi"
else
    check_skip "no MPI on this machine: many ranks over TCP are not compared with it"
fi
for phase in generate learn; do
    strike_in $phase "$scratch/killed/ranks.txt" KILL
    train "$scratch/killed"
    strike_over
    check_contains "kill in $phase: the job says who, where and when" "$(cat "$scratch/killed.log")" "error: rank 1 \(host .*, process [0-9]*\) is gone, in phase [a-z]+ of step [0-9]*; the job ends"
    check_equal "kill in $phase: the job ended within its deadline ($took s)" "$([ "${took:-99}" -le 8 ] && echo yes)" yes
    rm -f "$scratch/killed.log"
done
check "killed twice: the same command goes on" train "$scratch/killed"
check_same_run "killed twice" "$scratch/killed"
./rollout -m "$scratch/model" -e "$scratch/prompts.jsonl" -n 4 -c 16 -t 1 -o "$scratch/single.jsonl" >/dev/null
check "rollout on three ranks" all_of 3 "$tcp/rollout" -m "$scratch/model" -e "$scratch/prompts.jsonl" -n 4 -c 16 -t 1 -o "$scratch/triple.jsonl"
check "rollout on three ranks writes what one writes" cmp "$scratch/single.jsonl" "$scratch/triple.jsonl"
check_equal "rollout leaves its answers alone" "$(ls "$scratch" | grep -c '^triple')" 1

# ---- a row at a time takes longer than --rank_timeout, and is no standstill; a row that never comes is one
mkfifo "$scratch/slow.jsonl"
slowly() { # rows, then how long nothing comes
    head -n "$1" "$scratch/prompts.jsonl" | while read -r row; do printf '%s\n' "$row"; sleep 0.6; done
    sleep "$2"
}
slowly 12 0 >"$scratch/slow.jsonl" &
check "slow rows are work" train "$scratch/slow" -d "$scratch/slow.jsonl" -b 4 -s 1 --rank_timeout 4
wait
slowly 1 30 >"$scratch/slow.jsonl" &
train "$scratch/stuck" -d "$scratch/slow.jsonl" -b 4 -s 1 --rank_timeout 4
kill $! 2>/dev/null
check_contains "a row that never comes is a standstill" "$(cat "$scratch/stuck.log")" 'error: rank 0 \(host .*\) has got no further for [0-9]+ s, in phase start of step 0'
check_report test_tcp_ranks
