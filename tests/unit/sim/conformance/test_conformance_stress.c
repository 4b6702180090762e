/* SPDX-License-Identifier: Apache-2.0 */
/* What every transport does, as test_network_stress.c has it, in the simulated world. */
#include "tests/unit/sim/conformance/test_conformance_stack.h"

#ifdef __SANITIZE_THREAD__ /* thirty times slower, and one thread has no races */
#undef TEST_STACK_RUNS
#define TEST_STACK_RUNS (2 * DRIVER_COUNT)
#endif

#include "tests/conformance/test_network_stress.c"
