# Runs every test program of a folder (sh test/run.sh build/cpu-FP32-cc/test) and sums up what they checked.
# The last line is `N passed, N failed`; a program that dies without its closing line counts as one failure.
passed=0 failed=0 skipped=0
for program in "$1"/test_* test/test_*.sh; do
    case $program in *.o | *.d) continue ;; esac
    [ -e "$program" ] || continue
    start=$(date +%s%N)
    case $program in
    *.sh) output=$(TESTS="$1" sh "$program" 2>&1) ;;
    *) output=$("$program" 2>&1) ;;
    esac
    status=$?
    milliseconds=$((($(date +%s%N) - start) / 1000000))
    closing=$(printf '%s\n' "$output" | grep -E '^[a-z_0-9]+: [0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' | tail -n 1)
    if [ -z "$closing" ]; then closing="$(basename "$program"): 0 passed, 1 failed, 0 skipped (ended with status $status before its closing line)"; fi
    [ -n "${VERBOSE:-}" ] && printf '%s\n' "$output" | grep -E '^ok '
    printf '%s\n' "$output" | sed -n 's/^show /  /p' # figures that every run of the tests is to print
    printf '%s\n' "$output" | grep -E '^(FAIL|skip)|error|Sanitizer' | head -n 40
    printf '%s (%d ms)\n' "$closing" "$milliseconds"
    set -- "$1" $(printf '%s' "$closing" | sed 's/^[^:]*: \([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped.*/\1 \2 \3/')
    passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
    if [ "$status" -ne 0 ] && [ "$3" -eq 0 ]; then failed=$((failed + 1)); printf 'FAIL %s ended with status %d\n%s\n' "$program" "$status" "$output" | tail -n 30; fi
done
if [ "$skipped" -gt 0 ]; then echo "$skipped skipped: see the lines that begin with skip"; fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
