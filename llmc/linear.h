// linear: y = x W^T + b and its three gradients. W is stored as Hugging Face stores it: (OC, C), a row per output.
//   out[n,o]      = sum_c x[n,c] * weight[o,c] + bias[o]            bias may be NULL
//   dx[n,c]       = sum_o dout[n,o] * weight[o,c]                   dx, dweight, dbias may each be NULL: not wanted
//   dweight[o,c] += sum_n dout[n,o] * x[n,c]
//   dbias[o]     += sum_n dout[n,o]
// N rows (packed tokens), C channels in, OC channels out; every pointer is on the device; gradients of parameters accumulate.
// CPU contract that the sampler's equality with the trainer rests on: every out[n,o] is one chain of fused multiply-adds
// over c = 0, 1, 2, ... from zero, then + bias; so a row's bits depend neither on N nor on the other rows.
// linear_forward_float keeps the result in fp32 (the logits of the language-model head).
#pragma once
#include "llmc/dtype.h"
LLMC_C void linear_forward(floatX *out, const floatX *x, const floatX *weight, const floatX *bias, int N, int C, int OC);
LLMC_C void linear_forward_float(float *out, const floatX *x, const floatX *weight, int N, int C, int OC);
LLMC_C void linear_backward(floatX *dx, float *dweight, float *dbias, const floatX *dout, const floatX *x,
                            const floatX *weight, int N, int C, int OC);
