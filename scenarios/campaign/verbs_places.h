/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verbs_places.h: the completion errors and asynchronous events of the verbs, for coverage:
 * those that SEND and RECV on reliable connections can meet, and the others, with reasons.
 */
#ifndef MSGRLAB_SCENARIOS_CAMPAIGN_VERBS_PLACES_H
#define MSGRLAB_SCENARIOS_CAMPAIGN_VERBS_PLACES_H

/* IBV_WC_... */
#define WC_ERRORS(X)                                                                       \
    X(LOC_LEN_ERR)                                                                         \
    X(LOC_QP_OP_ERR)                                                                       \
    X(LOC_PROT_ERR)                                                                        \
    X(WR_FLUSH_ERR)                                                                        \
    X(BAD_RESP_ERR)                                                                        \
    X(REM_INV_REQ_ERR)                                                                     \
    X(REM_ACCESS_ERR)                                                                      \
    X(REM_OP_ERR)                                                                          \
    X(RETRY_EXC_ERR)                                                                       \
    X(RNR_RETRY_EXC_ERR)                                                                   \
    X(REM_ABORT_ERR)                                                                       \
    X(FATAL_ERR)                                                                           \
    X(RESP_TIMEOUT_ERR)                                                                    \
    X(GENERAL_ERR)

/* IBV_EVENT_... */
#define ASYNC_EVENTS(X)                                                                    \
    X(CQ_ERR)                                                                              \
    X(QP_FATAL)                                                                            \
    X(QP_REQ_ERR)                                                                          \
    X(QP_ACCESS_ERR)                                                                       \
    X(COMM_EST)                                                                            \
    X(SQ_DRAINED)                                                                          \
    X(PATH_MIG)                                                                            \
    X(PATH_MIG_ERR)                                                                        \
    X(DEVICE_FATAL)                                                                        \
    X(PORT_ACTIVE)                                                                         \
    X(PORT_ERR)                                                                            \
    X(LID_CHANGE)                                                                          \
    X(PKEY_CHANGE)                                                                         \
    X(SM_CHANGE)                                                                           \
    X(SRQ_ERR)                                                                             \
    X(SRQ_LIMIT_REACHED)                                                                   \
    X(QP_LAST_WQE_REACHED)                                                                 \
    X(CLIENT_REREGISTER)                                                                   \
    X(GID_CHANGE)

#define VERBS_PLACES_NOT(X)                                                                \
    X("LOC_EEC_OP_ERR, LOC_RDD_VIOL_ERR, REM_INV_RD_REQ_ERR, INV_EECN_ERR, "               \
      "INV_EEC_STATE_ERR",                                                                 \
      "of reliable datagrams, which nobody built")                                         \
    X("LOC_ACCESS_ERR", "of what RDMA WRITE with immediate data does to the receiver")     \
    X("MW_BIND_ERR", "of memory windows")                                                  \
    X("TM_ERR, TM_RNDV_INCOMPLETE", "of tag matching")                                     \
    X("WQ_FATAL", "of raw work queues")

#endif
