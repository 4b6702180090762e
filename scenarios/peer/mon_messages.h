/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mon_messages.h: what clients and monitors say to each other, and the monitor map itself:
 * one encode/decode pair per payload (layouts as Ceph 16.2 puts them on the wire).
 *
 * Pure functions: bytes in, structs out, and back. No fd, no clock, no allocation; any
 * thread. Decoders never read past what they are given, skip trailing bytes and newer
 * fields they do not know, check every count and length, and return 0 or -EBADMSG; on
 * failure the output is not to be used. Texts of a peer that may be printed are refused if
 * they hold control characters. Pointers in decoded structs point into the input. Encoders
 * fail (writer->failed) only when the writer is too small.
 */
#ifndef MSGRLAB_SCENARIOS_PEER_MON_MESSAGES_H
#define MSGRLAB_SCENARIOS_PEER_MON_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/entity_addr.h"
#include "engine/proto/wire.h"

/* Bounds: a payload beyond them is refused. */
#define MON_NAME_BYTES 64 /* of a monitor's name, NUL included */
#define MONMAP_MONS_MAX 32
#define MON_SUBSCRIBE_MAX 32
#define MON_COMMAND_MAX 8
#define CEPH_FSID_BYTES 16
#define MONMAP_ENCODE_BYTES 32768 /* holds any map these structs can hold */

struct ceph_time {
    uint32_t sec, nsec; /* since 1970, UTC */
};

/* ---- the monitor map ---- */

struct mon_info {
    char name[MON_NAME_BYTES];
    struct entity_addrvec addrs;
    uint16_t priority, weight;
};

/*
 *  u8 version, u8 compat, u32 length
 *    fsid, epoch, last_changed, created, persistent features, optional features,
 *    map name -> mon_info, ranks                                          version 6
 *    min_mon_release                                                      version 7
 *    removed ranks, election strategy, disallowed leaders                 version 8
 *    stretch mode, tiebreaker, stretch-marked-down monitors               version 9
 */
struct monmap {
    uint8_t version; /* of the encoding that was decoded; not used by the encoder */
    uint8_t fsid[CEPH_FSID_BYTES];
    uint32_t epoch;
    struct ceph_time last_changed, created;
    uint64_t persistent_features, optional_features;
    uint32_t mons_n;
    struct mon_info mons[MONMAP_MONS_MAX]; /* by rank */
    uint8_t min_mon_release;               /* 0: not in the map */
    uint8_t election_strategy;             /* 0: not in the map */
    uint32_t disallowed_n;
    char disallowed[MONMAP_MONS_MAX][MON_NAME_BYTES]; /* never leaders */
    bool stretch_mode;
    char tiebreaker[MON_NAME_BYTES];
};

/* Encodes version 9, which every Ceph since 16 writes. */
void monmap_encode(struct wire_writer *w, const struct monmap *map);
/* Reads versions 6 (Ceph 14) to 9 and the known part of newer ones. *ret_why is a static
 * string on failure. */
int monmap_decode(struct wire_reader *r, struct monmap *ret, const char **ret_why);

/* MON_MAP: the map as a blob. */
void mon_map_encode(struct wire_writer *w, const struct monmap *map);
int mon_map_decode(struct wire_reader *r, struct monmap *ret, const char **ret_why);

/* MON_GET_MAP has an empty payload. */

/* ---- subscriptions and configuration ---- */

#define MON_SUBSCRIBE_ONCE 1

struct mon_subscribe {
    uint32_t n;
    struct mon_subscription {
        char what[MON_NAME_BYTES]; /* "config", "monmap", "osdmap", ... */
        uint64_t start;            /* the first epoch that is wanted */
        uint8_t flags;
    } items[MON_SUBSCRIBE_MAX];
    char hostname[MON_NAME_BYTES * 4]; /* "" in messages before version 3 */
};

void mon_subscribe_encode(struct wire_writer *w, const struct mon_subscribe *f);
int mon_subscribe_decode(struct wire_reader *r, struct mon_subscribe *ret);

/* CONFIG without any option: nothing differs from what the client was built with. */
void config_encode_empty(struct wire_writer *w);

/* ---- versions ---- */

struct mon_get_version {
    uint64_t handle;           /* comes back in the reply */
    char what[MON_NAME_BYTES]; /* of which map */
};

struct mon_get_version_reply {
    uint64_t handle, newest, oldest;
};

#define MON_GET_VERSION_REPLY_VERSION 2

void mon_get_version_encode(struct wire_writer *w, const struct mon_get_version *f);
int mon_get_version_decode(struct wire_reader *r, struct mon_get_version *ret);
void mon_get_version_reply_encode(struct wire_writer *w,
                                  const struct mon_get_version_reply *f);
int mon_get_version_reply_decode(struct wire_reader *r, struct mon_get_version_reply *ret);

/* ---- commands ---- */

struct mon_text {
    const char *text; /* not terminated */
    size_t len;
};

struct mon_command {
    uint64_t version; /* of the paxos header */
    uint8_t fsid[CEPH_FSID_BYTES];
    uint32_t n;
    struct mon_text words[MON_COMMAND_MAX]; /* a JSON object each; clients send one */
};

/* What the command printed travels in the data segment. */
struct mon_command_ack {
    uint64_t version;
    int32_t result; /* 0 or a negative errno */
    struct mon_text status;
    uint32_t n;
    struct mon_text words[MON_COMMAND_MAX]; /* the command again */
};

void mon_command_encode(struct wire_writer *w, const struct mon_command *f);
int mon_command_decode(struct wire_reader *r, struct mon_command *ret);
void mon_command_ack_encode(struct wire_writer *w, const struct mon_command_ack *f);
int mon_command_ack_decode(struct wire_reader *r, struct mon_command_ack *ret);

/* The text of a string member of a flat JSON object, such as a command. Copies it to buf
 * with escapes resolved. 0; -ENOENT: there is no such member, or it is no string; -EBADMSG:
 * this is no JSON object; -EMSGSIZE: it does not fit. Nothing is written then. */
int mon_command_field(const struct mon_text *json, const char *name, char *buf,
                      size_t size);

/* ---- PING ---- */

/* A monitor answers an empty PING with one string: its health as JSON. */
void mon_ping_encode(struct wire_writer *w, const struct mon_text *health);
int mon_ping_decode(struct wire_reader *r, struct mon_text *ret);

#endif
