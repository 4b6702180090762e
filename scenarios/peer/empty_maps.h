/* SPDX-License-Identifier: Apache-2.0 */
/*
 * empty_maps.h: the other maps of a cluster in which nobody is: no manager, no file system.
 * As Ceph 16.2 puts them into their messages. Encoding only: we never get one.
 *
 * Pure functions; no allocation, any thread. They fail (writer->failed) only when the
 * writer is too small.
 */
#ifndef MSGRLAB_SCENARIOS_PEER_EMPTY_MAPS_H
#define MSGRLAB_SCENARIOS_PEER_EMPTY_MAPS_H

#include <stdint.h>

#include "engine/proto/wire.h"

#define EMPTY_MAP_BYTES 256 /* holds each of them */

/* MGR_MAP: no active manager, no standby, no module. */
void mgr_map_encode(struct wire_writer *w, uint32_t epoch);
/* FS_MAP: no file system, no standby. */
void fs_map_encode(struct wire_writer *w, uint32_t epoch);
/* FS_MAP_USER: the same, in the short form for whoever mounts. */
void fs_map_user_encode(struct wire_writer *w, uint32_t epoch);

#endif
