// text_table: distinct texts, numbered from 0 in the order they were added. Found by a 64-bit hash; texts of one hash are compared.
#pragma once
#include "prompts.h"

typedef struct {
    Buffer texts;     // one behind the other
    size_t *begin;    // (count + 1) where each begins in `texts`
    uint64_t *hashes; // (count)
    int *slots;       // (slot_count) number + 1 of a text, 0: free; at most half are taken
    int count, capacity;
    size_t slot_count; // a power of two
    uint64_t secret;   // no file can be made whose texts all want one slot: the time would grow with the square. No result depends on it
} TextTable;

static inline void text_table_free(TextTable *table) {
    buffer_free(&table->texts);
    free(table->begin);
    free(table->hashes);
    free(table->slots);
    *table = (TextTable){0};
}
static inline const char *text_table_get(const TextTable *table, int number, size_t *bytes) {
    *bytes = table->begin[number + 1] - table->begin[number];
    return table->texts.data + table->begin[number];
}
static inline size_t text_table_home(const TextTable *table, uint64_t hash) {
    hash = (hash ^ table->secret) * 0x9E3779B97F4A7C15u;
    return (size_t)(hash ^ hash >> 32) & (table->slot_count - 1);
}
// Where the text is, or the free slot where it belongs.
static inline size_t text_table_slot(const TextTable *table, uint64_t hash, const char *text, size_t bytes) {
    size_t slot = text_table_home(table, hash);
    for (; table->slots[slot]; slot = (slot + 1) & (table->slot_count - 1)) {
        const int number = table->slots[slot] - 1;
        size_t length;
        const char *held = table->hashes[number] == hash ? text_table_get(table, number, &length) : NULL;
        if (held && length == bytes && !memcmp(held, text, bytes)) { break; }
    }
    return slot;
}
static inline int text_table_find(const TextTable *table, const char *text, size_t bytes) { // its number, or -1
    return table->count ? table->slots[text_table_slot(table, prompts_fingerprint(text, bytes), text, bytes)] - 1 : -1;
}
static inline void text_table_grow(TextTable *table) {
    table->capacity = table->capacity ? 2 * table->capacity : 1024;
    table->begin = (size_t *)host_realloc(table->begin, sizeof(size_t) * ((size_t)table->capacity + 1));
    table->hashes = (uint64_t *)host_realloc(table->hashes, sizeof(uint64_t) * (size_t)table->capacity);
    table->begin[table->count] = table->texts.size;
    free(table->slots);
    table->slot_count = 2 * (size_t)table->capacity;
    table->slots = (int *)host_alloc(sizeof(int) * table->slot_count);
    table->secret = (uint64_t)(seconds_now() * 1e9) * 0xD1342543DE82EF95u ^ (uint64_t)(uintptr_t)table->slots;
    for (int i = 0; i < table->count; i++) {
        size_t slot = text_table_home(table, table->hashes[i]);
        while (table->slots[slot]) { slot = (slot + 1) & (table->slot_count - 1); }
        table->slots[slot] = i + 1;
    }
}
static inline int text_table_add(TextTable *table, const char *text, size_t bytes) { // its number, which is the old count if it is new
    const uint64_t hash = prompts_fingerprint(text, bytes);
    if (table->count == table->capacity) { text_table_grow(table); }
    const size_t slot = text_table_slot(table, hash, text, bytes);
    if (table->slots[slot]) { return table->slots[slot] - 1; }
    buffer_append(&table->texts, text, bytes);
    table->hashes[table->count] = hash;
    table->slots[slot] = ++table->count;
    table->begin[table->count] = table->texts.size;
    return table->count - 1;
}
