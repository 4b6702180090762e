/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap.h: a binary heap of things that embed a node and belong to somebody else. Which of
 * two comes first is the caller's function, the same one at each call; if it never calls
 * two equal, what comes out is in one order, whatever the order it went in. One thread at a
 * time. A zeroed heap is empty, a zeroed node in none.
 */
#ifndef MSGRLAB_ENGINE_BASE_HEAP_H
#define MSGRLAB_ENGINE_BASE_HEAP_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/util.h"

struct heap_node {
    uint32_t place; /* 1 + index in the heap; 0: in none */
};

struct heap {
    struct heap_node **nodes; /* owned array of borrowed nodes; nodes[0] is the first */
    uint32_t n, cap;
};

typedef bool (*heap_before_fn)(const struct heap_node *a, const struct heap_node *b);

static inline bool heap_is_member(const struct heap_node *node)
{
    return node->place != 0;
}

/* NULL: it is empty. */
static inline struct heap_node *heap_first(const struct heap *h)
{
    return h->n > 0 ? h->nodes[0] : NULL;
}

static inline void heap_put_at(struct heap *h, struct heap_node *node, uint32_t i)
{
    h->nodes[i] = node;
    node->place = i + 1;
}

/* Room at i: the node goes there, or above, and what is between goes down. */
static inline void heap_sift_up(struct heap *h, struct heap_node *node, uint32_t i,
                                heap_before_fn is_before)
{
    while (i > 0 && is_before(node, h->nodes[(i - 1) / 2])) {
        heap_put_at(h, h->nodes[(i - 1) / 2], i);
        i = (i - 1) / 2;
    }
    heap_put_at(h, node, i);
}

static inline void heap_sift_down(struct heap *h, struct heap_node *node, uint32_t i,
                                  heap_before_fn is_before)
{
    for (;;) {
        uint32_t child = 2 * i + 1;

        if (child + 1 < h->n && is_before(h->nodes[child + 1], h->nodes[child])) {
            child++;
        }
        if (child >= h->n || !is_before(h->nodes[child], node)) {
            break;
        }
        heap_put_at(h, h->nodes[child], i);
        i = child;
    }
    heap_put_at(h, node, i);
}

/* 0 or -ENOMEM. */
static inline int heap_add(struct heap *h, struct heap_node *node, heap_before_fn is_before)
{
    CHECK(!heap_is_member(node));
    if (h->n == h->cap) {
        uint32_t cap = MAX(16u, h->cap * 2);
        struct heap_node **nodes = realloc(h->nodes, cap * sizeof(struct heap_node *));

        if (nodes == NULL) {
            return -ENOMEM;
        }
        h->nodes = nodes;
        h->cap = cap;
    }
    heap_sift_up(h, node, h->n++, is_before);
    return 0;
}

/* The node is in the heap, and comes earlier or later than it did when it went in. */
static inline void heap_move(struct heap *h, struct heap_node *node,
                             heap_before_fn is_before)
{
    uint32_t i = node->place - 1;

    CHECK(i < h->n);
    CHECK(h->nodes[i] == node);
    if (i > 0 && is_before(node, h->nodes[(i - 1) / 2])) {
        heap_sift_up(h, node, i, is_before);
    } else {
        heap_sift_down(h, node, i, is_before);
    }
}

static inline void heap_remove(struct heap *h, struct heap_node *node,
                               heap_before_fn is_before)
{
    uint32_t i = node->place - 1;
    struct heap_node *last;

    CHECK(i < h->n);
    CHECK(h->nodes[i] == node);
    last = h->nodes[--h->n];
    if (last != node) {
        heap_put_at(h, last, i);
        heap_move(h, last, is_before);
    }
    node->place = 0;
}

/* Its nodes are still their owners'. */
static inline void heap_fini(struct heap *h)
{
    free(h->nodes);
    *h = (struct heap){0};
}

#endif
