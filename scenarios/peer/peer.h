/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer.h: conversations with real Ceph daemons and clients: what `msgrlab peer` does.
 * Prints results to stdout, errors to stderr. Main thread.
 *
 *   client.c       monmap and ping: we are a client of a monitor
 *   serve.c        serve: we are a monitor of real clients, with answers.c and commands.c
 *   reasons.c      why there is no session, in words
 *   node.c         the node that speaks: world, stack, messenger
 *   monmap_text.c  the monitor map as `ceph mon dump` prints it
 *
 * Ctrl-C is noticed if the caller watches for it (scenarios/base/interrupt.h).
 */
#ifndef MSGRLAB_SCENARIOS_PEER_PEER_H
#define MSGRLAB_SCENARIOS_PEER_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/entity_addr.h"
#include "engine/event_driver.h"
#include "scenarios/lab/kinds.h"

/* The RDMA stack unless peer_opts.rdma says otherwise: chunks as large as Ceph's are by
 * default, for what it sends must fit into one of ours; few of them, to lock 20 MiB at the
 * start, not 128. */
#define PEER_RDMA_OPTIONS "buffer_size=131072,send_buffers=64,receive_queue_len=64"

struct peer_opts {
    const char *verb;    /* "monmap", "ping", "serve" */
    const char *address; /* as the user wrote it */
    struct entity_addrvec addrs;
    enum stack_kind stack;
    const char *device, *rdma; /* rdma: as in world_opts; NULL: not given */
    enum event_driver_kind driver;
    const char *trace_path; /* NULL: no trace */
    uint64_t timeout_ns;    /* of each answer; serve: of a handshake */
    uint64_t for_ns;        /* serve: end after it; 0 = never */
    uint32_t count;
    bool json, msgr20, once;
};

/* Each returns an exit code. */
int peer_monmap(const struct peer_opts *opts);
int peer_ping(const struct peer_opts *opts);
int peer_serve(const struct peer_opts *opts);

#endif
