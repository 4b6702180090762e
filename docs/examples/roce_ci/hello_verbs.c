/* SPDX-License-Identifier: Apache-2.0 */
/* hello_verbs.c: one datagram from the first RDMA device to the second. Somebody else's
 * test: nothing in it is msgrlab's. gcc -DHEADER=0 gives it a bug: the GRH, which precedes
 * what was received, is taken for the message. */
#include <err.h>
#include <infiniband/verbs.h>
#include <string.h>

#ifndef HEADER
#define HEADER 40
#endif
#define MUST(x) ((x) ? (void)0 : errx(1, "line %d: this failed: %s", __LINE__, #x))

static char text[2][128] = {"hello"};
static struct ibv_pd *pd[2];
static struct ibv_cq *cq[2];
static struct ibv_qp *qp[2];
static struct ibv_mr *mr[2];

static void open_end(int i, struct ibv_device *device)
{
    struct ibv_qp_attr attr = {.qp_state = IBV_QPS_INIT, .port_num = 1, .qkey = 7};
    struct ibv_context *context;

    MUST(device != NULL && (context = ibv_open_device(device)) != NULL);
    MUST((pd[i] = ibv_alloc_pd(context)) != NULL);
    MUST((mr[i] = ibv_reg_mr(pd[i], text[i], 128, IBV_ACCESS_LOCAL_WRITE)) != NULL);
    MUST((cq[i] = ibv_create_cq(context, 8, NULL, NULL, 0)) != NULL);
    MUST(
        (qp[i] = ibv_create_qp(pd[i], &(struct ibv_qp_init_attr){.send_cq = cq[i],
                                                                 .recv_cq = cq[i],
                                                                 .qp_type = IBV_QPT_UD,
                                                                 .cap = {1, 1, 1, 1, 0}})));
    MUST(!ibv_modify_qp(qp[i], &attr,
                        IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_QKEY));
    attr.qp_state = IBV_QPS_RTR;
    MUST(!ibv_modify_qp(qp[i], &attr, IBV_QP_STATE));
    attr.qp_state = IBV_QPS_RTS;
    MUST(!ibv_modify_qp(qp[i], &attr, IBV_QP_STATE | IBV_QP_SQ_PSN));
}

int main(void)
{
    struct ibv_device **devices = ibv_get_device_list(NULL);
    struct ibv_ah_attr to = {.is_global = 1, .port_num = 1, .grh.sgid_index = 1};
    struct ibv_recv_wr recv = {.num_sge = 1}, *bad_recv;
    struct ibv_send_wr send = {.num_sge = 1,
                               .opcode = IBV_WR_SEND,
                               .send_flags = IBV_SEND_SIGNALED},
                       *bad_send;
    struct ibv_wc wc;

    for (int i = 0; i < 2; i++)
        open_end(i, devices[i]);
    recv.sg_list = &(struct ibv_sge){(uintptr_t)text[1], 128, mr[1]->lkey};
    MUST(!ibv_post_recv(qp[1], &recv, &bad_recv));
    MUST(!ibv_query_gid(qp[1]->context, 1, 1, &to.grh.dgid));
    MUST((send.wr.ud.ah = ibv_create_ah(pd[0], &to)) != NULL);
    send.wr.ud.remote_qpn = qp[1]->qp_num;
    send.wr.ud.remote_qkey = 7;
    send.sg_list = &(struct ibv_sge){(uintptr_t)text[0], sizeof("hello"), mr[0]->lkey};
    MUST(!ibv_post_send(qp[0], &send, &bad_send));
    for (int i = 0; i < 2; i++) {
        while (ibv_poll_cq(cq[i], 1, &wc) == 0)
            ;
        MUST(wc.status == IBV_WC_SUCCESS);
    }
    MUST(strcmp(text[1] + HEADER, "hello") == 0);
}
