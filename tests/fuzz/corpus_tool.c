/* SPDX-License-Identifier: Apache-2.0 */
/*
 * corpus_tool.c: makes the inputs in corpus/frames; capture.sh compiles and runs it.
 *
 *     corpus_tool relay 2.0|2.1 PORT TARGET-PORT DIR
 *         listens on 127.0.0.1:PORT, dials 127.0.0.1:TARGET-PORT for each connection, and
 *         writes what passes to DIR/N-to-server and DIR/N-to-client until it is killed.
 * With 2.0 it takes the bit "I speak 2.1" out of both banners. corpus_tool cut 2.0|2.1
 * STREAM PREFIX writes the banner and the frames of STREAM to PREFIX-banner.bin,
 * PREFIX-1.bin, ..., many small frames to a piece; frames too large for a corpus are left
 * out. corpus_tool seeds DIR writes hand-made inputs: one frame of each kind, payloads,
 * texts, edge cases.
 *
 * The first byte of each input is the selector of fuzz_frames.c. An error ends the program.
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/proto/frames.h"
#include "tests/lib/frame_codecs.h"
#include "tests/lib/hex.h"
#include "tests/lib/worked_frames.h"

#define RELAY_CONNECTIONS_MAX 64
#define STREAM_BYTES_MAX (16u << 20)
#define PIECE_BYTES 2048      /* a piece is full when it has this many */
#define FRAME_BYTES_MAX 12288 /* larger frames are left out */

/* ---- relay ---- */

/* One direction of a connection. */
struct pipe {
    int from, to, log; /* -1: closed */
    uint64_t passed;
};

static struct sockaddr_in loopback(const char *port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)atoi(port))};

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return addr;
}

static int create_log(const char *dir, int connection, const char *direction)
{
    char path[4096];
    int fd;

    snprintf(path, sizeof(path), "%s/%d-%s", dir, connection, direction);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        err(1, "%s", path);
    return fd;
}

static void write_all(int fd, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);

        if (n <= 0)
            return; /* the reading side notices as well */
        bytes += n;
        len -= (size_t)n;
    }
}

/* The byte with the bit is the first of the banner's `supported`. */
static void pass_on(struct pipe *pipe, bool rev1)
{
    uint8_t bytes[65536];
    ssize_t n = read(pipe->from, bytes, sizeof(bytes));

    if (n <= 0) {
        shutdown(pipe->to, SHUT_WR);
        close(pipe->log);
        pipe->from = -1;
        return;
    }
    if (!rev1 && pipe->passed <= BANNER_PREFIX_BYTES &&
        pipe->passed + (size_t)n > BANNER_PREFIX_BYTES)
        bytes[BANNER_PREFIX_BYTES - pipe->passed] &= (uint8_t)~MSGR2_FEATURE_REVISION_1;
    pipe->passed += (size_t)n;
    write_all(pipe->log, bytes, (size_t)n);
    write_all(pipe->to, bytes, (size_t)n);
}

static void relay(bool rev1, const char *port, const char *target, const char *dir)
{
    struct sockaddr_in here = loopback(port), there = loopback(target);
    struct pipe pipes[2 * RELAY_CONNECTIONS_MAX];
    struct pollfd polls[1 + 2 * RELAY_CONNECTIONS_MAX];
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1, n = 0;

    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (struct sockaddr *)&here, sizeof(here)) < 0 ||
        listen(listener, 16) < 0)
        err(1, "port %s", port);
    for (;;) {
        polls[0] = (struct pollfd){.fd = listener, .events = POLLIN};
        for (int i = 0; i < n; i++)
            polls[1 + i] = (struct pollfd){.fd = pipes[i].from, .events = POLLIN};
        if (poll(polls, (nfds_t)(1 + n), -1) < 0)
            err(1, "poll");
        for (int i = 0; i < n; i++) {
            if (polls[1 + i].revents)
                pass_on(&pipes[i], rev1);
        }
        if (polls[0].revents && n < 2 * RELAY_CONNECTIONS_MAX) {
            int client = accept(listener, NULL, NULL),
                server = socket(AF_INET, SOCK_STREAM, 0);

            if (connect(server, (struct sockaddr *)&there, sizeof(there)) < 0)
                warn("port %s", target); /* both ends see the end of the stream */
            pipes[n] =
                (struct pipe){client, server, create_log(dir, n / 2, "to-server"), 0};
            pipes[n + 1] =
                (struct pipe){server, client, create_log(dir, n / 2, "to-client"), 0};
            n += 2;
        }
    }
}

/* ---- inputs ---- */

static void write_input(const char *path, char selector, const void *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");

    if (!file || fputc(selector, file) == EOF || fwrite(bytes, 1, len, file) != len ||
        fclose(file) == EOF)
        err(1, "%s", path);
}

static void write_named(const char *dir, const char *name, char selector, const void *bytes,
                        size_t len)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s.bin", dir, name);
    for (char *at = path + strlen(dir); *at; at++)
        *at = *at == ' ' ? '-' : *at;
    write_input(path, selector, bytes, len);
}

/* ---- cut ---- */

static void cut(bool rev1, const char *stream, const char *prefix)
{
    FILE *file = fopen(stream, "rb");
    uint8_t *bytes = malloc(STREAM_BYTES_MAX);
    size_t len = file ? fread(bytes, 1, STREAM_BYTES_MAX, file) : 0;
    struct wire_reader r = wire_reader(bytes, len);
    const uint8_t *piece, *at;
    struct frame_view view;
    const char *why = "stream is cut";
    char path[4096];
    int pieces = 0;

    if (len < BANNER_BYTES)
        errx(1, "%s: no banner", stream);
    snprintf(path, sizeof(path), "%s-banner.bin", prefix);
    write_input(path, 'B', wire_get_bytes(&r, BANNER_BYTES), BANNER_BYTES);
    for (at = piece = r.at; at < r.end; at = r.at) {
        int rc = frame_walk(&r, rev1, &view, &why);
        bool too_large = rc == 1 && r.at - at > FRAME_BYTES_MAX;

        if (rc < 0)
            errx(1, "%s: byte %td: %s", stream, at - bytes, why);
        if (at > piece && (too_large || rc == 0 || at - piece >= PIECE_BYTES)) {
            snprintf(path, sizeof(path), "%s-%d.bin", prefix, ++pieces);
            write_input(path, rev1 ? '1' : '0', piece, (size_t)(at - piece));
            piece = at;
        }
        if (rc == 0)
            break;
        if (too_large)
            piece = r.at;
    }
    if (at > piece) {
        snprintf(path, sizeof(path), "%s-%d.bin", prefix, ++pieces);
        write_input(path, rev1 ? '1' : '0', piece, (size_t)(at - piece));
    }
    free(bytes);
    fclose(file);
}

/* ---- seeds ---- */

/* Inputs that no capture contains. A selector of a or b repairs their crcs. */
static const struct {
    const char *name;
    char selector;
    const char *hex;
} edge_cases[] = {
    {"aborted message", 'a',
     "11 04 29 00*3 08 00 05 00*3 08 00 00*4 08 00 04 00*3 00 10 00 00 00*4 01 00*7 00*8 "
     "02 00 "
     "7f 00 01 00*23 03 00*4 00*4 'FRONT' 'DATA' 01 00*12"},
    {"aborted message 2.0", 'b',
     "11 04 29 00*3 08 00 05 00*3 08 00 00*4 08 00 04 00*3 00 10 00 00 00*4 01 00*7 00*8 "
     "02 00 "
     "7f 00 01 00*23 03 00*4 'FRONT' 'DATA' 01 00*16"},
    {"message with an empty header", 'a',
     "11 02 00*4 08 00 01 00*3 08 00 00*14 00*4 78 0e 00*12"},
    {"message with data only", 'a',
     "11 04 29 00*3 08 00 00*4 08 00 00*4 08 00 01 00*3 00 10 00*2 00*4 01 00*40 00*4 78 "
     "0e "
     "00*12"},
    {"reserved status half", 'a',
     "11 02 29 00*3 08 00 01 00*3 08 00 00*14 00*4 01 00*40 00*4 78 fe 00*12"},
    {"bad status", 'a',
     "11 02 29 00*3 08 00 01 00*3 08 00 00*14 00*4 01 00*40 00*4 78 0f 00*12"},
    {"last segment empty", 'a', "11 02 29 00*3 08 00 00*4 08 00 00*14 00*4 01 00*40 00*4"},
    {"no segment", 'a', "14 00*31"},
    {"five segments", 'a', "14 05 08 00*3 08 00 00*24"},
    {"compressed", 'a', "14 01 08 00*3 08 00*19 01 00 00*4 01 00*7 00*4"},
    {"segment of 4 GiB", 'a', "11 01 ff*4 08 00*25"},
    {"four segments of 4 GiB", 'b', "11 04 ff*24 00*6"},
    {"unknown tag", 'a', "17 01 01 00*3 08 00*25 00 00*4"},
    {"control frame of two segments", 'a',
     "14 02 08 00*3 08 00 01 00*3 08 00 00*18 01 00*7 00*4 00 0e 00*12"},
    {"33 modes", 'P', "02 01 00*3 21 00*3 00*132 00*4"},
    {"4 billion methods", 'P', "03 02 00*3 00*4 ff*4 00*16"},
    {"blob of 4 GiB", 'P', "04 ff*4 00*4"},
    {"9 addresses", 'P', "09 02 09 00*3 00*40"},
    {"blank address", 'P', "01 08 01 01 01 28 00*3 02 00*3 00*4 1c 00*3 00*28"},
    {"no sockaddr", 'P', "01 08 01 01 01 0c 00*3 02 00*3 00*4 00*4"},
    {"short sockaddr", 'P',
     "01 08 01 01 01 14 00*3 02 00*3 00*4 08 00*3 02 00 0c e4 7f 00 00 01"},
    {"long address body", 'P',
     "01 08 01 01 01 1e 00*3 02 00*3 00*4 10 00*3 02 00 0c e4 7f 00 00 01 00*8 aa aa"},
    {"ipv6 address", 'P',
     "01 08 01 01 01 28 00*3 02 00*3 00*4 1c 00*3 0a 00 0c e4 00*4 00*15 01 00*4"},
    {"vector without marker", 'P',
     "0b 01 01 01 1c 00*3 02 00*3 00*4 10 00*3 02 00 0c e4 7f 00 00 01 00*8 00*40"},
    {"auth none", 'P', "80 0a 08 00*3 05 00*3 'admin' 00*8"},
    {"auth none with a NUL", 'P', "80 0a 08 00*3 05 00*3 'ad' 00 'in' 00*8"},
    {"banner msgr1", 'B', "'ceph v027' 00*16"},
    {"banner rdma", 'B', "'0000:00000011:00000000:00000000'"},
    {"banner long", 'B', "'ceph v2' 0a 18 00 03 00*7 00*8 aa*8"},
    {"banner short", 'B', "'ceph v2' 0a 0f 00 01 00*14"},
};

static const char *const seed_texts[] = {
    "v2:127.0.0.1:3300/0", "any:10.0.0.1:0/4294967295",
    "[fe80::1%3]:3300/7",  "[v2:127.0.0.1:3300/0,v1:127.0.0.1:6789/0]",
    "[[::1]:1,v1:[::2]]",  "[::ffff:10.0.0.1]",
    "v3:127.0.0.1",        "127.0.0.1:65536",
};

static void seeds(const char *dir)
{
    char name[64];

    for (size_t i = 0; i < ARRAY_SIZE(worked); i++) {
        struct hex hex = hex_of(worked[i].hex);

        snprintf(name, sizeof(name), "frame %s", worked[i].name);
        write_named(dir, name, worked[i].rev0 ? '0' : '1', hex.bytes, hex.len);
    }
    for (size_t i = 0; i < ARRAY_SIZE(edge_cases); i++) {
        struct hex hex = hex_of(edge_cases[i].hex);

        snprintf(name, sizeof(name), "edge %s", edge_cases[i].name);
        write_named(dir, name, edge_cases[i].selector, hex.bytes, hex.len);
    }
    for (size_t i = 0; i < ARRAY_SIZE(seed_texts); i++) {
        snprintf(name, sizeof(name), "text %zu", i + 1);
        write_named(dir, name, 'T', seed_texts[i], strlen(seed_texts[i]));
    }
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "relay") == 0 && argc == 6)
        relay(strcmp(argv[2], "2.1") == 0, argv[3], argv[4], argv[5]);
    else if (strcmp(what, "cut") == 0 && argc == 5)
        cut(strcmp(argv[2], "2.1") == 0, argv[3], argv[4]);
    else if (strcmp(what, "seeds") == 0 && argc == 3)
        seeds(argv[2]);
    else
        errx(2, "usage: see the top of tests/fuzz/corpus_tool.c");
    return 0;
}
