/* SPDX-License-Identifier: Apache-2.0 */
/*
 * util.h: the few macros every file uses.
 *
 * CHECK is for programmer errors and stays in release builds: it says what was violated and
 * where, and aborts. It is never used on anything a peer, a file or a user can influence.
 */
#ifndef MSGRLAB_ENGINE_UTIL_H
#define MSGRLAB_ENGINE_UTIL_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base.h"

#define CHECK(cond)                                                                        \
    do {                                                                                   \
        if (__builtin_expect(!(cond), 0)) {                                                \
            fprintf(stderr, "%s:%d: %s: CHECK failed: %s\n", __FILE__, __LINE__, __func__, \
                    #cond);                                                                \
            abort();                                                                       \
        }                                                                                  \
    } while (0)

/* The struct of type `type` whose field `member` is at `ptr`. */
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
