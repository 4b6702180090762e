/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.c: the recorder's file, blocks and records. Names are in trace_names.c.
 *
 * The file is mapped once, as long as it may ever become; what is behind its end is only
 * address space. It grows by posix_fallocate, so a full disk is an error code here and
 * never a SIGBUS at a store. Space is handed out in blocks:
 *
 *   struct trace ----> map: | header | a.worker-0 | names | a.worker-1 | a.worker-0 | ...
 *        |                               ^                                  ^
 *        '--> rings (one per thread) ----'--- block being filled -----------'
 *
 * A thread fills its own block without a lock. Taking a block and appending a name happen
 * under one spin flag, which is held for no call into the os table, since in the simulator
 * those may switch threads.
 *
 * Lost records never fail the caller. They are counted in the file header (all of them) and
 * in `lost_before` of the thread's next block. In a ring, overwritten records are lost
 * ones.
 *
 * Without a file (only the hook), the map is memory of nobody else and holds names only.
 *
 * An os records into one trace only: its threads keep their ring until trace_close.
 */
#include "engine/trace/trace_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/crc32c.h"
#include "engine/util.h"

#ifndef MSGRLAB_VERSION
#define MSGRLAB_VERSION "unknown"
#endif

#define GROW_BYTES (1ULL << 20)
#define STREAM_BYTES_DEFAULT (4ULL << 30)
#define RING_BYTES_DEFAULT (64ULL << 20)
/* In a ring, this part of the file is kept for names and for threads that start late. */
#define RING_RESERVE(bytes) ((bytes) / 8)
/* After the disk refused, ask it again only once per so many lost records. */
#define RETRY_RECORDS 4096

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the file is little-endian");
_Static_assert((TRACE_BLOCK_BYTES & (TRACE_BLOCK_BYTES - 1)) == 0, "blocks align");

static struct trace_file_header *header_of(struct trace *trace)
{
    return (struct trace_file_header *)trace->map;
}

static void lose(struct trace *trace, uint64_t n)
{
    __atomic_fetch_add(&header_of(trace)->lost, n, __ATOMIC_RELAXED);
}

/* Spins shortly, then lets the holder run. In the simulator it is never held by another. */
void trace_take_flag(struct trace *trace, struct os *os)
{
    int spins = 0;

    while (atomic_flag_test_and_set_explicit(&trace->busy, memory_order_acquire)) {
        if (++spins % 256 == 0) {
            os_sleep_ns(os, 20 * NSEC_PER_USEC);
        }
    }
}

void trace_drop_flag(struct trace *trace)
{
    atomic_flag_clear_explicit(&trace->busy, memory_order_release);
}

/* What a name may look like in a file that other programs will print. */
size_t trace_copy_text(char *to, const char *from, size_t max)
{
    size_t n = 0;

    for (; n < max && from[n] != '\0'; n++) {
        to[n] = from[n] >= ' ' && from[n] <= '~' ? from[n] : '?';
    }
    to[n] = '\0';
    return n;
}

/* ---- opening and closing ---------------------------------------------------------- */

/* FNV-1a over the names and formats of the list, so that a reader knows its own kind. */
static uint64_t kinds_hash(void)
{
    static const char *const texts[] = {
#define X(id, name, layer, step, cls, fmt) name, fmt,
        TRACE_POINTS(X)
#undef X
    };
    uint64_t hash = 0xcbf29ce484222325ULL;

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        for (const char *p = texts[i];; p++) {
            hash = (hash ^ (uint8_t)*p) * 0x100000001b3ULL;
            if (*p == '\0') {
                break;
            }
        }
    }
    return hash;
}

static void write_header(struct trace *trace, const struct trace_opts *opts)
{
    struct trace_file_header *header = header_of(trace);

    header->major = TRACE_MAJOR;
    header->minor = TRACE_MINOR;
    header->record_bytes = sizeof(struct trace_record);
    header->kinds = TP_COUNT - 1;
    header->block_bytes = TRACE_BLOCK_BYTES;
    /* Not 0: a hole in the file must not look like records with a good crc. */
    header->salt = crc32c(~0u, &opts->created_ns, sizeof(opts->created_ns)) | 1;
    header->mode = opts->mode;
    header->kinds_hash = kinds_hash();
    header->created_ns = opts->created_ns;
    trace_copy_text(header->program, "msgrlab " MSGRLAB_VERSION,
                    sizeof(header->program) - 1);
    trace_copy_text(header->title, opts->title ? opts->title : "",
                    sizeof(header->title) - 1);
    header->magic = TRACE_MAGIC;
}

/* Makes the file at least `bytes` long. The disk may refuse a generous step and still have
 * room for one block. */
static int grow_to(struct trace *trace, uint64_t bytes)
{
    uint64_t step = MIN(trace->bytes_file + GROW_BYTES, trace->bytes_max);
    int rc;

    if (bytes <= trace->bytes_file) {
        return 0;
    }
    if (trace->fd < 0) { /* a page comes into being when it is touched */
        trace->bytes_file = trace->bytes_max;
        return 0;
    }
    rc = posix_fallocate(trace->fd, 0, (off_t)MAX(step, bytes));
    if (rc == 0) {
        trace->bytes_file = MAX(step, bytes);
        return 0;
    }
    rc = posix_fallocate(trace->fd, 0, (off_t)bytes);
    if (rc == 0) {
        trace->bytes_file = bytes;
    }
    return -rc;
}

/* The file, empty and ours alone. */
static int open_file(const char *path, const char **ret_why)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644);
    int rc;

    if (fd < 0) {
        *ret_why = "cannot create the trace file";
        return -errno;
    }
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        *ret_why = "the trace must be a regular file";
        rc = -EINVAL;
    } else if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        *ret_why = "the trace file is in use by another program";
        rc = -EBUSY;
    } else if (ftruncate(fd, 0) < 0) {
        *ret_why = "cannot empty the trace file";
        rc = -errno;
    } else {
        return fd;
    }
    close(fd);
    return rc;
}

/* Maps the file and writes the header. On failure trace_close cleans up. */
static int map_file(struct trace *trace, const struct trace_opts *opts,
                    const char **ret_why)
{
    int flags = MAP_NORESERVE | (trace->fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);
    void *map;
    int rc;

    map = mmap(NULL, trace->bytes_max, PROT_READ | PROT_WRITE, flags, trace->fd, 0);
    if (map == MAP_FAILED) {
        *ret_why = "no address space for the trace: choose a smaller maximum";
        return -errno;
    }
    trace->map = map;
    /* Reading ahead of where we write would fetch pages that hold nothing yet. */
    madvise(map, trace->bytes_max, MADV_RANDOM);
    rc = grow_to(trace, TRACE_HEADER_BYTES + TRACE_BLOCK_BYTES);
    if (rc < 0) {
        *ret_why = "no room on the disk for the trace file";
        return rc;
    }
    if (opts->mode == TRACE_RING) {
        trace->circle = calloc(trace->bytes_max / TRACE_BLOCK_BYTES, sizeof(uint32_t));
        if (trace->circle == NULL) {
            *ret_why = "out of memory";
            return -ENOMEM;
        }
    }
    trace->bytes_used = TRACE_HEADER_BYTES;
    write_header(trace, opts);
    return 0;
}

int trace_open(const char *path, const struct trace_opts *opts, struct trace **ret,
               const char **ret_why)
{
    struct trace *trace;
    uint64_t bytes;
    int rc;

    if (opts == NULL || (opts->mode != TRACE_STREAM && opts->mode != TRACE_RING) ||
        (path == NULL && opts->on_record == NULL)) {
        *ret_why = "a trace needs a mode, and a path or a hook";
        return -EINVAL;
    }
    bytes = opts->bytes_max;
    if (bytes == 0) {
        bytes = opts->mode == TRACE_RING || path == NULL ? RING_BYTES_DEFAULT
                                                         : STREAM_BYTES_DEFAULT;
    }
    if (bytes < TRACE_HEADER_BYTES + 2 * TRACE_BLOCK_BYTES) {
        *ret_why = "the maximum size of a trace is at least 136 KiB";
        return -EINVAL;
    }
    trace = calloc(1, sizeof(*trace));
    if (trace == NULL) {
        *ret_why = "out of memory";
        return -ENOMEM;
    }
    atomic_flag_clear(&trace->busy);
    trace->bytes_max =
        bytes - (bytes - TRACE_HEADER_BYTES) % TRACE_BLOCK_BYTES; /* whole blocks */
    trace->on_record = opts->on_record;
    trace->on_record_arg = opts->arg;
    trace->fd = path != NULL ? open_file(path, ret_why) : -1;
    rc = path != NULL && trace->fd < 0 ? trace->fd : map_file(trace, opts, ret_why);
    if (rc < 0) {
        trace_close(trace);
        return rc;
    }
    *ret = trace;
    return 0;
}

int trace_close(struct trace *trace)
{
    int rc;

    if (trace == NULL) {
        return 0;
    }
    rc = trace->error;
    if (trace->bytes_used > 0) {
        header_of(trace)->clean = 1;
        if (trace->fd >= 0 && ftruncate(trace->fd, (off_t)trace->bytes_used) < 0 &&
            rc == 0) {
            rc = -EIO;
        }
    }
    if (trace->map != NULL) {
        munmap(trace->map, trace->bytes_max);
    }
    if (trace->fd >= 0) {
        close(trace->fd);
    }
    while (trace->rings != NULL) {
        struct trace_ring *ring = trace->rings;

        trace->rings = ring->next;
        free(ring);
    }
    free(trace->circle);
    free(trace->table);
    free(trace);
    return rc;
}

uint64_t trace_lost(struct trace *trace)
{
    return __atomic_load_n(&header_of(trace)->lost, __ATOMIC_RELAXED);
}

/* ---- blocks ----------------------------------------------------------------------- */

struct trace_block_header *trace_take_block(struct trace *trace, uint64_t limit)
{
    uint64_t end = trace->bytes_used + TRACE_BLOCK_BYTES;
    struct trace_block_header *block;
    int rc;

    if (end > limit || (trace->retry_lost != 0 && trace_lost(trace) < trace->retry_lost)) {
        return NULL;
    }
    rc = grow_to(trace, end);
    if (rc < 0) {
        trace->error = trace->error ? trace->error : rc;
        trace->retry_lost = trace_lost(trace) + RETRY_RECORDS;
        return NULL;
    }
    trace->retry_lost = 0;
    block = (struct trace_block_header *)(trace->map + trace->bytes_used);
    trace->bytes_used = end;
    return block;
}

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
    lose(trace, records);
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
    trace_take_flag(trace, os);
    block = trace_take_block(trace, limit);
    trace_drop_flag(trace);
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
    trace_take_flag(trace, os);
    if (trace->threads[os->node] < TRACE_THREADS_MAX) {
        ring->thread = ++trace->threads[os->node];
        ring->next = trace->rings;
        trace->rings = ring;
    }
    trace_drop_flag(trace);
    if (ring->thread == 0) {
        free(ring);
        return NULL;
    }
    self->ring = ring;
    tell_thread(trace, ring);
    return ring;
}

/* ---- records ---------------------------------------------------------------------- */

/* Where the next record goes: the file, or `spare` when only the hook will see it; NULL:
 * nobody will. */
static struct trace_record *next_place(struct trace *trace, struct trace_ring *ring,
                                       struct os *os, struct trace_record *spare)
{
    if (trace->fd < 0) {
        return spare;
    }
    if ((ring->block == NULL || ring->used == TRACE_BLOCK_ROOM) &&
        !next_block(trace, ring, os)) {
        ring->lost++;
        lose(trace, 1);
        return trace->on_record != NULL ? spare : NULL;
    }
    return (struct trace_record *)((uint8_t *)(ring->block + 1) + ring->used);
}

/* The record is complete; in a file, whoever reads may see it from now on. */
static void publish(struct trace *trace, struct trace_ring *ring,
                    struct trace_record *record, bool in_file)
{
    ring->seq++;
    if (in_file) {
        record->crc =
            crc32c(header_of(trace)->salt, record, offsetof(struct trace_record, crc));
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
    struct trace_ring *ring;
    struct trace_record *record, spare;
    uint64_t now, id;

    CHECK(kind > TP_NONE && kind < TP_COUNT);
    if (trace == NULL) {
        return 0;
    }
    now = os_monotonic_ns(os);
    ring = ring_of(trace, os);
    if (ring == NULL) {
        lose(trace, 1);
        return 0;
    }
    record = next_place(trace, ring, os, &spare);
    if (record == NULL) {
        return 0;
    }
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
    publish(trace, ring, record, record != &spare);
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
