/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_merge.c: the one order of all records, by (ts, node, thread, seq).
 *
 * Each thread's records, block after block, are nearly always ordered already. They are cut
 * into ordered runs wherever they are not, and the runs are merged with a heap, so even a
 * file made to be bad costs no more than a sort.
 */
#include <errno.h>
#include <stdlib.h>

#include "engine/base/heap.h"
#include "engine/util.h"
#include "viz/trace/trace_private.h"

struct run {
    struct heap_node node;
    const struct trace_reader *reader;
    const uint32_t *at, *end; /* slots: the next one, and behind the last one */
};

static int compare_slots(const struct trace_reader *reader, uint32_t left, uint32_t right)
{
    const struct trace_record *l = trace_at_slot(reader, left),
                              *r = trace_at_slot(reader, right);

    if (l->ts != r->ts) {
        return l->ts < r->ts ? -1 : 1;
    }
    if (l->node != r->node) {
        return l->node < r->node ? -1 : 1;
    }
    if (l->thread != r->thread) {
        return l->thread < r->thread ? -1 : 1;
    }
    if (l->seq != r->seq) {
        return l->seq < r->seq ? -1 : 1;
    }
    return left < right ? -1 : left > right;
}

/* Of two runs, the one whose next record is first. */
static bool run_is_before(const struct heap_node *left, const struct heap_node *right)
{
    const struct run *a = container_of(left, struct run, node);
    const struct run *b = container_of(right, struct run, node);

    return compare_slots(a->reader, *a->at, *b->at) < 0;
}

/* Lists all intact records, block after block, and counts them and the ordered runs. */
static size_t list_slots(const struct trace_reader *reader, uint32_t *slots,
                         size_t *ret_runs)
{
    size_t n = 0, runs = 0;

    for (size_t b = 0; b < reader->n_blocks; b++) {
        const struct trace_block *block = &reader->blocks[b];
        uint32_t first = block->number * TRACE_SLOTS_PER_BLOCK + 1;

        for (uint32_t i = 0; i < block->records && n < reader->info.records; i++) {
            const struct trace_record *record = trace_at_slot(reader, first + i);

            /* A full block needs no second look at the crc. */
            if (block->intact == block->records ||
                (trace_is_intact(reader, record) && trace_is_next(block, record, i))) {
                slots[n] = first + i;
                runs += n == 0 || compare_slots(reader, slots[n - 1], slots[n]) > 0;
                n++;
            }
        }
    }
    *ret_runs = runs;
    return n;
}

/* Cuts the slots into runs, and puts these into the heap. 0 or -ENOMEM. */
static int cut_runs(const struct trace_reader *reader, const uint32_t *slots, size_t n,
                    struct run *runs, struct heap *heap)
{
    const uint32_t *end = slots + n;

    for (const uint32_t *at = slots; at < end; runs++) {
        *runs = (struct run){.reader = reader, .at = at};
        do {
            at++;
        } while (at < end && compare_slots(reader, at[-1], at[0]) < 0);
        runs->end = at;
        if (heap_add(heap, &runs->node, run_is_before) < 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

static void merge_runs(struct heap *heap, uint32_t *out)
{
    struct heap_node *first;

    while ((first = heap_first(heap)) != NULL) {
        struct run *run = container_of(first, struct run, node);

        *out++ = *run->at++;
        if (run->at == run->end) {
            heap_remove(heap, first, run_is_before);
        } else {
            heap_move(heap, first, run_is_before);
        }
    }
}

int trace_merge(struct trace_reader *reader)
{
    size_t count = reader->info.records, n_runs = 0;
    uint32_t *slots = malloc((count + 1) * sizeof(*slots));
    struct run *runs = NULL;
    struct heap heap = {0};
    int rc = -ENOMEM;

    reader->order = malloc((count + 1) * sizeof(uint32_t));
    if (reader->order != NULL && slots != NULL) {
        reader->info.records = list_slots(reader, slots, &n_runs);
        runs = malloc((n_runs + 1) * sizeof(*runs));
    }
    if (runs != NULL) {
        rc = cut_runs(reader, slots, reader->info.records, runs, &heap);
    }
    if (rc == 0) {
        merge_runs(&heap, reader->order);
    }
    heap_fini(&heap);
    free(runs);
    free(slots);
    return rc;
}
