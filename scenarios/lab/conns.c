/* SPDX-License-Identifier: Apache-2.0 */
/* conns.c: connections, as scripts and books know them. */
#include "scenarios/lab/conns.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "scenarios/lab/books.h"
#include "scenarios/lab/node.h"

struct lab_conn *lab_conn_new(struct lab_node *node, struct lab_node *peer,
                              struct connection *conn, bool accepted)
{
    struct lab *lab = node->lab;
    struct lab_conn *c = NULL;
    struct conn_status status;

    if (lab_make_room((void **)&lab->conns, &lab->cap_conns, lab->n_conns,
                      sizeof(*lab->conns))) {
        c = calloc(1, sizeof(*c));
    }
    if (c != NULL) {
        c->ledger = lab_ledger_new(lab, node, peer);
    }
    if (c == NULL || c->ledger == NULL) {
        free(c);
        return NULL;
    }
    c->lab = lab;
    c->node = node;
    c->peer = peer;
    c->conn = conn;
    c->accepted = accepted;
    c->made_ns = lab_now(lab);
    conn_status(conn, &status);
    c->at = *status.at;
    c->ledger->conn = c;
    lab->conns[lab->n_conns++] = c;
    c->number = lab->n_conns;
    conn_set_private(conn, c);
    return c;
}

void lab_conn_know_peer(struct lab_conn *c, struct lab_node *peer)
{
    if (c->peer == NULL) {
        c->peer = peer;
        c->ledger->to = peer;
    }
}

/* The object for a connection the engine gave us; takes over the reference. */
static int adopt_connection(struct lab_node *node, struct lab_node *peer,
                            struct connection *conn, struct lab_conn **ret)
{
    struct lab *lab = node->lab;
    struct lab_conn *c;
    bool known;

    lab_lock(lab);
    c = conn_private(conn);
    known = c != NULL;
    if (!known) {
        c = lab_conn_new(node, peer, conn, false);
    } else { /* accepted before, perhaps, when nobody knew from whom */
        lab_conn_know_peer(c, peer);
    }
    lab_unlock(lab);
    if (known || c == NULL) {
        conn_unref(conn);
    }
    *ret = c;
    return c != NULL ? 0 : -ENOMEM;
}

int lab_connect(struct lab_node *node, struct lab_node *peer, bool anon,
                struct lab_conn **ret)
{
    struct connection *conn;
    int type = (int)peer->opts.messenger.entity_type;
    int rc = anon ? messenger_connect_anon(node->messenger, type, &peer->addrs, &conn)
                  : messenger_connect_to(node->messenger, type, &peer->addrs, &conn);

    return rc < 0 ? rc : adopt_connection(node, peer, conn, ret);
}

int lab_connect_outside(struct lab_node *node, int peer_type,
                        const struct entity_addrvec *addrs, bool anon,
                        struct lab_conn **ret)
{
    struct connection *conn;
    int rc = anon ? messenger_connect_anon(node->messenger, peer_type, addrs, &conn)
                  : messenger_connect_to(node->messenger, peer_type, addrs, &conn);

    return rc < 0 ? rc : adopt_connection(node, NULL, conn, ret);
}

struct connection *lab_conn_get(struct lab_conn *c)
{
    struct connection *conn;

    lab_lock(c->lab);
    conn = c->conn != NULL ? conn_ref(c->conn) : NULL;
    lab_unlock(c->lab);
    return conn;
}

struct connection *lab_conn_over(struct lab_conn *c, const char *why)
{
    struct connection *conn = c->conn;

    if (!c->closed) {
        snprintf(c->why, sizeof(c->why), "%s", why);
    }
    c->conn = NULL;
    c->closed = true;
    return conn;
}

const char *lab_conn_why(struct lab_conn *c, char *buf, size_t size)
{
    struct connection *conn = lab_conn_get(c);
    struct conn_status status = {.why = c->why};

    if (conn != NULL) {
        conn_status(conn, &status);
    }
    snprintf(buf, size, "%s", status.connected ? "" : status.why);
    conn_unref(conn);
    return buf;
}

void lab_conn_close(struct lab_conn *c)
{
    struct connection *conn;

    lab_lock(c->lab);
    conn = lab_conn_over(c, "closed by the script");
    lab_conn_end(c, LAB_END_CLOSED);
    lab_unlock(c->lab);
    if (conn != NULL) {
        messenger_mark_down(conn);
        conn_unref(conn);
    }
}
