/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_messenger_flow.c: messages under pressure, on epoll, poll and select: floods in both
 * directions, receivers that do not take, many senders, throttles, the end in the middle of
 * it. What arrives is compared byte by byte; nothing is measured in time.
 */
#include <errno.h>
#include <string.h>

#include "engine/util.h"
#include "engine/worker.h"
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

/* What a node got from up to 8 senders: tid is sender << 32 | number, from 0 on. */
struct ledger {
    uint64_t next[8];
    int wrong, out_of_order;
    bool echo; /* send each back */
};

static bool is_pattern(const struct buffer *b, uint64_t seed)
{
    for (size_t i = 0; i < b->len; i++) {
        if (b->data[i] != testlib_pattern(seed, i)) {
            return false;
        }
    }
    return true;
}

static void enter_in_ledger(struct test_node *n, struct message *msg)
{
    struct ledger *ledger = n->arg;
    uint64_t tid = msg->header.tid;

    ledger->wrong += !is_pattern(&msg->front, tid);
    ledger->out_of_order += ledger->next[tid >> 32 & 7]++ != (uint32_t)tid;
    if (ledger->echo) {
        CHECK(messenger_send(msg->conn, msg) == 0);
    } else {
        message_unref(msg);
    }
    os_lock(n->os, n->lock);
    n->messages++;
    os_cond_broadcast(n->os, n->cond);
    os_unlock(n->os, n->lock);
}

static void keep_ledger(struct test_node *n, struct ledger *ledger)
{
    memset(ledger, 0, sizeof(*ledger));
    n->arg = ledger;
    n->on_message = enter_in_ledger;
}

static void check_ledger(const struct ledger *ledger)
{
    ck_assert_int_eq(ledger->wrong, 0);
    ck_assert_int_eq(ledger->out_of_order, 0);
}

static void open_server(struct test_node *n, const struct messenger_opts *opts)
{
    test_node_init(n, 1, opts);
    test_node_policy(n, "stateless_server");
    test_node_bind(n, "v2:127.0.0.1:0");
}

static void send_pattern(struct test_node *n, struct connection *conn, uint64_t sender,
                         uint64_t first, uint64_t count, size_t bytes)
{
    for (uint64_t i = first; i < first + count; i++) {
        test_node_send(n, conn, bytes, sender << 32 | i);
    }
}

/* ---- both directions at once ---- */

/* Every message comes back while more are sent, through sockets with small buffers: neither
 * side waits for the other to read first. */
START_TEST(flood_and_echo_through_small_sockets)
{
    const struct messenger_opts opts = {.driver = (enum event_driver_kind)_i,
                                        .workers = 1,
                                        .socket = {.rcvbuf = 16384, .sndbuf = 16384}};
    struct ledger there, back;
    struct test_node server, client;
    struct connection *conn;

    open_server(&server, &opts);
    keep_ledger(&server, &there);
    there.echo = true;
    test_node_start(&server);
    test_node_init(&client, 2, &opts);
    keep_ledger(&client, &back);
    test_node_start(&client);
    conn = test_node_dial(&client, &server);
    send_pattern(&client, conn, 0, 0, 60, 100000);
    test_node_wait(&client, &client.messages, 60);
    check_ledger(&there);
    check_ledger(&back);
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* Two nodes that both serve and dial each other: two connections, and all arrives. */
START_TEST(peers_that_dial_each_other)
{
    const struct messenger_opts opts = {.driver = (enum event_driver_kind)_i, .workers = 2};
    struct test_node nodes[2];
    struct ledger ledgers[2];
    struct connection *conns[2];

    for (int k = 0; k < 2; k++) {
        test_node_init(&nodes[k], (uint8_t)(k + 1), &opts);
        test_node_policy(&nodes[k], "lossless_peer");
        keep_ledger(&nodes[k], &ledgers[k]);
        test_node_bind(&nodes[k], "v2:127.0.0.1:0");
        test_node_start(&nodes[k]);
    }
    for (int k = 0; k < 2; k++) {
        conns[k] = test_node_dial(&nodes[k], &nodes[!k]);
    }
    for (uint64_t i = 0; i < 10; i++) {
        for (int k = 0; k < 2; k++) {
            send_pattern(&nodes[k], conns[k], 0, i * 20, 20, 3000);
        }
    }
    for (int k = 0; k < 2; k++) {
        test_node_wait(&nodes[k], &nodes[k].messages, 200);
        check_ledger(&ledgers[k]);
        conn_unref(conns[k]);
    }
    test_node_fini(&nodes[0]);
    test_node_fini(&nodes[1]);
}
END_TEST

/* ---- receivers that do not take ---- */

/* One KEEPALIVE2 there and back: whatever was to move on the way has moved. */
static void round_trip(struct test_node *n, struct connection *conn)
{
    uint64_t before = conn_keepalive_acks(conn);

    conn_send_keepalive(conn);
    while (conn_keepalive_acks(conn) == before) {
        os_sleep_ns(n->os, 20 * NSEC_PER_USEC);
    }
}

/* Sends until the sender has been refused for 200 round trips of another connection in a
 * row; returns how many messages were taken. */
static int send_until_refused(struct connection *conn, struct test_node *other,
                              struct connection *alive)
{
    int sent = 0, refused = 0;

    while (refused < 200) {
        struct message *msg = testlib_message(PRIO_DEFAULT, 50000, 0);

        if (messenger_send(conn, msg) == 0) {
            sent++;
            refused = 0;
        } else {
            message_unref(msg);
            refused++;
            round_trip(other, alive);
        }
    }
    return sent;
}

/* A receiver whose handler stands still: everything between fills up to its bound, the
 * sender is told -EAGAIN, the worker does not spin (its passes are counted against round
 * trips of another connection), and when the handler goes on everything arrives. */
START_TEST(a_standing_receiver_stops_the_sender)
{
    const struct messenger_opts opts = {
        .driver = (enum event_driver_kind)_i, .workers = 1, .dispatch_bytes_max = 100000};
    const struct messenger_opts bounded = {.driver = (enum event_driver_kind)_i,
                                           .out_queue_messages_max = 16};
    struct test_node server, client, other;
    struct connection *conn, *alive;
    struct messenger_stats before, after;
    int sent;

    open_server(&server, &opts);
    test_node_start(&server);
    test_node_init(&client, 2, &bounded);
    test_node_start(&client);
    test_node_client(&other, 3);
    conn = test_node_dial(&client, &server);
    alive = test_node_dial(&other, &server);
    test_node_wait(&server, &server.accepts, 2);
    test_node_wait(&other, &other.connects, 1);
    test_node_hold(&server);
    sent = send_until_refused(conn, &other, alive);
    messenger_stats(server.m, &before);
    ck_assert_uint_le(before.dispatch_bytes, 200000);
    for (int trip = 0; trip < 200; trip++) {
        round_trip(&other, alive);
    }
    messenger_stats(server.m, &after);
    ck_assert_uint_le(after.center.cycles - before.center.cycles, 200 * 4);
    test_node_release(&server);
    test_node_wait(&server, &server.messages, sent);
    conn_unref(conn);
    conn_unref(alive);
    test_node_fini(&client);
    test_node_fini(&other);
    test_node_fini(&server);
}
END_TEST

/* Eight connections share each kind of budget in turn, too small for two messages, and one
 * message larger than the budget itself: all arrive, in order per connection, and nothing
 * is held in the end. */
START_TEST(shared_budgets_let_everything_through)
{
    const int kind = _i / DRIVER_COUNT;
    const struct messenger_opts opts = {.driver =
                                            (enum event_driver_kind)(_i % DRIVER_COUNT),
                                        .workers = 2,
                                        .dispatch_bytes_max = kind == 2 ? 3000 : 0};
    struct test_node server, clients[8];
    struct connection *conns[8];
    struct ledger ledger;

    open_server(&server, &opts);
    keep_ledger(&server, &ledger);
    ck_assert_int_eq(
        messenger_set_throttlers(server.m, 0, kind == 0 ? 1 : 0, kind == 1 ? 3000 : 0), 0);
    test_node_start(&server);
    for (int k = 0; k < 8; k++) {
        test_node_init(&clients[k], (uint8_t)(k + 2), &opts);
        test_node_start(&clients[k]);
        conns[k] = test_node_dial(&clients[k], &server);
    }
    for (uint64_t round = 0; round < 25; round++) {
        for (uint64_t k = 0; k < 8; k++) {
            send_pattern(&clients[k], conns[k], k, round, 1, round == 12 ? 10000 : 2000);
        }
    }
    test_node_wait(&server, &server.messages, 200);
    check_ledger(&ledger);
    for (int k = 0; k < 8; k++) {
        conn_unref(conns[k]);
        test_node_fini(&clients[k]);
    }
    test_node_fini(&server); /* CHECKs that the throttles hold nothing */
}
END_TEST

/* A connection that ends while it waits for a budget leaves the queue: the next in line
 * gets its turn, nothing stays held. */
START_TEST(the_end_while_waiting_for_a_budget)
{
    const struct messenger_opts opts = {.driver = (enum event_driver_kind)_i, .workers = 1};
    struct test_node server, clients[3];
    struct connection *conns[3];

    open_server(&server, &opts);
    ck_assert_int_eq(messenger_set_throttlers(server.m, 0, 1, 0), 0);
    test_node_start(&server);
    test_node_hold(&server);
    for (int k = 0; k < 3; k++) {
        test_node_client(&clients[k], (uint8_t)(k + 2));
        conns[k] = test_node_dial(&clients[k], &server);
        test_node_wait(&clients[k], &clients[k].connects, 1); /* the server stands still */
        send_pattern(&clients[k], conns[k], 0, 0, 3, 1000);
        ck_assert(messenger_drain(clients[k].m, 60 * NSEC_PER_SEC));
    }
    messenger_mark_down_all(server.m); /* one is being dispatched, two wait */
    test_node_release(&server);
    for (int k = 0; k < 3; k++) {
        test_node_wait(&clients[k], &clients[k].resets, 1);
        conn_unref(conns[k]);
        conns[k] = test_node_dial(&clients[k], &server);
        send_pattern(&clients[k], conns[k], 0, 3, 1, 1000);
    }
    test_node_wait(&server, &server.messages, 3);
    for (int k = 0; k < 3; k++) {
        conn_unref(conns[k]);
        test_node_fini(&clients[k]);
    }
    test_node_fini(&server);
}
END_TEST

/* ---- many ---- */

struct sender {
    struct test_node *node;
    struct connection *conn;
    uint64_t number;
};

static void send_many(void *arg)
{
    struct sender *s = arg;

    for (uint64_t i = 0; i < 2000; i++) {
        test_node_send(s->node, s->conn, (i * 37 + s->number) % 300, s->number << 32 | i);
    }
}

/* Four threads send on one connection: each thread's messages arrive in its order. */
START_TEST(senders_of_one_connection_keep_their_order)
{
    const struct messenger_opts opts = {.driver = (enum event_driver_kind)_i};
    struct test_node server, client;
    struct os_thread *threads[4];
    struct sender senders[4];
    struct connection *conn;
    struct ledger ledger;

    open_server(&server, &opts);
    keep_ledger(&server, &ledger);
    test_node_start(&server);
    test_node_init(&client, 2, &opts);
    test_node_start(&client);
    conn = test_node_dial(&client, &server);
    for (uint64_t k = 0; k < 4; k++) {
        senders[k] = (struct sender){.node = &client, .conn = conn, .number = k};
        ck_assert_int_eq(
            os_thread_start(client.os, "sender", send_many, &senders[k], &threads[k]), 0);
    }
    for (int k = 0; k < 4; k++) {
        os_thread_join(threads[k]);
    }
    test_node_wait(&server, &server.messages, 8000);
    check_ledger(&ledger);
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* Forty clients: their connections are spread evenly over the workers, and each talks. */
START_TEST(clients_are_spread_over_the_workers)
{
    const struct messenger_opts opts = {.driver = (enum event_driver_kind)_i, .workers = 4};
    struct test_node server, client;
    struct connection *conns[40];
    struct entity_addrvec addrs;

    open_server(&server, &opts);
    test_node_start(&server);
    messenger_addrs(server.m, &addrs);
    test_node_client(&client, 2);
    for (size_t k = 0; k < ARRAY_SIZE(conns); k++) {
        ck_assert_int_eq(messenger_connect_anon(client.m, ENTITY_OSD, &addrs, &conns[k]),
                         0);
        test_node_send(&client, conns[k], 100, k);
    }
    test_node_wait(&server, &server.messages, ARRAY_SIZE(conns));
    for (uint32_t i = 0; i < 4; i++) {
        struct worker *w = worker_pool_at(messenger_workers(server.m), i);

        ck_assert_uint_eq(atomic_load(&w->references), 10);
        ck_assert_uint_eq(atomic_load(&w->counters.msgr_active_connections), 10);
        ck_assert_uint_eq(atomic_load(&w->counters.msgr_created_connections),
                          i == 0 ? 11 : 10); /* the loopback is created too, on the first */
        ck_assert_uint_eq(atomic_load(&w->counters.msgr_recv_messages), 10);
    }
    for (size_t k = 0; k < ARRAY_SIZE(conns); k++) {
        conn_unref(conns[k]);
    }
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* ---- the end in the middle ---- */

/* Either side, or both at once, shuts down in the middle of a flood both ways. */
START_TEST(shutdown_in_a_flood_both_ways)
{
    const struct messenger_opts opts = {.driver =
                                            (enum event_driver_kind)(_i % DRIVER_COUNT)};
    struct test_node server, client;
    struct connection *conn;

    open_server(&server, &opts);
    test_node_start(&server);
    test_node_init(&client, 2, &opts);
    test_node_start(&client);
    conn = test_node_dial(&client, &server);
    test_node_wait(&server, &server.accepts, 1);
    for (uint64_t i = 0; i < 300; i++) {
        test_node_send(&client, conn, 20000, i);
        test_node_send(&server, server.accepted, 20000, i);
    }
    test_node_wait(&server, &server.messages, 10);
    if (_i / DRIVER_COUNT == 0) {
        messenger_shutdown(client.m);
    } else {
        messenger_shutdown(server.m);
    }
    conn_unref(conn);
    test_node_fini(&server);
    test_node_fini(&client);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("messenger_flow");
    TCase *tc = tcase_create("every driver");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, flood_and_echo_through_small_sockets, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, peers_that_dial_each_other, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, a_standing_receiver_stops_the_sender, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, shared_budgets_let_everything_through, 0, 3 * DRIVER_COUNT);
    tcase_add_loop_test(tc, the_end_while_waiting_for_a_budget, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, senders_of_one_connection_keep_their_order, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, clients_are_spread_over_the_workers, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, shutdown_in_a_flood_both_ways, 0, 2 * DRIVER_COUNT);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
