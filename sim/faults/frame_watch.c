/* SPDX-License-Identifier: Apache-2.0 */
/* frame_watch.c: one step at a time, each up to where something new is known. */
#include "sim/faults/frame_watch.h"

#include <string.h>

#include "engine/util.h"

void frame_watch_init(struct frame_watch *w, const struct frame_watch *other)
{
    CHECK(other != w);
    *w = (struct frame_watch){.other = other};
}

/* Bytes of the head at hand, as far as is known. */
static size_t head_bytes(const struct frame_watch *w)
{
    if (w->has_banner) {
        return PREAMBLE_BYTES;
    }
    return w->n_head < BANNER_PREFIX_BYTES ? BANNER_PREFIX_BYTES : BANNER_BYTES;
}

static bool is_head_whole(const struct frame_watch *w)
{
    return w->n_head == (w->has_banner ? PREAMBLE_BYTES : BANNER_BYTES);
}

static void finish_banner(struct frame_watch *w)
{
    const char *why;
    int payload = banner_decode_prefix(w->head, &why);
    struct banner banner;

    CHECK(is_head_whole(w));
    CHECK(!w->has_banner);
    if (payload < 0 ||
        banner_decode_payload(w->head + BANNER_PREFIX_BYTES,
                              BANNER_BYTES - BANNER_PREFIX_BYTES, &banner) < 0) {
        w->blind = true;
        return;
    }
    w->rev1 = (banner.supported & MSGR2_FEATURE_REVISION_1) != 0;
    w->left = (uint64_t)payload - (BANNER_BYTES - BANNER_PREFIX_BYTES);
}

static void finish_preamble(struct frame_watch *w)
{
    struct preamble preamble;
    const char *why;

    CHECK(is_head_whole(w));
    CHECK(w->has_banner);
    if (preamble_decode(w->head, &preamble, &why) < 0) {
        w->blind = true;
        return;
    }
    w->tag = preamble.tag;
    w->frames++;
    w->left = frame_wire_bytes(&preamble, w->rev1 && w->other->rev1) - PREAMBLE_BYTES;
}

/* What was at hand is over: the next head begins. */
static void turn_over(struct frame_watch *w)
{
    if (is_head_whole(w) && w->left == 0) {
        w->has_banner = true;
        w->n_head = 0;
    }
}

/* Takes up to n bytes; returns how many. */
static size_t step(struct frame_watch *w, const uint8_t *bytes, size_t n)
{
    size_t take;
    const char *why;

    CHECK(n > 0);
    turn_over(w);
    if (w->blind) {
        return n;
    }
    if (w->left > 0) {
        take = (size_t)MIN((uint64_t)n, w->left);
        w->left -= take;
        return take;
    }
    take = MIN(n, head_bytes(w) - w->n_head);
    memcpy(w->head + w->n_head, bytes, take);
    w->n_head += take;
    if (!w->has_banner && w->n_head == BANNER_PREFIX_BYTES) {
        w->blind = banner_decode_prefix(w->head, &why) < 0;
    } else if (is_head_whole(w)) {
        (w->has_banner ? finish_preamble : finish_banner)(w);
    }
    return take;
}

void frame_watch_advance(struct frame_watch *w, const struct iovec *iov, int n,
                         size_t bytes)
{
    for (int i = 0; i < n && bytes > 0; i++) {
        const uint8_t *p = iov[i].iov_base;
        size_t len = MIN(iov[i].iov_len, bytes);

        bytes -= len;
        while (len > 0) {
            size_t took = step(w, p, len);

            p += took;
            len -= took;
        }
    }
    CHECK(bytes == 0);
}

uint64_t frame_watch_until(const struct frame_watch *w)
{
    struct frame_watch at = *w;

    turn_over(&at);
    if (at.blind) {
        return SIZE_MAX;
    }
    return at.left > 0 ? at.left : head_bytes(&at) - at.n_head;
}

bool frame_watch_is_between(const struct frame_watch *w)
{
    struct frame_watch at = *w;

    turn_over(&at);
    return !at.blind && at.n_head == 0 && at.left == 0;
}

void frame_scan_begin(struct frame_scan *s, const struct frame_watch *w,
                      const struct iovec *iov, int n)
{
    *s = (struct frame_scan){.watch = *w, .iov = iov, .n = n};
}

bool frame_scan_next(struct frame_scan *s, struct frame_start *ret)
{
    uint64_t before = s->watch.frames;

    while (s->at < s->n && !s->watch.blind) {
        const struct iovec *v = &s->iov[s->at];
        size_t took;

        CHECK(s->within <= v->iov_len);
        if (s->within == v->iov_len) {
            s->at++;
            s->within = 0;
            continue;
        }
        if (frame_watch_is_between(&s->watch)) {
            s->start = s->offset;
        }
        took = step(&s->watch, (const uint8_t *)v->iov_base + s->within,
                    v->iov_len - s->within);
        s->within += took;
        s->offset += took;
        if (s->watch.frames != before) {
            *ret = (struct frame_start){
                .tag = s->watch.tag, .index = s->watch.frames, .offset = s->start};
            return true;
        }
    }
    return false;
}
