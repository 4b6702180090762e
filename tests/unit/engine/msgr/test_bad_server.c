/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_bad_server.c: a messenger that dials something that is no good server: a plain
 * socket that says the wrong thing at each point of the handshake, or nothing, or goes
 * away. The dialler says why, tries again if there is hope and gives up if there is none,
 * and delivers when a good server appears in the end.
 */
#include <errno.h>
#include <string.h>

#include "engine/util.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testnode.h"
#include "tests/lib/testos.h"
#include "tests/lib/testpeer.h"

static const struct messenger_opts impatient = {.backoff_initial_ns = NSEC_PER_MSEC,
                                                .backoff_max_ns = 2 * NSEC_PER_MSEC};

static struct os *os;                  /* the bad server's */
static int listener, held, fds_before; /* held keeps the port when listener is closed */
static struct entity_addr at;
static struct test_node client;
static struct connection *conn;
static struct peer peer;
static uint8_t bytes[1 << 20];

/* A listening socket, and a client that dials it and has a message to send. */
static void start(const struct messenger_opts *opts)
{
    struct sockaddr_storage sa;
    struct entity_addrvec addrs = {.n = 1};

    fds_before = testlib_open_fds();
    os = test_os_new();
    held = test_hold_port(os, AF_INET, &sa);
    listener = os_socket(os, AF_INET);
    ck_assert_int_eq(os_set_option(os, listener, OS_SO_REUSEADDR, 1), 0);
    ck_assert_int_eq(os_bind(os, listener, test_sockaddr(&sa), test_sockaddr_len(&sa)), 0);
    ck_assert_int_eq(os_listen(os, listener, 16), 0);
    at = entity_addr_from_sockaddr(test_sockaddr(&sa), ADDR_MSGR2, 1234);
    peer_init(&peer, &at, bytes, sizeof(bytes));
    test_node_init(&client, 2, opts);
    test_node_start(&client);
    addrs.v[0] = at;
    ck_assert_int_eq(messenger_connect_to(client.m, ENTITY_OSD, &addrs, &conn), 0);
    test_node_send(&client, conn, 100, 1);
}

static void finish(void)
{
    if (listener >= 0) {
        os_close(os, listener);
    }
    os_close(os, held);
    conn_unref(conn);
    test_node_fini(&client);
    test_os_free(os);
    ck_assert_int_eq(testlib_open_fds(), fds_before);
}

static int accept_dialler(void)
{
    struct sockaddr_storage sa;
    int fd;

    test_wait_fd(os, listener, POLLIN);
    fd = os_accept(os, listener, &sa);
    ck_assert_int_ge(fd, 0);
    return fd;
}

/* Sends what the peer has to say. */
static void say(int fd)
{
    size_t len = peer_take(&peer);

    test_send_all(os, fd, bytes, len);
}

/* Reads until the client ends the stream, in peace or not. */
static void expect_end(int fd)
{
    char buf[4096];

    while (test_recv_some(os, fd, buf, sizeof(buf)) > 0) {
    }
    os_close(os, fd);
}

/* ---- wrong answers ---- */

static void say_ssh(void)
{
    wire_put_bytes(&peer.w, "SSH-2.0-OpenSSH_9.2p1\r\n", 23);
}

static void say_v1(void)
{
    wire_put_bytes(&peer.w, "ceph v027\0\0\0\0\0\0\0", 16);
}

static void say_short_banner(void)
{
    wire_put_bytes(&peer.w, "ceph v2\n\x0f\0", 10);
}

static void say_required(void)
{
    peer_put_banner(&peer, 1, 1ULL << 50);
}

static void say_keepalive(void)
{
    peer_put_keepalive(&peer);
}

static void say_hello_of_a_mon(void)
{
    peer_put_hello(&peer, ENTITY_MON);
}

static void say_hello(void)
{
    peer_put_hello(&peer, ENTITY_OSD);
}

static void say_cut_hello(void)
{
    uint8_t b[3] = {ENTITY_OSD, 1, 1};
    struct wire_writer w = {.start = b, .at = b + sizeof(b), .end = b + sizeof(b)};

    peer_put_frame(&peer, TAG_HELLO, &w);
}

static void say_bad_method(void)
{
    const struct frame_auth_bad_method f = {
        .method = 1, .result = -EOPNOTSUPP, .methods_n = 1, .methods = {2}};
    uint8_t b[64];
    struct wire_writer w = wire_writer(b, sizeof(b));

    frame_auth_bad_method_encode(&w, &f);
    peer_put_frame(&peer, TAG_AUTH_BAD_METHOD, &w);
}

static void say_more(void)
{
    peer_put_u64(&peer, TAG_AUTH_REPLY_MORE, 0);
}

static void say_done_in_secure_mode(void)
{
    peer_put_auth_done(&peer, 2);
}

static void say_cut_done(void)
{
    peer_put_u64(&peer, TAG_AUTH_DONE, 5);
}

static void say_auth_request(void)
{
    peer_put_auth_request(&peer, 1);
}

static void say_wrong_signature(void)
{
    peer_put_signature(&peer, 1);
}

static void say_missing_features(void)
{
    peer_put_u64(&peer, TAG_IDENT_MISSING_FEATURES, 1ULL << 61);
}

static void say_wait(void)
{
    struct wire_writer nothing = wire_writer(bytes, 0);

    peer_put_frame(&peer, TAG_WAIT, &nothing);
}

static void say_somebody_else(void)
{
    struct entity_addr other = at;

    other.nonce++;
    peer_put_server_ident(&peer, &other, FEATURES_SUPPORTED);
}

static void say_no_features(void)
{
    peer_put_server_ident(&peer, &at, 1);
}

static void say_message(void)
{
    peer_put_message(&peer, 1, 10, 0, SPOIL_NOTHING);
}

static void say_huge_control(void)
{
    peer_put_preamble(&peer, TAG_SERVER_IDENT, 1, (const uint32_t[4]){0xffffffff});
}

static void say_unknown_tag(void)
{
    peer_put_preamble(&peer, 77, 1, (const uint32_t[4]){8});
}

static const struct {
    enum peer_phase phase;
    void (*say)(void);
    const char *why; /* conn_why must say */
    bool hopeless;   /* no second attempt */
} cases[] = {
    {AT_BANNER, say_ssh, "no msgr2 banner: the peer speaks SSH", false},
    {AT_BANNER, say_v1, "no msgr2 banner: the peer speaks msgr1 (v1 port?)", false},
    {AT_BANNER, say_short_banner, "banner payload shorter than 16 bytes", false},
    {AT_BANNER, say_required, "the peer requires msgr2 features we lack", true},
    {AT_HELLO, say_keepalive, "frame not legal in this state", false},
    {AT_HELLO, say_cut_hello, "bad HELLO", false},
    {AT_HELLO, say_hello_of_a_mon, "the peer is of another entity type", true},
    {AT_HELLO, say_unknown_tag, "unknown frame tag", false},
    {AT_AUTH, say_bad_method, "the peer does not accept AUTH_NONE in crc mode", true},
    {AT_AUTH, say_more, "the peer wants more than AUTH_NONE", true},
    {AT_AUTH, say_done_in_secure_mode, "the peer wants another connection mode than crc",
     true},
    {AT_AUTH, say_cut_done, "bad AUTH_DONE", false},
    {AT_AUTH, say_hello, "frame not legal in this state", false},
    {AT_AUTH, say_auth_request, "frame not legal in this state", false},
    {AT_SIGNATURE, say_wrong_signature, "AUTH_SIGNATURE does not match", false},
    {AT_IDENT, say_missing_features, "the peer requires features we lack", false},
    {AT_IDENT, say_wait, "the peer asked us to wait for its own connection", false},
    {AT_IDENT, say_somebody_else, "somebody else answers at that address", false},
    {AT_IDENT, say_no_features, "the peer lacks features we require", false},
    {AT_IDENT, say_message, "frame not legal in this state", false},
    {AT_IDENT, say_huge_control, "control frame too long", false},
};

/* Each wrong answer ends the attempt with the reason that fits. Where there is hope the
 * dialler comes again and the session is made; where there is none a reset says so. */
START_TEST(wrong_answers_end_the_attempt)
{
    int fd;

    start(&impatient);
    fd = accept_dialler();
    peer_accept_until(&peer, cases[_i].phase);
    cases[_i].say();
    say(fd);
    expect_end(fd);
    if (cases[_i].hopeless) {
        test_node_wait(&client, &client.resets, 1);
        ck_assert(conn_is_closed(conn));
        ck_assert_str_eq(conn_why(conn), cases[_i].why);
    } else {
        fd = accept_dialler();
        ck_assert_str_eq(conn_why(conn), cases[_i].why);
        peer_accept_until(&peer, AT_READY);
        say(fd);
        test_node_wait(&client, &client.connects, 1);
        ck_assert(conn_is_connected(conn));
        ck_assert(messenger_drain(client.m, 60 * NSEC_PER_SEC)); /* it waited in out_q */
        ck_assert_int_eq(test_node_count(&client, &client.resets), 0);
        os_close(os, fd);
        test_node_wait(&client, &client.resets, 1);
    }
    finish();
}
END_TEST

/* A server that goes away at any byte of the handshake is tried again; one that goes away
 * in the session is a reset. */
START_TEST(servers_that_go_away)
{
    size_t whole;
    int fd;

    start(&impatient);
    peer_accept_until(&peer, AT_READY);
    whole = peer_take(&peer);
    for (size_t len = 0; len < whole; len += 13) {
        fd = accept_dialler();
        test_send_all(os, fd, bytes, len);
        if (len % 2 == 0) {
            os_set_option(os, fd, OS_SO_LINGER0, 1); /* an RST for some, a FIN for others */
        }
        os_close(os, fd);
    }
    ck_assert_int_eq(test_node_count(&client, &client.connects), 0);
    fd = accept_dialler();
    test_send_all(os, fd, bytes, whole);
    test_node_wait(&client, &client.connects, 1);
    os_close(os, fd);
    test_node_wait(&client, &client.resets, 1);
    ck_assert_str_eq(client.log, "CR");
    finish();
}
END_TEST

/* A server that says nothing, or stops in the middle, is left after ready_timeout. */
START_TEST(silent_servers_are_left)
{
    const struct messenger_opts opts = {.backoff_initial_ns = NSEC_PER_MSEC,
                                        .ready_timeout_ns = 20 * NSEC_PER_MSEC};

    start(&opts);
    for (int phase = AT_BANNER; phase < AT_READY; phase++) {
        int fd = accept_dialler();

        peer_accept_until(&peer, (enum peer_phase)phase);
        say(fd);
        expect_end(fd);
        ck_assert_str_eq(conn_why(conn), "handshake took too long");
    }
    finish();
}
END_TEST

/* First somebody who closes, then nobody, then a good server at the same address: the
 * message that waited all the time arrives there, once. */
START_TEST(a_good_server_in_the_end)
{
    const struct messenger_opts opts = {.nonce = 1234};
    struct test_node server;
    struct entity_addrvec addrs = {.n = 1};

    start(&impatient);
    for (int i = 0; i < 3; i++) {
        os_close(os, accept_dialler());
    }
    os_close(os, listener);
    listener = -1;
    test_node_wait(&client, &client.refused, 1);
    addrs.v[0] = at;
    test_node_init(&server, 1, &opts);
    test_node_policy(&server, "stateless_server");
    ck_assert_int_eq(messenger_bind(server.m, &addrs), 0);
    test_node_start(&server);
    test_node_wait(&server, &server.messages, 1);
    test_node_send(&client, conn, 10, 2);
    test_node_wait(&server, &server.messages, 2);
    ck_assert_str_eq(server.log, "Amm");
    test_node_fini(&server);
    finish();
}
END_TEST

/* A good server may be slow, byte by byte, and speak either framing; its banner may carry
 * more than we know. */
START_TEST(slow_and_newer_servers_are_fine)
{
    uint8_t buf[64];
    size_t len;
    int fd;

    start(&impatient);
    fd = accept_dialler();
    peer.rev1 = _i == 0;
    if (_i == 2) {
        wire_put_bytes(&peer.w, "ceph v2\n\x20\0", 10);
        wire_put_u64(&peer.w, 0);
        wire_put_u64(&peer.w, 0);
        wire_put_bytes(&peer.w, "and other news..", 16);
    }
    len = wire_written(&peer.w);
    peer_accept_until(&peer, AT_READY);
    if (_i == 2) { /* in place of the plain banner */
        memmove(bytes + len, bytes + len + BANNER_BYTES,
                wire_written(&peer.w) - len - BANNER_BYTES);
        peer.w.at -= BANNER_BYTES;
    }
    peer_put_message(&peer, 1, 300, 70, SPOIL_NOTHING);
    os_set_option(os, fd, OS_SO_NODELAY, 1);
    len = peer_take(&peer);
    for (size_t i = 0; i < len; i++) {
        test_send_all(os, fd, bytes + i, 1);
    }
    test_node_wait(&client, &client.messages, 1);
    ck_assert_uint_eq(client.bytes, 370);
    test_recv_all(os, fd, buf, sizeof(buf)); /* and it talks to us */
    os_close(os, fd);
    finish();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bad_server");
    TCase *tc = tcase_create("bad_server");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, wrong_answers_end_the_attempt, 0, (int)ARRAY_SIZE(cases));
    tcase_add_test(tc, servers_that_go_away);
    tcase_add_test(tc, silent_servers_are_left);
    tcase_add_test(tc, a_good_server_in_the_end);
    tcase_add_loop_test(tc, slow_and_newer_servers_are_fine, 0, 3);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
