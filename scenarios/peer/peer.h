/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer.h: what the parts of `msgrlab peer` share. Private to them.
 *
 *   cmd_peer.c     command line; the node that speaks: world, stack, messenger
 *   client.c       monmap and ping: we are a client of a monitor
 *   serve.c        serve: we are a monitor of real clients, with answers.c and commands.c
 *   reasons.c      why there is no session, in words
 *   monmap_text.c  the monitor map as `ceph mon dump` prints it
 *
 * Main thread, except dispatcher callbacks.
 */
#ifndef MSGRLAB_SCENARIOS_PEER_PEER_H
#define MSGRLAB_SCENARIOS_PEER_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/messenger.h"
#include "engine/proto/wire.h"
#include "scenarios/peer/mon_messages.h"
#include "scenarios/lab/world.h"

struct peer_opts {
    const char *verb;    /* "monmap", "ping", "serve" */
    const char *address; /* as the user wrote it */
    struct entity_addrvec addrs;
    const char *stack;         /* "tcp" or "rdma" */
    const char *device, *rdma; /* rdma: as in world_opts; NULL: not given */
    enum event_driver_kind driver;
    const char *trace_path; /* NULL: no trace */
    uint64_t timeout_ns;    /* of each answer; serve: of a handshake */
    uint64_t for_ns;        /* serve: end after it; 0 = never */
    uint32_t count;
    bool json, msgr20, once;
};

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

/* ---- the verbs; each returns an exit code ---- */

int peer_monmap(const struct peer_opts *opts);
int peer_ping(const struct peer_opts *opts);
int peer_serve(const struct peer_opts *opts);

/* ---- monmap_text.c ---- */

#define FSID_TEXT 37

const char *fsid_text(const uint8_t fsid[CEPH_FSID_BYTES], char buf[FSID_TEXT]);
/* Line by line as `ceph mon dump` does, times in the local zone. */
void monmap_print(FILE *out, const struct monmap *map);
/* One line, with the names that `ceph mon dump -f json` uses. */
void monmap_print_json(FILE *out, const struct monmap *map);

#endif
