// parquet: every encoding and codec by hand, small files of pyarrow's, our own writer, damaged files, and real ones when they are there.
#include <dirent.h>
#include <lz4.h>
#include <snappy-c.h>
#include "check.h"
#include "data/parquet.h"
#include "data/parquet_write.h"
#include "data/records.h"
#include "parquet_fixtures.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))
static char folder[] = "/tmp/test_parquet.XXXXXX", path[sizeof(folder) + 32];

static void write_bytes(const void *data, size_t bytes) {
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, bytes, file) != bytes || fclose(file) != 0) { fatal("%s: cannot be written", path); }
}
// All rows as an array; error->text tells whether that is all.
static json_t *read_rows(const char *file_path, Error *error) {
    json_t *rows = json_array();
    ParquetFile *file = parquet_open(file_path, error);
    if (!file) { return rows; }
    for (json_t *row; (row = parquet_next_row(file, error));) { json_array_append_new(rows, row); }
    parquet_close(file);
    return rows;
}
static void check_rows(const json_t *got, const json_t *want, const char *what, const Error *error) {
    check(error->text[0] == 0, "%s: %s", what, error->text);
    check(json_array_size(got) == json_array_size(want), "%s: %zu rows, want %zu", what, json_array_size(got), json_array_size(want));
    for (size_t i = 0; i < json_array_size(want); i++) {
        char *text = json_dumps(json_array_get(got, i), JSON_COMPACT | JSON_ENCODE_ANY), *expected = json_dumps(json_array_get(want, i), JSON_COMPACT);
        check(json_equal(json_array_get(got, i), json_array_get(want, i)), "%s, row %zu: got %.300s, want %.300s", what, i, text ? text : "nothing", expected);
        free(text);
        free(expected);
    }
}

// ---- integers under the pages
static void check_runs(void) {
    // parquet-format, Encodings.md: 0 .. 7 in 3 bits are 88 C6 FA; then five times 2
    const unsigned char hybrid[] = {0x03, 0x88, 0xC6, 0xFA, 0x0A, 0x02};
    RunReader runs;
    uint32_t value;
    check(run_begin(&runs, (Bytes){hybrid, sizeof(hybrid)}, 3), "hybrid begins");
    for (uint32_t i = 0; i < 13; i++) { check(run_next(&runs, &value) && value == (i < 8 ? i : 2), "hybrid value %u", i); }
    check(!run_next(&runs, &value), "hybrid ends");
    const unsigned char from_top[] = {0x05, 0x39, 0x77}; // the same document's BIT_PACKED example
    run_begin_packed(&runs, (Bytes){from_top, sizeof(from_top)}, 3, true);
    for (uint32_t i = 0; i < 8; i++) { check(run_next(&runs, &value) && value == i, "packed from the top, value %u", i); }
    const unsigned char wide[] = {0x02, 0xFF, 0xFF, 0xFF, 0xFF}, too_wide[] = {0x02, 0x04};
    check(run_begin(&runs, (Bytes){wide, 5}, 32) && run_next(&runs, &value) && value == UINT32_MAX, "32 bits");
    check(run_begin(&runs, (Bytes){too_wide, 2}, 2) && !run_next(&runs, &value), "a run's value beyond its width is refused");
    check(!run_begin(&runs, (Bytes){wide, 5}, 33), "33 bits are refused");
    check(run_begin(&runs, (Bytes){NULL, 0}, 0) && run_next(&runs, &value) && value == 0, "no bits: zeros");
}
static void check_deltas(void) {
    // 7, 5, 3, 1, 2, 3, 4, 5 (Encodings.md, second example): one block of 128 in 4 miniblocks, smallest difference -2, 2 bits
    const unsigned char deltas[] = {0x80, 0x01, 0x04, 0x08, 0x0E, 0x03, 0x02, 0x00, 0x00, 0x00, 0xC0, 0x3F, 0, 0, 0, 0, 0, 0, 0xAA};
    const int64_t want[] = {7, 5, 3, 1, 2, 3, 4, 5};
    DeltaReader delta;
    Bytes after;
    int64_t value;
    check(delta_begin(&delta, (Bytes){deltas, sizeof(deltas)}), "deltas begin");
    check(delta_after(&delta, &after) && after.size == 1 && after.data[0] == 0xAA, "what follows the deltas is found");
    for (int i = 0; i < 8; i++) { check(delta_next(&delta, &value) && value == want[i], "delta value %d", i); }
    check(!delta_next(&delta, &value), "deltas end");
    const unsigned char no_miniblocks[] = {0x80, 0x01, 0x00, 0x08, 0x0E}, cut[] = {0x80, 0x01, 0x04, 0x08, 0x0E, 0x03};
    check(!delta_begin(&delta, (Bytes){no_miniblocks, 5}), "no miniblocks are refused");
    check(delta_begin(&delta, (Bytes){cut, 6}) && delta_next(&delta, &value) && !delta_next(&delta, &value), "cut deltas end");
    check(bits_read((Bytes){(const unsigned char *)"\0\0\0\0\0\0\0\0\x01", 9}, 1, 64) == 1ull << 63, "64 bits from bit 1");
    check(bits_read((Bytes){(const unsigned char *)"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", 9}, 7, 64) == UINT64_MAX, "64 bits across nine bytes");
}

// ---- codecs, against the libraries' own compressors where they are linked; gzip in two members, Hadoop's LZ4 in two blocks
static void check_codecs(void) {
    enum { PLAIN = 300 };
    unsigned char plain[PLAIN], stored[2000], out[PLAIN];
    size_t size = sizeof(stored);
    for (int i = 0; i < PLAIN; i++) { plain[i] = (unsigned char)(i % 7 * i / 9); }
    snappy_compress((const char *)plain, PLAIN, (char *)stored, &size);
    check(parquet_codec_decode(CODEC_SNAPPY, out, PLAIN, stored, size) && !memcmp(out, plain, PLAIN), "snappy");
    check(!parquet_codec_decode(CODEC_SNAPPY, out, PLAIN - 1, stored, size), "snappy: one byte more than announced");
    check(!parquet_codec_decode(CODEC_SNAPPY, out, PLAIN, stored, size - 1), "snappy: cut");
    size = ZSTD_compress(stored, sizeof(stored), plain, PLAIN, 3);
    check(parquet_codec_decode(CODEC_ZSTD, out, PLAIN, stored, size) && !memcmp(out, plain, PLAIN), "zstd");
    check(!parquet_codec_decode(CODEC_ZSTD, out, PLAIN - 1, stored, size), "zstd: one byte more than announced");
    size = 0;
    for (int part = 0; part < 2; part++) {
        z_stream stream = {0};
        deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
        stream.next_in = plain + part * 100, stream.avail_in = part ? 200 : 100;
        stream.next_out = stored + size, stream.avail_out = (uInt)(sizeof(stored) - size);
        deflate(&stream, Z_FINISH);
        size += stream.total_out;
        deflateEnd(&stream);
    }
    memset(out, 0, PLAIN);
    check(parquet_codec_decode(CODEC_GZIP, out, PLAIN, stored, size) && !memcmp(out, plain, PLAIN), "gzip in two members");
    check(!parquet_codec_decode(CODEC_GZIP, out, PLAIN - 1, stored, size), "gzip: one byte more than announced");
    size = (size_t)LZ4_compress_default((const char *)plain, (char *)stored, PLAIN, sizeof(stored));
    memset(out, 0, PLAIN);
    check(parquet_codec_decode(CODEC_LZ4_RAW, out, PLAIN, stored, size) && !memcmp(out, plain, PLAIN), "lz4_raw");
    memset(out, 0, PLAIN);
    check(parquet_codec_decode(CODEC_LZ4_HADOOP, out, PLAIN, stored, size) && !memcmp(out, plain, PLAIN), "lz4 without Hadoop's sizes");
    size = 0;
    for (int part = 0; part < 2; part++) {
        int bytes = LZ4_compress_default((const char *)plain + part * 100, (char *)stored + size + 8, part ? 200 : 100, (int)(sizeof(stored) - size - 8));
        const unsigned char head[8] = {0, 0, 0, part ? 200 : 100, 0, 0, (unsigned char)(bytes >> 8), (unsigned char)bytes};
        memcpy(stored + size, head, 8);
        size += 8 + (size_t)bytes;
    }
    memset(out, 0, PLAIN);
    check(parquet_codec_decode(CODEC_LZ4_HADOOP, out, PLAIN, stored, size) && !memcmp(out, plain, PLAIN), "lz4 with Hadoop's sizes");
    check(!parquet_codec_decode(CODEC_LZ4_HADOOP, out, PLAIN, stored, size - 1), "lz4 with Hadoop's sizes: cut");
    check(!parquet_codec_known(CODEC_LZO) && !parquet_codec_known(99), "LZO and what comes after are not known");
    check(!parquet_codec_expands(2000000000, 10), "2 GB from 10 bytes are refused");
}

// ---- whole files
static void check_fixtures(void) {
    Error error = {""};
    for (int f = 0; f < COUNT(parquet_fixtures); f++) {
        write_bytes(parquet_fixtures[f].data, parquet_fixtures[f].size);
        json_t *want = json_loads(parquet_fixtures[f].rows, 0, NULL), *got = read_rows(path, &error);
        check_rows(got, want, parquet_fixtures[f].name, &error);
        json_decref(want);
        json_decref(got);
    }
}
static void check_selection(void) {
    static const char *const names[] = {"last", "absent"};
    Error error;
    write_bytes(parquet_fixtures[2].data, parquet_fixtures[2].size);
    ParquetFile *file = parquet_open(path, &error);
    check(file && parquet_select(file, names, 2) == 1, "one of two names is a column");
    json_t *row = file ? parquet_next_row(file, &error) : NULL;
    check(json_object_size(row) == 1 && json_object_get(row, "last"), "only that column is delivered");
    json_decref(row);
    parquet_close(file);
}
static void check_writer(void) {
    enum { ROWS = 20000 };
    Error error = {""};
    char *long_text = (char *)host_alloc(400);
    memset(long_text, 'x', 399);
    PromptRow *rows = (PromptRow *)host_alloc(ROWS * sizeof(PromptRow));
    for (int i = 0; i < ROWS; i++) { rows[i] = (PromptRow){"made", i % 2 ? "What is 1 + 1? é😀 \"q\"" : long_text, "\\frac{1}{2}", i - 1}; }
    check(parquet_write_prompts(path, rows, ROWS, &error), "written: %s", error.text);
    ParquetFile *file = parquet_open(path, &error);
    if (!check(file != NULL, "opened: %s", error.text)) { return; }
    int count = 0;
    uint64_t early = 0;
    for (json_t *row; (row = parquet_next_row(file, &error)); count++) {
        const char *source, *role, *content, *ability, *style, *truth;
        json_int_t index;
        int bad = json_unpack(row, "{s:s, s:[{s:s, s:s}!], s:s, s:{s:s, s:s!}, s:{s:I!}!}", "data_source", &source, "prompt", "role", &role, "content", &content, "ability",
                              &ability, "reward_model", "style", &style, "ground_truth", &truth, "extra_info", "index", &index);
        check(!bad && !strcmp(source, "made") && !strcmp(role, "user") && !strcmp(content, rows[count].content) && !strcmp(ability, "math") && !strcmp(style, "rule") &&
                  !strcmp(truth, rows[count].ground_truth) && index == rows[count].index,
              "our own file, row %d", count);
        json_decref(row);
        if (count == ROWS / 2) { early = file->source.page_memory; }
    }
    check(error.text[0] == 0 && count == ROWS, "our own file has %d rows (%s)", count, error.text);
    check(file->source.page_memory <= early && early < 16u << 20, "the second half takes no more memory: %llu after %llu", (unsigned long long)file->source.page_memory, (unsigned long long)early);
    parquet_close(file);
    check(parquet_write_prompts(path, rows, 0, &error), "an empty set is written");
    json_t *none = read_rows(path, &error);
    check(json_array_size(none) == 0 && error.text[0] == 0, "an empty set is read: %s", error.text);
    json_decref(none);
    free(rows);
    free(long_text);
}

// ---- damage: a file that is cut or has a bit changed gives rows or one error that names it, never a crash
static int read_damaged(void) { // 1: an error
    Error error = {""};
    json_t *rows = read_rows(path, &error);
    json_decref(rows);
    check(error.text[0] == 0 || !strncmp(error.text, path, strlen(path)), "the error names the file: %s", error.text);
    return error.text[0] != 0;
}
static int read_changed(int descriptor, const unsigned char *data, size_t at, int bit) { // in place: thousands of new files would take long
    unsigned char changed = (unsigned char)(data[at] ^ 1u << bit);
    bool written = pwrite(descriptor, &changed, 1, (off_t)at) == 1;
    int errors = read_damaged();
    check(written && pwrite(descriptor, &data[at], 1, (off_t)at) == 1, "byte %zu was changed and put back", at);
    return errors;
}
static void check_damage(void) {
    int cut = 0, cut_errors = 0, flipped = 0, flipped_errors = 0;
    for (int f = 0; f < COUNT(parquet_fixtures); f++) {
        const ParquetFixture *fixture = &parquet_fixtures[f];
        write_bytes(fixture->data, fixture->size);
        int descriptor = open(path, O_RDWR);
        for (size_t at = 0; at < fixture->size; at++, flipped++) { flipped_errors += read_changed(descriptor, fixture->data, at, (int)(at % 8)); }
        for (size_t size = (fixture->size - 1) / 97 * 97;; size -= 97, cut++) {
            check(ftruncate(descriptor, (off_t)size) == 0, "cut to %zu bytes", size);
            cut_errors += read_damaged();
            if (size == 0) { break; }
        }
        cut++;
        close(descriptor);
    }
    check(cut_errors == cut, "every cut file is an error: %d of %d", cut_errors, cut);
    // With checksums every changed page byte is found; without, and in parts of the footer that are not used, it may pass.
    check(flipped_errors > flipped / 3, "most changed bits are an error: %d of %d", flipped_errors, flipped);
    printf("ok   damage: %d cuts, %d of %d changed bits are errors\n", cut, flipped_errors, flipped);
    const ParquetFixture *checked = &parquet_fixtures[0]; // flat_v1_plain: its pages carry checksums
    write_bytes(checked->data, checked->size);
    int descriptor = open(path, O_RDWR);
    const unsigned char *value = memmem(checked->data, checked->size, "plain", 5);
    check(value && read_changed(descriptor, checked->data, (size_t)(value - checked->data), 0) == 1, "a changed value is found by its checksum");
    close(descriptor);
}

// Behind "PAR1" and pages that begin at byte 4: the footer of row groups of one row with one column, all with these pages. Written to `path`.
static void write_one_column(Buffer *file, int row_groups, int physical, int repetition, int codec, int64_t entries) {
    Buffer footer = {0};
    int last = 0, field = 0;
    thrift_put_list(&footer, &last, 2, THRIFT_STRUCT, 2);
    thrift_put_header(&footer, &field, 4, THRIFT_BINARY);
    thrift_put_text(&footer, "root");
    thrift_put_integer(&footer, &field, 5, THRIFT_I32, 1);
    thrift_put_end(&footer);
    field = 0;
    thrift_put_integer(&footer, &field, 1, THRIFT_I32, physical);
    thrift_put_integer(&footer, &field, 2, THRIFT_I32, 1); // the length of a fixed one
    thrift_put_integer(&footer, &field, 3, THRIFT_I32, repetition);
    thrift_put_header(&footer, &field, 4, THRIFT_BINARY);
    thrift_put_text(&footer, "numbers");
    thrift_put_end(&footer);
    thrift_put_integer(&footer, &last, 3, THRIFT_I64, row_groups);
    thrift_put_list(&footer, &last, 4, THRIFT_STRUCT, (size_t)row_groups);
    for (int i = 0; i < row_groups; i++) {
        int group = 0, chunk = 0, column = 0;
        thrift_put_list(&footer, &group, 1, THRIFT_STRUCT, 1);
        thrift_put_header(&footer, &chunk, 3, THRIFT_STRUCT);
        thrift_put_integer(&footer, &column, 1, THRIFT_I32, physical);
        thrift_put_integer(&footer, &column, 4, THRIFT_I32, codec);
        thrift_put_integer(&footer, &column, 5, THRIFT_I64, entries);
        thrift_put_integer(&footer, &column, 9, THRIFT_I64, 4);
        thrift_put_end(&footer);
        thrift_put_end(&footer);
        thrift_put_integer(&footer, &group, 3, THRIFT_I64, 1);
        thrift_put_end(&footer);
    }
    thrift_put_end(&footer);
    uint32_t length = (uint32_t)footer.size;
    buffer_append(file, footer.data, footer.size);
    buffer_append(file, &length, 4);
    buffer_append_text(file, "PAR1");
    write_bytes(file->data, file->size);
    buffer_free(&footer);
}
// A hundred bytes that stand for one row of 2^31 - 1 numbers: a dictionary of one value, indices of no bits, runs of levels.
static void check_bomb(void) {
    const unsigned char levels[] = {6, 0, 0, 0, 0xFE, 0xFF, 0xFF, 0xFF, 0x0F, 1}; // length; a run of 2^31 - 1 ones
    const unsigned char repetition[] = {8, 0, 0, 0, 2, 0, 0xFC, 0xFF, 0xFF, 0xFF, 0x0F, 1};
    Buffer file = {0};
    buffer_append_text(&file, "PAR1");
    for (int is_data = 0; is_data < 2; is_data++) {
        int last = 0, inner = 0, bytes = is_data ? (int)(sizeof(repetition) + sizeof(levels) + 1) : 4;
        thrift_put_integer(&file, &last, 1, THRIFT_I32, is_data ? PAGE_DATA : PAGE_DICTIONARY);
        thrift_put_integer(&file, &last, 2, THRIFT_I32, bytes);
        thrift_put_integer(&file, &last, 3, THRIFT_I32, bytes);
        thrift_put_header(&file, &last, is_data ? 5 : 7, THRIFT_STRUCT);
        thrift_put_integer(&file, &inner, 1, THRIFT_I32, is_data ? INT32_MAX : 1);
        thrift_put_integer(&file, &inner, 2, THRIFT_I32, is_data ? ENCODING_RLE_DICTIONARY : ENCODING_PLAIN);
        if (is_data) {
            thrift_put_integer(&file, &inner, 3, THRIFT_I32, ENCODING_RLE);
            thrift_put_integer(&file, &inner, 4, THRIFT_I32, ENCODING_RLE);
        }
        thrift_put_end(&file);
        thrift_put_end(&file);
        buffer_append(&file, is_data ? (const char *)repetition : "\x2A\0\0\0", is_data ? sizeof(repetition) : 4);
        if (is_data) { buffer_append(&file, levels, sizeof(levels)); }
        if (is_data) { buffer_append(&file, "\0", 1); }
    }
    write_one_column(&file, 1, PHYSICAL_INT32, REPEATED, CODEC_NONE, INT32_MAX);
    Error error = {""};
    json_t *rows = read_rows(path, &error);
    check(json_array_size(rows) == 0 && strstr(error.text, "a single row takes more than"), "a row of 2^31 numbers is refused: %s", error.text);
    json_decref(rows);
    buffer_free(&file);
}
// Two kilobytes that become a dictionary of 2^26 values of one byte each: as entries they would take a gibibyte.
static void check_dictionary_bomb(void) {
    const int values = 1 << 26;
    char *zeros = (char *)host_alloc((size_t)values);
    Buffer file = {0}, stored = {0};
    buffer_reserve(&stored, ZSTD_compressBound((size_t)values));
    stored.size = ZSTD_compress(stored.data, stored.capacity, zeros, (size_t)values, 1);
    int last = 0, inner = 0;
    buffer_append_text(&file, "PAR1");
    thrift_put_integer(&file, &last, 1, THRIFT_I32, PAGE_DICTIONARY);
    thrift_put_integer(&file, &last, 2, THRIFT_I32, values);
    thrift_put_integer(&file, &last, 3, THRIFT_I32, (int64_t)stored.size);
    thrift_put_header(&file, &last, 7, THRIFT_STRUCT);
    thrift_put_integer(&file, &inner, 1, THRIFT_I32, values);
    thrift_put_integer(&file, &inner, 2, THRIFT_I32, ENCODING_PLAIN);
    thrift_put_end(&file);
    thrift_put_end(&file);
    buffer_append(&file, stored.data, stored.size);
    check(file.size < 10000, "the page takes %zu bytes", file.size);
    write_one_column(&file, 1, PHYSICAL_FIXED, REQUIRED, CODEC_ZSTD, 1);
    Error error = {""};
    json_t *rows = read_rows(path, &error);
    check(json_array_size(rows) == 0 && strstr(error.text, "beyond 1 GiB"), "a dictionary of a gibibyte is refused: %s", error.text);
    json_decref(rows);
    buffer_free(&file);
    buffer_free(&stored);
    free(zeros);
}
// Row groups that share one page: each would be unpacked anew.
static void check_shared_pages(void) {
    for (int row_groups = 1; row_groups <= 3; row_groups++) {
        Buffer file = {0};
        Error error = {""};
        int last = 0, inner = 0;
        buffer_append_text(&file, "PAR1");
        thrift_put_integer(&file, &last, 1, THRIFT_I32, PAGE_DATA);
        thrift_put_integer(&file, &last, 2, THRIFT_I32, 4);
        thrift_put_integer(&file, &last, 3, THRIFT_I32, 4);
        thrift_put_header(&file, &last, 5, THRIFT_STRUCT);
        thrift_put_integer(&file, &inner, 1, THRIFT_I32, 1);
        thrift_put_integer(&file, &inner, 2, THRIFT_I32, ENCODING_PLAIN);
        thrift_put_end(&file);
        thrift_put_end(&file);
        buffer_append(&file, "\x2A\0\0\0", 4);
        write_one_column(&file, row_groups, PHYSICAL_INT32, REQUIRED, CODEC_NONE, 1);
        json_t *rows = read_rows(path, &error);
        check(json_array_size(rows) == 1 && (row_groups == 1 ? !error.text[0] : strstr(error.text, "row group 1") && strstr(error.text, "pages overlap")), "%d row groups with one page: %s", row_groups, error.text);
        json_decref(rows);
        buffer_free(&file);
    }
}

// ---- real files
static void check_real_file(const char *data, const char *file_name, const char *rows_name) {
    char file_path[2048], rows_path[2048];
    Error error = {""};
    snprintf(file_path, sizeof(file_path), "%s/parquet-writers/%s", data, file_name);
    snprintf(rows_path, sizeof(rows_path), "%s/parquet-writers/%s", data, rows_name);
    json_t *got = read_rows(file_path, &error), *want = json_array(), *row;
    check(error.text[0] == 0, "%s", error.text);
    RecordFile *lines = record_file_open(rows_path, &error);
    while (lines && (row = record_file_next(lines, &error))) { json_array_append_new(want, row); }
    check(lines && error.text[0] == 0 && json_array_size(got) == json_array_size(want), "%s: %zu rows, want %zu", file_name, json_array_size(got), json_array_size(want));
    record_file_close(lines);
    size_t i;
    json_array_foreach(got, i, row) {
        json_t *expected = json_array_get(want, i), *truth = json_object_get(json_object_get(expected, "reward_model"), "ground_truth");
        if (json_is_integer(truth)) { // the lines say 142 where the files hold the double 142.0
            json_object_set_new(json_object_get(expected, "reward_model"), "ground_truth", json_real((double)json_integer_value(truth)));
        }
        check(json_equal(row, expected), "%s: row %zu differs", file_name, i);
    }
    json_decref(got);
    json_decref(want);
}
static void check_real_files(void) {
    const char *data = check_data_folder();
    if (!data) {
        check_skip("test_parquet: no test data: real Parquet files are not read");
        return;
    }
    char name[1024];
    Error error;
    int files = 0;
    snprintf(name, sizeof(name), "%s/parquet-writers", data);
    DIR *directory = opendir(name);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        const char *dot = strchr(entry->d_name, '.');
        if (!dot || !path_ends_with(entry->d_name, ".parquet") || strstr(entry->d_name, "hfstyle") || !strncmp(entry->d_name, "nulls", 5)) { continue; }
        snprintf(name, sizeof(name), "%.*s.verl.jsonl", (int)(dot - entry->d_name), entry->d_name);
        check_real_file(data, entry->d_name, name);
        files++;
    }
    if (directory) { closedir(directory); }
    check(files > 0, "no file in %s/parquet-writers", data);
    static const struct {
        const char *name;
        size_t rows;
    } counts[] = {{"verl-parquet/dsr_sub.parquet", 1209}, {"verl-parquet/math500.parquet", 500}, {"parquet-writers/math.hfstyle.duckdb.zstd.parquet", 500}, {"parquet-writers/math.hfstyle.arrowrs.uncompressed.v2.parquet", 500}, {"parquet-writers/aime.hfstyle.duckdb.snappy.parquet", 30}};
    for (int i = 0; i < COUNT(counts); i++) {
        snprintf(name, sizeof(name), "%s/%s", data, counts[i].name);
        json_t *rows = read_rows(name, &error);
        check(error.text[0] == 0 && json_array_size(rows) == counts[i].rows, "%s: %zu rows, want %zu %s", name, json_array_size(rows), counts[i].rows, error.text);
        json_decref(rows);
    }
    json_t *nulls = json_loads("[{\"prompt\":[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":\"Q1\"}],\"answer\":\"a\"},"
                               "{\"prompt\":[{\"role\":\"user\",\"content\":null}],\"answer\":null},{\"prompt\":[],\"answer\":\"\"},{\"prompt\":null,\"answer\":\"x\"},"
                               "{\"prompt\":[{\"role\":\"user\",\"content\":\"é😀\"},null,{\"role\":null,\"content\":\"z\"}],\"answer\":\"\\\\frac{1}{2}\"}]",
                               0, NULL);
    static const char *const null_files[] = {"nulls.arrowrs.snappy.v2.parquet", "nulls.duckdb.snappy.parquet"};
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof(name), "%s/parquet-writers/%s", data, null_files[i]);
        json_t *rows = read_rows(name, &error);
        check_rows(rows, nulls, null_files[i], &error);
        json_decref(rows);
    }
    json_decref(nulls);
    printf("ok   %d real files equal to their rows\n", files);
}

int main(void) {
    device_init();
    if (!mkdtemp(folder)) { fatal("%s: cannot be made", folder); }
    snprintf(path, sizeof(path), "%s/file.parquet", folder);
    check_runs();
    check_deltas();
    check_codecs();
    check_fixtures();
    check_selection();
    check_writer();
    check_damage();
    check_bomb();
    check_dictionary_bomb();
    check_shared_pages();
    check_real_files();
    unlink(path);
    rmdir(folder);
    return check_report("test_parquet");
}
