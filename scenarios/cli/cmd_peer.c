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

/* Letters, so that a verb can say in a word which ones it takes. */
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

static const struct cli_option options[] = {
    {"count", 0, "N", OPT_COUNT, "round trips of each kind (ping; 10)"},
    {"json", 0, NULL, OPT_JSON, "one line of JSON (monmap, ping)"},
    {"once", 0, NULL, OPT_ONCE, "end half a second after the last client has gone (serve)"},
    {"for", 0, "T", OPT_FOR, "end after that time (serve)"},
    {"timeout", 0, "T", OPT_TIMEOUT,
     "how long to wait for each answer, or (serve) how long a caller may take until it has "
     "a "
     "session (10s)"},
    {"stack", 0, "S", OPT_STACK, "tcp or rdma (tcp)"},
    {"device", 0, "NAME", OPT_DEVICE,
     "rdma: the device; by default the first that is usable"},
    {"rdma", 0, "K=V,...", OPT_RDMA,
     "rdma: options by Ceph's names (stacks/rdma/README.md), after " PEER_RDMA_OPTIONS
     "; buffer_size must be at least the peer's ms_async_rdma_buffer_size"},
    {"driver", 0, "D", OPT_DRIVER, "epoll, poll or select (epoll)"},
    {"msgr20", 0, NULL, OPT_MSGR20, "announce msgr2.0 framing instead of 2.1"},
    {"trace", 0, "FILE", OPT_TRACE, "record what happens"},
    {0},
};

struct line {
    struct peer_opts opts;
    char used[ARRAY_SIZE(options)]; /* letters of the options that were there, once each */
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

static int set_option(struct peer_opts *opts, int option, char *value)
{
    switch (option) {
    case OPT_COUNT:
        return set_count(opts, value);
    case OPT_DEVICE:
        return set_stack(opts, RUN_CLI_DEVICE, value);
    case OPT_DRIVER:
        return set_driver(opts, value);
    case OPT_FOR:
        return set_duration("for", value, &opts->for_ns);
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
        return set_stack(opts, RUN_CLI_RDMA, value);
    case OPT_STACK:
        return set_stack(opts, RUN_CLI_STACK, value);
    case OPT_TIMEOUT:
        return set_duration("timeout", value, &opts->timeout_ns);
    default:
        opts->trace_path = value;
        return EXIT_OK;
    }
}

static int take_option(void *state, int option, char *value)
{
    struct line *line = state;

    if (strchr(line->used, option) == NULL) {
        line->used[strlen(line->used)] = (char)option;
    }
    return set_option(&line->opts, option, value);
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
                if (options[i].id == *used) {
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
    if (opts->stack != STACK_RDMA && (opts->device != NULL || opts->rdma != NULL)) {
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

static int run_peer(int argc, char **argv)
{
    struct line line = {
        .opts = {.stack = STACK_TCP, .count = PING_COUNT, .timeout_ns = TIMEOUT_NS}};
    int code = cli_options(&command_peer, argc, argv, &line);

    return code == CLI_GO_ON ? run_verb(argc, argv, &line.opts, line.used) : code;
}

const struct cli_command command_peer = {
    .name = "peer",
    .summary = "speak to a real Ceph daemon, or be spoken to",
    .usage = "monmap ADDR [--json]\n"
             "ping ADDR [--count N] [--json]\n"
             "serve ADDR [--once] [--for T]",
    .about =
        "  monmap  ask a monitor for its map; printed as 'ceph mon dump' prints it\n"
        "  ping    time round trips of KEEPALIVE2 and of MON_GET_VERSION\n"
        "  serve   be a monitor for real 'ceph' clients, without authentication; Ctrl-C\n"
        "          ends it\n"
        "\n"
        "ADDR is [v2:]IP[:PORT][/NONCE], IPv6 in brackets, port 3300 if none is given;\n"
        "serve takes port 0 for any free one and prints it. Authentication is none, the\n"
        "mode crc: the cluster must have 'auth client required = none'. Peers with\n"
        "ms_type = async+rdma want --stack rdma; no session comes about between the two\n"
        "stacks.",
    .options = {options},
    .take = take_option,
    .more =
        "a picture of a session with real Ceph:\n"
        "  msgrlab peer monmap v2:127.0.0.1:3300 --trace mon.trace &&\n"
        "      msgrlab show mon.trace --view iopath -o mon.svg\n"
        "\n"
        "to be the monitor of a real client, in two terminals:\n"
        "  msgrlab peer serve 127.0.0.1:3300\n"
        "  ceph -c /dev/null --keyring /dev/null -m v2:127.0.0.1:3300 mon dump\n"
        "that client may also ping mon.a, ask for -s, status, health, version, fsid and "
        "osd\n"
        "getmap, and 'ceph tell mon.0'. The cluster is empty, and all that asks for a map\n"
        "or for statistics (rados lspools, rados df, rbd ls) is told so; what would "
        "change\n"
        "it is refused. A command for a manager ('ceph tell mgr') waits for one, as it "
        "does\n"
        "with a real monitor without. One line tells of each session, message and refused\n"
        "caller, with the reason.",
    .exits = {{EXIT_OK, "done"},
              {EXIT_EXPECTATION, "the RDMA stack has lost memory on the way"},
              {EXIT_CANNOT, "refused, not msgr2, the session was lost, or no RDMA device"},
              {EXIT_FILE, "the trace, or what is printed, could not be written"},
              {EXIT_TIMEOUT, "no answer in time"},
              {EXIT_INTERRUPTED, "Ctrl-C (serve: 0)"}},
    .run = run_peer,
};
