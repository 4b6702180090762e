/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join_dispatch.c: the second pass of the join: which records of the dispatch queue and its
 * thread belong to which message.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "viz/join/join_private.h"

struct delivery {
    uint32_t object, record;
    uint64_t seq;
};

static int compare_deliveries(const void *a, const void *b)
{
    const struct delivery *l = a, *r = b;

    if (l->object != r->object) {
        return l->object < r->object ? -1 : 1;
    }
    if (l->seq != r->seq) {
        return l->seq < r->seq ? -1 : 1;
    }
    return l->record < r->record ? -1 : l->record > r->record;
}

/* All R7 records by (connection, seq, time). NULL if out of memory. */
static struct delivery *list_deliveries(const struct join *join, size_t *ret_n)
{
    struct delivery *list;
    size_t n = 0;

    for (size_t w = 0; w < join->n_wires; w++) {
        n += join->wires[w].calls[CALL_R7].n;
    }
    list = malloc((n + 1) * sizeof(*list));
    n = 0;
    for (size_t w = 0; w < join->n_wires && list != NULL; w++) {
        const struct call_list *received = &join->wires[w].calls[CALL_R7];

        for (size_t i = 0; i < received->n; i++) {
            const struct trace_record *r =
                trace_reader_record(join->reader, received->records[i]);

            list[n++] = (struct delivery){r->obj, received->records[i], r->a0};
        }
    }
    if (list != NULL) {
        qsort(list, n, sizeof(*list), compare_deliveries);
    }
    *ret_n = n;
    return list;
}

/* The message of a dispatch record: of the last R7 of that (connection, seq) before it;
 * with equal time stamps that R7 may also be the next one. */
static uint32_t find_delivery(const struct join *join, const struct delivery *list,
                              size_t n, struct delivery key)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare_deliveries(&list[middle], &key) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low > 0 && list[low - 1].object == key.object && list[low - 1].seq == key.seq) {
        return join->message_of[list[low - 1].record];
    }
    if (low < n && list[low].object == key.object && list[low].seq == key.seq) {
        return join->message_of[list[low].record];
    }
    return JOIN_NONE;
}

int join_dispatches(struct join *join)
{
    size_t n, count = trace_reader_count(join->reader);
    struct delivery *list = list_deliveries(join, &n);

    if (list == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        const struct trace_record *r = trace_reader_record(join->reader, i);
        enum join_step step = join_step_of(r->kind);
        uint32_t m = JOIN_NONE;

        if (step < JOIN_LABELLED || step == JOIN_STEPS || step == JOIN_LOCAL) {
            continue;
        }
        if (r->flow != 0) {
            m = (uint32_t)map_get(&join->by_id, r->flow, JOIN_NONE);
        } else if (step != JOIN_POST) {
            m = find_delivery(join, list, n, (struct delivery){r->obj, (uint32_t)i, r->a0});
        }
        if (m != JOIN_NONE) {
            join_chain(join, m & ~MORE_MESSAGES, (uint32_t)i);
        } else if (step != JOIN_POST) {
            join->totals.dispatches_unmatched++;
        }
    }
    free(list);
    return 0;
}
