/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/net/pcapng.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/util.h"

#define SECTION_HEADER 0x0a0d0d0a
#define INTERFACE_DESCRIPTION 1
#define ENHANCED_PACKET 6
#define OPTION_NAME 2
#define OPTION_TSRESOL 9
#define LINKTYPE_ETHERNET 1

/* Only whole blocks are written, so that the file can be read however the run ends. */
#define BUFFER_BYTES 65536

struct pcapng {
    char *path; /* owned: its name when it is whole */
    char *part; /* owned: its name until then; NULL: a device or a pipe, written directly */
    FILE *file; /* owned; without a buffer of its own */
    int error;
    uint64_t frames;
    int interface[256]; /* of a node, from 1; 0: none yet */
    int interfaces;
    off_t written; /* whole blocks, in the file */
    size_t used;
    uint8_t buffer[BUFFER_BYTES];
};

/* How many of the first `len` bytes of the buffer are whole blocks. */
static size_t whole_blocks(const struct pcapng *p, size_t len)
{
    size_t at = 0;
    uint32_t total;

    while (len - at >= 8) {
        memcpy(&total, p->buffer + at + 4, sizeof(total));
        if (total > len - at) {
            break;
        }
        at += total;
    }
    return at;
}

static void flush(struct pcapng *p)
{
    size_t done = 0;

    CHECK(p->used <= BUFFER_BYTES);
    if (p->error == 0) {
        errno = 0;
        done = fwrite(p->buffer, 1, p->used, p->file);
        if (done < p->used) {
            p->error = errno != 0 ? -errno : -EIO;
        }
    }
    p->written += (off_t)whole_blocks(p, done);
    if (p->error != 0) { /* should that fail, too: readers say that the last is cut off */
        (void)!ftruncate(fileno(p->file), p->written);
    }
    p->used = 0;
}

static void put(struct pcapng *p, const void *bytes, size_t len)
{
    CHECK(len <= BUFFER_BYTES - p->used);
    memcpy(p->buffer + p->used, bytes, len);
    p->used += len;
}

static void put_word(struct pcapng *p, uint32_t word)
{
    put(p, &word, sizeof(word)); /* in the byte order of the writer: the magic tells it */
}

/* A block begins, of so many bytes in all. */
static void begin_block(struct pcapng *p, uint32_t type, size_t total)
{
    CHECK(total <= BUFFER_BYTES);
    if (p->used + total > BUFFER_BYTES) {
        flush(p);
    }
    put_word(p, type);
    put_word(p, (uint32_t)total);
}

/* A block of that type with `len` bytes, a multiple of 4. */
static void put_block(struct pcapng *p, uint32_t type, const void *bytes, size_t len)
{
    begin_block(p, type, len + 12);
    put(p, bytes, len);
    put_word(p, (uint32_t)len + 12);
}

/* What is there already has to be a capture, empty, or no file at all: a mistyped name must
 * not cost somebody a file. */
static bool may_replace(const char *path)
{
    uint32_t magic = 0;
    struct stat is;
    bool may;
    FILE *file;

    if (stat(path, &is) < 0 || !S_ISREG(is.st_mode) || is.st_size == 0) {
        return true;
    }
    file = fopen(path, "rbe");
    if (file == NULL) {
        return true; /* to open it for writing says why */
    }
    may = fread(&magic, sizeof(magic), 1, file) == 1 && magic == SECTION_HEADER;
    fclose(file);
    return may;
}

static void free_pcapng(struct pcapng *p)
{
    free(p->path);
    free(p->part);
    free(p);
}

/* Where it is written: beside its place, unless that is no regular file. */
static int open_file(struct pcapng *p, const char *path)
{
    struct stat is;
    bool beside = stat(path, &is) < 0 || S_ISREG(is.st_mode);

    p->path = strdup(path);
    if (p->path == NULL || (beside && asprintf(&p->part, "%s.part", path) < 0)) {
        p->part = NULL; /* asprintf leaves it undefined */
        return -ENOMEM;
    }
    if (beside && !may_replace(p->part)) {
        return -EEXIST;
    }
    p->file = fopen(beside ? p->part : path, "wbe");
    return p->file != NULL ? 0 : -errno;
}

int pcapng_open(const char *path, struct pcapng **ret)
{
    const struct {
        uint32_t magic;
        uint16_t major, minor;
        int64_t length; /* -1: not said */
    } __attribute__((packed)) section = {0x1a2b3c4d, 1, 0, -1};
    struct pcapng *p;
    int err;

    if (!may_replace(path)) {
        return -EEXIST;
    }
    p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return -ENOMEM;
    }
    err = open_file(p, path);
    if (err < 0) {
        free_pcapng(p);
        return err;
    }
    setvbuf(p->file, NULL, _IONBF, 0);
    put_block(p, SECTION_HEADER, &section, sizeof(section));
    flush(p); /* a file that cannot be written is found out at once */
    if (p->error != 0) {
        if (p->part != NULL) {
            unlink(p->part); /* there is nothing in it */
        }
        return pcapng_close(p);
    }
    *ret = p;
    return 0;
}

/* Makes the interface of a node at its first frame. */
static uint32_t interface_of(struct pcapng *p, uint8_t node)
{
    struct {
        uint16_t linktype, reserved;
        uint32_t snaplen;
        uint16_t name_option, name_len;
        char name[8];
        uint16_t tsresol_option, tsresol_len;
        uint8_t tsresol[4];
        uint32_t end;
    } __attribute__((packed))
    block = {LINKTYPE_ETHERNET, 0, 0, OPTION_NAME, 8, "", OPTION_TSRESOL, 1, {9}, 0};

    if (p->interface[node] == 0) {
        snprintf(block.name, sizeof(block.name), "node%u", node);
        block.name_len = (uint16_t)strlen(block.name);
        put_block(p, INTERFACE_DESCRIPTION, &block, sizeof(block));
        p->interface[node] = ++p->interfaces;
    }
    return (uint32_t)p->interface[node] - 1;
}

void pcapng_frame(void *pcapng, uint8_t node, uint64_t time_ns, const uint8_t *frame,
                  size_t len)
{
    static const uint8_t zeros[4];
    struct pcapng *p = pcapng;
    uint32_t interface = interface_of(p, node), padding = (uint32_t)(-len & 3);
    uint32_t total = (uint32_t)len + padding + 32;

    begin_block(p, ENHANCED_PACKET, total);
    put_word(p, interface);
    put_word(p, (uint32_t)(time_ns >> 32));
    put_word(p, (uint32_t)time_ns);
    put_word(p, (uint32_t)len);
    put_word(p, (uint32_t)len);
    put(p, frame, len);
    put(p, zeros, padding);
    put_word(p, total);
    p->frames++;
}

uint64_t pcapng_frames(const struct pcapng *p)
{
    return p->frames;
}

int pcapng_close(struct pcapng *p)
{
    int err;

    if (p == NULL) {
        return 0;
    }
    flush(p);
    err = p->error;
    if (fclose(p->file) != 0 && err == 0) {
        err = -errno;
    }
    if (err == 0 && p->part != NULL && rename(p->part, p->path) < 0) {
        err = -errno;
    }
    free_pcapng(p);
    return err;
}
