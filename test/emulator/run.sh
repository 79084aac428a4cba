# sh test/emulator/run.sh test_rmsnorm ..: runs op tests on the emulator, in both precisions: under ASan in each order of threads in EMU_ORDERS
# (0 forward, 1 backward, else a seed), with the race detector in one; those with a kernel for Hopper also on an emulated Hopper. Then every planted fault must be found. Last line: N passed, N failed.
passed=0 failed=0
run() { # build, test, order, compute capability times 10
    start=$(date +%s%N)
    said=$(EMU_ORDER=$3 EMU_CAPABILITY=${4:-80} EMU_TIMEOUT=${EMU_TIMEOUT:-120} "build/emu-$1/test/$2" 2>&1)
    code=$?
    milliseconds=$((($(date +%s%N) - start) / 1000000))
    closing=$(printf '%s\n' "$said" | tail -n 1)
    [ -n "${VERBOSE:-}" ] && printf '%s\n' "$said" | grep '^ok '
    if [ $code -eq 0 ]; then
        passed=$((passed + 1))
        echo "ok   $1${4:+ sm_$4} order $3 $closing ($milliseconds ms)"
    else
        failed=$((failed + 1))
        echo "FAIL $1${4:+ sm_$4} order $3 $2 ended with $code"
        printf '%s\n' "$said" | grep -v '^ok ' | head -n 30
    fi
}
for test in "$@"; do
    for precision in FP32 BF16; do
        for order in ${EMU_ORDERS:-0 1}; do run asan-$precision "$test" "$order"; done
        run race-$precision "$test" 0
    done
    case $test in test_attention | test_attention_long)
        for order in ${EMU_ORDERS:-0 1} 7; do run asan-BF16 "$test" "$order" 90; done
        for order in 0 1; do run race-BF16 "$test" "$order" 90; done ;;
    esac
done
sh test/emulator/faults.sh build/emu || failed=$((failed + 1))
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
