// parquet_codec: undoes the compression of one Parquet page, by the library of each codec.
//
// A page header says how many bytes come out, so every decoder writes into a buffer of exactly that size and must fill it;
// one byte more or less is a damaged file. parquet_codec_expands() refuses sizes that no honest page has before
// anything is allocated.
#pragma once
#include <brotli/decode.h>
#include <lz4.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>
#include "llmc/common.h"

// Ids of parquet.thrift's CompressionCodec. 3 is LZO, which has no free library of note and which nobody writes.
enum { CODEC_NONE,
       CODEC_SNAPPY,
       CODEC_GZIP,
       CODEC_LZO,
       CODEC_BROTLI,
       CODEC_LZ4_HADOOP,
       CODEC_ZSTD,
       CODEC_LZ4_RAW,
       CODEC_COUNT };

static inline const char *parquet_codec_name(int codec) {
    static const char *const names[CODEC_COUNT] = {"none", "snappy", "gzip", "lzo", "brotli", "lz4", "zstd", "lz4_raw"};
    return codec >= 0 && codec < CODEC_COUNT ? names[codec] : "unknown";
}
static inline bool parquet_codec_known(int codec) { return codec >= 0 && codec < CODEC_COUNT && codec != CODEC_LZO; }

// Whether `stored` bytes may honestly become `plain` bytes. Up to 64 MiB anything may (a page of equal values packs well);
// beyond it only what gzip reaches at best, 1,032 to 1.
static inline bool parquet_codec_expands(size_t plain, size_t stored) { return plain <= (64u << 20) || plain / 1100 <= stored; }

// gzip: members may follow each other; a zlib header is taken as well.
static inline bool codec_gzip(unsigned char *out, size_t out_size, const unsigned char *in, size_t in_size) {
    z_stream stream = {0};
    if (inflateInit2(&stream, 15 + 32) != Z_OK) { return false; }
    stream.next_in = (unsigned char *)(uintptr_t)in, stream.avail_in = (uInt)in_size;
    stream.next_out = out, stream.avail_out = (uInt)out_size;
    int status = Z_STREAM_END;
    while (stream.avail_in > 0) {
        status = inflate(&stream, Z_FINISH);
        if (status != Z_STREAM_END || stream.avail_out == 0) { break; }
        if (inflateReset(&stream) != Z_OK) { break; }
    }
    bool ok = status == Z_STREAM_END && stream.avail_out == 0;
    inflateEnd(&stream);
    return ok;
}

static inline bool codec_lz4_block(unsigned char *out, size_t out_size, const unsigned char *in, size_t in_size) {
    return LZ4_decompress_safe((const char *)in, (char *)out, (int)in_size, (int)out_size) == (int)out_size;
}
// Hadoop's LZ4: blocks behind two big-endian sizes, plain and stored. Some writers left the sizes out.
static inline bool codec_lz4_hadoop(unsigned char *out, size_t out_size, const unsigned char *in, size_t in_size) {
    size_t read = 0, written = 0;
    while (in_size - read >= 8) {
        const unsigned char *head = in + read;
        size_t plain = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
        size_t stored = (size_t)head[4] << 24 | (size_t)head[5] << 16 | (size_t)head[6] << 8 | head[7];
        if (plain > out_size - written || stored > in_size - read - 8) { break; }
        if (!codec_lz4_block(out + written, plain, head + 8, stored)) { break; }
        read += 8 + stored, written += plain;
    }
    return (read == in_size && written == out_size) || codec_lz4_block(out, out_size, in, in_size);
}

// Fills out[out_size] from in[in_size]. Both sizes are below 2^31 (page headers are 32 bits). False: damaged.
static inline bool parquet_codec_decode(int codec, unsigned char *out, size_t out_size, const unsigned char *in, size_t in_size) {
    size_t filled = out_size;
    switch (codec) {
    case CODEC_NONE:
        if (in_size == out_size && out_size > 0) { memcpy(out, in, out_size); }
        return in_size == out_size;
    case CODEC_SNAPPY: // asked for its size first: the library refuses a buffer that is too small, not one too large
        return snappy_uncompressed_length((const char *)in, in_size, &filled) == SNAPPY_OK && filled == out_size &&
               snappy_uncompress((const char *)in, in_size, (char *)out, &filled) == SNAPPY_OK && filled == out_size;
    case CODEC_GZIP:
        return codec_gzip(out, out_size, in, in_size);
    case CODEC_BROTLI:
        return BrotliDecoderDecompress(in_size, in, &filled, out) == BROTLI_DECODER_RESULT_SUCCESS && filled == out_size;
    case CODEC_LZ4_HADOOP:
        return codec_lz4_hadoop(out, out_size, in, in_size);
    case CODEC_ZSTD:
        return ZSTD_decompress(out, out_size, in, in_size) == out_size;
    case CODEC_LZ4_RAW:
        return codec_lz4_block(out, out_size, in, in_size);
    default:
        return false;
    }
}
