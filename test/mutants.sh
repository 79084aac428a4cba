# Do the tests notice? Plants small bugs one at a time, in a copy of the tree, and demands that a test fails for each.
#   sh test/mutants.sh            every bug of the list below (some twenty minutes on two cores)
#   sh test/mutants.sh grpo.h     those whose line holds a word      sh test/mutants.sh _ranks     those of several ranks
# A line of the list: the file, the tests that must notice (comma between them), a sed expression that plants the bug. test_ranks@3 is the test on
# three ranks under mpirun, tcp/test_ranks@3 on three without MPI, test_tcp_ranks.sh a script with the programs that it runs.
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

programs_of() { # test
    case $1 in
    *.sh) echo train_grpo rollout train_sft build/mutant/test/test_ranks build/mutant/tcp/train_grpo build/mutant/tcp/rollout build/mutant/tcp/test/test_ranks ;;
    tcp/*) echo "build/mutant/tcp/test/$(basename "${1%@*}")" ;;
    *) echo "build/mutant/test/${1%@*}" ;;
    esac
}
# shellcheck disable=SC2046 # a list of words is meant
build() { nice make -s -j"$(nproc)" BACKEND=cpu PRECISION="${PRECISION:-FP32}" VARIANT=mutant OPTIMIZE='-O1 -march=native' $(programs_of "$1") >build.log 2>&1; }
over_tcp() { # ranks, command..
    ranks=$1 started='' status=0
    shift
    for rank in $(seq 0 $((ranks - 1))); do
        WORLD_SIZE=$ranks RANK=$rank MASTER_ADDR=127.0.0.1 MASTER_PORT=$((30000 + $$ % 2000)) timeout 60 "$@" &
        started="$started $!"
    done
    for one in $started; do wait "$one" || status=$?; done
    return $status
}
passes() {
    case $1 in
    *.sh) TESTS=build/mutant/test nice timeout 300 sh "test/$1" ;;
    tcp/*) over_tcp "${1#*@}" nice "$(programs_of "$1")" "$tree/folder" ;;
    *@*) OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 nice timeout 60 mpirun --oversubscribe -np "${1#*@}" "$(programs_of "$1")" "$tree/folder" ;;
    *) nice timeout 60 "$(programs_of "$1")" ;;
    esac >run.log 2>&1 </dev/null
}

list() {
    cat <<'END'
llmc/common.h test_losses s/above > high ? high/above < high ? high/
llmc/common.h test_losses s/x < low ? low : x/x > low ? low : x/
llmc/surrogate.h test_grpo,test_losses s/exp(clamp(log_ratio, -20, 20)), fabs(log_ratio) <= 20, advantage/exp(log_ratio), true, advantage/
llmc/surrogate.h test_grpo s/fabs(log_ratio) <= 20/true/
llmc/surrogate.h test_losses s/exp(clamp(log_ratio, -INFINITY, 10)), log_ratio <= 10/exp(log_ratio), true/
llmc/surrogate.h test_losses s/log_ratio <= 10, advantage/true, advantage/
llmc/surrogate.h test_losses s/1 - clip->low, 1 + clip->high), most/1 - clip->high, 1 + clip->low), most/
llmc/surrogate.h test_losses s/if (held > as_is)/if (held < as_is)/
llmc/surrogate.h test_losses s/(TokenSurrogate){held, 0, ratio/(TokenSurrogate){as_is, 0, ratio/
llmc/surrogate.h test_losses s/advantage < 0 ? CLIPPED_LOW : CLIPPED_HIGH/CLIPPED_LOW/
llmc/surrogate.h test_losses s/advantage < 0 \&\& as_is > most/as_is > most/
llmc/surrogate.h test_losses s/(TokenSurrogate){most, 0, ratio/(TokenSurrogate){most, as_is, ratio/
llmc/surrogate.h test_losses s/(TokenSurrogate){most, 0, ratio/(TokenSurrogate){as_is, 0, ratio/
llmc/surrogate.h test_losses s/{-weight \* advantage \* logprob, -weight \* advantage,/{-weight * advantage * logprob, -weight * advantage * (1 + logprob),/
llmc/surrogate.h test_losses s/weight = clamp(ratio, 1 - clip->low, 1 + clip->high)/weight = clamp(ratio, 1 - clip->high, 1 + clip->low)/
llmc/surrogate.h test_losses s/weight > ratio ? CLIPPED_LOW/weight < ratio ? CLIPPED_LOW/
llmc/surrogate.h test_losses s/{-advantage \* logprob, -advantage,/{-advantage * logprob, -advantage * logprob,/
llmc/surrogate.h test_losses s/return type == SURROGATE_GSPO/return type == SURROGATE_CISPO/
llmc/kl.h test_grpo,test_losses s/(TokenKl){logprob - reference, 1}/(TokenKl){reference - logprob, 1}/
llmc/kl.h test_grpo s/(TokenKl){logprob - reference, 1}/(TokenKl){logprob - reference, 0}/
llmc/kl.h test_grpo s/difference \* difference \/ 2/difference * difference/
llmc/kl.h test_grpo s/exp(d) - d - 1;/exp(d) - d;/
llmc/kl.h test_grpo s/return value > 10 ? (TokenKl){10, 0} : /return /
llmc/kl.h test_grpo s/(TokenKl){10, 0}/(TokenKl){10, 1 - exp(d)}/
llmc/kl.h test_losses s/kl_k1(logprob, reference).value, kl_k2(logprob, reference).dlogprob/kl_k2(logprob, reference).value, kl_k1(logprob, reference).dlogprob/
llmc/kl.h test_losses s/kl_k3(logprob, reference).value, kl_k2(logprob, reference).dlogprob/kl_k3(logprob, reference).value, kl_k3(logprob, reference).dlogprob/
llmc/importance.h test_losses s/fmin(exp/fmax(exp/
llmc/importance.h test_losses s/old - sampled/sampled - old/
llmc/importance.h test_losses s/cap > 0 ? /cap > 2 ? /
llmc/aggregate.h test_losses s/counts->sequences \* answer_tokens/answer_tokens/
llmc/aggregate.h test_losses s/return counts->sequences \* constant/return constant/
llmc/aggregate.h test_losses s/return counts->sequences;/return counts->tokens;/
llmc/aggregate.h test_losses s/return counts->tokens;/return counts->sequences;/
llmc/aggregate.h test_losses s/counts->tokens += s->masked ? 0 : s->count/counts->tokens += s->count/
llmc/aggregate.h test_losses s/counts->sequences += !s->masked \&\& s->count > 0/counts->sequences += s->count > 0/
llmc/aggregate.h test_batch s/i < first + count \&\& i < samples->count/i < first + count - 1 \&\& i < samples->count/
llmc/grpo.h test_losses s/sum += (double)now\[t\] - (double)sample->old_logprob\[t\]/sum += (double)now[t] - (double)sample->logprob[t]/
llmc/grpo.h test_losses s/sample->mean_log_ratio = sum \/ sample->count/sample->mean_log_ratio = sum/
llmc/grpo.h test_losses s/of_sequence ? sample->mean_log_ratio : lp - old/of_sequence ? lp - old : lp - old/
llmc/grpo.h test_losses s/old = (double)sample->old_logprob\[t\], sampled/old = (double)sample->logprob[t], sampled/
llmc/grpo.h test_losses s/fabs(exp(lp) - exp(sampled))/fabs(exp(lp) - exp(old))/
llmc/grpo.h test_losses s/part.value \*= weight, part.dlogprob \*= weight/part.value *= weight/
llmc/grpo.h test_losses s/part.value \*= weight, part.dlogprob \*= weight/part.dlogprob *= weight/
llmc/grpo.h test_grpo s/(part.dlogprob + o->kl_coef \* kl.dlogprob) \/ denominator/(part.dlogprob + o->kl_coef * kl.dlogprob) \/ batch->rows/
llmc/grpo.h test_grpo s/part.dlogprob + o->kl_coef \* kl.dlogprob/part.dlogprob - o->kl_coef * kl.dlogprob/
llmc/grpo.h test_grpo s/(float)(-o->entropy_coef/(float)(o->entropy_coef/
llmc/grpo.h test_losses s/- o->entropy_coef \* H) \/ denominator/+ o->entropy_coef * H) \/ denominator/
llmc/grpo.h test_grpo s/return batch->starts\[s\] + sample->prompt_count - 1;/return batch->starts[s] + sample->prompt_count;/
llmc/grpo.h test_grpo s/^    memset(dlogprob + begin, 0, .*//
llmc/grpo.h test_grpo s/stats->old_minus_new += old - lp/stats->old_minus_new += lp - old/
llmc/grpo.h test_grpo s/difference > stats->largest_difference ? difference/difference < stats->largest_difference ? difference/
llmc/grpo.h test_losses s/first || value < \*least/value < *least/
llmc/grpo.h test_losses s/first || value > \*largest/value < *largest/
llmc/grpo.h test_grpo s/if (o->kl_coef != 0)/if (true)/
llmc/grpo.h test_losses s/ \&\& !o->microbatch_sum; }/; }/
llmc/grpo.h test_losses s/o->microbatch_sum ? loss_counts_of_microbatch(batch, samples)/false ? loss_counts_of_microbatch(batch, samples)/
llmc/advantage.h test_grpo s/(size - 1)/size/
llmc/advantage.h test_grpo s/size > 1 ? sum/size > 0 ? sum/
llmc/advantage.h test_grpo s/s - i % group_size, group_size);/samples->list, group_size);/
llmc/advantage.h test_grpo s/+ 1e-6/+ 1e-4/
llmc/advantage.h test_losses s/(double)s->reward - (double)s->penalty/(double)s->reward + (double)s->penalty/
llmc/advantage.h test_losses s/centred \* n \/ (n - 1)/centred * (n - 1) \/ n/
llmc/advantage.h test_losses s/t < s->count \&\& !s->masked; t++) { tokens/t < s->count; t++) { tokens/
llmc/advantage.h test_losses s/t < s->count \&\& !s->masked; t++) { tokens/t < 1 \&\& !s->masked; t++) { tokens/
llmc/advantage.h test_losses s/t < s->count \&\& !s->masked; t++) { square/t < s->count; t++) { square/
llmc/advantage.h test_losses s/tokens > 1 ? tokens - 1 : 1/tokens/
llmc/advantage.h test_losses s/^    advantage_dr_grpo(samples, group_size);/    advantage_grpo(samples, group_size);/
llmc/shaping.h test_losses s/tokens - (limit - length)/tokens - limit/
llmc/shaping.h test_losses s/limit \/ 5.0/limit \/ 4.0/
llmc/shaping.h test_losses s/over \/ length \* penalty/over \/ limit * penalty/
llmc/shaping.h test_losses s/length > 0 \&\& over > 0/length > 0/
llmc/shaping.h test_losses s/estimate((double)s->old_logprob/estimate((double)s->logprob/
llmc/dynamic_sampling.h test_losses s/equal = equal \&\& group\[i\]/equal = group[i]/
llmc/dynamic_sampling.h test_losses s/if (equal \&\& drop)/if (equal || drop)/
llmc/dynamic_sampling.h test_losses s/prompt_index\[kept++\] = prompt_index\[g\]/prompt_index[kept] = prompt_index[kept], kept++/
llmc/dynamic_sampling.h test_losses s/\.prompt = kept;/.prompt = g;/
llmc/samples.h test_losses s/^    memcpy(old.logprob, moved->logprob.*//
llmc/samples.h test_losses s/moved->text = old.text, moved->answer = old.answer;//
llmc/samples.h test_losses s/SAMPLE_FLOATS \* place};/2 * place};/
llmc/options.h test_options s/becomes_off = !switches->list\[i\].on \&\& /becomes_off = /
llmc/options.h test_options s/becomes_on = switches->list\[i\].on \&\& !strcmp(now.data, "0")/becomes_on = switches->list[i].on/
llmc/config.h test_options s/if (!strcmp(named_losses\[i\]\[0\], config->loss))/if (strcmp(named_losses[i][0], config->loss))/
llmc/config.h test_options s/if (config->tis_cap > 0 \&\& !config->given.old_logprobs)/if (false)/
llmc/loss_options.h test_options s/!strcmp(c->kl_in, "loss") ? (double)c->kl_coef : 0/(double)c->kl_coef/
llmc/batch.h test_batch s/return s->prompt_count + s->count - 1/return s->count/
llmc/batch.h test_batch s/plan->room\[m\] < need/plan->room[m] < need - 1/
llmc/batch.h test_batch s/plan->room\[m\] -= need;//
llmc/batch.h test_batch s/!(skip_silent && s->advantage == 0)/!(skip_silent || s->advantage == 0)/
llmc/batch.h test_batch s/return difference ? difference : i - j/return -difference/
llmc/batch.h test_batch s/if (s->count > 0 \&\& !s->masked/if (!s->masked/
llmc/batch.h test_losses s/s->count > 0 \&\& !s->masked \&\& /s->count > 0 \&\& /
llmc/batch.h test_losses s/ \&\& i < samples->count; i++/; i++/
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
llmc/config.h test_options s/if (longest > 1 << 24)/if (longest > (1 << 24) + 1)/
llmc/options.h test_options s/if (!option_text_is_utf8(value))/if (false)/
llmc/tokenizer_file.h test_tokenizer s/<= TOKENIZER_MAX_PROBES/< 1000000/
data/parquet_column.h test_parquet s/if (bytes > source->unread)/if (bytes > 1ull << 40)/
data/parquet_column.h test_parquet s/if (entries > held \&\& /if (entries > held \&\& entries == 1 \&\& /
data/prompts.h test_prompts s/if (place != \*next || /if (/
data/prompts.h test_prompts s/set->largest_id < vocab ||/set->largest_id <= vocab ||/
data/prompts.h test_prompts s/count > max_prompt_tokens) { too_long/count > max_prompt_tokens + 1) { too_long/
data/text_table.h test_difficulty s/!memcmp(held, text, bytes)/memcmp(held, text, bytes) != 1000000/
data/difficulty.h test_difficulty s/share < difficulty->min_pass/share <= difficulty->min_pass/
data/difficulty.h test_difficulty s/share > difficulty->max_pass/share >= difficulty->max_pass/
data/difficulty.h test_difficulty s/const float share = (float)/const double share = /
data/difficulty.h test_difficulty s/"%lld ", (long long)index)/"%lld ", (long long)index * 0)/
data/difficulty.h test_difficulty s/value != 0 \&\& value != 1/value < 0/
data/difficulty.h test_difficulty s/if (difficulty->counts\[i\].met)/if (i >= 0)/
data/difficulty.h test_difficulty s/if (question == before)/if (question <= before)/
data/difficulty.h test_difficulty s/ok = ok \&\& !error->text\[0\]/ok = ok/
data/prepare.h test_difficulty s/if (ids->size > (size_t)preparation->max_prompt_tokens) {/if (verdict == DIFFICULTY_FITS \&\& ids->size > (size_t)preparation->max_prompt_tokens) {/
data/prepare.h test_difficulty s/question->index >= 0 ? question->index : counts->read - 1/question->index/
data/leakage.h test_difficulty s/utf8proc_tolower(code)/code/
data/leakage.h test_difficulty s/ \&\& unicode_class(code) != UNICODE_SPACE//
data/leakage.h test_difficulty s/key->data\[key->size = rest\] = 0;/key->data[rest] = key->data[rest];/
data/leakage.h test_difficulty s/if (found++ == 0) { \*first = i; }/found++, *first = i;/
llmc/policy_io.h test_checkpoint s/(parameter->offset + done) \* element/parameter->offset * element/
llmc/policy_io.h test_checkpoint s/piece, count \* element, error); }$/&/;s/if (ok) { device_upload(/if (ok \&\& done == 0) { device_upload(/
llmc/policy_io.h test_checkpoint s/ok = safetensors_check_shape.*/ok = true;/
llmc/checkpoint.h test_checkpoint s/count <= keep/count < keep/
llmc/checkpoint.h test_checkpoint s/step < oldest ? step : oldest/step > oldest ? step : oldest/
llmc/checkpoint.h test_checkpoint s/step > latest \&\& file_exists(path)/step > latest/
llmc/checkpoint.h test_checkpoint s/return strcmp(name, again) != 0 ? -1 : (int)step/return (int)step/
llmc/checkpoint.h test_checkpoint s/ || step > CHECKPOINT_MAX_STEP//
llmc/checkpoint.h test_checkpoint s/is_link ? "" : /is_link ? "\/trainer_state.json" : /
llmc/common.h test_checkpoint s/ | O_NOFOLLOW//
llmc/common.h test_checkpoint s/^    unlink(atomic->temporary);$//
llmc/checkpoint.h test_checkpoint s/ok \&\& strcmp(now, fingerprint) != 0/false/
llmc/checkpoint.h test_checkpoint s/"data_position", (json_int_t)state->data_position/"data_position", (json_int_t)(int)state->data_position/
llmc/checkpoint.h test_checkpoint s/numbers\[i\] > most\[i\]/numbers[i] > most[0]/
llmc/dataset.h test_batch s/+ count > dataset->count/+ count > dataset->count + 1/
llmc/dataset.h test_batch s/\*position += dataset->count - \*position % dataset->count;//
llmc/dataset.h test_batch s/+ dataset->per_step > dataset->count/> dataset->count/
llmc/checkpoint.h test_checkpoint s/arrays\[1\] = (PolicyArray){"adam_v.", SAFETENSORS_F32, p->adam_v, true}/arrays[1] = (PolicyArray){"adam_v.", SAFETENSORS_F32, p->adam_m, true}/
llmc/checkpoint.h test_checkpoint s/checkpoint_path(temporary, run_dir, state->step, ".tmp")/checkpoint_path(temporary, run_dir, state->step, "")/
llmc/checkpoint.h test_checkpoint s/done < p->parameters.total; done += most/done < most; done += most/
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
llmc/cost.h test_cost s/tokens \* (tokens + 1); } \/\/ operations/tokens * tokens; } \/\/ operations/
llmc/cost.h test_cost s/2 \* m->attention \* attended/m->attention * attended/
llmc/cost.h test_cost s/return read > multiplied ? read : multiplied/return read + multiplied/
llmc/cost.h test_cost s/+ s->context - mean, attended/, attended/
llmc/cost.h test_cost s/(3 + s->scorings) \* forward/3 * forward/
llmc/cost.h test_cost s/3.0 \* hidden \* c->intermediate/2.0 * hidden * c->intermediate/
llmc/generator.h test_generator s/j->expected - i->expected/i->expected - j->expected/
llmc/generator.h test_generator s/i->number - j->number/j->number - i->number/
llmc/generator.h test_generator s/(int)(sum \/ known)/(int)(sum \/ groups)/
llmc/generator.h test_generator s/g->begun += count;/g->begun += count > 0;/
llmc/generator.h test_generator s/^    if (room < 1) { return 0; }/    (void)room;/
llmc/generator.h test_many_ranks.sh s/(int64_t)ranks_count() + ranks_mine()) \* group_size/(int64_t)ranks_count()) * group_size/
llmc/advantage.h test_losses s/sample_return(s) + whole - /sample_return(s) + 0 * whole - /
llmc/advantage.h test_losses s/s->by_token ? s->token_advantage\[t\] : /s->by_token ? s->token_advantage[0 * t] : /
llmc/shaping.h test_losses s/for (int t = s->count - 1; t >= 0; t--) {$/for (int t = 0; t < s->count; t++) {/
llmc/grpo.h test_losses s/s->sampler_k1 -= log_ratio/s->sampler_k1 += log_ratio/
llmc/grpo.h test_losses s/exp(log_ratio) - log_ratio - 1/exp(-log_ratio) + log_ratio - 1/
llmc/grpo.h test_losses s/n \* s->product - s->p \* s->p_sampled/n * s->product - s->p * s->p/
llmc/grpo.h test_losses s/fabs(log_ratio));$/log_ratio);/
llmc/cpu/logprob.h test_logprob s/bf16_to_float(bf16_from_float(logits\[i\])) \* scale/logits[i] * scale/
llmc/cpu/logprob.h test_logprob s/logits\[i\] = temperature \* bf16/logits[i] = bf16/
llmc/checkpoint.h test_checkpoint s/"cut_share", state->cut_share/"cut_share", 0.0/
llmc/checkpoint.h test_checkpoint s/if (count < state->prompts) { state/if (count + 1 < state->prompts) { state/
llmc/checkpoint.h test_checkpoint s/end += \*end == ' ';/end += *end != 0;/
llmc/policy.h test_many_ranks.sh s/device_zero(policy->adam_v, policy->shards.share/device_zero(policy->adam_v, policy->parameters.total/
llmc/trainer_stages.h test_stages.sh s/into < STAGE_MEAN_STEPS ? into : STAGE_MEAN_STEPS/STAGE_MEAN_STEPS/
llmc/trainer_stages.h test_stages.sh s/t->state.was_below_trigger \&\& t->state.cut_share/t->state.cut_share/
llmc/trainer_stages.h test_stages.sh s/t->state.cut_share >= (double)c->stage_trigger/t->state.cut_share < (double)c->stage_trigger/
llmc/trainer_stages.h test_stages.sh s/^    t->total_steps = trainer_total_steps(t);//
llmc/replay.h test_replay.sh s/s->logprob\[i\] = (float)json_number_value(logprob)/s->logprob[i] = (float)json_number_value(logprob) - 0.1f/
llmc/replay.h test_replay.sh s/number > 0 \&\& prompt != t->g.prompt_index\[group\]/false/
llmc/replay.h test_replay.sh s/recorded == t->fingerprint/true/
llmc/replay.h test_replay.sh s/^    dataset_draw(.*//
llmc/replay.h test_replay.sh s/json_integer_value(index) != prompt.index/false/
llmc/trainer_losses.h test_train_losses.sh s/t->g.policy.weights, offsetof(Sample, trainer_logprob)/t->g.policy.weights, offsetof(Sample, reference_logprob)/
llmc/exchange.h test_ranks@3 s/(Verdict){header.reward > 0, /(Verdict){true, /
llmc/exchange.h test_ranks@3 s/buffer_append(&s->answer, at + header.text, header.answer)/buffer_append(\&s->answer, at, header.answer)/
llmc/exchange.h test_ranks@3 s/buffer_append(&own, &scored\[k\], sizeof(int))/buffer_append(\&own, \&k, sizeof(int))/
llmc/shards.h test_ranks@3 s/ranks > 1 ? ranks_mine() : 0/0/
llmc/shards.h test_ranks@3 s/s.list\[i\].at = s.share;/s.list[i].at = i * s.share;/
llmc/batch.h test_ranks@3 s/if (least == ranks_mine())/if (least == 0)/
llmc/batch.h test_ranks@3 s/least = work\[r\] < work\[least\] ? r : least/least = work[r] > work[least] ? r : least/
llmc/ranks_mpi.c test_ranks@3 s/MPI_SUM, counter_window/MPI_REPLACE, counter_window/
llmc/ranks_sums.h test_ranks@3 s/for (int r = 1; r < ranks_count(); r++) { sum += /for (int r = ranks_count() - 1; r > 0; r--) { sum += /
llmc/ranks_sums.h tcp/test_ranks@3 s/for (int r = 1; r < ranks_count(); r++) { sum += /for (int r = ranks_count() - 1; r > 0; r--) { sum += /
llmc/ranks_tcp.c tcp/test_ranks@3 s/for (int r = 1; r < count; r++) {$/for (int r = count - 1; r > 0; r--) {/
llmc/ranks_tcp.c tcp/test_ranks@3 s/to < 0 || to == next/to < 0 || to == last/
llmc/ranks_tcp.c test_tcp_ranks.sh s/(store \&\& !strcmp(store, "True"))/(store != NULL \&\& false)/
llmc/ranks_join.h test_tcp_ranks.sh s/if (strcmp(greeting->job, job) != 0)/if (false)/
llmc/ranks_join.h test_tcp_ranks.sh s/sockets\[greeting->rank\] >= 0/sockets[greeting->rank] >= 1000000/
llmc/generator.h test_tcp_ranks.sh s/^    ranks_counter_reset();//
llmc/generator.h test_many_ranks.sh s/^    whole = !ranks_any(!whole);//
llmc/watch.h test_tcp_ranks.sh s/if (seen->pid \&\& watch_gone(seen))/if (false)/
llmc/watch.h test_tcp_ranks.sh s/s.work != seen->work || s.waiting || /s.work != seen->work || /
llmc/watch.h test_tcp_ranks.sh s/now - watch.work_at\[r\] > watch.limit/false/
llmc/watch.h test_many_ranks.sh s/now - watch.beat_at\[r\] > watch.limit/false/
data/prepare.h test_tcp_ranks.sh s/^        watch_worked();//
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
        tail -n 5 build.log
        grep FAIL run.log || tail -n 5 run.log
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
