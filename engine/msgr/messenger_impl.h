/* SPDX-License-Identifier: Apache-2.0 */
/*
 * messenger_impl.h: the messenger's struct and what connections and listeners need of it.
 * Private to engine/.
 */
#ifndef MSGRLAB_ENGINE_MSGR_MESSENGER_IMPL_H
#define MSGRLAB_ENGINE_MSGR_MESSENGER_IMPL_H

#include "engine/msgr/connection.h"
#include "engine/queue/dispatch_queue.h"
#include "engine/messenger.h"
#include "engine/queue/throttle.h"

#define DISPATCHERS_MAX 8
#define POLICY_TYPES 256 /* indexed by entity type; 0 is the default row */
#define BY_ADDR_BUCKETS 1024

struct processor;

struct messenger {
    struct messenger_opts opts; /* defaults filled in */
    char entity_id[64];
    char idle_why[80]; /* what conn_why says after idle_timeout */
    struct os *os;
    struct worker_pool *pool;        /* owned */
    struct dispatch_queue *dispatch; /* owned */
    struct dispatcher dispatchers[DISPATCHERS_MAX];
    int n_dispatchers;
    bool tells_accept_failures; /* a dispatcher wants to know */
    struct policy policies[POLICY_TYPES];
    _Atomic bool policy_set[POLICY_TYPES]; /* the row is there, and will not change */
    struct throttle *throttles[POLICY_TYPES * 2]; /* owned: messages, bytes per type */
    struct throttle dispatch_throttle;
    bool started, stopped;

    struct os_mutex *lock; /* owned; guards the rest */
    struct os_cond *cond;  /* owned: `unsent` or `all` shrank */
    struct list all;       /* of connection.node */
    uint32_t n_all, n_accepting;
    struct list by_addr[BY_ADDR_BUCKETS]; /* of connection.hash_node */
    struct connection *loopback;          /* one reference */
    struct processor *processors;         /* owned array */
    uint32_t n_processors;
    struct entity_addrvec addrs; /* what we announce */
    uint32_t nonce;
    bool listening, stopping;
    uint64_t next_conn_id, next_global_id, global_id;

    _Atomic uint64_t accept_errors;
    _Atomic int accept_error; /* the last one */
    _Atomic uint64_t global_seq;
    _Atomic uint64_t next_flow;
    _Atomic uint32_t live_conns; /* connections not freed yet, the loopback one included */
    _Atomic uint64_t accept_failures, accept_failures_untold;
    _Atomic(const char *) accept_failure_why; /* of the last one; NULL: none */
    _Atomic uint32_t refusals_queued;         /* wait for on_accept_failed */
    _Atomic uint64_t unsent; /* messages accepted but not yet handed to a stack */
};

/* ---- messenger.c ---- */
const struct policy *messenger_policy(struct messenger *m, int peer_type);
uint64_t messenger_next_global_seq(struct messenger *m, uint64_t at_least);
/* `n` messages were handed to a stack or dropped. Any thread, no lock held. */
void messenger_sent(struct messenger *m, uint64_t n);
/* Takes the connection out of every table. Any thread, no lock held. */
void messenger_forget(struct messenger *m, struct connection *c);
/* Takes it out of the address table only, so that a new one can be made. */
void messenger_unregister(struct messenger *m, struct connection *c);
/* Registers an accepted connection under its peer's addresses. Returns the one that was
 * registered before, with a reference, which the caller must stop; NULL if none. */
struct connection *messenger_register(struct messenger *m, struct connection *c,
                                      const struct entity_addrvec *addrs);
/* An accepted connection left the handshake, or died in it. */
void messenger_handshake_done(struct messenger *m);
/* What the peer says our address is; counts only while we have none. */
void messenger_learn_addr(struct messenger *m, const struct entity_addr *addr);
uint64_t messenger_assign_global_id(struct messenger *m, uint64_t asked);

/* ---- messenger_dispatch.c: from the dispatch queue to the dispatchers ---- */
extern const struct dispatch_queue_ops messenger_dispatch_ops;
/* R7's second half: fast dispatch on this thread, or the dispatch queue. Takes the
 * message. */
void messenger_deliver(struct messenger *m, struct message *msg);
/* Loopback: S3 is the dispatch queue. Takes the message on success; -EAGAIN. */
int messenger_deliver_local(struct messenger *m, struct message *msg);
void messenger_queue_event(struct messenger *m, enum dispatch_event event,
                           struct connection *c);
/* Counts an accepted connection that ended before a session, and tells of it, unless nobody
 * wants to know or too many wait to be told. Owner. */
void messenger_accept_failed(struct messenger *m, struct connection *c);

/* ---- processor.c: listening and accepting ---- */
/* Binds all or none, *ret_bound->n of them. The array is the caller's until it is given to
 * processors_install. */
int processors_bind(struct messenger *m, const struct entity_addrvec *addrs,
                    struct processor **ret, struct entity_addrvec *ret_bound);
/* They are the messenger's from here on, which has none. */
void processors_install(struct messenger *m, struct processor *processors, uint32_t n);
void processors_start(struct messenger *m);
/* Stops accepting and closes the sockets; waits for the workers. */
void processors_stop(struct messenger *m);
/* Room for one more handshake: a listener that paused at accepting_max goes on. */
void processors_resume(struct messenger *m);

#endif
