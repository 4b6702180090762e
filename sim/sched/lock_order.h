/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock_order.h: in which order mutexes are taken, and whether two threads could wait for
 * each other although in this run they did not.
 *
 * Mutexes of one name are a class; nodes share classes, since they run the same program.
 * "B was taken while A was held" is an edge from A to B; a circle of edges is a violation.
 * Of two mutexes of one class the order of these two counts. Used by sync.c only.
 */
#ifndef MSGRLAB_SIM_SCHED_LOCK_ORDER_H
#define MSGRLAB_SIM_SCHED_LOCK_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/map.h"

#define LOCK_CLASSES_MAX 64 /* more are not watched */
#define LOCK_NAME 40

/* Who took `to` while holding `from`, the first time. */
struct lock_edge {
    uint8_t from, to;
    char thread[LOCK_NAME];
};

struct lock_order {
    char name[LOCK_CLASSES_MAX][LOCK_NAME];
    int n;
    uint64_t after[LOCK_CLASSES_MAX]; /* bit b of [a]: there is an edge from a to b */
    struct lock_edge *edges;          /* owned; in the order in which they came */
    size_t n_edges;
    struct map pairs; /* first << 32 | second -> 1 */
    uint32_t next_id;
};

/* One mutex. */
struct lock_id {
    uint32_t number; /* 1.. */
    int class;       /* -1: not watched */
};

void lock_order_fini(struct lock_order *o);
struct lock_id lock_order_id(struct lock_order *o, const char *name);
/* `thread` wants `to` and holds `from`. False: others do it the other way round; why is in
 * `text`. */
bool lock_order_add(struct lock_order *o, struct lock_id from, struct lock_id to,
                    const char *thread, char *text, size_t size);

#endif
