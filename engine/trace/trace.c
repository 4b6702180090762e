/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.c: the recorder's blocks and records. The file is in trace_file.c, names are in
 * trace_names.c. Space is handed out in blocks:
 *
 *   struct trace ----> map: | header | a.worker-0 | names | a.worker-1 | a.worker-0 | ...
 *        |                               ^                                  ^
 *        '--> rings (one per thread) ----'--- block being filled -----------'
 *
 * A thread fills its own block without a lock. Taking a block and appending a name happen
 * under one spinlock, which is held for no call into the os table, since in the simulator
 * those may switch threads.
 *
 * Lost records never fail the caller. They are counted in the file header (all of them) and
 * in `lost_before` of the thread's next block. In a ring, overwritten records are lost
 * ones.
 *
 * An os records into one trace only: its threads keep their ring until trace_close.
 */
#include <stdio.h>
#include <string.h>

#include "engine/base/crc32c.h"
#include "engine/trace/trace_impl.h"
#include "engine/util.h"

/* In a ring, this part of the file is kept for names and for threads that start late. */
#define RING_RESERVE(bytes) ((bytes) / 8)

/* ---- blocks ----------------------------------------------------------------------- */

static uint32_t number_of(const struct trace *trace, const struct trace_block_header *block)
{
    return (uint32_t)(((const uint8_t *)block - trace->map) / TRACE_BLOCK_BYTES);
}

/* Ring mode: puts a fresh block into the thread's circle, behind the newest. */
static void join_circle(struct trace *trace, struct trace_ring *ring,
                        const struct trace_block_header *block)
{
    uint32_t fresh = number_of(trace, block);
    uint32_t newest = ring->block != NULL ? number_of(trace, ring->block) : fresh;

    trace->circle[fresh] = newest == fresh ? fresh : trace->circle[newest];
    trace->circle[newest] = fresh;
}

/* Ring mode: the thread's oldest block, emptied. */
static struct trace_block_header *reuse_block(struct trace *trace, struct trace_ring *ring)
{
    uint64_t oldest = trace->circle[number_of(trace, ring->block)];
    struct trace_block_header *block =
        (struct trace_block_header *)(trace->map + TRACE_HEADER_BYTES +
                                      oldest * TRACE_BLOCK_BYTES);
    uint64_t records = block->used / sizeof(struct trace_record);

    __atomic_store_n(&block->used, 0, __ATOMIC_RELEASE);
    /* If the process ends here, the block is empty and not its former self. */
    memset(block + 1, 0, sizeof(struct trace_record));
    ring->lost += records;
    trace_lose(trace, records);
    return block;
}

/* Gives the thread an empty block. Slow path, once per 1023 records. */
static bool next_block(struct trace *trace, struct trace_ring *ring, struct os *os)
{
    uint64_t limit = trace->bytes_max;
    struct trace_block_header *block;

    if (trace->circle != NULL && ring->block != NULL) {
        limit -= RING_RESERVE(limit);
    }
    trace_take_lock(trace, os);
    block = trace_take_block(trace, limit);
    spin_drop(&trace->busy);
    if (block != NULL && trace->circle != NULL) {
        join_circle(trace, ring, block);
    } else if (block == NULL && trace->circle != NULL && ring->block != NULL) {
        block = reuse_block(trace, ring);
    }
    if (block == NULL) {
        return false;
    }
    block->first_seq = ring->seq;
    block->node = ring->node;
    block->thread = ring->thread;
    block->lost_before = ring->lost;
    memcpy(block->thread_name, ring->thread_name, sizeof(block->thread_name));
    memcpy(block->node_name, ring->node_name, sizeof(block->node_name));
    __atomic_store_n(&block->type, TRACE_BLOCK_RECORDS, __ATOMIC_RELEASE);
    ring->block = block;
    ring->used = 0;
    return true;
}

static void tell_thread(struct trace *trace, const struct trace_ring *ring)
{
    union {
        struct trace_name name;
        char room[sizeof(struct trace_name) + 40];
    } entry = {.name = {.what = TRACE_NAME_THREAD, .id = ring->thread, .node = ring->node}};

    if (trace->on_record != NULL) {
        snprintf(entry.name.text, sizeof(entry.room) - sizeof(entry.name), "%s.%s",
                 ring->node_name, ring->thread_name);
        trace->on_record(trace->on_record_arg, NULL, &entry.name);
    }
}

/* The calling thread's ring, made at its first record; NULL when there are too many, or no
 * memory. */
static struct trace_ring *ring_of(struct trace *trace, struct os *os)
{
    struct os_thread *self = os_thread_self(os);
    struct trace_ring *ring = self->ring;

    if (ring != NULL || self->shared) {
        return ring;
    }
    ring = calloc(1, sizeof(*ring));
    if (ring == NULL) {
        return NULL;
    }
    ring->seq = 1;
    ring->node = os->node;
    trace_copy_text(ring->thread_name, self->name, sizeof(ring->thread_name) - 1);
    trace_copy_text(ring->node_name, os->name, sizeof(ring->node_name) - 1);
    trace_take_lock(trace, os);
    if (trace->threads[os->node] < TRACE_THREADS_MAX) {
        ring->thread = ++trace->threads[os->node];
        ring->next = trace->rings;
        trace->rings = ring;
    }
    spin_drop(&trace->busy);
    if (ring->thread == 0) {
        free(ring);
        return NULL;
    }
    self->ring = ring;
    tell_thread(trace, ring);
    return ring;
}

/* ---- records ---------------------------------------------------------------------- */

/* Where the next record goes in the file; NULL: nowhere, and it is counted if there was
 * one. */
static struct trace_record *next_place(struct trace *trace, struct trace_ring *ring,
                                       struct os *os)
{
    if (atomic_load_explicit(&trace->to_file, memory_order_relaxed) &&
        ((ring->block != NULL && ring->used < TRACE_BLOCK_ROOM) ||
         next_block(trace, ring, os))) {
        return (struct trace_record *)((uint8_t *)(ring->block + 1) + ring->used);
    }
    if (trace->fd >= 0) {
        ring->lost++;
        trace_lose(trace, 1);
    }
    return NULL;
}

/* The record is complete. In the file, whoever reads may see it from now on. */
static void publish(struct trace *trace, struct trace_ring *ring,
                    struct trace_record *record, struct trace_record *place)
{
    ring->seq++;
    if (place != NULL) {
        record->crc = crc32c(trace->salt, record, offsetof(struct trace_record, crc));
        if (record != place) {
            *place = *record;
        }
        ring->used += sizeof(*record);
        __atomic_store_n(&ring->block->used, ring->used, __ATOMIC_RELEASE);
    }
    if (trace->on_record != NULL) {
        trace->on_record(trace->on_record_arg, record, NULL);
    }
}

uint64_t trace_emit(struct os *os, enum trace_kind kind, const struct trace_args *args)
{
    struct trace *trace = os->trace;
    struct trace_record own, *place, *record;
    struct trace_ring *ring;
    uint64_t now, id;

    CHECK(kind > TP_NONE && kind < TP_COUNT);
    if (trace == NULL) {
        return 0;
    }
    now = os_monotonic_ns(os);
    ring = ring_of(trace, os);
    if (ring == NULL) {
        trace_lose(trace, 1);
        return 0;
    }
    place = next_place(trace, ring, os);
    if (place == NULL && trace->on_record == NULL) {
        return 0;
    }
    record = trace->on_record != NULL ? &own : place; /* ours, which nobody can cut */
    *record = (struct trace_record){
        .ts = now,
        .flow = args->flow,
        .cause = args->cause != 0 ? args->cause : ring->context,
        .seq = (uint32_t)ring->seq,
        .kind = (uint16_t)kind,
        .node = ring->node,
        .thread = ring->thread,
        .obj = args->obj,
        .val = args->val,
        .a0 = args->a0,
        .a1 = args->a1,
        .aux = args->aux,
    };
    id = (uint64_t)ring->node << 56 | (uint64_t)ring->thread << 48 | ring->seq;
    publish(trace, ring, record, place);
    return id;
}

uint64_t trace_enter(struct os *os, uint64_t id)
{
    struct trace_ring *ring = os->trace != NULL ? ring_of(os->trace, os) : NULL;
    uint64_t former;

    if (ring == NULL) {
        return 0;
    }
    former = ring->context;
    ring->context = id;
    return former;
}
