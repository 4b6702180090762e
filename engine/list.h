/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list.h: intrusive doubly linked lists.
 *
 * A list is a circle through its head. A node that is in no list points at itself, so
 * list_unlink may be called twice and list_is_linked is always answerable.
 */
#ifndef MSGRLAB_ENGINE_LIST_H
#define MSGRLAB_ENGINE_LIST_H

#include <stdbool.h>

#include "engine/base.h"
#include "engine/util.h"

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_is_empty(const struct list *l)
{
    return l->next == l;
}

/* True if the node is in some list (the same test: a lone node is its own circle). */
static inline bool list_is_linked(const struct list *node)
{
    return node->next != node;
}

static inline void list_insert_before(struct list *at, struct list *node)
{
    CHECK(!list_is_linked(node));
    node->prev = at->prev;
    node->next = at;
    at->prev->next = node;
    at->prev = node;
}

static inline void list_push_back(struct list *l, struct list *node)
{
    list_insert_before(l, node);
}

static inline void list_push_front(struct list *l, struct list *node)
{
    list_insert_before(l->next, node);
}

static inline void list_unlink(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* The first node, unlinked; NULL if the list is empty. */
static inline struct list *list_pop_front(struct list *l)
{
    struct list *node = l->next;

    if (node == l) {
        return NULL;
    }
    list_unlink(node);
    return node;
}

/* Moves every node of `from` to the back of `to`, keeping the order. */
static inline void list_splice_back(struct list *to, struct list *from)
{
    if (list_is_empty(from)) {
        return;
    }
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#define list_for_each(l, it) for (struct list *it = (l)->next; it != (l); it = it->next)

#define list_for_each_safe(l, it)                                                          \
    for (struct list *it = (l)->next, *it##_next = it->next; it != (l);                    \
         it = it##_next, it##_next = it->next)

#endif
