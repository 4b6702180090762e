/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatch_queue.h: received messages and connection events on their way to the
 * dispatchers, served by one thread, `ms_dispatch`.
 *
 * Order (Ceph's PrioritizedQueue): priorities >= PRIO_HIGH are strict, the highest first;
 * below, each priority has a token bucket, so that low ones get their weight; within one
 * priority connections take turns, and one connection's messages keep their order.
 * Connection events go before everything and are never discarded. Bound: the messenger's
 * dispatch throttle, which connections hold before they read a message.
 */
#ifndef MSGRLAB_ENGINE_QUEUE_DISPATCH_QUEUE_H
#define MSGRLAB_ENGINE_QUEUE_DISPATCH_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/os.h"

struct connection;
struct dispatch_queue;
struct message;

enum dispatch_event {
    DISPATCH_CONNECT,
    DISPATCH_ACCEPT,
    DISPATCH_RESET,
    DISPATCH_REMOTE_RESET,
    DISPATCH_REFUSED,
    DISPATCH_ACCEPT_FAILED,
};

/* What is called, never under the queue's lock. Each gets one reference. */
struct dispatch_queue_ops {
    /* On ms_dispatch. */
    void (*on_message)(void *arg, struct message *msg);
    /* On ms_dispatch. */
    void (*on_event)(void *arg, enum dispatch_event event, struct connection *conn);
    /* An event that nobody will hear of: gives the reference back. On the thread that
     * pushed it after the stop, or that stops a queue which was never started. */
    void (*on_drop_event)(void *arg, struct connection *conn);
};

/* `ops` is copied. 0, -ENOMEM. */
int dispatch_queue_new(struct os *os, const struct dispatch_queue_ops *ops, void *arg,
                       struct dispatch_queue **ret);
/* Starts ms_dispatch, once. What was pushed before waits for it. 0; -EAGAIN, -ENOMEM: no
 * thread was started, and it may be tried again. */
int dispatch_queue_start(struct dispatch_queue *q);
/* Takes over the message's reference. `conn_id` is the turn-taking key. Returns the depth
 * after; 0: the queue was stopped and has dropped the message. Any thread. */
uint64_t dispatch_queue_push(struct dispatch_queue *q, struct message *msg,
                             uint64_t conn_id);
/* Takes over the connection's reference: 0. -ENOMEM: the caller keeps it. Any thread. */
int dispatch_queue_push_event(struct dispatch_queue *q, enum dispatch_event event,
                              struct connection *conn);
/* Room for one event, taken while there is memory; NULL: there is none. */
struct queued_event;
struct queued_event *dispatch_queue_reserve(void);
void dispatch_queue_unreserve(struct queued_event *room); /* NULL is fine */
/* As dispatch_queue_push_event, in the room reserved, which it takes over: cannot fail. */
void dispatch_queue_push_reserved(struct dispatch_queue *q, struct queued_event *room,
                                  enum dispatch_event event, struct connection *conn);
/* Drops what is queued for that connection (not its events, nor the message that is being
 * handled); returns how many messages. Their dispatch budget is given back even if someone
 * else keeps them. Any thread. */
uint64_t dispatch_queue_discard(struct dispatch_queue *q, uint64_t conn_id);
/* Messages and events waiting, the running one included. */
uint64_t dispatch_queue_depth(struct dispatch_queue *q);
/* Blocks until everything queued so far was handled or discarded. Not from ms_dispatch. */
void dispatch_queue_drain(struct dispatch_queue *q);
/* Lets the thread finish what is queued (events and messages), then ends and joins it. What
 * is pushed later is dropped. Twice is fine; not from ms_dispatch. */
void dispatch_queue_stop(struct dispatch_queue *q);
/* Stopped, or never started (then what is queued is dropped); NULL is fine. */
void dispatch_queue_free(struct dispatch_queue *q);

#endif
