/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_doctor.c: msgrlab doctor: tries, on this machine, what runs and tests need, and says
 * what to do about what is missing.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "engine/event_driver.h"
#include "engine/os.h"
#include "engine/util.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/commands.h"
#include "scenarios/doctor/doctor.h"
#include "scenarios/base/exit_codes.h"

#define FILES_WANTED 1024
#define MEMLOCK_WANTED (64ULL << 20)

static const struct option options[] = {CLI_HELP, {NULL, 0, NULL, 0}};

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

static void check_kernel(void)
{
    struct utsname name;

    if (uname(&name) == 0) {
        doctor_report(FINE, "kernel", "", "%s %s, %s", name.sysname, name.release,
                      name.machine);
    }
}

/* 0 or a negative errno. */
static int bind_loopback(struct os *os, int family)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    int fd = os_socket(os, family), rc;

    if (fd < 0) {
        return fd;
    }
    rc = family == AF_INET ? os_bind(os, fd, (struct sockaddr *)&in, sizeof(in))
                           : os_bind(os, fd, (struct sockaddr *)&in6, sizeof(in6));
    rc = rc < 0 ? rc : os_listen(os, fd, 1);
    os_close(os, fd);
    return rc;
}

/* True if runs are possible. */
static bool check_loopback(struct os *os)
{
    int rc = bind_loopback(os, AF_INET), rc6 = bind_loopback(os, AF_INET6);

    doctor_report(rc < 0 ? MISSING : FINE, "loopback",
                  "bring the interface up: ip link set lo up; scenarios need 127.0.0.1",
                  "listen on 127.0.0.1: %s", rc < 0 ? strerror(-rc) : "works");
    doctor_report(rc6 < 0 ? LIMITED : FINE, "loopback IPv6",
                  "only scenarios with addr = \"[::1]:0\" need it", "listen on ::1: %s",
                  rc6 < 0 ? strerror(-rc6) : "works");
    return rc == 0;
}

static void check_drivers(struct os *os)
{
    for (int i = 0; i < DRIVER_COUNT; i++) {
        const char *name = event_driver_name((enum event_driver_kind)i);
        struct event_driver *driver;
        int rc = event_driver_new(os, (enum event_driver_kind)i, &driver);

        doctor_report(rc < 0 ? MISSING : FINE, name, "choose another one with --driver",
                      "event driver: %s", rc < 0 ? strerror(-rc) : "works");
        if (rc == 0) {
            driver->ops->free(driver);
        }
    }
}

bool doctor_find_program(const char *name, char *path, size_t size)
{
    const char *env = getenv("PATH");
    char dirs[4096], *dir, *rest;

    snprintf(dirs, sizeof(dirs), "%s:/usr/sbin:/usr/local/sbin:/sbin", env ? env : "");
    for (dir = strtok_r(dirs, ":", &rest); dir != NULL; dir = strtok_r(NULL, ":", &rest)) {
        snprintf(path, size, "%s/%s", dir, name);
        if (access(path, X_OK) == 0) {
            return true;
        }
    }
    return false;
}

void doctor_check_program(const char *name, const char *what, const char *advice)
{
    char path[4200];

    if (doctor_find_program(name, path, sizeof(path))) {
        doctor_report(FINE, what, "", "%s", path);
    } else {
        doctor_report(LIMITED, what, advice, "no program '%s'", name);
    }
}

static void check_limits(void)
{
    struct rlimit files = {0, 0}, memlock = {0, 0};

    getrlimit(RLIMIT_NOFILE, &files);
    getrlimit(RLIMIT_MEMLOCK, &memlock);
    doctor_report(files.rlim_cur < FILES_WANTED ? LIMITED : FINE, "open files",
                  "ulimit -n 4096: scenarios with many connections need two each",
                  "RLIMIT_NOFILE %llu", (unsigned long long)files.rlim_cur);
    if (memlock.rlim_cur == RLIM_INFINITY) {
        doctor_report(FINE, "locked memory", "", "RLIMIT_MEMLOCK unlimited");
    } else {
        doctor_report(memlock.rlim_cur < MEMLOCK_WANTED ? LIMITED : FINE, "locked memory",
                      "RDMA locks its buffers, 64 MiB and more: ulimit -l unlimited",
                      "RLIMIT_MEMLOCK %llu KiB",
                      (unsigned long long)memlock.rlim_cur / 1024);
    }
}

static int examine(void)
{
    struct os *os = os_linux_new(1, "doctor");
    bool able;

    if (os == NULL) {
        fprintf(stderr, "msgrlab doctor: out of memory\n");
        return EXIT_CANNOT;
    }
    check_kernel();
    able = check_loopback(os);
    check_drivers(os);
    check_limits();
    doctor_check_program("dot", "graphviz",
                         "install graphviz: pictures as .svg, .png and .pdf; text "
                         "and .dot work without");
    doctor_check_program("ceph-mon", "ceph-mon",
                         "install ceph-mon: tests against a real monitor");
    doctor_check_program("ceph", "ceph",
                         "install ceph-common: a real client to talk to "
                         "msgrlab peer serve");
    doctor_check_rdma();
    os_linux_free(os);
    printf("\nSimulated scenarios run anywhere: msgrlab run scenarios/hello.lua\n%s\n",
           able ? "Real ones run here, too: msgrlab run scenarios/hello.lua --on linux"
                : "Real ones (--on linux) cannot run here.");
    return able ? EXIT_OK : EXIT_CANNOT;
}

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
    return examine();
}
