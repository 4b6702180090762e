/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handshake.c: from the first byte to a session, both roles (msgr2.rst, "Connection").
 *
 *   dialler                                     acceptor
 *   BANNER_CONNECTING     banner <--> banner    BANNER_ACCEPTING
 *   HELLO_CONNECTING      HELLO <--> HELLO      HELLO_ACCEPTING
 *   AUTH_CONNECTING       AUTH_REQUEST -->      AUTH_ACCEPTING
 *                         <-- AUTH_DONE (or AUTH_BAD_METHOD)
 *   AUTH_CONNECTING_SIGN  AUTH_SIGNATURE <-->   AUTH_ACCEPTING_SIGN
 *   SESSION_CONNECTING    CLIENT_IDENT -->      SESSION_ACCEPTING
 *                         <-- SERVER_IDENT (or IDENT_MISSING_FEATURES)
 *   READY                                       READY
 *
 * Authentication is AUTH_NONE in crc mode; the signature is 32 zero bytes, and checked.
 */
#include <errno.h>
#include <string.h>

#include "engine/msgr/connection.h"
#include "engine/msgr/messenger_impl.h"
#include "engine/trace.h"
#include "engine/util.h"

#define AUTH_NONE 1
#define CON_MODE_CRC 1
#define AUTH_MODE_AUTHORIZER 1
#define AUTH_MODE_MON 10

static int fault(struct connection *c, int err, const char *why)
{
    conn_fault(c, err, why);
    return err;
}

static int give_up(struct connection *c, int err, const char *why)
{
    conn_give_up(c, err, why);
    return err;
}

/* A writer over a buffer every control payload fits into. */
#define PAYLOAD_WRITER(w)                                                                  \
    uint8_t w##_bytes[FRAME_CONTROL_MAX];                                                  \
    struct wire_writer w = wire_writer(w##_bytes, sizeof(w##_bytes))

MAY_END static int send_frame(struct connection *c, enum frame_tag tag,
                              const struct wire_writer *w)
{
    int err;

    if (c->outgoing.bytes > HANDSHAKE_OUTGOING_MAX) {
        return fault(c, -ENOBUFS, "the peer asks without reading our answers");
    }
    err = conn_queue_frame(c, tag, w);
    return err == 0 ? conn_try_send(c) : err;
}

/* ---- banner and HELLO ---- */

int handshake_start(struct connection *c)
{
    const struct banner banner = {
        .supported = c->m->opts.msgr20 ? 0 : MSGR2_FEATURE_REVISION_1, .required = 0};
    uint8_t bytes[BANNER_BYTES];
    int err;

    conn_set_proto_state(c, c->accepted ? PROTO_BANNER_ACCEPTING : PROTO_BANNER_CONNECTING,
                         "banner sent");
    banner_encode(bytes, &banner);
    err = conn_queue_bytes(c, bytes, sizeof(bytes));
    return err == 0 ? conn_try_send(c) : err;
}

static int send_hello(struct connection *c)
{
    struct frame_hello f = {.entity_type = (uint8_t)c->m->opts.entity_type,
                            .peer_addr = c->target};
    PAYLOAD_WRITER(w);

    if (c->accepted && connected_socket_peer_addr(c->socket, &f.peer_addr) < 0) {
        return fault(c, -ENOTCONN, "the peer is gone");
    }
    frame_hello_encode(&w, &f);
    return send_frame(c, TAG_HELLO, &w);
}

int handshake_banner(struct connection *c, const struct banner *banner)
{
    uint64_t known = c->m->opts.msgr20 ? 0 : MSGR2_FEATURE_REVISION_1;

    if (banner->required & ~known) {
        return give_up(c, -EPROTO, "the peer requires msgr2 features we lack");
    }
    /* The revision is decided by what was announced: theirs, and ours. */
    conn_saw(c, CONN_BANNER);
    c->rev1 = (banner->supported & known & MSGR2_FEATURE_REVISION_1) != 0;
    conn_set_proto_state(c, c->accepted ? PROTO_HELLO_ACCEPTING : PROTO_HELLO_CONNECTING,
                         c->rev1 ? "msgr2.1" : "msgr2.0");
    return send_hello(c);
}

static int send_auth_request(struct connection *c)
{
    struct messenger *m = c->m;
    struct auth_none_request none = {.entity_type = m->opts.entity_type};
    struct frame_auth_request f = {
        .method = AUTH_NONE, .modes_n = 1, .modes = {CON_MODE_CRC}};
    uint8_t bytes[128];
    struct wire_writer nw = wire_writer(bytes, sizeof(bytes));
    PAYLOAD_WRITER(w);

    none.mode = c->peer_type == ENTITY_MON && m->opts.entity_type != ENTITY_MON
                    ? AUTH_MODE_MON
                    : AUTH_MODE_AUTHORIZER;
    snprintf(none.id, sizeof(none.id), "%s", m->entity_id);
    os_lock(m->os, m->lock);
    none.global_id = m->global_id;
    os_unlock(m->os, m->lock);
    auth_none_request_encode(&nw, &none);
    CHECK(!nw.failed);
    f.payload = bytes;
    f.payload_len = wire_written(&nw);
    frame_auth_request_encode(&w, &f);
    return send_frame(c, TAG_AUTH_REQUEST, &w);
}

/* The dialler believes the acceptor about its own ip (it may be behind a NAT); an acceptor
 * bound to every ip looks at the socket, not at what a peer claims. */
static void learn_own_ip(struct connection *c, const struct frame_hello *f)
{
    struct entity_addr local;

    if (!c->accepted) {
        messenger_learn_addr(c->m, &f->peer_addr);
    } else if (connected_socket_local_addr(c->socket, &local) == 0) {
        messenger_learn_addr(c->m, &local);
    }
}

static int handle_hello(struct connection *c, struct wire_reader *r)
{
    struct frame_hello f;

    if (frame_hello_decode(r, &f) < 0) {
        return fault(c, -EBADMSG, "bad HELLO");
    }
    conn_saw_hello(c, f.entity_type);
    if (c->accepted) {
        os_lock(c->os, c->lock);
        c->peer_type = f.entity_type;
        c->policy = *messenger_policy(c->m, f.entity_type);
        os_unlock(c->os, c->lock);
        c->target = f.peer_addr;
        learn_own_ip(c, &f);
        conn_set_proto_state(c, PROTO_AUTH_ACCEPTING, c->policy.name);
        return 0;
    }
    if (f.entity_type != c->peer_type) {
        return give_up(c, -EPROTO, "the peer is of another entity type");
    }
    learn_own_ip(c, &f);
    conn_set_proto_state(c, PROTO_AUTH_CONNECTING, "hello");
    return send_auth_request(c);
}

/* ---- AUTH ---- */

static int send_bad_method(struct connection *c, uint32_t method, int32_t result)
{
    const struct frame_auth_bad_method f = {.method = method,
                                            .result = result,
                                            .methods_n = 1,
                                            .methods = {AUTH_NONE},
                                            .modes_n = 1,
                                            .modes = {CON_MODE_CRC}};
    PAYLOAD_WRITER(w);

    frame_auth_bad_method_encode(&w, &f);
    return send_frame(c, TAG_AUTH_BAD_METHOD, &w);
}

static int send_signature(struct connection *c)
{
    const struct frame_auth_signature f = {{0}};
    PAYLOAD_WRITER(w);

    frame_auth_signature_encode(&w, &f);
    return send_frame(c, TAG_AUTH_SIGNATURE, &w);
}

/* What is wrong with the request: 0, or the errno to answer. */
static int judge_auth(struct connection *c, const struct frame_auth_request *f,
                      struct auth_none_request *ret)
{
    struct wire_reader r = wire_reader(f->payload, f->payload_len);
    bool crc = false;

    for (uint32_t i = 0; i < f->modes_n; i++) {
        crc = crc || f->modes[i] == CON_MODE_CRC;
    }
    if (f->method != AUTH_NONE || !crc) {
        return -EOPNOTSUPP;
    }
    if (auth_none_request_decode(&r, ret) < 0) {
        return -EACCES;
    }
    if (ret->mode >= AUTH_MODE_MON && c->m->opts.entity_type != ENTITY_MON) {
        return -EACCES; /* only monitors are asked as authentication servers */
    }
    return 0;
}

static int handle_auth_request(struct connection *c, struct wire_reader *r)
{
    struct frame_auth_request f;
    struct auth_none_request none;
    struct frame_auth_done done = {.mode = CON_MODE_CRC};
    int err;
    PAYLOAD_WRITER(w);

    if (frame_auth_request_decode(r, &f) < 0) {
        return fault(c, -EBADMSG, "bad AUTH_REQUEST");
    }
    err = judge_auth(c, &f, &none);
    if (err < 0) {
        conn_object(c, err == -EOPNOTSUPP ? "it wants other authentication than AUTH_NONE "
                                            "in crc mode"
                                          : "its AUTH_REQUEST makes no sense here");
        return send_bad_method(c, f.method, err);
    }
    done.global_id = none.mode >= AUTH_MODE_MON
                         ? messenger_assign_global_id(c->m, none.global_id)
                         : none.global_id;
    os_lock(c->os, c->lock);
    c->global_id = done.global_id;
    os_unlock(c->os, c->lock);
    conn_saw(c, CONN_AUTH);
    conn_set_proto_state(c, PROTO_AUTH_ACCEPTING_SIGN, "AUTH_NONE granted");
    frame_auth_done_encode(&w, &done);
    err = conn_queue_frame(c, TAG_AUTH_DONE, &w);
    return err == 0 ? send_signature(c) : err; /* behind AUTH_DONE, without waiting */
}

static int handle_auth_done(struct connection *c, struct wire_reader *r)
{
    struct frame_auth_done f;

    if (frame_auth_done_decode(r, &f) < 0) {
        return fault(c, -EBADMSG, "bad AUTH_DONE");
    }
    if (f.mode != CON_MODE_CRC) {
        return give_up(c, -EOPNOTSUPP, "the peer wants another connection mode than crc");
    }
    os_lock(c->os, c->lock);
    c->global_id = f.global_id;
    os_unlock(c->os, c->lock);
    if (c->peer_type == ENTITY_MON && c->m->opts.entity_type != ENTITY_MON) {
        os_lock(c->os, c->m->lock);
        c->m->global_id = f.global_id;
        os_unlock(c->os, c->m->lock);
    }
    conn_saw(c, CONN_AUTH);
    conn_set_proto_state(c, PROTO_AUTH_CONNECTING_SIGN, "auth done");
    return send_signature(c);
}

static int send_client_ident(struct connection *c)
{
    struct frame_client_ident f = {
        .target = c->target,
        .gid = c->m->opts.entity_num,
        .global_seq = c->global_seq,
        .supported = c->policy.features_supported,
        .required = c->policy.features_required | FEATURES_REQUIRED,
        .flags = c->policy.lossy ? IDENT_FLAG_LOSSY : 0,
        .cookie = c->client_cookie,
    };
    PAYLOAD_WRITER(w);

    messenger_addrs(c->m, &f.addrs);
    if (f.gid < 0 && c->m->opts.entity_type == ENTITY_CLIENT && c->global_id != 0 &&
        c->peer_type != ENTITY_MON) {
        f.gid = (int64_t)c->global_id;
    }
    frame_client_ident_encode(&w, &f);
    return send_frame(c, TAG_CLIENT_IDENT, &w);
}

static int handle_signature(struct connection *c, struct wire_reader *r)
{
    static const uint8_t zeros[AUTH_SIGNATURE_BYTES];
    struct frame_auth_signature f;

    if (frame_auth_signature_decode(r, &f) < 0) {
        return fault(c, -EBADMSG, "bad AUTH_SIGNATURE");
    }
    if (memcmp(f.bytes, zeros, sizeof(zeros)) != 0) {
        return fault(c, -EPROTO, "AUTH_SIGNATURE does not match");
    }
    conn_saw(c, CONN_SIGNATURE);
    if (c->accepted) {
        conn_set_proto_state(c, PROTO_SESSION_ACCEPTING, "signature");
        return 0;
    }
    conn_set_proto_state(c, PROTO_SESSION_CONNECTING, "signature");
    return send_client_ident(c);
}

/* ---- ident, the accepting side ---- */

/* Why this ident cannot be served: a static string, or NULL. */
static const char *judge_client_ident(struct connection *c,
                                      const struct frame_client_ident *f)
{
    struct entity_addrvec mine;

    messenger_addrs(c->m, &mine);
    if (f->addrs.n == 0 || entity_addr_is_blank(&f->addrs.v[0])) {
        return "CLIENT_IDENT without an address";
    }
    if (!entity_addrvec_contains(&mine, &f->target)) {
        return "CLIENT_IDENT for an address that is not ours";
    }
    return NULL;
}

static int send_missing_features(struct connection *c, uint64_t missing)
{
    const struct frame_u64 f = {.value = missing};
    PAYLOAD_WRITER(w);

    conn_object(c, "it lacks features that we require");
    frame_u64_encode(&w, &f);
    return send_frame(c, TAG_IDENT_MISSING_FEATURES, &w);
}

static int send_server_ident(struct connection *c)
{
    struct frame_server_ident f = {
        .gid = c->m->opts.entity_num,
        .global_seq = c->global_seq,
        .supported = c->policy.features_supported,
        .required = c->policy.features_required | FEATURES_REQUIRED,
        .flags = c->lossy ? IDENT_FLAG_LOSSY : 0,
        .cookie = c->server_cookie,
    };
    PAYLOAD_WRITER(w);

    messenger_addrs(c->m, &f.addrs);
    frame_server_ident_encode(&w, &f);
    return send_frame(c, TAG_SERVER_IDENT, &w);
}

static void publish_peer(struct connection *c, const struct entity_addrvec *addrs,
                         int64_t gid, uint64_t features)
{
    os_lock(c->os, c->lock);
    c->peer_addrs = *addrs;
    c->peer_num = gid;
    c->peer_features = features;
    os_unlock(c->os, c->lock);
}

/* A registered policy allows one connection per peer: the older one ends with a reset,
 * after a remote reset if the policy checks for peers that lost their state. Ceph would let
 * a lossless one take over the new socket; that comes with reconnecting. */
static void replace_registered(struct connection *c, const struct entity_addrvec *addrs)
{
    struct connection *old = messenger_register(c->m, c, addrs);

    if (old != NULL) {
        if (!c->lossy && c->policy.resetcheck) {
            messenger_queue_event(c->m, DISPATCH_REMOTE_RESET, old);
        }
        conn_stop(old, true, "replaced by a new connection of the same peer");
        conn_unref(old);
    }
}

static int handle_client_ident(struct connection *c, struct wire_reader *r)
{
    struct frame_client_ident f;
    const char *why;
    uint64_t missing;
    int err;

    if (frame_client_ident_decode(r, &f) < 0) {
        return fault(c, -EBADMSG, "bad CLIENT_IDENT");
    }
    conn_saw_ident(c, &f.addrs, &f.target);
    why = judge_client_ident(c, &f);
    if (why != NULL) {
        return fault(c, -EPROTO, why);
    }
    missing = (c->policy.features_required | FEATURES_REQUIRED) & ~f.supported;
    if (missing != 0) {
        return send_missing_features(c, missing); /* it may send a better ident */
    }
    c->lossy = c->policy.lossy; /* our policy decides, whatever the client's flag says */
    c->client_cookie = f.cookie;
    c->server_cookie = c->lossy ? 0 : os_random64(c->os) | 1;
    c->peer_global_seq = f.global_seq;
    c->global_seq = messenger_next_global_seq(c->m, 0);
    publish_peer(c, &f.addrs, f.gid, f.supported);
    if (c->policy.registered) {
        replace_registered(c, &f.addrs);
    }
    err = send_server_ident(c);
    return err == 0 ? conn_session_ready(c) : err;
}

/* There is never a session to come back to: the peer starts over on the same connection. */
static int handle_session_reconnect(struct connection *c, struct wire_reader *r)
{
    const struct frame_session_reset reset = {.full = true};
    struct frame_session_reconnect f;
    PAYLOAD_WRITER(w);

    if (frame_session_reconnect_decode(r, &f) < 0) {
        return fault(c, -EBADMSG, "bad SESSION_RECONNECT");
    }
    frame_session_reset_encode(&w, &reset);
    return send_frame(c, TAG_SESSION_RESET, &w);
}

/* ---- ident, the dialling side ---- */

static int handle_server_ident(struct connection *c, struct wire_reader *r)
{
    struct frame_server_ident f;

    if (frame_server_ident_decode(r, &f) < 0) {
        return fault(c, -EBADMSG, "bad SERVER_IDENT");
    }
    conn_saw_ident(c, &f.addrs, NULL);
    if (!entity_addrvec_contains(&f.addrs, &c->target)) {
        return fault(c, -EPROTO, "somebody else answers at that address");
    }
    if ((c->policy.features_required & ~f.supported) != 0) {
        return fault(c, -EPROTO, "the peer lacks features we require");
    }
    c->lossy = (f.flags & IDENT_FLAG_LOSSY) != 0; /* the server's word counts */
    c->server_cookie = f.cookie;
    c->peer_global_seq = f.global_seq;
    publish_peer(c, &f.addrs, f.gid, f.supported);
    return conn_session_ready(c);
}

static int handle_missing_features(struct connection *c, struct wire_reader *r)
{
    struct frame_u64 f;

    if (frame_u64_decode(r, &f) < 0) {
        return fault(c, -EBADMSG, "bad IDENT_MISSING_FEATURES");
    }
    return fault(c, -EPROTO, "the peer requires features we lack");
}

/* ---- dispatch ---- */

bool handshake_accepts(const struct connection *c, enum frame_tag tag)
{
    enum proto_state state = c->proto_state;

    switch (state) {
    case PROTO_HELLO_CONNECTING:
    case PROTO_HELLO_ACCEPTING:
        return tag == TAG_HELLO;
    case PROTO_AUTH_CONNECTING:
        return tag == TAG_AUTH_DONE || tag == TAG_AUTH_BAD_METHOD ||
               tag == TAG_AUTH_REPLY_MORE;
    case PROTO_AUTH_ACCEPTING:
        return tag == TAG_AUTH_REQUEST;
    case PROTO_AUTH_CONNECTING_SIGN:
    case PROTO_AUTH_ACCEPTING_SIGN:
        return tag == TAG_AUTH_SIGNATURE;
    case PROTO_SESSION_CONNECTING:
        return tag == TAG_SERVER_IDENT || tag == TAG_IDENT_MISSING_FEATURES ||
               tag == TAG_WAIT;
    case PROTO_SESSION_ACCEPTING:
        return tag == TAG_CLIENT_IDENT || tag == TAG_SESSION_RECONNECT;
    default:
        return false;
    }
}

int handshake_frame(struct connection *c, enum frame_tag tag, struct wire_reader *payload)
{
    switch (tag) {
    case TAG_HELLO:
        return handle_hello(c, payload);
    case TAG_AUTH_REQUEST:
        return handle_auth_request(c, payload);
    case TAG_AUTH_BAD_METHOD:
        return give_up(c, -EACCES, "the peer does not accept AUTH_NONE in crc mode");
    case TAG_AUTH_REPLY_MORE:
        return give_up(c, -EACCES, "the peer wants more than AUTH_NONE");
    case TAG_AUTH_DONE:
        return handle_auth_done(c, payload);
    case TAG_AUTH_SIGNATURE:
        return handle_signature(c, payload);
    case TAG_CLIENT_IDENT:
        return handle_client_ident(c, payload);
    case TAG_SERVER_IDENT:
        return handle_server_ident(c, payload);
    case TAG_IDENT_MISSING_FEATURES:
        return handle_missing_features(c, payload);
    case TAG_SESSION_RECONNECT:
        return handle_session_reconnect(c, payload);
    case TAG_WAIT:
        return fault(c, -EAGAIN, "the peer asked us to wait for its own connection");
    default:
        CHECK(!"handshake_accepts lets only these through");
        return -EPROTO;
    }
}
