/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kinds.h: which world and which network stack. The words for them, on the command line, in
 * scripts and in records, become kinds here and are compared nowhere else.
 */
#ifndef MSGRLAB_SCENARIOS_LAB_KINDS_H
#define MSGRLAB_SCENARIOS_LAB_KINDS_H

enum world_kind { WORLD_UNSAID, WORLD_SIM, WORLD_LINUX, WORLD_KINDS };
enum stack_kind { STACK_UNSAID, STACK_TCP, STACK_RDMA, STACK_KINDS };

/* "sim", "linux"; "tcp", "rdma"; "" for what was not said. */
extern const char *const world_kind_names[WORLD_KINDS];
extern const char *const stack_kind_names[STACK_KINDS];

/* The kind of that name; -1: there is none. */
int world_kind_by_name(const char *name);
int stack_kind_by_name(const char *name);

#endif
