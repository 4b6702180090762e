/* SPDX-License-Identifier: Apache-2.0 */
/*
 * narrate.h: a decision as a sentence: "the 17th time a/msgr-worker-0 passes an os call,
 * another thread goes on instead".
 */
#ifndef MSGRLAB_SCENARIOS_CAMPAIGN_NARRATE_H
#define MSGRLAB_SCENARIOS_CAMPAIGN_NARRATE_H

#include <stddef.h>
#include <stdint.h>

/* Returns buf. */
const char *narrate_decision(const char *site, const char *actor, uint32_t occurrence,
                             uint64_t value, char *buf, size_t size);

#endif
