# sh scripts/ptxas.sh nvcc FLAGS..: what every kernel takes of a multiprocessor, for sm_80 and sm_90a: registers, shared memory, stack.
# Fails on a register spill or an array in local memory, unless the kernel stands below with its reason.
allowed() { # kernel name without arguments
    case $1 in
    *) return 1 ;;
    esac
}
found=0
echo '| arch | registers | shared | stack | spilled | kernel |'
echo '|---|---|---|---|---|---|'
for unit in sm_80:cuda sm_90a:cuda sm_90a:hopper; do
    arch=${unit%:*}
    said=$("$@" -gencode "arch=compute_${arch#sm_},code=$arch" -Xptxas -v -c "llmc/backend_${unit#*:}.cu" -o /dev/null 2>&1) || { printf '%s\n' "$said"; exit 1; }
    printf '%s\n' "$said" | grep 'Performance Loss' && found=1 # ptxas made the products of a warpgroup wait for each other
    printf '%s\n' "$said" | c++filt | awk -v arch=$arch '
        /Compiling entry function/ { name = $0; sub(/^[^\047]*\047(void )?/, "", name); sub(/\(.*/, "", name); sub(/\047.*/, "", name) }
        /bytes stack frame/ { stack = $1; spilled = $5 + $9 }
        /Used [0-9]+ registers/ {
            registers = $0; sub(/.*Used /, "", registers); sub(/ registers.*/, "", registers)
            shared = 0; if (match($0, /[0-9]+ bytes smem/)) { shared = substr($0, RSTART, RLENGTH - 11) }
            print "| " arch " | " registers " | " shared " | " stack " | " spilled " | " name " |"
        }' >/tmp/ptxas.$$
    cat /tmp/ptxas.$$
    while IFS='|' read -r _ _ _ _ stack spilled name _; do
        name=$(echo $name)
        if [ "$stack" -ne 0 ] || [ "$spilled" -ne 0 ]; then
            allowed "${name%%<*}" || { found=1; echo "ptxas: $name ($arch) has $(echo $stack) bytes of stack and spills $(echo $spilled): keep it in registers, or name it with its reason in scripts/ptxas.sh"; }
        fi
    done </tmp/ptxas.$$
    rm -f /tmp/ptxas.$$
done
exit $found
