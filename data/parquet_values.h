// parquet_values: the values of one page, whatever their encoding, as a stream of byte strings.
//
// A value is delivered as Bytes: a BYTE_ARRAY as itself, a number as its 1, 4, 8 or 12 little-endian bytes, a fixed
// length array as that many bytes. It stays valid until the next one is asked for.
//
//     PLAIN                   values one behind another; a BYTE_ARRAY after its u32 length; booleans 8 to a byte
//     RLE_DICTIONARY          one byte of bit width, then runs of indices into the chunk's dictionary page
//     RLE                     booleans: u32 length, then runs
//     DELTA_BINARY_PACKED     integers as differences
//     DELTA_LENGTH_BYTE_ARRAY all lengths as differences, then all bytes
//     DELTA_BYTE_ARRAY        lengths shared with the value before, then the rest as DELTA_LENGTH_BYTE_ARRAY
//     BYTE_STREAM_SPLIT       first bytes of all values, then second bytes, ...
#pragma once
#include "parquet_encoding.h"

enum { PHYSICAL_BOOLEAN,
       PHYSICAL_INT32,
       PHYSICAL_INT64,
       PHYSICAL_INT96,
       PHYSICAL_FLOAT,
       PHYSICAL_DOUBLE,
       PHYSICAL_BYTE_ARRAY,
       PHYSICAL_FIXED,
       PHYSICAL_COUNT };
enum { ENCODING_PLAIN = 0,
       ENCODING_PLAIN_DICTIONARY = 2,
       ENCODING_RLE,
       ENCODING_BIT_PACKED,
       ENCODING_DELTA_BINARY_PACKED,
       ENCODING_DELTA_LENGTH_BYTE_ARRAY,
       ENCODING_DELTA_BYTE_ARRAY,
       ENCODING_RLE_DICTIONARY,
       ENCODING_BYTE_STREAM_SPLIT };

// Bytes per value; 0 for BYTE_ARRAY (each has its own length) and for booleans (bits).
static inline size_t physical_bytes(int physical, int fixed_length) {
    static const size_t bytes[PHYSICAL_FIXED] = {0, 4, 8, 12, 4, 8, 0};
    return physical == PHYSICAL_FIXED ? (size_t)fixed_length : bytes[physical];
}

typedef struct {
    Bytes *entries; // point into the dictionary page
    size_t count, capacity;
} Dictionary;

typedef struct {
    int physical, encoding;
    size_t width; // physical_bytes
    Bytes rest;   // PLAIN, and the characters of the delta encodings
    RunReader runs;
    DeltaReader numbers, prefixes; // numbers: values, or lengths of what follows a prefix
    const Dictionary *dictionary;
    const unsigned char *columns; // BYTE_STREAM_SPLIT: the streams, `stride` bytes each
    size_t stride, position;
    unsigned char number[8]; // a value that lies nowhere in the page is put here,
    Buffer *text;            // or here when it may be longer
} ValueReader;

static inline bool values_begin_run_encoded_booleans(ValueReader *values, Bytes data) {
    Bytes length, runs;
    return bytes_take(&data, 4, &length) && bytes_take(&data, bytes_read_unsigned(length.data, 4), &runs) && run_begin(&values->runs, runs, 1);
}
static inline bool values_begin_dictionary(ValueReader *values, Bytes data) {
    Bytes width;
    if (data.size == 0) { return run_begin(&values->runs, data, 0); } // a page of nulls alone
    return bytes_take(&data, 1, &width) && run_begin(&values->runs, data, width.data[0]);
}
static inline bool values_begin_delta_bytes(ValueReader *values, Bytes data) {
    Bytes after = data;
    if (values->encoding == ENCODING_DELTA_BYTE_ARRAY && !(delta_begin(&values->prefixes, data) && delta_after(&values->prefixes, &after))) { return false; }
    buffer_clear(values->text);
    return delta_begin(&values->numbers, after) && delta_after(&values->numbers, &values->rest);
}
// NULL if the page can be read, otherwise what is wrong with it. `text` is the column's scratch memory.
static inline const char *values_begin(ValueReader *values, int physical, int fixed_length, int encoding, Bytes data,
                                       const Dictionary *dictionary, Buffer *text) {
    *values = (ValueReader){.physical = physical, .encoding = encoding, .width = physical_bytes(physical, fixed_length), .rest = data, .dictionary = dictionary, .text = text};
    bool is_bytes = physical == PHYSICAL_BYTE_ARRAY || physical == PHYSICAL_FIXED, ok = true;
    const char *misplaced = "an encoding that its type cannot have";
    switch (encoding) {
    case ENCODING_PLAIN:
        if (physical == PHYSICAL_BOOLEAN) { run_begin_packed(&values->runs, data, 1, false); }
        break;
    case ENCODING_PLAIN_DICTIONARY: // the old id of the same thing
    case ENCODING_RLE_DICTIONARY:
        values->encoding = ENCODING_RLE_DICTIONARY;
        if (!dictionary->entries) { return "dictionary indices without a dictionary page before them"; }
        ok = values_begin_dictionary(values, data);
        break;
    case ENCODING_RLE:
        if (physical != PHYSICAL_BOOLEAN) { return misplaced; }
        ok = values_begin_run_encoded_booleans(values, data);
        break;
    case ENCODING_DELTA_BINARY_PACKED:
        if (physical != PHYSICAL_INT32 && physical != PHYSICAL_INT64) { return misplaced; }
        ok = delta_begin(&values->numbers, data);
        break;
    case ENCODING_DELTA_LENGTH_BYTE_ARRAY:
    case ENCODING_DELTA_BYTE_ARRAY:
        if (!is_bytes) { return misplaced; }
        ok = values_begin_delta_bytes(values, data);
        break;
    case ENCODING_BYTE_STREAM_SPLIT:
        if (values->width == 0) { return misplaced; }
        values->columns = data.data;
        values->stride = data.size / values->width;
        ok = data.size % values->width == 0;
        break;
    default:
        return "an encoding that is not known";
    }
    return ok ? NULL : "values that are damaged at their start";
}

static inline bool values_next_delta_bytes(ValueReader *values, Bytes *value) {
    int64_t length, prefix = 0;
    Bytes characters;
    if (!delta_next(&values->numbers, &length) || length < 0 || !bytes_take(&values->rest, (uint64_t)length, &characters)) { return false; }
    if (values->encoding == ENCODING_DELTA_LENGTH_BYTE_ARRAY) {
        *value = characters;
        return true;
    }
    if (!delta_next(&values->prefixes, &prefix) || prefix < 0 || (uint64_t)prefix > values->text->size) { return false; }
    values->text->size = (size_t)prefix;
    buffer_append(values->text, characters.data, characters.size);
    *value = (Bytes){(const unsigned char *)values->text->data, values->text->size};
    return true;
}
static inline bool values_next_split(ValueReader *values, Bytes *value) {
    if (values->position == values->stride) { return false; }
    buffer_clear(values->text);
    buffer_reserve(values->text, values->width);
    for (size_t i = 0; i < values->width; i++) { values->text->data[i] = (char)values->columns[i * values->stride + values->position]; }
    values->position++;
    *value = (Bytes){(const unsigned char *)values->text->data, values->width};
    return true;
}
// False: the page ends before its values do, or they contradict themselves.
static inline bool values_next(ValueReader *values, Bytes *value) {
    uint32_t index;
    int64_t number;
    bool ok;
    switch (values->encoding) {
    case ENCODING_RLE_DICTIONARY:
        if (!run_next(&values->runs, &index) || index >= values->dictionary->count) { return false; }
        *value = values->dictionary->entries[index];
        return true;
    case ENCODING_DELTA_BINARY_PACKED:
        if (!delta_next(&values->numbers, &number)) { return false; }
        memcpy(values->number, &number, 8);
        *value = (Bytes){values->number, values->width};
        return true;
    case ENCODING_DELTA_LENGTH_BYTE_ARRAY:
    case ENCODING_DELTA_BYTE_ARRAY:
        ok = values_next_delta_bytes(values, value);
        return ok && (values->physical != PHYSICAL_FIXED || value->size == values->width);
    case ENCODING_BYTE_STREAM_SPLIT:
        return values_next_split(values, value);
    default:
        break;
    }
    if (values->physical == PHYSICAL_BOOLEAN) { // PLAIN and RLE
        if (!run_next(&values->runs, &index)) { return false; }
        values->number[0] = (unsigned char)index;
        *value = (Bytes){values->number, 1};
        return true;
    }
    if (values->physical != PHYSICAL_BYTE_ARRAY) { return bytes_take(&values->rest, values->width, value); }
    Bytes length;
    return bytes_take(&values->rest, 4, &length) && bytes_take(&values->rest, bytes_read_unsigned(length.data, 4), value);
}

// Reads a dictionary page of `count` PLAIN values. The entries point into `data`.
static inline bool dictionary_read(Dictionary *dictionary, int physical, int fixed_length, Bytes data, size_t count) {
    size_t least = physical == PHYSICAL_BYTE_ARRAY ? 4 : physical_bytes(physical, fixed_length);
    dictionary->count = 0;
    if (physical == PHYSICAL_BOOLEAN || (least > 0 && count > data.size / least)) { return false; } // so that a count cannot ask for more memory than the page's size warrants
    if (least == 0 && count > data.size) { return false; }
    if (count > dictionary->capacity || !dictionary->entries) {
        dictionary->capacity = count;
        dictionary->entries = (Bytes *)host_realloc(dictionary->entries, count * sizeof(Bytes));
    }
    ValueReader values;
    if (values_begin(&values, physical, fixed_length, ENCODING_PLAIN, data, dictionary, NULL)) { return false; }
    for (; dictionary->count < count; dictionary->count++) {
        if (!values_next(&values, &dictionary->entries[dictionary->count])) { return false; }
    }
    return true;
}
