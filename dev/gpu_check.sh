#!/bin/sh
# gpu_check: everything that only a GPU can show, in one command of less than ten minutes. Built for one H100 without a network: nvcc, Python
# with PyTorch, Triton and Transformers; on another GPU, or without Python, it goes as far as it can.
#
#   dev/gpu_check.sh [-o FOLDER] [-t SECONDS] [SECTION...]      for example   dev/gpu_check.sh tests      dev/gpu_check.sh bench 1 4 attn_fwd
#
#   build       the CUDA backend, op tests, programs and benchmarks, in bf16 and fp32
#   tests       every op test, test_golden and test_rollout on the GPU in both; attention beside PyTorch's
#   refusals    no visible GPU, and a memory plan that does not fit: exit code 1, what and how much, and the option that helps
#   miniature   20 steps of the built-in model twice: the same tokens, the same weights, to the bit
#   bench       the twelve lines, each beside its peer and its limit; numbers or names choose lines
#                 1 gemm   2 attn_fwd   3 attn_bwd   4 decode_attn   5 decode_step   6 rollout   7 logprob_head   8 train_8k   9 train_24k
#                 10 stream   11 sample   12 grpo_step                           (0, the machine's own ceilings, always comes first)
#   sanitizer   compute-sanitizer memcheck, racecheck and initcheck on the small op tests
#   pack        not part of a whole run: copies the headers and libraries that the programs need into build/gpu_deps, to be taken along to a
#               machine that has none of them and no network (git ignores build); there they are used where the system lacks jansson.h
#   smoke       not part of a whole run with a GPU: the benchmarks and their peers in tiny shapes on the CPU, to see that they work
#
# Without a section: all, in this order. Without a GPU: build, the refusals that need none, and smoke; every figure is then left blank.
# A part that fails or takes too long stops no other, and can be repeated alone; parts for which the time of -t (default 570 s) is too
# short are left out and named. FOLDER (default $OUT, else build/gpu_check) receives
#   log.txt        what every part printed            table.md    a table for SPEED.md, with date, device, driver, commit and command
#   figures.jsonl  the figures it is made of: a repeated line replaces its rows, the others stay
# Limits: the copy and the 8192^3 matrix product measured at the start of every run. A limit adds up, for each part of the work, what the
# slowest resource needs; attention's ceiling is a share of the matrix product's, see dev/bench_join.py.
set -u
cd "$(dirname "$0")/.." || exit 1
# ---- what a part calls this script for, since timeout runs commands, not functions

refused() { # regular expression, command..: exit code 1, one sentence that matches, nothing else wrong
    expression=$1
    shift
    said=$("$@" 2>&1)
    code=$?
    printf '%s\n' "$said" | tail -n 3
    [ $code -eq 1 ] || { echo "FAIL it ended with $code, not 1"; return 1; }
    printf '%s\n' "$said" | grep -Eq "^error: $expression" || { echo "FAIL nothing says: error: $expression"; return 1; }
}
same_bits() { # two run folders: a fingerprint of all tokens and weights for each step
    fingerprints='^{"step":[0-9]*\|"fingerprint":"[0-9a-f]*"'
    [ "$(grep -c '^{"step"' "$1/metrics.jsonl")" -ge 20 ] || { echo "FAIL 20 steps were not written"; return 1; }
    grep -o "$fingerprints" "$1/metrics.jsonl" >"$1/fingerprints"
    grep -o "$fingerprints" "$2/metrics.jsonl" >"$2/fingerprints"
    tail -n 1 "$1/fingerprints"
    cmp "$1/fingerprints" "$2/fingerprints"
}
case ${1:-} in
refused | same_bits)
    "$@"
    exit ;;
esac

folder=${OUT:-build/gpu_check} seconds=570 asked=$*
while getopts o:t:h option; do
    case $option in
    o) folder=$OPTARG ;;
    t) seconds=$OPTARG ;;
    h) sed -n '2,/^set -u/s/^# \{0,1\}//p' "$0" && exit 0 ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
deadline=$(($(date +%s) + seconds))
mkdir -p "$folder" && folder=$(cd "$folder" && pwd) || exit 1
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
log=$folder/log.txt figures=$folder/figures.jsonl
: >"$log"
touch "$figures"
passed=0 failed='' left_out='' blank=''
gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -n 1)
driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -n 1)
op_tests='adamw attention attention_decode embedding gradient_norm linear logprob qk_norm rmsnorm rope sample swiglu'
model_tests='golden rollout'
jobs=$(nproc)
python=$(command -v "${PYTHON:-python3}")
"$python" -c 'import torch' 2>/dev/null || python=''
if [ -d build/gpu_deps ] && ! [ -e /usr/include/jansson.h ]; then
    deps=$PWD/build/gpu_deps
    CFLAGS="-isystem $deps/include -isystem $deps/include/flint"
    LDLIBS="-L$deps/lib -Wl,--disable-new-dtags -Wl,-rpath,$deps/lib -Wl,-rpath-link,$deps/lib $(cat build/gpu_deps/flags)"
    export CFLAGS LDLIBS
fi
export NVCCFLAGS='--threads 0' # the architectures side by side
export WANDB_MODE=offline PYTHONDONTWRITEBYTECODE=1

say() { printf '%s\n' "$*" | tee -a "$log"; }
now() { date +%s; }
# part NAME LIMIT COMMAND..: one part with its own time limit, all it prints in the log, its failure among the last lines.
part() {
    name=$1 limit=$2
    shift 2
    left=$((deadline - $(now)))
    if [ $left -lt 5 ]; then
        left_out="$left_out $name"
        return 1
    fi
    [ "$limit" -lt $left ] || limit=$left
    began=$(now)
    printf '\n==== %s: %s\n' "$name" "$*" >>"$log"
    timeout -k 5 "$limit" "$@" >"$scratch/part" 2>&1
    code=$?
    cat "$scratch/part" >>"$log"
    finish "$name" $code $(($(now) - began)) "$scratch/part"
}
finish() { # name, exit code, seconds, output
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
        say "ok   $1 ($3 s)"
        return 0
    fi
    failed="$failed $1"
    say "FAIL $1: $([ "$2" -eq 124 ] || [ "$2" -eq 137 ] && echo 'ran out of time' || echo "ended with $2") ($3 s)"
    grep -E '^FAIL|rror' "$4" | head -n 5
    return 1
}
# Commands of a list, NAME|COMMAND a line, eight at a time, each with the same limit.
many() { # limit, list
    started=0
    while read -r line; do
        name=${line%%|*}
        (
            began=$(now)
            limit=$(limit_of "$1")
            code=late
            : >"$scratch/$name.out"
            if [ "$limit" -ge 5 ]; then
                timeout -k 5 "$limit" sh -c "${line#*|}" >"$scratch/$name.out" 2>&1 </dev/null
                code=$?
            fi
            echo "$code $(($(now) - began))" >"$scratch/$name.end"
        ) &
        started=$((started + 1))
        [ $((started % 8)) -ne 0 ] || wait
    done <"$2"
    wait
    while read -r line; do
        name=${line%%|*}
        printf '\n==== %s: %s\n' "$name" "${line#*|}" >>"$log"
        cat "$scratch/$name.out" >>"$log"
        read -r code took <"$scratch/$name.end"
        if [ "$code" = late ]; then left_out="$left_out $name"; else finish "$name" "$code" "$took" "$scratch/$name.out"; fi
    done <"$2"
}
limit_of() { left=$((deadline - $(now))); [ "$1" -lt $left ] && echo "$1" || echo $((left > 1 ? left : 1)); }

# ---- sections

tools() { # build folder
    for t in $op_tests $model_tests; do printf '%s/test/test_%s ' "$1" "$t"; done
    printf '%s/dev/bench_device_ops ' "$1"
}
section_build() { # both at once; the programs at the top are bf16's
    bf16=build/cuda-BF16-cc fp32=build/cuda-FP32-cc
    mkdir -p build
    echo "build-bf16|make -j$jobs BACKEND=cuda PRECISION=BF16 $(tools $bf16) $bf16/dev/bench_device_model train_grpo rollout" >"$scratch/list"
    echo "build-fp32|make -j$jobs BACKEND=cuda PRECISION=FP32 $(tools $fp32)" >>"$scratch/list"
    many 400 "$scratch/list"
}
section_tests() {
    : >"$scratch/list"
    for precision in BF16 FP32; do
        for t in $model_tests $op_tests; do echo "test_$t-$precision|build/cuda-$precision-cc/test/test_$t" >>"$scratch/list"; done
    done
    many 120 "$scratch/list"
    [ -z "$python" ] || beside_torch build/cuda-BF16-cc
}
beside_torch() { # build folder
    mkdir -p "$scratch/check"
    part attention-beside-torch 60 sh -c "BENCH_CHECK=$scratch/check $1/dev/bench_device_ops check && $python dev/peers/check.py $scratch/check"
}
too_large='--max_sequences 100000 --eval_max_tokens 100000 --kv_cache_mib 1000000'
section_refusals() {
    part refusal-no-gpu 60 env CUDA_VISIBLE_DEVICES= sh dev/gpu_check.sh refused '.*(no CUDA GPU can be used|NVIDIA driver is missing).*BACKEND=cpu' ./train_grpo --run_dir "$scratch/none" --plan
    [ -n "$gpu" ] || return 0
    # shellcheck disable=SC2086
    part refusal-plan 60 sh dev/gpu_check.sh refused 'the memory plan needs [0-9.]+ MiB but [0-9.]+ MiB are available.*--kv_cache_mib' ./train_grpo --run_dir "$scratch/none" --plan $too_large
}
section_miniature() {
    for run in first second; do
        part "miniature-$run" 90 ./train_grpo --run_dir "$scratch/$run" --steps 20 --eval_every 20 --eval_samples 1 --logger report || return 0
    done
    part miniature-same-bits 20 sh dev/gpu_check.sh same_bits "$scratch/first" "$scratch/second"
}
section_sanitizer() {
    sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)
    if [ -z "$sanitizer" ]; then
        left_out="$left_out sanitizer(not installed)"
        return 0
    fi
    : >"$scratch/list"
    for tool in memcheck racecheck initcheck; do
        for t in $op_tests; do echo "$tool-$t|$sanitizer --tool $tool --error-exitcode 9 build/cuda-BF16-cc/test/test_$t" >>"$scratch/list"; done
    done
    many 150 "$scratch/list"
}

number_of() {
    case $1 in
    gemm) echo 1 ;; attn_fwd) echo 2 ;; attn_bwd) echo 3 ;; decode_attn) echo 4 ;; decode_step) echo 5 ;; rollout) echo 6 ;; logprob_head) echo 7 ;;
    train_8k) echo 8 ;; train_24k) echo 9 ;; stream) echo 10 ;; sample) echo 11 ;; grpo_step) echo 12 ;; [0-9] | 1[0-2]) echo "$1" ;; *) return 1 ;;
    esac
}
# One line: our program and its peer, each under its limit; their rows replace what the folder has of this line.
bench_line() { # build folder, line, --smoke or nothing
    smoke=${3:-}
    case $2 in
    0) program=ops ours=30 peer='' theirs=0 ;;
    1) program=ops ours=30 peer=gemm theirs=40 ;;
    2) program=ops ours=20 peer=attention theirs=40 ;;
    3) program=ops ours=25 peer=attention theirs=40 ;;
    4) program=ops ours=25 peer=decode_attention theirs=60 ;;
    5) program=model ours=60 peer=decode_step theirs=110 ;;
    6) program=model ours=75 peer=rollout theirs=60 ;;
    7) program=ops ours=25 peer=logprob_head theirs=60 ;;
    8) program=model ours=60 peer=train theirs=110 ;;
    9) program=model ours=75 peer=train theirs=80 ;;
    10) program=ops ours=40 peer=stream theirs=70 ;;
    11) program=ops ours=20 peer=sample theirs=40 ;;
    12) program=model ours=90 peer='' theirs=0 ;;
    esac
    [ -z "$smoke" ] || theirs=$((theirs * 4)) # compilers are slower than a GPU is fast
    grep -v "^{\"line\": $2," "$figures" >"$scratch/figures"
    cp "$scratch/figures" "$figures"
    part "bench-$2" "$ours" "$1/dev/bench_device_$program" ${smoke:+"$smoke"} "$2"
    grep "^{\"line\": $2," "$scratch/part" >>"$figures"
    [ -n "$peer" ] && [ -n "$python" ] || return 0
    part "peer-$2" "$theirs" "$python" "dev/peers/$peer.py" ${smoke:+"$smoke"} "$2"
    grep "^{\"line\": $2," "$scratch/part" >>"$figures"
    # a peer of which a part could not run goes on and says so in the table
    [ -z "$gpu" ] || ! grep -q '"text": "did not run' "$scratch/part" || failed="$failed peer-$2(in part)"
}
write_table() {
    {
        echo "## $(date -u +%Y-%m-%d), ${gpu:-no GPU}${driver:+, driver $driver}, commit ${COMMIT:-$(git rev-parse --short HEAD 2>/dev/null || echo unknown)}"
        echo
        echo "\`dev/gpu_check.sh $asked\`. ${gpu:+$("$1/dev/bench_device_ops" --smoke 0 2>&1 >/dev/null | sed -n 's/, smoke.*/. /p')}${python:+Peers: $("$python" -c 'import torch, transformers; print("PyTorch", torch.__version__ + ", Transformers", transformers.__version__)' 2>/dev/null).} Ratios are of speed: above 1 is faster."
        echo
        "${python:-python3}" dev/bench_join.py ${blank:+--blank} "$figures"
    } >"$folder/table.md"
}
bench_lines() { # build folder, --smoke or nothing, lines
    at=$1 how=$2
    shift 2
    bench_line "$at" 0 "$how"
    for line in "$@"; do
        number=$(number_of "$line")
        [ "$number" -eq 0 ] || bench_line "$at" "$number" "$how"
    done
    write_table "$at"
}
section_bench() {
    [ $# -gt 0 ] || set -- 1 2 3 4 7 10 11 5 8 12 6 9
    bench_lines build/cuda-BF16-cc '' "$@"
}
section_smoke() {
    [ $# -gt 0 ] || set -- 1 2 3 4 5 6 7 8 9 10 11 12
    build=build/cpu-BF16-cc blank=yes
    part build-cpu 300 make -j2 BACKEND=cpu PRECISION=BF16 $build/dev/bench_device_ops $build/dev/bench_device_model || return 0
    bench_lines $build --smoke "$@"
    [ -z "$python" ] || beside_torch $build
}
section_pack() { # on Debian or Ubuntu
    rm -rf build/gpu_deps
    mkdir -p build/gpu_deps/include build/gpu_deps/lib
    triplet=$(cc -dumpmachine)
    for package in libjansson-dev libutf8proc-dev zlib1g-dev libzstd-dev liblz4-dev libsnappy-dev libbrotli-dev libflint-dev libflint-arb-dev libgmp-dev libmpfr-dev; do
        dpkg -L "$package" 2>/dev/null | grep '^/usr/include/.*\.h$' | while read -r header; do
            to=build/gpu_deps/include/$(echo "$header" | sed "s|^/usr/include/||; s|^$triplet/||")
            mkdir -p "$(dirname "$to")" && cp "$header" "$to"
        done
    done
    : >build/gpu_deps/flags
    for library in jansson utf8proc z zstd lz4 snappy brotlidec flint flint-arb gmp; do
        file=$(ls "/usr/lib/$triplet/lib$library.so" 2>/dev/null) || continue
        echo "INPUT($(objdump -p "$file" | sed -n 's/ *SONAME *//p'))" >"build/gpu_deps/lib/lib$library.so"
        { echo "$(objdump -p "$file" | sed -n 's/ *SONAME *//p') $file"; ldd "$file" | sed -n 's/^[[:space:]]*\([^ ]*\) => \([^ ]*\).*/\1 \2/p'; } | grep -vE '^lib(c|m|dl|rt|pthread|gomp|gcc_s|stdc\+\+)\.so' |
            while read -r soname from; do cp -L "$from" "build/gpu_deps/lib/$soname"; done
        [ $library != flint-arb ] || echo -lflint-arb >build/gpu_deps/flags
    done
    say "build/gpu_deps: $(du -sh build/gpu_deps | cut -f1)"
}

# ---- which

if [ -n "$gpu" ]; then say "$gpu, driver $driver"; else say "no GPU is present: what needs none is built and tried, and every figure stays blank"; fi
[ -n "$python" ] || say "no Python with PyTorch: the peers are left out"
sections=''
if [ $# -eq 0 ]; then
    if [ -n "$gpu" ]; then sections='build tests refusals miniature bench sanitizer'; else sections='build refusals smoke'; fi
    # shellcheck disable=SC2086 # words are meant, also below
    set -- $sections
fi
while [ $# -gt 0 ]; do
    section=$1
    shift
    case $section in
    bench | smoke)
        lines=''
        while [ $# -gt 0 ] && number_of "$1" >/dev/null; do
            lines="$lines $1"
            shift
        done
        # shellcheck disable=SC2086
        "section_$section" $lines ;;
    build | tests | refusals | miniature | sanitizer | pack) "section_$section" ;;
    *)
        say "$section: no such section: build tests refusals miniature bench sanitizer pack smoke"
        exit 2 ;;
    esac
done
[ ! -s "$folder/table.md" ] || say "$folder/table.md"
say "$passed passed, $(echo "$failed" | wc -w) failed${failed:+:$failed}${left_out:+; left out for want of time:$left_out}"
[ -z "$failed" ]
