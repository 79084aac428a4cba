// The CPU backend, one object file: a program linked with it computes on the host.
#include "llmc/cpu/device.h"
