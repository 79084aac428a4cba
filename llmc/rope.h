// rope: rotary position embedding (Su et al. 2021, eq. 34), in Hugging Face's pairing of channel i with i + D/2.
//   angle[p,i]            = p * inverse_frequency[i]                 table[p,i] = { cos, sin }, made once on the host
//   (x[i], x[i+D/2])      = ( x[i] cos - x[i+D/2] sin,  x[i+D/2] cos + x[i] sin )     for the H query and KV key heads, in place
// The backward pass rotates the gradient by the opposite angle, in place.
// qkv (N, H + 2*KV, D): queries, keys, values of one token side by side; values are left alone.
// positions (N): place of the token in its own sequence; table (P, D/2, 2) with every position < P.
#pragma once
#include "llmc/dtype.h"
LLMC_C void rope_forward(floatX *qkv, const float *table, const int *positions, int N, int H, int KV, int D);
LLMC_C void rope_backward(floatX *dqkv, const float *table, const int *positions, int N, int H, int KV, int D);
