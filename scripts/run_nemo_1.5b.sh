#!/bin/sh
# NeMo RL's shorter schedule, which reached AIME 41.7 on 8 H100 in about 620 steps (NVIDIA-NeMo/RL, docs/guides/grpo-deepscaler.md, and recipes
# grpo-deepscaler-1.5b-{8K,16K,24K}): temperature 1, 16 updates a step, leave-one-out baseline, clip-higher from 16K on. Options go to every stage.
#   TRAIN=datasets/deepscaler.json EVAL=datasets/aime.json LAUNCH="mpirun -np 8" ./scripts/run_nemo_1.5b.sh
set -e
cd "$(dirname "$0")/.."
stage() { # run, model, its options
    run=$1 model=$2
    shift 2
    # shellcheck disable=SC2086 # LAUNCH is words
    ${LAUNCH:-} ./train_grpo -m "$model" -d "${TRAIN:-datasets/deepscaler.json}" -v "${EVAL:-datasets/aime.json}" -o "${RUNS:-runs}/$run" -b 128 -g 8 --minibatch_prompts 8 -t 1 --advantage rloo \
        --entropy_coef 0 --warmup_steps 50 --eval_samples 16 --eval_temperature 1 --eval_top_p 1 "$@"
}
stage nemo_8k "${MODEL:-models/DeepSeek-R1-Distill-Qwen-1.5B}" -c 8192:240 -l 2e-6 --kl_coef 0 "$@"
stage nemo_16k "${MODEL:-${RUNS:-runs}/nemo_8k/checkpoints/step_000240}" -c 16384:290 -l 2e-6 --kl_coef 0.001 --clip_high 0.28 "$@"
stage nemo_24k "${MODEL:-${RUNS:-runs}/nemo_16k/checkpoints/step_000290}" -c 24576:50 -l 5e-7 --kl_coef 0.0001 --clip_high 0.28 "$@"
