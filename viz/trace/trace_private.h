/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_private.h: what trace_reader.c, trace_block.c, trace_merge.c and trace_names.c
 * share. Nobody else includes it.
 */
#ifndef MSGRLAB_VIZ_TRACE_TRACE_PRIVATE_H
#define MSGRLAB_VIZ_TRACE_TRACE_PRIVATE_H

#include "viz/trace/trace_reader.h"

/* A slot is one place of 64 bytes behind the file header, block headers included. */
#define TRACE_SLOTS_PER_BLOCK (TRACE_RECORDS_PER_BLOCK + 1)

/* Event ids have 48 bits for it. */
#define TRACE_SEQ_MAX ((1ULL << 48) - 1)

/* A block with at least one intact record. */
struct trace_block {
    uint32_t number;  /* place in the file */
    uint32_t records; /* slots up to the last intact record */
    uint32_t intact;
    uint8_t node, thread;
    uint64_t first_seq;
};

struct trace_reader {
    int fd;       /* holds a shared lock on the file; -1 for bytes */
    uint8_t *map; /* private to us: names are cleaned in place */
    size_t len;
    uint32_t salt;
    struct trace_info info;
    struct trace_block *blocks; /* owned, ordered by (node, thread, first_seq) */
    size_t n_blocks;
    uint32_t *block_at;           /* owned: number of a block -> its place in blocks */
    struct trace_thread *threads; /* owned */
    size_t n_threads;
    uint16_t *thread_at;  /* owned: node << 8 | thread -> 1 + place, 0 none */
    uint32_t *order;      /* owned: slots, merged */
    const char **strings; /* owned array, by id; entries NULL or in map */
    uint32_t n_strings;
    struct trace_object *objects; /* owned, by id */
    uint32_t n_objects;
};

static inline uint32_t trace_slot_of(const struct trace_reader *reader,
                                     const struct trace_record *record)
{
    return (uint32_t)(record -
                      (const struct trace_record *)(reader->map + TRACE_HEADER_BYTES));
}

static inline const struct trace_record *trace_at_slot(const struct trace_reader *reader,
                                                       uint32_t slot)
{
    return (const struct trace_record *)(reader->map + TRACE_HEADER_BYTES) + slot;
}

/* Has this the place i in the block? */
static inline bool trace_is_next(const struct trace_block *block,
                                 const struct trace_record *record, uint32_t i)
{
    return record->node == block->node && record->thread == block->thread &&
           record->seq == (uint32_t)(block->first_seq + i);
}

/* ---- trace_block.c ---- */

/* Is the crc right? */
bool trace_is_intact(const struct trace_reader *reader, const struct trace_record *record);
int trace_compare_blocks(const void *a, const void *b);
/* Makes text of `size` bytes printable and NUL-terminated. */
void trace_sanitise(char *text, size_t size);
/* Marks which records of a block are to be had. `room`: slots that the file has. */
void trace_scan_records(struct trace_reader *reader, struct trace_block *block,
                        const struct trace_block_header *header, uint32_t room);

/* Fills reader->order. -ENOMEM. */
int trace_merge(struct trace_reader *reader);

/* Could these be names? */
bool trace_names_plausible(const struct trace_block_header *header, size_t avail);
/* Takes the names of a block of which `avail` bytes are there. -ENOMEM. */
int trace_names_scan(struct trace_reader *reader, struct trace_block_header *header,
                     size_t avail);
/* After all blocks: ids count up without gaps, so a gap is damage. */
void trace_names_check(struct trace_reader *reader);

#endif
