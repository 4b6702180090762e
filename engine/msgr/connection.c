/* SPDX-License-Identifier: Apache-2.0 */
/* connection.c: the life of a connection: dialling, established, faults, closing. */
#include "engine/msgr/connection.h"

#include <errno.h>
#include <string.h>

#include "engine/msgr/messenger_impl.h"
#include "engine/trace.h"
#include "engine/util.h"

static void handle_start(void *arg);
static void handle_write_event(void *arg);
static void handle_read_event(void *arg);
static void handle_stop(void *arg);
static void handle_tick(void *arg, uint64_t id);
static void handle_backoff(void *arg, uint64_t id);
static void handle_throttle_room(struct throttle_waiter *waiter);
static void handle_socket(void *arg, int fd, int mask);

/* ---- making one ---- */

static void init_events(struct connection *c)
{
    external_event_init(&c->start_event, "connect", handle_start, c);
    external_event_init(&c->write_event, "write_handler", handle_write_event, c);
    external_event_init(&c->read_event, "read_handler", handle_read_event, c);
    external_event_init(&c->stop_event, "stop", handle_stop, c);
    time_event_init(&c->tick_timer, handle_tick, c);
    time_event_init(&c->backoff_timer, handle_backoff, c);
    conn_stall_init(c);
    throttle_waiter_init(&c->waiter, handle_throttle_room);
}

struct connection *conn_new(struct messenger *m, struct worker *worker,
                            const struct policy *policy, bool accepted)
{
    struct connection *c = calloc(1, sizeof(*c));
    char name[64];

    if (c == NULL) {
        return NULL;
    }
    c->lock = os_mutex_new(m->os, "AsyncConnection::lock");
    c->reset_room = dispatch_queue_reserve();
    if (c->lock == NULL || c->reset_room == NULL) {
        os_mutex_free(m->os, c->lock);
        dispatch_queue_unreserve(c->reset_room);
        free(c);
        return NULL;
    }
    c->m = m;
    c->os = m->os;
    c->worker = worker;
    c->id = ++m->next_conn_id;
    c->accepted = accepted;
    c->policy = *policy;
    c->lossy = policy->lossy;
    c->peer_num = -1;
    c->fd = -1;
    atomic_init(&c->why, "");
    c->seen.objection = "";
    atomic_init(&c->refs, 2);
    list_init(&c->node);
    list_init(&c->hash_node);
    list_init(&c->sent);
    out_queue_init(&c->out_q, m->opts.out_queue_messages_max, m->opts.out_queue_bytes_max);
    buffer_list_init(&c->outgoing);
    init_events(c);
    if (!accepted && !c->lossy) {
        c->client_cookie = os_random64(c->os) | 1; /* 0 means "lossy" */
    }
    snprintf(name, sizeof(name), "%s.conn-%llu", m->os->name, (unsigned long long)c->id);
    c->trace_id = trace_object(c->os, TRACE_OBJECT_CONN, worker->center.trace_id, name);
    TRACE(c->os, CONN_NEW, .obj = c->trace_id, .a0 = worker->center.trace_id,
          .a1 = trace_string(c->os, policy->name), .val = accepted);
    list_push_back(&m->all, &c->node);
    m->n_all++;
    atomic_fetch_add(&m->live_conns, 1);
    WORKER_COUNT(worker, msgr_created_connections, 1);
    return c;
}

/* ---- sockets ---- */

/* One number for both ends of a socket, so that a trace can join them: the two addresses in
 * a fixed order, mixed. */
static uint64_t socket_link(const struct connection *c)
{
    struct entity_addrvec ends = {.n = 2};

    if (connected_socket_local_addr(c->socket, &ends.v[0]) < 0 ||
        connected_socket_peer_addr(c->socket, &ends.v[1]) < 0) {
        return 0;
    }
    if (entity_addr_compare(&ends.v[0], &ends.v[1]) > 0) {
        struct entity_addr swap = ends.v[0];

        ends.v[0] = ends.v[1];
        ends.v[1] = swap;
    }
    return entity_addrvec_hash(&ends);
}

static void set_socket(struct connection *c, struct connected_socket *socket)
{
    c->socket = socket;
    c->fd = connected_socket_fd(socket);
    connected_socket_trace_as(socket, c->trace_id);
    c->watching_writable = false;
    c->out_at = c->in_at = 0;
    c->n_keepalives = 0;
    conn_reset_reader(c);
}

/* The transport is up, whoever dialled. */
MAY_END static int socket_established(struct connection *c)
{
    conn_saw(c, CONN_TRANSPORT);
    c->heard_ns = os_monotonic_ns(c->os);
    conn_set_sock_state(c, SOCK_ESTABLISHED, c->accepted ? "accepted" : "connected");
    TRACE(c->os, CONN_SOCKET, .obj = c->trace_id, .val = c->fd, .a0 = socket_link(c),
          .a1 = !c->accepted);
    return handshake_start(c);
}

static void drop_socket(struct connection *c)
{
    if (c->socket == NULL) {
        return;
    }
    event_center_delete_file_event(&c->worker->center, c->fd, OS_READABLE | OS_WRITABLE);
    TRACE(c->os, SOCKET_CLOSE, .obj = c->trace_id, .val = c->fd,
          .a0 = c->out_at - c->outgoing.bytes, .a1 = c->in_at);
    connected_socket_close(c->socket);
    c->socket = NULL;
    c->fd = -1;
    buffer_fini(&c->recv_buf);
    c->recv_start = c->recv_end = 0;
    conn_reset_reader(c); /* drops a half-read message and what it held of the throttles */
    buffer_list_fini(&c->outgoing);
}

int conn_watch(struct connection *c, int mask)
{
    const struct file_callback cb = {.fn = handle_socket, .arg = c};
    int err = event_center_create_file_event(&c->worker->center, c->fd, mask, &cb);

    if (err < 0) {
        conn_fault(c, err, "cannot watch the socket");
    }
    return err;
}

/* Without its timer a connection would outlive a peer that says nothing. 0, or a negative
 * errno when conn_fault was called; an armed one is armed anew without fail. */
MAY_END static int arm_tick(struct connection *c, uint64_t delay_ns)
{
    int err = event_center_create_time_event(&c->worker->center, &c->tick_timer, delay_ns);

    if (err < 0) {
        conn_fault(c, err, "no memory for the time-out");
    }
    return err;
}

/* ---- dialling ---- */

/* Is the transport up by now? Then the handshake begins. */
MAY_END static int check_connected(struct connection *c)
{
    int result = connected_socket_is_connected(c->socket);

    if (result == 0) {
        return 0;
    }
    TRACE(c->os, CONNECT, .obj = c->trace_id, .a0 = (uint64_t)c->fd,
          .val = result < 0 ? result : 0);
    if (result < 0) {
        if (result == -ECONNREFUSED) {
            messenger_queue_event(c->m, DISPATCH_REFUSED, c);
        }
        conn_fault(c, result, connected_socket_why(c->socket, result));
        return result;
    }
    event_center_delete_file_event(&c->worker->center, c->fd, OS_WRITABLE);
    return socket_established(c);
}

MAY_END static int dial(struct connection *c)
{
    struct connected_socket *socket;
    int err, mask = OS_READABLE;

    CHECK(c->socket == NULL);
    conn_set_sock_state(c, SOCK_CONNECTING, "dial");
    conn_set_proto_state(c, PROTO_START_CONNECT, "dial");
    c->global_seq = messenger_next_global_seq(c->m, 0);
    c->why_known = false;
    c->dials++;
    err = arm_tick(c, c->m->opts.ready_timeout_ns);
    if (err < 0) {
        return err;
    }
    err = network_stack_connect(c->m->opts.stack, c->worker, &c->target, &c->m->opts.socket,
                                &socket);
    if (err < 0) {
        TRACE(c->os, CONNECT, .obj = c->trace_id, .val = err);
        conn_fault(c, err, network_stack_why(c->m->opts.stack, err));
        return err;
    }
    set_socket(c, socket);
    conn_saw_dialled(c);
    conn_set_sock_state(c, SOCK_CONNECTING_RE, "connecting");
    if (c->m->opts.stack->ops->connect_wants_writable) {
        mask |= OS_WRITABLE;
    }
    err = conn_watch(c, mask);
    return err == 0 ? check_connected(c) : err;
}

MAY_END static int start_accepted(struct connection *c)
{
    int err;

    conn_set_sock_state(c, SOCK_ACCEPTING, "accepted");
    conn_set_proto_state(c, PROTO_START_ACCEPT, "accepted");
    err = arm_tick(c, c->m->opts.ready_timeout_ns);
    if (err == 0) {
        err = conn_watch(c, OS_READABLE);
    }
    return err == 0 ? socket_established(c) : err;
}

/* A handler of events has nothing more to do for a connection that ended. */
static void handler_done(int result)
{
    (void)result;
}

static void handle_start(void *arg)
{
    struct connection *c = arg;

    if (!c->started && c->sock_state == SOCK_NONE) {
        c->started = true;
        WORKER_COUNT(c->worker, msgr_active_connections, 1);
        if (c->accepted) {
            struct connected_socket *socket = c->socket;

            set_socket(c, socket);
            handler_done(start_accepted(c));
        } else {
            handler_done(dial(c));
        }
    }
    conn_unref(c);
}

/* ---- events ---- */

static void handle_socket(void *arg, int fd, int mask)
{
    struct connection *c = conn_ref(arg); /* the callbacks below may close it */
    int err = 0;

    TRACE(c->os, R3_READ_EVENT, .obj = c->trace_id,
          .a0 = (uint64_t)c->worker->center.files[fd].generation << 32 | (uint32_t)fd,
          .a1 = c->in_at);
    if (c->sock_state == SOCK_CONNECTING_RE) {
        err = check_connected(c);
    }
    if (err == 0 && c->sock_state == SOCK_ESTABLISHED && (mask & OS_READABLE)) {
        err = conn_read(c);
    }
    if (err == 0 && c->sock_state == SOCK_ESTABLISHED && (mask & OS_WRITABLE) &&
        c->watching_writable) {
        handler_done(conn_write(c));
    }
    conn_unref(c);
}

static void handle_write_event(void *arg)
{
    struct connection *c = arg;

    if (c->sock_state == SOCK_ESTABLISHED && !c->watching_writable) {
        handler_done(conn_write(c)); /* a full socket calls by itself */
    }
    conn_unref(c);
}

static void handle_read_event(void *arg)
{
    struct connection *c = arg;

    if (c->sock_state == SOCK_ESTABLISHED) {
        handler_done(conn_read(c));
    }
    conn_unref(c);
}

static void handle_throttle_room(struct throttle_waiter *waiter)
{
    struct connection *c = container_of(waiter, struct connection, waiter);

    conn_post(c, &c->read_event);
}

/* Nothing came from the peer for as long as idle_timeout, and we listened. */
static bool is_silent(const struct connection *c)
{
    return c->waiting_on == NULL &&
           os_monotonic_ns(c->os) - c->heard_ns >= c->m->opts.idle_timeout_ns;
}

/* Only bytes that came from the peer are a sign of it. What we send is none, and neither is
 * that a kernel or a device took it, or a device said that it arrived. While a message
 * waits for its budgets we do not read, so then the peer's silence is our own doing. Half
 * way who has said something asks, so that a peer that only listens is not given up. */
static void look_for_silence(struct connection *c)
{
    uint64_t limit = c->m->opts.idle_timeout_ns, look;
    int err;

    if (is_silent(c)) {
        /* It may have spoken while this worker was busy with others. */
        err = conn_read(c);
        if (err < 0 || c->sock_state != SOCK_ESTABLISHED) {
            return;
        }
    }
    if (is_silent(c)) {
        conn_fault(c, -ETIMEDOUT, c->m->idle_why);
        return;
    }
    if (c->waiting_on != NULL) {
        c->heard_ns = os_monotonic_ns(c->os);
    }
    conn_ask_silent_peer(c);
    look = os_monotonic_ns(c->os) - c->heard_ns < limit / 2 ? limit / 2 : limit;
    err = event_center_create_time_event_at(&c->worker->center, &c->tick_timer,
                                            c->heard_ns + look);
    if (err < 0) { /* what was read armed a timer in the place it gave back */
        conn_fault(c, err, "no memory for the time-out");
    }
}

/* Handshake too long, or a session whose peer may be gone. */
static void handle_tick(void *arg, uint64_t id)
{
    struct connection *c = conn_ref(arg); /* what is read may close it */

    (void)id;
    if (conn_is_session_state(c->proto_state)) {
        look_for_silence(c);
    } else {
        conn_fault(c, -ETIMEDOUT, "handshake took too long");
    }
    conn_unref(c);
}

static void handle_backoff(void *arg, uint64_t id)
{
    (void)id;
    handler_done(dial(arg));
}

/* ---- faults ---- */

/* Why this transport ends, if nobody has said so yet. */
static void note_why(struct connection *c, int err, const char *why)
{
    os_lock(c->os, c->lock);
    if (!c->closed && !c->why_known) {
        c->why = why;
        c->error = err;
    }
    os_unlock(c->os, c->lock);
    c->why_known = true;
}

/* Who is at the other end: as an ident said, or as the socket knows. Owner. */
static const char *peer_text(struct connection *c, char buf[ENTITY_ADDRVEC_TEXT])
{
    if (c->peer_addrs.n > 0) { /* nobody else writes them */
        return entity_addrvec_text(&c->peer_addrs, buf);
    }
    return entity_addr_text(&c->seen.socket, buf);
}

static void note_fault(struct connection *c, int err, const char *why)
{
    char peer[ENTITY_ADDRVEC_TEXT];

    note_why(c, err, why);
    TRACE(c->os, CONN_FAULT, .obj = c->trace_id, .val = err, .a0 = trace_string(c->os, why),
          .a1 = trace_string(c->os, peer_text(c, peer)));
}

/* Before the session is up a dialler keeps trying, with pauses that double (Ceph:
 * ms_initial_backoff, ms_max_backoff). Queued messages wait. */
static void dial_later(struct connection *c, const char *why)
{
    const struct messenger_opts *opts = &c->m->opts;

    conn_set_sock_state(c, SOCK_NONE, why);
    conn_set_proto_state(c, PROTO_START_CONNECT, why);
    event_center_delete_time_event(&c->worker->center, &c->tick_timer);
    c->backoff_ns = c->backoff_ns == 0 ? opts->backoff_initial_ns
                                       : MIN(c->backoff_ns * 2, opts->backoff_max_ns);
    TRACE(c->os, CONN_BACKOFF, .obj = c->trace_id, .a0 = c->backoff_ns);
    if (event_center_create_time_event(&c->worker->center, &c->backoff_timer,
                                       c->backoff_ns) < 0) {
        c->why_known = false;
        conn_give_up(c, -ENOMEM, "no memory for the timer of the next dial");
    }
}

void conn_fault(struct connection *c, int err, const char *why)
{
    if (c->sock_state == SOCK_CLOSED) {
        return;
    }
    note_fault(c, err, why);
    if (c->accepted || c->was_ready) {
        conn_close(c, true); /* lossless sessions end here too until reconnect exists */
        return;
    }
    drop_socket(c);
    dial_later(c, why);
}

void conn_give_up(struct connection *c, int err, const char *why)
{
    if (c->sock_state == SOCK_CLOSED) {
        return;
    }
    note_fault(c, err, why);
    conn_close(c, true);
}

/* ---- the session ---- */

int conn_session_ready(struct connection *c)
{
    struct queued_event *room = dispatch_queue_reserve();
    int armed;

    CHECK(!c->was_ready);
    if (room == NULL) {
        conn_fault(c, -ENOMEM, "no memory to tell of the session");
        return -ENOMEM;
    }
    c->was_ready = true;
    conn_saw(c, CONN_SESSION);
    c->why_known = false;
    c->backoff_ns = 0;
    conn_set_proto_state(c, PROTO_READY, "session is up");
    CHECK(time_event_is_armed(&c->tick_timer)); /* so that this needs no memory */
    armed = arm_tick(c, c->m->opts.idle_timeout_ns / 2);
    CHECK(armed == 0);
    if (c->accepted) {
        messenger_handshake_done(c->m);
    }
    os_lock(c->os, c->lock);
    c->ready = !c->closed;
    os_unlock(c->os, c->lock);
    dispatch_queue_push_reserved(c->m->dispatch, room,
                                 c->accepted ? DISPATCH_ACCEPT : DISPATCH_CONNECT,
                                 conn_ref(c));
    conn_post(c, &c->write_event); /* out_q may have filled meanwhile */
    return 0;
}

/* ---- the end ---- */

static void cancel_event(struct connection *c, struct external_event *ev)
{
    if (event_center_cancel(&c->worker->center, ev)) {
        conn_unref(c); /* never the last: the alive reference is still there */
    }
}

void conn_close(struct connection *c, bool reset)
{
    struct event_center *center = &c->worker->center;
    bool was_handshaking = c->accepted && !c->was_ready;
    uint64_t unsent, unacked, undispatched;
    const char *why;

    CHECK(event_center_in_thread(center));
    if (c->sock_state == SOCK_CLOSED) {
        return;
    }
    os_lock(c->os, c->lock);
    c->closed = c->gone = true; /* from here on nobody posts events to us */
    c->ready = false;
    why = c->why;
    os_unlock(c->os, c->lock);
    conn_set_sock_state(c, SOCK_CLOSED, why);
    conn_set_proto_state(c, PROTO_CLOSED, why);
    event_center_delete_time_event(center, &c->tick_timer);
    event_center_delete_time_event(center, &c->backoff_timer);
    if (c->socket != NULL) {
        connected_socket_shutdown(c->socket);
    }
    unacked = c->n_sent;
    unsent = conn_drop_output(c) - unacked;
    undispatched = dispatch_queue_discard(c->m->dispatch, c->id);
    drop_socket(c);
    cancel_event(c, &c->start_event);
    cancel_event(c, &c->write_event);
    cancel_event(c, &c->read_event);
    cancel_event(c, &c->stop_event);
    TRACE(c->os, CONN_STOP, .obj = c->trace_id, .a0 = unsent, .a1 = unacked,
          .val = (int32_t)(unsent + unacked + undispatched));
    if (was_handshaking) {
        messenger_handshake_done(c->m);
    }
    if (c->started) {
        WORKER_COUNT(c->worker, msgr_active_connections, (uint64_t)-1);
    }
    messenger_forget(c->m, c);
    if (reset && !was_handshaking) {
        /* Only now: whoever hears of it and connects again must not find this one. */
        dispatch_queue_push_reserved(c->m->dispatch, c->reset_room, DISPATCH_RESET,
                                     conn_ref(c));
        c->reset_room = NULL;
    } else if (reset) {
        messenger_accept_failed(c->m, c);
    }
    worker_release(c->worker);
    conn_unref(c); /* alive */
}

static void handle_stop(void *arg)
{
    struct connection *c = arg;

    conn_close(c, conn_may_call_back(c));
    conn_unref(c);
}

void conn_stop(struct connection *c, bool reset, const char *why)
{
    bool first;

    messenger_unregister(c->m, c);
    os_lock(c->os, c->lock);
    first = !c->closed && !c->down;
    atomic_store(&c->down, c->down || !reset);
    c->ready = false;
    if (first) {
        c->why = why;
    }
    c->closed = true; /* behind it: conn_status looks without the lock */
    if (!c->gone) {
        conn_post(c, &c->stop_event);
    }
    os_unlock(c->os, c->lock);
    if (!reset) {
        dispatch_queue_discard(c->m->dispatch, c->id);
    }
}

bool conn_may_call_back(struct connection *c)
{
    return !atomic_load_explicit(&c->down, memory_order_acquire);
}

void conn_mark_down(struct connection *c, const char *why)
{
    if (c->loopback) {
        return; /* lives as long as the messenger, as Ceph's local connection does */
    }
    conn_stop(c, false, why);
    TRACE(c->os, CONN_DOWN, .obj = c->trace_id);
}

void messenger_mark_down(struct connection *c)
{
    conn_mark_down(c, "marked down by this side");
}
