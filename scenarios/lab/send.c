/* SPDX-License-Identifier: Apache-2.0 */
/*
 * send.c: connections, and messages on their way out: first into the book, then to the
 * messenger, so that the receiver finds the entry however fast it is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/base/keyed.h"
#include "scenarios/lab/lab.h"

/* ---- books ------------------------------------------------------------------------- */

/* Room for one more in an array of pointers or structs; false: no memory. */
static bool make_room(void **array, uint32_t *cap, uint32_t n, size_t element)
{
    uint32_t more = *cap == 0 ? 16 : *cap * 2;
    void *grown;

    if (n < *cap) {
        return true;
    }
    grown = realloc(*array, more * element);
    if (grown == NULL) {
        return false;
    }
    *array = grown;
    *cap = more;
    return true;
}

struct lab_ledger *lab_ledger_new(struct lab *lab, struct lab_node *from,
                                  struct lab_node *to)
{
    struct lab_ledger *ledger = NULL;

    if (lab->n_ledgers < LAB_LEDGERS_MAX &&
        make_room((void **)&lab->ledgers, &lab->cap_ledgers, lab->n_ledgers,
                  sizeof(*lab->ledgers))) {
        ledger = calloc(1, sizeof(*ledger));
    }
    if (ledger != NULL) {
        ledger->from = from;
        ledger->to = to;
        lab->ledgers[lab->n_ledgers++] = ledger;
        ledger->number = lab->n_ledgers;
    }
    return ledger;
}

struct lab_conn *lab_conn_new(struct lab_node *node, struct lab_node *peer,
                              struct connection *conn, bool accepted)
{
    struct lab *lab = node->lab;
    struct lab_conn *c = NULL;
    struct conn_status status;

    if (make_room((void **)&lab->conns, &lab->cap_conns, lab->n_conns,
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

struct lab_ledger *lab_ledger_find(struct lab *lab, uint32_t number)
{
    return number >= 1 && number <= lab->n_ledgers ? lab->ledgers[number - 1] : NULL;
}

struct lab_entry *lab_entry_find(struct lab_ledger *ledger, uint32_t index)
{
    return index >= 1 && index <= ledger->n ? &ledger->entries[index - 1] : NULL;
}

struct lab_ledger *lab_pair_ledger(struct lab_node *node, struct lab_node *peer)
{
    struct lab *lab = node->lab;
    struct lab_ledger *found = NULL;

    lab_lock(lab);
    for (uint32_t i = 0; i < lab->n_ledgers && found == NULL; i++) {
        struct lab_ledger *ledger = lab->ledgers[i];

        if (ledger->conn == NULL && ledger->from == node && ledger->to == peer) {
            found = ledger;
        }
    }
    if (found == NULL) {
        found = lab_ledger_new(lab, node, peer);
    }
    lab_unlock(lab);
    return found;
}

void lab_sums(struct lab *lab, const struct lab_node *to, const struct lab_node *from,
              const struct lab_ledger *only, struct lab_sums *ret)
{
    struct lab_sums sums = {0};

    lab_lock(lab);
    for (uint32_t i = 0; i < lab->n_ledgers; i++) {
        const struct lab_ledger *ledger = lab->ledgers[i];

        if ((to != NULL && ledger->to != to) || (from != NULL && ledger->from != from) ||
            (only != NULL && ledger != only)) {
            continue;
        }
        sums.sent += ledger->n - ledger->failed;
        sums.failed += ledger->failed;
        sums.unsent += ledger->unsent;
        sums.delivered += ledger->delivered;
        sums.duplicates += ledger->duplicates;
        sums.inversions += ledger->inversions;
        sums.corrupt += ledger->corrupt;
    }
    lab_unlock(lab);
    *ret = sums;
}

/* ---- connections ------------------------------------------------------------------- */

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
    } else if (c->peer == NULL) { /* accepted before, when nobody knew from whom */
        c->peer = peer;
        c->ledger->to = peer;
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

/* ---- one message ------------------------------------------------------------------- */

/* Takes the next index of the book. 0, -ECANCELED, -ENOTCONN, -ENOSPC or -ENOMEM. *ret_conn
 * gets a reference, or NULL for a send by address. */
static int reserve(struct lab_ledger *ledger, const struct lab_entry *entry,
                   struct connection **ret_conn, uint32_t *ret_index)
{
    struct lab *lab = ledger->from->lab;
    int rc = 0;

    lab_lock(lab);
    if (lab->closing) {
        rc = -ECANCELED;
    } else if (ledger->conn != NULL && ledger->conn->conn == NULL) {
        rc = -ENOTCONN;
    } else if (lab->n_messages >= LAB_MESSAGES_MAX) {
        rc = -ENOSPC;
    } else if (!make_room((void **)&ledger->entries, &ledger->cap, ledger->n,
                          sizeof(*ledger->entries))) {
        rc = -ENOMEM;
    } else {
        lab->n_messages++;
        ledger->entries[ledger->n++] = *entry;
        *ret_index = ledger->n;
        *ret_conn = ledger->conn != NULL ? conn_ref(ledger->conn->conn) : NULL;
        if (entry->key == 0) {
            ledger->entries[ledger->n - 1].key = (uint64_t)ledger->number << 32 | ledger->n;
        }
    }
    lab_unlock(lab);
    return rc;
}

/* The message did not go out: the last entry is taken back, another one is marked. */
static void take_back(struct lab_ledger *ledger, uint32_t index)
{
    struct lab *lab = ledger->from->lab;

    lab_lock(lab);
    if (index == ledger->n && !ledger->entries[index - 1].owned) {
        ledger->n--;
        lab->n_messages--;
    } else {
        ledger->entries[index - 1].failed = true;
        ledger->failed++;
    }
    lab_unlock(lab);
}

static void book_as_sent(struct lab_ledger *ledger, uint32_t index, uint64_t flow,
                         uint64_t bytes)
{
    struct lab *lab = ledger->from->lab;

    lab_lock(lab);
    ledger->entries[index - 1].flow = flow;
    ledger->entries[index - 1].sent_ns = lab_now(lab);
    ledger->from->sent++;
    ledger->from->sent_bytes += bytes;
    lab_unlock(lab);
}

/* To wherever the node listens now: it may have another address than when the run began.
 * -ENOTCONN: the sender is dead, and this thread of its former life is on its way out. */
static int send_by_address(struct lab_ledger *ledger, struct message *msg)
{
    struct entity_addrvec addrs;
    struct messenger *m;

    lab_lock(ledger->from->lab);
    addrs = ledger->to->addrs;
    m = ledger->from->messenger;
    lab_unlock(ledger->from->lab);
    return m == NULL ? -ENOTCONN
                     : messenger_send_to(
                           m, msg, (int)ledger->to->opts.messenger.entity_type, &addrs);
}

/* Hands a booked message to the messenger; takes over both references. */
static int transmit(struct lab_ledger *ledger, struct connection *conn, struct message *msg,
                    uint32_t index, bool wait)
{
    struct lab_node *node = ledger->from;
    uint64_t bytes = message_bytes(msg);
    int rc;

    msg->header.tid = (uint64_t)ledger->number << 32 | index;
    message_ref(msg); /* ours, to read its trace identity afterwards */
    for (;;) {
        rc = conn != NULL ? messenger_send(conn, msg) : send_by_address(ledger, msg);
        if (rc != -EAGAIN || !wait) {
            break;
        }
        if (lab_is_stopped(node->lab)) {
            rc = -ECANCELED;
            break;
        }
        os_sleep_ns(node->os, LAB_SEND_RETRY_NS);
    }
    if (rc < 0) {
        message_unref(msg); /* the messenger did not take it */
        take_back(ledger, index);
    } else {
        book_as_sent(ledger, index, msg->flow, bytes);
    }
    message_unref(msg);
    conn_unref(conn);
    return rc;
}

/* One copy of all literal segments, behind one another. */
static int copy_literals(const struct lab_spec *spec, struct lab_entry *entry)
{
    size_t len = 0;
    uint8_t *copy;

    for (int i = 0; i < 3; i++) {
        if (spec->literal[i] != NULL) {
            entry->literal_mask |= (uint8_t)(1 << i);
            len += spec->bytes[i];
        }
    }
    if (len == 0) {
        return 0;
    }
    copy = malloc(len);
    if (copy == NULL) {
        return -ENOMEM;
    }
    entry->literal = copy;
    entry->owned = true;
    for (int i = 0; i < 3; i++) {
        if (spec->literal[i] != NULL) {
            memcpy(copy, spec->literal[i], spec->bytes[i]);
            copy += spec->bytes[i];
        }
    }
    return 0;
}

/* NULL: no memory. */
static struct message *build(const struct lab_spec *spec, uint64_t key)
{
    struct message *msg = message_new(spec->type);
    struct buffer *segments[3];

    if (msg == NULL) {
        return NULL;
    }
    segments[0] = &msg->front;
    segments[1] = &msg->middle;
    segments[2] = &msg->data;
    msg->header.priority = spec->priority;
    for (unsigned i = 0; i < 3; i++) {
        if (buffer_alloc(segments[i], spec->bytes[i]) < 0) {
            message_unref(msg);
            return NULL;
        }
        if (spec->bytes[i] == 0) {
            continue;
        }
        if (spec->literal[i] != NULL) {
            memcpy(segments[i]->data, spec->literal[i], spec->bytes[i]);
        } else {
            keyed_fill(key, i, segments[i]->data, spec->bytes[i]);
        }
    }
    return msg;
}

int lab_send(struct lab_ledger *ledger, const struct lab_spec *spec, uint32_t *ret_index)
{
    struct lab_entry entry = {.bytes = {spec->bytes[0], spec->bytes[1], spec->bytes[2]},
                              .type = spec->type,
                              .priority = spec->priority,
                              .lane = spec->lane};
    struct connection *conn;
    struct message *msg;
    uint32_t index;
    int rc = copy_literals(spec, &entry);

    if (rc < 0) {
        return rc;
    }
    rc = reserve(ledger, &entry, &conn, &index);
    if (rc < 0) {
        free((void *)(uintptr_t)entry.literal);
        return rc;
    }
    msg = build(spec, (uint64_t)ledger->number << 32 | index);
    if (msg == NULL) {
        take_back(ledger, index);
        conn_unref(conn);
        return -ENOMEM;
    }
    rc = transmit(ledger, conn, msg, index, spec->wait);
    if (rc == 0) {
        *ret_index = index;
    }
    return rc;
}

int lab_book_unsent(struct lab_ledger *ledger, const struct lab_spec *spec, uint64_t n,
                    uint32_t *ret_first)
{
    struct lab *lab = ledger->from->lab;
    struct lab_entry entry = {
        .type = spec->type, .priority = spec->priority, .lane = spec->lane, .failed = true};
    int rc = 0;

    lab_lock(lab);
    *ret_first = ledger->n + 1;
    for (uint64_t i = 0; i < n && rc == 0; i++) {
        if (lab->n_messages >= LAB_MESSAGES_MAX) {
            rc = -ENOSPC;
        } else if (!make_room((void **)&ledger->entries, &ledger->cap, ledger->n,
                              sizeof(*ledger->entries))) {
            rc = -ENOMEM;
        } else {
            lab->n_messages++;
            ledger->entries[ledger->n++] = entry;
            ledger->failed++;
            ledger->unsent++;
        }
    }
    lab_changed(lab);
    lab_unlock(lab);
    return rc;
}

/* ---- answers ----------------------------------------------------------------------- */

/* The book of the connection a message came on; NULL: no memory, or it is over. */
static struct lab_ledger *ledger_of_answers(struct lab_node *node, struct message *msg)
{
    struct lab *lab = node->lab;
    struct lab_ledger *origin;
    struct lab_conn *c;

    lab_lock(lab);
    origin = lab_ledger_find(lab, (uint32_t)(msg->header.tid >> 32));
    c = conn_private(msg->conn);
    if (c == NULL) {
        c = lab_conn_new(node, NULL, msg->conn, true);
        if (c != NULL) {
            conn_ref(msg->conn);
        }
    }
    if (c != NULL && c->peer == NULL && origin != NULL) {
        c->peer = origin->from;
        c->ledger->to = origin->from;
    }
    lab_unlock(lab);
    return c != NULL ? c->ledger : NULL;
}

int lab_reply(struct lab_node *node, struct message *msg, const struct lab_spec *spec,
              struct lab_ledger **ret_ledger, uint32_t *ret_index)
{
    struct lab_ledger *ledger = ledger_of_answers(node, msg);

    *ret_ledger = ledger;
    return ledger != NULL ? lab_send(ledger, spec, ret_index) : -ENOMEM;
}

/* The session ended before the answer could go out: it is missing, and counted. */
static void book_lost_echo(struct lab_ledger *ledger, const struct lab_entry *entry)
{
    struct lab_spec spec = {
        .type = entry->type, .priority = entry->priority, .lane = LAB_LANE_ECHO};
    uint32_t index;

    lab_book_unsent(ledger, &spec, 1, &index);
}

void lab_echo(struct lab_node *node, struct message *msg, const struct lab_entry *entry)
{
    struct lab_ledger *ledger = ledger_of_answers(node, msg);
    struct message *answer = message_new(msg->header.type);
    struct lab_entry booked = *entry;
    struct connection *conn;
    uint32_t index;
    int rc = ledger != NULL && answer != NULL ? 0 : -ENOMEM;

    booked.flow = booked.sent_ns = 0;
    booked.lane = LAB_LANE_ECHO;
    booked.received = 0;
    booked.reply = true;
    booked.owned = false;
    if (rc == 0) {
        rc = reserve(ledger, &booked, &conn, &index);
    }
    if (rc == 0) {
        answer->header.priority = msg->header.priority;
        answer->front = buffer_slice(&msg->front, 0, msg->front.len);
        answer->middle = buffer_slice(&msg->middle, 0, msg->middle.len);
        answer->data = buffer_slice(&msg->data, 0, msg->data.len);
        rc = transmit(ledger, conn, answer, index, false);
    } else {
        message_unref(answer);
    }
    if (rc == -ENOTCONN) {
        book_lost_echo(ledger, &booked);
    } else if (rc < 0 && rc != -ECANCELED) {
        lab_lock(node->lab);
        node->echo_dropped++;
        lab_unlock(node->lab);
    }
}
