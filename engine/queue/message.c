/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message.c: life and death of messages.
 */
#include "engine/message.h"

#include <stdlib.h>

#include "engine/queue/throttle.h"
#include "engine/util.h"

struct message *message_new(uint16_t type)
{
    struct message *msg = calloc(1, sizeof(*msg));

    if (msg == NULL) {
        return NULL;
    }
    msg->header.type = type;
    msg->header.priority = PRIO_DEFAULT;
    msg->header.version = 1;
    msg->header.compat_version = 1;
    atomic_init(&msg->refs, 1);
    list_init(&msg->node);
    return msg;
}

struct message *message_ref(struct message *msg)
{
    int before = atomic_fetch_add_explicit(&msg->refs, 1, memory_order_relaxed);

    CHECK(before > 0);
    return msg;
}

void message_unref(struct message *msg)
{
    int before;

    if (msg == NULL) {
        return;
    }
    before = atomic_fetch_sub_explicit(&msg->refs, 1, memory_order_acq_rel);
    CHECK(before > 0);
    if (before > 1) {
        return;
    }
    CHECK(!list_is_linked(&msg->node));
    buffer_fini(&msg->front);
    buffer_fini(&msg->middle);
    buffer_fini(&msg->data);
    message_release_throttles(msg); /* while the connection still keeps their owner alive */
    if (msg->conn != NULL) {
        CHECK(msg->drop_conn != NULL);
        msg->drop_conn(msg->conn);
    }
    free(msg);
}

uint64_t message_bytes(const struct message *msg)
{
    return (uint64_t)msg->front.len + msg->middle.len + msg->data.len;
}

void message_release_dispatch(struct message *msg)
{
    struct throttle *throttle = msg->held.dispatch;

    if (throttle != NULL) {
        msg->held.dispatch = NULL;
        throttle_put(throttle, msg->held.dispatch_n);
    }
}

void message_release_throttles(struct message *msg)
{
    struct throttle *messages = msg->held.messages;
    struct throttle *bytes = msg->held.bytes;

    message_release_dispatch(msg);
    msg->held.messages = NULL;
    msg->held.bytes = NULL;
    if (bytes != NULL) {
        throttle_put(bytes, msg->held.bytes_n);
    }
    if (messages != NULL) {
        throttle_put(messages, 1);
    }
}
