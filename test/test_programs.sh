# Each program does what its --help says, on small models and, where the real data lies, on DeepScaleR's sets with the real tokenizer.
. test/check.sh
tiny_start "$scratch" || exit 1
model=$scratch/model prompts=$scratch/prompts.jsonl

# ---- --help: every option of the source, each on one line
for program in train_grpo:GRPO_RECIPE_DATA,GRPO_RECIPE_LOSS,GRPO_RUN,GRPO_EVALUATION,GRPO_MACHINE:llmc/config.h rollout:ROLLOUT_OPTIONS:llmc/config.h \
    train_sft:SFT_OPTIONS:llmc/config.h prepare:PREPARE_OPTIONS:data/prepare.c grade:GRADE_OPTIONS:grade.c parquet_cat:OPTIONS:data/parquet_cat.c; do
    name=${program%%:*}
    file=${program##*:}
    lists=${program#*:}
    lists=${lists%:*}
    check "$name --help" "./$name" --help
    "./$name" --help >"$scratch/help"
    options=$(awk -v lists=",$lists," '/^#define/ { split($2, macro, "("); inside = index(lists, "," macro[1] ",") || (lists == ",OPTIONS," && macro[1] ~ /OPTIONS$/) }
        inside && match($0, /OPTION\([a-z0-9]+, *[a-z_0-9]+/) { split(substr($0, RSTART, RLENGTH), part, /, */); print part[2] }' "$file")
    count=0
    for option in $options; do
        count=$((count + 1))
        check "$name --help lists --$option" grep -Eq -e "^  (-[a-z],|   ) --$option " "$scratch/help"
    done
    check "$name has options" [ $count -gt 0 ]
    check_equal "$name --help lists nothing else" "$(grep -c -e '^  .* --[a-z]' "$scratch/help")" $((count + 2)) # --help and --version
    check_contains "$name --version" "$("./$name" --version)" "^$name \(grpo.c\) [0-9]"
done

# ---- train_sft: the loss falls, and the folder it writes is a model
loss() { sed -n 's/.*"train\/loss":\([0-9.e-]*\).*/\1/p' "$scratch/metrics.jsonl" | "$1" -n 1; }
check "train_sft lowers the loss ($(loss head) to $(loss tail))" awk "BEGIN { exit !($(loss tail) < $(loss head) / 5) }"
for file in config.json generation_config.json model.safetensors tokenizer.json tokenizer_config.json; do
    [ -e "$scratch/empty/$file" ] || [ "$file" = model.safetensors ] || continue
    check "train_sft writes $file" [ -s "$model/$file" ]
done
check "no steps: the folder alone" ./train_sft -m "$model" -s 0 -o "$scratch/copy" -c 32
precision=$(./rollout -m "$model" -p 1 -c 1 | sed -n 's/.* parameters in //p')
[ "$precision" != fp32 ] || check "no steps: the same weights" cmp "$model/model.safetensors" "$scratch/copy/model/model.safetensors"

# ---- rollout
answer=$(./rollout -m "$model" -p '3+4=' -n 3 -c 16 -t 1)
check_contains "rollout -p: the prompt as the model sees it" "$answer" '^<bos>3\+4=<think>$'
check_equal "rollout -p -n 3" "$(printf '%s\n' "$answer" | grep -c '^---- answer')" 3
check_contains "rollout -p: an answer" "$answer" '^3\+4=[0-9]+</think>\\boxed\{[0-9]+\}$'
check_equal "the same seed, the same answers" "$(./rollout -m "$model" -p '3+4=' -n 3 -c 16 -t 1 | grep -v tokens/s)" "$(printf '%s\n' "$answer" | grep -v tokens/s)"
check_equal "greedy answers are all one" "$(./rollout -m "$model" -p '3+4=' -n 4 -c 16 --greedy | grep -v -e '^----' | sort | uniq -c | sort -n | tail -n 1 | awk '{print $1}')" 4
check_equal "an answer ends at the context" "$(./rollout -m "$model" -p '3+4=' -c 3 --greedy | grep -c 'answer 1, 3 tokens, cut at the limit')" 1

evaluated=$(./rollout -m "$model" -e "$prompts" -n 4 -c 16 -t 0.8 -o "$scratch/answers.jsonl")
check_contains "rollout -e: pass@1 with its standard error" "$evaluated" 'prompts +pass@1 0\.[0-9]+ \+- 0\.[0-9]+ \| pass@2 .*maj@4'
check_equal "rollout -e -o: a line for each answer" "$(wc -l <"$scratch/answers.jsonl")" 144
right=$(grep -c '"reward":1' "$scratch/answers.jsonl")
check_contains "pass@1 is the mean of the rewards" "$evaluated" "pass@1 $(awk "BEGIN { printf \"%.3f\", $right / 144 }")"
./rollout -m "$model" -e "$prompts" -n 4 -c 16 -t 0.8 --max_sequences 3 -o "$scratch/few.jsonl" >/dev/null
check "answers do not depend on who else is in the batch" cmp "$scratch/answers.jsonl" "$scratch/few.jsonl"
check "a prompt set of prepare is as good" ./prepare -m "$model" -i "$prompts" -o "$scratch/prompts.bin"
./rollout -m "$model" -e "$scratch/prompts.bin" -n 4 -c 16 -t 0.8 -o "$scratch/binary.jsonl" >/dev/null
check "with the same answers" cmp "$scratch/answers.jsonl" "$scratch/binary.jsonl"

# ids of prompt and answer scored at once: the log-probabilities of the answer are the sampler's, in every digit
sed -E 's/.*"prompt_ids":\[([0-9,]*)\],"ids":\[([0-9,]*)\].*/{"ids":[\1,\2]}/' "$scratch/answers.jsonl" >"$scratch/ids.jsonl"
sed -E 's/.*"ids":\[([0-9,]*)\],"logprobs":\[(.*)\]\}$/\1 \2/' "$scratch/answers.jsonl" >"$scratch/recorded"
./rollout -m "$model" --score "$scratch/ids.jsonl" -t 0.8 -c 32 --max_prompt_tokens 16 2>/dev/null | sed -E 's/.*\[(.*)\].*/\1/' >"$scratch/scored"
check_equal "rollout --score: a line each" "$(wc -l <"$scratch/scored")" 144
check "rollout --score equals what the sampler recorded" awk '
    NR == FNR { split($1, ids, ","); recorded[NR] = $2; next }
    { n = split($0, all, ","); m = split(recorded[FNR], want, ","); for (i = 1; i <= m; i++) if (all[n - m + i] != want[i]) { print "line " FNR ": " all[n - m + i] " is not " want[i]; exit 1 } }' \
    "$scratch/recorded" "$scratch/scored"

# ---- prepare --difficulty, on what rollout answered; the trainer says what it reads
./rollout -m "$model" -e "$prompts" -n 8 -t 1 -c 16 -o "$scratch/eight.jsonl" >/dev/null
want=$(sed -E 's/.*"reward":([01]),.*"index":([0-9]+),.*/\2 \1/' "$scratch/eight.jsonl" | awk '{ right[$1] += $2 } END { for (i in right) { if (right[i] < 2) hard++; else if (right[i] > 6) easy++; else kept++ }
    printf "%d rows read, %d kept; left out: %s%s%s", NR / 8, kept, hard ? hard " too hard" : "", hard && easy ? ", " : "", easy ? easy " too easy" : "" }')
output=$(./prepare -m "$model" -i "$prompts" -o "$scratch/taught.bin" --difficulty "$scratch/eight.jsonl" --min_pass 0.25 --max_pass 0.75)
check_equal "prepare --difficulty keeps and counts" "$output" "$prompts -> $scratch/taught.bin: $want"
head -n 160 "$scratch/eight.jsonl" >"$scratch/part.jsonl"
check_contains "what was never answered" "$(./prepare -m "$model" -i "$prompts" -o "$scratch/part.bin" --difficulty "$scratch/part.jsonl" --min_pass 0 --max_pass 1)" '36 rows read, 20 kept; left out: 16 never answered$'
./prepare -m "$model" -i "$prompts" -o "$scratch/all.bin" >/dev/null
head -n 5 "$prompts" >"$scratch/five.jsonl"
echo '{"problem":"9*9=","answer":"81"}' >"$scratch/other.jsonl"
sed 's/9\*9=/1+1=/' "$scratch/other.jsonl" >"$scratch/bare.jsonl"
output=$(./train_grpo -m "$model" -d "$scratch/all.bin" -v "$scratch/five.jsonl,$scratch/other.jsonl,$scratch/bare.jsonl" -o "$scratch/said" -b 4 -g 4 -c 8 -s 1 --max_prompt_tokens 80 -t 1 --kv_cache_mib 1 --eval_every 0 --eval_before_train false --logger console)
check_contains "a .bin says what it holds" "$output" '/all\.bin: 36 prompts; the longest has 6 tokens$'
check_contains "an evaluation set does" "$output" '/five\.jsonl: 5 rows read, 5 kept; the longest has 6 tokens$'
check_equal "problems that are trained on" "$(printf '%s\n' "$output" | grep '^warning: .*too, the first' | sed 's|.*/||')" 'five.jsonl: 5 of 5 problems are in the training set too, the first: "1+1="
bare.jsonl: 1 of 1 problems are in the training set too, the first: "1+1="'

# ---- prepare --encode, parquet_cat, grade
check_equal "prepare --encode" "$(printf '%s\n' '{"text":"12+3="}' '{"messages":[{"role":"user","content":"12+3="}]}' | ./prepare -m "$model" --encode)" \
    "$(printf '%s\n' '{"ids":[11,12,7,13,8]}' '{"ids":[1,11,12,7,13,8,3]}')"
check_equal "grade" "$(printf '%s\n' '{"response":"<think>no</think> \\boxed{\\frac{2}{4}}","truth":"0.5"}' '{"answer":"7","truth":["8",9]}' | ./grade | sed 's/,"reason":".*"//')" \
    "$(printf '%s\n' '{"reward":1}' '{"reward":0}')"

# ---- the real data
if ! data=$(check_data_folder); then
    check_skip "DeepScaleR's sets with the real tokenizer: no test data"
    check_report test_programs
    exit
fi
real=$data/tokenizers/r1-distill-qwen
for set in aime:30 amc:83 math:500 minerva:272 olympiad_bench:675; do
    output=$(./prepare -m "$real" -i "$data/deepscaler/test/${set%:*}.json" -o "$scratch/set.bin")
    check_contains "DeepScaleR's ${set%:*}" "$output" ": ${set#*:} rows read, ${set#*:} kept$"
done
output=$(./prepare -m "$real" -i "$data/verl-parquet/dsr_sub.parquet" -o "$scratch/set.bin" --show 2)
check_contains "dsr_sub.parquet" "$output" ': 1209 rows read, 1208 kept; left out: 1 empty$'
check_equal "--show 2" "$(printf '%s\n' "$output" | grep -c '^--- prompt')" 2
check_contains "--show: the text" "$output" "a monkey typing randomly on a typewriter .*<｜Assistant｜><think>"
check_contains "--show: the ids" "$output" '^ids: 151646 151644 9885 279 18927 .* 151645 151648 198$'
rows=$(./parquet_cat "$data/verl-parquet/dsr_sub.parquet")
check_equal "parquet_cat: every row" "$(printf '%s\n' "$rows" | wc -l)" 1209
# 3 steps of the real vocabulary, template and data on a random model
mkdir "$scratch/real"
cp "$real"/tokenizer.json "$real"/tokenizer_config.json "$real"/generation_config.json "$scratch/real"
sed -E 's/"(hidden_size)": [0-9]+/"\1": 32/; s/"(intermediate_size)": [0-9]+/"\1": 64/; s/"(num_hidden_layers)": [0-9]+/"\1": 1/; s/"(max_window_layers)": [0-9]+/"\1": 1/; s/"(num_attention_heads)": [0-9]+/"\1": 2/; s/"(num_key_value_heads)": [0-9]+/"\1": 1/' \
    "$real/config.json" >"$scratch/real/config.json"
check "GRPO on dsr_sub.parquet" ./train_grpo -m "$scratch/real" --random_weights true -d "$data/verl-parquet/dsr_sub.parquet" -o "$scratch/run" -b 2 -g 2 -c 8 -s 2 \
    --max_prompt_tokens 256 --tokens_per_microbatch 512 --checkpoint_every 0
check_equal "two steps are recorded" "$(grep -c fingerprint "$scratch/run/metrics.jsonl")" 2
check_equal "sampler and trainer agree to the bit" "$(grep -c '"training/rollout_probs_diff_max":0,' "$scratch/run/metrics.jsonl")" 2
check_equal "no id beyond the tokenizer is sampled" "$(sed -E 's/.*"ids":\[([0-9,]*)\],"logprobs".*/\1/' "$scratch"/run/rollouts/*.jsonl | tr ',' '\n' | awk '$1 >= 151665' | wc -l)" 0

# stories260K, a trained model whose answers are known, under a tokenizer that spells id 17 <|17|>
stories=$scratch/stories
mkdir "$stories"
cp "$data"/stories260K/hf/config.json "$data"/stories260K/hf/model.safetensors "$stories"
awk 'BEGIN { printf "{\"added_tokens\":["
    for (i = 0; i < 512; i++) printf "%s{\"id\":%d,\"content\":\"<|%d|>\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":false}", i ? "," : "", i, i
    print "],\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":false,\"use_regex\":true},\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":false,\"use_regex\":true},"
    print "\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}}" }' >"$stories/tokenizer.json"
echo '{"chat_template":"{{ messages[0].content }}"}' >"$stories/tokenizer_config.json"
reference() { tr -d ' \n' <"$data/stories260K/reference.json" | sed -E "s/.*\"$1\":\[([^]]*)\].*/\1/"; }
check "stories260K through train_sft -s 0" ./train_sft -m "$stories" -s 0 -o "$scratch/stories_copy" -c 512
if [ "$precision" != fp32 ]; then
    check_skip "stories260K's numbers: this is not the fp32 build"
    check_report test_programs
    exit
fi
check "stories260K: the same bytes" cmp "$stories/model.safetensors" "$scratch/stories_copy/model/model.safetensors"
./rollout -m "$scratch/stories_copy/model" -p '<|1|>' --greedy -c 200 | sed -n '/^<|1|>$/,/^---- [0-9.]* tok/p' | grep -v '^----' | tr -d '\n' | sed 's/<|//g; s/|>/,/g; s/,$//' >"$scratch/greedy"
check_equal "stories260K: 200 greedy ids" "$(cat "$scratch/greedy")" "$(reference greedy_ids)"
echo "{\"ids\":[$(reference greedy_ids)]}" >"$scratch/ids.jsonl"
./rollout -m "$stories" --score "$scratch/ids.jsonl" -c 256 2>/dev/null | sed -E 's/.*\[(.*)\].*/\1/' >"$scratch/scored"
worst=$(awk -v got="$(cat "$scratch/scored")" -v want="$(reference logprobs_63)" 'BEGIN { split(got, g, ","); n = split(want, w, ",")
    for (i = 1; i <= n; i++) { d = g[i] - w[i]; if (d < 0) d = -d; if (!(d <= worst)) worst = d } printf "%d %.1e", n, worst }')
echo "stories260K: log-probabilities off by ${worst#* } at worst, allowed 1e-4"
check "stories260K: 63 log-probabilities within 1e-4 of float64" awk "BEGIN { exit !(${worst% *} == 63 && ${worst#* } < 1e-4) }"

check_report test_programs
