// records: answers as JSON lines, for people to read and for --replay: one file a step in rollouts/, one an evaluation in eval/.
//   {"prompt":..,"response":..,"truth":..,"reward":1,"reason":"text equal","gave_up":false,"finished":true,"advantage":0.87,
//    "index":17,"sample":0,"prompt_ids":[..],"ids":[..],"logprobs":[..]}
#pragma once
#include "llmc/grading.h"
#include "llmc/text.h"

static inline void record_append_ids(Buffer *out, const int *ids, int count) {
    for (int i = 0; i < count; i++) { buffer_printf(out, i ? ",%d" : "%d", ids[i]); }
}
// Every answer of a set, in order; a write error shows when the file is committed.
static inline void records_append(FILE *file, const Samples *samples, const Grading *grading) {
    Buffer line = {0};
    for (int i = 0; i < samples->count; i++) {
        const Sample *s = &samples->list[i];
        Prompt prompt = prompt_set_get(grading->prompts, grading->prompt_index[s->prompt]);
        buffer_clear(&line);
        buffer_append_text(&line, "{\"prompt\":");
        text_append_json(&line, prompt.text, strlen(prompt.text));
        buffer_append_text(&line, ",\"response\":");
        text_append_json(&line, s->text.data ? s->text.data : "", s->text.size);
        buffer_printf(&line, ",\"truth\":%s,\"reward\":%g,\"reason\":\"%s\",\"gave_up\":%s,\"finished\":%s,\"advantage\":%.9g,\"index\":%lld,\"sample\":%d,\"prompt_ids\":[",
                      prompt.truth_json, (double)s->reward, s->verdict.reason, s->verdict.gave_up ? "true" : "false", s->finished ? "true" : "false", (double)s->advantage, (long long)prompt.index, s->number);
        record_append_ids(&line, s->prompt_ids, s->prompt_count);
        buffer_append_text(&line, "],\"ids\":[");
        record_append_ids(&line, s->tokens, s->count);
        buffer_append_text(&line, "],\"logprobs\":[");
        for (int t = 0; t < s->count; t++) { buffer_printf(&line, t ? ",%.9g" : "%.9g", (double)s->logprob[t]); }
        buffer_append_text(&line, "]}\n");
        fwrite(line.data, 1, line.size, file);
    }
    buffer_free(&line);
}
static inline bool records_write(const char *path, const Samples *samples, const Grading *grading, Error *error) { // the whole file or nothing
    AtomicFile file;
    if (!atomic_file_open(&file, path, error)) { return false; }
    records_append(file.file, samples, grading);
    return atomic_file_commit(&file, error);
}
