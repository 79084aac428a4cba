// memory: everything the device will ever hold is decided before step 0, printed as one table, and refused if it does not fit.
// The resident part lives all the time. Generation and training take turns, so their two layouts start at the same byte.
//
// A layout is a function that calls memory_take for each of its arrays. It runs twice over the same Memory: first while `base` is
// NULL, to count; then, after memory_commit, to hand out pointers. So the plan that is printed is the plan that is used.
#pragma once
#include "llmc/common.h"
#include "llmc/device.h"

typedef enum { MEMORY_RESIDENT,
               MEMORY_GENERATE,
               MEMORY_TRAIN,
               MEMORY_PHASES } MemoryPhase;
typedef struct {
    MemoryPhase phase;
    const char *what;
    size_t bytes;
} MemoryItem;
typedef struct {
    MemoryItem items[48];
    int count;
    char *base;
    size_t used[MEMORY_PHASES], resident; // resident: what both layouts stand on, known after memory_commit
    size_t float_bytes;                   // of a floatX; 0 = this build's. Another build's plan can be counted, not handed out
    int ranks;                            // among which the optimizer's state is divided; 0 = 1
} Memory;
static inline size_t memory_float_bytes(const Memory *memory) { return memory->float_bytes ? memory->float_bytes : sizeof(floatX); }

// Items of the same name add up to one line of the table. Each array starts on a 256-byte boundary.
static inline void *memory_take(Memory *memory, MemoryPhase phase, const char *what, size_t bytes) {
    size_t offset = memory->used[phase] + (phase == MEMORY_RESIDENT ? 0 : memory->resident);
    bytes = (bytes + 255) / 256 * 256;
    memory->used[phase] += bytes;
    if (memory->base) { return memory->base + offset; }
    for (int i = 0; i < memory->count; i++) {
        if (memory->items[i].phase == phase && !strcmp(memory->items[i].what, what)) {
            memory->items[i].bytes += bytes;
            return NULL;
        }
    }
    assert(memory->count < (int)(sizeof(memory->items) / sizeof(memory->items[0])));
    memory->items[memory->count++] = (MemoryItem){phase, what, bytes};
    return NULL;
}
static inline size_t memory_total(const Memory *memory) {
    size_t generate = memory->used[MEMORY_GENERATE], train = memory->used[MEMORY_TRAIN];
    return memory->used[MEMORY_RESIDENT] + (generate > train ? generate : train);
}
// After the counting pass: one allocation, and the counters back to zero for the pass that hands out pointers.
static inline void memory_commit(Memory *memory) {
    memory->base = (char *)device_alloc("the memory plan", memory_total(memory));
    memory->resident = memory->used[MEMORY_RESIDENT];
    memset(memory->used, 0, sizeof(memory->used));
}

static inline void memory_print(const Memory *memory, FILE *out) {
    static const char *phase_names[] = {"resident", "generate", "train"};
    fprintf(out, "+----------+--------------------------------+--------------+\n");
    fprintf(out, "| memory   | what                           |          MiB |\n");
    fprintf(out, "+----------+--------------------------------+--------------+\n");
    for (int phase = 0; phase < MEMORY_PHASES; phase++) {
        for (int i = 0; i < memory->count; i++) {
            const MemoryItem *item = &memory->items[i];
            if ((int)item->phase == phase) { fprintf(out, "| %-8s | %-30s | %12.1f |\n", phase_names[phase], item->what, (double)item->bytes / (1 << 20)); }
        }
    }
    fprintf(out, "| total    | %-30s | %12.1f |\n", "resident + the larger phase", (double)memory_total(memory) / (1 << 20));
    fprintf(out, "+----------+--------------------------------+--------------+\n");
}
// False, with the number that does not fit and the options that would make it fit, when `available` bytes are not enough.
static inline bool memory_fits(const Memory *memory, size_t available, Error *error) {
    size_t total = memory_total(memory);
    if (total <= available) { return true; }
    const bool generate = memory->used[MEMORY_GENERATE] > memory->used[MEMORY_TRAIN], resident = memory->used[MEMORY_RESIDENT] > available;
    return error_set(error, "the memory plan needs %.1f MiB but %.1f MiB are available; %.1f MiB too many, in the %s part: %s", (double)total / (1 << 20),
                     (double)available / (1 << 20), (double)(total - available) / (1 << 20), resident ? "resident" : generate ? "generate"
                                                                                                                              : "train",
                     resident   ? "the model itself does not fit; --kl_coef 0 leaves the reference out"
                     : generate ? "lower --kv_cache_mib or --max_sequences"
                                : "lower --tokens_per_microbatch or the context, or raise --recompute to 2");
}
