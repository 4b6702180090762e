/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shrink_impl.h: between shrink.c, which proposes, and shrink_try.c, which tries. One
 * thread.
 */
#ifndef MSGRLAB_SIM_CAMPAIGN_SHRINK_IMPL_H
#define MSGRLAB_SIM_CAMPAIGN_SHRINK_IMPL_H

#include "engine/base/map.h"
#include "sim/campaign/shrink.h"

/* A set of decisions to try: the best so far without some, or with another value. */
struct candidate {
    struct shrink_item *items; /* owned */
    size_t n;
    uint64_t key;
    bool *used; /* borrowed: in shared memory */
    bool known; /* from the cache, or tried */
    bool fails;
};

struct shrinking {
    const struct shrink_opts *opts;
    struct shrink_item *best; /* borrowed: the caller's */
    size_t n;
    struct map answers; /* shrink_key_of -> whether it fails */
    struct shrink_progress progress;
    uint64_t began_ns, attempt_max_ns;
    uint64_t stand_ins_end; /* attempts after which no more are tried */
    bool *used;             /* shared memory: `jobs` times as many as there were at first */
    size_t used_bytes, used_stride;
    bool stopped;
    int error;
};

/* What tells one set of decisions from another. */
uint64_t shrink_key_of(const struct shrink_item *items, size_t n);
/* What came of a set of decisions; it is not tried again. */
void shrink_remember(struct map *answers, uint64_t key, bool fails);
/* Fills `known` and `fails` of all of them. */
void shrink_try_all(struct shrinking *s, struct candidate *candidates, unsigned n);
/* The candidate fails as the first run did: it is the best so far. */
void shrink_adopt(struct shrinking *s, const struct candidate *c);

#endif
