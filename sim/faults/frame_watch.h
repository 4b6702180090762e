/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame_watch.h: follows one direction of a msgr2 byte stream: banner, preambles, frames.
 * It knows where each frame begins and what its tag is, and copies nothing but an
 * unfinished preamble.
 *
 *     "ceph v2\n" len | features ... | preamble | segments, crcs | preamble | ...
 *      head (26)        left           head (32)  left             head
 *
 * Pure: no os, no allocation. One watch a direction; the two of a transport know each
 * other, because the frame layout depends on both banners. A stream that is no msgr2 in crc
 * mode makes the watch blind: it sees no frames from there on.
 */
#ifndef MSGRLAB_SIM_FAULTS_FRAME_WATCH_H
#define MSGRLAB_SIM_FAULTS_FRAME_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "engine/proto/frames.h"

struct frame_watch {
    const struct frame_watch *other; /* borrowed: of the other direction */
    bool blind;
    bool has_banner, rev1;        /* the banner is over; it said 2.1 */
    uint8_t head[PREAMBLE_BYTES]; /* of the banner or preamble at hand */
    size_t n_head;
    uint64_t left;   /* bytes at hand behind the head */
    uint64_t frames; /* whose preamble is complete */
    uint8_t tag;     /* of the last of them */
};

void frame_watch_init(struct frame_watch *w, const struct frame_watch *other);
/* These bytes pass. */
void frame_watch_advance(struct frame_watch *w, const struct iovec *iov, int n,
                         size_t bytes);
/* Bytes until something new is known: a head is complete, or a frame is over. SIZE_MAX:
 * blind. */
uint64_t frame_watch_until(const struct frame_watch *w);
/* Whether a frame begins with the next byte. */
bool frame_watch_is_between(const struct frame_watch *w);

/* A frame found ahead. */
struct frame_start {
    uint8_t tag;
    uint64_t index; /* it is the index-th of the stream, from 1 */
    size_t offset;  /* of its first byte, in what is looked at; 0: there or before */
};

/* Looks ahead in bytes that may pass, one frame after the other. The watch stays. */
struct frame_scan {
    struct frame_watch watch;
    const struct iovec *iov; /* borrowed */
    int n, at;
    size_t within, offset, start;
};

void frame_scan_begin(struct frame_scan *s, const struct frame_watch *w,
                      const struct iovec *iov, int n);
/* The next frame whose preamble these bytes complete. */
bool frame_scan_next(struct frame_scan *s, struct frame_start *ret);

#endif
