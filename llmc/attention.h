// attention: causal softmax attention with grouped queries (Ainslie et al. 2023) over sequences packed end to end.
// Query head h reads key/value head h / (H/KV). Within each sequence, with rows i >= j of that sequence:
//   s[i,j]    = scale * q[i] . k[j]            lse[h,i] = log sum_j exp s[i,j]
//   p[i,j]    = exp(s[i,j] - lse[h,i])         out[i]   = sum_j p[i,j] v[j]
// Backward (Dao et al. 2022, appendix B), p recomputed from lse so that memory stays O(N):
//   delta[h,i] = dout[i] . out[i]              ds[i,j]  = scale * p[i,j] * (dout[i] . v[j] - delta[h,i])
//   dq[i] = sum_j ds[i,j] k[j]        dk[j] = sum_i ds[i,j] q[i]        dv[j] = sum_i p[i,j] dout[i]
// qkv, dqkv (N, H + 2*KV, D); out, dout (N, H, D); lse (H, N) float; scratch: attention_backward_scratch_floats floats, 16-byte aligned.
// starts (S + 1) on the device: sequence s owns rows starts[s] .. starts[s+1]-1, starts[S] <= N; later rows are padding: out = 0, lse = 0,
// dqkv = 0. Every row of out, lse and dqkv is written. What other sequences and the padding hold (NaN too) does not reach a sequence's bits.
// CPU contract: keys are taken in blocks of KV_PAGE (attention_decode.h) from the start of the sequence, with one online-softmax
// update a block, in rising order; so a row's bits depend on its own sequence up to it, and equal those of attention_decode.
#pragma once
#include <stddef.h>
#include "llmc/dtype.h"
LLMC_C void attention_forward(floatX *out, float *lse, const floatX *qkv, const int *starts, int S, float scale,
                              int N, int H, int KV, int D);
LLMC_C void attention_backward(floatX *dqkv, float *scratch, const floatX *dout, const floatX *qkv, const floatX *out,
                               const float *lse, const int *starts, int S, float scale, int N, int H, int KV, int D);
// For up to N rows and S sequences: room for sums in fp32 of dq, dk and dv, and for tiles of 64 rows (at most N/64 + S + 1 of them) delta and
// lse of each row and a counter, by head. The CPU needs delta (H, N) alone.
static inline size_t attention_backward_scratch_floats(size_t N, size_t S, size_t H, size_t KV, size_t D) {
    size_t tiles = N / 64 + S + 1;
    return N * (H + 2 * KV) * D + tiles * (2 * 64 * H + H + KV) + 4;
}
