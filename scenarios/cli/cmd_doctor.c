/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_doctor.c: msgrlab doctor, its command line.
 */
#include <stdio.h>

#include "scenarios/base/exit_codes.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/commands.h"
#include "scenarios/doctor/doctor.h"

static const struct option options[] = {CLI_HELP, {NULL, 0, NULL, 0}};

int cmd_doctor(int argc, char **argv)
{
    int option;

    cli_start();
    while ((option = cli_next(argc, argv, "h", options)) != CLI_END) {
        if (option == CLI_BAD) {
            return EXIT_USAGE;
        }
        printf("usage: msgrlab doctor\n\n"
               "Tries on this machine what runs and tests need. Each line begins with ok,\n"
               "less (something is missing, and what it is for) or NO.\n\n"
               "exit codes: 0 scenarios can run, 2 the command line is wrong, 4 they "
               "cannot\n");
        return EXIT_OK;
    }
    if (optind != argc) {
        return cli_usage_error("doctor", "it takes no arguments");
    }
    return doctor_examine() == 0 ? EXIT_OK : EXIT_CANNOT;
}
