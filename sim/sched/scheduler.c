/* SPDX-License-Identifier: Apache-2.0 */
/* scheduler.c: choosing who runs, waiting, and the virtual clock. */
#include "sim/sched/scheduler.h"

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
    CHECK(t->sched == NULL); /* once */
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
    sched_strategy_init(s, t);
}

void sched_init(struct scheduler *s, const struct sim_world_opts *opts,
                struct sim_decisions *decisions)
{
    *s = (struct scheduler){
        .opts = opts, .decisions = decisions, .now = CLOCK_START_NS, .pct_low = 1ULL << 62};
    list_init(&s->all);
    list_init(&s->ready);
    sched_queue_init(&s->run_end, "the run", "to end");
    sched_queue_init(&s->starved, "its turn", "starved");
    sched_queue_init(&s->back, "its turn", "stood back");
    sim_actor_init(decisions, &s->timers_actor, "timers");
    coro_pool_init(&s->own_stacks, opts->stack_bytes);
    s->stacks = opts->stacks != NULL ? &opts->stacks->pool : &s->own_stacks;
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
        CHECK(s->ended->done);
        CHECK(s->ended != s->current);
        coro_free(s->stacks, s->ended->coro);
        s->ended->coro = NULL;
        s->ended = NULL;
    }
}

void sched_fini(struct scheduler *s)
{
    CHECK(!s->running);
    CHECK(s->current == &s->host);
    reap(s);
    list_for_each_safe(&s->all, it)
    {
        struct sim_thread *t = container_of(it, struct sim_thread, all);

        if (t->coro != NULL) {
            coro_free(s->stacks, t->coro);
        }
        thread_fini(t);
        free(t);
    }
    thread_fini(&s->host);
    sim_timers_fini(&s->timers);
    coro_pool_fini(&s->own_stacks);
    free(s->report);
}

/* ---- choosing --------------------------------------------------------------------- */

static void make_ready(struct scheduler *s, struct sim_thread *t)
{
    CHECK(!t->done);
    CHECK(t->queue == NULL);
    if (sched_is_stopped(t)) {
        list_push_back(&t->group->parked, &t->ready);
        return;
    }
    list_push_back(&s->ready, &t->ready);
    s->n_ready++;
}

static struct sim_thread *take_ready(struct scheduler *s, uint64_t index)
{
    struct list *node = s->ready.next;

    CHECK(index < s->n_ready);
    while (index-- > 0) {
        node = node->next;
    }
    list_unlink(node);
    s->n_ready--;
    return thread_of(node);
}

/* ---- switching and the clock ------------------------------------------------------ */

static void switch_to(struct scheduler *s, struct sim_thread *to)
{
    struct sim_thread *from = s->current;

    if (to == from) {
        return;
    }
    CHECK(!to->done);
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

/* Of several of one instant any may be first. */
static struct sim_timer *choose_timer(struct scheduler *s)
{
    struct sim_timer *ties[SIM_TIES_MAX];
    uint32_t n = sim_timers_ties(&s->timers, ties);

    return ties[sim_pick(s->decisions, SIM_SITE_TIE, &s->timers_actor, n)];
}

static void run_timers(struct scheduler *s)
{
    struct sim_timer *timer;

    while ((timer = sim_timers_first(&s->timers)) != NULL && timer->at <= s->now) {
        if (sim_timers_tie(&s->timers) && sim_may_choose(s->decisions, SIM_SITE_TIE)) {
            timer = choose_timer(s);
        }
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

void sched_idle(struct scheduler *s)
{
    s->current->slice = SLICE_POINTS;
    sched_spend(s, s->opts->empty_poll_ns);
}

/* Who stood back long enough is ready, in the order in which they came; `now`: one of them
 * is, however short it was. */
static void end_stand_back(struct scheduler *s, bool now)
{
    list_for_each_safe(&s->back.waiting, it)
    {
        struct sim_thread *t = container_of(it, struct sim_thread, waits);

        if (t->back_until <= s->stats.points || (now && s->n_ready == 0)) {
            sched_wake(t);
        }
    }
}

/* Lets time pass until a thread is ready. False: that will never be. */
static bool wait_for_ready(struct scheduler *s)
{
    CHECK(s->n_ready == 0);
    s->busy_points = 0;
    end_stand_back(s, true);
    while (s->n_ready == 0) {
        struct sim_timer *timer = sim_timers_first(&s->timers);

        if (timer == NULL || s->violated) {
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

    if (s->violated) {
        sched_end(s, SIM_SAFETY);
    } else if (s->n_ready == 0 && !wait_for_ready(s)) {
        sched_end(s, s->violated ? SIM_SAFETY : SIM_DEADLOCK);
    } else if (s->now - CLOCK_START_NS > s->opts->time_max_ns) {
        sched_end(s, SIM_TIME_LIMIT);
    } else {
        switch_to(s, take_ready(s, sched_choose(s, SIM_SITE_RUN, me)));
    }
}

void sched_end(struct scheduler *s, enum sim_verdict verdict)
{
    CHECK(verdict != SIM_OK);
    s->verdict = verdict;
    if (!s->violated) {
        s->report = sched_report_text(s, verdict, NULL);
        sched_sign(s, verdict);
    }
    s->violated = false;
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

void sched_vviolate(struct scheduler *s, const char *signature, const char *fmt,
                    va_list args)
{
    char text[512];

    CHECK(signature[0] != '\0');
    if (s->violated || s->verdict != SIM_OK) {
        return;
    }
    vsnprintf(text, sizeof(text), fmt, args);
    s->report = sched_report_text(s, SIM_SAFETY, text);
    snprintf(s->signature, sizeof(s->signature), "%s", signature);
    s->violated = s->running;
    s->verdict = s->running ? SIM_OK : SIM_SAFETY;
}

void sched_violate(struct scheduler *s, const char *signature, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    sched_vviolate(s, signature, fmt, args);
    va_end(args);
}

/* Too many calls without a pause. */
static void check_progress(struct scheduler *s)
{
    if (++s->instant_points > s->opts->instant_max) {
        sched_end(s, SIM_ZERO_TIME);
    } else if (++s->busy_points > s->opts->busy_max) {
        sched_end(s, SIM_LIVELOCK);
    } else if (s->violated) {
        sched_end(s, SIM_SAFETY);
    }
}

/* The current thread is the first of those that may run: most often it stays the one. */
static void pass_or_go_on(struct scheduler *s)
{
    struct sim_thread *me = s->current, *next;
    uint64_t index = sim_pick(s->decisions, SIM_SITE_PREEMPT, &me->actor, s->n_ready + 1);

    CHECK(s->n_ready > 0);
    if (index > 0) {
        next = take_ready(s, index - 1);
        list_push_front(&s->ready, &me->ready);
        s->n_ready++;
        switch_to(s, next);
    }
}

/* The current thread stands still for a while, or behind the others, if its strategy says
 * so. True: it did. */
static bool stand_still(struct scheduler *s)
{
    uint64_t ns, points;

    sched_choose_stop(s, &ns, &points);
    if (ns > 0) {
        s->stats.starved_until_ns = MAX(s->stats.starved_until_ns, s->now + ns);
        sched_block(s, &s->starved, s->now + ns);
    }
    if (points > 0) {
        s->current->back_until = s->stats.points + points;
        sched_block(s, &s->back, UINT64_MAX);
    }
    return ns + points > 0;
}

void sched_point(struct scheduler *s, enum sim_call call)
{
    struct sim_thread *me = s->current;

    CHECK(me->queue == NULL); /* who waits does not call */
    me->clock_reads = 0;
    me->recent[me->points++ % SIM_RECENT] = (uint8_t)call;
    s->stats.points++;
    check_progress(s);
    sched_spend(s, s->opts->call_ns);
    if (s->opts->strategy == SIM_PCT) {
        sched_pass_change_points(s);
    }
    if (!list_is_empty(&s->back.waiting)) {
        end_stand_back(s, false);
    }
    if (sched_is_stopped(me)) {
        make_ready(s, me);
        run_next(s);
        return;
    }
    if ((s->opts->strategy == SIM_STARVE || s->decisions->overrides.used != 0) &&
        stand_still(s)) {
        return;
    }
    if (s->n_ready == 0) {
        me->actor.seen[SIM_SITE_PREEMPT]++; /* it counts as a choice of one */
        me->slice = 0;
        return;
    }
    if (++me->slice <= SLICE_POINTS && s->opts->strategy != SIM_PCT) {
        pass_or_go_on(s);
        return;
    }
    if (me->slice > SLICE_POINTS) {
        me->slice = 0;
        list_push_back(&s->ready, &me->ready);
    } else {
        list_push_front(&s->ready, &me->ready);
    }
    s->n_ready++;
    switch_to(s, take_ready(s, sched_choose(s, SIM_SITE_PREEMPT, me)));
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
    CHECK(t->queue != NULL);
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

    CHECK(me->queue == NULL);
    CHECK(!me->done);
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
    me->woken_from = NULL;
    return me->result;
}

void sched_wake(struct sim_thread *t)
{
    stop_waiting(t, 0);
}

/* Threads of a stopped node are woken last: they could not make use of it. */
/* Threads that are stopped are woken only if there are no others: what one of them is told
 * would be lost for so long. */
struct sim_thread *sched_wake_one(struct scheduler *s, struct sim_queue *q)
{
    struct sim_thread *chosen = NULL;
    uint64_t n = 0, index;

    list_for_each(&q->waiting, it)
    {
        n += !sched_is_stopped(container_of(it, struct sim_thread, waits));
    }
    if (n == 0) {
        if (list_is_empty(&q->waiting)) {
            return NULL;
        }
        chosen = container_of(q->waiting.next, struct sim_thread, waits);
        stop_waiting(chosen, 0);
        return chosen;
    }
    index = sim_pick(s->decisions, SIM_SITE_WAKE, &s->current->actor, n);
    list_for_each(&q->waiting, it)
    {
        chosen = container_of(it, struct sim_thread, waits);
        if (!sched_is_stopped(chosen) && index-- == 0) {
            break;
        }
    }
    stop_waiting(chosen, 0);
    return chosen;
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
    if (t->n_held > 0 && s->opts->strict && (t->group == NULL || !t->group->died)) {
        sched_violate(s, "ended_holding", "a thread ended and holds a mutex");
    }
    t->done = true;
    s->n_live--;
    sched_wake_all(&t->ended);
    if (s->n_live == 0) {
        sched_wake_all(&s->run_end);
    }
    run_next(s);
    CHECK(!"an ended thread runs");
}

struct sim_thread *sched_spawn(struct scheduler *s, struct sched_group *group,
                               const char *name, void (*fn)(void *arg), void *arg)
{
    struct sim_thread *t = calloc(1, sizeof(*t));

    CHECK(fn != NULL);
    if (t == NULL) {
        return NULL;
    }
    t->coro = coro_new(s->stacks, run_thread, t);
    if (t->coro == NULL) {
        free(t);
        return NULL;
    }
    thread_init(s, t, name);
    t->group = group;
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
    CHECK(s->current == &s->host && !s->running);
    s->running = true;
    while (s->n_live > 0 && s->verdict == SIM_OK) {
        sched_block(s, &s->run_end, UINT64_MAX);
    }
    s->running = false;
    return s->verdict;
}
