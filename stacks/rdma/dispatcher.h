/* SPDX-License-Identifier: Apache-2.0 */
/* dispatcher.h: the dispatcher's thread: its life, and what its files give each other. */
#ifndef MSGRLAB_STACKS_RDMA_DISPATCHER_H
#define MSGRLAB_STACKS_RDMA_DISPATCHER_H

#include "stacks/rdma/rdma_impl.h"

/* ---- dispatcher.c ---- */

int rdma_dispatcher_init(struct rdma_stack *stack); /* queues; the thread is not running */
int rdma_dispatcher_start(struct rdma_stack *stack);
/* Ends when no socket is left, and those being closed are gone. */
void rdma_dispatcher_stop(struct rdma_stack *stack);
void rdma_dispatcher_fini(struct rdma_stack *stack);

/* ---- the dispatcher's thread only ---- */

void rdma_handle_tx(struct rdma_stack *stack, const struct ibv_wc *wcs, int n);
void rdma_handle_rx(struct rdma_stack *stack, const struct ibv_wc *wcs, int n);
void rdma_handle_async_events(struct rdma_stack *stack);
/* The device cannot be relied on any more: every connection ends, and none is made. `why`
 * must be static. */
void rdma_break(struct rdma_stack *stack, const char *why);
/* dispatcher_unread.c. To the socket: bytes that came. True: the chunk is its now. */
bool rdma_deliver(struct rdma_socket *s, struct chunk *chunk, uint32_t len);
/* Nobody can receive: ends the connection that keeps most of the memory, if its reader has
 * stopped. */
void rdma_end_stopped_reader(struct rdma_stack *stack, uint64_t now);
/* Tries again to post receives where there are none, when it is time. */
void rdma_refill_starving(struct rdma_stack *stack, uint64_t now);
/* Whether all that was in the queues when n_reaped was `since` has been reaped, whatever
 * came behind it. */
bool rdma_all_reaped(const struct rdma_stack *stack, uint64_t since);
/* Moves every socket that is being closed on. `idle`: both queues were just seen empty. */
void rdma_closing_advance(struct rdma_stack *stack, bool idle);
/* When that must be called again without any event; UINT64_MAX: no need. */
uint64_t rdma_closing_deadline(struct rdma_stack *stack);

#endif
