/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_names.c: the names that the verbs have for what went wrong. */
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
