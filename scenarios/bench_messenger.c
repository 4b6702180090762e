/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_messenger.c: two messengers of this process, from S1 of one to the dispatcher of
 * the other, and back.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "engine/messenger.h"
#include "engine/util.h"
#include "scenarios/bench.h"
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
    bool echo; /* b answers, and a asks again */
    struct connection *conn;
    struct os_mutex *lock;
    struct os_cond *finished;
    bool done;     /* under lock */
    int rc;        /* under lock */
    uint64_t left; /* a's dispatch thread, or b's */
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

/* b got one: answer, or count. a got an answer: ask again until it is enough. */
static void receive(struct side *side, struct message *msg)
{
    struct bench *bench = side->bench;
    int rc = 0;

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
    rc = tcp_stack_new(side->os, &side->stack);
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

static void side_free(struct side *side)
{
    messenger_free(side->messenger);
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

static int measure(struct bench *bench, double *ret_ns)
{
    uint64_t n = bench->echo ? 1 : bench->opts->count;
    uint64_t began = os_monotonic_ns(bench->a.os);
    int rc = 0;

    for (uint64_t i = 0; i < n && rc == 0; i++) {
        rc = send_one(bench, bench->conn);
    }
    rc = rc < 0 ? rc : wait_finished(bench);
    *ret_ns = (double)(bench->ended_ns - began);
    return rc;
}

static int run_bench(const struct bench_opts *opts, bool both_ways, double *ret_ns)
{
    struct bench bench = {.opts = opts, .echo = both_ways, .left = opts->count};
    int rc = side_start(&bench, &bench.a, 1, "a", "lossy_client");

    rc = rc < 0 ? rc : side_start(&bench, &bench.b, 2, "b", "stateless_server");
    if (rc == 0) {
        bench.lock = os_mutex_new(bench.a.os, "bench");
        bench.finished = os_cond_new(bench.a.os, "bench.finished");
        rc = bench.lock == NULL || bench.finished == NULL ? -ENOMEM : bench_connect(&bench);
    }
    rc = rc < 0 ? rc : measure(&bench, ret_ns);
    side_stop(&bench.a);
    side_stop(&bench.b);
    conn_unref(bench.conn);
    if (bench.a.os != NULL) {
        os_cond_free(bench.a.os, bench.finished);
        os_mutex_free(bench.a.os, bench.lock);
    }
    side_free(&bench.a);
    side_free(&bench.b);
    return rc;
}

int bench_messenger_round_trip(const struct bench_opts *opts, double *ret_ns)
{
    double ns;
    int rc = run_bench(opts, true, &ns);

    if (rc == 0) {
        *ret_ns = ns / (double)opts->count;
    }
    return rc;
}

int bench_messenger_one_way(const struct bench_opts *opts, double *ret_rate)
{
    double ns;
    int rc = run_bench(opts, false, &ns);

    if (rc == 0) {
        *ret_rate = (double)opts->count * 1e9 / ns;
    }
    return rc;
}
