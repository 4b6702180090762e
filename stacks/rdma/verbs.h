/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verbs.h: an RDMA device, as the RDMA stack sees it.
 *
 * One struct verbs belongs to one node (struct os). Two implementations exist by design:
 * verbs_rdmacore.c over libibverbs, and a virtual device in sim/. The objects are
 * rdma-core's own types.
 *
 * Two roads lead to the device:
 *
 *   control   the slots below; they may cost a system call, and some of them block
 *   data      ibv_post_send, ibv_post_recv, ibv_post_srq_recv, ibv_poll_cq and
 *             ibv_req_notify_cq of <infiniband/verbs.h>, called directly. They are inline
 *             and go through ibv_context.ops, so whoever made the context has filled in
 *             those five. A decorator of a device may exchange them there.
 *
 * No other function of libibverbs is called outside verbs_rdmacore.c.
 *
 * Conventions of every slot:
 *  - 0 or a negative errno; outputs (ret_...) are written only on success; a handle that
 *    was given out is valid until its destroying slot returned 0;
 *  - destroying something that others refer to is -EBUSY and changes nothing: QP before CQ,
 *    SRQ and PD; MR before PD; CQ before channel; all before the context;
 *  - any thread of the node may call any slot at any time, but not use a handle while or
 *    after another thread destroys it;
 *  - no slot calls back. Only those that say so block.
 *
 * What the stack reads of the objects, and so must be right: ibv_context device, async_fd,
 * num_comp_vectors and the five ops; ibv_pd context; ibv_mr context, pd, addr, length,
 * lkey, rkey; ibv_comp_channel context, fd; ibv_cq context, channel, cq_context, cqe;
 * ibv_srq context, srq_context, pd; ibv_qp context, qp_context, pd, send_cq, recv_cq, srq,
 * qp_num, qp_type. ibv_qp.state is not among them: no provider keeps it up to date.
 *
 * Waiting. channel_fd and async_fd give descriptors of the node's os: os_poll says they are
 * readable when get_cq_event or get_async_event has something. They are not read, written,
 * or closed by the caller. A virtual device makes them with the node's os.
 *
 * The data verbs do as the verbs specification says. On a virtual device they are also
 * scheduling points: ibv_poll_cq that finds nothing lets virtual time pass, so that a
 * thread that only polls does not stop the clock.
 */
#ifndef MSGRLAB_STACKS_RDMA_VERBS_H
#define MSGRLAB_STACKS_RDMA_VERBS_H

#include <infiniband/verbs.h>
#include <stdint.h>

#include "engine/os.h"

#ifdef __cplusplus
extern "C" {
#endif

struct verbs;

/* A device that could be opened. */
struct verbs_device {
    char name[64];
    uint64_t guid; /* network order */
};

struct verbs_ops {
    const char *name;              /* "rdma-core", "sim" */
    void (*free)(struct verbs *v); /* every context was closed */

    /* Fills at most n entries, in the device's order; returns how many devices there are.
     * 0 is no error: no device. -ENOSYS: the kernel has no RDMA. */
    int (*list_devices)(struct verbs *v, struct verbs_device *ret, int n);
    /* `name` as list_devices gave it. -ENODEV: no such device; -EACCES, -EMFILE, ... */
    int (*open_device)(struct verbs *v, const char *name, struct ibv_context **ret);
    int (*close_device)(struct verbs *v, struct ibv_context *ctx);
    int (*query_device)(struct verbs *v, struct ibv_context *ctx,
                        struct ibv_device_attr *ret);
    /* Ports count from 1. -EINVAL: no such port. */
    int (*query_port)(struct verbs *v, struct ibv_context *ctx, uint8_t port,
                      struct ibv_port_attr *ret);
    /* -ENODATA: the table has a hole there. -EINVAL: it is not that long. */
    int (*query_gid)(struct verbs *v, struct ibv_context *ctx, uint8_t port, uint32_t index,
                     struct ibv_gid_entry *ret);

    int (*alloc_pd)(struct verbs *v, struct ibv_context *ctx, struct ibv_pd **ret);
    int (*dealloc_pd)(struct verbs *v, struct ibv_pd *pd);
    /* The memory stays the caller's, and where it is until dereg_mr. -ENOMEM: also the
     * limit of locked memory; -EINVAL, -EFAULT. */
    int (*reg_mr)(struct verbs *v, struct ibv_pd *pd, void *addr, size_t len, int access,
                  struct ibv_mr **ret);
    /* Never -EBUSY: work requests that name it fail when they are executed. */
    int (*dereg_mr)(struct verbs *v, struct ibv_mr *mr);

    /* `cqe`: at least so many completions fit. `channel` may be NULL. -EINVAL: more than
     * max_cqe. */
    int (*create_cq)(struct verbs *v, struct ibv_context *ctx, int cqe, void *cq_context,
                     struct ibv_comp_channel *channel, struct ibv_cq **ret);
    /* Blocks until each event of it that was got is acknowledged. */
    int (*destroy_cq)(struct verbs *v, struct ibv_cq *cq);

    /* attr->attr is in and out, as with ibv_create_srq. */
    int (*create_srq)(struct verbs *v, struct ibv_pd *pd, struct ibv_srq_init_attr *attr,
                      struct ibv_srq **ret);
    int (*modify_srq)(struct verbs *v, struct ibv_srq *srq, struct ibv_srq_attr *attr,
                      int mask);
    int (*query_srq)(struct verbs *v, struct ibv_srq *srq, struct ibv_srq_attr *ret);
    /* Blocks until each event of it that was got is acknowledged. Work requests on it are
     * forgotten without a completion. */
    int (*destroy_srq)(struct verbs *v, struct ibv_srq *srq);

    /* attr->cap is in and out, as with ibv_create_qp. In state RESET. */
    int (*create_qp)(struct verbs *v, struct ibv_pd *pd, struct ibv_qp_init_attr *attr,
                     struct ibv_qp **ret);
    /* -EINVAL: illegal transition or a wrong attribute; the state is unchanged. To RTR it
     * may block (up to seconds on RoCE: the neighbour is resolved) and say -ETIMEDOUT,
     * -ENODEV, -ENODATA (no such GID), -ENETUNREACH, -EHOSTUNREACH. */
    int (*modify_qp)(struct verbs *v, struct ibv_qp *qp, struct ibv_qp_attr *attr,
                     int mask);
    int (*query_qp)(struct verbs *v, struct ibv_qp *qp, struct ibv_qp_attr *ret, int mask,
                    struct ibv_qp_init_attr *ret_init);
    /* Blocks until each event of it that was got is acknowledged. Work requests on it are
     * forgotten without a completion; completions of it may or may not still be polled. */
    int (*destroy_qp)(struct verbs *v, struct ibv_qp *qp);
};

/* Events: what happens without having been asked for. */
struct verbs_event_ops {
    int (*create_channel)(struct verbs *v, struct ibv_context *ctx,
                          struct ibv_comp_channel **ret);
    int (*destroy_channel)(struct verbs *v, struct ibv_comp_channel *channel);
    int (*channel_fd)(struct verbs *v, struct ibv_comp_channel *channel);
    /* Does not block. One event of a CQ that was armed with ibv_req_notify_cq; the CQ is
     * disarmed. -EAGAIN: none. Each must be acknowledged. */
    int (*get_cq_event)(struct verbs *v, struct ibv_comp_channel *channel,
                        struct ibv_cq **ret);
    void (*ack_cq_events)(struct verbs *v, struct ibv_cq *cq, unsigned int n);

    int (*async_fd)(struct verbs *v, struct ibv_context *ctx);
    /* Does not block. -EAGAIN: none. Each must be acknowledged, before the object it is
     * about is destroyed, or that waits. */
    int (*get_async_event)(struct verbs *v, struct ibv_context *ctx,
                           struct ibv_async_event *ret);
    void (*ack_async_event)(struct verbs *v, struct ibv_async_event *event);
};

/* The base of both implementations: embed it. */
struct verbs {
    const struct verbs_ops *ops;
    const struct verbs_event_ops *events;
    struct os *os; /* borrowed: the node's */
};

/* The devices of this machine, by libibverbs. 0; -EINVAL: no os; -ENOMEM. No device is
 * no error. The caller owns *ret (verbs_free). */
int verbs_rdmacore_new(struct os *os, struct verbs **ret);

#ifdef __cplusplus
}
#endif

#include "stacks/rdma/verbs_calls.h"

#endif
