// parquet: reads a Parquet file row by row, each row a JSON object with the file's own nesting.
//
//     ParquetFile *file = parquet_open(path, &error);
//     for (json_t *row; (row = parquet_next_row(file, &error)); json_decref(row)) { ... }   // then look at error.text
//     parquet_close(file);
//
// A file is: "PAR1", row groups, footer (Thrift), u32 length of the footer, "PAR1". A row group holds a chunk of pages for
// each column. Of a row group one page per column is in memory, so memory does not grow with the file.
// Read: codecs none, snappy, gzip, brotli, zstd, lz4, lz4_raw; all encodings of parquet-format 2.12; v1 and v2 pages; checksums
// where the file has them; any nesting of structs, lists and maps. Not read: encrypted files, data in other files, LZO.
//
// The parts, from the bytes up: parquet_thrift.h (metadata), parquet_codec.h (compression), parquet_encoding.h (integers),
// parquet_values.h (values of a page), parquet_schema.h (fields and levels), parquet_column.h (pages to entries),
// parquet_value.h (a value as JSON), and here entries to rows.
#pragma once
#include "parquet_column.h"
#include "parquet_value.h"

typedef struct {
    ParquetSource source;
    char *path;
    Buffer footer;
    ParquetSchema schema;
    ParquetColumn *columns; // one per leaf
    int64_t row_count;      // of the file
    char *created_by;
    ThriftReader row_groups; // stands before the next RowGroup
    size_t row_groups_left, row_group_count;
    int64_t rows_left, rows_delivered; // of the row group; of the file
    bool failed;
} ParquetFile;

static inline void parquet_close(ParquetFile *file) {
    if (!file) { return; }
    for (size_t i = 0; file->columns && i < file->schema.leaf_count; i++) { column_free(&file->columns[i]); }
    free(file->columns);
    parquet_schema_free(&file->schema);
    buffer_free(&file->footer);
    if (file->source.descriptor >= 0) { close(file->source.descriptor); }
    free(file->created_by);
    free(file->path);
    free(file);
}

// ---- opening
static inline bool parquet_read_footer(ParquetFile *file, Error *error) {
    ParquetSource *source = &file->source;
    struct stat status;
    unsigned char head[4], tail[8];
    source->descriptor = open(file->path, O_RDONLY | O_CLOEXEC);
    if (source->descriptor < 0) { return error_set(error, "%s: cannot be opened: %s", file->path, strerror(errno)); }
    if (fstat(source->descriptor, &status) != 0 || !S_ISREG(status.st_mode)) { return error_set(error, "%s: is not a regular file", file->path); }
    uint64_t size = (uint64_t)status.st_size;
    if (size < 12) { return error_set(error, "%s: %llu bytes are too few for a Parquet file", file->path, (unsigned long long)size); }
    if (!source_read(source, head, 4, 0) || !source_read(source, tail, 8, size - 8)) { return false; }
    if (!memcmp(tail + 4, "PARE", 4)) { return error_set(error, "%s: is an encrypted Parquet file, which is not supported; write it without encryption", file->path); }
    if (memcmp(tail + 4, "PAR1", 4) != 0) {
        return error_set(error, "%s: does not end in PAR1, so it is not a Parquet file, or it was cut short; fetch it again", file->path);
    }
    if (memcmp(head, "PAR1", 4) != 0) { return error_set(error, "%s: ends like a Parquet file but does not begin with PAR1; fetch it again", file->path); }
    uint64_t length = bytes_read_unsigned(tail, 4);
    if (length > size - 12) { return error_set(error, "%s: announces a footer of %llu bytes in a file of %llu", file->path, (unsigned long long)length, (unsigned long long)size); }
    source->data_end = source->unread = size - 8 - length;
    buffer_reserve(&file->footer, (size_t)length);
    file->footer.size = (size_t)length;
    return source_read(source, file->footer.data, (size_t)length, source->data_end);
}
static inline bool parquet_parse_footer(ParquetFile *file, Error *error) {
    ThriftReader t = {.data = (const unsigned char *)file->footer.data, .size = file->footer.size};
    int id = 0, type, element_type;
    const char *fault = NULL, *text;
    size_t bytes;
    file->row_count = -1;
    while (!fault && thrift_field(&t, &id, &type)) {
        if (id == 2 && !file->schema.fields) {
            fault = parquet_schema_read(&file->schema, &t, type);
        } else if (id == 3) {
            file->row_count = thrift_integer(&t, type);
        } else if (id == 4) { // stepped over now, read one by one later
            file->row_group_count = thrift_list(&t, type, &element_type);
            if (element_type != THRIFT_STRUCT && file->row_group_count > 0) { fault = "the row groups are no structs"; }
            file->row_groups = t;
            for (size_t i = 0; i < file->row_group_count && !t.fault; i++) { thrift_skip(&t, THRIFT_STRUCT, true, 0); }
        } else if (id == 6 && !file->created_by) {
            text = thrift_binary(&t, type, &bytes);
            file->created_by = strndup(text, bytes);
        } else if (id == 8) {
            fault = "the columns are encrypted";
        } else {
            thrift_skip(&t, type, false, 0);
        }
    }
    fault = fault ? fault : t.fault            ? t.fault
                        : !file->schema.fields ? "the schema is missing"
                        : file->row_count < 0  ? "the number of rows is missing"
                                               : NULL;
    file->row_groups_left = file->row_group_count;
    return !fault || error_set(error, "%s: the footer cannot be read: %s", file->path, fault);
}
static inline ParquetFile *parquet_open(const char *path, Error *error) {
    ParquetFile *file = (ParquetFile *)host_alloc(sizeof(ParquetFile));
    file->path = string_copy(path);
    file->source = (ParquetSource){.descriptor = -1, .path = file->path, .row_group = -1, .error = error};
    error->text[0] = 0;
    if (!parquet_read_footer(file, error) || !parquet_parse_footer(file, error)) {
        parquet_close(file);
        return NULL;
    }
    file->columns = (ParquetColumn *)host_alloc(file->schema.leaf_count * sizeof(ParquetColumn));
    for (size_t i = 0; i < file->schema.leaf_count; i++) {
        file->columns[i].source = &file->source;
        file->columns[i].field = &file->schema.fields[file->schema.leaves[i]];
    }
    return file;
}
static inline bool parquet_has_column(const ParquetFile *file, const char *name) {
    for (size_t i = 1; i < file->schema.count; i = file->schema.fields[i].next) {
        if (!strcmp(file->schema.fields[i].name, name)) { return true; }
    }
    return false;
}
// Reads only the named top-level columns; those that the file lacks are ignored. Returns how many it has. Call before the first row.
static inline int parquet_select(ParquetFile *file, const char *const *names, int count) {
    ParquetSchema *schema = &file->schema;
    int found = 0;
    for (size_t i = 1; i < schema->count; i = schema->fields[i].next) {
        bool wanted = false;
        for (int n = 0; n < count; n++) { wanted = wanted || !strcmp(schema->fields[i].name, names[n]); }
        for (size_t below = i; below < schema->fields[i].next; below++) { schema->fields[below].skipped = !wanted; }
        found += wanted;
    }
    return found;
}

// ---- entries to rows
// An absent field takes one entry from each column below it, all saying that it ends one level above.
static inline bool parquet_take_absent(ParquetFile *file, const ParquetField *field) {
    for (size_t i = field->first_leaf; i < field->first_leaf + field->leaf_count; i++) {
        ParquetColumn *column = &file->columns[i];
        if (column->ended || column->definition != field->definition_level - 1) { return column_fail(column, "it disagrees with its neighbours about what is null"); }
        if (!column_advance(column)) { return false; }
    }
    return true;
}
// Whether another element of the repeated field follows; all columns below must say the same. 1, 0, or -1 for an error.
static inline int parquet_element_follows(ParquetFile *file, const ParquetField *field) {
    bool follows = file->columns[field->first_leaf].repetition == field->repetition_level;
    for (size_t i = field->first_leaf; i < field->first_leaf + field->leaf_count; i++) {
        ParquetColumn *column = &file->columns[i];
        bool same = follows ? column->repetition == field->repetition_level : column->repetition < field->repetition_level;
        if (!same) {
            column_fail(column, "it disagrees with its neighbours about the length of a list");
            return -1;
        }
    }
    return follows;
}

static inline json_t *parquet_take(ParquetFile *file, size_t at);

static inline json_t *parquet_take_struct(ParquetFile *file, size_t at) {
    const ParquetField *fields = file->schema.fields;
    json_t *object = json_object();
    for (size_t i = at + 1; i < fields[at].next; i = fields[i].next) {
        if (fields[i].skipped) { continue; }
        json_t *value = parquet_take(file, i);
        if (!value || json_object_set_new(object, fields[i].name, value) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}
// A map with text keys becomes an object; of equal keys the last counts. Takes over `entries`, the list of {key, value}.
static inline json_t *parquet_map_from_entries(json_t *entries, const char *key_name, const char *value_name) {
    json_t *map = json_object(), *entry;
    size_t i;
    json_array_foreach(entries, i, entry) {
        json_t *key = json_object_get(entry, key_name); // null in files that break the standard: "null", as Python's json has it
        json_object_setn(map, key && json_is_string(key) ? json_string_value(key) : "null", key && json_is_string(key) ? json_string_length(key) : 4, json_object_get(entry, value_name));
    }
    json_decref(entries);
    return map;
}
// The value of a field that is present.
static inline json_t *parquet_take_present(ParquetFile *file, size_t at) {
    const ParquetField *field = &file->schema.fields[at];
    if (field->is_element_wrapper) { return parquet_take(file, at + 1); }
    if (field->shape == SHAPE_STRUCT) { return parquet_take_struct(file, at); }
    if (field->shape == SHAPE_LIST) { return parquet_take(file, at + 1); }
    if (field->shape == SHAPE_MAP) {
        json_t *entries = parquet_take(file, at + 1);
        return entries ? parquet_map_from_entries(entries, field[2].name, file->schema.fields[field[2].next].name) : NULL;
    }
    ParquetColumn *column = &file->columns[field->first_leaf];
    if (column->ended || column->definition != field->definition_level) {
        column_fail(column, "it disagrees with its neighbours about what is null");
        return NULL;
    }
    json_t *value = parquet_value_json(field, column->value);
    if (!value) {
        column_fail(column, "a text of %zu bytes is not valid UTF-8", column->value.size);
    } else if (!column_advance(column)) {
        json_decref(value);
        return NULL;
    }
    return value;
}
// The value of a field: null where it is absent, an array where it is repeated. NULL: error.
static inline json_t *parquet_take(ParquetFile *file, size_t at) {
    const ParquetField *field = &file->schema.fields[at];
    bool is_present = file->columns[field->first_leaf].definition >= field->definition_level;
    if (field->repetition == REQUIRED) { return parquet_take_present(file, at); }
    if (field->repetition == OPTIONAL) {
        return is_present ? parquet_take_present(file, at) : parquet_take_absent(file, field) ? json_null()
                                                                                              : NULL;
    }
    json_t *array = json_array();
    int more = is_present ? 1 : parquet_take_absent(file, field) ? 0
                                                                 : -1;
    while (more == 1) {
        json_t *element = parquet_take_present(file, at);
        more = element && json_array_append_new(array, element) == 0 ? parquet_element_follows(file, field) : -1;
    }
    if (more == 0) { return array; }
    json_decref(array);
    return NULL;
}

// ---- row groups
static inline bool parquet_begin_row_group(ParquetFile *file, Error *error) {
    ThriftReader *t = &file->row_groups;
    int id = 0, type, element_type;
    size_t found = 0;
    int64_t rows = -1;
    file->row_groups_left--;
    file->source.row_group++;
    file->source.row_bytes = 0;
    while (thrift_field(t, &id, &type)) {
        if (id == 3) {
            rows = thrift_integer(t, type);
        } else if (id == 1) {
            found = thrift_list(t, type, &element_type);
            if (found != file->schema.leaf_count || element_type != THRIFT_STRUCT) { break; }
            for (size_t i = 0; i < found; i++) {
                if (!column_begin_chunk(&file->columns[i], t)) { return false; }
            }
        } else {
            thrift_skip(t, type, false, 0);
        }
    }
    if (t->fault || found != file->schema.leaf_count || rows < 0) {
        return error_set(error, "%s: row group %d has %zu columns where the schema has %zu, or cannot be read%s%s", file->path, file->source.row_group,
                         found, file->schema.leaf_count, t->fault ? ": " : "", t->fault ? t->fault : "");
    }
    file->rows_left = rows;
    return true;
}
// Every column must end with the rows, and begin each row.
static inline bool parquet_columns_agree(ParquetFile *file, bool ended) {
    bool any = false;
    for (size_t i = 0; i < file->schema.leaf_count; i++) {
        ParquetColumn *column = &file->columns[i];
        if (column->field->skipped) { continue; }
        any = true;
        if (column->ended != ended) { return column_fail(column, ended ? "it goes on beyond the %lld rows of its row group" : "it ends before row %lld", (long long)file->rows_delivered); }
        if (column->repetition != 0) { return column_fail(column, "row %lld begins in the middle of a list", (long long)file->rows_delivered); }
    }
    return any || error_set(file->source.error, "%s: no column is left to read", file->path);
}
// The next row, to be released with json_decref, or NULL: at the end error->text is empty, otherwise it says what is wrong.
static inline json_t *parquet_next_row(ParquetFile *file, Error *error) {
    error->text[0] = 0;
    file->source.error = error;
    if (file->failed) { error_set(error, "%s: reading on after an error", file->path); }
    bool ok = !file->failed;
    while (ok && file->rows_left == 0 && file->row_groups_left > 0) {
        ok = parquet_begin_row_group(file, error) && (file->rows_left > 0 || parquet_columns_agree(file, true));
    }
    json_t *row = NULL;
    if (ok && file->rows_left > 0) {
        file->source.row_bytes = 0;
        row = parquet_columns_agree(file, false) ? parquet_take_struct(file, 0) : NULL;
        file->rows_left--;
        file->rows_delivered++;
        ok = row && (file->rows_left > 0 || parquet_columns_agree(file, true));
    } else if (ok && file->rows_delivered < file->row_count) {
        ok = error_set(error, "%s: holds %lld rows where its footer announces %lld", file->path, (long long)file->rows_delivered, (long long)file->row_count);
    }
    file->failed = !ok;
    if (ok) { return row; }
    json_decref(row);
    if (error->text[0] == 0) { error_set(error, "%s: row %lld cannot be put together", file->path, (long long)file->rows_delivered); }
    return NULL;
}
