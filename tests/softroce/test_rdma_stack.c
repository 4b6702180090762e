/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_rdma_stack.c: what the RDMA stack promises beyond a byte stream, on real verbs: the
 * places where Ceph's is known to be weak (stacks/rdma/README.md lists them). Two stacks on
 * one device, one thread that runs one event center.
 *
 * Needs a device (make check-softroce); elsewhere it is skipped. MSGRLAB_TEST_DEVICE and
 * MSGRLAB_TEST_RDMA as for the network-stack tests.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/worker.h"
#include "stacks/rdma/rdma_impl.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testos.h"
#include "tests/lib/teststack.h"

/* Small and quick: everything runs out soon, and retries end. */
#define SMALL                                                                              \
    "buffer_size=4096,send_buffers=16,receive_queue_len=16,receive_buffers=64,"            \
    "polling_us=0,timeout=14,retry_cnt=1,min_rnr_timer=1,linger_ms=2000"

static struct os *os;
static struct worker worker;
static const struct socket_options options;
static int fds_before;

struct end {
    struct rdma_stack *stack;
    struct network_stack *base;
    struct connected_socket *socket;
};
static struct end a, b; /* a dials */

static int make_stack(const char *more, struct network_stack **ret)
{
    const char *env = getenv("MSGRLAB_TEST_RDMA"), *device = getenv("MSGRLAB_TEST_DEVICE");
    struct rdma_opts opts;
    struct verbs *verbs;
    const char *reason;
    char why[500] = "";
    int err;

    rdma_opts_init(&opts);
    ck_assert_int_eq(rdma_opts_parse(&opts, SMALL, &reason), 0);
    ck_assert_int_eq(rdma_opts_parse(&opts, env == NULL ? "" : env, &reason), 0);
    ck_assert_int_eq(rdma_opts_parse(&opts, more, &reason), 0);
    if (device != NULL) {
        rdma_opts_set(&opts, "device_name", device);
    }
    ck_assert_int_eq(verbs_rdmacore_new(os, &verbs), 0);
    err = rdma_stack_new(os, verbs, &opts, ret, why, sizeof(why));
    if (err < 0) {
        fprintf(stderr, "rdma: %s\n", why);
    }
    return err;
}

static void setup(void)
{
    fds_before = testlib_open_fds();
    os = test_os_new();
    memset(&worker, 0, sizeof(worker));
    ck_assert_int_eq(event_center_init(&worker.center, os, 0, DRIVER_EPOLL), 0);
    ck_assert_int_eq(event_center_set_owner(&worker.center), 0);
}

static void close_end(struct end *e)
{
    if (e->socket != NULL) {
        connected_socket_close(e->socket);
        e->socket = NULL;
    }
}

/* Every chunk, queue pair and descriptor is where it belongs. */
static void free_end(struct end *e)
{
    close_end(e);
    if (e->base != NULL) {
        network_stack_free(e->base); /* CHECKs the pools */
    }
    *e = (struct end){0};
}

static void teardown(void)
{
    free_end(&a);
    free_end(&b);
    event_center_fini(&worker.center);
    test_os_free(os);
    ck_assert_int_eq(testlib_open_fds(), fds_before);
}

static void make_ends(const char *more_a, const char *more_b)
{
    ck_assert_int_eq(make_stack(more_a, &a.base), 0);
    ck_assert_int_eq(make_stack(more_b, &b.base), 0);
    a.stack = container_of(a.base, struct rdma_stack, base);
    b.stack = container_of(b.base, struct rdma_stack, base);
}

/* ---- running the center ---- */

static void nothing(void *arg, int fd, int mask)
{
    (void)fd;
    (void)mask;
    *(bool *)arg = true;
}

static void wait_fd(int fd, int mask)
{
    bool fired = false;
    const struct file_callback cb = {.fn = nothing, .arg = &fired};

    ck_assert_int_eq(event_center_create_file_event(&worker.center, fd, mask, &cb), 0);
    while (!fired) {
        event_center_process(&worker.center, -1);
    }
    event_center_delete_file_event(&worker.center, fd, mask);
}

static struct server_socket *listen_at(struct end *e, struct entity_addr *ret)
{
    const struct entity_addr any = test_entity_addr(0, 0);
    struct server_socket *server;

    ck_assert_int_eq(network_stack_listen(e->base, &worker, &any, &options, &server, ret),
                     0);
    return server;
}

static struct connected_socket *accept_one(struct server_socket *server)
{
    struct connected_socket *s;
    struct entity_addr peer;
    int err;

    while ((err = server_socket_accept(server, &worker, &options, &s, &peer)) == -EAGAIN) {
        wait_fd(server_socket_fd(server), OS_READABLE);
    }
    ck_assert_int_eq(err, 0);
    return s;
}

static void connect_ends(void)
{
    struct entity_addr at;
    struct server_socket *server = listen_at(&b, &at);

    ck_assert_int_eq(network_stack_connect(a.base, &worker, &at, &options, &a.socket), 0);
    b.socket = accept_one(server);
    wait_fd(connected_socket_fd(a.socket), OS_WRITABLE);
    wait_fd(connected_socket_fd(b.socket), OS_WRITABLE);
    ck_assert_int_eq(connected_socket_is_connected(a.socket), 1);
    ck_assert_int_eq(connected_socket_is_connected(b.socket), 1);
    server_socket_close(server);
}

static ssize_t send_bytes(struct connected_socket *s, const uint8_t *bytes, size_t len)
{
    const struct iovec iov = {.iov_base = (void *)bytes, .iov_len = len};

    return connected_socket_send(s, &iov, 1, false);
}

/* Waits until a send takes something. */
static void send_some(struct connected_socket *s, const uint8_t *bytes, size_t len)
{
    ssize_t n;

    while ((n = send_bytes(s, bytes, len)) == 0) {
        wait_fd(connected_socket_fd(s), OS_WRITABLE);
    }
    ck_assert_int_gt(n, 0);
}

/* What the next read says that is not "nothing now". */
static ssize_t read_some(struct connected_socket *s, void *buf, size_t len)
{
    ssize_t n;

    while ((n = connected_socket_read(s, buf, len)) == 0) {
        wait_fd(connected_socket_fd(s), OS_READABLE);
    }
    return n;
}

static struct rdma_socket *inside(const struct end *e)
{
    return container_of(e->socket, struct rdma_socket, base);
}

static uint64_t counter_of(const _Atomic uint64_t *counter)
{
    return atomic_load(counter);
}

/* Until the closed sockets of the stack are gone: the dispatcher needs a moment. */
static void wait_all_gone(struct rdma_stack *stack)
{
    for (int i = 0; i < 2000 && rdma_stack_missing(&stack->base) != 0; i++) {
        os_sleep_ns(os, 5 * NSEC_PER_MSEC);
    }
    ck_assert_uint_eq(rdma_stack_missing(&stack->base), 0);
}

static void check_receives_are_posted(struct rdma_stack *stack)
{
    if (stack->srq != NULL) {
        ck_assert_uint_eq(stack->srq_queue.posted, stack->opts.receive_queue_len);
    }
}

/* ---- the end of a connection ---- */

/* Data that was sent before a shutdown and a close in the same breath arrives (R11), then
 * the end: half of it can only be received when the other half has been read, which is long
 * after the close. */
START_TEST(close_loses_nothing)
{
    uint8_t out[32768], in[sizeof(out)];
    size_t got = 0;
    ssize_t n;

    make_ends("retry_cnt=7,linger_ms=20000", "receive_queue_len=4,receive_buffers=4");
    connect_ends();
    for (size_t i = 0; i < sizeof(out); i++) {
        out[i] = testlib_pattern(5, i);
    }
    ck_assert_int_eq(send_bytes(a.socket, out, sizeof(out)), sizeof(out));
    connected_socket_shutdown(a.socket);
    close_end(&a);
    os_sleep_ns(os, 100 * NSEC_PER_MSEC);
    while ((n = read_some(b.socket, in + got, sizeof(in) - got)) > 0) {
        got += (size_t)n;
        if (got == sizeof(in)) {
            break;
        }
    }
    ck_assert_uint_eq(got, sizeof(out));
    ck_assert_int_eq(memcmp(in, out, sizeof(out)), 0);
    ck_assert_int_eq(read_some(b.socket, in, 1), -EPIPE);
    ck_assert_int_eq(send_bytes(b.socket, out, 1), -EPIPE);
    ck_assert_uint_eq(counter_of(&b.stack->counters.rx_fin), 1);
    close_end(&b);
    wait_all_gone(a.stack);
    wait_all_gone(b.stack);
    ck_assert_uint_eq(counter_of(&a.stack->counters.beacons), 1);
    ck_assert_uint_eq(counter_of(&a.stack->counters.lingers_cut), 0);
}
END_TEST

/* The peer's queue pair fails and says nothing, as they do: with a finite retry_cnt the
 * first send finds out, and RETRY_EXC ends the connection at once. (Ceph only counts it.)
 * */
START_TEST(retry_exceeded_is_a_fault)
{
    struct ibv_qp_attr attr = {.qp_state = IBV_QPS_ERR};
    uint64_t began;
    char c;

    make_ends("", "");
    connect_ends();
    ck_assert_int_eq(
        verbs_modify_qp(b.stack->verbs, inside(&b)->qp.qp, &attr, IBV_QP_STATE), 0);
    began = os_monotonic_ns(os);
    ck_assert_int_eq(send_bytes(a.socket, (const uint8_t *)"x", 1), 1);
    ck_assert_int_eq(read_some(a.socket, &c, 1), -ETIMEDOUT);
    ck_assert_int_eq(send_bytes(a.socket, (const uint8_t *)"x", 1), -ETIMEDOUT);
    ck_assert_uint_lt(os_monotonic_ns(os) - began, 5 * NSEC_PER_SEC);
    ck_assert_uint_eq(counter_of(&a.stack->counters.tx_retry_errors), 1);
}
END_TEST

/* A SEND longer than our buffers ends that connection, on both sides, and says so; others
 * go on and the receives are posted again. */
START_TEST(too_large_a_peer_is_a_fault)
{
    static uint8_t out[16384];
    char c;

    make_ends("buffer_size=16384", "");
    connect_ends();
    ck_assert_int_eq(send_bytes(a.socket, out, sizeof(out)), sizeof(out));
    ck_assert_int_lt(read_some(b.socket, &c, 1), 0);
    ck_assert_int_lt(read_some(a.socket, &c, 1), 0);
    ck_assert_uint_eq(counter_of(&b.stack->counters.rx_too_long), 1);
    close_end(&a);
    close_end(&b);
    wait_all_gone(a.stack);
    wait_all_gone(b.stack);
    check_receives_are_posted(b.stack);
    connect_ends();
    ck_assert_int_eq(send_bytes(a.socket, out, 4096), 4096);
    ck_assert_int_gt(read_some(b.socket, &c, 1), 0);
}
END_TEST

/* Connections that die with data unread, again and again: the shared receive queue never
 * shrinks (R6), and no chunk stays away (R1). */
START_TEST(receives_survive_dead_connections)
{
    static uint8_t out[20000];

    make_ends("linger_ms=50", "");
    for (int round = 0; round < 24; round++) {
        connect_ends();
        send_some(a.socket, out, sizeof(out));
        if (round % 3 == 0) {
            wait_fd(connected_socket_fd(b.socket), OS_READABLE);
        }
        close_end(round % 2 == 0 ? &b : &a);
        close_end(&a);
        close_end(&b);
    }
    wait_all_gone(a.stack);
    wait_all_gone(b.stack);
    check_receives_are_posted(a.stack);
    check_receives_are_posted(b.stack);
    ck_assert_uint_eq(counter_of(&b.stack->counters.active_queue_pair), 0);
    ck_assert_uint_eq(counter_of(&b.stack->counters.rx_bufs_in_use), 0);
    ck_assert_uint_eq(counter_of(&a.stack->counters.inflight_tx_chunks), 0);
}
END_TEST

/* ---- flow ---- */

/* A peer that does not read: its receives run out, ours are not acknowledged, and send
 * takes no more: 0, and not writable. No error, whatever retry_cnt rxe mistakes it for: 7
 * here. When it reads, everything comes. */
START_TEST(send_exerts_back_pressure)
{
    static uint8_t out[4096], in[65536];
    size_t sent = 0, got = 0;
    uint64_t calm_since;
    ssize_t n;

    make_ends("retry_cnt=7", "receive_queue_len=8,receive_buffers=8");
    connect_ends();
    calm_since = os_monotonic_ns(os);
    while (os_monotonic_ns(os) - calm_since < 300 * NSEC_PER_MSEC) {
        n = send_bytes(a.socket, out, sizeof(out));
        ck_assert_int_ge(n, 0);
        if (n > 0) {
            sent += (size_t)n;
            calm_since = os_monotonic_ns(os);
        }
        event_center_process(&worker.center, 10 * NSEC_PER_MSEC);
    }
    /* Receives of the peer, with reserves, and as much ordinary memory; and what our send
     * queue holds. */
    ck_assert_uint_ge(sent, 8 * 4096);
    ck_assert_uint_le(sent, (8 + CHUNK_USERS_PER_REGION + 8 + 16) * 4096);
    ck_assert(!test_is_ready(os, connected_socket_fd(a.socket), POLLOUT));
    while (got < sent) {
        n = read_some(b.socket, in, sizeof(in));
        ck_assert_int_gt(n, 0);
        got += (size_t)n;
    }
    /* Writable is a hint: places are free a moment before the chunks of their completions
     * are in the pool again, and then one send more is refused. */
    send_some(a.socket, out, 1);
    ck_assert_int_eq(read_some(b.socket, in, sizeof(in)), 1);
}
END_TEST

enum { STREAMS = 6, STREAM_BYTES = 200000 };

struct stream {
    struct connected_socket *from, *to;
    size_t sent, got;
    bool may_send; /* nothing was refused since it was last writable */
};

static void is_writable(void *arg, int fd, int mask)
{
    (void)fd;
    (void)mask;
    ((struct stream *)arg)->may_send = true;
}

static void pump(struct stream *s)
{
    static uint8_t bytes[30000];
    ssize_t n;

    while (s->may_send && s->sent < STREAM_BYTES) {
        n = send_bytes(s->from, bytes, MIN(sizeof(bytes), STREAM_BYTES - s->sent));
        ck_assert_int_ge(n, 0);
        s->may_send = n > 0;
        s->sent += (size_t)n;
    }
    do {
        n = connected_socket_read(s->to, bytes, sizeof(bytes));
        ck_assert_int_ge(n, 0);
        s->got += (size_t)n;
    } while (n > 0);
}

/* A send pool of two chunks, and a reserve for each, for six busy connections. The test
 * holds all of it until all six wait. Then each is woken, none is forgotten (R22): only
 * events drive them, so a lost wake-up hangs the test. */
START_TEST(send_pool_waiters_are_all_woken)
{
    struct stream streams[STREAMS] = {{0}};
    bool fired;
    const struct file_callback cb = {.fn = nothing, .arg = &fired};
    struct list held;
    int done = 0;

    list_init(&held);
    make_ends("send_buffers=2,retry_cnt=7,receive_buffers=256", "receive_buffers=256");
    for (int i = 0; i < STREAMS; i++) {
        const struct file_callback writable = {.fn = is_writable, .arg = &streams[i]};

        connect_ends();
        streams[i] = (struct stream){.from = a.socket, .to = b.socket, .may_send = true};
        event_center_create_file_event(&worker.center, connected_socket_fd(a.socket),
                                       OS_WRITABLE, &writable);
        event_center_create_file_event(&worker.center, connected_socket_fd(b.socket),
                                       OS_READABLE, &cb);
        event_center_process(&worker.center, 0); /* it is writable now */
    }
    ck_assert_uint_ge(chunk_pool_take(&a.stack->tx_pool, UINT32_MAX, &held, NULL),
                      2 + STREAMS * CHUNK_RESERVE);
    for (int i = 0; i < STREAMS; i++) {
        pump(&streams[i]);
        ck_assert_uint_eq(streams[i].sent, 0);
    }
    ck_assert_uint_eq(counter_of(&a.stack->counters.tx_no_mem), STREAMS);
    ck_assert_uint_eq(counter_of(&a.stack->counters.pending_sent_conns), STREAMS);
    chunk_pool_put(&a.stack->tx_pool, &held);
    while (done < STREAMS) {
        done = 0;
        for (int i = 0; i < STREAMS; i++) {
            pump(&streams[i]);
            done += streams[i].got == STREAM_BYTES;
        }
        if (done < STREAMS) {
            event_center_process(&worker.center, -1);
        }
    }
    for (int i = 0; i < STREAMS; i++) {
        event_center_delete_file_event(&worker.center, connected_socket_fd(streams[i].from),
                                       OS_WRITABLE);
        event_center_delete_file_event(&worker.center, connected_socket_fd(streams[i].to),
                                       OS_READABLE);
        connected_socket_close(streams[i].from);
        connected_socket_close(streams[i].to);
    }
    a.socket = b.socket = NULL;
    wait_all_gone(a.stack);
    wait_all_gone(b.stack);
}
END_TEST

/* ---- posts that fail ---- */

static int (*real_post_send)(struct ibv_qp *qp, struct ibv_send_wr *wr,
                             struct ibv_send_wr **bad);
static int posts_before_failure;

/* Posts so many work requests of the chain, and refuses the next. */
static int failing_post_send(struct ibv_qp *qp, struct ibv_send_wr *wr,
                             struct ibv_send_wr **bad)
{
    for (; wr != NULL; wr = wr->next) {
        struct ibv_send_wr one = *wr;

        one.next = NULL;
        if (posts_before_failure == 0) {
            *bad = wr;
            return EINVAL;
        }
        posts_before_failure--;
        ck_assert_int_eq(real_post_send(qp, &one, bad), 0);
    }
    return 0;
}

/* A chain of five of which the device takes _i: those bytes are sent, the other chunks are
 * back (R21), and the connection fails. */
START_TEST(failed_post_gives_its_chunks_back)
{
    static uint8_t out[5 * 4096];
    struct ibv_context_ops *ops;
    uint32_t missing;
    ssize_t n;
    char c;

    make_ends("", "");
    connect_ends();
    ops = &a.stack->device.ctx->ops;
    real_post_send = ops->post_send;
    ops->post_send = failing_post_send;
    posts_before_failure = _i;
    n = send_bytes(a.socket, out, sizeof(out));
    ops->post_send = real_post_send;
    ck_assert_int_eq(n, _i == 0 ? -EINVAL : _i * 4096);
    ck_assert_int_eq(connected_socket_read(a.socket, &c, 1), -EINVAL);
    ck_assert_uint_eq(counter_of(&a.stack->counters.tx_failed_post), 1);
    missing = chunk_pool_missing(&a.stack->tx_pool);
    ck_assert_uint_le(missing, (unsigned int)_i);
    close_end(&a);
    wait_all_gone(a.stack);
}
END_TEST

/* ---- async events ---- */

static struct verbs_event_ops event_ops;
static const struct verbs_event_ops *real_event_ops;
static _Atomic int next_event; /* enum ibv_event_type, or -1 */
static struct ibv_qp *event_qp;

static int scripted_event(struct verbs *v, struct ibv_context *ctx,
                          struct ibv_async_event *ret)
{
    int type = atomic_exchange(&next_event, -1);

    if (type < 0) {
        return real_event_ops->get_async_event(v, ctx, ret);
    }
    *ret = (struct ibv_async_event){.event_type = (enum ibv_event_type)type,
                                    .element.qp = event_qp};
    return 0;
}

static void ack_scripted(struct verbs *v, struct ibv_async_event *event)
{
    (void)v;
    (void)event;
}

/* The dispatcher reads the next event; a completion makes it look. */
static void raise_event(struct end *e, enum ibv_event_type type)
{
    event_qp = inside(e)->qp.qp;
    atomic_store(&next_event, (int)type);
    send_bytes(e->socket, (const uint8_t *)"!", 1);
    while (atomic_load(&next_event) >= 0) {
        event_center_process(&worker.center, NSEC_PER_MSEC);
    }
}

static void make_scripted(void)
{
    make_ends("", "");
    real_event_ops = a.stack->verbs->events;
    event_ops = *real_event_ops;
    event_ops.get_async_event = scripted_event;
    event_ops.ack_async_event = ack_scripted;
    atomic_store(&next_event, -1);
    connect_ends();
    a.stack->verbs->events = &event_ops;
}

static void end_scripted(void)
{
    close_end(&a);
    wait_all_gone(a.stack);
    a.stack->verbs->events = real_event_ops;
}

static const struct {
    enum ibv_event_type type;
    int read_says;    /* 0: the connection goes on */
    int connect_says; /* afterwards */
} outcomes[] = {
    {IBV_EVENT_QP_FATAL, -EIO, 0},
    {IBV_EVENT_QP_REQ_ERR, -EIO, 0},
    {IBV_EVENT_QP_ACCESS_ERR, -EIO, 0},
    {IBV_EVENT_QP_LAST_WQE_REACHED, -EIO, 0},
    {IBV_EVENT_CQ_ERR, -EIO, -EIO},
    {IBV_EVENT_SRQ_ERR, -EIO, -EIO},
    {IBV_EVENT_DEVICE_FATAL, -EIO, -EIO},
    {IBV_EVENT_PORT_ERR, 0, -ENETDOWN},
    {IBV_EVENT_PORT_ACTIVE, 0, 0},
    {IBV_EVENT_GID_CHANGE, 0, 0}, /* ours is still there */
    {IBV_EVENT_SRQ_LIMIT_REACHED, 0, 0},
    {IBV_EVENT_COMM_EST, 0, 0},
    {IBV_EVENT_LID_CHANGE, 0, 0},
};
#define OUTCOMES ((int)(sizeof(outcomes) / sizeof(outcomes[0])))

/* Every async event has its outcome. (Ceph logs most of them and goes on.) */
START_TEST(async_events_have_outcomes)
{
    struct connected_socket *again;
    struct entity_addr at;
    struct server_socket *server;
    char c;

    make_scripted();
    server = listen_at(&b, &at);
    raise_event(&a, outcomes[_i].type);
    if (outcomes[_i].read_says < 0) {
        ck_assert_int_eq(read_some(a.socket, &c, 1), outcomes[_i].read_says);
    } else {
        ck_assert_int_eq(connected_socket_read(a.socket, &c, 1), 0);
        ck_assert_int_eq(send_bytes(a.socket, (const uint8_t *)"y", 1), 1);
    }
    ck_assert_int_eq(network_stack_connect(a.base, &worker, &at, &options, &again),
                     outcomes[_i].connect_says);
    if (outcomes[_i].connect_says == 0) {
        connected_socket_close(again);
    }
    server_socket_close(server);
    end_scripted();
}
END_TEST

/* A port that comes back takes connections again. */
START_TEST(port_comes_back)
{
    struct connected_socket *again;
    struct entity_addr at = test_entity_addr(1, 0);

    make_scripted();
    raise_event(&a, IBV_EVENT_PORT_ERR);
    ck_assert_int_eq(network_stack_connect(a.base, &worker, &at, &options, &again),
                     -ENETDOWN);
    raise_event(&a, IBV_EVENT_PORT_ACTIVE);
    ck_assert_int_eq(network_stack_connect(a.base, &worker, &at, &options, &again), 0);
    connected_socket_close(again);
    end_scripted();
}
END_TEST

/* ---- the side channel, spoken by hand ---- */

/* A TCP connection to b's listener, accepted by b. */
static int dial_by_hand(void)
{
    struct entity_addr at;
    struct server_socket *server = listen_at(&b, &at);
    int fd = os_socket(os, AF_INET);

    ck_assert_int_ge(os_connect(os, fd, &at.sa, entity_addr_socklen(&at)), -EINPROGRESS);
    b.socket = accept_one(server);
    server_socket_close(server);
    return fd;
}

static void run_a_while(void)
{
    for (int i = 0; i < 20; i++) {
        event_center_process(&worker.center, 2 * NSEC_PER_MSEC);
    }
}

static void write_record(int fd, uint32_t qpn, uint32_t peer_qpn, size_t cut)
{
    struct handshake_record r = {.qpn = qpn, .psn = 7, .peer_qpn = peer_qpn};
    struct ibv_gid_entry gid = rdma_device_gid(&b.stack->device);
    uint8_t bytes[HANDSHAKE_BYTES];

    memcpy(r.gid, gid.gid.raw, sizeof(r.gid));
    handshake_encode(&r, bytes);
    test_send_all(os, fd, bytes, cut);
    run_a_while();
    test_send_all(os, fd, bytes + cut, HANDSHAKE_BYTES - cut);
}

/* A record in two pieces is a record. (For Ceph it is the end, and a leak.) Then silence is
 * kept: a byte more, or an answer to somebody else, ends the connection. */
START_TEST(side_channel_takes_pieces_and_no_nonsense)
{
    uint8_t answer[HANDSHAKE_BYTES];
    struct handshake_record r;
    int fd;
    char c;

    make_ends("", "");
    fd = dial_by_hand();
    write_record(fd, 0x123456, 0, 30);
    run_a_while();
    test_recv_all(os, fd, answer, sizeof(answer));
    ck_assert_int_eq(handshake_decode(answer, &r), 0);
    ck_assert_uint_eq(r.peer_qpn, 0x123456);
    ck_assert_uint_eq(r.qpn, inside(&b)->qp.qpn);
    write_record(fd, 0x123456, _i == 0 ? r.qpn : r.qpn + 1, 1);
    if (_i == 0) {
        wait_fd(connected_socket_fd(b.socket), OS_WRITABLE);
        ck_assert_int_eq(connected_socket_is_connected(b.socket), 1);
        ck_assert_int_eq(connected_socket_read(b.socket, &c, 1), 0);
        test_send_all(os, fd, "x", 1);
    }
    ck_assert_int_eq(read_some(b.socket, &c, 1), -EPROTO);
    ck_assert_uint_eq(counter_of(&b.stack->counters.handshake_errors), 1);
    os_close(os, fd);
}
END_TEST

/* A peer that leaves at any point of the handshake, or speaks something else, ends it;
 * nothing of it stays. (Ceph keeps the queue pair.) */
START_TEST(handshake_may_end_anywhere)
{
    char c;
    int fd;

    make_ends("", "");
    fd = dial_by_hand();
    if (_i == 0) {
        test_send_all(os, fd, "0000:0000", 9);
    } else if (_i == 1) {
        write_record(fd, 0x123456, 0, 65);
    } else if (_i == 2) {
        char other[HANDSHAKE_BYTES] = "ceph v2\n";

        test_send_all(os, fd, other, sizeof(other));
    }
    run_a_while();
    os_close(os, fd);
    ck_assert_int_eq(read_some(b.socket, &c, 1), _i == 2 ? -EPROTO : -EPIPE);
    close_end(&b);
    wait_all_gone(b.stack);
}
END_TEST

/* The side channel of an established connection breaks without a FIN: the process of the
 * peer died. That is known at once, with retry_cnt 7, too. */
START_TEST(side_channel_is_the_liveness)
{
    char c;

    make_ends("retry_cnt=7,linger_ms=50", "retry_cnt=7");
    connect_ends();
    ck_assert_int_eq(send_bytes(a.socket, (const uint8_t *)"x", 1), 1);
    ck_assert_int_eq(read_some(b.socket, &c, 1), 1);
    os_shutdown(os, inside(&a)->side.fd, SHUT_RDWR);
    ck_assert_int_eq(read_some(b.socket, &c, 1), -ECONNRESET);
    ck_assert_int_lt(read_some(a.socket, &c, 1), 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("rdma_stack");
    TCase *tc = tcase_create("on real verbs");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, close_loses_nothing);
    tcase_add_test(tc, retry_exceeded_is_a_fault);
    tcase_add_test(tc, too_large_a_peer_is_a_fault);
    tcase_add_test(tc, receives_survive_dead_connections);
    tcase_add_test(tc, send_exerts_back_pressure);
    tcase_add_test(tc, send_pool_waiters_are_all_woken);
    tcase_add_loop_test(tc, failed_post_gives_its_chunks_back, 0, 5);
    tcase_add_loop_test(tc, async_events_have_outcomes, 0, OUTCOMES);
    tcase_add_test(tc, port_comes_back);
    tcase_add_loop_test(tc, side_channel_takes_pieces_and_no_nonsense, 0, 2);
    tcase_add_loop_test(tc, handshake_may_end_anywhere, 0, 4);
    tcase_add_test(tc, side_channel_is_the_liveness);
    suite_add_tcase(suite, tc);
    return suite;
}

static bool has_device(void)
{
    struct verbs_device list[1];
    struct verbs *verbs;
    struct os *plain = os_linux_new(1, "probe");
    int n = verbs_rdmacore_new(plain, &verbs);

    if (n == 0) {
        n = verbs_list_devices(verbs, list, 1);
        verbs_free(verbs);
    }
    os_linux_free(plain);
    return n > 0;
}

int main(void)
{
    if (!has_device()) {
        printf("skipped: no RDMA device here; make check-softroce runs this\n");
        return 77;
    }
    return testlib_run(make_suite());
}
