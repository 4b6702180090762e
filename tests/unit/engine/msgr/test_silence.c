/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_silence.c: a peer that makes a session and then says nothing, on a plain socket: its
 * kernel takes, and acknowledges, whatever comes. What we send is no sign of it. The time
 * limit of the test is the bound.
 */
#include <errno.h>
#include <string.h>

#include "engine/util.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testnode.h"
#include "tests/lib/testos.h"
#include "tests/lib/testpeer.h"

#define WHY "nothing came from the peer for 30 ms (idle_timeout)"

static struct os *os; /* the mute peer's */
static int listener, fd, fds_before;
static struct test_node client;
static struct connection *conn;
static uint8_t bytes[4096];

/* A session with a peer that has said all it will ever say. */
static void start(const char *policy)
{
    const struct messenger_opts opts = {.idle_timeout_ns = 30 * NSEC_PER_MSEC};
    struct sockaddr_storage sa;
    struct entity_addrvec addrs = {.n = 1};
    struct peer peer;

    fds_before = testlib_open_fds();
    os = test_os_new();
    listener = test_listen(os, AF_INET, 4, &sa);
    addrs.v[0] = entity_addr_from_sockaddr(test_sockaddr(&sa), ADDR_MSGR2, 1234);
    peer_init(&peer, &addrs.v[0], bytes, sizeof(bytes));
    test_node_init(&client, 2, &opts);
    test_node_policy(&client, policy);
    test_node_start(&client);
    ck_assert_int_eq(messenger_connect_to(client.m, ENTITY_OSD, &addrs, &conn), 0);
    test_wait_fd(os, listener, POLLIN);
    fd = os_accept(os, listener, &sa);
    ck_assert_int_ge(fd, 0);
    peer_accept_until(&peer, AT_READY);
    test_send_all(os, fd, bytes, peer_take(&peer));
    test_node_wait(&client, &client.connects, 1);
}

static void finish(void)
{
    test_node_wait(&client, &client.resets, 1);
    ck_assert_str_eq(conn_why(conn), WHY);
    ck_assert_str_eq(client.log, "CR");
    ck_assert(!conn_is_connected(conn));
    os_close(os, fd);
    os_close(os, listener);
    conn_unref(conn);
    test_node_fini(&client);
    test_os_free(os);
    ck_assert_int_eq(testlib_open_fds(), fds_before);
}

static const char *const policies[] = {"lossy_client", "lossless_client", "lossless_peer"};

/* Keepalives that nobody answers. */
START_TEST(keepalives_are_no_sign_of_the_peer)
{
    start(policies[_i]);
    while (!conn_is_closed(conn)) {
        conn_send_keepalive(conn);
        os_sleep_ns(client.os, NSEC_PER_MSEC);
    }
    finish();
}
END_TEST

/* Messages that a kernel takes, until it is full. */
START_TEST(messages_are_no_sign_of_the_peer)
{
    int err = 0;

    start(policies[_i]);
    while (err == 0 || err == -EAGAIN) {
        struct message *msg = testlib_message(PRIO_DEFAULT, 10, 1);

        err = messenger_send(conn, msg);
        if (err < 0) {
            message_unref(msg);
        }
        os_sleep_ns(client.os, NSEC_PER_MSEC);
    }
    ck_assert_int_eq(err, -ENOTCONN);
    finish();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("silence");
    TCase *tc = tcase_create("silence");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, keepalives_are_no_sign_of_the_peer, 0,
                        (int)ARRAY_SIZE(policies));
    tcase_add_loop_test(tc, messages_are_no_sign_of_the_peer, 0, (int)ARRAY_SIZE(policies));
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
