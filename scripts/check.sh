#!/bin/sh
# check: what the compilers and tests do not see: format, the design's laws, size budgets, warnings of both compilers in both
# precisions, static analysis. `make check` runs it; everything found is printed, and the exit code says whether anything was.
set -u
found=0
fail() { echo "check: $*"; found=1; }
# shellcheck disable=SC2046 # file names here have no spaces
sources=$(git ls-files '*.c' '*.h' '*.cu' '*.cuh')
library=$(git ls-files 'llmc/*.h' 'data/*.h' '*.cu' '*.c' | grep -vE '^(test|dev)/')

echo "== format"
if command -v clang-format >/dev/null; then
    clang-format --dry-run -Werror $sources 2>&1 | grep -E 'error|warning' | cut -c1-160 | head -20 | sed 's/^/check: /' | grep . && fail "run clang-format -i on these"
else
    fail "clang-format is not installed: sudo ./scripts/setup.sh --dev"
fi

echo "== laws"
git grep -nE '^[[:space:]]*#[[:space:]]*(if|ifdef|ifndef|elif)\b' -- '*.c' '*.h' '*.cu' ':!llmc/dtype.h' && fail "a conditional outside llmc/dtype.h"
git grep -nE 'cuda_runtime|__global__|<<<' -- 'llmc/*.h' '*.cu' ':!llmc/cuda/*' ':!llmc/backend_cuda.cu' ':!dev/*' && fail "CUDA outside llmc/cuda"
git grep -nIE '\b(TODO|FIXME|XXX)\b' -- '*.c' '*.h' '*.cu' '*.sh' Makefile ':!scripts/check.sh' && fail "something is left undone"
git grep -nE 'ffast-math|Ofast' -- Makefile '*.sh' ':!scripts/check.sh' | grep -v 'No -ffast-math' && fail "fast-math makes isfinite a lie"

echo "== budgets: files of at most 500 lines, functions of at most 80"
for file in $library; do
    lines=$(wc -l <"$file")
    [ "$lines" -le 500 ] || fail "$file has $lines lines"
    awk -v file="$file" '/^[a-zA-Z].*\) \{$/ {start = NR; name = $0} /^}/ {if (start && NR - start > 80) {printf "%s:%d: %d lines: %s\n", file, start, NR - start, name; bad = 1} start = 0} END {exit bad}' "$file" || fail "a function over budget"
done

echo "== warnings: gcc and clang, fp32 and bf16"
for compiler in gcc clang; do
    command -v $compiler >/dev/null || { fail "$compiler is not installed: sudo ./scripts/setup.sh --dev"; continue; }
    for precision in FP32 BF16; do
        # optimised, for some warnings need the flow analysis. gcc's objects are those of `make test`: one that is there was made without a warning
        set -- "VARIANT=check-$compiler-$precision" "OPTIMIZE=-O1 -march=native -g0"
        [ $compiler != gcc ] || set -- "VARIANT=cpu-$precision-gcc"
        make -s -j2 CC=$compiler PRECISION=$precision BACKEND=cpu "$@" objects >/tmp/check.$$ 2>&1 || {
            grep -E 'error|warning' /tmp/check.$$ | head -20
            fail "$compiler $precision"
        }
        rm -f /tmp/check.$$
    done
done

echo "== static analysis"
if command -v cppcheck >/dev/null; then
    # ctuuninitvar: takes an Error to be filled for one that is read. nullPointer: does not see that a response of 0 tokens is never read.
    cppcheck --quiet --std=c11 --language=c --error-exitcode=1 --suppress=missingIncludeSystem --suppress=ctuuninitvar --suppress=nullPointer \
        --suppress=preprocessorErrorDirective --suppress=unknownMacro --max-configs=1 -I. -DFP32 train_grpo.cu rollout.cu train_sft.cu data/prepare.c data/parquet_cat.c grade.c || fail "cppcheck"
else
    fail "cppcheck is not installed: sudo ./scripts/setup.sh --dev"
fi
for script in $(git ls-files '*.sh') .ci/run; do sh -n "$script" || fail "$script does not parse"; done

[ $found -eq 0 ] && echo "check: clean"
exit $found
