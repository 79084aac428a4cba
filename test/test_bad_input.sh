# Whatever is wrong with what a program is given: one line that begins with "error:", names the file or the option and what to do,
# exit code 1, and nothing half-written that could confuse a later run.
. test/check.sh
tiny_start "$scratch" || exit 1
model=$scratch/model prompts=$scratch/prompts.jsonl

train() { # run_dir, further options; a later option wins
    run=$1
    shift
    ./train_grpo -m "$model" -d "$prompts" -o "$run" -b 4 -g 4 -c 16 -s 2 --max_prompt_tokens 16 -t 1 -l 1e-3 --tokens_per_microbatch 128 --kv_cache_mib 1 \
        --checkpoint_every 1 --logger console "$@"
}
refused() { # "what" "regex" options..: the trainer refuses, and the same run_dir serves the right command afterwards
    what=$1 regex=$2
    shift 2
    run=$scratch/refused
    rm -rf "$run"
    check_refused "$what" "$regex" train "$run" "$@"
    check_nothing_half_written "$what" "$run"
    check_equal "$what: no step is recorded" "$(cat "$run"/metrics.jsonl 2>/dev/null)" ""
}
model_copy() { # a model folder to spoil; sets $bad
    bad=$scratch/bad
    rm -rf "$bad"
    cp -r "$model" "$bad"
}
sed_binary() { LC_ALL=C sed -i "$1" "$2"; }

check "the right command" train "$scratch/right"

# ---- options
check_refused "unknown option" 'error: --promts_per_step is not an option of train_grpo: the nearest one is --prompts_per_step' train "$scratch/x" --promts_per_step 3
check_refused "unknown verl key" 'data.train_batchsize.*data.train_batch_size' train "$scratch/x" data.train_batchsize=3
check_refused "not a number" '\-b: "four" is not a whole number' train "$scratch/x" -b four
check_refused "out of range" '\-\-clip_low: "1.5" is not a number in \[0,1\]' train "$scratch/x" --clip_low 1.5
check_refused "no value" '\-\-grader needs a value' train "$scratch/x" --grader
check_refused "a stage without steps" '\-\-context 16,24: stage 1 has no :STEPS' train "$scratch/x" -c 16,24
check_refused "minibatch that does not divide" '\-\-minibatch_prompts 3 does not divide --prompts_per_step 4' train "$scratch/x" --minibatch_prompts 3
check_refused "microbatch below one sequence" '\-\-tokens_per_microbatch 8 cannot hold' train "$scratch/x" --tokens_per_microbatch 8
check_refused "unknown logger" '\-\-logger csv' train "$scratch/x" --logger csv
check_refused "rollout: nothing asked" 'give one of --prompt TEXT, --eval_data FILE and --score FILE' ./rollout -m "$model"
check_refused "rollout: two things asked" 'give one of' ./rollout -m "$model" -p 1 --score x
check_refused "prepare: no model" '\-m DIR' ./prepare -i a -o b
check_refused "prepare: bounds of nothing" '\-\-min_pass needs --difficulty' ./prepare -m "$model" -i a -o b --min_pass 0.1
check_refused "prepare: bounds the wrong way round" '\-\-min_pass 0.5 is more than --max_pass 0.4' ./prepare -m "$model" -i a -o b --difficulty c.jsonl --min_pass 0.5 --max_pass 0.4
check_refused "train_sft: no model" '\-\-model DIR' ./train_sft -d a
check_refused "parquet_cat: no such file" 'x.parquet' ./parquet_cat "$scratch/x.parquet"
check_refused "grade: not JSON" 'line 1' sh -c 'echo "{" | ./grade'
check_refused "grade: no truth" 'line 1.*truth' sh -c 'echo "{\"answer\":\"1\"}" | ./grade'
check_equal "options alone write nothing" "$(ls "$scratch/x" 2>/dev/null)" ""

# ---- the memory plan
large=$scratch/large # a model that fits nowhere; the plan needs no weights
mkdir "$large"
cp "$model"/*.json "$large"
sed -i 's/"hidden_size": 32/"hidden_size": 65536/; s/"intermediate_size": 64/"intermediate_size": 262144/; s/"num_hidden_layers": 2/"num_hidden_layers": 200/; s/"num_attention_heads": 4/"num_attention_heads": 512/' "$large/config.json"
check "--plan that fits" train "$scratch/plan" --plan
check_refused "--plan that does not fit" 'memory plan needs [0-9.]+ MiB but [0-9.]+ MiB are available.*' train "$scratch/plan" --plan -m "$large"
# DeepScaleR's last stage on the GPUs it is meant for, from config.json alone: what the plan says of them does not depend on this machine
real=$scratch/real
mkdir "$real"
echo '{"architectures":["Qwen2ForCausalLM"],"model_type":"qwen2","hidden_size":1536,"intermediate_size":8960,"num_hidden_layers":28,"num_attention_heads":12,"num_key_value_heads":2,"vocab_size":151936,"max_position_embeddings":131072,"rms_norm_eps":1e-06,"rope_theta":10000,"tie_word_embeddings":false,"bos_token_id":151643,"eos_token_id":151643,"torch_dtype":"bfloat16"}' >"$real/config.json"
plans=$(./train_grpo --plan -m "$real" -c 24576 2>&1)
for gpus in "one 80 GB GPU" "each of 8 such GPUs"; do
    check_contains "--plan of the 1.5B model at 24K fits $gpus" "$plans" "memory plan for $gpus, bf16.*: 7[0-5]\.[0-9] of 76\.1 GiB, recompute level 1, micro-batches of 25600 tokens, KV cache of [1-9][0-9]{6} tokens"
done
check_equal "--plan says what does not fit" "$(echo "$plans" | grep -c 'does not fit .*GPU')" 0
check_equal "--plan writes nothing" "$(ls "$scratch/plan" 2>/dev/null)" ""
check_refused "rollout that does not fit" 'memory plan needs' ./rollout -m "$large" --random_weights true -p 1+1=
check_refused "train_sft that does not fit" 'memory plan needs' ./train_sft -m "$large" --random_weights true -d "$scratch/pairs.jsonl" -o "$scratch/plan"
check_equal "nothing is written" "$(ls "$scratch/plan" 2>/dev/null)" ""
check_refused "more answers than can be counted" '\-\-prompts_per_step 1048576 times --group_size 4096' train "$scratch/plan" --plan -b 1048576 -g 4096

# ---- the model folder
refused "no such model" 'no_model' -m "$scratch/no_model"
for file in config.json tokenizer.json model.safetensors tokenizer_config.json; do
    model_copy
    rm "$bad/$file"
    refused "without $file" "error: .*bad.*($file|chat template|weights)" -m "$bad"
done
model_copy
head -c 20000 "$model/model.safetensors" >"$bad/model.safetensors"
refused "truncated safetensors" 'bad/model.safetensors: .*(bytes|byte)' -m "$bad"
check_refused "truncated safetensors in rollout" 'bad/model.safetensors: .*byte' ./rollout -m "$bad" -p 1+1= -c 8
check_refused "truncated safetensors in train_sft" 'bad/model.safetensors: .*byte' ./train_sft -m "$bad" -d "$scratch/pairs.jsonl" -o "$scratch/x" -s 1 -c 32 --tokens_per_microbatch 64
head -c 5 "$model/model.safetensors" >"$bad/model.safetensors"
refused "five bytes of safetensors" 'bad/model.safetensors' -m "$bad"
: >"$bad/model.safetensors"
refused "empty safetensors" 'bad/model.safetensors' -m "$bad"
model_copy
sed_binary 's/model\.norm\.weight/model.nurm.weight/' "$bad/model.safetensors"
refused "missing tensor" 'model\.norm\.weight' -m "$bad"
model_copy
sed -i 's/"intermediate_size": 64/"intermediate_size": 96/' "$bad/config.json"
refused "wrong shape" 'mlp\.(gate|up|down)_proj\.weight.*(96|64)' -m "$bad"
model_copy
sed -i 's/"use_sliding_window": false/"use_sliding_window": true/' "$bad/config.json"
refused "sliding window" 'bad/config.json: .*sliding_window' -m "$bad"
model_copy
sed -i 's/"model_type": "qwen2"/"model_type": "mamba"/' "$bad/config.json"
refused "another architecture" 'bad/config.json: .*mamba' -m "$bad"
model_copy
sed -i 's/"vocab_size": 32/"vocab_size": 16/' "$bad/config.json"
refused "a tokenizer larger than the vocabulary" 'bad: tokenizer.json has 24 tokens, config.json a vocab_size of 16' -m "$bad"
rm "$bad/model.safetensors"
refused "the same with random weights" 'bad: tokenizer.json has 24 tokens' -m "$bad" --random_weights true
model_copy
head -c 500 "$model/tokenizer.json" >"$bad/tokenizer.json"
refused "tokenizer.json cut" 'bad/tokenizer.json' -m "$bad"
model_copy
head -c 100 "$model/config.json" >"$bad/config.json"
refused "config.json cut" 'bad/config.json' -m "$bad"

# ---- numbers that are not finite: a NaN in the last norm makes every log-probability one
model_copy
header=$(od -An -t u8 -N 8 "$bad/model.safetensors" | tr -d ' ')
begin=$(head -c $((8 + header)) "$bad/model.safetensors" | LC_ALL=C grep -ao '"model\.norm\.weight":{[^}]*}' | sed 's/.*"data_offsets":\[\([0-9]*\),.*/\1/')
printf '\000\000\300\177' | dd of="$bad/model.safetensors" bs=1 seek=$((8 + header + begin)) conv=notrunc 2>/dev/null
nan=$scratch/nan
check_refused "updates in a row without a finite gradient" 'step 3: 3 updates in a row had no finite gradient.*skipped/step_000003\.jsonl.*step 2;' train "$nan" -m "$bad" -s 9 --max_skipped_updates 3
check_equal "no step more" "$(ls "$nan/checkpoints")" "step_000001
step_000002"
check_equal "answers of each skipped update" "$(wc -l <"$nan/skipped/step_000002.jsonl")" 16
check_contains "skipped updates are counted" "$(tail -n 1 "$nan/metrics.jsonl")" '"actor/skipped_updates":1[,}]'
check "never stopped" train "$scratch/nan_on" -m "$bad" -s 4 --max_skipped_updates 0

# ---- the data. The miniature writes a Parquet file before it trains anything.
./train_grpo -o "$scratch/miniature" >/dev/null 2>&1 &
miniature=$!
while kill -0 $miniature 2>/dev/null && ! [ -s "$scratch/miniature/miniature/pairs.jsonl.tmp" ]; do sleep 0.02; done
kill -9 $miniature
wait $miniature 2>/dev/null
parquet=$scratch/miniature/miniature/held_out.parquet
check "the whole Parquet file" ./prepare -m "$model" -i "$parquet" -o "$scratch/held_out.bin"
size=$(wc -c <"$parquet")
for part in 3 $((size / 3)) $((size / 2)) $((size - 1)); do
    head -c "$part" "$parquet" >"$scratch/cut.parquet"
    refused "Parquet cut after $part of $size bytes" 'cut\.parquet' -d "$scratch/cut.parquet"
    check_refused "prepare: Parquet cut after $part bytes" 'cut\.parquet' ./prepare -m "$model" -i "$scratch/cut.parquet" -o "$scratch/cut.bin"
done
check_equal "prepare leaves nothing of a cut file" "$(ls "$scratch" | grep '^cut.bin')" ""
refused "no such data" 'nowhere\.jsonl.*(No such file|cannot be opened)' -d "$scratch/nowhere.jsonl"
refused "no such evaluation data" 'nowhere\.parquet' -v "$prompts,$scratch/nowhere.parquet"
mkdir "$scratch/other"
cp "$prompts" "$scratch/other"
refused "two evaluation sets of one name" 'two files are called prompts' -v "$prompts,$scratch/other/prompts.jsonl"
refused "a folder as data" "$scratch" -d "$scratch"
: >"$scratch/empty.jsonl"
refused "empty data set" 'empty\.jsonl: no prompt' -d "$scratch/empty.jsonl"
head -n 3 "$prompts" >"$scratch/three.jsonl"
refused "fewer prompts than a step" 'three\.jsonl: has 3 prompts.*--prompts_per_step' -d "$scratch/three.jsonl"
refused "every prompt too long" 'prompts\.jsonl: no prompt.*36 longer than 3 tokens' --max_prompt_tokens 3
{ cat "$prompts"; echo '{"prompt":'; } >"$scratch/broken.jsonl"
refused "a line that is not JSON" 'broken\.jsonl.*line 37' -d "$scratch/broken.jsonl"
echo '{"x":1}' >"$scratch/columns.jsonl"
refused "unknown columns" 'columns\.jsonl.*prompt' -d "$scratch/columns.jsonl"
check "a prompt set" ./prepare -m "$model" -i "$prompts" -o "$scratch/prompts.bin"
echo '{"prompt":"<bos>9*9=<think>","index":0,"reward":1}' >"$scratch/answers.jsonl"
check_refused "prepare: answers to another set" 'answers\.jsonl, line 1: .*prompts\.jsonl has no question of index 0 with this prompt' ./prepare -m "$model" -i "$prompts" -o "$scratch/hard.bin" --difficulty "$scratch/answers.jsonl"
check_refused "prepare: no answers" 'nowhere\.jsonl' ./prepare -m "$model" -i "$prompts" -o "$scratch/hard.bin" --difficulty "$scratch/nowhere.jsonl"
check_equal "prepare: nothing is written" "$(ls "$scratch" | grep '^hard')" ""
model_copy
sed -i 's/"?": 22, ";": 23/";": 22, "?": 23/' "$bad/tokenizer.json"
refused "prompts of another tokenizer" 'prompts\.bin: was made with another tokenizer.*prepare' -m "$bad" -d "$scratch/prompts.bin"
model_copy
sed -i 's/<think>{% endif/<think>-{% endif/' "$bad/tokenizer_config.json"
refused "prompts of another chat template" 'prompts\.bin: was made with another chat template' -m "$bad" -d "$scratch/prompts.bin"
refused "a prompt longer than allowed" 'prompts\.bin: 36 of 36 prompts have more tokens than --max_prompt_tokens 3, the first is prompt 0 with [0-9]+: raise it to [0-9]+, or prepare' -d "$scratch/prompts.bin" --max_prompt_tokens 3
head -c 900 "$scratch/prompts.bin" >"$scratch/cut.bin"
refused "prompts.bin cut" 'cut\.bin' -d "$scratch/cut.bin"
echo GRPO >"$scratch/cut.bin"
refused "five bytes of prompts.bin" 'cut\.bin' -d "$scratch/cut.bin"
for line in '{"ids":[1,99]}' '{"ids":[1,-1]}' '{"ids":[]}' '{"ids":"1"}' '{"ids":[1,"2"]}' '{"ids":[1,4294967298]}' '{}' '{'; do
    printf '%s\n' "$line" >"$scratch/ids.jsonl"
    check_refused "rollout --score $line" 'ids\.jsonl' ./rollout -m "$model" --score "$scratch/ids.jsonl" -c 16 --max_prompt_tokens 16
done
check_refused "rollout --score: no such file" 'nowhere.jsonl' ./rollout -m "$model" --score "$scratch/nowhere.jsonl"
check_refused "rollout: answers to nowhere" 'no/where.jsonl' ./rollout -m "$model" -e "$prompts" -c 8 -o "$scratch/no/where.jsonl"
ln -s /dev/null "$scratch/null" # as root it would be gone
check_refused "rollout: answers to a device" 'null: is there and is not a file' ./rollout -m "$model" -e "$prompts" -c 8 -o "$scratch/null"
check_refused "rollout: no such set" 'nowhere.jsonl' ./rollout -m "$model" -e "$scratch/nowhere.jsonl"
echo '{"ids":[1,11,7]}' >"$scratch/ids.jsonl"
if [ -c /dev/full ]; then
    check_refused "rollout: standard output full" 'standard output: cannot be written: No space' sh -c "./rollout -m '$model' --score '$scratch/ids.jsonl' >/dev/full"
    check_refused "prepare: standard output full" 'standard output: cannot be written: No space' sh -c "./prepare -m '$model' -i '$prompts' -o '$scratch/full.bin' --show 2 >/dev/full"
    check_refused "grade: standard output full" 'standard output: cannot be written: No space' sh -c "echo '{\"answer\":\"1\",\"truth\":1}' | ./grade >/dev/full"
fi
echo '{"prompt":"1+1="}' >"$scratch/unpaired.jsonl"
check_refused "train_sft: no response" 'unpaired\.jsonl row 1.*response' ./train_sft -m "$model" -d "$scratch/unpaired.jsonl" -o "$scratch/x" -s 1 -c 32

# ---- run_dir
echo file >"$scratch/file"
check_refused "a file in place of run_dir" "$scratch/file" train "$scratch/file"
check_equal "the file is as it was" "$(cat "$scratch/file")" file
check_refused "run_dir below a file" "$scratch/file" train "$scratch/file/run"
check_refused "another configuration" 'right/config.json: this run_dir holds another configuration: .*group_size 4 -> 8' train "$scratch/right" -g 8
check_refused "--resume never" 'right: holds a run up to step 2 already: choose another --run_dir' train "$scratch/right" --resume never
check "the run in it still goes on" train "$scratch/right" -s 3
good=$scratch/right/checkpoints/step_000002
check_refused "--resume from nothing" 'nowhere.*trainer_state.json' train "$scratch/x" --resume "$scratch/nowhere"
broken() { # "what" "regex": --resume from $checkpoint is refused
    rm -rf "$scratch/resumed"
    check_refused "$1" "$2" train "$scratch/resumed" --resume "$checkpoint"
    check_nothing_half_written "$1" "$scratch/resumed"
}
checkpoint=$scratch/checkpoint
for file in model.safetensors optimizer.safetensors trainer_state.json; do
    rm -rf "$checkpoint"
    cp -r "$good" "$checkpoint"
    head -c 60 "$good/$file" >"$checkpoint/$file"
    broken "a checkpoint whose $file is cut" "checkpoint/$file"
    rm "$checkpoint/$file"
    broken "a checkpoint without $file" "checkpoint"
done
rm -rf "$checkpoint"
cp -r "$good" "$checkpoint"
cp "$scratch/right/checkpoints/step_000003/model.safetensors" "$checkpoint"
broken "a checkpoint of two" 'checkpoint: .*files of two checkpoints are mixed'
cp "$good/model.safetensors" "$checkpoint"
sed -i 's/"stage": *0/"stage": 1/' "$checkpoint/trainer_state.json"
broken "a stage that is not there" 'trainer_state.json: is of stage 2, --context 16 has 1'
check "two stages with a reference" train "$scratch/stages" -c 16:1,16:2 -s 3
check "a named checkpoint of the second stage goes on elsewhere" train "$scratch/stages2" -c 16:1,16:2 -s 3 --resume "$scratch/stages/checkpoints/step_000002"
check "as it did" cmp "$scratch/stages/checkpoints/step_000003/model.safetensors" "$scratch/stages2/checkpoints/step_000003/model.safetensors"
check "and keeps the reference" cmp "$scratch/stages/reference/stage_1.safetensors" "$scratch/stages2/reference/stage_1.safetensors"
rm "$scratch/stages/reference/stage_1.safetensors"
check_refused "a later stage without its reference" 'reference/stage_1.safetensors: is missing' train "$scratch/stages" -c 16:1,16:2 -s 4

# ---- a disk that is full, and one that is read-only
disk=$scratch/disk
mkdir "$disk"
if mount -t tmpfs -o size=600k tmpfs "$disk" 2>/dev/null; then
    mounted=$disk
    check_refused "a full disk" '(No space left on device)' train "$disk/run" -s 8 --keep_checkpoints 0
    check_nothing_half_written "a full disk" "$disk"
    last=$(ls "$disk/run/checkpoints" | tail -n 1)
    check_contains "some checkpoints were written before" "$last" 'step_00000[1-7]'
    check "the last of them loads" ./rollout -m "$disk/run/checkpoints/$last" -p 1+1= -c 8
    mount -o remount,size=8m "$disk"
    check "the run goes on when there is room" train "$disk/run" -s 8 --keep_checkpoints 0
    check "an unbroken run" train "$scratch/roomy" -s 8 --keep_checkpoints 0
    check "the same bits" cmp "$disk/run/checkpoints/step_000008/model.safetensors" "$scratch/roomy/checkpoints/step_000008/model.safetensors"
    mount -o remount,size=40k "$disk" 2>/dev/null
    dd if=/dev/zero of="$disk/fill" bs=4096 2>/dev/null
    check_refused "prepare on a full disk" 'No space left on device' ./prepare -m "$model" -i "$prompts" -o "$disk/prompts.bin"
    check_equal "prepare leaves nothing on a full disk" "$(ls "$disk" | grep prompts)" ""
    mount -o remount,ro "$disk"
    check_refused "a read-only run_dir" "$disk.*Read-only file system" train "$disk/other"
    umount "$disk" && mounted=
else
    check_skip "full and read-only disk: needs root and mount"
fi
check_report test_bad_input
