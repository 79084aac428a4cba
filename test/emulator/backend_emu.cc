// The emulated CUDA backend: the bodies of llmc/backend_cuda.cu compiled by the host compiler, and the tiled product in the place of cuBLASLt.
#include "llmc/cuda/device.cuh"
#include "llmc/cuda/linear_tiled.cuh"
static void linear_product(Product p) {
    if (p.M > 0 && p.N > 0) { linear_tiled(p); }
}
#include "llmc/cuda/linear.cuh"
#include "llmc/cuda/adamw.cuh"
#include "llmc/cuda/attention_hopper.cuh"
#include "llmc/cuda/attention.cuh"
#include "llmc/cuda/attention_backward.cuh"
#include "llmc/cuda/attention_decode.cuh"
#include "llmc/cuda/decode_advance.cuh"
#include "llmc/cuda/embedding.cuh"
#include "llmc/cuda/gradient_norm.cuh"
#include "llmc/cuda/logprob.cuh"
#include "llmc/cuda/qk_norm.cuh"
#include "llmc/cuda/rmsnorm.cuh"
#include "llmc/cuda/rope.cuh"
#include "llmc/cuda/sample.cuh"
#include "llmc/cuda/swiglu.cuh"
