/* SPDX-License-Identifier: Apache-2.0 */
/*
 * socket_state.c: what happens to a socket, whoever brings it about: it comes up, its
 * chunks go back, it is freed. Why it is over is in socket_end.c.
 */
#include "engine/util.h"
#include "stacks/rdma/rdma_impl.h"

void rdma_socket_up(struct rdma_socket *s)
{
    os_lock(s->os, s->lock);
    s->up = true;
    notify_set_writable(&s->notify, true);
    os_unlock(s->os, s->lock);
}

void rdma_socket_give_back(struct rdma_socket *s, struct list *chunks)
{
    struct rdma_stack *stack = s->stack;
    struct list copies;
    uint64_t n = 0;

    if (list_is_empty(chunks)) {
        return;
    }
    list_init(&copies);
    list_for_each_safe(chunks, it)
    {
        if (container_of(it, struct chunk, node)->pool == &stack->unread_pool) {
            list_unlink(it);
            list_push_back(&copies, it);
        } else {
            n++;
        }
    }
    RDMA_COUNT(stack, rx_bufs_in_use, -n);
    chunk_pool_put(&stack->unread_pool, &copies);
    chunk_pool_put(&stack->rx_pool, chunks);
    recv_queue_refill_if_short(s->rq);
}

void rdma_socket_free(struct rdma_socket *s)
{
    struct rdma_stack *stack = s->stack;

    CHECK(!list_is_linked(&s->of_bucket) && list_is_empty(&s->received));
    queue_pair_destroy(&s->qp);
    recv_queue_fini(&s->own_rq);
    /* What the device never gave back, it does not have any more either. */
    chunk_pool_put(&stack->tx_pool, &s->tx_posted);
    RDMA_COUNT(stack, inflight_tx_chunks, -(uint64_t)s->tx_used);
    chunk_pool_leave(&stack->tx_pool, &s->tx_user);
    chunk_pool_leave(&stack->rx_pool, &s->rx_user);
    chunk_pool_leave(&stack->unread_pool, &s->unread_user);
    notify_fini(&s->notify);
    if (s->side.fd >= 0) {
        os_close(s->os, s->side.fd);
    }
    os_mutex_free(s->os, s->lock);
    free(s);
}
