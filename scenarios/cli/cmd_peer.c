/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_peer.c: `msgrlab peer`: its command line.
 */
#include <stdio.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/base/interrupt.h"
#include "scenarios/base/words.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/commands.h"
#include "scenarios/base/exit_codes.h"
#include "scenarios/peer/peer.h"
#include "scenarios/cli/run_cli.h"

#define MON_PORT 3300
#define TIMEOUT_NS (10 * NSEC_PER_SEC)
#define PING_COUNT 10
#define PING_COUNT_MAX 1000000

static const char help[] =
    "msgrlab peer: speak to a real Ceph daemon, or be spoken to\n"
    "\n"
    "usage: msgrlab peer monmap ADDR [--json]\n"
    "       msgrlab peer ping ADDR [--count N] [--json]\n"
    "       msgrlab peer serve ADDR [--once] [--for T]\n"
    "\n"
    "  monmap  ask a monitor for its map; printed as 'ceph mon dump' prints it\n"
    "  ping    time round trips of KEEPALIVE2 and of MON_GET_VERSION\n"
    "  serve   be a monitor for real 'ceph' clients, without authentication; Ctrl-C ends "
    "it\n"
    "\n"
    "ADDR is [v2:]IP[:PORT][/NONCE], IPv6 in brackets, port 3300 if none is given; serve\n"
    "takes port 0 for any free one and prints it. Authentication is none, the mode crc: "
    "the\n"
    "cluster must have 'auth client required = none'. Peers with ms_type = async+rdma "
    "want\n"
    "--stack rdma; no session comes about between the two stacks.\n"
    "\n"
    "options:\n"
    "  --count N      round trips of each kind (ping; 10)\n"
    "  --json         one line of JSON (monmap, ping)\n"
    "  --once         end half a second after the last client has gone (serve)\n"
    "  --for T        end after that time (serve)\n"
    "  --timeout T    how long to wait for each answer, or (serve) how long a caller may\n"
    "                 take until it has a session (10s)\n"
    "  --stack S      tcp or rdma (tcp)\n"
    "  --device NAME  rdma: the device; by default the first that is usable\n"
    "  --rdma K=V,... rdma: options by Ceph's names (stacks/rdma/README.md), after\n"
    "                 " PEER_RDMA_OPTIONS ";\n"
    "                 buffer_size must be at least the peer's ms_async_rdma_buffer_size\n"
    "  --driver D     epoll, poll or select (epoll)\n"
    "  --msgr20       announce msgr2.0 framing instead of 2.1\n"
    "  --trace FILE   record what happens\n"
    "  --help         this text\n"
    "\n"
    "a picture of a session with real Ceph:\n"
    "  msgrlab peer monmap v2:127.0.0.1:3300 --trace mon.trace &&\n"
    "      msgrlab show mon.trace --view iopath -o mon.svg\n"
    "\n"
    "to be the monitor of a real client, in two terminals:\n"
    "  msgrlab peer serve 127.0.0.1:3300\n"
    "  ceph -c /dev/null --keyring /dev/null -m v2:127.0.0.1:3300 mon dump\n"
    "that client may also ping mon.a, ask for -s, status, health, version, fsid and osd\n"
    "getmap, and 'ceph tell mon.0'. The cluster is empty, and all that asks for a map or "
    "for\n"
    "statistics (rados lspools, rados df, rbd ls) is told so; what would change it is\n"
    "refused. A command for a manager ('ceph tell mgr') waits for one, as it does with a "
    "real\n"
    "monitor without. One line tells of each session, message and refused caller, with "
    "the\n"
    "reason.\n"
    "\n"
    "exit codes: 0 done, 2 wrong command line, 4 refused, not msgr2, the session was lost, "
    "or\n"
    "no RDMA device, 5 the trace could not be written, 6 no answer in time, 130 Ctrl-C "
    "(serve: 0)\n";

/* ---- the command line ---- */

enum {
    OPT_COUNT = 'n',
    OPT_DEVICE = 'v',
    OPT_DRIVER = 'd',
    OPT_FOR = 'f',
    OPT_JSON = 'j',
    OPT_MSGR20 = '2',
    OPT_ONCE = '1',
    OPT_RDMA = 'm',
    OPT_STACK = 's',
    OPT_TIMEOUT = 't',
    OPT_TRACE = 'r',
};

static const struct option options[] = {
    {"count", required_argument, NULL, OPT_COUNT},
    {"device", required_argument, NULL, OPT_DEVICE},
    {"driver", required_argument, NULL, OPT_DRIVER},
    {"for", required_argument, NULL, OPT_FOR},
    {"json", no_argument, NULL, OPT_JSON},
    {"msgr20", no_argument, NULL, OPT_MSGR20},
    {"once", no_argument, NULL, OPT_ONCE},
    {"rdma", required_argument, NULL, OPT_RDMA},
    {"stack", required_argument, NULL, OPT_STACK},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"trace", required_argument, NULL, OPT_TRACE},
    CLI_HELP,
    {NULL, 0, NULL, 0},
};

static const struct verb {
    const char *name;
    const char *options; /* letters it takes */
    int (*run)(const struct peer_opts *opts);
} verbs[] = {
    {"monmap", "dj2trsvm", peer_monmap},
    {"ping", "ndj2trsvm", peer_ping},
    {"serve", "df21trsvm", peer_serve},
};

static int set_count(struct peer_opts *opts, const char *text)
{
    uint64_t count;

    if (!words_number(text, PING_COUNT_MAX, &count) || count == 0) {
        return cli_usage_error("peer", "--count %s: that is no number from 1 to %d", text,
                               PING_COUNT_MAX);
    }
    opts->count = (uint32_t)count;
    return EXIT_OK;
}

static int set_duration(const char *name, const char *text, uint64_t *ret_ns)
{
    if (!words_duration(text, ret_ns) || *ret_ns == 0) {
        return cli_usage_error("peer", "--%s wants %s, not '%s'", name, WORDS_DURATION_FORM,
                               text);
    }
    return EXIT_OK;
}

static int set_driver(struct peer_opts *opts, const char *text)
{
    int driver = event_driver_by_name(text);

    if (driver < 0) {
        return cli_usage_error("peer", "--driver %s: there are epoll, poll and select",
                               text);
    }
    opts->driver = (enum event_driver_kind)driver;
    return EXIT_OK;
}

/* As `msgrlab run` takes them. */
static int set_stack(struct peer_opts *opts, int run_option, char *text)
{
    struct run_opts run = {
        .world = {.stack = opts->stack, .device = opts->device, .rdma = opts->rdma}};
    int code = run_cli_take("peer", run_option, text, &run);

    opts->stack = run.world.stack;
    opts->device = run.world.device;
    opts->rdma = run.world.rdma;
    return code;
}

static int set_option(struct peer_opts *opts, int option)
{
    switch (option) {
    case OPT_COUNT:
        return set_count(opts, optarg);
    case OPT_DEVICE:
        return set_stack(opts, RUN_CLI_DEVICE, optarg);
    case OPT_DRIVER:
        return set_driver(opts, optarg);
    case OPT_FOR:
        return set_duration("for", optarg, &opts->for_ns);
    case OPT_JSON:
        opts->json = true;
        return EXIT_OK;
    case OPT_MSGR20:
        opts->msgr20 = true;
        return EXIT_OK;
    case OPT_ONCE:
        opts->once = true;
        return EXIT_OK;
    case OPT_RDMA:
        return set_stack(opts, RUN_CLI_RDMA, optarg);
    case OPT_STACK:
        return set_stack(opts, RUN_CLI_STACK, optarg);
    case OPT_TIMEOUT:
        return set_duration("timeout", optarg, &opts->timeout_ns);
    case OPT_TRACE:
        opts->trace_path = optarg;
        return EXIT_OK;
    default:
        return EXIT_USAGE; /* CLI_BAD: the error was printed */
    }
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

static int complain_verb(const char *name)
{
    const char *names[ARRAY_SIZE(verbs)];
    const char *meant;

    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        names[i] = verbs[i].name;
    }
    meant = words_suggest(name, names, ARRAY_SIZE(names));
    if (meant != NULL) {
        return cli_usage_error("peer", "there is no '%s'; did you mean '%s'?", name, meant);
    }
    return cli_usage_error("peer", "there is no '%s'; there are monmap, ping and serve",
                           name);
}

/* The first option that does not belong to the verb; NULL if all do. */
static const char *stray_option(const struct verb *verb, const char *used)
{
    for (; *used != '\0'; used++) {
        if (strchr(verb->options, *used) == NULL) {
            for (size_t i = 0; options[i].name != NULL; i++) {
                if (options[i].val == *used) {
                    return options[i].name;
                }
            }
        }
    }
    return NULL;
}

static int parse_address(struct peer_opts *opts)
{
    const char *why = "";

    if (entity_addrvec_parse(opts->address, ADDR_MSGR2, MON_PORT, &opts->addrs, &why) < 0) {
        return cli_usage_error("peer", "address '%s': %s; it is [v2:]IP[:PORT][/NONCE]",
                               opts->address, why);
    }
    if (entity_addrvec_find(&opts->addrs, ADDR_MSGR2) == NULL) {
        return cli_usage_error("peer",
                               "address '%s' is not of msgr2: use the v2 address of the "
                               "monitor, port 3300 if nobody changed it",
                               opts->address);
    }
    return EXIT_OK;
}

static int run_verb(int argc, char **argv, struct peer_opts *opts, const char *used)
{
    const struct verb *verb;
    struct interrupt interrupt;
    const char *stray;
    int n = argc - optind, code;

    if (n == 0) {
        return cli_usage_error("peer", "what? There are monmap, ping and serve");
    }
    verb = find_verb(argv[optind]);
    if (verb == NULL) {
        return complain_verb(argv[optind]);
    }
    if (n != 2) {
        return n < 2 ? cli_usage_error("peer", "%s: which address?", verb->name)
                     : cli_usage_error("peer", "%s: one address is enough, what is '%s'?",
                                       verb->name, argv[optind + 2]);
    }
    stray = stray_option(verb, used);
    if (stray != NULL) {
        return cli_usage_error("peer", "%s has no option '--%s'", verb->name, stray);
    }
    if (strcmp(opts->stack, "rdma") != 0 && (opts->device != NULL || opts->rdma != NULL)) {
        return cli_usage_error("peer", "--device and --rdma are for --stack rdma");
    }
    opts->verb = verb->name;
    opts->address = argv[optind + 1];
    if (parse_address(opts) != EXIT_OK) {
        return EXIT_USAGE;
    }
    interrupt_watch(&interrupt);
    code = verb->run(opts);
    interrupt_unwatch(&interrupt);
    return code;
}

int cmd_peer(int argc, char **argv)
{
    struct peer_opts opts = {.stack = "tcp", .count = PING_COUNT, .timeout_ns = TIMEOUT_NS};
    char used[64] = "";
    int option;

    cli_start();
    while ((option = cli_next(argc, argv, "h", options)) != CLI_END) {
        size_t n = strlen(used);

        if (option == 'h') {
            fputs(help, stdout);
            return EXIT_OK;
        }
        if (set_option(&opts, option) != EXIT_OK) {
            return EXIT_USAGE;
        }
        if (n + 1 < sizeof(used) && strchr(used, option) == NULL) {
            used[n] = (char)option;
        }
    }
    return run_verb(argc, argv, &opts, used);
}
