/* SPDX-License-Identifier: Apache-2.0 */
/*
 * points.h: engine/trace_points.h as a table, and everything that turns numbers of a record
 * into words. All text is printable ASCII. Any thread.
 */
#ifndef MSGRLAB_VIZ_TRACE_POINTS_H
#define MSGRLAB_VIZ_TRACE_POINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/trace_format.h"
#include "engine/trace_points.h"

struct trace_reader;

struct point {
    const char *id;   /* "S3_QUEUE" */
    const char *name; /* "queue" */
    const char *step; /* "S3", or "" */
    const char *format;
    uint8_t layer;  /* enum trace_layer */
    uint8_t class_; /* enum trace_class */
};

/* Never NULL: a kind from a newer recorder has a point of its own, named "unknown". */
const struct point *point_of(uint16_t kind);
/* The kind with that name or id, in any case; TP_NONE if there is none. */
uint16_t point_find(const char *name);

const char *layer_name(uint8_t layer); /* "AsyncConnection" */
/* How a class looks, apart from its shape: a letter and a colour-blind safe colour. */
char class_letter(uint8_t class_);
const char *class_colour(uint8_t class_);

/* "1.50 us"; size >= 16. Returns buf. */
char *duration_text(char *buf, size_t size, uint64_t ns);
/* "4.0 KiB", "37 B"; size >= 16. Returns buf. */
char *bytes_text(char *buf, size_t size, uint64_t bytes);

/* The fields of the record as its format says. Returns how long the whole text is, like
 * snprintf. */
size_t record_text(const struct trace_reader *reader, const struct trace_record *record,
                   char *buf, size_t size);
/* "a.msgr-worker-0"; size >= 33. Returns buf. */
char *thread_text(const struct trace_reader *reader, uint8_t node, uint8_t thread,
                  char *buf, size_t size);
/* The object's name, "obj#7" when unknown, "-" for 0; valid until buf changes. */
const char *object_text(const struct trace_reader *reader, uint32_t id, char *buf,
                        size_t size);

/* States of states.h; NULL beyond the end. */
const char *sock_state_name(uint64_t state);
const char *proto_state_name(uint64_t state);

#endif
