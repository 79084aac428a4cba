// tokenizer: byte-level byte-pair encoding (Sennrich et al. 2016; GPT-2's byte alphabet, Radford et al. 2019).
//
// Text to ids: added tokens are found first, longest match on the raw text; what lies between is brought into NFC if the file
// asks for it, cut into pieces by the pre-tokenizer, and each piece starts as single bytes and merges the pair of lowest rank,
// leftmost first, until no pair is in the table. Ids to text: the bytes of the tokens one after the other, read as UTF-8.
// tokenizer_file.h fills a Tokenizer from a tokenizer.json. Encoding and decoding may run in many threads at once.
#pragma once
#include <stdatomic.h>
#include "pretokenizer.h"

enum { TOKENIZER_MAX_ID = (1 << 22) - 1 };

typedef struct {
    uint32_t text, text_bytes;   // in the pool: the token as the file spells it, NUL-terminated ("Ġthe")
    uint32_t bytes, byte_count;  // in the pool: the bytes it stands for (" the")
    bool used, added, special;   // ids without a token are not used
    _Atomic unsigned char whole; // what a piece that reads like this token becomes: TOKEN_UNKNOWN until the first one is met
} Token;
enum { TOKEN_UNKNOWN,
       TOKEN_WHOLE,   // this one id
       TOKEN_SPLIT }; // several: the merges do not lead there

typedef struct { // added tokens by their bytes; node 0 is the root
    struct TrieNode {
        int child, sibling, id; // 0: none; id -1: no token ends here
        unsigned char byte;
    } * nodes;
    int count, capacity;
    bool first[256]; // bytes that begin a token
} TokenTrie;

typedef struct {
    uint64_t pair; // left id << 32 | right id; TOKENIZER_NO_PAIR marks a free slot
    uint32_t rank;
    int id; // of the merged token
} TokenMerge;
#define TOKENIZER_NO_PAIR UINT64_MAX

typedef struct Tokenizer {
    Token *tokens;
    int size; // highest id + 1
    Buffer pool;
    int *vocabulary; // hash table over the bytes of the model's tokens (added ones are not in it): id or -1
    size_t vocabulary_mask;
    TokenMerge *merges; // hash table
    size_t merge_mask;
    TokenTrie added, added_normalized; // matched in the raw text, and in what is left of it after NFC
    unsigned char *classes;            // unicode_classes_create()
    const Pretokenizer *pretokenizer;  // NULL: the text is one piece
    int byte_ids[256];                 // byte-level: where each byte starts, -1 if the vocabulary lacks it
    int unknown_id;                    // stands for what the vocabulary lacks; -1: that is left out
    bool byte_level, nfc, ignore_merges;
} Tokenizer;

// ---- tables
static inline uint64_t tokenizer_hash(const char *bytes, size_t count) {
    uint64_t hash = count, word;
    for (; count >= 8; bytes += 8, count -= 8) {
        memcpy(&word, bytes, 8);
        hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 32;
    }
    word = 0;
    for (size_t i = 0; i < count; i++) { word = word << 8 | (unsigned char)bytes[i]; }
    hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 29;
}
// The slot that holds these bytes, or the free one where they belong.
static inline int *tokenizer_slot(const Tokenizer *t, const char *bytes, size_t count) {
    size_t at = tokenizer_hash(bytes, count) & t->vocabulary_mask;
    for (; t->vocabulary[at] >= 0; at = (at + 1) & t->vocabulary_mask) {
        const Token *token = &t->tokens[t->vocabulary[at]];
        if (token->byte_count == count && !memcmp(t->pool.data + token->bytes, bytes, count)) { break; }
    }
    return &t->vocabulary[at];
}
static inline int tokenizer_find(const Tokenizer *t, const char *bytes, size_t count) { return *tokenizer_slot(t, bytes, count); } // id or -1

static inline uint64_t tokenizer_merge_hash(uint64_t pair) { return pair * 0x9E3779B97F4A7C15u ^ pair * 0x9E3779B97F4A7C15u >> 32; }
static inline TokenMerge *tokenizer_merge_slot(const Tokenizer *t, int left, int right) {
    uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    size_t at = tokenizer_merge_hash(pair) & t->merge_mask;
    while (t->merges[at].pair != pair && t->merges[at].pair != TOKENIZER_NO_PAIR) { at = (at + 1) & t->merge_mask; }
    return &t->merges[at];
}

// The child of a node under this byte, 0 if there is none.
static inline int trie_child(const TokenTrie *trie, int node, unsigned char byte) {
    int child = trie->nodes[node].child;
    while (child && trie->nodes[child].byte != byte) { child = trie->nodes[child].sibling; }
    return child;
}
// The first place from `from` on where an added token stands, and the longest one there; `bytes` if there is none.
static inline size_t trie_find(const TokenTrie *trie, const char *text, size_t bytes, size_t from, size_t *end, int *id) {
    for (size_t start = from; trie->count && start < bytes; start++) {
        if (!trie->first[(unsigned char)text[start]]) { continue; }
        *id = -1;
        int node = 0;
        for (size_t at = start; at < bytes && (node = trie_child(trie, node, (unsigned char)text[at])); at++) {
            if (trie->nodes[node].id >= 0) { *id = trie->nodes[node].id, *end = at + 1; }
        }
        if (*id >= 0) { return start; }
    }
    return bytes;
}

// ---- merging
typedef struct { // one symbol of the piece, in a list of those that are left
    int id;
    uint32_t previous, next; // TOKENIZER_NO_SYMBOL at the ends
    uint32_t rank;           // of the pair with the next one; TOKENIZER_NO_RANK: they do not merge, or the symbol is gone
} TokenSymbol;
#define TOKENIZER_NO_SYMBOL UINT32_MAX
#define TOKENIZER_NO_RANK   UINT32_MAX

typedef struct { // what one call to tokenizer_encode works with
    const Tokenizer *tokenizer;
    Ints *ids;
    TokenSymbol *symbols;
    uint64_t *heap; // rank << 32 | position: the smallest is the merge of lowest rank, leftmost among equals
    size_t heap_size, capacity;
} TokenEncoder;

static inline void encoder_push(TokenEncoder *e, uint32_t position) { // the pair that begins at this symbol
    TokenSymbol *symbol = &e->symbols[position];
    symbol->rank = TOKENIZER_NO_RANK;
    if (symbol->next == TOKENIZER_NO_SYMBOL) { return; }
    const TokenMerge *merge = tokenizer_merge_slot(e->tokenizer, symbol->id, e->symbols[symbol->next].id);
    if (merge->pair == TOKENIZER_NO_PAIR) { return; }
    symbol->rank = merge->rank;
    uint64_t entry = (uint64_t)merge->rank << 32 | position;
    size_t at = e->heap_size++;
    for (; at > 0 && e->heap[(at - 1) / 2] > entry; at = (at - 1) / 2) { e->heap[at] = e->heap[(at - 1) / 2]; }
    e->heap[at] = entry;
}
static inline uint64_t encoder_pop(TokenEncoder *e) {
    uint64_t top = e->heap[0], last = e->heap[--e->heap_size];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < e->heap_size; at = child) {
        if (child + 1 < e->heap_size && e->heap[child + 1] < e->heap[child]) { child++; }
        if (e->heap[child] >= last) { break; }
        e->heap[at] = e->heap[child];
    }
    e->heap[at] = last;
    return top;
}
// The symbols that a piece starts as: its bytes, or its characters if the vocabulary is not byte-level. Returns their number.
static inline uint32_t encoder_start(TokenEncoder *e, const char *piece, size_t bytes) {
    const Tokenizer *t = e->tokenizer;
    if (bytes > e->capacity) {
        if (bytes >= UINT32_MAX) { fatal("a piece of %zu bytes is too long to tokenize: split the text", bytes); }
        e->capacity = bytes * 2;
        e->symbols = (TokenSymbol *)host_realloc(e->symbols, e->capacity * sizeof(*e->symbols));
        e->heap = (uint64_t *)host_realloc(e->heap, e->capacity * 3 * sizeof(*e->heap)); // n - 1 pairs, 2 more for each merge
    }
    uint32_t count = 0;
    for (size_t at = 0; at < bytes;) {
        size_t start = at;
        int id;
        if (t->byte_level) {
            id = t->byte_ids[(unsigned char)piece[at++]];
        } else {
            utf8_next(piece, bytes, &at);
            id = tokenizer_find(t, piece + start, at - start);
        }
        id = id < 0 ? t->unknown_id : id;
        if (id >= 0) { e->symbols[count] = (TokenSymbol){id, count - 1, count + 1, TOKENIZER_NO_RANK}, count++; } // 0 - 1 is NO_SYMBOL
    }
    if (count) { e->symbols[count - 1].next = TOKENIZER_NO_SYMBOL; }
    return count;
}
// Merges what the piece starts as and appends the ids that are left: n log n, however long the piece.
static inline size_t encoder_merge(TokenEncoder *e, const char *piece, size_t bytes) {
    uint32_t count = encoder_start(e, piece, bytes);
    TokenSymbol *symbols = e->symbols;
    e->heap_size = 0;
    for (uint32_t i = 0; i < count; i++) { encoder_push(e, i); }
    while (e->heap_size) {
        uint64_t entry = encoder_pop(e);
        uint32_t left = (uint32_t)entry;
        if (symbols[left].rank != entry >> 32) { continue; } // an older pair, gone since
        uint32_t right = symbols[left].next;
        symbols[left].id = tokenizer_merge_slot(e->tokenizer, symbols[left].id, symbols[right].id)->id;
        symbols[left].next = symbols[right].next;
        symbols[right].rank = TOKENIZER_NO_RANK;
        if (symbols[left].next != TOKENIZER_NO_SYMBOL) { symbols[symbols[left].next].previous = left; }
        encoder_push(e, left);
        if (symbols[left].previous != TOKENIZER_NO_SYMBOL) { encoder_push(e, symbols[left].previous); }
    }
    size_t before = e->ids->size;
    for (uint32_t i = count ? 0 : TOKENIZER_NO_SYMBOL; i != TOKENIZER_NO_SYMBOL; i = symbols[i].next) { ints_push(e->ids, symbols[i].id); }
    return e->ids->size - before;
}

// ---- encoding
// Most pieces are one token. Whether the merges of its bytes lead to that token is found once and kept beside it; threads that
// find it at the same time write the same value.
static inline void encoder_piece(TokenEncoder *e, const char *piece, size_t bytes) {
    const Tokenizer *t = e->tokenizer;
    int id = tokenizer_find(t, piece, bytes);
    unsigned char whole = id < 0 ? TOKEN_SPLIT : t->ignore_merges ? TOKEN_WHOLE
                                                                  : atomic_load_explicit(&t->tokens[id].whole, memory_order_relaxed);
    if (whole == TOKEN_WHOLE) {
        ints_push(e->ids, id);
        return;
    }
    size_t count = encoder_merge(e, piece, bytes);
    if (whole == TOKEN_UNKNOWN) {
        whole = count == 1 && e->ids->data[e->ids->size - 1] == id ? TOKEN_WHOLE : TOKEN_SPLIT;
        atomic_store_explicit(&t->tokens[id].whole, whole, memory_order_relaxed);
    }
}
static inline void encoder_pieces(TokenEncoder *e, const char *text, size_t bytes) {
    const Tokenizer *t = e->tokenizer;
    if (!t->pretokenizer) {
        if (bytes) { encoder_piece(e, text, bytes); }
        return;
    }
    ClassedText classed = {text, bytes, t->classes};
    for (size_t at = 0, end; at < bytes; at = end) {
        end = pretokenizer_next(t->pretokenizer, &classed, at);
        encoder_piece(e, text + at, end - at);
    }
}
static inline bool tokenizer_is_nfc(const Tokenizer *t, const char *text, size_t bytes) {
    for (size_t at = 0; at < bytes;) {
        if ((unsigned char)text[at] < 0x80) {
            at++;
        } else if (t->classes[utf8_next(text, bytes, &at)] & UNICODE_UNSTABLE) {
            return false;
        }
    }
    return true;
}
// Text between the added tokens of the raw text.
static inline void encoder_gap(TokenEncoder *e, const char *text, size_t bytes) {
    const Tokenizer *t = e->tokenizer;
    Buffer normal = {0};
    if (t->nfc && !tokenizer_is_nfc(t, text, bytes)) {
        unicode_append_nfc(&normal, text, bytes);
        text = normal.data, bytes = normal.size;
    }
    for (size_t at = 0, end = 0; at < bytes; at = end) {
        int id = -1;
        size_t start = trie_find(&t->added_normalized, text, bytes, at, &end, &id);
        encoder_pieces(e, text + at, start - at);
        if (start == bytes) { break; }
        ints_push(e->ids, id);
    }
    buffer_free(&normal);
}
// Appends the ids of the text. Added tokens in it are recognised; nothing is put in front or behind (a chat template writes its
// own beginning). Bytes that are not UTF-8 count as U+FFFD, as they would after Python's decode(errors="replace").
static inline void tokenizer_encode(const Tokenizer *t, const char *text, size_t bytes, Ints *ids) {
    TokenEncoder encoder = {.tokenizer = t, .ids = ids};
    Buffer repaired = {0};
    if (utf8_valid_length(text, bytes) < bytes) {
        if (utf8_append_repaired(&repaired, text, bytes)) { utf8_append(&repaired, UNICODE_REPLACEMENT); }
        text = repaired.data, bytes = repaired.size;
    }
    for (size_t at = 0, end = 0; at < bytes; at = end) {
        int id = -1;
        size_t start = trie_find(&t->added, text, bytes, at, &end, &id);
        encoder_gap(&encoder, text + at, start - at);
        if (start == bytes) { break; }
        ints_push(ids, id);
    }
    buffer_free(&repaired);
    free(encoder.symbols);
    free(encoder.heap);
}

// ---- decoding
typedef struct {  // a text that arrives token by token; {0} to begin with
    char held[4]; // the first bytes of a character whose rest has not come yet
    size_t count;
} TokenStream;

// Appends what is complete. Ids that are no token are passed over.
static inline void token_stream_push(TokenStream *stream, const Tokenizer *t, int id, bool skip_special, Buffer *out) {
    if (id < 0 || id >= t->size || !t->tokens[id].used || (skip_special && t->tokens[id].special)) { return; }
    const char *bytes = t->pool.data + t->tokens[id].bytes;
    size_t count = t->tokens[id].byte_count;
    if (stream->count == 0 && utf8_valid_length(bytes, count) == count) {
        buffer_append(out, bytes, count);
        return;
    }
    Buffer joined = {0};
    buffer_append(&joined, stream->held, stream->count);
    buffer_append(&joined, bytes, count);
    stream->count = utf8_append_repaired(out, joined.data, joined.size);
    memcpy(stream->held, joined.data + joined.size - stream->count, stream->count);
    buffer_free(&joined);
}
// The end of the text: a character that never became complete is shown as U+FFFD.
static inline void token_stream_flush(TokenStream *stream, Buffer *out) {
    if (stream->count) { utf8_append(out, UNICODE_REPLACEMENT); }
    stream->count = 0;
}
// Appends the text of the ids, always well-formed UTF-8.
static inline void tokenizer_decode(const Tokenizer *t, const int *ids, size_t count, bool skip_special, Buffer *text) {
    TokenStream stream = {0};
    for (size_t i = 0; i < count; i++) { token_stream_push(&stream, t, ids[i], skip_special, text); }
    token_stream_flush(&stream, text);
}

// ---- questions
static inline int tokenizer_vocab_size(const Tokenizer *t) { return t->size; } // ids from here on must never be sampled
static inline const char *tokenizer_token_text(const Tokenizer *t, int id) {   // as the file spells it, or NULL
    return id >= 0 && id < t->size && t->tokens[id].used ? t->pool.data + t->tokens[id].text : NULL;
}
static inline int tokenizer_token_id(const Tokenizer *t, const char *token) { // by the file's spelling; -1 if there is none
    size_t bytes = strlen(token);
    for (int id = t->size - 1; id >= 0; id--) { // a walk: asked for a few names at the start of a program
        if (t->tokens[id].used && t->tokens[id].text_bytes == bytes && !memcmp(t->pool.data + t->tokens[id].text, token, bytes)) { return id; }
    }
    return -1;
}
static inline void tokenizer_free(Tokenizer *t) {
    if (!t) { return; }
    free(t->tokens);
    free(t->vocabulary);
    free(t->merges);
    free(t->added.nodes);
    free(t->added_normalized.nodes);
    free(t->classes);
    buffer_free(&t->pool);
    free(t);
}
#include "tokenizer_file.h" // tokenizer_open
