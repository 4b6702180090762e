/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_messenger_bounds.c: what happens at the bounds of a messenger, and at its end:
 * throttles, a full out_q, messages that are too long, draining, marking down, shutting
 * down.
 */
#include <errno.h>
#include <string.h>

#include "engine/util.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testnode.h"

static int fds_before;

static void setup(void)
{
    fds_before = testlib_open_fds();
}

static void teardown(void)
{
    ck_assert_int_eq(testlib_open_fds(), fds_before);
}

/* ---- budgets and bounds ---- */

/* Throttles let everything through in the end, hold nothing afterwards, and never block the
 * worker: keepalives of another connection on the same worker go round meanwhile. */
START_TEST(throttles_delay_but_deliver)
{
    const struct messenger_opts opts = {.workers = 1,
                                        .dispatch_bytes_max = _i == 2 ? 3000 : 0};
    struct test_node server, client, other;
    struct connection *conn, *alive;

    test_node_init(&server, 1, &opts);
    test_node_policy(&server, "stateless_server");
    ck_assert_int_eq(
        messenger_set_throttlers(server.m, 0, _i == 0 ? 2 : 0, _i == 1 ? 2500 : 0), 0);
    test_node_bind(&server, "v2:127.0.0.1:0");
    test_node_start(&server);
    test_node_hold(&server);
    test_node_client(&client, 2);
    test_node_client(&other, 3);
    conn = test_node_dial(&client, &server);
    alive = test_node_dial(&other, &server);
    test_node_wait(&other, &other.connects, 1);
    for (uint64_t i = 0; i < 50; i++) {
        test_node_send(&client, conn, 1000 + (i % 5) * 1000, i);
    }
    conn_send_keepalive(alive);
    while (conn_keepalive_acks(alive) == 0) {
        os_sleep_ns(other.os, NSEC_PER_MSEC / 10);
    }
    test_node_release(&server);
    test_node_wait(&server, &server.messages, 50);
    conn_unref(conn);
    conn_unref(alive);
    test_node_fini(&client);
    test_node_fini(&other);
    test_node_fini(&server);
}
END_TEST

/* At the bound of out_q the caller is told and keeps the message. */
START_TEST(full_out_queue_says_so)
{
    const struct messenger_opts opts = {.out_queue_messages_max = 3};
    struct test_node server, client;
    struct connection *conn;
    struct message *msg;

    test_node_serve(&server, 1);
    test_node_init(&client, 2, &opts);
    conn = test_node_dial(&client, &server); /* not started: nothing leaves out_q */
    for (uint64_t i = 0; i < 3; i++) {
        ck_assert_int_eq(messenger_send(conn, testlib_message(1, 1, i)), 0);
    }
    msg = testlib_message(1, 1, 3);
    ck_assert_int_eq(messenger_send(conn, msg), -EAGAIN);
    test_node_start(&client);
    test_node_wait(&server, &server.messages, 3);
    ck_assert_int_eq(messenger_send(conn, msg), 0);
    test_node_wait(&server, &server.messages, 4);
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* A message longer than the sender's limit is refused; one longer than the receiver's ends
 * the session with a reason. */
START_TEST(long_messages_are_refused)
{
    const struct messenger_opts small = {.message_bytes_max = 1000};
    struct test_node server, client;
    struct connection *conn;
    struct message *msg = testlib_message(1, 1001, 1);

    test_node_init(&server, 1, &small);
    test_node_policy(&server, "stateless_server");
    test_node_bind(&server, "v2:127.0.0.1:0");
    test_node_start(&server);
    test_node_init(&client, 2, _i == 0 ? &small : NULL);
    test_node_start(&client);
    conn = test_node_dial(&client, &server);
    if (_i == 0) {
        ck_assert_int_eq(messenger_send(conn, msg), -EMSGSIZE);
        message_unref(msg);
    } else {
        ck_assert_int_eq(messenger_send(conn, msg), 0);
        test_node_wait(&server, &server.resets, 1);
        ck_assert_str_eq(conn_why(server.accepted), "message too long");
        test_node_wait(&client, &client.resets, 1);
    }
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* drain returns when what was accepted has been handed to the sockets. */
START_TEST(drain_waits_for_the_sockets)
{
    struct test_node server, client;
    struct connection *conn;

    test_node_serve(&server, 1);
    test_node_client(&client, 2);
    conn = test_node_dial(&client, &server);
    for (uint64_t i = 0; i < 200; i++) {
        test_node_send(&client, conn, 20000, i);
    }
    ck_assert(messenger_drain(client.m, 60 * NSEC_PER_SEC));
    test_node_wait(&server, &server.messages, 200); /* nothing is lost by a later close */
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* ---- the end ---- */

/* Shutting down in the middle of traffic loses messages, nothing else. */
START_TEST(shutdown_in_traffic)
{
    struct test_node server, client;
    struct connection *conn;

    test_node_serve(&server, 1);
    test_node_client(&client, 2);
    conn = test_node_dial(&client, &server);
    for (uint64_t i = 0; i < 2000; i++) {
        test_node_send(&client, conn, 100, i);
    }
    messenger_shutdown(_i == 0 ? client.m : server.m);
    messenger_shutdown(_i == 0 ? client.m : server.m);
    messenger_mark_down(conn);
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* Connections that were made but never ran end as well. */
START_TEST(shutdown_without_start)
{
    struct test_node server, client;
    struct connection *conn;
    struct entity_addrvec addrs;

    test_node_serve(&server, 1);
    test_node_init(&client, 2, NULL);
    conn = test_node_dial(&client, &server);
    ck_assert_int_eq(messenger_send(conn, testlib_message(1, 100, 1)), 0);
    messenger_shutdown(client.m);
    messenger_addrs(server.m, &addrs);
    conn_unref(conn);
    ck_assert_int_eq(messenger_connect_to(client.m, ENTITY_OSD, &addrs, &conn), -ESHUTDOWN);
    ck_assert_int_eq(messenger_bind(client.m, &addrs), -ESHUTDOWN);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* MarkdownTest: connections marked down from inside dispatch, over and over. */
static void mark_down_each(struct test_node *n, struct message *msg)
{
    messenger_mark_down(msg->conn);
    message_unref(msg);
    os_lock(n->os, n->lock);
    n->messages++;
    os_cond_broadcast(n->os, n->cond);
    os_unlock(n->os, n->lock);
}

START_TEST(mark_down_from_dispatch)
{
    struct test_node server, client;

    test_node_init(&server, 1, NULL);
    test_node_policy(&server, "stateless_server");
    server.fast = _i == 1;
    server.on_message = mark_down_each;
    test_node_bind(&server, "v2:127.0.0.1:0");
    test_node_start(&server);
    test_node_client(&client, 2);
    for (int i = 1; i <= 200; i++) {
        struct connection *conn = test_node_dial(&client, &server);

        ck_assert_int_eq(messenger_send(conn, testlib_message(1, 10, 1)), 0);
        test_node_wait(&client, &client.resets, i);
        conn_unref(conn);
    }
    ck_assert_int_eq(test_node_count(&server, &server.messages), 200);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* The callbacks of a connection come in one order: accept, messages, one reset. */
START_TEST(callbacks_keep_their_grammar)
{
    struct test_node server, client;

    test_node_serve(&server, 1);
    test_node_client(&client, 2);
    for (int i = 1; i <= 20; i++) {
        struct connection *conn = test_node_dial(&client, &server);

        for (int k = 0; k < 3; k++) {
            test_node_send(&client, conn, 10, 1);
        }
        ck_assert(messenger_drain(client.m, 60 * NSEC_PER_SEC));
        messenger_mark_down(conn);
        conn_unref(conn);
        test_node_wait(&server, &server.resets, i);
    }
    for (int i = 0, inside = 0; i < server.log_n; i++) {
        char letter = server.log[i];

        ck_assert(letter == (inside ? 'm' : 'A') || (inside && letter == 'R'));
        inside = letter != 'R';
    }
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("messenger_bounds");
    TCase *tc = tcase_create("messenger_bounds");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, throttles_delay_but_deliver, 0, 3);
    tcase_add_test(tc, full_out_queue_says_so);
    tcase_add_loop_test(tc, long_messages_are_refused, 0, 2);
    tcase_add_test(tc, drain_waits_for_the_sockets);
    tcase_add_loop_test(tc, shutdown_in_traffic, 0, 2);
    tcase_add_test(tc, shutdown_without_start);
    tcase_add_loop_test(tc, mark_down_from_dispatch, 0, 2);
    tcase_add_test(tc, callbacks_keep_their_grammar);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
