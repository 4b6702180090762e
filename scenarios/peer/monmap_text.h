/* SPDX-License-Identifier: Apache-2.0 */
/*
 * monmap_text.h: the monitor map as `ceph mon dump` prints it. Any thread.
 */
#ifndef MSGRLAB_SCENARIOS_PEER_MONMAP_TEXT_H
#define MSGRLAB_SCENARIOS_PEER_MONMAP_TEXT_H

#include <stdint.h>
#include <stdio.h>

#include "scenarios/peer/monmap.h"

#define FSID_TEXT 37

const char *fsid_text(const uint8_t fsid[CEPH_FSID_BYTES], char buf[FSID_TEXT]);
/* Line by line as `ceph mon dump` does, times in the local zone. */
void monmap_print(FILE *out, const struct monmap *map);
/* One line, with the names that `ceph mon dump -f json` uses. */
void monmap_print_json(FILE *out, const struct monmap *map);

#endif
