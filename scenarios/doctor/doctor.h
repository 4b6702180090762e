/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor.h: tries, on this machine, what runs and tests need, and says what to do about
 * what is missing: a line per finding. One thread.
 *
 *   machine.c   the whole, and what is not RDMA
 *   rdma.c      RDMA
 *   report.c    the lines
 */
#ifndef MSGRLAB_SCENARIOS_DOCTOR_DOCTOR_H
#define MSGRLAB_SCENARIOS_DOCTOR_DOCTOR_H

/* Prints what there is. 0: scenarios can run here, also on Linux; -ENETDOWN: those on Linux
 * cannot; -ENOMEM. */
int doctor_examine(void);

/* ---- private ---- */

enum verdict { FINE, LIMITED, MISSING };

/* "ok   what        text", and under it what to do. */
void doctor_report(enum verdict verdict, const char *what, const char *advice,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Looks for it and reports. */
void doctor_check_program(const char *name, const char *what, const char *advice);

/* RDMA: devices, ports, GIDs, rights, the soft-RoCE module, and what a virtual machine with
 * soft-RoCE needs. */
void doctor_check_rdma(void);

#endif
