/* SPDX-License-Identifier: Apache-2.0 */
/* scheduler.c: choosing who runs, waiting, and the virtual clock. */
#include "sim/scheduler.h"

#include <errno.h>
#include <string.h>

#include "engine/util.h"

/* After so many points in a row a thread steps back behind the others, so that the default
 * strategy starves nobody. Odd, so that loops of even length shift against it. */
#define SLICE_POINTS 997
#define CLOCK_START_NS NSEC_PER_SEC /* not 0, which many take for "never" */

/* ---- life ------------------------------------------------------------------------- */

void sched_queue_init(struct sim_queue *q, const char *kind, const char *name)
{
    *q = (struct sim_queue){.kind = kind, .name = name};
    list_init(&q->waiting);
}

static struct sim_thread *thread_of(struct list *ready)
{
    return container_of(ready, struct sim_thread, ready);
}

static void end_wait(void *arg);

static void thread_init(struct scheduler *s, struct sim_thread *t, const char *name)
{
    t->sched = s;
    sim_actor_init(s->decisions, &t->actor, name);
    list_init(&t->all);
    list_init(&t->ready);
    list_init(&t->waits);
    list_init(&t->handles);
    sched_queue_init(&t->ended, "the end of thread", t->actor.name);
    t->ended.owner = t;
    sim_timer_init(&t->timer, end_wait, t);
    t->number = s->next_number++;
    /* The upper bits are random, the lower make it unique. */
    t->priority = 1ULL << 63 | (t->number & 0xffff) |
                  ((sim_mix(s->decisions->seed, t->actor.key) >> 1) & ~0xffffULL);
}

void sched_init(struct scheduler *s, const struct sim_world_opts *opts,
                struct sim_decisions *decisions)
{
    *s = (struct scheduler){
        .opts = opts, .decisions = decisions, .now = CLOCK_START_NS, .pct_low = 1ULL << 62};
    list_init(&s->all);
    list_init(&s->ready);
    sched_queue_init(&s->run_end, "the run", "to end");
    coro_pool_init(&s->stacks, opts->stack_bytes);
    coro_host_init(&s->host_coro);
    thread_init(s, &s->host, "host");
    s->host.coro = &s->host_coro;
    s->current = &s->host;
}

static void thread_fini(struct sim_thread *t)
{
    while (list_pop_front(&t->handles) != NULL) {
    }
    sim_timer_cancel(&t->sched->timers, &t->timer);
    list_unlink(&t->all);
    list_unlink(&t->ready);
    list_unlink(&t->waits);
    free(t->polls);
}

/* Gives back the stack of a thread that ended, now that we run on another. */
static void reap(struct scheduler *s)
{
    if (s->ended != NULL) {
        coro_free(&s->stacks, s->ended->coro);
        s->ended->coro = NULL;
        s->ended = NULL;
    }
}

void sched_fini(struct scheduler *s)
{
    reap(s);
    list_for_each_safe(&s->all, it)
    {
        struct sim_thread *t = container_of(it, struct sim_thread, all);

        if (t->coro != NULL) {
            coro_free(&s->stacks, t->coro);
        }
        thread_fini(t);
        free(t);
    }
    thread_fini(&s->host);
    sim_timers_fini(&s->timers);
    coro_pool_fini(&s->stacks);
    free(s->report);
}

/* ---- choosing --------------------------------------------------------------------- */

static void make_ready(struct scheduler *s, struct sim_thread *t)
{
    list_push_back(&s->ready, &t->ready);
    s->n_ready++;
}

static struct sim_thread *take_ready(struct scheduler *s, uint64_t index)
{
    struct list *node = s->ready.next;

    while (index-- > 0) {
        node = node->next;
    }
    list_unlink(node);
    s->n_ready--;
    return thread_of(node);
}

/* Where in the ready list the thread of highest priority is. */
static uint64_t highest_priority(struct scheduler *s)
{
    uint64_t best = 0, i = 0, priority = 0;

    list_for_each(&s->ready, it)
    {
        if (thread_of(it)->priority > priority) {
            priority = thread_of(it)->priority;
            best = i;
        }
        i++;
    }
    return best;
}

/* An index in the ready list, which is not empty. Whatever the strategy, what comes out is
 * a decision of `actor` at `site`, so that a log of decisions replays without the
 * strategy. */
static uint64_t choose(struct scheduler *s, enum sim_site site, struct sim_thread *actor)
{
    if (s->opts->strategy == SIM_PCT) {
        return sim_decide(s->decisions, site, &actor->actor, s->n_ready,
                          highest_priority(s));
    }
    return sim_pick(s->decisions, site, &actor->actor, s->n_ready);
}

/* PCT: at pct_depth - 1 points of the run, chosen beforehand, the running thread falls
 * below all others. */
static void pass_change_points(struct scheduler *s)
{
    for (uint32_t i = 1; i < s->opts->pct_depth; i++) {
        if (s->stats.points == sim_mix(s->decisions->seed, i) % s->opts->pct_steps) {
            s->current->priority = s->pct_low--;
        }
    }
}

/* ---- switching and the clock ------------------------------------------------------ */

static void switch_to(struct scheduler *s, struct sim_thread *to)
{
    struct sim_thread *from = s->current;

    if (to == from) {
        return;
    }
    s->current = to;
    s->stats.switches++;
    s->stats.schedule = sim_mix(s->stats.schedule ^ s->now, to->number);
    if (from->done) {
        s->ended = from;
        coro_exit(from->coro, to->coro);
    }
    coro_switch(from->coro, to->coro);
    reap(s); /* we are back, perhaps from one that ended */
}

static void run_timers(struct scheduler *s)
{
    struct sim_timer *timer;

    while ((timer = sim_timers_first(&s->timers)) != NULL && timer->at <= s->now) {
        sim_timer_cancel(&s->timers, timer);
        s->stats.timers++;
        timer->fn(timer->arg);
    }
}

void sched_spend(struct scheduler *s, uint64_t ns)
{
    if (ns > 0) {
        s->now += ns;
        s->instant_points = 0;
    }
    run_timers(s);
}

/* Lets time pass until a thread is ready. False: that will never be. */
static bool wait_for_ready(struct scheduler *s)
{
    s->busy_points = 0;
    while (s->n_ready == 0) {
        struct sim_timer *timer = sim_timers_first(&s->timers);

        if (timer == NULL) {
            return false;
        }
        sched_spend(s, timer->at > s->now ? timer->at - s->now : 0);
    }
    return true;
}

/* The current thread cannot go on: the next one does. */
static void run_next(struct scheduler *s)
{
    struct sim_thread *me = s->current;

    if (s->n_ready == 0 && !wait_for_ready(s)) {
        sched_end(s, SIM_DEADLOCK);
    } else if (s->now - CLOCK_START_NS > s->opts->time_max_ns) {
        sched_end(s, SIM_TIME_LIMIT);
    } else {
        switch_to(s, take_ready(s, choose(s, SIM_SITE_RUN, me)));
    }
}

void sched_end(struct scheduler *s, enum sim_verdict verdict)
{
    s->verdict = verdict;
    s->report = sched_report_text(s, verdict);
    if (!s->running) {
        fputs(s->report != NULL ? s->report : "", stderr);
        abort();
    }
    /* Whoever is ready never runs again: the host goes on and throws the rest away. */
    while (s->n_ready > 0) {
        take_ready(s, 0);
    }
    list_unlink(&s->host.waits);
    s->host.queue = NULL;
    switch_to(s, &s->host);
}

/* Too many calls without a pause. */
static void check_progress(struct scheduler *s)
{
    if (++s->instant_points > s->opts->instant_max) {
        sched_end(s, SIM_ZERO_TIME);
    } else if (++s->busy_points > s->opts->busy_max) {
        sched_end(s, SIM_LIVELOCK);
    }
}

void sched_point(struct scheduler *s, enum sim_call call)
{
    struct sim_thread *me = s->current;

    me->clock_reads = 0;
    me->recent[me->points++ % SIM_RECENT] = (uint8_t)call;
    s->stats.points++;
    check_progress(s);
    sched_spend(s, s->opts->call_ns);
    if (s->opts->strategy == SIM_PCT) {
        pass_change_points(s);
    }
    if (s->n_ready == 0) {
        me->actor.seen[SIM_SITE_PREEMPT]++; /* it counts as a choice of one */
        me->slice = 0;
        return;
    }
    if (++me->slice > SLICE_POINTS) {
        me->slice = 0;
        list_push_back(&s->ready, &me->ready);
    } else {
        list_push_front(&s->ready, &me->ready);
    }
    s->n_ready++;
    switch_to(s, take_ready(s, choose(s, SIM_SITE_PREEMPT, me)));
}

/* ---- waiting ---------------------------------------------------------------------- */

uint64_t sched_deadline(const struct scheduler *s, int64_t timeout_ns)
{
    return timeout_ns < 0 || (uint64_t)timeout_ns > UINT64_MAX - 1 - s->now
               ? UINT64_MAX
               : s->now + (uint64_t)timeout_ns;
}

static void stop_waiting(struct sim_thread *t, int result)
{
    t->queue = NULL;
    t->result = result;
    list_unlink(&t->waits);
    sim_timer_cancel(&t->sched->timers, &t->timer);
    make_ready(t->sched, t);
}

static void end_wait(void *arg)
{
    stop_waiting(arg, -ETIMEDOUT);
}

/* Whether the thread would wait, over owners of what is waited for, for itself. */
static bool waits_in_a_circle(const struct sim_thread *me)
{
    const struct sim_thread *t = me->queue->owner;

    while (t != NULL && t != me) {
        t = t->queue != NULL ? t->queue->owner : NULL;
    }
    return t == me;
}

int sched_block(struct scheduler *s, struct sim_queue *q, uint64_t deadline)
{
    struct sim_thread *me = s->current;

    me->slice = 0;
    me->queue = q;
    list_push_back(&q->waiting, &me->waits);
    if (waits_in_a_circle(me)) {
        sched_end(s, SIM_DEADLOCK);
    }
    if (deadline != UINT64_MAX) {
        sim_timer_arm(&s->timers, &me->timer, deadline);
    }
    run_next(s);
    return me->result;
}

void sched_wake_one(struct scheduler *s, struct sim_queue *q)
{
    struct list *node = q->waiting.next;
    uint64_t n = 0, index;

    list_for_each(&q->waiting, it)
    {
        n++;
    }
    if (n == 0) {
        return;
    }
    index = sim_pick(s->decisions, SIM_SITE_WAKE, &s->current->actor, n);
    while (index-- > 0) {
        node = node->next;
    }
    stop_waiting(container_of(node, struct sim_thread, waits), 0);
}

void sched_wake_all(struct sim_queue *q)
{
    while (!list_is_empty(&q->waiting)) {
        stop_waiting(container_of(q->waiting.next, struct sim_thread, waits), 0);
    }
}

/* ---- threads ---------------------------------------------------------------------- */

/* The first and last function on a thread's stack. */
static void run_thread(void *arg)
{
    struct sim_thread *t = arg;
    struct scheduler *s = t->sched;

    reap(s); /* who switched to us may have ended */
    t->fn(t->arg);
    t->done = true;
    s->n_live--;
    sched_wake_all(&t->ended);
    if (s->n_live == 0) {
        sched_wake_all(&s->run_end);
    }
    run_next(s);
    CHECK(!"an ended thread runs");
}

struct sim_thread *sched_spawn(struct scheduler *s, const char *name, void (*fn)(void *arg),
                               void *arg)
{
    struct sim_thread *t = calloc(1, sizeof(*t));

    if (t == NULL) {
        return NULL;
    }
    t->coro = coro_new(&s->stacks, run_thread, t);
    if (t->coro == NULL) {
        free(t);
        return NULL;
    }
    thread_init(s, t, name);
    t->fn = fn;
    t->arg = arg;
    list_push_back(&s->all, &t->all);
    s->n_live++;
    s->stats.threads++;
    make_ready(s, t);
    return t;
}

void sched_join(struct scheduler *s, struct sim_thread *t)
{
    while (!t->done) {
        sched_block(s, &t->ended, UINT64_MAX);
    }
    CHECK(t->coro == NULL);
    thread_fini(t);
    free(t);
}

enum sim_verdict sched_run(struct scheduler *s)
{
    CHECK(s->current == &s->host && !s->running && s->verdict == SIM_OK);
    s->running = true;
    while (s->n_live > 0 && s->verdict == SIM_OK) {
        sched_block(s, &s->run_end, UINT64_MAX);
    }
    s->running = false;
    return s->verdict;
}
