/* SPDX-License-Identifier: Apache-2.0 */
/* checkers.c: the table of objects, and which record is looked at by whom. */
#include "sim/check/checkers.h"

#include <stdarg.h>
#include <string.h>

#include "engine/util.h"
#include "sim/check/checkers_impl.h"

struct checkers *checkers_new(const struct checkers_opts *opts)
{
    struct checkers *c = calloc(1, sizeof(*c));

    if (c != NULL) {
        c->opts = *opts;
    }
    return c;
}

static void object_fini(struct check_object *o)
{
    if (o->class_ == TRACE_OBJECT_CENTER && o->center != NULL) {
        check_center_free(o->center);
    } else {
        free(o->any);
    }
    o->any = NULL;
}

void checkers_free(struct checkers *c)
{
    if (c == NULL) {
        return;
    }
    for (uint32_t i = 0; i < c->n_objects; i++) {
        object_fini(&c->objects[i]);
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

/* ---- violations ------------------------------------------------------------------- */

void check_fail(struct checkers *c, uint8_t node, const char *rule_what, const char *fmt,
                ...)
{
    char signature[120], text[400];
    va_list args;

    if (c->violated) {
        return;
    }
    c->violated = true;
    snprintf(signature, sizeof(signature), "%s %s", rule_what, c->nodes[node].name);
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    c->opts.violate(c->opts.arg, signature, text);
}

uint64_t check_now(const struct checkers *c, const struct trace_record *r)
{
    return c->opts.now != NULL ? c->opts.now(c->opts.arg) : r->ts;
}

/* ---- objects ---------------------------------------------------------------------- */

/* A listener, a throttle or a node keeps no books that are worth a model of their own. */
static size_t model_bytes(uint8_t class_)
{
    switch (class_) {
    case TRACE_OBJECT_CENTER:
        return sizeof(struct check_center);
    case TRACE_OBJECT_CONN:
        return sizeof(struct check_conn);
    case TRACE_OBJECT_THROTTLE:
        return sizeof(struct check_throttle);
    default:
        return 0;
    }
}

static void model_init(struct check_object *o)
{
    if (o->class_ == TRACE_OBJECT_CENTER) {
        o->center->owner = -1;
        o->center->silence_due_ns = UINT64_MAX;
    } else if (o->class_ == TRACE_OBJECT_CONN) {
        o->conn->fd = -1;
    }
}

/* Names of objects begin with that of their node: "a.center-0 (epoll)". */
static void learn_node(struct checkers *c, uint8_t node, const char *text)
{
    char *name = c->nodes[node].name;

    if (name[0] == '\0') {
        snprintf(name, sizeof(c->nodes[node].name), "%.*s", (int)strcspn(text, "."), text);
    }
}

static void define_object(struct checkers *c, const struct trace_name *name)
{
    struct check_object *o;

    if (name->id >= c->n_objects) {
        uint32_t n = MAX(64u, MAX(c->n_objects * 2, name->id + 1));

        o = realloc(c->objects, n * sizeof(*o));
        CHECK(o != NULL); /* 64 bytes for each thing that was ever named */
        memset(o + c->n_objects, 0, (n - c->n_objects) * sizeof(*o));
        c->objects = o;
        c->n_objects = n;
    }
    o = &c->objects[name->id];
    object_fini(o);
    *o = (struct check_object){.class_ = name->class_, .node = name->node};
    snprintf(o->name, sizeof(o->name), "%.*s", CHECK_OBJECT_NAME - 1, name->text);
    if (name->class_ == TRACE_OBJECT_CENTER || name->class_ == TRACE_OBJECT_CONN) {
        learn_node(c, name->node, name->text);
    }
}

struct check_object *check_object(struct checkers *c, uint32_t id,
                                  enum trace_object_class class_)
{
    struct check_object *o = id < c->n_objects ? &c->objects[id] : NULL;

    if (o == NULL || o->dead || o->class_ != class_) {
        return NULL;
    }
    if (o->any == NULL) {
        o->any = calloc(1, model_bytes(o->class_));
        CHECK(o->any != NULL);
        model_init(o);
    }
    return o;
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
            define_object(c, name);
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
            object_fini(&c->objects[i]);
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
