# Runs fuzz targets (sh test/fuzz/run.sh SECONDS FOLDER-OF-PROGRAMS TARGET..), two at a time, from the inputs in test/fuzz/corpus and
# those of earlier runs here. Prints a line for each: executions, coverage (edges), features, finds. The last line is `N passed, N failed`.
seconds=$1 programs=$2
shift 2
memory=/dev/shm
[ -d $memory ] && [ -w $memory ] || memory=${TMPDIR:-/tmp}
TMPDIR=$(mktemp -d "$memory/fuzz.XXXXXX") || exit 1
OMP_NUM_THREADS=1
export TMPDIR OMP_NUM_THREADS
trap 'rm -rf "$TMPDIR"' EXIT
trap 'kill $running 2>/dev/null; exit 130' INT TERM
running=
mkdir -p build/fuzz/finds build/fuzz/logs
fuzz_target() { # target: leaves its outcome in $TMPDIR/target
    mkdir -p "build/fuzz/corpus/$1"
    dictionary=test/fuzz/$1.dict
    [ -e "$dictionary" ] || dictionary=
    "$programs/$1" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=1024 -max_len=8192 -print_final_stats=1 ${dictionary:+-dict="$dictionary"} \
        -artifact_prefix="build/fuzz/finds/$1-" "build/fuzz/corpus/$1" "test/fuzz/corpus/$1" >"build/fuzz/logs/$1" 2>&1
    echo $? >"$TMPDIR/$1"
}
report_target() {
    log=build/fuzz/logs/$1 status=$(cat "$TMPDIR/$1" 2>/dev/null || echo killed)
    last=$(grep -E '^#[0-9]+' "$log" | tail -n 1)
    runs=$(grep -E 'number_of_executed_units' "$log" | grep -oE '[0-9]+$')
    printf '%-12s %9s runs, %6s edges, %6s features, %s s: ' "$1" "${runs:-0}" "$(echo "$last" | grep -oE 'cov: [0-9]+' | cut -c6-)" "$(echo "$last" | grep -oE 'ft: [0-9]+' | cut -c5-)" "$seconds"
    if [ "$status" = 0 ] && [ "${runs:-0}" -gt 0 ]; then
        echo "nothing found"
        passed=$((passed + 1))
    else
        echo "FAIL, exit code $status; replay with $programs/$1 INPUT"
        grep -E 'ERROR|runtime error|Assertion|written to|SUMMARY' "$log" | head -n 6
        failed=$((failed + 1))
    fi
}
passed=0 failed=0
while [ $# -gt 0 ]; do
    pair="$1 ${2:-}"
    running=
    for target in $pair; do
        fuzz_target "$target" &
        running="$running $!"
    done
    wait
    for target in $pair; do report_target "$target"; done
    shift
    [ $# -eq 0 ] || shift
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
