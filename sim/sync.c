/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sync.c: mutexes and conditions. A mutex is not handed over: who is woken by an unlock
 * must take it like anybody else, and may find it taken again, as on Linux.
 */
#include <errno.h>

#include "engine/util.h"
#include "sim/node.h"

struct os_mutex {
    struct sim_node *node;  /* borrowed */
    struct sim_queue queue; /* its owner is the holder */
    struct list of_node;
};

struct os_cond {
    struct sim_node *node; /* borrowed */
    struct sim_queue queue;
    struct list of_node;
};

static struct scheduler *sched_of(struct sim_node *n)
{
    return &n->world->sched;
}

/* ---- mutexes ---------------------------------------------------------------------- */

struct os_mutex *sim_mutex_new(struct os *os, const char *name)
{
    struct os_mutex *m = calloc(1, sizeof(*m));

    if (m == NULL) {
        return NULL;
    }
    m->node = to_node(os);
    sched_queue_init(&m->queue, "mutex", name);
    list_init(&m->of_node);
    list_push_back(&m->node->mutexes, &m->of_node);
    return m;
}

void sim_mutex_free(struct os_mutex *m)
{
    if (m == NULL) {
        return;
    }
    CHECK(m->queue.owner == NULL);
    CHECK(list_is_empty(&m->queue.waiting));
    list_unlink(&m->of_node);
    free(m);
}

static void take_mutex(struct os_mutex *m)
{
    struct scheduler *s = sched_of(m->node);

    while (m->queue.owner != NULL) {
        sched_block(s, &m->queue, UINT64_MAX);
    }
    m->queue.owner = s->current;
}

static void release_mutex(struct os_mutex *m)
{
    struct scheduler *s = sched_of(m->node);

    CHECK(m->queue.owner == s->current); /* unlocked by who locked it */
    m->queue.owner = NULL;
    sched_wake_one(s, &m->queue);
}

void sim_mutex_lock(struct os_mutex *m)
{
    sched_point(sched_of(m->node), SIM_CALL_mutex_lock);
    take_mutex(m);
}

void sim_mutex_unlock(struct os_mutex *m)
{
    struct scheduler *s = sched_of(m->node);

    release_mutex(m);
    sched_point(s, SIM_CALL_mutex_unlock); /* now others may free the mutex */
}

/* ---- conditions ------------------------------------------------------------------- */

struct os_cond *sim_cond_new(struct os *os, const char *name)
{
    struct os_cond *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        return NULL;
    }
    c->node = to_node(os);
    sched_queue_init(&c->queue, "condition", name);
    list_init(&c->of_node);
    list_push_back(&c->node->conds, &c->of_node);
    return c;
}

void sim_cond_free(struct os_cond *c)
{
    if (c == NULL) {
        return;
    }
    CHECK(list_is_empty(&c->queue.waiting));
    list_unlink(&c->of_node);
    free(c);
}

int sim_cond_wait(struct os_cond *c, struct os_mutex *m, int64_t timeout_ns)
{
    struct scheduler *s = sched_of(c->node);
    uint64_t deadline;
    int result;

    CHECK(m->queue.owner == s->current);
    sched_point(s, SIM_CALL_cond_wait); /* still holding the mutex */
    deadline = sched_deadline(s, timeout_ns);
    release_mutex(m);
    result = sched_block(s, &c->queue, deadline);
    take_mutex(m);
    return result;
}

void sim_cond_signal(struct os_cond *c)
{
    struct scheduler *s = sched_of(c->node);

    sched_wake_one(s, &c->queue);
    sched_point(s, SIM_CALL_cond_signal);
}

void sim_cond_broadcast(struct os_cond *c)
{
    struct scheduler *s = sched_of(c->node);

    sched_wake_all(&c->queue);
    sched_point(s, SIM_CALL_cond_broadcast);
}

/* ---- what a world that ended early leaves ------------------------------------------ */

void sim_node_free_locks(struct sim_node *n)
{
    struct list *node;

    while ((node = list_pop_front(&n->mutexes)) != NULL) {
        free(container_of(node, struct os_mutex, of_node));
    }
    while ((node = list_pop_front(&n->conds)) != NULL) {
        free(container_of(node, struct os_cond, of_node));
    }
}
