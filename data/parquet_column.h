// parquet_column: one column of one row group as a stream of entries (repetition level, definition level, value).
//
// One page is in memory at a time, beside the chunk's dictionary page. A page is: header (Thrift), then stored bytes.
//   v1: everything compressed together:  [u32 length + repetition levels] [u32 length + definition levels] values
//   v2: levels never compressed, lengths in the header:  repetition levels, definition levels, [compressed] values
// Pages are read from the first byte on until the chunk's entries are all there: the sizes and the dictionary offset that
// the footer gives are wrong in real files often enough that nothing is built on them.
#pragma once
#include "parquet_codec.h"
#include "parquet_schema.h"

enum { PAGE_DATA,
       PAGE_INDEX,
       PAGE_DICTIONARY,
       PAGE_DATA_V2 };
#define PARQUET_PAGE_MEMORY_LIMIT (1ull << 30)   // all page buffers and dictionaries of a file together
#define PARQUET_ROW_LIMIT         (256ull << 20) // about the bytes that one row takes as JSON

typedef struct {
    int descriptor;
    const char *path;
    uint64_t data_end;    // where the footer begins
    uint64_t unread;      // bytes of the file that no page has been read from: each is read once
    uint64_t page_memory; // bytes in page buffers and dictionaries now
    uint64_t row_bytes;   // of the row being put together
    int row_group;        // counted from 0, for errors
    Error *error;         // of the call in progress
} ParquetSource;

typedef struct {
    ParquetSource *source;
    const ParquetField *field;
    int codec;
    uint64_t position;    // of the next page header
    int64_t entries_left; // of the chunk
    int64_t page_entries; // left in the page
    uint64_t page_start;  // for errors
    Buffer stored, plain, dictionary_page, text;
    Dictionary dictionary;
    RunReader repetitions, definitions;
    ValueReader values;
    // the current entry
    bool ended;
    int repetition, definition;
    Bytes value; // if definition is the field's own level
} ParquetColumn;

typedef struct {
    int type, plain_size, stored_size, entries, encoding;
    bool has_checksum, is_compressed;
    uint32_t checksum;
    int definition_encoding, repetition_encoding; // v1
    int definition_bytes, repetition_bytes;       // v2
} PageHeader;

__attribute__((format(printf, 2, 3))) static inline bool column_fail(const ParquetColumn *column, const char *format, ...) {
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    return error_set(column->source->error, "%s: row group %d, column %s, page at byte %llu: %s; the file is damaged or not meant for this reader",
                     column->source->path, column->source->row_group, column->field->name, (unsigned long long)column->page_start, what);
}
static inline void column_free(ParquetColumn *column) {
    buffer_free(&column->stored);
    buffer_free(&column->plain);
    buffer_free(&column->dictionary_page);
    buffer_free(&column->text);
    free(column->dictionary.entries);
    *column = (ParquetColumn){0};
}

// ---- bytes from the file
static inline bool source_read(const ParquetSource *source, void *out, size_t bytes, uint64_t position) {
    for (size_t done = 0; done < bytes;) {
        ssize_t got = pread(source->descriptor, (char *)out + done, bytes - done, (off_t)(position + done));
        if (got < 0 && errno == EINTR) { continue; }
        if (got <= 0) { return error_set(source->error, "%s: cannot be read at byte %llu: %s", source->path, (unsigned long long)(position + done), got < 0 ? strerror(errno) : "it became shorter"); }
        done += (size_t)got;
    }
    return true;
}
// Counts what is about to be allocated against the file's budget.
static inline bool column_take_memory(ParquetColumn *column, uint64_t bytes) {
    if (bytes > PARQUET_PAGE_MEMORY_LIMIT - column->source->page_memory) {
        return column_fail(column, "its %llu bytes would take the pages and dictionaries beyond 1 GiB of memory", (unsigned long long)bytes);
    }
    column->source->page_memory += bytes;
    return true;
}
// Makes the buffer hold `bytes`, within the file's budget.
static inline bool column_size_buffer(ParquetColumn *column, Buffer *buffer, size_t bytes) {
    if (bytes + 1 > buffer->capacity) {
        if (!column_take_memory(column, bytes + 1 - buffer->capacity)) { return false; }
        free(buffer->data); // the old contents are not wanted
        *buffer = (Buffer){(char *)host_realloc(NULL, bytes + 1), 0, bytes + 1};
    }
    buffer->size = bytes;
    return true;
}

// ---- page header
// A dictionary page's header begins like a v1 page's: `known` fields are the same.
static inline void page_read_v1(ThriftReader *t, PageHeader *page, int known) {
    int id = 0, type;
    while (thrift_field(t, &id, &type)) {
        switch (id <= known ? id : 0) {
        case 1:
            page->entries = thrift_int32(t, type);
            break;
        case 2:
            page->encoding = thrift_int32(t, type);
            break;
        case 3:
            page->definition_encoding = thrift_int32(t, type);
            break;
        case 4:
            page->repetition_encoding = thrift_int32(t, type);
            break;
        default:
            thrift_skip(t, type, false, 1);
        }
    }
}
static inline void page_read_v2(ThriftReader *t, PageHeader *page) {
    int id = 0, type;
    while (thrift_field(t, &id, &type)) {
        switch (id) {
        case 1:
            page->entries = thrift_int32(t, type);
            break;
        case 4:
            page->encoding = thrift_int32(t, type);
            break;
        case 5:
            page->definition_bytes = thrift_int32(t, type);
            break;
        case 6:
            page->repetition_bytes = thrift_int32(t, type);
            break;
        case 7:
            page->is_compressed = thrift_bool(t, type);
            break;
        default:
            thrift_skip(t, type, false, 1);
        }
    }
}
static inline void page_read_header(ThriftReader *t, PageHeader *page) {
    int id = 0, type;
    *page = (PageHeader){.type = -1, .entries = -1, .encoding = -1, .is_compressed = true};
    while (thrift_field(t, &id, &type)) {
        bool is_struct = type == THRIFT_STRUCT;
        if (id == 1) {
            page->type = thrift_int32(t, type);
        } else if (id == 2) {
            page->plain_size = thrift_int32(t, type);
        } else if (id == 3) {
            page->stored_size = thrift_int32(t, type);
        } else if (id == 4) {
            page->checksum = (uint32_t)thrift_int32(t, type);
            page->has_checksum = true;
        } else if ((id == 5 || id == 7) && is_struct) {
            page_read_v1(t, page, id == 5 ? 4 : 2);
        } else if (id == 8 && is_struct) {
            page_read_v2(t, page);
        } else {
            thrift_skip(t, type, false, 0);
        }
    }
}
// Reads the header at column->position and steps over it. Its length is not known before: statistics may make it long.
static inline bool column_read_header(ParquetColumn *column, PageHeader *page) {
    ParquetSource *source = column->source;
    column->page_start = column->position;
    for (uint64_t window = 256;; window *= 16) {
        uint64_t left = source->data_end > column->position ? source->data_end - column->position : 0;
        size_t bytes = (size_t)(left < window ? left : window);
        if (!column_size_buffer(column, &column->stored, bytes) || !source_read(source, column->stored.data, bytes, column->position)) { return false; }
        ThriftReader t = {.data = (const unsigned char *)column->stored.data, .size = bytes};
        page_read_header(&t, page);
        if (t.needs_more && bytes < left && window < (1 << 24)) { continue; }
        if (t.fault) { return column_fail(column, "the page header cannot be read: %s", t.fault); }
        column->position += t.at;
        break;
    }
    if (page->plain_size < 0 || page->stored_size < 0) { return column_fail(column, "the page has a negative size"); }
    if ((uint64_t)page->stored_size > source->data_end - column->position) {
        return column_fail(column, "the page's %d bytes reach into the footer", page->stored_size);
    }
    // Row groups that share their pages would have them unpacked once for each: the time would grow with the square of the file.
    uint64_t bytes = column->position - column->page_start + (uint64_t)page->stored_size;
    if (bytes > source->unread) { return column_fail(column, "its bytes have been read before: pages overlap"); }
    source->unread -= bytes;
    return true;
}

// ---- page contents
// Reads the stored bytes and checks them; then *plain = the page, whose first `bare` bytes are never compressed.
static inline bool column_read_body(ParquetColumn *column, const PageHeader *page, size_t bare, Buffer *into, Bytes *plain) {
    size_t stored = (size_t)page->stored_size, size = (size_t)page->plain_size;
    if (!column_size_buffer(column, &column->stored, stored) || !source_read(column->source, column->stored.data, stored, column->position)) { return false; }
    const unsigned char *data = (const unsigned char *)column->stored.data;
    if (page->has_checksum && crc32(0, data, (uInt)stored) != page->checksum) {
        return column_fail(column, "the checksum says %08x, the bytes give %08lx", page->checksum, crc32(0, data, (uInt)stored));
    }
    column->position += stored;
    if (bare > stored || bare > size) { return column_fail(column, "the levels are longer than the page"); }
    bool is_plain = column->codec == CODEC_NONE || !page->is_compressed;
    if (is_plain && stored != size) { return column_fail(column, "%zu bytes are stored where %zu are announced", stored, size); }
    if (!parquet_codec_expands(size, stored)) { return column_fail(column, "%zu bytes announce to become %zu", stored, size); }
    if (!column_size_buffer(column, into, size)) { return false; }
    unsigned char *out = (unsigned char *)into->data;
    memcpy(out, data, bare);
    int codec = is_plain ? CODEC_NONE : column->codec;
    if (size > bare && !parquet_codec_decode(codec, out + bare, size - bare, data + bare, stored - bare)) {
        return column_fail(column, "the %s data cannot be decompressed to %zu bytes", parquet_codec_name(codec), size - bare);
    }
    *plain = (Bytes){out, size};
    return true;
}
static inline int level_bits(int greatest) {
    int bits = 0;
    while (greatest >> bits) { bits++; }
    return bits;
}
// Levels of a v1 page: RLE behind a length, or the old BIT_PACKED without one.
static inline bool column_begin_levels(Bytes *rest, RunReader *levels, int greatest, int encoding, int entries) {
    int bits = level_bits(greatest);
    Bytes length, data = {rest->data, 0};
    if (greatest == 0) { return run_begin(levels, data, 0); }
    if (encoding == ENCODING_BIT_PACKED) {
        if (!bytes_take(rest, ((uint64_t)entries * (uint64_t)bits + 7) / 8, &data)) { return false; }
        run_begin_packed(levels, data, bits, true);
        return true;
    }
    return encoding == ENCODING_RLE && bytes_take(rest, 4, &length) && bytes_take(rest, bytes_read_unsigned(length.data, 4), &data) && run_begin(levels, data, bits);
}
static inline bool column_begin_page(ParquetColumn *column, const PageHeader *page) {
    const ParquetField *field = column->field;
    bool is_v2 = page->type == PAGE_DATA_V2, ok;
    size_t bare = 0;
    Bytes rest, levels;
    if (page->entries < 0 || page->entries > column->entries_left) {
        return column_fail(column, "the page announces %d entries where %lld are left", page->entries, (long long)column->entries_left);
    }
    if (is_v2) {
        if (page->definition_bytes < 0 || page->repetition_bytes < 0) { return column_fail(column, "the levels have a negative size"); }
        bare = (size_t)page->definition_bytes + (size_t)page->repetition_bytes;
    }
    if (!column_read_body(column, page, bare, &column->plain, &rest)) { return false; }
    if (is_v2) {
        ok = bytes_take(&rest, (uint64_t)page->repetition_bytes, &levels) && run_begin(&column->repetitions, levels, level_bits(field->repetition_level));
        ok = ok && bytes_take(&rest, (uint64_t)page->definition_bytes, &levels) && run_begin(&column->definitions, levels, level_bits(field->definition_level));
    } else {
        ok = column_begin_levels(&rest, &column->repetitions, field->repetition_level, page->repetition_encoding, page->entries) &&
             column_begin_levels(&rest, &column->definitions, field->definition_level, page->definition_encoding, page->entries);
    }
    if (!ok) { return column_fail(column, "the levels cannot be read"); }
    const char *fault = values_begin(&column->values, field->physical, field->fixed_length, page->encoding, rest, &column->dictionary, &column->text);
    if (fault && page->entries > 0) { return column_fail(column, "it has %s (encoding %d)", fault, page->encoding); }
    column->page_entries = page->entries;
    return true;
}
static inline bool column_read_dictionary(ParquetColumn *column, const PageHeader *page) {
    Bytes plain;
    if (page->encoding != ENCODING_PLAIN && page->encoding != ENCODING_PLAIN_DICTIONARY) { return column_fail(column, "the dictionary has encoding %d", page->encoding); }
    if (!column_read_body(column, page, 0, &column->dictionary_page, &plain)) { return false; }
    // An entry takes more than its value does: 16 bytes for one of a page that packs to nothing.
    size_t entries = page->entries < 0 ? 0 : (size_t)page->entries, held = column->dictionary.capacity;
    if (entries > held && !column_take_memory(column, (entries - held) * sizeof(*column->dictionary.entries))) { return false; }
    if (page->entries < 0 || !dictionary_read(&column->dictionary, column->field->physical, column->field->fixed_length, plain, (size_t)page->entries)) {
        return column_fail(column, "the dictionary of %d values cannot be read", page->entries);
    }
    return true;
}
static inline bool column_next_page(ParquetColumn *column) {
    PageHeader page;
    if (!column_read_header(column, &page)) { return false; }
    if (page.type == PAGE_DATA || page.type == PAGE_DATA_V2) { return column_begin_page(column, &page); }
    if (page.type == PAGE_DICTIONARY) { return column_read_dictionary(column, &page); }
    column->position += (uint64_t)page.stored_size; // an index page, or a kind that does not exist yet
    return true;
}

// ---- entries
// Steps to the next entry. At the end of the chunk `ended` is true and the repetition level is 0, as before a new row.
static inline bool column_advance(ParquetColumn *column) {
    while (column->page_entries == 0) {
        column->ended = column->entries_left == 0;
        column->repetition = 0;
        if (column->ended) { return true; }
        if (!column_next_page(column)) { return false; }
    }
    const ParquetField *field = column->field;
    uint32_t repetition, definition;
    if (!run_next(&column->repetitions, &repetition) || !run_next(&column->definitions, &definition)) { return column_fail(column, "the levels end early"); }
    if (repetition > (uint32_t)field->repetition_level || definition > (uint32_t)field->definition_level) { return column_fail(column, "a level is out of range"); }
    column->repetition = (int)repetition, column->definition = (int)definition;
    column->value = (Bytes){0};
    if (column->definition == field->definition_level && !values_next(&column->values, &column->value)) {
        return column_fail(column, "its values cannot be read (encoding %d)", column->values.encoding);
    }
    column->page_entries--;
    column->entries_left--;
    column->source->row_bytes += 64 * (uint64_t)(1 + field->depth) + column->value.size;
    if (column->source->row_bytes > PARQUET_ROW_LIMIT) { return column_fail(column, "a single row takes more than 256 MiB"); }
    return true;
}

// Reads ColumnChunk and prepares the column for its entries; the first is current afterwards.
static inline bool column_begin_chunk(ParquetColumn *column, ThriftReader *t) {
    int id = 0, type, codec = -1, physical = -1;
    int64_t entries = -1, data_page = -1, dictionary_page = -1;
    bool has_metadata = false, is_elsewhere = false;
    while (thrift_field(t, &id, &type)) {
        if (id == 1) { is_elsewhere = true; }
        if (id != 3 || type != THRIFT_STRUCT) {
            thrift_skip(t, type, false, 0);
            continue;
        }
        has_metadata = true;
        int inner = 0;
        while (thrift_field(t, &inner, &type)) {
            switch (inner) {
            case 1:
                physical = thrift_int32(t, type);
                break;
            case 4:
                codec = thrift_int32(t, type);
                break;
            case 5:
                entries = thrift_integer(t, type);
                break;
            case 9:
                data_page = thrift_integer(t, type);
                break;
            case 11:
                dictionary_page = thrift_integer(t, type);
                break;
            default:
                thrift_skip(t, type, false, 0);
            }
        }
    }
    column->page_start = 0;
    if (t->fault) { return column_fail(column, "the footer cannot be read: %s", t->fault); }
    if (column->field->skipped) { return true; }
    if (is_elsewhere) { return column_fail(column, "its data lies in another file"); }
    if (!has_metadata) { return column_fail(column, "the footer does not describe it (is it encrypted?)"); }
    if (physical != column->field->physical) { return column_fail(column, "its type %d is not the schema's %d", physical, column->field->physical); }
    if (!parquet_codec_known(codec)) { return column_fail(column, "its codec %d (%s) is not supported", codec, parquet_codec_name(codec)); }
    if (entries < 0 || (entries > 0 && data_page < 4)) { return column_fail(column, "it announces %lld entries at byte %lld", (long long)entries, (long long)data_page); }
    column->codec = codec;
    column->position = (uint64_t)(dictionary_page >= 4 && dictionary_page < data_page ? dictionary_page : data_page);
    column->entries_left = entries;
    column->page_entries = 0;
    column->source->page_memory -= column->dictionary.capacity * sizeof(*column->dictionary.entries); // the last chunk's
    free(column->dictionary.entries);
    column->dictionary = (Dictionary){0};
    return column_advance(column);
}
