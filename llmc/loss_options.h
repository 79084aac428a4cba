// loss_options: the loss that the options ask for.
#pragma once
#include "llmc/config.h"
#include "llmc/grpo.h"

#define NAME_INDEX(names, wanted) name_index(names, (int)(sizeof(names) / sizeof((names)[0])), wanted)
static inline int name_index(const char *const *names, int count, const char *wanted) { // the options accept no other names
    int i = 0;
    while (i < count && strcmp(names[i], wanted) != 0) { i++; }
    assert(i < count);
    return i;
}
static inline GrpoOptions loss_options(const Config *c) {
    return (GrpoOptions){.clip = {(double)c->clip_low, (double)c->clip_high, (double)c->dual_clip},
                         .kl_coef = !strcmp(c->kl_in, "loss") ? (double)c->kl_coef : 0,
                         .entropy_coef = (double)c->entropy_coef,
                         .tis_cap = (double)c->tis_cap,
                         .kl_type = (KlType)NAME_INDEX(kl_names, c->kl_type),
                         .surrogate = (SurrogateType)NAME_INDEX(surrogate_names, c->surrogate),
                         .aggregate = (Aggregate)NAME_INDEX(aggregate_names, c->aggregate),
                         .microbatch_sum = c->microbatch_sum};
}
