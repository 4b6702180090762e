/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.h: work done in child processes, so that whatever a run does to its process
 * (crash, hang, grow, leave threads stuck in the middle), the parent goes on and learns
 * how it ended.
 *
 * A child is a fork: it has all of the parent's memory, and sends fixed-size records back
 * through a pipe. Its standard error goes to a file without a name that the parent can
 * read when the child is dead. It hears neither SIGINT nor SIGTERM, which are for the
 * parent, and dies with it.
 *
 * The parent must have no other thread when it starts one. One thread.
 */
#ifndef MSGRLAB_SIM_CAMPAIGN_PROCESS_H
#define MSGRLAB_SIM_CAMPAIGN_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/os.h"

#define PROCESS_RECORD_MAX 4096 /* bytes: a pipe moves so many at once or none */

struct process {
    struct os *os; /* borrowed: a real one */
    pid_t pid;     /* 0: none, or reaped */
    int fd;        /* owned: of the pipe, the parent's or the child's end; -1: none */
    int errors_fd; /* owned: what the child wrote to standard error; -1: none */
    bool ended;    /* the pipe is empty and nobody writes any more */
    size_t have;   /* bytes of a record that is not whole yet */
    unsigned char part[PROCESS_RECORD_MAX];
};

/* How a child ended. */
struct process_end {
    int code;        /* exit code; -1: a signal */
    int signal;      /* 0: none */
    char words[256]; /* the line of standard error that says what was wrong, or "" */
};

/* What a child does; the return value is its exit code. */
typedef int (*process_fn)(void *arg, struct process *self);

/* 0, or a negative errno. What stdout and stderr hold back is flushed first. */
int process_start(struct os *os, process_fn fn, void *arg, struct process *ret);
/* In the child: waits until the parent takes it. `size` as the parent expects. */
void process_send(struct process *self, const void *record, size_t size);
/* In the child: forgets what went to standard error so far. */
void process_forget_errors(struct process *self);

/* In the parent: 1: a record; 0: none now; -EPIPE: none will come any more. */
int process_receive(struct process *p, void *ret, size_t size);
/* Kills it, if need be, and waits for its end. */
void process_kill(struct process *p);
/* Waits for its end. Closes everything. A process that was never started: nothing. */
void process_reap(struct process *p, struct process_end *ret);

/* "crash SIGABRT sim/x.c:12: f: CHECK failed: n > 0": names an end that nobody wanted. */
void process_sign_end(const struct process_end *end, char *ret, size_t size);

/* Memory that parent and children share, zeroed. NULL: no memory. */
void *process_share(size_t bytes);
void process_unshare(void *memory, size_t bytes); /* NULL is fine */
/* "SIGSEGV". */
const char *process_signal_name(int signal, char *buf, size_t size);
/* Resident bytes of the calling process; 0: not known. */
uint64_t process_memory(void);
/* Processor time of this process, and of all its children that were reaped. */
uint64_t process_self_ns(void);
uint64_t process_children_ns(void);
/* Processors this process may use, at least 1. */
unsigned process_cpus(void);

#endif
