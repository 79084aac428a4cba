// replay: a fuzz target without libFuzzer, one test program per target: every input of test/fuzz/corpus/TARGET, the seeds and the finds,
// once. An input that ends the program is named by the last line of output.
#include "fuzz.h"
#include "test/check.h"

int main(int argc, char **argv) {
    const char *program = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0], *target = program + strlen("test_fuzz_");
    char folder[256], path[600];
    Error error;
    struct dirent **entries;
    snprintf(folder, sizeof(folder), "%.200s", argc > 1 ? argv[1] : "test/fuzz/corpus");
    snprintf(folder + strlen(folder), sizeof(folder) - strlen(folder), "/%.40s", target);
    int count = scandir(folder, &entries, NULL, alphasort);
    check(count > 2, "%s: holds no inputs", folder); // . and .. are always there
    for (int i = 0; i < count; i++) {
        Buffer input = {0};
        snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' && check(file_read(path, &input, &error), "%s", error.text)) {
            printf("     %s\n", path);
            fflush(stdout);
            uint8_t *exact = (uint8_t *)host_alloc(input.size); // no byte more, so that reading one shows
            memcpy(exact, input.data, input.size);
            double start = seconds_now();
            LLVMFuzzerTestOneInput(exact, input.size);
            check(seconds_now() - start < 10, "%s: took %.1f s", path, seconds_now() - start);
            free(exact);
        }
        buffer_free(&input);
        free(entries[i]);
    }
    if (count >= 0) { free(entries); }
    return check_report(program);
}
