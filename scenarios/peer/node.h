/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node.h: the node that speaks to real Ceph: a world on Linux with one node, its stack and
 * its messenger. Main thread, except where it says otherwise.
 */
#ifndef MSGRLAB_SCENARIOS_PEER_NODE_H
#define MSGRLAB_SCENARIOS_PEER_NODE_H

#include <stdint.h>

#include "engine/message.h"
#include "engine/messenger.h"
#include "engine/proto/wire.h"
#include "scenarios/lab/world.h"
#include "scenarios/peer/peer.h"

/* One node in a world of its own. */
struct peer {
    const struct peer_opts *opts; /* borrowed */
    struct world world;
    char rdma[1024];             /* the options of its stack, ours before the user's */
    struct os *os;               /* owned */
    struct network_stack *stack; /* owned */
    struct messenger *messenger; /* owned; not started yet */
};

/* Fills in os, stack, driver and framing of `mopts` and makes the messenger. EXIT_OK, or an
 * exit code; then the error was printed and nothing is left over. */
int peer_open(struct peer *p, const struct peer_opts *opts, struct messenger_opts *mopts);
/* Ends all threads; afterwards nothing calls back. Twice is fine. */
void peer_stop(struct peer *p);
/* Stops and frees all; closes the trace. `code`, or EXIT_FILE if only the trace failed. */
int peer_close(struct peer *p, int code);

/* RDMA: how often a peer sent more at once than fits into a buffer of ours, each time the
 * end of its connection; Ceph's buffers are larger then. Any thread. */
uint64_t peer_too_long(const struct peer *p);
#define PEER_TOO_LONG                                                                      \
    "; what it sends does not fit into our buffers: --rdma buffer_size= must be at "       \
    "least its ms_async_rdma_buffer_size"

/* "msgrlab peer VERB: " and the message, on stderr. Returns `code`. */
int peer_error(const struct peer_opts *opts, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A reader over the bytes of a segment. */
struct wire_reader peer_reader(const struct buffer *buffer);
/* A message of that type with what was written as its front. NULL if no memory or `front`
 * failed. */
struct message *peer_message(uint16_t type, const struct wire_writer *front);

#endif
