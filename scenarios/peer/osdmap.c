/* SPDX-License-Identifier: Apache-2.0 */
/* osdmap.c: the first OSD map of a cluster: a CRUSH root and nothing below it. */
#include "scenarios/peer/osdmap.h"

#include <string.h>

#include "engine/base/crc32c.h"
#include "engine/util.h"

#define OSDMAP_VERSION 8
#define OSDMAP_COMPAT 7
#define CLIENT_PART_VERSION 9
#define OSD_PART_VERSION 9

/* What a new cluster of 16.2 sets: sortbitwise, recovery_deletes, purged_snapdirs,
 * pglog_hardlimit. */
#define FLAGS_OF_NEW_CLUSTER 0x588000
#define RELEASE_LUMINOUS 12 /* oldest client that may come */
#define RELEASE_PACIFIC 16
/* Floats as they lie in memory. */
#define FULL_RATIO 0x3f733333         /* 0.95 */
#define NEARFULL_RATIO 0x3f59999a     /* 0.85 */
#define BACKFILLFULL_RATIO 0x3f666666 /* 0.90 */

#define CRUSH_MAGIC 0x00010000
#define CRUSH_BUCKETS 8 /* slots; one is in use */
#define CRUSH_ROOT_ID ((uint32_t)-1)
#define CRUSH_ROOT_TYPE 11
#define CRUSH_STRAW2 5
#define CRUSH_LEGAL_ALGORITHMS 0x36 /* uniform, list, straw, straw2 */
#define CRUSH_TRIES 50
#define STEP_TAKE 1
#define STEP_EMIT 4
#define STEP_CHOOSELEAF_FIRSTN 6

/* n empty vectors or maps. */
static void put_empty(struct wire_writer *w, int n)
{
    for (int i = 0; i < n; i++) {
        wire_put_u32(w, 0);
    }
}

/* ---- CRUSH ---- */

static void put_buckets(struct wire_writer *w)
{
    wire_put_u32(w, CRUSH_STRAW2); /* the slot is in use, and how */
    wire_put_u32(w, CRUSH_ROOT_ID);
    wire_put_u16(w, CRUSH_ROOT_TYPE);
    wire_put_u8(w, CRUSH_STRAW2);
    wire_put_u8(w, 0);  /* hash: rjenkins1 */
    wire_put_u32(w, 0); /* weight */
    wire_put_u32(w, 0); /* items */
    put_empty(w, CRUSH_BUCKETS - 1);
}

static void put_step(struct wire_writer *w, uint32_t op, uint32_t arg1, uint32_t arg2)
{
    wire_put_u32(w, op);
    wire_put_u32(w, arg1);
    wire_put_u32(w, arg2);
}

/* replicated_rule: one replica a host below the root. */
static void put_rule(struct wire_writer *w)
{
    wire_put_u32(w, 1); /* the slot is in use */
    wire_put_u32(w, 3); /* steps */
    wire_put_u8(w, 0);  /* ruleset */
    wire_put_u8(w, 1);  /* for replicated pools */
    wire_put_u8(w, 1);  /* of 1 ... */
    wire_put_u8(w, 10); /* ... to 10 replicas */
    put_step(w, STEP_TAKE, CRUSH_ROOT_ID, 0);
    put_step(w, STEP_CHOOSELEAF_FIRSTN, 0, 1);
    put_step(w, STEP_EMIT, 0, 0);
}

static void put_names(struct wire_writer *w)
{
    static const char *const types[] = {"osd",        "host", "chassis", "rack",
                                        "row",        "pdu",  "pod",     "room",
                                        "datacenter", "zone", "region",  "root"};

    wire_put_u32(w, ARRAY_SIZE(types));
    for (uint32_t i = 0; i < ARRAY_SIZE(types); i++) {
        wire_put_u32(w, i);
        ceph_put_text(w, types[i]);
    }
    wire_put_u32(w, 1);
    wire_put_u32(w, CRUSH_ROOT_ID);
    ceph_put_text(w, "default");
    wire_put_u32(w, 1);
    wire_put_u32(w, 0);
    ceph_put_text(w, "replicated_rule");
}

static void put_tunables(struct wire_writer *w)
{
    wire_put_u32(w, 0); /* choose_local_tries */
    wire_put_u32(w, 0); /* choose_local_fallback_tries */
    wire_put_u32(w, CRUSH_TRIES);
    wire_put_u32(w, 1); /* chooseleaf_descend_once */
    wire_put_u8(w, 1);  /* chooseleaf_vary_r */
    wire_put_u8(w, 1);  /* straw_calc_version */
    wire_put_u32(w, CRUSH_LEGAL_ALGORITHMS);
    wire_put_u8(w, 1); /* chooseleaf_stable */
}

static void put_crush(struct wire_writer *w)
{
    uint8_t *length = ceph_begin_blob(w);

    wire_put_u32(w, CRUSH_MAGIC);
    wire_put_u32(w, CRUSH_BUCKETS);
    wire_put_u32(w, 1); /* rules */
    wire_put_u32(w, 0); /* devices */
    put_buckets(w);
    put_rule(w);
    put_names(w);
    put_tunables(w);
    put_empty(w, 4); /* device classes, their names and buckets; weight sets */
    ceph_end_envelope(w, length);
}

/* ---- the map ---- */

static void put_default_profile(struct wire_writer *w)
{
    static const char *const pairs[][2] = {
        {"k", "2"}, {"m", "2"}, {"plugin", "jerasure"}, {"technique", "reed_sol_van"}};

    wire_put_u32(w, 1);
    ceph_put_text(w, "default");
    wire_put_u32(w, ARRAY_SIZE(pairs));
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        ceph_put_text(w, pairs[i][0]);
        ceph_put_text(w, pairs[i][1]);
    }
}

static void put_client_part(struct wire_writer *w, const struct new_osdmap *map)
{
    const struct ceph_time never = {0};
    uint8_t *length = ceph_begin_envelope(w, CLIENT_PART_VERSION, 1);

    wire_put_bytes(w, map->fsid, CEPH_FSID_BYTES);
    wire_put_u32(w, map->epoch);
    ceph_put_time(w, &map->created);
    ceph_put_time(w, &map->created); /* modified */
    put_empty(w, 2);                 /* pools, their names */
    wire_put_u32(w, 0);              /* the last pool's number */
    wire_put_u32(w, FLAGS_OF_NEW_CLUSTER);
    wire_put_u32(w, 0); /* max_osd */
    put_empty(w, 6); /* osd states, weights, addresses; pg_temp, primary_temp, affinity */
    put_crush(w);
    put_default_profile(w);
    put_empty(w, 2);    /* pg_upmap, pg_upmap_items */
    wire_put_u32(w, 1); /* version of the crush map */
    put_empty(w, 2);    /* removed and purged snapshots */
    ceph_put_time(w, &never);
    ceph_put_time(w, &never); /* last time an osd was up, was in */
    ceph_end_envelope(w, length);
}

static void put_osd_part(struct wire_writer *w)
{
    uint8_t *length = ceph_begin_envelope(w, OSD_PART_VERSION, 1);

    put_empty(w, 4);      /* heartbeat addresses, osd infos, blocklist, cluster addresses */
    wire_put_u32(w, 0);   /* cluster snapshot: its epoch ... */
    ceph_put_text(w, ""); /* ... and name */
    put_empty(w, 3);      /* osd uuids, extended infos, front heartbeat addresses */
    wire_put_u32(w, NEARFULL_RATIO);
    wire_put_u32(w, FULL_RATIO);
    wire_put_u32(w, BACKFILLFULL_RATIO);
    wire_put_u8(w, RELEASE_LUMINOUS);
    wire_put_u8(w, RELEASE_PACIFIC);
    put_empty(w, 3); /* snapshots being removed; flags of crush nodes, of device classes */
    ceph_end_envelope(w, length);
}

void osdmap_encode(struct wire_writer *w, const struct new_osdmap *map)
{
    uint8_t *start = w->at, *length = ceph_begin_envelope(w, OSDMAP_VERSION, OSDMAP_COMPAT);

    put_client_part(w, map);
    put_osd_part(w);
    wire_put_u32(w, 0);
    ceph_end_envelope(w, length);
    if (!w->failed) {
        size_t covered = (size_t)(w->at - start) - 4; /* the length before it included */

        wire_store_u32(w->at - 4, crc32c(CRC32C_SEED_SEGMENT, start, covered));
    }
}

void osd_map_encode(struct wire_writer *w, const struct new_osdmap *map)
{
    uint8_t *length;

    wire_put_bytes(w, map->fsid, CEPH_FSID_BYTES);
    wire_put_u32(w, 0); /* incremental maps */
    wire_put_u32(w, 1); /* whole maps */
    wire_put_u32(w, map->epoch);
    length = ceph_begin_blob(w);
    osdmap_encode(w, map);
    ceph_end_envelope(w, length);
    wire_put_u32(w, map->epoch); /* oldest */
    wire_put_u32(w, map->epoch); /* newest */
    wire_put_u32(w, 0);          /* snapshots removed in between */
}
