/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/base/interrupt.h"

/* All that the handler may touch. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

void interrupt_watch(struct interrupt *ret)
{
    struct sigaction action = {.sa_handler = on_interrupt};

    interrupted = 0;
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, &ret->before[1]);
    action.sa_flags = (int)SA_RESETHAND; /* the second one finds the default action */
    sigaction(SIGINT, &action, &ret->before[0]);
}

void interrupt_unwatch(const struct interrupt *interrupt)
{
    sigaction(SIGINT, &interrupt->before[0], NULL);
    sigaction(SIGTERM, &interrupt->before[1], NULL);
}

bool interrupt_came(void)
{
    return interrupted != 0;
}
