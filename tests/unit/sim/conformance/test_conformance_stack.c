/* SPDX-License-Identifier: Apache-2.0 */
/* What every transport does, as test_network_stack.c has it, in the simulated world. */
#include "tests/unit/sim/conformance/test_conformance_stack.h"

#include "tests/conformance/test_network_stack.c"
