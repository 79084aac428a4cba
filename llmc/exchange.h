// exchange: every rank gets every answer, once each has been sampled and graded by the rank that drew it from the queue. After it the
// samples of all ranks are the same, to the bit, so that what follows (advantages, plans of micro-batches, metrics) needs no more words.
#pragma once
#include "llmc/ranks.h"
#include "llmc/samples.h"

typedef struct {
    int index, count, finished, gave_up;
    float reward;
    unsigned text, answer, reason; // bytes behind the tokens and log-probabilities
} ExchangeHeader;

static inline void exchange_write(Buffer *out, const Sample *s, int index) {
    const ExchangeHeader header = {index, s->count, s->finished, s->verdict.gave_up, s->reward, (unsigned)s->text.size, (unsigned)s->answer.size, (unsigned)strlen(s->verdict.reason)};
    buffer_append(out, &header, sizeof(header));
    buffer_append(out, s->tokens, sizeof(int) * (size_t)s->count);
    buffer_append(out, s->logprob, sizeof(float) * (size_t)s->count);
    buffer_append(out, s->text.data, header.text);
    buffer_append(out, s->answer.data, header.answer);
    buffer_append(out, s->verdict.reason, header.reason);
}
// Reasons are static texts of the grader, and few: one that came from elsewhere is kept for good.
static inline const char *exchange_reason(const char *text, size_t bytes) {
    static char *kept[256];
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        if (!kept[i]) {
            kept[i] = (char *)host_alloc(bytes + 1);
            memcpy(kept[i], text, bytes);
        }
        if (strlen(kept[i]) == bytes && !memcmp(kept[i], text, bytes)) { return kept[i]; }
    }
    return "another reason";
}
static inline const char *exchange_read(Samples *samples, const char *at) { // returns what follows
    ExchangeHeader header;
    memcpy(&header, at, sizeof(header));
    at += sizeof(header);
    Sample *s = &samples->list[header.index];
    s->count = header.count, s->finished = header.finished, s->reward = header.reward;
    memcpy(s->tokens, at, sizeof(int) * (size_t)s->count);
    memcpy(s->logprob, at + sizeof(int) * (size_t)s->count, sizeof(float) * (size_t)s->count);
    at += (sizeof(int) + sizeof(float)) * (size_t)s->count;
    buffer_clear(&s->text);
    buffer_clear(&s->answer);
    buffer_append(&s->text, at, header.text);
    buffer_append(&s->answer, at + header.text, header.answer);
    s->verdict = (Verdict){header.reward > 0, exchange_reason(at + header.text + header.answer, header.reason), header.gave_up};
    return at + header.text + header.answer + header.reason;
}
// Everyone's `own`, one rank's behind the other's, in `memory`, which is kept from call to call.
static inline void exchange_all(Buffer *memory, Buffer *own) {
    size_t starts[MAX_RANKS + 1] = {0};
    double sizes[MAX_RANKS] = {0};
    sizes[ranks_mine()] = (double)own->size;
    ranks_sum(sizes, ranks_count());
    for (int r = 0; r < ranks_count(); r++) { starts[r + 1] = starts[r] + (size_t)sizes[r]; }
    buffer_clear(memory);
    buffer_reserve(memory, starts[ranks_count()]);
    memory->size = starts[ranks_count()];
    if (own->size) { memcpy(memory->data + starts[ranks_mine()], own->data, own->size); }
    buffer_free(own);
    ranks_gather(memory->data, starts, -1);
}
// owned[i]: whether this rank answered sample i.
static inline void samples_exchange(Samples *samples, const bool *owned, Buffer *memory) {
    Buffer own = {0};
    if (ranks_count() == 1) { return; }
    for (int i = 0; i < samples->count; i++) {
        if (owned[i]) { exchange_write(&own, &samples->list[i], i); }
    }
    exchange_all(memory, &own);
    for (const char *at = memory->data, *end = at + memory->size; at < end;) { at = exchange_read(samples, at); }
}
// The log-probabilities in an array `field` of the samples (offsetof(Sample, reference_logprob)) that this rank has found: of scored[0 .. count-1].
static inline void samples_exchange_logprobs(Samples *samples, size_t field, const int *scored, int count, Buffer *memory) {
    Buffer own = {0};
    if (ranks_count() == 1) { return; }
    for (int k = 0; k < count; k++) {
        Sample *s = &samples->list[scored[k]];
        buffer_append(&own, &scored[k], sizeof(int));
        buffer_append(&own, sample_logprobs(s, field), sizeof(float) * (size_t)s->count);
    }
    exchange_all(memory, &own);
    for (const char *at = memory->data, *end = at + memory->size; at < end;) {
        int index;
        memcpy(&index, at, sizeof(int));
        Sample *s = &samples->list[index];
        memcpy(sample_logprobs(s, field), at + sizeof(int), sizeof(float) * (size_t)s->count);
        at += sizeof(int) + sizeof(float) * (size_t)s->count;
    }
}
