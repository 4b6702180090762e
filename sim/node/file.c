/* SPDX-License-Identifier: Apache-2.0 */
/* file.c: the table of descriptors, read, write and close, and struct os_io_ops. */
#include "sim/node/file.h"

#include <errno.h>
#include <string.h>

#include "engine/util.h"

#define FIRST_FD 3

/* ---- numbers ---------------------------------------------------------------------- */

static int grow_files(struct sim_node *n)
{
    int size = MIN(MAX(64, n->n_files * 2), n->world->opts.fds_max);
    struct sim_file **files;
    struct sim_slot *slots;
    size_t more;

    if (size <= n->n_files) {
        return -EMFILE;
    }
    more = (size_t)(size - n->n_files);
    files = realloc(n->files, (size_t)size * sizeof(struct sim_file *));
    if (files == NULL) {
        return -ENOMEM;
    }
    n->files = files;
    slots = realloc(n->slots, (size_t)size * sizeof(*slots));
    if (slots == NULL) {
        return -ENOMEM;
    }
    n->slots = slots;
    memset(files + n->n_files, 0, more * sizeof(struct sim_file *));
    memset(slots + n->n_files, 0, more * sizeof(*slots));
    n->n_files = size;
    return 0;
}

static void note_thread(const struct sim_node *n, char name[SLOT_NAME])
{
    snprintf(name, SLOT_NAME, "%.31s", n->world->sched.current->actor.name);
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
    n->slots[fd].opened++;
    note_thread(n, n->slots[fd].opener);
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
    struct sim_slot *slot = &n->slots[f->fd];
    struct list *node;

    memcpy(slot->closer_before, slot->closer, SLOT_NAME);
    note_thread(n, slot->closer);
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
    free(n->slots);
    n->files = NULL;
    n->slots = NULL;
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

/* ---- wrong numbers ----------------------------------------------------------------- */

/* What became of the number, in words, and whether who closed it last had closed what it
 * was before, but was not who opened it anew: a second close that hit somebody else's. */
static bool describe(const struct sim_node *n, int fd, char *text, size_t size)
{
    const struct sim_slot *slot;

    text[0] = '\0';
    if (fd < 0 || fd >= n->n_files || n->slots[fd].opened == 0) {
        snprintf(text, size, "was never open");
        return false;
    }
    slot = &n->slots[fd];
    snprintf(text, size, "%s opened (use %u of the number)%s%s", slot->opener, slot->opened,
             n->files[fd] == NULL ? " and was closed by " : "",
             n->files[fd] == NULL ? slot->closer : "");
    return n->files[fd] == NULL && strcmp(slot->closer, slot->closer_before) == 0 &&
           strcmp(slot->closer, slot->opener) != 0;
}

int sim_file_bad(struct sim_node *n, enum sim_call call, int fd, int err)
{
    char text[200], words[100];
    bool recycled;

    if (!sim_is_strict(n)) {
        return err;
    }
    recycled = describe(n, fd, text, sizeof(text));
    snprintf(words, sizeof(words), "%s %s %.31s",
             recycled                                             ? "recycled_fd"
             : fd >= 0 && fd < n->n_files && n->files[fd] != NULL ? "wrong_fd"
             : fd >= 0 && fd < n->n_files && call == SIM_CALL_close &&
                     n->slots[fd].opened > 0
                 ? "double"
                 : "bad_fd",
             sched_call_name(call), n->base.name);
    sim_world_violate(n->world, words, "%s calls %s with fd %d, which %s%s",
                      n->world->sched.current->actor.name, sched_call_name(call), fd, text,
                      recycled ? "; it had closed the use before, too" : "");
    return err;
}

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
    sim_world_violate(n->world, words, "%s closes fd %d, and another thread waits for it",
                      n->world->sched.current->actor.name, fd);
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
