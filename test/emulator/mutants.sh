# sh test/emulator/mutants.sh: breaks the shipped kernels, one barrier, bound, mask or order at a time; the op's test on the emulator must notice.
#   sh test/emulator/mutants.sh attention_mma     those whose file or description holds a word
only=${1:-}
mutants=build/mutant$only noticed=0 missed=0 precision=FP32 capability=80
rm -rf $mutants && mkdir -p $mutants && cp -r Makefile llmc dev test $mutants
sed -i "s/ -Werror//" $mutants/test/emulator/rules.mk # a parameter may become unused
mutant() { # build (asan or race), test, file, sed expression, what it is; in $precision, on a device of $capability
    case "$3: $5" in *"$only"*) ;; *) return ;; esac
    file=$mutants/llmc/cuda/$3
    cp "llmc/cuda/$3" "$file"
    sed -i "$4" "$file"
    if cmp -s "llmc/cuda/$3" "$file"; then
        said="MISSED: the expression changes nothing"
    elif ! make -s -C $mutants BACKEND=emu EMU="$1" PRECISION=$precision VARIANT="emu-$1-$precision" "build/emu-$1-$precision/test/$2" >$mutants/log 2>&1; then
        said="MISSED: it does not compile: $(grep -m1 error $mutants/log)"
    else
        said=
        for order in 0 1; do
            [ -n "$said" ] || said=$(EMU_ORDER=$order EMU_CAPABILITY=$capability EMU_TIMEOUT=60 "$mutants/build/emu-$1-$precision/test/$2" 2>&1 | grep -m1 -oE '^FAIL.*|ERROR: Add.*|emulator: [^k].*|no thread can go on|runtime error.*' | cut -c1-100)
        done
    fi
    cp "llmc/cuda/$3" "$file"
    case $said in
    "" | MISSED*) missed=$((missed + 1)); echo "MISSED $3: $5 ($1 $2) ${said#MISSED: }" ;;
    *) noticed=$((noticed + 1)); echo "ok     $3: $5 ($1): $said" ;;
    esac
}
nth() { grep -n "$2" "llmc/cuda/$1" | sed -n "$3p" | cut -d: -f1; } # the line of the n-th match
barrier() { mutant race "$1" "$2" "$(nth "$2" "$3" "$4")s/$3();//" "$3 number $4 removed"; } # test, file, which barrier, number

for i in 1 2; do barrier test_sample vector.cuh __syncthreads $i; done
barrier test_linear vector.cuh __syncthreads 3
barrier test_rmsnorm vector.cuh __syncthreads 4
barrier test_rmsnorm rmsnorm.cuh __syncthreads 1
for i in 1 2; do barrier test_linear linear_tiled.cuh __syncthreads $i; done
for i in 1 2; do barrier test_attention attention.cuh __syncthreads $i; done
barrier test_attention attention.cuh __syncwarp 1
for i in 1 2 3 4; do barrier test_attention attention_backward.cuh __syncthreads $i; done
for i in 1 2; do barrier test_attention attention_backward.cuh __syncwarp $i; done
for i in 1 2; do barrier test_attention_decode attention_decode.cuh __syncthreads $i; barrier test_attention_decode attention_decode.cuh __syncwarp $i; done
for i in 1 2 3 4 5 6 7 8 9 10; do barrier test_sample sample.cuh __syncthreads $i; done
for i in 1 2; do barrier test_sample logprob.cuh __syncthreads $i; done
mutant asan test_rmsnorm rmsnorm.cuh 's/if (n >= N) { return; }//' "row not guarded"
mutant asan test_linear vector.cuh 's/ n += COLUMN_WARPS/ n += COLUMN_WARPS + 1/' "rows skipped in column sums"
mutant asan test_rmsnorm vector.cuh 's/i < shares \&\& c < C; i += COLUMN_WARPS/i + 1 < shares \&\& c < C; i += COLUMN_WARPS/' "the last share forgotten"
mutant asan test_rmsnorm rmsnorm.cuh 's/n += gridDim.x \* warps/n += gridDim.x * warps + 1/' "rows skipped in the backward pass"
mutant asan test_rmsnorm rmsnorm.cuh 's/return launch(std::integral_constant<int, 48/return launch(std::integral_constant<int, 32/' "fewer values kept than a row has"
mutant asan test_embedding embedding.cuh 's/first > 0 \&\& //' "order read before its start"
mutant asan test_embedding embedding.cuh 's/more = row\[7\] >= 0/more = false/' "a run of more than eight cut off"
mutant asan test_swiglu swiglu.cuh 's/up.v\[k\] \* sigma \* (1.0f +/up.v[k] * sigma * (0.9f +/' "slope of the gate"
mutant asan test_gradient_norm gradient_norm.cuh 's/if (whole + threadIdx.x < end)/if (false)/' "the last few values forgotten"
mutant asan test_linear linear_tiled.cuh 's/row >= p.M || column >= p.N/row >= p.M/' "column not guarded on store"
mutant asan test_attention attention.cuh 's/lane < limit\[r\] ? score/true ? score/; s/lane < limit\[r\] ? expf/true ? expf/' "causal mask dropped"
mutant asan test_attention attention_tile.cuh 's/i >= from\[r\] && i < limit\[r\]/true/' "masked rows multiplied"
mutant asan test_attention attention_backward.cuh 's/ \&\& row >= key0 + r;/;/; s/max(0, key0 + r - row0)/0/' "causal mask dropped in dk and dv"
mutant asan test_attention_decode attention_decode.cuh 's/int present = .*/int present = KV_PAGE;/' "positions behind the end read"
mutant asan test_sample sample.cuh 's/(border->amount - before + one - 1) . one)/(border->amount - before + one - 1) \/ one + 1)/' "one tie too many"
mutant asan test_sample sample.cuh 's/running + scan > range.mark/running + scan >= range.mark * 1.01/' "draw off its mark"
mutant asan test_sample sample.cuh 's/if (listed > SAMPLE_LISTED)/if (false)/' "more at the border than the list holds"
mutant asan test_sample sample.cuh 's/key\[j\] > border->key\[i\]/key[j] >= border->key[i]/' "equals counted twice at the border"
mutant asan test_sample sample.cuh 's/ >= border->amount) {/ >= 2 * border->amount) {/' "bisection for twice as much"
mutant asan test_sample sample.cuh 's/if (b != last \&\& pending > 0)/if (false)/' "weights in the wrong bucket"
mutant asan test_logprob logprob.cuh 's/z.v\[k\] = v + k < end ? z.v\[k\] : -INFINITY/z.v[k] = z.v[k]/' "ids behind the vocabulary counted"
mutant asan test_logprob logprob.cuh 's/a->moment + difference \* a->sum/a->moment/' "moment not shifted"
mutant asan test_adamw adamw.cuh 's/ : 0, rest = count - whole/ : 0, rest = 0/' "tail forgotten"
mutant asan test_rope rope.cuh 's/to.slots\[n\] >= 0/true/' "a row without a place written to the cache"
mutant asan test_rope rope.cuh 's/store<width>(row + half, high)/store<width>(row, high)/' "upper halves not cached"
# ---- what only tensor cores do
precision=BF16
mutant asan test_rmsnorm rmsnorm.cuh 's/value = store<width>(sum + c, value)/store<width>(sum + c, value)/' "norm of the sum before its rounding"
for i in 1 2 3; do barrier test_attention attention_mma.cuh __syncthreads $i; done
barrier test_attention attention_mma.cuh __syncwarp 1
for i in 1 2; do barrier test_attention attention_mma.cuh 'cp_async_wait<0>' $i; done
for i in 1 2 3 4; do barrier test_attention attention_backward_mma.cuh __syncthreads $i; done
barrier test_attention attention_backward_mma.cuh 'cp_async_wait<0>' 1
mutant race test_attention attention_backward_mma.cuh 's/^            gpu_fence();//' "sums of the blocks before read without a fence"
mutant asan test_attention attention_mma_tile.cuh 's/ < present ? 16 : 0/ < present ? 16 : 16/' "rows behind the end of a sequence loaded"
mutant asan test_attention attention_mma_tile.cuh 's/ ^ (lane \/ 16 ^ lane % 8) \* 8)/ ^ (lane % 8) * 8)/' "half of a fragment from the wrong chunk"
mutant asan test_attention attention_mma.cuh 's/if (key0 + MMA_KEYS > first + 1)/if (false)/' "causal mask dropped on tensor cores"
mutant asan test_attention attention_mma.cuh 's/if (!__any_sync(ALL_LANES, grew))/if (true)/' "sums of earlier tiles not rescaled"
mutant asan test_attention attention_backward_mma.cuh 's/if (diagonal < BACKWARD_KEYS)/if (false)/' "causal mask dropped in the backward pass on tensor cores"
mutant asan test_attention attention_backward_mma.cuh 's/if (i \/ 2 > own.tile)/if (false)/' "dq of the tiles of keys before forgotten"
mutant asan test_attention attention_backward_mma.cuh 's/own.turn > 0 \&\& which < 2/false/' "dk and dv of the chunk before forgotten"
mutant asan test_attention attention_backward_mma.cuh 's/attention_find(number \/ KV, true/attention_find(number \/ KV, false/' "blocks begin before those that they wait for"
decode() { mutant "$1" test_attention_decode attention_decode_mma.cuh "$2" "$3"; }
barrier test_attention_decode attention_decode_mma.cuh __syncwarp 1
for i in 1 3 4; do barrier test_attention_decode attention_decode_mma.cuh __syncthreads $i; done
decode asan 's/row < present ? 16 : 0/16/' "rows behind the end loaded"
decode asan 's/i % 2 + pair < present ?/i % 2 + pair <= present ?/' "one position too many"
decode asan 's/atomicExch(counter, 0);//' "counters not put back for the next layer"
decode asan 's/(first + parent + level) \* a.record/(first + parent) * a.record/' "one counter for two levels"
decode asan 's/weights = child + a.D + level % 2 \* 2/weights = child + a.D/' "weights of the wrong level"
decode asan 's/before += max(1, /before += max(0, /' "an idle row takes no record"
decode asan 's/r.l\[u\] \* keep + /r.l[u] + /' "sum of weights not rescaled"
decode asan 's/of_next ? next : record, ahead/record, ahead/' "the next item read from this one's pages"
# ---- the kernel for Hopper
precision=BF16 capability=90
hopper() { mutant "$1" test_attention_long attention_hopper.cuh "$2" "$3"; }
hopper race 's/wgmma_wait<1>();//' "scores not awaited"
hopper race 's/wgmma_wait<0>(); \/\/ the sums//' "sums not awaited"
hopper race 's/    proxy_fence();//' "mended values not shown to wgmma"
hopper race 's/    barrier_sync<HOPPER_GROUP>(BARRIER_PRODUCER);//' "values handed on before all have mended"
hopper race 's/HOPPER_CONSUMER_WARPS = 8/HOPPER_CONSUMER_WARPS = 7/' "stage released by 7 of 8 warps"
hopper race 's/HOPPER_CONSUMER_WARPS = 8/HOPPER_CONSUMER_WARPS = 9/' "stage released by a ninth warp"
hopper race 's/parity = (j \/ HOPPER_STAGES + 1) % 2/parity = j \/ HOPPER_STAGES % 2/' "producer waits for the other parity"
hopper race 's/last_parity = (j - 1)/last_parity = (j + 1)/' "values awaited in the other parity"
hopper race 's/if (group == 0 || j + 1 < tiles) { barrier_arrive/{ barrier_arrive/' "a turn too many"
hopper race 's/if (group == 0 \&\& tiles > 1) { barrier_arrive/if (false) { barrier_arrive/' "no first turn"
hopper race 's/mbarrier_init_fence();//' "mbarriers not shown to TMA"
hopper race 's/mbarrier_wait(&state->q_full, 0);//' "queries not awaited"
hopper race 's/mbarrier_wait(&state->v_landed, 0);//' "values mended before they are there"
hopper race 's/if (lane == 0) { mbarrier_arrive(&state->v_empty\[last\]); }//; s/wgmma_wait<1>();/if (lane == 0) { mbarrier_arrive(\&state->v_empty[last]); } wgmma_wait<1>();/' "values released while they are multiplied"
hopper race 's/wgmma_registers(o, p + 4 \* i/wgmma_registers(o, p + 4 * (i ^ 1)/' "weights of other keys"
hopper asan 's/key <= query/key < query/' "diagonal masked"
hopper asan 's/o\[i\] \*= keep\[i \/ 2 % 2\];/o[i] *= keep[i % 2];/' "sums not brought to the new maximum"
hopper asan 's/if (row >= rows || !finite)/if (row >= rows)/' "broken values multiplied by zero"
hopper asan 's/if (row >= rows || !finite)/if (!finite \&\& row < rows)/' "padding multiplied by zero"
hopper asan 's/in_tile + 8 \* r < broken/true/' "a broken token hidden"
hopper asan 's/HOPPER_STAGES \* BYTES, HOPPER_HALF, 1024/HOPPER_STAGES * BYTES, 1024, 1024/' "leading offset of the values"
hopper asan 's/if (row < tile.end) { \*(uint4/if (row < N) { *(uint4/' "rows of the next sequence written"
hopper asan 's/row < N) { \*(uint4/true) { *(uint4/' "padding written behind the end"
hopper asan 's/upper ? x\[i\] : x\[i | step\]/upper ? x[i | step] : x[i]/' "columns of a quad exchanged wrongly"
hopper asan 's/q + group \* 64 \* 128/q/' "both consumers take the same queries"
hopper asan 's/high = middle, longer = count/high = middle/' "rank within its level"
hopper asan 's/(D \/ 8); i += HOPPER_THREADS/(D \/ 8) - 1; i += HOPPER_THREADS/; s/HOPPER_TILE \* D \/ 8; i += HOPPER_THREADS/HOPPER_TILE * D \/ 8 - 9; i += HOPPER_THREADS/' "padding not all zero"
rm -rf $mutants
echo "$noticed noticed, $missed missed"
[ "$missed" -eq 0 ]
