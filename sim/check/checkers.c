/* SPDX-License-Identifier: Apache-2.0 */
/* checkers.c: life and end, and which record is looked at by whom. */
#include "sim/check/checkers.h"

#include "engine/util.h"
#include "sim/check/checkers_impl.h"

struct checkers *checkers_new(const struct checkers_opts *opts)
{
    struct checkers *c = calloc(1, sizeof(*c));

    CHECK(opts->violate != NULL);
    if (c != NULL) {
        c->opts = *opts;
    }
    return c;
}

void checkers_free(struct checkers *c)
{
    if (c == NULL) {
        return;
    }
    for (uint32_t i = 0; i < c->n_objects; i++) {
        check_object_fini(&c->objects[i]);
    }
    for (int i = 0; i < CHECK_NODES; i++) {
        free(c->nodes[i].fds);
        free(c->nodes[i].centers);
    }
    free(c->objects);
    free(c);
}

uint64_t checkers_seen(const struct checkers *c)
{
    return c->seen;
}

/* ---- records ---------------------------------------------------------------------- */

/* Records that say nothing about getting on: what a busy loop is made of. */
static const char *vain_name(const struct trace_record *r)
{
    switch (r->kind) {
    case TP_R3_READ_EVENT:
        return "read_event";
    case TP_R6_READ_BULK:
        return r->val == 0 ? "a read of nothing" : NULL;
    case TP_S6_STACK_SEND:
        return r->val == 0 ? "a send of nothing" : NULL;
    case TP_R5_READ_UNTIL:
    case TP_S5_TRY_SEND:
        return "";
    case TP_THROTTLE_WAIT:
        return "a throttle that is full";
    case TP_ACCEPT_ERROR:
        return "an accept that failed";
    default:
        return NULL;
    }
}

static bool is_of_center(uint16_t kind)
{
    switch (kind) {
    case TP_WAIT_ENTER:
    case TP_WAIT_EXIT:
    case TP_FILE_ADD:
    case TP_FILE_DEL:
    case TP_FILE_EVENT:
    case TP_FILE_STALE:
    case TP_FILE_SKIP:
    case TP_EXT_POST:
    case TP_EXT_MERGE:
    case TP_EXT_RUN:
    case TP_EXT_CANCEL:
    case TP_WAKEUP:
    case TP_WAKE_DRAIN:
    case TP_TIME_ADD:
    case TP_TIME_DEL:
    case TP_TIME_EVENT:
    case TP_CENTER_ADOPT:
        return true;
    default:
        return false;
    }
}

void checkers_record(void *arg, const struct trace_record *r, const struct trace_name *name)
{
    struct checkers *c = arg;
    const char *vain;

    if (c->violated) {
        return;
    }
    if (name != NULL) {
        if (name->what == TRACE_NAME_OBJECT) {
            check_object_define(c, name);
        }
        return;
    }
    c->seen++;
    if (is_of_center(r->kind)) {
        check_center_record(c, r);
        return;
    }
    vain = vain_name(r);
    if (vain == NULL) {
        check_center_progress(c, r);
    } else if (vain[0] != '\0') {
        check_center_vain(c, r, vain);
    }
    if (r->kind == TP_R6_READ_BULK) {
        check_center_read(c, r);
    }
    if (r->kind == TP_THROTTLE_GET || r->kind == TP_THROTTLE_PUT) {
        check_throttle_record(c, r);
    } else {
        check_conn_record(c, r);
    }
}

/* ---- ends ------------------------------------------------------------------------- */

void checkers_node_died(struct checkers *c, uint8_t node)
{
    for (uint32_t i = 0; i < c->n_objects; i++) {
        if (c->objects[i].node == node) {
            check_object_fini(&c->objects[i]);
            c->objects[i].dead = true;
        }
    }
    free(c->nodes[node].fds);
    free(c->nodes[node].centers);
    c->nodes[node].fds = NULL;
    c->nodes[node].n_fds = 0;
    c->nodes[node].centers = NULL;
}

void checkers_finish(struct checkers *c)
{
    for (uint32_t i = 0; i < c->n_objects; i++) {
        const struct check_object *o = &c->objects[i];

        if (o->dead || o->any == NULL) {
            continue;
        }
        if (o->class_ == TRACE_OBJECT_CENTER) {
            check_center_finish(c, o);
        } else if (o->class_ == TRACE_OBJECT_CONN) {
            check_conn_finish(c, o);
        } else if (o->class_ == TRACE_OBJECT_THROTTLE) {
            check_throttle_finish(c, o);
        }
    }
    for (int i = 0; i < CHECK_NODES; i++) {
        check_fds_finish(c, (uint8_t)i);
    }
}
