// generator: the order of the queue, and on one rank how it is drawn from; that several ranks share it out is for test_ranks.c and test_many_ranks.sh.
#include "llmc/generator.h"
#include "test/check.h"

static void test_order(void) {
    const int lengths[] = {0, 500, 0, 900, 100, 900}, asked[] = {4, 0, 5, 2, 3, 1}; // by prompt; the step's prompts
    const int want[] = {2, 4, 1, 3, 5, 0};                                          // 900 and 900 in order, two unknown as (100 + 900 + 900 + 500) / 4 = 600, 500, 100
    int queue[18], places[18] = {0};
    generator_order(queue, asked, 6, 3, lengths);
    for (int i = 0; i < 18; i++) {
        check(queue[i] == want[i / 3] * 3 + i % 3, "place %d has answer %d", i, queue[i]);
        places[queue[i]]++;
    }
    for (int i = 0; i < 18; i++) { check(places[i] == 1, "answer %d comes %d times", i, places[i]); }
    const int none[6] = {0};
    for (int known = 0; known < 2; known++) { // nothing is known yet, or is to be
        generator_order(queue, asked, 6, 3, known ? none : NULL);
        for (int i = 0; i < 18; i++) { check(queue[i] == i, "in the order of the data"); }
    }
}
static int draw_all(Generator *g, int total, int group_size) { // how many answers were drawn, each once
    int *samples, drawn = 0;
    int seen[64] = {0};
    g->begun = g->ended = 0, g->queue_at = 0, g->queue_end = total, g->fair = total;
    for (int i = 0; i < total; i++) { g->queue[i] = total - 1 - i, g->owned[i] = false; }
    ranks_counter_reset();
    check(generator_draw(g, &samples, 0, group_size) == 0, "no room, no answers");
    for (int count; (count = generator_draw(g, &samples, 1, group_size)) > 0; drawn += count) {
        for (int i = 0; i < count; i++) { seen[samples[i]]++; }
    }
    for (int i = 0; i < total; i++) { check(seen[i] == 1 && g->owned[i], "answer %d is drawn %d times", i, seen[i]); }
    return drawn;
}
static void test_draw(void) {
    int queue[64];
    bool owned[64];
    for (int fixed = 0; fixed < 2; fixed++) {
        Generator g = {.queue = queue, .owned = owned, .fixed_queue = fixed};
        check(draw_all(&g, 60, 4) == 60, "every answer is drawn");
    }
}
int main(void) {
    test_order();
    test_draw();
    return check_report("test_generator");
}
