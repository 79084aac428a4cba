# Every script of a recipe, as far as its memory plan on any machine: its options are understood, and the plan is of the context it names.
. test/check.sh
mkdir "$scratch/model"
cat >"$scratch/model/config.json" <<'END'
{"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "torch_dtype": "bfloat16", "hidden_act": "silu", "hidden_size": 1536, "intermediate_size": 8960,
 "num_hidden_layers": 28, "num_attention_heads": 12, "num_key_value_heads": 2, "vocab_size": 151936, "max_position_embeddings": 131072, "rms_norm_eps": 1e-06,
 "rope_theta": 10000, "tie_word_embeddings": false, "use_sliding_window": false, "bos_token_id": 151643, "eos_token_id": 151643}
END
# In the place of each launcher: what it would start, once, whatever this machine's own memory says to the plan.
mkdir "$scratch/bin"
for launcher in alone srun mpirun; do
    cat >"$scratch/bin/$launcher" <<'END'
#!/bin/sh
while [ "$1" != ./train_grpo ]; do shift; done
"$@" || true
END
    chmod +x "$scratch/bin/$launcher"
done
PATH=$scratch/bin:$PATH MODEL=$scratch/model RUNS=$scratch/runs LAUNCH=alone
export PATH MODEL RUNS LAUNCH
check_plan() { # contexts, how many stages, script and arguments: what it prints with --plan
    contexts=$1 stages=$2
    shift 2
    "$@" --plan >"$scratch/plan" 2>&1
    for context in $contexts; do check "$*: a stage of $context" grep -Eq "^\| context +\| $context " "$scratch/plan"; done
    check_equal "$*: stages that fit one 80 GB GPU" "$(grep -Ec '^memory plan for one 80 GB GPU, bf16: [0-9.]+ of [0-9.]+ GiB' "$scratch/plan")" "$stages"
    check_equal "$*: its time is predicted for one GPU and for 8" "$(grep -Ec '^prediction for (1 H100|8 H100s), not measured .*: .* s a step of context [0-9]+' "$scratch/plan")" $((2 * stages))
    check_equal "$*: stages that do not fit" "$(grep -Ec 'does not fit (one 80 GB GPU|8 GPUs)' "$scratch/plan")" 0
}
check_plan 8192:1040 1 scripts/run_deepscaler_1.5b_8k.sh
check_plan 16384:480 1 scripts/run_deepscaler_1.5b_16k.sh
check_plan 24576:230 1 scripts/run_deepscaler_1.5b_24k.sh
check_plan "8192:1040 16384:480 24576:230" 3 scripts/run_deepscaler_all.sh
check_plan 2048 1 scripts/run_ablation.sh 2048
check_plan 4096 1 scripts/run_ablation.sh 4096
check_plan "8192:240 16384:290 24576:50" 3 scripts/run_nemo_1.5b.sh
check_plan 16384:480 1 scripts/multi_node/slurm.sh scripts/run_deepscaler_1.5b_16k.sh
check_plan 16384:480 1 scripts/multi_node/mpirun.sh hosts scripts/run_deepscaler_1.5b_16k.sh
said=$(LAUNCH=echo OUT=$scratch/eval scripts/evaluate.sh model aime.parquet math.parquet)
check_equal "evaluation takes the sets one after the other" "$said" "./rollout -m model -e aime.parquet -n 16 -t 0.6 --top_p 0.95 -c 32768 --max_prompt_tokens 1024 -o $scratch/eval/aime.parquet.jsonl
./rollout -m model -e math.parquet -n 16 -t 0.6 --top_p 0.95 -c 32768 --max_prompt_tokens 1024 -o $scratch/eval/math.parquet.jsonl"
check "plans leave nothing behind" test ! -e "$scratch/runs"
check_report test_scripts
