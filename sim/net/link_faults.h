/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_faults.h: the words for what goes wrong between two nodes, shared by who says it
 * (world/net_control.h) and who carries it out (stream_path.c, stream_hold.c,
 * stream_corrupt.c, rdma/path.c), and what is counted of it.
 */
#ifndef MSGRLAB_SIM_NET_LINK_FAULTS_H
#define MSGRLAB_SIM_NET_LINK_FAULTS_H

#include <stdint.h>

/* How something does not pass. All but the first two are answers of a router: a
 * connection that is being made fails with the errno in brackets at once; an
 * established one goes on trying, and if it gives up, it is with this errno and not
 * with ETIMEDOUT. */
enum sim_block {
    SIM_PASS,
    SIM_SILENT,            /* nobody is told */
    SIM_RST,               /* who sends is answered by RST [ECONNREFUSED] */
    SIM_NET_UNREACHABLE,   /* [ENETUNREACH] */
    SIM_HOST_UNREACHABLE,  /* [EHOSTUNREACH] */
    SIM_PORT_UNREACHABLE,  /* [ECONNREFUSED] */
    SIM_PROTO_UNREACHABLE, /* [ENOPROTOOPT] */
    SIM_ADMIN_PROHIBITED,  /* [EHOSTUNREACH] */
    SIM_TTL_EXCEEDED,      /* [EHOSTUNREACH] */
    SIM_ACCEPT_RST,        /* sim_net_filter only: RST to both ends before the first byte */
    SIM_BLOCK_COUNT,
};
/* "silent", "reset", ...; by name: -1 for an unknown one. */
extern const char *const sim_block_names[SIM_BLOCK_COUNT];

enum sim_corrupt {
    SIM_CORRUPT_NONE,
    SIM_CORRUPT_BIT,     /* one is flipped */
    SIM_CORRUPT_BYTE,    /* another value */
    SIM_CORRUPT_ZERO,    /* a range of zeroes */
    SIM_CORRUPT_SHUFFLE, /* a range in another order */
    SIM_CORRUPT_EXTRA,   /* a byte more */
    SIM_CORRUPT_MISSING, /* a byte less */
    SIM_CORRUPT_STALE,   /* a range is what the stream had before */
    SIM_CORRUPT_FOREIGN, /* a range is of another connection */
    SIM_CORRUPT_TAIL,    /* the end is missing */
    SIM_CORRUPT_COUNT,
};
extern const char *const sim_corrupt_names[SIM_CORRUPT_COUNT]; /* "none", "bit", ... */

struct sim_link_stats {
    uint64_t segments, bytes; /* of streams */
    uint64_t dropped;         /* of all that is sent: lost, cut off, no room in the queue */
    uint64_t stalled_ns;      /* that data was late by, because of that or of a clog */
    uint64_t corrupted;
    uint64_t resets; /* connections that the network ended */
};

#endif
