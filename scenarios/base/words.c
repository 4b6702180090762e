/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/base/words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 32 /* longer ones are like no other */

/* Edit distance with swaps of neighbours, so that "rnu" is one away from "run". */
static size_t edit_distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t a_len = strlen(a), b_len = strlen(b);

    if (a_len > WORD_MAX || b_len > WORD_MAX) {
        return WORD_MAX;
    }
    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t *now = rows[i % 3], *before = rows[(i + 2) % 3],
               *earlier = rows[(i + 1) % 3];

        now[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = before[j - 1] + (a[i - 1] != b[j - 1]);

            best = MIN(best, MIN(before[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                best = MIN(best, earlier[j - 2] + 1);
            }
            now[j] = best;
        }
    }
    return rows[a_len % 3][b_len];
}

const char *words_suggest(const char *word, const char *const *words, size_t n)
{
    const char *best = NULL;
    size_t least = MIN(strlen(word) / 2 + 1, 4);

    for (size_t i = 0; i < n; i++) {
        size_t distance = edit_distance(word, words[i]);

        if (distance < least) {
            least = distance;
            best = words[i];
        }
    }
    return best;
}

bool words_number(const char *text, uint64_t max, uint64_t *ret)
{
    unsigned long long value;
    char *end;

    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    errno = 0;
    /* Base 0 would read 010 as eight. */
    value = strtoull(text, &end, strncmp(text, "0x", 2) == 0 ? 16 : 10);
    if (errno != 0 || *end != '\0' || end == text || value > max) {
        return false;
    }
    *ret = value;
    return true;
}

bool words_duration(const char *text, uint64_t *ret_ns)
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"ns", 1},   {"us", 1e3},   {"ms", 1e6},   {"s", 1e9},    {"", 1e9},
                 {"m", 60e9}, {"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}};
    size_t digits = strspn(text, "0123456789.");
    char number[40], *end;
    double ns;

    if (digits == 0 || digits >= sizeof(number)) { /* nor "0x10", "1e9", "inf" */
        return false;
    }
    snprintf(number, sizeof(number), "%.*s", (int)digits, text);
    ns = strtod(number, &end);
    if (*end != '\0' || end == number) {
        return false;
    }
    text += digits;
    text += text[0] == ' ' && text[1] != '\0';
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (strcmp(text, units[i].unit) == 0) {
            ns *= units[i].ns;
            if (ns > (double)WORDS_DURATION_MAX) {
                return false;
            }
            *ret_ns = (uint64_t)(ns + 0.5);
            return true;
        }
    }
    return false;
}

const char *words_duration_text(uint64_t ns, char *buf, size_t size)
{
    if (ns < 10 * NSEC_PER_USEC) {
        snprintf(buf, size, "%llu ns", (unsigned long long)ns);
    } else if (ns < NSEC_PER_MSEC) {
        snprintf(buf, size, "%.4g us", (double)ns / 1e3);
    } else if (ns < NSEC_PER_SEC) {
        snprintf(buf, size, "%.4g ms", (double)ns / 1e6);
    } else {
        snprintf(buf, size, "%.4g s", (double)ns / 1e9);
    }
    return buf;
}
