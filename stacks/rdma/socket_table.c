/* SPDX-License-Identifier: Apache-2.0 */
/*
 * socket_table.c: which sockets there are, by the number of their queue pair. Only the
 * dispatcher's thread takes one out, so what it finds here is alive.
 */
#include <errno.h>

#include "engine/util.h"
#include "stacks/rdma/rdma_impl.h"

static struct list *bucket_of(struct rdma_dispatcher *d, uint32_t qpn)
{
    return &d->buckets[qpn % RDMA_BUCKETS];
}

int rdma_dispatcher_add(struct rdma_stack *stack, struct rdma_socket *s)
{
    struct rdma_dispatcher *d = &stack->dispatcher;
    int err = 0;

    os_lock(stack->os, d->lock);
    if (d->n_sockets == d->sockets_max) {
        err = -ENOBUFS;
    } else {
        list_push_back(bucket_of(d, s->qp.qpn), &s->of_bucket);
        d->n_sockets++;
    }
    os_unlock(stack->os, d->lock);
    if (err == 0) {
        RDMA_COUNT(stack, created_queue_pair, 1);
        RDMA_COUNT(stack, active_queue_pair, 1);
    }
    return err;
}

struct rdma_socket *rdma_dispatcher_find(struct rdma_stack *stack, uint32_t qpn)
{
    struct rdma_dispatcher *d = &stack->dispatcher;
    struct rdma_socket *found = NULL;

    os_lock(stack->os, d->lock);
    list_for_each(bucket_of(d, qpn), it)
    {
        struct rdma_socket *s = container_of(it, struct rdma_socket, of_bucket);

        if (s->qp.qpn == qpn) {
            found = s;
            break;
        }
    }
    os_unlock(stack->os, d->lock);
    return found;
}

void rdma_dispatcher_remove(struct rdma_stack *stack, struct rdma_socket *s)
{
    struct rdma_dispatcher *d = &stack->dispatcher;

    os_lock(stack->os, d->lock);
    list_unlink(&s->of_bucket);
    list_unlink(&s->of_flushing);
    d->n_sockets--;
    os_unlock(stack->os, d->lock);
    RDMA_COUNT(stack, active_queue_pair, -1);
}

void rdma_for_each_socket(struct rdma_stack *stack,
                          void (*fn)(struct rdma_socket *s, void *arg), void *arg)
{
    struct rdma_dispatcher *d = &stack->dispatcher;

    os_lock(stack->os, d->lock);
    for (int i = 0; i < RDMA_BUCKETS; i++) {
        list_for_each(&d->buckets[i], it)
        {
            fn(container_of(it, struct rdma_socket, of_bucket), arg);
        }
    }
    os_unlock(stack->os, d->lock);
}
