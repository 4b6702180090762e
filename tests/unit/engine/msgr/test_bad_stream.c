/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_bad_stream.c: peers that were good until the session was up: spoilt messages,
 * messages cut off anywhere, taken back or sent again, floods, and peers that never read.
 * On epoll, poll and select; a good client on the same messenger goes on.
 */
#include <errno.h>
#include <string.h>

#include "engine/util.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testnode.h"
#include "tests/lib/testos.h"
#include "tests/lib/testpeer.h"

static struct os *os; /* the bad peer's */
static struct test_node server, good;
static struct connection *good_conn;
static struct entity_addrvec addrs;
static struct peer peer;
static uint8_t bytes[1 << 20];
static int fds_before;

static void start(const struct messenger_opts *opts)
{
    fds_before = testlib_open_fds();
    os = test_os_new();
    test_node_init(&server, 1, opts);
    test_node_policy(&server, "stateless_server");
    test_node_bind(&server, "v2:127.0.0.1:0");
    test_node_start(&server);
    messenger_addrs(server.m, &addrs);
    peer_init(&peer, &addrs.v[0], bytes, sizeof(bytes));
    test_node_client(&good, 2);
    good_conn = test_node_dial(&good, &server);
    test_node_wait(&server, &server.accepts, 1);
    test_node_wait(&good, &good.connects, 1); /* before that it sends no keepalives */
}

static void start_with_driver(int driver)
{
    const struct messenger_opts opts = {.driver = (enum event_driver_kind)driver,
                                        .workers = 1};

    start(&opts);
}

static void finish(void)
{
    int before = test_node_count(&server, &server.messages);

    test_node_send(&good, good_conn, 1000, 1);
    test_node_wait(&server, &server.messages, before + 1);
    ck_assert_int_eq(test_node_count(&good, &good.resets), 0);
    conn_unref(good_conn);
    test_node_fini(&good);
    test_node_fini(&server);
    test_os_free(os);
    ck_assert_int_eq(testlib_open_fds(), fds_before);
}

/* With small buffers, so that the system holds little of what nobody reads. */
static int dial(void)
{
    int fd = os_socket(os, AF_INET), err;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(os_set_option(os, fd, OS_SO_RCVBUF, 16384), 0);
    ck_assert_int_eq(os_set_option(os, fd, OS_SO_SNDBUF, 65536), 0);
    err = os_connect(os, fd, &addrs.v[0].sa, entity_addr_socklen(&addrs.v[0]));
    ck_assert(err == 0 || err == -EINPROGRESS);
    test_wait_fd(os, fd, POLLOUT);
    return fd;
}

/* A connection whose session is up; what the server said is not read. */
static int dial_session(void)
{
    int fd = dial(), before = test_node_count(&server, &server.accepts);

    peer_dial_until(&peer, AT_READY);
    test_send_all(os, fd, bytes, peer_take(&peer));
    test_node_wait(&server, &server.accepts, before + 1);
    return fd;
}

static void expect_end(int fd)
{
    char buf[4096];

    while (test_recv_some(os, fd, buf, sizeof(buf)) > 0) {
    }
    os_close(os, fd);
}

static void round_trip(void)
{
    uint64_t before = conn_keepalive_acks(good_conn);

    conn_send_keepalive(good_conn);
    while (conn_keepalive_acks(good_conn) == before) {
        os_sleep_ns(os, 20 * NSEC_PER_USEC);
    }
}

/* ---- spoilt messages ---- */

static const struct {
    enum peer_spoil spoil;
    const char *why[2]; /* in 2.0, in 2.1 framing */
} spoilt[] = {
    {SPOIL_HEADER, {NULL, "segment 0 crc mismatch"}}, /* 2.0 spoils nothing here */
    {SPOIL_FRONT, {"segment 1 (front) crc mismatch", "segment 1 (front) crc mismatch"}},
    {SPOIL_DATA, {"segment 3 (data) crc mismatch", "segment 3 (data) crc mismatch"}},
    {SPOIL_STATUS, {NULL, "epilogue status is neither complete nor aborted"}},
};

/* A message that is not what its crcs say ends the session with that reason; nothing of it
 * is delivered, and the message before it is. */
START_TEST(spoilt_message_ends_the_session)
{
    const bool rev1 = _i / (int)ARRAY_SIZE(spoilt) == 0;
    const char *why = spoilt[_i % (int)ARRAY_SIZE(spoilt)].why[rev1];
    int fd;

    start_with_driver(_i % DRIVER_COUNT);
    peer.rev1 = rev1;
    fd = dial_session();
    peer_put_message(&peer, 1, 100, 100, SPOIL_NOTHING);
    test_send_all(os, fd, bytes, peer_take(&peer));
    test_node_wait(&server, &server.messages, 1);
    if (why != NULL) {
        peer_put_message(&peer, 2, 5000, 70000, spoilt[_i % (int)ARRAY_SIZE(spoilt)].spoil);
        test_send_all(os, fd, bytes, peer_take(&peer));
        expect_end(fd);
        test_node_wait(&server, &server.resets, 1);
        ck_assert_str_eq(conn_why(server.accepted), why);
    } else {
        os_close(os, fd);
        test_node_wait(&server, &server.resets, 1);
    }
    ck_assert_int_eq(test_node_count(&server, &server.messages), 1);
    finish();
}
END_TEST

/* A message its sender takes back (late abort), and one that comes again, are not
 * delivered; gaps in the numbers are legal; the session goes on. */
START_TEST(aborted_and_repeated_messages_are_dropped)
{
    int fd;

    start_with_driver(_i % DRIVER_COUNT);
    peer.rev1 = _i / DRIVER_COUNT == 0;
    fd = dial_session();
    peer_put_message(&peer, 1, 10, 10, SPOIL_NOTHING);
    peer_put_message(&peer, 2, 1000, 1000, ABORT);
    peer_put_message(&peer, 2, 20, 20, SPOIL_NOTHING);  /* its number was not used up */
    peer_put_message(&peer, 2, 3000, 0, SPOIL_NOTHING); /* old */
    peer_put_message(&peer, 1, 4000, 0, SPOIL_NOTHING); /* older */
    peer_put_message(&peer, 9, 0, 0, SPOIL_NOTHING);    /* a gap, and empty */
    peer_put_message(&peer, 10, 0, 60, SPOIL_NOTHING);
    test_send_all(os, fd, bytes, peer_take(&peer));
    test_node_wait(&server, &server.messages, 4);
    ck_assert_uint_eq(server.bytes, 20 + 40 + 0 + 60);
    ck_assert_int_eq(test_node_count(&server, &server.resets), 0);
    os_close(os, fd);
    test_node_wait(&server, &server.resets, 1);
    ck_assert_int_eq(test_node_count(&server, &server.messages), 4);
    finish();
}
END_TEST

/* A message cut off at any byte, by a FIN or an RST, is a reset and no delivery. */
START_TEST(message_cut_off_anywhere)
{
    int cuts = 0;
    size_t len;

    start_with_driver(_i);
    peer_put_message(&peer, 1, 200, 100, SPOIL_NOTHING);
    len = peer_take(&peer);
    for (size_t cut = 1; cut < len; cut += 29) {
        int fd = dial_session();

        peer_put_message(&peer, 1, 200, 100, SPOIL_NOTHING);
        peer_take(&peer);
        test_send_all(os, fd, bytes, cut);
        if (cut % 2 == 0) {
            os_set_option(os, fd, OS_SO_LINGER0, 1);
        }
        os_close(os, fd);
        test_node_wait(&server, &server.resets, ++cuts);
    }
    ck_assert_int_eq(test_node_count(&server, &server.messages), 0);
    finish();
}
END_TEST

/* A peer cut off while its message waits for a budget, or is being read with the budget
 * held, gives everything back. */
START_TEST(cut_off_with_a_budget)
{
    const struct messenger_opts opts = {
        .driver = (enum event_driver_kind)_i, .workers = 1, .dispatch_bytes_max = 5000};
    int fds[6];
    size_t len;

    start(&opts);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = dial_session();
    }
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        peer_put_message(&peer, 1, 4000, 0, SPOIL_NOTHING);
        len = peer_take(&peer);
        test_send_all(os, fds[i], bytes, len - 1); /* all but the last byte */
    }
    for (int i = 0; i < 50; i++) {
        round_trip(); /* one holds the budget now, the others wait */
    }
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        if (i % 2 == 0) {
            os_set_option(os, fds[i], OS_SO_LINGER0, 1);
        }
        os_close(os, fds[i]);
    }
    test_node_wait(&server, &server.resets, ARRAY_SIZE(fds));
    ck_assert_int_eq(test_node_count(&server, &server.messages), 0);
    finish();
}
END_TEST

/* ---- floods, and peers that never read ---- */

/* Sends the same bytes over and over, without reading, until the server takes no more for
 * 100 round trips of the good client, ends the stream, or has taken `most`. Returns how
 * much it took. */
static uint64_t flood(int fd, size_t len, uint64_t most)
{
    uint64_t taken = 0;
    size_t offset = 0;
    int stopped = 0;

    while (taken < most && stopped < 100) {
        ssize_t n = test_send(os, fd, bytes + offset, len - offset);

        if (n == -EAGAIN) {
            stopped++;
            round_trip();
            continue;
        }
        if (n < 0) {
            break;
        }
        stopped = 0;
        taken += (uint64_t)n;
        offset = (offset + (size_t)n) % len;
    }
    return taken;
}

/* What the sockets, a batch of output and the budgets of these tests hold together is well
 * below that. */
enum { FLOOD_MOST = 8 << 20 };

/* Reads what is there until nothing comes for 100 round trips; returns how much came. */
static uint64_t read_everything(int fd)
{
    char buf[65536];
    uint64_t got = 0;
    int quiet = 0;

    while (quiet < 100) {
        ssize_t n = os_recv(os, fd, buf, sizeof(buf));

        if (n == -EAGAIN) {
            quiet++;
            round_trip();
            continue;
        }
        ck_assert_int_gt(n, 0);
        got += (uint64_t)n;
        quiet = 0;
    }
    return got;
}

/* A flood of keepalives from a peer that does not read: answers do not pile up, a newer one
 * replaces one that waits. When the peer reads in the end, it gets few. */
START_TEST(keepalives_from_a_peer_that_does_not_read)
{
    const struct messenger_opts opts = {.driver = (enum event_driver_kind)_i,
                                        .workers = 1,
                                        .socket = {.rcvbuf = 65536, .sndbuf = 65536}};
    int fd;

    start(&opts);
    fd = dial_session();
    for (int i = 0; i < 1000; i++) {
        peer_put_keepalive(&peer);
    }
    flood(fd, peer_take(&peer), FLOOD_MOST / 2);
    ck_assert_uint_le(read_everything(fd), 1 << 20);
    os_close(os, fd);
    test_node_wait(&server, &server.resets, 1);
    finish();
}
END_TEST

/* Requests of the handshake that are answered each time, from a peer that never reads: the
 * server does not keep answers without bound. It stops reading, or ends the stream. */
START_TEST(handshake_requests_from_a_peer_that_never_reads)
{
    const struct messenger_opts opts = {.workers = 1,
                                        .socket = {.rcvbuf = 65536, .sndbuf = 65536},
                                        .ready_timeout_ns = 3600 * NSEC_PER_SEC};
    int fd;

    start(&opts);
    fd = dial();
    peer_dial_until(&peer, _i == 0 ? AT_AUTH : AT_IDENT);
    test_send_all(os, fd, bytes, peer_take(&peer));
    for (int i = 0; i < 1000; i++) {
        if (_i == 0) {
            peer_put_auth_request(&peer, 2); /* AUTH_BAD_METHOD */
        } else {
            peer_put_client_ident(&peer, 0); /* IDENT_MISSING_FEATURES */
        }
    }
    ck_assert_uint_lt(flood(fd, peer_take(&peer), FLOOD_MOST), FLOOD_MOST);
    os_close(os, fd);
    finish();
}
END_TEST

/* A flood of messages to a handler that stands still is stopped by the dispatch budget,
 * empty ones too; a good client's keepalives go round meanwhile. */
START_TEST(messages_to_a_standing_handler)
{
    const struct messenger_opts opts = {.driver =
                                            (enum event_driver_kind)(_i % DRIVER_COUNT),
                                        .workers = 1,
                                        .socket = {.rcvbuf = 65536, .sndbuf = 65536},
                                        .dispatch_bytes_max = 1 << 18};
    struct messenger_stats stats;
    uint64_t seq = 0;
    int fd;

    start(&opts);
    fd = dial_session();
    test_node_hold(&server);
    while (seq < 2000) {
        peer_put_message(&peer, ++seq, _i / DRIVER_COUNT == 0 ? 0 : 300, 0, SPOIL_NOTHING);
    }
    ck_assert_uint_lt(flood(fd, peer_take(&peer), FLOOD_MOST), FLOOD_MOST);
    messenger_stats(server.m, &stats);
    ck_assert_uint_le(stats.dispatch_bytes, 1 << 18);
    os_close(os, fd);
    test_node_release(&server);
    test_node_wait(&server, &server.resets, 1);
    finish();
}
END_TEST

/* Sixty peers with a session, all doing something wrong at once, while the good client's
 * messages go through. */
START_TEST(a_crowd_goes_wrong)
{
    int fds[60];

    start_with_driver(_i);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = dial_session();
    }
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        size_t len;

        peer_put_message(&peer, 1, 1000 * (i % 5), 100,
                         i % 5 == 0 ? SPOIL_DATA : SPOIL_FRONT);
        if (i % 5 == 1) {
            peer_put_preamble(&peer, 99, 1, (const uint32_t[4]){1});
        }
        len = peer_take(&peer);
        test_send_all(os, fds[i], bytes, i % 3 == 0 ? len / 2 : len);
        os_shutdown(os, fds[i], SHUT_WR);
        test_node_send(&good, good_conn, 2000, i);
    }
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        expect_end(fds[i]);
    }
    test_node_wait(&server, &server.messages, ARRAY_SIZE(fds));
    test_node_wait(&server, &server.resets, ARRAY_SIZE(fds));
    finish();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bad_stream");
    TCase *tc = tcase_create("bad_stream");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, spoilt_message_ends_the_session, 0,
                        2 * (int)ARRAY_SIZE(spoilt));
    tcase_add_loop_test(tc, aborted_and_repeated_messages_are_dropped, 0, 2 * DRIVER_COUNT);
    tcase_add_loop_test(tc, message_cut_off_anywhere, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, cut_off_with_a_budget, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, keepalives_from_a_peer_that_does_not_read, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, handshake_requests_from_a_peer_that_never_reads, 0, 2);
    tcase_add_loop_test(tc, messages_to_a_standing_handler, 0, 2 * DRIVER_COUNT);
    tcase_add_loop_test(tc, a_crowd_goes_wrong, 0, DRIVER_COUNT);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
