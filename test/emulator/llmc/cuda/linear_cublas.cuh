// The double of llmc/cuda/linear_cublas.cuh: there is no cuBLASLt for the host, so the tiled kernel makes every product.
#pragma once
#include "llmc/cuda/linear_tiled.cuh"
static void linear_product(Product p) {
    if (p.M > 0 && p.N > 0) { linear_tiled(p); }
}
