/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_stream.c: streams over RDMA: the end comes after what was sent before. A read must
 * not say that the peer has gone while chunks of it wait. (TCP's end is the kernel's, or
 * the simulated network's.)
 *
 * Positions are those of the socket. Only what had come when the connection was told to
 * read counts: while it reads, the dispatcher goes on.
 */
#include <errno.h>
#include <inttypes.h>

#include "engine/util.h"
#include "sim/check/checkers_impl.h"

static void note_end(struct checkers *c, const struct check_object *o)
{
    const struct check_stream *s = &o->conn->stream;

    if (s->read < s->due) {
        check_fail(c, o->node, "lost_at_end",
                   "%s reads that the peer has gone, and %" PRIu64
                   " bytes that came before "
                   "were not read",
                   o->name, s->due - s->read);
    }
}

void check_stream_record(struct checkers *c, const struct check_object *o,
                         const struct trace_record *r)
{
    struct check_stream *s = &o->conn->stream;

    CHECK(o->class_ == TRACE_OBJECT_CONN);
    switch (r->kind) {
    case TP_CONNECT:
    case TP_CONN_SOCKET:
        *s = (struct check_stream){0};
        break;
    case TP_R2_NOTIFY:
        s->came = MAX(s->came, r->a0 + (uint32_t)r->val);
        break;
    case TP_R3_READ_EVENT:
        s->due = s->came;
        break;
    case TP_R6_CHUNK_READ:
        s->read = MAX(s->read, r->a0 + (uint32_t)r->val);
        break;
    case TP_R6_READ_BULK:
        if (r->val == -EPIPE) {
            note_end(c, o);
        }
        break;
    default:
        break;
    }
}
