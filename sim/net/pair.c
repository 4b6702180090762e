/* SPDX-License-Identifier: Apache-2.0 */
/* pair.c: two connected ends, each of which reads what was written to the other. */
#include <errno.h>
#include <poll.h>

#include "engine/util.h"
#include "sim/net/os_slots.h"
#include "sim/net/ring.h"

#define PAIR_BYTES 4096 /* in each direction */

struct pair_end {
    struct sim_file file;
    struct sim_pair *pair;
    struct ring in; /* what the other end wrote */
    bool open;
};

struct sim_pair {
    struct pair_end ends[2];
};

static struct pair_end *to_end(struct sim_file *f)
{
    return container_of(f, struct pair_end, file);
}

static struct pair_end *other_of(const struct pair_end *e)
{
    return &e->pair->ends[e == &e->pair->ends[0]];
}

/* As Linux has it for its local sockets: a quarter may be taken. */
static bool takes_more(const struct pair_end *reader)
{
    return ring_used(&reader->in) * 4 <= PAIR_BYTES;
}

static int pair_ready(struct sim_file *f)
{
    struct pair_end *e = to_end(f), *other = other_of(e);

    if (!other->open) {
        return POLLIN | POLLOUT | POLLHUP;
    }
    return (ring_used(&e->in) > 0 ? POLLIN : 0) | (takes_more(other) ? POLLOUT : 0);
}

static ssize_t pair_read(struct sim_file *f, void *buf, size_t len)
{
    struct pair_end *e = to_end(f), *other = other_of(e);
    bool took_more = takes_more(e);
    size_t n = MIN(len, ring_used(&e->in));

    if (n == 0) {
        return len == 0 || !other->open ? 0 : -EAGAIN;
    }
    ring_get(&e->in, buf, n);
    if (other->open && !took_more && takes_more(e)) {
        sim_file_notify(&other->file, POLLOUT);
    }
    return (ssize_t)n;
}

static ssize_t pair_write(struct sim_file *f, const struct iovec *iov, int n)
{
    struct pair_end *e = to_end(f), *other = other_of(e);
    size_t len = iov_bytes(iov, n);
    ssize_t put;

    if (len == 0) {
        return 0;
    }
    if (!other->open) {
        return -EPIPE;
    }
    if (ring_used(&other->in) >= PAIR_BYTES) {
        return -EAGAIN;
    }
    put = ring_put(&other->in, iov, n, PAIR_BYTES - ring_used(&other->in));
    sim_file_notify(&other->file, POLLIN); /* each write is an edge, as on Linux */
    return put;
}

static void pair_close(struct sim_file *f)
{
    struct pair_end *e = to_end(f), *other = other_of(e);
    struct sim_pair *pair = e->pair;

    CHECK(e->open);
    e->open = false;
    if (other->open) {
        sim_file_notify(&other->file, POLLHUP | POLLIN | POLLOUT);
        return;
    }
    ring_fini(&pair->ends[0].in);
    ring_fini(&pair->ends[1].in);
    free(pair);
}

static const struct sim_file_ops pair_ops = {
    .ready = pair_ready, .read = pair_read, .write = pair_write, .close = pair_close};

int sim_pair(struct os *os, int ret_fds[2])
{
    struct sim_node *n = to_node(os);
    struct sim_pair *pair;
    int fds[2];

    sched_point(sched_of_os(os), SIM_CALL_pipe);
    pair = calloc(1, sizeof(*pair));
    if (pair == NULL) {
        return -ENOMEM;
    }
    pair->ends[0].pair = pair->ends[1].pair = pair;
    fds[0] = sim_file_install(n, &pair->ends[0].file, &pair_ops);
    if (fds[0] < 0) {
        free(pair);
        return fds[0];
    }
    pair->ends[0].open = true;
    fds[1] = sim_file_install(n, &pair->ends[1].file, &pair_ops);
    if (fds[1] < 0) {
        sim_file_close(&pair->ends[0].file); /* the other is not open: it goes with it */
        return fds[1];
    }
    pair->ends[1].open = true;
    ret_fds[0] = fds[0];
    ret_fds[1] = fds[1];
    return 0;
}
