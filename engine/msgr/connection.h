/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection.h: one connection, private to the engine (Ceph: AsyncConnection + ProtocolV2).
 *
 *   connection.c        life: start, dial, established, fault, close; timers
 *   conn_base.c         references, states, what users ask
 *   connection_write.c  S1..S5: out_q, outgoing, write_message, try_send
 *   connection_read.c   R3..R6: recv_buf, read_until, read_bulk, the frame reader
 *   connection_stall.c  half-read messages that others wait for
 *   handshake.c         banner to ident, both roles
 *   session.c           R7 and the frames of a ready session: MESSAGE, ACK, KEEPALIVE2
 *
 * A connection is pinned to one worker. Everything marked "owner" is touched by that
 * worker's thread alone; the rest is under `lock`. Other threads reach the owner by
 * external events only. Lock order: messenger lock before connection lock; neither is held
 * over a callback.
 *
 * References: one "alive" from conn_new until conn_close has run on the owner (it covers
 * the messenger's tables, file events and timers), one per posted external event, one per
 * message or event in the dispatch queue, and the user's.
 */
#ifndef MSGRLAB_ENGINE_MSGR_CONNECTION_H
#define MSGRLAB_ENGINE_MSGR_CONNECTION_H

#include "engine/buffer.h"
#include "engine/msgr/frame_in.h"
#include "engine/messenger.h"
#include "engine/queue/out_queue.h"
#include "engine/states.h"
#include "engine/queue/throttle.h"
#include "engine/worker.h"

struct connection {
    struct messenger *m;   /* borrowed; outlives every connection */
    struct os *os;         /* borrowed from m */
    struct worker *worker; /* borrowed; counted in worker->references while alive */
    uint64_t id;
    uint32_t trace_id;
    bool accepted, anonymous, loopback;
    _Atomic int refs;
    _Atomic(void *) user;
    _Atomic bool down;             /* mark_down was called: no callback any more */
    _Atomic bool keepalive_wanted; /* for the next write event */
    struct list node;              /* in messenger.all while alive; under messenger lock */
    struct list hash_node; /* in messenger.by_addr if registered; under messenger lock */
    struct entity_addrvec key; /* the addresses it is registered under; likewise */

    struct queued_event *reset_room; /* owned: so that a reset is always told */
    struct os_mutex *lock;           /* owned; guards the next block */
    struct out_queue out_q;
    _Atomic bool closed; /* nothing can be sent any more; written under the lock */
    bool gone;           /* conn_close ran: no event may be posted any more */
    bool ready;          /* the session is up */
    uint64_t keepalive_acks, last_keepalive_ack_ns, stray_keepalive_acks;
    int peer_type;
    int64_t peer_num;
    uint64_t peer_features, global_id;
    struct entity_addrvec peer_addrs;
    struct conn_seen seen;

    /* Written by the owner, but for `why`, which whoever ends the connection writes under
     * `lock`; read by anybody, without a lock (conn_status). */
    _Atomic(const char *) why; /* why the transport or session was lost last */
    _Atomic int error;         /* errno of that, negative; 0: none was */
    _Atomic uint32_t dials;
    _Atomic(enum sock_state) sock_state;
    _Atomic(enum proto_state) proto_state;

    /* Owner from here on. */
    bool
        why_known; /* of this transport: what comes behind the first reason is its effect */
    struct policy policy;
    struct external_event start_event, write_event, read_event, stop_event;
    struct time_event tick_timer, backoff_timer;
    uint64_t backoff_ns; /* of the next attempt; 0 = the initial one */
    uint64_t heard_ns;   /* when bytes came from the peer, or we began to listen to it */
    uint64_t said_ns;    /* when a message was written last */
    uint64_t asked_ns;   /* when we last asked by ourselves whether it is there */
    bool started;        /* the start event ran */
    bool was_ready;      /* on_connect or on_accept was (or will be) called */

    struct entity_addr target;       /* the address we dial, or were dialled at */
    struct connected_socket *socket; /* owned; NULL when there is none */
    int fd;                          /* of socket; -1 */
    bool watching_writable;

    /* Writing. Stream offsets count from the first byte of the socket. */
    struct buffer_list outgoing;
    uint64_t out_at;    /* stream offset behind the last byte in outgoing */
    uint64_t unflushed; /* messages whose last byte may still be in outgoing */

    /* Reading. */
    struct buffer recv_buf;
    size_t recv_start, recv_end; /* unread bytes in recv_buf */
    uint64_t in_at;              /* stream offset of the next byte read_until will serve */
    struct frame_in in;
    size_t read_left;              /* bytes that this read event may still take */
    uint64_t read_ns;              /* when the last byte came */
    struct time_event stall_timer; /* while a message is half read */
    struct throttle_waiter waiter;
    struct throttle *waiting_on; /* NULL unless in a THROTTLE state */

    /* Protocol. */
    bool rev1;  /* 2.1 framing, once the banner is in */
    bool lossy; /* of this session: the server's word */
    uint64_t client_cookie, server_cookie, global_seq, connect_seq, peer_global_seq;
    uint64_t in_seq, out_seq, acked_seq; /* of this session */
    uint64_t ack_owed;                   /* messages received since the last ack we sent */
    bool keepalive_answer_owed;
    struct frame_keepalive keepalive_answer;
    uint64_t keepalives[KEEPALIVES_UNANSWERED_MAX]; /* stamps of ours, the oldest first */
    uint32_t n_keepalives;
    uint64_t last_keepalive_ns; /* stamp of our last one, on whatever transport */
    struct list
        sent; /* lossless: messages not acknowledged yet; at most as many as out_q */
    uint64_t n_sent;
};

/*
 * Whatever may end the connection, or its transport, says so: functions marked MAY_END
 * return a negative errno when conn_fault, conn_give_up or conn_close was called inside.
 * The caller then touches neither socket nor queues, and returns it in turn.
 */
#define MAY_END __attribute__((warn_unused_result))

/* ---- connection.c ---- */

/* A new connection on `worker` (whose reference it takes over), alive, with one more
 * reference for the caller; in messenger.all. NULL if no memory. Under messenger lock. */
struct connection *conn_new(struct messenger *m, struct worker *worker,
                            const struct policy *policy, bool accepted);
/* Posts an event to the owner with a reference that its handler gives back. Any thread. */
void conn_post(struct connection *c, struct external_event *ev);
void conn_set_sock_state(struct connection *c, enum sock_state to, const char *why);
void conn_set_proto_state(struct connection *c, enum proto_state to, const char *why);
const char *conn_proto_state_name(enum proto_state state);
/* From READY on, whatever a frame of it waits for. */
static inline bool conn_is_session_state(enum proto_state state)
{
    return state >= PROTO_READY && state <= PROTO_THROTTLE_DISPATCH_QUEUE;
}
/* The transport is lost or useless: dial again later, or close with a reset. `why` is
 * static. After this the caller must not touch the socket. Owner. */
void conn_fault(struct connection *c, int err, const char *why);
/* As conn_fault, but there is no point in trying again. Owner. */
void conn_give_up(struct connection *c, int err, const char *why);
/* Ends it for good. With `reset`, the user is told. Owner; idempotent. */
void conn_close(struct connection *c, bool reset);
/* Asks the owner to close it; with `reset` the user is told. Any thread. */
void conn_stop(struct connection *c, bool reset, const char *why);
/* The session is up: opens out_q, tells the dispatchers, arms the idle timer. -ENOMEM:
 * there is no memory to tell them. Owner. */
MAY_END int conn_session_ready(struct connection *c);
bool conn_may_call_back(struct connection *c);
/* messenger_mark_down, for a reason. */
void conn_mark_down(struct connection *c, const char *why);
/* Watches the socket for more. Owner. */
MAY_END int conn_watch(struct connection *c, int mask);

/* ---- conn_seen.c: what the user may ask of a handshake. Owner ---- */

/* The peer got this far, if it was not further before. */
void conn_saw(struct connection *c, enum conn_progress progress);
/* A dialler's: whom it wants is where it dials. */
void conn_saw_dialled(struct connection *c);
void conn_saw_hello(struct connection *c, int entity_type);
/* An ident, with whom it wants; NULL: it says nothing of that. */
void conn_saw_ident(struct connection *c, const struct entity_addrvec *addrs,
                    const struct entity_addr *wanted);
/* The first bytes of the stream, which are no banner. */
void conn_saw_stranger(struct connection *c, const uint8_t *bytes, size_t n);
/* The peer was told what is wrong, and may mend it. `what` is static. */
void conn_object(struct connection *c, const char *what);

/* ---- connection_write.c ---- */

/* Appends one control frame to outgoing. Sent by the next conn_try_send. Owner. */
MAY_END int conn_queue_frame(struct connection *c, enum frame_tag tag,
                             const struct wire_writer *w);
/* Appends raw bytes (the banner). Owner. */
MAY_END int conn_queue_bytes(struct connection *c, const void *data, size_t len);
/* S5: hands outgoing to the stack; watches for writable while something is left. Owner. */
MAY_END int conn_try_send(struct connection *c);
/* Asks a peer that may be gone, by a KEEPALIVE2: we said something to it, and nothing came
 * for half of the idle time-out. Once for each silence: a peer that only listens answers,
 * and its session goes on. Owner. */
void conn_ask_silent_peer(struct connection *c);
/* The write event: keepalives, acks, S4 for queued messages, S5. Owner. */
MAY_END int conn_write(struct connection *c);
/* S1 to S3. As messenger_send. */
int conn_submit(struct connection *c, struct message *msg, bool created);
/* Drops out_q, sent and outgoing; returns how many messages. Owner. */
uint64_t conn_drop_output(struct connection *c);
/* An ACK from the peer, or the ack in a message header. Owner. */
void conn_handle_ack(struct connection *c, uint64_t seq);

/* ---- connection_read.c ---- */

/* A new socket: the reader expects a banner. */
void conn_reset_reader(struct connection *c);
/* Reads and handles frames until nothing is there, the budget of this event is used up, or
 * the connection is gone. Owner. */
MAY_END int conn_read(struct connection *c);

/* ---- connection_stall.c ---- */

void conn_stall_init(struct connection *c);
/* A message holds its budgets and is half read: it must go on. Owner. */
void conn_stall_watch(struct connection *c);

/* ---- handshake.c ---- */

MAY_END int handshake_start(struct connection *c);
MAY_END int handshake_banner(struct connection *c, const struct banner *banner);
/* A complete control frame before READY. */
MAY_END int handshake_frame(struct connection *c, enum frame_tag tag,
                            struct wire_reader *payload);
bool handshake_accepts(const struct connection *c, enum frame_tag tag);

/* ---- session.c ---- */

/* The budgets of the message whose preamble was read. 1 all held, 0 wait. */
int session_throttle(struct connection *c);
/* A complete MESSAGE (in.msg, in.segments). */
MAY_END int session_message(struct connection *c);
MAY_END int session_frame(struct connection *c, enum frame_tag tag,
                          struct wire_reader *payload);
bool session_accepts(enum frame_tag tag);

#endif
