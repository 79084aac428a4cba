// decode_advance: what a decoding step drew becomes the input of the next one, without the host.
//   for every row b with lengths[b] > 0 (the others are idle):
//     tokens[b]  = drawn[b]            positions[b] = lengths[b]          the new token stands behind those that are known
//     slots[b]   = page_table[b, positions[b] / KV_PAGE] * KV_PAGE + positions[b] % KV_PAGE, or -1 behind the last page of the table
//     lengths[b] = lengths[b] + 1      counters[b] = counters[b] + 1
// Each array (B), page_table (B, max_pages); every pointer is on the device. See attention_decode.h and sample.h for what they mean.
#pragma once
#include "llmc/attention_decode.h"
LLMC_C void decode_advance(int *tokens, int *positions, int *slots, int *lengths, int *counters, const int *drawn, const int *page_table, int max_pages, int B);
