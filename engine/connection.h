/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection.h: a connection, as its user sees it (Ceph: Connection): references, its peer,
 * how far it came, where it stands. Connections are made and ended in messenger.h. Any
 * thread may make any call.
 */
#ifndef MSGRLAB_ENGINE_CONNECTION_H
#define MSGRLAB_ENGINE_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/entity_addr.h"

#ifdef __cplusplus
extern "C" {
#endif

struct connection;
struct messenger;

struct connection *conn_ref(struct connection *conn);
void conn_unref(struct connection *conn);        /* NULL is fine */
uint64_t conn_id(const struct connection *conn); /* unique in its messenger, 1.. */
uint32_t conn_trace_id(const struct connection *conn);
struct messenger *conn_messenger(struct connection *conn);
/* The session is ready (and not lost). */
bool conn_is_connected(struct connection *conn);
bool conn_is_loopback(const struct connection *conn);
bool conn_is_closed(struct connection *conn);
/* Of the peer. Type and addresses of an accepted one are known from on_accept on. */
int conn_peer_type(struct connection *conn);
void conn_peer_addrs(struct connection *conn, struct entity_addrvec *ret);
int64_t conn_peer_num(struct connection *conn);
uint64_t conn_peer_features(struct connection *conn);
uint64_t conn_global_id(struct connection *conn); /* from AUTH_DONE */
/* Sends KEEPALIVE2 now (from any state in which a session is ready). */
void conn_send_keepalive(struct connection *conn);
/* Wall clock stamp of our last KEEPALIVE2 that came back, and round trips so far. Only an
 * answer with the stamp of a KEEPALIVE2 of ours that is not answered yet counts; each stamp
 * is greater than the one before. */
uint64_t conn_last_keepalive_ack_ns(struct connection *conn);
uint64_t conn_keepalive_acks(struct connection *conn);
/* Answers that came with another stamp: forged, or sent twice. */
uint64_t conn_stray_keepalive_acks(struct connection *conn);
/* Why the last transport or session was lost, "" if none was; borrowed, and lives as long
 * as the messenger. What ended it first counts; what that led to does not. Takes no
 * lock. */
const char *conn_why(struct connection *conn);

/* How far a connection came towards a session, in order. */
enum conn_progress {
    CONN_NO_TRANSPORT,
    CONN_TRANSPORT, /* up; no banner came over it */
    CONN_BANNER,    /* the peer's banner came */
    CONN_HELLO,     /* its HELLO */
    CONN_AUTH,      /* its AUTH_DONE, or its AUTH_REQUEST, which was granted */
    CONN_SIGNATURE, /* its AUTH_SIGNATURE */
    CONN_IDENT,     /* its SERVER_IDENT or CLIENT_IDENT */
    CONN_SESSION,
};

#define CONN_FIRST_BYTES 32

/* What was seen of the peer. A dialler tries more than once: this is the furthest it ever
 * came, and of each field what was seen last. */
struct conn_seen {
    enum conn_progress progress;
    struct entity_addr socket; /* the peer's end of the transport; blank: there was none */
    int entity_type;           /* what its HELLO says it is; 0: none came */
    struct entity_addr wanted; /* whom the dialling side wants: the address we dialled, or
                                   what a caller's CLIENT_IDENT asks for; blank: none came */
    struct entity_addrvec
        said; /* the peer's own addresses by its ident; n = 0: none came */
    /* Static: what we refused although the peer might have mended it, such as its method of
     * authentication; "" if nothing. */
    const char *objection;
    uint8_t first[CONN_FIRST_BYTES]; /* first bytes, if they were no banner */
    uint8_t first_n;
};
void conn_seen(struct connection *conn, struct conn_seen *ret);

/* The policy of its session: a static name of policy.h. An accepted one has that for its
 * peer's type from on_accept on. */
const char *conn_policy(struct connection *conn);

/* Where a connection stands. */
struct conn_status {
    bool accepted, connected;
    const char *state; /* static: of the protocol, or, without a transport, of the socket */
    const char *why;   /* as conn_why */
    int error;         /* the negative errno of that; 0: none */
    uint32_t dials;    /* attempts so far */
    /* What is dialled, or where an accepted socket comes from; the connection's. */
    const struct entity_addr *at;
};
/* Any thread. Takes no lock, so that it can be asked where nothing moves any more. */
void conn_status(struct connection *conn, struct conn_status *ret);
/* The user's own pointer. Set it in on_accept/on_connect or right after connect_to. */
void conn_set_private(struct connection *conn, void *ptr);
void *conn_private(struct connection *conn);

#ifdef __cplusplus
}
#endif

#endif
