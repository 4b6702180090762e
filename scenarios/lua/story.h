/* SPDX-License-Identifier: Apache-2.0 */
/*
 * story.h: what a script needs of the run that it is told in, and what it leaves behind
 * there. The run owns it and hands it down as lua_host's `user`.
 *
 * The scenario's thread only.
 */
#ifndef MSGRLAB_SCENARIOS_LUA_STORY_H
#define MSGRLAB_SCENARIOS_LUA_STORY_H

#include <stdbool.h>
#include <stdint.h>

struct expect_list;
struct lab;
struct lab_inbox;
struct setting;
struct world;

struct story {
    struct world *world;              /* borrowed */
    struct lab *lab;                  /* borrowed */
    struct expect_list *expectations; /* borrowed */
    struct setting *sets;             /* borrowed: n_sets of them */
    int n_sets;
    /* When the run is over, by the world's clock; what the script has to wait for may put
     * it off in the simulated world. */
    uint64_t deadline_ns;

    /* What the script's side found out. */
    bool gave_up; /* what it waited for did not come */
    bool skipped; /* it said so itself, for that reason */
    char skip_reason[240];
    char cannot_why[200]; /* what could not be done here last; a script may get over it */
    int cannot_rc;        /* -errno of that */

    bool in_handler;
    struct lab_inbox *handling; /* owned: the message a handler looks at */
    uint64_t handlings;         /* so many so far: the number of that one */
};

#endif
