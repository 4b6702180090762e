/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/testscript.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/util.h"
#include "tests/lib/testlib.h"

void testscript_run(const char *text, const struct run_opts *opts, struct testscript *ret)
{
    struct run_opts run = *opts;
    char dir[] = "/tmp/testscript.XXXXXX", path[60];
    size_t len;
    FILE *file;

    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/x.lua", dir);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
    *ret = (struct testscript){0};
    run.script = path;
    run.timeout_ns = 3600 * NSEC_PER_SEC; /* of virtual time */
    run.world.on = WORLD_SIM;
    run.world.title = "test";
    run.world.stack = opts->world.stack != STACK_UNSAID ? opts->world.stack : STACK_TCP;
    run.bare = true;
    run.out = run.err = open_memstream(&ret->said, &len);
    ck_assert_ptr_nonnull(run.out);
    run_scenario(&run, &ret->outcome);
    ck_assert_int_eq(fclose(run.out), 0);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(dir), 0);
}

void testscript_fini(struct testscript *t)
{
    run_outcome_fini(&t->outcome);
    free(t->said);
}
