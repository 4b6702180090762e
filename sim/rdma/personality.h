/* SPDX-License-Identifier: Apache-2.0 */
/*
 * personality.h: where devices legally differ, as data.
 *
 * `hca` is the specification, strictly: code that pleases it pleases most devices. `rxe` is
 * Linux's soft-RoCE as it was observed on kernel 6.1, surprises included.
 */
#ifndef MSGRLAB_SIM_RDMA_PERSONALITY_H
#define MSGRLAB_SIM_RDMA_PERSONALITY_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stdint.h>

enum rdma_overrun {
    RDMA_OVERRUN_FATAL, /* CQ_ERR, the CQ is dead, its queue pairs go to ERR */
    RDMA_OVERRUN_LOSES, /* CQ_ERR for each lost CQE, the CQ goes on */
};

// clang-format off
/* X(type, field, hca, rxe, what) */
#define RDMA_TRAITS(X)                                                                     \
    X(bool, slots_by_poll,     true,  false, "a send slot is free when a CQE of it or of a later request was polled") \
    X(bool, exact_depth,       true,  false, "queues are as deep as asked for; else 2^n - 1") \
    X(bool, retry_7_is_ever,   false, true,  "retry_cnt 7 never gives up")                 \
    X(bool, timer_in_rnr,      false, true,  "the ack timer runs while the peer is not ready") \
    X(bool, last_wqe,          true,  false, "LAST_WQE_REACHED for a queue pair with SRQ in ERR") \
    X(bool, flushes_late_recv, true,  false, "post_recv in ERR is flushed; else swallowed") \
    X(bool, keeps_early_send,  false, true,  "a send posted before RTS fails, and is sent later all the same") \
    X(bool, purges_cqes,       true,  false, "destroy_qp removes CQEs not yet polled")     \
    X(bool, reset_purges_cqes, true,  false, "so does a transition to RESET")              \
    X(bool, errors_solicited,  true,  false, "an error of a send counts as solicited")               \
    X(bool, limit_at_once,     true,  false, "an SRQ limit armed above the count fires at once") \
    X(bool, grh_flag,          false, true,  "receive CQEs say GRH")                       \
    X(bool, comm_est,          true,  false, "COMM_EST when the first message finds RTR")  \
    X(bool, cq_err_kills_sq,   true,  false, "a lost send CQE kills the queue pair")       \
    X(bool, poisons_error_cqes, true, false, "of an error CQE only wr_id, status and qp_num mean something") \
    X(bool, accepts_bad_values, false, true, "modify_qp takes pkey_index 5 and retry_cnt 8") \
    X(bool, cur_state_is_reset, false, true, "query_qp says cur_qp_state RESET, whatever it is") \
    X(bool, flushes_recv_first, false, true, "flushed receives are always seen first")     \
    X(bool, send_imm_flag,     false, true,  "send CQEs say IMM, too")                     \
    X(bool, checks_send_mtu,   true,  false, "packets longer than the own path MTU break a SEND; a WRITE always") \
    X(bool, access_event,      true,  false, "QP_ACCESS_ERR when an rkey is refused")      \
    X(bool, imm_error_cqe,     false, true,  "a WRITE_WITH_IMM that is refused ends a receive, too") \
    X(bool, no_reads_hang,     false, true,  "a READ with max_rd_atomic 0 waits for ever") \
    X(bool, checks_atomic_addr, false, true, "post_send refuses an atomic at an odd address") \
    X(bool, always_rkey,       true,  false, "an MR has an rkey even without remote rights") \
    X(bool, sqd_event,         false, true,  "SQ_DRAINED although nobody asked for it")    \
    X(bool, gid_is_enodata,    false, true,  "to RTR with a GID that is not there: ENODATA; else EINVAL") \
    X(bool, query_mask_checked, false, true, "query_qp with mask -1: EOPNOTSUPP")          \
    X(int,  inline_unasked,    0,     16,    "inline bytes for each SGE that nobody asked for") \
    X(int,  max_srq_sge,       31,    27,    "buffers a request of an SRQ")                \
    X(int,  max_rd_atomic,     16,    128,   "READs and atomics on the way")               \
    X(bool, port_err_at_send,  false, true,  "a send through a dead port fails at once")   \
    X(int,  bad_lkey,      IBV_WC_LOC_PROT_ERR,    IBV_WC_LOC_QP_OP_ERR, "status of a send with a bad lkey") \
    X(int,  recv_bad_lkey, IBV_WC_LOC_PROT_ERR,    IBV_WC_LOC_QP_OP_ERR, "status of a receive with a bad lkey") \
    X(int,  recv_too_long, IBV_WC_LOC_LEN_ERR,     IBV_WC_LOC_QP_OP_ERR, "status of a receive that is too small") \
    X(int,  sent_too_long, IBV_WC_REM_INV_REQ_ERR, IBV_WC_REM_OP_ERR,    "status of the send that did not fit") \
    X(int,  max_qp_wr,         32768, 1048576, "work requests a queue")                    \
    X(int,  max_cqe,           4194303, 32767, "completions a CQ")                         \
    X(int,  max_sge,           30,    32,    "buffers a request")                          \
    X(int,  max_srq_wr,        32767, 1048576, "work requests an SRQ")                     \
    X(int,  max_inline,        512,   512,   "inline bytes")                               \
    X(uint32_t, first_qpn,     0,     17,    "number of the first queue pair; 0: drawn")
// clang-format on

struct rdma_personality {
    const char *name, *device; /* "hca", "hca0" */
    enum rdma_overrun overrun;
#define X(type, field, hca, rxe, what) type field;
    RDMA_TRAITS(X)
#undef X
};

extern const struct rdma_personality rdma_hca, rdma_rxe;
/* NULL: no such name. */
const struct rdma_personality *rdma_personality_by_name(const char *name);

#endif
