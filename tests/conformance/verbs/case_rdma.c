/* SPDX-License-Identifier: Apache-2.0 */
/*
 * case_rdma.c: RDMA READ and WRITE and atomics. Ceph's stack uses none of them; a device
 * has them all the same.
 */
#include <string.h>

#include "tests/conformance/verbs/suite.h"

static void ask_ok(struct suite *suite)
{
    struct ibv_wc wc;
    struct rig rig;

    rig_open(&rig, suite, NULL);
    post_recv(&rig.b, 1, 64);
    post_rdma(&rig.a, IBV_WR_RDMA_WRITE, 1, 5000, 0, 0);
    answer(suite, "rdma.write_a", "%s",
           next_wc(&rig, rig.a.send_cq, &wc) ? wc_text(&wc).s : "nothing");
    answer(suite, "rdma.write_b", "%s, data %s", soon_status(&rig, rig.b.recv_cq),
           rig.b.memory[4999] == 0x5a ? "there" : "not there");
    post_rdma(&rig.a, IBV_WR_RDMA_WRITE_WITH_IMM, 2, 100, 0, 0);
    answer(suite, "rdma.write_imm_b", "%s",
           next_wc(&rig, rig.b.recv_cq, &wc) ? wc_text(&wc).s : "nothing");
    next_status(&rig, rig.a.send_cq);
    memset(rig.b.memory, 'r', 5000);
    post_rdma(&rig.a, IBV_WR_RDMA_READ, 3, 5000, 0, 0);
    answer(suite, "rdma.read_a", "%s",
           next_wc(&rig, rig.a.send_cq, &wc) ? wc_text(&wc).s : "nothing");
    answer(suite, "rdma.read_data", "%s",
           rig.a.memory[4999] == 'r' ? "there" : "not there");
    post_rdma(&rig.a, IBV_WR_RDMA_WRITE, 4, 0, 0, 0xbad00);
    answer(suite, "rdma.zero_length", "%s", next_status(&rig, rig.a.send_cq));
    rig_close(&rig);
}

static int post_atomic(struct rig *rig, enum ibv_wr_opcode opcode, uint64_t remote,
                       uint64_t compare_add, uint64_t swap)
{
    struct ibv_sge sge = {(uintptr_t)rig->a.memory, 8, rig->a.mr->lkey};
    struct ibv_send_wr wr = {.sg_list = &sge,
                             .num_sge = 1,
                             .opcode = opcode,
                             .send_flags = IBV_SEND_SIGNALED,
                             .wr.atomic = {.remote_addr = remote,
                                           .compare_add = compare_add,
                                           .swap = swap,
                                           .rkey = rig->b.mr->rkey}},
                       *bad;

    return ibv_post_send(rig->a.qp, &wr, &bad);
}

static void ask_atomic(struct suite *suite)
{
    uint64_t remote, *there, *here;
    struct ibv_wc wc;
    struct rig rig;

    rig_open(&rig, suite, NULL);
    there = (uint64_t *)rig.b.memory;
    here = (uint64_t *)rig.a.memory;
    remote = (uintptr_t)there;
    *there = 40;
    post_atomic(&rig, IBV_WR_ATOMIC_FETCH_AND_ADD, remote, 2, 0);
    answer(suite, "rdma.fetch_add", "%s",
           next_wc(&rig, rig.a.send_cq, &wc) ? wc_text(&wc).s : "nothing");
    answer(suite, "rdma.fetch_add_values", "%llu, was %llu", (unsigned long long)*there,
           (unsigned long long)*here);
    post_atomic(&rig, IBV_WR_ATOMIC_CMP_AND_SWP, remote, 42, 7);
    next_status(&rig, rig.a.send_cq);
    post_atomic(&rig, IBV_WR_ATOMIC_CMP_AND_SWP, remote, 42, 9);
    next_status(&rig, rig.a.send_cq);
    answer(suite, "rdma.compare_swap_values", "%llu, was %llu", (unsigned long long)*there,
           (unsigned long long)*here);
    answer(suite, "rdma.atomic_unaligned", "%s",
           errno_name(post_atomic(&rig, IBV_WR_ATOMIC_FETCH_AND_ADD, remote + 4, 1, 0)));
    rig_close(&rig);
}

static void ask_bad_key(struct suite *suite)
{
    struct ibv_wc wcs[8];
    const char *status; /* in order: arguments are evaluated in any */
    struct rig rig;
    int n;

    rig_open(&rig, suite, NULL);
    post_recv(&rig.b, 5, 64);
    post_rdma(&rig.a, IBV_WR_RDMA_WRITE, 1, 8, 0, 0xbad00);
    answer(suite, "rkey.garbage", "%s", next_status(&rig, rig.a.send_cq));
    n = wcs_after_a_while(&rig, rig.b.recv_cq, wcs, 8);
    answer(suite, "rkey.garbage_b", "%s", n > 0 ? status_name(wcs[0].status) : "nothing");
    answer(suite, "rkey.garbage_states", "%s, %s", state_of(&rig.a), state_of(&rig.b));
    answer(suite, "rkey.garbage_events", "%s", events_of(&rig.b).s);
    rig_close(&rig);

    rig_open(&rig, suite, NULL);
    post_rdma(&rig.a, IBV_WR_RDMA_WRITE, 1, 64, (uintptr_t)rig.b.memory + RIG_MEMORY - 32,
              0);
    answer(suite, "rkey.beyond", "%s", next_status(&rig, rig.a.send_cq));
    rig_close(&rig);

    rig_open(&rig, suite, NULL);
    post_recv(&rig.b, 5, 64);
    post_rdma(&rig.a, IBV_WR_RDMA_WRITE_WITH_IMM, 1, 8, 0, 0xbad00);
    status = next_status(&rig, rig.a.send_cq);
    answer(suite, "rkey.write_imm", "%s; b: %s", status, next_status(&rig, rig.b.recv_cq));
    rig_close(&rig);
}

static void ask_rights(struct suite *suite)
{
    const char *status;
    struct ibv_mr *mr;
    struct rig rig;

    rig_open(&rig, suite, NULL);
    verbs_reg_mr(rig.b.v, rig.b.pd, rig.b.memory, 4096,
                 IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ, &mr);
    post_rdma(&rig.a, IBV_WR_RDMA_WRITE, 1, 8, 0, mr->rkey);
    answer(suite, "rkey.read_only", "%s", next_status(&rig, rig.a.send_cq));
    verbs_dereg_mr(rig.b.v, mr);
    rig_close(&rig);

    rig_open(&rig, suite, &(struct rig_options){.no_access_b = true});
    post_rdma(&rig.a, IBV_WR_RDMA_WRITE, 1, 8, 0, 0);
    status = next_status(&rig, rig.a.send_cq);
    answer(suite, "rdma.qp_access_0", "%s, %s, %s", status, state_of(&rig.a),
           state_of(&rig.b));
    rig_close(&rig);

    rig_open(&rig, suite, &(struct rig_options){.no_reads_b = true});
    post_rdma(&rig.a, IBV_WR_RDMA_READ, 1, 8, 0, 0);
    answer(suite, "rdma.dest_reads_0", "%s", next_status(&rig, rig.a.send_cq));
    rig_close(&rig);

    rig_open(&rig, suite, &(struct rig_options){.no_reads_a = true});
    post_rdma(&rig.a, IBV_WR_RDMA_READ, 1, 8, 0, 0);
    status = soon_status(&rig, rig.a.send_cq);
    answer(suite, "rdma.reads_0", "%s, %s", status, state_of(&rig.a));
    rig_close(&rig);
}

const struct verbs_case cases_rdma[] = {
    {"rdma", ask_ok},     {"rdma", ask_atomic}, {"rkey", ask_bad_key},
    {"rdma", ask_rights}, {NULL, NULL},
};
