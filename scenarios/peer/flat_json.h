/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flat_json.h: the string members of a JSON object: what a monitor's commands are written
 * in. A pure function; any thread.
 */
#ifndef MSGRLAB_SCENARIOS_PEER_FLAT_JSON_H
#define MSGRLAB_SCENARIOS_PEER_FLAT_JSON_H

#include "scenarios/peer/ceph_encoding.h"

/* The text of a string member of a flat JSON object, such as a command. Copies it to buf
 * with escapes resolved. 0; -ENOENT: there is no such member, or it is no string; -EBADMSG:
 * this is no JSON object; -EMSGSIZE: it does not fit. Nothing is written then. */
int flat_json_field(const struct ceph_text *json, const char *name, char *buf, size_t size);

#endif
