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

#include "engine/util.h"
#include "viz/trace/trace_private.h"

struct run {
    uint32_t at, end; /* in the unmerged list */
};

struct merge {
    const struct trace_reader *reader;
    uint32_t *from; /* slots, run after run */
    struct run *heap;
    size_t n;
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
static bool is_before(const struct merge *m, size_t left, size_t right)
{
    return compare_slots(m->reader, m->from[m->heap[left].at], m->from[m->heap[right].at]) <
           0;
}

static void sift_down(struct merge *m, size_t i)
{
    for (;;) {
        size_t child = 2 * i + 1;
        struct run run;

        if (child >= m->n) {
            return;
        }
        if (child + 1 < m->n && is_before(m, child + 1, child)) {
            child++;
        }
        if (!is_before(m, child, i)) {
            return;
        }
        run = m->heap[i];
        m->heap[i] = m->heap[child];
        m->heap[child] = run;
        i = child;
    }
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

int trace_merge(struct trace_reader *reader)
{
    size_t count = reader->info.records, out = 0;
    struct merge m = {.reader = reader};
    size_t runs;

    reader->order = malloc((count + 1) * sizeof(uint32_t));
    m.from = malloc((count + 1) * sizeof(uint32_t));
    if (reader->order == NULL || m.from == NULL) {
        free(m.from);
        return -ENOMEM;
    }
    count = list_slots(reader, m.from, &runs);
    reader->info.records = count;
    m.heap = malloc((runs + 1) * sizeof(*m.heap));
    if (m.heap == NULL) {
        free(m.from);
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || compare_slots(reader, m.from[i - 1], m.from[i]) > 0) {
            m.heap[m.n++] = (struct run){.at = (uint32_t)i};
        }
        m.heap[m.n - 1].end = (uint32_t)i + 1;
    }
    for (size_t i = m.n; i-- > 0;) {
        sift_down(&m, i);
    }
    while (m.n > 0) {
        reader->order[out++] = m.from[m.heap[0].at];
        if (++m.heap[0].at == m.heap[0].end) {
            m.heap[0] = m.heap[--m.n];
        }
        sift_down(&m, 0);
    }
    free(m.heap);
    free(m.from);
    return 0;
}
