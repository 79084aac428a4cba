// tokenizer.json, then encoding and decoding with it. An input is the file and, behind a NUL, the text; without it the file is the text.
#include "fuzz.h"
#include "llmc/unicode.h"

// The classes of all of Unicode take longer than everything else: made once and copied.
static unsigned char *unicode_classes_copy(void) {
    static unsigned char *classes;
    if (!classes) { classes = unicode_classes_create(); }
    return (unsigned char *)memcpy(host_alloc(UNICODE_COUNT), classes, UNICODE_COUNT);
}
#define unicode_classes_create unicode_classes_copy
#include "llmc/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *begin = data;
    char *file = fuzz_take_text(&data, &size);
    size_t file_bytes = strlen(file);
    if (size == 0) { data = begin, size = file_bytes; }
    Error error = {""};
    Tokenizer *tokenizer = tokenizer_open(fuzz_file(file, file_bytes), &error);
    assert(tokenizer || error.text[0]);
    if (tokenizer) {
        Ints ids = {0};
        Buffer text = {0};
        tokenizer_encode(tokenizer, (const char *)data, size, &ids);
        for (size_t i = 0; i < ids.size; i++) { assert(tokenizer_token_text(tokenizer, ids.data[i])); }
        tokenizer_decode(tokenizer, ids.data, ids.size, false, &text);
        assert(utf8_valid_length(text.data ? text.data : "", text.size) == text.size);
        TokenStream stream = {0};
        for (size_t i = 0; i < size; i++) { token_stream_push(&stream, tokenizer, data[i], i % 2, &text); } // ids that no text has
        token_stream_flush(&stream, &text);
        assert(utf8_valid_length(text.data ? text.data : "", text.size) == text.size);
        buffer_free(&text);
        ints_free(&ids);
    }
    tokenizer_free(tokenizer);
    free(file);
    return 0;
}
