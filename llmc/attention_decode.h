// attention_decode: one new token per sequence against its keys and values in a paged cache (Kwon et al. 2023).
// A page holds KV_PAGE consecutive positions of one sequence: keys and values of all KV heads of one layer, in a layout of the
// backend's own. Sequences may share pages (a group shares its prompt), so a page is only written while one sequence owns it.
//   rope_cache_forward:    rope_forward (rope.h) of qkv in place, and the rotated keys and the values of row n go to place
//                          slots[n] = page * KV_PAGE + offset of the cache; slots[n] < 0: nowhere
//   attention_decode_plan: who does what in attention_decode. Once a step, when lengths and page tables are known; serves every layer
//   attention_decode:      out[b] = softmax over j < lengths[b] of (scale * q[b] . k[j]) times v[j]; the new token is among them
// qkv (N or B, H + 2*KV, D), in attention_decode after rope; out (B, H, D); page_table (B, max_pages): page_table[b,i] holds positions
// i*KV_PAGE .. of sequence b; lengths (B), 0 = an idle row: out = 0. Equal to attention_forward's last row to the bit on the CPU.
// cache: one layer's pages, kv_page_bytes() each, page after page, so that copying a page is one device_copy.
//
// Long sequences are split into chunks of DECODE_CHUNK positions counted from their own start (Flash-Decoding, Dao et al. 2023), which are
// joined in a fixed order: a sequence's bits depend on nothing but its own keys, values and query. Launches depend on B alone, never on
// lengths. plan (attention_decode_plan_bytes) and scratch (attention_decode_scratch_bytes) are for attention_decode_chunks chunks or more.
#pragma once
#include <stddef.h>
#include "llmc/dtype.h"
enum { KV_PAGE = 32,
       DECODE_CHUNK = 256,
       DECODE_CHUNK_PAGES = DECODE_CHUNK / KV_PAGE,
       DECODE_ROWS = 16 }; // query heads of one key/value head that are computed together
// plan: [0] the number of chunks, then a record for each, the chunks of a sequence side by side.
enum { DECODE_SEQUENCE,                                       // its row of the batch
       DECODE_FIRST,                                          // the sequence's chunk 0 is record number ..
       DECODE_CHUNKS,                                         // .. of so many, at least one
       DECODE_POSITIONS,                                      // positions in this chunk
       DECODE_PAGES,                                          // where they lie
       DECODE_COUNTERS = DECODE_PAGES + DECODE_CHUNK_PAGES }; // one for each unit: parts of this chunk's subtree that are done
// A unit is one key/value head with up to DECODE_ROWS of its query heads.
LLMC_INLINE int attention_decode_units(int H, int KV) { return KV * ((H / KV + DECODE_ROWS - 1) / DECODE_ROWS); }
LLMC_INLINE int attention_decode_record(int H, int KV) { return DECODE_COUNTERS + attention_decode_units(H, KV); }

static inline size_t kv_page_bytes(int KV, int D) { return (size_t)2 * KV * KV_PAGE * D * sizeof(floatX); }
// The most chunks that B sequences can have: of up to max_positions each; all in a cache of so many pages, of which a sequence shares at
// most those of its first shared_positions. Sum of ceil(own + shared pages / 8) <= pages / 8 + B * (1 + shared / 8); idle rows take one.
static inline int attention_decode_chunks(int B, int max_positions, int shared_positions, int pages) {
    long each = max_positions > 0 ? (max_positions + DECODE_CHUNK - 1) / DECODE_CHUNK : 1, shared = (shared_positions + KV_PAGE - 1) / KV_PAGE;
    long by_length = B * each, by_pages = (pages + B * shared) / DECODE_CHUNK_PAGES + B;
    return (int)(by_length < by_pages ? by_length : by_pages);
}
static inline size_t attention_decode_plan_bytes(int chunks, int H, int KV) {
    return sizeof(int) * (1 + (size_t)chunks * (size_t)attention_decode_record(H, KV));
}
// For each chunk and query head the weighted values, and twice (sum of weights, largest score) for the two ends of a join.
static inline size_t attention_decode_scratch_bytes(int chunks, int H, int D) { return sizeof(float) * (size_t)chunks * (size_t)H * (size_t)(D + 4); }

LLMC_C void rope_cache_forward(floatX *qkv, floatX *cache, const float *table, const int *positions, const int *slots, int N, int H, int KV, int D);
LLMC_C void attention_decode_plan(int *plan, const int *page_table, const int *lengths, int max_pages, int B, int H, int KV);
LLMC_C void attention_decode(floatX *out, int *plan, float *scratch, const floatX *qkv, const floatX *cache, const int *page_table,
                             const int *lengths, int max_pages, float scale, int B, int H, int KV, int D);
