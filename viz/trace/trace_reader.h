/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_reader.h: opens a trace file and gives its records in one order, with its names.
 *
 * Nothing in the file is trusted: every length, number and text is checked once, here. A
 * file that is torn, cut, damaged or still being written yields every record that is
 * intact, and a count of what is not. All records are merged by (ts, node, thread, seq):
 * "record i" is the i-th of that order.
 *
 * A reader is immutable once open: any thread may use it. It owns the mapped file and all
 * text it returns. Memory: the file mapped, and 4 bytes a record.
 */
#ifndef MSGRLAB_VIZ_TRACE_TRACE_READER_H
#define MSGRLAB_VIZ_TRACE_TRACE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/trace_format.h"

struct trace_reader; /* private */

struct trace_info {
    char program[64], title[256]; /* printable ASCII */
    uint64_t created_ns;          /* wall clock */
    bool ring;                    /* flight recorder: only the last records were kept */
    bool clean;                   /* closed properly */
    bool live;                    /* somebody was still recording */
    uint64_t records;             /* intact */
    uint64_t lost;                /* dropped or overwritten by the recorder */
    uint64_t damaged;             /* records, blocks and names that could not be read */
    uint64_t first_ns, last_ns;
};

struct trace_thread {
    uint8_t node, thread;
    char name[16], node_name[16]; /* printable ASCII, may be empty */
    uint64_t records;
};

struct trace_object {
    uint8_t class_; /* enum trace_object_class, or anything */
    uint8_t node;
    uint32_t parent;  /* object id or 0 */
    const char *name; /* printable ASCII; NULL: no such object */
};

/* 0, or a negative errno with a sentence in `why` (size >= 200 is enough). */
int trace_reader_open(const char *path, struct trace_reader **ret, char *why, size_t size);
/* The same for a file in memory, which is copied. */
int trace_reader_open_bytes(const void *data, size_t len, struct trace_reader **ret,
                            char *why, size_t size);
void trace_reader_close(struct trace_reader *reader); /* NULL is fine */

const struct trace_info *trace_reader_info(const struct trace_reader *reader);

/* How many intact records, and the i-th of them. */
size_t trace_reader_count(const struct trace_reader *reader);
const struct trace_record *trace_reader_record(const struct trace_reader *reader, size_t i);
/* The event id of a record got from this reader. */
uint64_t trace_reader_id(const struct trace_reader *reader,
                         const struct trace_record *record);
/* The record with that id (what `cause` holds); NULL: not in the trace. */
const struct trace_record *trace_reader_find(const struct trace_reader *reader,
                                             uint64_t id);

/* Threads that have records, ordered by (node, thread). */
size_t trace_reader_threads(const struct trace_reader *reader);
const struct trace_thread *trace_reader_thread(const struct trace_reader *reader, size_t i);
/* The place of that thread in the list, or the number of threads. */
size_t trace_reader_thread_of(const struct trace_reader *reader, uint8_t node,
                              uint8_t thread);

/* The text of a string id: "" for 0, "?" if the trace does not have it. */
const char *trace_reader_string(const struct trace_reader *reader, uint32_t id);
/* NULL if the trace does not have it. */
const struct trace_object *trace_reader_object(const struct trace_reader *reader,
                                               uint32_t id);

#endif
