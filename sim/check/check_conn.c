/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_conn.c: connections: states, callbacks, sequence numbers, and that every message
 * that was queued was written or dropped. Throttles: what was taken comes back.
 *
 * The grammar of callbacks, for one connection:
 *
 *     refused*  (connect | accept)  message*  reset?        then nothing more
 *
 * A fast-dispatched message may come before `accept` or `connect`, which take the way
 * through the dispatch queue. After messenger_mark_down has returned, each thread that was
 * already on its way into a callback may still begin that one, and no other.
 */
#include <errno.h>
#include <inttypes.h>

#include "engine/queue/dispatch_queue.h"
#include "engine/states.h"
#include "engine/util.h"
#include "sim/check/checkers_impl.h"

/* ---- callbacks --------------------------------------------------------------------- */

static void look_at_late_callback(struct checkers *c, const struct check_object *o,
                                  const struct trace_record *r)
{
    uint8_t bit = (uint8_t)(1u << (r->thread % 8)), *late = &o->conn->late[r->thread / 8];

    CHECK(o->class_ == TRACE_OBJECT_CONN);
    if (!o->conn->down) {
        return;
    }
    if (*late & bit) {
        check_fail(c, o->node, "callback_after_mark_down",
                   "%s was marked down, and thread %u calls back for the second time since",
                   o->name, r->thread);
    }
    *late |= bit;
}

static void begin_callback(struct checkers *c, const struct check_object *o,
                           const struct trace_record *r, const char *what)
{
    if (o->conn->told_reset) {
        check_fail(c, o->node, "callback_grammar after_reset",
                   "%s: the dispatcher was told of the reset, and then of %s", o->name,
                   what);
    }
    look_at_late_callback(c, o, r);
}

static void note_session(struct checkers *c, const struct check_object *o, bool accept)
{
    CHECK(o->class_ == TRACE_OBJECT_CONN);
    if (o->conn->told_up) {
        check_fail(c, o->node, "callback_grammar twice",
                   "%s: the dispatcher is told of %s a second time", o->name,
                   accept ? "accept" : "connect");
    }
    if (o->conn->accepted != accept) {
        check_fail(c, o->node, "callback_grammar side",
                   "%s was %s, and the dispatcher is told of %s", o->name,
                   o->conn->accepted ? "accepted" : "dialled",
                   accept ? "accept" : "connect");
    }
    o->conn->told_up = true;
}

static void note_event(struct checkers *c, const struct check_object *o,
                       const struct trace_record *r)
{
    static const char *const names[] = {"connect",      "accept",  "reset",
                                        "remote reset", "refused", "accept failed"};

    begin_callback(c, o, r, r->a0 < ARRAY_SIZE(names) ? names[r->a0] : "an event");
    switch (r->a0) {
    case DISPATCH_CONNECT:
    case DISPATCH_ACCEPT:
        note_session(c, o, r->a0 == DISPATCH_ACCEPT);
        break;
    case DISPATCH_RESET:
        o->conn->told_reset = true;
        break;
    case DISPATCH_REFUSED:
        if (o->conn->told_up) {
            check_fail(c, o->node, "callback_grammar refused",
                       "%s: the dispatcher is told that nobody listens, after the session "
                       "was up",
                       o->name);
        }
        break;
    default:
        break;
    }
}

static void note_message(struct checkers *c, const struct check_object *o,
                         const struct trace_record *r)
{
    begin_callback(c, o, r, "a message");
    if (r->kind == TP_DISPATCH_BEGIN && !o->conn->told_up && !o->conn->loopback) {
        check_fail(c, o->node, "callback_grammar early",
                   "%s: the dispatcher gets a message before it was told of the session",
                   o->name);
    }
}

/* ---- states and descriptors -------------------------------------------------------- */

static void note_state(struct checkers *c, const struct check_object *o,
                       const struct trace_record *r, uint64_t *state)
{
    CHECK(state == &o->conn->sock || state == &o->conn->proto);
    if (r->a0 != *state) {
        check_fail(c, o->node, "states",
                   "%s leaves state %" PRIu64 " for %" PRIu64 ", and was in state %" PRIu64,
                   o->name, r->a0, r->a1, *state);
    }
    *state = r->a1;
    if (r->kind == TP_SOCK_STATE && r->a1 != SOCK_ESTABLISHED) {
        o->conn->out_seq = 0; /* another transport sends again what was not acknowledged */
    }
}

static void note_fault(struct checkers *c, const struct check_object *o,
                       const struct trace_record *r)
{
    if (r->val == -EBADF || r->val == -ENOTSOCK) {
        check_fail(c, o->node, "bad_fd connection",
                   "%s: descriptor %d is not its socket any more (error %d)", o->name,
                   o->conn->fd, -r->val);
    }
}

static void look_at_fd(struct checkers *c, const struct check_object *o, int fd)
{
    if (o->conn->fd >= 0 && o->conn->fd != fd) {
        check_fail(c, o->node, "fd_wrong_owner",
                   "%s owns descriptor %d and gets an event of descriptor %d", o->name,
                   o->conn->fd, fd);
    }
}

/* ---- messages ---------------------------------------------------------------------- */

static void note_received(struct checkers *c, const struct check_object *o, uint64_t seq)
{
    CHECK(o->class_ == TRACE_OBJECT_CONN);
    if (seq <= o->conn->in_seq) {
        check_fail(c, o->node, "old_seq received",
                   "%s accepts message %" PRIu64 " after message %" PRIu64, o->name, seq,
                   o->conn->in_seq);
    }
    o->conn->in_seq = seq;
}

static void note_written(struct checkers *c, const struct check_object *o, uint64_t seq)
{
    CHECK(o->class_ == TRACE_OBJECT_CONN);
    if (seq <= o->conn->out_seq) {
        check_fail(c, o->node, "old_seq sent",
                   "%s sends message %" PRIu64 " after message %" PRIu64, o->name, seq,
                   o->conn->out_seq);
    }
    o->conn->out_seq = seq;
    o->conn->written++;
}

static void note_ack(struct checkers *c, const struct check_object *o,
                     const struct trace_record *r)
{
    if (r->a0 > r->a1) {
        check_fail(c, o->node, "ack_beyond_sent",
                   "%s: the peer acknowledges message %" PRIu64 ", and %" PRIu64
                   " were sent",
                   o->name, r->a0, r->a1);
    }
}

static void note_stop(struct checkers *c, const struct check_object *o,
                      const struct trace_record *r)
{
    CHECK(o->class_ == TRACE_OBJECT_CONN);
    o->conn->unsent = r->a0;
    o->conn->stopped = true;
    if (o->conn->queued != o->conn->written + o->conn->unsent) {
        check_fail(c, o->node, "message_conservation",
                   "%s: %" PRIu64 " messages were queued, %" PRIu64 " written, %" PRIu64
                   " dropped unsent",
                   o->name, o->conn->queued, o->conn->written, o->conn->unsent);
    }
}

static void note_free(struct checkers *c, struct check_object *o)
{
    CHECK(!o->dead);
    CHECK(o->any != NULL);
    if (!o->conn->stopped && !o->conn->loopback && o->conn->queued > 0) {
        check_fail(c, o->node, "message_conservation",
                   "%s is freed with %" PRIu64 " messages queued", o->name,
                   o->conn->queued - o->conn->written);
    }
    free(o->any);
    o->any = NULL;
    o->dead = true;
}

/* ---- records ----------------------------------------------------------------------- */

static void check_listener_record(struct checkers *c, const struct trace_record *r)
{
    const char *name = r->obj < c->n_objects ? c->objects[r->obj].name : "a listener";

    if (r->kind == TP_LISTEN || r->kind == TP_ACCEPT) {
        check_fd_is_new(c, r->node, r->val, name);
    } else if (r->kind == TP_ACCEPT_ERROR &&
               (r->val == -EBADF || r->val == -EINVAL || r->val == -ENOTSOCK)) {
        check_fail(c, r->node, "bad_fd listener",
                   "listener %s accepts on a descriptor that does not listen (error %d)",
                   name, -r->val);
    }
}

/* What a socket is and was; true: the record was one of these. */
static bool note_socket(struct checkers *c, const struct check_object *o,
                        const struct trace_record *r)
{
    switch (r->kind) {
    case TP_CONNECT:
        o->conn->fd = r->val == 0 ? (int)r->a0 : o->conn->fd;
        return true;
    case TP_CONN_SOCKET:
        o->conn->fd = r->val;
        return true;
    case TP_SOCKET_CLOSE:
        look_at_fd(c, o, r->val);
        o->conn->fd = -1;
        return true;
    case TP_R3_READ_EVENT:
        look_at_fd(c, o, (int)(uint32_t)r->a0);
        return true;
    case TP_SOCK_STATE:
        note_state(c, o, r, &o->conn->sock);
        return true;
    case TP_PROTO_STATE:
        note_state(c, o, r, &o->conn->proto);
        return true;
    case TP_CONN_FAULT:
        note_fault(c, o, r);
        return true;
    default:
        return false;
    }
}

void check_conn_record(struct checkers *c, const struct trace_record *r)
{
    struct check_object *o = check_object(c, r->obj, TRACE_OBJECT_CONN);

    if (o == NULL) {
        check_listener_record(c, r);
        return;
    }
    check_stream_record(c, o, r);
    check_silence_record(c, o, r);
    if (note_socket(c, o, r)) {
        return;
    }
    switch (r->kind) {
    case TP_CONN_NEW:
        o->conn->accepted = r->val != 0;
        break;
    case TP_LOCAL_DELIVERY:
        o->conn->loopback = true;
        break;
    case TP_CONN_DOWN:
        o->conn->down = true;
        break;
    case TP_S3_QUEUE:
        o->conn->queued++;
        break;
    case TP_S4_WRITE_MESSAGE:
        note_written(c, o, r->a0);
        break;
    case TP_R7_DISPATCH:
        note_received(c, o, r->a0);
        break;
    case TP_ACK_IN:
        note_ack(c, o, r);
        break;
    case TP_DISPATCH_EVENT:
        note_event(c, o, r);
        break;
    case TP_DISPATCH_BEGIN:
    case TP_FAST_DISPATCH:
        note_message(c, o, r);
        break;
    case TP_CONN_STOP:
        note_stop(c, o, r);
        break;
    case TP_CONN_FREE:
        note_free(c, o);
        break;
    default:
        break;
    }
}

void check_conn_finish(struct checkers *c, const struct check_object *o)
{
    check_fail(c, o->node, "leak connection", "%s was never freed", o->name);
}

/* ---- throttles --------------------------------------------------------------------- */

void check_throttle_record(struct checkers *c, const struct trace_record *r)
{
    struct check_object *o = check_object(c, r->obj, TRACE_OBJECT_THROTTLE);
    uint64_t before, after, n = (uint32_t)r->val;

    if (o == NULL) {
        return;
    }
    before = o->throttle->held;
    after = r->kind == TP_THROTTLE_GET ? before + n : before - n;
    if (r->kind == TP_THROTTLE_PUT && n > before) {
        check_fail(c, o->node, "throttle_books negative",
                   "throttle %s: %" PRIu64 " given back, %" PRIu64 " were held", o->name, n,
                   before);
    } else if (r->a0 != after) {
        check_fail(c, o->node, "throttle_books",
                   "throttle %s says that %" PRIu64 " are held; it is %" PRIu64, o->name,
                   r->a0, after);
    }
    o->throttle->held = after;
}

void check_throttle_finish(struct checkers *c, const struct check_object *o)
{
    if (o->throttle->held > 0) {
        check_fail(c, o->node, "leak throttle",
                   "throttle %s still holds %" PRIu64 ": somebody did not give back",
                   o->name, o->throttle->held);
    }
}
