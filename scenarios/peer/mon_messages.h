/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mon_messages.h: what clients and monitors say to each other: one encode/decode pair per
 * payload (layouts as Ceph 16.2 puts them on the wire).
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

#include "engine/proto/wire.h"
#include "scenarios/peer/ceph_encoding.h"
#include "scenarios/peer/monmap.h"

/* Bounds: a payload beyond them is refused. */
#define MON_SUBSCRIBE_MAX 32
#define MON_COMMAND_MAX 8

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

struct mon_command {
    uint64_t version; /* of the paxos header */
    uint8_t fsid[CEPH_FSID_BYTES];
    uint32_t n;
    struct ceph_text words[MON_COMMAND_MAX]; /* a JSON object each; clients send one */
};

/* What the command printed travels in the data segment. */
struct mon_command_ack {
    uint64_t version;
    int32_t result; /* 0 or a negative errno */
    struct ceph_text status;
    uint32_t n;
    struct ceph_text words[MON_COMMAND_MAX]; /* the command again */
};

void mon_command_encode(struct wire_writer *w, const struct mon_command *f);
int mon_command_decode(struct wire_reader *r, struct mon_command *ret);
void mon_command_ack_encode(struct wire_writer *w, const struct mon_command_ack *f);
int mon_command_ack_decode(struct wire_reader *r, struct mon_command_ack *ret);

/* ---- COMMAND, which "ceph tell" sends to one daemon ---- */

struct daemon_command {
    uint8_t fsid[CEPH_FSID_BYTES];
    uint32_t n;
    struct ceph_text words[MON_COMMAND_MAX]; /* as in mon_command */
};

/* What the command printed travels in the data segment. */
struct daemon_command_reply {
    int32_t result; /* 0 or a negative errno */
    struct ceph_text status;
};

void command_encode(struct wire_writer *w, const struct daemon_command *f);
int command_decode(struct wire_reader *r, struct daemon_command *ret);
void command_reply_encode(struct wire_writer *w, const struct daemon_command_reply *f);

/* ---- how much there is ---- */

/* STATFS, of the cluster or of one pool. */
struct mon_statfs {
    uint8_t fsid[CEPH_FSID_BYTES];
    bool of_pool; /* then `pool` counts */
    int64_t pool;
};

int mon_statfs_decode(struct wire_reader *r, struct mon_statfs *ret);
/* STATFS_REPLY: no byte, no object. */
void mon_statfs_reply_encode_empty(struct wire_writer *w,
                                   const uint8_t fsid[CEPH_FSID_BYTES], uint64_t version);

/* GETPOOLSTATS. Names are checked and counted, not kept. */
struct mon_get_pool_stats {
    uint8_t fsid[CEPH_FSID_BYTES];
    uint32_t pools_n;
};

#define MON_GET_POOL_STATS_REPLY_VERSION 2

int mon_get_pool_stats_decode(struct wire_reader *r, struct mon_get_pool_stats *ret);
/* GETPOOLSTATSREPLY: none of them is there. */
void mon_get_pool_stats_reply_encode_empty(struct wire_writer *w,
                                           const uint8_t fsid[CEPH_FSID_BYTES],
                                           uint64_t version);

/* ---- POOLOP: make a pool or a snapshot of one, or take it away ---- */

struct mon_pool_op {
    uint8_t fsid[CEPH_FSID_BYTES];
    uint32_t pool, op;
    char name[MON_NAME_BYTES]; /* cut if longer; for people */
};

struct mon_pool_op_reply {
    const uint8_t *fsid; /* borrowed; CEPH_FSID_BYTES */
    uint64_t version;
    int32_t result; /* 0 or a negative errno */
    uint32_t epoch; /* of the osd map that shows it */
};

int mon_pool_op_decode(struct wire_reader *r, struct mon_pool_op *ret);
void mon_pool_op_reply_encode(struct wire_writer *w, const struct mon_pool_op_reply *f);
/* "create pool", ...; NULL: unknown. */
const char *mon_pool_op_name(uint32_t op);

/* ---- AUTH, of which msgr2 has no need ---- */

/* AUTH_REPLY that refuses, with its reason. */
void auth_reply_encode_refused(struct wire_writer *w, int32_t result, const char *why);

/* ---- PING ---- */

/* A monitor answers an empty PING with one string: its health as JSON. */
void mon_ping_encode(struct wire_writer *w, const struct ceph_text *health);
int mon_ping_decode(struct wire_reader *r, struct ceph_text *ret);

#endif
