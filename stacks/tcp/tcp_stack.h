/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tcp_stack.h: byte streams over the os's sockets (Ceph: PosixNetworkStack). Owns nothing
 * but itself; its sockets belong to their users.
 */
#ifndef MSGRLAB_STACKS_TCP_TCP_STACK_H
#define MSGRLAB_STACKS_TCP_TCP_STACK_H

#include "engine/network_stack.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Freed with network_stack_free. 0; -EINVAL: no os; -ENOMEM. */
int tcp_stack_new(struct os *os, struct network_stack **ret);

#ifdef __cplusplus
}
#endif

#endif
