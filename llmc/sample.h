// sample: draw the next token of each row from softmax(logits / temperature), and report how likely it was.
//   token[b]   = the first v whose running sum of p exceeds u[b] times the sum of all kept p,    u[b] = random_uniform(keys[b], counters[b])
//   logprob[b] = log p[token[b]] over all V ids at this temperature: the very number logprob_forward gives, to the bit on the CPU
// temperature 0 is greedy: the largest logit, the lowest id among equals, with its log-probability at temperature 1.
// Kept ids: top_k > 0 keeps the k largest; then top_p < 1 keeps, of these, the smallest set of largest p whose sum reaches top_p of theirs, at least one;
// ties at the border are kept in rising id. top_k 0 and top_p 1 keep all. Ids V .. stride-1 are never drawn.
// logits (B, stride) float; keys, counters (B): see random.h; every pointer is on the device.
#pragma once
#include "llmc/dtype.h"
LLMC_C void sample_tokens(int *token, float *logprob, const float *logits, const uint64_t *keys, const int *counters,
                          float temperature, float top_p, int top_k, int B, int V, int stride);
