/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/cli/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "scenarios/base/exit_codes.h"

void streams_begin(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        /* For reading only: what is written to a closed output fails, as before. */
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0) {
            break; /* then nothing else can be opened either */
        }
    }
    signal(SIGXFSZ, SIG_IGN);
}

int streams_end(int code)
{
    int err;

    /* After a write that failed the bytes are still there, and fail for the same reason. */
    errno = 0;
    err = fflush(stdout) != 0 ? errno : 0;
    if (err == 0 && !ferror(stdout)) {
        return code;
    }
    if (err == 0 && write(STDOUT_FILENO, "\n", 1) < 0) {
        err = errno; /* an earlier one failed, and nobody asked why: it still does */
    }
    fprintf(stderr, "msgrlab: not all of the output could be written%s%s\n",
            err != 0 ? ": " : "", err != 0 ? strerror(err) : "");
    return code == EXIT_OK ? EXIT_FILE : code;
}
