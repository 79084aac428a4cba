// embedding: a token's row of the table.
//   out[n,c]                 = table[tokens[n],c]
//   dtable[v,c]             += sum over n with tokens[n] = v of dout[n,c], in rising n (a fixed order: the same bits every time)
// N rows (packed tokens), C channels; every pointer is on the device; gradients accumulate.
// order: 0..N-1 sorted by token, equal tokens in rising n; it lets the backward pass own each table row without atomics.
#pragma once
#include "llmc/dtype.h"
LLMC_C void embedding_forward(floatX *out, const int *tokens, const floatX *table, int N, int C);
LLMC_C void embedding_backward(float *dtable, const floatX *dout, const int *tokens, const int *order, int N, int C);
