# sh test/emulator/mutants.sh: breaks the shipped kernels, one barrier, bound, mask or order at a time; the op's test on the emulator must notice.
mutants=build/mutant noticed=0 missed=0
rm -rf $mutants && mkdir -p $mutants && cp -r Makefile llmc test $mutants
sed -i "s/ -Werror//" $mutants/test/emulator/rules.mk # a parameter may become unused
mutant() { # build (asan or race), test, file, sed expression, what it is, precision (FP32)
    file=$mutants/llmc/cuda/$3
    cp "llmc/cuda/$3" "$file"
    sed -i "$4" "$file"
    if cmp -s "llmc/cuda/$3" "$file"; then
        said="MISSED: the expression changes nothing"
    elif ! make -s -C $mutants BACKEND=emu EMU="$1" PRECISION="${6:-FP32}" VARIANT="emu-$1${6:-}" "build/emu-$1${6:-}/test/$2" >$mutants/log 2>&1; then
        said="MISSED: it does not compile: $(grep -m1 error $mutants/log)"
    else
        said=
        for order in 0 1; do
            [ -n "$said" ] || said=$(EMU_ORDER=$order EMU_TIMEOUT=30 "$mutants/build/emu-$1${6:-}/test/$2" 2>&1 | grep -m1 -oE '^FAIL.*|ERROR: Add.*|emulator: [^k].*|runtime error.*' | cut -c1-100)
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
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do barrier test_sample sample.cuh __syncthreads $i; done
barrier test_sample logprob.cuh __syncthreads 1
mutant asan test_rmsnorm rmsnorm.cuh 's/if (n >= N) { return; }//' "row not guarded"
mutant asan test_linear vector.cuh 's/ n += COLUMN_WARPS/ n += COLUMN_WARPS + 1/' "rows skipped in column sums"
mutant asan test_rmsnorm vector.cuh 's/i < shares \&\& c < C; i += COLUMN_WARPS/i + 1 < shares \&\& c < C; i += COLUMN_WARPS/' "the last share forgotten"
mutant asan test_rmsnorm rmsnorm.cuh 's/value = store<width>(sum + c, value)/store<width>(sum + c, value)/' "norm of the sum before its rounding" BF16
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
mutant asan test_sample sample.cuh 's/rank < kept.ties/rank <= kept.ties/' "one tie too many"
mutant asan test_sample sample.cuh 's/running + scan > range.mark/running + scan >= range.mark * 1.01/' "draw off its mark"
mutant asan test_sample sample.cuh 's/if (listed > SAMPLE_LISTED)/if (false)/' "more at the border than the list holds"
mutant asan test_sample sample.cuh 's/key\[j\] > border->key\[i\]/key[j] >= border->key[i]/' "equals counted twice at the border"
mutant asan test_sample sample.cuh 's/ >= border->amount) {/ > border->amount) {/' "bisection one too far"
mutant asan test_sample sample.cuh 's/if (b != last \&\& pending > 0)/if (false)/' "weights in the wrong bucket"
mutant asan test_logprob logprob.cuh 's/z.v\[k\] = v + k < end ? z.v\[k\] : -INFINITY/z.v[k] = z.v[k]/' "ids behind the vocabulary counted"
mutant asan test_logprob logprob.cuh 's/a->moment + difference \* a->sum/a->moment/' "moment not shifted"
mutant asan test_adamw adamw.cuh 's/ : 0, rest = count - whole/ : 0, rest = 0/' "tail forgotten"
rm -rf $mutants
echo "$noticed noticed, $missed missed"
[ "$missed" -eq 0 ]
