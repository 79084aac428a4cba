// Parquet files, through the row reader that parquet_cat prints from and the questions that prepare makes of the rows.
// An input is PAGES "PAR1" FOOTER: what stands around and between, and the length at the end, are put there here, so that a footer may
// grow and shrink. Pages with a checksum pass it only by luck, and those without one reach everything that lies behind it.
#include "data/questions.h"
#include "fuzz.h"

static size_t footer_begin(const uint8_t *data, size_t size) { // behind the last PAR1, which lies in front of it
    for (size_t at = size; at >= 4; at--) {
        if (!memcmp(data + at - 4, "PAR1", 4)) { return at; }
    }
    return 0;
}
static void read_rows(const char *path, bool questions) {
    Error error;
    ParquetFile *parquet = parquet_open(path, &error);
    if (!parquet) {
        assert(error.text[0]);
        return;
    }
    RecordFile file = {.path = (char *)(uintptr_t)path, .parquet = parquet};
    if (questions) { question_select_columns(&file); }
    Buffer line = {0};
    json_t *row;
    // a page of equal values is small however many there are: the rest of a long file would only tell the same again
    for (int count = 0; count < 300 && (row = record_file_next(&file, &error)); count++) {
        buffer_clear(&line);
        json_append(&line, row);
        if (questions && question_check_columns(row, path, &error)) {
            Question question;
            question_read(&question, row);
            question_free(&question);
        }
        json_decref(row);
    }
    buffer_free(&line);
    parquet_close(parquet);
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Buffer file = {0};
    size_t footer = footer_begin(data, size), pages = footer ? footer - 4 : 0;
    uint32_t length = (uint32_t)(size - footer);
    buffer_append(&file, "PAR1", 4);
    buffer_append(&file, data, pages);
    buffer_append(&file, data + footer, length);
    buffer_append(&file, &length, 4);
    buffer_append(&file, "PAR1", 4);
    const char *path = fuzz_file(file.data, file.size);
    read_rows(path, false);
    read_rows(path, true);
    buffer_free(&file);
    return 0;
}
