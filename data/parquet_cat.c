// parquet_cat: prints Parquet files as JSON lines, or their schema: parquet_cat FILE... [--schema] [--head N]
#include "data/json_text.h"
#include "data/parquet.h"
#include "llmc/options.h"

// clang-format off
#define PARQUET_CAT_OPTIONS(OPTION) \
    OPTION(flag,  schema, "s", "false", "",        "print the columns instead of the rows") \
    OPTION(int64, head,   "n", "-1",    "[-1,inf)", "only the first N rows of each file, -1 = all")
// clang-format on

typedef struct {
    PARQUET_CAT_OPTIONS(OPTION_FIELD)
    struct {
        PARQUET_CAT_OPTIONS(OPTION_GIVEN)
    } given;
} ParquetCatConfig;
#define OPTION_ROW_PARQUET_CAT(...) OPTION_ROW(ParquetCatConfig, "options", __VA_ARGS__)
static const Option parquet_cat_options[] = {PARQUET_CAT_OPTIONS(OPTION_ROW_PARQUET_CAT)};
static const OptionSet parquet_cat_option_set = {
    .program = "parquet_cat",
    .summary = "prints Parquet files as JSON lines: parquet_cat FILE...",
    .options = parquet_cat_options,
    .option_count = sizeof(parquet_cat_options) / sizeof(parquet_cat_options[0]),
};

static void print_schema(const ParquetFile *file) {
    static const char *const repetitions[] = {"required", "optional", "repeated"};
    static const char *const types[] = {"boolean", "int32", "int64", "int96", "float", "double", "bytes", "fixed"};
    static const char *const shapes[] = {"", "struct", "list", "map"};
    static const char *const meanings[] = {"", " text", " decimal", " date", " time", " timestamp", " unsigned", " float16", " uuid"};
    printf("%s: %lld rows in %zu row groups, written by %s\n", file->path, (long long)file->row_count, file->row_group_count, file->created_by ? file->created_by : "unknown");
    for (size_t i = 1; i < file->schema.count; i++) {
        const ParquetField *field = &file->schema.fields[i];
        bool is_leaf = field->shape == SHAPE_VALUE;
        printf("%*s%s: %s %s", 2 * field->depth, "", field->name, repetitions[field->repetition], is_leaf ? types[field->physical] : shapes[field->shape]);
        if (is_leaf && field->physical == PHYSICAL_FIXED) { printf("[%d]", field->fixed_length); }
        puts(is_leaf ? meanings[field->meaning] : "");
    }
}
static void print_file(const char *path, const ParquetCatConfig *config) {
    Error error;
    ParquetFile *file = parquet_open(path, &error);
    if (!file) { fatal("%s", error.text); }
    if (config->schema) { print_schema(file); }
    json_t *row;
    Buffer line = {0};
    for (int64_t left = config->schema ? 0 : config->head; left != 0 && (row = parquet_next_row(file, &error)); left--) {
        buffer_clear(&line);
        json_append(&line, row);
        buffer_append(&line, "\n", 1);
        fwrite(line.data, 1, line.size, stdout);
        json_decref(row);
    }
    parquet_close(file);
    buffer_free(&line);
    if (error.text[0]) { fatal("%s", error.text); }
    if (ferror(stdout)) { fatal("the output cannot be written: %s", strerror(errno)); }
}

int main(int argc, char **argv) {
    ParquetCatConfig config = {0};
    char **options = (char **)host_alloc(((size_t)argc + 1) * sizeof(char *)), **paths = (char **)host_alloc(((size_t)argc + 1) * sizeof(char *));
    int option_count = 0, path_count = 0;
    for (int i = 0; i < argc; i++) { // what is neither an option nor the value of --head is a file
        bool is_value = i > 1 && (!strcmp(argv[i - 1], "--head") || !strcmp(argv[i - 1], "-n"));
        if (i == 0 || argv[i][0] == '-' || is_value) {
            options[option_count++] = argv[i];
        } else {
            paths[path_count++] = argv[i];
        }
    }
    options_from_args(&config, &parquet_cat_option_set, option_count, options);
    if (path_count == 0) { fatal("no file is named: parquet_cat FILE... (--help lists the options)"); }
    for (int i = 0; i < path_count; i++) { print_file(paths[i], &config); }
    free(options);
    free(paths);
    return EXIT_SUCCESS;
}
