/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sync.c: mutexes and conditions. A mutex is not handed over unless a decision says so: who
 * is woken by an unlock must take it like anybody else, and may find it taken again, as on
 * Linux.
 */
#include <errno.h>
#include <string.h>

#include "engine/util.h"
#include "sim/node/node.h"
#include "sim/sched/lock_order.h"

#define SPURIOUS_US_MAX 1000

struct os_mutex {
    struct sim_node *node;  /* borrowed */
    struct sim_queue queue; /* its owner is the holder */
    struct list of_node;
    struct lock_id id;
};

struct os_cond {
    struct sim_node *node; /* borrowed */
    struct sim_queue queue;
    struct list of_node;
};

static struct scheduler *sched_of(const struct sim_node *n)
{
    return n->env->sched;
}

/* ---- what is watched -------------------------------------------------------------- */

/* The thread is about to take the mutex. */
static void check_order(struct os_mutex *m, struct sim_thread *t)
{
    struct sim_env *env = m->node->env;
    char text[400], words[100];

    for (uint32_t i = 0; i < t->n_held && sim_is_strict(m->node); i++) {
        const struct os_mutex *held = t->held[i];

        if (!lock_order_add(env->locks, held->id, m->id, t->actor.name, text,
                            sizeof(text))) {
            bool in_order = strcmp(held->queue.name, m->queue.name) < 0;

            snprintf(words, sizeof(words), "lock_order %.40s %.40s",
                     in_order ? held->queue.name : m->queue.name,
                     in_order ? m->queue.name : held->queue.name);
            sched_violate(env->sched, words, "%s", text);
        }
    }
}

static void note_held(struct os_mutex *m, struct sim_thread *t)
{
    CHECK(m->queue.owner == t);
    if (t->n_held < SIM_HELD_MAX) {
        t->held[t->n_held++] = m;
    }
}

static void note_released(const struct os_mutex *m, struct sim_thread *t)
{
    for (uint32_t i = t->n_held; i-- > 0;) {
        if (t->held[i] == m) {
            t->n_held--;
            memmove(&t->held[i], &t->held[i + 1], (t->n_held - i) * sizeof(t->held[0]));
            return;
        }
    }
}

/* The current thread holds the mutex; if not, that is reported or fatal. */
static bool check_holder(const struct os_mutex *m, const char *does)
{
    struct scheduler *s = sched_of(m->node);
    char words[100];

    if (m->queue.owner == s->current) {
        return true;
    }
    CHECK(sim_is_strict(m->node)); /* unlocked by who locked it */
    snprintf(words, sizeof(words), "not_held %.60s", m->queue.name);
    sched_violate(m->node->env->sched, words, "%s %s mutex \"%s\", which %s holds",
                  s->current->actor.name, does, m->queue.name,
                  m->queue.owner != NULL ? m->queue.owner->actor.name : "nobody");
    return false;
}

/* It is free and nobody waits for it; if not, that is reported or fatal. */
static bool check_unused(const struct os_mutex *m)
{
    char words[100];

    if (m->queue.owner == NULL && list_is_empty(&m->queue.waiting)) {
        return true;
    }
    CHECK(sim_is_strict(m->node));
    snprintf(words, sizeof(words), "freed_held %.60s", m->queue.name);
    sched_violate(m->node->env->sched, words, "mutex \"%s\" is freed, and %s holds it",
                  m->queue.name,
                  m->queue.owner != NULL ? m->queue.owner->actor.name : "nobody");
    return false;
}

/* ---- mutexes ---------------------------------------------------------------------- */

struct os_mutex *sim_mutex_new(struct os *os, const char *name)
{
    struct os_mutex *m = calloc(1, sizeof(*m));

    if (m == NULL) {
        return NULL;
    }
    m->node = to_node(os);
    m->id = lock_order_id(m->node->env->locks, name);
    sched_queue_init(&m->queue, "mutex", name);
    list_init(&m->of_node);
    list_push_back(&m->node->mutexes, &m->of_node);
    return m;
}

void sim_mutex_free(struct os_mutex *m)
{
    if (m == NULL || !check_unused(m)) {
        return; /* the node frees it in the end */
    }
    list_unlink(&m->of_node);
    free(m);
}

static void take_mutex(struct os_mutex *m)
{
    struct scheduler *s = sched_of(m->node);

    check_order(m, s->current);
    while (m->queue.owner != NULL) {
        sched_block(s, &m->queue, UINT64_MAX);
        if (m->queue.owner == s->current) {
            break; /* handed over */
        }
    }
    CHECK(m->queue.owner == NULL || m->queue.owner == s->current);
    m->queue.owner = s->current;
    note_held(m, s->current);
}

/* False: it was not held, which was reported. */
static bool release_mutex(struct os_mutex *m)
{
    struct scheduler *s = sched_of(m->node);
    struct sim_thread *woken;

    if (!check_holder(m, "unlocks")) {
        return false;
    }
    note_released(m, s->current);
    m->queue.owner = NULL;
    woken = sched_wake_one(s, &m->queue);
    if (woken == NULL) {
        return true;
    }
    woken->woken_from = &m->queue;
    if (!sched_is_stopped(woken) &&
        sim_pick(s->decisions, SIM_SITE_HANDOFF, &s->current->actor, 2)) {
        m->queue.owner = woken;
    }
    return true;
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

/* When a wait ends although nobody signalled; `deadline`: it does not. */
static uint64_t spurious_end(struct scheduler *s, uint64_t deadline)
{
    uint64_t us =
        sim_pick(s->decisions, SIM_SITE_SPURIOUS, &s->current->actor, SPURIOUS_US_MAX + 1);

    return us > 0 ? MIN(deadline, s->now + us * NSEC_PER_USEC) : deadline;
}

int sim_cond_wait(struct os_cond *c, struct os_mutex *m, int64_t timeout_ns)
{
    struct scheduler *s = sched_of(c->node);
    uint64_t deadline, end;
    int result;

    sched_point(s, SIM_CALL_cond_wait); /* still holding the mutex */
    if (!check_holder(m, "waits and gives up")) {
        return 0;
    }
    deadline = sched_deadline(s, timeout_ns);
    end = spurious_end(s, deadline);
    release_mutex(m);
    result = sched_block(s, &c->queue, end);
    take_mutex(m);
    return end < deadline ? 0 : result;
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
