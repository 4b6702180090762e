/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coro.c: stacks and switches.
 *
 *   map        stack                                   map + map_bytes
 *    | guard   |  <- grows down ---------------- top   |
 *    | 1 page  |  stack_bytes                          |
 */
#include "sim/sched/coro.h"

#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define CORO_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CORO_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define CORO_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CORO_TSAN 1
#endif
#endif
#ifdef CORO_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef CORO_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif

#if defined(CORO_ASAN) || defined(CORO_TSAN)
#define STACK_BYTES_DEFAULT (1024u << 10)
#else
#define STACK_BYTES_DEFAULT (256u << 10)
#endif

/* Boost.Context's assembly; its own header is C++. */
typedef void *fcontext_t;
struct transfer_t {
    fcontext_t fctx;
    void *data;
};
struct transfer_t jump_fcontext(fcontext_t to, void *vp);
fcontext_t make_fcontext(void *sp, size_t size, void (*fn)(struct transfer_t));

/* ---- what the tools want to know -------------------------------------------------- */

/* The jump from `from` to `to` comes next; `last`: nobody will switch back. */
static void announce_switch(struct coro *from, struct coro *to, int last)
{
    (void)from, (void)to, (void)last;
#ifdef CORO_ASAN
    __sanitizer_start_switch_fiber(last ? NULL : &from->fake_stack, to->stack,
                                   to->stack_bytes);
#endif
#ifdef CORO_TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
}

/* We are on the stack of `self` now, coming from `from`. */
static void arrive(struct coro *self, struct coro *from)
{
    (void)self, (void)from;
#ifdef CORO_ASAN
    const void *bottom;
    size_t bytes;

    __sanitizer_finish_switch_fiber(self->fake_stack, &bottom, &bytes);
    if (from->stack == NULL) { /* the host: only now do we learn where its stack is */
        from->stack = bottom;
        from->stack_bytes = bytes;
    }
#endif
}

static void register_stack(struct coro *coro)
{
    (void)coro;
#ifdef CORO_TSAN
    coro->fiber = __tsan_create_fiber(0);
#endif
#ifdef VALGRIND_STACK_REGISTER
    coro->valgrind_id =
        VALGRIND_STACK_REGISTER(coro->stack, (const char *)coro->stack + coro->stack_bytes);
#endif
}

static void unregister_stack(struct coro *coro)
{
    (void)coro;
#ifdef CORO_ASAN /* an abandoned stack still has its red zones */
    __asan_unpoison_memory_region(coro->stack, coro->stack_bytes);
#endif
#ifdef CORO_TSAN
    __tsan_destroy_fiber(coro->fiber);
#endif
#ifdef VALGRIND_STACK_DEREGISTER
    VALGRIND_STACK_DEREGISTER(coro->valgrind_id);
#endif
}

/* ---- stacks ----------------------------------------------------------------------- */

void coro_pool_init(struct coro_pool *pool, size_t stack_bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    stack_bytes = stack_bytes != 0 ? stack_bytes : STACK_BYTES_DEFAULT;
    pool->stack_bytes = (stack_bytes + page - 1) / page * page;
    list_init(&pool->idle);
}

void coro_pool_fini(struct coro_pool *pool)
{
    struct list *node;

    while ((node = list_pop_front(&pool->idle)) != NULL) {
        struct coro *coro = container_of(node, struct coro, node);

        munmap(coro->map, coro->map_bytes);
        free(coro);
    }
}

static struct coro *map_stack(size_t stack_bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct coro *coro = calloc(1, sizeof(*coro));

    if (coro == NULL) {
        return NULL;
    }
    coro->map_bytes = page + stack_bytes;
    coro->map = mmap(NULL, coro->map_bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (coro->map == MAP_FAILED) {
        free(coro);
        return NULL;
    }
    CHECK(mprotect(coro->map, page, PROT_NONE) == 0);
    coro->stack = (char *)coro->map + page;
    coro->stack_bytes = stack_bytes;
    list_init(&coro->node);
    return coro;
}

/* The first thing on a new stack. `t.data` is the coroutine itself. */
static void enter(struct transfer_t t)
{
    struct coro *self = t.data;

    self->from->context = t.fctx;
    arrive(self, self->from);
    self->fn(self->arg);
    CHECK(!"a coroutine must end with coro_exit");
}

struct coro *coro_new(struct coro_pool *pool, coro_fn fn, void *arg)
{
    struct list *node = list_pop_front(&pool->idle);
    struct coro *coro =
        node != NULL ? container_of(node, struct coro, node) : map_stack(pool->stack_bytes);

    CHECK(fn != NULL);
    if (coro == NULL) {
        return NULL;
    }
    coro->fn = fn;
    coro->arg = arg;
    coro->fake_stack = NULL;
    coro->context =
        make_fcontext((char *)coro->stack + coro->stack_bytes, coro->stack_bytes, enter);
    register_stack(coro);
    return coro;
}

void coro_free(struct coro_pool *pool, struct coro *coro)
{
    CHECK(coro->map != NULL); /* not the host */
    unregister_stack(coro);
    list_push_front(&pool->idle, &coro->node); /* the warmest first */
}

void coro_host_init(struct coro *host)
{
    *host = (struct coro){0};
    list_init(&host->node);
#ifdef CORO_TSAN
    host->fiber = __tsan_get_current_fiber();
#endif
}

/* ---- switching -------------------------------------------------------------------- */

void coro_switch(struct coro *from, struct coro *to)
{
    struct transfer_t t;
    void *context = to->context;

    CHECK(context != NULL && from != to);
    to->context = NULL;
    to->from = from;
    announce_switch(from, to, 0);
    t = jump_fcontext(context, to);
    from->from->context = t.fctx; /* `from` runs again; its `from` is who came here */
    arrive(from, from->from);
}

void coro_exit(struct coro *from, struct coro *to)
{
    void *context = to->context;

    CHECK(context != NULL && from != to);
    to->context = NULL;
    to->from = from;
    announce_switch(from, to, 1);
    jump_fcontext(context, to);
    abort(); /* nobody may switch to an ended coroutine */
}
