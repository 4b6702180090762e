/* SPDX-License-Identifier: Apache-2.0 */
#include "viz/views/stages.h"

#include <string.h>

#include "engine/util.h"

/* Seven characters of steps, then words. */
const char *stage_name(enum stage stage)
{
    static const char *const names[] = {
        [STAGE_SUBMIT] = "S1-S3  submit",
        [STAGE_OUT_QUEUE] = "S3-S4  waits in out_q",
        [STAGE_ENCODE] = "S4     encode",
        [STAGE_SEND] = "S4-S6  send",
        [STAGE_NETWORK] = "S6-R3  network and wake-up",
        [STAGE_READ] = "R3-R7  read",
        [STAGE_DISPATCH_QUEUE] = "R7     waits for dispatch",
        [STAGE_DISPATCHER] = "       dispatcher",
        [STAGE_TOTAL] = "       total",
    };

    CHECK(stage < STAGES);
    return names[stage];
}

/* From one moment to another; both must be known. A shared call may begin before. */
static uint64_t between(const struct trace_record *from, const struct trace_record *to,
                        uint64_t took)
{
    uint64_t end;

    if (from == NULL || to == NULL) {
        return STAGE_NONE;
    }
    end = to->ts - MIN(to->ts, took);
    return end > from->ts ? end - from->ts : 0;
}

void stages_of(const struct view_input *in, size_t i, uint64_t ns[STAGES])
{
    const struct trace_record *first[JOIN_STEPS], *last[JOIN_STEPS];
    const struct trace_record *begin = NULL, *end = NULL, *dispatch;
    struct join_time times[JOIN_STEPS];

    join_times(in->join, i, times);
    for (enum join_step s = 0; s < JOIN_STEPS; s++) {
        bool seen = times[s].count > 0;

        first[s] = seen ? trace_reader_record(in->reader, times[s].first) : NULL;
        last[s] = seen ? trace_reader_record(in->reader, times[s].last) : NULL;
        if (seen && (begin == NULL || first[s]->ts < begin->ts)) {
            begin = first[s];
        }
        /* A prefetching read may belong to later messages as well, but never ends later. */
        if (seen && s != JOIN_S5 && s != JOIN_POST &&
            (end == NULL || last[s]->ts > end->ts)) {
            end = last[s];
        }
    }
    if (first[JOIN_S1] != NULL) {
        begin = first[JOIN_S1]; /* a read that fetched it beforehand does not count */
    }
    dispatch = first[JOIN_BEGIN] ? first[JOIN_BEGIN] : first[JOIN_FAST];
    ns[STAGE_SUBMIT] = between(first[JOIN_S1], first[JOIN_S3], 0);
    ns[STAGE_OUT_QUEUE] =
        between(first[JOIN_S3], last[JOIN_S4], last[JOIN_S4] ? last[JOIN_S4]->aux : 0);
    ns[STAGE_ENCODE] = last[JOIN_S4] ? last[JOIN_S4]->aux : STAGE_NONE;
    ns[STAGE_SEND] = between(last[JOIN_S4], last[JOIN_S6], 0);
    ns[STAGE_NETWORK] = between(first[JOIN_S6], first[JOIN_R3], 0);
    ns[STAGE_READ] = between(first[JOIN_R3], first[JOIN_R7], 0);
    ns[STAGE_DISPATCH_QUEUE] =
        between(first[JOIN_R7] ? first[JOIN_R7] : first[JOIN_LOCAL], dispatch, 0);
    ns[STAGE_DISPATCHER] = first[JOIN_END] ? first[JOIN_END]->aux : STAGE_NONE;
    ns[STAGE_TOTAL] = between(begin, end, 0);
}

size_t stages_of_all(const struct view_input *in, struct hist *hists)
{
    size_t slowest = join_count(in->join);
    bool slowest_whole = false;
    uint64_t longest = 0;

    memset(hists, 0, STAGES * sizeof(*hists));
    for (size_t i = 0; i < join_count(in->join); i++) {
        const struct join_message *m = join_message(in->join, i);
        bool whole = m->received && (m->sent || m->local);
        uint64_t ns[STAGES];

        stages_of(in, i, ns);
        for (enum stage s = 0; s < STAGES; s++) {
            if (ns[s] != STAGE_NONE) {
                hist_add(&hists[s], ns[s]);
            }
        }
        if (ns[STAGE_TOTAL] != STAGE_NONE && whole >= slowest_whole &&
            (ns[STAGE_TOTAL] > longest || whole > slowest_whole ||
             slowest == join_count(in->join))) {
            slowest = i;
            slowest_whole = whole;
            longest = ns[STAGE_TOTAL];
        }
    }
    return slowest;
}
