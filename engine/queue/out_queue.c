/* SPDX-License-Identifier: Apache-2.0 */
/*
 * out_queue.c: messages by priority in a small sorted array of lists.
 *
 * A connection uses a handful of priorities, so the array is searched by halving and is
 * scanned from the top to pop. Ceph puts replayed messages in front of its highest
 * priority; any 16-bit number is a priority here, so they have a list of their own.
 */
#include "engine/queue/out_queue.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/message.h"
#include "engine/util.h"

void out_queue_init(struct out_queue *q, uint64_t messages_max, uint64_t bytes_max)
{
    *q = (struct out_queue){
        .levels = q->own,
        .cap_levels = OUT_QUEUE_PRIORITIES,
        .messages_max = messages_max,
        .bytes_max = bytes_max,
    };
    list_init(&q->replay);
}

/* A list head knows its address, so a level moves by handing over what it holds. */
static void move_level(struct out_queue_level *to, struct out_queue_level *from)
{
    to->priority = from->priority;
    list_init(&to->messages);
    list_splice_back(&to->messages, &from->messages);
}

static void drop_empty_levels(struct out_queue *q)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < q->n_levels; i++) {
        if (list_is_empty(&q->levels[i].messages)) {
            continue;
        }
        if (kept != i) {
            move_level(&q->levels[kept], &q->levels[i]);
        }
        kept++;
    }
    q->n_levels = kept;
}

static int grow_levels(struct out_queue *q)
{
    uint32_t cap = q->cap_levels * 2;
    struct out_queue_level *levels = calloc(cap, sizeof(*levels));

    if (levels == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < q->n_levels; i++) {
        move_level(&levels[i], &q->levels[i]);
    }
    if (q->levels != q->own) {
        free(q->levels);
    }
    q->levels = levels;
    q->cap_levels = cap;
    return 0;
}

/* Where the level of that priority is, or would have to be. */
static uint32_t level_slot(const struct out_queue *q, uint16_t priority)
{
    uint32_t low = 0, high = q->n_levels;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (q->levels[middle].priority > priority) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The level of that priority, made if there is none. NULL if no memory. */
static struct out_queue_level *obtain_level(struct out_queue *q, uint16_t priority)
{
    uint32_t slot = level_slot(q, priority);

    if (slot < q->n_levels && q->levels[slot].priority == priority) {
        return &q->levels[slot];
    }
    if (q->n_levels == q->cap_levels) {
        drop_empty_levels(q);
        if (q->n_levels == q->cap_levels && grow_levels(q) < 0) {
            return NULL;
        }
        slot = level_slot(q, priority);
    }
    for (uint32_t i = q->n_levels; i > slot; i--) {
        move_level(&q->levels[i], &q->levels[i - 1]);
    }
    q->n_levels++;
    q->levels[slot].priority = priority;
    list_init(&q->levels[slot].messages);
    return &q->levels[slot];
}

static void count_in(struct out_queue *q, const struct message *msg)
{
    q->messages++;
    q->bytes += message_bytes(msg);
}

int out_queue_push(struct out_queue *q, struct message *msg)
{
    uint64_t n = message_bytes(msg);
    struct out_queue_level *level;

    if (q->messages >= q->messages_max) {
        return -EAGAIN;
    }
    if (q->messages > 0 && (q->bytes > q->bytes_max || n > q->bytes_max - q->bytes)) {
        return -EAGAIN;
    }
    level = obtain_level(q, msg->header.priority);
    if (level == NULL) {
        return -ENOMEM;
    }
    list_push_back(&level->messages, &msg->node);
    count_in(q, msg);
    return 0;
}

void out_queue_push_front(struct out_queue *q, struct message *msg)
{
    list_push_front(&q->replay, &msg->node);
    count_in(q, msg);
}

/* The first node in order, unlinked; there is one. */
static struct list *pop_node(struct out_queue *q)
{
    if (!list_is_empty(&q->replay)) {
        return list_pop_front(&q->replay);
    }
    for (uint32_t i = 0;; i++) {
        CHECK(i < q->n_levels);
        if (list_is_empty(&q->levels[i].messages)) {
            continue;
        }
        if (i >= OUT_QUEUE_SCAN_MAX) { /* the next pop shall not walk that far again */
            drop_empty_levels(q);
            i = 0;
        }
        return list_pop_front(&q->levels[i].messages);
    }
}

struct message *out_queue_pop(struct out_queue *q)
{
    struct message *msg;

    if (q->messages == 0) {
        return NULL;
    }
    msg = container_of(pop_node(q), struct message, node);
    q->messages--;
    q->bytes -= message_bytes(msg);
    return msg;
}

bool out_queue_is_empty(const struct out_queue *q)
{
    return q->messages == 0;
}

uint64_t out_queue_clear(struct out_queue *q)
{
    uint64_t n = 0;
    struct message *msg;

    while ((msg = out_queue_pop(q)) != NULL) {
        message_unref(msg);
        n++;
    }
    return n;
}

void out_queue_fini(struct out_queue *q)
{
    out_queue_clear(q);
    if (q->levels != q->own) {
        free(q->levels);
    }
    *q = (struct out_queue){0};
}
