#!/bin/sh
# DeepScaleR's ablations with short contexts: 256 prompts x 8 answers, prompts of up to 512 tokens (agentica-project/deepscaler 95ef74f,
# scripts/ablations). The first argument is the context, 2048 or 4096; options of train_grpo may follow.
#   TRAIN=datasets/deepscaler.json EVAL=datasets/aime.json LAUNCH="mpirun -np 8" ./scripts/run_ablation.sh 2048
context=${1:?the context: 2048 or 4096}
shift
cd "$(dirname "$0")/.." || exit 1
# shellcheck disable=SC2086 # LAUNCH is words
exec ${LAUNCH:-} ./train_grpo -m "${MODEL:-models/DeepSeek-R1-Distill-Qwen-1.5B}" -d "${TRAIN:-datasets/deepscaler.json}" -v "${EVAL:-datasets/aime.json}" -o "${RUNS:-runs}/ablation_$context" \
    -c "$context" -b 256 -g 8 --minibatch_prompts 64 --max_prompt_tokens 512 --tokens_per_microbatch 24000 -t 0.6 -l 1e-6 --kl_coef 0.001 --entropy_coef 0.001 "$@"
