/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conns.h: connections, as scripts and books know them: each object is one end of a
 * session.
 *
 * Any thread.
 */
#ifndef MSGRLAB_SCENARIOS_LAB_CONNS_H
#define MSGRLAB_SCENARIOS_LAB_CONNS_H

#include "engine/messenger.h"
#include "scenarios/lab/lab.h"

/* How the script itself ended a connection at this end. Sending on it is a mistake then,
 * and not something that befell the session. */
enum lab_end { LAB_END_NOT, LAB_END_CLOSED, LAB_END_REBOUND, LAB_END_KILLED };

struct lab_conn {
    struct lab *lab;
    struct lab_node *node;     /* borrowed: whose end this is */
    struct lab_node *peer;     /* borrowed; NULL: not known */
    struct connection *conn;   /* shared; NULL once it is over */
    struct lab_ledger *ledger; /* borrowed */
    uint32_t number;
    bool accepted, closed;
    uint64_t made_ns;
    enum lab_end end;           /* what the script did to this end of it */
    char end_where[100];        /* "x.lua:8", for LAB_END_CLOSED; else "" */
    uint64_t keepalives_unsent; /* asked for when the session was over */
    uint64_t up_ns;             /* when its session was ready; 0: it was not yet */
    struct entity_addr
        at;        /* of the peer: what was dialled, or where the socket came from */
    char why[120]; /* once it is closed: what ended it */
};

/* A connection of `node` to `peer`, which is started and bound. The same object for the
 * same connection. 0, or a negative errno of the engine. */
int lab_connect(struct lab_node *node, struct lab_node *peer, bool anon,
                struct lab_conn **ret);
/* To somebody outside the run. */
int lab_connect_outside(struct lab_node *node, int peer_type,
                        const struct entity_addrvec *addrs, bool anon,
                        struct lab_conn **ret);
void lab_conn_close(struct lab_conn *conn);
/* Under the lock: the script ends it at this end, by `how`; nothing is closed here. */
static inline void lab_conn_end(struct lab_conn *conn, enum lab_end how)
{
    conn->closed = true;
    conn->end = conn->end != LAB_END_NOT ? conn->end : how;
    conn->lab->ended = true;
}
/* Under the lock: it is over, for that reason. The reference is the caller's now; NULL: it
 * was over before. */
struct connection *lab_conn_over(struct lab_conn *conn, const char *why);
/* Why it is over, or not up yet; "" if there is nothing to tell. Returns buf. */
const char *lab_conn_why(struct lab_conn *conn, char *buf, size_t size);
/* The connection with a reference for the caller, or NULL if it is over. Any thread. */
struct connection *lab_conn_get(struct lab_conn *conn);

/* Under the lock: a new connection object with a ledger; takes over the reference. */
struct lab_conn *lab_conn_new(struct lab_node *node, struct lab_node *peer,
                              struct connection *conn, bool accepted);
/* Under the lock: who is at the other end, if nobody knew that before. */
void lab_conn_know_peer(struct lab_conn *conn, struct lab_node *peer);

#endif
