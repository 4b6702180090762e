/* SPDX-License-Identifier: Apache-2.0 */
#include "viz/output.h"

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
    *o = (struct output){0};
}

int output_open(struct output *o, const char *path)
{
    struct stat st;
    int fd, rc;

    *o = (struct output){.file = stdout};
    if (path == NULL) {
        return 0;
    }
    o->target = realpath(path, NULL); /* behind a symbolic link, if it exists */
    if (o->target == NULL) {
        o->target = strdup(path);
    }
    if (o->target == NULL) {
        return -ENOMEM;
    }
    if (stat(o->target, &st) == 0 && !S_ISREG(st.st_mode)) {
        fd = open(o->target, O_WRONLY | O_CLOEXEC);
        rc = fd < 0 ? -errno : fd;
    } else {
        rc = open_beside(o);
    }
    if (rc >= 0) {
        fd = rc;
        o->file = fdopen(fd, "w");
        rc = o->file == NULL ? -ENOMEM : 0;
        if (rc < 0) {
            close(fd);
            unlink(o->beside ? o->beside : "");
        }
    }
    if (rc < 0) {
        forget(o);
    }
    return rc;
}

int output_close(struct output *o, int rc)
{
    errno = 0;
    if (fflush(o->file) != 0 || ferror(o->file)) {
        rc = rc ? rc : errno ? -errno : -EIO;
    }
    if (o->beside != NULL && rc == 0 && fsync(fileno(o->file)) < 0) {
        rc = -errno;
    }
    if (o->target != NULL && fclose(o->file) != 0 && rc == 0) {
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
