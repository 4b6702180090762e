/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explore.h: every schedule of a small program, one after the other.
 *
 * The choices of who runs (sites PREEMPT, RUN, WAKE and HANDOFF) are digits of an odometer:
 *
 *     0 0 0 0     a run: its choices in the order in which they come, all 0 at first
 *     0 0 0 1     the last that had another value left has it now; the next run
 *     0 0 1
 *     0 1 0 0     what came before stays, so the run comes by the same choice again
 *
 * until none has one left: then every way of choosing at the first `depth` of them was run.
 * Choices of other kinds are 0. A run that fails is told as decisions, which replay it in
 * any world with the same options.
 *
 * One OS thread; worlds are made and freed one after the other.
 */
#ifndef MSGRLAB_SIM_WORLD_EXPLORE_H
#define MSGRLAB_SIM_WORLD_EXPLORE_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/world/world.h"

struct explore_opts {
    struct sim_world_opts world; /* its strategy does not matter */
    uint32_t depth;              /* choices explored; those behind are 0 [32] */
    uint64_t runs_max;           /* [1 million] */
    uint32_t preempt_max;        /* so many preemptions in a run at most; 0: any number */
    bool go_on;                  /* after a failure, to count them */
    /* Makes the nodes and runs the world. A verdict, or a result that is not 0, is a
     * failure. */
    int (*run)(struct sim_world *world, void *arg);
    void *arg;
};

struct explore_result {
    uint64_t runs, failures;
    bool complete;       /* every way was run */
    bool deeper;         /* a run had more choices than `depth` */
    uint64_t first;      /* the run that failed first, from 1 */
    char signature[200]; /* of that run; "failed" if it had no verdict */
    char *decisions;     /* owned; of that run, as text. NULL: none failed */
};

/* 0 or -ENOMEM. */
int sim_explore(const struct explore_opts *opts, struct explore_result *ret);
void explore_result_fini(struct explore_result *result);

#endif
