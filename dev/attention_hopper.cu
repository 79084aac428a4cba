// attention_hopper ladder: causal attention forward on Hopper's tensor cores, bf16. What there is to win is overlap: products, softmax and loads
// use different units of a multiprocessor, and a rung that lets one wait for the other loses the time of both. Operations: 4 T^2/2 D per head.
#include "dev/ladder.cuh"
#include "llmc/cuda/attention_hopper.cuh" // the last rung
namespace cpu {
#include "llmc/cpu/attention.h" // the reference
}

static int N, S, H, KV, D;
static const float scale = 0.088f;
static LadderArray<floatX> qkv, out;
static LadderArray<float> lse;
static LadderArray<int> starts;
static const int shapes[][5] = {{300, 2, 2, 1, 128}, {270, 1, 2, 2, 64}, {131, 3, 1, 1, 128}, {16384, 1, 12, 2, 128}}; // rows, sequences, H, KV, D; the last is timed
static double start_of(size_t s) { return (double)((size_t)N * s * s / ((size_t)S * S)); }                             // ragged: the later the longer

static void make(int shape) {
    N = shapes[shape][0], S = shapes[shape][1], H = shapes[shape][2], KV = shapes[shape][3], D = shapes[shape][4];
    starts = ladder_array<int>((size_t)S + 1, start_of);
    qkv = ladder_input<floatX>((size_t)N * (H + 2 * KV) * D, 0, 1);
    out = ladder_output<floatX>("out", (size_t)N * H * D, 4e-3); // two roundings to bf16, of a weight and of out; the reference rounds out
    lse = ladder_output<float>("lse", (size_t)H * N, 1e-6);
}
static void reference(void) { cpu::attention_forward(out.host, lse.host, qkv.host, starts.host, S, scale, N, H, KV, D); }
static double work(void) { return 2.0 * N * N * D * H; } // of the timed shape: one sequence

// Rung 1, one thing after another: TMA brings a tile of keys and values, two warpgroups of 64 queries multiply, take the softmax, multiply. The
// tensor cores stand still during loads and softmax. In Nsight: tensor pipe far below half, stalls on barriers and on wgmma.
// Rung 2, the next tile loads meanwhile: two stages, so loads vanish behind the products. In Nsight: long-scoreboard stalls gone; what is left
// is the softmax, which nothing runs under.
template <int channels, int stages>
__global__ void __launch_bounds__(256) one_after_another(unsigned char *to, float *to_lse, const __grid_constant__ TensorMap map, const int *begins, int sequences, float factor, int rows, int heads, int key_heads) {
    enum { BYTES = HOPPER_TILE * channels * 2 };
    unsigned char *q = dynamic_shared, *k = q + BYTES, *v = k + stages * BYTES;
    uint64_t *full = (uint64_t *)(void *)(v + stages * BYTES);
    HopperTile *shared_tile = (HopperTile *)(void *)(full + stages);
    int h = blockIdx.x % heads, group = threadIdx.x / 128, lane = threadIdx.x % 32, in_tile = 64 * group + threadIdx.x / 32 % 4 * 16 + lane / 4;
    if (threadIdx.x < 32) {
        HopperTile found = hopper_tile(blockIdx.x / heads, begins, sequences, rows);
        if (lane == 0) {
            *shared_tile = found;
            for (int i = 0; i < stages; i++) { mbarrier_init(&full[i], 1); }
            mbarrier_init_fence();
        }
    }
    __syncthreads();
    HopperTile tile = *shared_tile;
    if (tile.outside || tile.begin == tile.end) { return; } // the ladder's packs have no padding
    int tiles = (tile.first - tile.begin) / HOPPER_TILE + 1, key = (heads + h / (heads / key_heads)) * channels;
    uint64_t q_at = wgmma_descriptor(q + group * 64 * 128, 0, 1024), k_at = wgmma_descriptor(k, 0, 1024), v_at = wgmma_descriptor(v, HOPPER_HALF, 1024);
    float s[64], o[channels / 2], best[2] = {-INFINITY, -INFINITY}, total[2] = {0, 0}, keep[2];
    uint32_t p[32];
#pragma unroll
    for (int i = 0; i < channels / 2; i++) { o[i] = 0; }
    int loaded = 0; // tiles asked for
#pragma unroll 1
    for (int j = 0; j < tiles; j++) {
        int stage = j % stages;
        for (; threadIdx.x == 0 && loaded < tiles && loaded < j + stages; loaded++) {
            uint64_t *barrier = &full[loaded % stages];
            int row = tile.first - loaded * HOPPER_TILE;
            mbarrier_arrive_expect(barrier, (loaded == 0) * BYTES + 2 * BYTES);
            if (loaded == 0) { hopper_load<channels>(q, &map, row, h * channels, barrier); }
            hopper_load<channels>(k + loaded % stages * BYTES, &map, row, key, barrier);
            hopper_load<channels>(v + loaded % stages * BYTES, &map, row, key + key_heads * channels, barrier);
        }
        __syncwarp();
        mbarrier_wait(&full[stage], j / stages % 2);
        hopper_scores<channels>(s, q_at, k_at + stage * (BYTES / 16));
        wgmma_wait<0>();
#pragma unroll
        for (int i = 0; i < 64; i++) {
            int at = i / 4 * 8 + lane % 4 * 2 + i % 2, query = in_tile + i / 2 % 2 * 8;
            s[i] = j > 0 || at <= query ? s[i] : -INFINITY;
        }
        hopper_softmax(s, best, total, keep, factor * 1.4426950408889634f);
        hopper_pack(p, s);
#pragma unroll
        for (int i = 0; i < channels / 2; i++) { o[i] *= keep[i / 2 % 2]; }
        hopper_values(o, p, v_at + stage * (BYTES / 16));
        wgmma_wait<0>();
        __syncthreads(); // both warpgroups are done with the stage
    }
    hopper_store<channels>(to, to_lse, o, total, best, factor, tile, in_tile, INT_MAX, h, rows, heads);
}
template <int channels, int stages>
static void run(void) {
    TensorMap map;
    size_t bytes = (1 + 2 * stages) * HOPPER_TILE * channels * 2 + stages * sizeof(uint64_t) + sizeof(HopperTile);
    if (!tensor_map_make(&map, qkv.device, (size_t)N, (size_t)(H + 2 * KV) * D, HOPPER_TILE, 64)) { device_refuse("attention_hopper: no tensor map"); }
    cudaCheck(cudaFuncSetAttribute((one_after_another<channels, stages>), cudaFuncAttributeMaxDynamicSharedMemorySize, (int)bytes));
    RUN((one_after_another<channels, stages>), (CEIL_DIV(N, HOPPER_TILE) + S + 1) * H, 256, bytes, (unsigned char *)out.device, lse.device, map, starts.device, S, scale, N, H, KV);
}
template <int stages>
static void rung(void) {
    if (D == 64) {
        run<64, stages>();
    } else {
        run<128, stages>();
    }
}

// Rung 3, shipped: loads by a warpgroup of their own, the next scores multiplied under this tile's values, and two warpgroups taking turns, so that
// one's softmax runs under the other's products. In Nsight: tensor pipe near its ceiling.
static void shipped(void) { attention_forward_hopper(main_stream, out.device, lse.device, qkv.device, starts.device, S, scale, N, H, KV, D); }

static const Rung rungs[] = {
    {"load, multiply, softmax, multiply, one after another", rung<1>},
    {"the next tile loads meanwhile", rung<2>},
    {"shipped: producer warpgroup, consumers in turns, next scores under this tile's values", shipped},
};
int main(int argc, char **argv) {
    const Ladder ladder = {"attention_hopper", "16384 causal, 12/2 heads of 128", rungs, sizeof(rungs) / sizeof(rungs[0]), sizeof(shapes) / sizeof(shapes[0]) - 1, make, reference, work, LADDER_PRODUCT};
    setenv("EMU_CAPABILITY", "90", 0); // the emulator is to be a Hopper
    if (sizeof(floatX) != 2 || device_properties()->major != 9) { return puts("attention_hopper: 0 passed, 0 failed: only in bf16 and on compute capability 9.0"), EXIT_SUCCESS; }
    return ladder_main(&ladder, argc, argv);
}
