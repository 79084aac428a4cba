# Runs every test program of a folder (sh test/run.sh build/cpu-FP32-cc/test) and every test/test_*.sh, as many at a time as there are cores (JOBS),
# the scripts first, since they take longest; and sums up what they checked. The last line is `N passed, N failed`; a program that dies without
# its closing line counts as one failure.
if [ "$1" = one ]; then # folder, program: what it says goes to one file in the folder $said
    program=$3
    start=$(date +%s%N)
    case $program in
    *.sh) output=$(TESTS="$2" sh "$program" 2>&1) ;;
    *) output=$("$program" 2>&1) ;;
    esac
    status=$?
    milliseconds=$((($(date +%s%N) - start) / 1000000))
    closing=$(printf '%s\n' "$output" | grep -E '^[a-z_0-9]+: [0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' | tail -n 1)
    if [ -z "$closing" ]; then closing="$(basename "$program"): 0 passed, 1 failed, 0 skipped (ended with status $status before its closing line)"; fi
    {
        [ -n "${VERBOSE:-}" ] && printf '%s\n' "$output" | grep -E '^ok '
        printf '%s\n' "$output" | grep -E '^(FAIL|skip)|error|Sanitizer' | head -n 40
        printf '%s\n' "$output" | sed -n 's|^show |  |p' # figures that every run of the tests is to print
        printf '%s (%d ms)\n' "$closing" "$milliseconds"
        case $closing in
        *' 0 failed,'*) [ $status -eq 0 ] || printf '%s: 0 passed, 1 failed, 0 skipped: it ended with status %d\n%s\n' "$(basename "$program")" $status "$(printf '%s\n' "$output" | tail -n 30 | sed 's/^/    /')" ;;
        esac
    } >"$said/$(basename "$program")"
    cat "$said/$(basename "$program")"
    exit 0
fi
said=$(mktemp -d) || exit 1
trap 'rm -rf "$said"' EXIT
export said
for program in test/test_*.sh "$1"/test_*; do
    case $program in *.o | *.d) continue ;; esac
    [ -e "$program" ] && echo "$program"
done | xargs -P "${JOBS:-$(nproc)}" -I '{}' sh "$0" one "$1" '{}'
# shellcheck disable=SC2046 # three numbers are meant
set -- $(cat "$said"/* | sed -n 's/^[a-z_0-9.]*: \([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped.*/\1 \2 \3/p' | awk '{ p += $1; f += $2; s += $3 } END { print p + 0, f + 0, s + 0 }')
if [ "$3" -gt 0 ]; then echo "$3 skipped: see the lines that begin with skip"; fi
echo "$1 passed, $2 failed"
[ "$2" -eq 0 ]
