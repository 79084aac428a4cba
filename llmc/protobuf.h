// protobuf: writing protocol-buffer messages (protobuf.dev/programming-guides/encoding) into a Buffer, for the TensorBoard and W&B files.
// A field is a key, field number << 3 | wire type, then a varint (type 0), 8 bytes (1), a counted run of bytes (2) or 4 bytes (5).
// A message inside a message is written into its own Buffer first, because its length stands before it.
#pragma once
#include "llmc/common.h"

static inline void proto_varint(Buffer *out, uint64_t value) { // 7 bits at a time, lowest first, the top bit says that more follow
    do {
        unsigned char byte = (unsigned char)((value & 0x7F) | (value > 0x7F ? 0x80 : 0));
        buffer_append(out, &byte, 1);
    } while (value >>= 7);
}
static inline void proto_key(Buffer *out, int field, int wire_type) { proto_varint(out, (uint64_t)field << 3 | (uint64_t)wire_type); }
static inline void proto_int(Buffer *out, int field, int64_t value) {
    proto_key(out, field, 0);
    proto_varint(out, (uint64_t)value);
}
static inline void proto_double(Buffer *out, int field, double value) {
    proto_key(out, field, 1);
    buffer_append(out, &value, sizeof(value)); // little-endian, like every machine this runs on
}
static inline void proto_float(Buffer *out, int field, float value) {
    proto_key(out, field, 5);
    buffer_append(out, &value, sizeof(value));
}
static inline void proto_bytes(Buffer *out, int field, const void *data, size_t bytes) {
    proto_key(out, field, 2);
    proto_varint(out, bytes);
    buffer_append(out, data, bytes);
}
static inline void proto_text(Buffer *out, int field, const char *text) { proto_bytes(out, field, text, strlen(text)); }
static inline void proto_message(Buffer *out, int field, Buffer *message) { // and empties it for the next one
    proto_bytes(out, field, message->data, message->size);
    buffer_clear(message);
}
