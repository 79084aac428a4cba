// parquet_write: writes a prompt set as a Parquet file in verl's schema, for the built-in miniature and the tests.
//
// The plainest file that every reader takes: one row group, v1 pages of about 1 MiB, PLAIN encoding, no compression, checksums.
//     data_source, prompt: list of {role, content}, ability, reward_model: {style, ground_truth}, extra_info: {index}
// Every field is required and every prompt has one message, so only the two prompt columns carry levels, a single run each.
#pragma once
#include <zlib.h>
#include "parquet_thrift.h"
#include "parquet_values.h"

typedef struct {
    const char *data_source, *content, *ground_truth; // UTF-8
    int64_t index;
} PromptRow;

// ---- Thrift compact protocol: `last` is the id of the struct's field before
static inline void thrift_put_varint(Buffer *out, uint64_t value) {
    unsigned char bytes[10];
    size_t count = 0;
    for (; value >= 0x80; value >>= 7) { bytes[count++] = (unsigned char)(value | 0x80); }
    bytes[count++] = (unsigned char)value;
    buffer_append(out, bytes, count);
}
static inline void thrift_put_header(Buffer *out, int *last, int id, int type) {
    thrift_put_varint(out, (uint64_t)((id - *last) << 4 | type)); // ids here never jump by 16 and more: always one byte
    *last = id;
}
static inline void thrift_put_zigzag(Buffer *out, int64_t value) { thrift_put_varint(out, (uint64_t)value << 1 ^ (uint64_t)(value >> 63)); }
static inline void thrift_put_integer(Buffer *out, int *last, int id, int type, int64_t value) {
    thrift_put_header(out, last, id, type);
    thrift_put_zigzag(out, value);
}
static inline void thrift_put_text(Buffer *out, const char *text) {
    thrift_put_varint(out, strlen(text));
    buffer_append_text(out, text);
}
static inline void thrift_put_list(Buffer *out, int *last, int id, int element_type, size_t count) {
    thrift_put_header(out, last, id, THRIFT_LIST);
    unsigned char header = (unsigned char)((count < 15 ? count : 15) << 4 | (unsigned)element_type);
    buffer_append(out, &header, 1);
    if (count >= 15) { thrift_put_varint(out, count); }
}
static inline void thrift_put_end(Buffer *out) { buffer_append(out, "", 1); }

// ---- the columns
typedef struct {
    const char *path[4]; // up to NULL
    int physical;
    bool in_list;
} WrittenColumn;
static const WrittenColumn written_columns[] = {
    {{"data_source"}, PHYSICAL_BYTE_ARRAY, false},
    {{"prompt", "list", "element", "role"}, PHYSICAL_BYTE_ARRAY, true},
    {{"prompt", "list", "element", "content"}, PHYSICAL_BYTE_ARRAY, true},
    {{"ability"}, PHYSICAL_BYTE_ARRAY, false},
    {{"reward_model", "style"}, PHYSICAL_BYTE_ARRAY, false},
    {{"reward_model", "ground_truth"}, PHYSICAL_BYTE_ARRAY, false},
    {{"extra_info", "index"}, PHYSICAL_INT64, false},
};
enum { WRITTEN_COLUMNS = sizeof(written_columns) / sizeof(written_columns[0]),
       WRITTEN_PAGE_BYTES = 1 << 20 };

typedef struct {
    const char *name;
    int physical, repetition, children, converted; // -1: none
} WrittenField;
static const WrittenField written_fields[] = {
    {"schema", -1, -1, 5, -1},
    {"data_source", PHYSICAL_BYTE_ARRAY, 0, 0, 0}, // converted 0: UTF8
    {"prompt", -1, 0, 1, 3},                       // 3: LIST
    {"list", -1, 2, 1, -1},                        // repetition 2: repeated
    {"element", -1, 0, 2, -1},
    {"role", PHYSICAL_BYTE_ARRAY, 0, 0, 0},
    {"content", PHYSICAL_BYTE_ARRAY, 0, 0, 0},
    {"ability", PHYSICAL_BYTE_ARRAY, 0, 0, 0},
    {"reward_model", -1, 0, 2, -1},
    {"style", PHYSICAL_BYTE_ARRAY, 0, 0, 0},
    {"ground_truth", PHYSICAL_BYTE_ARRAY, 0, 0, 0},
    {"extra_info", -1, 0, 1, -1},
    {"index", PHYSICAL_INT64, 0, 0, -1},
};
enum { WRITTEN_FIELDS = sizeof(written_fields) / sizeof(written_fields[0]) };

static inline void written_put_value(Buffer *out, int column, const PromptRow *row) {
    const char *const texts[] = {row->data_source, "user", row->content, "math", "rule", row->ground_truth};
    if (written_columns[column].physical == PHYSICAL_INT64) {
        buffer_append(out, &row->index, 8);
        return;
    }
    uint32_t length = (uint32_t)strlen(texts[column]);
    buffer_append(out, &length, 4);
    buffer_append(out, texts[column], length);
}
// Levels of `entries` first and only elements: one RLE run of `level`, one bit wide, behind its length.
static inline void written_put_levels(Buffer *out, size_t entries, unsigned char level) {
    size_t start = out->size;
    uint32_t bytes = 0;
    buffer_append(out, &bytes, 4);
    thrift_put_varint(out, (uint64_t)entries << 1);
    buffer_append(out, &level, 1);
    bytes = (uint32_t)(out->size - start - 4);
    memcpy(out->data + start, &bytes, 4);
}
static inline void written_put_page_header(Buffer *out, const Buffer *page, size_t entries) {
    int last = 0;
    thrift_put_integer(out, &last, 1, THRIFT_I32, 0); // a v1 data page
    thrift_put_integer(out, &last, 2, THRIFT_I32, (int64_t)page->size);
    thrift_put_integer(out, &last, 3, THRIFT_I32, (int64_t)page->size);
    thrift_put_integer(out, &last, 4, THRIFT_I32, (int32_t)crc32(0, (const unsigned char *)page->data, (uInt)page->size));
    thrift_put_header(out, &last, 5, THRIFT_STRUCT);
    last = 0;
    thrift_put_integer(out, &last, 1, THRIFT_I32, (int64_t)entries);
    thrift_put_integer(out, &last, 2, THRIFT_I32, ENCODING_PLAIN);
    thrift_put_integer(out, &last, 3, THRIFT_I32, ENCODING_RLE);
    thrift_put_integer(out, &last, 4, THRIFT_I32, ENCODING_RLE);
    thrift_put_end(out);
    thrift_put_end(out);
}
// Writes one column's pages; returns their bytes.
static inline size_t written_put_column(FILE *file, int column, const PromptRow *rows, size_t count) {
    Buffer page = {0}, values = {0}, header = {0};
    size_t bytes = 0, first = 0;
    for (size_t i = 0; i < count; i++) {
        written_put_value(&values, column, &rows[i]);
        if (values.size < WRITTEN_PAGE_BYTES && i + 1 < count) { continue; }
        size_t entries = i + 1 - first;
        first = i + 1;
        if (written_columns[column].in_list) {
            written_put_levels(&page, entries, 0); // repetition: each begins a row
            written_put_levels(&page, entries, 1); // definition: each is present
        }
        buffer_append(&page, values.data, values.size);
        written_put_page_header(&header, &page, entries);
        fwrite(header.data, 1, header.size, file);
        fwrite(page.data, 1, page.size, file);
        bytes += header.size + page.size;
        buffer_clear(&page);
        buffer_clear(&values);
        buffer_clear(&header);
    }
    buffer_free(&page);
    buffer_free(&values);
    buffer_free(&header);
    return bytes;
}

// ---- the footer
static inline void written_put_schema(Buffer *out) {
    for (int i = 0; i < WRITTEN_FIELDS; i++) {
        const WrittenField *field = &written_fields[i];
        int last = 0;
        if (field->physical >= 0) { thrift_put_integer(out, &last, 1, THRIFT_I32, field->physical); }
        if (field->repetition >= 0) { thrift_put_integer(out, &last, 3, THRIFT_I32, field->repetition); }
        thrift_put_header(out, &last, 4, THRIFT_BINARY);
        thrift_put_text(out, field->name);
        if (field->children > 0) { thrift_put_integer(out, &last, 5, THRIFT_I32, field->children); }
        if (field->converted >= 0) { thrift_put_integer(out, &last, 6, THRIFT_I32, field->converted); }
        thrift_put_end(out);
    }
}
static inline void written_put_chunk(Buffer *out, int column, size_t entries, size_t position, size_t bytes) {
    const char *const *path = written_columns[column].path;
    size_t parts = 0;
    while (parts < 4 && path[parts]) { parts++; }
    int last = 0;
    thrift_put_integer(out, &last, 2, THRIFT_I64, (int64_t)position);
    thrift_put_header(out, &last, 3, THRIFT_STRUCT);
    last = 0;
    thrift_put_integer(out, &last, 1, THRIFT_I32, written_columns[column].physical);
    thrift_put_list(out, &last, 2, THRIFT_I32, 2);
    thrift_put_zigzag(out, ENCODING_PLAIN);
    thrift_put_zigzag(out, ENCODING_RLE);
    thrift_put_list(out, &last, 3, THRIFT_BINARY, parts);
    for (size_t i = 0; i < parts; i++) { thrift_put_text(out, path[i]); }
    thrift_put_integer(out, &last, 4, THRIFT_I32, 0); // uncompressed
    thrift_put_integer(out, &last, 5, THRIFT_I64, (int64_t)entries);
    thrift_put_integer(out, &last, 6, THRIFT_I64, (int64_t)bytes);
    thrift_put_integer(out, &last, 7, THRIFT_I64, (int64_t)bytes);
    thrift_put_integer(out, &last, 9, THRIFT_I64, (int64_t)position);
    thrift_put_end(out);
    thrift_put_end(out);
}

static inline bool parquet_write_prompts(const char *path, const PromptRow *rows, size_t count, Error *error) {
    AtomicFile atomic;
    if (!atomic_file_open(&atomic, path, error)) { return false; }
    size_t position[WRITTEN_COLUMNS], bytes[WRITTEN_COLUMNS], total = 4;
    fwrite("PAR1", 1, 4, atomic.file);
    for (int i = 0; i < WRITTEN_COLUMNS; i++) {
        position[i] = total;
        bytes[i] = written_put_column(atomic.file, i, rows, count);
        total += bytes[i];
    }
    Buffer footer = {0};
    int last = 0;
    thrift_put_integer(&footer, &last, 1, THRIFT_I32, 2); // version
    thrift_put_list(&footer, &last, 2, THRIFT_STRUCT, WRITTEN_FIELDS);
    written_put_schema(&footer);
    thrift_put_integer(&footer, &last, 3, THRIFT_I64, (int64_t)count);
    thrift_put_list(&footer, &last, 4, THRIFT_STRUCT, count > 0);
    if (count > 0) {
        int inner = 0;
        thrift_put_list(&footer, &inner, 1, THRIFT_STRUCT, WRITTEN_COLUMNS);
        for (int i = 0; i < WRITTEN_COLUMNS; i++) { written_put_chunk(&footer, i, count, position[i], bytes[i]); }
        thrift_put_integer(&footer, &inner, 2, THRIFT_I64, (int64_t)(total - 4));
        thrift_put_integer(&footer, &inner, 3, THRIFT_I64, (int64_t)count);
        thrift_put_end(&footer);
    }
    thrift_put_header(&footer, &last, 6, THRIFT_BINARY);
    thrift_put_text(&footer, "grpo.c");
    thrift_put_end(&footer);
    uint32_t length = (uint32_t)footer.size;
    fwrite(footer.data, 1, footer.size, atomic.file);
    fwrite(&length, 1, 4, atomic.file);
    fwrite("PAR1", 1, 4, atomic.file);
    buffer_free(&footer);
    return atomic_file_commit(&atomic, error);
}
