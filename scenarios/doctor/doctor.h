/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor.h: what the parts of msgrlab doctor share: a line per finding. One thread.
 */
#ifndef MSGRLAB_SCENARIOS_DOCTOR_DOCTOR_H
#define MSGRLAB_SCENARIOS_DOCTOR_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

enum verdict { FINE, LIMITED, MISSING };

/* "ok   what        text", and under it what to do. */
void doctor_report(enum verdict verdict, const char *what, const char *advice,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* In $PATH and the places where daemons are. */
bool doctor_find_program(const char *name, char *path, size_t size);

/* Looks for it and reports. */
void doctor_check_program(const char *name, const char *what, const char *advice);

/* RDMA: devices, ports, GIDs, rights, the soft-RoCE module, and what a virtual machine with
 * soft-RoCE needs. */
void doctor_check_rdma(void);

#endif
