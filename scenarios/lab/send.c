/* SPDX-License-Identifier: Apache-2.0 */
/*
 * send.c: messages on their way out: first into the book, then to the messenger, so that
 * the receiver finds the entry however fast it is.
 */
#include "scenarios/lab/send.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/base/keyed.h"
#include "scenarios/lab/books.h"
#include "scenarios/lab/conns.h"
#include "scenarios/lab/node.h"

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
    } else {
        rc = lab_entry_new(ledger, entry);
    }
    if (rc == 0) {
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
        rc = lab_entry_new(ledger, &entry);
        ledger->failed += rc == 0;
        ledger->unsent += rc == 0;
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
    if (c != NULL && origin != NULL) {
        lab_conn_know_peer(c, origin->from);
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
