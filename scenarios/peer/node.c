/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/peer/node.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "scenarios/run/run_exit.h"
#include "stacks/rdma/rdma_stack.h"

#define NODE_NUMBER 1
#define WORKERS 2

int peer_error(const struct peer_opts *opts, int code, const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fprintf(stderr, "msgrlab peer %s: ", opts->verb);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    return code;
}

int peer_open(struct peer *p, const struct peer_opts *opts, struct messenger_opts *mopts)
{
    char title[256], why[512];
    struct world_opts wopts = {.on = WORLD_LINUX,
                               .stack = opts->stack,
                               .device = opts->device,
                               .driver = opts->driver,
                               .trace_path = opts->trace_path,
                               .no_trace = opts->trace_path == NULL,
                               .title = title};
    enum world_error world;
    int err = -ENOMEM;

    *p = (struct peer){.opts = opts};
    if (opts->stack == STACK_RDMA) {
        if (snprintf(p->rdma, sizeof(p->rdma), PEER_RDMA_OPTIONS ",%s",
                     opts->rdma != NULL ? opts->rdma : "") >= (int)sizeof(p->rdma)) {
            return peer_error(opts, EXIT_USAGE, "--rdma is too long");
        }
        wopts.rdma = p->rdma;
    }
    snprintf(title, sizeof(title), "peer %s %s", opts->verb, opts->address);
    world = world_open(&wopts, &p->world, why, sizeof(why));
    if (world != WORLD_OK) {
        return peer_error(opts, run_exit_of_error(world), "%s", why);
    }
    p->os = world_os_new(&p->world, NODE_NUMBER,
                         mopts->entity_type == ENTITY_MON ? "mon" : "client");
    if (p->os != NULL) {
        err = world_stack_new(&p->world, p->os, "", &p->stack);
    }
    if (err == 0) {
        mopts->os = p->os;
        mopts->stack = p->stack;
        mopts->driver = opts->driver;
        mopts->msgr20 = opts->msgr20;
        mopts->workers = WORKERS;
        err = messenger_new(mopts, &p->messenger);
    }
    if (err < 0) {
        snprintf(why, sizeof(why), "%s", p->world.stack_why);
        peer_close(p, EXIT_CANNOT);
        return peer_error(opts, EXIT_CANNOT, "cannot start: %s",
                          why[0] != '\0' ? why : strerror(-err));
    }
    return EXIT_OK;
}

void peer_stop(struct peer *p)
{
    if (p->messenger != NULL) {
        messenger_shutdown(p->messenger);
    }
}

int peer_close(struct peer *p, int code)
{
    int err;

    peer_stop(p);
    messenger_free(p->messenger);
    p->messenger = NULL;
    world_stack_free(&p->world, p->stack);
    p->stack = NULL;
    world_os_free(&p->world, p->os);
    p->os = NULL;
    err = world_close_trace(&p->world);
    if (err < 0) {
        peer_error(p->opts, EXIT_FILE, "the trace %s is not complete: %s",
                   p->opts->trace_path, trace_error_text(err));
        code = code == EXIT_OK ? EXIT_FILE : code;
    }
    if (p->world.leaked_chunks != 0) {
        peer_error(p->opts, EXIT_EXPECTATION,
                   "%" PRIu64 " chunks of the RDMA stack are not where they belong",
                   p->world.leaked_chunks);
        code = code == EXIT_OK ? EXIT_EXPECTATION : code;
    }
    world_close(&p->world);
    return code;
}

uint64_t peer_too_long(const struct peer *p)
{
    return p->opts->stack == STACK_RDMA
               ? atomic_load(&rdma_stack_counters(p->stack)->rx_too_long)
               : 0;
}

struct wire_reader peer_reader(const struct buffer *buffer)
{
    return buffer->len > 0 ? wire_reader(buffer->data, buffer->len) : wire_reader("", 0);
}

struct message *peer_message(uint16_t type, const struct wire_writer *front)
{
    struct message *msg = front->failed ? NULL : message_new(type);

    if (msg != NULL && buffer_copy(&msg->front, front->start, wire_written(front)) < 0) {
        message_unref(msg);
        return NULL;
    }
    return msg;
}
