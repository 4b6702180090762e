/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault_os_impl.h: inside the injector. Used by fault_os.c (life, clocks, threads),
 * fault_ask.c (questions), fault_fds.c (descriptors), fault_socket.c (making and ending
 * connections), fault_stream.c (bytes) and fault_poller.c (readiness) only.
 *
 * A descriptor's life, as far as faults go:
 *
 *     ALIVE --> VANISHING --(reset_at)--> DEAD      s07_vanish
 *       |  \--> DRAINING --(all is read)-> DEAD     s06_reset_drained
 *       |  \--> AWAITING --(reset_at)----> DEAD     s04_connect_later
 *       \-----> DEAD                                s06_reset, s07_reset, ...
 */
#ifndef MSGRLAB_SIM_FAULTS_FAULT_OS_IMPL_H
#define MSGRLAB_SIM_FAULTS_FAULT_OS_IMPL_H

#include <stdatomic.h>

#include "engine/base/spin.h"
#include "engine/util.h"
#include "sim/faults/fault_os.h"
#include "sim/faults/frame_watch.h"

enum fault_fd_kind { FAULT_FD_SOCKET, FAULT_FD_PIPE, FAULT_FD_EPOLL };
enum fault_fd_state {
    FAULT_ALIVE,
    FAULT_VANISHING,
    FAULT_DRAINING,
    FAULT_AWAITING,
    FAULT_DEAD,
};
enum { DIR_READ, DIR_WRITE };

struct fault_fd {
    int fd;
    enum fault_fd_kind kind;
    enum fault_fd_state state;
    bool is_eof, is_connecting;
    bool has_address; /* its local address is known to sim_faults as the node's */
    char peer[FAULT_NAME];
    struct sim_actor actor;
    struct sockaddr_storage remote; /* family 0: not known */
    /* As registered with an epoll; written under the node's lock. */
    int epfd; /* -1: not */
    int mask;
    uint64_t cookie;
    /* What the poller must do about it; `busy`: something. */
    bool busy;
    bool rearm;             /* owes an edge */
    int extra;              /* owes this event */
    uint64_t hold_until[2]; /* by direction; 0: not held */
    uint64_t reset_at;      /* VANISHING, AWAITING */
    int error;              /* of DEAD, positive, until told */
    /* s14_slow_drain, once begun. */
    uint64_t drain_bytes, drain_ns;
    uint32_t drain_calls; /* so many more */
    /* Frames. */
    struct frame_watch in, out;
    uint64_t asked_out; /* frames up to this one were asked about */
    struct {            /* the fault that waits for its frame to be sent */
        uint64_t index; /* 0: none */
        enum fault_id id;
        struct fault_shot shot;
    } due;
    uint8_t stash[PREAMBLE_BYTES]; /* read below, and held back with its frame */
    size_t n_stash;
};

struct fault_thread {
    char name[16];
    struct sim_actor actor;
};

struct fault_os {
    struct os base;
    struct os *inner;      /* borrowed */
    struct sim_faults *f;  /* borrowed */
    struct os_ops ops;     /* the inner one's, with ours in it */
    struct spin lock;      /* of the three tables and what they point to */
    struct fault_fd **fds; /* owned array, by number; NULL: none */
    int n_fds;
    struct fault_thread **threads; /* owned, each */
    size_t n_threads;
    atomic_int open_n, n_busy;
    /* Clocks. */
    atomic_ullong coarse_ns, suspended_ns, last_ns;
    atomic_llong realtime_off_ns;
};

struct fault_cond {
    struct fault_os *fo;   /* borrowed */
    struct os_cond *inner; /* owned */
};

static inline struct fault_os *to_fault_os(struct os *os)
{
    return container_of(os, struct fault_os, base);
}

/* The call during which a thread may be paused, as the catalogue numbers them. */
enum fault_point {
    POINT_ANY,
    POINT_SEND,
    POINT_RECV,
    POINT_WAITED,
    POINT_WAKE,
    POINT_COND,
    POINT_START,
    POINT_CLOSE,
};

/* fault_ask.c: asking. `e` may be NULL: the thread is whom it is about. `n`: draws. */
bool fault_ask(struct fault_os *fo, enum fault_id id, struct fault_fd *e, uint64_t n,
               struct fault_shot *ret);
/* The place of a question, for what is asked otherwise. */
void fault_place_of(struct fault_os *fo, struct fault_fd *e, struct fault_place *ret);
/* The same for a fault whose only effect is an errno: 0, or the negative errno. */
int fault_ask_errno(struct fault_os *fo, enum fault_id id, struct fault_fd *e,
                    const int *errnos, size_t n);
/* The shot's errno, or one of these by its draw; negative. */
int fault_errno(const struct fault_shot *shot, const int *errnos, size_t n);
/* What may be drawn for a time: 1/8 to 8 of what the catalogue says. */
#define FAULT_TIME_DRAWS 64
uint64_t fault_time(const struct fault_shot *shot, uint64_t catalogue_ns);
/* t05_pause: whether to pause here, and for how long. */
bool fault_wants_pause(struct fault_os *fo, struct fault_fd *e, enum fault_point point,
                       uint64_t *ret_ns);
/* Pauses if so. */
void fault_pause(struct fault_os *fo, struct fault_fd *e, enum fault_point point);
/* Steps of the node's clocks: asked where threads wait. */
void fault_clocks(struct fault_os *fo);

/* fault_fds.c: NULL for a descriptor that was not made here. */
struct fault_fd *fault_fd_get(struct fault_os *fo, int fd);
/* Its name, to make decisions by, is NODE WORD PEER: "a>b". NULL: no memory. */
struct fault_fd *fault_fd_new(struct fault_os *fo, int fd, enum fault_fd_kind kind,
                              const char *word, const struct sockaddr *remote);
/* Gives it another name, once its peer is known. */
void fault_fd_name(struct fault_os *fo, struct fault_fd *e, const char *word,
                   const struct sockaddr *remote);
/* Forgets it, before it is closed below. */
void fault_fd_drop(struct fault_os *fo, struct fault_fd *e);
/* The local address of a listener or dialled socket is this node's. */
void fault_fd_publish(struct fault_os *fo, struct fault_fd *e);
/* No readiness in this direction until then. */
void fault_fd_hold(struct fault_os *fo, struct fault_fd *e, int dir, uint64_t until_ns);
bool fault_fd_is_held(struct fault_os *fo, struct fault_fd *e, int dir);
/* It owes an edge: whatever is ready is reported by the next wait. */
void fault_fd_rearm(struct fault_os *fo, struct fault_fd *e);
void fault_fd_busy(struct fault_os *fo, struct fault_fd *e);
/* The transport is broken: `error` is told once; a RST goes out when it is closed. */
void fault_fd_kill(struct fault_os *fo, struct fault_fd *e, int error);
/* Does what is due by now. */
void fault_fd_catch_up(struct fault_os *fo, struct fault_fd *e, uint64_t now_ns);
/* The earliest time something is due; UINT64_MAX: nothing. */
uint64_t fault_fd_due(const struct fault_os *fo, const struct fault_fd *e);
/* The bits of `mask` that are not held. */
int fault_fd_mask(const struct fault_fd *e, int mask);

/* The slots. */
int fault_socket(struct os *os, int family);
int fault_set_option(struct os *os, int fd, enum os_sockopt option, int value);
int fault_bind(struct os *os, int fd, const struct sockaddr *addr, socklen_t len);
int fault_listen(struct os *os, int fd, int backlog);
int fault_accept(struct os *os, int fd, struct sockaddr_storage *ret_peer);
int fault_connect(struct os *os, int fd, const struct sockaddr *addr, socklen_t len);
int fault_connect_result(struct os *os, int fd);
int fault_shutdown(struct os *os, int fd, int how);
void fault_close(struct os *os, int fd);
ssize_t fault_recv(struct os *os, int fd, void *buf, size_t len);
ssize_t fault_send(struct os *os, int fd, const struct iovec *iov, int n, bool more);
int fault_pipe(struct os *os, int ret_fds[2]);
ssize_t fault_read(struct os *os, int fd, void *buf, size_t len);
ssize_t fault_write(struct os *os, int fd, const void *buf, size_t len);
int fault_epoll_create(struct os *os);
int fault_epoll_ctl(struct os *os, int epfd, enum os_epoll_op op, int fd, int mask,
                    uint64_t cookie);
int fault_epoll_wait(struct os *os, int epfd, struct os_epoll_event *events, int n,
                     int64_t timeout_ns);
int fault_poll(struct os *os, struct pollfd *fds, int n, int64_t timeout_ns);
int fault_select(struct os *os, int nfds, fd_set *readable, fd_set *writable,
                 int64_t timeout_ns);

/* One errno of a table. */
#define FAULT_ERRNO(fo, id, e, ...)                                                        \
    fault_ask_errno(fo, id, e, (const int[]){__VA_ARGS__},                                 \
                    sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

#endif
