// Planted faults of hopper.cuh: one kernel, right with fault `none` and wrong in one way with any other; faults.sh checks that the emulator says so.
// A producer thread brings q (64 rows of 64) and tiles of b (128 rows of 64, two stages); a warpgroup sums o += (q b^T) b over the tiles. The last
// tile runs over the end of b. Values are small integers, so every product and sum is exact.
#include <stdio.h>
#include <hopper.cuh>

enum { ROWS = 64,
       KEYS = 128,
       WIDTH = 64,
       B_ROWS = 4 * KEYS + 40, // five tiles in two stages
       TILES = 5,
       Q_BYTES = ROWS * WIDTH * 2,
       B_BYTES = KEYS * WIDTH * 2 };
#define FAULTS(F)                                                                                                                                                                          \
    F(none)                                                                                                                                                                                \
    F(wrong_parity)                                                                                                                                                                        \
    F(missing_arrive)                                                                                                                                                                      \
    F(too_many_bytes)                                                                                                                                                                      \
    F(too_few_bytes) F(accumulator_early) F(accumulator_written) F(operand_changed) F(no_fence) F(no_commit) F(stage_overwritten) F(one_warp_arrives) F(swizzle_base) F(half_a_warp_syncs) \
        F(barrier_counts) F(barrier_left) F(proxy_unfenced) F(init_unfenced) F(not_initialised) F(init_unseen) F(wrong_leading) F(wrong_stride) F(warps_differ) F(copy_left) F(product_left) F(phase_missed) F(one_warp_gives) F(too_many_registers) F(patched)
enum Fault {
#define NAME(f) f,
    FAULTS(NAME)
#undef NAME
};
struct State {
    uint64_t q_full, full[2], empty[2], extra;
};

template <Fault fault>
__device__ static void produce(State *state, unsigned char *q, unsigned char *b, const TensorMap *q_map, const TensorMap *b_map) {
    int expected = B_BYTES + (fault == too_many_bytes) * 128 - (fault == too_few_bytes) * 128;
    mbarrier_arrive_expect(&state->q_full, Q_BYTES);
    tma_load(q, q_map, 0, 0, &state->q_full);
    if (fault == phase_missed) { // while the consumers wait for the first
        mbarrier_wait(&state->q_full, 0);
        mbarrier_arrive(&state->extra);
        mbarrier_arrive(&state->extra);
    }
    for (int j = 0; j < TILES; j++) {
        mbarrier_wait(&state->empty[j % 2], (j / 2 + 1) % 2);
        mbarrier_arrive_expect(&state->full[j % 2], expected);
        tma_load(b + j % 2 * B_BYTES, b_map, j * KEYS, 0, &state->full[j % 2]);
    }
    if (fault == copy_left) {
        mbarrier_wait(&state->empty[1], 1); // the second use of stage 1
        mbarrier_arrive_expect(&state->full[1], B_BYTES);
        tma_load(b + B_BYTES, b_map, 0, 0, &state->full[1]);
    }
}
template <Fault fault>
__device__ static void consume(State *state, unsigned char *q, unsigned char *b, float *out) {
    int thread = threadIdx.x - 128, warp = thread / 32, lane = thread % 32;
    float s[64], o[32];
    uint32_t p[32];
    for (int i = 0; i < 32; i++) { o[i] = 0; }
    if (fault == phase_missed) { mbarrier_wait(&state->extra, 0); }
    mbarrier_wait(&state->q_full, 0);
    if (fault == proxy_unfenced || fault == patched) {
        volatile uint16_t *element = (uint16_t *)(void *)(q + thread * 64);
        *element = *element; // the same value, but by this thread
        if (fault == patched) { proxy_fence(); }
        barrier_sync<128>(2);
    }
    uint64_t q_at = wgmma_descriptor(q, 0, fault == wrong_stride ? 2048 : 1024);
    for (int j = 0; j < TILES; j++) {
        unsigned char *tile = b + j % 2 * B_BYTES + (fault == swizzle_base) * 128;
        uint64_t k_at = wgmma_descriptor(tile, 0, 1024), v_at = wgmma_descriptor(tile, 0, fault == wrong_leading ? 2048 : 1024);
        mbarrier_wait(&state->full[j % 2], (j / 2 + (fault == wrong_parity)) % 2);
        if (fault != no_fence) { wgmma_fence(); }
        for (int i = 0; i < WIDTH / 16; i++) { wgmma_m64n128(s, q_at + i * 2, k_at + (fault == warps_differ && warp == 2 ? 0 : i * 2), i > 0); }
        if (fault != no_commit) { wgmma_commit(); }
        if (fault == accumulator_early) { out[0] = s[0]; }
        if (fault == accumulator_written) { s[5] = 1; }
        wgmma_wait<0>();
        for (int i = 0; i < 32; i++) { p[i] = pack_bf16(s[2 * i], s[2 * i + 1]); }
        if (fault == stage_overwritten && lane == 0) { mbarrier_arrive(&state->empty[j % 2]); }
        wgmma_fence();
        for (int i = 0; i < KEYS / 16; i++) { wgmma_registers(o, p + 4 * i, v_at + i * 128, 1); }
        wgmma_commit();
        if (fault == operand_changed) { p[3] ^= 1; }
        if (fault == product_left && j == TILES - 1) { return; }
        wgmma_wait<0>();
        if (fault == one_warp_arrives) {
            if (thread == 0) { mbarrier_arrive(&state->empty[j % 2]); }
        } else if (fault != stage_overwritten && lane == 0 && !(fault == missing_arrive && warp == 3)) {
            mbarrier_arrive(&state->empty[j % 2]);
        }
    }
    for (int i = 0; i < 32; i++) { out[(warp * 16 + lane / 4 + i / 2 % 2 * 8) * WIDTH + i / 4 * 8 + lane % 4 * 2 + i % 2] = o[i]; }
}
template <Fault fault>
__global__ void pipeline(float *out, const __grid_constant__ TensorMap q_map, const __grid_constant__ TensorMap b_map) {
    unsigned char *q = dynamic_shared, *b = q + Q_BYTES;
    State *state = (State *)(void *)(b + 2 * B_BYTES + 1024);
    if (threadIdx.x == 0) {
        if (fault != not_initialised) { mbarrier_init(&state->q_full, 1); }
        mbarrier_init(&state->extra, 1);
        for (int i = 0; i < 2; i++) { mbarrier_init(&state->full[i], 1), mbarrier_init(&state->empty[i], fault == one_warp_arrives ? 1 : 4); }
        if (fault != init_unfenced) { mbarrier_init_fence(); }
    }
    if (fault != init_unseen) { __syncthreads(); }
    if (fault == half_a_warp_syncs && threadIdx.x % 32 < 16) { barrier_sync<256>(1); }
    if (fault == barrier_counts) {
        if (threadIdx.x < 128) {
            barrier_arrive<256>(1);
        } else {
            barrier_sync<160>(1);
        }
    }
    if (fault == barrier_left && threadIdx.x < 128) { barrier_arrive<256>(1); }
    if (threadIdx.x < 128) {
        if (fault != one_warp_gives || threadIdx.x < 32) { registers_give<24>(); }
        if (threadIdx.x == 0) { produce<fault>(state, q, b, &q_map, &b_map); }
    } else {
        if (fault == too_many_registers) { registers_take<256>(); }
        if (threadIdx.x < 256) { consume<fault>(state, q, b, out + blockIdx.x * ROWS * WIDTH); }
    }
}
static int value(int seed, int i, int j) { return (i * 7 + j * 5 + seed + i * j % 11) % 3 - 1; }
static uint16_t bits(int v) { return v == 0 ? 0 : v > 0 ? 0x3F80
                                                        : 0xBF80; }
template <Fault fault>
static int run(void) {
    static uint16_t q[ROWS * WIDTH], b[B_ROWS * WIDTH];
    static float got[2 * ROWS * WIDTH];
    for (int i = 0; i < ROWS * WIDTH; i++) { q[i] = bits(value(1, i / WIDTH, i % WIDTH)); }
    for (int i = 0; i < B_ROWS * WIDTH; i++) { b[i] = bits(value(2, i / WIDTH, i % WIDTH)); }
    uint16_t *q_device, *b_device;
    float *out;
    TensorMap q_map, b_map;
    cudaMalloc(&q_device, sizeof(q));
    cudaMalloc(&b_device, sizeof(b));
    cudaMalloc(&out, sizeof(got));
    cudaMemcpyAsync(q_device, q, sizeof(q), cudaMemcpyHostToDevice);
    cudaMemcpyAsync(b_device, b, sizeof(b), cudaMemcpyHostToDevice);
    if (!tensor_map_make(&q_map, q_device, ROWS, WIDTH, ROWS, 64) || !tensor_map_make(&b_map, b_device, B_ROWS, WIDTH, KEYS, 64)) { return 3; }
    if (tensor_map_make(&q_map, (char *)q_device + 2, ROWS, WIDTH, ROWS, 64) || tensor_map_make(&q_map, q_device, ROWS, WIDTH, ROWS, 128)) { return 3; }
    tensor_map_make(&q_map, q_device, ROWS, WIDTH, ROWS, 64);
    cudaFuncSetAttribute(pipeline<fault>, cudaFuncAttributeMaxDynamicSharedMemorySize, 100 * 1024);
    LAUNCH(pipeline<fault>, 2 - (fault != none), fault == too_many_registers ? 384 : 256, Q_BYTES + 2 * B_BYTES + 1024 + sizeof(State), 0, out, q_map, b_map);
    cudaMemcpyAsync(got, out, sizeof(got), cudaMemcpyDeviceToHost);
    cudaStreamSynchronize(0);
    cudaDeviceReset();
    for (int i = 0; i < (fault == none ? 2 : 1) * ROWS; i++) {
        int want[WIDTH] = {0};
        for (int j = 0; j < B_ROWS; j++) {
            int score = 0;
            for (int d = 0; d < WIDTH; d++) { score += value(1, i % ROWS, d) * value(2, j, d); }
            for (int d = 0; d < WIDTH; d++) { want[d] += score * value(2, j, d); }
        }
        for (int d = 0; d < WIDTH; d++) {
            if (!(got[i * WIDTH + d] == (float)want[d])) { return printf("wrong result: row %d, column %d is %g, not %d\n", i, d, (double)got[i * WIDTH + d], want[d]), 2; }
        }
    }
    return 0;
}
int main(int argc, char **argv) {
#define RUN(f) \
    if (argc == 2 && !strcmp(argv[1], #f)) { return run<f>(); }
    FAULTS(RUN)
    return 1;
}
