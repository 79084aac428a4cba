# ./train_grpo doctor: a good run has no PROBLEM; whatever is broken has exactly one line that names it, the rest is looked at all the same, and
# the exit code says that there is one. Nothing is trained, and nothing stays.
. test/check.sh
tiny_start "$scratch" || exit 1
model=$scratch/model prompts=$scratch/prompts.jsonl

TMPDIR=$scratch/tmp
export TMPDIR
mkdir "$TMPDIR"
doctor() { # further options; a later option wins
    ./train_grpo doctor -m "$model" -d "$prompts" -o "$scratch/run" -b 4 -g 4 -c 16 -s 2 --max_prompt_tokens 16 --tokens_per_microbatch 128 --kv_cache_mib 1 --logger console "$@"
}
found() { # "what" kind "regex" exit-code options..: exactly one line of this kind, which says so, and the last checks are reached
    what=$1 kind=$2 regex=$3 code=$4
    shift 4
    doctor "$@" >"$scratch/said" 2>&1
    status=$?
    check_equal "$what: exit code" $status "$code"
    check_equal "$what: lines of $kind" "$(grep -c "^$kind " "$scratch/said")" 1
    check_contains "$what" "$(grep "^$kind " "$scratch/said")" "$regex"
    check "$what: the rest is looked at" grep -q '^ok       grader ' "$scratch/said"
    [ "$kind" = PROBLEM ] || check_equal "$what: no problem" "$(grep -c '^PROBLEM' "$scratch/said")" 0
}
problem() { # "what" "name of the line" "regex" options..
    what=$1 name=$2 regex=$3
    shift 3
    found "$what" PROBLEM "^PROBLEM  $name +.*$regex" 1 "$@"
}
warning() {
    what=$1 name=$2 regex=$3
    shift 3
    found "$what" warning "^warning  $name +.*$regex" 0 "$@"
}
model_copy() { # a model folder to spoil; sets $bad
    bad=$scratch/bad
    rm -rf "$bad"
    cp -r "$model" "$bad"
}

# ---- a good run
tail -n 5 "$prompts" >"$scratch/unseen.jsonl"
sed -i 's/+/-/g' "$scratch/unseen.jsonl"
output=$(doctor -v "$scratch/unseen.jsonl")
check_equal "a good run: exit code" $? 0
for line in device ranks limits run_dir model weights tokenizer 'chat template' eos memory 'host memory' 'training data' evaluation leakage disk grader; do
    check_equal "a good run: $line" "$(printf '%s\n' "$output" | grep -c "^ok       $line  *[^ ]")" 1
done
check_equal "a good run: the sum" "$(printf '%s\n' "$output" | tail -n 1)" "doctor: 16 ok, 0 warnings, 0 problems"
check_contains "the template" "$output" 'generation prompt ends in <think>'
check_contains "the end of a text" "$output" '<eos> is id 2, and sampling stops there'
check_contains "the data" "$output" 'prompts\.jsonl: 36 rows read, 36 kept; the longest has 6 tokens'
check_equal "run_dir is not made" "$(ls -d "$scratch/run" 2>&1 | grep -c 'No such')" 1
check "the bare default" ./train_grpo doctor -o "$scratch/bare"
check_equal "which makes nothing" "$(ls -d "$scratch/bare" 2>&1 | grep -c 'No such')" 1
check_refused "a wrong option" '\-\-promts is not an option' doctor --promts 3
# what it says of the disk is what a run takes
doctor -s 3 --checkpoint_every 1 >"$scratch/said"
./train_grpo -m "$model" -d "$prompts" -o "$scratch/real" -b 4 -g 4 -c 16 -s 3 --max_prompt_tokens 16 -t 1 --tokens_per_microbatch 128 --kv_cache_mib 1 --logger console --checkpoint_every 1 >/dev/null
said=$(sed -n 's/.* checkpoints of \([0-9.]*\) KiB, answers in rollouts\/ of up to \([0-9.]*\) KiB.*/\1 \2/p' "$scratch/said")
file_kib() { find "$1" -type f -exec cat {} + | wc -c | awk '{ print $1 / 1024 }'; }
one=$(file_kib "$scratch/real/checkpoints/step_000003") answers=$(file_kib "$scratch/real/rollouts")
check "a checkpoint, $one KiB, is as large as it says but for headers: $said" awk "BEGIN { exit !(${said% *} <= $one && $one < ${said% *} + 32) }"
check "answers, $answers KiB, are no larger than it says: $said" awk "BEGIN { exit !($answers > 0 && $answers < ${said#* }) }"
check_contains "a run that is there" "$(doctor -o "$scratch/real" -s 3 -t 1 --checkpoint_every 1)" '^ok       run_dir .*same options, which will go on from its last checkpoint'

# ---- the model folder
for file in config.json model.safetensors tokenizer.json; do
    model_copy
    rm "$bad/$file"
    problem "without $file" '(model|weights|tokenizer)' "bad.*(${file%.*})" -m "$bad"
    head -c 300 "$model/$file" >"$bad/$file"
    problem "$file cut" '(model|weights|tokenizer)' "bad/$file" -m "$bad"
done
model_copy
rm "$bad/model.safetensors"
check "weights that are to be drawn at random" doctor -m "$bad" --random_weights true
model_copy
LC_ALL=C sed -i 's/model\.norm\.weight/model.nurm.weight/' "$bad/model.safetensors"
problem "a tensor that is missing" weights '1 of [0-9]+ tensors .*model\.norm\.weight is missing' -m "$bad"
model_copy
sed -i 's/"intermediate_size": 64/"intermediate_size": 96/' "$bad/config.json"
problem "tensors of another shape" weights '6 of [0-9]+ tensors .*mlp\..*\[96, 32\] is wanted' -m "$bad"
model_copy
sed -i 's/"model_type": "qwen2"/"model_type": "mamba"/' "$bad/config.json"
problem "another architecture" model 'mamba' -m "$bad"
model_copy
sed -i 's/"vocab_size": 32/"vocab_size": 16/' "$bad/config.json"
rm "$bad/model.safetensors"
problem "a tokenizer larger than the vocabulary" tokenizer 'has 24 tokens, config.json a vocab_size of 16' -m "$bad" --random_weights true
sed -i 's/"max_position_embeddings": 128/"max_position_embeddings": 20/; s/"vocab_size": 16/"vocab_size": 32/' "$bad/config.json"
warning "longer than the model's positions" model 'made for 20 positions, prompt and answer may take 32' -m "$bad" --random_weights true
model_copy
rm "$bad/tokenizer_config.json"
problem "no tokenizer_config.json" 'chat template' 'tokenizer_config.json' -m "$bad"
model_copy
sed -i 's/"chat_template"/"chat_plate"/' "$bad/tokenizer_config.json"
problem "no chat template" 'chat template' 'has no chat_template' -m "$bad"
model_copy
sed -i 's/{% endfor %}/{% endfur %}/' "$bad/tokenizer_config.json"
problem "a chat template that does not parse" 'chat template' 'endfur' -m "$bad"
model_copy
sed -i "s/{{ message\['content'\] }}/?/" "$bad/tokenizer_config.json"
problem "a chat template without the message" 'chat template' "does not show the user's message" -m "$bad"
model_copy
sed -i 's/<think>{% endif/{% endif/' "$bad/tokenizer_config.json"
warning "a chat template that opens no thought and nothing else" 'chat template' 'adds nothing where the model is to go on' -m "$bad"
model_copy
sed -i 's/<think>{% endif/;{% endif/' "$bad/tokenizer_config.json"
warning "a chat template that opens no thought" 'chat template' 'does not end in <think>: .*reward 0' -m "$bad"
check_contains "which the other grader does not ask for" "$(doctor -m "$bad" --grader math_verify)" '^ok       chat template .*does not end in <think>'
model_copy
sed -i 's/"eos_token_id": 2,//' "$bad/config.json"
problem "no end of sequence" eos 'has an eos_token_id: every answer would run to its limit' -m "$bad"
model_copy
echo '{"eos_token_id": [5, 99]}' >"$bad/generation_config.json"
problem "an end of sequence beyond the vocabulary" eos 'generation_config.json: eos_token_id has 99' -m "$bad"
echo '{"eos_token_id": 6}' >"$bad/generation_config.json"
warning "another end of sequence" eos 'stops at id 6, but .*eos_token <eos> is 2: make eos_token_id .*\[6, 2\]' -m "$bad"
echo '{"eos_token_id": [6, 2]}' >"$bad/generation_config.json"
check_contains "both" "$(doctor -m "$bad")" '^ok       eos .*<eos> is id 2, and sampling stops there and elsewhere'
sed -i 's/"eos_token": "<eos>"/"eos_token": "1+1"/' "$bad/tokenizer_config.json"
problem "an end of sequence of three tokens" eos 'eos_token 1\+1 is 3 tokens' -m "$bad"

# ---- the data
output=$(./train_grpo doctor -m "$model" -o "$scratch/run" -c 16 --max_prompt_tokens 16)
check_equal "no training data: exit code" $? 1
check_equal "no training data" "$(printf '%s\n' "$output" | grep '^PROBLEM')" "PROBLEM  training data none: give --train_data FILE (.parquet, .jsonl or .bin)"
problem "training data that is not there" 'training data' 'nowhere\.jsonl' -d "$scratch/nowhere.jsonl"
{ cat "$prompts"; echo '{"prompt":'; } >"$scratch/broken.jsonl"
problem "a line that is not JSON" 'training data' 'broken\.jsonl.*line 37' -d "$scratch/broken.jsonl"
head -n 3 "$prompts" >"$scratch/three.jsonl"
problem "fewer prompts than a step" 'training data' 'three\.jsonl: has 3 prompts.*--prompts_per_step' -d "$scratch/three.jsonl"
{ cat "$prompts"; echo '{"prompt":7,"reward_model":{"ground_truth":"1"}}'; } >"$scratch/malformed.jsonl"
warning "a malformed row" 'training data' '37 rows read, 36 kept; left out: 1 malformed' -d "$scratch/malformed.jsonl"
./prepare -m "$model" -i "$prompts" -o "$scratch/prompts.bin" >/dev/null
check_contains "a .bin" "$(doctor -d "$scratch/prompts.bin")" '^ok       training data .*prompts.bin: 36 prompts; the longest has 6 tokens'
problem "a .bin whose prompts are longer" 'training data' 'prompts.bin: 36 of 36 prompts have more tokens than --max_prompt_tokens 3' -d "$scratch/prompts.bin" --max_prompt_tokens 3
model_copy
sed -i 's/"?": 22, ";": 23/";": 22, "?": 23/' "$bad/tokenizer.json"
problem "a .bin of another tokenizer" 'training data' 'prompts.bin: was made with another tokenizer' -m "$bad" -d "$scratch/prompts.bin"
problem "evaluation data that is not there" evaluation 'nowhere\.parquet' -v "$scratch/unseen.jsonl,$scratch/nowhere.parquet"
mkdir "$scratch/other"
cp "$scratch/unseen.jsonl" "$scratch/other"
problem "two evaluation sets of one name" evaluation 'two files are called unseen' -v "$scratch/unseen.jsonl,$scratch/other/unseen.jsonl"
warning "evaluation problems that are trained on" leakage 'three\.jsonl: 3 of 3 problems are in the training set too, the first: "1\+1="' -v "$scratch/unseen.jsonl,$scratch/three.jsonl"

# ---- the machine
problem "a plan that does not fit" memory 'memory plan needs [0-9.]+ MiB but [0-9.]+ MiB are available' -b 1 -g 2 --eval_samples 1 -c 8000000 --tokens_per_microbatch 8000016 --max_sequences 1048576 --recompute 2
problem "more answers than the host holds" 'host memory' "a step's answers take up to [0-9.]+ GiB of the [0-9.]+ GiB free.*: lower" -b 32 -g 4096 --minibatch_prompts 1 -c 1000000 --tokens_per_microbatch 1000016 --max_sequences 1 --kv_cache_mib 1 --recompute 2 --max_prompt_tokens 16 --rollouts_every 0 --kl_coef 0
echo file >"$scratch/file"
problem "a file in place of run_dir" run_dir 'file: is a file' -o "$scratch/file"
problem "run_dir below a file" run_dir 'file' -o "$scratch/file/run"
problem "another configuration" run_dir 'real/config.json: this run_dir holds another configuration: .*group_size 4 -> 8' -o "$scratch/real" -s 3 -t 1 -g 8
few() { (ulimit -n 50 && ./train_grpo doctor -m "$model" -d "$prompts" -o "$scratch/run" -b 4 -g 4 -c 16 -s 2 --max_prompt_tokens 16 --tokens_per_microbatch 128 --kv_cache_mib 1); }
check_contains "few open files" "$(few | grep '^PROBLEM')" '^PROBLEM  limits +50 files may be open at a time, 66 are needed: ulimit -n 66$'
disk=$scratch/disk
mkdir "$disk"
if mount -t tmpfs -o size=600k tmpfs "$disk" 2>/dev/null; then
    mounted=$disk
    problem "a disk too small for the checkpoints" disk 'disk: 8 more checkpoints of [0-9.]+ KiB take [0-9.]+ MiB, [0-9.]+ KiB are free: lower --keep_checkpoints' -o "$disk/run" -s 8 --checkpoint_every 1 --keep_checkpoints 0
    warning "a disk too small for the answers" disk 'disk: checkpoints take .* rollouts/ up to .*raise --rollouts_every' -o "$disk/run" -s 1000 --checkpoint_every 0
    mount -o remount,ro "$disk"
    problem "a read-only run_dir" run_dir "$disk.*Read-only file system" -o "$disk/run"
    umount "$disk" && mounted=
else
    check_skip "full and read-only disk: needs root and mount"
fi
# ---- two things at once are two lines; ranks
model_copy
rm "$bad/tokenizer_config.json"
LC_ALL=C sed -i 's/model\.norm\.weight/model.nurm.weight/' "$bad/model.safetensors"
doctor -m "$bad" -o "$scratch/file" >"$scratch/said" 2>&1
check_equal "three things at once are three lines" "$(grep -c '^PROBLEM' "$scratch/said")" 3
check_equal "and are counted" "$(tail -n 1 "$scratch/said" | grep -c '0 warnings, 3 problems$')" 1
check_equal "nothing stays" "$(ls "$TMPDIR")" ""
rmdir "$TMPDIR"
doctor >"$scratch/said"
check_equal "nowhere to prepare data" "$(grep '^PROBLEM' "$scratch/said" | cut -c 1-16)" "PROBLEM  scratch"
check_report test_doctor
