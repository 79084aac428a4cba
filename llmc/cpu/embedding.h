// CPU body of ../embedding.h: forward by rows; backward by columns, so that every table row has one writer per column
// however often its token occurs.
#pragma once
#include <string.h>
#include "llmc/embedding.h"
#include "llmc/cpu/vector.h"

void embedding_forward(floatX *out, const int *tokens, const floatX *table, int N, int C) {
#pragma omp parallel for if ((long)N * C > 65536)
    for (int n = 0; n < N; n++) {
        memcpy(out + (size_t)n * C, table + (size_t)tokens[n] * C, (size_t)C * sizeof(floatX));
    }
}
// Columns c .. c+count-1 of dtable: one pass along `order`, a table row's sum in registers until its token ends.
static inline void embedding_backward_columns(float *dtable, const floatX *dout, const int *tokens, const int *order,
                                              int c, int count, int N, int C) {
    for (int i = 0; i < N;) {
        int token = tokens[order[i]];
        Vector sum = {0};
        for (; i < N && tokens[order[i]] == token; i++) { sum += vector_load_x_part(dout + (size_t)order[i] * C + c, count); }
        float *row = dtable + (size_t)token * C + c;
        for (int lane = 0; lane < SIMD_WIDTH && lane < count; lane++) { row[lane] += sum[lane]; }
    }
}
void embedding_backward(float *dtable, const floatX *dout, const int *tokens, const int *order, int N, int C) {
#pragma omp parallel for if ((long)N * C > 16384)
    for (int c = 0; c < C; c += SIMD_WIDTH) { embedding_backward_columns(dtable, dout, tokens, order, c, C - c, N, C); }
}
