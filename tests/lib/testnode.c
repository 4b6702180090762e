/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/testnode.h"

#include <errno.h>
#include <string.h>

#include "stacks/tcp/tcp_stack.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testos.h"

static void note(struct test_node *n, int *counter, char letter)
{
    os_lock(n->os, n->lock);
    (*counter)++;
    if (n->log_n < TEST_NODE_LOG) {
        n->log[n->log_n++] = letter;
    }
    os_cond_broadcast(n->os, n->cond);
    os_unlock(n->os, n->lock);
}

static bool want_fast(void *arg, const struct message *msg)
{
    (void)msg;
    return ((struct test_node *)arg)->fast;
}

static void take_message(void *arg, struct message *msg)
{
    struct test_node *n = arg;

    if (n->on_message != NULL) {
        n->on_message(n, msg);
        return;
    }
    os_lock(n->os, n->lock);
    while (n->held) {
        os_cond_wait(n->os, n->cond, n->lock, -1);
    }
    if (n->messages < TEST_NODE_LOG) {
        n->priorities[n->messages] = msg->header.priority;
    }
    n->bytes += message_bytes(msg);
    strcpy(n->thread, os_thread_self(n->os)->name);
    os_unlock(n->os, n->lock);
    message_unref(msg);
    note(n, &n->messages, 'm');
}

static bool dispatch(void *arg, struct message *msg)
{
    take_message(arg, msg);
    return true;
}

static void on_connect(void *arg, struct connection *conn)
{
    struct test_node *n = arg;

    (void)conn;
    note(n, &n->connects, 'C');
}

static void on_accept(void *arg, struct connection *conn)
{
    struct test_node *n = arg;
    struct connection *old;

    os_lock(n->os, n->lock);
    old = n->accepted;
    n->accepted = conn_ref(conn);
    os_unlock(n->os, n->lock);
    conn_unref(old);
    note(n, &n->accepts, 'A');
}

static bool on_reset(void *arg, struct connection *conn)
{
    struct test_node *n = arg;

    (void)conn;
    note(n, &n->resets, 'R');
    return true;
}

static void on_remote_reset(void *arg, struct connection *conn)
{
    struct test_node *n = arg;

    (void)conn;
    note(n, &n->remote_resets, 'r');
}

static bool on_refused(void *arg, struct connection *conn)
{
    struct test_node *n = arg;

    (void)conn;
    note(n, &n->refused, 'x');
    return true;
}

void test_node_init(struct test_node *n, uint8_t number, const struct messenger_opts *opts)
{
    struct messenger_opts filled = {.entity_type = ENTITY_OSD, .entity_num = number};
    const struct dispatcher d = {
        .arg = n,
        .can_fast_dispatch = want_fast,
        .fast_dispatch = take_message,
        .dispatch = dispatch,
        .on_connect = on_connect,
        .on_accept = on_accept,
        .on_reset = on_reset,
        .on_remote_reset = on_remote_reset,
        .on_refused = on_refused,
    };

    memset(n, 0, sizeof(*n));
    n->os = test_os_new();
    n->os->node = number;
    ck_assert_int_eq(tcp_stack_new(n->os, &n->stack), 0);
    if (opts != NULL) {
        filled = *opts;
        filled.entity_type = opts->entity_type != 0 ? opts->entity_type : ENTITY_OSD;
    }
    filled.os = n->os;
    filled.stack = n->stack;
    ck_assert_int_eq(messenger_new(&filled, &n->m), 0);
    messenger_add_dispatcher(n->m, &d);
    n->lock = os_mutex_new(n->os, "test_node");
    n->cond = os_cond_new(n->os, "test_node");
}

void test_node_bind(struct test_node *n, const char *addrs)
{
    struct entity_addrvec vec;
    const char *why = "";

    ck_assert_msg(entity_addrvec_parse(addrs, ADDR_MSGR2, 0, &vec, &why) == 0, "%s", why);
    ck_assert_int_eq(messenger_bind(n->m, &vec), 0);
}

void test_node_start(struct test_node *n)
{
    ck_assert_int_eq(messenger_start(n->m), 0);
}

void test_node_policy(struct test_node *n, const char *policy)
{
    messenger_set_policy(n->m, 0, policy_find(policy));
}

void test_node_serve(struct test_node *n, uint8_t number)
{
    test_node_init(n, number, NULL);
    test_node_policy(n, "stateless_server");
    test_node_bind(n, "v2:127.0.0.1:0");
    test_node_start(n);
}

void test_node_client(struct test_node *n, uint8_t number)
{
    test_node_init(n, number, NULL);
    test_node_start(n);
}

struct connection *test_node_dial(struct test_node *n, struct test_node *to)
{
    struct entity_addrvec addrs;
    struct connection *conn;

    messenger_addrs(to->m, &addrs);
    ck_assert_int_eq(messenger_connect_to(n->m, ENTITY_OSD, &addrs, &conn), 0);
    return conn;
}

void test_node_send(struct test_node *n, struct connection *conn, size_t bytes,
                    uint64_t tid)
{
    struct message *msg = testlib_message(PRIO_DEFAULT, bytes, tid);
    int err;

    while ((err = messenger_send(conn, msg)) == -EAGAIN) {
        os_sleep_ns(n->os, 100000); /* out_q is full: the peer is behind */
    }
    ck_assert_int_eq(err, 0);
}

int test_node_count(struct test_node *n, const int *counter)
{
    int value;

    os_lock(n->os, n->lock);
    value = *counter;
    os_unlock(n->os, n->lock);
    return value;
}

void test_node_wait(struct test_node *n, const int *counter, int at_least)
{
    os_lock(n->os, n->lock);
    while (*counter < at_least) {
        os_cond_wait(n->os, n->cond, n->lock, -1);
    }
    os_unlock(n->os, n->lock);
}

static void set_held(struct test_node *n, bool held)
{
    os_lock(n->os, n->lock);
    n->held = held;
    os_cond_broadcast(n->os, n->cond);
    os_unlock(n->os, n->lock);
}

void test_node_hold(struct test_node *n)
{
    set_held(n, true);
}

void test_node_release(struct test_node *n)
{
    set_held(n, false);
}

void test_node_fini(struct test_node *n)
{
    struct messenger_stats stats;

    messenger_shutdown(n->m);
    messenger_stats(n->m, &stats);
    ck_assert_uint_eq(stats.connections, 0);
    ck_assert_uint_eq(stats.accepting, 0);
    ck_assert_uint_eq(stats.dispatch_depth, 0);
    ck_assert_uint_eq(stats.dispatch_bytes, 0);
    conn_unref(n->accepted);
    messenger_free(n->m); /* CHECKs that nobody holds a connection */
    network_stack_free(n->stack);
    os_cond_free(n->os, n->cond);
    os_mutex_free(n->os, n->lock);
    test_os_free(n->os);
}
