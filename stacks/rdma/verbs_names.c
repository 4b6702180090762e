/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_names.c: the names that the verbs have for what went wrong, and what it means. */
#include "engine/util.h"
#include "stacks/rdma/rdma_impl.h"

const char *wc_status_name(enum ibv_wc_status status)
{
    static const char *const names[] = {
#define X(name) [IBV_WC_##name] = #name
        X(SUCCESS),           X(LOC_LEN_ERR),
        X(LOC_QP_OP_ERR),     X(LOC_EEC_OP_ERR),
        X(LOC_PROT_ERR),      X(WR_FLUSH_ERR),
        X(MW_BIND_ERR),       X(BAD_RESP_ERR),
        X(LOC_ACCESS_ERR),    X(REM_INV_REQ_ERR),
        X(REM_ACCESS_ERR),    X(REM_OP_ERR),
        X(RETRY_EXC_ERR),     X(RNR_RETRY_EXC_ERR),
        X(LOC_RDD_VIOL_ERR),  X(REM_INV_RD_REQ_ERR),
        X(REM_ABORT_ERR),     X(INV_EECN_ERR),
        X(INV_EEC_STATE_ERR), X(FATAL_ERR),
        X(RESP_TIMEOUT_ERR),  X(GENERAL_ERR),
#undef X
    };

    return (size_t)status < ARRAY_SIZE(names) && names[status] != NULL ? names[status]
                                                                       : "unknown status";
}

const char *async_event_name(enum ibv_event_type type)
{
    static const char *const names[] = {
#define X(name) [IBV_EVENT_##name] = #name
        X(CQ_ERR),
        X(QP_FATAL),
        X(QP_REQ_ERR),
        X(QP_ACCESS_ERR),
        X(COMM_EST),
        X(SQ_DRAINED),
        X(PATH_MIG),
        X(PATH_MIG_ERR),
        X(DEVICE_FATAL),
        X(PORT_ACTIVE),
        X(PORT_ERR),
        X(LID_CHANGE),
        X(PKEY_CHANGE),
        X(SM_CHANGE),
        X(SRQ_ERR),
        X(SRQ_LIMIT_REACHED),
        X(QP_LAST_WQE_REACHED),
        X(CLIENT_REREGISTER),
        X(GID_CHANGE),
#undef X
    };

    return (size_t)type < ARRAY_SIZE(names) && names[type] != NULL ? names[type]
                                                                   : "unknown event";
}

const char *wc_status_why(enum ibv_wc_status status)
{
    static const char *const texts[] = {
#define X(name, text) [IBV_WC_##name] = #name ": " text
        X(LOC_LEN_ERR, "a message is longer than its buffer"),
        X(LOC_QP_OP_ERR,
          "the queue pair cannot do what was posted, or a message was too long"),
        X(LOC_EEC_OP_ERR, "an end-to-end context failed"),
        X(LOC_PROT_ERR, "a buffer is not registered memory any more"),
        X(WR_FLUSH_ERR, "the queue pair had failed before"),
        X(MW_BIND_ERR, "a memory window cannot be bound"),
        X(BAD_RESP_ERR, "the peer's device answered out of order"),
        X(LOC_ACCESS_ERR, "the peer may not write where it wrote"),
        X(REM_INV_REQ_ERR, "the peer's device does not take such a message"),
        X(REM_ACCESS_ERR, "the peer's device refused access to its memory"),
        X(REM_OP_ERR, "the peer's queue pair failed"),
        X(RETRY_EXC_ERR, "the peer's device does not answer"),
        X(RNR_RETRY_EXC_ERR, "the peer has no receive buffer, for too long"),
        X(LOC_RDD_VIOL_ERR, "the reliable datagram domains differ here"),
        X(REM_INV_RD_REQ_ERR, "the reliable datagram domains differ at the peer"),
        X(REM_ABORT_ERR, "the peer's device gave up"),
        X(INV_EECN_ERR, "no such end-to-end context"),
        X(INV_EEC_STATE_ERR, "the end-to-end context is in a wrong state"),
        X(FATAL_ERR, "the device failed"),
        X(RESP_TIMEOUT_ERR, "the peer's device answers too late"),
        X(GENERAL_ERR, "the device failed in another way"),
#undef X
    };

    return (size_t)status < ARRAY_SIZE(texts) && texts[status] != NULL
               ? texts[status]
               : "a completion with an unknown status";
}

const char *async_event_why(enum ibv_event_type type)
{
    switch (type) {
#define X(name, text)                                                                      \
    case IBV_EVENT_##name:                                                                 \
        return #name ": " text
        X(CQ_ERR, "a completion queue overran");
        X(QP_FATAL, "the queue pair failed");
        X(QP_REQ_ERR, "the peer's request is not valid for the queue pair");
        X(QP_ACCESS_ERR, "the peer may not do what it asked for");
        X(DEVICE_FATAL, "the RDMA device failed");
        X(SRQ_ERR, "the shared receive queue failed");
        X(QP_LAST_WQE_REACHED, "the queue pair failed, and takes no more receives");
#undef X
    default:
        return "an unknown event of the RDMA device";
    }
}
