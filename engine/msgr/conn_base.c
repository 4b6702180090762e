/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_base.c: what a connection is before anything happens to it: references, the tables
 * of its states, what its users can ask.
 */
#include "engine/msgr/connection.h"
#include "engine/msgr/messenger_impl.h"
#include "engine/trace.h"
#include "engine/util.h"

/* ---- references ---- */

struct connection *conn_ref(struct connection *c)
{
    int before = atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);

    CHECK(before > 0);
    return c;
}

void conn_unref(struct connection *c)
{
    int before;

    if (c == NULL) {
        return;
    }
    before = atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel);
    CHECK(before > 0);
    if (before > 1) {
        return;
    }
    CHECK(c->socket == NULL);
    CHECK(!list_is_linked(&c->node) && !list_is_linked(&c->hash_node));
    CHECK(list_is_empty(&c->sent));
    TRACE(c->os, CONN_FREE, .obj = c->trace_id);
    atomic_fetch_sub(&c->m->live_conns, 1);
    out_queue_fini(&c->out_q);
    buffer_list_fini(&c->outgoing);
    dispatch_queue_unreserve(c->reset_room);
    os_mutex_free(c->os, c->lock);
    free(c);
}

void conn_post(struct connection *c, struct external_event *ev)
{
    conn_ref(c);
    if (!event_center_post(&c->worker->center, ev)) {
        conn_unref(c);
    }
}

/* ---- states ---- */

#define B(state) (1u << SOCK_##state)
static const struct {
    const char *name;
    uint32_t next;
} sock_states[] = {
#define X(id, name, next) [SOCK_##id] = {name, next},
    SOCK_STATES(X)
#undef X
};
#undef B

#define B(state) (1u << PROTO_##state)
static const struct {
    const char *name;
    uint32_t next;
} proto_states[] = {
#define X(id, name, next) [PROTO_##id] = {name, next},
    PROTO_STATES(X)
#undef X
};
#undef B

const char *conn_proto_state_name(enum proto_state state)
{
    return proto_states[state].name;
}

void conn_set_sock_state(struct connection *c, enum sock_state to, const char *why)
{
    enum sock_state from = c->sock_state;

    if (from == to) {
        return;
    }
    CHECK(sock_states[from].next & 1u << to);
    c->sock_state = to;
    TRACE(c->os, SOCK_STATE, .obj = c->trace_id, .a0 = from, .a1 = to,
          .val = (int32_t)trace_string(c->os, why));
}

void conn_set_proto_state(struct connection *c, enum proto_state to, const char *why)
{
    enum proto_state from = c->proto_state;

    if (from == to) {
        return;
    }
    CHECK(proto_states[from].next & 1u << to);
    c->proto_state = to;
    TRACE(c->os, PROTO_STATE, .obj = c->trace_id, .a0 = from, .a1 = to,
          .val = (int32_t)trace_string(c->os, why));
}

/* ---- what users ask ---- */

uint64_t conn_id(const struct connection *c)
{
    return c->id;
}

uint32_t conn_trace_id(const struct connection *c)
{
    return c->trace_id;
}

struct messenger *conn_messenger(struct connection *c)
{
    return c->m;
}

bool conn_is_loopback(const struct connection *c)
{
    return c->loopback;
}

void *conn_private(struct connection *c)
{
    return atomic_load(&c->user);
}

void conn_set_private(struct connection *c, void *ptr)
{
    atomic_store(&c->user, ptr);
}

/* The published fields, each read under the lock. */
#define CONN_GETTER(type, name, field)                                                     \
    type name(struct connection *c)                                                        \
    {                                                                                      \
        type value;                                                                        \
                                                                                           \
        os_lock(c->os, c->lock);                                                           \
        value = c->field;                                                                  \
        os_unlock(c->os, c->lock);                                                         \
        return value;                                                                      \
    }

CONN_GETTER(bool, conn_is_connected, ready)
CONN_GETTER(bool, conn_is_closed, closed)
CONN_GETTER(int, conn_peer_type, peer_type)
CONN_GETTER(int64_t, conn_peer_num, peer_num)
CONN_GETTER(uint64_t, conn_peer_features, peer_features)
CONN_GETTER(uint64_t, conn_global_id, global_id)
CONN_GETTER(uint64_t, conn_last_keepalive_ack_ns, last_keepalive_ack_ns)
CONN_GETTER(uint64_t, conn_keepalive_acks, keepalive_acks)
CONN_GETTER(uint64_t, conn_stray_keepalive_acks, stray_keepalive_acks)

const char *conn_why(struct connection *c)
{
    return c->why;
}

const char *conn_policy(struct connection *c)
{
    const char *name;

    os_lock(c->os, c->lock);
    name = c->policy.name;
    os_unlock(c->os, c->lock);
    return name;
}

void conn_status(struct connection *c, struct conn_status *ret)
{
    enum sock_state sock = c->sock_state;
    enum proto_state proto = c->proto_state;

    *ret = (struct conn_status){.accepted = c->accepted,
                                .connected = !c->closed && conn_is_session_state(proto),
                                .state = sock == SOCK_ESTABLISHED ? proto_states[proto].name
                                                                  : sock_states[sock].name,
                                .why = c->why,
                                .error = c->error,
                                .dials = c->dials,
                                .at = c->accepted ? &c->seen.socket : &c->target};
}

void conn_peer_addrs(struct connection *c, struct entity_addrvec *ret)
{
    os_lock(c->os, c->lock);
    *ret = c->peer_addrs;
    os_unlock(c->os, c->lock);
}

void conn_send_keepalive(struct connection *c)
{
    os_lock(c->os, c->lock);
    if (c->ready && !c->loopback) {
        atomic_store(&c->keepalive_wanted, true);
        conn_post(c, &c->write_event);
    }
    os_unlock(c->os, c->lock);
}
