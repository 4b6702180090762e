/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_defaults.h: what a run is unless somebody asked for something else: by itself, and by
 * what its script says it is about, in the comment it begins with:
 *
 *     -- stack: tcp          its network stack: tcp or rdma
 *     -- world: sim          the only world it can run in: sim or linux
 *
 * Any thread.
 */
#ifndef MSGRLAB_SCENARIOS_RUN_RUN_DEFAULTS_H
#define MSGRLAB_SCENARIOS_RUN_RUN_DEFAULTS_H

#include <stddef.h>

#include "scenarios/run/run.h"

#define RUN_DEFAULTS_WHY (RUN_SCRIPT_PATH + 200)

/* In the simulated world, its stack not settled yet. */
void run_defaults(struct run_opts *ret);

/* Finds opts->script (script_find.h), which then points into opts, so that copies must not
 * outlive it. Settles the stack if none was asked for: the one that the script is about;
 * else RDMA in the simulated world, where every machine has a device, and TCP on Linux.
 * Notes the world it is for.
 *
 * 0; or with a sentence in `why` -ENOENT: there is no such script;
 * -EINVAL: it is about something that there is not; another negative errno: it cannot be
 * read. */
int run_defaults_script(struct run_opts *opts, char *why, size_t size);

#endif
