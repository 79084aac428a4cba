// logprob: log-probability of a token, and the entropy of the distribution it was drawn from, out of a chunk of logits.
//   z[v]       = logits[n,v] / temperature                 for the V ids that exist; ids V .. stride-1 have probability zero
//   lse[n]     = log sum_v exp z[v]                        logprob[n] = z[target] - lse        p[v] = exp(z[v] - lse)
//   entropy[n] = lse - sum_v p[v] z[v]
//   dlogits[n,v] = ( dlogprob[n] * ((v == target) - p[v])  -  dentropy[n] * p[v] * (z[v] - lse + entropy[n]) ) / temperature
// dlogits is written, not added to, and is 0 for ids V .. stride-1. A target < 0 marks a row without one: logprob 0.
// logits (N, stride) float, as linear_forward_float leaves them for one chunk of rows: no array of all rows times V ever exists.
// dlogits (N, stride) floatX. entropy and lse are always written. Every pointer is on the device. Rows are independent to the bit.
#pragma once
#include "llmc/dtype.h"
LLMC_C void logprob_forward(float *logprob, float *entropy, float *lse, const float *logits, const int *targets,
                            float temperature, int N, int V, int stride);
LLMC_C void logprob_backward(floatX *dlogits, const float *logits, const float *lse, const float *entropy, const int *targets,
                             const float *dlogprob, const float *dentropy, float temperature, int N, int V, int stride);
// logits[i] = T bf16(bf16(logits[i]) (1/T)), T the temperature: as a head in bf16 has them whose logits are divided in place, which is how verl
// computed in DeepScaleR's time (PyTorch's division by a number on a GPU multiplies by its reciprocal). Each rounding moves a logit by up to 0.4 %.
LLMC_C void logits_round(float *logits, float temperature, size_t count);
