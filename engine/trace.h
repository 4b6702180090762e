/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.h: the recorder. Writes 64-byte records (trace_format.h) of the kinds listed in
 * trace_points.h into a memory-mapped file, one chain of blocks per thread, without locks
 * on the hot path.
 *
 * Who wants to look on while it is recorded gives a hook (trace_opts.on_record); without a
 * path there is the hook only, and no file.
 *
 * One struct trace may serve any number of nodes (struct os) of the process: set os->trace.
 * Off (os->trace == NULL) a trace point costs one predictable branch; compiled with
 * -DMSGRLAB_NO_TRACE it costs nothing. The recorder never fails its caller: when the file
 * is full or the disk is, or somebody cuts the file, records are dropped and counted.
 */
#ifndef MSGRLAB_ENGINE_TRACE_H
#define MSGRLAB_ENGINE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/os.h"
#include "engine/trace_format.h"
#include "engine/trace_points.h"

#ifdef __cplusplus
extern "C" {
#endif

struct trace;

/*
 * What was just recorded: exactly one of `record` and `name` is not NULL. Called on the
 * recording thread, which holds no lock of the recorder; the engine may hold its own, so
 * the hook must make no os call that waits. Both pointers are valid during the call only.
 *
 * A name (trace_format.h: a string, an object, and TRACE_NAME_THREAD for each thread before
 * its first record) is told before the first record that refers to it, as long as one
 * thread runs at a time: in the simulated world. On Linux, threads call it side by side. A
 * record has no crc yet when there is no file. Records that a full file lost are told, too.
 */
typedef void (*trace_record_fn)(void *arg, const struct trace_record *record,
                                const struct trace_name *name);

struct trace_opts {
    enum trace_mode mode;
    uint64_t bytes_max;        /* of the file; 0 = 4 GiB for a stream, 64 MiB for a ring */
    const char *title;         /* what is recorded; NULL = "" */
    uint64_t created_ns;       /* wall clock for the header (the caller has a clock) */
    trace_record_fn on_record; /* NULL: nobody looks on */
    void *arg;                 /* of on_record */
};

/* Creates or truncates the file; `path` NULL: no file, the hook gets everything (bytes_max
 * then bounds the names). 0, or a negative errno with *ret_why a static string. */
int trace_open(const char *path, const struct trace_opts *opts, struct trace **ret,
               const char **ret_why);
/* No thread may be recording any more. Cuts the file to what was used, marks it clean.
 * 0, or what trace_error says. NULL is fine. */
int trace_close(struct trace *trace);
/* 0; or why the file does not have all records: -ENOSPC and what else the disk said first;
 * -ESTALE: somebody else cut the file or wrote over it, and it is left as it is; -EIO: the
 * disk refused a page that it had promised. No thread may be recording just now. */
int trace_error(const struct trace *trace);
/* That error in words, without the path: static, or as strerror. */
const char *trace_error_text(int error);
/*
 * For the handler of SIGBUS of whoever owns the process's signals, with si_addr: a store
 * into a file that somebody else has cut is that signal. True: the address is of this
 * trace, which goes on without its file; return, and the store is done again. Without such
 * a handler the process ends there: the recorder is a library and takes no signals. It may
 * be called in any thread's handler, until trace_close.
 */
bool trace_rescue(struct trace *trace, const void *address);
/* Records dropped so far. */
uint64_t trace_lost(struct trace *trace);

struct trace_args {
    uint64_t flow;
    uint64_t cause; /* 0: the event the thread is inside of (trace_enter) */
    uint32_t obj;
    int32_t val;
    uint64_t a0, a1;
    uint32_t aux;
};

/* Writes one record on the calling thread's ring; returns its event id (0 if dropped). */
uint64_t trace_emit(struct os *os, enum trace_kind kind, const struct trace_args *args);

/* Makes `id` the default cause of the calling thread's records; returns the former one.
 * Used by the event center around each callback. */
uint64_t trace_enter(struct os *os, uint64_t id);

/* Id of a string in the name table, the same for equal text. 0 if tracing is off. */
uint32_t trace_string(struct os *os, const char *text);
/* A new object; the name is copied (and sanitised: printable ASCII, 200 bytes). 0 if
 * off. */
uint32_t trace_object(struct os *os, enum trace_object_class class_, uint32_t parent,
                      const char *name);

#ifdef MSGRLAB_NO_TRACE
static inline bool trace_is_compiled_out(const struct os *os)
{
    (void)os;
    return false; /* and the compiler drops what depends on it */
}
#define TRACE_ON(os) trace_is_compiled_out(os)
#else
#define TRACE_ON(os) (__builtin_expect((os)->trace != NULL, 0))
#endif

/*
 * TRACE(os, S3_QUEUE, .obj = id, .val = bytes): records; the value is the event id, or 0.
 * The fields are evaluated only when recording.
 */
#define TRACE(os, kind_, ...)                                                              \
    (TRACE_ON(os) ? trace_emit((os), TP_##kind_, &(const struct trace_args){__VA_ARGS__})  \
                  : 0)

#ifdef __cplusplus
}
#endif

#endif
