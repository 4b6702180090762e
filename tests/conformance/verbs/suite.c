/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suite.c: runs the cases, holds their answers against rows.h, prints the table.
 */
#include <stdarg.h>
#include <string.h>

#include "tests/conformance/verbs/suite.h"

struct row {
    const char *id, *question;
    const char *rxe, *hca; /* hca: NULL where it is that of rxe */
};

static const struct row rows[] = {
#define ROW(id, question, rxe, hca) {id, question, rxe, hca},
#include "tests/conformance/verbs/rows.h"
#undef ROW
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

struct suite {
    struct verbs_target *target;
    struct text answers[ROW_COUNT];
    bool is_answered[ROW_COUNT];
    const char *case_name;
    int wrong;
};

struct verbs_target *suite_target(struct suite *suite)
{
    return suite->target;
}

static const char *expected(const struct suite *suite, const struct row *row)
{
    return strcmp(suite->target->personality, "hca") == 0 && row->hca != NULL ? row->hca
                                                                              : row->rxe;
}

/* True if one of the alternatives of expected, which " / " separates, is text. */
static bool is_expected(const char *expected, const char *text)
{
    size_t length = strlen(text);

    for (const char *at = expected; at != NULL; at = strstr(at, " / ")) {
        at += strncmp(at, " / ", 3) == 0 ? 3 : 0;
        if (strncmp(at, text, length) == 0 &&
            (at[length] == '\0' || strncmp(at + length, " / ", 3) == 0)) {
            return true;
        }
    }
    return false;
}

void answer(struct suite *suite, const char *id, const char *format, ...)
{
    va_list args;
    size_t i;

    for (i = 0; i < ROW_COUNT && strcmp(rows[i].id, id) != 0; i++) {
    }
    if (i == ROW_COUNT || suite->is_answered[i]) {
        fprintf(stderr, "%s: %s\n", id,
                i == ROW_COUNT ? "no such question" : "answered twice");
        suite->wrong++;
        return;
    }
    va_start(args, format);
    vsnprintf(suite->answers[i].s, sizeof(suite->answers[i].s), format, args);
    va_end(args);
    suite->is_answered[i] = true;
    if (!is_expected(expected(suite, &rows[i]), suite->answers[i].s)) {
        fprintf(stderr, "%s: %s\n    answer:   %s\n    expected: %s\n", id,
                rows[i].question, suite->answers[i].s, expected(suite, &rows[i]));
        suite->wrong++;
    }
}

static void ask_all(struct suite *suite, const struct verbs_case *cases, const char *only)
{
    for (; cases->name != NULL; cases++) {
        if (only == NULL || strncmp(cases->name, only, strlen(only)) == 0) {
            suite->case_name = cases->name;
            cases->ask(suite);
        }
    }
}

static void print_table(const struct suite *suite, FILE *table)
{
    size_t answered = 0;

    fprintf(table, "| id | question | answer |\n|---|---|---|\n");
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (suite->is_answered[i]) {
            fprintf(table, "| %s | %s | %s |\n", rows[i].id, rows[i].question,
                    suite->answers[i].s);
            answered++;
        }
    }
    fprintf(stderr, "verbs suite: %zu questions answered, %d not as expected of %s\n",
            answered, suite->wrong, suite->target->personality);
}

int verbs_suite_run(struct verbs_target *target, const char *only, FILE *table)
{
    static const struct verbs_case *const all[] = {
        cases_device, cases_state,   cases_send,   cases_error, cases_flush,
        cases_queue,  cases_channel, cases_memory, cases_rdma,  cases_network,
    };
    struct suite suite = {.target = target};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        ask_all(&suite, all[i], only);
    }
    for (size_t i = 0; i < ROW_COUNT && only == NULL; i++) {
        bool is_network = strncmp(rows[i].id, "network.", 8) == 0;

        if (!suite.is_answered[i] && (!is_network || target->set_link != NULL)) {
            fprintf(stderr, "%s: not answered\n", rows[i].id);
            suite.wrong++;
        }
    }
    print_table(&suite, table);
    return suite.wrong;
}
