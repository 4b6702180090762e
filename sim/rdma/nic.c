/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nic.c: the device itself: contexts, queries, the tables of verbs, and what it may suffer.
 *
 * Every node that has a device has one, with one port. Its GIDs are those of its addresses:
 * [0] fe80::number, [1] ::ffff:10.0.0.number, both RoCE v2.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/util.h"
#include "sim/rdma/faults.h"
#include "sim/rdma/nic.h"

#define PORT_MTU IBV_MTU_4096
#define NIC_GID_TABLE 256
#define MAX_MESSAGE (1u << 30)
#define MAX_QPS (1 << 20)

int nic_control(struct nic *nic)
{
    sched_point(nic_sched(nic), SIM_CALL_verbs);
    return nic->failed ? -EIO : 0;
}

static uint64_t guid_of(const struct nic *nic)
{
    return htobe64(0x0202000000000000ULL | nic->node->base.node);
}

static int list_devices(struct verbs *v, struct verbs_device *ret, int n)
{
    struct nic *nic = to_nic(v);

    nic_control(nic);
    if (nic->failed || nic_fault_list(nic)) {
        return 0;
    }
    if (n > 0) {
        snprintf(ret->name, sizeof(ret->name), "%s", nic->is->device);
        ret->guid = guid_of(nic);
    }
    return 1;
}

static int open_device(struct verbs *v, const char *name, struct ibv_context **ret)
{
    struct nic *nic = to_nic(v);
    struct nic_context *ctx;
    int err = nic_control(nic);

    if (err < 0 || strcmp(name, nic->is->device) != 0) {
        return -ENODEV;
    }
    err = nic_fault_open(nic);
    if (err < 0) {
        return err;
    }
    ctx = calloc(1, sizeof(*ctx));
    if (ctx == NULL) {
        return -ENOMEM;
    }
    err = nic_events_init(&ctx->async, nic->node);
    if (err < 0) {
        free(ctx);
        return err;
    }
    snprintf(ctx->device.name, sizeof(ctx->device.name), "%s", nic->is->device);
    ctx->device.node_type = IBV_NODE_CA;
    ctx->device.transport_type = IBV_TRANSPORT_IB;
    ctx->nic = nic;
    ctx->ibv.device = &ctx->device;
    ctx->ibv.cmd_fd = -1;
    ctx->ibv.async_fd = ctx->async.file.fd;
    ctx->ibv.num_comp_vectors = 1;
    ctx->ibv.ops.poll_cq = nic_poll_cq;
    ctx->ibv.ops.req_notify_cq = nic_req_notify_cq;
    ctx->ibv.ops.post_send = nic_post_send;
    ctx->ibv.ops.post_recv = nic_post_recv;
    ctx->ibv.ops.post_srq_recv = nic_post_srq_recv;
    list_init(&ctx->of_nic);
    list_push_back(&nic->contexts, &ctx->of_nic);
    nic->objects.contexts++;
    *ret = &ctx->ibv;
    return 0;
}

static int close_device(struct verbs *v, struct ibv_context *ibv)
{
    struct nic_context *ctx = to_context(ibv);
    struct list *node;

    nic_control(ctx->nic);
    if (ctx->users > 0) {
        return -EBUSY;
    }
    CHECK(ctx->nic->objects.contexts > 0);
    while ((node = list_pop_front(&ctx->async.queue)) != NULL) {
        free(container_of(node, struct nic_async, node));
    }
    nic_events_fini(&ctx->async);
    list_unlink(&ctx->of_nic);
    ctx->nic->objects.contexts--;
    free(ctx);
    return 0;
}

static int query_device(struct verbs *v, struct ibv_context *ctx,
                        struct ibv_device_attr *ret)
{
    struct nic *nic = to_nic(v);
    int err = nic_control(nic);

    if (err == 0) {
        err = nic_fault_query(nic);
    }
    if (err < 0) {
        return err;
    }
    nic->has = nic_fault_limits(nic);
    *ret = (struct ibv_device_attr){
        .node_guid = guid_of(nic),
        .sys_image_guid = guid_of(nic),
        .max_mr_size = UINT64_MAX,
        .page_size_cap = 0xfffff000,
        .max_qp = nic->has.max_qp,
        .max_qp_wr = nic->has.max_qp_wr,
        .max_sge = nic->is->max_sge,
        .max_cq = 1 << 20,
        .max_cqe = nic->has.max_cqe,
        .max_mr = 1 << 20,
        .max_pd = 1 << 15,
        .max_qp_rd_atom = nic->is->max_rd_atomic,
        .max_qp_init_rd_atom = nic->is->max_rd_atomic,
        .max_srq = 1 << 16,
        .max_srq_wr = nic->has.max_srq_wr,
        .max_srq_sge = nic->is->max_srq_sge,
        .max_pkeys = 1,
        .phys_port_cnt = 1,
    };
    snprintf(ret->fw_ver, sizeof(ret->fw_ver), "msgrlab %s", nic->is->name);
    return 0;
}

static int query_port(struct verbs *v, struct ibv_context *ctx, uint8_t port,
                      struct ibv_port_attr *ret)
{
    struct nic *nic = to_nic(v);
    int err = nic_control(nic);

    if (err == 0) {
        err = nic_fault_query(nic);
    }
    if (err < 0) {
        return err;
    }
    if (port != 1) {
        return -EINVAL;
    }
    *ret = (struct ibv_port_attr){
        .state = nic->port_up ? IBV_PORT_ACTIVE : IBV_PORT_DOWN,
        .max_mtu = IBV_MTU_4096,
        .active_mtu = PORT_MTU,
        .gid_tbl_len = NIC_GID_TABLE,
        .max_msg_sz = MAX_MESSAGE,
        .pkey_tbl_len = 1,
        .phys_state = nic->port_up ? 5 : 2,
        .link_layer = IBV_LINK_LAYER_ETHERNET,
    };
    return 0;
}

static int query_gid(struct verbs *v, struct ibv_context *ctx, uint8_t port, uint32_t index,
                     struct ibv_gid_entry *ret)
{
    struct nic *nic = to_nic(v);
    int err = nic_control(nic);

    if (err == 0) {
        err = nic_fault_query(nic);
    }
    if (err < 0) {
        return err;
    }
    if (port != 1 || index >= NIC_GID_TABLE) {
        return -EINVAL;
    }
    if (index >= NIC_GIDS || !nic->gid_there[index]) {
        return -ENODATA;
    }
    *ret = (struct ibv_gid_entry){.gid = nic->gids[index],
                                  .gid_index = index,
                                  .port_num = 1,
                                  .gid_type = IBV_GID_TYPE_ROCE_V2};
    return 0;
}

static void nic_free(struct verbs *v)
{
    struct nic *nic = to_nic(v);

    CHECK(list_is_empty(&nic->contexts));
    sim_timer_cancel(&nic_sched(nic)->timers, &nic->port_returns);
    sim_timer_cancel(&nic_sched(nic)->timers, &nic->gid_returns);
    list_unlink(&nic->of_fabric);
    free(nic);
}

static const struct verbs_ops nic_ops = {
    .name = "sim",
    .free = nic_free,
    .list_devices = list_devices,
    .open_device = open_device,
    .close_device = close_device,
    .query_device = query_device,
    .query_port = query_port,
    .query_gid = query_gid,
    .alloc_pd = nic_alloc_pd,
    .dealloc_pd = nic_dealloc_pd,
    .reg_mr = nic_reg_mr,
    .dereg_mr = nic_dereg_mr,
    .create_cq = nic_create_cq,
    .destroy_cq = nic_destroy_cq,
    .create_srq = nic_create_srq,
    .modify_srq = nic_modify_srq,
    .query_srq = nic_query_srq,
    .destroy_srq = nic_destroy_srq,
    .create_qp = nic_create_qp,
    .modify_qp = nic_modify_qp,
    .query_qp = nic_query_qp,
    .destroy_qp = nic_destroy_qp,
};

static void init_gids(struct nic *nic)
{
    uint8_t number = nic->node->base.node;

    nic->addresses[0].raw[0] = 0xfe;
    nic->addresses[0].raw[1] = 0x80;
    nic->addresses[0].raw[15] = number;
    nic->addresses[1].raw[10] = nic->addresses[1].raw[11] = 0xff;
    nic->addresses[1].raw[12] = 10;
    nic->addresses[1].raw[15] = number;
    memcpy(nic->gids, nic->addresses, sizeof(nic->gids));
    nic->gid_there[0] = nic->gid_there[1] = true;
}

static void port_returns(void *arg)
{
    rdma_port_set(arg, true);
}

static void gid_returns(void *arg)
{
    struct nic *nic = to_nic(arg);

    rdma_gid_set(arg, nic->gid_away, true);
}

int rdma_verbs_new(struct os *os, const struct rdma_personality *is, struct verbs **ret)
{
    struct sim_node *node = to_node(os);
    struct rdma_fabric *fabric = nic_fabric(node);
    struct nic *nic = calloc(1, sizeof(*nic));
    char name[SIM_ACTOR_NAME];

    if (nic == NULL || fabric == NULL) {
        free(nic);
        return -ENOMEM;
    }
    nic->base = (struct verbs){.ops = &nic_ops, .events = &nic_event_ops, .os = os};
    nic->node = node;
    nic->fabric = fabric;
    nic->is = is;
    nic->has = (struct nic_limits){.max_qp = MAX_QPS,
                                   .max_qp_wr = is->max_qp_wr,
                                   .max_srq_wr = is->max_srq_wr,
                                   .max_cqe = is->max_cqe};
    nic->port_up = true;
    list_init(&nic->contexts);
    list_init(&nic->mrs);
    for (int i = 0; i < NIC_QP_BUCKETS; i++) {
        list_init(&nic->qps[i]);
    }
    snprintf(name, sizeof(name), "%s/%s", os->name, is->device);
    sim_actor_init(nic_decisions(nic), &nic->actor, name);
    nic->next_qpn =
        is->first_qpn != 0
            ? is->first_qpn
            : 2 + (uint32_t)(sim_mix(nic_decisions(nic)->seed, nic->actor.key) & 0x7fffff);
    for (int i = SIM_SITE_RDMA_FLUSH; i <= SIM_SITE_RDMA_TWICE; i++) {
        nic_decisions(nic)->rate[i] = SIM_RATE_ALWAYS;
    }
    init_gids(nic);
    sim_timer_init(&nic->port_returns, port_returns, &nic->base);
    sim_timer_init(&nic->gid_returns, gid_returns, &nic->base);
    list_init(&nic->of_fabric);
    list_push_back(&fabric->nics, &nic->of_fabric);
    *ret = &nic->base;
    return 0;
}

/* ---- what it may suffer ---- */

void rdma_port_set(struct verbs *v, bool up)
{
    struct nic *nic = to_nic(v);

    if (nic->port_up != up) {
        nic->port_up = up;
        nic_async_port(nic, up ? IBV_EVENT_PORT_ACTIVE : IBV_EVENT_PORT_ERR);
    }
}

void rdma_wire_set(struct verbs *v, struct rdma_wire wire)
{
    to_nic(v)->wire = wire;
}

static bool is_held(const struct nic *nic, uint32_t index)
{
    for (int i = 0; i < NIC_QP_BUCKETS; i++) {
        list_for_each(&nic->qps[i], it)
        {
            const struct nic_qp *qp = container_of(it, struct nic_qp, of_nic);

            if (qp->state >= IBV_QPS_RTR && qp->attr.ah_attr.grh.sgid_index == index) {
                return true;
            }
        }
    }
    return false;
}

/* Where an address is in the table, or may come to be; -1: nowhere. */
static int gid_slot(const struct nic *nic, uint32_t index, bool there)
{
    const union ibv_gid *gid = &nic->addresses[index];

    if (there && !nic->gid_there[index] && !is_held(nic, index)) {
        return (int)index;
    }
    for (uint32_t i = 0; i < NIC_GIDS; i++) {
        bool is_it = nic->gid_there[i] && memcmp(&nic->gids[i], gid, sizeof(*gid)) == 0;

        if (is_it ? !there : there && !nic->gid_there[i] && !is_held(nic, i)) {
            return (int)i;
        }
        if (is_it) {
            return -1; /* it is there already */
        }
    }
    return -1;
}

void rdma_gid_set(struct verbs *v, uint32_t index, bool there)
{
    struct nic *nic = to_nic(v);
    int slot;

    CHECK(index < NIC_GIDS);
    slot = gid_slot(nic, index, there);
    if (slot >= 0) {
        nic->gids[slot] = nic->addresses[index];
        nic->gid_there[slot] = there;
        nic_async_port(nic, IBV_EVENT_GID_CHANGE);
    }
}

void rdma_device_fail(struct verbs *v)
{
    struct nic *nic = to_nic(v);

    if (!nic->failed) {
        nic->failed = true;
        nic_async_port(nic, IBV_EVENT_DEVICE_FATAL);
    }
}

/* The timer brings back what is taken away meanwhile. */
static void lose_port(struct nic *nic, uint64_t ns)
{
    struct scheduler *s = nic_sched(nic);

    CHECK(!sim_timer_is_armed(&nic->port_returns));
    rdma_port_set(&nic->base, false);
    sim_timer_arm(&s->timers, &nic->port_returns, s->now + ns);
}

static void lose_gid(struct nic *nic, const struct nic_gid_loss *loss)
{
    struct scheduler *s = nic_sched(nic);

    CHECK(!sim_timer_is_armed(&nic->gid_returns));
    CHECK(loss->index < NIC_GIDS);
    nic->gid_away = loss->index;
    rdma_gid_set(&nic->base, nic->gid_away, false);
    sim_timer_arm(&s->timers, &nic->gid_returns, s->now + loss->ns);
}

static void put_harmless(struct nic_qp *qp, const struct nic_harmless *harmless)
{
    switch (harmless->of) {
    case NIC_OF_PORT:
        nic_async_port(qp->nic, harmless->event);
        break;
    case NIC_OF_QP:
        nic_async_qp(qp, harmless->event);
        break;
    case NIC_OF_SRQ:
        nic_async_srq(qp->srq, harmless->event);
        break;
    case NIC_OF_NOTHING:
        break;
    }
}

void nic_suffer(struct nic_qp *qp)
{
    struct nic_harmless harmless = nic_fault_harmless(qp);
    struct nic *nic = qp->nic;

    put_harmless(qp, &harmless);
    if (!sim_timer_is_armed(&nic->port_returns)) {
        uint64_t ns = nic_fault_port(qp);

        if (ns > 0) {
            lose_port(nic, ns);
        }
    }
    if (!sim_timer_is_armed(&nic->gid_returns)) {
        struct nic_gid_loss loss = nic_fault_gid(qp);

        if (loss.ns > 0) {
            lose_gid(nic, &loss);
        }
    }
    if (nic_fault_device(qp)) {
        rdma_device_fail(&nic->base);
    }
}

void rdma_faults_set(struct verbs *v, struct sim_faults *faults)
{
    to_nic(v)->faults = faults;
}

int rdma_qp_fail(struct verbs *v, uint32_t qp_num)
{
    struct nic_qp *qp = nic_find_qp(to_nic(v), qp_num);

    if (qp == NULL) {
        return -ENOENT;
    }
    nic_async_qp(qp, IBV_EVENT_QP_FATAL);
    nic_qp_to_err(qp);
    return 0;
}

void rdma_objects(struct verbs *v, struct rdma_objects *ret)
{
    *ret = to_nic(v)->objects;
}
