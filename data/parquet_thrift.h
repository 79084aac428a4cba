// parquet_thrift: reads Thrift's compact protocol, the language of Parquet's footer and page headers.
//
// A struct is a run of fields, each a header byte (id difference << 4 | type) and a value, closed by a zero byte. Integers
// are zigzag varints. Fields with an unknown id are skipped by their type, which is how the format grows. After the first
// fault every read returns zero and every loop ends, so that callers look at `fault` once, at the end.
// Source: the Thrift compact protocol specification.
#pragma once
#include "llmc/common.h"

enum { THRIFT_TRUE = 1,
       THRIFT_FALSE,
       THRIFT_BYTE,
       THRIFT_I16,
       THRIFT_I32,
       THRIFT_I64,
       THRIFT_DOUBLE,
       THRIFT_BINARY,
       THRIFT_LIST,
       THRIFT_SET,
       THRIFT_MAP,
       THRIFT_STRUCT,
       THRIFT_UUID };
enum { THRIFT_DEPTH_LIMIT = 32 }; // Parquet's own metadata nests 6 deep

typedef struct {
    const unsigned char *data;
    size_t size, at;
    const char *fault; // NULL while all is well, otherwise a static text
    bool needs_more;   // the fault is that the bytes ended: a longer piece of the file may read well
} ThriftReader;

static inline void thrift_fail(ThriftReader *t, const char *fault) {
    if (!t->fault) { t->fault = fault; }
    t->at = t->size;
}
static inline unsigned thrift_byte(ThriftReader *t) {
    if (t->at < t->size) { return t->data[t->at++]; }
    t->needs_more = t->needs_more || !t->fault;
    thrift_fail(t, "it ends in the middle of a value");
    return 0;
}
static inline uint64_t thrift_varint(ThriftReader *t) {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        unsigned byte = thrift_byte(t);
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) { return value; }
    }
    thrift_fail(t, "a variable-length integer is longer than 64 bits");
    return 0;
}

// The next field of a struct. *id holds the previous id (0 at first). False at the end of the struct or at a fault.
static inline bool thrift_field(ThriftReader *t, int *id, int *type) {
    unsigned header = thrift_byte(t);
    *type = (int)(header & 15);
    if (t->fault || header == 0) { return false; }
    int64_t difference = header >> 4;
    if (difference == 0) { // a long jump: the id itself follows
        uint64_t zigzag = thrift_varint(t);
        difference = (int64_t)(zigzag >> 1) ^ -(int64_t)(zigzag & 1);
        *id = 0;
    }
    if (difference < -32768 || difference > 32767) { thrift_fail(t, "a field id is out of range"); }
    *id += (int)difference;
    return !t->fault;
}
static inline int64_t thrift_integer(ThriftReader *t, int type) {
    if (type < THRIFT_BYTE || type > THRIFT_I64) { thrift_fail(t, "a field that should be an integer is not"); }
    if (type == THRIFT_BYTE) { return (signed char)thrift_byte(t); }
    uint64_t zigzag = thrift_varint(t);
    return (int64_t)(zigzag >> 1) ^ -(int64_t)(zigzag & 1);
}
static inline int thrift_int32(ThriftReader *t, int type) {
    int64_t value = thrift_integer(t, type);
    if (value < INT32_MIN || value > INT32_MAX) { thrift_fail(t, "a 32-bit field is out of range"); }
    return t->fault ? 0 : (int)value;
}
static inline bool thrift_bool(ThriftReader *t, int type) { // the value of a field's bool lies in its type
    if (type != THRIFT_TRUE && type != THRIFT_FALSE) { thrift_fail(t, "a field that should be a boolean is not"); }
    return type == THRIFT_TRUE;
}
// Points into the reader's bytes; not NUL-terminated.
static inline const char *thrift_binary(ThriftReader *t, int type, size_t *bytes) {
    if (type != THRIFT_BINARY) { thrift_fail(t, "a field that should be a string is not"); }
    uint64_t length = thrift_varint(t);
    if (length > t->size - t->at) {
        t->needs_more = t->needs_more || !t->fault;
        thrift_fail(t, "a string is longer than the bytes that hold it");
    }
    *bytes = t->fault ? 0 : (size_t)length;
    const char *text = (const char *)t->data + t->at;
    t->at += *bytes;
    return text;
}
// The count of a list or set; its elements follow. An element takes at least one byte, which bounds the count.
static inline size_t thrift_list(ThriftReader *t, int type, int *element_type) {
    if (type != THRIFT_LIST && type != THRIFT_SET) { thrift_fail(t, "a field that should be a list is not"); }
    unsigned header = thrift_byte(t);
    uint64_t count = header >> 4;
    if (count == 15) { count = thrift_varint(t); }
    *element_type = (int)(header & 15);
    if (count > t->size - t->at) {
        t->needs_more = t->needs_more || !t->fault;
        thrift_fail(t, "a list is longer than the bytes that hold it");
    }
    return t->fault ? 0 : (size_t)count;
}

static inline void thrift_skip(ThriftReader *t, int type, bool in_list, int depth) {
    if (depth > THRIFT_DEPTH_LIMIT) { thrift_fail(t, "it is nested too deeply"); }
    if (t->fault) { return; }
    size_t bytes;
    int first, second, id = 0;
    switch (type) {
    case THRIFT_TRUE:
    case THRIFT_FALSE: // inside a list a bool takes a byte of its own
        if (in_list) { thrift_byte(t); }
        break;
    case THRIFT_BYTE:
        thrift_byte(t);
        break;
    case THRIFT_I16:
    case THRIFT_I32:
    case THRIFT_I64:
        thrift_varint(t);
        break;
    case THRIFT_DOUBLE:
        for (int i = 0; i < 8; i++) { thrift_byte(t); }
        break;
    case THRIFT_UUID:
        for (int i = 0; i < 16; i++) { thrift_byte(t); }
        break;
    case THRIFT_BINARY:
        thrift_binary(t, type, &bytes);
        break;
    case THRIFT_LIST:
    case THRIFT_SET:
        for (size_t left = thrift_list(t, type, &first); left > 0 && !t->fault; left--) { thrift_skip(t, first, true, depth + 1); }
        break;
    case THRIFT_MAP: {
        uint64_t count = thrift_varint(t);
        unsigned types = count ? thrift_byte(t) : 0;
        first = (int)(types >> 4), second = (int)(types & 15);
        for (; count > 0 && !t->fault; count--) {
            thrift_skip(t, first, true, depth + 1);
            thrift_skip(t, second, true, depth + 1);
        }
        break;
    }
    case THRIFT_STRUCT:
        while (thrift_field(t, &id, &first)) { thrift_skip(t, first, false, depth + 1); }
        break;
    default:
        thrift_fail(t, "a field has a type that Thrift does not know");
    }
}
