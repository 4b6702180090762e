/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/base/trace_guard.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

#include "engine/trace.h"

/* What the signal handler may touch. */
static _Atomic(struct trace *) guarded[TRACE_GUARDS_MAX];
static struct sigaction before;
static bool installed;

bool trace_guard_rescue(const void *address)
{
    for (int i = 0; i < TRACE_GUARDS_MAX; i++) {
        struct trace *trace = atomic_load(&guarded[i]);

        if (trace != NULL && trace_rescue(trace, address)) {
            return true;
        }
    }
    return false;
}

/* Whoever handled the signal before gets it next: the instruction fails again, and what
 * somebody sent is sent again. */
static void on_bus_error(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    if (info->si_code > 0 && trace_guard_rescue(info->si_addr)) {
        return;
    }
    sigaction(signal_number, &before, NULL);
    if (info->si_code <= 0) {
        raise(signal_number);
    }
}

static void install(void)
{
    struct sigaction action = {.sa_sigaction = on_bus_error,
                               .sa_flags = SA_ONSTACK | SA_SIGINFO};

    sigemptyset(&action.sa_mask);
    installed = sigaction(SIGBUS, &action, &before) == 0;
}

void trace_guard_add(struct trace *trace)
{
    if (!installed) {
        install();
    }
    for (int i = 0; i < TRACE_GUARDS_MAX; i++) {
        struct trace *none = NULL;

        if (atomic_compare_exchange_strong(&guarded[i], &none, trace)) {
            return;
        }
    }
}

void trace_guard_remove(struct trace *trace)
{
    for (int i = 0; i < TRACE_GUARDS_MAX && trace != NULL; i++) {
        struct trace *same = trace;

        atomic_compare_exchange_strong(&guarded[i], &same, NULL);
    }
}
