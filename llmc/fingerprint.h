// fingerprint: 8 hex digits that change when any sampled token or any weight does, so that two runs can be compared by eye.
// FNV-1a (Fowler, Noll, Vo) over 8-byte words, with a shift after each product: without it a flip of a word's top bit, the sign
// of a float, would reach nothing but the hash's top bit, and two such flips would cancel. Not a cryptographic hash.
#pragma once
#include "llmc/common.h"

enum { FINGERPRINT_LANES = 4,
       FINGERPRINT_BLOCK = 1 << 20 };
#define FINGERPRINT_START 0xCBF29CE484222325u

static inline uint64_t fingerprint_word(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * 0x00000100000001B3u;
    return hash ^ (hash >> 29);
}
// Four independent chains hide the latency of the product; the last bytes are padded with zeros.
static inline uint64_t fingerprint_block(uint64_t hash, const unsigned char *data, size_t bytes) {
    uint64_t lanes[FINGERPRINT_LANES], words[FINGERPRINT_LANES];
    for (int i = 0; i < FINGERPRINT_LANES; i++) { lanes[i] = hash + (uint64_t)i; }
    for (size_t at = 0; at < bytes; at += sizeof(words)) {
        size_t left = bytes - at < sizeof(words) ? bytes - at : sizeof(words);
        if (left < sizeof(words)) { memset(words, 0, sizeof(words)); }
        memcpy(words, data + at, left);
        for (int i = 0; i < FINGERPRINT_LANES; i++) { lanes[i] = fingerprint_word(lanes[i], words[i]); }
    }
    for (int i = 0; i < FINGERPRINT_LANES; i++) { hash = fingerprint_word(hash, lanes[i]); }
    return hash;
}
// Goes on from `hash` (FINGERPRINT_START at first). Blocks of 1 MiB are hashed by all threads and joined in their order,
// so the result does not depend on the number of threads; the count of bytes follows them.
static inline uint64_t fingerprint_bytes(uint64_t hash, const void *data, size_t bytes) {
    const unsigned char *from = (const unsigned char *)data;
    size_t blocks = (bytes + FINGERPRINT_BLOCK - 1) / FINGERPRINT_BLOCK;
    enum { ROUND = 64 };
    uint64_t part[ROUND];
    for (size_t first = 0; first < blocks; first += ROUND) {
        int count = blocks - first < ROUND ? (int)(blocks - first) : ROUND;
#pragma omp parallel for schedule(static) if (count > 1)
        for (int i = 0; i < count; i++) {
            size_t at = (first + (size_t)i) * FINGERPRINT_BLOCK;
            part[i] = fingerprint_block(FINGERPRINT_START, from + at, bytes - at < FINGERPRINT_BLOCK ? bytes - at : FINGERPRINT_BLOCK);
        }
        for (int i = 0; i < count; i++) { hash = fingerprint_word(hash, part[i]); }
    }
    return fingerprint_word(hash, bytes);
}
static inline uint32_t fingerprint_fold(uint64_t hash) { return (uint32_t)(hash ^ (hash >> 32)); } // what is printed, as %08x
