/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_faults.c: `msgrlab faults`: the catalogue of what can go wrong, where it is done,
 * what it may lead to, and, given the summaries of campaigns, whether it ever happened; so
 * with the completion errors and asynchronous events that RDMA devices have.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/commands.h"
#include "scenarios/base/exit_codes.h"
#include "scenarios/campaign/verbs_places.h"
#include "sim/faults/faults.h"

#define SUMMARY_MAX (64u << 20)
#define GROUPS "LSTPRBV"

/* Names of `msgrlab campaign --coverage`. */
static const char *const places[] = {
#define X(name) "wc:" #name,
    WC_ERRORS(X)
#undef X
#define X(name) "async:" #name,
        ASYNC_EVENTS(X)
#undef X
};

struct request {
    char group; /* 0: all */
    bool json;
    bool coverage, complete;
    uint64_t fired[FAULT_COUNT];
    uint64_t reached[ARRAY_SIZE(places)];
    uint64_t runs; /* summaries read */
};

/* ---- summaries --------------------------------------------------------------------- */

static const char *skip_space(const char *p)
{
    while (isspace((unsigned char)*p)) {
        p++;
    }
    return p;
}

/* Reads "name": number at p. NULL: there is none. */
static const char *read_pair(const char *p, char name[FAULT_NAME], uint64_t *ret)
{
    size_t n = 0;
    char *end;

    p = skip_space(p);
    if (*p++ != '"') {
        return NULL;
    }
    while (*p != '\0' && *p != '"' && n + 1 < FAULT_NAME) {
        name[n++] = *p++;
    }
    name[n] = '\0';
    if (*p != '"') {
        return NULL;
    }
    p = skip_space(p + 1);
    if (*p != ':') {
        return NULL;
    }
    p = skip_space(p + 1);
    *ret = strtoull(p, &end, 10);
    return end != p ? end : NULL;
}

/* Where the count of that name is kept; NULL: nowhere. */
static uint64_t *counter(struct request *r, const char *name)
{
    int id = fault_by_name(name);

    if (id >= 0) {
        return &r->fired[id];
    }
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        if (strcmp(places[i], name) == 0) {
            return &r->reached[i];
        }
    }
    return NULL;
}

/* Adds up each KEY: { NAME: N, ... } of the text; false: there is none. */
static bool add_object(struct request *r, const char *text, const char *key)
{
    bool any = false;

    for (const char *p = text; (p = strstr(p, key)) != NULL;) {
        char name[FAULT_NAME];
        uint64_t n, *count;

        p = skip_space(p + strlen(key));
        p = *p == ':' ? skip_space(p + 1) : p;
        if (*p != '{') {
            continue;
        }
        any = true;
        do {
            const char *next = read_pair(p + 1, name, &n);

            if (next == NULL) {
                break;
            }
            count = counter(r, name);
            if (count != NULL) {
                *count += n;
            }
            p = skip_space(next);
        } while (*p == ',');
    }
    return any;
}

static bool add_summary(struct request *r, const char *text)
{
    bool any = add_object(r, text, "\"faults\"");

    add_object(r, text, "\"reached\"");
    r->runs += any;
    return any;
}

static int read_summary(struct request *r, const char *path, bool must)
{
    FILE *file = fopen(path, "rb");
    char *text = file != NULL ? malloc(SUMMARY_MAX) : NULL;
    int code = EXIT_OK;

    if (text == NULL) {
        fprintf(stderr, "msgrlab: cannot read %s: %s\n", path,
                file == NULL ? strerror(errno) : "out of memory");
        code = EXIT_FILE;
    } else {
        text[fread(text, 1, SUMMARY_MAX - 1, file)] = '\0';
        if (!add_summary(r, text) && must) {
            fprintf(stderr,
                    "msgrlab: %s has no \"faults\": { ... }: is it the summary of "
                    "a campaign?\n",
                    path);
            code = EXIT_FILE;
        }
    }
    free(text);
    if (file != NULL) {
        fclose(file);
    }
    return code;
}

/* All *.json of a directory. */
static int read_directory(struct request *r, const char *path, DIR *dir)
{
    const struct dirent *entry;
    uint64_t before = r->runs;
    int code = EXIT_OK;

    while (code == EXIT_OK && (entry = readdir(dir)) != NULL) {
        size_t n = strlen(entry->d_name);
        char file[4096];

        if (n > 5 && strcmp(entry->d_name + n - 5, ".json") == 0) {
            snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
            code = read_summary(r, file, false);
        }
    }
    if (code == EXIT_OK && r->runs == before) {
        fprintf(stderr, "msgrlab: no *.json in %s tells of faults\n", path);
        code = EXIT_FILE;
    }
    return code;
}

static int read_coverage(struct request *r, const char *path)
{
    DIR *dir = opendir(path);
    int code;

    if (dir == NULL) {
        return read_summary(r, path, true);
    }
    code = read_directory(r, path, dir);
    closedir(dir);
    return code;
}

/* ---- printing ---------------------------------------------------------------------- */

static const char *consequences(int mask, char *text, size_t size)
{
    size_t n = 0;

    if (mask == FC_ALL) {
        return "any";
    }
    text[0] = '\0';
    for (int i = 0; i < 6; i++) {
        if (mask & 1 << i) {
            n += (size_t)snprintf(text + n, size - n, "%s%s", n > 0 ? "+" : "",
                                  fault_consequence_names[i]);
        }
    }
    return text;
}

static bool is_for_frames(const struct fault_info *info)
{
    enum fault_id id = (enum fault_id)fault_by_name(info->name);

    return fault_is_for_frames(id, FAULT_READ) || fault_is_for_frames(id, FAULT_WRITE);
}

/* What makes it happen. Frame rules are for some of the calls only. */
static const char *trigger(const struct fault_info *info)
{
    return info->decision < 0    ? "script, profile"
           : is_for_frames(info) ? "rule, frame, rate"
                                 : "rule, rate";
}

static bool is_asked_for(const struct request *r, char group)
{
    return r->group == 0 || r->group == group;
}

/* The text, broken into lines behind so many columns. */
static void print_wrapped(const char *text, int indent)
{
    int column = indent;

    for (const char *p = text; *p != '\0';) {
        int n = (int)strcspn(p, " ");

        if (column + n > 92 && column > indent) {
            printf("\n%*s", indent, "");
            column = indent;
        }
        printf("%.*s%s", n, p, p[n] != '\0' ? " " : "");
        column += n + 1;
        p += n + (p[n] != '\0');
    }
    printf("\n");
}

static void print_rows(const struct request *r)
{
    char text[80];

    for (int id = 0; id < FAULT_COUNT; id++) {
        const struct fault_info *info = fault_info((enum fault_id)id);

        if (!is_asked_for(r, info->group)) {
            continue;
        }
        printf("%-18s %-16s %-17s %-22s", info->name, info->site, trigger(info),
               consequences(info->consequences, text, sizeof(text)));
        if (r->coverage) {
            printf(" %10" PRIu64 "%s", r->fired[id], r->fired[id] == 0 ? "  NEVER" : "");
        }
        printf("\n    ");
        print_wrapped(info->what, 4);
    }
}

static void print_places(const struct request *r)
{
    if (!r->coverage || !is_asked_for(r, 'V')) {
        return;
    }
    printf("\n%-76s %10s\n", "completion errors and asynchronous events", "reached");
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        printf("%-76s %10" PRIu64 "%s\n", places[i], r->reached[i],
               r->reached[i] == 0 ? "  NEVER" : "");
    }
    printf("not those of other services:\n");
#define X(names, why)                                                                      \
    printf("    ");                                                                        \
    print_wrapped(names ": " why, 4);
    VERBS_PLACES_NOT(X)
#undef X
}

/* How many of what is asked for never happened. */
static uint32_t missing(const struct request *r)
{
    uint32_t n = 0;

    for (int id = 0; id < FAULT_COUNT; id++) {
        n += is_asked_for(r, fault_info((enum fault_id)id)->group) && r->fired[id] == 0;
    }
    for (size_t i = 0; is_asked_for(r, 'V') && i < ARRAY_SIZE(places); i++) {
        n += r->reached[i] == 0;
    }
    return n;
}

static void print_catalogue(const struct request *r)
{
    printf("%-18s %-16s %-17s %-22s%s\n", "fault", "acts at", "by", "may lead to",
           r->coverage ? "      fired" : "");
    print_rows(r);
    printf("\nwithout injecting: always so, or said by the script\n");
#define X(id, group, what)                                                                 \
    if (is_asked_for(r, group)) {                                                          \
        printf("%-10s ", id);                                                              \
        print_wrapped(what, 11);                                                           \
    }
    FAULTS_GIVEN(X)
    printf("\nnot here, and why\n");
    FAULTS_NOT(X)
#undef X
    print_places(r);
}

static void print_json_pair(const char *id, const char *what, bool *first)
{
    printf("%s\n    {\"id\": \"%s\", \"why\": \"%s\"}", *first ? "" : ",", id, what);
    *first = false;
}

static void print_json(const struct request *r)
{
    bool first = true;
    char text[80];

    printf("{\n  \"faults\": [");
    for (int id = 0; id < FAULT_COUNT; id++) {
        const struct fault_info *info = fault_info((enum fault_id)id);

        if (!is_asked_for(r, info->group)) {
            continue;
        }
        printf("%s\n    {\"name\": \"%s\", \"group\": \"%c\", \"site\": \"%s\", "
               "\"triggers\": \"%s\", \"consequences\": \"%s\", \"what\": \"%s\"",
               first ? "" : ",", info->name, info->group, info->site, trigger(info),
               consequences(info->consequences, text, sizeof(text)), info->what);
        if (r->coverage) {
            printf(", \"fired\": %" PRIu64, r->fired[id]);
        }
        printf("}");
        first = false;
    }
    printf("\n  ],\n  \"given\": [");
    first = true;
#define X(id, group, what)                                                                 \
    if (is_asked_for(r, group)) {                                                          \
        print_json_pair(id, what, &first);                                                 \
    }
    FAULTS_GIVEN(X)
    printf("\n  ],\n  \"not_applicable\": [");
    first = true;
    FAULTS_NOT(X)
#undef X
    printf("\n  ]");
    if (r->coverage) {
        printf(",\n  \"reached\": {");
        for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
            printf("%s\"%s\": %" PRIu64, i > 0 ? ", " : "", places[i], r->reached[i]);
        }
        printf("}");
    }
    printf("\n}\n");
}

/* ---- the command ------------------------------------------------------------------- */

enum { OPT_GROUP, OPT_JSON, OPT_COVERAGE, OPT_COMPLETE };

static int take_option(void *state, int option, char *value)
{
    struct request *r = state;

    switch (option) {
    case OPT_GROUP:
        r->group = (char)toupper((unsigned char)value[0]);
        if (value[0] == '\0' || value[1] != '\0' || strchr(GROUPS, r->group) == NULL) {
            return cli_usage_error("faults", "there is no group '%s'; groups are %s", value,
                                   GROUPS);
        }
        return EXIT_OK;
    case OPT_JSON:
        r->json = true;
        return EXIT_OK;
    case OPT_COMPLETE:
        r->complete = true;
        return EXIT_OK;
    default:
        r->coverage = true;
        return read_coverage(r, value);
    }
}

static int run_faults(int argc, char **argv)
{
    struct request r = {0};
    int code = cli_options(&command_faults, argc, argv, &r);

    if (code != CLI_GO_ON) {
        return code;
    }
    if (r.complete && !r.coverage) {
        return cli_usage_error("faults", "--complete goes with --coverage only");
    }
    if (optind < argc && !r.coverage) {
        return cli_usage_error("faults", "'%s' goes with --coverage only", argv[optind]);
    }
    for (; optind < argc; optind++) {
        code = read_coverage(&r, argv[optind]);
        if (code != EXIT_OK) {
            return code;
        }
    }
    (r.json ? print_json : print_catalogue)(&r);
    if (r.complete && missing(&r) > 0) {
        fprintf(stderr, "msgrlab faults: %u of these never happened\n", missing(&r));
        return EXIT_EXPECTATION;
    }
    return EXIT_OK;
}

static const struct cli_option options[] = {
    {"group", 0, "G", OPT_GROUP,
     "one group: L links, S socket calls, T event loop, threads and time, P processes, R "
     "resources, V RDMA devices"},
    {"json", 0, NULL, OPT_JSON, "one object, for programs"},
    {"coverage", 0, "PATH", OPT_COVERAGE,
     "how often each fired, by the summaries in these files and directories (*.json, as "
     "campaigns write them: anywhere in it \"faults\": { NAME: N, ... }); marked are those "
     "that never did. Also the completion errors and asynchronous events of RDMA devices, "
     "if the campaigns were run with --coverage"},
    {"complete", 0, NULL, OPT_COMPLETE, "exit code 1 if one of all these never happened"},
    {0},
};

const struct cli_command command_faults = {
    .name = "faults",
    .summary = "what can go wrong, and what of it ever did",
    .usage = "[--group L|S|T|P|R|V] [--json]\n"
             "[--group L|S|T|P|R|V] [--json] --coverage PATH... [--complete]",
    .about =
        "Lists every fault: its name, where it acts, what it may lead to, what it does.",
    .options = {options},
    .take = take_option,
    .more = "In a script:  fault.inject { id = NAME, ... }   (scenarios/README.md)",
    .exits = {{EXIT_OK, "it was printed"},
              {EXIT_EXPECTATION, "with --complete: something never happened"},
              {EXIT_FILE, "a summary cannot be read, or what is printed not be written"}},
    .run = run_faults,
};
