/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_dispatch_queue.c: ms_dispatch serves events first and messages in their order,
 * everything exactly once; discard, drain and stop mean what they say, and nothing leaks.
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "engine/queue/dispatch_queue.h"
#include "engine/message.h"
#include "engine/queue/throttle.h"
#include "engine/util.h"
#include "tests/lib/testlib.h"

/* The queue only carries connections: here they are counters of references. */
struct fake_conn {
    _Atomic int refs;
};

#define LOG_MAX 20000
#define EVENT_MARK 1000000u /* events are logged as EVENT_MARK + event */

static struct os *os;
static struct dispatch_queue *q;
static struct fake_conn conns[4];
static uint64_t served[LOG_MAX]; /* tids and events, in the order of service */
static uint32_t n_served;        /* written by ms_dispatch; read when it is idle or gone */
static _Atomic int messages_alive;

/* A gate in the message handler: it reports and waits at message `gate_tid`. */
static struct os_mutex *gate_lock;
static struct os_cond *gate_cond;
static uint64_t gate_tid; /* 0: no gate */
static bool gate_reached, gate_open;

/* The os of the test, which counts: signals, and waits of the threads called "helper". */
static const struct os_ops *real_ops;
static struct os_ops counting_ops;
static _Atomic int signals;
static int helpers_waiting; /* under gate_lock */

static void count_signal(struct os_cond *cond)
{
    atomic_fetch_add(&signals, 1);
    real_ops->cond_signal(cond);
}

static int count_wait(struct os_cond *cond, struct os_mutex *mutex, int64_t timeout_ns)
{
    if (strcmp(os_thread_self(os)->name, "helper") == 0) {
        os_lock(os, gate_lock);
        helpers_waiting++;
        os_cond_broadcast(os, gate_cond);
        os_unlock(os, gate_lock);
    }
    return real_ops->cond_wait(cond, mutex, timeout_ns);
}

static void drop_fake(struct connection *conn)
{
    atomic_fetch_sub(&((struct fake_conn *)(void *)conn)->refs, 1);
}

static struct connection *hold_fake(int i)
{
    atomic_fetch_add(&conns[i].refs, 1);
    return (struct connection *)(void *)&conns[i];
}

static void log_served(uint64_t what)
{
    ck_assert_uint_lt(n_served, LOG_MAX);
    served[n_served++] = what;
}

static void wait_at_gate(void)
{
    os_lock(os, gate_lock);
    gate_reached = true;
    os_cond_broadcast(os, gate_cond);
    while (!gate_open) {
        os_cond_wait(os, gate_cond, gate_lock, -1);
    }
    os_unlock(os, gate_lock);
}

static void on_message(void *arg, struct message *msg)
{
    ck_assert_ptr_eq(arg, conns);
    ck_assert_str_eq(os_thread_self(os)->name, "ms_dispatch");
    log_served(msg->header.tid);
    if (msg->header.tid == gate_tid) {
        wait_at_gate();
    }
    message_unref(msg);
}

static void on_event(void *arg, enum dispatch_event event, struct connection *conn)
{
    ck_assert_ptr_eq(arg, conns);
    log_served(EVENT_MARK + event);
    drop_fake(conn);
}

static void on_drop_event(void *arg, struct connection *conn)
{
    ck_assert_ptr_eq(arg, conns);
    drop_fake(conn);
}

static const struct dispatch_queue_ops ops = {
    .on_message = on_message,
    .on_event = on_event,
    .on_drop_event = on_drop_event,
};

static void setup(void)
{
    os = os_linux_new(1, "test");
    ck_assert_ptr_nonnull(os);
    real_ops = os->ops;
    counting_ops = *real_ops;
    counting_ops.cond_signal = count_signal;
    counting_ops.cond_wait = count_wait;
    os->ops = &counting_ops;
    gate_lock = os_mutex_new(os, "gate");
    gate_cond = os_cond_new(os, "gate");
    ck_assert(gate_lock != NULL && gate_cond != NULL);
    ck_assert_int_eq(dispatch_queue_new(os, &ops, conns, &q), 0);
}

/* Whatever the test did, no reference is left over. */
static void teardown(void)
{
    dispatch_queue_free(q);
    for (size_t i = 0; i < ARRAY_SIZE(conns); i++) {
        ck_assert_int_eq(atomic_load(&conns[i].refs), 0);
    }
    ck_assert_int_eq(atomic_load(&messages_alive), 0);
    os_cond_free(os, gate_cond);
    os_mutex_free(os, gate_lock);
    os_linux_free(os);
}

/* A connection's message says so when it dies. */
static void count_death(struct connection *conn)
{
    atomic_fetch_sub(&messages_alive, 1);
    drop_fake(conn);
}

static struct message *make_message(uint16_t priority, int conn, uint64_t tid)
{
    struct message *msg = testlib_message(priority, 10, tid);

    msg->conn = hold_fake(conn);
    msg->drop_conn = count_death;
    atomic_fetch_add(&messages_alive, 1);
    return msg;
}

static uint64_t push(uint16_t priority, int conn, uint64_t tid)
{
    return dispatch_queue_push(q, make_message(priority, conn, tid), (uint64_t)conn);
}

static void push_event(enum dispatch_event event, int conn)
{
    ck_assert_int_eq(dispatch_queue_push_event(q, event, hold_fake(conn)), 0);
}

static void start(void)
{
    ck_assert_int_eq(dispatch_queue_start(q), 0);
}

/* Serves all that is queued. */
static void run_all(void)
{
    start();
    dispatch_queue_stop(q);
    ck_assert_uint_eq(dispatch_queue_depth(q), 0);
}

static void start_and_wait_for_gate(void)
{
    start();
    os_lock(os, gate_lock);
    while (!gate_reached) {
        os_cond_wait(os, gate_cond, gate_lock, -1);
    }
    os_unlock(os, gate_lock);
}

static void open_gate(void)
{
    os_lock(os, gate_lock);
    gate_open = true;
    os_cond_broadcast(os, gate_cond);
    os_unlock(os, gate_lock);
}

static void expect_served(const uint64_t *what, uint32_t n)
{
    ck_assert_uint_eq(n_served, n);
    for (uint32_t i = 0; i < n; i++) {
        ck_assert_uint_eq(served[i], what[i]);
    }
}

/* Starts a thread that makes a call which blocks, but does not wait until it does. */
static struct os_thread *start_helper(os_thread_fn fn)
{
    struct os_thread *thread;

    ck_assert_int_eq(os_thread_start(os, "helper", fn, NULL, &thread), 0);
    return thread;
}

/* Until so many helpers wait for the queue. */
static void await_helpers(int n)
{
    os_lock(os, gate_lock);
    while (helpers_waiting < n) {
        os_cond_wait(os, gate_cond, gate_lock, -1);
    }
    os_unlock(os, gate_lock);
}

/* ---- order ---- */

/* Priorities from PRIO_HIGH on are strict: the highest first, before all lower ones. */
START_TEST(high_priorities_are_strict)
{
    static const uint64_t order[] = {4, 3, 5, 2, 1};

    push(PRIO_DEFAULT, 0, 1);
    push(PRIO_HIGH, 0, 2);
    push(PRIO_HIGHEST, 0, 3);
    push(1000, 0, 4);
    push(PRIO_HIGHEST, 1, 5);
    run_all();
    expect_served(order, ARRAY_SIZE(order));
}
END_TEST

/* Lower ones are weighted: while both wait, the counts are as 127 to 64. */
START_TEST(low_priorities_get_their_share)
{
    uint32_t low = 0;

    for (uint64_t i = 0; i < 1000; i++) {
        push(PRIO_LOW, 0, 1);
        push(PRIO_DEFAULT, 0, 2);
    }
    run_all();
    ck_assert_uint_eq(n_served, 2000);
    for (uint32_t i = 0; i < 955; i++) {
        low += served[i] == 1;
    }
    ck_assert_uint_ge(low, 320 - 5);
    ck_assert_uint_le(low, 320 + 5);
}
END_TEST

/* Inside a priority connections take turns, each in its order. */
START_TEST(connections_take_turns)
{
    static const uint64_t order[] = {11, 21, 31, 12, 22, 13, 14};

    for (uint64_t i = 1; i <= 4; i++) {
        push(PRIO_DEFAULT, 1, 10 + i);
    }
    push(PRIO_DEFAULT, 2, 21);
    push(PRIO_DEFAULT, 2, 22);
    push(PRIO_DEFAULT, 3, 31);
    run_all();
    expect_served(order, ARRAY_SIZE(order));
}
END_TEST

/* Events go before all messages, in their own order, and discard leaves them alone. */
START_TEST(events_go_first_and_are_never_discarded)
{
    static const uint64_t order[] = {EVENT_MARK + DISPATCH_CONNECT,
                                     EVENT_MARK + DISPATCH_RESET, 2};

    push(65535, 0, 1);
    push_event(DISPATCH_CONNECT, 0);
    push(65535, 1, 2);
    push_event(DISPATCH_RESET, 0);
    ck_assert_uint_eq(dispatch_queue_discard(q, 0), 1);
    run_all();
    expect_served(order, ARRAY_SIZE(order));
}
END_TEST

/* Push tells the depth; the item that is being handled counts. */
START_TEST(depth_counts_what_waits_and_what_runs)
{
    ck_assert_uint_eq(dispatch_queue_depth(q), 0);
    ck_assert_uint_eq(push(1, 0, 1), 1);
    ck_assert_uint_eq(push(1, 0, 2), 2);
    push_event(DISPATCH_ACCEPT, 0);
    ck_assert_uint_eq(dispatch_queue_depth(q), 3);
    ck_assert_uint_eq(push(1, 0, 3), 4);
    gate_tid = 2;
    start_and_wait_for_gate();
    ck_assert_uint_eq(dispatch_queue_depth(q), 2); /* 2 runs, 3 waits */
    open_gate();
    dispatch_queue_drain(q);
    ck_assert_uint_eq(dispatch_queue_depth(q), 0);
    dispatch_queue_stop(q);
}
END_TEST

/* ---- discard ---- */

/* Discard drops the queued messages of that connection, whatever their priority, and gives
 * their dispatch budget back even if someone else keeps the message. */
START_TEST(discard_drops_and_gives_the_budget_back)
{
    struct throttle budget;
    struct message *kept = make_message(PRIO_HIGH, 1, 50);

    ck_assert_int_eq(throttle_init(&budget, os, "test", 0), 0);
    throttle_take(&budget, 100);
    kept->held.dispatch = &budget;
    kept->held.dispatch_n = 100;
    dispatch_queue_push(q, message_ref(kept), 1);
    push(PRIO_LOW, 1, 51);
    push(PRIO_LOW, 2, 52);
    push(PRIO_DEFAULT, 1, 53);
    ck_assert_uint_eq(dispatch_queue_discard(q, 1), 3);
    ck_assert_uint_eq(dispatch_queue_discard(q, 1), 0);
    ck_assert_uint_eq(throttle_held(&budget), 0);
    ck_assert_uint_eq(dispatch_queue_depth(q), 1);
    message_unref(kept);
    run_all();
    expect_served((const uint64_t[]){52}, 1);
    throttle_fini(&budget);
}
END_TEST

/* The message that is being handled is past discarding. */
START_TEST(discard_leaves_the_running_message)
{
    gate_tid = 1;
    push(1, 0, 1);
    push(1, 0, 2);
    start_and_wait_for_gate();
    ck_assert_uint_eq(dispatch_queue_discard(q, 0), 1);
    open_gate();
    dispatch_queue_stop(q);
    expect_served((const uint64_t[]){1}, 1);
}
END_TEST

/* ---- drain ---- */

static _Atomic bool chain_goes_on;

static void push_successor(void *arg, struct message *msg)
{
    message_unref(msg);
    if (atomic_load(&chain_goes_on)) {
        push(PRIO_HIGHEST, 0, 1);
    }
}

/* Drain waits for what is queued, and not for what keeps coming meanwhile. */
START_TEST(drain_ignores_later_pushes)
{
    struct dispatch_queue_ops chain = ops;

    dispatch_queue_free(q);
    chain.on_message = push_successor;
    ck_assert_int_eq(dispatch_queue_new(os, &chain, conns, &q), 0);
    dispatch_queue_drain(q); /* nothing queued: at once, also before the start */
    atomic_store(&chain_goes_on, true);
    push(PRIO_HIGHEST, 0, 1);
    push(PRIO_HIGHEST, 1, 2);
    start();
    dispatch_queue_drain(q);
    dispatch_queue_drain(q);
    ck_assert_uint_ge(dispatch_queue_depth(q), 1); /* the chains never end */
    atomic_store(&chain_goes_on, false);
    dispatch_queue_stop(q);
    dispatch_queue_drain(q);
}
END_TEST

static void drain_and_report(void *arg)
{
    dispatch_queue_drain(q);
    ck_assert_uint_eq(n_served, 2);
}

/* Several threads may drain; discarded messages are not waited for. */
START_TEST(drains_end_when_the_rest_is_discarded)
{
    struct os_thread *threads[2];

    gate_tid = 1;
    push(1, 0, 1);
    push(1, 1, 2);
    for (uint64_t tid = 3; tid < 20; tid++) {
        push(1, 2, tid);
    }
    start_and_wait_for_gate();
    threads[0] = start_helper(drain_and_report);
    threads[1] = start_helper(drain_and_report);
    await_helpers(2);
    ck_assert_uint_eq(dispatch_queue_discard(q, 2), 17);
    open_gate();
    os_thread_join(threads[0]);
    os_thread_join(threads[1]);
    dispatch_queue_stop(q);
    expect_served((const uint64_t[]){1, 2}, 2);
}
END_TEST

/* ---- stop ---- */

/* Stop serves what is queued; later pushes are dropped without a leak; twice is fine. */
START_TEST(stop_serves_the_queued_and_drops_the_rest)
{
    gate_tid = 1;
    push(1, 0, 1);
    start_and_wait_for_gate();
    for (uint64_t tid = 2; tid <= 100; tid++) {
        push(1, 0, tid);
    }
    push_event(DISPATCH_REFUSED, 3);
    open_gate();
    dispatch_queue_stop(q);
    ck_assert_uint_eq(n_served, 101);
    ck_assert_uint_eq(served[1], EVENT_MARK + DISPATCH_REFUSED);
    ck_assert_uint_eq(push(1, 0, 101), 0);
    push_event(DISPATCH_RESET, 2);
    ck_assert_uint_eq(dispatch_queue_discard(q, 0), 0);
    ck_assert_uint_eq(n_served, 101);
    dispatch_queue_stop(q);
}
END_TEST

/* What a handler pushes while the queue stops is dropped as well. */
START_TEST(pushes_of_handlers_end_with_the_stop)
{
    struct dispatch_queue_ops chain = ops;

    dispatch_queue_free(q);
    chain.on_message = push_successor;
    ck_assert_int_eq(dispatch_queue_new(os, &chain, conns, &q), 0);
    atomic_store(&chain_goes_on, true);
    push(1, 0, 1);
    start();
    dispatch_queue_stop(q); /* comes back although the chain never ends */
    ck_assert_uint_eq(dispatch_queue_depth(q), 0);
}
END_TEST

/* A queue that was never started drops what it holds. */
START_TEST(never_started_queues_drop_what_they_hold)
{
    push(1, 0, 1);
    push(300, 1, 2);
    push_event(DISPATCH_ACCEPT, 2);
    if (_i == 0) {
        dispatch_queue_stop(q);
        ck_assert_uint_eq(dispatch_queue_depth(q), 0);
    }
    dispatch_queue_free(q);
    dispatch_queue_free(NULL);
    ck_assert_uint_eq(n_served, 0);
    q = NULL;
}
END_TEST

static void stop_it(void *arg)
{
    dispatch_queue_stop(q);
    ck_assert_uint_eq(n_served, 200);
}

/* When two threads stop it, both come back only after the last handler. */
START_TEST(two_threads_may_stop_it)
{
    struct os_thread *threads[2];

    gate_tid = 1;
    for (uint64_t tid = 1; tid <= 200; tid++) {
        push(1, 0, tid);
    }
    start_and_wait_for_gate();
    threads[0] = start_helper(stop_it);
    threads[1] = start_helper(stop_it);
    await_helpers(1); /* one joins ms_dispatch, the other waits for the first */
    open_gate();
    os_thread_join(threads[0]);
    os_thread_join(threads[1]);
}
END_TEST

/* ---- waking ---- */

/* Pushing wakes ms_dispatch only if it is idle: a busy one is left alone. */
START_TEST(a_busy_thread_is_not_signalled)
{
    gate_tid = 1;
    push(1, 0, 1);
    start_and_wait_for_gate();
    atomic_store(&signals, 0);
    for (uint64_t tid = 2; tid < 50; tid++) {
        push(1, 0, tid);
    }
    push_event(DISPATCH_RESET, 0);
    ck_assert_int_eq(atomic_load(&signals), 0);
    open_gate();
    dispatch_queue_stop(q);
    ck_assert_uint_eq(n_served, 50);
    ck_assert_int_le(atomic_load(&signals), 1); /* the stop may find it idle */
}
END_TEST

/* ---- all together ---- */

#define PUSHERS 3
#define PUSHES 3000

static _Atomic uint64_t discarded;

/* Connection i is the pusher's own; tids count up in each of its two priorities. */
static void push_many(void *arg)
{
    int conn = (int)((struct fake_conn *)arg - conns);
    struct test_random random = {.state = (uint64_t)conn};

    for (uint64_t i = 1; i <= PUSHES; i++) {
        uint16_t priority = testlib_random_below(&random, 2) ? PRIO_LOW : PRIO_HIGH;

        push(priority, conn,
             (uint64_t)conn << 32 | (uint64_t)(priority == PRIO_HIGH) << 24 | i);
        if (testlib_random_below(&random, 500) == 0) {
            atomic_fetch_add(&discarded, dispatch_queue_discard(q, (uint64_t)conn));
        }
        if (testlib_random_below(&random, 1000) == 0) {
            dispatch_queue_drain(q);
        }
    }
}

/* With many threads, each message is served once or discarded once, and each connection's
 * keep their order in each priority. */
START_TEST(threads_lose_nothing)
{
    struct os_thread *threads[PUSHERS];
    uint64_t last[PUSHERS][2] = {{0}};

    start();
    for (int i = 0; i < PUSHERS; i++) {
        ck_assert_int_eq(os_thread_start(os, "pusher", push_many, &conns[i], &threads[i]),
                         0);
    }
    for (int i = 0; i < PUSHERS; i++) {
        os_thread_join(threads[i]);
    }
    dispatch_queue_stop(q);
    ck_assert_uint_eq(n_served + atomic_load(&discarded), PUSHERS * PUSHES);
    for (uint32_t i = 0; i < n_served; i++) {
        uint64_t *before = &last[served[i] >> 32][served[i] >> 24 & 1];

        ck_assert_uint_lt(*before, served[i]);
        *before = served[i];
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dispatch_queue");
    TCase *tc = tcase_create("dispatch_queue");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, high_priorities_are_strict);
    tcase_add_test(tc, low_priorities_get_their_share);
    tcase_add_test(tc, connections_take_turns);
    tcase_add_test(tc, events_go_first_and_are_never_discarded);
    tcase_add_test(tc, depth_counts_what_waits_and_what_runs);
    tcase_add_test(tc, discard_drops_and_gives_the_budget_back);
    tcase_add_test(tc, discard_leaves_the_running_message);
    tcase_add_test(tc, drain_ignores_later_pushes);
    tcase_add_test(tc, drains_end_when_the_rest_is_discarded);
    tcase_add_test(tc, stop_serves_the_queued_and_drops_the_rest);
    tcase_add_test(tc, pushes_of_handlers_end_with_the_stop);
    tcase_add_loop_test(tc, never_started_queues_drop_what_they_hold, 0, 2);
    tcase_add_test(tc, two_threads_may_stop_it);
    tcase_add_test(tc, a_busy_thread_is_not_signalled);
    tcase_add_test(tc, threads_lose_nothing);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
