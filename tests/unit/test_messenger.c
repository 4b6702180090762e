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

/* TimeoutTest: a session on which nothing happens ends after the idle time-out. */
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
    ck_assert_str_eq(conn_why(conn), "idle for too long");
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
