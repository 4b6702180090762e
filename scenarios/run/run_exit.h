/* SPDX-License-Identifier: Apache-2.0 */
/* run_exit.h: what the program ends with when a world is not there, or does not go on. */
#ifndef MSGRLAB_SCENARIOS_RUN_RUN_EXIT_H
#define MSGRLAB_SCENARIOS_RUN_RUN_EXIT_H

#include "scenarios/base/exit_codes.h"
#include "scenarios/lab/world.h"

enum exit_code run_exit_of_error(enum world_error err);
enum exit_code run_exit_of_verdict(enum sim_verdict verdict);

#endif
