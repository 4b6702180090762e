/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stages.h: where messages spend their time, in nine stages from S1 to the dispatcher.
 */
#ifndef MSGRLAB_VIZ_VIEWS_STAGES_H
#define MSGRLAB_VIZ_VIEWS_STAGES_H

#include "viz/join/hist.h"
#include "viz/views/view.h"

enum stage {
    STAGE_SUBMIT,         /* S1 to S3 */
    STAGE_OUT_QUEUE,      /* S3 until S4 begins */
    STAGE_ENCODE,         /* S4 */
    STAGE_SEND,           /* S4 until the last S6 */
    STAGE_NETWORK,        /* first S6 to R3 */
    STAGE_READ,           /* R3 to R7 */
    STAGE_DISPATCH_QUEUE, /* R7 until the dispatcher begins */
    STAGE_DISPATCHER,     /* its callback */
    STAGE_TOTAL,          /* first record to last */
    STAGES,
};

#define STAGE_NONE UINT64_MAX

/* "S3-S4  waits in out_q": the words begin at the eighth character. */
const char *stage_name(enum stage stage);
/* The time message i spent in each stage, STAGE_NONE if it is not known. */
void stages_of(const struct view_input *in, size_t i, uint64_t ns[STAGES]);
/* Over all messages; fills STAGES histograms, which are zeroed first. Returns the message
 * that took longest, of those seen from S1 to the end if there are any; join_count if none.
 */
size_t stages_of_all(const struct view_input *in, struct hist *hists);

#endif
