/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_points.h: the one list of everything that is recorded. The recorder's enum, the
 * text printer, the exporters and every picture are generated from it, so they cannot
 * drift.
 *
 * X(ID, name, layer, step, class, format)
 *   ID      TP_<ID> is the kind number; new kinds go to the end (files carry numbers)
 *   name    how people call it; for steps, the vocabulary of the design
 *   layer   which box of the picture it lives in (enum trace_layer)
 *   step    "S1".."S7", "R1".."R7", or "" when it is no step of the IO path
 *   class   what it looks like (enum trace_class: colour, shape and letter)
 *   format  text, with the record's fields as {field:type}
 *           fields: obj val a0 a1 aux
 *           types:  u unsigned, d signed, x hex, ns duration, err negative errno or 0,
 *                   obj object table, str string table, mask r/w, fd descriptor#generation,
 *                   tag msgr2 frame tag, proto protocol state, sock socket state,
 *                   ev dispatcher event, flag yes/no
 *
 * Byte streams: "at" is the offset in the byte stream of one direction of one socket, 0 at
 * connect. Joining S4, S5, S6 and R4..R7 on (connection, offset range) tells which message
 * a system call carried; joining the two ends on CONN_SOCKET's `link` crosses nodes.
 * Nothing is added to the wire.
 */
#ifndef MSGRLAB_ENGINE_TRACE_POINTS_H
#define MSGRLAB_ENGINE_TRACE_POINTS_H

enum trace_layer {
    LAYER_MESSENGER,
    LAYER_CONNECTION, /* AsyncConnection and its protocol */
    LAYER_CENTER,     /* EventCenter */
    LAYER_STACK,      /* NetworkStack */
    LAYER_RDMA,       /* RDMAStack: chunks, dispatcher, side channel */
    LAYER_VERBS,      /* the verbs it calls */
    LAYER_COUNT,
};

enum trace_class {
    CLASS_APP,   /* square: the user's calls and dispatch */
    CLASS_EXT,   /* diamond E: external events and wake-ups */
    CLASS_FILE,  /* circle F: file events and reads */
    CLASS_TIMER, /* triangle T */
    CLASS_IO,    /* hexagon P: bytes handed to the stack */
    CLASS_STATE, /* state changes and life-cycle */
    CLASS_ERROR, /* double outline */
    CLASS_COUNT,
};

// clang-format off
#define TRACE_POINTS(X)                                                                                                          \
/* ---- the IO path, sending: S1..S6 (S7 belongs to the RDMA stack) ---- */                                                     \
X(S1_SEND_MESSAGE,   "send_message",   MESSENGER,  "S1", APP,   "type={a0:u} prio={a1:u} bytes={val:u}")                         \
X(S2_SUBMIT_MESSAGE, "submit_message", MESSENGER,  "S2", APP,   "{obj:obj} created={a0:flag}")                                   \
X(S3_QUEUE,          "queue",          CONNECTION, "S3", EXT,   "{obj:obj} prio={a0:u} bytes={val:u} depth={a1:u}")              \
X(S4_WRITE_MESSAGE,  "write_message",  CONNECTION, "S4", IO,    "{obj:obj} seq={a0:u} frame={val:u} at={a1:u} took={aux:ns}")    \
X(S5_TRY_SEND,       "try_send",       CONNECTION, "S5", IO,    "{obj:obj} outgoing={val:u} at={a0:u} messages={a1:u}")          \
X(S6_STACK_SEND,     "stack_send",     STACK,      "S6", IO,    "{obj:obj} sent={val:d} at={a0:u} asked={a1:u} took={aux:ns}")   \
/* ---- receiving: R3..R7 (R1 and R2 belong to the RDMA stack) ---- */                                                          \
X(R3_READ_EVENT,     "read_event",     CONNECTION, "R3", FILE,  "{obj:obj} fd={a0:fd} at={a1:u}")                                \
X(R4_ALLOCATE,       "allocate",       CONNECTION, "R4", FILE,  "{obj:obj} bytes={val:u} segment={a0:u} at={a1:u}")              \
X(R5_READ_UNTIL,     "read_until",     CONNECTION, "R5", FILE,  "{obj:obj} want={val:u} at={a0:u} from_recv_buf={a1:u} missing={aux:u}") \
X(R6_READ_BULK,      "read_bulk",      STACK,      "R6", FILE,  "{obj:obj} got={val:d} at={a0:u} asked={a1:u} took={aux:ns}")    \
X(R7_DISPATCH,       "dispatch",       CONNECTION, "R7", APP,   "{obj:obj} seq={a0:u} frame={val:u} at={a1:u} type={aux:u}")     \
/* ---- what happens to a received message afterwards ---- */                                                                   \
X(FAST_DISPATCH,     "fast_dispatch",  MESSENGER,  "",   APP,   "{obj:obj} seq={a0:u} type={a1:u}")                              \
X(DISPATCH_ENQUEUE,  "dispatch_enqueue", MESSENGER, "",  APP,   "{obj:obj} seq={a0:u} prio={val:u} depth={a1:u}")                \
X(DISPATCH_BEGIN,    "dispatch_begin", MESSENGER,  "",   APP,   "{obj:obj} seq={a0:u} type={a1:u}")                              \
X(DISPATCH_END,      "dispatch_end",   MESSENGER,  "",   APP,   "{obj:obj} seq={a0:u} took={aux:ns}")                            \
X(DISPATCH_EVENT,    "dispatch_event", MESSENGER,  "",   APP,   "{obj:obj} {a0:ev}")                                             \
X(LOCAL_DELIVERY,    "local_delivery", MESSENGER,  "",   APP,   "{obj:obj} bytes={val:u}")                                       \
/* ---- event center ---- */                                                                                                    \
X(WAIT_ENTER,        "driver_wait",    CENTER,     "",   FILE,  "{obj:obj} cycle={a1:u} timeout={a0:ns}")                        \
X(WAIT_EXIT,         "driver_woke",    CENTER,     "",   FILE,  "{obj:obj} cycle={a1:u} events={val:u} slept={a0:ns}")           \
X(FILE_ADD,          "file_add",       CENTER,     "",   FILE,  "{obj:obj} fd={a0:fd} mask={val:mask}")                          \
X(FILE_DEL,          "file_del",       CENTER,     "",   FILE,  "{obj:obj} fd={a0:fd} mask={val:mask}")                          \
X(FILE_EVENT,        "file_event",     CENTER,     "",   FILE,  "{obj:obj} fd={a0:fd} mask={val:mask} cycle={a1:u}")             \
X(FILE_STALE,        "file_stale",     CENTER,     "",   ERROR, "{obj:obj} fd={a0:fd} now={a1:fd}")                              \
X(FILE_SKIP,         "file_skip",      CENTER,     "",   FILE,  "{obj:obj} fd={a0:fd} mask={val:mask}")                          \
X(EXT_POST,          "external_post",  CENTER,     "",   EXT,   "{obj:obj} {a1:str} n={a0:u} depth={aux:u} wakes={val:flag}")    \
X(EXT_MERGE,         "external_merge", CENTER,     "",   EXT,   "{obj:obj} {a1:str} already queued")                             \
X(EXT_RUN,           "external_event", CENTER,     "",   EXT,   "{obj:obj} {a1:str} n={a0:u}")                                   \
X(WAKEUP,            "notify_write",   CENTER,     "",   EXT,   "{obj:obj} n={a0:u}")                                            \
X(WAKE_DRAIN,        "notify_drain",   CENTER,     "",   EXT,   "{obj:obj} bytes={val:u}")                                       \
X(TIME_ADD,          "time_add",       CENTER,     "",   TIMER, "{obj:obj} id={a0:u} in={a1:ns}")                                \
X(TIME_DEL,          "time_del",       CENTER,     "",   TIMER, "{obj:obj} id={a0:u}")                                           \
X(TIME_EVENT,        "time_event",     CENTER,     "",   TIMER, "{obj:obj} id={a0:u} late={a1:ns}")                              \
/* ---- connections ---- */                                                                                                     \
X(CONN_NEW,          "conn_new",       CONNECTION, "",   STATE, "{obj:obj} on={a0:obj} policy={a1:str} accepted={val:flag}")     \
X(CONN_SOCKET,       "conn_socket",    CONNECTION, "",   STATE, "{obj:obj} fd={val:u} link={a0:x} dialled={a1:flag}")            \
X(SOCK_STATE,        "sock_state",     CONNECTION, "",   STATE, "{obj:obj} {a0:sock}->{a1:sock} ({val:str})")                    \
X(PROTO_STATE,       "proto_state",    CONNECTION, "",   STATE, "{obj:obj} {a0:proto}->{a1:proto} ({val:str})")                  \
X(FRAME_OUT,         "frame_out",      CONNECTION, "",   IO,    "{obj:obj} {a0:tag} bytes={val:u} at={a1:u}")                    \
X(FRAME_IN,          "frame_in",       CONNECTION, "",   FILE,  "{obj:obj} {a0:tag} bytes={val:u} at={a1:u}")                    \
X(CONN_FAULT,        "conn_fault",     CONNECTION, "",   ERROR, "{obj:obj} {val:err}: {a0:str}; peer {a1:str}")                  \
X(CONN_BACKOFF,      "conn_backoff",   CONNECTION, "",   TIMER, "{obj:obj} retry in {a0:ns}")                                    \
X(CONN_STOP,         "conn_stop",      CONNECTION, "",   STATE, "{obj:obj} dropped={val:u} unsent={a0:u} unacked={a1:u}")                                     \
X(CONN_FREE,         "conn_free",      CONNECTION, "",   STATE, "{obj:obj}")                                                     \
X(OUT_QUEUE_FULL,    "out_queue_full", CONNECTION, "",   ERROR, "{obj:obj} depth={a0:u} bytes={a1:u}")                           \
X(THROTTLE_GET,      "throttle_get",   CONNECTION, "",   EXT,   "{obj:obj} n={val:u} held={a0:u} of={a1:u}")                     \
X(THROTTLE_WAIT,     "throttle_wait",  CONNECTION, "",   ERROR, "{obj:obj} n={val:u} held={a0:u} of={a1:u}")                     \
X(THROTTLE_PUT,      "throttle_put",   CONNECTION, "",   EXT,   "{obj:obj} n={val:u} held={a0:u} of={a1:u}")                     \
/* ---- sockets ---- */                                                                                                         \
X(LISTEN,            "listen",         STACK,      "",   STATE, "{obj:obj} fd={val:d} port={a0:u}")                              \
X(CONNECT,           "connect",        STACK,      "",   STATE, "{obj:obj} fd={a0:u} {val:err}")                                 \
X(ACCEPT,            "accept",         STACK,      "",   STATE, "{obj:obj} fd={val:d} from port {a0:u}")                         \
X(ACCEPT_ERROR,      "accept_error",   STACK,      "",   ERROR, "{obj:obj} {val:err}, pause {a0:ns}")                            \
X(SOCKET_CLOSE,      "socket_close",   STACK,      "",   STATE, "{obj:obj} fd={val:d} sent={a0:u} received={a1:u}")              \
X(MESSAGE_DROPPED,   "message_dropped", CONNECTION, "",  ERROR, "{obj:obj} seq={a0:u} ({val:str})")                              \
/* ---- added later: what the checkers of the simulated world need ---- */                                                       \
X(EXT_CANCEL,        "external_cancel", CENTER,     "",  EXT,   "{obj:obj} n={a0:u}")                                            \
X(CONN_DOWN,         "mark_down",      CONNECTION, "",   APP,   "{obj:obj}")                                                     \
X(ACK_IN,            "ack_in",         CONNECTION, "",   FILE,  "{obj:obj} seq={a0:u} of={a1:u}")                                \
/* ---- the RDMA stack and its verbs ---- */                                                                                     \
X(S6_CHUNK_WRITE,     "chunk_write",   RDMA,       "S6", IO,    "{obj:obj} bytes={val:u} at={a0:u} chunk={a1:u}")                \
X(S7_POST_SEND,       "post_send",     VERBS,      "S7", IO,    "{obj:obj} bytes={val:u} at={a0:u} wrs={a1:u} qp={aux:u}")       \
X(R1_POLL_CQ,         "poll_cq",       VERBS,      "R1", FILE,  "{obj:obj} bytes={val:u} at={a0:u} chunk={a1:u} qp={aux:u}")     \
X(R2_NOTIFY,          "notify",        RDMA,       "R2", FILE,  "{obj:obj} bytes={val:u} at={a0:u} fd={aux:u} wakes={a1:flag}")  \
X(R6_CHUNK_READ,      "chunk_read",    RDMA,       "R6", FILE,  "{obj:obj} bytes={val:u} at={a0:u} chunk={a1:u} left={aux:u}")   \
X(WR_SEND,            "wr_send",       VERBS,      "",   IO,    "{obj:obj} bytes={val:u} wr={a0:x} at={a1:u} qp={aux:u}")        \
X(WR_RECV,            "wr_recv",       VERBS,      "",   FILE,  "posted={val:u} now={a0:u} of={a1:u} qp={aux:u}")                \
X(CQE_SEND,           "cqe_send",      VERBS,      "",   IO,    "{obj:obj} wr={a0:x} {a1:str} qp={aux:u}")                       \
X(CQE_ERROR,          "cqe_error",     VERBS,      "",   ERROR, "{obj:obj} wr={a0:x} {a1:str} qp={aux:u}")                       \
X(CQ_ARM,             "cq_arm",        VERBS,      "",   EXT,   "tx={a0:flag} rx={a1:flag}")                                     \
X(CQ_EVENT,           "cq_event",      VERBS,      "",   EXT,   "tx={a0:u} rx={a1:u}")                                           \
X(ASYNC_EVENT,        "async_event",   VERBS,      "",   ERROR, "{obj:obj} {a0:str} qp={aux:u}")                                 \
X(POLL_SLEEP,         "poller_sleep",  RDMA,       "",   EXT,   "after {a0:u} polls, spun {a1:ns}")                              \
X(POLL_WOKE,          "poller_woke",   RDMA,       "",   EXT,   "slept {a1:ns}")                                                 \
X(CHUNK_GET,          "chunk_get",     RDMA,       "",   IO,    "n={val:u} {a1:str} free={a0:u}")                                \
X(CHUNK_PUT,          "chunk_put",     RDMA,       "",   IO,    "n={val:u} {a1:str} free={a0:u}")                                \
X(SEND_BLOCKED,       "send_blocked",  RDMA,       "",   ERROR, "{obj:obj} at={a0:u} in_flight={val:u} ({a1:str})")              \
X(SEND_UNBLOCKED,     "send_unblocked", RDMA,       "",   IO,    "{obj:obj} in_flight={val:u}")                                  \
X(QP_STATE,           "qp_state",      VERBS,      "",   STATE, "{obj:obj} qp={aux:u} {a0:str}->{a1:str} {val:err}")             \
X(SIDE_CHANNEL,       "side_channel",  RDMA,       "",   STATE, "{obj:obj} {a0:str} qpn={val:u} psn={a1:u} peer_qpn={aux:u}")    \
X(RDMA_FIN,           "fin",           RDMA,       "",   STATE, "{obj:obj} {a0:str} at={a1:u}")                                  \
X(RDMA_BEACON,        "beacon",        RDMA,       "",   STATE, "{obj:obj} {a0:str} qp={aux:u}")                                 \
X(RDMA_FAULT,         "rdma_fault",    RDMA,       "",   ERROR, "{obj:obj} {val:err}: {a0:str}")                                 \
X(RECV_SHARE,         "recv_share",    RDMA,       "",   ERROR, "{obj:obj} bytes={val:u} at={a0:u} ({a1:str})")                  \
X(CENTER_ADOPT,       "center_adopt",  CENTER,     "",   STATE, "{obj:obj}")
// clang-format on

enum trace_kind {
    TP_NONE, /* an empty slot */
#define X(id, name, layer, step, cls, fmt) TP_##id,
    TRACE_POINTS(X)
#undef X
        TP_COUNT,
};

#endif
