/* SPDX-License-Identifier: Apache-2.0 */
/*
 * case_send.c: SEND and RECV where nothing goes wrong, and what the sender may post.
 */
#include <string.h>

#include "tests/conformance/verbs/suite.h"

/* One message; both completions into the rows PREFIX.a and PREFIX.b. */
static void one(struct suite *suite, const char *prefix, struct ibv_send_wr *wr,
                uint32_t length, uint32_t room)
{
    struct ibv_sge sge;
    struct ibv_send_wr *bad;
    struct ibv_wc wc;
    struct rig rig;
    char id[64];

    rig_open(&rig, suite, NULL);
    sge = (struct ibv_sge){(uintptr_t)rig.a.memory, length, rig.a.mr->lkey};
    wr->sg_list = &sge;
    wr->num_sge = length > 0 ? 1 : 0;
    wr->send_flags = IBV_SEND_SIGNALED;
    post_recv(&rig.b, 7, room);
    ibv_post_send(rig.a.qp, wr, &bad);
    snprintf(id, sizeof(id), "%s.a", prefix);
    answer(suite, id, "%s", next_wc(&rig, rig.a.send_cq, &wc) ? wc_text(&wc).s : "nothing");
    snprintf(id, sizeof(id), "%s.b", prefix);
    answer(suite, id, "%s", next_wc(&rig, rig.b.recv_cq, &wc) ? wc_text(&wc).s : "nothing");
    if (strcmp(prefix, "send.imm") == 0) {
        answer(suite, "send.imm.data", "%08x", be32toh(wc.imm_data));
    }
    if (strcmp(prefix, "send.multi") == 0) {
        answer(suite, "send.multi.data", "%s",
               memcmp(rig.a.memory, rig.b.memory, length) == 0 ? "same" : "different");
        answer(suite, "send.multi.fields",
               "wr_id %llu, qp_num %s, src_qp %u, vendor_err %u",
               (unsigned long long)wc.wr_id,
               wc.qp_num == rig.b.qp->qp_num ? "b's" : "another", wc.src_qp, wc.vendor_err);
    }
    rig_close(&rig);
}

static void ask_kinds(struct suite *suite)
{
    struct ibv_send_wr wr = {.opcode = IBV_WR_SEND};

    one(suite, "send.plain", &wr, 64, 1024);
    one(suite, "send.zero", &wr, 0, 64);
    one(suite, "send.zero_into_zero", &wr, 0, 0);
    one(suite, "send.multi", &wr, 5000, 8192);
    one(suite, "send.exact", &wr, 4096, 4096);
    wr = (struct ibv_send_wr){.opcode = IBV_WR_SEND_WITH_IMM,
                              .imm_data = htobe32(0xcafe0123)};
    one(suite, "send.imm", &wr, 16, 64);
}

/* Pieces are gathered and scattered. */
static void ask_pieces(struct suite *suite)
{
    struct ibv_sge from[2], to[2];
    struct ibv_send_wr wr = {.sg_list = from,
                             .num_sge = 2,
                             .opcode = IBV_WR_SEND,
                             .send_flags = IBV_SEND_SIGNALED},
                       *bad;
    struct ibv_recv_wr recv = {.sg_list = to, .num_sge = 2}, *bad_recv;
    struct ibv_wc wc;
    struct rig rig;

    rig_open(&rig, suite, NULL);
    memcpy(rig.a.memory, "abcdef", 6);
    memcpy(rig.a.memory + 100, "ghij", 4);
    from[0] = (struct ibv_sge){(uintptr_t)rig.a.memory, 6, rig.a.mr->lkey};
    from[1] = (struct ibv_sge){(uintptr_t)rig.a.memory + 100, 4, rig.a.mr->lkey};
    to[0] = (struct ibv_sge){(uintptr_t)rig.b.memory, 3, rig.b.mr->lkey};
    to[1] = (struct ibv_sge){(uintptr_t)rig.b.memory + 50, 20, rig.b.mr->lkey};
    ibv_post_recv(rig.b.qp, &recv, &bad_recv);
    ibv_post_send(rig.a.qp, &wr, &bad);
    next_wc(&rig, rig.b.recv_cq, &wc);
    answer(suite, "send.pieces", "%.3s %.7s, %u bytes", (char *)rig.b.memory,
           (char *)rig.b.memory + 50, wc.byte_len);
    rig_close(&rig);
}

static void ask_order(struct suite *suite)
{
    struct text text = {""};
    struct ibv_wc wcs[8];
    struct rig rig;
    int n;

    rig_open(&rig, suite, NULL);
    for (uint32_t i = 1; i <= 6; i++) {
        post_recv(&rig.b, i, 4096);
    }
    for (uint32_t i = 1; i <= 6; i++) {
        post_send(&rig.a, i, i * 500, IBV_SEND_SIGNALED);
    }
    n = wcs_after_a_while(&rig, rig.a.send_cq, wcs, 8);
    answer(suite, "order.a", "%s", wr_ids(wcs, n).s);
    answer(suite, "order.poll_0", "%d", ibv_poll_cq(rig.b.recv_cq, 0, wcs));
    n = ibv_poll_cq(rig.b.recv_cq, 4, wcs);
    n += ibv_poll_cq(rig.b.recv_cq, 4, wcs + n);
    answer(suite, "order.b", "%s", wr_ids(wcs, n).s);
    for (int i = 0; i < n; i++) {
        size_t used = strlen(text.s);

        snprintf(text.s + used, sizeof(text.s) - used, "%s%u", i ? " " : "",
                 wcs[i].byte_len);
    }
    answer(suite, "order.lengths", "%s", text.s);
    answer(suite, "order.poll_empty", "%d", ibv_poll_cq(rig.b.recv_cq, 4, wcs));
    rig_close(&rig);
}

static void ask_self(struct suite *suite)
{
    struct ibv_gid_entry own = {0};
    struct ibv_qp_attr attr;
    struct ibv_wc wc;
    struct rig rig;

    rig_open(&rig, suite, &(struct rig_options){.unconnected = true});
    qp_to_init(&rig.a, rig.a.qp);
    attr = qp_rtr_attr(&rig.a, rig.a.qp->qp_num, rig.a.psn);
    verbs_query_gid(rig.a.v, rig.a.context, rig.target->port, rig.target->gid_index[0],
                    &own);
    attr.ah_attr.grh.dgid = own.gid;
    verbs_modify_qp(rig.a.v, rig.a.qp, &attr, RTR_MASK);
    qp_to_rts(&rig.a, rig.a.qp);
    post_recv(&rig.a, 1, 64);
    post_send(&rig.a, 2, 32, IBV_SEND_SIGNALED);
    answer(suite, "send.to_itself", "%s",
           next_wc(&rig, rig.a.recv_cq, &wc) ? wc_text(&wc).s : "nothing");
    rig_close(&rig);
}

static void ask_unsignaled(struct suite *suite)
{
    struct ibv_wc wcs[16];
    struct rig rig;
    int n, posted = 0;

    rig_open(&rig, suite, NULL);
    for (int i = 0; i < 4; i++) {
        post_recv(&rig.b, 1, 64);
    }
    for (uint64_t i = 1; i <= 4; i++) {
        post_send(&rig.a, i, 8, i == 4 ? IBV_SEND_SIGNALED : 0);
    }
    n = wcs_after_a_while(&rig, rig.a.send_cq, wcs, 16);
    answer(suite, "unsignaled.completions", "%s", wr_ids(wcs, n).s);
    rig_close(&rig);

    rig_open(&rig, suite, &(struct rig_options){.sq_depth = 4, .rq_depth = 64});
    for (int i = 0; i < 40; i++) {
        post_recv(&rig.b, 1, 64);
    }
    for (int i = 0; i < 10; i++) { /* never polled */
        for (int j = 0; j < 4; j++) {
            posted += post_send(&rig.a, 1, 8, 0) == 0;
        }
        a_while(&rig);
    }
    answer(suite, "unsignaled.slots", "%d of 40", posted);
    rig_close(&rig);

    rig_open(&rig, suite, &(struct rig_options){.sig_all = true});
    post_recv(&rig.b, 1, 64);
    post_send(&rig.a, 9, 8, 0);
    answer(suite, "unsignaled.sig_all", "%s", next_status(&rig, rig.a.send_cq));
    rig_close(&rig);
}

static void ask_inline(struct suite *suite)
{
    uint8_t unregistered[64];
    struct ibv_sge sge = {(uintptr_t)unregistered, 64, 0xdeadbeef};
    struct ibv_send_wr wr = {.sg_list = &sge,
                             .num_sge = 1,
                             .opcode = IBV_WR_SEND,
                             .send_flags = IBV_SEND_SIGNALED | IBV_SEND_INLINE},
                       *bad;
    struct rig rig;

    rig_open(&rig, suite, &(struct rig_options){.inline_data = 64});
    memset(unregistered, 'i', sizeof(unregistered));
    post_recv(&rig.b, 1, 64);
    ibv_post_send(rig.a.qp, &wr, &bad);
    memset(unregistered, 'x', sizeof(unregistered));
    answer(suite, "inline.status", "%s", next_status(&rig, rig.a.send_cq));
    answer(suite, "inline.data", "%s", rig.b.memory[0] == 'i' ? "as posted" : "as later");
    sge = (struct ibv_sge){(uintptr_t)rig.a.memory, 1024, rig.a.mr->lkey};
    answer(suite, "inline.too_long", "%s", errno_name(ibv_post_send(rig.a.qp, &wr, &bad)));
    rig_close(&rig);
}

/* Four chained sends, the third of which cannot be posted. */
static void ask_chain(struct suite *suite)
{
    struct ibv_sge sges[3];
    struct ibv_send_wr wrs[4], *bad = NULL;
    struct ibv_wc wcs[8];
    struct rig rig;
    int n, rc;

    rig_open(&rig, suite, NULL);
    for (int i = 0; i < 4; i++) {
        post_recv(&rig.b, 1, 64);
        wrs[i] = (struct ibv_send_wr){.wr_id = (uint64_t)i + 1,
                                      .next = i < 3 ? &wrs[i + 1] : NULL,
                                      .sg_list = sges,
                                      .num_sge = i == 2 ? 40 : 1,
                                      .opcode = IBV_WR_SEND,
                                      .send_flags = IBV_SEND_SIGNALED};
    }
    sges[0] = (struct ibv_sge){(uintptr_t)rig.a.memory, 8, rig.a.mr->lkey};
    rc = ibv_post_send(rig.a.qp, wrs, &bad);
    answer(suite, "chain.bad", "%s, bad_wr %d", errno_name(rc),
           bad != NULL ? (int)(bad - wrs) + 1 : 0);
    n = wcs_after_a_while(&rig, rig.a.send_cq, wcs, 8);
    answer(suite, "chain.executed", "%s", wr_ids(wcs, n).s);
    answer(suite, "chain.state", "%s", state_of(&rig.a));
    rig_close(&rig);
}

const struct verbs_case cases_send[] = {
    {"send", ask_kinds},
    {"send", ask_pieces},
    {"send", ask_self},
    {"order", ask_order},
    {"unsignaled", ask_unsignaled},
    {"inline", ask_inline},
    {"chain", ask_chain},
    {NULL, NULL},
};
