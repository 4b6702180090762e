/* SPDX-License-Identifier: Apache-2.0 */
/* monmap.c: the monitor map, and the message that carries it. */
#include "scenarios/peer/monmap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/util.h"

#define MONMAP_VERSION 9
#define MONMAP_COMPAT 6
#define MON_INFO_VERSION 5
#define MON_INFO_COMPAT 1
#define FEATURE_VERSION 1
#define MONMAP_FIRST_WITH_RANKS 6

/* ---- the monitor map: pieces ---- */

static void put_features(struct wire_writer *w, uint64_t features)
{
    uint8_t *length = ceph_begin_envelope(w, FEATURE_VERSION, FEATURE_VERSION);

    wire_put_u64(w, features);
    ceph_end_envelope(w, length);
}

static uint64_t get_features(struct wire_reader *r)
{
    uint8_t version;
    struct wire_reader in = ceph_get_envelope(r, FEATURE_VERSION, &version);
    uint64_t features = wire_get_u64(&in);

    r->failed = r->failed || in.failed;
    return features;
}

static void put_mon_info(struct wire_writer *w, const struct mon_info *mon)
{
    uint8_t *length = ceph_begin_envelope(w, MON_INFO_VERSION, MON_INFO_COMPAT);

    ceph_put_text(w, mon->name);
    entity_addrvec_encode(w, &mon->addrs);
    wire_put_u16(w, mon->priority);
    wire_put_u16(w, mon->weight);
    wire_put_u32(w, 0); /* an empty crush location */
    ceph_end_envelope(w, length);
}

static void get_mon_info(struct wire_reader *r, struct mon_info *ret)
{
    uint8_t version;
    struct wire_reader in = ceph_get_envelope(r, MON_INFO_VERSION, &version);

    *ret = (struct mon_info){0};
    ceph_get_text(&in, ret->name, sizeof(ret->name));
    if (in.failed || entity_addrvec_decode(&in, &ret->addrs) < 0) {
        r->failed = true;
        return;
    }
    ret->priority = version >= 2 ? wire_get_u16(&in) : 0;
    ret->weight = version >= 4 ? wire_get_u16(&in) : 0;
    r->failed = r->failed || in.failed;
}

/* ---- the monitor map ---- */

/* Ceph keeps this map sorted by name; the ranks say the other order. */
static void put_mons(struct wire_writer *w, const struct monmap *map)
{
    const struct mon_info *last = NULL;

    wire_put_u32(w, map->mons_n);
    for (uint32_t done = 0; done < map->mons_n; done++) {
        const struct mon_info *next = NULL;

        for (uint32_t i = 0; i < map->mons_n; i++) {
            const struct mon_info *mon = &map->mons[i];

            if ((last == NULL || strcmp(mon->name, last->name) > 0) &&
                (next == NULL || strcmp(mon->name, next->name) < 0)) {
                next = mon;
            }
        }
        CHECK(next != NULL); /* names are unique */
        ceph_put_text(w, next->name);
        put_mon_info(w, next);
        last = next;
    }
}

void monmap_encode(struct wire_writer *w, const struct monmap *map)
{
    uint8_t *length = ceph_begin_envelope(w, MONMAP_VERSION, MONMAP_COMPAT);

    CHECK(map->mons_n <= MONMAP_MONS_MAX && map->disallowed_n <= MONMAP_MONS_MAX);
    wire_put_bytes(w, map->fsid, sizeof(map->fsid));
    wire_put_u32(w, map->epoch);
    ceph_put_time(w, &map->last_changed);
    ceph_put_time(w, &map->created);
    put_features(w, map->persistent_features);
    put_features(w, map->optional_features);
    put_mons(w, map);
    wire_put_u32(w, map->mons_n);
    for (uint32_t i = 0; i < map->mons_n; i++) {
        ceph_put_text(w, map->mons[i].name);
    }
    wire_put_u8(w, map->min_mon_release);
    wire_put_u32(w, 0); /* no removed ranks */
    wire_put_u8(w, map->election_strategy);
    wire_put_u32(w, map->disallowed_n);
    for (uint32_t i = 0; i < map->disallowed_n; i++) {
        ceph_put_text(w, map->disallowed[i]);
    }
    wire_put_u8(w, map->stretch_mode);
    ceph_put_text(w, map->tiebreaker);
    wire_put_u32(w, 0); /* no monitor is marked down */
    ceph_end_envelope(w, length);
}

static void get_mons(struct wire_reader *r, struct monmap *map)
{
    map->mons_n = wire_get_u32(r);
    if (map->mons_n > MONMAP_MONS_MAX) {
        r->failed = true;
    }
    for (uint32_t i = 0; i < map->mons_n && !r->failed; i++) {
        ceph_skip_text(r); /* the key is the name again */
        get_mon_info(r, &map->mons[i]);
    }
}

/* Brings the monitors into the order of the ranks that follow. */
static void get_ranks(struct wire_reader *r, struct monmap *map)
{
    uint32_t n = wire_get_u32(r);

    r->failed = r->failed || n != map->mons_n;
    for (uint32_t rank = 0; rank < n && !r->failed; rank++) {
        char name[MON_NAME_BYTES];
        uint32_t at = rank;

        ceph_get_text(r, name, sizeof(name));
        for (uint32_t i = 0; i < rank; i++) {
            r->failed = r->failed || strcmp(map->mons[i].name, name) == 0; /* twice */
        }
        while (at < n && strcmp(map->mons[at].name, name) != 0) {
            at++;
        }
        if (r->failed || at == n) {
            r->failed = true;
        } else if (at != rank) {
            struct mon_info mon = map->mons[at];

            map->mons[at] = map->mons[rank];
            map->mons[rank] = mon;
        }
    }
}

static void get_election(struct wire_reader *r, struct monmap *map)
{
    ceph_skip_array(r, sizeof(uint32_t)); /* removed ranks */
    map->election_strategy = wire_get_u8(r);
    map->disallowed_n = wire_get_u32(r);
    if (map->disallowed_n > MONMAP_MONS_MAX) {
        r->failed = true;
    }
    for (uint32_t i = 0; i < map->disallowed_n && !r->failed; i++) {
        ceph_get_text(r, map->disallowed[i], sizeof(map->disallowed[i]));
    }
}

static void get_body(struct wire_reader *in, struct monmap *map)
{
    const uint8_t *fsid = wire_get_bytes(in, CEPH_FSID_BYTES);

    if (fsid != NULL) {
        memcpy(map->fsid, fsid, CEPH_FSID_BYTES);
    }
    map->epoch = wire_get_u32(in);
    map->last_changed = ceph_get_time(in);
    map->created = ceph_get_time(in);
    map->persistent_features = get_features(in);
    map->optional_features = get_features(in);
    get_mons(in, map);
    get_ranks(in, map);
    if (map->version >= 7) {
        map->min_mon_release = wire_get_u8(in);
    }
    if (map->version >= 8) {
        get_election(in, map);
    }
    if (map->version >= 9) {
        map->stretch_mode = wire_get_u8(in) != 0;
        ceph_get_text(in, map->tiebreaker, sizeof(map->tiebreaker));
    }
}

static int refuse_map(char *ret_why, const char *why)
{
    snprintf(ret_why, MONMAP_WHY, "%s", why);
    return -EBADMSG;
}

int monmap_decode(struct wire_reader *r, struct monmap *ret, char ret_why[MONMAP_WHY])
{
    uint8_t version, compat = wire_left(r) >= 2 ? r->at[1] : 0;
    struct wire_reader in = ceph_get_envelope(r, MONMAP_VERSION, &version);

    if (!r->failed && compat > MONMAP_VERSION) {
        return refuse_map(ret_why, "the monmap is in an encoding newer than version 9");
    }
    if (!r->failed && version < MONMAP_FIRST_WITH_RANKS) {
        return refuse_map(ret_why,
                          "the monmap is in an encoding older than version 6 (Ceph 14)");
    }
    *ret = (struct monmap){.version = version};
    get_body(&in, ret);
    if (ret->mons_n > MONMAP_MONS_MAX || ret->disallowed_n > MONMAP_MONS_MAX) {
        snprintf(ret_why, MONMAP_WHY, "the monmap has %" PRIu32 " %s, and our limit is %d",
                 MAX(ret->mons_n, ret->disallowed_n),
                 ret->mons_n > MONMAP_MONS_MAX ? "monitors" : "disallowed leaders",
                 MONMAP_MONS_MAX);
        return -EBADMSG;
    }
    if (in.failed || r->failed) {
        return refuse_map(ret_why, "the monmap is cut, contradicts itself, or has a name "
                                   "that is too long or not printable");
    }
    return 0;
}

void mon_map_encode(struct wire_writer *w, const struct monmap *map)
{
    uint8_t *length = ceph_begin_blob(w);

    monmap_encode(w, map);
    ceph_end_envelope(w, length);
}

int mon_map_decode(struct wire_reader *r, struct monmap *ret, char ret_why[MONMAP_WHY])
{
    size_t len;
    const uint8_t *blob = wire_get_blob(r, &len);
    struct wire_reader in;

    if (blob == NULL) {
        return refuse_map(ret_why, "the payload is cut");
    }
    in = wire_reader(blob, len);
    return monmap_decode(&in, ret, ret_why);
}
