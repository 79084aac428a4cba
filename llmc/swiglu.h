// swiglu: the gated activation of the feed-forward block (Shazeer 2020, eq. 6).
//   gate = gate_up[n,f]      up = gate_up[n,F+f]      sigma = 1 / (1 + exp(-gate))
//   out[n,f]             = gate * sigma * up
//   dgate_up[n,f]        = dout[n,f] * up * sigma * (1 + gate * (1 - sigma))
//   dgate_up[n,F+f]      = dout[n,f] * gate * sigma
// gate_up, dgate_up (N, 2F); out, dout (N, F); every pointer is on the device.
#pragma once
#include "llmc/dtype.h"
LLMC_C void swiglu_forward(floatX *out, const floatX *gate_up, int N, int F);
LLMC_C void swiglu_backward(floatX *dgate_up, const floatX *dout, const floatX *gate_up, int N, int F);
