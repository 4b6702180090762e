/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_block.c: one block of a trace file: which of its records are intact, and what it
 * says of itself as far as they bear it out.
 */
#include <isa-l/crc.h>
#include <string.h>

#include "engine/trace_points.h"
#include "engine/util.h"
#include "viz/trace/trace_private.h"

void trace_sanitise(char *text, size_t size)
{
    text[size - 1] = '\0';
    for (char *p = text; *p != '\0'; p++) {
        if (*p < ' ' || *p > '~') {
            *p = '?';
        }
    }
}

bool trace_is_intact(const struct trace_reader *reader, const struct trace_record *record)
{
    /* ISA-L takes the buffer as not const, and does not write to it. */
    return record->kind != TP_NONE &&
           record->crc == crc32_iscsi((unsigned char *)(uintptr_t)record,
                                      offsetof(struct trace_record, crc), reader->salt);
}

int trace_compare_blocks(const void *a, const void *b)
{
    const struct trace_block *l = a, *r = b;

    if (l->node != r->node) {
        return l->node < r->node ? -1 : 1;
    }
    if (l->thread != r->thread) {
        return l->thread < r->thread ? -1 : 1;
    }
    if (l->first_seq != r->first_seq) {
        return l->first_seq < r->first_seq ? -1 : 1;
    }
    return l->number < r->number ? -1 : l->number > r->number;
}

static bool is_zero(const struct trace_record *record)
{
    static const struct trace_record zero;

    return memcmp(record, &zero, sizeof(zero)) == 0;
}

/* Puts into block->{node, thread, first_seq} what the first intact record says; false if
 * there is none. */
static bool believe_record(struct trace_reader *reader, struct trace_block *block,
                           const struct trace_record *records, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t low = records[i].seq - i;

        if (!trace_is_intact(reader, &records[i])) {
            continue;
        }
        if (block->node != records[i].node || block->thread != records[i].thread ||
            (uint32_t)block->first_seq != low || block->first_seq > TRACE_SEQ_MAX) {
            reader->info.damaged++;
        }
        block->node = records[i].node;
        block->thread = records[i].thread;
        block->first_seq = (block->first_seq & TRACE_SEQ_MAX & ~0xffffffffULL) | low;
        return true;
    }
    return false;
}

/* Marks which records of a block are to be had. `room`: slots that the file has. */
void trace_scan_records(struct trace_reader *reader, struct trace_block *block,
                        const struct trace_block_header *header, uint32_t room)
{
    const struct trace_record *records = (const struct trace_record *)(header + 1);
    uint32_t covered = header->used / sizeof(struct trace_record);
    uint32_t i;

    if (header->used % sizeof(struct trace_record) != 0 ||
        covered > TRACE_RECORDS_PER_BLOCK) {
        reader->info.damaged++;
        covered = TRACE_RECORDS_PER_BLOCK;
    }
    if (covered > room) {
        reader->info.damaged += covered - room;
        covered = room;
    }
    block->node = header->node;
    block->thread = header->thread;
    block->first_seq = header->first_seq;
    if (!believe_record(reader, block, records, covered ? covered : MIN(room, 1))) {
        reader->info.damaged += covered;
        return;
    }
    for (i = 0; i < room; i++) {
        if (trace_is_intact(reader, &records[i]) && trace_is_next(block, &records[i], i)) {
            block->records = i + 1;
            block->intact++;
        } else if (i >= covered) {
            break;
        } else {
            reader->info.damaged++;
            if (is_zero(&records[i])) {
                break; /* `used` is what is damaged */
            }
        }
    }
    /* One more than covered is a writer killed between record and `used`. */
    if (i > covered + 1) {
        reader->info.damaged++;
    }
}
