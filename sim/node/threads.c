/* SPDX-License-Identifier: Apache-2.0 */
/* threads.c: struct os_ops: clock, randomness and threads over the scheduler. */
#include <errno.h>

#include "engine/util.h"
#include "sim/node/node.h"

#define REALTIME_START_NS (1767225600ULL * NSEC_PER_SEC) /* 2026-01-01 00:00 UTC */
/* Reading the clock takes no time (world.h). Who does nothing else for so many readings is
 * waiting for time to pass. */
#define CLOCK_PATIENCE 4096

/* ---- clock and randomness --------------------------------------------------------- */

static uint64_t sim_monotonic_ns(struct os *os)
{
    struct scheduler *s = sched_of_os(os);

    if (++s->current->clock_reads > CLOCK_PATIENCE) {
        sched_spend(s, MAX(s->opts->call_ns, s->opts->empty_poll_ns));
        sched_point(s, SIM_CALL_clock);
    }
    return s->now;
}

static uint64_t sim_realtime_ns(struct os *os)
{
    return REALTIME_START_NS + sim_monotonic_ns(os);
}

static uint64_t sim_random64(struct os *os)
{
    struct sim_node *n = to_node(os);

    return sim_mix(sim_mix(n->env->opts->seed, os->node), ++n->randoms);
}

/* ---- handles ---------------------------------------------------------------------- */

static struct sim_handle *handle_new(struct sim_node *n, struct sim_thread *t,
                                     const char *name)
{
    struct sim_handle *h = calloc(1, sizeof(*h));

    CHECK(h != NULL);
    h->base.os = &n->base;
    h->thread = t;
    snprintf(h->base.name, sizeof(h->base.name), "%s", name);
    list_init(&h->of_thread);
    list_init(&h->of_node);
    list_push_back(&t->handles, &h->of_thread);
    list_push_back(&n->handles, &h->of_node);
    return h;
}

static struct os_thread *adopt_thread(struct sim_node *n, struct sim_thread *t)
{
    char name[16];

    snprintf(name, sizeof(name), "app-%d", n->adopted_n++);
    return &handle_new(n, t, name)->base;
}

static struct os_thread *sim_thread_self(struct os *os)
{
    struct sim_thread *t = sched_of_os(os)->current;

    list_for_each(&t->handles, it)
    {
        struct sim_handle *h = container_of(it, struct sim_handle, of_thread);

        if (h->base.os == os) {
            return &h->base;
        }
    }
    return adopt_thread(to_node(os), t);
}

/* ---- threads ---------------------------------------------------------------------- */

static int sim_thread_start(struct os *os, const char *name, os_thread_fn fn, void *arg,
                            struct os_thread **ret)
{
    struct scheduler *s = sched_of_os(os);
    char full[SIM_ACTOR_NAME];
    struct sim_thread *t;

    snprintf(full, sizeof(full), "%.15s/%.15s", os->name, name);
    t = sched_spawn(s, &to_node(os)->threads, full, fn, arg);
    if (t == NULL) {
        return -EAGAIN;
    }
    to_node(os)->live_threads++;
    *ret = &handle_new(to_node(os), t, name)->base; /* before the thread may look there */
    sched_point(s, SIM_CALL_thread_start);
    return 0;
}

static void sim_thread_join(struct os_thread *thread)
{
    struct sim_handle *h = container_of(thread, struct sim_handle, base);
    struct scheduler *s = sched_of_os(thread->os);

    CHECK(to_node(thread->os)->live_threads > 0);
    sched_point(s, SIM_CALL_thread_join);
    sched_join(s, h->thread);
    to_node(thread->os)->live_threads--;
    list_unlink(&h->of_node);
    free(h);
}

static void sim_sleep_ns(struct os *os, uint64_t ns)
{
    struct scheduler *s = sched_of_os(os);
    struct sim_queue asleep;

    sched_point(s, SIM_CALL_sleep);
    sched_queue_init(&asleep, "time", "to pass");
    sched_block(s, &asleep, sched_deadline(s, (int64_t)MIN(ns, (uint64_t)INT64_MAX)));
}

const struct os_ops sim_os_ops = {
    .monotonic_ns = sim_monotonic_ns,
    .realtime_ns = sim_realtime_ns,
    .random64 = sim_random64,
    .thread_start = sim_thread_start,
    .thread_join = sim_thread_join,
    .thread_self = sim_thread_self,
    .sleep_ns = sim_sleep_ns,
    .mutex_new = sim_mutex_new,
    .mutex_free = sim_mutex_free,
    .mutex_lock = sim_mutex_lock,
    .mutex_unlock = sim_mutex_unlock,
    .cond_new = sim_cond_new,
    .cond_free = sim_cond_free,
    .cond_wait = sim_cond_wait,
    .cond_signal = sim_cond_signal,
    .cond_broadcast = sim_cond_broadcast,
};
