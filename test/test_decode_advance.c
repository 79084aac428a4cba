// test_decode_advance: the equations by hand, an idle row, a page's last place, the end of the table; and again out of a recording.
#include "check.h"
#include "llmc/decode_advance.h"

enum { B = 5,
       PAGES = 3 };
static const int drawn[B] = {70, 71, 72, 73, 74}, page_table[B * PAGES] = {4, 9, 2, 1, 1, 1, 7, 8, 3, 5, 6, 0, 11, 10, 12};
static const int lengths[B] = {31, 0, 32, 40, 3 * KV_PAGE}; // positions 31, none, 32, 40, one too many
static int *state[5], *device_drawn, *device_table;         // tokens, positions, slots, lengths, counters

static void advance(void *recording) {
    if (recording && device_replay(0)) { return; }
    if (recording) { device_record(0); }
    decode_advance(state[0], state[1], state[2], state[3], state[4], device_drawn, device_table, PAGES, B);
    if (recording) { device_recorded(0); }
}
static void check_state(const char *what, int steps) {
    int got[5][B];
    for (int i = 0; i < 5; i++) { device_download(got[i], state[i], sizeof(got[i])); }
    for (int b = 0; b < B; b++) {
        const bool idle = lengths[b] == 0;
        const int position = lengths[b] + steps - 1, page = position / KV_PAGE;
        const int slot = page < PAGES ? page_table[b * PAGES + page] * KV_PAGE + position % KV_PAGE : -1;
        const int want[5] = {idle ? 5 : drawn[b], idle ? 5 : position, idle ? -1 : slot, idle ? 0 : position + 1, 100 + b + (idle ? 0 : steps)};
        for (int i = 0; i < 5; i++) { check(got[i][b] == want[i], "%s: row %d, array %d holds %d, want %d", what, b, i, got[i][b], want[i]); }
    }
}
static void start(void) {
    int tokens[B], slots[B], counters[B];
    for (int b = 0; b < B; b++) { tokens[b] = 5, slots[b] = -1, counters[b] = 100 + b; }
    device_upload(state[0], tokens, sizeof(tokens));
    device_upload(state[1], tokens, sizeof(tokens));
    device_upload(state[2], slots, sizeof(slots));
    device_upload(state[3], lengths, sizeof(lengths));
    device_upload(state[4], counters, sizeof(counters));
}
int main(void) {
    device_init();
    for (int i = 0; i < 5; i++) { state[i] = (int *)device_alloc("state", B * sizeof(int)); }
    device_drawn = (int *)device_array("drawn", drawn, sizeof(drawn));
    device_table = (int *)device_array("page table", page_table, sizeof(page_table));
    start();
    advance(NULL);
    check_state("once", 1);
    start();
    int recording;                          // its address alone matters
    for (int step = 1; step <= 4; step++) { // plainly, recorded, replayed, replayed
        advance(&recording);
        check_state("of a recording", step);
    }
    // what is fetched is there once its mark has been reached, and each fetch holds what its turn in the queue found
    int *fetched = (int *)device_host_alloc("fetched", 2 * sizeof(int));
    device_fetch(&fetched[0], state[4], sizeof(int));
    device_mark(0);
    advance(&recording);
    device_fetch(&fetched[1], state[4], sizeof(int));
    device_mark(1);
    device_reach(0);
    check(fetched[0] == 104, "fetched %d, want 104", fetched[0]);
    device_reach(1);
    check(fetched[1] == 105, "fetched %d behind it, want 105", fetched[1]);
    device_forget_recordings();
    advance(&recording);
    check_state("after forgetting", 6);
    return check_report("test_decode_advance");
}
