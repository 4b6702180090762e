/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_stack.c: listen, connect and byte streams over os sockets. */
#include "stacks/tcp/tcp_stack.h"

#include <errno.h>

#include "engine/util.h"

struct tcp_socket {
    struct connected_socket base;
    struct os *os; /* borrowed */
    int fd;        /* owned */
    bool connected;
};

struct tcp_server {
    struct server_socket base;
    struct os *os; /* borrowed */
    int fd;        /* owned */
};

static struct tcp_socket *to_tcp(const struct connected_socket *s)
{
    return container_of(s, struct tcp_socket, base);
}

static struct tcp_server *to_server(const struct server_socket *s)
{
    return container_of(s, struct tcp_server, base);
}

/* ---- a connected socket ---- */

static int tcp_is_connected(struct connected_socket *s)
{
    struct tcp_socket *t = to_tcp(s);
    int result = 1;

    if (!t->connected) {
        result = os_connect_result(t->os, t->fd);
        t->connected = result > 0;
    }
    return result;
}

static const char *tcp_socket_why(struct connected_socket *s, int err)
{
    (void)s;
    return network_stack_reason(err);
}

static ssize_t tcp_read(struct connected_socket *s, void *buf, size_t len)
{
    struct tcp_socket *t = to_tcp(s);
    ssize_t n;

    CHECK(len > 0);
    n = os_recv(t->os, t->fd, buf, len);
    if (n == 0) {
        return -EPIPE;
    }
    return n == -EAGAIN ? 0 : n;
}

static ssize_t tcp_send(struct connected_socket *s, const struct iovec *iov, int n,
                        bool more)
{
    struct tcp_socket *t = to_tcp(s);
    ssize_t sent = os_send(t->os, t->fd, iov, MIN(n, OS_IOV_MAX), more);

    return sent == -EAGAIN ? 0 : sent;
}

static void tcp_shutdown(struct connected_socket *s)
{
    os_shutdown(to_tcp(s)->os, to_tcp(s)->fd, SHUT_RDWR); /* ENOTCONN is as good */
}

static int tcp_fd(const struct connected_socket *s)
{
    return to_tcp(s)->fd;
}

static int tcp_local_addr(struct connected_socket *s, struct entity_addr *ret)
{
    struct sockaddr_storage sa;
    int err = os_local_addr(to_tcp(s)->os, to_tcp(s)->fd, &sa);

    if (err == 0) {
        *ret = entity_addr_from_sockaddr((const struct sockaddr *)&sa, ADDR_MSGR2, 0);
    }
    return err;
}

static int tcp_peer_addr(struct connected_socket *s, struct entity_addr *ret)
{
    struct sockaddr_storage sa;
    int err = os_peer_addr(to_tcp(s)->os, to_tcp(s)->fd, &sa);

    if (err == 0) {
        *ret = entity_addr_from_sockaddr((const struct sockaddr *)&sa, ADDR_MSGR2, 0);
    }
    return err;
}

/* What there is to tell, the engine tells. */
static void tcp_trace_as(struct connected_socket *s, uint32_t object)
{
    (void)s;
    (void)object;
}

static void tcp_close(struct connected_socket *s)
{
    os_close(to_tcp(s)->os, to_tcp(s)->fd);
    free(to_tcp(s));
}

static const struct connected_socket_ops tcp_socket_ops = {
    .is_connected = tcp_is_connected,
    .why = tcp_socket_why,
    .read = tcp_read,
    .send = tcp_send,
    .shutdown = tcp_shutdown,
    .fd = tcp_fd,
    .local_addr = tcp_local_addr,
    .peer_addr = tcp_peer_addr,
    .trace_as = tcp_trace_as,
    .close = tcp_close,
};

/* Takes over fd on success. */
static int tcp_socket_new(struct os *os, int fd, bool connected,
                          struct connected_socket **ret)
{
    struct tcp_socket *t = calloc(1, sizeof(*t));

    if (t == NULL) {
        return -ENOMEM;
    }
    *t = (struct tcp_socket){
        .base = {.ops = &tcp_socket_ops}, .os = os, .fd = fd, .connected = connected};
    *ret = &t->base;
    return 0;
}

/* Options are wishes: a kernel that refuses one still gives a working stream. */
static void apply_options(struct os *os, int fd, const struct socket_options *opts)
{
    if (opts->nodelay) {
        os_set_option(os, fd, OS_SO_NODELAY, 1);
    }
    if (opts->rcvbuf > 0) {
        os_set_option(os, fd, OS_SO_RCVBUF, opts->rcvbuf);
    }
    if (opts->sndbuf > 0) {
        os_set_option(os, fd, OS_SO_SNDBUF, opts->sndbuf);
    }
}

/* ---- listening ---- */

static int tcp_accept(struct server_socket *s, struct worker *w,
                      const struct socket_options *opts, struct connected_socket **ret,
                      struct entity_addr *ret_peer)
{
    struct tcp_server *server = to_server(s);
    struct sockaddr_storage peer;
    int fd = os_accept(server->os, server->fd, &peer), err;

    (void)w;
    if (fd < 0) {
        return fd;
    }
    apply_options(server->os, fd, opts);
    err = tcp_socket_new(server->os, fd, true, ret);
    if (err < 0) {
        os_close(server->os, fd);
        return err;
    }
    *ret_peer = entity_addr_from_sockaddr((const struct sockaddr *)&peer, ADDR_MSGR2, 0);
    return 0;
}

static int tcp_server_fd(const struct server_socket *s)
{
    return to_server(s)->fd;
}

static void tcp_server_close(struct server_socket *s)
{
    os_close(to_server(s)->os, to_server(s)->fd);
    free(to_server(s));
}

static const struct server_socket_ops tcp_server_ops = {
    .accept = tcp_accept,
    .fd = tcp_server_fd,
    .close = tcp_server_close,
};

static int tcp_listen(struct network_stack *s, struct worker *w,
                      const struct entity_addr *addr, const struct socket_options *opts,
                      struct server_socket **ret, struct entity_addr *ret_addr)
{
    struct tcp_server *server;
    int fd;

    (void)w;
    if (entity_addr_is_blank(addr)) {
        return -EINVAL;
    }
    server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return -ENOMEM;
    }
    fd = network_stack_listener(s->os, addr, opts->rcvbuf, ret_addr);
    if (fd < 0) {
        free(server);
        return fd;
    }
    *server = (struct tcp_server){.base = {.ops = &tcp_server_ops}, .os = s->os, .fd = fd};
    *ret = &server->base;
    return 0;
}

/* ---- dialling ---- */

static int tcp_connect(struct network_stack *s, struct worker *w,
                       const struct entity_addr *addr, const struct socket_options *opts,
                       struct connected_socket **ret)
{
    int fd, err;

    (void)w;
    if (entity_addr_is_blank(addr) || entity_addr_port(addr) == 0) {
        return -EADDRNOTAVAIL;
    }
    fd = os_socket(s->os, addr->sa.sa_family);
    if (fd < 0) {
        return fd;
    }
    apply_options(s->os, fd, opts);
    err = os_connect(s->os, fd, &addr->sa, entity_addr_socklen(addr));
    if (err == 0 || err == -EINPROGRESS) {
        err = tcp_socket_new(s->os, fd, err == 0, ret);
    }
    if (err < 0) {
        os_close(s->os, fd);
    }
    return err;
}

static const char *tcp_why(const struct network_stack *s, int err)
{
    (void)s;
    return network_stack_reason(err);
}

static void tcp_stack_free(struct network_stack *s)
{
    free(s);
}

static const struct network_stack_ops tcp_stack_ops = {
    .name = "tcp",
    .connect_wants_writable = true,
    .listen = tcp_listen,
    .connect = tcp_connect,
    .why = tcp_why,
    .free = tcp_stack_free,
};

int tcp_stack_new(struct os *os, struct network_stack **ret)
{
    struct network_stack *s;

    if (os == NULL) {
        return -EINVAL;
    }
    s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return -ENOMEM;
    }
    *s = (struct network_stack){.ops = &tcp_stack_ops, .os = os};
    *ret = s;
    return 0;
}
