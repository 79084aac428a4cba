// prompts: prompts.bin, a prompt set as the trainer reads it: token ids beside the text, the accepted answers and the source.
//
// Little-endian, fixed header, records of 8-byte alignment, then a table of their places for random access; README.md of this
// folder has every byte. The file is mapped and checked whole when it is opened (checksum, sizes, terminators, text, answers),
// so that prompt_set_get() can hand out pointers into it. The header carries fingerprints of the tokenizer and of the chat
// template that made it: ids are worth nothing to another model.
#pragma once
#include <zlib.h>
#include "llmc/json.h"

#define PROMPTS_MAGIC "GRPOPRMT"
enum { PROMPTS_VERSION = 1,
       PROMPTS_HEADER_BYTES = 64,
       PROMPT_RECORD_BYTES = 32 };

typedef struct { // the file's first 64 bytes
    char magic[8];
    uint32_t version, count;
    uint64_t file_bytes, tokenizer_fingerprint, template_fingerprint, table_position;
    uint32_t longest; // tokens of the longest prompt
    uint32_t zero;
    uint32_t checksum;        // CRC-32 of all that follows the header
    uint32_t header_checksum; // CRC-32 of the header up to here
} PromptsHeader;
_Static_assert(sizeof(PromptsHeader) == PROMPTS_HEADER_BYTES, "the header has no padding");
typedef struct { // a record's first 32 bytes
    uint32_t ids, text_bytes, problem_bytes, truth_bytes, source_bytes, zero;
    int64_t index;
} PromptRecord; // then ids int32, then the four texts, each with a NUL behind it, then zeros up to 8 bytes
_Static_assert(sizeof(PromptRecord) == PROMPT_RECORD_BYTES, "the record has no padding");

typedef struct {
    const int *ids;
    int count;
    const char *text;       // what the chat template made: the text of the ids
    const char *problem;    // what the user asked
    const char *truth_json; // accepted answers: a JSON array of strings
    const char *data_source;
    int64_t index; // in the data set it comes from
} Prompt;

// 64-bit FNV-1a.
static inline uint64_t prompts_fingerprint(const void *data, size_t bytes) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < bytes; i++) { hash = (hash ^ ((const unsigned char *)data)[i]) * 0x100000001b3u; }
    return hash;
}

// ---- writing: open, add ..., close
typedef struct {
    AtomicFile atomic;
    PromptsHeader header;
    uint64_t position;
    uint64_t *places;
    size_t capacity;
    Buffer record;
} PromptWriter;

static inline bool prompt_writer_open(PromptWriter *writer, const char *path, uint64_t tokenizer_fingerprint, uint64_t template_fingerprint, Error *error) {
    *writer = (PromptWriter){.position = PROMPTS_HEADER_BYTES};
    writer->header = (PromptsHeader){.version = PROMPTS_VERSION, .tokenizer_fingerprint = tokenizer_fingerprint, .template_fingerprint = template_fingerprint};
    memcpy(writer->header.magic, PROMPTS_MAGIC, 8);
    if (!atomic_file_open(&writer->atomic, path, error)) { return false; }
    fwrite(&writer->header, 1, PROMPTS_HEADER_BYTES, writer->atomic.file); // its final contents come last
    return true;
}
static inline void prompt_writer_put(PromptWriter *writer, const void *data, size_t bytes) {
    fwrite(data, 1, bytes, writer->atomic.file);
    writer->header.checksum = (uint32_t)crc32(writer->header.checksum, (const unsigned char *)data, (uInt)bytes);
    writer->position += bytes;
}
static inline void prompt_writer_add(PromptWriter *writer, const Prompt *prompt) {
    const char *texts[] = {prompt->text, prompt->problem, prompt->truth_json, prompt->data_source};
    PromptRecord head = {.ids = (uint32_t)prompt->count, .text_bytes = (uint32_t)strlen(texts[0]), .problem_bytes = (uint32_t)strlen(texts[1]), .truth_bytes = (uint32_t)strlen(texts[2]), .source_bytes = (uint32_t)strlen(texts[3]), .index = prompt->index};
    if (writer->header.count == writer->capacity) {
        writer->capacity = writer->capacity ? 2 * writer->capacity : 1024;
        writer->places = (uint64_t *)host_realloc(writer->places, writer->capacity * sizeof(uint64_t));
    }
    writer->places[writer->header.count++] = writer->position;
    if (head.ids > writer->header.longest) { writer->header.longest = head.ids; }
    Buffer *record = &writer->record;
    buffer_clear(record);
    buffer_append(record, &head, sizeof(head));
    buffer_append(record, prompt->ids, (size_t)prompt->count * sizeof(int));
    for (int i = 0; i < 4; i++) { buffer_append(record, texts[i], strlen(texts[i]) + 1); }
    buffer_append(record, "\0\0\0\0\0\0\0", (8 - record->size % 8) % 8);
    prompt_writer_put(writer, record->data, record->size);
}
static inline void prompt_writer_free(PromptWriter *writer) {
    if (writer->atomic.file) { atomic_file_abort(&writer->atomic); }
    free(writer->places);
    buffer_free(&writer->record);
    *writer = (PromptWriter){0};
}
// Puts the file in its place. Without this, prompt_writer_free() leaves nothing behind.
static inline bool prompt_writer_close(PromptWriter *writer, Error *error) {
    PromptsHeader *header = &writer->header;
    header->table_position = writer->position;
    for (uint32_t i = 0; i < header->count; i++) { prompt_writer_put(writer, &writer->places[i], sizeof(uint64_t)); }
    header->file_bytes = writer->position;
    header->header_checksum = (uint32_t)crc32(0, (const unsigned char *)header, PROMPTS_HEADER_BYTES - 4);
    rewind(writer->atomic.file);
    fwrite(header, 1, PROMPTS_HEADER_BYTES, writer->atomic.file);
    bool ok = atomic_file_commit(&writer->atomic, error);
    prompt_writer_free(writer);
    return ok;
}

// ---- reading
typedef struct PromptSet {
    Mapping file;
    PromptsHeader header;
    const uint64_t *places;
    int largest_id;
} PromptSet;

static inline int prompt_set_count(const PromptSet *set) { return (int)set->header.count; }
static inline int prompt_set_longest(const PromptSet *set) { return (int)set->header.longest; }
static inline int prompt_set_largest_id(const PromptSet *set) { return set->largest_id; } // must be below the model's vocabulary
static inline Prompt prompt_set_get(const PromptSet *set, int i) {
    assert(i >= 0 && i < prompt_set_count(set));
    const unsigned char *record = set->file.data + set->places[i];
    const PromptRecord *head = (const PromptRecord *)record;
    const int *ids = (const int *)(record + PROMPT_RECORD_BYTES);
    const char *text = (const char *)(ids + head->ids), *problem = text + head->text_bytes + 1, *truth = problem + head->problem_bytes + 1;
    return (Prompt){.ids = ids, .count = (int)head->ids, .text = text, .problem = problem, .truth_json = truth, .data_source = truth + head->truth_bytes + 1, .index = head->index};
}
// Whether a model of `vocab` tokens can be asked every prompt of a set that has been opened: it may have been prepared with another limit, and
// a file from elsewhere may have right checksums and ids of another model's.
static inline bool prompt_set_check_limits(const PromptSet *set, const char *path, int max_prompt_tokens, int vocab, Error *error) {
    int too_long = 0, first = 0;
    for (int i = prompt_set_count(set) - 1; i >= 0; i--) {
        if (prompt_set_get(set, i).count > max_prompt_tokens) { too_long++, first = i; }
    }
    if (too_long) {
        return error_set(error, "%s: %d of %d prompts have more tokens than --max_prompt_tokens %d, the first is prompt %d with %d: raise it to %d, or prepare the file again with it", path, too_long,
                         prompt_set_count(set), max_prompt_tokens, first, prompt_set_get(set, first).count, prompt_set_longest(set));
    }
    return set->largest_id < vocab || error_set(error, "%s: holds id %d, the tokenizer has %d: prepare the file again", path, set->largest_id, vocab);
}
static inline void prompt_set_close(PromptSet *set) {
    if (!set) { return; }
    mapping_close(&set->file);
    free(set);
}

static inline bool prompts_text_is_valid(const char *text, size_t bytes) { // `bytes` of UTF-8 without a NUL, then one
    if (text[bytes] != 0 || memchr(text, 0, bytes)) { return false; }
    json_t *json = json_stringn(text, bytes);
    json_decref(json);
    return json != NULL;
}
static inline bool prompts_truth_is_valid(const char *text, size_t bytes) {
    Error unused;
    json_t *truths = prompts_text_is_valid(text, bytes) ? json_parse(text, bytes, "", &unused) : NULL, *truth;
    bool ok = json_is_array(truths) && json_array_size(truths) > 0;
    size_t i;
    json_array_foreach(truths, i, truth) { ok = ok && json_is_string(truth); }
    json_decref(truths);
    return ok;
}
// NULL, or what is wrong with record i. It must begin at *next, where the last one ended (the time to check records that share their
// bytes would grow with the square of the file), and lie whole before the table; *next becomes where it ends.
static inline const char *prompt_set_check_record(PromptSet *set, uint32_t i, uint64_t *next) {
    uint64_t place = set->places[i], end = set->header.table_position;
    if (place != *next || end - place < PROMPT_RECORD_BYTES) { return "its place is not behind the last one's end"; }
    const PromptRecord *head = (const PromptRecord *)(set->file.data + place);
    uint64_t bytes = 4ull * head->ids + head->text_bytes + head->problem_bytes + head->truth_bytes + head->source_bytes + 4;
    if (bytes > end - place - PROMPT_RECORD_BYTES) { return "it is longer than the file"; }
    *next = place + (PROMPT_RECORD_BYTES + bytes + 7) / 8 * 8; // at most `end`, which is a multiple of 8, as `place` is
    if (head->ids == 0 || head->ids > set->header.longest || head->zero != 0) { return "its number of tokens is out of range"; }
    Prompt prompt = prompt_set_get(set, (int)i);
    for (int t = 0; t < prompt.count; t++) {
        if (prompt.ids[t] < 0) { return "it has a negative token id"; }
        if (prompt.ids[t] > set->largest_id) { set->largest_id = prompt.ids[t]; }
    }
    if (!prompts_text_is_valid(prompt.text, head->text_bytes) || !prompts_text_is_valid(prompt.problem, head->problem_bytes) ||
        !prompts_text_is_valid(prompt.data_source, head->source_bytes)) {
        return "its text is not valid";
    }
    return prompts_truth_is_valid(prompt.truth_json, head->truth_bytes) ? NULL : "its answers are not a JSON array of strings";
}
static inline bool prompt_set_check(PromptSet *set, const char *path, Error *error) {
    const PromptsHeader *header = &set->header;
    if (set->file.size < PROMPTS_HEADER_BYTES || memcmp(set->file.data, PROMPTS_MAGIC, 8) != 0) {
        return error_set(error, "%s: is not a prompt set (prompts.bin); make one with ./prepare -m MODEL -i DATA -o %s", path, path);
    }
    memcpy(&set->header, set->file.data, PROMPTS_HEADER_BYTES);
    if (header->version != PROMPTS_VERSION) {
        return error_set(error, "%s: is a prompt set of version %u, this program reads %d; make it anew with ./prepare", path, header->version, PROMPTS_VERSION);
    }
    if (crc32(0, set->file.data, PROMPTS_HEADER_BYTES - 4) != header->header_checksum) { return error_set(error, "%s: the header is damaged (its checksum differs); make it anew with ./prepare", path); }
    if (header->file_bytes != set->file.size) {
        return error_set(error, "%s: holds %zu bytes where its header announces %llu; make it anew with ./prepare", path, set->file.size, (unsigned long long)header->file_bytes);
    }
    uint64_t table = header->table_position;
    if (table < PROMPTS_HEADER_BYTES || table % 8 != 0 || table > set->file.size || (set->file.size - table) / 8 != header->count || header->count == 0 || header->count > INT32_MAX ||
        header->longest > INT32_MAX) {
        return error_set(error, "%s: the table of %u prompts does not fit the file; make it anew with ./prepare", path, header->count);
    }
    uint32_t checksum = 0;
    for (size_t at = PROMPTS_HEADER_BYTES; at < set->file.size;) { // zlib counts in 32 bits
        size_t piece = set->file.size - at < (1u << 30) ? set->file.size - at : 1u << 30;
        checksum = (uint32_t)crc32(checksum, set->file.data + at, (uInt)piece);
        at += piece;
    }
    if (checksum != header->checksum) { return error_set(error, "%s: is damaged (checksum %08x, should be %08x); make it anew with ./prepare", path, checksum, header->checksum); }
    set->places = (const uint64_t *)(set->file.data + table);
    uint64_t next = PROMPTS_HEADER_BYTES;
    for (uint32_t i = 0; i < header->count; i++) {
        const char *fault = prompt_set_check_record(set, i, &next);
        if (fault) { return error_set(error, "%s: prompt %u: %s; make it anew with ./prepare", path, i, fault); }
    }
    return true;
}
static inline PromptSet *prompt_set_open(const char *path, Error *error) {
    PromptSet *set = (PromptSet *)host_alloc(sizeof(PromptSet));
    if (mapping_open(&set->file, path, error) && prompt_set_check(set, path, error)) { return set; }
    prompt_set_close(set);
    return NULL;
}
