/* SPDX-License-Identifier: Apache-2.0 */
/* join_messages.c: the messages that a join has found, each with the chain of its
 * records. */
#include <stdlib.h>

#include "engine/util.h"
#include "viz/join/join_private.h"

/* A new message with that id; JOIN_NONE if out of memory. */
uint32_t join_add_message(struct join *join, uint64_t id, uint32_t record)
{
    struct join_message *grown =
        array_grow(join->messages, join->n_messages, sizeof(*join->messages));

    if (grown == NULL) {
        return JOIN_NONE;
    }
    join->messages = grown;
    if (map_put(&join->by_id, id, join->n_messages) < 0) {
        return JOIN_NONE;
    }
    join->messages[join->n_messages] = (struct join_message){
        .id = id, .first = record, .last = JOIN_NONE, .span = JOIN_NONE};
    return (uint32_t)join->n_messages++;
}

/* Appends a record to the chain of a message. */
void join_chain(struct join *join, uint32_t m, uint32_t record)
{
    struct join_message *message = &join->messages[m];

    if (join->message_of[record] != JOIN_NONE) {
        return; /* a record is in one chain at most */
    }
    if (message->last == JOIN_NONE) {
        message->first = record;
    } else {
        join->next_of[message->last] = record;
    }
    message->last = record;
    join->message_of[record] = m;
}

/* The message of a record's flow, made if it is new. */
uint32_t join_message_of_flow(struct join *join, uint64_t flow, uint32_t record)
{
    uint32_t m = (uint32_t)map_get(&join->by_id, flow, JOIN_NONE);

    return m != JOIN_NONE ? m : join_add_message(join, flow, record);
}
