/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_base.c: what every checker stands on: violations, the clock, and the objects with
 * their models, which come and go here.
 */
#include <stdarg.h>
#include <string.h>

#include "engine/util.h"
#include "sim/check/checkers_impl.h"

/* ---- violations ------------------------------------------------------------------- */

void check_fail(struct checkers *c, uint8_t node, const char *rule_what, const char *fmt,
                ...)
{
    char signature[120], text[400];
    va_list args;

    CHECK(rule_what[0] != '\0');
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
    CHECK(o->any != NULL);
    if (o->class_ == TRACE_OBJECT_CENTER) {
        o->center->owner = -1;
        o->center->silence_due_ns = UINT64_MAX;
    } else if (o->class_ == TRACE_OBJECT_CONN) {
        o->conn->fd = -1;
    }
}

static void center_free(struct check_center *center)
{
    free(center->timers);
    free(center->heard.conns);
    free(center);
}

void check_object_fini(struct check_object *o)
{
    if (o->class_ == TRACE_OBJECT_CENTER && o->center != NULL) {
        center_free(o->center);
    } else {
        free(o->any);
    }
    o->any = NULL;
}

/* Names of objects begin with that of their node: "a.center-0 (epoll)". */
static void learn_node(struct checkers *c, uint8_t node, const char *text)
{
    char *name = c->nodes[node].name;

    if (name[0] == '\0') {
        snprintf(name, sizeof(c->nodes[node].name), "%.*s", (int)strcspn(text, "."), text);
    }
}

void check_object_define(struct checkers *c, const struct trace_name *name)
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
    check_object_fini(o);
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
