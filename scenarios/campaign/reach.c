/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reach.c: what a campaign has come to at least once: kinds of trace points,
 * states of connections, completion errors and asynchronous events of RDMA devices. What
 * was never reached was never tested.
 */
#include <inttypes.h>
#include <string.h>

#include <infiniband/verbs.h>

#include "engine/states.h"
#include "engine/trace_points.h"
#include "engine/util.h"
#include "scenarios/base/words.h"
#include "scenarios/campaign/report.h"
#include "scenarios/campaign/verbs_places.h"

#define PLACE_MAX 64 /* statuses, and events */

struct place {
    const char *name;
    unsigned tally;
};

static const struct place places[] = {
#define X(id, name, layer, step, cls, fmt) {#id, TALLY_KINDS + TP_##id},
    TRACE_POINTS(X)
#undef X
#define X(id, name, next) {"sock:" #id, TALLY_SOCK + SOCK_##id},
        SOCK_STATES(X)
#undef X
#define X(id, name, next) {"proto:" #id, TALLY_PROTO + PROTO_##id},
            PROTO_STATES(X)
#undef X
#define X(name) {"wc:" #name, TALLY_WC + IBV_WC_##name},
                WC_ERRORS(X)
#undef X
#define X(name) {"async:" #name, TALLY_ASYNC + IBV_EVENT_##name},
                    ASYNC_EVENTS(X)
#undef X
};

_Static_assert(TALLY_FAULTS + FAULT_COUNT <= TALLY_KINDS, "room for all faults");
_Static_assert((int)TALLY_KINDS + (int)TP_COUNT <= TALLY_SOCK, "room for all kinds");
_Static_assert((int)TALLY_PROTO + (int)PROTO_STATE_COUNT <= TALLY_WC, "and states");
_Static_assert(TALLY_ASYNC + PLACE_MAX <= CAMPAIGN_TALLIES, "and what verbs say");

void reach_record(struct campaign_tally *tally, const struct trace_record *record)
{
    if (record->kind < TP_COUNT) {
        campaign_count(tally, TALLY_KINDS + record->kind, 1);
    }
    if (record->kind == TP_SOCK_STATE && record->a1 < SOCK_STATE_COUNT) {
        campaign_count(tally, TALLY_SOCK + (unsigned)record->a1, 1);
    } else if (record->kind == TP_PROTO_STATE && record->a1 < PROTO_STATE_COUNT) {
        campaign_count(tally, TALLY_PROTO + (unsigned)record->a1, 1);
    } else if (record->kind == TP_CQE_ERROR && (uint32_t)record->val < PLACE_MAX) {
        campaign_count(tally, TALLY_WC + (unsigned)record->val, 1);
    } else if (record->kind == TP_ASYNC_EVENT && (uint32_t)record->val < PLACE_MAX) {
        campaign_count(tally, TALLY_ASYNC + (unsigned)record->val, 1);
    }
}

int64_t reach_count(const struct campaign_tally *tally, const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        if (strcmp(places[i].name, name) == 0) {
            return (int64_t)campaign_counted(tally, places[i].tally);
        }
    }
    return -1;
}

const char *reach_suggest(const char *name)
{
    const char *names[ARRAY_SIZE(places)];

    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        names[i] = places[i].name;
    }
    return words_suggest(name, names, ARRAY_SIZE(names));
}

void reach_print(const struct campaign_tally *tally, FILE *out)
{
    size_t reached = 0;

    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        reached += campaign_counted(tally, places[i].tally) != 0;
    }
    fprintf(out, "reached       %zu of %zu kinds of events and states\n", reached,
            ARRAY_SIZE(places));
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        uint64_t n = campaign_counted(tally, places[i].tally);

        if (n != 0) {
            fprintf(out, "    %-32s %14" PRIu64 "\n", places[i].name, n);
        } else {
            fprintf(out, "    %-32s          never\n", places[i].name);
        }
    }
}

void reach_json(const struct campaign_tally *tally, FILE *out)
{
    const char *comma = "";

    fputs("  \"reached\": {", out);
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        uint64_t n = campaign_counted(tally, places[i].tally);

        if (n != 0) {
            fprintf(out, "%s\"%s\": %" PRIu64, comma, places[i].name, n);
            comma = ", ";
        }
    }
    fputs("},\n", out);
}
