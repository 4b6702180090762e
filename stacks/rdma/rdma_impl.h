/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rdma_impl.h: how the parts of the stack hang together. For the files of this folder.
 *
 *   worker thread                            thread "rdma-polling"
 *   socket.c         send, read, close       dispatcher.c         polls both CQs, sleeps
 *   socket_side.c    the side channel        dispatcher_close.c   ends queue pairs
 *                                            dispatcher_cqe.c     what a completion means
 *                                            dispatcher_unread.c  where unread bytes wait
 *                                            dispatcher_event.c   async events
 *   both
 *   dispatcher_mail.c   what other threads want of the dispatcher
 *   socket_state.c      a socket comes up, gives back, is freed
 *   socket_end.c        why it is over
 *   socket_table.c      which sockets there are
 *
 * Each file uses those below it in its column and the last four, and none above.
 *
 * A socket belongs to its worker until close; then to the dispatcher, which frees it when
 * the last completion was polled. Only the dispatcher takes sockets out of its table, so
 * what it finds there is alive.
 *
 * Locks, outermost first: dispatcher; receive queue; chunk pool; socket. Nobody calls a
 * verb but ibv_post_* with a lock held.
 */
#ifndef MSGRLAB_STACKS_RDMA_RDMA_IMPL_H
#define MSGRLAB_STACKS_RDMA_RDMA_IMPL_H

#include "engine/event_center.h"
#include "stacks/rdma/notify.h"
#include "stacks/rdma/queue_pair.h"
#include "stacks/rdma/recv_queue.h"
#include "stacks/rdma/wr_id.h"

#define RDMA_BUCKETS 256
#define RDMA_POLL_BATCH 32
#define RDMA_ACK_BATCH 512 /* CQ events acknowledged at once: it costs a lock */
/* The beacon comes at once, or the device is broken. */
#define RDMA_DRAIN_MAX_NS (5 * NSEC_PER_SEC)
/* LAST_WQE_REACHED comes at once, or this device never sends it. */
#define RDMA_LAST_WQE_MAX_NS (50 * NSEC_PER_MSEC)
/* A queue without a single receive has no completion that would fill it: so often it is
 * tried again. */
#define RDMA_REFILL_NS (10 * NSEC_PER_MSEC)
/* A reader that has taken nothing for so long, and for whom more is kept than its share,
 * while nobody can receive: its connection ends. */
#define RDMA_UNREAD_MAX_NS NSEC_PER_SEC
/* How often one who never sleeps asks for async events. */
#define RDMA_ASYNC_EVERY_NS NSEC_PER_MSEC

struct rdma_stack;

enum side_step {
    SIDE_DIALLING,  /* TCP connect in progress */
    SIDE_SAYING,    /* a record is being written */
    SIDE_LISTENING, /* the peer's record is awaited */
    SIDE_UP,        /* nothing more is said; the end of this is the end of the peer */
    SIDE_DOWN,
};

/* The side channel. Of the worker; its fd goes to the dispatcher at close. */
struct side_channel {
    int fd;   /* owned; -1: none */
    int mask; /* watched in the worker's center */
    enum side_step step;
    bool dialled;
    int n; /* of the record being said or awaited: 1..3 */
    uint8_t out[HANDSHAKE_BYTES];
    size_t out_at;
    struct handshake_reader in;
    struct handshake_record peer;
};

enum closing_phase { CLOSING_NOT, CLOSING_LINGER, CLOSING_DRAIN, CLOSING_DEAD };

struct rdma_socket {
    struct connected_socket base;
    struct rdma_stack *stack; /* borrowed */
    struct os *os;            /* borrowed */
    _Atomic uint32_t trace_obj;

    /* Worker. */
    struct worker *worker;         /* borrowed */
    struct external_event adopt;   /* accepted by another worker's thread */
    struct external_event abandon; /* closed by another worker's thread */
    struct side_channel side;
    struct list reading;  /* chunks taken from `received`, the first maybe half read */
    uint64_t tx_at;       /* bytes accepted */
    bool side_up;         /* TCP connected: what is_connected tells */
    const char *side_why; /* static: how the side channel ended; then the dispatcher's */

    struct queue_pair qp;
    struct recv_queue own_rq; /* without SRQ */
    struct recv_queue *rq;    /* that, or the stack's */

    struct os_mutex *lock; /* owned; guards the following */
    struct notify notify;
    struct list received;  /* chunks with data, in order */
    struct list tx_posted; /* the device's */
    uint32_t tx_used, tx_most;
    struct chunk_user tx_user; /* of the send pool */
    struct chunk_user rx_user; /* of the receive pool: what it has not read, and without SRQ
                                * also what is posted */
    struct chunk_user unread_user;    /* of ordinary memory */
    _Atomic uint64_t unread_since_ns; /* its reader has taken nothing since */
    bool pool_waiting, pool_woken;
    bool up, shut, closed;
    bool peer_fin, fin_posted, fin_done;
    int error; /* the first one; 0: none */
    const char *why;

    /* Dispatcher. */
    struct list of_bucket;               /* under its lock */
    struct list of_closing, of_flushing; /* under its lock while they are arrivals */
    enum closing_phase phase;
    uint64_t deadline_ns, reaped_before; /* of LINGER and DRAIN; of DEAD */
    uint64_t rx_at;                      /* bytes delivered */
    bool beacon_seen, last_wqe_seen;
};

struct rdma_dispatcher {
    struct ibv_comp_channel *tx_channel, *rx_channel; /* owned */
    struct ibv_cq *tx_cq, *rx_cq;                     /* owned */
    struct os_thread *thread;                         /* owned */
    int wake_fds[2];                                  /* owned; -1: none */

    struct os_mutex *lock; /* owned; guards the following */
    struct list buckets[RDMA_BUCKETS];
    uint32_t n_sockets, sockets_max;
    struct list closing_arrivals, flush_arrivals;
    _Atomic bool arrivals; /* there may be some: read without the lock */
    bool sleeping, stopping;

    /* The thread's own. */
    struct list closing;
    unsigned int unacked_tx, unacked_rx;
    uint64_t last_active_ns, last_async_ns, n_polls;
    uint64_t n_reaped;     /* completions of both queues so far */
    uint64_t refill_at_ns; /* a receive queue is empty; UINT64_MAX: none is */
    bool no_last_wqe;      /* this device was seen not to send it */
};

struct rdma_stack {
    struct network_stack base;
    struct os *os;       /* borrowed */
    struct verbs *verbs; /* owned */
    struct rdma_opts opts;
    struct rdma_device device;
    struct chunk_pool tx_pool, rx_pool;
    /* Ordinary memory: for what is not read beyond its connection's share of rx_pool. */
    struct chunk_pool unread_pool;
    struct ibv_srq *srq; /* owned; NULL: each queue pair has its own receive queue */
    struct recv_queue srq_queue;
    struct queue_pair_shared shared;
    struct rdma_dispatcher dispatcher;
    struct rdma_counters counters;
    _Atomic int broken; /* negative errno: no new connections, and why */
    /* The dispatcher's: what `broken` is made of. The last two may pass. */
    int fatal;                       /* negative errno */
    _Atomic(const char *) fatal_why; /* static; any thread reads it */
    bool port_down, no_gid;
    bool counted; /* rdma_stack_stop has told what is missing */
};

#define RDMA_COUNT(stack, name, n)                                                         \
    atomic_fetch_add_explicit(&(stack)->counters.name, (uint64_t)(n), memory_order_relaxed)

/* ---- socket.c ---- */

/* For an fd that is connected, or being so. Takes it over on success. */
int rdma_socket_new(struct rdma_stack *stack, struct worker *w, int fd, bool dialled,
                    struct rdma_socket **ret);

/* ---- socket_end.c ---- */

/* The connection is over: readers and writers hear of it. The first reason stays; only an
 * effect (a work request was flushed, the last one was reached) gives way to its cause. Any
 * thread. */
void rdma_socket_fault(struct rdma_socket *s, int err, const char *why);
/* What that error means for the socket: its reason, or what the errno says. Static. */
const char *rdma_socket_why(struct connected_socket *base, int err);

/* ---- socket_state.c ---- */

/* Data may be sent. Worker. */
void rdma_socket_up(struct rdma_socket *s);
/* Dispatcher; or the worker if it was never in a table. */
void rdma_socket_free(struct rdma_socket *s);

/* Chunks nobody reads any more, of any pool: they go back, and receives that are missing
 * are posted. Any thread. */
void rdma_socket_give_back(struct rdma_socket *s, struct list *chunks);

/* ---- socket_side.c; worker ---- */

/* Watches the fd and goes on from there. */
void side_channel_start(struct rdma_socket *s);
void side_channel_stop(struct rdma_socket *s); /* watches it no more; it stays open */

/* ---- socket_table.c ---- */

/* -ENOBUFS: so many queue pairs could overrun the completion queues. */
int rdma_dispatcher_add(struct rdma_stack *stack, struct rdma_socket *s);
struct rdma_socket *rdma_dispatcher_find(struct rdma_stack *stack, uint32_t qpn);
void rdma_dispatcher_remove(struct rdma_stack *stack, struct rdma_socket *s);
/* Calls fn for every socket of the table, with the dispatcher's lock held. */
void rdma_for_each_socket(struct rdma_stack *stack,
                          void (*fn)(struct rdma_socket *s, void *arg), void *arg);

/* ---- dispatcher_mail.c ---- */

/* The socket is the dispatcher's from now on. Any thread. */
void rdma_dispatcher_close_socket(struct rdma_stack *stack, struct rdma_socket *s);
/* The side channel ended: when every completion so far has been polled and there was no
 * FIN, the connection is reset. Any thread. */
void rdma_dispatcher_flush_socket(struct rdma_stack *stack, struct rdma_socket *s);
/* With the dispatcher's lock held: its thread looks at its mail before it sleeps, so one
 * byte is needed only when it does. */
void rdma_mail_wake(struct rdma_dispatcher *d, struct os *os);
/* The dispatcher's thread: the mail, to d->closing and to the end of `flushing`. */
void rdma_mail_take(struct rdma_stack *stack, struct list *flushing);
/* The dispatcher's thread. False: there is something to do, or nobody to wake us would know
 * that we sleep. */
bool rdma_mail_may_sleep(struct rdma_stack *stack);
/* The dispatcher's thread: it is awake. */
void rdma_mail_drain(struct rdma_stack *stack);

/* ---- rdma_opts.c ---- */

int rdma_opts_check(const struct rdma_opts *opts, char *why, size_t size);

/* ---- verbs_names.c ---- */

const char *wc_status_name(enum ibv_wc_status status);
const char *async_event_name(enum ibv_event_type type);
/* What they mean for a connection, in words that begin with the name. Static. */
const char *wc_status_why(enum ibv_wc_status status);
const char *async_event_why(enum ibv_event_type type);

#endif
