/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suite.h: the verbs conformance suite: questions to a verbs device, and what it answered.
 *
 * A case (case_*.c) sets up a rig of two connected queue pairs, does something to it, and
 * writes the answers down as short texts; rows.h has every question and the answer that
 * each personality is expected to give. Nothing here knows whether the device is real:
 * control verbs go through struct verbs, data verbs through their inline functions, time
 * and trouble through struct verbs_target. No answer holds a time, an address or a number
 * that a device may choose. One thread.
 */
#ifndef TESTS_CONFORMANCE_VERBS_SUITE_H
#define TESTS_CONFORMANCE_VERBS_SUITE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "stacks/rdma/verbs.h"

/* Trouble on a wire, each in percent of the packets. */
struct verbs_wire {
    int lost, duplicated, damaged;
};

/* Two open devices whose queue pairs reach each other, and what is around them. */
struct verbs_target {
    const char *personality;        /* a column of rows.h */
    struct verbs *verbs[2];         /* borrowed; may be the same */
    struct ibv_context *context[2]; /* borrowed */
    uint8_t port;
    uint8_t gid_index[2];
    union ibv_gid nobody; /* on the network of both, but no device has it */
    /* Lets about 2 ms pass. */
    void (*pause)(struct verbs_target *target);
    /* Network of device side down or up; NULL where that cannot be done. 0 or -1. */
    int (*set_link)(struct verbs_target *target, int side, bool up);
    /* What becomes of the packets that side sends, in percent; all zero: nothing. Set with
     * set_link. 0 or -1. */
    int (*set_wire)(struct verbs_target *target, int side, const struct verbs_wire *wire);
    /* Takes away or gives back the address behind gid_index[side]; may be NULL. 0 or -1. */
    int (*set_address)(struct verbs_target *target, int side, bool present);
};

struct suite;

/* Notes the answer to question id of rows.h, once. */
void answer(struct suite *suite, const char *id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Asks everything. 0, or the number of questions that were answered differently than
 * expected, twice or not at all. The table goes to table, as markdown; what is wrong goes
 * to stderr. only: cases whose name begins with it, or NULL. */
int verbs_suite_run(struct verbs_target *target, const char *only, FILE *table);

/* ---- the rig ---------------------------------------------------------------------- */

#define RIG_MEMORY 65536

/* Zero means the default in brackets. */
struct rig_options {
    uint32_t sq_depth, rq_depth; /* (16) */
    uint32_t cq_depth_a;         /* (64) of a's send queue */
    uint32_t cq_depth_b;         /* (64) of b's receive queue */
    uint32_t sge;                /* (2) */
    uint32_t inline_data;        /* bytes */
    uint32_t srq_depth;          /* b has a shared receive queue of this depth */
    bool one_cq;                 /* one completion queue for both queues of a side */
    bool channels;               /* completion queues have channels */
    bool sig_all;                /* every send completes visibly */
    bool unconnected;            /* both stay in RESET */
    bool b_stays_init;           /* b goes no further than INIT */
    bool b_stays_rtr;            /* or than RTR */
    uint8_t timeout;             /* (14) 4.096 us * 2^n */
    int retry_cnt;               /* (6); -1 means 0 */
    int rnr_retry;               /* (7); -1 means 0 */
    uint8_t min_rnr;             /* (1) 0.01 ms */
    uint32_t psn_skew;           /* a sends with this added */
    enum ibv_mtu mtu_b;          /* (IBV_MTU_1024) */
    int access_b;                /* (LOCAL_WRITE|REMOTE_WRITE|REMOTE_READ|REMOTE_ATOMIC) */
    bool no_access_b;            /* access of b's queue pair: none */
    bool no_reads_a, no_reads_b; /* max_rd_atomic of a, max_dest_rd_atomic of b: 0 */
};

struct side {
    struct rig *rig;
    int index; /* 0 is a, 1 is b */
    struct verbs *v;
    struct ibv_context *context;
    struct ibv_pd *pd;
    struct ibv_comp_channel *send_channel, *recv_channel;
    struct ibv_cq *send_cq, *recv_cq; /* the same one with one_cq */
    struct ibv_srq *srq;
    struct ibv_qp *qp;
    struct ibv_mr *mr;
    uint8_t *memory; /* RIG_MEMORY bytes, all registered, with every right */
    uint32_t psn;
};

struct rig {
    struct suite *suite;
    struct verbs_target *target;
    struct rig_options options;
    struct side a, b;
};

/* Cases fail by exit where a rig cannot be made: without one there is no answer. */
void rig_open(struct rig *rig, struct suite *suite, const struct rig_options *options);
void rig_close(struct rig *rig);
/* Takes a side's queue pair away, early. */
void side_destroy_qp(struct side *side);
/* One more queue pair for that side, in RESET; the caller destroys it. */
struct ibv_qp *side_new_qp(struct side *side);

/* Transitions; 0 or a negative errno. */
int qp_to_init(struct side *side, struct ibv_qp *qp);
int qp_to_rtr(struct side *side, struct ibv_qp *qp, uint32_t peer_qpn, uint32_t peer_psn);
int qp_to_rts(struct side *side, struct ibv_qp *qp);
int qp_to(struct side *side, struct ibv_qp *qp, enum ibv_qp_state state);
/* The attributes that qp_to_rtr would use. */
struct ibv_qp_attr qp_rtr_attr(struct side *side, uint32_t peer_qpn, uint32_t peer_psn);
#define RTR_MASK                                                                           \
    (IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |        \
     IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER)

/* Posts from or into side's memory; 0 or what the verb returned. */
int post_send(struct side *side, uint64_t wr_id, uint32_t length, unsigned flags);
int post_recv(struct side *side, uint64_t wr_id, uint32_t length);
/* The same at an offset and with an lkey. */
int post_recv_at(struct side *side, uint64_t wr_id, uint64_t addr, uint32_t length,
                 uint32_t lkey);
int post_send_at(struct side *side, uint64_t wr_id, uint64_t addr, uint32_t length,
                 uint32_t lkey);
/* An RDMA operation from side's memory to that of the other. */
int post_rdma(struct side *side, enum ibv_wr_opcode opcode, uint64_t wr_id, uint32_t length,
              uint64_t remote, uint32_t rkey);

/* ---- what happened ----------------------------------------------------------------- */

/* Waits for the next completion, seconds if need be. False: none came. */
bool next_wc(struct rig *rig, struct ibv_cq *cq, struct ibv_wc *ret_wc);
/* What is there after a while, at most max. */
int wcs_after_a_while(struct rig *rig, struct ibv_cq *cq, struct ibv_wc *ret_wcs, int max);
/* About 200 ms. */
void a_while(struct rig *rig);
/* Status of the next completion, or "nothing". */
const char *next_status(struct rig *rig, struct ibv_cq *cq);
/* The same, but waits only a while. */
const char *soon_status(struct rig *rig, struct ibv_cq *cq);

/* The async events of a side that have come, "none" or as in "CQ_ERR x3, SRQ_LIMIT". */
struct text {
    char s[160];
};
struct text events_of(struct side *side);
/* Drops those that have come. */
void forget_events(struct side *side);
struct text wc_text(const struct ibv_wc *wc);
/* "1 2 3": the wr_ids; "none" if n is 0. */
struct text wr_ids(const struct ibv_wc *wcs, int n);
const char *status_name(enum ibv_wc_status status);
/* Of its queue pair. */
const char *state_of(struct side *side);
/* "0", "EINVAL", ...; takes positive and negative. */
const char *errno_name(int error);

/* ---- the cases --------------------------------------------------------------------- */

struct verbs_case {
    const char *name;
    void (*ask)(struct suite *suite);
};
struct verbs_target *suite_target(struct suite *suite);

/* Each ends with a case without a name. */
extern const struct verbs_case cases_device[], cases_state[], cases_send[], cases_error[],
    cases_flush[], cases_queue[], cases_channel[], cases_memory[], cases_rdma[],
    cases_network[];

#endif
