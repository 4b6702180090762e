/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_doctor.c: msgrlab doctor, its command line.
 */
#include <stdio.h>

#include "scenarios/base/exit_codes.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/commands.h"
#include "scenarios/doctor/doctor.h"

static int run_doctor(int argc, char **argv)
{
    int code = cli_options(&command_doctor, argc, argv, NULL);

    if (code != CLI_GO_ON) {
        return code;
    }
    if (optind != argc) {
        return cli_usage_error("doctor", "it takes no arguments");
    }
    return doctor_examine() == 0 ? EXIT_OK : EXIT_CANNOT;
}

const struct cli_command command_doctor = {
    .name = "doctor",
    .summary = "what works here, and what to do about the rest",
    .usage = "",
    .about = "Tries on this machine what runs and tests need. Each line begins with ok,\n"
             "less (something is missing, and what it is for) or NO.",
    .exits = {{EXIT_OK, "scenarios can run, also on Linux"},
              {EXIT_CANNOT, "those on Linux cannot"}},
    .run = run_doctor,
};
