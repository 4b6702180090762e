/* SPDX-License-Identifier: Apache-2.0 */
/* socket.c: the slots of struct os_io_ops about sockets. */
#include "sim/net/os_slots.h"
#include "sim/net/socket.h"

#include <errno.h>
#include <poll.h>

#include "engine/util.h"

#define RCVBUF_MIN 2304 /* as Linux */
#define SNDBUF_MIN 4608
#define BUF_MAX (8 << 20)
#define BACKLOG_MAX 4096 /* net.core.somaxconn */

/* ---- as a file -------------------------------------------------------------------- */

static struct sim_socket *to_socket(struct sim_file *f)
{
    return container_of(f, struct sim_socket, file);
}

static int socket_ready(struct sim_file *f)
{
    struct sim_socket *s = to_socket(f);

    if (s->listening) {
        return s->n_accepted > 0 ? POLLIN : 0;
    }
    return s->stream != NULL ? stream_ready(s->stream) : POLLOUT | POLLHUP;
}

static ssize_t socket_read(struct sim_file *f, void *buf, size_t len)
{
    struct sim_socket *s = to_socket(f);

    return s->stream != NULL ? stream_recv(s->stream, buf, len) : -ENOTCONN;
}

static ssize_t socket_write(struct sim_file *f, const struct iovec *iov, int n)
{
    struct sim_socket *s = to_socket(f);

    return s->stream != NULL ? stream_send(s->stream, iov, n) : -EPIPE;
}

/* Who waits to be accepted is turned away. */
static void stop_listening(struct sim_socket *s)
{
    s->listening = false;
    while (!list_is_empty(&s->accepted)) {
        stream_refuse(container_of(s->accepted.next, struct stream, of_listener));
    }
    while (!list_is_empty(&s->incoming)) {
        stream_refuse(container_of(s->incoming.next, struct stream, of_listener));
    }
    s->n_incoming = s->n_accepted = 0;
}

static void socket_close(struct sim_file *f)
{
    struct sim_socket *s = to_socket(f);

    CHECK(!s->listening || s->stream == NULL);
    stop_listening(s);
    list_unlink(&s->of_port);
    if (s->stream != NULL) {
        stream_close(s->stream, s->linger0);
    }
    free(s);
}

static const struct sim_file_ops socket_ops = {.ready = socket_ready,
                                               .read = socket_read,
                                               .write = socket_write,
                                               .close = socket_close};

bool sim_file_is_socket(const struct sim_file *f)
{
    return f->ops == &socket_ops;
}

bool sim_socket_listens(struct sim_file *f)
{
    return to_socket(f)->listening;
}

void sim_socket_vanish(struct sim_file *f)
{
    struct sim_socket *s = to_socket(f);

    CHECK(!s->listening || s->stream == NULL);
    s->listening = false;
    list_splice_back(&s->accepted, &s->incoming);
    while (!list_is_empty(&s->accepted)) {
        stream_forget(container_of(s->accepted.next, struct stream, of_listener));
    }
    list_unlink(&s->of_port);
    if (s->stream != NULL) {
        stream_vanish(s->stream);
    }
    free(s);
}

/* ---- every slot ------------------------------------------------------------------- */

/* -EBADF, -ENOTSOCK; -ECONNRESET: the node is dead. */
static int find_socket(struct os *os, int fd, struct sim_socket **ret)
{
    struct sim_file *f = sim_file_get(to_node(os), fd);

    if (f == NULL) {
        return -EBADF;
    }
    if (f->ops != &socket_ops) {
        return f->is_dead ? -ECONNRESET : -ENOTSOCK;
    }
    *ret = to_socket(f);
    return 0;
}

/* Begins a slot: a scheduling point, then the socket. */
static int get_socket(struct os *os, enum sim_call call, int fd, struct sim_socket **ret)
{
    int err;

    sched_point(sched_of_os(os), call);
    err = find_socket(os, fd, ret);
    return err < 0 ? sim_file_bad(to_node(os), call, fd, err) : 0;
}

/* A new descriptor; *ret is its socket. -EMFILE, -ENOMEM. */
static int socket_new(struct sim_node *n, sa_family_t family, struct sim_socket **ret)
{
    struct sim_socket *s = calloc(1, sizeof(*s));
    int fd;

    CHECK(family == AF_INET || family == AF_INET6);
    if (s == NULL) {
        return -ENOMEM;
    }
    s->family = family;
    s->sndbuf = n->env->opts->sndbuf;
    s->rcvbuf = n->env->opts->rcvbuf;
    list_init(&s->of_port);
    list_init(&s->incoming);
    list_init(&s->accepted);
    fd = sim_file_install(n, &s->file, &socket_ops);
    if (fd < 0) {
        free(s);
        return fd;
    }
    *ret = s;
    return fd;
}

int sim_socket(struct os *os, int family)
{
    struct sim_socket *s;

    sched_point(sched_of_os(os), SIM_CALL_socket);
    if (family != AF_INET && family != AF_INET6) {
        return -EAFNOSUPPORT;
    }
    if (to_node(os)->dead) {
        return -ENETDOWN;
    }
    return socket_new(to_node(os), (sa_family_t)family, &s);
}

/* Linux doubles what is asked for, to have room for its own books. */
static int buffer_bytes(int value, int least)
{
    return MAX(MIN(MAX(value, 0), BUF_MAX / 2) * 2, least);
}

int sim_set_option(struct os *os, int fd, enum os_sockopt option, int value)
{
    struct sim_socket *s;
    int err = get_socket(os, SIM_CALL_set_option, fd, &s);

    if (err < 0) {
        return err;
    }
    switch (option) {
    case OS_SO_NODELAY:
        break; /* nothing is ever held back */
    case OS_SO_REUSEADDR:
        s->reuse = value != 0;
        break;
    case OS_SO_RCVBUF:
        s->rcvbuf = buffer_bytes(value, RCVBUF_MIN);
        break;
    case OS_SO_SNDBUF:
        s->sndbuf = buffer_bytes(value, SNDBUF_MIN);
        break;
    case OS_SO_V6ONLY: /* always so here */
        return s->family != AF_INET6 ? -ENOPROTOOPT : s->local.family != 0 ? -EINVAL : 0;
    case OS_SO_LINGER0:
        s->linger0 = value != 0;
        break;
    }
    if (s->stream != NULL) {
        s->stream->sndbuf = (size_t)s->sndbuf;
        s->stream->rcvbuf = (size_t)s->rcvbuf;
    }
    return 0;
}

/* ---- listening -------------------------------------------------------------------- */

/* Takes the address; nothing is bound if that fails. */
static int bind_socket(struct sim_socket *s, const struct sim_addr *local)
{
    int err;

    CHECK(s->local.family == 0);
    s->local = *local;
    err = net_bind(s);
    if (err < 0) {
        s->local = (struct sim_addr){0};
    }
    return err;
}

int sim_bind(struct os *os, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct sim_socket *s;
    struct sim_addr local;
    int err = get_socket(os, SIM_CALL_bind, fd, &s);

    if (err == 0) {
        err = net_addr_read(addr, len, &local);
    }
    if (err < 0) {
        return err;
    }
    if (local.family != s->family) {
        return s->family == AF_INET6 ? -EINVAL : -EAFNOSUPPORT;
    }
    if (s->local.family != 0) {
        return -EINVAL;
    }
    return net_is_local(s->file.node, &local) ? bind_socket(s, &local) : -EADDRNOTAVAIL;
}

int sim_listen(struct os *os, int fd, int backlog)
{
    struct sim_socket *s;
    int err = get_socket(os, SIM_CALL_listen, fd, &s);

    if (err == 0 && s->stream != NULL) {
        err = -EINVAL;
    }
    if (err == 0 && s->local.family == 0) {
        err = bind_socket(s, &(struct sim_addr){.family = s->family});
    }
    if (err == 0 && net_is_taken(s)) {
        err = -EADDRINUSE;
    }
    if (err < 0) {
        return err;
    }
    s->backlog = backlog < 0 || backlog > BACKLOG_MAX ? BACKLOG_MAX : backlog;
    s->listening = true;
    return 0;
}

int sim_accept(struct os *os, int fd, struct sockaddr_storage *ret_peer)
{
    struct sim_socket *listener, *s;
    struct stream *stream;
    int err = get_socket(os, SIM_CALL_accept, fd, &listener), new_fd;

    if (err < 0) {
        return err;
    }
    if (!listener->listening) {
        return -EINVAL;
    }
    if (listener->n_accepted == 0) {
        return -EAGAIN;
    }
    new_fd = socket_new(to_node(os), listener->family, &s);
    if (new_fd < 0) {
        return new_fd; /* the connection stays in the queue, as on Linux */
    }
    stream = container_of(listener->accepted.next, struct stream, of_listener);
    CHECK(stream->listener == listener);
    CHECK(stream->phase == STREAM_ESTABLISHED);
    list_unlink(&stream->of_listener);
    stream->listener = NULL;
    listener->n_accepted--;
    s->stream = &stream->ends[1];
    s->stream->socket = s;
    s->connected = true;
    s->local = s->stream->local;
    s->sndbuf = listener->sndbuf;
    s->rcvbuf = listener->rcvbuf;
    net_addr_write(&stream->ends[0].local, ret_peer);
    return new_fd;
}

/* ---- connecting ------------------------------------------------------------------- */

/* The socket gets a full local address for talking to `to`. */
static int choose_source(struct sim_socket *s, const struct sim_addr *to)
{
    struct sim_addr source = net_source_for(s->file.node, to);

    if (s->local.family == 0) {
        return bind_socket(s, &source) < 0 ? -EADDRNOTAVAIL : 0;
    }
    if (net_is_any(&s->local)) {
        source.port = s->local.port;
        s->local = source;
    }
    return 0;
}

int sim_connect(struct os *os, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct sim_socket *s;
    struct sim_addr to;
    int err = get_socket(os, SIM_CALL_connect, fd, &s);

    if (err == 0) {
        err = net_addr_read(addr, len, &to);
    }
    if (err < 0) {
        return err;
    }
    if (s->listening || s->connected) {
        return -EISCONN;
    }
    if (s->stream != NULL) { /* as Linux: the first to ask once it is done is told 0 */
        s->connected = s->stream->established;
        return s->connected ? 0 : -EALREADY;
    }
    if (to.family != s->family) {
        return s->family == AF_INET6 ? -EINVAL : -EAFNOSUPPORT;
    }
    if (net_is_any(&to)) { /* means this host */
        to = net_loopback(to.family, to.port);
    }
    err = choose_source(s, &to);
    if (err == 0) {
        err = stream_dial(s, &to, &s->stream);
    }
    return err < 0 ? err : -EINPROGRESS;
}

int sim_connect_result(struct os *os, int fd)
{
    struct sim_socket *s;
    int err = get_socket(os, SIM_CALL_connect_result, fd, &s);

    if (err == 0 && s->stream != NULL) {
        err = stream_take_error(s->stream);
    }
    return err < 0 ? err : (socket_ready(&s->file) & POLLOUT) != 0;
}

/* ---- moving bytes ----------------------------------------------------------------- */

ssize_t sim_recv(struct os *os, int fd, void *buf, size_t len)
{
    struct sim_socket *s;
    int err = get_socket(os, SIM_CALL_recv, fd, &s);

    return err < 0 ? err : socket_read(&s->file, buf, len);
}

ssize_t sim_send(struct os *os, int fd, const struct iovec *iov, int n, bool more)
{
    struct sim_socket *s;
    int err = get_socket(os, SIM_CALL_send, fd, &s);

    CHECK(n <= OS_IOV_MAX);
    return err < 0 ? err : socket_write(&s->file, iov, n);
}

int sim_shutdown(struct os *os, int fd, int how)
{
    struct sim_socket *s;
    int err = get_socket(os, SIM_CALL_shutdown, fd, &s);

    if (err < 0) {
        return err;
    }
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR) {
        return -EINVAL;
    }
    if (s->listening && how != SHUT_WR) {
        stop_listening(s);
        return 0;
    }
    return s->stream != NULL ? stream_shutdown(s->stream, how) : -ENOTCONN;
}

/* Asking for an address is no scheduling point: recording a trace does it (world.h). */
int sim_local_addr(struct os *os, int fd, struct sockaddr_storage *ret_addr)
{
    struct sim_socket *s;
    int err = find_socket(os, fd, &s);

    if (err == 0) {
        struct sim_addr none = {.family = s->family};

        net_addr_write(s->local.family != 0 ? &s->local : &none, ret_addr);
    }
    return err;
}

int sim_peer_addr(struct os *os, int fd, struct sockaddr_storage *ret_addr)
{
    struct sim_socket *s;
    int err = find_socket(os, fd, &s);

    if (err < 0) {
        return err;
    }
    if (s->stream == NULL || !s->stream->established || s->stream->reset) {
        return -ENOTCONN;
    }
    net_addr_write(&stream_peer(s->stream)->local, ret_addr);
    return 0;
}
