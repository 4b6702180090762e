/* SPDX-License-Identifier: Apache-2.0 */
/* network_stack.c: what stacks over the operating system's sockets have in common. */
#include "engine/network_stack.h"

#include "engine/limits.h"

int network_stack_listener(struct os *os, const struct entity_addr *addr, int rcvbuf,
                           struct entity_addr *ret_addr)
{
    struct sockaddr_storage bound;
    int fd = os_socket(os, addr->sa.sa_family), err;

    if (fd < 0) {
        return fd;
    }
    os_set_option(os, fd, OS_SO_REUSEADDR, 1);
    if (addr->sa.sa_family == AF_INET6) {
        os_set_option(os, fd, OS_SO_V6ONLY, 1);
    }
    if (rcvbuf > 0) { /* must be set before listen to count for the window */
        os_set_option(os, fd, OS_SO_RCVBUF, rcvbuf);
    }
    err = os_bind(os, fd, &addr->sa, entity_addr_socklen(addr));
    if (err == 0) {
        err = os_listen(os, fd, LISTEN_BACKLOG);
    }
    if (err == 0) {
        err = os_local_addr(os, fd, &bound);
    }
    if (err < 0) {
        os_close(os, fd);
        return err;
    }
    *ret_addr =
        entity_addr_from_sockaddr((const struct sockaddr *)&bound, addr->type, addr->nonce);
    return fd;
}
