// hopper_emulator: the part of emulator.cc behind hopper.cuh. Who has seen what is kept in `seen`, one vector clock a thread, handed on by mbarriers
// and named barriers; asynchronous work lands as late as it may:
// - a TMA copy when no thread can go on (EMU_ORDER 0 the oldest, 1 the newest, else any, also earlier); until then its destination is poisoned and pending;
// - a wgmma at the wait that covers it; until then its accumulators hold NaN (closed to ASan, watched by the race detector), its operand in
//   registers must not change, and its reads of shared memory stay open: whoever writes there must have heard of that wait from all four warps.
#pragma once
#include "hopper.cuh"
#include <vector>

// ---- clocks
static void clock_join(uint16_t *to, const uint16_t *from) {
    if (!recording) { return; }
    for (unsigned i = 0; i < thread_count; i++) { to[i] = max(to[i], from[i]), to[FENCED + i] = max(to[FENCED + i], from[FENCED + i]); }
    for (unsigned i = RETIRED; i < RETIRED + thread_count / 32; i++) { to[i] = max(to[i], from[i]); }
}
static void clock_tick(unsigned thread) {
    wide = true;
    if (recording && ++seen[thread][thread] == 0) { emu_fault("race detector: more than 65535 releases by one thread"); }
}
static void clock_release(uint16_t *to, unsigned thread) { clock_tick(thread), clock_join(to, seen[thread]); }
void proxy_fence(void) { // what this thread wrote so far may be read by TMA and wgmma, for all who hear of it
    clock_tick(current->number);
    seen[current->number][FENCED + current->number] = seen[current->number][current->number];
    current->unfenced = false;
}
static void wake(State state, const void *argument) {
    for (unsigned i = 0; i < thread_count; i++) {
        if (threads[i].state == state && threads[i].argument == argument) { threads[i].state = READY; }
    }
}

// ---- mbarrier
struct Mbarrier {
    uint64_t *address;
    int arrivals, pending, bytes;
    unsigned phase;
    bool fenced;
    uint16_t clock[SEEN], released[SEEN]; // of who has arrived; of the phases that have ended
};
static std::vector<Mbarrier> mbarriers;
static Mbarrier *mbarrier_find(const char *what, uint64_t *address) {
    for (Mbarrier &b : mbarriers) {
        if (b.address == address) { return &b; }
    }
    emu_fault("%s: no mbarrier was initialised there", what);
}
static void mbarrier_touch(uint64_t *address, int kind, const void *code) { // no proxy_fence is owed for it
    bool unfenced = current->unfenced;
    emu_access(address, 8, kind, code);
    current->unfenced = unfenced;
}
void mbarrier_init(uint64_t *address, int arrivals) {
    if (arrivals < 1 || arrivals > 0xFFFFF || (size_t)address % 8) { emu_fault("mbarrier_init: %d arrivals at %p", arrivals, (void *)address); }
    mbarrier_touch(address, EMU_WRITE, __builtin_return_address(0));
    for (Mbarrier &b : mbarriers) {
        if (b.address == address) { emu_fault("mbarrier_init: initialised before"); }
    }
    *address = 0;
    mbarriers.emplace_back();
    Mbarrier *b = &mbarriers.back();
    b->address = address, b->arrivals = b->pending = arrivals;
}
void mbarrier_init_fence(void) {
    for (Mbarrier &b : mbarriers) { b.fenced = true; }
}
static void mbarrier_step(Mbarrier *b) {
    if (b->pending || b->bytes) { return; }
    for (unsigned i = 0; i < thread_count; i++) {
        if (threads[i].woken == b->address) { emu_fault("mbarrier: a second phase ends (phase %u) before thread %u has seen the one it waited for: it may wait for ever", b->phase, i); }
        if (threads[i].state == AT_MBARRIER && threads[i].argument == b->address) { threads[i].state = READY, threads[i].woken = b->address; }
    }
    b->phase++, b->pending = b->arrivals;
    if (recording) { memcpy(b->released, b->clock, sizeof(b->clock)); }
}
static void mbarrier_come(const char *what, uint64_t *address, int bytes, const void *code) {
    Mbarrier *b = mbarrier_find(what, address);
    mbarrier_touch(address, EMU_ATOMIC, code);
    if (bytes < 0 || bytes > 0xFFFFF) { emu_fault("%s: %d bytes", what, bytes); }
    clock_release(b->clock, current->number);
    if (b->pending == 0) { emu_fault("%s: more arrivals than its phase counts (phase %u, %d arrivals, %d bytes missing)", what, b->phase, b->arrivals, b->bytes); }
    b->bytes += bytes, b->pending--;
    mbarrier_step(b);
}
void mbarrier_arrive(uint64_t *address) { mbarrier_come("mbarrier_arrive", address, 0, __builtin_return_address(0)); }
void mbarrier_arrive_expect(uint64_t *address, int bytes) { mbarrier_come("mbarrier_arrive_expect", address, bytes, __builtin_return_address(0)); }
void mbarrier_wait(uint64_t *address, int parity, const char *file, int line) {
    mbarrier_touch(address, EMU_ATOMIC, __builtin_return_address(0));
    if (parity != 0 && parity != 1) { emu_fault("mbarrier_wait at %s:%d: parity %d", file, line, parity); }
    if ((int)(mbarrier_find("mbarrier_wait", address)->phase & 1) == parity) { // the phase of this parity has not ended
        wait_in(AT_MBARRIER, parity ? "mbarrier_wait (parity 1)" : "mbarrier_wait (parity 0)", file, line, 0, address);
        fiber_wait();
        current->woken = 0;
    }
    clock_join(seen[current->number], mbarrier_find("mbarrier_wait", address)->released);
}
static void mbarriers_print(void) {
    for (const Mbarrier &b : mbarriers) {
        fprintf(stderr, "    mbarrier at shared byte %ld: phase %u, %d of %d arrivals and %d bytes missing\n", (long)((unsigned char *)b.address - dynamic_shared), b.phase, b.pending, b.arrivals, b.bytes);
    }
}

// ---- TMA
struct BoxCopy {
    char *shared;
    TensorMap map;
    int row, column;
    uint64_t *barrier;
    unsigned thread;
    uint16_t clock;
    const void *code;
};
static std::vector<BoxCopy> boxes;
static size_t swizzle_128(size_t address) { return address ^ (address >> 7 & 7) << 4; }
static char *swizzled(const char *address) { return (char *)dynamic_shared + swizzle_128((size_t)(address - (char *)dynamic_shared)); }
bool tensor_map_make(TensorMap *map, const void *array, size_t rows, size_t columns, int box_rows, int box_columns) { // the driver's conditions (cuda.h)
    *map = {(const char *)array, rows, columns, box_rows, box_columns};
    return (size_t)array % 16 == 0 && columns * 2 % 16 == 0 && rows > 0 && columns > 0 && rows >> 32 == 0 && columns >> 32 == 0 && box_rows > 0 && box_rows <= 256 && box_columns * 2 % 16 == 0 && box_columns > 0 && box_columns * 2 <= 128;
}
static size_t box_bytes(const TensorMap &map) { return (size_t)map.box_rows * map.box_columns * 2; }
// The part of a row of the box that lies in the array; 0 bytes where none does.
static const char *box_row(const BoxCopy &c, int r, size_t *bytes) {
    long row = (long)c.row + r, columns = min((long)c.map.columns - c.column, (long)c.map.box_columns);
    *bytes = row >= 0 && row < (long)c.map.rows && c.column >= 0 && columns > 0 ? (size_t)columns * 2 : 0;
    return c.map.array + ((size_t)max(row, 0L) * c.map.columns + (size_t)c.column) * 2;
}
void tma_load(void *shared, const TensorMap *map, int row, int column, uint64_t *barrier) {
    char *to = (char *)shared;
    BoxCopy c = {to, *map, row, column, barrier, current->number, seen[current->number][current->number], __builtin_return_address(0)};
    Mbarrier *b = mbarrier_find("tma_load", barrier);
    if (!b->fenced) { emu_fault("tma_load: its mbarrier was initialised without mbarrier_init_fence"); }
    if (to < (char *)dynamic_shared || to + box_bytes(*map) > (char *)dynamic_shared + dynamic_bytes || (to - (char *)dynamic_shared) % 128) { emu_fault("tma_load: %zu bytes to shared byte %ld, which must lie in shared memory on a multiple of 128", box_bytes(*map), (long)(to - (char *)dynamic_shared)); }
    if (map->box_columns != 64) { emu_fault("tma_load: boxes of %d columns are not emulated", map->box_columns); }
    if (column < 0) { emu_fault("tma_load: column %d", column); }
    emu_access(to, box_bytes(*map), EMU_TMA, c.code);
    for (int r = 0; r < map->box_rows; r++) {
        size_t bytes;
        const char *from = box_row(c, r, &bytes);
        if (bytes) { emu_access(from, bytes, EMU_READ, c.code); }
    }
    poison(to, box_bytes(*map));
    clock_tick(current->number);
    boxes.push_back(c);
}
static void box_land(size_t i) {
    BoxCopy c = boxes[i];
    Mbarrier *b = mbarrier_find("tma_load", c.barrier);
    boxes.erase(boxes.begin() + (long)i);
    for (int r = 0; r < c.map.box_rows; r++) {
        char row[128] = {0};
        size_t bytes;
        const char *from = box_row(c, r, &bytes);
        memcpy(row, from, bytes);
        for (int piece = 0; piece < 8; piece++) { memcpy(swizzled(c.shared + r * 128 + piece * 16), row + piece * 16, 16); }
    }
    if (recording) {
        for (size_t at = (size_t)(c.shared - (char *)dynamic_shared), end = at + box_bytes(c.map); at < end; at++) {
            Cell *cell = regions[1].apart[at / 4] ? &regions[1].cells[at] : &regions[1].words[at / 4];
            cell->write.thread &= (uint16_t)~WAS_PENDING;
        }
        b->clock[c.thread] = max(b->clock[c.thread], (uint16_t)(c.clock + 1));
    }
    b->bytes -= (int)box_bytes(c.map);
    if (b->bytes < 0) { current = &threads[c.thread], emu_fault("tma_load: %d bytes arrive at an mbarrier that does not expect them in its phase %u", -b->bytes, b->phase); }
    mbarrier_step(b);
}
static bool hopper_land(int mode) { // one copy lands: nothing else can happen
    if (boxes.empty()) { return false; }
    box_land(mode == 0 ? 0 : mode == 1 ? boxes.size() - 1
                                       : random_below((unsigned)boxes.size()));
    return true;
}

// ---- named barriers, registers
struct NamedBarrier {
    int threads, arrived;
    unsigned generation;
    uint16_t clock[SEEN], released[SEEN];
};
static NamedBarrier named[16];
struct NamedArrival {
    NamedBarrier *barrier;
    int threads;
    unsigned generation, thread;
};
static void named_work(void *const argument[32], unsigned) {
    NamedBarrier *b = ((NamedArrival *)argument[0])->barrier;
    unsigned generation = b->generation;
    for (int lane = 0; lane < 32; lane++) {
        NamedArrival *a = (NamedArrival *)argument[lane];
        if (a->barrier != b) { emu_fault("named barrier: lanes of a warp name different barriers, %ld and %ld", (long)(b - named), (long)(a->barrier - named)); }
        if (b->arrived && b->threads != a->threads) { emu_fault("named barrier %ld: %d threads expected here, %d elsewhere", (long)(b - named), a->threads, b->threads); }
        b->threads = a->threads, b->arrived++, a->generation = generation;
        clock_release(b->clock, a->thread);
        if (b->arrived < b->threads) { continue; }
        b->arrived = 0, b->generation++;
        memcpy(b->released, b->clock, sizeof(b->clock));
        memset(b->clock, 0, sizeof(b->clock));
        wake(AT_NAMED, b);
    }
}
void emu_named_barrier(int id, int count, bool waits, const char *file, int line) {
    if (id < 1 || id > 15 || count % 32 || count < 32 || count > (int)thread_count) { emu_fault("named barrier %d for %d threads, at %s:%d", id, count, file, line); }
    NamedArrival arrival = {&named[id], count, 0, current->number};
    emu_warp(waits ? "barrier_sync" : "barrier_arrive", ~0u, named_work, &arrival, file, line);
    if (!waits) { return; }
    while (named[id].generation == arrival.generation) {
        wait_in(AT_NAMED, "barrier_sync", file, line, (unsigned)id, &named[id]);
        fiber_wait();
    }
    clock_join(seen[current->number], named[id].released);
}
static int warp_registers[32]; // a thread's registers in each warp
static void registers_work(void *const argument[32], unsigned) { warp_registers[current->number / 32] = *(int *)argument[0]; }
void emu_registers(int count, bool give, const char *file, int line) {
    int have = warp_registers[current->number / 32];
    if (count < 24 || count > 256 || count % 8 || (give ? count > have : count < have)) { emu_fault("registers_%s at %s:%d: from %d to %d", give ? "give" : "take", file, line, have, count); }
    emu_warp("registers", ~0u, registers_work, &count, file, line);
}

// ---- wgmma
enum { MOST_PRODUCTS = 64,
       MOST_ACCUMULATORS = 4 };
struct Product {
    uint64_t a, b;
    const uint32_t *a_registers[32];
    uint32_t a_copy[32][4];
    int columns, accumulator, add, group;
    const char *file;
    int line;
};
struct Accumulator { // in flight: the true values; the thread's own copy holds NaN
    float *d[32], value[32][64];
    int columns, products;
};
struct ProductWarp {
    unsigned issued, retired;
    int group;
    bool fenced;
    Product product[MOST_PRODUCTS]; // issued but not retired, by number
    Accumulator accumulator[MOST_ACCUMULATORS];
};
static ProductWarp product_warps[32];
struct ProductCall {
    float *d;
    int columns;
    uint64_t a, b;
    const uint32_t *a_registers;
    int add;
    const char *file;
    int line;
    const void *code;
};
// Of element (mn, k) of an operand; mn: row of a or column of b, k: along the summed dimension.
static char *operand_at(uint64_t descriptor, bool transposed, int mn, int k) {
    size_t start = (descriptor & 0x3FFF) << 4, leading = (descriptor >> 16 & 0x3FFF) << 4, stride = (descriptor >> 32 & 0x3FFF) << 4;
    size_t at = transposed ? (size_t)(mn / 64) * leading + (size_t)(mn % 64) * 2 + (size_t)(k / 8) * stride + (size_t)(k % 8) * 128
                           : (size_t)(mn / 8) * stride + (size_t)(mn % 8) * 128 + (size_t)k * 2;
    return (char *)dynamic_shared + swizzle_128(start + at);
}
static void descriptor_check(uint64_t descriptor, const char *which, const ProductCall *c) {
    size_t start = (descriptor & 0x3FFF) << 4;
    if (descriptor >> 62 != 1) { emu_fault("wgmma at %s:%d: operand %s: only 128-byte swizzle is emulated", c->file, c->line, which); }
    if ((descriptor >> 49 & 7) != 0 || (start >> 7 & 7) != 0) { emu_fault("wgmma at %s:%d: misaligned swizzle base: operand %s begins at shared byte %zu, within a pattern of 1024 bytes", c->file, c->line, which, start); }
}
static void operand_read(uint64_t descriptor, bool transposed, int mn0, int mn1, const ProductCall *c) { // all it reads, in pieces of 16 bytes
    for (int mn = mn0; mn < mn1; mn += transposed ? 8 : 1) {
        for (int k = 0; k < 16; k += transposed ? 1 : 8) {
            char *piece = operand_at(descriptor, transposed, mn, k);
            if (piece + 16 > (char *)dynamic_shared + dynamic_bytes) { emu_fault("wgmma at %s:%d: reads shared byte %ld of %zu", c->file, c->line, (long)(piece - (char *)dynamic_shared), dynamic_bytes); }
            emu_access(piece, 16, EMU_WGMMA, c->code);
        }
    }
}
static void register_close(float *d, int count, bool close) { // to ASan
    if (close && __asan_poison_memory_region) { __asan_poison_memory_region(d, (size_t)count * 4); }
    if (!close && __asan_unpoison_memory_region) { __asan_unpoison_memory_region(d, (size_t)count * 4); }
}
static void wgmma_work(void *const argument[32], unsigned) {
    const ProductCall *first = (ProductCall *)argument[0];
    unsigned warp = current->number / 32, group = warp / 4 * 4;
    ProductWarp *w = &product_warps[warp];
    if (group + 4 > thread_count / 32) { emu_fault("wgmma at %s:%d: needs a warpgroup of four warps", first->file, first->line); }
    if (!w->fenced) { emu_fault("wgmma at %s:%d: registers were free to change since the last wgmma_fence", first->file, first->line); }
    if (w->issued - w->retired == MOST_PRODUCTS) { emu_fault("wgmma: more than %d in flight", (int)MOST_PRODUCTS); }
    Product *p = &w->product[w->issued % MOST_PRODUCTS];
    *p = {first->a, first->b, {}, {}, first->columns, -1, first->add, w->group, first->file, first->line};
    for (int i = 0; i < MOST_ACCUMULATORS && p->accumulator < 0; i++) {
        if (w->accumulator[i].products && w->accumulator[i].d[0] == first->d) { p->accumulator = i; }
    }
    bool fresh = p->accumulator < 0;
    for (int i = 0; i < MOST_ACCUMULATORS && p->accumulator < 0; i++) {
        if (!w->accumulator[i].products) { p->accumulator = i; }
    }
    if (p->accumulator < 0) { emu_fault("wgmma: more than %d accumulators in flight", (int)MOST_ACCUMULATORS); }
    Accumulator *accumulator = &w->accumulator[p->accumulator];
    if (!fresh && accumulator->columns != first->columns) { emu_fault("wgmma at %s:%d: another shape is in flight for the same registers", first->file, first->line); }
    accumulator->products++, accumulator->columns = first->columns;
    for (int lane = 0; lane < 32; lane++) {
        const ProductCall *c = (ProductCall *)argument[lane];
        if (c->a != first->a || c->b != first->b || c->add != first->add) { emu_fault("wgmma at %s:%d: lane %d brings other operands than lane 0", c->file, c->line, lane); }
        p->a_registers[lane] = c->a_registers;
        if (c->a_registers) { memcpy(p->a_copy[lane], c->a_registers, 16); }
        if (!fresh) { continue; }
        accumulator->d[lane] = c->d;
        memcpy(accumulator->value[lane], c->d, (size_t)c->columns / 2 * 4);
        for (int i = 0; i < c->columns / 2; i++) { c->d[i] = NAN; }
        register_close(c->d, c->columns / 2, true);
    }
    if (recording) { // the warp has seen what all its lanes have
        memcpy(agent, seen[warp * 32], sizeof(agent));
        for (unsigned lane = 1; lane < 32; lane++) {
            for (int i = 0; i < SEEN; i++) { agent[i] = min(agent[i], seen[warp * 32 + lane][i]); }
        }
    }
    wide = true;
    if (!first->a_registers) { descriptor_check(first->a, "a", first), operand_read(first->a, false, (int)(warp % 4) * 16, (int)(warp % 4) * 16 + 16, first); }
    descriptor_check(first->b, "b", first);
    operand_read(first->b, first->a_registers != 0, 0, first->columns, first);
    for (unsigned other = group; other < group + 4; other++) { // the four warps must agree
        ProductWarp *o = &product_warps[other];
        const Product *q = &o->product[w->issued % MOST_PRODUCTS];
        if (other == warp || o->issued <= w->issued || o->retired > w->issued) { continue; }
        if (q->a != p->a || q->b != p->b || q->columns != p->columns || q->add != p->add) { emu_fault("wgmma at %s:%d: warp %u of the warpgroup issues another product at %s:%d", p->file, p->line, other % 4, q->file, q->line); }
    }
    w->issued++;
    wake(AT_WGMMA, &product_warps[group]);
}
void emu_wgmma(float *d, int columns, uint64_t a, const uint32_t *a_registers, uint64_t b, int add, const char *file, int line) {
    ProductCall call = {d, columns, a, b, a_registers, add != 0, file, line, __builtin_return_address(0)};
    product_number = product_warps[current->number / 32].issued;
    emu_warp("wgmma", ~0u, wgmma_work, &call, file, line);
}
static void fence_work(void *const[32], unsigned) { product_warps[current->number / 32].fenced = true; }
static void commit_work(void *const[32], unsigned) { product_warps[current->number / 32].group++; }
void wgmma_fence(const char *file, int line) { emu_warp("wgmma_fence", ~0u, fence_work, current, file, line); }
void wgmma_commit(const char *file, int line) { emu_warp("wgmma_commit", ~0u, commit_work, current, file, line); }
__attribute__((no_sanitize("address", "undefined"))) static uint16_t shared_bits(const char *at) { return *(const volatile uint16_t *)(const void *)at; }
__attribute__((no_sanitize("address", "undefined"))) static void product_compute(const Product *p, Accumulator *to, int row0) {
    static float a[16][16], b[16][128];
    for (int lane = 0; lane < 32; lane++) {
        for (int i = 0; i < 8 && p->a_registers[lane]; i++) { a[lane / 4 + i / 2 % 2 * 8][lane % 4 * 2 + i % 2 + i / 4 * 8] = from_bf16(p->a_copy[lane][i / 2] >> 16 * (i % 2) & 0xFFFF); }
    }
    for (int i = 0; i < 256 && !p->a_registers[0]; i++) { a[i / 16][i % 16] = from_bf16(shared_bits(operand_at(p->a, false, row0 + i / 16, i % 16))); }
    for (int k = 0; k < 16; k++) {
        for (int n = 0; n < p->columns; n++) { b[k][n] = from_bf16(shared_bits(operand_at(p->b, p->a_registers[0] != 0, n, k))); }
    }
    for (int row = 0; row < 16; row++) {
        double sum[128];
        float *value[128];
        for (int n = 0; n < p->columns; n++) {
            value[n] = &to->value[row % 8 * 4 + n % 8 / 2][n / 8 * 4 + row / 8 * 2 + n % 2];
            sum[n] = p->add ? *value[n] : 0;
        }
        for (int k = 0; k < 16; k++) {
            double left = a[row][k];
            for (int n = 0; n < p->columns; n++) { sum[n] += left * b[k][n]; }
        }
        for (int n = 0; n < p->columns; n++) { *value[n] = (float)sum[n]; }
    }
}
static void wgmma_retire(unsigned warp, unsigned end) { // the results of this warp's products before number `end` arrive
    ProductWarp *w = &product_warps[warp];
    for (; w->retired < end; w->retired++) {
        Product *p = &w->product[w->retired % MOST_PRODUCTS];
        Accumulator *to = &w->accumulator[p->accumulator];
        for (int lane = 0; lane < 32; lane++) {
            if (p->a_registers[lane] && memcmp(p->a_registers[lane], p->a_copy[lane], 16)) { emu_fault("wgmma at %s:%d: lane %d changed the registers of operand a before wgmma_wait", p->file, p->line, lane); }
        }
        product_compute(p, to, (int)(warp % 4) * 16);
        if (--to->products) { continue; }
        for (int lane = 0; lane < 32; lane++) {
            register_close(to->d[lane], to->columns / 2, false);
            for (int i = 0; i < to->columns / 2; i++) {
                if (!isnan(to->d[lane][i])) { emu_fault("wgmma at %s:%d: lane %d wrote accumulator register %d before wgmma_wait", p->file, p->line, lane, i); }
            }
            memcpy(to->d[lane], to->value[lane], (size_t)to->columns / 2 * 4);
        }
    }
    for (unsigned lane = 0; lane < 32; lane++) { seen[warp * 32 + lane][RETIRED + warp] = (uint16_t)w->retired; }
    w->fenced = false;
}
static void wgmma_wait_work(void *const[32], unsigned) {}
void emu_wgmma_wait(int newest, const char *file, int line) {
    unsigned warp = current->number / 32, group = warp / 4 * 4;
    ProductWarp *w = &product_warps[warp];
    emu_warp("wgmma_wait", ~0u, wgmma_wait_work, current, file, line);
    unsigned end = w->retired;
    while (end < w->issued && w->product[end % MOST_PRODUCTS].group < w->group - newest) { end++; }
    for (unsigned other = group; other < group + 4 && end > w->retired; other++) { // the tensor cores begin when all four warps have come
        while (product_warps[other].issued < end && end > w->retired) {
            wait_in(AT_WGMMA, "wgmma_wait", file, line, 0, &product_warps[group]);
            fiber_wait();
        }
    }
    if (end > w->retired || w->fenced) { wgmma_retire(warp, max(end, w->retired)); } // the first lane does it for the warp
}
static bool wgmma_holds(const Thread *thread, const char *address) { // is this a register of a product in flight?
    const ProductWarp *w = &product_warps[thread->number / 32];
    for (int i = 0; i < MOST_ACCUMULATORS && w->issued > w->retired; i++) {
        const char *d = (const char *)w->accumulator[i].d[thread->number % 32];
        if (w->accumulator[i].products && address >= d && address < d + w->accumulator[i].columns / 2 * 4) { return true; }
    }
    return false;
}

// ---- begin and end
static void hopper_begin(void) {
    mbarriers.clear();
    boxes.clear();
    static unsigned used; // threads of the block before
    unsigned clear = max(used, thread_count);
    used = thread_count;
    if (!wide) { return; } // nobody used any of this in the block before
    memset(named, 0, sizeof(named));
    for (ProductWarp &w : product_warps) { w.issued = w.retired = 0, w.group = 0, w.fenced = false; }
    for (unsigned i = 0; i < clear; i++) { memset(seen[i], 0, sizeof(seen[i])); }
}
static void hopper_exit(void) { // of a thread
    const ProductWarp *w = &product_warps[current->number / 32];
    if (w->issued > w->retired) { emu_fault("a thread ends with a wgmma in flight, issued at %s:%d", w->product[w->retired % MOST_PRODUCTS].file, w->product[w->retired % MOST_PRODUCTS].line); }
}
static void hopper_end(void) { // of a block
    int registers = 0;
    if (!boxes.empty()) { current = &threads[boxes[0].thread], emu_fault("the block ends with %zu TMA copies in flight", boxes.size()); }
    for (const NamedBarrier &b : named) {
        if (b.arrived) { emu_fault("the block ends with %d of %d threads arrived at named barrier %ld", b.arrived, b.threads, (long)(&b - named)); }
    }
    for (unsigned warp = 0; warp < thread_count / 32; warp++) {
        registers += 32 * warp_registers[warp];
        if (warp_registers[warp] != warp_registers[warp / 4 * 4]) { emu_fault("warps %u and %u of a warpgroup end with %d and %d registers: all four must give and take together", warp / 4 * 4, warp, warp_registers[warp / 4 * 4], warp_registers[warp]); }
    }
    if (registers > 65536) { emu_fault("the block takes %d registers of 65536", registers); }
}
