#!/bin/sh
# check_miniature: trains the built-in model from each seed given (default 1337 1 2) and checks what the README says of it, from
# the run's own metrics: at the start pass@1 sampled below 0.40 and greedy below 0.10; at the end both above 0.85; answers at least
# twice as long; pass@1 within the running context up a step with each lengthening. The last line is `N passed, N failed`.
set -u
[ $# -gt 0 ] || set -- 1337 1 2
passed=0 failed=0
folder=$(mktemp -d)
check() { # condition for awk, what it says
    if awk "BEGIN { exit !($1) }"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAIL seed $seed: $2: $1"; fi
}
value() { # step, metric name
    grep "^{\"step\":$1," "$folder/run/metrics.jsonl" | tail -n 1 | sed -n "s|.*\"$2\":\([-0-9.e+]*\).*|\1|p"
}
for seed in "$@"; do
    rm -rf "$folder/run"
    began=$(date +%s)
    ./train_grpo -c 24576 --seed "$seed" -o "$folder/run" >"$folder/log" 2>&1 || { cat "$folder/log"; failed=$((failed + 1)); continue; }
    seconds=$(($(date +%s) - began))
    sampled="val-core/held_out/acc/mean@2" greedy="val-core/held_out/greedy" within="val-core/held_out/within_context@2" length="val-aux/held_out/response_length@2"
    first=$(value 0 $sampled) first_greedy=$(value 0 $greedy) last=$(value 140 $sampled) last_greedy=$(value 140 $greedy)
    short=$(value 0 $length) long=$(value 140 $length) at0=$(value 0 $within) at32=$(value 40 $within) at56=$(value 80 $within) at96=$(value 140 $within)
    echo "seed $seed: pass@1 $first -> $last, greedy $first_greedy -> $last_greedy, tokens $short -> $long, within the context $at0 | $at32 | $at56 | $at96, $seconds s"
    check "$first < 0.40" "pass@1 at the start"
    check "$first_greedy < 0.10" "greedy at the start"
    check "$last > 0.85" "pass@1 at the end"
    check "$last_greedy > 0.85" "greedy at the end"
    check "$long >= 2 * $short" "length at least doubled"
    check "$at0 + 0.1 < $at32 && $at32 + 0.2 < $at56 && $at56 + 0.2 < $at96" "a step with each lengthening"
    check "$seconds < 360" "under six minutes"
done
rm -rf "$folder"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
