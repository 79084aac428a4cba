// tokenizer: vectors of the package `tokenizers` for a small file in five variants, the properties that must hold for any text,
// files that must be refused, and, where the real data lies, R1 distill's and Qwen2.5's own tokenizers.
#include "check.h"
#include "llmc/tokenizer.h"

// ---- files made here
static char folder[64] = "/tmp/test_tokenizer_XXXXXX", made_path[96];
static Tokenizer *open_json(const json_t *file, Error *error) {
    if (!json_write(made_path, file, error)) { fatal("%s", error->text); }
    return tokenizer_open(made_path, error);
}
static json_t *parse(const char *text) {
    Error error;
    json_t *json = json_parse(text, strlen(text), "a text of the test", &error);
    if (!json) { fatal("%s", error.text); }
    return json;
}
static json_t *read_json(const char *path) {
    Error error;
    json_t *json = json_read(path, &error);
    if (!json) { fatal("%s", error.text); }
    return json;
}

// ---- vectors
static bool same_ids(const Ints *ids, const json_t *want) {
    bool same = ids->size == json_array_size(want);
    for (size_t i = 0; same && i < ids->size; i++) { same = ids->data[i] == json_integer_value(json_array_get(want, i)); }
    return same;
}
static void check_vector(const Tokenizer *t, const json_t *vector, const char *name, size_t line) {
    const json_t *text = json_object_get(vector, "text"), *decoded = json_object_get(vector, "decoded");
    Ints ids = {0};
    Buffer back = {0}, nfc = {0};
    buffer_reserve(&back, 1);
    tokenizer_encode(t, json_string_value(text), json_string_length(text), &ids);
    check(same_ids(&ids, json_object_get(vector, "ids")), "%s, line %zu: ids of \"%.100s\"", name, line, json_string_value(text));
    tokenizer_decode(t, ids.data, ids.size, false, &back);
    unicode_append_nfc(&nfc, json_string_value(text), json_string_length(text));
    const char *want = decoded ? json_string_value(decoded) : nfc.data;
    size_t want_bytes = decoded ? json_string_length(decoded) : nfc.size;
    check(back.size == want_bytes && (!want_bytes || !memcmp(back.data, want, want_bytes)), "%s, line %zu: text back from the ids of \"%.100s\"", name, line, json_string_value(text));
    ints_free(&ids);
    buffer_free(&back);
    buffer_free(&nfc);
}
// Every line of a file; a line with "variant" makes a new tokenizer out of `base` (NULL: `t` is used for all).
static size_t check_vectors(const char *path, const json_t *base, Tokenizer *t) {
    Error error;
    FILE *file = fopen(path, "r");
    char *text = NULL, name[64] = "vectors";
    size_t capacity = 0, line = 0, vectors = 0;
    if (!file) { fatal("%s is missing", path); }
    while (getline(&text, &capacity, file) > 0) {
        line++;
        json_t *json = parse(text);
        if (json_object_get(json, "variant")) {
            snprintf(name, sizeof(name), "%s", json_string_value(json_object_get(json, "variant")));
            json_t *changed = json_deep_copy(base), *model = json_object_get(json, "model");
            if (model) { json_object_update(json_object_get(changed, "model"), model); }
            json_object_del(json, "model");
            json_object_update(changed, json);
            tokenizer_free(t);
            t = open_json(changed, &error);
            if (!t) { fatal("%s", error.text); }
            json_decref(changed);
        } else {
            check_vector(t, json, name, line);
            vectors++;
        }
        json_decref(json);
    }
    free(text);
    fclose(file);
    if (base) { tokenizer_free(t); }
    return vectors;
}

// ---- pieces: the text with a bar between them
static void check_pieces(void) {
    static const char *const CASES[][3] = {
        {"Qwen2", "I'LL don't 'sxy'\xC5\xBFz", "I|'LL| don|'t| '|sxy|'\xC5\xBF|z"},
        {"Qwen2", "a1234 56.5", "a|1|2|3|4| |5|6|.|5"},
        {"Qwen2", "x  y\t\tz \n\n  w  ", "x| | y|\t|\tz| \n\n| | w|  "},
        {"Qwen2", "(a) $x+1$.\r\nb", "(a|)| $|x|+|1|$.\r\n|b"},
        {"Llama 3", "a1234 56.5", "a|123|4| |56|.|5"},
        {"Llama 3", "1234567", "123|456|7"},
        {"GPT-2", "I'LL don't 1234 $x \n\n y\t\tz", "I|'|LL| don|'t| 1234| $|x| \n\n| y|\t|\t|z"},
        {"GPT-2", "a!\nb 12\xC2\xBD", "a|!|\n|b| 12\xC2\xBD"},
    };
    unsigned char *classes = unicode_classes_create();
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        const Pretokenizer *pattern = PRETOKENIZERS;
        while (strcmp(pattern->name, CASES[i][0]) != 0) { pattern++; }
        ClassedText text = {CASES[i][1], strlen(CASES[i][1]), classes};
        Buffer got = {0};
        for (size_t at = 0, end; at < text.bytes; at = end) {
            end = pretokenizer_next(pattern, &text, at);
            if (at) { buffer_append_text(&got, "|"); }
            buffer_append(&got, text.data + at, end - at);
        }
        check_text(got.data, CASES[i][2], CASES[i][0]);
        buffer_free(&got);
    }
    free(classes);
}

// ---- properties
// The merge of b and c takes b from the pair a b: what is left of that pair in the queue must not let a go before its turn.
static void check_merge_order(void) {
    Error error;
    json_t *file = parse("{\"pre_tokenizer\":null,\"decoder\":{\"type\":\"Fuse\"},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"d\":3,\"bc\":4,\"ab\":5,\"bcd\":6,\"abc\":7,\"dd\":8},"
                         "\"merges\":[\"b c\",\"a b\",\"bc d\",\"a bc\",[\"d\",\"d\"]]}}");
    Tokenizer *t = open_json(file, &error);
    if (!t) { fatal("%s", error.text); }
    Ints ids = {0};
    tokenizer_encode(t, "abcdddd", 7, &ids); // a bcd dd d: among equal ranks the left one first
    const int want[] = {0, 6, 8, 3};
    check(ids.size == 4 && !memcmp(ids.data, want, sizeof(want)), "merges go by rank, then from the left");
    json_decref(file);
    ints_free(&ids);
    tokenizer_free(t);
}
static void check_streaming(const Tokenizer *t) {
    const char *text = "caf\xC3\xA9 \xF0\x9F\x98\x80<think>\xE4\xBA\x8C\xF0\x9F\x98"; // an emoji, and one that is cut
    Ints ids = {0};
    Buffer streamed = {0}, whole = {0};
    for (const char *p = text; *p; p++) { // byte by byte, so that no token holds a whole character
        if (!strncmp(p, "<think>", 7)) {
            ints_push(&ids, tokenizer_token_id(t, "<think>"));
            p += 6;
        } else {
            ints_push(&ids, t->byte_ids[(unsigned char)*p]);
        }
    }
    TokenStream stream = {0};
    bool always_valid = true;
    for (size_t i = 0; i < ids.size; i++) {
        token_stream_push(&stream, t, ids.data[i], false, &streamed);
        always_valid = always_valid && utf8_valid_length(streamed.data ? streamed.data : "", streamed.size) == streamed.size;
    }
    check_text(streamed.data, "caf\xC3\xA9 \xF0\x9F\x98\x80<think>\xE4\xBA\x8C", "a stream holds back what is not complete");
    token_stream_flush(&stream, &streamed);
    tokenizer_decode(t, ids.data, ids.size, false, &whole);
    check(always_valid, "a stream is UTF-8 after every token");
    check_text(streamed.data, whole.data, "a stream ends as the whole");
    check_text(whole.data, "caf\xC3\xA9 \xF0\x9F\x98\x80<think>\xE4\xBA\x8C\xEF\xBF\xBD", "a cut character is U+FFFD");
    buffer_clear(&whole);
    int odd[] = {tokenizer_token_id(t, "a"), -1, 1 << 30, tokenizer_token_id(t, "<|end|>"), tokenizer_token_id(t, "<think>")};
    tokenizer_decode(t, odd, 5, true, &whole);
    check_text(whole.data, "a<think>", "special tokens are skipped when asked, ids that are none always");
    ints_free(&ids);
    buffer_free(&streamed);
    buffer_free(&whole);
}
static void check_invalid_input(const Tokenizer *t) { // the right-hand side is what Python's decode("utf-8", "replace") gives
    static const char *const PAIRS[][2] = {{"a\xFF"
                                            "b",
                                            "a\xEF\xBF\xBD"
                                            "b"},
                                           {"\xE2\x82", "\xEF\xBF\xBD"},
                                           {"\xE2\x28\xA1", "\xEF\xBF\xBD(\xEF\xBF\xBD"},
                                           {"\xF0\x9F\x98x", "\xEF\xBF\xBDx"},
                                           {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
                                           {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},
                                           {"\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
                                           {"12345678\xF0", "12345678\xEF\xBF\xBD"}};
    for (size_t i = 0; i < sizeof(PAIRS) / sizeof(PAIRS[0]); i++) {
        Ints got = {0}, want = {0};
        tokenizer_encode(t, PAIRS[i][0], strlen(PAIRS[i][0]), &got);
        tokenizer_encode(t, PAIRS[i][1], strlen(PAIRS[i][1]), &want);
        check(got.size == want.size && !memcmp(got.data, want.data, got.size * sizeof(int)), "invalid UTF-8, case %zu", i);
        ints_free(&got);
        ints_free(&want);
    }
}
// One word of n letters, and n marks out of order on one letter: the time must grow in step, not with the square.
static void check_long_pieces(const Tokenizer *t) {
    enum { LONG = 1 << 20 };
    char *text = (char *)host_alloc(LONG);
    for (int kind = 0; kind < 2; kind++) {
        for (int i = 0; i < LONG; i++) { text[i] = kind == 0 ? "the"[i % 3] : "\xCC\x81\xCC\xA3"[i % 4]; } // U+0301 above, U+0323 below
        Ints ids = {0};
        double start = seconds_now();
        tokenizer_encode(t, text, LONG, &ids);
        double seconds = seconds_now() - start;
        if (check(seconds < 5, "%s of 1 MiB took %.1f s", kind ? "marks" : "a word", seconds)) { printf("ok   %s of 1 MiB: %.3f s\n", kind ? "marks" : "a word", seconds); }
        check(ids.size > 1000, "a long piece has many tokens");
        ints_free(&ids);
    }
    free(text);
}
static void check_threads(const json_t *base) {
    Error error;
    Tokenizer *t = open_json(base, &error); // fresh: the threads meet its pieces at the same time
    const char *text = "Let's think step by step and output the final answer within \\boxed{}. \n\nThus the thing is there, then.";
    Ints ids[8] = {{0}};
#pragma omp parallel for num_threads(8)
    for (int i = 0; i < 8; i++) {
        for (int round = 0; round < 50; round++) {
            ids[i].size = 0;
            tokenizer_encode(t, text, strlen(text), &ids[i]);
        }
    }
    for (int i = 0; i < 8; i++) {
        check(ids[i].size == ids[0].size && !memcmp(ids[i].data, ids[0].data, ids[0].size * sizeof(int)), "thread %d finds the same ids", i);
    }
    for (int i = 0; i < 8; i++) { ints_free(&ids[i]); }
    tokenizer_free(t);
}
// The two shapes that a tiny model's own tokenizer takes: characters without merges, and nothing but added tokens.
static void check_small_vocabularies(void) {
    static const char *const FILES[] = {
        "{\"added_tokens\":[{\"id\":4,\"content\":\"<eos>\",\"special\":true}],\"pre_tokenizer\":null,\"decoder\":{\"type\":\"Fuse\"},"
        "\"model\":{\"type\":\"BPE\",\"vocab\":{\"1\":0,\"+\":1,\"\xC3\xA9\":2,\" \":3},\"merges\":[]}}",
        "{\"added_tokens\":[{\"id\":0,\"content\":\"1\"},{\"id\":1,\"content\":\"+\"},{\"id\":2,\"content\":\"\xC3\xA9\"},{\"id\":3,\"content\":\" \"},{\"id\":4,\"content\":\"<eos>\",\"special\":true}],"
        "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false},\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}}"};
    for (int i = 0; i < 2; i++) {
        Error error;
        json_t *file = parse(FILES[i]);
        Tokenizer *t = open_json(file, &error);
        json_decref(file);
        if (!check(t != NULL, "small vocabulary %d: %s", i, t ? "" : error.text)) { continue; }
        Ints ids = {0};
        Buffer text = {0};
        tokenizer_encode(t, "1+x1\xC3\xA9 <eos>", 12, &ids);
        const int want[] = {0, 1, 0, 2, 3, 4}; // x is left out
        check(ids.size == 6 && !memcmp(ids.data, want, sizeof(want)), "small vocabulary %d: ids", i);
        tokenizer_decode(t, ids.data, ids.size, true, &text);
        check_text(text.data, "1+1\xC3\xA9 ", "small vocabulary: text");
        check(tokenizer_vocab_size(t) == 5 && tokenizer_token_id(t, "<eos>") == 4 && tokenizer_token_id(t, "<") == -1, "small vocabulary %d: questions", i);
        check_text(tokenizer_token_text(t, 1), "+", "small vocabulary: text of a token");
        check(!tokenizer_token_text(t, 5) && !tokenizer_token_text(t, -1), "small vocabulary %d: no text beyond the ids", i);
        ints_free(&ids);
        buffer_free(&text);
        tokenizer_free(t);
    }
}

// ---- refusals: what is put into the file, at which place, and a part of the sentence that must come
static void check_refusals(const json_t *base) {
    static const struct {
        const char *place, *value, *says;
    } CASES[] = {
        {"normalizer", "{\"type\":\"NFKC\"}", "normalizer \"NFKC\""},
        {"normalizer", "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"Lowercase\"}]}", "normalizer \"Sequence\""},
        {"pre_tokenizer", "{\"type\":\"Metaspace\"}", "pre_tokenizer \"Metaspace\""},
        {"pre_tokenizer", "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\"}]}", "pre_tokenizer \"Digits\""},
        {"pre_tokenizer", "{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\"[a-z]+\"}}", "unknown pattern \"[a-z]+\""},
        {"pre_tokenizer", "{\"type\":\"Split\",\"behavior\":\"Removed\",\"pattern\":{\"Regex\":\"x\"}}", "behavior \"Removed\""},
        {"pre_tokenizer", "{\"type\":\"ByteLevel\",\"add_prefix_space\":true}", "add_prefix_space"},
        {"pre_tokenizer", "null", "decoder \"ByteLevel\""},
        {"decoder", "{\"type\":\"Metaspace\"}", "decoder \"Metaspace\""},
        {"decoder", "null", "decoder \"\""},
        {"model", "null", "no \"model\""},
        {"model", "[]", "no \"model\""},
        {"added_tokens", "7", "added_tokens is not a list"},
        {"added_tokens", "[{\"id\":-1,\"content\":\"x\"}]", "has no id"},
        {"added_tokens", "[{\"id\":4194304,\"content\":\"x\"}]", "has no id"},
        {"added_tokens", "[{\"content\":\"x\"}]", "token \"x\" has no id"},
        {"added_tokens", "[{\"id\":500,\"content\":\"\"}]", "0 bytes"},
        {"added_tokens", "[{\"id\":500,\"content\":7}]", "0 bytes"},
        {"added_tokens", "[{\"id\":500,\"content\":\"a\\u0000b\"}]", "without NUL"},
        {"added_tokens", "[{\"id\":0,\"content\":\"zzz\"}]", "the same id 0"},
        {"added_tokens", "[{\"id\":500,\"content\":\"x\"},{\"id\":501,\"content\":\"x\"}]", "two ids"},
        {"added_tokens", "[{\"id\":500,\"content\":\"x\",\"lstrip\":true}]", "lstrip"},
        {"added_tokens", "[{\"id\":500,\"content\":\"x\",\"single_word\":true}]", "single_word"},
        {"model.type", "\"Unigram\"", "model type \"Unigram\""},
        {"model.dropout", "0.1", "model.dropout"},
        {"model.byte_fallback", "true", "model.byte_fallback"},
        {"model.end_of_word_suffix", "\"</w>\"", "model.end_of_word_suffix"},
        {"model.unk_token", "\"nowhere\"", "unk_token \"nowhere\""},
        {"model.vocab", "[]", "model.vocab"},
        {"model.vocab", "{\"a\":\"b\"}", "token \"a\" has no id"},
        {"model.vocab", "{\"a\":1e3}", "token \"a\" has no id"},
        {"model.vocab", "{\"a\":1,\"b\":1}", "the same id 1"},
        {"model.merges", "{}", "merges is not a list"},
        {"model.merges", "[\"a\"]", "merge 0 is neither"},
        {"model.merges", "[\"a b c\"]", "merge 0 is neither"},
        {"model.merges", "[[\"a\"]]", "merge 0 is neither"},
        {"model.merges", "[\" \"]", "merge 0 is neither"},
        {"model.merges", "[[\"\",\"a\"]]", "merge 0 is neither"},
        {"model.merges", "[[\"a\",7]]", "merge 0 is neither"},
        {"model.merges", "[\"\xC4\xA0 th\",null]", "merge 1 is neither"},
        {"model.merges", "[\"z q\"]", "merge 0 joins \"z\" and \"q\""},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        Error error = {""};
        json_t *changed = json_deep_copy(base), *object = strncmp(CASES[i].place, "model.", 6) ? changed : json_object_get(changed, "model");
        json_object_set_new(object, CASES[i].place + (object == changed ? 0 : 6), parse(CASES[i].value));
        Tokenizer *t = open_json(changed, &error);
        check(!t && strstr(error.text, CASES[i].says) && strstr(error.text, made_path), "%s = %s: got \"%s\"", CASES[i].place, CASES[i].value, t ? "no refusal" : error.text);
        tokenizer_free(t);
        json_decref(changed);
    }
}
// Changed bytes anywhere: an error or a tokenizer that works, never a crash.
// Tokens that all belong in one place of the hash table: reading 60,000 of them took 30 seconds.
static void check_collisions(void) {
    Error error = {""};
    json_t *vocabulary = json_object();
    char text[16];
    for (int i = 0; json_object_size(vocabulary) < 1500; i++) { // 1,500 tokens get a table of 4,096
        snprintf(text, sizeof(text), "%d", i);
        if ((tokenizer_hash(text, strlen(text)) & 4095) == 7) { json_object_set_new(vocabulary, text, json_integer((json_int_t)json_object_size(vocabulary))); }
    }
    json_t *file = json_pack("{s:{s:s, s:o}, s:{s:s}}", "model", "type", "BPE", "vocab", vocabulary, "decoder", "type", "Fuse");
    Tokenizer *t = open_json(file, &error);
    check(!t && strstr(error.text, "have one hash"), "colliding tokens: %s", t ? "accepted" : error.text);
    tokenizer_free(t);
    json_decref(file);
}
static void check_damage(void) {
    Error error;
    Buffer file = {0}, damaged = {0};
    if (!file_read("test/data/tokenizer.json", &file, &error)) { fatal("%s", error.text); }
    int opened = 0;
    for (int round = 0; round < 300; round++) {
        buffer_clear(&damaged);
        buffer_append(&damaged, file.data, file.size);
        for (int i = 0; i <= round % 3; i++) {
            size_t at = (size_t)((check_random() + 1) / 2 * (double)(damaged.size - 1));
            damaged.data[at] = "0,:\"[]{}x-"[(int)((check_random() + 1) * 5)];
        }
        if (round % 5 == 0) { damaged.size = damaged.size * (size_t)(round + 1) / 301; }
        if (!file_write_atomic(made_path, damaged.data, damaged.size, &error)) { fatal("%s", error.text); }
        Tokenizer *t = tokenizer_open(made_path, &error);
        if (!t) { continue; }
        Ints ids = {0};
        Buffer text = {0};
        tokenizer_encode(t, "Let's think <think> 123\n", 24, &ids);
        tokenizer_decode(t, ids.data, ids.size, false, &text);
        opened++;
        ints_free(&ids);
        buffer_free(&text);
        tokenizer_free(t);
    }
    check(opened > 0 && opened < 300, "of 300 damaged files some open: %d", opened);
    buffer_free(&file);
    buffer_free(&damaged);
}

// ---- the real files
static void check_speed(const Tokenizer *t, const char *data) {
    Error error;
    Buffer text = {0};
    char path[1024];
    static const char *const FILES[] = {"deepscaler/train/math.json", "gsm8k/train.jsonl"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", data, FILES[i]);
        if (!file_exists(path)) { continue; }
        if (!file_read(path, &text, &error)) { fatal("%s", error.text); }
    }
    double best = 1e9;
    Ints ids = {0};
    for (int round = 0; round < 3 && text.size; round++) { // line by line, as prompts come
        double start = seconds_now();
        ids.size = 0;
        for (const char *line = text.data, *end; *line; line = end) {
            end = strchr(line, '\n') ? strchr(line, '\n') + 1 : text.data + text.size;
            tokenizer_encode(t, line, (size_t)(end - line), &ids);
        }
        best = fmin(best, seconds_now() - start);
    }
    if (text.size) { printf("ok   encodes %.1f MB of maths at %.1f MB/s, %.2f bytes a token, one thread\n", (double)text.size / 1e6, (double)text.size / 1e6 / best, (double)text.size / (double)ids.size); }
    ints_free(&ids);
    buffer_free(&text);
}
static void check_real(const char *data) {
    Error error;
    char path[1024], vectors[1024];
    snprintf(vectors, sizeof(vectors), "%s/tokenizers/vectors_r1_distill.jsonl", data);
    snprintf(path, sizeof(path), "%s/tokenizers/r1-distill-qwen/tokenizer.json", data);
    double start = seconds_now();
    Tokenizer *r1 = tokenizer_open(path, &error);
    if (!r1) { fatal("%s", error.text); }
    printf("ok   opens R1 distill's tokenizer.json in %.2f s\n", seconds_now() - start);
    check(check_vectors(vectors, NULL, r1) == 248, "248 vectors of R1 distill");
    check(tokenizer_vocab_size(r1) == 151665, "R1 distill has 151,665 ids");
    check(tokenizer_token_id(r1, "<think>") == 151648 && tokenizer_token_id(r1, "\xC4\xA0the") == 279, "ids of R1 distill's tokens");
    check_text(tokenizer_token_text(r1, 151646), "<\xEF\xBD\x9C"
                                                 "begin\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>",
               "R1 distill's first token");
    check_speed(r1, data);
    snprintf(path, sizeof(path), "%s/tokenizers/qwen2_5/tokenizer.json", data);
    Tokenizer *qwen = tokenizer_open(path, &error);
    if (!qwen) { fatal("%s", error.text); }
    Ints ids = {0};
    const char *turn = "<|im_start|>user\nWhat is 12+30?<|im_end|>\n";
    const int want[] = {151644, 872, 198, 3838, 374, 220, 16, 17, 10, 18, 15, 30, 151645, 198};
    tokenizer_encode(qwen, turn, strlen(turn), &ids);
    check(ids.size == sizeof(want) / sizeof(want[0]) && !memcmp(ids.data, want, sizeof(want)), "a turn of Qwen2.5");
    ints_free(&ids);
    tokenizer_free(r1);
    tokenizer_free(qwen);
}

int main(void) {
    device_init();
    Error error;
    if (!mkdtemp(folder)) { fatal("%s cannot be made", folder); }
    snprintf(made_path, sizeof(made_path), "%s/tokenizer.json", folder);
    json_t *base = read_json("test/data/tokenizer.json");
    printf("ok   %zu vectors in five variants\n", check_vectors("test/data/tokenizer_vectors.jsonl", base, NULL));
    Tokenizer *t = tokenizer_open("test/data/tokenizer.json", &error);
    if (!t) { fatal("%s", error.text); }
    check_streaming(t);
    check_invalid_input(t);
    check_long_pieces(t);
    tokenizer_free(t);
    check_pieces();
    check_merge_order();
    check_threads(base);
    check_small_vocabularies();
    check_refusals(base);
    check_collisions();
    check_damage();
    check(!tokenizer_open("/nonexistent/tokenizer.json", &error) && strstr(error.text, "/nonexistent"), "a missing file is named");
    json_decref(base);
    unlink(made_path);
    rmdir(folder);
    if (check_data_folder()) {
        check_real(check_data_folder());
    } else {
        check_skip("R1 distill's and Qwen2.5's tokenizers: no real data");
    }
    return check_report("test_tokenizer");
}
