/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/campaign/narrate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/util.h"
#include "sim/decide/decisions.h"

/* What happens at a site, with the actor's name for %s. Sites without one get what the list
 * says of them. */
static const struct {
    enum sim_site site;
    const char *when, *what;
    const char *unit; /* of the value; "": not worth saying */
} sentences[] = {
    {SIM_SITE_PREEMPT, "%s passes an os call", "another thread that is ready goes on",
     "by number"},
    {SIM_SITE_RUN, "%s waits", "not the thread that is ready for longest runs next",
     "by number"},
    {SIM_SITE_WAKE, "%s signals or unlocks", "not the one that waits for longest is woken",
     "by number"},
    {SIM_SITE_SHORT_RECV, "%s reads", "it gets fewer bytes than there are", "less"},
    {SIM_SITE_SHORT_SEND, "%s writes", "fewer bytes are taken than fit", "less"},
    {SIM_SITE_JITTER, "%s sends a packet", "it takes longer", "ns"},
    {SIM_SITE_TIE, "%s has several timers due at once", "not the oldest runs first",
     "by number"},
    {SIM_SITE_HANDOFF, "%s unlocks", "the mutex goes to who waits for it", ""},
    {SIM_SITE_SPURIOUS, "%s waits on a condition", "it wakes although nobody signalled",
     "us later"},
    {SIM_SITE_EVENT_ORDER, "%s looks for events", "they come in another order",
     "by number"},
    {SIM_SITE_EVENT_BATCH, "%s looks for events", "it is told only some of them", ""},
    {SIM_SITE_EVENT_DELAY, "a descriptor of %s becomes ready", "that is seen late", "us"},
    {SIM_SITE_EVENT_AGAIN, "%s was told an edge", "it is told once more", ""},
    {SIM_SITE_STARVE, "%s passes an os call", "it stands still", "ns"},
    {SIM_SITE_STAND_BACK, "%s passes an os call", "it runs only when no other can",
     "points of the run"},
};

static const char *const site_words[] = {
#define X(id, name, what) what,
    SIM_SITES(X)
#undef X
};

static const char *ordinal(uint64_t n)
{
    static const char *const endings[] = {"th", "st", "nd", "rd"};

    return n % 100 >= 11 && n % 100 <= 13 ? "th" : endings[n % 10 < 4 ? n % 10 : 0];
}

static void say_general(int site, const char *actor, uint64_t n, uint64_t value, char *buf,
                        size_t size)
{
    const char *what = site >= 0 ? site_words[site] : "a site this program does not know";

    snprintf(buf, size, "the %" PRIu64 "%s time for %s: %s (choice %" PRIu64 ")", n,
             ordinal(n), actor, what, value);
}

const char *narrate_decision(const char *site, const char *actor, uint32_t occurrence,
                             uint64_t value, char *buf, size_t size)
{
    uint64_t n = (uint64_t)occurrence + 1;
    int number = sim_site_by_name(site);
    size_t at;

    if (number == SIM_SITE_STARVE || number == SIM_SITE_STAND_BACK) {
        n = occurrence; /* these count from 1 */
    }
    if (number == SIM_SITE_SWARM) {
        snprintf(buf, size, "this world has knob %s at its value %" PRIu64, actor, value);
        return buf;
    }
    for (size_t i = 0; i < ARRAY_SIZE(sentences); i++) {
        const char *mark = strstr(sentences[i].when, "%s");

        if ((int)sentences[i].site != number) {
            continue;
        }
        snprintf(buf, size, "the %" PRIu64 "%s time %.*s%s%s, %s", n, ordinal(n),
                 (int)(mark - sentences[i].when), sentences[i].when, actor, mark + 2,
                 sentences[i].what);
        at = strlen(buf);
        if (sentences[i].unit[0] != '\0') {
            snprintf(buf + at, size - at, " (%" PRIu64 " %s)", value, sentences[i].unit);
        }
        return buf;
    }
    say_general(number, actor, n, value, buf, size);
    return buf;
}
