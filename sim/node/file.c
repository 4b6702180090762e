/* SPDX-License-Identifier: Apache-2.0 */
/* file.c: the table of descriptors, and what is said of wrong ones. */
#include "sim/node/file.h"

#include <errno.h>
#include <string.h>

#include "engine/util.h"

#define FIRST_FD 3

/* ---- numbers ---------------------------------------------------------------------- */

static int grow_files(struct sim_node *n)
{
    int size = MIN(MAX(64, n->n_files * 2), n->env->opts->fds_max);
    struct sim_file **files;
    struct sim_slot *slots;
    size_t more;

    CHECK(n->open_n >= n->n_files - FIRST_FD); /* all are in use */
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
    snprintf(name, SLOT_NAME, "%.31s", n->env->sched->current->actor.name);
}

int sim_file_install(struct sim_node *n, struct sim_file *f, const struct sim_file_ops *ops)
{
    int fd = MAX(FIRST_FD, n->lowest_free);

    CHECK(f->node == NULL); /* once */
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

    CHECK(n->files[f->fd] == f);
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
    CHECK(n->open_n == 0);
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
    sched_violate(n->env->sched, words, "%s calls %s with fd %d, which %s%s",
                  n->env->sched->current->actor.name, sched_call_name(call), fd, text,
                  recycled ? "; it had closed the use before, too" : "");
    return err;
}
