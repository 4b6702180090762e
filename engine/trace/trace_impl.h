/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_impl.h: the recorder's inside, for trace_file.c, trace.c (blocks, records) and
 * trace_names.c (strings and objects). Nobody else includes it.
 */
#ifndef MSGRLAB_ENGINE_TRACE_TRACE_IMPL_H
#define MSGRLAB_ENGINE_TRACE_TRACE_IMPL_H

#include "engine/base/spin.h"
#include "engine/trace.h"

#define TRACE_BLOCK_ROOM (TRACE_BLOCK_BYTES - sizeof(struct trace_block_header))
#define TRACE_THREADS_MAX 255 /* per node; also the highest number of a node */

/* A string that was given an id. Ours: what is in the file may become somebody else's. */
struct trace_known {
    uint32_t id, hash;
    char text[];
};

/* What one thread records into. Only that thread touches it until trace_close. */
struct trace_ring {
    struct trace_ring *next;          /* owned by the trace */
    struct trace_block_header *block; /* in the map; NULL: none yet */
    uint64_t seq;                     /* of the next record; counts from 1 */
    uint64_t lost;                    /* records of this thread */
    uint64_t context;                 /* default cause */
    uint32_t used;                    /* bytes in block */
    uint8_t node, thread;
    char thread_name[16], node_name[16];
};

struct trace {
    int fd;               /* -1: no file, only the hook */
    _Atomic bool to_file; /* there is a file, and it was not cut */
    uint8_t *map;         /* bytes_max of address space */
    uint64_t bytes_max;   /* whole blocks behind the header */
    uint32_t salt;        /* as in the header */
    /* Ring mode: the blocks of a thread form a circle in the order they were filled; this
     * is the number of the next, by number. NULL when streaming. Owned. */
    uint32_t *circle;
    trace_record_fn on_record; /* NULL: nobody looks on */
    void *on_record_arg;
    struct spin busy;    /* guards what follows */
    uint64_t bytes_file; /* backed by the disk */
    uint64_t bytes_used; /* handed out */
    uint64_t retry_lost; /* when to try growing again */
    int error;           /* first refusal of the disk */
    struct trace_ring *rings;
    uint8_t threads[TRACE_THREADS_MAX + 1]; /* given out, by node */
    struct trace_block_header *names;       /* being filled */
    uint32_t names_used;                    /* bytes in that one */
    uint32_t strings, objects;              /* ids given out */
    struct trace_known **table; /* owned: open addressing, by hash of the text */
    uint32_t table_size;        /* a power of two, or 0 */
};

static inline struct trace_file_header *trace_header(struct trace *trace)
{
    return (struct trace_file_header *)trace->map;
}

static inline void trace_lose(struct trace *trace, uint64_t n)
{
    __atomic_fetch_add(&trace_header(trace)->lost, n, __ATOMIC_RELAXED);
}

/* Takes `busy`. No call into the os table while it is held. */
void trace_take_lock(struct trace *trace, struct os *os);
/* The next block of the file, zeroed; NULL if the file may not or cannot grow. Under the
 * lock. `limit`: how much of the file the caller may use. */
struct trace_block_header *trace_take_block(struct trace *trace, uint64_t limit);
/* One for names, which whoever looks on needs also when the file cannot have them: then it
 * is memory in its place. NULL: the trace is as large as it may become, or no memory. */
struct trace_block_header *trace_take_names(struct trace *trace);
/* Copies at most `max` bytes, printable ASCII, and a NUL; returns how many. */
size_t trace_copy_text(char *to, const char *from, size_t max);

#endif
