/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault_list.h: the catalogue of faults, one row each. The number of a row (S06) is that of
 * the catalogue the field agrees on; several rows may share one.
 *
 * The rows are in four files:
 *   fault_rows_os.h     what the injector (fault_os.h) does to calls of an os, real or
 *                       virtual; each is a decision site of the same name (decisions.h)
 *   fault_rows_net.h    what only the simulated world can do to packets (decision sites,
 *                       too), links and nodes
 *   fault_rows_verbs.h  what it does to RDMA devices (decision sites, too)
 *   fault_rows_none.h   what needs no injecting, and what does not apply, and why
 *
 * No row is an excuse: whatever a fault does, a kernel, a network or a machine may do.
 */
#ifndef MSGRLAB_SIM_DECIDE_FAULT_LIST_H
#define MSGRLAB_SIM_DECIDE_FAULT_LIST_H

#include "sim/decide/fault_rows_net.h"
#include "sim/decide/fault_rows_none.h"
#include "sim/decide/fault_rows_os.h"
#include "sim/decide/fault_rows_verbs.h"

/* What a fault may legally lead to, for checkers and for scripts that tolerate it. */
enum fault_consequence {
    FC_DELAY = 1,        /* things take longer, nothing else */
    FC_CONN_LOSS = 2,    /* a transport breaks */
    FC_REFUSED = 4,      /* a connect fails */
    FC_NODE_LOSS = 8,    /* a node is gone */
    FC_CORRUPT = 16,     /* bytes are wrong; who reads them must notice and drop them */
    FC_NO_RESOURCE = 32, /* a call fails for want of something */
    FC_ALL = 63,
    /* Of the RDMA device: no new connection for a time; or a node that is deaf for ever. */
    FC_NO_CONN = FC_CONN_LOSS | FC_REFUSED | FC_NO_RESOURCE,
    FC_LOST_NODE = FC_NO_CONN | FC_NODE_LOSS,
};

/* How the lists are read: with X of six or of three. */
// clang-format off
#define FAULT_ROW_(X, id, name, group, site, consequences, what)                         \
    X(id, name, group, site, consequences, what)
#define FAULT_SITE_(X, id, name, group, site, consequences, what) X(id, name, what)

/* X(ID, name, group, site, consequences, what) */
#define FAULTS(X)                                                                         \
    FAULT_OS_ROWS(FAULT_ROW_, X)                                                         \
    FAULT_PACKET_ROWS(FAULT_ROW_, X)                                                     \
    FAULT_VERBS_ROWS(FAULT_ROW_, X)                                                      \
    FAULT_LINK_ROWS(FAULT_ROW_, X)                                                       \
    FAULT_WORLD_ROWS(FAULT_ROW_, X)
/* X(ID, name, what), for decisions.h */
#define FAULT_OS_SITES(X) FAULT_OS_ROWS(FAULT_SITE_, X)
#define FAULT_PACKET_SITES(X) FAULT_PACKET_ROWS(FAULT_SITE_, X)
#define FAULT_VERBS_SITES(X) FAULT_VERBS_ROWS(FAULT_SITE_, X)
// clang-format on

#endif
