// tokenizer_file: reads a Hugging Face tokenizer.json into a Tokenizer (the end of tokenizer.h includes this).
//
// The file describes a pipeline: normalizer, pre_tokenizer, model, decoder. What is not done here is refused by its name, so
// that ids are right or absent. `post_processor`, `truncation` and `padding` are passed over: they only add tokens around a
// text or cut it, and both are the trainer's business.
#pragma once
#include "json.h"
#include "tokenizer.h"

enum { TOKENIZER_MAX_ADDED_BYTES = 1024,
       TOKENIZER_MAX_PROBES = 1000, // Qwen2.5's 151,643 tokens: 24
       TOKENIZER_MAX_POOL = 1 << 30 };

static inline const char *tokenizer_json_text(const json_t *object, const char *key) { // "" when absent or no string
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}
static inline bool tokenizer_json_absent(const json_t *value) { // absent, null, false or ""
    return !value || json_is_null(value) || json_is_false(value) || (json_is_string(value) && json_string_length(value) == 0);
}

// ---- GPT-2's byte alphabet: printable bytes stand for themselves, the other 68 for U+0100 and up, in order
static inline bool tokenizer_byte_is_printable(int byte) { return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174; }
static inline int tokenizer_alphabet_byte(int code) { // the byte a character stands for, or -1
    if (code < 256) { return code >= 0 && tokenizer_byte_is_printable(code) ? code : -1; }
    for (int byte = 0, stand_in = 256; byte < 256 && stand_in <= code; byte++) {
        if (!tokenizer_byte_is_printable(byte) && stand_in++ == code) { return byte; }
    }
    return -1;
}
// Appends the bytes that a token's text stands for; false if a character is not of the alphabet.
static inline bool tokenizer_append_bytes(const Tokenizer *t, Buffer *out, const char *text, size_t bytes) {
    if (!t->byte_level) {
        buffer_append(out, text, bytes);
        return true;
    }
    size_t before = out->size;
    for (size_t at = 0; at < bytes;) {
        int byte = tokenizer_alphabet_byte(utf8_next(text, bytes, &at));
        if (byte < 0) {
            out->size = before;
            return false;
        }
        buffer_append(out, &(char){(char)byte}, 1);
    }
    return true;
}

// ---- the pipeline around the model
static inline bool tokenizer_read_normalizer(Tokenizer *t, const json_t *step, const char *path, Error *error) {
    const char *type = tokenizer_json_text(step, "type");
    if (tokenizer_json_absent(step)) { return true; }
    if (!strcmp(type, "Sequence")) {
        const json_t *steps = json_object_get(step, "normalizers");
        if (json_array_size(steps) == 0) { return true; }
        if (json_array_size(steps) == 1) { step = json_array_get(steps, 0), type = tokenizer_json_text(step, "type"); }
    }
    t->nfc = !strcmp(type, "NFC");
    return t->nfc || error_set(error, "%s: normalizer \"%.60s\" is not supported: only NFC or none", path, type);
}
static inline bool tokenizer_read_split(Tokenizer *t, const json_t *step, const char *path, Error *error) {
    const char *regex = tokenizer_json_text(json_object_get(step, "pattern"), "Regex"), *behavior = tokenizer_json_text(step, "behavior");
    if (strcmp(behavior, "Isolated") != 0 || json_is_true(json_object_get(step, "invert"))) {
        return error_set(error, "%s: pre_tokenizer Split has behavior \"%.60s\"%s: only Isolated, not inverted, is supported", path, behavior,
                         json_is_true(json_object_get(step, "invert")) ? " and is inverted" : "");
    }
    t->pretokenizer = pretokenizer_find(regex);
    if (t->pretokenizer) { return true; }
    return error_set(error, "%s: pre_tokenizer Split has the unknown pattern \"%.300s\": add it to PRETOKENIZERS in llmc/pretokenizer.h", path, regex);
}
static inline bool tokenizer_read_byte_level(Tokenizer *t, const json_t *step, const char *path, Error *error) {
    if (json_is_true(json_object_get(step, "add_prefix_space"))) {
        return error_set(error, "%s: pre_tokenizer ByteLevel has add_prefix_space true: only false is supported", path);
    }
    const json_t *use_regex = json_object_get(step, "use_regex");
    if (!json_is_false(use_regex)) { // absent means true: GPT-2's own pattern
        if (t->pretokenizer) { return error_set(error, "%s: pre_tokenizer ByteLevel has use_regex true behind a Split: only false is supported there", path); }
        t->pretokenizer = &PRETOKENIZERS[PRETOKENIZER_GPT2];
    }
    return t->byte_level = true;
}
static inline bool tokenizer_read_pretokenizer(Tokenizer *t, const json_t *step, const char *path, Error *error) {
    if (tokenizer_json_absent(step)) { return true; }
    const char *type = tokenizer_json_text(step, "type");
    bool sequence = !strcmp(type, "Sequence");
    const json_t *steps = json_object_get(step, "pretokenizers");
    size_t count = sequence ? json_array_size(steps) : 1;
    for (size_t i = 0; i < count; i++) {
        const json_t *part = sequence ? json_array_get(steps, i) : step;
        const char *name = tokenizer_json_text(part, "type");
        if (!strcmp(name, "Split") && !t->pretokenizer && !t->byte_level) {
            if (!tokenizer_read_split(t, part, path, error)) { return false; }
        } else if (!strcmp(name, "ByteLevel") && !t->byte_level) {
            if (!tokenizer_read_byte_level(t, part, path, error)) { return false; }
        } else {
            return error_set(error, "%s: pre_tokenizer \"%.60s\" (step %zu) is not supported: only one Split, then one ByteLevel", path, name, i + 1);
        }
    }
    return true;
}
static inline bool tokenizer_read_decoder(const Tokenizer *t, const json_t *step, const char *path, Error *error) {
    const char *type = tokenizer_json_text(step, "type"), *want = t->byte_level ? "ByteLevel" : "Fuse";
    if (!strcmp(type, want)) { return true; }
    return error_set(error, "%s: decoder \"%.60s\" is not supported: with %s pre_tokenizer it must be %s", path, type, t->byte_level ? "a ByteLevel" : "no ByteLevel", want);
}
static inline bool tokenizer_read_options(Tokenizer *t, const json_t *model, const char *path, Error *error) {
    const char *type = tokenizer_json_text(model, "type");
    if (strcmp(type, "BPE") != 0 && !(type[0] == 0 && json_object_get(model, "merges"))) { // old files leave the type out
        return error_set(error, "%s: model type \"%.60s\" is not supported: only BPE", path, type);
    }
    static const char *const REFUSED[] = {"dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"};
    for (int i = 0; i < 4; i++) {
        if (!tokenizer_json_absent(json_object_get(model, REFUSED[i]))) { return error_set(error, "%s: model.%s is set, which is not supported", path, REFUSED[i]); }
    }
    if (!tokenizer_json_absent(json_object_get(model, "unk_token")) && json_is_true(json_object_get(model, "fuse_unk"))) {
        return error_set(error, "%s: model.fuse_unk is set, which is not supported", path);
    }
    t->ignore_merges = json_is_true(json_object_get(model, "ignore_merges"));
    return true;
}

// ---- tokens
static inline bool tokenizer_check_id(const json_t *id, const char *token, const char *path, Error *error) {
    if (json_is_integer(id) && json_integer_value(id) >= 0 && json_integer_value(id) <= TOKENIZER_MAX_ID) { return true; }
    return error_set(error, "%s: token \"%.60s\" has no id from 0 to %d", path, token, TOKENIZER_MAX_ID);
}
static inline bool tokenizer_add_text(Tokenizer *t, int id, const char *text, size_t bytes, const char *path, Error *error) {
    Token *token = &t->tokens[id];
    if (token->used) { return error_set(error, "%s: tokens \"%.60s\" and \"%.60s\" have the same id %d", path, t->pool.data + token->text, text, id); }
    if (t->pool.size + 2 * bytes + 1 > TOKENIZER_MAX_POOL) { return error_set(error, "%s: the tokens take more than %d bytes", path, TOKENIZER_MAX_POOL); }
    token->used = true;
    token->text = token->bytes = (uint32_t)t->pool.size;
    token->text_bytes = token->byte_count = (uint32_t)bytes;
    buffer_append(&t->pool, text, bytes + 1); // with its NUL
    return true;
}
static inline size_t tokenizer_table_size(size_t entries) { // a power of two, at most half full
    size_t size = 16;
    while (size < 2 * entries) { size *= 2; }
    return size;
}
// Tokens that were chosen to meet in one place of a hash table would make reading them quadratic: 60,000 took 30 seconds.
static inline bool tokenizer_probe_is_short(uint64_t hash, size_t slot, size_t mask, const char *path, Error *error) {
    return ((slot - hash) & mask) <= TOKENIZER_MAX_PROBES || error_set(error, "%s: more than %d tokens or merges have one hash: no tokenizer is made so", path, TOKENIZER_MAX_PROBES);
}
static inline bool tokenizer_read_vocabulary(Tokenizer *t, json_t *vocabulary, const char *path, Error *error) {
    size_t size = tokenizer_table_size(json_object_size(vocabulary));
    t->vocabulary = (int *)host_alloc(size * sizeof(int));
    memset(t->vocabulary, -1, size * sizeof(int));
    t->vocabulary_mask = size - 1;
    const char *text;
    json_t *id_json;
    json_object_foreach(vocabulary, text, id_json) {
        int id = (int)json_integer_value(id_json);
        size_t text_bytes = strlen(text);
        if (!tokenizer_add_text(t, id, text, text_bytes, path, error)) { return false; }
        Token *token = &t->tokens[id];
        size_t begin = t->pool.size;
        if (!tokenizer_append_bytes(t, &t->pool, text, text_bytes)) { continue; } // no text is spelled like this; decodes verbatim
        token->bytes = (uint32_t)begin;
        token->byte_count = (uint32_t)(t->pool.size - begin);
        int *slot = tokenizer_slot(t, t->pool.data + begin, token->byte_count);
        if (!tokenizer_probe_is_short(tokenizer_hash(t->pool.data + begin, token->byte_count), (size_t)(slot - t->vocabulary), t->vocabulary_mask, path, error)) { return false; }
        *slot = id; // the alphabet is one to one: the slot is free
    }
    for (int byte = 0; byte < 256; byte++) { t->byte_ids[byte] = tokenizer_find(t, &(char){(char)byte}, 1); }
    return true;
}
static inline bool trie_insert(TokenTrie *trie, const char *bytes, size_t count, int id) { // false if another id is there
    if (trie->count + (int)count + 1 > trie->capacity) {
        trie->capacity = 2 * trie->capacity + (int)count + 1;
        trie->nodes = (struct TrieNode *)host_realloc(trie->nodes, (size_t)trie->capacity * sizeof(*trie->nodes));
    }
    if (trie->count == 0) { trie->nodes[trie->count++] = (struct TrieNode){.id = -1}; }
    trie->first[(unsigned char)bytes[0]] = true;
    int node = 0;
    for (size_t i = 0; i < count; i++) {
        int child = trie_child(trie, node, (unsigned char)bytes[i]);
        if (!child) {
            child = trie->count++;
            trie->nodes[child] = (struct TrieNode){.id = -1, .sibling = trie->nodes[node].child, .byte = (unsigned char)bytes[i]};
            trie->nodes[node].child = child;
        }
        node = child;
    }
    bool free_here = trie->nodes[node].id < 0 || trie->nodes[node].id == id;
    trie->nodes[node].id = id;
    return free_here;
}
static inline bool tokenizer_read_added(Tokenizer *t, const json_t *entry, const char *path, Error *error) {
    const json_t *content = json_object_get(entry, "content");
    const char *text = json_string_value(content);
    size_t bytes = json_string_length(content);
    int id = (int)json_integer_value(json_object_get(entry, "id"));
    if (bytes == 0 || bytes > TOKENIZER_MAX_ADDED_BYTES || strlen(text) != bytes) {
        return error_set(error, "%s: the added token with id %d has a content of %zu bytes: 1 to %d are allowed, without NUL", path, id, bytes, TOKENIZER_MAX_ADDED_BYTES);
    }
    static const char *const REFUSED[] = {"single_word", "lstrip", "rstrip"};
    for (int i = 0; i < 3; i++) {
        if (json_is_true(json_object_get(entry, REFUSED[i]))) { return error_set(error, "%s: added token \"%.60s\" has %s true, which is not supported", path, text, REFUSED[i]); }
    }
    Token *token = &t->tokens[id];
    bool known = token->used && token->text_bytes == bytes && !memcmp(t->pool.data + token->text, text, bytes);
    if (!known && !tokenizer_add_text(t, id, text, bytes, path, error)) { return false; }
    token->added = true;
    token->special = json_is_true(json_object_get(entry, "special"));
    const json_t *normalized = json_object_get(entry, "normalized");
    bool after_nfc = t->nfc && (normalized ? json_is_true(normalized) : !token->special); // without a normalizer both are the same
    Buffer spelled = {0};
    if (after_nfc) {
        unicode_append_nfc(&spelled, text, bytes);
    } else {
        buffer_append(&spelled, text, bytes);
    }
    bool ok = trie_insert(after_nfc ? &t->added_normalized : &t->added, spelled.data, spelled.size, id);
    buffer_free(&spelled);
    return ok || error_set(error, "%s: added token \"%.60s\" is listed with two ids", path, text);
}
// Allocates the tokens of the vocabulary and the added ones, whose ids together go up to size - 1.
static inline bool tokenizer_read_tokens(Tokenizer *t, json_t *vocabulary, const json_t *added, const char *path, Error *error) {
    if (!json_is_object(vocabulary)) { return error_set(error, "%s: model.vocab is not an object of tokens and ids", path); }
    const char *text;
    json_t *value;
    int highest = -1;
    json_object_foreach(vocabulary, text, value) {
        if (!tokenizer_check_id(value, text, path, error)) { return false; }
        highest = json_integer_value(value) > highest ? (int)json_integer_value(value) : highest;
    }
    size_t i;
    json_array_foreach(added, i, value) {
        const json_t *id = json_object_get(value, "id");
        if (!tokenizer_check_id(id, tokenizer_json_text(value, "content"), path, error)) { return false; }
        highest = json_integer_value(id) > highest ? (int)json_integer_value(id) : highest;
    }
    if (highest < 0) { return error_set(error, "%s: there is no token in it", path); }
    t->size = highest + 1;
    t->tokens = (Token *)host_alloc((size_t)t->size * sizeof(Token));
    if (!tokenizer_read_vocabulary(t, vocabulary, path, error)) { return false; }
    json_array_foreach(added, i, value) {
        if (!tokenizer_read_added(t, value, path, error)) { return false; }
    }
    return true;
}

// ---- merges: "a b" or ["a", "b"]
static inline bool tokenizer_read_merges(Tokenizer *t, const json_t *merges, const char *path, Error *error) {
    size_t size = tokenizer_table_size(json_array_size(merges)), rank;
    t->merges = (TokenMerge *)host_alloc(size * sizeof(TokenMerge));
    t->merge_mask = size - 1;
    for (size_t i = 0; i < size; i++) { t->merges[i].pair = TOKENIZER_NO_PAIR; }
    json_t *merge;
    Buffer merged = {0};
    bool ok = true;
    json_array_foreach(merges, rank, merge) {
        const char *left = json_is_array(merge) ? json_string_value(json_array_get(merge, 0)) : json_string_value(merge), *right = NULL;
        size_t left_bytes = 0;
        if (json_is_array(merge) && left && json_array_size(merge) == 2) {
            right = json_string_value(json_array_get(merge, 1));
            left_bytes = strlen(left);
        } else if (json_is_string(merge) && strchr(left, ' ') && strchr(left, ' ') == strrchr(left, ' ')) {
            left_bytes = (size_t)(strchr(left, ' ') - left);
            right = left + left_bytes + 1;
        }
        buffer_clear(&merged);
        ok = right && left_bytes > 0 && *right && tokenizer_append_bytes(t, &merged, left, left_bytes);
        size_t middle = merged.size;
        ok = ok && tokenizer_append_bytes(t, &merged, right, strlen(right));
        if (!ok) {
            error_set(error, "%s: merge %zu is neither \"a b\" nor [\"a\", \"b\"] over the byte alphabet", path, rank);
            break;
        }
        int a = tokenizer_find(t, merged.data, middle), b = tokenizer_find(t, merged.data + middle, merged.size - middle);
        int id = tokenizer_find(t, merged.data, merged.size);
        ok = a >= 0 && b >= 0 && id >= 0;
        if (!ok) {
            error_set(error, "%s: merge %zu joins \"%.*s\" and \"%.60s\", but the vocabulary lacks one of them or both together", path, rank,
                      (int)(left_bytes < 60 ? left_bytes : 60), left, right);
            break;
        }
        TokenMerge *slot = tokenizer_merge_slot(t, a, b);
        const uint64_t pair = (uint64_t)(uint32_t)a << 32 | (uint32_t)b;
        ok = tokenizer_probe_is_short(tokenizer_merge_hash(pair), (size_t)(slot - t->merges), t->merge_mask, path, error);
        if (!ok) { break; }
        *slot = (TokenMerge){pair, (uint32_t)rank, id};
    }
    buffer_free(&merged);
    return ok;
}

static inline bool tokenizer_read(Tokenizer *t, const json_t *file, const char *path, Error *error) {
    json_t *model = json_object_get(file, "model");
    const json_t *added = json_object_get(file, "added_tokens"), *merges = json_object_get(model, "merges");
    if (!json_is_object(model)) { return error_set(error, "%s: it has no \"model\": is it a tokenizer.json?", path); }
    if (!(tokenizer_json_absent(added) || json_is_array(added))) { return error_set(error, "%s: added_tokens is not a list", path); }
    if (!(tokenizer_json_absent(merges) || json_is_array(merges))) { return error_set(error, "%s: model.merges is not a list", path); }
    if (!(tokenizer_read_options(t, model, path, error) && tokenizer_read_normalizer(t, json_object_get(file, "normalizer"), path, error) &&
          tokenizer_read_pretokenizer(t, json_object_get(file, "pre_tokenizer"), path, error) &&
          tokenizer_read_decoder(t, json_object_get(file, "decoder"), path, error) &&
          tokenizer_read_tokens(t, json_object_get(model, "vocab"), added, path, error) && tokenizer_read_merges(t, merges, path, error))) {
        return false;
    }
    const char *unknown = tokenizer_json_text(model, "unk_token");
    t->unknown_id = unknown[0] ? tokenizer_token_id(t, unknown) : -1;
    if (unknown[0] && t->unknown_id < 0) { return error_set(error, "%s: unk_token \"%.60s\" is not in the vocabulary", path, unknown); }
    t->classes = unicode_classes_create();
    return true;
}
// Reads the tokenizer.json at this path; NULL and a sentence in error if it cannot be read or asks for what is not done here.
static inline Tokenizer *tokenizer_open(const char *path, Error *error) {
    json_t *file = json_read(path, error);
    if (!file) { return NULL; }
    Tokenizer *t = (Tokenizer *)host_alloc(sizeof(Tokenizer));
    bool ok = tokenizer_read(t, file, path, error);
    json_decref(file);
    if (ok) { return t; }
    tokenizer_free(t);
    return NULL;
}
