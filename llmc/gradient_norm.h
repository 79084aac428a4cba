// gradient_norm: the sum of squares of a gradient, for the global norm. Summed in blocks of fixed size whose partial sums are added
// in rising order in double, so that the bits depend neither on threads nor on timing. NaN or infinity anywhere comes out as such.
#pragma once
#include <stddef.h>
#include "llmc/dtype.h"
LLMC_C double gradient_square_sum(const float *grad, size_t count); // grad is on the device, the result on the host
