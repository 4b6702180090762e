/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world_impl.h: the world's own struct: what its nodes may see of it (struct sim_env) and
 * what that points at. For the files of this folder.
 */
#ifndef MSGRLAB_SIM_WORLD_WORLD_IMPL_H
#define MSGRLAB_SIM_WORLD_WORLD_IMPL_H

#include "sim/net/net.h"
#include "sim/node/node.h"
#include "sim/sched/lock_order.h"
#include "sim/world/world.h"

struct sim_world {
    struct sim_env env; /* its pointers are to the fields below */
    struct sim_world_opts opts;
    struct sim_decisions decisions;
    struct scheduler sched;
    struct net net;
    struct lock_order locks;
};

extern const struct os_io_ops sim_os_io_ops; /* os_table.c */

/* node_death.c: the machine with the number of this node has power again. */
void sim_node_boot(struct sim_node *n);

#endif
