/* SPDX-License-Identifier: Apache-2.0 */
/*
 * monmap.h: the monitor map, as Ceph 14 and later encode it. Pure functions, as those of
 * mon_messages.h.
 */
#ifndef MSGRLAB_SCENARIOS_PEER_MONMAP_H
#define MSGRLAB_SCENARIOS_PEER_MONMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/entity_addr.h"
#include "scenarios/peer/ceph_encoding.h"

/* Bounds: a map beyond them is refused, and the reason names them. */
#define MON_NAME_BYTES 64 /* of a monitor's name, NUL included */
#define MONMAP_MONS_MAX 32
#define MONMAP_ENCODE_BYTES 32768 /* holds any map these structs can hold */

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
/* Reads versions 6 (Ceph 14) to 9 and the known part of newer ones. 0, or -EBADMSG and the
 * reason in ret_why. */
#define MONMAP_WHY 96
int monmap_decode(struct wire_reader *r, struct monmap *ret, char ret_why[MONMAP_WHY]);

/* MON_MAP: the map as a blob. */
void mon_map_encode(struct wire_writer *w, const struct monmap *map);
int mon_map_decode(struct wire_reader *r, struct monmap *ret, char ret_why[MONMAP_WHY]);

#endif
