/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile.h: what kind of world a seed gets. A profile is a list of knobs; each knob of
 * each seed is one decision at site `swarm`, with the knob's name as its actor:
 *
 *     swarm latency 0 5            the sixth of the values that `latency` has
 *
 * Half of the knobs stay at 0, the plain world, so that seeds differ in which features
 * exist at all, not only in how much of each. A replay finds its knobs in the log, and
 * shrinking turns off those that do not matter.
 *
 *   none      no knob: what the options say
 *   schedule  who runs when: strategies and their rates; nothing fails
 *   lite      and links, buffers, short reads and writes, delays; and at low rates what
 *             the script accepts (sim_faults_accept)
 *   chaos     everything the script accepts, at higher rates; links that are cut
 *
 * Values are only ever added behind those that are there: logs refer to them by number.
 */
#ifndef MSGRLAB_SIM_CAMPAIGN_PROFILE_H
#define MSGRLAB_SIM_CAMPAIGN_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/world/world.h"

struct sim_faults;

enum sim_profile { PROFILE_NONE, PROFILE_SCHEDULE, PROFILE_LITE, PROFILE_CHAOS };

extern const char *const profile_names[4];
/* -1 for an unknown name; NULL is "none". */
int profile_by_name(const char *name);

/* Draws from `d` what the world is made of and changes `opts`. A function of d's seed and
 * overrides alone: the world that is made from them is drawn for again, from its own
 * decisions, so that its log has the knobs. `keep_strategy`: somebody chose one. */
void profile_shape(enum sim_profile profile, struct sim_decisions *d, bool keep_strategy,
                   struct sim_world_opts *opts);
/* Draws the rates of all faults whose consequences are accepted and within `consequences`
 * (so that it can be called again when a script accepts more). */
void profile_arm(enum sim_profile profile, struct sim_decisions *d, struct sim_faults *f,
                 int consequences);

/* A knob of a script's own: 0 .. n-1. The same name drawn again is another occurrence; the
 * caller keeps the actor. */
uint64_t profile_pick(struct sim_decisions *d, struct sim_actor *knob, uint64_t n);

#endif
