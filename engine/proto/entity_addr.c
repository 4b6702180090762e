/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entity_addr.c: values, order and wire form of addresses; entity_addr_text.c has their
 * text.
 *
 *     u8 1 | u8 version 1 | u8 compat 1 | u32 body bytes |                   an address
 *         u32 type | u32 nonce | u32 sockaddr bytes | u16 family | port, ip, ...
 *     u8 2 | u32 count | count addresses                                     a vector
 *
 * The sockaddr is Linux's, with a little-endian family and everything behind it as it lies
 * in memory. A vector of one may also start with the marker 1 of its only address.
 *
 * Comparing, hashing and encoding go through one canonical image (struct addr_image), so
 * bytes that mean nothing (sin_zero, the tail of the union) never count.
 */
#include "engine/entity_addr.h"

#include <errno.h>
#include <string.h>

#include "engine/util.h"
#include "engine/proto/wire.h"

#define ADDR_MARKER 1
#define ADDRVEC_MARKER 2
#define ADDR_VERSION 1
#define ADDR_FIXED_BYTES 12 /* type, nonce and sockaddr length */
#define SOCKADDR_BYTES_MAX 28

/* What a little-endian Ceph daemon has in memory: its order is that of these bytes. */
struct addr_image {
    uint8_t type[4], nonce[4], sockaddr[SOCKADDR_BYTES_MAX];
};

_Static_assert(sizeof(struct addr_image) == 8 + SOCKADDR_BYTES_MAX,
               "the image has no holes");
_Static_assert(sizeof(struct sockaddr_in6) == SOCKADDR_BYTES_MAX, "Linux's sockaddr_in6");

/* ---- values ---- */

socklen_t entity_addr_socklen(const struct entity_addr *addr)
{
    switch (addr->sa.sa_family) {
    case AF_INET:
        return sizeof(addr->in);
    case AF_INET6:
        return sizeof(addr->in6);
    default:
        return 0;
    }
}

struct entity_addr entity_addr_from_sockaddr(const struct sockaddr *sa, uint32_t type,
                                             uint32_t nonce)
{
    struct entity_addr addr;

    memset(&addr, 0, sizeof(addr));
    addr.type = type;
    addr.nonce = nonce;
    if (sa->sa_family == AF_INET) {
        memcpy(&addr.in, sa, sizeof(addr.in));
        memset(addr.in.sin_zero, 0, sizeof(addr.in.sin_zero));
    } else if (sa->sa_family == AF_INET6) {
        memcpy(&addr.in6, sa, sizeof(addr.in6));
    }
    return addr;
}

bool entity_addr_is_blank(const struct entity_addr *addr)
{
    return entity_addr_socklen(addr) == 0;
}

bool entity_addr_is_ip_any(const struct entity_addr *addr)
{
    switch (addr->sa.sa_family) {
    case AF_INET:
        return addr->in.sin_addr.s_addr == htonl(INADDR_ANY);
    case AF_INET6:
        return IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr);
    default:
        return false;
    }
}

uint16_t entity_addr_port(const struct entity_addr *addr)
{
    switch (addr->sa.sa_family) {
    case AF_INET:
        return ntohs(addr->in.sin_port);
    case AF_INET6:
        return ntohs(addr->in6.sin6_port);
    default:
        return 0;
    }
}

/* A blank address has no port and stays blank. */
void entity_addr_set_port(struct entity_addr *addr, uint16_t port)
{
    if (addr->sa.sa_family == AF_INET)
        addr->in.sin_port = htons(port);
    else if (addr->sa.sa_family == AF_INET6)
        addr->in6.sin6_port = htons(port);
}

/* A blank `from` has no ip to take over. */
void entity_addr_set_ip(struct entity_addr *addr, const struct entity_addr *from)
{
    uint16_t port = entity_addr_port(addr);

    if (entity_addr_is_blank(from))
        return;
    *addr = entity_addr_from_sockaddr(&from->sa, addr->type, addr->nonce);
    entity_addr_set_port(addr, port);
}

static struct addr_image image_of(const struct entity_addr *addr)
{
    struct entity_addr clean =
        entity_addr_from_sockaddr(&addr->sa, addr->type, addr->nonce);
    struct addr_image image = {0};

    wire_store_u32(image.type, clean.type);
    wire_store_u32(image.nonce, clean.nonce);
    memcpy(image.sockaddr, &clean.in6, SOCKADDR_BYTES_MAX);
    image.sockaddr[0] = (uint8_t)clean.sa.sa_family;
    image.sockaddr[1] = (uint8_t)(clean.sa.sa_family >> 8);
    return image;
}

bool entity_addr_equal(const struct entity_addr *a, const struct entity_addr *b)
{
    return entity_addr_compare(a, b) == 0;
}

int entity_addr_compare(const struct entity_addr *a, const struct entity_addr *b)
{
    struct addr_image left = image_of(a), right = image_of(b);

    return memcmp(&left, &right, sizeof(left));
}

/* ---- vectors ---- */

bool entity_addrvec_equal(const struct entity_addrvec *a, const struct entity_addrvec *b)
{
    if (a->n != b->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++) {
        if (!entity_addr_equal(&a->v[i], &b->v[i]))
            return false;
    }
    return true;
}

bool entity_addrvec_contains(const struct entity_addrvec *vec,
                             const struct entity_addr *addr)
{
    for (uint32_t i = 0; i < vec->n; i++) {
        if (entity_addr_equal(&vec->v[i], addr))
            return true;
    }
    return false;
}

const struct entity_addr *entity_addrvec_find(const struct entity_addrvec *vec,
                                              uint32_t type)
{
    for (uint32_t i = 0; i < vec->n; i++) {
        if (vec->v[i].type == type)
            return &vec->v[i];
    }
    return NULL;
}

/* FNV-1a over the images, then the finisher of splitmix64: FNV alone mixes its low bits
 * into the high ones poorly. Not meant to withstand an enemy. */
uint64_t entity_addrvec_hash(const struct entity_addrvec *vec)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (uint32_t i = 0; i < vec->n; i++) {
        struct addr_image image = image_of(&vec->v[i]);
        const uint8_t *bytes = (const uint8_t *)&image;

        for (size_t at = 0; at < sizeof(image); at++)
            hash = (hash ^ bytes[at]) * 0x100000001b3u;
    }
    hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ hash >> 27) * 0x94d049bb133111ebu;
    return hash ^ hash >> 31;
}

/* ---- wire form ---- */

void entity_addr_encode(struct wire_writer *w, const struct entity_addr *addr)
{
    struct addr_image image = image_of(addr);
    uint32_t len =
        entity_addr_is_blank(addr) ? SOCKADDR_BYTES_MAX : entity_addr_socklen(addr);

    wire_put_u8(w, ADDR_MARKER);
    wire_put_u8(w, ADDR_VERSION);
    wire_put_u8(w, ADDR_VERSION);
    wire_put_u32(w, ADDR_FIXED_BYTES + len);
    wire_put_bytes(w, image.type, sizeof(image.type));
    wire_put_bytes(w, image.nonce, sizeof(image.nonce));
    wire_put_u32(w, len);
    wire_put_bytes(w, image.sockaddr, len);
}

/* The sockaddr of an address body. As Ceph does, a shorter one than its family has is
 * filled up with zeros, a longer one is refused; no bytes at all and family 0 both mean
 * blank. */
static int decode_sockaddr(struct wire_reader *body, struct entity_addr *ret)
{
    struct entity_addr addr;
    size_t len, family_len;
    const uint8_t *bytes = wire_get_blob(body, &len);
    uint16_t family;

    memset(&addr, 0, sizeof(addr));
    if (body->failed || len == 1)
        return -EBADMSG;
    family = len == 0 ? AF_UNSPEC : (uint16_t)(bytes[0] | bytes[1] << 8);
    addr.sa.sa_family = family;
    family_len = family == AF_UNSPEC ? SOCKADDR_BYTES_MAX : entity_addr_socklen(&addr);
    if (len > family_len)
        return -EBADMSG;
    if (family != AF_UNSPEC)
        memcpy((uint8_t *)&addr.in6 + sizeof(family), bytes + sizeof(family),
               len - sizeof(family));
    *ret = entity_addr_from_sockaddr(&addr.sa, ret->type, ret->nonce);
    return 0;
}

int entity_addr_decode(struct wire_reader *r, struct entity_addr *ret)
{
    struct entity_addr addr;
    struct wire_reader body;
    uint8_t marker = wire_get_u8(r), compat;
    const uint8_t *bytes;
    size_t len;

    wire_get_u8(r); /* version: newer ones only append, and the surplus is skipped */
    compat = wire_get_u8(r);
    bytes = wire_get_blob(r, &len);
    if (r->failed || marker != ADDR_MARKER || compat > ADDR_VERSION)
        goto bad;
    body = wire_reader(bytes, len);
    addr.type = wire_get_u32(&body);
    addr.nonce = wire_get_u32(&body);
    if (decode_sockaddr(&body, &addr) < 0)
        goto bad;
    *ret = addr;
    return 0;
bad:
    r->failed = true;
    return -EBADMSG;
}

void entity_addrvec_encode(struct wire_writer *w, const struct entity_addrvec *vec)
{
    CHECK(vec->n <= ADDRVEC_MAX);
    wire_put_u8(w, ADDRVEC_MARKER);
    wire_put_u32(w, vec->n);
    for (uint32_t i = 0; i < vec->n; i++)
        entity_addr_encode(w, &vec->v[i]);
}

int entity_addrvec_decode(struct wire_reader *r, struct entity_addrvec *ret)
{
    struct entity_addrvec vec = {.n = 1};

    if (!r->failed && wire_left(r) > 0 && r->at[0] == ADDRVEC_MARKER) {
        wire_get_u8(r);
        vec.n = wire_get_u32(r);
    }
    if (vec.n > ADDRVEC_MAX)
        r->failed = true;
    for (uint32_t i = 0; i < vec.n && !r->failed; i++)
        entity_addr_decode(r, &vec.v[i]);
    if (r->failed)
        return -EBADMSG;
    *ret = vec;
    return 0;
}
