/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.h: descriptors of a node: what a number stands for, and who watches it. Used by the
 * other files of sim/ only.
 *
 *     node.files[fd] --> sim_file --watches--> epoll item | a thread inside poll or select
 */
#ifndef MSGRLAB_SIM_NODE_FILE_H
#define MSGRLAB_SIM_NODE_FILE_H

#include "sim/node/node.h"

struct sim_file_ops {
    int (*ready)(struct sim_file *f); /* the poll(2) bits that hold now */
    ssize_t (*read)(struct sim_file *f, void *buf, size_t len);
    ssize_t (*write)(struct sim_file *f, const struct iovec *iov, int n);
    void (*close)(struct sim_file *f); /* frees what it is embedded in */
};

struct sim_file {
    const struct sim_file_ops *ops;
    struct sim_node *node; /* borrowed */
    int fd;
    bool is_dead;        /* a socket of a node that was killed: nothing works any more */
    struct list watches; /* of sim_watch.of_file */
};

/* Who opened and closed a number; for reports. Threads go, so names are kept. */
#define SLOT_NAME 32
struct sim_slot {
    uint32_t opened; /* so many times */
    char opener[SLOT_NAME], closer[SLOT_NAME], closer_before[SLOT_NAME];
};

/* Somebody who wants to know when the file may have become ready. */
struct sim_watch {
    struct list of_file;
    struct sim_file *file; /* borrowed; NULL once it was closed */
    /* `bits`: what just came to be. Must not unlink watches. */
    void (*fn)(struct sim_watch *watch, int bits);
};

static inline struct scheduler *sched_of_file(const struct sim_file *f)
{
    return f->node->env->sched;
}

/* Gives the file the lowest free number; it belongs to the node then. -EMFILE, -ENOMEM. */
int sim_file_install(struct sim_node *n, struct sim_file *f,
                     const struct sim_file_ops *ops);
/* NULL: no such descriptor. */
struct sim_file *sim_file_get(struct sim_node *n, int fd);
/* `err`: why the number is no good for the call. In a strict world that is a violation.
 * Returns err. */
int sim_file_bad(struct sim_node *n, enum sim_call call, int fd, int err);
void sim_file_close(struct sim_file *f);
void sim_node_close_all(struct sim_node *n);
/* The file may have become ready in these ways: an edge. */
void sim_file_notify(struct sim_file *f, int bits);

#endif
