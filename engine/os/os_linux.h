/* SPDX-License-Identifier: Apache-2.0 */
/* os_linux.h: what the files of the real world share. */
#ifndef MSGRLAB_ENGINE_OS_OS_LINUX_H
#define MSGRLAB_ENGINE_OS_OS_LINUX_H

#include <time.h>

#include "engine/os.h"
#include "engine/util.h"

/* os_linux_io.c. It needs nothing of the os: descriptors belong to the process. */
extern const struct os_io_ops os_linux_io;

static inline struct timespec os_linux_timespec(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NSEC_PER_SEC),
                             .tv_nsec = (long)(ns % NSEC_PER_SEC)};
}

#endif
