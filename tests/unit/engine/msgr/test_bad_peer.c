/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_bad_peer.c: peers that speak garbage, or nothing. Whatever comes, the connection is
 * closed with a traced reason, nothing leaks, and a good client on the same messenger goes
 * on as if nothing had happened.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/base/crc32c.h"
#include "engine/proto/frames.h"
#include "engine/trace.h"
#include "engine/util.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testnode.h"
#include "tests/lib/testos.h"
#include "viz/trace/trace_reader.h"

static struct test_node server, good;
static struct connection *good_conn;
static struct os *os; /* the bad peer's */
static struct entity_addrvec addrs;
static struct trace *trace;
static char trace_path[64];
static int fds_before, good_sent;
static atomic_int accept_errors; /* recorded so far */

static void count_accept_errors(void *arg, const struct trace_record *record,
                                const struct trace_name *name)
{
    (void)arg;
    (void)name;
    if (record != NULL && record->kind == TP_ACCEPT_ERROR) {
        atomic_fetch_add(&accept_errors, 1);
    }
}

static void start(const struct messenger_opts *opts)
{
    const struct trace_opts trace_opts = {.mode = TRACE_STREAM,
                                          .on_record = count_accept_errors};
    const char *why;
    int fd;

    atomic_store(&accept_errors, 0);
    fds_before = testlib_open_fds();
    strcpy(trace_path, "/tmp/bad_peer.XXXXXX");
    fd = mkstemp(trace_path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(trace_open(trace_path, &trace_opts, &trace, &why), 0);
    os = test_os_new();
    test_node_init(&server, 1, opts);
    server.os->trace = trace;
    test_node_policy(&server, "stateless_server");
    test_node_bind(&server, "v2:127.0.0.1:0");
    test_node_start(&server);
    messenger_addrs(server.m, &addrs);
    test_node_client(&good, 2);
    good_conn = test_node_dial(&good, &server);
    good_sent = 0;
}

/* The good client still gets through. */
static void check_good_client(void)
{
    test_node_send(&good, good_conn, 1000, 1);
    test_node_wait(&server, &server.messages, ++good_sent);
}

/* Ends everything; returns how many CONN_FAULT records give `why` as their reason. */
static int finish(const char *why)
{
    struct trace_reader *reader;
    char error[200];
    int found = 0;

    check_good_client();
    ck_assert_int_eq(test_node_count(&good, &good.resets), 0);
    conn_unref(good_conn);
    test_node_fini(&good);
    test_node_fini(&server);
    test_os_free(os);
    ck_assert_int_eq(trace_close(trace), 0);
    ck_assert_msg(trace_reader_open(trace_path, &reader, error, sizeof(error)) == 0, "%s",
                  error);
    for (size_t i = 0; i < trace_reader_count(reader); i++) {
        const struct trace_record *r = trace_reader_record(reader, i);

        if (r->kind == TP_CONN_FAULT) {
            found += strcmp(trace_reader_string(reader, (uint32_t)r->a0), why) == 0;
        }
    }
    trace_reader_close(reader);
    unlink(trace_path);
    ck_assert_int_eq(testlib_open_fds(), fds_before);
    return found;
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

/* Reads until the server ends the stream. */
static void expect_close(int fd)
{
    char buf[4096];

    while (test_recv_some(os, fd, buf, sizeof(buf)) > 0) {
    }
    os_close(os, fd);
}

/* ---- a legal peer, up to some point ---- */

enum phase { AT_BANNER, AT_HELLO, AT_AUTH, AT_SIGNATURE, AT_IDENT, AT_READY };

static void put_frame(struct wire_writer *w, enum frame_tag tag,
                      const struct wire_writer *payload)
{
    size_t len = frame_control_encode(tag, true, payload->start, wire_written(payload),
                                      w->at, (size_t)(w->end - w->at));

    ck_assert_uint_gt(len, 0);
    w->at += len;
}

static void put_auth_request(struct wire_writer *w)
{
    const struct auth_none_request none = {.mode = 1, .entity_type = ENTITY_OSD, .id = "9"};
    struct frame_auth_request f = {.method = 1, .modes_n = 1, .modes = {1}};
    uint8_t a[128], b[256];
    struct wire_writer nw = wire_writer(a, sizeof(a)), p = wire_writer(b, sizeof(b));

    auth_none_request_encode(&nw, &none);
    f.payload = a;
    f.payload_len = wire_written(&nw);
    frame_auth_request_encode(&p, &f);
    put_frame(w, TAG_AUTH_REQUEST, &p);
}

static void put_client_ident(struct wire_writer *w)
{
    struct frame_client_ident f = {.target = addrs.v[0],
                                   .gid = 9,
                                   .global_seq = 1,
                                   .supported = FEATURES_SUPPORTED,
                                   .required = FEATURES_REQUIRED,
                                   .flags = IDENT_FLAG_LOSSY};
    uint8_t b[1024];
    struct wire_writer p = wire_writer(b, sizeof(b));

    f.addrs.n = 1;
    f.addrs.v[0] = addrs.v[0];
    f.addrs.v[0].nonce = 99;
    frame_client_ident_encode(&p, &f);
    put_frame(w, TAG_CLIENT_IDENT, &p);
}

/* Everything a good peer says before `phase`; the server never has to be waited for. */
static void put_legal(struct wire_writer *w, enum phase phase)
{
    const struct banner banner = {.supported = MSGR2_FEATURE_REVISION_1};
    const struct frame_hello hello = {.entity_type = ENTITY_OSD, .peer_addr = addrs.v[0]};
    const struct frame_auth_signature signature = {{0}};
    uint8_t b[256];
    struct wire_writer p = wire_writer(b, sizeof(b));

    if (phase > AT_BANNER) {
        banner_encode(w->at, &banner);
        w->at += BANNER_BYTES;
    }
    if (phase > AT_HELLO) {
        frame_hello_encode(&p, &hello);
        put_frame(w, TAG_HELLO, &p);
    }
    if (phase > AT_AUTH) {
        put_auth_request(w);
    }
    if (phase > AT_SIGNATURE) {
        p = wire_writer(b, sizeof(b));
        frame_auth_signature_encode(&p, &signature);
        put_frame(w, TAG_AUTH_SIGNATURE, &p);
    }
    if (phase > AT_IDENT) {
        put_client_ident(w);
    }
}

/* ---- what bad peers say ---- */

static void say_http(struct wire_writer *w)
{
    wire_put_bytes(w, "GET / HTTP/1.1\r\n\r\n", 18);
}

static void say_v1(struct wire_writer *w)
{
    wire_put_bytes(w, "ceph v027\0\0\0\0\0\0\0", 16);
}

static void say_long_banner(struct wire_writer *w)
{
    wire_put_bytes(w, "ceph v2\n\xff\xff", 10);
}

static void say_required(struct wire_writer *w)
{
    const struct banner banner = {.supported = 1, .required = 1ULL << 40};

    banner_encode(w->at, &banner);
    w->at += BANNER_BYTES;
}

static void say_keepalive(struct wire_writer *w)
{
    const struct frame_keepalive f = {1, 2};
    uint8_t b[8];
    struct wire_writer p = wire_writer(b, sizeof(b));

    frame_keepalive_encode(&p, &f);
    put_frame(w, TAG_KEEPALIVE2, &p);
}

static void say_hello_again(struct wire_writer *w)
{
    const struct frame_hello hello = {.entity_type = ENTITY_OSD, .peer_addr = addrs.v[0]};
    uint8_t b[256];
    struct wire_writer p = wire_writer(b, sizeof(b));

    frame_hello_encode(&p, &hello);
    put_frame(w, TAG_HELLO, &p);
}

static void say_bad_preamble_crc(struct wire_writer *w)
{
    say_keepalive(w);
    w->at[-44 + 10] ^= 1; /* inside the preamble: 32 + 8 + 4 bytes */
}

static void say_bad_segment_crc(struct wire_writer *w)
{
    say_keepalive(w);
    w->at[-1] ^= 1;
}

static void put_preamble(struct wire_writer *w, uint8_t tag, uint8_t segments,
                         const uint32_t len[4])
{
    struct preamble p = {.tag = tag, .segments = segments, .align = {8, 8, 8, 8}};

    memcpy(p.len, len, sizeof(p.len));
    preamble_encode(w->at, &p);
    w->at += PREAMBLE_BYTES;
}

static void say_unknown_tag(struct wire_writer *w)
{
    put_preamble(w, 99, 1, (const uint32_t[4]){8});
}

static void say_huge_control(struct wire_writer *w)
{
    put_preamble(w, TAG_HELLO, 1, (const uint32_t[4]){0xffffffff});
}

static void say_huge_message(struct wire_writer *w)
{
    put_preamble(w, TAG_MESSAGE, 4,
                 (const uint32_t[4]){41, 0xffffffff, 0xffffffff, 0xffffffff});
}

static void say_short_header(struct wire_writer *w)
{
    put_preamble(w, TAG_MESSAGE, 1, (const uint32_t[4]){40});
}

static void say_control_in_pieces(struct wire_writer *w)
{
    put_preamble(w, TAG_ACK, 2, (const uint32_t[4]){8, 8});
}

static void say_server_ident(struct wire_writer *w)
{
    uint8_t b[8] = {0};
    struct wire_writer p = wire_writer(b, sizeof(b));

    wire_put_u64(&p, 1);
    put_frame(w, TAG_SERVER_IDENT, &p);
}

static void say_message(struct wire_writer *w)
{
    put_preamble(w, TAG_MESSAGE, 1, (const uint32_t[4]){41});
}

static void say_wrong_signature(struct wire_writer *w)
{
    const struct frame_auth_signature f = {{1}};
    uint8_t b[64];
    struct wire_writer p = wire_writer(b, sizeof(b));

    frame_auth_signature_encode(&p, &f);
    put_frame(w, TAG_AUTH_SIGNATURE, &p);
}

static void say_cut_ident(struct wire_writer *w)
{
    uint8_t b[9] = {2, 1};
    struct wire_writer p = {.start = b, .at = b + sizeof(b), .end = b + sizeof(b)};

    put_frame(w, TAG_CLIENT_IDENT, &p);
}

static void say_wrong_target(struct wire_writer *w)
{
    struct entity_addr right = addrs.v[0];

    addrs.v[0].nonce++;
    put_client_ident(w);
    addrs.v[0] = right;
}

static void say_future_ack(struct wire_writer *w)
{
    uint8_t b[8];
    struct wire_writer p = wire_writer(b, sizeof(b));

    wire_put_u64(&p, 1000);
    put_frame(w, TAG_ACK, &p);
}

static const struct {
    enum phase phase;
    void (*say)(struct wire_writer *w);
    const char *why; /* what CONN_FAULT must say */
} cases[] = {
    {AT_BANNER, say_http, "no msgr2 banner: the peer speaks HTTP"},
    {AT_BANNER, say_v1, "no msgr2 banner: the peer speaks msgr1 (v1 port?)"},
    {AT_BANNER, say_long_banner, "banner payload longer than 4096 bytes"},
    {AT_BANNER, say_required, "the peer requires msgr2 features we lack"},
    {AT_HELLO, say_keepalive, "frame not legal in this state"},
    {AT_HELLO, say_message, "frame not legal in this state"},
    {AT_HELLO, say_huge_control, "control frame too long"},
    {AT_HELLO, say_unknown_tag, "unknown frame tag"},
    {AT_HELLO, say_bad_preamble_crc, "preamble crc mismatch"},
    {AT_AUTH, say_hello_again, "frame not legal in this state"},
    {AT_SIGNATURE, say_wrong_signature, "AUTH_SIGNATURE does not match"},
    {AT_IDENT, say_keepalive, "frame not legal in this state"},
    {AT_IDENT, say_cut_ident, "bad CLIENT_IDENT"},
    {AT_IDENT, say_wrong_target, "CLIENT_IDENT for an address that is not ours"},
    {AT_READY, say_bad_segment_crc, "segment 0 crc mismatch"},
    {AT_READY, say_huge_message, "message too long"},
    {AT_READY, say_short_header, "message header of a wrong length"},
    {AT_READY, say_control_in_pieces, "control frame with several segments"},
    {AT_READY, say_server_ident, "frame not legal in this state"},
    {AT_READY, say_future_ack, "ACK for a message that was never sent"},
    {AT_READY, say_unknown_tag, "unknown frame tag"},
};

/* Each kind of garbage ends its connection with the reason that fits. */
START_TEST(garbage_ends_the_connection_with_a_reason)
{
    uint8_t bytes[4096];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));
    int fd;

    start(NULL);
    fd = dial();
    put_legal(&w, cases[_i].phase);
    cases[_i].say(&w);
    test_send_all(os, fd, bytes, wire_written(&w));
    expect_close(fd);
    ck_assert_int_ge(finish(cases[_i].why), 1);
}
END_TEST

/* A peer that goes away in the middle of anything costs nothing. */
START_TEST(cut_off_anywhere)
{
    uint8_t bytes[4096];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    start(NULL);
    put_legal(&w, AT_READY);
    for (size_t len = 0; len <= wire_written(&w); len += 3) {
        int fd = dial();

        test_send_all(os, fd, bytes, len);
        os_shutdown(os, fd, SHUT_WR);
        expect_close(fd);
    }
    ck_assert_int_ge(finish("the peer closed the connection"), 1);
}
END_TEST

/* Slow is not wrong: a legal peer that sends byte by byte gets its session. */
START_TEST(byte_by_byte_is_legal)
{
    uint8_t bytes[4096];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));
    int fd;

    start(NULL);
    fd = dial();
    put_legal(&w, AT_READY);
    os_set_option(os, fd, OS_SO_NODELAY, 1);
    for (size_t i = 0; i < wire_written(&w); i++) {
        test_send_all(os, fd, bytes + i, 1);
    }
    test_node_wait(&server, &server.accepts, 2); /* the good client's and this one */
    os_close(os, fd);
    finish("");
}
END_TEST

/* Half-open peers, silent or stuck in the handshake, are dropped after ready_timeout. */
START_TEST(half_open_peers_time_out)
{
    const struct messenger_opts opts = {.ready_timeout_ns = 50 * NSEC_PER_MSEC};
    uint8_t bytes[4096];
    int fds[AT_READY];

    start(&opts);
    check_good_client(); /* its own handshake is through */
    for (int phase = AT_BANNER; phase < AT_READY; phase++) {
        struct wire_writer w = wire_writer(bytes, sizeof(bytes));

        fds[phase] = dial();
        put_legal(&w, (enum phase)phase);
        test_send_all(os, fds[phase], bytes, wire_written(&w));
    }
    for (int phase = AT_BANNER; phase < AT_READY; phase++) {
        expect_close(fds[phase]);
    }
    ck_assert_int_ge(finish("handshake took too long"), AT_READY);
}
END_TEST

/* No more than accepting_max peers are in the handshake; the others wait in the backlog and
 * are served when there is room. */
START_TEST(handshakes_are_bounded)
{
    const struct messenger_opts opts = {.accepting_max = 4,
                                        .ready_timeout_ns = 50 * NSEC_PER_MSEC};
    struct messenger_stats stats;
    int fds[12];

    start(&opts);
    check_good_client();
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = dial();
    }
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        messenger_stats(server.m, &stats);
        ck_assert_uint_le(stats.accepting, 4);
        expect_close(fds[i]); /* each is accepted some time, and times out */
    }
    finish("");
}
END_TEST

/* Hundreds of bad peers at once do not disturb the good one. */
START_TEST(a_crowd_of_bad_peers)
{
    uint8_t bytes[4096];
    int fds[50];

    start(NULL);
    for (int round = 0; round < 10; round++) {
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
            size_t n = (size_t)round * ARRAY_SIZE(fds) + i;
            struct wire_writer w = wire_writer(bytes, sizeof(bytes));

            fds[i] = dial();
            put_legal(&w, cases[n % ARRAY_SIZE(cases)].phase);
            cases[n % ARRAY_SIZE(cases)].say(&w);
            test_send_all(os, fds[i], bytes, wire_written(&w));
        }
        check_good_client();
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
            expect_close(fds[i]);
        }
    }
    ck_assert_int_ge(finish("unknown frame tag"), 20);
}
END_TEST

/* Without descriptors accepting pauses, says so, and goes on when there are some again. */
START_TEST(accept_survives_emfile)
{
    struct rlimit limit, low;
    uint8_t bytes[4096];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));
    int fd;

    start(NULL);
    check_good_client();
    put_legal(&w, AT_READY);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    fd = os_socket(os, AF_INET); /* the lowest free number: the limit goes right above it */
    low = limit;
    low.rlim_cur = (rlim_t)fd + 1;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    ck_assert_int_lt(os_connect(os, fd, &addrs.v[0].sa, entity_addr_socklen(&addrs.v[0])),
                     1);
    test_wait_fd(os, fd, POLLOUT); /* the kernel accepted; the listener cannot */
    test_send_all(os, fd, bytes, wire_written(&w));
    while (atomic_load(&accept_errors) == 0) { /* another worker than the good client's */
        os_poll(os, NULL, 0, NSEC_PER_MSEC);
    }
    check_good_client();
    ck_assert_int_eq(test_node_count(&server, &server.accepts), 1);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    test_node_wait(&server, &server.accepts, 2);
    os_close(os, fd);
    finish("");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bad_peer");
    TCase *tc = tcase_create("bad_peer");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, garbage_ends_the_connection_with_a_reason, 0,
                        (int)ARRAY_SIZE(cases));
    tcase_add_test(tc, cut_off_anywhere);
    tcase_add_test(tc, byte_by_byte_is_legal);
    tcase_add_test(tc, half_open_peers_time_out);
    tcase_add_test(tc, handshakes_are_bounded);
    tcase_add_test(tc, a_crowd_of_bad_peers);
    tcase_add_test(tc, accept_survives_emfile);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
