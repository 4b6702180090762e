/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rdma_stack.h: byte streams over RDMA SEND and RECV (Ceph: RDMAStack). What the bytes on
 * the wire and on the side channel are is Ceph's, so that a Ceph daemon with ms_type =
 * async+rdma is a peer. README.md says how the parts play together, and what is done
 * better.
 *
 * One stack serves one messenger. It owns a device context, the registered memory, two
 * completion queues, a shared receive queue, and the thread "rdma-polling".
 */
#ifndef MSGRLAB_STACKS_RDMA_RDMA_STACK_H
#define MSGRLAB_STACKS_RDMA_RDMA_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base.h"
#include "engine/network_stack.h"
#include "stacks/rdma/verbs.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RDMA_POLLING_FOR_EVER UINT64_MAX

/* In brackets the default. Ceph's option is ms_async_rdma_ and the name; where Ceph's
 * default is another, it follows: these are for a laboratory that runs many nodes in a
 * process. */
struct rdma_opts {
    char device_name[64];  /* [""]: the first with an active port */
    uint32_t port_num;     /* [1] */
    int32_t gid_idx;       /* [-1]: the first RoCE v2 GID of an IPv4 address, else the first
                               * RoCE v2 one, else the first; Ceph: 0 */
    uint32_t buffer_size;  /* [32768] bytes of a chunk; Ceph: 131072. No peer may send more
                               * than our buffer_size in one SEND: use one size everywhere
                               */
    uint32_t send_buffers; /* [256] chunks in the send pool, and one more for each
                            * connection (memory.h); Ceph: 1024 */
    uint32_t receive_buffers; /* [4096] chunks that may ever be registered to receive; 0: no
                               * bound; Ceph: 32768 */
    uint32_t receive_queue_len; /* [512] receives kept posted; Ceph: 4096 */
    bool support_srq;           /* [true] one receive queue for all; false: each its own */
    uint64_t polling_us;        /* [1000] spin so long, then sleep until an event; 0: never
                                 * spin; RDMA_POLLING_FOR_EVER: never sleep */
    uint32_t sl, dscp;          /* [3], [96] service level, traffic class */
    /* Constants in Ceph. */
    uint32_t path_mtu;      /* [1024] bytes */
    uint32_t timeout;       /* [18] local ACK timeout, 4.096 us * 2^timeout */
    uint32_t retry_cnt;     /* [7] rxe reads 7 as "for ever" */
    uint32_t rnr_retry;     /* [7] for ever */
    uint32_t min_rnr_timer; /* [18] 5.12 ms */
    uint32_t cq_depth;      /* [32767] bounded by the device; Ceph: 30000 */
    /* Not in Ceph. */
    uint32_t
        linger_ms; /* [1000] close waits so long, behind the scenes, for what was sent */
};

void rdma_opts_init(struct rdma_opts *opts);
/* `name` with or without "ms_async_rdma_". 0; -ENOENT: no such option; -EINVAL. */
int rdma_opts_set(struct rdma_opts *opts, const char *name, const char *value);
/* Several, "name=value,name=value". On failure *ret_why (static) and -errno. */
int rdma_opts_parse(struct rdma_opts *opts, const char *text, const char **ret_why);

// clang-format off
/* X(name): Ceph's names for the dispatcher (first two rows) and the workers. The rest has
 * no name there: what Ceph only logs, or loses. */
#define RDMA_COUNTERS(X)                                                                   \
    X(polling) X(inflight_tx_chunks) X(rx_bufs_in_use) X(rx_bufs_total) X(tx_total_wc)     \
    X(tx_total_wc_errors) X(tx_retry_errors) X(tx_wr_flush_errors) X(rx_total_wc)          \
    X(rx_total_wc_errors) X(rx_fin) X(total_async_events) X(async_last_wqe_events)         \
    X(handshake_errors) X(created_queue_pair) X(active_queue_pair)                         \
    X(tx_no_mem) X(tx_partial_mem) X(tx_failed_post) X(tx_chunks) X(tx_bytes)              \
    X(rx_chunks) X(rx_bytes) X(pending_sent_conns)                                         \
    X(rx_failed_post) X(rx_no_mem) X(rx_dead_wc) X(rx_too_long) X(cq_events) X(cq_arms)    \
    X(beacons) X(beacons_lost) X(lingers_cut)                                               \
    X(rx_unread_copied) X(rx_unread_beyond) X(rx_unread_ended)
// clang-format on

struct rdma_counters {
#define X(name) ATOMIC(uint64_t) name;
    RDMA_COUNTERS(X)
#undef X
};

/* Opens the device and registers memory. Takes over `verbs`, also on failure; `opts` NULL:
 * the defaults. 0, or -errno with a sentence for the user in `why`. */
int rdma_stack_new(struct os *os, struct verbs *verbs, const struct rdma_opts *opts,
                   struct network_stack **ret, char *why, size_t why_size);
/* Any thread. `s` is an RDMA stack. */
struct rdma_counters *rdma_stack_counters(struct network_stack *s);
/* Every socket was closed: waits until the last of them is gone, and counts the chunks that
 * are not where they belong: in the pool, or posted to receive. The stack can only be freed
 * then. Not for a thread the stack needs. */
uint64_t rdma_stack_stop(struct network_stack *s);
/* Chunks and queue pairs that are not where they belong when no socket is left and none is
 * being closed: 0 when all is well. Any thread. */
uint64_t rdma_stack_missing(struct network_stack *s);

#ifdef __cplusplus
}
#endif

#endif
