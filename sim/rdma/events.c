/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events.c: completion channels and asynchronous events: queues with a descriptor that is
 * readable while something is in them.
 */
#include <errno.h>

#include "engine/util.h"
#include "sim/rdma/faults.h"
#include "sim/rdma/nic.h"

/* ---- queues with a descriptor ---- */

static int events_ready(struct sim_file *f)
{
    return list_is_empty(&container_of(f, struct nic_events, file)->queue) ? 0 : POLLIN;
}

static ssize_t events_read(struct sim_file *f, void *buf, size_t len)
{
    return -EBADF; /* the caller only waits for it */
}

static ssize_t events_write(struct sim_file *f, const struct iovec *iov, int n)
{
    return -EBADF;
}

static void events_close(struct sim_file *f)
{
}

static const struct sim_file_ops events_ops = {.ready = events_ready,
                                               .read = events_read,
                                               .write = events_write,
                                               .close = events_close};

int nic_events_init(struct nic_events *e, struct sim_node *node)
{
    int fd;

    list_init(&e->queue);
    fd = sim_file_install(node, &e->file, &events_ops);
    return fd < 0 ? fd : 0;
}

void nic_events_fini(struct nic_events *e)
{
    sim_file_close(&e->file);
}

void nic_events_ready(struct nic_events *e)
{
    sim_file_notify(&e->file, POLLIN);
}

/* ---- completion channels ---- */

static struct nic_channel *to_channel(struct ibv_comp_channel *channel)
{
    return container_of(channel, struct nic_channel, ibv);
}

static int create_channel(struct verbs *v, struct ibv_context *ctx,
                          struct ibv_comp_channel **ret)
{
    struct nic *nic = to_nic(v);
    struct nic_channel *channel;
    int err = nic_control(nic);

    if (err == 0) {
        err = nic_fault_create(nic);
    }
    if (err < 0) {
        return err;
    }
    channel = calloc(1, sizeof(*channel));
    if (channel == NULL) {
        return -ENOMEM;
    }
    err = nic_events_init(&channel->events, nic->node);
    if (err < 0) {
        free(channel);
        return err;
    }
    channel->nic = nic;
    channel->ibv.context = ctx;
    channel->ibv.fd = channel->events.file.fd;
    to_context(ctx)->users++;
    nic->objects.channels++;
    *ret = &channel->ibv;
    return 0;
}

static int destroy_channel(struct verbs *v, struct ibv_comp_channel *ibv)
{
    struct nic_channel *channel = to_channel(ibv);

    nic_control(to_nic(v));
    if (channel->users > 0) {
        return -EBUSY;
    }
    CHECK(channel->nic->objects.channels > 0);
    nic_events_fini(&channel->events);
    to_context(channel->ibv.context)->users--;
    channel->nic->objects.channels--;
    free(channel);
    return 0;
}

static int channel_fd(struct verbs *v, struct ibv_comp_channel *channel)
{
    return channel->fd;
}

static int get_cq_event(struct verbs *v, struct ibv_comp_channel *ibv, struct ibv_cq **ret)
{
    struct nic_channel *channel = to_channel(ibv);
    struct list *node;
    struct nic_cq *cq;

    nic_control(to_nic(v));
    node = list_pop_front(&channel->events.queue);
    if (node == NULL) {
        return -EAGAIN;
    }
    cq = container_of(node, struct nic_cq, in_channel);
    CHECK(cq->channel == channel);
    cq->unacked++;
    *ret = &cq->ibv;
    return 0;
}

static void acknowledge(uint32_t *unacked, unsigned int n, struct sim_queue *acks)
{
    CHECK(*unacked >= n);
    *unacked -= n;
    if (*unacked == 0) {
        sched_wake_all(acks);
    }
}

static void ack_cq_events(struct verbs *v, struct ibv_cq *ibv, unsigned int n)
{
    struct nic_cq *cq = to_cq(ibv);

    nic_control(to_nic(v));
    acknowledge(&cq->unacked, n, &cq->acks);
}

/* ---- asynchronous events ---- */

static bool is_about_qp(enum ibv_event_type type)
{
    return type == IBV_EVENT_QP_FATAL || type == IBV_EVENT_QP_REQ_ERR ||
           type == IBV_EVENT_QP_ACCESS_ERR || type == IBV_EVENT_COMM_EST ||
           type == IBV_EVENT_SQ_DRAINED || type == IBV_EVENT_QP_LAST_WQE_REACHED ||
           type == IBV_EVENT_PATH_MIG || type == IBV_EVENT_PATH_MIG_ERR;
}

static bool is_about_srq(enum ibv_event_type type)
{
    return type == IBV_EVENT_SRQ_ERR || type == IBV_EVENT_SRQ_LIMIT_REACHED;
}

/* The counter of unacknowledged events of what the event is about; NULL: of nothing. */
static uint32_t *counter_of(struct ibv_async_event *event, struct sim_queue **ret_acks)
{
    if (event->event_type == IBV_EVENT_CQ_ERR) {
        *ret_acks = &to_cq(event->element.cq)->acks;
        return &to_cq(event->element.cq)->unacked;
    }
    if (is_about_qp(event->event_type)) {
        *ret_acks = &to_qp(event->element.qp)->acks;
        return &to_qp(event->element.qp)->unacked;
    }
    if (is_about_srq(event->event_type)) {
        *ret_acks = &to_srq(event->element.srq)->acks;
        return &to_srq(event->element.srq)->unacked;
    }
    return NULL;
}

static int async_fd(struct verbs *v, struct ibv_context *ctx)
{
    return to_context(ctx)->async.file.fd;
}

static int get_async_event(struct verbs *v, struct ibv_context *ctx,
                           struct ibv_async_event *ret)
{
    struct sim_queue *acks;
    struct nic_async *async;
    struct list *node;
    uint32_t *unacked;

    nic_control(to_nic(v));
    node = list_pop_front(&to_context(ctx)->async.queue);
    if (node == NULL) {
        return -EAGAIN;
    }
    async = container_of(node, struct nic_async, node);
    *ret = async->event;
    free(async);
    unacked = counter_of(ret, &acks);
    if (unacked != NULL) {
        ++*unacked;
    }
    return 0;
}

static void ack_async_event(struct verbs *v, struct ibv_async_event *event)
{
    struct sim_queue *acks;
    uint32_t *unacked = counter_of(event, &acks);

    nic_control(to_nic(v));
    if (unacked != NULL) {
        acknowledge(unacked, 1, acks);
    }
}

static void put_event(struct ibv_context *ctx, const struct ibv_async_event *event)
{
    struct nic_context *context = to_context(ctx);
    struct nic_async *async = calloc(1, sizeof(*async));

    CHECK(async != NULL);
    async->event = *event;
    list_init(&async->node);
    list_push_back(&context->async.queue, &async->node);
    nic_events_ready(&context->async);
}

void nic_async_port(struct nic *nic, enum ibv_event_type type)
{
    struct ibv_async_event event = {.event_type = type, .element.port_num = 1};

    list_for_each(&nic->contexts, it)
    {
        put_event(&container_of(it, struct nic_context, of_nic)->ibv, &event);
    }
}

void nic_async_qp(struct nic_qp *qp, enum ibv_event_type type)
{
    put_event(qp->ibv.context,
              &(struct ibv_async_event){.event_type = type, .element.qp = &qp->ibv});
}

void nic_async_cq(struct nic_cq *cq, enum ibv_event_type type)
{
    put_event(cq->ibv.context,
              &(struct ibv_async_event){.event_type = type, .element.cq = &cq->ibv});
}

void nic_async_srq(struct nic_srq *srq, enum ibv_event_type type)
{
    put_event(srq->ibv.context,
              &(struct ibv_async_event){.event_type = type, .element.srq = &srq->ibv});
}

void nic_async_forget(struct ibv_context *ctx, const void *element)
{
    list_for_each_safe(&to_context(ctx)->async.queue, it)
    {
        struct nic_async *async = container_of(it, struct nic_async, node);
        struct sim_queue *acks;

        if (counter_of(&async->event, &acks) != NULL &&
            (const void *)async->event.element.qp == element) {
            list_unlink(&async->node);
            free(async);
        }
    }
}

const struct verbs_event_ops nic_event_ops = {
    .create_channel = create_channel,
    .destroy_channel = destroy_channel,
    .channel_fd = channel_fd,
    .get_cq_event = get_cq_event,
    .ack_cq_events = ack_cq_events,
    .async_fd = async_fd,
    .get_async_event = get_async_event,
    .ack_async_event = ack_async_event,
};
