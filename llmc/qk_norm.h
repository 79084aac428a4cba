// qk_norm: Qwen3's rmsnorm over each query and key head, before the rotation. Values pass through.
//   out[n,h,:]     = rmsnorm(qkv[n,h,:]) * q_weight   for h < H;   * k_weight   for H <= h < H+KV;   a copy for the value heads
//   dqkv           = its gradient (see rmsnorm.h);    dq_weight[d], dk_weight[d] += sums over all rows and heads, in a fixed order
// qkv, out, dout, dqkv (N, H + 2*KV, D); rstd (N, H + KV); weights (D). out may not be qkv: the backward pass needs the input.
#pragma once
#include "llmc/dtype.h"
LLMC_C void qk_norm_forward(floatX *out, float *rstd, const floatX *qkv, const floatX *q_weight, const floatX *k_weight,
                            float eps, int N, int H, int KV, int D);
LLMC_C void qk_norm_backward(floatX *dqkv, float *dq_weight, float *dk_weight, const floatX *dout, const floatX *qkv,
                             const floatX *q_weight, const floatX *k_weight, const float *rstd, int N, int H, int KV, int D);
