/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_throttle.c: a budget is never exceeded but by Ceph's rule for what is larger than
 * it, waiters are served in order, no turn is lost, and what was held is what is given
 * back.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/queue/throttle.h"
#include "engine/trace.h"
#include "engine/util.h"
#include "tests/lib/testlib.h"

struct caller {
    struct throttle_waiter waiter;
    int calls; /* of on_room */
};

static void count_call(struct throttle_waiter *waiter)
{
    container_of(waiter, struct caller, waiter)->calls++;
}

static void init_callers(struct caller *callers, int n)
{
    for (int i = 0; i < n; i++) {
        callers[i].calls = 0;
        throttle_waiter_init(&callers[i].waiter, count_call);
    }
}

static struct os *os;
static struct throttle t;
static struct caller c[4];

static void setup(void)
{
    os = os_linux_new(1, "test");
    ck_assert_ptr_nonnull(os);
    init_callers(c, 4);
}

static void teardown(void)
{
    throttle_fini(&t);
    os_linux_free(os);
}

static void budget(uint64_t max)
{
    ck_assert_int_eq(throttle_init(&t, os, "test", max), 0);
}

/* What fits is held at once; what does not fit waits, and is called when there is room. */
START_TEST(who_does_not_fit_is_called_when_there_is_room)
{
    budget(10);
    ck_assert(throttle_get(&t, &c[0].waiter, 6));
    ck_assert(throttle_get(&t, &c[1].waiter, 4));
    ck_assert(!throttle_get(&t, &c[2].waiter, 5));
    ck_assert_uint_eq(throttle_held(&t), 10);
    throttle_put(&t, 4);
    ck_assert_int_eq(c[2].calls, 0); /* 4 are free: not enough */
    throttle_put(&t, 6);
    ck_assert_int_eq(c[2].calls, 1);
    ck_assert_uint_eq(throttle_held(&t), 0); /* being called is not having */
    ck_assert(throttle_get(&t, &c[2].waiter, 5));
    ck_assert_uint_eq(throttle_held(&t), 5);
    throttle_put(&t, 5);
    ck_assert_int_eq(c[2].calls, 1);
}
END_TEST

/* First come, first served: neither a later waiter nor a newcomer passes a large request.
 */
START_TEST(nobody_overtakes_a_large_request)
{
    budget(10);
    throttle_take(&t, 8);
    ck_assert(!throttle_get(&t, &c[0].waiter, 5));
    ck_assert(!throttle_get(&t, &c[1].waiter, 1));
    ck_assert(!throttle_get(&t, &c[1].waiter, 1)); /* asking again does not help */
    ck_assert(!throttle_get(&t, &c[2].waiter, 2));
    throttle_put(&t, 8);
    ck_assert_int_eq(c[0].calls, 1);
    ck_assert_int_eq(c[1].calls, 0);
    ck_assert(!throttle_get(&t, &c[1].waiter, 1));
    ck_assert(throttle_get(&t, &c[0].waiter, 5));
    ck_assert_int_eq(c[1].calls, 1); /* getting in passes the turn on */
    ck_assert_int_eq(c[2].calls, 0);
    ck_assert(throttle_get(&t, &c[1].waiter, 1));
    ck_assert_int_eq(c[2].calls, 1);
    ck_assert(throttle_get(&t, &c[2].waiter, 2));
    throttle_put(&t, 8);
}
END_TEST

/* A request larger than the whole budget passes as soon as nothing beyond it is held. */
START_TEST(oversize_passes_when_nothing_beyond_the_limit_is_held)
{
    budget(10);
    ck_assert(throttle_get(&t, &c[0].waiter, 25));
    ck_assert(!throttle_get(&t, &c[1].waiter, 30));
    throttle_put(&t, 14);
    ck_assert_int_eq(c[1].calls, 0); /* 11 held */
    throttle_put(&t, 1);
    ck_assert_int_eq(c[1].calls, 1); /* 10 held: the limit, not more */
    ck_assert(throttle_get(&t, &c[1].waiter, 30));
    ck_assert_uint_eq(throttle_held(&t), 40);
    ck_assert(!throttle_get(&t, &c[2].waiter, 1));
    throttle_put(&t, 31);
    ck_assert_int_eq(c[2].calls, 1);
    ck_assert(throttle_get(&t, &c[2].waiter, 1));
    throttle_put(&t, 10);
}
END_TEST

/* A request of exactly the budget is not oversize: it waits until nothing is held. */
START_TEST(the_whole_budget_needs_all_of_it)
{
    budget(10);
    throttle_take(&t, 1);
    ck_assert(!throttle_get(&t, &c[0].waiter, 10));
    throttle_put(&t, 1);
    ck_assert_int_eq(c[0].calls, 1);
    ck_assert(throttle_get(&t, &c[0].waiter, 10));
    throttle_put(&t, 10);
}
END_TEST

/* Whoever cancels passes the turn on, called already or not; others stay in order. */
START_TEST(cancel_passes_the_turn_on)
{
    budget(10);
    throttle_take(&t, 9);
    for (int i = 0; i < 4; i++) {
        ck_assert(!throttle_get(&t, &c[i].waiter, i == 0 ? 5 : 2));
    }
    throttle_cancel(&t, &c[2].waiter);
    throttle_put(&t, 1); /* 8 held: room for 2, but not for the first one's 5 */
    ck_assert_int_eq(c[0].calls + c[1].calls + c[2].calls + c[3].calls, 0);
    throttle_cancel(&t, &c[0].waiter);
    ck_assert_int_eq(c[1].calls, 1);
    ck_assert_int_eq(c[3].calls, 0);
    throttle_cancel(&t, &c[1].waiter); /* called, but does not want any more */
    ck_assert_int_eq(c[3].calls, 1);
    ck_assert(throttle_get(&t, &c[3].waiter, 2));
    throttle_cancel(&t, &c[3].waiter); /* not waiting: fine, and gives nothing back */
    ck_assert_uint_eq(throttle_held(&t), 10);
    ck_assert_int_eq(c[0].calls + c[2].calls, 0);
    throttle_put(&t, 10);
}
END_TEST

/* A waiter may change its mind about the amount; it keeps its place. */
START_TEST(asking_again_changes_the_amount_and_keeps_the_place)
{
    budget(10);
    throttle_take(&t, 8);
    ck_assert(!throttle_get(&t, &c[0].waiter, 4));
    ck_assert(!throttle_get(&t, &c[1].waiter, 1));
    ck_assert(!throttle_get(&t, &c[0].waiter, 3));
    throttle_put(&t, 1);
    ck_assert_int_eq(c[0].calls, 1);
    ck_assert(throttle_get(&t, &c[0].waiter, 3));
    throttle_put(&t, 1);
    ck_assert(throttle_get(&t, &c[1].waiter, 1));
    throttle_put(&t, 10);
}
END_TEST

/* Room that others took before the called one asked is not room: it waits on, in front. */
START_TEST(being_called_is_no_promise)
{
    budget(10);
    throttle_take(&t, 10);
    ck_assert(!throttle_get(&t, &c[0].waiter, 5));
    throttle_put(&t, 5);
    ck_assert_int_eq(c[0].calls, 1);
    throttle_take(&t, 3);
    ck_assert(!throttle_get(&t, &c[0].waiter, 5));
    ck_assert(!throttle_get(&t, &c[1].waiter, 1));
    throttle_put(&t, 3);
    ck_assert_int_eq(c[0].calls, 2);
    ck_assert(throttle_get(&t, &c[0].waiter, 5));
    throttle_put(&t, 10);
    ck_assert(throttle_get(&t, &c[1].waiter, 1));
    throttle_put(&t, 1);
}
END_TEST

/* take asks nobody: it may go beyond the limit, and others wait until it is back. */
START_TEST(take_goes_beyond_the_limit)
{
    budget(10);
    throttle_take(&t, 7);
    throttle_take(&t, 7);
    ck_assert_uint_eq(throttle_held(&t), 14);
    ck_assert(!throttle_get(&t, &c[0].waiter, 1));
    throttle_put(&t, 4);
    ck_assert_int_eq(c[0].calls, 0);
    throttle_put(&t, 1);
    ck_assert_int_eq(c[0].calls, 1);
    throttle_cancel(&t, &c[0].waiter);
    throttle_put(&t, 9);
}
END_TEST

/* A maximum of 0 is no limit, but what is held is counted all the same. */
START_TEST(zero_is_no_limit)
{
    budget(0);
    ck_assert(throttle_get(&t, &c[0].waiter, UINT64_MAX / 4));
    ck_assert(throttle_get(&t, &c[1].waiter, UINT64_MAX / 4));
    ck_assert_uint_eq(throttle_held(&t), UINT64_MAX / 4 * 2);
    throttle_put(&t, UINT64_MAX / 4 * 2);
}
END_TEST

/* ---- against a model ---- */

#define CALLERS 12
#define BUDGET 100

struct model {
    struct caller callers[CALLERS];
    uint64_t holds[CALLERS];
    uint64_t wants[CALLERS]; /* 0: is not waiting */
    int line[CALLERS];       /* who waits, in order */
    int n_line;
    uint64_t held;
};

static void model_leave(struct model *m, int who)
{
    int at = 0;

    while (at < m->n_line && m->line[at] != who) {
        at++;
    }
    if (at < m->n_line) {
        m->n_line--;
        for (; at < m->n_line; at++) {
            m->line[at] = m->line[at + 1];
        }
    }
    m->wants[who] = 0;
}

static void model_get(struct model *m, int who, uint64_t n)
{
    bool waits = m->wants[who] > 0;
    bool turn = m->n_line == 0 || m->line[0] == who;
    bool fits = n > BUDGET ? m->held <= BUDGET : m->held + n <= BUDGET;

    ck_assert_int_eq(throttle_get(&t, &m->callers[who].waiter, n), turn && fits);
    if (turn && fits) {
        model_leave(m, who);
        m->held += n;
        m->holds[who] += n;
        return;
    }
    if (!waits) {
        m->line[m->n_line++] = who;
    }
    m->wants[who] = n;
}

/* The first in line has been called if it fits, and nobody else was. */
static void model_check_calls(struct model *m)
{
    for (int i = 0; i < CALLERS; i++) {
        uint64_t n = m->wants[i];
        bool first = m->n_line > 0 && m->line[0] == i;

        if (!first) {
            ck_assert_int_eq(m->callers[i].calls, 0);
        } else if (n > BUDGET ? m->held <= BUDGET : m->held + n <= BUDGET) {
            ck_assert_int_gt(m->callers[i].calls, 0);
        }
    }
}

static void model_step(struct model *m, struct test_random *random)
{
    int who = (int)testlib_random_below(random, CALLERS);
    uint64_t n = 1 + testlib_random_below(random, testlib_random(random) % 8 ? 40 : 150);

    switch (testlib_random_below(random, 4)) {
    case 0:
    case 1:
        if (m->wants[who] > 0) { /* waits: asks again, as if it had been called */
            n = m->wants[who];
        }
        model_get(m, who, n);
        m->callers[who].calls = 0;
        break;
    case 2:
        n = MIN(n, m->holds[who]);
        m->holds[who] -= n;
        m->held -= n;
        throttle_put(&t, n);
        break;
    default:
        throttle_cancel(&t, &m->callers[who].waiter);
        model_leave(m, who);
        m->callers[who].calls = 0;
        break;
    }
}

/* Whatever the mix of calls: held is the sum of what is out, the line is served in order,
 * and whoever is first and fits has been called. */
START_TEST(behaves_as_the_model)
{
    struct test_random random = {.state = (uint64_t)_i + 77};
    struct model m = {.held = 0};

    budget(BUDGET);
    init_callers(m.callers, CALLERS);
    for (int i = 0; i < 5000; i++) {
        model_step(&m, &random);
        ck_assert_uint_eq(throttle_held(&t), m.held);
        model_check_calls(&m);
    }
    for (int i = 0; i < CALLERS; i++) {
        throttle_cancel(&t, &m.callers[i].waiter);
    }
    for (int i = 0; i < CALLERS; i++) {
        throttle_put(&t, m.holds[i]);
    }
    ck_assert_uint_eq(throttle_held(&t), 0);
}
END_TEST

/* ---- with threads ---- */

struct hammer {
    struct throttle_waiter waiter;
    struct os_mutex *lock;
    struct os_cond *cond;
    bool called; /* under lock */
    uint64_t seed;
    struct os_thread *thread;
};

static _Atomic uint64_t inside; /* what all hammers hold, counted by themselves */

static void wake_hammer(struct throttle_waiter *waiter)
{
    struct hammer *h = container_of(waiter, struct hammer, waiter);

    os_lock(os, h->lock);
    h->called = true;
    os_cond_signal(os, h->cond);
    os_unlock(os, h->lock);
}

static void hammer(void *arg)
{
    struct hammer *h = arg;
    struct test_random random = {.state = h->seed};

    for (int i = 0; i < 3000; i++) {
        uint64_t n = 1 + testlib_random_below(&random, 10);

        while (!throttle_get(&t, &h->waiter, n)) {
            os_lock(os, h->lock);
            while (!h->called) {
                os_cond_wait(os, h->cond, h->lock, -1);
            }
            h->called = false;
            os_unlock(os, h->lock);
        }
        ck_assert_uint_le(atomic_fetch_add(&inside, n) + n, 10);
        atomic_fetch_sub(&inside, n);
        throttle_put(&t, n);
    }
}

/* Two threads never hold more than the budget, and neither waits for ever. */
START_TEST(threads_share_the_budget)
{
    struct hammer h[2];

    budget(10);
    for (uint64_t i = 0; i < 2; i++) {
        h[i] = (struct hammer){.seed = i};
        throttle_waiter_init(&h[i].waiter, wake_hammer);
        h[i].lock = os_mutex_new(os, "hammer");
        h[i].cond = os_cond_new(os, "hammer");
        ck_assert(h[i].lock != NULL && h[i].cond != NULL);
    }
    ck_assert_int_eq(os_thread_start(os, "hammer", hammer, &h[1], &h[1].thread), 0);
    hammer(&h[0]);
    os_thread_join(h[1].thread);
    for (int i = 0; i < 2; i++) {
        os_cond_free(os, h[i].cond);
        os_mutex_free(os, h[i].lock);
    }
    ck_assert_uint_eq(throttle_held(&t), 0);
}
END_TEST

/* ---- what is recorded ---- */

/* The throttle's records of a finished trace as letters: Get, Wait, Put with the amount. */
static void read_trace(const char *path, char *text, size_t cap)
{
    FILE *file = fopen(path, "rb");
    struct trace_record record;
    size_t len = 0;

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, TRACE_HEADER_BYTES, SEEK_SET), 0);
    text[0] = '\0';
    while (fread(&record, sizeof(record), 1, file) == 1) {
        char letter = record.kind == TP_THROTTLE_GET    ? 'G'
                      : record.kind == TP_THROTTLE_WAIT ? 'W'
                      : record.kind == TP_THROTTLE_PUT  ? 'P'
                                                        : 0;

        if (letter != 0 && record.obj == t.trace_id && record.a1 == t.max) {
            len += (size_t)snprintf(text + len, cap - len, "%c%d/%d ", letter, record.val,
                                    (int)record.a0);
            ck_assert_uint_lt(len, cap);
        }
    }
    fclose(file);
}

/* Each get, wait and put is recorded once, with the amount and what is held after. */
START_TEST(gets_waits_and_puts_are_recorded)
{
    char path[] = "/tmp/test_throttle.XXXXXX";
    const struct trace_opts opts = {.mode = TRACE_STREAM, .bytes_max = 1 << 20};
    const char *why = NULL;
    char text[200];

    close(mkstemp(path));
    ck_assert_int_eq(trace_open(path, &opts, &os->trace, &why), 0);
    budget(10);
    ck_assert_uint_gt(t.trace_id, 0);
    ck_assert(throttle_get(&t, &c[0].waiter, 7));
    ck_assert(!throttle_get(&t, &c[1].waiter, 4));
    ck_assert(!throttle_get(&t, &c[1].waiter, 4));
    throttle_put(&t, 7);
    ck_assert(throttle_get(&t, &c[1].waiter, 4));
    throttle_take(&t, 8);
    throttle_put(&t, 12);
    ck_assert_int_eq(trace_close(os->trace), 0);
    os->trace = NULL;
    read_trace(path, text, sizeof(text));
    unlink(path);
    ck_assert_str_eq(text, "G7/7 W4/7 P7/0 G4/4 G8/12 P12/0 ");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("throttle");
    TCase *tc = tcase_create("throttle");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, who_does_not_fit_is_called_when_there_is_room);
    tcase_add_test(tc, nobody_overtakes_a_large_request);
    tcase_add_test(tc, oversize_passes_when_nothing_beyond_the_limit_is_held);
    tcase_add_test(tc, the_whole_budget_needs_all_of_it);
    tcase_add_test(tc, cancel_passes_the_turn_on);
    tcase_add_test(tc, asking_again_changes_the_amount_and_keeps_the_place);
    tcase_add_test(tc, being_called_is_no_promise);
    tcase_add_test(tc, take_goes_beyond_the_limit);
    tcase_add_test(tc, zero_is_no_limit);
    tcase_add_loop_test(tc, behaves_as_the_model, 0, 8);
    tcase_add_test(tc, threads_share_the_budget);
    tcase_add_test(tc, gets_waits_and_puts_are_recorded);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
