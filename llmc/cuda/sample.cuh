// CUDA body of ../sample.h: one block per row. Without top-k and top-p the row is read once: the sums that logprob_row leaves for every warp's
// segment say into which segment the draw falls; the warps share that segment, and so on, until one of them walks 128 ids. Top-k and top-p read the row
// three times more. Nothing is sorted: what is kept is a threshold and how many of the ids equal to it, see sample_border.
#pragma once
#include "llmc/random.h"
#include "llmc/sample.h"
#include "llmc/cuda/logprob.cuh"

struct SampleRow {
    const float *logits;
    float scale, largest;
    int V;
};
struct SampleKept { // ids whose key is above the threshold, and the first `ties` of those at it
    unsigned threshold;
    int ties;
};
__device__ static inline unsigned sample_key(float logit) { // rises as the logit does; both zeros are one
    unsigned bits = __float_as_uint(logit + 0.0f);
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}
__device__ static inline float sample_logit(unsigned key) { return __uint_as_float(key >> 31 ? key & 0x7FFFFFFFu : ~key); }
__device__ static inline float sample_weight(SampleRow row, float logit) {
    float below;
    return logprob_weight(&below, logprob_z(logit, row.scale), row.largest);
}
// visit(v, logit) for the ids begin .. end-1 in rising order, shared among `threads`: 4 neighbours at a time. begin is a multiple of 4.
template <bool quads, typename Visit>
__device__ inline void sample_each(SampleRow row, int begin, int end, int thread, int threads, Visit visit) {
    for (int v = begin + thread * 4; v < end; v += threads * 8) { // two loads under way
        Floats<4> z[2] = {logprob_load<quads>(row.logits, v, end), logprob_load<quads>(row.logits, v + threads * 4, end)};
#pragma unroll
        for (int i = 0; i < 2; i++) {
            for (int k = 0; k < 4; k++) {
                int id = v + i * threads * 4 + k;
                if (id < end) { visit(id, z[i].v[k]); }
            }
        }
    }
}

template <bool quads>
__device__ static inline int sample_greedy(SampleRow row) { // the largest logit, the lowest id among equals
    __shared__ float best_logit[32];
    __shared__ int best_id[32];
    float best = -INFINITY;
    int id = 0x7FFFFFFF;
    sample_each<quads>(row, 0, row.V, threadIdx.x, blockDim.x, [&](int v, float logit) {
        if (logit > best || id == 0x7FFFFFFF) { best = logit, id = v; }
    });
    for (int lane = 16; lane > 0; lane /= 2) {
        float other = __shfl_xor_sync(ALL_LANES, best, lane);
        int other_id = __shfl_xor_sync(ALL_LANES, id, lane);
        if (other > best || (other == best && other_id < id)) { best = other, id = other_id; }
    }
    if (threadIdx.x % 32 == 0) { best_logit[threadIdx.x / 32] = best, best_id[threadIdx.x / 32] = id; }
    __syncthreads();
    for (int w = 0; w < (int)blockDim.x / 32; w++) {
        if (best_logit[w] > best || (best_logit[w] == best && best_id[w] < id)) { best = best_logit[w], id = best_id[w]; }
    }
    return id < row.V ? id : 0;
}

// ---- the border of top-k and top-p. An id measures 1, or its weight in units of 2^-40: sums of integers have the same bits in any order, so
// that atomics may add them, and a set measures the same whichever way it is found.
typedef unsigned long long SampleMass;
enum { SAMPLE_BUCKETS = 2048,
       SAMPLE_LISTED = 1024 };
struct SampleBorder {
    SampleMass bucket[SAMPLE_BUCKETS], mass[SAMPLE_LISTED], of_warp[32], above, amount; // above: what the buckets before the border's measure
    unsigned key[SAMPLE_LISTED], lowest, highest;
    int listed, at; // at: the bucket of the border
    SampleKept kept;
};
template <bool by_count>
__device__ inline SampleMass sample_measure(SampleRow row, float logit) {
    if constexpr (by_count) {
        return 1;
    } else {
        float weight = sample_weight(row, logit);
        return weight > 0 ? (SampleMass)(weight * 0x1p40f) : 0;
    }
}
__device__ static inline int sample_bucket(SampleRow row, float logit, float per_unit) { // rises as the logit falls; a NaN goes to the last
    float at = (row.largest - logprob_z(logit, row.scale)) * per_unit;
    return at < (float)(SAMPLE_BUCKETS - 1) ? (int)at : SAMPLE_BUCKETS - 1;
}
// visit(logit, how many) for the ids kept so far; those at the threshold come together, to thread 0.
template <bool quads, typename Visit>
__device__ inline void sample_each_kept(SampleRow row, SampleKept kept, Visit visit) {
    sample_each<quads>(row, 0, row.V, threadIdx.x, blockDim.x, [&](int, float logit) {
        if (sample_key(logit) > kept.threshold) { visit(logit, 1); }
    });
    if (threadIdx.x == 0 && kept.ties > 0) { visit(sample_logit(kept.threshold), kept.ties); }
}
// First pass: how much is in every bucket of z; then in which bucket the border lies. Returns what all of them measure.
template <bool quads, bool by_count>
__device__ inline SampleMass sample_border_bucket(SampleBorder *border, SampleRow row, SampleKept kept, float per_unit, double share, int count) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, each = CEIL_DIV((int)SAMPLE_BUCKETS, (int)blockDim.x);
    for (int b = threadIdx.x; b < SAMPLE_BUCKETS; b += blockDim.x) { border->bucket[b] = 0; }
    __syncthreads();
    SampleMass rest = 0, pending = 0; // of the last bucket, into which most ids fall; and of the bucket seen last, for equal logits share one
    int last = 0;
    sample_each_kept<quads>(row, kept, [&](float logit, int many) {
        int b = sample_bucket(row, logit, per_unit);
        SampleMass mass = sample_measure<by_count>(row, logit) * many;
        if (b == SAMPLE_BUCKETS - 1) {
            rest += mass;
            return;
        }
        if (b != last && pending > 0) { atomicAdd(&border->bucket[last], pending), pending = 0; }
        last = b, pending += mass;
    });
    if (pending > 0) { atomicAdd(&border->bucket[last], pending); }
    rest = warp_sum(rest);
    if (lane == 0 && rest > 0) { atomicAdd(&border->bucket[SAMPLE_BUCKETS - 1], rest); }
    __syncthreads();
    SampleMass mine = 0, total = 0; // every thread adds up `each` neighbouring buckets, and finds what lies before them
    for (int i = 0; i < each && threadIdx.x * each + i < SAMPLE_BUCKETS; i++) { mine += border->bucket[threadIdx.x * each + i]; }
    SampleMass before = warp_scan(mine);
    if (lane == 31) { border->of_warp[warp] = before; }
    before -= mine;
    __syncthreads();
    for (int w = 0; w < (int)blockDim.x / 32; w++) {
        if (w < warp) { before += border->of_warp[w]; }
        total += border->of_warp[w];
    }
    SampleMass amount = by_count ? (SampleMass)count : (SampleMass)ceil(share * (double)total);
    amount = max((SampleMass)1, min(amount, total));                               // at least one is kept
    for (int i = 0; i < each && before < amount && amount <= before + mine; i++) { // one thread
        SampleMass here = border->bucket[threadIdx.x * each + i];
        if (amount <= before + here) {
            border->at = threadIdx.x * each + i, border->above = before, border->amount = amount;
            border->listed = 0, border->lowest = 0xFFFFFFFFu, border->highest = 0;
            break;
        }
        before += here, mine -= here;
    }
    __syncthreads();
    return total;
}
// When too many ids share the border's bucket: bisection between its smallest and its largest key, a pass for every bit.
template <bool quads, bool by_count>
__device__ inline SampleKept sample_border_bisect(SampleBorder *border, SampleRow row, SampleKept kept) {
    auto mass_from = [&](unsigned key) {
        SampleMass mass = 0;
        sample_each_kept<quads>(row, kept, [&](float logit, int many) { mass += sample_key(logit) >= key ? sample_measure<by_count>(row, logit) * many : 0; });
        return block_sum(mass);
    };
    unsigned low = border->lowest, high = border->highest; // from `low` on there is enough
    while (low < high) {
        unsigned middle = high - (high - low) / 2;
        if (mass_from(middle) >= border->amount) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    SampleMass above = low == 0xFFFFFFFFu ? 0 : mass_from(low + 1), one = sample_measure<by_count>(row, sample_logit(low));
    return {low, (int)((border->amount - above + one - 1) / one)};
}
// Keeps, of what is kept, the smallest set of largest logits that measures `count`, or `share` of all of it. Pass 1 puts the ids into buckets by
// how far z is below the largest, `reach` wide together and the last without an end; pass 2 lists those in the border's bucket; the border is
// then found among them, each compared with all.
template <bool quads, bool by_count>
__device__ inline SampleKept sample_border(SampleBorder *border, SampleRow row, SampleKept kept, float reach, double share, int count) {
    const float per_unit = (SAMPLE_BUCKETS - 1) / reach;
    if (sample_border_bucket<quads, by_count>(border, row, kept, per_unit, share, count) == 0) { return kept; } // a row without finite weights
    unsigned lowest = 0xFFFFFFFFu, highest = 0;
    sample_each_kept<quads>(row, kept, [&](float logit, int many) {
        if (sample_bucket(row, logit, per_unit) != border->at) { return; }
        unsigned key = sample_key(logit);
        int place = atomicAdd(&border->listed, 1);
        lowest = min(lowest, key), highest = max(highest, key);
        if (place < SAMPLE_LISTED) { border->key[place] = key, border->mass[place] = sample_measure<by_count>(row, logit) * many; }
    });
    if (lowest <= highest) { atomicMin(&border->lowest, lowest), atomicMax(&border->highest, highest); }
    __syncthreads();
    const int listed = border->listed;
    if (listed > SAMPLE_LISTED) { return sample_border_bisect<quads, by_count>(border, row, kept); }
    for (int i = threadIdx.x; i < listed; i += blockDim.x) {
        SampleMass before = border->above, equal = 0;
        bool first = true; // of its equals: one thread answers for them
        for (int j = 0; j < listed; j++) {
            if (border->key[j] > border->key[i]) { before += border->mass[j]; }
            if (border->key[j] == border->key[i]) { equal += border->mass[j], first = first && j >= i; }
        }
        if (first && before < border->amount && border->amount <= before + equal) {
            SampleMass one = sample_measure<by_count>(row, sample_logit(border->key[i]));
            border->kept = {border->key[i], (int)((border->amount - before + one - 1) / one)};
        }
    }
    __syncthreads();
    return border->kept;
}

// ---- the draw
struct SampleRange { // ids in which the draw falls; and before them: how many lie at the threshold, and what the kept ones weigh
    int begin, end;
    int64_t ties;         // as wide as the rest, for a copy of the whole must not read a gap
    double running, mark; // the draw is the first id whose running sum exceeds the mark
};
struct SampleSegments {
    double mass[32]; // of the ids above the threshold in a warp's segment
    int tied[32];
    SampleRange range;
};
// Which of the segments of `length` ids the mark falls into, or the last with any weight; by the first warp, a lane for each segment.
// mark < 0: it is u times the sum of all.
__device__ static inline void sample_choose(SampleSegments *segments, SampleRow row, SampleKept kept, int length, double u) {
    const SampleRange all = segments->range;
    const double tie = kept.ties > 0 ? (double)sample_weight(row, sample_logit(kept.threshold)) : 0;
    const int lane = threadIdx.x, warps = blockDim.x / 32;
    int tied = lane < warps ? segments->tied[lane] : 0, ties = (int)all.ties + warp_scan(tied) - tied; // before the segment
    double mass = lane < warps ? segments->mass[lane] + max(0, min(kept.ties - ties, tied)) * tie : 0, sum = warp_scan(mass);
    double before = __shfl_up_sync(ALL_LANES, sum, 1), total = __shfl_sync(ALL_LANES, sum, 31), mark = all.mark < 0 ? u * total : all.mark;
    unsigned over = __ballot_sync(ALL_LANES, mass > 0 && all.running + sum > mark), some = __ballot_sync(ALL_LANES, mass > 0);
    int chosen = over ? __ffs((int)over) - 1 : some ? 31 - __clz((int)some)
                                                    : 0;
    __syncwarp(); // all lanes have read the range
    if (lane == chosen) {
        int begin = all.begin + lane * length;
        segments->range = {begin, min(begin + length, all.end), ties, all.running + (lane > 0 ? before : 0), mark};
    }
}
// The weight and the ties of every warp's segment of the range.
template <bool quads>
__device__ inline void sample_weigh(SampleSegments *segments, SampleRow row, SampleKept kept, SampleRange range, int length) {
    int warp = threadIdx.x / 32, begin = range.begin + warp * length, tied = 0;
    double sum = 0;
    sample_each<quads>(row, begin, min(begin + length, range.end), threadIdx.x % 32, 32, [&](int, float logit) {
        unsigned key = sample_key(logit);
        tied += key == kept.threshold;
        if (key > kept.threshold) { sum += (double)sample_weight(row, logit); }
    });
    sum = warp_sum(sum), tied = warp_sum(tied);
    if (threadIdx.x % 32 == 0) { segments->mass[warp] = sum, segments->tied[warp] = tied; }
}
// The first id of the range at which the running sum exceeds the mark, or the last with any weight; by one warp, 32 ids at a time.
__device__ static inline int sample_walk(SampleRow row, SampleKept kept, SampleRange range) {
    int lane = threadIdx.x % 32, last = range.begin, ties = (int)range.ties;
    double running = range.running;
    for (int v0 = range.begin; v0 < range.end; v0 += 32) {
        float logit = v0 + lane < range.end ? row.logits[v0 + lane] : -INFINITY;
        unsigned key = sample_key(logit), tied = __ballot_sync(ALL_LANES, v0 + lane < range.end && key == kept.threshold);
        int rank = ties + __popc(tied & ((1u << lane) - 1u)); // among the ids at the threshold
        bool keep = v0 + lane < range.end && (key > kept.threshold || (key == kept.threshold && rank < kept.ties));
        double weight = keep ? (double)sample_weight(row, logit) : 0.0, scan = warp_scan(weight);
        unsigned over = __ballot_sync(ALL_LANES, weight > 0 && running + scan > range.mark), some = __ballot_sync(ALL_LANES, weight > 0);
        if (some) { last = v0 + (over ? __ffs((int)over) - 1 : 31 - __clz((int)some)); }
        if (over) { break; }
        running += __shfl_sync(ALL_LANES, scan, 31);
        ties += __popc(tied);
    }
    return last;
}
// of_warp: what logprob_row left for the segments of the whole row, of use when all is kept.
template <bool quads>
__device__ static inline int sample_draw(const LogprobSums *of_warp, SampleRow row, SampleKept kept, bool all, double u) {
    __shared__ SampleSegments segments;
    __shared__ int token;
    const int warp = threadIdx.x / 32, warps = blockDim.x / 32;
    int length = logprob_segment(row.V, warps);
    if (threadIdx.x == 0) { segments.range = {0, row.V, 0, 0, -1}; }
    if (all && (int)threadIdx.x < warps) {
        LogprobSums sums = logprob_read(&of_warp[threadIdx.x]);
        segments.mass[threadIdx.x] = (double)sums.sum * exp((double)sums.largest - (double)row.largest), segments.tied[threadIdx.x] = 0;
    }
    if (!all) { sample_weigh<quads>(&segments, row, kept, {0, row.V, 0, 0, -1}, length); }
    for (;;) {
        __syncthreads();
        if (warp == 0) { sample_choose(&segments, row, kept, length, u); }
        __syncthreads();
        SampleRange range = segments.range;
        if (range.end - range.begin <= 128 || warps == 1) { break; }
        length = CEIL_DIV(range.end - range.begin, 32 * warps) * 32; // the warps share the segment
        sample_weigh<quads>(&segments, row, kept, range, length);
    }
    if (warp == 0) {
        int last = sample_walk(row, kept, segments.range);
        if (threadIdx.x == 0) { token = last; }
    }
    __syncthreads();
    return token;
}

template <bool quads>
__global__ void __launch_bounds__(LOGPROB_THREADS, 2) sample_kernel(int *token, float *logprob, const float *logits, const uint64_t *keys, const int *counters, float temperature, float top_p, int top_k, int V, int stride) {
    __shared__ LogprobSums of_warp[LOGPROB_TOTAL + 1];
    __shared__ SampleBorder border;
    int b = blockIdx.x;
    float scale = temperature > 0 ? 1.0f / temperature : 1.0f;
    const float *at = logits + (size_t)b * stride;
    LogprobSums sums = logprob_row<quads>(of_warp, at, scale, V);
    SampleRow row = {at, scale, sums.largest, V};
    bool few = top_k > 0 && top_k < V, nucleus = top_p < 1;
    int drawn;
    if (temperature <= 0) {
        drawn = sample_greedy<quads>(row);
    } else {
        SampleKept kept = {0, 0};
        if (few) { kept = sample_border<quads, true>(&border, row, kept, 40, 1, top_k); } // z of the largest few thousand lie closer together than 40
        // Ids of less than (1 - top_p) / V of all weigh less than 1 - top_p together: none of them is kept, so the buckets need not reach further.
        float least = (1.0f - top_p) * (few ? 1.0f : sums.sum) / V;
        if (nucleus) { kept = sample_border<quads, false>(&border, row, kept, fmaxf(1e-3f - logf(least), 1e-3f), (double)top_p, 0); }
        drawn = sample_draw<quads>(of_warp, row, kept, !few && !nucleus, (double)random_uniform(keys[b], (uint64_t)counters[b]));
    }
    if (threadIdx.x == 0) { token[b] = drawn, logprob[b] = logprob_of(sums, at[drawn], scale); }
}
LLMC_C void sample_tokens(int *token, float *logprob, const float *logits, const uint64_t *keys, const int *counters, float temperature, float top_p,
                          int top_k, int B, int V, int stride) {
    if (B == 0) { return; }
    if (logprob_quads(logits, stride)) {
        RUN(sample_kernel<true>, B, logprob_threads(V), 0, token, logprob, logits, keys, counters, temperature, top_p, top_k, V, stride);
    } else {
        RUN(sample_kernel<false>, B, logprob_threads(V), 0, token, logprob, logits, keys, counters, temperature, top_p, top_k, V, stride);
    }
}
