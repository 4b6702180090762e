/* SPDX-License-Identifier: Apache-2.0 */
/* trace_hash.c: two 64-bit lanes, each step a multiplication that reaches every bit. */
#include "sim/trace_hash.h"

#include <errno.h>
#include <string.h>

#include "engine/trace_format.h"
#include "engine/util.h"
#include "sim/decisions.h"

void trace_hash_init(struct trace_hash *h)
{
    *h = (struct trace_hash){.high = 0x6d73677268617368ULL, .low = 0x7472616365313238ULL};
}

void trace_hash_add(struct trace_hash *h, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    while (len > 0) {
        uint64_t word = 0;
        size_t n = MIN(len, sizeof(word));

        memcpy(&word, at, n);
        h->high = sim_mix(h->high ^ word, h->low);
        h->low = sim_mix(h->low, word ^ (h->high >> 32));
        at += n;
        len -= n;
    }
}

static void add_records(struct trace_hash *h, const uint8_t *block)
{
    struct trace_block_header header;

    memcpy(&header, block, sizeof(header));
    trace_hash_add(h, &header, sizeof(header));
    for (uint32_t at = 0; at + sizeof(struct trace_record) <= header.used;
         at += sizeof(struct trace_record)) {
        trace_hash_add(h, block + sizeof(header) + at, offsetof(struct trace_record, crc));
        h->records++;
    }
}

static void add_names(struct trace_hash *h, const uint8_t *block)
{
    struct trace_block_header header;

    memcpy(&header, block, sizeof(header));
    trace_hash_add(h, block + sizeof(header), header.used);
}

int trace_hash_file(const char *path, struct trace_hash *ret, const char **ret_why)
{
    FILE *file = fopen(path, "rb");
    uint8_t *block = malloc(TRACE_BLOCK_BYTES);
    struct trace_block_header header;
    struct trace_hash hash;
    int err = 0;

    *ret_why = file == NULL ? "cannot open the trace" : "out of memory";
    if (file == NULL || block == NULL) {
        err = file == NULL ? -errno : -ENOMEM;
        goto done;
    }
    trace_hash_init(&hash);
    if (fseek(file, TRACE_HEADER_BYTES, SEEK_SET) < 0) {
        *ret_why = "cannot read the trace";
        err = -errno;
    }
    while (err == 0 && fread(block, TRACE_BLOCK_BYTES, 1, file) == 1) {
        memcpy(&header, block, sizeof(header));
        if (header.used > TRACE_BLOCK_BYTES - sizeof(header)) {
            *ret_why = "the trace is damaged";
            err = -EINVAL;
        } else if (header.type == TRACE_BLOCK_RECORDS) {
            add_records(&hash, block);
        } else if (header.type == TRACE_BLOCK_NAMES) {
            add_names(&hash, block);
        }
    }
    if (err == 0) {
        *ret = hash;
    }
done:
    free(block);
    if (file != NULL) {
        fclose(file);
    }
    return err;
}
