// linear_cublas: the product of linear_tiled.cuh by cuBLASLt, in fp32 accumulation, always by the same kernel for the same shape.
// cuBLAS thinks in columns: our out (M, N) by rows is its (N, M) by columns, so b comes first and a second.
#pragma once
#include <cublasLt.h>
#include "llmc/cuda/linear_tiled.cuh"

#define cublasCheck(call) linear_check((call), #call, __FILE__, __LINE__)
static inline void linear_check(cublasStatus_t status, const char *call, const char *file, int line) {
    if (status == CUBLAS_STATUS_SUCCESS) { return; }
    fprintf(stderr, "error: %s:%d: %s: %s\n", file, line, call, cublasLtGetStatusString(status));
    exit(EXIT_FAILURE);
}
typedef struct { // what cuBLASLt needs to know of one shape: found once, kept for the life of the program
    Product shape;
    cublasLtMatmulDesc_t operation;
    cublasLtMatrixLayout_t a, b, out;
    cublasLtMatmulAlgo_t algorithm;
    bool found; // else the tiled kernel does it
} LinearPlan;
enum { LINEAR_PLANS = 256 };

// The alignment of a pointer, as far as kernels care; it belongs to the shape.
static uint32_t linear_alignment(const void *pointer) {
    uint32_t alignment = 256;
    while ((uintptr_t)pointer % alignment) { alignment /= 2; }
    return alignment;
}
static bool linear_same_shape(const Product *p, const Product *q) {
    return p->M == q->M && p->N == q->N && p->K == q->K && p->out_is_float == q->out_is_float && p->accumulate == q->accumulate &&
           p->a_transposed == q->a_transposed && p->b_transposed == q->b_transposed && !p->bias == !q->bias &&
           linear_alignment(p->a) == linear_alignment(q->a) && linear_alignment(p->b) == linear_alignment(q->b) &&
           linear_alignment(p->out) == linear_alignment(q->out);
}
static cublasLtHandle_t linear_handle(void) {
    static cublasLtHandle_t handle;
    if (!handle) { cublasCheck(cublasLtCreate(&handle)); }
    return handle;
}
static void linear_plan_make(LinearPlan *plan, Product p) {
    const cudaDataType_t input = sizeof(floatX) == 4 ? CUDA_R_32F : CUDA_R_16BF, output = p.out_is_float ? CUDA_R_32F : input;
    const cublasOperation_t op_a = p.a_transposed ? CUBLAS_OP_T : CUBLAS_OP_N, op_b = p.b_transposed ? CUBLAS_OP_N : CUBLAS_OP_T;
    const cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_BIAS;
    plan->shape = p;
    cublasCheck(cublasLtMatmulDescCreate(&plan->operation, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    cublasCheck(cublasLtMatmulDescSetAttribute(plan->operation, CUBLASLT_MATMUL_DESC_TRANSA, &op_b, sizeof(op_b)));
    cublasCheck(cublasLtMatmulDescSetAttribute(plan->operation, CUBLASLT_MATMUL_DESC_TRANSB, &op_a, sizeof(op_a)));
    if (p.bias) {
        cublasCheck(cublasLtMatmulDescSetAttribute(plan->operation, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof(epilogue)));
        cublasCheck(cublasLtMatmulDescSetAttribute(plan->operation, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &input, sizeof(input)));
        cublasCheck(cublasLtMatmulDescSetAttribute(plan->operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &p.bias, sizeof(p.bias)));
    }
    uint64_t b_rows = p.b_transposed ? p.N : p.K, b_columns = p.b_transposed ? p.K : p.N;
    uint64_t a_rows = p.a_transposed ? p.M : p.K, a_columns = p.a_transposed ? p.K : p.M;
    cublasCheck(cublasLtMatrixLayoutCreate(&plan->b, input, b_rows, b_columns, (int64_t)b_rows));
    cublasCheck(cublasLtMatrixLayoutCreate(&plan->a, input, a_rows, a_columns, (int64_t)a_rows));
    cublasCheck(cublasLtMatrixLayoutCreate(&plan->out, output, p.N, p.M, p.N));

    cublasLtMatmulPreference_t preference;
    cublasLtMatmulHeuristicResult_t result = {};
    int found = 0;
    const size_t workspace = SCRATCH_BYTES;
    const uint32_t reduction = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE; // split-K sums in a fixed order through the workspace, or none
    const uint32_t align_a = linear_alignment(p.a), align_b = linear_alignment(p.b), align_out = linear_alignment(p.out);
    cublasCheck(cublasLtMatmulPreferenceCreate(&preference));
    cublasCheck(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof(workspace)));
    cublasCheck(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reduction, sizeof(reduction)));
    cublasCheck(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &align_b, sizeof(align_b)));
    cublasCheck(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &align_a, sizeof(align_a)));
    cublasCheck(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &align_out, sizeof(align_out)));
    cublasCheck(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &align_out, sizeof(align_out)));
    cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(linear_handle(), plan->operation, plan->b, plan->a, plan->out, plan->out, preference, 1, &result, &found);
    if (status != CUBLAS_STATUS_NOT_SUPPORTED) { cublasCheck(status); }
    plan->found = status == CUBLAS_STATUS_SUCCESS && found == 1;
    plan->algorithm = result.algo;
    cublasCheck(cublasLtMatmulPreferenceDestroy(preference));
}
static void linear_plan_destroy(LinearPlan *plan) {
    cublasCheck(cublasLtMatmulDescDestroy(plan->operation));
    cublasCheck(cublasLtMatrixLayoutDestroy(plan->a));
    cublasCheck(cublasLtMatrixLayoutDestroy(plan->b));
    cublasCheck(cublasLtMatrixLayoutDestroy(plan->out));
}
static LinearPlan *linear_plan(Product p) { // when the table is full, the oldest makes room
    static LinearPlan plans[LINEAR_PLANS];
    static int made;
    for (int i = 0; i < made && i < LINEAR_PLANS; i++) {
        if (linear_same_shape(&plans[i].shape, &p)) { return &plans[i]; }
    }
    LinearPlan *plan = &plans[made % LINEAR_PLANS];
    if (made >= LINEAR_PLANS) { linear_plan_destroy(plan); }
    linear_plan_make(plan, p);
    made++;
    return plan;
}
static void linear_product(Product p) {
    if (p.M == 0 || p.N == 0) { return; }
    LinearPlan *plan = linear_plan(p);
    if (!plan->found) { return linear_tiled(p); }
    const float one = 1, before = p.accumulate ? 1.0f : 0.0f;
    if (p.bias) { cublasCheck(cublasLtMatmulDescSetAttribute(plan->operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &p.bias, sizeof(p.bias))); }
    cublasCheck(cublasLtMatmul(linear_handle(), plan->operation, &one, p.b, plan->b, p.a, plan->a, &before, p.out, plan->out, p.out, plan->out,
                               &plan->algorithm, device_scratch(), SCRATCH_BYTES, main_stream));
}
