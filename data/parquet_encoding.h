// parquet_encoding: the integer encodings under Parquet's pages, each as a stream that delivers one number at a time.
//
// RunReader   RLE / bit-packed hybrid: levels, dictionary indices, booleans. A varint header h says either "h >> 1 equal
//             values" (low bit 0; the value follows in whole bytes) or "h >> 1 groups of 8 bit-packed values" (low bit 1).
//             Plain booleans are one packed run; the old BIT_PACKED levels are one packed run counted from the top bit.
// DeltaReader DELTA_BINARY_PACKED: blocks of differences; a block holds its smallest difference and miniblocks that
//             pack what exceeds it, each with a bit width of its own.
// Nothing is expanded ahead of use, so a few hostile bytes that stand for 2^31 values cost nothing until they are asked for.
// Source: parquet-format, Encodings.md.
#pragma once
#include "llmc/common.h"

typedef struct {
    const unsigned char *data;
    size_t size;
} Bytes;

// Little-endian unsigned integer of `count` <= 8 bytes.
static inline uint64_t bytes_read_unsigned(const unsigned char *data, size_t count) {
    uint64_t value = 0;
    memcpy(&value, data, count); // every machine this runs on is little-endian
    return value;
}
// Takes the next `count` bytes off the front; false if there are fewer.
static inline bool bytes_take(Bytes *from, uint64_t count, Bytes *taken) {
    if (count > from->size) { return false; }
    *taken = (Bytes){from->data, (size_t)count};
    *from = (Bytes){from->data + count, from->size - (size_t)count};
    return true;
}
static inline bool bytes_take_varint(Bytes *from, uint64_t *value) {
    *value = 0;
    for (int shift = 0; shift < 64 && from->size > 0; shift += 7) {
        unsigned byte = *from->data++;
        from->size--;
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) { return true; }
    }
    return false;
}
static inline bool bytes_take_zigzag(Bytes *from, uint64_t *value) { // as two's complement
    if (!bytes_take_varint(from, value)) { return false; }
    *value = (*value >> 1) ^ (0 - (*value & 1));
    return true;
}
// `width` <= 64 bits from position `bit`, lowest bit first. The caller has checked that they lie inside.
static inline uint64_t bits_read(Bytes from, uint64_t bit, int width) {
    size_t byte = (size_t)(bit >> 3), left = from.size - byte;
    int shift = (int)(bit & 7);
    uint64_t value = bytes_read_unsigned(from.data + byte, left < 8 ? left : 8) >> shift;
    if (shift + width > 64) { value |= (uint64_t)from.data[byte + 8] << (64 - shift); }
    return width == 64 ? value : value & ((1ull << width) - 1);
}
static inline uint64_t bits_read_from_top(Bytes from, uint64_t bit, int width) {
    uint64_t value = 0;
    for (; width > 0; width--, bit++) { value = value << 1 | ((from.data[bit >> 3] >> (7 - (bit & 7))) & 1u); }
    return value;
}

// ---- RLE / bit-packed hybrid
typedef struct {
    Bytes rest;    // runs not yet opened
    int width;     // bits per value, 0 .. 32
    uint64_t left; // values left in the open run
    bool packed, from_top;
    uint32_t value; // of an RLE run
    Bytes bits;     // of a packed run
    uint64_t bit;
} RunReader;

static inline bool run_begin(RunReader *runs, Bytes data, int width) {
    *runs = (RunReader){.rest = data, .width = width};
    return width >= 0 && width <= 32;
}
// The whole of `data` is one packed run (plain booleans, BIT_PACKED levels).
static inline void run_begin_packed(RunReader *runs, Bytes data, int width, bool from_top) {
    *runs = (RunReader){.width = width, .left = (uint64_t)data.size * 8 / (uint64_t)width, .packed = true, .from_top = from_top, .bits = data};
}
static inline bool run_open(RunReader *runs) {
    uint64_t header;
    size_t value_bytes = (size_t)(runs->width + 7) / 8;
    if (!bytes_take_varint(&runs->rest, &header) || header > UINT32_MAX) { return false; }
    runs->packed = header & 1;
    runs->left = header >> 1;
    if (runs->packed) { // some writers cut the last group short: only the values that are wholly there count
        uint64_t bytes = runs->left * (uint64_t)runs->width;
        bytes_take(&runs->rest, bytes < runs->rest.size ? bytes : runs->rest.size, &runs->bits);
        uint64_t there = (uint64_t)runs->bits.size * 8 / (uint64_t)runs->width;
        runs->left = runs->left * 8 < there ? runs->left * 8 : there;
        runs->bit = 0;
        return true;
    }
    Bytes value;
    if (!bytes_take(&runs->rest, value_bytes, &value)) { return false; }
    uint64_t read = bytes_read_unsigned(value.data, value_bytes);
    runs->value = (uint32_t)read;
    return read >> runs->width == 0;
}
static inline bool run_next(RunReader *runs, uint32_t *value) {
    if (runs->width == 0) { // zero bits need no runs, and some writers leave them out: every value is 0
        *value = 0;
        return true;
    }
    while (runs->left == 0) {
        if (!run_open(runs)) { return false; }
    }
    runs->left--;
    if (!runs->packed) {
        *value = runs->value;
        return true;
    }
    *value = (uint32_t)(runs->from_top ? bits_read_from_top(runs->bits, runs->bit, runs->width) : bits_read(runs->bits, runs->bit, runs->width));
    runs->bit += (uint64_t)runs->width;
    return true;
}

// ---- DELTA_BINARY_PACKED
typedef struct {
    Bytes rest;
    uint64_t miniblock_values, miniblocks; // per miniblock, per block
    uint64_t left;                         // values not yet delivered
    uint64_t value, smallest;              // the last value; the block's smallest difference (arithmetic wraps)
    bool first;                            // the first value stands in the header
    Bytes widths;                          // bit widths of the block's miniblocks not yet opened
    Bytes bits;                            // of the open miniblock
    uint64_t bit, miniblock_left;
    int width;
} DeltaReader;

static inline bool delta_begin(DeltaReader *delta, Bytes data) {
    *delta = (DeltaReader){.rest = data, .first = true};
    uint64_t block_values;
    if (!bytes_take_varint(&delta->rest, &block_values) || !bytes_take_varint(&delta->rest, &delta->miniblocks) ||
        !bytes_take_varint(&delta->rest, &delta->left) || !bytes_take_zigzag(&delta->rest, &delta->value)) {
        return false;
    }
    if (delta->miniblocks == 0 || block_values > INT32_MAX || block_values % delta->miniblocks != 0) { return false; }
    delta->miniblock_values = block_values / delta->miniblocks;
    return delta->miniblock_values > 0 && delta->miniblock_values % 8 == 0 && delta->left <= INT32_MAX;
}
static inline bool delta_open_miniblock(DeltaReader *delta) {
    if (delta->widths.size == 0) {
        if (!bytes_take_zigzag(&delta->rest, &delta->smallest) || !bytes_take(&delta->rest, delta->miniblocks, &delta->widths)) { return false; }
    }
    delta->width = *delta->widths.data++;
    delta->widths.size--;
    delta->bit = 0;
    delta->miniblock_left = delta->miniblock_values;
    return delta->width <= 64 && bytes_take(&delta->rest, delta->miniblock_values / 8 * (uint64_t)delta->width, &delta->bits);
}
static inline bool delta_next(DeltaReader *delta, int64_t *value) {
    if (delta->left == 0) { return false; }
    if (!delta->first) {
        if (delta->miniblock_left == 0 && !delta_open_miniblock(delta)) { return false; }
        uint64_t excess = delta->width ? bits_read(delta->bits, delta->bit, delta->width) : 0;
        delta->bit += (uint64_t)delta->width;
        delta->miniblock_left--;
        delta->value += delta->smallest + excess;
    }
    delta->first = false;
    delta->left--;
    *value = (int64_t)delta->value;
    return true;
}
// What follows the whole stream, found by stepping over miniblocks: the strings behind their lengths.
static inline bool delta_after(const DeltaReader *delta, Bytes *after) {
    DeltaReader walk = *delta;
    uint64_t left = walk.left > 0 ? walk.left - 1 : 0; // the first value has no difference
    while (left > 0) {
        if (!delta_open_miniblock(&walk)) { return false; }
        left -= left < walk.miniblock_values ? left : walk.miniblock_values;
    }
    *after = walk.rest;
    return true;
}
