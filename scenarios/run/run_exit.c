/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/run/run_exit.h"

enum exit_code run_exit_of_error(enum world_error err)
{
    switch (err) {
    case WORLD_OK:
        return EXIT_OK;
    case WORLD_OPTION:
        return EXIT_USAGE;
    case WORLD_FILE:
        return EXIT_FILE;
    default:
        return EXIT_CANNOT;
    }
}

enum exit_code run_exit_of_verdict(enum sim_verdict verdict)
{
    switch (verdict) {
    case SIM_OK:
        return EXIT_OK;
    case SIM_SAFETY:
        return EXIT_SAFETY;
    default:
        return EXIT_LIVENESS;
    }
}
