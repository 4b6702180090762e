/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatcher_mail.c: what other threads want of the dispatcher: lists of sockets that it
 * takes over, and the pipe that wakes it when it sleeps.
 */
#include "engine/util.h"
#include "stacks/rdma/rdma_impl.h"

void rdma_mail_wake(struct rdma_dispatcher *d, struct os *os)
{
    if (d->sleeping) {
        d->sleeping = false;
        os_write(os, d->wake_fds[1], "w", 1);
    }
}

/* ---- any thread writes ---- */

void rdma_dispatcher_close_socket(struct rdma_stack *stack, struct rdma_socket *s)
{
    struct rdma_dispatcher *d = &stack->dispatcher;

    os_lock(stack->os, d->lock);
    list_unlink(&s->of_flushing);
    list_push_back(&d->closing_arrivals, &s->of_closing);
    atomic_store_explicit(&d->arrivals, true, memory_order_release);
    rdma_mail_wake(d, stack->os);
    os_unlock(stack->os, d->lock);
}

void rdma_dispatcher_flush_socket(struct rdma_stack *stack, struct rdma_socket *s)
{
    struct rdma_dispatcher *d = &stack->dispatcher;

    os_lock(stack->os, d->lock);
    list_push_back(&d->flush_arrivals, &s->of_flushing);
    atomic_store_explicit(&d->arrivals, true, memory_order_release);
    rdma_mail_wake(d, stack->os);
    os_unlock(stack->os, d->lock);
}

/* ---- the dispatcher reads ---- */

void rdma_mail_take(struct rdma_stack *stack, struct list *flushing)
{
    struct rdma_dispatcher *d = &stack->dispatcher;

    if (!atomic_load_explicit(&d->arrivals, memory_order_acquire)) {
        return; /* as most often: a round without a lock */
    }
    os_lock(stack->os, d->lock);
    atomic_store_explicit(&d->arrivals, false, memory_order_relaxed);
    list_splice_back(&d->closing, &d->closing_arrivals);
    list_splice_back(flushing, &d->flush_arrivals);
    os_unlock(stack->os, d->lock);
}

bool rdma_mail_may_sleep(struct rdma_stack *stack)
{
    struct rdma_dispatcher *d = &stack->dispatcher;

    os_lock(stack->os, d->lock);
    d->sleeping = list_is_empty(&d->closing_arrivals) &&
                  list_is_empty(&d->flush_arrivals) && !(d->stopping && d->n_sockets == 0);
    os_unlock(stack->os, d->lock);
    return d->sleeping;
}

void rdma_mail_drain(struct rdma_stack *stack)
{
    struct rdma_dispatcher *d = &stack->dispatcher;
    char bytes[64];

    os_lock(stack->os, d->lock);
    d->sleeping = false;
    os_unlock(stack->os, d->lock);
    while (os_read(stack->os, d->wake_fds[0], bytes, sizeof(bytes)) > 0) {
    }
}
