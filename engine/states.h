/* SPDX-License-Identifier: Apache-2.0 */
/*
 * states.h: the two state machines of a connection, as lists. From them come the enums, the
 * names, the assertion on every change (conn_set_sock_state, conn_set_proto_state), the
 * trace text and the reference picture.
 *
 * X(STATE, name, legal successors as a bit set). A change to the same state is not an edge.
 */
#ifndef MSGRLAB_ENGINE_STATES_H
#define MSGRLAB_ENGINE_STATES_H

// clang-format off
/*
 * The socket machine (Ceph: AsyncConnection::state).
 *
 *   NONE --connect--> CONNECTING --> CONNECTING_RE --> ESTABLISHED --> CLOSED
 *     |                    ^  |____________|____________|    (fault: back to CONNECTING,
 *     '--accept--> ACCEPTING ------------------> ESTABLISHED      or NONE in between)
 */
#define SOCK_STATES(X)                                                                   \
    X(NONE,          "NONE",          B(CONNECTING) | B(ACCEPTING) | B(CLOSED))          \
    X(CONNECTING,    "CONNECTING",    B(CONNECTING_RE) | B(NONE) | B(CLOSED))            \
    X(CONNECTING_RE, "CONNECTING_RE", B(ESTABLISHED) | B(NONE) | B(CLOSED))              \
    X(ACCEPTING,     "ACCEPTING",     B(ESTABLISHED) | B(CLOSED))                        \
    X(ESTABLISHED,   "CONNECTION_ESTABLISHED", B(NONE) | B(CLOSED))                      \
    X(CLOSED,        "CLOSED",        0)

/*
 * The protocol machine (Ceph: ProtocolV2::State), both roles. The dialling side walks the
 * *_CONNECTING states, the accepting side the *_ACCEPTING ones; READY is the session.
 * SESSION_RECONNECTING, STANDBY and WAIT belong to lossless sessions. The THROTTLE states
 * are entered only when a message has to wait (Ceph passes through them for every message).
 */
#define PROTO_STATES(X)                                                                  \
    X(NONE,               "NONE",               B(START_CONNECT) | B(START_ACCEPT) | B(CLOSED)) \
    X(START_CONNECT,      "START_CONNECT",      B(BANNER_CONNECTING) | FAULT_DIAL)       \
    X(BANNER_CONNECTING,  "BANNER_CONNECTING",  B(HELLO_CONNECTING) | FAULT_DIAL)        \
    X(HELLO_CONNECTING,   "HELLO_CONNECTING",   B(AUTH_CONNECTING) | FAULT_DIAL)         \
    X(AUTH_CONNECTING,    "AUTH_CONNECTING",    B(AUTH_CONNECTING_SIGN) | FAULT_DIAL)    \
    X(AUTH_CONNECTING_SIGN, "AUTH_CONNECTING_SIGN", B(SESSION_CONNECTING) | B(SESSION_RECONNECTING) | FAULT_DIAL) \
    X(SESSION_CONNECTING, "SESSION_CONNECTING", B(READY) | B(WAIT) | FAULT_DIAL)         \
    X(SESSION_RECONNECTING, "SESSION_RECONNECTING", B(READY) | B(WAIT) | B(SESSION_CONNECTING) | FAULT_DIAL) \
    X(START_ACCEPT,       "START_ACCEPT",       B(BANNER_ACCEPTING) | B(CLOSED))         \
    X(BANNER_ACCEPTING,   "BANNER_ACCEPTING",   B(HELLO_ACCEPTING) | B(CLOSED))          \
    X(HELLO_ACCEPTING,    "HELLO_ACCEPTING",    B(AUTH_ACCEPTING) | B(CLOSED))           \
    X(AUTH_ACCEPTING,     "AUTH_ACCEPTING",     B(AUTH_ACCEPTING_SIGN) | B(CLOSED))      \
    X(AUTH_ACCEPTING_SIGN, "AUTH_ACCEPTING_SIGN", B(SESSION_ACCEPTING) | B(CLOSED))      \
    X(SESSION_ACCEPTING,  "SESSION_ACCEPTING",  B(READY) | B(CLOSED))                    \
    X(READY,              "READY",              THROTTLES | B(STANDBY) | FAULT_DIAL)     \
    X(THROTTLE_MESSAGE,   "THROTTLE_MESSAGE",   THROTTLES | B(READY) | B(STANDBY) | FAULT_DIAL) \
    X(THROTTLE_BYTES,     "THROTTLE_BYTES",     THROTTLES | B(READY) | B(STANDBY) | FAULT_DIAL) \
    X(THROTTLE_DISPATCH_QUEUE, "THROTTLE_DISPATCH_QUEUE", B(READY) | B(STANDBY) | FAULT_DIAL) \
    X(STANDBY,            "STANDBY",            B(START_CONNECT) | B(SESSION_ACCEPTING) | B(CLOSED)) \
    X(WAIT,               "WAIT",               B(START_CONNECT) | B(SESSION_ACCEPTING) | B(CLOSED)) \
    X(CLOSED,             "CLOSED",             0)
/* A dialler's fault: dial again after a pause, or give up. */
#define FAULT_DIAL (B(START_CONNECT) | B(CLOSED))
#define THROTTLES (B(THROTTLE_MESSAGE) | B(THROTTLE_BYTES) | B(THROTTLE_DISPATCH_QUEUE))
// clang-format on

enum sock_state {
#define X(id, name, next) SOCK_##id,
    SOCK_STATES(X)
#undef X
        SOCK_STATE_COUNT,
};

enum proto_state {
#define X(id, name, next) PROTO_##id,
    PROTO_STATES(X)
#undef X
        PROTO_STATE_COUNT,
};

#endif
