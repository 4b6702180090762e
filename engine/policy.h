/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.h: how a messenger treats peers of one type, as data. The rows are Ceph's
 * (Messenger::Policy).
 */
#ifndef MSGRLAB_ENGINE_POLICY_H
#define MSGRLAB_ENGINE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct throttle;

// clang-format off
/* X(name, lossy, server, standby, resetcheck, registered) */
#define POLICIES(X)                                                                      \
    X(lossy_client,                true,  false, false, false, true)                     \
    X(lossless_client,             false, false, false, true,  true)                     \
    X(lossless_peer,               false, false, true,  false, true)                     \
    X(lossless_peer_reuse,         false, false, true,  true,  true)                     \
    X(stateless_server,            true,  true,  false, false, false)                    \
    X(stateless_registered_server, true,  true,  false, false, true)                     \
    X(stateful_server,             false, true,  true,  true,  true)
// clang-format on

struct policy {
    const char *name; /* static */
    bool lossy;       /* a lost transport ends the session */
    bool server;      /* never dials */
    bool standby;     /* waits for the peer, or for something to send, after a loss */
    bool resetcheck;  /* a peer that lost its state is told to the user */
    bool registered;  /* found by address; a second connection replaces the first */
    uint64_t features_supported, features_required;
    struct throttle *messages, *bytes; /* borrowed; NULL = no limit */
};

/* What Ceph 16.2 announces; the requirement of any msgr2 peer (bit 59, MSG_ADDR2). */
#define FEATURES_SUPPORTED 0x3f01cfbdfffdffffULL
#define FEATURES_REQUIRED (1ULL << 59)

/* The row of that name, with default features and no throttles. NULL: no such policy. */
const struct policy *policy_find(const char *name);
/* Names, comma-separated, for error messages. */
const char *policy_names(void);

#ifdef __cplusplus
}
#endif

#endif
