# check.sh: check.h for tests of whole programs. Sourced by test/test_*.sh, which run from the repository root in POSIX sh:
#     . test/check.sh
#     check "what is claimed" command arguments      check_equal "what" got want      check_refused "what" "regex" command arguments
#     check_report test_name
# $scratch is a folder of the test's own, removed at the end. The shapes, the model and the data below are as small as they can be.
set -u
passed=0 failed=0 skipped=0
scratch=$(mktemp -d) || exit 1
mounted=
check_cleanup() {
    [ -z "$mounted" ] || umount "$mounted"
    rm -rf "$scratch"
}
trap check_cleanup EXIT
trap 'exit 130' INT TERM
# One thread: the small matrices here gain nothing from more, and a busy machine does not stretch the test.
OMP_NUM_THREADS=1 WANDB_MODE=offline
export OMP_NUM_THREADS WANDB_MODE

check_passed() { passed=$((passed + 1)); }
check_failed() {
    failed=$((failed + 1))
    echo "FAIL $*"
}
check_skip() {
    skipped=$((skipped + 1))
    echo "skip $*"
}
check() { # "what" command..: the command succeeds
    what=$1
    shift
    if output=$("$@" 2>&1); then check_passed; else check_failed "$what: $* -> $? $(printf '%s' "$output" | tail -n 3)"; fi
}
check_equal() { # "what" got want
    if [ "$2" = "$3" ]; then check_passed; else check_failed "$1: got \"$2\", want \"$3\""; fi
}
check_contains() { # "what" text regex
    if printf '%s\n' "$2" | grep -Eq -e "$3"; then check_passed; else check_failed "$1: \"$(printf '%s' "$2" | tail -n 3)\" does not contain \"$3\""; fi
}
# The command ends with 1, and the last line of stderr, the only one that begins with "error:", says what is wrong and contains the regex.
check_refused() { # "what" "regex" command..
    what=$1 regex=$2
    shift 2
    "$@" >"$scratch/out" 2>"$scratch/err"
    status=$?
    if [ "$status" -ne 1 ]; then
        check_failed "$what: ended with $status, want 1: $(tail -n 2 "$scratch/out" "$scratch/err")"
    elif [ "$(grep -c '^error: ' "$scratch/err")" -ne 1 ] || ! tail -n 1 "$scratch/err" | grep -q '^error: '; then
        check_failed "$what: not one line of error: $(cat "$scratch/err")"
    elif ! tail -n 1 "$scratch/err" | grep -Eq -e "$regex"; then
        check_failed "$what: \"$(cat "$scratch/err")\" does not contain \"$regex\""
    else
        check_passed
    fi
}
check_nothing_half_written() { # "what" folder
    left=$(find "$2" -name '*.tmp' 2>/dev/null)
    check_equal "$1: nothing half-written" "$left" ""
}
check_data_folder() { # prints where the real test data lies; fails when it is absent
    folder=${GRPO_TEST_DATA:-../shared/data}
    [ -d "$folder" ] && echo "$folder"
}
check_report() {
    echo "$1: $passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
}

# ---- a model of 24 tokens that answers one-digit sums
tiny_model_write() { # folder: everything but the weights
    mkdir -p "$1"
    cat >"$1/config.json" <<'END'
{"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "torch_dtype": "float32", "hidden_act": "silu", "hidden_size": 32,
 "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 32,
 "max_position_embeddings": 128, "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "tie_word_embeddings": true, "use_sliding_window": false,
 "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
END
    cat >"$1/tokenizer.json" <<'END'
{"version": "1.0", "truncation": null, "padding": null,
 "added_tokens": [
  {"id": 0, "content": "<pad>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
  {"id": 1, "content": "<bos>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
  {"id": 2, "content": "<eos>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
  {"id": 3, "content": "<think>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": false},
  {"id": 4, "content": "</think>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": false},
  {"id": 5, "content": "\\boxed{", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": false}],
 "normalizer": null,
 "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
  {"type": "Split", "pattern": {"Regex": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}, "behavior": "Isolated", "invert": false},
  {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false}]},
 "post_processor": null,
 "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false},
 "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
  "fuse_unk": false, "byte_fallback": false, "merges": [],
  "vocab": {"}": 6, "+": 7, "=": 8, ",": 9, "0": 10, "1": 11, "2": 12, "3": 13, "4": 14, "5": 15, "6": 16, "7": 17, "8": 18, "9": 19, "-": 20, "*": 21, "?": 22, ";": 23}}}
END
    cat >"$1/tokenizer_config.json" <<'END'
{"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>",
 "chat_template": "{{ bos_token }}{% for message in messages %}{{ message['content'] }}{% endfor %}{% if add_generation_prompt %}<think>{% endif %}"}
END
}
# Every sum a+b below 10, as {"prompt":[..],"reward_model":..} for training and as {"prompt","response"} pairs for a supervised start.
tiny_prompts_write() { # file
    for a in 1 2 3 4 5 6 7 8; do
        for b in 1 2 3 4 5 6 7 8; do
            [ $((a + b)) -ge 10 ] || printf '%s\n' "{\"prompt\":[{\"role\":\"user\",\"content\":\"$a+$b=\"}],\"reward_model\":{\"ground_truth\":\"$((a + b))\"}}"
        done
    done >"$1"
}
tiny_pairs_write() { # file: answers near the truth, so that some of a group are right and some are not
    for a in 1 2 3 4 5 6 7 8; do
        for b in 1 2 3 4 5 6 7 8; do
            for near in -1 0 1; do
                [ $((a + b)) -ge 10 ] || printf '%s\n' "{\"prompt\":\"$a+$b=\",\"response\":\"$a+$b=$((a + b + near))</think>\\\\boxed{$((a + b + near))}\"}"
            done
        done
    done >"$1"
}
tiny_start() { # folder: $1/model, a model that answers such sums now and then; $1/prompts.jsonl, $1/pairs.jsonl
    tiny_model_write "$1/empty"
    tiny_prompts_write "$1/prompts.jsonl"
    tiny_pairs_write "$1/pairs.jsonl"
    ./train_sft -m "$1/empty" --random_weights true -d "$1/pairs.jsonl" -o "$1" -s 150 -b 24 -c 32 -l 1e-2 --warmup_steps 10 --tokens_per_microbatch 512 >"$1/sft.log" 2>&1 ||
        { cat "$1/sft.log"; return 1; }
}
