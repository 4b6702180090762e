/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_hash.h: 128 bits over everything that is recorded: each thread's records in their
 * order (without the checksums, which are salted), which thread it is, and all names. Two
 * runs with the same hash recorded the same. Wall clock and title are left out, and so is
 * where in the file a record is.
 *
 * It is had in two ways, which give the same value: from a file, or while the run goes on,
 * from the recorder's hook:
 *
 *     trace_opts.on_record = trace_hasher_record, .arg = &hasher
 *
 * A hasher is for one thread at a time.
 */
#ifndef MSGRLAB_SIM_DECIDE_TRACE_HASH_H
#define MSGRLAB_SIM_DECIDE_TRACE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/trace_format.h"

#define TRACE_HASH_TEXT 33 /* 32 hexadecimal digits and a NUL */

struct trace_hash {
    uint64_t high, low;
    uint64_t records; /* how many went into it */
};

void trace_hash_init(struct trace_hash *h);
void trace_hash_add(struct trace_hash *h, const void *bytes, size_t len);
bool trace_hash_equal(const struct trace_hash *a, const struct trace_hash *b);
/* Returns buf. */
char *trace_hash_text(const struct trace_hash *h, char buf[TRACE_HASH_TEXT]);
/* Exactly 32 hexadecimal digits; the number of records is not in them. */
bool trace_hash_parse(const char *text, struct trace_hash *ret);

/* Sums up while records come: one hash a thread, one of all names. */
struct trace_hasher {
    struct trace_hash *lanes[256]; /* owned; by node: 256 threads each */
    struct trace_hash names;
};

void trace_hasher_init(struct trace_hasher *hasher);
void trace_hasher_fini(struct trace_hasher *hasher);
/* A trace_record_fn of engine/trace.h; `arg` is the hasher. */
void trace_hasher_record(void *arg, const struct trace_record *record,
                         const struct trace_name *name);
/* So far. */
void trace_hasher_result(const struct trace_hasher *hasher, struct trace_hash *ret);

/* 0; a negative errno, with *ret_why a static string. */
int trace_hash_file(const char *path, struct trace_hash *ret, const char **ret_why);

#endif
