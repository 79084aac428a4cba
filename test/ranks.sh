# ranks.sh: what test_many_ranks.sh and test_tcp_ranks.sh share: the tiny run, and a blow at one of its ranks. Sourced after check.sh.
options() { # run_dir
    echo -m "$scratch/model" -d "$scratch/prompts.jsonl" -v "$scratch/prompts.jsonl" -o "$1" -b 8 -g 4 --minibatch_prompts 4 -c 16:6,24:6 --max_prompt_tokens 16 -t 1 \
        -l 1e-3 --kl_coef 0.05 --entropy_coef 0.01 --tokens_per_microbatch 128 --max_sequences 16 --kv_cache_mib 2 --eval_every 6 --eval_samples 16 \
        --checkpoint_every 2 --rank_timeout 5 --logger report
}
numbers() { # run_dir, metric: its value at each step
    sed -n "s|.*\"$2\":\([^,}]*\).*|\1|p" "$1/metrics.jsonl" | tr -d '"' | tr '\n' ' '
}
# Strikes rank 1 with a signal when its line in the file of ranks says that it is in that phase of such a step (of training: after the first).
strike_in() { # phase, file, signal, step
    rm -f "$2" "$scratch/struck"
    awk -v file="$2" -v phase="$1" -v step="${4:-[2-9]}" -v strike="kill -$3 %s && date +%%s >$scratch/struck" 'BEGIN {
        while (1) {
            while ((getline line < file) > 0) {
                if (line ~ "^rank +1 .*step +" step ".*phase " phase " " && match(line, /pid +[0-9]+/)) { exit system(sprintf(strike, substr(line, RSTART + 4, RLENGTH - 4))) }
            }
            close(file)
        }
    }' &
    striker=$!
}
strike_over() { # the job has ended; $took: seconds from the blow until then
    kill $striker 2>/dev/null
    wait $striker 2>/dev/null
    took=$([ ! -e "$scratch/struck" ] || echo $(($(date +%s) - $(cat "$scratch/struck"))))
}
