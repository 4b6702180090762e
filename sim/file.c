/* SPDX-License-Identifier: Apache-2.0 */
/* file.c: the table of descriptors, read, write and close, and struct os_io_ops. */
#include "sim/file.h"

#include <errno.h>
#include <string.h>

#include "engine/util.h"

#define FIRST_FD 3

/* ---- numbers ---------------------------------------------------------------------- */

static int grow_files(struct sim_node *n)
{
    int size = MIN(MAX(64, n->n_files * 2), n->world->opts.fds_max);
    struct sim_file **files;

    if (size <= n->n_files) {
        return -EMFILE;
    }
    files = realloc(n->files, (size_t)size * sizeof(struct sim_file *));
    if (files == NULL) {
        return -ENOMEM;
    }
    memset(files + n->n_files, 0, (size_t)(size - n->n_files) * sizeof(struct sim_file *));
    n->files = files;
    n->n_files = size;
    return 0;
}

int sim_file_install(struct sim_node *n, struct sim_file *f, const struct sim_file_ops *ops)
{
    int fd = MAX(FIRST_FD, n->lowest_free);

    while (fd < n->n_files && n->files[fd] != NULL) {
        fd++;
    }
    if (fd >= n->n_files) {
        int err = grow_files(n);

        if (err < 0) {
            return err;
        }
    }
    f->ops = ops;
    f->node = n;
    f->fd = fd;
    list_init(&f->watches);
    n->files[fd] = f;
    n->lowest_free = fd + 1;
    n->open_n++;
    return fd;
}

struct sim_file *sim_file_get(struct sim_node *n, int fd)
{
    return fd >= 0 && fd < n->n_files ? n->files[fd] : NULL;
}

void sim_file_close(struct sim_file *f)
{
    struct sim_node *n = f->node;
    struct list *node;

    n->files[f->fd] = NULL;
    n->lowest_free = MIN(n->lowest_free, f->fd);
    n->open_n--;
    while ((node = list_pop_front(&f->watches)) != NULL) { /* pollers forget it */
        container_of(node, struct sim_watch, of_file)->file = NULL;
    }
    f->ops->close(f);
}

void sim_node_close_all(struct sim_node *n)
{
    for (int fd = 0; fd < n->n_files; fd++) {
        if (n->files[fd] != NULL) {
            sim_file_close(n->files[fd]);
        }
    }
    free(n->files);
    n->files = NULL;
    n->n_files = n->lowest_free = 0;
}

void sim_file_notify(struct sim_file *f, int bits)
{
    list_for_each(&f->watches, it)
    {
        struct sim_watch *watch = container_of(it, struct sim_watch, of_file);

        watch->fn(watch, bits);
    }
}

/* ---- the slots that any descriptor has --------------------------------------------- */

static ssize_t sim_read(struct os *os, int fd, void *buf, size_t len)
{
    struct sim_file *f;

    sched_point(sched_of_os(os), SIM_CALL_read);
    f = sim_file_get(to_node(os), fd);
    return f == NULL ? -EBADF : f->ops->read(f, buf, len);
}

static ssize_t sim_write(struct os *os, int fd, const void *buf, size_t len)
{
    const struct iovec iov = {.iov_base = (void *)buf, .iov_len = len};
    struct sim_file *f;

    sched_point(sched_of_os(os), SIM_CALL_write);
    f = sim_file_get(to_node(os), fd);
    return f == NULL ? -EBADF : f->ops->write(f, &iov, 1);
}

static void sim_close(struct os *os, int fd)
{
    struct sim_file *f;

    CHECK(fd >= 0);
    sched_point(sched_of_os(os), SIM_CALL_close);
    f = sim_file_get(to_node(os), fd);
    if (f != NULL) {
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
