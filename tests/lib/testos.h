/* SPDX-License-Identifier: Apache-2.0 */
/*
 * testos.h: the one place where a test chooses its operating system, and the few things
 * that tests do with sockets. Everything waits with the os's own poller, without a
 * time-out: the time limit of the test is the bound.
 */
#ifndef MSGRLAB_TESTS_LIB_TESTOS_H
#define MSGRLAB_TESTS_LIB_TESTOS_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/os.h"

/* A new os for one node called "t"; fails the test if there is none. */
struct os *test_os_new(void);
void test_os_free(struct os *os);
/* Its descriptors are the kernel's: fcntl and setrlimit mean something for them. */
bool test_os_is_kernel(const struct os *os);

/* The loopback address of the family, with port 0. */
struct sockaddr_storage test_loopback(int family);
socklen_t test_sockaddr_len(const struct sockaddr_storage *addr);
static inline const struct sockaddr *test_sockaddr(const struct sockaddr_storage *addr)
{
    return (const struct sockaddr *)addr;
}

/* A listening socket at a free loopback port, or the negative errno of a system without
 * such addresses. */
int test_listen(struct os *os, int family, int backlog, struct sockaddr_storage *ret_addr);
/* A free loopback port that nobody listens on, held by a socket that is bound and never
 * listens: who dials it is refused, nobody else is given it, and who binds it on purpose
 * (with REUSEADDR, as every listener here does) may. Or a negative errno. */
int test_hold_port(struct os *os, int family, struct sockaddr_storage *ret_addr);
/* A socket that started to connect there. */
int test_dial(struct os *os, const struct sockaddr_storage *addr);
/* Both ends of one stream; [0] dialled. */
void test_socket_pair(struct os *os, int ret_fds[2]);

/* Blocks until one of `events` (POLLIN, POLLOUT) or an error is there. */
void test_wait_fd(struct os *os, int fd, short events);
/* Whether one of `events` is there now. */
bool test_is_ready(struct os *os, int fd, short events);
/* Sends, or receives, exactly `len` bytes. */
void test_send_all(struct os *os, int fd, const void *data, size_t len);
void test_recv_all(struct os *os, int fd, void *buf, size_t len);
/* Waits and gives what the next os_recv says: bytes, 0, or a negative errno. */
ssize_t test_recv_some(struct os *os, int fd, void *buf, size_t len);
/* One send of plain bytes, as os_send. */
ssize_t test_send(struct os *os, int fd, const void *data, size_t len);

#endif
