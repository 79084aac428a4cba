// The body of collectives.h for the CPU, the emulator and GPUs without NCCL: down to the host, through ranks.h, and up again, in stretches.
#include <stdlib.h>
#include "llmc/collectives.h"
#include "llmc/common.h"
#include "llmc/device.h"
#include "llmc/ranks.h"

enum { COLLECTIVE_STRETCH = 1 << 20 }; // elements of each rank at a time
static char *stretch;                  // (ranks, COLLECTIVE_STRETCH) of either type
static size_t *places;                 // (ranks + 1)

const char *collectives_library(void) { return "through the host, without NCCL"; }
void collectives_open(void) {
    if (ranks_count() == 1) { return; }
    stretch = (char *)device_host_alloc("what ranks exchange", (size_t)ranks_count() * COLLECTIVE_STRETCH * sizeof(float));
    places = (size_t *)device_host_alloc("what ranks exchange", sizeof(size_t) * (size_t)(ranks_count() + 1));
}
// Elements done .. of each piece, as many as a stretch has: their places side by side on the host, in units of `element` bytes.
static size_t collective_places(const size_t *starts, size_t done, size_t element) {
    size_t longest = 0;
    for (int r = 0; r < ranks_count(); r++) {
        const size_t whole = starts[r + 1] - starts[r], left = whole > done ? whole - done : 0, part = left < COLLECTIVE_STRETCH ? left : COLLECTIVE_STRETCH;
        longest = whole > longest ? whole : longest;
        places[r + 1] = places[r] + part * element;
    }
    return longest;
}
void collective_reduce_scatter(float *data, const size_t *starts) {
    if (ranks_count() == 1) { return; }
    for (size_t done = 0, longest = 1; done < longest; done += COLLECTIVE_STRETCH) {
        longest = collective_places(starts, done, 1);
        for (int r = 0; r < ranks_count(); r++) {
            device_download((float *)(void *)stretch + places[r], data + starts[r] + done, sizeof(float) * (places[r + 1] - places[r]));
        }
        ranks_reduce_scatter((float *)(void *)stretch, places);
        const int mine = ranks_mine();
        device_upload(data + starts[mine] + done, (float *)(void *)stretch + places[mine], sizeof(float) * (places[mine + 1] - places[mine]));
    }
}
void collective_finish(void) {}
void collective_gather(floatX *data, const size_t *starts) {
    if (ranks_count() == 1) { return; }
    for (size_t done = 0, longest = 1; done < longest; done += COLLECTIVE_STRETCH) {
        longest = collective_places(starts, done, sizeof(floatX));
        const int mine = ranks_mine();
        device_download(stretch + places[mine], data + starts[mine] + done, places[mine + 1] - places[mine]);
        ranks_gather(stretch, places, -1);
        for (int r = 0; r < ranks_count(); r++) {
            if (r != mine) { device_upload(data + starts[r] + done, stretch + places[r], places[r + 1] - places[r]); }
        }
    }
}
