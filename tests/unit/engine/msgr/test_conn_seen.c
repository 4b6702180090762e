/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_conn_seen.c: what an engine tells of those it never had a session with: a server of
 * each caller, with the reason and how far it came, bounded for floods; a dialler how far
 * it came. And of keepalives: only an answer to one of ours counts.
 */
#include <errno.h>
#include <string.h>

#include "engine/util.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testnode.h"
#include "tests/lib/testos.h"
#include "tests/lib/testpeer.h"

#define KEEPALIVE_BYTES 44 /* a whole frame of 2.1 */

static struct test_node node;
static struct os *os; /* the peer's */
static struct peer peer;
static uint8_t bytes[1 << 16];
static int fds_before;

/* ---- a server, and what it is told of callers ---- */

static struct entity_addrvec addrs;
static struct os_mutex *lock;
static struct os_cond *cond;
static int told; /* the rest is of the last one */
static bool held;
static char why[128];
static struct conn_seen seen;

static void note_accept_failed(void *arg, struct connection *conn)
{
    (void)arg;
    os_lock(os, lock);
    told++;
    snprintf(why, sizeof(why), "%s", conn_why(conn));
    conn_seen(conn, &seen);
    os_cond_broadcast(os, cond);
    while (held) {
        os_cond_wait(os, cond, lock, -1);
    }
    os_unlock(os, lock);
}

static void serve(const struct messenger_opts *opts)
{
    const struct dispatcher watcher = {.on_accept_failed = note_accept_failed};

    fds_before = testlib_open_fds();
    os = test_os_new();
    lock = os_mutex_new(os, "test");
    cond = os_cond_new(os, "test");
    told = 0;
    held = false;
    test_node_init(&node, 1, opts);
    messenger_add_dispatcher(node.m, &watcher);
    test_node_policy(&node, "stateless_server");
    test_node_bind(&node, "v2:127.0.0.1:0");
    test_node_start(&node);
    messenger_addrs(node.m, &addrs);
    peer_init(&peer, &addrs.v[0], bytes, sizeof(bytes));
}

static void finish(void)
{
    test_node_fini(&node);
    if (lock != NULL) {
        os_cond_free(os, cond);
        os_mutex_free(os, lock);
        lock = NULL;
    }
    test_os_free(os);
    ck_assert_int_eq(testlib_open_fds(), fds_before);
}

static int dial(void)
{
    struct sockaddr_storage sa = {0};
    int fd;

    memcpy(&sa, &addrs.v[0].sa, entity_addr_socklen(&addrs.v[0]));
    fd = test_dial(os, &sa);
    test_wait_fd(os, fd, POLLOUT);
    return fd;
}

static void say(int fd)
{
    size_t len = peer_take(&peer);

    test_send_all(os, fd, bytes, len);
}

static void read_to_end(int fd)
{
    char buf[4096];

    while (test_recv_some(os, fd, buf, sizeof(buf)) > 0) {
    }
}

static void wait_told(int n)
{
    os_lock(os, lock);
    while (told < n) {
        os_cond_wait(os, cond, lock, -1);
    }
    os_unlock(os, lock);
}

static void say_nothing(void)
{
}

static void say_v1(void)
{
    wire_put_bytes(&peer.w, "ceph v027", 9); /* and waits for ours */
}

static void say_newline(void)
{
    wire_put_bytes(&peer.w, "\n", 1);
}

static void say_http(void)
{
    wire_put_bytes(&peer.w, "GET / HTTP/1.0\r\n\r\n", 18);
}

static void say_tls(void)
{
    wire_put_bytes(&peer.w, "\x16\x03\x01\x02\x00\x01", 6);
}

static void say_cephx(void)
{
    peer_put_auth_request(&peer, 2);
}

static void say_other_address(void)
{
    peer.server.nonce = 77;
    peer_put_client_ident(&peer, FEATURES_SUPPORTED);
}

static void say_few_features(void)
{
    peer_put_client_ident(&peer, 1);
}

static const struct {
    enum peer_phase phase;
    void (*say)(void);
    size_t leaves_after; /* it goes after so many bytes; 0: the server ends it */
    const char *why;
    enum conn_progress progress;
    uint8_t first_n;
    const char *objection;
} callers[] = {
    {AT_BANNER, say_v1, 0, "no msgr2 banner: the peer speaks msgr1 (v1 port?)",
     CONN_TRANSPORT, 9, ""},
    {AT_BANNER, say_newline, 0, "no msgr2 banner: the peer speaks an unknown protocol",
     CONN_TRANSPORT, 1, ""},
    {AT_BANNER, say_http, 0, "no msgr2 banner: the peer speaks HTTP", CONN_TRANSPORT, 18,
     ""},
    {AT_BANNER, say_tls, 0, "no msgr2 banner: the peer speaks TLS", CONN_TRANSPORT, 6, ""},
    {AT_BANNER, say_nothing, 0, "handshake took too long", CONN_TRANSPORT, 0, ""},
    {AT_HELLO, say_nothing, 0, "handshake took too long", CONN_BANNER, 0, ""},
    {AT_AUTH, say_nothing, 0, "handshake took too long", CONN_HELLO, 0, ""},
    {AT_SIGNATURE, say_nothing, 0, "handshake took too long", CONN_AUTH, 0, ""},
    {AT_IDENT, say_nothing, 0, "handshake took too long", CONN_SIGNATURE, 0, ""},
    {AT_AUTH, say_cephx, 26 + 72 + 60, NULL, CONN_HELLO, 0,
     "it wants other authentication than AUTH_NONE in crc mode"},
    {AT_IDENT, say_other_address, 0, "CLIENT_IDENT for an address that is not ours",
     CONN_IDENT, 0, ""},
    {AT_IDENT, say_few_features, 26 + 72 + 52 + 68 + 44, NULL, CONN_IDENT, 0,
     "it lacks features that we require"},
};

/* Each caller without a session is told of once, with what was seen of it. */
START_TEST(callers_are_told)
{
    const struct messenger_opts opts = {.ready_timeout_ns = 50 * NSEC_PER_MSEC};
    const struct messenger_opts patient = {.ready_timeout_ns = 1000 * NSEC_PER_SEC};
    bool times_out = callers[_i].say == say_nothing;
    struct messenger_stats stats;
    struct sockaddr_storage sa;
    struct entity_addr mine;
    char buf[512];
    int fd;

    serve(times_out ? &opts : &patient);
    fd = dial();
    ck_assert_int_eq(os_local_addr(os, fd, &sa), 0);
    mine = entity_addr_from_sockaddr(test_sockaddr(&sa), ADDR_MSGR2, 0);
    peer_dial_until(&peer, callers[_i].phase);
    callers[_i].say();
    say(fd);
    if (callers[_i].leaves_after > 0) { /* banner, frames, and what is wrong with it */
        test_recv_all(os, fd, buf, callers[_i].leaves_after);
    } else {
        read_to_end(fd);
    }
    os_close(os, fd);
    wait_told(1);
    if (callers[_i].why != NULL) {
        ck_assert_str_eq(why, callers[_i].why);
    }
    ck_assert_int_eq(seen.progress, callers[_i].progress);
    ck_assert_uint_eq(seen.first_n, callers[_i].first_n);
    ck_assert_str_eq(seen.objection, callers[_i].objection);
    ck_assert_int_eq(entity_addr_port(&seen.socket), entity_addr_port(&mine));
    ck_assert_int_eq(seen.entity_type, seen.progress >= CONN_HELLO ? ENTITY_OSD : 0);
    ck_assert(entity_addr_is_blank(&seen.wanted) == (seen.progress < CONN_IDENT));
    ck_assert(callers[_i].say != say_other_address || seen.wanted.nonce == 77);
    messenger_stats(node.m, &stats);
    ck_assert_uint_eq(stats.accept_failures, 1);
    ck_assert_uint_eq(stats.accept_failures_untold, 0);
    finish();
    ck_assert_int_eq(told, 1);
}
END_TEST

/* While nobody listens to what is told, a flood is counted, and no more than the bound is
 * kept; the server goes on accepting. */
START_TEST(floods_are_bounded)
{
    const int n = REFUSALS_QUEUED_MAX + 100;
    struct messenger_stats stats;

    serve(NULL);
    held = true;
    for (int i = 0; i < n; i++) {
        int fd = dial();

        say_http();
        say(fd);
        read_to_end(fd);
        os_close(os, fd);
    }
    do { /* the end of the stream is seen before its event is queued */
        messenger_stats(node.m, &stats);
    } while (stats.accept_failures < (uint64_t)n);
    os_lock(os, lock);
    held = false;
    os_cond_broadcast(os, cond);
    os_unlock(os, lock);
    wait_told(n - (int)stats.accept_failures_untold);
    messenger_stats(node.m, &stats);
    ck_assert_uint_eq(stats.accept_failures, n);
    ck_assert_uint_ge(stats.accept_failures_untold,
                      99); /* one is being told, not waiting */
    ck_assert_uint_le(stats.accept_failures_untold, 100);
    finish();
    ck_assert_int_eq(told + (int)stats.accept_failures_untold, n);
}
END_TEST

/* A session that was there ends with a reset, not as a refused caller; what shutdown ends
 * is not told at all. */
START_TEST(sessions_are_not_refused)
{
    struct messenger_stats stats;
    int fd, halfway;

    serve(NULL);
    fd = dial();
    peer_dial_until(&peer, AT_READY);
    say(fd);
    test_node_wait(&node, &node.accepts, 1);
    os_close(os, fd);
    test_node_wait(&node, &node.resets, 1);
    halfway = dial();
    peer_dial_until(&peer, AT_HELLO);
    say(halfway);
    messenger_shutdown(node.m);
    messenger_stats(node.m, &stats);
    ck_assert_uint_eq(stats.accept_failures, 0);
    os_close(os, halfway);
    finish();
    ck_assert_int_eq(told, 0);
}
END_TEST

/* ---- a dialler ---- */

static int listener, held_port;
static struct connection *conn;

static void start_dialling(const struct messenger_opts *opts)
{
    struct sockaddr_storage sa;

    fds_before = testlib_open_fds();
    os = test_os_new();
    held_port = test_hold_port(os, AF_INET, &sa);
    listener = os_socket(os, AF_INET);
    ck_assert_int_eq(os_set_option(os, listener, OS_SO_REUSEADDR, 1), 0);
    ck_assert_int_eq(os_bind(os, listener, test_sockaddr(&sa), test_sockaddr_len(&sa)), 0);
    ck_assert_int_eq(os_listen(os, listener, 16), 0);
    addrs = (struct entity_addrvec){.n = 1};
    addrs.v[0] = entity_addr_from_sockaddr(test_sockaddr(&sa), ADDR_MSGR2, 1234);
    peer_init(&peer, &addrs.v[0], bytes, sizeof(bytes));
    test_node_init(&node, 2, opts);
    test_node_start(&node);
    ck_assert_int_eq(messenger_connect_to(node.m, ENTITY_OSD, &addrs, &conn), 0);
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

static void stop_dialling(void)
{
    os_close(os, listener);
    os_close(os, held_port);
    conn_unref(conn);
    finish();
}

/* The furthest it ever came is kept when later attempts come less far. */
START_TEST(diallers_keep_the_furthest)
{
    static const enum peer_phase phases[] = {AT_BANNER, AT_AUTH, AT_IDENT, AT_HELLO};
    static const enum conn_progress progress[] = {CONN_TRANSPORT, CONN_HELLO,
                                                  CONN_SIGNATURE, CONN_SIGNATURE};
    const struct messenger_opts opts = {.backoff_initial_ns = NSEC_PER_MSEC,
                                        .backoff_max_ns = 2 * NSEC_PER_MSEC};
    int fd;

    start_dialling(&opts);
    for (size_t i = 0; i < ARRAY_SIZE(phases); i++) {
        fd = accept_dialler();
        peer_accept_until(&peer, phases[i]);
        say(fd);
        do { /* what nobody reads when we go is lost */
            os_sleep_ns(os, 20 * NSEC_PER_USEC);
            conn_seen(conn, &seen);
        } while (seen.progress < progress[i]);
        os_close(os, fd);
        fd = accept_dialler(); /* it has seen the end of the one before */
        conn_seen(conn, &seen);
        ck_assert_int_eq(seen.progress, progress[i]);
        ck_assert(entity_addr_equal(&seen.wanted, &addrs.v[0]));
        ck_assert_uint_eq(seen.said.n, 0);
        os_close(os, fd);
    }
    stop_dialling();
}
END_TEST

/* What the other side says it is instead. */
START_TEST(diallers_see_who_answers)
{
    const struct messenger_opts opts = {.backoff_initial_ns = NSEC_PER_MSEC,
                                        .backoff_max_ns = 2 * NSEC_PER_MSEC};
    struct entity_addr other;
    int fd;

    start_dialling(&opts);
    fd = accept_dialler();
    other = addrs.v[0];
    other.nonce = 4321;
    peer_accept_until(&peer, AT_IDENT);
    peer_put_server_ident(&peer, &other, FEATURES_SUPPORTED);
    say(fd);
    read_to_end(fd);
    os_close(os, fd);
    fd = accept_dialler();
    conn_seen(conn, &seen);
    ck_assert_int_eq(seen.progress, CONN_IDENT);
    ck_assert_uint_eq(seen.said.n, 1);
    ck_assert_uint_eq(seen.said.v[0].nonce, 4321);
    os_close(os, fd);
    stop_dialling();
}
END_TEST

/* ---- keepalives ---- */

static void put_keepalive_ack(uint64_t stamp)
{
    const struct frame_keepalive f = {.sec = (uint32_t)(stamp / NSEC_PER_SEC),
                                      .nsec = (uint32_t)(stamp % NSEC_PER_SEC)};
    uint8_t b[8];
    struct wire_writer w = wire_writer(b, sizeof(b));

    frame_keepalive_encode(&w, &f);
    peer_put_frame(&peer, TAG_KEEPALIVE2_ACK, &w);
}

/* Reads until the last frame is a KEEPALIVE2; its stamp. */
static uint64_t read_keepalive(int fd)
{
    static uint8_t got[8192];
    size_t n = 0;

    for (;;) {
        ssize_t more = test_recv_some(os, fd, got + n, sizeof(got) - n);
        const uint8_t *frame;

        ck_assert_int_gt(more, 0);
        n += (size_t)more;
        frame = got + n - KEEPALIVE_BYTES;
        if (n >= KEEPALIVE_BYTES && frame[0] == TAG_KEEPALIVE2 && frame[1] == 1 &&
            wire_load_u32(frame + 2) == 8) {
            return wire_load_u32(frame + 32) * NSEC_PER_SEC + wire_load_u32(frame + 36);
        }
    }
}

/* Sends what was put, and waits until so many answers of any kind have come. */
static void answer(int fd, uint64_t answers)
{
    say(fd);
    while (conn_keepalive_acks(conn) + conn_stray_keepalive_acks(conn) < answers) {
        os_sleep_ns(os, 20 * NSEC_PER_USEC);
    }
}

/* A flood of answers nobody asked for, answers with a stamp that is not ours, late and
 * repeated ones: none of them is a round trip. */
START_TEST(only_answers_to_ours_count)
{
    uint64_t one, two, three;
    int fd;

    start_dialling(NULL);
    fd = accept_dialler();
    peer_accept_until(&peer, AT_READY);
    say(fd);
    test_node_wait(&node, &node.connects, 1);
    for (int i = 0; i < 100; i++) {
        put_keepalive_ack((uint64_t)i * NSEC_PER_SEC);
    }
    answer(fd, 100);
    ck_assert_uint_eq(conn_keepalive_acks(conn), 0);
    ck_assert_uint_eq(conn_last_keepalive_ack_ns(conn), 0);

    conn_send_keepalive(conn);
    one = read_keepalive(fd);
    conn_send_keepalive(conn);
    two = read_keepalive(fd);
    ck_assert_uint_gt(two, one);
    put_keepalive_ack(two + 1);
    put_keepalive_ack(one - 1);
    answer(fd, 102);
    ck_assert_uint_eq(conn_keepalive_acks(conn), 0);
    put_keepalive_ack(two);
    answer(fd, 103);
    ck_assert_uint_eq(conn_keepalive_acks(conn), 1);
    ck_assert_uint_eq(conn_last_keepalive_ack_ns(conn), two);
    put_keepalive_ack(one); /* late: a newer one was answered */
    put_keepalive_ack(two); /* once more */
    answer(fd, 105);
    ck_assert_uint_eq(conn_keepalive_acks(conn), 1);
    conn_send_keepalive(conn);
    three = read_keepalive(fd);
    put_keepalive_ack(three);
    answer(fd, 106);
    ck_assert_uint_eq(conn_keepalive_acks(conn), 2);
    ck_assert_uint_eq(conn_stray_keepalive_acks(conn), 104);
    os_close(os, fd);
    stop_dialling();
}
END_TEST

/* More unanswered ones than are remembered: the oldest is forgotten, the newest count. */
START_TEST(unanswered_keepalives_are_bounded)
{
    uint64_t stamps[KEEPALIVES_UNANSWERED_MAX + 1];
    int fd;

    start_dialling(NULL);
    fd = accept_dialler();
    peer_accept_until(&peer, AT_READY);
    say(fd);
    test_node_wait(&node, &node.connects, 1);
    for (size_t i = 0; i < ARRAY_SIZE(stamps); i++) {
        conn_send_keepalive(conn);
        stamps[i] = read_keepalive(fd);
    }
    put_keepalive_ack(stamps[0]);
    answer(fd, 1);
    ck_assert_uint_eq(conn_keepalive_acks(conn), 0);
    for (size_t i = 1; i < ARRAY_SIZE(stamps); i++) {
        put_keepalive_ack(stamps[i]);
    }
    answer(fd, ARRAY_SIZE(stamps));
    ck_assert_uint_eq(conn_keepalive_acks(conn), KEEPALIVES_UNANSWERED_MAX);
    os_close(os, fd);
    stop_dialling();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conn_seen");
    TCase *tc = tcase_create("seen");

    tcase_add_loop_test(tc, callers_are_told, 0, (int)ARRAY_SIZE(callers));
    tcase_add_test(tc, floods_are_bounded);
    tcase_add_test(tc, sessions_are_not_refused);
    tcase_add_test(tc, diallers_keep_the_furthest);
    tcase_add_test(tc, diallers_see_who_answers);
    tcase_add_test(tc, only_answers_to_ours_count);
    tcase_add_test(tc, unanswered_keepalives_are_bounded);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
