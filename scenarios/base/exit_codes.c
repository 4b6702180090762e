/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/base/exit_codes.h"

#include <stddef.h>

const char *exit_code_meaning(int code)
{
    switch (code) {
#define X(id, number, meaning)                                                             \
    case number:                                                                           \
        return meaning;
        EXIT_CODES(X)
#undef X
    default:
        return NULL;
    }
}
