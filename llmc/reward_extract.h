// reward_extract: from a whole text to the answer that is graded, as DeepScaleR's math_reward.py takes it.
//
// The text is prompt and response decoded together: the chat template may have put <think> into the prompt. It must hold
// <think> and </think>; the answer lies between the first and the second </think>, in the last \boxed{...}.
#pragma once
#include "llmc/reward_text.h"

// Appends what the last \boxed{...} of the text holds. False when there is none, when its braces do not close, or when
// anything stands between the macro and its brace.
static inline bool reward_extract_boxed(Buffer *answer, const char *text, size_t bytes) {
    const char *macro = "\\boxed", *end = text + bytes, *box = NULL;
    size_t macro_bytes = strlen(macro);
    for (const char *at = text; (at = (const char *)memmem(at, (size_t)(end - at), macro, macro_bytes)); at += macro_bytes) { box = at; }
    if (!box || end - box <= (ptrdiff_t)macro_bytes || box[macro_bytes] != '{') { return false; }
    const char *inside = box + macro_bytes + 1;
    int depth = 1;
    for (const char *at = inside; at < end; at++) {
        depth += (*at == '{') - (*at == '}');
        if (depth == 0) {
            buffer_append(answer, inside, (size_t)(at - inside));
            return true;
        }
    }
    return false;
}

// NULL when the answer was found, else why not.
static inline const char *reward_extract_deepscaler(Buffer *answer, const char *text, size_t bytes) {
    const char *close = "</think>";
    size_t close_bytes = strlen(close);
    const char *thought_end = (const char *)memmem(text, bytes, close, close_bytes);
    if (!thought_end || !memmem(text, bytes, "<think>", strlen("<think>"))) { return "no think tag"; }
    const char *start = thought_end + close_bytes;
    size_t left = bytes - (size_t)(start - text);
    const char *again = (const char *)memmem(start, left, close, close_bytes);
    if (again) { left = (size_t)(again - start); }
    return reward_extract_boxed(answer, start, left) ? NULL : "no box";
}
