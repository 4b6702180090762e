/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_network_stress.c: the sixth network-stack case: two workers, 16 clients on each,
 * 10,000 messages of random size in all, echoed and compared byte by byte, on each stack,
 * world and driver of teststack.h. The listener is on worker 0 and deals what it accepts to
 * both. (Ceph: NetworkWorkerTest.StressTest.)
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "engine/worker.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testos.h"
#include "tests/lib/teststack.h"

enum {
    WORKERS = 2,
    CLIENTS_PER_WORKER = 16,
    CLIENTS = WORKERS * CLIENTS_PER_WORKER,
    MESSAGES = 10000,
    MESSAGE_BYTES = 1 << 15,
};

static const struct socket_options options = {.nodelay = true};

struct stress {
    struct os *os;
    struct network_stack *stack;
    struct worker_pool *pool;
    struct server_socket *server; /* worker 0's */
    struct entity_addr at;
    int accepted; /* worker 0's */
    struct os_mutex *lock;
    struct os_cond *cond;
    int live; /* clients and echoes not closed yet; under lock */
    _Atomic uint64_t messages, bytes, wrong;
};

/* The client end, or the echoing end, of a stream; its worker's alone. */
struct end {
    struct stress *stress;
    struct worker *worker;
    struct connected_socket *socket;
    struct external_event start;
    int watching;
    /* An echo holds the bytes it could not send back yet; a client its message. */
    uint8_t bytes[MESSAGE_BYTES];
    size_t len, sent, received;
    /* Clients only. */
    struct test_random random;
    uint64_t seed;
    int left;
    bool connected;
};

static void end_watch(struct end *e, int mask, void (*fn)(void *arg, int fd, int mask))
{
    const struct file_callback cb = {.fn = fn, .arg = e};
    int fd = connected_socket_fd(e->socket);

    if (e->watching & ~mask) {
        event_center_delete_file_event(&e->worker->center, fd, e->watching & ~mask);
    }
    if (mask & ~e->watching) {
        CHECK(event_center_create_file_event(&e->worker->center, fd, mask & ~e->watching,
                                             &cb) == 0);
    }
    e->watching = mask;
}

static void end_close(struct end *e)
{
    struct stress *stress = e->stress;

    end_watch(e, 0, NULL);
    connected_socket_close(e->socket);
    free(e);
    os_lock(stress->os, stress->lock);
    stress->live--;
    os_cond_signal(stress->os, stress->cond);
    os_unlock(stress->os, stress->lock);
}

/* Sends what is left of bytes[0, len). False: the stack takes no more now. */
static bool end_send(struct end *e)
{
    while (e->sent < e->len) {
        const struct iovec iov = {.iov_base = e->bytes + e->sent,
                                  .iov_len = e->len - e->sent};
        ssize_t n = connected_socket_send(e->socket, &iov, 1, false);

        CHECK(n >= 0);
        if (n == 0) {
            return false;
        }
        e->sent += (size_t)n;
    }
    return true;
}

/* ---- the echo ---- */

/* Reads only while nothing waits to be sent back. */
static void echo_event(void *arg, int fd, int mask)
{
    struct end *e = arg;
    ssize_t n;

    (void)fd;
    (void)mask;
    while (end_send(e)) {
        n = connected_socket_read(e->socket, e->bytes, sizeof(e->bytes));
        if (n == -EPIPE) {
            end_close(e);
            return;
        }
        CHECK(n >= 0);
        if (n == 0) {
            end_watch(e, OS_READABLE, echo_event);
            return;
        }
        e->len = (size_t)n;
        e->sent = 0;
    }
    end_watch(e, OS_WRITABLE, echo_event);
}

static void echo_start(void *arg)
{
    struct end *e = arg;

    end_watch(e, OS_READABLE, echo_event);
}

static void accept_event(void *arg, int fd, int mask)
{
    struct stress *stress = arg;
    struct connected_socket *socket;
    struct entity_addr peer;
    int err;

    (void)fd;
    (void)mask;
    for (;;) {
        struct worker *w =
            worker_pool_at(stress->pool, (uint32_t)stress->accepted % WORKERS);
        struct end *e;

        err = server_socket_accept(stress->server, w, &options, &socket, &peer);
        if (err == -EAGAIN) {
            return;
        }
        CHECK(err == 0);
        stress->accepted++;
        e = calloc(1, sizeof(*e));
        CHECK(e != NULL);
        e->stress = stress;
        e->worker = w;
        e->socket = socket;
        external_event_init(&e->start, "echo", echo_start, e);
        event_center_post(&w->center, &e->start);
    }
}

/* ---- the clients ---- */

static void client_next_message(struct end *e)
{
    /* Small ones are frequent, large ones happen. */
    size_t most = (size_t)1 << testlib_random_below(&e->random, 16);

    e->len = 1 + (size_t)testlib_random_below(&e->random, most);
    e->sent = e->received = 0;
    e->seed = testlib_random(&e->random);
    for (size_t i = 0; i < e->len; i++) {
        e->bytes[i] = testlib_pattern(e->seed, i);
    }
}

/* Compares what came back; true when the message is complete. */
static bool client_receive(struct end *e)
{
    uint8_t in[4096];
    uint64_t wrong = 0;
    ssize_t n;

    while (e->received < e->len) {
        n = connected_socket_read(e->socket, in, MIN(sizeof(in), e->len - e->received));
        CHECK(n >= 0);
        if (n == 0) {
            return false;
        }
        for (size_t i = 0; i < (size_t)n; i++) {
            wrong += in[i] != testlib_pattern(e->seed, e->received + i);
        }
        e->received += (size_t)n;
    }
    atomic_fetch_add(&e->stress->wrong, wrong);
    atomic_fetch_add(&e->stress->bytes, e->len);
    atomic_fetch_add(&e->stress->messages, 1);
    return true;
}

static void client_event(void *arg, int fd, int mask)
{
    struct end *e = arg;
    bool wants_writable = e->stress->stack->ops->connect_wants_writable;

    (void)fd;
    (void)mask;
    if (!e->connected) {
        int result = connected_socket_is_connected(e->socket);

        CHECK(result >= 0);
        if (result == 0) {
            end_watch(e, OS_READABLE | (wants_writable ? OS_WRITABLE : 0), client_event);
            return;
        }
        e->connected = true;
        client_next_message(e);
    }
    for (;;) {
        bool all_sent = end_send(e);

        if (!client_receive(e)) {
            end_watch(e, OS_READABLE | (all_sent ? 0 : OS_WRITABLE), client_event);
            return;
        }
        if (--e->left == 0) {
            end_close(e);
            return;
        }
        client_next_message(e);
    }
}

static void client_start(void *arg)
{
    struct end *e = arg;

    CHECK(network_stack_connect(e->stress->stack, e->worker, &e->stress->at, &options,
                                &e->socket) == 0);
    client_event(e, -1, 0);
}

static void start_clients(struct stress *stress)
{
    for (int i = 0; i < CLIENTS; i++) {
        struct end *e = calloc(1, sizeof(*e));

        ck_assert_ptr_nonnull(e);
        e->stress = stress;
        e->worker = worker_pool_at(stress->pool, (uint32_t)(i / CLIENTS_PER_WORKER));
        e->random.state = (uint64_t)i;
        e->left = MESSAGES / CLIENTS + (i < MESSAGES % CLIENTS);
        external_event_init(&e->start, "client", client_start, e);
        event_center_post(&e->worker->center, &e->start);
    }
}

/* ---- the case ---- */

static void start_server(void *arg)
{
    struct stress *stress = arg;
    struct worker *w = worker_pool_at(stress->pool, 0);
    struct entity_addr any = test_entity_addr(0, 0);
    const struct file_callback cb = {.fn = accept_event, .arg = stress};

    CHECK(network_stack_listen(stress->stack, w, &any, &options, &stress->server,
                               &stress->at) == 0);
    CHECK(event_center_create_file_event(&w->center, server_socket_fd(stress->server),
                                         OS_READABLE, &cb) == 0);
}

static void stop_server(void *arg)
{
    struct stress *stress = arg;
    struct worker *w = worker_pool_at(stress->pool, 0);

    event_center_delete_file_event(&w->center, server_socket_fd(stress->server),
                                   OS_READABLE);
    server_socket_close(stress->server);
}

static void run_stress(struct stress *stress)
{
    struct event_center *first = &worker_pool_at(stress->pool, 0)->center;

    event_center_submit(first, start_server, stress);
    stress->live = 2 * CLIENTS;
    start_clients(stress);
    os_lock(stress->os, stress->lock);
    while (stress->live > 0) {
        os_cond_wait(stress->os, stress->cond, stress->lock, -1);
    }
    os_unlock(stress->os, stress->lock);
    event_center_submit(first, stop_server, stress);
}

/* Every message comes back as it was sent, every stream ends, nothing is left open. */
START_TEST(ten_thousand_echoes)
{
    const struct test_stack *row = test_stack_of(_i);
    int fds_before = testlib_open_fds();
    struct stress stress = {.os = row->os_new()};

    ck_assert_int_eq(row->stack_new(stress.os, &stress.stack), 0);
    ck_assert_int_eq(worker_pool_new(stress.os, WORKERS, test_driver_of(_i), &stress.pool),
                     0);
    ck_assert_int_eq(worker_pool_start(stress.pool), 0);
    stress.lock = os_mutex_new(stress.os, "stress");
    stress.cond = os_cond_new(stress.os, "stress");
    run_stress(&stress);
    worker_pool_drain(stress.pool);
    worker_pool_stop(stress.pool);
    ck_assert_uint_eq(stress.messages, MESSAGES);
    ck_assert_uint_eq(stress.wrong, 0);
    ck_assert_uint_ge(stress.bytes, MESSAGES);
    ck_assert_int_eq(stress.accepted, CLIENTS);
    worker_pool_free(stress.pool);
    os_cond_free(stress.os, stress.cond);
    os_mutex_free(stress.os, stress.lock);
    network_stack_free(stress.stack);
    row->os_free(stress.os);
    ck_assert_int_eq(testlib_open_fds(), fds_before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("network_stress");
    TCase *tc = tcase_create("every stack, every driver");

    tcase_add_loop_test(tc, ten_thousand_echoes, 0, TEST_STACK_RUNS);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
