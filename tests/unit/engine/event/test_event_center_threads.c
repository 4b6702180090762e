/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_event_center_threads.c: external events from other threads: none is lost, each wakes
 * the owner exactly when it must, and submit comes back. Each test runs on epoll, poll and
 * select. A lost wake-up shows as a wait that ended with nothing, which is counted, or as a
 * hang, which the time limit of the test ends.
 */
#include <stdatomic.h>
#include <string.h>

#include "tests/lib/testcenter.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testos.h"

/* ---- a center with a thread of its own ---- */

struct loop {
    struct event_center center;
    struct os_thread *thread;
    _Atomic bool done;
};

static void run_loop(void *arg)
{
    struct loop *loop = arg;

    CHECK(event_center_set_owner(&loop->center) == 0);
    while (!atomic_load(&loop->done)) {
        event_center_process(&loop->center, -1);
    }
}

static void loop_start(struct loop *loop, uint32_t id, int driver)
{
    struct os *os = test_center_os();

    memset(loop, 0, sizeof(*loop));
    ck_assert_int_eq(
        event_center_init(&loop->center, os, id, (enum event_driver_kind)driver), 0);
    ck_assert_int_eq(os_thread_start(os, "loop", run_loop, loop, &loop->thread), 0);
}

static void loop_stop(struct loop *loop)
{
    atomic_store(&loop->done, true);
    event_center_wakeup(&loop->center);
    os_thread_join(loop->thread);
    loop->thread = NULL;
}

/* A number that threads wait for. */
struct gauge {
    struct os_mutex *lock;
    struct os_cond *cond;
    uint64_t value; /* under lock */
};

static void gauge_init(struct gauge *g)
{
    *g = (struct gauge){.lock = os_mutex_new(test_center_os(), "gauge"),
                        .cond = os_cond_new(test_center_os(), "gauge")};
    ck_assert(g->lock != NULL && g->cond != NULL);
}

static void gauge_fini(struct gauge *g)
{
    os_cond_free(test_center_os(), g->cond);
    os_mutex_free(test_center_os(), g->lock);
}

static void gauge_set(struct gauge *g, uint64_t value)
{
    os_lock(test_center_os(), g->lock);
    g->value = value;
    os_cond_broadcast(test_center_os(), g->cond);
    os_unlock(test_center_os(), g->lock);
}

static void gauge_add(struct gauge *g, uint64_t n)
{
    os_lock(test_center_os(), g->lock);
    g->value += n;
    os_cond_broadcast(test_center_os(), g->cond);
    os_unlock(test_center_os(), g->lock);
}

static void gauge_wait(struct gauge *g, uint64_t at_least)
{
    os_lock(test_center_os(), g->lock);
    while (g->value < at_least) {
        os_cond_wait(test_center_os(), g->cond, g->lock, -1);
    }
    os_unlock(test_center_os(), g->lock);
}

/* ---- nothing is lost ---- */

struct counted_event {
    struct external_event ev;
    struct gauge *gauge;
};

static void count_event(void *arg)
{
    gauge_add(((struct counted_event *)arg)->gauge, 1);
}

/* Two centers run 10,000 external events each, with a wait for all of them now and then.
 * (Ceph: DispatchTest) */
START_TEST(two_centers_run_ten_thousand_each)
{
    static struct counted_event events[20000];
    static struct loop loops[2];
    struct gauge ran;

    gauge_init(&ran);
    loop_start(&loops[0], 0, _i);
    loop_start(&loops[1], 1, _i);
    for (uint64_t i = 0; i < ARRAY_SIZE(events); i++) {
        external_event_init(&events[i].ev, "count", count_event, &events[i]);
        events[i].gauge = &ran;
        ck_assert(event_center_post(&loops[i % 2].center, &events[i].ev));
        if (i % 700 == 0) {
            gauge_wait(&ran, i + 1);
        }
    }
    gauge_wait(&ran, ARRAY_SIZE(events));
    for (int k = 0; k < 2; k++) {
        const struct event_center_stats *stats = &loops[k].center.stats;

        loop_stop(&loops[k]);
        ck_assert_uint_eq(stats->posts, 10000);
        ck_assert_uint_eq(stats->external_events, 10000);
        ck_assert_uint_eq(stats->merges, 0);
        ck_assert_uint_le(stats->wakeups, 10001);
        ck_assert_uint_eq(stats->waits_empty, 0);
        event_center_fini(&loops[k].center);
    }
    gauge_fini(&ran);
}
END_TEST

struct hammer {
    struct external_event ev;
    struct event_center *center;
    struct gauge seen;
    _Atomic uint64_t wanted;
    bool patient; /* waits for each round */
    uint64_t calls;
};

static void hammer_hit(void *arg)
{
    struct hammer *h = arg;

    h->calls++;
    gauge_set(&h->seen, atomic_load(&h->wanted));
}

static void hammer_run(void *arg)
{
    struct hammer *h = arg;

    for (uint64_t i = 1; i <= 10000; i++) {
        atomic_store(&h->wanted, i);
        event_center_post(h->center, &h->ev);
        if (h->patient) {
            gauge_wait(&h->seen, i);
        }
    }
    gauge_wait(&h->seen, 10000);
}

/* No wake-up is lost (D1): two threads post the same event again and again, one waiting for
 * each to run, one as fast as it can; each sees its last post run, and no wait of the owner
 * ended with nothing. Posts are queued or merged, and what was queued ran. */
START_TEST(no_wakeup_is_lost)
{
    static struct hammer hammers[2];
    struct os_thread *threads[2];
    static struct loop loop;

    loop_start(&loop, 0, _i);
    for (int k = 0; k < 2; k++) {
        struct hammer *h = &hammers[k];

        h->center = &loop.center;
        h->patient = k == 0;
        gauge_init(&h->seen);
        external_event_init(&h->ev, "hammer", hammer_hit, h);
        ck_assert_int_eq(
            os_thread_start(test_center_os(), "hammer", hammer_run, h, &threads[k]), 0);
    }
    for (int k = 0; k < 2; k++) {
        os_thread_join(threads[k]);
    }
    loop_stop(&loop);
    ck_assert_uint_eq(hammers[0].calls, 10000);
    ck_assert_uint_eq(loop.center.stats.waits_empty, 0);
    ck_assert_uint_eq(loop.center.stats.posts + loop.center.stats.merges, 20000);
    ck_assert_uint_eq(loop.center.stats.external_events, loop.center.stats.posts);
    ck_assert_uint_eq(hammers[0].calls + hammers[1].calls, loop.center.stats.posts);
    event_center_fini(&loop.center);
    gauge_fini(&hammers[0].seen);
    gauge_fini(&hammers[1].seen);
}
END_TEST

/* ---- the economy of wake-ups ---- */

struct posting {
    struct teller *tellers;
    int n;
    int queued;
};

static void post_all(void *arg)
{
    struct posting *p = arg;

    for (int i = 0; i < p->n; i++) {
        p->queued += teller_post(&p->tellers[i]);
    }
}

/* Posts the tellers from another thread; how many were queued. */
static int post_elsewhere(struct teller *tellers, int n)
{
    struct posting p = {.tellers = tellers, .n = n};
    struct os_thread *thread;

    ck_assert_int_eq(os_thread_start(test_center_os(), "poster", post_all, &p, &thread), 0);
    os_thread_join(thread);
    return p.queued;
}

static void expect_stats(uint64_t posts, uint64_t merges, uint64_t wakeups)
{
    ck_assert_uint_eq(test_center()->stats.posts, posts);
    ck_assert_uint_eq(test_center()->stats.merges, merges);
    ck_assert_uint_eq(test_center()->stats.wakeups, wakeups);
}

/* The pipe is written when the queue goes from empty to not empty and the caller is another
 * thread, and only then: a hundred posts, one write; merged posts and the owner's own,
 * none. */
START_TEST(pipe_is_written_from_empty_by_others)
{
    static struct teller tellers[100];

    test_center_open(_i);
    for (size_t i = 0; i < ARRAY_SIZE(tellers); i++) {
        teller_init(&tellers[i], 0);
    }
    ck_assert_int_eq(post_elsewhere(tellers, 100), 100);
    expect_stats(100, 0, 1);
    ck_assert_int_eq(post_elsewhere(tellers, 100), 0);
    expect_stats(100, 100, 1);
    /* One pass: the notify pipe's own callback, and the hundred. */
    ck_assert_int_eq(event_center_process(test_center(), -1), 101);
    ck_assert_uint_eq(test_center()->stats.external_events, 100);
    ck_assert_uint_eq(test_center()->stats.file_events, 1);
    ck_assert_int_eq(event_center_process(test_center(), 0), 0);

    ck_assert_int_eq(post_elsewhere(tellers, 1), 1);
    expect_stats(101, 100, 2);
    ck_assert_int_eq(event_center_process(test_center(), -1), 2);

    ck_assert(teller_post(&tellers[0]));
    ck_assert(!teller_post(&tellers[0]));
    expect_stats(102, 101, 2);
    ck_assert_int_eq(post_elsewhere(tellers + 1, 5), 5); /* not from empty: no write */
    expect_stats(107, 101, 2);
    ck_assert_int_eq(event_center_process(test_center(), -1), 6);
    ck_assert_uint_eq(test_center()->stats.waits_empty, 0);
    for (size_t i = 0; i < ARRAY_SIZE(tellers); i++) {
        ck_assert_int_eq(tellers[i].calls, i == 0 ? 3 : i <= 5 ? 2 : 1);
    }
}
END_TEST

static struct teller late;

static void post_late_elsewhere(struct teller *t)
{
    (void)t;
    ck_assert_int_eq(post_elsewhere(&late, 1), 1);
}

/* A post from another thread while a batch runs finds the queue empty: it wakes, and runs
 * in the next pass, though the pass before ended with work done. */
START_TEST(post_during_a_batch_wakes)
{
    struct teller first, second;

    test_center_open(_i);
    teller_init(&first, 'a');
    teller_init(&second, 'b');
    teller_init(&late, 'l');
    first.also = post_late_elsewhere;
    teller_post(&first);
    teller_post(&second);
    ck_assert_str_eq(test_pass(), "ab");
    expect_stats(3, 0, 1);
    ck_assert_int_ge(event_center_process(test_center(), -1), 1);
    ck_assert_int_eq(late.calls, 1);
}
END_TEST

static void wake_elsewhere(void *arg)
{
    (void)arg;
    event_center_wakeup(test_center());
}

/* A bare wake-up ends the present wait, and one that came before ends the next. */
START_TEST(wakeup_ends_a_wait)
{
    struct os_thread *thread;

    test_center_open(_i);
    ck_assert_int_eq(
        os_thread_start(test_center_os(), "waker", wake_elsewhere, NULL, &thread), 0);
    event_center_process(test_center(), -1); /* 30 s would end the test */
    os_thread_join(thread);
    event_center_wakeup(test_center());
    event_center_process(test_center(), -1);
    ck_assert_uint_eq(test_center()->stats.wakeups, 2);
    ck_assert_uint_eq(test_center()->stats.waits_empty, 0);
    ck_assert_int_eq(event_center_process(test_center(), 0), 0);
}
END_TEST

/* A full pipe is harmless (D13): 100,000 wake-ups nobody reads, then one pass drains them,
 * and the next post wakes again. */
START_TEST(full_pipe_is_harmless)
{
    struct teller t;

    test_center_open(_i);
    teller_init(&t, 't');
    for (int i = 0; i < 100000; i++) {
        event_center_wakeup(test_center());
    }
    ck_assert_int_eq(post_elsewhere(&t, 1), 1);
    ck_assert_str_eq(test_pass(), "t");
    ck_assert_str_eq(test_pass(), "");
    ck_assert_int_eq(event_center_process(test_center(), 0), 0);
    ck_assert_int_eq(post_elsewhere(&t, 1), 1);
    event_center_process(test_center(), -1);
    ck_assert_int_eq(t.calls, 2);
}
END_TEST

/* ---- submit ---- */

struct sum {
    struct loop *loop;
    uint64_t total; /* the owner thread's alone */
    _Atomic int elsewhere;
};

static void add_one(void *arg)
{
    struct sum *sum = arg;

    sum->total++;
    if (!event_center_in_thread(&sum->loop->center)) {
        atomic_fetch_add(&sum->elsewhere, 1);
    }
}

static void add_two(void *arg)
{
    struct sum *sum = arg;
    uint64_t before = sum->total;

    event_center_submit(&sum->loop->center, add_one, sum); /* the owner: at once */
    CHECK(sum->total == before + 1);
    add_one(sum);
}

static void submit_many(void *arg)
{
    struct sum *sum = arg;

    for (int i = 0; i < 300; i++) {
        event_center_submit(&sum->loop->center, i % 2 == 0 ? add_one : add_two, sum);
    }
}

/* submit runs the function on the owner's thread and comes back when it has run; on the
 * owner's thread it runs at once. Three threads, 300 calls each, no lock. */
START_TEST(submit_runs_on_the_owner)
{
    struct os_thread *threads[3];
    static struct loop loop;
    struct sum sum = {.loop = &loop};

    loop_start(&loop, 0, _i);
    for (int k = 0; k < 3; k++) {
        ck_assert_int_eq(
            os_thread_start(test_center_os(), "submit", submit_many, &sum, &threads[k]), 0);
    }
    for (int k = 0; k < 3; k++) {
        os_thread_join(threads[k]);
    }
    loop_stop(&loop);
    ck_assert_uint_eq(sum.total, 3 * (150 + 150 * 2));
    ck_assert_int_eq(sum.elsewhere, 0);
    ck_assert_uint_eq(loop.center.stats.external_events, 900);
    event_center_fini(&loop.center);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("event_center_threads");
    TCase *tc = tcase_create("external events");

    tcase_add_checked_fixture(tc, test_center_setup, test_center_teardown);
    tcase_add_loop_test(tc, two_centers_run_ten_thousand_each, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, no_wakeup_is_lost, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, pipe_is_written_from_empty_by_others, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, post_during_a_batch_wakes, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, wakeup_ends_a_wait, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, full_pipe_is_harmless, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, submit_runs_on_the_owner, 0, DRIVER_COUNT);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
