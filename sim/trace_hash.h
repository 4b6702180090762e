/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_hash.h: 128 bits over everything a trace file says: all records (without their
 * checksums, which are salted) and all names, in file order. Two runs with the same hash
 * recorded the same. Wall clock and title are left out.
 */
#ifndef MSGRLAB_SIM_TRACE_HASH_H
#define MSGRLAB_SIM_TRACE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct trace_hash {
    uint64_t high, low;
    uint64_t records; /* how many went into it */
};

void trace_hash_init(struct trace_hash *h);
void trace_hash_add(struct trace_hash *h, const void *bytes, size_t len);
/* 0; a negative errno, with *ret_why a static string. */
int trace_hash_file(const char *path, struct trace_hash *ret, const char **ret_why);

#endif
