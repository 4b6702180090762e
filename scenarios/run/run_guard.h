/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_guard.h: what stands around a run, outside of its world: Ctrl-C (interrupt.h says
 * when it came), crashes, a watchdog on the real clock, and a look at what the process has
 * open. None of it can influence a simulated run, only end it.
 *
 * The main thread only. One guard at a time in a process: signals belong to all of it.
 */
#ifndef MSGRLAB_SCENARIOS_RUN_RUN_GUARD_H
#define MSGRLAB_SCENARIOS_RUN_RUN_GUARD_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/os.h"
#include "scenarios/base/interrupt.h"

#define RUN_CRASH_SIGNALS 5 /* SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT */

struct run_guard {
    uint64_t soft_ns, hard_ns;  /* when it calls back; UINT64_MAX: not at all */
    void (*on_soft)(void *arg); /* on the watchdog's thread */
    void (*on_hard)(void *arg); /* the same, and the last thing before _exit */
    void *arg;

    struct os *os; /* owned: the real clock and the watchdog's thread */
    struct os_mutex *lock;
    struct os_cond *wake;
    struct os_thread *thread;
    bool done;
    struct interrupt interrupt;
    struct sigaction crash_before[RUN_CRASH_SIGNALS];
    stack_t stack_before;
    void *stack; /* owned: of the crash handler */
    char *say;   /* owned: what a crash prints, and the path and text it writes */
};

/* The fields up to `arg` are the caller's, the limits as times from now. 0, or a negative
 * errno: then nothing is left to stop. */
int run_guard_start(struct run_guard *guard);
void run_guard_stop(struct run_guard *guard);

/* From now until run_guard_stop: a crash of the process says `again` (how to repeat the
 * run) and writes `record` (text, may be NULL) into the file `path`, then goes its usual
 * way. The texts are copied. 0 or -ENOMEM. */
int run_guard_crash(struct run_guard *guard, const char *again, const char *path,
                    const char *record);

/* What the process has open. -1: not known. */
struct run_census {
    int fds, threads;
};
struct run_census run_census(void);

#endif
