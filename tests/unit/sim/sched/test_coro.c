/* SPDX-License-Identifier: Apache-2.0 */
/* test_coro.c: coroutines: switching, ending, stacks. */
#include <signal.h>
#include <stdbool.h>

#include "engine/util.h"
#include "sim/sched/coro.h"
#include "tests/lib/testlib.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

struct walk {
    struct coro_pool pool;
    struct coro host;
    struct coro *coros[8];
    char log[64];
    int n;
};

struct step {
    struct walk *walk;
    int me, rounds;
};

static void note(struct walk *w, char c)
{
    w->log[w->n++] = c;
}

static void go_round(void *arg)
{
    struct step *s = arg;
    struct walk *w = s->walk;

    for (int i = 0; i < s->rounds; i++) {
        note(w, (char)('a' + s->me));
        coro_switch(w->coros[s->me], &w->host);
    }
    note(w, (char)('A' + s->me));
    coro_exit(w->coros[s->me], &w->host);
}

static void walk_init(struct walk *w)
{
    *w = (struct walk){.n = 0};
    coro_pool_init(&w->pool, 0);
    coro_host_init(&w->host);
}

/* Each coroutine goes on where it stopped; the host gets control back in between. */
START_TEST(switches_keep_their_place)
{
    struct walk w;
    struct step steps[3];

    walk_init(&w);
    for (int i = 0; i < 3; i++) {
        steps[i] = (struct step){.walk = &w, .me = i, .rounds = 2};
        w.coros[i] = coro_new(&w.pool, go_round, &steps[i]);
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++) {
            coro_switch(&w.host, w.coros[i]);
        }
        note(&w, '|');
    }
    ck_assert_str_eq(w.log, "abc|abc|ABC|");
    for (int i = 0; i < 3; i++) {
        coro_free(&w.pool, w.coros[i]);
    }
    coro_pool_fini(&w.pool);
}
END_TEST

static void pass_on(void *arg)
{
    struct step *s = arg;
    struct walk *w = s->walk;

    note(w, (char)('a' + s->me));
    if (s->me < 4) {
        coro_switch(w->coros[s->me], w->coros[s->me + 1]);
        note(w, (char)('A' + s->me));
    }
    coro_exit(w->coros[s->me], s->me > 0 ? w->coros[s->me - 1] : &w->host);
}

/* A coroutine switches straight to another, which may end straight into a third. */
START_TEST(coroutines_switch_to_each_other)
{
    struct walk w;
    struct step steps[5];

    walk_init(&w);
    for (int i = 0; i < 5; i++) {
        steps[i] = (struct step){.walk = &w, .me = i};
        w.coros[i] = coro_new(&w.pool, pass_on, &steps[i]);
    }
    coro_switch(&w.host, w.coros[0]);
    ck_assert_str_eq(w.log, "abcdeDCBA");
    for (int i = 0; i < 5; i++) {
        coro_free(&w.pool, w.coros[i]);
    }
    coro_pool_fini(&w.pool);
}
END_TEST

/* The stack of an ended coroutine serves the next one. */
START_TEST(stacks_are_reused)
{
    struct walk w;
    struct step step = {.walk = &w};
    const void *stack;

    walk_init(&w);
    w.coros[0] = coro_new(&w.pool, go_round, &step);
    stack = w.coros[0]->stack;
    coro_switch(&w.host, w.coros[0]);
    coro_free(&w.pool, w.coros[0]);
    for (int i = 0; i < 1000; i++) {
        w.n = 0;
        w.coros[0] = coro_new(&w.pool, go_round, &step);
        ck_assert_ptr_eq(w.coros[0]->stack, stack);
        coro_switch(&w.host, w.coros[0]);
        coro_free(&w.pool, w.coros[0]);
    }
    coro_pool_fini(&w.pool);
}
END_TEST

/* A coroutine that was never finished can be thrown away, and its stack used again. */
START_TEST(abandoned_stack_is_clean)
{
    struct walk w;
    struct step step = {.walk = &w, .rounds = 1};

    walk_init(&w);
    for (int i = 0; i < 10; i++) {
        w.n = 0;
        w.coros[0] = coro_new(&w.pool, go_round, &step);
        coro_switch(&w.host, w.coros[0]); /* stops in the middle */
        coro_free(&w.pool, w.coros[0]);
    }
    coro_pool_fini(&w.pool);
}
END_TEST

/* Too deep a recursion hits the guard page and nothing else. */
START_TEST(guard_page_stops_overflow)
{
    struct walk w;
    struct step step = {.walk = &w};

    walk_init(&w);
    w.coros[0] = coro_new(&w.pool, go_round, &step);
    *(volatile char *)((char *)w.coros[0]->map + 8) = 1;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim coro");
    TCase *tc = tcase_create("coroutines");

    tcase_add_test(tc, switches_keep_their_place);
    tcase_add_test(tc, coroutines_switch_to_each_other);
    tcase_add_test(tc, stacks_are_reused);
    tcase_add_test(tc, abandoned_stack_is_clean);
    if (!SANITIZED) { /* they catch it first */
        tcase_add_test_raise_signal(tc, guard_page_stops_overflow, SIGSEGV);
    }
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
