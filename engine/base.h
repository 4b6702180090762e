/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base.h: the few things that public headers share: units of time, the links of a list, and
 * atomics that C++ reads as well. No macro in here has a name that others are likely to
 * use: util.h is for the library's own files.
 */
#ifndef MSGRLAB_ENGINE_BASE_H
#define MSGRLAB_ENGINE_BASE_H

/* Both languages give it one size, one alignment, and the same operations. */
#ifdef __cplusplus
#include <atomic>
#define ATOMIC(type) std::atomic<type>
#else
#include <stdatomic.h>
#define ATOMIC(type) _Atomic(type)
#endif

#define NSEC_PER_USEC 1000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_SEC 1000000000ULL

/* A list's head, or its node in an object; list.h does things with them. */
struct list {
    struct list *next;
    struct list *prev;
};

#endif
