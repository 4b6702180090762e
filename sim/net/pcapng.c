/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/net/pcapng.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/util.h"

#define SECTION_HEADER 0x0a0d0d0a
#define INTERFACE_DESCRIPTION 1
#define ENHANCED_PACKET 6
#define OPTION_NAME 2
#define OPTION_TSRESOL 9
#define LINKTYPE_ETHERNET 1

struct pcapng {
    FILE *file;
    int error;
    uint64_t frames;
    int interface[256]; /* of a node, from 1; 0: none yet */
    int interfaces;
};

static void put(struct pcapng *p, const void *bytes, size_t len)
{
    if (p->error == 0 && fwrite(bytes, 1, len, p->file) != len) {
        p->error = errno != 0 ? -errno : -EIO;
    }
}

static void put_word(struct pcapng *p, uint32_t word)
{
    put(p, &word, sizeof(word)); /* in the byte order of the writer: the magic tells it */
}

/* A block of that type with `len` bytes, a multiple of 4. */
static void put_block(struct pcapng *p, uint32_t type, const void *bytes, size_t len)
{
    uint32_t total = (uint32_t)len + 12;

    put_word(p, type);
    put_word(p, total);
    put(p, bytes, len);
    put_word(p, total);
}

int pcapng_open(const char *path, struct pcapng **ret)
{
    const struct {
        uint32_t magic;
        uint16_t major, minor;
        int64_t length; /* -1: not said */
    } __attribute__((packed)) section = {0x1a2b3c4d, 1, 0, -1};
    struct pcapng *p = calloc(1, sizeof(*p));

    if (p == NULL) {
        return -ENOMEM;
    }
    p->file = fopen(path, "wbe");
    if (p->file == NULL) {
        int err = -errno;

        free(p);
        return err;
    }
    put_block(p, SECTION_HEADER, &section, sizeof(section));
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

    put_word(p, ENHANCED_PACKET);
    put_word(p, total);
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
    err = p->error;
    if (fclose(p->file) != 0 && err == 0) {
        err = -errno;
    }
    free(p);
    return err;
}
