/* SPDX-License-Identifier: Apache-2.0 */
/*
 * case_device.c: what a device says about itself, and what it grants.
 */
#include <string.h>

#include "tests/conformance/verbs/suite.h"

static void ask_queries(struct suite *suite)
{
    struct verbs_target *target = suite_target(suite);
    struct ibv_context *context = target->context[0];
    struct verbs *v = target->verbs[0];
    struct ibv_device_attr device = {0};
    struct ibv_port_attr port = {0};
    struct ibv_gid_entry gid = {0};
    int rc;

    rc = verbs_query_device(v, context, &device);
    answer(suite, "device.query", "%s", errno_name(rc));
    answer(suite, "device.max_cqe", "%d", device.max_cqe);
    answer(suite, "device.max_qp_wr", "%d", device.max_qp_wr);
    answer(suite, "device.max_sge", "%d", device.max_sge);
    answer(suite, "device.max_srq_sge", "%d", device.max_srq_sge);
    answer(suite, "device.max_qp_rd_atom", "%d", device.max_qp_rd_atom);
    answer(suite, "device.ports", "%d", device.phys_port_cnt);
    rc = verbs_query_port(v, context, target->port, &port);
    answer(suite, "device.port_state", "%s",
           rc != 0                         ? errno_name(rc)
           : port.state == IBV_PORT_ACTIVE ? "ACTIVE"
                                           : "another");
    answer(suite, "device.link_layer", "%s",
           port.link_layer == IBV_LINK_LAYER_ETHERNET ? "Ethernet" : "another");
    answer(suite, "device.lid", "%u", port.lid);
    rc = verbs_query_port(v, context, target->port + 1, &port);
    answer(suite, "device.no_port", "%s", errno_name(rc));
    rc = verbs_query_gid(v, context, target->port, target->gid_index[0], &gid);
    answer(suite, "device.gid", "%s, %s", errno_name(rc),
           gid.gid_type == IBV_GID_TYPE_ROCE_V2 ? "RoCE v2" : "another kind");
    rc = verbs_query_gid(v, context, target->port, 200, &gid);
    answer(suite, "device.gid_unused", "%s", errno_name(rc));
    rc = verbs_query_gid(v, context, target->port, 1 << 20, &gid);
    answer(suite, "device.gid_beyond", "%s", errno_name(rc));
}

static const char *cq_of(struct verbs *v, struct ibv_context *context, int depth)
{
    struct ibv_cq *cq;
    int rc = verbs_create_cq(v, context, depth, NULL, NULL, &cq);

    if (rc == 0) {
        verbs_destroy_cq(v, cq);
        return "a CQ";
    }
    return errno_name(rc);
}

/* Makes and destroys a queue pair; what it was granted is in attr. */
static const char *qp_of(struct side *side, struct ibv_qp_init_attr *attr)
{
    struct ibv_qp *qp;
    int rc = verbs_create_qp(side->v, side->pd, attr, &qp);

    if (rc == 0) {
        verbs_destroy_qp(side->v, qp);
        return "a QP";
    }
    return errno_name(rc);
}

static void ask_grants(struct suite *suite)
{
    struct ibv_context *context = suite_target(suite)->context[0];
    struct verbs *v = suite_target(suite)->verbs[0];
    struct ibv_device_attr device = {0};
    struct ibv_qp_init_attr attr;
    struct rig rig;

    verbs_query_device(v, context, &device);
    answer(suite, "create.cq_0", "%s", cq_of(v, context, 0));
    answer(suite, "create.cq_1", "%s", cq_of(v, context, 1));
    answer(suite, "create.cq_max", "%s", cq_of(v, context, device.max_cqe));
    answer(suite, "create.cq_over", "%s", cq_of(v, context, device.max_cqe + 1));

    rig_open(&rig, suite, &(struct rig_options){.unconnected = true, .sge = 1});
    attr = (struct ibv_qp_init_attr){
        .qp_type = IBV_QPT_RC,
        .send_cq = rig.a.send_cq,
        .recv_cq = rig.a.recv_cq,
        .cap = {.max_send_wr = 4, .max_recv_wr = 4, .max_send_sge = 1, .max_recv_sge = 1},
    };
    qp_of(&rig.a, &attr);
    answer(suite, "create.inline_unasked", "%u", attr.cap.max_inline_data);
    answer(suite, "create.state", "%s", state_of(&rig.a));
    attr.cap.max_inline_data = 100;
    qp_of(&rig.a, &attr);
    answer(suite, "create.inline_100", "%s",
           attr.cap.max_inline_data >= 100 ? ">= 100" : "<");
    attr.cap.max_inline_data = 1 << 20;
    answer(suite, "create.inline_1M", "%s", qp_of(&rig.a, &attr));
    attr.cap.max_inline_data = 0;
    attr.cap.max_send_wr = (uint32_t)device.max_qp_wr + 1;
    answer(suite, "create.sq_over", "%s", qp_of(&rig.a, &attr));
    attr.cap.max_send_wr = 4;
    attr.cap.max_send_sge = (uint32_t)device.max_sge + 1;
    answer(suite, "create.sge_over", "%s", qp_of(&rig.a, &attr));
    rig_close(&rig);
}

/* What is in use cannot be destroyed. */
static void ask_busy(struct suite *suite)
{
    struct rig rig;

    rig_open(&rig, suite,
             &(struct rig_options){.unconnected = true, .channels = true, .srq_depth = 4});
    answer(suite, "busy.pd", "%s", errno_name(verbs_dealloc_pd(rig.b.v, rig.b.pd)));
    answer(suite, "busy.cq", "%s", errno_name(verbs_destroy_cq(rig.b.v, rig.b.recv_cq)));
    answer(suite, "busy.srq", "%s", errno_name(verbs_destroy_srq(rig.b.v, rig.b.srq)));
    answer(suite, "busy.channel", "%s",
           errno_name(verbs_destroy_channel(rig.b.v, rig.b.recv_channel)));
    rig_close(&rig);
}

const struct verbs_case cases_device[] = {
    {"device", ask_queries},
    {"create", ask_grants},
    {"busy", ask_busy},
    {NULL, NULL},
};
