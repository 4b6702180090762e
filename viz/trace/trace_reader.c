/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_reader.c: from bytes to records, in three steps:
 *
 *   1 scan   every block on its own; a record with a good crc is believed before the block
 *            header, which has none
 *   2 order  blocks by (node, thread, first seq); their records in a row make few long runs
 *            that are already ordered
 *   3 merge  the runs, with a heap: O(n log runs) (trace_merge.c)
 *
 * One block is read in trace_block.c, names in trace_names.c.
 */
#include "viz/trace/trace_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/trace_points.h"
#include "engine/util.h"
#include "viz/trace/trace_private.h"

/* Slots are numbered in 32 bits. */
#define FILE_BYTES_MAX (1ULL << 38)

static int refuse(char *why, size_t size, int rc, const char *text)
{
    snprintf(why, size, "%s", text);
    return rc;
}

/* ---- the header ------------------------------------------------------------------- */

/* FNV-1a over names and formats of the first n points: what the recorder stored. */
static uint64_t points_hash(size_t n)
{
    static const char *const texts[][2] = {
#define X(id, name, layer, step, cls, fmt) {name, fmt},
        TRACE_POINTS(X)
#undef X
    };
    uint64_t hash = 0xcbf29ce484222325ULL;

    for (size_t i = 0; i < 2 * n; i++) {
        const char *p = texts[i / 2][i % 2];

        do {
            hash = (hash ^ (uint8_t)*p) * 0x100000001b3ULL;
        } while (*p++ != '\0');
    }
    return hash;
}

/* Can this program read that file at all? */
static int check_header(const struct trace_file_header *header, size_t len, char *why,
                        size_t size)
{
    if (len == 0) {
        return refuse(why, size, -EINVAL, "the file is empty");
    }
    if (len < sizeof(header->magic) || header->magic != TRACE_MAGIC) {
        return refuse(why, size, -EINVAL, "this is not a msgrlab trace");
    }
    if (len < TRACE_HEADER_BYTES) {
        return refuse(why, size, -EINVAL, "the trace is cut within its header");
    }
    if (header->major != TRACE_MAJOR) {
        snprintf(why, size, "the trace has format %u.%u, this program reads %u.x",
                 header->major, header->minor, TRACE_MAJOR);
        return -EPROTONOSUPPORT;
    }
    if (header->record_bytes != sizeof(struct trace_record) ||
        header->block_bytes != TRACE_BLOCK_BYTES) {
        return refuse(why, size, -EINVAL, "the header of the trace is damaged");
    }
    /* A newer writer knows more kinds; an older one knows a prefix of ours. */
    if (header->kinds < TP_COUNT && header->kinds_hash != points_hash(header->kinds)) {
        snprintf(
            why, size,
            "the trace was recorded by a version with other trace points (%.63s); show it "
            "with that one",
            header->program);
        trace_sanitise(why, size);
        return -EPROTONOSUPPORT;
    }
    if (len > FILE_BYTES_MAX) {
        return refuse(why, size, -EFBIG, "the trace is larger than 256 GiB");
    }
    return 0;
}

static void read_info(struct trace_reader *reader)
{
    const struct trace_file_header *header = (const void *)reader->map;
    struct trace_info *info = &reader->info;

    memcpy(info->program, header->program, sizeof(info->program));
    memcpy(info->title, header->title, sizeof(info->title));
    trace_sanitise(info->program, sizeof(info->program));
    trace_sanitise(info->title, sizeof(info->title));
    info->created_ns = header->created_ns;
    info->ring = header->mode == TRACE_RING;
    info->clean = header->clean == 1;
    info->lost = header->lost;
    reader->salt = header->salt;
}

/* ---- scanning --------------------------------------------------------------------- */

static void keep_thread(struct trace_reader *reader, const struct trace_block *block,
                        const struct trace_block_header *header)
{
    uint16_t *place = &reader->thread_at[block->node << 8 | block->thread];

    if (*place == 0) {
        struct trace_thread *thread = &reader->threads[reader->n_threads];

        thread->node = block->node;
        thread->thread = block->thread;
        memcpy(thread->name, header->thread_name, sizeof(thread->name));
        memcpy(thread->node_name, header->node_name, sizeof(thread->node_name));
        trace_sanitise(thread->name, sizeof(thread->name));
        trace_sanitise(thread->node_name, sizeof(thread->node_name));
        *place = (uint16_t)++reader->n_threads;
    }
    reader->threads[*place - 1].records += block->intact;
}

/* What kind of block is this? The type may be damaged, so the content has a say. */
static int scan_block(struct trace_reader *reader, uint32_t number, size_t avail)
{
    size_t offset = TRACE_HEADER_BYTES + (size_t)number * TRACE_BLOCK_BYTES;
    struct trace_block_header *header = (struct trace_block_header *)(reader->map + offset);
    uint32_t room = (uint32_t)(avail / sizeof(struct trace_record) - 1);
    bool looks_recorded =
        room > 0 && trace_is_intact(reader, (const struct trace_record *)(header + 1));

    if (header->type == TRACE_BLOCK_RECORDS || looks_recorded) {
        struct trace_block *block = &reader->blocks[reader->n_blocks];

        block->number = number;
        trace_scan_records(reader, block, header, room);
        if (block->intact > 0) {
            reader->n_blocks++;
            reader->info.records += block->intact;
        } else {
            *block = (struct trace_block){0};
        }
        if (header->type != TRACE_BLOCK_RECORDS) {
            reader->info.damaged++;
        }
    } else if (header->type == TRACE_BLOCK_NAMES ||
               (header->used != 0 && trace_names_plausible(header, avail))) {
        reader->info.damaged += header->type != TRACE_BLOCK_NAMES;
        return trace_names_scan(reader, header, avail);
    } else if (header->type != TRACE_BLOCK_FREE || header->used != 0) {
        reader->info.damaged++;
    }
    return 0;
}

static int scan_file(struct trace_reader *reader)
{
    size_t behind = reader->len - TRACE_HEADER_BYTES;
    size_t n = (behind + TRACE_BLOCK_BYTES - 1) / TRACE_BLOCK_BYTES;
    int rc = 0;

    reader->blocks = calloc(n + 1, sizeof(*reader->blocks));
    reader->block_at = calloc(n + 1, sizeof(*reader->block_at));
    reader->thread_at = calloc(65536, sizeof(*reader->thread_at));
    reader->threads = calloc(MIN(n, 65535) + 1, sizeof(*reader->threads));
    if (!reader->blocks || !reader->block_at || !reader->thread_at || !reader->threads) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < n && rc == 0; i++) {
        size_t avail = MIN(behind - i * TRACE_BLOCK_BYTES, (size_t)TRACE_BLOCK_BYTES);

        if (avail >= sizeof(struct trace_block_header)) {
            rc = scan_block(reader, (uint32_t)i, avail);
        }
    }
    trace_names_check(reader);
    qsort(reader->blocks, reader->n_blocks, sizeof(*reader->blocks), trace_compare_blocks);
    for (size_t i = 0; i < reader->n_blocks; i++) {
        const struct trace_block *block = &reader->blocks[i];

        reader->block_at[block->number] = (uint32_t)i;
        keep_thread(reader, block,
                    (const void *)(reader->map + TRACE_HEADER_BYTES +
                                   (size_t)block->number * TRACE_BLOCK_BYTES));
    }
    return rc;
}

/* ---- opening ---------------------------------------------------------------------- */

/* The map is filled: takes it over, also on failure. */
static int read_map(uint8_t *map, size_t len, bool live, struct trace_reader **ret,
                    char *why, size_t size)
{
    struct trace_reader *reader = calloc(1, sizeof(*reader));
    int rc;

    if (reader == NULL) {
        munmap(map, len);
        return refuse(why, size, -ENOMEM, "out of memory");
    }
    reader->map = map;
    reader->len = len;
    reader->info.live = live;
    rc = check_header((const void *)map, len, why, size);
    if (rc == 0) {
        read_info(reader);
        rc = scan_file(reader);
        rc = rc ? rc : trace_merge(reader);
        if (rc < 0) {
            refuse(why, size, rc, "out of memory");
        }
    }
    if (rc < 0) {
        trace_reader_close(reader);
        return rc;
    }
    if (reader->info.records > 0) {
        reader->info.first_ns = trace_reader_record(reader, 0)->ts;
        reader->info.last_ns = trace_reader_record(reader, reader->info.records - 1)->ts;
    }
    *ret = reader;
    return 0;
}

/* Anonymous memory for `len` bytes, of which the first header is always readable. */
static uint8_t *new_map(size_t len)
{
    uint8_t *map =
        mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return map == MAP_FAILED ? NULL : map;
}

static void shorten_map(uint8_t *map, size_t from, size_t to)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t keep = (to + page - 1) / page * page, had = (from + page - 1) / page * page;

    if (keep < had) {
        munmap(map + keep, had - keep);
    }
}

/* Bytes that are there; fewer than `len` if the file is cut meanwhile. Or -errno. */
static ssize_t read_all(int fd, uint8_t *to, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pread(fd, to + done, len - done, (off_t)done);

        if (n < 0) {
            return -errno;
        }
        if (n == 0) {
            break;
        }
        done += (size_t)n;
    }
    return (ssize_t)done;
}

/* Copies the file, of `*len` bytes or what is left of them, and reads that: nobody can cut
 * it under us. A shared lock keeps a recorder from emptying it meanwhile. */
static int read_file(int fd, size_t len, struct trace_reader **ret, char *why, size_t size)
{
    bool live = flock(fd, LOCK_SH | LOCK_NB) < 0;
    uint8_t *map = new_map(len);
    ssize_t got;

    if (map == NULL) {
        return refuse(why, size, -ENOMEM, "out of memory");
    }
    got = read_all(fd, map, len);
    if (got <= 0) {
        munmap(map, len);
        return got == 0 ? refuse(why, size, -EINVAL, "the file is empty")
                        : refuse(why, size, (int)got, strerror((int)-got));
    }
    shorten_map(map, len, (size_t)got);
    return read_map(map, (size_t)got, live, ret, why, size);
}

int trace_reader_open(const char *path, struct trace_reader **ret, char *why, size_t size)
{
    struct stat st;
    int rc;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &st) < 0) {
        rc = -errno;
        snprintf(why, size, "%s", strerror(-rc));
    } else if (!S_ISREG(st.st_mode)) {
        rc = refuse(why, size, -EINVAL, "not a regular file");
    } else if (st.st_size == 0) {
        rc = refuse(why, size, -EINVAL, "the file is empty");
    } else {
        rc = read_file(fd, (size_t)st.st_size, ret, why, size);
    }
    /* The lock goes with the descriptor, so the reader keeps it. */
    if (rc == 0) {
        (*ret)->fd = fd;
    } else if (fd >= 0) {
        close(fd);
    }
    return rc;
}

int trace_reader_open_bytes(const void *data, size_t len, struct trace_reader **ret,
                            char *why, size_t size)
{
    uint8_t *map = new_map(len ? len : 1);
    int rc;

    if (map == NULL) {
        return refuse(why, size, -ENOMEM, "out of memory");
    }
    if (len > 0) {
        memcpy(map, data, len);
    }
    rc = read_map(map, len, false, ret, why, size);
    if (rc == 0) {
        (*ret)->fd = -1;
    }
    return rc;
}

void trace_reader_close(struct trace_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    munmap(reader->map, MAX(reader->len, 1));
    if (reader->fd >= 0) {
        close(reader->fd);
    }
    free(reader->blocks);
    free(reader->block_at);
    free(reader->thread_at);
    free(reader->threads);
    free(reader->order);
    free(reader->strings);
    free(reader->objects);
    free(reader);
}

/* ---- asking ----------------------------------------------------------------------- */

const struct trace_info *trace_reader_info(const struct trace_reader *reader)
{
    return &reader->info;
}

size_t trace_reader_count(const struct trace_reader *reader)
{
    return reader->info.records;
}

const struct trace_record *trace_reader_record(const struct trace_reader *reader, size_t i)
{
    CHECK(i < reader->info.records);
    return trace_at_slot(reader, reader->order[i]);
}

uint64_t trace_reader_id(const struct trace_reader *reader,
                         const struct trace_record *record)
{
    uint32_t slot = trace_slot_of(reader, record);
    const struct trace_block *block =
        &reader->blocks[reader->block_at[slot / TRACE_SLOTS_PER_BLOCK]];
    uint64_t seq = block->first_seq + slot % TRACE_SLOTS_PER_BLOCK - 1;

    return (uint64_t)block->node << 56 | (uint64_t)block->thread << 48 |
           (seq & TRACE_SEQ_MAX);
}

const struct trace_record *trace_reader_find(const struct trace_reader *reader, uint64_t id)
{
    struct trace_block key = {.node = (uint8_t)(id >> 56),
                              .thread = (uint8_t)(id >> 48),
                              .first_seq = id & TRACE_SEQ_MAX,
                              .number = UINT32_MAX};
    size_t low = 0, high = reader->n_blocks;
    const struct trace_block *block;
    const struct trace_record *record;
    uint64_t i;

    /* The last block that is not behind the id. */
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (trace_compare_blocks(&reader->blocks[middle], &key) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (id == 0 || low == 0) {
        return NULL;
    }
    block = &reader->blocks[low - 1];
    i = key.first_seq - block->first_seq;
    if (block->node != key.node || block->thread != key.thread || i >= block->records) {
        return NULL;
    }
    record = trace_at_slot(reader, block->number * TRACE_SLOTS_PER_BLOCK + 1 + (uint32_t)i);
    return block->intact == block->records || trace_is_intact(reader, record) ? record
                                                                              : NULL;
}

size_t trace_reader_threads(const struct trace_reader *reader)
{
    return reader->n_threads;
}

const struct trace_thread *trace_reader_thread(const struct trace_reader *reader, size_t i)
{
    CHECK(i < reader->n_threads);
    return &reader->threads[i];
}

size_t trace_reader_thread_of(const struct trace_reader *reader, uint8_t node,
                              uint8_t thread)
{
    uint16_t place = reader->thread_at[node << 8 | thread];

    return place == 0 ? reader->n_threads : (size_t)place - 1;
}
