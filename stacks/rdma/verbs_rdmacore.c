/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verbs_rdmacore.c: the control verbs by libibverbs. Each slot is one call whose failure
 * becomes a negative errno.
 *
 * fork. A child of this process (a program that is executed, a worker of a campaign) must
 * not use what was opened here, and does not. Kernels before 5.12 could, after a fork,
 * leave registered pages to the child and give the parent copies that the device does not
 * know; ibv_fork_init keeps such pages from the child altogether. It must come before the
 * first verb of the process, costs nothing on newer kernels (there it is a no-op), and asks
 * that nothing else lives on registered pages: memory.c registers whole pages of its own.
 */
#include "stacks/rdma/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "engine/util.h"

/* ibv_* give NULL and set errno; some providers forget to. */
static int null_errno(void)
{
    return errno > 0 ? -errno : -EIO;
}

/* ibv_* give 0, a positive errno, or -1 and set errno. */
static int result_errno(int result)
{
    return result == 0 ? 0 : result > 0 ? -result : null_errno();
}

static int set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

static void core_free(struct verbs *v)
{
    free(v);
}

/* ---- devices ---- */

static int core_list_devices(struct verbs *v, struct verbs_device *ret, int n)
{
    int found = 0;
    struct ibv_device **list;

    errno = 0;
    list = ibv_get_device_list(&found);
    if (list == NULL) {
        return null_errno();
    }
    for (int i = 0; i < MIN(n, found); i++) {
        snprintf(ret[i].name, sizeof(ret[i].name), "%s", ibv_get_device_name(list[i]));
        ret[i].guid = ibv_get_device_guid(list[i]);
    }
    ibv_free_device_list(list);
    return found;
}

static int core_open_device(struct verbs *v, const char *name, struct ibv_context **ret)
{
    struct ibv_context *ctx = NULL;
    struct ibv_device **list;
    int n = 0, err = -ENODEV;

    errno = 0;
    list = ibv_get_device_list(&n);
    if (list == NULL) {
        return null_errno();
    }
    for (int i = 0; i < n; i++) {
        if (strcmp(ibv_get_device_name(list[i]), name) == 0) {
            errno = 0;
            ctx = ibv_open_device(list[i]);
            err = ctx == NULL ? null_errno() : set_nonblocking(ctx->async_fd);
            break;
        }
    }
    ibv_free_device_list(list);
    if (err < 0) {
        if (ctx != NULL) {
            ibv_close_device(ctx);
        }
        return err;
    }
    *ret = ctx;
    return 0;
}

static int core_close_device(struct verbs *v, struct ibv_context *ctx)
{
    return result_errno(ibv_close_device(ctx));
}

static int core_query_device(struct verbs *v, struct ibv_context *ctx,
                             struct ibv_device_attr *ret)
{
    return result_errno(ibv_query_device(ctx, ret));
}

static int core_query_port(struct verbs *v, struct ibv_context *ctx, uint8_t port,
                           struct ibv_port_attr *ret)
{
    return result_errno(ibv_query_port(ctx, port, ret));
}

static int core_query_gid(struct verbs *v, struct ibv_context *ctx, uint8_t port,
                          uint32_t index, struct ibv_gid_entry *ret)
{
    return result_errno(ibv_query_gid_ex(ctx, port, index, ret, 0));
}

/* ---- memory ---- */

static int core_alloc_pd(struct verbs *v, struct ibv_context *ctx, struct ibv_pd **ret)
{
    struct ibv_pd *pd;

    errno = 0;
    pd = ibv_alloc_pd(ctx);
    if (pd == NULL) {
        return null_errno();
    }
    *ret = pd;
    return 0;
}

static int core_dealloc_pd(struct verbs *v, struct ibv_pd *pd)
{
    return result_errno(ibv_dealloc_pd(pd));
}

static int core_reg_mr(struct verbs *v, struct ibv_pd *pd, void *addr, size_t len,
                       int access, struct ibv_mr **ret)
{
    struct ibv_mr *mr;

    errno = 0;
    mr = ibv_reg_mr(pd, addr, len, access);
    if (mr == NULL) {
        return null_errno();
    }
    *ret = mr;
    return 0;
}

static int core_dereg_mr(struct verbs *v, struct ibv_mr *mr)
{
    return result_errno(ibv_dereg_mr(mr));
}

/* ---- queues ---- */

static int core_create_cq(struct verbs *v, struct ibv_context *ctx, int cqe,
                          void *cq_context, struct ibv_comp_channel *channel,
                          struct ibv_cq **ret)
{
    struct ibv_cq *cq;

    errno = 0;
    cq = ibv_create_cq(ctx, cqe, cq_context, channel, 0);
    if (cq == NULL) {
        return null_errno();
    }
    *ret = cq;
    return 0;
}

static int core_destroy_cq(struct verbs *v, struct ibv_cq *cq)
{
    return result_errno(ibv_destroy_cq(cq));
}

static int core_create_srq(struct verbs *v, struct ibv_pd *pd,
                           struct ibv_srq_init_attr *attr, struct ibv_srq **ret)
{
    struct ibv_srq *srq;

    errno = 0;
    srq = ibv_create_srq(pd, attr);
    if (srq == NULL) {
        return null_errno();
    }
    *ret = srq;
    return 0;
}

static int core_modify_srq(struct verbs *v, struct ibv_srq *srq, struct ibv_srq_attr *attr,
                           int mask)
{
    return result_errno(ibv_modify_srq(srq, attr, mask));
}

static int core_query_srq(struct verbs *v, struct ibv_srq *srq, struct ibv_srq_attr *ret)
{
    return result_errno(ibv_query_srq(srq, ret));
}

static int core_destroy_srq(struct verbs *v, struct ibv_srq *srq)
{
    return result_errno(ibv_destroy_srq(srq));
}

static int core_create_qp(struct verbs *v, struct ibv_pd *pd, struct ibv_qp_init_attr *attr,
                          struct ibv_qp **ret)
{
    struct ibv_qp *qp;

    errno = 0;
    qp = ibv_create_qp(pd, attr);
    if (qp == NULL) {
        return null_errno();
    }
    *ret = qp;
    return 0;
}

static int core_modify_qp(struct verbs *v, struct ibv_qp *qp, struct ibv_qp_attr *attr,
                          int mask)
{
    return result_errno(ibv_modify_qp(qp, attr, mask));
}

static int core_query_qp(struct verbs *v, struct ibv_qp *qp, struct ibv_qp_attr *ret,
                         int mask, struct ibv_qp_init_attr *ret_init)
{
    return result_errno(ibv_query_qp(qp, ret, mask, ret_init));
}

static int core_destroy_qp(struct verbs *v, struct ibv_qp *qp)
{
    return result_errno(ibv_destroy_qp(qp));
}

static const struct verbs_ops core_ops = {
    .name = "rdma-core",
    .free = core_free,
    .list_devices = core_list_devices,
    .open_device = core_open_device,
    .close_device = core_close_device,
    .query_device = core_query_device,
    .query_port = core_query_port,
    .query_gid = core_query_gid,
    .alloc_pd = core_alloc_pd,
    .dealloc_pd = core_dealloc_pd,
    .reg_mr = core_reg_mr,
    .dereg_mr = core_dereg_mr,
    .create_cq = core_create_cq,
    .destroy_cq = core_destroy_cq,
    .create_srq = core_create_srq,
    .modify_srq = core_modify_srq,
    .query_srq = core_query_srq,
    .destroy_srq = core_destroy_srq,
    .create_qp = core_create_qp,
    .modify_qp = core_modify_qp,
    .query_qp = core_query_qp,
    .destroy_qp = core_destroy_qp,
};

/* ---- events ---- */

static int core_create_channel(struct verbs *v, struct ibv_context *ctx,
                               struct ibv_comp_channel **ret)
{
    struct ibv_comp_channel *channel;
    int err;

    errno = 0;
    channel = ibv_create_comp_channel(ctx);
    if (channel == NULL) {
        return null_errno();
    }
    err = set_nonblocking(channel->fd);
    if (err < 0) {
        ibv_destroy_comp_channel(channel);
        return err;
    }
    *ret = channel;
    return 0;
}

static int core_destroy_channel(struct verbs *v, struct ibv_comp_channel *channel)
{
    return result_errno(ibv_destroy_comp_channel(channel));
}

static int core_channel_fd(struct verbs *v, struct ibv_comp_channel *channel)
{
    return channel->fd;
}

static int core_get_cq_event(struct verbs *v, struct ibv_comp_channel *channel,
                             struct ibv_cq **ret)
{
    struct ibv_cq *cq;
    void *cq_context;

    errno = 0;
    if (ibv_get_cq_event(channel, &cq, &cq_context) != 0) {
        return errno == EINTR ? -EAGAIN : null_errno();
    }
    *ret = cq;
    return 0;
}

static void core_ack_cq_events(struct verbs *v, struct ibv_cq *cq, unsigned int n)
{
    ibv_ack_cq_events(cq, n);
}

static int core_async_fd(struct verbs *v, struct ibv_context *ctx)
{
    return ctx->async_fd;
}

static int core_get_async_event(struct verbs *v, struct ibv_context *ctx,
                                struct ibv_async_event *ret)
{
    struct ibv_async_event event;

    errno = 0;
    if (ibv_get_async_event(ctx, &event) != 0) {
        return errno == EINTR ? -EAGAIN : null_errno();
    }
    *ret = event;
    return 0;
}

static void core_ack_async_event(struct verbs *v, struct ibv_async_event *event)
{
    ibv_ack_async_event(event);
}

static const struct verbs_event_ops core_event_ops = {
    .create_channel = core_create_channel,
    .destroy_channel = core_destroy_channel,
    .channel_fd = core_channel_fd,
    .get_cq_event = core_get_cq_event,
    .ack_cq_events = core_ack_cq_events,
    .async_fd = core_async_fd,
    .get_async_event = core_get_async_event,
    .ack_async_event = core_ack_async_event,
};

int verbs_rdmacore_new(struct os *os, struct verbs **ret)
{
    struct verbs *v;

    if (os == NULL) {
        return -EINVAL;
    }
    v = calloc(1, sizeof(*v));
    if (v == NULL) {
        return -ENOMEM;
    }
    ibv_fork_init(); /* if it is too late for it, the caller registered memory before us */
    *v = (struct verbs){.ops = &core_ops, .events = &core_event_ops, .os = os};
    *ret = v;
    return 0;
}
