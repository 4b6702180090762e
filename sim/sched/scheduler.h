/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scheduler.h: virtual threads on a virtual clock. One runs at a time.
 *
 *              sched_point: may go on, or           sched_spawn
 *              another goes on instead                |
 *                 .-----------.                       v
 *        running -'           '--> ready (a list, longest ready first) <--.
 *           |                        |                                    |
 *           |                        '--> running: chosen by strategy     |
 *           '--> waiting in a queue: sched_block                          |
 *                   '-- sched_wake_*, or the deadline --------------------'
 *
 * The clock moves by a small cost per os call and jumps to the next timer when no thread
 * is ready. Then timers run, on the stack of whoever happens to be current. A run ends
 * when its threads have ended, or with a verdict: nothing can ever run again, threads wait
 * for each other in a circle, the clock stands still, or the limit of virtual time is
 * reached.
 *
 * The calling OS thread is a virtual thread, too, the "host": it may make os calls outside
 * sched_run. Used by the other files of sim/ only.
 */
#ifndef MSGRLAB_SIM_SCHED_SCHEDULER_H
#define MSGRLAB_SIM_SCHED_SCHEDULER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/list.h"
#include "sim/sched/coro.h"
#include "sim/decide/decisions.h"
#include "sim/sched/timers.h"
#include "sim/sched/world_opts.h"

struct os_mutex;

// clang-format off
#define SIM_CALLS(X)                                                                     \
    X(none) X(thread_start) X(thread_join) X(sleep) X(clock) X(mutex_lock)               \
    X(mutex_unlock) X(cond_wait) X(cond_signal) X(cond_broadcast) X(epoll_ctl)           \
    X(epoll_wait) X(poll) X(select) X(pipe) X(read) X(write) X(close) X(socket)          \
    X(set_option) X(bind) X(listen) X(accept) X(connect) X(connect_result) X(recv)       \
    X(send) X(shutdown) X(verbs) X(post_send) X(post_recv) X(poll_cq) X(req_notify_cq)
// clang-format on

enum sim_call {
#define X(name) SIM_CALL_##name,
    SIM_CALLS(X)
#undef X
};

/* Who waits for what. Embedded in mutexes, conditions, files, threads. */
struct sim_queue {
    struct list waiting;      /* of sim_thread.waits, longest first */
    const char *kind, *name;  /* "mutex" "Messenger::lock"; for reports */
    struct sim_thread *owner; /* who must act before the wait can end; NULL: anybody */
};

/* Threads that stop and go on together: those of a node. */
struct sched_group {
    struct scheduler *sched; /* borrowed */
    struct list parked;      /* of sim_thread.ready: ready, but for the stop */
    bool paused, dead;
    bool died;               /* it is or was dead: its threads need not behave */
    struct sim_timer resume; /* ends a pause */
};

#define SIM_RECENT 8
#define SIM_HELD_MAX 16 /* mutexes of one thread; more are not watched */

struct sim_thread {
    struct scheduler *sched;
    struct sched_group *group; /* borrowed; NULL: nothing stops it */
    struct coro *coro;         /* owned, except the host's */
    struct sim_actor actor;
    struct list all, ready, waits; /* memberships; ready: also in group->parked */
    struct list handles;           /* of sim_handle.of_thread: one per os it called */
    struct sim_queue *queue;       /* where it waits; NULL: it does not */
    struct sim_queue
        *woken_from;        /* of a mutex that was unlocked for it; NULL once it ran */
    struct sim_queue ended; /* who joins it */
    struct sim_timer timer; /* ends a wait */
    int result;             /* of the wait */
    uint32_t number;
    uint64_t priority;          /* PCT: highest first */
    uint64_t starve_at;         /* STARVE: the point at which it stands still next */
    uint64_t back_until;        /* STAND_BACK: points of the run */
    uint32_t slice;             /* points since it last waited or stepped back */
    uint32_t clock_reads;       /* since its last point */
    uint64_t points;            /* so far */
    uint8_t recent[SIM_RECENT]; /* enum sim_call, a ring of the last points */
    bool done;
    void (*fn)(void *arg);
    void *arg;
    const struct os_mutex *held[SIM_HELD_MAX]; /* in the order of taking (sync.c) */
    uint32_t n_held;
    void *polls; /* owned: room for the watches of poll and select (poller.c) */
    size_t polls_bytes;
    const struct pollfd *wait_fds; /* what a poller's wait is about, for reports */
    int n_wait_fds;
};

struct scheduler {
    const struct sim_world_opts *opts;
    struct sim_decisions *decisions;
    struct coro_pool own_stacks, *stacks; /* the ones in use: its own or a caller's */
    struct coro host_coro;
    struct sim_thread host;
    struct sim_thread *current;
    struct sim_thread *ended; /* its stack can go as soon as another runs */
    struct list all;          /* of sim_thread.all: every thread but the host */
    struct list ready;        /* of sim_thread.ready */
    uint32_t n_ready, n_live, next_number;
    struct sim_timers timers;
    struct sim_actor timers_actor; /* of choices between timers */
    struct sim_queue starved;      /* who does not run for a while */
    struct sim_queue back;         /* who runs only if no other can */
    uint64_t now;
    uint64_t instant_points; /* points since the clock moved */
    uint64_t busy_points;    /* points since no thread was ready */
    struct sim_queue run_end;
    bool running;     /* inside sched_run */
    uint64_t pct_low; /* the next priority a change point gives, going down */
    struct sim_world_stats stats;
    enum sim_verdict verdict;
    bool violated;       /* SIM_SAFETY is due */
    char *report;        /* owned; malloc'ed text */
    char signature[200]; /* of the verdict; sim_world_signature */
};

void sched_init(struct scheduler *s, const struct sim_world_opts *opts,
                struct sim_decisions *decisions);
void sched_fini(struct scheduler *s);

/* A new thread, ready to run. `group` NULL: none. NULL: no memory. */
struct sim_thread *sched_spawn(struct scheduler *s, struct sched_group *group,
                               const char *name, void (*fn)(void *arg), void *arg);
/* Waits until it ended, and frees it. */
void sched_join(struct scheduler *s, struct sim_thread *thread);
/* Runs until every thread ended or there is a verdict. Host only. */
enum sim_verdict sched_run(struct scheduler *s);

/* An os call begins or ends: time passes, others may run. */
void sched_point(struct scheduler *s, enum sim_call call);
void sched_spend(struct scheduler *s, uint64_t ns); /* time passes */
/* A call found nothing to do: time passes, and at its next point the current thread steps
 * back behind the others, so that one that only polls does not hold up the world. */
void sched_idle(struct scheduler *s);

void sched_queue_init(struct sim_queue *q, const char *kind, const char *name);
/* The current thread waits in the queue until woken (0) or until `deadline` (-ETIMEDOUT);
 * UINT64_MAX: for ever. */
int sched_block(struct scheduler *s, struct sim_queue *q, uint64_t deadline);
/* Makes a waiting thread ready; which one is a decision of the current thread. NULL: nobody
 * waits. */
struct sim_thread *sched_wake_one(struct scheduler *s, struct sim_queue *q);
void sched_wake(struct sim_thread *thread);
void sched_wake_all(struct sim_queue *q);

/* ---- scheduler_strategy.c ---- */

void sched_strategy_init(struct scheduler *s, struct sim_thread *t);
/* An index in the ready list, which is not empty. Whatever the strategy, what comes out is
 * a decision of `actor` at `site`, so that a log of decisions replays without the
 * strategy. */
uint64_t sched_choose(struct scheduler *s, enum sim_site site, struct sim_thread *actor);
/* The current thread is at a point: for how long it stands still, and for how many points
 * of the run it stands back behind all others; 0: neither. */
void sched_choose_stop(struct scheduler *s, uint64_t *ret_ns, uint64_t *ret_points);
/* PCT: the current thread's priority falls at some points. */
void sched_pass_change_points(struct scheduler *s);

/* ---- scheduler_group.c ---- */

/* A thread of a stopped group runs no further than its next scheduling point; what it waits
 * for may come meanwhile. A dead group stays so until it is revived. */
void sched_group_init(struct scheduler *s, struct sched_group *g);
void sched_group_fini(struct sched_group *g); /* its threads are gone, or will be */
void sched_group_pause(struct sched_group *g, uint64_t ns); /* UINT64_MAX: until resumed */
void sched_group_resume(struct sched_group *g);
void sched_group_kill(struct sched_group *g);
void sched_group_revive(struct sched_group *g);
static inline bool sched_is_stopped(const struct sim_thread *t)
{
    return t->group != NULL && (t->group->paused || t->group->dead);
}

/* now + timeout; UINT64_MAX for a negative one and on overflow. */
uint64_t sched_deadline(const struct scheduler *s, int64_t timeout_ns);

/* Ends the run with a verdict; returns only to the host, inside sched_run. */
void sched_end(struct scheduler *s, enum sim_verdict verdict);
/* An invariant does not hold: the run ends with SIM_SAFETY at the next scheduling point
 * (outside sched_run it only gets that verdict). The first one wins; a verdict that is
 * there already stays. `signature`: as sim_world_signature has it, copied; the rest says
 * what happened. From any virtual thread, timer or recorder's hook. */
void sched_violate(struct scheduler *s, const char *signature, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void sched_vviolate(struct scheduler *s, const char *signature, const char *fmt,
                    va_list args);
/* scheduler_report.c: who waits for what, as text, malloc'ed. `text`: NULL: what the
 * verdict says by itself. */
char *sched_report_text(struct scheduler *s, enum sim_verdict verdict, const char *text);
/* "mutex_lock" */
const char *sched_call_name(enum sim_call call);
/* Fills s->signature. */
void sched_sign(struct scheduler *s, enum sim_verdict verdict);

#endif
