/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_messenger.c: the engine end to end over loopback TCP: Ceph's MessengerTest cases
 * that do not need a lossless reconnect, restated, and what this engine promises beyond
 * them.
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

/* ---- delivery ---- */

/* Sends every second message back as it is, the others as a copy. */
static void echo(struct test_node *n, struct message *msg)
{
    struct message *reply = message_new(msg->header.type);

    reply->header.tid = msg->header.tid;
    reply->front = buffer_slice(&msg->front, 0, msg->front.len);
    if (msg->header.tid % 2 == 0) {
        ck_assert_int_eq(messenger_send(msg->conn, reply), 0);
        message_unref(msg);
    } else {
        ck_assert_int_eq(messenger_send(msg->conn, msg), 0);
        message_unref(reply);
    }
    os_lock(n->os, n->lock);
    n->messages++;
    os_unlock(n->os, n->lock);
}

/* SimpleTest: a round trip works with every driver on each side. */
START_TEST(round_trip_with_every_driver)
{
    const struct messenger_opts opts = {
        .driver = (enum event_driver_kind)(_i / DRIVER_COUNT), .workers = 2};
    const struct messenger_opts other = {.driver =
                                             (enum event_driver_kind)(_i % DRIVER_COUNT)};
    struct test_node server, client;
    struct connection *conn;

    test_node_init(&server, 1, &opts);
    test_node_policy(&server, "stateless_server");
    server.on_message = echo;
    test_node_bind(&server, "v2:127.0.0.1:0");
    test_node_start(&server);
    test_node_init(&client, 2, &other);
    test_node_start(&client);
    conn = test_node_dial(&client, &server);
    for (int i = 0; i < 100; i++) {
        test_node_send(&client, conn, (size_t)i * 50, (uint64_t)i);
    }
    test_node_wait(&client, &client.messages, 100);
    ck_assert_str_eq(client.thread, "ms_dispatch");
    ck_assert(conn_is_connected(conn));
    ck_assert_int_eq(conn_peer_num(conn), (int64_t)opts.entity_num);
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

struct seen {
    uint64_t next; /* the tid expected next */
    bool wrong;
};

static void verify(struct test_node *n, struct message *msg)
{
    struct seen *seen = n->arg;

    seen->wrong = seen->wrong || msg->header.tid != seen->next++;
    for (size_t i = 0; i < msg->front.len; i++) {
        seen->wrong =
            seen->wrong || msg->front.data[i] != testlib_pattern(msg->header.tid, i);
    }
    for (size_t i = 0; i < msg->data.len; i++) {
        seen->wrong =
            seen->wrong || msg->data.data[i] != testlib_pattern(~msg->header.tid, i);
    }
    message_unref(msg);
    os_lock(n->os, n->lock);
    n->messages++;
    os_cond_broadcast(n->os, n->cond);
    os_unlock(n->os, n->lock);
}

/* MessageTest: 800 kB of front and 800 kB of data arrive byte for byte, in order. */
START_TEST(large_messages_arrive_byte_for_byte)
{
    const struct messenger_opts opts = {.driver = (enum event_driver_kind)_i};
    struct test_node server, client;
    struct seen seen = {0};
    struct connection *conn;

    test_node_init(&server, 1, &opts);
    test_node_policy(&server, "stateless_server");
    server.on_message = verify;
    server.arg = &seen;
    test_node_bind(&server, "v2:127.0.0.1:0");
    test_node_start(&server);
    test_node_client(&client, 2);
    conn = test_node_dial(&client, &server);
    for (uint64_t i = 0; i < 10; i++) {
        struct message *msg = testlib_message(PRIO_DEFAULT, 800000, i);

        ck_assert_int_eq(buffer_alloc(&msg->data, 800000), 0);
        for (size_t k = 0; k < msg->data.len; k++) {
            msg->data.data[k] = testlib_pattern(~i, k);
        }
        ck_assert_int_eq(messenger_send(conn, msg), 0);
    }
    test_node_wait(&server, &server.messages, 10);
    ck_assert(!seen.wrong);
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* What waits in out_q while the session comes up goes out by priority, not by age. */
START_TEST(queued_messages_leave_by_priority)
{
    static const uint16_t sent[] = {PRIO_LOW, PRIO_DEFAULT, PRIO_HIGH, PRIO_HIGHEST};
    struct test_node server, client;
    struct connection *conn;

    test_node_serve(&server, 1);
    test_node_init(&client, 2, NULL);
    conn = test_node_dial(&client, &server); /* workers do not run yet */
    server.fast = true;                      /* the order of arrival, not of dispatch */
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(messenger_send(conn, testlib_message(sent[i % 4], 10, 0)), 0);
    }
    test_node_start(&client);
    test_node_wait(&server, &server.messages, 8);
    for (int i = 0; i < 8; i++) {
        ck_assert_uint_eq(server.priorities[i], sent[3 - i / 2]);
    }
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* A message to one's own address is delivered locally: no socket, no connection. */
START_TEST(own_address_is_local_delivery)
{
    struct test_node node;
    struct connection *conn;
    struct messenger_stats stats;

    test_node_init(&node, 1, NULL);
    test_node_bind(&node, "v2:127.0.0.1:0");
    test_node_start(&node);
    conn = test_node_dial(&node, &node);
    ck_assert(conn_is_loopback(conn));
    test_node_send(&node, conn, 100, 1);
    test_node_wait(&node, &node.messages, 1);
    messenger_stats(node.m, &stats);
    ck_assert_uint_eq(stats.connections, 0);
    conn_unref(conn);
    test_node_fini(&node);
}
END_TEST

/* Fast dispatch runs on the connection's worker, everything else on ms_dispatch. */
START_TEST(fast_dispatch_runs_on_the_worker)
{
    struct test_node server, client;
    struct connection *conn;

    test_node_serve(&server, 1);
    server.fast = true;
    test_node_client(&client, 2);
    conn = test_node_dial(&client, &server);
    test_node_send(&client, conn, 1, 1);
    test_node_wait(&server, &server.messages, 1);
    ck_assert_int_eq(strncmp(server.thread, "msgr-worker-", 12), 0);
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* Both framings carry a session: 2.0 if either side announces nothing more. */
START_TEST(msgr20_framing_works_in_both_roles)
{
    struct messenger_opts old = {.msgr20 = true}, new = {0};
    struct test_node server, client;
    struct seen seen = {0};
    struct connection *conn;

    test_node_init(&server, 1, _i & 1 ? &old : &new);
    test_node_policy(&server, "stateless_server");
    server.on_message = verify;
    server.arg = &seen;
    test_node_bind(&server, "v2:127.0.0.1:0");
    test_node_start(&server);
    test_node_init(&client, 2, _i & 2 ? &old : &new);
    test_node_start(&client);
    conn = test_node_dial(&client, &server);
    for (uint64_t i = 0; i < 20; i++) {
        test_node_send(&client, conn, i * 1000, i);
    }
    test_node_wait(&server, &server.messages, 20);
    ck_assert(!seen.wrong);
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* ---- connections ---- */

/* The same addresses give the same connection; anonymous ones are always new. */
START_TEST(connections_are_shared_unless_anonymous)
{
    struct test_node server, client;
    struct connection *first, *second, *anon[2];
    struct entity_addrvec addrs;

    test_node_serve(&server, 1);
    test_node_client(&client, 2);
    messenger_addrs(server.m, &addrs);
    first = test_node_dial(&client, &server);
    second = test_node_dial(&client, &server);
    ck_assert_ptr_eq(first, second);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(messenger_connect_anon(client.m, ENTITY_OSD, &addrs, &anon[i]), 0);
        ck_assert_ptr_ne(anon[i], first);
        test_node_send(&client, anon[i], 1, 1);
    }
    ck_assert_ptr_ne(anon[0], anon[1]);
    test_node_wait(&server, &server.messages, 2);
    test_node_wait(&server, &server.accepts, 3);
    conn_unref(first);
    conn_unref(second);
    conn_unref(anon[0]);
    conn_unref(anon[1]);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* Nobody listens: on_refused, and the message waits; when a server appears it arrives. */
START_TEST(refused_then_served)
{
    const struct messenger_opts opts = {.backoff_initial_ns = NSEC_PER_MSEC,
                                        .backoff_max_ns = 4 * NSEC_PER_MSEC,
                                        .nonce = 77};
    struct test_node server, client;
    struct entity_addrvec addrs;
    struct connection *conn;
    char text[ENTITY_ADDRVEC_TEXT];

    test_node_init(&server, 1, &opts);
    test_node_bind(&server, "v2:127.0.0.1:0");
    messenger_addrs(server.m, &addrs);
    test_node_fini(&server);
    test_node_init(&client, 2, &opts);
    test_node_start(&client);
    ck_assert_int_eq(messenger_connect_to(client.m, ENTITY_OSD, &addrs, &conn), 0);
    test_node_send(&client, conn, 10, 1);
    test_node_wait(&client, &client.refused, 3);
    ck_assert_str_eq(conn_why(conn), "connection refused");
    test_node_init(&server, 1, &opts);
    test_node_policy(&server, "stateless_server");
    test_node_bind(&server, entity_addrvec_text(&addrs, text));
    test_node_start(&server);
    test_node_wait(&server, &server.messages, 1);
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* Marking down tells the other side by a reset and this side by nothing. */
START_TEST(mark_down_resets_the_peer_only)
{
    struct message *msg = testlib_message(1, 1, 1);
    struct test_node server, client;
    struct connection *conn;

    test_node_serve(&server, 1);
    test_node_client(&client, 2);
    conn = test_node_dial(&client, &server);
    test_node_send(&client, conn, 10, 1);
    test_node_wait(&server, &server.messages, 1);
    messenger_mark_down(conn);
    messenger_mark_down(conn);
    ck_assert_int_eq(messenger_send(conn, msg), -ENOTCONN);
    message_unref(msg);
    test_node_wait(&server, &server.resets, 1);
    ck_assert_int_eq(test_node_count(&client, &client.resets), 0);
    ck_assert_str_eq(server.log, "AmR");
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* A lossy session ends on both sides; sending by address makes a new one. */
START_TEST(lossy_session_starts_over)
{
    struct test_node server, client;
    struct connection *conn, *again;

    test_node_serve(&server, 1);
    test_node_client(&client, 2);
    conn = test_node_dial(&client, &server);
    test_node_send(&client, conn, 10, 1);
    test_node_wait(&server, &server.messages, 1);
    messenger_mark_down_all(server.m);
    test_node_wait(&client, &client.resets, 1);
    ck_assert_str_eq(client.log, "CR");
    again = test_node_dial(&client, &server);
    ck_assert_ptr_ne(again, conn);
    test_node_send(&client, again, 10, 2);
    test_node_wait(&server, &server.messages, 2);
    conn_unref(conn);
    conn_unref(again);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* After rebind the ports are others, the nonce is another, and both work. */
START_TEST(rebind_takes_other_ports)
{
    struct test_node server, client;
    struct entity_addrvec before, after;
    struct connection *conn;

    test_node_serve(&server, 1);
    messenger_addrs(server.m, &before);
    test_node_client(&client, 2);
    conn = test_node_dial(&client, &server);
    test_node_wait(&client, &client.connects, 1);
    conn_unref(conn);
    ck_assert_int_eq(messenger_rebind(server.m), 0);
    messenger_addrs(server.m, &after);
    ck_assert_uint_ne(entity_addr_port(&before.v[0]), entity_addr_port(&after.v[0]));
    ck_assert_uint_ne(before.v[0].nonce, after.v[0].nonce);
    test_node_wait(&client, &client.resets, 1);
    conn = test_node_dial(&client, &server);
    test_node_send(&client, conn, 10, 1);
    test_node_wait(&server, &server.messages, 1);
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* FeatureTest: a peer that lacks what is required gets no session, and the reason is
 * told. */
START_TEST(missing_features_prevent_a_session)
{
    const struct messenger_opts opts = {.backoff_initial_ns = NSEC_PER_MSEC};
    const uint64_t rare = 1ULL << 62; /* not among FEATURES_SUPPORTED */
    struct policy policy = *policy_find(_i == 0 ? "stateless_server" : "lossy_client");
    struct test_node server, client;
    struct connection *conn;

    policy.features_required |= rare;
    policy.features_supported |= rare;
    test_node_init(&server, 1, NULL);
    test_node_policy(&server, "stateless_server");
    test_node_init(&client, 2, &opts);
    messenger_set_policy(_i == 0 ? server.m : client.m, 0, &policy);
    test_node_bind(&server, "v2:127.0.0.1:0");
    test_node_start(&server);
    test_node_start(&client);
    conn = test_node_dial(&client, &server);
    while (conn_why(conn)[0] == '\0') {
        os_sleep_ns(client.os, NSEC_PER_MSEC);
    }
    ck_assert_str_eq(conn_why(conn), _i == 0 ? "the peer requires features we lack"
                                             : "the peer lacks features we require");
    ck_assert(!conn_is_connected(conn));
    ck_assert_int_eq(test_node_count(&client, &client.connects), 0);
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* FeatureTest, the other half: who has what is required gets in. */
START_TEST(sufficient_features_connect)
{
    const uint64_t rare = 1ULL << 62;
    struct policy policy = *policy_find("stateless_server"),
                  ours = *policy_find("lossy_client");
    struct test_node server, client;
    struct connection *conn;

    policy.features_required |= rare;
    ours.features_supported |= rare;
    test_node_init(&server, 1, NULL);
    messenger_set_policy(server.m, ENTITY_OSD, &policy);
    test_node_bind(&server, "v2:127.0.0.1:0");
    test_node_start(&server);
    test_node_init(&client, 2, NULL);
    messenger_set_policy(client.m, ENTITY_OSD, &ours);
    test_node_start(&client);
    conn = test_node_dial(&client, &server);
    test_node_send(&client, conn, 10, 1);
    test_node_wait(&server, &server.messages, 1);
    ck_assert(conn_peer_features(server.accepted) & rare);
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* TimeoutTest: a session on which nothing happens ends after the idle time-out, and says
 * so. */
START_TEST(idle_sessions_end)
{
    const struct messenger_opts opts = {.idle_timeout_ns = 30 * NSEC_PER_MSEC};
    struct test_node server, client;
    struct connection *conn;

    test_node_serve(&server, 1);
    test_node_init(&client, 2, &opts);
    test_node_start(&client);
    conn = test_node_dial(&client, &server);
    test_node_wait(&client, &client.connects, 1);
    test_node_wait(&client, &client.resets, 1);
    ck_assert_str_eq(conn_why(conn), "nothing came from the peer for 30 ms (idle_timeout)");
    test_node_wait(&server, &server.resets, 1);
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* A registered server knows its peers by address: a second connection of the same peer ends
 * the first; one that checks for lost state also says so. */
START_TEST(registered_servers_replace_connections)
{
    const bool stateful = _i == 1;
    const struct messenger_opts opts = {.nonce = 4711}; /* both claim to be the same peer */
    struct test_node server, first, second;
    struct connection *conn[2];

    test_node_init(&server, 1, NULL);
    test_node_policy(&server, stateful ? "stateful_server" : "stateless_registered_server");
    test_node_bind(&server, "v2:127.0.0.1:0");
    test_node_start(&server);
    test_node_init(&first, 2, &opts);
    test_node_start(&first);
    test_node_init(&second, 3, &opts);
    test_node_start(&second);
    conn[0] = test_node_dial(&first, &server);
    test_node_wait(&server, &server.accepts, 1);
    conn[1] = test_node_dial(&second, &server);
    test_node_wait(&server, &server.accepts, 2);
    test_node_wait(&server, &server.resets, 1);
    test_node_wait(&first, &first.resets, 1);
    ck_assert_int_eq(test_node_count(&server, &server.remote_resets), stateful);
    test_node_send(&second, conn[1], 5, 1);
    test_node_wait(&server, &server.messages, 1);
    conn_unref(conn[0]);
    conn_unref(conn[1]);
    test_node_fini(&first);
    test_node_fini(&second);
    test_node_fini(&server);
}
END_TEST

/* KEEPALIVE2 comes back with the stamp it was sent with. */
START_TEST(keepalives_come_back)
{
    struct test_node server, client;
    struct connection *conn;
    uint64_t before;

    test_node_serve(&server, 1);
    test_node_client(&client, 2);
    conn = test_node_dial(&client, &server);
    test_node_wait(&client, &client.connects, 1);
    before = os_realtime_ns(client.os);
    conn_send_keepalive(conn);
    while (conn_keepalive_acks(conn) == 0) {
        os_sleep_ns(client.os, NSEC_PER_MSEC / 10);
    }
    ck_assert_uint_ge(conn_last_keepalive_ack_ns(conn), before);
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* IPv6, and vectors with a v1 address beside the v2 one. */
START_TEST(address_vectors_and_ipv6)
{
    static const char *const binds[] = {"v2:[::1]:0", "[v2:127.0.0.1:0,v1:127.0.0.1:0]"};
    struct test_node server, client;
    struct entity_addrvec addrs;
    struct connection *conn;

    test_node_init(&server, 1, NULL);
    test_node_policy(&server, "stateless_server");
    test_node_bind(&server, binds[_i]);
    test_node_start(&server);
    test_node_client(&client, 2);
    conn = test_node_dial(&client, &server);
    test_node_send(&client, conn, 10, 1);
    test_node_wait(&server, &server.messages, 1);
    messenger_addrs(server.m, &addrs);
    ck_assert_uint_eq(addrs.n, _i == 0 ? 1 : 2);
    conn_peer_addrs(server.accepted, &addrs);
    ck_assert_uint_eq(addrs.n, 1);
    ck_assert_uint_eq(addrs.v[0].type, ADDR_ANY); /* a client that does not listen */
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* A lossless session acknowledges what it got: nothing stays in `sent` for ever. */
START_TEST(lossless_sessions_acknowledge)
{
    const struct messenger_opts opts = {.out_queue_messages_max = 4};
    struct test_node server, client;
    struct connection *conn;

    test_node_init(&server, 1, NULL);
    test_node_policy(&server, "lossless_peer");
    test_node_bind(&server, "v2:127.0.0.1:0");
    test_node_start(&server);
    test_node_init(&client, 2, &opts);
    test_node_policy(&client, "lossless_peer");
    test_node_start(&client);
    conn = test_node_dial(&client, &server);
    for (uint64_t i = 0; i < 500; i++) {
        test_node_send(&client, conn, 10, i); /* more than `sent` may hold */
    }
    test_node_wait(&server, &server.messages, 500);
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("messenger");
    TCase *tc = tcase_create("messenger");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, round_trip_with_every_driver, 0, DRIVER_COUNT * DRIVER_COUNT);
    tcase_add_loop_test(tc, large_messages_arrive_byte_for_byte, 0, DRIVER_COUNT);
    tcase_add_test(tc, queued_messages_leave_by_priority);
    tcase_add_test(tc, own_address_is_local_delivery);
    tcase_add_test(tc, fast_dispatch_runs_on_the_worker);
    tcase_add_loop_test(tc, msgr20_framing_works_in_both_roles, 1, 4);
    tcase_add_test(tc, connections_are_shared_unless_anonymous);
    tcase_add_test(tc, refused_then_served);
    tcase_add_test(tc, mark_down_resets_the_peer_only);
    tcase_add_test(tc, lossy_session_starts_over);
    tcase_add_test(tc, rebind_takes_other_ports);
    tcase_add_loop_test(tc, missing_features_prevent_a_session, 0, 2);
    tcase_add_test(tc, sufficient_features_connect);
    tcase_add_test(tc, idle_sessions_end);
    tcase_add_loop_test(tc, registered_servers_replace_connections, 0, 2);
    tcase_add_test(tc, keepalives_come_back);
    tcase_add_loop_test(tc, address_vectors_and_ipv6, 0, 2);
    tcase_add_test(tc, lossless_sessions_acknowledge);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
