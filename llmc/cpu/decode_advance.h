// CPU body of ../decode_advance.h.
#pragma once
#include "llmc/decode_advance.h"

void decode_advance(int *tokens, int *positions, int *slots, int *lengths, int *counters, const int *drawn, const int *page_table, int max_pages, int B) {
    for (int b = 0; b < B; b++) {
        if (lengths[b] == 0) { continue; }
        const int position = lengths[b]++, page = position / KV_PAGE;
        tokens[b] = drawn[b];
        positions[b] = position;
        slots[b] = page < max_pages ? page_table[(size_t)b * (size_t)max_pages + (size_t)page] * KV_PAGE + position % KV_PAGE : -1;
        counters[b]++;
    }
}
