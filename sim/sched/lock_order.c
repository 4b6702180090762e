/* SPDX-License-Identifier: Apache-2.0 */
/* lock_order.c: the graph of classes and the pairs within one. */
#include "sim/sched/lock_order.h"

#include <string.h>

#include "engine/base/array.h"
#include "engine/util.h"

void lock_order_fini(struct lock_order *o)
{
    free(o->edges);
    map_fini(&o->pairs);
    o->edges = NULL;
}

struct lock_id lock_order_id(struct lock_order *o, const char *name)
{
    struct lock_id id = {.number = ++o->next_id, .class = -1};
    int i = 0;

    while (i < o->n && strncmp(o->name[i], name, LOCK_NAME - 1) != 0) {
        i++;
    }
    if (i < LOCK_CLASSES_MAX) {
        if (i == o->n) {
            snprintf(o->name[o->n++], LOCK_NAME, "%s", name);
        }
        id.class = i;
    }
    return id;
}

/* ---- classes ---------------------------------------------------------------------- */

/* For each class the one from which it was reached on the way from `from`; -1: none. */
static void search(const struct lock_order *o, int from, int came_from[LOCK_CLASSES_MAX])
{
    int queue[LOCK_CLASSES_MAX], n = 0, next = 0;

    for (int i = 0; i < LOCK_CLASSES_MAX; i++) {
        came_from[i] = -1;
    }
    came_from[from] = from;
    for (queue[n++] = from; next < n; next++) {
        for (int i = 0; i < o->n; i++) {
            if ((o->after[queue[next]] >> i & 1) != 0 && came_from[i] < 0) {
                came_from[i] = queue[next];
                queue[n++] = i;
            }
        }
    }
}

static const char *first_thread(const struct lock_order *o, int from, int to)
{
    for (size_t i = 0; i < o->n_edges; i++) {
        if (o->edges[i].from == from && o->edges[i].to == to) {
            return o->edges[i].thread;
        }
    }
    return "";
}

static void add_edge(struct lock_order *o, int from, int to, const char *thread)
{
    struct lock_edge *edge;

    o->edges = array_grow(o->edges, o->n_edges, sizeof(*o->edges));
    CHECK(o->edges != NULL);
    edge = &o->edges[o->n_edges++];
    *edge = (struct lock_edge){.from = (uint8_t)from, .to = (uint8_t)to};
    snprintf(edge->thread, sizeof(edge->thread), "%s", thread);
    o->after[from] |= 1ULL << to;
}

static bool add_classes(struct lock_order *o, int from, int to, const char *thread,
                        char *text, size_t size)
{
    int came_from[LOCK_CLASSES_MAX];
    size_t at;

    if ((o->after[from] >> to & 1) != 0) {
        return true;
    }
    search(o, to, came_from);
    if (came_from[from] < 0) {
        add_edge(o, from, to, thread);
        return true;
    }
    at = (size_t)snprintf(text, size, "%s takes \"%s\" and holds \"%s\"; before,", thread,
                          o->name[to], o->name[from]);
    for (int i = from; i != to && at < size; i = came_from[i]) {
        at += (size_t)snprintf(text + at, size - at, " %s took \"%s\" and held \"%s\";",
                               first_thread(o, came_from[i], i), o->name[i],
                               o->name[came_from[i]]);
    }
    return false;
}

/* ---- pairs ------------------------------------------------------------------------ */

static bool add_pair(struct lock_order *o, struct lock_id from, struct lock_id to,
                     const char *thread, char *text, size_t size)
{
    uint64_t pair = (uint64_t)from.number << 32 | to.number;
    uint64_t reverse = (uint64_t)to.number << 32 | from.number;

    if (map_get(&o->pairs, reverse, 0) != 0) {
        snprintf(text, size,
                 "%s takes two mutexes \"%s\"; before, they were taken in the other order",
                 thread, o->name[to.class]);
        return false;
    }
    CHECK(map_put(&o->pairs, pair, 1) == 0);
    return true;
}

bool lock_order_add(struct lock_order *o, struct lock_id from, struct lock_id to,
                    const char *thread, char *text, size_t size)
{
    if (from.class < 0 || to.class < 0 || from.number == to.number) {
        return true; /* a mutex taken twice is a deadlock, which sync.c finds */
    }
    return from.class == to.class ? add_pair(o, from, to, thread, text, size)
                                  : add_classes(o, from.class, to.class, thread, text,
                                                size);
}
