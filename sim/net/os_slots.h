/* SPDX-License-Identifier: Apache-2.0 */
/*
 * os_slots.h: the slots of struct os_io_ops (engine/os.h has the contracts) that the files
 * of this folder fill. world/os_table.c makes the table.
 */
#ifndef MSGRLAB_SIM_NET_OS_SLOTS_H
#define MSGRLAB_SIM_NET_OS_SLOTS_H

#include "sim/node/file.h"

/* pipe.c */
int sim_pipe(struct os *os, int ret_fds[2]);

/* pair.c */
int sim_pair(struct os *os, int ret_fds[2]);

/* poller.c */
/* A thread is inside a wait for it. */
bool sim_file_is_waited_for(const struct sim_file *f);
int sim_epoll_create(struct os *os);
int sim_epoll_ctl(struct os *os, int epfd, enum os_epoll_op op, int fd, int mask,
                  uint64_t cookie);
int sim_epoll_wait(struct os *os, int epfd, struct os_epoll_event *events, int n,
                   int64_t timeout_ns);
int sim_poll(struct os *os, struct pollfd *fds, int n, int64_t timeout_ns);
int sim_select(struct os *os, int nfds, fd_set *readable, fd_set *writable,
               int64_t timeout_ns);

/* socket.c */
int sim_socket(struct os *os, int family);
int sim_set_option(struct os *os, int fd, enum os_sockopt option, int value);
int sim_bind(struct os *os, int fd, const struct sockaddr *addr, socklen_t len);
int sim_listen(struct os *os, int fd, int backlog);
int sim_accept(struct os *os, int fd, struct sockaddr_storage *ret_peer);
int sim_connect(struct os *os, int fd, const struct sockaddr *addr, socklen_t len);
int sim_connect_result(struct os *os, int fd);
ssize_t sim_recv(struct os *os, int fd, void *buf, size_t len);
ssize_t sim_send(struct os *os, int fd, const struct iovec *iov, int n, bool more);
int sim_shutdown(struct os *os, int fd, int how);
int sim_local_addr(struct os *os, int fd, struct sockaddr_storage *ret_addr);
int sim_peer_addr(struct os *os, int fd, struct sockaddr_storage *ret_addr);

#endif
