/* SPDX-License-Identifier: Apache-2.0 */
/* decisions.c: the hash, the overrides, the log and its text. */
#include "sim/decide/decisions.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "engine/base/array.h"
#include "engine/util.h"

static const char *const site_names[] = {
#define X(id, name, what) name,
    SIM_SITES(X)
#undef X
};

/* ---- hashing ---------------------------------------------------------------------- */

static uint64_t hash_text(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325ULL;

    for (; *text != '\0'; text++) {
        hash = (hash ^ (uint8_t)*text) * 0x100000001b3ULL;
    }
    return sim_mix(hash, 0) | 1;
}

static uint64_t hash_place(enum sim_site site, uint64_t actor, uint32_t occurrence)
{
    return sim_mix(actor, (uint64_t)site << 32 | occurrence) | 1;
}

/* 0 .. n-1 from the upper bits of a hash, without bias worth mentioning. */
static uint64_t scale(uint64_t hash, uint64_t n)
{
    return (uint64_t)(((unsigned __int128)hash * n) >> 64);
}

/* ---- life and actors -------------------------------------------------------------- */

void sim_decisions_init(struct sim_decisions *d, uint64_t seed)
{
    *d = (struct sim_decisions){.seed = seed};
}

void sim_decisions_fini(struct sim_decisions *d)
{
    map_fini(&d->overrides);
    map_fini(&d->actors);
    free(d->names);
    free(d->log);
    memset(d, 0, sizeof(*d));
}

/* A name that appears in a line of text between two spaces. */
static void copy_word(char *to, const char *from, size_t size)
{
    size_t n = 0;

    for (; n + 1 < size && from[n] != '\0'; n++) {
        to[n] = isgraph((unsigned char)from[n]) ? from[n] : '_';
    }
    to[n] = '\0';
}

void sim_actor_init(struct sim_decisions *d, struct sim_actor *actor, const char *name)
{
    char word[SIM_ACTOR_NAME - 12];
    uint64_t same, key;

    *actor = (struct sim_actor){0};
    copy_word(word, name, sizeof(word));
    key = hash_text(word);
    same = map_get(&d->actors, key, 0);
    CHECK(map_put(&d->actors, key, same + 1) == 0);
    snprintf(actor->name, sizeof(actor->name), "%s", word);
    if (same != 0) {
        snprintf(actor->name, sizeof(actor->name), "%s.%" PRIu32, word, (uint32_t)same + 1);
    }
    actor->key = hash_text(actor->name);
}

/* ---- choosing --------------------------------------------------------------------- */

/* Where the log keeps the name of this actor. */
static uint32_t name_index(struct sim_decisions *d, const struct sim_actor *actor)
{
    uint64_t key = sim_mix(actor->key, 1) | 1, index = map_get(&d->actors, key, MAP_NONE);

    if (index != MAP_NONE) {
        return (uint32_t)index;
    }
    CHECK(map_put(&d->actors, key, d->n_names) == 0);
    d->names = array_grow(d->names, d->n_names, sizeof(*d->names));
    CHECK(d->names != NULL);
    memcpy(d->names[d->n_names], actor->name, SIM_ACTOR_NAME);
    return d->n_names++;
}

static void log_decision(struct sim_decisions *d, enum sim_site site,
                         const struct sim_actor *actor, uint32_t occurrence, uint64_t value)
{
    d->log = array_grow(d->log, d->n_log, sizeof(*d->log));
    CHECK(d->log != NULL);
    d->log[d->n_log++] = (struct sim_decision){.site = site,
                                               .actor = name_index(d, actor),
                                               .occurrence = occurrence,
                                               .value = value};
    if (d->on_log != NULL) {
        d->on_log(d->arg, d, &d->log[d->n_log - 1]);
    }
}

static uint64_t next_of_sequence(struct sim_sequence *q, enum sim_site site, uint64_t n)
{
    uint32_t i = q->met++;

    if (i >= q->depth) {
        return 0;
    }
    q->value[i] = i < q->set ? q->value[i] : 0;
    q->choices[i] = (uint16_t)MIN(n, (uint64_t)UINT16_MAX);
    q->site[i] = (uint16_t)site;
    return q->value[i];
}

uint64_t sim_decide(struct sim_decisions *d, enum sim_site site, struct sim_actor *actor,
                    uint64_t n, uint64_t proposed)
{
    uint32_t occurrence = actor->seen[site]++;
    uint64_t value = d->defaults ? 0 : proposed;

    CHECK(n > 0);
    d->made++;
    if (d->sequence != NULL && d->sequence->covers[site] && n > 1) {
        value = next_of_sequence(d->sequence, site, n);
    }
    if (d->overrides.used != 0) {
        value = map_get(&d->overrides, hash_place(site, actor->key, occurrence), value);
    }
    value = MIN(value, n - 1);
    if (value != 0 && d->logging) {
        log_decision(d, site, actor, occurrence, value);
    }
    return value;
}

uint64_t sim_pick(struct sim_decisions *d, enum sim_site site, struct sim_actor *actor,
                  uint64_t n)
{
    uint64_t proposed = 0;

    CHECK(n > 0);
    if (d->rate[site] != 0 && !d->defaults) {
        uint64_t place = hash_place(site, actor->key, actor->seen[site]);
        uint64_t hash = sim_mix(d->seed, place);

        if ((hash & 1023) < d->rate[site]) {
            proposed = scale(hash, n);
        }
    }
    if (d->overrides.used == 0 && d->sequence == NULL && !d->logging) {
        actor->seen[site]++; /* what sim_decide would come to, sooner */
        d->made++;
        return proposed;
    }
    return sim_decide(d, site, actor, n, proposed);
}

uint64_t sim_hash(const struct sim_decisions *d, const struct sim_actor *actor,
                  uint64_t what)
{
    return sim_mix(sim_mix(d->seed, actor->key), what);
}

uint64_t sim_hash_of_choice(const struct sim_decisions *d, enum sim_site site,
                            const struct sim_actor *actor)
{
    return sim_hash(d, actor, (uint64_t)site << 32 | actor->seen[site]);
}

bool sim_chance(struct sim_decisions *d, enum sim_site site, struct sim_actor *actor,
                uint16_t rate)
{
    bool proposed = (sim_hash_of_choice(d, site, actor) & 1023) < rate;

    return sim_decide(d, site, actor, 2, proposed) != 0;
}

/* ---- text ------------------------------------------------------------------------- */

const char *sim_site_name(enum sim_site site)
{
    return site_names[site];
}

int sim_site_by_name(const char *name)
{
    for (int i = 0; i < SIM_SITE_COUNT; i++) {
        if (strcmp(name, site_names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

int sim_decisions_override(struct sim_decisions *d, enum sim_site site, const char *actor,
                           uint32_t occurrence, uint64_t value)
{
    CHECK(site < SIM_SITE_COUNT);
    d->overridden[site]++;
    return map_put(&d->overrides, hash_place(site, hash_text(actor), occurrence),
                   MIN(value, UINT64_MAX - 1)); /* the largest n - 1 there is */
}

/* A decimal number up to `max` that is the whole word. */
static bool parse_number(const char *word, uint64_t max, uint64_t *ret)
{
    char *end;

    errno = 0;
    *ret = strtoull(word, &end, 10);
    return isdigit((unsigned char)word[0]) && *end == '\0' && errno == 0 && *ret <= max;
}

/* One line, which may be changed. 0; -EINVAL and *ret_what; -ENOMEM. */
static int load_line(struct sim_decisions *d, char *line, const char **ret_what)
{
    char *save = NULL, *word[5];
    uint64_t occurrence, value;
    int n = 0, site;

    for (char *w = strtok_r(line, " \t\r", &save); w != NULL && n < 5 && w[0] != '#';
         w = strtok_r(NULL, " \t\r", &save)) {
        word[n++] = w;
    }
    if (n == 0) {
        return 0;
    }
    *ret_what = "a decision is: site actor occurrence value";
    if (n != 4) {
        return -EINVAL;
    }
    site = sim_site_by_name(word[0]);
    *ret_what = "no such site";
    if (site < 0) {
        return -EINVAL;
    }
    *ret_what = "occurrence and value are numbers";
    if (!parse_number(word[2], UINT32_MAX, &occurrence) ||
        !parse_number(word[3], UINT64_MAX, &value)) {
        return -EINVAL;
    }
    return sim_decisions_override(d, (enum sim_site)site, word[1], (uint32_t)occurrence,
                                  value);
}

int sim_decisions_load(struct sim_decisions *d, const char *text, char *why, size_t size)
{
    char *copy = strdup(text), *line = copy, *next;
    const char *what = "";
    int err = copy == NULL ? -ENOMEM : 0;

    for (int number = 1; err == 0 && line != NULL; line = next, number++) {
        next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        err = load_line(d, line, &what);
        if (err == -EINVAL) {
            snprintf(why, size, "line %d: %s", number, what);
        }
    }
    free(copy);
    return err;
}

char *sim_decisions_text(const struct sim_decisions *d)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    if (out == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < d->n_log; i++) {
        const struct sim_decision *it = &d->log[i];

        fprintf(out, "%s %s %" PRIu32 " %" PRIu64 "\n", site_names[it->site],
                d->names[it->actor], it->occurrence, it->value);
    }
    return fclose(out) == 0 ? text : NULL;
}
