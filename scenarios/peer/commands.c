/* SPDX-License-Identifier: Apache-2.0 */
/* commands.c: the commands of `msgrlab peer serve`, and what they print. */
#include "scenarios/peer/serve.h"

#include <errno.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/peer/flat_json.h"

#ifndef MSGRLAB_VERSION
#define MSGRLAB_VERSION "unknown"
#endif

static void run_mon_dump(struct server *s, struct command_output *out)
{
    (out->json ? monmap_print_json : monmap_print)(out->file, &s->map);
    out->status = "dumped monmap epoch 1";
}

static void run_status(struct server *s, struct command_output *out)
{
    if (out->json) {
        fprintf(
            out->file,
            "{\"fsid\":\"%s\",\"health\":{\"status\":\"HEALTH_WARN\",\"checks\":"
            "{\"MSGRLAB\":{\"severity\":\"HEALTH_WARN\",\"summary\":{\"message\":\"" NOTE
            "\",\"count\":1},\"muted\":false}},\"mutes\":[]},\"quorum\":[0],"
            "\"quorum_names\":[\"" MON_NAME "\"],"
            "\"monmap\":{\"epoch\":1,\"num_mons\":1}}\n",
            s->fsid);
        return;
    }
    fprintf(out->file,
            "  cluster:\n"
            "    id:     %s\n"
            "    health: HEALTH_WARN\n"
            "            " NOTE "\n"
            " \n"
            "  services:\n"
            "    mon: 1 daemons, quorum " MON_NAME "\n"
            "    mgr: no daemons active\n"
            "    osd: 0 osds: 0 up, 0 in\n"
            " \n",
            s->fsid);
}

static void run_health(struct server *s, struct command_output *out)
{
    (void)s;
    fprintf(out->file,
            out->json ? "{\"status\":\"HEALTH_WARN\"}\n" : "HEALTH_WARN " NOTE "\n");
}

static void run_version(struct server *s, struct command_output *out)
{
    static const char version[] =
        "msgrlab version " MSGRLAB_VERSION ", speaking as Ceph 16.2";

    (void)s;
    fprintf(out->file, out->json ? "{\"version\":\"%s\"}\n" : "%s\n", version);
}

static void run_fsid(struct server *s, struct command_output *out)
{
    fprintf(out->file, out->json ? "{\"fsid\":\"%s\"}\n" : "%s\n", s->fsid);
}

static void run_osd_getmap(struct server *s, struct command_output *out)
{
    uint8_t bytes[OSDMAP_ENCODE_BYTES];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    osdmap_encode(&w, &s->osdmap);
    CHECK(!w.failed);
    fwrite(bytes, 1, wire_written(&w), out->file);
    out->status = "got osdmap epoch 1";
}

static const struct command {
    const char *prefix, *summary;
    void (*run)(struct server *s, struct command_output *out);
} commands[] = {
    {"mon dump", "dump formatted monmap", run_mon_dump},
    {"status", "show cluster status", run_status},
    {"health", "show cluster health", run_health},
    {"version", "show mon daemon version", run_version},
    {"fsid", "show cluster FSID/UUID", run_fsid},
    {"osd getmap", "get OSD map", run_osd_getmap},
};

/* What the client's command line is checked against. */
static void describe_commands(struct command_output *out)
{
    fprintf(out->file, "{");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        fprintf(out->file, "%s\"cmd%03zu\":{\"sig\":[", i > 0 ? "," : "", i);
        for (const char *at = commands[i].prefix; *at != '\0';) {
            size_t len = strcspn(at, " ");

            fprintf(out->file, "%s\"%.*s\"", at > commands[i].prefix ? "," : "", (int)len,
                    at);
            at += len + strspn(at + len, " ");
        }
        fprintf(out->file,
                "],\"help\":\"%s\",\"module\":\"mon\",\"perm\":\"r\",\"flags\":0}",
                commands[i].summary);
    }
    fprintf(out->file, "}\n");
}

static void run_command(struct server *s, const char *prefix, struct command_output *out)
{
    if (strcmp(prefix, "get_command_descriptions") == 0) {
        describe_commands(out);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(commands[i].prefix, prefix) == 0) {
            commands[i].run(s, out);
            return;
        }
    }
    out->result = -EINVAL;
    out->status =
        "msgrlab peer serve does not know this command; it knows: mon dump, status, "
        "health, version, fsid, osd getmap";
}

void serve_command(struct server *s, const struct ceph_text *json,
                   struct command_output *out, char name[COMMAND_NAME])
{
    char format[32];

    if (flat_json_field(json, "prefix", name, COMMAND_NAME) < 0) {
        snprintf(name, COMMAND_NAME, "%s", "(no prefix)");
    }
    out->json = flat_json_field(json, "format", format, sizeof(format)) == 0 &&
                strncmp(format, "json", 4) == 0;
    out->status = "";
    out->result = 0;
    run_command(s, name, out);
}
