// What of the CUDA backend is compiled for compute capability 9.0a alone: its instructions have no meaning on any other GPU.
#include "llmc/cuda/attention_hopper.cuh"
