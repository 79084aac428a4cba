# sh test/emulator/run.sh test_rmsnorm ..: runs op tests on the emulator, in both precisions: under ASan in each order of threads in EMU_ORDERS
# (0 forward, 1 backward, else a seed), with the race detector in one. Then every planted fault must be found. Last line: N passed, N failed.
passed=0 failed=0
run() { # build, test, order
    start=$(date +%s%N)
    said=$(EMU_ORDER=$3 EMU_TIMEOUT=${EMU_TIMEOUT:-120} "build/emu-$1/test/$2" 2>&1)
    code=$?
    milliseconds=$((($(date +%s%N) - start) / 1000000))
    closing=$(printf '%s\n' "$said" | tail -n 1)
    [ -n "${VERBOSE:-}" ] && printf '%s\n' "$said" | grep '^ok '
    if [ $code -eq 0 ]; then
        passed=$((passed + 1))
        echo "ok   $1 order $3 $closing ($milliseconds ms)"
    else
        failed=$((failed + 1))
        echo "FAIL $1 order $3 $2 ended with $code"
        printf '%s\n' "$said" | grep -v '^ok ' | head -n 30
    fi
}
for test in "$@"; do
    for precision in FP32 BF16; do
        for order in ${EMU_ORDERS:-0 1}; do run asan-$precision "$test" "$order"; done
        run race-$precision "$test" 0
    done
done
sh test/emulator/faults.sh build/emu || failed=$((failed + 1))
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
