/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkers_impl.h: what the files behind checkers.h give each other. Used by sim/check/
 * only. Each needs only those above it:
 *
 *     check_base.c     violations, objects
 *     check_stream.c   positions in streams     check_silence.c   peers that are silent
 *     check_center.c   centers, descriptors
 *     check_conn.c     connections, throttles
 *     checkers.c       which record is looked at by whom
 */
#ifndef MSGRLAB_SIM_CHECK_CHECKERS_IMPL_H
#define MSGRLAB_SIM_CHECK_CHECKERS_IMPL_H

#include "engine/trace_points.h"
#include "sim/check/model.h"

/* ---- check_base.c ---- */

/* `rule_what` is the signature without the node. */
void check_fail(struct checkers *c, uint8_t node, const char *rule_what, const char *fmt,
                ...) __attribute__((format(printf, 4, 5)));
/* When the record was made, by the clock of all. */
uint64_t check_now(const struct checkers *c, const struct trace_record *r);
/* An object got its number; what had it before is forgotten. */
void check_object_define(struct checkers *c, const struct trace_name *name);
/* The object of a record, with a model of that class; NULL: it is none of those, or
 * dead. */
struct check_object *check_object(struct checkers *c, uint32_t id,
                                  enum trace_object_class class_);
/* Its model is forgotten. */
void check_object_fini(struct check_object *o);

/* ---- check_center.c ---- */

void check_center_record(struct checkers *c, const struct trace_record *r);
/* A thread did something that is progress; if it owns a center, that is the center's. */
void check_center_progress(struct checkers *c, const struct trace_record *r);
/* A thread read bytes of a connection. */
void check_center_read(struct checkers *c, const struct trace_record *r);
/* A thread did something in vain: `what` appears in a report. */
void check_center_vain(struct checkers *c, const struct trace_record *r, const char *what);
/* A new descriptor of `owner`: nobody may have it registered. */
void check_fd_is_new(struct checkers *c, uint8_t node, int fd, const char *owner);
void check_center_finish(struct checkers *c, const struct check_object *o);
void check_fds_finish(struct checkers *c, uint8_t node);

/* ---- check_stream.c: any record of the connection ---- */

void check_stream_record(struct checkers *c, const struct check_object *o,
                         const struct trace_record *r);

/* ---- check_silence.c: any record of the connection, and the passes of its center ---- */

void check_silence_record(struct checkers *c, const struct check_object *o,
                          const struct trace_record *r);
void check_silence_pass_begins(struct checkers *c, struct check_center *center,
                               const struct trace_record *r);
void check_silence_pass_ends(struct checkers *c, struct check_center *center,
                             const struct trace_record *r);

/* ---- check_conn.c ---- */

void check_conn_record(struct checkers *c, const struct trace_record *r);
void check_throttle_record(struct checkers *c, const struct trace_record *r);
void check_conn_finish(struct checkers *c, const struct check_object *o);
void check_throttle_finish(struct checkers *c, const struct check_object *o);

#endif
