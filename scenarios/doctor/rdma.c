/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rdma.c: the RDMA part of msgrlab doctor. Reads /sys and looks for files; opens no
 * device, so it disturbs nobody.
 */
#include <ctype.h>
#include <dirent.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "engine/util.h"
#include "scenarios/doctor/doctor.h"

#define CLASS "/sys/class/infiniband"
#define GIDS_LOOKED_AT 64
#define VM_ADVICE "msgrlab softroce -- COMMAND runs it in a virtual machine with soft-RoCE"

/* First line of a file, without its end; false if there is none. */
static bool read_line(const char *path, char *line, size_t size)
{
    FILE *file = fopen(path, "r");
    bool got;

    if (file == NULL) {
        return false;
    }
    got = fgets(line, (int)size, file) != NULL;
    fclose(file);
    if (got) {
        line[strcspn(line, "\n")] = '\0';
    }
    return got;
}

/* ---- devices ----------------------------------------------------------------------- */

/* "fe80:0000:..." in sysfs has all its zeros; an IPv4 address in one is told as such. */
static void gid_text(const char *gid, char *text, size_t size)
{
    unsigned a, b;

    if (sscanf(gid, "0000:0000:0000:0000:0000:ffff:%4x:%4x", &a, &b) == 2) {
        snprintf(text, size, "::ffff:%u.%u.%u.%u", a >> 8, a & 255, b >> 8, b & 255);
    } else {
        snprintf(text, size, "%s", gid);
    }
}

/* A line per GID that is in use. */
static void report_gids(const char *device, const char *port)
{
    char path[600], gid[64], type[64], netdev[64], text[64];
    int found = 0;

    for (int i = 0; i < GIDS_LOOKED_AT; i++) {
        snprintf(path, sizeof(path), CLASS "/%s/ports/%s/gids/%d", device, port, i);
        if (!read_line(path, gid, sizeof(gid)) || strspn(gid, "0:") == strlen(gid)) {
            continue;
        }
        snprintf(path, sizeof(path), CLASS "/%s/ports/%s/gid_attrs/types/%d", device, port,
                 i);
        if (!read_line(path, type, sizeof(type))) {
            snprintf(type, sizeof(type), "InfiniBand");
        }
        snprintf(path, sizeof(path), CLASS "/%s/ports/%s/gid_attrs/ndevs/%d", device, port,
                 i);
        if (!read_line(path, netdev, sizeof(netdev))) {
            snprintf(netdev, sizeof(netdev), "no network device");
        }
        gid_text(gid, text, sizeof(text));
        doctor_report(FINE, "  GID", "", "index %d: %s, %s, %s", i, text, type, netdev);
        found++;
    }
    if (found == 0) {
        doctor_report(LIMITED, "  GID",
                      "give its network device an address: ip addr add ...",
                      "none in use on port %s of %s", port, device);
    }
}

static void report_port(const char *device, const char *port)
{
    char path[600], state[64] = "unknown", link[64] = "unknown";
    bool is_active;

    snprintf(path, sizeof(path), CLASS "/%s/ports/%s/state", device, port);
    read_line(path, state, sizeof(state));
    snprintf(path, sizeof(path), CLASS "/%s/ports/%s/link_layer", device, port);
    read_line(path, link, sizeof(link));
    is_active = strstr(state, "ACTIVE") != NULL;
    doctor_report(is_active ? FINE : LIMITED, device,
                  "nothing can be sent: bring its network device up (ip link set ... up)",
                  "port %s: %s, %s", port, state, link);
    report_gids(device, port);
}

/* The device file by which programs reach it. */
static void report_rights(const char *device)
{
    char path[600];
    struct dirent *entry;
    DIR *dir = opendir("/sys/class/infiniband_verbs");

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char name[64] = "";

        if (strncmp(entry->d_name, "uverbs", 6) != 0) {
            continue;
        }
        snprintf(path, sizeof(path), "/sys/class/infiniband_verbs/%.64s/ibdev",
                 entry->d_name);
        if (!read_line(path, name, sizeof(name)) || strcmp(name, device) != 0) {
            continue;
        }
        snprintf(path, sizeof(path), "/dev/infiniband/%.64s", entry->d_name);
        if (access(path, R_OK | W_OK) != 0) {
            doctor_report(LIMITED, "  rights", "be root, or allow the file to your group",
                          "%s cannot be opened for reading and writing", path);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

/* How many there are. */
static int report_devices(void)
{
    struct dirent *device, *port;
    DIR *devices = opendir(CLASS), *ports;
    char path[600];
    int n = 0;

    while (devices != NULL && (device = readdir(devices)) != NULL) {
        if (device->d_name[0] == '.') {
            continue;
        }
        n++;
        snprintf(path, sizeof(path), CLASS "/%s/ports", device->d_name);
        ports = opendir(path);
        while (ports != NULL && (port = readdir(ports)) != NULL) {
            if (isdigit((unsigned char)port->d_name[0])) {
                report_port(device->d_name, port->d_name);
            }
        }
        if (ports != NULL) {
            closedir(ports);
        }
        report_rights(device->d_name);
    }
    if (devices != NULL) {
        closedir(devices);
    }
    return n;
}

/* ---- soft-RoCE ----------------------------------------------------------------------- */

static bool line_with(const char *path, const char *word)
{
    FILE *file = fopen(path, "r");
    char line[4096];
    bool found = false;

    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL) {
        found = strstr(line, word) != NULL;
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

/* True if this kernel has the module, or could load it. */
static bool report_module(void)
{
    struct utsname name;
    char path[200];

    if (access("/sys/module/rdma_rxe", F_OK) == 0) {
        doctor_report(FINE, "rdma_rxe", "", "soft-RoCE is loaded");
        return true;
    }
    if (uname(&name) == 0) {
        snprintf(path, sizeof(path), "/lib/modules/%.100s/modules.dep", name.release);
        if (line_with(path, "/rdma_rxe.ko")) {
            doctor_report(LIMITED, "rdma_rxe",
                          "modprobe rdma_rxe; rdma link add rxe0 type rxe netdev DEVICE",
                          "soft-RoCE can be loaded");
            return true;
        }
    }
    doctor_report(LIMITED, "rdma_rxe", VM_ADVICE, "soft-RoCE is not in this kernel");
    return false;
}

/* A kernel of "msgrlab softroce" in the cache that it would use (softroce/kernel.sh). */
static bool find_kernel(char *ret, size_t size)
{
    static const char *const places[][2] = {{"SOFTROCE_CACHE", ""},
                                            {"XDG_CACHE_HOME", "/msgrlab"},
                                            {"HOME", "/.cache/msgrlab"}};
    glob_t found = {.gl_pathc = 0};
    char pattern[500];
    bool has;

    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        const char *folder = getenv(places[i][0]);

        if (folder == NULL || folder[0] == '\0') {
            continue;
        }
        snprintf(pattern, sizeof(pattern), "%s%s/softroce-*/sizes", folder, places[i][1]);
        has = glob(pattern, 0, NULL, &found) == 0;
        if (has) {
            snprintf(ret, size, "%s", found.gl_pathv[0]);
            *strrchr(ret, '/') = '\0';
        }
        globfree(&found);
        return has;
    }
    return false;
}

/* What msgrlab softroce needs. */
static void report_machine(void)
{
    static const char *const places[] = {"/etc/libibverbs.d/rxe.driver",
                                         "/usr/local/etc/libibverbs.d/rxe.driver"};
    char kernel[500];

    doctor_report(
        access(places[0], R_OK) == 0 || access(places[1], R_OK) == 0 ? FINE : LIMITED,
        "rxe provider", "install ibverbs-providers", "libibverbs' part of soft-RoCE");
    doctor_check_program("qemu-system-x86_64", "vm: qemu", "install qemu-system-x86");
    doctor_check_program("busybox", "vm: busybox", "install busybox-static");
    doctor_check_program("xz", "vm: xz", "install xz-utils: it unpacks the kernel");
    doctor_check_program("rdma", "vm: rdma", "install iproute2: it makes the devices");
    if (find_kernel(kernel, sizeof(kernel))) {
        doctor_report(FINE, "vm: kernel", "", "%s", kernel);
    } else {
        doctor_check_program("apt-get", "vm: kernel",
                             "set SOFTROCE_DEB to Debian's package linux-image-...-amd64");
    }
}

void doctor_check_rdma(void)
{
    int devices = report_devices();
    bool has_module = report_module();

    if (devices == 0) {
        doctor_report(LIMITED, "RDMA devices",
                      has_module ? "rdma link add rxe0 type rxe netdev DEVICE" : VM_ADVICE,
                      "none here (%s)",
                      access(CLASS, F_OK) == 0 ? "the kernel knows RDMA"
                                               : "no " CLASS ": no RDMA in this kernel");
    }
    report_machine();
}
