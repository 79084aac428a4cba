#!/bin/sh
# DeepScaleR's evaluation: pass@1 over 16 samples at temperature 0.6, top_p 0.95, up to 32,768 tokens, on each set.
# The answers go to the folder OUT (eval).
#   ./scripts/evaluate.sh runs/deepscaler_24k/checkpoints/step_000230 datasets/aime.json datasets/amc.json datasets/math.json datasets/minerva.json datasets/olympiad_bench.json
model=${1:?the model folder, then the sets}
shift
cd "$(dirname "$0")/.." || exit 1
mkdir -p "${OUT:-eval}"
for set in "$@"; do
    # shellcheck disable=SC2086 # LAUNCH is words
    ${LAUNCH:-} ./rollout -m "$model" -e "$set" -n 16 -t 0.6 --top_p 0.95 -c 32768 --max_prompt_tokens 1024 -o "${OUT:-eval}/$(basename "$set").jsonl" || exit
done
