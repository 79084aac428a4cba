// attention: causal softmax attention with grouped queries (Ainslie et al. 2023) over sequences packed end to end.
// Query head h reads key/value head h / (H/KV). Within each sequence, with rows i >= j of that sequence:
//   s[i,j]    = scale * q[i] . k[j]            lse[h,i] = log sum_j exp s[i,j]
//   p[i,j]    = exp(s[i,j] - lse[h,i])         out[i]   = sum_j p[i,j] v[j]
// Backward (Dao et al. 2022, appendix B), p recomputed from lse so that memory stays O(N):
//   delta[h,i] = dout[i] . out[i]              ds[i,j]  = scale * p[i,j] * (dout[i] . v[j] - delta[h,i])
//   dq[i] += sum_j ds[i,j] k[j]       dk[j] += sum_i ds[i,j] q[i]       dv[j] += sum_i p[i,j] dout[i]
// qkv, dqkv (N, H + 2*KV, D); out, dout (N, H, D); lse, delta (H, N) float, delta is scratch.
// starts (S + 1) on the device: sequence s owns rows starts[s] .. starts[s+1]-1, starts[S] <= N; later rows are padding: out = 0.
// CPU contract: keys are taken in blocks of KV_PAGE (attention_decode.h) from the start of the sequence, with one online-softmax
// update a block, in rising order; so a row's bits depend on its own sequence up to it, and equal those of attention_decode.
#pragma once
#include "llmc/dtype.h"
LLMC_C void attention_forward(floatX *out, float *lse, const floatX *qkv, const int *starts, int S, float scale,
                              int N, int H, int KV, int D);
LLMC_C void attention_backward(floatX *dqkv, float *delta, const floatX *dout, const floatX *qkv, const floatX *out,
                               const float *lse, const int *starts, int S, float scale, int N, int H, int KV, int D);
