// records: the rows of a data file as JSON objects, whatever its format.
//
//     .parquet  parquet.h
//     .jsonl    one object per line; empty lines are passed over
//     .json     one array of objects; a .json that does not begin with [ is read as lines
// Parquet and lines are streamed; an array is parsed whole.
#pragma once
#include "llmc/json.h"
#include "parquet.h"

typedef struct {
    char *path;
    ParquetFile *parquet; // one of these three
    FILE *lines;
    json_t *array;
    char *line; // of `lines`
    size_t line_capacity;
    int64_t position; // line or element last delivered, counted from 1
} RecordFile;

static inline void record_file_close(RecordFile *file) {
    if (!file) { return; }
    parquet_close(file->parquet);
    if (file->lines) { fclose(file->lines); }
    json_decref(file->array);
    free(file->line);
    free(file->path);
    free(file);
}
static inline bool path_ends_with(const char *path, const char *ending) {
    size_t length = strlen(path), end = strlen(ending);
    return length >= end && !strcmp(path + length - end, ending);
}
static inline bool record_file_open_text(RecordFile *file, Error *error) {
    struct stat status;
    file->lines = fopen(file->path, "rb");
    if (!file->lines) { return error_set(error, "%s: cannot be opened: %s", file->path, strerror(errno)); }
    if (fstat(fileno(file->lines), &status) != 0 || S_ISDIR(status.st_mode)) { return error_set(error, "%s: is not a file", file->path); }
    if (path_ends_with(file->path, ".jsonl")) { return true; }
    int first = ' ';
    while (first == ' ' || first == '\n' || first == '\r' || first == '\t') { first = getc(file->lines); }
    rewind(file->lines);
    if (first != '[') { return true; }
    fclose(file->lines);
    file->lines = NULL;
    file->array = json_read(file->path, error);
    return file->array != NULL;
}
static inline RecordFile *record_file_open(const char *path, Error *error) {
    RecordFile *file = (RecordFile *)host_alloc(sizeof(RecordFile));
    bool ok;
    file->path = string_copy(path);
    error->text[0] = 0;
    if (path_ends_with(path, ".parquet")) {
        file->parquet = parquet_open(path, error);
        ok = file->parquet != NULL;
    } else if (path_ends_with(path, ".jsonl") || path_ends_with(path, ".json")) {
        ok = record_file_open_text(file, error);
    } else {
        ok = error_set(error, "%s: ends in none of .parquet, .jsonl, .json; rename it after what it holds", path);
    }
    if (ok) { return file; }
    record_file_close(file);
    return NULL;
}

static inline json_t *record_file_next_line(RecordFile *file, Error *error) {
    ssize_t length;
    char what[300];
    while ((length = getline(&file->line, &file->line_capacity, file->lines)) >= 0) {
        file->position++;
        while (length > 0 && strchr(" \t\r\n", file->line[length - 1])) { length--; } // a NUL is no blank: strchr would find one
        if (length == 0) { continue; }
        snprintf(what, sizeof(what), "%.250s, line %lld", file->path, (long long)file->position);
        return json_parse(file->line, (size_t)length, what, error);
    }
    if (ferror(file->lines)) { error_set(error, "%s: cannot be read: %s", file->path, strerror(errno)); }
    return NULL;
}
// The next row, to be released with json_decref, or NULL: at the end error->text is empty, otherwise it says what is wrong.
static inline json_t *record_file_next(RecordFile *file, Error *error) {
    json_t *row;
    error->text[0] = 0;
    if (file->parquet) {
        file->position++;
        return parquet_next_row(file->parquet, error);
    }
    if (file->array) {
        row = json_incref(json_array_get(file->array, (size_t)file->position));
        file->position += row != NULL;
    } else {
        row = record_file_next_line(file, error);
    }
    if (!row || json_is_object(row)) { return row; }
    error_set(error, "%s: row %lld is not a JSON object", file->path, (long long)file->position);
    json_decref(row);
    return NULL;
}
