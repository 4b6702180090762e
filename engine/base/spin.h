/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spin.h: a lock for a few instructions that nothing can interrupt: no call into an os
 * table, no other lock, while it is held. In the simulated world it is never contended, and
 * taking it is no point where another thread may go on.
 */
#ifndef MSGRLAB_ENGINE_BASE_SPIN_H
#define MSGRLAB_ENGINE_BASE_SPIN_H

#include <stdatomic.h>
#include <stdbool.h>

struct spin {
    atomic_flag taken;
};

static inline void spin_init(struct spin *s)
{
    atomic_flag_clear(&s->taken);
}

/* False: somebody has it. For who would rather do something else than wait. */
static inline bool spin_try(struct spin *s)
{
    return !atomic_flag_test_and_set_explicit(&s->taken, memory_order_acquire);
}

static inline void spin_take(struct spin *s)
{
    while (!spin_try(s)) {
        /* whoever has it is about to let it go */
    }
}

static inline void spin_drop(struct spin *s)
{
    atomic_flag_clear_explicit(&s->taken, memory_order_release);
}

#endif
