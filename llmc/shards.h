// shards: how gradients, fp32 master weights and Adam's moments are divided among ranks (ZeRO stage 1, Rajbhandari et al. 2020).
// The flat parameter array is cut into buckets whose gradients become final at the same time: the embedding, each block, the final norm
// and head. Each bucket is cut into as many pieces as there are ranks, and rank r updates piece r of every bucket; so the sum of a
// bucket's gradients can travel while the backward pass goes on below it, and all ranks send and receive alike.
// A rank's own pieces lie one behind the other in its sharded arrays. With one rank there is one bucket, and one piece: all of it.
#pragma once
#include "llmc/parameters.h"
#include "llmc/ranks.h"

typedef struct {
    size_t begin, count; // elements of the flat array
    size_t piece;        // of each rank but the last, which has what is left
    size_t at;           // where this rank's piece begins in its sharded arrays
} Shard;
typedef struct {
    Shard *list;            // in rising order; together they cover the flat array
    int count, ranks, mine; // mine: this rank among them
    size_t share;           // elements of a rank's sharded arrays
} Shards;

static inline Shards shards_create(const ParameterTable *table, int layers, int ranks) {
    Shards s = {.list = (Shard *)host_alloc(sizeof(Shard) * (size_t)(layers + 2)), .ranks = ranks, .mine = ranks > 1 ? ranks_mine() : 0};
    for (int i = 0; i <= layers + 1; i++) {
        const size_t begin = i == 0 ? 0 : i <= layers ? table->layers[i - 1].input_norm
                                                      : table->final_norm;
        const size_t end = i < layers ? table->layers[i].input_norm : i == layers ? table->final_norm
                                                                                  : table->total;
        s.list[s.count++] = (Shard){.begin = begin, .count = end - begin};
    }
    if (ranks == 1) { s.list[0].count = table->total, s.count = 1; }
    for (int i = 0; i < s.count; i++) {
        const size_t whole = (s.list[i].count + PARAMETER_ALIGNMENT - 1) / PARAMETER_ALIGNMENT;
        s.list[i].piece = (whole + (size_t)ranks - 1) / (size_t)ranks * PARAMETER_ALIGNMENT;
        s.list[i].at = s.share;
        s.share += s.list[i].piece;
    }
    return s;
}
static inline void shards_free(Shards *shards) { free(shards->list); }

// The piece of a rank, counted from the shard's beginning. It may be empty.
static inline size_t shard_start(const Shard *shard, int rank) {
    const size_t start = shard->piece * (size_t)rank;
    return start < shard->count ? start : shard->count;
}
static inline void shard_starts(size_t starts[MAX_RANKS + 1], const Shard *shard, int ranks) { // of all ranks' pieces, as collectives.h wants them
    for (int r = 0; r <= ranks; r++) { starts[r] = shard_start(shard, r); }
}
static inline size_t shard_size(const Shard *shard, int rank) { return shard_start(shard, rank + 1) - shard_start(shard, rank); }
