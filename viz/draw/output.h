/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output.h: an output file that is there whole or not at all: written beside its target,
 * checked to the last byte, then renamed. Devices, pipes and standard output are written
 * directly.
 */
#ifndef MSGRLAB_VIZ_DRAW_OUTPUT_H
#define MSGRLAB_VIZ_DRAW_OUTPUT_H

#include <stdio.h>

struct output {
    FILE *file;   /* write to this; whoever writes need not look for errors */
    int fd;       /* owned, but for standard output */
    int error;    /* the first that a write gave, negative; 0 */
    char *target; /* owned; NULL: standard output */
    char *beside; /* owned; NULL: written directly */
};

/* path NULL: standard output. 0 or a negative errno; then nothing is to be closed. The
 * struct stays where it is until it is closed. */
int output_open(struct output *o, const char *path);
/* Ends it: puts the file in place if `rc` is 0 and every write succeeded, else removes what
 * was written. Returns rc, or why it failed. */
int output_close(struct output *o, int rc);

#endif
