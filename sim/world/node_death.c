/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node_death.c: nodes that stand still, die, and are laid to rest.
 *
 *     alive --kill--> dead: no thread runs, its --bury--> buried: its threads run again,
 *                     sockets are gone for all            but every socket is dead, so that
 *                                                         the program can free all it had
 *
 * A dead socket keeps its number, so that whoever owns it can still close it.
 */
#include <errno.h>
#include <poll.h>

#include "engine/util.h"
#include "sim/net/socket.h"
#include "sim/world/world_impl.h"

#define BROKEN (POLLIN | POLLOUT | POLLERR | POLLHUP)

struct dead_socket {
    struct sim_file file;
    bool quiet; /* it listened: nobody comes any more, and that is no event */
};

/* ---- as a file -------------------------------------------------------------------- */

static struct dead_socket *to_dead(struct sim_file *f)
{
    return container_of(f, struct dead_socket, file);
}

static int dead_ready(struct sim_file *f)
{
    return to_dead(f)->quiet ? 0 : BROKEN;
}

static ssize_t dead_read(struct sim_file *f, void *buf, size_t len)
{
    return -ECONNRESET;
}

static ssize_t dead_write(struct sim_file *f, const struct iovec *iov, int n)
{
    return -EPIPE;
}

static void dead_close(struct sim_file *f)
{
    free(to_dead(f));
}

static const struct sim_file_ops dead_ops = {
    .ready = dead_ready, .read = dead_read, .write = dead_write, .close = dead_close};

/* A dead socket takes the number and the watches of a living one. */
static void take_place(struct sim_file *f)
{
    struct dead_socket *dead = calloc(1, sizeof(*dead));

    CHECK(dead != NULL);
    dead->file =
        (struct sim_file){.ops = &dead_ops, .node = f->node, .fd = f->fd, .is_dead = true};
    dead->quiet = sim_socket_listens(f);
    list_init(&dead->file.watches);
    list_splice_back(&dead->file.watches, &f->watches);
    list_for_each(&dead->file.watches, it)
    {
        container_of(it, struct sim_watch, of_file)->file = &dead->file;
    }
    f->node->files[f->fd] = &dead->file;
}

/* ---- pauses ----------------------------------------------------------------------- */

void sim_node_pause(struct os *os, uint64_t ns)
{
    sched_group_pause(&to_node(os)->threads, ns);
}

void sim_node_resume(struct os *os)
{
    sched_group_resume(&to_node(os)->threads);
}

/* ---- death ------------------------------------------------------------------------ */

void sim_node_kill(struct os *os, enum sim_death how)
{
    struct sim_node *n = to_node(os);

    CHECK(!n->dead);
    n->dead = true;
    net_of(n)->down[n->base.node] = how == SIM_POWER_LOSS;
    sched_group_kill(&n->threads);
    for (struct os *each = os; each != NULL; each = each->inner) {
        each->trace = NULL;
    }
    for (int fd = 0; fd < n->n_files; fd++) {
        struct sim_file *f = n->files[fd];

        if (f != NULL && sim_file_is_socket(f)) {
            take_place(f);
            if (how == SIM_POWER_LOSS) {
                sim_socket_vanish(f);
            } else {
                f->ops->close(f); /* as the kernel does for a process that died */
            }
        }
    }
}

void sim_node_bury(struct os *os)
{
    struct sim_node *n = to_node(os);

    CHECK(n->dead);
    for (int fd = 0; fd < n->n_files; fd++) {
        struct sim_file *f = n->files[fd];

        if (f != NULL && f->is_dead && !to_dead(f)->quiet) {
            sim_file_notify(f, BROKEN);
        }
    }
    sched_group_revive(&n->threads);
}

bool sim_node_is_dead(struct os *os)
{
    return to_node(os)->dead;
}

void sim_node_boot(struct sim_node *n)
{
    struct net *net = net_of(n);

    CHECK(!n->dead);
    if (net->down[n->base.node]) {
        net->down[n->base.node] = false;
        net_links_healed(net);
    }
}
