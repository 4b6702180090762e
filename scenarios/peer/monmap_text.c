/* SPDX-License-Identifier: Apache-2.0 */
/* monmap_text.c: the monitor map as text, in the shape of `ceph mon dump`. */
#include "scenarios/peer/monmap_text.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "engine/util.h"

#define TIME_TEXT 48
/* Ceph prints less than ten years as a mere number of seconds. */
#define RELATIVE_SECONDS_MAX (10LL * 365 * 24 * 60 * 60)

static const char *release_name(uint8_t release)
{
    static const char *const names[] = {
        [9] = "infernalis", [10] = "jewel",    [11] = "kraken",  [12] = "luminous",
        [13] = "mimic",     [14] = "nautilus", [15] = "octopus", [16] = "pacific",
        [17] = "quincy",    [18] = "reef",     [19] = "squid",   [20] = "tentacle",
    };

    return release < ARRAY_SIZE(names) && names[release] != NULL ? names[release]
                                                                 : "unknown";
}

const char *fsid_text(const uint8_t fsid[CEPH_FSID_BYTES], char buf[FSID_TEXT])
{
    char *at = buf;

    for (int i = 0; i < CEPH_FSID_BYTES; i++) {
        at += sprintf(at, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                      fsid[i]);
    }
    return buf;
}

/* "2024-03-01T09:30:00.000000+0100"; in UTC with a Z. */
static const char *time_text(const struct ceph_time *t, bool utc, char buf[TIME_TEXT])
{
    time_t sec = t->sec;
    unsigned usec = t->nsec / 1000;
    char zone[8] = "Z";
    struct tm tm;
    size_t n;

    if (sec < RELATIVE_SECONDS_MAX || (utc ? gmtime_r : localtime_r)(&sec, &tm) == NULL) {
        snprintf(buf, TIME_TEXT, "%" PRIu32 ".%06u", t->sec, usec);
        return buf;
    }
    if (!utc) {
        strftime(zone, sizeof(zone), "%z", &tm);
    }
    n = strftime(buf, TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(buf + n, TIME_TEXT - n, ".%06u%s", usec, zone);
    return buf;
}

void monmap_print(FILE *out, const struct monmap *map)
{
    char fsid[FSID_TEXT], stamp[TIME_TEXT], addrs[ENTITY_ADDRVEC_TEXT];

    fprintf(out, "epoch %" PRIu32 "\n", map->epoch);
    fprintf(out, "fsid %s\n", fsid_text(map->fsid, fsid));
    fprintf(out, "last_changed %s\n", time_text(&map->last_changed, false, stamp));
    fprintf(out, "created %s\n", time_text(&map->created, false, stamp));
    fprintf(out, "min_mon_release %u (%s)\n", map->min_mon_release,
            release_name(map->min_mon_release));
    fprintf(out, "election_strategy: %u\n", map->election_strategy);
    if (map->stretch_mode) {
        fprintf(out, "stretch_mode_enabled 1\ntiebreaker_mon %s\n", map->tiebreaker);
    }
    if (map->stretch_mode || map->disallowed_n > 0) {
        fprintf(out, "disallowed_leaders ");
        for (uint32_t i = 0; i < map->disallowed_n; i++) {
            fprintf(out, "%s%s", i > 0 ? "," : "", map->disallowed[i]);
        }
        fprintf(out, "\n");
    }
    for (uint32_t rank = 0; rank < map->mons_n; rank++) {
        const struct mon_info *mon = &map->mons[rank];

        fprintf(out, "%" PRIu32 ": %s mon.%s\n", rank,
                entity_addrvec_text(&mon->addrs, addrs), mon->name);
    }
}

/* ---- JSON ---- */

/* The decoder has refused control characters. */
static void print_json_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            fputc('\\', out);
        }
        fputc(*text, out);
    }
    fputc('"', out);
}

/* Ceph splits "v2:127.0.0.1:3300/0" into its three parts. */
static void print_json_addr(FILE *out, const struct entity_addr *addr)
{
    char text[ENTITY_ADDR_TEXT];
    const char *ip;
    size_t type_len;

    entity_addr_text(addr, text);
    ip = text;
    if (strncmp(text, "v1:", 3) == 0 || strncmp(text, "v2:", 3) == 0 ||
        strncmp(text, "any:", 4) == 0) {
        ip = strchr(text, ':') + 1;
    }
    type_len = ip > text ? (size_t)(ip - text) - 1 : 0;
    fprintf(out, "{\"type\":\"%.*s\",\"addr\":\"%.*s\",\"nonce\":%" PRIu32 "}",
            (int)type_len, text, (int)strcspn(ip, "/"), ip, addr->nonce);
}

static void print_json_mon(FILE *out, uint32_t rank, const struct mon_info *mon)
{
    fprintf(out, "{\"rank\":%" PRIu32 ",\"name\":", rank);
    print_json_text(out, mon->name);
    fprintf(out, ",\"public_addrs\":{\"addrvec\":[");
    for (uint32_t i = 0; i < mon->addrs.n; i++) {
        fprintf(out, "%s", i > 0 ? "," : "");
        print_json_addr(out, &mon->addrs.v[i]);
    }
    fprintf(out, "]},\"priority\":%u,\"weight\":%u}", mon->priority, mon->weight);
}

void monmap_print_json(FILE *out, const struct monmap *map)
{
    char fsid[FSID_TEXT], stamp[TIME_TEXT];

    fprintf(out, "{\"epoch\":%" PRIu32 ",\"fsid\":\"%s\"", map->epoch,
            fsid_text(map->fsid, fsid));
    fprintf(out, ",\"modified\":\"%s\"", time_text(&map->last_changed, true, stamp));
    fprintf(out, ",\"created\":\"%s\"", time_text(&map->created, true, stamp));
    fprintf(out,
            ",\"min_mon_release\":%u,\"min_mon_release_name\":\"%s\""
            ",\"election_strategy\":%u,\"stretch_mode\":%s,\"tiebreaker_mon\":",
            map->min_mon_release, release_name(map->min_mon_release),
            map->election_strategy, map->stretch_mode ? "true" : "false");
    print_json_text(out, map->tiebreaker);
    fprintf(out, ",\"mons\":[");
    for (uint32_t rank = 0; rank < map->mons_n; rank++) {
        fprintf(out, "%s", rank > 0 ? "," : "");
        print_json_mon(out, rank, &map->mons[rank]);
    }
    fprintf(out, "]}\n");
}
