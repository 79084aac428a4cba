// ranks_sums: what the two bodies of ranks.h have in common: both add in rising rank, whatever they talk over.
#pragma once
#include <string.h>
#include "llmc/ranks.h"

enum { RANKS_FLOATS = 1 << 18,    // of one exchange of ranks_reduce_scatter
       RANKS_DOUBLES = 1 << 10 }; // of one ranks_sum

static inline size_t ranks_longest_piece(const size_t *starts) { // rank r has elements starts[r] .. starts[r+1]-1
    size_t longest = 0;
    for (int r = 0; r < ranks_count(); r++) { longest = starts[r + 1] - starts[r] > longest ? starts[r + 1] - starts[r] : longest; }
    return longest;
}
// piece[0 .. part-1] becomes the sum of all ranks'; received (ranks, RANKS_FLOATS) has the others', and gets this one's own.
static inline void ranks_add_up(float *piece, float *received, size_t part) {
    memcpy(received + (size_t)ranks_mine() * RANKS_FLOATS, piece, sizeof(float) * part);
    for (size_t i = 0; i < part; i++) {
        float sum = received[i];
        for (int r = 1; r < ranks_count(); r++) { sum += received[(size_t)r * RANKS_FLOATS + i]; }
        piece[i] = sum;
    }
}
