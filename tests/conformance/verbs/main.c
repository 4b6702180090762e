/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c: verbs_conformance [OPTION...] DEVICE DEVICE: the suite on two real devices.
 *
 *   -p PERSONALITY   the column of rows.h to expect (rxe)
 *   -g INDEX         of the GID on both (1)
 *   -c CASE          only cases whose name begins with it
 *   -n               the devices are those of tests/softroce: ask about the network, too
 *   -o FILE          the table, as markdown (standard output)
 *
 * Exit code 0 if every answer is the expected one.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/os.h"
#include "tests/conformance/verbs/suite.h"

static void pause_2_ms(struct verbs_target *target)
{
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

/* Runs one of the functions of scenarios/softroce/lib.bash. */
static int trouble(const char *function, int side, const char *arguments)
{
    char command[256];

    snprintf(command, sizeof(command), ". scenarios/softroce/lib.bash && %s %d %s",
             function, side, arguments);
    if (setenv("VERBS_TROUBLE", command, 1) != 0) {
        return -1;
    }
    return system("bash -c \"$VERBS_TROUBLE\"") == 0 ? 0 : -1;
}

static int set_link(struct verbs_target *target, int side, bool up)
{
    return trouble(up ? "link_up" : "link_down", side, "");
}

static int set_wire(struct verbs_target *target, int side, const struct verbs_wire *wire)
{
    char arguments[96];

    if (wire->lost + wire->duplicated + wire->damaged == 0) {
        return trouble("netem_clear_one", side, "");
    }
    snprintf(arguments, sizeof(arguments), "loss %d%% duplicate %d%% corrupt %d%%",
             wire->lost, wire->duplicated, wire->damaged);
    return trouble("netem", side, arguments);
}

static int set_address(struct verbs_target *target, int side, bool present)
{
    return trouble(present ? "addr_add" : "addr_remove", side, "");
}

static void open_device(struct verbs_target *target, int side, struct verbs *v,
                        const char *name)
{
    int rc = verbs_open_device(v, name, &target->context[side]);

    if (rc < 0) {
        fprintf(stderr, "verbs_conformance: cannot open %s: %s\n", name, strerror(-rc));
        exit(2);
    }
    target->verbs[side] = v;
}

/* The devices, asked and closed again: how many answers were wrong. */
static int run(struct verbs_target *target, char **names, const char *only, FILE *table)
{
    struct os *os = os_linux_new(1, "verbs");
    struct verbs *v;
    int wrong;

    if (os == NULL || verbs_rdmacore_new(os, &v) < 0) {
        fprintf(stderr, "verbs_conformance: out of memory\n");
        exit(2);
    }
    open_device(target, 0, v, names[0]);
    open_device(target, 1, v, names[1]);
    wrong = verbs_suite_run(target, only, table);
    verbs_close_device(v, target->context[1]);
    verbs_close_device(v, target->context[0]);
    verbs_free(v);
    os_linux_free(os);
    return wrong;
}

int main(int argc, char **argv)
{
    /* Last byte 77: 192.0.2.77, where tests/softroce has nobody. */
    struct verbs_target target = {
        .personality = "rxe",
        .port = 1,
        .gid_index = {1, 1},
        .nobody = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 77}},
        .pause = pause_2_ms,
    };
    const char *only = NULL;
    FILE *table = stdout;
    int option, wrong;

    while ((option = getopt(argc, argv, "p:g:c:no:")) != -1) {
        switch (option) {
        case 'p':
            target.personality = optarg;
            break;
        case 'g':
            target.gid_index[0] = target.gid_index[1] = (uint8_t)atoi(optarg);
            break;
        case 'c':
            only = optarg;
            break;
        case 'n':
            target.set_link = set_link;
            target.set_address = set_address;
            target.set_wire = set_wire;
            break;
        case 'o':
            table = fopen(optarg, "w");
            break;
        default:
            return 2;
        }
    }
    if (optind + 2 != argc || table == NULL) {
        fprintf(stderr,
                "usage: verbs_conformance [-p PERSONALITY] [-g INDEX] [-c CASE] [-n] "
                "[-o FILE] DEVICE DEVICE\n");
        return 2;
    }
    wrong = run(&target, argv + optind, only, table);
    return wrong == 0 && fclose(table) == 0 ? 0 : 1;
}
