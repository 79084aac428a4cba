// rmsnorm: bring every row to unit root-mean-square, then scale by a learned weight (Zhang and Sennrich 2019, eq. 4).
//   rstd[n]     = 1 / sqrt( mean_c x[n,c]^2 + eps )
//   out[n,c]    = x[n,c] * rstd[n] * weight[c]
//   dweight[c] += sum_n dout[n,c] * x[n,c] * rstd[n]
//   dx[n,c]    += rstd[n] * ( dout[n,c]*weight[c] - x[n,c]*rstd[n]^2 * mean_k( dout[n,k]*weight[k]*x[n,k] ) )
// rmsnorm_residual_forward first adds what a block computed to the residual stream, in one pass over memory:
//   sum[n,c]    = residual[n,c] + delta[n,c]           out, rstd = rmsnorm(sum)           (sum may be residual itself)
// N rows (packed tokens), C channels; every pointer is on the device; gradients accumulate.
// A row of out depends on that row of the inputs alone, to the bit, whatever N is.
#pragma once
#include "llmc/dtype.h"
LLMC_C void rmsnorm_forward(floatX *out, float *rstd, const floatX *x, const floatX *weight, float eps, int N, int C);
LLMC_C void rmsnorm_residual_forward(floatX *sum, floatX *out, float *rstd, const floatX *residual, const floatX *delta,
                                     const floatX *weight, float eps, int N, int C);
LLMC_C void rmsnorm_backward(floatX *dx, float *dweight, const floatX *dout, const floatX *x, const floatX *weight,
                             const float *rstd, int N, int C);
