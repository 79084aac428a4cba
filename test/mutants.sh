# Do the tests notice? Plants small bugs one at a time, in a copy of the tree, and demands that a test fails for each.
#   sh test/mutants.sh            every bug of the list below (some ten minutes on one core)
#   sh test/mutants.sh grpo.h     those whose line holds a word
# A line of the list: the file, the tests that must notice (comma between them), a sed expression that plants the bug.
# Prints caught, MISSED, or STALE for an expression that no longer changes anything or does not compile; the exit code says if all are caught.
word=${1:-}
top=$(cd "$(dirname "$0")/.." && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
trap 'exit 130' INT TERM
cd "$top" && tar c --exclude=./build --exclude=./.git --exclude=./runs . | tar x -C "$tree"
: "${GRPO_TEST_DATA:=$top/../shared/data}"
export GRPO_TEST_DATA OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" OMP_WAIT_POLICY=passive
cd "$tree" || exit 1

build() { nice make -s BACKEND=cpu PRECISION="${PRECISION:-FP32}" VARIANT=mutant OPTIMIZE='-O1 -march=native' "build/mutant/test/$1" >build.log 2>&1; }
passes() { nice timeout 60 "build/mutant/test/$1" >run.log 2>&1; }

list() {
    cat <<'END'
llmc/grpo.h test_grpo s/exp(grpo_clamp(logprob - old, -20, 20))/exp(logprob - old)/
llmc/grpo.h test_grpo s/exp(grpo_clamp(logprob - old, -20, 20))/exp(grpo_clamp(old - logprob, -20, 20))/
llmc/grpo.h test_grpo s/1 - o->clip_low, 1 + o->clip_high/1 - o->clip_high, 1 + o->clip_low/
llmc/grpo.h test_grpo s/held > as_is;/held < as_is;/
llmc/grpo.h test_grpo s/\*clipped || fabs(logprob - old) > 20 ? 0/*clipped ? 0/
llmc/grpo.h test_grpo s/return \*clipped ? held : as_is/return as_is/
llmc/grpo.h test_grpo s/const double difference = logprob - reference;/const double difference = reference - logprob;/
llmc/grpo.h test_grpo s/difference \* difference \/ 2/difference * difference/
llmc/grpo.h test_grpo s/value > 10 || fabs(difference) > 20 ? 0 : 1 - exp(d)/1 - exp(d)/
llmc/grpo.h test_grpo s/return value > 10 ? 10 : value/return value/
llmc/grpo.h test_grpo s/exp(d) - d - 1;/exp(d) - d;/
llmc/grpo.h test_grpo s/\*dlogprob = 1;/*dlogprob = 0;/
llmc/grpo.h test_grpo s/(by_surrogate + o->kl_coef \* by_kl) \/ token_count/(by_surrogate + o->kl_coef * by_kl) \/ batch->rows/
llmc/grpo.h test_grpo s/by_surrogate + o->kl_coef \* by_kl/by_surrogate - o->kl_coef * by_kl/
llmc/grpo.h test_grpo s/(float)(-o->entropy_coef/(float)(o->entropy_coef/
llmc/grpo.h test_grpo s/+ sample->prompt_count - 1; .*/+ sample->prompt_count;/
llmc/grpo.h test_grpo s/^    memset(dlogprob + begin, 0, .*//
llmc/grpo.h test_grpo s/stats->old_minus_new += old - /stats->old_minus_new -= old - /
llmc/grpo.h test_grpo s/difference > stats->largest_difference ? difference/difference < stats->largest_difference ? difference/
llmc/grpo.h test_grpo s/if (o->kl_coef != 0)/if (true)/
llmc/advantage.h test_grpo s/(group_size - 1)/group_size/
llmc/advantage.h test_grpo s/group_size > 1 ? sum/group_size > 0 ? sum/
llmc/advantage.h test_grpo s/first += group_size/first += samples->count/
llmc/advantage.h test_grpo s/+ 1e-6/+ 1e-4/
llmc/batch.h test_batch s/return s->prompt_count + s->count - 1/return s->count/
llmc/batch.h test_batch s/plan->room\[m\] < need/plan->room[m] < need - 1/
llmc/batch.h test_batch s/plan->room\[m\] -= need;//
llmc/batch.h test_batch s/!(skip_silent && s->advantage == 0)/!(skip_silent || s->advantage == 0)/
llmc/batch.h test_batch s/return difference ? difference : i - j/return -difference/
llmc/batch.h test_batch s/if (s->count > 0 \&\& /if (/
llmc/batch.h test_batch s/for (int i = first; i < first + count; i++) { tokens/for (int i = first; i < count; i++) { tokens/
llmc/microbatch.h test_batch s/int target = i + 1 - prompt_count;/int target = i - prompt_count;/
llmc/microbatch.h test_batch s/positions\[first + i\] = i;/positions[first + i] = first + i;/
llmc/microbatch.h test_batch s/difference ? difference : i - j/difference ? difference : j - i/
llmc/microbatch.h test_batch s/response_count ? response_count - 1 : 0/response_count/
llmc/random.h test_batch s/i > 0; i--/i > 1; i--/
llmc/random.h test_batch s/(uint32_t)i + 1)/(uint32_t)count)/
llmc/dataset.h test_batch s/random_key(dataset->key, (uint64_t)epoch)/random_key(0, (uint64_t)epoch)/
llmc/dataset.h test_batch s/random_key(dataset->key, (uint64_t)epoch)/dataset->key/
llmc/random.h test_batch s/for (int i = 0; i < count; i++) { order\[i\] = i; }/if (order[0] == order[1]) & /
llmc/dataset.h test_batch s/if (epoch != dataset->epoch)/if (epoch > dataset->epoch)/
llmc/page_pool.h test_batch s/if (--pool->owners\[page\] == 0)/if (pool->owners[page]-- > 0)/
llmc/page_pool.h test_batch s/pool->owners\[page\]++;//
llmc/page_pool.h test_batch s/^    memset(pool->owners.*//
llmc/worker_pool.h test_batch s/pool->count > 0 || pool->busy > 0/pool->count > 0/
llmc/worker_pool.h test_batch s/pool->count == 0 \&\& pool->busy == 0/pool->count == 0 \&\& pool->busy == 1/
llmc/worker_pool.h test_batch s/^        pool->busy++;//
llmc/worker_pool.h test_batch s/if (pool->count == 0) { break; }/if (pool->closing) { break; }/
llmc/worker_pool.h test_batch s/(pool->first + 1) % pool->capacity/pool->first + 1 < pool->capacity ? pool->first + 1 : 1/
llmc/memory.h test_batch s/phase == MEMORY_RESIDENT ? 0 : memory->resident/0/
llmc/memory.h test_batch s/generate > train ? generate : train/generate + train/
llmc/memory.h test_batch s/(bytes + 255) \/ 256 \* 256/bytes/
llmc/memory.h test_batch s/total <= available/total < available/
llmc/memory.h test_batch s/^    memset(memory->used, 0, .*//
llmc/parameters.h test_batch s/parameter_add(&t, false, keys, c->hidden, "self_attn.v_proj/parameter_add(\&t, true, keys, c->hidden, "self_attn.v_proj/
llmc/parameters.h test_batch s/c->tied_head ? t.embedding : /!c->tied_head ? t.embedding : /
llmc/evaluate.h test_evaluate s/(double)(n - c - i) \/ (n - i)/(double)(n - c) \/ n/
llmc/evaluate.h test_evaluate s/votes > best_votes/votes >= best_votes/
llmc/evaluate.h test_evaluate s/group\[i\].answer.size \&\& j < n/j < n/
llmc/evaluate.h test_evaluate s/group\[i\].count <= context/group[i].count < context/
llmc/evaluate.h test_evaluate s/(Q - 1)/Q/
llmc/evaluate.h test_evaluate s/sqrt(variance \/ Q)/sqrt(variance)/
llmc/evaluate.h test_evaluate s/votes += group\[i\].answer.size == group\[j\].answer.size \&\& /votes += /
llmc/grading.h test_miniature s/tokenizer_decode(grading->tokenizer, s->prompt_ids.*//
llmc/grading.h test_miniature s/grading->prompt_index\[s->prompt\]/s->prompt/
llmc/records.h test_miniature s/s->finished ? "true" : "false"/s->finished ? "false" : "true"/
llmc/records.h test_miniature s/"%.9g", (double)s->logprob/"%.6g", (double)s->logprob/
llmc/policy_io.h test_checkpoint s/(parameter->offset + done) \* element/parameter->offset * element/
llmc/policy_io.h test_checkpoint s/piece, count \* element, error); }$/&/;s/if (ok) { device_upload(/if (ok \&\& done == 0) { device_upload(/
llmc/policy_io.h test_checkpoint s/ok = safetensors_check_shape.*/ok = true;/
llmc/checkpoint.h test_checkpoint s/count <= keep/count < keep/
llmc/checkpoint.h test_checkpoint s/step < oldest ? step : oldest/step > oldest ? step : oldest/
llmc/checkpoint.h test_checkpoint s/step > latest \&\& file_exists(path)/step > latest/
llmc/checkpoint.h test_checkpoint s/ || entry->d_name\[used\]) { continue; }/) { continue; }/
llmc/checkpoint.h test_checkpoint s/ok \&\& strcmp(now, fingerprint) != 0/false/
llmc/checkpoint.h test_checkpoint s/"data_position", (json_int_t)state->data_position/"data_position", (json_int_t)(int)state->data_position/
llmc/checkpoint.h test_checkpoint s/numbers\[i\] > most\[i\]/numbers[i] > most[0]/
llmc/dataset.h test_batch s/+ count > dataset->count/+ count > dataset->count + 1/
llmc/dataset.h test_batch s/\*position += dataset->count - \*position % dataset->count;//
llmc/dataset.h test_batch s/+ dataset->per_step > dataset->count/> dataset->count/
llmc/checkpoint.h test_checkpoint s/arrays\[1\] = (PolicyArray){"adam_v.", SAFETENSORS_F32, p->adam_v}/arrays[1] = (PolicyArray){"adam_v.", SAFETENSORS_F32, p->adam_m}/
llmc/checkpoint.h test_checkpoint s/checkpoint_path(temporary, run_dir, state->step, ".tmp")/checkpoint_path(temporary, run_dir, state->step, "")/
llmc/checkpoint.h test_checkpoint s/done < bytes; done += most/done < most; done += most/
llmc/sft.h test_miniature s/(float)(-1 \/ response_tokens)/(float)(1 \/ response_tokens)/
llmc/sft.h test_miniature s/(float)(-1 \/ response_tokens)/(float)(-1.0 \/ batch->rows)/
llmc/sft.h test_miniature s/ints_push(&ids, eos);/ints_push(\&ids, eos + 1);/
llmc/sft.h test_miniature s/(int)ids.size > context/(int)ids.size > context + 1/
llmc/sft.h test_miniature s/^    policy_zero_gradients(&t->policy);//
llmc/miniature.h test_miniature s/if (!miniature_is_held_out(&p)) { return p; }/return p;/
llmc/miniature.h test_miniature s/held_out ? miniature_held_out(i) : /held_out ? miniature_problem(random_key(key, (uint64_t)i), 2 + i \/ 20) : /
llmc/miniature.h test_miniature s/left -= 1.0 \/ k++/left -= 1.0 \/ ++k/
llmc/miniature.h test_miniature s/sum += p->operand\[i\];/sum += 1;/
llmc/transformer.h test_golden s/next_norm = l + 1 < c->layers ? /next_norm = l + 2 < c->layers ? /
llmc/transformer.h test_golden s/rmsnorm_backward(act->dstream, g + o->input_norm.*//
llmc/transformer.h test_golden s/if (p->recompute == 0) { return; }/if (p->recompute <= 1) { return; }/
llmc/transformer.h test_grpo s/^    microbatch_sort(batch);//
llmc/cpu/rmsnorm.h test_rmsnorm s/(float)C + eps)/(float)C) + eps/
llmc/cpu/rmsnorm.h test_rmsnorm s/\* rstd \* rstd \* rstd;/* rstd * rstd;/
llmc/cpu/rmsnorm.h test_rmsnorm s/vector_load_x_part(dx + c, C - c) + gradient/gradient/
llmc/cpu/swiglu.h test_swiglu s/1.0f + gate \* (1.0f - sigma)/1.0f + gate * sigma/
llmc/cpu/swiglu.h test_swiglu s/drow + F + f, dup/drow + f, dup/
llmc/cpu/embedding.h test_embedding s/row\[lane\] += sum\[lane\]/row[lane] = sum[lane]/
llmc/cpu/rope.h test_rope s/b \* c + a \* s/b * c - a * s/
llmc/cpu/rope.h test_rope s/h < H + KV; h++/h < H; h++/
llmc/cpu/qk_norm.h test_qk_norm s/rstd, H, H + KV, d/rstd, 0, H + KV, d/
llmc/cpu/linear.h test_linear s/out.bias ? out.bias + done : NULL/out.bias/
llmc/cpu/linear.h test_linear s/if (dbias) { linear_backward_bias/if (dbias \&\& !dx) { linear_backward_bias/
llmc/cpu/gemm.h test_linear s/int count = out.accumulate ?/int count = out.accumulate \&\& n == 0 ?/
llmc/cpu/gemm.h test_linear s/if (first) { gemm_tile_begin/{ gemm_tile_begin/
llmc/cpu/gemv.h test_linear s/for (; c + GEMV_STEP <= C; c += GEMV_STEP)/for (; c + GEMV_STEP < C; c += GEMV_STEP + 1)/
llmc/cpu/vector.h test_linear s/memcpy(lane, p, (size_t)count \* sizeof(floatX));/memcpy(lane, p, (size_t)(count - 1) * sizeof(floatX));/
llmc/cpu/attention.h test_attention s/k - t->begin) \* group; .*/k - t->begin + 1) * group;/
llmc/cpu/attention.h test_attention s/m\[r\] + logf(sum)/m[r] - logf(sum)/
llmc/cpu/attention.h test_attention s/(vector_load(dp + at) - delta\[r\])/(vector_load(dp + at) + delta[r])/
llmc/cpu/attention.h test_attention s/dq + r \* stride, a->scale, D/dq + r * stride, 1.0f, D/
llmc/cpu/attention.h test_attention s/if (first >= count) { break; }/if (first > 0) { break; }/
llmc/cpu/attention_block.h test_attention s/l\[r\] = l\[r\] \* rescale\[r\] + sum/l[r] = l[r] + sum/
llmc/cpu/attention_block.h test_attention s/lane < keys - v \* SIMD_WIDTH/lane <= keys - v * SIMD_WIDTH/
llmc/cpu/attention_decode.h test_attention_decode s/present = min_int(KV_PAGE, length - begin)/present = KV_PAGE/
llmc/cpu/attention_decode.h test_attention_decode s/pages\[begin \/ KV_PAGE\]/pages[0]/
llmc/cpu/attention_decode.h test_attention_decode s/if (slots\[n\] < 0) { continue; }/if (slots[n] <= 0) { continue; }/
llmc/cpu/logprob.h test_logprob s/log(row.all.sum) - row.all.moment/log(row.all.sum) + row.all.moment/
llmc/cpu/logprob.h test_logprob s/memset(out + V, 0, .*//
llmc/cpu/logprob.h test_logprob s/(likely + spread \* (below + entropy\[n\]))/(likely + spread * below)/
llmc/cpu/sample.h test_sample s/if (running > target) { return last; }/if (running >= 1.001 * target) { return last; }/
llmc/cpu/sample.h test_sample s/a.id < b.id; }/a.id > b.id; }/
llmc/cpu/adamw.h test_adamw s/1 - pow(beta2, step)/1 - pow(beta1, step)/
llmc/cpu/adamw.h test_adamw s/ + theta \* a.weight_decay//
llmc/cpu/gradient_norm.h test_gradient_norm s/for (; i < count; i++) { total/for (; i + 1 < count; i++) { total/
END
}

if ! list | grep -q -F -- "$word"; then
    echo "error: no line of the list holds '$word'"
    exit 1
fi
tests=$(list | grep -F -- "$word" | awk '{print $2}' | tr , '\n' | sort -u)
for test in $tests; do # a test that fails anyway would seem to catch everything
    if ! build "$test" || ! passes "$test"; then
        echo "error: $test does not pass as it is:"
        tail -n 5 build.log run.log
        exit 1
    fi
done
caught=0 missed=0 stale=0
while read -r file checks bug; do
    cp "$file" kept
    sed "$bug" kept >"$file"
    if cmp -s kept "$file"; then
        verdict=STALE why='changes nothing'
    else
        verdict=MISSED why=
        for test in $(echo "$checks" | tr , ' '); do
            if ! build "$test"; then
                verdict=STALE why=$(grep -m 1 error: build.log)
                break
            elif ! passes "$test"; then
                verdict=caught why="$test: $(grep -m 1 -E 'FAIL|ssert|rror' run.log)"
                break
            fi
        done
    fi
    cp kept "$file" # with a new time, so that what was built from the bug is built anew
    case $verdict in caught) caught=$((caught + 1)) ;; MISSED) missed=$((missed + 1)) ;; *) stale=$((stale + 1)) ;; esac
    printf '%-6s %s  %s  (%s)\n' "$verdict" "$file" "$bug" "$why" | cut -c 1-220
done <<LIST
$(list | grep -F -- "$word")
LIST
echo "$caught caught, $missed missed, $stale stale"
[ "$missed" -eq 0 ] && [ "$stale" -eq 0 ]
