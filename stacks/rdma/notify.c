/* SPDX-License-Identifier: Apache-2.0 */
/* notify.c: readable and writable at will. */
#include "stacks/rdma/notify.h"

#include <errno.h>

#include "engine/util.h"

int notify_init(struct notify *n, struct os *os)
{
    int fds[2], err = os_pair(os, fds);

    *n = (struct notify){.os = os, .fd = -1, .far_fd = -1};
    if (err < 0) {
        return err;
    }
    n->fd = fds[0];
    n->far_fd = fds[1];
    return 0;
}

void notify_fini(struct notify *n)
{
    if (n->fd >= 0) {
        os_close(n->os, n->fd);
        os_close(n->os, n->far_fd);
    }
    n->fd = n->far_fd = -1;
}

static void drain(struct notify *n, int fd)
{
    char bytes[4096];

    while (os_read(n->os, fd, bytes, sizeof(bytes)) > 0) {
    }
}

bool notify_set_readable(struct notify *n)
{
    if (n->readable || n->fd < 0) {
        return false;
    }
    n->readable = true;
    os_write(n->os, n->far_fd, "r", 1); /* it is empty, so the byte fits */
    return true;
}

void notify_clear_readable(struct notify *n)
{
    if (n->readable && n->fd >= 0) {
        drain(n, n->fd);
    }
    n->readable = false;
}

void notify_set_writable(struct notify *n, bool writable)
{
    static const char block[1024];

    if (n->blocked == !writable || n->fd < 0) {
        return;
    }
    n->blocked = !writable;
    if (writable) {
        drain(n, n->far_fd);
        return;
    }
    while (os_write(n->os, n->fd, block, sizeof(block)) > 0) {
    }
}
