// attention_decode: one new token per sequence against its keys and values in a paged cache (Kwon et al. 2023).
// A page holds KV_PAGE consecutive positions of one sequence: keys and values of all KV heads of one layer, in a layout of the
// backend's own. Sequences may share pages (a group shares its prompt), so a page is only written while one sequence owns it.
//   kv_cache_write:    the keys and values of row n go to place slots[n] = page * KV_PAGE + offset; slots[n] < 0: nowhere
//   attention_decode:  out[b] = softmax over j < lengths[b] of (scale * q[b] . k[j]) times v[j]; the new token is among them
// qkv (N or B, H + 2*KV, D) after rope; out (B, H, D); page_table (B, max_pages): page_table[b,i] holds positions
// i*KV_PAGE .. of sequence b; lengths (B), 0 = an idle row: out = 0. Equal to attention_forward's last row to the bit on the CPU.
// cache: one layer's pages, kv_page_bytes() each, page after page, so that copying a page is one device_copy.
#pragma once
#include <stddef.h>
#include "llmc/dtype.h"
enum { KV_PAGE = 32 };
static inline size_t kv_page_bytes(int KV, int D) { return (size_t)2 * KV * KV_PAGE * D * sizeof(floatX); }
LLMC_C void kv_cache_write(floatX *cache, const floatX *qkv, const int *slots, int N, int H, int KV, int D);
LLMC_C void attention_decode(floatX *out, const floatX *qkv, const floatX *cache, const int *page_table, const int *lengths,
                             int max_pages, float scale, int B, int H, int KV, int D);
