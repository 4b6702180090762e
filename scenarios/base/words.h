/* SPDX-License-Identifier: Apache-2.0 */
/*
 * words.h: what people write and read: "did you mean", numbers, and times, wherever they
 * stand: on the command line, in a script, in a record of a run. Pure functions, any
 * thread.
 */
#ifndef MSGRLAB_SCENARIOS_BASE_WORDS_H
#define MSGRLAB_SCENARIOS_BASE_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/util.h"

/* What a time is, for errors. */
#define WORDS_DURATION_FORM                                                                \
    "a time like 90s, 5m or 1h (ns, us, ms, s, m or min, h, d; at most 3650d)"
#define WORDS_DURATION_MAX (3650 * 24 * 3600 * NSEC_PER_SEC)

/* The word of the list that was probably meant; NULL if none is close. */
const char *words_suggest(const char *word, const char *const *words, size_t n);

/* A decimal or 0x number of at most `max`. False: it is none; nothing was written. */
bool words_number(const char *text, uint64_t max, uint64_t *ret);
/* "1500us", "20ms", "1.5s", "2m" or "2min", "1h", "3d", or a plain number of seconds; a
 * blank may be before the unit. At most WORDS_DURATION_MAX. False: it is none, or
 * longer. */
bool words_duration(const char *text, uint64_t *ret_ns);
/* Shortest readable form: "250 us", "1.5 s". Returns buf. */
const char *words_duration_text(uint64_t ns, char *buf, size_t size);

#endif
