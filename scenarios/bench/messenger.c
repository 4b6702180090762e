/* SPDX-License-Identifier: Apache-2.0 */
/*
 * messenger.c: two messengers of this process, over TCP or over RDMA, from S1 of one
 * to the dispatcher of the other, and back.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/messenger.h"
#include "engine/util.h"
#include "scenarios/bench/bench.h"
#include "stacks/tcp/tcp_stack.h"

struct side {
    struct bench *bench; /* borrowed */
    struct os *os;       /* owned */
    struct network_stack *stack;
    struct messenger *messenger;
};

struct bench {
    const struct bench_opts *opts;
    struct side a, b;
    struct connection *conn;
    /* Of one measurement; written while nothing is under way. */
    bool echo; /* b answers, and a asks again */
    struct os_mutex *lock;
    struct os_cond *finished;
    bool done;     /* under lock */
    int rc;        /* under lock */
    uint64_t left; /* a's dispatch thread, or b's */
    /* Both ways: of the round trip under way, and of the shortest. a's dispatch thread, and
     * before the first answer the main thread. */
    uint64_t asked_ns, least_ns;
    _Atomic uint64_t ended_ns;
};

static void finish(struct bench *bench, int rc)
{
    bench->ended_ns = os_monotonic_ns(bench->a.os);
    os_lock(bench->a.os, bench->lock);
    bench->done = true;
    bench->rc = rc;
    os_cond_broadcast(bench->a.os, bench->finished);
    os_unlock(bench->a.os, bench->lock);
}

/* One message of opts->bytes; -EAGAIN is waited out. */
static int send_one(struct bench *bench, struct connection *conn)
{
    struct message *msg = message_new(MSG_PING);
    int rc = msg == NULL ? -ENOMEM : buffer_alloc(&msg->front, bench->opts->bytes);

    if (rc == 0) {
        memset(msg->front.data, 0x5a, msg->front.len);
        while ((rc = messenger_send(conn, msg)) == -EAGAIN) {
            os_sleep_ns(bench->a.os, 100 * NSEC_PER_USEC);
        }
    }
    if (rc < 0) {
        message_unref(msg);
    }
    return rc;
}

/* a got its answer. */
static void note_round_trip(struct bench *bench)
{
    uint64_t now = os_monotonic_ns(bench->a.os);

    bench->least_ns = MIN(bench->least_ns, now - bench->asked_ns);
    bench->asked_ns = now;
}

/* b got one: answer, or count. a got an answer: ask again until it is enough. */
static void receive(struct side *side, struct message *msg)
{
    struct bench *bench = side->bench;
    int rc = 0;

    if (bench->echo && side == &bench->a) {
        note_round_trip(bench);
    }
    if (bench->echo && side == &bench->b) {
        rc = send_one(bench, msg->conn);
    } else if (--bench->left == 0) {
        finish(bench, 0);
    } else if (bench->echo) {
        rc = send_one(bench, msg->conn);
    }
    if (rc < 0) {
        finish(bench, rc);
    }
    message_unref(msg);
}

static bool can_fast_dispatch(void *arg, const struct message *msg)
{
    struct side *side = arg;

    (void)msg;
    return side->bench->opts->fast_dispatch;
}

static void fast_dispatch(void *arg, struct message *msg)
{
    receive(arg, msg);
}

static bool dispatch(void *arg, struct message *msg)
{
    receive(arg, msg);
    return true;
}

/* ---- setting up -------------------------------------------------------------------- */

static void explain(const struct bench *bench, const char *text)
{
    if (bench->opts->why != NULL) {
        snprintf(bench->opts->why, BENCH_WHY_BYTES, "%s", text);
    }
}

static int stack_new(struct bench *bench, struct side *side)
{
    char why[BENCH_WHY_BYTES] = "";
    struct verbs *verbs;
    int rc;

    if (bench->opts->rdma == NULL) {
        return tcp_stack_new(side->os, &side->stack);
    }
    rc = verbs_rdmacore_new(side->os, &verbs);
    if (rc == 0) {
        rc = rdma_stack_new(side->os, verbs, bench->opts->rdma, &side->stack, why,
                            sizeof(why));
    }
    if (rc < 0) {
        explain(bench, why);
    }
    return rc;
}

static int side_start(struct bench *bench, struct side *side, uint8_t number,
                      const char *name, const char *policy)
{
    struct dispatcher dispatcher = {.arg = side,
                                    .can_fast_dispatch = can_fast_dispatch,
                                    .fast_dispatch = fast_dispatch,
                                    .dispatch = dispatch};
    struct messenger_opts opts = {.entity_type = ENTITY_OSD,
                                  .entity_id = name,
                                  .entity_num = number,
                                  .driver = bench->opts->driver,
                                  .workers = 1,
                                  .socket.nodelay = true};
    struct entity_addrvec addrs;
    const char *why;
    int rc;

    side->bench = bench;
    side->os = os_linux_new(number, name);
    if (side->os == NULL) {
        return -ENOMEM;
    }
    rc = stack_new(bench, side);
    opts.os = side->os;
    opts.stack = side->stack;
    rc = rc < 0 ? rc : messenger_new(&opts, &side->messenger);
    if (rc < 0) {
        return rc;
    }
    messenger_set_policy(side->messenger, 0, policy_find(policy));
    messenger_add_dispatcher(side->messenger, &dispatcher);
    rc = entity_addrvec_parse("127.0.0.1:0", ADDR_MSGR2, 0, &addrs, &why);
    CHECK(rc == 0);
    rc = messenger_bind(side->messenger, &addrs);
    return rc < 0 ? rc : messenger_start(side->messenger);
}

static void side_stop(struct side *side)
{
    if (side->messenger != NULL) {
        messenger_shutdown(side->messenger);
    }
}

static void side_free(struct bench *bench, struct side *side)
{
    messenger_free(side->messenger);
    if (bench->opts->rdma != NULL && side->stack != NULL) {
        rdma_stack_stop(side->stack);
    }
    network_stack_free(side->stack);
    os_linux_free(side->os);
}

static int bench_connect(struct bench *bench)
{
    struct entity_addrvec addrs;
    uint64_t until;
    int rc;

    messenger_addrs(bench->b.messenger, &addrs);
    rc = messenger_connect_to(bench->a.messenger, ENTITY_OSD, &addrs, &bench->conn);
    if (rc < 0) {
        return rc;
    }
    until = os_monotonic_ns(bench->a.os) + BENCH_LIMIT_NS;
    while (!conn_is_connected(bench->conn)) {
        if (os_monotonic_ns(bench->a.os) >= until) {
            return -ETIMEDOUT;
        }
        os_sleep_ns(bench->a.os, NSEC_PER_MSEC);
    }
    return 0;
}

/* ---- measuring --------------------------------------------------------------------- */

static int wait_finished(struct bench *bench)
{
    struct os *os = bench->a.os;
    uint64_t until = os_monotonic_ns(os) + BENCH_LIMIT_NS;
    int rc = 0;

    os_lock(os, bench->lock);
    while (!bench->done && rc == 0) {
        uint64_t now = os_monotonic_ns(os);

        if (now >= until) {
            rc = -ETIMEDOUT;
        } else {
            os_cond_wait(os, bench->finished, bench->lock, (int64_t)(until - now));
        }
    }
    rc = rc < 0 ? rc : bench->rc;
    os_unlock(os, bench->lock);
    return rc;
}

/* So many messages, or round trips if `echo`. */
static int measure(struct bench *bench, bool echo, uint64_t count, double *ret_ns)
{
    uint64_t n = echo ? 1 : count, began;
    int rc = 0;

    os_lock(bench->a.os, bench->lock);
    bench->done = false;
    os_unlock(bench->a.os, bench->lock);
    bench->echo = echo;
    bench->left = count;
    bench->least_ns = UINT64_MAX;
    began = bench->asked_ns = os_monotonic_ns(bench->a.os);
    for (uint64_t i = 0; i < n && rc == 0; i++) {
        rc = send_one(bench, bench->conn);
    }
    rc = rc < 0 ? rc : wait_finished(bench);
    *ret_ns = (double)(bench->ended_ns - began);
    return rc;
}

struct result {
    double round_trip_ns, least_ns; /* the mean, the shortest */
    double rate;                    /* messages a second */
};

static int measure_both(struct bench *bench, uint64_t round_trips, uint64_t messages,
                        struct result *ret)
{
    double ns;
    int rc = 0;

    if (round_trips > 0) {
        rc = measure(bench, true, round_trips, &ns);
        if (rc == 0) {
            ret->round_trip_ns = ns / (double)round_trips;
            ret->least_ns = (double)bench->least_ns;
        }
    }
    if (rc == 0 && messages > 0) {
        rc = measure(bench, false, messages, &ns);
        if (rc == 0) {
            ret->rate = (double)messages * 1e9 / ns;
        }
    }
    return rc;
}

/* Either may be 0: not measured. */
static int run_bench(const struct bench_opts *opts, uint64_t round_trips, uint64_t messages,
                     struct result *ret)
{
    struct bench bench = {.opts = opts};
    int rc = side_start(&bench, &bench.a, 1, "a", "lossy_client");

    rc = rc < 0 ? rc : side_start(&bench, &bench.b, 2, "b", "stateless_server");
    if (rc == 0) {
        bench.lock = os_mutex_new(bench.a.os, "bench");
        bench.finished = os_cond_new(bench.a.os, "bench.finished");
        rc = bench.lock == NULL || bench.finished == NULL ? -ENOMEM : bench_connect(&bench);
    }
    rc = rc < 0 ? rc : measure_both(&bench, round_trips, messages, ret);
    side_stop(&bench.a);
    side_stop(&bench.b);
    conn_unref(bench.conn);
    if (bench.a.os != NULL) {
        os_cond_free(bench.a.os, bench.finished);
        os_mutex_free(bench.a.os, bench.lock);
    }
    side_free(&bench, &bench.a);
    side_free(&bench, &bench.b);
    return rc;
}

int bench_messenger_round_trip(const struct bench_opts *opts, double *ret_ns)
{
    struct result result;
    int rc = run_bench(opts, opts->count, 0, &result);

    if (rc == 0) {
        *ret_ns = result.round_trip_ns;
    }
    return rc;
}

int bench_messenger_one_way(const struct bench_opts *opts, double *ret_rate)
{
    struct result result;
    int rc = run_bench(opts, 0, opts->count, &result);

    if (rc == 0) {
        *ret_rate = result.rate;
    }
    return rc;
}

int bench_messenger_best(const struct bench_opts *opts, uint64_t messages,
                         double *ret_least_ns, double *ret_rate)
{
    struct result result;
    int rc = run_bench(opts, opts->count, messages, &result);

    if (rc == 0) {
        *ret_least_ns = result.least_ns;
        *ret_rate = result.rate;
    }
    return rc;
}
