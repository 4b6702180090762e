/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve.h: what the parts of `msgrlab peer serve` share. Private to them.
 *
 *   serve.c     its life: listening, sessions, callers without one
 *   answers.c   a message of a client and its answer
 *   commands.c  the commands, and what they print
 */
#ifndef MSGRLAB_SCENARIOS_PEER_SERVE_H
#define MSGRLAB_SCENARIOS_PEER_SERVE_H

#include "scenarios/peer/mon_messages.h"
#include "scenarios/peer/monmap_text.h"
#include "scenarios/peer/node.h"
#include "scenarios/peer/osdmap.h"
#include "scenarios/peer/reasons.h"

#define MON_NAME "msgrlab"
/* Every map is in its first epoch and stays there. */
#define MAP_EPOCH 1
#define NOTE "this is msgrlab, a laboratory, not a cluster"

struct server {
    struct peer peer;
    struct monmap map; /* does not change while it serves, nor do the next three */
    char fsid[FSID_TEXT];
    struct new_osdmap osdmap; /* borrows from map */
    struct entity_addrvec bound;

    struct os_mutex *lock; /* owned; guards the rest, which ms_dispatch writes */
    uint32_t open;
    uint64_t sessions, messages, last_close_ns, too_long;
    struct refusals refusals;
};

/* ---- answers.c ---- */

/* Answers the message and writes what was asked and answered to `line`, without a newline.
 * False: it is none that can be answered, and the session is of no use any more; the line
 * says why. On ms_dispatch. */
bool serve_answer(struct server *s, const struct message *msg, FILE *line);

/* ---- commands.c ---- */

/* What a command wrote, and the one-line status that comes with it. */
struct command_output {
    FILE *file;
    bool json;
    int result; /* 0 or a negative errno */
    const char *status;
};

/* Runs the command that a JSON object names, as Ceph's clients send them; `out->file` is
 * the caller's. Puts its prefix into `name`, for people. On ms_dispatch. */
#define COMMAND_NAME 256
void serve_command(struct server *s, const struct ceph_text *json,
                   struct command_output *out, char name[COMMAND_NAME]);

#endif
