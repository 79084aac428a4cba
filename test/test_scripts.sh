# Every script of a recipe, as far as its memory plan on any machine: its options are understood, and the plan is of the context it names. What
# download.sh does when a line breaks or other bytes come than were announced.
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

# ---- download.sh, with a curl of our own in front of the real one: what each address holds lies in $STORE under its last name. NAME.cut: after so
# many bytes the line breaks, once; NAME.other: these bytes come instead. Every call is noted.
cat >"$scratch/bin/curl" <<'END'
#!/bin/sh
secret=$(cat) head='' out='' goes_on=''
while [ $# -gt 1 ]; do
    case $1 in
    -I) head=yes ;;
    -o) out=$2 ;;
    -C) goes_on=$2 ;;
    esac
    shift
done
name=${1##*/} held=$STORE/${1##*/}
[ -n "$goes_on" ] || rm -f "$out"
have=$(cat "$out" 2>/dev/null | wc -c)
echo "${head:+head }$1 from $have ${secret##* }" >>"$STORE/calls"
[ -e "$held" ] || exit 22
if [ -n "$head" ]; then # the sha256 of a large file in one header, the sha1 of git's blob in another
    case $name in
    *.safetensors) printf 'HTTP/2 302\r\nx-linked-etag: "%s"\r\nX-Linked-Size: %d\r\nlocation: https://elsewhere/\r\n' "$(sha256sum <"$held" | cut -c 1-64)" "$(wc -c <"$held")" ;;
    *) printf 'HTTP/2 200\r\nETag: W/"%s"\r\nContent-Length: %d\r\n' "$({ printf 'blob %d\0' "$(wc -c <"$held")"; cat "$held"; } | sha1sum | cut -c 1-40)" "$(wc -c <"$held")" ;;
    esac
    exit
fi
whole=$held
[ ! -e "$held.other" ] || whole=$held.other
if [ -e "$held.cut" ]; then
    tail -c +$((have + 1)) "$whole" | head -c "$(cat "$held.cut")" >>"$out"
    rm "$held.cut"
    exit 18
fi
tail -c +$((have + 1)) "$whole" >>"$out"
printf 206
END
chmod +x "$scratch/bin/curl"
STORE=$scratch/store MODELS=$scratch/models DATASETS=$scratch/datasets HF_ENDPOINT=https://mirror.example/ HF_TOKEN=secret TRIES=1 PAUSE=0
export STORE MODELS DATASETS HF_ENDPOINT HF_TOKEN TRIES PAUSE
mkdir "$STORE"
plan=$(scripts/download.sh --plan)
check_equal "download.sh --plan: the model, its data, five evaluation sets" "$(printf '%s\n' "$plan" | wc -l)" 11
check_contains "download.sh --plan: the weights" "$plan" "^https://mirror.example/deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B/resolve/[0-9a-f]{40}/model.safetensors -> $MODELS/DeepSeek-R1-Distill-Qwen-1.5B/model.safetensors$"
check_contains "download.sh --plan: the training set" "$plan" "^https://mirror.example/datasets/agentica-org/DeepScaleR-Preview-Dataset/resolve/[0-9a-f]{40}/deepscaler.json -> $DATASETS/deepscaler.json$"
check_equal "download.sh --plan: the evaluation sets" "$(printf '%s\n' "$plan" | grep -Ec '^https://raw.githubusercontent.com/agentica-project/deepscaler/[0-9a-f]{40}/deepscaler/data/test/(aime|amc|math|minerva|olympiad_bench).json ->')" 5
check_equal "download.sh --plan needs no network and writes nothing" "$(ls -d "$STORE"/* "$MODELS" "$DATASETS" 2>/dev/null)" ""
check_equal "download.sh model --plan" "$(scripts/download.sh model --plan | wc -l)" 5
scripts/download.sh everything >/dev/null 2>&1
check_equal "download.sh: a word it does not know" $? 2

folder=$MODELS/DeepSeek-R1-Distill-Qwen-1.5B
for file in config.json generation_config.json tokenizer.json tokenizer_config.json model.safetensors; do seq 1 "$(printf %s $file | wc -c)0" >"$STORE/$file"; done
echo 100 >"$STORE/model.safetensors.cut"
scripts/download.sh model >"$scratch/said" 2>&1
check_equal "a line that breaks: exit code" $? 1
check_contains "a line that breaks" "$(cat "$scratch/said")" 'error: .*model.safetensors: not fetched .*run this again to go on'
check_equal "what is whole has its name, the rest another" "$(ls "$folder" | sed 's/\.[0-9a-f]*\.part/.PART/' | tr '\n' ' ')" "config.json generation_config.json model.safetensors.PART tokenizer.json tokenizer_config.json "
check "it goes on" scripts/download.sh model
check_contains "from where it was" "$(tail -n 1 "$STORE/calls")" '/model.safetensors from 100 secret"$'
for file in config.json tokenizer.json model.safetensors; do check "$file is what was announced" cmp "$STORE/$file" "$folder/$file"; done
check_equal "nothing else is left" "$(ls "$folder" | wc -l)" 5
: >"$STORE/calls"
check "again" scripts/download.sh model
check_equal "nothing is fetched twice" "$(grep -vc '^head' "$STORE/calls")" 0
rm "$folder/model.safetensors"
seq 1 30 >"$STORE/model.safetensors.other"
scripts/download.sh model >"$scratch/said" 2>&1
check_equal "other bytes than announced: exit code" $? 1
check_contains "other bytes than announced" "$(cat "$scratch/said")" 'error: .*model.safetensors: what came .* has checksum [0-9a-f]{64}, not [0-9a-f]{64}: removed'
check_equal "they are removed" "$(ls "$folder" | grep -c model)" 0
rm "$STORE/model.safetensors.other"
: >"$STORE/calls"
cp "$STORE/model.safetensors" "$folder/model.safetensors.$(sha256sum <"$STORE/model.safetensors" | cut -c 1-8).part"
check "whole, but killed before it had its name" scripts/download.sh model
check_equal "it is not fetched again" "$(grep -vc '^head' "$STORE/calls")" 0
check "it is what was announced" cmp "$STORE/model.safetensors" "$folder/model.safetensors"
rm "$folder/model.safetensors"
head -c "$(wc -c <"$STORE/model.safetensors")" /dev/zero >"$folder/model.safetensors.$(sha256sum <"$STORE/model.safetensors" | cut -c 1-8).part"
check "as long, but other bytes: fetched anew" scripts/download.sh model
check "and right" cmp "$STORE/model.safetensors" "$folder/model.safetensors"
echo '{}' >>"$folder/config.json"
scripts/download.sh model >"$scratch/said" 2>&1
check_equal "a file that was changed: exit code" $? 1
check_contains "a file that was changed is left alone" "$(cat "$scratch/said")" 'error: .*config.json: is there and differs from .*remove it to fetch it again'
rm "$STORE/config.json" "$folder/config.json" "$folder/tokenizer.json"
scripts/download.sh model >"$scratch/said" 2>&1
check_equal "a file that the server lacks: exit code" $? 1
check_contains "a file that the server lacks" "$(cat "$scratch/said")" 'error: .*config.json: cannot be reached, or says no checksum'
check "the others are fetched all the same" cmp "$STORE/tokenizer.json" "$folder/tokenizer.json"
if data=$(check_data_folder); then # the checksums that are written in the script are those of the real sets
    cp "$data"/deepscaler/test/*.json "$STORE"
    check "the evaluation sets" scripts/download.sh eval
    check "aime.json" cmp "$data/deepscaler/test/aime.json" "$DATASETS/aime.json"
    check_equal "GitHub is not told the token" "$(grep githubusercontent "$STORE/calls" | grep -c secret)" 0
    check "prepare reads them as they are" ./prepare -m "$data/tokenizers/r1-distill-qwen" -i "$DATASETS/minerva.json" -o "$scratch/minerva.bin"
else
    check_skip "the evaluation sets' checksums: no test data"
fi
check_report test_scripts
