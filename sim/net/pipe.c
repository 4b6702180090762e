/* SPDX-License-Identifier: Apache-2.0 */
/* pipe.c: pipes with a capacity, counted in bytes (Linux counts pages). */
#include <errno.h>
#include <poll.h>

#include "engine/util.h"
#include "sim/net/os_slots.h"
#include "sim/net/ring.h"

#define ATOMIC_BYTES 4096 /* PIPE_BUF: writes up to this are all or nothing */

struct pipe_end {
    struct sim_file file;
    struct sim_pipe *pipe;
};

struct sim_pipe {
    struct pipe_end reader, writer;
    bool reading, writing; /* that end is open */
    struct ring bytes;
    size_t capacity;
};

static struct sim_pipe *to_pipe(struct sim_file *f)
{
    return container_of(f, struct pipe_end, file)->pipe;
}

static size_t room_in(const struct sim_pipe *p)
{
    return p->capacity - ring_used(&p->bytes);
}

static bool is_writable(const struct sim_pipe *p)
{
    return room_in(p) >= MIN(p->capacity, (size_t)ATOMIC_BYTES);
}

static int reader_ready(struct sim_file *f)
{
    struct sim_pipe *p = to_pipe(f);

    return (ring_used(&p->bytes) > 0 ? POLLIN : 0) | (p->writing ? 0 : POLLHUP);
}

static int writer_ready(struct sim_file *f)
{
    struct sim_pipe *p = to_pipe(f);

    return (is_writable(p) ? POLLOUT : 0) | (p->reading ? 0 : POLLERR);
}

static ssize_t pipe_read(struct sim_file *f, void *buf, size_t len)
{
    struct sim_pipe *p = to_pipe(f);
    bool was_writable = is_writable(p);
    size_t n = MIN(len, ring_used(&p->bytes));

    if (n == 0) {
        return len == 0 || !p->writing ? 0 : -EAGAIN;
    }
    ring_get(&p->bytes, buf, n);
    if (p->writing && !was_writable && is_writable(p)) {
        sim_file_notify(&p->writer.file, POLLOUT);
    }
    return (ssize_t)n;
}

static ssize_t pipe_write(struct sim_file *f, const struct iovec *iov, int n)
{
    struct sim_pipe *p = to_pipe(f);
    size_t len = iov_bytes(iov, n), room = room_in(p);
    ssize_t put;

    if (len == 0) {
        return 0;
    }
    if (!p->reading) {
        return -EPIPE;
    }
    if (room == 0 || (len <= ATOMIC_BYTES && room < len)) {
        return -EAGAIN;
    }
    put = ring_put(&p->bytes, iov, n, room);
    sim_file_notify(&p->reader.file, POLLIN); /* each write is an edge, as on Linux */
    return put;
}

static ssize_t cannot_read(struct sim_file *f, void *buf, size_t len)
{
    return -EBADF;
}

static ssize_t cannot_write(struct sim_file *f, const struct iovec *iov, int n)
{
    return -EBADF;
}

static void free_if_closed(struct sim_pipe *p)
{
    if (!p->reading && !p->writing) {
        ring_fini(&p->bytes);
        free(p);
    }
}

static void close_reader(struct sim_file *f)
{
    struct sim_pipe *p = to_pipe(f);

    CHECK(p->reading);
    p->reading = false;
    if (p->writing) {
        sim_file_notify(&p->writer.file, POLLERR | POLLOUT);
    }
    free_if_closed(p);
}

static void close_writer(struct sim_file *f)
{
    struct sim_pipe *p = to_pipe(f);

    CHECK(p->writing);
    p->writing = false;
    if (p->reading) {
        sim_file_notify(&p->reader.file, POLLHUP | POLLIN);
    }
    free_if_closed(p);
}

static const struct sim_file_ops reader_ops = {
    .ready = reader_ready, .read = pipe_read, .write = cannot_write, .close = close_reader};
static const struct sim_file_ops writer_ops = {
    .ready = writer_ready, .read = cannot_read, .write = pipe_write, .close = close_writer};

int sim_pipe(struct os *os, int ret_fds[2])
{
    struct sim_node *n = to_node(os);
    struct sim_pipe *p;
    int fds[2];

    sched_point(sched_of_os(os), SIM_CALL_pipe);
    p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return -ENOMEM;
    }
    p->reader.pipe = p->writer.pipe = p;
    p->capacity = (size_t)n->env->opts->pipe_bytes;
    fds[0] = sim_file_install(n, &p->reader.file, &reader_ops);
    if (fds[0] < 0) {
        free(p);
        return fds[0];
    }
    p->reading = true;
    fds[1] = sim_file_install(n, &p->writer.file, &writer_ops);
    if (fds[1] < 0) {
        sim_file_close(&p->reader.file);
        return fds[1];
    }
    p->writing = true;
    ret_fds[0] = fds[0];
    ret_fds[1] = fds[1];
    return 0;
}
