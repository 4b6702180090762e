/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_scenarios.c: every scenario that is shipped ends well, under every driver, in every
 * flavour of the build (the shell test of the program itself runs in one flavour only).
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/run/run.h"
#include "tests/lib/testlib.h"

#define FOLDER "scenarios"

static struct dirent **scripts;
static int n_scripts;

static int is_script(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot != NULL && strcmp(dot, ".lua") == 0;
}

/* _i: script * 3 + driver. */
START_TEST(scenario_ends_well)
{
    struct run_opts opts = {.timeout_ns = 120 * NSEC_PER_SEC,
                            .world = {.on = WORLD_LINUX,
                                      .stack = STACK_TCP,
                                      .title = "test",
                                      .driver = (enum event_driver_kind)(_i % 3),
                                      .seed = (uint64_t)_i}};
    struct run_outcome outcome;
    char path[400];

    snprintf(path, sizeof(path), FOLDER "/%s", scripts[_i / 3]->d_name);
    opts.script = path;
    ck_assert_msg(run_scenario(&opts, &outcome) == EXIT_OK, "%s under %s", path,
                  event_driver_name(opts.world.driver));
    run_outcome_fini(&outcome);
}
END_TEST

/* The tests run where the scenarios are. */
START_TEST(scenarios_are_there)
{
    ck_assert_int_ge(n_scripts, 6);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenarios");
    TCase *tc = tcase_create("scenarios");
    int status;

    n_scripts = scandir(FOLDER, &scripts, is_script, alphasort);
    tcase_set_timeout(tc, 130);
    tcase_add_test(tc, scenarios_are_there);
    tcase_add_loop_test(tc, scenario_ends_well, 0, MAX(n_scripts, 0) * 3);
    suite_add_tcase(suite, tc);
    status = testlib_run(suite);
    for (int i = 0; i < n_scripts; i++) {
        free(scripts[i]);
    }
    free(scripts);
    return status;
}
