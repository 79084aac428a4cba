# sh faults.sh build/emu: every planted fault must be reported, by the build named, with the words given.
failed=0
expect() { # name, build, words ("" = must pass)
    said=$(EMU_TIMEOUT=${timeout:-2} "$1-$3-BF16/${program:-faults}" "$2" 2>&1)
    code=$?
    if [ -z "$4" ] && [ $code -ne 0 ] || { [ -n "$4" ] && { [ $code -eq 0 ] || ! echo "$said" | grep -q "$4"; }; }; then
        echo "FAIL emulator $2 ($3): exit code $code, expected: ${4:-no report}"
        echo "$said"
        failed=1
    else
        echo "ok   emulator $2 ($3): $(echo "$said" | grep -m1 -o "$4.*" | cut -c1-100)"
        [ -z "$VERBOSE" ] || echo "$said" | grep -v '^    #[3-9]\|^  0x'
    fi
}
for build in asan race; do
    for good in sum_neighbours last_block_sums warp_tree "block_tools<8>" much_shared; do expect "$1" $good $build ""; done
    expect "$1" much_shared_unasked $build "launch of much_shared_unasked"
    expect "$1" barrier_after_exit $build "divergent barrier, no thread can go on"
    expect "$1" barrier_skipped $build "divergent barrier, no thread can go on"
    expect "$1" barriers_differ $build "divergent barrier"
    expect "$1" shuffle_diverges $build "no thread can go on"
    expect "$1" shuffle_from_outside $build "reads lane 16, which is not in mask"
    expect "$1" spins $build "still running"
done
expect "$1" global_past_end asan "heap-buffer-overflow"
expect "$1" global_before_start asan "heap-buffer-overflow"
expect "$1" static_past_end asan "global-buffer-overflow"
expect "$1" dynamic_past_end asan "use-after-poison"
expect "$1" misaligned_vector asan "misaligned address"
expect "$1" uninitialised_nan asan "NaN in the result"
expect "$1" missing_barrier asan "NaN in the result"
expect "$1" copy_not_awaited asan "NaN in the result"
expect "$1" global_past_end race "access outside device memory"
expect "$1" dynamic_past_end race "access outside device memory"
expect "$1" host_follows_pointer race "the host follows a pointer to device memory"
expect "$1" copy_from_host race "not where the direction says"
expect "$1" copy_from_host asan "not where the direction says"
expect "$1" host_pointer race "access outside device memory"
expect "$1" missing_barrier race "uninitialised\|race"
expect "$1" missing_second_barrier race "race: "
expect "$1" missing_syncwarp race "race"
expect "$1" blocks_write_same race "race: two unordered writes"
expect "$1" blocks_add_plainly race "race: read after unordered write"
expect "$1" uninitialised race "read of uninitialised"
expect "$1" copy_not_awaited race "read before cp_async_wait"
# ---- hopper.cuh
program=faults_hopper timeout=60
for build in asan race; do
    for good in none patched; do expect "$1" $good $build ""; done
    expect "$1" missing_arrive $build "no thread can go on"
    expect "$1" too_many_bytes $build "no thread can go on"
    expect "$1" too_few_bytes $build "bytes arrive at an mbarrier that does not expect them"
    expect "$1" accumulator_written $build "use-after-poison\|accumulator registers used before wgmma_wait"
    expect "$1" operand_changed $build "changed the registers of operand a before wgmma_wait"
    expect "$1" no_fence $build "free to change since the last wgmma_fence"
    expect "$1" swizzle_base $build "misaligned swizzle base"
    expect "$1" half_a_warp_syncs $build "divergent\|no thread can go on"
    expect "$1" barrier_counts $build "threads expected here"
    expect "$1" barrier_left $build "the block ends with 128 of 256 threads arrived"
    expect "$1" init_unfenced $build "initialised without mbarrier_init_fence"
    expect "$1" not_initialised $build "no mbarrier was initialised there\|read of uninitialised"
    expect "$1" warps_differ $build "issues another product"
    expect "$1" copy_left $build "the block ends with 1 TMA copies in flight"
    expect "$1" product_left $build "ends with a wgmma in flight"
    expect "$1" phase_missed $build "a second phase ends"
    expect "$1" one_warp_gives $build "all four must give and take together"
    expect "$1" too_many_registers $build "registers of 65536"
done
expect "$1" wrong_parity asan "more arrivals than its phase counts"
expect "$1" wrong_parity race "used before the TMA copy has landed"
expect "$1" wrong_stride asan "wrong result"
expect "$1" wrong_leading asan "wrong result"
expect "$1" wrong_leading race "used before the TMA copy has landed"
expect "$1" no_commit asan "use-after-poison"
expect "$1" no_commit race "accumulator registers used before wgmma_wait"
expect "$1" accumulator_early asan "use-after-poison"
expect "$1" accumulator_early race "accumulator registers used before wgmma_wait"
expect "$1" stage_overwritten race "race: "
expect "$1" one_warp_arrives race "race: write after unordered read"
expect "$1" proxy_unfenced race "without proxy_fence"
expect "$1" init_unseen race "no mbarrier was initialised\|race"
exit $failed
