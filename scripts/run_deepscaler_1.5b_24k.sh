#!/bin/sh
# DeepScaleR's third stage, 24K context: as the second, about 230 steps, from its last checkpoint (agentica-project/deepscaler 95ef74f,
# scripts/train/run_deepscaler_1.5b_24k.sh; 32 A100 there). Options of train_grpo may follow.
#   TRAIN=datasets/deepscaler.json EVAL=datasets/aime.json LAUNCH="mpirun -np 8" ./scripts/run_deepscaler_1.5b_24k.sh
cd "$(dirname "$0")/.." || exit 1
# shellcheck disable=SC2086 # LAUNCH is words
exec ${LAUNCH:-} ./train_grpo -m "${MODEL:-${RUNS:-runs}/deepscaler_16k/checkpoints/step_000480}" -d "${TRAIN:-datasets/deepscaler.json}" -v "${EVAL:-datasets/aime.json}" -o "${RUNS:-runs}/deepscaler_24k" \
    -c 24576:230 -b 128 -g 16 --minibatch_prompts 64 --max_prompt_tokens 1024 -t 0.6 -l 1e-6 --kl_coef 0.001 --entropy_coef 0.001 \
    --eval_every 10 --eval_samples 16 --checkpoint_every 10 "$@"
