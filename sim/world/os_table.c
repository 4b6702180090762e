/* SPDX-License-Identifier: Apache-2.0 */
/*
 * os_table.c: struct os_io_ops of a simulated node: each slot is a file of sim/net, or, for
 * what any descriptor has, one of the functions here.
 */
#include <errno.h>

#include "engine/util.h"
#include "sim/net/os_slots.h"
#include "sim/world/world_impl.h"

/* ---- the slots that any descriptor has --------------------------------------------- */

static ssize_t sim_read(struct os *os, int fd, void *buf, size_t len)
{
    struct sim_file *f;
    ssize_t got;

    sched_point(sched_of_os(os), SIM_CALL_read);
    f = sim_file_get(to_node(os), fd);
    got = f == NULL ? -EBADF : f->ops->read(f, buf, len);
    return got == -EBADF ? sim_file_bad(to_node(os), SIM_CALL_read, fd, -EBADF) : got;
}

static ssize_t sim_write(struct os *os, int fd, const void *buf, size_t len)
{
    const struct iovec iov = {.iov_base = (void *)buf, .iov_len = len};
    struct sim_file *f;
    ssize_t put;

    sched_point(sched_of_os(os), SIM_CALL_write);
    f = sim_file_get(to_node(os), fd);
    put = f == NULL ? -EBADF : f->ops->write(f, &iov, 1);
    return put == -EBADF ? sim_file_bad(to_node(os), SIM_CALL_write, fd, -EBADF) : put;
}

/* False: it must not be closed, and that was reported. */
static bool may_close(struct sim_node *n, struct sim_file *f, int fd)
{
    char words[100];

    if (f == NULL) {
        sim_file_bad(n, SIM_CALL_close, fd, -EBADF);
        return false;
    }
    if (!sim_is_strict(n) || !sim_file_is_waited_for(f)) {
        return true;
    }
    snprintf(words, sizeof(words), "close_while_waiting %.31s", n->base.name);
    sched_violate(n->env->sched, words, "%s closes fd %d, and another thread waits for it",
                  n->env->sched->current->actor.name, fd);
    return false;
}

static void sim_close(struct os *os, int fd)
{
    struct sim_node *n = to_node(os);
    struct sim_file *f;

    CHECK(fd >= 0);
    sched_point(sched_of_os(os), SIM_CALL_close);
    f = sim_file_get(n, fd);
    if (may_close(n, f, fd)) {
        sim_file_close(f);
    }
}

const struct os_io_ops sim_os_io_ops = {
    .epoll_create = sim_epoll_create,
    .epoll_ctl = sim_epoll_ctl,
    .epoll_wait = sim_epoll_wait,
    .poll = sim_poll,
    .select = sim_select,
    .pipe = sim_pipe,
    .pair = sim_pair,
    .read = sim_read,
    .write = sim_write,
    .close = sim_close,
    .socket = sim_socket,
    .set_option = sim_set_option,
    .bind = sim_bind,
    .listen = sim_listen,
    .accept = sim_accept,
    .connect = sim_connect,
    .connect_result = sim_connect_result,
    .recv = sim_recv,
    .send = sim_send,
    .shutdown = sim_shutdown,
    .local_addr = sim_local_addr,
    .peer_addr = sim_peer_addr,
};
