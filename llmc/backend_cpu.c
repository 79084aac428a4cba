// The CPU backend, one object file: a program linked with it computes on the host.
#include "llmc/cpu/device.h"
#include "llmc/cpu/adamw.h"
#include "llmc/cpu/gradient_norm.h"
#include "llmc/cpu/linear.h"
#include "llmc/cpu/logprob.h"
#include "llmc/cpu/sample.h"
