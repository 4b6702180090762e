/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entity_addr.h: Ceph's addresses: (type, nonce, socket address), vectors of them, their
 * text form "v2:127.0.0.1:3300/0" and "[v2:...,v1:...]", their order, and their wire form
 * (doc/dev/msgr2.rst; pure functions, any thread).
 */
#ifndef MSGRLAB_ENGINE_ENTITY_ADDR_H
#define MSGRLAB_ENGINE_ENTITY_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "engine/limits.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wire_reader;
struct wire_writer;

enum entity_addr_type { ADDR_NONE = 0, ADDR_LEGACY = 1, ADDR_MSGR2 = 2, ADDR_ANY = 3 };

/* Entity types, as HELLO announces them. */
enum entity_type {
    ENTITY_MON = 1,
    ENTITY_MDS = 2,
    ENTITY_OSD = 4,
    ENTITY_CLIENT = 8,
    ENTITY_MGR = 0x10,
};

struct entity_addr {
    uint32_t type;  /* enum entity_addr_type */
    uint32_t nonce; /* tells two lives of one ip:port apart; 0 for monitors */
    union {         /* family AF_UNSPEC (0): a blank address */
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    };
};

struct entity_addrvec {
    uint32_t n;
    struct entity_addr v[ADDRVEC_MAX];
};

#define ENTITY_ADDR_TEXT 96 /* bytes that hold any address as text */
#define ENTITY_ADDRVEC_TEXT (ADDRVEC_MAX * ENTITY_ADDR_TEXT)

/* Length of the sockaddr inside; 0 for a blank one. */
socklen_t entity_addr_socklen(const struct entity_addr *addr);
/* From a kernel address; type and nonce as given. Unknown families become blank. */
struct entity_addr entity_addr_from_sockaddr(const struct sockaddr *sa, uint32_t type,
                                             uint32_t nonce);
bool entity_addr_is_blank(const struct entity_addr *addr);
bool entity_addr_is_ip_any(const struct entity_addr *addr); /* 0.0.0.0 or :: */
uint16_t entity_addr_port(const struct entity_addr *addr);  /* host order; 0 if blank */
void entity_addr_set_port(struct entity_addr *addr, uint16_t port);
/* Takes over ip (not port) of `from`, which has the same or a new family. */
void entity_addr_set_ip(struct entity_addr *addr, const struct entity_addr *from);
bool entity_addr_equal(const struct entity_addr *a, const struct entity_addr *b);
/* Ceph's order, which decides connection races: byte-wise over type (LE), nonce (LE) and
 * the first 28 bytes of the sockaddr as it lies in memory. < 0, 0, > 0. */
int entity_addr_compare(const struct entity_addr *a, const struct entity_addr *b);

/* "v2:127.0.0.1:3300/0", "v1:[::1]:6789/4", "any:...", "-" for blank. Returns buf. */
const char *entity_addr_text(const struct entity_addr *addr, char buf[ENTITY_ADDR_TEXT]);
/* Accepts [v1:|v2:|any:]IP[:PORT][/NONCE] with IPv6 in brackets; without a prefix
 * `default_type`, without a port `default_port`. No name resolution. 0, or -EINVAL with
 * *ret_why a static string that says what is wrong. */
int entity_addr_parse(const char *text, uint32_t default_type, uint16_t default_port,
                      struct entity_addr *ret, const char **ret_why);

bool entity_addrvec_equal(const struct entity_addrvec *a, const struct entity_addrvec *b);
bool entity_addrvec_contains(const struct entity_addrvec *vec,
                             const struct entity_addr *addr);
/* The first address of that type; NULL if there is none. */
const struct entity_addr *entity_addrvec_find(const struct entity_addrvec *vec,
                                              uint32_t type);
const char *entity_addrvec_text(const struct entity_addrvec *vec,
                                char buf[ENTITY_ADDRVEC_TEXT]);
/* "[a,b]" or a single address. As entity_addr_parse. */
int entity_addrvec_parse(const char *text, uint32_t default_type, uint16_t default_port,
                         struct entity_addrvec *ret, const char **ret_why);
/* A well-mixed hash, the same on every run, for lookup tables. */
uint64_t entity_addrvec_hash(const struct entity_addrvec *vec);

/* Wire form. Decoders return 0, or -EBADMSG. */
void entity_addr_encode(struct wire_writer *w, const struct entity_addr *addr);
int entity_addr_decode(struct wire_reader *r, struct entity_addr *ret);
void entity_addrvec_encode(struct wire_writer *w, const struct entity_addrvec *vec);
int entity_addrvec_decode(struct wire_reader *r, struct entity_addrvec *ret);

#ifdef __cplusplus
}
#endif

#endif
