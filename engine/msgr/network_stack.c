/* SPDX-License-Identifier: Apache-2.0 */
/* network_stack.c: what stacks over the operating system's sockets have in common,
 * and what their errors mean. */
#include "engine/network_stack.h"

#include <errno.h>
#include <string.h>

#include "engine/limits.h"
#include "engine/util.h"

const char *network_stack_reason(int err)
{
    static const struct {
        int err;
        const char *text;
    } reasons[] = {
        {EPIPE, "the peer closed the connection"},
        {ECONNRESET, "the peer reset the connection"},
        {ECONNABORTED, "this machine dropped the connection (ECONNABORTED)"},
        {ECONNREFUSED, "connection refused"},
        {ETIMEDOUT, "the peer's machine does not answer (ETIMEDOUT)"},
        {EHOSTUNREACH, "the peer's machine cannot be reached (EHOSTUNREACH)"},
        {ENETUNREACH, "no route leads to the peer's network (ENETUNREACH)"},
        {ENOPROTOOPT, "the peer's machine does not speak TCP (ENOPROTOOPT)"},
        {ENETDOWN, "the network is down (ENETDOWN)"},
        {EMFILE, "too many open files in this process (EMFILE)"},
        {ENFILE, "too many open files on this machine (ENFILE)"},
        {ENOMEM, "no memory for the socket (ENOMEM)"},
        {ENOBUFS, "no buffers for the socket (ENOBUFS)"},
        {EADDRNOTAVAIL, "no local port is free (EADDRNOTAVAIL)"},
        {EAFNOSUPPORT, "this machine does not speak IP of that version (EAFNOSUPPORT)"},
        {EACCES, "not permitted by this machine (EACCES)"},
        {EPERM, "not permitted by this machine (EPERM)"},
    };
    const char *text = strerrordesc_np(-err);

    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        if (reasons[i].err == -err) {
            return reasons[i].text;
        }
    }
    return text != NULL ? text : "an error without a name";
}

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
