/* SPDX-License-Identifier: Apache-2.0 */
/* scheduler_group.c: threads that are paused or dead, and run again later. */
#include "engine/util.h"
#include "sim/sched/scheduler.h"

/* The mutex that was unlocked for a thread that stops is for another one now. */
static void pass_on(struct sim_thread *t)
{
    struct sim_queue *q = t->woken_from;

    CHECK(t->queue == NULL); /* it is ready, but for the stop */
    t->woken_from = NULL;
    if (q != NULL && q->owner == t) {
        q->owner = NULL; /* it was handed over, and the thread does not know yet */
    }
    if (q != NULL && q->owner == NULL) {
        struct sim_thread *other = sched_wake_one(t->sched, q);

        if (other != NULL) {
            other->woken_from = q;
        }
    }
}

/* Those that are ready are so no longer, in the same order. */
static void stop(struct sched_group *g)
{
    CHECK(g->paused || g->dead);
    list_for_each_safe(&g->sched->ready, it)
    {
        if (container_of(it, struct sim_thread, ready)->group == g) {
            list_unlink(it);
            list_push_back(&g->parked, it);
            g->sched->n_ready--;
        }
    }
    list_for_each_safe(&g->parked, it)
    {
        pass_on(container_of(it, struct sim_thread, ready));
    }
}

static void go_on(struct sched_group *g)
{
    struct list *node;

    while (!g->paused && !g->dead && (node = list_pop_front(&g->parked)) != NULL) {
        list_push_back(&g->sched->ready, node);
        g->sched->n_ready++;
    }
}

static void end_pause(void *arg)
{
    sched_group_resume(arg);
}

void sched_group_init(struct scheduler *s, struct sched_group *g)
{
    *g = (struct sched_group){.sched = s};
    list_init(&g->parked);
    sim_timer_init(&g->resume, end_pause, g);
}

void sched_group_fini(struct sched_group *g)
{
    sim_timer_cancel(&g->sched->timers, &g->resume);
}

void sched_group_pause(struct sched_group *g, uint64_t ns)
{
    struct scheduler *s = g->sched;

    g->paused = true;
    stop(g);
    sim_timer_cancel(&s->timers, &g->resume);
    if (ns < UINT64_MAX - s->now) {
        sim_timer_arm(&s->timers, &g->resume, s->now + ns);
    }
}

void sched_group_resume(struct sched_group *g)
{
    g->paused = false;
    sim_timer_cancel(&g->sched->timers, &g->resume);
    go_on(g);
}

void sched_group_kill(struct sched_group *g)
{
    CHECK(!g->dead);
    g->dead = g->died = true;
    stop(g);
}

void sched_group_revive(struct sched_group *g)
{
    CHECK(g->dead);
    g->dead = false;
    sched_group_resume(g);
}
