/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_format.h: the trace file, byte for byte. Shared by the recorder
 * (engine/trace/trace.c) and every reader; contains no code.
 *
 *   +-------------------+ 0
 *   | file header 4 KiB |
 *   +-------------------+ 4096
 *   | block 0           |  TRACE_BLOCK_BYTES each; a block belongs to one (node, thread),
 *   or | block 1           |  holds names (strings and objects) appended by anybody
 *   | ...               |
 *
 * A block is a 64-byte header and 64-byte records, or header and name entries. `used` is
 * stored last (release), so whatever `used` covers is complete: a process that is killed
 * loses nothing that was written, and a file cut anywhere still reads up to the cut. Each
 * record carries its own crc as well, so damage is found where it is. All little-endian.
 */
#ifndef MSGRLAB_ENGINE_TRACE_FORMAT_H
#define MSGRLAB_ENGINE_TRACE_FORMAT_H

#include <assert.h>
#include <stdint.h>

#define TRACE_MAGIC 0x4543415254424c4dULL /* "MLBTRACE" */
#define TRACE_MAJOR 1                     /* readers refuse another major */
#define TRACE_MINOR 0                     /* new kinds only */
#define TRACE_BLOCK_BYTES 65536
#define TRACE_HEADER_BYTES 4096
#define TRACE_RECORDS_PER_BLOCK (TRACE_BLOCK_BYTES / 64 - 1)

struct trace_file_header {
    uint64_t magic;
    uint16_t major, minor;
    uint16_t record_bytes; /* 64; a reader uses the prefix it knows */
    uint16_t kinds;        /* how many trace points the writer knew */
    uint32_t block_bytes;
    uint32_t salt;       /* seed of every record's crc */
    uint32_t mode;       /* enum trace_mode */
    uint32_t clean;      /* 1 after trace_close: nothing was torn */
    uint64_t kinds_hash; /* of the names and formats in trace_points.h */
    uint64_t created_ns; /* wall clock; in no record and in no hash */
    uint64_t lost;       /* records dropped because the file was full */
    char program[64];    /* "msgrlab 0.1.0" */
    char title[256];     /* what was run: the command line or the scenario */
};

enum trace_mode {
    TRACE_STREAM = 0, /* keeps the first records; drops and counts when full */
    TRACE_RING = 1,   /* flight recorder: keeps the last blocks of each thread */
};

enum trace_block_type {
    TRACE_BLOCK_FREE = 0,
    TRACE_BLOCK_RECORDS = 1,
    TRACE_BLOCK_NAMES = 2
};

struct trace_block_header {
    uint32_t type;      /* enum trace_block_type; unknown types are skipped */
    uint32_t used;      /* bytes behind this header that are complete */
    uint64_t first_seq; /* sequence number of the first record (records only) */
    uint8_t node, thread;
    uint8_t pad[6];
    char thread_name[16];
    char node_name[16];
    uint64_t lost_before; /* records of this thread dropped before this block */
};

/* One event. Its id is (node << 56 | thread << 48 | seq); 0 is "none". */
struct trace_record {
    uint64_t ts;    /* ns, the node's monotonic clock */
    uint64_t flow;  /* message identity: node << 48 | n-th message of the node; 0 = none */
    uint64_t cause; /* id of the event that caused this one; 0 = spontaneous */
    uint32_t seq;   /* low 32 bits of the thread's sequence */
    uint16_t kind;  /* enum trace_kind of trace_points.h */
    uint8_t node, thread;
    uint32_t obj; /* object table id; 0 = none */
    int32_t val;  /* length in bytes, or a negative errno */
    uint64_t a0, a1;
    uint32_t aux;
    uint32_t crc; /* crc32c (seed: salt) of the 60 bytes before */
};

/* Entry of a names block; padded to 8 bytes. Ids of strings and of objects count up from 1,
 * each kind for itself. */
struct trace_name {
    uint16_t bytes; /* of this entry, header and padding included */
    uint8_t what;   /* enum trace_name_what */
    uint8_t class_; /* enum trace_object_class, objects only */
    uint32_t id;
    uint32_t parent; /* object id, objects only */
    uint8_t node;
    uint8_t pad[3];
    char text[]; /* NUL-terminated, at most 200 bytes */
};

enum trace_name_what {
    TRACE_NAME_STRING = 1,
    TRACE_NAME_OBJECT = 2,
    /* Never in a file, where block headers say it: `id` is the number of the thread, the
     * text "a.msgr-worker-0". */
    TRACE_NAME_THREAD = 3,
};

enum trace_object_class {
    TRACE_OBJECT_NODE = 1,
    TRACE_OBJECT_CENTER = 2, /* an event center = a worker */
    TRACE_OBJECT_CONN = 3,
    TRACE_OBJECT_LISTENER = 4,
    TRACE_OBJECT_QUEUE = 5, /* the dispatch queue */
    TRACE_OBJECT_THROTTLE = 6,
};

static_assert(sizeof(struct trace_record) == 64, "a record is one cache line");
static_assert(sizeof(struct trace_block_header) == 64, "so is a block header");

#endif
