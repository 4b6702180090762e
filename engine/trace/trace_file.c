/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_file.c: the recorder's file: opening, growing, what became of it, closing.
 *
 * The file is mapped once, as long as it may ever become; what is behind its end is only
 * address space. It grows by posix_fallocate, so a full disk is an error code here and not
 * a SIGBUS at a store. Somebody else may cut the file all the same (": > x.trace"): then
 * the page at which a store fails becomes memory (trace_rescue), and from there on nothing
 * goes to the file.
 *
 * Without a file (only the hook), the map is memory of nobody else and holds names only.
 */
#include "engine/trace/trace_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/base/crc32c.h"
#include "engine/util.h"

#ifndef MSGRLAB_VERSION
#define MSGRLAB_VERSION "unknown"
#endif

#define GROW_BYTES (1ULL << 20)
#define STREAM_BYTES_DEFAULT (4ULL << 30)
#define RING_BYTES_DEFAULT (64ULL << 20)
/* After the disk refused, ask it again only once per so many lost records. */
#define RETRY_RECORDS 4096

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the file is little-endian");
_Static_assert((TRACE_BLOCK_BYTES & (TRACE_BLOCK_BYTES - 1)) == 0, "blocks align");

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* Spins shortly, then lets the holder run. In the simulator it is never held by another. */
void trace_take_lock(struct trace *trace, struct os *os)
{
    int spins = 0;

    while (!spin_try(&trace->busy)) {
        if (++spins % 256 == 0) {
            os_sleep_ns(os, 20 * NSEC_PER_USEC);
        }
    }
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

static void fill_header(struct trace_file_header *header, const struct trace_opts *opts)
{
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

/* Not through the map: nobody watches over this trace yet. 0 or -errno. */
static int write_header(struct trace *trace, const struct trace_opts *opts)
{
    struct trace_file_header header = {0};

    fill_header(&header, opts);
    trace->salt = header.salt;
    if (trace->fd < 0) {
        *trace_header(trace) = header;
        return 0;
    }
    return pwrite(trace->fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header) ? 0
                                                                                    : -EIO;
}

/* Somebody else made the file shorter than we have it, or wrote over its beginning. */
static bool is_cut(const struct trace *trace)
{
    struct stat st;

    return trace->bytes_used > 0 &&
           (fstat(trace->fd, &st) < 0 || (uint64_t)st.st_size < trace->bytes_file ||
            ((const struct trace_file_header *)trace->map)->magic != TRACE_MAGIC);
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
    if (is_cut(trace)) { /* to grow would hide it, behind zeros */
        trace->to_file = false;
        return -ESTALE;
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
    rc = write_header(trace, opts);
    if (rc < 0) {
        *ret_why = "cannot write the trace file";
        return rc;
    }
    trace->bytes_used = TRACE_HEADER_BYTES;
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
    spin_init(&trace->busy);
    trace->bytes_max =
        bytes - (bytes - TRACE_HEADER_BYTES) % TRACE_BLOCK_BYTES; /* whole blocks */
    trace->on_record = opts->on_record;
    trace->on_record_arg = opts->arg;
    trace->fd = path != NULL ? open_file(path, ret_why) : -1;
    trace->to_file = trace->fd >= 0;
    rc = path != NULL && trace->fd < 0 ? trace->fd : map_file(trace, opts, ret_why);
    if (rc < 0) {
        trace_close(trace);
        return rc;
    }
    *ret = trace;
    return 0;
}

int trace_error(const struct trace *trace)
{
    if (trace->fd >= 0 && is_cut(trace)) {
        return -ESTALE;
    }
    return trace->error != 0 || trace->fd < 0 || trace->to_file ? trace->error : -EIO;
}

const char *trace_error_text(int error)
{
    return error == -ESTALE ? "somebody else cut the file, or wrote over it, while it was "
                              "recorded"
                            : strerror(-error);
}

/* The call itself: who watches memory with a sanitizer must not take it for a store that
 * races with those of other threads. */
static bool make_page(void *page)
{
#ifdef SYS_mmap
    long got = syscall(SYS_mmap, page, page_bytes(), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    return got == (long)page;
#else
    return mmap(page, page_bytes(), PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
#endif
}

bool trace_rescue(struct trace *trace, const void *address)
{
    uintptr_t page = (uintptr_t)address / page_bytes() * page_bytes();
    uintptr_t map = (uintptr_t)trace->map;

    if (trace->fd < 0 || page < map || page >= map + trace->bytes_max) {
        return false;
    }
    trace->to_file = false;
    return make_page((void *)page);
}

/* Cuts the file to what was used, unless it is not ours any more. 0 or -errno. */
static int finish_file(struct trace *trace)
{
    int rc = trace_error(trace);

    if (trace->bytes_used == 0 || rc == -ESTALE) {
        return rc;
    }
    trace_header(trace)->clean = 1;
    if (ftruncate(trace->fd, (off_t)trace->bytes_used) < 0 && rc == 0) {
        rc = -EIO;
    }
    return rc;
}

int trace_close(struct trace *trace)
{
    int rc = 0;

    if (trace == NULL) {
        return 0;
    }
    if (trace->fd >= 0) {
        rc = finish_file(trace);
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
    for (uint32_t i = 0; i < trace->table_size; i++) {
        free(trace->table[i]);
    }
    free(trace->table);
    free(trace);
    return rc;
}

uint64_t trace_lost(struct trace *trace)
{
    return __atomic_load_n(&trace_header(trace)->lost, __ATOMIC_RELAXED);
}

/* ---- blocks ----------------------------------------------------------------------- */

struct trace_block_header *trace_take_block(struct trace *trace, uint64_t limit)
{
    uint64_t end = trace->bytes_used + TRACE_BLOCK_BYTES;
    struct trace_block_header *block;
    int rc;

    if (end > limit || (trace->fd >= 0 && !trace->to_file) ||
        (trace->retry_lost != 0 && trace_lost(trace) < trace->retry_lost)) {
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

struct trace_block_header *trace_take_names(struct trace *trace)
{
    struct trace_block_header *block = trace_take_block(trace, trace->bytes_max);

    if (block != NULL || trace->bytes_used + TRACE_BLOCK_BYTES > trace->bytes_max) {
        return block;
    }
    block = mmap(trace->map + trace->bytes_used, TRACE_BLOCK_BYTES, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (block == MAP_FAILED) {
        return NULL;
    }
    trace->bytes_used += TRACE_BLOCK_BYTES;
    return block;
}
