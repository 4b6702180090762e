/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection_stall.c: messages that stop half-way.
 *
 * A message takes its budgets before it is read (session.c), so one whose peer falls silent
 * in the middle keeps them for as long as the connection lives, and whoever needs the same
 * budget waits for a peer it has nothing to do with. So a message that nothing more came of
 * for the ready time-out, while somebody waits for what it holds, ends its connection. If
 * nobody waits, it may take its time.
 *
 * The timer is armed once a message is seen half read, and looks when it is due whether
 * that is still so: a message in motion costs nothing.
 */
#include <errno.h>

#include "engine/msgr/connection.h"
#include "engine/msgr/messenger_impl.h"

static bool somebody_waits(const struct message *msg)
{
    return (msg->held.messages != NULL && throttle_is_awaited(msg->held.messages)) ||
           (msg->held.bytes != NULL && throttle_is_awaited(msg->held.bytes)) ||
           (msg->held.dispatch != NULL && throttle_is_awaited(msg->held.dispatch));
}

static void arm(struct connection *c, uint64_t delay_ns)
{
    /* Without memory for a timer the idle time-out has to do. */
    event_center_create_time_event(&c->worker->center, &c->stall_timer, delay_ns);
}

static void handle_stall(void *arg, uint64_t id)
{
    struct connection *c = arg;
    uint64_t limit = c->m->opts.ready_timeout_ns, quiet;

    (void)id;
    if (c->in.msg == NULL || c->in.state <= IN_THROTTLE) {
        return;
    }
    quiet = os_monotonic_ns(c->os) - c->read_ns;
    if (quiet < limit) {
        arm(c, limit - quiet);
    } else if (somebody_waits(c->in.msg)) {
        conn_fault(c, -ETIMEDOUT,
                   "a message stopped half-way, and others waited for its budget");
    } else {
        arm(c, limit);
    }
}

void conn_stall_init(struct connection *c)
{
    time_event_init(&c->stall_timer, handle_stall, c);
}

void conn_stall_watch(struct connection *c)
{
    if (!time_event_is_armed(&c->stall_timer)) {
        arm(c, c->m->opts.ready_timeout_ns);
    }
}
