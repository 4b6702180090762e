/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network_stack.h: what a transport gives the engine (Ceph: NetworkStack, ServerSocket,
 * ConnectedSocket).
 *
 * One struct network_stack serves one messenger. Sockets are used by one worker thread
 * only, the one given at connect or accept. A socket's fd is what the event center watches:
 * for TCP the socket itself, for RDMA the connection's own notify eventfd.
 * Results are >= 0 or a negative errno; -EAGAIN comes out of
 * accept only.
 */
#ifndef MSGRLAB_ENGINE_NETWORK_STACK_H
#define MSGRLAB_ENGINE_NETWORK_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "engine/entity_addr.h"
#include "engine/os.h"

#ifdef __cplusplus
extern "C" {
#endif

struct worker;
struct network_stack;
struct server_socket;
struct connected_socket;

struct socket_options {
    bool nodelay;
    int rcvbuf, sndbuf; /* bytes; 0 = the system's default */
};

struct network_stack_ops {
    const char *name; /* "tcp", "rdma" */
    /* Whether a connect in progress must watch for writable. */
    bool connect_wants_writable;
    /* Binds and listens. `addr` may have port 0; *ret_addr says what was bound (type and
     * nonce of addr). The socket is the caller's. -EADDRINUSE, -EADDRNOTAVAIL, -EACCES,
     * ... */
    int (*listen)(struct network_stack *s, struct worker *w, const struct entity_addr *addr,
                  const struct socket_options *opts, struct server_socket **ret,
                  struct entity_addr *ret_addr);
    /* Starts a connection. 0 with a socket (connected or in progress), or -errno. */
    int (*connect)(struct network_stack *s, struct worker *w,
                   const struct entity_addr *addr, const struct socket_options *opts,
                   struct connected_socket **ret);
    /* What that error of connect means here, as a static text: network_stack_reason, or
     * what this stack knows better. */
    const char *(*why)(const struct network_stack *s, int err);
    void (*free)(struct network_stack *s); /* no socket left */
};

struct network_stack {
    const struct network_stack_ops *ops;
    struct os *os; /* borrowed */
};

struct server_socket_ops {
    /* A connected socket for worker `w`. -EAGAIN: nobody waits; -EMFILE, ... */
    int (*accept)(struct server_socket *s, struct worker *w,
                  const struct socket_options *opts, struct connected_socket **ret,
                  struct entity_addr *ret_peer);
    int (*fd)(const struct server_socket *s);
    void (*close)(struct server_socket *s); /* closes and frees; its file event is gone */
};

struct server_socket {
    const struct server_socket_ops *ops;
};

struct connected_socket_ops {
    /* 1 connected, 0 still in progress, < 0 failed. */
    int (*is_connected)(struct connected_socket *s);
    /* What that error of is_connected, read or send means here, as a static text. */
    const char *(*why)(struct connected_socket *s, int err);
    /* Bytes read; 0: nothing now; -EPIPE: the peer ended the stream (FIN); other -errno. */
    ssize_t (*read)(struct connected_socket *s, void *buf, size_t len);
    /* Bytes taken from the front of iov, maybe 0: wait for writable. -EPIPE, -ECONNRESET.
     * `more`: more bytes follow at once. */
    ssize_t (*send)(struct connected_socket *s, const struct iovec *iov, int n, bool more);
    void (*shutdown)(struct connected_socket *s); /* both directions; close comes later */
    int (*fd)(const struct connected_socket *s);
    int (*local_addr)(struct connected_socket *s,
                      struct entity_addr *ret); /* type, nonce 0 */
    int (*peer_addr)(struct connected_socket *s, struct entity_addr *ret);
    /* The stack's own records about this socket name that object of the trace. */
    void (*trace_as)(struct connected_socket *s, uint32_t object);
    void (*close)(
        struct connected_socket *s); /* closes and frees; its file events are gone */
};

struct connected_socket {
    const struct connected_socket_ops *ops;
};

static inline int network_stack_listen(struct network_stack *s, struct worker *w,
                                       const struct entity_addr *addr,
                                       const struct socket_options *opts,
                                       struct server_socket **ret,
                                       struct entity_addr *ret_addr)
{
    return s->ops->listen(s, w, addr, opts, ret, ret_addr);
}
static inline int network_stack_connect(struct network_stack *s, struct worker *w,
                                        const struct entity_addr *addr,
                                        const struct socket_options *opts,
                                        struct connected_socket **ret)
{
    return s->ops->connect(s, w, addr, opts, ret);
}
static inline const char *network_stack_why(const struct network_stack *s, int err)
{
    return s->ops->why(s, err);
}
static inline void network_stack_free(struct network_stack *s)
{
    if (s != NULL) {
        s->ops->free(s);
    }
}
static inline int server_socket_accept(struct server_socket *s, struct worker *w,
                                       const struct socket_options *opts,
                                       struct connected_socket **ret,
                                       struct entity_addr *ret_peer)
{
    return s->ops->accept(s, w, opts, ret, ret_peer);
}
static inline int server_socket_fd(const struct server_socket *s)
{
    return s->ops->fd(s);
}
static inline void server_socket_close(struct server_socket *s)
{
    s->ops->close(s);
}
static inline int connected_socket_is_connected(struct connected_socket *s)
{
    return s->ops->is_connected(s);
}
static inline const char *connected_socket_why(struct connected_socket *s, int err)
{
    return s->ops->why(s, err);
}
static inline ssize_t connected_socket_read(struct connected_socket *s, void *buf,
                                            size_t len)
{
    return s->ops->read(s, buf, len);
}
static inline ssize_t connected_socket_send(struct connected_socket *s,
                                            const struct iovec *iov, int n, bool more)
{
    return s->ops->send(s, iov, n, more);
}
static inline void connected_socket_shutdown(struct connected_socket *s)
{
    s->ops->shutdown(s);
}
static inline int connected_socket_fd(const struct connected_socket *s)
{
    return s->ops->fd(s);
}
static inline int connected_socket_local_addr(struct connected_socket *s,
                                              struct entity_addr *ret)
{
    return s->ops->local_addr(s, ret);
}
static inline int connected_socket_peer_addr(struct connected_socket *s,
                                             struct entity_addr *ret)
{
    return s->ops->peer_addr(s, ret);
}
static inline void connected_socket_trace_as(struct connected_socket *s, uint32_t object)
{
    s->ops->trace_as(s, object);
}
static inline void connected_socket_close(struct connected_socket *s)
{
    s->ops->close(s);
}

/* What a negative errno of a socket means for a connection: a static text for people. Any
 * thread. */
const char *network_stack_reason(int err);
/* For stacks over the operating system's sockets: a bound, listening descriptor, which is
 * the caller's; *ret_addr is what was bound. `rcvbuf` 0: as the system likes. Or a negative
 * errno. Any thread. */
int network_stack_listener(struct os *os, const struct entity_addr *addr, int rcvbuf,
                           struct entity_addr *ret_addr);

#ifdef __cplusplus
}
#endif

#endif
