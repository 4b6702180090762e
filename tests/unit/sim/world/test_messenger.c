/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_messenger.c: the engine inside the virtual world: two nodes that talk both ways
 * over the TCP stack, whatever the schedule, and the same way for the same seed.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/messenger.h"
#include "engine/trace.h"
#include "engine/util.h"
#include "sim/decide/trace_hash.h"
#include "sim/world/world.h"
#include "stacks/tcp/tcp_stack.h"
#include "tests/lib/testlib.h"

#define MESSAGES 100
#ifdef __SANITIZE_THREAD__ /* thirty times slower, and one thread has no races */
#define SEEDS 15
#else
#define SEEDS 200
#endif

struct node {
    struct os *os;
    struct network_stack *stack;
    struct messenger *m;
    struct os_mutex *lock;
    struct os_cond *cond;
    uint64_t received; /* under lock */
    bool in_order;
    struct connection *back; /* to whoever dialled */
};

struct talk {
    struct sim_world *world;
    enum event_driver_kind driver;
    int messages;
    bool talk_back;
    struct node a, b;
};

struct run {
    enum sim_verdict verdict;
    uint64_t a_received, b_received;
    bool in_order;
    struct trace_hash hash;
    struct sim_world_stats stats;
    uint64_t virtual_ns;
    int open_fds;
};

/* ---- two nodes that talk ---- */

static bool on_message(void *arg, struct message *msg)
{
    struct node *n = arg;

    os_lock(n->os, n->lock);
    n->received++;
    n->in_order = n->in_order && msg->header.tid == n->received;
    for (size_t i = 0; i < msg->front.len; i++) {
        n->in_order = n->in_order && msg->front.data[i] == testlib_pattern(n->received, i);
    }
    os_cond_broadcast(n->os, n->cond);
    os_unlock(n->os, n->lock);
    message_unref(msg);
    return true;
}

static void on_accept(void *arg, struct connection *conn)
{
    struct node *n = arg;

    os_lock(n->os, n->lock);
    conn_unref(n->back);
    n->back = conn_ref(conn);
    os_cond_broadcast(n->os, n->cond);
    os_unlock(n->os, n->lock);
}

static void node_start(struct node *n, const struct talk *t, bool serves)
{
    const struct messenger_opts opts = {.os = n->os,
                                        .stack = n->stack,
                                        .entity_type = ENTITY_OSD,
                                        .entity_num = n->os->node,
                                        .driver = t->driver,
                                        .workers = 2};
    const struct dispatcher dispatcher = {
        .arg = n, .dispatch = on_message, .on_accept = on_accept};
    struct entity_addrvec addrs;
    const char *why;

    CHECK(messenger_new(&opts, &n->m) == 0);
    messenger_set_policy(n->m, 0,
                         policy_find(serves ? "stateless_server" : "lossy_client"));
    messenger_add_dispatcher(n->m, &dispatcher);
    if (serves) {
        CHECK(entity_addrvec_parse("127.0.0.1:0", ADDR_MSGR2, 0, &addrs, &why) == 0);
        CHECK(messenger_bind(n->m, &addrs) == 0);
    }
    CHECK(messenger_start(n->m) == 0);
}

static void send_all(struct node *n, struct connection *conn, int messages)
{
    for (int i = 1; i <= messages; i++) {
        struct message *msg =
            testlib_message(127, (size_t)(i % 7 == 0 ? 20000 : i * 13), (uint64_t)i);

        while (messenger_send(conn, msg) == -EAGAIN) {
            os_sleep_ns(n->os, NSEC_PER_MSEC);
        }
    }
}

static void wait_received(struct node *n, uint64_t messages)
{
    os_lock(n->os, n->lock);
    while (n->received < messages) {
        os_cond_wait(n->os, n->cond, n->lock, -1);
    }
    os_unlock(n->os, n->lock);
}

static void node_init(struct node *n, struct os *os)
{
    *n = (struct node){.os = os, .in_order = true};
    n->lock = os_mutex_new(os, "node");
    n->cond = os_cond_new(os, "node");
    CHECK(tcp_stack_new(os, &n->stack) == 0);
}

static void node_fini(struct node *n)
{
    messenger_shutdown(n->m);
    conn_unref(n->back);
    messenger_free(n->m);
    n->stack->ops->free(n->stack);
    os_cond_free(n->os, n->cond);
    os_mutex_free(n->os, n->lock);
}

static void story(void *arg)
{
    struct talk *t = arg;
    struct node *a = &t->a, *b = &t->b;
    struct entity_addrvec addrs;
    struct connection *conn;

    node_init(a, a->os);
    node_init(b, b->os);
    node_start(b, t, true);
    node_start(a, t, false);
    messenger_addrs(b->m, &addrs);
    CHECK(messenger_connect_to(a->m, ENTITY_OSD, &addrs, &conn) == 0);
    send_all(a, conn, t->messages);
    os_lock(b->os, b->lock);
    while (b->back == NULL) {
        os_cond_wait(b->os, b->cond, b->lock, -1);
    }
    os_unlock(b->os, b->lock);
    if (t->talk_back) {
        send_all(b, b->back, t->messages);
        wait_received(a, (uint64_t)t->messages);
    }
    wait_received(b, (uint64_t)t->messages);
    conn_unref(conn);
    node_fini(a);
    node_fini(b);
}

/* One whole run; trace == NULL: nothing is recorded. */
static struct run run_talk(const struct sim_world_opts *opts, enum event_driver_kind driver,
                           const char *trace_path)
{
    const struct trace_opts trace_opts = {.mode = TRACE_STREAM, .bytes_max = 256u << 20};
    struct sim_world *world = sim_world_new(opts);
    struct talk t = {
        .world = world, .driver = driver, .messages = MESSAGES, .talk_back = true};
    struct trace *trace = NULL;
    const char *why = "";
    struct run run = {0};

    t.a.os = sim_world_node(world, 1, "a");
    t.b.os = sim_world_node(world, 2, "b");
    if (trace_path != NULL) {
        ck_assert_msg(trace_open(trace_path, &trace_opts, &trace, &why) == 0, "%s", why);
        t.a.os->trace = t.b.os->trace = trace;
    }
    run.virtual_ns = sim_world_now(world);
    run.verdict = sim_world_run(world, story, &t);
    if (run.verdict != SIM_OK) {
        fprintf(stderr, "seed %" PRIu64 ": %s", opts->seed, sim_world_report(world));
    }
    run.a_received = t.a.received;
    run.b_received = t.b.received;
    run.in_order = t.a.in_order && t.b.in_order;
    run.virtual_ns = sim_world_now(world) - run.virtual_ns;
    run.open_fds = sim_node_open_fds(t.a.os) + sim_node_open_fds(t.b.os);
    sim_world_stats(world, &run.stats);
    if (trace != NULL) {
        ck_assert_int_eq(trace_close(trace), 0);
        ck_assert_int_eq(trace_hash_file(trace_path, &run.hash, &why), 0);
    }
    sim_world_free(world);
    return run;
}

static void assert_delivered(const struct run *run)
{
    ck_assert_int_eq(run->verdict, SIM_OK);
    ck_assert_uint_eq(run->a_received, MESSAGES);
    ck_assert_uint_eq(run->b_received, MESSAGES);
    ck_assert(run->in_order);
    ck_assert_int_eq(run->open_fds, 0);
}

static struct sim_world_opts rough_weather(uint64_t seed)
{
    return (struct sim_world_opts){
        .seed = seed,
        .strategy = SIM_RANDOM,
        .short_io_rate = 200,
        .call_ns = 50,
        .link = {.latency_ns = 50 * NSEC_PER_USEC, .jitter_ns = 200 * NSEC_PER_USEC}};
}

/* ---- the tests ---- */

/* Every driver delivers 100 messages each way, in order, with the default schedule. */
START_TEST(delivers_with_every_driver)
{
    const struct sim_world_opts opts = {.seed = 7, .link = {.latency_ns = 50000}};
    struct run run = run_talk(&opts, (enum event_driver_kind)_i, NULL);

    assert_delivered(&run);
}
END_TEST

/* So do many random schedules with short reads and writes and jitter. */
START_TEST(delivers_in_rough_weather)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sim_world_opts opts = rough_weather(seed);
        struct run run = run_talk(&opts, (enum event_driver_kind)_i, NULL);

        assert_delivered(&run);
    }
}
END_TEST

/* And PCT schedules. */
START_TEST(delivers_under_pct)
{
    for (uint64_t seed = 1; seed <= SEEDS / 4; seed++) {
        struct sim_world_opts opts = rough_weather(seed);
        struct run run;

        opts.strategy = SIM_PCT;
        run = run_talk(&opts, (enum event_driver_kind)_i, NULL);
        assert_delivered(&run);
    }
}
END_TEST

/* The same seed records the same trace, bit for bit; another seed another one. */
START_TEST(same_seed_same_trace)
{
    char path[] = "/tmp/msgrlab-sim-XXXXXX";
    struct run first, again, other;
    struct sim_world_opts opts = rough_weather(1);

    close(mkstemp(path));
    first = run_talk(&opts, (enum event_driver_kind)_i, path);
    again = run_talk(&opts, (enum event_driver_kind)_i, path);
    opts.seed = 2;
    other = run_talk(&opts, (enum event_driver_kind)_i, path);
    unlink(path);
    assert_delivered(&first);
    printf("trace hash %016" PRIx64 "%016" PRIx64 ", %" PRIu64 " records\n",
           first.hash.high, first.hash.low, first.hash.records);
    ck_assert_uint_gt(first.hash.records, 1000);
    ck_assert_uint_eq(first.hash.high, again.hash.high);
    ck_assert_uint_eq(first.hash.low, again.hash.low);
    ck_assert_uint_eq(first.stats.schedule, again.stats.schedule);
    ck_assert_uint_eq(first.virtual_ns, again.virtual_ns);
    ck_assert_uint_ne(first.hash.high, other.hash.high);
    ck_assert_uint_ne(first.stats.schedule, other.stats.schedule);
}
END_TEST

/* How fast the world turns; printed, not judged. */
START_TEST(speed)
{
    struct timespec begin, end;
    struct sim_world_stats sum = {0};
    uint64_t virtual_ns = 0;
    double seconds;
    int seeds = SEEDS / 4;

    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int seed = 1; seed <= seeds; seed++) {
        struct sim_world_opts opts = rough_weather((uint64_t)seed);
        struct run run;

        if (_i == 0) {
            opts.strategy = SIM_FIFO;
            opts.short_io_rate = 0;
        }
        run = run_talk(&opts, DRIVER_EPOLL, NULL);
        sum.points += run.stats.points;
        sum.switches += run.stats.switches;
        sum.timers += run.stats.timers;
        virtual_ns += run.virtual_ns;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    seconds =
        (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    printf(
        "%s: %.0f seeds/s, %.2f M events/s (%.2f M points, %.2f M switches, %.2f M timers "
        "per s); %.1f times real time\n",
        _i == 0 ? "fifo" : "random", seeds / seconds,
        (double)(sum.points + sum.switches + sum.timers) / seconds / 1e6,
        (double)sum.points / seconds / 1e6, (double)sum.switches / seconds / 1e6,
        (double)sum.timers / seconds / 1e6, (double)virtual_ns / 1e9 / seconds);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim messenger");
    TCase *tc = tcase_create("two nodes");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, delivers_with_every_driver, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, same_seed_same_trace, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, delivers_in_rough_weather, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, delivers_under_pct, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, speed, 0, 2);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
