/* SPDX-License-Identifier: Apache-2.0 */
/*
 * osdmap.h: the OSD map of a cluster that has no OSD and no pool yet: what a new Ceph 16.2
 * monitor gives out as epoch 1, byte for byte. Encoding only: we never get one.
 *
 * Pure functions; no allocation, any thread. They fail (writer->failed) only when the
 * writer is too small.
 */
#ifndef MSGRLAB_SCENARIOS_PEER_OSDMAP_H
#define MSGRLAB_SCENARIOS_PEER_OSDMAP_H

#include <stdint.h>

#include "engine/proto/wire.h"
#include "scenarios/peer/ceph_encoding.h"

#define OSDMAP_ENCODE_BYTES 1024 /* holds the map and its message */

struct new_osdmap {
    const uint8_t *fsid; /* borrowed; CEPH_FSID_BYTES */
    uint32_t epoch;
    struct ceph_time created;
};

/*
 *  u8 version 8, u8 compat 7, u32 length
 *    for clients   version 9: fsid, epoch, times, pools, flags, osds, placement, crush map,
 *                  erasure code profiles, upmaps
 *    for osds      version 9: addresses and states of osds, ratios, releases
 *    u32 crc32c over all before it
 */
void osdmap_encode(struct wire_writer *w, const struct new_osdmap *map);

#define OSD_MAP_VERSION 4
#define OSD_MAP_COMPAT 3
/* OSD_MAP with the whole map, the only epoch there is. */
void osd_map_encode(struct wire_writer *w, const struct new_osdmap *map);

#endif
