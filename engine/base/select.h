/* SPDX-License-Identifier: Apache-2.0 */
/* select.h: a select(2) that is carried out by way of poll(2). Pure functions. */
#ifndef MSGRLAB_ENGINE_BASE_SELECT_H
#define MSGRLAB_ENGINE_BASE_SELECT_H

#include <poll.h>
#include <sys/select.h>

/* What select asks, as poll is asked: the descriptors below `nfds` that are in a set. How
 * many. */
static inline int select_to_poll(int nfds, const fd_set *readable, const fd_set *writable,
                                 struct pollfd ret[FD_SETSIZE])
{
    int n = 0;

    for (int fd = 0; fd < nfds && fd < FD_SETSIZE; fd++) {
        short events = (short)((FD_ISSET(fd, readable) ? POLLIN : 0) |
                               (FD_ISSET(fd, writable) ? POLLOUT : 0));

        if (events != 0) {
            ret[n++] = (struct pollfd){.fd = fd, .events = events};
        }
    }
    return n;
}

/* What poll said, as select says it: a hang-up reads, an error does both. Both sets are
 * written; how many bits are in them. */
static inline int select_from_poll(const struct pollfd *fds, int n, fd_set *ret_readable,
                                   fd_set *ret_writable)
{
    int bits = 0;

    FD_ZERO(ret_readable);
    FD_ZERO(ret_writable);
    for (int i = 0; i < n; i++) {
        if (fds[i].events & POLLIN && fds[i].revents & (POLLIN | POLLHUP | POLLERR)) {
            FD_SET(fds[i].fd, ret_readable);
            bits++;
        }
        if (fds[i].events & POLLOUT && fds[i].revents & (POLLOUT | POLLERR)) {
            FD_SET(fds[i].fd, ret_writable);
            bits++;
        }
    }
    return bits;
}

#endif
