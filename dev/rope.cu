// rope ladder: the rotation of queries and keys, and their way into the cache. Nothing is used twice, so the limit is the copy bandwidth.
#include "dev/ladder.cuh"
#include "llmc/cuda/attention_decode.cuh" // the last rung: rope_cache_forward
namespace cpu {
#include "llmc/cpu/rope.h" // the reference
}

static const int PLACES = 64; // positions in the table
static int N, H, KV, D;
static LadderArray<int> positions, slots;
static LadderArray<float> table;
static LadderArray<floatX> qkv, cache;
static const int shapes[][4] = {{7, 3, 1, 40}, {33, 12, 2, 128}, {5, 2, 2, 12}, {16384, 12, 2, 128}}; // N, H, KV, D; the last is timed

static double angle(int position, int d) { return position * pow(10000.0, -2.0 * d / D); }
static void make(int shape) {
    N = shapes[shape][0], H = shapes[shape][1], KV = shapes[shape][2], D = shapes[shape][3];
    positions = ladder_array<int>(N, [](size_t n) { return n * 37 % PLACES; });
    slots = ladder_array<int>(N, [](size_t n) { return n; });
    table = ladder_array<float>((size_t)PLACES * D, [](size_t i) {
        double a = angle((int)i / D, (int)i % D / 2);
        return i % 2 ? sin(a) : cos(a);
    });
    cache.device = (floatX *)device_alloc("cache", CEIL_DIV(N, (int)KV_PAGE) * kv_page_bytes(KV, D));
    qkv = ladder_output<floatX>("qkv", (size_t)N * (H + 2 * KV) * D, sizeof(floatX) == 2 ? 3e-3 : 1e-5); // bf16: one rounding, 2^-9; fp32: sinf and cosf of up to 64
}
static void reference(void) { cpu::rope_forward(qkv.host, table.host, positions.host, N, H, KV, D); }
static double work(void) { return (2.0 * H + 5.0 * KV) * D * N * sizeof(floatX); } // q and k read and written, v read, k and v written to the cache

// Rungs 1 to 3 rotate, and a kernel of its own copies keys and values to the cache.
__global__ void copy_to_cache(floatX *to, const floatX *from, const int *places, int rows, int heads, int kv_heads, int channels) {
    int i = blockIdx.x * blockDim.x + threadIdx.x, d = i % channels, kv = i / channels % kv_heads, value = i / channels / kv_heads % 2, n = i / channels / kv_heads / 2;
    if (n >= rows) { return; }
    size_t page = (((size_t)(places[n] / KV_PAGE) * kv_heads + kv) * 2 + value) * KV_PAGE * channels;
    to[page + (size_t)(places[n] % KV_PAGE) * channels + d] = from[((size_t)n * (heads + 2 * kv_heads) + heads + value * kv_heads + kv) * channels + d];
}
static void write_cache(void) { RUN(copy_to_cache, CEIL_DIV(N * 2 * KV * D, 256), 256, 0, cache.device, qkv.device, slots.device, N, H, KV, D); }

// Rung 1, start: one thread for each pair, and the angle computed where it is used: a power, a sine and a cosine for 4 values moved. In Nsight: the
// FP32 and special-function pipes are the limit, not memory.
// Rung 2, a table: all heads of a token turn by the same angles, and all layers do; they are computed once. In Nsight: issue slots fall, and the
// kernel waits for memory; 2 bytes to a load.
template <bool computed>
__global__ void thread_per_pair(floatX *x, const float *angles, const int *place, int rows, int heads, int kv_heads, int channels) {
    int half = channels / 2, i = blockIdx.x * blockDim.x + threadIdx.x, d = i % half, h = i / half % (heads + kv_heads), n = i / half / (heads + kv_heads);
    if (n >= rows) { return; }
    floatX *at = x + ((size_t)n * (heads + 2 * kv_heads) + h) * channels + d;
    float cosine, sine, a = to_float(at[0]), b = to_float(at[half]);
    if (computed) {
        float theta = place[n] * powf(10000.0f, -2.0f * d / channels);
        cosine = cosf(theta), sine = sinf(theta);
    } else {
        cosine = angles[((size_t)place[n] * half + d) * 2], sine = angles[((size_t)place[n] * half + d) * 2 + 1];
    }
    at[0] = to_floatX(a * cosine - b * sine);
    at[half] = to_floatX(b * cosine + a * sine);
}
static void rung1(void) {
    RUN(thread_per_pair<true>, CEIL_DIV(N * (H + KV) * D / 2, 256), 256, 0, qkv.device, table.device, positions.device, N, H, KV, D);
    write_cache();
}
static void rung2(void) {
    RUN(thread_per_pair<false>, CEIL_DIV(N * (H + KV) * D / 2, 256), 256, 0, qkv.device, table.device, positions.device, N, H, KV, D);
    write_cache();
}

// Rung 3, 16 bytes: a thread turns 8 neighbouring pairs. In Nsight: an eighth of the load instructions, DRAM throughput near that of a copy; what
// is left is that keys are written and then read again by the second kernel.
static void rung3(void) {
    rope_forward(qkv.device, table.device, positions.device, N, H, KV, D);
    write_cache();
}
// Rung 4, shipped: one pass. Who has turned a key still holds it, and stores it twice. In Nsight: one kernel, and fewer bytes read.
static void shipped(void) { rope_cache_forward(qkv.device, cache.device, table.device, positions.device, slots.device, N, H, KV, D); }

static const Rung rungs[] = {
    {"one thread per pair, angles computed in place, then a copy to the cache", rung1},
    {"angles from a table", rung2},
    {"16 bytes to a load and store", rung3},
    {"shipped: rotation and cache write in one pass", shipped},
};
int main(int argc, char **argv) {
    const Ladder ladder = {"rope", "16384 rows, 12/2 heads of 128", rungs, sizeof(rungs) / sizeof(rungs[0]), sizeof(shapes) / sizeof(shapes[0]) - 1, make, reference, work, LADDER_BANDWIDTH};
    return ladder_main(&ladder, argc, argv);
}
