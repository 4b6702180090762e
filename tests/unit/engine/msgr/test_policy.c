/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_policy.c: the policies are Ceph's rows (Messenger::Policy), and nothing else.
 */
#include <string.h>

#include "engine/policy.h"
#include "tests/lib/testlib.h"

static const struct row {
    const char *name;
    const char *flags; /* lossy, server, standby, resetcheck, registered */
} rows[] = {
    {"stateful_server", "FTTTT"},     {"stateless_registered_server", "TTFFT"},
    {"stateless_server", "TTFFF"},    {"lossless_peer", "FFTFT"},
    {"lossless_peer_reuse", "FFTTT"}, {"lossy_client", "TFFFT"},
    {"lossless_client", "FFFTT"},
};
#define ROWS ((int)(sizeof(rows) / sizeof(rows[0])))

/* Each policy has the five flags that Ceph gives it. */
START_TEST(flags_are_cephs)
{
    const struct policy *p = policy_find(rows[_i].name);

    ck_assert_ptr_nonnull(p);
    ck_assert_str_eq(p->name, rows[_i].name);
    ck_assert_int_eq(p->lossy, rows[_i].flags[0] == 'T');
    ck_assert_int_eq(p->server, rows[_i].flags[1] == 'T');
    ck_assert_int_eq(p->standby, rows[_i].flags[2] == 'T');
    ck_assert_int_eq(p->resetcheck, rows[_i].flags[3] == 'T');
    ck_assert_int_eq(p->registered, rows[_i].flags[4] == 'T');
}
END_TEST

/* A policy starts with the default features and without limits. */
START_TEST(defaults_are_features_and_no_throttles)
{
    const struct policy *p = policy_find(rows[_i].name);

    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(p->features_supported, FEATURES_SUPPORTED);
    ck_assert_uint_eq(p->features_required, FEATURES_REQUIRED);
    ck_assert_uint_eq(p->features_required & ~p->features_supported, 0);
    ck_assert_ptr_null(p->messages);
    ck_assert_ptr_null(p->bytes);
}
END_TEST

/* Names match whole and exactly: nothing else is a policy. */
START_TEST(unknown_names_have_no_policy)
{
    ck_assert_ptr_null(policy_find(""));
    ck_assert_ptr_null(policy_find("lossy"));
    ck_assert_ptr_null(policy_find("lossy_client "));
    ck_assert_ptr_null(policy_find("Lossy_client"));
}
END_TEST

/* policy_names lists every policy that policy_find knows, once, separated by commas. */
START_TEST(names_list_every_policy)
{
    char names[256];
    char *save = NULL;
    int n = 0;

    ck_assert_uint_lt(strlen(policy_names()), sizeof(names));
    strcpy(names, policy_names());
    for (char *at = strtok_r(names, ", ", &save); at; at = strtok_r(NULL, ", ", &save)) {
        ck_assert_msg(policy_find(at) != NULL, "%s", at);
        n++;
    }
    ck_assert_int_eq(n, ROWS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy");
    TCase *tc = tcase_create("policy");

    tcase_add_loop_test(tc, flags_are_cephs, 0, ROWS);
    tcase_add_loop_test(tc, defaults_are_features_and_no_throttles, 0, ROWS);
    tcase_add_test(tc, unknown_names_have_no_policy);
    tcase_add_test(tc, names_list_every_policy);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
