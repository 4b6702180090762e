/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receive.c: the dispatcher of every node: looks each message up in the books and
 * compares it with what was sent, byte by byte. Runs on ms_dispatch and, with fast
 * dispatch, on the workers.
 */
#include "scenarios/lab/receive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/base/keyed.h"
#include "scenarios/lab/books.h"
#include "scenarios/lab/conns.h"
#include "scenarios/lab/fair.h"
#include "scenarios/lab/inbox.h"
#include "scenarios/lab/keep.h"
#include "scenarios/lab/node.h"
#include "scenarios/lab/send.h"

static const char *const segment_names[3] = {"front", "middle", "data"};

/* ---- comparing --------------------------------------------------------------------- */

/* True if the segment is what was sent; else `why` says what is not. */
static bool segment_is_right(const struct lab_entry *entry, unsigned i,
                             const struct buffer *got, const uint8_t *literal, char *why,
                             size_t size)
{
    size_t at = 0;

    if (got->len != entry->bytes[i]) {
        snprintf(why, size, "%s has %zu bytes instead of %u", segment_names[i], got->len,
                 entry->bytes[i]);
        return false;
    }
    if (got->len == 0) {
        return true;
    }
    if (entry->literal_mask & (1 << i)) {
        while (at < got->len && got->data[at] == literal[at]) {
            at++;
        }
    } else {
        at = keyed_mismatch(entry->key, i, got->data, got->len);
    }
    if (at < got->len) {
        snprintf(why, size, "%s differs from byte %zu on", segment_names[i], at);
        return false;
    }
    return true;
}

static bool message_is_right(const struct lab_entry *entry, const struct message *msg,
                             char *why, size_t size)
{
    const struct buffer *segments[3] = {&msg->front, &msg->middle, &msg->data};
    const uint8_t *literal = entry->literal;

    if (msg->header.type != entry->type || msg->header.priority != entry->priority) {
        snprintf(why, size, "type %u priority %u instead of %u and %u", msg->header.type,
                 msg->header.priority, entry->type, entry->priority);
        return false;
    }
    for (unsigned i = 0; i < 3; i++) {
        if (!segment_is_right(entry, i, segments[i], literal, why, size)) {
            return false;
        }
        if (entry->literal_mask & (1 << i)) {
            literal += entry->bytes[i];
        }
    }
    return true;
}

/* ---- booking; all under the lock --------------------------------------------------- */

static struct lab_order *find_order(struct lab_ledger *ledger, const struct lab_order *key)
{
    struct lab_order *order;

    for (uint32_t i = ledger->n_orders; i > 0; i--) { /* the latest session first */
        order = &ledger->orders[i - 1];
        if (order->session == key->session && order->lane == key->lane &&
            order->priority == key->priority) {
            return order;
        }
    }
    if (ledger->n_orders == ledger->cap_orders) {
        uint32_t cap = ledger->cap_orders == 0 ? 4 : ledger->cap_orders * 2;
        struct lab_order *grown = realloc(ledger->orders, cap * sizeof(*grown));

        CHECK(grown != NULL); /* 16 bytes a session, priority and thread */
        ledger->orders = grown;
        ledger->cap_orders = cap;
    }
    order = &ledger->orders[ledger->n_orders++];
    *order = *key;
    return order;
}

/* A message that was sent between two others of a session, and did not arrive between them;
 * 0: there is none. Sends by address may begin a session anywhere. */
static uint32_t find_gap(const struct lab_ledger *ledger, const struct lab_order *order,
                         uint32_t index)
{
    if (order->last == 0 && ledger->conn == NULL) {
        return 0;
    }
    for (uint32_t i = order->last + 1; i < index; i++) {
        const struct lab_entry *e = &ledger->entries[i - 1];

        if (e->lane == order->lane && e->priority == order->priority && !e->failed) {
            return i;
        }
    }
    return 0;
}

/* The first arrival of a message. */
static void book_order(struct lab_node *node, struct lab_ledger *ledger,
                       const struct lab_entry *entry, uint32_t index, uint64_t session)
{
    const struct lab_order key = {
        .session = session, .lane = entry->lane, .priority = entry->priority};
    struct lab_order *order = find_order(ledger, &key);
    uint32_t gap;

    if (index < order->last) {
        ledger->inversions++;
        lab_violate(node->lab, node, "out_of_order",
                    "message %u from %s to %s arrives after message %u of its session",
                    index, ledger->from->opts.name, node->opts.name, order->last);
        return;
    }
    gap = find_gap(ledger, order, index);
    if (gap != 0) {
        lab_violate(node->lab, node, "gap",
                    "message %u from %s to %s arrives, and message %u, sent before it in "
                    "the same session, did not",
                    index, ledger->from->opts.name, node->opts.name, gap);
    }
    order->last = index;
}

static void book_arrival(struct lab_node *node, uint64_t id)
{
    if (node->n_log == node->cap_log) {
        uint64_t cap = node->cap_log == 0 ? 64 : node->cap_log * 2;
        uint64_t *grown = realloc(node->log, cap * sizeof(*grown));

        CHECK(grown != NULL); /* LAB_MESSAGES_MAX bounds it */
        node->log = grown;
        node->cap_log = cap;
    }
    node->log[node->n_log++] = id;
}

/* ---- one message ------------------------------------------------------------------- */

/* Finds the entry of a received message; false: it is in no book. */
static bool look_up(struct lab_node *node, const struct message *msg, struct lab_entry *ret)
{
    struct lab *lab = node->lab;
    struct lab_ledger *ledger;
    struct lab_entry *entry = NULL;

    lab_lock(lab);
    ledger = lab_ledger_find(lab, (uint32_t)(msg->header.tid >> 32));
    if (ledger != NULL && ledger->to == node) {
        entry = lab_entry_find(ledger, (uint32_t)msg->header.tid);
    }
    if (entry != NULL) {
        *ret = *entry;
    }
    lab_unlock(lab);
    return entry != NULL;
}

static void book(struct lab_node *node, struct message *msg, bool right, const char *why)
{
    struct lab *lab = node->lab;
    uint32_t index = (uint32_t)msg->header.tid;
    struct lab_ledger *ledger = lab_ledger_find(lab, (uint32_t)(msg->header.tid >> 32));
    struct lab_entry *entry = lab_entry_find(ledger, index);
    struct lab_conn *c;

    if (entry == NULL) { /* taken back: the messenger refused it, yet here it is */
        node->foreign++;
        return;
    }
    c = conn_private(msg->conn);
    if (c != NULL) { /* an accepted one says by its messages who is there */
        lab_conn_know_peer(c, ledger->from);
    }
    node->received++;
    node->received_bytes += message_bytes(msg);
    ledger->delivered++;
    entry->received++;
    if (entry->received > 1) {
        ledger->duplicates++;
        lab_violate(lab, node, "twice", "message %u from %s arrives at %s a second time",
                    index, ledger->from->opts.name, node->opts.name);
    } else {
        lab_fair_arrived(lab, ledger, entry);
        book_order(node, ledger, entry, index, conn_id(msg->conn));
    }
    if (!right) {
        ledger->corrupt++;
        lab_violate(lab, node, "corrupt", "message %u from %s to %s: %s", index,
                    ledger->from->opts.name, node->opts.name, why);
    }
    book_arrival(node, msg->header.tid);
    lab_keep_message(node, ledger->from, msg);
    if (node->handler) {
        lab_inbox_put(node, msg);
    }
}

static void receive(struct lab_node *node, struct message *msg)
{
    struct lab *lab = node->lab;
    struct lab_entry entry;
    char why[100] = "";
    bool known = look_up(node, msg, &entry);
    bool right = known && message_is_right(&entry, msg, why, sizeof(why));
    bool echo = known && node->opts.echo && !entry.reply;

    lab_lock(lab);
    if (lab->closing) {
        echo = false;
    } else if (known) {
        book(node, msg, right, why);
    } else {
        node->foreign++;
    }
    lab_changed(lab);
    lab_unlock(lab);
    if (echo) {
        lab_echo(node, msg, &entry);
    }
    if (node->opts.handling_ns != 0 && !lab->closing) {
        os_sleep_ns(node->os, node->opts.handling_ns);
    }
}

/* ---- the dispatcher ---------------------------------------------------------------- */

static bool can_fast_dispatch(void *arg, const struct message *msg)
{
    const struct lab_node *node = arg;

    (void)msg;
    return node->opts.fast_dispatch;
}

static void fast_dispatch(void *arg, struct message *msg)
{
    receive(arg, msg);
    message_unref(msg);
}

static bool dispatch(void *arg, struct message *msg)
{
    receive(arg, msg);
    message_unref(msg);
    return true;
}

static void book_event(struct lab_node *node, enum lab_event event)
{
    struct lab *lab = node->lab;

    if (!lab->closing) {
        node->events[event]++;
    }
    lab_changed(lab);
}

static void on_connect(void *arg, struct connection *conn)
{
    struct lab_node *node = arg;
    struct lab_conn *c;

    lab_lock(node->lab);
    c = conn_private(conn);
    if (c != NULL) {
        c->up_ns = lab_now(node->lab);
    }
    book_event(node, LAB_CONNECT);
    lab_unlock(node->lab);
}

static void on_accept(void *arg, struct connection *conn)
{
    struct lab_node *node = arg;
    struct lab_conn *c;

    lab_lock(node->lab);
    if (conn_private(conn) == NULL && !node->lab->closing &&
        lab_conn_new(node, NULL, conn, true) != NULL) {
        conn_ref(conn);
    }
    c = conn_private(conn);
    if (c != NULL) {
        c->up_ns = lab_now(node->lab);
    }
    book_event(node, LAB_ACCEPT);
    lab_unlock(node->lab);
}

/* The session is over, so nothing of ours may keep the connection. */
static bool on_reset(void *arg, struct connection *conn)
{
    struct lab_node *node = arg;
    struct lab_conn *c;
    struct connection *gone = NULL;

    lab_lock(node->lab);
    c = conn_private(conn);
    if (c != NULL) {
        lab_fair_reset(node->lab, c);
        gone = lab_conn_over(c, conn_why(conn));
    }
    book_event(node, LAB_RESET);
    lab_unlock(node->lab);
    conn_unref(gone);
    return true;
}

static void on_remote_reset(void *arg, struct connection *conn)
{
    struct lab_node *node = arg;

    (void)conn;
    lab_lock(node->lab);
    book_event(node, LAB_REMOTE_RESET);
    lab_unlock(node->lab);
}

static bool on_refused(void *arg, struct connection *conn)
{
    struct lab_node *node = arg;

    (void)conn;
    lab_lock(node->lab);
    book_event(node, LAB_REFUSED);
    lab_unlock(node->lab);
    return true;
}

struct dispatcher lab_dispatcher(struct lab_node *node)
{
    return (struct dispatcher){.arg = node,
                               .can_fast_dispatch = can_fast_dispatch,
                               .fast_dispatch = fast_dispatch,
                               .dispatch = dispatch,
                               .on_connect = on_connect,
                               .on_accept = on_accept,
                               .on_reset = on_reset,
                               .on_remote_reset = on_remote_reset,
                               .on_refused = on_refused};
}
