/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coro.h: stackful coroutines, switched by Boost.Context's two C symbols.
 *
 * A coroutine is a stack with a guard page below it and a function that runs on it.
 * Control moves only by coro_switch and coro_exit, from the running coroutine to another;
 * the stack of the calling OS thread takes part as the "host". Nothing here knows about
 * time or order. All coroutines of a pool belong to one OS thread.
 *
 * ASan, TSan and valgrind are told about every stack and every switch, in coro.c only.
 */
#ifndef MSGRLAB_SIM_SCHED_CORO_H
#define MSGRLAB_SIM_SCHED_CORO_H

#include <stddef.h>

#include "engine/list.h"

typedef void (*coro_fn)(void *arg);

struct coro {
    void *context;     /* where it stopped; NULL while it runs */
    struct coro *from; /* who switched to it last */
    void *map;         /* owned: guard page and stack; NULL for the host */
    size_t map_bytes;
    const void *stack; /* lowest usable byte; NULL: not known yet (host) */
    size_t stack_bytes;
    void *fake_stack; /* ASan's, while it is stopped */
    void *fiber;      /* TSan's */
    unsigned valgrind_id;
    coro_fn fn;
    void *arg;
    struct list node; /* in coro_pool.idle */
};

struct coro_pool {
    size_t stack_bytes;
    struct list idle; /* ended coroutines, with their stacks */
};

/* What world.h calls stacks to share. */
struct sim_stacks {
    struct coro_pool pool;
};

/* `stack_bytes` 0: the default, 256 KiB (1 MiB under a sanitizer, whose frames are
 * larger). */
void coro_pool_init(struct coro_pool *pool, size_t stack_bytes);
/* Every coroutine was given back. */
void coro_pool_fini(struct coro_pool *pool);

/* Runs fn(arg) when it is first switched to. fn must not return: it ends with coro_exit.
 * NULL: no memory. */
struct coro *coro_new(struct coro_pool *pool, coro_fn fn, void *arg);
/* It ended, or will never be switched to again: what is on its stack is abandoned. */
void coro_free(struct coro_pool *pool, struct coro *coro);

/* `host` stands for the stack this is called on. */
void coro_host_init(struct coro *host);

/* Stops `from`, which is running, and continues `to`. Returns when something switches
 * back. */
void coro_switch(struct coro *from, struct coro *to);
/* The same, for the last time: `from` may be freed by whoever runs next. */
_Noreturn void coro_exit(struct coro *from, struct coro *to);

#endif
