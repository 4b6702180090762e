/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.c: the lines that msgrlab doctor prints.
 */
#include <stdarg.h>
#include <stdio.h>

#include "scenarios/base/program.h"
#include "scenarios/doctor/doctor.h"

void doctor_report(enum verdict verdict, const char *what, const char *advice,
                   const char *format, ...)
{
    static const char *const words[] = {"ok", "less", "NO"};
    va_list args;

    printf("%-5s %-15s ", words[verdict], what);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    if (verdict != FINE) {
        printf("      %-15s -> %s\n", "", advice);
    }
}

void doctor_check_program(const char *name, const char *what, const char *advice)
{
    char path[4200];

    if (program_find(name, path, sizeof(path))) {
        doctor_report(FINE, what, "", "%s", path);
    } else {
        doctor_report(LIMITED, what, advice, "no program '%s'", name);
    }
}
