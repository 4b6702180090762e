/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verbs_calls.h: calls the slots of the tables in verbs.h, which has their contracts and
 * includes this.
 */
#ifndef MSGRLAB_STACKS_RDMA_VERBS_CALLS_H
#define MSGRLAB_STACKS_RDMA_VERBS_CALLS_H

#include "stacks/rdma/verbs.h"

#ifdef __cplusplus
extern "C" {
#endif

static inline void verbs_free(struct verbs *v)
{
    if (v != NULL) {
        v->ops->free(v);
    }
}
static inline int verbs_list_devices(struct verbs *v, struct verbs_device *ret, int n)
{
    return v->ops->list_devices(v, ret, n);
}
static inline int verbs_open_device(struct verbs *v, const char *name,
                                    struct ibv_context **ret)
{
    return v->ops->open_device(v, name, ret);
}
static inline int verbs_close_device(struct verbs *v, struct ibv_context *ctx)
{
    return v->ops->close_device(v, ctx);
}
static inline int verbs_query_device(struct verbs *v, struct ibv_context *ctx,
                                     struct ibv_device_attr *ret)
{
    return v->ops->query_device(v, ctx, ret);
}
static inline int verbs_query_port(struct verbs *v, struct ibv_context *ctx, uint8_t port,
                                   struct ibv_port_attr *ret)
{
    return v->ops->query_port(v, ctx, port, ret);
}
static inline int verbs_query_gid(struct verbs *v, struct ibv_context *ctx, uint8_t port,
                                  uint32_t index, struct ibv_gid_entry *ret)
{
    return v->ops->query_gid(v, ctx, port, index, ret);
}
static inline int verbs_alloc_pd(struct verbs *v, struct ibv_context *ctx,
                                 struct ibv_pd **ret)
{
    return v->ops->alloc_pd(v, ctx, ret);
}
static inline int verbs_dealloc_pd(struct verbs *v, struct ibv_pd *pd)
{
    return v->ops->dealloc_pd(v, pd);
}
static inline int verbs_reg_mr(struct verbs *v, struct ibv_pd *pd, void *addr, size_t len,
                               int access, struct ibv_mr **ret)
{
    return v->ops->reg_mr(v, pd, addr, len, access, ret);
}
static inline int verbs_dereg_mr(struct verbs *v, struct ibv_mr *mr)
{
    return v->ops->dereg_mr(v, mr);
}
static inline int verbs_create_cq(struct verbs *v, struct ibv_context *ctx, int cqe,
                                  void *cq_context, struct ibv_comp_channel *channel,
                                  struct ibv_cq **ret)
{
    return v->ops->create_cq(v, ctx, cqe, cq_context, channel, ret);
}
static inline int verbs_destroy_cq(struct verbs *v, struct ibv_cq *cq)
{
    return v->ops->destroy_cq(v, cq);
}
static inline int verbs_create_srq(struct verbs *v, struct ibv_pd *pd,
                                   struct ibv_srq_init_attr *attr, struct ibv_srq **ret)
{
    return v->ops->create_srq(v, pd, attr, ret);
}
static inline int verbs_modify_srq(struct verbs *v, struct ibv_srq *srq,
                                   struct ibv_srq_attr *attr, int mask)
{
    return v->ops->modify_srq(v, srq, attr, mask);
}
static inline int verbs_query_srq(struct verbs *v, struct ibv_srq *srq,
                                  struct ibv_srq_attr *ret)
{
    return v->ops->query_srq(v, srq, ret);
}
static inline int verbs_destroy_srq(struct verbs *v, struct ibv_srq *srq)
{
    return v->ops->destroy_srq(v, srq);
}
static inline int verbs_create_qp(struct verbs *v, struct ibv_pd *pd,
                                  struct ibv_qp_init_attr *attr, struct ibv_qp **ret)
{
    return v->ops->create_qp(v, pd, attr, ret);
}
static inline int verbs_modify_qp(struct verbs *v, struct ibv_qp *qp,
                                  struct ibv_qp_attr *attr, int mask)
{
    return v->ops->modify_qp(v, qp, attr, mask);
}
static inline int verbs_query_qp(struct verbs *v, struct ibv_qp *qp,
                                 struct ibv_qp_attr *ret, int mask,
                                 struct ibv_qp_init_attr *ret_init)
{
    return v->ops->query_qp(v, qp, ret, mask, ret_init);
}
static inline int verbs_destroy_qp(struct verbs *v, struct ibv_qp *qp)
{
    return v->ops->destroy_qp(v, qp);
}
static inline int verbs_create_channel(struct verbs *v, struct ibv_context *ctx,
                                       struct ibv_comp_channel **ret)
{
    return v->events->create_channel(v, ctx, ret);
}
static inline int verbs_destroy_channel(struct verbs *v, struct ibv_comp_channel *channel)
{
    return v->events->destroy_channel(v, channel);
}
static inline int verbs_channel_fd(struct verbs *v, struct ibv_comp_channel *channel)
{
    return v->events->channel_fd(v, channel);
}
static inline int verbs_get_cq_event(struct verbs *v, struct ibv_comp_channel *channel,
                                     struct ibv_cq **ret)
{
    return v->events->get_cq_event(v, channel, ret);
}
static inline void verbs_ack_cq_events(struct verbs *v, struct ibv_cq *cq, unsigned int n)
{
    v->events->ack_cq_events(v, cq, n);
}
static inline int verbs_async_fd(struct verbs *v, struct ibv_context *ctx)
{
    return v->events->async_fd(v, ctx);
}
static inline int verbs_get_async_event(struct verbs *v, struct ibv_context *ctx,
                                        struct ibv_async_event *ret)
{
    return v->events->get_async_event(v, ctx, ret);
}
static inline void verbs_ack_async_event(struct verbs *v, struct ibv_async_event *event)
{
    v->events->ack_async_event(v, event);
}

#ifdef __cplusplus
}
#endif

#endif
