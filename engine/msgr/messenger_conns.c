/* SPDX-License-Identifier: Apache-2.0 */
/*
 * messenger_conns.c: the messenger's tables of connections: looking up, making,
 * registering, and sending by address (S1, S2).
 */
#include <errno.h>

#include "engine/msgr/messenger_impl.h"
#include "engine/trace.h"
#include "engine/util.h"

static struct list *bucket(struct messenger *m, const struct entity_addrvec *addrs)
{
    return &m->by_addr[entity_addrvec_hash(addrs) % BY_ADDR_BUCKETS];
}

/* Under the lock. NULL if none; no reference. */
static struct connection *find_registered(struct messenger *m,
                                          const struct entity_addrvec *addrs)
{
    list_for_each(bucket(m, addrs), node)
    {
        struct connection *c = container_of(node, struct connection, hash_node);

        if (entity_addrvec_equal(&c->key, addrs)) {
            return c;
        }
    }
    return NULL;
}

static void insert_registered(struct messenger *m, struct connection *c,
                              const struct entity_addrvec *addrs)
{
    c->key = *addrs;
    list_push_back(bucket(m, addrs), &c->hash_node);
}

void messenger_unregister(struct messenger *m, struct connection *c)
{
    os_lock(m->os, m->lock);
    list_unlink(&c->hash_node);
    os_unlock(m->os, m->lock);
}

void messenger_forget(struct messenger *m, struct connection *c)
{
    os_lock(m->os, m->lock);
    list_unlink(&c->hash_node);
    list_unlink(&c->node);
    m->n_all--;
    os_cond_broadcast(m->os, m->cond);
    os_unlock(m->os, m->lock);
}

void messenger_each_connection(struct messenger *m,
                               void (*fn)(void *arg, struct connection *conn), void *arg)
{
    os_lock(m->os, m->lock);
    list_for_each(&m->all, node)
    {
        fn(arg, container_of(node, struct connection, node));
    }
    os_unlock(m->os, m->lock);
}

/* A connection that we dialled to the same peer stays: both directions then have their own,
 * and none is lost. (Ceph settles such races; that comes with reconnecting.) */
struct connection *messenger_register(struct messenger *m, struct connection *c,
                                      const struct entity_addrvec *addrs)
{
    struct connection *old;

    os_lock(m->os, m->lock);
    old = find_registered(m, addrs);
    if (old != NULL && !old->accepted) {
        old = NULL;
    } else {
        if (old != NULL) {
            list_unlink(&conn_ref(old)->hash_node);
        }
        insert_registered(m, c, addrs);
    }
    os_unlock(m->os, m->lock);
    return old;
}

void messenger_handshake_done(struct messenger *m)
{
    bool was_full;

    os_lock(m->os, m->lock);
    CHECK(m->n_accepting > 0);
    was_full = m->n_accepting-- == m->opts.accepting_max;
    os_unlock(m->os, m->lock);
    if (was_full) {
        processors_resume(m);
    }
}

void messenger_sent(struct messenger *m, uint64_t n)
{
    uint64_t before = atomic_fetch_sub(&m->unsent, n);

    CHECK(before >= n);
    if (before == n) {
        os_lock(m->os, m->lock);
        os_cond_broadcast(m->os, m->cond);
        os_unlock(m->os, m->lock);
    }
}

bool messenger_drain(struct messenger *m, uint64_t timeout_ns)
{
    uint64_t until = os_monotonic_ns(m->os) + timeout_ns, now;
    bool drained;

    os_lock(m->os, m->lock);
    while (!(drained = atomic_load(&m->unsent) == 0)) {
        now = os_monotonic_ns(m->os);
        if (now >= until) {
            break;
        }
        os_cond_wait(m->os, m->cond, m->lock, (int64_t)(until - now));
    }
    os_unlock(m->os, m->lock);
    return drained;
}

/* ---- making connections ---- */

static const struct entity_addr *dialable(const struct entity_addrvec *addrs)
{
    const struct entity_addr *addr = entity_addrvec_find(addrs, ADDR_MSGR2);

    if (addr == NULL || entity_addr_is_blank(addr) || entity_addr_port(addr) == 0 ||
        entity_addr_is_ip_any(addr)) {
        return NULL;
    }
    return addr;
}

/* Under the lock. One reference for the caller; NULL if no memory. */
static struct connection *new_dialler(struct messenger *m, int peer_type,
                                      const struct entity_addrvec *addrs, bool anonymous)
{
    const struct policy *policy = messenger_policy(m, peer_type);
    struct worker *worker = worker_pool_get(m->pool);
    struct connection *c = conn_new(m, worker, policy, false);

    if (c == NULL) {
        worker_release(worker);
        return NULL;
    }
    c->peer_type = peer_type;
    c->peer_addrs = *addrs;
    c->target = *dialable(addrs);
    c->anonymous = anonymous;
    if (policy->registered && !anonymous) {
        insert_registered(m, c, addrs);
    }
    conn_post(c, &c->start_event);
    return c;
}

static bool is_own(const struct messenger *m, const struct entity_addrvec *addrs)
{
    const struct entity_addr *addr = dialable(addrs);

    return addr != NULL && m->n_processors > 0 && entity_addrvec_contains(&m->addrs, addr);
}

/* The connection for these addresses, with a reference. */
static int connect_addrs(struct messenger *m, int peer_type,
                         const struct entity_addrvec *addrs, bool anonymous,
                         struct connection **ret, bool *ret_created)
{
    struct connection *c = NULL;
    int err = 0;

    if (addrs == NULL || addrs->n == 0 || addrs->n > ADDRVEC_MAX) {
        return -EINVAL;
    }
    *ret_created = false;
    os_lock(m->os, m->lock);
    if (m->stopping) {
        err = -ESHUTDOWN;
    } else if (is_own(m, addrs)) {
        c = conn_ref(m->loopback);
    } else if (!anonymous && (c = find_registered(m, addrs)) != NULL) {
        conn_ref(c);
    } else if (dialable(addrs) == NULL || messenger_policy(m, peer_type)->server) {
        err = -EINVAL; /* nothing to dial, or a policy that never dials */
    } else {
        c = new_dialler(m, peer_type, addrs, anonymous);
        *ret_created = true;
        err = c == NULL ? -ENOMEM : 0;
    }
    os_unlock(m->os, m->lock);
    if (err == 0) {
        *ret = c;
    }
    return err;
}

int messenger_connect_to(struct messenger *m, int peer_type,
                         const struct entity_addrvec *addrs, struct connection **ret)
{
    bool created;

    return connect_addrs(m, peer_type, addrs, false, ret, &created);
}

int messenger_connect_anon(struct messenger *m, int peer_type,
                           const struct entity_addrvec *addrs, struct connection **ret)
{
    bool created;

    return connect_addrs(m, peer_type, addrs, true, ret, &created);
}

void messenger_mark_down_addrs(struct messenger *m, const struct entity_addrvec *addrs)
{
    struct connection *c;

    os_lock(m->os, m->lock);
    c = find_registered(m, addrs);
    if (c != NULL) {
        conn_ref(c);
    }
    os_unlock(m->os, m->lock);
    if (c != NULL) {
        messenger_mark_down(c);
        conn_unref(c);
    }
}

/* ---- sending: S1 ---- */

/* Gives the message its trace identity and records S1. Returns the thread's former
 * cause. */
static uint64_t trace_send(struct messenger *m, struct message *msg)
{
    uint64_t event;

    msg->flow = (uint64_t)m->os->node << 48 | (atomic_fetch_add(&m->next_flow, 1) + 1);
    event = TRACE(m->os, S1_SEND_MESSAGE, .val = (int32_t)message_bytes(msg),
                  .a0 = msg->header.type, .a1 = msg->header.priority, .flow = msg->flow);
    return TRACE_ON(m->os) ? trace_enter(m->os, event) : 0;
}

/* A received message that is sent on is a new message: it gives its budgets and the
 * connection it came on back. */
static void detach(struct message *msg)
{
    struct connection *from = msg->conn;

    if (from != NULL) {
        message_release_throttles(msg);
        msg->conn = NULL;
        msg->drop_conn(from);
    }
}

int messenger_send(struct connection *c, struct message *msg)
{
    struct messenger *m = c->m;
    uint64_t before;
    int err;

    conn_ref(c); /* it may be the one the message came on */
    detach(msg);
    before = trace_send(m, msg);
    err = conn_submit(c, msg, false);
    if (TRACE_ON(m->os)) {
        trace_enter(m->os, before);
    }
    conn_unref(c);
    return err;
}

int messenger_send_to(struct messenger *m, struct message *msg, int peer_type,
                      const struct entity_addrvec *addrs)
{
    struct connection *c;
    uint64_t before;
    bool created;
    int err;

    detach(msg);
    before = trace_send(m, msg);
    err = connect_addrs(m, peer_type, addrs, false, &c, &created);
    if (err == 0) {
        err = conn_submit(c, msg, created);
        conn_unref(c);
    }
    if (TRACE_ON(m->os)) {
        trace_enter(m->os, before);
    }
    return err;
}
