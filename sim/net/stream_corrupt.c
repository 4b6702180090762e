/* SPDX-License-Identifier: Apache-2.0 */
/* stream_corrupt.c: wrong bytes. A real TCP drops nearly all of them by its checksum;
 * those that get through, and those that a bad card or a bad kernel makes, look like
 * this. What sent them never knows. */
#include <string.h>

#include "engine/util.h"
#include "sim/net/stream_impl.h"

#define RANGE_MAX 64 /* bytes that one corruption makes wrong */

const char *const sim_corrupt_names[SIM_CORRUPT_COUNT] = {
    "none",  "bit",     "byte",  "zero",    "shuffle",
    "extra", "missing", "stale", "foreign", "tail"};

/* A place inside what was sent. */
struct place {
    struct ring *ring;
    uint64_t at;
    size_t n;
    uint64_t hash;
};

static void flip_bit(const struct place *p)
{
    uint8_t byte;

    ring_peek(p->ring, p->at, &byte, 1);
    byte ^= (uint8_t)(1u << (p->hash & 7));
    ring_poke(p->ring, p->at, &byte, 1);
}

static void change_byte(const struct place *p)
{
    uint8_t byte;

    ring_peek(p->ring, p->at, &byte, 1);
    byte ^= (uint8_t)(1 + p->hash % 255);
    ring_poke(p->ring, p->at, &byte, 1);
}

/* Puts other bytes there; if they are the same by chance, it is at least a bit. */
static void replace(const struct place *p, const uint8_t *bytes)
{
    uint8_t before[RANGE_MAX];

    ring_peek(p->ring, p->at, before, p->n);
    if (memcmp(before, bytes, p->n) == 0) {
        flip_bit(p);
    } else {
        ring_poke(p->ring, p->at, bytes, p->n);
    }
}

static void shuffle(const struct place *p)
{
    uint8_t before[RANGE_MAX], after[RANGE_MAX];
    size_t by = 1 + p->hash % p->n;

    ring_peek(p->ring, p->at, before, p->n);
    for (size_t i = 0; i < p->n; i++) {
        after[i] = before[(i + by) % p->n];
    }
    replace(p, after);
}

/* Bytes of a ring that has as many; false: it has not. */
static bool replace_from(const struct place *p, const struct ring *from)
{
    uint8_t bytes[RANGE_MAX];

    if (ring_used(from) < p->n || (from == p->ring && from->from + p->n > p->at)) {
        return false;
    }
    ring_peek(from, from->from, bytes, p->n);
    replace(p, bytes);
    return true;
}

/* The next connection of the world that has bytes under way. */
static bool replace_from_another(const struct place *p, struct stream_end *to)
{
    struct net *net = to->link->env->net;
    struct list *it = to->stream->of_net.next;

    for (; it != &to->stream->of_net; it = it->next) {
        struct stream *other = container_of(it, struct stream, of_net);

        if (it != &net->streams && (replace_from(p, &other->ends[0].bytes) ||
                                    replace_from(p, &other->ends[1].bytes))) {
            return true;
        }
    }
    return false;
}

/* One more, or one less. */
static void move_rest(const struct place *p, bool more)
{
    struct ring *r = p->ring;
    uint8_t byte = (uint8_t)p->hash;
    const struct iovec one = {.iov_base = &byte, .iov_len = 1};

    if (more) {
        CHECK(ring_put(r, &one, 1, 1) == 1);
        for (uint64_t at = r->to - 1; at > p->at; at--) {
            ring_peek(r, at - 1, &byte, 1);
            ring_poke(r, at, &byte, 1);
        }
        byte = (uint8_t)p->hash;
        ring_poke(r, p->at, &byte, 1);
        return;
    }
    for (uint64_t at = p->at; at + 1 < r->to; at++) {
        ring_peek(r, at + 1, &byte, 1);
        ring_poke(r, at, &byte, 1);
    }
    r->to--;
}

size_t stream_corrupt(struct stream_end *to, size_t bytes, enum sim_corrupt kind,
                      uint64_t salt)
{
    static const uint8_t zeroes[RANGE_MAX];
    uint64_t hash = sim_mix(salt, kind), begin = to->bytes.to - bytes;
    struct place p = {.ring = &to->bytes, .hash = hash, .at = begin + salt % bytes};

    CHECK(bytes <= ring_used(&to->bytes));
    p.n = MIN((size_t)(1 + (hash >> 8) % RANGE_MAX), (size_t)(to->bytes.to - p.at));
    switch (kind) {
    case SIM_CORRUPT_BYTE:
        change_byte(&p);
        break;
    case SIM_CORRUPT_ZERO:
        replace(&p, zeroes);
        break;
    case SIM_CORRUPT_SHUFFLE:
        shuffle(&p);
        break;
    case SIM_CORRUPT_EXTRA:
    case SIM_CORRUPT_MISSING:
        move_rest(&p, kind == SIM_CORRUPT_EXTRA);
        break;
    case SIM_CORRUPT_STALE:
        if (!replace_from(&p, p.ring)) {
            flip_bit(&p);
        }
        break;
    case SIM_CORRUPT_FOREIGN:
        if (!replace_from_another(&p, to)) {
            flip_bit(&p);
        }
        break;
    case SIM_CORRUPT_TAIL:
        to->bytes.to -= p.n;
        break;
    case SIM_CORRUPT_BIT:
    case SIM_CORRUPT_NONE:
    case SIM_CORRUPT_COUNT:
        flip_bit(&p);
        break;
    }
    return (size_t)(to->bytes.to - begin);
}
