/* SPDX-License-Identifier: Apache-2.0 */
/* messenger.c: life of a messenger, its policies and addresses. */
#include "engine/messenger.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "engine/msgr/messenger_impl.h"
#include "engine/trace.h"
#include "engine/util.h"

static void stop_all(struct messenger *m, const char *why);

/* ---- dispatchers that do not care ---- */

static bool default_can_fast_dispatch(void *arg, const struct message *msg)
{
    (void)arg;
    (void)msg;
    return false;
}

static void default_fast_dispatch(void *arg, struct message *msg)
{
    (void)arg;
    message_unref(msg);
}

static bool default_dispatch(void *arg, struct message *msg)
{
    (void)arg;
    (void)msg;
    return false;
}

static void default_event(void *arg, struct connection *conn)
{
    (void)arg;
    (void)conn;
}

static bool default_unhandled(void *arg, struct connection *conn)
{
    (void)arg;
    (void)conn;
    return false;
}

/* Policies and dispatchers are read without a lock once it runs. */
static int may_configure(const struct messenger *m)
{
    return m->started || m->stopped ? -EBUSY : 0;
}

int messenger_add_dispatcher(struct messenger *m, const struct dispatcher *dispatcher)
{
    struct dispatcher *d;
    int err = may_configure(m);

    if (err < 0) {
        return err;
    }
    if (dispatcher == NULL) {
        return -EINVAL;
    }
    if (m->n_dispatchers == DISPATCHERS_MAX) {
        return -ENOSPC;
    }
    d = &m->dispatchers[m->n_dispatchers++];
    *d = *dispatcher;
#define DEFAULT(slot, fn) d->slot = d->slot != NULL ? d->slot : (fn)
    DEFAULT(can_fast_dispatch, default_can_fast_dispatch);
    DEFAULT(fast_dispatch, default_fast_dispatch);
    DEFAULT(dispatch, default_dispatch);
    DEFAULT(on_connect, default_event);
    DEFAULT(on_accept, default_event);
    DEFAULT(on_reset, default_unhandled);
    DEFAULT(on_remote_reset, default_event);
    DEFAULT(on_refused, default_unhandled);
    m->tells_accept_failures = m->tells_accept_failures || d->on_accept_failed != NULL;
    DEFAULT(on_accept_failed, default_event);
#undef DEFAULT
    return 0;
}

/* ---- policies ---- */

const struct policy *messenger_policy(struct messenger *m, int peer_type)
{
    int row = peer_type > 0 && peer_type < POLICY_TYPES ? peer_type : 0;

    return m->policy_set[row] ? &m->policies[row] : &m->policies[0];
}

static bool has_row(int peer_type)
{
    return peer_type >= 0 && peer_type < POLICY_TYPES;
}

int messenger_set_policy(struct messenger *m, int peer_type, const struct policy *policy)
{
    struct policy *row;

    if (policy == NULL || !has_row(peer_type)) {
        return -EINVAL;
    }
    if (m->started && m->policy_set[peer_type]) {
        return -EBUSY; /* somebody may be reading it */
    }
    row = &m->policies[peer_type];
    *row = *policy;
    row->messages = m->throttles[peer_type * 2];
    row->bytes = m->throttles[peer_type * 2 + 1];
    m->policy_set[peer_type] = true;
    return 0;
}

static int new_throttle(struct messenger *m, const char *name, uint64_t max,
                        struct throttle **slot)
{
    struct throttle *t;
    int err;

    if (*slot != NULL) {
        (*slot)->max = max;
        return 0;
    }
    if (max == 0) {
        return 0;
    }
    t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return -ENOMEM;
    }
    err = throttle_init(t, m->os, name, max);
    if (err < 0) {
        free(t);
        return err;
    }
    *slot = t;
    return 0;
}

int messenger_set_throttlers(struct messenger *m, int peer_type, uint64_t messages,
                             uint64_t bytes)
{
    struct policy row = *messenger_policy(m, peer_type);
    int err;

    if (!has_row(peer_type)) {
        return -EINVAL;
    }
    if (m->started && m->policy_set[peer_type]) {
        return -EBUSY;
    }
    err = new_throttle(m, "policy messages", messages, &m->throttles[peer_type * 2]);
    if (err == 0) {
        err = new_throttle(m, "policy bytes", bytes, &m->throttles[peer_type * 2 + 1]);
    }
    if (!m->started) { /* also what of the two could be made */
        messenger_set_policy(m, peer_type, &row);
    }
    return err;
}

/* ---- birth ---- */

#define DEFAULT(field, value) m->opts.field = m->opts.field != 0 ? m->opts.field : (value)

static void fill_defaults(struct messenger *m)
{
    DEFAULT(workers, 3);
    DEFAULT(message_bytes_max, MESSAGE_BYTES_MAX);
    DEFAULT(dispatch_bytes_max, DISPATCH_BYTES_MAX);
    DEFAULT(out_queue_messages_max, OUT_QUEUE_MESSAGES_MAX);
    DEFAULT(out_queue_bytes_max, OUT_QUEUE_BYTES_MAX);
    DEFAULT(accepting_max, ACCEPTING_MAX);
    DEFAULT(ready_timeout_ns, CONNECT_READY_TIMEOUT_NS);
    DEFAULT(idle_timeout_ns, CONNECT_IDLE_TIMEOUT_NS);
    DEFAULT(backoff_initial_ns, BACKOFF_INITIAL_NS);
    DEFAULT(backoff_max_ns, BACKOFF_MAX_NS);
    m->opts.socket.nodelay = true; /* batching is done by the engine */
}
#undef DEFAULT

/* "nothing came from the peer for 10 s (idle_timeout)" */
static void explain_idle(struct messenger *m)
{
    static const struct {
        uint64_t ns;
        const char *name;
    } units[] = {
        {NSEC_PER_SEC, "s"}, {NSEC_PER_MSEC, "ms"}, {NSEC_PER_USEC, "us"}, {1, "ns"}};
    uint64_t ns = m->opts.idle_timeout_ns;
    size_t i = 0;

    while (ns % units[i].ns != 0) {
        i++;
    }
    snprintf(m->idle_why, sizeof(m->idle_why),
             "nothing came from the peer for %" PRIu64 " %s (idle_timeout)",
             ns / units[i].ns, units[i].name);
}

/* Monitors are found by ip and port alone; everybody else needs a nonce that tells this
 * life from the next. */
static uint32_t choose_nonce(struct messenger *m)
{
    if (m->opts.nonce != 0) {
        return (uint32_t)m->opts.nonce;
    }
    return m->opts.entity_type == ENTITY_MON ? 0 : (uint32_t)os_random64(m->os) | 1;
}

/* The connection to ourselves: always ready, never in a table, served by ms_dispatch. */
static int new_loopback(struct messenger *m)
{
    struct worker *worker = worker_pool_at(m->pool, 0);
    struct connection *c = conn_new(m, worker, &m->policies[0], false);

    if (c == NULL) {
        return -ENOMEM;
    }
    list_unlink(&c->node);
    m->n_all--;
    c->loopback = true;
    c->ready = true;
    c->peer_type = m->opts.entity_type;
    m->loopback = c;
    conn_unref(c); /* one stays: the messenger's */
    return 0;
}

int messenger_new(const struct messenger_opts *opts, struct messenger **ret)
{
    struct messenger *m;
    int err = -ENOMEM;

    if (opts == NULL || opts->os == NULL || opts->stack == NULL || opts->entity_type == 0) {
        return -EINVAL;
    }
    m = calloc(1, sizeof(*m));
    if (m == NULL) {
        return -ENOMEM;
    }
    m->opts = *opts;
    m->os = opts->os;
    snprintf(m->entity_id, sizeof(m->entity_id), "%s",
             opts->entity_id != NULL ? opts->entity_id : "");
    fill_defaults(m);
    explain_idle(m);
    m->nonce = choose_nonce(m);
    m->next_global_id = opts->first_global_id;
    m->policies[0] = *policy_find("lossy_client");
    m->policy_set[0] = true;
    list_init(&m->all);
    for (int i = 0; i < BY_ADDR_BUCKETS; i++) {
        list_init(&m->by_addr[i]);
    }
    m->lock = os_mutex_new(m->os, "AsyncMessenger::lock");
    m->cond = os_cond_new(m->os, "AsyncMessenger::cond");
    if (m->lock == NULL || m->cond == NULL) {
        goto fail;
    }
    err = throttle_init(&m->dispatch_throttle, m->os, "dispatch bytes",
                        m->opts.dispatch_bytes_max);
    if (err == 0) {
        err = worker_pool_new(m->os, m->opts.workers, m->opts.driver, &m->pool);
    }
    if (err == 0) {
        err = dispatch_queue_new(m->os, &messenger_dispatch_ops, m, &m->dispatch);
    }
    if (err == 0) {
        err = new_loopback(m);
    }
    if (err == 0) {
        *ret = m;
        return 0;
    }
fail:
    messenger_free(m);
    return err;
}

/* ---- addresses and listening ---- */

void messenger_addrs(struct messenger *m, struct entity_addrvec *ret)
{
    os_lock(m->os, m->lock);
    *ret = m->addrs;
    os_unlock(m->os, m->lock);
}

void messenger_learn_addr(struct messenger *m, const struct entity_addr *addr)
{
    if (entity_addr_is_blank(addr)) {
        return;
    }
    os_lock(m->os, m->lock);
    if (m->addrs.n == 0) {
        m->addrs.n = 1;
        m->addrs.v[0] = *addr;
        m->addrs.v[0].type = ADDR_ANY;
        m->addrs.v[0].nonce = m->nonce;
        entity_addr_set_port(&m->addrs.v[0], 0);
    }
    for (uint32_t i = 0; i < m->addrs.n; i++) {
        if (entity_addr_is_ip_any(&m->addrs.v[i]) &&
            m->addrs.v[i].sa.sa_family == addr->sa.sa_family) {
            entity_addr_set_ip(&m->addrs.v[i], addr);
        }
    }
    os_unlock(m->os, m->lock);
}

/* Listens on `wanted` as the one with that nonce. On success it is all in *ret_bound. */
static int listen_as(struct messenger *m, uint32_t nonce,
                     const struct entity_addrvec *wanted, struct processor **ret,
                     struct entity_addrvec *ret_bound)
{
    struct entity_addrvec addrs = *wanted;

    for (uint32_t i = 0; i < addrs.n; i++) {
        addrs.v[i].nonce = nonce;
    }
    return processors_bind(m, &addrs, ret, ret_bound);
}

/* From here on the messenger is known, and found, at these addresses. */
static void announce(struct messenger *m, struct processor *processors,
                     const struct entity_addrvec *bound)
{
    processors_install(m, processors, bound->n);
    os_lock(m->os, m->lock);
    m->addrs = *bound;
    os_unlock(m->os, m->lock);
    os_lock(m->os, m->loopback->lock);
    m->loopback->peer_addrs = *bound;
    os_unlock(m->os, m->loopback->lock);
    if (m->started) {
        processors_start(m);
    }
}

int messenger_bind(struct messenger *m, const struct entity_addrvec *addrs)
{
    struct entity_addrvec bound;
    struct processor *processors;
    int err;

    if (m->stopped) {
        return -ESHUTDOWN;
    }
    if (addrs == NULL || addrs->n == 0 || addrs->n > ADDRVEC_MAX || m->n_processors > 0) {
        return -EINVAL;
    }
    err = listen_as(m, m->nonce, addrs, &processors, &bound);
    if (err == 0) {
        announce(m, processors, &bound);
    }
    return err;
}

int messenger_start(struct messenger *m)
{
    int err;

    if (m->started || m->stopped) {
        return m->stopped ? -ESHUTDOWN : -EALREADY;
    }
    err = worker_pool_start(m->pool);
    if (err < 0) {
        return err;
    }
    err = dispatch_queue_start(m->dispatch);
    if (err < 0) {
        worker_pool_stop(m->pool);
        return err;
    }
    m->started = true;
    processors_start(m);
    return 0;
}

int messenger_rebind(struct messenger *m)
{
    uint32_t nonce = m->nonce + 1000000; /* another life, as Ceph does it */
    struct entity_addrvec wanted, bound;
    struct processor *processors;
    int err;

    if (m->stopped) {
        return -ESHUTDOWN;
    }
    if (m->n_processors == 0) {
        return -EINVAL;
    }
    messenger_addrs(m, &wanted);
    for (uint32_t i = 0; i < wanted.n; i++) {
        entity_addr_set_port(&wanted.v[i], 0);
    }
    /* While the old listeners stand: so none of their ports comes again, and if there
     * cannot be new ones, nothing has happened. */
    err = listen_as(m, nonce, &wanted, &processors, &bound);
    if (err < 0) {
        return err;
    }
    processors_stop(m);
    stop_all(m, "this side listens at another address now (rebind)");
    m->nonce = nonce;
    announce(m, processors, &bound);
    return 0;
}

/* ---- the end ---- */

/* The connection that was made next after `c` (NULL: the first), if not after the last-th.
 * Takes the reference of c and gives one of the next. The list is in the order of ids, but
 * c may have left it. */
static struct connection *next_connection(struct messenger *m, struct connection *c,
                                          uint64_t last)
{
    struct connection *next = NULL;
    struct list *it;

    os_lock(m->os, m->lock);
    it = c != NULL && list_is_linked(&c->node) ? c->node.next : m->all.next;
    for (; it != &m->all && next == NULL; it = it->next) {
        next = container_of(it, struct connection, node);
        next = c != NULL && next->id <= c->id ? NULL : next;
    }
    next = next != NULL && next->id <= last ? conn_ref(next) : NULL;
    os_unlock(m->os, m->lock);
    conn_unref(c);
    return next;
}

static void stop_all(struct messenger *m, const char *why)
{
    struct connection *c = NULL;
    uint64_t last;

    os_lock(m->os, m->lock);
    last = m->next_conn_id;
    os_unlock(m->os, m->lock);
    while ((c = next_connection(m, c, last)) != NULL) {
        conn_mark_down(c, why);
    }
}

void messenger_mark_down_all(struct messenger *m)
{
    stop_all(m, "marked down by this side");
}

/* Connections end on their workers; a messenger that does not run has none, so they end
 * here. It may have run for a moment, until something for messenger_start was missing. */
static void end_connections(struct messenger *m)
{
    struct connection *c = NULL;

    if (!m->started) {
        worker_pool_adopt(m->pool);
        while ((c = next_connection(m, c, UINT64_MAX)) != NULL) {
            conn_close(c, false);
        }
    }
    os_lock(m->os, m->lock);
    while (m->n_all > 0) {
        os_cond_wait(m->os, m->cond, m->lock, -1);
    }
    os_unlock(m->os, m->lock);
    worker_pool_drain(m->pool);
}

void messenger_shutdown(struct messenger *m)
{
    if (m->stopped) {
        return;
    }
    m->stopped = true;
    os_lock(m->os, m->lock);
    m->stopping = true;
    os_unlock(m->os, m->lock);
    processors_stop(m);
    stop_all(m, "this side shut down");
    end_connections(m);
    dispatch_queue_stop(m->dispatch);
    worker_pool_stop(m->pool);
}

void messenger_free(struct messenger *m)
{
    if (m == NULL) {
        return;
    }
    CHECK(!m->started || m->stopped);
    if (m->dispatch != NULL) {
        messenger_shutdown(m);
    }
    dispatch_queue_free(m->dispatch);
    if (m->loopback != NULL) {
        CHECK(atomic_load(&m->live_conns) == 1); /* every other reference is gone */
        conn_unref(m->loopback);
        CHECK(atomic_load(&m->live_conns) == 0);
    }
    worker_pool_free(m->pool);
    for (int i = 0; i < POLICY_TYPES * 2; i++) {
        if (m->throttles[i] != NULL) {
            throttle_fini(m->throttles[i]);
            free(m->throttles[i]);
        }
    }
    throttle_fini(&m->dispatch_throttle);
    os_cond_free(m->os, m->cond);
    os_mutex_free(m->os, m->lock);
    free(m);
}

/* ---- odds and ends ---- */

struct os *messenger_os(struct messenger *m)
{
    return m->os;
}

struct worker_pool *messenger_workers(struct messenger *m)
{
    return m->pool;
}

uint64_t messenger_next_global_seq(struct messenger *m, uint64_t at_least)
{
    uint64_t seq = atomic_load(&m->global_seq);

    while (seq < at_least &&
           !atomic_compare_exchange_weak(&m->global_seq, &seq, at_least)) {
    }
    return atomic_fetch_add(&m->global_seq, 1) + 1;
}

uint64_t messenger_assign_global_id(struct messenger *m, uint64_t asked)
{
    uint64_t id = asked;

    if (asked == 0 && m->opts.first_global_id != 0) {
        os_lock(m->os, m->lock);
        id = m->next_global_id++;
        os_unlock(m->os, m->lock);
    }
    return id;
}

static void add_center_stats(struct event_center_stats *sum,
                             const struct event_center_stats *one)
{
    sum->cycles += one->cycles;
    sum->waits_empty += one->waits_empty;
    sum->file_events += one->file_events;
    sum->time_events += one->time_events;
    sum->external_events += one->external_events;
    sum->posts += one->posts;
    sum->merges += one->merges;
    sum->wakeups += one->wakeups;
    sum->stale += one->stale;
}

void messenger_stats(struct messenger *m, struct messenger_stats *ret)
{
    *ret = (struct messenger_stats){0};
    ret->accept_failures = atomic_load(&m->accept_failures);
    ret->accept_failures_untold = atomic_load(&m->accept_failures_untold);
    ret->accept_failure_why =
        ret->accept_failures > 0 ? atomic_load(&m->accept_failure_why) : "";
    os_lock(m->os, m->lock);
    ret->connections = m->n_all;
    ret->accepting = m->n_accepting;
    os_unlock(m->os, m->lock);
    ret->accept_errors = atomic_load(&m->accept_errors);
    ret->accept_error = atomic_load(&m->accept_error);
    for (uint32_t i = 0; i < worker_pool_size(m->pool); i++) {
        struct worker *w = worker_pool_at(m->pool, i);
        struct event_center_stats center;

        event_center_stats(&w->center, &center);
        ret->messages_sent += atomic_load(&w->counters.msgr_send_messages);
        ret->messages_received += atomic_load(&w->counters.msgr_recv_messages);
        add_center_stats(&ret->center, &center);
    }
    ret->dispatch_depth = dispatch_queue_depth(m->dispatch);
    ret->dispatch_bytes = throttle_held(&m->dispatch_throttle);
}
