/* SPDX-License-Identifier: Apache-2.0 */
/*
 * messenger.h: the public face of the engine (Ceph: Messenger, AsyncMessenger,
 * Dispatcher). What a connection can be asked is in connection.h, which comes with this.
 *
 * A messenger belongs to one node (struct os), owns its workers, its dispatch queue and
 * every connection, and borrows a network stack. Life: new, policies and dispatchers, bind
 * (if it serves), start, use, shutdown, free. Unless a call says otherwise any thread may
 * make it, except from inside a dispatcher callback where that is said.
 *
 * Callbacks come from two threads: fast_dispatch from the connection's msgr-worker-N, all
 * others from ms_dispatch. They never run inside a call the user makes, and none comes for
 * a connection after its reset, or after mark_down returned (one that already runs may
 * finish).
 */
#ifndef MSGRLAB_ENGINE_MESSENGER_H
#define MSGRLAB_ENGINE_MESSENGER_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/connection.h"
#include "engine/entity_addr.h"
#include "engine/event_center_stats.h"
#include "engine/event_driver.h"
#include "engine/message.h"
#include "engine/network_stack.h"
#include "engine/policy.h"

#ifdef __cplusplus
extern "C" {
#endif

struct messenger;
struct worker_pool;

/* Zeroed fields mean the default of limits.h. */
struct messenger_opts {
    struct os *os;                /* borrowed; required */
    struct network_stack *stack;  /* borrowed, outlives the messenger; required */
    enum entity_type entity_type; /* what we say we are; required */
    const char *entity_id;        /* copied: "admin" of client.admin; "" if NULL */
    int64_t entity_num;           /* our number (osd.N, mon rank); -1 = none known */
    uint64_t nonce;               /* 32 bits used; 0 = random */
    enum event_driver_kind driver;
    uint32_t workers; /* 0 = 3 (ms_async_op_threads) */
    bool msgr20;      /* announce 2.0 framing only (for peers and tests) */
    struct socket_options socket;
    uint64_t message_bytes_max, dispatch_bytes_max;
    uint64_t out_queue_messages_max, out_queue_bytes_max;
    uint32_t accepting_max;
    uint64_t ready_timeout_ns; /* of a handshake */
    uint64_t idle_timeout_ns;  /* of a session from whose peer nothing comes */
    uint64_t backoff_initial_ns, backoff_max_ns;
    /* A monitor's role for clients: gives out global ids in AUTH_DONE, from this one on. */
    uint64_t first_global_id;
};

/*
 * Who receives. Several may be added; a message goes to the first that returns true from
 * `dispatch` (or can_fast_dispatch). NULL slots get the default: not handled.
 */
struct dispatcher {
    void *arg;
    /* Asked on a worker thread; true: fast_dispatch gets the message there, before any
     * other message of that connection is read. It must be quick and must not block. */
    bool (*can_fast_dispatch)(void *arg, const struct message *msg);
    /* Gets the reference. */
    void (*fast_dispatch)(void *arg, struct message *msg);
    /* On ms_dispatch. True: the callback has taken over the reference. */
    bool (*dispatch)(void *arg, struct message *msg);
    /* A session we dialled, or accepted, is ready. `conn` is borrowed in all of these. */
    void (*on_connect)(void *arg, struct connection *conn);
    void (*on_accept)(void *arg, struct connection *conn);
    /* The session is over: what was not delivered is lost, on both sides (Ceph discards
     * what waits in the dispatch queue, too). True: no one else is told. */
    bool (*on_reset)(void *arg, struct connection *conn);
    /* The peer lost its side of a lossless session. */
    void (*on_remote_reset)(void *arg, struct connection *conn);
    /* Nobody listens at the address; we keep trying. True: no one else is told. */
    bool (*on_refused)(void *arg, struct connection *conn);
    /* An accepted connection ended before there was a session: conn_why and conn_seen say
     * the rest. Nothing else is ever told of it. Of a flood at most REFUSALS_QUEUED_MAX
     * (limits.h) wait to be told; those beyond are only counted, in messenger_stats. */
    void (*on_accept_failed)(void *arg, struct connection *conn);
};

/* 0 or a negative errno; then nothing is left over. -EINVAL: a required option is missing,
 * more workers than WORKERS_MAX, or an unknown driver. */
int messenger_new(const struct messenger_opts *opts, struct messenger **ret);
/* Policies: rows of policy.h by value; throttlers in it are ignored, see below. peer_type 0
 * sets the default. Before start; after it only for a type that has none of its own yet,
 * for the sessions to come. One thread. 0; -EINVAL: no policy (policy_find of a wrong
 * name), or no entity type; -EBUSY: after start, and that type has one. */
int messenger_set_policy(struct messenger *m, int peer_type, const struct policy *policy);
/* Limits shared by all connections to peers of that type (0 = default row); 0 = none.
 * Before start; after it only before messenger_set_policy gives that type its own row,
 * which then has them. As messenger_set_policy, or -ENOMEM. */
int messenger_set_throttlers(struct messenger *m, int peer_type, uint64_t messages,
                             uint64_t bytes);
/* Copied; at most 8. Before start. 0; -EINVAL: none given; -ENOSPC; -EBUSY: after start. */
int messenger_add_dispatcher(struct messenger *m, const struct dispatcher *dispatcher);
/* Listens on each address (type v2; port 0 = any free one). Before start or after. 0, or
 * the error of the first address that failed (then none is bound). -EINVAL: no address, too
 * many, or bound already; -ESHUTDOWN. */
int messenger_bind(struct messenger *m, const struct entity_addrvec *addrs);
/* Starts workers and ms_dispatch. 0; -EALREADY; -ESHUTDOWN: it does not start again;
 * -EAGAIN, -ENOMEM: no threads. */
int messenger_start(struct messenger *m);
/* Listens on other ports (none of the old) with a new nonce; then the old listeners close
 * and connections are marked down. 0; -EINVAL: it listens nowhere; or why there cannot be
 * new listeners (-EMFILE, -EADDRINUSE, -ENOMEM, ...): then nothing has changed, the old
 * ones go on as they were, and a later call may succeed. Waits for the workers: not from a
 * callback. */
int messenger_rebind(struct messenger *m);
/* The addresses we announce: what is bound, or what we learned from a peer. */
void messenger_addrs(struct messenger *m, struct entity_addrvec *ret);
struct os *messenger_os(struct messenger *m);
struct worker_pool *messenger_workers(struct messenger *m);

/* The connection to that peer: the registered one, or a new one that starts to dial. Our
 * own address gives the loopback connection. One reference. -EINVAL: no address we can
 * dial;
 * -ESHUTDOWN; -ENOMEM. */
int messenger_connect_to(struct messenger *m, int peer_type,
                         const struct entity_addrvec *addrs, struct connection **ret);
/* Always a new connection, found by nobody else (Ceph: anonymous). */
int messenger_connect_anon(struct messenger *m, int peer_type,
                           const struct entity_addrvec *addrs, struct connection **ret);
/* S1, S2, S3. Takes over the message's reference on success. -EAGAIN: out_q is full, the
 * caller keeps the message and may try again; -ENOTCONN: the session is over; -EMSGSIZE:
 * longer than message_bytes_max. A message is in one connection at a time; a received one
 * may be sent on, and forgets where it came from. */
int messenger_send(struct connection *conn, struct message *msg);
/* The same by address: S2 looks the connection up or creates it. */
int messenger_send_to(struct messenger *m, struct message *msg, int peer_type,
                      const struct entity_addrvec *addrs);
/* Ends the connection without a reset callback; queued messages are dropped. Idempotent. A
 * thread that was on its way into a callback for it may still begin that one after this has
 * returned, but no other (as in Ceph): to wait for it here would be a deadlock for callers
 * that hold a lock which the callback takes. */
void messenger_mark_down(struct connection *conn);
void messenger_mark_down_addrs(struct messenger *m, const struct entity_addrvec *addrs);
void messenger_mark_down_all(struct messenger *m);
/* Messages accepted so far have been handed to the stacks when this returns true; false
 * after timeout_ns. Not from a callback. */
bool messenger_drain(struct messenger *m, uint64_t timeout_ns);
/* Stops listening, marks everything down, ends all threads. Not from a callback. Twice is
 * fine. Afterwards nothing calls back. */
void messenger_shutdown(struct messenger *m);
/* After shutdown, or for a messenger that was never started. Every connection reference the
 * user holds must be gone (CHECKed). NULL is fine. */
void messenger_free(struct messenger *m);

/* What is live right now; for leak checks and summaries. */
struct messenger_stats {
    uint32_t connections, accepting;           /* registered or anonymous; in handshake */
    uint64_t messages_sent, messages_received; /* of all workers */
    uint64_t dispatch_depth, dispatch_bytes;
    /* Accepting that failed for want of something: how often, and the last errno. */
    uint64_t accept_errors;
    int accept_error;
    /* Accepted connections that ended before a session, and why the last one did ("" if
     * none); of them, those that no dispatcher was told of because too many waited. */
    uint64_t accept_failures, accept_failures_untold;
    const char *accept_failure_why;
    struct event_center_stats center; /* summed over workers; exact after shutdown */
};
void messenger_stats(struct messenger *m, struct messenger_stats *ret);

/* Calls fn for each connection there is but the loopback one, in the order they were made,
 * with the messenger's lock held: fn may use the connection, and nothing else of the
 * messenger. */
void messenger_each_connection(struct messenger *m,
                               void (*fn)(void *arg, struct connection *conn), void *arg);

#ifdef __cplusplus
}
#endif

#endif
