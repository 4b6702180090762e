/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_network_stack.c: what every transport does, over network_stack.h and an event center
 * alone, so that the same cases run on each stack, world and driver of teststack.h. The
 * test's thread owns the one worker. The sixth case, stress, has a file of its own. (Ceph:
 * NetworkWorkerTest.)
 */
#include <errno.h>
#include <string.h>

#include "engine/worker.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testos.h"
#include "tests/lib/teststack.h"

static const struct test_stack *row;
static struct os *os;
static struct network_stack *stack;
static struct worker worker;
static const struct socket_options options = {.nodelay = true};
static int fds_before;

static void setup(void)
{
    fds_before = testlib_open_fds();
}

/* The fixture does not know the loop's number, so each test starts with this. */
static void open_world(int run)
{
    row = test_stack_of(run);
    os = row->os_new();
    ck_assert_int_eq(row->stack_new(os, &stack), 0);
    ck_assert_int_eq(event_center_init(&worker.center, os, 0, test_driver_of(run)), 0);
    ck_assert_int_eq(event_center_set_owner(&worker.center), 0);
}

static void teardown(void)
{
    network_stack_free(stack);
    event_center_fini(&worker.center);
    row->os_free(os);
    ck_assert_int_eq(testlib_open_fds(), fds_before);
}

/* ---- waiting, by running the center ---- */

static void note_fired(void *arg, int fd, int mask)
{
    (void)fd;
    (void)mask;
    *(bool *)arg = true;
}

static void wait_fd(int fd, int mask)
{
    bool fired = false;
    const struct file_callback cb = {.fn = note_fired, .arg = &fired};

    ck_assert_int_eq(event_center_create_file_event(&worker.center, fd, mask, &cb), 0);
    while (!fired) {
        event_center_process(&worker.center, -1);
    }
    event_center_delete_file_event(&worker.center, fd, mask);
}

static struct server_socket *listen_at(const struct entity_addr *addr,
                                       struct entity_addr *ret_addr)
{
    struct server_socket *server;

    ck_assert_int_eq(
        network_stack_listen(stack, &worker, addr, &options, &server, ret_addr), 0);
    return server;
}

static struct server_socket *listen_any(struct entity_addr *ret_addr)
{
    const struct entity_addr any = test_entity_addr(0, 7);

    return listen_at(&any, ret_addr);
}

/* A port that stays ours when nobody listens on it; the descriptor that holds it. */
static int hold_port(struct entity_addr *ret_addr)
{
    struct sockaddr_storage sa;
    int fd = test_hold_port(os, AF_INET, &sa);

    ck_assert_int_ge(fd, 0);
    *ret_addr = entity_addr_from_sockaddr(test_sockaddr(&sa), ADDR_MSGR2, 0);
    return fd;
}

static struct connected_socket *accept_one(struct server_socket *server,
                                           struct entity_addr *ret_peer)
{
    struct connected_socket *s;
    int err;

    while ((err = server_socket_accept(server, &worker, &options, &s, ret_peer)) ==
           -EAGAIN) {
        wait_fd(server_socket_fd(server), OS_READABLE);
    }
    ck_assert_int_eq(err, 0);
    return s;
}

/* 1 connected, or the negative errno of the attempt. */
static int finish_connect(struct connected_socket *s)
{
    int mask = OS_READABLE | (stack->ops->connect_wants_writable ? OS_WRITABLE : 0);
    int result;

    while ((result = connected_socket_is_connected(s)) == 0) {
        wait_fd(connected_socket_fd(s), mask);
    }
    return result;
}

static struct connected_socket *dial(const struct entity_addr *addr)
{
    struct connected_socket *s;

    ck_assert_int_eq(network_stack_connect(stack, &worker, addr, &options, &s), 0);
    return s;
}

/* Both ends of a stream. */
static void make_stream(struct connected_socket **ret_client,
                        struct connected_socket **ret_server)
{
    struct entity_addr at, peer;
    struct server_socket *server = listen_any(&at);

    *ret_client = dial(&at);
    *ret_server = accept_one(server, &peer);
    ck_assert_int_eq(finish_connect(*ret_client), 1);
    wait_fd(connected_socket_fd(*ret_client), OS_WRITABLE);
    wait_fd(connected_socket_fd(*ret_server), OS_WRITABLE);
    server_socket_close(server);
}

static void send_all(struct connected_socket *s, const void *data, size_t len)
{
    struct iovec iov = {.iov_base = (void *)data, .iov_len = len};

    while (iov.iov_len > 0) {
        ssize_t n = connected_socket_send(s, &iov, 1, false);

        ck_assert_int_ge(n, 0);
        if (n == 0) {
            wait_fd(connected_socket_fd(s), OS_WRITABLE);
        }
        iov.iov_base = (char *)iov.iov_base + n;
        iov.iov_len -= (size_t)n;
    }
}

/* What the next read gives that is not "nothing now": bytes, or a negative errno. */
static ssize_t read_some(struct connected_socket *s, void *buf, size_t len)
{
    ssize_t n;

    while ((n = connected_socket_read(s, buf, len)) == 0) {
        wait_fd(connected_socket_fd(s), OS_READABLE);
    }
    return n;
}

static void read_all(struct connected_socket *s, void *buf, size_t len)
{
    char *at = buf;

    while (len > 0) {
        ssize_t n = read_some(s, at, len);

        ck_assert_int_gt(n, 0);
        at += n;
        len -= (size_t)n;
    }
}

static ssize_t send_byte(struct connected_socket *s)
{
    const struct iovec iov = {.iov_base = (void *)"x", .iov_len = 1};

    return connected_socket_send(s, &iov, 1, false);
}

/* ---- the cases ---- */

/* Simple: listen, connect, accept, bytes both ways; nothing to read is 0; after a shutdown
 * the own send says -EPIPE and the peer reads -EPIPE. */
START_TEST(simple)
{
    struct connected_socket *client, *server;
    char buf[32];

    open_world(_i);
    make_stream(&client, &server);
    ck_assert_int_eq(connected_socket_is_connected(client), 1);
    ck_assert_int_eq(connected_socket_is_connected(server), 1);
    ck_assert_int_eq(connected_socket_read(client, buf, sizeof(buf)), 0);
    ck_assert_int_eq(connected_socket_read(server, buf, sizeof(buf)), 0);
    send_all(client, "hello, world", 12);
    read_all(server, buf, 12);
    ck_assert_int_eq(memcmp(buf, "hello, world", 12), 0);
    ck_assert_int_eq(connected_socket_read(server, buf, sizeof(buf)), 0);
    send_all(server, "and back", 8);
    read_all(client, buf, 8);
    ck_assert_int_eq(memcmp(buf, "and back", 8), 0);

    send_all(client, "last", 4);
    connected_socket_shutdown(client);
    ck_assert_int_eq(send_byte(client), -EPIPE);
    read_all(server, buf, 4); /* what was sent before still comes */
    ck_assert_int_eq(read_some(server, buf, sizeof(buf)), -EPIPE);
    ck_assert_int_eq(connected_socket_read(server, buf, sizeof(buf)), -EPIPE);
    connected_socket_close(client);
    connected_socket_close(server);
}
END_TEST

/* Addresses: the bound one keeps type and nonce and gets a port; both ends of a stream name
 * each other. */
START_TEST(addresses)
{
    struct entity_addr at, seen, peer, local, other;
    struct server_socket *server;
    struct connected_socket *client, *accepted;

    open_world(_i);
    server = listen_any(&at);
    ck_assert_uint_eq(at.type, ADDR_MSGR2);
    ck_assert_uint_eq(at.nonce, 7);
    ck_assert_uint_ne(entity_addr_port(&at), 0);
    client = dial(&at);
    accepted = accept_one(server, &seen);
    ck_assert_int_eq(finish_connect(client), 1);
    ck_assert_int_eq(connected_socket_local_addr(client, &local), 0);
    ck_assert_int_eq(connected_socket_peer_addr(accepted, &peer), 0);
    ck_assert_uint_eq(local.nonce, 0);
    ck_assert(entity_addr_equal(&local, &peer));
    ck_assert_uint_eq(entity_addr_port(&seen), entity_addr_port(&local));
    ck_assert_int_eq(connected_socket_peer_addr(client, &other), 0);
    ck_assert_uint_eq(entity_addr_port(&other), entity_addr_port(&at));
    ck_assert_int_eq(connected_socket_local_addr(accepted, &other), 0);
    ck_assert_uint_eq(entity_addr_port(&other), entity_addr_port(&at));
    connected_socket_close(client);
    connected_socket_close(accepted);
    server_socket_close(server);
}
END_TEST

/* The result of an attempt that may fail at once or later. */
static int attempt(const struct entity_addr *addr)
{
    struct connected_socket *s;
    int result = network_stack_connect(stack, &worker, addr, &options, &s);

    if (result == 0) {
        result = finish_connect(s);
        connected_socket_close(s);
    }
    return result;
}

/* ConnectFailed: a port nobody listens on refuses; an address that cannot be reached, no
 * port and no address are errors too. */
START_TEST(connect_failed)
{
    struct entity_addr at, blank = {0}, far;
    int held;

    open_world(_i);
    held = hold_port(&at);
    ck_assert_int_eq(attempt(&at), -ECONNREFUSED);
    os_close(os, held);
    far = test_entity_addr(6800, 0);
    far.in.sin_addr.s_addr = htonl(INADDR_BROADCAST); /* no stream goes there */
    ck_assert_int_lt(attempt(&far), 0);
    far = test_entity_addr(0, 0);
    ck_assert_int_lt(attempt(&far), 0);
    ck_assert_int_lt(attempt(&blank), 0);
}
END_TEST

/* Listen: an address in use is -EADDRINUSE, one that is not ours -EADDRNOTAVAIL, none at
 * all an error; a closed one is free again. */
START_TEST(listen_again)
{
    struct entity_addr at, ret, blank = {0}, far = test_entity_addr(0, 0);
    struct server_socket *server, *second;
    int held;

    open_world(_i);
    held = hold_port(&at);
    server = listen_at(&at, &ret);
    ck_assert_int_eq(network_stack_listen(stack, &worker, &at, &options, &second, &ret),
                     -EADDRINUSE);
    far.in.sin_addr.s_addr = htonl(0xc6336401) /* 198.51.100.1, for documents */;
    ck_assert_int_eq(network_stack_listen(stack, &worker, &far, &options, &second, &ret),
                     -EADDRNOTAVAIL);
    ck_assert_int_lt(network_stack_listen(stack, &worker, &blank, &options, &second, &ret),
                     0);
    server_socket_close(server);
    ck_assert_int_eq(network_stack_listen(stack, &worker, &at, &options, &second, &ret), 0);
    ck_assert(entity_addr_equal(&ret, &at));
    server_socket_close(second);
    os_close(os, held);
}
END_TEST

/* AcceptAndClose: nobody waits: -EAGAIN; an accepted socket that is closed is an end for
 * the client; after the listener is closed clients are refused. */
START_TEST(accept_and_close)
{
    struct entity_addr at, peer;
    struct server_socket *server;
    struct connected_socket *client, *accepted;
    int held;
    char c;

    open_world(_i);
    held = hold_port(&at);
    server = listen_at(&at, &peer);
    ck_assert_int_eq(server_socket_accept(server, &worker, &options, &accepted, &peer),
                     -EAGAIN);
    client = dial(&at);
    accepted = accept_one(server, &peer);
    ck_assert_int_eq(finish_connect(client), 1);
    ck_assert_int_eq(server_socket_accept(server, &worker, &options,
                                          &(struct connected_socket *){NULL}, &peer),
                     -EAGAIN);
    connected_socket_close(accepted);
    ck_assert_int_eq(read_some(client, &c, 1), -EPIPE);
    connected_socket_close(client);

    client = dial(&at); /* a client that goes before it is accepted */
    ck_assert_int_eq(finish_connect(client), 1);
    connected_socket_close(client);
    accepted = accept_one(server, &peer);
    ck_assert_int_lt(read_some(accepted, &c, 1), 0);
    connected_socket_close(accepted);

    server_socket_close(server);
    ck_assert_int_eq(attempt(&at), -ECONNREFUSED);
    os_close(os, held);
}
END_TEST

enum { HALF = 1 << 20 };

static void fill(uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] = testlib_pattern(3, i);
    }
}

/* Sends until the peer's silence takes no more, or all is gone; returns how much. */
static size_t send_until_stopped(struct connected_socket *s, const uint8_t *bytes,
                                 size_t len)
{
    size_t sent = 0;
    ssize_t n;

    do {
        struct iovec iov[2] = {
            {.iov_base = (void *)(bytes + sent), .iov_len = (len - sent) / 2},
            {.iov_base = (void *)(bytes + sent + (len - sent) / 2),
             .iov_len = len - sent - (len - sent) / 2}};

        n = connected_socket_send(s, iov, 2, true);
        ck_assert_int_ge(n, 0);
        sent += (size_t)n;
    } while (n > 0 && sent < len);
    return sent;
}

/* Complex: two megabytes to a peer that does not read yet. Send takes a part and then 0;
 * while the peer reads, writable events come until all is sent; every byte arrives, in
 * order. */
START_TEST(complex_with_back_pressure)
{
    uint8_t *out = malloc(2 * HALF), *in = malloc(2 * HALF);
    struct connected_socket *client, *server;
    size_t sent, received = 0;

    open_world(_i);
    make_stream(&client, &server);
    ck_assert(out != NULL && in != NULL);
    fill(out, 2 * HALF);
    sent = 0;
    for (int half = 0; half < 2; half++) {
        sent += send_until_stopped(client, out + sent, (size_t)(half + 1) * HALF - sent);
    }
    while (received < 2 * HALF) {
        ssize_t n = connected_socket_read(server, in + received, 2 * HALF - received);

        ck_assert_int_ge(n, 0);
        received += (size_t)n;
        if (sent < 2 * HALF) {
            sent += send_until_stopped(client, out + sent, 2 * HALF - sent);
        }
        if (n == 0 && received < 2 * HALF) {
            wait_fd(connected_socket_fd(server), OS_READABLE);
        }
    }
    ck_assert_uint_eq(sent, 2 * HALF);
    ck_assert_int_eq(memcmp(in, out, 2 * HALF), 0);
    ck_assert_int_eq(connected_socket_read(server, in, 1), 0);
    connected_socket_close(client);
    connected_socket_close(server);
    free(out);
    free(in);
}
END_TEST

static void count_fired(void *arg, int fd, int mask)
{
    (void)fd;
    (void)mask;
    ++*(int *)arg;
}

/* Back-pressure is visible: with small buffers a send of a megabyte is cut, the socket is
 * not writable, and a writable event comes once the peer has read. */
START_TEST(writable_comes_after_back_pressure)
{
    const struct socket_options small = {.rcvbuf = 16384, .sndbuf = 16384};
    struct entity_addr any = test_entity_addr(0, 0), at, peer;
    uint8_t *bytes = malloc(HALF), *in = malloc(HALF);
    struct connected_socket *client, *accepted;
    struct server_socket *server;
    int writable = 0;
    const struct file_callback cb = {.fn = count_fired, .arg = &writable};
    size_t sent;

    open_world(_i);
    ck_assert(bytes != NULL && in != NULL);
    fill(bytes, HALF);
    ck_assert_int_eq(network_stack_listen(stack, &worker, &any, &small, &server, &at), 0);
    ck_assert_int_eq(network_stack_connect(stack, &worker, &at, &small, &client), 0);
    accepted = accept_one(server, &peer);
    ck_assert_int_eq(finish_connect(client), 1);
    wait_fd(connected_socket_fd(client), OS_WRITABLE);
    sent = send_until_stopped(client, bytes, HALF);
    if (row->back_pressure) {
        ck_assert_uint_lt(sent, HALF);
        ck_assert_int_eq(event_center_create_file_event(
                             &worker.center, connected_socket_fd(client), OS_WRITABLE, &cb),
                         0);
        event_center_process(&worker.center, 0);
        ck_assert_int_eq(writable, 0);
        read_all(accepted, in, sent);
        while (writable == 0) {
            event_center_process(&worker.center, -1);
        }
        event_center_delete_file_event(&worker.center, connected_socket_fd(client),
                                       OS_WRITABLE);
        ck_assert_int_eq(memcmp(in, bytes, sent), 0);
    }
    connected_socket_close(client);
    connected_socket_close(accepted);
    server_socket_close(server);
    free(bytes);
    free(in);
}
END_TEST

/* A send of more pieces than the system takes at once sends a part of them, in order. */
START_TEST(more_pieces_than_the_system_takes)
{
    static struct iovec iov[OS_IOV_MAX + 100];
    static uint8_t bytes[OS_IOV_MAX + 100], in[OS_IOV_MAX + 100];
    struct connected_socket *client, *server;
    ssize_t n;

    open_world(_i);
    make_stream(&client, &server);
    fill(bytes, sizeof(bytes));
    for (size_t i = 0; i < ARRAY_SIZE(iov); i++) {
        iov[i] = (struct iovec){.iov_base = &bytes[i], .iov_len = 1};
    }
    n = connected_socket_send(client, iov, ARRAY_SIZE(iov), false);
    ck_assert_int_gt(n, 0);
    read_all(server, in, (size_t)n);
    ck_assert_int_eq(memcmp(in, bytes, (size_t)n), 0);
    connected_socket_close(client);
    connected_socket_close(server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("network_stack");
    TCase *tc = tcase_create("every stack, every driver");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, simple, 0, TEST_STACK_RUNS);
    tcase_add_loop_test(tc, addresses, 0, TEST_STACK_RUNS);
    tcase_add_loop_test(tc, connect_failed, 0, TEST_STACK_RUNS);
    tcase_add_loop_test(tc, listen_again, 0, TEST_STACK_RUNS);
    tcase_add_loop_test(tc, accept_and_close, 0, TEST_STACK_RUNS);
    tcase_add_loop_test(tc, complex_with_back_pressure, 0, TEST_STACK_RUNS);
    tcase_add_loop_test(tc, writable_comes_after_back_pressure, 0, TEST_STACK_RUNS);
    tcase_add_loop_test(tc, more_pieces_than_the_system_takes, 0, TEST_STACK_RUNS);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
