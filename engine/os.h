/* SPDX-License-Identifier: Apache-2.0 */
/*
 * os.h: the operating system, as the engine sees it.
 *
 * One struct os belongs to one node (one messenger process of the story being told). Two
 * implementations exist by design: os/os_linux*.c, and the virtual one in sim/. Everything
 * that can decide behaviour comes from here: time, randomness, threads, locks, readiness,
 * sockets. Nothing the engine calls may block outside these slots.
 *
 * Conventions of every slot:
 *  - the result is >= 0 on success and a negative errno on failure; outputs are written
 *    only on success;
 *  - EINTR never comes out: the implementation retries or reports "nothing yet";
 *  - no slot calls back into the engine, except thread_start, whose `fn` runs on the new
 *    thread;
 *  - times are integer nanoseconds; a timeout < 0 means "for ever".
 * Any thread may call any slot unless it says otherwise. Call the inline wrappers in
 * os_calls.h, which comes with this, not the tables.
 */
#ifndef MSGRLAB_ENGINE_OS_H
#define MSGRLAB_ENGINE_OS_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct os;
struct os_mutex; /* opaque; owned by whoever called mutex_new */
struct os_cond;  /* opaque; owned by whoever called cond_new */
struct trace;
struct trace_ring;

/* What hangs off a thread instead of thread-local storage. */
struct os_thread {
    struct os *os;           /* borrowed: the node the thread belongs to */
    char name[16];           /* "msgr-worker-0" */
    struct trace_ring *ring; /* owned by os->trace; NULL until the first record */
    bool shared; /* by all threads that found no memory for a handle of their own: it owns
                  * nothing and records nothing */
};

typedef void (*os_thread_fn)(void *arg);

/* Clock, randomness, threads and locks. */
struct os_ops {
    /* Monotonic clock. Never goes back; equal readings are legal. */
    uint64_t (*monotonic_ns)(struct os *os);
    /* Wall clock, ns since 1970. May step. Only for KEEPALIVE2 time stamps and file
     * names. */
    uint64_t (*realtime_ns)(struct os *os);
    /* 64 random bits for nonces, cookies and jitter. Not for keys. */
    uint64_t (*random64)(struct os *os);

    /* Starts `fn(arg)` on a new thread. `name` is copied (15 bytes). On success *ret is
     * valid until thread_join. -EAGAIN, -ENOMEM. */
    int (*thread_start)(struct os *os, const char *name, os_thread_fn fn, void *arg,
                        struct os_thread **ret);
    /* Blocks until the thread ended, then frees it. Not from the thread itself. */
    void (*thread_join)(struct os_thread *thread);
    /* The calling thread's handle. A thread that os did not start is adopted at its first
     * call and named "app-N"; its handle lives as long as the os. Never NULL: without
     * memory it is the shared one, for good. */
    struct os_thread *(*thread_self)(struct os *os);
    /* Blocks the calling thread. Not for engine threads: they wait in their center. */
    void (*sleep_ns)(struct os *os, uint64_t ns);

    /* A mutex, not recursive. `name` is borrowed and must be static: it appears in deadlock
     * reports and defines the lock class of the lock-order checker. NULL if no memory. */
    struct os_mutex *(*mutex_new)(struct os *os, const char *name);
    void (*mutex_free)(struct os_mutex *mutex);   /* unlocked, no waiter; NULL is fine */
    void (*mutex_lock)(struct os_mutex *mutex);   /* may block */
    void (*mutex_unlock)(struct os_mutex *mutex); /* by the thread that locked it */
    struct os_cond *(*cond_new)(struct os *os, const char *name);
    void (*cond_free)(struct os_cond *cond); /* no waiter; NULL is fine */
    /* Releases the mutex, waits, takes it again. Spurious returns are legal.
     * 0, or -ETIMEDOUT when `timeout_ns` (>= 0) passed. */
    int (*cond_wait)(struct os_cond *cond, struct os_mutex *mutex, int64_t timeout_ns);
    void (*cond_signal)(struct os_cond *cond);
    void (*cond_broadcast)(struct os_cond *cond);
};

/* Readiness masks: the poll(2) bits that matter, so that no driver translates twice. */
enum {
    OS_READABLE = 1,
    OS_WRITABLE = 2,
    OS_EDGE = 4, /* epoll only: report changes, not levels */
};

struct os_epoll_event {
    uint64_t cookie; /* what the owner registered */
    int mask;        /* OS_READABLE | OS_WRITABLE; error and hang-up set both */
};

enum os_epoll_op { OS_EPOLL_ADD, OS_EPOLL_MOD, OS_EPOLL_DEL };

enum os_sockopt {
    OS_SO_NODELAY,   /* bool */
    OS_SO_REUSEADDR, /* bool */
    OS_SO_RCVBUF,    /* bytes */
    OS_SO_SNDBUF,    /* bytes */
    OS_SO_V6ONLY,    /* bool */
    OS_SO_LINGER0,   /* bool: close sends RST */
};

/* Descriptors, readiness and sockets. Every descriptor made here is close-on-exec and
 * non-blocking, is owned by the caller, and is closed with `close`, once. */
struct os_io_ops {
    int (*epoll_create)(struct os *os); /* fd; -EMFILE, -ENFILE, -ENOMEM */
    /* ADD, MOD: remember (mask, cookie) for fd. DEL: forget it. -ENOENT, -EEXIST,
     * -ENOSPC. */
    int (*epoll_ctl)(struct os *os, int epfd, enum os_epoll_op op, int fd, int mask,
                     uint64_t cookie);
    /* Blocks up to timeout_ns; fills at most n events; returns how many (0: time out). A
     * positive timeout is never cut to a shorter one. */
    int (*epoll_wait)(struct os *os, int epfd, struct os_epoll_event *events, int n,
                      int64_t timeout_ns);
    int (*poll)(struct os *os, struct pollfd *fds, int n, int64_t timeout_ns);
    int (*select)(struct os *os, int nfds, fd_set *readable, fd_set *writable,
                  int64_t timeout_ns);

    int (*pipe)(struct os *os, int ret_fds[2]); /* [0] reads, [1] writes */
    /* Two connected ends: what is written to one is read from the other. Each holds a few
     * KiB, no more. For wake-ups by one descriptor that must be readable and writable
     * independently. */
    int (*pair)(struct os *os, int ret_fds[2]);
    /* Bytes moved, 0 = end of file, -EAGAIN = nothing now. Never blocks. */
    ssize_t (*read)(struct os *os, int fd, void *buf, size_t len);
    ssize_t (*write)(struct os *os, int fd, const void *buf, size_t len);
    void (*close)(struct os *os, int fd); /* the number may be reused at once */

    int (*socket)(struct os *os, int family); /* a stream socket: fd */
    int (*set_option)(struct os *os, int fd, enum os_sockopt option, int value);
    int (*bind)(struct os *os, int fd, const struct sockaddr *addr, socklen_t len);
    int (*listen)(struct os *os, int fd, int backlog);
    /* A connected fd; *ret_peer is filled. -EAGAIN: nobody waits. */
    int (*accept)(struct os *os, int fd, struct sockaddr_storage *ret_peer);
    /* 0 connected, -EINPROGRESS: wait for writable, then ask `connect_result`. */
    int (*connect)(struct os *os, int fd, const struct sockaddr *addr, socklen_t len);
    /* 1 connected, 0 in progress, < 0 why it failed (consumes SO_ERROR). */
    int (*connect_result)(struct os *os, int fd);
    /* Bytes, 0 = the peer sent FIN, -EAGAIN, -ECONNRESET, ... */
    ssize_t (*recv)(struct os *os, int fd, void *buf, size_t len);
    /* Bytes taken (maybe fewer than offered), -EAGAIN, -EPIPE (no SIGPIPE), -ECONNRESET.
     * n <= OS_IOV_MAX. `more`: the caller will send again at once. */
    ssize_t (*send)(struct os *os, int fd, const struct iovec *iov, int n, bool more);
    int (*shutdown)(struct os *os, int fd, int how); /* SHUT_RD, SHUT_WR, SHUT_RDWR */
    int (*local_addr)(struct os *os, int fd, struct sockaddr_storage *ret_addr);
    int (*peer_addr)(struct os *os, int fd, struct sockaddr_storage *ret_addr);
};

#define OS_IOV_MAX 1024

/* The base of both implementations: embed it first. */
struct os {
    const struct os_ops *ops;
    const struct os_io_ops *io;
    struct os *inner;    /* borrowed: what this one decorates; NULL: it is no decorator */
    struct trace *trace; /* borrowed; NULL: the recorder is off */
    uint8_t node;        /* number of this node in traces, 1.. */
    char name[32];       /* of the node */
};

/* The real world. NULL if no memory. `name` is copied; NULL: "". */
struct os *os_linux_new(uint8_t node, const char *name);
/* Every thread started was joined, every mutex and condition freed. NULL is fine. */
void os_linux_free(struct os *os);

#ifdef __cplusplus
}
#endif

#include "engine/os_calls.h"

#endif
