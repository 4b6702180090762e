/* SPDX-License-Identifier: Apache-2.0 */
/* rdma_stack.c: builds the parts and takes them down; listen, accept and connect. */
#include "stacks/rdma/rdma_stack.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "engine/util.h"
#include "engine/worker.h"
#include "stacks/rdma/dispatcher.h"

struct rdma_server {
    struct server_socket base;
    struct rdma_stack *stack; /* borrowed */
    int fd;                   /* owned */
};

static struct rdma_stack *to_stack(struct network_stack *s)
{
    return container_of(s, struct rdma_stack, base);
}

static struct rdma_server *to_server(const struct server_socket *s)
{
    return container_of(s, struct rdma_server, base);
}

static void apply_options(struct os *os, int fd)
{
    os_set_option(os, fd, OS_SO_NODELAY,
                  1); /* each record goes at once, as Ceph needs it */
}

/* socket_options.sndbuf bounds what one socket has in flight. */
static void apply_sndbuf(struct rdma_socket *s, const struct socket_options *opts)
{
    if (opts->sndbuf > 0) {
        uint32_t most = (uint32_t)opts->sndbuf / s->stack->tx_pool.chunk_bytes;

        s->tx_most = MIN(MAX(most, 1u), s->tx_most);
    }
}

/* ---- listening ---- */

static void start_side(struct rdma_socket *s)
{
    if (event_center_in_thread(&s->worker->center)) {
        side_channel_start(s);
    } else {
        event_center_post(&s->worker->center, &s->adopt);
    }
}

static int rdma_accept(struct server_socket *base, struct worker *w,
                       const struct socket_options *opts, struct connected_socket **ret,
                       struct entity_addr *ret_peer)
{
    struct rdma_stack *stack = to_server(base)->stack;
    struct sockaddr_storage peer;
    struct rdma_socket *s;
    int fd, err = stack->broken;

    fd = os_accept(stack->os, to_server(base)->fd, &peer);
    if (fd < 0) {
        return fd;
    }
    apply_options(stack->os, fd);
    if (err == 0) {
        err = rdma_socket_new(stack, w, fd, false, &s);
    }
    if (err < 0) {
        os_close(stack->os, fd);
        /* The device's: of a listener they would say that nobody waits, or it is none. */
        return err == -EAGAIN || err == -EINVAL ? -ENOBUFS : err;
    }
    apply_sndbuf(s, opts);
    *ret_peer = entity_addr_from_sockaddr((const struct sockaddr *)&peer, ADDR_MSGR2, 0);
    *ret = &s->base;
    start_side(s);
    return 0;
}

static int rdma_server_fd(const struct server_socket *s)
{
    return to_server(s)->fd;
}

static void rdma_server_close(struct server_socket *s)
{
    os_close(to_server(s)->stack->os, to_server(s)->fd);
    free(to_server(s));
}

static const struct server_socket_ops server_ops = {
    .accept = rdma_accept,
    .fd = rdma_server_fd,
    .close = rdma_server_close,
};

static int rdma_listen(struct network_stack *base, struct worker *w,
                       const struct entity_addr *addr, const struct socket_options *opts,
                       struct server_socket **ret, struct entity_addr *ret_addr)
{
    struct rdma_server *server;
    int fd;

    (void)w;
    (void)opts;
    if (entity_addr_is_blank(addr)) {
        return -EINVAL;
    }
    server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return -ENOMEM;
    }
    fd = network_stack_listener(base->os, addr, 0, ret_addr);
    if (fd < 0) {
        free(server);
        return fd;
    }
    *server = (struct rdma_server){
        .base = {.ops = &server_ops}, .stack = to_stack(base), .fd = fd};
    *ret = &server->base;
    return 0;
}

/* ---- dialling ---- */

static int rdma_connect(struct network_stack *base, struct worker *w,
                        const struct entity_addr *addr, const struct socket_options *opts,
                        struct connected_socket **ret)
{
    struct rdma_stack *stack = to_stack(base);
    struct rdma_socket *s;
    int fd, err = stack->broken;

    if (err < 0) {
        return err;
    }
    if (entity_addr_is_blank(addr) || entity_addr_port(addr) == 0) {
        return -EADDRNOTAVAIL;
    }
    fd = os_socket(stack->os, addr->sa.sa_family);
    if (fd < 0) {
        return fd;
    }
    apply_options(stack->os, fd);
    err = os_connect(stack->os, fd, &addr->sa, entity_addr_socklen(addr));
    if (err == 0 || err == -EINPROGRESS) {
        err = rdma_socket_new(stack, w, fd, true, &s);
    }
    if (err < 0) {
        os_close(stack->os, fd);
        return err;
    }
    apply_sndbuf(s, opts);
    *ret = &s->base;
    start_side(s);
    return 0;
}

/* `broken` was looked at: what broke it is known by its errno. */
static const char *rdma_why(const struct network_stack *base, int err)
{
    const struct rdma_stack *stack = container_of(base, struct rdma_stack, base);
    const char *fatal = stack->fatal_why;

    switch (err) {
    case -EIO:
        return fatal != NULL ? fatal : "the RDMA device refused (EIO)";
    case -ENETDOWN:
        return "PORT_ERR: the port of the RDMA device is down";
    case -EADDRNOTAVAIL:
        return stack->broken == err ? "GID_CHANGE: the RDMA device has no address"
                                    : network_stack_reason(err);
    case -ENOBUFS:
        return "no room for one more queue pair, or no receive buffers for it (ENOBUFS)";
    case -ENOMEM:
        return "no memory for one more queue pair (ENOMEM)";
    case -EINVAL:
        return "the RDMA device refuses one more queue pair (EINVAL)";
    case -EAGAIN:
        return "the RDMA device has no queue pair just now (EAGAIN)";
    case -ENOSPC:
        return "the RDMA device has no queue pair left (ENOSPC)";
    default:
        return network_stack_reason(err);
    }
}

/* ---- building ---- */

static void explain_memory(struct rdma_stack *stack, uint32_t chunks, int err, char *why,
                           size_t size)
{
    struct rlimit limit = {0};
    uint64_t bytes = (uint64_t)chunks * stack->opts.buffer_size;

    getrlimit(RLIMIT_MEMLOCK, &limit);
    if (err == -ENOMEM && limit.rlim_cur != RLIM_INFINITY && bytes > limit.rlim_cur / 2) {
        snprintf(why, size,
                 "cannot register %llu KiB of memory: this process may lock %llu KiB "
                 "(ulimit -l); raise the limit (memlock in limits.conf, LimitMEMLOCK= of "
                 "systemd), or lower ms_async_rdma_send_buffers, _receive_queue_len or "
                 "_buffer_size",
                 (unsigned long long)bytes >> 10, (unsigned long long)limit.rlim_cur >> 10);
    } else {
        snprintf(why, size, "cannot register %llu KiB of memory with %s: %s",
                 (unsigned long long)bytes >> 10, stack->device.name, strerror(-err));
    }
}

static int make_pool(struct rdma_stack *stack, struct chunk_pool *pool, const char *name,
                     uint32_t first, uint32_t most, char *why, size_t size)
{
    int err = chunk_pool_init(pool, stack->os, stack->verbs, stack->device.pd, name,
                              stack->opts.buffer_size, most);

    while (err == 0 && pool->n_total < first) {
        int got = chunk_pool_grow(pool, first - pool->n_total);

        err = MIN(got, 0);
    }
    if (err < 0) {
        explain_memory(stack, first, err, why, size);
    }
    return err;
}

/* As large as what may be received; memory is taken when it is needed. */
static int make_unread_pool(struct rdma_stack *stack, char *why, size_t size)
{
    int err =
        chunk_pool_init(&stack->unread_pool, stack->os, stack->verbs, NULL, "unread pool",
                        stack->opts.buffer_size, stack->opts.receive_buffers);

    if (err < 0) {
        snprintf(why, size, "out of memory");
    }
    return err;
}

static int make_srq(struct rdma_stack *stack, char *why, size_t size)
{
    struct ibv_srq_init_attr attr = {
        .attr = {.max_wr = stack->opts.receive_queue_len, .max_sge = 1}};
    int err;

    if (!stack->opts.support_srq) {
        return 0;
    }
    err = verbs_create_srq(stack->verbs, stack->device.pd, &attr, &stack->srq);
    if (err == 0) {
        err = recv_queue_init(&stack->srq_queue, stack->os, &stack->rx_pool,
                              &stack->counters, stack->opts.receive_queue_len);
        stack->srq_queue.srq = stack->srq;
    } else {
        stack->srq = NULL;
    }
    if (err < 0) {
        snprintf(why, size, "%s gives no shared receive queue: %s; try support_srq=false",
                 stack->device.name, strerror(-err));
        return err;
    }
    stack->rx_pool.kept = stack->opts.receive_queue_len;
    if (recv_queue_refill(&stack->srq_queue) == 0) {
        snprintf(why, size, "%s takes no receives", stack->device.name);
        return -EIO;
    }
    return 0;
}

/* What was asked for, as far as the device goes. */
static void bound_options(struct rdma_stack *stack)
{
    struct rdma_opts *o = &stack->opts;
    uint32_t wr = (uint32_t)stack->device.attr.max_qp_wr;
    uint32_t srq_wr = (uint32_t)stack->device.attr.max_srq_wr;

    o->receive_queue_len = MIN(o->receive_queue_len, o->support_srq ? srq_wr : wr);
    if (o->receive_buffers != 0) {
        o->receive_queue_len = MIN(o->receive_queue_len, o->receive_buffers);
    }
    stack->shared = (struct queue_pair_shared){
        .os = stack->os,
        .opts = &stack->opts,
        .device = &stack->device,
        .send_depth = MIN(o->send_buffers + CHUNK_RESERVE, wr - 2),
        .recv_depth = o->receive_queue_len};
}

static int build(struct rdma_stack *stack, char *why, size_t size)
{
    struct rdma_opts *o = &stack->opts;
    uint32_t first;
    int err = rdma_device_open(&stack->device, stack->verbs, o, why, size);

    if (err < 0) {
        return err;
    }
    bound_options(stack);
    first = o->support_srq ? o->receive_queue_len + o->receive_queue_len / 2 : 1;
    if (o->receive_buffers != 0) {
        first = MIN(first, o->receive_buffers);
    }
    err = make_pool(stack, &stack->tx_pool, "send pool", o->send_buffers, o->send_buffers,
                    why, size);
    if (err == 0) {
        err = make_pool(stack, &stack->rx_pool, "receive pool", first, o->receive_buffers,
                        why, size);
    }
    if (err == 0) {
        err = make_unread_pool(stack, why, size);
    }
    if (err == 0) {
        err = make_srq(stack, why, size);
    }
    if (err < 0) {
        return err;
    }
    err = rdma_dispatcher_init(stack);
    if (err == 0 && stack->dispatcher.sockets_max == 0) {
        snprintf(why, size,
                 "the completion queues (cq_depth %u, of the device %d) are too "
                 "small for the other options",
                 o->cq_depth, stack->device.attr.max_cqe);
        return -EINVAL;
    }
    stack->shared.send_cq = stack->dispatcher.tx_cq;
    stack->shared.recv_cq = stack->dispatcher.rx_cq;
    stack->shared.srq = stack->srq;
    if (err == 0) {
        err = rdma_dispatcher_start(stack);
    }
    if (err < 0) {
        snprintf(why, size, "cannot make the completion queues of %s: %s",
                 stack->device.name, strerror(-err));
    }
    return err;
}

static void rdma_free(struct network_stack *base)
{
    struct rdma_stack *stack = to_stack(base);

    rdma_dispatcher_stop(stack);
    rdma_dispatcher_fini(stack);
    if (stack->srq != NULL) {
        verbs_destroy_srq(stack->verbs, stack->srq);
    }
    recv_queue_fini(&stack->srq_queue);
    if (!stack->counted) {
        CHECK(chunk_pool_missing(&stack->tx_pool) == 0);
        CHECK(chunk_pool_missing(&stack->rx_pool) == 0);
        CHECK(chunk_pool_missing(&stack->unread_pool) == 0);
    }
    chunk_pool_fini(&stack->tx_pool);
    chunk_pool_fini(&stack->rx_pool);
    chunk_pool_fini(&stack->unread_pool);
    rdma_device_fini(&stack->device);
    verbs_free(stack->verbs);
    free(stack);
}

static const struct network_stack_ops stack_ops = {
    .name = "rdma",
    .connect_wants_writable = false, /* the notify fd is readable when there is news */
    .listen = rdma_listen,
    .connect = rdma_connect,
    .why = rdma_why,
    .free = rdma_free,
};

int rdma_stack_new(struct os *os, struct verbs *verbs, const struct rdma_opts *opts,
                   struct network_stack **ret, char *why, size_t why_size)
{
    struct rdma_stack *stack;
    int err;

    if (os == NULL || verbs == NULL) {
        verbs_free(verbs);
        snprintf(why, why_size, "an RDMA stack needs an os and verbs");
        return -EINVAL;
    }
    stack = calloc(1, sizeof(*stack));
    if (stack == NULL) {
        verbs_free(verbs);
        snprintf(why, why_size, "out of memory");
        return -ENOMEM;
    }
    stack->base = (struct network_stack){.ops = &stack_ops, .os = os};
    stack->os = os;
    stack->verbs = verbs;
    if (opts != NULL) {
        stack->opts = *opts;
    } else {
        rdma_opts_init(&stack->opts);
    }
    err = rdma_opts_check(&stack->opts, why, why_size);
    if (err == 0) {
        err = build(stack, why, why_size);
    }
    if (err < 0) {
        rdma_free(&stack->base);
        return err;
    }
    *ret = &stack->base;
    return 0;
}

struct rdma_counters *rdma_stack_counters(struct network_stack *s)
{
    CHECK(s->ops == &stack_ops);
    return &to_stack(s)->counters;
}

uint64_t rdma_stack_missing(struct network_stack *s)
{
    struct rdma_stack *stack = to_stack(s);
    uint64_t n;

    CHECK(s->ops == &stack_ops);
    os_lock(stack->os, stack->dispatcher.lock);
    n = stack->dispatcher.n_sockets;
    os_unlock(stack->os, stack->dispatcher.lock);
    n += chunk_pool_missing(&stack->tx_pool);
    n += chunk_pool_missing(&stack->rx_pool);
    n += chunk_pool_missing(&stack->unread_pool);
    return n - (stack->srq != NULL ? atomic_load(&stack->srq_queue.posted) : 0);
}

uint64_t rdma_stack_stop(struct network_stack *s)
{
    struct rdma_stack *stack = to_stack(s);
    uint32_t received, posted;

    CHECK(s->ops == &stack_ops);
    rdma_dispatcher_stop(stack);
    stack->counted = true;
    received = chunk_pool_missing(&stack->rx_pool);
    posted = stack->srq != NULL ? atomic_load(&stack->srq_queue.posted) : 0;
    return chunk_pool_missing(&stack->tx_pool) + chunk_pool_missing(&stack->unread_pool) +
           (received > posted ? received - posted : posted - received);
}
