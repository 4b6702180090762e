/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_messenger_rules.c: what messenger.h says, call by call: binding, looking up, local
 * delivery, sending by address, draining, marking down, what a message carries, and the
 * order of callbacks of each connection on both ends.
 */
#include <errno.h>
#include <string.h>

#include "engine/util.h"
#include "stacks/tcp/tcp_stack.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testnode.h"
#include "tests/lib/testos.h"

static int fds_before;

static void setup(void)
{
    fds_before = testlib_open_fds();
}

static void teardown(void)
{
    ck_assert_int_eq(testlib_open_fds(), fds_before);
}

static struct entity_addrvec parse(const char *text)
{
    struct entity_addrvec vec;
    const char *why = "";

    ck_assert_msg(entity_addrvec_parse(text, ADDR_MSGR2, 0, &vec, &why) == 0, "%s", why);
    return vec;
}

/* An address where nobody listens, and the descriptor that keeps it so. */
static int dead_address(struct os *os, struct entity_addrvec *ret)
{
    struct sockaddr_storage sa;
    int fd = test_hold_port(os, AF_INET, &sa);

    ck_assert_int_ge(fd, 0);
    *ret = (struct entity_addrvec){.n = 1};
    ret->v[0] = entity_addr_from_sockaddr(test_sockaddr(&sa), ADDR_MSGR2, 1);
    return fd;
}

/* ---- binding ---- */

/* bind takes all addresses or none: one in use leaves the other free, too. */
START_TEST(bind_is_all_or_nothing)
{
    struct test_node first, second;
    struct entity_addrvec taken, both, none = {0};

    test_node_init(&first, 1, NULL);
    test_node_bind(&first, "v2:127.0.0.1:0");
    messenger_addrs(first.m, &taken);
    test_node_init(&second, 2, NULL);
    ck_assert_int_lt(messenger_bind(second.m, &none), 0);
    ck_assert_int_eq(messenger_bind(second.m, &taken), -EADDRINUSE);
    both = parse("[v2:127.0.0.1:0,v2:127.0.0.1:0]");
    both.v[1] = taken.v[0];
    ck_assert_int_eq(messenger_bind(second.m, &both), -EADDRINUSE);
    messenger_addrs(second.m, &both);
    ck_assert_uint_eq(both.n, 0);
    test_node_bind(&second, "v2:127.0.0.1:0"); /* may be tried again */
    test_node_fini(&first);
    test_node_fini(&second);
}
END_TEST

/* A messenger that runs may begin to listen. */
START_TEST(bind_after_start_serves)
{
    struct test_node server, client;
    struct connection *conn;

    test_node_init(&server, 1, NULL);
    test_node_policy(&server, "stateless_server");
    test_node_start(&server);
    test_node_bind(&server, "v2:127.0.0.1:0");
    test_node_client(&client, 2);
    conn = test_node_dial(&client, &server);
    test_node_send(&client, conn, 10, 1);
    test_node_wait(&server, &server.messages, 1);
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* Bound to every ip, the server announces the one a client reached it at. */
START_TEST(any_ip_is_learned)
{
    struct test_node server, client;
    struct entity_addrvec addrs;
    struct connection *conn;
    uint16_t port;

    test_node_init(&server, 1, NULL);
    test_node_policy(&server, "stateless_server");
    test_node_bind(&server, "v2:0.0.0.0:0");
    test_node_start(&server);
    messenger_addrs(server.m, &addrs);
    ck_assert(entity_addr_is_ip_any(&addrs.v[0]));
    port = entity_addr_port(&addrs.v[0]);
    addrs.v[0].in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    test_node_client(&client, 2);
    ck_assert_int_eq(messenger_connect_to(client.m, ENTITY_OSD, &addrs, &conn), 0);
    test_node_send(&client, conn, 10, 1);
    test_node_wait(&server, &server.messages, 1);
    messenger_addrs(server.m, &addrs);
    ck_assert(!entity_addr_is_ip_any(&addrs.v[0]));
    ck_assert_uint_eq(entity_addr_port(&addrs.v[0]), port);
    messenger_addrs(client.m, &addrs);
    ck_assert_uint_eq(addrs.n, 1); /* and the client learned its own */
    ck_assert_uint_eq(addrs.v[0].in.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* ---- looking up ---- */

/* What cannot be dialled is -EINVAL: no address, no port, only a v1 address. */
START_TEST(undiallable_addresses)
{
    static const char *const texts[] = {"v1:127.0.0.1:6789", "v2:127.0.0.1:0"};
    struct entity_addrvec addrs = {0};
    struct message *msg = testlib_message(1, 1, 1);
    struct test_node client;
    struct connection *conn;

    test_node_client(&client, 2);
    ck_assert_int_eq(messenger_connect_to(client.m, ENTITY_OSD, &addrs, &conn), -EINVAL);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        addrs = parse(texts[i]);
        ck_assert_int_eq(messenger_connect_to(client.m, ENTITY_OSD, &addrs, &conn),
                         -EINVAL);
        ck_assert_int_eq(messenger_connect_anon(client.m, ENTITY_OSD, &addrs, &conn),
                         -EINVAL);
        ck_assert_int_eq(messenger_send_to(client.m, msg, ENTITY_OSD, &addrs), -EINVAL);
    }
    message_unref(msg); /* still the caller's */
    test_node_fini(&client);
}
END_TEST

/* Our own address gives the loopback connection whatever the policy for peers is: a server
 * that never dials can talk to itself. */
START_TEST(servers_talk_to_themselves)
{
    struct test_node node;
    struct connection *conn;
    struct entity_addrvec addrs;

    test_node_serve(&node, 1);
    messenger_addrs(node.m, &addrs);
    ck_assert_int_eq(messenger_connect_to(node.m, ENTITY_OSD, &addrs, &conn), 0);
    ck_assert(conn_is_loopback(conn));
    test_node_send(&node, conn, 100, 1);
    test_node_wait(&node, &node.messages, 1);
    conn_unref(conn);
    test_node_fini(&node);
}
END_TEST

/* A server that registers its peers finds the connection of one that listens by its
 * addresses, though it would never dial it. */
START_TEST(servers_find_registered_peers)
{
    struct test_node server, peer;
    struct connection *conn, *found;
    struct entity_addrvec addrs;

    test_node_init(&server, 1, NULL);
    test_node_policy(&server, "stateful_server");
    test_node_bind(&server, "v2:127.0.0.1:0");
    test_node_start(&server);
    test_node_init(&peer, 2, NULL);
    test_node_policy(&peer, "lossless_client");
    test_node_bind(&peer, "v2:127.0.0.1:0");
    test_node_start(&peer);
    conn = test_node_dial(&peer, &server);
    test_node_wait(&server, &server.accepts, 1);
    messenger_addrs(peer.m, &addrs);
    ck_assert_int_eq(messenger_connect_to(server.m, ENTITY_OSD, &addrs, &found), 0);
    ck_assert_ptr_eq(found, server.accepted);
    ck_assert_int_eq(
        messenger_send_to(server.m, testlib_message(1, 10, 1), ENTITY_OSD, &addrs), 0);
    test_node_wait(&peer, &peer.messages, 1);
    conn_unref(found);
    conn_unref(conn);
    test_node_fini(&peer);
    test_node_fini(&server);
}
END_TEST

/* A server policy does not dial: no connection is made to a peer it does not know. */
START_TEST(servers_do_not_dial)
{
    struct test_node server, other;
    struct connection *conn;
    struct entity_addrvec addrs;
    struct messenger_stats stats;

    test_node_serve(&server, 1);
    test_node_serve(&other, 2);
    messenger_addrs(other.m, &addrs);
    ck_assert_int_lt(messenger_connect_to(server.m, ENTITY_OSD, &addrs, &conn), 0);
    ck_assert_int_lt(messenger_connect_anon(server.m, ENTITY_OSD, &addrs, &conn), 0);
    messenger_stats(server.m, &stats);
    ck_assert_uint_eq(stats.connections, 0);
    test_node_fini(&server);
    test_node_fini(&other);
}
END_TEST

/* Sending by address makes a connection the first time and uses it afterwards. */
START_TEST(send_to_uses_one_connection)
{
    struct test_node server, client;
    struct entity_addrvec addrs;
    struct messenger_stats stats;

    test_node_serve(&server, 1);
    messenger_addrs(server.m, &addrs);
    test_node_client(&client, 2);
    for (uint64_t i = 0; i < 50; i++) {
        ck_assert_int_eq(
            messenger_send_to(client.m, testlib_message(1, 10, i), ENTITY_OSD, &addrs), 0);
    }
    test_node_wait(&server, &server.messages, 50);
    ck_assert_int_eq(test_node_count(&server, &server.accepts), 1);
    messenger_stats(client.m, &stats);
    ck_assert_uint_eq(stats.connections, 1);
    ck_assert_uint_eq(stats.messages_sent, 50);
    messenger_stats(server.m, &stats);
    ck_assert_uint_eq(stats.messages_received, 50);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* ---- marking down, draining ---- */

/* One anonymous connection marked down leaves the other, and the registered one, alone. */
START_TEST(anonymous_connections_end_alone)
{
    struct test_node server, client;
    struct connection *anon[2], *registered;
    struct entity_addrvec addrs;

    test_node_serve(&server, 1);
    messenger_addrs(server.m, &addrs);
    test_node_client(&client, 2);
    ck_assert_int_eq(messenger_connect_anon(client.m, ENTITY_OSD, &addrs, &anon[0]), 0);
    ck_assert_int_eq(messenger_connect_anon(client.m, ENTITY_OSD, &addrs, &anon[1]), 0);
    registered = test_node_dial(&client, &server);
    test_node_wait(&server, &server.accepts, 3);
    messenger_mark_down(anon[0]);
    test_node_wait(&server, &server.resets, 1);
    messenger_mark_down_addrs(client.m, &addrs); /* the registered one */
    test_node_wait(&server, &server.resets, 2);
    ck_assert(conn_is_closed(anon[0]));
    ck_assert(conn_is_closed(registered));
    ck_assert(!conn_is_closed(anon[1]));
    test_node_send(&client, anon[1], 10, 1);
    test_node_wait(&server, &server.messages, 1);
    messenger_mark_down_addrs(client.m, &addrs); /* nobody is there any more: harmless */
    ck_assert_int_eq(test_node_count(&client, &client.resets), 0);
    conn_unref(anon[0]);
    conn_unref(anon[1]);
    conn_unref(registered);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* drain says false when the time is over and messages are still here; once their connection
 * is marked down nothing is left to wait for. Nobody hears of a reset. */
START_TEST(drain_gives_up_in_time)
{
    const struct messenger_opts opts = {.backoff_initial_ns = NSEC_PER_MSEC,
                                        .backoff_max_ns = NSEC_PER_MSEC};
    struct entity_addrvec addrs;
    struct test_node client;
    struct connection *conn;
    struct messenger_stats stats;
    uint64_t before;
    int held;

    test_node_init(&client, 2, &opts);
    test_node_start(&client);
    held = dead_address(client.os, &addrs);
    ck_assert(messenger_drain(client.m, 0));
    ck_assert_int_eq(messenger_connect_to(client.m, ENTITY_OSD, &addrs, &conn), 0);
    test_node_send(&client, conn, 10, 1);
    test_node_wait(&client, &client.refused, 2);
    before = os_monotonic_ns(client.os);
    ck_assert(!messenger_drain(client.m, 5 * NSEC_PER_MSEC));
    ck_assert_uint_ge(os_monotonic_ns(client.os) - before, 5 * NSEC_PER_MSEC);
    ck_assert(!messenger_drain(client.m, 0));
    ck_assert(!conn_is_connected(conn));
    messenger_mark_down(conn);
    ck_assert(messenger_drain(client.m, 60 * NSEC_PER_SEC));
    do {
        messenger_stats(client.m, &stats);
    } while (stats.connections > 0); /* it ends on its worker */
    ck_assert_int_eq(test_node_count(&client, &client.resets), 0);
    conn_unref(conn);
    os_close(client.os, held);
    test_node_fini(&client);
}
END_TEST

/* A connection marked down while it dials, at any moment, ends; a new one to the same
 * address is another one and works. */
START_TEST(mark_down_while_dialling)
{
    struct test_node server, client;
    struct connection *conn, *again;

    test_node_serve(&server, 1);
    test_node_client(&client, 2);
    for (int i = 0; i < 200; i++) {
        conn = test_node_dial(&client, &server);
        for (int spin = 0; spin < i * 20; spin++) {
            os_monotonic_ns(client.os); /* a different moment each time */
        }
        messenger_mark_down(conn);
        again = test_node_dial(&client, &server);
        ck_assert_ptr_ne(again, conn);
        messenger_mark_down(again);
        conn_unref(conn);
        conn_unref(again);
    }
    conn = test_node_dial(&client, &server);
    test_node_send(&client, conn, 10, 1);
    test_node_wait(&server, &server.messages, 1);
    ck_assert_int_eq(test_node_count(&client, &client.resets), 0);
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* The accepting side may send keepalives, too. */
START_TEST(accepted_connections_send_keepalives)
{
    struct test_node server, client;
    struct connection *conn;

    test_node_serve(&server, 1);
    test_node_client(&client, 2);
    conn = test_node_dial(&client, &server);
    conn_send_keepalive(conn); /* before there is a session: nothing happens */
    test_node_wait(&server, &server.accepts, 1);
    ck_assert_uint_eq(conn_keepalive_acks(server.accepted), 0);
    conn_send_keepalive(server.accepted);
    while (conn_keepalive_acks(server.accepted) == 0) {
        os_sleep_ns(server.os, 20 * NSEC_PER_USEC);
    }
    ck_assert_uint_eq(conn_keepalive_acks(server.accepted), 1);
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* ---- what a message carries ---- */

struct carried {
    struct message *msg; /* what was sent */
    int wrong;
};

static bool same_bytes(const struct buffer *a, const struct buffer *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static void compare(struct test_node *n, struct message *got)
{
    struct carried *carried = n->arg;
    const struct frame_message_header *a = &got->header, *b = &carried->msg->header;

    carried->wrong += a->type != b->type || a->priority != b->priority ||
                      a->tid != b->tid || a->version != b->version ||
                      a->compat_version != b->compat_version || a->data_off != b->data_off;
    carried->wrong += !same_bytes(&got->front, &carried->msg->front);
    carried->wrong += !same_bytes(&got->middle, &carried->msg->middle);
    carried->wrong += !same_bytes(&got->data, &carried->msg->data);
    message_unref(got);
    os_lock(n->os, n->lock);
    n->messages++;
    os_cond_broadcast(n->os, n->cond);
    os_unlock(n->os, n->lock);
}

static void add_segment(struct buffer *b, bool present, size_t len, uint64_t seed)
{
    if (present) {
        ck_assert_int_eq(buffer_alloc(b, len), 0);
        for (size_t i = 0; i < len; i++) {
            b->data[i] = testlib_pattern(seed, i);
        }
    }
}

/* Every combination of empty and filled segments, and every header field, arrives as it was
 * sent: over each framing, and to oneself. */
START_TEST(segments_and_header_arrive)
{
    const struct messenger_opts opts = {.msgr20 = _i == 1};
    struct test_node server, client;
    struct carried carried = {0};
    struct connection *conn;

    test_node_init(&server, 1, &opts);
    server.arg = &carried;
    server.on_message = compare;
    test_node_bind(&server, "v2:127.0.0.1:0");
    test_node_start(&server);
    test_node_client(&client, 2);
    conn = test_node_dial(_i == 2 ? &server : &client, &server);
    ck_assert_int_eq(conn_is_loopback(conn), _i == 2);
    for (int i = 0; i < 16; i++) {
        struct message *msg = message_new((uint16_t)(1000 + i));

        carried.msg = message_ref(msg);
        msg->header.priority = (uint16_t)(i % 2 ? 70 + i : 60000);
        msg->header.tid = 0xfedcba9876543210 + (uint64_t)i;
        msg->header.version = 9;
        msg->header.compat_version = 3;
        msg->header.data_off = (uint16_t)(i * 4000);
        add_segment(&msg->front, i & 1, i & 8 ? 70001 : 5, 1);
        add_segment(&msg->middle, i & 2, i & 8 ? 3000 : 1, 2);
        add_segment(&msg->data, i & 4, i & 8 ? 4097 : 200, 3);
        ck_assert_int_eq(messenger_send(conn, message_ref(msg)), 0);
        test_node_wait(&server, &server.messages, i + 1);
        ck_assert_msg(carried.wrong == 0, "combination %d", i);
        message_unref(msg);
        message_unref(carried.msg);
    }
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* ---- the order of callbacks, on both ends ---- */

/* One connection's story as its callbacks tell it. */
struct story {
    struct connection *conns[400];
    char last[400]; /* C, A, m or R */
    int n, wrong, ended;
};

/* What may follow what: a beginning (0), then messages, then one reset. */
static void tell(struct test_node *n, struct connection *conn, char letter)
{
    struct story *story = n->arg;
    int i = 0;

    os_lock(n->os, n->lock);
    while (i < story->n && story->conns[i] != conn) {
        i++;
    }
    if (i == story->n) {
        CHECK(i < (int)ARRAY_SIZE(story->conns));
        story->conns[story->n++] = conn_ref(conn); /* so that no address comes twice */
    }
    if (letter == 'C' || letter == 'A') {
        story->wrong += story->last[i] != 0;
    } else {
        story->wrong += story->last[i] == 0 || story->last[i] == 'R';
    }
    story->last[i] = letter;
    story->ended += letter == 'R';
    os_cond_broadcast(n->os, n->cond);
    os_unlock(n->os, n->lock);
}

static bool tell_message(void *arg, struct message *msg)
{
    tell(arg, msg->conn, 'm');
    message_unref(msg);
    return true;
}

static void tell_connect(void *arg, struct connection *conn)
{
    tell(arg, conn, 'C');
}

static void tell_accept(void *arg, struct connection *conn)
{
    struct test_node *n = arg;

    tell(n, conn, 'A');
    for (int i = 0; i < 3; i++) {
        struct message *msg = message_new(MSG_PING);

        if (messenger_send(conn, msg) < 0) {
            message_unref(msg); /* it may have ended already */
        }
    }
    if (conn_id(conn) % 3 == 0) {
        messenger_mark_down(conn);
    }
}

static bool tell_reset(void *arg, struct connection *conn)
{
    tell(arg, conn, 'R');
    return true;
}

/* A node whose callbacks all go to its story, with no dispatcher in between. */
static void story_node(struct test_node *n, struct story *story, uint8_t number, int driver)
{
    struct messenger_opts opts = {.driver = (enum event_driver_kind)driver,
                                  .entity_type = ENTITY_OSD};
    const struct dispatcher d = {.arg = n,
                                 .dispatch = tell_message,
                                 .on_connect = tell_connect,
                                 .on_accept = tell_accept,
                                 .on_reset = tell_reset};

    memset(story, 0, sizeof(*story));
    *n = (struct test_node){.arg = story, .os = test_os_new()};
    n->os->node = number;
    ck_assert_int_eq(tcp_stack_new(n->os, &n->stack), 0);
    n->lock = os_mutex_new(n->os, "story");
    n->cond = os_cond_new(n->os, "story");
    opts.os = n->os;
    opts.stack = n->stack;
    ck_assert_int_eq(messenger_new(&opts, &n->m), 0);
    messenger_add_dispatcher(n->m, &d);
}

static void check_story(struct story *story)
{
    ck_assert_int_eq(story->wrong, 0);
    while (story->n > 0) {
        conn_unref(story->conns[--story->n]);
    }
}

/* On both ends each connection's callbacks are a beginning, messages, one reset or none,
 * and nothing afterwards, while either side marks connections down at any moment. */
START_TEST(callbacks_of_each_connection_are_in_order)
{
    static struct story there, here;
    struct test_node server, client;
    struct entity_addrvec addrs;

    story_node(&server, &there, 1, _i);
    test_node_policy(&server, "stateless_server");
    test_node_bind(&server, "v2:127.0.0.1:0");
    test_node_start(&server);
    messenger_addrs(server.m, &addrs);
    story_node(&client, &here, 2, _i);
    test_node_start(&client);
    for (int i = 0; i < 150; i++) {
        struct connection *conn;

        ck_assert_int_eq(messenger_connect_anon(client.m, ENTITY_OSD, &addrs, &conn), 0);
        for (int k = 0; k < 3; k++) {
            struct message *msg = testlib_message(PRIO_DEFAULT, 100, 1);

            if (messenger_send(conn, msg) < 0) {
                message_unref(msg);
            }
        }
        for (int spin = 0; spin < i * 30; spin++) {
            os_monotonic_ns(client.os);
        }
        if (i % 2 == 0) {
            messenger_mark_down(conn);
        }
        conn_unref(conn);
    }
    messenger_shutdown(_i % 2 == 0 ? client.m : server.m);
    messenger_shutdown(_i % 2 == 0 ? server.m : client.m);
    check_story(&there);
    check_story(&here);
    test_node_fini(&client);
    test_node_fini(&server);
}
END_TEST

/* What had arrived but was not dispatched when the session ended is lost: the reset is the
 * last callback. */
START_TEST(nothing_comes_after_the_reset)
{
    const struct messenger_opts opts = {.driver = (enum event_driver_kind)_i};
    struct test_node server, client;
    struct connection *conn;
    struct messenger_stats stats;

    test_node_init(&server, 1, &opts);
    test_node_policy(&server, "stateless_server");
    test_node_bind(&server, "v2:127.0.0.1:0");
    test_node_start(&server);
    test_node_client(&client, 2);
    conn = test_node_dial(&client, &server);
    test_node_wait(&server, &server.accepts, 1);
    test_node_hold(&server);
    for (uint64_t i = 0; i < 20; i++) {
        test_node_send(&client, conn, 100, i);
    }
    do { /* one at the handler or on its way there, the others behind it */
        messenger_stats(server.m, &stats);
    } while (stats.dispatch_depth < 20);
    messenger_mark_down(conn);
    do {
        messenger_stats(server.m, &stats);
    } while (stats.connections > 0);
    test_node_release(&server);
    test_node_wait(&server, &server.resets, 1);
    conn_unref(conn);
    test_node_fini(&client);
    messenger_shutdown(server.m);
    ck_assert(strcmp(server.log, "AmR") == 0 || strcmp(server.log, "AR") == 0);
    test_node_fini(&server);
}
END_TEST

static TCase *call_cases(void)
{
    TCase *tc = tcase_create("calls");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, bind_is_all_or_nothing);
    tcase_add_test(tc, bind_after_start_serves);
    tcase_add_test(tc, any_ip_is_learned);
    tcase_add_test(tc, undiallable_addresses);
    tcase_add_test(tc, servers_talk_to_themselves);
    tcase_add_test(tc, servers_find_registered_peers);
    tcase_add_test(tc, servers_do_not_dial);
    tcase_add_test(tc, send_to_uses_one_connection);
    tcase_add_test(tc, anonymous_connections_end_alone);
    tcase_add_test(tc, drain_gives_up_in_time);
    tcase_add_test(tc, mark_down_while_dialling);
    tcase_add_test(tc, accepted_connections_send_keepalives);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("messenger_rules");
    TCase *tc = tcase_create("messages and callbacks");

    suite_add_tcase(suite, call_cases());
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, segments_and_header_arrive, 0, 3);
    tcase_add_loop_test(tc, nothing_comes_after_the_reset, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, callbacks_of_each_connection_are_in_order, 0, DRIVER_COUNT);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
