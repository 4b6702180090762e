/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault_rows_verbs.h: what the virtual RDMA device does wrong. For fault_list.h, which says
 * how rows are read.
 */
#ifndef MSGRLAB_SIM_DECIDE_FAULT_ROWS_VERBS_H
#define MSGRLAB_SIM_DECIDE_FAULT_ROWS_VERBS_H

// clang-format off
/* What the virtual RDMA device does wrong (sim/rdma); each is a decision site, and its
 * actor the queue pair or the device. Never without such a device. */
#define FAULT_VERBS_ROWS(F, X)                                                           \
    F(X, V01_LIST,         "v01_list",         'V', "verbs.device",  FC_LOST_NODE,       \
      "there is no device when the stack looks for one")                                 \
    F(X, V01_OPEN,         "v01_open",         'V', "verbs.device",  FC_LOST_NODE,       \
      "open_device fails: ENODEV, EACCES, EMFILE")                                       \
    F(X, V02_QUERY,        "v02_query",        'V', "verbs.query",   FC_LOST_NODE,       \
      "query_device, query_port or query_gid fails: EIO, ENOMEM, EINVAL")                \
    F(X, V02_LIMITS,       "v02_limits",       'V', "verbs.query",   FC_LOST_NODE,       \
      "the device has less than usual: value 1 max_qp_wr 16, 2 max_srq_wr 16, "          \
      "3 max_cqe 64, 4 max_qp 1")                                                        \
    F(X, V03_START,        "v03_start",        'V', "verbs.create",  FC_LOST_NODE,       \
      "alloc_pd, reg_mr, create_channel, create_cq, create_srq, post_srq_recv fail "     \
      "while the device has no queue pair: ENOMEM, EINVAL, EAGAIN, ENOSPC")              \
    F(X, V03_QP,           "v03_qp",           'V', "verbs.create",  FC_NO_CONN,         \
      "create_qp fails: ENOMEM, EINVAL, EAGAIN, ENOSPC")                                 \
    F(X, V04_MORE_CQE,     "v04_more_cqe",     'V', "verbs.create",  FC_DELAY,           \
      "create_cq gives value [100] entries more than asked for")                         \
    F(X, V05_REG_MR,       "v05_reg_mr",       'V', "verbs.reg_mr",  FC_NO_CONN,         \
      "reg_mr fails while there are queue pairs: ENOMEM, EFAULT, EINVAL")                \
    F(X, V06_TO_INIT,      "v06_to_init",      'V', "verbs.modify_qp", FC_NO_CONN,       \
      "modify_qp to INIT fails: EINVAL, ENOMEM")                                         \
    F(X, V06_TO_RTR,       "v06_to_rtr",       'V', "verbs.modify_qp", FC_NO_CONN,       \
      "modify_qp to RTR fails: ETIMEDOUT, EINVAL, ENOMEM")                               \
    F(X, V06_TO_RTS,       "v06_to_rts",       'V', "verbs.modify_qp", FC_NO_CONN,       \
      "modify_qp to RTS fails: EINVAL, ENOMEM")                                          \
    F(X, V06_WRONG,        "v06_wrong",        'V', "verbs.modify_qp", FC_NO_CONN,       \
      "to RTR with a wrong value, and nobody says so: value 1 dest_qp_num, 2 rq_psn one "\
      "too high, 3 one too low")                                                         \
    F(X, V06_TO_ERR,       "v06_to_err",       'V', "verbs.modify_qp", FC_CONN_LOSS,     \
      "modify_qp to ERR fails, and the queue pair goes on: ENOMEM, EINVAL")              \
    F(X, V07_POST_SEND,    "v07_post_send",    'V', "verbs.post_send", FC_CONN_LOSS,     \
      "post_send refuses a request and those behind it in the chain: ENOMEM, EINVAL")    \
    F(X, V08_POST_RECV,    "v08_post_recv",    'V', "verbs.post_recv", FC_CONN_LOSS,     \
      "post_recv or post_srq_recv refuses a request and those behind it: ENOMEM, EINVAL")\
    F(X, V10_SEND,         "v10_send",         'V', "verbs.cqe",     FC_CONN_LOSS,       \
      "a send fails with the ibv_wc_status value; drawn: what RC may say")               \
    F(X, V10_RECV,         "v10_recv",         'V', "verbs.cqe",     FC_CONN_LOSS,       \
      "a receive fails with the ibv_wc_status value; drawn: what RC may say")            \
    F(X, V15_QP,           "v15_qp",           'V', "verbs.qp",      FC_CONN_LOSS,       \
      "a queue pair dies by itself: value 1 QP_FATAL, 2 QP_REQ_ERR, 3 QP_ACCESS_ERR, "   \
      "4 to 6: the same, and the event comes behind the flushed completions")            \
    F(X, V15_SRQ,          "v15_srq",          'V', "verbs.srq",     FC_LOST_NODE,       \
      "SRQ_ERR: the SRQ takes and gives nothing any more, its queue pairs die")          \
    F(X, V16_LAST_WQE,     "v16_last_wqe",     'V', "verbs.event",   FC_DELAY,           \
      "LAST_WQE_REACHED: value 1 never comes, 2 comes twice, 3 comes time [1ms] late")   \
    F(X, V17_CQ,           "v17_cq",           'V', "verbs.cqe",     FC_LOST_NODE,       \
      "a CQ overruns, however deep it is: CQ_ERR")                                       \
    F(X, V18_LATE,         "v18_late",         'V', "verbs.cqe",     FC_DELAY,           \
      "a completion, and what comes behind it in its CQ, is seen time [100us] later")    \
    F(X, V18_FEW,          "v18_few",          'V', "verbs.poll_cq", FC_DELAY,           \
      "poll_cq gives value [1] completion at most")                                      \
    F(X, V18_NONE,         "v18_none",         'V', "verbs.poll_cq", FC_DELAY,           \
      "poll_cq gives nothing: what there is is seen time [1us] later")                   \
    F(X, V18_FAILS,        "v18_fails",        'V', "verbs.poll_cq", FC_LOST_NODE,       \
      "poll_cq fails: the CQ cannot be relied on any more")                              \
    F(X, V19_OVERTAKE,     "v19_overtake",     'V', "verbs.cqe",     FC_DELAY,           \
      "a completion overtakes value [all] of other queues in its CQ")                    \
    F(X, V20_LATE,         "v20_late",         'V', "verbs.event",   FC_DELAY,           \
      "a completion event comes time [100us] late")                                      \
    F(X, V20_EXTRA,        "v20_extra",        'V', "verbs.event",   FC_DELAY,           \
      "a completion event comes although nothing completed, when the CQ is armed")       \
    F(X, V21_EVENT,        "v21_event",        'V', "verbs.event",   FC_DELAY,           \
      "an async event that breaks nothing: value 1 LID_CHANGE, 2 PKEY_CHANGE, "          \
      "3 SM_CHANGE, 4 CLIENT_REREGISTER, 5 PORT_ACTIVE, 6 COMM_EST, 7 SQ_DRAINED, "      \
      "8 PATH_MIG, 9 PATH_MIG_ERR, 10 SRQ_LIMIT_REACHED, 11 one without a name")         \
    F(X, V22_PORT,         "v22_port",         'V', "verbs.port",    FC_NO_CONN,         \
      "the port has no link for time; drawn: 1ms, 100ms, 1s")                            \
    F(X, V23_GID,          "v23_gid",          'V', "verbs.port",    FC_NO_CONN,         \
      "the address at GID value [1] goes away for time; drawn: 1ms, 100ms, 1s")          \
    F(X, V24_DEVICE,       "v24_device",       'V', "verbs.device",  FC_LOST_NODE,       \
      "DEVICE_FATAL: every verb fails from here on, and nothing completes")              \
    F(X, V25_NUMBER,       "v25_number",       'V', "verbs.create",  FC_DELAY,           \
      "create_qp gives the number of the queue pair that was destroyed last")            \
    F(X, V26_PAYLOAD,      "v26_payload",      'V', "verbs.packet",                      \
      FC_CORRUPT | FC_CONN_LOSS,                                                         \
      "a byte of a message comes wrong into memory although the ICRC is right")          \
    F(X, V27_DROP,         "v27_drop",         'V', "verbs.packet",  FC_CONN_LOSS,       \
      "a packet of the device is lost")                                                  \
    F(X, V27_DAMAGE,       "v27_damage",       'V', "verbs.packet",  FC_CONN_LOSS,       \
      "a packet of the device arrives with wrong bits: its ICRC tells")                  \
    F(X, V27_REPEAT,       "v27_repeat",       'V', "verbs.packet",  FC_DELAY,           \
      "a packet of the device comes twice")                                              \
    F(X, V31_REG_MR,       "v31_reg_mr",       'V', "verbs.reg_mr",  FC_DELAY,           \
      "reg_mr takes time [1ms]")                                                         \
    F(X, V31_PAGE,         "v31_page",         'V', "verbs.qp",      FC_DELAY,           \
      "memory must be fetched first: a queue pair sends time [100us] later")
// clang-format on

#endif
