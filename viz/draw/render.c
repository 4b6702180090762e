/* SPDX-License-Identifier: Apache-2.0 */
/*
 * render.c: see render.h. The child reads and writes files in memory: with no pipe there is
 * nothing that could fill up and block, so the limit on processor time is a limit on the
 * whole, and every byte that reaches the disk is written, and checked, here.
 */
#include "viz/draw/render.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_SECONDS 10
#define CHILD_BYTES (1UL << 30)
#define PICTURE_BYTES (256UL << 20)
#define EXIT_NO_PROGRAM 127

static int fail_because(char *why, size_t size, int rc, const char *what)
{
    snprintf(why, size, "%s: %s", what, strerror(-rc));
    return rc;
}

static int write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        text += n;
        len -= (size_t)n;
    }
    return 0;
}

/* In the child: only calls that are safe after a fork. Never returns. */
static void run_dot(int in, int out, int err, char *option)
{
    static char *const no_environment[] = {NULL};
    char name[] = "dot";
    char *const arguments[] = {name, option, NULL};
    const struct rlimit seconds = {CHILD_SECONDS, CHILD_SECONDS};
    const struct rlimit bytes = {CHILD_BYTES, CHILD_BYTES};
    const struct rlimit picture = {PICTURE_BYTES, PICTURE_BYTES};
    const struct rlimit no_core = {0, 0};

    signal(SIGXFSZ, SIG_DFL);
    if (dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(err, 2) == 2 &&
        setrlimit(RLIMIT_CPU, &seconds) == 0 && setrlimit(RLIMIT_AS, &bytes) == 0 &&
        setrlimit(RLIMIT_FSIZE, &picture) == 0 && setrlimit(RLIMIT_CORE, &no_core) == 0) {
        execvpe("dot", arguments, no_environment);
    }
    _exit(errno == ENOENT ? EXIT_NO_PROGRAM : 126);
}

/* The first line of what the child said, for the user. */
static void first_complaint(int err, char *why, size_t size)
{
    char text[200];
    ssize_t n = pread(err, text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    for (char *p = text; *p != '\0'; p++) {
        *p = *p < ' ' || *p > '~' ? '?' : *p;
    }
    snprintf(why, size, "dot failed%s%s", text[0] ? ": " : "", text);
}

static int explain(int status, int err, char *why, size_t size)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return 0;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NO_PROGRAM) {
        snprintf(why, size,
                 "the program \"dot\" is missing: install graphviz, or write .dot or .txt");
        return -ENOENT;
    }
    if (WIFSIGNALED(status) &&
        (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL)) {
        snprintf(why, size, "dot needed more than %d s; write .dot or .txt instead",
                 CHILD_SECONDS);
        return -ETIME;
    }
    first_complaint(err, why, size);
    return -EIO;
}

/* Runs dot; its output goes to `out`, a file in memory. */
static int run_child(const char *text, size_t len, const char *format, int out, char *why,
                     size_t size)
{
    int in = memfd_create("dot-in", MFD_CLOEXEC);
    int err = memfd_create("dot-err", MFD_CLOEXEC);
    char option[16];
    int status = 0, rc;
    pid_t pid;

    snprintf(option, sizeof(option), "-T%s", format);
    rc = in < 0 || err < 0 ? -errno : write_all(in, text, len);
    if (rc == 0 && lseek(in, 0, SEEK_SET) != 0) {
        rc = -errno;
    }
    if (rc < 0) {
        fail_because(why, size, rc, "no memory for the drawing");
    } else if ((pid = fork()) == 0) {
        run_dot(in, out, err, option);
    } else if (pid < 0) {
        rc = fail_because(why, size, -errno, "cannot start dot");
    } else {
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
        rc = explain(status, err, why, size);
    }
    if (in >= 0) {
        close(in);
    }
    if (err >= 0) {
        close(err);
    }
    return rc;
}

static int copy_out(int fd, FILE *out)
{
    char buf[16384];
    ssize_t n;

    for (off_t at = 0; (n = pread(fd, buf, sizeof(buf), at)) > 0; at += n) {
        if (fwrite(buf, 1, (size_t)n, out) != (size_t)n) {
            return -EIO;
        }
    }
    return n < 0 ? -errno : 0;
}

int render_dot(const char *text, size_t len, const char *format, FILE *out, char *why,
               size_t size)
{
    int picture = memfd_create("picture", MFD_CLOEXEC);
    struct stat st;
    int rc;

    if (picture < 0) {
        return fail_because(why, size, -errno, "no memory for the picture");
    }
    rc = run_child(text, len, format, picture, why, size);
    if (rc == 0 && (fstat(picture, &st) < 0 || st.st_size == 0)) {
        snprintf(why, size, "dot wrote nothing");
        rc = -EIO;
    } else if (rc == 0) {
        rc = copy_out(picture, out);
    }
    close(picture);
    return rc;
}
