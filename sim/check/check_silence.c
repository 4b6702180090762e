/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_silence.c: a session whose peer is silent for as long as its idle time-out is over,
 * whatever its own side does.
 *
 * A sign of the peer is a read that gave bytes, if as many had come to the socket or queue
 * pair: the network knows. Nothing that the connection itself does is one. What notices the
 * silence is a pass of the connection's center, so passes are counted, by the clock of the
 * node, coarse or jumping as it may be: a thread that stands still makes none. A sign
 * counts from the end of its pass, since the next one is the first that can see it again.
 * While a message waits for its budgets nobody listens, and so nobody is silent.
 */
#include <inttypes.h>

#include "engine/states.h"
#include "engine/util.h"
#include "sim/check/checkers_impl.h"

void checkers_set_idle(struct checkers *c, uint8_t node, uint64_t timeout_ns)
{
    c->nodes[node].idle_ns = timeout_ns;
}

/* ---- signs of the peer -------------------------------------------------------------- */

static void note_sign(struct checkers *c, const struct check_object *o, uint32_t conn)
{
    struct check_silence *s = &o->conn->silence;
    struct check_object *center = check_object(c, s->center, TRACE_OBJECT_CENTER);
    struct check_heard *heard = center != NULL ? &center->center->heard : NULL;

    if (heard == NULL || s->heard) {
        return;
    }
    if (heard->n == heard->cap) {
        uint32_t cap = heard->cap == 0 ? 8 : heard->cap * 2;
        uint32_t *grown = realloc(heard->conns, cap * sizeof(*grown));

        CHECK(grown != NULL); /* at most a number for each connection of the center */
        heard->conns = grown;
        heard->cap = cap;
    }
    heard->conns[heard->n++] = conn;
    s->heard = true;
}

/* As many bytes had come from the peer as were read. */
static bool is_genuine(const struct checkers *c, const struct trace_record *r,
                       const struct check_conn *conn)
{
    const struct check_silence *s = &conn->silence;

    return c->opts.arrived == NULL ||
           s->read <= c->opts.arrived(c->opts.arg, r->node, conn->fd, s->qp_num);
}

void check_silence_record(struct checkers *c, const struct check_object *o,
                          const struct trace_record *r)
{
    struct check_silence *s = &o->conn->silence;

    CHECK(o->class_ == TRACE_OBJECT_CONN);
    switch (r->kind) {
    case TP_CONN_NEW:
        s->center = (uint32_t)r->a0;
        break;
    case TP_CONNECT:
    case TP_CONN_SOCKET:
        s->read = s->qp_num = 0;
        break;
    case TP_S7_POST_SEND:
        s->qp_num = r->aux;
        break;
    case TP_R6_READ_BULK:
        s->read += r->val > 0 ? (uint64_t)r->val : 0;
        if (r->val > 0 && is_genuine(c, r, o->conn)) {
            note_sign(c, o, r->obj);
        }
        break;
    case TP_PROTO_STATE:
        if (r->a1 == PROTO_READY) { /* from here on we listen */
            note_sign(c, o, r->obj);
        }
        break;
    default:
        break;
    }
}

/* ---- passes ------------------------------------------------------------------------- */

static uint64_t due_ns(const struct checkers *c, const struct check_object *o)
{
    return o->conn->silence.since_ns + c->nodes[o->node].idle_ns;
}

void check_silence_pass_ends(struct checkers *c, struct check_center *center,
                             const struct trace_record *r)
{
    for (uint32_t i = 0; i < center->heard.n; i++) {
        struct check_object *o = check_object(c, center->heard.conns[i], TRACE_OBJECT_CONN);

        if (o != NULL) {
            o->conn->silence.heard = false;
            o->conn->silence.passes = 0;
            o->conn->silence.since_ns = r->ts;
            center->silence_due_ns = MIN(center->silence_due_ns, due_ns(c, o));
        }
    }
    center->heard.n = 0;
}

static void look_at_session(struct checkers *c, const struct check_object *o, uint64_t now)
{
    struct check_silence *s = &o->conn->silence;

    CHECK(o->conn->proto == PROTO_READY);
    if (now >= due_ns(c, o) && ++s->passes > CHECK_TIMER_PASSES) {
        check_fail(c, o->node, "alive_in_silence",
                   "nothing has come from the peer of %s for %" PRIu64
                   " ns; its session ends after %" PRIu64 " ns, whatever it sends itself",
                   o->name, now - s->since_ns, c->nodes[o->node].idle_ns);
    }
}

/* Sessions of the center that should be over end in this pass. */
void check_silence_pass_begins(struct checkers *c, struct check_center *center,
                               const struct trace_record *r)
{
    uint64_t due = UINT64_MAX;

    if (r->ts < center->silence_due_ns || c->nodes[r->node].idle_ns == 0) {
        return;
    }
    for (uint32_t i = 0; i < c->n_objects; i++) {
        const struct check_object *o = &c->objects[i];

        if (o->class_ == TRACE_OBJECT_CONN && !o->dead && o->conn != NULL &&
            o->conn->silence.center == r->obj && o->conn->proto == PROTO_READY) {
            look_at_session(c, o, r->ts);
            due = MIN(due, due_ns(c, o));
        }
    }
    center->silence_due_ns = due;
}
