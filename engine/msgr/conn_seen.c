/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_seen.c: what a connection has seen of its peer on the way to a session, for whoever
 * has to explain why there is none. Written by the owner, read by anybody under the lock.
 */
#include <string.h>

#include "engine/msgr/connection.h"
#include "engine/util.h"

static void note_progress(struct connection *c, enum conn_progress progress)
{
    c->seen.progress = MAX(c->seen.progress, progress);
}

void conn_saw(struct connection *c, enum conn_progress progress)
{
    os_lock(c->os, c->lock);
    note_progress(c, progress);
    os_unlock(c->os, c->lock);
}

void conn_saw_dialled(struct connection *c)
{
    os_lock(c->os, c->lock);
    c->seen.socket = c->seen.wanted = c->target;
    os_unlock(c->os, c->lock);
}

void conn_saw_hello(struct connection *c, int entity_type)
{
    os_lock(c->os, c->lock);
    note_progress(c, CONN_HELLO);
    c->seen.entity_type = entity_type;
    os_unlock(c->os, c->lock);
}

void conn_saw_ident(struct connection *c, const struct entity_addrvec *addrs,
                    const struct entity_addr *wanted)
{
    os_lock(c->os, c->lock);
    note_progress(c, CONN_IDENT);
    c->seen.said = *addrs;
    if (wanted != NULL) {
        c->seen.wanted = *wanted;
    }
    os_unlock(c->os, c->lock);
}

void conn_saw_stranger(struct connection *c, const uint8_t *bytes, size_t n)
{
    n = MIN(n, sizeof(c->seen.first));
    os_lock(c->os, c->lock);
    memcpy(c->seen.first, bytes, n);
    c->seen.first_n = (uint8_t)n;
    os_unlock(c->os, c->lock);
}

void conn_object(struct connection *c, const char *what)
{
    os_lock(c->os, c->lock);
    c->seen.objection = what;
    c->why = what; /* unless the end has a reason of its own */
    os_unlock(c->os, c->lock);
}

void conn_seen(struct connection *c, struct conn_seen *ret)
{
    os_lock(c->os, c->lock);
    *ret = c->seen;
    os_unlock(c->os, c->lock);
}
