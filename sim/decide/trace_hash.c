/* SPDX-License-Identifier: Apache-2.0 */
/* trace_hash.c: two 64-bit halves; each step multiplies both with 16 bytes of input. */
#include "sim/decide/trace_hash.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"

/* ---- the function ------------------------------------------------------------------ */

void trace_hash_init(struct trace_hash *h)
{
    *h = (struct trace_hash){.high = 0x6d73677268617368ULL, .low = 0x7472616365313238ULL};
}

/* Both halves of the product: every bit of the result hangs on every bit of both. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static void add_words(struct trace_hash *h, uint64_t first, uint64_t second)
{
    uint64_t high = h->high;

    h->high = fold(high ^ first, second ^ 0x9e3779b97f4a7c15ULL) + h->low;
    h->low = fold(h->low ^ second, first ^ 0xbf58476d1ce4e5b9ULL) ^ high;
}

void trace_hash_add(struct trace_hash *h, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    uint64_t words[2];

    for (; len >= sizeof(words); len -= sizeof(words), at += sizeof(words)) {
        memcpy(words, at, sizeof(words));
        add_words(h, words[0], words[1]);
    }
    if (len > 0) {
        memset(words, 0, sizeof(words));
        memcpy(words, at, len);
        add_words(h, words[0], words[1]);
    }
}

bool trace_hash_equal(const struct trace_hash *a, const struct trace_hash *b)
{
    return a->high == b->high && a->low == b->low;
}

char *trace_hash_text(const struct trace_hash *h, char buf[TRACE_HASH_TEXT])
{
    snprintf(buf, TRACE_HASH_TEXT, "%016" PRIx64 "%016" PRIx64, h->high, h->low);
    return buf;
}

bool trace_hash_parse(const char *text, struct trace_hash *ret)
{
    struct trace_hash h = {0};

    if (strlen(text) != TRACE_HASH_TEXT - 1 ||
        strspn(text, "0123456789abcdef") != TRACE_HASH_TEXT - 1) {
        return false;
    }
    if (sscanf(text, "%16" SCNx64 "%16" SCNx64, &h.high, &h.low) != 2) {
        return false;
    }
    *ret = h;
    return true;
}

/* ---- while it is recorded ----------------------------------------------------------- */

void trace_hasher_init(struct trace_hasher *hasher)
{
    memset(hasher, 0, sizeof(*hasher));
    trace_hash_init(&hasher->names);
}

void trace_hasher_fini(struct trace_hasher *hasher)
{
    for (size_t i = 0; i < ARRAY_SIZE(hasher->lanes); i++) {
        free(hasher->lanes[i]);
        hasher->lanes[i] = NULL;
    }
}

/* A lane that nothing went into is all zeros. */
static struct trace_hash *lane_of(struct trace_hasher *hasher, uint8_t node, uint8_t thread)
{
    struct trace_hash *lane;

    if (hasher->lanes[node] == NULL) {
        hasher->lanes[node] = calloc(256, sizeof(struct trace_hash));
        CHECK(hasher->lanes[node] != NULL);
    }
    lane = &hasher->lanes[node][thread];
    if (lane->high == 0 && lane->low == 0) {
        trace_hash_init(lane);
    }
    return lane;
}

_Static_assert(offsetof(struct trace_record, crc) == 60, "the crc is the last half word");

static void add_record(struct trace_hasher *hasher, const struct trace_record *record)
{
    struct trace_hash *lane = lane_of(hasher, record->node, record->thread);
    uint64_t words[sizeof(*record) / sizeof(uint64_t)];

    memcpy(words, record, sizeof(words));
    words[7] &= UINT32_MAX; /* without the crc: it is salted, or not there */
    for (size_t i = 0; i < ARRAY_SIZE(words); i += 2) {
        add_words(lane, words[i], words[i + 1]);
    }
    lane->records++;
}

/* "a.msgr-worker-0", before the thread's first record. */
static void add_thread(struct trace_hasher *hasher, uint8_t node, uint8_t thread,
                       const char *text)
{
    struct trace_hash *lane = lane_of(hasher, node, thread);

    if (lane->records == 0) {
        trace_hash_add(lane, text, strlen(text));
    }
}

void trace_hasher_record(void *arg, const struct trace_record *record,
                         const struct trace_name *name)
{
    struct trace_hasher *hasher = arg;

    if (record != NULL) {
        add_record(hasher, record);
    } else if (name->what == TRACE_NAME_THREAD) {
        add_thread(hasher, name->node, (uint8_t)name->id, name->text);
    } else {
        trace_hash_add(&hasher->names, name, name->bytes);
    }
}

void trace_hasher_result(const struct trace_hasher *hasher, struct trace_hash *ret)
{
    struct trace_hash sum = hasher->names;

    for (size_t i = 0; i < 256 * 256; i++) {
        const struct trace_hash *lanes = hasher->lanes[i / 256];

        if (lanes == NULL) {
            i += 255;
        } else if (lanes[i % 256].records != 0) {
            add_words(&sum, i, lanes[i % 256].records);
            add_words(&sum, lanes[i % 256].high, lanes[i % 256].low);
            sum.records += lanes[i % 256].records;
        }
    }
    *ret = sum;
}

/* ---- from a file -------------------------------------------------------------------- */

static void add_records(struct trace_hasher *hasher, const uint8_t *block)
{
    const struct trace_block_header *header = (const struct trace_block_header *)block;
    char text[sizeof(header->thread_name) + sizeof(header->node_name) + 1];

    snprintf(text, sizeof(text), "%.*s.%.*s", (int)sizeof(header->node_name) - 1,
             header->node_name, (int)sizeof(header->thread_name) - 1, header->thread_name);
    add_thread(hasher, header->node, header->thread, text);
    for (uint32_t at = 0; at + sizeof(struct trace_record) <= header->used;
         at += sizeof(struct trace_record)) {
        add_record(hasher, (const struct trace_record *)(block + sizeof(*header) + at));
    }
}

/* False: the lengths lead nowhere. */
static bool add_names(struct trace_hasher *hasher, const uint8_t *block)
{
    const struct trace_block_header *header = (const struct trace_block_header *)block;
    const uint8_t *names = block + sizeof(*header);
    uint32_t at = 0;

    while (at + sizeof(struct trace_name) <= header->used) {
        const struct trace_name *name = (const struct trace_name *)(names + at);

        if (name->bytes < sizeof(*name) || name->bytes % 8 != 0 ||
            name->bytes > header->used - at) {
            return false;
        }
        trace_hash_add(&hasher->names, name, name->bytes);
        at += name->bytes;
    }
    return at == header->used;
}

/* False: damaged. */
static bool add_block(struct trace_hasher *hasher, const uint8_t *block)
{
    const struct trace_block_header *header = (const struct trace_block_header *)block;

    if (header->used > TRACE_BLOCK_BYTES - sizeof(*header)) {
        return false;
    }
    if (header->type == TRACE_BLOCK_RECORDS) {
        add_records(hasher, block);
    }
    return header->type != TRACE_BLOCK_NAMES || add_names(hasher, block);
}

int trace_hash_file(const char *path, struct trace_hash *ret, const char **ret_why)
{
    FILE *file = fopen(path, "rb");
    uint8_t *block = malloc(TRACE_BLOCK_BYTES);
    struct trace_hasher hasher;
    int err = 0;

    trace_hasher_init(&hasher);
    *ret_why = file == NULL ? "cannot open the trace" : "out of memory";
    if (file == NULL || block == NULL) {
        err = file == NULL ? -errno : -ENOMEM;
        goto done;
    }
    if (fseek(file, TRACE_HEADER_BYTES, SEEK_SET) < 0) {
        *ret_why = "cannot read the trace";
        err = -errno;
    }
    while (err == 0 && fread(block, TRACE_BLOCK_BYTES, 1, file) == 1) {
        if (!add_block(&hasher, block)) {
            *ret_why = "the trace is damaged";
            err = -EINVAL;
        }
    }
    if (err == 0) {
        trace_hasher_result(&hasher, ret);
    }
done:
    trace_hasher_fini(&hasher);
    free(block);
    if (file != NULL) {
        fclose(file);
    }
    return err;
}
