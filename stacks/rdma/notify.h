/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify.h: the descriptor that stands for an RDMA connection in the worker's event center
 * (Ceph: notify_fd, an eventfd).
 *
 * It is readable when the connection has something to read, and writable unless a send was
 * refused and nothing has become free since. An eventfd cannot say the second: it is
 * writable always. So this is one end of a pair (os_pair): a byte from the other end makes
 * it readable; filling it up makes it not writable, and emptying it writable again.
 *
 * Not locked: the owner's lock goes around every call.
 */
#ifndef MSGRLAB_STACKS_RDMA_NOTIFY_H
#define MSGRLAB_STACKS_RDMA_NOTIFY_H

#include <stdbool.h>

#include "engine/os.h"

struct notify {
    struct os *os; /* borrowed */
    int fd;        /* owned: what is watched; -1: closed */
    int far_fd;    /* owned */
    bool readable, blocked;
};

int notify_init(struct notify *n, struct os *os); /* -EMFILE, ... */
void notify_fini(struct notify *n);               /* twice is fine */
/* True if that woke somebody: it was not readable before. */
bool notify_set_readable(struct notify *n);
void notify_clear_readable(struct notify *n);
void notify_set_writable(struct notify *n, bool writable);

#endif
