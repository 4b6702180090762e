/* SPDX-License-Identifier: Apache-2.0 */
#include "viz/draw/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A new file with a name made from the target's. */
static int open_beside(struct output *o)
{
    size_t room = strlen(o->target) + sizeof(".part00");
    int fd = -1;

    o->beside = malloc(room);
    if (o->beside == NULL) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i < 100 && fd < 0; i++) {
        snprintf(o->beside, room, "%s.part%02u", o->target, i);
        fd = open(o->beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST) {
            break;
        }
    }
    return fd < 0 ? -errno : fd;
}

static void forget(struct output *o)
{
    free(o->beside);
    free(o->target);
    *o = (struct output){.fd = -1};
}

/* Standard I/O says that a write failed, and not why; so the writing is done here. */
static ssize_t write_cookie(void *cookie, const char *buf, size_t len)
{
    struct output *o = cookie;
    size_t done = 0;

    while (done < len && o->error == 0) {
        ssize_t n = write(o->fd, buf + done, len - done);

        if (n > 0) {
            done += (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            o->error = n == 0 ? -EIO : -errno;
        }
    }
    return (ssize_t)done;
}

/* The descriptor for the path. */
static int open_target(struct output *o, const char *path)
{
    struct stat st;
    int fd;

    o->target = realpath(path, NULL); /* behind a symbolic link, if it exists */
    if (o->target == NULL) {
        o->target = strdup(path);
    }
    if (o->target == NULL) {
        return -ENOMEM;
    }
    if (stat(o->target, &st) < 0 || S_ISREG(st.st_mode)) {
        return open_beside(o);
    }
    fd = open(o->target, O_WRONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int output_open(struct output *o, const char *path)
{
    static const cookie_io_functions_t functions = {.write = write_cookie};

    *o = (struct output){.fd = STDOUT_FILENO};
    if (path == NULL) {
        fflush(stdout);
    } else {
        o->fd = open_target(o, path);
    }
    if (o->fd >= 0) {
        o->file = fopencookie(o, "w", functions);
    }
    if (o->file == NULL) {
        int rc = o->fd < 0 ? o->fd : -ENOMEM;

        if (o->fd >= 0 && o->target != NULL) {
            close(o->fd);
            unlink(o->beside ? o->beside : "");
        }
        forget(o);
        return rc;
    }
    return 0;
}

int output_close(struct output *o, int rc)
{
    if (fclose(o->file) != 0 && o->error == 0) {
        o->error = -EIO;
    }
    if (o->error < 0) {
        rc = o->error; /* what the writer noticed of it is less exact */
    }
    if (o->beside != NULL && rc == 0 && fsync(o->fd) < 0) {
        rc = -errno;
    }
    if (o->target != NULL && close(o->fd) < 0 && rc == 0) {
        rc = -errno;
    }
    if (o->beside != NULL && rc == 0 && rename(o->beside, o->target) < 0) {
        rc = -errno;
    }
    if (o->beside != NULL && rc < 0) {
        unlink(o->beside);
    }
    forget(o);
    return rc;
}
