/* SPDX-License-Identifier: Apache-2.0 */
/*
 * priority_queue.c: levels, lanes and token buckets.
 *
 * A lane is what one connection has waiting in one level; it exists only while something
 * does. Lanes are found by (connection, priority) and, for taking a connection out, through
 * an entry of the connection itself that links its lanes. Both are in one hash table, which
 * is only ever searched, never walked, so that no order depends on it.
 */
#include "engine/queue/priority_queue.h"

#include <stdlib.h>
#include <string.h>

#include "engine/message.h"
#include "engine/util.h"

#define KEY_CONNECTION 0x10000u /* no priority: the entry of the connection itself */
#define LEVELS_KEPT 16          /* empty levels stay for reuse while there are so few */
#define LEVELS_FIRST 8
#define BUCKETS_FIRST 64

struct priority_entry {
    struct priority_entry *next; /* in its bucket */
    uint64_t conn_id;
    uint32_t key; /* a priority, or KEY_CONNECTION */
};

struct priority_level {
    uint16_t priority;
    uint64_t tokens;
    struct list lanes; /* of struct lane by turn; the front is next */
};

struct sender {
    struct priority_entry entry;
    struct list lanes; /* of struct lane by sibling */
};

struct lane {
    struct priority_entry entry;
    struct priority_level *level; /* borrowed from the queue */
    struct sender *sender;        /* borrowed from the queue */
    struct list turn, sibling;
    struct list messages; /* never empty, but inside the functions here */
};

void priority_queue_init(struct priority_queue *q)
{
    *q = (struct priority_queue){0};
    list_init(&q->overflow);
}

void priority_queue_fini(struct priority_queue *q)
{
    CHECK(q->n_entries == 0);
    CHECK(list_is_empty(&q->overflow));
    for (uint32_t i = 0; i < q->n_levels; i++) {
        free(q->levels[i]);
    }
    free(q->levels);
    free(q->buckets);
    priority_queue_init(q);
}

/* ---- entries by key --------------------------------------------------------------- */

static struct priority_entry **entry_bucket(const struct priority_queue *q,
                                            uint64_t conn_id, uint32_t key)
{
    uint64_t h = (conn_id ^ (uint64_t)key << 40) * 0x9e3779b97f4a7c15ULL;

    return &q->buckets[(h >> 32) & (q->n_buckets - 1)];
}

static struct priority_entry *find_entry(const struct priority_queue *q, uint64_t conn_id,
                                         uint32_t key)
{
    struct priority_entry *e;

    if (q->n_buckets == 0) {
        return NULL;
    }
    for (e = *entry_bucket(q, conn_id, key); e != NULL; e = e->next) {
        if (e->conn_id == conn_id && e->key == key) {
            return e;
        }
    }
    return NULL;
}

/* Twice as many buckets. Without memory the chains only become longer. */
static void grow_buckets(struct priority_queue *q)
{
    uint32_t n_old = q->n_buckets;
    struct priority_entry **old = q->buckets;
    uint32_t n = n_old > 0 ? n_old * 2 : BUCKETS_FIRST;
    struct priority_entry **buckets = calloc(n, sizeof(struct priority_entry *));

    if (buckets == NULL) {
        return;
    }
    q->buckets = buckets;
    q->n_buckets = n;
    for (uint32_t i = 0; i < n_old; i++) {
        struct priority_entry *e = old[i];

        while (e != NULL) {
            struct priority_entry *next = e->next;
            struct priority_entry **to = entry_bucket(q, e->conn_id, e->key);

            e->next = *to;
            *to = e;
            e = next;
        }
    }
    free(old);
}

/* False: there is no memory for the first buckets. */
static bool add_entry(struct priority_queue *q, struct priority_entry *e, uint64_t conn_id,
                      uint32_t key)
{
    struct priority_entry **bucket;

    if (q->n_entries >= q->n_buckets) {
        grow_buckets(q);
    }
    if (q->n_buckets == 0) {
        return false;
    }
    bucket = entry_bucket(q, conn_id, key);
    *e = (struct priority_entry){.next = *bucket, .conn_id = conn_id, .key = key};
    *bucket = e;
    q->n_entries++;
    return true;
}

static void remove_entry(struct priority_queue *q, struct priority_entry *e)
{
    struct priority_entry **at = entry_bucket(q, e->conn_id, e->key);

    while (*at != e) {
        CHECK(*at != NULL);
        at = &(*at)->next;
    }
    *at = e->next;
    q->n_entries--;
}

/* ---- levels ----------------------------------------------------------------------- */

static bool is_strict(const struct priority_level *level)
{
    return level->priority >= PRIO_HIGH;
}

/* Where that priority is in the array, or would have to be. */
static uint32_t find_level(const struct priority_queue *q, uint16_t priority)
{
    uint32_t low = 0, high = q->n_levels;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (q->levels[middle]->priority > priority) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool reserve_level(struct priority_queue *q)
{
    uint32_t cap = q->cap_levels > 0 ? q->cap_levels * 2 : LEVELS_FIRST;
    struct priority_level **levels;

    if (q->n_levels < q->cap_levels) {
        return true;
    }
    levels = realloc(q->levels, cap * sizeof(struct priority_level *));
    if (levels == NULL) {
        return false;
    }
    q->levels = levels;
    q->cap_levels = cap;
    return true;
}

/* The level of that priority, made if there is none. NULL if no memory. */
static struct priority_level *level_for(struct priority_queue *q, uint16_t priority)
{
    uint32_t i = find_level(q, priority);
    struct priority_level *level;

    if (i < q->n_levels && q->levels[i]->priority == priority) {
        return q->levels[i];
    }
    if (!reserve_level(q)) {
        return NULL;
    }
    level = calloc(1, sizeof(*level));
    if (level == NULL) {
        return NULL;
    }
    level->priority = priority;
    list_init(&level->lanes);
    memmove(&q->levels[i + 1], &q->levels[i],
            (q->n_levels - i) * sizeof(struct priority_level *));
    q->levels[i] = level;
    q->n_levels++;
    return level;
}

/* Nothing waits in it any more: its tokens are gone, as in Ceph. */
static void level_emptied(struct priority_queue *q, struct priority_level *level)
{
    uint32_t i;

    level->tokens = 0;
    if (!is_strict(level)) {
        q->weight -= level->priority;
    }
    if (q->n_levels <= LEVELS_KEPT) {
        return;
    }
    i = find_level(q, level->priority);
    q->n_levels--;
    memmove(&q->levels[i], &q->levels[i + 1],
            (q->n_levels - i) * sizeof(struct priority_level *));
    free(level);
}

/* ---- lanes ------------------------------------------------------------------------ */

static struct sender *sender_for(struct priority_queue *q, uint64_t conn_id)
{
    struct priority_entry *e = find_entry(q, conn_id, KEY_CONNECTION);
    struct sender *sender;

    if (e != NULL) {
        return container_of(e, struct sender, entry);
    }
    sender = calloc(1, sizeof(*sender));
    if (sender == NULL) {
        return NULL;
    }
    if (!add_entry(q, &sender->entry, conn_id, KEY_CONNECTION)) {
        free(sender);
        return NULL;
    }
    list_init(&sender->lanes);
    return sender;
}

static void drop_idle_sender(struct priority_queue *q, struct sender *sender)
{
    if (list_is_empty(&sender->lanes)) {
        remove_entry(q, &sender->entry);
        free(sender);
    }
}

/* The connection's lane in that level, made if there is none. NULL if no memory. */
static struct lane *lane_for(struct priority_queue *q, struct priority_level *level,
                             uint64_t conn_id)
{
    struct priority_entry *e = find_entry(q, conn_id, level->priority);
    struct sender *sender;
    struct lane *lane;

    if (e != NULL) {
        return container_of(e, struct lane, entry);
    }
    sender = sender_for(q, conn_id);
    if (sender == NULL) {
        return NULL;
    }
    lane = calloc(1, sizeof(*lane));
    if (lane == NULL) {
        drop_idle_sender(q, sender);
        return NULL;
    }
    add_entry(q, &lane->entry, conn_id, level->priority);
    lane->level = level;
    lane->sender = sender;
    list_init(&lane->turn);
    list_init(&lane->sibling);
    list_init(&lane->messages);
    if (list_is_empty(&level->lanes) && !is_strict(level)) {
        q->weight += level->priority;
    }
    list_push_back(&level->lanes, &lane->turn);
    list_push_back(&sender->lanes, &lane->sibling);
    return lane;
}

static void drop_lane(struct priority_queue *q, struct lane *lane)
{
    CHECK(list_is_empty(&lane->messages));
    remove_entry(q, &lane->entry);
    list_unlink(&lane->turn);
    list_unlink(&lane->sibling);
    if (list_is_empty(&lane->level->lanes)) {
        level_emptied(q, lane->level);
    }
    drop_idle_sender(q, lane->sender);
    free(lane);
}

void priority_queue_push(struct priority_queue *q, struct message *msg, uint64_t conn_id)
{
    struct priority_level *level = NULL;
    struct lane *lane = NULL;

    msg->dispatch_from = conn_id;
    if (list_is_empty(&q->overflow)) {
        level = level_for(q, msg->header.priority);
    }
    if (level != NULL) {
        lane = lane_for(q, level, conn_id);
    }
    list_push_back(lane != NULL ? &lane->messages : &q->overflow, &msg->node);
}

/* ---- serving ---------------------------------------------------------------------- */

static struct lane *next_lane(const struct priority_level *level)
{
    return container_of(level->lanes.next, struct lane, turn);
}

/* What serving the next message of the level costs. */
static uint64_t next_cost(const struct priority_level *level)
{
    struct list *node = next_lane(level)->messages.next;
    uint64_t bytes = message_bytes(container_of(node, struct message, node));

    return MIN(MAX(bytes, (uint64_t)PRIORITY_COST_MIN), (uint64_t)PRIORITY_TOKENS_MAX);
}

/* The next message of a level that waits. Its connection goes to the back of the turn. */
static struct message *serve_level(struct priority_queue *q, struct priority_level *level)
{
    struct lane *lane = next_lane(level);
    struct list *node = list_pop_front(&lane->messages);

    CHECK(node != NULL);
    if (list_is_empty(&lane->messages)) {
        drop_lane(q, lane);
    } else {
        list_unlink(&lane->turn);
        list_push_back(&level->lanes, &lane->turn);
    }
    return container_of(node, struct message, node);
}

/* The level to serve; *ret_paid is what it pays. NULL if nothing waits. */
static struct priority_level *choose_level(const struct priority_queue *q,
                                           uint64_t *ret_paid)
{
    struct priority_level *highest = NULL;

    *ret_paid = 0;
    for (uint32_t i = 0; i < q->n_levels && highest == NULL; i++) {
        if (!list_is_empty(&q->levels[i]->lanes)) {
            highest = q->levels[i];
        }
    }
    if (highest == NULL || is_strict(highest)) {
        return highest;
    }
    for (uint32_t i = q->n_levels; i > 0; i--) {
        struct priority_level *level = q->levels[i - 1];

        if (!list_is_empty(&level->lanes) && next_cost(level) < level->tokens) {
            *ret_paid = next_cost(level);
            return level;
        }
    }
    return highest;
}

static void distribute_tokens(struct priority_queue *q, uint64_t cost)
{
    if (q->weight == 0) {
        return;
    }
    for (uint32_t i = 0; i < q->n_levels; i++) {
        struct priority_level *level = q->levels[i];

        if (is_strict(level) || list_is_empty(&level->lanes)) {
            continue;
        }
        level->tokens += level->priority * cost / q->weight + 1;
        level->tokens = MIN(level->tokens, (uint64_t)PRIORITY_TOKENS_MAX);
    }
}

struct message *priority_queue_pop(struct priority_queue *q)
{
    uint64_t paid, cost;
    struct priority_level *level = choose_level(q, &paid);
    struct message *msg;
    bool strict;

    if (level == NULL) {
        struct list *node = list_pop_front(&q->overflow);

        return node != NULL ? container_of(node, struct message, node) : NULL;
    }
    strict = is_strict(level);
    cost = next_cost(level);
    level->tokens -= paid;
    msg = serve_level(q, level); /* the level may be gone now */
    if (!strict) {
        distribute_tokens(q, cost);
    }
    return msg;
}

static uint64_t take_overflow(struct priority_queue *q, uint64_t conn_id, struct list *to)
{
    uint64_t n = 0;

    list_for_each_safe(&q->overflow, it)
    {
        if (container_of(it, struct message, node)->dispatch_from == conn_id) {
            list_unlink(it);
            list_push_back(to, it);
            n++;
        }
    }
    return n;
}

uint64_t priority_queue_take(struct priority_queue *q, uint64_t conn_id, struct list *to)
{
    struct priority_entry *e;
    uint64_t n = 0;

    while ((e = find_entry(q, conn_id, KEY_CONNECTION)) != NULL) {
        struct sender *sender = container_of(e, struct sender, entry);
        struct lane *lane = container_of(sender->lanes.next, struct lane, sibling);
        struct list *node;

        while ((node = list_pop_front(&lane->messages)) != NULL) {
            list_push_back(to, node);
            n++;
        }
        drop_lane(q, lane); /* and the sender with its last lane */
    }
    return n + take_overflow(q, conn_id, to);
}
