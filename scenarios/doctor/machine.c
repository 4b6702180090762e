/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine.c: tries, on this machine, what runs and tests need: the kernel, loopback, event
 * drivers, limits, programs of others. RDMA is in rdma.c.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "engine/event_driver.h"
#include "engine/os.h"
#include "engine/util.h"
#include "scenarios/doctor/doctor.h"

#define FILES_WANTED 1024
#define MEMLOCK_WANTED (64ULL << 20)

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

int doctor_examine(void)
{
    struct os *os = os_linux_new(1, "doctor");
    bool able;

    if (os == NULL) {
        fprintf(stderr, "msgrlab doctor: out of memory\n");
        return -ENOMEM;
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
    return able ? 0 : -ENETDOWN;
}
