/* SPDX-License-Identifier: Apache-2.0 */
/*
 * observe.c: completions, events and states as short texts; see suite.h.
 */
#include <stdarg.h>
#include <string.h>

#include "tests/conformance/verbs/suite.h"

/* Of pause(), 2 ms each. A device of an emulated machine may be slow. */
#define PATIENCE 4000
#define WHILE 100

const char *status_name(enum ibv_wc_status status)
{
    static const char *const names[] = {
        [IBV_WC_SUCCESS] = "SUCCESS",
        [IBV_WC_LOC_LEN_ERR] = "LOC_LEN_ERR",
        [IBV_WC_LOC_QP_OP_ERR] = "LOC_QP_OP_ERR",
        [IBV_WC_LOC_PROT_ERR] = "LOC_PROT_ERR",
        [IBV_WC_WR_FLUSH_ERR] = "WR_FLUSH_ERR",
        [IBV_WC_BAD_RESP_ERR] = "BAD_RESP_ERR",
        [IBV_WC_LOC_ACCESS_ERR] = "LOC_ACCESS_ERR",
        [IBV_WC_REM_INV_REQ_ERR] = "REM_INV_REQ_ERR",
        [IBV_WC_REM_ACCESS_ERR] = "REM_ACCESS_ERR",
        [IBV_WC_REM_OP_ERR] = "REM_OP_ERR",
        [IBV_WC_RETRY_EXC_ERR] = "RETRY_EXC_ERR",
        [IBV_WC_RNR_RETRY_EXC_ERR] = "RNR_RETRY_EXC_ERR",
        [IBV_WC_FATAL_ERR] = "FATAL_ERR",
        [IBV_WC_GENERAL_ERR] = "GENERAL_ERR",
    };

    if ((unsigned)status < sizeof(names) / sizeof(names[0]) && names[status] != NULL) {
        return names[status];
    }
    return "another status";
}

static const char *opcode_name(enum ibv_wc_opcode opcode)
{
    switch (opcode) {
    case IBV_WC_SEND:
        return "SEND";
    case IBV_WC_RDMA_WRITE:
        return "RDMA_WRITE";
    case IBV_WC_RDMA_READ:
        return "RDMA_READ";
    case IBV_WC_COMP_SWAP:
        return "COMP_SWAP";
    case IBV_WC_FETCH_ADD:
        return "FETCH_ADD";
    case IBV_WC_RECV:
        return "RECV";
    case IBV_WC_RECV_RDMA_WITH_IMM:
        return "RECV_RDMA_WITH_IMM";
    default:
        return "another opcode";
    }
}

const char *errno_name(int error)
{
    error = error < 0 ? -error : error;
    switch (error) {
    case 0:
        return "0";
    case EINVAL:
        return "EINVAL";
    case ENOMEM:
        return "ENOMEM";
    case EBUSY:
        return "EBUSY";
    case EAGAIN:
        return "EAGAIN";
    case EFAULT:
        return "EFAULT";
    case ENODATA:
        return "ENODATA";
    case ENODEV:
        return "ENODEV";
    case EIO:
        return "EIO";
    case EPERM:
        return "EPERM";
    case ETIMEDOUT:
        return "ETIMEDOUT";
    case EOPNOTSUPP:
        return "EOPNOTSUPP";
    case ENETUNREACH:
        return "ENETUNREACH";
    default:
        return "another error";
    }
}

static const char *event_name(enum ibv_event_type type)
{
    switch (type) {
    case IBV_EVENT_CQ_ERR:
        return "CQ_ERR";
    case IBV_EVENT_QP_FATAL:
        return "QP_FATAL";
    case IBV_EVENT_QP_REQ_ERR:
        return "QP_REQ_ERR";
    case IBV_EVENT_QP_ACCESS_ERR:
        return "QP_ACCESS_ERR";
    case IBV_EVENT_COMM_EST:
        return "COMM_EST";
    case IBV_EVENT_SQ_DRAINED:
        return "SQ_DRAINED";
    case IBV_EVENT_SRQ_ERR:
        return "SRQ_ERR";
    case IBV_EVENT_SRQ_LIMIT_REACHED:
        return "SRQ_LIMIT_REACHED";
    case IBV_EVENT_QP_LAST_WQE_REACHED:
        return "QP_LAST_WQE_REACHED";
    case IBV_EVENT_PORT_ACTIVE:
        return "PORT_ACTIVE";
    case IBV_EVENT_PORT_ERR:
        return "PORT_ERR";
    case IBV_EVENT_GID_CHANGE:
        return "GID_CHANGE";
    case IBV_EVENT_DEVICE_FATAL:
        return "DEVICE_FATAL";
    default:
        return "another event";
    }
}

static void append(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void append(struct text *text, const char *format, ...)
{
    size_t used = strlen(text->s);
    va_list args;

    va_start(args, format);
    vsnprintf(text->s + used, sizeof(text->s) - used, format, args);
    va_end(args);
}

/* ---- waiting ----------------------------------------------------------------------- */

static bool wc_within(struct rig *rig, struct ibv_cq *cq, struct ibv_wc *ret_wc, int pauses)
{
    for (int i = 0; i <= pauses; i++) {
        if (ibv_poll_cq(cq, 1, ret_wc) == 1) {
            return true;
        }
        rig->target->pause(rig->target);
    }
    return false;
}

bool next_wc(struct rig *rig, struct ibv_cq *cq, struct ibv_wc *ret_wc)
{
    return wc_within(rig, cq, ret_wc, PATIENCE);
}

const char *next_status(struct rig *rig, struct ibv_cq *cq)
{
    struct ibv_wc wc;

    return wc_within(rig, cq, &wc, PATIENCE) ? status_name(wc.status) : "nothing";
}

const char *soon_status(struct rig *rig, struct ibv_cq *cq)
{
    struct ibv_wc wc;

    return wc_within(rig, cq, &wc, WHILE) ? status_name(wc.status) : "nothing";
}

void a_while(struct rig *rig)
{
    for (int i = 0; i < WHILE; i++) {
        rig->target->pause(rig->target);
    }
}

int wcs_after_a_while(struct rig *rig, struct ibv_cq *cq, struct ibv_wc *ret_wcs, int max)
{
    int n;

    a_while(rig);
    n = ibv_poll_cq(cq, max, ret_wcs);
    return n < 0 ? 0 : n;
}

/* ---- texts ------------------------------------------------------------------------- */

struct text wc_text(const struct ibv_wc *wc)
{
    struct text text = {""};

    append(&text, "%s", status_name(wc->status));
    if (wc->status == IBV_WC_SUCCESS) {
        append(&text, " %s, %u bytes", opcode_name(wc->opcode), wc->byte_len);
        append(&text, "%s%s", wc->wc_flags & IBV_WC_GRH ? ", GRH" : "",
               wc->wc_flags & IBV_WC_WITH_IMM ? ", IMM" : "");
    }
    return text;
}

struct text wr_ids(const struct ibv_wc *wcs, int n)
{
    struct text text = {""};

    for (int i = 0; i < n; i++) {
        append(&text, "%s%llu", i > 0 ? " " : "", (unsigned long long)wcs[i].wr_id);
    }
    return n > 0 ? text : (struct text){"none"};
}

const char *state_of(struct side *side)
{
    static const char *const names[] = {"RESET", "INIT", "RTR", "RTS", "SQD", "SQE", "ERR"};
    struct ibv_qp_attr attr;
    struct ibv_qp_init_attr init;

    if (verbs_query_qp(side->v, side->qp, &attr, IBV_QP_STATE, &init) != 0) {
        return "query failed";
    }
    return (unsigned)attr.qp_state < 7 ? names[attr.qp_state] : "another state";
}

struct text events_of(struct side *side)
{
    enum ibv_event_type types[16];
    unsigned counts[16];
    size_t n = 0, i;
    struct ibv_async_event event;
    struct text text = {""};

    while (verbs_get_async_event(side->v, side->context, &event) == 0) {
        for (i = 0; i < n && types[i] != event.event_type; i++) {
        }
        if (i == n && n < 16) {
            types[n] = event.event_type;
            counts[n++] = 0;
        }
        counts[i < 16 ? i : 15]++;
        verbs_ack_async_event(side->v, &event);
    }
    for (i = 0; i < n; i++) {
        append(&text, "%s%s", i > 0 ? ", " : "", event_name(types[i]));
        if (counts[i] > 1) {
            append(&text, " x%u", counts[i]);
        }
    }
    return n > 0 ? text : (struct text){"none"};
}

void forget_events(struct side *side)
{
    events_of(side);
}
