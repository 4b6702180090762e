/* SPDX-License-Identifier: Apache-2.0 */
/*
 * processor.c: listening sockets and accepting (Ceph: Processor). Each bound address has
 * one processor, on worker 0; accepted connections go to the worker with the fewest.
 *
 * Accepting pauses, and the kernel's backlog holds whoever comes, when descriptors or
 * memory run out (for ACCEPT_PAUSE_NS, instead of spinning or aborting) and while
 * accepting_max connections are in the handshake (until one of them is through).
 */
#include <errno.h>
#include <string.h>

#include "engine/msgr/messenger_impl.h"
#include "engine/trace.h"
#include "engine/util.h"

struct processor {
    struct messenger *m; /* borrowed */
    struct worker *worker;
    struct server_socket *socket; /* owned; NULL once stopped */
    uint32_t trace_id;
    bool watching;           /* owner */
    struct time_event retry; /* owner: after a failed accept */
    struct external_event resume_event;
};

static void accept_some(void *arg, int fd, int mask);

/* Some other time; without memory for a timer, in the next pass. */
static void watch_later(struct processor *p)
{
    if (event_center_create_time_event(&p->worker->center, &p->retry, ACCEPT_PAUSE_NS) <
        0) {
        event_center_post(&p->worker->center, &p->resume_event);
    }
}

static void watch_listener(struct processor *p)
{
    const struct file_callback cb = {.fn = accept_some, .arg = p};

    if (p->socket == NULL || p->watching) {
        return;
    }
    if (event_center_create_file_event(&p->worker->center, server_socket_fd(p->socket),
                                       OS_READABLE, &cb) == 0) {
        p->watching = true;
    } else {
        watch_later(p);
    }
}

static void unwatch_listener(struct processor *p)
{
    if (p->watching) {
        event_center_delete_file_event(&p->worker->center, server_socket_fd(p->socket),
                                       OS_READABLE);
        p->watching = false;
    }
}

static void pause_accepting(struct processor *p, int err)
{
    atomic_store(&p->m->accept_error, err);
    atomic_fetch_add(&p->m->accept_errors, 1);
    TRACE(p->m->os, ACCEPT_ERROR, .obj = p->trace_id, .val = err, .a0 = ACCEPT_PAUSE_NS);
    unwatch_listener(p);
    watch_later(p);
}

static void handle_retry(void *arg, uint64_t id)
{
    (void)id;
    watch_listener(arg);
}

static void handle_resume(void *arg)
{
    watch_listener(arg);
}

/* Whether one more may be in the handshake; if so it is counted. */
static bool admit(struct messenger *m)
{
    bool room;

    os_lock(m->os, m->lock);
    room = !m->stopping && m->n_accepting < m->opts.accepting_max;
    m->n_accepting += room;
    os_unlock(m->os, m->lock);
    return room;
}

/* A new connection for the socket, on its way to its worker. Takes over the socket. */
static int adopt_socket(struct processor *p, struct worker *worker,
                        struct connected_socket *socket, const struct entity_addr *peer)
{
    struct messenger *m = p->m;
    struct connection *c;

    os_lock(m->os, m->lock);
    c = conn_new(m, worker, messenger_policy(m, 0), true);
    os_unlock(m->os, m->lock);
    if (c == NULL) {
        connected_socket_close(socket);
        return -ENOMEM;
    }
    c->socket = socket;
    c->seen.socket = *peer;
    conn_post(c, &c->start_event);
    conn_unref(c);
    return 0;
}

/* 0 accepted one; -EAGAIN nobody waits; -EBUSY accepting_max; other errors. */
static int accept_one(struct processor *p)
{
    struct messenger *m = p->m;
    struct connected_socket *socket;
    struct entity_addr peer;
    struct worker *worker;
    int err;

    if (!admit(m)) {
        return -EBUSY;
    }
    worker = worker_pool_get(m->pool);
    err = server_socket_accept(p->socket, worker, &m->opts.socket, &socket, &peer);
    if (err == 0) {
        TRACE(m->os, ACCEPT, .obj = p->trace_id, .val = connected_socket_fd(socket),
              .a0 = entity_addr_port(&peer));
        err = adopt_socket(p, worker, socket, &peer);
    }
    if (err < 0) {
        worker_release(worker);
        os_lock(m->os, m->lock);
        m->n_accepting--;
        os_unlock(m->os, m->lock);
    }
    return err;
}

static void accept_some(void *arg, int fd, int mask)
{
    struct processor *p = arg;
    int err = 0;

    (void)fd;
    (void)mask;
    for (int i = 0; i < ACCEPT_BATCH && err == 0; i++) {
        err = accept_one(p);
    }
    if (err == 0) {
        /* More may wait; with an edge-triggered driver nothing would tell us again. */
        event_center_post(&p->worker->center, &p->resume_event);
        unwatch_listener(p);
    } else if (err == -EBUSY) {
        TRACE(p->m->os, ACCEPT_ERROR, .obj = p->trace_id, .val = err);
        unwatch_listener(p);     /* processors_resume */
        processors_resume(p->m); /* in case the room came before we stopped watching */
    } else if (err != -EAGAIN) {
        pause_accepting(p, err);
    }
}

void processors_resume(struct messenger *m)
{
    os_lock(m->os, m->lock);
    if (m->n_accepting < m->opts.accepting_max && m->listening && !m->stopping) {
        for (uint32_t i = 0; i < m->n_processors; i++) {
            event_center_post(&m->processors[i].worker->center,
                              &m->processors[i].resume_event);
        }
    }
    os_unlock(m->os, m->lock);
}

static void close_processor(void *arg)
{
    struct processor *p = arg;

    unwatch_listener(p);
    event_center_delete_time_event(&p->worker->center, &p->retry);
    event_center_cancel(&p->worker->center, &p->resume_event);
    TRACE(p->m->os, SOCKET_CLOSE, .obj = p->trace_id, .val = server_socket_fd(p->socket));
    server_socket_close(p->socket);
    p->socket = NULL;
}

int processors_bind(struct messenger *m, const struct entity_addrvec *addrs,
                    struct processor **ret, struct entity_addrvec *ret_bound)
{
    struct worker *worker = worker_pool_at(m->pool, 0);
    struct processor *processors = calloc(addrs->n, sizeof(*processors));
    uint32_t n = 0;
    int err = processors == NULL ? -ENOMEM : 0;

    for (; n < addrs->n && err == 0; n++) {
        struct processor *p = &processors[n];
        char name[ENTITY_ADDR_TEXT];

        *p = (struct processor){.m = m, .worker = worker};
        err = network_stack_listen(m->opts.stack, worker, &addrs->v[n], &m->opts.socket,
                                   &p->socket, &ret_bound->v[n]);
        if (err < 0) {
            break;
        }
        time_event_init(&p->retry, handle_retry, p);
        external_event_init(&p->resume_event, "accept", handle_resume, p);
        p->trace_id = trace_object(m->os, TRACE_OBJECT_LISTENER, worker->center.trace_id,
                                   entity_addr_text(&ret_bound->v[n], name));
        TRACE(m->os, LISTEN, .obj = p->trace_id, .val = server_socket_fd(p->socket),
              .a0 = entity_addr_port(&ret_bound->v[n]));
    }
    if (err < 0) {
        while (n > 0) {
            server_socket_close(processors[--n].socket);
        }
        free(processors);
        return err;
    }
    ret_bound->n = n;
    *ret = processors;
    return 0;
}

void processors_install(struct messenger *m, struct processor *processors, uint32_t n)
{
    CHECK(m->n_processors == 0);
    os_lock(m->os, m->lock);
    m->processors = processors;
    m->n_processors = n;
    os_unlock(m->os, m->lock);
}

static void start_watching(void *arg)
{
    watch_listener(arg);
}

void processors_start(struct messenger *m)
{
    for (uint32_t i = 0; i < m->n_processors; i++) {
        event_center_submit(&m->processors[i].worker->center, start_watching,
                            &m->processors[i]);
    }
    os_lock(m->os, m->lock);
    m->listening = true;
    os_unlock(m->os, m->lock);
}

void processors_stop(struct messenger *m)
{
    struct processor *processors;
    uint32_t n;

    os_lock(m->os, m->lock);
    m->listening = false; /* nobody posts resume events any more */
    processors = m->processors;
    n = m->n_processors;
    os_unlock(m->os, m->lock);
    for (uint32_t i = 0; i < n; i++) {
        if (m->started) {
            event_center_submit(&processors[i].worker->center, close_processor,
                                &processors[i]);
        } else {
            server_socket_close(processors[i].socket);
        }
    }
    os_lock(m->os, m->lock);
    m->processors = NULL;
    m->n_processors = 0;
    os_unlock(m->os, m->lock);
    free(processors);
}
