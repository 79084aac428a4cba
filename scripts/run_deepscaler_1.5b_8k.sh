#!/bin/sh
# DeepScaleR's first stage, 8K context: 128 prompts x 8 answers a step, two updates, 1,040 steps (agentica-project/deepscaler 95ef74f,
# scripts/train/run_deepscaler_1.5b_8k.sh; 8 A100 there). Options of train_grpo may follow; --plan prints the memory plan alone.
#   MODEL=models/DeepSeek-R1-Distill-Qwen-1.5B TRAIN=datasets/deepscaler.json EVAL=datasets/aime.json LAUNCH="mpirun -np 8" ./scripts/run_deepscaler_1.5b_8k.sh
cd "$(dirname "$0")/.." || exit 1
# shellcheck disable=SC2086 # LAUNCH is words
exec ${LAUNCH:-} ./train_grpo -m "${MODEL:-models/DeepSeek-R1-Distill-Qwen-1.5B}" -d "${TRAIN:-datasets/deepscaler.json}" -v "${EVAL:-datasets/aime.json}" -o "${RUNS:-runs}/deepscaler_8k" \
    -c 8192:1040 -b 128 -g 8 --minibatch_prompts 64 --max_prompt_tokens 1024 -t 0.6 -l 1e-6 --kl_coef 0.001 --entropy_coef 0.001 \
    --eval_every 20 --eval_samples 8 --checkpoint_every 20 "$@"
