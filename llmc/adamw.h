// adamw: Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2) on fp32 master weights.
//   g = grad_scale * grad        m = beta1 m + (1 - beta1) g        v = beta2 v + (1 - beta2) g^2
//   master = master - learning_rate * ( m / (1 - beta1^step)  /  (sqrt( v / (1 - beta2^step) ) + eps)  +  weight_decay * master )
//   weight = master rounded to floatX                           (master may be weight itself in an fp32 build)
// count parameters; step counts from 1; grad_scale carries the clipping of the gradient norm. Every pointer is on the device.
#pragma once
#include <stddef.h>
#include "llmc/dtype.h"
LLMC_C void adamw_update(floatX *weight, float *master, float *m, float *v, const float *grad, size_t count, float grad_scale,
                         float learning_rate, float beta1, float beta2, float eps, float weight_decay, int step);
