/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_trace.c: any bytes as a trace: the reader, the join and a view must take them.
 *
 * A trace file is mostly empty space, and its records have checksums that no fuzzer
 * guesses. So an input says how to make the file:
 *
 *   byte 0  bit 0: how;  bits 1..7: which view
 *   byte 1  message that is selected; 255: none
 *   rest    how 0: a file with its holes left out: {skip 3, length 3, bytes} ...
 *           how 1: entries that become records and names with good checksums:
 *              0..127  a record, kind op % (known kinds + 2), of the fields in take_record
 *            128..191  a string, 192..223 an object: length, bytes
 *            224..255  damage: {offset 3, value} is xored in at the end
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/crc32c.h"
#include "engine/trace_points.h"
#include "engine/util.h"
#include "viz/views/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILE_MAX ((size_t)TRACE_HEADER_BYTES + 6 * TRACE_BLOCK_BYTES)
#define SALT 1
#define DAMAGES_MAX 16

struct input {
    const uint8_t *data;
    size_t left;
};

static uint64_t take(struct input *in, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes && in->left > 0; i++) {
        value |= (uint64_t)*in->data++ << 8 * i;
        in->left--;
    }
    return value;
}

/* ---- files with their holes left out ---- */

static size_t fill_file(struct input *in, uint8_t *file)
{
    size_t len = 0;

    while (in->left > 0) {
        size_t at = len + take(in, 3), bytes = take(in, 3);

        bytes = MIN(bytes, in->left);
        if (at > FILE_MAX || bytes > FILE_MAX - at) {
            break;
        }
        memcpy(file + at, in->data, bytes);
        in->data += bytes;
        in->left -= bytes;
        len = at + bytes;
    }
    return len;
}

/* ---- files with good checksums ---- */

/* Two nodes with two threads, and the names. */
struct maker {
    uint8_t *file;
    size_t len;
    size_t block[5]; /* offset; 0: none yet. The last is that of the names */
    uint64_t ts;
    uint32_t ids[2]; /* strings and objects given out */
};

static struct trace_block_header *block_of(struct maker *m, unsigned which)
{
    struct trace_block_header *block = (void *)(m->file + m->block[which]);

    if (m->block[which] == 0) {
        m->block[which] = m->len;
        m->len += TRACE_BLOCK_BYTES;
        block = (void *)(m->file + m->block[which]);
        block->type = which == 4 ? TRACE_BLOCK_NAMES : TRACE_BLOCK_RECORDS;
        block->node = (uint8_t)(1 + which / 2);
        block->thread = (uint8_t)(1 + which % 2);
        block->first_seq = 1;
        strcpy(block->thread_name, which % 2 ? "msgr-worker-0" : "app-0");
    }
    return block;
}

static void take_record(struct maker *m, struct input *in, unsigned op)
{
    unsigned which = (unsigned)take(in, 1);
    struct trace_block_header *block = block_of(m, which % 4);
    struct trace_record *r;
    unsigned wide = which >> 4; /* which fields have all their bytes */

    if (block->used + 64 > TRACE_BLOCK_BYTES - sizeof(*block)) {
        return;
    }
    r = (void *)((uint8_t *)(block + 1) + block->used);
    m->ts += take(in, 1);
    r->ts = m->ts;
    r->seq = 1 + block->used / 64;
    r->kind = (uint16_t)(op % (TP_COUNT + 2));
    r->node = block->node;
    r->thread = block->thread;
    r->flow = take(in, wide & 1 ? 8 : 1);
    r->cause = take(in, 1); /* of these four threads, or none */
    r->cause = r->cause == 0 ? 0
                             : (1 + (r->cause & 1)) << 56 |
                                   (1 + (r->cause >> 1 & 1)) << 48 | r->cause >> 2;
    r->obj = (uint32_t)take(in, 1);
    r->val = (int32_t)take(in, wide & 2 ? 4 : 1);
    r->a0 = take(in, wide & 4 ? 8 : 1);
    r->a1 = take(in, wide & 8 ? 8 : 1);
    r->aux = (uint32_t)take(in, wide & 8 ? 4 : 1);
    r->crc = crc32c(SALT, r, offsetof(struct trace_record, crc));
    block->used += 64;
}

static void take_name(struct maker *m, struct input *in, bool object)
{
    struct trace_block_header *block = block_of(m, 4);
    struct trace_name *name = (void *)((uint8_t *)(block + 1) + block->used);
    size_t len = take(in, 1), bytes;

    len = MIN(len, in->left);
    bytes = (sizeof(*name) + len + 1 + 7) & ~(size_t)7;
    if (block->used + bytes > TRACE_BLOCK_BYTES - sizeof(*block)) {
        return;
    }
    name->bytes = (uint16_t)bytes;
    name->what = object ? 2 : 1;
    name->id = ++m->ids[object];
    name->class_ = (uint8_t)len;
    memcpy(name->text, in->data, len);
    in->data += len;
    in->left -= len;
    block->used += (uint32_t)bytes;
}

static size_t make_file(struct input *in, uint8_t *file)
{
    struct trace_file_header *header = (void *)file;
    struct maker m = {.file = file, .len = TRACE_HEADER_BYTES};
    struct input damage[DAMAGES_MAX];
    size_t n_damage = 0;

    header->magic = TRACE_MAGIC;
    header->major = TRACE_MAJOR;
    header->record_bytes = sizeof(struct trace_record);
    header->kinds = TP_COUNT; /* more than we know: the names are not compared */
    header->block_bytes = TRACE_BLOCK_BYTES;
    header->salt = SALT;
    strcpy(header->title, "fuzz");
    while (in->left > 0) {
        unsigned op = (unsigned)take(in, 1);

        if (op < 128) {
            take_record(&m, in, op);
        } else if (op < 224) {
            take_name(&m, in, op >= 192);
        } else if (in->left >= 4 && n_damage < DAMAGES_MAX) {
            damage[n_damage++] = (struct input){in->data, 4};
            take(in, 4);
        }
    }
    for (size_t i = 0; i < n_damage; i++) {
        size_t at = take(&damage[i], 3);

        file[at % m.len] ^= (uint8_t)take(&damage[i], 1);
    }
    return m.len;
}

/* ---- looking at them ---- */

static ssize_t swallow(void *cookie, const char *buf, size_t len)
{
    (void)cookie;
    (void)buf;
    return (ssize_t)len;
}

static void show(const struct trace_reader *reader, unsigned which, unsigned message)
{
    static const view_fn views[] = {view_text,       view_text_json,   view_text_csv,
                                    view_message,    view_message_dot, view_iopath,
                                    view_iopath_dot, view_center,      view_center_dot,
                                    view_states,     view_states_dot};
    static const cookie_io_functions_t nowhere = {.write = swallow};
    const struct show_opts opts = {.trace = "fuzz.trace"};
    struct view_input in = {.reader = reader, .opts = &opts};
    struct join *join;
    FILE *out;
    int rc = trace_join(reader, &join);

    CHECK(rc == 0);
    in.join = join;
    in.message = MIN(message, join_count(join));
    out = fopencookie(NULL, "w", nowhere);
    CHECK(out != NULL);
    rc = views[which % ARRAY_SIZE(views)](&in, out);
    CHECK(rc == 0);
    fclose(out);
    join_free(join);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct trace_reader *reader;
    uint8_t *file;
    unsigned flags, message;
    char why[256] = "";
    size_t len;

    if (size < 2 || size > FILE_MAX) {
        return 0;
    }
    file = calloc(1, FILE_MAX);
    CHECK(file != NULL);
    flags = (unsigned)take(&in, 1);
    message = (unsigned)take(&in, 1);
    len = flags & 1 ? make_file(&in, file) : fill_file(&in, file);
    if (trace_reader_open_bytes(file, len, &reader, why, sizeof(why)) == 0) {
        show(reader, flags >> 1, message == 255 ? UINT32_MAX : message);
        trace_reader_close(reader);
    } else {
        CHECK(why[0] != '\0');
    }
    free(file);
    return 0;
}
