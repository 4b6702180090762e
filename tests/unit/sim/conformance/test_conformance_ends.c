/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of os.h as test_os_socket_ends.c has it, for the virtual os. */
#include "tests/unit/sim/conformance/test_conformance.h"

#include "tests/conformance/test_os_socket_ends.c"
