# sh test/emulator/run.sh test_rmsnorm ..: runs op tests on the emulator, in both precisions: under ASan in each order of threads in EMU_ORDERS
# (0 forward, 1 backward, else a seed), with the race detector in one; those with a kernel for Hopper also on an emulated Hopper; as many at a
# time as there are cores. Then every planted fault must be found. Last line: N passed, N failed.
if [ "$1" = one ]; then # build, precision, test, order, compute capability times 10
    start=$(date +%s%N)
    said=$(EMU_ORDER=$5 EMU_CAPABILITY=$6 EMU_TIMEOUT=${EMU_TIMEOUT:-300} "build/emu-$2-$3/test/$4" 2>&1)
    code=$?
    name="$2 $3 order $5 sm_$6"
    [ -n "${VERBOSE:-}" ] && printf '%s\n' "$said" | grep '^ok '
    if [ $code -eq 0 ]; then
        echo "ok   $name $(printf '%s\n' "$said" | tail -n 1) ($((($(date +%s%N) - start) / 1000000)) ms)"
    else
        printf 'FAIL %s\n' "$name $4 ended with $code
$(printf '%s\n' "$said" | grep -v '^ok ' | head -n 30)"
    fi
    exit 0
fi
jobs() { # the longest first
    for test in "$@"; do
        case $test in
        test_attention) echo asan BF16 "$test" 1 90 ;;
        test_attention_long)
            for order in ${EMU_ORDERS:-0 1} 7; do echo asan BF16 "$test" "$order" 90; done
            for order in ${EMU_ORDERS:-0 1}; do echo race BF16 "$test" "$order" 90; done ;;
        esac
    done
    for test in "$@"; do
        for precision in BF16 FP32; do
            echo race $precision "$test" 0 80
            for order in ${EMU_ORDERS:-0 1}; do echo asan $precision "$test" "$order" 80; done
        done
    done
}
log=$(mktemp) || exit 1
jobs "$@" | xargs -L 1 -P "$(nproc)" sh "$0" one | tee "$log"
sh test/emulator/faults.sh build/emu | tee -a "$log"
passed=$(grep -c '^ok ' "$log") failed=$(grep -c '^FAIL ' "$log")
rm -f "$log"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
